//! Parts of an open archive: a listing of a folder, and a fresh archive of some entries.

use std::sync::Arc;

use entryway::sidecar::{SidecarError, SortedSidecar};
use entryway::tree::{self, Listing, Page, TreeError};
use entryway::{IndexError, SortedDirectory, Subset, SubsetError};
use entryway_http::{EntryHeaders, subset_headers};

use super::open::Index;
use super::{Archives, OpenArchive, ServeError, Shared};

/// A part of an archive as an archive of its own, ready to be answered with.
pub struct ServedSubset {
    subset: Arc<Subset>,
    headers: EntryHeaders,
}

/// Why there is no listing or no subset.
#[derive(Clone, Debug)]
pub enum SelectFailure {
    /// The archive cannot be read.
    Serve(ServeError),
    /// The names imply too many folders.
    TooManyDirectories,
    /// The patterns select nothing, or what is not served.
    Subset(SubsetError),
}

impl From<ServeError> for SelectFailure {
    fn from(error: ServeError) -> Self {
        Self::Serve(error)
    }
}

impl ServedSubset {
    /// The subset.
    #[must_use]
    pub fn subset(&self) -> &Arc<Subset> {
        &self.subset
    }

    /// Its header fields.
    #[must_use]
    pub fn headers(&self) -> &EntryHeaders {
        &self.headers
    }

    /// Bytes on the heap.
    pub(super) fn heap_len(&self) -> u64 {
        self.subset.heap_len()
    }
}

/// The number of an open archive and the patterns, each with a NUL behind it, which none contains.
pub(super) type SubsetKey = Box<[u8]>;

impl Archives {
    /// One page of what lies in a folder, empty being the root; `None` where there is no such
    /// folder.
    ///
    /// # Errors
    /// [`SelectFailure`].
    pub async fn list(
        &self,
        archive: &Arc<OpenArchive>,
        path: &[u8],
        recursive: bool,
        page: Page,
    ) -> Result<Option<Listing>, SelectFailure> {
        let path: Box<[u8]> = path.into();
        self.with_archive(archive, move |archive| match archive.list(&path, recursive, page) {
            Ok(listing) => Ok(Ok(listing)),
            Err(TreeError::Index(IndexError::Sidecar(error))) => Err(error),
            Err(TreeError::Index(IndexError::Archive(error))) => {
                Ok(Err(ServeError::Archive(error).into()))
            }
            Err(TreeError::TooManyDirectories) => Ok(Err(SelectFailure::TooManyDirectories)),
        })
        .await
    }

    /// A part of an archive as an archive of its own: what the patterns select.
    ///
    /// # Errors
    /// [`SelectFailure`].
    pub async fn subset(
        &self,
        archive: &Arc<OpenArchive>,
        patterns: &[Box<str>],
    ) -> Result<Arc<ServedSubset>, SelectFailure> {
        let mut key = archive.number().to_le_bytes().to_vec();
        for pattern in patterns {
            key.extend_from_slice(pattern.as_bytes());
            key.push(0);
        }
        let key: SubsetKey = key.into();
        if let Some(subset) = self.shared.subsets.get(&key) {
            return Ok(subset);
        }
        let patterns: Box<[Box<str>]> = patterns.into();
        let subset = self.with_archive(archive, move |archive| match archive.subset(&patterns) {
            Ok(subset) => {
                let headers = subset_headers(&subset, &archive.sha256().0, archive.stored_at());
                Ok(Ok(Arc::new(ServedSubset { subset: Arc::new(subset), headers })))
            }
            Err(SubsetError::Sidecar(error)) => Err(error),
            Err(SubsetError::Archive(error)) => Ok(Err(ServeError::Archive(error).into())),
            Err(error) => Ok(Err(SelectFailure::Subset(error))),
        });
        let subset = subset.await?;
        self.shared.subsets.insert(key, Arc::clone(&subset));
        Ok(subset)
    }

    /// Reads an archive on a blocking thread; where its sidecar is damaged, once more without.
    async fn with_archive<T: Send + 'static>(
        &self,
        archive: &Arc<OpenArchive>,
        mut read: impl FnMut(&OpenArchive) -> Result<Result<T, SelectFailure>, SidecarError>
        + Send
        + 'static,
    ) -> Result<T, SelectFailure> {
        let (shared, archive): (Arc<Shared>, _) = (Arc::clone(&self.shared), Arc::clone(archive));
        let turn = Arc::clone(&shared.selection_turns).acquire_owned().await;
        let turn = turn.map_err(|_| ServeError::Stopping)?;
        let mut work = move || match read(&archive) {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(sha256 = %archive.sha256(), %error, "cannot use a sidecar");
                let archive = shared.reopen_without_sidecar(&archive)?;
                match read(&archive) {
                    Ok(outcome) => outcome,
                    // It has none.
                    Err(_) => Err(ServeError::Archive(entryway::Error::Changed).into()),
                }
            }
        };
        let outcome = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(turn);
            outcome
        });
        outcome.await.map_err(|_| SelectFailure::Serve(ServeError::Stopping))?
    }
}

impl OpenArchive {
    fn list(&self, path: &[u8], recursive: bool, page: Page) -> Result<Option<Listing>, TreeError> {
        match self.index() {
            Index::Sidecar(sidecar) => {
                let entries = SortedSidecar::new(sidecar, self.source());
                let mut entries = entries.map_err(IndexError::Sidecar)?;
                tree::list(&mut entries, path, recursive, page)
            }
            Index::Directory { archive, .. } => {
                tree::list(&mut SortedDirectory::new(archive), path, recursive, page)
            }
        }
    }

    fn subset(&self, patterns: &[Box<str>]) -> Result<Subset, SubsetError> {
        match self.index() {
            Index::Sidecar(sidecar) => {
                let entries = SortedSidecar::new(sidecar, self.source());
                let mut entries = entries.map_err(SubsetError::Sidecar)?;
                Subset::plan(&mut entries, self.source(), patterns)
            }
            Index::Directory { archive, .. } => {
                Subset::plan(&mut SortedDirectory::new(archive), self.source(), patterns)
            }
        }
    }
}

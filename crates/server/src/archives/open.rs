//! One archive of the store, open for reading.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use entryway::sidecar::{Binding, FindError, Sidecar, SidecarError};
use entryway::{Archive, Error, FileSource, Found, Policy, ReadAt, Rule, Standing};
use entryway_http::{EntityTag, EntryHeaders, RangeSupport, RepresentationMetadata, attachment};
use http::HeaderValue;

use super::ServeError;
use crate::store::{Operation, Sha256Digest, Store, StoreError};

/// The name under which an archive is downloaded, as GitLab has it.
const ARCHIVE_NAME: &str = "artifacts.zip";

/// An archive of the store: its file, and what entries are found by.
pub struct OpenArchive {
    number: u64,
    sha256: Sha256Digest,
    source: FileSource,
    index: Index,
    download: EntryHeaders,
    /// Whether the next request is to open the archive anew.
    retired: AtomicBool,
}

/// Why an entry was not found out about.
pub(super) enum FindFailure {
    /// It cannot be served.
    Serve(ServeError),
    /// The sidecar cannot be used after all: its pages are checked when they are read.
    Sidecar(SidecarError),
}

/// What entries are found by.
pub(super) enum Index {
    /// The sidecar belongs to the file as it is.
    Sidecar(Box<Sidecar<FileSource>>),
    /// There is none that does.
    Directory {
        archive: Box<Archive<FileSource>>,
        /// Whether there was one, for the file as it was: then the file has been changed.
        was_verified: bool,
    },
}

impl OpenArchive {
    pub(super) fn open(
        store: &Store,
        sha256: &Sha256Digest,
        policy: &Policy,
        number: u64,
    ) -> Result<Self, ServeError> {
        let store_error = |error| ServeError::Store(std::sync::Arc::new(error));
        let file = store.open_blob(sha256).map_err(store_error)?.ok_or(ServeError::Lost)?;
        let source = FileSource::new(file).map_err(|error| {
            store_error(StoreError::io(Operation::Open, &store.blob_path(sha256), &error))
        })?;
        let binding = Binding {
            sha256: sha256.0,
            len: ReadAt::len(&source),
            modified_nanos: source.modified_nanos(),
        };
        let index = match open_sidecar(store, sha256, &binding, policy).map_err(store_error)? {
            Ok(sidecar) => Index::Sidecar(Box::new(sidecar)),
            Err(was_verified) => {
                let archive =
                    Archive::open_within(source.clone(), *policy).map_err(ServeError::Archive)?;
                Index::Directory { archive: Box::new(archive), was_verified }
            }
        };
        Ok(Self::with_index(source, *sha256, index, number))
    }

    /// The same file, as if it had no sidecar. Reads; for a blocking thread.
    pub(super) fn without_sidecar(&self, policy: &Policy, number: u64) -> Result<Self, ServeError> {
        let archive =
            Archive::open_within(self.source.clone(), *policy).map_err(ServeError::Archive)?;
        let index = Index::Directory { archive: Box::new(archive), was_verified: false };
        Ok(Self::with_index(self.source.clone(), self.sha256, index, number))
    }

    fn with_index(source: FileSource, sha256: Sha256Digest, index: Index, number: u64) -> Self {
        let metadata = RepresentationMetadata {
            complete_len: ReadAt::len(&source),
            entity_tag: EntityTag::of_archive(&sha256.0),
            last_modified: stored_at(&source),
            gzip_len: None,
            zstd_len: None,
            ranges: RangeSupport::Any,
        };
        let download = EntryHeaders::new(
            metadata,
            HeaderValue::from_static("application/octet-stream"),
            attachment(ARCHIVE_NAME.as_bytes(), ARCHIVE_NAME),
        );
        let retired = AtomicBool::new(false);
        Self { number, sha256, source, index, download, retired }
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The number of this opening; no other has it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The archive's digest.
    #[must_use]
    pub fn sha256(&self) -> &Sha256Digest {
        &self.sha256
    }

    /// The file; clones share the descriptor.
    #[must_use]
    pub fn source(&self) -> &FileSource {
        &self.source
    }

    /// The header fields of the archive as a download.
    #[must_use]
    pub fn download(&self) -> &EntryHeaders {
        &self.download
    }

    /// When the archive was stored: the time that its file carries, for nobody writes to it again.
    #[must_use]
    pub fn stored_at(&self) -> SystemTime {
        stored_at(&self.source)
    }

    /// Whether the verdicts of its entries are known.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        matches!(self.index, Index::Sidecar(_))
    }

    /// Whether the archive was verified when it was stored, and its file has been changed since.
    #[must_use]
    pub fn was_changed(&self) -> bool {
        matches!(self.index, Index::Directory { was_verified: true, .. })
    }

    /// Says that what is known of this opening does not count any more: the next request opens the
    /// archive anew.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Takes note of what reading the file came to. A file that is not what it was when it was
    /// opened is opened anew; an entry that nobody has verified is just bad.
    pub(crate) fn failed(&self, error: &Error) {
        match error {
            Error::Entry(_) if !self.is_verified() => {}
            // Good when it was stored, within the limits of then.
            Error::Entry(refusal) if refusal.rule == Rule::EntryOverLimit => {}
            Error::Entry(_)
            | Error::Archive(_)
            | Error::Read { .. }
            | Error::ShortRead { .. }
            | Error::Changed => self.retire(),
        }
    }

    /// Whether the archive is to be opened anew, since more is known of it now, or its file
    /// changed.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Bytes on the heap that its index takes.
    pub(super) fn heap_len(&self) -> u64 {
        match &self.index {
            Index::Sidecar(_) => 0,
            Index::Directory { archive, .. } => {
                let extent = &archive.directory().extent().extent;
                extent.end - extent.start + archive.directory().index_len()
            }
        }
    }

    /// Finds the entry that a path means. Reads; for a blocking thread.
    pub(super) fn find(&self, path: &[u8]) -> Result<Option<Found>, FindFailure> {
        let refused = |refusal| FindFailure::Serve(ServeError::Entry(refusal));
        let found = match &self.index {
            Index::Sidecar(sidecar) => {
                sidecar.find(&self.source, path).map_err(|error| match error {
                    FindError::Refused(refusal) => refused(refusal),
                    FindError::Archive(error) => FindFailure::Serve(ServeError::Archive(error)),
                    FindError::Sidecar(error) => FindFailure::Sidecar(error),
                })?
            }
            Index::Directory { archive, .. } => archive.find(path).map_err(refused)?,
        };
        match found {
            Some(Found { standing: Standing::Bad(refusal), entry, .. }) if !entry.is_directory => {
                Err(refused(refusal))
            }
            found => Ok(found.filter(|found| !found.entry.is_directory)),
        }
    }
}

/// Opens the sidecar, if there is one that can be used; else says whether there is one of another
/// state of the file.
fn open_sidecar(
    store: &Store,
    sha256: &Sha256Digest,
    binding: &Binding,
    policy: &Policy,
) -> Result<Result<Sidecar<FileSource>, bool>, StoreError> {
    let log = |error: &dyn std::fmt::Display| {
        tracing::error!(%sha256, %error, "cannot use a sidecar");
    };
    let file = match store.open_sidecar(sha256) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Err(false)),
        // That passes; without a sidecar all entries would be unverified for long.
        Err(error) if error.is_out_of_descriptors() => return Err(error),
        Err(error) => {
            log(&error);
            return Ok(Err(false));
        }
    };
    let opened = FileSource::new(file)
        .map_err(|error| SidecarError::Read(error.kind()))
        .and_then(|source| Sidecar::open_within(source, binding, policy));
    Ok(opened.map_err(|error| {
        match &error {
            // Good for its time: a flag was changed since.
            SidecarError::Outdated => tracing::info!(%sha256, %error, "makes a sidecar anew"),
            error => log(error),
        }
        error == SidecarError::Foreign
    }))
}

fn stored_at(source: &FileSource) -> SystemTime {
    let nanos = u64::try_from(source.modified_nanos()).unwrap_or(0);
    (UNIX_EPOCH + Duration::from_nanos(nanos)).min(SystemTime::now())
}

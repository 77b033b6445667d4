//! One archive of the store, open for reading.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use entryway::sidecar::{Binding, FindError, Sidecar};
use entryway::{Archive, Error, FileSource, Found, Limits, ReadAt, Standing};
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
    /// Whether the archive has been opened anew since.
    retired: AtomicBool,
}

enum Index {
    /// The sidecar belongs to the file as it is.
    Sidecar(Sidecar<FileSource>),
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
        limits: &Limits,
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
        let index = match open_sidecar(store, sha256, &binding) {
            Ok(sidecar) => Index::Sidecar(sidecar),
            Err(was_verified) => {
                let archive =
                    Archive::open_within(source.clone(), *limits).map_err(ServeError::Archive)?;
                Index::Directory { archive: Box::new(archive), was_verified }
            }
        };
        let metadata = RepresentationMetadata {
            complete_len: binding.len,
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
        Ok(Self { number, sha256: *sha256, source, index, download, retired })
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

    /// Says that what is known of this opening does not count any more.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether the archive is to be opened anew, since more is known of it now.
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
    pub(super) fn find(&self, path: &[u8]) -> Result<Option<Found>, ServeError> {
        let found = match &self.index {
            Index::Sidecar(sidecar) => {
                sidecar.find(&self.source, path).map_err(|error| match error {
                    FindError::Refused(refusal) => ServeError::Entry(refusal),
                    FindError::Archive(error) => ServeError::Archive(error),
                    // Damaged between opening and now: the next opening sees it.
                    FindError::Sidecar(error) => {
                        tracing::error!(sha256 = %self.sha256, %error, "cannot use a sidecar");
                        ServeError::Archive(Error::Changed)
                    }
                })?
            }
            Index::Directory { archive, .. } => archive.find(path).map_err(ServeError::Entry)?,
        };
        match found {
            Some(Found { standing: Standing::Bad(refusal), entry, .. }) if !entry.is_directory => {
                Err(ServeError::Entry(refusal))
            }
            found => Ok(found.filter(|found| !found.entry.is_directory)),
        }
    }
}

/// Opens the sidecar; the error says whether there is one that belonged to this archive once.
fn open_sidecar(
    store: &Store,
    sha256: &Sha256Digest,
    binding: &Binding,
) -> Result<Sidecar<FileSource>, bool> {
    let file = match store.open_sidecar(sha256) {
        Ok(Some(file)) => file,
        Ok(None) => return Err(false),
        Err(error) => {
            tracing::error!(%sha256, %error, "cannot open a sidecar");
            return Err(false);
        }
    };
    FileSource::new(file)
        .map_err(|error| entryway::sidecar::SidecarError::Read(error.kind()))
        .and_then(|source| Sidecar::open(source, binding))
        .map_err(|error| {
            tracing::error!(%sha256, %error, "cannot use a sidecar");
            error == entryway::sidecar::SidecarError::Foreign
        })
}

fn stored_at(source: &FileSource) -> SystemTime {
    let nanos = u64::try_from(source.modified_nanos()).unwrap_or(0);
    (UNIX_EPOCH + Duration::from_nanos(nanos)).min(SystemTime::now())
}

//! What is done with a received archive: it is looked at, then it gets its name in the store.
//!
//! Both read or sync a file, and are for threads that may block. No entry is decoded here: the
//! archive has no sidecar until it is verified in the background, and is read by its directory.

use entryway::{Archive, Directory, FileSource, Limits};

use super::UploadError;
use crate::store::{Operation, Published, Staged, StoreError};
use crate::verification;

/// Opens a staged archive within limits.
///
/// # Errors
/// [`UploadError::Archive`] where it is refused or none, [`UploadError::Store`] where it cannot be
/// read back.
pub fn inspect(staged: &Staged, limits: &Limits) -> Result<Directory, UploadError> {
    let source = staged
        .file()
        .try_clone()
        .and_then(FileSource::new)
        .map_err(|error| staged.read_error(&error))?;
    let archive = Archive::open_within(source, *limits).map_err(UploadError::Archive)?;
    Ok(archive.into_directory())
}

/// Makes a staged file durable and gives it its name in the store; the value is to be kept until
/// the catalog has committed a row for it.
///
/// Where the store has the content already, the file that it has is read: what was acknowledged
/// must be there, and a damaged file is not the one that was uploaded.
///
/// # Errors
/// [`UploadError::Store`]; [`StoreError::Damaged`] where the store has another content under the
/// name.
pub fn publish(staged: Staged) -> Result<Published, UploadError> {
    let published = staged.publish()?;
    if published.already_there {
        let stored = FileSource::open(&published.path)
            .map_err(|error| StoreError::io(Operation::Open, &published.path, &error))?;
        let sha256 = verification::digest(&stored)
            .map_err(|error| StoreError::io(Operation::Read, &published.path, &error))?;
        if sha256 != published.sha256 {
            let (path, len) = (published.path.clone(), published.len);
            return Err(StoreError::Damaged { path, expected_len: len, found_len: len }.into());
        }
    }
    Ok(published)
}

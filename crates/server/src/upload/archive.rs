//! What is done with a received archive: it is looked at, then it gets its name in the store.
//!
//! Both read or sync a file, and are for threads that may block. No entry is decoded here: the
//! archive has no sidecar until it is verified in the background, and is read by its directory.

use entryway::{Archive, Directory, FileSource, Policy, Profile};

use super::UploadError;
use crate::store::{Published, Sha256Digest, Staged, StoreError};
use crate::verification::{self, Unfit};

/// Opens a staged archive as a policy has it read, and holds it to a profile.
///
/// # Errors
/// [`UploadError::Archive`] where it is refused or none, [`UploadError::Store`] where it cannot be
/// read back.
pub fn inspect(
    staged: &Staged,
    policy: &Policy,
    profile: Profile,
) -> Result<Directory, UploadError> {
    let source = staged
        .file()
        .try_clone()
        .and_then(FileSource::new)
        .map_err(|error| staged.read_error(&error))?;
    let archive =
        Archive::open_within(source, *policy).map_err(Unfit::from).map_err(UploadError::Archive)?;
    verification::hold_to(&archive, profile).map_err(UploadError::Archive)?;
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
    let sha256 = *staged.sha256();
    // Read before others have to wait for this publication.
    let is_known_good = match staged.existing()? {
        Some(file) => is_whole(FileSource::new(file), &sha256),
        None => false,
    };
    let published = staged.publish()?;
    if published.already_there
        && !is_known_good
        && !is_whole(FileSource::open(&published.path), &sha256)
    {
        let (path, len) = (published.path.clone(), published.len);
        return Err(StoreError::Damaged { path, expected_len: len, found_len: len }.into());
    }
    Ok(published)
}

/// Whether a file can be read and has the content of its name.
fn is_whole(stored: std::io::Result<FileSource>, sha256: &Sha256Digest) -> bool {
    stored.and_then(|stored| verification::digest(&stored)).is_ok_and(|found| found == *sha256)
}

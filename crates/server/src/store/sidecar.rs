use std::io::Write;

use super::receive::seal;
use super::recover::remove;
use super::temp::Temp;
use super::{Operation, Sha256Digest, Store, StoreError, make_folder, sync_folder};

impl Store {
    /// Writes the sidecar of an archive, in place of an older one; a reader sees the old or the
    /// new, never a part. Call it after the blob's publication and before the catalog's commit.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the older sidecar, if there was one, is then still there.
    pub fn publish_sidecar(&self, sha256: &Sha256Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let folder = self.temp_dir();
        let temp = Temp::create_named(&folder)?;
        temp.file()
            .write_all(bytes)
            .map_err(|error| StoreError::io(Operation::Write, &folder, &error))?;
        let path = self.sidecar_path(sha256);
        seal(temp.file(), &path)?;
        make_folder(&self.blob_dir(sha256))?;
        sync_folder(&self.blobs_dir())?;
        temp.rename_over(&path)?;
        sync_folder(&self.blob_dir(sha256))
    }

    /// Removes the sidecar of an archive, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn remove_sidecar(&self, sha256: &Sha256Digest) -> Result<(), StoreError> {
        remove(&self.sidecar_path(sha256))
    }
}

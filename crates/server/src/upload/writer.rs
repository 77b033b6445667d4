//! From chunks of a body to a file of the store, without a thread that waits for the client.

use tokio::task::JoinHandle;

use super::UploadError;
use crate::store::{Incoming, Staged, Store, StoreError};

/// Bytes that are hashed and written at a time. Handing them to another thread costs tens of
/// microseconds, hashing and writing them some hundred.
const BATCH_LEN: usize = 256 * 1024;

/// What a blocking thread gives back: the file, and a batch that is free again.
type Written = Result<(Incoming, Vec<u8>), StoreError>;

/// Writes a file on blocking threads, one batch at a time: while one is written, the next one is
/// received. Dropped, it leaves nothing, at the latest when the batch in hand is written.
///
/// A thread of its own for each upload would be simpler. But a runtime has few of them, and an
/// upload may take hours: slow clients could hold all, and nothing would be read from a disk.
pub(super) struct Writer {
    /// The file, where no thread has it.
    idle: Option<(Incoming, Vec<u8>)>,
    /// The thread that has it else.
    working: Option<JoinHandle<Written>>,
    batch: Vec<u8>,
}

impl Writer {
    /// Begins a file, with room reserved.
    pub(super) async fn open(store: &Store, room: Option<u64>) -> Result<Self, UploadError> {
        let store = store.clone();
        let open = move || Ok((store.incoming_with_room(room)?, Vec::with_capacity(BATCH_LEN)));
        let working = Some(tokio::task::spawn_blocking(open));
        let mut writer = Self { idle: None, working, batch: Vec::with_capacity(BATCH_LEN) };
        let opened = writer.settle().await?;
        writer.idle = Some(opened);
        Ok(writer)
    }

    /// Appends bytes; a failure may show only with later ones, or at the end.
    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), UploadError> {
        while !bytes.is_empty() {
            let room = BATCH_LEN - self.batch.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.batch.extend_from_slice(now);
            bytes = later;
            if self.batch.len() == BATCH_LEN {
                let (mut incoming, free) = self.settle().await?;
                let full = std::mem::replace(&mut self.batch, free);
                self.working = Some(tokio::task::spawn_blocking(move || {
                    incoming.write(&full)?;
                    let mut free = full;
                    free.clear();
                    Ok((incoming, free))
                }));
            }
        }
        Ok(())
    }

    /// Ends the file.
    pub(super) async fn finish(mut self) -> Result<Staged, UploadError> {
        let (mut incoming, _) = self.settle().await?;
        let rest = self.batch;
        let finish = move || {
            incoming.write(&rest)?;
            incoming.finish()
        };
        let finished = tokio::task::spawn_blocking(finish).await;
        Ok(finished.map_err(|_| UploadError::Stopping)??)
    }

    /// Waits for the thread that has the file, and takes it back.
    async fn settle(&mut self) -> Result<(Incoming, Vec<u8>), UploadError> {
        if let Some(idle) = self.idle.take() {
            return Ok(idle);
        }
        let working = self.working.as_mut().ok_or(UploadError::Stopping)?;
        let written = working.await;
        self.working = None;
        Ok(written.map_err(|_| UploadError::Stopping)??)
    }
}

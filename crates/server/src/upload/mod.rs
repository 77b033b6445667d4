//! The receiving half of an upload: from the body of a request to an archive that is published.
//!
//! ```text
//! body -> pace -> multipart -> form fields
//!                           -> file -> batches -> blocking threads: hash, write
//! staged file -> archive::inspect -> archive::publish
//! ```
//!
//! What is received is never whole in memory: at most one frame of the body, two batches of the
//! file and the form's small fields are, however long the file is. No thread waits for a client: a
//! blocking thread is taken for one batch at a time.
//!
//! Who may upload, and to which job, is decided elsewhere; so is what the catalog records.

pub mod archive;
mod drain;
mod error;
mod expire_in;
mod form;
mod kind;
mod pace;
mod receive;
#[cfg(test)]
mod tests;
mod writer;

use std::time::Duration;

pub use self::drain::{BodyError, DrainBounds, RequestBody};
pub use self::error::{FormRule, UploadError};
pub use self::expire_in::{BadPhrase, ExpireIn};
pub use self::form::Form;
pub use self::kind::{BadKind, FileFormat, FileType, Kind};
pub use self::pace::Pace;
pub use self::receive::{Received, expect_no_coding, receive};

/// How long an upload may be, and how slow.
#[derive(Clone, Copy, Debug)]
pub struct UploadBounds {
    /// Bytes of the file, at most; `None` is no bound but the disk's.
    pub max_len: Option<u64>,
    /// For how long no byte may come while the server waits for one.
    pub idle: Duration,
    /// Bytes that must come for each second of a period.
    pub least_rate: u64,
    /// The time, of waiting for the client, over which [`UploadBounds::least_rate`] counts.
    pub period: Duration,
}

impl Default for UploadBounds {
    fn default() -> Self {
        Self {
            max_len: None,
            idle: Duration::from_secs(30),
            least_rate: 1_024,
            period: Duration::from_secs(60),
        }
    }
}

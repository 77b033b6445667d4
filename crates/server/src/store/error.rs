use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::shown::shown_path;

/// What the store was doing when the system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making a folder.
    MakeFolder,
    /// Making a temporary file.
    MakeTemp,
    /// Reserving room for the declared size.
    Allocate,
    /// Writing a temporary file.
    Write,
    /// Giving back room that was reserved and not needed.
    Truncate,
    /// Setting the mode of a file that is complete.
    Seal,
    /// Syncing a file; final, the file is given up.
    SyncFile,
    /// Syncing a folder; final as well.
    SyncFolder,
    /// Giving a file its name.
    Publish,
    /// Opening a stored file.
    Open,
    /// Reading a file.
    Read,
    /// Reading a file's length and kind.
    Stat,
    /// Listing a folder.
    List,
    /// Moving a file into or out of the quarantine.
    Move,
    /// Removing a file.
    Remove,
    /// Taking a lock.
    Lock,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MakeFolder => "make the folder",
            Self::MakeTemp => "make a temporary file in",
            Self::Allocate => "reserve room in",
            Self::Write => "write to a temporary file in",
            Self::Truncate => "give back room of a temporary file in",
            Self::Seal => "seal the new file",
            Self::SyncFile => "sync the new file",
            Self::SyncFolder => "sync the folder",
            Self::Publish => "name the new file",
            Self::Open => "open",
            Self::Read => "read",
            Self::Stat => "examine",
            Self::List => "list",
            Self::Move => "move",
            Self::Remove => "remove",
            Self::Lock => "lock",
        })
    }
}

/// Why the store could not do what was asked. Nothing that failed is visible to a reader.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The system refused an operation of the store's own.
    #[error("cannot {operation} {}: {errno}", shown_path(path))]
    Io {
        /// What was being done.
        operation: Operation,
        /// To which file or folder.
        path: PathBuf,
        /// The system's reason.
        errno: Errno,
    },
    /// The source of the bytes failed; the store is not to blame.
    #[error("cannot read the archive after {received_len} bytes: {kind}")]
    Source {
        /// The kind of failure that the reader gave.
        kind: io::ErrorKind,
        /// Bytes received before it.
        received_len: u64,
    },
    /// The source gave more or fewer bytes than declared: it changed while it was read, or the
    /// declaration was wrong.
    #[error("the archive was declared with {declared_size} bytes but gave {received_len}")]
    Length {
        /// Bytes announced before the first was read.
        declared_size: u64,
        /// Bytes received; one past the declared size or more means "at least".
        received_len: u64,
    },
    /// A file in the store has the digest's name and cannot have its content.
    #[error("{} has {found_len} bytes and should have {expected_len}", shown_path(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Length of the content that the name stands for.
        expected_len: u64,
        /// Length found.
        found_len: u64,
    },
    /// Another server has the folder.
    #[error("{} is held by another server{}", shown_path(path), Holder(*holder))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Process id of the holder, where the file tells it.
        holder: Option<u32>,
    },
}

struct Holder(Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, " (process {pid})"),
            None => Ok(()),
        }
    }
}

impl StoreError {
    /// The disk, the quota or the permitted file size is exhausted; reads go on.
    pub fn is_no_space(&self) -> bool {
        self.has_errno(&[Errno::NOSPC, Errno::DQUOT, Errno::FBIG])
    }

    /// The process or the system has no file descriptor left; the same request may work later.
    pub fn is_out_of_descriptors(&self) -> bool {
        self.has_errno(&[Errno::MFILE, Errno::NFILE])
    }

    /// A stable name for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Io { .. } if self.is_no_space() => "store_no_space",
            Self::Io { .. } if self.is_out_of_descriptors() => "store_no_descriptors",
            Self::Io { .. } => "store_io",
            Self::Source { .. } => "source_failed",
            Self::Length { .. } => "source_length",
            Self::Damaged { .. } => "store_damaged",
            Self::Locked { .. } => "store_locked",
        }
    }

    fn has_errno(&self, wanted: &[Errno]) -> bool {
        matches!(self, Self::Io { errno, .. } if wanted.contains(errno))
    }

    pub(super) fn errno(operation: Operation, path: &Path, errno: Errno) -> Self {
        Self::Io { operation, path: path.to_owned(), errno }
    }

    /// An error of `std::fs`, which always carries the system's number; `EIO` where it does not.
    pub(crate) fn io(operation: Operation, path: &Path, error: &io::Error) -> Self {
        Self::errno(operation, path, Errno::from_io_error(error).unwrap_or(Errno::IO))
    }
}

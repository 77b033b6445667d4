//! A part of an archive as an archive of its own: the compressed data as it lies there, between
//! headers written anew.
//!
//! ```text
//!   patterns --select--> indexes --plan--> Subset --segments(range)--> headers | extents of the
//!                                                                      archive
//! ```
//!
//! Nothing is decoded. A [`Subset`] knows its exact length and any byte of it before one is sent,
//! and holds none of the data: the new central directory and 24 bytes for each entry. Its bytes
//! depend on the archive and on the selected names alone, so that the two are a strong validator.
//!
//! # What it holds
//! The selected entries, sorted by the bytes of their raw names, directories and symbolic links as
//! they are. Kept of each: raw name, method, DOS time, CRC-32, version made by, attributes,
//! comment, and the extra fields that [`write`] names. Sizes stand in the headers, with a zip64
//! extra field where they need one, and no data descriptor follows. There is no archive comment and
//! nothing in front.
//!
//! # What it refuses
//! An entry that would not be served by itself refuses the whole, with its name. One that nobody
//! has verified is held to its local header and data descriptor, as far as that goes without
//! decoding it.
//!
//! [`write`]: self::write

mod locate_data;
mod plan;
mod segments;
mod select;
mod write;

use std::fmt;

use bytes::Bytes;

pub use self::plan::Subset;
pub use self::segments::{SubsetSegment, SubsetSegments};
use crate::error::{Error, Refusal};
use crate::sidecar::{FindError, SidecarError};
use crate::sorted::IndexError;

/// Why there is no subset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubsetError {
    /// A pattern selects nothing.
    Nothing {
        /// Its place among the patterns, from 0 on.
        pattern: usize,
    },
    /// A pattern with glob characters that names no entry is no glob.
    Malformed {
        /// Its place among the patterns, from 0 on.
        pattern: usize,
        /// What is wrong with it.
        kind: globset::ErrorKind,
    },
    /// The globs are too long for the number of entries that they could match.
    TooCostly,
    /// A selected entry is not served.
    Refused {
        /// Its raw name; the pattern, where several entries answer to that.
        raw_name: Bytes,
        /// Why.
        refusal: Refusal,
    },
    /// The sidecar cannot be used; the archive's own directory can.
    Sidecar(SidecarError),
    /// The archive cannot be read.
    Archive(Error),
}

impl fmt::Display for SubsetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing { pattern } => write!(f, "pattern {pattern} selects no entry"),
            Self::Malformed { pattern, kind } => write!(f, "pattern {pattern}: {kind}"),
            Self::TooCostly => f.write_str("the patterns are too long for so many entries"),
            Self::Refused { raw_name, refusal } => {
                write!(f, "{}: {refusal}", raw_name.escape_ascii())
            }
            Self::Sidecar(error) => error.fmt(f),
            Self::Archive(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SubsetError {}

impl From<IndexError> for SubsetError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Sidecar(error) => Self::Sidecar(error),
            IndexError::Archive(error) => Self::Archive(error),
        }
    }
}

impl SubsetError {
    /// Of a lookup by `name`.
    fn of_lookup(error: FindError, name: &[u8]) -> Self {
        match error {
            FindError::Refused(refusal) => {
                Self::Refused { raw_name: Bytes::copy_from_slice(name), refusal }
            }
            FindError::Sidecar(error) => Self::Sidecar(error),
            FindError::Archive(error) => Self::Archive(error),
        }
    }
}

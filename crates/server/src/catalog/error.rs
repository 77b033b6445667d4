use super::{PipelineId, Visibility};
use crate::shown::shown_path;
use crate::store::Operation;
use rustix::io::Errno;
use std::path::PathBuf;

/// SQLite's primary result codes (the low byte of the extended ones).
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_FULL: i32 = 13;

/// Why the catalog could not do what was asked. A write that failed has stored nothing.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The catalog's file cannot be made or opened.
    #[error("cannot {operation} {}: {errno}", shown_path(path))]
    Io {
        /// What was being done.
        operation: Operation,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        errno: Errno,
    },
    /// The database failed.
    #[error("the catalog cannot {operation}: {source}")]
    Database {
        /// What was being done, as a phrase after "cannot".
        operation: &'static str,
        /// The database's reason.
        source: sqlx::Error,
    },
    /// The catalog was written by a later version of the program.
    #[error(
        "the catalog has schema {found} and this program knows schemas up to {known}: \
         it was written by a later version"
    )]
    NewerSchema {
        /// Version in the file.
        found: i64,
        /// Latest version that this program knows.
        known: i64,
    },
    /// A column holds what this program never writes.
    #[error("the catalog's column {column} holds a value that is not known")]
    Corrupt {
        /// The column's name.
        column: &'static str,
    },
    /// The project exists with another visibility.
    #[error("the project is {existing}, not {asked}; a push does not change its visibility")]
    VisibilityConflict {
        /// What it is.
        existing: Visibility,
        /// What was asked for.
        asked: Visibility,
    },
    /// The pipeline belongs to another project.
    #[error("pipeline {pipeline} belongs to another project")]
    PipelineConflict {
        /// The pipeline.
        pipeline: PipelineId,
    },
    /// The pipeline exists and is one of another ref.
    #[error("pipeline {pipeline} is one of another ref")]
    RefConflict {
        /// The pipeline.
        pipeline: PipelineId,
    },
    /// An id is not between 1 and [`super::MAX_ID`].
    #[error("id {id} is not between 1 and {}", super::MAX_ID)]
    IdOutOfRange {
        /// The id.
        id: i64,
    },
    /// Every id up to [`super::MAX_ID`] is behind the last one given out.
    #[error("no id is left to give out")]
    IdsExhausted,
    /// A name is empty, too long, or holds a control character.
    #[error("a {what} has 1 to {max_len} bytes and no control characters")]
    BadName {
        /// Which name.
        what: &'static str,
        /// Limit in bytes.
        max_len: usize,
    },
}

impl CatalogError {
    /// The disk is full; reads go on.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::Database { source, .. } => sqlite_code(source) == Some(SQLITE_FULL),
            Self::Io { errno, .. } => matches!(*errno, Errno::NOSPC | Errno::DQUOT),
            _ => false,
        }
    }

    /// The database was busy for longer than the program waits; the same request may work later.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Database { source: sqlx::Error::PoolTimedOut, .. } => true,
            Self::Database { source, .. } => {
                matches!(sqlite_code(source), Some(SQLITE_BUSY | SQLITE_LOCKED))
            }
            _ => false,
        }
    }

    /// The one who asked can put it right: a conflict with what is stored, or a bad value.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::VisibilityConflict { .. }
            | Self::PipelineConflict { .. }
            | Self::RefConflict { .. }
            | Self::IdOutOfRange { .. }
            | Self::BadName { .. } => true,
            Self::Io { .. }
            | Self::Database { .. }
            | Self::NewerSchema { .. }
            | Self::Corrupt { .. }
            | Self::IdsExhausted => false,
        }
    }

    /// A stable name for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Io { .. } | Self::Database { .. } if self.is_no_space() => "catalog_no_space",
            Self::Io { .. } => "catalog_io",
            Self::Database { .. } if self.is_busy() => "catalog_busy",
            Self::Database { .. } => "catalog_database",
            Self::NewerSchema { .. } => "catalog_newer_schema",
            Self::Corrupt { .. } => "catalog_corrupt",
            Self::VisibilityConflict { .. } => "visibility_conflict",
            Self::PipelineConflict { .. } => "pipeline_conflict",
            Self::RefConflict { .. } => "ref_conflict",
            Self::IdOutOfRange { .. } => "id_out_of_range",
            Self::IdsExhausted => "ids_exhausted",
            Self::BadName { .. } => "bad_name",
        }
    }
}

fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

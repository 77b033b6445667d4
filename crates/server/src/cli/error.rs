//! What a command can come to, and its exit code.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use entryway::{Error, Refusal};

use super::push::RemoteError;
use crate::catalog::CatalogError;
use crate::credential::NoRandomness;
use crate::ingest::IngestError;
use crate::shown::shown_path;
use crate::store::{RecoverError, StoreError};
use crate::verification::{Unfit, labelled};

/// Something was refused or is bad.
pub(super) const REFUSED: u8 = 1;
/// The command cannot be carried out as it was asked for.
const USAGE: u8 = 2;
const NO_SUCH_ENTRY: u8 = 3;
const NOT_AN_ARCHIVE: u8 = 4;
const CANNOT_SERVE: u8 = 5;

/// Why a command failed. Names of entries are as [`quoted`](crate::shown::quoted) gives them.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error("cannot open {}: {error}", shown_path(path))]
    Open { path: PathBuf, error: io::Error },
    #[error("{}: {}", shown_path(path), error.labelled())]
    Archive { path: PathBuf, error: Unfit },
    #[error("{}: no entry named {name}", shown_path(path))]
    NoSuchEntry { path: PathBuf, name: String },
    #[error("{}: {name} is a directory", shown_path(path))]
    IsDirectory { path: PathBuf, name: String },
    #[error("{}: cannot serve {name}: {}", shown_path(path), labelled(refusal))]
    Entry { path: PathBuf, name: String, refusal: Refusal },
    #[error("{}: {name} has {len} bytes: the range {range} lies outside", shown_path(path))]
    Range { path: PathBuf, name: String, len: u64, range: String },
    #[error("{0}")]
    Usage(String),
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    #[error("cannot listen on {address}: {error}")]
    Listen { address: std::net::SocketAddr, error: io::Error },
    #[error("cannot start: {0}")]
    Start(io::Error),
    #[error("cannot make {what}: {error}")]
    Make { what: String, error: io::Error },
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl CliError {
    pub(super) fn archive(path: &Path, error: impl Into<Unfit>) -> Self {
        Self::Archive { path: path.to_owned(), error: error.into() }
    }

    /// What to do about it, where an archive or an entry is refused: here, or by the server that
    /// it was handed to.
    pub(super) fn advice(&self) -> Option<String> {
        match self {
            Self::Archive { error, .. } | Self::Ingest(IngestError::Archive { error, .. }) => {
                match &error.error {
                    Error::Archive(refusal) | Error::Entry(refusal) => {
                        Some(refusal.rule.advice().to_owned())
                    }
                    Error::Read { .. } | Error::ShortRead { .. } | Error::Changed => None,
                }
            }
            Self::Entry { refusal, .. } => Some(refusal.rule.advice().to_owned()),
            Self::Remote(error) => error.advice().map(str::to_owned),
            Self::Open { .. }
            | Self::NoSuchEntry { .. }
            | Self::IsDirectory { .. }
            | Self::Range { .. }
            | Self::Usage(_)
            | Self::Output(_)
            | Self::Listen { .. }
            | Self::Start(_)
            | Self::Make { .. }
            | Self::Ingest(
                IngestError::Open { .. }
                | IngestError::Damaged { .. }
                | IngestError::Store(_)
                | IngestError::Catalog(_),
            )
            | Self::Store(_)
            | Self::Catalog(_)
            | Self::Recover(_)
            | Self::Randomness(_) => None,
        }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        let code = match self {
            Self::Archive { error, .. } | Self::Ingest(IngestError::Archive { error, .. }) => {
                archive_code(&error.error)
            }
            Self::Open { error, .. } | Self::Ingest(IngestError::Open { error, .. }) => {
                open_code(error)
            }
            Self::NoSuchEntry { .. } | Self::IsDirectory { .. } => NO_SUCH_ENTRY,
            Self::Entry { .. } => CANNOT_SERVE,
            Self::Usage(_) | Self::Range { .. } => USAGE,
            Self::Catalog(error) | Self::Ingest(IngestError::Catalog(error)) => {
                if error.is_conflict() { USAGE } else { REFUSED }
            }
            Self::Remote(error) => {
                if error.is_conflict() {
                    USAGE
                } else {
                    REFUSED
                }
            }
            Self::Output(_)
            | Self::Listen { .. }
            | Self::Start(_)
            | Self::Make { .. }
            | Self::Ingest(IngestError::Damaged { .. } | IngestError::Store(_))
            | Self::Store(_)
            | Self::Recover(_)
            | Self::Randomness(_) => REFUSED,
        };
        ExitCode::from(code)
    }
}

fn archive_code(error: &Error) -> u8 {
    match error {
        error if error.is_not_an_archive() => NOT_AN_ARCHIVE,
        Error::Entry(_) => CANNOT_SERVE,
        Error::Archive(_) | Error::Read { .. } | Error::ShortRead { .. } | Error::Changed => {
            REFUSED
        }
    }
}

/// A path that leads to no file is a mistake in the arguments; what is no file is no archive.
fn open_code(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => USAGE,
        io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => NOT_AN_ARCHIVE,
        _ => REFUSED,
    }
}

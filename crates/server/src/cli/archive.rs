//! A local archive as the commands on files open it.

use std::path::{Path, PathBuf};

use clap::Args;
use entryway::{Archive, FileSource, Policy};

use super::error::CliError;
use super::policy::PolicyArguments;

/// The archive that a command reads.
#[derive(Clone, Debug, Args)]
pub(super) struct ArchiveArgument {
    /// The zip archive
    #[arg(value_name = "ARCHIVE")]
    pub(super) path: PathBuf,
    #[command(flatten)]
    policy: PolicyArguments,
}

impl ArchiveArgument {
    pub(super) fn open(&self) -> Result<Archive<FileSource>, CliError> {
        Archive::open_within(self.source()?, self.policy())
            .map_err(|error| CliError::archive(&self.path, error))
    }

    /// The file, of which nothing has been read yet.
    pub(super) fn source(&self) -> Result<FileSource, CliError> {
        FileSource::open(&self.path)
            .map_err(|error| CliError::Open { path: self.path.clone(), error })
    }

    pub(super) fn policy(&self) -> Policy {
        self.policy.policy()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

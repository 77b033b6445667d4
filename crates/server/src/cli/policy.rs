//! The flags that say how archives are read.

use clap::{Args, ValueEnum};
use entryway::{Duplicates, Limits, Policy};

use super::limits::LimitArguments;

/// What archives are held to.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct PolicyArguments {
    /// What becomes of entries of one name
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    duplicates: ServedDuplicate,
    #[command(flatten)]
    pub(super) limits: LimitArguments,
}

/// Which of several entries of one name is served.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ServedDuplicate {
    /// None: which one is meant is anybody's guess
    #[default]
    Refuse,
    /// The first that the archive lists, as GitLab does; most tools that unpack keep the last
    First,
}

impl PolicyArguments {
    pub(super) fn limits(self) -> Limits {
        self.limits.limits()
    }

    pub(super) fn policy(self) -> Policy {
        let duplicates = match self.duplicates {
            ServedDuplicate::Refuse => Duplicates::Refuse,
            ServedDuplicate::First => Duplicates::First,
        };
        Policy { limits: self.limits(), duplicates }
    }
}

//! The flag that says what an archive is held to.

use clap::{Args, ValueEnum};
use entryway::Profile;

/// What an archive is held to.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ProfileArgument {
    /// What an archive is held to before it is accepted
    #[arg(long = "profile", value_name = "PROFILE", value_enum, default_value_t)]
    name: ProfileName,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ProfileName {
    /// What is read is read in one way: an ambiguous archive is refused, an ambiguous entry alone
    #[default]
    Serve,
    /// Also, every byte belongs to exactly one record, and no name means two files on any system
    Strict,
}

impl ProfileArgument {
    pub(super) fn profile(self) -> Profile {
        match self.name {
            ProfileName::Serve => Profile::Serve,
            ProfileName::Strict => Profile::Strict,
        }
    }
}

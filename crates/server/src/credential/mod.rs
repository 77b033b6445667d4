//! Who asks, and what they may: token texts and digests, roles, scopes, and the decision.
//!
//! A token's text exists in the caller's request and on the screen where it was made, nowhere
//! else; the catalog keeps and finds its SHA-256 digest. Everything here is a pure function.

mod access;
mod secret;

use std::fmt;
use std::str::FromStr;

use crate::catalog::{UnknownWord, words};

pub use access::{Access, Caller, artifacts_access, change_access, ingest_access, read_access};
pub use secret::{NoRandomness, TokenDigest, TokenSecret, without_tokens};

words! {
    /// What a token's owner is on the projects of its prefix; a later one may all that an
    /// earlier one may.
    pub enum Role {
        /// Sees the project, and its pipelines where these are public to members.
        Guest = "guest",
        /// Reads pipelines and artifacts.
        Reporter = "reporter",
        /// Keeps artifacts.
        Developer = "developer",
        /// Deletes artifacts and hands in from other systems.
        Maintainer = "maintainer",
        /// May all.
        Owner = "owner",
    }
}

words! {
    /// What a token may be used for.
    pub enum Scope {
        /// The whole API.
        Api = "api",
        /// GET and HEAD.
        ReadApi = "read_api",
        /// Handing in projects, pipelines, jobs and archives.
        Ingest = "ingest",
    }
}

/// A set of scopes, written as words with a space between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether a scope is in the set.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// Whether GET and HEAD are allowed.
    pub fn may_read(self) -> bool {
        self.contains(Scope::Api) || self.contains(Scope::ReadApi)
    }
}

fn bit(scope: Scope) -> u8 {
    1 << scope as u8
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | bit(scope)))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for scope in [Scope::Api, Scope::ReadApi, Scope::Ingest] {
            if self.contains(scope) {
                write!(f, "{separator}{scope}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered() {
        let roles = [Role::Guest, Role::Reporter, Role::Developer, Role::Maintainer, Role::Owner];
        assert!(roles.is_sorted_by(|a, b| a < b));
        assert_eq!(roles.map(Role::as_str), Role::WORDS);
        for role in roles {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        let error = "Guest".parse::<Role>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected one of guest, reporter, developer, maintainer, owner"
        );
    }

    #[test]
    fn scopes_are_a_set_of_words() {
        use Scope::{Api, Ingest, ReadApi};
        let table: [(&str, &[Scope], &str, bool); 5] = [
            ("none", &[], "", false),
            ("one", &[ReadApi], "read_api", true),
            ("two, in the order of the words", &[Ingest, Api], "api ingest", true),
            ("the same twice", &[Api, Api], "api", true),
            ("only what cannot read", &[Ingest], "ingest", false),
        ];
        for (name, scopes, text, may_read) in table {
            let set: Scopes = scopes.iter().copied().collect();
            assert_eq!(set.to_string(), text, "{name}");
            assert_eq!(text.parse(), Ok(set), "{name}");
            assert_eq!(set.may_read(), may_read, "{name}");
            for scope in [Api, ReadApi, Ingest] {
                assert_eq!(set.contains(scope), scopes.contains(&scope), "{name}");
            }
        }
        assert!("api sudo".parse::<Scopes>().is_err());
    }
}

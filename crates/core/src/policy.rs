//! What an archive does not decide by itself: bounds, and the choice among entries of one name.

use crate::limits::Limits;

/// How whoever reads an archive wants it read, where the reading rules leave that open.
///
/// [`Limits`] alone are a policy too, with the default for the rest.
///
/// ```
/// # use entryway_testkit::builder::{Archive as Zip, Entry};
/// # let zip = Zip::new().entry(Entry::stored("a", "first")).entry(Entry::stored("a", "second"));
/// # let bytes = bytes::Bytes::from(zip.build());
/// use entryway::{Archive, Duplicates, Policy, Standing};
///
/// let archive = Archive::open(bytes.clone())?;
/// assert!(matches!(archive.find(b"a")?.unwrap().standing, Standing::Bad(_)));
///
/// let policy = Policy { duplicates: Duplicates::First, ..Policy::default() };
/// let archive = Archive::open_within(bytes, policy)?;
/// let found = archive.find(b"a")?.unwrap();
/// assert_eq!(archive.read(&found)?.next_chunk()?.as_deref(), Some(&b"first"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// How much the archive may ask for.
    pub limits: Limits,
    /// What becomes of entries of one raw name.
    pub duplicates: Duplicates,
}

/// What becomes of entries of one raw name: of files, or of a directory that once has content.
///
/// Readers disagree about them. Go's `archive/zip` lists all, and GitLab serves the first; Python's
/// `zipfile` reads the last, and so does whoever unpacks the archive and lets files be replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// Each of them is refused with [`Rule::Duplicate`](crate::Rule::Duplicate).
    #[default]
    Refuse,
    /// The first in the directory is judged as if it were alone; the others are still refused.
    First,
}

impl From<Limits> for Policy {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}

impl From<&Limits> for Policy {
    fn from(limits: &Limits) -> Self {
        Self::from(*limits)
    }
}

impl From<&Policy> for Policy {
    fn from(policy: &Policy) -> Self {
        *policy
    }
}

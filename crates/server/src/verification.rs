//! The verification of an archive when it is stored: every entry decoded once, the verdicts kept;
//! and of its file, whether it is still what was stored.

use std::fmt;
use std::io;

use entryway::sidecar::{self, Binding};
use entryway::{
    Archive, Directory, Duplicates, Error, FileSource, Profile, Progress, ReadAt, Refusal, Standing,
};

use sha2::{Digest, Sha256};

use crate::shown::shown_in_reason;
use crate::store::Sha256Digest;

/// Bytes hashed at a time.
const HASH_LEN: usize = 128 * 1024;

/// An archive of which every entry has been decoded.
#[derive(Debug)]
pub struct Verified {
    directory: Directory,
    standings: Vec<Standing>,
    duplicates: Duplicates,
}

/// Decodes all entries of an archive.
///
/// # Errors
/// What reading it came to; an entry that is refused is no error.
pub fn verify(
    archive: Archive<FileSource>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verified, Error> {
    let mut standings = Vec::with_capacity(archive.directory().len());
    archive.verify(progress, |_, standing| standings.push(standing))?;
    let duplicates = archive.policy().duplicates;
    Ok(Verified { directory: archive.into_directory(), standings, duplicates })
}

/// Why an archive is not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Why, or what reading it came to.
    pub error: Error,
    /// The entry that it is refused for, by its raw name as it can be shown, abridged where it is
    /// long; `None` where it is the archive itself.
    pub entry: Option<Box<str>>,
}

impl From<Error> for Unfit {
    fn from(error: Error) -> Self {
        Self { error, entry: None }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.behind_name(self.error.to_string()))
    }
}

impl Unfit {
    /// The same with the rule's label, for whoever is not told it apart from the words.
    #[must_use]
    pub fn labelled(&self) -> String {
        self.behind_name(match &self.error {
            Error::Archive(refusal) | Error::Entry(refusal) => labelled(refusal),
            error @ (Error::Read { .. } | Error::ShortRead { .. } | Error::Changed) => {
                error.to_string()
            }
        })
    }

    fn behind_name(&self, reason: String) -> String {
        match &self.entry {
            Some(name) => format!("{name}: {reason}"),
            None => reason,
        }
    }
}

/// A refusal with its rule's label in front of its words.
pub(crate) fn labelled(refusal: &Refusal) -> String {
    format!("{} ({refusal})", refusal.rule.label())
}

/// Holds an archive that was opened to what a profile asks beyond that; nothing of it is decoded.
///
/// For archives on their way in: what is stored stays what it was, whatever it was held to then.
///
/// # Errors
/// [`Error::Archive`] with the first rule that the archive or an entry of it breaks, else what
/// reading it came to.
pub fn hold_to<S: ReadAt>(archive: &Archive<S>, profile: Profile) -> Result<(), Unfit> {
    let mut first = None;
    match profile {
        Profile::Serve => {}
        Profile::Strict => archive.examine(|entry, refusal| {
            first.get_or_insert_with(|| Unfit {
                error: Error::Archive(refusal),
                entry: entry.map(|entry| {
                    let raw_name = archive.directory().raw_name(entry);
                    shown_in_reason(raw_name).into()
                }),
            });
        })?,
    }
    first.map_or(Ok(()), Err)
}

/// The digest of a file as it is now: whether it still is what its name says.
///
/// # Errors
/// What reading it came to.
pub fn digest(source: &FileSource) -> io::Result<Sha256Digest> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; HASH_LEN];
    let mut offset = 0;
    loop {
        match source.read_at(offset, &mut buffer)? {
            0 => return Ok(Sha256Digest(digest.finalize().into())),
            read_len => {
                digest.update(&buffer[..read_len]);
                offset += read_len as u64;
            }
        }
    }
}

impl Verified {
    /// The archive's directory.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The names of the entries with what is known of each, in the directory's order.
    pub fn entries(&self) -> impl Iterator<Item = (&[u8], &Standing)> {
        self.directory.entries().map(|entry| self.directory.raw_name(&entry)).zip(&self.standings)
    }

    /// The entries that are refused.
    pub fn refused(&self) -> impl Iterator<Item = (&[u8], &Refusal)> {
        self.entries().filter_map(|(name, standing)| match standing {
            Standing::Bad(refusal) => Some((name, refusal)),
            Standing::Good { .. } | Standing::Unverified => None,
        })
    }

    /// The sidecar for the archive, as it is in the store.
    #[must_use]
    pub fn sidecar(&self, sha256: &Sha256Digest, stored: &FileSource) -> Vec<u8> {
        let binding = Binding {
            sha256: sha256.0,
            len: ReadAt::len(stored),
            modified_nanos: stored.modified_nanos(),
        };
        sidecar::write(&self.directory, &binding, &self.standings, self.duplicates)
    }
}

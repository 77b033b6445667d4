//! One archive for each class of hostile or merely odd construction, and the right reading of it.
//!
//! A class is an archive built byte by byte, what is to become of it and of each of its entries,
//! and by which rule. Its letter says what is odd: A framing and end records, B zip64, C the local
//! header beside the directory, D data descriptors, E payload and its cost, F names and modes, G
//! extra fields. Most hold `a.txt`, which something is wrong with, and `b.txt`, which is to be
//! served whatever becomes of the first.
//!
//! Rules are named by their labels, since this crate knows nothing of the engine:
//!
//! ```
//! use entryway_testkit::classes::{self, Verdict};
//!
//! let cut = classes::all().into_iter().find(|class| class.id == "A01-truncated").unwrap();
//! assert_eq!(cut.verdict, Verdict::Refused("no_end_record"));
//! ```

mod descriptor;
mod extra_field;
mod framing;
mod local_header;
mod name;
mod payload;
mod zip64;

use crate::builder::{Archive, Entry};

/// One construction, and the reading of it that is right.
#[derive(Clone, Debug)]
pub struct Class {
    /// A letter and a number, and a few words.
    pub id: &'static str,
    /// What is special about the archive.
    pub description: &'static str,
    /// The archive.
    pub bytes: Vec<u8>,
    /// What is to become of it, in either profile.
    pub verdict: Verdict,
    /// Labels of the rules, each once and in order, by which the strict profile refuses what is
    /// served otherwise; none for an archive of which something is refused in either profile.
    pub strict: &'static [&'static str],
}

/// What is to become of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Refused as a whole, by the rule of this label.
    Refused(&'static str),
    /// Read: each entry in the order of the directory.
    Read(Vec<Expected>),
}

/// What is to become of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The raw name in the directory.
    pub name: Vec<u8>,
    /// What is served, or the label of the rule by which the entry is refused.
    pub content: Result<Vec<u8>, &'static str>,
}

/// How far an archive is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is refused.
    Nowhere,
    /// Some of its entries are refused, the others served.
    InPart,
    /// It is served whole, and refused where the profile is strict.
    UnlessStrict,
    /// It is served whole in either profile.
    Whole,
}

impl Class {
    /// How far the archive is taken.
    pub fn taken(&self) -> Taken {
        match &self.verdict {
            Verdict::Refused(_) => Taken::Nowhere,
            Verdict::Read(entries) if entries.iter().any(|entry| entry.content.is_err()) => {
                Taken::InPart
            }
            Verdict::Read(_) if self.strict.is_empty() => Taken::Whole,
            Verdict::Read(_) => Taken::UnlessStrict,
        }
    }

    /// The entries of an archive that is read; none of one that is refused.
    pub fn entries(&self) -> &[Expected] {
        match &self.verdict {
            Verdict::Refused(_) => &[],
            Verdict::Read(entries) => entries,
        }
    }
}

/// Every class, family by family.
pub fn all() -> Vec<Class> {
    [
        framing::classes(),
        zip64::classes(),
        local_header::classes(),
        descriptor::classes(),
        payload::classes(),
        name::classes(),
        extra_field::classes(),
    ]
    .concat()
}

/// A class to be: `class(..)` and then what is right.
struct Construction {
    id: &'static str,
    description: &'static str,
    bytes: Vec<u8>,
}

fn class(id: &'static str, description: &'static str, archive: impl Into<Vec<u8>>) -> Construction {
    Construction { id, description, bytes: archive.into() }
}

impl Construction {
    fn is(self, verdict: Verdict) -> Class {
        let Self { id, description, bytes } = self;
        Class { id, description, bytes, verdict, strict: &[] }
    }

    /// Nothing of it is read.
    fn refused(self, rule: &'static str) -> Class {
        self.is(Verdict::Refused(rule))
    }

    /// Each entry is served or refused.
    fn reads(self, entries: impl IntoIterator<Item = Expected>) -> Class {
        self.is(Verdict::Read(entries.into_iter().collect()))
    }

    /// `a.txt` and `b.txt` are served.
    fn serves_both(self) -> Class {
        self.reads([served("a.txt", "hello"), served_b()])
    }

    /// `a.txt` is refused and `b.txt` served.
    fn refuses_a(self, rule: &'static str) -> Class {
        self.refuses("a.txt", rule)
    }

    /// The first entry, of this name, is refused and `b.txt` served.
    fn refuses(self, name: impl AsRef<[u8]>, rule: &'static str) -> Class {
        self.reads([refused(name, rule), served_b()])
    }

    /// The first entry is served, and so is `b.txt`.
    fn serves(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Class {
        self.reads([served(name, content), served_b()])
    }
}

impl Class {
    /// The strict profile refuses it.
    fn strictly(self, rules: &'static [&'static str]) -> Self {
        Self { strict: rules, ..self }
    }
}

fn served(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Expected {
    Expected { name: name.as_ref().to_vec(), content: Ok(content.as_ref().to_vec()) }
}

fn refused(name: impl AsRef<[u8]>, rule: &'static str) -> Expected {
    Expected { name: name.as_ref().to_vec(), content: Err(rule) }
}

fn served_b() -> Expected {
    served("b.txt", "world")
}

/// An entry that says of itself what every entry of the classes says where nothing else is meant:
/// version 2.0 needed, made on Unix by version 3.0, at midnight, attributes of Unix alone.
fn plain(entry: Entry) -> Entry {
    Entry { modified: (entry.modified.0, 0), ..entry }
        .edit_local(|header| header.version_needed = 20)
        .edit_central(|header| {
            header.version_made_by = 3 << 8 | 30;
            header.version_needed = 20;
            header.external_attributes &= !0xffff;
        })
}

fn stored(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Entry {
    plain(Entry::stored(name, content))
}

fn deflated(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Entry {
    plain(Entry::deflated_at(9, name, content))
}

/// The entry with so many bytes of data declared in both headers.
fn sized(entry: Entry, size: u32) -> Entry {
    entry
        .edit_local(move |header| header.compressed_size = size)
        .edit_central(move |header| header.compressed_size = size)
}

/// `a.txt`, as it should be.
fn a() -> Entry {
    stored("a.txt", "hello")
}

/// `b.txt`, as it should be.
fn b() -> Entry {
    stored("b.txt", "world")
}

fn of(entries: impl IntoIterator<Item = Entry>) -> Archive {
    Archive::new().entries(entries)
}

/// An entry, and `b.txt` behind it.
fn beside_b(entry: Entry) -> Archive {
    of([entry, b()])
}

/// `a.txt` and `b.txt`, as they should be.
fn two() -> Archive {
    beside_b(a())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_an_id_of_its_own_and_stands_in_its_family() {
        let classes = all();
        assert_eq!(classes.len(), 186);
        for pair in classes.windows(2) {
            assert!(pair[0].id.as_bytes()[0] <= pair[1].id.as_bytes()[0], "{}", pair[1].id);
        }
        let ids: std::collections::BTreeSet<_> = classes.iter().map(|class| class.id).collect();
        assert_eq!(ids.len(), classes.len());
    }

    #[test]
    fn only_what_is_served_otherwise_is_refused_strictly() {
        for class in all() {
            let in_either = matches!(class.taken(), Taken::Nowhere | Taken::InPart);
            assert!(!in_either || class.strict.is_empty(), "{}", class.id);
            assert!(class.strict.is_sorted(), "{}", class.id);
        }
    }
}

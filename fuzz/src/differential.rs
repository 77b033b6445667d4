//! An archive read by three: the engine, the naive oracle of the testkit and the crate zip.
//!
//! 1. The oracle, which shares no code with the engine, refuses and serves the same entries, with
//!    the same content.
//! 2. What the engine and zip both serve of one central directory header is the same, byte for byte.
//!    Not of one name: zip's names are those of the Unicode path field, of which it keeps the last.
//! 3. What only one of them serves has a reason that is listed here.
//! 4. None of them panics.

use std::collections::HashMap;
use std::io::{self, Cursor, Read};

use bytes::Bytes;
use entryway::{Archive, Error, Refusal, Rule};
use entryway_testkit::oracle;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::reading::{LIMITS, read};
use crate::zip_model::Model;

/// Bytes of content that are taken from zip, which bounds them less than the engine does.
const CONTENT_LEN_MAX: u64 = 1 << 22;

/// Rules of the engine by which something is refused that zip serves, and why zip does.
///
/// What is not here both refuse: no end record, data that is cut or gives too much, a wrong CRC-32,
/// a local header that is not there, a method that is not built.
pub const ZIP_SERVES: &[(Rule, &str)] = &[
    (Rule::SecondEndRecord, "takes the last end record that leads to a directory"),
    (Rule::SignatureAfterEnd, "takes the last end record that leads to a directory"),
    (Rule::SeveralDisks, "does not look at the locator's count, nor at disks that are equal"),
    (Rule::CountsDisagree, "looks at one of the counts"),
    (Rule::Zip64NotAdjacent, "searches the zip64 record"),
    (Rule::Zip64Signature, "searches the zip64 record"),
    (Rule::Zip64RecordSize, "reads extensible data"),
    (Rule::Zip64Disagrees, "takes the zip64 record's word where there is one"),
    (Rule::DirectoryOutside, "does not look at the directory's size"),
    (Rule::DirectoryRecord, "does not look at the directory's size"),
    (Rule::AmbiguousBase, "takes the first place where a directory's header stands"),
    (Rule::EntryCount, "reads as many headers as the count says, whatever follows"),
    (Rule::DirectoryTrailing, "reads as many headers as the count says, whatever follows"),
    (Rule::ArchiveOverLimit, "the limits are the target's"),
    (Rule::Duplicate, "keeps the last of one name"),
    (Rule::FileAndDirectory, "names are texts"),
    (Rule::Encrypted, "reads data that is masked or only said to be encrypted in one header"),
    (Rule::Patch, "does not look at bit 5"),
    (Rule::VersionNeeded, "does not look at the version needed"),
    (Rule::DiskStart, "does not look at the disk an entry starts on"),
    (Rule::UnixMode, "does not look at the mode"),
    (Rule::ExtraOverrun, "takes what is left for padding"),
    (Rule::Zip64ExtraShort, "does not look at the disk an entry starts on"),
    (Rule::Zip64ExtraTwice, "takes the first of two"),
    (Rule::DirectoryWithData, "names are texts"),
    (Rule::NameEmpty, "names are texts"),
    (Rule::NameAbsolute, "names are texts"),
    (Rule::NameControl, "names are texts"),
    (Rule::NameDots, "names are texts"),
    (Rule::NameUtf8, "replaces what is not UTF-8"),
    (Rule::SharedLocalHeader, "does not hold entries against each other"),
    (Rule::Overlap, "does not hold entries against each other"),
    (Rule::OutsideArchive, "does not hold entries against the directory"),
    (Rule::LocalName, "looks at the local header for its length alone"),
    (Rule::LocalMethod, "looks at the local header for its length alone"),
    (Rule::LocalFlags, "looks at the local header for its length alone"),
    (Rule::LocalSize, "looks at the local header for its length alone"),
    (Rule::LocalCrc, "looks at the local header for its length alone"),
    (Rule::Descriptor, "does not read descriptors"),
    (Rule::StoredSizes, "takes the compressed size, and fewer bytes than declared"),
    (Rule::Data, "its decoder takes a distance to before the start for one into zeros"),
    (Rule::DataShort, "takes fewer bytes than declared"),
    (Rule::DataTrailing, "leaves what stands behind the stream"),
    (Rule::EntryOverLimit, "the limits are the target's"),
];

/// What zip says of something that the engine serves, and why it refuses that.
pub const ZIP_REFUSES: &[(&str, &str)] = &[
    ("invalid Zip archive: Archive header is too large", "an entry refuses the archive"),
    ("invalid Zip archive: Alignment extra field", "holds extra fields to their formats"),
    ("invalid Zip archive: Extended timestamp field", "holds extra fields to their formats"),
    ("invalid Zip archive: Extra field", "holds extra fields to their formats"),
    ("invalid Zip archive: Invalid Central Directory header", "loses its place at an extra field"),
    ("invalid Zip archive: Multi-disk", "takes 65535 for a disk where no other field is saturated"),
    ("invalid Zip archive: Unicode extra field", "holds extra fields to their formats"),
    ("invalid Zip archive: Variable-length field", "loses its place at an extra field"),
    ("invalid Zip archive: ZIP64 extra-data field", "holds extra fields to their formats"),
    ("invalid Zip archive: ZIP64 extra field truncated", "an entry refuses the archive"),
    ("invalid Zip archive: unexpected EOF in", "holds extra fields to their formats"),
    ("reading: compression method not supported", "is built with two methods"),
    ("reading: failed to fill whole buffer", "an entry refuses the archive"),
    ("reading: incomplete deflate stream", "takes an empty file of no bytes for a cut stream"),
];

/// What one of the two serves and the other does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The engine has a rule against it.
    Refused(Rule),
    /// zip says something against it.
    ZipRefuses(String),
    /// zip keeps another entry under what it takes for the name.
    ZipReplaces,
    /// zip has another directory, or finds none, where the archive has bytes in front of it or holds
    /// more than one end of central directory record.
    ZipSearches,
    /// zip has no such entry.
    ZipLacks,
}

impl Difference {
    /// Why it has to be so; `None` where nothing is known of it.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Refused(rule) => {
                ZIP_SERVES.iter().find(|(known, _)| known == rule).map(|(_, reason)| *reason)
            }
            Self::ZipRefuses(said) => ZIP_REFUSES
                .iter()
                .find(|(known, _)| said.starts_with(known))
                .map(|(_, reason)| *reason),
            Self::ZipReplaces => Some("keeps the last of one name, after the Unicode path field"),
            Self::ZipSearches => Some("goes on to the next header or end record that will do"),
            Self::ZipLacks => None,
        }
    }
}

/// Checks one input.
///
/// # Panics
/// Where two of them disagree without a reason, or the mutator's model is not the archive: a
/// finding.
pub fn check(input: &[u8]) {
    if let Some(model) = Model::parse(input) {
        assert!(model.to_bytes() == input, "the model writes another archive");
    }
    for difference in differences(input) {
        assert!(difference.reason().is_some(), "{difference:?}, and no reason is known");
    }
}

/// Compares the three on one input.
///
/// # Panics
/// Where they serve different bytes, or the oracle disagrees.
#[must_use]
pub fn differences(input: &[u8]) -> Vec<Difference> {
    let bytes = Bytes::copy_from_slice(input);
    let zip = ZipArchive::new(Cursor::new(input));
    let archive = match Archive::open_within(bytes, LIMITS) {
        Ok(archive) => archive,
        Err(Error::Archive(refusal)) => {
            if refusal.rule != Rule::ArchiveOverLimit {
                assert!(oracle::read(input).is_err(), "refused, but not by the oracle: {refusal}");
            }
            return zip.iter().map(|_| Difference::Refused(refusal.rule)).collect();
        }
        Err(other) => panic!("an archive in memory: {other}"),
    };
    let directory = archive.directory();
    let start = directory.extent().extent.start;
    let entries: Vec<Entry> = directory
        .entries()
        .map(|entry| {
            let found = archive.describe(&entry);
            Entry {
                header_offset: start + u64::from(entry.header_offset),
                raw_name: found.raw_name.to_vec(),
                content: read(&archive, &found),
            }
        })
        .collect();
    compare_with_oracle(input, &entries);
    let end_records = input.windows(4).filter(|at| at == b"PK\x05\x06").count();
    let searches = directory.extent().base_offset > 0 || end_records > 1;
    match zip {
        Ok(zip) if searches && zip.central_directory_start() != start => {
            vec![Difference::ZipSearches]
        }
        Ok(zip) => compare_with_zip(zip, &entries),
        Err(_) if searches => vec![Difference::ZipSearches],
        Err(error) => vec![Difference::ZipRefuses(said(&error))],
    }
}

/// One entry as the engine has it.
struct Entry {
    /// Where its central directory header starts in the archive.
    header_offset: u64,
    raw_name: Vec<u8>,
    /// The content, or why it is refused.
    content: Result<Vec<u8>, Refusal>,
}

fn compare_with_oracle(input: &[u8], entries: &[Entry]) {
    let expected = oracle::read(input).expect("accepted, but not by the oracle");
    assert_eq!(expected.len(), entries.len());
    for (entry, expected) in entries.iter().zip(&expected) {
        assert_eq!(entry.raw_name, expected.raw_name);
        match (&entry.content, &expected.verdict) {
            (Ok(content), Ok(expected)) => assert!(content == expected, "another content"),
            (Ok(_), Err(refusal)) if refusal.reason == oracle::OTHER_METHOD => {}
            (Err(_), Err(_)) => {}
            (Err(refusal), Ok(_)) => {
                let is_over = refusal.rule == Rule::EntryOverLimit;
                assert!(is_over, "served by the oracle, but: {refusal}");
            }
            (Ok(_), Err(refusal)) => panic!("served, refused by the oracle: {refusal:?}"),
        }
    }
}

fn compare_with_zip(mut zip: ZipArchive<Cursor<&[u8]>>, entries: &[Entry]) -> Vec<Difference> {
    let metadata = zip.metadata();
    let indexes: HashMap<u64, usize> = (0..zip.len())
        .filter_map(|index| Some((metadata.entry(index).ok()?.central_header_start(), index)))
        .collect();
    let absent =
        if metadata.has_duplicate_names() { Difference::ZipReplaces } else { Difference::ZipLacks };
    let mut differences = Vec::new();
    for entry in entries {
        let Some(&index) = indexes.get(&entry.header_offset) else {
            if entry.content.is_ok() {
                differences.push(absent.clone());
            }
            continue;
        };
        match (&entry.content, read_by_zip(&mut zip, index)) {
            (Ok(content), Ok(other)) => {
                let is_cut = other.len() as u64 == CONTENT_LEN_MAX;
                let expected =
                    if is_cut { &content[..content.len().min(other.len())] } else { content };
                let name = entry.raw_name.escape_ascii();
                assert!(*expected == other, "{name}: zip serves other bytes");
            }
            (Ok(_), Err(said)) => differences.push(Difference::ZipRefuses(said)),
            (Err(refusal), Ok(_)) => differences.push(Difference::Refused(refusal.rule)),
            (Err(_), Err(_)) => {}
        }
    }
    differences
}

/// The content that zip has of an entry, or what it says against it.
fn read_by_zip(zip: &mut ZipArchive<Cursor<&[u8]>>, index: usize) -> Result<Vec<u8>, String> {
    let mut file = zip.by_index(index).map_err(|error| said(&error))?;
    let mut content = Vec::new();
    let read = file.by_ref().take(CONTENT_LEN_MAX).read_to_end(&mut content);
    read.map_err(|error| said_io(&error))?;
    Ok(content)
}

fn said(error: &ZipError) -> String {
    match error {
        ZipError::Io(error) => said_io(error),
        other => other.to_string(),
    }
}

fn said_io(error: &io::Error) -> String {
    format!("reading: {error}")
}

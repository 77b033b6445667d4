//! The central directory in memory: its own bytes, a name index, and the entries' offsets.
//!
//! Nothing is materialised: an [`Entry`] is read out of the directory's bytes when it is asked for.
//! Beside them stand 4 bytes of index for three quarters of a name, and 8 bytes for each offset.

mod hash;
mod index;

use std::borrow::Cow;

use bytes::Bytes;

pub(crate) use self::hash::HashKey;
use self::index::Table;
pub(crate) use self::index::{
    EMPTY as EMPTY_SLOT, first_slot, free_slot, may_match, record_offset, slot_value, slots_for,
};
use crate::entry::{Entry, declared_uncompressed_size};
use crate::error::{Error, Record, Refusal, Rule, at};
use crate::limits::{Limit, Limits};
use crate::locate::DirectoryExtent;
use crate::name;
use crate::record::{CentralDirectoryHeader, DIGITAL_SIGNATURE, UnicodePath};
use crate::verdict;

/// A central directory, indexed by name.
#[derive(Clone, Debug)]
pub struct Directory {
    bytes: Bytes,
    extent: DirectoryExtent,
    key: HashKey,
    /// Raw names.
    names: Table,
    /// Names without their leading `./`, and display names that differ from the raw ones.
    aliases: Table,
    /// Absolute offsets of all local file headers, ascending, with repetitions.
    local_header_offsets: Box<[u64]>,
}

/// What a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// No entry answers to the name.
    Absent,
    /// This entry does; whether it may be served is [`Directory::judge`]'s business.
    Found(Entry),
    /// Several entries answer to the name in the same step.
    Ambiguous,
}

impl Directory {
    /// Indexes a directory's bytes in one pass.
    ///
    /// # Errors
    /// [`Error::Archive`] where the bytes are not exactly the declared number of records (only a
    /// digital signature record may follow them), or the index would exceed its limit.
    ///
    /// # Panics
    /// Where `bytes` is not as long as the extent: the caller fetched something else.
    pub fn parse(extent: DirectoryExtent, bytes: Bytes, limits: &Limits) -> Result<Self, Error> {
        assert_eq!(bytes.len() as u64, extent.extent.end - extent.extent.start);
        let in_directory =
            |offset: usize| at(Record::CentralDirectoryHeader, extent.extent.start + offset as u64);
        let whole = at(Record::CentralDirectory, extent.extent.start);
        let declared = extent.declared_entries;
        // A count that the bytes cannot hold is refused before anything is allocated for it.
        let most = bytes.len() as u64 / CentralDirectoryHeader::FIXED_LEN as u64;
        if declared > most {
            return Err(whole.breaks_by(Rule::EntryCount, declared, most).into());
        }
        let check_index = |aliases: u64| {
            let index_len = 4 * (slots_for(declared) + slots_for(aliases)) + 8 * declared;
            if index_len > limits.index_len {
                return Err(whole.exceeds(Limit::IndexLen, limits.index_len, index_len));
            }
            Ok(())
        };
        check_index(0)?;

        let key = HashKey::random();
        let mut names = Table::with_room_for(declared);
        let mut aliases: Vec<(u64, u32, AliasStep)> = Vec::new();
        let mut local_header_offsets = Vec::with_capacity(declared as usize);
        let mut offset = 0;
        for found in 0..declared {
            let Some(header) = CentralDirectoryHeader::parse(&bytes[offset..]) else {
                if offset == bytes.len() || bytes[offset..].starts_with(&DIGITAL_SIGNATURE) {
                    return Err(whole.breaks_by(Rule::EntryCount, declared, found).into());
                }
                return Err(in_directory(offset).breaks(Rule::DirectoryRecord).into());
            };
            // Below 2^28: the limit on the directory's size.
            let header_offset = offset as u32;
            names.insert(
                key.hash(header.name),
                header_offset,
                enough_of_name(&header, |offset| record_at(&bytes, offset)),
            );
            for_each_alias(&header, |step, alias| {
                aliases.push((key.hash(alias), header_offset, step));
            });
            let (entry, _) = Entry::from_header(&header, header_offset, &extent);
            local_header_offsets.push(entry.local_header_offset);
            offset += header.record_len();
        }
        check_end(&bytes, offset, &extent)?;

        check_index(aliases.len() as u64)?;
        let mut alias_table = Table::with_room_for(aliases.len() as u64);
        for (hash, header_offset, step) in aliases {
            if let Some(header) = record_at(&bytes, header_offset) {
                let enough = enough_of_alias(&header, step, |offset| record_at(&bytes, offset));
                alias_table.insert(hash, header_offset, enough);
            }
        }
        // Most archives list their entries in the order of the files: then this only looks.
        if !local_header_offsets.is_sorted() {
            local_header_offsets.sort_unstable();
        }
        Ok(Self {
            bytes,
            extent,
            key,
            names,
            aliases: alias_table,
            local_header_offsets: local_header_offsets.into_boxed_slice(),
        })
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.local_header_offsets.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the directory stands in the archive.
    #[must_use]
    pub fn extent(&self) -> &DirectoryExtent {
        &self.extent
    }

    /// Bytes on the heap beside the directory's own bytes.
    #[must_use]
    pub fn index_len(&self) -> u64 {
        self.names.heap_len()
            + self.aliases.heap_len()
            + size_of_val(&*self.local_header_offsets) as u64
    }

    /// All entries, in the directory's order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.headers().map(|(header, offset)| Entry::from_header(&header, offset, &self.extent).0)
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (CentralDirectoryHeader<'_>, u32)> {
        let mut offset = 0;
        (0..self.len()).map_while(move |_| {
            let header = CentralDirectoryHeader::parse(&self.bytes[offset..])?;
            let header_offset = offset as u32;
            offset += header.record_len();
            Some((header, header_offset))
        })
    }

    pub(crate) fn entry_of(&self, header: &CentralDirectoryHeader<'_>, offset: u32) -> Entry {
        Entry::from_header(header, offset, &self.extent).0
    }

    /// The entry's header.
    ///
    /// # Panics
    /// Where the entry is of another directory and no record starts at its offset.
    #[must_use]
    pub fn header(&self, entry: &Entry) -> CentralDirectoryHeader<'_> {
        match self.header_at(entry.header_offset) {
            Some(header) => header,
            None => panic!("an entry of another directory"),
        }
    }

    pub(crate) fn header_at(&self, offset: u32) -> Option<CentralDirectoryHeader<'_>> {
        record_at(&self.bytes, offset)
    }

    /// The entry's raw name, which is its identity.
    #[must_use]
    pub fn raw_name(&self, entry: &Entry) -> &[u8] {
        self.header(entry).name
    }

    /// Finds the entry that a name in a request means.
    ///
    /// First the raw name; else the one entry whose raw name without its leading `./` is this; else
    /// the one whose display name is this. Entries of one raw name are [`Lookup::Found`], the first
    /// of them, and refused by [`Directory::judge`].
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Lookup {
        let hash = self.key.hash(name);
        if let Some((header, offset)) = self.with_raw_name(name, hash).next() {
            return Lookup::Found(Entry::from_header(&header, offset, &self.extent).0);
        }
        let candidates = || {
            self.aliases.probe(hash).filter_map(|offset| Some((self.header_at(offset)?, offset)))
        };
        for step in [AliasStep::WithoutDotSlash, AliasStep::Display] {
            let mut matching = candidates().filter(|(header, _)| step.matches(header, name));
            let Some((header, offset)) = matching.next() else { continue };
            // Entries of one raw name are one answer: they are refused as duplicates, by that name.
            if matching.any(|(other, _)| other.name != header.name) {
                return Lookup::Ambiguous;
            }
            return Lookup::Found(Entry::from_header(&header, offset, &self.extent).0);
        }
        Lookup::Absent
    }

    fn with_raw_name<'a>(
        &'a self,
        name: &'a [u8],
        hash: u64,
    ) -> impl Iterator<Item = (CentralDirectoryHeader<'a>, u32)> {
        self.names
            .probe(hash)
            .filter_map(|offset| Some((self.header_at(offset)?, offset)))
            .filter(move |(header, _)| header.name == name)
    }

    /// The bound of an entry's bytes: the next local header that is not its own, or the directory.
    #[must_use]
    pub fn boundary(&self, entry: &Entry) -> u64 {
        let next = self
            .local_header_offsets
            .partition_point(|&offset| offset <= entry.local_header_offset);
        self.local_header_offsets
            .get(next)
            .copied()
            .unwrap_or(u64::MAX)
            .min(self.extent.extent.start)
    }

    /// Applies the rules that the directory alone can decide: names, flags, sizes, neighbours.
    ///
    /// # Errors
    /// The first rule that the entry breaks. An entry that passes can still be refused by its local
    /// header, its data descriptor or its data.
    pub fn judge(&self, entry: &Entry, limits: &Limits) -> Result<(), Refusal> {
        let header = self.header(entry);
        let place = at(
            Record::CentralDirectoryHeader,
            self.extent.extent.start + u64::from(entry.header_offset),
        );
        let (_, zip64_refusal) = Entry::from_header(&header, entry.header_offset, &self.extent);
        if let Some(refusal) = zip64_refusal {
            return Err(refusal);
        }
        verdict::of_header(entry, &header, place, limits)?;
        self.judge_name(entry, &header, place)?;
        self.judge_neighbours(entry, place)
    }

    /// Rule 8, and names that are a file and a directory.
    fn judge_name(
        &self,
        entry: &Entry,
        header: &CentralDirectoryHeader<'_>,
        place: crate::error::At,
    ) -> Result<(), Refusal> {
        let mut same_name = self.with_raw_name(header.name, self.key.hash(header.name));
        // An empty directory may be listed any number of times.
        let is_duplicate = if entry.is_directory {
            same_name.any(|(other, _)| declares_content(&other))
        } else {
            same_name.nth(1).is_some()
        };
        if is_duplicate {
            return Err(place.breaks(Rule::Duplicate));
        }
        let mut twin = Vec::with_capacity(header.name.len() + 1);
        twin.extend_from_slice(header.name);
        if entry.is_directory {
            twin.pop();
        } else {
            twin.push(b'/');
        }
        // `a/` and `a//` are two directories.
        let is_file_and_directory = !(entry.is_directory && twin.ends_with(b"/"))
            && self.with_raw_name(&twin, self.key.hash(&twin)).next().is_some();
        if is_file_and_directory {
            return Err(place.breaks(Rule::FileAndDirectory));
        }
        Ok(())
    }

    /// Rule 6, as far as it can be seen without the local header.
    fn judge_neighbours(&self, entry: &Entry, place: crate::error::At) -> Result<(), Refusal> {
        let start = entry.local_header_offset;
        let directory = self.extent.extent.start;
        if start >= directory {
            return Err(place.breaks_by(Rule::OutsideArchive, start, directory));
        }
        let offsets = &self.local_header_offsets;
        let first = offsets.partition_point(|&offset| offset < start);
        if offsets.get(first + 1) == Some(&start) {
            return Err(place.breaks_by(Rule::SharedLocalHeader, 0, start));
        }
        verdict::fits(entry, verdict::least_header_len(entry), self.boundary(entry), place)
    }
}

/// The record at an offset of the directory's bytes.
fn record_at(bytes: &[u8], offset: u32) -> Option<CentralDirectoryHeader<'_>> {
    CentralDirectoryHeader::parse(bytes.get(offset as usize..)?)
}

/// Whether the entry has content, as far as its header says.
fn declares_content(header: &CentralDirectoryHeader<'_>) -> bool {
    declared_uncompressed_size(header) != 0
}

/// Counts the records of this one's name, for a table that has many of them.
///
/// Two are enough for every question: the first is the one that is found, and the second makes it a
/// duplicate. Of directories, with content and without are two kinds.
pub(crate) fn enough_of_name<'a>(
    header: &CentralDirectoryHeader<'a>,
    record_at: impl Fn(u32) -> Option<CentralDirectoryHeader<'a>>,
) -> impl FnMut(u32) -> bool {
    let mut same = 0;
    move |other| {
        let is_same = record_at(other).is_some_and(|other| {
            other.name == header.name && declares_content(&other) == declares_content(header)
        });
        same += u32::from(is_same);
        same == 2
    }
}

/// Counts the records that answer to this one's alias, for a table that has many of them.
///
/// One of the same raw name is the same answer; two of other names, which are two different ones
/// for the same reason, make the alias ambiguous whatever else answers to it.
pub(crate) fn enough_of_alias<'a>(
    header: &CentralDirectoryHeader<'a>,
    step: AliasStep,
    record_at: impl Fn(u32) -> Option<CentralDirectoryHeader<'a>>,
) -> impl FnMut(u32) -> bool {
    let mut others = 0;
    move |other| {
        let Some(other) = record_at(other) else { return false };
        if step.alias(&other) != step.alias(header) {
            return false;
        }
        others += u32::from(other.name != header.name);
        other.name == header.name || others == 2
    }
}

/// The second and third step of a lookup.
#[derive(Clone, Copy)]
pub(crate) enum AliasStep {
    WithoutDotSlash,
    Display,
}

impl AliasStep {
    /// The name under which the entry of this header is found in this step.
    fn alias<'a>(self, header: &CentralDirectoryHeader<'a>) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::WithoutDotSlash => name::without_dot_slash(header.name).map(Cow::Borrowed),
            Self::Display => Some(match name::display(header.name, header.extra) {
                Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
                Cow::Owned(name) => Cow::Owned(name.into_bytes()),
            }),
        }
    }

    /// Whether the entry of this header answers to `name` in this step.
    pub(crate) fn matches(self, header: &CentralDirectoryHeader<'_>, name: &[u8]) -> bool {
        self.alias(header).is_some_and(|alias| *alias == *name)
    }
}

/// Calls `f` with each name other than the raw one under which the entry is found.
pub(crate) fn for_each_alias(
    header: &CentralDirectoryHeader<'_>,
    mut f: impl FnMut(AliasStep, &[u8]),
) {
    if let Some(rest) = name::without_dot_slash(header.name) {
        f(AliasStep::WithoutDotSlash, rest);
    }
    // A Unicode path or a name that is not UTF-8: nothing else is displayed under another name.
    let may_have_path =
        memchr::memmem::find(header.extra, &UnicodePath::ID.to_le_bytes()).is_some();
    if may_have_path || !header.name.is_ascii() {
        let display = name::display(header.name, header.extra);
        if display.as_bytes() != header.name {
            f(AliasStep::Display, display.as_bytes());
        }
    }
}

/// Rule 3: after the last record only a digital signature record may fill the rest.
fn check_end(bytes: &[u8], offset: usize, extent: &DirectoryExtent) -> Result<(), Refusal> {
    let rest = &bytes[offset..];
    if rest.is_empty() {
        return Ok(());
    }
    if let [b'P', b'K', 5, 5, low, high, data @ ..] = rest
        && data.len() == usize::from(u16::from_le_bytes([*low, *high]))
    {
        return Ok(());
    }
    let place = at(Record::CentralDirectory, extent.extent.start + offset as u64);
    if rest.starts_with(&CentralDirectoryHeader::SIGNATURE) {
        let declared = extent.declared_entries;
        return Err(place.breaks_by(Rule::EntryCount, declared, declared + 1));
    }
    Err(place.breaks_by(Rule::DirectoryTrailing, 0, rest.len() as u64))
}

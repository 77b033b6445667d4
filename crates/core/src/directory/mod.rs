//! The central directory in memory: its own bytes, a name index, and the entries' offsets.
//!
//! Nothing is materialised: an [`Entry`] is read out of the directory's bytes when it is asked for.
//! Beside them stand 8 bytes of index for each name, and 8 for each offset where the records do not
//! stand in the order of the files.
//!
//! What a lookup finds and what a verdict asks about an entry's neighbours stand in this one file,
//! long as it is: both rely on which records the tables leave out, see `enough_of_name`. The tables
//! themselves are in `index`, and a search without them in `scan`.

mod hash;
mod index;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;

pub(crate) use self::hash::HashKey;
use self::index::Table;
pub(crate) use self::index::{
    EMPTY as EMPTY_SLOT, first_slot, free_slot, may_match, record_offset, slot_value, slots_for,
};
pub(crate) use self::scan::find_in;
use crate::entry::{Entry, declared_uncompressed_size, local_header_offset};
use crate::error::{Error, Record, Refusal, Rule, at};
use crate::limits::{Limit, Limits};
use crate::locate::DirectoryExtent;
use crate::name;
use crate::plan::Found;
use crate::policy::Policy;
use crate::record::{CentralDirectoryHeader, DIGITAL_SIGNATURE, ExtraFields, UnicodePath};
use crate::verdict;

/// Names that are hashed before any of them is put into the table.
///
/// A slot is nearly always a cache miss, and the loop that finds records and hashes names is so long
/// that the processor waits for each one; in a short loop of their own many are under way at once.
const BATCH: usize = 64;

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
    /// Absolute offsets of all local file headers, ascending, with repetitions; `None` where each
    /// record's lies behind the one before it, as nearly all archives have them: an entry's
    /// neighbour is then that of the next record.
    local_header_offsets: Option<Box<[u64]>>,
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
        let whole = at(Record::CentralDirectory, extent.extent.start);
        let declared = extent.declared_entries;
        check_count(&bytes, &extent)?;
        let mut index_len = 0;
        let mut check_index = |more: u64| {
            index_len += more;
            if index_len > limits.index_len {
                return Err(whole.exceeds(Limit::IndexLen, limits.index_len, index_len));
            }
            Ok(())
        };
        check_index(Table::heap_len_for(declared))?;

        let key = HashKey::random();
        let mut names = Table::with_room_for(declared);
        let mut aliases: Vec<(u64, u32, AliasStep)> = Vec::new();
        let mut alias_count = 0;
        let mut put_in = |hashed: &[(u64, u32)]| {
            for &(hash, offset) in hashed {
                names.insert(hash, offset, enough_of_name(offset, |at| record_at(&bytes, at)));
            }
        };
        let mut hashed = [(0, 0); BATCH];
        let mut batched = 0;
        let mut ascends = true;
        let mut least_offset = 0;
        each_record(&bytes, &extent, |header, header_offset| {
            let (hash, is_ascii) = key.hash_noting_ascii(header.name);
            hashed[batched] = (hash, header_offset);
            batched += 1;
            if batched == BATCH {
                put_in(&hashed);
                batched = 0;
            }
            if !is_ascii || may_have_alias(header) {
                for_each_alias(header, |step, alias| {
                    // More than the index may have room for are only counted.
                    alias_count += 1;
                    if Table::heap_len_for(alias_count) <= limits.index_len {
                        aliases.push((key.hash(alias), header_offset, step));
                    }
                });
            }
            let local = local_header_offset(header, &extent);
            ascends &= local >= least_offset;
            // An offset of 2^64 - 1 is refused wherever it is looked at: no archive is that long.
            least_offset = local.saturating_add(1);
        })?;
        put_in(&hashed[..batched]);

        check_index(Table::heap_len_for(alias_count))?;
        let mut alias_table = Table::with_room_for(aliases.len() as u64);
        for (hash, header_offset, step) in aliases {
            let enough = enough_of_alias(header_offset, step, |at| record_at(&bytes, at));
            alias_table.insert(hash, header_offset, enough);
        }
        let mut directory =
            Self { bytes, extent, key, names, aliases: alias_table, local_header_offsets: None };
        if !ascends {
            check_index(size_of::<u64>() as u64 * declared)?;
            let offsets = directory.headers();
            let offsets =
                offsets.map(|(header, _)| local_header_offset(&header, &directory.extent));
            let mut offsets: Box<[u64]> = offsets.collect();
            offsets.sort_unstable();
            directory.local_header_offsets = Some(offsets);
        }
        Ok(directory)
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        // Bounded by the directory's bytes, see `parse`.
        self.extent.declared_entries as usize
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
            + self.local_header_offsets.as_deref().map_or(0, |offsets| size_of_val(offsets) as u64)
    }

    /// All entries, in the directory's order.
    #[inline]
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.headers().map(|(header, offset)| Entry::from_header(&header, offset, &self.extent).0)
    }

    #[inline]
    pub(crate) fn headers(&self) -> impl Iterator<Item = (CentralDirectoryHeader<'_>, u32)> {
        let bytes = &self.bytes[..];
        let mut offset = 0;
        (0..self.len()).map_while(move |_| {
            let header = CentralDirectoryHeader::parse(bytes.get(offset..)?)?;
            let header_offset = offset as u32;
            offset += header.record_len();
            Some((header, header_offset))
        })
    }

    /// All entries, in the order of their local file headers.
    #[cfg(feature = "strict")]
    pub(crate) fn entries_in_file_order(&self) -> Box<dyn Iterator<Item = Entry> + '_> {
        if self.local_header_offsets.is_none() {
            return Box::new(self.entries());
        }
        let place = |entry: Entry| (entry.local_header_offset, entry.header_offset);
        let mut places: Vec<(u64, u32)> = Vec::with_capacity(self.len());
        places.extend(self.entries().map(place));
        places.sort_unstable();
        Box::new(places.into_iter().filter_map(|(_, header_offset)| {
            let header = self.header_at(header_offset)?;
            Some(self.entry_of(&header, header_offset))
        }))
    }

    /// The entries of a raw name.
    #[cfg(feature = "strict")]
    pub(crate) fn entries_named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = Entry> + 'a {
        let named = self.with_raw_name(name, self.key.hash(name));
        named.map(|(header, header_offset)| self.entry_of(&header, header_offset))
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
    ///
    /// # Panics
    /// As [`Directory::header`].
    #[must_use]
    pub fn raw_name(&self, entry: &Entry) -> &[u8] {
        self.header(entry).name
    }

    /// Finds the entry that a name in a request means.
    ///
    /// First the raw name; else the one entry whose raw name without its leading `./` is this; else
    /// the one whose display name is this. Of entries of one raw name the first that answers is
    /// [`Lookup::Found`]; what becomes of it is [`Directory::judge`]'s business too.
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
    ///
    /// # Panics
    /// As [`Directory::header`].
    #[must_use]
    pub fn boundary(&self, entry: &Entry) -> u64 {
        let next = match &self.local_header_offsets {
            None => {
                let behind = entry.header_offset as usize + self.header(entry).record_len();
                // Behind the last record there is nothing that reads as one, see `check_end`.
                let next = CentralDirectoryHeader::parse(&self.bytes[behind..]);
                next.map(|header| local_header_offset(&header, &self.extent))
            }
            Some(offsets) => {
                let next = offsets.partition_point(|&offset| offset <= entry.local_header_offset);
                offsets.get(next).copied()
            }
        };
        next.unwrap_or(u64::MAX).min(self.extent.extent.start)
    }

    /// Applies the rules that the directory alone can decide: names, flags, sizes, neighbours.
    ///
    /// # Errors
    /// The first rule that the entry breaks. An entry that passes can still be refused by its local
    /// header, its data descriptor or its data.
    ///
    /// # Panics
    /// As [`Directory::header`].
    pub fn judge(&self, entry: &Entry, policy: impl Into<Policy>) -> Result<(), Refusal> {
        let header = self.header(entry);
        let neighbours = self.neighbours(entry, &header);
        verdict::of_entry(entry, &header, &self.extent, &neighbours, &policy.into())
    }

    /// All that is known of an entry without reading its data.
    pub(crate) fn describe(&self, entry: &Entry, policy: &Policy) -> Found {
        let header = self.header(entry);
        let neighbours = self.neighbours(entry, &header);
        Found::unverified(entry, &header, &self.extent, &neighbours, policy)
    }

    fn neighbours(&self, entry: &Entry, header: &CentralDirectoryHeader<'_>) -> Neighbours {
        let mut namesakes = Namesakes::default();
        for (other, offset) in self.with_raw_name(header.name, self.key.hash(header.name)) {
            namesakes.note(&other, offset, offset == entry.header_offset);
            if namesakes.other.is_some() {
                break;
            }
        }
        let twin = twin_of(header.name);
        let twin = twin.and_then(|twin| {
            self.with_raw_name(&twin, self.key.hash(&twin)).next().map(|(_, offset)| offset)
        });
        let start = entry.local_header_offset;
        let shares_header = self.local_header_offsets.as_deref().is_some_and(|offsets| {
            let first = offsets.partition_point(|&offset| offset < start);
            offsets.get(first + 1) == Some(&start)
        });
        let Namesakes { is_first, other: namesake, .. } = namesakes;
        Neighbours { is_first, namesake, twin, shares_header, boundary: self.boundary(entry) }
    }
}

/// What the other entries of a directory are to one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbours {
    /// Whether it is the first of its raw name in the directory.
    pub(crate) is_first: bool,
    /// Rule 8: the first other header with its raw name. An empty directory may be listed any
    /// number of times; where one of that name has content, it is that one.
    pub(crate) namesake: Option<u32>,
    /// The header of its [`twin_of`].
    pub(crate) twin: Option<u32>,
    /// Another has its local header.
    pub(crate) shares_header: bool,
    /// The next local header that is not its own, or the directory.
    pub(crate) boundary: u64,
}

/// The headers of one raw name as they come in the directory, seen from one of them.
#[derive(Default)]
struct Namesakes {
    is_any: bool,
    /// Whether the one that is looked at came before all others.
    is_first: bool,
    /// See [`Neighbours::namesake`].
    other: Option<u32>,
}

impl Namesakes {
    fn note(&mut self, header: &CentralDirectoryHeader<'_>, offset: u32, is_itself: bool) {
        self.is_first |= is_itself && !self.is_any;
        self.is_any = true;
        let is_directory = header.name.ends_with(b"/");
        if (is_directory && declares_content(header)) || (!is_directory && !is_itself) {
            self.other.get_or_insert(offset);
        }
    }
}

/// The name that would make an entry a file and a directory: with a slash more, or without it.
///
/// `a/` and `a//` are two directories.
fn twin_of(name: &[u8]) -> Option<Cow<'_, [u8]>> {
    match name.strip_suffix(b"/") {
        Some(file) => (!file.ends_with(b"/")).then_some(Cow::Borrowed(file)),
        None => Some(Cow::Owned([name, b"/"].concat())),
    }
}

/// A count that the bytes cannot hold is refused before anything is allocated for it.
fn check_count(bytes: &[u8], extent: &DirectoryExtent) -> Result<(), Refusal> {
    let most = bytes.len() as u64 / CentralDirectoryHeader::FIXED_LEN as u64;
    if extent.declared_entries > most {
        let place = at(Record::CentralDirectory, extent.extent.start);
        return Err(place.breaks_by(Rule::EntryCount, extent.declared_entries, most));
    }
    Ok(())
}

/// Calls `each` with every record of a directory and its offset there, and holds the bytes to rule
/// 3: they are exactly the declared number of records.
#[inline]
fn each_record<'a>(
    bytes: &'a [u8],
    extent: &DirectoryExtent,
    mut each: impl FnMut(&CentralDirectoryHeader<'a>, u32),
) -> Result<(), Refusal> {
    let mut offset = 0;
    for found in 0..extent.declared_entries {
        let Some(header) = CentralDirectoryHeader::parse(&bytes[offset..]) else {
            let directory = extent.extent.start;
            if offset == bytes.len() || bytes[offset..].starts_with(&DIGITAL_SIGNATURE) {
                let declared = extent.declared_entries;
                let place = at(Record::CentralDirectory, directory);
                return Err(place.breaks_by(Rule::EntryCount, declared, found));
            }
            let place = at(Record::CentralDirectoryHeader, directory + offset as u64);
            return Err(place.breaks(Rule::DirectoryRecord));
        };
        // Below 2^28: the limit on the directory's size.
        each(&header, offset as u32);
        offset += header.record_len();
    }
    check_end(bytes, offset, extent)
}

/// The record at an offset of the directory's bytes.
fn record_at(bytes: &[u8], offset: u32) -> Option<CentralDirectoryHeader<'_>> {
    CentralDirectoryHeader::parse(bytes.get(offset as usize..)?)
}

/// Whether the entry has content, as far as its header says.
fn declares_content(header: &CentralDirectoryHeader<'_>) -> bool {
    declared_uncompressed_size(header) != 0
}

/// Whether two entries of one raw name are more than one empty directory listed again.
pub(crate) fn conflict(
    one: &CentralDirectoryHeader<'_>,
    other: &CentralDirectoryHeader<'_>,
) -> bool {
    !one.name.ends_with(b"/") || declares_content(one) || declares_content(other)
}

/// Counts the records of this one's name, for a table that has many of them.
///
/// Two are enough for every question: the first is the one that is found, and the second makes it a
/// duplicate. Of directories, with content and without are two kinds.
pub(crate) fn enough_of_name<'a>(
    header_offset: u32,
    record_at: impl Fn(u32) -> Option<CentralDirectoryHeader<'a>>,
) -> impl FnMut(u32) -> bool {
    let mut same = 0;
    move |other| {
        let (Some(header), Some(other)) = (record_at(header_offset), record_at(other)) else {
            return false;
        };
        let is_same =
            other.name == header.name && declares_content(&other) == declares_content(&header);
        same += u32::from(is_same);
        same == 2
    }
}

/// Counts the records that answer to this one's alias, for a table that has many of them.
///
/// One of the same raw name is the same answer; two of other names, which are two different ones
/// for the same reason, make the alias ambiguous whatever else answers to it.
pub(crate) fn enough_of_alias<'a>(
    header_offset: u32,
    step: AliasStep,
    record_at: impl Fn(u32) -> Option<CentralDirectoryHeader<'a>>,
) -> impl FnMut(u32) -> bool {
    let mut others = 0;
    move |other| {
        let (Some(header), Some(other)) = (record_at(header_offset), record_at(other)) else {
            return false;
        };
        if step.alias(&other) != step.alias(&header) {
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

/// Whether an entry whose name is ASCII may be found by another name than that.
///
/// A Unicode path or a name that is not UTF-8: nothing else is displayed under another name.
#[inline]
fn may_have_alias(header: &CentralDirectoryHeader<'_>) -> bool {
    header.name.starts_with(b"./") || has_unicode_path(header.extra)
}

#[inline]
fn has_unicode_path(extra: &[u8]) -> bool {
    ExtraFields::new(extra).flatten().any(|field| field.id == UnicodePath::ID)
}

/// Calls `f` with each name other than the raw one under which the entry is found.
pub(crate) fn for_each_alias(
    header: &CentralDirectoryHeader<'_>,
    mut f: impl FnMut(AliasStep, &[u8]),
) {
    if let Some(rest) = name::without_dot_slash(header.name) {
        f(AliasStep::WithoutDotSlash, rest);
    }
    if !header.name.is_ascii() || may_have_alias(header) {
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

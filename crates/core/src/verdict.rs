//! The reading rules for one entry, as pure functions over what each record says.
//!
//! In the order in which the records are met: [`of_entry`] judges the central directory header and
//! what stands beside it, [`of_local_header`] holds the local header to it, [`of_descriptor`] the
//! data descriptor. What the data itself must satisfy is checked where it is decoded.

use crate::directory::Neighbours;
use crate::entry::{Entry, resolve_zip64};
use crate::error::{At, Record, Refusal, Rule, at};
use crate::limits::{Limit, Limits};
use crate::locate::DirectoryExtent;
use crate::method::CompressionMethod;
use crate::name;
use crate::policy::{Duplicates, Policy};
use crate::record::{
    CentralDirectoryHeader, DataDescriptor, DescriptorForm, ExtraFields, LocalFileHeader,
};

/// The highest version needed that is read: 6.3 (APPNOTE 4.4.3.2), the last that APPNOTE defines.
const VERSION_NEEDED_MAX: u16 = 63;
/// The type bits of a Unix mode, and the types that are served.
const UNIX_TYPE: u16 = 0o170_000;
const UNIX_TYPES_SERVED: [u16; 4] = [0, 0o100_000, 0o040_000, 0o120_000];

/// What the directory alone decides of an entry: the header itself, names, neighbours.
pub(crate) fn of_entry(
    entry: &Entry,
    header: &CentralDirectoryHeader<'_>,
    directory: &DirectoryExtent,
    neighbours: &Neighbours,
    policy: &Policy,
) -> Result<(), Refusal> {
    let start = directory.extent.start;
    let absolute = |header_offset: u32| start + u64::from(header_offset);
    let place = at(Record::CentralDirectoryHeader, absolute(entry.header_offset));
    let (_, zip64_refusal) = Entry::from_header(header, entry.header_offset, directory);
    if let Some(refusal) = zip64_refusal {
        return Err(refusal);
    }
    of_header(entry, header, place, &policy.limits)?;
    let is_chosen = match policy.duplicates {
        Duplicates::Refuse => false,
        Duplicates::First => neighbours.is_first,
    };
    if let Some(other) = neighbours.namesake
        && !is_chosen
    {
        return Err(place.breaks_by(Rule::Duplicate, 0, absolute(other)));
    }
    if let Some(twin) = neighbours.twin {
        return Err(place.breaks_by(Rule::FileAndDirectory, 0, absolute(twin)));
    }
    // Rule 6, as far as it can be seen without the local header.
    let local = entry.local_header_offset;
    if local >= start {
        return Err(place.breaks_by(Rule::OutsideArchive, local, start));
    }
    if neighbours.shares_header {
        return Err(place.breaks_by(Rule::SharedLocalHeader, 0, local));
    }
    fits(entry, least_header_len(entry), neighbours.boundary, place)
}

/// Rule 9, and what a header contradicts by itself.
fn of_header(
    entry: &Entry,
    header: &CentralDirectoryHeader<'_>,
    place: At,
    limits: &Limits,
) -> Result<(), Refusal> {
    let flags = entry.flags;
    if flags.is_encrypted() || flags.is_strongly_encrypted() || flags.is_masked() {
        return Err(place.breaks(Rule::Encrypted));
    }
    if flags.is_patch() {
        return Err(place.breaks(Rule::Patch));
    }
    // The upper byte of "version needed" is the host in some producers' archives.
    let version = header.version_needed & 0xff;
    if version > VERSION_NEEDED_MAX {
        return Err(place.breaks_by(Rule::VersionNeeded, version.into(), 0));
    }
    let disk = disk_start(header);
    if disk != 0 {
        return Err(place.breaks_by(Rule::DiskStart, disk.into(), 0));
    }
    if let Some(mode) = header.unix_mode()
        && !UNIX_TYPES_SERVED.contains(&(mode & UNIX_TYPE))
    {
        return Err(place.breaks_by(Rule::UnixMode, mode.into(), 0));
    }
    no_overrun(header.extra, place)?;
    name::judge(header.name, flags)
        .map_err(|(rule, byte)| place.breaks_by(rule, 0, byte.into()))?;

    let (compressed, uncompressed) =
        (entry.declared_compressed_size, entry.declared_uncompressed_size);
    if entry.is_directory && uncompressed != 0 {
        return Err(place.breaks_by(Rule::DirectoryWithData, uncompressed, 0));
    }
    if !entry.method.is_built() {
        return Err(place.breaks_by(Rule::Method, entry.method.0.into(), 0));
    }
    if entry.method == CompressionMethod::STORED && compressed != uncompressed {
        return Err(place.breaks_by(Rule::StoredSizes, compressed, uncompressed));
    }
    expansion(entry, place, limits)
}

/// Rule 9: no more content is declared than the compressed size allows.
pub(crate) fn expansion(entry: &Entry, place: At, limits: &Limits) -> Result<(), Refusal> {
    let ratio = limits.expansion_ratio.min(entry.method.expansion_bound());
    let most = entry.declared_compressed_size.saturating_mul(ratio);
    let most = most.saturating_add(limits.expansion_free);
    if entry.declared_uncompressed_size > most {
        let actual = entry.declared_uncompressed_size;
        return Err(place.exceeds(Limit::ExpansionRatio, most, actual));
    }
    Ok(())
}

fn no_overrun(extra: &[u8], place: At) -> Result<(), Refusal> {
    match ExtraFields::new(extra).find_map(Result::err) {
        None => Ok(()),
        Some(overrun) => {
            let (declared, actual) = (overrun.declared_size.into(), overrun.available_len as u64);
            Err(place.breaks_by(Rule::ExtraOverrun, declared, actual))
        }
    }
}

/// The disk on which the entry starts, through the zip64 extra field where the header says so.
fn disk_start(header: &CentralDirectoryHeader<'_>) -> u32 {
    let saturated = header.saturated();
    if saturated.disk_start
        && let Ok(zip64) = resolve_zip64(header.extra, saturated)
        && let Some(disk) = zip64.disk_start
    {
        return disk;
    }
    header.disk_start.into()
}

/// The shortest local header that this entry can have: its name and no extra field.
pub(crate) fn least_header_len(entry: &Entry) -> u64 {
    LocalFileHeader::FIXED_LEN as u64 + u64::from(entry.name_len)
}

/// Rule 6: header and data, and the shortest descriptor where there is one, end by the boundary.
fn fits(entry: &Entry, header_len: u64, boundary: u64, place: At) -> Result<(), Refusal> {
    let descriptor_len = if entry.flags.has_data_descriptor() {
        DescriptorForm { has_signature: false, is_zip64: false }.encoded_len() as u64
    } else {
        0
    };
    let end = entry
        .local_header_offset
        .saturating_add(header_len)
        .saturating_add(entry.declared_compressed_size)
        .saturating_add(descriptor_len);
    if end > boundary {
        return Err(place.breaks_by(Rule::Overlap, end, boundary));
    }
    Ok(())
}

/// Rules 4 and 5: the local header agrees with the directory, and the data lies before the
/// boundary.
///
/// `bytes` start at the local header and cover all of it; see [`local_header_len`]. The result is
/// the absolute offset of the data.
pub(crate) fn of_local_header(
    entry: &Entry,
    raw_name: &[u8],
    boundary: u64,
    bytes: &[u8],
) -> Result<u64, Refusal> {
    let place = at(Record::LocalFileHeader, entry.local_header_offset);
    let Some(local) = LocalFileHeader::parse(bytes) else {
        return Err(place.breaks(Rule::LocalSignature));
    };
    let header_len = local.header_len();
    fits(entry, header_len, boundary, place)?;
    let name_end = LocalFileHeader::FIXED_LEN + usize::from(local.name_size);
    let (Some(local_name), Some(extra)) =
        (bytes.get(LocalFileHeader::FIXED_LEN..name_end), bytes.get(name_end..header_len as usize))
    else {
        return Err(place.breaks(Rule::LocalSignature));
    };
    if local_name != raw_name {
        return Err(place.breaks(Rule::LocalName));
    }
    no_overrun(extra, place)?;
    if local.method != entry.method {
        let (declared, actual) = (entry.method.0.into(), local.method.0.into());
        return Err(place.breaks_by(Rule::LocalMethod, declared, actual));
    }
    if local.flags.is_encrypted() != entry.flags.is_encrypted()
        || local.flags.has_data_descriptor() != entry.flags.has_data_descriptor()
    {
        let (declared, actual) = (entry.flags.0.into(), local.flags.0.into());
        return Err(place.breaks_by(Rule::LocalFlags, declared, actual));
    }
    if !entry.flags.has_data_descriptor() {
        let zip64 = resolve_zip64(extra, local.saturated())
            .map_err(|(rule, actual)| place.breaks_by(rule, 0, actual))?;
        let sizes = [
            (
                entry.declared_compressed_size,
                zip64.compressed_size.unwrap_or(local.compressed_size.into()),
            ),
            (
                entry.declared_uncompressed_size,
                zip64.uncompressed_size.unwrap_or(local.uncompressed_size.into()),
            ),
        ];
        for (declared, actual) in sizes {
            if declared != actual {
                return Err(place.breaks_by(Rule::LocalSize, declared, actual));
            }
        }
        if local.crc32 != entry.declared_crc32 {
            let (declared, actual) = (entry.declared_crc32.into(), local.crc32.into());
            return Err(place.breaks_by(Rule::LocalCrc, declared, actual));
        }
    }
    Ok(entry.local_header_offset + header_len)
}

/// Bytes that [`of_local_header`] wants, once the fixed part of the header is in hand; `None` where
/// no header stands there, which it then refuses.
pub(crate) fn local_header_len(bytes: &[u8]) -> Option<u64> {
    LocalFileHeader::parse(bytes).map(|local| local.header_len())
}

/// Rule 5: one form of data descriptor agrees with the directory and ends by the boundary.
///
/// `bytes` start where the data ends and reach at most to the boundary; 24 of them are enough.
pub(crate) fn of_descriptor(entry: &Entry, offset: u64, bytes: &[u8]) -> Result<(), Refusal> {
    match agreeing_descriptors(entry, bytes).next() {
        Some(_) => Ok(()),
        None => Err(at(Record::DataDescriptor, offset).breaks(Rule::Descriptor)),
    }
}

/// The forms in which the bytes are a data descriptor that agrees with the directory, the usual ones
/// first. An entry without content has several where zeros follow.
pub(crate) fn agreeing_descriptors(
    entry: &Entry,
    bytes: &[u8],
) -> impl Iterator<Item = DescriptorForm> {
    let expected = DataDescriptor {
        crc32: entry.declared_crc32,
        compressed_size: entry.declared_compressed_size,
        uncompressed_size: entry.declared_uncompressed_size,
    };
    let agrees = move |form: &_| DataDescriptor::parse(bytes, *form) == Some(expected);
    DescriptorForm::ALL.into_iter().filter(agrees)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use entryway_testkit::builder::{
        self, Archive, Built, DescriptorForm as Form, Place, Saturated, mode,
    };
    use entryway_testkit::{extra, fixtures, record};

    use super::*;
    use crate::directory::Directory;

    /// A stored file of one letter and five bytes: its local header takes 31 bytes, so that alone
    /// it ends at 36, where the directory starts.
    fn file(name: &str) -> builder::Entry {
        builder::Entry::stored(name, "hello")
    }

    fn one(entry: builder::Entry) -> Archive {
        Archive::new().entry(entry)
    }

    fn directory(built: &Built) -> Directory {
        let (start, len) = (built.directory_offset, built.directory_len);
        let listed = built.entries.iter().filter(|entry| entry.central_header_offset.is_some());
        let extent = DirectoryExtent {
            extent: start as u64..(start + len) as u64,
            base_offset: 0,
            declared_entries: listed.count() as u64,
            end_record_offset: built.eocd_offset as u64,
            archive_len: built.bytes.len() as u64,
        };
        let bytes = Bytes::copy_from_slice(&built.bytes[start..start + len]);
        Directory::parse(extent, bytes, &Limits::default()).unwrap()
    }

    /// What the directory decides of its first entry.
    fn judged(archive: &Archive, limits: &Limits) -> Result<(), Refusal> {
        let directory = directory(&archive.build_placed());
        let first = directory.entries().next().unwrap();
        directory.judge(&first, limits)
    }

    #[test]
    fn the_directory_decides_by_the_header_and_its_neighbours() {
        use Rule::*;
        let here = |offset: u64| at(Record::CentralDirectoryHeader, offset);
        let flagged = |flags: u16| one(file("a").edit_central(move |h| h.flags |= flags));
        let version = |version| one(file("a").edit_central(move |h| h.version_needed = version));
        let unix = |mode| one(file("a").mode(mode));
        let made_on = |host: u16| {
            let on_host = move |h: &mut record::CentralDirectoryHeader| {
                h.version_made_by = host << 8;
            };
            one(file("a").mode(mode::FIFO).edit_central(on_host))
        };
        let disk_in_zip64 = |disk: u32| {
            let field = extra::field(1, &disk.to_le_bytes());
            one(file("a").edit_central(move |h| {
                h.disk_start = u16::MAX;
                h.extra.clone_from(&field);
            }))
        };
        let compressed = |size| one(file("a").edit_central(move |h| h.compressed_size = size));
        let table: Vec<(&str, Archive, Result<(), Refusal>)> = vec![
            ("good", one(file("a")), Ok(())),
            ("encrypted", flagged(1), Err(here(36).breaks(Encrypted))),
            ("strongly encrypted", flagged(1 << 6), Err(here(36).breaks(Encrypted))),
            ("masked", flagged(1 << 13), Err(here(36).breaks(Encrypted))),
            ("patch", flagged(1 << 5), Err(here(36).breaks(Patch))),
            ("other flags", flagged(0b1001_0111_1001_0110 & !(1 << 3)), Ok(())),
            ("version 6.3", version(63), Ok(())),
            ("version 6.3 of a host", version(0x0a3f), Ok(())),
            ("version 6.4", version(64), Err(here(36).breaks_by(VersionNeeded, 64, 0))),
            ("version 25.5", version(0xffff), Err(here(36).breaks_by(VersionNeeded, 255, 0))),
            (
                "disk",
                one(file("a").edit_central(|h| h.disk_start = 1)),
                Err(here(36).breaks_by(DiskStart, 1, 0)),
            ),
            (
                "saturated disk without zip64",
                one(file("a").edit_central(|h| h.disk_start = u16::MAX)),
                Err(here(36).breaks_by(DiskStart, 65_535, 0)),
            ),
            ("no disk in zip64", disk_in_zip64(0), Ok(())),
            ("disk in zip64", disk_in_zip64(70_000), Err(here(36).breaks_by(DiskStart, 70_000, 0))),
            ("directory's mode", unix(mode::DIRECTORY), Ok(())),
            ("link", unix(mode::SYMLINK), Ok(())),
            ("no type", unix(0o644), Ok(())),
            ("pipe", unix(mode::FIFO), Err(here(36).breaks_by(UnixMode, 0o010_644, 0))),
            ("device", unix(mode::BLOCK_DEVICE), Err(here(36).breaks_by(UnixMode, 0o060_644, 0))),
            ("pipe on macOS", made_on(19), Err(here(36).breaks_by(UnixMode, 0o010_644, 0))),
            ("pipe on MS-DOS", made_on(0), Ok(())),
            (
                "overrun",
                one(file("a").edit_central(|h| h.extra = b"UT\x05\0ab".to_vec())),
                Err(here(36).breaks_by(ExtraOverrun, 5, 2)),
            ),
            ("control", one(file("\x01")), Err(here(36).breaks_by(NameControl, 0, 1))),
            ("absolute", one(file("/")), Err(here(36).breaks_by(NameAbsolute, 0, 0x2f))),
            ("dots", one(file("..")), Err(here(37).breaks_by(NameDots, 0, 0x2e))),
            ("directory", one(builder::Entry::directory("d/")), Ok(())),
            ("with data", one(file("d/")), Err(here(37).breaks_by(DirectoryWithData, 5, 0))),
            (
                "method",
                one(file("a").edit_central(|h| h.method = 7)),
                Err(here(36).breaks_by(Method, 7, 0)),
            ),
            ("stored, shorter", compressed(4), Err(here(36).breaks_by(StoredSizes, 4, 5))),
            (
                "same name",
                one(file("a")).entry(file("a")),
                Err(here(72).breaks_by(Duplicate, 0, 119)),
            ),
            (
                "directory of that name",
                one(file("a")).entry(builder::Entry::directory("a/")),
                Err(here(68).breaks_by(FileAndDirectory, 0, 115)),
            ),
            (
                "file of that name",
                one(builder::Entry::directory("a/")).entry(file("a")),
                Err(here(68).breaks_by(FileAndDirectory, 0, 116)),
            ),
            (
                "directory twice",
                one(builder::Entry::directory("a/")).entry(builder::Entry::directory("a/")),
                Ok(()),
            ),
            (
                "directory twice, the other with data",
                one(builder::Entry::directory("a/")).entry(file("a/")),
                Err(here(69).breaks_by(Duplicate, 0, 117)),
            ),
            (
                "directories that differ in a slash",
                one(builder::Entry::directory("a//")).entry(builder::Entry::directory("a/")),
                Ok(()),
            ),
            (
                "in the directory",
                one(file("a").place(Place::At(0))),
                Err(here(0).breaks_by(OutsideArchive, 0, 0)),
            ),
            (
                "far outside",
                one(file("a").place(Place::At(77))),
                Err(here(0).breaks_by(OutsideArchive, 77, 0)),
            ),
            (
                "one byte before the directory",
                one(file("a").place(Place::At(35))).entry(file("b")),
                Err(here(36).breaks_by(Overlap, 71, 36)),
            ),
            (
                "one header for two",
                one(file("a")).entry(file("b").place(Place::SharedWith(0))),
                Err(here(36).breaks_by(SharedLocalHeader, 0, 0)),
            ),
            (
                "over the next header",
                one(file("a").edit_central(|h| {
                    (h.compressed_size, h.uncompressed_size) = (6, 6);
                }))
                .entry(file("b")),
                Err(here(72).breaks_by(Overlap, 37, 36)),
            ),
            (
                "over the next header, listed behind it",
                Archive { directory_order: Some(vec![1, 0]), ..one(file("a")).entry(file("b")) },
                Ok(()),
            ),
            ("shortest descriptor", one(file("a").descriptor(Form::BARE_32)), Ok(())),
            ("no room for a descriptor", flagged(1 << 3), Err(here(36).breaks_by(Overlap, 48, 36))),
            (
                "size at the end of numbers",
                one(file("a").edit_central(|h| {
                    h.extra = extra::field(1, &[0xff; 16]);
                    (h.compressed_size, h.uncompressed_size) = (u32::MAX, u32::MAX);
                })),
                Err(here(36).breaks_by(Overlap, u64::MAX, 36)),
            ),
            (
                "zip64 field too short",
                one(file("a").edit_central(|h| {
                    h.extra = extra::field(1, &[0; 7]);
                    h.compressed_size = u32::MAX;
                })),
                Err(here(36).breaks_by(Zip64ExtraShort, 0, 7)),
            ),
            ("zip64", one(file("a").zip64(Saturated::NONE, Saturated::ALL)), Ok(())),
        ];
        for (name, archive, expected) in table {
            assert_eq!(judged(&archive, &Limits::default()), expected, "{name}");
        }
    }

    #[test]
    fn a_size_beyond_what_the_method_or_the_limits_allow_is_refused() {
        let data = [0; 10];
        let declaring = |size| one(builder::Entry::raw("a", 8, data, 0, size));
        let limits = |expansion_ratio, expansion_free| Limits {
            expansion_ratio,
            expansion_free,
            ..Limits::default()
        };
        let table = [
            ("the limit's ratio", 24, limits(2, 4), None),
            ("past it", 25, limits(2, 4), Some(24)),
            ("the method's", 11_000, limits(u64::MAX, 0), None),
            ("past it", 11_001, limits(u64::MAX, 0), Some(11_000)),
        ];
        for (name, size, limits, most) in table {
            let place = at(Record::CentralDirectoryHeader, 41);
            let expected =
                most.map_or(Ok(()), |most| Err(place.exceeds(Limit::ExpansionRatio, most, size)));
            assert_eq!(judged(&declaring(size), &limits), expected, "{name}");
        }
    }

    #[test]
    fn the_local_header_is_held_to_the_directory() {
        use Rule::*;
        type Header = record::LocalFileHeader;
        let here = at(Record::LocalFileHeader, 0);
        let edited = |edit: fn(&mut Header)| one(file("a").edit_local(edit));
        let with_extra = |extra: Vec<u8>, csize: u32| {
            one(file("a").edit_local(move |h| {
                h.extra.clone_from(&extra);
                h.compressed_size = csize;
            }))
        };
        let zip64_of = |size: u64| extra::field(1, &size.to_le_bytes());
        let described =
            |edit: fn(&mut Header)| one(file("a").descriptor(Form::BARE_32).edit_local(edit));
        let (all, none) = (Saturated::SIZES, Saturated::NONE);
        let table: Vec<(&str, Archive, Result<u64, Refusal>)> = vec![
            ("good", one(file("a")), Ok(31)),
            ("extra field", one(file("a").extra(extra::field(0x5455, b"12345"))), Ok(40)),
            ("zip64", one(file("a").zip64(all, none)), Ok(51)),
            ("time, version", edited(|h| (h.time, h.date, h.version_needed) = (1, 2, 99)), Ok(31)),
            ("other flags", edited(|h| h.flags |= 0b110 | 1 << 11), Ok(31)),
            ("signature", edited(|h| h.signature ^= 1), Err(here.breaks(LocalSignature))),
            (
                "reaches further",
                edited(|h| h.declared_extra_len = Some(1)),
                Err(here.breaks_by(Overlap, 37, 36)),
            ),
            ("name", edited(|h| h.name = b"b".to_vec()), Err(here.breaks(LocalName))),
            (
                "overrun",
                with_extra(b"UT\x01\0".to_vec(), 5),
                Err(here.breaks_by(ExtraOverrun, 1, 0)),
            ),
            ("method", edited(|h| h.method = 8), Err(here.breaks_by(LocalMethod, 0, 8))),
            ("encrypted", edited(|h| h.flags |= 1), Err(here.breaks_by(LocalFlags, 0, 1))),
            ("descriptor", edited(|h| h.flags |= 8), Err(here.breaks_by(LocalFlags, 0, 8))),
            ("no descriptor", described(|h| h.flags &= !8), Err(here.breaks_by(LocalFlags, 8, 0))),
            (
                "compressed size",
                edited(|h| h.compressed_size = 6),
                Err(here.breaks_by(LocalSize, 5, 6)),
            ),
            ("size", edited(|h| h.uncompressed_size = 4), Err(here.breaks_by(LocalSize, 5, 4))),
            (
                "saturated without zip64",
                edited(|h| h.compressed_size = u32::MAX),
                Err(here.breaks_by(LocalSize, 5, 0xffff_ffff)),
            ),
            (
                "zip64 size",
                with_extra(zip64_of(1 << 32), u32::MAX),
                Err(here.breaks_by(LocalSize, 5, 1 << 32)),
            ),
            (
                "zip64 too short",
                with_extra(extra::field(1, &[5, 0]), u32::MAX),
                Err(here.breaks_by(Zip64ExtraShort, 0, 2)),
            ),
            (
                "zip64 twice",
                with_extra([zip64_of(5), zip64_of(6)].concat(), u32::MAX),
                Err(here.breaks(Zip64ExtraTwice)),
            ),
            (
                "CRC-32",
                edited(|h| h.crc32 = 1),
                Err(here.breaks_by(LocalCrc, fixtures::crc32(b"hello").into(), 1)),
            ),
            (
                "anything before a descriptor",
                described(|h| (h.crc32, h.compressed_size, h.uncompressed_size) = (1, 2, 3)),
                Ok(31),
            ),
        ];
        for (name, archive, expected) in table {
            let built = archive.build_placed();
            let directory = directory(&built);
            let entry = directory.entries().next().unwrap();
            let boundary = directory.boundary(&entry);
            let got = of_local_header(&entry, directory.raw_name(&entry), boundary, &built.bytes);
            assert_eq!(got, expected, "{name}");
            if let Ok(data_offset) = expected {
                assert_eq!(local_header_len(&built.bytes), Some(data_offset), "{name}");
                let short = &built.bytes[..data_offset as usize - 1];
                let got = of_local_header(&entry, directory.raw_name(&entry), boundary, short);
                assert_eq!(got, Err(here.breaks(LocalSignature)), "{name}, a byte missing");
            }
        }
    }

    #[test]
    fn a_data_descriptor_of_any_form_says_what_the_directory_says() {
        for form in Form::ALL {
            let built = one(file("a").descriptor(form)).build_placed();
            let entry = directory(&built).entries().next().unwrap();
            let end = built.directory_offset;
            assert_eq!(of_descriptor(&entry, 36, &built.bytes[36..end]), Ok(()), "{form:?}");
            let refused = Err(at(Record::DataDescriptor, 36).breaks(Rule::Descriptor));
            for offset in 36..end {
                let mut bytes = built.bytes.clone();
                bytes[offset] ^= 1;
                let got = of_descriptor(&entry, 36, &bytes[36..end]);
                assert_eq!(got, refused, "{form:?}, byte {offset}");
            }
            let short = &built.bytes[36..end - 1];
            assert_eq!(of_descriptor(&entry, 36, short), refused, "{form:?}, a byte missing");
        }
    }
}

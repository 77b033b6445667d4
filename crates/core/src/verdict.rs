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
    let ratio = limits.expansion_ratio.min(entry.method.expansion_bound());
    let most = compressed.saturating_mul(ratio).saturating_add(limits.expansion_free);
    if uncompressed > most {
        return Err(place.exceeds(Limit::ExpansionRatio, most, uncompressed));
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

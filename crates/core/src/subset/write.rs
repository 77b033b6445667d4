//! The records of a subset, written (APPNOTE 4.3.7, 4.3.12, 4.3.14 to 4.3.16).

use crate::entry::{Entry, resolve_zip64};
use crate::method::CompressionMethod;
use crate::record::{
    CentralDirectoryHeader, EndOfCentralDirectory, ExtraField, ExtraFields, LocalFileHeader,
    SENTINEL_16, SENTINEL_32, UnicodePath, Zip64EndOfCentralDirectoryLocator,
    Zip64EndOfCentralDirectoryRecord, Zip64Extra,
};

/// The version that zip64 needs (APPNOTE 4.4.3.2).
const ZIP64_VERSION: u16 = 45;
/// Bits 1 and 2, which say more about the method, and 11, UTF-8. Bit 3 goes with the descriptor;
/// the others are of entries that are refused, or reserved.
const FLAGS_KEPT: u16 = 1 << 11 | 1 << 2 | 1 << 1;
/// ID and size of an extra field.
const FIELD_HEAD_LEN: usize = 4;
/// Bytes of a zip64 extra field with both sizes and the offset.
const ZIP64_FIELD_LEN: usize = FIELD_HEAD_LEN + 3 * 8;

/// Header IDs of the extra fields that are kept (APPNOTE 4.5.2, 4.6.1): those that describe the
/// file and mean the same wherever it lies, and are the same in both headers.
///
/// Left out: what belongs to the old archive (zip64, padding), signatures, and fields whose local
/// form has more than the directory says, such as the older ones of Info-ZIP.
mod kept {
    /// Extended timestamp. Written anew with the time of modification alone, which is all that a
    /// directory has of it.
    pub(super) const TIMESTAMP: u16 = 0x5455;
    /// Times of NTFS.
    pub(super) const NTFS: u16 = 0x000a;
    /// Unix owner.
    pub(super) const OWNER: u16 = 0x7875;
    /// Unix mode, owner and link by ASi.
    pub(super) const ASI_UNIX: u16 = 0x756e;
    /// The comment in UTF-8; only a directory has comments.
    pub(super) const UNICODE_COMMENT: u16 = 0x6375;
}

/// Appends the central directory header of an entry whose local header stands at
/// `local_header_offset` of the subset.
pub(super) fn central_header(
    out: &mut Vec<u8>,
    original: &CentralDirectoryHeader<'_>,
    entry: &Entry,
    local_header_offset: u64,
) {
    let (compressed, uncompressed) =
        (entry.declared_compressed_size, entry.declared_uncompressed_size);
    let mut zip64 = Vec::new();
    for value in [uncompressed, compressed, local_header_offset] {
        if value >= SENTINEL_32.into() {
            zip64.extend_from_slice(&value.to_le_bytes());
        }
    }
    let mut version_needed = original.version_needed & 0xff;
    let mut extra = Vec::new();
    if !zip64.is_empty() {
        version_needed = version_needed.max(ZIP64_VERSION);
        push_field(&mut extra, Zip64Extra::ID, &zip64);
    }
    for field in ExtraFields::new(original.extra).flatten() {
        // So that a zip64 field fits beside them in either header.
        if extra.len() + FIELD_HEAD_LEN + field.data.len() + ZIP64_FIELD_LEN <= u16::MAX.into() {
            push_kept(&mut extra, &field);
        }
    }
    // Some producers write no data at all for an empty file, which not every reader of DEFLATE
    // takes for a stream.
    let method = match (compressed, uncompressed) {
        (0, 0) => CompressionMethod::STORED,
        _ => original.method,
    };
    out.extend_from_slice(&CentralDirectoryHeader::SIGNATURE);
    push_u16(out, original.version_made_by);
    push_u16(out, version_needed);
    push_u16(out, original.flags.0 & FLAGS_KEPT);
    push_u16(out, method.0);
    push_u16(out, original.modified_time);
    push_u16(out, original.modified_date);
    push_u32(out, entry.declared_crc32);
    push_u32(out, saturated(compressed));
    push_u32(out, saturated(uncompressed));
    // Each at most what it was, or bounded above.
    push_u16(out, original.name.len() as u16);
    push_u16(out, extra.len() as u16);
    push_u16(out, original.comment.len() as u16);
    push_u16(out, 0);
    push_u16(out, original.internal_attributes);
    push_u32(out, original.external_attributes);
    push_u32(out, saturated(local_header_offset));
    out.extend_from_slice(original.name);
    out.extend_from_slice(&extra);
    out.extend_from_slice(original.comment);
}

/// The local file header that belongs to a header which [`central_header`] wrote.
pub(super) fn local_header(central: &CentralDirectoryHeader<'_>) -> Vec<u8> {
    // Written above: it holds what the sentinels ask for.
    let zip64 = resolve_zip64(central.extra, central.saturated()).unwrap_or_default();
    let compressed = zip64.compressed_size.unwrap_or(central.compressed_size.into());
    let uncompressed = zip64.uncompressed_size.unwrap_or(central.uncompressed_size.into());
    let mut extra = Vec::new();
    let needs_zip64 = compressed.max(uncompressed) >= SENTINEL_32.into();
    if needs_zip64 {
        // Both of them, always (APPNOTE 4.5.3).
        let sizes = [uncompressed.to_le_bytes(), compressed.to_le_bytes()].concat();
        push_field(&mut extra, Zip64Extra::ID, &sizes);
    }
    for field in ExtraFields::new(central.extra).flatten() {
        if ![Zip64Extra::ID, kept::UNICODE_COMMENT].contains(&field.id) {
            push_field(&mut extra, field.id, field.data);
        }
    }
    let shown = |size| if needs_zip64 { SENTINEL_32 } else { saturated(size) };
    let mut out = Vec::with_capacity(LocalFileHeader::FIXED_LEN + central.name.len() + extra.len());
    out.extend_from_slice(&LocalFileHeader::SIGNATURE);
    push_u16(&mut out, central.version_needed);
    push_u16(&mut out, central.flags.0);
    push_u16(&mut out, central.method.0);
    push_u16(&mut out, central.modified_time);
    push_u16(&mut out, central.modified_date);
    push_u32(&mut out, central.crc32);
    push_u32(&mut out, shown(compressed));
    push_u32(&mut out, shown(uncompressed));
    push_u16(&mut out, central.name.len() as u16);
    push_u16(&mut out, extra.len() as u16);
    out.extend_from_slice(central.name);
    out.extend_from_slice(&extra);
    out
}

/// The end of central directory record, with zip64 record and locator where a field needs them.
pub(super) fn end_records(entries: u64, directory_size: u64, directory_offset: u64) -> Vec<u8> {
    let mut out = Vec::new();
    if entries >= SENTINEL_16.into()
        || directory_size >= SENTINEL_32.into()
        || directory_offset >= SENTINEL_32.into()
    {
        out.extend_from_slice(&Zip64EndOfCentralDirectoryRecord::SIGNATURE);
        push_u64(&mut out, Zip64EndOfCentralDirectoryRecord::RECORD_SIZE);
        push_u16(&mut out, ZIP64_VERSION);
        push_u16(&mut out, ZIP64_VERSION);
        push_u32(&mut out, 0);
        push_u32(&mut out, 0);
        push_u64(&mut out, entries);
        push_u64(&mut out, entries);
        push_u64(&mut out, directory_size);
        push_u64(&mut out, directory_offset);
        out.extend_from_slice(&Zip64EndOfCentralDirectoryLocator::SIGNATURE);
        push_u32(&mut out, 0);
        push_u64(&mut out, directory_offset + directory_size);
        push_u32(&mut out, 1);
    }
    let short_entries = u16::try_from(entries).unwrap_or(SENTINEL_16);
    out.extend_from_slice(&EndOfCentralDirectory::SIGNATURE);
    push_u16(&mut out, 0);
    push_u16(&mut out, 0);
    push_u16(&mut out, short_entries);
    push_u16(&mut out, short_entries);
    push_u32(&mut out, saturated(directory_size));
    push_u32(&mut out, saturated(directory_offset));
    push_u16(&mut out, 0);
    out
}

fn push_kept(extra: &mut Vec<u8>, field: &ExtraField<'_>) {
    match field.id {
        kept::TIMESTAMP => {
            // Flags, then the time of modification where bit 0 says so.
            if let [flags, a, b, c, d, ..] = *field.data
                && flags & 1 != 0
            {
                push_field(extra, field.id, &[1, a, b, c, d]);
            }
        }
        kept::NTFS | kept::OWNER | kept::ASI_UNIX | kept::UNICODE_COMMENT | UnicodePath::ID => {
            push_field(extra, field.id, field.data);
        }
        _ => {}
    }
}

fn push_field(extra: &mut Vec<u8>, id: u16, data: &[u8]) {
    push_u16(extra, id);
    push_u16(extra, data.len() as u16);
    extra.extend_from_slice(data);
}

/// A 32-bit field that says "see the zip64 extra field" where it cannot hold the value.
fn saturated(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(SENTINEL_32)
}

fn push_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn push_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn push_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

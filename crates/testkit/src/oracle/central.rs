//! Rules 1 to 3: which central directory is the archive's, and what it lists.

use super::{OracleRefusal, is_signature, refuse, slice, u16_at, u32_at, u64_at};

/// The central directory of an archive.
pub(super) struct Directory<'a> {
    /// Where its first header stands.
    pub(super) start: u64,
    /// What to add to every offset that the archive declares.
    pub(super) base_offset: u64,
    pub(super) headers: Vec<CentralHeader<'a>>,
}

/// The fields of APPNOTE 4.3.12 that the rules look at, as written.
pub(super) struct CentralHeader<'a> {
    pub(super) version_made_by: u16,
    pub(super) version_needed: u16,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc32: u32,
    pub(super) compressed_size: u32,
    pub(super) uncompressed_size: u32,
    pub(super) disk_start: u16,
    pub(super) external_attributes: u32,
    pub(super) local_header_offset: u32,
    pub(super) name: &'a [u8],
    pub(super) extra: &'a [u8],
}

pub(super) fn read_directory(bytes: &[u8]) -> Result<Directory<'_>, OracleRefusal> {
    let eocd = find_end(bytes)?;
    let end = resolve_end(bytes, eocd)?;

    // Rule 3.
    if end.disk != 0 || end.directory_disk != 0 {
        return refuse(3, "a disk number other than 0");
    }
    if end.entries_on_disk != end.entries_total {
        return refuse(3, "the two counts differ");
    }
    let proper = end.directory_size.checked_add(end.directory_offset);
    let Some(base_offset) = proper.and_then(|proper| end.directory_end.checked_sub(proper)) else {
        return refuse(3, "the directory does not fit before the end records");
    };
    let start = base_offset + end.directory_offset;
    if base_offset > 0 {
        if !is_signature(bytes, start, b"PK\x01\x02") {
            return refuse(3, "no central header where the directory should begin");
        }
        if is_signature(bytes, end.directory_offset, b"PK\x01\x02") {
            return refuse(3, "central headers both with and without the prefix");
        }
    }
    let Some(directory) = slice(bytes, start, end.directory_size) else {
        return refuse(3, "the directory is not inside the file");
    };
    let mut headers = Vec::new();
    let mut at = 0;
    while is_signature(directory, at, b"PK\x01\x02") {
        let Some((header, next)) = parse_header(directory, at) else {
            return refuse(3, "a central header overruns the directory");
        };
        headers.push(header);
        at = next;
    }
    if headers.len() as u64 != end.entries_total {
        return refuse(3, "the count differs from the headers there are");
    }
    let left = end.directory_size - at;
    if left > 0 {
        let fills = is_signature(directory, at, b"PK\x05\x05")
            && u16_at(directory, at + 4).is_some_and(|size| left == 6 + u64::from(size));
        if !fills {
            return refuse(3, "bytes in the directory that are no header");
        }
    }
    Ok(Directory { start, base_offset, headers })
}

/// Rule 1: the offset of the end of central directory record.
fn find_end(bytes: &[u8]) -> Result<u64, OracleRefusal> {
    let len = bytes.len() as u64;
    let first = len.saturating_sub(65_557 + 4_096);
    let signatures: Vec<u64> =
        (first..len).filter(|&at| is_signature(bytes, at, b"PK\x05\x06")).collect();

    let mut fitting = Vec::new();
    let mut ending = Vec::new();
    for &at in &signatures {
        let Some(comment_size) = u16_at(bytes, at + 20) else { continue };
        let end = at + 22 + u64::from(comment_size);
        let Some(after) = len.checked_sub(end) else { continue };
        fitting.push(at);
        let zeros = slice(bytes, end, after).is_some_and(|rest| rest.iter().all(|&b| b == 0));
        if after <= 4_096 && zeros {
            ending.push(at);
        }
    }
    if ending.len() > 1 {
        return refuse(1, "two end records end at the end of the file");
    }
    let Some(&chosen) = ending.first().or(fitting.last()) else {
        return refuse(1, "no end record");
    };
    if signatures.iter().any(|&at| at > chosen) {
        return refuse(1, "an end record's signature after the end record");
    }
    Ok(chosen)
}

/// The end records' word on the directory, zip64 or not.
struct End {
    disk: u64,
    directory_disk: u64,
    entries_on_disk: u64,
    entries_total: u64,
    directory_size: u64,
    directory_offset: u64,
    /// Where the directory must end: at the first of the end records.
    directory_end: u64,
}

/// Rule 2.
fn resolve_end(bytes: &[u8], eocd: u64) -> Result<End, OracleRefusal> {
    let cut = OracleRefusal { rule: 1, reason: "the end record is cut" };
    let field16 = |at| u16_at(bytes, eocd + at).ok_or(cut);
    let field32 = |at| u32_at(bytes, eocd + at).ok_or(cut);
    let short = End {
        disk: field16(4)?.into(),
        directory_disk: field16(6)?.into(),
        entries_on_disk: field16(8)?.into(),
        entries_total: field16(10)?.into(),
        directory_size: field32(12)?.into(),
        directory_offset: field32(16)?.into(),
        directory_end: eocd,
    };
    let Some(locator) = eocd.checked_sub(20) else { return Ok(short) };
    if !is_signature(bytes, locator, b"PK\x06\x07") {
        return Ok(short);
    }

    let cut = OracleRefusal { rule: 2, reason: "no zip64 record directly before the locator" };
    if u32_at(bytes, locator + 4) != Some(0) || u32_at(bytes, locator + 16) != Some(1) {
        return refuse(2, "the locator is of an archive on several disks");
    }
    let record = u64_at(bytes, locator + 8).ok_or(cut)?;
    if record.checked_add(56) != Some(locator) || !is_signature(bytes, record, b"PK\x06\x06") {
        return Err(cut);
    }
    if u64_at(bytes, record + 4) != Some(44) {
        return refuse(2, "the zip64 record's size is not 44");
    }
    let long = End {
        disk: u32_at(bytes, record + 16).ok_or(cut)?.into(),
        directory_disk: u32_at(bytes, record + 20).ok_or(cut)?.into(),
        entries_on_disk: u64_at(bytes, record + 24).ok_or(cut)?,
        entries_total: u64_at(bytes, record + 32).ok_or(cut)?,
        directory_size: u64_at(bytes, record + 40).ok_or(cut)?,
        directory_offset: u64_at(bytes, record + 48).ok_or(cut)?,
        directory_end: record,
    };
    for (short, long, sentinel) in [
        (short.disk, long.disk, 0xffff),
        (short.directory_disk, long.directory_disk, 0xffff),
        (short.entries_on_disk, long.entries_on_disk, 0xffff),
        (short.entries_total, long.entries_total, 0xffff),
        (short.directory_size, long.directory_size, 0xffff_ffff),
        (short.directory_offset, long.directory_offset, 0xffff_ffff),
    ] {
        if short != sentinel && short != long {
            return refuse(2, "the end record contradicts the zip64 record");
        }
    }
    Ok(long)
}

/// The header at `at` and the offset after it, if all of it lies inside the directory.
fn parse_header(directory: &[u8], at: u64) -> Option<(CentralHeader<'_>, u64)> {
    let field16 = |offset| u16_at(directory, at + offset);
    let field32 = |offset| u32_at(directory, at + offset);
    let name_size = u64::from(field16(28)?);
    let extra_size = u64::from(field16(30)?);
    let comment_size = u64::from(field16(32)?);
    let next = at + 46 + name_size + extra_size + comment_size;
    slice(directory, at, next - at)?;
    let header = CentralHeader {
        version_made_by: field16(4)?,
        version_needed: field16(6)?,
        flags: field16(8)?,
        method: field16(10)?,
        crc32: field32(16)?,
        compressed_size: field32(20)?,
        uncompressed_size: field32(24)?,
        disk_start: field16(34)?,
        external_attributes: field32(38)?,
        local_header_offset: field32(42)?,
        name: slice(directory, at + 46, name_size)?,
        extra: slice(directory, at + 46 + name_size, extra_size)?,
    };
    Some((header, next))
}

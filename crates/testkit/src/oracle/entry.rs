//! Rules 4 to 9: what becomes of one central directory header.

use std::collections::BTreeMap;
use std::ops::Bound;

use flate2::{Decompress, FlushDecompress, Status};

use super::central::{CentralHeader, Directory};
use super::{OracleRefusal, is_signature, refuse, slice, u16_at, u32_at, u64_at};

/// What an entry must know of the others.
pub(super) struct Neighbours<'a> {
    /// How many files and how many empty directories each raw name stands for.
    names: BTreeMap<&'a [u8], Names>,
    /// How many headers point at each offset.
    local_headers: BTreeMap<u64, usize>,
}

#[derive(Clone, Copy, Default)]
struct Names {
    files: usize,
    directories: usize,
    /// Where the first of them stands in the directory.
    first: usize,
}

impl<'a> Neighbours<'a> {
    pub(super) fn of(directory: &Directory<'a>) -> Self {
        let mut names: BTreeMap<&[u8], Names> = BTreeMap::new();
        let mut local_headers = BTreeMap::new();
        for (index, header) in directory.headers.iter().enumerate() {
            let new = Names { first: index, ..Names::default() };
            let names = names.entry(header.name).or_insert(new);
            // A zip64 field that lacks some other value changes nothing of a size that is there.
            let size = resolve_by_whole_fields(header)
                .map_or(u64::from(header.uncompressed_size), |(values, _)| values[0]);
            if is_directory(header.name) && size == 0 {
                names.directories += 1;
            } else {
                names.files += 1;
            }
            if let Some(offset) = local_header_offset(directory, header) {
                *local_headers.entry(offset).or_default() += 1;
            }
        }
        Self { names, local_headers }
    }

    /// Whether the header at `index` is the first of its name.
    pub(super) fn is_first(&self, index: usize, header: &CentralHeader<'_>) -> bool {
        self.names.get(header.name).is_some_and(|names| names.first == index)
    }

    fn is_listed(&self, name: &[u8]) -> bool {
        self.names.contains_key(name)
    }
}

/// Reads one entry; `is_chosen` where it may have its name although others have it too.
pub(super) fn read_entry(
    bytes: &[u8],
    directory: &Directory<'_>,
    neighbours: &Neighbours<'_>,
    header: &CentralHeader<'_>,
    is_chosen: bool,
) -> Result<Vec<u8>, OracleRefusal> {
    check_name(header)?;
    check_kind(header)?;
    let ([uncompressed_size, compressed_size, _], disk_start) = resolve_central(header)?;
    if disk_start != 0 {
        return refuse(9, "the entry starts on another disk");
    }
    if is_directory(header.name) && uncompressed_size != 0 {
        return refuse(9, "a directory with data");
    }

    // Rule 8, and its cousin in rule 9.
    let names = neighbours.names.get(header.name).copied().unwrap_or_default();
    let is_listed_twice = names.files > 1 || (names.files > 0 && names.directories > 0);
    if is_listed_twice && !is_chosen {
        return refuse(8, "the name stands twice");
    }
    let twin_is_listed = match header.name.strip_suffix(b"/") {
        Some(file) => !is_directory(file) && neighbours.is_listed(file),
        None => neighbours.is_listed(&[header.name, b"/"].concat()),
    };
    if twin_is_listed {
        return refuse(9, "a file and a directory of one name");
    }

    // Rule 6, as far as offsets go.
    let Some(local) = local_header_offset(directory, header) else {
        return refuse(6, "the local header offset is past any file");
    };
    if neighbours.local_headers.get(&local).copied() != Some(1) {
        return refuse(6, "two entries share a local header");
    }
    let next = neighbours.local_headers.range((Bound::Excluded(local), Bound::Unbounded)).next();
    let boundary = next.map_or(directory.start, |(&next, _)| next.min(directory.start));

    // Rules 4 and 5.
    let outside = OracleRefusal { rule: 6, reason: "the entry runs into what follows it" };
    if local.checked_add(30).is_none_or(|end| end > boundary) {
        return Err(outside);
    }
    if !is_signature(bytes, local, b"PK\x03\x04") {
        return refuse(5, "no local header at its offset");
    }
    let field16 = |at| u16_at(bytes, local + at).ok_or(outside);
    let field32 = |at| u32_at(bytes, local + at).ok_or(outside);
    let (flags, method) = (field16(6)?, field16(8)?);
    let (name_size, extra_size) = (u64::from(field16(26)?), u64::from(field16(28)?));
    let name = slice(bytes, local + 30, name_size).ok_or(outside)?;
    if name != header.name {
        return refuse(4, "the local header has another name");
    }
    let data_offset = local + 30 + name_size + extra_size;
    let data_end = data_offset.checked_add(compressed_size).ok_or(outside)?;
    if data_end > boundary {
        return Err(outside);
    }
    let extra = slice(bytes, local + 30 + name_size, extra_size).ok_or(outside)?;
    let extra = extra_fields(extra)?;
    let data = slice(bytes, data_offset, compressed_size).ok_or(outside)?;
    if method != header.method {
        return refuse(5, "the local header has another method");
    }
    if (flags ^ header.flags) & 0b1001 != 0 {
        return refuse(5, "the local header differs in bit 0 or bit 3");
    }
    if flags & 0b1000 == 0 {
        let ([local_uncompressed, local_compressed, _], _) =
            resolve([field32(22)?, field32(18)?, 0], 0, &extra)?;
        if local_uncompressed != uncompressed_size || local_compressed != compressed_size {
            return refuse(5, "the local header has other sizes");
        }
        if field32(14)? != header.crc32 {
            return refuse(5, "the local header has another CRC-32");
        }
    } else {
        let room = slice(bytes, data_end, boundary - data_end).ok_or(outside)?;
        if !has_descriptor(room, header.crc32, compressed_size, uncompressed_size) {
            return refuse(5, "no data descriptor that agrees");
        }
    }

    // Rule 7.
    let content = match header.method {
        0 if compressed_size != uncompressed_size => {
            return refuse(7, "a stored entry of two sizes");
        }
        0 => data.to_vec(),
        // Some writers leave even the two bytes of an empty DEFLATE stream out.
        _ if compressed_size == 0 && uncompressed_size == 0 => Vec::new(),
        _ => inflate(data, uncompressed_size)?,
    };
    if crc32fast::hash(&content) != header.crc32 {
        return refuse(7, "the CRC-32 is wrong");
    }
    Ok(content)
}

/// Rule 9 on the name alone.
fn check_name(header: &CentralHeader<'_>) -> Result<(), OracleRefusal> {
    let name = header.name;
    if name.is_empty() {
        return refuse(9, "an empty name");
    }
    if matches!(name[0], b'/' | b'\\') {
        return refuse(9, "an absolute name");
    }
    if name.len() >= 2 && name[0].is_ascii_alphabetic() && name[1] == b':' {
        return refuse(9, "a name with a drive");
    }
    if name.iter().any(u8::is_ascii_control) {
        return refuse(9, "a control character in the name");
    }
    if name == b"." || name.split(|b| matches!(b, b'/' | b'\\')).any(|part| part == b"..") {
        return refuse(9, "a dot segment in the name");
    }
    if header.flags & 1 << 11 != 0 && std::str::from_utf8(name).is_err() {
        return refuse(9, "a name that is not UTF-8 though bit 11 says so");
    }
    Ok(())
}

/// Rule 9 on everything else that the central header says by itself.
fn check_kind(header: &CentralHeader<'_>) -> Result<(), OracleRefusal> {
    if header.flags & 1 != 0 {
        return refuse(9, "encrypted");
    }
    if header.flags & (1 << 5 | 1 << 6 | 1 << 13) != 0 {
        return refuse(9, "patched data, strong encryption or masked headers");
    }
    if header.version_needed & 0xff > 63 {
        return refuse(9, "version needed over 6.3");
    }
    let (maker, mode) = (header.version_made_by >> 8, header.external_attributes >> 16);
    let file_type = mode & 0o170_000;
    if matches!(maker, 3 | 19) && ![0, 0o100_000, 0o040_000, 0o120_000].contains(&file_type) {
        return refuse(9, "a special file");
    }
    if !matches!(header.method, 0 | 8) {
        return refuse(9, super::OTHER_METHOD);
    }
    Ok(())
}

fn is_directory(name: &[u8]) -> bool {
    name.ends_with(b"/")
}

/// The ids and data of an extra field area.
fn extra_fields(extra: &[u8]) -> Result<Vec<(u16, &[u8])>, OracleRefusal> {
    match whole_extra_fields(extra) {
        (_, true) => refuse(9, "an extra field overruns"),
        (fields, false) => Ok(fields),
    }
}

/// The fields that are there whole, and whether one behind them is not.
pub(super) fn whole_extra_fields(mut extra: &[u8]) -> (Vec<(u16, &[u8])>, bool) {
    let mut fields = Vec::new();
    while let (Some(id), Some(size)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some(data) = slice(extra, 4, size.into()) else {
            return (fields, true);
        };
        fields.push((id, data));
        extra = &extra[4 + data.len()..];
    }
    (fields, false)
}

/// Uncompressed size, compressed size, local header offset and start disk after zip64 resolution.
fn resolve(
    raw: [u32; 3],
    disk_start: u16,
    extra: &[(u16, &[u8])],
) -> Result<([u64; 3], u32), OracleRefusal> {
    let mut values = raw.map(u64::from);
    let mut disk = u32::from(disk_start);
    let zip64: Vec<&[u8]> =
        extra.iter().filter(|(id, _)| *id == 0x0001).map(|(_, data)| *data).collect();
    let needed = raw.contains(&u32::MAX) || disk_start == u16::MAX;
    if !needed || zip64.is_empty() {
        return Ok((values, disk));
    }
    if zip64.iter().any(|data| *data != zip64[0]) {
        return refuse(5, "two zip64 extra fields contradict");
    }
    let short = OracleRefusal { rule: 5, reason: "the zip64 extra field is too short" };
    let mut at = 0;
    for value in &mut values {
        if *value == u64::from(u32::MAX) {
            *value = u64_at(zip64[0], at).ok_or(short)?;
            at += 8;
        }
    }
    if disk_start == u16::MAX {
        disk = u32_at(zip64[0], at).ok_or(short)?;
    }
    Ok((values, disk))
}

fn resolve_central(header: &CentralHeader<'_>) -> Result<([u64; 3], u32), OracleRefusal> {
    extra_fields(header.extra)?;
    resolve_by_whole_fields(header)
}

/// What a header says to readers that do not mind an extra field that overruns. Its own entry is
/// refused; to the others it is what they take it for.
fn resolve_by_whole_fields(header: &CentralHeader<'_>) -> Result<([u64; 3], u32), OracleRefusal> {
    let raw = [header.uncompressed_size, header.compressed_size, header.local_header_offset];
    resolve(raw, header.disk_start, &whole_extra_fields(header.extra).0)
}

/// Where the local header stands in the file, if the header says so in a way that can be read.
fn local_header_offset(directory: &Directory<'_>, header: &CentralHeader<'_>) -> Option<u64> {
    let declared = match resolve_by_whole_fields(header) {
        Ok((values, _)) => values[2],
        Err(_) if header.local_header_offset == u32::MAX => return None,
        Err(_) => header.local_header_offset.into(),
    };
    directory.base_offset.checked_add(declared)
}

/// Rule 5: whether one form of descriptor stands at the beginning of `room` and agrees.
fn has_descriptor(room: &[u8], crc32: u32, compressed_size: u64, uncompressed_size: u64) -> bool {
    let crc32 = crc32.to_le_bytes();
    let wide = [compressed_size.to_le_bytes(), uncompressed_size.to_le_bytes()].concat();
    let mut forms = vec![[&crc32[..], &wide].concat()];
    if let (Ok(compressed), Ok(uncompressed)) =
        (u32::try_from(compressed_size), u32::try_from(uncompressed_size))
    {
        forms.push([crc32, compressed.to_le_bytes(), uncompressed.to_le_bytes()].concat());
    }
    forms.iter().any(|form| {
        room.starts_with(form)
            || room.strip_prefix(b"PK\x07\x08").is_some_and(|room| room.starts_with(form))
    })
}

/// Rule 7 for DEFLATE: the stream ends exactly at the end of `data` and at `uncompressed_size`.
///
/// All of it comes into one buffer: given in pieces, this decoder takes a distance that reaches
/// before the first byte for one into zeros.
fn inflate(data: &[u8], uncompressed_size: u64) -> Result<Vec<u8>, OracleRefusal> {
    // A byte of DEFLATE comes to 1,032 bytes at most: a match of 258 for two bits.
    let most = uncompressed_size.min(1_032 * data.len() as u64);
    let mut content = vec![0; most as usize + 1];
    let mut decoder = Decompress::new(false);
    let Ok(status) = decoder.decompress(data, &mut content, FlushDecompress::Finish) else {
        return refuse(7, "not a DEFLATE stream");
    };
    content.truncate(decoder.total_out() as usize);
    if content.len() as u64 > uncompressed_size {
        return refuse(7, "more content than declared");
    }
    if status != Status::StreamEnd {
        return refuse(7, "the DEFLATE stream does not end");
    }
    if decoder.total_in() != data.len() as u64 {
        return refuse(7, "bytes after the DEFLATE stream");
    }
    if (content.len() as u64) < uncompressed_size {
        return refuse(7, "less content than declared");
    }
    Ok(content)
}

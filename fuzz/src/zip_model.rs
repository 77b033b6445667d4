//! An archive's bytes as the records that they are, so that one of them can be changed and the rest
//! written as it was.
//!
//! What is parsed is written again byte for byte. Bytes that no record claims are kept as gaps; what
//! is no archive, or one whose records overlap, has no model.

use std::collections::BTreeMap;
use std::io::Read;

use entryway_testkit::record::{
    CentralDirectoryHeader, DATA_DESCRIPTOR, DataDescriptor, END_OF_CENTRAL_DIRECTORY,
    EndOfCentralDirectory, FLAG_DATA_DESCRIPTOR, LocalFileHeader, ZIP64_LOCATOR, ZIP64_RECORD,
    Zip64Locator, Zip64Record,
};
use entryway_testkit::{extra, record};
use flate2::read::DeflateDecoder;

/// The header ID of the zip64 extended information field (APPNOTE 4.5.3).
const ZIP64_FIELD: u16 = 0x0001;

/// Bytes of content, at most, whose length and CRC-32 are put right.
const CONTENT_LEN_MAX: u64 = 1 << 16;

/// An archive.
#[derive(Clone, Debug)]
pub struct Model {
    /// Local headers with what follows them, in the order of the file.
    pub members: Vec<Member>,
    /// Bytes between the last member and the directory.
    pub before_directory: Vec<u8>,
    /// The directory's headers.
    pub directory: Vec<Listed>,
    /// Bytes behind the last header that count as directory.
    pub directory_tail: Vec<u8>,
    /// Bytes between the directory and the end records.
    pub after_directory: Vec<u8>,
    /// The zip64 end records.
    pub zip64: Option<Zip64End>,
    /// The end record, with the comment.
    pub end: EndOfCentralDirectory,
    /// Bytes behind it.
    pub trailing: Vec<u8>,
    /// Bytes at the front that offsets do not count.
    pub base: u64,
}

/// A local header with what follows it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Bytes before the header.
    pub gap: Vec<u8>,
    /// The header.
    pub local: LocalFileHeader,
    /// The data as it stands in the file.
    pub data: Vec<u8>,
    /// The descriptor behind the data.
    pub descriptor: Option<DataDescriptor>,
}

/// A header of the directory.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The header.
    pub header: CentralDirectoryHeader,
    /// Which member it points at.
    pub member: Option<usize>,
}

/// The zip64 end records.
#[derive(Clone, Debug)]
pub struct Zip64End {
    /// The record.
    pub record: Zip64Record,
    /// Bytes between the two.
    pub gap: Vec<u8>,
    /// The locator.
    pub locator: Zip64Locator,
}

/// Where the parts of a model come to stand.
#[derive(Clone, Debug, Default)]
struct Layout {
    members: Vec<u64>,
    directory: u64,
    directory_end: u64,
    zip64: u64,
}

/// What to put right in a model.
#[derive(Clone, Copy, Debug)]
pub struct Mend {
    /// Names, methods and the flags that have to agree, of local headers as in the directory.
    pub identity: bool,
    /// Sizes and CRC-32s, as the data have them.
    pub sizes: bool,
    /// Offsets, counts and the directory's size.
    pub places: bool,
}

impl Model {
    /// The model of an archive.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let reader = Reader(bytes);
        let end_offset = (0..bytes.len().saturating_sub(21)).rev().find(|&at| {
            reader.is(at, END_OF_CENTRAL_DIRECTORY)
                && reader.u16(at + 20).is_some_and(|len| at + 22 + usize::from(len) <= bytes.len())
        })?;
        let (end, trailing_offset) = reader.end(end_offset)?;
        let zip64 = reader.zip64(end_offset);
        let numbers = match &zip64 {
            Some((zip64, at)) => (zip64.record.directory_offset, zip64.record.directory_size, *at),
            None => (end.directory_offset.into(), end.directory_size.into(), end_offset),
        };
        let (declared_offset, size, end_records) = numbers;
        let (declared_offset, size) =
            (usize::try_from(declared_offset).ok()?, usize::try_from(size).ok()?);
        let is_in_front = |at: usize| {
            at.checked_add(size).is_some_and(|directory_end| directory_end <= end_records)
        };
        let start = if is_in_front(declared_offset)
            && reader.is(declared_offset, record::CENTRAL_DIRECTORY_HEADER)
        {
            declared_offset
        } else {
            end_records.checked_sub(size).filter(|&at| at >= declared_offset)?
        };
        let base = start - declared_offset;
        let directory_end = start + size;

        let mut directory = Vec::new();
        let mut at = start;
        while let Some((header, next)) = reader.central(at, directory_end) {
            directory.push(Listed { header, member: None });
            at = next;
        }
        let (members, before_directory) = members(&reader, &mut directory, base, start)?;
        Some(Self {
            members,
            before_directory,
            directory,
            directory_tail: bytes[at..directory_end].to_vec(),
            after_directory: bytes[directory_end..end_records].to_vec(),
            zip64: zip64.map(|(zip64, _)| zip64),
            end,
            trailing: bytes[trailing_offset..].to_vec(),
            base: base as u64,
        })
    }

    /// The archive.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.write().0
    }

    fn write(&self) -> (Vec<u8>, Layout) {
        let (mut out, mut layout) = (Vec::new(), Layout::default());
        for member in &self.members {
            out.extend_from_slice(&member.gap);
            layout.members.push(out.len() as u64);
            member.local.write(&mut out);
            out.extend_from_slice(&member.data);
            if let Some(descriptor) = &member.descriptor {
                descriptor.write(&mut out);
            }
        }
        out.extend_from_slice(&self.before_directory);
        layout.directory = out.len() as u64;
        for listed in &self.directory {
            listed.header.write(&mut out);
        }
        out.extend_from_slice(&self.directory_tail);
        layout.directory_end = out.len() as u64;
        out.extend_from_slice(&self.after_directory);
        layout.zip64 = out.len() as u64;
        if let Some(zip64) = &self.zip64 {
            zip64.record.write(&mut out);
            out.extend_from_slice(&zip64.gap);
            zip64.locator.write(&mut out);
        }
        self.end.write(&mut out);
        out.extend_from_slice(&self.trailing);
        (out, layout)
    }

    /// Puts right what `mend` says, and leaves the rest as it is.
    pub fn mend(&mut self, mend: Mend) {
        for listed in &mut self.directory {
            let header = &mut listed.header;
            let Some(member) = listed.member.and_then(|index| self.members.get_mut(index)) else {
                continue;
            };
            if mend.identity {
                member.local.name.clone_from(&header.name);
                member.local.method = header.method;
                header.flags &= !FLAG_DATA_DESCRIPTOR;
                header.flags |= FLAG_DATA_DESCRIPTOR * u16::from(member.descriptor.is_some());
                member.local.flags = header.flags;
            }
            if mend.sizes {
                member.state_sizes(header);
            }
        }
        if mend.places {
            self.state_places();
        }
    }

    fn state_places(&mut self) {
        // Extra fields may grow by a number that is stated in them; where they stand then does not
        // change their lengths again.
        for _ in 0..2 {
            let (_, layout) = self.write();
            for listed in &mut self.directory {
                let Some(offset) = listed.member.and_then(|index| layout.members.get(index)) else {
                    continue;
                };
                let [usize, csize, _] = central_numbers(&listed.header);
                state_central(&mut listed.header, [usize, csize, offset.wrapping_sub(self.base)]);
            }
        }
        let (_, layout) = self.write();
        let entries = self.directory.len() as u64;
        let size = layout.directory_end - layout.directory;
        let offset = layout.directory.wrapping_sub(self.base);
        let is_saturated = self.zip64.is_some() && self.end.directory_offset == u32::MAX;
        if let Some(Zip64End { record, locator, .. }) = &mut self.zip64 {
            (record.entries_on_disk, record.entries_total) = (entries, entries);
            (record.directory_size, record.directory_offset) = (size, offset);
            locator.record_offset = layout.zip64;
        }
        let end = &mut self.end;
        let count = if is_saturated { u16::MAX } else { entries as u16 };
        (end.entries_on_disk, end.entries_total) = (count, count);
        end.directory_size = if is_saturated { u32::MAX } else { size as u32 };
        end.directory_offset = if is_saturated { u32::MAX } else { offset as u32 };
    }
}

impl Member {
    /// What the data are when decoded, where that is known and short.
    #[must_use]
    pub fn content(&self, method: u16) -> Option<Vec<u8>> {
        match method {
            0 => Some(self.data.clone()),
            8 => {
                let mut content = Vec::new();
                let mut decoder = DeflateDecoder::new(&self.data[..]).take(CONTENT_LEN_MAX);
                decoder.read_to_end(&mut content).ok()?;
                Some(content)
            }
            _ => None,
        }
    }

    /// States sizes and CRC-32 in both headers and in the descriptor.
    fn state_sizes(&mut self, header: &mut CentralDirectoryHeader) {
        let content = self.content(header.method);
        let [old_len, _, offset] = central_numbers(header);
        let crc32 = content.as_ref().map_or(header.crc32, |content| crc32fast::hash(content));
        let usize = content.as_ref().map_or(old_len, |content| content.len() as u64);
        let csize = self.data.len() as u64;
        header.crc32 = crc32;
        state_central(header, [usize, csize, offset]);
        let local = &mut self.local;
        if local.flags & FLAG_DATA_DESCRIPTOR == 0 {
            local.crc32 = crc32;
            state(
                [&mut local.uncompressed_size, &mut local.compressed_size],
                [usize, csize],
                &mut local.extra,
                None,
            );
        }
        if let Some(descriptor) = &mut self.descriptor {
            descriptor.crc32 = crc32;
            (descriptor.compressed_size, descriptor.uncompressed_size) = (csize, usize);
        }
    }
}

/// The ids and data of an extra field area, and the bytes behind them.
#[must_use]
pub fn extra_fields(mut area: &[u8]) -> (Vec<(u16, Vec<u8>)>, &[u8]) {
    let mut fields = Vec::new();
    while let Some(([i0, i1, s0, s1], rest)) = area.split_first_chunk::<4>() {
        let size = usize::from(u16::from_le_bytes([*s0, *s1]));
        let Some((data, rest)) = rest.split_at_checked(size) else { break };
        fields.push((u16::from_le_bytes([*i0, *i1]), data.to_vec()));
        area = rest;
    }
    (fields, area)
}

/// The first zip64 field's data.
fn zip64_data(area: &[u8]) -> Option<Vec<u8>> {
    let (fields, _) = extra_fields(area);
    fields.into_iter().find(|(id, _)| *id == ZIP64_FIELD).map(|(_, data)| data)
}

/// Uncompressed size, compressed size and offset, as a reader would resolve them.
#[must_use]
pub fn central_numbers(header: &CentralDirectoryHeader) -> [u64; 3] {
    let fields = [header.uncompressed_size, header.compressed_size, header.local_header_offset];
    let data = zip64_data(&header.extra).unwrap_or_default();
    let mut values = data.chunks_exact(8);
    fields.map(|field| match field {
        u32::MAX => values
            .next()
            .and_then(|value| value.try_into().ok())
            .map_or(field.into(), u64::from_le_bytes),
        _ => field.into(),
    })
}

fn state_central(header: &mut CentralDirectoryHeader, values: [u64; 3]) {
    let disk = (header.disk_start == u16::MAX).then_some(0);
    let CentralDirectoryHeader {
        uncompressed_size,
        compressed_size,
        local_header_offset,
        extra,
        ..
    } = header;
    state([uncompressed_size, compressed_size, local_header_offset], values, extra, disk);
}

/// States values in their fields, or in the zip64 field where there is one and a field is a
/// sentinel.
fn state<const N: usize>(
    fields: [&mut u32; N],
    values: [u64; N],
    area: &mut Vec<u8>,
    disk: Option<u32>,
) {
    let (mut parsed, rest) = extra_fields(area);
    let rest = rest.to_vec();
    let zip64 = parsed.iter_mut().find(|(id, _)| *id == ZIP64_FIELD);
    let mut data = Vec::new();
    let has_zip64 = zip64.is_some();
    for (field, value) in fields.into_iter().zip(values) {
        if has_zip64 && *field == u32::MAX {
            data.extend_from_slice(&value.to_le_bytes());
        } else {
            *field = value as u32;
        }
    }
    if let (Some((_, stated)), false) = (zip64, data.is_empty()) {
        data.extend(disk.iter().flat_map(|disk| disk.to_le_bytes()));
        *stated = data;
        *area = parsed.iter().flat_map(|(id, data)| extra::field(*id, data)).collect();
        area.extend_from_slice(&rest);
    }
}

/// The members that a directory points at, and the bytes behind the last of them. `None` where they
/// overlap.
fn members(
    reader: &Reader<'_>,
    directory: &mut [Listed],
    base: usize,
    end: usize,
) -> Option<(Vec<Member>, Vec<u8>)> {
    let mut listed_at: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, listed) in directory.iter().enumerate() {
        let offset = central_numbers(&listed.header)[2].checked_add(base as u64);
        let offset = offset.and_then(|offset| usize::try_from(offset).ok());
        if let Some(offset) = offset
            && reader.local(offset, end).is_some()
        {
            listed_at.entry(offset).or_default().push(index);
        }
    }
    let mut members = Vec::new();
    let mut reached = 0;
    let offsets: Vec<usize> = listed_at.keys().copied().collect();
    for (number, (offset, indexes)) in listed_at.into_iter().enumerate() {
        let boundary = offsets.get(number + 1).copied().unwrap_or(end);
        let (local, data_offset) = reader.local(offset, boundary)?;
        let csize = central_numbers(&directory[*indexes.first()?].header)[1];
        let data_end = usize::try_from(csize)
            .ok()
            .and_then(|csize| data_offset.checked_add(csize))
            .filter(|&data_end| data_end <= boundary)
            .unwrap_or(boundary);
        let descriptor = if local.flags & FLAG_DATA_DESCRIPTOR == 0 {
            None
        } else {
            reader.descriptor(data_end, boundary, csize)
        };
        members.push(Member {
            gap: reader.0.get(reached..offset)?.to_vec(),
            local,
            data: reader.0[data_offset..data_end].to_vec(),
            descriptor: descriptor.map(|(descriptor, _)| descriptor),
        });
        reached = data_end + descriptor.map_or(0, |(_, len)| len);
        for index in indexes {
            directory[index].member = Some(number);
        }
    }
    Some((members, reader.0.get(reached..end)?.to_vec()))
}

/// Little-endian numbers and records at offsets.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    fn is(&self, at: usize, signature: u32) -> bool {
        self.u32(at) == Some(signature)
    }

    fn bytes(&self, at: usize, len: u16) -> Option<Vec<u8>> {
        Some(self.0.get(at..at + usize::from(len))?.to_vec())
    }

    /// A local header that ends at `end` at the latest, and where it ends.
    fn local(&self, at: usize, end: usize) -> Option<(LocalFileHeader, usize)> {
        if !self.is(at, record::LOCAL_FILE_HEADER) {
            return None;
        }
        let (name_len, extra_len) = (self.u16(at + 26)?, self.u16(at + 28)?);
        let name_end = at + 30 + usize::from(name_len);
        let header = LocalFileHeader {
            version_needed: self.u16(at + 4)?,
            flags: self.u16(at + 6)?,
            method: self.u16(at + 8)?,
            time: self.u16(at + 10)?,
            date: self.u16(at + 12)?,
            crc32: self.u32(at + 14)?,
            compressed_size: self.u32(at + 18)?,
            uncompressed_size: self.u32(at + 22)?,
            name: self.bytes(at + 30, name_len)?,
            extra: self.bytes(name_end, extra_len)?,
            ..LocalFileHeader::default()
        };
        let header_end = name_end + usize::from(extra_len);
        (header_end <= end).then_some((header, header_end))
    }

    /// A directory's header that ends at `end` at the latest, and where it ends.
    fn central(&self, at: usize, end: usize) -> Option<(CentralDirectoryHeader, usize)> {
        if !self.is(at, record::CENTRAL_DIRECTORY_HEADER) {
            return None;
        }
        let (name_len, extra_len, comment_len) =
            (self.u16(at + 28)?, self.u16(at + 30)?, self.u16(at + 32)?);
        let name_end = at + 46 + usize::from(name_len);
        let extra_end = name_end + usize::from(extra_len);
        let header_end = extra_end + usize::from(comment_len);
        let header = CentralDirectoryHeader {
            version_made_by: self.u16(at + 4)?,
            version_needed: self.u16(at + 6)?,
            flags: self.u16(at + 8)?,
            method: self.u16(at + 10)?,
            time: self.u16(at + 12)?,
            date: self.u16(at + 14)?,
            crc32: self.u32(at + 16)?,
            compressed_size: self.u32(at + 20)?,
            uncompressed_size: self.u32(at + 24)?,
            name: self.bytes(at + 46, name_len)?,
            extra: self.bytes(name_end, extra_len)?,
            comment: self.bytes(extra_end, comment_len)?,
            disk_start: self.u16(at + 34)?,
            internal_attributes: self.u16(at + 36)?,
            external_attributes: self.u32(at + 38)?,
            local_header_offset: self.u32(at + 42)?,
            ..CentralDirectoryHeader::default()
        };
        (header_end <= end).then_some((header, header_end))
    }

    /// A descriptor in whichever form is likeliest, and its length.
    fn descriptor(&self, at: usize, end: usize, csize: u64) -> Option<(DataDescriptor, usize)> {
        let is_signed = self.is(at, DATA_DESCRIPTOR);
        let fields = at + 4 * usize::from(is_signed);
        let wide = self.u64(fields + 4) == Some(csize) && fields + 20 <= end;
        let size = |narrow: usize, long: usize| {
            if wide { self.u64(fields + long) } else { self.u32(fields + narrow).map(u64::from) }
        };
        let descriptor = DataDescriptor {
            signature: is_signed.then_some(DATA_DESCRIPTOR),
            crc32: self.u32(fields)?,
            compressed_size: size(4, 4)?,
            uncompressed_size: size(8, 12)?,
            wide,
        };
        let len = fields - at + if wide { 20 } else { 12 };
        (at + len <= end).then_some((descriptor, len))
    }

    /// The zip64 end records before an end record, and where they begin.
    fn zip64(&self, end_offset: usize) -> Option<(Zip64End, usize)> {
        let at = end_offset.checked_sub(20).filter(|&at| self.is(at, ZIP64_LOCATOR))?;
        let locator = Zip64Locator {
            signature: ZIP64_LOCATOR,
            record_disk: self.u32(at + 4)?,
            record_offset: self.u64(at + 8)?,
            total_disks: self.u32(at + 16)?,
        };
        let start = usize::try_from(locator.record_offset).ok().filter(|&start| start < at)?;
        if !self.is(start, ZIP64_RECORD) || start + 56 > at {
            return None;
        }
        let declared_size = self.u64(start + 4)?;
        let extensible_len = usize::try_from(declared_size.checked_sub(44)?)
            .ok()
            .filter(|&len| len <= at - start - 56)?;
        let record = Zip64Record {
            signature: ZIP64_RECORD,
            declared_size: None,
            version_made_by: self.u16(start + 12)?,
            version_needed: self.u16(start + 14)?,
            disk: self.u32(start + 16)?,
            directory_disk: self.u32(start + 20)?,
            entries_on_disk: self.u64(start + 24)?,
            entries_total: self.u64(start + 32)?,
            directory_size: self.u64(start + 40)?,
            directory_offset: self.u64(start + 48)?,
            extensible: self.0[start + 56..start + 56 + extensible_len].to_vec(),
        };
        let gap = self.0[start + 56 + extensible_len..at].to_vec();
        Some((Zip64End { record, gap, locator }, start))
    }

    /// The end record and where its comment ends.
    fn end(&self, at: usize) -> Option<(EndOfCentralDirectory, usize)> {
        let comment_len = self.u16(at + 20)?;
        let end = EndOfCentralDirectory {
            disk: self.u16(at + 4)?,
            directory_disk: self.u16(at + 6)?,
            entries_on_disk: self.u16(at + 8)?,
            entries_total: self.u16(at + 10)?,
            directory_size: self.u32(at + 12)?,
            directory_offset: self.u32(at + 16)?,
            comment: self.bytes(at + 22, comment_len)?,
            ..EndOfCentralDirectory::default()
        };
        Some((end, at + 22 + usize::from(comment_len)))
    }
}

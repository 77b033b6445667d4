//! Archives of many gigabytes in a few kilobytes: spans of bytes in a sea of zeros.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

use crc32fast::Hasher;

use crate::builder::{Archive, Entry};
use crate::extra;
use crate::record::{
    CentralDirectoryHeader, EndOfCentralDirectory, LocalFileHeader, Zip64Locator, Zip64Record,
};

/// A file of `len` bytes, zero except for its spans.
///
/// ```
/// use entryway_testkit::sparse::Sparse;
///
/// let file = Sparse::new(5 << 30).span(5 << 30 >> 1, b"middle");
/// assert_eq!(file.read((5 << 30 >> 1) - 2..(5 << 30 >> 1) + 3), b"\0\0mid");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sparse {
    len: u64,
    spans: Vec<(u64, Vec<u8>)>,
}

impl Sparse {
    /// A file of `len` zeros.
    pub fn new(len: u64) -> Self {
        Self { len, spans: Vec::new() }
    }

    /// Lays `bytes` at offset `at`, over what spans before it put there.
    ///
    /// # Panics
    /// Where the bytes do not end within the file.
    #[must_use]
    pub fn span(mut self, at: u64, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let end = at.checked_add(bytes.len() as u64);
        assert!(end.is_some_and(|end| end <= self.len), "a span lies inside the file");
        self.spans.push((at, bytes));
        self
    }

    /// The file's length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file has no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes the spans take in memory.
    pub fn span_len(&self) -> usize {
        self.spans.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// The bytes of `range`; what lies past the end is left out, as by a read of a file.
    pub fn read(&self, range: Range<u64>) -> Vec<u8> {
        let end = range.end.min(self.len);
        let mut out = vec![0; end.saturating_sub(range.start) as usize];
        self.read_at(range.start, &mut out);
        out
    }

    /// Fills `out` from offset `at` and returns how many bytes there were.
    pub fn read_at(&self, at: u64, out: &mut [u8]) -> usize {
        let len = self.len.saturating_sub(at).min(out.len() as u64);
        let out = &mut out[..len as usize];
        out.fill(0);
        for (start, bytes) in &self.spans {
            let from = at.max(*start);
            let to = (at + len).min(start + bytes.len() as u64);
            if from < to {
                let source = (from - start) as usize..(to - start) as usize;
                out[(from - at) as usize..(to - at) as usize].copy_from_slice(&bytes[source]);
            }
        }
        len as usize
    }

    /// Writes the spans into `file` and sets its length; the zeros take no room where the file
    /// system has holes.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn write_to(&self, file: &mut File) -> io::Result<()> {
        file.set_len(self.len)?;
        for (at, bytes) in &self.spans {
            file.seek(SeekFrom::Start(*at))?;
            file.write_all(bytes)?;
        }
        Ok(())
    }
}

/// An archive past 4 GiB, and where its entries stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Giant {
    /// The archive.
    pub archive: Sparse,
    /// Its entries in the order of the file and of the central directory.
    pub entries: Vec<GiantEntry>,
    /// The first central directory header.
    pub directory_offset: u64,
    /// The end of central directory record.
    pub eocd_offset: u64,
}

/// One entry of a [`Giant`]; where it is stored, its content is the archive's bytes at
/// `data_offset`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GiantEntry {
    /// The name.
    pub name: &'static str,
    /// The local file header.
    pub local_header_offset: u64,
    /// The first byte after the local header.
    pub data_offset: u64,
    /// The data's length.
    pub data_len: u64,
    /// The content's length, which is the data's where the entry is stored.
    pub content_len: u64,
    /// CRC-32 of the content.
    pub crc32: u32,
}

impl GiantEntry {
    /// The data's extent in the archive.
    pub fn data(&self) -> Range<u64> {
        self.data_offset..self.data_offset + self.data_len
    }
}

impl Giant {
    /// `before.txt`, `zeros.bin` of `len` stored zeros, `after.txt`.
    ///
    /// From 4 GiB on, `zeros.bin` has its sizes in a 0x0001 field of both headers, `after.txt` its
    /// offset alone, and the end records are zip64.
    pub fn stored_zeros(len: u64) -> Self {
        let mut layout = Layout::default();
        layout.file("before.txt", b"before the zeros\n");
        layout.zeros("zeros.bin", len);
        layout.file("after.txt", b"after the zeros\n");
        layout.finish()
    }

    /// `one.bin` and `two.bin` of so many stored zeros each, `after.txt`.
    ///
    /// Where both are past 4 GiB, `two.bin` has both sizes and its offset in the 0x0001 field of its
    /// central directory header.
    pub fn two_stored_zeros(one: u64, two: u64) -> Self {
        let mut layout = Layout::default();
        layout.zeros("one.bin", one);
        layout.zeros("two.bin", two);
        layout.file("after.txt", b"after the zeros\n");
        layout.finish()
    }

    /// `packed.bin`, zeros compressed by `method`, of whose data only the `front` is there, and
    /// `after.txt`.
    ///
    /// Where one of its sizes is past 4 GiB and the other is not, both its headers have a 0x0001
    /// field of 8 bytes: that size alone.
    ///
    /// # Panics
    /// Where the front is longer than the data.
    pub fn packed_zeros(method: u16, front: &[u8], data_len: u64, content_len: u64) -> Self {
        assert!(front.len() as u64 <= data_len, "the front is the data's");
        let mut layout = Layout::default();
        let crc32 = crc32_of_zeros(content_len);
        layout.entry("packed.bin", method, [data_len, content_len], crc32);
        layout.spans.push((layout.end, front.to_vec()));
        layout.end += data_len;
        layout.file("after.txt", b"after the zeros\n");
        layout.finish()
    }

    /// `first.txt` at 0, a hole that belongs to no record, and the central directory at `offset`.
    ///
    /// From 4 GiB on, the end records are zip64, and no entry has a 0x0001 field.
    ///
    /// # Panics
    /// Where `offset` lies inside `first.txt`.
    pub fn late_directory(offset: u64) -> Self {
        let mut layout = Layout::default();
        layout.file("first.txt", b"first\n");
        assert!(layout.end <= offset, "the hole cannot be negative");
        layout.end = offset;
        layout.finish()
    }

    /// `first.txt` at 0, a hole that belongs to no record, `late.txt` with its local header at
    /// `offset`.
    ///
    /// From 4 GiB on, the central directory header of `late.txt` has a 0x0001 field of 8 bytes: the
    /// offset, and no size.
    ///
    /// # Panics
    /// Where `offset` lies inside `first.txt`.
    pub fn late_local_header(offset: u64) -> Self {
        let mut layout = Layout::default();
        layout.file("first.txt", b"first\n");
        assert!(layout.end <= offset, "the hole cannot be negative");
        layout.end = offset;
        layout.file("late.txt", b"late\n");
        layout.finish()
    }
}

/// An archive of `count` small stored files, `0` to `count - 1`, each holding its own name.
///
/// Up to 65,535 of them need no zip64 record and get none; the count of exactly 65,535 is then a
/// real value that looks like the sentinel.
pub fn many_entries(count: usize) -> Archive {
    Archive::new().entries((0..count).map(|index| {
        let name = index.to_string();
        Entry::stored(&name, &name)
    }))
}

/// The CRC-32 of `len` zeros, without looking at them.
///
/// The CRC of a concatenation follows from the CRCs and lengths of its parts, so that doubling
/// reaches any length in as many steps as it has bits.
pub fn crc32_of_zeros(len: u64) -> u32 {
    let mut power = Hasher::new();
    power.update(&[0]);
    let mut all = Hasher::new();
    let mut left = len;
    while left > 0 {
        if left & 1 == 1 {
            all.combine(&power);
        }
        left >>= 1;
        if left > 0 {
            power.combine(&power.clone());
        }
    }
    all.finalize()
}

/// A giant in the making: spans so far, the directory so far, and where the next byte goes.
#[derive(Default)]
struct Layout {
    end: u64,
    spans: Vec<(u64, Vec<u8>)>,
    directory: Vec<u8>,
    entries: Vec<GiantEntry>,
}

impl Layout {
    fn file(&mut self, name: &'static str, content: &[u8]) {
        self.entry(name, 0, [content.len() as u64; 2], crc32fast::hash(content));
        self.spans.push((self.end, content.to_vec()));
        self.end += content.len() as u64;
    }

    fn zeros(&mut self, name: &'static str, len: u64) {
        self.entry(name, 0, [len; 2], crc32_of_zeros(len));
        self.end += len;
    }

    /// The local header here and the central header in the directory; data comes next. The lengths
    /// are those of data and content.
    fn entry(
        &mut self,
        name: &'static str,
        method: u16,
        [data_len, content_len]: [u64; 2],
        crc32: u32,
    ) {
        let local_header_offset = self.end;
        let mut zip64 = Vec::new();
        let uncompressed_size = field32(content_len, &mut zip64);
        let compressed_size = field32(data_len, &mut zip64);
        let sizes = zip64.clone();
        let offset = field32(local_header_offset, &mut zip64);
        let extra = |values: &[u64]| if values.is_empty() { vec![] } else { extra::zip64(values) };
        let version_needed = if zip64.is_empty() { 10 } else { 45 };

        let mut header = Vec::new();
        LocalFileHeader {
            version_needed,
            method,
            crc32,
            compressed_size,
            uncompressed_size,
            name: name.into(),
            extra: extra(&sizes),
            ..LocalFileHeader::default()
        }
        .write(&mut header);
        CentralDirectoryHeader {
            version_needed,
            method,
            crc32,
            compressed_size,
            uncompressed_size,
            name: name.into(),
            extra: extra(&zip64),
            local_header_offset: offset,
            ..CentralDirectoryHeader::default()
        }
        .write(&mut self.directory);

        self.end += header.len() as u64;
        self.spans.push((local_header_offset, header));
        self.entries.push(GiantEntry {
            name,
            local_header_offset,
            data_offset: self.end,
            data_len,
            content_len,
            crc32,
        });
    }

    fn finish(mut self) -> Giant {
        let directory_offset = self.end;
        let mut tail = std::mem::take(&mut self.directory);
        let directory_size = tail.len() as u64;
        let entries = self.entries.len() as u64;
        if directory_offset >= u64::from(u32::MAX) {
            let record_offset = directory_offset + directory_size;
            Zip64Record {
                entries_on_disk: entries,
                entries_total: entries,
                directory_size,
                directory_offset,
                ..Zip64Record::default()
            }
            .write(&mut tail);
            Zip64Locator { record_offset, ..Zip64Locator::default() }.write(&mut tail);
        }
        let eocd_offset = directory_offset + tail.len() as u64;
        EndOfCentralDirectory {
            entries_on_disk: entries as u16,
            entries_total: entries as u16,
            directory_size: directory_size as u32,
            directory_offset: field32(directory_offset, &mut Vec::new()),
            ..EndOfCentralDirectory::default()
        }
        .write(&mut tail);
        let mut archive = Sparse::new(directory_offset + tail.len() as u64);
        for (at, bytes) in self.spans {
            archive = archive.span(at, bytes);
        }
        Giant {
            archive: archive.span(directory_offset, tail),
            entries: self.entries,
            directory_offset,
            eocd_offset,
        }
    }
}

/// The 32-bit field for `value`: itself, or the sentinel with the value in `zip64`.
fn field32(value: u64, zip64: &mut Vec<u64>) -> u32 {
    // 0xFFFFFFFF itself cannot be told from the sentinel (APPNOTE 4.4.8).
    if value >= u64::from(u32::MAX) {
        zip64.push(value);
        return u32::MAX;
    }
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn reads_join_spans_and_zeros_and_stop_at_the_end() {
        let file = Sparse::new(20).span(2, b"abcd").span(5, b"XY").span(18, b"zz");
        let mut whole = [0; 20];
        whole[2..7].copy_from_slice(b"abcXY");
        whole[18..].copy_from_slice(b"zz");
        for start in 0..=22 {
            for end in start..=22 {
                let expected = &whole[start.min(20)..end.min(20)];
                assert_eq!(file.read(start as u64..end as u64), expected, "{start}..{end}");
                let mut out = vec![0xaa; end - start];
                let len = file.read_at(start as u64, &mut out);
                assert_eq!(&out[..len], expected, "{start}..{end}");
                assert!(out[len..].iter().all(|&byte| byte == 0xaa), "{start}..{end}");
            }
        }
        assert!(file.read(u64::MAX - 1..u64::MAX).is_empty());
    }

    #[test]
    fn crc32_of_zeros_is_that_of_hashing_them() {
        for len in [0, 1, 2, 3, 4, 1_000, 65_536, 1_000_003] {
            assert_eq!(crc32_of_zeros(len as u64), crc32fast::hash(&vec![0; len]), "{len}");
        }
        // 4 GiB, from hashing them once: zlib.crc32 over 4,096 blocks of 1 MiB.
        assert_eq!(crc32_of_zeros(4 * GIB), 0xd202_ef8d);
    }

    #[test]
    fn giants_take_kilobytes() {
        let zeros = Giant::stored_zeros(5 * GIB);
        assert!(zeros.archive.len() > 5 * GIB && zeros.archive.span_len() < 1_000);
        assert_eq!(zeros.entries[1].data_len, 5 * GIB);
        assert!(zeros.entries[2].local_header_offset > 5 * GIB);
        let late = Giant::late_local_header(6 * GIB);
        assert!(late.archive.len() > 6 * GIB && late.archive.span_len() < 1_000);
        for giant in [zeros, late] {
            let at = |offset: u64| giant.archive.read(offset..offset + 4);
            for entry in &giant.entries {
                assert_eq!(at(entry.local_header_offset), b"PK\x03\x04");
                let name = entry.data_offset - entry.name.len() as u64;
                assert!(name >= entry.local_header_offset + 30);
            }
            assert_eq!(at(giant.directory_offset), b"PK\x01\x02");
            assert_eq!(at(giant.eocd_offset), b"PK\x05\x06");
            assert_eq!(at(giant.eocd_offset - 20), b"PK\x06\x07");
        }
    }

    #[test]
    fn a_late_local_header_has_an_extra_field_of_its_offset_alone() {
        let giant = Giant::late_local_header(5 * GIB);
        let directory = giant.archive.read(giant.directory_offset..giant.eocd_offset);
        let late = &directory[46 + "first.txt".len()..];
        assert_eq!(late[20..28], [5, 0, 0, 0, 5, 0, 0, 0], "the sizes are no sentinels");
        assert_eq!(late[42..46], [0xff; 4]);
        let expected = [&[1, 0, 8, 0][..], &(5 * GIB).to_le_bytes()].concat();
        assert_eq!(late[46 + "late.txt".len()..][..12], expected);
    }

    #[test]
    fn an_extra_field_has_what_does_not_fit_and_nothing_else() {
        let central_extra = |giant: &Giant, index: usize| {
            let mut at = giant.directory_offset;
            let lens = |at: u64| {
                let lens = giant.archive.read(at + 28..at + 32);
                [&lens[..2], &lens[2..]].map(|len| u64::from(len[0]) | u64::from(len[1]) << 8)
            };
            for _ in 0..index {
                at += 46 + lens(at).iter().sum::<u64>();
            }
            let [name_len, extra_len] = lens(at);
            giant.archive.read(at + 46 + name_len..at + 46 + name_len + extra_len)
        };
        let field = |values: &[u64]| extra::zip64(values);
        let two = Giant::two_stored_zeros(9 * GIB, 11 * GIB);
        assert!(two.archive.len() > 20 * GIB && two.archive.span_len() < 1_000);
        assert_eq!(central_extra(&two, 0), field(&[9 * GIB, 9 * GIB]));
        let offset = two.entries[1].local_header_offset;
        assert!(offset > 9 * GIB);
        assert_eq!(central_extra(&two, 1), field(&[11 * GIB, 11 * GIB, offset]));
        assert_eq!(central_extra(&two, 2), field(&[two.entries[2].local_header_offset]));

        let large_content = Giant::packed_zeros(8, b"x", 6 << 20, 5 * GIB);
        assert_eq!(central_extra(&large_content, 0), field(&[5 * GIB]));
        assert_eq!(central_extra(&large_content, 1), []);
        let large_data = Giant::packed_zeros(8, b"x", 5 * GIB, 4 * GIB - 2);
        assert_eq!(central_extra(&large_data, 0), field(&[5 * GIB]));

        let late = Giant::late_directory(4 * GIB);
        assert_eq!((late.directory_offset, central_extra(&late, 0)), (4 * GIB, vec![]));
        assert_eq!(late.archive.read(late.eocd_offset - 20..late.eocd_offset - 16), b"PK\x06\x07");
    }

    #[test]
    fn zip64_begins_where_the_16_bit_count_ends() {
        for (count, zip64) in [(65_534, false), (65_535, false), (65_536, true)] {
            let built = many_entries(count).build_placed();
            assert_eq!(built.zip64_record_offset.is_some(), zip64, "{count}");
            let declared = &built.bytes[built.eocd_offset + 8..built.eocd_offset + 12];
            let expected = (count.min(65_535) as u16).to_le_bytes().repeat(2);
            assert_eq!(declared, expected, "{count}");
        }
    }
}

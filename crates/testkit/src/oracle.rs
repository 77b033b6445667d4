//! The reading rules, profile `serve`, in the plainest possible way over one whole slice.
//!
//! No cleverness on purpose: everything is looked at, everything is decoded, everything is kept. An
//! engine that reads windows, skips and streams must come to the same answers. The rules:
//!
//! 1. The end record: one candidate ends at the end of the file, and none stands after it.
//! 2. zip64: the 20 bytes before the end record decide; nothing is searched.
//! 3. The central directory fills its extent exactly.
//! 4. An entry is the raw name of its central header; the local name is the same bytes.
//! 5. The central header wins; what the local header and the descriptor say must agree.
//! 6. Entries do not overlap each other or the directory.
//! 7. The data end exactly at both sizes, and the CRC-32 is right.
//! 8. Two files of one name are both refused; or the first of them is read as if it were alone.
//! 9. Some entries are not served whatever their bytes: encrypted, special files, bad names.
//! 10. Nothing is followed and nothing is allocated on an archive's word (nothing to refuse here).
//!
//! Where a rule leaves a choice, this is the reading taken:
//! - Rule 1 looks at the last 65,557 + 4,096 bytes, whatever those 4,096 are.
//! - Rule 3: a prefix is only believed if a central directory header shows where it ends, so that
//!   an archive of no entries with a prefix that its offset ignores is refused.
//! - Rule 5: several 0x0001 fields in one header are refused if a sentinel needs them and their
//!   bytes differ.
//! - Rule 6 counts the offsets of refused entries as boundaries too.
//! - Rule 9: flags and version needed are those of the central header; a mode without a file type
//!   is a regular file; modes are read where the maker was Unix or OS X (APPNOTE 4.4.2: 3, 19);
//!   extra fields of both headers must not overrun, 1 to 3 bytes after the last one are padding; a
//!   drive is a letter and a colon; a leading backslash is absolute; control characters are 0x00
//!   to 0x1F and 0x7F.

mod central;
mod entry;
mod lookup;

pub use lookup::{Found, display_name, find, find_by};

/// The reason for which an entry of any method but stored and deflate is refused here.
///
/// An engine may well serve such an entry; the oracle has no answer to compare.
pub const OTHER_METHOD: &str = "a method that the oracle does not read";

/// Why an archive or one of its entries is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OracleRefusal {
    /// The reading rule, 1 to 10.
    pub rule: u8,
    /// What broke it, for people.
    pub reason: &'static str,
}

/// What rule 8 says of files of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// All are refused.
    Refuse,
    /// All are refused but the first in the central directory.
    First,
}

/// One central directory header and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OracleEntry {
    /// The name's bytes in the central directory header.
    pub raw_name: Vec<u8>,
    /// The whole content, or why it is not served.
    pub verdict: Result<Vec<u8>, OracleRefusal>,
}

/// Reads a whole archive: every entry in the order of the central directory, decoded.
///
/// ```
/// use entryway_testkit::builder::{Archive, Entry};
/// use entryway_testkit::oracle;
///
/// let bytes = Archive::new()
///     .entry(Entry::deflated("good", "hello"))
///     .entry(Entry::stored("bad", "hello").edit_local(|header| header.crc32 ^= 1))
///     .build();
/// let entries = oracle::read(&bytes).unwrap();
/// assert_eq!(entries[0].verdict.as_deref(), Ok(&b"hello"[..]));
/// assert_eq!(entries[1].verdict.as_ref().unwrap_err().rule, 5);
/// assert_eq!(oracle::read(&bytes[1..]).unwrap_err().rule, 3);
/// ```
///
/// # Errors
/// The rule by which the archive as a whole is refused.
pub fn read(bytes: &[u8]) -> Result<Vec<OracleEntry>, OracleRefusal> {
    read_by(bytes, Duplicates::Refuse)
}

/// As [`read`], with this choice among files of one name.
///
/// # Errors
/// The rule by which the archive as a whole is refused.
pub fn read_by(bytes: &[u8], duplicates: Duplicates) -> Result<Vec<OracleEntry>, OracleRefusal> {
    let directory = central::read_directory(bytes)?;
    let neighbours = entry::Neighbours::of(&directory);
    Ok(directory
        .headers
        .iter()
        .enumerate()
        .map(|(index, header)| {
            let is_chosen = duplicates == Duplicates::First && neighbours.is_first(index, header);
            OracleEntry {
                raw_name: header.name.to_vec(),
                verdict: entry::read_entry(bytes, &directory, &neighbours, header, is_chosen),
            }
        })
        .collect())
}

fn refuse<T>(rule: u8, reason: &'static str) -> Result<T, OracleRefusal> {
    Err(OracleRefusal { rule, reason })
}

/// `len` bytes at `at`, if they are there.
fn slice(bytes: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    let end = usize::try_from(at.checked_add(len)?).ok()?;
    bytes.get(start..end)
}

fn u16_at(bytes: &[u8], at: u64) -> Option<u16> {
    Some(u16::from_le_bytes(slice(bytes, at, 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: u64) -> Option<u32> {
    Some(u32::from_le_bytes(slice(bytes, at, 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: u64) -> Option<u64> {
    Some(u64::from_le_bytes(slice(bytes, at, 8)?.try_into().ok()?))
}

fn is_signature(bytes: &[u8], at: u64, signature: &[u8; 4]) -> bool {
    slice(bytes, at, 4) == Some(signature)
}

#[cfg(test)]
mod tests;

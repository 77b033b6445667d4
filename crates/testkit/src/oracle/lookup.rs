//! The entry lookup: raw name, then without "./", then display name.

use super::central::{CentralHeader, read_directory};
use super::entry::whole_extra_fields;
use super::{Duplicates, OracleEntry, OracleRefusal, read_by, u32_at};

/// What a lookup comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No entry has the name in any of its forms.
    Absent,
    /// Two entries have it in the first form in which any has it.
    Ambiguous,
    /// The one entry, served or refused.
    Entry(OracleEntry),
}

/// Finds the entry that `name` means: of those whose raw name is `name`, else of those whose raw
/// name is "./" and `name`, else of those whose display name is `name`.
///
/// Refused entries count as candidates, and so does each of several equal directories.
///
/// # Errors
/// The rule by which the archive as a whole is refused.
pub fn find(bytes: &[u8], name: &[u8]) -> Result<Found, OracleRefusal> {
    find_by(bytes, name, Duplicates::Refuse)
}

/// As [`find`], with this choice among files of one name: with [`Duplicates::First`] several
/// candidates of one raw name are one, the first of them.
///
/// # Errors
/// The rule by which the archive as a whole is refused.
pub fn find_by(bytes: &[u8], name: &[u8], duplicates: Duplicates) -> Result<Found, OracleRefusal> {
    let directory = read_directory(bytes)?;
    let steps: [&dyn Fn(&CentralHeader<'_>) -> bool; 3] = [
        &|header| header.name == name,
        &|header| header.name.strip_prefix(b"./") == Some(name),
        &|header| display_name(header.name, header.extra).as_bytes() == name,
    ];
    for step in steps {
        let all = 0..directory.headers.len();
        let mut matching: Vec<usize> = all.filter(|&i| step(&directory.headers[i])).collect();
        if duplicates == Duplicates::First {
            matching.dedup_by_key(|i| directory.headers[*i].name);
        }
        match (matching.first(), matching.get(1)) {
            (None, _) => {}
            (Some(&index), None) => {
                return Ok(Found::Entry(read_by(bytes, duplicates)?.swap_remove(index)));
            }
            (Some(_), Some(_)) => return Ok(Found::Ambiguous),
        }
    }
    Ok(Found::Absent)
}

/// The name to show to people, which is never an identity.
///
/// The first Unicode path field (0x7075) of the central header that has version 1, the CRC-32 of
/// the raw name and UTF-8 in it, a byte of it at least; else the raw name as UTF-8 if it is that;
/// else as CP437. Bit 11 changes nothing: a name that it calls UTF-8 and that is not is shown as
/// CP437, and refused.
pub fn display_name(raw_name: &[u8], extra: &[u8]) -> String {
    for (id, data) in whole_extra_fields(extra).0 {
        let belongs =
            data.first() == Some(&1) && u32_at(data, 1) == Some(crc32fast::hash(raw_name));
        if id == 0x7075
            && belongs
            && let Ok(name) = std::str::from_utf8(&data[5..])
            && !name.is_empty()
        {
            return name.to_owned();
        }
    }
    match std::str::from_utf8(raw_name) {
        Ok(name) => name.to_owned(),
        Err(_) => raw_name.iter().map(|&byte| cp437(byte)).collect(),
    }
}

fn cp437(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        None => byte.into(),
        Some(high) => char::from_u32(CP437_HIGH[usize::from(high)].into()).unwrap_or('?'),
    }
}

/// IBM code page 437 from 0x80 on (APPNOTE appendix D; the table of the Unicode consortium).
const CP437_HIGH: [u16; 128] = [
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef,
    0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
    0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa,
    0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557,
    0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
    0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559,
    0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
    0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4,
    0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
    0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
];

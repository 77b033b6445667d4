//! The name of one entry in the words of others.

use entryway::CentralDirectoryHeader;
use entryway_testkit::oracle::display_name;

/// Go keeps the raw name; recorded, it has U+FFFD for each byte that is not UTF-8.
pub(super) fn in_go(raw_name: &[u8]) -> String {
    let mut name = String::new();
    for chunk in raw_name.utf8_chunks() {
        name += chunk.valid();
        name.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    name
}

/// What Python's name of an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The raw name, as UTF-8.
    RawName,
    /// The raw name in code page 437, as which it is taken without bit 11, UTF-8 or not.
    CodePage437,
    /// A Unicode Path extra field; the name that is shown here too.
    UnicodePath,
    /// The last of several such fields, where the first one is shown here.
    LastUnicodePath,
    /// One of these, cut at the first NUL; an entry with NUL in its name is refused here.
    CutAtNul,
}

/// What Python's name of the entry with this header comes from; `None` where that cannot be said.
pub(super) fn in_python(name: &str, header: &CentralDirectoryHeader<'_>) -> Option<Origin> {
    let raw = header.name;
    let as_utf8 = std::str::from_utf8(raw).ok();
    // One byte of the upper half is not UTF-8, and shown in code page 437.
    let in_code_page_437: String = raw.iter().map(|&byte| display_name(&[byte], &[])).collect();
    let shown = display_name(raw, header.extra);
    let last = last_unicode_path(header);
    if (header.flags.is_utf8() || raw.is_ascii()) && as_utf8 == Some(name) {
        return Some(Origin::RawName);
    }
    if !header.flags.is_utf8() && in_code_page_437 == name {
        return Some(Origin::CodePage437);
    }
    if last == Some(name) {
        let is_shown = shown == name;
        return Some(if is_shown { Origin::UnicodePath } else { Origin::LastUnicodePath });
    }
    let whole = [as_utf8, Some(&in_code_page_437), last];
    let is_cut = |whole: &str| whole.contains('\0') && whole.split('\0').next() == Some(name);
    whole.into_iter().flatten().any(is_cut).then_some(Origin::CutAtNul)
}

/// The last Unicode Path of version 1 for this raw name that is not empty (APPNOTE 4.6.9).
fn last_unicode_path<'a>(header: &CentralDirectoryHeader<'a>) -> Option<&'a str> {
    let mut last = None;
    let mut rest = header.extra;
    while let [id, high_id, len, high_len, data @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*len, *high_len]));
        let (data, behind) = data.split_at_checked(len)?;
        if u16::from_le_bytes([*id, *high_id]) == 0x7075
            && let [1, a, b, c, d, path @ ..] = data
            && u32::from_le_bytes([*a, *b, *c, *d]) == crc32fast::hash(header.name)
            && !path.is_empty()
        {
            last = std::str::from_utf8(path).ok();
        }
        rest = behind;
    }
    last
}

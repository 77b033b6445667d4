//! Searches among sorted names: each probe is one header, and so, through a sidecar, a read or two.

use std::ops::Range;

use super::{IndexError, SortedEntries};
use crate::name;

/// The indexes of the entries whose raw names start with `prefix`.
pub(crate) fn prefix_range<E: SortedEntries + ?Sized>(
    entries: &mut E,
    prefix: &[u8],
) -> Result<Range<u64>, IndexError> {
    if prefix.is_empty() {
        return Ok(0..entries.len());
    }
    let all = 0..entries.len();
    let start = partition_point(entries, all, |name| name < prefix)?;
    let end = past_prefix(entries, start, prefix)?;
    Ok(start..end)
}

/// The first index from `start` on whose raw name does not start with `prefix`.
///
/// Gallops, so that it takes about 2 log2(n) probes past n names: few where few have the prefix.
pub(crate) fn past_prefix<E: SortedEntries + ?Sized>(
    entries: &mut E,
    start: u64,
    prefix: &[u8],
) -> Result<u64, IndexError> {
    let len = entries.len();
    let (mut known, mut stride) = (start, 1);
    loop {
        let probe = known + stride - 1;
        if probe >= len {
            break;
        }
        if !entries.header(probe)?.name.starts_with(prefix) {
            break;
        }
        known = probe + 1;
        stride *= 2;
    }
    let end = (known + stride - 1).min(len);
    partition_point(entries, known..end, |name| name.starts_with(prefix))
}

/// The first index of `range` whose raw name does not satisfy `is_before`, or its end.
fn partition_point<E: SortedEntries + ?Sized>(
    entries: &mut E,
    range: Range<u64>,
    is_before: impl Fn(&[u8]) -> bool,
) -> Result<u64, IndexError> {
    let Range { mut start, mut end } = range;
    while start < end {
        let middle = start + (end - start) / 2;
        if is_before(entries.header(middle)?.name) {
            start = middle + 1;
        } else {
            end = middle;
        }
    }
    Ok(start)
}

/// With which prefixes the raw names below a directory begin, in the order of an entry's lookup:
/// its path as it is and with `./`; else, for names that are not UTF-8, its path in code page 437.
///
/// `path` has no slash at its end and is empty for the archive's root. Each pair is asked only
/// where the ones before it lead to no entry. `None` where no request can address the path.
pub(crate) fn raw_prefixes(path: &[u8]) -> Option<Vec<[Vec<u8>; 2]>> {
    if path.is_empty() {
        return Some(vec![[Vec::new(), b"./".to_vec()]]);
    }
    if !name::is_addressable(path) {
        return None;
    }
    let pair = |path: &[u8]| [[path, b"/"].concat(), [b"./", path, b"/"].concat()];
    let mut pairs = vec![pair(path)];
    if !path.is_ascii()
        && let Ok(shown) = std::str::from_utf8(path)
        && let Some(raw) = name::to_code_page_437(shown)
        && std::str::from_utf8(&raw).is_err()
    {
        pairs.push(pair(&raw));
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use entryway_testkit::builder;

    use super::*;
    use crate::archive::Archive;
    use crate::sorted::SortedDirectory;

    #[test]
    fn a_prefix_is_found_wherever_its_names_stand() {
        let names = ["a", "a/", "a/b", "a/b", "a0", "b/x", "b/y", "b/z", "c"];
        let zip = builder::Archive::new()
            .entries(names.into_iter().rev().map(|name| builder::Entry::stored(name, "")));
        let archive = Archive::open(Bytes::from(zip.build())).unwrap();
        let mut sorted = SortedDirectory::new(&archive);
        let prefixes =
            ["", "a", "a/", "a/b", "a0", "b", "b/", "b/y", "b/zz", "c", "d", "!", "a/b/"];
        for prefix in prefixes {
            let matching = |name: &&str| name.starts_with(prefix);
            let expected = names.iter().filter(|name| matching(name)).count();
            let range = prefix_range(&mut sorted, prefix.as_bytes()).unwrap();
            assert_eq!((range.end - range.start) as usize, expected, "{prefix}");
            for index in range {
                assert!(sorted.header(index).unwrap().name.starts_with(prefix.as_bytes()));
            }
        }
    }
}

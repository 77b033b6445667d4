//! Extents of an archive, and the bytes in hand of one.

use std::ops::Range;

/// A half-open range of absolute offsets in an archive, in bytes.
pub type Extent = Range<u64>;

/// Bytes that the caller holds, and where in the archive they stand.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// The bytes; the window ends at `offset + bytes.len()`.
    pub bytes: &'a [u8],
}

impl<'a> Window<'a> {
    /// A window that covers nothing: what a caller has before the first read.
    pub const EMPTY: Window<'static> = Window { offset: 0, bytes: &[] };

    /// The whole of an archive that lies in memory.
    #[must_use]
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self { offset: 0, bytes }
    }

    /// The bytes of `extent`, or `None` where the window does not cover all of it.
    #[must_use]
    pub fn slice(&self, extent: &Extent) -> Option<&'a [u8]> {
        let start = usize::try_from(extent.start.checked_sub(self.offset)?).ok()?;
        let end = usize::try_from(extent.end.checked_sub(self.offset)?).ok()?;
        self.bytes.get(start..end)
    }

    /// Everything from `offset` to the window's end, or `None` where `offset` lies outside.
    #[must_use]
    pub fn from(&self, offset: u64) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(offset.checked_sub(self.offset)?).ok()?..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_gives_only_what_it_covers() {
        let window = Window { offset: 10, bytes: b"abcde" };
        let table: [(&str, Extent, Option<&[u8]>); 7] = [
            ("inside", 11..13, Some(b"bc")),
            ("whole", 10..15, Some(b"abcde")),
            ("empty at the end", 15..15, Some(b"")),
            ("before", 9..11, None),
            ("past", 14..16, None),
            ("far past", 16..16, None),
            ("at the end of numbers", u64::MAX - 1..u64::MAX, None),
        ];
        for (name, extent, expected) in table {
            assert_eq!(window.slice(&extent), expected, "{name}");
        }
        assert_eq!(window.from(12), Some(b"cde".as_slice()));
        assert_eq!(window.from(9), None);
    }
}

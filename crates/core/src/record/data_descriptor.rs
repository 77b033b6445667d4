//! The data descriptor (APPNOTE 4.3.9): with or without a signature, with 32-bit or 64-bit sizes.

use super::cursor::Cursor;

/// Which of the four shapes a data descriptor has; nothing in the archive says so reliably.
///
/// 64-bit sizes without a zip64 extra field are written by several producers (7 of 446 fixtures).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DescriptorForm {
    /// Whether `PK\7\8` stands in front.
    pub(crate) has_signature: bool,
    /// Whether the sizes take 8 bytes each.
    pub(crate) is_zip64: bool,
}

impl DescriptorForm {
    /// All four, the usual ones first.
    pub(crate) const ALL: [Self; 4] = [
        Self { has_signature: true, is_zip64: false },
        Self { has_signature: true, is_zip64: true },
        Self { has_signature: false, is_zip64: false },
        Self { has_signature: false, is_zip64: true },
    ];

    /// Bytes of a descriptor of this form: 12, 16, 20 or 24.
    #[must_use]
    pub(crate) const fn encoded_len(self) -> usize {
        4 * self.has_signature as usize + 4 + if self.is_zip64 { 16 } else { 8 }
    }
}

/// The fields of a data descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Fields as APPNOTE 4.3.9 names them.
pub(crate) struct DataDescriptor {
    pub(crate) crc32: u32,
    pub(crate) compressed_size: u64,
    pub(crate) uncompressed_size: u64,
}

impl DataDescriptor {
    /// `PK\7\8`, where there is one.
    pub(crate) const SIGNATURE: [u8; 4] = *b"PK\x07\x08";
    /// Bytes of the longest form.
    pub(crate) const MAX_LEN: usize = 24;

    /// Reads a descriptor of the given form at the front of `bytes`.
    #[must_use]
    pub(crate) fn parse(bytes: &[u8], form: DescriptorForm) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        if form.has_signature {
            c.signature(Self::SIGNATURE)?;
        }
        let crc32 = c.u32()?;
        let (compressed_size, uncompressed_size) = if form.is_zip64 {
            (c.u64()?, c.u64()?)
        } else {
            (u64::from(c.u32()?), u64::from(c.u32()?))
        };
        Some(Self { crc32, compressed_size, uncompressed_size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_form_is_the_bound() {
        assert_eq!(DescriptorForm::ALL.map(DescriptorForm::encoded_len), [16, 24, 12, 20]);
        let longest = DescriptorForm::ALL.iter().map(|form| form.encoded_len()).max();
        assert_eq!(longest, Some(DataDescriptor::MAX_LEN));
    }
}

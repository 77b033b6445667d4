//! Extra fields (APPNOTE 4.5): the walk over them, and the two that are read.

use super::cursor::Cursor;

/// One extensible data field: its header ID and its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExtraField<'a> {
    /// The header ID.
    pub(crate) id: u16,
    /// The data after ID and size.
    pub(crate) data: &'a [u8],
}

/// A field whose declared size reaches past the end of the extra field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExtraOverrun {
    /// The declared size of the field, in bytes.
    pub(crate) declared_size: u16,
    /// The bytes that are left for it.
    pub(crate) available_len: usize,
}

/// Walks the fields of an extra field; one to three stray bytes at the end are ignored.
///
/// `zipalign` pads so that data is aligned: with zero bytes, which read as empty fields of ID 0,
/// and with fewer than four of them where that is enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExtraFields<'a>(&'a [u8]);

impl<'a> ExtraFields<'a> {
    /// Starts the walk at the front of the extra field's bytes.
    #[must_use]
    #[inline]
    pub(crate) fn new(extra: &'a [u8]) -> Self {
        Self(extra)
    }
}

impl<'a> Iterator for ExtraFields<'a> {
    type Item = Result<ExtraField<'a>, ExtraOverrun>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let mut c = Cursor::new(self.0);
        let (Some(id), Some(declared_size)) = (c.u16(), c.u16()) else {
            self.0 = &[];
            return None;
        };
        let available_len = c.rest().len();
        let Some(data) = c.take(usize::from(declared_size)) else {
            self.0 = &[];
            return Some(Err(ExtraOverrun { declared_size, available_len }));
        };
        self.0 = c.rest();
        Some(Ok(ExtraField { id, data }))
    }
}

/// Which fields of a header are saturated, and so stand in the zip64 extra field instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Zip64Fields {
    pub uncompressed_size: bool,
    pub compressed_size: bool,
    pub local_header_offset: bool,
    pub disk_start: bool,
}

impl Zip64Fields {
    /// Whether any field is saturated.
    #[must_use]
    #[inline]
    pub fn any(self) -> bool {
        self.uncompressed_size
            || self.compressed_size
            || self.local_header_offset
            || self.disk_start
    }
}

/// The zip64 extended information extra field (APPNOTE 4.5.3), ID 0x0001.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) struct Zip64Extra {
    pub(crate) uncompressed_size: Option<u64>,
    pub(crate) compressed_size: Option<u64>,
    pub(crate) local_header_offset: Option<u64>,
    pub(crate) disk_start: Option<u32>,
}

impl Zip64Extra {
    /// The header ID.
    pub(crate) const ID: u16 = 0x0001;

    /// Reads the fields that `saturated` names, in APPNOTE's order; only these are present.
    ///
    /// `None` where the data ends before the last of them. Bytes beyond are ignored: some producers
    /// write all fields always (2 of 446 fixtures).
    #[must_use]
    pub(crate) fn parse(data: &[u8], saturated: Zip64Fields) -> Option<Self> {
        let mut c = Cursor::new(data);
        let mut fields = Self::default();
        if saturated.uncompressed_size {
            fields.uncompressed_size = Some(c.u64()?);
        }
        if saturated.compressed_size {
            fields.compressed_size = Some(c.u64()?);
        }
        if saturated.local_header_offset {
            fields.local_header_offset = Some(c.u64()?);
        }
        if saturated.disk_start {
            fields.disk_start = Some(c.u32()?);
        }
        Some(fields)
    }
}

/// The Info-ZIP Unicode path extra field (APPNOTE 4.6.9), ID 0x7075.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnicodePath<'a> {
    /// CRC-32 of the name in the header that this field belongs to.
    pub(crate) name_crc32: u32,
    /// The name in UTF-8.
    pub(crate) name: &'a str,
}

impl<'a> UnicodePath<'a> {
    /// The header ID.
    pub(crate) const ID: u16 = 0x7075;

    /// Reads the field; `None` for another version than 1 or a name that is empty or not UTF-8.
    #[must_use]
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        let (&version, rest) = data.split_first()?;
        if version != 1 {
            return None;
        }
        let mut c = Cursor::new(rest);
        let name_crc32 = c.u32()?;
        let name = std::str::from_utf8(c.rest()).ok().filter(|name| !name.is_empty())?;
        Some(Self { name_crc32, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_ends_at_padding_and_reports_an_overrun() {
        let field = |id, data| Ok(ExtraField { id, data });
        type Fields<'a> = Vec<Result<ExtraField<'a>, ExtraOverrun>>;
        let table: [(&str, &[u8], Fields<'_>); 5] = [
            ("empty", b"", vec![]),
            ("one field", b"UT\x02\0ab", vec![field(0x5455, b"ab")]),
            ("three stray bytes", b"UT\0\0\0\0\0", vec![field(0x5455, b"")]),
            ("zeros", &[0; 8], vec![field(0, b""), field(0, b"")]),
            (
                "overrun",
                b"UT\0\0\x01\0\x05\0abcd",
                vec![field(0x5455, b""), Err(ExtraOverrun { declared_size: 5, available_len: 4 })],
            ),
        ];
        for (name, extra, expected) in table {
            assert_eq!(ExtraFields::new(extra).collect::<Fields<'_>>(), expected, "{name}");
        }
    }

    #[test]
    fn one_saturated_field_is_enough() {
        let none = Zip64Fields::default();
        assert!(!none.any());
        for saturated in [
            Zip64Fields { uncompressed_size: true, ..none },
            Zip64Fields { compressed_size: true, ..none },
            Zip64Fields { local_header_offset: true, ..none },
            Zip64Fields { disk_start: true, ..none },
        ] {
            assert!(saturated.any(), "{saturated:?}");
        }
    }

    #[test]
    fn zip64_reads_only_the_saturated_fields() {
        let offset_only = Zip64Fields { local_header_offset: true, ..Zip64Fields::default() };
        let extra = Zip64Extra::parse(&7u64.to_le_bytes(), offset_only);
        assert_eq!(extra.map(|extra| extra.local_header_offset), Some(Some(7)));
        let both = Zip64Fields {
            uncompressed_size: true,
            compressed_size: true,
            ..Zip64Fields::default()
        };
        assert_eq!(Zip64Extra::parse(&7u64.to_le_bytes(), both), None, "too short");
    }
}

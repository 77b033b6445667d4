//! What one entry's two headers say beside what they must, or apart from each other.

use crate::entry::{Entry, resolve_zip64};
use crate::error::{At, Record, Refusal, Rule, at};
use crate::method::GeneralPurposeFlags;
use crate::name;
use crate::record::{
    CentralDirectoryHeader, ExtraFields, LocalFileHeader, UnicodePath, Zip64Extra, Zip64Fields,
};

/// A local file header with its extra field.
pub(super) struct Local<'a> {
    header: LocalFileHeader,
    extra: &'a [u8],
}

impl<'a> Local<'a> {
    /// Reads a header of which all bytes are there.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = LocalFileHeader::parse(bytes)?;
        let name_end = LocalFileHeader::FIXED_LEN + usize::from(header.name_size);
        Some(Self { header, extra: bytes.get(name_end..header.header_len() as usize)? })
    }
}

/// Calls `breaks` with each rule that the two headers break; `place` is that of the directory's.
pub(super) fn of_headers(
    entry: &Entry,
    header: &CentralDirectoryHeader<'_>,
    place: At,
    local: &Local<'_>,
    mut breaks: impl FnMut(Refusal),
) {
    if let Some((declared, actual)) = zip64_surplus(header.extra, header.saturated()) {
        breaks(place.breaks_by(Rule::Zip64ExtraSurplus, declared, actual));
    }
    let local_place = at(Record::LocalFileHeader, entry.local_header_offset);
    if let Some(len) = unasked_other_sizes(entry, local) {
        breaks(local_place.breaks_by(Rule::Zip64ExtraSurplus, len, 0));
    }
    if let Some((declared, actual)) = beside_descriptor(entry, local) {
        breaks(local_place.breaks_by(Rule::LocalBesideDescriptor, declared, actual));
    }
    if !unicode_path_is_trusted(header, local.extra) {
        breaks(place.breaks(Rule::UnicodePath));
    }
}

/// The data of all fields of one header ID.
fn fields_of(extra: &[u8], id: u16) -> impl Iterator<Item = &[u8]> {
    let fields = ExtraFields::new(extra).flatten();
    fields.filter(move |field| field.id == id).map(|field| field.data)
}

/// Bytes of zip64 extra field and bytes that the saturated values ask for, where it is not one
/// field of just as many (APPNOTE 4.5.3: the fields "MUST only appear if the corresponding" value
/// is saturated).
///
/// Some producers write all fields always (2 of 446 fixtures); readers that take them by position
/// then read other numbers than those that look at what is saturated.
fn zip64_surplus(extra: &[u8], saturated: Zip64Fields) -> Option<(u64, u64)> {
    let longs =
        [saturated.uncompressed_size, saturated.compressed_size, saturated.local_header_offset];
    let asked_len = longs.map(|is_there| u64::from(is_there) * 8).iter().sum::<u64>()
        + u64::from(saturated.disk_start) * 4;
    let mut fields = fields_of(extra, Zip64Extra::ID);
    // Of several, which are the same or refused anyway, the first alone has as many as asked for.
    let len = fields.next()?.len() as u64 + fields.map(|field| field.len() as u64).sum::<u64>();
    let is_as_asked = saturated.any() && len == asked_len;
    (!is_as_asked).then_some((len, asked_len))
}

/// Bytes of a zip64 field in the local header that no saturated value asks for and that has other
/// sizes than the directory, which a reader of a stream may take.
///
/// Zeros and the same sizes stand there in what real writers make: room that was kept, and filled.
fn unasked_other_sizes(entry: &Entry, local: &Local<'_>) -> Option<u64> {
    if local.header.saturated().any() {
        return None;
    }
    let field = fields_of(local.extra, Zip64Extra::ID).next()?;
    let mut values = field.as_chunks().0.iter().map(|value| u64::from_le_bytes(*value));
    let is_other =
        |value: Option<u64>, size| value.is_some_and(|value| value != 0 && value != size);
    let differs = is_other(values.next(), entry.declared_uncompressed_size)
        | is_other(values.next(), entry.declared_compressed_size);
    differs.then_some(field.len() as u64)
}

/// What the directory says and what a local header says before a data descriptor, where that is not
/// zero (APPNOTE 4.4.4, bit 3) and not the same either: the first such pair of sizes and CRC-32.
///
/// Without a data descriptor they are the same, or the entry is refused anyway.
fn beside_descriptor(entry: &Entry, local: &Local<'_>) -> Option<(u64, u64)> {
    let header = &local.header;
    // A saturated value without a readable zip64 one is a value like any other.
    let zip64 = resolve_zip64(local.extra, header.saturated()).unwrap_or_default();
    let pairs = [
        (
            entry.declared_compressed_size,
            zip64.compressed_size.unwrap_or(header.compressed_size.into()),
        ),
        (
            entry.declared_uncompressed_size,
            zip64.uncompressed_size.unwrap_or(header.uncompressed_size.into()),
        ),
        (entry.declared_crc32.into(), header.crc32.into()),
    ];
    pairs.into_iter().find(|&(declared, actual)| actual != 0 && actual != declared)
}

/// Whether the Unicode Path extra fields, if there are any, give this name another form and nothing
/// else (APPNOTE 4.6.9): one field, of this raw name, in both headers.
fn unicode_path_is_trusted(header: &CentralDirectoryHeader<'_>, local_extra: &[u8]) -> bool {
    let mut fields = fields_of(header.extra, UnicodePath::ID);
    let mut local_fields = fields_of(local_extra, UnicodePath::ID);
    let (field, local_field) = (fields.next(), local_fields.next());
    if field != local_field || fields.next().is_some() || local_fields.next().is_some() {
        return false;
    }
    let Some(field) = field else { return true };
    let Some(path) = UnicodePath::parse(field) else { return false };
    path.name_crc32 == crc32fast::hash(header.name) && is_another_form(path.name, header.name)
}

/// Whether a path can be meant by a raw name in another encoding: where it is ASCII alone it is
/// that name, and it is nothing that would be refused as a name.
fn is_another_form(path: &str, raw: &[u8]) -> bool {
    let mut is_good = name::judge(path.as_bytes(), GeneralPurposeFlags::default()).is_ok();
    super::name::of_name(path.as_bytes(), |_, _| is_good = false);
    is_good
        && path.ends_with('/') == raw.ends_with(b"/")
        && !(path.is_ascii() && path.as_bytes() != raw)
}

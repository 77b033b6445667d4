//! The layout of a subset: where each of its bytes comes from.

use bytes::Bytes;

use super::SubsetError;
use super::locate_data::locate_data;
use super::select::select;
use super::write;
use crate::error::Error;
use crate::plan::Standing;
use crate::record::CentralDirectoryHeader;
use crate::sidecar::SidecarError;
use crate::sorted::SortedEntries;
use crate::source::ReadAt;

/// A part of an archive, laid out as an archive of its own.
///
/// ```
/// # use entryway_testkit::builder::{Archive as Zip, Entry};
/// # let a = Entry::stored("docs/a.txt", "hello");
/// # let zip = Zip::new().entry(a).entry(Entry::stored("b", ""));
/// # let bytes = bytes::Bytes::from(zip.build());
/// use entryway::{Archive, SortedDirectory, Subset};
///
/// let archive = Archive::open(bytes)?;
/// let subset = Subset::plan(&mut SortedDirectory::new(&archive), archive.source(), &["docs"])?;
/// assert_eq!(subset.raw_names().collect::<Vec<_>>(), [b"docs/a.txt"]);
/// assert!(subset.len() < archive.source().len() as u64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Subset {
    /// The entries in the order of their names, which is that of the directory and of the file.
    pub(super) entries: Box<[Place]>,
    /// The new central directory: one header for each of them.
    pub(super) directory: Bytes,
    /// What follows it.
    pub(super) end_records: Bytes,
    /// Where it starts in the subset.
    pub(super) directory_offset: u64,
}

/// Where one entry stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Of its local header, in the subset. Its data ends where the next one's starts.
    pub(super) local_header_offset: u64,
    /// Of its data, in the archive.
    pub(super) data_offset: u64,
    /// Of its header, in the new directory.
    pub(super) record_offset: u32,
}

const _: () = assert!(size_of::<Place>() <= 24);

impl Subset {
    /// Lays out the entries that patterns select; the empty archive for no pattern.
    ///
    /// A pattern names a file, as a lookup would; or a directory, with all below it; or is a glob
    /// over whole names (`*` within a segment, `**` across). Reads the headers that the patterns
    /// lead to, each selected one again, and of `source`, the archive, a local header or two reads
    /// for each entry that is [`Standing::Unverified`].
    ///
    /// # Errors
    /// [`SubsetError`]: a pattern that selects nothing, the first of them; one that is no glob; an
    /// entry that is not served, the first by name.
    pub fn plan<E: SortedEntries, A: ReadAt>(
        entries: &mut E,
        source: &A,
        patterns: &[impl AsRef<str>],
    ) -> Result<Self, SubsetError> {
        let selected = select(entries, patterns)?;
        let mut places = Vec::with_capacity(selected.len());
        let mut directory = Vec::new();
        let mut offset = 0u64;
        let mut previous = Bytes::new();
        for index in selected {
            let found = entries.found(index.into())?;
            // The first of a name is the one that a lookup finds: an empty directory, which may be
            // listed any number of times, or a file that is served though others have its name.
            if !places.is_empty() && previous == found.raw_name {
                continue;
            }
            let refused =
                |refusal| SubsetError::Refused { raw_name: found.raw_name.clone(), refusal };
            let data_offset = match found.standing {
                Standing::Bad(refusal) => return Err(refused(refusal)),
                Standing::Good { data_offset, .. } => data_offset,
                Standing::Unverified => {
                    locate_data(source, &found).map_err(|error| match error {
                        Error::Entry(refusal) => refused(refusal),
                        other => SubsetError::Archive(other),
                    })?
                }
            };
            // Below 2^32: at most 28 bytes longer than a record of a directory below 2^28.
            let record_offset = directory.len() as u32;
            let original = entries.header(index.into())?;
            write::central_header(&mut directory, &original, &found.entry, offset);
            places.push(Place { local_header_offset: offset, data_offset, record_offset });
            let header_len = record(&directory, record_offset)
                .map_or(0, |central| write::local_header(&central).len() as u64);
            // Good entries do not overlap, so that their sum is no longer than the archive.
            offset = offset
                .checked_add(header_len)
                .and_then(|end| end.checked_add(found.entry.declared_compressed_size))
                .filter(|&end| end <= i64::MAX as u64)
                .ok_or(SubsetError::Sidecar(SidecarError::Foreign))?;
            previous = found.raw_name;
        }
        let end_records = write::end_records(places.len() as u64, directory.len() as u64, offset);
        Ok(Self {
            entries: places.into(),
            directory: directory.into(),
            end_records: end_records.into(),
            directory_offset: offset,
        })
    }

    /// Length in bytes, exactly.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.directory_offset + self.directory.len() as u64 + self.end_records.len() as u64
    }

    /// Never: an archive has an end record at least.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of entries.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Bytes on the heap: the new directory and the entries' places.
    #[must_use]
    pub fn heap_len(&self) -> u64 {
        (self.directory.len() + self.end_records.len() + size_of_val(&*self.entries)) as u64
    }

    /// The raw names of its entries, ascending, each once.
    pub fn raw_names(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().filter_map(|place| Some(self.record(place)?.name))
    }

    /// The new header of an entry.
    pub(super) fn record(&self, place: &Place) -> Option<CentralDirectoryHeader<'_>> {
        record(&self.directory, place.record_offset)
    }
}

fn record(directory: &[u8], offset: u32) -> Option<CentralDirectoryHeader<'_>> {
    CentralDirectoryHeader::parse(directory.get(offset as usize..)?)
}

impl std::fmt::Debug for Subset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subset")
            .field("entries", &self.entries.len())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

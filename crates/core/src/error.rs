//! What can go wrong, with the record, the offset and both numbers as data.
//!
//! A long file for one reason: each rule has its number, its label and its scope in the first table
//! and its words in the second, both exhaustive, and whoever adds a rule needs the two together.

use std::fmt;
use std::io;

use crate::limits::Limit;
use crate::method::CompressionMethod;
use crate::window::Extent;

/// The record of an archive in which a defect stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs)] // The records' names in APPNOTE 4.3.
pub enum Record {
    EndOfCentralDirectory = 1,
    Zip64Locator = 2,
    Zip64Record = 3,
    CentralDirectory = 4,
    CentralDirectoryHeader = 5,
    LocalFileHeader = 6,
    FileData = 7,
    DataDescriptor = 8,
}

impl Record {
    const ALL: [Self; 8] = [
        Self::EndOfCentralDirectory,
        Self::Zip64Locator,
        Self::Zip64Record,
        Self::CentralDirectory,
        Self::CentralDirectoryHeader,
        Self::LocalFileHeader,
        Self::FileData,
        Self::DataDescriptor,
    ];

    /// The record's number in a sidecar.
    #[must_use]
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The record of that number.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|record| record.code() == code)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndOfCentralDirectory => "end of central directory record",
            Self::Zip64Locator => "zip64 end of central directory locator",
            Self::Zip64Record => "zip64 end of central directory record",
            Self::CentralDirectory => "central directory",
            Self::CentralDirectoryHeader => "central directory header",
            Self::LocalFileHeader => "local file header",
            Self::FileData => "file data",
            Self::DataDescriptor => "data descriptor",
        })
    }
}

/// Whether a rule refuses the archive or one entry of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// No entry of the archive is read: two readers could disagree about all of them.
    Archive,
    /// The entry is not served; the others are.
    Entry,
}

/// How much an archive is held to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// What is read is read in one way: an archive is refused where its directory is ambiguous, an
    /// entry where its bytes or its identity are.
    #[default]
    Serve,
    /// Also, every byte of the file belongs to exactly one record, and no name stands for two files
    /// on any system. `Archive::examine`, of the feature `strict`, says which rule of these is broken;
    /// nothing else asks.
    Strict,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $label:literal, $scope:ident;)*) => {
        /// A reading rule that an archive or an entry breaks.
        ///
        /// The numbers are part of the sidecar's format and are never given to another rule. What
        /// `declared` and `actual` of the [`Refusal`] mean stands at each rule; 0 where not said.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Rule { $($(#[$doc])* $name = $code,)* }

        impl Rule {
            /// Every rule, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable name of the rule in JSON, metrics and logs.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// Whether the rule refuses the archive or one entry.
            #[must_use]
            pub fn scope(self) -> Scope {
                match self { $(Self::$name => Scope::$scope,)* }
            }

            /// The rule of that number.
            #[must_use]
            pub fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

rules! {
    /// No end of central directory record whose comment fits the file.
    NoEndRecord = 1, "no_end_record", Archive;
    /// Two end records end at the end of the file; `actual`: the other one's offset.
    SecondEndRecord = 2, "second_end_record", Archive;
    /// An end record's signature stands after the chosen record; `actual`: its offset.
    SignatureAfterEnd = 3, "signature_after_end", Archive;
    /// The archive is one disk of several, or says so; `declared`: the disk number or count.
    SeveralDisks = 4, "several_disks", Archive;
    /// The counts of entries on this disk and in total differ; `declared`: on this disk, `actual`:
    /// in total.
    CountsDisagree = 5, "counts_disagree", Archive;
    /// The zip64 record is not directly before its locator at the stated offset; `declared`: the
    /// stated offset, `actual`: where it would have to be.
    Zip64NotAdjacent = 6, "zip64_not_adjacent", Archive;
    /// The zip64 record's signature is not where the locator says.
    Zip64Signature = 7, "zip64_signature", Archive;
    /// The zip64 record is shorter than it must be, or carries extensible data; `declared`: its
    /// size.
    Zip64RecordSize = 8, "zip64_record_size", Archive;
    /// End record and zip64 record contradict each other; `declared`: the end record's value,
    /// `actual`: the zip64 record's.
    Zip64Disagrees = 9, "zip64_disagrees", Archive;
    /// The directory would start before the file; `declared`: size + offset, `actual`: where it
    /// ends.
    DirectoryOutside = 10, "directory_outside", Archive;
    /// With bytes before the archive: a directory signature stands both at the stated offset and at
    /// the computed one, or the directory is empty; `declared`: the stated offset, `actual`: the
    /// computed one.
    AmbiguousBase = 11, "ambiguous_base", Archive;
    /// A directory record's signature or length does not fit the directory.
    DirectoryRecord = 12, "directory_record", Archive;
    /// The directory holds another number of records; `declared`: the count, `actual`: the records.
    EntryCount = 13, "entry_count", Archive;
    /// Bytes that are no record follow the last record of the directory; `actual`: how many.
    DirectoryTrailing = 14, "directory_trailing", Archive;
    /// A limit on the archive is exceeded; see [`Refusal::limit`].
    ArchiveOverLimit = 15, "archive_over_limit", Archive;

    /// Another entry has the same name; `actual`: the offset of its header.
    Duplicate = 32, "duplicate_name", Entry;
    /// A file whose name followed by `/` is an entry too; `actual`: the offset of the other one's
    /// header.
    FileAndDirectory = 33, "file_and_directory", Entry;
    /// The request's name fits several entries equally well.
    AmbiguousName = 34, "ambiguous_name", Entry;
    /// The data, or the header, is encrypted or masked.
    Encrypted = 35, "encrypted", Entry;
    /// The entry is a patch against another file.
    Patch = 36, "patch", Entry;
    /// Made for a later version of the format; `declared`: the version times ten.
    VersionNeeded = 37, "version_needed", Entry;
    /// The entry starts on another disk; `declared`: its number.
    DiskStart = 38, "disk_start", Entry;
    /// Neither a regular file, a directory nor a symbolic link; `declared`: the Unix mode.
    UnixMode = 39, "unix_mode", Entry;
    /// An extra field reaches past the end; `declared`: its size, `actual`: the bytes left.
    ExtraOverrun = 40, "extra_overrun", Entry;
    /// The zip64 extra field ends before a value it must hold; `actual`: its length.
    Zip64ExtraShort = 41, "zip64_extra_short", Entry;
    /// Two zip64 extra fields with different contents.
    Zip64ExtraTwice = 42, "zip64_extra_twice", Entry;
    /// A method this build cannot decode; `declared`: the method.
    Method = 43, "method", Entry;
    /// A name that ends in `/` with data behind it; `declared`: its size.
    DirectoryWithData = 44, "directory_with_data", Entry;
    /// The name is empty.
    NameEmpty = 45, "name_empty", Entry;
    /// The name is absolute or has a drive.
    NameAbsolute = 46, "name_absolute", Entry;
    /// The name holds NUL or another control character; `actual`: the byte.
    NameControl = 47, "name_control", Entry;
    /// The name has a `..` segment, or is `.`.
    NameDots = 48, "name_dots", Entry;
    /// The name is said to be UTF-8 and is not.
    NameUtf8 = 49, "name_utf8", Entry;
    /// Another entry has the same local header; `actual`: its offset.
    SharedLocalHeader = 50, "shared_local_header", Entry;
    /// Header, data or descriptor reach into what follows; `declared`: the end, `actual`: the
    /// bound.
    Overlap = 51, "overlap", Entry;
    /// The local header would stand at or past the directory; `declared`: its offset, `actual`: the
    /// directory's.
    OutsideArchive = 52, "outside_archive", Entry;
    /// No local file header at the stated offset.
    LocalSignature = 53, "local_signature", Entry;
    /// The local header carries another name.
    LocalName = 54, "local_name", Entry;
    /// The local header states another method; `declared`: the directory's, `actual`: the local
    /// one.
    LocalMethod = 55, "local_method", Entry;
    /// The local header disagrees on encryption or on a data descriptor; `declared`: the directory's
    /// flags, `actual`: the local ones.
    LocalFlags = 56, "local_flags", Entry;
    /// The local header states another size; `declared`: the directory's, `actual`: the local one.
    LocalSize = 57, "local_size", Entry;
    /// The local header states another CRC-32; `declared`: the directory's, `actual`: the local
    /// one.
    LocalCrc = 58, "local_crc", Entry;
    /// No form of data descriptor after the data agrees with the directory.
    Descriptor = 59, "descriptor", Entry;
    /// A stored entry's two sizes differ; `declared`: compressed, `actual`: uncompressed.
    StoredSizes = 60, "stored_sizes", Entry;
    /// The compressed data breaks its format; `actual`: bytes of output before the defect.
    Data = 61, "data", Entry;
    /// The compressed data ends before its stream does; `declared`: compressed size, `actual`:
    /// bytes of output.
    DataTruncated = 62, "data_truncated", Entry;
    /// The stream ends before the compressed size; `declared`: compressed size, `actual`: where the
    /// stream ends.
    DataTrailing = 63, "data_trailing", Entry;
    /// The stream gives more than the declared size; `declared`: that size.
    DataLong = 64, "data_long", Entry;
    /// The stream gives less than the declared size; `declared`: that size, `actual`: what it
    /// gives.
    DataShort = 65, "data_short", Entry;
    /// The content has another CRC-32; `declared`: the directory's, `actual`: the content's.
    Crc = 66, "crc", Entry;
    /// A limit on an entry is exceeded; see [`Refusal::limit`].
    EntryOverLimit = 67, "over_limit", Entry;

    /// Bytes follow the end of central directory record and its comment; `actual`: how many.
    TrailingBytes = 128, "trailing_bytes", Archive;
    /// Bytes stand before the first record; `declared`: the first four of them as a number, in the
    /// order of signatures, `actual`: how many.
    BytesBefore = 129, "bytes_before", Archive;
    /// Bytes between two records belong to neither; `declared`: the first four of them as a number,
    /// in the order of signatures, `actual`: how many.
    BytesBetween = 130, "bytes_between", Archive;
    /// A local file header between two entries, or behind the last, that the directory does not
    /// list; `actual`: the bytes from it to the next record.
    UnlistedEntry = 131, "unlisted_entry", Archive;

    /// The directory's zip64 extra field holds more than the saturated values ask for, or stands
    /// there twice; `declared`: its length, that of all of them, `actual`: the length asked for.
    Zip64ExtraSurplus = 160, "zip64_extra_surplus", Entry;
    /// A local header before a data descriptor states a size or a CRC-32 that is not zero and not
    /// the directory's; `declared`: the directory's, `actual`: the local one.
    LocalBesideDescriptor = 161, "local_beside_descriptor", Entry;
    /// The name holds a backslash, which some readers take for a slash.
    NameBackslash = 162, "name_backslash", Entry;
    /// The name holds a character that is not seen or reorders others: a control or format character
    /// or a separator of lines or paragraphs (Unicode Cc, Cf, Zl, Zp); `actual`: the character.
    NameInvisible = 163, "name_invisible", Entry;
    /// The name has an empty segment, or one that is `.`.
    NameSegments = 164, "name_segments", Entry;
    /// A segment of the name ends in a dot or a space, which some systems drop.
    NameEnding = 165, "name_ending", Entry;
    /// The name holds a colon, behind which some systems see a stream of another file.
    NameColon = 166, "name_colon", Entry;
    /// Another entry's name is the same but for case, Unicode normalization or encoding, and not
    /// both are directories; `actual`: its header's offset.
    NamesCollide = 167, "names_collide", Entry;
    /// Another entry lies below the name of this one, which is no directory, whatever the case of
    /// either; `actual`: the other one's header's offset.
    FileWithChildren = 168, "file_with_children", Entry;
    /// The Unicode Path extra field (0x7075) gives a name that cannot be trusted to be this one's: it
    /// is of another version or another name, no UTF-8, there twice, not the same in the local
    /// header, or a name that would be refused itself; or it is ASCII, and not the name.
    UnicodePath = 169, "unicode_path", Entry;
}

impl Rule {
    /// The rule's number in a sidecar.
    #[must_use]
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The first profile that has the rule: numbers from 128 on are those of [`Profile::Strict`].
    #[must_use]
    pub fn profile(self) -> Profile {
        if self.code() < 128 { Profile::Serve } else { Profile::Strict }
    }
}

/// One broken rule: which, in which record, where, and the numbers that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// The record in which the defect stands.
    pub record: Record,
    /// Absolute offset of that record in the archive.
    pub offset: u64,
    /// What the archive says; meaning at the rule.
    pub declared: u64,
    /// What was found or would have been right; meaning at the rule.
    pub actual: u64,
    /// The limit that is exceeded, for the two rules about limits; `actual` is over `declared`.
    pub limit: Option<Limit>,
}

/// Where a defect stands; turned into a [`Refusal`] by naming the rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    record: Record,
    offset: u64,
}

/// Names the record and the offset of a defect.
pub(crate) fn at(record: Record, offset: u64) -> At {
    At { record, offset }
}

impl At {
    pub(crate) fn breaks(self, rule: Rule) -> Refusal {
        self.breaks_by(rule, 0, 0)
    }

    pub(crate) fn breaks_by(self, rule: Rule, declared: u64, actual: u64) -> Refusal {
        Refusal { rule, record: self.record, offset: self.offset, declared, actual, limit: None }
    }

    pub(crate) fn exceeds(self, limit: Limit, maximum: u64, actual: u64) -> Refusal {
        let rule = match limit {
            Limit::DirectorySize | Limit::Entries | Limit::IndexLen => Rule::ArchiveOverLimit,
            Limit::ExpansionRatio | Limit::DecoderMemory => Rule::EntryOverLimit,
        };
        Refusal { limit: Some(limit), ..self.breaks_by(rule, maximum, actual) }
    }
}

impl Refusal {
    /// The refusal of a lookup that several entries answer equally well; it has no offset.
    #[must_use]
    pub fn ambiguous_name() -> Self {
        at(Record::CentralDirectory, 0).breaks(Rule::AmbiguousName)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, record, offset, declared, actual, limit } = self;
        match rule {
            Rule::NoEndRecord => f.write_str(
                "no end of central directory record fits the end of the file: it is no zip \
                 archive, or its end is missing",
            ),
            Rule::SecondEndRecord => write!(
                f,
                "two end of central directory records end with the file, at {offset} and {actual}: \
                 readers disagree about which directory counts"
            ),
            Rule::SignatureAfterEnd => write!(
                f,
                "an end of central directory signature at {actual} stands after the record at \
                 {offset}: readers disagree about which one counts"
            ),
            Rule::SeveralDisks if *declared == 0 => {
                write!(f, "{record} at {offset}: counts no disk, where an archive lies on one")
            }
            Rule::SeveralDisks => {
                write!(f, "{record} at {offset}: one part of a split archive (disk {declared})")
            }
            Rule::CountsDisagree => write!(
                f,
                "{record} at {offset}: {declared} entries on this disk, but {actual} in total"
            ),
            Rule::Zip64NotAdjacent => write!(
                f,
                "{record} at {offset}: names offset {declared}, but the zip64 record would have to \
                 stand at {actual}, directly before it"
            ),
            Rule::Zip64Signature => {
                write!(f, "{record} at {offset}: none stands there, its signature is missing")
            }
            Rule::Zip64RecordSize => {
                write!(f, "{record} at {offset}: says that it has {declared} bytes instead of 44")
            }
            Rule::Zip64Disagrees => write!(
                f,
                "{record} at {offset}: says {actual} where the end of central directory record \
                 says {declared}: readers disagree about which one counts"
            ),
            Rule::DirectoryOutside => write!(
                f,
                "{record} at {offset}: a directory whose size and offset add up to {declared} \
                 cannot end at {actual}"
            ),
            Rule::AmbiguousBase => write!(
                f,
                "{record} at {offset}: the central directory could start at {declared}, where it \
                 is said to be, or at {actual}, where it would end in the right place"
            ),
            Rule::DirectoryRecord => write!(
                f,
                "{record} at {offset}: no whole record stands where the next one has to be"
            ),
            Rule::EntryCount => {
                let at_least = if actual > declared { "at least " } else { "" };
                let are = if *declared == 1 { "entry is" } else { "entries are" };
                write!(f, "{record} at {offset}: {declared} {are} declared, ")?;
                write!(f, "{at_least}{actual} found")
            }
            Rule::DirectoryTrailing => {
                write!(f, "{record}: {actual} bytes at {offset} belong to no record")
            }
            Rule::ArchiveOverLimit | Rule::EntryOverLimit => match limit {
                Some(limit) => write!(
                    f,
                    "{record} at {offset}: {actual} {}, over the limit of {declared} ({})",
                    limit.counts(),
                    limit.flag()
                ),
                None => write!(f, "{record} at {offset}: {actual}, over the limit of {declared}"),
            },
            Rule::Duplicate => {
                write!(f, "{record} at {offset}: another entry, at {actual}, has the same name")
            }
            Rule::FileAndDirectory => write!(
                f,
                "{record} at {offset}: the name is that of a file and of a directory, the other \
                 one is at {actual}"
            ),
            Rule::AmbiguousName => f.write_str(
                "the name is one under which several entries are shown, and the raw name of none",
            ),
            Rule::Encrypted => write!(f, "{record} at {offset}: the entry is encrypted"),
            Rule::Patch => {
                write!(f, "{record} at {offset}: the entry is a patch against another file")
            }
            Rule::VersionNeeded => write!(
                f,
                "{record} at {offset}: asks for version {}.{} of the format, and 6.3 is the last",
                declared / 10,
                declared % 10
            ),
            Rule::DiskStart => write!(
                f,
                "{record} at {offset}: the entry starts on disk {declared} of a split archive"
            ),
            Rule::UnixMode => write!(
                f,
                "{record} at {offset}: Unix mode {declared:06o} is no regular file, directory or \
                 symbolic link"
            ),
            Rule::ExtraOverrun => write!(
                f,
                "{record} at {offset}: an extra field of {declared} bytes where {actual} are left"
            ),
            Rule::Zip64ExtraShort => write!(
                f,
                "{record} at {offset}: a zip64 extra field of {actual} bytes lacks values it must \
                 hold"
            ),
            Rule::Zip64ExtraTwice => {
                write!(f, "{record} at {offset}: two zip64 extra fields contradict each other")
            }
            Rule::Method => write!(
                f,
                "{record} at {offset}: compression method {} is not one that this program decodes",
                CompressionMethod(*declared as u16)
            ),
            Rule::DirectoryWithData => {
                write!(f, "{record} at {offset}: a directory with {declared} bytes of data")
            }
            Rule::NameEmpty => write!(f, "{record} at {offset}: the name is empty"),
            Rule::NameAbsolute => {
                write!(f, "{record} at {offset}: the name is absolute or has a drive")
            }
            Rule::NameControl => {
                write!(f, "{record} at {offset}: the name holds control character {actual:#04x}")
            }
            Rule::NameDots => {
                write!(f, "{record} at {offset}: the name is `.` or has a `..` segment")
            }
            Rule::NameUtf8 => {
                write!(f, "{record} at {offset}: the name is flagged as UTF-8 and is not")
            }
            Rule::SharedLocalHeader => {
                write!(f, "{record} at {offset}: another entry shares the local header at {actual}")
            }
            Rule::Overlap => write!(
                f,
                "{record} at {offset}: the entry reaches to {declared}, into what starts at {actual}"
            ),
            Rule::OutsideArchive => write!(
                f,
                "{record} at {offset}: the local header would be at {declared}, but the entries end at \
                 {actual}"
            ),
            Rule::LocalSignature => {
                write!(f, "{record} at {offset}: none stands there, its signature is missing")
            }
            Rule::LocalName => {
                write!(f, "{record} at {offset}: carries another name than the directory")
            }
            Rule::LocalMethod => write!(
                f,
                "{record} at {offset}: compression method {actual}, but {declared} in the directory"
            ),
            Rule::LocalFlags => write!(
                f,
                "{record} at {offset}: flags {actual:#06x}, but {declared:#06x} in the directory"
            ),
            Rule::LocalSize => {
                write!(f, "{record} at {offset}: size {actual}, but {declared} in the directory")
            }
            Rule::LocalCrc => write!(
                f,
                "{record} at {offset}: CRC-32 {actual:08x}, but {declared:08x} in the directory"
            ),
            Rule::Descriptor => write!(
                f,
                "{record} at {offset}: none with the sizes and the CRC-32 of the directory stands \
                 there"
            ),
            Rule::StoredSizes => write!(
                f,
                "{record} at {offset}: stored, but {declared} bytes compressed and {actual} \
                 uncompressed"
            ),
            Rule::Data => write!(
                f,
                "{record} at {offset}: malformed compressed data after {actual} bytes of output"
            ),
            Rule::DataTruncated => write!(
                f,
                "{record} at {offset}: the {declared} compressed bytes end in mid-stream, after \
                 {actual} bytes of output"
            ),
            Rule::DataTrailing => write!(
                f,
                "{record} at {offset}: the stream ends after {actual} of {declared} compressed \
                 bytes"
            ),
            Rule::DataLong => {
                write!(f, "{record} at {offset}: more than the declared {declared} bytes of output")
            }
            Rule::DataShort => write!(
                f,
                "{record} at {offset}: {actual} bytes of output instead of the declared {declared}"
            ),
            Rule::Crc => write!(
                f,
                "{record} at {offset}: CRC-32 {actual:08x} instead of the declared {declared:08x}"
            ),
            Rule::TrailingBytes => write!(f, "{actual} bytes follow the {record} at {offset}"),
            Rule::BytesBefore => write!(
                f,
                "{actual} bytes stand before the first record, the {record} at {offset}{}",
                begins_as(*declared)
            ),
            Rule::BytesBetween => write!(
                f,
                "{actual} bytes at {offset}, before the next {record}, belong to no record{}",
                begins_as(*declared)
            ),
            Rule::UnlistedEntry => write!(
                f,
                "{record} at {offset}: the directory does not list it, nor the {actual} bytes from \
                 there to the next record"
            ),
            Rule::Zip64ExtraSurplus => write!(
                f,
                "{record} at {offset}: {declared} bytes of zip64 extra field where {actual} are asked \
                 for"
            ),
            Rule::LocalBesideDescriptor => write!(
                f,
                "{record} at {offset}: a size or CRC-32 of {actual} before a data descriptor, but \
                 {declared} in the directory"
            ),
            Rule::NameBackslash => write!(f, "{record} at {offset}: the name holds a backslash"),
            Rule::NameInvisible => {
                write!(f, "{record} at {offset}: the name holds U+{actual:04X}, which is not seen")
            }
            Rule::NameSegments => {
                write!(f, "{record} at {offset}: the name has an empty segment, or one that is `.`")
            }
            Rule::NameEnding => {
                write!(f, "{record} at {offset}: a segment of the name ends in a dot or a space")
            }
            Rule::NameColon => write!(f, "{record} at {offset}: the name holds a colon"),
            Rule::NamesCollide => write!(
                f,
                "{record} at {offset}: the name is that of the entry at {actual} but for case, \
                 Unicode normalization or encoding"
            ),
            Rule::FileWithChildren => write!(
                f,
                "{record} at {offset}: no directory, but the entry at {actual} lies below it"
            ),
            Rule::UnicodePath => write!(
                f,
                "{record} at {offset}: the Unicode Path extra field cannot be trusted to name this \
                 entry"
            ),
        }
    }
}

impl std::error::Error for Refusal {}

/// What bytes that belong to no record begin as, by the first four of them.
fn begins_as(signature: u64) -> &'static str {
    match u32::try_from(signature).map(u32::to_le_bytes) {
        Ok([b'P', b'K', 1, 2]) => "; they begin as a central directory header does",
        Ok([b'P', b'K', 3, 4]) => "; they begin as a local file header does",
        Ok([b'P', b'K', 5, 6]) => "; they begin as an end of central directory record does",
        Ok([b'P', b'K', 6, 8]) => "; they begin as an archive extra data record does",
        Ok([b'P', b'K', 7, 8]) => "; they begin as a data descriptor does",
        _ => "",
    }
}

/// Why an archive or an entry of it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The archive is refused as a whole, or is none.
    Archive(Refusal),
    /// One entry is refused; the others can be read.
    Entry(Refusal),
    /// A read of the source failed.
    Read {
        /// What was being read.
        extent: Extent,
        /// The kind of failure.
        kind: io::ErrorKind,
        /// The operating system's number for it, where it has one.
        os: Option<i32>,
    },
    /// The source ended before what it said to be its length.
    ShortRead {
        /// What was being read.
        extent: Extent,
        /// How many bytes of it came.
        read_len: u64,
    },
    /// The source is not what it was when the archive was opened.
    Changed,
}

/// Who is to blame for an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Whoever made the archive.
    Archive,
    /// What the archive is read from: a disk, a file that someone changed.
    Source,
}

impl Error {
    /// Who is to blame.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Archive(_) | Self::Entry(_) => Fault::Archive,
            Self::Read { .. } | Self::ShortRead { .. } | Self::Changed => Fault::Source,
        }
    }

    /// The stable name of the error in JSON, metrics and logs.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Archive(refusal) | Self::Entry(refusal) => refusal.rule.label(),
            Self::Read { .. } => "read",
            Self::ShortRead { .. } => "short_read",
            Self::Changed => "changed",
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        let Self::Read { kind, .. } = self else { return false };
        matches!(
            kind,
            io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
        )
    }

    /// Whether the file is no zip archive at all, as far as can be seen.
    #[must_use]
    pub fn is_not_an_archive(&self) -> bool {
        matches!(self, Self::Archive(Refusal { rule: Rule::NoEndRecord, .. }))
    }

    pub(crate) fn read(extent: Extent, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::ShortRead { extent, read_len: 0 };
        }
        Self::Read { extent, kind: error.kind(), os: error.raw_os_error() }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal.rule.scope() {
            Scope::Archive => Self::Archive(refusal),
            Scope::Entry => Self::Entry(refusal),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archive(refusal) | Self::Entry(refusal) => refusal.fmt(f),
            Self::Read { extent, kind, os } => {
                write!(f, "cannot read bytes {} to {}: ", extent.start, extent.end)?;
                match os {
                    Some(code) => write!(f, "{}", io::Error::from_raw_os_error(*code)),
                    None => write!(f, "{kind}"),
                }
            }
            Self::ShortRead { extent, read_len } => write!(
                f,
                "the file ends after {read_len} of the bytes {} to {}: it was cut short",
                extent.start, extent.end
            ),
            Self::Changed => f.write_str("the archive was changed while it was being read"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_rule_has_a_number_and_a_label_of_its_own() {
        let mut labels = HashSet::new();
        for &rule in Rule::ALL {
            assert_eq!(Rule::from_code(rule.code()), Some(rule));
            assert!(labels.insert(rule.label()), "{} twice", rule.label());
        }
        assert_eq!(Rule::from_code(0), None);
        for record in Record::ALL {
            assert_eq!(Record::from_code(record.code()), Some(record));
        }
    }

    #[test]
    fn every_refusal_says_where() {
        for &rule in Rule::ALL {
            let refusal = at(Record::FileData, 4_711).breaks_by(rule, 1, 2);
            let text = refusal.to_string();
            let has_no_place = matches!(rule, Rule::NoEndRecord | Rule::AmbiguousName);
            assert!(has_no_place || text.contains("4711"), "{}: {text}", rule.label());
        }
    }

    #[test]
    fn a_locator_of_no_disk_is_no_part_of_a_split_archive() {
        let text =
            |disks| at(Record::Zip64Locator, 9).breaks_by(Rule::SeveralDisks, disks, 0).to_string();
        assert!(text(0).contains("counts no disk"), "{}", text(0));
        assert!(text(2).contains("split archive (disk 2)"), "{}", text(2));
    }
}

//! Reads one entry: local header, data, descriptor, checks. Sans-io.
//!
//! An [`Extraction`] asks for extents of the archive and gives chunks of content. The caller
//! fetches and passes on; it never sees the last chunk before CRC-32, size and end of stream have
//! agreed with the directory, so whoever counts the bytes notices when they do not.

mod content;
mod text;

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use self::content::{Content, Decoded};
pub use self::text::TextProbe;
use crate::error::{Error, Record, Rule, at};
use crate::plan::{EntryPlan, FIRST_FETCH_LEN, HEADER_SLACK};
use crate::record::{CentralDirectoryHeader, DataDescriptor, LocalFileHeader};
use crate::verdict;
use crate::window::{Extent, Window};

/// Bytes of content in one chunk, at most.
///
/// Two chunks (one being filled, one held back) and the longest fetch (a header with a name and an
/// extra field of 64 KiB each) take less than 256 KiB together.
pub const CHUNK_LEN: usize = 60 * 1024;

/// The longest fetch: what [`EntryPlan::first_fetch`] asks for in front of a header of any length.
const LONGEST_FETCH_LEN: usize =
    LocalFileHeader::FIXED_LEN + 2 * u16::MAX as usize + HEADER_SLACK as usize;
const _: () = assert!(LONGEST_FETCH_LEN + 2 * CHUNK_LEN < 256 * 1024);
const _: () = assert!(FIRST_FETCH_LEN as usize <= LONGEST_FETCH_LEN);

/// Bytes of the archive in hand, shared: chunks of stored content are slices of them.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// The bytes.
    pub bytes: Bytes,
}

impl Fetched {
    fn window(&self) -> Window<'_> {
        Window { offset: self.offset, bytes: &self.bytes }
    }

    /// The bytes from `at` to the end or to `end`, whichever is first; empty outside.
    pub(crate) fn shared(&self, at: u64, end: u64) -> Bytes {
        let (Some(from), Some(to)) = (at.checked_sub(self.offset), end.checked_sub(self.offset))
        else {
            return Bytes::new();
        };
        let len = self.bytes.len() as u64;
        let (from, to) = (from.min(len), to.min(len));
        self.bytes.slice(from as usize..to.max(from) as usize)
    }

    /// The directory record at an absolute offset, where all of it is here.
    pub(crate) fn parse_at(&self, offset: u64) -> Option<CentralDirectoryHeader<'_>> {
        CentralDirectoryHeader::parse(self.window().from(offset)?)
    }

    /// Whether the bytes of `extent` are all here.
    #[must_use]
    pub fn covers(&self, extent: &Extent) -> bool {
        self.window().slice(extent).is_some()
    }
}

/// What an extraction wants or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtractStep {
    /// The next call must bring these bytes; they lie before the plan's boundary and are not empty.
    Need(Extent),
    /// The next bytes of the content, never empty.
    Chunk(Bytes),
    /// Content was decoded that nobody wants, [`CHUNK_LEN`] of it at most; the next call goes on
    /// with the same bytes. Whoever serves others meanwhile can let them have a turn.
    Skipped,
    /// All has been given and checked.
    Done,
}

/// Where an extraction stands.
#[derive(Clone, Debug)]
enum Stage {
    Header,
    Data { data_offset: u64 },
    Descriptor { offset: u64 },
    Done,
    Failed(Error),
}

/// The reading of one entry, or of ranges of it.
///
/// Memory: the caller's fetched bytes, one chunk being filled and one held back, together below 256
/// KiB for every entry; and the decoder's state ([`CompressionMethod::decoder_memory_bound`]),
/// which is allocated when the first data comes.
///
/// [`CompressionMethod::decoder_memory_bound`]: crate::CompressionMethod::decoder_memory_bound
#[derive(Debug)]
pub struct Extraction {
    plan: EntryPlan,
    stage: Stage,
    /// Absolute offset of the data, once known.
    data_offset: Option<u64>,
    content: Content,
    /// Ranges still wanted, or `None` for everything.
    parts: Option<VecDeque<Range<u64>>>,
    /// Whether the content is decoded to its end, so that it can be checked.
    reaches_end: bool,
    /// Chunks that may be given.
    ready: VecDeque<Bytes>,
    /// The last chunk so far; it may be given once another follows or the checks have passed.
    held: Option<Bytes>,
}

impl Extraction {
    /// Starts a reading.
    #[must_use]
    pub fn new(plan: EntryPlan) -> Self {
        let parts: Option<VecDeque<_>> = plan.parts.clone().map(VecDeque::from);
        let size = plan.entry.declared_uncompressed_size;
        let reaches_end =
            parts.as_ref().is_none_or(|parts| parts.back().is_some_and(|last| last.end == size));
        let stage = match plan.data_offset {
            Some(data_offset) => Stage::Data { data_offset },
            None => Stage::Header,
        };
        Self {
            content: Content::new(&plan.entry, plan.decoder_memory),
            data_offset: plan.data_offset,
            plan,
            stage,
            parts,
            reaches_end,
            ready: VecDeque::new(),
            held: None,
        }
    }

    /// Where the data starts, once the local header has been read.
    #[must_use]
    pub fn data_offset(&self) -> Option<u64> {
        self.data_offset
    }

    /// Whether the data, once all of it has been decoded and checked, may go out as the content
    /// coding zstd; see [`Standing::Good`](crate::Standing::Good).
    #[must_use]
    pub fn fits_zstd_coding(&self) -> bool {
        self.content.fits_zstd_coding()
    }

    /// Goes on with the bytes in hand: those of the last [`ExtractStep::Need`], until the next one.
    ///
    /// # Errors
    /// [`Error::Entry`] with the rule that the entry breaks. Nothing is given after an error, and
    /// every later call returns it again.
    pub fn step(&mut self, fetched: &Fetched) -> Result<ExtractStep, Error> {
        let outcome = self.advance(fetched);
        if let Err(error) = &outcome {
            self.stage = Stage::Failed(error.clone());
            self.ready.clear();
            self.held = None;
        }
        outcome
    }

    fn advance(&mut self, fetched: &Fetched) -> Result<ExtractStep, Error> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(ExtractStep::Chunk(chunk));
            }
            match &self.stage {
                Stage::Failed(error) => return Err(error.clone()),
                Stage::Done => return Ok(ExtractStep::Done),
                Stage::Header => {
                    if let Some(extent) = self.read_header(fetched)? {
                        return Ok(ExtractStep::Need(extent));
                    }
                }
                &Stage::Data { data_offset } => {
                    if let Some(step) = self.read_data(data_offset, fetched)? {
                        return Ok(step);
                    }
                }
                &Stage::Descriptor { offset } => {
                    let end = offset
                        .saturating_add(DataDescriptor::MAX_LEN as u64)
                        .min(self.plan.boundary);
                    let extent = offset..end;
                    let Some(bytes) = fetched.window().slice(&extent) else {
                        return Ok(ExtractStep::Need(extent));
                    };
                    verdict::of_descriptor(&self.plan.entry, offset, bytes)?;
                    self.finish();
                }
            }
        }
    }

    /// Reads the local header; gives the extent it lacks.
    fn read_header(&mut self, fetched: &Fetched) -> Result<Option<Extent>, Error> {
        let entry = &self.plan.entry;
        let start = entry.local_header_offset;
        let bytes = fetched.window().from(start).unwrap_or_default();
        if bytes.len() < LocalFileHeader::FIXED_LEN {
            let extent = self.plan.first_fetch();
            if fetched.covers(&extent)
                || extent.end - extent.start < LocalFileHeader::FIXED_LEN as u64
            {
                // No room for a header before the boundary.
                let place = at(Record::LocalFileHeader, start);
                let end = start.saturating_add(LocalFileHeader::FIXED_LEN as u64);
                return Err(place.breaks_by(Rule::Overlap, end, self.plan.boundary).into());
            }
            return Ok(Some(extent));
        }
        // A header that reaches past the boundary is refused without being fetched.
        if let Some(header_len) = verdict::local_header_len(bytes)
            && header_len > bytes.len() as u64
            && start.saturating_add(header_len) <= self.plan.boundary
        {
            return Ok(Some(start..start + header_len));
        }
        let data_offset =
            verdict::of_local_header(entry, &self.plan.raw_name, self.plan.boundary, bytes)?;
        self.data_offset = Some(data_offset);
        self.stage = Stage::Data { data_offset };
        Ok(None)
    }

    /// Decodes one chunk, or ends the data; gives the step where that makes one.
    fn read_data(
        &mut self,
        data_offset: u64,
        fetched: &Fetched,
    ) -> Result<Option<ExtractStep>, Error> {
        let data_end = data_offset + self.plan.entry.declared_compressed_size;
        let next = data_offset + self.content.consumed();
        let input = fetched.shared(next, data_end);
        let chunk_offset = self.content.produced();
        match self.content.decode(&input, data_offset)? {
            Decoded::NeedsInput => {
                let next = data_offset + self.content.consumed();
                Ok(Some(ExtractStep::Need(self.plan.fetch_from(data_offset, next))))
            }
            Decoded::Chunk(chunk) => {
                let is_wanted = self.take(chunk_offset, chunk);
                if !self.reaches_end && self.parts.as_ref().is_some_and(VecDeque::is_empty) {
                    self.finish();
                }
                Ok((!is_wanted).then_some(ExtractStep::Skipped))
            }
            Decoded::Finished => {
                if self.plan.data_offset.is_none() && self.plan.entry.flags.has_data_descriptor() {
                    self.stage = Stage::Descriptor { offset: data_end };
                } else {
                    self.finish();
                }
                Ok(None)
            }
        }
    }

    /// Keeps what is wanted of a chunk of content that starts at `offset`; says whether any of it
    /// is.
    fn take(&mut self, offset: u64, chunk: Bytes) -> bool {
        let Some(parts) = &mut self.parts else {
            self.ready.extend(self.held.replace(chunk));
            return true;
        };
        let end = offset + chunk.len() as u64;
        let mut is_wanted = false;
        while let Some(part) = parts.front_mut().filter(|part| part.start < end) {
            is_wanted = true;
            let until = part.end.min(end);
            let piece = (part.start - offset) as usize..(until - offset) as usize;
            self.ready.extend(self.held.replace(chunk.slice(piece)));
            if until < part.end {
                part.start = until;
                break;
            }
            parts.pop_front();
        }
        is_wanted
    }

    fn finish(&mut self) {
        self.ready.extend(self.held.take());
        self.stage = Stage::Done;
    }
}

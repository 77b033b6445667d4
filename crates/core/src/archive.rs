//! An open archive: a source and its directory.

use std::io::{self, Read};

use bytes::{Buf, Bytes};

use crate::directory::{Directory, Lookup, find_in};
use crate::entry::Entry;
use crate::error::{Error, Refusal};
use crate::extract::{ExtractStep, Extraction};
use crate::limits::Limits;
use crate::plan::{EntryPlan, Found};
use crate::policy::Policy;
use crate::source::{Feed, ReadAt, fetch_directory, open_directory};

/// A zip archive whose directory has been read.
///
/// ```
/// use std::io::Read;
/// # use entryway_testkit::builder::{Archive as Zip, Entry};
/// # let bytes = bytes::Bytes::from(Zip::new().entry(Entry::deflated("a.txt", b"hello")).build());
/// use entryway::Archive;
///
/// let archive = Archive::open(bytes)?; // or a `FileSource`
/// let found = archive.find(b"a.txt")?.expect("there is an entry of that name");
/// let mut content = String::new();
/// archive.read(&found)?.read_to_string(&mut content)?;
/// assert_eq!(content, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Archive<S> {
    source: S,
    directory: Directory,
    policy: Policy,
}

impl<S: ReadAt> Archive<S> {
    /// Reads the directory of an archive, under the default [`Policy`].
    ///
    /// # Errors
    /// [`Error::Archive`] where the archive is refused, else what reading it came to.
    pub fn open(source: S) -> Result<Self, Error> {
        Self::open_within(source, Policy::default())
    }

    /// Reads the directory of an archive, within the given [`Limits`] or under the given
    /// [`Policy`].
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn open_within(source: S, policy: impl Into<Policy>) -> Result<Self, Error> {
        let policy = policy.into();
        let directory = open_directory(&source, &policy.limits)?;
        Ok(Self { source, directory, policy })
    }

    /// Reads a whole entry, verifying it on the way.
    ///
    /// # Errors
    /// [`Error::Entry`] where the entry is known to be bad; the rest is found while reading.
    pub fn read(&self, found: &Found) -> Result<EntryReader<'_, S>, Error> {
        Ok(EntryReader::new(&self.source, EntryPlan::whole(found)?))
    }

    /// Carries out a plan, for instance one for ranges of an entry.
    pub fn carry_out(&self, plan: EntryPlan) -> EntryReader<'_, S> {
        EntryReader::new(&self.source, plan)
    }
}

impl<S> Archive<S> {
    /// What the archive is read from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The central directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The central directory alone, without the source.
    pub fn into_directory(self) -> Directory {
        self.directory
    }

    /// The policy it was opened under.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The limits of its policy.
    pub fn limits(&self) -> &Limits {
        &self.policy.limits
    }

    /// Finds an entry as a request would, see [`Directory::find`].
    ///
    /// # Errors
    /// The refusal of a name that several entries answer to.
    pub fn find(&self, name: &[u8]) -> Result<Option<Found>, Refusal> {
        match self.directory.find(name) {
            Lookup::Absent => Ok(None),
            Lookup::Found(entry) => Ok(Some(self.describe(&entry))),
            Lookup::Ambiguous => Err(Refusal::ambiguous_name()),
        }
    }

    /// All that is known of an entry without reading its data.
    ///
    /// # Panics
    /// As [`Directory::header`].
    pub fn describe(&self, entry: &Entry) -> Found {
        self.directory.describe(entry, &self.policy)
    }
}

/// Finds one entry of an archive that nothing else is wanted of, as a request would.
///
/// The answer is that of [`Archive::open_within`] and [`Archive::find`]. No index is made, so that
/// [`Limits::index_len`] plays no part: the directory is gone through once, or twice where its
/// records do not stand in the order of the files or the name is an alias, and nothing that grows
/// with it is allocated but, where the source does not [`share`](ReadAt::share) its bytes, its own
/// bytes. For more than a few lookups an [`Archive`] is cheaper.
///
/// ```
/// use std::io::Read;
/// # use entryway_testkit::builder::{Archive as Zip, Entry};
/// # let source = bytes::Bytes::from(Zip::new().entry(Entry::deflated("a.txt", b"hello")).build());
/// use entryway::{EntryPlan, EntryReader, Limits, find_one};
///
/// let found = find_one(&source, b"a.txt", &Limits::default())?.expect("an entry of that name");
/// let mut content = String::new();
/// EntryReader::new(&source, EntryPlan::whole(&found)?).read_to_string(&mut content)?;
/// assert_eq!(content, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Archive`] where the archive is refused, [`Error::Entry`] with the refusal of a name that
/// several entries answer to, else what reading came to.
pub fn find_one<S: ReadAt + ?Sized>(
    source: &S,
    name: &[u8],
    policy: impl Into<Policy>,
) -> Result<Option<Found>, Error> {
    let policy = policy.into();
    let (extent, bytes) = fetch_directory(source, &policy.limits)?;
    find_in(&extent, &bytes, name, &policy)
}

/// The content of one entry, or of ranges of it, as it is decoded.
///
/// The last bytes come only after CRC-32, size and end of stream have been checked: a reader that
/// reaches the end without an error has the right content.
#[derive(Debug)]
pub struct EntryReader<'a, S> {
    extraction: Extraction,
    feed: Feed<'a, S>,
    chunk: Bytes,
}

impl<'a, S: ReadAt> EntryReader<'a, S> {
    /// Carries out a plan over the source that its entry is in.
    pub fn new(source: &'a S, plan: EntryPlan) -> Self {
        Self { extraction: Extraction::new(plan), feed: Feed::exact(source), chunk: Bytes::new() }
    }

    /// The next bytes of the content, at most 60 KiB; `None` at its verified end.
    ///
    /// # Errors
    /// [`Error::Entry`] where the entry breaks a rule, else what reading came to.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        next_chunk(&mut self.extraction, &mut self.feed)
    }
}

/// Runs an extraction until it gives a chunk or ends.
pub(crate) fn next_chunk<S: ReadAt + ?Sized>(
    extraction: &mut Extraction,
    feed: &mut Feed<'_, S>,
) -> Result<Option<Bytes>, Error> {
    loop {
        match extraction.step(feed.fetched())? {
            ExtractStep::Need(extent) => feed.fill(extent)?,
            ExtractStep::Chunk(chunk) => return Ok(Some(chunk)),
            ExtractStep::Skipped => {}
            ExtractStep::Done => return Ok(None),
        }
    }
}

impl<S: ReadAt> Read for EntryReader<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            match self.next_chunk() {
                Ok(Some(chunk)) => self.chunk = chunk,
                Ok(None) => return Ok(0),
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        let len = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..len]);
        Ok(len)
    }
}

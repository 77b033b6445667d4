//! Finds one entry by going through the directory once, without an index.
//!
//! The answers are those of [`Directory::find`](super::Directory::find) and of the rules that follow
//! it; only [`Limits::index_len`](crate::Limits::index_len) has no meaning here. A second time
//! through is needed where the records do not stand in the order of the files before the entry, and
//! where it is found by another name than its own.

use super::{
    AliasStep, Namesakes, Neighbours, check_count, each_record, may_have_alias, record_at, twin_of,
};
use crate::entry::{Entry, local_header_offset};
use crate::error::{Error, Refusal};
use crate::locate::DirectoryExtent;
use crate::plan::Found;
use crate::policy::Policy;
use crate::record::CentralDirectoryHeader;

/// Finds the entry that a name in a request means, in a directory's bytes.
pub(crate) fn find_in(
    extent: &DirectoryExtent,
    bytes: &[u8],
    name: &[u8],
    policy: &Policy,
) -> Result<Option<Found>, Error> {
    check_count(bytes, extent)?;
    let twin = twin_of(name);
    let mut around = Around::new(name, twin.as_deref());
    let mut raw: Option<u32> = None;
    let mut aliases = Aliases::new(name);
    each_record(bytes, extent, |header, header_offset| {
        let is_answer = raw.is_none() && header.name == name;
        if is_answer {
            raw = Some(header_offset);
        } else if raw.is_none() {
            aliases.note(header, header_offset, |offset| record_at(bytes, offset));
        }
        around.note(header, header_offset, local_header_offset(header, extent), is_answer);
    })?;
    let found = match raw {
        Some(offset) => Some(offset),
        None => aliases.answer().map_err(Error::from)?,
    };
    let Some((offset, header)) = found.and_then(|offset| Some((offset, record_at(bytes, offset)?)))
    else {
        return Ok(None);
    };
    let (entry, _) = Entry::from_header(&header, offset, extent);
    let twin = twin_of(header.name);
    if raw.is_none() || !around.is_conclusive {
        around = Around::new(header.name, twin.as_deref());
        around.own = Some(entry.local_header_offset);
        each_record(bytes, extent, |other, other_offset| {
            let local = local_header_offset(other, extent);
            around.note(other, other_offset, local, other_offset == offset);
        })?;
    }
    let neighbours = around.neighbours(extent);
    Ok(Some(Found::unverified(&entry, &header, extent, &neighbours, policy)))
}

/// The records that answer to a name in the second and third step of a lookup.
struct Aliases<'n> {
    name: &'n [u8],
    is_ascii: bool,
    /// The first record of each step, and whether another one has another raw name.
    steps: [(AliasStep, Option<(u32, bool)>); 2],
}

impl<'n> Aliases<'n> {
    fn new(name: &'n [u8]) -> Self {
        let steps = [AliasStep::WithoutDotSlash, AliasStep::Display].map(|step| (step, None));
        Self { name, is_ascii: name.is_ascii(), steps }
    }

    #[inline]
    fn note<'a>(
        &mut self,
        header: &CentralDirectoryHeader<'a>,
        header_offset: u32,
        record_at: impl Fn(u32) -> Option<CentralDirectoryHeader<'a>>,
    ) {
        // A name in ASCII is displayed only for a Unicode path or for itself: what is not UTF-8 is
        // shown with a character that is not ASCII.
        let may_match = may_have_alias(header) || !self.is_ascii && !header.name.is_ascii();
        if !may_match {
            return;
        }
        for (step, found) in &mut self.steps {
            if !step.matches(header, self.name) {
                continue;
            }
            match found {
                None => *found = Some((header_offset, false)),
                Some((first, is_ambiguous)) => {
                    let first = record_at(*first);
                    *is_ambiguous |= first.is_some_and(|first| first.name != header.name);
                }
            }
        }
    }

    fn answer(&self) -> Result<Option<u32>, Refusal> {
        match self.steps.iter().find_map(|(_, found)| *found) {
            Some((_, true)) => Err(Refusal::ambiguous_name()),
            Some((first, false)) => Ok(Some(first)),
            None => Ok(None),
        }
    }
}

/// What is seen of an entry's neighbours on the way.
struct Around<'n> {
    name: &'n [u8],
    twin: Option<&'n [u8]>,
    namesakes: Namesakes,
    /// The header of the twin.
    twin_offset: Option<u32>,
    /// Where the entry's local header is, once that is known.
    own: Option<u64>,
    /// The greatest offset of a local header before it was known.
    greatest: Option<u64>,
    /// Whether what was passed before it was known cannot matter.
    is_conclusive: bool,
    shares_header: bool,
    /// The least offset behind its own.
    next: u64,
}

impl<'n> Around<'n> {
    fn new(name: &'n [u8], twin: Option<&'n [u8]>) -> Self {
        Self {
            name,
            twin,
            namesakes: Namesakes::default(),
            twin_offset: None,
            own: None,
            greatest: None,
            is_conclusive: true,
            shares_header: false,
            next: u64::MAX,
        }
    }

    #[inline]
    fn note(
        &mut self,
        header: &CentralDirectoryHeader<'_>,
        header_offset: u32,
        local: u64,
        is_itself: bool,
    ) {
        if header.name == self.name {
            self.namesakes.note(header, header_offset, is_itself);
        }
        if self.twin == Some(header.name) {
            self.twin_offset.get_or_insert(header_offset);
        }
        match self.own {
            _ if is_itself => {
                self.is_conclusive = self.greatest.is_none_or(|greatest| greatest < local);
                self.own = Some(local);
            }
            Some(own) if local > own => self.next = self.next.min(local),
            Some(own) => self.shares_header |= local == own,
            None => self.greatest = self.greatest.max(Some(local)),
        }
    }

    fn neighbours(&self, extent: &DirectoryExtent) -> Neighbours {
        Neighbours {
            is_first: self.namesakes.is_first,
            namesake: self.namesakes.other,
            twin: self.twin_offset,
            shares_header: self.shares_header,
            boundary: self.next.min(extent.extent.start),
        }
    }
}

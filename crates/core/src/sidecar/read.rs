//! Opens a sidecar and reads its items, a page at a time.

use std::fmt;
use std::io;

use super::page::{self, CONTENT_LEN, PAGE_LEN, items_per_page};
use super::{Binding, FACT_LEN, MAGIC, PAIR_LEN, REFUSAL_LEN, VERSION, choice, section, standing};
use crate::directory::HashKey;
use crate::error::{Record, Refusal, Rule};
use crate::limits::{Limit, Limits};
use crate::plan::Standing;
use crate::policy::Policy;
use crate::source::ReadAt;
use crate::window::Extent;

/// A sidecar whose header has been read and belongs to the archive.
#[derive(Clone, Debug)]
pub struct Sidecar<S> {
    source: S,
    /// The directory's bytes in the archive.
    pub(super) directory: Extent,
    pub(super) base_offset: u64,
    pub(super) end_record_offset: u64,
    pub(super) archive_len: u64,
    pub(super) entries: u64,
    pub(super) limits: Limits,
    pub(super) key: HashKey,
    pub(super) names: Section,
    pub(super) aliases: Section,
    pub(super) sorted: Section,
    facts: Section,
    refusals: Section,
}

/// An array of items in the sidecar.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Section {
    first_page: u64,
    pub(super) items: u64,
}

/// Why a sidecar cannot be used. Each means that the archive's entries are unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SidecarError {
    /// It is no sidecar, or of a version that this program does not know.
    Unknown,
    /// It belongs to another archive, or to this one before it was changed.
    Foreign,
    /// It refuses an entry that the limits or the methods of today may let pass, or its verdicts
    /// rest on another choice among entries of one name.
    Outdated,
    /// A page's CRC-32 is wrong, or its content contradicts itself.
    Damaged {
        /// The page's number.
        page: u64,
    },
    /// Reading it failed.
    Read(io::ErrorKind),
}

impl fmt::Display for SidecarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not a sidecar of a known version"),
            Self::Foreign => f.write_str("the sidecar belongs to another archive"),
            Self::Outdated => {
                f.write_str("the sidecar was made under another policy or with other methods")
            }
            Self::Damaged { page } => write!(f, "page {page} of the sidecar is damaged"),
            Self::Read(kind) => write!(f, "cannot read the sidecar: {kind}"),
        }
    }
}

impl std::error::Error for SidecarError {}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

impl<S: ReadAt> Sidecar<S> {
    /// Reads the header page and holds it to the archive, under the default [`Policy`].
    ///
    /// # Errors
    /// [`SidecarError`] where it cannot be used for this archive.
    pub fn open(source: S, binding: &Binding) -> Result<Self, SidecarError> {
        Self::open_within(source, binding, Policy::default())
    }

    /// Reads the header page and holds it to the archive, and the decoders of the entries that are
    /// found to the policy's limits.
    ///
    /// Looking up an entry that was refused under a lower limit is [`SidecarError::Outdated`] then.
    ///
    /// # Errors
    /// [`SidecarError`] where it cannot be used for this archive; [`SidecarError::Outdated`] where
    /// the policy would choose otherwise among entries of one name, and there are such.
    pub fn open_within(
        source: S,
        binding: &Binding,
        policy: impl Into<Policy>,
    ) -> Result<Self, SidecarError> {
        let policy = policy.into();
        let mut page = [0; PAGE_LEN];
        let read_len = read_page(&source, 0, &mut page)?;
        if read_len < PAGE_LEN || page[..8] != MAGIC || u32_at(&page, 8) != VERSION {
            return Err(SidecarError::Unknown);
        }
        let damaged = SidecarError::Damaged { page: 0 };
        let header = page::content(0, &page).ok_or(damaged.clone())?;
        if header[16..48] != binding.sha256[..]
            || u64_at(header, 48) != binding.len
            || u64_at(header, 56).cast_signed() != binding.modified_nanos
        {
            return Err(SidecarError::Foreign);
        }
        let mut sidecar = Self {
            archive_len: binding.len,
            key: HashKey::from_u64(u64_at(header, 64)),
            directory: u64_at(header, 72)..u64_at(header, 80),
            base_offset: u64_at(header, 88),
            end_record_offset: u64_at(header, 96),
            entries: u64_at(header, 104),
            limits: policy.limits,
            names: Section::default(),
            aliases: Section::default(),
            sorted: Section::default(),
            facts: Section::default(),
            refusals: Section::default(),
            source,
        };
        let made_under = u64_at(header, 112);
        if made_under != choice::NONE && made_under != choice::of(policy.duplicates) {
            return Err(SidecarError::Outdated);
        }
        let sections = u32_at(header, 12) as usize;
        for at in (0..sections).map(|number| 120 + 24 * number) {
            if at + 24 > CONTENT_LEN {
                return Err(damaged);
            }
            let (id, item_len) = (u32_at(header, at), u32_at(header, at + 4) as usize);
            let (slot, expected) = match id {
                section::NAMES => (&mut sidecar.names, PAIR_LEN),
                section::ALIASES => (&mut sidecar.aliases, PAIR_LEN),
                section::SORTED => (&mut sidecar.sorted, PAIR_LEN),
                section::FACTS => (&mut sidecar.facts, FACT_LEN),
                section::REFUSALS => (&mut sidecar.refusals, REFUSAL_LEN),
                _ => continue,
            };
            if item_len != expected {
                return Err(damaged);
            }
            *slot = Section { first_page: u64_at(header, at + 8), items: u64_at(header, at + 16) };
        }
        let directory = &sidecar.directory;
        let fits = directory.start <= directory.end && directory.end <= binding.len;
        if !fits || sidecar.facts.items != sidecar.entries {
            return Err(damaged);
        }
        Ok(sidecar)
    }

    /// Number of entries of the archive.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The record offset and the ordinal of the entry at `index` in the order of the raw names'
    /// bytes; `None` past the last.
    ///
    /// # Errors
    /// [`SidecarError`] where the page cannot be read.
    pub fn sorted(&self, index: u64) -> Result<Option<(u32, u32)>, SidecarError> {
        if index >= self.sorted.items {
            return Ok(None);
        }
        self.pairs(self.sorted).pair(index).map(Some)
    }

    /// Starts reading a section of pairs.
    pub(super) fn pairs(&self, section: Section) -> Pairs<'_, S> {
        Pairs { source: &self.source, section, page: Box::new([0; PAGE_LEN]), number: None }
    }

    /// What is known of the entry with this ordinal.
    pub(super) fn standing(&self, ordinal: u32) -> Result<Standing, SidecarError> {
        let (fact, page) = self.item::<FACT_LEN>(self.facts, ordinal.into())?;
        let place = u64_at(&fact, 0);
        match fact[8] {
            standing::GOOD => Ok(Standing::Good {
                data_offset: place,
                is_text: fact[9] == 1,
                fits_zstd_coding: fact[10] == 1,
            }),
            standing::BAD => {
                let (item, page) = self.item::<REFUSAL_LEN>(self.refusals, place)?;
                let refusal = (|| {
                    let limit = u16_at(&item, 4);
                    Some(Refusal {
                        rule: Rule::from_code(u16_at(&item, 0))?,
                        record: Record::from_code(u16_at(&item, 2))?,
                        limit: Limit::ALL.into_iter().find(|&known| known as u16 == limit),
                        offset: u64_at(&item, 8),
                        declared: u64_at(&item, 16),
                        actual: u64_at(&item, 24),
                    })
                })();
                refusal.map(Standing::Bad).ok_or(SidecarError::Damaged { page })
            }
            _ => Err(SidecarError::Damaged { page }),
        }
    }

    /// An item and the number of its page.
    fn item<const LEN: usize>(
        &self,
        section: Section,
        index: u64,
    ) -> Result<([u8; LEN], u64), SidecarError> {
        let number = section.first_page.saturating_add(index / items_per_page(LEN));
        let damaged = SidecarError::Damaged { page: number };
        if index >= section.items {
            return Err(damaged);
        }
        let mut page = [0; PAGE_LEN];
        read_page(&self.source, number, &mut page)?;
        let content = page::content(number, &page).ok_or(damaged.clone())?;
        let at = (index % items_per_page(LEN)) as usize * LEN;
        let item = content[at..].first_chunk::<LEN>().ok_or(damaged)?;
        Ok((*item, number))
    }
}

/// Reads pairs of a section, keeping the last page.
pub(super) struct Pairs<'a, S> {
    source: &'a S,
    section: Section,
    page: Box<[u8; PAGE_LEN]>,
    number: Option<u64>,
}

impl<S: ReadAt> Pairs<'_, S> {
    pub(super) fn pair(&mut self, index: u64) -> Result<(u32, u32), SidecarError> {
        let per_page = items_per_page(PAIR_LEN);
        let number = self.section.first_page.saturating_add(index / per_page);
        if self.number != Some(number) {
            self.number = None;
            read_page(self.source, number, &mut self.page)?;
            page::content(number, &self.page).ok_or(SidecarError::Damaged { page: number })?;
            self.number = Some(number);
        }
        let at = (index % per_page) as usize * PAIR_LEN;
        Ok((u32_at(&self.page[..], at), u32_at(&self.page[..], at + 4)))
    }
}

/// Reads a page; what lies past the end of the file is not asked for, reads as zeros, and so fails
/// its CRC-32.
fn read_page<S: ReadAt>(
    source: &S,
    number: u64,
    page: &mut [u8; PAGE_LEN],
) -> Result<usize, SidecarError> {
    let offset = number.saturating_mul(PAGE_LEN as u64);
    page.fill(0);
    let mut filled = 0;
    while filled < PAGE_LEN && offset < source.len() {
        // Below 2^64: the page begins within the file, and ends at the end of numbers at the latest.
        match source.read_at(offset + filled as u64, &mut page[filled..]) {
            Ok(0) => break,
            Ok(read_len) => filled += read_len,
            Err(error) => return Err(SidecarError::Read(error.kind())),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::source::testing::Counting;

    #[test]
    fn a_page_past_the_end_is_damaged_and_not_asked_for() {
        let source = Counting::new(Bytes::from(vec![0; PAGE_LEN]));
        for number in [1, u64::MAX / PAGE_LEN as u64, u64::MAX] {
            let section = Section { first_page: number, items: 1 };
            let page = Box::new([0; PAGE_LEN]);
            let mut pairs = Pairs { source: &source, section, page, number: None };
            assert_eq!(pairs.pair(0), Err(SidecarError::Damaged { page: number }));
        }
        assert!(source.take().is_empty());
    }
}

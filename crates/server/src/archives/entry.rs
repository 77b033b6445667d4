//! One entry of an open archive, ready to be answered with.

use std::sync::OnceLock;

use bytes::Bytes;
use entryway::{Error, FileSource, Found, Standing};
use entryway_http::{
    ContentCoding, EntryBody, EntryHeaders, Multipart, Outcome, Plan, Purpose, SMALL_BODY_LEN,
    SMALL_DECODER_LEN, attachment, begins_before_head, begun_body, body, bytes_body, content_type,
    representation,
};

use super::OpenArchive;

/// What an entry's own text and header fields take on the heap, roughly; the cache counts with it.
const FIXED_LEN: u64 = 1_024;

/// An entry that may be served, with its header fields and, where it is small, its bytes.
pub struct ServedEntry {
    found: Found,
    /// The fields of endpoint C.
    file: EntryHeaders,
    /// The fields of endpoint D.
    raw: EntryHeaders,
    /// The small representations, once they were read and checked; no entry has two codings.
    identity: OnceLock<Bytes>,
    coded: OnceLock<Bytes>,
}

impl ServedEntry {
    pub(super) fn new(found: Found, archive: &OpenArchive) -> Self {
        let metadata = representation(&found, &archive.sha256().0, archive.stored_at());
        let is_text = match found.standing {
            Standing::Good { is_text, .. } => Some(is_text),
            Standing::Unverified | Standing::Bad(_) => None,
        };
        let name = &found.raw_name;
        let file = EntryHeaders::new(
            metadata,
            content_type(name, is_text, Purpose::File),
            attachment(name, &found.display_name),
        );
        let raw = file.clone().with_content_type(content_type(name, is_text, Purpose::Raw));
        Self { found, file, raw, identity: OnceLock::new(), coded: OnceLock::new() }
    }

    /// The entry.
    #[must_use]
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// The header fields for this purpose.
    #[must_use]
    pub fn headers(&self, purpose: Purpose) -> &EntryHeaders {
        match purpose {
            Purpose::File => &self.file,
            Purpose::Raw => &self.raw,
        }
    }

    /// Whether its bytes are known to be right.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        matches!(self.found.standing, Standing::Good { .. })
    }

    /// Bytes on the heap, small bodies included before they are read.
    #[must_use]
    pub fn heap_len(&self) -> u64 {
        let metadata = self.file.metadata();
        let small = |len: u64| if len <= SMALL_BODY_LEN { len } else { 0 };
        FIXED_LEN
            + 2 * self.found.raw_name.len() as u64
            + small(metadata.complete_len)
            + metadata.gzip_len.or(metadata.zstd_len).map_or(0, small)
    }

    /// Bytes that decoding for a plan may take, where that is worth counting: 0 where nothing is
    /// decoded, or only what any decoder takes.
    #[must_use]
    pub fn decoder_memory(&self, plan: &Plan) -> u64 {
        let is_decoded = plan.sends_representation()
            && plan.coding == ContentCoding::Identity
            && self.kept(plan.coding).is_none_or(|kept| kept.get().is_none());
        let bound = if is_decoded { self.found.decoder_memory_bound() } else { 0 };
        if bound > SMALL_DECODER_LEN { bound } else { 0 }
    }

    /// The body that a plan asks for.
    ///
    /// A representation of up to 64 KiB is read and checked whole first, and kept; of a longer one,
    /// the start is read first where that says something about the entry.
    ///
    /// # Errors
    /// What that reading came to.
    pub async fn body(
        &self,
        source: &FileSource,
        plan: &Plan,
        multipart: Option<Multipart>,
    ) -> Result<EntryBody<FileSource>, Error> {
        if !plan.sends_representation() {
            return Ok(EntryBody::empty());
        }
        let Some(kept) = self.kept(plan.coding) else {
            return begun_body(source.clone(), &self.found, plan, multipart).await;
        };
        let bytes = match kept.get() {
            Some(bytes) => bytes,
            None => {
                let whole = Plan { outcome: Outcome::Whole, ..plan.clone() };
                let read = body(source.clone(), &self.found, &whole, None)?.into_bytes().await?;
                kept.get_or_init(|| read)
            }
        };
        Ok(bytes_body(bytes, plan, multipart))
    }

    /// The body that a plan asks for, where it takes no wait: a small one has been read before, a
    /// large one is read while it is sent, unless its start is to be read first.
    #[must_use]
    pub fn body_at_hand(
        &self,
        source: &FileSource,
        plan: &Plan,
        multipart: Option<Multipart>,
    ) -> Option<EntryBody<FileSource>> {
        if !plan.sends_representation() {
            return Some(EntryBody::empty());
        }
        match self.kept(plan.coding) {
            Some(kept) => Some(bytes_body(kept.get()?, plan, multipart)),
            None if plan.coding == ContentCoding::Identity && begins_before_head(&self.found) => {
                None
            }
            None => body(source.clone(), &self.found, plan, multipart).ok(),
        }
    }

    /// Where a small representation is kept; `None` for one that is not.
    fn kept(&self, coding: ContentCoding) -> Option<&OnceLock<Bytes>> {
        let len = self.file.metadata().length(coding)?;
        match coding {
            _ if len > SMALL_BODY_LEN => None,
            ContentCoding::Identity => Some(&self.identity),
            ContentCoding::Gzip | ContentCoding::Zstd => Some(&self.coded),
        }
    }
}

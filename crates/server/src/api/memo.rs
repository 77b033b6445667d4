//! What a core remembers of warm requests: the outcome of every check, by the request's own bytes.
//!
//! The checks of a request (target, credential, project, right, job, archive, entry) are a function
//! of its target, its credential and the catalog. While the catalog's generation lasts, the same
//! bytes have the same outcome: then only preconditions, codings and ranges are left to look at.
//! Five look-ups in shared maps and the parsing in front of them are two thirds of what the program
//! itself takes for a small file; this makes one look-up of them.
//!
//! Only outcomes that end in an entry are kept, and nothing outlives its generation, the expiry of
//! the archive or of the token, or the opening of the archive it came from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use entryway_http::{ContentCoding, Outcome, Plan, Purpose, RequestHead, plan};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response};

use super::{Answer, AnswerBody, MAX_FIELDS, authority};
use crate::archives::{OpenArchive, ServedEntry};
use crate::catalog::{Catalog, Generation, UtcMillis};
use crate::credential::TokenDigest;
use crate::route::{Query, TokenKind, find_presented};

/// Bytes of entries that one core keeps at most; at the bound it forgets all and starts again.
const KEPT_LEN: u64 = 16 << 20;
/// Bytes that an outcome takes beside its entry and its key: header fields, bookkeeping.
const OUTCOME_LEN: u64 = 4_096;

/// The warm requests of one core. The lock is never contended: a core has one thread.
#[derive(Debug, Default)]
pub struct Memo(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The generation of everything in the map.
    generation: Option<Generation>,
    outcomes: HashMap<Box<[u8]>, Warm>,
    heap_len: u64,
    /// The key of the request at hand; kept to spare an allocation.
    key: Vec<u8>,
}

/// A request's outcome, up to what its own fields say of representation, precondition and range.
pub(super) struct Warm {
    /// Weak: what is open, and for how long, is for the archives' own cache to say.
    archive: Weak<OpenArchive>,
    entry: Arc<ServedEntry>,
    purpose: Purpose,
    cache_control: HeaderValue,
    valid_until: Option<UtcMillis>,
    /// The head of a 200 as identity, and in the one coding that the entry has, if it has one.
    identity: HeaderMap,
    coded: HeaderMap,
}

impl std::fmt::Debug for Warm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Warm").field("valid_until", &self.valid_until).finish_non_exhaustive()
    }
}

impl Warm {
    pub(super) fn new(
        archive: &Arc<OpenArchive>,
        entry: &Arc<ServedEntry>,
        purpose: Purpose,
        cache_control: HeaderValue,
        valid_until: Option<UtcMillis>,
    ) -> Self {
        let headers = entry.headers(purpose);
        let whole = |coding| {
            let plan = Plan { outcome: Outcome::Whole, coding, is_head_only: false };
            let mut map = HeaderMap::new();
            headers.write(&plan, &cache_control, &mut map);
            map
        };
        let coding = [ContentCoding::Gzip, ContentCoding::Zstd]
            .into_iter()
            .find(|&coding| headers.metadata().has(coding));
        Self {
            identity: whole(ContentCoding::Identity),
            coded: coding.map(whole).unwrap_or_default(),
            archive: Arc::downgrade(archive),
            entry: Arc::clone(entry),
            purpose,
            cache_control,
            valid_until,
        }
    }

    /// The answer, where it needs no wait and is none of the errors.
    fn answer(&self, head: &Parts) -> Option<Answer> {
        let archive = self.archive.upgrade()?;
        if archive.is_retired() || self.valid_until.is_some_and(|until| until <= UtcMillis::now()) {
            return None;
        }
        let headers = self.entry.headers(self.purpose);
        let request = RequestHead { method: &head.method, headers: &head.headers };
        let plan = plan(&request, headers.metadata());
        if plan.is_error() {
            return None;
        }
        let mut answer = Response::new(AnswerBody::empty());
        *answer.status_mut() = plan.status();
        let multipart = match (&plan.outcome, plan.coding) {
            (Outcome::Whole, ContentCoding::Identity) => {
                *answer.headers_mut() = self.identity.clone();
                None
            }
            (Outcome::Whole, ContentCoding::Gzip | ContentCoding::Zstd) => {
                *answer.headers_mut() = self.coded.clone();
                None
            }
            _ => headers.write(&plan, &self.cache_control, answer.headers_mut()),
        };
        let body = self.entry.body_at_hand(archive.source(), &plan, multipart)?;
        let raw_name = &self.entry.found().raw_name;
        *answer.body_mut() = AnswerBody::of_entry(body, &archive, raw_name, None);
        Some(answer)
    }
}

impl Memo {
    /// Answers a request from memory, if all of it is there.
    pub(super) fn answer(&self, catalog: &Catalog, head: &Parts) -> Option<Answer> {
        let generation = catalog.trusted_generation()?;
        if !is_memorable(head) {
            return None;
        }
        // A target with a token in its query is never kept, so the fields say all.
        let credential = match find_presented(&head.headers, &Query::default()).ok()? {
            None => None,
            Some(token) if token.kind == TokenKind::Job => return None,
            Some(token) => Some(TokenDigest::of(token.text.reveal().as_bytes())),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.generation != Some(generation) {
            kept.forget(generation);
            return None;
        }
        let mut key = std::mem::take(&mut kept.key);
        write_key(&mut key, head, credential.as_ref());
        let answer = kept.outcomes.get(&*key).and_then(|warm| warm.answer(head));
        kept.key = key;
        answer
    }

    /// Keeps the outcome of a request that was let through under `generation`.
    pub(super) fn keep(
        &self,
        generation: Generation,
        head: &Parts,
        credential: Option<&TokenDigest>,
        warm: Warm,
    ) {
        if !is_memorable(head) {
            return;
        }
        let mut key = Vec::new();
        write_key(&mut key, head, credential);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let heap_len = OUTCOME_LEN + key.len() as u64 + warm.entry.heap_len();
        if kept.generation != Some(generation) || kept.heap_len + heap_len > KEPT_LEN {
            kept.forget(generation);
        }
        kept.heap_len += heap_len;
        kept.outcomes.insert(key.into(), warm);
    }
}

impl Kept {
    fn forget(&mut self, generation: Generation) {
        self.outcomes.clear();
        self.heap_len = 0;
        self.generation = Some(generation);
    }
}

/// Whether nothing but target and credential has a say in the checks.
fn is_memorable(head: &Parts) -> bool {
    (head.method == Method::GET || head.method == Method::HEAD)
        && head.headers.len() <= MAX_FIELDS
        && authority::is_plain(head)
}

fn write_key(key: &mut Vec<u8>, head: &Parts, credential: Option<&TokenDigest>) {
    key.clear();
    if let Some(target) = head.uri.path_and_query() {
        key.extend_from_slice(target.as_str().as_bytes());
    }
    // No target contains a NUL, so that what follows it is never part of one.
    key.push(0);
    if let Some(digest) = credential {
        key.extend_from_slice(&digest.0);
    }
}

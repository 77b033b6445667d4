//! A `tower_service::Service` that serves the entries of one archive by their names.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use entryway::{Archive, Error, Fault, Found, ReadAt, Source, Standing};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use tower_service::Service;

use crate::body::EntryBody;
use crate::coding::ContentCoding;
use crate::disposition::attachment;
use crate::entry::{SMALL_BODY_LEN, body, representation};
use crate::head::{EntryHeaders, write_security_headers};
use crate::media_type::{Purpose, content_type};
use crate::plan::{Outcome, RequestHead, plan};

/// Serves one archive: the request's path, without its first `/` and percent-decoded once, is the
/// entry's name.
///
/// Answers GET and HEAD with 200, 206, 304, 404, 406, 412, 416 and 422 as the crate's documentation
/// says; other methods are 405, a path that cannot be a name 400, and a file that went bad 500.
/// Clones share the archive.
///
/// An archive that was not verified is served all the same, decoded and checked on the way:
/// [`ArchiveService::new`]. One that was ([`ArchiveService::verified`]) also answers ranges, and sends
/// deflated entries as gzip without decoding them.
#[derive(Debug)]
pub struct ArchiveService<S> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    archive: Archive<S>,
    archive_sha256: [u8; 32],
    stored_at: SystemTime,
    /// By the offset of the entry's header in the directory; empty where nothing was verified.
    standings: HashMap<u32, Standing>,
}

impl<S> Clone for ArchiveService<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// The answer's type.
type Answer<S> = Response<EntryBody<S>>;

impl<S: Source + ReadAt + Clone + Unpin> ArchiveService<S> {
    /// Serves an archive that nobody has verified.
    ///
    /// `archive_sha256` identifies the archive in entity tags: any 32 bytes that change when the
    /// archive does. `stored_at` becomes Last-Modified.
    pub fn new(archive: Archive<S>, archive_sha256: [u8; 32], stored_at: SystemTime) -> Self {
        let standings = HashMap::new();
        Self { shared: Arc::new(Shared { archive, archive_sha256, stored_at, standings }) }
    }

    /// Decodes every entry of the archive, then serves it.
    ///
    /// # Errors
    /// What reading the archive came to.
    pub fn verified(
        archive: Archive<S>,
        archive_sha256: [u8; 32],
        stored_at: SystemTime,
    ) -> Result<Self, Error> {
        let mut standings = HashMap::with_capacity(archive.directory().len());
        archive.verify(
            |_| {},
            |entry, standing| {
                standings.insert(entry.header_offset, standing);
            },
        )?;
        Ok(Self { shared: Arc::new(Shared { archive, archive_sha256, stored_at, standings }) })
    }
}

impl<S: Source + ReadAt + Clone + Unpin> Shared<S> {
    fn find(&self, name: &[u8]) -> Result<Option<Found>, Error> {
        let Some(mut found) = self.archive.find(name)? else { return Ok(None) };
        if let Some(&standing) = self.standings.get(&found.entry.header_offset) {
            found.standing = standing;
        }
        Ok((!found.entry.is_directory).then_some(found))
    }

    async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Answer<S> {
        if method != Method::GET && method != Method::HEAD {
            let mut answer = refuse(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let Some(name) = decode_once(path) else {
            return refuse(StatusCode::BAD_REQUEST, "malformed percent-encoding");
        };
        let found = match self.find(&name) {
            Ok(Some(found)) => found,
            Ok(None) => return refuse(StatusCode::NOT_FOUND, "no such entry"),
            Err(error) => return refuse_for(&error),
        };
        if let Standing::Bad(refusal) = found.standing {
            return refuse_for(&Error::Entry(refusal));
        }
        let is_text = match found.standing {
            Standing::Good { is_text, .. } => Some(is_text),
            Standing::Unverified | Standing::Bad(_) => None,
        };
        let metadata = representation(&found, &self.archive_sha256, self.stored_at);
        let entry = EntryHeaders::new(
            metadata,
            content_type(&found.raw_name, is_text, Purpose::File),
            attachment(&found.raw_name, &found.display_name),
        );
        let plan = plan(&RequestHead { method, headers }, entry.metadata());
        let mut answer = Response::new(EntryBody::empty());
        *answer.status_mut() = plan.status();
        let cache_control = HeaderValue::from_static("no-cache");
        let multipart = entry.write(&plan, &cache_control, answer.headers_mut());
        if !plan.sends_representation() {
            return answer;
        }
        let entry_body = match body(self.archive.source().clone(), &found, &plan, multipart) {
            Ok(entry_body) => entry_body,
            Err(refusal) => return refuse_for(&Error::Entry(refusal)),
        };
        let is_whole = plan.outcome == Outcome::Whole && plan.coding == ContentCoding::Identity;
        *answer.body_mut() = if is_whole && entry_body.remaining() <= SMALL_BODY_LEN {
            match entry_body.into_bytes().await {
                Ok(bytes) => EntryBody::full(bytes),
                Err(error) => return refuse_for(&error),
            }
        } else {
            entry_body
        };
        answer
    }
}

/// The name that a path means; `None` where its percent-encoding is malformed.
fn decode_once(path: &str) -> Option<Vec<u8>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let is_whole = path.split('%').skip(1).all(|rest| {
        rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    });
    is_whole.then(|| percent_encoding::percent_decode_str(path).collect())
}

fn refuse_for<S>(error: &Error) -> Answer<S> {
    let status = match error.fault() {
        Fault::Archive => StatusCode::UNPROCESSABLE_ENTITY,
        Fault::Source => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refuse(status, error.label())
}

fn refuse<S>(status: StatusCode, text: &'static str) -> Answer<S> {
    let text = Bytes::from_static(text.as_bytes());
    let mut answer = Response::new(EntryBody::empty());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    write_security_headers(headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    *answer.body_mut() = EntryBody::full(text);
    answer
}

impl<S, B> Service<Request<B>> for ArchiveService<S>
where
    S: Source + ReadAt + Clone + Unpin,
{
    type Response = Answer<S>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer<S>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        // The request's body is not read: nothing here has use for one.
        let (head, _) = request.into_parts();
        Box::pin(async move {
            let mut answer = shared.answer(&head.method, head.uri.path(), &head.headers).await;
            if head.method == Method::HEAD {
                *answer.body_mut() = EntryBody::empty();
            }
            Ok(answer)
        })
    }
}

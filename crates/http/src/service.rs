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
use crate::disposition::attachment;
use crate::entry::{begun_body, representation};
use crate::head::{EntryHeaders, write_security_headers};
use crate::media_type::{Purpose, content_type};
use crate::plan::{RequestHead, plan};

/// Serves one archive: the request's path, without its first `/` and percent-decoded once, is the
/// entry's name.
///
/// Answers GET and HEAD with 200, 206, 304, 404, 406, 412, 416 and 422 as the crate's documentation
/// says; other methods are 405, a path that cannot be a name 400, and a file that went bad 500.
/// Clones share the archive.
///
/// An archive that was not verified is served all the same, decoded and checked on the way:
/// [`ArchiveService::new`]. One that was ([`ArchiveService::verified`]) also answers ranges, and
/// sends deflated entries as gzip, and most of zstd as zstd, without decoding them.
///
/// Each body that is decoded may hold what its entry's data asks for, up to the archive's
/// [`Limits::decoder_memory`](entryway::Limits::decoder_memory); how many there are at a time is for
/// whoever accepts the connections to bound.
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
        match begun_body(self.archive.source().clone(), &found, &plan, multipart).await {
            Ok(entry_body) => *answer.body_mut() = entry_body,
            Err(error) => return refuse_for(&error),
        }
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, UNIX_EPOCH};

    use entryway::Extent;
    use entryway::source::testing::Counting;
    use entryway_testkit::builder::{Archive as Zip, Entry};
    use entryway_testkit::fixtures::{noise, text};
    use http::header::{CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderName, LAST_MODIFIED};
    use http_body_util::BodyExt;

    use super::*;
    use crate::entry::SMALL_BODY_LEN;

    const SHORT: &str = "short.txt";
    const LONG: &str = "long.txt";

    fn short() -> Vec<u8> {
        text(3_000, 1)
    }

    /// Longer than what is read and checked before the head goes out.
    fn long() -> Vec<u8> {
        text(3 * SMALL_BODY_LEN as usize, 2)
    }

    fn zip() -> Bytes {
        let wrong_crc32 = |entry: Entry| Entry { crc32: 1, ..entry };
        let zip = Zip::new()
            .entry(Entry::deflated(SHORT, short()))
            .entry(Entry::deflated(LONG, long()))
            .entry(Entry::stored("dir/", ""))
            .entry(Entry::stored("dir/noise 1.bin", noise(500, 3)))
            .entry(Entry::stored("100%.txt", "a percent sign"))
            .entry(Entry::stored("50%25.txt", "looks encoded"))
            .entry(Entry::stored("caf\u{e9}.txt", "two bytes"))
            .entry(Entry::stored("empty", ""))
            .entry(Entry::deflated("secret", "x").flags(1))
            .entry(Entry::stored("twice", "one"))
            .entry(Entry::stored("twice", "other"))
            .entry(wrong_crc32(Entry::deflated("short-bad", short())))
            .entry(wrong_crc32(Entry::deflated("long-bad", long())));
        Bytes::from(zip.build())
    }

    fn stored_at() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn unverified<S: Source + ReadAt + Clone + Unpin>(source: S) -> ArchiveService<S> {
        ArchiveService::new(Archive::open(source).unwrap(), [7; 32], stored_at())
    }

    fn verified<S: Source + ReadAt + Clone + Unpin>(source: S) -> ArchiveService<S> {
        ArchiveService::verified(Archive::open(source).unwrap(), [7; 32], stored_at()).unwrap()
    }

    type Fields = &'static [(HeaderName, &'static str)];
    const RANGE_5: (HeaderName, &str) = (http::header::RANGE, "bytes=5-9");
    const GZIP: (HeaderName, &str) = (http::header::ACCEPT_ENCODING, "gzip");

    async fn call<S: Source + ReadAt + Clone + Unpin>(
        service: &ArchiveService<S>,
        method: Method,
        path: &str,
        fields: Fields,
    ) -> Answer<S> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in fields {
            request = request.header(name, *value);
        }
        service.clone().call(request.body(()).unwrap()).await.unwrap()
    }

    async fn bytes<S: Source + Unpin>(answer: Answer<S>) -> Result<Bytes, Error> {
        Ok(answer.into_body().collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn a_path_is_decoded_once_and_is_the_name() {
        let rows: &[(&str, &str, u16, &[u8])] = &[
            ("a name", "/short.txt", 200, &short()),
            ("a query", "/short.txt?x=%zz", 200, &short()),
            ("longer than one read", "/long.txt", 200, &long()),
            ("an encoded letter", "/%73hort.txt", 200, &short()),
            ("an encoded space", "/dir/noise%201.bin", 200, &noise(500, 3)),
            ("an encoded slash", "/dir%2fnoise%201.bin", 200, &noise(500, 3)),
            ("an encoded percent sign", "/100%25.txt", 200, b"a percent sign"),
            ("encoded twice", "/50%2525.txt", 200, b"looks encoded"),
            ("not decoded twice", "/50%25.txt", 404, b"no such entry"),
            ("UTF-8", "/caf%C3%A9.txt", 200, b"two bytes"),
            ("not UTF-8", "/caf%E9.txt", 404, b"no such entry"),
            ("nothing in it", "/empty", 200, b""),
            ("absent", "/absent", 404, b"no such entry"),
            ("no name", "/", 404, b"no such entry"),
            ("an absolute name", "//short.txt", 404, b"no such entry"),
            ("a plus is a plus", "/dir/noise+1.bin", 404, b"no such entry"),
            ("a directory", "/dir/", 404, b"no such entry"),
            ("a directory without its slash", "/dir", 404, b"no such entry"),
            ("a percent sign alone", "/100%", 400, b"malformed percent-encoding"),
            ("one digit", "/short.txt%2", 400, b"malformed percent-encoding"),
            ("no hexadecimal digits", "/100%.txt", 400, b"malformed percent-encoding"),
            ("a sign for a digit", "/%+1", 400, b"malformed percent-encoding"),
            ("encrypted", "/secret", 422, b"encrypted"),
            ("two of a name", "/twice", 422, b"duplicate_name"),
            ("a wrong CRC-32", "/short-bad", 422, b"crc"),
        ];
        for service in [unverified(zip()), verified(zip())] {
            for (name, path, status, content) in rows {
                let answer = call(&service, Method::GET, path, &[]).await;
                assert_eq!(answer.status(), *status, "{name}");
                assert_eq!(answer.headers()[CONTENT_LENGTH], content.len().to_string(), "{name}");
                assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{name}");
                if *status != 200 {
                    assert_eq!(answer.headers()[CACHE_CONTROL], "no-store", "{name}");
                    assert!(!answer.headers().contains_key(ETAG), "{name}");
                }
                assert!(bytes(answer).await.unwrap() == *content, "{name}");
            }
        }
    }

    #[tokio::test]
    async fn other_methods_are_told_which_there_are() {
        let service = unverified(zip());
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            for path in ["/short.txt", "/absent", "/%"] {
                let answer = call(&service, method.clone(), path, &[]).await;
                assert_eq!(answer.status(), 405, "{method} {path}");
                assert_eq!(answer.headers()[ALLOW], "GET, HEAD");
            }
        }
    }

    #[tokio::test]
    async fn head_says_what_get_says_and_sends_nothing() {
        let rows: &[(&str, &str, Fields)] = &[
            ("short", "/short.txt", &[]),
            ("long", "/long.txt", &[]),
            ("gzip", "/long.txt", &[GZIP]),
            ("absent", "/absent", &[]),
            ("malformed", "/%", &[]),
            ("refused", "/secret", &[]),
            ("not modified", "/short.txt", &[(http::header::IF_NONE_MATCH, "*")]),
            ("precondition failed", "/short.txt", &[(http::header::IF_MATCH, "\"other\"")]),
        ];
        for service in [unverified(zip()), verified(zip())] {
            for (name, path, fields) in rows {
                let get = call(&service, Method::GET, path, fields).await;
                let head = call(&service, Method::HEAD, path, fields).await;
                assert_eq!(
                    (head.status(), head.headers()),
                    (get.status(), get.headers()),
                    "{name}"
                );
                assert_eq!(bytes(head).await.unwrap().len(), 0, "{name}");
            }
            let head = call(&service, Method::HEAD, "/long.txt", &[RANGE_5]).await;
            assert_eq!(head.status(), 200);
        }
    }

    #[tokio::test]
    async fn only_a_verified_entry_is_sent_in_parts_or_as_it_lies_there() {
        let rows: &[(&str, &str, Fields, u16, bool)] = &[
            ("part", "/long.txt", &[RANGE_5], 206, false),
            ("part of a stored entry", "/dir/noise%201.bin", &[RANGE_5], 206, false),
            (
                "part past the end",
                "/short.txt",
                &[(http::header::RANGE, "bytes=3000-")],
                416,
                false,
            ),
            ("gzip", "/long.txt", &[GZIP], 200, true),
            ("short gzip", "/short.txt", &[GZIP], 200, true),
            ("gzip of a stored entry", "/dir/noise%201.bin", &[GZIP], 200, false),
            ("part, gzip accepted", "/short.txt", &[RANGE_5, GZIP], 206, false),
        ];
        let (unverified, verified) = (unverified(zip()), verified(zip()));
        for (name, path, fields, status, is_gzip) in rows {
            let before = call(&unverified, Method::GET, path, fields).await;
            assert_eq!(before.status(), 200, "{name}");
            assert!(!before.headers().contains_key(CONTENT_ENCODING), "{name}");
            let whole = bytes(before).await.unwrap();

            let answer = call(&verified, Method::GET, path, fields).await;
            assert_eq!(answer.status(), *status, "{name}");
            assert_eq!(answer.headers().contains_key(CONTENT_ENCODING), *is_gzip, "{name}");
            let content_range = answer.headers().get(CONTENT_RANGE).cloned();
            let content_length = answer.headers().get(CONTENT_LENGTH).cloned();
            let sent = bytes(answer).await.unwrap();
            if *status != 416 {
                assert_eq!(content_length.unwrap(), sent.len().to_string(), "{name}");
            }
            match (*status, *is_gzip) {
                (206, _) => {
                    assert_eq!(content_range.unwrap(), format!("bytes 5-9/{}", whole.len()));
                    assert_eq!(sent, whole[5..10], "{name}");
                }
                (416, _) => {
                    assert_eq!(content_range.unwrap(), "bytes */3000");
                    assert_eq!(sent.len(), 0, "{name}");
                }
                (_, true) => {
                    // RFC 1952: a head of ten bytes, and at the end the size.
                    assert_eq!(sent[..4], [0x1f, 0x8b, 8, 0], "{name}");
                    let size = (whole.len() as u32).to_le_bytes();
                    assert_eq!(sent[sent.len() - 4..], size, "{name}");
                    assert!(sent.len() < whole.len() / 2, "{name}");
                }
                (_, false) => assert_eq!(sent, whole, "{name}"),
            }
        }
    }

    #[tokio::test]
    async fn the_answer_names_the_archive_and_its_time() {
        let tag = |service: ArchiveService<Bytes>, path| async move {
            let answer = call(&service, Method::GET, path, &[]).await;
            assert_eq!(answer.headers()[LAST_MODIFIED], "Sun, 06 Nov 1994 08:49:37 GMT");
            answer.headers()[ETAG].clone()
        };
        let other = Archive::open(zip()).unwrap();
        let other = ArchiveService::new(other, [8; 32], stored_at());
        let short_tag = tag(unverified(zip()), "/short.txt").await;
        assert_eq!(short_tag, tag(verified(zip()), "/short.txt").await);
        assert_ne!(short_tag, tag(unverified(zip()), "/long.txt").await);
        assert_ne!(short_tag, tag(other, "/short.txt").await);
    }

    #[tokio::test]
    async fn a_corrupt_entry_never_comes_whole() {
        let unverified = unverified(zip());
        let answer = call(&unverified, Method::GET, "/long-bad", &[]).await;
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        let mut received = 0;
        let error = loop {
            match body.frame().await.expect("an error before the end") {
                Ok(frame) => received += frame.into_data().unwrap().len(),
                Err(error) => break error,
            }
        };
        assert!(received < long().len());
        assert!(matches!(error, Error::Entry(_)), "{error}");

        let answer = call(&verified(zip()), Method::GET, "/long-bad", &[]).await;
        assert_eq!((answer.status(), &bytes(answer).await.unwrap()[..]), refused_as("crc"));
    }

    #[tokio::test]
    async fn what_the_start_of_an_unverified_entry_shows_is_refused_before_any_byte() {
        let content = noise(long().len(), 5);
        // A block of type 3, and one that is good in front of it.
        let broken_block = |good: &[u8]| [good, &[0x07]].concat();
        let stored_block = |content: &[u8]| {
            let len = content.len() as u16;
            [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes(), content].concat()
        };
        let deflated = |name, data| Entry::raw(name, 8, data, 1, content.len() as u64);
        let blocks: Vec<u8> = content[..180_000].chunks(60_000).flat_map(stored_block).collect();
        let zip = Zip::new()
            .entry(Entry::stored("other-header", &content).edit_local(|header| header.crc32 ^= 1))
            .entry(Entry::deflated("other-name", long()).edit_local(|header| header.name[0] = b'x'))
            .entry(deflated("broken-at-once", broken_block(b"")))
            .entry(deflated("broken-late", broken_block(&blocks)));
        let source = Counting::new(Bytes::from(zip.build()));
        let service = unverified(source.clone());
        for (name, status, label) in [
            ("/other-header", 422, "local_crc"),
            ("/other-name", 422, "local_name"),
            ("/broken-at-once", 422, "data"),
            ("/broken-late", 200, ""),
        ] {
            drop(source.take());
            let head = call(&service, Method::HEAD, name, &[]).await;
            assert_eq!((head.status().as_u16(), source.take()), (200, vec![]), "{name}: HEAD");
            let answer = call(&service, Method::GET, name, &[]).await;
            assert_eq!(answer.status(), status, "{name}");
            assert!(source.take().len() <= 3, "{name}: more than its start was read");
            match bytes(answer).await {
                Ok(said) => assert_eq!(said, label, "{name}"),
                Err(error) => assert!(label.is_empty(), "{name}: {error}"),
            }
        }
    }

    fn refused_as(label: &'static str) -> (StatusCode, &'static [u8]) {
        (StatusCode::UNPROCESSABLE_ENTITY, label.as_bytes())
    }

    /// An archive whose medium can fail, or be changed, once it is open.
    #[derive(Clone)]
    struct Failing {
        inner: Bytes,
        fails: Arc<AtomicBool>,
        is_changed: Arc<AtomicBool>,
    }

    impl Failing {
        fn new() -> Self {
            Self { inner: zip(), fails: Arc::default(), is_changed: Arc::default() }
        }

        fn check(&self) -> io::Result<()> {
            const EIO: i32 = 5;
            match self.fails.load(Ordering::Relaxed) {
                true => Err(io::Error::from_raw_os_error(EIO)),
                false => Ok(()),
            }
        }
    }

    impl ReadAt for Failing {
        fn len(&self) -> u64 {
            ReadAt::len(&self.inner)
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.check()?;
            self.inner.read_at(offset, buffer)
        }
    }

    impl Source for Failing {
        fn len(&self) -> u64 {
            Source::len(&self.inner)
        }

        fn try_read(&self, _: u64, _: &mut [u8]) -> io::Result<Option<usize>> {
            Ok(None)
        }

        fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
            let (checked, read) = (self.check(), self.inner.read(extent));
            async move {
                checked?;
                read.await
            }
        }

        fn is_unchanged(&self) -> io::Result<bool> {
            Ok(!self.is_changed.load(Ordering::Relaxed))
        }
    }

    #[tokio::test]
    async fn a_source_that_fails_is_a_500_or_a_broken_body() {
        for verifies in [false, true] {
            let source = Failing::new();
            let service =
                if verifies { verified(source.clone()) } else { unverified(source.clone()) };
            let answer = call(&service, Method::GET, "/short.txt", &[]).await;
            assert!(bytes(answer).await.unwrap() == short());

            source.fails.store(true, Ordering::Relaxed);
            let answer = call(&service, Method::GET, "/short.txt", &[]).await;
            assert_eq!(answer.status(), 500);
            assert!(!answer.headers().contains_key(ETAG));
            let said = bytes(answer).await.unwrap();
            assert!(!said.is_empty() && said.is_ascii());
            let answer = call(&service, Method::GET, "/long.txt", &[]).await;
            if verifies {
                assert_eq!(answer.status(), 200);
                assert!(matches!(bytes(answer).await, Err(Error::Read { os: Some(5), .. })));
            } else {
                // Its start is read before the head goes out.
                assert_eq!(answer.status(), 500);
            }
            // What the directory knows needs no read.
            assert_eq!(call(&service, Method::HEAD, "/long.txt", &[]).await.status(), 200);
            assert_eq!(call(&service, Method::GET, "/absent", &[]).await.status(), 404);

            source.fails.store(false, Ordering::Relaxed);
            let answer = call(&service, Method::GET, "/short.txt", &[]).await;
            assert_eq!(answer.status(), 200, "an error is not remembered");
        }
    }

    #[tokio::test]
    async fn what_rests_on_a_verdict_breaks_off_when_the_file_is_changed() {
        let source = Failing::new();
        let service = verified(source.clone());
        source.is_changed.store(true, Ordering::Relaxed);
        for (name, fields) in [("gzip", &[GZIP]), ("part", &[RANGE_5])] {
            let answer = call(&service, Method::GET, "/long.txt", fields).await;
            assert_eq!(bytes(answer).await, Err(Error::Changed), "{name}");
        }
        // Decoded and checked on the way: it rests on its CRC-32 alone.
        let answer = call(&service, Method::GET, "/long.txt", &[]).await;
        assert!(bytes(answer).await.unwrap() == long());
    }
}

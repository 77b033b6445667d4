//! The HTTP body over an entry: the bytes that were promised, or an error, and never a short end.

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use entryway::source::testing::{Counting, Sluggish};
use entryway::{Archive, Error, FileSource, Found, ReadAt, Source};
use entryway_http::{
    ArchiveService, ContentCoding, EntryBody, EntryHeaders, Outcome, Purpose, RequestHead, body,
    content_type, file_body, plan, representation,
};
use entryway_testkit::builder::{self, Entry};
use entryway_testkit::fixtures::{crc32, noise, text};
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use tower_service::Service;

use super::{built, on_disk, verified};
use entryway_tests_shared::packed;

const DIGEST: [u8; 32] = [0x5a; 32];

/// The fields of a request.
type Fields<'a> = &'a [(HeaderName, &'a str)];

fn head(fields: Fields<'_>) -> HeaderMap {
    let value = |text| HeaderValue::from_str(text).expect("a value");
    fields.iter().map(|(name, text)| (name.clone(), value(text))).collect()
}

/// What came of a body: all its bytes, and how it ended.
struct Sent {
    bytes: Vec<u8>,
    end: Result<(), Error>,
}

/// Takes a body frame by frame, holding it to what it says of itself.
async fn send<S: Source + Unpin>(mut body: EntryBody<S>) -> Sent {
    let declared = body.size_hint().exact().expect("an exact length");
    let mut bytes = Vec::new();
    loop {
        if body.size_hint().exact() == Some(0) {
            assert!(body.is_end_stream());
        }
        match body.frame().await {
            None => {
                assert_eq!(bytes.len() as u64, declared, "a body ended short without an error");
                return Sent { bytes, end: Ok(()) };
            }
            Some(Err(error)) => {
                assert!(
                    declared == 0 || (bytes.len() as u64) < declared,
                    "all of it, and an error"
                );
                assert!(body.frame().await.is_none(), "nothing follows an error");
                return Sent { bytes, end: Err(error) };
            }
            Some(Ok(frame)) => {
                let data = frame.into_data().expect("only data");
                assert!(!data.is_empty() && data.len() <= 64 << 10, "{} bytes", data.len());
                bytes.extend_from_slice(&data);
                let left = declared.checked_sub(bytes.len() as u64).expect("no more than declared");
                assert_eq!(body.size_hint().exact(), Some(left));
            }
        }
    }
}

/// The plan of a GET for an entry, and its body.
fn planned<S: Source>(
    source: S,
    found: &Found,
    fields: Fields<'_>,
) -> (Outcome, ContentCoding, EntryBody<S>) {
    let metadata = representation(found, &DIGEST, SystemTime::UNIX_EPOCH);
    let headers = head(fields);
    let plan = plan(&RequestHead { method: &Method::GET, headers: &headers }, &metadata);
    let entry = EntryHeaders::new(
        metadata,
        content_type(&found.raw_name, None, Purpose::File),
        HeaderValue::from_static("attachment"),
    );
    let mut written = HeaderMap::new();
    let multipart = entry.write(&plan, &HeaderValue::from_static("no-cache"), &mut written);
    let body = body(source, found, &plan, multipart).expect("an entry that is not bad");
    if plan.sends_representation() {
        let length = written[header::CONTENT_LENGTH].to_str().unwrap().parse::<u64>().unwrap();
        assert_eq!(length, body.remaining(), "Content-Length");
    }
    (plan.outcome, plan.coding, body)
}

/// An entry of zstd whose window every recipient of that coding has.
fn zstd_entry(name: &str, content: &[u8]) -> Entry {
    let data = packed::zstd(content, 17);
    Entry::raw(name, 93, data, crc32(content), content.len() as u64)
}

/// Text and noise, short and long, each stored and deflated; and by zstd.
fn fixture(short: usize, long: usize) -> Bytes {
    built(
        &builder::Archive::new()
            .entry(Entry::deflated("short.txt", text(short, 1)))
            .entry(Entry::stored("short.bin", noise(short, 2)))
            .entry(Entry::deflated("long.txt", noise(long, 3)))
            .entry(Entry::stored("long.bin", noise(long, 4)))
            .entry(Entry::raw("empty.txt", 8, "", 0, 0))
            .entry(zstd_entry("short.zst", &text(short, 5)))
            .entry(zstd_entry("long.zst", &text(long, 6))),
    )
}

const GZIP: (HeaderName, &str) = (header::ACCEPT_ENCODING, "gzip");
const EITHER: (HeaderName, &str) = (header::ACCEPT_ENCODING, "gzip, zstd");

/// Every range of a representation, from one source.
async fn assert_ranges<S: Source + Unpin + Clone>(
    what: &str,
    source: S,
    found: &Found,
    coding: Fields<'_>,
) {
    let (outcome, whole_coding, whole) = planned(source.clone(), found, coding);
    assert_eq!(outcome, Outcome::Whole, "{what}");
    let whole = send(whole).await;
    assert_eq!(whole.end, Ok(()), "{what}");
    let whole = whole.bytes;
    for start in 0..whole.len() {
        for end in start + 1..=whole.len() {
            let range = format!("bytes={start}-{}", end - 1);
            let fields = [coding, &[(header::RANGE, &range[..])]].concat();
            let (outcome, coding, part) = planned(source.clone(), found, &fields);
            assert!(matches!(outcome, Outcome::Part(_)), "{what}, {range}: {outcome:?}");
            assert_eq!(coding, whole_coding, "{what}, {range}");
            let part = send(part).await;
            assert_eq!(part.end, Ok(()), "{what}, {range}");
            assert_eq!(part.bytes, whole[start..end], "{what}, {range}");
        }
    }
}

#[tokio::test]
async fn every_range_of_every_representation_is_its_slice() {
    let bytes = fixture(60, 10);
    let (_file, file) = on_disk(&bytes);
    let archive = Archive::open(bytes.clone()).unwrap();
    // Identity is asked for where gzip is not: a range of it shall not become one of gzip.
    let gzip_only = [(header::ACCEPT_ENCODING, "gzip, identity;q=0")];
    let zstd_only = [(header::ACCEPT_ENCODING, "gzip, zstd;q=0.1, identity;q=0")];
    let identity = [(header::ACCEPT_ENCODING, "identity")];
    for (name, coding) in [
        ("short.txt", &identity[..]),
        ("short.bin", &identity),
        ("short.zst", &identity),
        ("short.txt", &gzip_only),
        ("short.zst", &zstd_only),
    ] {
        let found = verified(&archive, name.as_bytes());
        let what = format!("{name}, {}", coding[0].1);
        assert_ranges(&what, bytes.clone(), &found, coding).await;
        assert_ranges(&what, file.clone(), &found, coding).await;
        let sluggish = Sluggish { inner: bytes.clone(), step: 3 };
        assert_ranges(&what, sluggish, &found, coding).await;
    }
}

#[tokio::test]
async fn every_representation_is_the_content() {
    for long in [65_536, 65_537, 400_000] {
        let bytes = fixture(3_000, long);
        let (_file, file) = on_disk(&bytes);
        let archive = Archive::open(bytes.clone()).unwrap();
        for (name, content) in [
            ("short.txt", text(3_000, 1)),
            ("short.bin", noise(3_000, 2)),
            ("long.txt", noise(long, 3)),
            ("long.bin", noise(long, 4)),
            ("empty.txt", vec![]),
            ("short.zst", text(3_000, 5)),
            ("long.zst", text(long, 6)),
        ] {
            let good = verified(&archive, name.as_bytes());
            let unverified = archive.find(name.as_bytes()).unwrap().unwrap();
            for found in [&good, &unverified] {
                let (_, _, from_memory) = planned(bytes.clone(), found, &[]);
                let (_, _, from_file) = planned(file.clone(), found, &[]);
                let sluggish = Sluggish { inner: file.clone(), step: 1_000 };
                let (_, _, from_sluggish) = planned(sluggish, found, &[]);
                for sent in
                    [send(from_memory).await, send(from_file).await, send(from_sluggish).await]
                {
                    assert!(sent.end == Ok(()) && sent.bytes == content, "{name}, {long}");
                }
                // One that nobody has verified is not sent as it lies there.
                let (_, coding, body) = planned(file.clone(), found, &[EITHER]);
                let expected = match name.rsplit_once('.') {
                    Some((_, "txt")) if found == &good && !content.is_empty() => {
                        ContentCoding::Gzip
                    }
                    Some((_, "zst")) if found == &good => ContentCoding::Zstd,
                    _ => ContentCoding::Identity,
                };
                assert_eq!(coding, expected, "{name}");
                let sent = send(body).await;
                assert_eq!(sent.end, Ok(()), "{name}");
                let decoded = match coding {
                    ContentCoding::Gzip => {
                        let mut decoded = Vec::new();
                        GzDecoder::new(&sent.bytes[..]).read_to_end(&mut decoded).unwrap();
                        decoded
                    }
                    ContentCoding::Zstd => {
                        let data = found.data_extent().unwrap();
                        assert_eq!(sent.bytes, bytes[data.start as usize..data.end as usize]);
                        packed::unzstd(&sent.bytes, content.len())
                    }
                    ContentCoding::Identity => sent.bytes,
                };
                assert!(decoded == content, "{name}, {long} as {coding:?}");
            }
        }
    }
}

/// The parts of a multipart/byteranges body: each one's Content-Range and bytes (RFC 9110 14.6).
fn parts_of(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let line_end = body.windows(2).position(|two| two == b"\r\n").expect("a boundary");
    let boundary = [b"\r\n", &body[..line_end]].concat();
    let mut rest = &body[line_end..];
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let head_end = part.windows(4).position(|four| four == b"\r\n\r\n").expect("a part's head");
        let head = std::str::from_utf8(&part[..head_end]).expect("fields are ASCII");
        let range = head.lines().find_map(|line| line.strip_prefix("Content-Range: "));
        let data = &part[head_end + 4..];
        let end = data.windows(boundary.len()).position(|it| it == boundary).expect("a boundary");
        parts.push((range.expect("a Content-Range").to_owned(), data[..end].to_vec()));
        rest = &data[end + boundary.len()..];
    }
    assert_eq!(rest, b"--\r\n", "the last boundary");
    parts
}

#[tokio::test]
async fn several_ranges_are_sent_as_parts() {
    let long = 300_000;
    let bytes = fixture(3_000, long);
    let (_file, file) = on_disk(&bytes);
    let archive = Archive::open(bytes.clone()).unwrap();
    let gzip_only = [(header::ACCEPT_ENCODING, "gzip, identity;q=0")];
    let zstd_only = [(header::ACCEPT_ENCODING, "zstd, identity;q=0")];
    for (name, coding, range) in [
        ("short.txt", &[][..], "bytes=0-0,2-9,2999-2999"),
        ("short.txt", &[], "bytes=5-20,-1"),
        ("short.bin", &[], "bytes=2000-2010,5-9"),
        ("short.txt", &gzip_only, "bytes=600-610,0-11,-4"),
        ("long.txt", &[], "bytes=0-99999,200000-200000,299990-"),
        ("long.txt", &[], "bytes=65535-65536,131071-131072"),
        ("long.bin", &[], "bytes=250000-,0-70000"),
        ("long.txt", &gzip_only, "bytes=250000-,0-70000"),
        ("long.zst", &[], "bytes=0-99999,200000-200000,299990-"),
        ("long.zst", &zstd_only, "bytes=40000-,0-9,100-30000"),
    ] {
        let found = verified(&archive, name.as_bytes());
        let (_, _, whole) = planned(bytes.clone(), &found, coding);
        let whole = send(whole).await.bytes;
        let fields = [coding, &[(header::RANGE, range)]].concat();
        let (outcome, _, from_memory) = planned(bytes.clone(), &found, &fields);
        let Outcome::Parts(ranges) = outcome else { panic!("{name}, {range}: {outcome:?}") };
        let (_, _, from_file) = planned(file.clone(), &found, &fields);
        let sluggish = Sluggish { inner: bytes.clone(), step: 100 };
        let (_, _, from_sluggish) = planned(sluggish, &found, &fields);
        let expected: Vec<(String, Vec<u8>)> = ranges
            .iter()
            .map(|range| {
                let total = whole.len();
                let bytes = whole[range.start() as usize..range.end() as usize].to_vec();
                (format!("bytes {}-{}/{total}", range.start(), range.last()), bytes)
            })
            .collect();
        for sent in [send(from_memory).await, send(from_file).await, send(from_sluggish).await] {
            assert_eq!(sent.end, Ok(()), "{name}, {range}");
            assert!(parts_of(&sent.bytes) == expected, "{name}, {range}");
        }
    }
}

#[tokio::test]
async fn a_whole_file_and_any_range_of_it_are_sent_as_they_are() {
    let bytes = fixture(3_000, 200_000);
    let (_file, file) = on_disk(&bytes);
    let metadata = entryway_http::RepresentationMetadata {
        complete_len: bytes.len() as u64,
        entity_tag: entryway_http::EntityTag::of_archive(&DIGEST),
        last_modified: SystemTime::UNIX_EPOCH,
        gzip_len: None,
        zstd_len: None,
        ranges: entryway_http::RangeSupport::Any,
    };
    let entry = EntryHeaders::new(
        metadata.clone(),
        HeaderValue::from_static("application/zip"),
        HeaderValue::from_static("attachment"),
    );
    for range in ["", "bytes=0-0", "bytes=100-150000", "bytes=-5", "bytes=7-9,300-100000"] {
        let headers = if range.is_empty() { head(&[]) } else { head(&[(header::RANGE, range)]) };
        let plan = plan(&RequestHead { method: &Method::GET, headers: &headers }, &metadata);
        let mut written = HeaderMap::new();
        let multipart = entry.write(&plan, &HeaderValue::from_static("no-cache"), &mut written);
        let sent = send(file_body(file.clone(), &plan, multipart)).await;
        assert_eq!(sent.end, Ok(()), "{range}");
        assert_eq!(written[header::CONTENT_LENGTH], sent.bytes.len().to_string(), "{range}");
        match &plan.outcome {
            Outcome::Whole => assert!(sent.bytes == bytes),
            Outcome::Part(range) => {
                assert!(sent.bytes == bytes[range.start() as usize..range.end() as usize]);
            }
            Outcome::Parts(_) => {
                let parts = parts_of(&sent.bytes);
                assert!(parts[0].1 == bytes[7..10] && parts[1].1 == bytes[300..100_001]);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What happens to a file while it is sent.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It is cut to this many bytes.
    CutTo(u64),
    /// Its last entry's data is written over with something else.
    Overwritten,
    /// It is cut to nothing and written anew, with another content of the same length.
    Replaced,
}

impl Fault {
    const ALL: [Self; 5] = [
        Self::CutTo(0),
        Self::CutTo(150_000),
        Self::CutTo(450_000),
        Self::Overwritten,
        Self::Replaced,
    ];

    fn strike(self, file: &std::fs::File, len: u64) {
        match self {
            Self::CutTo(len) => file.set_len(len).unwrap(),
            Self::Overwritten => file.write_all_at(&noise(200_000, 99), 300_000).unwrap(),
            Self::Replaced => {
                file.set_len(0).unwrap();
                file.write_all_at(&noise(len as usize, 98), 0).unwrap();
            }
        }
    }
}

/// An archive of one long entry on a disk, last modified an hour ago.
fn one_long_entry(entry: Entry) -> (tempfile::NamedTempFile, FileSource, Archive<FileSource>) {
    let bytes = builder::Archive::new().entry(entry).build();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3_600);
    file.as_file().set_modified(an_hour_ago).unwrap();
    let source = FileSource::open(file.path()).unwrap();
    let archive = Archive::open(source.clone()).unwrap();
    (file, source, archive)
}

#[tokio::test]
async fn a_file_damaged_while_it_is_sent_never_makes_a_complete_body() {
    let content = noise(600_000, 1);
    let deflated = || Entry::deflated("a", &content);
    let stored = || Entry::stored("a", &content);
    let range = (header::RANGE, "bytes=10-599990");
    let ranges = (header::RANGE, "bytes=10-300000,300010-599990");
    let gzip_range = [(header::ACCEPT_ENCODING, "gzip, identity;q=0"), range.clone()];
    let table: [(&str, Entry, Fields<'_>, bool); 9] = [
        ("stored, not verified", stored(), &[], false),
        ("stored", stored(), &[], true),
        ("stored, range", stored(), std::slice::from_ref(&range), true),
        ("stored, ranges", stored(), &[ranges], true),
        ("deflated, not verified", deflated(), &[], false),
        ("deflated", deflated(), &[], true),
        ("deflated, range", deflated(), std::slice::from_ref(&range), true),
        ("gzip", deflated(), &[GZIP], true),
        ("gzip, range", deflated(), &gzip_range, true),
    ];
    for (name, entry, fields, is_verified) in table {
        for fault in Fault::ALL {
            for waits in [false, true] {
                let (file, source, archive) = one_long_entry(entry.clone());
                let found = match is_verified {
                    true => verified(&archive, b"a"),
                    false => archive.find(b"a").unwrap().unwrap(),
                };
                let step = 1 << 20;
                // With and without a wait for each read.
                let (declared, given, end) = if waits {
                    let (_, _, body) = planned(Sluggish { inner: source, step }, &found, fields);
                    strike_midway(body, fault, file.as_file()).await
                } else {
                    let (_, _, body) = planned(source, &found, fields);
                    strike_midway(body, fault, file.as_file()).await
                };
                assert!(
                    end.is_err() && given < declared,
                    "{name}, {fault:?}: {given} of {declared}"
                );
            }
        }
    }
}

/// Takes the first frame of a body, damages its file, and takes the rest: the length that was
/// declared, the bytes that came, and the end.
async fn strike_midway<S: Source + Unpin>(
    mut body: EntryBody<S>,
    fault: Fault,
    file: &std::fs::File,
) -> (u64, u64, Result<(), Error>) {
    let declared = body.size_hint().exact().unwrap();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap().len() as u64;
    fault.strike(file, file.metadata().unwrap().len());
    let rest = send(body).await;
    (declared, first + rest.bytes.len() as u64, rest.end)
}

#[tokio::test]
async fn a_file_that_loses_its_name_while_it_is_sent_is_sent_to_its_end() {
    let content = noise(600_000, 1);
    let (file, source, archive) = one_long_entry(Entry::stored("a", &content));
    let (_, _, mut body) = planned(source, &verified(&archive, b"a"), &[]);
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    drop(file);
    let rest = send(body).await;
    assert_eq!(rest.end, Ok(()));
    assert!([&first[..], &rest.bytes].concat() == content);
}

#[tokio::test]
async fn a_corrupt_entry_never_makes_a_complete_body() {
    for len in [1, 3_000, 65_536, 65_537, 300_000] {
        let content = text(len, 1);
        for entry in [Entry::stored("a", &content), Entry::deflated("a", &content)] {
            let data_len = entry.data.len() as u64;
            for damaged in [
                Entry { crc32: 1, ..entry.clone() },
                Entry { data: [&entry.data[..], b"x"].concat(), ..entry.clone() },
                Entry { data: entry.data[1..].to_vec(), ..entry.clone() },
            ] {
                // A stored one says so of itself.
                let is_stored_short = damaged.method == 0 && damaged.data.len() as u64 != data_len;
                if is_stored_short {
                    continue;
                }
                let bytes = built(&builder::Archive::new().entry(damaged));
                let archive = Archive::open(bytes.clone()).unwrap();
                let found = archive.find(b"a").unwrap().unwrap();
                let (_, _, body) = planned(bytes, &found, &[GZIP]);
                let sent = send(body).await;
                assert!(matches!(sent.end, Err(Error::Entry(_))), "{len}: {:?}", sent.end);
                assert!(sent.bytes.len() < len);
            }
        }
    }
}

/// An answer of the service.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Sent,
}

async fn ask<S: Source + ReadAt + Clone + Unpin>(
    service: &ArchiveService<S>,
    method: Method,
    path: &str,
    fields: Fields<'_>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).body(()).unwrap();
    *request.headers_mut() = head(fields);
    let answer = service.clone().call(request).await.unwrap();
    let (head, body) = answer.into_parts();
    Answer { status: head.status, headers: head.headers, body: send(body).await }
}

#[tokio::test]
async fn what_sends_no_content_reads_nothing() {
    let bytes = fixture(3_000, 300_000);
    let source = Counting::new(bytes);
    let archive = Archive::open(source.clone()).unwrap();
    let service =
        ArchiveService::verified(archive.clone(), DIGEST, SystemTime::UNIX_EPOCH).unwrap();
    let unverified = ArchiveService::new(archive, DIGEST, SystemTime::UNIX_EPOCH);
    let tag = ask(&service, Method::HEAD, "/long.bin", &[]).await.headers[header::ETAG].clone();
    let tag = tag.to_str().unwrap().to_owned();
    let _ = source.take();
    let (get, head) = (Method::GET, Method::HEAD);
    let no_coding = (header::ACCEPT_ENCODING, "br, identity;q=0");
    let table: [(&str, Method, &str, Fields<'_>, u16); 11] = [
        ("HEAD", head.clone(), "/long.bin", &[], 200),
        // A body of this length would be read before its head goes out.
        ("HEAD of little", head.clone(), "/short.txt", &[], 200),
        ("HEAD, gzip", head.clone(), "/long.txt", &[GZIP], 200),
        ("HEAD, range", head.clone(), "/long.bin", &[(header::RANGE, "bytes=0-9")], 200),
        ("not modified", get.clone(), "/long.bin", &[(header::IF_NONE_MATCH, &tag)], 304),
        ("precondition", get.clone(), "/long.bin", &[(header::IF_MATCH, "\"other\"")], 412),
        ("beyond the end", get.clone(), "/long.bin", &[(header::RANGE, "bytes=300000-")], 416),
        ("no coding", get.clone(), "/long.bin", &[no_coding], 406),
        ("absent", get.clone(), "/absent", &[], 404),
        ("malformed", get.clone(), "/%zz", &[], 400),
        ("another method", Method::PUT, "/long.bin", &[], 405),
    ];
    for (name, method, path, fields, status) in table {
        let answer = ask(&service, method.clone(), path, fields).await;
        assert_eq!((answer.status.as_u16(), &answer.body.end), (status, &Ok(())), "{name}");
        assert_eq!(source.take(), [], "{name}");
        let is_head = method == Method::HEAD;
        assert!(!is_head || answer.body.bytes.is_empty(), "{name}");
    }
    // Nobody has verified it, and HEAD does not begin to.
    let answer = ask(&unverified, head, "/long.bin", &[]).await;
    assert_eq!(answer.headers[header::CONTENT_LENGTH], "300000");
    assert_eq!(source.take(), []);
}

#[tokio::test]
async fn a_range_of_bytes_that_lie_there_reads_just_them() {
    let bytes = fixture(3_000, 300_000);
    let source = Counting::new(bytes);
    let archive = Archive::open(source.clone()).unwrap();
    let service = ArchiveService::verified(archive, DIGEST, SystemTime::UNIX_EPOCH).unwrap();
    for (path, fields, len) in [
        ("/long.bin", &[(header::RANGE, "bytes=200000-200009")][..], 10),
        ("/long.bin", &[(header::RANGE, "bytes=-100000")], 100_000),
        (
            "/long.txt",
            &[(header::ACCEPT_ENCODING, "gzip, identity;q=0"), (header::RANGE, "bytes=10-1009")],
            1_000,
        ),
    ] {
        let _ = source.take();
        let answer = ask(&service, Method::GET, path, fields).await;
        assert_eq!((answer.status.as_u16(), answer.body.bytes.len() as u64), (206, len), "{path}");
        let read: u64 = source.take().iter().map(|read| read.end - read.start).sum();
        assert_eq!(read, len, "{path}");
    }
}

#[tokio::test]
async fn the_service_answers_as_the_entry_stands() {
    let archive = builder::Archive::new().entries([
        Entry::deflated("good.txt", text(3_000, 1)),
        Entry::stored("name with space.txt", "space"),
        Entry { crc32: 1, ..Entry::deflated("small-bad.txt", text(3_000, 1)) },
        Entry { crc32: 1, ..Entry::stored("large-bad.txt", text(300_000, 1)) },
        Entry::stored("encrypted", "x").flags(1),
        Entry::stored("x1", "").unicode_path("ambiguous"),
        Entry::stored("x2", "").unicode_path("ambiguous"),
        Entry::directory("folder/"),
    ]);
    let archive = Archive::open(built(&archive)).unwrap();
    let verified =
        ArchiveService::verified(archive.clone(), DIGEST, SystemTime::UNIX_EPOCH).unwrap();
    let unverified = ArchiveService::new(archive, DIGEST, SystemTime::UNIX_EPOCH);
    let table: [(&str, u16, u16); 10] = [
        ("/good.txt", 200, 200),
        ("/name%20with%20space.txt", 200, 200),
        ("/small-bad.txt", 422, 422),
        // Nobody knows before it is sent: the body breaks off.
        ("/large-bad.txt", 422, 200),
        ("/encrypted", 422, 422),
        ("/ambiguous", 422, 422),
        ("/folder/", 404, 404),
        ("/folder", 404, 404),
        ("/good.txt/", 404, 404),
        ("/%67ood.txt", 200, 200),
    ];
    for (path, expected, expected_unverified) in table {
        let answer = ask(&verified, Method::GET, path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body.end), (expected, Ok(())), "{path}");
        let answer = ask(&unverified, Method::GET, path, &[]).await;
        assert_eq!(answer.status.as_u16(), expected_unverified, "{path}");
        assert_eq!(answer.body.end.is_err(), path == "/large-bad.txt", "{path}");
    }
    // Ranges rest on a verification.
    let range: Fields<'_> = &[(header::RANGE, "bytes=1-2")];
    assert_eq!(ask(&verified, Method::GET, "/good.txt", range).await.body.bytes, text(3, 1)[1..]);
    let whole = ask(&unverified, Method::GET, "/good.txt", range).await;
    assert_eq!((whole.status.as_u16(), whole.body.bytes), (200, text(3_000, 1)));
    // And so does gzip.
    for (service, coding) in [(&verified, Some("gzip")), (&unverified, None)] {
        let answer = ask(service, Method::GET, "/good.txt", &[GZIP]).await;
        let sent = answer.headers.get(header::CONTENT_ENCODING).map(|it| it.to_str().unwrap());
        assert_eq!(sent, coding);
    }
}

#[test]
fn data_that_gives_no_content_lets_others_have_their_turn() {
    // A frame of zstd to be passed over, of 4 MiB, in front of the content.
    let skippable = [&0x184d_2a50u32.to_le_bytes()[..], &(4u32 << 20).to_le_bytes()].concat();
    let data = [skippable, vec![0; 4 << 20], packed::zstd(b"hello", 17)].concat();
    let entry = Entry::raw("a", 93, data, crc32(b"hello"), 5);
    let archive = Archive::open(Counting::new(built(&builder::Archive::new().entry(entry))));
    let archive = archive.unwrap();
    let found = archive.find(b"a").unwrap().unwrap();
    let counting = archive.source().clone();
    let (_, _, mut body) = planned(counting.clone(), &found, &[]);
    let mut context = Context::from_waker(Waker::noop());
    let mut polls = 0;
    let frame = loop {
        polls += 1;
        let polled = Pin::new(&mut body).poll_frame(&mut context);
        let asked: u64 = counting.take().iter().map(|extent| extent.end - extent.start).sum();
        assert!(asked <= 2 << 20, "{asked} bytes in one turn");
        if let Poll::Ready(frame) = polled {
            break frame;
        }
    };
    assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "hello");
    assert!(polls > 2, "{polls} turns for 4 MiB");
}

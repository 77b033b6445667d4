//! What is counted by `benches/instructions/run`: each case prepares, then calls its function
//! `counted_...` once, which does the work so many times that what one time takes can be told.
//!
//! `instructions CASE` runs one case, `instructions --list` prints each with its function, the
//! number of times and what one time is. Without a case, as `cargo bench` starts it, all are run.
//!
//! No two of the functions may be alike: the compiler makes one of them, with one name.
#![allow(clippy::unwrap_used, reason = "what fails ends the program")]

mod fixed_randomness;

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use entryway::{Archive, Directory, Limits, Locator, Lookup, Step, Window};
use entryway_benches::archives;
use entryway_benches::content::{Draw, Kind};
use entryway_http::{
    ArchiveService, EntityTag, Outcome, RangeSupport, RepresentationMetadata, RequestHead, plan,
};
use http::header::{ACCEPT_ENCODING, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, RANGE};
use http::{HeaderMap, Method, Request, Response};
use http_body::Body;
use tower_service::Service;

/// Entries of the archive that names are looked for in.
const ENTRIES: usize = 10_000;
/// Times a request is made.
const REQUESTS: usize = 200;
/// Bytes of the entry that requests are for.
const ENTRY_LEN: usize = 4 * 1024;

struct Case {
    name: &'static str,
    function: &'static str,
    times: usize,
    /// What one time is.
    unit: &'static str,
    run: fn(),
}

const CASES: [Case; 11] = [
    case("locate", "counted_locate", 1_000, "archive", locate),
    case("parse", "counted_parse", ENTRIES, "entry", parse),
    case("walk", "counted_walk", ENTRIES, "entry", walk),
    case("find_hit", "counted_find_hit", ENTRIES, "name", find_hit),
    case("find_miss", "counted_find_miss", ENTRIES, "name", find_miss),
    case("find_judged", "counted_find_judged", ENTRIES, "name", find_judged),
    case("read_small", "counted_read_small", REQUESTS, "entry of 4 KiB", read_small),
    case("plan", "counted_plan", 1_000, "request", plan_request),
    case("request_identity", "counted_request", REQUESTS, "request", request_identity),
    case("request_gzip", "counted_request", REQUESTS, "request", request_gzip),
    case("request_not_modified", "counted_request", REQUESTS, "request", request_not_modified),
];

const fn case(
    name: &'static str,
    function: &'static str,
    times: usize,
    unit: &'static str,
    run: fn(),
) -> Case {
    Case { name, function, times, unit, run }
}

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| argument != "--bench");
    match wanted.as_deref() {
        Some("--list") => {
            for Case { name, function, times, unit, .. } in CASES {
                println!("{name}\tinstructions::{function}\t{times}\t{unit}");
            }
        }
        None | Some("--test") => CASES.iter().for_each(|case| (case.run)()),
        Some(name) => {
            let case = CASES.iter().find(|case| case.name == name);
            (case.expect("a case that --list names").run)();
        }
    }
}

fn many() -> Bytes {
    Bytes::from(std::fs::read(archives::many(ENTRIES).unwrap()).unwrap())
}

fn locate() {
    let bytes = many();
    assert_eq!(counted_locate(&bytes, 1_000), 1_000 * ENTRIES as u64);
}

#[inline(never)]
fn counted_locate(bytes: &[u8], times: usize) -> u64 {
    let mut entries = 0;
    for _ in 0..times {
        let mut locator = Locator::new(bytes.len() as u64, &Limits::default());
        let Step::Done(directory) = locator.step(black_box(Window::whole(bytes))).unwrap() else {
            unreachable!("the window is the whole archive")
        };
        entries += directory.declared_entries;
    }
    entries
}

/// Directory and where it stands, before anything of it is indexed.
fn directory() -> (entryway::DirectoryExtent, Bytes) {
    let bytes = many();
    let mut locator = Locator::new(bytes.len() as u64, &Limits::default());
    let Step::Done(extent) = locator.step(Window::whole(&bytes)).unwrap() else {
        unreachable!("the window is the whole archive")
    };
    let place = extent.extent.start as usize..extent.extent.end as usize;
    (extent, bytes.slice(place))
}

fn parse() {
    let (extent, bytes) = directory();
    assert_eq!(counted_parse(extent, bytes).len(), ENTRIES);
}

#[inline(never)]
fn counted_parse(extent: entryway::DirectoryExtent, bytes: Bytes) -> Directory {
    Directory::parse(extent, bytes, &Limits::default()).unwrap()
}

fn walk() {
    let archive = Archive::open(many()).unwrap();
    let sum = counted_walk(archive.directory());
    assert_eq!(sum, (ENTRIES as u64 - 1) * 14 + archives::WANTED_LEN as u64);
}

#[inline(never)]
fn counted_walk(directory: &Directory) -> u64 {
    directory.entries().map(|entry| entry.declared_uncompressed_size).sum()
}

/// Every name of the archive, one after the other in an order of no pattern.
fn names() -> Vec<String> {
    Draw(1).order(ENTRIES).into_iter().map(archives::name_of).collect()
}

fn find_hit() {
    let archive = Archive::open(many()).unwrap();
    assert_eq!(counted_find_hit(archive.directory(), &names()), ENTRIES);
}

#[inline(never)]
fn counted_find_hit(directory: &Directory, names: &[String]) -> usize {
    let is_found = |name: &&String| matches!(directory.find(name.as_bytes()), Lookup::Found(_));
    names.iter().filter(is_found).count()
}

fn find_miss() {
    let archive = Archive::open(many()).unwrap();
    let names: Vec<String> = names().into_iter().map(|name| name + "x").collect();
    assert_eq!(counted_find_miss(archive.directory(), &names), ENTRIES);
}

#[inline(never)]
fn counted_find_miss(directory: &Directory, names: &[String]) -> usize {
    names.iter().filter(|name| directory.find(name.as_bytes()) == Lookup::Absent).count()
}

fn find_judged() {
    let archive = Archive::open(many()).unwrap();
    assert_eq!(counted_find_judged(&archive, &names()), ENTRIES);
}

#[inline(never)]
fn counted_find_judged(archive: &Archive<Bytes>, names: &[String]) -> usize {
    names.iter().filter(|name| archive.find(name.as_bytes()).unwrap().is_some()).count()
}

fn entry() -> Archive<Bytes> {
    let path = archives::one(Kind::Html, false, ENTRY_LEN).unwrap();
    Archive::open(Bytes::from(std::fs::read(path).unwrap())).unwrap()
}

fn read_small() {
    assert_eq!(counted_read_small(&entry(), REQUESTS), REQUESTS * ENTRY_LEN);
}

#[inline(never)]
fn counted_read_small(archive: &Archive<Bytes>, times: usize) -> usize {
    let mut len = 0;
    for _ in 0..times {
        let found = archive.find(archives::ENTRY.as_bytes()).unwrap().unwrap();
        let mut reader = archive.read(&found).unwrap();
        while let Some(chunk) = reader.next_chunk().unwrap() {
            len += chunk.len();
        }
    }
    len
}

fn plan_request() {
    let metadata = RepresentationMetadata {
        complete_len: 48_211,
        entity_tag: EntityTag::of_entry(&[7; 32], archives::ENTRY.as_bytes()),
        last_modified: UNIX_EPOCH + Duration::from_secs(784_111_777),
        gzip_len: Some(9_377),
        zstd_len: None,
        ranges: RangeSupport::Any,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (ACCEPT_ENCODING, "gzip, deflate, br, zstd"),
        (IF_NONE_MATCH, "\"another\", W/\"and-another\""),
        (RANGE, "bytes=1000-1999"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    assert_eq!(counted_plan(&headers, &metadata, 1_000), 1_000);
}

#[inline(never)]
fn counted_plan(headers: &HeaderMap, metadata: &RepresentationMetadata, times: usize) -> usize {
    let head = RequestHead { method: &Method::GET, headers };
    let is_part = |_: &usize| matches!(plan(black_box(&head), metadata).outcome, Outcome::Part(_));
    (0..times).filter(is_part).count()
}

fn request_identity() {
    let (statuses, len) = counted_request(&mut service(), vec![None; REQUESTS]);
    assert_eq!((statuses, len), (REQUESTS * 200, REQUESTS * ENTRY_LEN));
}

fn request_gzip() {
    let gzip = Some((ACCEPT_ENCODING, HeaderValue::from_static("gzip")));
    let (statuses, len) = counted_request(&mut service(), vec![gzip; REQUESTS]);
    assert_eq!(statuses, REQUESTS * 200);
    assert!(len > REQUESTS * 18 && len < REQUESTS * ENTRY_LEN / 2, "{len}");
}

fn request_not_modified() {
    let mut files = service();
    let (head, _) = answer(&mut files, None);
    let known = Some((IF_NONE_MATCH, head.headers()[ETAG].clone()));
    let (statuses, len) = counted_request(&mut files, vec![known; REQUESTS]);
    assert_eq!((statuses, len), (REQUESTS * 304, 0));
}

/// The sums of the statuses and of the bodies' lengths.
#[inline(never)]
fn counted_request(files: &mut ArchiveService<Bytes>, requests: Fields) -> (usize, usize) {
    let (mut statuses, mut total) = (0, 0);
    for field in requests {
        let (head, len) = answer(files, field);
        statuses += usize::from(head.status().as_u16());
        total += len;
    }
    (statuses, total)
}

fn service() -> ArchiveService<Bytes> {
    let stored_at = UNIX_EPOCH + Duration::from_secs(784_111_777);
    ArchiveService::verified(entry(), [7; 32], stored_at).unwrap()
}

/// The field that each request has beside its target.
type Fields = Vec<Option<(HeaderName, HeaderValue)>>;

/// One whole request: the answer's head, and the length of its body after the last byte came.
fn answer(
    files: &mut ArchiveService<Bytes>,
    field: Option<(HeaderName, HeaderValue)>,
) -> (Response<()>, usize) {
    let mut request = Request::get(format!("/{}", archives::ENTRY)).body(()).unwrap();
    request.headers_mut().extend(field);
    let (head, mut body) = ready(files.call(request)).unwrap().into_parts();
    let mut len = 0;
    while let Some(frame) = ready(poll_fn(|cx| Pin::new(&mut body).poll_frame(cx))) {
        len += frame.unwrap().data_ref().unwrap().len();
    }
    (Response::from_parts(head, ()), len)
}

/// What a future gives that has all it needs in memory, so that no executor is counted.
fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

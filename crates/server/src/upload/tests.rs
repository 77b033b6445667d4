//! Whole uploads against a store, with bodies that come as a table says.

use std::collections::VecDeque;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use entryway::{Limits, Policy, Profile};
use entryway_testkit::builder::{Archive as Zip, Entry};
use entryway_testkit::fixtures::noise;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::time::{Instant, Sleep, sleep};

use super::*;
use crate::reply::Failure;
use crate::store::{Operation, Store, StoreError};

/// What a body does next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Data(Bytes),
    Wait(Duration),
    /// The connection breaks off.
    Fails,
    /// Nothing comes any more.
    Never,
    /// The body must not be asked for.
    Panics,
}

/// A body that takes its steps one after the other.
pub(super) struct Pieces {
    steps: VecDeque<Step>,
    declared_size: Option<u64>,
    sleep: Option<Pin<Box<Sleep>>>,
    given: Given,
}

/// What a body has given.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    len: Arc<AtomicU64>,
    is_dropped: Arc<AtomicBool>,
}

impl Given {
    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.is_dropped.load(Ordering::Relaxed)
    }
}

impl Pieces {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        Self { steps: steps.into(), declared_size: None, sleep: None, given: Given::default() }
    }

    /// Data in pieces of `len` bytes.
    fn of(bytes: &[u8], len: usize) -> Self {
        Self::new(bytes.chunks(len).map(|piece| Step::Data(piece.to_vec().into())).collect())
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    /// With a Content-Length.
    fn declared(mut self, size: u64) -> Self {
        self.declared_size = Some(size);
        self
    }

    pub(super) fn given(&self) -> Given {
        self.given.clone()
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.given.is_dropped.store(true, Ordering::Relaxed);
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                std::task::ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Data(data)) => {
                    self.given.len.fetch_add(data.len() as u64, Ordering::Relaxed);
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(sleep(time))),
                Some(Step::Fails) => {
                    return Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())));
                }
                Some(Step::Never) => {
                    self.steps.push_front(Step::Never);
                    return Poll::Pending;
                }
                Some(Step::Panics) => panic!("the body was asked for"),
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.declared_size.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

const BOUNDARY: &str = "5a17";

fn head(fields: &[(HeaderName, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn form_head() -> HeaderMap {
    head(&[(CONTENT_TYPE, "multipart/form-data; boundary=5a17")])
}

fn file(content: &[u8]) -> (String, Vec<u8>) {
    let head = "name=\"file\"; filename=\"default.zip\"\r\nContent-Type: application/octet-stream";
    (head.to_owned(), content.to_vec())
}

fn field(name: &str, value: &str) -> (String, Vec<u8>) {
    (format!("name=\"{name}\""), value.as_bytes().to_vec())
}

/// The form, without the CRLF that may stand after the last boundary.
fn form(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut form = Vec::new();
    for (head, content) in parts {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        form.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    form.extend(format!("--{BOUNDARY}--").as_bytes());
    form
}

struct Folder {
    store: Store,
    _folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(folder.path()).unwrap(), _folder: folder }
    }

    async fn receive(&self, body: Pieces) -> Result<Received, UploadError> {
        self.receive_within(body, None).await
    }

    async fn receive_within(
        &self,
        body: Pieces,
        max_len: Option<u64>,
    ) -> Result<Received, UploadError> {
        let bounds = UploadBounds { max_len, ..UploadBounds::default() };
        receive(&form_head(), body, &self.store, &bounds).await
    }

    /// Whether no temporary file is left: neither with a name nor in the hands of this process.
    fn is_clean(&self) -> bool {
        let temp = self.store.root().join("tmp");
        let is_open = |link: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_link(link.unwrap().path()).is_ok_and(|file| file.starts_with(&temp))
        };
        std::fs::read_dir(&temp).unwrap().count() == 0
            && !std::fs::read_dir("/proc/self/fd").unwrap().any(is_open)
    }

    /// Waits until the thread that has the last batch is done with it.
    async fn becomes_clean(&self) {
        // Real time: a paused clock would not wait for other threads.
        for _ in 0..1_000 {
            if self.is_clean() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
            tokio::task::yield_now().await;
        }
        panic!("a temporary file is left");
    }
}

fn content(received: &Received) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut content = vec![0; received.staged.len() as usize];
    received.staged.file().read_exact_at(&mut content, 0).unwrap();
    assert_eq!(received.staged.file().metadata().unwrap().len(), received.staged.len());
    content
}

fn runner_form(content: &[u8]) -> Vec<u8> {
    form(&[
        field("artifact_format", "zip"),
        file(content),
        field("artifact_type", "archive"),
        field("expire_in", "1 week"),
    ])
}

fn expect_runner_form(received: &Received, expected: &[u8]) {
    assert!(content(received) == expected);
    assert_eq!(received.filename, "default.zip");
    assert_eq!(received.form.artifact_format.as_deref(), Some("zip"));
    assert_eq!(received.form.artifact_type.as_deref(), Some("archive"));
    assert_eq!(received.form.expire_in.as_deref(), Some("1 week"));
}

/// What looks like the form's own boundaries, and almost is.
const TRICKY: &[u8] = b"--5a17\r\n--5a1\r\n-\r\n\r--5a17\n--5a17--\r\r\n\r\n--5a1";

#[tokio::test]
async fn a_form_is_the_same_however_it_is_cut() {
    let folder = Folder::new();
    let whole = [runner_form(TRICKY), b"\r\n".to_vec()].concat();
    for len in [whole.len(), 1, 2, 3, 7] {
        let received = folder.receive(Pieces::of(&whole, len)).await.unwrap();
        expect_runner_form(&received, TRICKY);
    }
    for cut in 1..whole.len() {
        let (first, second) = whole.split_at(cut);
        let steps = [first, second].map(|piece| Step::Data(piece.to_vec().into()));
        let received = folder.receive(Pieces::new(steps.to_vec())).await.unwrap();
        expect_runner_form(&received, TRICKY);
    }
    assert!(folder.is_clean());
}

#[tokio::test]
async fn a_form_that_is_not_whole_is_malformed_and_leaves_nothing() {
    let folder = Folder::new();
    let whole = runner_form(b"content");
    for cut in 0..whole.len() {
        let ended = folder.receive(Pieces::of(&whole[..cut], 64)).await;
        assert_eq!(ended.unwrap_err(), UploadError::Form(FormRule::Truncated), "at {cut}");
    }
    // Behind the last boundary as well: the message is not whole.
    for cut in 0..=whole.len() {
        let broken = folder.receive(Pieces::of(&whole[..cut], 64).then(Step::Fails)).await;
        assert_eq!(broken.unwrap_err(), UploadError::Form(FormRule::Cut), "at {cut}");
    }
    assert!(folder.is_clean());
}

#[tokio::test]
async fn a_form_that_says_something_else_is_refused() {
    use FormRule::*;
    let folder = Folder::new();
    let many = |count: usize| {
        let mut parts: Vec<_> = (0..count).map(|at| field(&format!("f{at}"), "x")).collect();
        parts.push(file(b"content"));
        parts
    };
    let gap = "x".repeat(40_000);
    let other_boundary = String::from_utf8(runner_form(b"content")).unwrap().replace("5a17", "6");
    let wide_head = format!("name=\"file\"\r\nX: {gap}");
    let strange_head = "name=\"file\"\r\nno field".to_owned();
    let valid = || runner_form(b"content");
    let table = [
        ("as it should be", form(&many(16)), None),
        ("a field of 4 KiB", form(&[field("x", &gap[..4_096]), file(b"")]), None),
        ("something before it", [b"x\r\n", &valid()[..]].concat(), None),
        ("something behind it", [&valid()[..], b"\r\nx"].concat(), None),
        ("no file", form(&[field("expire_in", "1 day")]), Some(UploadError::FileMissing)),
        ("no part", form(&[]), Some(UploadError::FileMissing)),
        ("two files", form(&[file(b"a"), file(b"b")]), Some(SecondFile.into())),
        ("a field too many", form(&many(17)), Some(TooManyFields.into())),
        (
            "a field of more than 4 KiB",
            form(&[field("x", &gap[..4_097]), file(b"")]),
            Some(FieldTooLong.into()),
        ),
        (
            "a field twice",
            form(&[file(b""), field("expire_in", "1 day"), field("expire_in", "2 days")]),
            Some(UploadError::Repeated { name: "expire_in" }),
        ),
        (
            "a field that is no text",
            form(&[file(b""), ("name=\"expire_in\"".to_owned(), vec![0xff])]),
            Some(UploadError::Invalid { name: "expire_in" }),
        ),
        ("another boundary", other_boundary.into_bytes(), Some(Truncated.into())),
        ("nothing", vec![], Some(Truncated.into())),
        ("no form", b"{}".to_vec(), Some(Truncated.into())),
        ("a head that is none", form(&[(strange_head, vec![])]), Some(PartHead.into())),
        ("a long head", form(&[(wide_head, vec![])]), Some(FrameTooLong.into())),
        ("much before it", [gap.as_bytes(), &valid()].concat(), Some(FrameTooLong.into())),
        ("much behind it", [&valid(), gap.as_bytes()].concat(), Some(FrameTooLong.into())),
    ];
    for (name, form, expected) in table {
        for len in [1_000, 1] {
            let received = folder.receive(Pieces::of(&form, len)).await;
            assert_eq!(received.err(), expected, "{name}, {len} bytes at a time");
        }
    }
    assert!(folder.is_clean());
}

#[tokio::test]
async fn what_the_head_tells_is_refused_before_the_body_is_asked_for() {
    let folder = Folder::new();
    let content_type = "multipart/form-data; boundary=5a17";
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    let not_multipart = || Some(UploadError::Form(FormRule::NotMultipart));
    let no_boundary = || Some(UploadError::Form(FormRule::Boundary));
    let table = [
        ("nothing", head(&[]), not_multipart()),
        ("a zip", head(&[(CONTENT_TYPE, "application/zip")]), not_multipart()),
        ("mixed", head(&[(CONTENT_TYPE, "multipart/mixed; boundary=x")]), not_multipart()),
        (
            "twice",
            head(&[(CONTENT_TYPE, content_type), (CONTENT_TYPE, content_type)]),
            not_multipart(),
        ),
        ("no boundary", head(&[(CONTENT_TYPE, "multipart/form-data")]), no_boundary()),
        ("empty", head(&[(CONTENT_TYPE, "multipart/form-data; boundary=")]), no_boundary()),
        ("long", head(&[(CONTENT_TYPE, &long)]), no_boundary()),
        (
            "gzip",
            head(&[(CONTENT_TYPE, content_type), (CONTENT_ENCODING, "gzip")]),
            Some(UploadError::ContentCoding),
        ),
        (
            "identity and gzip",
            head(&[(CONTENT_TYPE, content_type), (CONTENT_ENCODING, "identity, gzip")]),
            Some(UploadError::ContentCoding),
        ),
    ];
    let bounds = UploadBounds { max_len: Some(100), ..UploadBounds::default() };
    for (name, headers, expected) in table {
        let body = Pieces::new(vec![Step::Panics]);
        let received = receive(&headers, body, &folder.store, &bounds).await;
        assert_eq!(received.err(), expected, "{name}");
    }
    let too_large = Pieces::new(vec![Step::Panics]).declared(100 + 64 * 1024 + 1);
    let received = receive(&form_head(), too_large, &folder.store, &bounds).await;
    assert_eq!(received.unwrap_err(), UploadError::TooLarge { limit: 100 });

    let identity = [(CONTENT_TYPE, content_type), (CONTENT_ENCODING, "Identity")];
    let whole = runner_form(b"content");
    let body = Pieces::of(&whole, 64).declared(whole.len() as u64);
    assert!(receive(&head(&identity), body, &folder.store, &bounds).await.is_ok());
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_when_it_passes_it() {
    let folder = Folder::new();
    let max_len = 300_000;
    for len in [max_len - 1, max_len] {
        let whole = runner_form(&noise(len, 1));
        let received = folder.receive_within(Pieces::of(&whole, 9_999), Some(max_len as u64)).await;
        assert_eq!(received.unwrap().staged.len(), len as u64);
    }
    // Nothing of it is asked for past the limit.
    let whole = form(&[file(&noise(max_len + 1, 1))]);
    let head_len = form(&[file(b"")]).len() - "\r\n--5a17--".len();
    let body = Pieces::of(&whole[..head_len + max_len + 1], 100);
    let end = body.given();
    let received = folder.receive_within(body.then(Step::Panics), Some(max_len as u64)).await;
    assert_eq!(received.unwrap_err(), UploadError::TooLarge { limit: max_len as u64 });
    assert!(end.is_dropped());
    folder.becomes_clean().await;
}

#[tokio::test]
async fn room_is_reserved_first_and_what_is_left_is_given_back() {
    use std::os::unix::fs::MetadataExt;
    let folder = Folder::new();
    let none = Pieces::new(vec![Step::Panics]).declared(1 << 62);
    let error = folder.receive(none).await.unwrap_err();
    assert!(matches!(&error, UploadError::Store(error) if error.is_no_space()), "{error}");
    assert_eq!(Failure::from(error).status(), 507);

    // A form that is much longer than its file.
    let file_content = noise(10_000, 2);
    let filler = "x".repeat(4_000);
    let mut parts: Vec<_> = (0..15).map(|at| field(&format!("f{at}"), &filler)).collect();
    parts.push(file(&file_content));
    let whole = form(&parts);
    let body = Pieces::of(&whole, 4_096).declared(whole.len() as u64);
    let received = folder.receive(body).await.unwrap();
    assert!(content(&received) == file_content);
    let allocated = received.staged.file().metadata().unwrap().blocks() * 512;
    assert!(allocated <= 16_384, "{allocated} bytes are allocated for 10,000");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let folder = Folder::new();
    let whole = runner_form(b"content");
    let wait = |seconds| Step::Wait(Duration::from_secs(seconds));
    let stalls = |at: usize| Pieces::of(&whole[..at], 64).then(Step::Never);
    for at in [0, 10, whole.len() - 60, whole.len()] {
        let begun = Instant::now();
        let error = folder.receive(stalls(at)).await.unwrap_err();
        assert_eq!(error, UploadError::TooSlow, "stalls at {at}");
        assert_eq!(begun.elapsed().as_secs(), 30, "stalls at {at}");
    }
    let begun = Instant::now();
    let drips = whole.iter().flat_map(|&byte| [Step::Data(vec![byte].into()), wait(1)]);
    let error = folder.receive(Pieces::new(drips.collect())).await.unwrap_err();
    assert_eq!(error, UploadError::TooSlow);
    assert_eq!(begun.elapsed().as_secs(), 60);
    assert_eq!(Failure::from(error).status(), 408);

    let slow = whole.chunks(20).flat_map(|piece| [Step::Data(piece.to_vec().into()), wait(1)]);
    assert!(folder.receive(Pieces::new(slow.collect())).await.is_ok(), "slow, and soon over");
    folder.becomes_clean().await;
}

#[tokio::test]
async fn an_upload_that_nobody_waits_for_leaves_nothing() {
    let folder = Folder::new();
    let whole = runner_form(&noise(3 << 20, 4));
    for len in [10, 100, 300_000, 1 << 20, 3 << 20] {
        let body = Pieces::of(&whole[..len], 64 * 1024).then(Step::Never);
        let given = body.given();
        let store = folder.store.clone();
        let upload = tokio::spawn(async move {
            let received = receive(&form_head(), body, &store, &UploadBounds::default()).await;
            drop(received);
        });
        while given.len() < len as u64 {
            tokio::task::yield_now().await;
        }
        assert!(!folder.is_clean(), "the file is being written");
        upload.abort();
        assert!(upload.await.is_err());
        assert!(given.is_dropped());
        folder.becomes_clean().await;
    }
}

/// A file system of 1 MiB; `None` where it cannot be mounted.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let mounted = Command::new("mount").args(arguments).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[tokio::test]
async fn a_full_disk_is_insufficient_storage() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: a_full_disk_is_insufficient_storage: cannot mount a file system");
        return;
    };
    let store = Store::open(disk.path()).unwrap();
    let bounds = UploadBounds::default();
    let whole = runner_form(&noise(2 << 20, 5));
    let table = [
        ("known first", Operation::Allocate, Pieces::new(vec![Step::Panics]).declared(2 << 20)),
        ("found out", Operation::Write, Pieces::of(&whole, 64 * 1024)),
    ];
    for (name, expected, body) in table {
        let error = receive(&form_head(), body, &store, &bounds).await.unwrap_err();
        let UploadError::Store(StoreError::Io { operation, .. }) = &error else {
            panic!("{name}: {error:?}");
        };
        assert_eq!(*operation, expected, "{name}");
        assert_eq!(Failure::from(error).status(), 507, "{name}");
    }
    // There is room again.
    let whole = runner_form(&noise(500_000, 5));
    let declared = Pieces::of(&whole, 64 * 1024).declared(whole.len() as u64);
    let received = receive(&form_head(), declared, &store, &bounds).await.unwrap();
    archive::publish(received.staged).unwrap();
}

#[tokio::test]
async fn an_archive_is_looked_at_and_published() {
    let folder = Folder::new();
    let zip = Zip::new().entry(Entry::stored("a.txt", "hello")).entry(Entry::stored("b", "x"));
    let zip = zip.build();
    for already_there in [false, true] {
        let received = folder.receive(Pieces::of(&runner_form(&zip), 50)).await.unwrap();
        let directory =
            archive::inspect(&received.staged, &Policy::default(), Profile::Serve).unwrap();
        assert_eq!(directory.len(), 2);
        let published = archive::publish(received.staged).unwrap();
        assert_eq!(published.already_there, already_there);
        assert!(std::fs::read(&published.path).unwrap() == zip);
    }

    // The same length, and another content: whoever reads it would not get what was uploaded.
    let received = folder.receive(Pieces::of(&runner_form(&zip), 50)).await.unwrap();
    let path = folder.store.blob_path(received.staged.sha256());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, vec![0; zip.len()]).unwrap();
    let error = archive::publish(received.staged).unwrap_err();
    assert!(matches!(error, UploadError::Store(StoreError::Damaged { .. })), "{error:?}");
    let reason = Failure::from(error).label();
    assert_eq!(reason, "store_damaged");
}

#[tokio::test]
async fn what_is_no_archive_is_refused_with_the_rule() {
    let folder = Folder::new();
    let zip = Zip::new().entry(Entry::stored("a.txt", "hello")).build();
    let over = Limits { entries: 0, ..Limits::default() };
    let stray = Zip::new().entry(Entry::stored("a.txt", "hello")).trailing("stray").build();
    let backslash = Zip::new().entry(Entry::stored("a\\b", "hello")).build();
    let (serve, strict, usual) = (Profile::Serve, Profile::Strict, Limits::default());
    let table = [
        ("no archive", b"hello".to_vec(), usual, serve, "no_end_record", " at 0"),
        ("nothing", vec![], usual, serve, "no_end_record", " at 0"),
        ("a cut one", zip[..zip.len() - 1].to_vec(), usual, serve, "no_end_record", " at 0"),
        ("over a limit", zip, over, serve, "archive_over_limit", ""),
        ("a stray byte", stray, usual, strict, "trailing_bytes", ""),
        ("a rule about one entry", backslash, usual, strict, "name_backslash", ""),
    ];
    for (name, content, limits, profile, reason, place) in table {
        let received = folder.receive(Pieces::of(&runner_form(&content), 50)).await.unwrap();
        let error = archive::inspect(&received.staged, &limits.into(), profile).err().unwrap();
        let expected = format!("400 Bad request - {error}{place}");
        let failure = Failure::from(error);
        assert_eq!(failure.status(), 400, "{name}");
        assert_eq!(failure.label(), reason, "{name}");
        assert_eq!(failure.to_string(), expected, "{name}");
    }
    assert!(folder.is_clean());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_content_in_any_pieces_arrives(
        pieces in prop::collection::vec(
            prop_oneof![
                Just(b"\r\n".to_vec()),
                Just(b"\r\n--5a1".to_vec()),
                Just(b"--5a17".to_vec()),
                Just(b"-".to_vec()),
                prop::collection::vec(any::<u8>(), 0..40),
            ],
            0..40,
        ),
        lens in prop::collection::vec(1_usize..60, 1..20),
        before in any::<bool>(),
    ) {
        let content = pieces.concat();
        // A form whose content holds its boundary is another form.
        prop_assume!(!content.windows(8).any(|window| window == b"\r\n--5a17"));
        prop_assume!(!content.starts_with(b"--5a17"));
        let mut parts = vec![file(&content), field("expire_in", "1 week")];
        if before {
            parts.reverse();
        }
        let whole = form(&parts);
        let mut steps = Vec::new();
        let (mut rest, mut lens) = (&whole[..], lens.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(lens.next().unwrap().min(&rest.len()).to_owned());
            steps.push(Step::Data(piece.to_vec().into()));
            rest = after;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let received = runtime.block_on(Folder::new().receive(Pieces::new(steps))).unwrap();
        prop_assert!(super::tests::content(&received) == content);
        prop_assert_eq!(received.form.expire_in.as_deref(), Some("1 week"));
    }
}

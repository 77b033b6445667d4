//! Uploads and downloads that something else overtakes: the end of the job, a deletion, an expiry.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::fixtures::noise;

use super::sending::{FRAMINGS, Form, Framing, Sending, Wire, head};
use super::{Job, Site, archive, archive_of, upload_to, wait_until};

#[test]
fn a_job_that_ends_during_its_upload_is_forbidden_it_and_nothing_is_kept() {
    let site = Site::start(&[]);
    let bytes = archive("too late", 1_500_000);
    let form = Form::of(&bytes);
    for framing in FRAMINGS {
        for sent in [0, form.bytes.len() / 2, form.bytes.len() - 1] {
            let what = format!("{framing:?}: over after {sent} bytes");
            let job = site.job();
            let mut sending = site.begin(framing, &job, &form);
            sending.send(&form.bytes[..sent]);
            if sent == 0 {
                // Admitted: there is a file.
                wait_until(&what, || !site.open_temporaries().is_empty());
            }
            site.end(&job);
            sending.send(&form.bytes[sent..]);
            sending.finish().refuses(&what, 403);
            site.assert_has_none(&what, &job);
            site.assert_holds(&what, &[]);
            site.upload(framing, &job, &bytes).refuses(&what, 403);
            // With a token for the project the same can be handed in.
            let credential = ("PRIVATE-TOKEN", site.ingest.as_str());
            let (address, target) = (site.server.address, upload_to(&job));
            let mut sending = Sending::begin(address, framing, &target, &[credential], &form);
            sending.send(&form.bytes);
            sending.finish().is_created(&what);
            site.assert_serves(&what, &job, &bytes);
            settle(&site, &job);
            assert_eq!(site.delete(&job).status, 204, "{what}");
            let mut sweep = crate::harness::command();
            crate::harness::Ran::of(sweep.arg("sweep").arg("--data").arg(&site.data)).exits(0);
        }
    }
}

/// Waits for the verification, so that a temporary file afterwards is one of an upload.
fn settle(site: &Site, job: &Job) {
    wait_until("verified", || super::large::is_verified(site, job, "NAME"));
    wait_until("the verdicts are written", || site.open_temporaries().is_empty());
}

#[test]
fn nothing_is_deleted_while_the_job_uploads() {
    let site = Site::start(&[]);
    let bytes = archive("in progress", 300_000);
    let form = Form::of(&bytes);
    for framing in FRAMINGS {
        let job = site.job();
        // First without an archive, then with one that is handed in again.
        for what in [format!("{framing:?}: the first"), format!("{framing:?}: once more")] {
            let mut sending = site.begin(framing, &job, &form);
            sending.send(&form.bytes[..100_000]);
            wait_until(&what, || !site.open_temporaries().is_empty());
            site.delete(&job).refuses(&what, 409);
            sending.send(&form.bytes[100_000..]);
            sending.finish().is_created(&what);
            site.assert_serves(&what, &job, &bytes);
            settle(&site, &job);
        }
        assert_eq!(site.delete(&job).status, 204, "{framing:?}");
        site.assert_has_none("deleted", &job);
    }
}

#[test]
fn a_broken_upload_is_in_progress_no_more() {
    let site = Site::start(&[]);
    let bytes = archive("kept", 100_000);
    let job = site.job();
    site.upload(Framing::Length, &job, &bytes).is_created("the first");
    settle(&site, &job);
    let form = Form::of(&bytes);
    let mut sending = site.begin(Framing::Length, &job, &form);
    sending.send(&form.bytes[..50_000]);
    wait_until("begun", || !site.open_temporaries().is_empty());
    site.delete(&job).refuses("in progress", 409);
    drop(sending);
    wait_until("over", || site.open_temporaries().is_empty());
    wait_until("deleted", || site.delete(&job).status == 204);
    site.assert_has_none("deleted", &job);
}

#[test]
fn after_a_deletion_only_the_same_bytes_are_taken_again() {
    let site = Site::start(&[]);
    let (bytes, other) = (archive("the first", 100_000), archive("another", 100_000));
    let job = site.job();
    site.upload(Framing::Length, &job, &bytes).is_created("the first");
    assert_eq!(site.delete(&job).status, 204);
    site.upload(Framing::Length, &job, &other).refuses("another", 400);
    site.assert_has_none("another", &job);
    site.upload(Framing::Length, &job, &bytes).is_created("the same");
    site.assert_serves("the same", &job, &bytes);
}

// --- downloads ----------------------------------------------------------------------------------

/// More than sockets keep of it: a client that does not read holds the server in the middle.
const LARGE_LEN: usize = 24 << 20;

/// An archive of one large stored and one large deflated entry, with what they hold.
struct Large {
    stored: Vec<u8>,
    deflated: Vec<u8>,
    archive: Vec<u8>,
}

impl Large {
    fn new() -> Self {
        let stored = noise(1 << 20, 5).repeat(LARGE_LEN >> 20);
        // Shrinks a little, so that there is much of it on the wire in both forms.
        let deflated: Vec<u8> = noise(LARGE_LEN / 2, 6).into_iter().flat_map(|b| [b, b]).collect();
        let archive = Archive::new()
            .entry(Entry::stored("NAME", "this is large"))
            .entry(Entry::stored("stored.bin", &stored))
            .entry(Entry::deflated_at(1, "deflated.bin", &deflated))
            .build();
        Self { stored, deflated, archive }
    }
}

/// A download of which the client has read the beginning, and does not read on.
struct Halted {
    what: &'static str,
    wire: Wire,
    begun: Vec<u8>,
}

impl Halted {
    fn start(site: &Site, what: &'static str, target: &str) -> Self {
        let mut wire = Wire::open(site.server.address);
        let request = head(site.server.address, "GET", target, &[]) + "\r\n";
        wire.stream.write_all(request.as_bytes()).expect("the server reads");
        let head = wire.head().expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200 "), "{what}: {head}");
        let begun = wire.bytes(100_000);
        Self { what, wire, begun }
    }

    /// Reads on to the end.
    fn assert_ends_with(mut self, expected: &[u8]) {
        let rest = self.wire.bytes(expected.len() - self.begun.len());
        assert!([self.begun, rest].concat() == expected, "{}: other bytes", self.what);
    }
}

fn targets(job: &Job) -> [(&'static str, String); 3] {
    let archive = archive_of(job);
    [
        ("a stored entry", format!("{archive}/stored.bin")),
        ("a deflated entry", format!("{archive}/deflated.bin")),
        ("the archive", archive),
    ]
}

/// Fails unless nobody gets anything of the job any more, in any way.
fn assert_gone(site: &Site, what: &str, job: &Job) {
    let address = site.server.address;
    for (which, target) in targets(job) {
        for fields in [&[][..], &[("Range", "bytes=0-9")], &[("Accept-Encoding", "gzip")]] {
            let reply = super::exchange(address, "GET", &target, fields, b"");
            assert_eq!(reply.status, 404, "{what}: {which} {fields:?}");
        }
        let reply = super::exchange(address, "HEAD", &target, &[], b"");
        assert_eq!(reply.status, 404, "{what}: HEAD {which}");
    }
    let name = format!("build-{}", job.id);
    let base = "/api/v4/projects/group%2Fapp/jobs/artifacts/main";
    for target in [format!("{base}/download?job={name}"), format!("{base}/raw/NAME?job={name}")] {
        assert_eq!(site.get(&target).status, 404, "{what}: {target}");
    }
}

/// Uploads, and gives back when it was there.
fn upload_for(site: &Site, large: &Large, fields: &[(&str, &str)]) -> (Job, Instant) {
    let job = site.job();
    let form = Form::with(fields, &large.archive);
    let mut sending = site.begin(Framing::Chunked, &job, &form);
    for piece in form.bytes.chunks(1 << 20) {
        sending.send(piece);
    }
    sending.finish().is_created("a large archive");
    (job, Instant::now())
}

fn halted(site: &Site, job: &Job) -> Vec<Halted> {
    targets(job).iter().map(|(what, target)| Halted::start(site, what, target)).collect()
}

fn assert_all_end(halted: Vec<Halted>, large: &Large) {
    for (download, expected) in
        halted.into_iter().zip([&large.stored, &large.deflated, &large.archive])
    {
        download.assert_ends_with(expected);
    }
}

#[test]
fn an_expiry_during_downloads_lets_them_end_and_is_a_404_at_once() {
    const TIME: Duration = Duration::from_secs(3);
    let large = Large::new();
    // It is the expiry that ends it, not the sweep: there is none.
    let site = Site::start(&["--sweep-interval", "1h"]);
    let (job, there_at) = upload_for(&site, &large, &[("expire_in", "3 seconds")]);
    let downloads = halted(&site, &job);
    let name = format!("{}/NAME", archive_of(&job));
    let by_ref =
        format!("/api/v4/projects/group%2Fapp/jobs/artifacts/main/raw/NAME?job=build-{}", job.id);
    // Warm: whatever is remembered of it must be forgotten in time.
    while there_at.elapsed() < TIME {
        for target in [&name, &by_ref] {
            let status = site.get(target).status;
            assert!(status == 200 || there_at.elapsed() >= TIME - Duration::from_secs(1));
        }
    }
    assert_gone(&site, "expired", &job);
    assert!(site.data.join("blobs").exists());
    site.assert_holds("expired, not swept", &[&large.archive]);
    assert_all_end(downloads, &large);
}

#[test]
fn a_sweep_during_downloads_removes_the_file_and_lets_them_end() {
    let large = Large::new();
    let site = Site::start(&["--sweep-interval", "1s"]);
    let (job, _) = upload_for(&site, &large, &[("expire_in", "3 seconds")]);
    let downloads = halted(&site, &job);
    wait_until("the file is swept", || super::blobs(&site.data).is_empty());
    assert_gone(&site, "swept", &job);
    site.assert_holds("swept", &[]);
    assert_all_end(downloads, &large);
    // And when nobody has it open any more, its room is free.
    wait_until("the file is closed", || !has_deleted_open(&site));
}

#[test]
fn a_deletion_during_downloads_lets_them_end() {
    let large = Large::new();
    let site = Site::start(&["--sweep-interval", "1s"]);
    let (job, _) = upload_for(&site, &large, &[]);
    let downloads = halted(&site, &job);
    assert_eq!(site.delete(&job).status, 204);
    assert_gone(&site, "deleted", &job);
    wait_until("the file is swept", || super::blobs(&site.data).is_empty());
    assert_gone(&site, "swept", &job);
    site.assert_holds("swept", &[]);
    thread::sleep(Duration::from_millis(100));
    assert_all_end(downloads, &large);
    wait_until("the file is closed", || !has_deleted_open(&site));
}

/// Whether the server has a file of the store open that has no name any more.
fn has_deleted_open(site: &Site) -> bool {
    let open = std::fs::read_dir(format!("/proc/{}/fd", site.server.process.id()));
    let open = open.expect("a running process has descriptors").filter_map(Result::ok);
    let mut named = open.filter_map(|open| std::fs::read_link(open.path()).ok());
    let blobs = site.data.join("blobs");
    named.any(|path| path.starts_with(&blobs) && path.to_string_lossy().ends_with(" (deleted)"))
}

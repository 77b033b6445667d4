//! A full disk: uploads are refused, all else goes on.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicU64;

use serde_json::json;

use super::sending::{FRAMINGS, Form, Framing, Wire, exchange, head};
use super::{PROJECT, Site, archive, token, upload_to, wait_until};
use crate::harness::{Running, Scratch, Server, program, scrubbed};

/// A server whose data folder is a file system of its own, of 8 MiB, that goes with its process;
/// from outside its files are seen by way of /proc.
fn on_small_disk(arguments: &[&str]) -> Option<Site> {
    let mounts = Command::new("unshare")
        .args(["-r", "-m", "mount", "-t", "tmpfs", "tmpfs", "/tmp"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !mounts.is_ok_and(|status| status.success()) {
        return None;
    }
    let scratch = Scratch::new();
    let folder = scratch.data();
    let tokens = scratch.path("tokens");
    std::fs::create_dir(&folder).expect("a new folder");
    let (ingest, maintainer) = (token(&tokens, "ingest"), token(&tokens, "api"));
    let mut command = scrubbed(Command::new("unshare"));
    command.args(["-r", "-m", "sh", "-ec"]);
    command
        .arg("mount -t tmpfs -o size=8m tmpfs \"$1\"; cp -r \"$2\"/. \"$1\"; shift 2; exec \"$@\"");
    command.arg("sh").arg(&folder).arg(&tokens).arg(program());
    command.arg("serve").arg("--data").arg(&folder).args(["--listen", "127.0.0.1:0"]);
    let process = Running::start(command.args(arguments));
    let address = process.line_after("listening on http://");
    let address = address.trim().parse().expect("the program prints the address it bound");
    let seen = seen_by(process.id(), &folder);
    let server = Server { address, process };
    let next_job = AtomicU64::new(100);
    let site = Site { server, data: seen, ingest, maintainer, next_job, _scratch: scratch };
    site.announce();
    Some(site)
}

fn seen_by(process: u32, path: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{process}/root"));
    root.join(path.strip_prefix("/").expect("an absolute path"))
}

/// Fills what room there is, to the last page.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a file");
    for len in [64 * 1024, 4 * 1024, 1] {
        while file.write_all(&vec![1; len]).is_ok() {}
    }
}

#[test]
fn on_a_full_disk_uploads_are_refused_and_all_else_goes_on() {
    const TEST: &str = "on_a_full_disk_uploads_are_refused_and_all_else_goes_on";
    let Some(site) = on_small_disk(&["--sweep-interval", "1s"]) else {
        return crate::harness::skip(TEST, "no file system can be mounted in a namespace");
    };
    let (first, job) = (site.job(), site.job());
    let bytes = archive("there is room", 1_500_000);
    site.upload(Framing::Length, &first, &bytes).is_created("there is room");
    site.assert_serves("there is room", &first, &bytes);

    // There is no room for it, and the client is told so before it sends it.
    let content_type = Form::content_type();
    let fields = [
        ("JOB-TOKEN", job.token.as_str()),
        ("Content-Type", &content_type),
        ("Expect", "100-continue"),
        ("Content-Length", "30000000"),
    ];
    let mut wire = Wire::open(site.server.address);
    let request = head(site.server.address, "POST", &upload_to(&job), &fields) + "\r\n";
    wire.stream.write_all(request.as_bytes()).expect("the server reads");
    let answer = wire.head().expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 507 "), "{answer}");

    let large = archive("there is no room", 20_000_000);
    for framing in FRAMINGS {
        let what = format!("{framing:?}");
        site.upload(framing, &job, &large).refuses(&what, 507);
        site.assert_has_none(&what, &job);
        site.assert_holds(&what, &[&bytes]);
        site.assert_serves(&what, &first, &bytes);
    }
    // What was taken for them is free again.
    let second = archive("there is room again", 3_000_000);
    site.upload(Framing::Chunked, &job, &second).is_created("there is room again");
    site.assert_serves("there is room again", &job, &second);

    // Not a page is left, for the catalog neither.
    let third = site.job();
    let ballast = site.data.join("ballast");
    fill(&ballast);
    let small = archive("small", 10_000);
    for framing in FRAMINGS {
        site.upload(framing, &third, &small).refuses("full", 507);
        site.assert_has_none("full", &third);
    }
    // Each time for the same reason: a write that failed does not take the next one with it.
    for attempt in 0..3 {
        let fields = [("PRIVATE-TOKEN", site.ingest.as_str())];
        let body = json!({"pipeline_id": 10, "name": "x".repeat(200), "status": "running"});
        let target = format!("{PROJECT}/jobs/{}", 900 + attempt);
        let body = body.to_string();
        let reply = exchange(site.server.address, "PUT", &target, &fields, body.as_bytes());
        reply.refuses(&format!("announcing, attempt {attempt}"), 507);
    }
    site.assert_serves("full", &first, &bytes);
    site.assert_serves("full", &job, &second);
    let deleted = site.delete(&job);
    assert_eq!(deleted.status, 204, "deleting works: {deleted:?}; {}", site.server.process.log());
    site.assert_has_none("deleted", &job);
    wait_until("the deleted archive is swept", || super::blobs(&site.data).len() == 1);
    site.assert_serves("swept", &first, &bytes);
    site.upload(Framing::Length, &third, &small).is_created("room was made");
    site.assert_serves("room was made", &third, &small);
    site.assert_holds("at last", &[&bytes, &small]);
    std::fs::remove_file(&ballast).expect("the ballast");
    let last = site.job();
    site.upload(Framing::Http2, &last, &second).is_created("without the ballast");
    site.assert_serves("without the ballast", &last, &second);
    wait_until("room for deletions is kept again", || site.data.join("reserve").exists());
}

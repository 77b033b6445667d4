//! A part of an archive as an archive of its own: `path[]` on endpoints A and B.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use entryway_testkit::builder::{Archive, DescriptorForm, Entry};
use entryway_testkit::fixtures::{noise, text};
use entryway_testkit::oracle;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, PROTOCOLS};
use crate::handing_in::{
    Asking, RunningJob, is_verified, running_job, served, slow_to_verify, token, until_verified,
    upload_archive,
};
use crate::harness::{Scratch, Server, has_command, sha256, skip};

/// A server with one archive in group/app: ref `main`, job `build`.
struct Site {
    server: Server,
    job_id: u64,
    scratch: Scratch,
}

impl Site {
    fn of(archive: &[u8]) -> Self {
        let (server, job_id, scratch) = served(archive);
        Self { server, job_id, scratch }
    }

    fn client(&self) -> Client {
        Client::http1(self.server.address)
    }

    fn by_job(&self, query: &str) -> String {
        by_job(self.job_id, query)
    }

    async fn get(&self, query: &str) -> Answer {
        self.client().get(&self.by_job(query)).await
    }
}

/// A.
fn by_job(job_id: u64, query: &str) -> String {
    format!("/api/v4/projects/group%2Fapp/jobs/{job_id}/artifacts?{query}")
}

/// B.
fn by_ref(query: &str) -> String {
    format!("/api/v4/projects/group%2Fapp/jobs/artifacts/main/download?job=build&{query}")
}

/// Every way in which an entry can lie in an archive.
fn entries() -> Vec<(&'static str, Vec<u8>, Entry)> {
    let files = [
        ("readme.txt", text(3_000, 1)),
        ("docs/a.txt", text(70_000, 2)),
        ("docs/b.bin", noise(90_000, 3)),
        ("docs/deep/c.txt", text(100, 4)),
        ("docs/empty", Vec::new()),
        ("src/main.rs", text(900, 5)),
        ("src/[odd]*?.rs", text(300, 6)),
        ("src/lib.rs", text(901, 7)),
        ("\u{fc}ber/stra\u{df}e.txt", text(50, 8)),
    ];
    let entry = |(number, (name, content)): (usize, (&'static str, Vec<u8>))| {
        let entry = match number % 3 {
            0 => Entry::deflated(name, &content),
            1 => Entry::deflated(name, &content).descriptor(DescriptorForm::SIGNED_32),
            _ => Entry::stored(name, &content),
        };
        (name, content, entry.mode(0o100_644))
    };
    files.into_iter().enumerate().map(entry).collect()
}

fn archive() -> Vec<u8> {
    Archive::new()
        .prefix(b"#!/bin/sh\n", true)
        .entry(Entry::directory("docs/"))
        .entries(entries().into_iter().map(|(_, _, entry)| entry))
        .comment("a comment that parts do not have")
        .build()
}

/// The files of an archive by the plain reading of the testkit, each of them good.
#[track_caller]
fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let entries = oracle::read(archive).expect("a part is a good archive");
    entries
        .into_iter()
        .map(|entry| {
            let name = String::from_utf8(entry.raw_name).expect("names of this test are UTF-8");
            let content = entry.verdict.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
            (name, content)
        })
        .collect()
}

const PYTHON: &str = r#"
import hashlib, json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    out = {i.filename: hashlib.sha256(archive.read(i)).hexdigest() for i in archive.infolist()}
json.dump(out, sys.stdout)
"#;

/// Reads an archive with two foreign readers and compares it with what it should hold.
#[track_caller]
fn assert_read_elsewhere(what: &str, archive: &Path, wanted: &BTreeMap<String, Vec<u8>>) {
    if has_command("python3") {
        let mut python = Command::new("python3");
        python.args(["-c", PYTHON]).arg(archive).stdin(Stdio::null());
        let read = python.output().expect("python3 starts");
        assert!(read.status.success(), "{what}: {}", String::from_utf8_lossy(&read.stderr));
        let digests: BTreeMap<String, String> = serde_json::from_slice::<Value>(&read.stdout)
            .expect("JSON")
            .as_object()
            .expect("an object")
            .iter()
            .map(|(name, digest)| (name.clone(), digest.as_str().unwrap_or("").to_owned()))
            .collect();
        let wanted = wanted.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect();
        assert_eq!(digests, wanted, "{what}");
    } else {
        skip("parts read by Python", "python3 is not here");
    }
    if has_command("unzip") {
        let unzip = Command::new("unzip").arg("-tqq").arg(archive).stdin(Stdio::null()).output();
        let unzip = unzip.expect("unzip starts");
        let said = String::from_utf8_lossy(&unzip.stdout).into_owned();
        assert!(unzip.status.success(), "{what}: {said}");
        assert!(said.is_empty() && unzip.stderr.is_empty(), "{what}: {unzip:?}");
    } else {
        skip("parts read by unzip", "unzip is not here");
    }
}

#[tokio::test]
async fn a_part_has_what_was_selected_and_nothing_else() {
    let site = Site::of(&archive());
    let contents: BTreeMap<&str, Vec<u8>> =
        entries().into_iter().map(|(name, content, _)| (name, content)).collect();
    let table: [(&str, &str, &[&str]); 18] = [
        ("a file", "path[]=readme.txt", &["readme.txt"]),
        ("a file in a folder", "path[]=docs/b.bin", &["docs/b.bin"]),
        ("an empty file", "path[]=docs/empty", &["docs/empty"]),
        ("encoded brackets", "path%5B%5D=readme.txt", &["readme.txt"]),
        ("an encoded slash", "path%5b%5d=docs%2Fb.bin", &["docs/b.bin"]),
        ("not ASCII", "path[]=%C3%BCber/stra%C3%9Fe.txt", &["\u{fc}ber/stra\u{df}e.txt"]),
        ("several", "path[]=src/lib.rs&path[]=readme.txt", &["readme.txt", "src/lib.rs"]),
        ("one twice", "path[]=src/lib.rs&path[]=src/lib.rs", &["src/lib.rs"]),
        (
            "a folder",
            "path[]=docs",
            &["docs/", "docs/a.txt", "docs/b.bin", "docs/deep/c.txt", "docs/empty"],
        ),
        (
            "a folder with its slash",
            "path[]=docs/",
            &["docs/", "docs/a.txt", "docs/b.bin", "docs/deep/c.txt", "docs/empty"],
        ),
        ("an implied folder", "path[]=docs/deep", &["docs/deep/c.txt"]),
        ("a glob in a segment", "path[]=*.txt", &["readme.txt"]),
        ("a glob in a folder", "path[]=docs/*.txt", &["docs/a.txt"]),
        ("a glob of one letter", "path[]=docs/%3F.txt", &["docs/a.txt"]),
        (
            "a glob across folders",
            "path[]=**/*.txt",
            &["docs/a.txt", "docs/deep/c.txt", "readme.txt", "\u{fc}ber/stra\u{df}e.txt"],
        ),
        ("alternatives", "path[]=src/{lib,main}.rs", &["src/lib.rs", "src/main.rs"]),
        ("a name like a glob", "path[]=src/%5Bodd%5D*%3F.rs", &["src/[odd]*?.rs"]),
        (
            "a file, its folder and a glob",
            "path[]=docs/deep/c.txt&path[]=docs/deep/&path[]=**/c.*",
            &["docs/deep/c.txt"],
        ),
    ];
    for (name, query, selected) in table {
        let wanted: BTreeMap<String, Vec<u8>> = selected
            .iter()
            .map(|name| ((*name).to_owned(), contents.get(name).cloned().unwrap_or_default()))
            .collect();
        let mut client = site.client();
        let part = client.get(&site.by_job(query)).await;
        assert_eq!(part.status, 200, "{name}: {:?}", part.body);
        assert_eq!(client.get(&by_ref(query)).await.bytes(), part.bytes(), "{name}");
        assert_eq!(files(part.bytes()), wanted, "{name}");
        let length = part.bytes().len().to_string();
        assert_eq!(part.header("content-length"), Some(length.as_str()), "{name}");
        assert_eq!(part.header("content-type"), Some("application/octet-stream"), "{name}");
        assert_eq!(part.header("accept-ranges"), Some("bytes"), "{name}");
        assert!(part.header("content-encoding").is_none(), "{name}");
        let disposition = part.expect_header("content-disposition");
        assert!(disposition.contains("artifacts.zip"), "{name}: {disposition}");
        let part = site.scratch.file("part.zip", part.bytes());
        assert_read_elsewhere(name, &part, &wanted);
    }
}

#[tokio::test]
async fn a_selection_has_an_entity_tag_of_its_own() {
    let bytes = archive();
    let site = Site::of(&bytes);
    let whole = site.get("").await;
    assert_eq!(whole.bytes(), &bytes);
    let tag = |answer: &Answer| answer.expect_header("etag").to_owned();
    assert_eq!(tag(&whole), format!("\"{}\"", sha256(&bytes)));

    let one = site.get("path[]=readme.txt").await;
    let two = site.get("path[]=readme.txt&path[]=docs/a.txt").await;
    let tags = [tag(&whole), tag(&one), tag(&two)];
    assert_eq!(tags.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{tags:?}");
    assert!(tags.iter().all(|tag| tag.starts_with('"')), "strong: {tags:?}");
    for same in [
        "path[]=docs/a.txt&path[]=readme.txt",
        "path%5B%5D=docs%2Fa.txt&path[]=readme.txt&path[]=readme.txt",
        "path[]=readme.txt&path[]=docs/a.*",
    ] {
        let again = site.get(same).await;
        assert_eq!(tag(&again), tag(&two), "{same}");
        assert_eq!(again.bytes(), two.bytes(), "{same}");
    }
    // The same names of another archive are another part.
    let other = archive();
    let other = Archive::new()
        .entries(entries().into_iter().map(|(_, _, entry)| entry))
        .entry(Entry::stored("more", other))
        .build();
    assert_ne!(tag(&Site::of(&other).get("path[]=readme.txt").await), tag(&one));
}

/// Ranges and preconditions of a part, with what is expected of each.
async fn assert_ranges(client: &mut Client, target: &str) {
    let whole = client.get(target).await;
    assert_eq!(whole.status, 200, "{target}: {:?}", whole.body);
    let bytes = whole.bytes().clone();
    let len = bytes.len();
    assert!(len > 100_000, "the part has several chunks");
    let tag = whole.expect_header("etag").to_owned();
    let modified = whole.expect_header("last-modified").to_owned();
    let last = format!("bytes=-{}", 500);
    let open = format!("bytes={}-", len - 7);
    let across = format!("bytes={}-{}", 60_000, len - 10);
    let long = format!("bytes=10-{}", len * 2);
    let single: [(&str, &str, std::ops::Range<usize>); 8] = [
        ("first bytes", "bytes=0-0", 0..1),
        ("in the first header", "bytes=10-49", 10..50),
        ("across entries", &across, 60_000..len - 9),
        ("the last", &last, len - 500..len),
        ("to the end", &open, len - 7..len),
        ("past the end", &long, 10..len),
        ("all", "bytes=0-", 0..len),
        ("a suffix longer than it", "bytes=-99999999", 0..len),
    ];
    for (name, range, wanted) in single {
        let part = client.get_with(target, &[("range", range)]).await;
        assert_eq!(part.status, 206, "{name}");
        let positions = format!("bytes {}-{}/{len}", wanted.start, wanted.end - 1);
        assert_eq!(part.header("content-range"), Some(positions.as_str()), "{name}");
        let length = wanted.len().to_string();
        assert_eq!(part.header("content-length"), Some(length.as_str()), "{name}");
        assert_eq!(part.header("etag"), Some(tag.as_str()), "{name}");
        assert!(part.bytes() == &bytes[wanted], "{name}");
    }
    let several = client.get_with(target, &[("range", "bytes=0-9,100-199,70000-70009")]).await;
    assert_eq!(several.status, 206);
    let media_type = several.expect_header("content-type");
    assert!(media_type.starts_with("multipart/byteranges; boundary="), "{media_type}");
    let length = several.bytes().len().to_string();
    assert_eq!(several.header("content-length"), Some(length.as_str()));
    for range in [0..10, 100..200, 70_000..70_010] {
        let part = &bytes[range];
        assert!(several.bytes().windows(part.len()).any(|window| window == part));
    }
    let beyond = format!("bytes={len}-");
    let none = client.get_with(target, &[("range", &beyond)]).await;
    assert_eq!(none.status, 416);
    assert_eq!(none.header("content-range"), Some(format!("bytes */{len}").as_str()));
    assert_eq!(client.get_with(target, &[("range", "bytes=x-")]).await.status, 200);

    let other = "\"another\"";
    let table: [Asking; 9] = [
        ("If-Range, same", &[("range", "bytes=0-9"), ("if-range", &tag)], 206),
        ("If-Range, another", &[("range", "bytes=0-9"), ("if-range", other)], 200),
        ("If-None-Match, same", &[("if-none-match", &tag)], 304),
        ("If-None-Match, any", &[("if-none-match", "*")], 304),
        ("If-None-Match, another", &[("if-none-match", other)], 200),
        ("If-Match, same", &[("if-match", &tag)], 200),
        ("If-Match, another", &[("if-match", other)], 412),
        ("If-Modified-Since", &[("if-modified-since", &modified)], 304),
        ("304 before 206", &[("range", "bytes=0-9"), ("if-none-match", &tag)], 304),
    ];
    for (name, fields, status) in table {
        let answer = client.get_with(target, fields).await;
        assert_eq!(answer.status.as_u16(), status, "{name}");
        match status {
            200 => assert!(answer.bytes() == &bytes, "{name}"),
            206 => assert!(answer.bytes() == &bytes[..10], "{name}"),
            304 => {
                assert!(answer.bytes().is_empty(), "{name}");
                assert_eq!(answer.header("etag"), Some(tag.as_str()), "{name}");
            }
            _ => {}
        }
    }
    for fields in [&[][..], &[("range", "bytes=0-9")]] {
        let head = client.send(&Method::HEAD, target, fields).await;
        assert_eq!((head.status.as_u16(), head.bytes().len()), (200, 0));
        for name in ["content-length", "etag", "last-modified", "content-disposition"] {
            assert_eq!(head.header(name), whole.header(name), "{name}");
        }
    }
}

#[tokio::test]
async fn a_part_has_ranges_and_preconditions() {
    let site = Site::of(&archive());
    for protocol in PROTOCOLS {
        let mut client = Client::new(site.server.address, protocol);
        assert_ranges(&mut client, &site.by_job("path[]=docs&path[]=readme.txt")).await;
        assert_ranges(&mut client, &by_ref("path%5B%5D=**/*.*")).await;
    }
    // The archive's own tag is not a part's.
    let whole = site.get("").await.expect_header("etag").to_owned();
    let part = site.by_job("path[]=docs");
    let answer = site.client().get_with(&part, &[("if-none-match", &whole)]).await;
    assert_eq!(answer.status, 200);
    let fields = [("range", "bytes=0-3"), ("if-range", whole.as_str())];
    assert_eq!(site.client().get_with(&part, &fields).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_selected_is_refused() {
    let site = Site::of(&archive());
    let bad = |name| json!({ "error": format!("{name} is invalid") });
    let rule = || json!({"message": "400 Bad request - "});
    let missing = || json!({"message": "404 File Not Found"});
    let table: [(&str, &str, u16, Value); 20] = [
        ("nothing", "path[]=nothing", 404, missing()),
        ("one of several is nothing", "path[]=readme.txt&path[]=nothing", 404, missing()),
        ("a glob that matches nothing", "path[]=*.nothing", 404, missing()),
        ("one of several globs", "path[]=*.txt&path[]=*.nothing", 404, missing()),
        ("other case", "path[]=README.TXT", 404, missing()),
        ("a file as a folder", "path[]=readme.txt/", 404, missing()),
        ("an open class", "path[]=[a", 400, bad("path")),
        ("an open alternative", "path[]={a,b", 400, bad("path")),
        ("a range backwards", "path[]=[z-a]", 400, bad("path")),
        ("dots", "path[]=../x", 400, rule()),
        ("encoded dots", "path[]=%2e%2e%2Fx", 400, rule()),
        ("dots in a glob", "path[]=**/../*", 400, rule()),
        ("backslash and dots", "path[]=a%5C..%5Cb", 400, rule()),
        ("absolute", "path[]=/readme.txt", 400, rule()),
        ("a drive", "path[]=C:%5Cx", 400, rule()),
        ("empty", "path[]=", 400, rule()),
        ("one of several is empty", "path[]=readme.txt&path[]=", 400, rule()),
        ("NUL", "path[]=a%00b", 400, rule()),
        ("not UTF-8", "path[]=%ff", 400, bad("path")),
        ("too long", &format!("path[]={}", "a".repeat(4_097)), 400, rule()),
    ];
    for (name, query, status, body) in table {
        for target in [site.by_job(query), by_ref(query)] {
            let mut client = site.client();
            let answer = client.get(&target).await;
            assert_eq!(answer.status.as_u16(), status, "{name}: {:?}", answer.body);
            match body["message"].as_str() {
                Some(front) if status == 400 => {
                    let message = answer.json()["message"].as_str().unwrap_or("").to_owned();
                    assert!(message.starts_with(front), "{name}: {message}");
                }
                _ => assert_eq!(answer.json(), body, "{name}"),
            }
            let head = client.send(&Method::HEAD, &target, &[]).await;
            assert_eq!((head.status, head.bytes().len()), (answer.status, 0), "{name}");
        }
    }
    // `path` without brackets is no selection, as it is not for GitLab.
    assert_eq!(site.get("path=readme.txt").await.bytes(), &archive());
}

#[tokio::test]
async fn a_refused_entry_refuses_its_selection_by_name() {
    let archive = Archive::new()
        .entry(Entry::stored("dir/good.txt", "good"))
        .entry(Entry::stored("dir/secret.bin", "0123456789abcdef").flags(1))
        .entry(Entry::stored("dir/crc.txt", "bad").edit_local(|header| header.crc32 ^= 1))
        .entry(Entry::stored("lone.txt", "fine"))
        .entry(Entry::stored("twice.txt", "1"))
        .entry(Entry::stored("twice.txt", "2"))
        .build();
    let site = Site::of(&archive);
    let mut client = site.client();
    for (query, named, reason) in [
        ("path[]=dir/secret.bin", "dir/secret.bin", Some("encrypted")),
        ("path[]=lone.txt&path[]=dir/secret.bin", "dir/secret.bin", Some("encrypted")),
        ("path[]=dir", "dir/crc.txt", None),
        ("path[]=**/c*", "dir/crc.txt", None),
        ("path[]=twice.txt", "twice.txt", None),
    ] {
        for fields in [&[][..], &[("range", "bytes=0-9")]] {
            let answer = client.get_with(&site.by_job(query), fields).await;
            assert_eq!(answer.status, 422, "{query}: {:?}", answer.body);
            let body = answer.json();
            let message = body["message"].as_str().expect("a message");
            assert!(message.starts_with("422 Unprocessable entry - "), "{query}: {message}");
            assert!(message.contains(named), "{query}: {message}");
            let label = body["reason"].as_str().expect("a label");
            assert!(!label.is_empty(), "{query}: {body}");
            if let Some(reason) = reason {
                assert!(label.contains(reason), "{query}: {body}");
            }
        }
        let head = client.send(&Method::HEAD, &site.by_job(query), &[]).await;
        assert_eq!((head.status.as_u16(), head.bytes().len()), (422, 0), "{query}");
    }
    let good = site.get("path[]=dir/g*&path[]=lone.txt").await;
    assert_eq!(files(good.bytes()).len(), 2);
}

#[tokio::test]
async fn a_part_is_the_same_before_and_after_verification() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let owner = token(&scratch.data(), "group", "owner", "api,ingest");
    let job = running_job(server.address, &owner, "group/app", "public", "main");
    let files_of_it = entries().into_iter().map(|(_, _, entry)| entry);
    let broken = Entry::stored("broken.txt", "bad").edit_local(|header| header.crc32 ^= 1);
    let archive = slow_to_verify(files_of_it.chain([broken]));
    upload_archive(server.address, &job, &archive);
    let mut client = Client::http1(server.address);
    let file = format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts/readme.txt", job.id);
    let queries = ["path[]=docs", "path[]=**/*.rs&path[]=readme.txt", "path[]=broken.txt"];
    let mut before = Vec::new();
    for query in queries {
        let answer = client.get(&by_job(job.id, query)).await;
        before.push((
            answer.status,
            answer.header("etag").map(str::to_owned),
            answer.bytes().clone(),
        ));
    }
    let range = [("range", "bytes=-1000")];
    let range_before = client.get_with(&by_job(job.id, queries[0]), &range).await;
    assert!(!is_verified(&mut client, &file, &owner).await, "verified too soon to compare");
    until_verified(&mut client, &file, &owner).await;
    for (query, before) in queries.iter().zip(before) {
        let answer = client.get(&by_job(job.id, query)).await;
        let after =
            (answer.status, answer.header("etag").map(str::to_owned), answer.bytes().clone());
        assert_eq!(before.0, after.0, "{query}");
        assert_eq!(before.1, after.1, "{query}");
        assert!(before.2 == after.2, "{query}: {:?} {:?}", before.2, after.2);
    }
    let range_after = client.get_with(&by_job(job.id, queries[0]), &range).await;
    assert_eq!((range_before.status, range_after.status.as_u16()), (range_after.status, 206));
    assert_eq!(range_before.bytes(), range_after.bytes());
    let docs = client.get(&by_job(job.id, queries[0])).await;
    assert_eq!(files(docs.bytes()).len(), 4);
}

/// Reads the head of an answer and its first bytes, and goes on when told to.
struct SlowDownload {
    stream: std::net::TcpStream,
    received: Vec<u8>,
}

impl SlowDownload {
    fn start(server: &Server, target: &str) -> Self {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(server.address).expect("a connection");
        stream.set_read_timeout(Some(crate::harness::HANG)).expect("a socket option");
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            server.address
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut received = vec![0; 64 << 10];
        stream.read_exact(&mut received).expect("a first part");
        Self { stream, received }
    }

    fn finish(mut self) -> (String, Vec<u8>) {
        use std::io::Read;
        self.stream.read_to_end(&mut self.received).expect("the rest");
        let end = self.received.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&self.received[..end]).into_owned();
        (head, self.received.split_off(end + 4))
    }
}

#[tokio::test]
async fn a_download_of_a_part_goes_on_when_the_artifacts_are_deleted() {
    let scratch = Scratch::new();
    let server = Server::start_with(&scratch.data(), &["--sweep-interval", "1s"]);
    let owner = token(&scratch.data(), "group", "owner", "api,ingest");
    let job: RunningJob = running_job(server.address, &owner, "group/app", "public", "main");
    // Far more than the socket buffers of both ends hold.
    let content = noise(40 << 20, 9);
    let archive = Archive::new()
        .entry(Entry::stored("large.bin", &content))
        .entry(Entry::stored("other.bin", "other"))
        .build();
    upload_archive(server.address, &job, &archive);
    let target = by_job(job.id, "path[]=large.bin");
    let download = SlowDownload::start(&server, &target);

    let mut client = Client::http1(server.address);
    let fields = [("private-token", owner.as_str())];
    let deleted = client.send(&Method::DELETE, &by_job(job.id, ""), &fields).await;
    assert_eq!(deleted.status, 204, "{:?}", deleted.body);
    client.get(&target).await.refuses(404, &json!({"message": "404 Not Found"}));
    // Until the sweeper has taken the file away.
    let digest = sha256(&archive);
    let blob = scratch.data().join(format!("blobs/{}/{digest}.zip", &digest[..2]));
    let started = std::time::Instant::now();
    while blob.exists() {
        assert!(started.elapsed() < crate::harness::HANG, "it never is swept");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (head, body) = download.finish();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(files(&body)["large.bin"] == content, "the content of the part");
    client.get(&target).await.refuses(404, &json!({"message": "404 Not Found"}));
}

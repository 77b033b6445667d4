//! Entries of one name: refused, or the first of them served, in every command and over HTTP.

use std::io::Read;

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::fixtures::{crc32, text};
use entryway_testkit::oracle;
use http::Method;
use serde_json::Value;

use crate::client::{Client, PROTOCOLS, by_job, by_ref};
use crate::handing_in::{
    is_verified, running_job, slow_to_verify, token, until_verified, upload_archive,
};
use crate::harness::{Push, Ran, Scratch, Server, command};

const FIRST: &[&str] = &["--duplicates", "first"];
const REFUSE: &[&str] = &["--duplicates", "refuse"];

/// What the first of each name holds.
struct Contents {
    small: Vec<u8>,
    large: Vec<u8>,
}

fn contents() -> Contents {
    Contents { small: text(3_000, 1), large: text(200_000, 2) }
}

/// Two files of one name, small and large, and names that stand once.
fn entries() -> Vec<Entry> {
    let Contents { small, large } = contents();
    vec![
        Entry::deflated("d/small.txt", &small),
        Entry::deflated("d/large.txt", &large),
        Entry::deflated("./dotted.txt", &small),
        Entry::stored("once.txt", "once"),
        Entry::stored("d/small.txt", "the second"),
        Entry::stored("d/large.txt", "the second"),
        Entry::stored("d/large.txt", "the third"),
        Entry::stored("./dotted.txt", "the second"),
        Entry::stored("bad.txt", "first").edit_local(|header| header.crc32 ^= 1),
        Entry::stored("bad.txt", "the second"),
    ]
}

/// The paths of the first of each name that is good, and what it holds.
fn served() -> Vec<(&'static str, Vec<u8>)> {
    let Contents { small, large } = contents();
    vec![("d/small.txt", small.clone()), ("d/large.txt", large), ("dotted.txt", small)]
}

/// Every form of request for an entry that is known to be refused: all are told the same.
async fn assert_refused(client: &mut Client, target: &str, label: &str) {
    assert_is_bad(client, target, label).await;
    let get = client.get(target).await;
    let head = client.send(&Method::HEAD, target, &[]).await;
    assert_eq!(head.status, 422, "HEAD {target}");
    let len = get.bytes().len().to_string();
    assert_eq!(head.expect_header("content-length"), len, "{target}");
}

/// As [`assert_refused`], but for HEAD, which decodes nothing: of an entry that may not have been
/// looked at yet.
async fn assert_is_bad(client: &mut Client, target: &str, label: &str) {
    for fields in [&[][..], &[("range", "bytes=0-3")], &[("accept-encoding", "gzip")]] {
        let answer = client.get_with(target, fields).await;
        assert_eq!(answer.status, 422, "{target} {fields:?}");
        let body = answer.json();
        assert_eq!(body["reason"], label, "{target}: {body}");
        assert!(body["advice"].as_str().is_some_and(|advice| advice.ends_with('.')), "{body}");
    }
}

/// What goes out before anybody has decoded the entry: all of it, decoded and checked.
async fn assert_served_whole(client: &mut Client, target: &str, content: &[u8]) {
    let head = client.send(&Method::HEAD, target, &[]).await;
    assert_eq!(head.status, 200, "HEAD {target}");
    assert_eq!(head.expect_header("content-length"), content.len().to_string(), "{target}");
    for fields in [&[][..], &[("range", "bytes=10-19")], &[("accept-encoding", "gzip")]] {
        let answer = client.get_with(target, fields).await;
        assert_eq!(answer.status, 200, "{target} {fields:?}");
        assert_eq!(answer.header("content-encoding"), None, "{target} {fields:?}");
        assert!(answer.bytes() == content, "{target} {fields:?}: another content");
    }
}

/// What goes out once it has been: parts of it, and as it lies in the archive.
async fn assert_served_every_way(client: &mut Client, target: &str, content: &[u8]) {
    let whole = client.get(target).await;
    assert_eq!((whole.status.as_u16(), &whole.bytes()[..] == content), (200, true), "{target}");
    let part = client.get_with(target, &[("range", "bytes=10-19")]).await;
    assert_eq!((part.status.as_u16(), &part.bytes()[..]), (206, &content[10..20]), "{target}");
    let fields = [("accept-encoding", "gzip")];
    let head = client.send(&Method::HEAD, target, &fields).await;
    let coded = client.get_with(target, &fields).await;
    assert_eq!(coded.header("content-encoding"), Some("gzip"), "{target}");
    assert_eq!(head.expect_header("content-length"), coded.bytes().len().to_string(), "{target}");
    let mut decoded = Vec::new();
    flate2::read::GzDecoder::new(&coded.bytes()[..]).read_to_end(&mut decoded).expect("gzip");
    assert!(decoded == content, "{target}: another content in gzip");
}

/// The archive of a job.
fn artifacts(job: u64) -> String {
    format!("/api/v4/projects/group%2Fapp/jobs/{job}/artifacts")
}

/// A part of it.
fn part_of(job: u64, query: &str) -> String {
    format!("{}?{query}", artifacts(job))
}

#[tokio::test]
async fn the_first_of_a_name_is_served_before_and_after_it_was_verified() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let server = Server::start_with(&data, FIRST);
    let ingest = token(&data, "group", "maintainer", "api,ingest");
    let job = running_job(server.address, &ingest, "group/app", "public", "main");
    let archive = slow_to_verify(entries());
    upload_archive(server.address, &job, &archive);
    let once = by_job(job.id, b"once.txt");
    let mut client = Client::http1(server.address);
    for (path, content) in served() {
        assert_served_whole(&mut client, &by_job(job.id, path.as_bytes()), &content).await;
    }
    assert_is_bad(&mut client, &by_job(job.id, b"bad.txt"), "local_crc").await;
    let before = client.get(&part_of(job.id, "path[]=d")).await;
    assert!(!is_verified(&mut client, &once, &ingest).await, "verified too soon to compare");
    until_verified(&mut client, &once, &ingest).await;
    for protocol in PROTOCOLS {
        let mut client = Client::new(server.address, protocol);
        for (path, content) in served() {
            let path = path.as_bytes();
            assert_served_every_way(&mut client, &by_job(job.id, path), &content).await;
            assert_served_every_way(&mut client, &by_ref("main", path), &content).await;
        }
        assert_refused(&mut client, &by_job(job.id, b"bad.txt"), "local_crc").await;
    }

    // A listing shows what is served, and a part holds it, once.
    let folder = format!("{}/tree?path=d", artifacts(job.id));
    let tree = client.get(&folder).await.json();
    let listed = |item: &Value| (item["name"].as_str().map(str::to_owned), item["size"].as_u64());
    let sizes: Vec<_> = tree.as_array().expect("items").iter().map(listed).collect();
    let expected = [("large.txt", 200_000), ("small.txt", 3_000)];
    assert_eq!(sizes, expected.map(|(name, size)| (Some(name.to_owned()), Some(size))));
    for query in ["path[]=d", "path[]=d/small.txt&path[]=d/large.txt", "path[]=d/*"] {
        let part = client.get(&part_of(job.id, query)).await;
        assert_eq!(part.status, 200, "{query}");
        assert_eq!(part.bytes(), before.bytes(), "{query}");
        let entries = oracle::read(part.bytes()).expect("an archive");
        let Contents { small, large } = contents();
        let names: Vec<_> = entries.iter().map(|entry| &entry.raw_name[..]).collect();
        assert_eq!(names, [&b"d/large.txt"[..], b"d/small.txt"], "{query}");
        let found: Vec<_> = entries.into_iter().map(|entry| entry.verdict.expect(query)).collect();
        assert!(found == [large, small], "{query}: another content");
    }
    assert_eq!(client.get(&part_of(job.id, "path[]=bad.txt")).await.status, 422);
    let whole = client.get(&artifacts(job.id)).await;
    assert!(whole.bytes() == &archive[..], "the whole archive is as it was");
}

#[tokio::test]
async fn entries_of_one_name_are_refused_before_and_after_they_were_looked_at() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let server = Server::start(&data);
    let ingest = token(&data, "group", "maintainer", "api,ingest");
    let job = running_job(server.address, &ingest, "group/app", "public", "main");
    upload_archive(server.address, &job, &slow_to_verify(entries()));
    let once = by_job(job.id, b"once.txt");
    let mut client = Client::http1(server.address);
    for is_last in [false, true] {
        for (path, _) in served().into_iter().chain([("bad.txt", Vec::new())]) {
            let target = by_job(job.id, path.as_bytes());
            assert_refused(&mut client, &target, "duplicate_name").await;
        }
        let part = client.get(&part_of(job.id, "path[]=d")).await;
        assert_eq!((part.status.as_u16(), &part.json()["reason"]), (422, &"duplicate_name".into()));
        assert_eq!(client.get(&part_of(job.id, "path[]=once.txt")).await.status, 200);
        if !is_last {
            assert!(!is_verified(&mut client, &once, &ingest).await, "verified too soon");
            until_verified(&mut client, &once, &ingest).await;
        }
    }
}

#[tokio::test]
async fn a_data_folder_is_read_as_the_server_is_told_whatever_it_was_told_before() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let archive = scratch.file("twice.zip", Archive::new().entries(entries()).build());
    let plain = Archive::new().entry(Entry::stored("once.txt", "once")).build();
    let plain = scratch.file("plain.zip", plain);
    let job = Push::public().store_in(&data, &archive).job_id;
    let other = Push { ref_name: "plain", ..Push::public() }.store_in(&data, &plain).job_id;
    // The same archive once more, its verdicts made under the other choice.
    let pushed = Push { arguments: FIRST, ..Push::public() };
    let reader = token(&data, "group", "reporter", "read_api");
    let (once, plain) = (by_job(job, b"once.txt"), by_job(other, b"once.txt"));
    for (number, told) in [REFUSE, FIRST, REFUSE, FIRST, &[], FIRST, REFUSE].into_iter().enumerate()
    {
        let server = Server::start_with(&data, told);
        let mut client = Client::http1(server.address);
        let is_first = told == FIRST;
        // The first answer there is, and the ones from a sidecar made anew.
        for is_known in [false, true] {
            if is_known {
                until_verified(&mut client, &once, &reader).await;
            }
            for (path, content) in served() {
                let target = by_job(job, path.as_bytes());
                match (is_first, is_known) {
                    (false, _) => assert_refused(&mut client, &target, "duplicate_name").await,
                    (true, false) => {
                        let answer = client.get(&target).await;
                        assert_eq!(answer.status, 200, "{number} {told:?} {path}");
                        assert!(answer.bytes() == &content[..], "{number} {told:?} {path}");
                    }
                    (true, true) => assert_served_every_way(&mut client, &target, &content).await,
                }
            }
            let label = if is_first { "local_crc" } else { "duplicate_name" };
            assert_is_bad(&mut client, &by_job(job, b"bad.txt"), label).await;
            let part = client.get(&part_of(job, "path[]=d")).await;
            assert_eq!(part.status, if is_first { 200 } else { 422 }, "{number} {told:?}");
        }
        // Where no name stands twice, the verdicts hold under either choice.
        assert!(is_verified(&mut client, &plain, &reader).await, "{number} {told:?}");
        if number == 4 {
            // While it runs, another writes the verdicts of the other choice beside the archive.
            pushed.store_in(&data, &archive);
            assert_refused(&mut client, &by_job(job, b"d/small.txt"), "duplicate_name").await;
        }
    }
}

#[test]
fn commands_on_files_are_told_which_one_is_meant() {
    let scratch = Scratch::new();
    let archive = scratch.file("twice.zip", Archive::new().entries(entries()).build());
    let Contents { small, .. } = contents();
    let ran = |name: &str, arguments: &[&str]| {
        let mut command = command();
        Ran::of(command.arg(name).arg(&archive).args(arguments))
    };
    for path in ["d/small.txt", "dotted.txt"] {
        let refused = ran("cat", &[path]).exits(5);
        assert!(refused.stdout.is_empty() && refused.stderr.contains("--duplicates first"));
        let shown = ran("cat", &[path, "--duplicates", "first"]).exits(0);
        assert_eq!(crc32(&shown.stdout), crc32(&small), "{path}");
        let part = ran("cat", &[path, "--duplicates=first", "--range=5-8"]).exits(0);
        assert_eq!(part.stdout, &small[5..9], "{path}");
    }
    let refused = |outcome: &Ran| outcome.text().matches("refused: duplicate_name").count();
    assert_eq!(refused(&ran("ls", &[]).exits(1)), 9);
    assert_eq!(refused(&ran("ls", FIRST).exits(1)), 5);
    let labels = |arguments: &[&str]| -> Vec<String> {
        let json = ran("verify", arguments).exits(1).json();
        let rule = |entry: &Value| entry["rule"].as_str().unwrap_or("served").to_owned();
        json["entries"].as_array().expect("entries").iter().map(rule).collect()
    };
    let (twice, once) = ("duplicate_name", "served");
    let expected = [twice, twice, twice, once, twice, twice, twice, twice, twice, twice];
    assert_eq!(labels(&["--json"]), expected);
    let expected = [once, once, once, once, twice, twice, twice, twice, "local_crc", twice];
    assert_eq!(labels(&["--json", "--duplicates", "first"]), expected);
    ran("ls", &["--duplicates", "last"]).exits(2);

    let data = scratch.data();
    let push = |arguments| Push { arguments, ..Push::public() }.store_in(&data, &archive);
    assert_eq!(push(&[]).refused.len(), 9);
    assert_eq!(push(FIRST).refused.len(), 6);
}

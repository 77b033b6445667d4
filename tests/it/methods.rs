//! Every compression method over HTTP: before an archive is verified and afterwards, and with
//! headers that ask for more memory than a decoder may have.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::fixtures::text;
use http::{Method, StatusCode};

use crate::client::{Client, PROTOCOLS, by_job};
use crate::handing_in::{
    RunningJob, running_job, slow_to_verify, token, until_verified, upload_archive,
};
use crate::harness::{HANG, Push, Ran, Scratch, Server, command, run, sha256};
use crate::sample::{LARGE, SMALL};
use entryway_tests_shared::packed::{PACKINGS, lzma_with_dictionary, vast};

const MIB: u64 = 1 << 20;

/// What entries are seen by whether the archive has been verified.
const BESIDE: &str = "beside.txt";

/// A name, how it is packed, and what it holds.
type Packed = (String, &'static str, Vec<u8>);

/// A short and a long entry of every method.
fn packed() -> (Vec<Packed>, Vec<Entry>) {
    let (mut packed, mut entries) = (Vec::new(), Vec::new());
    for packing in PACKINGS {
        for len in [SMALL, LARGE] {
            let name = format!("{}-{len}.txt", packing.name);
            let content = text(len, len as u64);
            entries.push(packing.entry(&name, &content));
            packed.push((name, packing.name, content));
        }
    }
    entries.push(Entry::stored(BESIDE, "beside"));
    (packed, entries)
}

/// A server to which an archive was uploaded just now.
struct Uploaded {
    server: Server,
    owner: String,
    job: RunningJob,
    _scratch: Scratch,
}

impl Uploaded {
    fn new(archive: &[u8]) -> Self {
        let scratch = Scratch::new();
        let server = Server::start(&scratch.data());
        let owner = token(&scratch.data(), "group", "owner", "api,ingest");
        let job = running_job(server.address, &owner, "group/app", "public", "main");
        upload_archive(server.address, &job, archive);
        Self { server, owner, job, _scratch: scratch }
    }

    fn target(&self, name: &str) -> String {
        by_job(self.job.id, name.as_bytes())
    }

    async fn until_verified(&self) {
        let mut client = Client::http1(self.server.address);
        until_verified(&mut client, &self.target(BESIDE), &self.owner).await;
    }

    /// Whether there was still no verdict when an answer was given, and so none at any before it.
    async fn is_unverified(&self) -> bool {
        let mut client = Client::http1(self.server.address);
        let answer = client.get(&self.target(BESIDE)).await;
        !answer.expect_header("cache-control").contains("immutable")
    }
}

type Fields = &'static [(&'static str, &'static str)];
const CODED: Fields = &[("accept-encoding", "gzip, zstd")];

/// The coding in which a good entry goes out to who takes all.
fn coding(packing: &str) -> Option<&'static str> {
    match packing {
        "deflate" => Some("gzip"),
        "zstd" => Some("zstd"),
        _ => None,
    }
}

#[tokio::test]
async fn each_method_is_served_whole_until_it_is_verified_and_then_in_every_way() {
    let (packed, entries) = packed();
    let site = Uploaded::new(&slow_to_verify(entries.iter().cloned()));
    let mut seen = 0;
    'unverified: for protocol in PROTOCOLS {
        let mut client = Client::new(site.server.address, protocol);
        let asked: [Fields; 3] = [&[], &[("range", "bytes=5-9")], CODED];
        for ((name, _, content), fields) in packed.iter().flat_map(|it| asked.map(|f| (it, f))) {
            let what = format!("{name} {protocol:?} {fields:?}");
            let answer = client.get_with(&site.target(name), fields).await;
            let head = client.send(&Method::HEAD, &site.target(name), &[]).await;
            if !site.is_unverified().await {
                break 'unverified;
            }
            seen += 1;
            assert_eq!(answer.status, 200, "{what}");
            assert_eq!(answer.header("content-encoding"), None, "{what}");
            assert!(answer.bytes() == content, "{what}");
            assert_eq!(head.status, 200, "HEAD {what}");
            assert_eq!(head.header("content-length"), Some(&*content.len().to_string()), "{what}");
        }
    }

    assert!(seen > 0, "verified before the first answer");

    site.until_verified().await;
    for protocol in PROTOCOLS {
        let mut client = Client::new(site.server.address, protocol);
        for ((name, packing, content), entry) in packed.iter().zip(&entries) {
            let what = format!("{name} {protocol:?}");
            let target = site.target(name);
            let len = content.len();
            let whole = client.get(&target).await;
            assert_eq!((whole.status, whole.header("content-encoding")), (StatusCode::OK, None));
            assert!(whole.bytes() == content, "{what}");
            assert_eq!(whole.header("vary"), Some("Accept-Encoding"), "{what}");
            let tag = whole.expect_header("etag").to_owned();

            let ranges: [(Fields, usize, usize); 3] = [
                (&[("range", "bytes=5-9")], 5, 10),
                (&[("range", "bytes=-7"), ("accept-encoding", "gzip, zstd")], len - 7, len),
                (&[("range", "bytes=100-3999")], 100, 4_000),
            ];
            for (fields, from, to) in ranges {
                let part = client.get_with(&target, fields).await;
                assert_eq!(part.status, 206, "{what}");
                let range = format!("bytes {from}-{}/{len}", to - 1);
                assert_eq!(part.header("content-range"), Some(&*range), "{what}");
                assert!(part.bytes() == &content[from..to], "{what} {range}");
            }
            let several = client.get_with(&target, &[("range", "bytes=1-2,4000-4001")]).await;
            assert_eq!(several.status, 206, "{what}");
            for part in [&content[1..=2], &content[4000..=4001]] {
                let sent = several.bytes();
                assert!(sent.windows(part.len()).any(|window| window == part), "{what}");
            }

            let coded = client.get_with(&target, CODED).await;
            let head = client.send(&Method::HEAD, &target, CODED).await;
            assert_eq!(head.status, 200, "{what}");
            for field in ["content-encoding", "content-length", "etag"] {
                assert_eq!(head.header(field), coded.header(field), "HEAD {what}");
            }
            assert_eq!(coded.header("content-encoding"), coding(packing), "{what}");
            let only = [("accept-encoding", "gzip, zstd, identity;q=0")];
            let only = client.get_with(&target, &only).await;
            let Some(coding) = coding(packing) else {
                assert!(coded.bytes() == content, "{what}");
                assert_eq!(only.status, 406, "{what}");
                continue;
            };
            let coded_tag = format!("{}-{coding}\"", tag.trim_end_matches('"'));
            assert_eq!(coded.expect_header("etag"), coded_tag, "{what}");
            assert_eq!(only.bytes(), coded.bytes(), "{what}");
            if coding == "zstd" {
                assert!(coded.bytes() == &entry.data, "{what}: not as it lies in the archive");
            }
            let held = [("range", "bytes=50-59"), ("if-range", &coded_tag), CODED[0]];
            let part = client.get_with(&target, &held).await;
            assert_eq!((part.status.as_u16(), part.header("etag")), (206, Some(&*coded_tag)));
            assert_eq!(part.header("content-encoding"), Some(coding), "{what}");
            assert_eq!(part.bytes(), &coded.bytes()[50..60], "{what}");
            let known = [("if-none-match", &*coded_tag), CODED[0]];
            assert_eq!(client.get_with(&target, &known).await.status, 304, "{what}");
        }
    }
}

#[tokio::test]
async fn a_header_that_asks_for_gigabytes_is_refused_and_gets_none() {
    let vast: Vec<(Entry, u64)> =
        [SMALL, LARGE].into_iter().flat_map(|len| vast(&text(len, 7))).collect();
    let beside = Entry::stored(BESIDE, "beside");
    // A long one too, so that what a body takes is there before the first look.
    let plain = Entry::deflated("plain.txt", text(LARGE, 1));
    let entries = vast.iter().map(|(entry, _)| entry.clone()).chain([beside, plain]);
    let site = Uploaded::new(&slow_to_verify(entries));
    let mut client = Client::http1(site.server.address);
    assert!(client.get(&site.target("plain.txt")).await.bytes() == &text(LARGE, 1));
    let before = site.server.process.peak_memory();
    let mut seen = 0;
    for verified in [false, true] {
        if verified {
            site.until_verified().await;
        }
        for protocol in PROTOCOLS {
            let mut client = Client::new(site.server.address, protocol);
            for (entry, asked) in &vast {
                let name = std::str::from_utf8(&entry.name).expect("ASCII");
                let answer = client.get(&site.target(name)).await;
                assert_eq!(answer.status, 422, "{name} {protocol:?} {verified}");
                assert_eq!(answer.json()["reason"], "over_limit", "{name}");
                let message = answer.json()["message"].to_string();
                let limit = (64 * MIB).to_string();
                assert!(message.contains(&limit), "{name}: {message}");
                // XZ says how much its decoder takes in all.
                let is_told = message.contains(&asked.to_string()) || name.starts_with("xz");
                assert!(is_told, "{name}: {message}");
                assert!(message.contains("--max-decoder-memory"), "{name}: {message}");
                let head = client.send(&Method::HEAD, &site.target(name), &[]).await;
                if verified || site.is_unverified().await {
                    // Of what nobody has decoded, HEAD decodes nothing.
                    assert_eq!(head.status, if verified { 422 } else { 200 }, "HEAD {name}");
                    seen += usize::from(!verified);
                }
            }
        }
    }
    assert!(seen > 0, "verified before the first answer");
    let grown = site.server.process.peak_memory() - before;
    eprintln!("a header that asks for gigabytes: {grown} KiB more at the peak");
    assert!(grown < 8 * 1024, "{grown} KiB more at the peak");
}

/// A download that is not read to its end.
struct Stalled {
    stream: TcpStream,
    status: u16,
    head: String,
}

impl Stalled {
    /// Asks for a file, and reads the head of its answer.
    fn ask(address: SocketAddr, target: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_read_timeout(Some(HANG)).expect("a socket option");
        let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a small request");
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a whole head");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("a head is ASCII");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self { stream, status: status.expect("a status"), head }
    }

    /// Reads so many bytes of the body.
    fn read(&mut self, len: u64) {
        let read = std::io::copy(&mut (&mut self.stream).take(len), &mut std::io::sink());
        assert_eq!(read.expect("a body that goes on"), len);
    }
}

/// What the metrics say that decoders hold.
async fn held(server: &Server) -> u64 {
    let metrics = Client::http1(server.address).get("/-/metrics").await;
    let text = String::from_utf8(metrics.bytes().to_vec()).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix("entryway_decoder_memory_bytes "));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no gauge in {text}"))
}

#[tokio::test]
async fn readers_of_large_decoders_share_a_budget() {
    const DICTIONARY: u64 = 24 * MIB;
    const READERS: usize = 10;
    let content = text(64 << 10, 3).repeat((2 * DICTIONARY as usize) >> 16);
    let archive = Archive::new()
        .entry(lzma_with_dictionary("log.txt", &content, DICTIONARY as u32))
        .entry(Entry::deflated("plain.txt", text(LARGE, 1)));
    let scratch = Scratch::new();
    let file = scratch.file("archive.zip", archive.build());
    let job_id = Push::public().store_in(&scratch.data(), &file).job_id;
    let limits = ["--max-decoder-memory", "24MiB", "--decoder-memory", "60MiB"];
    let server = Server::start_with(&scratch.data(), &limits);
    let target = by_job(job_id, b"log.txt");
    let before = server.process.peak_memory();

    let (address, asked) = (server.address, target.clone());
    let readers = (0..READERS).map(|_| {
        let asked = asked.clone();
        tokio::task::spawn_blocking(move || {
            let mut reader = Stalled::ask(address, &asked);
            if reader.status == 200 {
                // Past the dictionary, so that all of it has been used.
                reader.read(DICTIONARY + MIB);
            }
            reader
        })
    });
    let mut readers: Vec<_> = readers.collect();
    let (mut served, mut sent_away) = (Vec::new(), 0);
    for reader in readers.drain(..) {
        let reader = reader.await.expect("a reader");
        if reader.status == 200 {
            served.push(reader);
            continue;
        }
        assert_eq!(reader.status, 503, "{}", reader.head);
        assert!(reader.head.to_ascii_lowercase().contains("\r\nretry-after: 5\r\n"));
        sent_away += 1;
    }
    assert_eq!((served.len(), sent_away), (2, READERS - 2), "two dictionaries have room");
    assert!(held(&server).await >= 2 * DICTIONARY);
    let grown = (server.process.peak_memory() - before) * 1024;
    eprintln!("readers that share a budget: {} MiB more at the peak", grown >> 20);
    assert!(grown < 60 * MIB + 16 * MIB, "{grown} bytes more at the peak");

    let mut client = Client::http1(server.address);
    // Nothing else is kept waiting by it.
    let plain = client.get(&by_job(job_id, b"plain.txt")).await;
    assert!(plain.bytes() == &text(LARGE, 1));
    let head = client.send(&Method::HEAD, &target, &[]).await;
    assert_eq!(head.status, 200);
    let refused = client.get(&target).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["reason"], "decoder_memory");

    // A client that goes away gives back what was held for it.
    served.truncate(1);
    let whole = client.get(&target).await;
    assert_eq!(whole.status, 200);
    assert_eq!(sha256(whole.bytes()), sha256(&content));
    drop(served);
    let begun = std::time::Instant::now();
    while held(&server).await > 0 {
        assert!(begun.elapsed() < HANG, "something is held for nobody");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[test]
fn a_budget_for_less_than_one_decoder_is_refused_at_the_start() {
    let scratch = Scratch::new();
    let ended = |arguments: &[&str]| {
        let mut serve = command();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(scratch.data());
        Ran::of(serve.args(arguments)).exits(2).stderr
    };
    for (what, arguments) in [
        ("a small budget", &["--decoder-memory", "63MiB"][..]),
        ("a large decoder", &["--max-decoder-memory", "1GiB"]),
        ("both", &["--decoder-memory", "1MB", "--max-decoder-memory", "2MB"]),
    ] {
        let stderr = ended(arguments);
        assert!(stderr.contains("--decoder-memory"), "{what}: {stderr}");
        assert!(stderr.contains("--max-decoder-memory"), "{what}: {stderr}");
    }
}

#[tokio::test]
async fn an_entry_verified_under_a_higher_limit_is_refused_under_a_lower_one() {
    let scratch = Scratch::new();
    let content = text(LARGE, 3);
    let archive = Archive::new()
        .entry(lzma_with_dictionary("short.txt", &content[..SMALL], 32 << 20))
        .entry(lzma_with_dictionary("long.txt", &content, 32 << 20));
    let file = scratch.file("archive.zip", archive.build());
    let job_id = Push::public().store_in(&scratch.data(), &file).job_id;
    let lower = ["--max-decoder-memory", "16MiB"];
    for (limits, status) in [(&[][..], 200), (&lower[..], 422), (&[], 200)] {
        let server = Server::start_with(&scratch.data(), limits);
        for protocol in PROTOCOLS {
            let mut client = Client::new(server.address, protocol);
            for (name, fields) in [
                ("short.txt", &[][..]),
                ("long.txt", &[]),
                ("long.txt", &[("range", "bytes=250000-250009")]),
                ("long.txt", &[("range", "bytes=5-9,250000-250009")]),
            ] {
                let target = by_job(job_id, name.as_bytes());
                let answer = client.get_with(&target, fields).await;
                let is_whole = status == 200 && fields.is_empty();
                let expected = if status == 200 && !is_whole { 206 } else { status };
                assert_eq!(answer.status.as_u16(), expected, "{name} {fields:?} {limits:?}");
                if status == 422 {
                    assert_eq!(answer.json()["reason"], "over_limit", "{name}");
                } else {
                    assert!(!answer.bytes().is_empty(), "{name}");
                }
            }
        }
    }
}

#[test]
fn commands_on_files_know_every_method() {
    let (packed, entries) = packed();
    let vast = vast(&text(SMALL, 7));
    let all = entries.into_iter().chain(vast.iter().map(|(entry, _)| entry.clone()));
    let scratch = Scratch::new();
    let file = scratch.file("archive.zip", Archive::new().entries(all).build());
    let listing = run([Path::new("ls"), &file]).exits(0).text();
    for (name, packing, content) in &packed {
        let line = listing.lines().find(|line| line.ends_with(name)).expect("every entry");
        let shown = match *packing {
            "deflate" => "deflated",
            "lzma" => "LZMA",
            "xz" => "XZ",
            "ppmd" => "PPMd",
            "zstd-wide" => "zstd",
            other => other,
        };
        assert!(line.contains(&format!(" {shown} ")), "{line}");
        let cat = run([Path::new("cat"), &file, Path::new(name)]).exits(0);
        assert!(&cat.stdout == content, "{name}");
        let range = [Path::new("cat"), &file, Path::new(name), Path::new("--range=100-199")];
        assert!(run(range).exits(0).stdout == content[100..200], "{name}");
    }
    let verify = |arguments: &[&str]| {
        let mut verify = command();
        Ran::of(verify.arg("verify").arg(&file).arg("--json").args(arguments)).exits(1).json()
    };
    // The least that every good one takes: a window of 16 MiB.
    for (limit, is_tight) in [("16MiB", true), ("64MiB", false)] {
        let verdicts = verify(&["--max-decoder-memory", limit]);
        let verdicts = verdicts["entries"].as_array().expect("verdicts");
        for verdict in verdicts {
            let name = verdict["name"].as_str().expect("a name");
            let is_vast = vast.iter().any(|(entry, _)| entry.name == name.as_bytes());
            let expected = if is_vast { "refused" } else { "served" };
            assert_eq!(verdict["verdict"], expected, "{name} {is_tight}");
            assert!(!is_vast || verdict["rule"] == "over_limit", "{verdict}");
        }
    }
    let verdicts = verify(&["--max-decoder-memory", "100kB"]);
    let refused = |name: &str| {
        let name = format!("{name}-{LARGE}.txt");
        let verdicts = verdicts["entries"].as_array().expect("verdicts");
        verdicts.iter().any(|it| it["name"] == *name && it["verdict"] == "refused")
    };
    for (name, expected) in [
        ("stored", false),
        ("deflate", false),
        ("deflate64", false),
        ("bzip2", true),
        ("lzma", true),
        ("zstd", true),
        ("xz", true),
        ("ppmd", true),
    ] {
        assert_eq!(refused(name), expected, "{name} within 100 kB");
    }
}

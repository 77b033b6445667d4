//! An archive that is damaged after it was stored ends answers, and never makes a wrong one.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::fixtures::noise;
use http::{Method, StatusCode};

use crate::client::{Answer, Client, PROTOCOLS, by_job, by_ref};
use crate::harness::{HANG, Push, Scratch, Server, sha256};
use crate::sample::{KINDS, Sample};
use crate::standings::REQUESTS;

/// The published blob of an archive in a data folder, found by its content.
fn published(data: &Path, archive: &[u8]) -> PathBuf {
    let digest = sha256(archive);
    let mut folders = vec![data.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(&folder).expect("a folder of the store") {
            let path = item.expect("an item of the store").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let length = path.metadata().map(|metadata| metadata.len());
            if length.is_ok_and(|length| length == archive.len() as u64)
                && sha256(&fs::read(&path).expect("a blob")) == digest
            {
                return path;
            }
        }
    }
    panic!("the data folder has no blob of this archive");
}

fn writable(blob: &Path) -> File {
    fs::set_permissions(blob, fs::Permissions::from_mode(0o640)).expect("this user's file");
    File::options().read(true).write(true).open(blob).expect("a writable blob")
}

/// Flips a bit of a published blob, as a failing disk would.
fn damage_published(data: &Path, archive: &[u8], positions: impl IntoIterator<Item = usize>) {
    let mut blob = writable(&published(data, archive));
    for position in positions {
        let mut byte = [0];
        blob.seek(SeekFrom::Start(position as u64)).expect("a position in the blob");
        blob.read_exact(&mut byte).expect("a byte of the blob");
        blob.seek(SeekFrom::Start(position as u64)).expect("a position in the blob");
        blob.write_all(&[byte[0] ^ 1]).expect("a byte of the blob");
    }
    blob.sync_all().expect("a written blob");
}

/// Fails where a client would believe that it has the entry and has other bytes.
#[track_caller]
fn assert_not_wrong(what: &str, sample: &Sample, entry: &str, answer: &Answer) {
    let Ok(body) = &answer.body else {
        return;
    };
    let coded = answer.header("content-encoding").is_some();
    let truth = if coded { sample.gzip(entry) } else { sample.content(entry).to_vec() };
    match answer.status {
        StatusCode::OK => assert!(body == &truth, "{what}: a complete 200 of other bytes"),
        StatusCode::PARTIAL_CONTENT => {
            let Some(range) = answer.header("content-range") else {
                // Several parts: each stands in the truth, so each is in the body as it is there.
                assert!(contains(body, &truth[..10]), "{what}: a complete 206 of other bytes");
                return;
            };
            let positions = range.strip_prefix("bytes ").and_then(|range| range.split_once('/'));
            let (positions, _) = positions.unwrap_or_else(|| panic!("{what}: {range}"));
            let (first, last) = positions.split_once('-').expect("two positions");
            let (first, last): (usize, usize) =
                (first.parse().expect("a number"), last.parse().expect("a number"));
            assert!(body == &truth[first..=last], "{what}: a complete 206 of other bytes");
        }
        status => assert!(status.is_server_error(), "{what}: {status}"),
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Asks for every kind of entry in every way; `warm` entries may still be answered whole and right.
async fn assert_never_wrong(sample: &Sample, server: &Server, when: &str, warm: bool) {
    for protocol in PROTOCOLS {
        let mut client = Client::new(server.address, protocol);
        for entry in KINDS {
            for (request, method, fields) in REQUESTS {
                if method == Method::HEAD {
                    continue;
                }
                let what = format!("{when}: {request} {protocol:?} {entry}");
                // No answer at all is an answer that nobody takes for the entry.
                let target = by_ref("main", entry.as_bytes());
                let Ok(answer) = client.try_send(&Method::GET, &target, fields).await else {
                    continue;
                };
                // Only an entry that is compressed in the archive can be gzip alone.
                if answer.status == StatusCode::NOT_ACCEPTABLE {
                    continue;
                }
                assert_not_wrong(&what, sample, entry, &answer);
                if matches!(request, "GET" | "coded") && !warm {
                    let aborted = answer.body.is_err();
                    let refused = answer.status == StatusCode::INTERNAL_SERVER_ERROR;
                    assert!(aborted || refused, "{what}: {} complete", answer.status);
                }
            }
        }
    }
}

fn stored() -> (Scratch, Sample) {
    let scratch = Scratch::new();
    let sample = Sample::new();
    let archive = scratch.file("sample.zip", &sample.built.bytes);
    Push::public().store_in(&scratch.data(), &archive);
    (scratch, sample)
}

/// The middle byte of the data of each kind of entry.
fn middles(sample: &Sample) -> Vec<usize> {
    let data = KINDS.map(|entry| sample.built.entries[sample.position(entry)].data());
    data.map(|data| data.start + data.len() / 2).to_vec()
}

#[tokio::test]
async fn an_entry_damaged_after_it_was_stored_never_arrives_whole() {
    let (scratch, sample) = stored();
    damage_published(&scratch.data(), &sample.built.bytes, middles(&sample));
    let server = Server::start(&scratch.data());
    assert_never_wrong(&sample, &server, "before the server started", false).await;
}

#[tokio::test]
async fn an_entry_damaged_under_an_open_archive_never_arrives_whole() {
    let (scratch, sample) = stored();
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    // Opens the archive and its sidecar, not the entries that will be damaged.
    assert_eq!(client.get(&by_ref("main", b"NOTES")).await.status, 200);
    damage_published(&scratch.data(), &sample.built.bytes, middles(&sample));
    assert_never_wrong(&sample, &server, "under an open archive", false).await;
}

#[tokio::test]
async fn an_entry_damaged_after_it_was_served_never_arrives_wrong() {
    let (scratch, sample) = stored();
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    for entry in KINDS {
        for (_, _, fields) in REQUESTS {
            client.get_with(&by_ref("main", entry.as_bytes()), fields).await;
        }
    }
    damage_published(&scratch.data(), &sample.built.bytes, middles(&sample));
    assert_never_wrong(&sample, &server, "after it was served", true).await;
}

#[tokio::test]
async fn a_truncated_blob_ends_answers_and_not_the_server() {
    let (scratch, sample) = stored();
    let other = Sample::of_seed(2);
    let other_archive = scratch.file("other.zip", &other.built.bytes);
    let other_push = Push { ref_name: "other", ..Push::public() };
    other_push.store_in(&scratch.data(), &other_archive);
    let mut server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    for entry in KINDS {
        assert_eq!(client.get(&by_ref("main", entry.as_bytes())).await.status, 200);
    }
    let blob = writable(&published(&scratch.data(), &sample.built.bytes));
    for length in [sample.built.bytes.len() / 2, 1_000, 0] {
        blob.set_len(length as u64).expect("a shorter blob");
        assert_never_wrong(&sample, &server, "truncated", true).await;
        assert!(server.process.is_running(), "{}", server.process.log());
        let beside = client.get(&by_ref("other", KINDS[1].as_bytes())).await;
        assert!(beside.bytes() == other.content(KINDS[1]), "another archive is served on");
    }
}

#[tokio::test]
async fn a_blob_truncated_under_a_running_download_ends_it_short() {
    let scratch = Scratch::new();
    let content = noise(32 << 20, 4);
    let built = Archive::new().entry(Entry::stored("large.bin", &content)).build_placed();
    let archive = scratch.file("large.zip", &built.bytes);
    let pushed = Push::public().store_in(&scratch.data(), &archive);
    let mut server = Server::start(&scratch.data());

    let target = by_job(pushed.job_id, b"large.bin");
    let address = server.address;
    let (begun, truncated) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    let received = std::thread::scope(|threads| {
        let download = threads.spawn(|| {
            let mut stream = std::net::TcpStream::connect(address).expect("the server accepts");
            stream.set_read_timeout(Some(HANG)).expect("a socket option");
            let request =
                format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("a request");
            let mut received = vec![0; 64 * 1024];
            stream.read_exact(&mut received).expect("a first part");
            begun.wait();
            truncated.wait();
            // An error is an end too.
            let _ = stream.read_to_end(&mut received);
            received
        });
        begun.wait();
        let blob = writable(&published(&scratch.data(), &built.bytes));
        blob.set_len(1 << 20).expect("a shorter blob");
        truncated.wait();
        download.join().expect("the downloading thread")
    });
    let head_end = received.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let body = &received[head_end..];
    assert!(body.len() < content.len(), "a complete body of a truncated file");
    assert!(server.process.is_running(), "{}", server.process.log());
}

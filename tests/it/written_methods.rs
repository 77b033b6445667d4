//! Archives of every compression method that a writer of `tests/tools/make_archives` knows: each
//! has entries of its method, all of them good; a long entry takes little memory, and one that asks
//! its decoder for more than is given is refused.
//!
//! That every entry equals its source, whole, in part and coded: [`crate::writers`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use entryway::{Archive, CompressionMethod, FileSource, Limits, Standing};
use serde_json::Value;

use crate::client::{by_ref, download};
use crate::harness::{Push, Scratch, Server, skip};
use crate::indexed::Indexed;

const STORED: CompressionMethod = CompressionMethod::STORED;
const DEFLATED: CompressionMethod = CompressionMethod::DEFLATED;
const DEFLATE64: CompressionMethod = CompressionMethod::DEFLATE64;
const BZIP2: CompressionMethod = CompressionMethod::BZIP2;
const LZMA: CompressionMethod = CompressionMethod::LZMA;
const ZSTD: CompressionMethod = CompressionMethod::ZSTD;
const XZ: CompressionMethod = CompressionMethod::XZ;
const PPMD: CompressionMethod = CompressionMethod::PPMD;

/// What each writer knows to write. One that falls back to another method without a word, as
/// ziptool 1.7.3 does from zstd to stored, is seen by it.
const WRITTEN: &[(&str, &[CompressionMethod])] = &[
    ("7z-stored.zip", &[STORED]),
    ("7z.zip", &[DEFLATED]),
    ("7z-best.zip", &[DEFLATED]),
    ("7z-pipe.zip", &[DEFLATED]),
    ("7z-deflate64.zip", &[DEFLATE64]),
    ("7z-deflate64-best.zip", &[DEFLATE64]),
    ("7z-deflate64-pipe.zip", &[DEFLATE64]),
    ("7z-bzip2.zip", &[BZIP2]),
    ("7z-bzip2-best.zip", &[BZIP2]),
    ("7z-bzip2-pipe.zip", &[BZIP2]),
    ("7z-lzma.zip", &[LZMA]),
    ("7z-lzma-best.zip", &[LZMA]),
    ("7z-lzma-pipe.zip", &[LZMA]),
    ("7z-ppmd.zip", &[PPMD]),
    ("7z-ppmd-best.zip", &[PPMD]),
    ("7z-ppmd-pipe.zip", &[PPMD]),
    ("7z-xz.zip", &[XZ]),
    ("7z-xz-best.zip", &[XZ]),
    ("7z-xz-pipe.zip", &[XZ]),
    ("bsdtar.zip", &[DEFLATED]),
    ("bsdtar-stored.zip", &[STORED]),
    ("info-zip.zip", &[DEFLATED]),
    ("info-zip-stored.zip", &[STORED]),
    ("info-zip-bzip2.zip", &[BZIP2]),
    ("info-zip-bzip2-pipe.zip", &[BZIP2]),
    ("python.zip", &[DEFLATED]),
    ("python-stored.zip", &[STORED]),
    ("python-methods.zip", &[STORED, DEFLATED, BZIP2, LZMA]),
    ("python-bzip2.zip", &[BZIP2]),
    ("python-bzip2-stream.zip", &[BZIP2]),
    ("python-lzma.zip", &[LZMA]),
    ("python-lzma-stream.zip", &[LZMA]),
    ("python-zstd.zip", &[ZSTD]),
    ("python-zstd-9.zip", &[ZSTD]),
    ("python-zstd-stream.zip", &[ZSTD]),
    ("ziptool-store.zip", &[STORED]),
    ("ziptool-deflate.zip", &[DEFLATED]),
    ("ziptool-bzip2.zip", &[BZIP2]),
    ("ziptool-lzma.zip", &[LZMA]),
    ("ziptool-lzma-9.zip", &[LZMA]),
    ("ziptool-xz.zip", &[XZ]),
    ("ziptool-xz-9.zip", &[XZ]),
    ("ziptool-zstd.zip", &[ZSTD]),
    ("ziptool-zstd-19.zip", &[ZSTD]),
    ("ziptool-zstd-20.zip", &[ZSTD]),
];

/// The one archive of zstd whose windows, of 32 MiB, are no content coding's.
pub(crate) const WIDE_WINDOWS: &str = "ziptool-zstd-20.zip";

/// One entry of 300 MiB each, and the MiB of memory that its decoder takes: the tables of the
/// method, or the dictionary, window or model that 7z and ziptool choose.
const LARGE: [(&str, CompressionMethod, u64); 7] = [
    ("large/7z-deflate.zip", DEFLATED, 1),
    ("large/7z-deflate64.zip", DEFLATE64, 1),
    ("large/7z-bzip2.zip", BZIP2, 4),
    ("large/7z-lzma.zip", LZMA, 32),
    ("large/7z-ppmd.zip", PPMD, 16),
    ("large/7z-xz.zip", XZ, 32),
    ("large/ziptool-zstd.zip", ZSTD, 8),
];

/// One entry of 80 MiB each, and what it declares that its decoder must keep: 7z makes the
/// dictionary as long as the file, for XZ the next of 2^n or 3 * 2^n bytes; the others are told.
const WIDE: [(&str, CompressionMethod, u64); 4] = [
    ("wide/7z-lzma.zip", LZMA, 80 << 20),
    ("wide/7z-xz.zip", XZ, 96 << 20),
    ("wide/7z-ppmd.zip", PPMD, 192 << 20),
    ("wide/ziptool-zstd.zip", ZSTD, 128 << 20),
];

/// The folder of make_archives; `None` where nobody made it.
fn folder(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ENTRYWAY_ARCHIVES");
    if folder.is_none() {
        skip(test, "ENTRYWAY_ARCHIVES names no folder made by tests/tools/make_archives");
    }
    folder.map(PathBuf::from)
}

/// An archive of the folder, or why it could not be made: `tests/run` lists that by itself.
#[track_caller]
fn made(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let path = folder.join(name);
    if path.exists() {
        return Ok(path);
    }
    let skipped = std::fs::read_to_string(folder.join("skipped.tsv")).expect("a list of skipped");
    let line = skipped.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
    Err(line.unwrap_or_else(|| panic!("{name} is neither made nor skipped")).to_owned())
}

/// Prints past the capture of a test's output, so that a test that passes shows its table too.
fn print(table: &str) {
    std::io::stderr().write_all(table.as_bytes()).expect("standard error is open");
}

/// What verification found of the entries of one method.
#[derive(Default)]
struct Verdicts {
    good: u32,
    fit_zstd_coding: u32,
    bad: Vec<String>,
}

#[test]
fn every_writer_writes_the_methods_it_knows_and_all_its_entries_are_good() {
    let test = "every_writer_writes_the_methods_it_knows_and_all_its_entries_are_good";
    let Some(folder) = folder(test) else { return };
    let mut table = format!(
        "{:<26}{:<16}{:>8}{:>8}{:>8}{:>8}\n",
        "archive", "method", "entries", "good", "bad", "as zstd"
    );
    let mut failures = Vec::new();
    let large = LARGE.iter().map(|(name, method, _)| (*name, std::slice::from_ref(method)));
    for (name, methods) in WRITTEN.iter().copied().chain(large) {
        let path = match made(&folder, name) {
            Ok(path) => path,
            Err(why) => {
                writeln!(table, "{name:<26}skipped: {why}").expect("text");
                continue;
            }
        };
        let mut by_method = BTreeMap::<u16, Verdicts>::new();
        let archive = Archive::open(FileSource::open(&path).expect("it is there")).expect(name);
        let verified = archive.verify(
            |_| {},
            |entry, standing| {
                if entry.is_directory {
                    return;
                }
                let verdicts = by_method.entry(entry.method.0).or_default();
                match standing {
                    Standing::Good { fits_zstd_coding, .. } => {
                        verdicts.good += 1;
                        verdicts.fit_zstd_coding += u32::from(fits_zstd_coding);
                    }
                    other => verdicts.bad.push(format!("{other:?}")),
                }
            },
        );
        verified.expect(name);
        for method in methods {
            let Some(verdicts) = by_method.get(&method.0).filter(|verdicts| verdicts.good > 0)
            else {
                failures.push(format!("{name}: no good entry of method {method}"));
                continue;
            };
            let fitting = if *method == ZSTD && name != WIDE_WINDOWS { verdicts.good } else { 0 };
            if verdicts.fit_zstd_coding != fitting {
                failures.push(format!(
                    "{name}: {} instead of {fitting} entries fit the coding zstd",
                    verdicts.fit_zstd_coding
                ));
            }
        }
        for (method, Verdicts { good, fit_zstd_coding, bad }) in by_method {
            let method = CompressionMethod(method).to_string();
            let all = good as usize + bad.len();
            let bad_len = bad.len();
            writeln!(
                table,
                "{name:<26}{method:<16}{all:>8}{good:>8}{bad_len:>8}{fit_zstd_coding:>8}"
            )
            .expect("text");
            failures.extend(bad.first().map(|first| format!("{name}: {method}: {first}")));
        }
    }
    print(&table);
    assert!(failures.is_empty(), "{failures:#?}");
}

/// The one entry of an archive.
fn only(archive: &Indexed) -> (&str, &str, u64) {
    archive.served().next().expect("an archive of one entry")
}

/// MiB of resident memory that a server may have had at its peak beside the decoder's: four times
/// what one takes on two cores that sends a long deflated entry.
const BESIDE_DECODER: u64 = 64;

#[test]
fn an_entry_of_300_mebibytes_of_each_method_takes_little_memory() {
    let test = "an_entry_of_300_mebibytes_of_each_method_takes_little_memory";
    let Some(folder) = folder(test) else { return };
    let mut table =
        format!("{:<26}{:<16}{:>8}{:>16}\n", "archive", "method", "decoder", "server's peak");
    let mut over = Vec::new();
    for (name, method, decoder) in LARGE {
        let Ok(path) = made(&folder, name) else { continue };
        let archive = Indexed::open(path);
        let (entry, digest, length) = only(&archive);
        let scratch = Scratch::new();
        Push::public().store_in(&scratch.data(), &archive.path);
        // A server for each, since a peak stays one.
        let server = Server::start(&scratch.data());
        let whole = download(server.address, &by_ref("main", entry.as_bytes()), "");
        assert_eq!((whole.status, whole.content_length), (200, Some(length)), "{name}");
        assert_eq!(whole.sha256(), digest, "{name}");

        let middle = length / 2 + 12_345;
        let range = format!("Range: bytes={middle}-{}\r\n", middle + (2 << 20));
        let part = download(server.address, &by_ref("main", entry.as_bytes()), &range);
        assert_eq!((part.status, part.content_length), (206, Some((2 << 20) + 1)), "{name}");
        part.sha256();

        let peak = server.process.peak_memory();
        writeln!(table, "{name:<26}{:<16}{decoder:>4} MiB{peak:>12} KiB", method.to_string())
            .expect("text");
        if peak >= (BESIDE_DECODER + decoder) * 1024 {
            over.push(format!("{name}: {peak} KiB"));
        }
    }
    print(&table);
    assert!(over.is_empty(), "{over:#?}");
}

#[test]
fn an_entry_that_asks_its_decoder_for_too_much_is_refused_until_it_is_allowed() {
    let test = "an_entry_that_asks_its_decoder_for_too_much_is_refused_until_it_is_allowed";
    let Some(folder) = folder(test) else { return };
    for (name, method, memory) in WIDE {
        let Ok(path) = made(&folder, name) else { continue };
        assert!(memory > Limits::default().decoder_memory, "{name}: not wide");
        let archive = Indexed::open(path);
        let (entry, digest, length) = only(&archive);
        let target = by_ref("main", entry.as_bytes());
        let allowed = memory.to_string();
        // The next smaller size of an XZ dictionary is smaller by far; liblzma counts its own
        // structures too.
        let one_less = (memory - (1 << 20)).to_string();
        // What was given when the archive was stored, and when it is served.
        let rows: [(&[&str], &[&str], bool); 4] = [
            (&[], &[], false),
            (&["--max-decoder-memory", &one_less], &["--max-decoder-memory", &one_less], false),
            (&["--max-decoder-memory", &allowed], &[], false),
            (&["--max-decoder-memory", &allowed], &["--max-decoder-memory", &allowed], true),
        ];
        for (stored, served, is_served) in rows {
            let what = format!("{name}, {method}: {stored:?}, {served:?}");
            let scratch = Scratch::new();
            let push = Push { arguments: stored, ..Push::public() };
            let pushed = push.store_in(&scratch.data(), &archive.path);
            let is_refused = stored.last() != Some(&allowed.as_str());
            assert_eq!(pushed.refused.len(), usize::from(is_refused), "{what}");
            for refusal in &pushed.refused {
                assert_eq!(refusal["rule"], "over_limit", "{what}: {refusal}");
            }
            let server = Server::start_with(&scratch.data(), served);
            let answer = download(server.address, &target, "");
            if is_served {
                assert_eq!((answer.status, answer.content_length), (200, Some(length)), "{what}");
                assert_eq!(answer.sha256(), digest, "{what}");
            } else {
                assert_eq!(answer.status, 422, "{what}");
                let said: Value = serde_json::from_slice(&answer.bytes()).expect("JSON");
                assert_eq!(said["reason"], "over_limit", "{what}: {said}");
                let peak = server.process.peak_memory();
                assert!(peak < memory / 1024, "{what}: {peak} KiB at the peak");
            }
        }
    }
}

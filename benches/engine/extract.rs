//! Reading a whole entry of an open archive: decoded, its CRC-32 and size checked.
#![allow(clippy::unwrap_used, reason = "what fails ends the benchmark")]

use std::path::Path;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use entryway::{Archive, FileSource, Found, ReadAt};
use entryway_benches::content::Kind;
use entryway_benches::{archives, is_test_run, map};

criterion_group!(benches, extract);
criterion_main!(benches);

const SMALL: usize = 4 * 1024;

/// What 7-Zip writes beside stored and deflated, by its names and by ours.
const BY_7Z: [(&str, &str); 5] = [
    ("Deflate64", "deflate64"),
    ("BZip2", "bzip2"),
    ("LZMA", "lzma"),
    ("XZ", "xz"),
    ("PPMd", "ppmd"),
];

fn extract(criterion: &mut Criterion) {
    let mib = if is_test_run() { 1 << 10 } else { 1 << 20 };
    let mut group = criterion.benchmark_group("extract");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.sample_size(30);
    for kind in Kind::ALL {
        let name = format!("deflate, {}, 8 MiB", kind.name());
        in_map(&mut group, &name, &archives::one(kind, false, 8 * mib).unwrap(), kind, 8 * mib);
    }
    let path = archives::one(Kind::Binary, true, 8 * mib).unwrap();
    in_map(&mut group, "stored, binary, 8 MiB", &path, Kind::Binary, 8 * mib);
    let path = archives::one(Kind::Html, true, SMALL).unwrap();
    in_map(&mut group, "stored, html, 4 KiB", &path, Kind::Html, SMALL);
    let path = archives::one(Kind::Html, false, SMALL).unwrap();
    in_map(&mut group, "deflate, html, 4 KiB", &path, Kind::Html, SMALL);
    in_file(&mut group, "deflate, html, 4 KiB, file", &path, Kind::Html, SMALL);
    let path = archives::one(Kind::Html, false, 64 * mib).unwrap();
    in_map(&mut group, "deflate, html, 64 MiB", &path, Kind::Html, 64 * mib);
    in_file(&mut group, "deflate, html, 64 MiB, file", &path, Kind::Html, 64 * mib);

    // Of the other methods, two kinds: what shrinks well and what does not. Less of it, since some
    // take a second for a few megabytes.
    group.sample_size(10);
    let len = 2 * mib;
    for kind in [Kind::Html, Kind::Binary] {
        let name = format!("zstd, {}, 2 MiB", kind.name());
        in_map(&mut group, &name, &archives::one_zstd(kind, len).unwrap(), kind, len);
        for (theirs, method) in BY_7Z {
            let name = format!("{method}, {}, 2 MiB", kind.name());
            match archives::one_by_7z(theirs, kind, len).unwrap() {
                Some(path) => in_map(&mut group, &name, &path, kind, len),
                None => eprintln!("extract/{name} is left out: 7z does not write it here"),
            }
        }
    }
    group.finish();
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn in_map(group: &mut Group<'_>, name: &str, path: &Path, kind: Kind, len: usize) {
    bench(group, name, map::source(path).unwrap(), kind, len);
}

fn in_file(group: &mut Group<'_>, name: &str, path: &Path, kind: Kind, len: usize) {
    bench(group, name, FileSource::open(path).unwrap(), kind, len);
}

fn bench<S: ReadAt>(group: &mut Group<'_>, name: &str, source: S, kind: Kind, len: usize) {
    let archive = Archive::open(source).unwrap();
    let found = checked(&archive, kind, len);
    group.throughput(Throughput::Bytes(len as u64));
    let is_long = len > 1 << 20;
    group.sampling_mode(if is_long { SamplingMode::Flat } else { SamplingMode::Auto });
    group.bench_function(name, |b| b.iter(|| read(&archive, &found)));
}

/// The entry, after its content has been compared with what it must be.
fn checked<S: ReadAt>(archive: &Archive<S>, kind: Kind, len: usize) -> Found {
    let found = archive.find(archives::ENTRY.as_bytes()).unwrap().unwrap();
    let mut content = Vec::new();
    std::io::copy(&mut archive.read(&found).unwrap(), &mut content).unwrap();
    assert!(content == kind.make(len), "{}", kind.name());
    found
}

/// Reads the entry chunk by chunk and keeps none of it.
fn read<S: ReadAt>(archive: &Archive<S>, found: &Found) -> usize {
    let mut reader = archive.read(found).unwrap();
    let mut len = 0;
    while let Some(chunk) = reader.next_chunk().unwrap() {
        len += chunk.len();
    }
    len
}

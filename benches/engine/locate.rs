//! Finding the end record and the directory, and opening an archive, by the number of its entries.
#![allow(clippy::unwrap_used, reason = "what fails ends the benchmark")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use entryway::{Archive, FileSource, Limits, Locator, ReadAt, Step, Window};
use entryway_benches::{archives, is_test_run, map};

criterion_group!(benches, end_record, open);
criterion_main!(benches);

fn counts() -> &'static [usize] {
    if is_test_run() { &[10, 1_000] } else { &[10, 1_000, 100_000, 1_000_000] }
}

/// The end record and the directory's place: nothing of it depends on the number of entries.
fn end_record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("locate/end record");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for &count in counts() {
        let path = archives::many(count).unwrap();
        let bytes = map::bytes(&map::source(&path).unwrap());
        let file = File::open(&path).unwrap();
        for (name, declared) in [("memory", in_memory(bytes)), ("file", in_file(&file))] {
            assert_eq!(declared, count as u64, "{name}");
        }
        group.bench_function(BenchmarkId::new("memory", count), |b| b.iter(|| in_memory(bytes)));
        group.bench_function(BenchmarkId::new("file", count), |b| b.iter(|| in_file(&file)));
    }
    group.finish();
}

fn in_memory(bytes: &[u8]) -> u64 {
    let mut locator = Locator::new(bytes.len() as u64, &Limits::default());
    match locator.step(Window::whole(bytes)).unwrap() {
        Step::Done(directory) => directory.declared_entries,
        Step::Need(extent) => panic!("{extent:?} is in the window"),
    }
}

fn in_file(file: &File) -> u64 {
    let mut locator = Locator::new(file.metadata().unwrap().len(), &Limits::default());
    let mut offset = 0;
    let mut buffer = Vec::new();
    loop {
        match locator.step(Window { offset, bytes: &buffer }).unwrap() {
            Step::Done(directory) => return directory.declared_entries,
            Step::Need(extent) => {
                offset = extent.start;
                buffer.resize((extent.end - extent.start) as usize, 0);
                file.read_exact_at(&mut buffer, offset).unwrap();
            }
        }
    }
}

/// The directory located, read and indexed, and the index given back.
fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("locate/open");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for &count in counts() {
        let path = archives::many(count).unwrap();
        group.throughput(Throughput::Elements(count as u64));
        if count >= 100_000 {
            group.sample_size(10).sampling_mode(SamplingMode::Flat);
        }
        let bytes = Bytes::from(std::fs::read(&path).unwrap());
        let map = map::source(&path).unwrap();
        check(&bytes, count);
        check(&map, count);
        check(&file_source(&path), count);
        group.bench_function(BenchmarkId::new("memory", count), |b| {
            b.iter(|| Archive::open(bytes.clone()).unwrap());
        });
        group.bench_function(BenchmarkId::new("map", count), |b| {
            b.iter(|| Archive::open(map.clone()).unwrap());
        });
        group.bench_function(BenchmarkId::new("file", count), |b| {
            b.iter(|| Archive::open(file_source(&path)).unwrap());
        });
    }
    group.finish();
}

fn file_source(path: &Path) -> FileSource {
    FileSource::open(path).unwrap()
}

/// The archive has so many entries, and the one that is wanted its content.
fn check<S: ReadAt + Clone>(source: &S, count: usize) {
    let archive = Archive::open(source.clone()).unwrap();
    assert_eq!(archive.directory().len(), count);
    let name = archives::name_of(archives::wanted(count));
    let found = archive.find(name.as_bytes()).unwrap().unwrap();
    let mut content = Vec::new();
    std::io::copy(&mut archive.read(&found).unwrap(), &mut content).unwrap();
    assert!(content == archives::wanted_content());
}

//! Finding an entry by its name in an open archive.
//!
//! `Directory::find` is the look-up alone; `Archive::find` also judges the entry by its directory
//! header and neighbours, and copies its names, as a request does.
#![allow(clippy::unwrap_used, reason = "what fails ends the benchmark")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use entryway::{Archive, Lookup};
use entryway_benches::content::Draw;
use entryway_benches::{archives, is_test_run, map};

criterion_group!(benches, find);
criterion_main!(benches);

fn find(criterion: &mut Criterion) {
    let count = if is_test_run() { 1_000 } else { 1_000_000 };
    let path = archives::many(count).unwrap();
    let archive = Archive::open(map::source(&path).unwrap()).unwrap();
    let directory = archive.directory();
    for index in 0..count {
        let name = archives::name_of(index);
        let Lookup::Found(entry) = directory.find(name.as_bytes()) else {
            panic!("{name} is not found")
        };
        assert_eq!(directory.raw_name(&entry), name.as_bytes());
        assert_eq!(directory.find(format!("{name}x").as_bytes()), Lookup::Absent);
    }
    let dotted_path = archives::many_dotted(count / 10).unwrap();
    let dotted = Archive::open(map::source(&dotted_path).unwrap()).unwrap();
    let alias = archives::name_of(archives::wanted(count / 10));
    let found = dotted.find(alias.as_bytes()).unwrap().unwrap();
    assert_eq!(found.raw_name, format!("./{alias}"));

    let hit = archives::name_of(archives::wanted(count));
    let miss = format!("{hit}x");
    let mut group = criterion.benchmark_group(format!("find/{count}"));
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(1));
    group.bench_function("hit, repeated", |b| {
        b.iter(|| directory.find(black_box(hit.as_bytes())));
    });
    group.bench_function("miss, repeated", |b| {
        b.iter(|| directory.find(black_box(miss.as_bytes())));
    });
    group.bench_function("alias, repeated, of a tenth as many", |b| {
        b.iter(|| dotted.directory().find(black_box(alias.as_bytes())));
    });
    group.bench_function("judged hit, repeated", |b| {
        b.iter(|| archive.find(black_box(hit.as_bytes())));
    });

    // One after the other in memory, so that reading the names costs little beside the look-ups.
    let order = Draw(1).order(count);
    let hits: Vec<u8> =
        order.iter().flat_map(|&index| archives::name_of(index).into_bytes()).collect();
    let misses: Vec<u8> =
        hits.chunks(hit.len()).flat_map(|name| [&name[..name.len() - 1], b"x"].concat()).collect();
    let few = &hits[..hits.len().min(1_000 * hit.len())];
    let mut next = cycle(few, hit.len());
    group.bench_function("hit, 1,000 names", |b| b.iter(|| directory.find(next())));
    let mut next = cycle(&hits, hit.len());
    group.bench_function("hit, in random order", |b| b.iter(|| directory.find(next())));
    let mut next = cycle(&misses, hit.len());
    group.bench_function("miss, in random order", |b| b.iter(|| directory.find(next())));
    let mut next = cycle(&hits, hit.len());
    group.bench_function("judged hit, in random order", |b| b.iter(|| archive.find(next())));
    group.finish();
}

/// Each of the names, over and over.
fn cycle<'a>(names: &'a [u8], len: usize) -> impl FnMut() -> &'a [u8] {
    let mut rest = names.chunks_exact(len);
    move || {
        rest.next().unwrap_or_else(|| {
            rest = names.chunks_exact(len);
            &names[..len]
        })
    }
}

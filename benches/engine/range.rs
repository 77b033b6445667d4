//! Reading 64 KiB out of a large entry, from its front, its middle and its end.
#![allow(clippy::unwrap_used, reason = "what fails ends the benchmark")]

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use entryway::{Archive, EntryPlan, Found, MappedSource, Standing};
use entryway_benches::content::Kind;
use entryway_benches::{archives, is_test_run, map};

criterion_group!(benches, range);
criterion_main!(benches);

const RANGE_LEN: usize = 64 * 1024;

fn range(criterion: &mut Criterion) {
    let len = if is_test_run() { 1 << 20 } else { 64 << 20 };
    let content = Kind::Html.make(len);
    let mut group = criterion.benchmark_group("range");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Bytes(RANGE_LEN as u64));
    for is_stored in [true, false] {
        let path = archives::one(Kind::Html, is_stored, len).unwrap();
        let archive = Archive::open(map::source(&path).unwrap()).unwrap();
        let found = verified(&archive);
        for (place, start) in
            [("front", 0), ("middle", len / 2 - RANGE_LEN / 2), ("end", len - RANGE_LEN)]
        {
            let range = start..start + RANGE_LEN;
            let plan = || {
                let part = range.start as u64..range.end as u64;
                EntryPlan::parts(&found, [part].into()).unwrap()
            };
            let mut part = Vec::new();
            std::io::copy(&mut archive.carry_out(plan()), &mut part).unwrap();
            assert!(part == content[range.clone()], "{place}");

            let method = if is_stored { "stored" } else { "deflate" };
            if !is_stored && start > 0 {
                group.sample_size(10).sampling_mode(SamplingMode::Flat);
            }
            group.bench_function(format!("{method}, {} MiB, {place}", len >> 20), |b| {
                b.iter(|| {
                    let mut reader = archive.carry_out(plan());
                    let mut len = 0;
                    while let Some(chunk) = reader.next_chunk().unwrap() {
                        len += chunk.len();
                    }
                    len
                });
            });
        }
    }
    group.finish();
}

/// The entry as it is known after its archive was verified.
fn verified(archive: &Archive<MappedSource>) -> Found {
    let mut found = archive.find(archives::ENTRY.as_bytes()).unwrap().unwrap();
    archive.verify(|_| {}, |_, standing| found.standing = standing).unwrap();
    assert!(matches!(found.standing, Standing::Good { .. }));
    found
}

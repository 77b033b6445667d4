//! Each limit lets its own value pass and refuses one more, with both numbers and its flag.

use bytes::Bytes;
use entryway::{Archive, Error, Limit, Limits, Refusal, Rule};
use entryway_testkit::builder::{self, Entry, Zip64End};
use entryway_testkit::fixtures::{deflate, text};

use super::allocations::peak_of;
use super::{built, content_of};

/// What an archive of 50 entries takes of each limit.
struct Taken {
    bytes: Bytes,
    directory_size: u64,
    index_len: u64,
}

fn taken(with_aliases: bool) -> Taken {
    let archive = builder::Archive::new().entries((0..50).map(|number| {
        let dot = if with_aliases && number % 2 == 0 { "./" } else { "" };
        Entry::stored(format!("{dot}{number}"), "")
    }));
    let placed = archive.build_placed();
    let bytes = Bytes::from(placed.bytes);
    let index_len = Archive::open(bytes.clone()).unwrap().directory().index_len();
    Taken { bytes, directory_size: placed.directory_len as u64, index_len }
}

/// The refusal of an archive under these limits, if it is refused.
fn refusal(bytes: &Bytes, limits: Limits) -> Option<Refusal> {
    match Archive::open_within(bytes.clone(), limits) {
        Ok(_) => None,
        Err(Error::Archive(refusal)) => Some(refusal),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn an_archive_at_the_limit_is_read_and_one_over_it_refused() {
    for with_aliases in [false, true] {
        let Taken { bytes, directory_size, index_len } = taken(with_aliases);
        type Set = fn(&mut Limits, u64);
        let table: [(Limit, u64, Set); 3] = [
            (Limit::DirectorySize, directory_size, |limits, most| limits.directory_size = most),
            (Limit::Entries, 50, |limits, most| limits.entries = most),
            (Limit::IndexLen, index_len, |limits, most| limits.index_len = most),
        ];
        for (limit, actual, set) in table {
            let within = |most: u64| {
                let mut limits = Limits::default();
                set(&mut limits, most);
                refusal(&bytes, limits)
            };
            assert_eq!(within(actual + 1), None, "{limit:?}");
            assert_eq!(within(actual), None, "{limit:?}");
            let over = within(actual - 1).expect("one over the limit");
            assert_eq!(over.rule, Rule::ArchiveOverLimit);
            assert_eq!(over.limit, Some(limit));
            assert_eq!((over.declared, over.actual), (actual - 1, actual), "{limit:?}");
            let text = over.to_string();
            for part in
                [limit.flag(), limit.counts(), &actual.to_string(), &(actual - 1).to_string()]
            {
                assert!(text.contains(part), "{text:?} without {part:?}");
            }
        }
    }
}

#[test]
fn every_limit_has_a_flag_of_its_own() {
    let flags: std::collections::HashSet<_> = Limit::ALL.iter().map(|limit| limit.flag()).collect();
    assert_eq!(flags.len(), Limit::ALL.len());
    assert!(flags.iter().all(|flag| flag.starts_with("--max-")));
}

#[test]
fn the_defaults_are_the_documented_numbers() {
    let limits = Limits::default();
    assert_eq!(limits.directory_size, 256 << 20);
    assert_eq!(limits.entries, 1_000_000);
    assert_eq!(limits.index_len, 64 << 20);
    assert_eq!((limits.expansion_ratio, limits.expansion_free), (u64::MAX, 64 << 20));
    // What the index cannot address is no limit that can be set.
    let more = Limits { directory_size: u64::MAX, ..limits }.bounded();
    assert_eq!(more.directory_size, Limits::DIRECTORY_SIZE_BOUND);
}

#[test]
fn an_entry_that_expands_to_the_limit_is_read_and_one_over_it_refused() {
    let content = text(5_000, 1);
    let compressed = deflate(6, &content).len() as u64;
    let bytes = built(&builder::Archive::new().entry(Entry::deflated("a", &content)));
    let judged = |limits: Limits| {
        let archive = Archive::open_within(bytes.clone(), limits).unwrap();
        let found = archive.find(b"a").unwrap().unwrap();
        content_of(&archive, &found)
    };
    let within = |expansion_ratio, expansion_free| {
        judged(Limits { expansion_ratio, expansion_free, ..Limits::default() })
    };
    assert!(3 * compressed < 5_000, "{compressed}");
    let free = 5_000 - 3 * compressed;
    assert_eq!(within(3, free + 1).as_deref(), Ok(&content[..]));
    assert_eq!(within(3, free).as_deref(), Ok(&content[..]));
    let over = within(3, free - 1).unwrap_err();
    assert_eq!((over.rule, over.limit), (Rule::EntryOverLimit, Some(Limit::ExpansionRatio)));
    assert_eq!((over.declared, over.actual), (4_999, 5_000));
    let text = over.to_string();
    for part in ["--max-expansion", "4999", "5000", Limit::ExpansionRatio.counts()] {
        assert!(text.contains(part), "{text:?} without {part:?}");
    }
    // The ratio itself, with nothing free.
    let ratio = 5_000u64.div_ceil(compressed);
    assert!(within(ratio, 0).is_ok() && within(ratio + 1, 0).is_ok());
    assert_eq!(within(ratio - 1, 0).unwrap_err().rule, Rule::EntryOverLimit);
    // No product of huge numbers is a small one.
    assert!(within(u64::MAX, u64::MAX).is_ok());
}

#[test]
fn an_honest_bomb_within_the_limits_is_read_and_a_lying_one_refused_unread() {
    let zeros = vec![0; 16 << 20];
    let bomb = Entry::deflated_at(9, "bomb", &zeros);
    let lie = Entry::deflated("lie", "x").edit_central(|header| header.uncompressed_size = !1);
    let archive = Archive::open(built(&builder::Archive::new().entry(bomb).entry(lie))).unwrap();
    let content = |name: &str| {
        let found = archive.find(name.as_bytes()).unwrap().unwrap();
        content_of(&archive, &found)
    };
    assert!(content("bomb").unwrap() == zeros);
    let refusal = content("lie").unwrap_err();
    assert_eq!((refusal.rule, refusal.actual), (Rule::EntryOverLimit, u64::from(u32::MAX - 1)));
}

#[test]
fn nothing_is_allocated_on_the_archives_word() {
    // With every limit off, what the file can hold is the bound.
    let limits = Limits {
        directory_size: u64::MAX,
        entries: u64::MAX,
        index_len: u64::MAX,
        expansion_ratio: u64::MAX,
        expansion_free: u64::MAX,
        decoder_memory: u64::MAX,
    };
    let two = || {
        builder::Archive::new()
            .entry(Entry::stored("a", "hello"))
            .entry(Entry::stored("b", "world"))
    };
    let zip64 = || two().zip64_end(Zip64End::Saturated);
    let counts = |count: u64| {
        zip64().edit_zip64_record(move |record| {
            (record.entries_on_disk, record.entries_total) = (count, count);
        })
    };
    let claim = |size: u32| {
        let entry = Entry::stored("a", "hello")
            .edit_local(move |h| (h.compressed_size, h.uncompressed_size) = (size, size))
            .edit_central(move |h| (h.compressed_size, h.uncompressed_size) = (size, size));
        builder::Archive::new().entry(entry)
    };
    let table = [
        ("2^63 entries", counts(1 << 63)),
        ("2^32 entries", counts(1 << 32)),
        ("2^24 entries", counts(1 << 24)),
        ("directory of 2^64 - 1", zip64().edit_zip64_record(|r| r.directory_size = u64::MAX)),
        ("entry of 2 GiB", claim(1 << 31)),
        ("entry of 4 GiB", claim(u32::MAX)),
    ];
    for (name, archive) in table {
        let bytes = built(&archive);
        let (_, peak) = peak_of(|| {
            let archive = Archive::open_within(bytes.clone(), limits)?;
            super::read_all(&archive);
            Ok::<(), Error>(())
        });
        assert!(peak < 100_000, "{name}: {peak} bytes");
    }
}

#[test]
fn opening_takes_little_beside_the_directory_itself() {
    let long = |number: usize| format!("{}/{number}", "deep/".repeat(200));
    let backwards = (0..50_000).rev().collect();
    let many = || entryway_testkit::sparse::many_entries(50_000);
    // Bytes of index for each entry, as the crate's documentation has them.
    let shapes: [(&str, u64, builder::Archive); 4] = [
        ("many", 8, many()),
        (
            "not in the order of the files",
            16,
            builder::Archive { directory_order: Some(backwards), ..many() },
        ),
        (
            "aliases",
            24,
            builder::Archive::new().entries((0..20_000).map(|number| {
                Entry::stored(format!("./{number}"), "").unicode_path(&format!("\u{e9}{number}"))
            })),
        ),
        (
            "deep names",
            8,
            builder::Archive::new().entries((0..3_000).map(|n| Entry::stored(long(n), ""))),
        ),
    ];
    for (name, index_len, archive) in shapes {
        let placed = archive.build_placed();
        let bytes = Bytes::from(placed.bytes);
        let (opened, peak) = peak_of(|| Archive::open(bytes).unwrap());
        let directory = placed.directory_len as u64;
        assert!(peak <= 4 * directory + (1 << 20), "{name}: {peak} bytes for {directory}");
        let entries = opened.directory().len() as u64;
        assert_eq!(opened.directory().index_len(), entries * index_len, "{name}");
    }
}

/// The most address space that this process has had, in bytes.
fn address_space_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_stream_that_asks_for_gigabytes_is_refused_before_any_is_allocated() {
    const GIB: u64 = 1 << 30;
    let xz = {
        // Magic, flags of the stream without integrity check; one block of LZMA2, property 39.
        let stream = [0xfd, b'7', b'z', b'X', b'Z', 0, 0, 0];
        let block = [2, 0, 0x21, 1, 39, 0, 0, 0];
        let crc = |bytes: &[u8]| crc32fast::hash(bytes).to_le_bytes();
        [&stream[..], &crc(&stream[6..]), &block, &crc(&block), &[0; 20]].concat()
    };
    // (name, method, stream, what it asks for at least)
    let table: [(&str, u16, Vec<u8>, u64); 5] = [
        ("LZMA", 14, [&[9, 4, 5, 0, 0x5d, 0, 0, 0, 0xc0][..], &[0; 20]].concat(), 3 * GIB),
        ("XZ", 95, xz, 3 * GIB),
        ("zstd, a window", 93, vec![0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3 | 4, 1, 0, 0], 3 * GIB),
        (
            "zstd, a single segment",
            93,
            [&[0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0xc0][..], &[0; 20]].concat(),
            3 * GIB,
        ),
        ("PPMd", 98, [&[0xf5, 0x1f][..], &[0; 20]].concat(), 1 << 28),
    ];
    for (name, method, stream, asked) in table {
        let entry = Entry::raw("a", method, stream, 0, 1_000);
        let archive = Archive::open(built(&builder::Archive::new().entry(entry))).unwrap();
        let found = archive.find(b"a").unwrap().unwrap();
        let before = address_space_peak();
        let (outcome, heap) = peak_of(|| content_of(&archive, &found));
        let grown = address_space_peak() - before;
        let refusal = outcome.unwrap_err();
        assert_eq!(refusal.rule, Rule::EntryOverLimit, "{name}: {refusal}");
        assert_eq!(refusal.limit, Some(Limit::DecoderMemory), "{name}");
        assert_eq!(refusal.declared, 64 << 20, "{name}");
        assert!(refusal.actual >= asked && refusal.actual < asked + (1 << 20), "{name}: {refusal}");
        // C's allocations are not on the counted heap. Other tests run meanwhile.
        assert!(heap < 512 * 1024, "{name}: {heap} bytes");
        assert!(grown < 2 * GIB, "{name}: {grown} bytes of address space");
    }
}

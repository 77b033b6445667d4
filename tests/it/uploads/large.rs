//! Large archives: the memory that an upload and its verification take does not depend on them.

use entryway_testkit::fixtures::noise;
use entryway_testkit::record::{CentralDirectoryHeader, EndOfCentralDirectory, LocalFileHeader};
use entryway_testkit::sparse::many_entries;
use sha2::{Digest, Sha256};

use super::sending::{FRAMINGS, Form};
use super::{Job, Site, archive_of, wait_until};

/// KiB of resident memory that the server may have had at its peak.
const PEAK_MEMORY: u64 = 150 * 1024;

#[track_caller]
pub(super) fn assert_peak_memory(what: &str, site: &Site) {
    let peak = site.server.process.peak_memory();
    eprintln!("{what}: {} MiB at the peak", peak >> 10);
    assert!(peak < PEAK_MEMORY, "{what}: {peak} KiB at the peak");
}

/// Whether a job's archive was verified: only then is an entry called immutable.
pub(super) fn is_verified(site: &Site, job: &Job, entry: &str) -> bool {
    let target = format!("{}/{entry}", archive_of(job));
    let reply = super::exchange(site.server.address, "HEAD", &target, &[], b"");
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.header("cache-control").is_some_and(|control| control.contains("immutable"))
}

/// An archive of one stored entry that repeats a block of noise, made while it is sent.
struct Repeated {
    head: Vec<u8>,
    block: Vec<u8>,
    count: u64,
    tail: Vec<u8>,
}

impl Repeated {
    const NAME: &'static str = "repeated.bin";
    const BLOCK_LEN: usize = 1 << 20;

    fn new(count: u64) -> Self {
        let block = noise(Self::BLOCK_LEN, count);
        let len = u32::try_from(count << 20).expect("an archive without zip64");
        let mut one = crc32fast::Hasher::new();
        one.update(&block);
        let mut all = crc32fast::Hasher::new();
        (0..count).for_each(|_| all.combine(&one));
        let crc32 = all.finalize();
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        let name = Self::NAME.as_bytes().to_vec();
        LocalFileHeader {
            crc32,
            compressed_size: len,
            uncompressed_size: len,
            name: name.clone(),
            ..LocalFileHeader::default()
        }
        .write(&mut head);
        let header = CentralDirectoryHeader {
            crc32,
            compressed_size: len,
            uncompressed_size: len,
            name,
            ..CentralDirectoryHeader::default()
        };
        header.write(&mut tail);
        EndOfCentralDirectory {
            entries_on_disk: 1,
            entries_total: 1,
            directory_size: tail.len() as u32,
            directory_offset: head.len() as u32 + len,
            ..EndOfCentralDirectory::default()
        }
        .write(&mut tail);
        Self { head, block, count, tail }
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let blocks = (0..self.count).map(|_| self.block.as_slice());
        [self.head.as_slice()].into_iter().chain(blocks).chain([self.tail.as_slice()])
    }

    fn len(&self) -> u64 {
        self.pieces().map(|piece| piece.len() as u64).sum()
    }

    fn sha256(&self) -> String {
        let mut digest = Sha256::new();
        self.pieces().for_each(|piece| digest.update(piece));
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// 2 GiB. Without optimisation that would take minutes: ENTRYWAY_LARGE_MIB is another size for
/// whoever tries it.
fn large_mib() -> u64 {
    let named = std::env::var("ENTRYWAY_LARGE_MIB").ok();
    named.map_or(2_048, |size| size.parse().expect("ENTRYWAY_LARGE_MIB is a number"))
}

#[test]
fn an_archive_of_two_gibibytes_takes_little_memory() {
    let large = Repeated::new(large_mib());
    let sha256 = large.sha256();
    let (form_head, form_tail) = (Form::head(&[]), Form::tail());
    let form = Form {
        bytes: Vec::new(),
        len: form_head.len() as u64 + large.len() + form_tail.len() as u64,
    };
    for framing in FRAMINGS {
        // A server for each, since a peak stays one.
        let site = Site::start(&[]);
        let job = site.job();
        let mut sending = site.begin(framing, &job, &form);
        let pieces = [form_head.as_slice()].into_iter().chain(large.pieces());
        for piece in pieces.chain([form_tail.as_slice()]) {
            assert!(sending.send(piece), "{framing:?}: the server reads on");
        }
        sending.finish().is_created(&format!("{framing:?}"));
        assert_peak_memory(&format!("{framing:?}, received"), &site);
        wait_until("verified", || is_verified(&site, &job, Repeated::NAME));
        assert_peak_memory(&format!("{framing:?}, verified"), &site);

        let fields = [("Range", "bytes=-22")];
        let reply = super::exchange(site.server.address, "GET", &archive_of(&job), &fields, b"");
        assert_eq!(reply.header("etag"), Some(format!("\"{sha256}\"").as_str()), "{framing:?}");
        assert!(large.tail.ends_with(&reply.body), "{framing:?}");
        let target = format!("{}/{}", archive_of(&job), Repeated::NAME);
        let middle = (large.count / 2) * Repeated::BLOCK_LEN as u64 + 1_000;
        let range = format!("bytes={middle}-{}", middle + 99);
        let reply = super::exchange(site.server.address, "GET", &target, &[("Range", &range)], b"");
        assert_eq!(reply.status, 206, "{framing:?}");
        assert!(reply.body == large.block[1_000..1_100], "{framing:?}: other bytes");
        assert_eq!(Vec::from_iter(super::blobs(&site.data)), std::slice::from_ref(&sha256));
    }
}

#[test]
fn an_archive_of_a_hundred_thousand_entries_takes_little_memory() {
    const COUNT: usize = 100_000;
    let bytes = many_entries(COUNT).build();
    for framing in FRAMINGS {
        let site = Site::start(&[]);
        let job = site.job();
        site.upload(framing, &job, &bytes).is_created(&format!("{framing:?}"));
        let entry = |number: usize| format!("{}/{number}", archive_of(&job));
        let before = site.get(&entry(COUNT - 1));
        assert_eq!(before.body, (COUNT - 1).to_string().as_bytes(), "{framing:?}");
        wait_until("verified", || is_verified(&site, &job, "0"));
        for number in [0, 1, COUNT / 2, COUNT - 1] {
            assert_eq!(site.get(&entry(number)).body, number.to_string().as_bytes());
        }
        assert_eq!(site.get(&entry(COUNT)).status, 404);
        assert_peak_memory(&format!("{framing:?}: {COUNT} entries"), &site);
    }
}

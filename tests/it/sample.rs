//! A small archive with one entry of each kind that HTTP treats differently.

use entryway_testkit::builder::{Archive, Built, Entry};
use entryway_testkit::fixtures::{noise, text};

use crate::harness::sha256;

/// Entries of at most this many bytes are held and checked whole before the head of an answer.
const HELD_WHOLE: usize = 64 * 1024;

/// Beyond [`HELD_WHOLE`] by several chunks of whatever size a body is sent in.
pub(crate) const LARGE: usize = 300_000;
pub(crate) const SMALL: usize = 4_096;

const _: () = assert!(SMALL <= HELD_WHOLE && LARGE > HELD_WHOLE);

pub(crate) const SMALL_DEFLATED: &str = "small.txt";
pub(crate) const LARGE_DEFLATED: &str = "dist/large.txt";
pub(crate) const SMALL_STORED: &str = "small.bin";
pub(crate) const LARGE_STORED: &str = "dist/large.bin";
pub(crate) const EMPTY: &str = "empty.txt";

/// The four entries that differ in how their bytes get to a socket.
pub(crate) const KINDS: [&str; 4] = [SMALL_DEFLATED, LARGE_DEFLATED, SMALL_STORED, LARGE_STORED];

/// An archive, and what is truly in it.
pub(crate) struct Sample {
    pub(crate) built: Built,
    contents: Vec<(&'static str, Vec<u8>)>,
}

impl Sample {
    pub(crate) fn new() -> Self {
        Self::of_seed(1)
    }

    /// The same names with other bytes: a later build of the same job.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let deflated = [
            (SMALL_DEFLATED, text(SMALL, seed)),
            (LARGE_DEFLATED, text(LARGE, seed)),
            ("page.html", b"<!doctype html><title>a page</title>\n".repeat(9)),
            ("data.json", br#"{"key": [1, 2, 3]}"#.repeat(9)),
            ("script.js", b"export const answer = 42;\n".repeat(9)),
            ("feed.xml", b"<?xml version=\"1.0\"?><feed/>\n".repeat(9)),
            ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>\n".repeat(9)),
            ("NOTES", text(500, seed)),
            ("core.unknown-extension", noise(500, seed)),
            ("deflated-empty.txt", Vec::new()),
            ("\u{fc}ml\u{e4}ut stra\u{df}e.txt", text(200, seed)),
            ("quote\" percent% semi;.txt", text(201, seed)),
        ];
        let stored = [
            (SMALL_STORED, noise(SMALL, seed)),
            (LARGE_STORED, noise(LARGE, seed)),
            (EMPTY, Vec::new()),
            ("pixel.png", noise(300, seed)),
        ];
        let mut archive = Archive::new().entry(Entry::directory("dist/"));
        for (name, content) in &deflated {
            archive = archive.entry(Entry::deflated(name, content));
        }
        for (name, content) in &stored {
            archive = archive.entry(Entry::stored(name, content));
        }
        let built = archive.build_placed();
        Self { built, contents: deflated.into_iter().chain(stored).collect() }
    }

    /// The position of an entry among [`Built::entries`], where the directory comes first.
    #[track_caller]
    pub(crate) fn position(&self, name: &str) -> usize {
        let position = self.contents.iter().position(|(other, _)| *other == name);
        1 + position.unwrap_or_else(|| panic!("the sample has no {name}"))
    }

    /// Every file's name and content.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.contents.iter().map(|(name, content)| (*name, content.as_slice()))
    }

    /// What an entry holds.
    #[track_caller]
    pub(crate) fn content(&self, name: &str) -> &[u8] {
        &self.contents[self.position(name) - 1].1
    }

    /// An entry's bytes in the archive, as they are compressed there.
    pub(crate) fn data(&self, name: &str) -> &[u8] {
        &self.built.bytes[self.built.entries[self.position(name)].data()]
    }

    /// A deflated entry as `Content-Encoding: gzip`: the compressed bytes as they stand in the
    /// archive, between the fixed head and the trailer of RFC 1952 section 2.3.
    pub(crate) fn gzip(&self, name: &str) -> Vec<u8> {
        let content = self.content(name);
        let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
        out.extend_from_slice(self.data(name));
        out.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
        out.extend_from_slice(&(content.len() as u32).to_le_bytes());
        out
    }

    /// The archive's SHA-256.
    pub(crate) fn digest(&self) -> String {
        sha256(&self.built.bytes)
    }

    /// The entity tag of an entry's identity representation.
    pub(crate) fn entity_tag(&self, name: &str) -> String {
        format!("\"{}\"", sha256(format!("{}:{name}", self.digest()).as_bytes()))
    }

    /// The entity tag of an entry's gzip representation.
    pub(crate) fn gzip_entity_tag(&self, name: &str) -> String {
        let identity = self.entity_tag(name);
        format!("{}-gzip\"", identity.trim_end_matches('"'))
    }
}

//! Content that is the same on every machine and in every run.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// The words [`text`] draws from: short, so that matches are short and frequent as in prose.
const WORDS: [&str; 16] = [
    "the",
    "archive",
    "entry",
    "of",
    "a",
    "central",
    "directory",
    "header",
    "offset",
    "and",
    "size",
    "is",
    "in",
    "reader",
    "stream",
    "byte",
];

/// Makes `len` bytes of English-like lines, which DEFLATE shrinks to about a quarter.
///
/// The same `len` and `seed` always give the same bytes, and a shorter text of the same seed is the
/// beginning of a longer one.
///
/// ```
/// use entryway_testkit::fixtures::text;
///
/// assert_eq!(text(100, 1), text(5_000, 1)[..100]);
/// assert_ne!(text(100, 1), text(100, 2));
/// ```
pub fn text(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Xorshift::new(seed);
    let mut out = Vec::with_capacity(len + 16);
    let mut column = 0;
    while out.len() < len {
        let word = WORDS[(random.next() % 16) as usize];
        out.extend_from_slice(word.as_bytes());
        column += word.len() + 1;
        if column > 72 {
            out.push(b'\n');
            column = 0;
        } else {
            out.push(b' ');
        }
    }
    out.truncate(len);
    out
}

/// Makes `len` bytes that DEFLATE cannot shrink.
///
/// The same `len` and `seed` always give the same bytes, and a shorter noise of the same seed is
/// the beginning of a longer one.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Xorshift::new(seed);
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        out.extend_from_slice(&random.next().to_le_bytes());
    }
    out.truncate(len);
    out
}

/// Compresses `content` as one raw DEFLATE stream (RFC 1951) at `level` 0 (stored) to 9.
pub fn deflate(level: u32, content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    // The sink is a Vec: its `write` has no error, and the encoder adds none of its own.
    encoder.write_all(content).expect("writing to a Vec does not fail");
    encoder.finish().expect("writing to a Vec does not fail")
}

/// The CRC-32 of `content`, as in the headers of its entry (APPNOTE 4.4.7).
pub fn crc32(content: &[u8]) -> u32 {
    crc32fast::hash(content)
}

/// Marsaglia's xorshift64* generator: good enough to be incompressible, and four lines.
struct Xorshift(u64);

impl Xorshift {
    /// Spreads the seed's bits first (splitmix64's step), since a state of few bits starts with
    /// long runs of zeros, and a state of none stays there.
    fn new(seed: u64) -> Self {
        let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((state ^ (state >> 31)) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    #[test]
    fn text_shrinks_and_noise_does_not() {
        let (text, noise) = (text(100_000, 7), noise(100_000, 7));
        assert_eq!((text.len(), noise.len()), (100_000, 100_000));
        assert!(deflate(6, &text).len() < 40_000, "{}", deflate(6, &text).len());
        assert!(deflate(6, &noise).len() > 100_000, "{}", deflate(6, &noise).len());
    }

    #[test]
    fn content_never_changes_between_versions() {
        assert_eq!(text(10_000, 0), text(20_000, 0)[..10_000]);
        assert_eq!(noise(10_000, 0), noise(20_000, 0)[..10_000]);
        // Committed values: a test elsewhere may name an offset in this content.
        assert_eq!(crc32(&text(1_000, 1)), 3_465_240_588);
        assert_eq!(crc32(&noise(1_000, 1)), 3_727_400_555);
    }

    #[test]
    fn deflate_keeps_the_content_at_every_level() {
        let content = text(70_000, 3);
        for level in 0..=9 {
            let compressed = deflate(level, &content);
            let mut decoded = Vec::new();
            DeflateDecoder::new(&compressed[..]).read_to_end(&mut decoded).unwrap();
            assert_eq!(decoded, content, "level {level}");
        }
    }
}

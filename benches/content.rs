//! Content of the kinds that archives of build results are made of.

/// A kind of content; the same kind and length always give the same bytes.
///
/// DEFLATE at level 6 shrinks each of them to about the part of it that is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A listing of files as a page: an eleventh.
    Html,
    /// A table of measurements: a third.
    Tsv,
    /// Machine code with tables and strings in it: a little over a half.
    Binary,
    /// Records of a test report: a tenth.
    Json,
}

const WORDS: [&str; 32] = [
    "archive", "branch", "cache", "decoder", "entry", "frame", "gateway", "header", "index", "job",
    "kernel", "limit", "module", "number", "offset", "parser", "queue", "reader", "stream",
    "table", "update", "vector", "window", "xattr", "yield", "zone", "artifact", "buffer",
    "commit", "digest", "engine", "filter",
];

/// What an instruction may begin with.
const OPCODES: [&[u8]; 12] = [
    &[0x48, 0x89, 0xe5],
    &[0x48, 0x8b, 0x45],
    &[0x0f, 0xb6, 0x04],
    &[0xe8],
    &[0x48, 0x83, 0xec],
    &[0x74],
    &[0x31, 0xc0],
    &[0xc3, 0x0f, 0x1f],
    &[0x4c, 0x8d, 0x05],
    &[0x85, 0xc0],
    &[0xeb],
    &[0x41, 0x57],
];

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Html, Self::Tsv, Self::Binary, Self::Json];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Tsv => "tsv",
            Self::Binary => "binary",
            Self::Json => "json",
        }
    }

    /// Makes `len` bytes.
    #[must_use]
    pub fn make(self, len: usize) -> Vec<u8> {
        let mut draw = Draw(self as u64);
        let mut out = Vec::with_capacity(len + 256);
        while out.len() < len {
            match self {
                Self::Html => html_row(&mut draw, &mut out),
                Self::Tsv => tsv_row(&mut draw, &mut out),
                Self::Binary => instructions(&mut draw, &mut out),
                Self::Json => json_record(&mut draw, &mut out),
            }
        }
        out.truncate(len);
        out
    }
}

fn html_row(draw: &mut Draw, out: &mut Vec<u8>) {
    let (folder, file, lines) = (draw.word(), draw.word(), draw.below(900));
    let covered = draw.below(lines + 1);
    let row = format!(
        "<tr class=\"file\"><td class=\"name\"><a href=\"{folder}/{file}.rs.html\">{folder}/{file}\
         .rs</a></td>\n<td class=\"count\">{covered} / {lines}</td></tr>\n"
    );
    out.extend_from_slice(row.as_bytes());
}

fn tsv_row(draw: &mut Draw, out: &mut Vec<u8>) {
    let row = format!(
        "2026-{:02}-{:02}\t{}\t{}\t{}.{:03}\t{}\n",
        draw.below(12) + 1,
        draw.below(28) + 1,
        draw.word(),
        draw.below(100_000),
        draw.below(100),
        draw.below(1_000),
        if draw.below(5) == 0 { "failed" } else { "passed" }
    );
    out.extend_from_slice(row.as_bytes());
}

fn instructions(draw: &mut Draw, out: &mut Vec<u8>) {
    match draw.below(64) {
        0 => out.extend_from_slice(&[0; 48]),
        1 => {
            out.extend_from_slice(draw.word().as_bytes());
            out.push(0);
        }
        _ => {
            out.extend_from_slice(OPCODES[draw.below(12) as usize]);
            let operand = draw.next().to_le_bytes();
            out.extend_from_slice(match draw.below(4) {
                0 => &operand[..4],
                1 => &operand[..1],
                _ => &[],
            });
        }
    }
}

fn json_record(draw: &mut Draw, out: &mut Vec<u8>) {
    let record = format!(
        "{{\"classname\":\"{}::{}\",\"name\":\"{}_{}\",\"status\":\"passed\",\"duration\":0.{:04},\
         \"attempts\":1,\"output\":null}},\n",
        draw.word(),
        draw.word(),
        draw.word(),
        draw.word(),
        draw.below(10_000)
    );
    out.extend_from_slice(record.as_bytes());
}

/// Numbers that look random and are the same every time: splitmix64.
#[derive(Clone, Debug)]
pub struct Draw(pub u64);

impl Draw {
    /// The next 64 bits.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len() as u64) as usize]
    }

    /// The numbers below `count` in an order of no pattern.
    #[must_use]
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            order.swap(at, self.below(at as u64 + 1) as usize);
        }
        order
    }
}

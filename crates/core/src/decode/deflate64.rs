//! Method 9: Deflate64, "enhanced deflating" (APPNOTE 4.4.5).
//!
//! RFC 1951 with three changes: distances reach 65,536 bytes back (codes 30 and 31, of 14 further
//! bits each), length code 285 stands for 3 and sixteen further bits, and so a match has up to
//! 65,538 bytes.
//!
//! Written here because an entry's data has to end exactly where the stream does, and what cannot
//! be has to be refused: the crate `deflate64`, against which this is tested, takes up to two bytes
//! behind the end of the stream, copies from before the start of the output and decodes codes that
//! are no prefix codes.
//!
//! Every step below takes its bits whole or not at all: one that lacks bits leaves the input as it
//! was, and is done again when more has come. The longest step is a match, of 15 + 16 + 15 + 14
//! bits.

use super::{DecodeError, Piece, Progress};

/// How far back a distance reaches.
const WINDOW_LEN: usize = 1 << 16;
/// The longest code, in bits (RFC 1951 3.2.7).
const CODE_BITS_MAX: usize = 15;
/// Codes of up to this many bits are found by one look into a table of 2 KiB.
const TABLE_BITS: usize = 10;

const LITERALS_MAX: usize = 286;
const DISTANCES_MAX: usize = 32;
const END_OF_BLOCK: u16 = 256;

/// RFC 1951 3.2.5, by length code less 257; the last one is Deflate64's own.
const LENGTH_BASE: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 3,
];
const LENGTH_BITS: [u8; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 16];
/// The order in which the lengths of the code length code come (RFC 1951 3.2.7).
const CODE_LENGTH_ORDER: [usize; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The least distance of a code, and how many bits say how much more it is.
fn distance(code: u16) -> (u32, u32) {
    if code < 4 {
        return (u32::from(code) + 1, 0);
    }
    let bits = u32::from(code) / 2 - 1;
    (((2 + u32::from(code & 1)) << bits) + 1, bits)
}

/// The decoder; window and tables are allocated when data comes.
#[derive(Default)]
pub(crate) struct Deflate64(Option<Box<State>>);

struct State {
    window: [u8; WINDOW_LEN],
    /// Where the next byte goes.
    head: usize,
    /// How far back a distance may reach: as much as was produced, at most the window.
    history: usize,
    /// Bits of the last consumed byte that are still to be used; fewer than eight.
    held: Bits,
    is_final: bool,
    stage: Stage,
    /// Lengths of the codes of a dynamic block, both alphabets one after the other.
    lengths: [u8; LITERALS_MAX + DISTANCES_MAX],
    code_lengths: Code<19>,
    literals: Code<288>,
    distances: Code<DISTANCES_MAX>,
}

#[derive(Clone, Copy)]
enum Stage {
    BlockHeader,
    StoredLength,
    Stored { left: usize },
    Counts,
    CodeLengthLengths { counts: Counts, at: usize },
    CodeLengths { counts: Counts, at: usize },
    Symbols,
    Match { length: usize, distance: usize },
    Done,
}

/// How many code lengths a dynamic block states for each alphabet.
#[derive(Clone, Copy)]
struct Counts {
    literals: usize,
    distances: usize,
    code_lengths: usize,
}

/// Bits taken out of the input and not used yet, the next one lowest.
#[derive(Clone, Copy, Default)]
struct Bits {
    bits: u64,
    count: u32,
}

/// Bits out of a piece of input. A copy of it is a place to return to.
#[derive(Clone, Copy)]
struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    held: Bits,
}

impl Reader<'_> {
    /// Takes whole bytes until at least 57 bits are held, or all of the input.
    fn refill(&mut self) {
        while self.held.count <= 56
            && let Some(&byte) = self.input.get(self.at)
        {
            self.held.bits |= u64::from(byte) << self.held.count;
            self.held.count += 8;
            self.at += 1;
        }
    }

    /// The next `count` bits, at most 16.
    fn take(&mut self, count: u32) -> Option<u32> {
        if self.held.count < count {
            self.refill();
            if self.held.count < count {
                return None;
            }
        }
        let value = self.held.bits as u32 & ((1 << count) - 1);
        self.skip(count);
        Some(value)
    }

    fn skip(&mut self, count: u32) {
        self.held.bits >>= count;
        self.held.count -= count;
    }

    /// Gives whole bytes back. Fewer than eight bits were held before the input was touched, so
    /// that each of them is from this input.
    fn give_back(&mut self) {
        let bytes = self.held.count / 8;
        self.at -= bytes as usize;
        self.held.count %= 8;
        self.held.bits &= (1 << self.held.count) - 1;
    }
}

/// A prefix code of up to `N` symbols (RFC 1951 3.2.2).
struct Code<const N: usize> {
    /// By the next [`TABLE_BITS`] bits: symbol * 16 + bits; 0 where the code is longer or none.
    table: [u16; 1 << TABLE_BITS],
    /// How many codes there are of each length.
    counts: [u16; CODE_BITS_MAX + 1],
    /// The symbols in the order of their codes.
    symbols: [u16; N],
}

impl<const N: usize> Code<N> {
    const EMPTY: Self =
        Self { table: [0; 1 << TABLE_BITS], counts: [0; CODE_BITS_MAX + 1], symbols: [0; N] };

    /// Makes the code whose lengths these are; false where they make none.
    ///
    /// As zlib does, takes a code that leaves bit strings unused only where it has one symbol of
    /// one bit, or none: a block without matches has such a distance code (RFC 1951 3.2.7).
    fn set(&mut self, lengths: &[u8]) -> bool {
        self.counts = [0; CODE_BITS_MAX + 1];
        for &length in lengths {
            self.counts[usize::from(length)] += 1;
        }
        self.counts[0] = 0;
        let mut offsets = [0u16; CODE_BITS_MAX + 2];
        let mut codes = [0u32; CODE_BITS_MAX + 2];
        let mut left = 1i32;
        for length in 1..=CODE_BITS_MAX {
            let count = self.counts[length];
            left = 2 * left - i32::from(count);
            if left < 0 {
                return false;
            }
            offsets[length + 1] = offsets[length] + count;
            codes[length + 1] = (codes[length] + u32::from(count)) << 1;
        }
        let used = offsets[CODE_BITS_MAX + 1];
        if left > 0 && used > self.counts[1].min(1) {
            return false;
        }
        self.table.fill(0);
        for (symbol, &length) in (0u16..).zip(lengths) {
            let bits = usize::from(length);
            if bits == 0 {
                continue;
            }
            self.symbols[usize::from(offsets[bits])] = symbol;
            offsets[bits] += 1;
            let code = codes[bits];
            codes[bits] += 1;
            if bits <= TABLE_BITS {
                // Codes come highest bit first, the input lowest bit first.
                let first = (code.reverse_bits() >> (32 - bits)) as usize;
                for entry in self.table[first..].iter_mut().step_by(1 << bits) {
                    *entry = symbol << 4 | u16::from(length);
                }
            }
        }
        true
    }

    /// The next symbol; `None` where the input does not hold all of its bits.
    fn next(&self, reader: &mut Reader<'_>) -> Result<Option<u16>, Malformed> {
        if reader.held.count < CODE_BITS_MAX as u32 {
            reader.refill();
        }
        let bits = reader.held.bits;
        let entry = self.table[bits as usize & ((1 << TABLE_BITS) - 1)];
        if entry != 0 {
            let length = u32::from(entry & 15);
            if length > reader.held.count {
                return Ok(None);
            }
            reader.skip(length);
            return Ok(Some(entry >> 4));
        }
        // Bit by bit: codes of one length are consecutive, and those of the next follow.
        let (mut code, mut first, mut index) = (0, 0, 0);
        for length in 1..=CODE_BITS_MAX {
            if length as u32 > reader.held.count {
                return Ok(None);
            }
            code |= (bits >> (length - 1)) as u32 & 1;
            let count = u32::from(self.counts[length]);
            if code - first < count {
                reader.skip(length as u32);
                return Ok(Some(self.symbols[(index + code - first) as usize]));
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(Malformed)
    }
}

/// Room for the output of one call.
struct Room<'a> {
    output: &'a mut [u8],
    produced: usize,
}

impl Room<'_> {
    fn left(&self) -> usize {
        self.output.len() - self.produced
    }
}

impl Deflate64 {
    pub(super) fn decode(
        &mut self,
        input: Piece<'_>,
        output: &mut [u8],
    ) -> Result<Progress, DecodeError> {
        let state = match &mut self.0 {
            Some(state) => state,
            None if input.bytes.is_empty() => return Ok(Progress::default()),
            none => none.insert(State::new()),
        };
        let mut reader = Reader { input: input.bytes, at: 0, held: state.held };
        let mut room = Room { output, produced: 0 };
        loop {
            let before = reader;
            let step = state.step(&mut reader, &mut room);
            match step.map_err(|Malformed| DecodeError::Malformed { produced: room.produced })? {
                Step::Done => {}
                Step::NeedsInput | Step::NeedsRoom | Step::Finished => {
                    reader = before;
                    break;
                }
            }
        }
        reader.give_back();
        state.held = reader.held;
        Ok(Progress {
            consumed: reader.at,
            produced: room.produced,
            finished: matches!(state.stage, Stage::Done),
        })
    }
}

/// The stream breaks its format.
struct Malformed;

/// What one step came to.
enum Step {
    Done,
    NeedsInput,
    NeedsRoom,
    Finished,
}

macro_rules! whole {
    ($bits:expr) => {
        match $bits {
            Some(value) => value,
            None => return Ok(Step::NeedsInput),
        }
    };
}

impl State {
    fn new() -> Box<Self> {
        Box::new(Self {
            window: [0; WINDOW_LEN],
            head: 0,
            history: 0,
            held: Bits::default(),
            is_final: false,
            stage: Stage::BlockHeader,
            lengths: [0; LITERALS_MAX + DISTANCES_MAX],
            code_lengths: Code::EMPTY,
            literals: Code::EMPTY,
            distances: Code::EMPTY,
        })
    }

    /// RFC 1951 3.2.3, one stage of it.
    fn step(&mut self, reader: &mut Reader<'_>, room: &mut Room<'_>) -> Result<Step, Malformed> {
        self.stage = match self.stage {
            Stage::BlockHeader if self.is_final => Stage::Done,
            Stage::BlockHeader => {
                let header = whole!(reader.take(3));
                self.is_final = header & 1 == 1;
                match header >> 1 {
                    0 => Stage::StoredLength,
                    1 => {
                        self.set_fixed_codes();
                        Stage::Symbols
                    }
                    2 => Stage::Counts,
                    _ => return Err(Malformed),
                }
            }
            Stage::StoredLength => {
                reader.skip(reader.held.count % 8);
                let (length, complement) = (whole!(reader.take(16)), whole!(reader.take(16)));
                if length != complement ^ 0xffff {
                    return Err(Malformed);
                }
                reader.give_back();
                Stage::Stored { left: length as usize }
            }
            Stage::Stored { left: 0 } => Stage::BlockHeader,
            Stage::Stored { left } => {
                let input = &reader.input[reader.at..];
                let len = left.min(input.len()).min(room.left());
                if len == 0 {
                    return Ok(if room.left() == 0 { Step::NeedsRoom } else { Step::NeedsInput });
                }
                for &byte in &input[..len] {
                    self.put(byte, room);
                }
                reader.at += len;
                Stage::Stored { left: left - len }
            }
            Stage::Counts => {
                let literals = whole!(reader.take(5)) as usize + 257;
                let distances = whole!(reader.take(5)) as usize + 1;
                let code_lengths = whole!(reader.take(4)) as usize + 4;
                if literals > LITERALS_MAX {
                    return Err(Malformed);
                }
                self.lengths[..CODE_LENGTH_ORDER.len()].fill(0);
                let counts = Counts { literals, distances, code_lengths };
                Stage::CodeLengthLengths { counts, at: 0 }
            }
            Stage::CodeLengthLengths { counts, at } if at < counts.code_lengths => {
                self.lengths[CODE_LENGTH_ORDER[at]] = whole!(reader.take(3)) as u8;
                Stage::CodeLengthLengths { counts, at: at + 1 }
            }
            Stage::CodeLengthLengths { counts, .. } => {
                if !self.code_lengths.set(&self.lengths[..CODE_LENGTH_ORDER.len()]) {
                    return Err(Malformed);
                }
                Stage::CodeLengths { counts, at: 0 }
            }
            Stage::CodeLengths { counts, at } if at < counts.literals + counts.distances => {
                let symbol = whole!(self.code_lengths.next(reader)?);
                let (length, times) = match symbol {
                    0..16 => (symbol as u8, 1),
                    16 if at == 0 => return Err(Malformed),
                    16 => (self.lengths[at - 1], whole!(reader.take(2)) as usize + 3),
                    17 => (0, whole!(reader.take(3)) as usize + 3),
                    _ => (0, whole!(reader.take(7)) as usize + 11),
                };
                if at + times > counts.literals + counts.distances {
                    return Err(Malformed);
                }
                self.lengths[at..at + times].fill(length);
                Stage::CodeLengths { counts, at: at + times }
            }
            Stage::CodeLengths { counts, .. } => {
                let (literals, rest) = self.lengths.split_at(counts.literals);
                // A block that cannot end has no end-of-block code.
                if literals[usize::from(END_OF_BLOCK)] == 0
                    || !self.literals.set(literals)
                    || !self.distances.set(&rest[..counts.distances])
                {
                    return Err(Malformed);
                }
                Stage::Symbols
            }
            Stage::Symbols => return self.symbol(reader, room),
            Stage::Match { length: 0, .. } => Stage::Symbols,
            Stage::Match { length, distance } => {
                let len = self.copy(length, distance, room);
                if len == 0 {
                    return Ok(Step::NeedsRoom);
                }
                Stage::Match { length: length - len, distance }
            }
            Stage::Done => return Ok(Step::Finished),
        };
        Ok(Step::Done)
    }

    /// One symbol: a literal, the end of the block, or a match with all its bits.
    fn symbol(&mut self, reader: &mut Reader<'_>, room: &mut Room<'_>) -> Result<Step, Malformed> {
        let symbol = match self.literals.next(reader)? {
            Some(0..END_OF_BLOCK) if room.left() == 0 => return Ok(Step::NeedsRoom),
            Some(literal @ 0..END_OF_BLOCK) => {
                self.put(literal as u8, room);
                return Ok(Step::Done);
            }
            Some(END_OF_BLOCK) => {
                self.stage = Stage::BlockHeader;
                return Ok(Step::Done);
            }
            Some(symbol) => usize::from(symbol - END_OF_BLOCK - 1),
            None => return Ok(Step::NeedsInput),
        };
        let &base = LENGTH_BASE.get(symbol).ok_or(Malformed)?;
        let length = usize::from(base) + whole!(reader.take(LENGTH_BITS[symbol].into())) as usize;
        let (least, bits) = distance(whole!(self.distances.next(reader)?));
        let distance = (least + whole!(reader.take(bits))) as usize;
        if distance > self.history {
            return Err(Malformed);
        }
        self.stage = Stage::Match { length, distance };
        Ok(Step::Done)
    }

    /// RFC 1951 3.2.6. All 32 distance codes have a meaning here, unlike there.
    fn set_fixed_codes(&mut self) {
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        let are_codes = self.literals.set(&lengths) && self.distances.set(&[5; DISTANCES_MAX]);
        debug_assert!(are_codes);
    }

    fn put(&mut self, byte: u8, room: &mut Room<'_>) {
        self.window[self.head] = byte;
        self.head = (self.head + 1) % WINDOW_LEN;
        self.history = (self.history + 1).min(WINDOW_LEN);
        room.output[room.produced] = byte;
        room.produced += 1;
    }

    /// Copies the next bytes of a match, as many as one piece of the window and the room hold.
    fn copy(&mut self, length: usize, distance: usize, room: &mut Room<'_>) -> usize {
        let from = (self.head + WINDOW_LEN - distance) % WINDOW_LEN;
        let straight = WINDOW_LEN - self.head.max(from);
        let len = length.min(room.left()).min(straight);
        // Source and target of a run overlap; one byte repeated is the run that there are many of.
        let len = if distance == 1 {
            let byte = self.window[from];
            self.window[self.head..self.head + len].fill(byte);
            len
        } else {
            let len = len.min(distance);
            self.window.copy_within(from..from + len, self.head);
            len
        };
        room.output[room.produced..room.produced + len]
            .copy_from_slice(&self.window[self.head..self.head + len]);
        room.produced += len;
        self.head = (self.head + len) % WINDOW_LEN;
        self.history = (self.history + len).min(WINDOW_LEN);
        len
    }
}

#[cfg(test)]
pub(super) mod tests {
    use deflate64::InflaterManaged;
    use proptest::prelude::*;

    use super::super::tests::{
        Sample, bytes, check, check_flipped, check_malformed, content_by_7zip, decode, noise, text,
    };
    use super::*;
    use crate::method::CompressionMethod;

    /// `METHOD` Deflate64.
    const BY_7ZIP: &str = "\
        e5d13b6e03310c04d03ea7d82370f8e78112204010b73ebe7749ba7769c0aa84074ae4487fbfffdf071d\
        b79f83be7a8f6bcf6eaa62e118e40b41902265f641b950dc53a42a6350fb387124a51a0f5a5766707861\
        0bbd8d1401f6c8c1e83e4a40022a8379a19299c3cffe83d57d144669e2b5b37790083593145d447752ce\
        cab2b2d58914794e99e4cff03203449d2fc0cfd2c994c4e2cce9abd6a570a45018567da2c2d9ddc0abd1\
        37202c442b62b583991893a86ee9c7ffc79bfdc7fde3d7ebeb01";

    /// Writes bits, the next one lowest, and codes, highest bit first.
    #[derive(Default)]
    struct Writer {
        bytes: Vec<u8>,
        count: usize,
    }

    impl Writer {
        fn bits(&mut self, value: u32, count: u32) {
            for bit in 0..count {
                if self.count.is_multiple_of(8) {
                    self.bytes.push(0);
                }
                *self.bytes.last_mut().unwrap() |= ((value >> bit & 1) as u8) << (self.count % 8);
                self.count += 1;
            }
        }

        fn code(&mut self, code: u32, count: u32) {
            self.bits(code.reverse_bits() >> (32 - count), count);
        }

        /// A symbol of the fixed literal and length code (RFC 1951 3.2.6).
        fn symbol(&mut self, symbol: u32) {
            match symbol {
                0..144 => self.code(0x30 + symbol, 8),
                144..256 => self.code(0x190 + symbol - 144, 9),
                256..280 => self.code(symbol - 256, 7),
                _ => self.code(0xc0 + symbol - 280, 8),
            }
        }

        fn stored(&mut self, is_final: bool, content: &[u8]) {
            self.bits(is_final.into(), 3);
            self.count = self.bytes.len() * 8;
            self.bits(content.len() as u32, 16);
            self.bits(!content.len() as u32, 16);
            for &byte in content {
                self.bits(byte.into(), 8);
            }
        }

        fn match_of(&mut self, length: usize, distance: usize) {
            if length <= 10 {
                self.symbol(254 + length as u32);
            } else {
                self.symbol(285);
                self.bits(length as u32 - 3, 16);
            }
            let code = (0..32).rev().find(|&code| super::distance(code).0 <= distance as u32);
            let code = code.unwrap();
            let (least, bits) = super::distance(code);
            self.code(code.into(), 5);
            self.bits(distance as u32 - least, bits);
        }
    }

    /// What a stream is written from.
    #[derive(Clone, Debug)]
    enum Token {
        Literals(Vec<u8>),
        Stored(Vec<u8>),
        /// Length, and distance as a fraction of what there is.
        Match(usize, u16),
    }

    /// A stream of blocks with the fixed codes and stored ones, and its content.
    fn written(tokens: &[Token]) -> (Vec<u8>, Vec<u8>) {
        let (mut writer, mut content) = (Writer::default(), Vec::new());
        writer.bits(0b010, 3);
        for token in tokens {
            match token {
                Token::Literals(literals) => {
                    literals.iter().for_each(|&byte| writer.symbol(byte.into()));
                    content.extend(literals);
                }
                Token::Stored(stored) => {
                    writer.symbol(256);
                    writer.stored(false, stored);
                    writer.bits(0b010, 3);
                    content.extend(stored);
                }
                &Token::Match(length, fraction) => {
                    let farthest = content.len().min(65_536);
                    if farthest == 0 {
                        continue;
                    }
                    let distance = 1 + usize::from(fraction) * (farthest - 1) / 65_535;
                    writer.match_of(length, distance);
                    for _ in 0..length {
                        content.push(content[content.len() - distance]);
                    }
                }
            }
        }
        writer.symbol(256);
        writer.stored(true, b"the end");
        content.extend(b"the end");
        (writer.bytes, content)
    }

    fn sample(name: &'static str, tokens: &[Token]) -> Sample {
        let (stream, content) = written(tokens);
        Sample::new(name, CompressionMethod::DEFLATE64, stream, content)
    }

    fn by_7zip() -> Sample {
        Sample::new("7-Zip", CompressionMethod::DEFLATE64, bytes(BY_7ZIP), content_by_7zip())
    }

    pub(in crate::decode) fn samples() -> Vec<Sample> {
        vec![by_7zip()]
    }

    #[test]
    fn streams_are_decoded_however_they_are_cut() {
        let samples = [
            by_7zip(),
            sample("nothing but the end", &[]),
            sample("literals", &[Token::Literals(noise(300))]),
            sample("stored", &[Token::Stored(text(400)), Token::Stored(vec![])]),
            sample("a run", &[Token::Literals(vec![7]), Token::Match(65_538, 0)]),
            sample(
                "the farthest distance and the longest match",
                &[
                    Token::Stored(noise(65_535)),
                    Token::Literals(vec![1, 2]),
                    Token::Match(65_538, u16::MAX),
                    Token::Match(3, u16::MAX),
                    Token::Match(300, 20),
                ],
            ),
        ];
        for sample in samples {
            check(&sample);
            check_flipped(&sample);
        }
    }

    #[test]
    fn every_distance_code_means_what_the_format_says() {
        let table = [
            (0, 1, 0),
            (3, 4, 0),
            (4, 5, 1),
            (5, 7, 1),
            (29, 24_577, 13),
            (30, 32_769, 14),
            (31, 49_153, 14),
        ];
        for (code, least, bits) in table {
            assert_eq!(distance(code), (least, bits), "{code}");
        }
        for code in 1..32 {
            let (before, bits) = distance(code - 1);
            assert_eq!(distance(code).0, before + (1 << bits), "{code}");
        }
    }

    #[test]
    fn malformed_streams_are_refused() {
        let with = |write: &dyn Fn(&mut Writer)| {
            let mut writer = Writer::default();
            write(&mut writer);
            writer.bytes.extend([0; 8]);
            writer.bytes
        };
        // A dynamic block up to the lengths of its code length code.
        let dynamic = |writer: &mut Writer, literals: u32, lengths: &[u32]| {
            writer.bits(0b101, 3);
            writer.bits(literals - 257, 5);
            writer.bits(0, 5);
            writer.bits(lengths.len() as u32 - 4, 4);
            lengths.iter().for_each(|&length| writer.bits(length, 3));
        };
        let table: [(&str, Vec<u8>); 9] = [
            ("reserved block type", with(&|writer| writer.bits(0b111, 3))),
            (
                "stored length contradicts its complement",
                with(&|writer| {
                    writer.bits(1, 8);
                    writer.bits(5, 32);
                }),
            ),
            (
                "distance before the start",
                with(&|writer| {
                    writer.bits(0b011, 3);
                    writer.symbol(b'a'.into());
                    writer.match_of(3, 2);
                }),
            ),
            (
                "length symbol 286",
                with(&|writer| {
                    writer.bits(0b011, 3);
                    writer.symbol(286);
                }),
            ),
            ("287 literals and lengths", with(&|writer| dynamic(writer, 287, &[1, 1, 0, 0]))),
            ("more codes than there are", with(&|writer| dynamic(writer, 257, &[1, 1, 1, 1]))),
            ("fewer codes than there are", with(&|writer| dynamic(writer, 257, &[2, 2, 2, 0]))),
            (
                "a repetition of nothing",
                with(&|writer| {
                    dynamic(writer, 257, &[1, 1, 0, 0]);
                    writer.bits(0, 8);
                }),
            ),
            (
                "no end of block",
                with(&|writer| {
                    // Codes 0 for "eleven and more zeros" (18) and 1 for length 0.
                    dynamic(writer, 257, &[0, 0, 1, 1]);
                    for more in [127, 109] {
                        writer.bits(1, 1);
                        writer.bits(more, 7);
                    }
                }),
            ),
        ];
        for (name, stream) in table {
            let sample = Sample::new(name, CompressionMethod::DEFLATE64, stream, vec![0; 100]);
            for piece in [1, 1_000] {
                check_malformed(&sample, piece, 200);
            }
        }
    }

    /// What the crate deflate64 makes of a stream.
    fn by_oracle(stream: &[u8]) -> Option<Vec<u8>> {
        let mut inflater = Box::new(InflaterManaged::new());
        let (mut content, mut at, mut output) = (Vec::new(), 0, vec![0; 70_000]);
        loop {
            let result = inflater.inflate(&stream[at..], &mut output);
            at += result.bytes_consumed;
            content.extend_from_slice(&output[..result.bytes_written]);
            if result.data_error || inflater.errored() {
                return None;
            }
            if inflater.finished() {
                return Some(content);
            }
            if result.bytes_consumed == 0 && result.bytes_written == 0 {
                return None;
            }
        }
    }

    fn any_token() -> impl Strategy<Value = Token> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Token::Literals),
            proptest::collection::vec(any::<u8>(), 0..3_000).prop_map(Token::Stored),
            (3usize..65_539, any::<u16>()).prop_map(|(length, at)| Token::Match(length, at)),
            (3usize..300, 0u16..3).prop_map(|(length, at)| Token::Match(length, at)),
        ]
    }

    proptest! {
        #[test]
        fn decodes_what_was_written(
            tokens in proptest::collection::vec(any_token(), 0..12),
            piece in 1usize..500, room in 1usize..5_000,
        ) {
            let sample = sample("any", &tokens);
            prop_assert!(by_oracle(&sample.stream).as_ref() == Some(&sample.content));
            let whole = Ok((sample.content.clone(), sample.stream.len()));
            prop_assert!(decode(&sample, &sample.stream, piece, room) == whole);
        }

        #[test]
        fn what_is_decoded_of_any_bytes_is_what_the_oracle_decodes(
            start in 0usize..190, flips in proptest::collection::vec((0usize..190, 0u8..8), 0..4),
            piece in 1usize..50,
        ) {
            let mut stream = by_7zip().stream;
            for (at, bit) in flips {
                stream[at] ^= 1 << bit;
            }
            let stream = stream.split_off(start);
            let sample = Sample::new("any", CompressionMethod::DEFLATE64, stream, vec![0; 300_000]);
            if let Ok((content, at)) = decode(&sample, &sample.stream, piece, 1_000) {
                prop_assert!(by_oracle(&sample.stream[..at]) == Some(content));
            }
        }
    }
}

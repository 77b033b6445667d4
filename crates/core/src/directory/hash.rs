//! A keyed hash of names, so that nobody can make names that collide.
//!
//! Two steps. First each block of up to 128 bytes becomes one sum modulo 2^128 (NH, as in UMAC, RFC
//! 4418 5.2, over words of 64 bits): its words are taken in pairs, a secret number is added to each
//! word modulo 2^64, and the two are multiplied. Two different blocks that are cut alike have sums
//! that differ by a given amount for at most one in 2^64 of the secrets.
//!
//! Then the sums' halves, block after block, and at last the name's length are the coefficients of a
//! polynomial over the field of integers modulo p = 2^61 - 1, evaluated at a secret point k. Names of
//! different lengths are different polynomials. Of names of one length, which are cut alike, some
//! block differs; its sums are equal modulo p in both halves only where they differ by one of less
//! than 2^9 amounts (17 multiples of p for each half), so with a chance below 2^-55. Two different
//! polynomials of degree d agree on at most d points: for names of 65,535 bytes, 512 blocks and d =
//! 1,025 that is a chance below 2^-50 for a k drawn at random.
//!
//! Those are bounds for secrets drawn apart from one another. Here the numbers that are added come
//! from k through a generator that is no cipher, so that they are what is expected, not proven;
//! whoever makes the archive knows neither and is never shown a hash. A table takes a slot from the
//! hash's upper bits: two names have the same one with a chance of about 2 d / slots, which makes a
//! probe longer and never wrong.

use std::hash::{BuildHasher, RandomState};

/// The modulus, a Mersenne prime.
const P: u64 = (1 << 61) - 1;
/// Bits of a hash.
pub(crate) const HASH_BITS: u32 = 61;
/// Bytes of a pair of words.
const PAIR: usize = 16;
/// Pairs of words in a block: with 8 nearly every name is one block.
const PAIRS: usize = 8;
/// The bits that no byte of a word has where all of them are ASCII.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// The secrets: the point at which polynomials are evaluated, and what is added to words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HashKey {
    /// k, k^2, k^3 and k^4 modulo p.
    powers: [u64; 4],
    addends: [[u64; 2]; PAIRS],
}

impl HashKey {
    /// Draws a key from the randomness that the standard library's maps use.
    pub(crate) fn random() -> Self {
        Self::from_u64(RandomState::new().hash_one(0x6b65_7900u32))
    }

    /// The key with this number; a sidecar keeps the number.
    pub(crate) fn from_u64(number: u64) -> Self {
        // 0 and 1 would make every name's hash depend on a few of its bytes only.
        let k = number % (P - 2) + 2;
        let k2 = fold(u128::from(k) * u128::from(k));
        let k3 = fold(u128::from(k2) * u128::from(k));
        let k4 = fold(u128::from(k2) * u128::from(k2));
        let mut state = k;
        let addends = [[(); 2]; PAIRS].map(|pair| pair.map(|()| split_mix(&mut state)));
        Self { powers: [k, k2, k3, k4], addends }
    }

    /// A number that [`Self::from_u64`] gives the same key for.
    pub(crate) fn to_u64(self) -> u64 {
        self.powers[0] - 2
    }

    /// The hash of a name: below 2^61.
    #[inline]
    pub(crate) fn hash(&self, name: &[u8]) -> u64 {
        self.hash_noting_ascii(name).0
    }

    /// The hash of a name, and whether the name is ASCII: its bytes are in hand for both.
    ///
    /// One multiplication for 16 bytes, and four for the name. With a polynomial over chunks of 7
    /// bytes alone, one multiplication each, finding one of a million names of 60 bytes over and over
    /// took 27 ns instead of 24.
    #[inline]
    pub(crate) fn hash_noting_ascii(&self, name: &[u8]) -> (u64, bool) {
        let [k, k2, k3, k4] = self.powers.map(u128::from);
        let (mut sum, mut bits) = (0, 0);
        let (hash, mut rest) = self.hash_blocks(name, &mut bits);
        let mut addends = self.addends.iter();
        while let Some((pair, behind)) = rest.split_first_chunk()
            && !behind.is_empty()
            && let Some(addends) = addends.next()
        {
            sum = add_product(sum, words(pair), addends, &mut bits);
            rest = behind;
        }
        // One to sixteen bytes are left of a name that is not empty, and a pair for them.
        if let Some(addends) = addends.next() {
            sum = add_product(sum, last_words(name), addends, &mut bits);
        }
        // Below 2^122 + 2^125 + 2^125 + 2^125: a name's length is below 2^64.
        let whole =
            u128::from(hash) * k4 + low(sum) * k3 + (sum >> 64) * k2 + name.len() as u128 * k;
        (fold(whole), bits & NOT_ASCII == 0)
    }

    /// The hash of all blocks but the last one, and the bytes of that.
    #[inline]
    fn hash_blocks<'n>(&self, name: &'n [u8], bits: &mut u64) -> (u64, &'n [u8]) {
        if name.len() <= PAIRS * PAIR { (0, name) } else { self.hash_many_blocks(name, bits) }
    }

    /// Apart, so that what nearly every name takes is short enough to stand in the loops over names.
    #[cold]
    #[inline(never)]
    fn hash_many_blocks<'n>(&self, name: &'n [u8], bits: &mut u64) -> (u64, &'n [u8]) {
        let [k, k2, ..] = self.powers.map(u128::from);
        let mut hash = 0;
        let mut rest = name;
        while rest.len() > PAIRS * PAIR {
            let (block, behind) = rest.split_at(PAIRS * PAIR);
            let mut sum = 0;
            for (pair, addends) in block.as_chunks().0.iter().zip(&self.addends) {
                sum = add_product(sum, words(pair), addends, bits);
            }
            // Below 2^122 + 2^125 + 2^64.
            hash = fold(u128::from(hash) * k2 + low(sum) * k + (sum >> 64));
            rest = behind;
        }
        (hash, rest)
    }
}

/// The lower half of a sum.
#[inline]
fn low(sum: u128) -> u128 {
    u128::from(sum as u64)
}

#[inline]
fn add_product(sum: u128, words: [u64; 2], addends: &[u64; 2], bits: &mut u64) -> u128 {
    *bits |= words[0] | words[1];
    let [a, b] = [0, 1].map(|at| u128::from(words[at].wrapping_add(addends[at])));
    sum.wrapping_add(a * b)
}

#[inline]
fn words(pair: &[u8; PAIR]) -> [u64; 2] {
    let whole = u128::from_le_bytes(*pair);
    [whole as u64, (whole >> 64) as u64]
}

/// The last sixteen bytes of a name, or all of it where it is shorter; these words together have
/// each of its bytes, at a place that depends on its length alone.
#[inline]
fn last_words(name: &[u8]) -> [u64; 2] {
    if let Some(pair) = name.last_chunk() {
        return words(pair);
    }
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    [name.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0]
}

/// The next of a row of numbers (SplitMix64): secret where the state is.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// A sum of products modulo p.
#[inline]
fn fold(sum: u128) -> u64 {
    // 2^61 is 1 modulo p: the halves are added, below 2^61 + 2^67, and once more, below p + 2^7.
    let once = (sum & u128::from(P)) + (sum >> HASH_BITS);
    let twice = (once as u64 & P) + (once >> HASH_BITS) as u64;
    if twice >= P { twice - P } else { twice }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: blocks, pairs and coefficients one by one, each reduced at once.
    fn naive(key: HashKey, name: &[u8]) -> u64 {
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |w, &b| w << 8 | u64::from(b));
        let mut coefficients: Vec<u64> = Vec::new();
        let blocks = name.len().div_ceil(128).max(1);
        for block in 0..blocks {
            let start = 128 * block;
            let end = name.len().min(start + 128);
            let mut sum = 0u128;
            for number in 0..(end - start).div_ceil(16).max(1) {
                let from = start + 16 * number;
                let pair = match (from + 16 <= end, name.len()) {
                    (true, _) => [word(&name[from..from + 8]), word(&name[from + 8..from + 16])],
                    (false, 16..) => [word(&name[end - 16..end - 8]), word(&name[end - 8..end])],
                    (false, 8..) => [word(&name[..8]), word(&name[end - 8..])],
                    (false, _) => [word(name), 0],
                };
                let [a, b] = key.addends[number];
                let product =
                    u128::from(pair[0].wrapping_add(a)) * u128::from(pair[1].wrapping_add(b));
                sum = sum.wrapping_add(product);
            }
            coefficients.extend([sum as u64, (sum >> 64) as u64]);
        }
        coefficients.push(name.len() as u64);
        let times_k = |hash: u64, c: u64| {
            let sum = (u128::from(hash) + u128::from(c)) % u128::from(P);
            (sum * u128::from(key.powers[0]) % u128::from(P)) as u64
        };
        coefficients.into_iter().fold(0, times_k)
    }

    #[test]
    fn agrees_with_the_definition_at_every_length() {
        let name: Vec<u8> = (0..600u32).map(|i| (i * 37 + 11) as u8).collect();
        for key in [0, 1, 12_345, u64::MAX, P - 3].map(HashKey::from_u64) {
            assert_eq!(HashKey::from_u64(key.to_u64()), key);
            for len in (0..name.len()).step_by(if cfg!(miri) { 37 } else { 1 }) {
                assert_eq!(key.hash(&name[..len]), naive(key, &name[..len]), "{len}");
                assert!(key.hash(&name[..len]) < P);
                let (_, is_ascii) = key.hash_noting_ascii(&name[..len]);
                assert_eq!(is_ascii, name[..len].is_ascii(), "{len}");
            }
            assert_eq!(key.hash(&[0xff; 640]), naive(key, &[0xff; 640]));
        }
    }

    #[test]
    fn every_number_is_a_point_that_depends_on_every_byte() {
        let table =
            [(0, 2), (1, 3), (P - 3, P - 1), (P - 2, 2), (u64::MAX, u64::MAX % (P - 2) + 2)];
        for (number, point) in table {
            assert_eq!(HashKey::from_u64(number).powers[0], point, "{number}");
        }
    }

    #[test]
    fn the_addends_are_split_mix_64() {
        // The first numbers of the generator's reference for the state 0.
        let mut state = 0;
        let drawn = [(); 3].map(|()| split_mix(&mut state));
        assert_eq!(drawn, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn a_sum_is_reduced_to_what_division_leaves() {
        let p = u128::from(P);
        for sum in [0, 1, p - 1, p, p + 1, 2 * p, 2 * p + 1, p << 61, u128::MAX - 1, u128::MAX] {
            assert_eq!(u128::from(fold(sum)), sum % p, "{sum:x}");
        }
    }

    #[test]
    fn one_byte_that_is_not_ascii_is_noticed_wherever_it_is() {
        let key = HashKey::from_u64(5);
        assert!(!key.hash_noting_ascii(&[0x80; 16]).1, "in both words");
        for len in (0..130).step_by(if cfg!(miri) { 43 } else { 1 }) {
            let mut name = vec![b'a'; len];
            assert!(key.hash_noting_ascii(&name).1, "{len}");
            for at in 0..len {
                name[at] = 0x80;
                assert!(!key.hash_noting_ascii(&name).1, "{at} of {len}");
                name[at] = b'a';
            }
        }
    }

    #[test]
    fn every_byte_makes_a_difference() {
        let key = HashKey::from_u64(6);
        for len in [1, 7, 8, 15, 16, 17, 60, 127, 128, 129, 144, 300] {
            let name = vec![b'a'; len];
            for at in 0..len {
                let mut other = name.clone();
                other[at] ^= 1;
                assert_ne!(key.hash(&name), key.hash(&other), "{at} of {len}");
            }
        }
    }

    #[test]
    fn trailing_nuls_and_lengths_make_a_difference() {
        let key = HashKey::from_u64(987_654_321);
        let hashes: std::collections::HashSet<u64> =
            (0..100).map(|len| key.hash(&vec![0; len])).collect();
        assert_eq!(hashes.len(), 100);
    }
}

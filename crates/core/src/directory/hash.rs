//! A keyed hash of names, so that nobody can make names that collide.
//!
//! The name is a polynomial over the field of integers modulo p = 2^61 - 1, evaluated at a secret
//! point k: chunks of 7 bytes (below 2^56, so below p) are its coefficients, its length the last one.
//! Two different names of at most L chunks are two different polynomials of degree at most L + 1,
//! which agree on at most L + 1 points; for a k drawn at random among 2^61 - 1 that is a chance of
//! (L + 1) / p, for names of 65,535 bytes less than 2^-47. Whoever makes the archive does not know k.
//! One multiplication per 7 bytes; SipHash-1-3, the usual keyed choice, took about four times as long
//! on names of 40 bytes, which is most of the time of opening an archive.

use std::hash::{BuildHasher, RandomState};

/// The modulus, a Mersenne prime.
const P: u64 = (1 << 61) - 1;
/// Bits of a hash.
pub(crate) const HASH_BITS: u32 = 61;
/// Bytes of a name in one coefficient.
const CHUNK: usize = 7;

/// The secret point at which names are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HashKey(u64);

impl HashKey {
    /// Draws a key from the randomness that the standard library's maps use.
    pub(crate) fn random() -> Self {
        Self::from_u64(RandomState::new().hash_one(0x6b65_7900u32))
    }

    /// The key with this number; a sidecar keeps the number.
    pub(crate) fn from_u64(number: u64) -> Self {
        // 0 and 1 would make every name's hash depend on a few of its bytes only.
        Self(number % (P - 2) + 2)
    }

    /// A number that [`Self::from_u64`] gives the same key for.
    pub(crate) fn to_u64(self) -> u64 {
        self.0 - 2
    }

    /// The hash of a name: below 2^61.
    #[inline]
    pub(crate) fn hash(self, name: &[u8]) -> u64 {
        let mut hash = 0;
        let mut rest = name;
        // Eight bytes are loaded where seven are wanted: one load instead of three.
        while let Some((eight, _)) = rest.split_first_chunk::<8>() {
            hash = self.step(hash, u64::from_le_bytes(*eight) & ((1 << (8 * CHUNK)) - 1));
            rest = &rest[CHUNK..];
        }
        // At most seven bytes are left: one coefficient, or none.
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = self.step(hash, u64::from_le_bytes(last));
        self.step(hash, name.len() as u64)
    }

    /// (hash + coefficient) * k mod p, for a hash and a coefficient below 2^61.
    #[inline]
    fn step(self, hash: u64, coefficient: u64) -> u64 {
        // The sum is below 2^62 and k below 2^61: the product fits 123 bits, its halves 62 and 61.
        let product = u128::from(hash + coefficient) * u128::from(self.0);
        let folded = (product as u64 & P) + (product >> HASH_BITS) as u64;
        if folded >= P { folded - P } else { folded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, one byte at a time.
    fn naive(key: HashKey, name: &[u8]) -> u64 {
        let mut coefficients: Vec<u64> = Vec::new();
        let mut rest = name;
        while rest.len() >= 8 {
            coefficients.push(rest[..7].iter().rev().fold(0, |sum, &b| sum << 8 | u64::from(b)));
            rest = &rest[7..];
        }
        coefficients.push(rest.iter().rev().fold(0, |sum, &b| sum << 8 | u64::from(b)));
        coefficients.push(name.len() as u64);
        coefficients
            .into_iter()
            .fold(0, |hash, c| (u128::from(hash + c) * u128::from(key.0) % u128::from(P)) as u64)
    }

    #[test]
    fn agrees_with_the_definition_at_every_length() {
        let name: Vec<u8> = (0..200u32).map(|i| (i * 37 + 11) as u8).collect();
        for key in [0, 1, 12_345, u64::MAX, P - 3].map(HashKey::from_u64) {
            assert_eq!(HashKey::from_u64(key.to_u64()), key);
            for len in 0..name.len() {
                assert_eq!(key.hash(&name[..len]), naive(key, &name[..len]), "{len}");
                assert!(key.hash(&name[..len]) < P);
            }
            assert_eq!(key.hash(&[0xff; 64]), naive(key, &[0xff; 64]));
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

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

/// How every token begins, so that scanners and people recognise one.
const PREFIX: &str = "ewt_";

/// Random characters after the prefix: 40 of 62 possible ones are 238 bits.
const RANDOM_LEN: usize = 40;
const TOKEN_LEN: usize = PREFIX.len() + RANDOM_LEN;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Bytes at and above the largest multiple of 62 are thrown away, so that every character is
/// equally likely.
const FAIR_BYTES: u8 = 4 * 62;
const _: () = assert!(FAIR_BYTES as usize == 256 / ALPHABET.len() * ALPHABET.len());

/// The text of a new token. Shown once, by [`TokenSecret::expose`]; nothing else prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(String);

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

impl TokenSecret {
    /// Makes a token from the system's randomness.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut text = PREFIX.to_owned();
        let mut random = [0; 64];
        while text.len() < TOKEN_LEN {
            getrandom::fill(&mut random).map_err(NoRandomness)?;
            text.extend(characters(&random));
        }
        text.truncate(TOKEN_LEN);
        Ok(Self(text))
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the catalog keeps of it.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.as_bytes())
    }
}

/// Characters out of random bytes, each as likely as any other.
fn characters(random: &[u8]) -> impl Iterator<Item = char> {
    let fair = random.iter().filter(|&&byte| byte < FAIR_BYTES);
    fair.map(|&byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(..)")
    }
}

/// A text for a log, with every token of ours in it replaced: whoever puts one in a wrong place, a
/// path or the name of a parameter, does not find it in a log.
#[must_use]
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    if !text.contains(PREFIX) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(PREFIX);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("[redacted]");
        shown.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric()));
    }
    Cow::Owned(shown)
}

/// The SHA-256 digest of a token's text. Tokens are found by it, so no comparison depends on the
/// text: what an index lookup's time tells about a digest says nothing about a text that has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest(pub [u8; 32]);

impl TokenDigest {
    /// The digest of what a request carries, whatever it is.
    pub fn of(presented: &[u8]) -> Self {
        Self(Sha256::digest(presented).into())
    }
}

/// Not the digest either: whoever reads a log shall not be able to recognise a token by it.
impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_a_prefix_and_forty_characters_of_62() {
        let tokens: Vec<TokenSecret> = (0..200).map(|_| TokenSecret::generate().unwrap()).collect();
        let mut seen = std::collections::HashSet::new();
        for token in &tokens {
            let random = token.expose().strip_prefix("ewt_").unwrap();
            assert_eq!(random.len(), 40);
            assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            seen.extend(random.bytes());
            let shown = format!("{token:?} {:?}", token.digest());
            assert_eq!(shown, "TokenSecret(..) TokenDigest(..)");
        }
        // 8,000 draws miss one of 62 characters with a probability under 10^-54.
        assert_eq!(seen.len(), 62);
        assert_ne!(tokens[0], tokens[1]);
    }

    #[test]
    fn of_all_bytes_each_character_comes_from_as_many() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let mut counts = std::collections::HashMap::new();
        characters(&all).for_each(|character| *counts.entry(character).or_insert(0) += 1);
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|&count| count == 4), "{counts:?}");
    }

    #[test]
    fn a_token_is_replaced_wherever_it_stands() {
        let token = TokenSecret::generate().unwrap();
        for (text, expected) in [
            ("a/b.txt", "a/b.txt"),
            ("T", "[redacted]"),
            ("a/T/b&c=T", "a/[redacted]/b&c=[redacted]"),
            ("newt_salamander", "n[redacted]"),
        ] {
            let shown = without_tokens(&text.replace('T', token.expose())).into_owned();
            assert!(!shown.contains(&token.expose()[4..]), "{text}");
            assert_eq!(shown, expected, "{text}");
        }
    }

    #[test]
    fn digests_are_sha_256() {
        // FIPS 180-2, appendix B.1: the digest of "abc".
        let digest = TokenDigest::of(b"abc");
        assert_eq!(digest.0[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(digest.0[28..], [0xf2, 0x00, 0x15, 0xad]);
        let token = TokenSecret::generate().unwrap();
        assert_eq!(token.digest(), TokenDigest::of(token.expose().as_bytes()));
    }
}

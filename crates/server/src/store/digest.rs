use std::fmt;
use std::str::FromStr;

/// The SHA-256 digest of an archive's bytes: its name in the store and its entity tag.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest(pub [u8; 32]);

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 digest of 64 lower-case hexadecimal digits")]
pub struct NotADigest;

impl FromStr for Sha256Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NotADigest),
        };
        let text: &[u8; 64] = text.as_bytes().try_into().map_err(|_| NotADigest)?;
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_64_lower_case_digits() {
        let digest = Sha256Digest(std::array::from_fn(|i| i as u8 * 8 + 7));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let table = [
            ("empty", String::new()),
            ("one digit short", "0".repeat(63)),
            ("one digit too many", "0".repeat(65)),
            ("upper case", "A".repeat(64)),
            ("not a digit", "g".repeat(64)),
            ("a sign", format!("+{}", "0".repeat(63))),
            ("64 bytes that are not ASCII", "\u{e9}".repeat(32)),
        ];
        for (name, text) in table {
            assert_eq!(text.parse::<Sha256Digest>(), Err(NotADigest), "{name}");
        }
    }
}

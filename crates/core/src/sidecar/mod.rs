//! The sidecar: a directory's index and the entries' verdicts, kept beside the archive.
//!
//! With it an entry of a million is found by reading a few pages, and what was learnt when the
//! archive was stored (each entry's verdict, where its data starts, whether it is text) is not
//! learnt again. It is bound to the archive by SHA-256, length and time of modification. A sidecar
//! that is lost, damaged or of another archive costs only that knowledge: the archive's entries are
//! unverified again. So does one whose verdicts rest on another choice among entries of one name
//! ([`Duplicates`](crate::Duplicates)) than the archive is read under, where it has such entries.
//!
//! # Format, version 3
//! Pages of 4,096 bytes: 4,092 of content, then a CRC-32 over the page's number (8 bytes) and its
//! content. All numbers are little-endian. Page 0 is the header: magic, version, section count, the
//! archive's SHA-256, length and time of modification, the hash key, the directory's extent, base
//! and end record, the count of entries, the choice among entries of one name (0: there are none,
//! 1: refused, 2: the first); then the section table. A section is an array of items of one size
//! that starts on a page of its own; no item crosses a page. Unknown sections are skipped.
//!
//! | id | section | item |
//! |---|---|---|
//! | 1 | names: open addressing | slot (4 bits of hash, 28 of record offset), ordinal: 8 bytes |
//! | 2 | aliases: the same for names without `./` and display names | 8 bytes |
//! | 3 | sorted: entries by the bytes of their raw names | record offset, ordinal: 8 bytes |
//! | 4 | facts, by ordinal | data offset or index of the refusal, standing, text, zstd: 16 bytes |
//! | 5 | refusals | rule, record, limit, offset, declared, actual: 32 bytes |

mod find;
mod page;
mod read;
mod sorted;
mod write;

/// What a sidecar is bound to: the archive it was made for, as it was then.
///
/// The time of modification tells an archive that was written to in place from the one that was
/// verified: whatever was learnt of its entries does not hold any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// SHA-256 of the archive.
    pub sha256: [u8; 32],
    /// Its length in bytes.
    pub len: u64,
    /// When it was last modified, in nanoseconds since 1970; 0 where the medium does not say.
    pub modified_nanos: i64,
}

pub use find::FindError;
pub use read::{Sidecar, SidecarError};
pub use sorted::SortedSidecar;
pub use write::write;

/// The first eight bytes; the line end catches a transfer in text mode.
const MAGIC: [u8; 8] = *b"EWSIDE\r\n";
/// The version of the format.
const VERSION: u32 = 3;

/// The sections' numbers.
mod section {
    pub(super) const NAMES: u32 = 1;
    pub(super) const ALIASES: u32 = 2;
    pub(super) const SORTED: u32 = 3;
    pub(super) const FACTS: u32 = 4;
    pub(super) const REFUSALS: u32 = 5;
}

/// What the header says of the choice among entries of one name.
mod choice {
    use crate::policy::Duplicates;

    /// No verdict depends on it.
    pub(super) const NONE: u64 = 0;

    pub(super) fn of(duplicates: Duplicates) -> u64 {
        match duplicates {
            Duplicates::Refuse => 1,
            Duplicates::First => 2,
        }
    }
}

/// Bytes of a slot or of an item of the sorted permutation: two 32-bit numbers.
const PAIR_LEN: usize = 8;
/// Bytes of a fact.
const FACT_LEN: usize = 16;
/// Bytes of a refusal.
const REFUSAL_LEN: usize = 32;

/// How a fact says what an entry's standing is.
mod standing {
    pub(super) const GOOD: u8 = 1;
    pub(super) const BAD: u8 = 2;
}

//! Finds one entry of a zip archive through its central directory and streams it, without reading,
//! unpacking or buffering the rest.
//!
//! ```text
//!   bytes of the tail          directory's bytes             bytes of the entry
//!         |                           |                              |
//!     Locator::step  ---->  Directory::parse, find  ---->  Extraction::step ----> chunks
//!    (end records)           (names, rules, bounds)       (local header, data, checks)
//! ```
//!
//! Each arrow is plain data; none of the three does I/O. The caller brings bytes and is told which
//! it lacks: [`Archive`] does so for whatever can be read at an offset ([`ReadAt`]), and a server
//! does it in its event loop over a [`Source`].
//!
//! A part of an archive can be had as an archive of its own ([`Subset`]), and its names as a tree
//! ([`tree`]).
//!
//! What it does not do: write archives of anything else, unpack them to a file system, decrypt,
//! follow symbolic links, look into archives within archives.
//!
//! # Trust
//! Two readers of one hostile archive can see two different contents. An archive that leaves a
//! choice is refused ([`Error::Archive`]), and so is an entry whose bytes or identity do
//! ([`Error::Entry`]); the other entries are read. Each [`Rule`] says what it is about. Whether an
//! archive is also free of bytes that no record claims, and of names that two systems take for two
//! different files, is another question ([`Profile::Strict`]), for whoever takes archives in.
//!
//! # Features
//! None is on by default.
//! - `all-methods`: the six that follow. Stored and deflated entries are always read.
//! - `deflate64`, `bzip2`, `ppmd`: those methods, in Rust.
//! - `lzma`, `xz`: by liblzma, `zstd`: by libzstd; C that is built with the crate and linked in.
//! - `strict`: `Archive::examine`, the rules of [`Profile::Strict`].
//! - `mmap`: `MappedSource`, a file mapped into memory.
//! - `tokio`: cold reads of a file leave the async runtime's threads alone.
//!
//! # Bounds
//! The directory's own bytes, and beside them 8 bytes for each entry, 8 more where the records do not
//! stand in the order of the files, and 8 for each further name that an entry is found by, at most
//! two; [`Limits`] bounds all of them.
//! Reading an entry of any size takes less than 256 KiB beside the decoder's state, and that at most
//! [`CompressionMethod::decoder_memory_bound`].
//!
//! # Changes
//! Enums are exhaustive on purpose: whoever maps each rule, error or step to an answer of its own
//! (a server's status table) is told by the compiler where a new one needs one. What is only read,
//! [`Entry`] and [`CentralDirectoryHeader`], may get further fields; [`Limits`] may too, and is made
//! with `..Limits::default()`.
#![deny(unsafe_code)] // But in source/mapped.rs.

mod advice;
mod archive;
mod decode;
mod directory;
mod entry;
mod error;
mod extract;
mod limits;
mod locate;
mod method;
mod name;
mod plan;
mod policy;
mod record;
pub mod sidecar;
mod sorted;
pub mod source;
#[cfg(feature = "strict")]
mod strict;
mod subset;
pub mod tree;
mod verdict;
mod verify;
mod window;

pub use archive::{Archive, EntryReader, find_one};
pub use directory::{Directory, Lookup};
pub use entry::Entry;
pub use error::{Error, Fault, Profile, Record, Refusal, Rule, Scope};
pub use extract::{CHUNK_LEN, ExtractStep, Extraction, Fetched, TextProbe};
pub use limits::{Limit, Limits};
pub use locate::{DirectoryExtent, Locator, SEARCH_LEN, Step, TAIL_LEN, TRAILING_NULS};
pub use method::{CompressionMethod, GeneralPurposeFlags};
pub use plan::{EntryPlan, FETCH_LEN, FIRST_FETCH_LEN, Found, Standing};
pub use policy::{Duplicates, Policy};
pub use record::{CentralDirectoryHeader, Zip64Fields};
pub use sorted::{IndexError, SortedDirectory, SortedEntries};
#[cfg(feature = "mmap")]
pub use source::MappedSource;
pub use source::{FileSource, ReadAt, Source};
pub use subset::{Subset, SubsetError, SubsetSegment, SubsetSegments};
pub use verify::Progress;
pub use window::{Extent, Window};

//! What Entryway's tests are made of: archives built byte by byte, sparse giants, a naive reader.
//!
//! - [`builder`]: any construction a test needs, good or bad, with the position of every part.
//! - [`record`], [`extra`]: the records of APPNOTE 4.3 and the extra fields of 4.5, as values.
//! - [`overlap`]: the quoted-overlap bomb, which no layout of whole records can express.
//! - [`classes`]: one archive for each hostile class, with the reading of it that is right.
//! - [`samples`]: good archives in every form that readers must accept, with their content.
//! - [`fixtures`]: content that is the same on every machine.
//! - [`sparse`]: archives of many gigabytes that take kilobytes.
//! - [`oracle`]: the reading rules in the plainest possible way, over one whole slice.
//!
//! This crate imports no crate of the workspace. The engine and the oracle are two readings of the
//! same rules; a mistake in one must not be able to hide in the other.

pub mod builder;
pub mod classes;
pub mod extra;
pub mod fixtures;
pub mod oracle;
pub mod overlap;
pub mod record;
pub mod samples;
pub mod sparse;

#[cfg(test)]
mod foreign_readers;

//! The records of a zip archive, one file each: bytes in, fields out, no I/O and no judgement.
//!
//! Every `parse` takes the bytes from the record's first byte on and gives `None` where the
//! signature is another or the bytes end too early; the caller, who knows the offset and what was
//! expected there, makes the error. Numbers stand as the archive declares them.

mod central_directory_header;
mod cursor;
mod data_descriptor;
mod end_of_central_directory;
mod extra;
mod local_file_header;
#[cfg(test)]
mod tests;
mod zip64;

pub use central_directory_header::CentralDirectoryHeader;
pub(crate) use data_descriptor::{DataDescriptor, DescriptorForm};
pub(crate) use end_of_central_directory::EndOfCentralDirectory;
pub use extra::Zip64Fields;
pub(crate) use extra::{ExtraField, ExtraFields, UnicodePath, Zip64Extra};
pub(crate) use local_file_header::LocalFileHeader;
pub(crate) use zip64::{Zip64EndOfCentralDirectoryLocator, Zip64EndOfCentralDirectoryRecord};

/// The value of a 32-bit field that says "see the zip64 record" (APPNOTE 4.4.1.4).
pub(crate) const SENTINEL_32: u32 = u32::MAX;
/// The value of a 16-bit field that says "see the zip64 record" (APPNOTE 4.4.1.4).
pub(crate) const SENTINEL_16: u16 = u16::MAX;

/// Signature of the digital signature record (APPNOTE 4.3.13).
pub(crate) const DIGITAL_SIGNATURE: [u8; 4] = *b"PK\x05\x05";

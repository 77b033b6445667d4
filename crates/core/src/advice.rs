//! What whoever made an archive, or serves it, can do about a rule that it breaks.
//!
//! Every command that is named here was tried on an archive that breaks the rule: with Info-ZIP zip
//! 3.0, 7-Zip 26.02 and bsdtar 3.6.2.

use crate::error::Rule;

impl Rule {
    /// What to do about an archive or an entry that breaks the rule: one or two sentences, in
    /// ASCII, for whoever made the archive or serves it.
    ///
    /// ```
    /// assert!(entryway::Rule::Encrypted.advice().contains("without a password"));
    /// ```
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoEndRecord => {
                "Check that the file is a zip archive and was transferred whole. One that was cut \
                 short has lost its end: make it again."
            }
            Self::SecondEndRecord => {
                "Make the archive again without its comment, which holds the end of another \
                 archive."
            }
            Self::SignatureAfterEnd => {
                "Take the bytes `PK\\5\\6` out of the archive's comment and away from behind it, \
                 or make the archive again without a comment."
            }
            Self::SeveralDisks => {
                "Join the parts of the split archive into one file: `zip -s 0 split.zip --out \
                 whole.zip`."
            }
            Self::CountsDisagree => {
                "The end record was written wrongly or damaged: make the archive again as one \
                 file, not split."
            }
            Self::Zip64NotAdjacent => {
                "Put nothing in front of the archive once it is made, and nothing between its end \
                 records: that moves the zip64 record away from where its locator says it is."
            }
            Self::Zip64Signature => {
                "The zip64 end record is damaged: make the archive again, or transfer it again."
            }
            Self::Zip64RecordSize => {
                "Make the archive again with a tool that writes a zip64 end record of the usual 44 \
                 bytes, without extensible data."
            }
            Self::Zip64Disagrees => {
                "The two end records were not written together: make the archive again in one go \
                 instead of changing it."
            }
            Self::DirectoryOutside => {
                "The front of the archive is missing, or its end record is damaged: transfer the \
                 file again, or make it again."
            }
            Self::AmbiguousBase => {
                "Take away what stands in front of the archive, often another archive, or make the \
                 offsets right with `zip -A archive.zip`. Where nothing stands there, make it again."
            }
            Self::DirectoryRecord => {
                "The directory is damaged: make the archive again. Where that cannot be done, `zip \
                 -FF broken.zip --out mended.zip` saves what it can."
            }
            Self::EntryCount => {
                "The end record counts other entries than the directory lists, so some would stay \
                 hidden: make the archive again with another tool."
            }
            Self::DirectoryTrailing => {
                "Bytes that no reader expects stand in the directory: make the archive again with \
                 another tool."
            }
            Self::ArchiveOverLimit => {
                "Put fewer files into the archive, or split it up; or, where it can be trusted, \
                 raise the limit by the flag that the refusal names."
            }
            Self::Duplicate => {
                "Make the archive again with each name once; some tools add a file again instead \
                 of replacing it. Or have the first one served, and only that, with \
                 `--duplicates first`."
            }
            Self::FileAndDirectory => {
                "Rename the file or the directory: no file system could hold both, so the archive \
                 was put together by mistake."
            }
            Self::AmbiguousName => {
                "Give the entries names that differ, in UTF-8. Until then each answers to the very \
                 bytes of its own name: to `entryway cat`, and over HTTP where they are UTF-8."
            }
            Self::Encrypted => {
                "Make the archive again without a password. Nothing is decrypted here; who may \
                 read it is up to the server's tokens."
            }
            Self::Patch => {
                "Put the whole new file into the archive instead of a patch for the old one."
            }
            Self::VersionNeeded => {
                "The entry asks for a later version of the format than 6.3, the last there is: \
                 make the archive again with another tool."
            }
            Self::DiskStart => {
                "The entry is said to lie in another part of a split archive: join the parts with \
                 `zip -s 0 split.zip --out whole.zip`, or make the archive again."
            }
            Self::UnixMode => {
                "Put in a regular file. `zip archive.zip -` and `7z a -si` mark what they read \
                 from a pipe as a FIFO: write it to a file first."
            }
            Self::ExtraOverrun => {
                "An extra field is longer than the room that it has: make the archive again \
                 without extra fields, as `zip -X` does."
            }
            Self::Zip64ExtraShort => {
                "The entry's sizes or offset are missing: make the archive again with another \
                 tool, or a newer version of it."
            }
            Self::Zip64ExtraTwice => {
                "The entry has two sets of sizes: make the archive again in one go instead of \
                 changing the one that there is."
            }
            Self::Method => {
                "Make the archive again with deflate, as `zip` does and `7z a -tzip -mm=Deflate`, \
                 or serve it with a program that was built with this method."
            }
            Self::DirectoryWithData => {
                "A name that ends in a slash is a directory and holds no content: leave the slash \
                 out of a file's name."
            }
            Self::NameEmpty => "Give the entry a name.",
            Self::NameAbsolute => {
                "Store names relative to a folder: run `zip -r archive.zip .` inside of it, and \
                 `bsdtar` without `-P`."
            }
            Self::NameControl => {
                "Rename the file: line ends, tabs and other control characters have no place in a \
                 URL or a listing."
            }
            Self::NameDots => {
                "Store names that do not climb out of their folder: change into the folder before \
                 the archive is made instead of naming files by `../`."
            }
            Self::NameUtf8 => {
                "Make the archive again under a UTF-8 locale such as C.UTF-8, or with a tool that \
                 marks only UTF-8 as UTF-8."
            }
            Self::SharedLocalHeader => {
                "Each entry needs data of its own: make the archive again. One whose entries share \
                 their data may be a zip bomb."
            }
            Self::Overlap => {
                "The entry's sizes or offset are wrong, or the archive is a zip bomb: make it \
                 again, and do not change it by hand."
            }
            Self::OutsideArchive => {
                "The entry's data is not in the file: it was cut or put together wrongly, so make \
                 it again."
            }
            Self::LocalSignature => {
                "Where the entry should begin there is something else: bytes were added or lost in \
                 the middle. Make the archive again, and transfer it as binary."
            }
            Self::LocalName => {
                "The entry has two names, and tools disagree about which one counts: make the \
                 archive again instead of renaming entries in place."
            }
            Self::LocalMethod => {
                "The entry is said to be compressed in two ways: make the archive again with \
                 another tool."
            }
            Self::LocalFlags => {
                "The entry's two headers do not belong together: make the archive again with \
                 another tool."
            }
            Self::LocalSize => {
                "The entry has two sizes, and tools disagree about which one counts: make the \
                 archive again with another tool, or a newer version of it."
            }
            Self::LocalCrc => {
                "The entry has two checksums: make the archive again, and do not replace content \
                 in place."
            }
            Self::Descriptor => {
                "Sizes and checksum behind the data are not those of the directory: make the \
                 archive again, from files instead of a stream if that repeats."
            }
            Self::StoredSizes => {
                "A file that is stored as it is has one size, not two: make the archive again with \
                 another tool."
            }
            Self::Data => {
                "The content was damaged on its way or written wrongly: make the archive again, \
                 and check it with `entryway verify` before and after the transfer."
            }
            Self::DataTruncated => {
                "The content ends too soon, as if its writer had been stopped: make the archive \
                 again, and let the tool end."
            }
            Self::DataTrailing => {
                "Bytes that belong to nothing follow the content: make the archive again with \
                 another tool."
            }
            Self::DataLong => {
                "The file may have grown while it was packed, or the archive is a zip bomb: make \
                 it again once nothing writes to the file."
            }
            Self::DataShort => {
                "The file may have shrunk while it was packed: make the archive again once nothing \
                 writes to the file."
            }
            Self::Crc => {
                "The content is not what was packed: make the archive again. If that repeats, look \
                 for a bad disk, a bad transfer, or a file that changes meanwhile."
            }
            Self::EntryOverLimit => {
                "Compress the file in an ordinary way, with a smaller dictionary; or, where the \
                 archive can be trusted, raise the limit by the flag that the refusal names."
            }
            Self::TrailingBytes => {
                "Cut off what follows the archive; `zip -U in.zip '*' --out out.zip` writes it \
                 again without."
            }
            Self::BytesBefore => {
                "Take away what stands in front, such as the program of a self-extracting archive: \
                 `zip -J archive.zip`, and where offsets ignore it `zip -A archive.zip` before."
            }
            Self::BytesBetween => {
                "Make the archive again without gaps: tools leave them where they align data or \
                 change an archive in place."
            }
            Self::UnlistedEntry => {
                "An entry that was deleted or replaced is still there for some readers: `zip -U \
                 in.zip '*' --out out.zip` writes the archive without it."
            }
            Self::Zip64ExtraSurplus => {
                "Make the archive again with a tool that writes into the zip64 field only what the \
                 header has no room for."
            }
            Self::LocalBesideDescriptor => {
                "Make the archive again with a tool that leaves sizes and checksum to the data \
                 descriptor where there is one."
            }
            Self::NameBackslash => {
                "Put slashes between folders, as the format asks for, and no backslash into a name."
            }
            Self::NameInvisible => {
                "Take the invisible character out of the name: it makes one name look like another."
            }
            Self::NameSegments => {
                "Write the path without `//`, `./` and `/.`: other tools see the same file under \
                 another name."
            }
            Self::NameEnding => {
                "Take the dot or the space off the end of the name: Windows drops it, and takes \
                 two files for one."
            }
            Self::NameColon => {
                "Take the colon out of the name: Windows takes what follows it for a hidden stream \
                 of the file."
            }
            Self::NamesCollide => {
                "Rename one of the two: on Windows and macOS they are one file, and the later one \
                 replaces the earlier."
            }
            Self::FileWithChildren => {
                "Rename the file, or what lies below its name: a file cannot be a folder too."
            }
            Self::UnicodePath => {
                "Make the archive again with names in UTF-8 and without Unicode Path extra fields, \
                 which some tools show instead of the name."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Four lines of a terminal; and no advice is a word or two.
    const LENGTHS: std::ops::RangeInclusive<usize> = 20..=240;

    #[test]
    fn every_rule_has_advice_of_its_own_that_can_be_shown_anywhere() {
        let mut given = HashMap::new();
        for &rule in Rule::ALL {
            let (label, advice) = (rule.label(), rule.advice());
            assert!(LENGTHS.contains(&advice.len()), "{label}: {} bytes", advice.len());
            assert!(advice.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{label}: not ASCII");
            assert!(!advice.contains("  "), "{label}: two spaces");
            assert!(advice.ends_with('.') && !advice.ends_with(".."), "{label}: no full stop");
            assert!(advice.starts_with(|first: char| first.is_ascii_uppercase()), "{label}");
            assert_eq!(advice.matches('`').count() % 2, 0, "{label}: a command without end");
            if let Some(other) = given.insert(advice, label) {
                panic!("{label} and {other} have the same advice");
            }
        }
    }

    #[test]
    fn advice_on_limits_sends_to_the_flag_that_the_refusal_names() {
        use crate::error::{Record, at};
        use crate::limits::Limit;

        for limit in Limit::ALL {
            let refusal = at(Record::CentralDirectory, 7).exceeds(limit, 1, 2);
            assert!(refusal.to_string().contains(limit.flag()), "{refusal}");
            assert!(refusal.rule.advice().contains("the flag that the refusal names"), "{refusal}");
        }
    }
}

//! Each hostile class, built byte by byte: the exact rule for the archive or for each entry, and
//! the exact content of what is served.
//!
//! Where the machine has the archives of the same classes that others wrote, these are held to be
//! the same, byte for byte. Two classes have no archive there: sparse ones past 4 GiB, which are
//! [`super::giants`], and the bomb in its real size.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use entryway::source::testing::Counting;
use entryway::{Archive, Entry, Error, Refusal, Rule};
use entryway_testkit::classes::{self, Class, Expected, Taken, Verdict};
use entryway_testkit::fixtures::crc32;
use entryway_testkit::overlap::quoted_overlap;

use super::corpora::corpora;
use super::{Entries, content_of, disagreement, open_and_read};

/// The longest archive that the oracle, which keeps everything, is asked about.
const ORACLE_LEN: usize = 1 << 20;

/// What the engine makes of an archive, in the words of its class.
fn verdict(read: Result<Entries, Refusal>) -> Verdict {
    match read {
        Err(refusal) => Verdict::Refused(refusal.rule.label()),
        Ok(entries) => {
            let expected = entries.into_iter().map(|(name, content)| Expected {
                name,
                content: content.map_err(|refusal| refusal.rule.label()),
            });
            Verdict::Read(expected.collect())
        }
    }
}

/// Where two verdicts part, without megabytes of content.
fn difference(found: &Verdict, right: &Verdict) -> Option<String> {
    let (found, right) = match (found, right) {
        (Verdict::Read(found), Verdict::Read(right)) if found.len() == right.len() => {
            (found, right)
        }
        (Verdict::Read(found), Verdict::Read(right)) => {
            return Some(format!("{} entries instead of {}", found.len(), right.len()));
        }
        (Verdict::Refused(found), Verdict::Refused(right)) => {
            return (found != right).then(|| format!("{found} instead of {right}"));
        }
        (Verdict::Refused(found), Verdict::Read(_)) => return Some(format!("refused: {found}")),
        (Verdict::Read(_), Verdict::Refused(right)) => return Some(format!("not {right}")),
    };
    let shown = |content: &Result<Vec<u8>, &str>| match content {
        Ok(content) => format!("{} bytes, CRC-32 {:08x}", content.len(), crc32(content)),
        Err(rule) => (*rule).to_owned(),
    };
    let parted = found.iter().zip(right).find(|(found, right)| found != right);
    parted.map(|(found, right)| {
        let name = String::from_utf8_lossy(&found.name);
        format!("{name}: {} instead of {}", shown(&found.content), shown(&right.content))
    })
}

#[test]
fn each_class_gets_its_exact_rule_and_gives_its_exact_content() {
    let mut wrong = Vec::new();
    for Class { id, bytes, verdict: right, .. } in classes::all() {
        let bytes = Bytes::from(bytes);
        let read = open_and_read(bytes.clone());
        if bytes.len() <= ORACLE_LEN {
            wrong.extend(disagreement(&read, &bytes).map(|part| format!("{id}: {part}")));
        }
        wrong.extend(difference(&verdict(read), &right).map(|part| format!("{id}: {part}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_opened_breaks_exactly_the_strict_rules_of_its_class() {
    let mut wrong = Vec::new();
    for class in classes::all() {
        if class.taken() == Taken::Nowhere {
            continue;
        }
        let expected: &[&str] = match class.id {
            // Its compressed size is two bytes short. That shows when it is decoded, which an
            // examination does not: to it the bytes belong to no record.
            "E06-deflate-truncated" => &["bytes_between"],
            _ => class.strict,
        };
        let archive = Archive::open(Bytes::from(class.bytes)).unwrap();
        let mut broken = BTreeSet::new();
        let note = |_: Option<&Entry>, refusal: Refusal| {
            broken.insert(refusal.rule.label());
        };
        archive.examine(note).unwrap();
        if !broken.iter().eq(expected) {
            wrong.push(format!("{}: {broken:?} instead of {expected:?}", class.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Classes whose data another DEFLATE encoder makes otherwise, or of which only the length counts.
/// Everything else in them is the same.
const OTHER_DATA: [&str; 6] = [
    "C13-fifield-quoted",
    "C14-full-overlap",
    "E01b-crc-bad-deflate",
    "E08-ratio-bomb",
    "E08b-ratio-bomb-lying",
    "E18-nested-zip",
];

/// The records of a plain archive without its data, and without what depends on their length: the
/// compressed sizes, the offsets, and the CRC-32, since the bomb's entries quote all of these.
fn without_data(bytes: &[u8]) -> Vec<Vec<u8>> {
    let number = |record: &[u8], at: usize, len: usize| {
        record[at..at + len].iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
    };
    let (files, end) = bytes.split_at(bytes.len() - 22);
    let mut at = number(end, 16, 4);
    let mut end = end.to_vec();
    end[16..20].fill(0);
    let mut records = vec![end];
    while at < files.len() {
        let lens = [28, 30, 32].map(|field| number(files, at + field, 2));
        let mut central = files[at..at + 46 + lens.iter().sum::<usize>()].to_vec();
        at += central.len();
        let local_at = number(&central, 42, 4);
        let lens = [26, 28].map(|field| number(files, local_at + field, 2));
        let mut local = files[local_at..local_at + 30 + lens.iter().sum::<usize>()].to_vec();
        local[14..22].fill(0);
        central[16..24].fill(0);
        central[42..46].fill(0);
        records.extend([local, central]);
    }
    records
}

#[test]
fn each_class_is_the_archive_of_its_id_byte_for_byte() {
    let test = "each_class_is_the_archive_of_its_id_byte_for_byte";
    let Some(folder) = corpora(test) else { return };
    let folder = folder.join("own-classes");
    let table = std::fs::read_to_string(folder.join("RULES.tsv")).expect("a table");
    let mut rows: BTreeMap<&str, &str> = BTreeMap::new();
    for row in table.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        rows.insert(fields[0], fields[2]);
    }
    let mut wrong = Vec::new();
    for class in classes::all() {
        let letter = match class.taken() {
            Taken::Nowhere => "R",
            Taken::InPart => "r",
            Taken::UnlessStrict => "S",
            Taken::Whole => "A",
        };
        let row = rows.remove(class.id);
        if row != Some(letter) {
            wrong.push(format!("{}: {letter}, in the table {row:?}", class.id));
        }
        let there = std::fs::read(folder.join(format!("{}.zip", class.id))).expect("an archive");
        let is_same = if OTHER_DATA.contains(&class.id) {
            without_data(&there) == without_data(&class.bytes)
        } else {
            there == class.bytes
        };
        if !is_same {
            wrong.push(format!("{}: other bytes", class.id));
        }
    }
    assert!(rows.is_empty(), "without a class: {rows:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn five_gigabytes_that_overlap_in_a_small_file_give_only_their_kernel() {
    const KERNEL_LEN: usize = 21_800_000;
    let bytes = Bytes::from(quoted_overlap(250, KERNEL_LEN));
    assert!(bytes.len() < 50_000, "{} bytes", bytes.len());
    let archive = Archive::open(Counting::new(bytes)).unwrap();
    let declared = archive.directory().entries().map(|entry| entry.declared_uncompressed_size);
    assert!(declared.sum::<u64>() > 5_000_000_000);

    let find = |number: usize| archive.find(number.to_string().as_bytes()).unwrap().unwrap();
    let _ = archive.source().take();
    for number in 0..249 {
        let refusal = archive.read(&find(number)).unwrap_err();
        assert!(matches!(refusal, Error::Entry(Refusal { rule: Rule::Overlap, .. })), "{refusal}");
    }
    assert_eq!(archive.source().take(), [], "refused by the directory alone");
    assert_eq!(content_of(&archive, &find(249)), Ok(vec![0; KERNEL_LEN]));
}

//! A part of an archive as an archive of its own: read back by everything at hand, in any range,
//! and through HTTP.

use std::collections::BTreeMap;
use std::io;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use entryway::sidecar::{Binding, Sidecar, SortedSidecar, write};
use entryway::source::testing::{Counting, Sluggish};
use entryway::{
    Archive, Error, FileSource, ReadAt, Rule, SortedDirectory, SortedEntries, Source, Subset,
    SubsetError, SubsetSegment,
};
use entryway_http::{EntryBody, Outcome, RequestHead, plan, subset_body, subset_headers};
use entryway_testkit::builder::{self, DescriptorForm, Entry, Saturated};
use entryway_testkit::fixtures::{noise, text};
use entryway_testkit::sparse::{Giant, Sparse, many_entries};
use entryway_testkit::{extra, oracle, samples};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;

use super::{assert_agrees, built, content_of, on_disk, standings};
use entryway_tests_shared::machine::{has_command, skip};

const GIB: u64 = 1 << 30;
const DIGEST: [u8; 32] = [0x5a; 32];

/// A subset seen as a file: what it says of its bytes, over the archive's.
struct View<A> {
    subset: Arc<Subset>,
    archive: A,
}

impl<A: ReadAt> ReadAt for View<A> {
    fn len(&self) -> u64 {
        self.subset.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.subset.len().min(offset + buffer.len() as u64).max(offset);
        if offset >= end {
            return Ok(0);
        }
        let mut filled = 0;
        for segment in self.subset.segments(offset..end) {
            match segment {
                SubsetSegment::Literal(bytes) => {
                    assert!(!bytes.is_empty() && bytes.len() <= 64 << 10);
                    buffer[filled..filled + bytes.len()].copy_from_slice(&bytes);
                    filled += bytes.len();
                }
                SubsetSegment::Source(extent) => {
                    assert!(!extent.is_empty());
                    let until = filled + (extent.end - extent.start) as usize;
                    let mut at = extent.start;
                    while filled < until {
                        let len = self.archive.read_at(at, &mut buffer[filled..until])?;
                        assert_ne!(len, 0, "the archive ends early");
                        filled += len;
                        at += len as u64;
                    }
                }
            }
        }
        assert_eq!(filled as u64, end - offset);
        Ok(filled)
    }
}

/// The whole of a small subset.
pub(super) fn bytes_of<A: ReadAt>(subset: &Arc<Subset>, archive: A) -> Bytes {
    let mut bytes = vec![0; subset.len() as usize];
    let view = View { subset: Arc::clone(subset), archive };
    assert_eq!(view.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes.into()
}

/// Plans over an archive that nobody has verified.
pub(super) fn planned<S: ReadAt>(
    archive: &Archive<S>,
    patterns: &[&str],
) -> Result<Arc<Subset>, SubsetError> {
    let mut sorted = SortedDirectory::new(archive);
    Subset::plan(&mut sorted, archive.source(), patterns).map(Arc::new)
}

/// A verified archive: its sidecar, in pages.
fn sidecar_of(archive: &Archive<Bytes>) -> Sidecar<Bytes> {
    let len = ReadAt::len(archive.source());
    let binding = Binding { sha256: DIGEST, len, modified_nanos: 7 };
    let standings: Vec<_> = standings(archive).into_iter().map(|(_, it)| it).collect();
    let pages = write(archive.directory(), &binding, &standings, archive.policy().duplicates);
    Sidecar::open_within(Bytes::from(pages), &binding, archive.policy())
        .expect("a sidecar just written")
}

/// Plans over an archive with a sidecar.
pub(super) fn planned_verified(
    archive: &Archive<Bytes>,
    patterns: &[&str],
) -> Result<Arc<Subset>, SubsetError> {
    let sidecar = sidecar_of(archive);
    let mut sorted = SortedSidecar::new(&sidecar, archive.source()).unwrap();
    Subset::plan(&mut sorted, archive.source(), patterns).map(Arc::new)
}

/// One of everything that is copied.
fn mixed() -> builder::Archive {
    let form = |signature, wide| DescriptorForm { signature, wide };
    let (log, bin) = (text(70_000, 1), noise(3_000, 2));
    builder::Archive::new()
        .prefix("#!/bin/sh\nexit\n", true)
        .comment("left behind")
        .entry(Entry::deflated("z/deflated.txt", &log))
        .entry(Entry::stored("z/stored.bin", &bin))
        .entry(Entry::directory("z/"))
        .entry(Entry::directory("empty/"))
        .entry(Entry::symlink("link", "z/stored.bin"))
        .entry(Entry::stored("d/signed", &bin).descriptor(form(true, false)))
        .entry(Entry::deflated("d/unsigned", &log).descriptor(form(false, false)))
        .entry(Entry::deflated("d/signed64", &log).descriptor(form(true, true)))
        .entry(Entry::stored("d/unsigned64", &bin).descriptor(form(false, true)))
        .entry(Entry::deflated("zip64", &log).zip64(Saturated::SIZES, Saturated::ALL))
        .entry(Entry::stored("./dot/file", "dot"))
        .entry(Entry::deflated(b"\x82/\x81.txt", "code page 437"))
        .entry(Entry::deflated("\u{65e5}\u{672c}.txt", "UTF-8"))
        .entry(Entry { mode: None, ..Entry::stored("dos", "made on MS-DOS") })
        .entry(Entry::stored("script", "#!/bin/sh\n").mode(0o100_755))
        .entry(Entry::stored("none", ""))
        .entry(Entry::raw("no-data", 8, "", 0, 0))
        .entry(Entry {
            comment: b"a comment".to_vec(),
            modified: (0x2345, 0x6789),
            ..Entry::deflated("fields", &log)
                .extra(extra::extended_timestamp(1_700_000_000))
                .extra(extra::field(0x7875, b"\x01\x04\xe8\x03\0\0\x04\xe8\x03\0\0"))
                .extra(extra::field(0xd935, &[0; 7]))
        })
        .entry(Entry::stored("named", "by a path").unicode_path("n\u{e4}med"))
}

/// Raw name and content of what can be read.
pub(super) fn contents(bytes: &Bytes) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let archive = Archive::open(bytes.clone()).unwrap();
    let read = super::read_all(&archive);
    assert!(read.is_sorted_by(|a, b| a.0 < b.0) || read.len() < 2, "sorted, each once");
    read.into_iter().map(|(name, content)| (name, content.unwrap())).collect()
}

#[test]
fn what_is_selected_reads_as_in_the_archive() {
    let bytes = built(&mixed());
    let archive = Archive::open(bytes.clone()).unwrap();
    let whole: BTreeMap<_, _> = super::read_all(&archive)
        .into_iter()
        .map(|(name, content)| (name, content.unwrap()))
        .collect();
    for patterns in [
        vec!["**"],
        vec!["z", "link"],
        vec!["d/*"],
        vec!["dot"],
        vec!["\u{e9}", "n\u{e4}med", "empty/"],
        vec!["zip64", "fields"],
        vec!["no-data"],
    ] {
        let subset = planned(&archive, &patterns).unwrap();
        let part = bytes_of(&subset, bytes.clone());
        assert_agrees(&format!("{patterns:?}"), &part);
        assert!(oracle::read(&part).unwrap().iter().all(|entry| entry.verdict.is_ok()));
        let selected: Vec<_> = subset.raw_names().map(<[u8]>::to_vec).collect();
        assert!(selected.is_sorted() && selected.len() == subset.entries());
        let expected: BTreeMap<_, _> =
            selected.iter().map(|name| (name.clone(), whole[name].clone())).collect();
        assert!(contents(&part) == expected, "{patterns:?}");
        // What is known of the entries changes nothing about the bytes.
        let verified = planned_verified(&archive, &patterns).unwrap();
        assert!(bytes_of(&verified, bytes.clone()) == part, "{patterns:?}");
    }
    assert_eq!(planned(&archive, &["**"]).unwrap().entries(), archive.directory().len());
}

#[test]
fn headers_are_written_anew_and_keep_what_describes_the_file() {
    let bytes = built(&mixed());
    let archive = Archive::open(bytes.clone()).unwrap();
    let part = bytes_of(&planned(&archive, &["**"]).unwrap(), bytes.clone());
    let copy = Archive::open(part.clone()).unwrap();
    assert_eq!(copy.directory().extent().base_offset, 0);
    assert_eq!(copy.directory().extent().end_record_offset + 22, part.len() as u64);
    let mut originals = SortedDirectory::new(&archive);
    for (index, entry) in copy.directory().entries().enumerate() {
        let header = copy.directory().header(&entry);
        let found = originals.found(index as u64).unwrap();
        let original = originals.header(index as u64).unwrap();
        let name = String::from_utf8_lossy(header.name);
        assert_eq!(header.name, original.name);
        assert_eq!(header.comment, original.comment, "{name}");
        assert_eq!(header.version_made_by, original.version_made_by, "{name}");
        assert_eq!(header.external_attributes, original.external_attributes, "{name}");
        assert_eq!(
            (header.modified_time, header.modified_date),
            (original.modified_time, original.modified_date)
        );
        assert_eq!(entry.declared_uncompressed_size, found.entry.declared_uncompressed_size);
        assert!(!entry.flags.has_data_descriptor(), "{name}");
        assert_eq!(entry.flags.is_utf8(), original.flags.is_utf8(), "{name}");
        assert!(!header.saturated().any(), "{name}");
        let empty = entry.declared_compressed_size == 0;
        assert_eq!(entry.method.0, if empty { 0 } else { original.method.0 }, "{name}");
        // The data is the same bytes.
        let (from, to) = (data_of(&archive, header.name), data_of(&copy, header.name));
        assert!(from == to, "{name}");
    }
    let fields = copy.find(b"fields").unwrap().unwrap();
    let expected = [
        extra::field(0x5455, &[&[1][..], &1_700_000_000_u32.to_le_bytes()].concat()),
        extra::field(0x7875, b"\x01\x04\xe8\x03\0\0\x04\xe8\x03\0\0"),
    ]
    .concat();
    assert_eq!(copy.directory().header(&fields.entry).extra, expected);
    // The same fields in front of the data.
    let start = fields.entry.local_header_offset as usize + 30 + "fields".len();
    assert_eq!(part[start..start + expected.len()], expected);
    let named = copy.find("n\u{e4}med".as_bytes()).unwrap().unwrap();
    assert_eq!(&named.raw_name[..], b"named");
}

/// The compressed data of an entry.
fn data_of(archive: &Archive<Bytes>, name: &[u8]) -> Bytes {
    let found = super::verified(archive, name);
    let data = found.data_extent().expect("a good entry");
    archive.source().slice(data.start as usize..data.end as usize)
}

#[test]
fn the_good_archives_of_every_form_can_be_taken_apart() {
    for sample in samples::good() {
        let bytes = built(&sample.archive);
        let archive = Archive::open(bytes.clone()).unwrap();
        let mut expected: BTreeMap<_, _> = sample.contents.iter().cloned().collect();
        if expected.is_empty() {
            continue;
        }
        let part = bytes_of(&planned(&archive, &["**"]).unwrap(), bytes.clone());
        assert_agrees(sample.name, &part);
        assert!(contents(&part) == expected, "{}", sample.name);
        for (name, content) in std::mem::take(&mut expected) {
            // No path means the root's own entry.
            let Some(pattern) = std::str::from_utf8(&name).ok().filter(|name| *name != "./") else {
                continue;
            };
            let subset = planned_verified(&archive, &[pattern]).unwrap();
            let part = bytes_of(&subset, bytes.clone());
            assert_agrees(sample.name, &part);
            assert!(contents(&part)[&name] == content, "{}: {pattern}", sample.name);
        }
    }
}

#[test]
fn no_pattern_makes_the_empty_archive() {
    let bytes = built(&mixed());
    let archive = Archive::open(bytes.clone()).unwrap();
    let part = bytes_of(&planned(&archive, &[]).unwrap(), bytes);
    assert_eq!(part.len(), 22);
    assert!(contents(&part).is_empty());
}

#[test]
fn any_range_is_that_of_the_whole() {
    let bytes = built(
        &builder::Archive::new()
            .entry(Entry::stored("b", "0123456789"))
            .entry(Entry::deflated("left out", text(100, 1)))
            .entry(Entry::stored("a", ""))
            .entry(Entry::deflated("c/d", "hello hello hello")),
    );
    let archive = Archive::open(bytes.clone()).unwrap();
    let subset = planned(&archive, &["a", "b", "c"]).unwrap();
    let whole = bytes_of(&subset, bytes.clone());
    let view = View { subset, archive: bytes };
    for start in 0..=whole.len() {
        for end in start..=whole.len() {
            let mut part = vec![0; end - start];
            view.read_at(start as u64, &mut part).unwrap();
            assert!(part == whole[start..end], "{start}..{end}");
        }
    }
}

#[test]
fn an_entry_that_is_not_served_refuses_the_whole_and_is_named() {
    let good = || Entry::stored("good", "good");
    type Edited = (&'static str, Entry, Rule);
    let rows: [Edited; 6] = [
        ("encrypted", Entry::stored("x/bad", "x").flags(1), Rule::Encrypted),
        ("unknown method", Entry::raw("x/bad", 97, "x", 0, 1), Rule::Method),
        (
            "another local name",
            Entry::stored("x/bad", "x").edit_local(|header| header.name[0] = b'y'),
            Rule::LocalName,
        ),
        (
            "another local CRC-32",
            Entry::stored("x/bad", "x").edit_local(|header| header.crc32 ^= 1),
            Rule::LocalCrc,
        ),
        (
            "a lying descriptor",
            Entry::stored("x/bad", "x")
                .descriptor(DescriptorForm { signature: true, wide: false })
                .edit_descriptor(|descriptor| descriptor.crc32 ^= 1),
            Rule::Descriptor,
        ),
        ("climbing", Entry::stored("x/../bad", "x"), Rule::NameDots),
    ];
    for (what, bad, rule) in rows {
        let name = bad.name.clone();
        let bytes = built(&builder::Archive::new().entry(good()).entry(bad));
        let archive = Archive::open(bytes.clone()).unwrap();
        for outcome in [planned(&archive, &["**"]), planned_verified(&archive, &["good", "x"])] {
            match outcome {
                Err(SubsetError::Refused { raw_name, refusal }) => {
                    assert_eq!((&raw_name[..], refusal.rule), (&name[..], rule), "{what}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        let part = bytes_of(&planned_verified(&archive, &["good"]).unwrap(), bytes);
        assert_eq!(contents(&part)[&b"good"[..]], b"good", "{what}");
    }
    // Only a verification sees this; nobody who knows of it sends it on.
    let corrupt = Entry { crc32: 1, ..Entry::stored("x", "x") };
    let archive = Archive::open(built(&builder::Archive::new().entry(corrupt))).unwrap();
    assert!(planned(&archive, &["x"]).is_ok());
    let known = planned_verified(&archive, &["x"]);
    assert!(
        matches!(known, Err(SubsetError::Refused { refusal, .. }) if refusal.rule == Rule::Crc)
    );
}

#[test]
fn duplicates_refuse_but_empty_directories_are_copied_once() {
    let archive = |name: &str| {
        let zip = builder::Archive::new()
            .entry(Entry::stored(name, ""))
            .entry(Entry::stored("a/b", "b"))
            .entry(Entry::stored(name, ""));
        Archive::open(built(&zip)).unwrap()
    };
    let twice = archive("a/");
    let subset = planned(&twice, &["a"]).unwrap();
    assert_eq!(subset.raw_names().collect::<Vec<_>>(), [&b"a/"[..], b"a/b"]);
    assert_eq!(contents(&bytes_of(&subset, twice.source().clone())).len(), 2);
    let refused = planned(&archive("c"), &["c"]);
    assert!(
        matches!(&refused, Err(SubsetError::Refused { raw_name, refusal })
            if raw_name == "c" && refusal.rule == Rule::Duplicate),
        "{refused:?}"
    );
}

#[test]
fn planning_over_verified_entries_reads_the_directory_alone() {
    let names = (0..2_000).map(|n| format!("d{}/{n}", n % 20));
    let zip = builder::Archive::new().entries(names.map(|name| Entry::stored(name, text(500, 1))));
    let archive = Archive::open(built(&zip)).unwrap();
    let sidecar = sidecar_of(&archive);
    let source = Counting::new(archive.source().clone());
    let mut sorted = SortedSidecar::new(&sidecar, &source).unwrap();
    let subset = Subset::plan(&mut sorted, &source, &["d7"]).unwrap();
    assert_eq!(subset.entries(), 100);
    let directory = archive.directory().extent().extent.clone();
    let asked = source.take();
    assert!(asked.iter().all(|it| it.start >= directory.start && it.end <= directory.end));
    assert!(asked.len() < 500, "{} reads", asked.len());
    // Header, name and 24 bytes for each entry.
    assert!(subset.heap_len() <= 100 * (46 + 8 + 24) + 22, "{}", subset.heap_len());
}

/// A file of holes as a source.
#[derive(Clone)]
struct Holes(Sparse);

impl ReadAt for Holes {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.read_at(offset, buffer))
    }
}

#[test]
fn a_giant_is_laid_out_with_zip64_fields_where_they_are_needed() {
    for len in [4 * GIB - 2, 4 * GIB - 1, 4 * GIB, 5 * GIB] {
        let giant = Giant::stored_zeros(len);
        let archive = Archive::open(Holes(giant.archive.clone())).unwrap();
        let subset = planned(&archive, &["*"]).unwrap();
        let view = View { subset: Arc::clone(&subset), archive: Holes(giant.archive.clone()) };
        let copy = Archive::open(view).unwrap();
        assert_eq!(copy.directory().len(), 3, "{len}");
        for entry in copy.directory().entries() {
            let header = copy.directory().header(&entry);
            let original = archive.find(header.name).unwrap().unwrap().entry;
            assert_eq!(entry.declared_compressed_size, original.declared_compressed_size);
            assert_eq!(entry.declared_crc32, original.declared_crc32);
            let is_large = [entry.declared_compressed_size, entry.local_header_offset]
                .iter()
                .any(|&number| number >= u32::MAX.into());
            assert_eq!(header.saturated().any(), is_large, "{len}");
            assert_eq!(header.extra.starts_with(&[1, 0]), is_large, "{len}");
            assert!(header.version_needed >= 45 || !is_large, "{len}");
        }
        for (name, content) in
            [("before.txt", "before the zeros\n"), ("after.txt", "after the zeros\n")]
        {
            let found = copy.find(name.as_bytes()).unwrap().unwrap();
            assert_eq!(content_of(&copy, &found), Ok(content.into()), "{len}");
        }
        // The local header of the zeros is held to the directory too.
        let zeros = copy.find(b"zeros.bin").unwrap().unwrap();
        let mut reader = copy.read(&zeros).unwrap();
        assert!(reader.next_chunk().unwrap().unwrap().iter().all(|&byte| byte == 0), "{len}");

        let part = SparseCopy::of(&subset, &giant);
        part.is_read_by_python(&["after.txt", "before.txt", "zeros.bin"]);
    }
}

/// The bytes of a subset of a giant, in a file of holes.
struct SparseCopy(tempfile::NamedTempFile);

impl SparseCopy {
    fn of(subset: &Arc<Subset>, giant: &Giant) -> Self {
        let mut sparse = Sparse::new(subset.len());
        let mut at = 0;
        for segment in subset.segments(0..subset.len()) {
            let bytes = match segment {
                SubsetSegment::Literal(bytes) => bytes.to_vec(),
                SubsetSegment::Source(extent) if extent.end - extent.start > 1 << 20 => {
                    at += extent.end - extent.start;
                    continue;
                }
                SubsetSegment::Source(extent) => giant.archive.read(extent),
            };
            let next = at + bytes.len() as u64;
            sparse = sparse.span(at, bytes);
            at = next;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        sparse.write_to(&mut file.reopen().unwrap()).unwrap();
        Self(file)
    }

    fn is_read_by_python(&self, names: &[&str]) {
        const SCRIPT: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    for info in z.infolist():
        with z.open(info) as f:
            f.read(10)
        print(info.filename)
";
        if !has_command("python3") {
            return skip(
                "a_giant_is_laid_out_with_zip64_fields_where_they_are_needed",
                "no python3",
            );
        }
        let output = Command::new("python3").args(["-c", SCRIPT]).arg(self.0.path()).output();
        let printed: String = names.iter().map(|name| format!("{name}\n")).collect();
        assert_eq!(said(&output.unwrap()), printed);
    }
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

#[test]
fn more_entries_than_an_end_record_counts_have_a_zip64_record() {
    for count in [65_534, 65_535, 65_537] {
        let bytes = built(&many_entries(count));
        let archive = Archive::open(bytes.clone()).unwrap();
        let subset = planned(&archive, &["**"]).unwrap();
        let part = bytes_of(&subset, bytes);
        let has_zip64 = part[part.len() - 42..].starts_with(b"PK\x06\x07");
        assert_eq!(has_zip64, count >= 65_535, "{count}");
        let copy = Archive::open(part).unwrap();
        assert_eq!(copy.directory().len(), count);
        let last = copy.directory().entries().last().unwrap();
        assert!(content_of(&copy, &copy.describe(&last)).is_ok());
    }
}

/// What Python's zipfile makes of an archive: a line for each entry.
const DESCRIBE: &str = "
import sys, zipfile, zlib
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None
    for info in sorted(z.infolist(), key=lambda info: info.filename):
        content = z.read(info)
        print(ascii(info.filename), len(content), zlib.crc32(content), info.date_time,
              info.external_attr, info.create_system, info.comment)
";

#[test]
fn other_readers_read_a_subset_as_they_read_the_archive() {
    const NAME: &str = "other_readers_read_a_subset_as_they_read_the_archive";
    // Not every reader takes a prefix and an empty DEFLATE stream; the subset has neither.
    let bytes = built(&builder::Archive { prefix: Vec::new(), ..mixed() });
    let archive = Archive::open(bytes.clone()).unwrap();
    let part = bytes_of(&planned(&archive, &["**"]).unwrap(), bytes.clone());
    let (whole_file, _) = on_disk(&bytes);
    let (part_file, _) = on_disk(&part);
    if has_command("python3") {
        let describe = |file: &tempfile::NamedTempFile| {
            let output = Command::new("python3").args(["-c", DESCRIBE]).arg(file.path()).output();
            said(&output.unwrap())
        };
        let printed = describe(&part_file);
        assert_eq!(printed, describe(&whole_file));
        assert_eq!(printed.lines().count(), archive.directory().len(), "{printed}");
    } else {
        skip(NAME, "no python3");
    }
    for (program, arguments) in
        [("unzip", &["-tq"][..]), ("7z", &["t", "-bd"]), ("bsdtar", &["-tf"])]
    {
        if !has_command(program) {
            skip(NAME, &format!("no {program}"));
            continue;
        }
        let output = Command::new(program).args(arguments).arg(part_file.path()).output().unwrap();
        let said = said(&output);
        assert!(output.status.success(), "{program}: {said}");
        assert!(!said.to_lowercase().contains("warning"), "{program}: {said}");
    }
}

/// What a request for a subset comes to.
struct Answer {
    outcome: Outcome,
    status: StatusCode,
    headers: HeaderMap,
    body: Result<Vec<u8>, Error>,
}

/// Takes a body to its end.
async fn taken<S: Source + Unpin>(mut body: EntryBody<S>) -> Result<Vec<u8>, Error> {
    let declared = body.remaining();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let chunk = frame?.into_data().expect("only data");
        assert!(!chunk.is_empty() && chunk.len() <= 64 << 10, "{} bytes", chunk.len());
        bytes.extend_from_slice(&chunk);
        assert_eq!(body.remaining(), declared - bytes.len() as u64);
    }
    assert_eq!(bytes.len() as u64, declared, "a body ended short without an error");
    Ok(bytes)
}

async fn answer<S: Source + Unpin>(
    source: S,
    subset: &Arc<Subset>,
    method: Method,
    fields: &[(HeaderName, &str)],
) -> Answer {
    let entry = subset_headers(subset, &DIGEST, SystemTime::UNIX_EPOCH + Duration::from_secs(9));
    let value = |text: &&str| HeaderValue::from_str(text).expect("a value");
    let request: HeaderMap =
        fields.iter().map(|(name, text)| (name.clone(), value(text))).collect();
    let plan = plan(&RequestHead { method: &method, headers: &request }, entry.metadata());
    let mut headers = HeaderMap::new();
    let multipart = entry.write(&plan, &HeaderValue::from_static("private"), &mut headers);
    let body = taken(subset_body(source, subset, &plan, multipart)).await;
    if let (Outcome::Whole | Outcome::Part(_) | Outcome::Parts(_), true, Ok(body)) =
        (&plan.outcome, method == Method::GET, &body)
    {
        assert_eq!(headers[header::CONTENT_LENGTH], body.len().to_string());
    }
    Answer { status: plan.status(), outcome: plan.outcome, headers, body }
}

#[tokio::test]
async fn a_subset_is_answered_as_a_file_is() {
    let bytes = built(&mixed());
    let archive = Archive::open(bytes.clone()).unwrap();
    let subset = planned_verified(&archive, &["z", "d", "fields"]).unwrap();
    let whole = bytes_of(&subset, bytes.clone());
    let (_file, file) = on_disk(&bytes);
    let len = whole.len();

    let get = answer(file.clone(), &subset, Method::GET, &[]).await;
    assert_eq!(get.status, StatusCode::OK);
    assert!(get.body.unwrap() == whole);
    assert_eq!(get.headers[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(get.headers[header::ACCEPT_RANGES], "bytes");
    let disposition = get.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"artifacts.zip\""), "{disposition}");
    let etag = get.headers[header::ETAG].to_str().unwrap().to_owned();

    let head = answer(file.clone(), &subset, Method::HEAD, &[(header::RANGE, "bytes=0-1")]).await;
    assert_eq!(head.headers, get.headers, "HEAD has the fields of GET");
    assert_eq!(head.body.unwrap(), b"");

    let coded = answer(file.clone(), &subset, Method::GET, &[(header::ACCEPT_ENCODING, "gzip")]);
    assert!(coded.await.headers.get(header::CONTENT_ENCODING).is_none());
    for (field, status) in
        [(header::IF_NONE_MATCH, StatusCode::NOT_MODIFIED), (header::IF_MATCH, StatusCode::OK)]
    {
        let answer = answer(file.clone(), &subset, Method::GET, &[(field, &etag)]).await;
        assert_eq!(answer.status, status);
    }
    let other = answer(file.clone(), &subset, Method::GET, &[(header::IF_MATCH, "\"x\"")]).await;
    assert_eq!(other.status, StatusCode::PRECONDITION_FAILED);
    let past = format!("bytes={len}-");
    let past = answer(file.clone(), &subset, Method::GET, &[(header::RANGE, &past)]).await;
    assert_eq!(past.status, StatusCode::RANGE_NOT_SATISFIABLE);

    for range in ["bytes=0-0", "bytes=20-", "bytes=-30", "bytes=1000-70000", "bytes=5-5,90-200"] {
        let fields = [(header::RANGE, range), (header::IF_RANGE, &etag)];
        let sluggish = Sluggish { inner: bytes.clone(), step: 1 << 10 };
        let from_file = answer(file.clone(), &subset, Method::GET, &fields).await;
        let from_sluggish = answer(sluggish, &subset, Method::GET, &fields).await;
        assert_eq!(from_file.status, StatusCode::PARTIAL_CONTENT);
        let body = from_file.body.unwrap();
        assert!(from_sluggish.body.unwrap() == body, "{range}");
        match from_file.outcome {
            Outcome::Part(range) => {
                assert!(body == whole[range.start() as usize..range.end() as usize]);
            }
            Outcome::Parts(ranges) => {
                for range in ranges {
                    let part = &whole[range.start() as usize..range.end() as usize];
                    assert!(body.windows(part.len()).any(|window| window == part));
                }
            }
            other => panic!("{range}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn entity_tags_follow_the_selection_and_not_the_patterns() {
    let bytes = built(&mixed());
    let archive = Archive::open(bytes.clone()).unwrap();
    let tag = |patterns: &[&str]| {
        let subset = planned(&archive, patterns).unwrap();
        let entry = subset_headers(&subset, &DIGEST, SystemTime::UNIX_EPOCH);
        entry.metadata().entity_tag.clone()
    };
    assert_eq!(tag(&["z"]), tag(&["z/stored.bin", "z/", "z/*"]));
    assert_ne!(tag(&["z"]), tag(&["z/*.bin"]));
    assert_ne!(tag(&["z"]), tag(&["z", "link"]));
}

#[tokio::test]
async fn a_file_changed_after_it_was_planned_never_makes_a_complete_body() {
    let bytes = built(&mixed());
    let archive = Archive::open(bytes.clone()).unwrap();
    let subset = planned_verified(&archive, &["**"]).unwrap();
    let change: [fn(&std::fs::File); 2] = [
        |file| file.set_len(1_000).unwrap(),
        |file| file.set_modified(SystemTime::UNIX_EPOCH).unwrap(),
    ];
    for change in change {
        for waits in [false, true] {
            let (named, file) = on_disk(&bytes);
            change(named.as_file());
            let outcome = if waits {
                let sluggish: Sluggish<FileSource> = Sluggish { inner: file, step: 1 << 20 };
                answer(sluggish, &subset, Method::GET, &[]).await
            } else {
                answer(file, &subset, Method::GET, &[]).await
            };
            assert!(outcome.body.is_err());
        }
    }
}

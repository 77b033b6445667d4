//! Writes the seeds of the fuzz targets: `cargo run --example write_seeds seeds`, in fuzz/.
//!
//! The seeds are committed; run this when a form of archive or request is to be started from that
//! no seed has yet. Contents are deterministic, so that a run changes only what was changed here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use entryway_fuzz::answer::{Input, TAG};
use entryway_fuzz::{decode, range, sidecar};
use entryway_http::RangeSupport;
use entryway_testkit::builder::{Archive, DescriptorForm, Entry, Place, Saturated, Zip64End};
use entryway_testkit::fixtures::{crc32, deflate, text};
use entryway_testkit::overlap::quoted_overlap;
use entryway_testkit::{extra, samples};

/// A larger seed slows the fuzzer more than it shows it.
const SEED_LEN_MAX: usize = 8 * 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: write_seeds FOLDER")?);
    let good = samples::good().into_iter().map(|sample| (sample.name, sample.archive.build()));
    write_all(&folder.join("answer"), requests())?;
    write_all(&folder.join("archives"), good.chain(hostile()))?;
    write_all(&folder.join("decode"), streams())?;
    write_all(&folder.join("disposition"), names())?;
    write_all(&folder.join("range"), ranges())?;
    write_all(&folder.join("route"), heads())?;
    write_all(&folder.join("webhook"), bodies())?;
    write_sidecars(&folder.join("sidecar"))?;
    Ok(())
}

/// Sidecars that are no more what the archives have. The key of the names is another one in each
/// run, so that one that reads back stays: it shows that what was written before still does.
fn write_sidecars(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, (known, name)) in sidecar::ARCHIVES.iter().zip(sidecar::NAMES).enumerate() {
        let path = folder.join(name);
        let old = fs::read(&path).unwrap_or_default();
        if old.split_first().is_some_and(|(_, old)| sidecar::reads_back(known, old)) {
            continue;
        }
        let (directory, standings) = (known.archive.directory(), &known.standings);
        let written = entryway::sidecar::write(
            directory,
            &known.binding,
            standings,
            entryway::Duplicates::Refuse,
        );
        fs::write(path, [&[number as u8][..], &written].concat())?;
    }
    Ok(())
}

/// Names of entries as the input of `disposition`: raw name and the name to show are one.
fn names() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let long = "\u{e9}".repeat(200);
    let names: [(&str, &[u8]); 9] = [
        ("plain", b"dir/a.txt"),
        ("quote and backslash", b"a\"b\\c.txt"),
        ("percent sign", b"100%41.txt"),
        ("line break", b"a\r\nX-Field: y"),
        ("not UTF-8", b"caf\xe9"),
        ("turned about", "a\u{202e}gpj.exe".as_bytes()),
        ("long", long.as_bytes()),
        ("no last segment", b"dir/"),
        ("semicolon", b"a; filename=b"),
    ];
    let inputs = names.map(|(name, entry)| (name, [&[255], entry].concat()));
    let shown: [(&str, &[u8]); 2] =
        [("shown otherwise", b"\x05a.txtb.txt"), ("nothing shown", b"\x05a.txt")];
    inputs.into_iter().chain(shown.map(|(name, input)| (name, input.to_vec())))
}

/// Range fields, one form each.
fn ranges() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let eight = "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14";
    let nine = format!("{eight},16-16");
    let values: [(&str, u64, &[&str]); 12] = [
        ("one", 100, &["bytes=0-9"]),
        ("open", 100, &["bytes=50-"]),
        ("suffix", 100, &["bytes=-10"]),
        ("several", 100, &["bytes=0-9, 20-29 ,,-5"]),
        ("bridged", 100, &["bytes=20-29,0-9,10-19"]),
        ("eight", 100, &[eight]),
        ("nine", 100, &[&nine]),
        ("past the end", 100, &["bytes=100-,-0"]),
        ("of nothing", 0, &["bytes=0-,-1"]),
        ("largest", u64::MAX >> 1, &["bytes=9223372036854775806-18446744073709551615"]),
        ("twice", 100, &["bytes=0-1", "bytes=3-4"]),
        ("not valid", 100, &["bytes=5-2"]),
    ];
    let input = |(name, complete_len, values): (&'static str, u64, &[&str])| {
        let values = values.iter().map(|value| value.as_bytes()).collect();
        let ranges = RangeSupport::Any;
        let input = range::Input { complete_len, is_head: false, ranges, values };
        (name, input.to_bytes())
    };
    values.map(input).into_iter()
}

/// Heads of requests, one for each endpoint and each way to write a target.
fn heads() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let projects = "/api/v4/projects";
    let targets: [(&str, &str, String); 24] = [
        ("job archive", "GET", format!("{projects}/7/jobs/100/artifacts")),
        ("some of a job", "GET", format!("{projects}/7/jobs/1/artifacts?path[]=a/b&path%5B%5D=c*")),
        ("job file", "GET", format!("{projects}/g%2Fapp/jobs/100/artifacts/dist/out%20file.txt")),
        (
            "job tree",
            "GET",
            format!("{projects}/7/jobs/1/artifacts/tree?path=a&recursive=1&page=2"),
        ),
        ("an entry called tree", "GET", format!("{projects}/7/jobs/1/artifacts/tree?raw=yes")),
        ("keep", "POST", format!("{projects}/7/jobs/1/artifacts/keep")),
        ("delete", "DELETE", format!("{projects}/7/jobs/1/artifacts")),
        ("delete all", "DELETE", format!("{projects}/7/artifacts")),
        ("latest archive", "GET", format!("{projects}/7/jobs/artifacts/main/download?job=build")),
        ("latest file", "HEAD", format!("{projects}/7/jobs/artifacts/a/b/raw/c/d?job=a+b")),
        ("latest tree", "GET", format!("{projects}/7/jobs/artifacts/a%2Fb/tree?job=x&per_page=9")),
        ("several raw", "GET", format!("{projects}/7/jobs/artifacts/a/raw/raw/b/raw/c?job=x")),
        ("raw and download", "GET", format!("{projects}/7/jobs/artifacts/a/raw/b/download?job=x")),
        (
            "recent",
            "GET",
            format!(
                "{projects}/7/jobs/artifacts/m/raw/x?job=b&search_recent_successful_pipelines=true"
            ),
        ),
        ("dots", "GET", format!("{projects}/7/jobs/1/artifacts/a/%2e%2E/../b")),
        ("twice encoded", "GET", format!("{projects}/7/jobs/1/artifacts/%252e%252e/%2541")),
        ("control", "GET", format!("{projects}/7/jobs/1/artifacts/a%00%0a%7f")),
        ("drive", "GET", format!("{projects}/7/jobs/1/artifacts/c:%5Ca")),
        ("tokens", "GET", format!("{projects}/7/jobs/1/artifacts/a?private_token=t;job_token=u")),
        ("upload", "POST", "/api/v4/jobs/5/artifacts?artifact_type=archive&expire_in=1+day".into()),
        ("runner", "GET", "/api/v4/jobs/5/artifacts?direct_download=true".into()),
        ("ingest", "PUT", "/ingest/v1/projects/g%2Fapp/pipelines/5".into()),
        ("absolute", "GET", "http://host.example:80/-/health".into()),
        ("asterisk", "OPTIONS", "*".into()),
    ];
    targets.into_iter().map(|(name, method, target)| {
        let fields = "Host: host.example:80\r\nPRIVATE-TOKEN: x\r\n";
        (name, format!("{method} {target} HTTP/1.1\r\n{fields}\r\n").into_bytes())
    })
}

/// Bodies of webhooks and of the ingest routes.
fn bodies() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let times =
        r#""created_at":"2026-03-01 07:00:00 UTC","finished_at":"2026-03-01 08:00:00 +0100""#;
    let details = r#""created_at":"2026-01-01T00:00:01Z","coverage":87.5,"failure_reason":null,
        "commit":{"id":"c0ffee","message":"A\nB"},"user":{"id":3,"groups":["a"]}"#;
    let project = r#""project":{"id":340,"web_url":"https://host/x/tools/anvil",
        "git_ssh_url":"git@host:tools/anvil.git","visibility_level":10,
        "path_with_namespace":"tools/anvil"}"#;
    let commit = r#""commit":{"id":"9d1f","sha":"9d1f","message":"M\n\nN","title":"M",
        "status":"running","author_name":"A","timestamp":"2026-03-01T08:59:21+02:00",
        "author":{"name":"A","email":"a@example.net"}}"#;
    let runner = r#""runner":{"id":6,"description":"forge","tags":["arm"]}"#;
    let pipeline = format!(
        r#"{{"object_kind":"pipeline","object_attributes":{{"id":5120,"ref":"release/2.x",
        "tag":false,"sha":"9d1f","source":"merge_request_event","status":"failed",{times}}},
        "merge_request":{{"iid":7}},"user":{{"id":77,"email":"m@example.net"}},{project},{commit},
        "builds":[{{"id":91002,"stage":"check","name":"lint 1/2","status":"failed",{times},
        "failure_reason":"script_failure","allow_failure":true,{runner},"user":null}}],
        "source_pipeline":{{"project":{{"id":340}},"pipeline_id":9}}}}"#
    );
    let build = format!(
        r#"{{"object_kind":"build","ref":"refs/merge-requests/7/merge","tag":true,"sha":"9d1f",
        "build_id":5,"build_name":"b","build_stage":"s","build_status":"canceling",
        "build_started_at":null,"build_failure_reason":"unknown_failure","pipeline_id":4,
        "build_allow_failure":false,"user":{{"id":1}},{commit},{runner},
        "repository":{{"homepage":"https://host/tools/anvil","visibility_level":20,
        "git_ssh_url":"ssh://git@host:22/tools/anvil.git"}}}}"#
    );
    let ingest_pipeline = format!(
        r#"{{"ref":"main","sha":"r12:/trunk","tag":true,"status":"manual",
        "source":"web","parent_pipeline_id":9,{details}}}"#
    );
    let ingest_job = format!(
        r#"{{"pipeline_id":10,"name":"build 1/2","stage":"test","status":"canceled","retried":true,
        "allow_failure":true,"artifacts_access":"maintainer","locked":true,{details}}}"#
    );
    let bodies = [
        ("pipeline", pipeline),
        ("build", build),
        ("deleted project", r#"{"event_name":"project_destroy","project_id":1}"#.into()),
        ("push", r#"{"object_kind":"push","ref":"refs/heads/main"}"#.into()),
        ("ingest pipeline", ingest_pipeline),
        ("ingest job", ingest_job),
        (
            "ingest project",
            r#"{"visibility":"internal","public_pipelines":false,
            "job_token_allowlist":["lib/core","a/b/c"]}"#
                .into(),
        ),
        ("an id that is none", r#"{"parent_pipeline_id":0}"#.into()),
        ("a name twice", r#"{"tag":true,"t\u0061g":false}"#.into()),
    ];
    bodies.into_iter().map(|(name, body)| (name, body.into_bytes()))
}

fn write_all(
    folder: &Path,
    seeds: impl Iterator<Item = (&'static str, Vec<u8>)>,
) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for (name, bytes) in seeds.filter(|(_, bytes)| bytes.len() <= SEED_LEN_MAX) {
        let name = name.replace(|byte: char| !byte.is_ascii_alphanumeric(), "-");
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// One short stream of each method and one content; those that nothing here writes were made by
/// 7-Zip 26.02, libbz2 1.0.8 and zstd 1.5.
fn streams() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let content = b"a stream, and the same stream again: 0123456789\n".repeat(6);
    let streams: [(&str, u8, Vec<u8>); 9] = [
        ("stored", 0, content.clone()),
        ("deflated", 0, deflate(6, &content)),
        (
            "deflate64",
            0,
            bytes(
                "e5cab90dc0201004c0dc556c010efcf077b31227208000e85f2474413a1a62cc2eac37d82266\
                 160c56d908269616f0bcdfafb4b1ce5fa7fd05",
            ),
        ),
        (
            "bzip2",
            0,
            bytes(
                "425a68393141592653592824deb400003ed980001040047ff026e31c002000705000340c9901\
                 4aa83468646434192cd7b582d4b45aae2b15d1755d964b35dd785a2d56cbcaecbd2d0beae0b0\
                 5b2d17d2f4bf2dc2fcb72de5cc5897f1772453850902824deb40",
            ),
        ),
        (
            "LZMA",
            2,
            bytes(
                "1a0205005d001000000030880a67840f75468436055cf404ab3d10883ac1eb361f4046af82ec\
                 c1784f479a05886468fdd2ae0a4fbad49e6acf36d3fffffd720000",
            ),
        ),
        (
            "LZMA without a marker",
            0,
            bytes(
                "1a0205005d001000000030880a67840f75468436055cf404ab3d10883ac1eb361f4046af82ec\
                 c1784f479a05886468fdd2ae0a4fbad49e6aca28c000",
            ),
        ),
        (
            "zstd",
            0,
            bytes(
                "28b52ffd0458a501009402612073747265616d2c20616e64207468652073616d652061676169\
                 6e3a20303132333435363738390a0200db53d100b3290641825a69",
            ),
        ),
        (
            "XZ",
            0,
            bytes(
                "fd377a585a0000016922de360200210100000000372797d6e0011f00325d0030880a67840f75\
                 468436055cf404ab3d10883ac1eb361f4046af82ecc1784f479a05886468fdd2ae0a4fbad49e\
                 6aca28c0000000003dbebd7000014aa002000000caaab8b73e300d8b020000000001595a",
            ),
        ),
        (
            "PPMd",
            0,
            bytes(
                "070060bf18e9cd031da632c370e4469381ec82351463e2c220b256353c366a135aff0497aeb5\
                 6e8476ff8f62000000436bd92c00",
            ),
        ),
    ];
    let methods = [0u8, 1, 2, 3, 4, 4, 5, 6, 7];
    streams.into_iter().zip(methods).map(move |((name, flags, data), method)| {
        let input = decode::Input {
            method,
            flags,
            memory_log: 12,
            piece: 255,
            uncompressed_size: content.len() as u32,
            crc32: crc32(&content),
            data,
        };
        (name, input.to_bytes())
    })
}

/// Bytes written as hexadecimal digits.
fn bytes(digits: &str) -> Vec<u8> {
    let value = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16);
    digits.as_bytes().chunks(2).map(|pair| value(pair).expect("two digits")).collect()
}

/// Archives that are refused, or hold an entry that is: one for each defect that takes more than a
/// changed byte to make.
fn hostile() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let content = text(300, 1);
    let a = || Entry::deflated("a.txt", &content);
    let b = || Entry::stored("b/c.txt", "stored");
    let two = || Archive::new().entry(a()).entry(b());
    let of = |entries: Vec<Entry>| Archive::new().entries(entries);
    let inner = two().build();
    [
        ("bad two files of one name", of(vec![a(), b(), a()])),
        ("bad many files of one name", {
            // One name in every form: enough for a long probe in every name table.
            let shared = |name: &str| Entry::stored(name, "").place(Place::SharedWith(0));
            let many = (0..140).map(|n| shared(if n % 2 == 0 { "x" } else { "./x" }));
            of([b()].into_iter().chain(many).collect())
        }),
        ("bad file and directory", of(vec![a(), b(), Entry::directory("a.txt/")])),
        ("bad same display name", {
            let shown_as_a = |name| Entry::stored(name, "x").unicode_path("shown.txt");
            of(vec![shown_as_a("one"), shown_as_a("two"), b()])
        }),
        ("bad same name without dot slash", of(vec![b(), Entry::stored("./b/c.txt", "other")])),
        ("bad shared local header", of(vec![a(), b().place(Place::SharedWith(0))])),
        ("bad offset past the directory", of(vec![a(), b().place(Place::At(9_999))])),
        ("bad local name", of(vec![a().edit_local(|it| it.name[0] = b'b'), b()])),
        ("bad local method", of(vec![a().edit_local(|it| it.method = 0), b()])),
        ("bad local CRC-32", of(vec![a().edit_local(|it| it.crc32 ^= 1), b()])),
        ("bad CRC-32 in both", {
            let bad = Entry { crc32: 1, ..a() };
            of(vec![bad, b()])
        }),
        ("bad size too small", of(vec![Entry { uncompressed_len: 299, ..a() }, b()])),
        ("bad size too large", of(vec![Entry { uncompressed_len: 301, ..a() }, b()])),
        ("bad CRC-32 in a descriptor", {
            let entry = a().descriptor(DescriptorForm::SIGNED_32);
            of(vec![entry.edit_descriptor(|it| it.crc32 ^= 1), b()])
        }),
        ("bad data that is cut", {
            let mut entry = a();
            entry.data.truncate(40);
            of(vec![entry, b()])
        }),
        ("bad data behind the stream", {
            let mut entry = a();
            entry.data.extend_from_slice(b"more");
            of(vec![entry, b()])
        }),
        ("bad names", {
            let names = ["../up", "/root", "c:\\x", ".", "nul\0", "back\\slash", ""];
            of(names.into_iter().map(|name| Entry::stored(name, "x")).collect())
        }),
        ("bad kinds", {
            of(vec![
                a().flags(1),
                Entry::stored("patch", "x").flags(1 << 5),
                Entry::raw("method", 14, *b"xx", 0, 2),
                Entry::stored("socket", "").mode(0o140_755),
                Entry::stored("newer", "").edit_central(|it| it.version_needed = 64),
                b(),
            ])
        }),
        ("bad zip64 extra too short", {
            let entry = a().zip64(Saturated::NONE, Saturated::ALL);
            of(vec![entry.edit_central(|it| it.extra = extra::zip64(&[1])), b()])
        }),
        ("bad size at the end of numbers", {
            let entry = b().zip64(Saturated::NONE, Saturated::SIZES);
            of(vec![entry.edit_central(|it| it.extra = extra::zip64(&[u64::MAX, 6])), a()])
        }),
        ("bad zip64 extra twice", {
            let entry = a().zip64(Saturated::NONE, Saturated::SIZES);
            let other = extra::zip64(&[1, 2]);
            of(vec![entry.edit_central(move |it| it.extra.extend_from_slice(&other)), b()])
        }),
        ("bad extra field that overruns", {
            let field = extra::field_declaring(0x5455, 100, b"x");
            of(vec![a().edit_central(move |it| it.extra = field.clone()), b()])
        }),
        ("bad expansion", of(vec![Entry { uncompressed_len: 1 << 30, ..a() }, b()])),
        ("bad archive in a comment", two().comment(&inner)),
        ("bad archive behind an archive", two().trailing(&inner)),
        ("bad archive before an archive", two().prefix(&inner, false)),
        ("bad count", two().edit_end(|it| it.entries_total += 1)),
        (
            "bad counts",
            two().edit_end(|it| {
                it.entries_total += 1;
                it.entries_on_disk += 1;
            }),
        ),
        ("bad directory size", two().edit_end(|it| it.directory_size -= 1)),
        ("bad disk", two().edit_end(|it| it.disk = 1)),
        ("bad zip64 disagrees", {
            two().zip64_end(Zip64End::Agreeing).edit_end(|it| it.entries_total += 1)
        }),
        ("bad zip64 elsewhere", {
            let zip64 = two().zip64_end(Zip64End::Saturated);
            Archive { after_zip64_record: b"between".to_vec(), ..zip64 }
        }),
        ("bad bytes in the directory", Archive { directory_tail: b"tail".to_vec(), ..two() }),
    ]
    .into_iter()
    .map(|(name, archive)| (name, archive.build()))
    .chain([("bad overlap", quoted_overlap(5, 2_000)), ("not a zip", b"PK\x05\x06".to_vec())])
}

/// Request heads, each against metadata that makes it matter.
fn requests() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let (tag, gzip_tag) = (format!("\"{TAG}\""), format!("\"{TAG}-gzip\""));
    let tags = format!("\"x\", W/{tag} ,{gzip_tag},");
    let bridges = "bytes=0-9, 20-29, 10-19, -5, 3000-3001 ,,7-";
    let eight = "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14";
    let nine = format!("{eight},16-16");
    let largest = "bytes=9223372036854775806-9223372036854775807, -18446744073709551615";
    type Row<'a> = (&'static str, RangeSupport, u8, u64, &'a [(u8, &'a str)]);
    let many = format!("bytes={}5-", "0-1,".repeat(200));
    let rows: [Row<'_>; 23] = [
        ("nothing", RangeSupport::Any, 0, 700, &[]),
        ("one range", RangeSupport::Any, 0, 700, &[(b'r', "bytes=0-9")]),
        ("open range", RangeSupport::Forward, 5, 196_608, &[(b'r', "bytes=65530-")]),
        ("suffix", RangeSupport::Forward, 3, 3_000, &[(b'r', "bytes=-100")]),
        ("two ranges", RangeSupport::Any, 4, 196_608, &[(b'r', "bytes=0-1,65535-65536")]),
        ("ranges backwards", RangeSupport::Forward, 3, 3_000, &[(b'r', "bytes=50-59,0-9")]),
        ("bridged ranges", RangeSupport::Any, 2, 3_000, &[(b'r', bridges)]),
        ("eight ranges", RangeSupport::Any, 0, 700, &[(b'r', eight)]),
        ("nine ranges", RangeSupport::Any, 0, 700, &[(b'r', &nine)]),
        // Long, so that long ones are tried from the start.
        ("many ranges", RangeSupport::Any, 0, 700, &[(b'r', &many)]),
        ("range past the end", RangeSupport::Any, 0, 700, &[(b'r', "bytes=700-")]),
        ("range of nothing", RangeSupport::Any, 8, 0, &[(b'r', "bytes=0-,-1")]),
        ("largest numbers", RangeSupport::Any, 0, u64::MAX >> 1, &[(b'r', largest)]),
        ("unverified", RangeSupport::Whole, 0, 700, &[(b'r', "bytes=0-9")]),
        ("if range", RangeSupport::Any, 1, 700, &[(b'r', "bytes=9-"), (b'i', &tag)]),
        ("if range of gzip", RangeSupport::Any, 1, 700, &[(b'r', "bytes=9-"), (b'i', &gzip_tag)]),
        ("if range by date", RangeSupport::Any, 1, 700, &[(b'r', "bytes=-9"), (b'i', date)]),
        ("codings", RangeSupport::Any, 3, 3_000, &[(b'a', "gzip;q=0.5, zstd ; q=1, *;q=0")]),
        (
            "gzip alone",
            RangeSupport::Forward,
            5,
            196_608,
            &[(b'a', "gzip, identity;q=0"), (b'r', "bytes=10-20, 5-9, 0-3, -8")],
        ),
        ("nothing acceptable", RangeSupport::Any, 1, 700, &[(b'a', "*;q=0"), (b'a', "br")]),
        ("if match", RangeSupport::Any, 1, 700, &[(b'm', &tags), (b'm', "*"), (b'r', "bytes=1-")]),
        ("if none match", RangeSupport::Any, 1, 700, &[(b'n', &tags), (b'a', "x-gzip")]),
        (
            "dates",
            RangeSupport::Any,
            0,
            700,
            &[(b's', date), (b'u', "Sunday, 06-Nov-94 08:49:37 GMT")],
        ),
    ];
    let rows = rows.map(|(name, ranges, entry, complete_len, fields)| {
        let fields = fields.iter().map(|(letter, value)| (*letter, value.as_bytes()));
        let input = Input {
            is_head: name == "nothing",
            has_gzip: true,
            has_zstd: name == "codings",
            ranges,
            entry,
            complete_len,
            coded_len: 318,
            fields: fields.collect(),
        };
        (name, input.to_bytes())
    });
    rows.into_iter()
}

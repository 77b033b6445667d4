//! RFC 9110 over a real server, as tables with one row for each cell: preconditions (13), ranges
//! (14), codings (12.5.3, 8.4) and HEAD (9.3.2), and the fields of every answer.
//!
//! Every row is sent over HTTP/1.1 and HTTP/2, to endpoint C and to endpoint D, as GET and as HEAD,
//! for each kind of entry it applies to.

use http::Method;
use serde_json::json;

use crate::client::{
    Answer, Client, PROTOCOLS, RawAnswer, by_job, by_ref, raw, raw_get, raw_request,
};
use crate::harness::{Push, Scratch, Server, sha256};
use crate::sample::{
    EMPTY, KINDS, LARGE_DEFLATED, LARGE_STORED, SMALL_DEFLATED, SMALL_STORED, Sample,
};

/// What a row expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// 200, identity, every byte.
    Whole,
    /// 200, gzip, every byte of that representation.
    Gzip,
    /// 206, identity, these positions, both inclusive.
    Part(u64, u64),
    /// 206, gzip, these positions of that representation.
    GzipPart(u64, u64),
    /// 206, multipart/byteranges with these parts in this order.
    Parts(&'static [(u64, u64)]),
    NotModified,
    GzipNotModified,
    PreconditionFailed,
    NotSatisfiable,
    NotAcceptable,
}

use Expect::*;

/// A row: its name, the request's fields, what comes back.
type Row = (&'static str, Vec<(&'static str, String)>, Expect);

fn row<const N: usize>(
    name: &'static str,
    fields: [(&'static str, &str); N],
    expect: Expect,
) -> Row {
    (name, fields.map(|(field, value)| (field, value.to_owned())).to_vec(), expect)
}

/// A served sample, and the two endpoints that give its files.
struct Site {
    sample: Sample,
    server: Server,
    job_id: u64,
    _scratch: Scratch,
}

impl Site {
    fn start() -> Self {
        let scratch = Scratch::new();
        let sample = Sample::new();
        let archive = scratch.file("sample.zip", &sample.built.bytes);
        let job_id = Push::public().store_in(&scratch.data(), &archive).job_id;
        let server = Server::start(&scratch.data());
        Self { sample, server, job_id, _scratch: scratch }
    }

    fn targets(&self, entry: &str) -> [String; 2] {
        [by_job(self.job_id, entry.as_bytes()), by_ref("main", entry.as_bytes())]
    }

    /// `Last-Modified` of the archive's files.
    async fn last_modified(&self) -> String {
        let mut client = Client::http1(self.server.address);
        let answer = client.get(&self.targets(SMALL_STORED)[0]).await;
        answer.expect_header("last-modified").to_owned()
    }

    /// Sends every row to every endpoint, over both protocols, as GET and as HEAD.
    async fn check(&self, entry: &str, rows: &[Row]) {
        for protocol in PROTOCOLS {
            let mut client = Client::new(self.server.address, protocol);
            for target in self.targets(entry) {
                for (name, fields, expect) in rows {
                    let what = format!("{name}: {protocol:?} {target} {fields:?}");
                    let fields: Vec<(&str, &str)> =
                        fields.iter().map(|(field, value)| (*field, value.as_str())).collect();
                    let get = client.send(&Method::GET, &target, &fields).await;
                    self.compare(&what, entry, &get, *expect, true);
                    let ranged = fields.iter().any(|(field, _)| *field == "range");
                    let coded = fields.iter().any(|(field, _)| *field == "accept-encoding");
                    // Without its Range, such a request chooses its coding anew: rows of their own.
                    if ranged && coded {
                        continue;
                    }
                    let expect = match expect {
                        Part(..) | GzipPart(..) | Parts(_) | NotSatisfiable => Whole,
                        other => *other,
                    };
                    let head = client.send(&Method::HEAD, &target, &fields).await;
                    self.compare(&format!("HEAD {what}"), entry, &head, expect, false);
                }
            }
        }
    }

    /// Compares one answer with what its row expects.
    fn compare(&self, what: &str, entry: &str, answer: &Answer, expect: Expect, body: bool) {
        let content = self.sample.content(entry);
        let gzip = self.sample.gzip(entry);
        let slice =
            |whole: &[u8], first: u64, last: u64| whole[first as usize..=last as usize].to_vec();
        let (status, coding, expected_body) = match expect {
            Whole => (200, None, Some(content.to_vec())),
            Gzip => (200, Some("gzip"), Some(gzip.clone())),
            Part(first, last) => (206, None, Some(slice(content, first, last))),
            GzipPart(first, last) => (206, Some("gzip"), Some(slice(&gzip, first, last))),
            Parts(_) => (206, None, None),
            NotModified => (304, None, Some(Vec::new())),
            GzipNotModified => (304, Some("gzip"), Some(Vec::new())),
            PreconditionFailed => (412, None, None),
            NotSatisfiable => (416, None, None),
            NotAcceptable => (406, None, None),
        };
        assert_eq!(answer.status.as_u16(), status, "{what}: {:?}", answer.headers);
        let received = answer.body.as_ref().unwrap_or_else(|error| panic!("{what}: {error}"));

        // The representation's own fields.
        if status < 400 {
            let tag = match coding {
                Some(_) => self.sample.gzip_entity_tag(entry),
                None => self.sample.entity_tag(entry),
            };
            assert_eq!(answer.header("etag"), Some(tag.as_str()), "{what}");
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"), "{what}");
            assert!(answer.header("cache-control").is_some(), "{what}: {:?}", answer.headers);
            if status == 304 {
                assert_eq!(answer.header("content-range"), None, "{what}");
            } else {
                assert_eq!(answer.header("content-encoding"), coding, "{what}");
                assert_eq!(answer.header("accept-ranges"), Some("bytes"), "{what}");
                assert!(answer.header("last-modified").is_some(), "{what}: {:?}", answer.headers);
            }
        }

        // The length and the positions.
        let content_range = match expect {
            Part(first, last) => Some(format!("bytes {first}-{last}/{}", content.len())),
            GzipPart(first, last) => Some(format!("bytes {first}-{last}/{}", gzip.len())),
            NotSatisfiable => Some(format!("bytes */{}", content.len())),
            _ => None,
        };
        assert_eq!(answer.header("content-range"), content_range.as_deref(), "{what}");
        if let (Some(expected), 200 | 206) = (&expected_body, status) {
            let length = expected.len().to_string();
            assert_eq!(answer.header("content-length"), Some(length.as_str()), "{what}");
        }

        // The body.
        if !body {
            assert!(received.is_empty(), "{what}: a HEAD has no body");
        } else if let Parts(positions) = expect {
            let length = received.len().to_string();
            assert_eq!(answer.header("content-length"), Some(length.as_str()), "{what}");
            assert_parts(what, answer, content, positions);
        } else if let Some(expected) = expected_body {
            assert!(received == &expected, "{what}: {} other bytes", received.len());
        } else {
            let message = &answer.json()["message"];
            let begins = message.as_str().is_some_and(|text| text.starts_with(&status.to_string()));
            assert!(begins, "{what}: {message}");
        }
    }
}

/// Checks a multipart/byteranges body (RFC 9110 section 14.6) part by part.
fn assert_parts(what: &str, answer: &Answer, content: &[u8], positions: &[(u64, u64)]) {
    let media_type = answer.expect_header("content-type");
    let boundary = media_type
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap_or_else(|| panic!("{what}: {media_type}"))
        .trim_matches('"');
    let body = answer.bytes();
    let mut expected_end = format!("\r\n--{boundary}--");
    let mut rest: &[u8] = body;
    for (first, last) in positions {
        let delimiter = format!("--{boundary}\r\n");
        let start = find(rest, delimiter.as_bytes()).unwrap_or_else(|| panic!("{what}: no part"));
        let after = &rest[start + delimiter.len()..];
        let head_end = find(after, b"\r\n\r\n").unwrap_or_else(|| panic!("{what}: no part's head"));
        let head = String::from_utf8_lossy(&after[..head_end]).to_ascii_lowercase();
        let content_range = format!("content-range: bytes {first}-{last}/{}", content.len());
        assert!(head.lines().any(|line| line == content_range), "{what}: {head}");
        assert!(head.lines().any(|line| line.starts_with("content-type: ")), "{what}: {head}");
        let length = (last - first + 1) as usize;
        let part = &after[head_end + 4..][..length];
        assert!(part == &content[*first as usize..=*last as usize], "{what}: {first}-{last}");
        rest = &after[head_end + 4 + length..];
    }
    assert!(rest.starts_with(expected_end.as_bytes()), "{what}: parts do not end");
    expected_end.push_str("\r\n");
    assert!(rest.len() <= expected_end.len(), "{what}: bytes after the last part");
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[tokio::test]
async fn preconditions_are_evaluated_in_the_order_of_rfc_9110() {
    let site = Site::start();
    let modified = site.last_modified().await;
    let (earlier, later) = ("Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT");
    for entry in KINDS.into_iter().chain([EMPTY]) {
        let tag = site.sample.entity_tag(entry);
        let weak = format!("W/{tag}");
        let listed = format!("\"other\", {tag}");
        let listed_tightly = format!("\"a,b\",{tag},W/\"c\"");
        let other_entry = site.sample.entity_tag("NOTES");
        let rows = [
            row("no condition", [], Whole),
            row("if-none-match: the tag", [("if-none-match", &tag)], NotModified),
            row("if-none-match: the tag, weak", [("if-none-match", &weak)], NotModified),
            row("if-none-match: in a list", [("if-none-match", &listed)], NotModified),
            row("if-none-match: tight list", [("if-none-match", &listed_tightly)], NotModified),
            row("if-none-match: *", [("if-none-match", "*")], NotModified),
            row("if-none-match: another", [("if-none-match", "\"other\"")], Whole),
            row("if-none-match: another entry's", [("if-none-match", &other_entry)], Whole),
            row("if-none-match: the archive's", [("if-none-match", "\"0\"")], Whole),
            row("if-match: the tag", [("if-match", &tag)], Whole),
            row("if-match: the tag, weak", [("if-match", &weak)], PreconditionFailed),
            row("if-match: in a list", [("if-match", &listed)], Whole),
            row("if-match: *", [("if-match", "*")], Whole),
            row("if-match: another", [("if-match", "\"other\"")], PreconditionFailed),
            row(
                "if-match and if-none-match: both hold",
                [("if-match", &tag), ("if-none-match", "\"other\"")],
                Whole,
            ),
            row(
                "if-match holds, if-none-match does not",
                [("if-match", &tag), ("if-none-match", &tag)],
                NotModified,
            ),
            row(
                "if-match fails before if-none-match is looked at",
                [("if-match", "\"other\""), ("if-none-match", &tag)],
                PreconditionFailed,
            ),
            row("if-modified-since: same", [("if-modified-since", &modified)], NotModified),
            row("if-modified-since: later", [("if-modified-since", later)], NotModified),
            row("if-modified-since: earlier", [("if-modified-since", earlier)], Whole),
            row("if-modified-since: no date", [("if-modified-since", "yesterday")], Whole),
            row(
                "if-none-match present: if-modified-since is not looked at",
                [("if-none-match", "\"other\""), ("if-modified-since", &modified)],
                Whole,
            ),
            row("if-unmodified-since: same", [("if-unmodified-since", &modified)], Whole),
            row("if-unmodified-since: later", [("if-unmodified-since", later)], Whole),
            row(
                "if-unmodified-since: earlier",
                [("if-unmodified-since", earlier)],
                PreconditionFailed,
            ),
            row("if-unmodified-since: no date", [("if-unmodified-since", "once")], Whole),
            row(
                "if-match present: if-unmodified-since is not looked at",
                [("if-match", &tag), ("if-unmodified-since", earlier)],
                Whole,
            ),
            row(
                "if-unmodified-since holds, if-none-match does not",
                [("if-unmodified-since", &modified), ("if-none-match", &tag)],
                NotModified,
            ),
            row(
                "if-none-match before range",
                [("if-none-match", &tag), ("range", "bytes=0-0")],
                NotModified,
            ),
            row(
                "if-match before range",
                [("if-match", "\"other\""), ("range", "bytes=0-0")],
                PreconditionFailed,
            ),
        ];
        site.check(entry, &rows).await;
    }
}

#[tokio::test]
async fn ranges_are_answered_as_rfc_9110_says() {
    let site = Site::start();
    for entry in KINDS {
        let length = site.sample.content(entry).len() as u64;
        let end = length - 1;
        let at_end = format!("bytes={end}-");
        let past_end = format!("bytes={length}-");
        let beyond = format!("bytes={length}-{}", length + 5);
        let over_end = format!("bytes={}-{}", end - 4, length + 5);
        let long_suffix = format!("bytes=-{}", length + 5);
        let one_beyond = format!("bytes=0-1,{length}-");
        let all_beyond = format!("bytes={length}-,{}-", length + 1);
        let digits = format!("bytes={}-", "9".repeat(30));
        let last_digits = format!("bytes=5-{}", "9".repeat(30));
        let rows = [
            row("first byte", [("range", "bytes=0-0")], Part(0, 0)),
            row("first ten", [("range", "bytes=0-9")], Part(0, 9)),
            row("in the middle", [("range", "bytes=1000-2999")], Part(1000, 2999)),
            row("open end", [("range", "bytes=1000-")], Part(1000, end)),
            row("the whole", [("range", "bytes=0-")], Part(0, end)),
            row("last byte by position", [("range", &at_end)], Part(end, end)),
            row("last byte by suffix", [("range", "bytes=-1")], Part(end, end)),
            row("last hundred", [("range", "bytes=-100")], Part(end - 99, end)),
            row("suffix longer than the entry", [("range", &long_suffix)], Part(0, end)),
            row("end past the entry", [("range", &over_end)], Part(end - 4, end)),
            row("start at the end", [("range", &past_end)], NotSatisfiable),
            row("start past the end", [("range", &beyond)], NotSatisfiable),
            row("empty suffix", [("range", "bytes=-0")], NotSatisfiable),
            row("unit in capitals", [("range", "Bytes=0-9")], Part(0, 9)),
            row("another unit", [("range", "items=0-9")], Whole),
            row("no unit", [("range", "0-9")], Whole),
            row("no set", [("range", "bytes=")], Whole),
            row("no numbers", [("range", "bytes=-")], Whole),
            row("end before start", [("range", "bytes=5-2")], Whole),
            row("words", [("range", "bytes=a-b")], Whole),
            row("signs", [("range", "bytes=+1-2")], Whole),
            row("a number too many", [("range", "bytes=0-1-2")], Whole),
            row("one bad of two", [("range", "bytes=0-1,x")], Whole),
            row("start of thirty digits", [("range", &digits)], Whole),
            row("end of thirty digits", [("range", &last_digits)], Whole),
            row("adjacent parts are one", [("range", "bytes=0-99,100-199")], Part(0, 199)),
            row("overlapping parts are one", [("range", "bytes=0-99,50-149")], Part(0, 149)),
            row("a part twice is one", [("range", "bytes=7-9,7-9")], Part(7, 9)),
            row("a part beyond is left out", [("range", &one_beyond)], Part(0, 1)),
            row("every part beyond", [("range", &all_beyond)], NotSatisfiable),
            row("two parts", [("range", "bytes=0-9,1000-1099")], Parts(&[(0, 9), (1000, 1099)])),
            row(
                "two parts with blanks and empty elements",
                [("range", "bytes=0-9 , ,\t1000-1099")],
                Parts(&[(0, 9), (1000, 1099)]),
            ),
            row(
                "eight parts",
                [("range", "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14")],
                Parts(&[(0, 0), (2, 2), (4, 4), (6, 6), (8, 8), (10, 10), (12, 12), (14, 14)]),
            ),
            row(
                "nine parts",
                [("range", "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16")],
                Whole,
            ),
        ];
        site.check(entry, &rows).await;
    }
}

#[tokio::test]
async fn parts_out_of_order_need_an_entry_that_can_be_entered_anywhere() {
    let site = Site::start();
    let range = [("range", "bytes=1000-1099,0-9")];
    for stored in [SMALL_STORED, LARGE_STORED] {
        let rows = [row("stored", range, Parts(&[(1000, 1099), (0, 9)]))];
        site.check(stored, &rows).await;
    }
    site.check(LARGE_DEFLATED, &[row("deflated, without checkpoints", range, Whole)]).await;
}

#[tokio::test]
async fn ranges_of_an_empty_entry_are_not_satisfiable() {
    let site = Site::start();
    let rows = [
        row("from the start", [("range", "bytes=0-")], NotSatisfiable),
        row("first byte", [("range", "bytes=0-0")], NotSatisfiable),
        row("bad syntax", [("range", "bytes=x")], Whole),
    ];
    site.check(EMPTY, &rows).await;
}

#[tokio::test]
async fn if_range_needs_the_strong_tag_or_the_exact_date() {
    let site = Site::start();
    let modified = site.last_modified().await;
    for entry in KINDS {
        let tag = site.sample.entity_tag(entry);
        let weak = format!("W/{tag}");
        let part = Part(10, 19);
        let range = ("range", "bytes=10-19");
        let past = ("range", "bytes=99999999-");
        let rows = [
            row("the tag", [range, ("if-range", &tag)], part),
            row("the tag, weak", [range, ("if-range", &weak)], Whole),
            row("another tag", [range, ("if-range", "\"other\"")], Whole),
            row("the date", [range, ("if-range", &modified)], part),
            row("an earlier date", [range, ("if-range", "Sat, 01 Jan 2000 00:00:00 GMT")], Whole),
            row("a later date", [range, ("if-range", "Fri, 01 Jan 2100 00:00:00 GMT")], Whole),
            row("neither tag nor date", [range, ("if-range", "x")], Whole),
            row("without a range", [("if-range", "\"other\"")], Whole),
            row("the tag, not satisfiable", [past, ("if-range", &tag)], NotSatisfiable),
            row("another tag, not satisfiable", [past, ("if-range", "\"other\"")], Whole),
        ];
        site.check(entry, &rows).await;
    }
}

#[tokio::test]
async fn codings_are_negotiated_by_quality() {
    let site = Site::start();
    let table: [(&str, &str, Expect); 20] = [
        ("gzip", "gzip", Gzip),
        ("its old name", "x-gzip", Gzip),
        ("in capitals", "GZIP", Gzip),
        ("as a browser", "gzip, deflate, br, zstd", Gzip),
        ("with qualities", "br;q=1.0, gzip;q=0.8, *;q=0.1", Gzip),
        ("with blanks", "gzip ; q=0.5", Gzip),
        ("preferred over identity", "gzip;q=1, identity;q=0.5", Gzip),
        ("identity excluded", "gzip, identity;q=0", Gzip),
        ("all else excluded", "gzip;q=0.1, *;q=0", Gzip),
        ("any, but identity", "*, identity;q=0", Gzip),
        ("nothing", "", Whole),
        ("identity", "identity", Whole),
        ("another coding", "br", Whole),
        ("deflate is another coding", "deflate", Whole),
        ("gzip excluded", "gzip;q=0", Whole),
        ("gzip excluded, in thousandths", "gzip;q=0.000", Whole),
        ("identity preferred", "gzip;q=0.5, identity;q=1", Whole),
        ("any but gzip", "gzip;q=0, *", Whole),
        ("everything excluded", "*;q=0", NotAcceptable),
        ("identity excluded, nothing else offered", "identity;q=0", NotAcceptable),
    ];
    for deflated in [SMALL_DEFLATED, LARGE_DEFLATED] {
        let rows: Vec<Row> = table
            .iter()
            .map(|(name, value, expect)| row(name, [("accept-encoding", value)], *expect))
            .collect();
        site.check(deflated, &rows).await;
    }
    // What is not compressed in the archive has one representation.
    for plain in [SMALL_STORED, LARGE_STORED, EMPTY] {
        let rows: Vec<Row> = table
            .iter()
            .map(|(name, value, expect)| {
                let excluded = value.contains("identity;q=0") && !value.contains("identity;q=0.");
                let excluded = excluded || value.contains("*;q=0") && !value.contains("*;q=0.");
                let expect = match expect {
                    Gzip if excluded => NotAcceptable,
                    Gzip => Whole,
                    other => *other,
                };
                row(name, [("accept-encoding", value)], expect)
            })
            .collect();
        site.check(plain, &rows).await;
    }
}

#[tokio::test]
async fn each_coding_has_its_own_tag_preconditions_and_ranges() {
    let site = Site::start();
    for entry in [SMALL_DEFLATED, LARGE_DEFLATED] {
        let tag = site.sample.entity_tag(entry);
        let coded = site.sample.gzip_entity_tag(entry);
        let end = site.sample.gzip(entry).len() as u64 - 1;
        let gzip = ("accept-encoding", "gzip");
        let only_gzip = ("accept-encoding", "gzip, identity;q=0");
        let range = ("range", "bytes=5-504");
        let rows = [
            row("coded tag, coded request", [gzip, ("if-none-match", &coded)], GzipNotModified),
            row("identity tag, coded request", [gzip, ("if-none-match", &tag)], Gzip),
            row("coded tag, plain request", [("if-none-match", &coded)], Whole),
            row("if-match: coded tag", [gzip, ("if-match", &coded)], Gzip),
            // It guards a state of the entry, which all its representations share.
            row("if-match: coded tag, any coding", [("if-match", &coded)], Whole),
            row(
                "if-match: coded tag, identity alone",
                [("accept-encoding", "identity"), ("if-match", &coded)],
                PreconditionFailed,
            ),
            row("a range gets identity", [gzip, range], Part(5, 504)),
            row("unless If-Range has the coded tag", [gzip, range, ("if-range", &coded)], {
                GzipPart(5, 504)
            }),
            row("If-Range with identity's tag", [gzip, range, ("if-range", &tag)], Part(5, 504)),
            row("or identity is excluded", [only_gzip, range], GzipPart(5, 504)),
            row("head of the framing", [only_gzip, ("range", "bytes=0-9")], GzipPart(0, 9)),
            row("across the head", [only_gzip, ("range", "bytes=8-11")], GzipPart(8, 11)),
            row("the trailer", [only_gzip, ("range", "bytes=-8")], GzipPart(end - 7, end)),
            row("across the trailer", [only_gzip, ("range", "bytes=-10")], GzipPart(end - 9, end)),
            row("all of it", [only_gzip, ("range", "bytes=0-")], GzipPart(0, end)),
        ];
        site.check(entry, &rows).await;
    }
}

#[tokio::test]
async fn a_file_has_every_field_of_the_contract() {
    let site = Site::start();
    let mut client = Client::http1(site.server.address);
    let plain = "text/plain; charset=utf-8";
    // Name, media type by job id (its beginning: a charset may follow), media type by ref.
    let table: [(&str, &str, &str); 12] = [
        (SMALL_DEFLATED, "text/plain", plain),
        ("page.html", "text/html", plain),
        ("data.json", "application/json", plain),
        ("script.js", "text/javascript", plain),
        ("feed.xml", "text/xml", plain),
        ("drawing.svg", "image/svg+xml", plain),
        ("NOTES", "text/plain", plain),
        ("core.unknown-extension", "application/octet-stream", "application/octet-stream"),
        ("pixel.png", "image/png", "image/png"),
        (SMALL_STORED, "application/octet-stream", "application/octet-stream"),
        ("\u{fc}ml\u{e4}ut stra\u{df}e.txt", "text/plain", plain),
        ("quote\" percent% semi;.txt", "text/plain", plain),
    ];
    for (name, by_job_type, by_ref_type) in table {
        let [by_job, by_ref] = site.targets(name);
        for (target, exact) in [(by_job, false), (by_ref, true)] {
            let answer = client.get(&target).await;
            assert_eq!(answer.status, 200, "{target}");
            assert_eq!(answer.bytes(), site.sample.content(name), "{target}");
            let media_type = answer.expect_header("content-type");
            if exact {
                assert_eq!(media_type, by_ref_type, "{target}");
            } else {
                assert!(media_type.starts_with(by_job_type), "{target}: {media_type}");
            }
            for (field, value) in [
                ("x-content-type-options", "nosniff"),
                ("content-security-policy", "default-src 'none'; sandbox"),
                ("x-frame-options", "DENY"),
                ("cross-origin-resource-policy", "same-origin"),
                ("referrer-policy", "no-referrer"),
                ("accept-ranges", "bytes"),
                ("vary", "Accept-Encoding"),
                ("etag", &site.sample.entity_tag(name)),
                ("content-length", &site.sample.content(name).len().to_string()),
            ] {
                assert_eq!(answer.header(field), Some(value), "{target}: {field}");
            }
            for absent in ["content-encoding", "transfer-encoding", "content-range", "location"] {
                assert_eq!(answer.header(absent), None, "{target}: {absent}");
            }
        }
    }
}

#[tokio::test]
async fn a_file_is_named_by_its_last_segment_in_both_forms() {
    let site = Site::start();
    let mut client = Client::http1(site.server.address);
    let plain = client.get(&site.targets(LARGE_DEFLATED)[1]).await;
    assert_eq!(
        plain.header("content-disposition"),
        Some("attachment; filename=\"large.txt\"; filename*=UTF-8''large.txt")
    );
    for (name, extended) in [
        ("\u{fc}ml\u{e4}ut stra\u{df}e.txt", "%C3%BCml%C3%A4ut%20stra%C3%9Fe.txt"),
        ("quote\" percent% semi;.txt", "quote%22%20percent%25%20semi%3B.txt"),
    ] {
        let answer = client.get(&site.targets(name)[1]).await;
        let disposition = answer.expect_header("content-disposition");
        assert!(disposition.is_ascii(), "{disposition}");
        assert!(disposition.starts_with("attachment; filename=\""), "{disposition}");
        assert!(disposition.ends_with(&format!("; filename*=UTF-8''{extended}")), "{disposition}");
        // Neither an escape nor a quote may stand inside the fallback.
        let fallback = disposition.split("; filename*=").next().expect("a first part");
        assert_eq!(fallback.matches('"').count(), 2, "{disposition}");
        assert!(!fallback.contains(['\\', '%']), "{disposition}");
    }
}

#[tokio::test]
async fn cache_control_says_who_may_keep_what() {
    let scratch = Scratch::new();
    let sample = Sample::new();
    let archive = scratch.file("sample.zip", &sample.built.bytes);
    let public = Push::public().store_in(&scratch.data(), &archive);
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);

    let by_id = client.get(&by_job(public.job_id, SMALL_STORED.as_bytes())).await;
    let by_id = by_id.expect_header("cache-control");
    assert!(by_id.contains("immutable") && by_id.contains("max-age="), "{by_id}");
    assert!(!by_id.contains("private") && !by_id.contains("no-store"), "{by_id}");

    let by_name = client.get(&by_ref("main", SMALL_STORED.as_bytes())).await;
    let by_name = by_name.expect_header("cache-control");
    assert!(by_name.contains("no-cache") || by_name.contains("max-age=0"), "{by_name}");
    assert!(!by_name.contains("immutable") && !by_name.contains("private"), "{by_name}");
}

#[tokio::test]
async fn the_archive_is_served_whole_and_in_ranges() {
    let site = Site::start();
    let whole = &site.sample.built.bytes;
    let length = whole.len() as u64;
    let tag = format!("\"{}\"", sha256(whole));
    let by_id = format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts", site.job_id);
    let by_name = "/api/v4/projects/group%2Fapp/jobs/artifacts/main/download?job=build";
    for protocol in PROTOCOLS {
        let mut client = Client::new(site.server.address, protocol);
        for target in [&by_id, by_name] {
            let answer = client.get_with(target, &[("accept-encoding", "gzip")]).await;
            assert_eq!(answer.status, 200, "{target}");
            assert!(answer.bytes() == whole, "{target}");
            for (field, value) in [
                ("content-type", "application/octet-stream"),
                ("content-length", &length.to_string()),
                ("etag", &tag),
                ("accept-ranges", "bytes"),
                ("x-content-type-options", "nosniff"),
            ] {
                assert_eq!(answer.header(field), Some(value), "{target}: {field}");
            }
            assert_eq!(answer.header("content-encoding"), None, "{target}");
            let disposition = answer.expect_header("content-disposition");
            assert!(disposition.starts_with("attachment; filename=\"artifacts.zip\""));

            let part = client.get_with(target, &[("range", "bytes=100-299")]).await;
            assert_eq!(part.status, 206, "{target}");
            assert_eq!(part.bytes(), &whole[100..300], "{target}");
            let content_range = format!("bytes 100-299/{length}");
            assert_eq!(part.header("content-range"), Some(content_range.as_str()), "{target}");

            let tail = client.get_with(target, &[("range", "bytes=-22"), ("if-range", &tag)]).await;
            assert_eq!(
                (tail.status.as_u16(), tail.bytes().as_ref()),
                (206, { &whole[whole.len() - 22..] })
            );
            let stale = [("range", "bytes=-22"), ("if-range", "\"other\"")];
            assert_eq!(client.get_with(target, &stale).await.status, 200, "{target}");

            let past = format!("bytes={length}-");
            let past = client.get_with(target, &[("range", &past)]).await;
            assert_eq!(past.status, 416, "{target}");
            let unsatisfied = format!("bytes */{length}");
            assert_eq!(past.header("content-range"), Some(unsatisfied.as_str()), "{target}");

            let same = client.get_with(target, &[("if-none-match", &tag)]).await;
            assert_eq!(same.status, 304, "{target}");
            let other = client.get_with(target, &[("if-match", "\"other\"")]).await;
            assert_eq!(other.status, 412, "{target}");

            let head = client.send(&Method::HEAD, target, &[("range", "bytes=0-0")]).await;
            assert_eq!(head.status, 200, "{target}");
            assert_eq!(head.header("content-length"), Some(length.to_string().as_str()));
            assert!(head.bytes().is_empty());
        }
    }
}

#[tokio::test]
async fn errors_have_their_status_and_their_json() {
    let site = Site::start();
    let base = "/api/v4/projects/group%2Fapp";
    let id = site.job_id;
    let not_found = json!({"message": "404 Not Found"});
    let no_file = json!({"message": "404 File Not Found"});
    let no_project = json!({"message": "404 Project Not Found"});
    let table: Vec<(&str, String, u16, serde_json::Value)> = vec![
        (
            "job left out",
            format!("{base}/jobs/artifacts/main/raw/NOTES"),
            400,
            json!({"error": "job is missing"}),
        ),
        (
            "job id is no number",
            format!("{base}/jobs/x1/artifacts/NOTES"),
            400,
            json!({"error": "job_id is invalid"}),
        ),
        (
            "no boolean",
            format!(
                "{base}/jobs/artifacts/main/raw/NOTES?job=build\
                 &search_recent_successful_pipelines=maybe"
            ),
            400,
            json!({"error": "search_recent_successful_pipelines is invalid"}),
        ),
        (
            "no such project",
            format!("/api/v4/projects/group%2Fnone/jobs/{id}/artifacts/NOTES"),
            404,
            no_project.clone(),
        ),
        (
            "no such project id",
            format!("/api/v4/projects/424242/jobs/{id}/artifacts/NOTES"),
            404,
            no_project,
        ),
        ("no such entry", by_job(id, b"none"), 404, no_file.clone()),
        ("no such entry by ref", by_ref("main", b"none"), 404, no_file.clone()),
        ("a directory", by_job(id, b"dist"), 404, no_file.clone()),
        ("a name in capitals", by_job(id, b"notes"), 404, no_file),
        ("unknown route", "/api/v4/nothing".to_owned(), 404, json!({"error": "404 Not Found"})),
        ("unknown version", "/api/v5/projects".to_owned(), 404, json!({"error": "404 Not Found"})),
    ];
    for protocol in PROTOCOLS {
        let mut client = Client::new(site.server.address, protocol);
        for (name, target, status, body) in &table {
            let answer = client.get(target).await;
            assert_eq!(answer.status.as_u16(), *status, "{name}: {:?}", answer.body);
            answer.refuses(*status, body);
            let head = client.send(&Method::HEAD, target, &[]).await;
            assert_eq!(head.status.as_u16(), *status, "{name}");
            assert!(head.bytes().is_empty(), "{name}");
        }
        // Which of the two spellings follows GitLab: the job is not in the project, or nothing is.
        let missing = by_job(id + 1_000, b"NOTES");
        for target in [missing, by_ref("none", b"NOTES"), by_ref("main", b"NOTES") + "2"] {
            let answer = client.get(&target).await;
            assert_eq!(answer.status, 404, "{target}");
            let message = answer.json()["message"].as_str().map(str::to_lowercase);
            assert_eq!(message, not_found["message"].as_str().map(str::to_lowercase), "{target}");
        }
        for repeated in ["job=build&job=build", "job=build&private_token=a&private_token=b"] {
            let target = format!("{base}/jobs/artifacts/main/raw/NOTES?{repeated}");
            assert_eq!(client.get(&target).await.status, 400, "{target}");
        }
    }
}

#[tokio::test]
async fn a_wrong_method_names_the_allowed_ones() {
    let site = Site::start();
    for protocol in PROTOCOLS {
        let mut client = Client::new(site.server.address, protocol);
        for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::POST, Method::TRACE] {
            let target = by_ref("main", b"NOTES");
            let answer = client.send(&method, &target, &[]).await;
            assert_eq!(answer.status, 405, "{method}");
            let allow = answer.expect_header("allow");
            assert!(allow.contains("GET") && allow.contains("HEAD"), "{allow}");
        }
        let overridden = [("x-http-method-override", "DELETE")];
        let answer = client.get_with(&by_ref("main", b"NOTES"), &overridden).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn a_connection_serves_on_after_an_error() {
    let site = Site::start();
    let mut stream = Client::http1(site.server.address);
    for _ in 0..3 {
        assert_eq!(stream.get(&by_job(site.job_id, b"none")).await.status, 404);
        let range = [("range", "bytes=99999999-")];
        assert_eq!(stream.get_with(&by_job(site.job_id, b"NOTES"), &range).await.status, 416);
        let good = stream.get(&by_job(site.job_id, b"NOTES")).await;
        assert_eq!(good.bytes(), site.sample.content("NOTES"));
    }
}

#[tokio::test]
async fn many_streams_share_one_http_2_connection() {
    let site = Site::start();
    let address = site.server.address;
    let mut tasks = Vec::new();
    for entry in KINDS.into_iter().cycle().take(40) {
        let target = site.targets(entry)[1].clone();
        tasks.push((
            entry,
            tokio::spawn(async move {
                let mut client = Client::new(address, crate::client::Protocol::Http2);
                (client.get(&target).await, client.get(&target).await)
            }),
        ));
    }
    for (entry, task) in tasks {
        let (first, second) = task.await.expect("a task of this test");
        assert!(first.bytes() == site.sample.content(entry), "{entry}");
        assert!(second.bytes() == site.sample.content(entry), "{entry}");
    }
}

#[tokio::test]
async fn heads_have_bounds() {
    let site = Site::start();
    let address = site.server.address;
    let good = by_ref("main", b"NOTES");

    let long = format!("{good}&x={}", "y".repeat(16 * 1024));
    assert_eq!(raw_get(address, long.as_bytes()).status, 414);

    let many: String = (0..80).map(|n| format!("X-Field-{n}: 1\r\n")).collect();
    assert_eq!(raw_request(address, "GET", good.as_bytes(), &many).status, 431);

    let wide = format!("X-Wide: {}\r\n", "y".repeat(70 * 1024));
    assert_eq!(raw_request(address, "GET", good.as_bytes(), &wide).status, 431);

    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "hello\r\n\r\n"] {
        let RawAnswer { status, body, .. } = raw(address, garbage.as_bytes());
        assert!(matches!(status, 0 | 400), "{garbage:?}: {status}");
        assert!(body.is_empty(), "{garbage:?}");
    }

    let answer = raw_get(address, good.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.head);
    assert!(answer.head.to_ascii_lowercase().contains("\r\ncontent-length: "), "{}", answer.head);
}

#[test]
fn a_silent_socket_is_closed_without_an_answer() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let address = server.address;
    std::thread::scope(|threads| {
        for begun in ["", "GET / HT"] {
            threads.spawn(move || {
                let answer = raw(address, begun.as_bytes());
                assert!(matches!(answer.status, 0 | 408), "{begun:?}: {answer:?}");
            });
        }
    });
}

//! The listing of an archive (endpoints E and E2): what is in it, page by page, and for whom.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::{extra, oracle};
use http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, PROTOCOLS, encoded, encoded_segment};
use crate::handing_in::{
    Asking, is_verified, running_job, served, slow_to_verify, token, until_verified, upload,
    upload_archive,
};
use crate::harness::{Push, Scratch, Server, has_command, skip};
use crate::indexed::Indexed;

/// A server with one archive in group/app: ref `main`, job `build`.
struct Site {
    server: Server,
    job_id: u64,
    scratch: Scratch,
}

impl Site {
    fn of(archive: impl AsRef<[u8]>) -> Self {
        let (server, job_id, scratch) = served(archive);
        Self { server, job_id, scratch }
    }

    fn client(&self) -> Client {
        Client::http1(self.server.address)
    }

    /// E.
    fn by_job(&self, query: &str) -> String {
        format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts/tree?{query}", self.job_id)
    }

    /// The listing of both endpoints, which is the same.
    async fn tree(&self, query: &str) -> Answer {
        let mut client = self.client();
        let by_job = client.get(&self.by_job(query)).await;
        let by_ref = client.get(&by_ref("main", query)).await;
        assert_eq!(by_job.status, by_ref.status, "{query}");
        assert_eq!(by_job.bytes(), by_ref.bytes(), "{query}");
        for (name, value) in by_job
            .headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-") || name.as_str() == "content-type")
        {
            assert_eq!(by_ref.headers.get(name), Some(value), "{query}: {name}");
        }
        by_job
    }

    /// Every path of a whole listing, folders with a slash at their end.
    async fn paths(&self, query: &str) -> Vec<String> {
        let answer = self.tree(&format!("per_page=100&{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {:?}", answer.body);
        paths(&answer.json())
    }
}

/// E2 for the job `build` of group/app.
fn by_ref(ref_name: &str, query: &str) -> String {
    format!("/api/v4/projects/group%2Fapp/jobs/artifacts/{ref_name}/tree?job=build&{query}")
}

/// Paths of a listing, folders with a slash at their end.
fn paths(listing: &Value) -> Vec<String> {
    let items = listing.as_array().expect("a listing is an array");
    items
        .iter()
        .map(|item| {
            let path = item["path"].as_str().expect("a path");
            assert_eq!(item["name"], path.rsplit('/').next().expect("a last segment"));
            let fields: Vec<&String> = item.as_object().expect("an object").keys().collect();
            assert_eq!(fields, ["mode", "name", "path", "size", "type"], "{item}");
            match item["type"].as_str() {
                Some("directory") => {
                    assert!(item["size"].is_null(), "{item}");
                    format!("{path}/")
                }
                Some("file") => {
                    assert!(item["size"].is_u64(), "{item}");
                    path.to_owned()
                }
                other => panic!("type {other:?} in {item}"),
            }
        })
        .collect()
}

/// Folders with and without entries of their own, and modes with and without.
fn folders() -> Vec<u8> {
    Archive::new()
        .entry(Entry::stored("b.txt", "bb"))
        .entry(Entry::directory("docs/").mode(0o040_755))
        .entry(Entry::stored("docs/z.txt", "z").mode(0o100_644))
        .entry(Entry::deflated("docs/a.txt", "a".repeat(1_000)).mode(0o100_755))
        .entry(Entry::stored("docs/deep/er/and/er.txt", ""))
        .entry(Entry::directory("docs/empty/"))
        .entry(Entry::stored("docs-x/1", "1"))
        .entry(Entry::stored("implied/only/x", "x"))
        .entry(Entry::symlink("link", "b.txt"))
        .entry(Entry::stored("B.txt", "B"))
        .build()
}

#[tokio::test]
async fn a_folder_is_listed_with_its_folders_first() {
    let site = Site::of(folders());
    let root = ["docs/", "docs-x/", "implied/", "B.txt", "b.txt", "link"];
    let docs = ["docs/deep/", "docs/empty/", "docs/a.txt", "docs/z.txt"];
    let none: [&str; 0] = [];
    let table: [(&str, &str, &[&str]); 17] = [
        ("the root", "", &root),
        ("no path", "path=", &root),
        ("a slash", "path=/", &root),
        ("not recursive", "recursive=false", &root),
        ("a folder", "path=docs", &docs),
        ("a slash at the end", "path=docs/", &docs),
        ("slashes at the end", "path=docs//", &docs),
        ("an encoded slash", "path=docs%2F", &docs),
        ("encoded letters", "path=%64ocs", &docs),
        ("an empty folder", "path=docs/empty", &none),
        ("a deep folder", "path=docs/deep/er/and", &["docs/deep/er/and/er.txt"]),
        ("a folder between", "path=docs/deep/er", &["docs/deep/er/and/"]),
        ("an implied folder", "path=implied", &["implied/only/"]),
        ("an implied folder in one", "path=implied/only/", &["implied/only/x"]),
        ("a neighbour by name", "path=docs-x", &["docs-x/1"]),
        (
            "recursive",
            "path=docs&recursive=true",
            &[
                "docs/deep/",
                "docs/deep/er/",
                "docs/deep/er/and/",
                "docs/empty/",
                "docs/a.txt",
                "docs/deep/er/and/er.txt",
                "docs/z.txt",
            ],
        ),
        (
            "recursive from the root",
            "recursive=1",
            &[
                "docs/",
                "docs/deep/",
                "docs/deep/er/",
                "docs/deep/er/and/",
                "docs/empty/",
                "docs-x/",
                "implied/",
                "implied/only/",
                "B.txt",
                "b.txt",
                "docs/a.txt",
                "docs/deep/er/and/er.txt",
                "docs/z.txt",
                "docs-x/1",
                "implied/only/x",
                "link",
            ],
        ),
    ];
    for (name, query, expected) in table {
        let mut expected: Vec<String> = expected.iter().map(|path| (*path).to_owned()).collect();
        // By the bytes of their paths, without the slash that stands here for the type.
        expected.sort_by_key(|path| (!path.ends_with('/'), path.trim_end_matches('/').to_owned()));
        assert_eq!(site.paths(query).await, expected, "{name}: {query}");
    }
}

#[tokio::test]
async fn what_is_no_folder_is_not_found() {
    let site = Site::of(folders());
    let missing = json!({"message": "404 File Not Found"});
    for (name, path) in [
        ("unknown", "nothing"),
        ("a file", "b.txt"),
        ("a file with a slash", "b.txt/"),
        ("a file in a folder", "docs/a.txt"),
        ("below a file", "b.txt/x"),
        ("the front of a name", "doc"),
        ("other case", "Docs"),
        ("a symbolic link", "link"),
        ("a plus sign", "docs+x"),
    ] {
        let answer = site.tree(&format!("path={path}")).await;
        assert_eq!(answer.status, 404, "{name}");
        answer.refuses(404, &missing);
    }
    for (name, query, body) in [
        ("dots", "path=../x", json!({"message": "400"})),
        ("encoded dots", "path=docs%2F%2e%2e", json!({"message": "400"})),
        ("a backslash and dots", "path=docs%5C..", json!({"message": "400"})),
        ("absolute", "path=/docs", json!({"message": "400"})),
        ("NUL", "path=docs%00", json!({"message": "400"})),
        ("recursive", "recursive=maybe", json!({"error": "recursive is invalid"})),
        ("page 0", "page=0", json!({"error": "page is invalid"})),
        ("page -1", "page=-1", json!({"error": "page is invalid"})),
        ("page twice", "page=1&page=2", json!({"error": "page is repeated"})),
        ("per_page 0", "per_page=0", json!({"error": "per_page is invalid"})),
        ("per_page in words", "per_page=ten", json!({"error": "per_page is invalid"})),
        ("per_page twice", "per_page=1&per_page=1", json!({"error": "per_page is repeated"})),
    ] {
        let answer = site.tree(query).await;
        assert_eq!(answer.status, 400, "{name}");
        match body["message"].as_str() {
            None => answer.refuses(400, &body),
            Some(_) => {
                let message = answer.json()["message"].to_string();
                assert!(message.starts_with("\"400 Bad request - "), "{name}: {message}");
            }
        }
    }
    let answer = site.client().get(&by_ref("main", "").replace("job=build&", "")).await;
    answer.refuses(400, &json!({"error": "job is missing"}));
}

#[tokio::test]
async fn an_item_has_its_size_and_its_mode() {
    let site = Site::of(folders());
    let root = site.tree("").await.json();
    let find = |listing: &Value, path: &str| {
        let items = listing.as_array().expect("an array").iter();
        items.clone().find(|item| item["path"] == path).unwrap_or_else(|| panic!("{path}")).clone()
    };
    let item = |name: &str, path: &str, kind: &str, size: Value, mode: Value| json!({"name": name, "path": path, "type": kind, "size": size, "mode": mode});
    let directory = |path: &str, mode| item(path, path, "directory", Value::Null, mode);
    assert_eq!(find(&root, "docs"), directory("docs", json!("040755")));
    assert_eq!(find(&root, "implied"), directory("implied", Value::Null));
    assert_eq!(find(&root, "link")["mode"], "120777");
    let docs = site.tree("path=docs").await.json();
    assert_eq!(
        find(&docs, "docs/a.txt"),
        item("a.txt", "docs/a.txt", "file", json!(1_000), json!("100755"))
    );
    assert_eq!(
        find(&docs, "docs/z.txt"),
        item("z.txt", "docs/z.txt", "file", json!(1), json!("100644"))
    );

    // Made elsewhere than on Unix: there is no mode to tell.
    let elsewhere = Entry::stored("dos.txt", "d").edit_central(|header| {
        header.version_made_by = 20;
        header.external_attributes = 0x20;
    });
    let site = Site::of(Archive::new().entry(elsewhere).build());
    let expected = json!([item("dos.txt", "dos.txt", "file", json!(1), Value::Null)]);
    assert_eq!(site.tree("").await.json(), expected);
}

/// The header fields of a page.
#[track_caller]
fn pages(answer: &Answer) -> [&str; 6] {
    ["x-page", "x-per-page", "x-prev-page", "x-next-page", "x-total", "x-total-pages"]
        .map(|name| answer.expect_header(name))
}

#[tokio::test]
async fn pages_tell_where_they_are() {
    let files = (0..250).map(|n| Entry::stored(format!("f/{n:03}"), "x"));
    let site = Site::of(Archive::new().entries(files).build());
    let table: [(&str, &str, [&str; 6], std::ops::Range<usize>); 10] = [
        ("nothing said", "", ["1", "20", "", "2", "250", "13"], 0..20),
        ("the second", "page=2", ["2", "20", "1", "3", "250", "13"], 20..40),
        ("the last", "page=13", ["13", "20", "12", "", "250", "13"], 240..250),
        ("one on a page", "per_page=1&page=250", ["250", "1", "249", "", "250", "250"], 249..250),
        ("most", "per_page=100&page=3", ["3", "100", "2", "", "250", "3"], 200..250),
        ("over the most", "per_page=101", ["1", "100", "", "2", "250", "3"], 0..100),
        ("far over", "per_page=99999999999", ["1", "100", "", "2", "250", "3"], 0..100),
        ("exactly full", "per_page=50&page=5", ["5", "50", "4", "", "250", "5"], 200..250),
        ("past the end", "page=14", ["14", "20", "13", "", "250", "13"], 250..250),
        (
            "far past it",
            "page=4294967295&per_page=100",
            ["4294967295", "100", "4294967294", "", "250", "3"],
            250..250,
        ),
    ];
    for (name, query, expected, range) in table {
        let answer = site.tree(&format!("path=f&{query}")).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(pages(&answer), expected, "{name}");
        let wanted: Vec<String> = range.map(|n| format!("f/{n:03}")).collect();
        assert_eq!(paths(&answer.json()), wanted, "{name}");
        let length = answer.bytes().len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()), "{name}");
        assert!(answer.expect_header("content-type").starts_with("application/json"), "{name}");

        let target = site.by_job(&format!("path=f&{query}"));
        let head = site.client().send(&Method::HEAD, &target, &[]).await;
        assert_eq!((head.status, head.bytes().len()), (answer.status, 0), "{name}");
        assert_eq!(pages(&head), expected, "{name}");
        assert_eq!(head.header("content-length"), Some(length.as_str()), "{name}");
        assert_eq!(head.header("link"), answer.header("link"), "{name}");
    }
    let empty = Site::of(Archive::new().build()).tree("").await;
    assert_eq!(empty.json(), json!([]));
    assert_eq!(pages(&empty)[4], "0");
    assert_eq!(pages(&empty)[3], "");
}

/// The targets of a Link field (RFC 8288 section 3) by their relation.
#[track_caller]
fn links(answer: &Answer) -> BTreeMap<String, String> {
    let field = answer.expect_header("link");
    let link = |link: &str| {
        let (target, relation) = link.split_once(">; rel=\"").expect("a link has a relation");
        let target = target.strip_prefix('<').expect("a target in angle brackets");
        (relation.strip_suffix('"').expect("a quoted relation").to_owned(), target.to_owned())
    };
    field.split(", ").map(link).collect()
}

#[tokio::test]
async fn the_links_lead_through_every_page() {
    let files = (0..45).map(|n| Entry::stored(format!("a b/{n:03}&"), "x"));
    let site = Site::of(Archive::new().entries(files).build());
    let wanted: Vec<String> = (0..45).map(|n| format!("a b/{n:03}&")).collect();
    for protocol in PROTOCOLS {
        for target in [
            site.by_job("path=a+b&per_page=7"),
            site.by_job("per_page=7&page=1&path=a%20b"),
            by_ref("main", "recursive=yes&per_page=7&path=a%20b%2F"),
        ] {
            let mut client = Client::new(site.server.address, protocol);
            let mut seen = Vec::new();
            let mut next = Some(target.clone());
            let mut count = 0;
            while let Some(target) = next {
                let answer = client.get(&target).await;
                assert_eq!(answer.status, 200, "{target}");
                seen.extend(paths(&answer.json()));
                count += 1;
                let links = links(&answer);
                // Relative to the request, whose host may be a proxy's.
                assert!(links.values().all(|target| target.starts_with("/api/v4/")), "{links:?}");
                let relations: Vec<&str> = links.keys().map(String::as_str).collect();
                let expected: &[&str] = match count {
                    1 => &["first", "last", "next"],
                    7 => &["first", "last", "prev"],
                    _ => &["first", "last", "next", "prev"],
                };
                assert_eq!(relations, expected, "page {count}");
                for (relation, page) in [("first", 1), ("last", 7)] {
                    let answer = client.get(&links[relation]).await;
                    assert_eq!(answer.header("x-page"), Some(page.to_string().as_str()));
                }
                if let Some(previous) = links.get("prev") {
                    let answer = client.get(previous).await;
                    assert_eq!(answer.header("x-page"), Some((count - 1).to_string().as_str()));
                }
                next = links.get("next").cloned();
            }
            assert_eq!(count, 7, "{target}");
            assert_eq!(seen, wanted, "{target}");
        }
    }
}

#[tokio::test]
async fn a_link_has_no_token() {
    let scratch = Scratch::new();
    let files = (0..30).map(|n| Entry::stored(n.to_string(), "x"));
    let archive = scratch.file("archive.zip", Archive::new().entries(files).build());
    let push = Push { visibility: None, ..Push::public() };
    let job_id = push.store_in(&scratch.data(), &archive).job_id;
    let reader = token(&scratch.data(), "group/app", "reporter", "read_api");
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let base = format!("/api/v4/projects/group%2Fapp/jobs/{job_id}/artifacts/tree");
    for query in [
        format!("private_token={reader}&per_page=5"),
        format!("per_page=5&private_token={reader}"),
        format!("per_page=5&%70rivate_token={reader}&page=2"),
        format!("per_page=5&private%5Ftoken={reader}"),
    ] {
        let answer = client.get(&format!("{base}?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {:?}", answer.body);
        let link = answer.expect_header("link");
        assert!(!link.contains(&reader) && !link.contains("token"), "{link}");
        assert!(link.contains("per_page=5"), "{link}");
        // The next page is for whoever has the token still.
        let next = links(&answer)["next"].clone();
        assert_eq!(client.get(&next).await.status, 404);
        assert_eq!(client.get_with(&next, &[("private-token", &reader)]).await.status, 200);
    }
}

#[tokio::test]
async fn links_name_the_host_that_is_configured_or_none() {
    let scratch = Scratch::new();
    let files = (0..3).map(|n| Entry::stored(n.to_string(), "x"));
    let archive = scratch.file("archive.zip", Archive::new().entries(files).build());
    let job_id = Push::public().store_in(&scratch.data(), &archive).job_id;
    let path = format!("api/v4/projects/group%2Fapp/jobs/{job_id}/artifacts/tree");
    let rows: [(&[&str], &str); 3] = [
        (&[], ""),
        (&["--external-url", "https://files.example"], "https://files.example"),
        (&["--external-url", "http://files.example:8080/ew/"], "http://files.example:8080/ew"),
    ];
    for (arguments, base) in rows {
        let server = Server::start_with(&scratch.data(), arguments);
        let mut client = Client::http1(server.address);
        // Slashes more than one are one, in the link too: two would begin the name of a host.
        for slashes in ["/", "//", "///"] {
            let forged = [("x-forwarded-host", "evil.example")];
            let target = format!("{slashes}{path}?per_page=2");
            let answer = client.get_with(&target, &forged).await;
            assert_eq!(answer.status, 200, "{target}");
            let expected = format!("{base}/{path}?per_page=2&page=2");
            assert_eq!(links(&answer)["next"], expected, "{arguments:?} {slashes}");
        }
    }
    for bad in
        ["files.example", "ftp://files.example", "https://user@files.example", "https://x/?y"]
    {
        let mut command = crate::harness::command();
        command.arg("serve").arg("--data").arg(scratch.data()).args(["--external-url", bad]);
        let ran = crate::harness::Ran::of(&mut command).exits(2);
        assert!(ran.stderr.contains("not an absolute http or https URL"), "{bad}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn names_that_no_request_can_address_are_left_out() {
    let archive = Archive::new()
        .entry(Entry::stored("../evil.txt", "x"))
        .entry(Entry::stored("/etc/passwd", "x"))
        .entry(Entry::stored("C:\\x", "x"))
        .entry(Entry::stored("a/../../b", "x"))
        .entry(Entry::stored("a/.", "x"))
        .entry(Entry::stored("a\\..\\c", "x"))
        .entry(Entry::stored("line\nfeed", "x"))
        .entry(Entry::stored("x//y", "x"))
        .entry(Entry::stored("ok/good.txt", "x"))
        .entry(Entry::stored("ok/../bad.txt", "x"))
        .build();
    let site = Site::of(archive);
    assert_eq!(site.paths("").await, ["a/", "ok/", "x/"]);
    assert_eq!(site.paths("path=a").await, Vec::<String>::new());
    assert_eq!(site.paths("path=ok").await, ["ok/good.txt"]);
    assert_eq!(site.paths("recursive=true").await, ["a/", "ok/", "x/", "ok/good.txt"]);
    let total = site.tree("recursive=true").await;
    assert_eq!(pages(&total)[4], "4");
}

#[tokio::test]
async fn names_that_are_not_utf8_are_listed_as_they_are_shown_and_found_so() {
    // Code page 437 and an Info-ZIP Unicode path.
    let archive = Archive::new()
        .entry(Entry::stored(b"gr\x81n/bl\x84tter.txt", "leaves"))
        .entry(Entry::stored(b"gr\x81n/z.txt", "z"))
        .entry(Entry::stored(b"r\x94t.txt", "red"))
        .entry(Entry::stored(b"\xff\xfe.bin", "bytes").unicode_path("\u{65e5}.bin"))
        .entry(Entry::stored("\u{fc}ber.txt", "over"))
        .build();
    let site = Site::of(archive);
    let root = ["gr\u{fc}n/", "r\u{f6}t.txt", "\u{fc}ber.txt", "\u{65e5}.bin"];
    let mut shown = site.paths("").await;
    assert_eq!(shown[0], root[0]);
    shown.sort();
    let mut expected = root.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(shown, expected);
    let folder = site.paths(&format!("path={}", encoded("gr\u{fc}n".as_bytes()))).await;
    assert_eq!(folder, ["gr\u{fc}n/bl\u{e4}tter.txt", "gr\u{fc}n/z.txt"]);

    // What is listed can be asked for.
    let mut client = site.client();
    for (path, content) in [
        ("gr\u{fc}n/bl\u{e4}tter.txt", "leaves"),
        ("r\u{f6}t.txt", "red"),
        ("\u{65e5}.bin", "bytes"),
        ("\u{fc}ber.txt", "over"),
    ] {
        let answer = client.get(&crate::client::by_job(site.job_id, path.as_bytes())).await;
        assert_eq!(answer.bytes(), content, "{path}");
    }
    // An extra field whose checksum is another name's does not count.
    let stale = extra::unicode_path(b"other", "shown.txt");
    let site = Site::of(Archive::new().entry(Entry::stored(b"\x81", "").extra(stale)).build());
    assert_eq!(site.paths("").await, ["\u{fc}"]);
}

#[tokio::test]
async fn dot_slash_names_are_listed_without_and_doubles_once() {
    let archive = Archive::new()
        .entry(Entry::directory("./"))
        .entry(Entry::directory("./dir/").mode(0o040_700))
        .entry(Entry::stored("./dir/file", "12"))
        .entry(Entry::stored("./dot", "1"))
        .entry(Entry::stored("plain", "1"))
        .entry(Entry::stored("dir/other", "1"))
        // `a` and `./a`: a lookup has the former.
        .entry(Entry::stored("./a", "1234"))
        .entry(Entry::stored("a", "1"))
        // Two files of one name: listed once, and refused when asked for.
        .entry(Entry::stored("twice", "1"))
        .entry(Entry::stored("twice", "22"))
        .entry(Entry::directory("dir/"))
        .entry(Entry::directory("dir/"))
        .build();
    let site = Site::of(archive);
    assert_eq!(site.paths("").await, ["dir/", "a", "dot", "plain", "twice"]);
    assert_eq!(site.paths("path=dir").await, ["dir/file", "dir/other"]);
    let listing = site.tree("").await.json();
    assert_eq!(listing[1]["size"], 1, "`a` is the one without ./");
    for query in ["path=./dir", "path=./"] {
        assert_eq!(site.tree(query).await.status, 400, "{query}");
    }

    if !has_command("bsdtar") {
        return skip("dot_slash_names_are_listed_without_and_doubles_once", "bsdtar is not here");
    }
    let folder = site.scratch.path("source");
    std::fs::create_dir_all(folder.join("sub/sub2")).expect("folders");
    std::fs::write(folder.join("sub/sub2/x.txt"), "x").expect("a file");
    std::fs::write(folder.join("y.txt"), "y").expect("a file");
    let bsdtar = Command::new("bsdtar")
        .args(["--format", "zip", "-cf"])
        .arg(site.scratch.path("bsdtar.zip"))
        .arg("-C")
        .arg(&folder)
        .arg(".")
        .status();
    assert!(bsdtar.expect("bsdtar starts").success());
    let bytes = std::fs::read(site.scratch.path("bsdtar.zip")).expect("an archive");
    let raw = oracle::read(&bytes).expect("a good archive");
    assert!(raw.iter().any(|entry| entry.raw_name.starts_with(b"./")), "{raw:?}");
    let site = Site::of(bytes);
    let all = ["sub/", "sub/sub2/", "sub/sub2/x.txt", "y.txt"];
    assert_eq!(site.paths("recursive=on").await, all);
    assert_eq!(site.paths("path=sub/sub2/").await, ["sub/sub2/x.txt"]);
}

#[tokio::test]
async fn an_entry_named_tree_is_asked_for_with_raw() {
    let archive = Archive::new()
        .entry(Entry::stored("tree", "a file named tree"))
        .entry(Entry::stored("x/tree", "in a folder"))
        .build();
    let site = Site::of(archive);
    let mut client = site.client();
    assert_eq!(site.paths("").await, ["x/", "tree"]);
    assert_eq!(site.paths("raw=false").await, ["x/", "tree"]);
    for query in ["raw=true", "raw=1", "raw=YES"] {
        let answer = client.get(&site.by_job(query)).await;
        assert_eq!(answer.bytes(), "a file named tree", "{query}");
    }
    let answer = client.get(&site.by_job("raw=perhaps")).await;
    answer.refuses(400, &json!({"error": "raw is invalid"}));
    let target = crate::client::by_job(site.job_id, b"x/tree");
    assert_eq!(client.get(&target).await.bytes(), "in a folder");
    let target = crate::client::by_ref("main", b"tree");
    assert_eq!(client.get(&target).await.bytes(), "a file named tree");
}

#[tokio::test]
async fn refs_may_have_slashes_and_the_words_raw_and_tree() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let push = |ref_name: &str| {
        let archive = Archive::new()
            .entry(Entry::stored(encoded_segment(ref_name.as_bytes()), ""))
            .entry(Entry::stored("x/tree", format!("file of {ref_name}")));
        let archive = scratch.file("pushed.zip", archive.build());
        Push { ref_name, ..Push::public() }.store_in(&scratch.data(), &archive);
    };
    let listed = |ref_name: &str| vec!["x/".to_owned(), encoded_segment(ref_name.as_bytes())];
    let refs = ["feature/a", "tree", "raw", "raw/tree", "feature/tree", "v/raw/x", "a/tree/b"];
    for ref_name in refs {
        push(ref_name);
    }
    for ref_name in refs {
        for spelled in [ref_name.to_owned(), encoded_segment(ref_name.as_bytes())] {
            let answer = client.get(&by_ref(&spelled, "")).await;
            assert_eq!(answer.status, 200, "{spelled}: {:?}", answer.body);
            let mut found = paths(&answer.json());
            found.sort_by_key(|path| !path.ends_with('/'));
            assert_eq!(found, listed(ref_name), "{spelled}");
        }
    }
    // `v/raw/x/tree`: with a ref `v` it is a file named x/tree, as the longest ref that is there
    // says; the listing is then asked for with the ref encoded.
    push("v");
    let started = std::time::Instant::now();
    loop {
        let answer = client.get(&by_ref("v/raw/x", "")).await;
        if answer.bytes() == "file of v" {
            break;
        }
        assert!(started.elapsed() < crate::harness::HANG, "{answer:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let answer = client.get(&by_ref("v%2Fraw%2Fx", "")).await;
    assert!(paths(&answer.json()).contains(&"v%2Fraw%2Fx".to_owned()), "{:?}", answer.body);

    for unknown in ["nothing", "feature", "v/raw", "v/raw/y/z"] {
        let answer = client.get(&by_ref(unknown, "")).await;
        assert_eq!(answer.status, 404, "{unknown}");
    }
}

#[tokio::test]
async fn whoever_may_read_the_files_may_list_them() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let archive = Archive::new().entry(Entry::stored("a.txt", "a")).build();
    let server = Server::start(&data);
    let owner = token(&data, "group", "owner", "api,ingest");
    let guest = token(&data, "group", "guest", "api");
    let reporter = token(&data, "group", "reporter", "read_api");
    let ingest = token(&data, "group", "maintainer", "ingest");
    let elsewhere = token(&data, "grou", "owner", "api");
    let job = running_job(server.address, &owner, "group/app", "private", "main");
    upload_archive(server.address, &job, &archive);
    let other = running_job(server.address, &owner, "group/other", "private", "main");
    // Only members see the pipelines of this one, and guests not even those.
    let base = "/ingest/v1/projects/group%2Fapp";
    let body = json!({"public_pipelines": false});
    crate::handing_in::announce(server.address, &owner, "PUT", base, &body);

    let hidden = json!({"message": "404 Project Not Found"});
    let mut client = Client::http1(server.address);
    let base = format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts", job.id);
    let by_name = "/api/v4/projects/group%2Fapp/jobs/artifacts/main";
    let table: [Asking; 10] = [
        ("nobody", &[], 404),
        ("a reporter", &[("private-token", &reporter)], 200),
        ("an owner", &[("private-token", &owner)], 200),
        ("a guest", &[("private-token", &guest)], 403),
        ("a token of another group", &[("private-token", &elsewhere)], 404),
        ("an unknown token", &[("private-token", "ewt_unknown")], 401),
        ("a token for ingest alone", &[("private-token", &ingest)], 403),
        ("the job", &[("job-token", &job.token)], 200),
        ("a job of another project", &[("job-token", &other.token)], 403),
        ("a private token as a job's", &[("job-token", &reporter)], 401),
    ];
    for (name, fields, status) in table {
        let file = client.get_with(&format!("{base}/a.txt"), fields).await;
        let raw = client.get_with(&format!("{by_name}/raw/a.txt?job=build"), fields).await;
        for target in [format!("{base}/tree"), format!("{by_name}/tree?job=build")] {
            let tree = client.get_with(&target, fields).await;
            assert_eq!(tree.status.as_u16(), status, "{name}: {target} {:?}", tree.body);
            assert_eq!(tree.status, file.status, "{name}: as C");
            assert_eq!(tree.status, raw.status, "{name}: as D");
            if status >= 400 {
                assert_eq!(tree.bytes(), file.bytes(), "{name}");
            }
            if status == 404 {
                tree.refuses(404, &hidden);
            }
        }
    }
    // As for files: what only some may read is not for shared caches.
    let answer = client.get_with(&format!("{base}/tree"), &[("private-token", &reporter)]).await;
    if let Some(cache) = answer.header("cache-control") {
        assert!(cache.contains("private") || cache.contains("no-store"), "{cache}");
    }

    for (name, target, body) in [
        ("unknown job", "/api/v4/projects/group%2Fapp/jobs/999999/artifacts/tree", "404 Not found"),
        (
            "no archive",
            &format!("/api/v4/projects/group%2Fother/jobs/{}/artifacts/tree", other.id),
            "404 Not Found",
        ),
        (
            "no such job",
            "/api/v4/projects/group%2Fapp/jobs/artifacts/main/tree?job=none",
            "404 Not found",
        ),
        (
            "a job of another project",
            &format!("/api/v4/projects/group%2Fother/jobs/{}/artifacts/tree", job.id),
            "404 Not found",
        ),
    ] {
        let answer = client.get_with(target, &[("private-token", &owner)]).await;
        assert_eq!(answer.json(), json!({"message": body}), "{name}");
        answer.refuses(404, &json!({"message": body}));
    }
}

#[tokio::test]
async fn what_has_expired_is_not_listed() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let owner = token(&scratch.data(), "group", "owner", "api,ingest");
    let job = running_job(server.address, &owner, "group/app", "public", "main");
    let archive = Archive::new().entry(Entry::stored("a.txt", "a")).build();
    let credential = format!("JOB-TOKEN: {}", job.token);
    let answer =
        upload(server.address, job.id, &credential, &[("expire_in", "2 seconds")], &archive);
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut client = Client::http1(server.address);
    let by_job = format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts/tree", job.id);
    assert_eq!(client.get(&by_job).await.status, 200);
    assert_eq!(client.get(&by_ref("main", "")).await.status, 200);
    let started = std::time::Instant::now();
    while client.get(&by_job).await.status == 200 {
        assert!(started.elapsed() < crate::harness::HANG, "it never expires");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    client.get(&by_job).await.refuses(404, &json!({"message": "404 Not Found"}));
    let answer = client.get(&by_ref("main", "")).await;
    assert_eq!(answer.status, 404, "{:?}", answer.body);
}

#[tokio::test]
async fn an_unverified_archive_is_listed_as_a_verified_one() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let owner = token(&scratch.data(), "group", "owner", "api,ingest");
    let job = running_job(server.address, &owner, "group/app", "public", "main");
    let archive = slow_to_verify([
        Entry::stored("a.txt", "a").mode(0o100_600),
        Entry::directory("dir/"),
        Entry::stored("./dir/x", "xx"),
        Entry::stored(b"\x81.txt", "u"),
        Entry::stored("../evil", "e"),
        Entry::stored("bad-crc", "bad").edit_local(|header| header.crc32 ^= 1),
        Entry::stored("implied/by/me", "m"),
    ]);
    upload_archive(server.address, &job, &archive);
    let mut client = Client::http1(server.address);
    let base = format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts", job.id);
    let file = format!("{base}/a.txt");
    let queries = [
        "",
        "recursive=true",
        "path=dir",
        "path=slow&per_page=5&page=2",
        "path=nothing",
        "path=%C3%BC.txt",
    ];
    let mut before = Vec::new();
    for query in queries {
        let answer = client.get(&format!("{base}/tree?{query}")).await;
        before.push((
            answer.status,
            answer.bytes().clone(),
            answer.header("x-total").map(str::to_owned),
        ));
    }
    assert!(!is_verified(&mut client, &file, &owner).await, "verified too soon to compare");
    until_verified(&mut client, &file, &owner).await;
    for (query, before) in queries.iter().zip(before) {
        let answer = client.get(&format!("{base}/tree?{query}")).await;
        let after =
            (answer.status, answer.bytes().clone(), answer.header("x-total").map(str::to_owned));
        assert_eq!(before, after, "{query}");
    }
    let root = client.get(&format!("{base}/tree")).await;
    assert_eq!(
        paths(&root.json()),
        ["dir/", "implied/", "slow/", "a.txt", "bad-crc", "\u{fc}.txt"]
    );
}

#[tokio::test]
async fn an_archive_of_100_000_entries_has_right_totals_and_a_last_page() {
    let files = (0..100_000).map(|n| Entry::stored(format!("d{:02}/{n:06}", n % 40), ""));
    let site = Site::of(Archive::new().entries(files).build());
    let last = site.tree("recursive=true&per_page=100&page=1001").await;
    assert_eq!(pages(&last), ["1001", "100", "1000", "", "100040", "1001"]);
    let mut all: Vec<String> = (0..100_000).map(|n| format!("d{:02}/{n:06}", n % 40)).collect();
    all.sort();
    assert_eq!(paths(&last.json()), all[100_000 - 40..]);
    let root = site.tree("per_page=30&page=2").await;
    assert_eq!(pages(&root), ["2", "30", "1", "", "40", "2"]);
    assert_eq!(paths(&root.json()).len(), 10);
    let folder = site.tree("path=d39&per_page=100&page=25").await;
    assert_eq!(pages(&folder), ["25", "100", "24", "", "2500", "25"]);
    assert_eq!(paths(&folder.json()), all[100_000 - 100..]);
}

/// Every item of a whole listing, over all its pages.
async fn whole_tree(client: &mut Client, ref_name: &str) -> Vec<Value> {
    let ref_name = encoded_segment(ref_name.as_bytes());
    let mut next = Some(by_ref(&ref_name, "recursive=true&per_page=100"));
    let mut items = Vec::new();
    while let Some(target) = next {
        let answer = client.get(&target).await;
        assert_eq!(answer.status, 200, "{target}: {:?}", answer.body);
        items.extend(answer.json().as_array().expect("an array").clone());
        next = links(&answer).get("next").cloned();
        if next.is_none() {
            assert_eq!(answer.expect_header("x-total"), items.len().to_string(), "{target}");
        }
    }
    items
}

/// What Python's zipfile says is in an archive, as a listing would: names without `./`, the folders
/// that they imply, sizes, and modes where the maker was Unix.
const LISTING_BY_PYTHON: &str = r#"
import json, sys, zipfile
files, folders = {}, {}
for item in zipfile.ZipFile(sys.argv[1]).infolist():
    name = item.orig_filename
    if not item.flag_bits & 0x800:
        # Python has it in code page 437 then; many writers mean UTF-8 all the same.
        try:
            name = name.encode("cp437").decode()
        except UnicodeDecodeError:
            name = item.filename
    if name.startswith("./"):
        name = name[2:]
    if not name:
        continue
    mode = item.external_attr >> 16 if item.create_system in (3, 19) else 0
    mode = "%06o" % mode if mode else None
    segments = name.split("/")
    for depth in range(1, len(segments)):
        folder = "/".join(segments[:depth])
        folders.setdefault(folder, None)
    if name.endswith("/"):
        if folders[name[:-1]] is None:
            folders[name[:-1]] = mode
    else:
        files.setdefault(name, (item.file_size, mode))
def item(path, kind, size, mode):
    return {"name": path.split("/")[-1], "path": path, "type": kind, "size": size, "mode": mode}
key = lambda path: path.encode()
out = [item(path, "directory", None, folders[path]) for path in sorted(folders, key=key)]
out += [item(path, "file", *files[path]) for path in sorted(files, key=key)]
json.dump(out, sys.stdout)
"#;

fn listing_by_python(archive: &Path) -> Vec<Value> {
    let python = Command::new("python3")
        .args(["-c", LISTING_BY_PYTHON])
        .arg(archive)
        .stdin(Stdio::null())
        .output()
        .expect("python3 starts");
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    serde_json::from_slice(&python.stdout).expect("JSON")
}

#[tokio::test]
async fn whole_listings_equal_those_of_python() {
    let test = "whole_listings_equal_those_of_python";
    if !has_command("python3") {
        return skip(test, "python3 is not here");
    }
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let mut compared = vec![(scratch.file("folders.zip", folders()), "folders.zip".to_owned())];
    match std::env::var_os("ENTRYWAY_ARCHIVES") {
        None => skip(test, "ENTRYWAY_ARCHIVES names no folder made by tests/tools/make_archives"),
        Some(folder) => {
            // Pages of a hundred items each: the large ones are for the downloads.
            let archives = Indexed::all_in(Path::new(&folder));
            let small = archives.iter().filter(|archive| archive.entries.len() <= 3_000);
            compared.extend(small.map(|a| (a.path.clone(), a.name().to_owned())));
        }
    }
    for (archive, ref_name) in compared {
        Push { ref_name: &ref_name, ..Push::public() }.store_in(&scratch.data(), &archive);
        let ours = whole_tree(&mut client, &ref_name).await;
        let theirs = listing_by_python(&archive);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{ref_name}");
        }
        assert_eq!(ours.len(), theirs.len(), "{ref_name}");
    }
}

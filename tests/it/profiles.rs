//! `--profile serve|strict` of `verify`, `push` and `quickstart`: exit codes, what they print, and
//! that a refused push leaves nothing.

use std::path::Path;

use entryway::Rule;
use entryway_testkit::builder::{Archive, Entry};
use serde_json::{Value, json};

use crate::handing_in::{running_job, token};
use crate::harness::{Push, Ran, Running, Scratch, Server, command, run};

fn verify(archive: &Path, more: &[&str]) -> Ran {
    let mut verify = command();
    verify.arg("verify").arg(archive).args(more);
    Ran::of(&mut verify)
}

/// An archive that breaks two rules of the profile by itself and others by three of its entries,
/// and has one that is refused anyway and one with other data than it says.
fn loose() -> Archive {
    Archive::new()
        .entry(Entry::stored("a\\b: ", "hello"))
        .entry(Entry::stored("good", "hello").gap_before("gap"))
        .entry(Entry::stored("../x\\y", "hello"))
        .entry(Entry::stored("Twin", "hello"))
        .entry(Entry::stored("twin", "hello"))
        .entry(Entry { crc32: 7, ..Entry::stored("tin", "hello") })
        .trailing("behind")
}

/// Takes the words of refusals out, each of which stands in the text for people.
fn take_messages(json: &mut Value, text: &str) {
    match json {
        Value::Object(members) => {
            let rule = members.get("rule").cloned();
            match (rule, members.remove("message")) {
                (None, None) | (Some(Value::Null), Some(Value::Null)) => {}
                (Some(Value::String(rule)), Some(Value::String(message))) => {
                    assert!(text.contains(&format!("{rule} ({message})")), "{rule}: {message}");
                }
                other => panic!("{other:?}"),
            }
            members.values_mut().for_each(|member| take_messages(member, text));
        }
        Value::Array(members) => members.iter_mut().for_each(|it| take_messages(it, text)),
        _ => {}
    }
}

#[test]
fn verify_says_what_the_profile_refuses() {
    let scratch = Scratch::new();
    let built = loose().build_placed();
    let file = scratch.file("loose.zip", &built.bytes);
    let header = |index: usize| built.entries[index].central_header_offset.expect("listed");

    // The usual profile: the one entry, and nothing said of the others.
    for more in [&[][..], &["--profile", "serve"]] {
        let ran = verify(&file, more).exits(1);
        let text = ran.text();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        let advice =
            [Rule::NameDots, Rule::Crc].map(|rule| format!("{}: {}", rule.label(), rule.advice()));
        assert_eq!(lines, ["6 entries, 2 refused", &advice[0], &advice[1]], "{text}");
        let json = verify(&file, &[more, &["--json"]].concat()).exits(1).json();
        assert_eq!((&json["archive"], &json["rule"]), (&json!("accepted"), &Value::Null));
        assert_eq!(json.get("broken"), None);
    }

    let strict = ["--profile", "strict"];
    let text = verify(&file, &strict).exits(1).text();
    let lines: Vec<&str> = text.lines().collect();
    let beginnings = [
        "refused  a\\b: : name_backslash (central directory header at ",
        "refused  a\\b: : name_ending (central directory header at ",
        "refused  a\\b: : name_colon (central directory header at ",
        "refused  the archive: bytes_between (3 bytes at ",
        "refused  Twin: names_collide (central directory header at ",
        "refused  twin: names_collide (central directory header at ",
        "refused  the archive: trailing_bytes (6 bytes follow ",
        "refused  ../x\\y: name_dots (central directory header at ",
        "refused  tin: crc (",
        "6 entries, 5 refused, and the archive",
        "name_backslash: ",
        "name_ending: ",
        "name_colon: ",
        "bytes_between: ",
        "names_collide: ",
        "trailing_bytes: ",
        "name_dots: ",
        "crc: ",
    ];
    assert_eq!(lines.len(), beginnings.len(), "{text}");
    for (line, beginning) in lines.iter().zip(beginnings) {
        assert!(line.starts_with(beginning), "{line:?}, not {beginning:?}");
    }

    let mut json = verify(&file, &[&strict[..], &["--json"]].concat()).exits(1).json();
    take_messages(&mut json, &text);
    let gap = built.entries[1].local_header_offset - 3;
    let refused = |name: &str, rule: Rule, offset: usize| {
        let (label, advice) = (rule.label(), rule.advice());
        json!({"name": name, "verdict": "refused", "rule": label, "offset": offset, "advice": advice})
    };
    let broken = |rule: Rule, entry: Option<&str>, offset: usize| {
        let mut told = json!({"rule": rule.label(), "offset": offset, "advice": rule.advice()});
        if let Some(entry) = entry {
            told["entry"] = entry.into();
        }
        told
    };
    let of_entry = |rule, name, number: usize| broken(rule, Some(name), header(number));
    let expected = json!({
        "archive": "refused",
        "rule": "name_backslash",
        "offset": header(0),
        "advice": Rule::NameBackslash.advice(),
        "broken": [
            of_entry(Rule::NameBackslash, "a\\b: ", 0),
            of_entry(Rule::NameEnding, "a\\b: ", 0),
            of_entry(Rule::NameColon, "a\\b: ", 0),
            broken(Rule::BytesBetween, None, gap),
            of_entry(Rule::NamesCollide, "Twin", 3),
            of_entry(Rule::NamesCollide, "twin", 4),
            broken(Rule::TrailingBytes, None, built.eocd_offset),
        ],
        "entries": [
            refused("a\\b: ", Rule::NameBackslash, header(0)),
            {"name": "good", "verdict": "served", "rule": null, "offset": null, "advice": null},
            refused("../x\\y", Rule::NameDots, header(2)),
            refused("Twin", Rule::NamesCollide, header(3)),
            refused("twin", Rule::NamesCollide, header(4)),
            refused("tin", Rule::Crc, json["entries"][5]["offset"].as_u64().unwrap() as usize),
        ],
    });
    assert_eq!(json, expected);
}

#[test]
fn verify_fails_where_the_archive_alone_breaks_the_profile() {
    let scratch = Scratch::new();
    let zip = Archive::new().entry(Entry::stored("a", "a")).trailing("stray").build();
    let file = scratch.file("stray.zip", zip);
    verify(&file, &[]).exits(0);
    let text = verify(&file, &["--profile", "strict"]).exits(1).text();
    let advice = format!("trailing_bytes: {}", Rule::TrailingBytes.advice());
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines, ["1 entries, 0 refused, and the archive", &advice], "{text}");
    let json = verify(&file, &["--profile", "strict", "--json"]).exits(1).json();
    assert_eq!((&json["archive"], &json["rule"]), (&json!("refused"), &json!("trailing_bytes")));
    assert_eq!(json["entries"][0]["verdict"], "served");
}

#[test]
fn verify_passes_what_keeps_the_profile() {
    let scratch = Scratch::new();
    let zip = Archive::new().entry(Entry::deflated("a.txt", "hello")).comment("a comment").build();
    let file = scratch.file("plain.zip", &zip);
    let strict = ["--profile", "strict"];
    assert_eq!(verify(&file, &strict).exits(0).text(), "1 entries, 0 refused\n");
    let json = verify(&file, &["--json", "--profile", "strict"]).exits(0).json();
    assert_eq!((&json["archive"], &json["broken"]), (&json!("accepted"), &json!([])));

    // What is refused by every profile is so by its own rule, and what is no archive is none.
    let mut cut = zip.clone();
    cut[zip.len() - 9 - 22 + 8] = 2;
    let file = scratch.file("cut.zip", cut);
    let ran = verify(&file, &["--json", "--profile", "strict"]).exits(1);
    let mut json = ran.json();
    take_messages(&mut json, &ran.stderr);
    assert_eq!((&json["archive"], &json["rule"]), (&json!("refused"), &json!("counts_disagree")));
    let advice = Rule::CountsDisagree.advice();
    let rule = json!({"rule": "counts_disagree", "offset": json["offset"], "advice": advice});
    assert_eq!(json["broken"], json!([rule]));
    verify(&scratch.file("none.zip", "text"), &strict).exits(4);
    let ran = verify(&file, &["--profile", "lax"]).exits(2);
    assert!(ran.stderr.contains("strict"), "{}", ran.stderr);
}

#[test]
fn a_push_that_breaks_the_profile_leaves_nothing() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let push =
        |file: &Path, arguments| Push { arguments, ..Push::public() }.attempt_in(&data, file);
    let strict = &["--profile", "strict"];
    let stray = Archive::new().entry(Entry::stored("a", "a")).trailing("stray");
    let named = Archive::new().entry(Entry::stored("a\\b", "a"));
    for (name, zip, words) in [
        ("stray.zip", stray, "5 bytes follow the end of central directory record"),
        ("named.zip", named, "the name holds a backslash"),
    ] {
        let file = scratch.file(name, zip.build());
        let ran = push(&file, strict).exits(1);
        assert!(ran.stderr.contains(name) && ran.stderr.contains(words), "{}", ran.stderr);
        assert_eq!(ran.text(), "");
        let projects = run([Path::new("projects"), "--json".as_ref(), "--data".as_ref(), &data]);
        assert_eq!(projects.exits(0).json(), json!([]));
        assert_eq!(blobs(&data), 0, "{name}");
        // Without the profile it is stored.
        push(&file, &[]).exits(0);
        assert_eq!(blobs(&data), 1, "{name}");
        std::fs::remove_dir_all(&data).expect("own folder");
    }
    // An entry that is refused anyway is listed, and the archive stored.
    let partly = Archive::new()
        .entry(Entry::stored("good", "good"))
        .entry(Entry::stored("..\\evil", "evil"))
        .build();
    let pushed = push(&scratch.file("partly.zip", partly), strict).exits(0).json();
    assert_eq!(pushed["refused"][0]["rule"], "name_dots");
}

/// Archives in the store.
fn blobs(data: &Path) -> usize {
    let folders = std::fs::read_dir(data.join("blobs")).expect("a store has its folder");
    let files = folders.flat_map(|folder| {
        let files = std::fs::read_dir(folder.expect("an item").path());
        files.into_iter().flatten().map(|file| file.expect("an item").path())
    });
    files.filter(|file| file.extension().is_some_and(|end| end == "zip")).count()
}

#[test]
fn a_push_to_a_server_is_held_to_the_profile_of_either() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let ingest = token(&data, "group", "maintainer", "ingest");
    let file = scratch
        .file("stray.zip", Archive::new().entry(Entry::stored("a", "a")).trailing("stray").build());
    let push = |server: &Server, place: &[&str], more: &[&str]| {
        let mut push = command();
        push.env("ENTRYWAY_TOKEN", &ingest).arg("push").arg(&file);
        push.args(["--server", &server.url("")]).args(place).args(more);
        Ran::of(&mut push)
    };
    let projects = || {
        let list = [Path::new("projects"), "--json".as_ref(), "--data".as_ref(), &data];
        run(list).exits(0).json()
    };
    let place = ["--project", "group/app", "--ref", "main", "--job", "build"];

    // Its own: nothing is announced.
    let server = Server::start(&data);
    let ran = push(&server, &place, &["--profile", "strict"]).exits(1);
    assert!(ran.stderr.contains("stray.zip: trailing_bytes (5 bytes follow"), "{}", ran.stderr);
    assert_eq!(projects(), json!([]));
    push(&server, &place, &[]).exits(0);
    drop(server);

    // The server's: it says which rule, and where.
    let server = Server::start_with(&data, &["--profile", "strict"]);
    let job = running_job(server.address, &ingest, "group/other", "public", "main").id.to_string();
    for place in [&place[..], &["--job-id", &job]] {
        let ran = push(&server, place, &[]).exits(1);
        let says = "answered 400 Bad Request: trailing_bytes (5 bytes follow the end of central \
                    directory record at ";
        assert!(ran.stderr.contains("cannot hand the archive in"), "{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(ran.text(), "");
    }
    assert_eq!(blobs(&data), 1, "that of the first push");
}

#[test]
fn a_quickstart_with_the_profile_takes_no_loose_archive() {
    let scratch = Scratch::new();
    let file = scratch.file("loose.zip", loose().build());
    let mut quickstart = command();
    quickstart.arg("quickstart").arg(&file).args([
        "--profile",
        "strict",
        "--listen",
        "127.0.0.1:0",
    ]);
    // One that took it would serve on.
    let mut running = Running::start(&mut quickstart);
    assert_eq!(running.wait().code(), Some(1));
    let log = running.log();
    assert!(
        log.contains("loose.zip: a\\b: : name_backslash (central directory header at "),
        "{log}"
    );
    assert!(log.contains("the name holds a backslash"), "{log}");
}

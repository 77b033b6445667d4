//! What to do about a refusal, wherever a person reads one.

use std::path::Path;

use entryway::Rule;
use entryway_testkit::builder::{Archive, Entry};
use serde_json::Value;

use crate::handing_in::{json_of, running_job, token, upload};
use crate::harness::{Push, Ran, Running, Scratch, Server, command, run};

/// Entries that break two rules, one of them twice, among some that break none.
fn partly_refused() -> Vec<u8> {
    let corrupt = |name| Entry { crc32: 7, ..Entry::stored(name, name) };
    Archive::new()
        .entry(corrupt("a"))
        .entry(Entry::stored("good", "good"))
        .entry(Entry::stored("locked", "locked").flags(1))
        .entry(corrupt("b"))
        .build()
}

/// Two end records end with the file.
fn ambiguous() -> Vec<u8> {
    Archive::new().comment(Archive::new().build()).build()
}

/// What `verify` and `push` say of the entries.
fn expected() -> [String; 2] {
    [Rule::Crc, Rule::Encrypted].map(|rule| format!("{}: {}", rule.label(), rule.advice()))
}

#[test]
fn verify_says_once_what_to_do_about_each_rule() {
    let scratch = Scratch::new();
    let file = scratch.file("partly.zip", partly_refused());
    let verified = run([Path::new("verify"), &file]).exits(1);
    let text = verified.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert!(lines[..3].iter().all(|line| line.starts_with("refused  ")), "{text}");
    assert_eq!(lines[3], "4 entries, 3 refused");
    assert_eq!(lines[4..], expected());

    let json = run([Path::new("verify"), &file, Path::new("--json")]).exits(1).json();
    let given = |at: usize| json["entries"][at]["advice"].clone();
    let [crc, encrypted] = [Rule::Crc, Rule::Encrypted].map(|rule| Value::from(rule.advice()));
    assert_eq!(
        [given(0), given(1), given(2), given(3)],
        [crc.clone(), Value::Null, encrypted, crc]
    );
    assert_eq!(json["advice"], Value::Null);

    let refused = scratch.file("ambiguous.zip", ambiguous());
    let verified = run([Path::new("verify"), &refused, Path::new("--json")]).exits(1);
    assert_eq!(verified.json()["advice"], Rule::SecondEndRecord.advice());
}

#[test]
fn a_command_that_fails_says_what_to_do_in_a_line_of_its_own() {
    let scratch = Scratch::new();
    let refused = scratch.file("ambiguous.zip", ambiguous());
    let partly = scratch.file("partly.zip", partly_refused());
    let none = scratch.file("none.zip", "no archive");
    let of = |command: &str, file: &Path, rest: &[&str]| {
        Ran::of(crate::harness::command().arg(command).arg(file).args(rest))
    };
    let table: [(&str, Ran, Rule); 7] = [
        ("verify", of("verify", &refused, &[]), Rule::SecondEndRecord),
        ("ls", of("ls", &refused, &[]), Rule::SecondEndRecord),
        ("cat", of("cat", &refused, &["a"]), Rule::SecondEndRecord),
        ("cat: known to be bad", of("cat", &partly, &["locked"]), Rule::Encrypted),
        ("cat: found while it is read", of("cat", &partly, &["b"]), Rule::Crc),
        ("quickstart", of("quickstart", &none, &[]), Rule::NoEndRecord),
        ("push", Push::public().attempt_in(&scratch.data(), &refused), Rule::SecondEndRecord),
    ];
    for (name, ran, rule) in table {
        assert_ne!(ran.code, Some(0), "{name}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{name}: {}", ran.stderr);
        let label = format!("{} (", rule.label());
        assert!(lines[0].contains(&label), "{name}: {}", lines[0]);
        assert_eq!(lines[1], format!("entryway: {}", rule.advice()), "{name}");
    }
    // Nobody can put right what is not there.
    let absent = of("cat", &partly, &["absent"]).exits(3);
    assert_eq!(absent.stderr.lines().count(), 1, "{}", absent.stderr);
}

#[test]
fn push_says_once_what_to_do_about_each_rule_that_entries_break() {
    let scratch = Scratch::new();
    let file = scratch.file("partly.zip", partly_refused());
    let pushed = Push::public().attempt_in(&scratch.data(), &file).exits(0);
    let lines: Vec<&str> = pushed.stderr.lines().collect();
    assert_eq!(lines.len(), 5, "{}", pushed.stderr);
    assert_eq!(lines[3..], expected().map(|line| format!("entryway: {line}")));
    assert_eq!(pushed.json()["refused"][0]["advice"], Rule::Crc.advice());
}

#[test]
fn an_upload_that_is_refused_is_answered_with_what_to_do_and_push_passes_it_on() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let server = Server::start_with(&data, &["--max-entries", "3"]);
    let owner = token(&data, "group", "maintainer", "api,ingest");
    let job = running_job(server.address, &owner, "group/app", "public", "main");
    let credential = format!("JOB-TOKEN: {}", job.token);
    let answer = upload(server.address, job.id, &credential, &[], &ambiguous());
    assert_eq!(answer.status, 400);
    let body = json_of(&answer);
    assert_eq!(body["reason"], Rule::SecondEndRecord.label());
    assert_eq!(body["advice"], Rule::SecondEndRecord.advice());
    assert!(body["message"].as_str().is_some_and(|it| it.starts_with("400 Bad request - ")));
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(3), "{body}");

    // Four entries, which the one who pushes lets pass.
    let file = scratch.file("partly.zip", partly_refused());
    let mut push = command();
    push.arg("push").arg(&file).args(["--server", &server.url("")]).env("ENTRYWAY_TOKEN", &owner);
    let refused = Ran::of(push.args(["--job-id", &job.id.to_string()])).exits(1);
    let lines: Vec<&str> = refused.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", refused.stderr);
    assert!(lines[0].contains("400") && lines[0].contains("--max-entries"), "{}", lines[0]);
    assert_eq!(lines[1], format!("entryway: {}", Rule::ArchiveOverLimit.advice()));
}

#[test]
fn ls_says_beside_its_list_what_to_do_about_what_it_refuses() {
    let scratch = Scratch::new();
    let file = scratch.file("partly.zip", partly_refused());
    let listed = run([Path::new("ls"), &file]).exits(1);
    assert_eq!(listed.text().lines().count(), 4, "{}", listed.text());
    let advice = format!("entryway: encrypted: {}\n", Rule::Encrypted.advice());
    assert_eq!(listed.stderr, advice);
}

#[test]
fn quickstart_says_what_to_do_about_what_it_refuses() {
    let scratch = Scratch::new();
    let file = scratch.file("partly.zip", partly_refused());
    let mut quickstart = command();
    quickstart.arg("quickstart").arg(&file).args(["--listen", "127.0.0.1:0"]);
    let quickstart = Running::start(&mut quickstart);
    for line in expected() {
        assert_eq!(
            quickstart.line_after("  ").trim_start(),
            line.trim_start(),
            "{}",
            quickstart.log()
        );
    }
}

//! `serve --profile strict`: an archive that breaks a rule of that profile is answered 400 with the
//! rule, and nothing of it is kept; what is stored already is served as before.

use entryway_testkit::builder::{Archive, Entry};
use serde_json::json;

use super::sending::{FRAMINGS, Framing};
use super::{Site, archive_of};
use crate::harness::Server;

const STRICT: [&str; 2] = ["--profile", "strict"];

/// Archives that `serve` takes and `strict` refuses: the rule, and how it is said where.
fn refused() -> [(&'static str, &'static str, Vec<u8>); 7] {
    let named = |name: &str| Archive::new().entry(Entry::stored("NAME", format!("this is {name}")));
    let two = |name: &str| named(name).entry(Entry::stored("b", "b"));
    let mut between = two("between");
    between.entries[1].gap_before = b"stray".to_vec();
    [
        (
            "trailing_bytes",
            "5 bytes follow the end of central directory record at ",
            named("behind").trailing("stray").build(),
        ),
        (
            "bytes_before",
            "10 bytes stand before the first record",
            named("in front").prefix("#!/bin/sh\n", false).build(),
        ),
        ("bytes_between", "5 bytes at ", between.build()),
        (
            "unlisted_entry",
            " at ",
            Archive { directory_order: Some(vec![0]), ..two("unlisted") }.build(),
        ),
        (
            "name_backslash",
            "a\\b: central directory header at ",
            named("backslash").entry(Entry::stored("a\\b", "")).build(),
        ),
        (
            "names_collide",
            "NAME: central directory header at ",
            named("collides").entry(Entry::stored("name", "")).build(),
        ),
        (
            "unicode_path",
            "a: central directory header at ",
            named("path").entry(Entry::stored("a", "").unicode_path("b")).build(),
        ),
    ]
}

#[test]
fn what_breaks_a_rule_of_the_profile_is_refused_by_it_and_leaves_nothing() {
    let site = Site::start(&[&STRICT[..], &["--access-log"]].concat());
    let mut held: Vec<Vec<u8>> = Vec::new();
    for (at, (rule, words, archive)) in refused().into_iter().enumerate() {
        let framing = FRAMINGS[at % FRAMINGS.len()];
        let job = site.job();
        let reply = site.upload(framing, &job, &archive);
        assert_eq!(reply.status, 400, "{rule}: {reply:?}");
        let answer = reply.json();
        assert_eq!(answer["reason"], rule, "{answer}");
        let message = answer["message"].as_str().expect("a message");
        assert!(message.starts_with("400 Bad request - "), "{message}");
        assert!(message.contains(words), "{message}");
        site.assert_has_none(rule, &job);
        let others: Vec<&[u8]> = held.iter().map(Vec::as_slice).collect();
        site.assert_holds(rule, &others);

        // The job may hand in another one.
        let good = super::archive(rule, 1_000);
        assert_eq!(site.upload(framing, &job, &good).status, 201, "{rule}");
        site.assert_serves(rule, &job, &good);
        held.push(good);
    }
    let metrics = String::from_utf8(site.get("/-/metrics").body).expect("text");
    for (rule, ..) in refused() {
        let line = format!("entryway_failures_total{{reason=\"{rule}\"}} 1");
        assert!(metrics.lines().any(|told| told == line), "{line} in {metrics}");
    }
    let log = site.server.process.log();
    assert!(log.contains("trailing_bytes") && log.contains("names_collide"), "{log}");
}

#[test]
fn an_entry_that_is_refused_anyway_does_not_refuse_the_archive() {
    let site = Site::start(&STRICT);
    let archive = Archive::new()
        .entry(Entry::stored("NAME", "this is partly"))
        .entry(Entry::stored("..\\secret", "x"))
        .entry(Entry::stored("twice", "1"))
        .entry(Entry::stored("twice", "2"))
        .build();
    let job = site.job();
    assert_eq!(site.upload(Framing::Length, &job, &archive).status, 201);
    site.assert_serves("partly refused", &job, &archive);
    let refused = site.get(&format!("{}/twice", archive_of(&job)));
    assert_eq!((refused.status, &refused.json()["reason"]), (422, &json!("duplicate_name")));
}

#[test]
fn a_report_is_held_to_no_profile() {
    let site = Site::start(&STRICT);
    let job = site.job();
    let form = super::Form::with(
        &[("artifact_type", "metadata"), ("artifact_format", "gzip")],
        b"PK\x03\x04 no archive at all",
    );
    let mut sending = site.begin(Framing::Length, &job, &form);
    sending.send(&form.bytes);
    assert_eq!(sending.finish().status, 201);
}

#[test]
fn what_is_stored_is_served_whatever_the_profile_has_become() {
    let mut site = Site::start(&[]);
    let mut stored = Vec::new();
    for (rule, _, archive) in refused() {
        let job = site.job();
        assert_eq!(site.upload(Framing::Length, &job, &archive).status, 201, "{rule}");
        site.assert_serves(rule, &job, &archive);
        stored.push((rule, job, archive));
    }
    site.server.process.terminate();
    site.server.process.wait();
    site.server = Server::start_with(&site.data, &STRICT);
    for (rule, job, archive) in &stored {
        site.assert_serves(rule, job, archive);
        // The same bytes again are refused all the same, and stay where they were.
        let reply = site.upload(Framing::Length, job, archive);
        assert_eq!((reply.status, reply.json()["reason"].as_str()), (400, Some(*rule)));
        site.assert_serves(rule, job, archive);
    }
    let all: Vec<&[u8]> = stored.iter().map(|(_, _, archive)| &archive[..]).collect();
    site.assert_holds("all of them", &all);
}

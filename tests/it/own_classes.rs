//! Each hostile class through the program: what is refused when it is handed in, what never
//! arrives, and what arrives as it should.

use std::collections::BTreeSet;
use std::io::Read;

use bytes::Bytes;
use entryway_testkit::classes::{self, Class, Expected, Verdict};
use flate2::read::GzDecoder;
use http::Method;
use serde_json::Value;

use crate::client::{PROTOCOLS, raw_get};
use crate::harness::{Push, Scratch, Server};
use crate::standings::{Site, ask_in_every_way, by_job_literally, defect};
use crate::uploads::blobs;

/// Classes that are served, and refused under the profile strict.
const UNLESS_STRICT: usize = 32;

#[test]
fn what_is_refused_as_a_whole_is_refused_by_push_and_upload_and_leaves_nothing() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let site = Site::new();
    let mut seen = 0;
    for Class { id, bytes, verdict, .. } in classes::all() {
        let Verdict::Refused(rule) = verdict else { continue };
        let refusal = match entryway::Archive::open(Bytes::from(bytes.clone())) {
            Err(entryway::Error::Archive(refusal)) => refusal,
            other => panic!("{id}: {other:?}"),
        };
        assert_eq!(refusal.rule.label(), rule, "{id}");
        let ran = Push::public().attempt_in(&data, &scratch.file(id, &bytes));
        // What has no end record is no archive at all.
        let code = if rule == "no_end_record" { 4 } else { 1 };
        assert_eq!(ran.code, Some(code), "{id}: {}", ran.stderr);
        assert!(ran.stderr.contains(&refusal.to_string()), "{id}: {}", ran.stderr);

        let (job, answer) = site.attempt(&bytes);
        let said: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!((answer.status, &said["reason"]), (400, &Value::from(rule)), "{id}: {said}");
        let archive = format!("/api/v4/projects/group%2Fapp/jobs/{job}/artifacts");
        for target in [by_job_literally(job, b"a.txt"), archive] {
            let answer = raw_get(site.address(), target.as_bytes());
            assert_eq!(answer.status, 404, "{id}: {target}");
        }
        seen += 1;
    }
    assert_eq!(seen, 28);
    for data in [data, site.data()] {
        assert_eq!(blobs(&data), BTreeSet::new());
    }
    let server = Server::start(&scratch.data());
    let job = raw_get(server.address, by_job_literally(1, b"a.txt").as_bytes());
    assert_eq!(job.status, 404, "a push left a job");
}

#[test]
fn what_is_handed_in_under_the_profile_strict_is_refused_by_a_rule_of_it() {
    let site = Site::with(&["--profile", "strict"]);
    let mut seen = 0;
    for class in classes::all() {
        let (_, answer) = site.attempt(&class.bytes);
        let rules = match (&class.verdict, class.id) {
            (Verdict::Refused(rule), _) => &[*rule][..],
            // Its compressed size is two bytes short, and those belong to no record.
            (_, "E06-deflate-truncated") => &["bytes_between"],
            _ => class.strict,
        };
        if rules.is_empty() {
            assert_eq!(answer.status, 201, "{}: {answer:?}", class.id);
            continue;
        }
        seen += 1;
        let said: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let reason = said["reason"].as_str().expect("a reason");
        assert!(answer.status == 400 && rules.contains(&reason), "{}: {said}", class.id);
    }
    assert_eq!(seen, 28 + 1 + UNLESS_STRICT);
}

/// The entries that are asked for: of many, three.
fn asked(class: &Class) -> Vec<&Expected> {
    let mut entries: Vec<&Expected> = class.entries().iter().collect();
    entries.dedup();
    let step = if entries.len() > 100 { entries.len() / 2 - 1 } else { 1 };
    entries.into_iter().step_by(step).collect()
}

/// Entries that are good and have no address: class, name's beginning, and what a request for them
/// comes to, where a client can write one.
const WITHOUT_ADDRESS: [(&str, &[u8], Option<u16>); 3] = [
    ("F16d-dotmid", b"a/./b", Some(400)),
    // Without its `./` it would be the address of another file of that archive.
    ("F16f-collide", b"./a/b", Some(400)),
    ("F18-name-65535", b"a/a/", None),
];

/// The path under which an entry is asked for.
fn path_of(name: &[u8]) -> Vec<u8> {
    match name.strip_prefix(b"./") {
        Some(rest) => rest.to_vec(),
        // Code page 437, which is shown and found as Unicode.
        None if name == b"\x82.txt" => "\u{e9}.txt".into(),
        None => name.to_vec(),
    }
}

/// What is wrong with the answers for an entry that is served.
async fn assert_arrives(site: &Site, what: &str, target: &str, content: &[u8]) {
    for protocol in PROTOCOLS {
        let mut client = site.client(protocol);
        let what = format!("{what}, {protocol:?}");
        let whole = client.get(target).await;
        assert_eq!(whole.status, 200, "{what}: {:?}", whole.body);
        assert!(whole.bytes() == content, "{what}: other bytes");
        site.assert_standing(&what, &whole);
        let head = client.send(&Method::HEAD, target, &[]).await;
        let len = content.len().to_string();
        assert_eq!((head.status, head.expect_header("content-length")), (whole.status, &*len));

        let coded = client.get_with(target, &[("accept-encoding", "gzip")]).await;
        assert_eq!(coded.status, 200, "{what}");
        let mut decoded = Vec::new();
        match coded.header("content-encoding") {
            None => decoded.extend_from_slice(coded.bytes()),
            Some("gzip") => {
                assert!(site.is_verified(), "{what}: data that nobody has looked at");
                GzDecoder::new(&coded.bytes()[..]).read_to_end(&mut decoded).expect("gzip");
            }
            Some(other) => panic!("{what}: {other}"),
        }
        assert!(decoded == content, "{what}: other bytes in gzip");

        let part = client.get_with(target, &[("range", "bytes=1-3")]).await;
        if !site.is_verified() {
            assert_eq!(part.status, 200, "{what}: a part of what nobody has looked at");
            assert!(part.bytes() == content, "{what}: other bytes");
        } else if content.len() < 2 {
            assert_eq!(part.status, 416, "{what}");
        } else {
            assert_eq!(part.status, 206, "{what}");
            assert!(part.bytes() == &content[1..content.len().min(4)], "{what}: another part");
        }
    }
}

/// Asks for the entries of a class, and gives what is wrong with the answers.
async fn look(site: &Site, class: &Class, job: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    for Expected { name, content } in asked(class) {
        let shown = String::from_utf8_lossy(&name[..name.len().min(40)]);
        let what = format!("{} {shown:?}", class.id);
        let fixed = WITHOUT_ADDRESS
            .iter()
            .find(|(id, start, _)| *id == class.id && name.starts_with(start));
        // No path at all is the archive's.
        if name.is_empty() {
            continue;
        }
        let target = by_job_literally(job, &path_of(name));
        match content {
            Ok(_) if name.ends_with(b"/") || fixed.is_some() => {
                let Some(status) = fixed.map_or(Some(404), |(_, _, status)| *status) else {
                    continue;
                };
                let literal = by_job_literally(job, name);
                let answer = site.client(PROTOCOLS[0]).get(&literal).await;
                assert_eq!(answer.status, status, "{what}: {:?}", answer.body);
            }
            Ok(content) => assert_arrives(site, &what, &target, content).await,
            Err(rule) => {
                // What is refused for its name, or is a directory, has no address either.
                let is_addressed = !rule.starts_with("name_") && !name.ends_with(b"/");
                for cell in ask_in_every_way(site, &target).await {
                    let defect = match is_addressed {
                        true => defect(&cell, rule, site.is_verified()),
                        false => (!cell.came.is_client_error()).then_some("not an error"),
                    };
                    wrong.extend(defect.map(|defect| format!("{what}: {cell:?}: {defect}")));
                }
            }
        }
    }
    wrong
}

#[tokio::test]
async fn of_each_class_only_what_is_right_arrives_before_and_after_it_is_verified() {
    let mut site = Site::new();
    let mut classes = classes::all();
    classes.retain(|class| matches!(class.verdict, Verdict::Read(_)));
    let jobs: Vec<u64> = classes.iter().map(|class| site.hand_in(&class.bytes)).collect();
    let mut wrong = Vec::new();
    for verified in [false, true] {
        if verified {
            for (class, pushed) in classes.iter().zip(site.verify()) {
                let named: Vec<_> = pushed.refused.iter().map(|it| it["rule"].as_str()).collect();
                let refused = class.entries().iter().filter_map(|it| it.content.clone().err());
                if !refused.map(Some).eq(named.iter().copied()) {
                    wrong.push(format!("{}: a push names {named:?}", class.id));
                }
                assert_eq!(pushed.entries, class.entries().len() as u64, "{}", class.id);
            }
        }
        for (class, &job) in classes.iter().zip(&jobs) {
            let found = look(&site, class, job).await;
            wrong.extend(found.into_iter().map(|it| format!("verified: {verified}, {it}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! What commands print: that the exit code is the verdict whoever reads it, and that no name of a
//! file or an entry does anything to a terminal or hides the reason behind it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use entryway::Rule;
use entryway_testkit::builder::{Archive, Entry};

use crate::handing_in::{running_job, token};
use crate::harness::{Push, Ran, Scratch, Server, command, run};

fn bad() -> Archive {
    Archive::new().entry(Entry { crc32: 7, ..Entry::stored("bad", "x") }.flags(1))
}

#[test]
fn the_exit_code_is_the_verdict_where_nobody_reads_the_output() {
    let scratch = Scratch::new();
    // More than the program keeps before it writes.
    let many = |archive: Archive| {
        (0..20_000)
            .fold(archive, |archive, at| archive.entry(Entry::stored(format!("{at:0>50}"), "")))
    };
    let good = scratch.file("good.zip", many(Archive::new()).build());
    let refused = scratch.file("refused.zip", many(bad()).build());
    let slashes = |at| Entry::stored(format!("a\\{at:0>50}"), "");
    let loose = scratch.file("loose.zip", Archive::new().entries((0..20_000).map(slashes)).build());
    let strict = &["--profile", "strict"][..];
    let table: [(&str, &Path, &[&str], i32); 9] = [
        ("verify", &good, &[], 0),
        ("verify", &good, &["--json"], 0),
        ("verify", &refused, &[], 1),
        ("verify", &refused, &["--json"], 1),
        ("verify", &loose, &[], 0),
        ("verify", &loose, strict, 1),
        ("verify", &loose, &["--json", "--profile", "strict"], 1),
        ("ls", &good, &[], 0),
        ("ls", &refused, &[], 1),
    ];
    for (name, archive, rest, code) in table {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = command();
        command
            .arg(name)
            .arg(archive)
            .args(rest)
            .stdout(writer)
            .stderr(std::process::Stdio::piped());
        let ran = command.spawn().and_then(std::process::Child::wait_with_output);
        let ran = ran.expect("the program starts");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(code), "{name} {rest:?} of {archive:?}: {said}");
        assert!(!said.contains("pipe"), "{said}");
    }
    // A file that cannot be written to is another matter.
    let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let ran = Ran::of(command().arg("verify").arg(&good).stdout(full)).exits(1);
    assert!(ran.stderr.contains("cannot write the output"), "{}", ran.stderr);
}

#[test]
fn paths_of_archives_are_escaped() {
    let scratch = Scratch::new();
    let name = "na\nme\u{1b}[31m\u{202e}.zip";
    let escaped = "na\\u{a}me\\u{1b}[31m\\u{202e}.zip";
    let good = Archive::new().entry(Entry::stored("a", "a")).build();
    let file = scratch.file(name, &good);
    let absent = scratch.path("absent\u{1b}.zip");
    let none = scratch.file("none\u{7}.zip", "no archive");
    let mut push = command();
    push.arg("push").arg(&file).arg("--data").arg(scratch.data());
    let stored = Ran::of(push.args(["--project", "a/b", "--ref", "main", "--job", "j"])).exits(0);
    assert!(stored.text().contains(escaped), "{}", stored.text());
    let ran = [
        stored,
        run([Path::new("cat"), &file, Path::new("absent")]).exits(3),
        run([Path::new("cat"), &file, Path::new("a"), Path::new("--range=9-")]).exits(2),
        run([Path::new("verify"), &absent]).exits(2),
        run([Path::new("verify"), &none]).exits(4),
        Push::public().attempt_in(&scratch.data(), &none).exits(4),
        Push::public().attempt_in(&scratch.data(), &absent).exits(2),
    ];
    for ran in ran {
        for line in ran.text().lines().chain(ran.stderr.lines()) {
            assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
        }
    }
}

#[test]
fn names_that_are_not_utf_8_can_be_read_and_asked_for() {
    let scratch = Scratch::new();
    let unicode = |name: &[u8], content| Entry::stored(name, content).unicode_path("z.txt");
    let archive =
        Archive::new().entry(unicode(b"\x82.txt", "one")).entry(unicode(b"\x83.txt", "two"));
    let file = scratch.file("names.zip", archive.build());
    for (name, content) in [(b"\x82.txt", "one"), (b"\x83.txt", "two")] {
        let name = OsString::from_vec(name.to_vec());
        let ran = Ran::of(command().arg("cat").arg(&file).arg(name)).exits(0);
        assert_eq!(ran.text(), content);
    }
    let ambiguous = run([Path::new("cat"), &file, Path::new("z.txt")]).exits(5);
    assert!(ambiguous.stderr.contains(Rule::AmbiguousName.label()), "{}", ambiguous.stderr);

    let verify = |more: &[&str]| {
        Ran::of(command().arg("verify").arg(&file).args(["--profile", "strict"]).args(more))
            .exits(1)
    };
    let text = verify(&[]).text();
    for name in [r"refused  \x82.txt: names_collide (", r"refused  \x83.txt: names_collide ("] {
        assert!(text.contains(name), "{text}");
    }
    let json = verify(&["--json"]).json();
    assert_eq!(json["broken"][0]["entry_hex"], "822e747874", "{json}");
    assert_eq!(json["entries"][0]["name_hex"], "822e747874", "{json}");
}

#[test]
fn a_long_name_hides_no_reason() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let server = Server::start_with(&data, &["--profile", "strict"]);
    let owner = token(&data, "group", "maintainer", "api,ingest");
    let job = running_job(server.address, &owner, "group/app", "public", "main");
    let table =
        [("name_backslash", "a\\".repeat(30_000)), ("name_invisible", "\u{ad}".repeat(30_000))];
    for (rule, name) in table {
        let archive = Archive::new().entry(Entry::stored(&*name, "x")).build();
        let file = scratch.file("long.zip", archive);
        let mut push = command();
        push.arg("push").arg(&file).args(["--server", &server.url("")]);
        push.env("ENTRYWAY_TOKEN", &owner).args(["--job-id", &job.id.to_string()]);
        let strict = Push { arguments: &["--profile", "strict"], ..Push::public() };
        for ran in [Ran::of(&mut push), strict.attempt_in(&scratch.data(), &file)] {
            let said = ran.exits(1).stderr;
            let lines: Vec<&str> = said.lines().collect();
            assert_eq!(lines.len(), 2, "{said}");
            assert!(lines[0].chars().count() < 600, "{said}");
            for part in [rule, "\u{2026}: ", "central directory header at 60031: the name "] {
                assert!(lines[0].contains(part), "{part} in {said}");
            }
        }
    }
}

//! Input that is not what it should be: the documented exit code or status, a message that names
//! the file, no panic, and a server that serves on.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::fixtures::{noise, text};
use serde_json::Value;

use crate::client::{by_job, by_ref, raw_get, raw_request};
use crate::harness::{Push, Ran, Scratch, Server, has_command, program, run, scrubbed, skip};
use crate::sample::Sample;

/// `ls`, `cat`, `verify` of a file.
fn looks_at(file: &Path) -> [Ran; 3] {
    [
        run([Path::new("ls"), file]),
        run([Path::new("cat"), file, Path::new("a.txt")]),
        run([Path::new("verify"), file, Path::new("--json")]),
    ]
}

#[track_caller]
fn assert_names(file: &Path, ran: &Ran) {
    let name = file.file_name().and_then(|name| name.to_str()).expect("a plain name");
    assert!(ran.stderr.contains(name), "{name} in {ran:?}");
}

#[test]
fn what_is_not_an_archive_is_exit_4() {
    let scratch = Scratch::new();
    let folder = scratch.path("folder.zip");
    std::fs::create_dir(&folder).expect("a new folder");
    let files: [(&str, PathBuf); 7] = [
        ("empty", scratch.file("empty.zip", b"")),
        ("one byte", scratch.file("byte.zip", b"P")),
        ("only a signature", scratch.file("signature.zip", b"PK\x05\x06")),
        ("text", scratch.file("text.zip", text(100_000, 1))),
        ("noise", scratch.file("noise.zip", noise(100_000, 1))),
        ("zeros", scratch.file("zeros.zip", vec![0; 200_000])),
        ("a folder", folder),
    ];
    for (name, file) in files {
        for ran in looks_at(&file) {
            assert_eq!(ran.code, Some(4), "{name}: {ran:?}");
            assert_names(&file, &ran);
        }
        let ran = Push::public().attempt_in(&scratch.data(), &file);
        assert_eq!(ran.code, Some(4), "{name}: {ran:?}");
        assert_names(&file, &ran);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let scratch = Scratch::new();
    let file = scratch.path("absent.zip");
    for ran in
        looks_at(&file).into_iter().chain([Push::public().attempt_in(&scratch.data(), &file)])
    {
        assert!(matches!(ran.code, Some(1..=5)), "{ran:?}");
        assert_names(&file, &ran);
    }
}

#[test]
fn an_archive_of_no_entries_is_an_archive() {
    let scratch = Scratch::new();
    let file = scratch.file("none.zip", Archive::new().build());
    run([Path::new("ls"), &file]).exits(0);
    run([Path::new("verify"), &file]).exits(0);
    run([Path::new("cat"), &file, Path::new("a.txt")]).exits(3);
    assert_eq!(Push::public().store_in(&scratch.data(), &file).entries, 0);
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    const CUTS: usize = 200;
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let whole = Archive::new()
        .entry(Entry::deflated("a.txt", text(20_000, 1)))
        .entry(Entry::stored("b.bin", noise(3_000, 1)))
        .entries((0..40).map(|n| Entry::deflated(format!("many/{n}.txt"), text(100 + n, 2))))
        .comment("a comment at the end")
        .build();
    for cut in 0..CUTS {
        // Spread over the file, the last ones inside the end record and its comment.
        let length =
            if cut < CUTS - 42 { whole.len() * cut / CUTS } else { whole.len() - (CUTS - cut) };
        let file = scratch.file("cut.zip", &whole[..length]);
        for ran in looks_at(&file) {
            assert!(matches!(ran.code, Some(1 | 4)), "{length}: {ran:?}");
            assert_names(&file, &ran);
        }
        if cut % 10 == 0 {
            let ran = Push::public().attempt_in(&scratch.data(), &file);
            assert!(matches!(ran.code, Some(1 | 4)), "{length}: {ran:?}");
            assert_names(&file, &ran);
        }
    }
    // Nothing of all that was stored, and the server is as it was.
    let answer = raw_get(server.address, by_ref("main", b"a.txt").as_bytes());
    assert_eq!(answer.status, 404);
    let file = scratch.file("whole.zip", &whole);
    Push::public().store_in(&scratch.data(), &file);
    let answer = raw_get(server.address, by_ref("main", b"a.txt").as_bytes());
    assert_eq!((answer.status, answer.body), (200, text(20_000, 1)));
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let test = "a_file_that_may_not_be_read_is_named";
    let scratch = Scratch::new();
    let file = scratch.file("secret.zip", Sample::new().built.bytes);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).expect("own file");
    if std::fs::File::open(&file).is_err() {
        for ran in looks_at(&file) {
            assert!(matches!(ran.code, Some(1..=5)), "{ran:?}");
            assert_names(&file, &ran);
        }
        return;
    }
    // Root reads everything: be somebody else, who must be able to reach program and folder.
    if !has_command("setpriv") {
        return skip(test, "root reads everything, and setpriv is not here");
    }
    let folder = file.parent().expect("a folder");
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("own folder");
    let reachable = scratch.path("entryway");
    std::fs::copy(program(), &reachable).expect("a copy of the program");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&reachable, mode).expect("own file");
    for arguments in [&["ls"][..], &["cat", "NOTES"], &["verify", "--json"]] {
        let mut other = scrubbed(Command::new("setpriv"));
        other.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]);
        other.arg(&reachable).arg(arguments[0]).arg(&file).args(&arguments[1..]);
        let ran = Ran::of(&mut other);
        assert!(matches!(ran.code, Some(1..=5)), "{ran:?}");
        assert_names(&file, &ran);
        assert!(ran.stderr.to_lowercase().contains("permission"), "{}", ran.stderr);
    }
}

/// Writes every byte of a path as a percent triplet.
fn all_encoded(path: &[u8], upper: bool) -> String {
    path.iter()
        .map(|byte| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") })
        .collect()
}

/// Writes the bytes of a path that `choose` picks as percent triplets, the others as they are.
fn partly_encoded(path: &[u8], choose: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in path {
        if choose(byte) {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    out
}

/// Every way to write a path whose decoded form is `path`.
fn spellings(path: &[u8]) -> Vec<Vec<u8>> {
    let reserved = |byte: u8| b" \"#%<>?[]^`{|}".contains(&byte) || !byte.is_ascii_graphic();
    vec![
        path.to_vec(),
        all_encoded(path, true).into_bytes(),
        all_encoded(path, false).into_bytes(),
        partly_encoded(path, reserved),
        partly_encoded(path, |byte| reserved(byte) || byte == b'.'),
        partly_encoded(path, |byte| reserved(byte) || byte == b'/'),
        partly_encoded(path, |byte| reserved(byte) || byte == b'\\'),
        partly_encoded(path, |byte| reserved(byte) || byte == b'/' || byte == b'.'),
    ]
}

/// Paths that are refused whatever exists (api.md section 3), as written in a target.
fn refused_paths() -> Vec<Vec<u8>> {
    let mut paths: Vec<Vec<u8>> = Vec::new();
    // Malformed percent-encoding: as it stands only, for there is nothing it decodes to.
    for malformed in ["%", "%2", "%zz", "a%", "a%4", "%%41", "%-1", "a/%g0/b", "%u0041"] {
        paths.push(malformed.as_bytes().to_vec());
    }
    let decoded: &[&[u8]] = &[
        // Not UTF-8: a lone continuation, overlong forms, a surrogate, past the last, cut short.
        b"\x80",
        b"a\xff",
        b"\xc0\xae\xc0\xae/x",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"a\xc3",
        // NUL and other control characters.
        b"\0",
        b"a\0b",
        b"a.txt\0.html",
        b"\x01",
        b"\t",
        b"a\nb",
        b"a\r\nb",
        b"\x1b[0m",
        b"\x1f",
        b"\x7f",
        // Segments that name no entry.
        b".",
        b"..",
        b"./a",
        b"../a",
        b"a/.",
        b"a/..",
        b"a/./b",
        b"a/../b",
        b"../../../etc/passwd",
        b"a/b/../../..",
        b"..\\a",
        b".\\a",
        b"a\\..",
        b"a\\.",
        b"a\\..\\b",
        b"a/..\\b",
        b"a\\../b",
        b"..\\..\\windows\\win.ini",
        b"\xc3\xbc/../x",
        b"./",
        b"../",
        b"a/../",
        // Absolute.
        b"C:\\x",
        b"c:\\windows\\win.ini",
        b"C:\\",
        b"Z:\\a\\b",
        b"C:\\a/b",
        b"C:\\..",
        b"d:\\x y",
        b"\\\\..\\x",
        b"C:/x",
        b"\\x",
        b"\\\\server\\share\\x",
        b"a\x02/b",
        b"dist/\x0b",
    ];
    for path in decoded {
        paths.extend(spellings(path));
    }
    // Absolute after decoding: raw slashes collapse, encoded ones do not.
    for absolute in ["%2Fx", "%2fx", "%2Fetc%2Fpasswd", "%2F%2Fx", "%2F..%2Fx", "%2F"] {
        paths.push(absolute.as_bytes().to_vec());
    }
    // Longer than 4,096 bytes decoded.
    paths.push(vec![b'a'; 4_097]);
    paths.push(all_encoded(&[b'a'; 4_097], true).into_bytes());
    paths.push(
        "\u{fc}".repeat(2_049).bytes().flat_map(|b| format!("%{b:02X}").into_bytes()).collect(),
    );
    paths.push(format!("{}a", "d/".repeat(2_050)).into_bytes());
    paths.sort();
    paths.dedup();
    // A space or a line end would end the target, and a question mark or a number sign the path.
    paths.retain(|path| !path.iter().any(|byte| b" \t\r\n\x0b?#".contains(byte)));
    paths
}

/// Whether every byte may stand in a target as it is (RFC 3986), so that our own answer comes
/// back and not that of the HTTP library, which has no body.
fn is_well_formed(path: &[u8]) -> bool {
    path.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(byte))
}

#[test]
fn every_path_that_names_no_entry_is_400_however_it_is_written() {
    let scratch = Scratch::new();
    let sample = Sample::new();
    let archive = scratch.file("sample.zip", &sample.built.bytes);
    let job = Push::public().store_in(&scratch.data(), &archive).job_id;
    let server = Server::start(&scratch.data());
    let paths = refused_paths();
    assert!(paths.len() > 200, "{}", paths.len());
    let project = "/api/v4/projects/group%2Fapp/jobs";
    let by_id = format!("{project}/{job}/artifacts/");
    let by_name = format!("{project}/artifacts/main/raw/");
    // The check stands before everything that depends on what exists.
    let nowhere = "/api/v4/projects/no%2Fproject/jobs/artifacts/none/raw/".to_owned();
    for (number, path) in paths.iter().enumerate() {
        for (before, after) in
            [(&by_id, &b""[..]), (&by_name, b"?job=build"), (&nowhere, b"?job=build")]
        {
            let target = [before.as_bytes(), path, after].concat();
            let what = String::from_utf8_lossy(&target).into_owned();
            let answer = raw_get(server.address, &target);
            assert_eq!(answer.status, 400, "{what}: {}", answer.head);
            if is_well_formed(path) {
                let json: Value = serde_json::from_slice(&answer.body)
                    .unwrap_or_else(|error| panic!("{what}: {error}: {:?}", answer.body));
                let message = json["message"].as_str().unwrap_or_default();
                assert!(message.starts_with("400 Bad request - "), "{what}: {json}");
                let fields = "PRIVATE-TOKEN: bad\r\n";
                let with_token = raw_request(server.address, "GET", &target, fields);
                assert_eq!(with_token.status, 400, "before authentication: {what}");
                let head = raw_request(server.address, "HEAD", &target, "");
                assert_eq!((head.status, head.body.len()), (400, 0), "HEAD {what}");
            }
        }
        if number % 50 == 0 {
            let good = raw_get(server.address, by_job(job, b"NOTES").as_bytes());
            assert_eq!((good.status, good.body.as_slice()), (200, sample.content("NOTES")));
        }
    }
    let good = raw_get(server.address, by_ref("main", b"NOTES").as_bytes());
    assert_eq!((good.status, good.body.as_slice()), (200, sample.content("NOTES")));
}

#[test]
fn an_empty_path_by_ref_is_400() {
    let scratch = Scratch::new();
    let archive = scratch.file("sample.zip", Sample::new().built.bytes);
    Push::public().store_in(&scratch.data(), &archive);
    let server = Server::start(&scratch.data());
    for target in ["raw/?job=build", "raw//?job=build", "raw/%2F?job=build"] {
        let target = format!("/api/v4/projects/group%2Fapp/jobs/artifacts/main/{target}");
        let answer = raw_get(server.address, target.as_bytes());
        assert_eq!(answer.status, 400, "{target}");
    }
}

#[test]
fn odd_paths_that_could_name_an_entry_are_looked_up_literally() {
    let scratch = Scratch::new();
    let odd = [
        "%2e%2e%2fetc",
        "...",
        "..a",
        "a..",
        ".hidden",
        "a b",
        "a+b",
        "a;b=c",
        "a\\b",
        "http:x",
        "q?mark",
        "#hash",
        "\u{202e}rtl",
        "con",
        "ab:y",
        "raw",
        "artifacts",
        "long/".repeat(700).as_str(),
    ]
    .map(str::to_owned)
    .map(|name| name.trim_end_matches('/').to_owned());
    let archive = Archive::new()
        .entries(odd.iter().enumerate().map(|(n, name)| Entry::stored(name, n.to_string())))
        .build();
    let archive = scratch.file("odd.zip", archive);
    let pushed = Push::public().store_in(&scratch.data(), &archive);
    assert_eq!(pushed.refused, Vec::<Value>::new());
    let server = Server::start(&scratch.data());
    for (number, name) in odd.iter().enumerate() {
        for target in [by_job(pushed.job_id, name.as_bytes()), by_ref("main", name.as_bytes())] {
            let answer = raw_get(server.address, target.as_bytes());
            assert_eq!(answer.status, 200, "{target}");
            assert_eq!(answer.body, number.to_string().as_bytes(), "{target}");
        }
    }
    // One decode and no more, and nothing but raw slashes is made one.
    for (target, status) in [
        ("%252e%252e%252fetc", 200),
        ("%2e%2e%2fetc", 400),
        ("a//b", 404),
        ("long%2F%2Flong", 404),
        ("..;/a", 404),
        ("A+B", 404),
    ] {
        let before = format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts/", pushed.job_id);
        let answer = raw_get(server.address, format!("{before}{target}").as_bytes());
        assert_eq!(answer.status, status, "{target}");
    }
}

#[test]
fn a_path_of_exactly_the_limit_is_looked_up() {
    let scratch = Scratch::new();
    let name = "n".repeat(4_096);
    let archive = Archive::new().entry(Entry::stored(&name, "at the limit")).build();
    let archive = scratch.file("limit.zip", archive);
    let job = Push::public().store_in(&scratch.data(), &archive).job_id;
    let server = Server::start(&scratch.data());
    for path in [name.clone(), all_encoded(name.as_bytes(), true)] {
        let target = format!("/api/v4/projects/group%2Fapp/jobs/{job}/artifacts/{path}");
        let answer = raw_get(server.address, target.as_bytes());
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"at the limit"[..]));
    }
}

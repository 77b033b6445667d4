//! The program's own words: its commands, what they print, their exit codes, and how it starts and
//! stops.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::fixtures::{noise, text};
use serde_json::{Value, json};

use crate::client::{Client, PROTOCOLS, by_job, by_ref};
use crate::harness::{
    HANG, Push, Running, Scratch, Server, command, has_command, run, sha256, skip,
};
use crate::sample::{LARGE_DEFLATED, LARGE_STORED, SMALL_STORED, Sample};

fn sample_in(scratch: &Scratch) -> (Sample, std::path::PathBuf) {
    let sample = Sample::new();
    let archive = scratch.file("sample.zip", &sample.built.bytes);
    (sample, archive)
}

/// An archive that could be read in two ways: its comment holds another end record.
fn ambiguous() -> Vec<u8> {
    let inner = Archive::new().entry(Entry::stored("evil.txt", "evil")).build();
    Archive::new().entry(Entry::stored("a.txt", "a")).comment(inner).build()
}

// --- quickstart ---------------------------------------------------------------------------------

/// A running quickstart, and the curl lines it printed.
struct Quickstart {
    process: Running,
    lines: Vec<String>,
}

impl Quickstart {
    /// Starts it with its temporary files under `temporary`.
    fn start(temporary: &Path, arguments: &[&str]) -> Self {
        let mut command = command();
        command.arg("quickstart").args(arguments).env("TMPDIR", temporary);
        let process = Running::start(&mut command);
        let mut lines = Vec::new();
        // It serves on after its last line, so the end of the lines is a pause.
        while let Some(line) =
            process.line(if lines.is_empty() { HANG } else { Duration::from_millis(700) })
        {
            let line = line.trim().trim_start_matches("$ ").to_owned();
            if line.starts_with("curl ") {
                lines.push(line);
            }
        }
        assert!(!lines.is_empty(), "no curl line; log: {}", process.log());
        Self { process, lines }
    }

    /// Runs every line as a shell would, in a folder of its own; gives what each one printed or
    /// saved.
    fn pasted(&self, folder: &Path) -> Vec<Vec<u8>> {
        let mut results = Vec::new();
        for (number, line) in self.lines.iter().enumerate() {
            let folder = folder.join(format!("paste-{number}"));
            std::fs::create_dir_all(&folder).expect("a new folder");
            let shell = Command::new("sh")
                .args(["-c", line])
                .current_dir(&folder)
                .stdin(Stdio::null())
                .output()
                .expect("sh starts");
            let stderr = String::from_utf8_lossy(&shell.stderr);
            assert!(shell.status.success(), "{line}: {stderr}");
            let saved = std::fs::read_dir(&folder).expect("the folder").map(|item| {
                std::fs::read(item.expect("an item").path()).expect("a file curl saved")
            });
            results.push(saved.chain([shell.stdout]).find(|bytes| !bytes.is_empty()));
        }
        results.into_iter().map(Option::unwrap_or_default).collect()
    }
}

#[test]
fn quickstart_prints_curl_lines_that_work_when_pasted() {
    if !has_command("curl") {
        return skip("quickstart_prints_curl_lines_that_work_when_pasted", "curl is not here");
    }
    let scratch = Scratch::new();
    let temporary = scratch.path("tmp");
    std::fs::create_dir(&temporary).expect("a new folder");
    let (sample, archive) = sample_in(&scratch);
    let archive = archive.to_str().expect("a plain path");
    let quickstart = Quickstart::start(&temporary, &[archive, "--listen", "127.0.0.1:0"]);
    let results = quickstart.pasted(&scratch.path("pasted"));
    assert!(results.iter().all(|bytes| !bytes.is_empty()), "{:?}", quickstart.lines);
    let whole = results
        .iter()
        .filter(|bytes| sample.files().any(|(_, content)| content == bytes.as_slice()))
        .count();
    assert!(whole >= 1, "no line gives a file of the archive: {:?}", quickstart.lines);
}

#[test]
fn quickstart_makes_a_sample_where_no_archive_is_named() {
    if !has_command("curl") {
        return skip("quickstart_makes_a_sample_where_no_archive_is_named", "curl is not here");
    }
    let scratch = Scratch::new();
    let temporary = scratch.path("tmp");
    std::fs::create_dir(&temporary).expect("a new folder");
    let quickstart = Quickstart::start(&temporary, &["--listen", "127.0.0.1:0"]);
    let results = quickstart.pasted(&scratch.path("pasted"));
    assert!(results.iter().all(|bytes| !bytes.is_empty()), "{:?}", quickstart.lines);
    for bytes in &results {
        assert!(!bytes.starts_with(b"{\"message\""), "{:?}", String::from_utf8_lossy(bytes));
        assert!(!bytes.starts_with(b"{\"error\""), "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn quickstart_removes_its_temporary_folder_at_the_end() {
    let scratch = Scratch::new();
    let temporary = scratch.path("tmp");
    std::fs::create_dir(&temporary).expect("a new folder");
    let count = || std::fs::read_dir(&temporary).expect("the folder").count();
    let mut quickstart = Quickstart::start(&temporary, &["--listen", "127.0.0.1:0"]);
    assert!(count() > 0, "nothing lies in the temporary folder while it serves");
    quickstart.process.terminate();
    let status = quickstart.process.wait();
    assert!(status.success(), "{status}: {}", quickstart.process.log());
    assert_eq!(count(), 0, "the temporary folder is left behind");
}

#[tokio::test]
async fn quickstart_keeps_the_folder_it_is_given() {
    let scratch = Scratch::new();
    let (sample, archive) = sample_in(&scratch);
    let data = scratch.data();
    let arguments = [
        archive.to_str().expect("a plain path"),
        "--listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().expect("a plain path"),
    ];
    let mut quickstart = Quickstart::start(&scratch.path(""), &arguments);
    quickstart.process.terminate();
    assert!(quickstart.process.wait().success());
    assert!(data.is_dir());

    // What it stored is served by any server on the folder, at the same path.
    let server = Server::start(&data);
    let mut client = Client::http1(server.address);
    let mut found = false;
    for line in &quickstart.lines {
        let words = line.split([' ', '\'', '"']);
        let Some(url) = words.into_iter().find(|word| word.starts_with("http://")) else {
            continue;
        };
        let after = url["http://".len()..].find('/').expect("a path") + "http://".len();
        let answer = client.get(&url[after..]).await;
        found |= answer.status == 200
            && sample.files().any(|(_, content)| content == answer.bytes().as_ref());
    }
    assert!(found, "{:?}", quickstart.lines);
}

#[test]
fn quickstart_takes_another_port_where_8080_is_taken() {
    if !has_command("curl") {
        return skip("quickstart_takes_another_port_where_8080_is_taken", "curl is not here");
    }
    // Where this fails, somebody else has it, which is as good.
    let _taken = TcpListener::bind("127.0.0.1:8080");
    let scratch = Scratch::new();
    let quickstart = Quickstart::start(&scratch.path(""), &[]);
    for line in &quickstart.lines {
        assert!(!line.contains(":8080/"), "{line}");
    }
    let results = quickstart.pasted(&scratch.path("pasted"));
    assert!(results.iter().all(|bytes| !bytes.is_empty()), "{:?}", quickstart.lines);
}

// --- serve --------------------------------------------------------------------------------------

#[tokio::test]
async fn serve_creates_its_folder_and_prints_the_bound_address() {
    let scratch = Scratch::new();
    let data = scratch.path("not/yet/there");
    let server = Server::start(&data);
    assert!(data.is_dir());
    assert_ne!(server.address.port(), 0);
    let mut client = Client::http1(server.address);
    assert_eq!(client.get(&by_ref("main", b"x")).await.status, 404);
}

#[tokio::test]
async fn a_second_server_on_the_folder_is_a_clear_error() {
    let scratch = Scratch::new();
    let (sample, archive) = sample_in(&scratch);
    Push::public().store_in(&scratch.data(), &archive);
    let first = Server::start(&scratch.data());
    let second = run([
        Path::new("serve"),
        Path::new("--data"),
        &scratch.data(),
        Path::new("--listen"),
        Path::new("127.0.0.1:0"),
    ]);
    assert!(matches!(second.code, Some(1..=5)), "{second:?}");
    let folder = scratch.data();
    let folder = folder.to_str().expect("a plain path");
    assert!(second.stderr.contains(folder), "{}", second.stderr);
    assert!(!second.text().contains("listening on"), "{}", second.text());

    let mut client = Client::http1(first.address);
    let answer = client.get(&by_ref("main", SMALL_STORED.as_bytes())).await;
    assert!(answer.bytes() == sample.content(SMALL_STORED));
    drop(first);
    // Its lock goes with the process, however it ended.
    drop(Server::start(&scratch.data()));
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound socket has an address").to_string();
    let data = scratch.data();
    let served =
        run(["serve", "--data", data.to_str().expect("a plain path"), "--listen", { &address }]);
    assert!(matches!(served.code, Some(1..=5)), "{served:?}");
    assert!(served.stderr.contains(&address), "{}", served.stderr);
}

#[test]
fn sigterm_lets_a_slow_download_finish() {
    let scratch = Scratch::new();
    // Far more than the socket buffers of both ends hold.
    let content = noise(48 << 20, 4);
    let built = Archive::new().entry(Entry::stored("large.bin", &content)).build();
    let archive = scratch.file("large.zip", built);
    let pushed = Push::public().store_in(&scratch.data(), &archive);
    let mut server = Server::start(&scratch.data());
    let address = server.address;

    let mut stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(HANG)).expect("a socket option");
    let target = by_job(pushed.job_id, b"large.bin");
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut received = vec![0; 1 << 20];
    stream.read_exact(&mut received).expect("a first part");

    server.process.terminate();
    // No one is let in any more, once the server has noticed.
    let started = std::time::Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(started.elapsed() < HANG, "the server still accepts");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(server.process.is_running(), "{}", server.process.log());
    stream.read_to_end(&mut received).expect("the rest");
    let head_end = received.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    assert!(received[head_end..] == content, "{} bytes", received.len() - head_end);
    let status = server.process.wait();
    assert!(status.success(), "{status}: {}", server.process.log());
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let scratch = Scratch::new();
    for protocol in PROTOCOLS {
        let mut server = Server::start(&scratch.data());
        let mut client = Client::new(server.address, protocol);
        client.get("/api/v4/nothing").await;
        server.process.terminate();
        let status = server.process.wait();
        assert!(status.success(), "{status}: {}", server.process.log());
    }
}

#[tokio::test]
async fn requests_are_logged_only_on_request_and_tokens_never() {
    let scratch = Scratch::new();
    let (_, archive) = sample_in(&scratch);
    Push::public().store_in(&scratch.data(), &archive);
    for (arguments, logged) in [(&[][..], false), (&["--access-log"], true)] {
        let server = Server::start_with(&scratch.data(), arguments);
        let mut client = Client::http1(server.address);
        let target = by_ref("main", SMALL_STORED.as_bytes());
        client.get(&target).await;
        for token in ["canary-in-header", "canary-in-bearer", "canary-in-query"] {
            let target = format!("{target}&private_token=canary-in-query");
            client.get_with(&target, &[("private-token", token)]).await;
            let bearer = format!("Bearer {token}");
            client.get_with(&target, &[("authorization", &bearer)]).await;
        }
        let process = server.process;
        process.terminate();
        let mut process = process;
        process.wait();
        // Wherever the program logs: both of its outputs.
        let mut log = process.log();
        while let Some(line) = process.line(Duration::from_millis(50)) {
            log.push_str(&line);
        }
        assert_eq!(log.contains(SMALL_STORED), logged, "{arguments:?}: {log}");
        assert!(!log.contains("canary"), "{log}");
    }
}

// --- push ---------------------------------------------------------------------------------------

#[test]
fn push_prints_one_object_about_what_it_stored() {
    let scratch = Scratch::new();
    let (sample, archive) = sample_in(&scratch);
    let json = Push::public().attempt_in(&scratch.data(), &archive).exits(0).json();
    let mut fields: Vec<&str> =
        json.as_object().expect("an object").keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected = ["entries", "job_id", "pipeline_id", "project_id", "refused", "sha256", "size"];
    assert_eq!(fields, expected);
    assert_eq!(json["sha256"], sample.digest());
    assert_eq!(json["size"], sample.built.bytes.len());
    assert_eq!(json["entries"], sample.built.entries.len());
    assert_eq!(json["refused"], json!([]));
    for id in ["project_id", "pipeline_id", "job_id"] {
        assert!(json[id].as_u64().is_some_and(|id| id > 0), "{id} in {json}");
    }
}

#[test]
fn each_push_makes_a_new_pipeline_unless_one_is_named() {
    let scratch = Scratch::new();
    let (_, archive) = sample_in(&scratch);
    let first = Push::public().store_in(&scratch.data(), &archive);
    let second = Push::public().store_in(&scratch.data(), &archive);
    assert!(second.pipeline_id > first.pipeline_id, "{first:?} {second:?}");
    assert_ne!(second.job_id, first.job_id);
    assert_eq!(second.project_id, first.project_id);
    let named = Push { job: "test", pipeline: Some(second.pipeline_id), ..Push::public() };
    let named = named.store_in(&scratch.data(), &archive);
    assert_eq!(named.pipeline_id, second.pipeline_id);
    assert_ne!(named.job_id, second.job_id);
}

#[test]
fn refused_entries_are_listed_and_the_archive_is_stored() {
    let scratch = Scratch::new();
    let archive = Archive::new()
        .entry(Entry::stored("good.txt", "good"))
        .entry(Entry::stored("../evil.txt", "evil"))
        .build();
    let archive = scratch.file("partly.zip", archive);
    let ran = Push::public().attempt_in(&scratch.data(), &archive).exits(0);
    let json = ran.json();
    let refused = json["refused"].as_array().expect("an array");
    assert_eq!(refused.len(), 1, "{json}");
    assert!(refused[0].to_string().contains("../evil.txt"), "{json}");
    assert!(refused[0]["rule"].as_str().is_some_and(|rule| !rule.is_empty()), "{json}");
    assert!(ran.stderr.contains("../evil.txt"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_push_is_seen_at_once_by_a_running_server() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    for number in 0..10 {
        let ref_name = format!("branch-{number}");
        let target = by_ref(&ref_name, b"who.txt");
        // Asked for before it is there: what is not there must not be remembered.
        assert_eq!(client.get(&target).await.status, 404);
        let says = format!("push {number}");
        let archive = Archive::new().entry(Entry::stored("who.txt", &says)).build();
        let archive = scratch.file("pushed.zip", archive);
        Push { ref_name: &ref_name, ..Push::public() }.store_in(&scratch.data(), &archive);
        assert_eq!(client.get(&target).await.bytes(), says.as_str());
    }
}

#[tokio::test]
async fn a_newer_push_takes_the_place_of_the_one_being_served() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    for number in 0..5 {
        let says = format!("push {number}");
        let archive = Archive::new().entry(Entry::stored("who.txt", &says)).build();
        let archive = scratch.file("pushed.zip", archive);
        Push::public().store_in(&scratch.data(), &archive);
        let started = std::time::Instant::now();
        loop {
            let answer = client.get(&by_ref("main", b"who.txt")).await;
            assert_eq!(answer.status, 200);
            if answer.bytes() == says.as_str() {
                break;
            }
            assert!(started.elapsed() < HANG, "never {says}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn another_visibility_is_a_usage_error_and_stores_nothing() {
    let scratch = Scratch::new();
    let (sample, archive) = sample_in(&scratch);
    Push::public().store_in(&scratch.data(), &archive);
    let other = scratch.file("other.zip", Sample::of_seed(2).built.bytes);
    for visibility in ["private", "internal"] {
        let push = Push { visibility: Some(visibility), ..Push::public() };
        let ran = push.attempt_in(&scratch.data(), &other).exits(2);
        assert!(ran.stderr.contains("public"), "{}", ran.stderr);
        let elsewhere = Push { ref_name: "elsewhere", ..push };
        elsewhere.attempt_in(&scratch.data(), &other).exits(2);
    }
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let answer = client.get(&by_ref("main", LARGE_STORED.as_bytes())).await;
    assert!(answer.bytes() == sample.content(LARGE_STORED));
    let answer = client.get(&by_ref("elsewhere", LARGE_STORED.as_bytes())).await;
    assert_eq!(answer.status, 404);
    // Said again, or not said at all, it is no conflict.
    Push::public().store_in(&scratch.data(), &archive);
    Push { visibility: None, ..Push::public() }.store_in(&scratch.data(), &archive);
}

#[tokio::test]
async fn a_push_that_fails_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let refused = scratch.file("ambiguous.zip", ambiguous());
    let ran = Push::public().attempt_in(&scratch.data(), &refused).exits(1);
    assert!(ran.stderr.contains("ambiguous.zip"), "{}", ran.stderr);
    assert!(ran.stderr.contains(|c: char| c.is_ascii_digit()), "{}", ran.stderr);
    let text = scratch.file("text.zip", text(5_000, 1));
    let ran = Push::public().attempt_in(&scratch.data(), &text).exits(4);
    assert!(ran.stderr.contains("text.zip"), "{}", ran.stderr);

    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let answer = client.get(&by_ref("main", b"a.txt")).await;
    // Not even the project is there.
    answer.refuses(404, &json!({"message": "404 Project Not Found"}));
    // So its visibility is still open.
    let (_, archive) = sample_in(&scratch);
    Push { visibility: Some("private"), ..Push::public() }.store_in(&scratch.data(), &archive);
}

#[test]
fn push_refuses_what_is_no_project_and_no_status() {
    let scratch = Scratch::new();
    let (_, archive) = sample_in(&scratch);
    for project in ["single", "", "a//b", "/a/b", "a/b/", "a/../b", "a b/c", "a/\u{fc}"] {
        let push = Push { project, ..Push::public() };
        push.attempt_in(&scratch.data(), &archive).exits(2);
    }
    Push { status: Some("finished"), ..Push::public() }
        .attempt_in(&scratch.data(), &archive)
        .exits(2);
    Push { visibility: Some("secret"), ..Push::public() }
        .attempt_in(&scratch.data(), &archive)
        .exits(2);
    run(["push"]).exits(2);
}

// --- tokens -------------------------------------------------------------------------------------

/// Makes a token and returns it.
#[track_caller]
fn token(scratch: &Scratch, project: &str, role: &str, scope: Option<&str>) -> String {
    let mut create = command();
    create.args(["token", "create", "--name", "test", "--project", project, "--role", role]);
    create.arg("--data").arg(scratch.data());
    if let Some(scope) = scope {
        create.args(["--scope", scope]);
    }
    let ran = crate::harness::Ran::of(&mut create).exits(0);
    let printed = ran.text();
    let token = printed.strip_suffix('\n').expect("a line");
    assert!(!token.is_empty() && !token.contains(char::is_whitespace), "{printed:?}");
    assert!(token.len() >= 20, "{printed:?}");
    assert!(!ran.stderr.contains(token), "the token stands on standard error too");
    token.to_owned()
}

#[tokio::test]
async fn a_private_project_is_there_for_its_tokens_alone() {
    let scratch = Scratch::new();
    let (sample, archive) = sample_in(&scratch);
    // Before the project exists, and for a prefix of it.
    let reporter = token(&scratch, "group/app", "reporter", None);
    let of_group = token(&scratch, "group", "developer", Some("read_api"));
    let elsewhere = token(&scratch, "grou/app", "owner", None);
    let ingest = token(&scratch, "group/app", "maintainer", Some("ingest"));
    let push = Push { visibility: None, ..Push::public() };
    let job = push.store_in(&scratch.data(), &archive).job_id;
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let hidden = json!({"message": "404 Project Not Found"});
    let unauthorized = json!({"message": "401 Unauthorized"});
    for target in
        [by_ref("main", LARGE_DEFLATED.as_bytes()), by_job(job, LARGE_DEFLATED.as_bytes()) + "?"]
    {
        client.get(&target).await.refuses(404, &hidden);
        client.get_with(&target, &[("private-token", &elsewhere)]).await.refuses(404, &hidden);
        for good in [&reporter, &of_group] {
            let bearer = format!("Bearer {good}");
            for answer in [
                client.get_with(&target, &[("private-token", good)]).await,
                client.get_with(&target, &[("authorization", &bearer)]).await,
                client.get(&format!("{target}&private_token={good}")).await,
            ] {
                assert_eq!(answer.status, 200, "{target}: {:?}", answer.body);
                assert!(answer.bytes() == sample.content(LARGE_DEFLATED), "{target}");
                let cache = answer.expect_header("cache-control");
                assert!(cache.contains("private"), "{cache}");
            }
        }
        let mut almost = reporter.clone();
        almost.pop();
        for bad in ["nonsense", &almost, &reporter.to_uppercase()] {
            let bearer = format!("Bearer {bad}");
            for answer in [
                client.get_with(&target, &[("private-token", bad)]).await,
                client.get_with(&target, &[("authorization", &bearer)]).await,
                client.get(&format!("{target}&private_token={bad}")).await,
            ] {
                answer.refuses(401, &unauthorized);
            }
        }
        let answer = client.get_with(&target, &[("private-token", &ingest)]).await;
        assert_eq!(answer.status, 403, "{:?}", answer.body);
        assert_eq!(answer.json()["error"], "insufficient_scope");
    }
    // Preconditions come after: a tag tells a stranger nothing.
    let tag = sample.entity_tag(LARGE_DEFLATED);
    let target = by_job(job, LARGE_DEFLATED.as_bytes());
    client.get_with(&target, &[("if-none-match", &tag)]).await.refuses(404, &hidden);
    let known = [("if-none-match", tag.as_str()), ("private-token", &reporter)];
    assert_eq!(client.get_with(&target, &known).await.status, 304);
}

#[tokio::test]
async fn a_bad_token_never_becomes_anonymous() {
    let scratch = Scratch::new();
    let (_, archive) = sample_in(&scratch);
    Push::public().store_in(&scratch.data(), &archive);
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let target = by_ref("main", SMALL_STORED.as_bytes());
    assert_eq!(client.get(&target).await.status, 200);
    let unauthorized = json!({"message": "401 Unauthorized"});
    client.get_with(&target, &[("private-token", "bad")]).await.refuses(401, &unauthorized);
    client.get_with(&target, &[("authorization", "Bearer bad")]).await.refuses(401, &unauthorized);
    client.get(&format!("{target}&private_token=bad")).await.refuses(401, &unauthorized);
}

#[tokio::test]
async fn an_internal_project_is_there_for_every_token() {
    let scratch = Scratch::new();
    let (_, archive) = sample_in(&scratch);
    Push { visibility: Some("internal"), ..Push::public() }.store_in(&scratch.data(), &archive);
    let stranger = token(&scratch, "other/project", "guest", Some("read_api"));
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let target = by_ref("main", SMALL_STORED.as_bytes());
    assert_eq!(client.get(&target).await.status, 404);
    assert_eq!(client.get_with(&target, &[("private-token", &stranger)]).await.status, 200);
}

#[tokio::test]
async fn a_token_made_while_serving_is_good_at_once() {
    let scratch = Scratch::new();
    let (_, archive) = sample_in(&scratch);
    Push { visibility: None, ..Push::public() }.store_in(&scratch.data(), &archive);
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let target = by_ref("main", SMALL_STORED.as_bytes());
    assert_eq!(client.get(&target).await.status, 404);
    let made = token(&scratch, "group/app", "reporter", None);
    assert_eq!(client.get_with(&target, &[("private-token", &made)]).await.status, 200);
}

#[test]
fn token_create_refuses_unknown_words() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let data = data.to_str().expect("a plain path");
    let create = ["token", "create", "--data", data, "--name", "x", "--project", "a/b"];
    for wrong in [
        &["--role", "king"][..],
        &["--role", "reporter", "--scope", "everything"],
        &["--role", "reporter", "--expires-in", "soon"],
        &[],
    ] {
        let arguments: Vec<&str> = create.iter().chain(wrong).copied().collect();
        let ran = run(arguments).exits(2);
        assert!(ran.stdout.is_empty(), "{}", ran.text());
    }
}

// --- ls, cat, verify ----------------------------------------------------------------------------

#[test]
fn ls_lists_the_entries_under_a_prefix() {
    let scratch = Scratch::new();
    let (sample, archive) = sample_in(&scratch);
    let all = run([Path::new("ls"), &archive]).exits(0).text();
    for (name, content) in sample.files().filter(|(name, _)| name.is_ascii()) {
        if name.contains('"') {
            continue;
        }
        let listed = all
            .lines()
            .any(|line| line.contains(name) && line.contains(&content.len().to_string()));
        assert!(listed, "{name} in {all}");
    }
    let dist = run([Path::new("ls"), &archive, Path::new("dist/")]).exits(0).text();
    assert!(dist.contains(LARGE_DEFLATED) && dist.contains(LARGE_STORED), "{dist}");
    assert!(!dist.contains("NOTES") && !dist.contains("page.html"), "{dist}");
}

#[test]
fn cat_prints_an_entry_whole_or_in_part() {
    let scratch = Scratch::new();
    let (sample, archive) = sample_in(&scratch);
    for (name, content) in sample.files() {
        let cat = run([Path::new("cat"), &archive, Path::new(name)]).exits(0);
        assert!(cat.stdout == content, "{name}");
    }
    for name in [LARGE_DEFLATED, LARGE_STORED, SMALL_STORED] {
        let content = sample.content(name);
        let end = content.len();
        for (range, expected) in [
            ("0-0", &content[..1]),
            ("0-99", &content[..100]),
            ("100-199", &content[100..200]),
            ("1000-", &content[1000..]),
            ("-7", &content[end - 7..]),
            ("0-", content),
            ("-99999999", content),
            ("4000-99999999", &content[4000..]),
        ] {
            // One argument, since a value that begins with a dash looks like an option.
            let option = format!("--range={range}");
            let cat = run([Path::new("cat"), &archive, Path::new(name), Path::new(&option)]);
            assert!(cat.exits(0).stdout == expected, "{name} {range}");
        }
        let apart = ["cat", archive.to_str().expect("a plain path"), name, "--range", "-7"];
        assert!(run(apart).exits(0).stdout == content[end - 7..], "{name}");
        for wrong in ["5-2", "x", "", "-", "1-2-3", "0-1,3-4"] {
            let option = format!("--range={wrong}");
            run([Path::new("cat"), &archive, Path::new(name), Path::new(&option)]).exits(2);
        }
    }
}

#[test]
fn verify_reports_every_entry() {
    let scratch = Scratch::new();
    let (sample, archive) = sample_in(&scratch);
    let report = run([Path::new("verify"), &archive, Path::new("--json")]).exits(0).json();
    assert_eq!(report["archive"], "accepted");
    let entries = report["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), sample.built.entries.len());
    assert!(entries.iter().all(|entry| entry["verdict"] == "served"), "{report}");
    assert!(entries.iter().any(|entry| entry["name"] == LARGE_DEFLATED), "{report}");
    run([Path::new("verify"), &archive]).exits(0);

    let partly = Archive::new()
        .entry(Entry::stored("good.txt", "good"))
        .entry(Entry::stored(b"bad-\xff.txt", "lossy").flags(1))
        .build();
    let partly = scratch.file("partly.zip", partly);
    let report = run([Path::new("verify"), &partly, Path::new("--json")]).exits(1).json();
    assert_eq!(report["archive"], "accepted");
    assert_eq!(report["entries"][0]["verdict"], "served");
    assert_eq!(report["entries"][1]["verdict"], "refused");
    assert_eq!(report["entries"][1]["name_hex"], "6261642dff2e747874");
    assert!(report["entries"][0]["name_hex"].is_null(), "{report}");

    let refused = scratch.file("ambiguous.zip", ambiguous());
    let report = run([Path::new("verify"), &refused, Path::new("--json")]).exits(1).json();
    assert_eq!(report["archive"], "refused");
    assert!(report["rule"].as_str().is_some_and(|rule| !rule.is_empty()), "{report}");
    assert!(report["offset"].is_u64(), "{report}");
}

#[test]
fn exit_codes_are_those_of_the_documentation() {
    let scratch = Scratch::new();
    let (_, archive) = sample_in(&scratch);
    let archive = archive.to_str().expect("a plain path").to_owned();
    let text = scratch.file("text.zip", text(100, 1));
    let text = text.to_str().expect("a plain path").to_owned();
    let refused = scratch.file("ambiguous.zip", ambiguous());
    let refused = refused.to_str().expect("a plain path").to_owned();
    let encrypted = Archive::new().entry(Entry::stored("secret", "0123456789abcdef").flags(1));
    let encrypted = scratch.file("encrypted.zip", encrypted.build());
    let encrypted = encrypted.to_str().expect("a plain path").to_owned();
    let table: [(&str, &[&str], i32); 19] = [
        ("help", &["--help"], 0),
        ("version", &["--version"], 0),
        ("help of a command", &["push", "--help"], 0),
        ("no command", &[], 2),
        ("unknown command", &["unzip"], 2),
        ("unknown option", &["ls", &archive, "--recursive"], 2),
        ("ls", &["ls", &archive], 0),
        ("ls: not an archive", &["ls", &text], 4),
        ("ls: refused archive", &["ls", &refused], 1),
        ("cat", &["cat", &archive, "NOTES"], 0),
        ("cat: no such entry", &["cat", &archive, "none"], 3),
        ("cat: a directory", &["cat", &archive, "dist"], 3),
        ("cat: not an archive", &["cat", &text, "NOTES"], 4),
        ("cat: refused archive", &["cat", &refused, "a.txt"], 1),
        ("cat: refused entry", &["cat", &encrypted, "secret"], 5),
        ("verify", &["verify", &archive], 0),
        ("verify: not an archive", &["verify", &text], 4),
        ("verify: refused archive", &["verify", &refused], 1),
        ("verify: refused entry", &["verify", &encrypted], 1),
    ];
    for (name, arguments, code) in table {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(code), "{name}: {ran:?}");
        if code != 0 {
            assert!(!ran.stderr.trim().is_empty() || name.starts_with("verify"), "{name}");
            if let (Some(file), false) = (arguments.get(1), name.starts_with("verify")) {
                let file = Path::new(file).file_name().and_then(|file| file.to_str());
                let file = file.expect("a plain name");
                assert!(ran.stderr.contains(file) || code == 2, "{name}: {}", ran.stderr);
            }
        }
    }
}

#[test]
fn help_has_examples() {
    for command in
        ["quickstart", "serve", "push", "projects", "sweep", "token", "ls", "cat", "verify"]
    {
        let help = run([command, "--help"]).exits(0).text();
        assert!(help.contains(&format!("entryway {command}")), "{command}: {help}");
    }
    let help = run(["--help"]).exits(0).text();
    assert!(help.contains("entryway quickstart some.zip"), "{help}");
}

#[test]
fn output_to_a_closed_pipe_is_no_panic() {
    let scratch = Scratch::new();
    let (_, archive) = sample_in(&scratch);
    for arguments in [&["cat", LARGE_DEFLATED][..], &["cat", LARGE_STORED], &["ls"]] {
        let mut command = command();
        command.arg(arguments[0]).arg(&archive).args(&arguments[1..]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("the program ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}

#[tokio::test]
async fn the_same_archive_is_stored_once_and_served_for_every_job() {
    let scratch = Scratch::new();
    let (sample, archive) = sample_in(&scratch);
    let mut jobs: Vec<u64> = Vec::new();
    for project in ["group/app", "group/other", "a/b/c/d"] {
        let push = Push { project, ..Push::public() };
        let pushed = push.store_in(&scratch.data(), &archive);
        assert_eq!(pushed.sha256, sha256(&sample.built.bytes));
        jobs.push(pushed.job_id);
    }
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    for (project, job) in ["group%2Fapp", "group%2Fother", "a%2Fb%2Fc%2Fd"].iter().zip(jobs) {
        let target = format!("/api/v4/projects/{project}/jobs/{job}/artifacts/NOTES");
        assert_eq!(client.get(&target).await.bytes(), sample.content("NOTES"));
    }
    let mut copies = 0;
    let mut folders = vec![scratch.data()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).expect("a folder of the store") {
            let item = item.expect("an item of the store");
            let metadata = item.metadata().expect("an item's metadata");
            if metadata.is_dir() {
                folders.push(item.path());
            } else if metadata.len() == sample.built.bytes.len() as u64 {
                copies += 1;
            }
        }
    }
    assert_eq!(copies, 1, "the store is content-addressed");
}

#[test]
fn json_is_alone_on_standard_output() {
    let scratch = Scratch::new();
    let (_, archive) = sample_in(&scratch);
    let ran = Push::public().attempt_in(&scratch.data(), &archive).exits(0);
    let values: Vec<Value> = serde_json::Deserializer::from_slice(&ran.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .expect("JSON and nothing else");
    assert_eq!(values.len(), 1);
}

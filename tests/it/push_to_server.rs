//! `entryway push --server`: an archive handed in over HTTP by the program itself.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::fixtures::{noise, text};
use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, by_job, by_ref};
use crate::handing_in::{announce, json_of, running_job, send, token};
use crate::harness::{Push, Ran, Scratch, Server, command, run, sha256};

/// A server, and a token that may hand in everything under `group`.
struct Site {
    server: Server,
    ingest: String,
    scratch: Scratch,
}

impl Site {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(arguments: &[&str]) -> Self {
        let scratch = Scratch::new();
        let server = Server::start_with(&scratch.data(), arguments);
        let ingest = token(&scratch.data(), "group", "maintainer", "ingest");
        Self { server, ingest, scratch }
    }

    fn archive(&self, says: &str) -> PathBuf {
        let archive = Archive::new().entry(Entry::deflated("who.txt", says)).build();
        self.scratch.file("pushed.zip", archive)
    }

    /// Pushes to this server as `group/app`, `main`, `build`.
    fn push(&self, archive: &Path, more: &[&str]) -> Ran {
        let place = ["--project", "group/app", "--ref", "main", "--job", "build", "--json"];
        self.push_as(&self.ingest, archive, &[&place[..], more].concat())
    }

    fn push_as(&self, token: &str, archive: &Path, arguments: &[&str]) -> Ran {
        let mut push = command();
        push.env("ENTRYWAY_TOKEN", token).arg("push").arg(archive);
        push.args(["--server", &self.server.url("")]).args(arguments);
        let ran = Ran::of(&mut push);
        for output in [&ran.stderr, &ran.text()] {
            assert!(!output.contains(token), "the token is shown: {output}");
            assert!(!output.contains("ewt_"), "a token is shown: {output}");
        }
        ran
    }

    fn client(&self) -> Client {
        Client::http1(self.server.address)
    }

    /// Who a file says that it is, as an owner of the group asks.
    async fn says(&self, target: &str) -> Result<String, u16> {
        let owner = token(&self.scratch.data(), "group", "owner", "api");
        let answer = self.client().get_with(target, &[("private-token", &owner)]).await;
        match answer.status.as_u16() {
            200 => Ok(String::from_utf8_lossy(answer.bytes()).into_owned()),
            status => Err(status),
        }
    }

    /// Every project of the data folder.
    fn projects(&self) -> Value {
        run([Path::new("projects"), Path::new("--json"), Path::new("--data"), &self.scratch.data()])
            .exits(0)
            .json()
    }

    /// How often a word is the state of a job and of a pipeline, as the catalog has it.
    ///
    /// A failed push cannot be asked for over HTTP but by its job entity, which wants an archive.
    fn states(&self) -> (Vec<String>, Vec<String>) {
        let mut states = (Vec::new(), Vec::new());
        for (table, states) in [("jobs", &mut states.0), ("pipelines", &mut states.1)] {
            let mut python = std::process::Command::new("python3");
            let script = "import sqlite3,sys\n\
                for (s,) in sqlite3.connect(sys.argv[1]).execute(\
                'select status from '+sys.argv[2]+' order by id'): print(s)";
            let catalog = catalog_file(&self.scratch.data());
            python.args(["-c", script]).arg(catalog).arg(table).stdin(Stdio::null());
            let output = python.output().expect("python3 starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            states.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned));
        }
        states
    }
}

/// The database of a data folder.
fn catalog_file(data: &Path) -> PathBuf {
    let files = std::fs::read_dir(data).expect("the data folder");
    let mut files = files.map(|file| file.expect("an item").path());
    let is_database = |path: &PathBuf| {
        std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
    };
    files.find(is_database).expect("a data folder has a database")
}

#[tokio::test]
async fn a_pushed_archive_is_served() {
    let site = Site::start();
    let archive = site.archive("over HTTP");
    let pushed = site.push(&archive, &["--visibility", "public"]).exits(0);
    assert!(pushed.stderr.is_empty(), "no progress without a terminal: {}", pushed.stderr);
    let pushed = pushed.json();
    let job = pushed["job_id"].as_u64().expect("a job");
    let mut client = site.client();
    assert_eq!(client.get(&by_ref("main", b"who.txt")).await.bytes(), "over HTTP");
    assert_eq!(client.get(&by_job(job, b"who.txt")).await.bytes(), "over HTTP");

    // The object is of the form of a local push.
    let scratch = Scratch::new();
    let mut local = Push::public().attempt_in(&scratch.data(), &archive).exits(0).json();
    for (name, value) in local.as_object_mut().expect("an object") {
        if name.ends_with("_id") {
            assert!(value.is_u64() && pushed[name].is_u64(), "{name} in {pushed}");
            *value = pushed[name].clone();
        }
    }
    assert_eq!(pushed, local);
    let bytes = std::fs::read(&archive).expect("the archive");
    assert_eq!(pushed["sha256"], sha256(&bytes));

    // Each push is a new pipeline, and the newest is served.
    let next = site.push(&site.archive("again"), &[]).exits(0).json();
    assert!(next["pipeline_id"].as_u64() > pushed["pipeline_id"].as_u64());
    assert_eq!(site.says(&by_ref("main", b"who.txt")).await, Ok("again".to_owned()));
}

#[tokio::test]
async fn the_token_is_of_the_environment_or_a_file_and_shown_nowhere() {
    let site = Site::start_with(&["--access-log"]);
    let archive = site.archive("x");
    let token_file = site.scratch.file("token", format!("{}\n", site.ingest));
    let mut push = command();
    push.arg("push").arg(&archive).args(["--server", &site.server.url("/")]);
    push.arg("--token-file").arg(&token_file);
    push.args(["--project", "group/app", "--ref", "main", "--job", "build"]);
    let ran = Ran::of(&mut push).exits(0);
    assert!(ran.text().contains("who.txt") || ran.text().contains("pushed.zip"), "{}", ran.text());
    assert!(!ran.text().contains("ewt_") && !ran.stderr.contains("ewt_"), "{ran:?}");

    // The file wins over the environment.
    push.env("ENTRYWAY_TOKEN", "ewt_unknown");
    Ran::of(&mut push).exits(0);
    // Without either, there is nothing to ask with.
    let mut push = command();
    push.arg("push").arg(&archive).args(["--server", &site.server.url("")]);
    push.args(["--project", "group/app", "--ref", "main", "--job", "build"]);
    let ran = Ran::of(&mut push).exits(2);
    assert!(ran.stderr.contains("ENTRYWAY_TOKEN"), "{}", ran.stderr);
    push.arg("--token-file").arg(site.scratch.path("nowhere"));
    let ran = Ran::of(&mut push).exits(2);
    assert!(ran.stderr.contains("nowhere"), "{}", ran.stderr);
    // There is no flag that it could be given with.
    for flag in ["--token", "--private-token"] {
        let place = ["--project", "group/app", "--ref", "main", "--job", "build"];
        let ran = site.push_as("x-y-z", &archive, &[&place[..], &[flag, "secret"]].concat());
        assert_eq!(ran.code, Some(2), "{flag}");
    }
    let log = site.server.process.log();
    assert!(log.contains("/api/v4/jobs/"), "{log}");
    assert!(!log.contains(&site.ingest) && !log.contains("ewt_"), "{log}");
}

#[tokio::test]
async fn a_running_push_shows_its_token_to_nobody() {
    let site = Site::start();
    // A server that accepts and says nothing, so that the push is there to be looked at.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let mut push = command();
    push.env("ENTRYWAY_TOKEN", &site.ingest).arg("push").arg(site.archive("x"));
    push.args(["--server", &url, "--project", "group/app", "--ref", "main", "--job", "build"]);
    push.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = push.spawn().expect("the program starts");
    let (mut stream, _) = silent.accept().expect("the push connects");
    let arguments = std::fs::read(format!("/proc/{}/cmdline", child.id()));
    if let Ok(arguments) = arguments {
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        assert!(arguments.contains("group/app"), "{arguments}");
        assert!(!arguments.contains("ewt_"), "{arguments}");
    }
    // What breaks off is a failure that says where, and not with what.
    let mut received = [0; 16];
    stream.read_exact(&mut received).expect("a request");
    drop(stream);
    drop(silent);
    let output = child.wait_with_output().expect("the program ends");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&url) && !stderr.contains("ewt_"), "{stderr}");
}

#[tokio::test]
async fn a_new_project_is_private_and_another_visibility_stores_nothing() {
    let site = Site::start();
    site.push(&site.archive("private"), &[]).exits(0);
    let answer = site.client().get(&by_ref("main", b"who.txt")).await;
    answer.refuses(404, &json!({"message": "404 Project Not Found"}));
    assert_eq!(site.says(&by_ref("main", b"who.txt")).await, Ok("private".to_owned()));
    assert_eq!(site.projects()[0]["visibility"], "private");

    let (projects, states) = (site.projects(), site.states());
    for visibility in ["public", "internal"] {
        for more in
            [&["--visibility", visibility][..], &["--visibility", visibility, "--pipeline", "99"]]
        {
            let ran = site.push(&site.archive("other"), more).exits(2);
            assert!(ran.stderr.contains("private"), "{}", ran.stderr);
        }
    }
    assert_eq!(site.projects(), projects);
    assert_eq!(site.states(), states, "not a row more");
    site.push(&site.archive("same"), &["--visibility", "private"]).exits(0);
    assert_eq!(site.says(&by_ref("main", b"who.txt")).await, Ok("same".to_owned()));
}

#[tokio::test]
async fn a_pipeline_and_a_job_may_be_named() {
    let site = Site::start();
    let first = site.push(&site.archive("first"), &["--pipeline", "4000"]).exits(0).json();
    assert_eq!(first["pipeline_id"], 4_000);
    let second = site.push_as(
        &site.ingest,
        &site.archive("second"),
        &[
            "--project",
            "group/app",
            "--ref",
            "main",
            "--job",
            "test",
            "--pipeline",
            "4000",
            "--json",
        ],
    );
    let second = second.exits(0).json();
    assert_eq!(second["pipeline_id"], 4_000);
    assert_ne!(second["job_id"], first["job_id"]);
    // A pipeline of another ref contradicts what is stored.
    let states = site.states();
    let place = ["--project", "group/app", "--ref", "other", "--job", "x", "--pipeline", "4000"];
    site.push_as(&site.ingest, &site.archive("third"), &place).exits(2);
    // So does one of another project.
    let place = ["--project", "group/two", "--ref", "main", "--job", "x", "--pipeline", "4000"];
    site.push_as(&site.ingest, &site.archive("third"), &place).exits(2);
    assert_eq!(site.states(), states);

    // A job that the server knows: nothing of it is changed.
    let job = running_job(site.server.address, &site.ingest, "group/app", "private", "known");
    let id = job.id.to_string();
    let ran = site.push_as(&site.ingest, &site.archive("known"), &["--job-id", &id, "--json"]);
    let report = ran.exits(0).json();
    assert_eq!((&report["job_id"], &report["project_id"]), (&json!(job.id), &Value::Null));
    assert_eq!(site.says(&by_ref("known", b"who.txt")).await, Ok("known".to_owned()));
    let ran = site.push_as(&site.ingest, &site.archive("else"), &["--job-id", &id]);
    let ran = ran.exits(1);
    assert!(ran.stderr.contains("another archive exists"), "{}", ran.stderr);
    let ran = site.push_as(&site.ingest, &site.archive("known"), &["--job-id", "987654"]);
    assert!(ran.exits(1).stderr.contains("404"));
    // With the job's own token too, as PRIVATE-TOKEN it is none.
    let other = running_job(site.server.address, &site.ingest, "group/app", "private", "mine");
    let ran =
        site.push_as(&other.token, &site.archive("mine"), &["--job-id", &other.id.to_string()]);
    assert!(ran.exits(1).stderr.contains("401"));
}

#[tokio::test]
async fn a_status_is_the_pipelines_and_an_expiry_the_archives() {
    let site = Site::start();
    site.push(&site.archive("good"), &["--visibility", "public"]).exits(0);
    for status in ["failed", "canceled", "running", "manual", "skipped"] {
        let pushed = site.push(&site.archive(status), &["--status", status]).exits(0).json();
        let job = pushed["job_id"].as_u64().expect("a job");
        assert_eq!(site.says(&by_job(job, b"who.txt")).await, Ok(status.to_owned()));
        let latest = site.says(&by_ref("main", b"who.txt")).await;
        assert_eq!(latest, Ok("good".to_owned()), "{status}");
        assert_eq!(site.states().1.last().map(String::as_str), Some(status));
    }
    site.push(&site.archive("x"), &["--status", "finished"]).exits(2);
    site.push(&site.archive("x"), &["--expire-in", "soon"]).exits(2);

    let pushed = site.push(&site.archive("short"), &["--expire-in", "1 s"]).exits(0).json();
    let job = pushed["job_id"].as_u64().expect("a job");
    let started = std::time::Instant::now();
    while site.says(&by_job(job, b"who.txt")).await != Err(404) {
        assert!(started.elapsed() < crate::harness::HANG, "it never expires");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_is_no_good_archive_is_announced_to_nobody() {
    let site = Site::start();
    let no_archive = site.scratch.file("text.zip", text(5_000, 1));
    let ran = site.push(&no_archive, &[]).exits(4);
    assert!(ran.stderr.contains("text.zip"), "{}", ran.stderr);
    let inner = Archive::new().entry(Entry::stored("evil.txt", "evil")).build();
    let ambiguous = Archive::new().entry(Entry::stored("a.txt", "a")).comment(inner).build();
    let refused = site.scratch.file("ambiguous.zip", ambiguous);
    let ran = site.push(&refused, &[]).exits(1);
    assert!(ran.stderr.contains("ambiguous.zip"), "{}", ran.stderr);
    site.push(&site.scratch.path("nowhere.zip"), &[]).exits(2);
    assert_eq!(site.projects(), json!([]));
    assert_eq!(site.states(), (vec![], vec![]));

    // Entries that are refused do not refuse the archive.
    let partly = Archive::new()
        .entry(Entry::stored("good.txt", "good"))
        .entry(Entry::stored("secret", "0123456789abcdef").flags(1))
        .build();
    let ran = site.push(&site.scratch.file("partly.zip", partly), &[]).exits(0);
    assert_eq!(ran.json()["refused"].as_array().map(Vec::len), Some(1));
    assert!(ran.stderr.contains("secret"), "{}", ran.stderr);
    assert_eq!(site.says(&by_ref("main", b"good.txt")).await, Ok("good".to_owned()));
    assert_eq!(site.says(&by_ref("main", b"secret")).await, Err(422));
}

#[tokio::test]
async fn a_token_that_may_not_hand_in_is_told_so() {
    let site = Site::start();
    let data = site.scratch.data();
    let archive = site.archive("x");
    let place = ["--project", "group/app", "--ref", "main", "--job", "build"];
    for (name, token, says) in [
        ("unknown", "ewt_0000000000000000000000000000000000000000".to_owned(), "401"),
        ("another's form", "glpat-something".to_owned(), "401"),
        ("for reading", token(&data, "group", "owner", "api"), "403"),
        ("too low a role", token(&data, "group", "developer", "ingest"), "403"),
        ("of another group", token(&data, "groups", "owner", "ingest"), "40"),
    ] {
        let ran = site.push_as(&token, &archive, &place);
        assert_eq!(ran.code, Some(1), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains("announce the project"), "{name}: {}", ran.stderr);
    }
    for (name, token) in [("empty", ""), ("white space", "  "), ("two words", "a b")] {
        let mut push = command();
        push.env("ENTRYWAY_TOKEN", token).arg("push").arg(&archive).args(place);
        push.args(["--server", &site.server.url("")]);
        let ran = Ran::of(&mut push);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
    }
    assert_eq!(site.projects(), json!([]));
}

#[test]
fn a_server_that_is_not_there_is_a_clear_error() {
    let scratch = Scratch::new();
    let archive = Archive::new().entry(Entry::stored("a", "a")).build();
    let archive = scratch.file("a.zip", archive);
    let push = |url: &str| {
        let mut push = command();
        push.env("ENTRYWAY_TOKEN", "ewt_secretsecretsecret").arg("push").arg(&archive);
        push.args(["--project", "group/app", "--ref", "main", "--job", "build"]);
        let ran = Ran::of(push.args(["--server", url]));
        assert!(!ran.stderr.contains("secretsecret"), "{}", ran.stderr);
        ran
    };
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    let ran = push(&url).exits(1);
    assert!(ran.stderr.contains(&url), "{}", ran.stderr);
    assert!(ran.stderr.to_lowercase().contains("refused"), "{}", ran.stderr);

    // A label over 63 characters is nobody's (RFC 1035 section 2.3.4): no name server is asked.
    let name = format!("{}.invalid", "n".repeat(64));
    let ran = push(&format!("http://{name}")).exits(1);
    assert!(ran.stderr.contains(&name), "{}", ran.stderr);
    let words: &[&str] = &["resolve", "lookup", "host not found", "name"];
    let said = ran.stderr.rsplit(&name).next().expect("what follows the name").to_lowercase();
    assert!(words.iter().any(|word| said.contains(word)), "{}", ran.stderr);

    // HTTPS to a port that speaks plain HTTP.
    let server = Server::start(&scratch.data());
    let url = format!("https://{}", server.address);
    let ran = push(&url).exits(1);
    assert!(ran.stderr.contains(&url), "{}", ran.stderr);
    let says = ran.stderr.to_lowercase();
    assert!(says.contains("tls") && says.contains("http://"), "{says}");

    // Something else that listens.
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", other.local_addr().expect("an address"));
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().expect("a connection");
        let mut head = [0; 4_096];
        let _ = stream.read(&mut head);
        let page = "<html>It works!</html>";
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{page}",
            page.len()
        );
        stream.write_all(answer.as_bytes()).expect("an answer");
    });
    let ran = push(&url).exits(1);
    answering.join().expect("a thread of this test");
    assert!(ran.stderr.contains("is it a server of Entryway?"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_large_archive_goes_through_without_a_word() {
    let site = Site::start();
    let content = noise(50 << 20, 3);
    let archive = Archive::new()
        .entry(Entry::stored("large.bin", &content))
        .entry(Entry::stored("who.txt", "large"))
        .build();
    let archive = site.scratch.file("large.zip", archive);
    let ran = site.push(&archive, &["--visibility", "public"]).exits(0);
    assert!(ran.stderr.is_empty(), "{:?}", ran.stderr);
    let answer = site.client().get(&by_ref("main", b"large.bin")).await;
    assert!(answer.bytes() == &content, "{} bytes", answer.bytes().len());
}

#[tokio::test]
async fn a_push_that_fails_halfway_leaves_its_job_and_pipeline_failed() {
    // The server takes less than the push brings.
    let site = Site::start_with(&["--max-archive-size", "1000"]);
    let archive = Archive::new().entry(Entry::stored("large.bin", noise(300_000, 1))).build();
    let archive = site.scratch.file("large.zip", archive);
    let ran = site.push(&archive, &["--visibility", "public"]).exits(1);
    assert!(ran.stderr.contains("413"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hand the archive in"), "{}", ran.stderr);
    assert_eq!(site.states(), (vec!["failed".to_owned()], vec!["failed".to_owned()]));
    let answer = site.client().get(&by_ref("main", b"large.bin")).await;
    assert_eq!(answer.status, 404);
    assert_eq!(site.projects()[0]["archives"], 0);

    // A pipeline that was there before is left as it was.
    let base = "/ingest/v1/projects/group%2Fapp";
    let body = json!({"ref": "main", "status": "running"});
    let made =
        announce(site.server.address, &site.ingest, "PUT", &format!("{base}/pipelines/70"), &body);
    assert_eq!(made["id"], 70);
    site.push(&archive, &["--pipeline", "70"]).exits(1);
    let (jobs, pipelines) = site.states();
    assert_eq!(jobs, ["failed", "failed"]);
    assert_eq!(pipelines, ["failed", "running"]);
    // What fits goes in, and the pipeline can be used still.
    site.push(&site.archive("fits"), &["--pipeline", "70", "--status", "success"]).exits(0);
    assert_eq!(site.says(&by_ref("main", b"who.txt")).await, Ok("fits".to_owned()));

    // The job's token is over with its job.
    let fields = format!("PRIVATE-TOKEN: {}\r\n", site.ingest);
    let answer = send(site.server.address, "GET", "/api/v4/user", &fields, b"");
    assert!(answer.status < 500, "{}", json_of(&answer));
    let answer = site.client().send(&Method::POST, "/api/v4/jobs/1/artifacts", &[]).await;
    assert_eq!(answer.status, 403);
}

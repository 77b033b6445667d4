//! What an operator does beside pushing: tokens, projects, sweeps, the flags of `serve`, metrics
//! and the description of the API.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::fixtures::noise;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, by_job, by_ref};
use crate::handing_in::{RunningJob, running_job, token, upload, upload_archive};
use crate::harness::{HANG, Push, Ran, Scratch, Server, command, sha256};

/// Runs a command on a data folder.
fn on(data: &Path, arguments: &[&str]) -> Ran {
    Ran::of(command().args(arguments).arg("--data").arg(data))
}

/// An archive with one file that says something.
fn saying(text: &str) -> Vec<u8> {
    Archive::new().entry(Entry::stored("who.txt", text)).build()
}

/// Where the store has a blob.
fn blob(data: &Path, digest: &str) -> PathBuf {
    data.join("blobs").join(&digest[..2]).join(format!("{digest}.zip"))
}

/// Waits for something that happens in the background.
async fn until(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !happened().await {
        assert!(started.elapsed() < HANG, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

// --- push ---------------------------------------------------------------------------------------

#[tokio::test]
async fn a_local_push_may_say_when_its_artifacts_expire() {
    let scratch = Scratch::new();
    let archive = scratch.file("a.zip", Archive::new().entry(Entry::stored("a.txt", "a")).build());
    let push = |job: &str, expire_in: &str| {
        let mut push = command();
        push.arg("push").arg(&archive).arg("--data").arg(scratch.data()).arg("--json");
        push.args(["--project", "group/app", "--ref", "main", "--visibility", "public"]);
        push.args(["--job", job, "--expire-in", expire_in]);
        Ran::of(&mut push)
    };
    let server = Server::start(&scratch.data());
    let owner = token(&scratch.data(), "group", "owner", "api");
    let mut jobs = Vec::new();
    for (job, expire_in) in [("soon", "2 s"), ("later", "2 days"), ("never", "never")] {
        let job_id = push(job, expire_in).exits(0).json()["job_id"].as_u64().expect("an id");
        jobs.push(job_id);
    }
    for bad in ["soon", "", " ", "1 2 days", "2000 years"] {
        let ran = push("bad", bad).exits(2);
        assert!(ran.stderr.contains("--expire-in"), "{bad:?}: {}", ran.stderr);
    }
    let mut client = Client::http1(server.address);
    let [soon, later, never] = [jobs[0], jobs[1], jobs[2]]
        .map(|job| format!("/api/v4/projects/group%2Fapp/jobs/{job}/artifacts"));
    let started = Instant::now();
    while client.get(&format!("{soon}/a.txt")).await.status == 200 {
        assert!(started.elapsed() < HANG, "it never expires");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for target in [&later, &never] {
        assert_eq!(client.get(&format!("{target}/a.txt")).await.status, 200, "{target}");
        // What is kept says when it would have gone: not at all any more.
        let fields = [("private-token", owner.as_str())];
        let kept = client.send(&Method::POST, &format!("{target}/keep"), &fields).await;
        assert_eq!(kept.json()["artifacts_expire_at"], Value::Null, "{:?}", kept.body);
    }
    let gone = client.get(&format!("{soon}/a.txt")).await;
    gone.refuses(404, &json!({"message": "404 Not Found"}));
}
// --- token --------------------------------------------------------------------------------------

#[test]
fn tokens_are_listed_without_what_they_are() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let first = token(&data, "group/app", "reporter", "read_api");
    let second = token(&data, "group", "maintainer", "api,ingest");
    let short = on(
        &data,
        &[
            "token",
            "create",
            "--name",
            "a \u{1b}[31m name",
            "--project",
            "a/b",
            "--role",
            "guest",
            "--expires-in",
            "30",
        ],
    );
    let short = short.exits(0).text().trim().to_owned();
    on(&data, &["token", "revoke", "2"]).exits(0);

    let text = on(&data, &["token", "list"]).exits(0);
    let json = on(&data, &["token", "list", "--json"]).exits(0);
    for secret in [&first, &second, &short] {
        let digest = sha256(secret.as_bytes());
        for output in [text.text(), json.text(), text.stderr.clone()] {
            assert!(!output.contains(secret.trim_start_matches("ewt_")), "{output}");
            assert!(!output.contains(&digest[..16]), "{output}");
        }
    }
    assert!(!text.text().contains('\u{1b}'), "{:?}", text.text());
    let lines: Vec<String> = text.text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&lines[1])[..4], ["1", "valid", "reporter", "read_api"]);
    assert_eq!(words(&lines[2])[..4], ["2", "revoked", "maintainer", "api,ingest"]);
    assert_eq!(words(&lines[3])[..4], ["3", "valid", "guest", "api"]);

    let tokens = json.json();
    let tokens = tokens.as_array().expect("an array");
    let fields = [
        "created_at",
        "expires_at",
        "id",
        "name",
        "project",
        "revoked_at",
        "role",
        "scopes",
        "state",
    ];
    for token in tokens {
        let found: Vec<&String> = token.as_object().expect("an object").keys().collect();
        assert_eq!(found, fields, "{token}");
        assert!(token["created_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{token}");
    }
    assert_eq!(tokens[0]["scopes"], json!(["read_api"]));
    assert_eq!(tokens[0]["project"], "group/app");
    assert_eq!((&tokens[0]["expires_at"], &tokens[0]["revoked_at"]), (&Value::Null, &Value::Null));
    assert_eq!(tokens[1]["scopes"], json!(["api", "ingest"]));
    assert!(tokens[1]["revoked_at"].is_string(), "{}", tokens[1]);
    assert_eq!(tokens[2]["name"], "a \u{1b}[31m name");
    assert!(tokens[2]["expires_at"].is_string(), "{}", tokens[2]);
    let empty = Scratch::new();
    assert_eq!(on(&empty.data(), &["token", "list", "--json"]).exits(0).json(), json!([]));
}

#[tokio::test]
async fn a_revoked_token_is_refused_by_a_running_server() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let archive = scratch.file("a.zip", saying("hello"));
    let job = Push { visibility: None, ..Push::public() }.store_in(&data, &archive).job_id;
    let kept = token(&data, "group", "reporter", "read_api");
    let revoked = token(&data, "group", "reporter", "read_api");
    let server = Server::start(&data);
    let mut client = Client::http1(server.address);
    let targets = [
        by_job(job, b"who.txt"),
        by_ref("main", b"who.txt"),
        format!("/api/v4/projects/group%2Fapp/jobs/{job}/artifacts"),
        format!("/api/v4/projects/group%2Fapp/jobs/{job}/artifacts/tree"),
    ];
    for target in &targets {
        for _ in 0..3 {
            let answer = client.get_with(target, &[("private-token", &revoked)]).await;
            assert_eq!(answer.status, 200, "{target}");
        }
    }
    on(&data, &["token", "revoke", "2"]).exits(0);
    for target in &targets {
        until("the token is refused", async || {
            let answer = client.get_with(target, &[("private-token", &revoked)]).await;
            answer.status == 401
        })
        .await;
        let answer = client.get_with(target, &[("private-token", &kept)]).await;
        assert_eq!(answer.status, 200, "{target}");
    }
    for (name, id) in [("again", "2"), ("unknown", "99"), ("zero", "0")] {
        let ran = on(&data, &["token", "revoke", id]).exits(1);
        assert!(ran.stderr.contains(id), "{name}: {}", ran.stderr);
    }
    on(&data, &["token", "revoke", "first"]).exits(2);
    on(&data, &["token", "revoke"]).exits(2);
}

#[tokio::test]
async fn a_token_may_have_several_scopes() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let server = Server::start(&data);
    let both = token(&data, "group", "owner", "read_api,ingest");
    let job = running_job(server.address, &both, "group/app", "private", "main");
    upload_archive(server.address, &job, &saying("hello"));
    let mut client = Client::http1(server.address);
    let fields = [("private-token", both.as_str())];
    let answer = client.get_with(&by_job(job.id, b"who.txt"), &fields).await;
    assert_eq!(answer.bytes(), "hello");
    // What needs the scope `api` is still out of reach.
    let keep = format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts/keep", job.id);
    let answer = client.send(&Method::POST, &keep, &fields).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (403, &json!("insufficient_scope"))
    );

    let repeated = on(
        &data,
        &[
            "token",
            "create",
            "--name",
            "x",
            "--project",
            "group",
            "--role",
            "owner",
            "--scope",
            "api",
            "--scope",
            "ingest",
        ],
    );
    let repeated = repeated.exits(0).text().trim().to_owned();
    let answer = client.send(&Method::POST, &keep, &[("private-token", &repeated)]).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    for bad in ["write", "", "api,", "api;ingest"] {
        let ran = on(
            &data,
            &[
                "token",
                "create",
                "--name",
                "x",
                "--project",
                "g",
                "--role",
                "owner",
                "--scope",
                bad,
            ],
        );
        assert!(ran.exits(2).stderr.contains("--scope"), "{bad:?}");
    }
}

// --- projects -----------------------------------------------------------------------------------

#[tokio::test]
async fn projects_sum_up_archives_and_reports() {
    let scratch = Scratch::new();
    let data = scratch.data();
    assert_eq!(on(&data, &["projects", "--json"]).exits(0).json(), json!([]));
    let server = Server::start(&data);
    let owner = token(&data, "group", "owner", "api,ingest");
    let archive = saying("hello");
    let one = running_job(server.address, &owner, "group/app", "public", "main");
    upload_archive(server.address, &one, &archive);
    let two = running_job(server.address, &owner, "group/app", "public", "main");
    upload_archive(server.address, &two, &archive);
    let report = |job: &RunningJob, kind: &str, bytes: &[u8]| {
        let parameters = [("artifact_type", kind), ("artifact_format", "gzip")];
        let credential = format!("JOB-TOKEN: {}", job.token);
        let answer = upload(server.address, job.id, &credential, &parameters, bytes);
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    report(&one, "junit", &[1; 100]);
    report(&one, "dotenv", &[2; 11]);
    let other = running_job(server.address, &owner, "group/other", "internal", "main");
    report(&other, "junit", &[3; 7]);
    let sums = |reports: u64, reports_size: u64, archives: u64| {
        json!([
            {"id": 1, "path": "group/app", "visibility": "public", "public_pipelines": true,
             "archives": archives, "archives_size": archives * archive.len() as u64,
             "reports": reports, "reports_size": reports_size},
            {"id": 2, "path": "group/other", "visibility": "internal", "public_pipelines": true,
             "archives": 0, "archives_size": 0, "reports": 1, "reports_size": 7},
        ])
    };
    assert_eq!(on(&data, &["projects", "--json"]).exits(0).json(), sums(2, 111, 2));
    let text = on(&data, &["projects"]).exits(0).text();
    let lines: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().collect()).collect();
    let total = (2 * archive.len() + 111).to_string();
    assert_eq!(lines[0], ["ID", "FILES", "BYTES", "VISIBLE", "PROJECT"]);
    assert_eq!(lines[1], ["1", "4", &total, "public", "group/app"]);
    assert_eq!(lines[2], ["2", "1", "7", "internal", "group/other"]);

    // What is deleted counts no more, also before it is swept.
    let mut client = Client::http1(server.address);
    let target = format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts", one.id);
    let deleted = client.send(&Method::DELETE, &target, &[("private-token", &owner)]).await;
    assert_eq!(deleted.status, 204, "{:?}", deleted.body);
    assert_eq!(on(&data, &["projects", "--json"]).exits(0).json(), sums(0, 0, 1));
}

// --- sweep --------------------------------------------------------------------------------------

/// Pushes an archive that has expired once this returns.
async fn push_expired(scratch: &Scratch, says: &str) -> String {
    let bytes = saying(says);
    let archive = scratch.file("expired.zip", &bytes);
    let mut push = command();
    push.arg("push").arg(&archive).arg("--data").arg(scratch.data());
    push.args(["--project", "group/app", "--ref", "main", "--job", says, "--expire-in", "0.001 s"]);
    Ran::of(&mut push).exits(0);
    tokio::time::sleep(Duration::from_millis(50)).await;
    sha256(&bytes)
}

/// What a process that was killed leaves: a blob that no row knows, a file half received.
fn crash(data: &Path) -> (PathBuf, PathBuf) {
    let bytes = saying("orphan");
    let orphan = blob(data, &sha256(&bytes));
    std::fs::create_dir_all(orphan.parent().expect("a folder")).expect("a folder");
    std::fs::write(&orphan, bytes).expect("a blob");
    let part = data.join("tmp/0123456789abcdef.part");
    std::fs::write(&part, "half").expect("a temporary file");
    (orphan, part)
}

fn report(expired: u64, removed: u64, size: usize, temporary: u64, quarantined: u64) -> Value {
    json!({"expired": expired, "removed": removed, "removed_size": size, "temporary": temporary,
           "quarantined": quarantined, "postponed": false})
}

#[tokio::test]
async fn a_sweep_without_a_server_puts_everything_right() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let expired = push_expired(&scratch, "expired").await;
    let kept = scratch.file("kept.zip", saying("kept"));
    let kept = Push { visibility: None, ..Push::public() }.store_in(&data, &kept);
    let (orphan, part) = crash(&data);

    let swept = on(&data, &["sweep", "--json"]).exits(0).json();
    assert_eq!(swept, report(1, 1, saying("expired").len(), 1, 1));
    assert!(!blob(&data, &expired).exists(), "what expired is there still");
    assert!(blob(&data, &kept.sha256).exists(), "what is kept is gone");
    assert!(!orphan.exists() && !part.exists());
    let quarantined = data.join("quarantine").join(orphan.file_name().expect("a name"));
    assert!(quarantined.exists(), "an orphan is kept for a day");

    assert_eq!(on(&data, &["sweep", "--json"]).exits(0).json(), report(0, 0, 0, 0, 0));
    let text = on(&data, &["sweep"]).exits(0).text();
    assert!(text.contains("0 files expired"), "{text}");
    // Handed in after all, the orphan is stored as if it never had been there.
    let orphan_again = scratch.file("orphan.zip", saying("orphan"));
    Push { visibility: None, ..Push::public() }.store_in(&data, &orphan_again);
    assert!(orphan.exists());
}

#[tokio::test]
async fn a_sweep_beside_a_server_takes_what_expired_and_leaves_the_rest_to_it() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let server = Server::start_with(&data, &["--sweep-interval", "24h"]);
    let owner = token(&data, "group", "owner", "api,ingest");
    let job = running_job(server.address, &owner, "group/app", "public", "main");
    upload_archive(server.address, &job, &saying("deleted"));
    let mut client = Client::http1(server.address);
    assert_eq!(client.get(&by_job(job.id, b"who.txt")).await.bytes(), "deleted");
    let target = format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts", job.id);
    let answer = client.send(&Method::DELETE, &target, &[("private-token", &owner)]).await;
    assert_eq!(answer.status, 204);
    let expired = push_expired(&scratch, "expired").await;
    let kept = running_job(server.address, &owner, "group/app", "public", "kept");
    upload_archive(server.address, &kept, &saying("kept"));
    let (orphan, part) = crash(&data);

    let swept = on(&data, &["sweep", "--json"]).exits(0).json();
    let size = saying("deleted").len() + saying("expired").len();
    assert_eq!(swept, report(1, 2, size, 1, 0));
    assert!(!blob(&data, &expired).exists());
    assert!(!blob(&data, &sha256(&saying("deleted"))).exists());
    // A blob without a row may be one that the server is about to record.
    assert!(orphan.exists() && !part.exists());
    assert_eq!(client.get(&by_job(kept.id, b"who.txt")).await.bytes(), "kept");
    client
        .get(&by_job(job.id, b"who.txt"))
        .await
        .refuses(404, &json!({"message": "404 Not Found"}));
    // The same bytes again are stored again, and served.
    let again = running_job(server.address, &owner, "group/app", "public", "again");
    upload_archive(server.address, &again, &saying("deleted"));
    assert_eq!(client.get(&by_job(again.id, b"who.txt")).await.bytes(), "deleted");

    // The next server to start has the folder to itself.
    drop(client);
    drop(server);
    let _server = Server::start(&data);
    assert!(!orphan.exists());
}

// --- serve --------------------------------------------------------------------------------------

#[test]
fn bad_values_of_flags_are_clear_errors() {
    let scratch = Scratch::new();
    // Should a value be taken after all, the server does not start either.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let table: [(&str, &str, &str); 14] = [
        ("--max-archive-size", "much", "SIZE"),
        ("--max-archive-size", "-1", ""),
        ("--max-archive-size", "", "SIZE"),
        ("--max-archive-size", "5 parsecs", "SIZE"),
        ("--default-expiry", "soon", "none"),
        ("--default-expiry", "", "none"),
        ("--default-expiry", "1 2 days", "none"),
        ("--default-expiry", "2000 years", "none"),
        ("--sweep-interval", "0", "1s"),
        ("--sweep-interval", "0.5s", "1s"),
        ("--sweep-interval", "25h", "24 hours"),
        ("--sweep-interval", "never", "1s"),
        ("--sweep-interval", "none", "1s"),
        ("--sweep-interval", "", "1s"),
    ];
    for (flag, value, says) in table {
        let given = format!("{flag}={value}");
        let ran = on(&scratch.data(), &["serve", "--listen", &address, &given]).exits(2);
        assert!(ran.stderr.contains(flag), "{given}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{given}: {}", ran.stderr);
        assert!(!ran.text().contains("listening"), "{given}");
    }
    assert!(!scratch.data().exists(), "a usage error makes no folder");
}

#[tokio::test]
async fn sizes_and_times_of_flags_are_kept_to() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let flags = ["--max-archive-size", "2KB", "--default-expiry", "2s", "--sweep-interval", "1s"];
    let server = Server::start_with(&data, &flags);
    let owner = token(&data, "group", "owner", "api,ingest");
    let job = running_job(server.address, &owner, "group/app", "public", "main");
    let credential = format!("JOB-TOKEN: {}", job.token);
    let sized = |len| Archive::new().entry(Entry::stored("who.txt", noise(len, 1))).build();
    let overhead = sized(0).len();
    let answer = upload(server.address, job.id, &credential, &[], &sized(2_001 - overhead));
    assert_eq!(answer.status, 413, "{answer:?}");
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(body, json!({"message": "413 Content Too Large - at most 2000 bytes"}));
    let fits = sized(2_000 - overhead);
    assert_eq!(fits.len(), 2_000);
    upload_archive(server.address, &job, &fits);
    // Who says how long is not subject to the default.
    let kept = running_job(server.address, &owner, "group/app", "public", "kept");
    let credential = format!("JOB-TOKEN: {}", kept.token);
    let parameters = [("expire_in", "never")];
    let answer = upload(server.address, kept.id, &credential, &parameters, &saying("kept"));
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut client = Client::http1(server.address);
    until("it expires", async || client.get(&by_job(job.id, b"who.txt")).await.status == 404).await;
    until("it is swept", async || !blob(&data, &sha256(&fits)).exists()).await;
    assert_eq!(client.get(&by_job(kept.id, b"who.txt")).await.bytes(), "kept");
    for good in [
        "--max-archive-size=8GiB",
        "--max-archive-size=1",
        "--default-expiry=none",
        "--default-expiry=never",
        "--default-expiry=1 week 2 hours",
        "--sweep-interval=10min",
    ] {
        let scratch = Scratch::new();
        drop(Server::start_with(&scratch.data(), &[good]));
    }
}

// --- metrics and the description ----------------------------------------------------------------

/// The samples of a page of metrics.
async fn metrics(client: &mut Client) -> BTreeMap<String, f64> {
    let answer = client.get("/-/metrics").await;
    assert_eq!(answer.status, 200);
    let media_type = answer.expect_header("content-type").to_owned();
    assert!(
        media_type.contains("openmetrics-text") || media_type.contains("text/plain"),
        "{media_type}"
    );
    let text = String::from_utf8_lossy(answer.bytes()).into_owned();
    assert!(text.ends_with("# EOF\n"), "{text}");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect()
}

#[tokio::test]
async fn metrics_count_answers_failures_uploads_and_storage() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let server = Server::start(&data);
    let owner = token(&data, "secret-group", "owner", "api,ingest");
    let mut client = Client::http1(server.address);
    let before = metrics(&mut client).await;
    let job = running_job(server.address, &owner, "secret-group/secret-app", "public", "main");
    let archive = saying("hello");
    upload_archive(server.address, &job, &archive);
    let parameters = [("artifact_type", "junit"), ("artifact_format", "gzip")];
    let credential = format!("JOB-TOKEN: {}", job.token);
    assert_eq!(upload(server.address, job.id, &credential, &parameters, &[7; 9]).status, 201);

    let base = format!("/api/v4/projects/secret-group%2Fsecret-app/jobs/{}/artifacts", job.id);
    for _ in 0..5 {
        assert_eq!(client.get(&format!("{base}/who.txt")).await.status, 200);
    }
    let tag = client.get(&format!("{base}/who.txt")).await.expect_header("etag").to_owned();
    let answer = client.get_with(&format!("{base}/who.txt"), &[("if-none-match", &tag)]).await;
    assert_eq!(answer.status, 304);
    assert_eq!(client.get(&format!("{base}/none")).await.status, 404);
    assert_eq!(client.get(&format!("{base}/none")).await.status, 404);
    assert_eq!(client.get(&format!("{base}/../x%2e%2e/..")).await.status, 400);
    let bad = [("private-token", "ewt_unknown")];
    assert_eq!(client.get_with(&base, &bad).await.status, 401);
    assert_eq!(client.get("/nothing/here").await.status, 404);

    // What is stored is added up every few seconds at most.
    let stored = "entryway_project_files{project_id=\"1\",kind=\"report\"}";
    let deadline = Instant::now() + HANG;
    let after = loop {
        let after = metrics(&mut client).await;
        if after.contains_key(stored) || Instant::now() > deadline {
            break after;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let grown = |name: &str| {
        after.get(name).copied().unwrap_or_default() - before.get(name).copied().unwrap_or_default()
    };
    let expected = [
        ("entryway_answers_total{status=\"304\"}", 1.0),
        ("entryway_answers_total{status=\"404\"}", 3.0),
        ("entryway_answers_total{status=\"401\"}", 1.0),
        ("entryway_answers_total{status=\"400\"}", 1.0),
        ("entryway_failures_total{reason=\"file_not_found\"}", 2.0),
        ("entryway_failures_total{reason=\"unknown_route\"}", 1.0),
        ("entryway_failures_total{reason=\"unauthorized\"}", 1.0),
        ("entryway_uploads_total", 2.0),
        ("entryway_upload_bytes_total", (archive.len() + 9) as f64),
        ("entryway_project_files{project_id=\"1\",kind=\"archive\"}", 1.0),
        ("entryway_project_files{project_id=\"1\",kind=\"report\"}", 1.0),
        ("entryway_project_storage_bytes{project_id=\"1\",kind=\"archive\"}", archive.len() as f64),
        ("entryway_project_storage_bytes{project_id=\"1\",kind=\"report\"}", 9.0),
    ];
    for (name, value) in expected {
        assert_eq!(grown(name).to_bits(), f64::to_bits(value), "{name}: {after:#?}");
    }
    // Six files and the first page of metrics; announcements come to it.
    assert!(grown("entryway_answers_total{status=\"200\"}") >= 7.0, "{after:#?}");
    let shown = format!("{after:?}");
    assert!(!shown.contains("secret") && !shown.contains("who"), "{shown}");
}

#[tokio::test]
async fn the_description_lists_every_endpoint() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let answer = client.get("/-/openapi.json").await;
    assert!(answer.expect_header("content-type").contains("json"));
    let document = answer.json();
    assert!(document["openapi"].as_str().is_some_and(|v| v.starts_with("3.1")), "{document}");
    let paths = document["paths"].as_object().expect("paths");
    // By the place of what is variable in them, whatever it is called.
    let shape = |path: &str| {
        let segment = |s: &str| if s.starts_with('{') { "{}".to_owned() } else { s.to_owned() };
        path.split('/').map(segment).collect::<Vec<_>>().join("/")
    };
    let found: BTreeMap<String, Vec<&String>> = paths
        .iter()
        .map(|(path, item)| (shape(path), item.as_object().expect("an item").keys().collect()))
        .collect();
    let table = [
        ("A", "/api/v4/projects/{}/jobs/{}/artifacts", "get"),
        ("B", "/api/v4/projects/{}/jobs/artifacts/{}/download", "get"),
        ("C", "/api/v4/projects/{}/jobs/{}/artifacts/{}", "get"),
        ("D", "/api/v4/projects/{}/jobs/artifacts/{}/raw/{}", "get"),
        ("E", "/api/v4/projects/{}/jobs/{}/artifacts/tree", "get"),
        ("E2", "/api/v4/projects/{}/jobs/artifacts/{}/tree", "get"),
        ("F", "/api/v4/projects/{}/jobs/{}/artifacts/keep", "post"),
        ("G", "/api/v4/projects/{}/jobs/{}/artifacts", "delete"),
        ("H", "/api/v4/projects/{}/artifacts", "delete"),
        ("U", "/api/v4/jobs/{}/artifacts", "post"),
        ("R", "/api/v4/jobs/{}/artifacts", "get"),
        ("hook", "/hooks/gitlab", "post"),
        ("project", "/ingest/v1/projects/{}", "put"),
        ("pipeline", "/ingest/v1/projects/{}/pipelines/{}", "put"),
        ("new pipeline", "/ingest/v1/projects/{}/pipelines", "post"),
        ("job", "/ingest/v1/projects/{}/jobs/{}", "put"),
        ("new job", "/ingest/v1/projects/{}/jobs", "post"),
        ("health", "/-/health", "get"),
        ("ready", "/-/ready", "get"),
        ("metrics", "/-/metrics", "get"),
        ("itself", "/-/openapi.json", "get"),
    ];
    for (name, path, method) in table {
        let methods = found.get(path).unwrap_or_else(|| panic!("{name}: {path} in {found:#?}"));
        assert!(methods.iter().any(|known| *known == method), "{name}: {methods:?}");
    }
}

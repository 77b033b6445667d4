//! Which artifact a ref means (api.md section 4), over HTTP.

use entryway_testkit::builder::{Archive, Entry};
use serde_json::json;

use crate::client::{Client, by_job, encoded, encoded_segment};
use crate::harness::{Push, Pushed, Scratch, Server};

/// A served data folder, and archives that say who they are.
struct Site {
    scratch: Scratch,
    server: Server,
}

impl Site {
    fn start() -> Self {
        let scratch = Scratch::new();
        let server = Server::start(&scratch.data());
        Self { scratch, server }
    }

    /// Pushes an archive in which `who.txt` holds `says`.
    #[track_caller]
    fn push(&self, says: &str, push: Push<'_>) -> Pushed {
        self.push_files(&[("who.txt", says)], push)
    }

    #[track_caller]
    fn push_files(&self, files: &[(&str, &str)], push: Push<'_>) -> Pushed {
        let entries = files.iter().map(|(name, content)| Entry::stored(name, content));
        let archive = self.scratch.file("pushed.zip", Archive::new().entries(entries).build());
        push.store_in(&self.scratch.data(), &archive)
    }

    /// What a target under the project answers: its body as text, or its status.
    async fn says(&self, target: &str) -> Result<String, u16> {
        self.says_of("group%2Fapp", target).await
    }

    async fn says_of(&self, project: &str, target: &str) -> Result<String, u16> {
        let mut client = Client::http1(self.server.address);
        let answer = client.get(&format!("/api/v4/projects/{project}/{target}")).await;
        if answer.status == 200 {
            Ok(String::from_utf8(answer.bytes().to_vec()).expect("these files are text"))
        } else {
            Err(answer.status.as_u16())
        }
    }

    async fn latest(&self, ref_name: &str, job: &str) -> Result<String, u16> {
        let ref_name = encoded_segment(ref_name.as_bytes());
        let job = encoded_segment(job.as_bytes());
        self.says(&format!("jobs/artifacts/{ref_name}/raw/who.txt?job={job}")).await
    }
}

fn said(text: &str) -> Result<String, u16> {
    Ok(text.to_owned())
}

/// Asks until the answer is `expected`: a replaced artifact is seen within a second, and the only
/// thing asserted here is that it is seen at all.
async fn assert_becomes(site: &Site, ref_name: &str, expected: &str) {
    let started = std::time::Instant::now();
    loop {
        let now = site.latest(ref_name, "build").await;
        if now == said(expected) {
            return;
        }
        assert!(started.elapsed() < crate::harness::HANG, "still {now:?}, not {expected}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_highest_successful_pipeline_of_the_ref_wins() {
    let site = Site::start();
    site.push("first", Push::public());
    assert_becomes(&site, "main", "first").await;
    site.push("second", Push::public());
    assert_becomes(&site, "main", "second").await;
    site.push("of another ref", Push { ref_name: "other", ..Push::public() });
    assert_eq!(site.latest("other", "build").await, said("of another ref"));
    assert_becomes(&site, "main", "second").await;
}

#[tokio::test]
async fn pipelines_that_did_not_succeed_are_passed_over() {
    let site = Site::start();
    for status in ["running", "failed", "canceled", "skipped", "manual"] {
        site.push(status, Push { status: Some(status), ..Push::public() });
        assert_eq!(site.latest("main", "build").await, Err(404), "{status}");
    }
    site.push("success", Push { status: Some("success"), ..Push::public() });
    assert_becomes(&site, "main", "success").await;
    site.push("failed later", Push { status: Some("failed"), ..Push::public() });
    assert_becomes(&site, "main", "success").await;
}

#[tokio::test]
async fn every_job_of_the_project_is_found_by_its_id() {
    let site = Site::start();
    let old = site.push("old", Push::public());
    let failed = site.push("failed", Push { status: Some("failed"), ..Push::public() });
    let new = site.push("new", Push::public());
    let mut client = Client::http1(site.server.address);
    for (pushed, says) in [(&old, "old"), (&failed, "failed"), (&new, "new")] {
        assert_eq!(client.get(&by_job(pushed.job_id, b"who.txt")).await.bytes(), says);
    }
    // The same by the project's number, and not by another project's.
    let by_number = format!("jobs/{}/artifacts/who.txt", old.job_id);
    assert_eq!(site.says_of(&old.project_id.to_string(), &by_number).await, said("old"));
    let beside = Push { project: "group/beside", ..Push::public() };
    let beside = site.push("beside", beside);
    let other = site.says_of(&beside.project_id.to_string(), &by_number).await;
    assert_eq!(other, Err(404), "a job of another project");
}

#[tokio::test]
async fn the_job_has_exactly_the_name_asked_for() {
    let site = Site::start();
    let names =
        ["build", "Build", "build 1/2", "build: [linux, x86]", "pr\u{fc}fung", "a+b", "a b"];
    let mut pipeline = None;
    for name in names {
        let pushed = site.push(name, Push { job: name, pipeline, ..Push::public() });
        pipeline = Some(pushed.pipeline_id);
    }
    for name in names {
        assert_eq!(site.latest("main", name).await, said(name), "{name}");
    }
    for name in ["BUILD", "build ", "buil", "build%20", ""] {
        let answer = site.latest("main", name).await;
        assert!(matches!(answer, Err(400 | 404)), "{name:?}: {answer:?}");
    }
    // In a query a plus is a space; in a path it stays a plus.
    assert_eq!(site.says("jobs/artifacts/main/raw/who.txt?job=a+b").await, said("a b"));
    assert_eq!(site.says("jobs/artifacts/main/raw/who.txt?job=build+1/2").await, said("build 1/2"));
}

#[tokio::test]
async fn a_newer_pipeline_without_the_job_hides_an_older_one_unless_asked() {
    let site = Site::start();
    site.push("the older build", Push::public());
    site.push("a lint", Push { job: "lint", ..Push::public() });
    assert_becomes_status(&site, "build", 404).await;
    let search = "jobs/artifacts/main/raw/who.txt?job=build&search_recent_successful_pipelines";
    for yes in ["true", "t", "yes", "y", "on", "1", "TRUE", "Yes"] {
        let answer = site.says(&format!("{search}={yes}")).await;
        assert_eq!(answer, said("the older build"), "{yes}");
    }
    for no in ["false", "f", "no", "n", "off", "0", "FALSE"] {
        assert_eq!(site.says(&format!("{search}={no}")).await, Err(404), "{no}");
    }
    for neither in ["maybe", "2", "truely"] {
        assert_eq!(site.says(&format!("{search}={neither}")).await, Err(400), "{neither}");
    }
    let whole = "jobs/artifacts/main/download?job=build&search_recent_successful_pipelines=true";
    let mut client = Client::http1(site.server.address);
    let answer = client.get(&format!("/api/v4/projects/group%2Fapp/{whole}")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.bytes().starts_with(b"PK\x03\x04"));
}

async fn assert_becomes_status(site: &Site, job: &str, status: u16) {
    let started = std::time::Instant::now();
    while site.latest("main", job).await != Err(status) {
        assert!(started.elapsed() < crate::harness::HANG, "never {status}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn refs_may_have_slashes_raw_and_encoded() {
    let site = Site::start();
    let refs = ["feature/x", "feature/x/y", "release/1.0", "v1.0+build", "sp ace", "\u{fc}/\u{e4}"];
    for name in refs {
        site.push(name, Push { ref_name: name, ..Push::public() });
    }
    for name in refs {
        assert_eq!(site.latest(name, "build").await, said(name), "encoded {name}");
        let raw = encoded(name.as_bytes());
        let target = format!("jobs/artifacts/{raw}/raw/who.txt?job=build");
        assert_eq!(site.says(&target).await, said(name), "raw {raw}");
        let download = format!("jobs/artifacts/{raw}/download?job=build");
        let mut client = Client::http1(site.server.address);
        let answer = client.get(&format!("/api/v4/projects/group%2Fapp/{download}")).await;
        assert_eq!(answer.status, 200, "{download}");
    }
    // A plus stays a plus in a path.
    let plus = site.says("jobs/artifacts/v1.0+build/raw/who.txt?job=build").await;
    assert_eq!(plus, said("v1.0+build"));
    for absent in ["feature", "feature/z", "Feature/x", "x"] {
        assert_eq!(site.latest(absent, "build").await, Err(404), "{absent}");
    }
}

#[tokio::test]
async fn head_and_commits_are_no_refs() {
    let site = Site::start();
    site.push("main", Push::public());
    for name in ["HEAD", "main~0", "refs/heads/main", "0123456789012345678901234567890123456789"] {
        assert_eq!(site.latest(name, "build").await, Err(404), "{name}");
    }
}

#[tokio::test]
async fn an_ambiguous_url_means_what_exists() {
    let site = Site::start();
    let files = [
        ("data/raw/x.txt", "the file under data/raw"),
        ("x.txt", "the file x.txt"),
        ("download", "a file named download"),
        ("tree", "a file named tree"),
    ];
    site.push_files(&files, Push::public());
    let raw = |path: &str| format!("jobs/artifacts/{path}?job=build");
    let table = [
        ("main/raw/data/raw/x.txt", said("the file under data/raw")),
        ("main/raw/data%2Fraw%2Fx.txt", said("the file under data/raw")),
        ("main/raw/x.txt", said("the file x.txt")),
        ("main/raw/download", said("a file named download")),
        ("main/raw/tree", said("a file named tree")),
        ("main/raw//x.txt", said("the file x.txt")),
        ("main/raw/data//raw///x.txt", said("the file under data/raw")),
        ("main/raw/raw/x.txt", Err(404)),
    ];
    for (path, expected) in table {
        assert_eq!(site.says(&raw(path)).await, expected, "{path}");
    }
    // Now a longer ref fits too, and the longest that has a pipeline is taken.
    let longer = Push { ref_name: "main/raw/data", ..Push::public() };
    site.push_files(&[("x.txt", "x.txt of the longer ref")], longer);
    let path = raw("main/raw/data/raw/x.txt");
    let started = std::time::Instant::now();
    while site.says(&path).await != said("x.txt of the longer ref") {
        assert!(started.elapsed() < crate::harness::HANG, "never the longer ref");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_two_spellings_of_an_archive_give_the_same_bytes() {
    let site = Site::start();
    let pushed = site.push("whole", Push::public());
    let mut client = Client::http1(site.server.address);
    let base = "/api/v4/projects/group%2Fapp/jobs";
    let by_ref = client.get(&format!("{base}/artifacts/main/download?job=build")).await;
    for by_id in [
        format!("{base}/{}/artifacts", pushed.job_id),
        // Nothing after the slash is the archive itself.
        format!("{base}/{}/artifacts/", pushed.job_id),
    ] {
        let answer = client.get(&by_id).await;
        assert_eq!((answer.status.as_u16(), answer.bytes()), (200, by_ref.bytes()), "{by_id}");
    }
    assert_eq!(by_ref.bytes().len() as u64, pushed.size);
    assert_eq!(by_ref.header("etag"), Some(format!("\"{}\"", pushed.sha256).as_str()));
}

#[tokio::test]
async fn names_are_looked_up_raw_then_without_dot_slash_then_as_displayed() {
    let site = Site::start();
    let archive = Archive::new()
        .entry(Entry::stored("./dotted.txt", "dotted"))
        .entry(Entry::stored("./both.txt", "with dot slash"))
        .entry(Entry::stored("both.txt", "without"))
        // Code page 437: 0x81 is a small u with two dots.
        .entry(Entry::stored(b"\x81ber.txt", "cp437"))
        .entry(Entry::stored("plain.txt", "unicode path").unicode_path("pr\u{fc}fung.txt"))
        .entry(Entry::stored("\u{e9}t\u{e9}.txt", "utf-8"))
        .build();
    let archive = site.scratch.file("names.zip", archive);
    Push::public().store_in(&site.scratch.data(), &archive);
    for (name, expected) in [
        ("dotted.txt", "dotted"),
        ("both.txt", "without"),
        ("\u{fc}ber.txt", "cp437"),
        ("pr\u{fc}fung.txt", "unicode path"),
        ("plain.txt", "unicode path"),
        ("\u{e9}t\u{e9}.txt", "utf-8"),
    ] {
        let name = encoded(name.as_bytes());
        let answer = site.says(&format!("jobs/artifacts/main/raw/{name}?job=build")).await;
        assert_eq!(answer, said(expected), "{name}");
    }
}

#[tokio::test]
async fn an_ambiguous_or_unsupported_entry_is_refused_alone() {
    use entryway_testkit::record::FLAG_ENCRYPTED;
    let site = Site::start();
    let archive = Archive::new()
        .entry(Entry::stored("twice.txt", "one"))
        .entry(Entry::stored("twice.txt", "two"))
        .entry(Entry::stored("secret.txt", "0123456789abcdef").flags(FLAG_ENCRYPTED))
        .entry(Entry::raw("method.txt", 97, "data", 0x1234_5678, 40))
        .entry(Entry::stored("fine.txt", "fine"))
        .build();
    let archive = site.scratch.file("refused.zip", archive);
    let pushed = Push::public().store_in(&site.scratch.data(), &archive);
    assert_eq!(pushed.refused.len(), 4, "{:?}", pushed.refused);
    let mut client = Client::http1(site.server.address);
    for name in ["twice.txt", "secret.txt", "method.txt"] {
        for fields in [&[][..], &[("range", "bytes=0-1")], &[("accept-encoding", "gzip")]] {
            let answer = client.get_with(&by_job(pushed.job_id, name.as_bytes()), fields).await;
            assert_eq!(answer.status, 422, "{name}");
            let json = answer.json();
            assert!(json["reason"].as_str().is_some_and(|label| !label.is_empty()), "{json}");
        }
    }
    assert_eq!(client.get(&by_job(pushed.job_id, b"fine.txt")).await.bytes(), "fine");
    client
        .get(&by_job(pushed.job_id, b"none"))
        .await
        .refuses(404, &json!({"message": "404 File Not Found"}));
}

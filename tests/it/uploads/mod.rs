//! Uploads under stress: raced, cut, overtaken by the end of their job, refused early, killed, out of
//! room, large and many. Whatever happens, a job's archive is there whole or not at all.

mod crashed;
mod cut;
mod early_answers;
mod full_disk;
mod large;
mod overtaken;
mod raced;
mod sending;
mod strict;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::fixtures::noise;
use serde_json::{Value, json};

use self::sending::{Form, Framing, Reply, exchange};
use crate::harness::{HANG, Ran, Scratch, Server, command, sha256};

/// A server with one public project and the tokens of a CI and of a maintainer.
struct Site {
    server: Server,
    data: PathBuf,
    /// PRIVATE-TOKEN of scope `ingest`.
    ingest: String,
    /// PRIVATE-TOKEN of scope `api`, of a maintainer.
    maintainer: String,
    next_job: AtomicU64,
    _scratch: Scratch,
}

/// A job that was announced as running.
#[derive(Clone, Debug)]
struct Job {
    id: u64,
    /// Its JOB-TOKEN.
    token: String,
}

const PROJECT: &str = "/ingest/v1/projects/group%2Fapp";

impl Site {
    fn start(arguments: &[&str]) -> Self {
        let scratch = Scratch::new();
        let data = scratch.data();
        let ingest = token(&data, "ingest");
        let maintainer = token(&data, "api");
        let server = Server::start_with(&data, arguments);
        let site = Self {
            server,
            data,
            ingest,
            maintainer,
            next_job: AtomicU64::new(100),
            _scratch: scratch,
        };
        site.announce();
        site
    }

    /// Announces the project and its pipeline.
    fn announce(&self) {
        self.put(PROJECT, &json!({"visibility": "public"}));
        let pipeline = json!({"ref": "main", "sha": "0".repeat(40), "status": "success"});
        self.put(&format!("{PROJECT}/pipelines/10"), &pipeline);
    }

    /// Announces something that is taken.
    #[track_caller]
    fn put(&self, target: &str, body: &Value) -> Value {
        let fields =
            [("PRIVATE-TOKEN", self.ingest.as_str()), ("Content-Type", "application/json")];
        let body = body.to_string();
        let reply = exchange(self.server.address, "PUT", target, &fields, body.as_bytes());
        assert!(matches!(reply.status, 200 | 201), "PUT {target}: {reply:?}");
        reply.json()
    }

    /// A job that runs.
    #[track_caller]
    fn job(&self) -> Job {
        let id = self.next_job.fetch_add(1, Ordering::Relaxed);
        let body = json!({"pipeline_id": 10, "name": format!("build-{id}"), "status": "running"});
        let answer = self.put(&format!("{PROJECT}/jobs/{id}"), &body);
        Job { id, token: answer["token"].as_str().expect("a running job has a token").to_owned() }
    }

    /// Says that a job is over.
    #[track_caller]
    fn end(&self, job: &Job) {
        self.put(&format!("{PROJECT}/jobs/{}", job.id), &json!({"status": "success"}));
    }

    fn get(&self, target: &str) -> Reply {
        exchange(self.server.address, "GET", target, &[], b"")
    }

    fn delete(&self, job: &Job) -> Reply {
        let fields = [("PRIVATE-TOKEN", self.maintainer.as_str())];
        exchange(self.server.address, "DELETE", &archive_of(job), &fields, b"")
    }

    /// Uploads all at once.
    fn upload(&self, framing: Framing, job: &Job, archive: &[u8]) -> Reply {
        let form = Form::of(archive);
        let mut sending = self.begin(framing, job, &form);
        sending.send(&form.bytes);
        sending.finish()
    }

    /// Begins an upload, of which nothing but the head is sent.
    fn begin(&self, framing: Framing, job: &Job, form: &Form) -> sending::Sending {
        let credential = ("JOB-TOKEN", job.token.as_str());
        sending::Sending::begin(self.server.address, framing, &upload_to(job), &[credential], form)
    }

    /// Fails unless a job has exactly this archive: whole, by its tag, and entry by entry.
    #[track_caller]
    fn assert_serves(&self, what: &str, job: &Job, archive: &[u8]) {
        let reply = self.get(&archive_of(job));
        assert_eq!(reply.status, 200, "{what}: {reply:?}");
        assert!(reply.body == archive, "{what}: other bytes than were handed in");
        assert_eq!(reply.header("etag"), Some(format!("\"{}\"", sha256(archive)).as_str()));
        let reply = self.get(&format!("{}/NAME", archive_of(job)));
        assert_eq!(reply.status, 200, "{what}: {reply:?}");
        assert!(contains(archive, &reply.body), "{what}: an entry of another archive");
    }

    /// Fails unless a job has no archive, for whoever asks and however.
    #[track_caller]
    fn assert_has_none(&self, what: &str, job: &Job) {
        for target in [archive_of(job), format!("{}/NAME", archive_of(job))] {
            let reply = self.get(&target);
            assert_eq!(reply.status, 404, "{what}: {target}: {reply:?}");
        }
        let by_runner = format!("/api/v4/jobs/{}/artifacts", job.id);
        let fields = [("JOB-TOKEN", job.token.as_str())];
        let reply = exchange(self.server.address, "GET", &by_runner, &fields, b"");
        assert!(matches!(reply.status, 401 | 403 | 404), "{what}: {reply:?}");
    }

    /// Fails unless the data folder holds these archives and nothing else: no other blob, no
    /// sidecar of another one, and nothing that is being received.
    #[track_caller]
    fn assert_holds(&self, what: &str, archives: &[&[u8]]) {
        let expected: BTreeSet<String> = archives.iter().map(|archive| sha256(archive)).collect();
        // A server learns of a cut, and lets go of a file, in its own time.
        wait_until(&format!("{what}: temporary files go"), || {
            self.open_temporaries().is_empty() && names(&self.data.join("tmp")).is_empty()
        });
        assert_eq!(blobs(&self.data), expected, "{what}: blobs");
        for (name, _) in files(&self.data.join("blobs")) {
            if let Some(sha256) = name.strip_suffix(".sidecar") {
                assert!(expected.contains(sha256), "{what}: {name}");
            }
        }
    }

    /// The files being received that the server has open: most have no name.
    fn open_temporaries(&self) -> Vec<PathBuf> {
        let folder = self.data.join("tmp");
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.server.process.id()));
        let open = open.expect("a running process has descriptors").filter_map(Result::ok);
        let named = open.filter_map(|open| std::fs::read_link(open.path()).ok());
        named.filter(|path| path.starts_with(&folder)).collect()
    }
}

/// A token on the group, made before any project is there.
fn token(data: &Path, scope: &str) -> String {
    let mut create = command();
    create.args(["token", "create", "--name", scope, "--project", "group", "--role", "maintainer"]);
    create.args(["--scope", scope]).arg("--data").arg(data);
    Ran::of(&mut create).exits(0).text().trim().to_owned()
}

/// Endpoint U.
fn upload_to(job: &Job) -> String {
    format!("/api/v4/jobs/{}/artifacts", job.id)
}

/// Endpoints A and G.
fn archive_of(job: &Job) -> String {
    format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts", job.id)
}

/// An archive with `NAME`, which says which one it is, and about `len` bytes that do not shrink.
fn archive(name: &str, len: usize) -> Vec<u8> {
    let seed = name.bytes().fold(7, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte));
    Archive::new()
        .entry(Entry::stored("NAME", format!("this is {name}")))
        .entry(Entry::stored("noise.bin", noise(len, seed)))
        .build()
}

/// Every file below a folder, with its path.
fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let (mut folders, mut found) = (vec![folder.to_path_buf()], Vec::new());
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(&folder).expect("a folder of the store") {
            let path = item.expect("an item of the store").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                found.push((name, path));
            }
        }
    }
    found
}

fn names(folder: &Path) -> BTreeSet<String> {
    files(folder).into_iter().map(|(name, _)| name).collect()
}

/// The digests that archives of the store have as their names.
pub(crate) fn blobs(data: &Path) -> BTreeSet<String> {
    let names = files(&data.join("blobs")).into_iter();
    names.filter_map(|(name, _)| name.strip_suffix(".zip").map(str::to_owned)).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Waits for what the server does in its own time.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < HANG, "not within {HANG:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

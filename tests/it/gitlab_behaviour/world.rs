//! The projects, tokens, pipelines and jobs that the rows ask about, all of them made from outside:
//! tokens by `entryway token create`, projects to jobs by the ingest routes, archives by uploads
//! with job tokens. One thing alone cannot be had that way, a token that has expired.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use entryway_server::catalog::{Catalog, NewToken, UtcMillis};
use entryway_server::credential::{Role, Scope, TokenSecret};
use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::record::FLAG_ENCRYPTED;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, encoded_segment};
use crate::harness::{HANG, Scratch, Server, run};

/// Who there is: name, project or group, role, scopes.
const TOKENS: [(&str, &str, &str, &str); 15] = [
    ("guest", "acme", "guest", "api"),
    ("reporter", "acme", "reporter", "api"),
    ("developer", "acme", "developer", "api"),
    ("maintainer", "acme", "maintainer", "api"),
    ("owner", "acme", "owner", "api"),
    ("reading owner", "acme", "owner", "read_api"),
    ("project reporter", "acme/private", "reporter", "api"),
    ("stranger", "acmecorp", "owner", "api"),
    ("half a name", "acm", "owner", "api"),
    ("ingest", "acme", "maintainer", "ingest"),
    ("ingest of acmecorp", "acmecorp", "maintainer", "ingest"),
    ("ingest of a project", "acme/private", "maintainer", "ingest"),
    ("ingest developer", "acme", "developer", "ingest"),
    ("ingest stranger", "elsewhere", "owner", "ingest"),
    ("revoked", "acme", "owner", "api"),
];

/// What there is: path, visibility, whether pipelines are public, whose jobs it lets in. Each has a
/// successful pipeline on `main` with a job `build`; both go by the last part of the path.
const PROJECTS: [(&str, &str, bool, &[&str]); 10] = [
    ("acme/public", "public", true, &[]),
    ("acme/quiet", "public", false, &[]),
    ("acme/internal", "internal", true, &[]),
    ("acme/internal-quiet", "internal", false, &[]),
    ("acme/private", "private", true, &[]),
    ("acme/closed", "private", false, &["acme/friend"]),
    ("acme/friend", "private", true, &[]),
    ("acme/attic", "private", true, &[]),
    ("acme/group/nested", "private", true, &[]),
    ("acmecorp/x", "private", true, &[]),
];

/// What a job hands in while it runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Handing {
    /// No archive.
    Nothing,
    /// The [`archive`] of its key, which does not expire.
    Archive,
    /// The same with `expire_in`.
    Expiring(&'static str),
}

/// Shorter than any upload takes to answer.
pub(super) const AT_ONCE: &str = "0.000001 seconds";

pub(super) struct World {
    pub(super) client: Client,
    /// Numbers of projects, pipelines and jobs by their keys.
    ids: HashMap<String, u64>,
    /// Texts of tokens; those of jobs by `job KEY`.
    tokens: HashMap<String, String>,
    server: Server,
    _scratch: Scratch,
}

/// The archive of a job: `who.txt` holds its key, the rest is the same in all.
pub(super) fn archive(key: &str) -> Vec<u8> {
    Archive::new()
        .entry(Entry::stored("who.txt", key))
        .entry(Entry::directory("site/"))
        .entry(Entry::deflated("site/index.html", "<h1>hello</h1>"))
        .entry(Entry::stored("site/data.json", "{}"))
        .entry(Entry::stored("site/lib.js", "let x = 1;"))
        .entry(Entry::stored("site/feed.xml", "<feed/>"))
        .entry(Entry::stored("site/logo.svg", "<svg/>"))
        .entry(Entry::stored("site/photo.png", b"\x89PNG\r\n\x1a\n\0"))
        .entry(Entry::stored("LICENSE", "as it is"))
        .entry(Entry::stored("blob.unknown", b"\0\xff\0\xff"))
        .entry(Entry::stored("odd/sp ace", "space"))
        .entry(Entry::stored("odd/a+b", "plus"))
        .entry(Entry::stored("odd/a#b", "hash"))
        .entry(Entry::stored("odd/100%", "percent"))
        .entry(Entry::stored("odd/pr\u{fc}fung", "umlaut"))
        .entry(Entry::stored("odd/raw/x", "x under raw"))
        .entry(Entry::stored("download", "a file named download"))
        .entry(Entry::stored("tree", "a file named tree"))
        .entry(Entry::stored("twice.txt", "one"))
        .entry(Entry::stored("twice.txt", "two"))
        .entry(Entry::stored("locked.txt", "0123456789abcdef").flags(FLAG_ENCRYPTED))
        .build()
}

/// A form as a browser or a runner sends it (RFC 7578): fields, then the file.
pub(super) fn form(fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> Bytes {
    let mut form = Vec::new();
    for (name, value) in fields {
        let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"");
        form.extend_from_slice(format!("{head}\r\n\r\n{value}\r\n").as_bytes());
    }
    if let Some((filename, bytes)) = file {
        let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"");
        form.extend_from_slice(format!("{head}; filename=\"{filename}\"\r\n\r\n").as_bytes());
        form.extend_from_slice(bytes);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form.into()
}

const BOUNDARY: &str = "------------------------0123456789abcdef";
pub(super) const FORM_TYPE: &str =
    "multipart/form-data; boundary=------------------------0123456789abcdef";

impl World {
    pub(super) async fn start() -> Self {
        let scratch = Scratch::new();
        let data = scratch.data();
        let mut tokens = HashMap::new();
        for (name, project, role, scope) in TOKENS {
            tokens.insert(name.to_owned(), create_token(&data, name, project, role, scope));
        }
        revoke_token(&data, "revoked");
        tokens.insert("expired".to_owned(), expired_token(&data).await);
        tokens.insert("unknown".to_owned(), format!("ewt_{}", "x".repeat(40)));
        tokens.insert("empty".to_owned(), String::new());
        let server = Server::start_with(&data, &["--access-log"]);
        let client = Client::http1(server.address);
        let ids = HashMap::new();
        let mut world = Self { client, ids, tokens, server, _scratch: scratch };
        for (path, visibility, public_pipelines, allowlist) in PROJECTS {
            let project = json!({
                "visibility": visibility,
                "public_pipelines": public_pipelines,
                "job_token_allowlist": allowlist,
            });
            let target = format!("/ingest/v1/projects/{}", encoded_segment(path.as_bytes()));
            let answer = world.ingest(path, &Method::PUT, &target, &project).await;
            let key = path.rsplit('/').next().expect("a path has a last part");
            world.note(&format!("project {key}"), &answer);
            let pipeline = format!("{key} main");
            world.pipeline(&pipeline, path, json!({"ref": "main", "status": "success"})).await;
            world.job(key, path, &pipeline, json!({}), Handing::Archive).await;
        }
        world
    }

    /// A new pipeline.
    pub(super) async fn pipeline(&mut self, key: &str, project: &str, pipeline: Value) {
        let target =
            format!("/ingest/v1/projects/{}/pipelines", encoded_segment(project.as_bytes()));
        let answer = self.ingest(project, &Method::POST, &target, &pipeline).await;
        self.note(key, &answer);
    }

    /// A new job, `build` unless `job` says otherwise, that hands in and ends, successfully unless
    /// `job` says otherwise; one that is to be `running` goes on.
    pub(super) async fn job(
        &mut self,
        key: &str,
        project: &str,
        pipeline: &str,
        job: Value,
        handing: Handing,
    ) {
        let Value::Object(mut job) = job else { panic!("{job} is no object") };
        let status = job.remove("status").unwrap_or_else(|| json!("success"));
        job.entry("name").or_insert_with(|| json!("build"));
        job.insert("pipeline_id".to_owned(), json!(self.id(pipeline)));
        job.insert("status".to_owned(), json!("running"));
        let base = format!("/ingest/v1/projects/{}/jobs", encoded_segment(project.as_bytes()));
        let answer = self.ingest(project, &Method::POST, &base, &Value::Object(job)).await;
        self.note(key, &answer);
        let token = answer["token"].as_str().expect("a running job has a token").to_owned();
        self.tokens.insert(format!("job {key}"), token.clone());
        let fields = match handing {
            Handing::Nothing => None,
            Handing::Archive => Some(vec![]),
            Handing::Expiring(time) => Some(vec![("expire_in", time)]),
        };
        if let Some(fields) = fields {
            let target = format!("/api/v4/jobs/{}/artifacts", self.id(key));
            let body = form(&fields, Some(("artifacts.zip", &archive(key))));
            let head = [("content-type", FORM_TYPE), ("job-token", &token)];
            let answer = self.client.send_body(&Method::POST, &target, &head, body).await;
            assert_eq!(answer.status, 201, "{key}: {:?}", answer.body);
            self.settle(project, key).await;
        }
        if status != "running" {
            let target = format!("{base}/{}", self.id(key));
            self.ingest(project, &Method::PUT, &target, &json!({"status": status})).await;
        }
    }

    /// Waits until an archive is verified: what is told of its files does not change any more. One
    /// that has expired, or is for nobody, is never told of.
    async fn settle(&mut self, project: &str, key: &str) {
        let by = if project.starts_with("acme/") { "owner" } else { "stranger" };
        let token = self.token(by).to_owned();
        let project = encoded_segment(project.as_bytes());
        let target = format!("/api/v4/projects/{project}/jobs/{}/artifacts/LICENSE", self.id(key));
        let started = Instant::now();
        loop {
            let answer = self.client.get_with(&target, &[("private-token", &token)]).await;
            let is_verified =
                answer.header("cache-control").is_some_and(|value| value.contains("immutable"));
            if is_verified || matches!(answer.status.as_u16(), 403 | 404) {
                return;
            }
            assert!(started.elapsed() < HANG, "{key} is never verified: {answer:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn ingest(
        &mut self,
        project: &str,
        method: &Method,
        target: &str,
        body: &Value,
    ) -> Value {
        let by = if project.starts_with("acme/") { "ingest" } else { "ingest of acmecorp" };
        let token = self.token(by).to_owned();
        let head = [("private-token", &*token), ("content-type", "application/json")];
        let body = Bytes::from(body.to_string());
        let answer: Answer = self.client.send_body(method, target, &head, body).await;
        assert!(answer.status.is_success(), "{target}: {} {:?}", answer.status, answer.body);
        answer.json()
    }

    fn note(&mut self, key: &str, answer: &Value) {
        let id = answer["id"].as_u64().unwrap_or_else(|| panic!("no id in {answer}"));
        let is_new = self.ids.insert(key.to_owned(), id).is_none();
        assert!(is_new, "{key} is there twice");
    }

    /// The number of a project, pipeline or job.
    pub(super) fn id(&self, key: &str) -> u64 {
        *self.ids.get(key).unwrap_or_else(|| panic!("there is no {key}"))
    }

    /// The text of a token.
    pub(super) fn token(&self, name: &str) -> &str {
        self.tokens.get(name).unwrap_or_else(|| panic!("there is no token {name}"))
    }

    /// What the server wrote of all the requests so far, and of what went wrong in them.
    pub(super) fn log(&self) -> String {
        self.server.process.log()
    }

    /// The name of a token whose text stands in `text`.
    pub(super) fn leaked(&self, text: &str) -> Option<&str> {
        let is_in = |token: &&String| !token.is_empty() && text.contains(&***token);
        self.tokens.iter().find(|(_, token)| is_in(token)).map(|(name, _)| &**name)
    }
}

fn create_token(data: &Path, name: &str, project: &str, role: &str, scope: &str) -> String {
    let data = data.to_str().expect("a temporary folder has a plain name");
    let made = ["token", "create", "--data", data, "--name", name, "--project", project];
    let ran = run(made.into_iter().chain(["--role", role, "--scope", scope])).exits(0);
    ran.text().trim().to_owned()
}

fn revoke_token(data: &Path, name: &str) {
    let data = data.to_str().expect("a temporary folder has a plain name");
    let tokens = run(["token", "list", "--data", data, "--json"]).exits(0).json();
    let tokens = tokens.as_array().expect("a list");
    let token = tokens.iter().find(|token| token["name"] == name).expect("it was created");
    run(["token", "revoke", &token["id"].to_string(), "--data", data]).exits(0);
}

/// Days are the shortest time that the command line knows.
async fn expired_token(data: &Path) -> String {
    let catalog = Catalog::open(data).await.expect("the folder that the tokens are in");
    let secret = TokenSecret::generate().expect("the system has randomness");
    let now = UtcMillis::now();
    let token = NewToken {
        digest: &secret.digest(),
        name: "expired",
        prefix: &"acme".parse().expect("a group"),
        role: Role::Owner,
        scopes: [Scope::Api].into_iter().collect(),
        expires_at: Some(UtcMillis(now.0 - 1000)),
        now: UtcMillis(now.0 - 2000),
    };
    catalog.create_token(&token).await.expect("a new token");
    catalog.close().await;
    secret.expose().to_owned()
}

/// The entity tag of a file in the [`archive`] of a job.
pub(super) fn file_tag(key: &str, entry: &str) -> String {
    let archive = crate::harness::sha256(&archive(key));
    format!("\"{}\"", crate::harness::sha256(format!("{archive}:{entry}").as_bytes()))
}

/// The entity tag of the [`archive`] of a job.
pub(super) fn archive_tag(key: &str) -> String {
    format!("\"{}\"", crate::harness::sha256(&archive(key)))
}

/// What can be written into a row without a world: rows are listed before one is made.
pub(super) fn long_path() -> &'static str {
    static LONG: OnceLock<String> = OnceLock::new();
    LONG.get_or_init(|| "x".repeat(4097))
}

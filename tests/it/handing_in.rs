//! Ways in over HTTP for tests of what is served then: tokens, the ingest routes, uploads; and an
//! archive that takes long to verify, so that a test can look before and after.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use entryway_testkit::builder::{Archive, Entry};
use entryway_testkit::fixtures::{crc32, deflate};
use serde_json::{Value, json};

use crate::client::{Client, RawAnswer, encoded_segment, raw};
use crate::harness::{HANG, Push, Ran, Scratch, Server, command};

/// Makes a token and gives its text.
#[track_caller]
pub(crate) fn token(data: &Path, project: &str, role: &str, scope: &str) -> String {
    let mut create = command();
    create.args(["token", "create", "--name", role, "--project", project, "--role", role]);
    create.args(["--scope", scope, "--data"]).arg(data);
    Ran::of(&mut create).exits(0).text().trim().to_owned()
}

/// Sends a request with a body on a connection of its own; `fields` are whole lines with their
/// ends.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    target: &str,
    fields: &str,
    body: &[u8],
) -> RawAnswer {
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    raw(address, &request)
}

/// The body of an answer as JSON.
#[track_caller]
pub(crate) fn json_of(answer: &RawAnswer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error} in {answer:?}"))
}

/// Sends a JSON object to an ingest route, which must take it.
#[track_caller]
pub(crate) fn announce(
    address: SocketAddr,
    token: &str,
    method: &str,
    target: &str,
    body: &Value,
) -> Value {
    let fields = format!("PRIVATE-TOKEN: {token}\r\nContent-Type: application/json\r\n");
    let answer = send(address, method, target, &fields, body.to_string().as_bytes());
    assert!(matches!(answer.status, 200 | 201), "{method} {target}: {answer:?}");
    json_of(&answer)
}

/// A job that runs, and its token.
#[derive(Clone, Debug)]
pub(crate) struct RunningJob {
    pub(crate) id: u64,
    pub(crate) token: String,
}

/// Announces a project, a successful pipeline of a ref, and a running job `build` in it.
#[track_caller]
pub(crate) fn running_job(
    address: SocketAddr,
    ingest: &str,
    project: &str,
    visibility: &str,
    ref_name: &str,
) -> RunningJob {
    let base = format!("/ingest/v1/projects/{}", encoded_segment(project.as_bytes()));
    announce(address, ingest, "PUT", &base, &json!({"visibility": visibility}));
    let pipeline = json!({"ref": ref_name, "status": "success"});
    let pipeline = announce(address, ingest, "POST", &format!("{base}/pipelines"), &pipeline);
    let pipeline_id = pipeline["id"].as_u64().expect("a pipeline has an id");
    let job = json!({"pipeline_id": pipeline_id, "name": "build", "status": "running"});
    let job = announce(address, ingest, "POST", &format!("{base}/jobs"), &job);
    let token = job["token"].as_str().expect("a running job has a token").to_owned();
    RunningJob { id: job["id"].as_u64().expect("a job has an id"), token }
}

/// Hands a file in for a job (endpoint U); `credential` is a header field, `parameters` are form
/// fields.
pub(crate) fn upload(
    address: SocketAddr,
    job_id: u64,
    credential: &str,
    parameters: &[(&str, &str)],
    file: &[u8],
) -> RawAnswer {
    const BOUNDARY: &str = "a-boundary-that-is-in-no-file";
    let mut body = Vec::new();
    for (name, value) in parameters {
        let part = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\
         Content-Type: application/zip\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let fields =
        format!("{credential}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n");
    send(address, "POST", &format!("/api/v4/jobs/{job_id}/artifacts"), &fields, &body)
}

/// Hands an archive in with the job's own token, and it must be taken.
#[track_caller]
pub(crate) fn upload_archive(address: SocketAddr, job: &RunningJob, file: &[u8]) {
    let credential = format!("JOB-TOKEN: {}", job.token);
    let answer = upload(address, job.id, &credential, &[], file);
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// Entries and, behind them in the archive, content that takes a second or so to decode.
pub(crate) fn slow_to_verify(entries: impl IntoIterator<Item = Entry>) -> Vec<u8> {
    const LEN: usize = 60 << 20;
    let zeros = vec![0; LEN];
    let (data, crc) = (deflate(6, &zeros), crc32(&zeros));
    let slow = (0..12).map(|n| Entry::raw(format!("slow/{n}"), 8, &*data, crc, LEN as u64));
    Archive::new().entries(entries).entries(slow).build()
}

/// Whether an archive is verified, as the answer for one of its files by job id says.
pub(crate) async fn is_verified(client: &mut Client, file: &str, token: &str) -> bool {
    let answer = client.get_with(file, &[("private-token", token)]).await;
    assert_eq!(answer.status, 200, "{file}: {:?}", answer.body);
    answer.expect_header("cache-control").contains("immutable")
}

/// Waits until an archive is verified.
pub(crate) async fn until_verified(client: &mut Client, file: &str, token: &str) {
    let started = Instant::now();
    while !is_verified(client, file, token).await {
        assert!(started.elapsed() < HANG, "{file} never is verified");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// A row: its name, the request's fields, the status of the answer.
pub(crate) type Asking<'a> = (&'static str, &'a [(&'a str, &'a str)], u16);

/// A server with one archive in group/app, its job's number, and what lies round them: ref `main`,
/// job `build`, public.
pub(crate) fn served(archive: impl AsRef<[u8]>) -> (Server, u64, Scratch) {
    let scratch = Scratch::new();
    let archive = scratch.file("archive.zip", archive);
    let job_id = Push::public().store_in(&scratch.data(), &archive).job_id;
    (Server::start(&scratch.data()), job_id, scratch)
}

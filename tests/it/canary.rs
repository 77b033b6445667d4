//! No token is told to anyone: every endpoint is asked with tokens in every place where a client
//! may put one, and then nothing that the server said has one in it.

use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, Protocol};
use crate::handing_in::{running_job, send, token, upload, upload_archive};
use crate::harness::{Ran, Running, Scratch, Server, command};
use entryway_testkit::builder::{Archive, Entry};

/// A token, and whether it has the form of ours, which is known for one wherever it stands.
struct Canary {
    text: String,
    is_ours: bool,
}

impl Canary {
    /// What nobody but its owner knows of it.
    fn secret(&self) -> &str {
        self.text.split_once(['_', '-']).map_or(&self.text, |(_, secret)| secret)
    }
}

/// Fails where a text has one of the tokens in it.
#[track_caller]
fn assert_silent(what: &str, text: &str, canaries: &[Canary]) {
    for canary in canaries {
        if let Some(at) = text.find(canary.secret()) {
            let front = text[..at].rfind('\n').map_or(0, |at| at + 1);
            let line: String = text[front..].chars().take(400).collect();
            panic!("{what} has {}: {line}", canary.text);
        }
    }
}

/// Ways to present a token: what follows in the query, and header fields.
fn placements(canary: &Canary) -> Vec<(String, Vec<(&'static str, String)>)> {
    let text = &canary.text;
    let field = |name, value: String| (String::new(), vec![(name, value)]);
    let query = |query: String| (query, vec![]);
    let mut places = vec![
        field("private-token", text.clone()),
        field("job-token", text.clone()),
        field("authorization", format!("Bearer {text}")),
        field("authorization", format!("Basic {text}")),
        field("authorization", text.clone()),
        field("x-gitlab-token", text.clone()),
        field("cookie", format!("token={text}")),
        field("if-none-match", format!("\"{text}\"")),
        query(format!("private_token={text}")),
        query(format!("job_token={text}")),
        query(format!("%70rivate_token={text}")),
        query(format!("private%5Ftoken={text}&per_page=1")),
        query(format!("access_token={text}&token={text}")),
        query(format!("private_token={text}&private_token={text}")),
        query(format!("%ff_token={text}")),
        query(format!("private_token={text}%ff")),
        (format!("private_token={text}"), vec![("private-token", format!("{text}x"))]),
    ];
    if canary.is_ours {
        places.push(query(text.clone()));
        places.push(query(format!("{text}=1")));
        places.push((format!("per_page=1&x={text}"), vec![("private-token", text.clone())]));
        places.push((format!("path={text}"), vec![("private-token", text.clone())]));
        places.push((format!("path[]={text}"), vec![("private-token", text.clone())]));
        places.push((format!("recursive={text}"), vec![("private-token", text.clone())]));
    }
    places
}

/// Bodies of the ingest routes and of the hook, good and bad, with tokens in them.
fn announce_with(server: &Server, canary: &Canary, canaries: &[Canary]) {
    let text = &canary.text;
    let bodies = [
        json!({"visibility": "private"}),
        json!({"token": text}),
        json!({text.as_str(): 1}),
        json!({"visibility": text}),
        json!({"ref": "main", "status": text}),
        json!({"pipeline_id": text, "name": "build", "status": "running"}),
        json!({"object_kind": text}),
        json!({"object_kind": "build", "build_id": 7, "project": {"token": text}}),
    ];
    let targets = [
        ("PUT", "/ingest/v1/projects/group%2Fnew".to_owned()),
        ("POST", "/ingest/v1/projects/group%2Fapp/pipelines".to_owned()),
        ("PUT", "/ingest/v1/projects/group%2Fapp/pipelines/1".to_owned()),
        ("POST", "/ingest/v1/projects/group%2Fapp/jobs".to_owned()),
        ("PUT", "/ingest/v1/projects/group%2Fapp/jobs/999999".to_owned()),
        ("POST", "/hooks/gitlab".to_owned()),
        ("POST", format!("/hooks/gitlab?private_token={text}")),
        ("PUT", format!("/ingest/v1/projects/group%2Fapp?job_token={text}")),
    ];
    let fields = [
        format!("PRIVATE-TOKEN: {text}\r\n"),
        format!("X-Gitlab-Token: {text}\r\nX-Gitlab-Event: Job Hook\r\n"),
        format!("Authorization: Bearer {text}\r\n"),
    ];
    for (method, target) in &targets {
        for fields in &fields {
            let fields = format!("{fields}Content-Type: application/json\r\n");
            let bodies = bodies.iter().map(Value::to_string);
            for body in bodies.chain([format!("{{\"token\": \"{text}"), text.clone()]) {
                let answer = send(server.address, method, target, &fields, body.as_bytes());
                assert!(answer.status < 500, "{method} {target}: {answer:?}");
                if answer.status >= 400 {
                    let what = format!("the answer of {method} {target}");
                    assert_silent(&what, &answer.head, canaries);
                    assert_silent(&what, &String::from_utf8_lossy(&answer.body), canaries);
                }
            }
        }
    }
}

/// Runs everything against a server that logs everything.
async fn run_all(log_format: &str, protocol: Protocol) {
    let scratch = Scratch::new();
    let data = scratch.data();
    let mut serve = command();
    serve.env("ENTRYWAY_LOG", "trace").arg("serve").arg("--data").arg(&data);
    serve.args(["--listen", "127.0.0.1:0", "--access-log", "--log-format", log_format]);
    let process = Running::start(&mut serve);
    let address = process.line_after("listening on http://").trim().parse().expect("an address");
    let server = Server { address, process };

    let owner = token(&data, "group", "owner", "api,ingest");
    let revoked = token(&data, "group", "owner", "api,ingest");
    Ran::of(command().args(["token", "revoke", "2", "--data"]).arg(&data)).exits(0);
    let job = running_job(address, &owner, "group/app", "private", "main");
    let files = (0..3).map(|n| Entry::stored(format!("{n}.txt"), "x"));
    upload_archive(address, &job, &Archive::new().entries(files).build());
    let open = running_job(address, &owner, "group/app", "private", "open");
    let ours = |text: String| Canary { text, is_ours: true };
    let canaries = [
        ours(owner),
        ours(revoked),
        ours(open.token.clone()),
        ours(job.token.clone()),
        ours("ewt_unknownunknownunknownunknownunknownunkn".to_owned()),
        Canary { text: "glpat-canarycanarycanary".to_owned(), is_ours: false },
    ];

    let base = format!("/api/v4/projects/group%2Fapp/jobs/{}/artifacts", job.id);
    let by_name = "/api/v4/projects/group%2Fapp/jobs/artifacts/main";
    let reads = [
        base.clone(),
        format!("{base}/0.txt"),
        format!("{base}/none.txt"),
        format!("{base}/tree"),
        format!("{by_name}/download?job=build"),
        format!("{by_name}/raw/0.txt?job=build"),
        format!("{by_name}/tree?job=build"),
        format!("{by_name}/tree"),
        format!("/api/v4/jobs/{}/artifacts", job.id),
        "/api/v4/user".to_owned(),
        "/-/health".to_owned(),
        "/-/ready".to_owned(),
        "/-/metrics".to_owned(),
        "/-/openapi.json".to_owned(),
        "/nothing".to_owned(),
    ];
    let changes = [
        (Method::POST, format!("{base}/keep")),
        (Method::POST, format!("/api/v4/jobs/{}/artifacts", open.id)),
        (Method::DELETE, "/api/v4/projects/group%2Fnone/artifacts".to_owned()),
        (Method::PUT, "/ingest/v1/projects/group%2Fapp".to_owned()),
        (Method::PATCH, base.clone()),
        (Method::OPTIONS, base.clone()),
    ];
    let mut links = 0;
    let mut client = Client::new(address, protocol);
    for canary in &canaries {
        let mut requests = Vec::new();
        for (query, fields) in placements(canary) {
            let heads = reads.iter().map(|target| (Method::GET, target.clone()));
            for (method, target) in heads.chain(changes.iter().cloned()) {
                let and = if target.contains('?') { '&' } else { '?' };
                requests.push((method, format!("{target}{and}{query}"), fields.clone()));
            }
        }
        if canary.is_ours {
            let text = &canary.text;
            for target in [
                format!("/{text}"),
                format!("{base}/{text}"),
                format!("/api/v4/projects/{text}/jobs/1/artifacts"),
                format!("/api/v4/projects/group%2F{text}/jobs/1/artifacts"),
                format!("/api/v4/projects/1/jobs/{text}/artifacts"),
                format!("/api/v4/projects/1/jobs/artifacts/{text}/raw/{text}?job={text}"),
                format!("/ingest/v1/projects/{text}"),
            ] {
                let fields = vec![("private-token", text.clone())];
                requests.push((Method::GET, target.clone(), fields.clone()));
                requests.push((Method::PUT, target, fields));
            }
        }
        for (method, target, fields) in requests {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = client.send(&method, &target, &fields).await;
            let what = format!("the answer of {method} {target} {fields:?}");
            assert!(answer.status.as_u16() < 500, "{what}: {:?}", answer.body);
            for (name, value) in &answer.headers {
                links += u32::from(name == "link");
                assert_silent(&what, &String::from_utf8_lossy(value.as_bytes()), &canaries);
            }
            // A token's owner is answered with no token either, here.
            assert_silent(&what, &String::from_utf8_lossy(answer.bytes()), &canaries);
        }
    }
    assert!(links > 0, "no listing was got: the canary has not sung");

    for canary in &canaries {
        announce_with(&server, canary, &canaries);
        let credentials = ["JOB-TOKEN", "PRIVATE-TOKEN", "X-Gitlab-Token"];
        for credential in credentials {
            let credential = format!("{credential}: {}", canary.text);
            for parameters in [
                [("token", canary.text.as_str()), ("job_token", &canary.text)],
                [("private_token", &canary.text), ("expire_in", &canary.text)],
                [("artifact_type", &canary.text), ("artifact_format", "zip")],
            ] {
                let answer = upload(address, open.id, &credential, &parameters, b"no archive");
                assert!(matches!(answer.status, 400..=499), "{answer:?}");
                assert_silent("an upload's answer", &answer.head, &canaries);
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                assert_silent("an upload's answer", &body, &canaries);
            }
        }
    }
    let mut client = Client::http1(address);
    let metrics = client.get("/-/metrics").await;
    assert_silent("a metric", &String::from_utf8_lossy(metrics.bytes()), &canaries);

    // Wherever the program logs: both of its outputs.
    let mut process = server.process;
    process.terminate();
    assert!(process.wait().success());
    let mut log = process.log();
    while let Some(line) = process.line(std::time::Duration::from_millis(50)) {
        log.push_str(&line);
        log.push('\n');
    }
    // Of what is linked in, HTTP/2 alone has so much to say.
    if protocol == Protocol::Http2 {
        assert!(log.contains("TRACE"), "it logs all that there is");
    }
    assert!(log.contains("0.txt") && log.contains("[redacted]"), "requests are logged");
    assert_silent("the log", &log, &canaries);
}

#[tokio::test]
async fn no_token_is_in_a_log_for_people_an_error_a_metric_or_a_link() {
    run_all("text", Protocol::Http1).await;
}

#[tokio::test]
async fn no_token_is_in_a_log_of_json_an_error_a_metric_or_a_link() {
    run_all("json", Protocol::Http2).await;
}

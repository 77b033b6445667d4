//! Pushes to a server that answers from a script and notes what it is asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use clap::Parser;
use entryway_testkit::builder::{Archive as Zip, Entry};

use super::client::TokenText;
use super::*;

const TOKEN: &str = "ewt_ownersown";
const JOB_TOKEN: &str = "ewt_jobsown";

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    push: Arguments,
}

/// What a server was asked.
#[derive(Debug)]
struct Asked {
    /// Method and target.
    line: String,
    /// Fields, their names in lower case.
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Method, target, and a body of JSON.
    fn shown(&self) -> String {
        let body = if self.line.ends_with("/artifacts") {
            "FORM".into()
        } else {
            String::from_utf8_lossy(&self.body)
        };
        let new = if self.field("if-none-match") == Some("*") { " new" } else { "" };
        format!("{}{new} {body}", self.line)
    }
}

/// Answers one request after the other with these, each on its own connection, then stops.
fn server(answers: &[(u16, &str)]) -> (SocketAddr, Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Vec<(u16, String)> =
        answers.iter().map(|&(status, body)| (status, body.to_owned())).collect();
    let (note, asked) = channel();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (stream, _) = listener.accept().unwrap();
            // A client that gave up is what some of the tests are about.
            let _ = answer(stream, status, &body, &note);
        }
    });
    (address, asked)
}

fn answer(
    mut stream: TcpStream,
    status: u16,
    body: &str,
    note: &Sender<Asked>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut fields = Vec::new();
    loop {
        let mut field = String::new();
        reader.read_line(&mut field)?;
        let Some((name, value)) = field.trim_end().split_once(": ") else { break };
        fields.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut asked = Asked { line, fields, body: Vec::new() };
    let goes_on = asked.field("expect") == Some("100-continue") && status < 300;
    if goes_on {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if goes_on || asked.field("expect").is_none() {
        let len = asked.field("content-length").map_or(0, |len| len.parse().unwrap());
        asked.body = vec![0; len];
        reader.read_exact(&mut asked.body)?;
    }
    // Before the answer: the client may be done with it, and the test with the client, at once.
    note.send(asked).unwrap();
    let len = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {len}\r\nLocation: http://127.0.0.1:1/\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// A folder with an archive, its token beside it.
struct Scratch {
    folder: tempfile::TempDir,
    archive: PathBuf,
    bytes: Vec<u8>,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("dist \"1\".zip");
        let bytes = Zip::new().entry(Entry::stored("a.txt", "some content")).build();
        std::fs::write(&archive, &bytes).unwrap();
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        Self { folder, archive, bytes }
    }

    fn arguments(&self, server: SocketAddr, more: &[&str]) -> Arguments {
        let token_file = self.folder.path().join("token");
        let server = format!("http://{server}/");
        let mut words = vec!["push", self.archive.to_str().unwrap(), "--server", &server];
        words.extend(["--token-file", token_file.to_str().unwrap()]);
        words.extend(more);
        CommandLine::try_parse_from(words).unwrap().push
    }

    /// Pushes; what came of it, and what the server was asked.
    fn push(
        &self,
        answers: &[(u16, &str)],
        more: &[&str],
    ) -> (Result<Handed, CliError>, Vec<Asked>) {
        let (address, asked) = server(answers);
        let outcome = hand_in(&self.arguments(address, more), &mut |_, _, _| {});
        (outcome, asked.try_iter().collect())
    }
}

const PLACE: [&str; 6] = ["--project", "group/app", "--ref", "main", "--job", "build"];

const MADE: (u16, &str) = (200, r#"{"id":7,"path":"group/app","visibility":"private"}"#);
const PIPELINE: (u16, &str) = (201, r#"{"id":10,"ref":"main"}"#);
const JOB: (u16, &str) = (201, r#"{"id":100,"token":"ewt_jobsown"}"#);
const OVER: (u16, &str) = (200, r#"{"id":100,"token":null}"#);
const STORED: (u16, &str) = (201, "{}");
const EXISTS: (u16, &str) = (412, r#"{"message":"412 Precondition Failed"}"#);

fn shown(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(Asked::shown).collect()
}

fn failed(outcome: Result<Handed, CliError>) -> (String, String) {
    let error = outcome.map(|handed| handed.job_id).unwrap_err();
    (error.to_string(), format!("{:?}", error.exit_code()))
}

fn code(code: u8) -> String {
    format!("{:?}", ExitCode::from(code))
}

#[test]
fn a_push_announces_uploads_and_ends_what_it_began() {
    let scratch = Scratch::new();
    let more = [&PLACE[..], &["--expire-in", "30 days"]].concat();
    let (outcome, asked) = scratch.push(&[MADE, PIPELINE, JOB, STORED, OVER, PIPELINE], &more);
    let handed = outcome.unwrap();
    assert_eq!((handed.project_id, handed.pipeline_id, handed.job_id), (Some(7), Some(10), 100));
    assert_eq!(handed.len, scratch.bytes.len() as u64);
    assert_eq!(
        shown(&asked),
        [
            r#"PUT /ingest/v1/projects/group%2Fapp new {"visibility":"private"}"#,
            r#"POST /ingest/v1/projects/group%2Fapp/pipelines {"ref":"main","status":"running"}"#,
            concat!(
                r#"POST /ingest/v1/projects/group%2Fapp/jobs "#,
                r#"{"name":"build","pipeline_id":10,"status":"running"}"#
            ),
            "POST /api/v4/jobs/100/artifacts FORM",
            r#"PUT /ingest/v1/projects/group%2Fapp/jobs/100 {"status":"success"}"#,
            r#"PUT /ingest/v1/projects/group%2Fapp/pipelines/10 {"status":"success"}"#,
        ]
    );
    for request in &asked {
        let is_upload = request.line.ends_with("/artifacts");
        let tokens = if is_upload { (None, Some(JOB_TOKEN)) } else { (Some(TOKEN), None) };
        assert_eq!((request.field("private-token"), request.field("job-token")), tokens);
        assert_eq!(request.field("transfer-encoding"), None);
    }

    let form = &asked[3];
    let boundary = handed.sha256.to_string();
    assert!(boundary.len() <= 70);
    let content_type = format!("multipart/form-data; boundary={boundary}");
    assert_eq!(form.field("content-type"), Some(content_type.as_str()));
    let mut expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"expire_in\"\r\n\r\n30 days\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"dist %221%22.zip\"\r\nContent-Type: application/zip\r\n\r\n"
    )
    .into_bytes();
    expected.extend(&scratch.bytes);
    expected.extend(format!("\r\n--{boundary}--\r\n").bytes());
    assert_eq!(form.body, expected);
}

#[test]
fn a_known_project_keeps_its_visibility() {
    let scratch = Scratch::new();
    let rest = [PIPELINE, JOB, STORED, OVER, PIPELINE];
    for visibility in [&[][..], &["--visibility", "private"]] {
        let answers = [&[EXISTS, MADE], &rest[..]].concat();
        let (outcome, asked) = scratch.push(&answers, &[&PLACE[..], visibility].concat());
        assert_eq!(outcome.unwrap().project_id, Some(7));
        assert_eq!(shown(&asked)[1], "PUT /ingest/v1/projects/group%2Fapp {}");
    }
    let more = [&PLACE[..], &["--visibility", "public"]].concat();
    let (outcome, asked) = scratch.push(&[EXISTS, MADE], &more);
    let expected = "the project is private, not public; a push does not change its visibility";
    assert_eq!(failed(outcome), (expected.into(), code(2)));
    assert_eq!(asked[0].body, br#"{"visibility":"public"}"#);
    assert_eq!(asked.len(), 2);
}

#[test]
fn a_known_pipeline_keeps_its_ref_and_its_state() {
    let scratch = Scratch::new();
    let more = [&PLACE[..], &["--pipeline", "10"]].concat();
    let (outcome, asked) = scratch.push(&[MADE, EXISTS, PIPELINE, JOB, STORED, OVER], &more);
    assert_eq!(outcome.unwrap().pipeline_id, Some(10));
    let path = "PUT /ingest/v1/projects/group%2Fapp/pipelines/10";
    assert_eq!(shown(&asked)[1], format!(r#"{path} new {{"ref":"main","status":"running"}}"#));
    assert_eq!(shown(&asked)[2], format!("{path} {{}}"));
    assert_eq!(asked.len(), 6);

    let other = (200, r#"{"id":10,"ref":"dev"}"#);
    let (outcome, asked) = scratch.push(&[MADE, EXISTS, other], &more);
    assert_eq!(failed(outcome), ("pipeline 10 is one of another ref".into(), code(2)));
    assert_eq!(asked.len(), 3);

    let with_status = [&more[..], &["--status", "failed"]].concat();
    let answers = [MADE, EXISTS, PIPELINE, JOB, STORED, OVER, PIPELINE];
    let (outcome, asked) = scratch.push(&answers, &with_status);
    outcome.unwrap();
    assert!(shown(&asked)[5].ends_with(r#"/jobs/100 {"status":"failed"}"#));
    assert_eq!(shown(&asked)[6], format!(r#"{path} {{"status":"failed"}}"#));

    let (outcome, asked) = scratch.push(&[MADE, PIPELINE, JOB, STORED, OVER, PIPELINE], &more);
    outcome.unwrap();
    assert_eq!(shown(&asked)[5], format!(r#"{path} {{"status":"success"}}"#));
}

#[test]
fn a_known_job_is_handed_in_for_with_the_token_of_the_push() {
    let scratch = Scratch::new();
    let (outcome, asked) = scratch.push(&[STORED], &["--job-id", "4711"]);
    let handed = outcome.unwrap();
    assert_eq!((handed.project_id, handed.pipeline_id, handed.job_id), (None, None, 4711));
    assert_eq!(shown(&asked), ["POST /api/v4/jobs/4711/artifacts FORM"]);
    assert_eq!(asked[0].field("private-token"), Some(TOKEN));
    assert_eq!(asked[0].field("job-token"), None);
}

#[test]
fn a_push_that_is_refused_ends_what_it_began_as_failed() {
    let scratch = Scratch::new();
    let refusal = (
        400,
        concat!(
            r#"{"message":"400 Bad request - two \u001b[31mentries ewt_0123 overlap","#,
            r#""reason":"overlap","advice":"Make it again."}"#
        ),
    );
    let (outcome, asked) = scratch.push(&[MADE, PIPELINE, JOB, refusal, OVER, PIPELINE], &PLACE);
    let (text, exit) = failed(outcome);
    let end = concat!(
        "/api/v4/jobs/100/artifacts answered 400 Bad Request: ",
        "overlap (two \\u{1b}[31mentries [redacted] overlap)"
    );
    assert!(text.starts_with("cannot hand the archive in: http://127.0.0.1:"), "{text}");
    assert!(text.ends_with(end), "{text}");
    assert_eq!(exit, code(1));
    // What is refused before it is sent is not sent.
    assert_eq!(asked[3].body, b"");
    assert!(shown(&asked)[4].ends_with(r#"/jobs/100 {"status":"failed"}"#));
    assert!(shown(&asked)[5].ends_with(r#"/pipelines/10 {"status":"failed"}"#));

    let conflict = (409, r#"{"message":"409 Conflict - the id belongs to another project"}"#);
    let (outcome, asked) = scratch.push(&[MADE, PIPELINE, conflict, PIPELINE], &PLACE);
    let (text, exit) = failed(outcome);
    assert!(text.starts_with("cannot announce the job: "), "{text}");
    assert_eq!((exit, asked.len()), (code(2), 4));
    assert!(shown(&asked)[3].ends_with(r#"/pipelines/10 {"status":"failed"}"#));

    // A pipeline of others is theirs.
    let more = [&PLACE[..], &["--pipeline", "10"]].concat();
    let (outcome, asked) = scratch.push(&[MADE, EXISTS, PIPELINE, conflict], &more);
    assert_eq!((failed(outcome).1, asked.len()), (code(2), 4));

    for status in [401, 403, 404, 500] {
        let (outcome, asked) = scratch.push(&[(status, "<html>")], &PLACE);
        assert_eq!((failed(outcome).1, asked.len()), (code(1), 1), "{status}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let scratch = Scratch::new();
    for status in [301, 302, 307, 308] {
        let (outcome, asked) = scratch.push(&[(status, "")], &PLACE);
        let (text, exit) = failed(outcome);
        assert!(text.ends_with(": a redirect, which is not followed"), "{text}");
        assert_eq!((exit, asked.len()), (code(1), 1), "{status}");
    }
}

#[test]
fn an_answer_without_what_the_contract_says_is_an_error() {
    let scratch = Scratch::new();
    let (outcome, _) = scratch.push(&[(200, "<html>hello</html>")], &PLACE);
    let (text, exit) = failed(outcome);
    assert!(text.ends_with("did not answer with id; is it a server of Entryway?"), "{text}");
    assert_eq!(exit, code(1));
    let (outcome, asked) = scratch.push(&[MADE, PIPELINE, OVER, PIPELINE], &PLACE);
    assert!(failed(outcome).0.contains("did not answer with token"));
    assert!(shown(&asked)[3].ends_with(r#"/pipelines/10 {"status":"failed"}"#));

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = hand_in(&scratch.arguments(nobody, &PLACE), &mut |_, _, _| {});
    let (text, exit) = failed(outcome);
    assert!(text.starts_with("cannot announce the project: http://127.0.0.1:"), "{text}");
    assert_eq!(exit, code(1));
}

#[test]
fn what_is_no_archive_is_announced_to_nobody() {
    let scratch = Scratch::new();
    std::fs::write(&scratch.archive, "just text").unwrap();
    let (outcome, asked) = scratch.push(&[], &PLACE);
    assert_eq!((failed(outcome).1, asked.len()), (code(4), 0));
}

#[test]
fn the_words_of_the_command_line_have_to_fit_together() {
    let parse = |words: &[&str]| {
        let words = [&["push", "x.zip"], words].concat();
        CommandLine::try_parse_from(words).is_ok()
    };
    let place = |words: &[&'static str]| [&PLACE[..], words].concat();
    let table: [(&str, Vec<&str>, bool); 19] = [
        ("a folder", place(&["--data", "d"]), true),
        ("a server", place(&["--server", "https://h"]), true),
        ("both", place(&["--data", "d", "--server", "https://h"]), false),
        ("neither", place(&[]), false),
        ("no project", vec!["--server", "https://h", "--ref", "m", "--job", "j"], false),
        ("a known job", vec!["--server", "https://h", "--job-id", "1"], true),
        ("a known job of a folder", vec!["--data", "d", "--job-id", "1"], false),
        (
            "a state of a known job",
            vec!["--server", "https://h", "--job-id", "1", "--status", "failed"],
            false,
        ),
        ("a token for a folder", place(&["--data", "d", "--token-file", "t"]), false),
        ("a time", place(&["--server", "https://h", "--expire-in", "1 week 2 hours"]), true),
        ("a time that is none", place(&["--server", "https://h", "--expire-in", "soon"]), false),
        ("a time in a folder", place(&["--data", "d", "--expire-in", "30 days"]), true),
        ("no time in a folder", place(&["--data", "d", "--expire-in", "soon"]), false),
        ("a time that says nothing", place(&["--data", "d", "--expire-in", " "]), false),
        ("a state that is none", place(&["--data", "d", "--status", "pending"]), false),
        ("no scheme", place(&["--server", "h"]), false),
        ("another scheme", place(&["--server", "ftp://h"]), false),
        ("a password", place(&["--server", "https://u:p@h"]), false),
        ("a query", place(&["--server", "https://h/?a"]), false),
    ];
    for (name, words, good) in table {
        assert_eq!(parse(&words), good, "{name}");
    }
}

#[test]
fn a_token_is_one_line_of_visible_characters() {
    let scratch = Scratch::new();
    let file = scratch.folder.path().join("other");
    let find = |text: &str| {
        std::fs::write(&file, text).unwrap();
        TokenText::find(Some(Path::new(&file))).is_ok()
    };
    assert!(find("ewt_x") && find("glpat-x\n") && find(" ewt_x\r\n"));
    assert!(!find("") && !find("\n") && !find("a b") && !find("a\nb") && !find("\u{e9}"));
    assert!(find(&"x".repeat(4096)) && !find(&"x".repeat(4097)));
    assert!(TokenText::find(Some(Path::new("/nowhere/token"))).is_err());
}

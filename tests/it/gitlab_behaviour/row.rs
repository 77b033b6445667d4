//! One row: a request, what is answered, and how things stand afterwards.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::world::{FORM_TYPE, World, archive, archive_tag, file_tag, form};
use crate::client::Answer;
use crate::harness::sha256;

/// With which credential a request is made; the names are those of the world's tokens.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    Nobody,
    /// `PRIVATE-TOKEN`.
    Private(&'static str),
    /// `private_token=`.
    PrivateParameter(&'static str),
    /// `Authorization: Bearer`.
    Bearer(&'static str),
    /// `JOB-TOKEN`.
    Job(&'static str),
    /// `job_token=`.
    JobParameter(&'static str),
    /// `X-Gitlab-Token`.
    Hook(&'static str),
}

/// The body of a request.
enum Content {
    Bytes(Bytes),
    Json(Value),
}

/// One thing that must hold of an answer.
enum Check {
    /// The body is this.
    Bytes(Vec<u8>),
    /// The body is this JSON, no member more.
    Json(Value),
    /// A member of the JSON body, by its pointer (RFC 6901). `{KEY}` is the number of that key.
    Member(&'static str, Value),
    /// A member of the JSON body is a string, not empty, that begins so.
    MemberBegins(&'static str, &'static str),
    /// A header has this value.
    Header(&'static str, String),
    /// A header begins so.
    HeaderBegins(&'static str, &'static str),
}

/// A behaviour.
///
/// Targets without a leading slash are below `/api/v4/`, and `{KEY}` in them is the number of the
/// job, pipeline or project of that key.
pub(super) struct Row {
    pub(super) name: &'static str,
    method: Method,
    target: String,
    by: By,
    fields: Vec<(&'static str, String)>,
    body: Content,
    status: u16,
    checks: Vec<Check>,
    /// A target, what it is asked with, and what it has to answer.
    afterwards: Vec<(String, By, Result<String, u16>)>,
}

pub(super) fn get(name: &'static str, target: impl Into<String>) -> Row {
    send(Method::GET, name, target)
}

pub(super) fn head(name: &'static str, target: impl Into<String>) -> Row {
    send(Method::HEAD, name, target).bytes("")
}

pub(super) fn post(name: &'static str, target: impl Into<String>) -> Row {
    send(Method::POST, name, target)
}

pub(super) fn put(name: &'static str, target: impl Into<String>) -> Row {
    send(Method::PUT, name, target)
}

pub(super) fn delete(name: &'static str, target: impl Into<String>) -> Row {
    send(Method::DELETE, name, target)
}

pub(super) fn send(method: Method, name: &'static str, target: impl Into<String>) -> Row {
    Row {
        name,
        method,
        target: target.into(),
        by: By::Nobody,
        fields: Vec::new(),
        body: Content::Bytes(Bytes::new()),
        status: 200,
        checks: Vec::new(),
        afterwards: Vec::new(),
    }
}

/// The request.
impl Row {
    pub(super) fn by(mut self, by: By) -> Self {
        self.by = by;
        self
    }

    /// With a PRIVATE-TOKEN, as most rows that need one.
    pub(super) fn of(self, token: &'static str) -> Self {
        self.by(By::Private(token))
    }

    pub(super) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// With a body of JSON, in which texts `{KEY}` are the numbers of their keys.
    pub(super) fn json(mut self, body: &Value) -> Self {
        self.body = Content::Json(body.clone());
        self.field("content-type", "application/json")
    }

    /// The archive of a key, in the form of a runner.
    pub(super) fn upload(self, key: &str) -> Self {
        self.form(&[], Some(("artifacts.zip", &archive(key))))
    }

    pub(super) fn form(self, fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> Self {
        let body = Content::Bytes(form(fields, file));
        Self { body, ..self }.field("content-type", FORM_TYPE)
    }

    pub(super) fn body(mut self, body: &'static str) -> Self {
        self.body = Content::Bytes(body.into());
        self
    }
}

/// The answer.
impl Row {
    pub(super) fn is(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// This text with status 200.
    pub(super) fn says(self, text: &str) -> Self {
        self.bytes(text)
    }

    pub(super) fn bytes(self, bytes: impl AsRef<[u8]>) -> Self {
        self.check(Check::Bytes(bytes.as_ref().to_vec()))
    }

    /// The whole archive of a key, with its headers.
    pub(super) fn gives(self, key: &str) -> Self {
        self.bytes(archive(key))
            .has("etag", archive_tag(key))
            .has("content-type", "application/octet-stream")
            .has("accept-ranges", "bytes")
            .has("content-length", archive(key).len().to_string())
            .begins("content-disposition", "attachment; filename=\"artifacts.zip\"")
    }

    /// The file `who.txt` of a key, with its headers.
    pub(super) fn gives_who(self, key: &str) -> Self {
        self.says(key)
            .has("etag", file_tag(key, "who.txt"))
            .has("content-type", "text/plain; charset=utf-8")
            .has("accept-ranges", "bytes")
            .has("vary", "Accept-Encoding")
            .has("content-length", key.len().to_string())
    }

    pub(super) fn has(self, header: &'static str, value: impl Into<String>) -> Self {
        self.check(Check::Header(header, value.into()))
    }

    pub(super) fn begins(self, header: &'static str, value: &'static str) -> Self {
        self.check(Check::HeaderBegins(header, value))
    }

    pub(super) fn tells(self, status: u16, body: Value) -> Self {
        self.is(status).check(Check::Json(body))
    }

    pub(super) fn member(self, pointer: &'static str, value: impl Into<Value>) -> Self {
        self.check(Check::Member(pointer, value.into()))
    }

    pub(super) fn member_begins(self, pointer: &'static str, text: &'static str) -> Self {
        self.check(Check::MemberBegins(pointer, text))
    }

    fn message(self, status: u16, message: &str) -> Self {
        self.tells(status, json!({ "message": message }))
    }

    pub(super) fn error(self, status: u16, error: &str) -> Self {
        self.tells(status, json!({ "error": error }))
    }

    pub(super) fn unauthorized(self) -> Self {
        self.message(401, "401 Unauthorized")
    }

    pub(super) fn forbidden(self) -> Self {
        self.is(403).member_begins("/message", "403 Forbidden")
    }

    pub(super) fn insufficient_scope(self) -> Self {
        self.is(403).member("/error", "insufficient_scope")
    }

    pub(super) fn no_project(self) -> Self {
        self.message(404, "404 Project Not Found")
    }

    /// No such job, or none for the ref.
    pub(super) fn no_job(self) -> Self {
        self.message(404, "404 Not found")
    }

    /// No archive, or none any more.
    pub(super) fn no_archive(self) -> Self {
        self.message(404, "404 Not Found")
    }

    pub(super) fn no_file(self) -> Self {
        self.message(404, "404 File Not Found")
    }

    /// 400 for the path of a file, or for an upload.
    pub(super) fn bad(self) -> Self {
        self.is(400).member_begins("/message", "400 Bad request - ")
    }
}

/// Afterwards, as the owner of the group sees it.
impl Row {
    /// A target answers with this status.
    pub(super) fn then(mut self, target: impl Into<String>, status: u16) -> Self {
        self.afterwards.push((target.into(), By::Private("owner"), Err(status)));
        self
    }

    /// A target answers 200 with this text.
    pub(super) fn then_says(mut self, target: impl Into<String>, text: &str) -> Self {
        self.afterwards.push((target.into(), By::Private("owner"), Ok(text.to_owned())));
        self
    }

    /// Somebody else is answered with this status.
    pub(super) fn then_by(mut self, by: By, target: impl Into<String>, status: u16) -> Self {
        self.afterwards.push((target.into(), by, Err(status)));
        self
    }
}

impl Row {
    /// Makes the request and compares; what differs is the error.
    pub(super) async fn run(&self, world: &mut World) -> Result<(), String> {
        let body = match &self.body {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Json(value) => filled_in(world, value).to_string().into(),
        };
        let answer = ask(world, &self.method, &self.target, self.by, &self.fields, body).await;
        let said = || format!("{}, {:?}, {:?}", answer.status, answer.headers, answer.body);
        if answer.status != self.status {
            return Err(format!("not {} but {}", self.status, said()));
        }
        for check in &self.checks {
            check.holds(world, &answer).map_err(|what| format!("{what}; {}", said()))?;
        }
        self.holds_always(world, &answer).map_err(|what| format!("{what}; {}", said()))?;
        let is_range = self.fields.iter().any(|(name, _)| *name == "range");
        if self.method == Method::GET && !is_range {
            self.answers_head_alike(world, &answer).await?;
        }
        for (target, by, expected) in &self.afterwards {
            let after = ask(world, &Method::GET, target, *by, &[], Bytes::new()).await;
            let is_so = match expected {
                Ok(text) => after.status == 200 && after.bytes() == text.as_bytes(),
                Err(status) => after.status == *status,
            };
            if !is_so {
                let (status, body) = (after.status, after.body);
                return Err(format!("afterwards {target}: {status} {body:?}, not {expected:?}"));
            }
        }
        Ok(())
    }

    async fn answers_head_alike(&self, world: &mut World, get: &Answer) -> Result<(), String> {
        let again = async |world: &mut World, method: Method| {
            ask(world, &method, &self.target, self.by, &self.fields, Bytes::new()).await
        };
        let head = again(world, Method::HEAD).await;
        if same_but_for_the_body(get, &head).is_ok() {
            return Ok(());
        }
        // Once, an archive is verified, and more is told of it: between the two, perhaps.
        let get = again(world, Method::GET).await;
        same_but_for_the_body(&get, &head).map_err(|what| format!("HEAD: {what}"))
    }

    /// What holds of every answer, whatever the row.
    fn holds_always(&self, world: &World, answer: &Answer) -> Result<(), String> {
        let head = format!("{:?}", answer.headers);
        let text = String::from_utf8_lossy(answer.bytes());
        if let Some(name) = world.leaked(&head).or(world.leaked(&text)) {
            return Err(format!("the token {name} is in the answer"));
        }
        if answer.status.as_u16() < 400 {
            return Ok(());
        }
        for (name, value) in
            [("content-type", "application/json"), ("x-content-type-options", "nosniff")]
        {
            Check::Header(name, value.to_owned()).holds(world, answer)?;
        }
        if self.method == Method::HEAD {
            return Ok(());
        }
        let json: Value =
            serde_json::from_slice(answer.bytes()).map_err(|error| error.to_string())?;
        let is_error = json["message"].is_string() != json["error"].is_string();
        if is_error { Ok(()) } else { Err("an error is one message or one error".to_owned()) }
    }
}

impl Check {
    fn holds(&self, world: &World, answer: &Answer) -> Result<(), String> {
        let json = || serde_json::from_slice::<Value>(answer.bytes()).map_err(|e| e.to_string());
        let header =
            |name: &str| answer.header(name).ok_or_else(|| format!("no {name}")).map(str::to_owned);
        let (got, expected) = match self {
            Self::Bytes(bytes) if answer.bytes() == bytes => return Ok(()),
            Self::Bytes(bytes) if bytes.len() < 200 => {
                return Err(format!("not {:?}", String::from_utf8_lossy(bytes)));
            }
            Self::Bytes(bytes) => {
                return Err(format!("not the {} bytes of {}", bytes.len(), sha256(bytes)));
            }
            Self::Json(expected) => return same_json(&json()?, &filled_in(world, expected)),
            Self::Member(pointer, expected) => {
                let json = json()?;
                let got = json.pointer(pointer).ok_or_else(|| format!("no {pointer}"))?;
                return same_json(got, &filled_in(world, expected));
            }
            Self::MemberBegins(pointer, expected) => {
                let json = json()?;
                let got = json.pointer(pointer).and_then(Value::as_str);
                let got =
                    got.filter(|got| !got.is_empty()).ok_or_else(|| format!("no {pointer}"))?;
                let begin = got.get(..expected.len()).unwrap_or(got);
                (begin.to_owned(), (*expected).to_owned())
            }
            Self::Header(name, expected) => (header(name)?, expected.clone()),
            Self::HeaderBegins(name, expected) => {
                let got = header(name)?;
                let begin = got.get(..expected.len()).unwrap_or(&got);
                (begin.to_owned(), (*expected).to_owned())
            }
        };
        if got == expected { Ok(()) } else { Err(format!("{got:?}, not {expected:?}")) }
    }
}

fn same_json(got: &Value, expected: &Value) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{got}, not {expected}")) }
}

async fn ask(
    world: &mut World,
    method: &Method,
    target: &str,
    by: By,
    fields: &[(&'static str, String)],
    body: Bytes,
) -> Answer {
    let mut target = addressed(world, target);
    let mut add = |name: &str, token: &str| {
        let joint = if target.contains('?') { '&' } else { '?' };
        target.push_str(&format!("{joint}{name}={token}"));
    };
    let field = match by {
        By::Nobody => None,
        By::Private(name) => Some(("private-token", world.token(name).to_owned())),
        By::Bearer(name) => Some(("authorization", format!("Bearer {}", world.token(name)))),
        By::Job(name) => Some(("job-token", world.token(name).to_owned())),
        By::Hook(name) => Some(("x-gitlab-token", world.token(name).to_owned())),
        By::PrivateParameter(name) => {
            add("private_token", world.token(name));
            None
        }
        By::JobParameter(name) => {
            add("job_token", world.token(name));
            None
        }
    };
    let fields: Vec<(&str, &str)> =
        fields.iter().chain(&field).map(|(name, value)| (*name, &**value)).collect();
    world.client.send_body(method, &target, &fields, body).await
}

/// A target with the numbers of its keys.
fn addressed(world: &World, target: &str) -> String {
    let base = if target.starts_with('/') || target == "*" { "" } else { "/api/v4/" };
    let mut out = base.to_owned();
    let mut rest = target;
    while let Some((before, after)) = rest.split_once('{') {
        let (key, after) = after.split_once('}').unwrap_or_else(|| panic!("{target}: no }}"));
        out.push_str(before);
        out.push_str(&world.id(key).to_string());
        rest = after;
    }
    out + rest
}

/// A value in which texts `{KEY}` are the numbers of their keys.
fn filled_in(world: &World, value: &Value) -> Value {
    let key = |text: &str| Some(text.strip_prefix('{')?.strip_suffix('}')?.to_owned());
    match value {
        Value::String(text) => key(text).map_or_else(|| value.clone(), |key| world.id(&key).into()),
        Value::Array(values) => values.iter().map(|value| filled_in(world, value)).collect(),
        Value::Object(members) => {
            let filled = members.iter().map(|(name, value)| (name, filled_in(world, value)));
            Value::Object(filled.map(|(name, value)| (name.clone(), value)).collect())
        }
        value => value.clone(),
    }
}

fn same_but_for_the_body(get: &Answer, head: &Answer) -> Result<(), String> {
    if get.status != head.status {
        return Err(format!("{}, not {}", head.status, get.status));
    }
    if !head.bytes().is_empty() {
        return Err("it has a body".to_owned());
    }
    let fields = |answer: &Answer| {
        let mut fields: Vec<String> = answer
            .headers
            .iter()
            .filter(|(name, _)| *name != "date")
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        fields.sort();
        fields
    };
    let (get, head) = (fields(get), fields(head));
    if get == head { Ok(()) } else { Err(format!("{head:?}, not {get:?}")) }
}

/// Runs a table, in its order, and says all that failed.
#[track_caller]
pub(super) fn finish(failures: &[String]) {
    assert!(failures.is_empty(), "{} rows failed:\n{}", failures.len(), failures.join("\n"));
}

pub(super) async fn failures(world: &mut World, rows: &[Row]) -> Vec<String> {
    let mut failures = Vec::new();
    for row in rows {
        if let Err(what) = row.run(world).await {
            failures.push(format!("- {} ({} {}): {what}", row.name, row.method, row.target));
        }
    }
    failures
}

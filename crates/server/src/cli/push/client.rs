//! A server as `push` speaks to it: one request at a time, no redirects, no retries.

use std::borrow::Cow;
use std::fmt;
use std::io::{Cursor, Read};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, SendBody};

use crate::cli::error::CliError;
use crate::credential::without_tokens;
use crate::shown::{abridged, shown};

/// The variable that the token is taken from.
pub(super) const TOKEN_VARIABLE: &str = "ENTRYWAY_TOKEN";

/// Most bytes of an answer that are read; those of the contract have some hundred.
const MAX_ANSWER_LEN: u64 = 64 << 10;

/// Most characters of a server's message that are shown.
const MAX_MESSAGE_LEN: usize = 500;

/// Most bytes of a token, as a header field may have them.
const MAX_TOKEN_LEN: u64 = 4096;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a server may take nothing of what it is sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a server may say nothing. It may have to check an archive to the end first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

/// Where a server is: scheme, authority and, behind a proxy, the folder of its routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerUrl(String);

impl FromStr for ServerUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "not a URL")?;
        let authority = uri.authority().ok_or("a URL such as https://artifacts.example.com")?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("the URL of a server begins with https:// or http://");
        }
        if authority.as_str().contains('@') {
            return Err("no name and password in the URL: the token is ENTRYWAY_TOKEN");
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("no query or fragment in the URL of a server");
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// The text of a token. Nothing prints it.
pub(super) struct TokenText(HeaderValue);

impl TokenText {
    /// The token that the push was given.
    pub(super) fn find(file: Option<&Path>) -> Result<Self, CliError> {
        let text = match file {
            Some(path) => {
                let open = |error| CliError::Open { path: path.to_owned(), error };
                let file = std::fs::File::open(path).map_err(open)?;
                let mut text = String::new();
                file.take(MAX_TOKEN_LEN + 2).read_to_string(&mut text).map_err(open)?;
                text
            }
            None => std::env::var(TOKEN_VARIABLE).map_err(|_| {
                CliError::Usage(format!(
                    "a server asks for a token: set {TOKEN_VARIABLE}, or name a --token-file"
                ))
            })?,
        };
        Self::new(text.trim()).ok_or_else(|| CliError::Usage("that is no token".into()))
    }

    pub(super) fn new(text: &str) -> Option<Self> {
        let good = (1..=MAX_TOKEN_LEN).contains(&(text.len() as u64))
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        let mut value = HeaderValue::from_str(text).ok().filter(|_| good)?;
        value.set_sensitive(true);
        Some(Self(value))
    }
}

/// Who asks.
#[derive(Clone, Copy)]
pub(super) enum Caller<'a> {
    /// Whoever has the token of the push.
    Owner(&'a TokenText),
    /// The job that the server has made for the push.
    Job(&'a TokenText),
}

/// What a request is for, as a phrase after "cannot".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Step {
    Project,
    Pipeline,
    Job,
    Archive,
    EndOfJob,
    EndOfPipeline,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Project => "announce the project",
            Self::Pipeline => "announce the pipeline",
            Self::Job => "announce the job",
            Self::Archive => "hand the archive in",
            Self::EndOfJob => "announce the end of the job",
            Self::EndOfPipeline => "announce the end of the pipeline",
        })
    }
}

/// Why a server did not do what a push needs. What it says is shown without what moves a cursor.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum RemoteError {
    /// No answer.
    #[error("cannot {step}: {url}: {}", cause(error))]
    NoAnswer { step: Step, url: String, error: Box<ureq::Error> },
    /// An answer, but not the one that was hoped for.
    #[error("cannot {step}: {url} answered {status}{message}")]
    Refused { step: Step, url: String, status: StatusCode, message: String, advice: Option<String> },
    /// An answer that does not say what it has to.
    #[error("cannot {step}: {url} did not answer with {what}; is it a server of Entryway?")]
    Incomplete { step: Step, url: String, what: &'static str },
    /// The system's certificates cannot be read.
    #[error("no certificate authority is known here: {0}")]
    NoAuthorities(String),
}

impl RemoteError {
    /// What the server says is to be done.
    pub(in crate::cli) fn advice(&self) -> Option<&str> {
        match self {
            Self::Refused { advice, .. } => advice.as_deref(),
            Self::NoAnswer { .. } | Self::Incomplete { .. } | Self::NoAuthorities(_) => None,
        }
    }

    /// The one who asked can put it right: a conflict with what is stored, or a bad value.
    pub(in crate::cli) fn is_conflict(&self) -> bool {
        match self {
            Self::Refused { step, status, .. } => {
                let about_names = match step {
                    Step::Project | Step::Pipeline | Step::Job => true,
                    Step::Archive | Step::EndOfJob | Step::EndOfPipeline => false,
                };
                about_names && matches!(*status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT)
            }
            Self::NoAnswer { .. } | Self::Incomplete { .. } | Self::NoAuthorities(_) => false,
        }
    }
}

/// A server, and the connections to it.
pub(super) struct Server {
    url: ServerUrl,
    agent: Agent,
}

/// An answer that was hoped for.
pub(super) struct Reply {
    step: Step,
    url: String,
    json: Value,
}

impl Reply {
    /// A member of the answer.
    pub(super) fn member<T: for<'de> Deserialize<'de>>(
        &self,
        name: &'static str,
    ) -> Result<T, RemoteError> {
        let member = self.json.get(name).and_then(|member| T::deserialize(member).ok());
        member.ok_or_else(|| self.lacks(name))
    }

    /// The error for a member that is not there, or not what it has to be.
    pub(super) fn lacks(&self, what: &'static str) -> RemoteError {
        RemoteError::Incomplete { step: self.step, url: self.url.clone(), what }
    }
}

impl Server {
    pub(super) fn new(url: ServerUrl) -> Result<Self, RemoteError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would have to be trusted with the token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("entryway/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_write(Some(SEND_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_recv_body(Some(ANSWER_TIMEOUT));
        if url.0.starts_with("https:") {
            config = config.tls_config(tls_config()?);
        }
        Ok(Self { url, agent: config.build().into() })
    }

    /// Sends a JSON object; answers of 2xx are good.
    pub(super) fn announce(
        &self,
        step: Step,
        method: Method,
        path: &str,
        token: &TokenText,
        body: &Value,
    ) -> Result<Reply, RemoteError> {
        let request = self.request(method, path, Caller::Owner(token));
        self.send(step, request, SendBody::none(), Some(body))
    }

    /// As [`Server::announce`] of something new; `None` where it is not new, which changes nothing.
    pub(super) fn announce_new(
        &self,
        step: Step,
        path: &str,
        token: &TokenText,
        body: &Value,
    ) -> Result<Option<Reply>, RemoteError> {
        let request = self
            .request(Method::PUT, path, Caller::Owner(token))
            .header(IF_NONE_MATCH, HeaderValue::from_static("*"));
        match self.send(step, request, SendBody::none(), Some(body)) {
            Err(RemoteError::Refused { status: StatusCode::PRECONDITION_FAILED, .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Sends a form with one file, its length told in advance.
    pub(super) fn upload(
        &self,
        path: &str,
        caller: Caller<'_>,
        form: &Form<'_>,
        file: &mut dyn Read,
        file_len: u64,
    ) -> Result<Reply, RemoteError> {
        let (head, end) = (form.head(), form.end());
        let body_len = head.len() as u64 + file_len + end.len() as u64;
        let request = self
            .request(Method::POST, path, caller)
            .header(CONTENT_TYPE, form.content_type())
            .header(CONTENT_LENGTH, HeaderValue::from(body_len))
            // A server that refuses says so before gigabytes are sent (RFC 9110 section 10.1.1).
            .header(EXPECT, HeaderValue::from_static("100-continue"));
        let mut body = Cursor::new(head).chain(file).chain(Cursor::new(end));
        self.send(Step::Archive, request, SendBody::from_reader(&mut body), None)
    }

    fn request(&self, method: Method, path: &str, caller: Caller<'_>) -> http::request::Builder {
        let (name, TokenText(value)) = match caller {
            Caller::Owner(token) => ("private-token", token),
            Caller::Job(token) => ("job-token", token),
        };
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url.0))
            .header(HeaderName::from_static(name), value)
    }

    fn send(
        &self,
        step: Step,
        request: http::request::Builder,
        body: SendBody<'_>,
        json: Option<&Value>,
    ) -> Result<Reply, RemoteError> {
        let url = request.uri_ref().map(Uri::to_string).unwrap_or_default();
        let no_answer =
            |error| RemoteError::NoAnswer { step, url: url.clone(), error: Box::new(error) };
        let text = json.map(Value::to_string);
        let sent = match &text {
            None => request.body(body).map(|request| self.agent.run(request)),
            Some(text) => request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(text.as_str())
                .map(|request| self.agent.run(request)),
        };
        let mut response = sent.map_err(|error| no_answer(error.into()))?.map_err(no_answer)?;
        let status = response.status();
        let read = response.body_mut().with_config().limit(MAX_ANSWER_LEN).read_to_vec();
        if !status.is_success() {
            let json = serde_json::from_slice(&read.unwrap_or_default()).unwrap_or(Value::Null);
            let (message, advice) = (message(status, &json), said(&json, &["advice"]));
            return Err(RemoteError::Refused { step, url, status, message, advice });
        }
        let body = read.map_err(no_answer)?;
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Reply { step, url, json })
    }
}

/// rustls with the system's authorities, those of `SSL_CERT_FILE` instead where it is set.
fn tls_config() -> Result<TlsConfig, RemoteError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(RemoteError::NoAuthorities(errors.join("; ")));
    }
    let certificates: Vec<_> =
        found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// What went wrong, in words that say what to do where the library's do not.
fn cause(error: &ureq::Error) -> Cow<'static, str> {
    let tls = match error {
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    };
    match tls {
        // The first bytes are no TLS record: most likely plain HTTP's.
        Some(rustls::Error::InvalidMessage(_)) => {
            "what answers there does not speak TLS; is it a server of http://?".into()
        }
        _ => error.to_string().into(),
    }
}

/// What a server says of a failure, to stand behind its status: of an archive that it refuses, the
/// rule too.
fn message(status: StatusCode, json: &Value) -> String {
    if status.is_redirection() {
        return ": a redirect, which is not followed".into();
    }
    let Some(text) = said(json, &["message", "error"]) else { return String::new() };
    // GitLab's texts begin with the status, which stands in front already.
    let of_status = format!("{} Bad request - ", status.as_str());
    let text = text.strip_prefix(&of_status).unwrap_or(&text);
    match (said(json, &["advice"]), said(json, &["reason"])) {
        (Some(_), Some(rule)) => format!(": {rule} ({text})"),
        _ => format!(": {text}"),
    }
}

/// The first of these members of an answer, as it can be shown.
fn said(json: &Value, names: &[&str]) -> Option<String> {
    let text = names.iter().find_map(|name| json.get(name)?.as_str())?;
    Some(shown(&without_tokens(&abridged(text, MAX_MESSAGE_LEN))))
}

/// The frame of a form with one file (RFC 7578).
pub(super) struct Form<'a> {
    /// What stands between the parts; nowhere in the file.
    pub(super) boundary: &'a str,
    /// Fields before the file.
    pub(super) fields: &'a [(&'static str, &'a str)],
    /// The name that the file is handed in with.
    pub(super) filename: &'a str,
}

impl Form<'_> {
    fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Everything before the file's bytes.
    fn head(&self) -> Vec<u8> {
        let Self { boundary, fields, filename } = self;
        let mut head = String::new();
        for (name, value) in *fields {
            head += &format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
        }
        // As browsers write names (HTML, "multipart/form-data encoding algorithm").
        let filename = filename.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        head += &format!(
            "--{boundary}\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\
             Content-Type: application/zip\r\n\r\n"
        );
        head.into_bytes()
    }

    fn end(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary).into_bytes()
    }
}

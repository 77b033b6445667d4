//! What is answered when a request fails before its head is sent: one kind a failure, and one table
//! from the kinds to status, body and header.
//!
//! The texts are those of GitLab's API where it has one: `{"message": "..."}`, and `{"error":
//! "..."}` for parameters and routes. Refusals that depend on an archive or on what lies behind the
//! server carry a `reason`, a stable word beside the text for people; those of an archive or
//! an entry also have an `advice`: what to do. No text holds a token, a path of the machine or
//! anything that a client sent but numbers, one character's code point, and the name of the entry
//! that an archive, or a part of it, is refused for, as it can be shown.

use std::borrow::Cow;
use std::fmt;
use std::io;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::route::{PathRule, UnreadableToken};
use crate::shown::is_unseen;
use crate::upload::FormRule;

/// Every way in which a request fails before its head is sent.
///
/// A `reason` is a stable word in snake case, bounded in number: it is a label of metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 400: a parameter that the endpoint cannot do without.
    ParameterMissing {
        /// The parameter.
        name: &'static str,
    },
    /// 400: a parameter that cannot be read as what it stands for.
    ParameterInvalid {
        /// The parameter, or `query` where it is none of the known ones.
        name: &'static str,
    },
    /// 400: a parameter given more than once, which two readers could understand differently.
    ParameterRepeated {
        /// The parameter.
        name: &'static str,
    },
    /// 400: a parameter with none of the words that it may have.
    ParameterValue {
        /// The parameter.
        name: &'static str,
    },
    /// 400: an upload whose form cannot be read.
    UploadMalformed(FormRule),
    /// 400: an uploaded archive that is refused as a whole, or is none.
    ArchiveRefused(EntryRefusal),
    /// 400: the job has an archive, and it is not the uploaded one.
    ArchiveExists,
    /// 400: a body with a field that is none of those that it may have.
    FieldUnknown {
        /// The fields that it may have.
        known: Vec<&'static str>,
    },
    /// 400: an artifact path that no entry served can have.
    ArtifactPath(PathRule),
    /// 400: Host or `:authority` missing, repeated, malformed or contradicting the target (RFC 9112
    /// section 3.2).
    AuthorityInvalid,
    /// 401: no valid credential where one is needed, or an invalid one anywhere.
    Unauthorized,
    /// 403: the caller sees the project and lacks the right.
    Forbidden,
    /// 403: the job that an upload is for does not run any more.
    JobOver,
    /// 403: the token's scopes do not cover reading.
    InsufficientScope,
    /// 404: no such project, or none that the caller may know of.
    ProjectNotFound,
    /// 404: no such job in the project, none that matches the ref and name.
    JobNotFound,
    /// 404: the job has no archive, or none any more.
    ArchiveNotFound,
    /// 404: no such entry, or a directory.
    FileNotFound,
    /// 404: no endpoint with that path.
    UnknownRoute,
    /// 405: an endpoint, but not with this method.
    MethodNotAllowed {
        /// The value of Allow.
        allow: &'static str,
    },
    /// 406: no representation in a content coding that the client accepts.
    NotAcceptable,
    /// 408: the request came too slowly.
    RequestTimeout,
    /// 409: another request, or another project, has what this one needs.
    Conflict(Conflict),
    /// 410: the catalog knows the archive, the store lost it.
    ArchiveLost,
    /// 412: a precondition of the request is false (RFC 9110 section 13.2.2).
    PreconditionFailed,
    /// 413: more bytes than an upload may have.
    UploadTooLarge {
        /// The most bytes allowed.
        limit: u64,
    },
    /// 414: the target is over its limit.
    TargetTooLong,
    /// 415: an upload with a content coding.
    UnsupportedContentCoding,
    /// 416: no range of the request lies in the representation.
    RangeNotSatisfiable {
        /// The length of the whole representation.
        complete_len: u64,
    },
    /// 422: this entry cannot be served safely or at all; others of its archive can.
    UnprocessableEntry(EntryRefusal),
    /// 429: a configured limit.
    TooManyRequests {
        /// Seconds after which it is worth trying again.
        retry_after: u32,
    },
    /// 431: the head is over its limits.
    HeadTooLarge,
    /// 500: an archive that was good when it was stored is not any more, or a defect of ours.
    InternalServerError {
        /// What failed.
        reason: &'static str,
    },
    /// 502: what lies behind the server answered wrongly.
    BadGateway {
        /// What failed.
        reason: &'static str,
    },
    /// 503: overloaded, or stopping.
    ServiceUnavailable {
        /// What is short.
        reason: &'static str,
        /// Seconds after which it is worth trying again, where that helps.
        retry_after: Option<u32>,
    },
    /// 504: what lies behind the server did not answer in time.
    GatewayTimeout {
        /// What was waited for.
        reason: &'static str,
        /// Seconds after which it is worth trying again, where that helps.
        retry_after: Option<u32>,
    },
    /// 507: no room to store; reading goes on.
    InsufficientStorage {
        /// What is full.
        reason: &'static str,
        /// Seconds after which it is worth trying again, where that helps.
        retry_after: Option<u32>,
    },
}

/// Who has what a conflicting request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// An upload of the same job is in progress.
    UploadInProgress,
    /// The id belongs to another project.
    IdOfAnotherProject,
}

/// Why an entry or an archive is refused, as the engine says it.
///
/// The engine's own error ends here: its label, and its text with the numbers it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRefusal {
    /// The stable word for the rule, from the engine's table.
    pub label: &'static str,
    /// The rule in words. Names out of the archive may stand in it: it is escaped when written.
    pub text: Cow<'static, str>,
    /// What to do about it.
    pub advice: &'static str,
}

impl EntryRefusal {
    /// A refusal of the engine's, with `text` for its words.
    #[must_use]
    pub fn new(refusal: &entryway::Refusal, text: impl Into<Cow<'static, str>>) -> Self {
        let rule = refusal.rule;
        Self { label: rule.label(), text: text.into(), advice: rule.advice() }
    }
}

/// One row of the table: everything that is answered for a failure but what all have in common.
struct Row {
    status: StatusCode,
    label: &'static str,
    body: Body,
    field: Option<(HeaderName, HeaderValue)>,
}

/// The JSON of an answer, its members in this order.
#[derive(Serialize)]
#[serde(untagged)]
enum Body {
    Message { message: Cow<'static, str> },
    Reasoned { message: Cow<'static, str>, reason: &'static str },
    Advised { message: Cow<'static, str>, reason: &'static str, advice: &'static str },
    Error { error: Cow<'static, str> },
    Scope { error: &'static str, error_description: &'static str, scope: &'static str },
}

impl Failure {
    /// The memory for decoders of this size is taken by other answers, and was for some time.
    pub const DECODERS_BUSY: Self =
        Self::ServiceUnavailable { reason: "decoder_memory", retry_after: Some(5) };

    /// The server goes down, and what the request needs with it.
    pub const STOPPING: Self = Self::ServiceUnavailable { reason: "stopping", retry_after: None };

    /// The table. A new kind of failure does not compile until it has its row here.
    fn row(&self) -> Row {
        match self {
            Self::ParameterMissing { name } => {
                row(400, "parameter_missing", error(format!("{name} is missing")))
            }
            Self::ParameterInvalid { name } => {
                row(400, "parameter_invalid", error(format!("{name} is invalid")))
            }
            Self::ParameterRepeated { name } => {
                row(400, "parameter_repeated", error(format!("{name} is repeated")))
            }
            // The text is the one of GitLab's parameter validation.
            Self::ParameterValue { name } => {
                row(400, "parameter_value", error(format!("{name} does not have a valid value")))
            }
            Self::UploadMalformed(rule) => {
                row(400, rule.label(), message(format!("400 Bad request - {rule}")))
            }
            Self::ArchiveRefused(refusal) => {
                row(400, refusal.label, advised("400 Bad request", refusal))
            }
            Self::ArchiveExists => {
                row(400, "archive_exists", message("400 Bad request - another archive exists"))
            }
            Self::FieldUnknown { known } => {
                let text = format!("a field is unknown, not one of {}", known.join(", "));
                row(400, "field_unknown", error(text))
            }
            Self::ArtifactPath(rule) => {
                row(400, rule.label(), message(format!("400 Bad request - {rule}")))
            }
            Self::AuthorityInvalid => {
                let text = "400 Bad request - the authority is missing or malformed";
                row(400, "authority_invalid", message(text))
            }
            // A 401 names the scheme that would help (RFC 9110 section 15.5.2).
            Self::Unauthorized => row(401, "unauthorized", message("401 Unauthorized"))
                .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"entryway\"")),
            Self::Forbidden => row(403, "forbidden", message("403 Forbidden")),
            Self::JobOver => row(403, "job_over", message("403 Forbidden - Job is not running")),
            Self::InsufficientScope => row(403, "insufficient_scope", Body::insufficient_scope()),
            Self::ProjectNotFound => {
                row(404, "project_not_found", message("404 Project Not Found"))
            }
            Self::JobNotFound => row(404, "job_not_found", message("404 Not found")),
            Self::ArchiveNotFound => row(404, "archive_not_found", message("404 Not Found")),
            Self::FileNotFound => row(404, "file_not_found", message("404 File Not Found")),
            Self::UnknownRoute => row(404, "unknown_route", error("404 Not Found")),
            Self::MethodNotAllowed { allow } => {
                row(405, "method_not_allowed", error("405 Not Allowed"))
                    .with(ALLOW, HeaderValue::from_static(allow))
            }
            Self::NotAcceptable => row(406, "not_acceptable", message("406 Not Acceptable"))
                .with(VARY, HeaderValue::from_static("Accept-Encoding")),
            Self::RequestTimeout => row(408, "request_timeout", message("408 Request Timeout")),
            Self::Conflict(conflict) => {
                row(409, conflict.label(), message(format!("409 Conflict - {conflict}")))
            }
            Self::ArchiveLost => {
                let text = "410 Gone - the archive is known, and lost from the store";
                row(410, "archive_lost", message(text))
            }
            Self::PreconditionFailed => {
                row(412, "precondition_failed", message("412 Precondition Failed"))
            }
            Self::UploadTooLarge { limit } => {
                let text = format!("413 Content Too Large - at most {limit} bytes");
                row(413, "upload_too_large", message(text))
            }
            Self::TargetTooLong => row(414, "target_too_long", message("414 URI Too Long")),
            // Which codings would do (RFC 9110 section 15.5.16).
            Self::UnsupportedContentCoding => {
                row(415, "unsupported_content_coding", message("415 Unsupported Media Type"))
                    .with(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            }
            Self::RangeNotSatisfiable { complete_len } => {
                row(416, "range_not_satisfiable", message("416 Range Not Satisfiable"))
                    .with(CONTENT_RANGE, unsatisfied_range(*complete_len))
            }
            Self::UnprocessableEntry(refusal) => {
                row(422, refusal.label, advised("422 Unprocessable entry", refusal))
            }
            Self::TooManyRequests { retry_after } => {
                row(429, "too_many_requests", message("429 Too Many Requests"))
                    .retry(Some(*retry_after))
            }
            Self::HeadTooLarge => {
                row(431, "head_too_large", message("431 Request Header Fields Too Large"))
            }
            Self::InternalServerError { reason } => {
                row(500, reason, reasoned("500 Internal Server Error", reason))
            }
            Self::BadGateway { reason } => row(502, reason, reasoned("502 Bad Gateway", reason)),
            Self::ServiceUnavailable { reason, retry_after } => {
                row(503, reason, reasoned("503 Service Unavailable", reason)).retry(*retry_after)
            }
            Self::GatewayTimeout { reason, retry_after } => {
                row(504, reason, reasoned("504 Gateway Timeout", reason)).retry(*retry_after)
            }
            Self::InsufficientStorage { reason, retry_after } => {
                row(507, reason, reasoned("507 Insufficient Storage", reason)).retry(*retry_after)
            }
        }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.row().status
    }

    /// A stable name for metrics and logs; where there is a reason or a rule, its name.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.row().label
    }

    /// The answer, never to be stored by a cache.
    ///
    /// With `head_only` the body is left out and Content-Length still says how long it would be
    /// (RFC 9110 section 8.6).
    #[must_use]
    pub fn into_response(self, head_only: bool) -> Response<Bytes> {
        let Row { status, label: _, body, field } = self.row();
        // `Body` is a map of strings with string keys, and writing to a `Vec` cannot fail.
        let json = Bytes::from(json_bytes(&body).unwrap_or_default());
        let content_len = json.len();
        let mut response = Response::new(if head_only { Bytes::new() } else { json });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(content_len));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(field);
        response
    }
}

/// The text of the answer, for logs.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.row().body {
            Body::Message { message }
            | Body::Reasoned { message, .. }
            | Body::Advised { message, .. } => message,
            Body::Error { error } => error,
            Body::Scope { error_description, .. } => error_description,
        })
    }
}

impl std::error::Error for Failure {}

impl From<PathRule> for Failure {
    fn from(rule: PathRule) -> Self {
        Self::ArtifactPath(rule)
    }
}

/// A credential that cannot be read is a bad one, as an unknown one is.
impl From<UnreadableToken> for Failure {
    fn from(_: UnreadableToken) -> Self {
        Self::Unauthorized
    }
}

impl Conflict {
    fn label(self) -> &'static str {
        match self {
            Self::UploadInProgress => "upload_in_progress",
            Self::IdOfAnotherProject => "id_of_another_project",
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UploadInProgress => "an upload of this job is in progress",
            Self::IdOfAnotherProject => "the id belongs to another project",
        })
    }
}

impl Row {
    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.field = Some((name, value));
        self
    }

    fn retry(self, seconds: Option<u32>) -> Self {
        match seconds {
            Some(seconds) => self.with(RETRY_AFTER, HeaderValue::from(seconds)),
            None => self,
        }
    }
}

impl Body {
    fn insufficient_scope() -> Self {
        Self::Scope {
            error: "insufficient_scope",
            error_description: "The request requires higher privileges than provided by the \
                                access token.",
            scope: "api read_api",
        }
    }
}

/// `status` is a literal of the table; an impossible one would be answered as 500.
fn row(status: u16, label: &'static str, body: Body) -> Row {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Row { status, label, body, field: None }
}

fn message(text: impl Into<Cow<'static, str>>) -> Body {
    Body::Message { message: text.into() }
}

fn reasoned(text: impl Into<Cow<'static, str>>, reason: &'static str) -> Body {
    Body::Reasoned { message: text.into(), reason }
}

fn advised(status: &str, refusal: &EntryRefusal) -> Body {
    let EntryRefusal { label: reason, text, advice } = refusal;
    Body::Advised { message: format!("{status} - {text}").into(), reason, advice }
}

fn error(text: impl Into<Cow<'static, str>>) -> Body {
    Body::Error { error: text.into() }
}

/// RFC 9110 section 14.4: `unsatisfied-range = "*/" complete-length`.
fn unsatisfied_range(complete_len: u64) -> HeaderValue {
    // Only digits are inserted, so the value is always one that a field can have.
    HeaderValue::try_from(format!("bytes */{complete_len}"))
        .unwrap_or(HeaderValue::from_static("bytes */*"))
}

/// JSON in which every character that is not seen is escaped: controls, line separators, marks that
/// turn text round.
///
/// JSON itself demands that only below U+0020; the others are escaped so that text out of an
/// archive cannot steer a terminal or its reader, or end a line of script. All JSON that the server
/// answers and the program prints is written by this.
///
/// # Errors
/// Those of the value's own `Serialize`.
///
/// ```
/// use entryway_server::reply::json_bytes;
///
/// assert_eq!(json_bytes("a\n\u{7f}\u{2028}").unwrap(), br#""a\n\u007f\u2028""#);
/// ```
pub fn json_bytes<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(128);
    value.serialize(&mut Serializer::with_formatter(&mut json, EscapedControls))?;
    Ok(json)
}

struct EscapedControls;

impl Formatter for EscapedControls {
    /// `fragment` holds what serde_json writes as it is: nothing below U+0020, no quote, no
    /// backslash.
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut written = 0;
        for (at, found) in fragment.match_indices(is_unseen) {
            writer.write_all(&fragment.as_bytes()[written..at])?;
            // RFC 8259 section 7: what is past U+FFFF is written as a surrogate pair.
            for unit in found.encode_utf16() {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = at + found.len();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// One value of every kind with the answer it gets: status, label, body, fields of its own.
    pub(crate) type Sample =
        (Failure, u16, &'static str, &'static str, &'static [(&'static str, &'static str)]);

    pub(crate) fn samples() -> Vec<Sample> {
        use Failure::*;
        let refusal =
            |label, text: &'static str, advice| EntryRefusal { label, text: text.into(), advice };
        let encrypted = refusal("encrypted", "it is encrypted", "Decrypt it.");
        let no_end_record = refusal("no_end_record", "no end record", "Make it again.");
        vec![
            (
                ParameterMissing { name: "job" },
                400,
                "parameter_missing",
                r#"{"error":"job is missing"}"#,
                &[],
            ),
            (
                ParameterInvalid { name: "job_id" },
                400,
                "parameter_invalid",
                r#"{"error":"job_id is invalid"}"#,
                &[],
            ),
            (
                ParameterRepeated { name: "job" },
                400,
                "parameter_repeated",
                r#"{"error":"job is repeated"}"#,
                &[],
            ),
            (
                ParameterValue { name: "artifact_type" },
                400,
                "parameter_value",
                r#"{"error":"artifact_type does not have a valid value"}"#,
                &[],
            ),
            (
                UploadMalformed(FormRule::Truncated),
                400,
                "form_truncated",
                r#"{"message":"400 Bad request - the form does not end with its boundary"}"#,
                &[],
            ),
            (
                ArchiveRefused(no_end_record),
                400,
                "no_end_record",
                concat!(
                    r#"{"message":"400 Bad request - no end record","#,
                    r#""reason":"no_end_record","advice":"Make it again."}"#
                ),
                &[],
            ),
            (
                ArchiveExists,
                400,
                "archive_exists",
                r#"{"message":"400 Bad request - another archive exists"}"#,
                &[],
            ),
            (
                FieldUnknown { known: vec!["ref", "sha"] },
                400,
                "field_unknown",
                r#"{"error":"a field is unknown, not one of ref, sha"}"#,
                &[],
            ),
            (
                ArtifactPath(PathRule::DotSegment),
                400,
                "path_dot_segment",
                r#"{"message":"400 Bad request - the artifact path has a . or .. segment"}"#,
                &[],
            ),
            (
                AuthorityInvalid,
                400,
                "authority_invalid",
                r#"{"message":"400 Bad request - the authority is missing or malformed"}"#,
                &[],
            ),
            (
                Unauthorized,
                401,
                "unauthorized",
                r#"{"message":"401 Unauthorized"}"#,
                &[("www-authenticate", "Bearer realm=\"entryway\"")],
            ),
            (Forbidden, 403, "forbidden", r#"{"message":"403 Forbidden"}"#, &[]),
            (JobOver, 403, "job_over", r#"{"message":"403 Forbidden - Job is not running"}"#, &[]),
            (
                InsufficientScope,
                403,
                "insufficient_scope",
                concat!(
                    r#"{"error":"insufficient_scope","error_description":"The request requires "#,
                    r#"higher privileges than provided by the access token.","#,
                    r#""scope":"api read_api"}"#
                ),
                &[],
            ),
            (
                ProjectNotFound,
                404,
                "project_not_found",
                r#"{"message":"404 Project Not Found"}"#,
                &[],
            ),
            (JobNotFound, 404, "job_not_found", r#"{"message":"404 Not found"}"#, &[]),
            (ArchiveNotFound, 404, "archive_not_found", r#"{"message":"404 Not Found"}"#, &[]),
            (FileNotFound, 404, "file_not_found", r#"{"message":"404 File Not Found"}"#, &[]),
            (UnknownRoute, 404, "unknown_route", r#"{"error":"404 Not Found"}"#, &[]),
            (
                MethodNotAllowed { allow: "GET, HEAD" },
                405,
                "method_not_allowed",
                r#"{"error":"405 Not Allowed"}"#,
                &[("allow", "GET, HEAD")],
            ),
            (
                NotAcceptable,
                406,
                "not_acceptable",
                r#"{"message":"406 Not Acceptable"}"#,
                &[("vary", "Accept-Encoding")],
            ),
            (RequestTimeout, 408, "request_timeout", r#"{"message":"408 Request Timeout"}"#, &[]),
            (
                Conflict(super::Conflict::UploadInProgress),
                409,
                "upload_in_progress",
                r#"{"message":"409 Conflict - an upload of this job is in progress"}"#,
                &[],
            ),
            (
                Conflict(super::Conflict::IdOfAnotherProject),
                409,
                "id_of_another_project",
                r#"{"message":"409 Conflict - the id belongs to another project"}"#,
                &[],
            ),
            (
                ArchiveLost,
                410,
                "archive_lost",
                r#"{"message":"410 Gone - the archive is known, and lost from the store"}"#,
                &[],
            ),
            (
                PreconditionFailed,
                412,
                "precondition_failed",
                r#"{"message":"412 Precondition Failed"}"#,
                &[],
            ),
            (
                UploadTooLarge { limit: u64::MAX },
                413,
                "upload_too_large",
                r#"{"message":"413 Content Too Large - at most 18446744073709551615 bytes"}"#,
                &[],
            ),
            (TargetTooLong, 414, "target_too_long", r#"{"message":"414 URI Too Long"}"#, &[]),
            (
                UnsupportedContentCoding,
                415,
                "unsupported_content_coding",
                r#"{"message":"415 Unsupported Media Type"}"#,
                &[("accept-encoding", "identity")],
            ),
            (
                RangeNotSatisfiable { complete_len: u64::MAX },
                416,
                "range_not_satisfiable",
                r#"{"message":"416 Range Not Satisfiable"}"#,
                &[("content-range", "bytes */18446744073709551615")],
            ),
            (
                UnprocessableEntry(encrypted),
                422,
                "encrypted",
                concat!(
                    r#"{"message":"422 Unprocessable entry - it is encrypted","#,
                    r#""reason":"encrypted","advice":"Decrypt it."}"#
                ),
                &[],
            ),
            (
                TooManyRequests { retry_after: 30 },
                429,
                "too_many_requests",
                r#"{"message":"429 Too Many Requests"}"#,
                &[("retry-after", "30")],
            ),
            (
                HeadTooLarge,
                431,
                "head_too_large",
                r#"{"message":"431 Request Header Fields Too Large"}"#,
                &[],
            ),
            (
                InternalServerError { reason: "archive_changed" },
                500,
                "archive_changed",
                r#"{"message":"500 Internal Server Error","reason":"archive_changed"}"#,
                &[],
            ),
            (
                BadGateway { reason: "storage_failed" },
                502,
                "storage_failed",
                r#"{"message":"502 Bad Gateway","reason":"storage_failed"}"#,
                &[],
            ),
            (
                ServiceUnavailable { reason: "no_descriptors", retry_after: Some(1) },
                503,
                "no_descriptors",
                r#"{"message":"503 Service Unavailable","reason":"no_descriptors"}"#,
                &[("retry-after", "1")],
            ),
            (
                Failure::DECODERS_BUSY,
                503,
                "decoder_memory",
                r#"{"message":"503 Service Unavailable","reason":"decoder_memory"}"#,
                &[("retry-after", "5")],
            ),
            (
                GatewayTimeout { reason: "storage_slow", retry_after: None },
                504,
                "storage_slow",
                r#"{"message":"504 Gateway Timeout","reason":"storage_slow"}"#,
                &[],
            ),
            (
                InsufficientStorage { reason: "disk_full", retry_after: None },
                507,
                "disk_full",
                r#"{"message":"507 Insufficient Storage","reason":"disk_full"}"#,
                &[],
            ),
        ]
    }

    /// The number of kinds; counted without a `_` arm, so that a new one is not forgotten.
    fn number_of(failure: &Failure) -> usize {
        use Failure::*;
        match failure {
            ParameterMissing { .. } => 0,
            ParameterInvalid { .. } => 1,
            ParameterRepeated { .. } => 2,
            ArtifactPath(_) => 3,
            AuthorityInvalid => 4,
            Unauthorized => 5,
            Forbidden => 6,
            InsufficientScope => 7,
            ProjectNotFound => 8,
            JobNotFound => 9,
            ArchiveNotFound => 10,
            FileNotFound => 11,
            UnknownRoute => 12,
            MethodNotAllowed { .. } => 13,
            NotAcceptable => 14,
            RequestTimeout => 15,
            Conflict(_) => 16,
            ArchiveLost => 17,
            PreconditionFailed => 18,
            UploadTooLarge { .. } => 19,
            TargetTooLong => 20,
            UnsupportedContentCoding => 21,
            RangeNotSatisfiable { .. } => 22,
            UnprocessableEntry(_) => 23,
            TooManyRequests { .. } => 24,
            HeadTooLarge => 25,
            InternalServerError { .. } => 26,
            BadGateway { .. } => 27,
            ServiceUnavailable { .. } => 28,
            GatewayTimeout { .. } => 29,
            InsufficientStorage { .. } => 30,
            ParameterValue { .. } => 31,
            UploadMalformed(_) => 32,
            ArchiveRefused(_) => 33,
            ArchiveExists => 34,
            JobOver => 35,
            FieldUnknown { .. } => 36,
        }
    }

    /// One past the highest number of `number_of`.
    const KINDS: usize = 37;

    #[test]
    fn every_kind_has_a_sample() {
        let seen: BTreeSet<usize> =
            samples().iter().map(|(failure, ..)| number_of(failure)).collect();
        assert_eq!(seen, (0..KINDS).collect());
    }

    #[test]
    fn every_failure_is_answered_as_the_contract_says() {
        let common = ["content-type", "content-length", "x-content-type-options", "cache-control"];
        for (failure, status, label, body, fields) in samples() {
            assert_eq!(failure.label(), label);
            assert_eq!(failure.status().as_u16(), status, "{label}");
            let response = failure.into_response(false);
            assert_eq!(response.status().as_u16(), status, "{label}");
            assert_eq!(response.body(), body, "{label}");
            let headers = response.headers();
            assert_eq!(headers["content-type"], "application/json", "{label}");
            assert_eq!(headers["content-length"], body.len().to_string(), "{label}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{label}");
            assert_eq!(headers["cache-control"], "no-store", "{label}");
            let own: Vec<(&str, &str)> = headers
                .iter()
                .filter(|(name, _)| !common.contains(&name.as_str()))
                .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
                .collect();
            assert_eq!(own, fields, "{label}");
        }
    }

    #[test]
    fn head_has_the_fields_of_get_and_no_body() {
        for (failure, _, label, ..) in samples() {
            let get = failure.clone().into_response(false);
            let head = failure.into_response(true);
            assert!(head.body().is_empty(), "{label}");
            assert_eq!(head.status(), get.status(), "{label}");
            assert_eq!(head.headers(), get.headers(), "{label}");
        }
    }

    #[test]
    fn labels_are_stable_words_and_tell_the_kinds_apart() {
        let mut labels = BTreeMap::new();
        for (failure, _, label, ..) in samples() {
            let is_word = label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(is_word && !label.is_empty(), "{label}");
            assert_eq!(labels.insert(label, failure.clone()), None, "{label}");
        }
    }

    #[test]
    fn every_body_is_json_whose_text_is_the_display_form() {
        for (failure, _, label, ..) in samples() {
            let text = failure.to_string();
            let json: serde_json::Value =
                serde_json::from_slice(failure.into_response(false).body()).expect(label);
            let member = ["error_description", "message", "error"]
                .into_iter()
                .find_map(|member| json[member].as_str());
            assert_eq!(member, Some(text.as_str()), "{label}");
        }
    }

    #[test]
    fn text_out_of_an_archive_is_escaped() {
        let rows = [
            ("quote and backslash", "\"\\", r#"\"\\"#),
            ("line feed", "a\nb", r"a\nb"),
            ("escape", "\u{1b}[31m", r"\u001b[31m"),
            ("NUL", "\0", r"\u0000"),
            ("DEL", "\u{7f}", r"\u007f"),
            ("C1", "a\u{80}\u{9f}b", r"a\u0080\u009fb"),
            ("line separators", "\u{2028}x\u{2029}", r"\u2028x\u2029"),
            ("marks that turn text round", "\u{202e}x\u{2069}\u{61c}", r"\u202ex\u2069\u061c"),
            ("past U+FFFF", "\u{1f600}\u{e0041}", "\u{1f600}\\udb40\\udc41"),
            ("others stay", "\u{a0}\u{e9}\u{1f600}", "\u{a0}\u{e9}\u{1f600}"),
        ];
        for (name, text, want) in rows {
            let (label, advice) = ("ambiguous", "Rename it.");
            let refusal = EntryRefusal { label, text: text.to_owned().into(), advice };
            let response = Failure::UnprocessableEntry(refusal).into_response(false);
            let message = format!(r#""message":"422 Unprocessable entry - {want}""#);
            let want = format!(r#"{{{message},"reason":"{label}","advice":"{advice}"}}"#);
            assert_eq!(response.body(), want.as_str(), "{name}");
            let parsed: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(parsed["message"], format!("422 Unprocessable entry - {text}"), "{name}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_read_is_unauthorized() {
        for defect in
            [UnreadableToken::Empty, UnreadableToken::NotVisibleAscii, UnreadableToken::Repeated]
        {
            assert_eq!(Failure::from(defect), Failure::Unauthorized);
        }
    }
}

//! The answers themselves: a file, an archive, a line of text.

use std::sync::Arc;

use bytes::Bytes;
use entryway::{Error, Rule};
use entryway_http::{EntryHeaders, Outcome, Plan, RequestHead, file_body, plan, subset_body};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::download::{Address, broken, refused};
use super::{Answer, AnswerBody};
use crate::archives::{DecoderMemory, OpenArchive, ServedEntry, ServedSubset};
use crate::reply::{Failure, json_bytes};

/// One file out of an archive (endpoints C and D).
pub(super) async fn file(
    head: &Parts,
    archive: &Arc<OpenArchive>,
    entry: &ServedEntry,
    address: Address,
    cache_control: &HeaderValue,
    decoder_memory: &DecoderMemory,
) -> Result<Answer, Failure> {
    let headers = entry.headers(address.purpose());
    let plan = planned(head, headers)?;
    let mut answer = Response::new(AnswerBody::empty());
    *answer.status_mut() = plan.status();
    let multipart = headers.write(&plan, cache_control, answer.headers_mut());
    let share = match entry.decoder_memory(&plan) {
        0 => None,
        len => Some(decoder_memory.share(len).await.ok_or(Failure::DECODERS_BUSY)?),
    };
    let body = entry
        .body(archive.source(), &plan, multipart)
        .await
        .map_err(|error| unreadable(&error, archive, entry))?;
    *answer.body_mut() = AnswerBody::of_entry(body, archive, &entry.found().raw_name, share);
    Ok(answer)
}

/// What an entry whose bytes are not what they should be is answered with, before the head is out.
fn unreadable(error: &Error, archive: &OpenArchive, entry: &ServedEntry) -> Failure {
    archive.failed(error);
    match error {
        // The limits may be lower than when it was stored: the file has nothing to do with it.
        Error::Entry(refusal) if refusal.rule == Rule::EntryOverLimit => refused(refusal),
        // Good when it was stored: then the file has changed, and it is the server's fault.
        Error::Entry(refusal) if !entry.is_verified() && !archive.was_changed() => refused(refusal),
        error => broken(error),
    }
}

/// A whole archive (endpoints A and B).
pub(super) fn archive(
    head: &Parts,
    archive: &Arc<OpenArchive>,
    cache_control: &HeaderValue,
) -> Result<Answer, Failure> {
    let headers = archive.download();
    let plan = planned(head, headers)?;
    let mut answer = Response::new(AnswerBody::empty());
    *answer.status_mut() = plan.status();
    let multipart = headers.write(&plan, cache_control, answer.headers_mut());
    let body = file_body(archive.source().clone(), &plan, multipart);
    *answer.body_mut() = AnswerBody::of_archive(body, archive);
    Ok(answer)
}

/// A part of an archive as an archive of its own (endpoints A and B with `path[]`).
pub(super) fn subset(
    head: &Parts,
    archive: &Arc<OpenArchive>,
    subset: &ServedSubset,
    cache_control: &HeaderValue,
) -> Result<Answer, Failure> {
    let headers = subset.headers();
    let plan = planned(head, headers)?;
    let mut answer = Response::new(AnswerBody::empty());
    *answer.status_mut() = plan.status();
    let multipart = headers.write(&plan, cache_control, answer.headers_mut());
    let body = subset_body(archive.source().clone(), subset.subset(), &plan, multipart);
    *answer.body_mut() = AnswerBody::of_archive(body, archive);
    Ok(answer)
}

/// What preconditions, codings and ranges come to; the errors among it are failures.
fn planned(head: &Parts, headers: &EntryHeaders) -> Result<Plan, Failure> {
    let request = RequestHead { method: &head.method, headers: &head.headers };
    let plan = plan(&request, headers.metadata());
    match plan.outcome {
        Outcome::Whole | Outcome::Part(_) | Outcome::Parts(_) | Outcome::NotModified => Ok(plan),
        Outcome::PreconditionFailed => Err(Failure::PreconditionFailed),
        Outcome::NotAcceptable => Err(Failure::NotAcceptable),
        Outcome::NotSatisfiable => {
            let metadata = headers.metadata();
            let complete_len = metadata.length(plan.coding).unwrap_or(metadata.complete_len);
            Err(Failure::RangeNotSatisfiable { complete_len })
        }
    }
}

/// JSON that belongs to the caller, and to no cache.
pub(super) fn json(status: StatusCode, object: &impl Serialize) -> Result<Answer, Failure> {
    let bytes = json_bytes(object).map_err(|error| {
        tracing::error!(%error, "cannot write an answer");
        Failure::InternalServerError { reason: "unwritable_answer" }
    })?;
    let mut answer = document(bytes.into());
    *answer.status_mut() = status;
    Ok(answer)
}

/// JSON as it is.
pub(super) fn document(json: Bytes) -> Answer {
    let len = json.len();
    let mut answer = Response::new(AnswerBody::from_bytes(json));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// An outcome without anything to show for it.
pub(super) fn message(status: StatusCode, message: &'static str) -> Result<Answer, Failure> {
    json(status, &Message { message })
}

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

/// Done, and nothing to say (204).
pub(super) fn no_content() -> Answer {
    let mut answer = Response::new(AnswerBody::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The methods of a path (RFC 9110 section 9.3.7).
pub(super) fn options(allow: &'static str) -> Answer {
    let mut answer = no_content();
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    answer
}

/// A line of text for a probe.
pub(super) fn text(line: &'static str) -> Answer {
    plain(Bytes::from_static(line.as_bytes()), "text/plain; charset=utf-8")
}

/// What is counted, in the text format of OpenMetrics, which Prometheus reads.
pub(super) fn metrics(text: Bytes) -> Answer {
    plain(text, "text/plain; version=0.0.4; charset=utf-8")
}

fn plain(text: Bytes, content_type: &'static str) -> Answer {
    let len = text.len();
    let mut answer = Response::new(AnswerBody::from_bytes(text));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

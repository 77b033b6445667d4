//! The line that `--access-log` writes for a request.

use std::borrow::Cow;
use std::time::Instant;

use http::request::Parts;
use http_body::Body;
use percent_encoding::{CONTROLS, utf8_percent_encode};

use super::Answer;
use crate::credential::without_tokens;
use crate::route::redacted;

/// Writes the line, if the request was timed: no field of the head, no token of the query, and
/// ASCII without control characters only.
pub(super) fn write(head: &Parts, answer: &Answer, label: &'static str, begun: Option<Instant>) {
    let Some(begun) = begun else { return };
    tracing::info!(
        target: "entryway::access",
        method = %head.method,
        path = &*shown(head.uri.path()),
        query = head.uri.query().map(|query| shown(&redacted(query)).into_owned()),
        version = ?head.version,
        status = answer.status().as_u16(),
        body_len = answer.body().size_hint().exact(),
        label,
        micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
    );
}

/// A part of a target as it may be shown: a token of ours in it, wherever it stands, is replaced;
/// what is no ASCII or a control character is percent-encoded, as it should have been.
///
/// hyper refuses control characters of ASCII; what is left are those of Unicode, line separators
/// and marks that turn text round.
fn shown(part: &str) -> Cow<'_, str> {
    match without_tokens(part) {
        Cow::Borrowed(part) => utf8_percent_encode(part, CONTROLS).into(),
        Cow::Owned(part) => Cow::Owned(utf8_percent_encode(&part, CONTROLS).to_string()),
    }
}

use serde::Serialize;

use super::MAX_JSON_LEN;
use super::object::{Object, Value};
use crate::catalog::Json;
use crate::reply::json_bytes;
use crate::timestamp;

/// Characters of a commit's id that make its short one, as GitLab cuts it.
const SHORT_ID_LEN: usize = 8;

/// A commit with the members that the Job entity gives it, in its order.
#[derive(Debug, Default, Serialize)]
pub(super) struct Commit {
    pub(super) id: Option<String>,
    pub(super) short_id: Option<String>,
    pub(super) title: Option<String>,
    pub(super) message: Option<String>,
    pub(super) author_name: Option<String>,
    pub(super) author_email: Option<String>,
    pub(super) created_at: Option<String>,
}

impl Commit {
    /// Reads one that has these members and no other, each a text or null or left out.
    pub(super) fn read(value: Value) -> Option<Self> {
        let mut object = value.object()?;
        let mut text = |name| object.given(name, Value::any_text).ok();
        let commit = Self {
            id: text("id")?,
            short_id: text("short_id")?,
            title: text("title")?,
            message: text("message")?,
            author_name: text("author_name")?,
            author_email: text("author_email")?,
            created_at: object.given("created_at", Value::time).ok()?.map(timestamp::text),
        };
        object.end().ok()?;
        Some(commit)
    }

    /// As JSON, with what follows from other members; `None` where that is too long to be kept.
    pub(super) fn json(mut self) -> Option<Json> {
        if self.short_id.is_none() {
            self.short_id =
                self.id.as_ref().map(|id| id.chars().take(SHORT_ID_LEN).collect::<String>());
        }
        if self.title.is_none() {
            let first_line = |message: &String| message.lines().next().map(str::to_owned);
            self.title = self.message.as_ref().and_then(first_line);
        }
        kept(&self)
    }
}

impl Object {
    /// As JSON; `None` where that is too long to be kept.
    pub(super) fn json(&self) -> Option<Json> {
        kept(self)
    }
}

fn kept(value: &impl Serialize) -> Option<Json> {
    let json = String::from_utf8(json_bytes(value).ok()?).ok()?;
    (json.len() <= MAX_JSON_LEN).then(|| Json(json.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_of_a_commit_follows_from_the_rest_or_is_null() {
        let table = [
            (
                "an id and a message",
                r#"{"message":"Mend it\n\nAt last.","id":"0123456789abcdef"}"#,
                Some(concat!(
                    r#"{"id":"0123456789abcdef","short_id":"01234567","title":"Mend it","#,
                    r#""message":"Mend it\n\nAt last.","author_name":null,"author_email":null,"#,
                    r#""created_at":null}"#
                )),
            ),
            (
                "what is given stays",
                concat!(
                    r#"{"id":"01234567","short_id":"012","title":"T","message":null,"#,
                    r#""author_name":"A","author_email":"a@b.example","#,
                    r#""created_at":"2026-01-02T03:04:05+01:00"}"#
                ),
                Some(concat!(
                    r#"{"id":"01234567","short_id":"012","title":"T","message":null,"#,
                    r#""author_name":"A","author_email":"a@b.example","#,
                    r#""created_at":"2026-01-02T02:04:05.000Z"}"#
                )),
            ),
            ("another member", r#"{"id":"01234567","parents":[]}"#, None),
            ("a number", r#"{"id":7}"#, None),
            ("a time that is none", r#"{"created_at":"yesterday"}"#, None),
            ("a list", "[]", None),
        ];
        for (name, body, expected) in table {
            let value = serde_json::from_str(body).unwrap();
            let json = Commit::read(value).and_then(Commit::json);
            assert_eq!(json.as_ref().map(|json| &*json.0), expected, "{name}");
        }
    }
}

//! The one credential that a request presents.
//!
//! Where several are given, the first of this list counts and the others are not looked at:
//!
//! 1. the parameter `private_token`,
//! 2. the field `PRIVATE-TOKEN`,
//! 3. the field `Authorization` with the scheme `Bearer` (RFC 6750 section 2.1),
//! 4. the parameter `job_token`,
//! 5. the field `JOB-TOKEN`.
//!
//! The order is GitLab's: access tokens before job tokens, and within a kind the parameter before
//! the field. GitLab passes over an empty one; here a credential that is there is the credential,
//! so that a bad token never becomes anonymous. A field that is repeated is a bad credential as
//! well (which of the two values counts would depend on who reads them), and so 401 and not 400.
//! `Authorization` with another scheme presents none: a proxy in front may use it for itself.

use std::fmt;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use thiserror::Error;

use super::query::Query;

static PRIVATE_TOKEN: HeaderName = HeaderName::from_static("private-token");
static JOB_TOKEN: HeaderName = HeaderName::from_static("job-token");

/// The text of a token; its `Debug` form never shows it, and it has no `Display`.
#[derive(Clone)]
pub struct TokenText(Box<str>);

impl TokenText {
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The token itself: to be hashed and looked up, never to be written anywhere.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What a presented token claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A token of a person or a program: `private_token`, `PRIVATE-TOKEN`.
    Access,
    /// `Authorization: Bearer`, which carries an access token.
    Bearer,
    /// The token of a running job: `job_token`, `JOB-TOKEN`.
    Job,
}

/// A token that a request presents: 1 or more visible ASCII characters, otherwise unchecked.
#[derive(Clone, Debug)]
pub struct PresentedToken {
    /// Where it was presented, and so what it claims to be.
    pub kind: TokenKind,
    /// The token.
    pub text: TokenText,
}

/// Why what stands in the place of a credential cannot be one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UnreadableToken {
    /// The field or parameter is there and has no value.
    #[error("the token is empty")]
    Empty,
    /// A space, a control character or a byte past ASCII.
    #[error("the token has characters other than visible ASCII")]
    NotVisibleAscii,
    /// The field occurs more than once.
    #[error("the field with the token is repeated")]
    Repeated,
}

/// Finds the credential of a request in its header and query; `None` is an anonymous request.
///
/// # Errors
/// [`UnreadableToken`], which is to be answered as any bad token is: 401.
pub fn find_presented(
    headers: &HeaderMap,
    query: &Query,
) -> Result<Option<PresentedToken>, UnreadableToken> {
    if let Some(text) = &query.private_token {
        return token(TokenKind::Access, text.reveal().as_bytes()).map(Some);
    }
    if let Some(value) = single(headers, &PRIVATE_TOKEN)? {
        return token(TokenKind::Access, value).map(Some);
    }
    if let Some(value) = bearer(headers)? {
        return token(TokenKind::Bearer, value).map(Some);
    }
    if let Some(text) = &query.job_token {
        return token(TokenKind::Job, text.reveal().as_bytes()).map(Some);
    }
    if let Some(value) = single(headers, &JOB_TOKEN)? {
        return token(TokenKind::Job, value).map(Some);
    }
    Ok(None)
}

fn token(kind: TokenKind, value: &[u8]) -> Result<PresentedToken, UnreadableToken> {
    if value.is_empty() {
        return Err(UnreadableToken::Empty);
    }
    if !value.iter().all(u8::is_ascii_graphic) {
        return Err(UnreadableToken::NotVisibleAscii);
    }
    let text = std::str::from_utf8(value).map_err(|_| UnreadableToken::NotVisibleAscii)?;
    Ok(PresentedToken { kind, text: TokenText::new(text) })
}

fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h [u8]>, UnreadableToken> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(UnreadableToken::Repeated);
    }
    // Whitespace round a field value is no part of it (RFC 9110 section 5.5); HTTP/2 lets it pass.
    Ok(first.map(|value| value.as_bytes().trim_ascii()))
}

fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, UnreadableToken> {
    let mut tokens =
        headers.get_all(AUTHORIZATION).iter().filter_map(|v| bearer_value(v.as_bytes()));
    let Some(first) = tokens.next() else {
        return Ok(None);
    };
    // One field only (RFC 9110 section 11.6.2); beside a Bearer, another scheme is one too many.
    if headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
        return Err(UnreadableToken::Repeated);
    }
    Ok(Some(first))
}

/// What follows the scheme, which is compared without case (RFC 9110 section 11.1).
fn bearer_value(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    scheme.eq_ignore_ascii_case(b"bearer").then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    type Fields = &'static [(&'static str, &'static [u8])];

    fn find(fields: Fields, query: &str) -> Result<Option<(TokenKind, String)>, UnreadableToken> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        let query = Query::parse(Some(query)).unwrap();
        let presented = find_presented(&headers, &query)?;
        Ok(presented.map(|p| (p.kind, p.text.reveal().to_owned())))
    }

    #[test]
    fn finds_the_credential_wherever_it_is_presented() {
        use TokenKind::{Access, Bearer, Job};
        type Row = (&'static str, Fields, &'static str, Option<(TokenKind, &'static str)>);
        let rows: &[Row] = &[
            ("none", &[], "", None),
            ("other fields", &[("accept", b"*/*")], "job=build", None),
            ("private field", &[("PRIVATE-TOKEN", b"t")], "", Some((Access, "t"))),
            ("private field in another case", &[("Private-Token", b"t")], "", Some((Access, "t"))),
            ("private parameter", &[], "private_token=t%2B1", Some((Access, "t+1"))),
            ("bearer", &[("authorization", b"Bearer t")], "", Some((Bearer, "t"))),
            ("bearer in lower case", &[("authorization", b"bearer t")], "", Some((Bearer, "t"))),
            ("bearer in upper case", &[("authorization", b"BEARER  t")], "", Some((Bearer, "t"))),
            ("job field", &[("Job-Token", b"t")], "", Some((Job, "t"))),
            ("job parameter", &[], "job_token=t", Some((Job, "t"))),
            ("basic", &[("authorization", b"Basic dXNlcjpwYXNz")], "", None),
            (
                "basic twice",
                &[("authorization", b"Basic a"), ("authorization", b"Basic b")],
                "",
                None,
            ),
            ("a scheme that begins alike", &[("authorization", b"BearerX t")], "", None),
            ("a token without a scheme", &[("authorization", b"t")], "", None),
            ("empty authorization", &[("authorization", b"")], "", None),
            ("whitespace round the value", &[("private-token", b"t ")], "", Some((Access, "t"))),
        ];
        for (name, fields, query, want) in rows {
            let got = find(fields, query).unwrap();
            let got = got.as_ref().map(|(kind, text)| (*kind, text.as_str()));
            assert_eq!(got, *want, "{name}");
        }
    }

    #[test]
    fn the_first_place_in_order_counts() {
        const ALL: Fields =
            &[("private-token", b"b"), ("authorization", b"Bearer c"), ("job-token", b"e")];
        let rows: &[(&str, Fields, &str, &str)] = &[
            ("private parameter over all", ALL, "private_token=a&job_token=d", "a"),
            ("private field", ALL, "job_token=d", "b"),
            ("bearer", ALL.split_at(1).1, "job_token=d", "c"),
            ("job parameter", ALL.split_at(2).1, "job_token=d", "d"),
            ("job field", ALL.split_at(2).1, "", "e"),
        ];
        for (name, fields, query, want) in rows {
            let got = find(fields, query).unwrap().map(|(_, text)| text);
            assert_eq!(got.as_deref(), Some(*want), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_a_bad_one() {
        use UnreadableToken::{Empty, NotVisibleAscii, Repeated};
        let rows: &[(&str, Fields, &str, UnreadableToken)] = &[
            ("empty parameter", &[], "private_token=", Empty),
            ("parameter without a value", &[], "private_token", Empty),
            ("empty job parameter", &[], "job_token=", Empty),
            ("empty field", &[("private-token", b"")], "", Empty),
            ("blank field", &[("job-token", b" \t")], "", Empty),
            ("bearer without a token", &[("authorization", b"Bearer")], "", Empty),
            ("bearer and a space", &[("authorization", b"Bearer ")], "", Empty),
            ("space inside", &[("private-token", b"a b")], "", NotVisibleAscii),
            (
                "two bearers in one field",
                &[("authorization", b"Bearer a, Bearer b")],
                "",
                NotVisibleAscii,
            ),
            ("byte past ASCII", &[("private-token", b"t\xe9")], "", NotVisibleAscii),
            ("UTF-8", &[], "private_token=%C3%A9", NotVisibleAscii),
            ("NUL in a parameter", &[], "job_token=t%00", NotVisibleAscii),
            ("repeated field", &[("private-token", b"t"), ("private-token", b"u")], "", Repeated),
            (
                "repeated field, same value",
                &[("job-token", b"t"), ("job-token", b"t")],
                "",
                Repeated,
            ),
            (
                "two bearers",
                &[("authorization", b"Bearer a"), ("authorization", b"Bearer b")],
                "",
                Repeated,
            ),
            (
                "basic and bearer",
                &[("authorization", b"Basic a"), ("authorization", b"Bearer b")],
                "",
                Repeated,
            ),
            (
                "a bad one before a good one",
                &[("private-token", b""), ("job-token", b"t")],
                "",
                Empty,
            ),
        ];
        for (name, fields, query, want) in rows {
            assert_eq!(find(fields, query), Err(*want), "{name}");
        }
    }

    #[test]
    fn debug_output_never_shows_a_token() {
        const CANARY: &str = "canary-5f2c";
        let query = Query::parse(Some("private_token=canary-5f2c&job_token=canary-5f2c")).unwrap();
        let presented = find_presented(&HeaderMap::new(), &query).unwrap();
        let shown = format!("{query:?} {query:#?} {presented:?} {presented:#?}");
        assert!(shown.contains("[redacted]"));
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

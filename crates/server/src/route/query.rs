//! The parameters of a request: names and values decoded once, a `+` being a space.
//!
//! Unknown parameters are ignored, but the whole query has to be well-formed UTF-8. A value is read
//! as what it stands for (a boolean, say) only by the endpoint that has the parameter.

use std::borrow::Cow;

use super::percent::decode_query;
use super::presented::TokenText;
use crate::credential::without_tokens;
use crate::reply::Failure;

/// The decoded parameters that any endpoint knows; the tokens are hidden from `Debug`.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// `job`, the name of a job.
    job: Option<Box<str>>,
    /// `search_recent_successful_pipelines`, not yet read as a boolean.
    search_recent_successful_pipelines: Option<Box<str>>,
    /// `raw`, not yet read as a boolean.
    raw: Option<Box<str>>,
    /// `recursive`, not yet read as a boolean.
    recursive: Option<Box<str>>,
    /// `direct_download`, not yet read as a boolean.
    direct_download: Option<Box<str>>,
    /// `page`, not yet read as a number.
    pub(super) page: Option<Box<str>>,
    /// `per_page`, not yet read as a number.
    pub(super) per_page: Option<Box<str>>,
    /// `path`, unchecked.
    pub(super) path: Option<Box<str>>,
    /// `expire_in`, `artifact_type` and `artifact_format`, unchecked.
    upload: UploadParameters,
    /// `private_token`, to be found by `find_presented`.
    pub(super) private_token: Option<TokenText>,
    /// `job_token`, to be found by `find_presented`.
    pub(super) job_token: Option<TokenText>,
    /// The values of `path[]` in the order of the query, unchecked.
    pub(super) paths: Vec<Box<str>>,
}

/// What a runner says of the file that it hands in, not yet read: the same may stand in the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadParameters {
    /// `expire_in`: for how long the artifacts are kept.
    pub expire_in: Option<Box<str>>,
    /// `artifact_type`: `archive`, `junit`, ...
    pub artifact_type: Option<Box<str>>,
    /// `artifact_format`: `zip`, `gzip` or `raw`.
    pub artifact_format: Option<Box<str>>,
}

impl Query {
    /// Whether a parameter presents a credential.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.private_token.is_some() || self.job_token.is_some()
    }

    /// Reads the undecoded query, what follows the `?` of a request target.
    ///
    /// Of a repeated parameter that may be repeated the last one counts.
    ///
    /// # Errors
    /// [`Failure::ParameterInvalid`] where a name or value cannot be decoded;
    /// [`Failure::ParameterRepeated`] for the parameters whose repetition could mean two things to
    /// two readers.
    pub fn parse(undecoded: Option<&str>) -> Result<Self, Failure> {
        let mut query = Self::default();
        for pair in undecoded.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, "query")?;
            match &*name {
                "job" => once(&mut query.job, "job", decode(value, "job")?.into())?,
                "search_recent_successful_pipelines" => {
                    let value = decode(value, "search_recent_successful_pipelines")?;
                    query.search_recent_successful_pipelines = Some(value.into());
                }
                "raw" => query.raw = Some(decode(value, "raw")?.into()),
                "private_token" => {
                    let token = TokenText::new(decode(value, "private_token")?);
                    once(&mut query.private_token, "private_token", token)?;
                }
                "job_token" => {
                    let token = TokenText::new(decode(value, "job_token")?);
                    once(&mut query.job_token, "job_token", token)?;
                }
                "page" => once(&mut query.page, "page", decode(value, "page")?.into())?,
                "per_page" => {
                    once(&mut query.per_page, "per_page", decode(value, "per_page")?.into())?;
                }
                "path" => query.path = Some(decode(value, "path")?.into()),
                "path[]" => query.paths.push(decode(value, "path")?.into()),
                "recursive" => query.recursive = Some(decode(value, "recursive")?.into()),
                "direct_download" => {
                    query.direct_download = Some(decode(value, "direct_download")?.into());
                }
                "expire_in" => {
                    query.upload.expire_in = Some(decode(value, "expire_in")?.into());
                }
                "artifact_type" => {
                    query.upload.artifact_type = Some(decode(value, "artifact_type")?.into());
                }
                "artifact_format" => {
                    query.upload.artifact_format = Some(decode(value, "artifact_format")?.into());
                }
                _ => {
                    decode(value, "query")?;
                }
            }
        }
        Ok(query)
    }

    /// The name of the job, which B and D cannot do without.
    pub(super) fn required_job(&self) -> Result<Box<str>, Failure> {
        match self.job.as_deref() {
            None | Some("") => Err(Failure::ParameterMissing { name: "job" }),
            // No job has such a name, and not every database can be asked for it.
            Some(job) if job.contains('\0') => Err(Failure::ParameterInvalid { name: "job" }),
            Some(job) => Ok(job.into()),
        }
    }

    /// Whether older pipelines may be searched; not given, they may not.
    pub(super) fn searches_recent_pipelines(&self) -> Result<bool, Failure> {
        let value = self.search_recent_successful_pipelines.as_deref();
        parse_boolean(value, "search_recent_successful_pipelines")
    }

    /// Whether `.../artifacts/tree` means the entry `tree`; not given, it does not.
    pub(super) fn wants_raw(&self) -> Result<bool, Failure> {
        parse_boolean(self.raw.as_deref(), "raw")
    }

    /// Whether what lies in folders of a folder is listed; not given, it is not.
    pub(super) fn is_recursive(&self) -> Result<bool, Failure> {
        parse_boolean(self.recursive.as_deref(), "recursive")
    }

    /// Whether a runner would follow a redirect to where the file lies; not given, it would not.
    pub(super) fn wants_direct_download(&self) -> Result<bool, Failure> {
        parse_boolean(self.direct_download.as_deref(), "direct_download")
    }

    /// What is said of an upload.
    pub(super) fn upload_parameters(&self) -> UploadParameters {
        self.upload.clone()
    }
}

fn decode<'q>(text: &'q str, name: &'static str) -> Result<Cow<'q, str>, Failure> {
    decode_query(text).map_err(|_| Failure::ParameterInvalid { name })
}

fn once<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), Failure> {
    if slot.is_some() {
        return Err(Failure::ParameterRepeated { name });
    }
    *slot = Some(value);
    Ok(())
}

fn parse_boolean(value: Option<&str>, name: &'static str) -> Result<bool, Failure> {
    let Some(value) = value else {
        return Ok(false);
    };
    match value.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err(Failure::ParameterInvalid { name }),
    }
}

/// The undecoded query with the value of every parameter that may hold a token replaced.
///
/// This is what a log may show. Names are compared as [`Query::parse`] reads them, and whatever has
/// a name with `token` in it counts, known or not. A value goes too where the name cannot be
/// decoded. Clients have used `;` as a separator: a name behind one counts too.
///
/// ```
/// use entryway_server::route::redacted;
///
/// assert_eq!(redacted("job=build&private_token=t"), "job=build&private_token=[redacted]");
/// ```
#[must_use]
pub fn redacted(undecoded: &str) -> String {
    let pairs = undecoded.split('&').map(|pair| {
        let mut shown_len = 0;
        for part in pair.split_inclusive(';') {
            match part.split_once('=') {
                Some((name, _)) if may_name_token(name) => {
                    let name = &pair[..shown_len + name.len()];
                    return Cow::Owned(format!("{name}=[redacted]"));
                }
                _ => shown_len += part.len(),
            }
        }
        Cow::Borrowed(pair)
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// The undecoded query without its page and without every parameter that may hold a token, by its
/// name or because it does: what the address of another page begins with.
#[must_use]
pub fn without_page_and_tokens(undecoded: &str) -> Cow<'_, str> {
    let is_kept = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        // One without a value is there too.
        let names_token = may_name_token(name);
        let is_page = decode_query(name).is_ok_and(|name| name == "page");
        let has_token = decode_query(pair).map_or(true, |pair| *without_tokens(&pair) != *pair);
        let is_shown = !has_token && !names_token && *redacted(pair) == **pair;
        !pair.is_empty() && !is_page && is_shown
    };
    undecoded.split('&').filter(is_kept).collect::<Vec<_>>().join("&").into()
}

fn may_name_token(name: &str) -> bool {
    match decode_query(name) {
        Ok(name) => name.to_ascii_lowercase().contains("token"),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn missing() -> Failure {
        Failure::ParameterMissing { name: "job" }
    }

    fn invalid(name: &'static str) -> Failure {
        Failure::ParameterInvalid { name }
    }

    #[test]
    fn a_query_has_a_token_where_either_parameter_presents_one() {
        let rows = [
            (None, false),
            (Some("job=build&token=x"), false),
            (Some("private_token=x"), true),
            (Some("job_token=x"), true),
            (Some("private_token=x&job_token=x"), true),
            // A credential that is there is the credential, and an empty one is unknown.
            (Some("private_token="), true),
            (Some("job_token"), true),
        ];
        for (undecoded, want) in rows {
            assert_eq!(Query::parse(undecoded).unwrap().has_token(), want, "{undecoded:?}");
        }
    }

    #[test]
    fn the_job_is_required_and_decoded_once() {
        let rows = [
            ("plain", Some("job=build"), Ok("build")),
            ("plus", Some("job=build+job"), Ok("build job")),
            ("encoded space", Some("job=build%20job"), Ok("build job")),
            ("encoded plus", Some("job=a%2Bb"), Ok("a+b")),
            ("encoded ampersand", Some("job=a%26b"), Ok("a&b")),
            ("equals sign in the value", Some("job=a=b"), Ok("a=b")),
            ("encoded name", Some("%6aob=build"), Ok("build")),
            ("double encoding", Some("job=%2541"), Ok("%41")),
            ("not ASCII", Some("job=%C3%A9"), Ok("\u{e9}")),
            ("among others", Some("&a=1&&job=build&job_name=x&"), Ok("build")),
            ("a question mark", Some("job=a?b"), Ok("a?b")),
            ("no query", None, Err(missing())),
            ("empty query", Some(""), Err(missing())),
            ("empty value", Some("job="), Err(missing())),
            ("no value", Some("job"), Err(missing())),
            ("an array is another parameter", Some("job[]=build"), Err(missing())),
            ("another case is another parameter", Some("JOB=build"), Err(missing())),
            ("NUL", Some("job=a%00"), Err(invalid("job"))),
            ("malformed", Some("job=%"), Err(invalid("job"))),
            ("not UTF-8", Some("job=%ff"), Err(invalid("job"))),
            ("unknown parameter not UTF-8", Some("job=a&x=%ff"), Err(invalid("query"))),
            ("name malformed", Some("job=a&%zz=1"), Err(invalid("query"))),
        ];
        for (name, undecoded, want) in rows {
            let got = Query::parse(undecoded).and_then(|query| query.required_job());
            assert_eq!(got.as_deref(), want.as_deref(), "{name}");
        }
    }

    #[test]
    fn a_repetition_that_could_mean_two_things_is_refused() {
        for name in ["job", "job_token", "private_token", "page", "per_page"] {
            let encoded = format!("%{:02x}{}", name.as_bytes()[0], &name[1..]);
            for query in [format!("{name}=a&{name}=b"), format!("{name}=a&x=1&{encoded}=a")] {
                let got = Query::parse(Some(&query)).map(|_| ());
                let Err(Failure::ParameterRepeated { name: repeated }) = got else {
                    panic!("{query}: {got:?}");
                };
                assert_eq!(repeated, name);
            }
        }
        for query in ["job=&job=", "job&job"] {
            let got = Query::parse(Some(query)).map(|_| ());
            assert_eq!(got, Err(Failure::ParameterRepeated { name: "job" }), "{query}");
        }
        let query = Query::parse(Some("raw=no&raw=yes&x=1&x=2")).unwrap();
        assert_eq!(query.wants_raw(), Ok(true), "the last one counts");
    }

    #[test]
    fn booleans_have_six_spellings_each_in_any_case() {
        let rows = [
            (&["true", "t", "yes", "y", "on", "1", "TRUE", "T", "Yes", "Y", "oN"][..], Ok(true)),
            (&["false", "f", "no", "n", "off", "0", "FALSE", "F", "No", "N", "Off"][..], Ok(false)),
            (
                &["", "2", "-1", "maybe", "tru", "truee", "true%20", "+true", "null"][..],
                Err(invalid("search_recent_successful_pipelines")),
            ),
        ];
        for (spellings, want) in rows {
            for spelling in spellings {
                let undecoded = format!("search_recent_successful_pipelines={spelling}");
                let query = Query::parse(Some(&undecoded)).unwrap();
                assert_eq!(query.searches_recent_pipelines(), want, "{spelling:?}");
            }
        }
        assert_eq!(Query::default().searches_recent_pipelines(), Ok(false));
        let query = Query::parse(Some("raw=x&recursive=y&direct_download=")).unwrap();
        assert_eq!(query.wants_raw(), Err(invalid("raw")));
        assert_eq!(query.is_recursive(), Ok(true));
        assert_eq!(query.wants_direct_download(), Err(invalid("direct_download")));
    }

    #[test]
    fn selected_paths_keep_their_order() {
        let query = Query::parse(Some("path[]=b&path%5B%5D=a%2Fx+y&path=c&path[0]=d")).unwrap();
        assert_eq!(query.paths, ["b".into(), "a/x y".into()]);
        assert_eq!(query.path.as_deref(), Some("c"));
    }

    #[test]
    fn what_is_said_of_an_upload_is_decoded_and_no_more() {
        let query = "artifact_format=zip&artifact_type=&expire_in=x&expire_in=1+week%202+days";
        let query = Query::parse(Some(query)).unwrap();
        let want = UploadParameters {
            expire_in: Some("1 week 2 days".into()),
            artifact_type: Some("".into()),
            artifact_format: Some("zip".into()),
        };
        assert_eq!(query.upload_parameters(), want);
        assert_eq!(Query::default().upload_parameters(), UploadParameters::default());
        for name in ["expire_in", "artifact_type", "artifact_format", "path", "recursive"] {
            let got = Query::parse(Some(&format!("{name}=%ff"))).map(|_| ());
            assert_eq!(got, Err(invalid(name)));
        }
    }

    #[test]
    fn the_address_of_another_page_has_no_page_and_no_token() {
        let rows = [
            ("nothing", "", ""),
            ("all kept", "job=a+b&path=%2Fx&flag", "job=a+b&path=%2Fx&flag"),
            ("page", "page=2&job=a&%70age=3&pages=1", "job=a&pages=1"),
            ("tokens", "private_token=t&a=1&job%5ftoken=t&TOKEN=t", "a=1"),
            ("tokens without a value", "private_token&a=1&job_token", "a=1"),
            ("ours by itself", "ewt_0123&a=1", "a=1"),
            ("ours as a name", "ewt_0123=1&a=1", "a=1"),
            ("ours as a value", "a=1&x=ewt_0123", "a=1"),
            ("ours within a value, encoded", "x=1%65wt_0123&a=1", "a=1"),
            ("nothing between", "a=1&&b=2&", "a=1&b=2"),
        ];
        for (name, undecoded, want) in rows {
            assert_eq!(without_page_and_tokens(undecoded), want, "{name}");
        }
    }

    #[test]
    fn a_redacted_query_shows_no_token() {
        let rows = [
            ("nothing to hide", "job=build&x", "job=build&x"),
            ("empty", "", ""),
            (
                "an upload's parameters",
                "artifact_type=archive&expire_in=1+week",
                "artifact_type=archive&expire_in=1+week",
            ),
            ("private token", "private_token=S", "private_token=[redacted]"),
            ("job token between others", "a=1&job_token=S&b=2", "a=1&job_token=[redacted]&b=2"),
            ("equals signs in the value", "private_token=S=S", "private_token=[redacted]"),
            ("encoded name", "private%5Ftoken=S", "private%5Ftoken=[redacted]"),
            ("array", "private_token[]=S", "private_token[]=[redacted]"),
            ("a token nobody knows", "Access_Token=S", "Access_Token=[redacted]"),
            ("undecodable name", "private_token%=S", "private_token%=[redacted]"),
            ("a semicolon before it", "a=1;job_token=S;S&b", "a=1;job_token=[redacted]&b"),
            ("a semicolon in the value", "job_token=S;a=S", "job_token=[redacted]"),
            ("repeated", "job_token=S&job_token=S", "job_token=[redacted]&job_token=[redacted]"),
        ];
        for (name, undecoded, want) in rows {
            assert_eq!(redacted(undecoded), want, "{name}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(undecoded in any::<String>()) {
            let _ = Query::parse(Some(&undecoded));
            let _ = redacted(&undecoded);
        }

        #[test]
        fn a_token_that_is_found_is_never_in_the_redacted_query(
            pairs in prop::collection::vec(
                (
                    prop::sample::select(vec![
                        "job", "private_token", "job%5ftoken", "%70rivate_token",
                    ]),
                    "[A-Z]{8}",
                ),
                0..4,
            ),
        ) {
            let undecoded: Vec<String> =
                pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let undecoded = undecoded.join("&");
            let shown = redacted(&undecoded);
            if let Ok(query) = Query::parse(Some(&undecoded)) {
                for token in [query.private_token, query.job_token].into_iter().flatten() {
                    prop_assert!(!shown.split('=').any(|part| part.starts_with(token.reveal())));
                }
            }
        }
    }
}

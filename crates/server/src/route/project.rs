//! The `:id` of a project and the number of a job, as they stand in a request target.

use super::percent::decode_path;
use crate::catalog::ProjectPath;
use crate::reply::Failure;

/// Which project the `:id` segment names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProjectKey {
    /// Digits alone, `0..=i64::MAX`.
    Id(i64),
    /// Two or more segments of `[A-Za-z0-9_.-]` with `/` between them, none of them `.` or `..`.
    Path(Box<str>),
    /// A text that no project can have as its id or path; to the caller it is one that does not
    /// exist, after the credential was checked.
    NoSuch,
}

impl ProjectKey {
    /// Reads the undecoded `:id` segment: the one segment in which `%2F` separates.
    ///
    /// # Errors
    /// [`Failure::ParameterInvalid`] where the segment cannot be decoded.
    pub fn parse(undecoded: &str) -> Result<Self, Failure> {
        let invalid = |_| Failure::ParameterInvalid { name: "id" };
        let text = decode_path(undecoded).map_err(invalid)?;
        if is_digits(&text) {
            return Ok(text.parse().map_or(Self::NoSuch, Self::Id));
        }
        let is_path = text.contains('/') && text.split('/').all(is_path_segment);
        Ok(if is_path { Self::Path(text.into()) } else { Self::NoSuch })
    }
}

/// Reads the undecoded `:id` segment of a project that may have to be made: it needs a path.
pub(super) fn parse_project_path(undecoded: &str) -> Result<ProjectPath, Failure> {
    let invalid = Failure::ParameterInvalid { name: "id" };
    match decode_path(undecoded) {
        Ok(text) => text.parse().map_err(|_| invalid),
        Err(_) => Err(invalid),
    }
}

/// Reads the undecoded segment with the number of a job or pipeline: `0..=i64::MAX` in decimal
/// digits, without a sign.
pub(super) fn parse_id(undecoded: &str, name: &'static str) -> Result<i64, Failure> {
    let invalid = Failure::ParameterInvalid { name };
    match decode_path(undecoded) {
        Ok(text) if is_digits(&text) => text.parse().map_err(|_| invalid),
        _ => Err(invalid),
    }
}

/// `str::parse` alone would take `+1` and `-1`.
fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_path_segment(segment: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_project_is_digits_or_an_encoded_path() {
        let invalid = || Err(Failure::ParameterInvalid { name: "id" });
        let path = |text: &str| Ok(ProjectKey::Path(text.into()));
        let rows = [
            ("digits", "7", Ok(ProjectKey::Id(7))),
            ("leading zeros", "007", Ok(ProjectKey::Id(7))),
            ("encoded digit", "%37", Ok(ProjectKey::Id(7))),
            ("largest", "9223372036854775807", Ok(ProjectKey::Id(i64::MAX))),
            ("past the largest", "9223372036854775808", Ok(ProjectKey::NoSuch)),
            ("forty digits", "1234567890123456789012345678901234567890", Ok(ProjectKey::NoSuch)),
            ("path, upper case", "group%2Fproject", path("group/project")),
            ("path, lower case", "group%2fproject", path("group/project")),
            ("subgroups", "a%2Fb-1%2Fc_2%2Fd.e", path("a/b-1/c_2/d.e")),
            ("digits with a slash", "1%2F2", path("1/2")),
            ("name alone", "project", Ok(ProjectKey::NoSuch)),
            ("double encoding", "group%252Fproject", Ok(ProjectKey::NoSuch)),
            ("slash first", "%2Fgroup%2Fproject", Ok(ProjectKey::NoSuch)),
            ("slash last", "group%2Fproject%2F", Ok(ProjectKey::NoSuch)),
            ("slashes doubled", "group%2F%2Fproject", Ok(ProjectKey::NoSuch)),
            ("dot segment", "group%2F..%2Fproject", Ok(ProjectKey::NoSuch)),
            ("space", "group%2Fmy%20project", Ok(ProjectKey::NoSuch)),
            ("plus", "group%2Fa+b", Ok(ProjectKey::NoSuch)),
            ("NUL", "group%2Fa%00", Ok(ProjectKey::NoSuch)),
            ("not ASCII", "group%2F%C3%A9", Ok(ProjectKey::NoSuch)),
            ("negative", "-1", Ok(ProjectKey::NoSuch)),
            ("malformed", "group%2project%", invalid()),
            ("not UTF-8", "group%2F%ff", invalid()),
        ];
        for (name, undecoded, want) in rows {
            assert_eq!(ProjectKey::parse(undecoded), want, "{name}");
        }
    }

    #[test]
    fn a_job_id_is_decimal_digits_within_bounds() {
        let rows = [
            ("digits", "100", Some(100)),
            ("zero", "0", Some(0)),
            ("encoded digit", "1%30", Some(10)),
            ("largest", "9223372036854775807", Some(i64::MAX)),
            ("past the largest", "9223372036854775808", None),
            ("plus sign", "+1", None),
            ("minus sign", "-1", None),
            ("word", "latest", None),
            ("hexadecimal", "0x10", None),
            ("fraction", "1.0", None),
            ("digits that are not ASCII", "%D9%A1", None),
            ("slash", "1%2F2", None),
            ("malformed", "1%", None),
            ("not UTF-8", "%ff", None),
        ];
        for (name, undecoded, want) in rows {
            let want = want.ok_or(Failure::ParameterInvalid { name: "job_id" });
            assert_eq!(parse_id(undecoded, "job_id"), want, "{name}");
        }
        let invalid = Err(Failure::ParameterInvalid { name: "pipeline_id" });
        assert_eq!(parse_id("x", "pipeline_id"), invalid);
    }

    #[test]
    fn a_project_that_is_made_needs_a_path() {
        let rows = [
            ("path", "group%2Fapp", Some("group/app")),
            ("subgroups", "a%2fb%2Fc", Some("a/b/c")),
            ("digits with a slash", "1%2F2", Some("1/2")),
            ("digits", "7", None),
            ("name alone", "app", None),
            ("dot segment", "group%2F..", None),
            ("space", "group%2Fa%20b", None),
            ("double encoding", "group%252Fapp", None),
            ("malformed", "group%2", None),
            ("not UTF-8", "group%2F%ff", None),
        ];
        for (name, undecoded, want) in rows {
            let want = want.ok_or(Failure::ParameterInvalid { name: "id" });
            let got = parse_project_path(undecoded);
            assert_eq!(got.as_ref().map(ProjectPath::as_str), want.as_deref(), "{name}");
        }
    }
}

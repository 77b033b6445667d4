use std::fmt;
use std::str::FromStr;

use super::ProjectId;

/// Longest project path in bytes; the same as for a file name on most systems.
const MAX_PATH_LEN: usize = 255;

/// The full path of a project: two or more segments of `[A-Za-z0-9_.-]` joined by `/`, none of
/// them `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProjectPath(Box<str>);

/// A project path or a group prefix of one: one or more segments. It covers whole segments, so
/// `acme` covers `acme/x` and not `acmecorp/x`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProjectPrefix(Box<str>);

/// Text that cannot be the path of a project or of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProjectPath {
    /// A project lies in a group.
    #[error("a project path has two or more segments, such as group/app")]
    NoGroup,
    /// Longer than 255 bytes.
    #[error("a project path of {len} bytes is over the limit of {MAX_PATH_LEN}")]
    TooLong {
        /// Length of the text in bytes.
        len: usize,
    },
    /// Empty, `.`, `..`, or with a character that is not allowed.
    #[error("segment {index} is not one or more of A-Z a-z 0-9 _ . - (and not . or ..)")]
    Segment {
        /// Which segment, counted from 1.
        index: usize,
    },
}

impl ProjectPath {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProjectPrefix {
    /// The prefix, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a project is the prefix itself or lies below it.
    pub fn covers(&self, project_path: &str) -> bool {
        project_path
            .strip_prefix(&*self.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for ProjectPath {
    type Err = BadProjectPath;

    fn from_str(text: &str) -> Result<Self, BadProjectPath> {
        check(text)?;
        if !text.contains('/') {
            return Err(BadProjectPath::NoGroup);
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for ProjectPrefix {
    type Err = BadProjectPath;

    fn from_str(text: &str) -> Result<Self, BadProjectPath> {
        check(text)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ProjectPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(text: &str) -> Result<(), BadProjectPath> {
    if text.len() > MAX_PATH_LEN {
        return Err(BadProjectPath::TooLong { len: text.len() });
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    match text
        .split('/')
        .position(|segment| matches!(segment, "" | "." | "..") || !segment.bytes().all(allowed))
    {
        Some(position) => Err(BadProjectPath::Segment { index: position + 1 }),
        None => Ok(()),
    }
}

/// How a request names a project: `:id` of the API, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProjectRef<'a> {
    /// By its number.
    Id(ProjectId),
    /// By its path, byte for byte; any text, since what no project has is simply not found.
    Path(&'a str),
}

impl<'a> ProjectRef<'a> {
    /// Digits alone are always an id. One that no project can have becomes `i64::MAX`, which
    /// lies past the largest id that is ever given out.
    pub fn parse(text: &'a str) -> Self {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Id(ProjectId(text.parse().unwrap_or(i64::MAX)))
        } else {
            Self::Path(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_paths_have_a_group_and_plain_segments() {
        use BadProjectPath::{NoGroup, Segment, TooLong};
        let long = format!("a/{}", "b".repeat(254));
        let table = [
            ("two segments", "group/app", Ok(()), Ok(())),
            ("three segments", "a/b.c/d_e-f", Ok(()), Ok(())),
            ("dots within a segment", "a/..b", Ok(()), Ok(())),
            ("one segment", "group", Err(NoGroup), Ok(())),
            ("digits alone", "17", Err(NoGroup), Ok(())),
            ("empty", "", Err(Segment { index: 1 }), Err(Segment { index: 1 })),
            ("slash first", "/a/b", Err(Segment { index: 1 }), Err(Segment { index: 1 })),
            ("slash last", "a/b/", Err(Segment { index: 3 }), Err(Segment { index: 3 })),
            ("slash twice", "a//b", Err(Segment { index: 2 }), Err(Segment { index: 2 })),
            ("one dot", "a/.", Err(Segment { index: 2 }), Err(Segment { index: 2 })),
            ("two dots", "../a", Err(Segment { index: 1 }), Err(Segment { index: 1 })),
            ("a space", "a/b c", Err(Segment { index: 2 }), Err(Segment { index: 2 })),
            ("not ASCII", "a/\u{e9}", Err(Segment { index: 2 }), Err(Segment { index: 2 })),
            ("at the limit", &long[..255], Ok(()), Ok(())),
            ("past the limit", &long, Err(TooLong { len: 256 }), Err(TooLong { len: 256 })),
        ];
        for (name, text, as_path, as_prefix) in table {
            assert_eq!(text.parse::<ProjectPath>().map(drop), as_path, "{name}");
            assert_eq!(text.parse::<ProjectPrefix>().map(drop), as_prefix, "{name}");
        }
    }

    #[test]
    fn a_prefix_covers_whole_segments() {
        let table = [
            ("itself", "acme/x", "acme/x", true),
            ("a project of the group", "acme", "acme/x", true),
            ("a project of a group below", "acme", "acme/x/y", true),
            ("the start of a segment", "acme", "acmecorp/x", false),
            ("the start of the last segment", "acme/x", "acme/xy", false),
            ("the group of a project", "acme/x", "acme", false),
            ("another case", "acme", "Acme/x", false),
        ];
        for (name, prefix, path, covers) in table {
            let prefix: ProjectPrefix = prefix.parse().unwrap();
            assert_eq!(prefix.covers(path), covers, "{name}");
        }
    }

    #[test]
    fn digits_alone_are_an_id() {
        let table = [
            ("a number", "17", ProjectRef::Id(ProjectId(17))),
            ("leading zeros", "0017", ProjectRef::Id(ProjectId(17))),
            ("over every id", "99999999999999999999", ProjectRef::Id(ProjectId(i64::MAX))),
            ("a path", "group/17", ProjectRef::Path("group/17")),
            ("a sign", "+17", ProjectRef::Path("+17")),
            ("empty", "", ProjectRef::Path("")),
        ];
        for (name, text, project) in table {
            assert_eq!(ProjectRef::parse(text), project, "{name}");
        }
    }
}

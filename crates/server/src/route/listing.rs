//! What of an archive a request is about: one page of a folder, or some of its entries.

use super::entry_path::{EntryPath, check};
use super::query::Query;
use crate::reply::Failure;

/// Items on a page of a listing, where the request does not say.
pub const DEFAULT_PER_PAGE: u32 = 20;

/// Items on a page of a listing, at most; who asks for more gets this many.
pub const MAX_PER_PAGE: u32 = 100;

/// Values of `path[]` in one request, at most.
pub const MAX_SELECTED: usize = 100;

/// E and E2: one page of what lies in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The folder, without a slash at its end; `None` is the root.
    pub path: Option<EntryPath>,
    /// Whether folders in it are listed too.
    pub recursive: bool,
    /// `>= 1`; there may be fewer pages.
    pub page: u32,
    /// `1..=MAX_PER_PAGE`.
    pub per_page: u32,
}

impl Listing {
    /// The booleans and numbers come first, the path last.
    pub(super) fn from_query(query: &Query) -> Result<Self, Failure> {
        let recursive = query.is_recursive()?;
        let page = positive(query.page.as_deref(), "page")?.unwrap_or(1);
        let page = u32::try_from(page).map_err(|_| Failure::ParameterInvalid { name: "page" })?;
        let per_page = positive(query.per_page.as_deref(), "per_page")?;
        let per_page = per_page.map_or(DEFAULT_PER_PAGE, |count| {
            u32::try_from(count).map_or(MAX_PER_PAGE, |count| count.min(MAX_PER_PAGE))
        });
        let path = match &query.path {
            Some(path) => folder(path)?,
            None => None,
        };
        Ok(Self { path, recursive, page, per_page })
    }
}

/// Decimal digits that are not zero; what is past the largest number counts as the largest.
fn positive(value: Option<&str>, name: &'static str) -> Result<Option<u64>, Failure> {
    let Some(value) = value else {
        return Ok(None);
    };
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Failure::ParameterInvalid { name });
    }
    match value.parse().unwrap_or(u64::MAX) {
        0 => Err(Failure::ParameterInvalid { name }),
        number => Ok(Some(number)),
    }
}

/// Slashes at the end of a decoded path count as none, and nothing but slashes is the root.
fn folder(path: &str) -> Result<Option<EntryPath>, Failure> {
    let folder = path.trim_end_matches('/');
    if folder.is_empty() {
        return Ok(None);
    }
    // With its slashes: `C:/` is absolute.
    check(path)?;
    Ok(Some(EntryPath::from_decoded(folder)?))
}

/// A and B: the values of `path[]` in the order of the query; empty is the whole archive.
///
/// Each is a file, a folder (with or without a slash at its end) or a glob, decoded, and breaks no
/// [`PathRule`](super::PathRule).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(pub Box<[Box<str>]>);

impl Selection {
    /// Whether the whole archive is asked for, as it was stored.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn from_query(query: &Query) -> Result<Self, Failure> {
        if query.paths.len() > MAX_SELECTED {
            return Err(Failure::ParameterInvalid { name: "path" });
        }
        query.paths.iter().try_for_each(|path| check(path))?;
        Ok(Self(query.paths.as_slice().into()))
    }
}

const _: () = assert!(DEFAULT_PER_PAGE >= 1 && DEFAULT_PER_PAGE <= MAX_PER_PAGE);

#[cfg(test)]
mod tests {
    use super::super::PathRule;
    use super::*;

    fn invalid(name: &'static str) -> Failure {
        Failure::ParameterInvalid { name }
    }

    fn listing(query: &str) -> Result<Listing, Failure> {
        Listing::from_query(&Query::parse(Some(query))?)
    }

    #[test]
    fn a_listing_has_a_page_of_a_folder() {
        let want = |path: &str, recursive, page, per_page| {
            let path = EntryPath::parse(path).ok();
            Ok(Listing { path, recursive, page, per_page })
        };
        let rows = [
            ("nothing said", "", want("", false, 1, 20)),
            ("all said", "path=a/b&recursive=yes&page=3&per_page=50", want("a/b", true, 3, 50)),
            ("empty path", "path=", want("", false, 1, 20)),
            ("path without a value", "path", want("", false, 1, 20)),
            ("a slash is the root", "path=/", want("", false, 1, 20)),
            ("slashes are the root", "path=%2F//", want("", false, 1, 20)),
            ("slash at the end", "path=a%2Fb/", want("a/b", false, 1, 20)),
            ("the last path counts", "path=a&path=b", want("b", false, 1, 20)),
            ("plus is a space", "path=a+b", want("a%20b", false, 1, 20)),
            ("array", "path[]=a", want("", false, 1, 20)),
            ("most", "per_page=100", want("", false, 1, 100)),
            ("over the most", "per_page=101", want("", false, 1, 100)),
            ("far over the most", "per_page=99999999999999999999", want("", false, 1, 100)),
            ("leading zeros", "page=007&per_page=01", want("", false, 7, 1)),
            ("last page", "page=4294967295", want("", false, u32::MAX, 20)),
            ("past the last page", "page=4294967296", Err(invalid("page"))),
            ("page zero", "page=0", Err(invalid("page"))),
            ("negative page", "page=-1", Err(invalid("page"))),
            ("plus sign", "page=%2B1", Err(invalid("page"))),
            ("space", "page=+1", Err(invalid("page"))),
            ("empty page", "page=", Err(invalid("page"))),
            ("word", "page=two", Err(invalid("page"))),
            ("other digits", "page=%D9%A1", Err(invalid("page"))),
            ("none on a page", "per_page=0", Err(invalid("per_page"))),
            ("zeros", "per_page=000", Err(invalid("per_page"))),
            ("fraction", "per_page=1.5", Err(invalid("per_page"))),
            ("empty per_page", "per_page", Err(invalid("per_page"))),
            ("boolean", "recursive=2", Err(invalid("recursive"))),
            ("page before the path", "page=0&path=..", Err(invalid("page"))),
            ("dots", "path=a/../b", Err(PathRule::DotSegment.into())),
            ("encoded dots", "path=%2e%2e", Err(PathRule::DotSegment.into())),
            ("absolute", "path=/etc", Err(PathRule::Absolute.into())),
            ("drive root", "path=C:/", Err(PathRule::Absolute.into())),
            ("NUL", "path=a%00", Err(PathRule::ControlCharacter { character: '\0' }.into())),
            ("not UTF-8", "path=%ff", Err(invalid("path"))),
        ];
        for (name, query, want) in rows {
            assert_eq!(listing(query), want, "{name}");
        }
        let long = "a".repeat(4_097);
        let want = Err(PathRule::TooLong { decoded_len: 4_097 }.into());
        assert_eq!(listing(&format!("path={long}")), want);
    }

    #[test]
    fn a_selection_keeps_its_order_and_has_sound_patterns() {
        let control = |character| Failure::from(PathRule::ControlCharacter { character });
        type Row = (&'static str, &'static str, Result<&'static [&'static str], Failure>);
        let rows: &[Row] = &[
            ("the whole", "path=a", Ok(&[])),
            ("order kept", "path[]=b&path%5B%5D=a%2Fx+y&path[]=b", Ok(&["b", "a/x y", "b"])),
            ("folder", "path[]=dist/", Ok(&["dist/"])),
            ("glob", "path[]=**/*.tx?&path[]=[ab]", Ok(&["**/*.tx?", "[ab]"])),
            ("empty", "path[]=", Err(PathRule::Empty.into())),
            ("one of several empty", "path[]=a&path[]", Err(PathRule::Empty.into())),
            ("dots", "path[]=a/..", Err(PathRule::DotSegment.into())),
            ("backslash and dots", "path[]=a%5C..", Err(PathRule::DotSegment.into())),
            ("absolute", "path[]=/a", Err(PathRule::Absolute.into())),
            ("a slash", "path[]=/", Err(PathRule::Absolute.into())),
            ("NUL", "path[]=a%00", Err(control('\0'))),
            ("C1", "path[]=%c2%80", Err(control('\u{80}'))),
        ];
        for (name, query, want) in rows {
            let query = Query::parse(Some(query)).unwrap();
            let got = Selection::from_query(&query);
            assert_eq!(got.as_ref().is_ok_and(Selection::is_whole), want == &Ok(&[][..]), "{name}");
            let got = got.map(|Selection(paths)| paths.into_vec());
            let want = want.clone().map(|paths| paths.iter().map(|p| Box::from(*p)).collect());
            assert_eq!(got, want, "{name}");
        }
        for (count, fits) in [(MAX_SELECTED, true), (MAX_SELECTED + 1, false)] {
            let query = Query::parse(Some(&"path[]=a&".repeat(count))).unwrap();
            let want = if fits { Ok(count) } else { Err(invalid("path")) };
            assert_eq!(Selection::from_query(&query).map(|s| s.0.len()), want);
        }
        let long = Query::parse(Some(&format!("path[]={}", "a".repeat(4_097)))).unwrap();
        let want = Err(PathRule::TooLong { decoded_len: 4_097 }.into());
        assert_eq!(Selection::from_query(&long), want);
    }
}

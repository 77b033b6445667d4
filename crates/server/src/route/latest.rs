//! Requests by ref (B, D and E2): which part of the target is the ref and which is the path.
//!
//! Both may have raw slashes, so a target with more than one `/raw/` can be read in several ways,
//! and one under `/raw/` that ends in `/download` or `/tree` can be an archive or a listing as well.
//! What exists decides: a request carries every reading, and [`LatestFile::choose`] takes one once it is known which refs
//! have pipelines. An encoded slash is never a separator, so a client that encodes the ref
//! (`feature%2Fraw%2Fx/raw/a.txt`) leaves nothing to decide.

use super::entry_path::{EntryPath, has_dot_segment};
use super::listing::{Listing, Selection};
use super::percent::decode_path;
use super::project::ProjectKey;
use super::query::Query;
use crate::reply::Failure;

/// How many readings of one target are kept: those with the shortest refs.
///
/// A folder `raw` in a folder `raw` happens, sixteen of them do not; without a bound, a target of
/// 16 KiB has some 4,000 readings of 16 KiB each. A longer ref than these can still be addressed
/// with its slashes encoded.
pub const MAX_SPLITS: usize = 16;

/// The job that a request by ref asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobByName {
    /// Its name, not empty.
    pub name: Box<str>,
    /// Whether an older successful pipeline will do if the newest has no such job with an archive.
    pub search_recent_successful_pipelines: bool,
}

impl JobByName {
    pub(super) fn from_query(query: &Query) -> Result<Self, Failure> {
        let name = query.required_job()?;
        let search_recent_successful_pipelines = query.searches_recent_pipelines()?;
        Ok(Self { name, search_recent_successful_pipelines })
    }
}

/// B: the archive of the latest job of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestArchive {
    /// The project.
    pub project: ProjectKey,
    /// The ref, decoded.
    pub ref_name: Box<str>,
    /// The job.
    pub job: JobByName,
    /// What of it.
    pub selection: Selection,
}

/// E2: the latest job of that name, whose archive is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestTree {
    /// The project.
    pub project: ProjectKey,
    /// The ref, decoded.
    pub ref_name: Box<str>,
    /// The job.
    pub job: JobByName,
}

/// D: one file out of the archive of the latest job of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestFile {
    /// The project.
    pub project: ProjectKey,
    /// The job.
    pub job: JobByName,
    /// The readings as a file, 1 to [`MAX_SPLITS`], the one with the longest ref first.
    splits: Vec<Split>,
    /// The reading as B or E2, where the target ends in `/download` or `/tree`.
    whole: Option<Whole>,
}

/// The reading of a target in which everything but its last segment is the ref.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Whole {
    /// The ref, decoded.
    ref_name: Box<str>,
    of: WholeOf,
}

/// What the last segment of a [`Whole`] asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WholeOf {
    Archive(Selection),
    Tree(Listing),
}

/// One reading of a target at one of its `/raw/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The ref, decoded.
    pub ref_name: Box<str>,
    /// The path of the entry.
    pub path: EntryPath,
}

/// The reading of a target that [`LatestFile::choose`] settled on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<'a> {
    /// It is D.
    File(&'a Split),
    /// It is B.
    Archive {
        /// The ref of the archive.
        ref_name: &'a str,
        /// What of the archive.
        selection: &'a Selection,
    },
    /// It is E2.
    Tree {
        /// The ref of the archive.
        ref_name: &'a str,
        /// What of the archive.
        listing: &'a Listing,
    },
}

impl LatestFile {
    /// The reading of a target that can be read in one way only: no question about refs is needed.
    #[must_use]
    pub fn unambiguous(&self) -> Option<&Split> {
        match self.splits.as_slice() {
            [only] if self.whole.is_none() => Some(only),
            _ => None,
        }
    }

    /// Every ref that a reading has, in the order in which [`LatestFile::choose`] asks for them.
    pub fn ref_names(&self) -> impl Iterator<Item = &str> {
        let whole = self.whole.iter().map(|whole| &*whole.ref_name);
        self.splits.iter().map(|split| &*split.ref_name).chain(whole)
    }

    /// Takes the file with the longest ref that has a pipeline; else the archive or the listing, if
    /// its ref has one. `None`: no ref that could be meant exists.
    ///
    /// `has_pipeline` is asked at most once for each of [`LatestFile::ref_names`].
    pub fn choose(&self, mut has_pipeline: impl FnMut(&str) -> bool) -> Option<Choice<'_>> {
        if let Some(split) = self.splits.iter().find(|split| has_pipeline(&split.ref_name)) {
            return Some(Choice::File(split));
        }
        let Whole { ref_name, of } = self.whole.as_ref()?;
        has_pipeline(ref_name).then_some(match of {
            WholeOf::Archive(selection) => Choice::Archive { ref_name, selection },
            WholeOf::Tree(listing) => Choice::Tree { ref_name, listing },
        })
    }

    /// Reads the undecoded segments behind `jobs/artifacts/`, of which the one at `first_raw`
    /// (`>= 1`) is the first `raw` that leaves a ref.
    ///
    /// The parameters of every reading that the target has are read: which of them is meant is
    /// known only after the caller is.
    pub(super) fn parse(
        project: ProjectKey,
        segments: &[&str],
        first_raw: usize,
        query: &Query,
    ) -> Result<Self, Failure> {
        let ref_name = parse_ref_name(&segments[..first_raw])?;
        let job = JobByName::from_query(query)?;
        let path =
            EntryPath::from_segments(&segments[first_raw + 1..]).map_err(Failure::ArtifactPath)?;
        let mut splits = vec![Split { ref_name, path }];
        let later = (first_raw + 1..segments.len())
            .filter(|at| segments[*at] == "raw")
            .take(MAX_SPLITS - 1);
        for at in later {
            // A part of a sound path can break a rule only by being empty (`x/raw`) or absolute
            // (`x/raw/%2Fy`). No entry has such a name, so that reading is none.
            if let Ok(path) = EntryPath::from_segments(&segments[at + 1..]) {
                splits.push(Split { ref_name: parse_ref_name(&segments[..at])?, path });
            }
        }
        splits.reverse();
        let whole = match segments {
            // `last` stands behind the first `raw`: that nothing follows it was refused above.
            [before @ .., last @ ("download" | "tree")] => {
                let ref_name = parse_ref_name(before)?;
                let of = match *last {
                    "download" => WholeOf::Archive(Selection::from_query(query)?),
                    _ => WholeOf::Tree(Listing::from_query(query)?),
                };
                Some(Whole { ref_name, of })
            }
            _ => None,
        };
        Ok(Self { project, job, splits, whole })
    }
}

/// Decodes a ref. No ref has control characters or a segment `.` or `..` (git-check-ref-format,
/// rules 1 and 4), so a target with them is refused before anything is looked up.
pub(super) fn parse_ref_name(segments: &[&str]) -> Result<Box<str>, Failure> {
    let invalid = Failure::ParameterInvalid { name: "ref_name" };
    match decode_path(&segments.join("/")) {
        Ok(text) if !text.chars().any(char::is_control) && !has_dot_segment(&text, &['/']) => {
            Ok(text.into())
        }
        _ => Err(invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_with(text: &str, query: &str) -> Result<LatestFile, Failure> {
        let segments: Vec<&str> = text.split('/').collect();
        let first_raw = 1 + segments[1..].iter().position(|s| *s == "raw").unwrap();
        let query = Query::parse(Some(query)).unwrap();
        LatestFile::parse(ProjectKey::Id(1), &segments, first_raw, &query)
    }

    fn parse(text: &str) -> LatestFile {
        parse_with(text, "job=build").unwrap()
    }

    /// `ref : path` of a file, `ref` of an archive, `ref/` of a listing.
    fn show(choice: Choice<'_>) -> String {
        match choice {
            Choice::File(Split { ref_name, path }) => format!("{ref_name} : {path}"),
            Choice::Archive { ref_name, .. } => ref_name.to_owned(),
            Choice::Tree { ref_name, .. } => format!("{ref_name}/"),
        }
    }

    #[test]
    fn existing_refs_decide_between_the_readings() {
        let rows: &[(&str, &str, &[&str], Option<&str>)] = &[
            ("one reading", "main/raw/a.txt", &["main"], Some("main : a.txt")),
            ("one reading, no such ref", "main/raw/a.txt", &["other"], None),
            ("folder raw", "main/raw/data/raw/x", &["main"], Some("main : data/raw/x")),
            ("ref with raw", "main/raw/data/raw/x", &["main/raw/data"], Some("main/raw/data : x")),
            (
                "both: the longest ref",
                "main/raw/data/raw/x",
                &["main", "main/raw/data"],
                Some("main/raw/data : x"),
            ),
            ("raw twice in a row", "main/raw/raw/x", &["main"], Some("main : raw/x")),
            ("ref that ends in raw", "main/raw/raw/x", &["main/raw"], Some("main/raw : x")),
            ("ref named raw", "raw/raw/raw/x", &["raw"], Some("raw : raw/x")),
            ("file named raw", "main/raw/raw", &["main", "main/raw"], Some("main : raw")),
            (
                "ref with a slash",
                "feature/x/raw/a",
                &["feature/x", "feature"],
                Some("feature/x : a"),
            ),
            ("encoded ref", "f%2Fraw%2Fx/raw/a", &["f/raw/x", "f"], Some("f/raw/x : a")),
            (
                "encoded path",
                "main/raw/a%2Fraw%2Fb",
                &["main", "main/raw/a"],
                Some("main : a/raw/b"),
            ),
            ("file named download", "main/raw/download", &["main"], Some("main : download")),
            (
                "archive of a ref that ends in raw",
                "main/raw/download",
                &["main/raw"],
                Some("main/raw"),
            ),
            (
                "the file before the archive",
                "a/raw/b/download",
                &["a", "a/raw/b"],
                Some("a : b/download"),
            ),
            ("the archive", "a/raw/b/download", &["a/raw/b"], Some("a/raw/b")),
            ("neither", "a/raw/b/download", &["a/raw", "b"], None),
            ("three readings", "a/raw/b/raw/download", &["a/raw/b/raw"], Some("a/raw/b/raw")),
            ("an encoded download is a file alone", "a/raw/b/%64ownload", &["a/raw/b"], None),
            ("file named tree", "main/raw/tree", &["main"], Some("main : tree")),
            (
                "listing of a ref that ends in raw",
                "main/raw/tree",
                &["main/raw"],
                Some("main/raw/"),
            ),
            (
                "the file before the listing",
                "main/raw/x/tree",
                &["main", "main/raw/x"],
                Some("main : x/tree"),
            ),
            ("the listing", "main/raw/x/tree", &["main/raw/x"], Some("main/raw/x/")),
            ("no listing of what is not", "main/raw/x/tree", &["main/raw"], None),
            (
                "listing of a ref with two raw",
                "a/raw/b/raw/c/tree",
                &["a/raw/b/raw/c"],
                Some("a/raw/b/raw/c/"),
            ),
            ("folder named tree", "a/raw/tree/x", &["a", "a/raw/tree"], Some("a : tree/x")),
            ("an encoded tree is a file alone", "a/raw/b/%74ree", &["a/raw/b"], None),
            (
                "absolute in one reading",
                "a/raw/b/raw/%2Fc",
                &["a/raw/b", "a"],
                Some("a : b/raw//c"),
            ),
        ];
        for (name, target, existing, want) in rows {
            let file = parse(target);
            let mut asked = Vec::new();
            let choice = file.choose(|ref_name| {
                asked.push(ref_name.to_owned());
                existing.contains(&ref_name)
            });
            assert_eq!(choice.map(show).as_deref(), *want, "{name}");
            let names: Vec<&str> = file.ref_names().collect();
            assert_eq!(asked, names[..asked.len()], "{name}: asked in the order of ref_names");
        }
    }

    #[test]
    fn one_reading_needs_no_question() {
        let rows = [
            ("main/raw/a.txt", true),
            ("feature/x/raw/a.txt", true),
            ("main/raw/raw", true),
            ("f%2Fraw%2Fx/raw/a", true),
            ("main/raw/data/raw/x", false),
            ("main/raw/download", false),
            ("main/raw/tree", false),
            ("main/raw/tree/x", true),
        ];
        for (target, want) in rows {
            let file = parse(target);
            assert_eq!(file.unambiguous().is_some(), want, "{target}");
            assert_eq!(file.ref_names().count() == 1, want, "{target}");
        }
    }

    #[test]
    fn a_reading_keeps_its_parameters() {
        let file = parse_with("a/raw/b/download", "job=x&path[]=p/&path[]=q&page=0").unwrap();
        let Some(Choice::Archive { ref_name: "a/raw/b", selection }) =
            file.choose(|ref_name| ref_name == "a/raw/b")
        else {
            panic!("{file:?}");
        };
        assert_eq!(*selection.0, ["p/".into(), "q".into()]);
        let file = parse_with("a/raw/b/tree", "job=x&path=p/&page=2&path[]=..").unwrap();
        let Some(Choice::Tree { ref_name: "a/raw/b", listing }) =
            file.choose(|ref_name| ref_name == "a/raw/b")
        else {
            panic!("{file:?}");
        };
        let path = listing.path.as_ref().map(EntryPath::as_str);
        assert_eq!((path, listing.page, listing.recursive), (Some("p"), 2, false));
    }

    #[test]
    fn the_parameters_of_every_reading_are_checked() {
        let invalid = |name| Some(Failure::ParameterInvalid { name });
        let dots = || Some(Failure::ArtifactPath(super::super::PathRule::DotSegment));
        let rows = [
            ("a listing's page", "a/raw/tree", "page=x", invalid("page")),
            ("a listing's folder", "a/raw/b/tree", "path=..", dots()),
            ("an archive's selection", "a/raw/b/download", "path[]=..", dots()),
            ("no listing", "a/raw/tree/x", "page=x&recursive=x&path=..", None),
            ("no archive", "a/raw/b/tree", "path[]=..", None),
            ("no reading but the file", "a/raw/b", "page=x&path=..&path[]=..", None),
        ];
        for (name, target, query, want) in rows {
            let got = parse_with(target, &format!("job=x&{query}"));
            assert_eq!(got.err(), want, "{name}");
        }
    }

    #[test]
    fn readings_are_bounded_and_the_shortest_refs_are_kept() {
        let file = parse(&format!("main/{}x", "raw/".repeat(1_000)));
        assert_eq!(file.splits.len(), MAX_SPLITS);
        let names: Vec<&str> = file.ref_names().collect();
        assert_eq!(names.last(), Some(&"main"));
        assert_eq!(names[0].matches("raw").count(), MAX_SPLITS - 1);
    }

    #[test]
    fn a_ref_is_decoded_once_and_has_the_form_of_a_ref() {
        let rows = [
            ("plain", "main", Some("main")),
            ("raw slash", "feature/x", Some("feature/x")),
            ("encoded slash", "feature%2Fx", Some("feature/x")),
            ("space", "x%20y", Some("x y")),
            ("plus", "a+b", Some("a+b")),
            ("double encoding", "a%252Fb", Some("a%2Fb")),
            ("not ASCII", "%C3%A9", Some("\u{e9}")),
            ("dots inside a segment", "v1..2", Some("v1..2")),
            ("backslash", "a\\..\\b", Some("a\\..\\b")),
            ("dots", "..", None),
            ("encoded dots", "a%2F%2e%2e%2Fb", None),
            ("dot", "a/./b", None),
            ("NUL", "a%00", None),
            ("line feed", "a%0Ab", None),
            ("malformed", "a%", None),
            ("not UTF-8", "%ff", None),
        ];
        for (name, undecoded, want) in rows {
            let segments: Vec<&str> = undecoded.split('/').collect();
            let want = want.ok_or(Failure::ParameterInvalid { name: "ref_name" });
            assert_eq!(parse_ref_name(&segments).as_deref(), want.as_deref(), "{name}");
        }
    }
}

//! Tables that are kept in the repository, so that a change of what they say is seen as a diff.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// Set to have the tests write the tables that they are else held to.
const REWRITE: &str = "ENTRYWAY_REWRITE_TABLES";

/// Lines of each kind that a failure shows.
const SHOWN: usize = 30;

/// A table of this folder: cells between tabs, and a first line that names them.
pub(super) struct Table {
    file: &'static str,
    kept: &'static str,
}

impl Table {
    /// What becomes of each archive.
    pub(super) const VERDICTS: Self =
        Self { file: "verdicts.tsv", kept: include_str!("verdicts.tsv") };
    /// What is served and Go or Python do not serve, and why.
    pub(super) const DEVIATIONS: Self =
        Self { file: "deviations.tsv", kept: include_str!("deviations.tsv") };
    /// What is refused and Go and Python read alike, and why.
    pub(super) const REFUSED: Self =
        Self { file: "refused_by_name.tsv", kept: include_str!("refused_by_name.tsv") };

    /// The line with a reason for it, which is the one of the line kept that begins like this.
    ///
    /// A line without a reason fails [`Table::assert_is`] even where it is kept.
    pub(super) fn with_reason(&self, line: &str) -> String {
        let mut reasons = self.kept.lines().filter_map(|kept| kept.strip_prefix(line));
        let reason = reasons.find_map(|rest| rest.strip_prefix('\t'));
        format!("{line}\t{}", reason.unwrap_or(NO_REASON))
    }

    /// Holds the lines made now to those kept, in any order; or keeps them, where that is wanted.
    #[track_caller]
    pub(super) fn assert_is(&self, made: impl IntoIterator<Item = String>) {
        let made: BTreeSet<String> = made.into_iter().collect();
        let (columns, kept) = self.kept.split_once('\n').expect("a line with the columns' names");
        if std::env::var_os(REWRITE).is_some() {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpora").join(self.file);
            let lines: String = made.iter().map(|line| format!("{line}\n")).collect();
            std::fs::write(path, format!("{columns}\n{lines}")).expect("a file of the sources");
        } else {
            let made: BTreeSet<&str> = made.iter().map(String::as_str).collect();
            let kept: BTreeSet<&str> = kept.lines().collect();
            assert!(
                made == kept,
                "{}: no more:\n{}new:\n{}Where that is meant, {REWRITE}=1 writes the table anew, \
                 and its diff is for a review.",
                self.file,
                shown(kept.difference(&made)),
                shown(made.difference(&kept)),
            );
        }
        let without: Vec<_> = made.iter().filter(|line| line.ends_with(NO_REASON)).collect();
        assert!(without.is_empty(), "{}: a line needs its reason: {without:#?}", self.file);
    }
}

/// Stands where a person has to write why.
const NO_REASON: &str = "?";

fn shown<'a>(lines: impl Iterator<Item = &'a &'a str> + Clone) -> String {
    let more = lines.clone().count().saturating_sub(SHOWN);
    let mut shown: String = lines.take(SHOWN).map(|line| format!("  {line}\n")).collect();
    if more > 0 {
        shown += &format!("  and {more} more\n");
    }
    shown
}

//! A local archive as the commands on files open it.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use entryway::{Archive, FileSource};

use super::error::CliError;
use super::limits::LimitArguments;

/// The archive that a command reads.
#[derive(Clone, Debug, Args)]
pub(super) struct ArchiveArgument {
    /// The zip archive
    #[arg(value_name = "ARCHIVE")]
    pub(super) path: PathBuf,
    #[command(flatten)]
    limits: LimitArguments,
}

impl ArchiveArgument {
    pub(super) fn open(&self) -> Result<Archive<FileSource>, CliError> {
        let source = FileSource::open(&self.path)
            .map_err(|error| CliError::Open { path: self.path.clone(), error })?;
        Archive::open_within(source, self.limits.limits())
            .map_err(|error| CliError::archive(&self.path, error))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes a line; control characters of a hostile name never reach a terminal.
pub(super) fn write_line(out: &mut impl Write, line: &str) -> Result<(), CliError> {
    writeln!(out, "{line}").map_err(CliError::Output)
}

/// A name as it can be shown: what could move a cursor or turn text round is escaped.
pub(super) fn shown(name: &str) -> String {
    let is_harmless = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if name.chars().all(is_harmless) {
        return name.to_owned();
    }
    name.chars()
        .map(|c| if is_harmless(c) { c.to_string() } else { c.escape_unicode().to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_what_a_terminal_obeys() {
        let table = [
            ("plain/\u{e9} x", "plain/\u{e9} x"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("a\u{202e}txt.exe", "a\\u{202e}txt.exe"),
            ("a\nb", "a\\u{a}b"),
        ];
        for (name, expected) in table {
            assert_eq!(shown(name), expected);
        }
    }
}

//! `entryway cat`: the content of one entry.

use std::ffi::OsString;
use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Args;
use entryway::{EntryPlan, EntryReader, Error, Standing, find_one};
use entryway_http::RangeSpec;

use super::archive::ArchiveArgument;
use super::error::CliError;
use crate::shown::quoted;

/// Write one entry of an archive to standard output
///
/// The entry is found as over HTTP: by its raw name, else by its name without a leading `./`, else
/// by its display name. Its last bytes are written only after size and CRC-32 have agreed with the
/// directory.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway cat artifacts.zip dist/app.js
  entryway cat artifacts.zip build.log --range -4096     the last 4 KiB
  entryway cat artifacts.zip build.log --range 100-199   bytes 100 to 199, both included")]
pub(super) struct Arguments {
    #[command(flatten)]
    archive: ArchiveArgument,
    /// The entry's name
    #[arg(value_name = "ENTRY")]
    entry: OsString,
    /// Only these bytes, as in a Range header: A-B, A- or -N
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true, value_parser = parse_range)]
    range: Option<RangeSpec>,
}

/// A range as a Range header has it, without its unit.
fn parse_range(text: &str) -> Result<RangeSpec, String> {
    let form = "a range is A-B, A- or -N, in bytes, and B is not before A";
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u64>().ok()).flatten().ok_or(form)
    };
    let (first, last) = text.split_once('-').ok_or(form)?;
    match (first.is_empty(), last.is_empty()) {
        (true, _) => Ok(RangeSpec::Suffix { suffix_len: number(last)? }),
        (false, true) => Ok(RangeSpec::From { first: number(first)? }),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(form.to_owned());
            }
            Ok(RangeSpec::Bounded { first, last })
        }
    }
}

/// A range as it is given.
fn spelled(range: &RangeSpec) -> String {
    match range {
        RangeSpec::Bounded { first, last } => format!("{first}-{last}"),
        RangeSpec::From { first } => format!("{first}-"),
        RangeSpec::Suffix { suffix_len } => format!("-{suffix_len}"),
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let path = arguments.archive.path();
    let name = || quoted(arguments.entry.as_encoded_bytes());
    let refused = |refusal| CliError::Entry { path: path.to_owned(), name: name(), refusal };
    let failed = |error| match error {
        Error::Entry(refusal) => refused(refusal),
        error => CliError::archive(path, error),
    };
    let source = arguments.archive.source()?;
    let found = find_one(&source, arguments.entry.as_encoded_bytes(), arguments.archive.policy())
        .map_err(failed)?
        .ok_or_else(|| CliError::NoSuchEntry { path: path.to_owned(), name: name() })?;
    if found.entry.is_directory {
        return Err(CliError::IsDirectory { path: path.to_owned(), name: name() });
    }
    if let Standing::Bad(refusal) = found.standing {
        return Err(refused(refusal));
    }
    let len = found.entry.declared_uncompressed_size;
    let whole = EntryPlan::whole(&found).map_err(refused)?;
    let mut reader = match &arguments.range {
        None => EntryReader::new(&source, whole),
        Some(range) => {
            let Some(part) = range.resolve(len) else {
                let range = spelled(range);
                return Err(CliError::Range { path: path.to_owned(), name: name(), len, range });
            };
            // A range that ends before the entry does shows nothing of its CRC-32: the entry is
            // decoded once for the verdict, as a server has done when the archive was stored.
            let mut verification = EntryReader::new(&source, whole);
            while verification.next_chunk().map_err(failed)?.is_some() {}
            let plan = EntryPlan::parts(&found, vec![part.into()]).map_err(refused)?;
            EntryReader::new(&source, plan)
        }
    };
    let mut out = stdout().lock();
    while let Some(chunk) = reader.next_chunk().map_err(failed)? {
        out.write_all(&chunk).map_err(CliError::Output)?;
    }
    out.flush().map_err(CliError::Output)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_a_range_header() {
        let table: [(&str, Option<RangeSpec>); 10] = [
            ("0-0", Some(RangeSpec::Bounded { first: 0, last: 0 })),
            ("5-9", Some(RangeSpec::Bounded { first: 5, last: 9 })),
            ("5-", Some(RangeSpec::From { first: 5 })),
            ("-5", Some(RangeSpec::Suffix { suffix_len: 5 })),
            ("", None),
            ("-", None),
            ("9-5", None),
            ("a-b", None),
            ("+1-2", None),
            ("99999999999999999999999-", None),
        ];
        for (text, expected) in table {
            let range = parse_range(text).ok();
            assert_eq!(range, expected, "{text}");
            assert!(range.is_none_or(|range| spelled(&range) == text), "{text}");
        }
    }
}

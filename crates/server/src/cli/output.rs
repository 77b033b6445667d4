//! Standard output, line by line or as JSON.

use std::io::{BufWriter, ErrorKind, StdoutLock, Write, stdout};

use serde::Serialize;

use super::error::CliError;
use crate::reply::json_bytes;

/// Prints a line.
pub(super) fn print_line(line: &str) -> Result<(), CliError> {
    let mut out = Output::new();
    out.line(line)?;
    out.end()
}

/// Prints one JSON object and a line end.
pub(super) fn print_json(object: &impl Serialize) -> Result<(), CliError> {
    let mut out = Output::new();
    out.json(object)?;
    out.end()
}

/// Standard output, as long as somebody reads it.
///
/// `entryway verify | head -1` is no failure, and its exit code is about the archive: what nobody
/// reads any more is left out, and the command goes on to its verdict.
pub(super) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    is_read: bool,
}

impl Output {
    pub(super) fn new() -> Self {
        Self { out: BufWriter::new(stdout().lock()), is_read: true }
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: &str) -> Result<(), CliError> {
        self.write(|out| writeln!(out, "{line}"))
    }

    /// Writes one JSON object and a line end.
    pub(super) fn json(&mut self, object: &impl Serialize) -> Result<(), CliError> {
        let bytes = json_bytes(object).map_err(|error| CliError::Output(error.into()))?;
        self.write(|out| out.write_all(&bytes).and_then(|()| out.write_all(b"\n")))
    }

    /// Sees that all that was written gets out.
    pub(super) fn end(mut self) -> Result<(), CliError> {
        self.write(Write::flush)
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> std::io::Result<()>,
    ) -> Result<(), CliError> {
        if !self.is_read {
            return Ok(());
        }
        match write(&mut self.out) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_read = false;
                Ok(())
            }
            outcome => outcome.map_err(CliError::Output),
        }
    }
}

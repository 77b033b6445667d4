//! What a test needs of the machine it runs on.

use std::fs::File;
use std::time::Duration;

/// Guards against a hang; nothing is ever measured against it.
pub const HANG: Duration = Duration::from_secs(120);

/// Says that a test could not do its work here; `tests/run` counts it as skipped.
pub fn skip(test: &str, why: &str) {
    eprintln!("skipped: {test}: {why}");
    if let Some(list) = std::env::var_os("ENTRYWAY_SKIPS") {
        use std::io::Write;
        let list = File::options().append(true).create(true).open(list);
        // One write, so that the lines of parallel tests do not mix.
        let written =
            list.and_then(|mut list| list.write_all(format!("{test}\t{why}\n").as_bytes()));
        written.expect("the list of skipped tests can be written");
    }
}

/// Whether a command is on the search path.
pub fn has_command(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}

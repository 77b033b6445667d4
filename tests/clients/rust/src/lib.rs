//! What both test programs need: the plan of the run, and one line for each check.

use std::error::Error;
use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// How a check ends.
pub type Outcome = Result<(), Box<dyn Error>>;

/// What the driver set up.
///
/// # Panics
///
/// Without a plan there is nothing to check.
#[must_use]
pub fn plan() -> Value {
    let path = std::env::var_os("ENTRYWAY_CLIENT_PLAN").expect("ENTRYWAY_CLIENT_PLAN names a file");
    let text = std::fs::read(path).expect("the plan can be read");
    serde_json::from_slice(&text).expect("the plan is JSON")
}

/// Runs one check and prints its line.
pub fn check(what: &str, run: impl FnOnce() -> Outcome) {
    report(what, run());
}

/// Prints the line of a check.
pub fn report(what: &str, outcome: Outcome) {
    let what: String = what.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    match outcome {
        Ok(()) => println!("ok\t{what}"),
        Err(error) => {
            let why = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            println!("FAIL\t{what}\t{}", why.chars().take(400).collect::<String>());
        }
    }
}

/// Compares content with the file or archive of the plan.
///
/// # Errors
///
/// Another SHA-256.
pub fn same(content: &[u8], expected: &Value) -> Outcome {
    let mut sha256 = String::new();
    for byte in Sha256::digest(content) {
        write!(sha256, "{byte:02x}")?;
    }
    if expected["sha256"] == Value::String(sha256) {
        return Ok(());
    }
    let head = String::from_utf8_lossy(&content[..content.len().min(60)]).into_owned();
    Err(format!("{} bytes that begin with {head:?}", content.len()).into())
}

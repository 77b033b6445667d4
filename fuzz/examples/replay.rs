//! Gives inputs to a target without the fuzzer: `cargo run --example replay TARGET FILE...`.
//!
//! Says which of them are findings, and fails where there is one.

use std::panic::catch_unwind;
use std::process::ExitCode;

use entryway_fuzz::TARGETS;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some((_, check)) = TARGETS.iter().find(|(target, _)| *target == name) else {
        eprintln!("usage: replay TARGET FILE...; TARGET is one of");
        TARGETS.iter().for_each(|(target, _)| eprintln!("  {target}"));
        return ExitCode::from(2);
    };
    let (mut replayed, mut findings) = (0_u32, 0_u32);
    for path in arguments {
        let input = match std::fs::read(&path) {
            Ok(input) => input,
            Err(error) => {
                eprintln!("{path}: {error}");
                return ExitCode::from(2);
            }
        };
        replayed += 1;
        if catch_unwind(|| check(&input)).is_err() {
            println!("{path}: a finding");
            findings += 1;
        }
    }
    println!("{name}: {replayed} inputs, {findings} findings");
    ExitCode::from(u8::from(findings > 0))
}

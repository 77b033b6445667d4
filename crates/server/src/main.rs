//! The `entryway` program.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    entryway_server::cli::run()
}

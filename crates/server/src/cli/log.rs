//! Structured logs on standard error.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `ENTRYWAY_LOG` chooses levels, as in `debug` or `entryway_server=debug`.
pub(super) fn start(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_env_var("ENTRYWAY_LOG")
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    // A log that cannot be written is lost: to say so on standard error would panic there, and with
    // it end whoever logs.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let outcome = match format {
        LogFormat::Text => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(is_terminal).try_init()
        }
        LogFormat::Json => builder.json().try_init(),
    };
    // A program that embeds this one may log already.
    drop(outcome);
}

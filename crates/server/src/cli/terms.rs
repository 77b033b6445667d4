//! The flags on what may be stored and for how long.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use entryway::Policy;

use super::profile::ProfileArgument;
use super::serve::LONGEST_TIME;
use crate::api::UploadTerms;
use crate::upload::{ExpireIn, UploadBounds};

/// The shortest and the longest time between two sweeps.
const SWEEP_INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);

/// How much may be stored, and how long it lives.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Storage")]
pub(super) struct TermArguments {
    /// Size of an uploaded archive or report at most, such as 500MB or 8GiB
    #[arg(long, value_name = "SIZE", default_value = "8GiB")]
    max_archive_size: ByteSize,
    /// Seconds for which nothing may come of an upload
    #[arg(long, value_name = "SECONDS", default_value_t = UploadBounds::default().idle.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..=LONGEST_TIME))]
    upload_timeout: u64,
    /// How long artifacts live for which nobody says it: none, or a time such as "30 days"
    #[arg(long, value_name = "TIME", default_value = "none", value_parser = parse_expiry)]
    default_expiry: Expiry,
    /// How often expired and deleted artifacts are removed, such as 60s or 10min
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_interval)]
    pub(super) sweep_interval: Duration,
    #[command(flatten)]
    pub(super) profile: ProfileArgument,
}

/// A type of its own, since an `Option` is what clap makes of a flag that need not be given.
#[derive(Clone, Copy, Debug)]
struct Expiry(Option<Duration>);

impl TermArguments {
    pub(super) fn terms(&self, policy: Policy) -> UploadTerms {
        UploadTerms {
            bounds: UploadBounds {
                max_len: Some(self.max_archive_size.as_u64()),
                idle: Duration::from_secs(self.upload_timeout),
                ..UploadBounds::default()
            },
            default_expiry: self.default_expiry.0,
            policy,
            profile: self.profile.profile(),
        }
    }
}

fn parse_expiry(text: &str) -> Result<Expiry, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Expiry(None));
    }
    match ExpireIn::parse(text) {
        Ok(Some(ExpireIn::Never)) => Ok(Expiry(None)),
        Ok(Some(ExpireIn::After(time))) => Ok(Expiry(Some(time))),
        Ok(None) | Err(_) => Err("not a time such as 30 days, and not none".to_owned()),
    }
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    match ExpireIn::parse(text) {
        Ok(Some(ExpireIn::After(time))) if SWEEP_INTERVALS.contains(&time) => Ok(time),
        _ => Err("not a time from 1s to 24 hours".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_phrases_and_have_bounds() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let table = [
            ("60s", Some(seconds(60)), seconds(60)),
            ("1s", Some(seconds(1)), seconds(1)),
            ("10 min", Some(seconds(600)), seconds(600)),
            ("24h", Some(seconds(86_400)), seconds(86_400)),
            ("25 hours", Some(seconds(90_000)), None),
            ("none", Some(None), None),
            ("never", Some(None), None),
            ("", None, None),
            ("soon", None, None),
        ];
        for (text, expiry, interval) in table {
            assert_eq!(parse_expiry(text).ok().map(|expiry| expiry.0), expiry, "{text}");
            assert_eq!(parse_interval(text).ok(), interval, "{text}");
        }
    }
}

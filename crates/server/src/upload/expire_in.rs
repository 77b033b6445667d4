//! `expire_in`: how long an artifact is kept, in words.
//!
//! The phrases are those that GitLab reads with ChronicDuration: `30 days`, `1week`, `2h20min`,
//! `3 weeks and 2 days`, `47 yrs 6 mos and 4.5d`, `day`, `42` (seconds), `4:01:01` (hours, minutes,
//! seconds), `never`. So are the lengths of the units: a month has 30 days and a year 365.25. What
//! comes to nothing (`0`, `0 days`) is no expiry there, and here.
//!
//! Stricter than GitLab: two numbers in a row, or a unit without a number anywhere but at the
//! start, are refused; there they count for nothing.

use std::str::FromStr;
use std::time::Duration;

use super::UploadError;

/// How long an artifact is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireIn {
    /// It does not expire.
    Never,
    /// It expires after so long: from a nanosecond to [`ExpireIn::MAX`].
    After(Duration),
}

/// What is no phrase for a duration, or is longer than [`ExpireIn::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no duration")]
pub struct BadPhrase;

impl From<BadPhrase> for UploadError {
    fn from(BadPhrase: BadPhrase) -> Self {
        Self::Invalid { name: "expire_in" }
    }
}

const NANOS: u128 = 1_000_000_000;

/// Digits after a point that count; nanoseconds have nine, and a year has 31,557,600 seconds.
const FRACTION_DIGITS: u32 = 18;

/// Units with their lengths in seconds, from the shortest on.
const UNITS: [(&[&str], u64); 7] = [
    (&["s", "sec", "secs", "second", "seconds"], 1),
    (&["m", "min", "mins", "minute", "minutes"], 60),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600),
    (&["d", "dy", "day", "days"], 86_400),
    (&["w", "wk", "wks", "week", "weeks"], 604_800),
    (&["mo", "mos", "month", "months"], 2_592_000),
    (&["y", "yr", "yrs", "year", "years"], 31_557_600),
];

/// The units of `1:02:03`, from the last place on; there is none for weeks.
const PLACES: [u64; 6] = [1, 60, 3_600, 86_400, 2_592_000, 31_557_600];

const JOINING: [&str; 3] = ["and", "with", "plus"];

impl ExpireIn {
    /// The longest time, 1,000 years: dates further away no longer have years of four digits
    /// everywhere.
    pub const MAX: Duration = Duration::from_secs(1_000 * 31_557_600);

    /// Reads a phrase; `None` where there is nothing but white space, which says nothing.
    ///
    /// # Errors
    /// [`BadPhrase`], which is to be answered as 400.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use entryway_server::upload::ExpireIn;
    ///
    /// let two_days = Duration::from_secs(2 * 24 * 60 * 60);
    /// assert_eq!(ExpireIn::parse("2 days"), Ok(Some(ExpireIn::After(two_days))));
    /// assert_eq!(ExpireIn::parse("never"), Ok(Some(ExpireIn::Never)));
    /// assert_eq!(ExpireIn::parse(""), Ok(None));
    /// assert!(ExpireIn::parse("soon").is_err());
    /// ```
    pub fn parse(phrase: &str) -> Result<Option<Self>, BadPhrase> {
        match phrase.trim() {
            "" => Ok(None),
            phrase => phrase.parse().map(Some),
        }
    }
}

impl FromStr for ExpireIn {
    type Err = BadPhrase;

    fn from_str(phrase: &str) -> Result<Self, BadPhrase> {
        if phrase.eq_ignore_ascii_case("never") {
            return Ok(Self::Never);
        }
        let nanos = if phrase.contains(':') { clock(phrase)? } else { words(phrase)? };
        let seconds = u64::try_from(nanos / NANOS).map_err(|_| BadPhrase)?;
        // A remainder of a second fits.
        let duration = Duration::new(seconds, (nanos % NANOS) as u32);
        match duration {
            Duration::ZERO => Ok(Self::Never),
            duration if duration > Self::MAX => Err(BadPhrase),
            duration => Ok(Self::After(duration)),
        }
    }
}

/// `4:01:01`: numbers with a unit each by their place.
fn clock(phrase: &str) -> Result<u128, BadPhrase> {
    let mut nanos: u128 = 0;
    for (place, number) in phrase.rsplit(':').enumerate() {
        let seconds = *PLACES.get(place).ok_or(BadPhrase)?;
        let number = number.trim();
        nanos = nanos.checked_add(length(number, seconds)?).ok_or(BadPhrase)?;
    }
    Ok(nanos)
}

/// `1 week and 2h`: numbers, each with its unit; the first may be left out, and the last unit.
fn words(phrase: &str) -> Result<u128, BadPhrase> {
    let mut nanos: u128 = 0;
    let mut number = None;
    let mut is_first = true;
    let mut rest = phrase;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        let Some(first) = rest.chars().next() else { break };
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let end = if is_number(first) {
            rest.find(|c| !is_number(c))
        } else {
            rest.find(|c: char| !c.is_ascii_alphabetic())
        };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        if is_number(first) {
            if number.replace(word).is_some() {
                return Err(BadPhrase);
            }
        } else if JOINING.iter().any(|joining| word.eq_ignore_ascii_case(joining)) {
            // Between two items only: `3 and days` has none to join.
            if number.is_some() || is_first {
                return Err(BadPhrase);
            }
        } else {
            let count = match number.take() {
                Some(count) => count,
                None if is_first => "1",
                None => return Err(BadPhrase),
            };
            let item = length(count, unit(word).ok_or(BadPhrase)?)?;
            nanos = nanos.checked_add(item).ok_or(BadPhrase)?;
        }
        is_first = false;
    }
    let last = number.map_or(Ok(0), |count| length(count, 1))?;
    nanos.checked_add(last).ok_or(BadPhrase)
}

/// The seconds of a unit.
fn unit(word: &str) -> Option<u64> {
    UNITS
        .iter()
        .find(|(words, _)| words.iter().any(|known| word.eq_ignore_ascii_case(known)))
        .map(|&(_, seconds)| seconds)
}

/// So many of a unit, in nanoseconds, rounded down: digits, at most one point, digits at the end.
fn length(number: &str, unit_seconds: u64) -> Result<u128, BadPhrase> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return Err(BadPhrase);
    }
    let whole: u64 = match whole {
        "" if number.starts_with('.') => 0,
        whole => whole.parse().map_err(|_| BadPhrase)?,
    };
    let unit = u128::from(unit_seconds) * NANOS;
    let mut parts: u128 = 0;
    let mut scale: u128 = 1;
    for digit in fraction.bytes().take(FRACTION_DIGITS as usize) {
        parts = parts * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    // Below 2^64 * 2^25 * 2^30 and 10^18 * 2^25 * 2^30: both fit.
    Ok(u128::from(whole) * unit + parts * unit / scale)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3_600;
    const DAY: u64 = 24 * HOUR;
    const MONTH: u64 = 30 * DAY;
    const YEAR: u64 = 31_557_600;

    #[test]
    fn phrases_are_read_as_gitlab_does() {
        let table = [
            ("42", 42),
            ("30 days", 30 * DAY),
            ("1 week 2 hours", 7 * DAY + 2 * HOUR),
            ("1week", 7 * DAY),
            ("1w2d", 9 * DAY),
            ("2 hrs 20 min", 2 * HOUR + 20 * 60),
            ("2h20min", 2 * HOUR + 20 * 60),
            ("3 mins 4 sec", 3 * 60 + 4),
            ("3 Mins 4 SEC", 3 * 60 + 4),
            ("6 mos 1 day", 6 * MONTH + DAY),
            ("1 year 6 mos 1 day", YEAR + 6 * MONTH + DAY),
            ("47 yrs 6 mos and 4d", 47 * YEAR + 6 * MONTH + 4 * DAY),
            ("47 yrs 6 mos and 4.5d", 47 * YEAR + 6 * MONTH + 4 * DAY + 12 * HOUR),
            ("3 weeks and, 2 days", 23 * DAY),
            ("3 weeks, plus 2 days", 23 * DAY),
            ("3 weeks with 2 days", 23 * DAY),
            ("3 weeks and 2 days", 23 * DAY),
            ("18 months", 18 * MONTH),
            ("1.5 hours", HOUR + HOUR / 2),
            (".5 hours", HOUR / 2),
            ("1 hour 30", HOUR + 30),
            ("day", DAY),
            ("minute 30s", 90),
            ("  4 days   11\thours ", 4 * DAY + 11 * HOUR),
            ("12:30", 12 * 60 + 30),
            ("4:01:01", 4 * HOUR + 61),
            ("8:03:30:00", 8 * DAY + 3 * HOUR + 30 * 60),
            ("1:00:01:00:00:00", YEAR + DAY),
            ("1000 years", 1_000 * YEAR),
        ];
        for (phrase, seconds) in table {
            let expected = ExpireIn::After(Duration::from_secs(seconds));
            assert_eq!(ExpireIn::parse(phrase), Ok(Some(expected)), "{phrase}");
        }
        let precise = ExpireIn::After(Duration::from_millis(80_510));
        assert_eq!(ExpireIn::parse("1:20.51"), Ok(Some(precise)));
        assert_eq!(ExpireIn::parse("1 min 20.51 s"), Ok(Some(precise)));
    }

    #[test]
    fn what_comes_to_nothing_never_expires() {
        for phrase in ["never", "NEVER", " Never ", "0", "0 days", "0.0", "0:00", "0 d and 0 h"] {
            assert_eq!(ExpireIn::parse(phrase), Ok(Some(ExpireIn::Never)), "{phrase}");
        }
        for phrase in ["", " ", "\t"] {
            assert_eq!(ExpireIn::parse(phrase), Ok(None), "{phrase:?}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        let table = [
            ("a word", "soon"),
            ("a unit that is none", "3 fortnights"),
            ("a number in words", "three days"),
            ("never and more", "never ever"),
            ("negative", "-1 day"),
            ("two numbers in a row", "1 2 days"),
            ("a thousand with a comma", "1,000 seconds"),
            ("a unit without a number", "1 day hours"),
            ("joined to nothing", "and 1 day"),
            ("joined before its unit", "3 and days"),
            ("two points", "1.2.3 days"),
            ("a point at the end", "1. days"),
            ("only a point", "."),
            ("other digits", "\u{0663} days"),
            ("a sign", "1 day!"),
            ("NUL", "1 day\0"),
            ("a clock with words", "1:20 hours"),
            ("a clock without a number", ":30"),
            ("a clock with too many places", "1:1:1:1:1:1:1"),
            ("too long", "1001 years"),
            ("by a second", "1000 years 1s"),
            ("past 64 bits", "18446744073709551616"),
            ("past 64 bits of seconds", "18446744073709551615 years"),
            ("exponents", "1e3"),
            ("a very long number", &"9".repeat(4_096)),
        ];
        for (name, phrase) in table {
            assert_eq!(ExpireIn::parse(phrase), Err(BadPhrase), "{name}: {phrase}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(phrase in "[0-9.:,a-z \\PC]{0,40}") {
            let _ = ExpireIn::parse(&phrase);
        }

        #[test]
        fn items_add_up(items in prop::collection::vec((0_u64..10_000, 0..6_usize), 1..6)) {
            let phrase: Vec<String> =
                items.iter().map(|&(count, unit)| format!("{count}{}", UNITS[unit].0[0])).collect();
            let seconds: u64 = items.iter().map(|&(count, unit)| count * UNITS[unit].1).sum();
            let expected = match Duration::from_secs(seconds) {
                Duration::ZERO => Ok(Some(ExpireIn::Never)),
                duration if duration > ExpireIn::MAX => Err(BadPhrase),
                duration => Ok(Some(ExpireIn::After(duration))),
            };
            prop_assert_eq!(ExpireIn::parse(&phrase.join(" and ")), expected);
        }
    }
}

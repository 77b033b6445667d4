//! Points in time as text: ISO 8601 as RFC 3339 has it.

use jiff::Timestamp;

use crate::catalog::UtcMillis;

/// Reads a date and time with an offset or `Z`, such as `2026-11-22T01:53:34.5+02:00`; what is
/// finer than a millisecond is cut off. `None` where it is none, or lies before 1970.
///
/// ```
/// use entryway_server::catalog::UtcMillis;
/// use entryway_server::timestamp::parse;
///
/// assert_eq!(parse("1970-01-01T01:00:01.5+01:00"), Some(UtcMillis(1500)));
/// assert_eq!(parse("1970-01-01T00:00:01"), None);
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<UtcMillis> {
    // A name of a time zone in brackets (RFC 9557) is more than was asked for.
    if text.contains('[') {
        return None;
    }
    let millis = text.parse::<Timestamp>().ok()?.as_millisecond();
    (millis >= 0).then_some(UtcMillis(millis))
}

/// Writes a time in UTC with milliseconds, `2026-11-22T01:53:34.000Z`. A time past the year 9999,
/// which means "never", becomes the end of that year.
///
/// ```
/// use entryway_server::catalog::UtcMillis;
/// use entryway_server::timestamp::text;
///
/// assert_eq!(text(UtcMillis(1500)), "1970-01-01T00:00:01.500Z");
/// ```
#[must_use]
pub fn text(time: UtcMillis) -> String {
    let end = if time.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    format!("{:.3}", Timestamp::from_millisecond(time.0).unwrap_or(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_offset_and_written_in_utc() {
        let table = [
            ("UTC", "2026-11-22T01:53:34Z", Some("2026-11-22T01:53:34.000Z")),
            ("milliseconds", "2026-11-22T01:53:34.007Z", Some("2026-11-22T01:53:34.007Z")),
            ("finer", "2026-11-22T01:53:34.0079999Z", Some("2026-11-22T01:53:34.007Z")),
            ("an offset", "2026-11-22T01:53:34+02:00", Some("2026-11-21T23:53:34.000Z")),
            (
                "an offset without colon",
                "2026-11-22T01:53:34-0330",
                Some("2026-11-22T05:23:34.000Z"),
            ),
            ("the first", "1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00.000Z")),
            ("before the first", "1969-12-31T23:59:59Z", None),
            ("no offset", "2026-11-22T01:53:34", None),
            ("a date", "2026-11-22", None),
            ("a day that is none", "2026-02-30T00:00:00Z", None),
            ("seconds since 1970", "1700000000", None),
            ("a zone by name", "2026-11-22T01:53:34+01:00[Europe/Rome]", None),
            ("a space around it", " 2026-11-22T01:53:34Z", None),
            ("empty", "", None),
        ];
        for (name, given, expected) in table {
            assert_eq!(parse(given).map(text).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn the_end_of_time_is_still_a_time() {
        assert!(text(UtcMillis(i64::MAX)).starts_with("9999-12-"));
        assert!(text(UtcMillis(i64::MIN)).starts_with("-009999-01-"));
    }
}

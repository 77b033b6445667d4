//! Range requests (RFC 9110 14): the Range field, read without a length, and what it comes to for
//! a representation of a given length.

use std::ops::Range;

use http::header::{HeaderMap, HeaderValue, RANGE};

use crate::field;
use crate::representation::RangeSupport;

/// A Range field longer than this is ignored, in bytes.
///
/// The longest one that can be answered by ranges and says nothing twice has `bytes=` and
/// [`MAX_PARTS`] times two numbers of 20 digits, `-` and `, `: 6 + 8 * 43 = 350. The rest is room
/// for ranges that coalesce.
pub const MAX_RANGE_FIELD_LEN: usize = 1_024;

/// More parts than this, counted after coalescing, are answered with the whole.
pub const MAX_PARTS: usize = 8;

const _: () = assert!(MAX_RANGE_FIELD_LEN >= 6 + MAX_PARTS * (2 * 20 + 3));

/// A range of a representation's bytes, half-open and never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    start: u64,
    end: u64,
}

impl ByteRange {
    /// The bytes from `start` up to, without, `end`; `None` unless `start < end`.
    pub fn new(start: u64, end: u64) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// Offset of the first byte.
    pub fn start(self) -> u64 {
        self.start
    }

    /// Offset behind the last byte.
    pub fn end(self) -> u64 {
        self.end
    }

    /// Offset of the last byte, as Content-Range writes it.
    pub fn last(self) -> u64 {
        self.end - 1
    }

    /// Length in bytes; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a byte range is never empty")]
    pub fn len(self) -> u64 {
        self.end - self.start
    }

    /// The value of Content-Range (RFC 9110 14.4) for a representation of `complete_len` bytes.
    pub fn content_range(self, complete_len: u64) -> HeaderValue {
        field::ascii_value(format!("bytes {}-{}/{complete_len}", self.start, self.last()))
    }
}

impl From<ByteRange> for Range<u64> {
    fn from(range: ByteRange) -> Self {
        range.start..range.end
    }
}

/// The value of Content-Range in a 416 for a representation of `complete_len` bytes.
pub fn unsatisfied_content_range(complete_len: u64) -> HeaderValue {
    field::ascii_value(format!("bytes */{complete_len}"))
}

/// One range as a request writes it (RFC 9110 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeSpec {
    /// `first-last`, both included; `first <= last`.
    Bounded {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last byte, which may lie past the end of the representation.
        last: u64,
    },
    /// `first-`, up to the end.
    From {
        /// Offset of the first byte.
        first: u64,
    },
    /// `-suffix_len`, the last bytes.
    Suffix {
        /// How many bytes; more than there are means all.
        suffix_len: u64,
    },
}

impl RangeSpec {
    /// The bytes that the range means in a representation of `complete_len` bytes; `None` when
    /// there are none such.
    ///
    /// ```
    /// use entryway_http::{ByteRange, RangeSpec};
    ///
    /// let spec = RangeSpec::Bounded { first: 90, last: 199 };
    /// assert_eq!(spec.resolve(100), ByteRange::new(90, 100));
    /// assert_eq!(spec.resolve(90), None);
    /// ```
    pub fn resolve(self, complete_len: u64) -> Option<ByteRange> {
        let (start, end) = match self {
            Self::Bounded { first, last } => (first, last.saturating_add(1).min(complete_len)),
            Self::From { first } => (first, complete_len),
            Self::Suffix { suffix_len } => (complete_len.saturating_sub(suffix_len), complete_len),
        };
        ByteRange::new(start, end)
    }

    fn parse(element: &[u8]) -> Option<Self> {
        let dash = element.iter().position(|&byte| byte == b'-')?;
        let (first, last) = (&element[..dash], &element[dash + 1..]);
        match (first.is_empty(), last.is_empty()) {
            (true, _) => Some(Self::Suffix { suffix_len: parse_decimal(last)? }),
            (false, true) => Some(Self::From { first: parse_decimal(first)? }),
            (false, false) => {
                let (first, last) = (parse_decimal(first)?, parse_decimal(last)?);
                (first <= last).then_some(Self::Bounded { first, last })
            }
        }
    }
}

/// `1*DIGIT` that fits 64 bits.
fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        if !digit.is_ascii_digit() {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// The ranges of a Range field in bytes, as written; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeSet(Vec<RangeSpec>);

impl RangeSet {
    /// Reads the Range field of a GET; `None` where it is to be ignored, which is as if it were
    /// not there (RFC 9110 14.2): another unit than bytes, bad syntax, a last byte before the
    /// first, a number past 64 bits, no range at all, a field that stands twice or is longer than
    /// [`MAX_RANGE_FIELD_LEN`].
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Self::parse(field::only(headers, &RANGE)?.as_bytes())
    }

    /// Reads the value of one Range field; `None` as in [`RangeSet::from_headers`].
    ///
    /// ```
    /// use entryway_http::{RangeSet, RangeSpec};
    ///
    /// let set = RangeSet::parse(b"bytes=0-9, -1").unwrap();
    /// assert_eq!(
    ///     set.specs(),
    ///     [RangeSpec::Bounded { first: 0, last: 9 }, RangeSpec::Suffix { suffix_len: 1 }],
    /// );
    /// assert_eq!(RangeSet::parse(b"lines=0-9"), None);
    /// ```
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.len() > MAX_RANGE_FIELD_LEN {
            return None;
        }
        let value = field::trim_ows(value);
        let equals = value.iter().position(|&byte| byte == b'=')?;
        let (unit, set) = (&value[..equals], &value[equals + 1..]);
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return None;
        }
        let mut specs = Vec::new();
        for (position, raw) in set.split(|&byte| byte == b',').enumerate() {
            let element = field::trim_ows(raw);
            if element.is_empty() {
                continue;
            }
            // The list rule (RFC 9110 5.6.1) has white space round commas, none behind the `=`.
            if position == 0 && field::is_ows(raw[0]) {
                return None;
            }
            specs.push(RangeSpec::parse(element)?);
        }
        (!specs.is_empty()).then_some(Self(specs))
    }

    /// The ranges in the request's order.
    pub fn specs(&self) -> &[RangeSpec] {
        &self.0
    }

    /// What to send of a representation of `complete_len` bytes.
    ///
    /// Ranges that cannot be satisfied are dropped while one can; overlapping and adjacent ones
    /// are coalesced, each in the place where it is first named. What is left is then disjoint,
    /// so that its sum is at most the length, whatever was asked (RFC 9110 14.2).
    ///
    /// Of an empty representation a suffix is satisfiable (RFC 9110 14.1.2) and all of it, but
    /// Content-Range cannot say so: the whole is sent, as 200.
    ///
    /// ```
    /// use entryway_http::{ByteRange, RangeDecision, RangeSet, RangeSupport};
    ///
    /// let set = RangeSet::parse(b"bytes=0-4, 3-9").unwrap();
    /// let all = ByteRange::new(0, 10).unwrap();
    /// assert_eq!(set.decide(10, RangeSupport::Any), RangeDecision::Part(all));
    /// assert_eq!(set.decide(10, RangeSupport::Whole), RangeDecision::Ignore);
    /// ```
    pub fn decide(&self, complete_len: u64, support: RangeSupport) -> RangeDecision {
        if support == RangeSupport::Whole {
            return RangeDecision::Ignore;
        }
        let is_suffix = |spec: &RangeSpec| matches!(spec, RangeSpec::Suffix { suffix_len: 1.. });
        if complete_len == 0 && self.0.iter().any(is_suffix) {
            return RangeDecision::Ignore;
        }
        let parts = coalesce(self.0.iter().filter_map(|spec| spec.resolve(complete_len)));
        let is_ascending = || parts.is_sorted_by_key(|part| part.start);
        match parts[..] {
            [] => RangeDecision::NotSatisfiable,
            [part] => RangeDecision::Part(part),
            _ if parts.len() > MAX_PARTS => RangeDecision::Ignore,
            _ if support == RangeSupport::Forward && !is_ascending() => RangeDecision::Ignore,
            _ => RangeDecision::Parts(parts),
        }
    }
}

/// Joins ranges that overlap or touch, each in the place of the first of them.
fn coalesce(ranges: impl Iterator<Item = ByteRange>) -> Vec<ByteRange> {
    let mut by_start: Vec<(usize, ByteRange)> = ranges.enumerate().collect();
    if by_start.len() > 1 {
        by_start.sort_unstable_by_key(|(_, range)| range.start);
        by_start.dedup_by(|(place, range), (kept_place, kept)| {
            let joins = range.start <= kept.end;
            if joins {
                kept.end = kept.end.max(range.end);
                *kept_place = (*kept_place).min(*place);
            }
            joins
        });
        by_start.sort_unstable_by_key(|(place, _)| *place);
    }
    by_start.into_iter().map(|(_, range)| range).collect()
}

/// What a Range field comes to for one representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeDecision {
    /// The field is ignored: 200 with the whole.
    Ignore,
    /// One range: 206.
    Part(ByteRange),
    /// 2 to [`MAX_PARTS`] disjoint ranges in the request's order: 206 multipart/byteranges.
    Parts(Vec<ByteRange>),
    /// No range lies in the representation: 416.
    NotSatisfiable,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bounded(first: u64, last: u64) -> RangeSpec {
        RangeSpec::Bounded { first, last }
    }
    fn from(first: u64) -> RangeSpec {
        RangeSpec::From { first }
    }
    fn suffix(suffix_len: u64) -> RangeSpec {
        RangeSpec::Suffix { suffix_len }
    }
    fn range(start: u64, end: u64) -> ByteRange {
        ByteRange::new(start, end).unwrap()
    }

    #[test]
    fn a_field_is_read_without_a_length() {
        let rows: &[(&str, &str, Option<Vec<RangeSpec>>)] = &[
            ("bounded", "bytes=0-9", Some(vec![bounded(0, 9)])),
            ("one byte", "bytes=5-5", Some(vec![bounded(5, 5)])),
            ("from", "bytes=5-", Some(vec![from(5)])),
            ("suffix", "bytes=-5", Some(vec![suffix(5)])),
            ("suffix of nothing", "bytes=-0", Some(vec![suffix(0)])),
            ("several", "bytes=0-1,4-,-2", Some(vec![bounded(0, 1), from(4), suffix(2)])),
            ("case of the unit", "Bytes=0-9", Some(vec![bounded(0, 9)])),
            ("space round a comma", "bytes=0-1 ,\t3-4", Some(vec![bounded(0, 1), bounded(3, 4)])),
            ("empty elements", "bytes=, ,0-1,,3-4,", Some(vec![bounded(0, 1), bounded(3, 4)])),
            ("space at the ends", " bytes=0-1 ", Some(vec![bounded(0, 1)])),
            ("leading zeros", "bytes=007-010", Some(vec![bounded(7, 10)])),
            (
                "the largest number",
                "bytes=0-18446744073709551615",
                Some(vec![bounded(0, u64::MAX)]),
            ),
            ("one past it", "bytes=0-18446744073709551616", None),
            ("30 digits", "bytes=0-999999999999999999999999999999", None),
            ("30 digits first", "bytes=999999999999999999999999999999-", None),
            ("30 digits of suffix", "bytes=-999999999999999999999999999999", None),
            ("last before first", "bytes=5-2", None),
            ("last before first among others", "bytes=0-1,5-2", None),
            ("unknown unit", "items=0-9", None),
            ("no unit", "=0-9", None),
            ("no equals", "bytes 0-9", None),
            ("nothing", "", None),
            ("empty set", "bytes=", None),
            ("only commas", "bytes=,,", None),
            ("a dash alone", "bytes=-", None),
            ("no dash", "bytes=5", None),
            ("two dashes", "bytes=1-2-3", None),
            ("a negative number", "bytes=--5", None),
            ("a plus", "bytes=+1-2", None),
            ("hex", "bytes=0x1-0x2", None),
            ("space behind the equals", "bytes= 0-9", None),
            ("space before the equals", "bytes =0-9", None),
            ("space inside", "bytes=0 -9", None),
            ("space inside a number", "bytes=1 0-20", None),
            ("semicolon", "bytes=0-1;3-4", None),
            ("one bad of two", "bytes=0-1,x", None),
            ("two units", "bytes=0-1,bytes=3-4", None),
        ];
        for (name, value, expected) in rows {
            let got = RangeSet::parse(value.as_bytes()).map(|set| set.specs().to_vec());
            assert_eq!(got, *expected, "{name}");
        }
    }

    #[test]
    fn a_field_past_the_cap_or_repeated_is_ignored() {
        let set = "0-0,".repeat((MAX_RANGE_FIELD_LEN - 6) / 4);
        let mut value = format!("bytes={set}");
        value.push_str(&",".repeat(MAX_RANGE_FIELD_LEN - value.len()));
        assert!(RangeSet::parse(value.as_bytes()).is_some());
        value.push(',');
        assert_eq!(RangeSet::parse(value.as_bytes()), None);

        let mut headers = HeaderMap::new();
        assert_eq!(RangeSet::from_headers(&headers), None);
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(RangeSet::from_headers(&headers), Some(RangeSet(vec![bounded(0, 1)])));
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(RangeSet::from_headers(&headers), None);
    }

    #[test]
    fn a_range_resolves_against_a_length() {
        let rows = [
            ("inside", bounded(2, 4), 10, Some((2, 5))),
            ("first byte", bounded(0, 0), 10, Some((0, 1))),
            ("last byte", bounded(9, 9), 10, Some((9, 10))),
            ("past the end", bounded(8, 99), 10, Some((8, 10))),
            ("at the end", bounded(10, 12), 10, None),
            ("the largest last", bounded(0, u64::MAX), 10, Some((0, 10))),
            ("the largest everything", bounded(0, u64::MAX), u64::MAX, Some((0, u64::MAX))),
            ("from inside", from(3), 10, Some((3, 10))),
            ("from the end", from(10), 10, None),
            ("suffix", suffix(3), 10, Some((7, 10))),
            ("suffix of all", suffix(10), 10, Some((0, 10))),
            ("suffix of more", suffix(11), 10, Some((0, 10))),
            ("suffix of nothing", suffix(0), 10, None),
            ("bounded in nothing", bounded(0, 0), 0, None),
            ("from in nothing", from(0), 0, None),
            ("suffix in nothing", suffix(5), 0, None),
        ];
        for (name, spec, complete_len, expected) in rows {
            let expected = expected.map(|(start, end)| range(start, end));
            assert_eq!(spec.resolve(complete_len), expected, "{name}");
        }
    }

    #[test]
    fn a_set_is_decided_for_a_representation() {
        use RangeDecision::{Ignore, NotSatisfiable, Part, Parts};
        use RangeSupport::{Any, Forward, Whole};
        let eight = "0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14";
        let eight_parts = (0..8).map(|n| range(2 * n, 2 * n + 1)).collect();
        let rows: Vec<(&str, String, u64, RangeSupport, RangeDecision)> = [
            ("one", "0-4", 10, Any, Part(range(0, 5))),
            ("one of all", "0-", 10, Any, Part(range(0, 10))),
            ("one past the end", "10-", 10, Any, NotSatisfiable),
            ("suffix of nothing", "-0", 10, Any, NotSatisfiable),
            ("several past the end", "10-, 20-30, -0", 10, Any, NotSatisfiable),
            ("unsatisfiable dropped", "20-30, 0-4", 10, Any, Part(range(0, 5))),
            ("two", "0-1,4-5", 10, Any, Parts(vec![range(0, 2), range(4, 6)])),
            ("two backwards", "4-5,0-1", 10, Any, Parts(vec![range(4, 6), range(0, 2)])),
            ("overlapping", "0-5,3-8", 10, Any, Part(range(0, 9))),
            ("overlapping backwards", "3-8,0-5", 10, Any, Part(range(0, 9))),
            ("adjacent", "0-4,5-9", 10, Any, Part(range(0, 10))),
            ("adjacent backwards", "5-9,0-4", 10, Any, Part(range(0, 10))),
            ("one apart", "0-4,6-9", 10, Any, Parts(vec![range(0, 5), range(6, 10)])),
            ("one within another", "0-9,3-4", 10, Any, Part(range(0, 10))),
            ("equal", "3-4,3-4", 10, Any, Part(range(3, 5))),
            (
                "joined in the first place",
                "8-9,0-1,5-7",
                10,
                Any,
                Parts(vec![range(5, 10), range(0, 2)]),
            ),
            ("a bridge", "0-1,4-5,2-3", 10, Any, Part(range(0, 6))),
            ("suffix and from", "-2,8-", 10, Any, Part(range(8, 10))),
            ("8 parts", eight, 100, Any, Parts(eight_parts)),
            ("forward, one", "5-", 10, Forward, Part(range(5, 10))),
            ("forward, up", "0-1,4-5", 10, Forward, Parts(vec![range(0, 2), range(4, 6)])),
            ("forward, down", "4-5,0-1", 10, Forward, Ignore),
            ("forward, down but joined", "5-9,0-6", 10, Forward, Part(range(0, 10))),
            ("forward, past the end", "10-", 10, Forward, NotSatisfiable),
            ("whole", "0-1", 10, Whole, Ignore),
            ("whole, past the end", "10-", 10, Whole, Ignore),
            ("empty, from", "0-", 0, Any, NotSatisfiable),
            ("empty, bounded", "0-0", 0, Any, NotSatisfiable),
            ("empty, suffix", "-5", 0, Any, Ignore),
            ("empty, suffix of nothing", "-0", 0, Any, NotSatisfiable),
            ("empty, from and suffix", "0-,-5", 0, Any, Ignore),
        ]
        .map(|(name, set, len, support, decision)| (name, set.to_owned(), len, support, decision))
        .into_iter()
        .chain([
            ("9 parts", format!("{eight},16-16"), 100, Any, Ignore),
            ("9 parts of which 2 join", format!("{eight},13-13"), 14, Any, {
                let mut parts: Vec<_> = (0..6).map(|n| range(2 * n, 2 * n + 1)).collect();
                parts.push(range(12, 14));
                Parts(parts)
            }),
        ])
        .collect();
        for (name, set, complete_len, support, expected) in rows {
            let set = RangeSet::parse(format!("bytes={set}").as_bytes()).unwrap();
            assert_eq!(set.decide(complete_len, support), expected, "{name}");
        }
    }

    #[test]
    fn content_range_is_written_inclusively() {
        assert_eq!(range(0, 1).content_range(1), "bytes 0-0/1");
        assert_eq!(range(21_010, 47_022).content_range(47_022), "bytes 21010-47021/47022");
        assert_eq!(unsatisfied_content_range(0), "bytes */0");
        assert_eq!(unsatisfied_content_range(u64::MAX), "bytes */18446744073709551615");
    }

    fn any_spec() -> impl Strategy<Value = RangeSpec> {
        // Small numbers so that ranges meet, large ones so that arithmetic does.
        let number = prop_oneof![8 => 0_u64..60, 1 => any::<u64>()];
        (number.clone(), number, 0..3).prop_map(|(one, other, form)| match form {
            0 => bounded(one.min(other), one.max(other)),
            1 => from(one),
            _ => suffix(one),
        })
    }

    proptest! {
        #[test]
        fn any_value_is_read_without_panic(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = RangeSet::parse(&value);
        }

        #[test]
        fn values_that_look_right_are_read_without_panic(set in "[0-9, -]{0,60}") {
            if let Some(set) = RangeSet::parse(format!("bytes={set}").as_bytes()) {
                prop_assert!(!set.specs().is_empty());
                let _ = set.decide(50, RangeSupport::Any);
            }
        }

        #[test]
        fn parts_are_what_was_asked_and_nothing_twice(
            specs in proptest::collection::vec(any_spec(), 1..20),
            complete_len in prop_oneof![4 => 0_u64..64, 1 => any::<u64>()],
            is_forward: bool,
        ) {
            let support = if is_forward { RangeSupport::Forward } else { RangeSupport::Any };
            let set = RangeSet(specs);
            let parts = match set.decide(complete_len, support) {
                RangeDecision::Ignore | RangeDecision::NotSatisfiable => return Ok(()),
                RangeDecision::Part(part) => vec![part],
                RangeDecision::Parts(parts) => {
                    prop_assert!((2..=MAX_PARTS).contains(&parts.len()));
                    parts
                }
            };
            let mut sum = 0_u64;
            for (index, part) in parts.iter().enumerate() {
                prop_assert!(part.start < part.end && part.end <= complete_len);
                sum = sum.checked_add(part.len()).unwrap();
                for other in &parts[..index] {
                    // Disjoint, and not even adjacent.
                    prop_assert!(part.end < other.start || other.end < part.start);
                    prop_assert!(!is_forward || other.start < part.start);
                }
            }
            prop_assert!(sum <= complete_len);
            let asked: Vec<ByteRange> =
                set.0.iter().filter_map(|spec| spec.resolve(complete_len)).collect();
            for range in &asked {
                let holds = |part: &ByteRange| part.start <= range.start && range.end <= part.end;
                prop_assert!(parts.iter().any(holds));
            }
            for part in &parts {
                prop_assert!(asked.iter().any(|range| range.start == part.start));
                prop_assert!(asked.iter().any(|range| range.end == part.end));
            }
        }
    }
}

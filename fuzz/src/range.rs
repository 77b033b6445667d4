//! Arbitrary Range fields against an evaluation that knows nothing of the crate's: RFC 9110 14.1.1,
//! 14.1.2 and 14.2.
//!
//! 1. A field that is not valid, of another unit, or that stands twice is as if it were not there.
//! 2. Where no range lies in the representation the answer is 416, else 206 with exactly the bytes
//!    that were asked for: as few parts as there can be, at most 8, in the order of the request.
//! 3. HEAD knows no ranges, and neither does an entry that was not verified.

use std::time::UNIX_EPOCH;

use entryway_http::{
    ByteRange, EntityTag, Outcome, RangeSupport, RepresentationMetadata, RequestHead, plan,
};
use http::header::{HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode};

/// Parts of an answer, at most.
const PARTS_MAX: usize = 8;

/// Bytes of a field that is read, at most.
const FIELD_LEN_MAX: usize = 1_024;

/// An input: 8 bytes of length, little-endian, one of flags, then a line for each Range field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input<'a> {
    /// Length of the representation in bytes; at most 2^63 - 1.
    pub complete_len: u64,
    /// Whether the method is HEAD instead of GET.
    pub is_head: bool,
    /// Which ranges can be sent.
    pub ranges: RangeSupport,
    /// The values of the Range fields.
    pub values: Vec<&'a [u8]>,
}

impl<'a> Input<'a> {
    /// Reads an input; `None` where it is too short.
    #[must_use]
    pub fn parse(input: &'a [u8]) -> Option<Self> {
        let (fixed, values) = input.split_first_chunk::<9>()?;
        let [len @ .., flags] = *fixed;
        // Mostly short, so that ranges meet.
        let complete_len = u64::from_le_bytes(len) >> 1;
        Some(Self {
            complete_len: if flags & 1 == 0 { complete_len % 300 } else { complete_len },
            is_head: flags >> 1 & 7 == 7,
            ranges: match flags >> 4 & 7 {
                7 => RangeSupport::Whole,
                6 => RangeSupport::Forward,
                _ => RangeSupport::Any,
            },
            values: values.split(|&byte| byte == b'\n').collect(),
        })
    }

    /// The bytes that [`Input::parse`] reads as this.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let support = match self.ranges {
            RangeSupport::Whole => 7,
            RangeSupport::Forward => 6,
            RangeSupport::Any => 0,
        };
        let flags = 1 | if self.is_head { 7 << 1 } else { 0 } | support << 4;
        let len = (self.complete_len << 1).to_le_bytes();
        [&len[..], &[flags], &self.values.join(&b'\n')].concat()
    }
}

/// What has to come of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    Whole,
    Ranges(Vec<(u128, u128)>),
    NotSatisfiable,
}

/// Checks one input.
///
/// # Panics
/// Where the plan is not what has to come of it: a finding.
pub fn check(input: &[u8]) {
    let Some(input) = Input::parse(input) else { return };
    let mut headers = HeaderMap::new();
    for value in &input.values {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(RANGE, value);
        }
    }
    let metadata = RepresentationMetadata {
        complete_len: input.complete_len,
        entity_tag: EntityTag::new("t").expect("a letter"),
        last_modified: UNIX_EPOCH,
        gzip_len: None,
        zstd_len: None,
        ranges: input.ranges,
    };
    let method = if input.is_head { Method::HEAD } else { Method::GET };
    let planned = plan(&RequestHead { method: &method, headers: &headers }, &metadata);
    let pair = |part: &ByteRange| (u128::from(part.start()), u128::from(part.end()));
    let got = match &planned.outcome {
        Outcome::Whole => Expected::Whole,
        Outcome::Part(part) => Expected::Ranges(vec![pair(part)]),
        Outcome::Parts(parts) => Expected::Ranges(parts.iter().map(pair).collect()),
        Outcome::NotSatisfiable => Expected::NotSatisfiable,
        other => panic!("{other:?} of a Range field"),
    };
    let mut fields = headers.get_all(RANGE).iter();
    let expected = match (fields.next(), fields.next()) {
        (Some(value), None) if method == Method::GET => expected(value.as_bytes(), &input),
        _ => Expected::Whole,
    };
    assert_eq!(got, expected);
    let status = match expected {
        Expected::Whole => StatusCode::OK,
        Expected::Ranges(_) => StatusCode::PARTIAL_CONTENT,
        Expected::NotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
    };
    assert_eq!(planned.status(), status);
}

fn expected(value: &[u8], input: &Input<'_>) -> Expected {
    let Some(specs) = parsed(value) else { return Expected::Whole };
    if input.ranges == RangeSupport::Whole {
        return Expected::Whole;
    }
    let len = u128::from(input.complete_len);
    // Of nothing a suffix is all, which Content-Range cannot say.
    if len == 0 && specs.iter().any(|spec| matches!(spec, (None, Some(1..)))) {
        return Expected::Whole;
    }
    let satisfiable: Vec<(u128, u128)> = specs
        .into_iter()
        .map(|spec| match spec {
            (Some(first), Some(last)) => (first, (last + 1).min(len)),
            (Some(first), None) => (first, len),
            (None, suffix) => (len - suffix.unwrap_or(0).min(len), len),
        })
        .filter(|(start, end)| start < end)
        .collect();
    if satisfiable.is_empty() {
        return Expected::NotSatisfiable;
    }
    let parts = joined(&satisfiable, len);
    let is_ascending = parts.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let is_sendable = parts.len() == 1 || input.ranges == RangeSupport::Any || is_ascending;
    if parts.len() > PARTS_MAX || !is_sendable {
        return Expected::Whole;
    }
    Expected::Ranges(parts)
}

/// The bytes that any range asks for, as runs; each run where its first range stood.
fn joined(ranges: &[(u128, u128)], len: u128) -> Vec<(u128, u128)> {
    let runs: Vec<(u128, u128)> = if len <= 300 {
        // One byte after the other.
        let is_asked = |at: u128| ranges.iter().any(|(start, end)| (*start..*end).contains(&at));
        let starts = (0..len).filter(|&at| is_asked(at) && (at == 0 || !is_asked(at - 1)));
        starts.map(|start| (start, (start..len).find(|&at| !is_asked(at)).unwrap_or(len))).collect()
    } else {
        // Until nothing changes, two that touch become one.
        let mut runs = ranges.to_vec();
        while let Some((a, b)) = touching(&runs) {
            let other = runs.swap_remove(b);
            runs[a] = (runs[a].0.min(other.0), runs[a].1.max(other.1));
        }
        runs
    };
    let mut parts: Vec<(u128, u128)> = Vec::new();
    for (start, end) in ranges {
        let run = runs.iter().find(|run| run.0 <= *start && *end <= run.1).expect("a run of it");
        if !parts.contains(run) {
            parts.push(*run);
        }
    }
    parts
}

fn touching(runs: &[(u128, u128)]) -> Option<(usize, usize)> {
    (0..runs.len()).find_map(|a| {
        (a + 1..runs.len())
            .find(|&b| runs[a].0 <= runs[b].1 && runs[b].0 <= runs[a].1)
            .map(|b| (a, b))
    })
}

/// `bytes=` and a list of `first-last`, `first-` or `-suffix`; `None` where it is none.
fn parsed(value: &[u8]) -> Option<Vec<(Option<u128>, Option<u128>)>> {
    if value.len() > FIELD_LEN_MAX {
        return None;
    }
    // A byte past ASCII is none of the grammar's.
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    let (unit, set) = text.split_once('=')?;
    // The list's white space stands round its commas: before a range there is none behind the `=`.
    let first = set.split(',').next().unwrap_or_default();
    let is_indented = first.starts_with([' ', '\t']) && !first.trim_matches([' ', '\t']).is_empty();
    if !unit.eq_ignore_ascii_case("bytes") || is_indented {
        return None;
    }
    let mut specs = Vec::new();
    for element in set.split(',').map(|element| element.trim_matches([' ', '\t'])) {
        if element.is_empty() {
            continue;
        }
        let (first, last) = element.split_once('-')?;
        let spec = (number(first)?, number(last)?);
        match spec {
            (None, None) => return None,
            (Some(first), Some(last)) if first > last => return None,
            spec => specs.push(spec),
        }
    }
    (!specs.is_empty()).then_some(specs)
}

/// Digits as a number, or nothing as none; `None` where they are more than 64 bits.
fn number(digits: &str) -> Option<Option<u128>> {
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let mut value = None;
    for digit in digits.bytes() {
        let next = value.unwrap_or(0) * 10 + u128::from(digit - b'0');
        if next > u128::from(u64::MAX) {
            return None;
        }
        value = Some(next);
    }
    Some(value)
}

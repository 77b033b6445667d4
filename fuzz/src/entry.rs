//! Arbitrary bytes as an archive, of which entries are read: whole and in parts, through windows
//! and short reads, and as the body of an answer.
//!
//! 1. The same content or refusal comes of one read and of windows of any length, and in a file's
//!    short reads; verifying says what reading says.
//! 2. Parts of an entry are those parts of its content; of one that is not known to be good they
//!    are never more than was asked for.
//! 3. An entry that was found good is read again without its header; a body of it, in every coding
//!    that it has, is the content, and a body of any other ends in an error or is the content.

use std::ops::Range;

use bytes::Bytes;
use entryway::{
    Archive, EntryPlan, ExtractStep, Extraction, Fetched, Found, Refusal, Rule, Standing,
};
use entryway_http::{ContentCoding, Outcome, Plan, body, representation};

use crate::answer::{collected, gunzipped};
use crate::draw::Draw;
use crate::reading::{LIMITS, Ragged, read, refused, verify};

/// Checks one input.
///
/// # Panics
/// Where two ways disagree or a promise is broken: a finding.
pub fn check(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let mut draw = Draw::of(input);
    let Ok(archive) = Archive::open_within(bytes.clone(), LIMITS) else { return };
    let ragged = Archive::open_within(Ragged::new(bytes.clone(), &mut draw), LIMITS)
        .expect("what memory opens");
    for (entry, standing) in archive.directory().entries().zip(verify(&archive)) {
        let found = archive.describe(&entry);
        let content = read(&archive, &found);
        assert_eq!(content, read(&ragged, &found), "short reads give another content");
        assert_eq!(content.as_ref().err(), verdict(&standing), "verified, and read");
        let windowed = through_windows(EntryPlan::whole(&found), &found, &bytes, &mut draw);
        same_outcome(&content, &windowed);
        check_parts(&found, &content, &bytes, &mut draw);
        check_body(&found, &content, &ragged);
        if matches!(standing, Standing::Good { .. }) {
            let known = Found { standing, ..found };
            assert!(read(&archive, &known) == content, "known to be good, another content");
            check_parts(&known, &content, &bytes, &mut draw);
            check_body(&known, &content, &ragged);
        }
    }
}

fn verdict(standing: &Standing) -> Option<&Refusal> {
    match standing {
        Standing::Bad(refusal) => Some(refusal),
        Standing::Good { .. } | Standing::Unverified => None,
    }
}

/// The same content, or a refusal that differs at most in where a defect of the data was met.
fn same_outcome(content: &Result<Vec<u8>, Refusal>, other: &Result<Vec<u8>, Refusal>) {
    match (content, other) {
        (Ok(content), Ok(other)) => assert!(content == other, "windows give another content"),
        (Err(refusal), Err(other)) => {
            // How far a decoder could run ahead decides where in the output a defect is met, and so
            // whether the output was too long before.
            let is_data = |rule| matches!(rule, Rule::Data | Rule::DataLong);
            if !is_data(refusal.rule) || !is_data(other.rule) {
                assert_eq!(refusal.rule, other.rule, "windows end in another refusal");
            }
        }
        (content, other) => panic!(
            "at once {:?}, through windows {:?}",
            content.as_ref().map(Vec::len),
            other.as_ref().map(Vec::len)
        ),
    }
}

/// Carries out a plan over windows that are drawn: shorter than what is asked for, or longer.
fn through_windows(
    plan: Result<EntryPlan, Refusal>,
    found: &Found,
    archive: &Bytes,
    draw: &mut Draw,
) -> Result<Vec<u8>, Refusal> {
    let plan = plan?;
    let wanted = plan.declared_len();
    let mut extraction = Extraction::new(plan);
    let mut fetched = Fetched::default();
    let mut content = Vec::new();
    let (mut last, mut len) = (found.entry.local_header_offset, 0);
    loop {
        match extraction.step(&fetched).map_err(refused)? {
            ExtractStep::Need(extent) => {
                assert!(extent.start < extent.end && extent.end <= found.boundary, "{extent:?}");
                assert!(!fetched.covers(&extent), "{extent:?} is in hand");
                assert!(last <= extent.start, "back to {extent:?}");
                // Where it does not get on, more comes: a header is read as one.
                len = if last == extent.start { 2 * len + 1 } else { draw.within(1, 300) };
                last = extent.start;
                let before = draw.below(extent.start.min(50) + 1);
                let beyond = if draw.one_in(4) { draw.below(200) } else { 0 };
                let end = extent.end.min(extent.start + len) + beyond;
                let start = (extent.start - before) as usize;
                let bytes = archive.slice(start..archive.len().min(end as usize));
                fetched = Fetched { offset: start as u64, bytes };
            }
            ExtractStep::Chunk(chunk) => {
                assert!(!chunk.is_empty() && chunk.len() <= entryway::CHUNK_LEN);
                content.extend_from_slice(&chunk);
                assert!(content.len() as u64 <= wanted, "more than was wanted");
            }
            ExtractStep::Skipped => {}
            ExtractStep::Done => break,
        }
    }
    assert_eq!(content.len() as u64, wanted);
    Ok(content)
}

/// Ranges of the entry, drawn.
fn drawn_parts(size: u64, draw: &mut Draw) -> Vec<Range<u64>> {
    let mut bounds: Vec<u64> =
        (0..2 * draw.within(1, 4)).map(|_| draw.below(size.saturating_add(1))).collect();
    if draw.one_in(3) {
        bounds.extend([draw.below(size.saturating_add(1)), size]);
    }
    bounds.sort_unstable();
    bounds.dedup();
    bounds.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect()
}

fn check_parts(
    found: &Found,
    content: &Result<Vec<u8>, Refusal>,
    archive: &Bytes,
    draw: &mut Draw,
) {
    let parts = drawn_parts(found.entry.declared_uncompressed_size, draw);
    let read = through_windows(EntryPlan::parts(found, parts.clone()), found, archive, draw);
    match (content, read) {
        (Ok(content), Ok(read)) => {
            let expected: Vec<u8> = parts
                .iter()
                .flat_map(|part| &content[part.start as usize..part.end as usize])
                .copied()
                .collect();
            assert!(read == expected, "{parts:?} are other bytes");
        }
        (Ok(_), Err(refusal)) => panic!("{parts:?} of a good entry: {refusal}"),
        // What is wrong with it was not met; `through_windows` has counted the bytes.
        (Err(refusal), Ok(_)) => {
            let size = found.entry.declared_uncompressed_size;
            let reaches_end = parts.last().is_some_and(|part| part.end == size);
            assert!(!reaches_end, "read to its end, and not refused: {refusal}");
        }
        (Err(_), Err(_)) => {}
    }
}

/// Bodies in every coding: complete only where the content is right.
fn check_body(found: &Found, content: &Result<Vec<u8>, Refusal>, archive: &Archive<Ragged>) {
    let metadata = representation(found, &[0; 32], std::time::UNIX_EPOCH);
    for coding in ContentCoding::BY_COST {
        let Some(length) = metadata.length(coding) else { continue };
        let plan = Plan { outcome: Outcome::Whole, coding, is_head_only: false };
        let sent = body(archive.source().clone(), found, &plan, None).ok().and_then(collected);
        match (content, sent) {
            (Ok(content), Some(sent)) => {
                assert_eq!(sent.len() as u64, length);
                match coding {
                    ContentCoding::Identity => assert!(sent == *content, "another body"),
                    ContentCoding::Gzip => assert!(gunzipped(&sent) == *content, "another body"),
                    ContentCoding::Zstd => {
                        let stored = found.data_extent().map(|data| archive.source().slice(data));
                        assert!(
                            stored.is_none_or(|stored| sent == stored),
                            "not the archive's bytes"
                        );
                    }
                }
            }
            (Ok(_), None) => panic!("no body of a good entry"),
            (Err(refusal), Some(_)) => panic!("a whole body of an entry that is bad: {refusal}"),
            (Err(_), None) => {}
        }
    }
}

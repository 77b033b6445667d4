//! A subset of an archive as a download: what is known of it, and its bytes.

use std::sync::Arc;
use std::time::SystemTime;

use entryway::{Source, Subset};
use http::HeaderValue;

use crate::body::{EntryBody, Piece};
use crate::disposition::attachment;
use crate::entry::pieces_body;
use crate::head::EntryHeaders;
use crate::multipart::Multipart;
use crate::plan::Plan;
use crate::representation::{RangeSupport, RepresentationMetadata};
use crate::validator::EntityTag;

/// The name of the download, that of the whole archive's.
const FILE_NAME: &str = "artifacts.zip";

/// The fields of a subset, and the metadata to plan with: `application/octet-stream`, any range,
/// identity alone; the entity tag is [`EntityTag::of_subset`].
pub fn subset_headers(
    subset: &Subset,
    archive_sha256: &[u8; 32],
    stored_at: SystemTime,
) -> EntryHeaders {
    let metadata = RepresentationMetadata {
        complete_len: subset.len(),
        entity_tag: EntityTag::of_subset(archive_sha256, subset.raw_names()),
        last_modified: stored_at,
        gzip_len: None,
        zstd_len: None,
        ranges: RangeSupport::Any,
    };
    EntryHeaders::new(
        metadata,
        HeaderValue::from_static("application/octet-stream"),
        attachment(FILE_NAME.as_bytes(), FILE_NAME),
    )
}

/// The body that a plan asks for of a subset; `source` is the archive it was planned over.
///
/// Any range costs what it has: nothing in front of it is read.
pub fn subset_body<S: Source>(
    source: S,
    subset: &Arc<Subset>,
    plan: &Plan,
    multipart: Option<Multipart>,
) -> EntryBody<S> {
    let whole = 0..subset.len();
    pieces_body(source, plan, multipart, whole, |range| Piece::Subset(subset.segments(range)))
}

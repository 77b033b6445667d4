//! One file out of a zip archive, as RFC 9110 wants it sent.
//!
//! The semantics of an answer are pure functions here: from a request's head and what is known of
//! an entry ([`RepresentationMetadata`]) follows a [`Plan`], from the plan the answer's head and
//! the pieces of its body, before a byte of the entry is read.
//!
//! ```text
//!   request head         RepresentationMetadata
//!   (method, fields)     (lengths, entity tag, date, codings, ranges)
//!        |                         |
//!        +-----------+-------------+
//!                    v
//!                 plan()    1. coding         Accept-Encoding          406
//!                           2. preconditions  If-Match, If-None-Match,
//!                                             If-(Un)Modified-Since    412, 304
//!                           3. range          If-Range, Range          416, 206
//!                    |                                                 200
//!                    v
//!          EntryHeaders::write()  -->  every field of the head, exact
//!                    |
//!                    v
//!          whole | ByteRange | Multipart  -->  which bytes to send
//! ```
//!
//! A content coding is a representation of its own: the DEFLATE data of an entry in a gzip frame,
//! or its zstd data as it is, has its own length, its own strong entity tag and ranges over its own
//! bytes, and no range of one is ever sent to who holds a part of another.
//!
//! What this crate does *not* do: route, authenticate, choose Cache-Control, answer methods other
//! than GET and HEAD, or write the body of an error. The semantics modules know neither the archive
//! engine nor an HTTP implementation, only the types of the `http` crate.
//!
//! Limits: [`MAX_PARTS`] ranges in an answer, [`MAX_RANGE_FIELD_LEN`] bytes of Range field,
//! [`MAX_FILE_NAME_LEN`] bytes of file name.
//!
//! ```
//! use std::time::SystemTime;
//!
//! use entryway_http::{
//!     EntityTag, EntryHeaders, Purpose, RangeSupport, RepresentationMetadata, RequestHead,
//!     attachment, content_type, plan,
//! };
//! use http::{HeaderMap, HeaderValue, Method, Response, header};
//!
//! // Once for an entry:
//! let archive_sha256 = [0xab; 32];
//! let name = "docs/gr\u{fc}n.html";
//! let entry = EntryHeaders::new(
//!     RepresentationMetadata {
//!         complete_len: 48_211,
//!         entity_tag: EntityTag::of_entry(&archive_sha256, name.as_bytes()),
//!         last_modified: SystemTime::now(),
//!         gzip_len: Some(9_377),
//!         zstd_len: None,
//!         ranges: RangeSupport::Any,
//!     },
//!     content_type(name.as_bytes(), None, Purpose::File),
//!     attachment(name.as_bytes(), name),
//! );
//!
//! // For every request:
//! let mut request = HeaderMap::new();
//! request.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"));
//! let plan = plan(&RequestHead { method: &Method::GET, headers: &request }, entry.metadata());
//! let mut response = Response::new(());
//! *response.status_mut() = plan.status();
//! let cache_control = HeaderValue::from_static("private, no-cache");
//! let multipart = entry.write(&plan, &cache_control, response.headers_mut());
//!
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.headers()["content-encoding"], "gzip");
//! assert_eq!(response.headers()["content-length"], "9377");
//! assert!(plan.sends_representation() && multipart.is_none());
//! ```

#![forbid(unsafe_code)]

mod body;
pub mod coding;
pub mod disposition;
mod entry;
mod field;
pub mod head;
pub mod media_type;
pub mod multipart;
pub mod plan;
pub mod precondition;
pub mod range;
pub mod representation;
mod service;
mod subset;
pub mod validator;

pub use body::EntryBody;
pub use coding::{AcceptEncoding, ContentCoding};
pub use disposition::{MAX_FILE_NAME_LEN, attachment};
pub use entry::{
    SMALL_BODY_LEN, SMALL_DECODER_LEN, begins_before_head, begun_body, body, bytes_body, file_body,
    representation,
};
pub use head::{EntryHeaders, SECURITY_HEADERS, write_security_headers};
pub use media_type::{Purpose, content_type};
pub use multipart::{Multipart, Segment};
pub use plan::{Outcome, Plan, RequestHead, plan};
pub use precondition::Precondition;
pub use range::{ByteRange, MAX_PARTS, MAX_RANGE_FIELD_LEN, RangeDecision, RangeSet, RangeSpec};
pub use representation::{RangeSupport, RepresentationMetadata};
pub use service::ArchiveService;
pub use subset::{subset_body, subset_headers};
pub use validator::{EntityTag, HttpDate, RequestTag};

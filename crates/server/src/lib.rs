//! Serves single files out of CI artifact archives over the GitLab Job Artifacts API.
//!
//! ```text
//! listen  -> api -> route, credential, catalog -> archives -> entryway-http -> entryway
//! (sockets)  (one request)     (who, what)        (open files)   (RFC 9110)     (the engine)
//!
//! cli     -> ingest -> verification, store, catalog             (how an archive gets in)
//! ```
//!
//! The library is the program without its `main`: for tests, and for whoever wants the service
//! inside another one. It trusts nothing that comes over a socket and nothing that stands in an
//! archive; what it trusts is its data folder.
#![forbid(unsafe_code)]

pub mod announcement;
pub mod api;
pub mod archives;
pub mod catalog;
pub mod cli;
pub mod credential;
pub mod ingest;
pub mod listen;
pub mod openapi;
pub mod reply;
pub mod route;
mod shown;
pub mod store;
pub mod timestamp;
pub mod upload;
pub mod verification;

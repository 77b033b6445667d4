//! What other systems announce in JSON: the bodies of the ingest routes and GitLab's webhooks, read
//! into the catalog's changes; and the answers.
//!
//! ```text
//! body -> object (JSON, no key twice) -> ingest | hook -> catalog::{Project,Pipeline,Job}Change
//! ```
//!
//! Pure functions: who may announce what, and what an announcement contradicts, is found out by
//! others. The caller bounds the length of a body; nesting is bounded here.

mod answer;
mod commit;
mod hook;
pub mod ingest;
mod object;

use crate::reply::Failure;

pub use answer::{JobAnswer, PipelineAnswer, ProjectAnswer};
pub use hook::{Hook, HookProject, JobHook, PipelineHook};

/// Why an announcement cannot be read. Fields are named as they stand in the body, with the names
/// of those they stand in: `object_attributes.id`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnnouncement {
    /// Not a JSON object in UTF-8, nested too deeply, or with a key that stands twice.
    #[error("the body is not a JSON object")]
    Body,
    /// A field that the announcement cannot do without.
    #[error("{name} is missing")]
    Missing {
        /// The field.
        name: &'static str,
    },
    /// A field of the wrong type, or with a value that it cannot have.
    #[error("{name} is invalid")]
    Invalid {
        /// The field.
        name: &'static str,
    },
    /// A field that is none of the known ones.
    #[error("a field is unknown")]
    Unknown {
        /// The fields that there may be.
        known: Vec<&'static str>,
    },
}

impl From<BadAnnouncement> for Failure {
    fn from(bad: BadAnnouncement) -> Self {
        match bad {
            BadAnnouncement::Body => Self::ParameterInvalid { name: "body" },
            BadAnnouncement::Missing { name } => Self::ParameterMissing { name },
            BadAnnouncement::Invalid { name } => Self::ParameterInvalid { name },
            BadAnnouncement::Unknown { known } => Self::FieldUnknown { known },
        }
    }
}

/// Longest text that is no name of a ref, in bytes: as for job names.
const MAX_TEXT_LEN: usize = crate::catalog::MAX_JOB_NAME_LEN;

/// Longest JSON that is kept of a commit, a user or a runner, in bytes.
const MAX_JSON_LEN: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_announcement_is_answered_without_what_the_client_sent() {
        let table = [
            (BadAnnouncement::Body, r#"{"error":"body is invalid"}"#),
            (BadAnnouncement::Missing { name: "ref" }, r#"{"error":"ref is missing"}"#),
            (BadAnnouncement::Invalid { name: "ref" }, r#"{"error":"ref is invalid"}"#),
            (
                ingest::project(br#"{"secret":1}"#).unwrap_err(),
                concat!(
                    r#"{"error":"a field is unknown, not one of visibility, public_pipelines, "#,
                    r#"job_token_allowlist"}"#
                ),
            ),
        ];
        for (bad, body) in table {
            let response = Failure::from(bad).into_response(false);
            assert_eq!((response.status().as_u16(), &response.body()[..]), (400, body.as_bytes()));
        }
    }
}

//! Why an upload is not received, or not taken.

use std::fmt;

use entryway::{Error, Rule};

use crate::reply::{EntryRefusal, Failure};
use crate::store::StoreError;
use crate::verification::Unfit;

/// What is wrong with the form that an upload is sent in (RFC 7578, RFC 2046 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormRule {
    /// Content-Type is not multipart/form-data, or is repeated.
    NotMultipart,
    /// Content-Type has no boundary of 1 to 70 characters.
    Boundary,
    /// The body ends before the form does, or its boundary is another one.
    Truncated,
    /// The connection broke off before the body's end.
    Cut,
    /// A part has a head that cannot be read.
    PartHead,
    /// Too many bytes stand before, between or behind the parts.
    FrameTooLong,
    /// A field beside the file is over its limit.
    FieldTooLong,
    /// There are more fields than an upload has.
    TooManyFields,
    /// There is a second file.
    SecondFile,
}

impl FormRule {
    /// A stable name for metrics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NotMultipart => "form_not_multipart",
            Self::Boundary => "form_boundary",
            Self::Truncated => "form_truncated",
            Self::Cut => "form_cut",
            Self::PartHead => "form_part_head",
            Self::FrameTooLong => "form_frame_too_long",
            Self::FieldTooLong => "form_field_too_long",
            Self::TooManyFields => "form_too_many_fields",
            Self::SecondFile => "form_second_file",
        }
    }
}

impl fmt::Display for FormRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotMultipart => "an upload is one body of multipart/form-data",
            Self::Boundary => "the boundary of the form is missing or malformed",
            Self::Truncated => "the form does not end with its boundary",
            Self::Cut => "the body broke off",
            Self::PartHead => "the head of a part of the form cannot be read",
            Self::FrameTooLong => "the form has too much beside its parts",
            Self::FieldTooLong => "a field of the form is too long",
            Self::TooManyFields => "the form has too many fields",
            Self::SecondFile => "the form has more than one file",
        })
    }
}

/// Why an upload is not received, or not taken. Nothing of it is kept then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// The form cannot be read.
    #[error("{0}")]
    Form(FormRule),
    /// The form has no file.
    #[error("the form has no file")]
    FileMissing,
    /// A field that stands for one thing is given twice.
    #[error("{name} is repeated")]
    Repeated {
        /// Which field.
        name: &'static str,
    },
    /// A field is not what it should be.
    #[error("{name} is invalid")]
    Invalid {
        /// Which field.
        name: &'static str,
    },
    /// A field has none of the words that it may have.
    #[error("{name} does not have a valid value")]
    NoValidValue {
        /// Which field.
        name: &'static str,
    },
    /// The body has a content coding.
    #[error("the body has a content coding")]
    ContentCoding,
    /// The file is too long.
    #[error("the file is over the limit of {limit} bytes")]
    TooLarge {
        /// Bytes of a file, at most.
        limit: u64,
    },
    /// The body comes too slowly.
    #[error("the body comes too slowly")]
    TooSlow,
    /// The archive is refused or none, or could not be read back.
    #[error("{0}")]
    Archive(Unfit),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime goes down with the server.
    #[error("the server is stopping")]
    Stopping,
}

impl From<FormRule> for UploadError {
    fn from(rule: FormRule) -> Self {
        Self::Form(rule)
    }
}

/// What an upload that is not taken is answered with. What is the server's own fault is logged.
impl From<UploadError> for Failure {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Form(rule) => Self::UploadMalformed(rule),
            UploadError::FileMissing => Self::ParameterMissing { name: "file" },
            UploadError::Repeated { name } => Self::ParameterRepeated { name },
            UploadError::Invalid { name } => Self::ParameterInvalid { name },
            UploadError::NoValidValue { name } => Self::ParameterValue { name },
            UploadError::ContentCoding => Self::UnsupportedContentCoding,
            UploadError::TooLarge { limit } => Self::UploadTooLarge { limit },
            UploadError::TooSlow => Self::RequestTimeout,
            UploadError::Archive(unfit) => match unfit.error {
                Error::Archive(refusal) | Error::Entry(refusal) => {
                    // What is no archive is so nowhere in particular: its words have no offset.
                    let place = match refusal.rule {
                        Rule::NoEndRecord => format!(" at {}", refusal.offset),
                        _ => String::new(),
                    };
                    Self::ArchiveRefused(EntryRefusal::new(&refusal, format!("{unfit}{place}")))
                }
                error @ (Error::Read { .. } | Error::ShortRead { .. } | Error::Changed) => {
                    tracing::error!(label = error.label(), %error, "cannot read what was received");
                    Self::InternalServerError { reason: error.label() }
                }
            },
            UploadError::Store(error) => store_failure(&error),
            UploadError::Stopping => Self::STOPPING,
        }
    }
}

fn store_failure(error: &StoreError) -> Failure {
    let reason = error.label();
    tracing::error!(label = reason, %error, "cannot store an upload");
    if error.is_no_space() {
        Failure::InsufficientStorage { reason, retry_after: None }
    } else if error.is_out_of_descriptors() {
        Failure::ServiceUnavailable { reason, retry_after: Some(1) }
    } else {
        Failure::InternalServerError { reason }
    }
}

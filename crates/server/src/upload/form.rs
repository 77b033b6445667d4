//! The fields of an upload's form beside the file.

use super::{FormRule, UploadError};
use crate::shown::is_unseen;

/// Bytes of a field, at most.
pub(super) const MAX_FIELD_LEN: usize = 4_096;

/// Fields of a form beside the file, at most.
pub(super) const MAX_FIELDS: usize = 16;

/// Bytes of a file's name, at most: what a file system takes.
const MAX_FILENAME_LEN: usize = 255;

/// The name of a file that came without one.
const DEFAULT_FILENAME: &str = "default.zip";

/// The known fields, as they were sent; whoever knows the query too decides what they mean.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// How long the artifact is kept; see [`super::ExpireIn`].
    pub expire_in: Option<String>,
    /// How the file is packed; see [`super::Kind`].
    pub artifact_format: Option<String>,
    /// What the file is; see [`super::Kind`].
    pub artifact_type: Option<String>,
}

impl Form {
    /// Takes a field; an unknown one means nothing. So does a token: who asks is settled before a byte
    /// of the form is.
    pub(super) fn set(&mut self, name: &str, value: &[u8]) -> Result<(), UploadError> {
        let (slot, name) = match name {
            "expire_in" => (&mut self.expire_in, "expire_in"),
            "artifact_format" => (&mut self.artifact_format, "artifact_format"),
            "artifact_type" => (&mut self.artifact_type, "artifact_type"),
            _ => return Ok(()),
        };
        match slot.replace(text(name, value)?) {
            None => Ok(()),
            Some(_) => Err(UploadError::Repeated { name }),
        }
    }
}

fn text(name: &'static str, value: &[u8]) -> Result<String, UploadError> {
    let text = std::str::from_utf8(value).map_err(|_| UploadError::Invalid { name })?;
    Ok(text.to_owned())
}

/// A small field that is being received.
#[derive(Debug, Default)]
pub(super) struct FieldValue(Vec<u8>);

impl FieldValue {
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Result<(), FormRule> {
        if self.0.len() + bytes.len() > MAX_FIELD_LEN {
            return Err(FormRule::FieldTooLong);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The name of a file, for people: the last segment of what was sent, without characters that are
/// not seen. Nothing is ever opened by it.
pub(super) fn filename(sent: Option<&str>) -> String {
    let sent = sent.unwrap_or_default();
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String = last.chars().filter(|&c| !is_unseen(c)).collect();
    name.truncate(name.floor_char_boundary(MAX_FILENAME_LEN));
    match name.as_str() {
        "" | "." | ".." => DEFAULT_FILENAME.to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_last_segment_of_the_name_that_was_sent() {
        let long = "\u{e9}".repeat(200);
        let table = [
            ("as it came", Some("out.zip"), "out.zip"),
            ("none", None, "default.zip"),
            ("empty", Some(""), "default.zip"),
            ("a folder", Some("a/"), "default.zip"),
            ("a path", Some("../../etc/passwd"), "passwd"),
            ("a path of Windows", Some("C:\\temp\\x.zip"), "x.zip"),
            ("dots", Some("a/.."), "default.zip"),
            ("control characters", Some("a\r\n\0b\u{7f}\u{202e}.zip"), "ab.zip"),
            ("nothing else", Some("\r\n"), "default.zip"),
            ("long", Some(&long), &long[..254]),
        ];
        for (name, sent, expected) in table {
            assert_eq!(filename(sent), expected, "{name}");
        }
    }

    #[test]
    fn a_known_field_is_given_once_and_as_text() {
        let mut form = Form::default();
        form.set("expire_in", b"1 day").unwrap();
        form.set("whatever", b"\xff").unwrap();
        form.set("whatever", b"\xff").unwrap();
        assert_eq!(form.expire_in.as_deref(), Some("1 day"));
        form.set("token", b"glcbt-1").unwrap();
        assert!(!format!("{form:?}").contains("glcbt"), "{form:?}");

        let table = [
            ("expire_in", &b"1 day"[..], UploadError::Repeated { name: "expire_in" }),
            ("artifact_type", b"\xff", UploadError::Invalid { name: "artifact_type" }),
            ("artifact_format", b"\xc3", UploadError::Invalid { name: "artifact_format" }),
        ];
        for (name, value, expected) in table {
            assert_eq!(form.set(name, value), Err(expected), "{name}");
        }
    }
}

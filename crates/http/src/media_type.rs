//! Content-Type by file extension: a fixed table, so that nothing of an archive is ever echoed.

use http::header::HeaderValue;

use crate::field;

/// What a file is fetched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// As the file it is: its type by extension.
    File,
    /// To be looked at: whatever is text, by extension text/*, JSON, JavaScript and XML, goes out
    /// as plain text, which no browser runs.
    Raw,
}

const PLAIN: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// Longest extension in the tables, in bytes, with room.
const MAX_EXTENSION_LEN: usize = 32;

/// The media type for a file of this name, which may be a whole path.
///
/// `is_text` is whether the content is known to be text; it counts only where the extension is
/// unknown or ambiguous: text is then plain text, anything else application/octet-stream.
///
/// text/* carries `charset=utf-8`. JSON has no such parameter (RFC 8259), and XML none here
/// either: over the declaration inside the document it would win (RFC 7303).
///
/// ```
/// use entryway_http::{Purpose, content_type};
///
/// assert_eq!(content_type(b"a/index.HTML", None, Purpose::File), "text/html; charset=utf-8");
/// assert_eq!(content_type(b"a/index.HTML", None, Purpose::Raw), "text/plain; charset=utf-8");
/// assert_eq!(content_type(b"a/logo.png", None, Purpose::Raw), "image/png");
/// assert_eq!(content_type(b"LICENSE", Some(true), Purpose::File), "text/plain; charset=utf-8");
/// assert_eq!(content_type(b"LICENSE", None, Purpose::File), "application/octet-stream");
/// ```
pub fn content_type(file_name: &[u8], is_text: Option<bool>, purpose: Purpose) -> HeaderValue {
    let unknown = if is_text == Some(true) { PLAIN } else { BYTES };
    let mut lowercase = [0; MAX_EXTENSION_LEN];
    let Some(extension) = extension(file_name, &mut lowercase) else {
        return HeaderValue::from_static(unknown);
    };
    // TypeScript or an MPEG transport stream.
    if extension == "ts" && is_text != Some(true) {
        return HeaderValue::from_static("video/mp2t");
    }
    let known = pinned(extension).or_else(|| mime_guess::from_ext(extension).first_raw());
    match known {
        // As good as unknown: the guesser says this of .bin, .so and many more.
        None | Some(BYTES) => HeaderValue::from_static(unknown),
        Some(known) if purpose == Purpose::Raw && is_textual(known) => {
            HeaderValue::from_static(PLAIN)
        }
        Some("text/plain") => HeaderValue::from_static(PLAIN),
        Some(known) if known.starts_with("text/") && !known.contains(';') && !is_xml(known) => {
            field::ascii_value(format!("{known}; charset=utf-8"))
        }
        Some(known) => HeaderValue::from_static(known),
    }
}

/// The extension of the last segment in lowercase, written into `lowercase`. `None` where there is
/// none, where the name begins with its only dot, and where no table could have it.
fn extension<'a>(file_name: &[u8], lowercase: &'a mut [u8; MAX_EXTENSION_LEN]) -> Option<&'a str> {
    let segment = file_name.rsplit(|&byte| byte == b'/').next()?;
    let dot = segment.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0)?;
    let extension = &segment[dot + 1..];
    let lowercase = lowercase.get_mut(..extension.len()).filter(|bytes| !bytes.is_empty())?;
    lowercase.copy_from_slice(extension);
    lowercase.make_ascii_lowercase();
    std::str::from_utf8(lowercase).ok().filter(|extension| extension.is_ascii())
}

/// The types of the common extensions, ready to send, and of those that the guesser does not know
/// or has in a form that browsers or people do not want.
fn pinned(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "css" => "text/css; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "htm" | "html" => "text/html; charset=utf-8",
        "cjs" | "js" | "jsx" | "mjs" => "text/javascript; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        // Source code and what reads like it. The guesser has these as applications, scripts to
        // run, or sound.
        "bat" | "diff" | "go" | "gradle" | "java" | "kt" | "lock" | "log" | "patch" | "php"
        | "pl" | "properties" | "ps1" | "rb" | "rst" | "sh" | "sql" | "swift" | "tex" | "ts"
        | "tsx" | "txt" => PLAIN,
        "json" | "map" => "application/json",
        "ipynb" => "application/x-ipynb+json",
        "sarif" => "application/sarif+json",
        "deb" => "application/vnd.debian.binary-package",
        "gz" | "tgz" => "application/gzip",
        "rpm" => "application/x-rpm",
        "whl" => "application/zip",
        "zst" => "application/zstd",
        "ico" => "image/vnd.microsoft.icon",
        "mid" | "midi" => "audio/midi",
        "otf" => "font/otf",
        "stl" => "model/stl",
        // Compressed, so neither XML nor text as it stands.
        "svgz" | "x3dz" => "application/gzip",
        _ => return None,
    })
}

/// Whether a type is shown as plain text (text/*, JSON, JavaScript, XML and what ends in their
/// suffixes).
fn is_textual(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || is_xml(media_type)
        || media_type.ends_with("+json")
        || matches!(media_type, "application/json" | "application/javascript")
}

fn is_xml(media_type: &str) -> bool {
    matches!(media_type, "text/xml" | "application/xml") || media_type.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_type_follows_from_extension_text_bit_and_purpose() {
        const HTML: &str = "text/html; charset=utf-8";
        const JS: &str = "text/javascript; charset=utf-8";
        // name, text bit, as a file, raw
        let rows: &[(&str, Option<bool>, &str, &str)] = &[
            ("index.html", None, HTML, PLAIN),
            ("index.HTM", None, HTML, PLAIN),
            ("a.css", None, "text/css; charset=utf-8", PLAIN),
            ("a.js", None, JS, PLAIN),
            ("a.mjs", None, JS, PLAIN),
            ("a.cjs", None, JS, PLAIN),
            ("a.txt", None, PLAIN, PLAIN),
            ("a.txt", Some(false), PLAIN, PLAIN),
            ("build.log", None, PLAIN, PLAIN),
            ("main.c", None, PLAIN, PLAIN),
            ("lib.rs", None, "text/x-rust; charset=utf-8", PLAIN),
            ("README.md", None, "text/markdown; charset=utf-8", PLAIN),
            ("a.csv", None, "text/csv; charset=utf-8", PLAIN),
            ("a.tsv", None, "text/tab-separated-values; charset=utf-8", PLAIN),
            ("ci.yml", None, "text/x-yaml; charset=utf-8", PLAIN),
            ("run.sh", None, PLAIN, PLAIN),
            ("Main.java", None, PLAIN, PLAIN),
            ("index.php", None, PLAIN, PLAIN),
            ("a.json", None, "application/json", PLAIN),
            ("a.js.map", None, "application/json", PLAIN),
            ("a.webmanifest", None, "application/manifest+json", PLAIN),
            ("a.sarif", None, "application/sarif+json", PLAIN),
            ("junit.xml", None, "text/xml", PLAIN),
            ("a.xsd", None, "text/xml", PLAIN),
            ("a.config", None, "application/xml", PLAIN),
            ("a.xhtml", None, "application/xhtml+xml", PLAIN),
            ("a.svg", None, "image/svg+xml", PLAIN),
            ("a.atom", None, "application/atom+xml", PLAIN),
            ("a.svgz", None, "application/gzip", "application/gzip"),
            ("a.wasm", None, "application/wasm", "application/wasm"),
            ("a.png", None, "image/png", "image/png"),
            ("a.png", Some(true), "image/png", "image/png"),
            ("a.woff2", None, "font/woff2", "font/woff2"),
            ("a.pdf", None, "application/pdf", "application/pdf"),
            ("a.tar.gz", None, "application/gzip", "application/gzip"),
            ("a.zip", None, "application/zip", "application/zip"),
            ("a.whl", None, "application/zip", "application/zip"),
            ("a.jar", None, "application/java-archive", "application/java-archive"),
            ("a.mp4", None, "video/mp4", "video/mp4"),
            ("a.ts", None, "video/mp2t", "video/mp2t"),
            ("a.ts", Some(false), "video/mp2t", "video/mp2t"),
            ("a.ts", Some(true), PLAIN, PLAIN),
            ("a.bin", None, BYTES, BYTES),
            ("a.bin", Some(true), PLAIN, PLAIN),
            ("a.unknown", None, BYTES, BYTES),
            ("a.unknown", Some(false), BYTES, BYTES),
            ("a.unknown", Some(true), PLAIN, PLAIN),
            ("LICENSE", None, BYTES, BYTES),
            ("LICENSE", Some(true), PLAIN, PLAIN),
            ("html", None, BYTES, BYTES),
            (".html", None, BYTES, BYTES),
            ("dir/.html", None, BYTES, BYTES),
            (".config.json", None, "application/json", PLAIN),
            ("a.", Some(true), PLAIN, PLAIN),
            ("a.html/b", None, BYTES, BYTES),
            ("a/b.html", None, HTML, PLAIN),
            ("a.html ", None, BYTES, BYTES),
            ("a.html\0", None, BYTES, BYTES),
            ("", None, BYTES, BYTES),
            ("\u{e9}.html", None, HTML, PLAIN),
            ("a.htm\u{e9}", None, BYTES, BYTES),
        ];
        for (name, is_text, file, raw) in rows {
            let name = name.as_bytes();
            let label = String::from_utf8_lossy(name);
            assert_eq!(content_type(name, *is_text, Purpose::File), file, "{label}, {is_text:?}");
            assert_eq!(content_type(name, *is_text, Purpose::Raw), raw, "{label} raw, {is_text:?}");
        }
    }

    #[test]
    fn a_name_in_another_charset_keeps_its_extension() {
        assert_eq!(content_type(b"\xff\xfe.png", None, Purpose::File), "image/png");
        assert_eq!(content_type(b"a.\xff\xfe", None, Purpose::File), BYTES);
    }

    #[test]
    fn an_extension_longer_than_any_is_unknown() {
        // Miri takes minutes for what the machine does in none.
        let len = if cfg!(miri) { 1_000 } else { 100_000 };
        let name = format!("a.{}", "x".repeat(len));
        assert_eq!(content_type(name.as_bytes(), None, Purpose::File), BYTES);
    }

    proptest! {
        #[test]
        fn nothing_of_a_name_is_echoed(
            name in proptest::collection::vec(any::<u8>(), 0..40),
            is_text: Option<bool>,
        ) {
            for purpose in [Purpose::File, Purpose::Raw] {
                let with_name = content_type(&name, is_text, purpose);
                let text = with_name.to_str().unwrap();
                let is_plausible = |c: char| c.is_ascii_alphanumeric() || "/+-.; =".contains(c);
                prop_assert!(text.chars().all(is_plausible));
                if purpose == Purpose::Raw {
                    prop_assert!(text == PLAIN || !is_textual(text));
                }
            }
        }

        #[test]
        fn case_never_matters(extension in "[a-z0-9]{1,6}") {
            let lower = content_type(format!("a.{extension}").as_bytes(), None, Purpose::File);
            let upper = extension.to_uppercase();
            let upper = content_type(format!("a.{upper}").as_bytes(), None, Purpose::File);
            prop_assert_eq!(lower, upper);
        }
    }
}

//! Any name of an entry, to Content-Disposition and back: the field is read by a plain parser of
//! RFC 6266 and RFC 8187, which knows nothing of who wrote it.
//!
//! 1. The value is one that HTTP can carry: visible ASCII and spaces.
//! 2. `filename*` gives the last segment of the name, cut to 255 bytes at a character.
//! 3. `filename` is a quoted-string without escapes, controls, `%`, slashes of either kind and
//!    anything past ASCII.

use entryway_http::{MAX_FILE_NAME_LEN, attachment};

/// Checks one input: a byte of length, that many bytes of raw name, and the name to show; with 255,
/// all of it is both.
///
/// # Panics
/// Where a name does not come back, or could be read as more than a name: a finding.
pub fn check(input: &[u8]) {
    let Some((&raw_len, rest)) = input.split_first() else { return };
    let (raw_name, display) = match raw_len {
        255 => (rest, rest),
        len => rest.split_at(rest.len().min(len.into())),
    };
    let display = String::from_utf8_lossy(display);
    let value = attachment(raw_name, &display);
    let text = value.to_str().expect("ASCII");
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");

    let (kind, parameters) = parsed(text).unwrap_or_else(|| panic!("no field value: {text:?}"));
    assert_eq!(kind, "attachment");
    let names: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["filename", "filename*"], "{text:?}");
    let [(_, fallback), (_, extended)] = &parameters[..] else { panic!("two parameters") };

    let name = from_extended(extended).unwrap_or_else(|| panic!("no ext-value: {extended:?}"));
    let raw_name = String::from_utf8_lossy(raw_name);
    let last = [&display, &raw_name]
        .into_iter()
        .map(|name| name.split('/').next_back().unwrap_or_default())
        .find(|name| !name.is_empty())
        .unwrap_or("download");
    assert!(last.starts_with(&name), "{last:?} comes back as {name:?}");
    let cut = &last[name.len()..];
    let next_len = cut.chars().next().map_or(0, char::len_utf8);
    assert!(cut.is_empty() || name.len() + next_len > MAX_FILE_NAME_LEN, "{cut:?} is cut");
    assert!(!name.is_empty() && name.len() <= MAX_FILE_NAME_LEN);

    assert!(!fallback.is_empty() && fallback.len() <= MAX_FILE_NAME_LEN);
    let is_plain = |byte| (b' '..=b'~').contains(&byte) && !b"\"\\%/".contains(&byte);
    assert!(fallback.bytes().all(is_plain), "{fallback:?}");
}

/// A disposition type and its parameters (RFC 6266 4.1), quoted-strings without their quotes and
/// escapes. `None` where the text is not of that form.
fn parsed(text: &str) -> Option<(String, Vec<(String, String)>)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let mut rest = text.chars().peekable();
    let mut kind = String::new();
    while let Some(c) = rest.next_if(|&c| is_token(c)) {
        kind.push(c);
    }
    let mut parameters = Vec::new();
    loop {
        while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match rest.next() {
            None => return Some((kind, parameters)),
            Some(';') => {}
            Some(_) => return None,
        }
        while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        let (mut name, mut value) = (String::new(), String::new());
        while let Some(c) = rest.next_if(|&c| is_token(c)) {
            name.push(c);
        }
        rest.next_if_eq(&'=')?;
        if rest.next_if_eq(&'"').is_some() {
            loop {
                match rest.next()? {
                    '"' => break,
                    '\\' => value.push(rest.next()?),
                    c => value.push(c),
                }
            }
        } else {
            while let Some(c) = rest.next_if(|&c| is_token(c)) {
                value.push(c);
            }
        }
        if name.is_empty() {
            return None;
        }
        parameters.push((name, value));
    }
}

/// The text of an ext-value in UTF-8 (RFC 8187 3.2.1).
fn from_extended(value: &str) -> Option<String> {
    let rest = value.strip_prefix("UTF-8''")?;
    let mut bytes = Vec::new();
    let mut rest = rest.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                bytes.push((high << 4 | low) as u8);
            }
            byte if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) => {
                bytes.push(byte);
            }
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

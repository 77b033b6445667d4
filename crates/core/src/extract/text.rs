//! Tells text from other content while it is decoded.

/// Watches content go by and says whether all of it is UTF-8 text.
///
/// Text is UTF-8 without control characters other than tab, line feed, form feed, carriage return,
/// and escape (build logs colour their lines with it). An empty content is text.
#[derive(Clone, Debug)]
pub struct TextProbe {
    is_text: bool,
    /// The start of a character that the last chunk cut.
    cut: [u8; 3],
    cut_len: usize,
}

impl TextProbe {
    /// A probe that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { is_text: true, cut: [0; 3], cut_len: 0 }
    }

    /// Looks at the next bytes of the content.
    pub fn update(&mut self, mut chunk: &[u8]) {
        // A character cut by the chunks' border is completed byte by byte.
        while self.is_text && self.cut_len > 0 {
            let Some((&byte, rest)) = chunk.split_first() else { return };
            chunk = rest;
            let mut character = [0; 4];
            character[..self.cut_len].copy_from_slice(&self.cut[..self.cut_len]);
            character[self.cut_len] = byte;
            match std::str::from_utf8(&character[..=self.cut_len]) {
                Ok(_) => self.cut_len = 0,
                // A character takes four bytes at most: an unfinished one of three is the longest.
                Err(error) if error.error_len().is_none() && self.cut_len < 3 => {
                    self.cut[self.cut_len] = byte;
                    self.cut_len += 1;
                }
                Err(_) => self.is_text = false,
            }
        }
        if !self.is_text {
            return;
        }
        let is_control = |b: u8| b == 0x7f || (b < 0x20 && !b"\t\n\x0c\r\x1b".contains(&b));
        if chunk.iter().any(|&byte| is_control(byte)) {
            self.is_text = false;
            return;
        }
        if let Err(error) = std::str::from_utf8(chunk) {
            let rest = &chunk[error.valid_up_to()..];
            if error.error_len().is_some() || rest.len() > self.cut.len() {
                self.is_text = false;
                return;
            }
            self.cut[..rest.len()].copy_from_slice(rest);
            self.cut_len = rest.len();
        }
    }

    /// Whether everything seen is text, if it ends here.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.is_text && self.cut_len == 0
    }
}

impl Default for TextProbe {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_recognised_however_it_is_cut() {
        let table: [(&str, &[u8], bool); 8] = [
            ("empty", b"", true),
            ("ASCII", b"line\r\n\tline\x0c", true),
            ("coloured log", b"\x1b[31mred\x1b[0m", true),
            ("all lengths of character", "a\u{e9}\u{20ac}\u{1f600}z".as_bytes(), true),
            ("NUL", b"a\0b", false),
            ("not UTF-8", b"a\xffb", false),
            ("ends inside a character", b"a\xe2\x82", false),
            ("character broken off", b"\xe2\x82a", false),
        ];
        for (name, content, expected) in table {
            for piece in 1..=content.len().max(1) {
                let mut probe = TextProbe::new();
                content.chunks(piece).for_each(|chunk| probe.update(chunk));
                assert_eq!(probe.is_text(), expected, "{name} in pieces of {piece}");
            }
        }
    }
}

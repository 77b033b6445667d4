//! Pages: 4,092 bytes of content and a CRC-32.

/// Bytes of a page.
pub(super) const PAGE_LEN: usize = 4_096;
/// Bytes of content in a page.
pub(super) const CONTENT_LEN: usize = PAGE_LEN - 4;

/// The CRC-32 of a page; its number is part of it, so that a page in the wrong place is noticed.
fn crc32(number: u64, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

/// Appends a page with this content, filled up with zeros.
///
/// `content` is at most [`CONTENT_LEN`] bytes; `out` holds whole pages only.
pub(super) fn append(out: &mut Vec<u8>, content: &[u8]) {
    let number = (out.len() / PAGE_LEN) as u64;
    let start = out.len();
    out.extend_from_slice(content);
    out.resize(start + CONTENT_LEN, 0);
    let crc32 = crc32(number, &out[start..]);
    out.extend_from_slice(&crc32.to_le_bytes());
}

/// The content of a page, where its CRC-32 is right.
pub(super) fn content(number: u64, page: &[u8; PAGE_LEN]) -> Option<&[u8]> {
    let (content, stored) = page.split_last_chunk::<4>()?;
    (crc32(number, content) == u32::from_le_bytes(*stored)).then_some(content)
}

/// Items of this size in one page.
pub(super) fn items_per_page(item_len: usize) -> u64 {
    (CONTENT_LEN / item_len) as u64
}

//! Extra fields (APPNOTE 4.5) as bytes to put into a header.

/// One extra field: header ID, the data's length, the data (APPNOTE 4.5.1).
pub fn field(id: u16, data: &[u8]) -> Vec<u8> {
    field_declaring(id, data.len() as u16, data)
}

/// One extra field that declares `declared_len` bytes and has `data`.
pub fn field_declaring(id: u16, declared_len: u16, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + data.len());
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&declared_len.to_le_bytes());
    out.extend_from_slice(data);
    out
}

/// A zip64 extended information field, 0x0001 (APPNOTE 4.5.3), with these values in this order.
///
/// The standard's order is uncompressed size, compressed size, local header offset; only those
/// whose 32-bit field is saturated belong in it, and any other number of values is a test's lie.
pub fn zip64(values: &[u64]) -> Vec<u8> {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    field(0x0001, &data)
}

/// An Info-ZIP Unicode path field, 0x7075 (APPNOTE 4.6.9), that belongs to `raw_name`.
pub fn unicode_path(raw_name: &[u8], utf8: &str) -> Vec<u8> {
    unicode_path_declaring(1, crc32fast::hash(raw_name), utf8.as_bytes())
}

/// A Unicode path field with any version, CRC-32 of the raw name, and bytes as the name.
pub fn unicode_path_declaring(version: u8, name_crc32: u32, name: &[u8]) -> Vec<u8> {
    let mut data = vec![version];
    data.extend_from_slice(&name_crc32.to_le_bytes());
    data.extend_from_slice(name);
    field(0x7075, &data)
}

/// An extended timestamp field, 0x5455, with a modification time in seconds since 1970.
pub fn extended_timestamp(modified: u32) -> Vec<u8> {
    let mut data = vec![1];
    data.extend_from_slice(&modified.to_le_bytes());
    field(0x5455, &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_id_length_and_data() {
        let table: [(&str, Vec<u8>, &[u8]); 5] = [
            ("plain", field(0x1234, b"ab"), b"\x34\x12\x02\x00ab"),
            ("overrun", field_declaring(0x1234, 200, b"ab"), b"\x34\x12\xc8\x00ab"),
            ("zip64", zip64(&[5]), b"\x01\x00\x08\x00\x05\0\0\0\0\0\0\0"),
            ("time", extended_timestamp(7), b"\x55\x54\x05\x00\x01\x07\0\0\0"),
            // 0xe8b7be43 is the CRC-32 of "a".
            ("path", unicode_path(b"a", "b"), b"\x75\x70\x06\x00\x01\x43\xbe\xb7\xe8b"),
        ];
        for (name, made, expected) in table {
            assert_eq!(made, expected, "{name}");
        }
    }
}

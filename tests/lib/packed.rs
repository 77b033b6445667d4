//! Content compressed by every method that can be served, by encoders of others, and the same with
//! headers that ask a decoder for more memory than it may have.

use std::io::Write;

use entryway_testkit::builder::Entry;
use entryway_testkit::fixtures::{crc32, deflate};
use liblzma::stream::{Check, LzmaOptions, Stream};
use ppmd_rust::{Ppmd8Encoder, RestoreMethod};
use zstd_safe::{CCtx, CParameter};

/// A way to compress: the method's number, and the flags that go with it.
#[derive(Clone, Copy, Debug)]
pub struct Packing {
    /// What a failing test calls it.
    pub name: &'static str,
    method: u16,
    flags: u16,
    pack: fn(&[u8]) -> Vec<u8>,
}

/// Every way; `zstd` fits the content coding, `zstd-wide` has a window that does not.
pub const PACKINGS: [Packing; 9] = [
    Packing { name: "stored", method: 0, flags: 0, pack: <[u8]>::to_vec },
    Packing { name: "deflate", method: 8, flags: 0, pack: |content| deflate(6, content) },
    // Blocks without compression are the same in both formats.
    Packing { name: "deflate64", method: 9, flags: 0, pack: |content| deflate(0, content) },
    Packing { name: "bzip2", method: 12, flags: 0, pack: bzip2 },
    // Bit 1: the stream ends in a marker.
    Packing { name: "lzma", method: 14, flags: 1 << 1, pack: lzma },
    Packing { name: "zstd", method: 93, flags: 0, pack: |content| zstd(content, 20) },
    Packing { name: "zstd-wide", method: 93, flags: 0, pack: |content| zstd(content, 24) },
    Packing { name: "xz", method: 95, flags: 0, pack: xz },
    Packing { name: "ppmd", method: 98, flags: 0, pack: ppmd },
];

impl Packing {
    /// An entry of this content.
    pub fn entry(self, name: &str, content: &[u8]) -> Entry {
        self.entry_of(name, (self.pack)(content), content)
    }

    /// An entry of this content, whose data is something else.
    fn entry_of(self, name: &str, data: Vec<u8>, content: &[u8]) -> Entry {
        Entry::raw(name, self.method, data, crc32(content), content.len() as u64).flags(self.flags)
    }
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// A dictionary of 1 MiB, and no match finder that takes long.
fn lzma_options() -> LzmaOptions {
    let mut options = LzmaOptions::new_preset(0).expect("a preset");
    options.dict_size(1 << 20);
    options
}

/// APPNOTE 5.8: version, length of the properties, the properties, the stream.
fn lzma(content: &[u8]) -> Vec<u8> {
    let stream = Stream::new_lzma_encoder(&lzma_options()).expect("an encoder");
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(content).expect("memory");
    // A file of its own has the content's size between properties and stream.
    let alone = encoder.finish().expect("memory");
    [&[9, 20, 5, 0], &alone[..5], &alone[13..]].concat()
}

fn xz(content: &[u8]) -> Vec<u8> {
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&lzma_options());
    let stream = Stream::new_stream_encoder(&filters, Check::Crc64).expect("an encoder");
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// A frame that names a window, whatever the length of the content.
pub fn zstd(content: &[u8], window_log: u32) -> Vec<u8> {
    let mut context = CCtx::create();
    for parameter in [
        CParameter::CompressionLevel(3),
        CParameter::WindowLog(window_log),
        CParameter::ContentSizeFlag(false),
    ] {
        context.set_parameter(parameter).expect("a parameter");
    }
    let mut data = vec![0; zstd_safe::compress_bound(content.len())];
    let mut input = zstd_safe::InBuffer::around(content);
    let mut output = zstd_safe::OutBuffer::around(&mut data[..]);
    // Not told how long the content is, the encoder does not make the window smaller.
    context.compress_stream(&mut output, &mut input).expect("room for all");
    assert_eq!(context.end_stream(&mut output).expect("room for all"), 0);
    assert_eq!(input.pos(), content.len());
    let len = output.pos();
    data.truncate(len);
    data
}

/// The content of zstd frames, which has this length.
pub fn unzstd(data: &[u8], len: usize) -> Vec<u8> {
    let mut content = vec![0; len];
    assert_eq!(zstd_safe::decompress(&mut content[..], data).expect("good frames"), len);
    content
}

/// APPNOTE 5.10: order 6, 1 MiB of model, in two bytes in front of the stream.
fn ppmd(content: &[u8]) -> Vec<u8> {
    const ORDER: u32 = 6;
    let model = RestoreMethod::Restart;
    let mut encoder = Ppmd8Encoder::new(Vec::new(), ORDER, 1 << 20, model).expect("an encoder");
    encoder.write_all(content).expect("memory");
    let stream = encoder.finish(true).expect("memory");
    [&((ORDER - 1) as u16).to_le_bytes()[..], &stream].concat()
}

/// Entries whose headers ask for a dictionary, window or model that no decoder is to have; apart
/// from that they are good. The second is how many bytes are asked for.
pub fn vast(content: &[u8]) -> Vec<(Entry, u64)> {
    const GIB: u64 = 1 << 30;
    let of = |name: &str| PACKINGS.into_iter().find(|packing| packing.name == name).expect(name);
    let entry = |packing: &str, name: &str, data| {
        of(packing).entry_of(&format!("{name}-{}", content.len()), data, content)
    };

    let dictionary = 3u32 << 30;
    let mut lzma = lzma(content);
    lzma[5..9].copy_from_slice(&dictionary.to_le_bytes());

    // Behind the stream's header of 12 bytes: size, flags, filter, length of its properties, and
    // the dictionary as 3 * 2^(n / 2 + 11); at the end a CRC-32.
    let mut xz = xz(content);
    let header_len = (usize::from(xz[12]) + 1) * 4;
    let (header, sum) = xz[12..12 + header_len].split_at_mut(header_len - 4);
    let properties = header.windows(2).position(|two| two == [0x21, 1]).expect("LZMA2") + 2;
    header[properties] = 39;
    sum.copy_from_slice(&crc32(header).to_le_bytes());

    // RFC 8878 3.1.1.1.2: exponent and mantissa of the window.
    let mut window = zstd(content, 20);
    window[5] = (31 - 10) << 3 | 4;
    // One segment, so that the window is the content, of which 3 GiB are promised.
    let mut segment = window[..4].to_vec();
    segment.push(0b1110_0000);
    segment.extend_from_slice(&(3 * GIB).to_le_bytes());
    segment.extend_from_slice(&window[6..]);

    let mut ppmd = ppmd(content);
    let parameters = u16::from_le_bytes([ppmd[0], ppmd[1]]) | 0xff << 4;
    ppmd[..2].copy_from_slice(&parameters.to_le_bytes());

    vec![
        (entry("lzma", "lzma", lzma), 3 * GIB),
        (entry("xz", "xz", xz), 3 * GIB),
        (entry("zstd", "zstd-window", window), 3 * GIB),
        (entry("zstd", "zstd-segment", segment), 3 * GIB),
        (entry("ppmd", "ppmd", ppmd), 256 << 20),
    ]
}

/// An LZMA entry of which only the header asks for a dictionary of that size.
pub fn lzma_with_dictionary(name: &str, content: &[u8], size: u32) -> Entry {
    let mut data = lzma(content);
    data[5..9].copy_from_slice(&size.to_le_bytes());
    let packing = PACKINGS.into_iter().find(|packing| packing.method == 14).expect("LZMA");
    packing.entry_of(name, data, content)
}

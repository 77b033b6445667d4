//! The data of one entry: decoded chunk by chunk and held to the directory's numbers.

use bytes::Bytes;

use super::CHUNK_LEN;
use crate::decode::{Declared, DecodeError, Decoder, Piece};
use crate::entry::Entry;
use crate::error::{Error, Record, Rule, at};
use crate::limits::Limit;
use crate::method::CompressionMethod;

/// The data's form and its counts.
pub(super) struct Content {
    form: Form,
    declared_compressed_size: u64,
    declared_uncompressed_size: u64,
    declared_crc32: u32,
    /// The most memory that the stream may ask for.
    decoder_memory: u64,
    crc32: crc32fast::Hasher,
    /// Bytes of compressed data used; at most `declared_compressed_size`.
    consumed: u64,
    /// Bytes of content given in chunks; at most `declared_uncompressed_size`.
    produced: u64,
}

enum Form {
    Stored,
    Compressed {
        decoder: Decoder,
        /// The chunk being filled; empty where none has been begun.
        output: Vec<u8>,
        /// Bytes of `output` in use.
        filled: usize,
        finished: bool,
    },
    /// A method that is not built; the directory's rules refuse it before anything is decoded.
    Unknown(CompressionMethod),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("consumed", &self.consumed)
            .field("produced", &self.produced)
            .finish_non_exhaustive()
    }
}

/// What decoding came to.
pub(super) enum Decoded {
    /// All input in hand is used.
    NeedsInput,
    /// The next bytes of the content, never empty.
    Chunk(Bytes),
    /// Size, CRC-32 and end of stream agree with the directory.
    Finished,
}

impl Content {
    pub(super) fn new(entry: &Entry, decoder_memory: u64) -> Self {
        let decoder = Decoder::new(entry.method, Declared::of(entry, decoder_memory));
        let form = match (entry.method, decoder) {
            (CompressionMethod::STORED, _) => Form::Stored,
            (_, Some(decoder)) => Form::Compressed {
                decoder,
                output: Vec::new(),
                filled: 0,
                finished: Self::may_be_no_data(entry.method)
                    && entry.declared_compressed_size == 0
                    && entry.declared_uncompressed_size == 0,
            },
            (unknown, None) => Form::Unknown(unknown),
        };
        Self {
            form,
            declared_compressed_size: entry.declared_compressed_size,
            declared_uncompressed_size: entry.declared_uncompressed_size,
            declared_crc32: entry.declared_crc32,
            decoder_memory,
            crc32: crc32fast::Hasher::new(),
            consumed: 0,
            produced: 0,
        }
    }

    /// Whether an entry without any data is the empty file.
    ///
    /// Some producers of DEFLATE leave out even the two bytes of its shortest stream, and Go
    /// programs that register klauspost/compress write no frame of zstd. With the other methods
    /// 7-Zip stores an empty file, and Python and zipfile-zstd write a whole stream.
    fn may_be_no_data(method: CompressionMethod) -> bool {
        matches!(method, CompressionMethod::DEFLATED | CompressionMethod::ZSTD)
    }

    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(super) fn produced(&self) -> u64 {
        self.produced
    }

    pub(super) fn fits_zstd_coding(&self) -> bool {
        matches!(&self.form, Form::Compressed { decoder, .. } if decoder.fits_zstd_coding())
    }

    /// Decodes from `input`: the compressed data from `consumed` on, as far as it is in hand.
    pub(super) fn decode(&mut self, input: &Bytes, data_offset: u64) -> Result<Decoded, Error> {
        let chunk = match &mut self.form {
            Form::Stored => {
                if self.consumed == self.declared_compressed_size {
                    return self.check_end(data_offset);
                }
                if input.is_empty() {
                    return Ok(Decoded::NeedsInput);
                }
                let chunk = input.slice(..input.len().min(CHUNK_LEN));
                self.consumed += chunk.len() as u64;
                chunk
            }
            Form::Compressed { .. } => match self.decompress(input, data_offset)? {
                Some(chunk) => chunk,
                None if self.is_finished() => return self.check_end(data_offset),
                None => return Ok(Decoded::NeedsInput),
            },
            Form::Unknown(method) => {
                let place = at(Record::FileData, data_offset);
                return Err(place.breaks_by(Rule::Method, method.0.into(), 0).into());
            }
        };
        self.crc32.update(&chunk);
        self.produced += chunk.len() as u64;
        if self.produced > self.declared_uncompressed_size {
            return Err(self.too_long(data_offset));
        }
        Ok(Decoded::Chunk(chunk))
    }

    fn is_finished(&self) -> bool {
        matches!(self.form, Form::Compressed { finished: true, .. })
    }

    /// Decodes until a chunk is full, the stream ends or the input is used up (`None`).
    fn decompress(&mut self, input: &Bytes, data_offset: u64) -> Result<Option<Bytes>, Error> {
        let Form::Compressed { decoder, output, filled, finished } = &mut self.form else {
            return Ok(None);
        };
        let is_last = input.len() as u64 == self.declared_compressed_size - self.consumed;
        let mut input = &input[..];
        loop {
            let left = self.declared_uncompressed_size - self.produced - *filled as u64;
            let flush = *filled > 0 && (*finished || left == 0 || *filled == CHUNK_LEN);
            if flush {
                output.truncate(*filled);
                *filled = 0;
                return Ok(Some(Bytes::from(std::mem::take(output))));
            }
            if *finished {
                return Ok(None);
            }
            // With all the declared output in hand the stream must end: one byte of room shows
            // whether it would give more.
            let mut probe = [0];
            let room = if left == 0 {
                &mut probe[..]
            } else {
                if output.is_empty() {
                    *output = vec![0; CHUNK_LEN.min(usize::try_from(left).unwrap_or(CHUNK_LEN))];
                }
                &mut output[*filled..]
            };
            let progress =
                decoder.decode(Piece { bytes: input, is_last }, room).map_err(|error| {
                    let place = at(Record::FileData, data_offset);
                    match error {
                        DecodeError::Malformed { produced } => {
                            let produced = self.produced + (*filled + produced) as u64;
                            place.breaks_by(Rule::Data, 0, produced).into()
                        }
                        DecodeError::OverLimit { asked } => {
                            place.exceeds(Limit::DecoderMemory, self.decoder_memory, asked).into()
                        }
                        DecodeError::OutOfMemory => Error::Read {
                            extent: data_offset..data_offset,
                            kind: std::io::ErrorKind::OutOfMemory,
                            os: None,
                        },
                    }
                })?;
            self.consumed += progress.consumed as u64;
            input = &input[progress.consumed..];
            *finished = progress.finished;
            if left == 0 && progress.produced > 0 {
                return Err(self.too_long(data_offset));
            }
            *filled += progress.produced;
            let stalled = progress.consumed == 0 && progress.produced == 0 && !progress.finished;
            if stalled && is_last {
                let produced = self.produced + *filled as u64;
                return Err(at(Record::FileData, data_offset)
                    .breaks_by(Rule::DataTruncated, self.declared_compressed_size, produced)
                    .into());
            }
            if stalled {
                return Ok(None);
            }
        }
    }

    fn too_long(&self, data_offset: u64) -> Error {
        at(Record::FileData, data_offset)
            .breaks_by(Rule::DataLong, self.declared_uncompressed_size, 0)
            .into()
    }

    /// Rule 7: the stream ends at both sizes, and the content has the stated CRC-32.
    fn check_end(&self, data_offset: u64) -> Result<Decoded, Error> {
        let place = at(Record::FileData, data_offset);
        let checks = [
            (Rule::DataTrailing, self.declared_compressed_size, self.consumed),
            (Rule::DataShort, self.declared_uncompressed_size, self.produced),
            (Rule::Crc, self.declared_crc32.into(), self.crc32.clone().finalize().into()),
        ];
        match checks.into_iter().find(|(_, declared, actual)| declared != actual) {
            Some((rule, declared, actual)) => Err(place.breaks_by(rule, declared, actual).into()),
            None => Ok(Decoded::Finished),
        }
    }
}

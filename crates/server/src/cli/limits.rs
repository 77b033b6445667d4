//! The flags that set the limits on archives; each has the name that an error gives it.

use bytesize::ByteSize;
use clap::Args;
use entryway::Limits;

/// The limits on hostile archives.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArguments {
    /// Bytes of central directory; at most 268435456
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().directory_size,
          value_parser = clap::value_parser!(u64).range(..=Limits::DIRECTORY_SIZE_BOUND))]
    max_directory_size: u64,
    /// Entries of an archive
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().entries)]
    max_entries: u64,
    /// Bytes of name index beside a directory
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().index_len)]
    max_index_size: u64,
    /// Bytes of output for a byte of input, beyond the first 64 MiB of an entry [default: what its
    /// method can reach, 1100 for deflate]
    #[arg(long, value_name = "RATIO")]
    max_expansion: Option<u64>,
    /// Size that the dictionary, window or model of one entry's decoder may have, such as 128MiB
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(Limits::default().decoder_memory))]
    pub(super) max_decoder_memory: ByteSize,
}

impl LimitArguments {
    pub(super) fn limits(self) -> Limits {
        Limits {
            directory_size: self.max_directory_size,
            entries: self.max_entries,
            index_len: self.max_index_size,
            expansion_ratio: self.max_expansion.unwrap_or(Limits::default().expansion_ratio),
            decoder_memory: self.max_decoder_memory.as_u64(),
            ..Limits::default()
        }
    }
}

//! The flags that set the limits on archives; each has the name that an error gives it.

use bytesize::ByteSize;
use clap::Args;
use entryway::Limits;

/// The limits on hostile archives.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArguments {
    /// Size of a central directory; 256MiB is also the most
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(Limits::default().directory_size),
          value_parser = directory_size)]
    max_directory_size: ByteSize,
    /// Entries of an archive
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().entries)]
    max_entries: u64,
    /// Size of the name index beside a directory
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(Limits::default().index_len))]
    max_index_size: ByteSize,
    /// Bytes of output for a byte of input, beyond the first 64 MiB of an entry [default: what its
    /// method can reach, 1100 for deflate]
    #[arg(long, value_name = "RATIO")]
    max_expansion: Option<u64>,
    /// Size that the dictionary, window or model of one entry's decoder may have, such as 128MiB
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(Limits::default().decoder_memory))]
    pub(super) max_decoder_memory: ByteSize,
}

fn directory_size(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse()?;
    if size.as_u64() > Limits::DIRECTORY_SIZE_BOUND {
        return Err(format!("no more than {}", ByteSize(Limits::DIRECTORY_SIZE_BOUND)));
    }
    Ok(size)
}

impl LimitArguments {
    pub(super) fn limits(self) -> Limits {
        Limits {
            directory_size: self.max_directory_size.as_u64(),
            entries: self.max_entries,
            index_len: self.max_index_size.as_u64(),
            expansion_ratio: self.max_expansion.unwrap_or(Limits::default().expansion_ratio),
            decoder_memory: self.max_decoder_memory.as_u64(),
            ..Limits::default()
        }
    }
}

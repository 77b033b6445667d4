//! Method 8: raw DEFLATE (RFC 1951), by [`entryway_inflate`].

use entryway_inflate::{InflateError, Inflater};

use super::{DecodeError, Piece, Progress};

/// The decoder; its window is allocated when data comes.
#[derive(Default)]
pub(crate) struct Deflate(Option<Inflater>);

impl Deflate {
    pub(super) fn decode(
        &mut self,
        input: Piece<'_>,
        output: &mut [u8],
    ) -> Result<Progress, DecodeError> {
        if self.0.is_none() && input.bytes.is_empty() {
            return Ok(Progress::default());
        }
        let inflater = self.0.get_or_insert_with(Inflater::new);
        let before = inflater.produced();
        match inflater.decode(input.bytes, output) {
            Ok(progress) => Ok(Progress {
                consumed: progress.consumed,
                produced: progress.produced,
                finished: progress.finished,
            }),
            Err(InflateError::Malformed { produced, .. }) => {
                Err(DecodeError::Malformed { produced: (produced - before) as usize })
            }
            Err(InflateError::OutOfMemory) => Err(DecodeError::OutOfMemory),
        }
    }
}

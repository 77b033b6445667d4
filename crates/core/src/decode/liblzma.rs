//! What LZMA and XZ have in common: how liblzma is driven and what it counts.

use liblzma::stream::{Action, Error, Status, Stream};

use super::Progress;

/// What liblzma counts beside the dictionary: its own structures, at most four filters.
pub(super) const OVERHEAD: u64 = 96 * 1024;

/// Takes one step: how far it came, and the error that it ended in, if it did.
pub(super) fn step(
    stream: &mut Stream,
    input: &[u8],
    output: &mut [u8],
) -> (Progress, Result<(), Error>) {
    let before = (stream.total_in(), stream.total_out());
    let status = stream.process(input, output, Action::Run);
    // Both differences are at most the lengths of the slices handed in.
    let progress = Progress {
        consumed: (stream.total_in() - before.0) as usize,
        produced: (stream.total_out() - before.1) as usize,
        finished: status == Ok(Status::StreamEnd),
    };
    (progress, status.map(drop))
}

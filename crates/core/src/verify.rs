//! Decodes every entry of an archive once and keeps what came of it.

use crate::archive::{Archive, next_chunk};
use crate::entry::Entry;
use crate::error::Error;
use crate::extract::{Extraction, TextProbe};
use crate::plan::{EntryPlan, Found, Standing};
use crate::source::{Feed, ReadAt};

/// Bytes fetched at once while an archive is verified: entries are read in the order of the
/// directory, which is nearly always that of the file.
const READ_AHEAD: u64 = 256 * 1024;

/// How far a verification has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Entries looked at.
    pub entries: u64,
    /// Bytes of content decoded.
    pub produced: u64,
}

impl<S: ReadAt> Archive<S> {
    /// Decodes every entry and calls `each` with it and what is known of it from now on.
    ///
    /// Entries come in the directory's order. None is left [`Standing::Unverified`].
    ///
    /// # Errors
    /// What reading the source came to; an entry that breaks a rule is [`Standing::Bad`] instead.
    pub fn verify(
        &self,
        mut progress: impl FnMut(Progress),
        mut each: impl FnMut(&Entry, Standing),
    ) -> Result<(), Error> {
        let end = self.directory().extent().extent.start;
        let mut feed = Feed::ahead(self.source(), READ_AHEAD, end);
        let mut done = Progress { entries: 0, produced: 0 };
        for entry in self.directory().entries() {
            let found = self.describe(&entry);
            let standing = verify_entry(&found, &mut feed, |chunk_len| {
                done.produced += chunk_len;
                progress(done);
            })?;
            each(&entry, standing);
            done.entries += 1;
            progress(done);
        }
        Ok(())
    }
}

fn verify_entry<S: ReadAt>(
    found: &Found,
    feed: &mut Feed<'_, S>,
    mut decoded: impl FnMut(u64),
) -> Result<Standing, Error> {
    let plan = match EntryPlan::whole(found) {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Standing::Bad(refusal)),
    };
    let mut extraction = Extraction::new(plan);
    let mut text = TextProbe::new();
    loop {
        match next_chunk(&mut extraction, feed) {
            Ok(Some(chunk)) => {
                text.update(&chunk);
                decoded(chunk.len() as u64);
            }
            Ok(None) => break,
            Err(Error::Entry(refusal)) => return Ok(Standing::Bad(refusal)),
            Err(other) => return Err(other),
        }
    }
    Ok(match extraction.data_offset() {
        Some(data_offset) => {
            let fits_zstd_coding = extraction.fits_zstd_coding();
            Standing::Good { data_offset, is_text: text.is_text(), fits_zstd_coding }
        }
        None => Standing::Unverified,
    })
}

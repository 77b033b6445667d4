//! Archives and files out of them, once it is settled who may and which job is meant.

use std::sync::Arc;

use entryway::{Error, Refusal, SubsetError};
use entryway_http::Purpose;
use http::request::Parts;

use super::memo::{Memo, Warm};
use super::visit::{Visit, allow};
use super::{Answer, App, answer};
use crate::archives::{OpenArchive, SelectFailure, ServeError};
use crate::catalog::{ArchiveState, Job};
use crate::credential::{Access, Caller, artifacts_access, read_access};
use crate::reply::{EntryRefusal, Failure};
use crate::route::{EntryPath, Selection};
use crate::shown::shown_in_reason;

/// Whether an answer was addressed by something that never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// By a job's number: its archive never changes.
    Job,
    /// By a ref: tomorrow it is another job's.
    Ref,
}

impl Address {
    /// The media types that go with it: endpoint C's or endpoint D's.
    pub(super) fn purpose(self) -> Purpose {
        match self {
            Self::Job => Purpose::File,
            Self::Ref => Purpose::Raw,
        }
    }
}

impl App {
    /// The archive behind a job, open: 403, 404, 410.
    pub(super) async fn open(&self, visit: &Visit, job: &Job) -> Result<Arc<OpenArchive>, Failure> {
        if !visit.is_dependent {
            allow(artifacts_access(&visit.caller, &visit.project, job.artifacts_access))?;
        }
        let archive = match job.archive_at(visit.now) {
            ArchiveState::Absent | ArchiveState::Expired => return Err(Failure::ArchiveNotFound),
            ArchiveState::Lost(_) => return Err(Failure::ArchiveLost),
            ArchiveState::Stored(archive) => archive,
        };
        self.archives.open(&archive.sha256).await.map_err(|error| failure(&error))
    }

    pub(super) async fn archive(
        &self,
        head: &Parts,
        visit: &Visit,
        job: &Job,
        selection: &Selection,
        address: Address,
    ) -> Result<Answer, Failure> {
        let archive = self.open(visit, job).await?;
        let cache_control = cache_control(visit, job, address, archive.is_verified());
        if selection.is_whole() {
            return answer::archive(head, &archive, &cache_control);
        }
        let subset = self.archives.subset(&archive, &selection.0).await;
        let subset = subset.map_err(|failure| select_failure(&failure))?;
        answer::subset(head, &archive, &subset, &cache_control)
    }

    pub(super) async fn file(
        &self,
        head: &Parts,
        memo: &Memo,
        visit: &Visit,
        job: &Job,
        path: &EntryPath,
        address: Address,
    ) -> Result<Answer, Failure> {
        let mut is_second = false;
        loop {
            let archive = self.open(visit, job).await?;
            let answering = async {
                let entry = self
                    .archives
                    .entry(&archive, path.as_bytes())
                    .await
                    .map_err(|error| failure(&error))?
                    .ok_or(Failure::FileNotFound)?;
                let cache_control = cache_control(visit, job, address, entry.is_verified());
                let decoder_memory = self.archives.decoder_memory();
                let answer =
                    answer::file(head, &archive, &entry, address, &cache_control, decoder_memory)
                        .await?;
                if let Some((generation, credential)) = &visit.remembered_under {
                    let until = visit.until(job);
                    let warm = Warm::new(&archive, &entry, address.purpose(), cache_control, until);
                    memo.keep(*generation, head, credential.as_ref(), warm);
                }
                Ok(answer)
            };
            match answering.await {
                // What was known of the file does not hold any more: it is opened anew, once.
                Err(_) if archive.is_retired() && !is_second => is_second = true,
                outcome => return outcome,
            }
        }
    }
}

/// What an archive or entry that cannot be served is answered with.
pub(super) fn failure(error: &ServeError) -> Failure {
    match error {
        ServeError::Lost => Failure::ArchiveLost,
        ServeError::Store(error) if error.is_out_of_descriptors() => {
            Failure::ServiceUnavailable { reason: error.label(), retry_after: Some(1) }
        }
        ServeError::Store(error) => {
            tracing::error!(label = error.label(), %error, "the store failed");
            Failure::InternalServerError { reason: error.label() }
        }
        ServeError::Archive(error) => broken(error),
        ServeError::Entry(refusal) => refused(refusal),
        ServeError::Stopping => Failure::STOPPING,
    }
}

/// What a listing or a subset that there is not is answered with.
pub(super) fn select_failure(error: &SelectFailure) -> Failure {
    match error {
        SelectFailure::Serve(error) => failure(error),
        SelectFailure::TooManyDirectories => Failure::UnprocessableEntry(EntryRefusal {
            label: "too_many_directories",
            text: "the names imply too many directories to list".into(),
            advice: "Make the archive again with shorter paths, or list a folder of it.",
        }),
        SelectFailure::Subset(error) => match error {
            SubsetError::Nothing { .. } => Failure::FileNotFound,
            SubsetError::Malformed { .. } | SubsetError::TooCostly => {
                Failure::ParameterInvalid { name: "path" }
            }
            SubsetError::Refused { raw_name, refusal } => {
                let text = format!("{}: {refusal}", shown_in_reason(raw_name));
                Failure::UnprocessableEntry(EntryRefusal::new(refusal, text))
            }
            SubsetError::Archive(error) => broken(error),
            // The archive is read without its sidecar then.
            SubsetError::Sidecar(_) => broken(&Error::Changed),
        },
    }
}

/// An archive that was good when it was stored and is not any more.
pub(super) fn broken(error: &Error) -> Failure {
    tracing::error!(label = error.label(), %error, "an archive cannot be read");
    Failure::InternalServerError { reason: error.label() }
}

/// An entry that the archive's maker made so that it is not served.
pub(super) fn refused(refusal: &Refusal) -> Failure {
    Failure::UnprocessableEntry(EntryRefusal::new(refusal, refusal.to_string()))
}

/// Who may keep an answer, and for how long.
///
/// What anonymous callers may read, shared caches may keep. A job's archive never changes, so its
/// verified entries need not be asked for again; what stands behind a ref does.
fn cache_control(
    visit: &Visit,
    job: &Job,
    address: Address,
    is_verified: bool,
) -> http::HeaderValue {
    let is_anonymous_readable = read_access(&Caller::Anonymous, &visit.project) == Access::Granted
        && artifacts_access(&Caller::Anonymous, &visit.project, job.artifacts_access)
            == Access::Granted;
    http::HeaderValue::from_static(
        match (is_anonymous_readable, address == Address::Job && is_verified) {
            (true, true) => "public, max-age=31536000, immutable",
            (true, false) => "public, no-cache",
            (false, true) => "private, max-age=31536000, immutable",
            (false, false) => "private, no-cache",
        },
    )
}

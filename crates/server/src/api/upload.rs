//! A job hands in its archive or a report (endpoint U).
//!
//! ```text
//! who may            before a byte of the body is asked for
//! receive            hashed and written as it comes; nothing is visible
//! inspect, publish   the directory, and the profile, are checked; the file synced and named
//! hand over          one transaction: only now it can be asked for
//! verify             every entry decoded, in the background
//! ```
//!
//! What follows the last byte goes on where the client has gone away meanwhile: it may hand in the
//! same bytes again, and is told that they are there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entryway::{Policy, Profile};
use http::StatusCode;
use http::request::Parts;
use tokio::sync::Semaphore;

use super::visit::{allow, credential};
use super::{Answer, App, Metrics, answer, catalog_failure};
use crate::archives::Archives;
use crate::catalog::{Catalog, HandedFile, Handover, HandoverOutcome, JobId, ProjectId, UtcMillis};
use crate::credential::{Access, ingest_access};
use crate::reply::Failure;
use crate::route::{ProjectKey, Query, UploadParameters};
use crate::store::{Published, Store, withdraw};
use crate::upload::{
    ExpireIn, Kind, Received, RequestBody, UploadBounds, UploadError, archive, receive,
};

/// What uploads may be, and how long they live.
#[derive(Clone, Copy, Debug, Default)]
pub struct UploadTerms {
    /// How long an upload may be, and how slow.
    pub bounds: UploadBounds,
    /// How long artifacts live for which nobody says it; `None` is for ever.
    pub default_expiry: Option<Duration>,
    /// How an archive is read: what is too much of it, and what becomes of entries of one name.
    pub policy: Policy,
    /// What an archive is held to.
    pub profile: Profile,
}

/// The jobs that are being uploaded for.
#[derive(Clone, Debug, Default)]
pub(super) struct Uploads(Arc<Mutex<HashMap<JobId, usize>>>);

/// An upload in progress, until it is dropped.
struct InProgress {
    uploads: Uploads,
    job: JobId,
}

impl Uploads {
    fn begin(&self, job: JobId) -> InProgress {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *jobs.entry(job).or_default() += 1;
        InProgress { uploads: self.clone(), job }
    }

    /// Whether somebody uploads for this job now.
    pub(super) fn are_in_progress(&self, job: JobId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&job)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut jobs = self.uploads.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = jobs.get_mut(&self.job) {
            *count -= 1;
            if *count == 0 {
                jobs.remove(&self.job);
            }
        }
    }
}

impl App {
    pub(super) async fn upload(
        &self,
        head: &Parts,
        body: &mut RequestBody,
        query: &Query,
        job: JobId,
        parameters: &UploadParameters,
    ) -> Result<Answer, Failure> {
        // What the target alone tells comes before who asks.
        kind(parameters.artifact_type.as_deref(), parameters.artifact_format.as_deref())?;
        expiry(parameters.expire_in.as_deref())?;
        let must_run = self.admit_upload(head, query, job).await?;
        let in_progress = self.uploads.begin(job);
        let store = self.archives.store();
        let received = receive(&head.headers, body, store, &self.terms.bounds).await?;
        let form = &received.form;
        let kind = kind(
            parameters.artifact_type.as_deref().or(form.artifact_type.as_deref()),
            parameters.artifact_format.as_deref().or(form.artifact_format.as_deref()),
        )?;
        let expiry = expiry(parameters.expire_in.as_deref().or(form.expire_in.as_deref()))?;
        let upload = Upload {
            catalog: Arc::clone(&self.catalog),
            archives: self.archives.clone(),
            policy: self.terms.policy,
            profile: self.terms.profile,
            metrics: Arc::clone(&self.metrics),
            inspection_turns: Arc::clone(&self.inspection_turns),
            job,
            must_run,
            kind,
            expire_in: match expiry {
                None => self.terms.default_expiry,
                Some(ExpireIn::Never) => None,
                Some(ExpireIn::After(time)) => Some(time),
            },
        };
        let taken = self.control.spawn(async move {
            let outcome = upload.take(received).await;
            drop(in_progress);
            outcome
        });
        // The runtime goes down with the server.
        taken.await.map_err(|_| Failure::from(UploadError::Stopping))??;
        answer::message(StatusCode::CREATED, "201 Created")
    }

    /// Whether the caller may hand in for a job; says whether only while it runs.
    async fn admit_upload(&self, head: &Parts, query: &Query, job: JobId) -> Result<bool, Failure> {
        // As in GitLab, whoever has no valid job token is forbidden this.
        let credential = credential(head, query)?.ok_or(Failure::Forbidden)?;
        if credential.is_job {
            let running = self.running_job(credential.digest).await?;
            let is_its_own = running.is_some_and(|running| running.id == job);
            return if is_its_own { Ok(true) } else { Err(Failure::Forbidden) };
        }
        let token = self.token(credential.digest, UtcMillis::now()).await?;
        let token = token.ok_or(Failure::Unauthorized)?;
        let found =
            self.ask(move |catalog| async move { catalog.uploading_job(job).await }).await?;
        let found = found.ok_or(Failure::JobNotFound)?;
        let ProjectId(project) = found.project_id;
        let project = self.project(&ProjectKey::Id(project)).await?;
        let project = project.ok_or(Failure::JobNotFound)?;
        match ingest_access(&token, &project.path, Some(&project)) {
            // As if there were no such job: the numbers of jobs are not to be tried out.
            Access::NotVisible => Err(Failure::JobNotFound),
            access => allow(access).map(|()| false),
        }
    }
}

fn kind(artifact_type: Option<&str>, artifact_format: Option<&str>) -> Result<Kind, Failure> {
    Kind::parse(artifact_type, artifact_format).map_err(|bad| UploadError::from(bad).into())
}

fn expiry(phrase: Option<&str>) -> Result<Option<ExpireIn>, Failure> {
    let phrase = phrase.unwrap_or_default();
    ExpireIn::parse(phrase).map_err(|_| Failure::ParameterInvalid { name: "expire_in" })
}

/// An upload of which every byte is there.
struct Upload {
    catalog: Arc<Catalog>,
    archives: Archives,
    policy: Policy,
    profile: Profile,
    metrics: Arc<Metrics>,
    inspection_turns: Arc<Semaphore>,
    job: JobId,
    must_run: bool,
    kind: Kind,
    expire_in: Option<Duration>,
}

impl Upload {
    /// Checks, publishes and records it: all of it, or nothing is left.
    async fn take(&self, received: Received) -> Result<(), Failure> {
        let Received { staged, filename, form: _ } = received;
        let (kind, policy, profile) = (self.kind, self.policy, self.profile);
        let turn = Arc::clone(&self.inspection_turns).acquire_owned().await;
        let turn = turn.map_err(|_| Failure::from(UploadError::Stopping))?;
        let publishing = tokio::task::spawn_blocking(move || {
            let entries = match kind {
                Kind::Archive => archive::inspect(&staged, &policy, profile)?.len() as u64,
                Kind::Report { .. } => 0,
            };
            drop(turn);
            Ok::<_, UploadError>((archive::publish(staged)?, entries))
        });
        let (published, entries) =
            publishing.await.map_err(|_| Failure::from(UploadError::Stopping))??;
        match self.record(&published, &filename, entries).await {
            Ok(()) => {
                self.metrics.uploaded(published.len);
                if self.kind == Kind::Archive {
                    self.archives.verify_soon(&published.sha256);
                }
                Ok(())
            }
            Err(failure) => {
                self.withdraw(published).await;
                Err(failure)
            }
        }
    }

    async fn record(
        &self,
        published: &Published,
        filename: &str,
        entries: u64,
    ) -> Result<(), Failure> {
        let now = UtcMillis::now();
        let handover = Handover {
            job: self.job,
            must_run: self.must_run,
            file: match self.kind {
                Kind::Archive => HandedFile::Archive { entries },
                Kind::Report { file_type, format } => HandedFile::Report {
                    file_type: file_type.as_str(),
                    file_format: format.as_str(),
                },
            },
            sha256: published.sha256,
            len: published.len,
            filename,
            expires_at: self.expire_in.map(|time| now.after(time)),
            now,
        };
        let outcome = self.catalog.hand_over(&handover).await;
        match outcome.map_err(|error| catalog_failure(&error))? {
            HandoverOutcome::Taken | HandoverOutcome::AlreadyThere => Ok(()),
            HandoverOutcome::Other => Err(Failure::ArchiveExists),
            HandoverOutcome::JobOver => Err(Failure::JobOver),
            HandoverOutcome::NoJob => Err(Failure::JobNotFound),
        }
    }

    async fn withdraw(&self, published: Published) {
        let store: &Store = self.archives.store();
        if let Err(error) = withdraw(store, published, &self.catalog).await {
            tracing::warn!(%error, "the next recovery removes an upload that was not taken");
        }
    }
}

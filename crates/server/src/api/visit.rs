//! Who asks, for which project, and whether they may: 401, 404, 403; and what a job is found by.

use std::sync::Arc;

use http::request::Parts;

use super::App;
use crate::catalog::{
    Generation, Job, JobId, Latest, Project, ProjectId, ProjectRef, RunningJob, Token, UtcMillis,
};
use crate::credential::{Access, Caller, Role, TokenDigest, change_access, read_access};
use crate::reply::Failure;
use crate::route::{Choice, JobByName, LatestFile, ProjectKey, Query, TokenKind, find_presented};

/// A request that was let through to a project.
pub(super) struct Visit {
    pub(super) project: Arc<Project>,
    pub(super) caller: Caller,
    pub(super) now: UtcMillis,
    /// The generation and the credential under which the outcome may be remembered, if it may.
    pub(super) remembered_under: Option<(Generation, Option<TokenDigest>)>,
    /// A job of the project gets what it depends on, whoever else may download it.
    pub(super) is_dependent: bool,
}

/// A credential as it was presented, not yet looked up.
#[derive(Clone, Copy)]
pub(super) struct Credential {
    pub(super) digest: TokenDigest,
    pub(super) is_job: bool,
}

impl Visit {
    /// When what was granted to this visit ends by itself.
    pub(super) fn until(&self, job: &Job) -> Option<UtcMillis> {
        let token = match &self.caller {
            Caller::Token(token) => token.expires_at,
            Caller::Anonymous | Caller::Job(_) => None,
        };
        let archive = job.archive.as_ref().and_then(|archive| archive.expires_at);
        [token, archive.filter(|_| !job.locked)].into_iter().flatten().min()
    }
}

impl App {
    /// Lets a reader through to a project.
    pub(super) async fn admit(
        &self,
        head: &Parts,
        query: &Query,
        project: &ProjectKey,
    ) -> Result<Visit, Failure> {
        let now = UtcMillis::now();
        // Before the first question: an outcome is as old as the oldest answer in it.
        let generation = self.catalog.trusted_generation();
        let credential = credential(head, query)?;
        let caller = self.caller(credential, now).await?;
        let project = self.project(project).await?.ok_or(Failure::ProjectNotFound)?;
        allow(read_access(&caller, &project))?;
        let is_job = credential.is_some_and(|credential| credential.is_job);
        let generation = generation.filter(|_| !query.has_token() && !is_job);
        let digest = credential.map(|credential| credential.digest);
        let remembered_under = generation.map(|generation| (generation, digest));
        Ok(Visit { project, caller, now, remembered_under, is_dependent: false })
    }

    /// Lets somebody through who wants to change a project's artifacts.
    pub(super) async fn admit_change(
        &self,
        head: &Parts,
        query: &Query,
        project: &ProjectKey,
        least: Role,
    ) -> Result<Visit, Failure> {
        let now = UtcMillis::now();
        let credential = credential(head, query)?.ok_or(Failure::Unauthorized)?;
        let caller = self.caller(Some(credential), now).await?;
        let project = self.project(project).await?.ok_or(Failure::ProjectNotFound)?;
        allow(change_access(&caller, &project, least))?;
        Ok(Visit { project, caller, now, remembered_under: None, is_dependent: false })
    }

    /// Lets a running job through to the job that it depends on (endpoint R).
    pub(super) async fn admit_runner(
        &self,
        head: &Parts,
        query: &Query,
        job: JobId,
    ) -> Result<(Visit, Arc<Job>), Failure> {
        let now = UtcMillis::now();
        let credential = credential(head, query)?.ok_or(Failure::Unauthorized)?;
        let caller = self.caller(Some(credential), now).await?;
        let Caller::Job(running) = &caller else { return Err(Failure::Forbidden) };
        let found =
            self.ask(move |catalog| async move { catalog.uploading_job(job).await }).await?;
        let ProjectId(project) = found.ok_or(Failure::JobNotFound)?.project_id;
        let project = self.project(&ProjectKey::Id(project)).await?.ok_or(Failure::JobNotFound)?;
        allow(read_access(&caller, &project))?;
        let is_dependent = running.project_id == project.id;
        let visit = Visit { project, caller, now, remembered_under: None, is_dependent };
        let job = self.job(&visit, job.0).await?;
        Ok((visit, job))
    }

    /// Whose credential it is; a bad one is 401.
    pub(super) async fn caller(
        &self,
        credential: Option<Credential>,
        now: UtcMillis,
    ) -> Result<Caller, Failure> {
        match credential {
            None => Ok(Caller::Anonymous),
            Some(Credential { digest, is_job: false }) => {
                let token = self.token(digest, now).await?;
                token.map(Caller::Token).ok_or(Failure::Unauthorized)
            }
            Some(Credential { digest, is_job: true }) => {
                let job = self.running_job(digest).await?;
                job.map(Caller::Job).ok_or(Failure::Unauthorized)
            }
        }
    }

    /// The valid token with this digest.
    pub(super) async fn token(
        &self,
        digest: TokenDigest,
        now: UtcMillis,
    ) -> Result<Option<Arc<Token>>, Failure> {
        match self.catalog.cached_token(&digest, now) {
            Some(token) => Ok(Some(token)),
            None => {
                self.ask(move |catalog| async move { catalog.authenticate(&digest, now).await })
                    .await
            }
        }
    }

    /// The running job with this token.
    pub(super) async fn running_job(
        &self,
        digest: TokenDigest,
    ) -> Result<Option<Arc<RunningJob>>, Failure> {
        match self.catalog.cached_running_job(&digest) {
            Some(job) => Ok(Some(job)),
            None => {
                self.ask(move |catalog| async move { catalog.running_job(&digest).await }).await
            }
        }
    }

    pub(super) async fn project(&self, key: &ProjectKey) -> Result<Option<Arc<Project>>, Failure> {
        let project = match key {
            ProjectKey::NoSuch => return Ok(None),
            ProjectKey::Id(id) => ProjectRef::Id(ProjectId(*id)),
            ProjectKey::Path(path) => ProjectRef::Path(path),
        };
        if let Some(cached) = self.catalog.cached_project(project) {
            return Ok(Some(cached));
        }
        let key = key.clone();
        self.ask(|catalog| async move {
            match &key {
                ProjectKey::NoSuch => Ok(None),
                ProjectKey::Id(id) => catalog.project(ProjectRef::Id(ProjectId(*id))).await,
                ProjectKey::Path(path) => catalog.project(ProjectRef::Path(path)).await,
            }
        })
        .await
    }

    pub(super) async fn job(&self, visit: &Visit, job_id: i64) -> Result<Arc<Job>, Failure> {
        let (project, job, now) = (visit.project.id, JobId(job_id), visit.now);
        if let Some(cached) = self.catalog.cached_job(project, job, now) {
            return Ok(cached);
        }
        self.ask(move |catalog| async move { catalog.job(project, job, now).await })
            .await?
            .ok_or(Failure::JobNotFound)
    }

    pub(super) async fn latest(
        &self,
        visit: &Visit,
        ref_name: &str,
        job: &JobByName,
    ) -> Result<Arc<Job>, Failure> {
        let (project, now) = (visit.project.id, visit.now);
        let search_recent = job.search_recent_successful_pipelines;
        let cached = self.catalog.cached_latest(project, ref_name, &job.name, search_recent, now);
        if let Some(cached) = cached {
            return Ok(cached);
        }
        let (ref_name, job) = (ref_name.to_owned(), job.name.clone());
        let latest = self
            .ask(move |catalog| async move {
                catalog.latest(project, &ref_name, &job, search_recent, now).await
            })
            .await?;
        match latest {
            Latest::Found(job) => Ok(job),
            Latest::NoJob => Err(Failure::JobNotFound),
            Latest::NoArchive => Err(Failure::ArchiveNotFound),
        }
    }

    /// Settles which reading of an ambiguous target is meant.
    pub(super) async fn choose<'a>(
        &self,
        visit: &Visit,
        latest: &'a LatestFile,
    ) -> Result<Choice<'a>, Failure> {
        if let Some(split) = latest.unambiguous() {
            return Ok(Choice::File(split));
        }
        let project = visit.project.id;
        // One question for each reading, longest ref first, so that a hit is a hit in memory too.
        for ref_name in latest.ref_names() {
            let exists = match self.catalog.cached_ref_with_pipeline(project, &[ref_name]) {
                Some(_) => true,
                None => {
                    let ref_name = ref_name.to_owned();
                    self.ask(move |catalog| async move {
                        catalog.ref_with_pipeline(project, &[&ref_name]).await
                    })
                    .await?
                    .is_some()
                }
            };
            if exists && let Some(choice) = latest.choose(|candidate| candidate == ref_name) {
                return Ok(choice);
            }
        }
        Err(Failure::JobNotFound)
    }
}

/// The token that a request presents.
pub(super) fn credential(head: &Parts, query: &Query) -> Result<Option<Credential>, Failure> {
    let presented = find_presented(&head.headers, query)?;
    Ok(presented.map(|token| Credential {
        digest: TokenDigest::of(token.text.reveal().as_bytes()),
        is_job: match token.kind {
            TokenKind::Access | TokenKind::Bearer => false,
            TokenKind::Job => true,
        },
    }))
}

pub(super) fn allow(access: Access) -> Result<(), Failure> {
    match access {
        Access::Granted => Ok(()),
        Access::NotVisible => Err(Failure::ProjectNotFound),
        Access::Forbidden => Err(Failure::Forbidden),
        Access::InsufficientScope => Err(Failure::InsufficientScope),
    }
}

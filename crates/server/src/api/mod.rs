//! From a request's head to its answer: the checks in the contract's order, then the bytes.
//!
//! 400 (target, parameters), 401, 404 (project), 403, 404 (job, archive, file), 422; then what
//! preconditions, codings and ranges say. A warm request runs through without waiting: every
//! question is asked of memory first, and only a miss goes to the control runtime.

mod access_log;
mod announcing;
mod answer;
pub mod authority;
mod body;
mod download;
pub mod job_entity;
mod memo;
mod metrics;
mod retention;
mod tree;
mod upload;
mod user;
mod visit;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{Method, Response};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

pub use self::body::AnswerBody;
use self::download::Address;
pub use self::memo::Memo;
pub use self::metrics::Metrics;
pub use self::upload::UploadTerms;
use self::upload::Uploads;
use crate::archives::Archives;
use crate::catalog::{Catalog, CatalogError, JobId, ProjectStorage};
use crate::openapi;
use crate::reply::Failure;
use crate::route::{Choice, Route, Selection, Target};
use crate::upload::RequestBody;

/// Fields of a request's head, at most.
const MAX_FIELDS: usize = 64;

/// The label of what is no failure.
const OK: &str = "ok";

/// How old the storage may be that `/-/metrics` tells.
const STORAGE_AGE: Duration = Duration::from_secs(5);

/// Uploads whose directories are read at a time: each may be of 256 MiB.
const INSPECTIONS: usize = 2;

/// An answer with its body.
pub type Answer = Response<AnswerBody>;

/// What every connection shares.
#[derive(Debug)]
pub struct App {
    catalog: Arc<Catalog>,
    archives: Archives,
    /// Where the catalog's connections live.
    control: Handle,
    is_ready: AtomicBool,
    /// Whether each request is logged.
    access_log: bool,
    terms: UploadTerms,
    uploads: Uploads,
    metrics: Arc<Metrics>,
    /// For the one webhook that is being read.
    hook_turn: Semaphore,
    /// For the archives of uploads that are being looked into.
    inspection_turns: Arc<Semaphore>,
    storage: Mutex<Option<(Instant, Arc<[ProjectStorage]>)>>,
    /// Where clients reach the server, without a slash at its end; empty where it is not known.
    external_url: Box<str>,
}

/// An answer on its way.
#[allow(clippy::large_enum_variant)] // The large one is the usual one: boxed, it would allocate.
pub enum Answering {
    /// It is there; `None` once it has been taken.
    Ready(Option<Answer>),
    /// Something has to be asked or read first.
    Waiting(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

impl Future for Answering {
    type Output = Result<Answer, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ready(answer) => match answer.take() {
                Some(answer) => Poll::Ready(Ok(answer)),
                // Polled after it was done, which no executor does.
                None => Poll::Pending,
            },
            Self::Waiting(future) => future.as_mut().poll(cx).map(Ok),
        }
    }
}

impl App {
    /// An application over a catalog and the archives of a store.
    #[must_use]
    pub fn new(
        catalog: Arc<Catalog>,
        archives: Archives,
        control: Handle,
        access_log: bool,
        terms: UploadTerms,
    ) -> Self {
        Self {
            catalog,
            archives,
            control,
            is_ready: AtomicBool::new(true),
            access_log,
            terms,
            uploads: Uploads::default(),
            metrics: Arc::default(),
            hook_turn: Semaphore::new(1),
            inspection_turns: Arc::new(Semaphore::new(INSPECTIONS)),
            storage: Mutex::default(),
            external_url: Box::default(),
        }
    }

    /// The catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The archives.
    #[must_use]
    pub fn archives(&self) -> &Archives {
        &self.archives
    }

    /// Says where clients reach the server: an absolute URL, to which paths of the API are added.
    #[must_use]
    pub fn reached_at(mut self, external_url: &str) -> Self {
        self.external_url = external_url.trim_end_matches('/').into();
        self
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Says from now on that no new requests are wanted: the server is stopping.
    pub fn retire(&self) {
        self.is_ready.store(false, Ordering::Relaxed);
    }

    /// Answers a request. What an endpoint leaves of the body is drained.
    ///
    /// `memo` is what this core remembers: where it knows the answer, the future is ready.
    pub fn answer(
        self: &Arc<Self>,
        head: Parts,
        mut body: RequestBody,
        memo: &Arc<Memo>,
    ) -> Answering {
        let begun = self.access_log.then(Instant::now);
        if let Some(answer) = memo.answer(&self.catalog, &head) {
            body.drain();
            self.metrics.answered(answer.status(), None);
            access_log::write(&head, &answer, OK, begun);
            return Answering::Ready(Some(answer));
        }
        let (app, memo) = (Arc::clone(self), Arc::clone(memo));
        Answering::Waiting(Box::pin(async move {
            let (answer, label) = match app.respond(&head, &mut body, &memo).await {
                Ok(mut answer) => {
                    if head.method == Method::HEAD {
                        *answer.body_mut() = AnswerBody::empty();
                    }
                    (answer, OK)
                }
                Err(failure) => {
                    let label = failure.label();
                    let answer = failure.into_response(head.method == Method::HEAD);
                    (answer.map(AnswerBody::from_bytes), label)
                }
            };
            body.drain();
            let status = answer.status();
            app.metrics.answered(status, (label != OK).then_some(label));
            if status.is_server_error() {
                tracing::error!(label, status = status.as_u16(), "cannot answer");
            }
            access_log::write(&head, &answer, label, begun);
            answer
        }))
    }

    async fn respond(
        &self,
        head: &Parts,
        body: &mut RequestBody,
        memo: &Memo,
    ) -> Result<Answer, Failure> {
        if head.headers.len() > MAX_FIELDS {
            return Err(Failure::HeadTooLarge);
        }
        let target = Target::parse(&head.method, head.uri.path(), head.uri.query())?;
        authority::check(head)?;
        let query = &target.query;
        match target.route {
            Route::Health => Ok(answer::text("ok\n")),
            Route::Ready => match self.is_ready.load(Ordering::Relaxed) {
                true => Ok(answer::text("ready\n")),
                false => Err(Failure::STOPPING),
            },
            Route::JobArchive { project, job_id, selection } => {
                let visit = self.admit(head, query, &project).await?;
                let job = self.job(&visit, job_id).await?;
                self.archive(head, &visit, &job, &selection, Address::Job).await
            }
            Route::JobFile { project, job_id, path } => {
                let visit = self.admit(head, query, &project).await?;
                let job = self.job(&visit, job_id).await?;
                self.file(head, memo, &visit, &job, &path, Address::Job).await
            }
            Route::LatestArchive(latest) => {
                let visit = self.admit(head, query, &latest.project).await?;
                let job = self.latest(&visit, &latest.ref_name, &latest.job).await?;
                self.archive(head, &visit, &job, &latest.selection, Address::Ref).await
            }
            Route::LatestFile(latest) => {
                let visit = self.admit(head, query, &latest.project).await?;
                match self.choose(&visit, &latest).await? {
                    Choice::File(split) => {
                        let job = self.latest(&visit, &split.ref_name, &latest.job).await?;
                        self.file(head, memo, &visit, &job, &split.path, Address::Ref).await
                    }
                    Choice::Archive { ref_name, selection } => {
                        let job = self.latest(&visit, ref_name, &latest.job).await?;
                        self.archive(head, &visit, &job, selection, Address::Ref).await
                    }
                    Choice::Tree { ref_name, listing } => {
                        let job = self.latest(&visit, ref_name, &latest.job).await?;
                        self.tree(head, &visit, &job, listing).await
                    }
                }
            }
            Route::JobTree { project, job_id, listing } => {
                let visit = self.admit(head, query, &project).await?;
                let job = self.job(&visit, job_id).await?;
                self.tree(head, &visit, &job, &listing).await
            }
            Route::LatestTree { latest, listing } => {
                let visit = self.admit(head, query, &latest.project).await?;
                let job = self.latest(&visit, &latest.ref_name, &latest.job).await?;
                self.tree(head, &visit, &job, &listing).await
            }
            Route::Keep { project, job_id } => self.keep(head, query, &project, job_id).await,
            Route::DeleteJobArtifacts { project, job_id } => {
                self.delete_job_artifacts(head, query, &project, job_id).await
            }
            Route::DeleteProjectArtifacts { project } => {
                self.delete_project_artifacts(head, query, &project).await
            }
            Route::Upload { job_id, parameters } => {
                self.upload(head, body, query, JobId(job_id), &parameters).await
            }
            Route::RunnerDownload { job_id, direct_download: _ } => {
                let (visit, job) = self.admit_runner(head, query, JobId(job_id)).await?;
                self.archive(head, &visit, &job, &Selection::default(), Address::Job).await
            }
            Route::Hook => self.hook(head, body).await,
            Route::IngestProject { path } => self.put_project(head, body, query, &path).await,
            Route::IngestPipeline { project, id } => {
                self.put_pipeline(head, body, query, &project, id).await
            }
            Route::IngestJob { project, id } => self.put_job(head, body, query, &project, id).await,
            Route::User => self.user(head, query).await,
            Route::Options { allow } => Ok(answer::options(allow)),
            Route::OpenApi => Ok(answer::document(openapi::document())),
            Route::Metrics => {
                let storage = self.storage().await?;
                let held = self.archives.decoder_memory().held();
                Ok(answer::metrics(self.metrics.text(&storage, held)))
            }
        }
    }

    /// What each project stores, as it was [`STORAGE_AGE`] ago at most: adding it up reads all rows.
    async fn storage(&self) -> Result<Arc<[ProjectStorage]>, Failure> {
        let known = || self.storage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, storage)) = &*known()
            && at.elapsed() < STORAGE_AGE
        {
            return Ok(Arc::clone(storage));
        }
        let now = Instant::now();
        let storage = self.ask(|catalog| async move { catalog.storage().await }).await?;
        let storage: Arc<[ProjectStorage]> = storage.into();
        *known() = Some((now, Arc::clone(&storage)));
        Ok(storage)
    }

    /// Runs a question to the database where its connections live.
    async fn ask<T, F>(&self, question: impl FnOnce(Arc<Catalog>) -> F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, CatalogError>> + Send + 'static,
    {
        let asked = self.control.spawn(question(Arc::clone(&self.catalog)));
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(catalog_failure(&error)),
            // The runtime goes down with the server.
            Err(_) => Err(Failure::STOPPING),
        }
    }
}

/// What is answered when the catalog cannot do what was asked of it.
fn catalog_failure(error: &CatalogError) -> Failure {
    let reason = error.label();
    match error {
        CatalogError::IdOutOfRange { .. } => Failure::ParameterInvalid { name: "id" },
        CatalogError::BadName { what, .. } => Failure::ParameterInvalid { name: what },
        CatalogError::Io { .. }
        | CatalogError::Database { .. }
        | CatalogError::NewerSchema { .. }
        | CatalogError::Corrupt { .. }
        | CatalogError::VisibilityConflict { .. }
        | CatalogError::PipelineConflict { .. }
        | CatalogError::RefConflict { .. }
        | CatalogError::IdsExhausted => {
            tracing::error!(label = reason, %error, "the catalog failed");
            if error.is_no_space() {
                Failure::InsufficientStorage { reason, retry_after: None }
            } else {
                Failure::ServiceUnavailable { reason, retry_after: Some(1) }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

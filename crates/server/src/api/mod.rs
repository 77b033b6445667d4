//! From a request's head to its answer: the checks in the contract's order, then the bytes.
//!
//! 400 (target, parameters), 401, 404 (project), 403, 404 (job, archive, file), 422; then what
//! preconditions, codings and ranges say. A warm request runs through without waiting: every
//! question is asked of memory first, and only a miss goes to the control runtime.

mod access_log;
mod answer;
mod authority;
mod body;
mod memo;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use entryway::{Error, Refusal};
use entryway_http::Purpose;
use http::request::Parts;
use http::{Method, Response};
use tokio::runtime::Handle;

pub use self::body::AnswerBody;
pub use self::memo::Memo;
use self::memo::Warm;
use crate::archives::{Archives, OpenArchive, ServeError};
use crate::catalog::{
    ArchiveState, Catalog, CatalogError, Generation, Job, JobId, Latest, Project, ProjectId,
    ProjectRef, Token, UtcMillis,
};
use crate::credential::{Access, TokenDigest, artifacts_access, read_access};
use crate::reply::{EntryRefusal, Failure};
use crate::route::{
    Choice, EntryPath, JobByName, LatestFile, ProjectKey, Query, Route, Target, TokenKind,
    find_presented,
};

/// Fields of a request's head, at most.
const MAX_FIELDS: usize = 64;

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
}

/// A request that was let through to a project.
struct Visit {
    project: Arc<Project>,
    token: Option<Arc<Token>>,
    /// The digest of the token.
    credential: Option<TokenDigest>,
    now: UtcMillis,
    /// The generation under which the outcome may be remembered, if it may.
    generation: Option<Generation>,
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

impl Visit {
    /// When what was granted to this visit ends by itself.
    fn until(&self, job: &Job) -> Option<UtcMillis> {
        let token = self.token.as_ref().and_then(|token| token.expires_at);
        let archive = job.archive.as_ref().and_then(|archive| archive.expires_at);
        [token, archive.filter(|_| !job.locked)].into_iter().flatten().min()
    }
}

/// Whether an answer was addressed by something that never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Address {
    /// By a job's number: its archive never changes.
    Job,
    /// By a ref: tomorrow it is another job's.
    Ref,
}

impl Address {
    /// The media types that go with it: endpoint C's or endpoint D's.
    fn purpose(self) -> Purpose {
        match self {
            Self::Job => Purpose::File,
            Self::Ref => Purpose::Raw,
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
    ) -> Self {
        Self { catalog, archives, control, is_ready: AtomicBool::new(true), access_log }
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

    /// Says from now on that no new requests are wanted: the server is stopping.
    pub fn retire(&self) {
        self.is_ready.store(false, Ordering::Relaxed);
    }

    /// Answers a request. Its body is not read: no endpoint that is served takes one.
    ///
    /// `memo` is what this core remembers: where it knows the answer, the future is ready.
    pub fn answer(self: &Arc<Self>, head: Parts, memo: &Arc<Memo>) -> Answering {
        let begun = self.access_log.then(Instant::now);
        if let Some(answer) = memo.answer(&self.catalog, &head) {
            access_log::write(&head, &answer, "ok", begun);
            return Answering::Ready(Some(answer));
        }
        let (app, memo) = (Arc::clone(self), Arc::clone(memo));
        Answering::Waiting(Box::pin(async move {
            let (answer, label) = match app.respond(&head, &memo).await {
                Ok(answer) => (answer, "ok"),
                Err(failure) => {
                    let label = failure.label();
                    let answer = failure.into_response(head.method == Method::HEAD);
                    (answer.map(AnswerBody::from_bytes), label)
                }
            };
            let status = answer.status();
            if status.is_server_error() {
                tracing::error!(label, status = status.as_u16(), "cannot answer");
            }
            access_log::write(&head, &answer, label, begun);
            answer
        }))
    }

    async fn respond(&self, head: &Parts, memo: &Memo) -> Result<Answer, Failure> {
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
                false => Err(Failure::ServiceUnavailable { reason: "stopping", retry_after: None }),
            },
            Route::JobArchive { project, job_id } => {
                let visit = self.admit(head, query, &project).await?;
                let job = self.job(&visit, job_id).await?;
                self.archive(head, &visit, &job, Address::Job).await
            }
            Route::JobFile { project, job_id, path } => {
                let visit = self.admit(head, query, &project).await?;
                let job = self.job(&visit, job_id).await?;
                self.file(head, memo, &visit, &job, &path, Address::Job).await
            }
            Route::LatestArchive(latest) => {
                let visit = self.admit(head, query, &latest.project).await?;
                let job = self.latest(&visit, &latest.ref_name, &latest.job).await?;
                self.archive(head, &visit, &job, Address::Ref).await
            }
            Route::LatestFile(latest) => {
                let visit = self.admit(head, query, &latest.project).await?;
                match self.choose(&visit, &latest).await? {
                    Choice::File(split) => {
                        let job = self.latest(&visit, &split.ref_name, &latest.job).await?;
                        self.file(head, memo, &visit, &job, &split.path, Address::Ref).await
                    }
                    Choice::Archive { ref_name } => {
                        let job = self.latest(&visit, ref_name, &latest.job).await?;
                        self.archive(head, &visit, &job, Address::Ref).await
                    }
                }
            }
        }
    }

    /// Authenticates, finds the project, authorises: 401, 404, 403.
    async fn admit(
        &self,
        head: &Parts,
        query: &Query,
        project: &ProjectKey,
    ) -> Result<Visit, Failure> {
        let now = UtcMillis::now();
        // Before the first question: an outcome is as old as the oldest answer in it.
        let generation = self.catalog.trusted_generation();
        let credential = credential(head, query)?;
        let token = match credential {
            Some(digest) => Some(self.authenticate(digest, now).await?),
            None => None,
        };
        let project = self.project(project).await?.ok_or(Failure::ProjectNotFound)?;
        allow(read_access(token.as_deref(), &project))?;
        let generation = generation.filter(|_| !query.has_token());
        Ok(Visit { project, token, credential, now, generation })
    }

    async fn authenticate(
        &self,
        digest: TokenDigest,
        now: UtcMillis,
    ) -> Result<Arc<Token>, Failure> {
        if let Some(token) = self.catalog.cached_token(&digest, now) {
            return Ok(token);
        }
        self.ask(|catalog| async move { catalog.authenticate(&digest, now).await })
            .await?
            .ok_or(Failure::Unauthorized)
    }

    async fn project(&self, key: &ProjectKey) -> Result<Option<Arc<Project>>, Failure> {
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

    async fn job(&self, visit: &Visit, job_id: i64) -> Result<Arc<Job>, Failure> {
        let (project, job, now) = (visit.project.id, JobId(job_id), visit.now);
        if let Some(cached) = self.catalog.cached_job(project, job, now) {
            return Ok(cached);
        }
        self.ask(|catalog| async move { catalog.job(project, job, now).await })
            .await?
            .ok_or(Failure::JobNotFound)
    }

    async fn latest(
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
            .ask(|catalog| async move {
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
    async fn choose<'a>(
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
                    self.ask(|catalog| async move {
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

    /// The archive behind a job, open: 403, 404, 410.
    async fn open(&self, visit: &Visit, job: &Job) -> Result<Arc<OpenArchive>, Failure> {
        let token = visit.token.as_deref();
        allow(artifacts_access(token, &visit.project, job.artifacts_access))?;
        let archive = match job.archive_at(visit.now) {
            ArchiveState::Absent | ArchiveState::Expired => return Err(Failure::ArchiveNotFound),
            ArchiveState::Lost(_) => return Err(Failure::ArchiveLost),
            ArchiveState::Stored(archive) => archive,
        };
        self.archives.open(&archive.sha256).await.map_err(|error| failure(&error))
    }

    async fn archive(
        &self,
        head: &Parts,
        visit: &Visit,
        job: &Job,
        address: Address,
    ) -> Result<Answer, Failure> {
        let archive = self.open(visit, job).await?;
        let cache_control = cache_control(visit, job, address, true);
        answer::archive(head, &archive, &cache_control)
    }

    async fn file(
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
                let answer = answer::file(head, &archive, &entry, address, &cache_control).await?;
                if let Some(generation) = visit.generation {
                    let until = visit.until(job);
                    let warm = Warm::new(&archive, &entry, address.purpose(), cache_control, until);
                    memo.keep(generation, head, visit.credential.as_ref(), warm);
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

    /// Runs a question to the database where its connections live.
    async fn ask<T, F>(&self, question: impl FnOnce(Arc<Catalog>) -> F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, CatalogError>> + Send + 'static,
    {
        let asked = self.control.spawn(question(Arc::clone(&self.catalog)));
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::error!(label = error.label(), %error, "the catalog failed");
                Err(Failure::ServiceUnavailable { reason: error.label(), retry_after: Some(1) })
            }
            // The runtime goes down with the server.
            Err(_) => Err(Failure::ServiceUnavailable { reason: "stopping", retry_after: None }),
        }
    }
}

/// The digest of the token that a request presents.
fn credential(head: &Parts, query: &Query) -> Result<Option<TokenDigest>, Failure> {
    match find_presented(&head.headers, query)? {
        None => Ok(None),
        Some(token) => match token.kind {
            TokenKind::Access | TokenKind::Bearer => {
                Ok(Some(TokenDigest::of(token.text.reveal().as_bytes())))
            }
            // No job is running here, so no job's token is valid.
            TokenKind::Job => Err(Failure::Unauthorized),
        },
    }
}

fn allow(access: Access) -> Result<(), Failure> {
    match access {
        Access::Granted => Ok(()),
        Access::NotVisible => Err(Failure::ProjectNotFound),
        Access::Forbidden => Err(Failure::Forbidden),
        Access::InsufficientScope => Err(Failure::InsufficientScope),
    }
}

/// What an archive or entry that cannot be served is answered with.
fn failure(error: &ServeError) -> Failure {
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
        ServeError::Stopping => {
            Failure::ServiceUnavailable { reason: "stopping", retry_after: None }
        }
    }
}

/// An archive that was good when it was stored and is not any more.
fn broken(error: &Error) -> Failure {
    tracing::error!(label = error.label(), %error, "an archive cannot be read");
    Failure::InternalServerError { reason: error.label() }
}

/// An entry that the archive's maker made so that it is not served.
fn refused(refusal: &Refusal) -> Failure {
    Failure::UnprocessableEntry(EntryRefusal {
        label: refusal.rule.label(),
        text: refusal.to_string().into(),
    })
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
    let is_anonymous_readable = read_access(None, &visit.project) == Access::Granted
        && artifacts_access(None, &visit.project, job.artifacts_access) == Access::Granted;
    http::HeaderValue::from_static(
        match (is_anonymous_readable, address == Address::Job && is_verified) {
            (true, true) => "public, max-age=31536000, immutable",
            (true, false) => "public, no-cache",
            (false, true) => "private, max-age=31536000, immutable",
            (false, false) => "private, no-cache",
        },
    )
}

#[cfg(test)]
pub(crate) mod tests;

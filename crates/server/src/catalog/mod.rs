//! The catalog: which archive stands behind a project, a ref and a job, and who may ask.
//!
//! ```text
//! cached_*()  -> memory only, synchronous: what a warm request asks
//! the rest    -> memory, then one SQL statement; a positive answer is kept
//! push() ..   -> one transaction, then everything kept is forgotten
//! watch()     -> notices what other processes commit; spawned once by a server
//! ```
//!
//! A positive answer is kept until something changes (`cache` says how); expiry of archives and
//! tokens is judged at use, against the caller's clock. The SQL is the common subset
//! of SQLite and PostgreSQL, each topic's in its own file; only `schema` and `sqlite` are about
//! one database. Every call but the `cached_` ones needs a tokio runtime with time enabled.
//!
//! This file is long since it is the whole of the catalog's face, one short method for each
//! question: memory first, the generation before the question, the work in another file.

mod announce;
mod blobs;
mod cache;
mod change;
mod details;
mod error;
mod find;
mod handover;
mod hook;
mod migrate;
mod model;
mod path;
mod push;
mod retention;
mod rows;
mod sqlite;
mod storage;
mod tokens;
mod words;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sqlx::sqlite::SqliteConnection;
use tokio::time::MissedTickBehavior;

use crate::credential::TokenDigest;
use crate::store::Sha256Digest;
use cache::{Cache, WATCH_INTERVAL};
use sqlite::Sqlite;

pub use announce::{Announced, AnnouncedJob, AnnouncedPipeline, is_chosen_id};
pub use cache::Generation;
pub use change::{DetailsChange, JobChange, Json, PipelineChange, ProjectChange};
pub use details::{Details, JobDetails, PipelineDetails, Report};
pub use error::CatalogError;
pub use handover::{HandedFile, Handover, HandoverOutcome, UploadingJob};
pub use hook::HookReport;
pub use model::{
    Archive, ArchiveState, ArtifactsAccess, Blob, Job, JobId, JobStatus, Latest, MAX_ID, Phase,
    PipelineId, PipelineStatus, Project, ProjectId, RunningJob, Token, TokenId, UtcMillis,
    Visibility,
};
pub use path::{BadProjectPath, ProjectPath, ProjectPrefix, ProjectRef};
pub(crate) use push::{MAX_JOB_NAME_LEN, MAX_REF_LEN, is_name};
pub use push::{Push, PushTarget, Pushed};
pub use storage::ProjectStorage;
pub use tokens::NewToken;
pub use words::UnknownWord;
pub(crate) use words::words;

/// The database behind a catalog.
#[derive(Debug)]
enum Database {
    /// One file in the data folder.
    Sqlite(Sqlite),
}

/// Projects, pipelines, jobs, archives and tokens of one data folder.
pub struct Catalog {
    database: Database,
    cache: Cache,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("database", &self.database).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Opens the catalog of a data folder, which exists; makes it, or brings its schema up to
    /// date, where needed. Several processes may have it open.
    ///
    /// # Errors
    /// [`CatalogError::NewerSchema`] where a later version of the program wrote it,
    /// [`CatalogError::Io`], [`CatalogError::Database`].
    pub async fn open(data_dir: &Path) -> Result<Self, CatalogError> {
        let database = Database::Sqlite(Sqlite::open(data_dir).await?);
        Ok(Self { database, cache: Cache::new() })
    }

    /// Closes every connection; calls after it fail.
    pub async fn close(&self) {
        let Database::Sqlite(sqlite) = &self.database;
        sqlite.close().await;
    }

    /// How many SQL statements have been run, the watch's apart: for tests that a warm request
    /// runs none.
    pub fn statements(&self) -> u64 {
        let Database::Sqlite(sqlite) = &self.database;
        sqlite.statements()
    }

    /// Looks for other processes' commits every 100 ms and forgets what is kept when there are
    /// any. Never returns; to be spawned once, on a runtime that does not decode. As long as it
    /// does not run, or does not get through to the database, nothing is answered from memory.
    pub async fn watch(&self) {
        let mut ticks = tokio::time::interval(WATCH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watcher = None;
        loop {
            ticks.tick().await;
            if let Err(error) = self.look(&mut watcher).await {
                watcher = None;
                self.cache.end_generation();
                tracing::warn!(label = error.label(), %error, "cannot watch the catalog");
            }
        }
    }

    async fn look(
        &self,
        watcher: &mut Option<(SqliteConnection, i64)>,
    ) -> Result<(), CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        // Before the question: what is committed while it is asked may be missing in its answer.
        let looked = Instant::now();
        match watcher {
            None => {
                let mut connection = sqlite.connect_watcher().await?;
                let version = Sqlite::data_version(&mut connection).await?;
                *watcher = Some((connection, version));
                self.cache.end_generation();
            }
            Some((connection, version)) => {
                let current = Sqlite::data_version(connection).await?;
                if current != *version {
                    *version = current;
                    self.cache.end_generation();
                }
            }
        }
        self.cache.watched(looked);
        Ok(())
    }

    /// The generation of what may be answered from memory now, if anything may: as long as it
    /// lasts, the catalog answers every question as before, expiry apart.
    pub fn trusted_generation(&self) -> Option<Generation> {
        self.cache.trusted()
    }

    /// The project, if it is kept in memory.
    pub fn cached_project(&self, project: ProjectRef<'_>) -> Option<Arc<Project>> {
        match project {
            ProjectRef::Id(id) => self.cache.project_by_id(id),
            ProjectRef::Path(path) => self.cache.project_by_path(path),
        }
    }

    /// The project; `None` where there is none.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn project(
        &self,
        project: ProjectRef<'_>,
    ) -> Result<Option<Arc<Project>>, CatalogError> {
        if let Some(cached) = self.cached_project(project) {
            return Ok(Some(cached));
        }
        let Database::Sqlite(sqlite) = &self.database;
        let generation = self.cache.generation();
        let found = find::project(sqlite, project).await?.map(Arc::new);
        if let Some(project) = &found {
            self.cache.keep_project(generation, project);
        }
        Ok(found)
    }

    /// The job, if it is kept in memory and its archive can be served.
    pub fn cached_job(&self, project: ProjectId, job: JobId, now: UtcMillis) -> Option<Arc<Job>> {
        self.cache.job(project, job).filter(|job| is_servable(job, now))
    }

    /// The job with this number, if it is one of the project; retried ones too.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn job(
        &self,
        project: ProjectId,
        job: JobId,
        now: UtcMillis,
    ) -> Result<Option<Arc<Job>>, CatalogError> {
        if let Some(cached) = self.cached_job(project, job, now) {
            return Ok(Some(cached));
        }
        let Database::Sqlite(sqlite) = &self.database;
        let generation = self.cache.generation();
        let found = find::job(sqlite, project, job).await?.map(Arc::new);
        if let Some(job) = found.as_ref().filter(|job| is_servable(job, now)) {
            self.cache.keep_job(generation, job);
        }
        Ok(found)
    }

    /// The job with all that is known of it; never from memory.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn job_details(
        &self,
        project: ProjectId,
        job: JobId,
        now: UtcMillis,
    ) -> Result<Option<JobDetails>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        details::find(sqlite, project, job, now).await
    }

    /// The job that [`Catalog::latest`] gives, if it is kept in memory and its archive can be
    /// served.
    pub fn cached_latest(
        &self,
        project: ProjectId,
        ref_name: &str,
        job: &str,
        search_recent: bool,
        now: UtcMillis,
    ) -> Option<Arc<Job>> {
        let cached = self.cache.latest(project, ref_name, job, search_recent);
        cached.filter(|job| is_servable(job, now))
    }

    /// Which job answers for a ref and a job name (api.md section 4): the one of that name, not
    /// retried and with an archive, in the ref's latest successful pipeline that is no child.
    /// With `search_recent`, in the newest of the last 100 of them that has such a job, where an
    /// expired archive counts only if no other pipeline has one.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn latest(
        &self,
        project: ProjectId,
        ref_name: &str,
        job: &str,
        search_recent: bool,
        now: UtcMillis,
    ) -> Result<Latest, CatalogError> {
        if let Some(cached) = self.cached_latest(project, ref_name, job, search_recent, now) {
            return Ok(Latest::Found(cached));
        }
        let Database::Sqlite(sqlite) = &self.database;
        let generation = self.cache.generation();
        let latest = find::latest(sqlite, project, ref_name, job, search_recent, now).await?;
        if let Latest::Found(job) = &latest
            && is_servable(job, now)
        {
            self.cache.keep_latest(generation, ref_name, search_recent, job);
        }
        Ok(latest)
    }

    /// The answer of [`Catalog::ref_with_pipeline`], if it is kept in memory.
    pub fn cached_ref_with_pipeline(
        &self,
        project: ProjectId,
        candidates: &[&str],
    ) -> Option<usize> {
        self.cache.ref_with_pipeline(project, candidates)
    }

    /// The index of the longest candidate that some pipeline of the project is of, whatever its
    /// state: settles which split of an ambiguous URL is meant.
    ///
    /// # Errors
    /// [`CatalogError::Database`].
    pub async fn ref_with_pipeline(
        &self,
        project: ProjectId,
        candidates: &[&str],
    ) -> Result<Option<usize>, CatalogError> {
        if let Some(cached) = self.cached_ref_with_pipeline(project, candidates) {
            return Ok(Some(cached));
        }
        let Database::Sqlite(sqlite) = &self.database;
        let generation = self.cache.generation();
        let found = find::ref_with_pipeline(sqlite, project, candidates).await?;
        if let Some(index) = found {
            self.cache.keep_ref_with_pipeline(generation, project, candidates, index);
        }
        Ok(found)
    }

    /// The valid token with this digest, if it is kept in memory.
    pub fn cached_token(&self, digest: &TokenDigest, now: UtcMillis) -> Option<Arc<Token>> {
        self.cache.token(digest).filter(|token| token.is_valid_at(now))
    }

    /// The valid token with this digest; `None` where it is unknown, revoked or expired, which
    /// is a 401 and never an anonymous caller.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn authenticate(
        &self,
        digest: &TokenDigest,
        now: UtcMillis,
    ) -> Result<Option<Arc<Token>>, CatalogError> {
        if let Some(cached) = self.cached_token(digest, now) {
            return Ok(Some(cached));
        }
        let Database::Sqlite(sqlite) = &self.database;
        let generation = self.cache.generation();
        let found = find::token(sqlite, digest).await?.map(Arc::new);
        let valid = found.filter(|token| token.is_valid_at(now));
        if let Some(token) = &valid {
            self.cache.keep_token(generation, digest, token);
        }
        Ok(valid)
    }

    /// The running job with this token, if it is kept in memory.
    pub fn cached_running_job(&self, digest: &TokenDigest) -> Option<Arc<RunningJob>> {
        self.cache.running_job(digest)
    }

    /// The running job with this token; `None` where the token is unknown or its job is over.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn running_job(
        &self,
        digest: &TokenDigest,
    ) -> Result<Option<Arc<RunningJob>>, CatalogError> {
        if let Some(cached) = self.cached_running_job(digest) {
            return Ok(Some(cached));
        }
        let Database::Sqlite(sqlite) = &self.database;
        let generation = self.cache.generation();
        let found = find::running_job(sqlite, digest).await?.map(Arc::new);
        if let Some(job) = &found {
            self.cache.keep_running_job(generation, digest, job);
        }
        Ok(found)
    }

    /// Makes a project, or changes one; with `only_new`, only makes one.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`], [`CatalogError::IdsExhausted`];
    /// nothing is recorded then.
    pub async fn put_project(
        &self,
        path: &ProjectPath,
        change: &ProjectChange,
        only_new: bool,
        now: UtcMillis,
    ) -> Result<Announced<Project>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        let invalidate = self.cache.invalidate();
        announce::put_project(sqlite, invalidate, path, change, only_new, now).await
    }

    /// Makes a pipeline, with this id or the next one, or changes one; with `only_new`, only makes
    /// one.
    ///
    /// # Errors
    /// As [`Catalog::put_project`], and [`CatalogError::IdOutOfRange`],
    /// [`CatalogError::BadName`].
    pub async fn put_pipeline(
        &self,
        project: ProjectId,
        id: Option<PipelineId>,
        change: &PipelineChange,
        only_new: bool,
        now: UtcMillis,
    ) -> Result<Announced<AnnouncedPipeline>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        let invalidate = self.cache.invalidate();
        announce::put_pipeline(sqlite, invalidate, project, id, change, only_new, now).await
    }

    /// Makes a job, with this id or the next one, or changes one. While it runs, `token` is one of
    /// its tokens; when it is over, it has none.
    ///
    /// # Errors
    /// As [`Catalog::put_pipeline`].
    pub async fn put_job(
        &self,
        project: ProjectId,
        id: Option<JobId>,
        change: &JobChange,
        token: &TokenDigest,
        now: UtcMillis,
    ) -> Result<Announced<AnnouncedJob>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        let invalidate = self.cache.invalidate();
        announce::put_job(sqlite, invalidate, project, id, change, token, now).await
    }

    /// Records what a webhook tells, as far as it is newer than what is known. All jobs of a name
    /// in a pipeline but the newest become retried ones.
    ///
    /// # Errors
    /// As [`Catalog::put_pipeline`].
    pub async fn record_hook(
        &self,
        hook: &HookReport,
        now: UtcMillis,
    ) -> Result<Announced<()>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        hook::record(sqlite, self.cache.invalidate(), hook, now).await
    }

    /// The job that somebody wants to hand in for.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn uploading_job(&self, job: JobId) -> Result<Option<UploadingJob>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        handover::find_job(sqlite, job).await
    }

    /// Records a file that the store has published as a job's. Durable when it returns
    /// [`HandoverOutcome::Taken`]; with the other outcomes the job has what it had.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn hand_over(
        &self,
        handover: &Handover<'_>,
    ) -> Result<HandoverOutcome, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        handover::record(sqlite, self.cache.invalidate(), handover).await
    }

    /// Clears the expiry of a job's files; `false` where the job has no archive that can be served.
    ///
    /// # Errors
    /// [`CatalogError::Database`].
    pub async fn keep_artifacts(
        &self,
        project: ProjectId,
        job: JobId,
        now: UtcMillis,
    ) -> Result<bool, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        retention::keep(sqlite, self.cache.invalidate(), project, job, now).await
    }

    /// Takes a job's archive and reports off it; says how many files. They cannot be asked for any
    /// more when it returns, and go from the store with the next sweep.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn delete_artifacts(
        &self,
        project: ProjectId,
        job: JobId,
    ) -> Result<u64, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        retention::delete(sqlite, self.cache.invalidate(), project, job).await
    }

    /// Lets the artifacts of a project expire now (endpoint H); says how many archives.
    ///
    /// # Errors
    /// [`CatalogError::Database`].
    pub async fn expire_artifacts(
        &self,
        project: ProjectId,
        now: UtcMillis,
    ) -> Result<u64, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        retention::expire_project(sqlite, self.cache.invalidate(), project, now).await
    }

    /// Takes a batch of expired files off their jobs; says how many, none when all is done.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn sweep_expired(&self, now: UtcMillis) -> Result<u64, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        if !retention::has_expired(sqlite, now).await? {
            return Ok(0);
        }
        retention::sweep(sqlite, self.cache.invalidate(), now).await
    }

    /// Content that may have no row left which names it, so many at most.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn unreferenced(&self, at_most: u32) -> Result<Vec<Sha256Digest>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        retention::unreferenced(sqlite, at_most).await
    }

    /// Forgets content that nothing names; says whether nothing does, so that its file may go. For
    /// whoever keeps publications away meanwhile, and says [`Catalog::settle`] when it has gone.
    ///
    /// # Errors
    /// [`CatalogError::Database`].
    pub async fn release(&self, sha256: &Sha256Digest) -> Result<bool, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        retention::release(sqlite, sha256).await
    }

    /// Notes content for the sweeper whose file could not be taken back.
    ///
    /// # Errors
    /// [`CatalogError::Database`].
    pub async fn note_unreferenced(&self, sha256: &Sha256Digest) -> Result<(), CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        retention::note(sqlite, sha256).await
    }

    /// Drops the notes of content whose files are gone.
    ///
    /// # Errors
    /// [`CatalogError::Database`].
    pub async fn settle(&self, removed: &[Sha256Digest]) -> Result<(), CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        retention::settle(sqlite, removed).await
    }

    /// All projects with what they have in the store, by path. Reads every row.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn storage(&self) -> Result<Vec<ProjectStorage>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        storage::all(sqlite).await
    }

    /// Judges a push before its archive is stored. The push itself judges again.
    ///
    /// # Errors
    /// As [`Catalog::push`].
    pub async fn check_push(&self, target: &PushTarget<'_>) -> Result<(), CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        push::check(sqlite, target).await
    }

    /// Records an archive that the store has published, in one transaction: the project if it is
    /// new, a new pipeline or the given one, a new job, the content, the archive. An earlier job
    /// of the same name in that pipeline becomes a retried one. Durable when it returns.
    ///
    /// # Errors
    /// [`CatalogError::VisibilityConflict`], [`CatalogError::PipelineConflict`],
    /// [`CatalogError::RefConflict`], [`CatalogError::IdOutOfRange`], [`CatalogError::BadName`],
    /// [`CatalogError::Database`]; nothing is recorded then.
    pub async fn push(&self, push: &Push<'_>) -> Result<Pushed, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        push::push(sqlite, self.cache.invalidate(), push).await
    }

    /// Records a new token.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::IdsExhausted`].
    pub async fn create_token(&self, token: &NewToken<'_>) -> Result<TokenId, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        tokens::create(sqlite, self.cache.invalidate(), token).await
    }

    /// All tokens, revoked and expired ones too, in the order of their making.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn tokens(&self) -> Result<Vec<Token>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        tokens::all(sqlite).await
    }

    /// Revokes a token; in force at once here, and within a second in other processes. Returns
    /// whether there was one to revoke.
    ///
    /// # Errors
    /// [`CatalogError::Database`].
    pub async fn revoke_token(&self, id: TokenId, now: UtcMillis) -> Result<bool, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        tokens::revoke(sqlite, self.cache.invalidate(), id, now).await
    }

    /// All content that the catalog names.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn blobs(&self) -> Result<Vec<Blob>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        blobs::all(sqlite).await
    }

    /// The row of this content.
    ///
    /// # Errors
    /// [`CatalogError::Database`], [`CatalogError::Corrupt`].
    pub async fn blob(&self, sha256: &Sha256Digest) -> Result<Option<Blob>, CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        blobs::find(sqlite, sha256).await
    }

    /// Marks content as lost, and other content as there again.
    ///
    /// # Errors
    /// [`CatalogError::Database`].
    pub async fn mark_blobs(
        &self,
        lost: &[Sha256Digest],
        found: &[Sha256Digest],
    ) -> Result<(), CatalogError> {
        let Database::Sqlite(sqlite) = &self.database;
        blobs::mark(sqlite, self.cache.invalidate(), lost, found).await
    }
}

/// Only what can be served is kept: whatever else it is may be put right by another process, and
/// is then seen at once.
fn is_servable(job: &Job, now: UtcMillis) -> bool {
    matches!(job.archive_at(now), ArchiveState::Stored(_))
}

#[cfg(test)]
mod tests;

//! One archive handed in for (project, ref, job): every row of it, or none.

use super::cache::Invalidate;
use super::find::PROJECT_BY_PATH;
use super::rows;
use super::sqlite::{Sqlite, Transaction};
use super::{
    CatalogError, JobId, MAX_ID, PipelineId, PipelineStatus, ProjectId, ProjectPath, UtcMillis,
    Visibility,
};
use crate::store::Sha256Digest;

const NEXT_ID: &str = "UPDATE counters SET last_id = last_id + 1
    WHERE name = $1 AND last_id < $2 RETURNING last_id";
pub(super) const CLAIM_ID: &str =
    "UPDATE counters SET last_id = $2 WHERE name = $1 AND last_id < $2";

const ADD_PROJECT: &str =
    "INSERT INTO projects (id, path, visibility, public_pipelines, created_at)
    VALUES ($1, $2, $3, $4, $5)";

pub(super) const PIPELINE_OF_ID: &str =
    "SELECT project_id, ref, status, finished_at FROM pipelines WHERE id = $1";
const ADD_PIPELINE: &str = "INSERT INTO pipelines (id, project_id, ref, status, created_at)
    VALUES ($1, $2, $3, $4, $5)";
const SET_PIPELINE_STATUS: &str = "UPDATE pipelines SET status = $2 WHERE id = $1";

const RETIRE_JOBS: &str = "UPDATE jobs SET retried = $3
    WHERE pipeline_id = $1 AND name = $2 AND retried = $4";
const ADD_JOB: &str = "INSERT INTO jobs
    (id, project_id, pipeline_id, name, status, created_at, finished_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6)";

/// The content was published just now, so it is not lost even where it was. What was a report, and
/// so never looked into, may be an archive as well.
pub(super) const ADD_BLOB: &str = "INSERT INTO blobs (sha256, len, entries, stored_at, lost)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (sha256) DO UPDATE SET lost = excluded.lost,
        entries = CASE WHEN excluded.entries > blobs.entries THEN excluded.entries
                       ELSE blobs.entries END";
pub(super) const ADD_ARCHIVE: &str =
    "INSERT INTO archives (job_id, sha256, filename, stored_at, expires_at)
    VALUES ($1, $2, $3, $4, $5)";

const OPERATION: &str = "record an archive";

/// Longest ref name and job name, in bytes. Git's own bound on refs is a path's, 4,096; GitLab's
/// on job names is 255.
pub(crate) const MAX_REF_LEN: usize = 4096;
pub(crate) const MAX_JOB_NAME_LEN: usize = 255;

/// An archive that is in the store and shall be found under a project, a ref and a job.
#[derive(Clone, Copy, Debug)]
pub struct Push<'a> {
    /// The project; made where it does not exist.
    pub project: &'a ProjectPath,
    /// For a new project, private where it is left out. Of an existing project it has to be the
    /// visibility that the project has.
    pub visibility: Option<Visibility>,
    /// The branch or tag.
    pub ref_name: &'a str,
    /// The job's name.
    pub job: &'a str,
    /// A pipeline to add the job to, made with this id where it does not exist; else a new one.
    pub pipeline: Option<PipelineId>,
    /// The pipeline's state: success for a new pipeline, unchanged for an existing one where it
    /// is left out.
    pub status: Option<PipelineStatus>,
    /// Digest of the archive.
    pub sha256: Sha256Digest,
    /// Its length in bytes.
    pub len: u64,
    /// How many entries it has.
    pub entries: u64,
    /// The name that it was handed in with.
    pub filename: &'a str,
    /// From when on it is not served.
    pub expires_at: Option<UtcMillis>,
    /// The time of storing.
    pub now: UtcMillis,
}

/// What a push was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The project.
    pub project_id: ProjectId,
    /// The pipeline.
    pub pipeline_id: PipelineId,
    /// The job.
    pub job_id: JobId,
}

/// The part of a push that can be judged before anything is stored.
#[derive(Clone, Copy, Debug)]
pub struct PushTarget<'a> {
    /// As [`Push::project`].
    pub project: &'a ProjectPath,
    /// As [`Push::visibility`].
    pub visibility: Option<Visibility>,
    /// As [`Push::ref_name`].
    pub ref_name: &'a str,
    /// As [`Push::job`].
    pub job: &'a str,
    /// As [`Push::pipeline`].
    pub pipeline: Option<PipelineId>,
}

impl<'a> Push<'a> {
    /// The part that [`super::Catalog::check_push`] judges.
    pub fn target(&self) -> PushTarget<'a> {
        PushTarget {
            project: self.project,
            visibility: self.visibility,
            ref_name: self.ref_name,
            job: self.job,
            pipeline: self.pipeline,
        }
    }
}

/// What is there already of a push's target.
struct Existing {
    project: Option<ProjectId>,
    pipeline: Option<PipelineId>,
}

pub(super) async fn check(sqlite: &Sqlite, target: &PushTarget<'_>) -> Result<(), CatalogError> {
    let mut transaction = sqlite.begin(OPERATION).await?;
    existing(&mut transaction, target).await.map(drop)
}

pub(super) async fn push(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    push: &Push<'_>,
) -> Result<Pushed, CatalogError> {
    let mut transaction = sqlite.begin(OPERATION).await?;
    let found = existing(&mut transaction, &push.target()).await?;
    let project_id = match found.project {
        Some(id) => id,
        None => add_project(&mut transaction, push).await?,
    };
    let pipeline_id = match found.pipeline {
        Some(id) => {
            if let Some(status) = push.status {
                let query = sqlx::query(SET_PIPELINE_STATUS).bind(id.0).bind(status.as_str());
                transaction.write(query).await?;
            }
            let retire = sqlx::query(RETIRE_JOBS).bind(id.0).bind(push.job).bind(true).bind(false);
            transaction.write(retire).await?;
            id
        }
        None => add_pipeline(&mut transaction, push, project_id).await?,
    };
    let job_id = add_job(&mut transaction, push, project_id, pipeline_id).await?;
    add_archive(&mut transaction, push, job_id).await?;
    transaction.commit().await?;
    drop(invalidate);
    Ok(Pushed { project_id, pipeline_id, job_id })
}

async fn existing(
    transaction: &mut Transaction<'_>,
    target: &PushTarget<'_>,
) -> Result<Existing, CatalogError> {
    check_name("ref name", MAX_REF_LEN, target.ref_name)?;
    check_name("job name", MAX_JOB_NAME_LEN, target.job)?;
    let query = sqlx::query(PROJECT_BY_PATH).bind(target.project.as_str());
    let project = match transaction.find_optional(query).await? {
        None => None,
        Some(row) => {
            let project = rows::project(&row)?;
            if let Some(asked) = target.visibility.filter(|&asked| asked != project.visibility) {
                let existing = project.visibility;
                return Err(CatalogError::VisibilityConflict { existing, asked });
            }
            Some(project.id)
        }
    };
    let Some(pipeline) = target.pipeline else {
        return Ok(Existing { project, pipeline: None });
    };
    if !(1..=MAX_ID).contains(&pipeline.0) {
        return Err(CatalogError::IdOutOfRange { id: pipeline.0 });
    }
    match transaction.find_optional(sqlx::query(PIPELINE_OF_ID).bind(pipeline.0)).await? {
        None => Ok(Existing { project, pipeline: None }),
        Some(row) => {
            if project != Some(ProjectId(rows::get(&row, "project_id")?)) {
                return Err(CatalogError::PipelineConflict { pipeline });
            }
            if rows::get::<&str>(&row, "ref")? != target.ref_name {
                return Err(CatalogError::RefConflict { pipeline });
            }
            Ok(Existing { project, pipeline: Some(pipeline) })
        }
    }
}

async fn add_project(
    transaction: &mut Transaction<'_>,
    push: &Push<'_>,
) -> Result<ProjectId, CatalogError> {
    let id = next_id(transaction, "project").await?;
    let query = sqlx::query(ADD_PROJECT)
        .bind(id)
        .bind(push.project.as_str())
        .bind(push.visibility.unwrap_or(Visibility::Private).as_str())
        .bind(true)
        .bind(push.now.0);
    transaction.write(query).await?;
    Ok(ProjectId(id))
}

async fn add_pipeline(
    transaction: &mut Transaction<'_>,
    push: &Push<'_>,
    project: ProjectId,
) -> Result<PipelineId, CatalogError> {
    let id = match push.pipeline {
        None => next_id(transaction, "pipeline").await?,
        Some(PipelineId(id)) => {
            transaction.write(sqlx::query(CLAIM_ID).bind("pipeline").bind(id)).await?;
            id
        }
    };
    let query = sqlx::query(ADD_PIPELINE)
        .bind(id)
        .bind(project.0)
        .bind(push.ref_name)
        .bind(push.status.unwrap_or(PipelineStatus::Success).as_str())
        .bind(push.now.0);
    transaction.write(query).await?;
    Ok(PipelineId(id))
}

async fn add_job(
    transaction: &mut Transaction<'_>,
    push: &Push<'_>,
    project: ProjectId,
    pipeline: PipelineId,
) -> Result<JobId, CatalogError> {
    let id = next_id(transaction, "job").await?;
    let status = push.status.unwrap_or(PipelineStatus::Success).of_handed_in_job();
    let query = sqlx::query(ADD_JOB)
        .bind(id)
        .bind(project.0)
        .bind(pipeline.0)
        .bind(push.job)
        .bind(status.as_str())
        .bind(push.now.0);
    transaction.write(query).await?;
    Ok(JobId(id))
}

async fn add_archive(
    transaction: &mut Transaction<'_>,
    push: &Push<'_>,
    job: JobId,
) -> Result<(), CatalogError> {
    let sha256 = &push.sha256.0[..];
    let blob = sqlx::query(ADD_BLOB)
        .bind(sha256)
        .bind(push.len.cast_signed())
        .bind(push.entries.cast_signed())
        .bind(push.now.0)
        .bind(false);
    transaction.write(blob).await?;
    let archive = sqlx::query(ADD_ARCHIVE)
        .bind(job.0)
        .bind(sha256)
        .bind(push.filename)
        .bind(push.now.0)
        .bind(push.expires_at.map(|expiry| expiry.0));
    transaction.write(archive).await?;
    Ok(())
}

/// The next id of a kind. Ids only grow, and one that was given out is never given out again.
pub(super) async fn next_id(
    transaction: &mut Transaction<'_>,
    kind: &'static str,
) -> Result<i64, CatalogError> {
    let query = sqlx::query(NEXT_ID).bind(kind).bind(MAX_ID);
    match transaction.find_optional(query).await? {
        Some(row) => rows::get(&row, "last_id"),
        None => Err(CatalogError::IdsExhausted),
    }
}

pub(super) fn check_name(
    what: &'static str,
    max_len: usize,
    name: &str,
) -> Result<(), CatalogError> {
    if is_name(max_len, name) { Ok(()) } else { Err(CatalogError::BadName { what, max_len }) }
}

/// Whether a text can be the name of something: not empty, not over a limit in bytes, and without
/// control characters.
pub(crate) fn is_name(max_len: usize, name: &str) -> bool {
    (1..=max_len).contains(&name.len()) && !name.contains(char::is_control)
}

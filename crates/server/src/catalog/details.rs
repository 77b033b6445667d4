//! A job with all that is known of it: what the API's Job entity is made of.

use std::sync::Arc;

use super::change::Json;
use super::rows::{self, get, job_columns, text};
use super::sqlite::Sqlite;
use super::{CatalogError, Job, JobId, PipelineId, PipelineStatus, ProjectId, UtcMillis};

/// A job, its pipeline, and what it handed in.
#[derive(Clone, Debug, PartialEq)]
pub struct JobDetails {
    /// The job and its archive.
    pub job: Job,
    /// It may fail without its pipeline failing.
    pub allow_failure: bool,
    /// Times and texts of the job.
    pub details: Details,
    /// The runner.
    pub runner: Option<Json>,
    /// The pipeline that it belongs to.
    pub pipeline: PipelineDetails,
    /// What it handed in beside its archive, ordered by type.
    pub reports: Vec<Report>,
}

/// The pipeline of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineDetails {
    /// Its number.
    pub id: PipelineId,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// The commit.
    pub sha: Option<Arc<str>>,
    /// Whether the ref is a tag.
    pub tag: bool,
    /// Its state.
    pub status: PipelineStatus,
    /// Times and texts of the pipeline.
    pub details: Details,
}

/// What pipelines and jobs have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// When it was made.
    pub created_at: UtcMillis,
    /// When it began.
    pub started_at: Option<UtcMillis>,
    /// When it ended.
    pub finished_at: Option<UtcMillis>,
    /// Percent of the code that its tests covered.
    pub coverage: Option<f64>,
    /// Why it failed.
    pub failure_reason: Option<Arc<str>>,
    /// The commit.
    pub commit: Option<Json>,
    /// Who started it.
    pub user: Option<Json>,
}

/// A file that a job handed in beside its archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// `junit`, `dotenv`, ...
    pub file_type: Arc<str>,
    /// `zip`, `gzip` or `raw`.
    pub file_format: Arc<str>,
    /// The name that it was handed in with.
    pub filename: Arc<str>,
    /// Its length in bytes.
    pub len: u64,
}

const JOB_DETAILS: &str = concat!(
    "SELECT ",
    job_columns!(),
    ", j.allow_failure, j.started_at, j.finished_at, j.coverage, j.failure_reason, j.commit_json,
      j.user_json, j.runner_json,
      p.ref, p.sha, p.tag, p.status AS p_status, p.created_at AS p_created_at,
      p.started_at AS p_started_at, p.finished_at AS p_finished_at, p.coverage AS p_coverage,
      p.failure_reason AS p_failure_reason, p.commit_json AS p_commit_json,
      p.user_json AS p_user_json
      FROM jobs AS j
      JOIN pipelines AS p ON p.id = j.pipeline_id
      LEFT JOIN archives AS a ON a.job_id = j.id
      LEFT JOIN blobs AS b ON b.sha256 = a.sha256
      WHERE j.id = $2 AND j.project_id = $1"
);

const REPORTS: &str = "SELECT r.file_type, r.file_format, r.filename, b.len
    FROM reports AS r JOIN blobs AS b ON b.sha256 = r.sha256
    WHERE r.job_id = $1 AND (r.expires_at IS NULL OR r.expires_at > $2 OR $3)
    ORDER BY r.file_type";

/// The job; its reports without the expired ones.
pub(super) async fn find(
    sqlite: &Sqlite,
    project: ProjectId,
    job: JobId,
    now: UtcMillis,
) -> Result<Option<JobDetails>, CatalogError> {
    const OPERATION: &str = "read a job";
    let query = sqlx::query(JOB_DETAILS).bind(project.0).bind(job.0);
    let Some(row) = sqlite.find_optional(OPERATION, query).await? else { return Ok(None) };
    let job = rows::job(&row)?;
    let query = sqlx::query(REPORTS).bind(job.id.0).bind(now.0).bind(job.locked);
    let reports = sqlite.find_all(OPERATION, query).await?;
    let reports = reports.iter().map(|row| {
        Ok(Report {
            file_type: text(row, "file_type")?,
            file_format: text(row, "file_format")?,
            filename: text(row, "filename")?,
            len: rows::count(row, "len")?,
        })
    });
    Ok(Some(JobDetails {
        allow_failure: get(&row, "allow_failure")?,
        details: Details {
            created_at: job.created_at,
            started_at: time(&row, "started_at")?,
            finished_at: time(&row, "finished_at")?,
            coverage: get(&row, "coverage")?,
            failure_reason: optional_text(&row, "failure_reason")?,
            commit: json(&row, "commit_json")?,
            user: json(&row, "user_json")?,
        },
        runner: json(&row, "runner_json")?,
        pipeline: PipelineDetails {
            id: job.pipeline_id,
            ref_name: text(&row, "ref")?,
            sha: optional_text(&row, "sha")?,
            tag: get(&row, "tag")?,
            status: rows::word(&row, "p_status")?,
            details: Details {
                created_at: UtcMillis(get(&row, "p_created_at")?),
                started_at: time(&row, "p_started_at")?,
                finished_at: time(&row, "p_finished_at")?,
                coverage: get(&row, "p_coverage")?,
                failure_reason: optional_text(&row, "p_failure_reason")?,
                commit: json(&row, "p_commit_json")?,
                user: json(&row, "p_user_json")?,
            },
        },
        reports: reports.collect::<Result<_, CatalogError>>()?,
        job,
    }))
}

fn time(
    row: &sqlx::sqlite::SqliteRow,
    column: &'static str,
) -> Result<Option<UtcMillis>, CatalogError> {
    Ok(get::<Option<i64>>(row, column)?.map(UtcMillis))
}

fn optional_text(
    row: &sqlx::sqlite::SqliteRow,
    column: &'static str,
) -> Result<Option<Arc<str>>, CatalogError> {
    Ok(get::<Option<&str>>(row, column)?.map(Arc::from))
}

fn json(row: &sqlx::sqlite::SqliteRow, column: &'static str) -> Result<Option<Json>, CatalogError> {
    Ok(get::<Option<&str>>(row, column)?.map(|text| Json(text.into())))
}

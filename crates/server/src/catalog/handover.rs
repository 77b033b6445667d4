//! What a job hands in: its archive, and reports beside it. Judged before a byte is taken, and
//! again in the transaction that records it: a job may end while it uploads.

use sqlx::sqlite::SqliteRow;

use super::cache::Invalidate;
use super::push::{ADD_ARCHIVE, ADD_BLOB};
use super::rows;
use super::sqlite::{Sqlite, Transaction};
use super::{CatalogError, JobId, JobStatus, ProjectId, UtcMillis};
use crate::store::Sha256Digest;

const OPERATION: &str = "record an upload";

const JOB: &str = "SELECT project_id, status, locked FROM jobs WHERE id = $1";
const ARCHIVE: &str = "SELECT sha256, expires_at FROM archives WHERE job_id = $1";
const PAST_ARCHIVE: &str = "SELECT sha256 FROM past_archives WHERE job_id = $1";
const REPORT: &str = "SELECT sha256, expires_at FROM reports WHERE job_id = $1 AND file_type = $2";
const DROP_ARCHIVE: &str = "DELETE FROM archives WHERE job_id = $1";
const ADD_REPORT: &str = "INSERT INTO reports
    (job_id, file_type, file_format, filename, sha256, stored_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (job_id, file_type) DO UPDATE SET
        filename = excluded.filename, file_format = excluded.file_format,
        stored_at = excluded.stored_at, expires_at = excluded.expires_at";

/// A file that is in the store and shall be a job's.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// The job.
    pub job: JobId,
    /// Only a running job may: it hands in by itself, not somebody for it.
    pub must_run: bool,
    /// What the file is.
    pub file: HandedFile<'a>,
    /// Digest of its bytes.
    pub sha256: Sha256Digest,
    /// Its length in bytes.
    pub len: u64,
    /// The name that it was handed in with.
    pub filename: &'a str,
    /// From when on it is not served.
    pub expires_at: Option<UtcMillis>,
    /// The time of storing.
    pub now: UtcMillis,
}

/// What a file that is handed in is to the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandedFile<'a> {
    /// The job's archive.
    Archive {
        /// How many entries it has.
        entries: u64,
    },
    /// Anything else: never looked into, never served.
    Report {
        /// `junit`, `dotenv`, ...
        file_type: &'a str,
        /// `zip`, `gzip` or `raw`.
        file_format: &'a str,
    },
}

/// Whether a job may hand something in, or what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoverOutcome {
    /// It may; or, it is recorded.
    Taken,
    /// The job has these very bytes already.
    AlreadyThere,
    /// The job has, or had, other bytes.
    Other,
    /// The job does not run.
    JobOver,
    /// There is no such job.
    NoJob,
}

/// The project and the state of a job that somebody wants to hand in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadingJob {
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// Its state.
    pub status: JobStatus,
}

pub(super) async fn find_job(
    sqlite: &Sqlite,
    job: JobId,
) -> Result<Option<UploadingJob>, CatalogError> {
    let row = sqlite.find_optional("find a job", sqlx::query(JOB).bind(job.0)).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(UploadingJob {
        project_id: ProjectId(rows::get(&row, "project_id")?),
        status: rows::word(&row, "status")?,
    }))
}

pub(super) async fn record(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    handover: &Handover<'_>,
) -> Result<HandoverOutcome, CatalogError> {
    let mut transaction = sqlite.begin(OPERATION).await?;
    let row = transaction.find_optional(sqlx::query(JOB).bind(handover.job.0)).await?;
    let Some(row) = row else { return Ok(HandoverOutcome::NoJob) };
    if handover.must_run && rows::word::<JobStatus>(&row, "status")? != JobStatus::Running {
        return Ok(HandoverOutcome::JobOver);
    }
    let is_locked = rows::get(&row, "locked")?;
    let entries = match handover.file {
        HandedFile::Archive { entries } => entries,
        HandedFile::Report { .. } => 0,
    };
    // For whatever is there already too: in the store it may have been lost, and is there again.
    add_blob(&mut transaction, handover, entries).await?;
    let outcome = match handover.file {
        HandedFile::Archive { .. } => record_archive(&mut transaction, handover, is_locked).await?,
        HandedFile::Report { file_type, file_format } => {
            record_report(&mut transaction, handover, file_type, file_format, is_locked).await?
        }
    };
    match outcome {
        HandoverOutcome::Taken | HandoverOutcome::AlreadyThere => {
            transaction.commit().await?;
            drop(invalidate);
        }
        HandoverOutcome::Other | HandoverOutcome::JobOver | HandoverOutcome::NoJob => {}
    }
    Ok(outcome)
}

async fn record_archive(
    transaction: &mut Transaction<'_>,
    handover: &Handover<'_>,
    is_locked: bool,
) -> Result<HandoverOutcome, CatalogError> {
    let job = handover.job.0;
    let present = transaction.find_optional(sqlx::query(ARCHIVE).bind(job)).await?;
    if let Some(row) = &present {
        if let Some(outcome) = compare(row, handover, is_locked)? {
            return Ok(outcome);
        }
        // Expired and not yet swept: it begins anew.
        transaction.write(sqlx::query(DROP_ARCHIVE).bind(job)).await?;
    } else {
        let past = transaction.find_optional(sqlx::query(PAST_ARCHIVE).bind(job)).await?;
        if let Some(row) = &past
            && rows::get::<&[u8]>(row, "sha256")? != handover.sha256.0
        {
            return Ok(HandoverOutcome::Other);
        }
    }
    let archive = sqlx::query(ADD_ARCHIVE)
        .bind(job)
        .bind(&handover.sha256.0[..])
        .bind(handover.filename)
        .bind(handover.now.0)
        .bind(handover.expires_at.map(|expiry| expiry.0));
    transaction.write(archive).await?;
    Ok(HandoverOutcome::Taken)
}

async fn record_report(
    transaction: &mut Transaction<'_>,
    handover: &Handover<'_>,
    file_type: &str,
    file_format: &str,
    is_locked: bool,
) -> Result<HandoverOutcome, CatalogError> {
    let query = sqlx::query(REPORT).bind(handover.job.0).bind(file_type);
    if let Some(row) = transaction.find_optional(query).await?
        && let Some(outcome) = compare(&row, handover, is_locked)?
    {
        return Ok(outcome);
    }
    let report = sqlx::query(ADD_REPORT)
        .bind(handover.job.0)
        .bind(file_type)
        .bind(file_format)
        .bind(handover.filename)
        .bind(&handover.sha256.0[..])
        .bind(handover.now.0)
        .bind(handover.expires_at.map(|expiry| expiry.0));
    transaction.write(report).await?;
    Ok(HandoverOutcome::Taken)
}

/// What a file that is there already makes of the one that is handed in; `None` where it has expired,
/// so that it begins anew.
fn compare(
    row: &SqliteRow,
    handover: &Handover<'_>,
    is_locked: bool,
) -> Result<Option<HandoverOutcome>, CatalogError> {
    if rows::get::<&[u8]>(row, "sha256")? != handover.sha256.0 {
        return Ok(Some(HandoverOutcome::Other));
    }
    let expires_at = rows::get::<Option<i64>>(row, "expires_at")?;
    let is_live = is_locked || expires_at.is_none_or(|expiry| expiry > handover.now.0);
    Ok(is_live.then_some(HandoverOutcome::AlreadyThere))
}

async fn add_blob(
    transaction: &mut Transaction<'_>,
    handover: &Handover<'_>,
    entries: u64,
) -> Result<(), CatalogError> {
    let blob = sqlx::query(ADD_BLOB)
        .bind(&handover.sha256.0[..])
        .bind(handover.len.cast_signed())
        .bind(entries.cast_signed())
        .bind(handover.now.0)
        .bind(false);
    transaction.write(blob).await.map(drop)
}

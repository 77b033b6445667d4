//! How long artifacts live: kept, deleted, expired; and what of the store nobody names any more.

use super::cache::Invalidate;
use super::find::FAMILY_DEPTH;
use super::rows;
use super::sqlite::{Sqlite, Transaction};
use super::{CatalogError, JobId, ProjectId, UtcMillis};
use crate::store::Sha256Digest;

/// Files that one transaction of the sweeper takes off their jobs.
const SWEPT_AT_ONCE: i64 = 256;

const SWEEP: &str = "sweep artifacts";

const KEEP_ARCHIVE: &str = "UPDATE archives SET expires_at = NULL
    WHERE job_id = $2
      AND EXISTS (SELECT 1 FROM jobs WHERE id = $2 AND project_id = $1
                  AND (locked OR archives.expires_at IS NULL OR archives.expires_at > $3))";
const KEEP_REPORTS: &str = "UPDATE reports SET expires_at = NULL
    WHERE job_id = $1
      AND (expires_at IS NULL OR expires_at > $2
           OR EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND locked))";

const ARCHIVES_OF_JOB: &str = "SELECT job_id, sha256 FROM archives
    WHERE job_id = (SELECT id FROM jobs WHERE id = $2 AND project_id = $1)";
const REPORTS_OF_JOB: &str = "SELECT job_id, sha256, file_type FROM reports
    WHERE job_id = (SELECT id FROM jobs WHERE id = $2 AND project_id = $1)";

const EXPIRED_ARCHIVES: &str = "SELECT a.job_id, a.sha256
    FROM archives AS a JOIN jobs AS j ON j.id = a.job_id
    WHERE a.expires_at <= $1 AND NOT j.locked LIMIT $2";
const EXPIRED_REPORTS: &str = "SELECT r.job_id, r.sha256, r.file_type
    FROM reports AS r JOIN jobs AS j ON j.id = r.job_id
    WHERE r.expires_at <= $1 AND NOT j.locked LIMIT $2";

const ADD_PAST_ARCHIVE: &str = "INSERT INTO past_archives (job_id, sha256) VALUES ($1, $2)
    ON CONFLICT (job_id) DO NOTHING";
const ADD_UNREFERENCED: &str = "INSERT INTO unreferenced (sha256) VALUES ($1)
    ON CONFLICT (sha256) DO NOTHING";
const DROP_ARCHIVE: &str = "DELETE FROM archives WHERE job_id = $1";
const DROP_REPORT: &str = "DELETE FROM reports WHERE job_id = $1 AND file_type = $2";

/// The newest successful pipeline of each ref, and what belongs to it.
macro_rules! latest_families {
    () => {
        "WITH RECURSIVE family (id, depth) AS (
             SELECT MAX(id), 0 FROM pipelines
             WHERE project_id = $1 AND status = 'success' AND parent_pipeline_id IS NULL
             GROUP BY ref
             UNION ALL
             SELECT child.id, family.depth + 1
             FROM family CROSS JOIN pipelines AS child
             WHERE child.parent_pipeline_id = family.id AND +child.project_id = $1
               AND family.depth < $3)
         SELECT id FROM family"
    };
}
const EXPIRE_ARCHIVES: &str = concat!(
    "UPDATE archives SET expires_at = $2
     WHERE (expires_at IS NULL OR expires_at > $2) AND job_id IN (
         SELECT id FROM jobs
         WHERE project_id = $1 AND NOT locked AND pipeline_id NOT IN (",
    latest_families!(),
    "))"
);
const EXPIRE_REPORTS: &str = concat!(
    "UPDATE reports SET expires_at = $2
     WHERE (expires_at IS NULL OR expires_at > $2) AND job_id IN (
         SELECT id FROM jobs
         WHERE project_id = $1 AND NOT locked AND pipeline_id NOT IN (",
    latest_families!(),
    "))"
);

const UNREFERENCED: &str = "SELECT sha256 FROM unreferenced LIMIT $1";
const DROP_UNREFERENCED: &str = "DELETE FROM unreferenced WHERE sha256 = $1";
const BLOB: &str = "SELECT sha256 FROM blobs WHERE sha256 = $1";
const DROP_BLOB: &str = "DELETE FROM blobs WHERE sha256 = $1
    AND NOT EXISTS (SELECT 1 FROM archives WHERE archives.sha256 = $1)
    AND NOT EXISTS (SELECT 1 FROM reports WHERE reports.sha256 = $1)";

/// Clears the expiry of a job's files; `false` where it has no archive that can be served.
pub(super) async fn keep(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    project: ProjectId,
    job: JobId,
    now: UtcMillis,
) -> Result<bool, CatalogError> {
    let mut transaction = sqlite.begin("keep artifacts").await?;
    let archive = sqlx::query(KEEP_ARCHIVE).bind(project.0).bind(job.0).bind(now.0);
    if transaction.write(archive).await? == 0 {
        return Ok(false);
    }
    transaction.write(sqlx::query(KEEP_REPORTS).bind(job.0).bind(now.0)).await?;
    transaction.commit().await?;
    drop(invalidate);
    Ok(true)
}

/// Takes a job's files off it; says how many there were.
pub(super) async fn delete(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    project: ProjectId,
    job: JobId,
) -> Result<u64, CatalogError> {
    let mut transaction = sqlite.begin("delete artifacts").await?;
    let of_job = |sql: &'static str| sqlx::query(sql).bind(project.0).bind(job.0);
    let archives = transaction.find_all(of_job(ARCHIVES_OF_JOB)).await?;
    let reports = transaction.find_all(of_job(REPORTS_OF_JOB)).await?;
    let taken = take_off(&mut transaction, &archives, &reports).await?;
    transaction.commit().await?;
    drop(invalidate);
    Ok(taken)
}

/// Lets the files of a project's jobs expire now: all but those of the newest successful pipeline
/// of each ref with its descendants, and those of locked jobs. Says how many archives.
pub(super) async fn expire_project(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    project: ProjectId,
    now: UtcMillis,
) -> Result<u64, CatalogError> {
    let mut transaction = sqlite.begin("expire artifacts").await?;
    let of_project =
        |sql: &'static str| sqlx::query(sql).bind(project.0).bind(now.0).bind(FAMILY_DEPTH);
    let expired = transaction.write(of_project(EXPIRE_ARCHIVES)).await?;
    transaction.write(of_project(EXPIRE_REPORTS)).await?;
    transaction.commit().await?;
    drop(invalidate);
    Ok(expired)
}

/// Whether a sweep would find something. Mostly it would not, and this makes nobody wait and ends
/// nothing that is kept in memory.
pub(super) async fn has_expired(sqlite: &Sqlite, now: UtcMillis) -> Result<bool, CatalogError> {
    let one = |sql: &'static str| sqlx::query(sql).bind(now.0).bind(1_i64);
    Ok(sqlite.find_optional(SWEEP, one(EXPIRED_ARCHIVES)).await?.is_some()
        || sqlite.find_optional(SWEEP, one(EXPIRED_REPORTS)).await?.is_some())
}

/// Takes expired files off their jobs, a batch; says how many, and none when all is done.
pub(super) async fn sweep(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    now: UtcMillis,
) -> Result<u64, CatalogError> {
    let expired = |sql: &'static str| sqlx::query(sql).bind(now.0).bind(SWEPT_AT_ONCE);
    let mut transaction = sqlite.begin(SWEEP).await?;
    let archives = transaction.find_all(expired(EXPIRED_ARCHIVES)).await?;
    let reports = transaction.find_all(expired(EXPIRED_REPORTS)).await?;
    let taken = take_off(&mut transaction, &archives, &reports).await?;
    transaction.commit().await?;
    drop(invalidate);
    Ok(taken)
}

async fn take_off(
    transaction: &mut Transaction<'_>,
    archives: &[sqlx::sqlite::SqliteRow],
    reports: &[sqlx::sqlite::SqliteRow],
) -> Result<u64, CatalogError> {
    for row in archives {
        let (job, sha256) = (rows::get::<i64>(row, "job_id")?, rows::get::<&[u8]>(row, "sha256")?);
        transaction.write(sqlx::query(ADD_PAST_ARCHIVE).bind(job).bind(sha256)).await?;
        transaction.write(sqlx::query(ADD_UNREFERENCED).bind(sha256)).await?;
        transaction.write(sqlx::query(DROP_ARCHIVE).bind(job)).await?;
    }
    for row in reports {
        let (job, sha256) = (rows::get::<i64>(row, "job_id")?, rows::get::<&[u8]>(row, "sha256")?);
        let file_type = rows::get::<&str>(row, "file_type")?;
        transaction.write(sqlx::query(ADD_UNREFERENCED).bind(sha256)).await?;
        transaction.write(sqlx::query(DROP_REPORT).bind(job).bind(file_type)).await?;
    }
    Ok(archives.len() as u64 + reports.len() as u64)
}

/// Content that may have no row left which names it, so many at most.
pub(super) async fn unreferenced(
    sqlite: &Sqlite,
    at_most: u32,
) -> Result<Vec<Sha256Digest>, CatalogError> {
    let query = sqlx::query(UNREFERENCED).bind(at_most);
    let found = sqlite.find_all("list what is not referenced", query).await?;
    found.iter().map(|row| rows::digest(rows::get(row, "sha256")?)).collect()
}

/// Forgets content, unless something names it after all; says whether nothing does, so that its file
/// is to go. The note stays until [`settle`]: a sweep that fails in between is repeated.
pub(super) async fn release(sqlite: &Sqlite, sha256: &Sha256Digest) -> Result<bool, CatalogError> {
    let mut transaction = sqlite.begin("release content").await?;
    transaction.write(sqlx::query(DROP_BLOB).bind(&sha256.0[..])).await?;
    let left = transaction.find_optional(sqlx::query(BLOB).bind(&sha256.0[..])).await?;
    if left.is_some() {
        transaction.write(sqlx::query(DROP_UNREFERENCED).bind(&sha256.0[..])).await?;
    }
    transaction.commit().await?;
    Ok(left.is_none())
}

/// Notes content that may have no row: its file could not be taken back.
pub(super) async fn note(sqlite: &Sqlite, sha256: &Sha256Digest) -> Result<(), CatalogError> {
    let mut transaction = sqlite.begin("note content").await?;
    transaction.write(sqlx::query(ADD_UNREFERENCED).bind(&sha256.0[..])).await?;
    transaction.commit().await
}

/// Drops the notes of content whose files are gone.
pub(super) async fn settle(sqlite: &Sqlite, removed: &[Sha256Digest]) -> Result<(), CatalogError> {
    let mut transaction = sqlite.begin("settle content").await?;
    for sha256 in removed {
        transaction.write(sqlx::query(DROP_UNREFERENCED).bind(&sha256.0[..])).await?;
    }
    transaction.commit().await
}

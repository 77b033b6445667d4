//! Rows of the database as values. A value that this program never writes is an error that names
//! the column, not a default.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::sqlite::failed;
use super::{
    Archive, Blob, CatalogError, Job, JobId, PipelineId, Project, ProjectId, Token, TokenId,
    UtcMillis,
};
use crate::store::Sha256Digest;

const OPERATION: &str = "read a row";

pub(super) fn project(row: &SqliteRow) -> Result<Project, CatalogError> {
    Ok(Project {
        id: ProjectId(get(row, "id")?),
        path: text(row, "path")?,
        visibility: word(row, "visibility")?,
        public_pipelines: get(row, "public_pipelines")?,
        job_token_allowlist: allowlist(row)?,
    })
}

/// A JSON array of paths.
fn allowlist(row: &SqliteRow) -> Result<Arc<[Box<str>]>, CatalogError> {
    const COLUMN: &str = "job_token_allowlist";
    let paths: Vec<Box<str>> = serde_json::from_str(get(row, COLUMN)?)
        .map_err(|_| CatalogError::Corrupt { column: COLUMN })?;
    Ok(paths.into())
}

/// Columns of [`project`].
macro_rules! project_columns {
    () => {
        "id, path, visibility, public_pipelines, job_token_allowlist"
    };
}
pub(super) use project_columns;

/// Columns of [`job`]: `j` is the job, `a` its archive and `b` the archive's blob, if any.
macro_rules! job_columns {
    () => {
        "j.id, j.project_id, j.pipeline_id, j.name, j.stage, j.status, j.retried, j.locked, \
         j.artifacts_access, j.created_at, a.sha256, a.filename, a.stored_at, a.expires_at, \
         b.len, b.entries, b.lost"
    };
}
pub(super) use job_columns;

pub(super) fn job(row: &SqliteRow) -> Result<Job, CatalogError> {
    let archive = match get::<Option<&[u8]>>(row, "sha256")? {
        None => None,
        Some(sha256) => Some(Archive {
            sha256: digest(sha256)?,
            len: count(row, "len")?,
            entries: count(row, "entries")?,
            filename: text(row, "filename")?,
            stored_at: UtcMillis(get(row, "stored_at")?),
            expires_at: get::<Option<i64>>(row, "expires_at")?.map(UtcMillis),
            lost: get(row, "lost")?,
        }),
    };
    Ok(Job {
        id: JobId(get(row, "id")?),
        project_id: ProjectId(get(row, "project_id")?),
        pipeline_id: PipelineId(get(row, "pipeline_id")?),
        name: text(row, "name")?,
        stage: text(row, "stage")?,
        status: word(row, "status")?,
        retried: get(row, "retried")?,
        locked: get(row, "locked")?,
        artifacts_access: word(row, "artifacts_access")?,
        created_at: UtcMillis(get(row, "created_at")?),
        archive,
    })
}

pub(super) fn token(row: &SqliteRow) -> Result<Token, CatalogError> {
    Ok(Token {
        id: TokenId(get(row, "id")?),
        name: text(row, "name")?,
        prefix: word(row, "prefix")?,
        role: word(row, "role")?,
        scopes: word(row, "scopes")?,
        created_at: UtcMillis(get(row, "created_at")?),
        expires_at: get::<Option<i64>>(row, "expires_at")?.map(UtcMillis),
        revoked_at: get::<Option<i64>>(row, "revoked_at")?.map(UtcMillis),
    })
}

pub(super) fn blob(row: &SqliteRow) -> Result<Blob, CatalogError> {
    Ok(Blob {
        sha256: digest(get(row, "sha256")?)?,
        len: count(row, "len")?,
        lost: get(row, "lost")?,
    })
}

pub(super) fn get<'r, T>(row: &'r SqliteRow, column: &'static str) -> Result<T, CatalogError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(failed(OPERATION))
}

pub(super) fn text(row: &SqliteRow, column: &'static str) -> Result<Arc<str>, CatalogError> {
    Ok(Arc::from(get::<&str>(row, column)?))
}

pub(super) fn word<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<T, CatalogError> {
    get::<&str>(row, column)?.parse().map_err(|_| CatalogError::Corrupt { column })
}

pub(super) fn count(row: &SqliteRow, column: &'static str) -> Result<u64, CatalogError> {
    u64::try_from(get::<i64>(row, column)?).map_err(|_| CatalogError::Corrupt { column })
}

pub(super) fn digest(bytes: &[u8]) -> Result<Sha256Digest, CatalogError> {
    let bytes = bytes.try_into().map_err(|_| CatalogError::Corrupt { column: "sha256" })?;
    Ok(Sha256Digest(bytes))
}

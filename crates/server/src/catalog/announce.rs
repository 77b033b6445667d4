//! Projects, pipelines and jobs as other systems announce them: what is said is written. Webhooks,
//! which say what was so when they were sent, are judged in `hook` first.

use super::cache::Invalidate;
use super::change::{DetailsChange, JobChange, PipelineChange, ProjectChange};
use super::find::PROJECT_BY_PATH;
use super::push::{CLAIM_ID, MAX_JOB_NAME_LEN, MAX_REF_LEN, PIPELINE_OF_ID, check_name, next_id};
use super::rows;
use super::sqlite::{Query, Sqlite, Transaction};
use super::{
    CatalogError, JobId, JobStatus, MAX_ID, PipelineId, PipelineStatus, Project, ProjectId,
    ProjectPath, UtcMillis, Visibility,
};
use crate::credential::TokenDigest;

pub(super) const OPERATION: &str = "record an announcement";

/// Tokens that a running job has at most; the oldest go.
const JOB_TOKENS: i64 = 16;

const PROJECT_WITH_ID: &str = "SELECT id FROM projects WHERE id = $1";
const ADD_PROJECT: &str = "INSERT INTO projects
    (id, path, visibility, public_pipelines, created_at, job_token_allowlist)
    VALUES ($1, $2, $3, $4, $5, $6)";
const CHANGE_PROJECT: &str = "UPDATE projects SET
    visibility = COALESCE($2, visibility),
    public_pipelines = COALESCE($3, public_pipelines),
    job_token_allowlist = COALESCE($4, job_token_allowlist)
    WHERE id = $1";

const ADD_PIPELINE: &str = "INSERT INTO pipelines (id, project_id, ref, status, created_at)
    VALUES ($1, $2, $3, $4, $5)";
/// Of a field that may be null, the parameter before it says whether it is to be written.
const CHANGE_PIPELINE: &str = "UPDATE pipelines SET
    ref = COALESCE($2, ref),
    tag = COALESCE($3, tag),
    status = COALESCE($4, status),
    source = COALESCE($5, source),
    sha = CASE WHEN $6 THEN $7 ELSE sha END,
    parent_pipeline_id = CASE WHEN $8 THEN $9 ELSE parent_pipeline_id END,
    created_at = COALESCE($10, created_at),
    started_at = CASE WHEN $11 THEN $12 ELSE started_at END,
    finished_at = CASE WHEN $13 THEN $14 ELSE finished_at END,
    coverage = CASE WHEN $15 THEN $16 ELSE coverage END,
    failure_reason = CASE WHEN $17 THEN $18 ELSE failure_reason END,
    commit_json = CASE WHEN $19 THEN $20 ELSE commit_json END,
    user_json = CASE WHEN $21 THEN $22 ELSE user_json END
    WHERE id = $1";

pub(super) const JOB: &str = "SELECT project_id, status, finished_at FROM jobs WHERE id = $1";
const ADD_JOB: &str = "INSERT INTO jobs (id, project_id, pipeline_id, name, status, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)";
const CHANGE_JOB: &str = "UPDATE jobs SET
    pipeline_id = COALESCE($2, pipeline_id),
    name = COALESCE($3, name),
    stage = COALESCE($4, stage),
    status = COALESCE($5, status),
    retried = COALESCE($6, retried),
    allow_failure = COALESCE($7, allow_failure),
    artifacts_access = COALESCE($8, artifacts_access),
    locked = COALESCE($9, locked),
    created_at = COALESCE($10, created_at),
    started_at = CASE WHEN $11 THEN $12 ELSE started_at END,
    finished_at = CASE WHEN $13 THEN $14 ELSE finished_at END,
    coverage = CASE WHEN $15 THEN $16 ELSE coverage END,
    failure_reason = CASE WHEN $17 THEN $18 ELSE failure_reason END,
    commit_json = CASE WHEN $19 THEN $20 ELSE commit_json END,
    user_json = CASE WHEN $21 THEN $22 ELSE user_json END,
    runner_json = CASE WHEN $23 THEN $24 ELSE runner_json END
    WHERE id = $1";
const ADD_JOB_TOKEN: &str =
    "INSERT INTO job_tokens (digest, job_id, created_at) VALUES ($1, $2, $3)";
/// All but the one just given ($3), whatever the clock says, and so many of the others.
const DROP_OLD_TOKENS: &str = "DELETE FROM job_tokens
    WHERE job_id = $1 AND digest <> $3 AND digest NOT IN (
        SELECT digest FROM job_tokens WHERE job_id = $1 AND digest <> $3
        ORDER BY created_at DESC LIMIT $2 - 1)";
const DROP_TOKENS: &str = "DELETE FROM job_tokens WHERE job_id = $1";

/// What came of an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announced<T> {
    /// It is recorded.
    Done(T),
    /// Something new was announced without a field that it needs.
    Missing(&'static str),
    /// The id belongs to another project.
    OtherProject,
    /// The project has no such pipeline, which a job was announced for.
    NoPipeline,
    /// The pipeline was announced as its own parent.
    OwnParent,
    /// It was to be made, and is there already.
    Exists,
}

/// A pipeline as it stands after its announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncedPipeline {
    /// Its number.
    pub id: PipelineId,
    /// Branch or tag.
    pub ref_name: Box<str>,
}

/// A job as it stands after its announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnouncedJob {
    /// Its number.
    pub id: JobId,
    /// Whether it runs: then the token that came with the announcement is valid.
    pub is_running: bool,
}

pub(super) async fn put_project(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    path: &ProjectPath,
    change: &ProjectChange,
    only_new: bool,
    now: UtcMillis,
) -> Result<Announced<Project>, CatalogError> {
    let mut transaction = sqlite.begin(OPERATION).await?;
    match find_project(&mut transaction, path).await? {
        Some(_) if only_new => return Ok(Announced::Exists),
        Some(project) => change_project(&mut transaction, project.id, change).await?,
        None => {
            let visibility = change.visibility.unwrap_or(Visibility::Public);
            add_project(&mut transaction, None, path, visibility, change, now).await?;
        }
    }
    let project = find_project(&mut transaction, path).await?;
    transaction.commit().await?;
    drop(invalidate);
    // It was written in this transaction.
    project.map(Announced::Done).ok_or(CatalogError::Corrupt { column: "path" })
}

pub(super) async fn put_pipeline(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    project: ProjectId,
    id: Option<PipelineId>,
    change: &PipelineChange,
    only_new: bool,
    now: UtcMillis,
) -> Result<Announced<AnnouncedPipeline>, CatalogError> {
    let mut transaction = sqlite.begin(OPERATION).await?;
    if let Some(id) = id.filter(|_| only_new)
        && owns_pipeline(&mut transaction, project, id).await?
    {
        return Ok(Announced::Exists);
    }
    let id = match write_pipeline(&mut transaction, project, id, change, now).await? {
        Announced::Done(id) => id,
        other => return Ok(other.map(|id| AnnouncedPipeline { id, ref_name: "".into() })),
    };
    let row = transaction.find_optional(sqlx::query(PIPELINE_OF_ID).bind(id.0)).await?;
    // It was written in this transaction.
    let row = row.ok_or(CatalogError::Corrupt { column: "id" })?;
    let ref_name = rows::get::<&str>(&row, "ref")?.into();
    transaction.commit().await?;
    drop(invalidate);
    Ok(Announced::Done(AnnouncedPipeline { id, ref_name }))
}

/// `token` becomes a token of the job if it runs then.
pub(super) async fn put_job(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    project: ProjectId,
    id: Option<JobId>,
    change: &JobChange,
    token: &TokenDigest,
    now: UtcMillis,
) -> Result<Announced<AnnouncedJob>, CatalogError> {
    let mut transaction = sqlite.begin(OPERATION).await?;
    let written = write_job(&mut transaction, project, id, change, now).await?;
    let job = match written {
        Announced::Done(job) => job,
        other => return Ok(other),
    };
    if job.is_running {
        let add = sqlx::query(ADD_JOB_TOKEN).bind(&token.0[..]).bind(job.id.0).bind(now.0);
        transaction.write(add).await?;
        let drop_old = sqlx::query(DROP_OLD_TOKENS).bind(job.id.0).bind(JOB_TOKENS);
        transaction.write(drop_old.bind(&token.0[..])).await?;
    }
    transaction.commit().await?;
    drop(invalidate);
    Ok(Announced::Done(job))
}

impl<T> Announced<T> {
    pub(super) fn map<U>(self, done: impl FnOnce(T) -> U) -> Announced<U> {
        match self {
            Self::Done(value) => Announced::Done(done(value)),
            Self::Missing(field) => Announced::Missing(field),
            Self::OtherProject => Announced::OtherProject,
            Self::NoPipeline => Announced::NoPipeline,
            Self::OwnParent => Announced::OwnParent,
            Self::Exists => Announced::Exists,
        }
    }
}

pub(super) async fn find_project(
    transaction: &mut Transaction<'_>,
    path: &ProjectPath,
) -> Result<Option<Project>, CatalogError> {
    let row = transaction.find_optional(sqlx::query(PROJECT_BY_PATH).bind(path.as_str())).await?;
    row.as_ref().map(rows::project).transpose()
}

/// Makes a project, with the number that is asked for where it is free.
pub(super) async fn add_project(
    transaction: &mut Transaction<'_>,
    asked: Option<ProjectId>,
    path: &ProjectPath,
    visibility: Visibility,
    change: &ProjectChange,
    now: UtcMillis,
) -> Result<ProjectId, CatalogError> {
    let mut free = None;
    if let Some(ProjectId(id)) = asked.filter(|id| is_chosen_id(id.0)) {
        let taken = transaction.find_optional(sqlx::query(PROJECT_WITH_ID).bind(id)).await?;
        if taken.is_none() {
            transaction.write(sqlx::query(CLAIM_ID).bind("project").bind(id)).await?;
            free = Some(id);
        }
    }
    let id = match free {
        Some(id) => id,
        None => next_id(transaction, "project").await?,
    };
    let query = sqlx::query(ADD_PROJECT)
        .bind(id)
        .bind(path.as_str())
        .bind(visibility.as_str())
        .bind(change.public_pipelines.unwrap_or(true))
        .bind(now.0)
        .bind(allowlist(change).unwrap_or_else(|| "[]".to_owned()));
    transaction.write(query).await?;
    Ok(ProjectId(id))
}

async fn change_project(
    transaction: &mut Transaction<'_>,
    id: ProjectId,
    change: &ProjectChange,
) -> Result<(), CatalogError> {
    let query = sqlx::query(CHANGE_PROJECT)
        .bind(id.0)
        .bind(change.visibility.map(Visibility::as_str))
        .bind(change.public_pipelines)
        .bind(allowlist(change));
    transaction.write(query).await.map(drop)
}

/// The list as a JSON array. Paths have no character that JSON escapes.
fn allowlist(change: &ProjectChange) -> Option<String> {
    let paths = change.job_token_allowlist.as_ref()?;
    let quoted: Vec<String> = paths.iter().map(|path| format!("\"{}\"", path.as_str())).collect();
    Some(format!("[{}]", quoted.join(",")))
}

/// The largest id that others may choose. What is given out goes on behind the largest one known, so
/// one who chose the last of all would leave none for anybody.
const MAX_CHOSEN_ID: i64 = 1 << 52;

const _: () = assert!(MAX_CHOSEN_ID < MAX_ID);

/// Whether an announcement may choose this id.
pub fn is_chosen_id(id: i64) -> bool {
    (1..=MAX_CHOSEN_ID).contains(&id)
}

fn check_id(id: i64) -> Result<(), CatalogError> {
    if is_chosen_id(id) { Ok(()) } else { Err(CatalogError::IdOutOfRange { id }) }
}

pub(super) async fn owns_pipeline(
    transaction: &mut Transaction<'_>,
    project: ProjectId,
    id: PipelineId,
) -> Result<bool, CatalogError> {
    match transaction.find_optional(sqlx::query(PIPELINE_OF_ID).bind(id.0)).await? {
        Some(row) => Ok(project == ProjectId(rows::get(&row, "project_id")?)),
        None => Ok(false),
    }
}

pub(super) async fn write_pipeline(
    transaction: &mut Transaction<'_>,
    project: ProjectId,
    id: Option<PipelineId>,
    change: &PipelineChange,
    now: UtcMillis,
) -> Result<Announced<PipelineId>, CatalogError> {
    if let Some(PipelineId(id)) = id {
        check_id(id)?;
    }
    if let Some(ref_name) = &change.ref_name {
        check_name("ref name", MAX_REF_LEN, ref_name)?;
    }
    if let Some(Some(PipelineId(parent))) = change.parent_pipeline_id {
        check_id(parent)?;
    }
    let existing = match id {
        None => None,
        Some(id) => transaction.find_optional(sqlx::query(PIPELINE_OF_ID).bind(id.0)).await?,
    };
    let id = match (existing, id) {
        (Some(row), Some(id)) => {
            if project != ProjectId(rows::get(&row, "project_id")?) {
                return Ok(Announced::OtherProject);
            }
            id.0
        }
        (_, id) => {
            let Some(ref_name) = &change.ref_name else { return Ok(Announced::Missing("ref")) };
            let Some(status) = change.status else { return Ok(Announced::Missing("status")) };
            let id = claim(transaction, "pipeline", id.map(|id| id.0)).await?;
            let query = sqlx::query(ADD_PIPELINE)
                .bind(id)
                .bind(project.0)
                .bind(&**ref_name)
                .bind(status.as_str())
                .bind(now.0);
            transaction.write(query).await?;
            id
        }
    };
    // Known only here of a pipeline that was given the next id.
    if change.parent_pipeline_id == Some(Some(PipelineId(id))) {
        return Ok(Announced::OwnParent);
    }
    let query = sqlx::query(CHANGE_PIPELINE)
        .bind(id)
        .bind(change.ref_name.as_deref())
        .bind(change.tag)
        .bind(change.status.map(PipelineStatus::as_str))
        .bind(change.source.as_deref());
    let query = nullable(query, change.sha.as_ref().map(|sha| sha.as_deref()));
    let parent = change.parent_pipeline_id.map(|parent| parent.map(|id| id.0));
    let query = bind_details(nullable(query, parent), &change.details);
    transaction.write(query).await?;
    Ok(Announced::Done(PipelineId(id)))
}

pub(super) async fn write_job(
    transaction: &mut Transaction<'_>,
    project: ProjectId,
    id: Option<JobId>,
    change: &JobChange,
    now: UtcMillis,
) -> Result<Announced<AnnouncedJob>, CatalogError> {
    if let Some(JobId(id)) = id {
        check_id(id)?;
    }
    if let Some(name) = &change.name {
        check_name("job name", MAX_JOB_NAME_LEN, name)?;
    }
    if let Some(pipeline) = change.pipeline_id {
        check_id(pipeline.0)?;
    }
    let existing = match id {
        None => None,
        Some(id) => transaction.find_optional(sqlx::query(JOB).bind(id.0)).await?,
    };
    let mut status = None;
    if let Some(row) = &existing {
        if project != ProjectId(rows::get(row, "project_id")?) {
            return Ok(Announced::OtherProject);
        }
        status = Some(rows::word(row, "status")?);
    } else if change.pipeline_id.is_none() {
        return Ok(Announced::Missing("pipeline_id"));
    }
    if let Some(pipeline) = change.pipeline_id
        && !owns_pipeline(transaction, project, pipeline).await?
    {
        return Ok(Announced::NoPipeline);
    }
    let id = match (existing, id, change.pipeline_id) {
        (Some(_), Some(id), _) => id.0,
        (_, id, pipeline) => {
            let Some(name) = &change.name else { return Ok(Announced::Missing("name")) };
            let Some(status) = change.status else { return Ok(Announced::Missing("status")) };
            let id = claim(transaction, "job", id.map(|id| id.0)).await?;
            let query = sqlx::query(ADD_JOB)
                .bind(id)
                .bind(project.0)
                .bind(pipeline.map(|pipeline| pipeline.0))
                .bind(&**name)
                .bind(status.as_str())
                .bind(now.0);
            transaction.write(query).await?;
            id
        }
    };
    let query = sqlx::query(CHANGE_JOB)
        .bind(id)
        .bind(change.pipeline_id.map(|pipeline| pipeline.0))
        .bind(change.name.as_deref())
        .bind(change.stage.as_deref())
        .bind(change.status.map(JobStatus::as_str))
        .bind(change.retried)
        .bind(change.allow_failure)
        .bind(change.artifacts_access.map(super::ArtifactsAccess::as_str))
        .bind(change.locked);
    let query = bind_details(query, &change.details);
    let runner = change.runner.as_ref().map(|json| json.as_ref().map(|json| &*json.0));
    transaction.write(nullable(query, runner)).await?;
    let is_running = change.status.or(status) == Some(JobStatus::Running);
    if !is_running {
        transaction.write(sqlx::query(DROP_TOKENS).bind(id)).await?;
    }
    Ok(Announced::Done(AnnouncedJob { id: JobId(id), is_running }))
}

/// The id that is asked for, which from now on is not given out, or the next one.
async fn claim(
    transaction: &mut Transaction<'_>,
    kind: &'static str,
    asked: Option<i64>,
) -> Result<i64, CatalogError> {
    match asked {
        None => next_id(transaction, kind).await,
        Some(id) => {
            transaction.write(sqlx::query(CLAIM_ID).bind(kind).bind(id)).await?;
            Ok(id)
        }
    }
}

/// Binds whether a field is to be written, and what.
fn nullable<'q, T>(query: Query<'q>, change: Option<Option<T>>) -> Query<'q>
where
    T: 'q + sqlx::Encode<'q, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    query.bind(change.is_some()).bind(change.flatten())
}

fn bind_details<'q>(query: Query<'q>, change: &'q DetailsChange) -> Query<'q> {
    let millis = |time: Option<Option<UtcMillis>>| time.map(|time| time.map(|time| time.0));
    let query = query.bind(change.created_at.flatten().map(|time| time.0));
    let query = nullable(query, millis(change.started_at));
    let query = nullable(query, millis(change.finished_at));
    let query = nullable(query, change.coverage);
    let query = nullable(query, change.failure_reason.as_ref().map(|text| text.as_deref()));
    let json = |json: &'q Option<Option<super::Json>>| {
        json.as_ref().map(|json| json.as_ref().map(|json| &*json.0))
    };
    nullable(nullable(query, json(&change.commit)), json(&change.user))
}

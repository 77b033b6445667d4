//! What another system announces of projects, pipelines and jobs: the fields that it gave.
//!
//! `None` leaves a field as it is; of a new row it means the field's first value, which api.md
//! section 6 names. In a field that may be null, `Some(None)` makes it null.

use super::{
    ArtifactsAccess, JobStatus, PipelineId, PipelineStatus, ProjectPath, UtcMillis, Visibility,
};

/// What is said of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// Who sees it; public where nothing was ever said.
    pub visibility: Option<Visibility>,
    /// Whoever sees it may read its pipelines; they may where nothing was ever said.
    pub public_pipelines: Option<bool>,
    /// The projects whose running jobs may read it; none where nothing was ever said.
    pub job_token_allowlist: Option<Vec<ProjectPath>>,
}

/// What is said of a pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PipelineChange {
    /// Branch or tag; a new pipeline needs one.
    pub ref_name: Option<Box<str>>,
    /// The commit.
    pub sha: Option<Option<Box<str>>>,
    /// Whether the ref is a tag.
    pub tag: Option<bool>,
    /// Its state; a new pipeline needs one.
    pub status: Option<PipelineStatus>,
    /// What made it: `push`, `web`, `parent_pipeline`, ...
    pub source: Option<Box<str>>,
    /// The pipeline that it is a child of.
    pub parent_pipeline_id: Option<Option<PipelineId>>,
    /// Times and texts.
    pub details: DetailsChange,
}

/// What is said of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobChange {
    /// The pipeline that it belongs to; a new job needs one.
    pub pipeline_id: Option<PipelineId>,
    /// Its name; a new job needs one.
    pub name: Option<Box<str>>,
    /// Its stage.
    pub stage: Option<Box<str>>,
    /// Its state; a new job needs one.
    pub status: Option<JobStatus>,
    /// A later job of the same name replaced it.
    pub retried: Option<bool>,
    /// It may fail without its pipeline failing.
    pub allow_failure: Option<bool>,
    /// Who may download its artifacts.
    pub artifacts_access: Option<ArtifactsAccess>,
    /// Its artifacts are kept past their expiry.
    pub locked: Option<bool>,
    /// The runner, as a JSON object.
    pub runner: Option<Option<Json>>,
    /// Times and texts.
    pub details: DetailsChange,
}

/// What pipelines and jobs have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DetailsChange {
    /// When it was made; the time of the announcement where nothing was ever said, or null.
    pub created_at: Option<Option<UtcMillis>>,
    /// When it began.
    pub started_at: Option<Option<UtcMillis>>,
    /// When it ended.
    pub finished_at: Option<Option<UtcMillis>>,
    /// Percent of the code that its tests covered.
    pub coverage: Option<Option<f64>>,
    /// Why it failed, a word.
    pub failure_reason: Option<Option<Box<str>>>,
    /// The commit, as a JSON object.
    pub commit: Option<Option<Json>>,
    /// Who started it, as a JSON object.
    pub user: Option<Option<Json>>,
}

/// A JSON object as text, given out as it was taken in. Made by whoever has read it as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(pub Box<str>);

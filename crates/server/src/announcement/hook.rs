//! GitLab's webhooks: the payloads that its documentation calls pipeline events and job events.
//!
//! What is not used here is passed over, whatever it is: GitLab adds fields as it likes. A field
//! that is null is not known yet or never will be, so it changes nothing. Events come late, twice
//! and in any order: what that does to a state is the catalog's to judge.

use http::Uri;

use super::commit::Commit;
use super::object::{Object, Value};
use super::{BadAnnouncement, MAX_TEXT_LEN};
use crate::catalog::{
    DetailsChange, JobChange, JobId, JobStatus, Json, MAX_REF_LEN, PipelineChange, PipelineId,
    PipelineStatus, ProjectId, ProjectPath, UtcMillis, Visibility,
};
use crate::timestamp;

/// What a webhook says.
#[derive(Clone, Debug, PartialEq)]
pub enum Hook {
    /// A pipeline's state has changed.
    Pipeline(PipelineHook),
    /// A job's state has changed.
    Job(JobHook),
    /// Something that nothing here depends on; to be answered as if it had been used, since GitLab
    /// stops sending to whoever refuses.
    Other,
}

/// A pipeline event.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineHook {
    /// The project.
    pub project: HookProject,
    /// The pipeline's number in GitLab.
    pub id: PipelineId,
    /// Its state, and what else is known of it.
    pub change: PipelineChange,
    /// Its jobs without those that were retried; of each the pipeline is named.
    pub jobs: Vec<(JobId, JobChange)>,
}

/// A job event.
#[derive(Clone, Debug, PartialEq)]
pub struct JobHook {
    /// The project.
    pub project: HookProject,
    /// The number of its pipeline in GitLab.
    pub pipeline_id: PipelineId,
    /// What the event tells of the pipeline, which may not have been announced yet.
    pub pipeline: PipelineChange,
    /// The job's number in GitLab.
    pub id: JobId,
    /// Its state, and what else is known of it; its pipeline is named.
    pub change: JobChange,
}

/// The project of an event, as GitLab knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookProject {
    /// Its number in GitLab.
    pub id: Option<ProjectId>,
    /// Its full path.
    pub path: ProjectPath,
    /// Who sees it there.
    pub visibility: Option<Visibility>,
}

impl Hook {
    /// Reads the body of a webhook.
    ///
    /// # Errors
    /// [`BadAnnouncement`], but never `Unknown`.
    pub fn parse(body: &[u8]) -> Result<Self, BadAnnouncement> {
        let mut object = Object::parse(body)?;
        // Events on groups and members have a name instead of a kind.
        let kind = match object.given("object_kind", Value::any_text)? {
            Some(kind) => kind,
            None => object.required("event_name", Value::any_text)?,
        };
        match kind.as_str() {
            "pipeline" => pipeline(object).map(Self::Pipeline),
            "build" => job(object).map(Self::Job),
            _ => Ok(Self::Other),
        }
    }
}

fn pipeline(mut object: Object) -> Result<PipelineHook, BadAnnouncement> {
    let mut attributes = object.required("object_attributes", Value::object)?;
    let project = project(&mut object)?;
    let id = PipelineId(attributes.required("object_attributes.id", Value::id)?);
    let source = attributes.given("object_attributes.source", |value| value.name(MAX_TEXT_LEN))?;
    let ref_name = attributes.required("object_attributes.ref", |value| value.name(MAX_REF_LEN))?;
    let change = PipelineChange {
        ref_name: Some(match merge_request(&mut object, source.as_deref())? {
            Some(iid) => merge_request_ref(iid),
            None => ref_name,
        }),
        sha: attributes.given("object_attributes.sha", |value| value.name(MAX_TEXT_LEN))?.map(Some),
        tag: attributes.given("object_attributes.tag", Value::boolean)?,
        status: Some(attributes.required("object_attributes.status", pipeline_status)?),
        source,
        parent_pipeline_id: parent(&mut object, &project)?.map(Some),
        details: DetailsChange {
            created_at: attributes.given("object_attributes.created_at", time)?.map(Some),
            finished_at: attributes.given("object_attributes.finished_at", time)?.map(Some),
            commit: pipeline_commit(&mut object)?.map(Some),
            user: user(&mut object, "user")?.map(Some),
            ..DetailsChange::default()
        },
    };
    let builds = object.given("builds", Value::list)?.unwrap_or_default();
    let jobs = builds.into_iter().map(|build| {
        let build = build.object().ok_or(BadAnnouncement::Invalid { name: "builds" })?;
        pipeline_job(build, id)
    });
    let jobs = jobs.collect::<Result<_, _>>()?;
    Ok(PipelineHook { project, id, change, jobs })
}

fn pipeline_job(
    mut build: Object,
    pipeline: PipelineId,
) -> Result<(JobId, JobChange), BadAnnouncement> {
    let id = JobId(build.required("builds.id", Value::id)?);
    let status = build.required("builds.status", job_status)?;
    let reason = build.given("builds.failure_reason", |value| value.name(MAX_TEXT_LEN))?;
    let change = JobChange {
        pipeline_id: Some(pipeline),
        name: Some(build.required("builds.name", |value| value.name(MAX_TEXT_LEN))?),
        stage: build.given("builds.stage", |value| value.name(MAX_TEXT_LEN))?,
        status: Some(status),
        allow_failure: build.given("builds.allow_failure", Value::boolean)?,
        runner: runner(&mut build, "builds.runner")?.map(Some),
        details: DetailsChange {
            created_at: build.given("builds.created_at", time)?.map(Some),
            started_at: build.given("builds.started_at", time)?.map(Some),
            finished_at: build.given("builds.finished_at", time)?.map(Some),
            failure_reason: reason_of(status, reason),
            user: user(&mut build, "builds.user")?.map(Some),
            ..DetailsChange::default()
        },
        ..JobChange::default()
    };
    Ok((id, change))
}

fn job(mut object: Object) -> Result<JobHook, BadAnnouncement> {
    let project = project(&mut object)?;
    let pipeline_id = PipelineId(object.required("pipeline_id", Value::id)?);
    let id = JobId(object.required("build_id", Value::id)?);
    let status = object.required("build_status", job_status)?;
    let reason = object.given("build_failure_reason", |value| value.name(MAX_TEXT_LEN))?;
    let sha = object.given("sha", |value| value.name(MAX_TEXT_LEN))?;
    let parent = parent(&mut object, &project)?;
    let ref_name = object.required("ref", |value| value.name(MAX_REF_LEN))?;
    let (commit, status_of_pipeline) = job_commit(&mut object)?;
    let change = JobChange {
        pipeline_id: Some(pipeline_id),
        name: Some(object.required("build_name", |value| value.name(MAX_TEXT_LEN))?),
        stage: object.given("build_stage", |value| value.name(MAX_TEXT_LEN))?,
        status: Some(status),
        allow_failure: object.given("build_allow_failure", Value::boolean)?,
        runner: runner(&mut object, "runner")?.map(Some),
        details: DetailsChange {
            created_at: object.given("build_created_at", time)?.map(Some),
            started_at: object.given("build_started_at", time)?.map(Some),
            finished_at: object.given("build_finished_at", time)?.map(Some),
            failure_reason: reason_of(status, reason),
            commit: commit.map(Some),
            user: user(&mut object, "user")?.map(Some),
            ..DetailsChange::default()
        },
        ..JobChange::default()
    };
    let pipeline = PipelineChange {
        ref_name: Some(match merge_request_iid(&ref_name) {
            Some(iid) => merge_request_ref(iid),
            None => ref_name,
        }),
        sha: sha.map(Some),
        tag: object.given("tag", Value::boolean)?,
        // Where its state is not told, it has at least begun, and is not yet the latest of its ref.
        status: Some(status_of_pipeline.unwrap_or(PipelineStatus::Running)),
        parent_pipeline_id: parent.map(Some),
        ..PipelineChange::default()
    };
    Ok(JobHook { project, pipeline_id, pipeline, id, change })
}

fn project(object: &mut Object) -> Result<HookProject, BadAnnouncement> {
    // Job events have told of the project itself only since GitLab 17; of its repository always.
    let mut project = object.given("project", Value::object)?.unwrap_or_default();
    let mut repository = object.given("repository", Value::object)?.unwrap_or_default();
    let id = match project.given("project.id", Value::id)? {
        Some(id) => Some(id),
        None => object.given("project_id", Value::id)?,
    };
    let visibility = match project.given("project.visibility_level", visibility)? {
        Some(visibility) => Some(visibility),
        None => repository.given("repository.visibility_level", visibility)?,
    };
    let path = match project.given("project.path_with_namespace", Value::word)? {
        Some(path) => path,
        None => path_of_urls(&mut project, &mut repository)?
            .ok_or(BadAnnouncement::Missing { name: "project" })?,
    };
    Ok(HookProject { id: id.map(ProjectId), path, visibility })
}

/// The path of a project out of the addresses that it has.
///
/// The path of its page may begin with a folder that the whole of GitLab lies in; that of its
/// repository over SSH does not, but the repository may have another name. So that of the
/// repository is taken where that of the page ends with it, and else the page's.
fn path_of_urls(
    project: &mut Object,
    repository: &mut Object,
) -> Result<Option<ProjectPath>, BadAnnouncement> {
    let page = match project.given("project.web_url", Value::any_text)? {
        Some(url) => Some(url),
        None => repository.given("repository.homepage", Value::any_text)?,
    };
    let ssh = match project.given("project.git_ssh_url", Value::any_text)? {
        Some(url) => Some(url),
        None => repository.given("repository.git_ssh_url", Value::any_text)?,
    };
    let Some(page) = page.as_deref().and_then(url_path) else { return Ok(None) };
    let in_ssh = ssh.as_deref().and_then(ssh_path);
    let path = match &in_ssh {
        Some(path) if page.strip_suffix(path).is_some_and(|rest| rest.ends_with('/')) => path,
        Some(_) | None => &page,
    };
    Ok(path.parse().ok())
}

/// `group/app` of `https://host:8080/group/app`.
fn url_path(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    uri.scheme().is_some().then(|| uri.path().trim_matches('/').to_owned())
}

/// `group/app` of `git@host:group/app.git` and of `ssh://git@host:2222/group/app.git`.
fn ssh_path(url: &str) -> Option<String> {
    let path = if url.starts_with("ssh://") {
        url_path(url)?
    } else {
        url.split_once(':')?.1.trim_start_matches('/').to_owned()
    };
    path.strip_suffix(".git").map(str::to_owned)
}

/// The pipeline that this one is a child of. A pipeline that another project's started is nobody's
/// child.
fn parent(
    object: &mut Object,
    project: &HookProject,
) -> Result<Option<PipelineId>, BadAnnouncement> {
    let Some(mut source) = object.given("source_pipeline", Value::object)? else {
        return Ok(None);
    };
    let mut upstream = source.given("source_pipeline.project", Value::object)?.unwrap_or_default();
    let id = upstream.given("source_pipeline.project.id", Value::id)?.map(ProjectId);
    let path = upstream.given("source_pipeline.project.path_with_namespace", Value::any_text)?;
    let is_same = match (id, project.id) {
        (Some(id), Some(own)) => id == own,
        (None, _) | (_, None) => path.as_deref() == Some(project.path.as_str()),
    };
    let pipeline = source.given("source_pipeline.pipeline_id", Value::id)?;
    Ok(pipeline.filter(|_| is_same).map(PipelineId))
}

/// The refs of merge requests: what GitLab keeps for their pipelines, and no branch.
const MERGE_REQUEST_REFS: &str = "refs/merge-requests/";

/// The number of the merge request that a pipeline was made for. Pipeline events call the ref of
/// such a pipeline by the name of the branch; taken as it is, the pipeline would be a branch's.
fn merge_request(
    object: &mut Object,
    source: Option<&str>,
) -> Result<Option<i64>, BadAnnouncement> {
    if source != Some("merge_request_event") {
        return Ok(None);
    }
    let mut request = object.given("merge_request", Value::object)?.unwrap_or_default();
    request.given("merge_request.iid", Value::id)
}

/// One name for a merge request's refs, which are `head`, `merge` and `train`: job events tell
/// which it is, and pipeline events do not.
fn merge_request_ref(iid: i64) -> Box<str> {
    format!("{MERGE_REQUEST_REFS}{iid}/head").into()
}

/// The number of the merge request that a ref is of.
fn merge_request_iid(ref_name: &str) -> Option<i64> {
    let rest = ref_name.strip_prefix(MERGE_REQUEST_REFS)?;
    let (iid, _) = rest.split_once('/').unwrap_or((rest, ""));
    iid.parse().ok()
}

fn pipeline_commit(object: &mut Object) -> Result<Option<Json>, BadAnnouncement> {
    let Some(mut commit) = object.given("commit", Value::object)? else { return Ok(None) };
    let mut author = commit.given("commit.author", Value::object)?.unwrap_or_default();
    Ok(Commit {
        id: commit.given("commit.id", Value::any_text)?,
        short_id: None,
        title: commit.given("commit.title", Value::any_text)?,
        message: commit.given("commit.message", Value::any_text)?,
        author_name: author.given("commit.author.name", Value::any_text)?,
        author_email: author.given("commit.author.email", Value::any_text)?,
        created_at: commit.given("commit.timestamp", time)?.map(timestamp::text),
    }
    .json())
}

/// In a job event the commit's id and state are those of the pipeline. A state that is not known
/// is left out here, since the event is about the job's.
fn job_commit(
    object: &mut Object,
) -> Result<(Option<Json>, Option<PipelineStatus>), BadAnnouncement> {
    let Some(mut commit) = object.given("commit", Value::object)? else { return Ok((None, None)) };
    let status = commit.given("commit.status", Value::any_text)?;
    let json = Commit {
        id: commit.given("commit.sha", Value::any_text)?,
        message: commit.given("commit.message", Value::any_text)?,
        author_name: commit.given("commit.author_name", Value::any_text)?,
        author_email: commit.given("commit.author_email", Value::any_text)?,
        ..Commit::default()
    }
    .json();
    Ok((json, status.and_then(|status| pipeline_status(Value::Text(status)))))
}

/// Who started it, without the address: that is told to whoever GitLab trusts with webhooks, not
/// to everyone who may ask for a job.
fn user(object: &mut Object, name: &'static str) -> Result<Option<Json>, BadAnnouncement> {
    let Some(mut user) = object.given(name, Value::object)? else { return Ok(None) };
    drop(user.given("email", Some)?);
    Ok(kept(&user))
}

fn runner(object: &mut Object, name: &'static str) -> Result<Option<Json>, BadAnnouncement> {
    Ok(object.given(name, Value::object)?.as_ref().and_then(kept))
}

/// What is too large or too deep to be kept is no reason to miss the event.
fn kept(object: &Object) -> Option<Json> {
    if object.is_shallow() { object.json() } else { None }
}

/// Job events name a reason for jobs that have not failed too, `unknown_failure`.
fn reason_of(status: JobStatus, reason: Option<Box<str>>) -> Option<Option<Box<str>>> {
    reason.filter(|_| status == JobStatus::Failed).map(Some)
}

fn visibility(value: Value) -> Option<Visibility> {
    match value.integer()? {
        0 => Some(Visibility::Private),
        10 => Some(Visibility::Internal),
        20 => Some(Visibility::Public),
        _ => None,
    }
}

fn pipeline_status(value: Value) -> Option<PipelineStatus> {
    known_status(&value.any_text()?).parse().ok()
}

fn job_status(value: Value) -> Option<JobStatus> {
    known_status(&value.any_text()?).parse().ok()
}

/// GitLab's states that there is no word of ours for, as the nearest of ours. What waits is not
/// over, and what is being stopped still runs.
fn known_status(status: &str) -> &str {
    match status {
        "preparing" | "waiting_for_resource" | "waiting_for_callback" => "pending",
        "scheduled" => "created",
        "canceling" => "running",
        other => other,
    }
}

/// GitLab writes `2016-08-12 15:23:28 UTC`, `2016-08-12 17:23:28 +0200` and ISO 8601.
fn time(value: Value) -> Option<UtcMillis> {
    let text = value.any_text()?;
    let (before, zone) = match text.rsplit_once(' ') {
        Some((before, "UTC")) => (before, "Z"),
        Some((before, offset)) if offset.starts_with(['+', '-']) => (before, offset),
        Some(_) | None => (text.as_str(), ""),
    };
    timestamp::parse(&format!("{before}{zone}"))
}

#[cfg(test)]
mod tests;

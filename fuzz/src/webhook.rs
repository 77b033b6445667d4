//! Arbitrary bodies as webhooks and as the bodies of the ingest routes.
//!
//! 1. Nothing panics; what is refused says which field, and what is answered is none of the body.
//! 2. What is accepted is within the catalog's bounds: ids, names, refs, times, JSON that is kept.
//! 3. Written as JSON again it is read as the same change.

use std::fmt::Write as _;

use entryway_server::announcement::{
    BadAnnouncement, Hook, HookProject, JobHook, PipelineHook, ingest,
};
use entryway_server::catalog::{
    DetailsChange, JobChange, JobStatus, Json, MAX_ID, PipelineChange, PipelineStatus,
    ProjectChange, UtcMillis, Visibility,
};
use entryway_server::reply::Failure;
use entryway_server::timestamp;
use serde_json::Value;

use crate::draw::Draw;
use crate::zip_mutator::Bytewise;

/// Longest name of a ref, in bytes.
const REF: usize = 4_096;
/// Longest name of anything else, in bytes.
const NAME: usize = 255;
/// Longest JSON that is kept, in bytes.
const JSON: usize = 16 << 10;

/// Checks one input.
///
/// # Panics
/// Where a promise is broken: a finding.
pub fn check(input: &[u8]) {
    check_hook(input);
    check_read(input, ingest::project, check_project, project_json);
    check_read(input, ingest::pipeline, check_pipeline, pipeline_json);
    check_read(input, ingest::job, check_job, job_json);
}

/// The text of an answer to what is refused: it names fields of ours and nothing of the body.
fn check_refusal(bad: BadAnnouncement) {
    let response = Failure::from(bad).into_response(false);
    assert_eq!(response.status().as_u16(), 400);
    let answer: Value = serde_json::from_slice(response.body()).expect("JSON");
    let text = answer["error"].as_str().expect("an error");
    let is_ours = |c: char| c.is_ascii_lowercase() || " _.,".contains(c);
    assert!(text.chars().all(is_ours), "{text:?}");
}

fn check_read<T: PartialEq + std::fmt::Debug>(
    input: &[u8],
    read: impl Fn(&[u8]) -> Result<T, BadAnnouncement>,
    check: impl Fn(&T),
    write: impl Fn(&T) -> Members,
) {
    match read(input) {
        Ok(change) => {
            check(&change);
            let again = write(&change).to_json();
            assert_eq!(read(again.as_bytes()).as_ref(), Ok(&change), "{again}");
        }
        Err(bad) => {
            assert!(!matches!(bad, BadAnnouncement::Missing { .. }), "nothing is required");
            check_refusal(bad);
        }
    }
}

fn check_hook(input: &[u8]) {
    let hook = match Hook::parse(input) {
        Ok(hook) => hook,
        Err(bad) => {
            assert!(!matches!(bad, BadAnnouncement::Unknown { .. }), "hooks have any field");
            return check_refusal(bad);
        }
    };
    let again = match &hook {
        Hook::Other => return,
        Hook::Pipeline(pipeline) => {
            check_hook_project(&pipeline.project);
            assert!((1..=MAX_ID).contains(&pipeline.id.0));
            assert!(pipeline.change.ref_name.is_some() && pipeline.change.status.is_some());
            check_pipeline(&pipeline.change);
            for (id, job) in &pipeline.jobs {
                assert!((1..=MAX_ID).contains(&id.0));
                assert_eq!(job.pipeline_id, Some(pipeline.id));
                assert!(job.name.is_some() && job.status.is_some());
                check_job(job);
            }
            pipeline_hook_json(pipeline)
        }
        Hook::Job(job) => {
            check_hook_project(&job.project);
            assert!((1..=MAX_ID).contains(&job.id.0));
            assert_eq!(job.change.pipeline_id, Some(job.pipeline_id));
            assert!(job.change.name.is_some() && job.change.status.is_some());
            assert!(job.pipeline.ref_name.is_some() && job.pipeline.status.is_some());
            check_pipeline(&job.pipeline);
            check_job(&job.change);
            if job.pipeline.ref_name.as_ref().is_some_and(|name| name.len() > REF) {
                return;
            }
            job_hook_json(job)
        }
    };
    let again = again.to_json();
    assert_eq!(Hook::parse(again.as_bytes()), Ok(hook), "{again}");
}

fn check_hook_project(project: &HookProject) {
    assert!(project.id.is_none_or(|id| (1..=MAX_ID).contains(&id.0)));
    check_path(project.path.as_str());
}

fn check_path(path: &str) {
    assert!(path.len() <= NAME && path.contains('/'), "{path:?}");
    assert!(path.split('/').all(|segment| !matches!(segment, "" | "." | "..")), "{path:?}");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    assert!(path.chars().all(is_plain), "{path:?}");
}

fn check_name(name: &str, most: usize) {
    assert!(!name.is_empty() && name.len() <= most, "{name:?}");
    assert!(!name.chars().any(char::is_control), "{name:?}");
}

fn check_project(change: &ProjectChange) {
    for path in change.job_token_allowlist.iter().flatten() {
        check_path(path.as_str());
    }
}

fn check_pipeline(change: &PipelineChange) {
    // The ref of a merge request is made longer than it was sent.
    change.ref_name.iter().for_each(|name| check_name(name, REF + 64));
    change.sha.iter().flatten().for_each(|name| check_name(name, NAME));
    change.source.iter().for_each(|name| check_name(name, NAME));
    for id in change.parent_pipeline_id.iter().flatten() {
        assert!((1..=MAX_ID).contains(&id.0));
    }
    check_details(&change.details);
}

fn check_job(change: &JobChange) {
    assert!(change.pipeline_id.is_none_or(|id| (1..=MAX_ID).contains(&id.0)));
    change.name.iter().for_each(|name| check_name(name, NAME));
    change.stage.iter().for_each(|name| check_name(name, NAME));
    change.runner.iter().flatten().for_each(check_kept);
    check_details(&change.details);
}

fn check_details(details: &DetailsChange) {
    let times = [&details.created_at, &details.started_at, &details.finished_at];
    for UtcMillis(time) in times.into_iter().copied().flatten().flatten() {
        assert!(time >= 0);
    }
    let coverage = details.coverage.flatten();
    assert!(coverage.is_none_or(|percent| (0.0..=100.0).contains(&percent)));
    details.failure_reason.iter().flatten().for_each(|name| check_name(name, NAME));
    details.commit.iter().flatten().for_each(check_kept);
    details.user.iter().flatten().for_each(check_kept);
}

fn check_kept(Json(json): &Json) {
    assert!(json.len() <= JSON);
    let value: Value = serde_json::from_str(json).expect("JSON that is kept is JSON");
    assert!(value.is_object());
}

/// An object being written: names and the JSON of values, in order.
#[derive(Default)]
struct Members(Vec<(&'static str, String)>);

impl Members {
    fn text(&mut self, name: &'static str, value: Option<&str>) {
        self.raw(name, value.map(|value| Value::from(value).to_string()));
    }

    fn raw(&mut self, name: &'static str, value: Option<String>) {
        self.0.extend(value.map(|value| (name, value)));
    }

    /// A field that may be null.
    fn nullable<T>(
        &mut self,
        name: &'static str,
        value: &Option<Option<T>>,
        json: impl Fn(&T) -> String,
    ) {
        let written = value.as_ref().map(|value| value.as_ref().map_or("null".into(), json));
        self.raw(name, written);
    }

    fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (number, (name, value)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(json, "{comma}\"{name}\":{value}").expect("into a text");
        }
        json + "}"
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn time(time: &UtcMillis) -> String {
    quoted(&timestamp::text(*time))
}

fn project_json(change: &ProjectChange) -> Members {
    let mut members = Members::default();
    members.text("visibility", change.visibility.map(Visibility::as_str));
    members.raw("public_pipelines", change.public_pipelines.map(|value| value.to_string()));
    members.raw(
        "job_token_allowlist",
        change.job_token_allowlist.as_ref().map(|paths| {
            let paths: Vec<String> = paths.iter().map(|path| quoted(path.as_str())).collect();
            format!("[{}]", paths.join(","))
        }),
    );
    members
}

fn details_json(members: &mut Members, details: &DetailsChange) {
    members.nullable("created_at", &details.created_at, time);
    members.nullable("started_at", &details.started_at, time);
    members.nullable("finished_at", &details.finished_at, time);
    members.nullable("coverage", &details.coverage, |percent| Value::from(*percent).to_string());
    members.nullable("failure_reason", &details.failure_reason, |reason| quoted(reason));
    members.nullable("commit", &details.commit, |Json(json)| json.to_string());
    members.nullable("user", &details.user, |Json(json)| json.to_string());
}

fn pipeline_json(change: &PipelineChange) -> Members {
    let mut members = Members::default();
    members.text("ref", change.ref_name.as_deref());
    members.nullable("sha", &change.sha, |sha| quoted(sha));
    members.raw("tag", change.tag.map(|tag| tag.to_string()));
    members.text("status", change.status.map(|status| status.as_str()));
    members.text("source", change.source.as_deref());
    members.nullable("parent_pipeline_id", &change.parent_pipeline_id, |id| id.to_string());
    details_json(&mut members, &change.details);
    members
}

fn job_json(change: &JobChange) -> Members {
    let mut members = Members::default();
    members.raw("pipeline_id", change.pipeline_id.map(|id| id.to_string()));
    members.text("name", change.name.as_deref());
    members.text("stage", change.stage.as_deref());
    members.text("status", change.status.map(|status| status.as_str()));
    members.raw("retried", change.retried.map(|value| value.to_string()));
    members.raw("allow_failure", change.allow_failure.map(|value| value.to_string()));
    members.text("artifacts_access", change.artifacts_access.map(|access| access.as_str()));
    members.raw("locked", change.locked.map(|value| value.to_string()));
    details_json(&mut members, &change.details);
    members
}

fn hook_project_json(project: &HookProject) -> String {
    let mut members = Members::default();
    members.raw("id", project.id.map(|id| id.to_string()));
    members.text("path_with_namespace", Some(project.path.as_str()));
    let level = project.visibility.map(|visibility| match visibility {
        Visibility::Private => 0,
        Visibility::Internal => 10,
        Visibility::Public => 20,
    });
    members.raw("visibility_level", level.map(|level| level.to_string()));
    members.to_json()
}

/// The pipeline that a pipeline of the same project has for its parent.
fn source_pipeline_json(change: &PipelineChange, project: &HookProject) -> Option<String> {
    let parent = change.parent_pipeline_id.flatten()?;
    let project = hook_project_json(project);
    Some(format!("{{\"project\":{project},\"pipeline_id\":{parent}}}"))
}

/// A commit as a webhook has it, which calls its members otherwise.
fn commit_json(commit: &Option<Option<Json>>, is_of_job: bool) -> Members {
    let mut members = Members::default();
    let Some(Some(Json(json))) = commit else { return members };
    let kept: Value = serde_json::from_str(json).expect("JSON that is kept is JSON");
    let text = |name: &str| kept[name].as_str();
    members.text(if is_of_job { "sha" } else { "id" }, text("id"));
    members.text("message", text("message"));
    if is_of_job {
        members.text("author_name", text("author_name"));
        members.text("author_email", text("author_email"));
    } else {
        members.text("title", text("title"));
        members.text("timestamp", text("created_at"));
        let mut author = Members::default();
        author.text("name", text("author_name"));
        author.text("email", text("author_email"));
        members.raw("author", Some(author.to_json()));
    }
    members
}

const MERGE_REQUESTS: &str = "refs/merge-requests/";

fn pipeline_hook_json(hook: &PipelineHook) -> Members {
    let PipelineHook { project, id, change, jobs } = hook;
    let ref_name = change.ref_name.as_deref();
    let merge_request = ref_name
        .filter(|_| change.source.as_deref() == Some("merge_request_event"))
        .and_then(|name| name.strip_prefix(MERGE_REQUESTS)?.strip_suffix("/head"))
        .filter(|iid| {
            let number = iid.parse().ok().filter(|number| (1..=MAX_ID).contains(number));
            number.is_some_and(|number: i64| number.to_string() == *iid)
        });
    let mut attributes = Members::default();
    attributes.raw("id", Some(id.to_string()));
    attributes.text("ref", ref_name);
    attributes.text("source", change.source.as_deref());
    attributes.text("sha", change.sha.iter().flatten().next().map(|sha| &**sha));
    attributes.raw("tag", change.tag.map(|tag| tag.to_string()));
    attributes.text("status", change.status.map(|status| status.as_str()));
    attributes.nullable("created_at", &change.details.created_at, time);
    attributes.nullable("finished_at", &change.details.finished_at, time);
    let mut members = Members::default();
    members.text("object_kind", Some("pipeline"));
    members.raw("merge_request", merge_request.map(|iid| format!("{{\"iid\":{iid}}}")));
    members.raw("object_attributes", Some(attributes.to_json()));
    members.raw("project", Some(hook_project_json(project)));
    members.raw("source_pipeline", source_pipeline_json(change, project));
    let commit = change.details.commit.as_ref();
    members.raw("commit", commit.map(|_| commit_json(&change.details.commit, false).to_json()));
    members.nullable("user", &change.details.user, |Json(json)| json.to_string());
    let builds: Vec<String> = jobs
        .iter()
        .map(|(id, job)| {
            let mut build = Members::default();
            build.raw("id", Some(id.to_string()));
            hook_job_json(&mut build, job, "");
            build.nullable("user", &job.details.user, |Json(json)| json.to_string());
            build.to_json()
        })
        .collect();
    members.raw("builds", Some(format!("[{}]", builds.join(","))));
    members
}

/// What both kinds of event tell of a job, under names that begin alike.
fn hook_job_json(members: &mut Members, job: &JobChange, prefix: &'static str) {
    let name = |plain: &'static str, prefixed: &'static str| {
        if prefix.is_empty() { plain } else { prefixed }
    };
    members.text(name("name", "build_name"), job.name.as_deref());
    members.text(name("stage", "build_stage"), job.stage.as_deref());
    members.text(name("status", "build_status"), job.status.map(JobStatus::as_str));
    let reason = job.details.failure_reason.iter().flatten().next().map(|reason| &**reason);
    members.text(name("failure_reason", "build_failure_reason"), reason);
    let allow_failure = job.allow_failure.map(|value| value.to_string());
    members.raw(name("allow_failure", "build_allow_failure"), allow_failure);
    members.nullable(name("created_at", "build_created_at"), &job.details.created_at, time);
    members.nullable(name("started_at", "build_started_at"), &job.details.started_at, time);
    members.nullable(name("finished_at", "build_finished_at"), &job.details.finished_at, time);
    members.nullable("runner", &job.runner, |Json(json)| json.to_string());
}

fn job_hook_json(hook: &JobHook) -> Members {
    let JobHook { project, pipeline_id, pipeline, id, change } = hook;
    let mut members = Members::default();
    members.text("object_kind", Some("build"));
    members.raw("build_id", Some(id.to_string()));
    members.raw("pipeline_id", Some(pipeline_id.to_string()));
    members.text("ref", pipeline.ref_name.as_deref());
    members.text("sha", pipeline.sha.iter().flatten().next().map(|sha| &**sha));
    members.raw("tag", pipeline.tag.map(|tag| tag.to_string()));
    members.raw("project", Some(hook_project_json(project)));
    members.raw("source_pipeline", source_pipeline_json(pipeline, project));
    hook_job_json(&mut members, change, "build_");
    members.nullable("user", &change.details.user, |Json(json)| json.to_string());
    // Without a commit the pipeline's state is taken for this one.
    let status = pipeline.status.filter(|status| *status != PipelineStatus::Running);
    if change.details.commit.is_some() || status.is_some() {
        let mut commit = commit_json(&change.details.commit, true);
        if change.details.commit.is_none() {
            // One that is too long to be kept tells the state alone.
            commit.text("message", Some(&"x".repeat(JSON)));
        }
        commit.text("status", status.map(|status| status.as_str()));
        members.raw("commit", Some(commit.to_json()));
    }
    members
}

/// Values that a field of some type can have, and those next to them.
const VALUES: [&str; 24] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "1.5",
    "100",
    "9007199254740991",
    "9007199254740992",
    "1e309",
    "\"\"",
    "\"main\"",
    "\"success\"",
    "\"failed\"",
    "\"canceling\"",
    "\"a/b\"",
    "\"a\\u0000b\"",
    "\"2026-01-02 03:04:05 UTC\"",
    "\"2026-01-02T03:04:05.678+01:00\"",
    "\"merge_request_event\"",
    "\"https://host/sub/group/app\"",
    "[]",
    "{}",
];

/// Makes another body out of the first `len` bytes of `data`: a value for a value, or a member left
/// out, twice or elsewhere. Gives its length, at most `max`.
pub fn mutate(data: &mut [u8], len: usize, max: usize, seed: u32, bytewise: Bytewise) -> usize {
    let mut draw = Draw::new(seed.into());
    let parsed = if draw.one_in(3) { None } else { serde_json::from_slice(&data[..len]).ok() };
    let Some(mut value) = parsed else { return bytewise(data, len, max) };
    for _ in 0..draw.within(1, 3) {
        change(&mut value, &mut draw);
    }
    let changed = value.to_string();
    if changed.len() > max {
        return bytewise(data, len, max);
    }
    data[..changed.len()].copy_from_slice(changed.as_bytes());
    changed.len()
}

fn change(value: &mut Value, draw: &mut Draw) {
    let len = match value {
        Value::Object(members) => members.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    if len == 0 || draw.one_in(8) {
        if draw.one_in(8)
            && let Value::String(text) = value
        {
            *text = text.repeat(2 + draw.index(40));
        } else if let Some(number) = value.as_i64()
            && draw.one_in(2)
        {
            // A bound is found by its neighbours: 0 from 1, the largest id from the one before it.
            let step = draw.below(3) as i64 - 1;
            *value = draw.pick(&[number, -number, 0, MAX_ID]).saturating_add(step).into();
        } else {
            *value = serde_json::from_str(draw.pick::<&str>(&VALUES)).unwrap_or(Value::Null);
        }
        return;
    }
    let at = draw.index(len);
    match value {
        Value::Object(members) => {
            let name = members.keys().nth(at).cloned().unwrap_or_default();
            match draw.below(8) {
                0 => drop(members.remove(&name)),
                1 => {
                    // Under the name of another one.
                    let other = members.keys().nth(draw.index(len)).cloned().unwrap_or_default();
                    let moved = members.get(&name).cloned().unwrap_or_default();
                    members.insert(other, moved);
                }
                _ => members.get_mut(&name).into_iter().for_each(|member| change(member, draw)),
            }
        }
        Value::Array(items) => match draw.below(6) {
            0 => drop(items.remove(at)),
            1 => items.push(items[at].clone()),
            _ => change(&mut items[at], draw),
        },
        _ => {}
    }
}

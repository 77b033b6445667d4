//! The table of operations: every path and method but HEAD and OPTIONS, which follow from it.

use serde_json::{Value, json};

use super::ALWAYS;

/// A method of a path.
pub(super) struct Operation {
    /// With `{...}` for parameters.
    pub(super) path: &'static str,
    /// In lower case.
    pub(super) method: &'static str,
    /// Unique in the document: the label of the route, with `_new` where another has it.
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// Names of the components; those that stand in the path are the path's.
    pub(super) parameters: Vec<&'static str>,
    /// Names of the components, each of which will do; an empty one is an anonymous request.
    pub(super) security: &'static [&'static str],
    pub(super) body: Option<Value>,
    /// Statuses with the names of their components.
    pub(super) successes: &'static [(u16, &'static str)],
    /// Statuses beside [`ALWAYS`].
    fails_with: Vec<u16>,
}

impl Operation {
    /// Every status of a failure, in ascending order.
    pub(super) fn failures(&self) -> impl Iterator<Item = u16> {
        let mut statuses = [&ALWAYS[..], &self.fails_with].concat();
        statuses.sort_unstable();
        statuses.into_iter()
    }
}

/// Who reads: anonymous callers too.
const READER: &[&str] =
    &["", "privateToken", "privateTokenParameter", "bearer", "jobToken", "jobTokenParameter"];
/// Who changes something.
const MEMBER: &[&str] = &["privateToken", "privateTokenParameter", "bearer"];
/// A running job, or who hands in for it.
const RUNNER: &[&str] =
    &["jobToken", "jobTokenParameter", "bearer", "privateToken", "privateTokenParameter"];
const JOB: &[&str] = &["jobToken", "jobTokenParameter", "bearer"];

const ARCHIVE: &[(u16, &str)] = &[(200, "Archive"), (206, "ArchivePart"), (304, "NotModified")];
const FILE: &[(u16, &str)] = &[(200, "File"), (206, "FilePart"), (304, "NotModified")];

/// Of whatever lies in a project.
const PROJECT: &[u16] = &[401, 403, 404];
/// Of reading an archive, however little of it.
const STORED: &[u16] = &[410, 502, 504];
/// Of an answer that has preconditions, codings and ranges.
const REPRESENTATION: &[u16] = &[406, 412, 416];
/// Of writing to the catalog.
const WRITTEN: &[u16] = &[507];
/// Of a request whose body is read.
const BODY: &[u16] = &[408, 413, 415];

const BY_REF: &[&str] = &["id", "ref_name", "job", "search_recent_successful_pipelines"];
const BY_JOB: &[&str] = &["id", "job_id"];
const PAGE: &[&str] = &["path", "recursive", "page", "per_page"];
const SELECTION: &[&str] = &["selection"];
const CONDITIONS: &[&str] = &[
    "Range",
    "If-Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "Accept-Encoding",
];

fn get(path: &'static str, id: &'static str, tag: &'static str) -> Operation {
    Operation {
        path,
        method: "get",
        id,
        tag,
        summary: "",
        parameters: Vec::new(),
        security: READER,
        body: None,
        successes: &[],
        fails_with: Vec::new(),
    }
}

fn json_body(schema: &str) -> Option<Value> {
    let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
    Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }))
}

pub(super) fn operations() -> Vec<Operation> {
    let mut operations = reads();
    operations.extend(changes());
    operations.extend(runner());
    operations.extend(ingest());
    operations.extend(server());
    operations
}

/// A to E2.
fn reads() -> Vec<Operation> {
    let archive = [PROJECT, STORED, REPRESENTATION, &[422]].concat();
    let tree = [PROJECT, STORED, &[422]].concat();
    let operation = |path, id| get(path, id, "artifacts");
    vec![
        Operation {
            summary: "The archive of a job, or with path[] a part of it.",
            parameters: [BY_JOB, SELECTION, CONDITIONS].concat(),
            successes: ARCHIVE,
            fails_with: archive.clone(),
            ..operation("/api/v4/projects/{id}/jobs/{job_id}/artifacts", "job_archive")
        },
        Operation {
            summary: "The archive of the latest job of a name on a ref.",
            parameters: [BY_REF, SELECTION, CONDITIONS].concat(),
            successes: ARCHIVE,
            fails_with: archive.clone(),
            ..operation(
                "/api/v4/projects/{id}/jobs/artifacts/{ref_name}/download",
                "latest_archive",
            )
        },
        Operation {
            summary: "One file out of the archive of a job.",
            parameters: [BY_JOB, &["artifact_path"], CONDITIONS].concat(),
            successes: FILE,
            fails_with: archive.clone(),
            ..operation("/api/v4/projects/{id}/jobs/{job_id}/artifacts/{artifact_path}", "job_file")
        },
        Operation {
            summary: "One file out of the archive of the latest job of a name on a ref.",
            parameters: [BY_REF, &["artifact_path"], CONDITIONS].concat(),
            successes: FILE,
            fails_with: archive,
            ..operation(
                "/api/v4/projects/{id}/jobs/artifacts/{ref_name}/raw/{artifact_path}",
                "latest_file",
            )
        },
        Operation {
            summary: "What lies in a folder of the archive of a job; raw=true asks for a file named tree.",
            parameters: [BY_JOB, PAGE].concat(),
            successes: &[(200, "Tree")],
            fails_with: tree.clone(),
            ..operation("/api/v4/projects/{id}/jobs/{job_id}/artifacts/tree", "job_tree")
        },
        Operation {
            summary: "What lies in a folder of the archive of the latest job of a name on a ref.",
            parameters: [BY_REF, PAGE].concat(),
            successes: &[(200, "Tree")],
            fails_with: tree,
            ..operation("/api/v4/projects/{id}/jobs/artifacts/{ref_name}/tree", "latest_tree")
        },
    ]
}

/// F to H.
fn changes() -> Vec<Operation> {
    let operation = |path, id| Operation { security: MEMBER, ..get(path, id, "artifacts") };
    vec![
        Operation {
            method: "post",
            summary: "The artifacts of a job do not expire any more.",
            parameters: BY_JOB.to_vec(),
            successes: &[(200, "Job")],
            fails_with: [PROJECT, WRITTEN].concat(),
            ..operation("/api/v4/projects/{id}/jobs/{job_id}/artifacts/keep", "keep")
        },
        Operation {
            method: "delete",
            summary: "The artifacts of a job go.",
            parameters: BY_JOB.to_vec(),
            successes: &[(204, "Deleted")],
            fails_with: [PROJECT, &[409], WRITTEN].concat(),
            ..operation("/api/v4/projects/{id}/jobs/{job_id}/artifacts", "delete_job_artifacts")
        },
        Operation {
            method: "delete",
            summary: "The artifacts of a project go, but those of the latest successful pipelines \
                      and of locked jobs.",
            parameters: vec!["id"],
            successes: &[(202, "Accepted")],
            fails_with: [PROJECT, &[409], WRITTEN].concat(),
            ..operation("/api/v4/projects/{id}/artifacts", "delete_project_artifacts")
        },
    ]
}

/// U and R.
fn runner() -> Vec<Operation> {
    let operation = |id| get("/api/v4/jobs/{job_id}/artifacts", id, "runner");
    let schema = json!({ "$ref": "#/components/schemas/Upload" });
    let form =
        json!({ "required": true, "content": { "multipart/form-data": { "schema": schema } } });
    vec![
        Operation {
            summary: "A job downloads the archive of a job that it depends on.",
            parameters: [&["job_id", "direct_download"], CONDITIONS].concat(),
            security: JOB,
            successes: ARCHIVE,
            fails_with: [PROJECT, STORED, REPRESENTATION].concat(),
            ..operation("runner_download")
        },
        Operation {
            method: "post",
            summary: "A job hands in its archive or a report.",
            parameters: vec!["job_id", "expire_in", "artifact_type", "artifact_format"],
            security: RUNNER,
            body: Some(form),
            successes: &[(201, "Created")],
            fails_with: [PROJECT, BODY, &[409, 502, 504], WRITTEN].concat(),
            ..operation("upload")
        },
    ]
}

/// What is announced.
fn ingest() -> Vec<Operation> {
    let fails_with = [PROJECT, BODY, &[409], WRITTEN].concat();
    let operation = |path, id| Operation {
        security: MEMBER,
        fails_with: fails_with.clone(),
        ..get(path, id, "ingest")
    };
    vec![
        Operation {
            method: "put",
            summary: "Makes a project known, or changes it.",
            parameters: vec!["project_path", "If-None-Match"],
            body: json_body("Project"),
            successes: &[(200, "ProjectAnswer")],
            fails_with: [&fails_with[..], &[412]].concat(),
            ..operation("/ingest/v1/projects/{project_path}", "ingest_project")
        },
        Operation {
            method: "put",
            summary: "Makes a pipeline known, or changes it.",
            parameters: vec!["id", "pipeline_id", "If-None-Match"],
            body: json_body("Pipeline"),
            successes: &[(200, "PipelineAnswer")],
            fails_with: [&fails_with[..], &[412]].concat(),
            ..operation("/ingest/v1/projects/{id}/pipelines/{pipeline_id}", "ingest_pipeline")
        },
        Operation {
            method: "post",
            summary: "Makes a pipeline known and gives it a number.",
            parameters: vec!["id", "If-None-Match"],
            body: json_body("Pipeline"),
            successes: &[(201, "PipelineAnswer")],
            fails_with: [&fails_with[..], &[412]].concat(),
            ..operation("/ingest/v1/projects/{id}/pipelines", "ingest_pipeline_new")
        },
        Operation {
            method: "put",
            summary: "Makes a job known, or changes it.",
            parameters: BY_JOB.to_vec(),
            body: json_body("IngestedJob"),
            successes: &[(200, "JobAnswer")],
            ..operation("/ingest/v1/projects/{id}/jobs/{job_id}", "ingest_job")
        },
        Operation {
            method: "post",
            summary: "Makes a job known and gives it a number.",
            parameters: vec!["id"],
            body: json_body("IngestedJob"),
            successes: &[(201, "JobAnswer")],
            ..operation("/ingest/v1/projects/{id}/jobs", "ingest_job_new")
        },
        Operation {
            method: "post",
            summary: "GitLab's pipeline and job events.",
            security: &["gitlabToken"],
            body: json_body("Hook"),
            successes: &[(200, "Message")],
            ..operation("/hooks/gitlab", "hook")
        },
    ]
}

/// The server itself.
fn server() -> Vec<Operation> {
    let operation = |path, id| Operation { security: &[], ..get(path, id, "server") };
    vec![
        Operation {
            summary: "Who a token is.",
            security: MEMBER,
            successes: &[(200, "User")],
            fails_with: vec![401, 403],
            ..operation("/api/v4/user", "user")
        },
        Operation {
            summary: "The process is alive.",
            successes: &[(200, "Line")],
            ..operation("/-/health", "health")
        },
        Operation {
            summary: "Requests can be answered.",
            successes: &[(200, "Line")],
            ..operation("/-/ready", "ready")
        },
        Operation {
            summary: "Counters for Prometheus.",
            successes: &[(200, "Metrics")],
            ..operation("/-/metrics", "metrics")
        },
        Operation {
            summary: "This description.",
            successes: &[(200, "OpenApi")],
            ..operation("/-/openapi.json", "openapi")
        },
    ]
}

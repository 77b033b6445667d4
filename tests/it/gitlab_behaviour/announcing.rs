//! How projects, pipelines and jobs get in: the ingest routes and GitLab's webhooks (api.md section
//! 6).

use serde_json::{Value, json};

use super::row::{By, Row, get, post, put};
use super::world::{AT_ONCE, Handing, World};

pub(super) async fn prepare(world: &mut World) {
    let running = json!({"name": "runs", "status": "running"});
    world.job("runs", "acme/private", "private main", running, Handing::Nothing).await;
    let expired = json!({"name": "expired"});
    world.job("expired", "acme/private", "private main", expired, Handing::Expiring(AT_ONCE)).await;
    world.pipeline("turning", "acme/private", json!({"ref": "turn", "status": "success"})).await;
    world.job("turns", "acme/private", "turning", json!({}), Handing::Archive).await;
    world
        .pipeline("alone", "acme/private", json!({"ref": "turn-child", "status": "success"}))
        .await;
    world
        .job("alone job", "acme/private", "alone", json!({"name": "child"}), Handing::Archive)
        .await;
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = may_rows();
    rows.extend(project_rows());
    rows.extend(pipeline_rows());
    rows.extend(job_rows());
    rows.extend(turning_rows());
    rows.extend(hook_rows());
    rows.extend(late_hook_rows());
    rows.extend(refused_hook_rows());
    rows
}

const NEW: &str = "/ingest/v1/projects/acme%2Fnew";
const WHO: &str = "projects/acme%2Fnew/jobs/50010/artifacts/who.txt";
const BY_REF: &str = "projects/acme%2Fnew/jobs/artifacts/main/raw/who.txt?job=build";

#[rustfmt::skip]
fn may_rows() -> Vec<Row> {
    let project = |name, path: &str| {
        put(name, format!("/ingest/v1/projects/{path}")).json(&json!({"visibility": "public"}))
    };
    let private = "projects/acme%2Fprivate/jobs/{private}/artifacts";
    vec![
        project("announcing needs a token", "acme%2Fprivate").unauthorized()
            .then_by(By::Nobody, private, 404),
        project("announcing with a bad token is refused", "acme%2Fprivate").of("unknown")
            .unauthorized().then_by(By::Nobody, private, 404),
        project("announcing with a revoked token is refused", "acme%2Fprivate").of("revoked")
            .unauthorized(),
        project("an owner without the scope announces nothing", "acme%2Fprivate").of("owner")
            .insufficient_scope().then_by(By::Nobody, private, 404),
        project("a developer with the scope announces nothing", "acme%2Fprivate")
            .of("ingest developer").forbidden().then_by(By::Nobody, private, 404),
        project("a job announces nothing", "acme%2Fprivate").by(By::Job("job runs")).forbidden()
            .then_by(By::Nobody, private, 404),
        project("a token of another group does not see a private project", "acme%2Fprivate")
            .of("ingest stranger").no_project(),
        project("a token of another group announces nothing of a public project", "acme%2Fpublic")
            .of("ingest stranger").forbidden(),
        project("acme is not acmecorp", "acmecorp%2Fx").of("ingest").no_project(),
        project("a token of a project announces no other", "acme%2Fnew").of("ingest of a project")
            .no_project().then("projects/acme%2Fnew/jobs/1/artifacts", 404),
        post("a pipeline of a project that does not exist is not announced",
             "/ingest/v1/projects/acme%2Fnone/pipelines").of("ingest")
            .json(&json!({"ref": "main", "status": "running"})).no_project(),
        post("a job of a project that does not exist is not announced",
             "/ingest/v1/projects/acme%2Fnone/jobs").of("ingest")
            .json(&json!({"pipeline_id": 1, "name": "build", "status": "running"})).no_project(),
    ]
}

#[rustfmt::skip]
fn project_rows() -> Vec<Row> {
    let new = |name, body: Value| put(name, NEW).of("ingest").json(&body);
    vec![
        new("a project is announced", json!({"visibility": "public", "public_pipelines": true,
                                             "job_token_allowlist": []}))
            .member("/path", "acme/new"),
        new("a project is announced again without a change", json!({})).member("/path", "acme/new"),
        new("an unknown field of a project is refused", json!({"visibilty": "private"}))
            .is(400).member_begins("/error", ""),
        new("a visibility that is none is refused", json!({"visibility": "secret"}))
            .error(400, "visibility is invalid"),
        new("public_pipelines is true or false", json!({"public_pipelines": "yes"}))
            .error(400, "public_pipelines is invalid"),
        new("an allowlist is of projects", json!({"job_token_allowlist": ["acme"]}))
            .error(400, "job_token_allowlist is invalid"),
        new("a list is no project", json!([])).is(400).member_begins("/error", ""),
        put("what is no JSON is refused", NEW).of("ingest").body("{\"visibility\":").is(400),
        put("a project path has two segments or more", "/ingest/v1/projects/acme").of("ingest")
            .json(&json!({})).is(400),
        put("a project path does not climb", "/ingest/v1/projects/acme%2F..%2Fx").of("ingest")
            .json(&json!({})).is(400),
    ]
}

#[rustfmt::skip]
fn pipeline_rows() -> Vec<Row> {
    let pipeline = |name, id: &str, body: Value| {
        put(name, format!("{NEW}/pipelines/{id}")).of("ingest").json(&body)
    };
    vec![
        pipeline("a pipeline is announced with a number", "50001",
                 json!({"ref": "main", "sha": "c0ffee", "tag": false, "status": "running",
                        "source": "push", "parent_pipeline_id": null}))
            .tells(200, json!({"id": 50001, "ref": "main"})),
        pipeline("a pipeline is announced again", "50001",
                 json!({"ref": "main", "status": "running"}))
            .tells(200, json!({"id": 50001, "ref": "main"})),
        post("a pipeline is given a number", format!("{NEW}/pipelines")).of("ingest")
            .json(&json!({"ref": "other", "status": "success"})).is(201),
        pipeline("a new pipeline needs a ref", "49002", json!({"status": "running"}))
            .error(400, "ref is missing"),
        pipeline("a new pipeline needs a status", "49002", json!({"ref": "main"}))
            .error(400, "status is missing"),
        pipeline("an unknown field of a pipeline is refused", "50001", json!({"state": "success"}))
            .is(400).member_begins("/error", ""),
        pipeline("a status that is none is refused", "50001", json!({"status": "done"}))
            .error(400, "status is invalid"),
        pipeline("a pipeline id that is no number is refused", "x", json!({}))
            .error(400, "pipeline_id is invalid"),
        pipeline("a pipeline of another project is a conflict", "{private main}",
                 json!({"ref": "main", "status": "failed"}))
            .is(409).member_begins("/message", "409 Conflict - ")
            .then_says("projects/acme%2Fprivate/jobs/artifacts/main/raw/who.txt?job=build",
                       "private"),
    ]
}

#[rustfmt::skip]
fn job_rows() -> Vec<Row> {
    let job = |name, id: &str, body: Value| {
        put(name, format!("{NEW}/jobs/{id}")).of("ingest").json(&body)
    };
    vec![
        job("a running job is given a token", "50010",
            json!({"pipeline_id": 50001, "name": "build", "stage": "test", "status": "running",
                   "retried": false, "allow_failure": false, "artifacts_access": "all",
                   "locked": false}))
            .member("/id", 50010).member_begins("/token", "ewt_"),
        job("a job that is over is given no token", "50011",
            json!({"pipeline_id": 50001, "name": "lint", "status": "failed"}))
            .tells(200, json!({"id": 50011, "token": null})),
        post("a job is given a number", format!("{NEW}/jobs")).of("ingest")
            .json(&json!({"pipeline_id": 50001, "name": "docs", "status": "canceled"}))
            .is(201).member("/token", Value::Null),
        job("a new job needs a pipeline", "49012", json!({"name": "x", "status": "running"}))
            .error(400, "pipeline_id is missing"),
        job("a new job needs a name", "49012", json!({"pipeline_id": 50001, "status": "running"}))
            .error(400, "name is missing"),
        job("a new job needs a status", "49012", json!({"pipeline_id": 50001, "name": "x"}))
            .error(400, "status is missing"),
        job("an unknown field of a job is refused", "50010", json!({"artifact_access": "none"}))
            .is(400).member_begins("/error", ""),
        job("an access that is none is refused", "50010", json!({"artifacts_access": "public"}))
            .error(400, "artifacts_access is invalid"),
        job("a job id that is no number is refused", "x", json!({}))
            .error(400, "job_id is invalid"),
        job("a job of another project is a conflict", "{private}",
            json!({"pipeline_id": 50001, "name": "stolen", "status": "success"}))
            .is(409).member_begins("/message", "409 Conflict - ")
            .then_says("projects/acme%2Fprivate/jobs/{private}/artifacts/who.txt", "private")
            .then("projects/acme%2Fnew/jobs/{private}/artifacts", 404),
        job("a job of another project's pipeline is refused", "49012",
            json!({"pipeline_id": "{private main}", "name": "x", "status": "running"})).is(400),
        post("an announced job is handed in for", "jobs/50010/artifacts").of("ingest")
            .upload("announced").is(201).then_says(WHO, "announced"),
        get("a pipeline that runs is not served by ref", BY_REF).no_job(),
        job("a job ends", "50010", json!({"status": "success"}))
            .tells(200, json!({"id": 50010, "token": null})),
        put("a pipeline succeeds, the rest of it unchanged", format!("{NEW}/pipelines/50001"))
            .of("ingest").json(&json!({"status": "success"})).is(200)
            .then_says(BY_REF, "announced"),
        job("a job is locked to developers, its name unchanged", "50010",
            json!({"artifacts_access": "developer"})).is(200).then_says(BY_REF, "announced"),
        get("an announced access is in force", BY_REF).forbidden(),
        put("a project becomes private", NEW).of("ingest").json(&json!({"visibility": "private"}))
            .is(200).then_says(BY_REF, "announced"),
        get("an announced visibility is in force", BY_REF).no_project(),
        put("a project only for the making is there already", NEW).of("ingest")
            .json(&json!({"visibility": "public"})).field("if-none-match", "*").is(412)
            .then_by(By::Nobody, BY_REF, 404),
    ]
}

/// What is announced anew is in force at once.
#[rustfmt::skip]
fn turning_rows() -> Vec<Row> {
    let change = |name, what: &str, body: Value| {
        put(name, format!("/ingest/v1/projects/acme%2Fprivate{what}")).of("ingest").json(&body)
            .is(200)
    };
    let expired = "projects/acme%2Fprivate/jobs/{expired}/artifacts/who.txt";
    let private = "projects/acme%2Fprivate/jobs/{private}/artifacts/who.txt";
    let closed = "projects/acme%2Fclosed/jobs/{closed}/artifacts/who.txt";
    let turns = "projects/acme%2Fprivate/jobs/artifacts/turn/raw/who.txt?job=build";
    let child = "projects/acme%2Fprivate/jobs/artifacts/turn/raw/who.txt?job=child";
    vec![
        change("a job that is locked is served though it has expired", "/jobs/{expired}",
               json!({"locked": true})).then_says(expired, "expired"),
        change("a job that is unlocked again has expired", "/jobs/{expired}",
               json!({"locked": false})).then(expired, 404),
        change("a pipeline that turns out a failure is not served by ref", "/pipelines/{turning}",
               json!({"status": "failed"})).then(turns, 404),
        change("a pipeline that succeeds in the end is served by ref", "/pipelines/{turning}",
               json!({"status": "success"})).then_says(turns, "turns"),
        change("a pipeline that is found to be a child is served by its parent's ref",
               "/pipelines/{alone}", json!({"parent_pipeline_id": "{turning}"}))
            .then_says(child, "alone job"),
        change("a job that was retried is not served by ref", "/jobs/{turns}",
               json!({"retried": true})).then(turns, 404),
        change("a job whose retry was taken back is served by ref", "/jobs/{turns}",
               json!({"retried": false})).then_says(turns, "turns"),
        put("an allowlist lets in the jobs of a project", "/ingest/v1/projects/acme%2Fclosed")
            .of("ingest").json(&json!({"job_token_allowlist": ["acme/private"]})).is(200)
            .then_by(By::Job("job runs"), closed, 200),
        put("an allowlist without a project keeps its jobs out",
            "/ingest/v1/projects/acme%2Fclosed").of("ingest")
            .json(&json!({"job_token_allowlist": []})).is(200)
            .then_by(By::Job("job runs"), closed, 403),
        change("pipelines that become private are not for a guest", "",
               json!({"public_pipelines": false}))
            .then_by(By::Private("guest"), private, 403).then_says(private, "private"),
        change("pipelines that become public are for a guest", "",
               json!({"public_pipelines": true}))
            .then_by(By::Private("guest"), private, 200),
        get("a job reads while it runs", private).by(By::Job("job runs")).says("private"),
        change("a job that ends takes its token with it", "/jobs/{runs}",
               json!({"status": "canceled"}))
            .then_by(By::Job("job runs"), private, 401)
            .then_by(By::JobParameter("job runs"), private, 401),
    ]
}

const HOOK: &str = "/hooks/gitlab";
const HOOKED: &str = "projects/tools%2Fanvil";

fn project() -> Value {
    json!({
        "id": 340, "name": "Anvil", "description": "",
        "web_url": "https://git.example.net/acme/anvil",
        "avatar_url": null, "git_ssh_url": "git@git.example.net:acme/anvil.git",
        "git_http_url": "https://git.example.net/acme/anvil.git", "namespace": "Acme",
        "visibility_level": 20, "path_with_namespace": "acme/anvil", "default_branch": "main",
    })
}

fn user() -> Value {
    json!({"id": 77, "name": "Mara Lind", "username": "mara", "avatar_url": null,
           "email": "mara@example.net"})
}

/// A pipeline event as GitLab documents it; `jobs` are numbers, names and states.
fn pipeline_event(id: u64, ref_name: &str, status: &str, jobs: &[(u64, &str, &str)]) -> Value {
    let is_over = status == "success" || status == "failed";
    let builds: Vec<Value> = jobs
        .iter()
        .map(|(id, name, status)| {
            json!({
                "id": id, "stage": "compile", "name": name, "status": status,
                "created_at": "2026-03-01 07:00:00 UTC", "started_at": "2026-03-01 07:01:00 UTC",
                "finished_at": null, "duration": null, "queued_duration": 1.5,
                "failure_reason": null, "when": "on_success", "manual": false,
                "allow_failure": false, "user": user(), "runner": null,
                "artifacts_file": {"filename": null, "size": null}, "environment": null,
            })
        })
        .collect();
    json!({
        "object_kind": "pipeline",
        "object_attributes": {
            "id": id, "iid": 3, "name": null, "ref": ref_name, "tag": false,
            "sha": "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1",
            "before_sha": "0000000000000000000000000000000000000000", "source": "push",
            "status": status, "detailed_status": "passed", "stages": ["compile"],
            "created_at": "2026-03-01 07:00:00 UTC",
            "finished_at": if is_over { json!("2026-03-01 07:05:30 UTC") } else { Value::Null },
            "duration": 300, "queued_duration": 4, "variables": [],
        },
        "merge_request": null, "user": user(), "project": project(),
        "commit": {
            "id": "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1", "message": "Harden the face\n",
            "title": "Harden the face", "timestamp": "2026-03-01T08:59:21+02:00",
            "url": "https://git.example.net/acme/anvil/-/commit/9d1f3c1b",
            "author": {"name": "Mara Lind", "email": "mara@example.net"},
        },
        "builds": builds,
    })
}

/// A job event as GitLab documents it.
fn job_event(pipeline: u64, id: u64, name: &str, status: &str) -> Value {
    let is_over = status == "success" || status == "failed";
    json!({
        "object_kind": "build", "ref": "main", "tag": false,
        "before_sha": "0000000000000000000000000000000000000000",
        "sha": "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1", "retries_count": 0,
        "build_id": id, "build_name": name, "build_stage": "compile", "build_status": status,
        "build_created_at": "2026-03-01 07:00:00 UTC",
        "build_started_at": "2026-03-01 07:01:00 UTC",
        "build_finished_at":
            if is_over { json!("2026-03-01 07:05:00 UTC") } else { Value::Null },
        "build_duration": 240.0, "build_queued_duration": 1.5, "build_allow_failure": false,
        "build_failure_reason": "unknown_failure", "pipeline_id": pipeline,
        "runner": {"id": 6, "description": "forge", "runner_type": "group_type", "active": true,
                   "is_shared": false, "tags": ["arm"]},
        "project_id": 340, "project_name": "Acme / Anvil", "user": user(),
        "commit": {
            "id": pipeline, "name": null, "sha": "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1",
            "message": "Harden the face\n", "author_name": "Mara Lind",
            "author_email": "mara@example.net", "status": "running", "duration": null,
            "started_at": null, "finished_at": null,
        },
        "repository": {
            "name": "Anvil", "url": "git@git.example.net:acme/anvil.git", "description": "",
            "homepage": "https://git.example.net/acme/anvil",
            "git_ssh_url": "git@git.example.net:acme/anvil.git",
            "git_http_url": "https://git.example.net/acme/anvil.git", "visibility_level": 20,
        },
        "project": project(), "environment": null,
    })
}

fn hook(name: &'static str, event: &Value) -> Row {
    post(name, HOOK).by(By::Hook("ingest")).json(event).is(200)
}

fn anvil(job: &str) -> String {
    format!("projects/acme%2Fanvil/jobs/artifacts/main/raw/who.txt?job={job}")
}

fn anvil_job(id: u64) -> String {
    format!("projects/acme%2Fanvil/jobs/{id}/artifacts/who.txt")
}

#[rustfmt::skip]
fn hook_rows() -> Vec<Row> {
    let build = (70010, "build", "success");
    vec![
        hook("the end of a job is told of before all else",
             &job_event(70001, 70010, "build", "success"))
            .then(anvil_job(70010), 404),
        hook("that the job ran is told of late", &job_event(70001, 70010, "build", "running")),
        post("what a webhook announced is handed in", "jobs/70010/artifacts").of("ingest")
            .upload("hooked").is(201).then_says(anvil_job(70010), "hooked"),
        get("a project is as visible as the webhook says", anvil_job(70010)).says("hooked"),
        get("a project has the number that the webhook says",
            "projects/340/jobs/70010/artifacts/who.txt").says("hooked"),
        get("a pipeline that runs is not served by ref though its job has ended", anvil("build"))
            .no_job(),
        hook("a pipeline succeeds", &pipeline_event(70001, "main", "success", &[build]))
            .then_says(anvil("build"), "hooked"),
        hook("a pipeline succeeds, told twice", &pipeline_event(70001, "main", "success", &[build]))
            .then_says(anvil("build"), "hooked"),
        hook("that the pipeline ran is told of late",
             &pipeline_event(70001, "main", "running", &[(70010, "build", "running")]))
            .then_says(anvil("build"), "hooked"),
        hook("that the pipeline waited is told of later still",
             &pipeline_event(70001, "main", "pending", &[(70010, "build", "created")]))
            .then_says(anvil("build"), "hooked"),
        get("a job by ref is served with its webhook's name as archive",
            "projects/acme%2Fanvil/jobs/artifacts/main/download?job=build").gives("hooked"),
        post("a job tells what its webhook told", "projects/340/jobs/70010/artifacts/keep")
            .of("developer").member("/status", "success").member("/stage", "compile")
            .member("/ref", "main").member("/runner/description", "forge")
            .member("/user/username", "mara").member("/commit/title", "Harden the face")
            .member("/pipeline/sha", "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1")
            .member("/started_at", "2026-03-01T07:01:00.000Z").member("/duration", 240.0)
            .member("/failure_reason", Value::Null),
    ]
}

#[rustfmt::skip]
fn late_hook_rows() -> Vec<Row> {
    let mut child = pipeline_event(70003, "main", "success", &[(70030, "of a child", "success")]);
    child["object_attributes"]["source"] = json!("parent_pipeline");
    child["source_pipeline"] = json!({
        "project": {"id": 340, "web_url": "https://git.example.net/acme/anvil",
                    "path_with_namespace": "acme/anvil"},
        "pipeline_id": 70001, "job_id": 70010,
    });
    let mut request = pipeline_event(70004, "main", "success", &[(70040, "build", "success")]);
    request["object_attributes"]["source"] = json!("merge_request_event");
    request["merge_request"] = json!({"id": 1, "iid": 5, "title": "Softer", "source_branch": "main",
                                      "target_branch": "main", "state": "opened"});
    let mut tag = pipeline_event(70006, "v2.1.0", "success", &[(70060, "build", "success")]);
    tag["object_attributes"]["tag"] = json!(true);
    // As before GitLab 17.
    let mut without_project = job_event(70001, 70012, "older", "success");
    without_project.as_object_mut().expect("an event is an object").remove("project");
    vec![
        hook("a job event without its project is of its repository", &without_project),
        post("a job that was told of without its project hands in", "jobs/70012/artifacts")
            .of("ingest").upload("older").is(201).then_says(anvil("older"), "older"),
        hook("a pipeline of a tag is told of", &tag),
        post("a job of a tag hands in", "jobs/70060/artifacts").of("ingest").upload("tag").is(201)
            .then_says("projects/acme%2Fanvil/jobs/artifacts/v2.1.0/raw/who.txt?job=build", "tag"),
        post("a job of a tag says so", "projects/340/jobs/70060/artifacts/keep").of("developer")
            .member("/tag", true).member("/ref", "v2.1.0"),
        hook("a state that GitLab alone has is taken",
             &pipeline_event(70007, "main", "waiting_for_resource",
                             &[(70070, "later", "scheduled"), (70071, "now", "preparing")]))
            .then_says(anvil("build"), "hooked"),
        hook("a retry of a job is told of", &job_event(70001, 70011, "build", "running"))
            .then(anvil("build"), 404).then_says(anvil_job(70010), "hooked"),
        post("a retry hands in", "jobs/70011/artifacts").of("ingest").upload("retry").is(201)
            .then_says(anvil("build"), "retry"),
        hook("the first try is told of late", &job_event(70001, 70010, "build", "success"))
            .then_says(anvil("build"), "retry"),
        hook("a later pipeline that fails changes nothing by ref",
             &pipeline_event(70002, "main", "failed", &[(70020, "build", "failed")]))
            .then_says(anvil("build"), "retry"),
        hook("a child pipeline is told of", &child),
        post("a job of a child pipeline hands in", "jobs/70030/artifacts").of("ingest")
            .upload("child").is(201).then_says(anvil("of%20a%20child"), "child")
            .then_says(anvil("build"), "retry"),
        hook("a pipeline of a merge request is none of its branch", &request),
        post("a job of a merge request hands in", "jobs/70040/artifacts").of("ingest")
            .upload("request").is(201).then_says(anvil_job(70040), "request")
            .then_says(anvil("build"), "retry"),
        hook("an event that nothing depends on is taken",
             &json!({"object_kind": "push", "event_name": "push", "ref": "refs/heads/main",
                     "project": project(), "commits": []})),
        hook("an event without a kind that nothing depends on is taken",
             &json!({"event_name": "user_add_to_group", "group_path": "acme"})),
    ]
}

#[rustfmt::skip]
fn refused_hook_rows() -> Vec<Row> {
    let event = pipeline_event(70005, "main", "success", &[(70050, "secret", "success")]);
    let mut other = event.clone();
    other["project"]["path_with_namespace"] = json!("tools/anvil");
    other["project"]["id"] = json!(341);
    let sent = |name, by: By, event: &Value| post(name, HOOK).by(by).json(event);
    let mut foreign = event.clone();
    foreign["object_attributes"]["id"] = json!("{private main}");
    vec![
        sent("a webhook without a token is refused", By::Nobody, &event).unauthorized()
            .then(anvil_job(70050), 404),
        sent("a webhook with a bad token is refused", By::Hook("unknown"), &event).unauthorized()
            .then(anvil_job(70050), 404),
        sent("a webhook with a revoked token is refused", By::Hook("revoked"), &event)
            .unauthorized(),
        sent("a webhook with a token of another kind is refused", By::Private("ingest"), &event)
            .unauthorized(),
        sent("a webhook of an owner without the scope is refused", By::Hook("owner"), &event)
            .insufficient_scope().then(anvil_job(70050), 404),
        sent("a webhook of a developer is refused", By::Hook("ingest developer"), &event)
            .forbidden().then(anvil_job(70050), 404),
        sent("a webhook for a project of another group is refused", By::Hook("ingest"), &other)
            .no_project().then(HOOKED.to_owned() + "/jobs/70050/artifacts", 404),
        sent("a webhook for a pipeline of another project is a conflict", By::Hook("ingest"),
             &foreign).is(409).member_begins("/message", "409 Conflict - ")
            .then_says("projects/acme%2Fprivate/jobs/artifacts/main/raw/who.txt?job=build",
                       "private"),
        sent("a webhook without its pipeline is refused", By::Hook("ingest"),
             &json!({"object_kind": "pipeline", "project": project()}))
            .is(400).member_begins("/error", "object_attributes"),
        sent("an event of another kind is taken in", By::Hook("ingest"),
             &json!({"object_kind": "push"})).is(200),
        sent("and is refused without the scope", By::Hook("owner"),
             &json!({"object_kind": "push"})).insufficient_scope(),
        sent("a number that leaves none for others is refused", By::Hook("ingest"),
             &pipeline_event(1 << 53, "main", "success", &[])).is(400)
            .member_begins("/error", "object_attributes.id"),
        sent("and so is one that leaves few", By::Hook("ingest"),
             &pipeline_event((1 << 53) - 1, "main", "success", &[])).is(400)
            .member_begins("/error", "id"),
        post("a webhook that is no JSON is refused", HOOK).by(By::Hook("ingest")).body("not JSON")
            .is(400).member_begins("/error", ""),
    ]
}

//! Artifacts are kept, deleted, and let go (endpoints F, G and H).

use serde_json::{Value, json};

use super::row::{By, Row, delete, get, post, put};
use super::world::{AT_ONCE, Handing, World, archive};

pub(super) async fn prepare_jobs(world: &mut World) {
    let project = "acme/private";
    for (key, job, handing) in [
        ("told", told(), Handing::Expiring("1 day")),
        ("later", json!({}), Handing::Expiring("30 days")),
        ("plain", json!({}), Handing::Archive),
        ("bare", json!({}), Handing::Nothing),
        ("expired", json!({}), Handing::Expiring(AT_ONCE)),
        ("locked", json!({"locked": true}), Handing::Expiring(AT_ONCE)),
        ("reporting", json!({"status": "running"}), Handing::Archive),
        ("only reports", json!({"status": "running"}), Handing::Nothing),
        ("neighbour", json!({}), Handing::Archive),
    ] {
        let Value::Object(mut job) = job else { panic!("not an object") };
        job.entry("name").or_insert_with(|| json!(key));
        world.job(key, project, "private main", Value::Object(job), handing).await;
    }
}

/// Everything that an ingest route takes of a job.
fn told() -> Value {
    json!({
        "name": "compile 1/2", "stage": "build", "allow_failure": true, "coverage": 87.5,
        "created_at": "2026-03-01T07:00:00Z", "started_at": "2026-03-01T08:01:00+01:00",
        "finished_at": "2026-03-01T07:02:30.5Z",
        "user": {"id": 7, "username": "mara", "name": "Mara Lind"},
        "commit": {
            "id": "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1", "short_id": "9d1f3c1b",
            "title": "Harden the face", "message": "Harden the face\n\nTwice.\n",
            "author_name": "Mara Lind", "author_email": "mara@example.net",
            "created_at": "2026-03-01T06:59:21.000Z",
        },
    })
}

/// The Job entity of [`told`], its expiry cleared.
fn entity() -> Value {
    let size = archive("told").len();
    json!({
        "id": "{told}", "name": "compile 1/2", "stage": "build", "status": "success",
        "ref": "main", "tag": false, "coverage": 87.5, "allow_failure": true,
        "created_at": "2026-03-01T07:00:00.000Z", "started_at": "2026-03-01T07:01:00.000Z",
        "finished_at": "2026-03-01T07:02:30.500Z", "duration": 90.5,
        "user": told()["user"], "commit": told()["commit"],
        "pipeline": {
            "id": "{private main}", "ref": "main", "sha": null, "status": "success",
        },
        "failure_reason": null, "web_url": null,
        "artifacts_file": {"filename": "artifacts.zip", "size": size},
        "artifacts": [{
            "file_type": "archive", "size": size, "filename": "artifacts.zip",
            "file_format": "zip",
        }],
        "runner": null, "artifacts_expire_at": null, "download_url": null,
    })
}

fn of(job: &str) -> String {
    format!("projects/acme%2Fprivate/jobs/{{{job}}}/artifacts")
}

fn keep(job: &str) -> String {
    of(job) + "/keep"
}

fn who(job: &str) -> String {
    of(job) + "/who.txt"
}

pub(super) fn job_rows() -> Vec<Row> {
    let mut rows = keep_rows();
    rows.extend(delete_rows());
    rows
}

#[rustfmt::skip]
fn keep_rows() -> Vec<Row> {
    let report = b"<testsuite/>";
    vec![
        post("keeping needs a token", keep("told")).unauthorized(),
        post("keeping with a bad token is refused", keep("told")).of("unknown").unauthorized(),
        post("a guest keeps nothing", keep("told")).of("guest").forbidden(),
        post("a reporter keeps nothing", keep("told")).of("reporter").forbidden(),
        post("a stranger does not see what could be kept", keep("told")).of("stranger")
            .no_project(),
        post("keeping on a public project needs a token",
             "projects/acme%2Fpublic/jobs/{public}/artifacts/keep").unauthorized(),
        post("a stranger keeps nothing of a public project",
             "projects/acme%2Fpublic/jobs/{public}/artifacts/keep").of("stranger").forbidden(),
        post("a developer keeps, and is told of the job", keep("told")).of("developer")
            .tells(200, entity()).then_says(who("told"), "told"),
        post("keeping again is the same", keep("told")).of("developer").tells(200, entity()),
        post("a maintainer keeps", keep("later")).of("maintainer")
            .member("/artifacts_expire_at", Value::Null).member("/id", "{later}"),
        post("a bearer token keeps", keep("later")).by(By::Bearer("owner"))
            .member("/artifacts_expire_at", Value::Null),
        post("keeping may have a body of JSON", keep("later")).of("developer").json(&json!({}))
            .member("/id", "{later}"),
        post("artifacts without an expiry are kept", keep("plain")).of("developer")
            .member("/artifacts_expire_at", Value::Null),
        post("a job without artifacts keeps none", keep("bare")).of("developer").no_archive(),
        post("what has expired is not kept any more", keep("expired")).of("developer")
            .no_archive().then(of("expired"), 404),
        post("what has expired and is locked is kept", keep("locked")).of("developer")
            .member("/artifacts_expire_at", Value::Null).then_says(who("locked"), "locked"),
        post("a job that does not exist keeps nothing",
             "projects/acme%2Fprivate/jobs/999999/artifacts/keep").of("developer").no_job(),
        post("a job of another project keeps nothing",
             "projects/acme%2Fprivate/jobs/{public}/artifacts/keep").of("developer").no_job(),
        post("a job id that is no number keeps nothing",
             "projects/acme%2Fprivate/jobs/x/artifacts/keep").of("developer")
            .error(400, "job_id is invalid"),
        get("keeping is posted: with GET it is the path of a file", keep("plain"))
            .of("developer").no_file(),

        post("a report is handed in beside an archive", "jobs/{reporting}/artifacts")
            .by(By::Job("job reporting"))
            .form(&[("artifact_type", "junit"), ("artifact_format", "gzip")],
                  Some(("junit.xml.gz", report)))
            .is(201).then_says(who("reporting"), "reporting"),
        post("a job lists its reports beside its archive", keep("reporting")).of("developer")
            .member("/artifacts/0/file_type", "archive")
            .member("/artifacts/0/file_format", "zip")
            .member("/artifacts/1", json!({"file_type": "junit", "size": report.len(),
                                           "filename": "junit.xml.gz", "file_format": "gzip"})),
        post("a report is handed in alone", "jobs/{only reports}/artifacts")
            .by(By::Job("job only reports"))
            .form(&[("artifact_type", "dotenv"), ("artifact_format", "raw")],
                  Some((".env", b"A=1")))
            .is(201).then(of("only reports"), 404),
        post("a job with reports alone has nothing to keep", keep("only reports"))
            .of("developer").no_archive(),
    ]
}

#[rustfmt::skip]
fn delete_rows() -> Vec<Row> {
    vec![
        delete("deleting needs a token", of("plain")).unauthorized()
            .then_says(who("plain"), "plain"),
        delete("deleting with a bad token is refused", of("plain")).of("revoked").unauthorized()
            .then_says(who("plain"), "plain"),
        delete("a guest deletes nothing", of("plain")).of("guest").forbidden()
            .then_says(who("plain"), "plain"),
        delete("a reporter deletes nothing", of("plain")).of("reporter").forbidden()
            .then_says(who("plain"), "plain"),
        delete("a developer deletes nothing", of("plain")).of("developer").forbidden()
            .then_says(who("plain"), "plain"),
        delete("a stranger does not see what could be deleted", of("plain")).of("stranger")
            .no_project().then_says(who("plain"), "plain"),
        delete("deleting on a public project needs a token",
               "projects/acme%2Fpublic/jobs/{public}/artifacts").unauthorized()
            .then_says("projects/acme%2Fpublic/jobs/{public}/artifacts/who.txt", "public"),
        delete("a developer deletes nothing of a public project",
               "projects/acme%2Fpublic/jobs/{public}/artifacts").of("developer").forbidden()
            .then_says("projects/acme%2Fpublic/jobs/{public}/artifacts/who.txt", "public"),
        delete("a maintainer deletes a job's artifacts", of("plain")).of("maintainer")
            .is(204).bytes("").then(who("plain"), 404).then(of("plain"), 404)
            .then_says(who("neighbour"), "neighbour"),
        get("what was deleted is not found", of("plain")).of("maintainer").no_archive(),
        post("what was deleted is not kept", keep("plain")).of("maintainer").no_archive(),
        delete("deleting again is the same", of("plain")).of("maintainer").is(204).bytes(""),
        delete("deleting what never was is the same", of("bare")).of("maintainer").is(204)
            .bytes(""),
        delete("deleting may have a body of JSON", of("later")).of("maintainer").json(&json!({}))
            .is(204).then(of("later"), 404),
        delete("an owner deletes with a parameter", of("told"))
            .by(By::PrivateParameter("owner")).is(204).then(who("told"), 404),
        delete("deleting takes the reports too", of("reporting")).of("maintainer").is(204)
            .then(of("reporting"), 404),
        delete("a job that does not exist has nothing to delete",
               "projects/acme%2Fprivate/jobs/999999/artifacts").of("maintainer").no_job(),
        delete("a job of another project has nothing to delete here",
               "projects/acme%2Fprivate/jobs/{public}/artifacts").of("maintainer").no_job()
            .then_says("projects/acme%2Fpublic/jobs/{public}/artifacts/who.txt", "public"),
        delete("a job id that is no number has nothing to delete",
               "projects/acme%2Fprivate/jobs/x/artifacts").of("maintainer")
            .error(400, "job_id is invalid"),
        post("a job whose report was deleted takes another",
             "jobs/{reporting}/artifacts").by(By::Job("job reporting"))
            .form(&[("artifact_type", "junit"), ("artifact_format", "gzip")],
                  Some(("second.xml.gz", b"other")))
            .is(201),
        post("a job whose archive was deleted takes the same archive", "jobs/{reporting}/artifacts")
            .by(By::Job("job reporting")).upload("reporting").is(201)
            .then_says(who("reporting"), "reporting"),
        post("a job lists the reports that it has now", keep("reporting")).of("developer")
            .member("/artifacts/1/filename", "second.xml.gz"),
    ]
}

pub(super) async fn prepare_project(world: &mut World) {
    let project = "acme/attic";
    let pipeline = |ref_name: &str, status: &str| json!({"ref": ref_name, "status": status});
    for (key, ref_name, status) in [
        ("newest main", "main", "success"),
        ("failed main", "main", "failed"),
        ("running main", "main", "running"),
        ("older release", "release/1", "success"),
        ("newest release", "release/1", "success"),
        ("failed only", "broken", "failed"),
    ] {
        world.pipeline(key, project, pipeline(ref_name, status)).await;
    }
    for (key, parent) in [("child", "newest main"), ("old child", "attic main")] {
        let parent = world.id(parent);
        let child = json!({"ref": "main", "status": "success", "parent_pipeline_id": parent});
        world.pipeline(key, project, child).await;
    }
    let child = world.id("child");
    let grandchild = json!({"ref": "main", "status": "failed", "parent_pipeline_id": child});
    world.pipeline("grandchild", project, grandchild).await;
    for (key, pipeline, job) in [
        ("old locked", "attic main", json!({"name": "locked", "locked": true})),
        ("old kept", "attic main", json!({"name": "kept"})),
        ("of newest main", "newest main", json!({})),
        ("failed of newest main", "newest main", json!({"name": "lint", "status": "failed"})),
        ("retried of newest main", "newest main", json!({"name": "again", "retried": true})),
        ("of failed main", "failed main", json!({})),
        ("of running main", "running main", json!({})),
        ("of older release", "older release", json!({})),
        ("of newest release", "newest release", json!({})),
        ("of failed only", "failed only", json!({})),
        ("locked of failed only", "failed only", json!({"name": "locked", "locked": true})),
        ("of child", "child", json!({})),
        ("of old child", "old child", json!({})),
        ("of grandchild", "grandchild", json!({})),
    ] {
        world.job(key, project, pipeline, job, Handing::Archive).await;
    }
    let later = json!({"name": "later"});
    world.job("old later", project, "attic main", later, Handing::Expiring("1 day")).await;
}

/// What an anonymous, a developer and others leave as it is.
const ALL: [&str; 6] =
    ["attic", "old kept", "old locked", "of newest main", "of failed main", "of older release"];

#[rustfmt::skip]
pub(super) fn project_rows() -> Vec<Row> {
    const PROJECT: &str = "projects/acme%2Fattic/artifacts";
    let who = |job: &str| format!("projects/acme%2Fattic/jobs/{{{job}}}/artifacts/who.txt");
    let by_ref = |ref_name: &str, job: &str| {
        format!("projects/acme%2Fattic/jobs/artifacts/{ref_name}/raw/who.txt?job={job}")
    };
    let unchanged =
        |row: Row| ALL.iter().fold(row, |row, job| row.then_says(who(job), job));
    let stays = |name, job: &str| get(name, who(job)).of("reporter").says(job);
    let goes = |name, job: &str| get(name, who(job)).of("reporter").no_archive();
    vec![
        unchanged(delete("letting go needs a token", PROJECT).unauthorized()),
        unchanged(delete("letting go with a bad token is refused", PROJECT).of("unknown")
            .unauthorized()),
        unchanged(delete("a guest lets nothing go", PROJECT).of("guest").forbidden()),
        unchanged(delete("a developer lets nothing go", PROJECT).of("developer").forbidden()),
        unchanged(delete("a stranger does not see what could go", PROJECT).of("stranger")
            .no_project()),
        delete("a project that does not exist lets nothing go", "projects/acme%2Fnone/artifacts")
            .of("owner").no_project(),
        post("a developer keeps what is let go later",
             "projects/acme%2Fattic/jobs/{old kept}/artifacts/keep").of("developer")
            .member("/artifacts_expire_at", Value::Null),
        delete("a maintainer lets the artifacts of a project go", PROJECT).of("maintainer")
            .tells(202, json!({"message": "202 Accepted"})),
        goes("an older successful pipeline goes", "attic"),
        goes("what would have expired later goes", "old later"),
        goes("what was kept is not spared", "old kept"),
        stays("a locked job of an older pipeline stays", "old locked"),
        stays("the latest successful pipeline of a ref stays", "of newest main"),
        stays("a failed job of the latest successful pipeline stays", "failed of newest main"),
        stays("a retried job of the latest successful pipeline stays", "retried of newest main"),
        stays("a child of the latest successful pipeline stays", "of child"),
        stays("a grandchild of the latest successful pipeline stays", "of grandchild"),
        goes("a child of an older pipeline goes", "of old child"),
        goes("a later pipeline that failed goes", "of failed main"),
        goes("a later pipeline that runs goes", "of running main"),
        stays("the latest successful pipeline of another ref stays", "of newest release"),
        goes("an older pipeline of another ref goes", "of older release"),
        goes("a ref without a successful pipeline goes", "of failed only"),
        stays("a locked job of a ref without a successful pipeline stays", "locked of failed only"),
        put("a locked job that stayed stays when it is unlocked",
            "/ingest/v1/projects/acme%2Fattic/jobs/{old locked}").of("ingest")
            .json(&json!({"locked": false})).is(200).then_says(who("old locked"), "old locked"),
        get("what stays is served by ref", by_ref("main", "build")).of("reporter")
            .says("of newest main"),
        get("what stays of another ref is served by ref", by_ref("release%2F1", "build"))
            .of("reporter").says("of newest release"),
        get("another project keeps what it has",
            "projects/acme%2Fprivate/jobs/{private}/artifacts/who.txt").of("reporter")
            .says("private"),
        delete("letting go again is the same", PROJECT).of("owner")
            .tells(202, json!({"message": "202 Accepted"}))
            .then_says(who("of newest main"), "of newest main"),
        delete("a project is let go by its number too", "projects/{project friend}/artifacts")
            .of("maintainer").is(202)
            .then_says("projects/acme%2Ffriend/jobs/{friend}/artifacts/who.txt", "friend"),
    ]
}

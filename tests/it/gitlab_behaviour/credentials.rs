//! Tokens: where they stand, what they are for, and when they end (api.md section 5).

use serde_json::json;

use super::row::{By, Row, delete, get, post};
use super::world::{Handing, World};

pub(super) async fn prepare(world: &mut World) {
    let running = || json!({"name": "runs", "status": "running"});
    for project in ["private", "friend", "closed", "public"] {
        let path = format!("acme/{project}");
        let key = format!("at {project}");
        let pipeline = format!("{project} main");
        world.job(&key, &path, &pipeline, running(), Handing::Nothing).await;
    }
}

const PUBLIC: &str = "projects/acme%2Fpublic/jobs/{public}/artifacts/who.txt";
const PRIVATE: &str = "projects/acme%2Fprivate/jobs/{private}/artifacts/who.txt";
const CLOSED: &str = "projects/acme%2Fclosed/jobs/{closed}/artifacts/who.txt";
const FRIEND: &str = "projects/acme%2Ffriend/jobs/{friend}/artifacts/who.txt";
const INTERNAL: &str = "projects/acme%2Finternal/jobs/{internal}/artifacts/who.txt";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = bad_rows();
    rows.extend(token_rows());
    rows.extend(job_token_rows());
    rows.extend(user_rows());
    rows
}

#[rustfmt::skip]
fn bad_rows() -> Vec<Row> {
    vec![
        get("an unknown PRIVATE-TOKEN is refused on a public project", PUBLIC)
            .by(By::Private("unknown")).unauthorized(),
        get("an unknown private_token is refused on a public project", PUBLIC)
            .by(By::PrivateParameter("unknown")).unauthorized(),
        get("an unknown bearer token is refused on a public project", PUBLIC)
            .by(By::Bearer("unknown")).unauthorized(),
        get("an unknown JOB-TOKEN is refused on a public project", PUBLIC)
            .by(By::Job("unknown")).unauthorized(),
        get("an unknown job_token is refused on a public project", PUBLIC)
            .by(By::JobParameter("unknown")).unauthorized(),
        get("an empty PRIVATE-TOKEN is refused on a public project", PUBLIC)
            .by(By::Private("empty")).unauthorized(),
        get("an empty private_token is refused on a public project", PUBLIC)
            .by(By::PrivateParameter("empty")).unauthorized(),
        get("an empty JOB-TOKEN is refused on a public project", PUBLIC)
            .by(By::Job("empty")).unauthorized(),
        get("an empty job_token is refused on a public project", PUBLIC)
            .by(By::JobParameter("empty")).unauthorized(),
        get("an empty bearer token is refused on a public project", PUBLIC)
            .by(By::Bearer("empty")).unauthorized(),
        get("a revoked token is refused on a public project", PUBLIC)
            .of("revoked").unauthorized(),
        get("a revoked bearer token is refused on a public project", PUBLIC)
            .by(By::Bearer("revoked")).unauthorized(),
        get("an expired token is refused on a public project", PUBLIC)
            .of("expired").unauthorized(),
        get("an expired private_token is refused on a public project", PUBLIC)
            .by(By::PrivateParameter("expired")).unauthorized(),
        get("the token of a job that is over is refused on a public project", PUBLIC)
            .by(By::Job("job public")).unauthorized(),
        get("the job_token of a job that is over is refused on a public project", PUBLIC)
            .by(By::JobParameter("job public")).unauthorized(),
        get("an access token is no job token", PUBLIC).by(By::Job("owner")).unauthorized(),
        get("a job token is no access token", PUBLIC).by(By::Private("job at public"))
            .unauthorized(),
        get("a bad token is refused for an archive by ref",
            "projects/acme%2Fpublic/jobs/artifacts/main/download?job=build")
            .of("unknown").unauthorized(),
        get("a private_token that is given twice is refused",
            format!("{PUBLIC}?private_token=a&private_token=a"))
            .is(400).member_begins("/error", "private_token"),
        get("a job_token that is given twice is refused",
            format!("{PUBLIC}?job_token=a&job_token=b"))
            .is(400).member_begins("/error", "job_token"),
    ]
}

#[rustfmt::skip]
fn token_rows() -> Vec<Row> {
    vec![
        get("a PRIVATE-TOKEN opens a private project", PRIVATE).of("reporter").says("private"),
        get("a private_token opens a private project", PRIVATE)
            .by(By::PrivateParameter("reporter")).says("private"),
        get("a bearer token opens a private project", PRIVATE)
            .by(By::Bearer("reporter")).says("private"),
        get("a token that may only read reads", PRIVATE).of("reading owner").says("private"),
        post("a token that may only read keeps nothing",
             "projects/acme%2Fprivate/jobs/{private}/artifacts/keep")
            .of("reading owner").insufficient_scope(),
        delete("a token that may only read deletes nothing of a job",
               "projects/acme%2Fprivate/jobs/{private}/artifacts")
            .of("reading owner").insufficient_scope().then_says(PRIVATE, "private"),
        delete("a token that may only read deletes nothing of a project",
               "projects/acme%2Fprivate/artifacts")
            .of("reading owner").insufficient_scope().then_says(PRIVATE, "private"),
        get("a token that hands in does not read", PRIVATE).of("ingest").insufficient_scope(),
        get("a token that hands in does not read a public project either", PUBLIC)
            .of("ingest").insufficient_scope(),
        get("a token that hands in for others does not see a private project", PRIVATE)
            .of("ingest of acmecorp").no_project(),
    ]
}

#[rustfmt::skip]
fn job_token_rows() -> Vec<Row> {
    vec![
        get("a job reads its own project", PRIVATE).by(By::Job("job at private")).says("private"),
        get("a job reads its own project with job_token", PRIVATE)
            .by(By::JobParameter("job at private")).says("private"),
        get("a job reads its own project whose pipelines are private", CLOSED)
            .by(By::Job("job at closed")).says("closed"),
        get("a job reads an archive of its own project by ref",
            "projects/acme%2Fprivate/jobs/artifacts/main/download?job=build")
            .by(By::JobParameter("job at private")).gives("private"),
        get("a job reads a file of its own project by ref",
            "projects/acme%2Fprivate/jobs/artifacts/main/raw/who.txt?job=build")
            .by(By::Job("job at private")).says("private"),
        get("a job reads a project that lets in jobs of its project", CLOSED)
            .by(By::Job("job at friend")).says("closed"),
        get("letting in is not mutual", FRIEND).by(By::Job("job at closed")).forbidden(),
        get("a job is forbidden a project that does not let in jobs of its project", CLOSED)
            .by(By::Job("job at private")).forbidden(),
        get("a job is forbidden a project that lets in nobody", PRIVATE)
            .by(By::Job("job at public")).forbidden(),
        get("a job reads a public project", PUBLIC).by(By::Job("job at private")).says("public"),
        get("a job is forbidden an internal project that does not let it in", INTERNAL)
            .by(By::Job("job at private")).forbidden(),
        post("a job keeps nothing", "projects/acme%2Fprivate/jobs/{private}/artifacts/keep")
            .by(By::Job("job at private")).forbidden(),
        delete("a job deletes nothing of a job",
               "projects/acme%2Fprivate/jobs/{private}/artifacts")
            .by(By::Job("job at private")).forbidden().then_says(PRIVATE, "private"),
        delete("a job deletes nothing of a project", "projects/acme%2Fprivate/artifacts")
            .by(By::JobParameter("job at private")).forbidden().then_says(PRIVATE, "private"),
    ]
}

#[rustfmt::skip]
fn user_rows() -> Vec<Row> {
    vec![
        get("nobody is no user", "user").unauthorized(),
        get("a bad token is no user", "user").of("unknown").unauthorized(),
        get("a revoked token is no user", "user").of("revoked").unauthorized(),
        get("a token is a user by its name", "user").of("reporter")
            .member("/username", "reporter").member("/name", "reporter")
            .member("/state", "active"),
        get("a bearer token is a user", "user").by(By::Bearer("reading owner"))
            .member("/username", "reading owner"),
    ]
}

//! Where several things are wrong, the first of the contract's order is told: 400, 401, 404 for
//! the project, 403, 404 for the rest, 422. (405 and unknown routes come before all.)

use serde_json::json;

use super::row::{By, Row, delete, get, post, put};
use super::world::{AT_ONCE, Handing, World};

pub(super) async fn prepare(world: &mut World) {
    let expired = json!({"name": "expired", "artifacts_access": "developer"});
    world.job("expired", "acme/public", "public main", expired, Handing::Expiring(AT_ONCE)).await;
    let bare = json!({"name": "bare", "artifacts_access": "none"});
    world.job("bare", "acme/public", "public main", bare, Handing::Nothing).await;
    let team = json!({"name": "team", "artifacts_access": "developer"});
    world.job("team", "acme/public", "public main", team, Handing::Archive).await;
    let gone = json!({"name": "gone"});
    world.job("gone", "acme/public", "public main", gone, Handing::Expiring(AT_ONCE)).await;
}

#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    vec![
        get("a bad path comes before a bad token",
            "projects/acme%2Fpublic/jobs/{public}/artifacts/%2e%2e/x").of("unknown").bad(),
        get("a bad path by ref comes before a bad token",
            "projects/acme%2Fpublic/jobs/artifacts/main/raw/%00?job=build").of("unknown").bad(),
        get("a missing job comes before a bad token",
            "projects/acme%2Fpublic/jobs/artifacts/main/download")
            .of("unknown").error(400, "job is missing"),
        get("a job id that is no number comes before a bad token",
            "projects/acme%2Fpublic/jobs/x/artifacts").of("unknown")
            .error(400, "job_id is invalid"),
        get("a bad path comes before a project that does not exist",
            "projects/acme%2Fnone/jobs/1/artifacts/%2e%2e").bad(),
        get("a bad path comes before a project that is not seen",
            "projects/acme%2Fprivate/jobs/{private}/artifacts/..%5C").bad(),
        get("a bad token comes before a project that does not exist",
            "projects/acme%2Fnone/jobs/1/artifacts").of("unknown").unauthorized(),
        get("a bad token comes before a project that is not seen",
            "projects/acme%2Fprivate/jobs/{private}/artifacts").of("expired").unauthorized(),
        get("a bad token comes before a forbidden project",
            "projects/acme%2Fquiet/jobs/{quiet}/artifacts").by(By::Bearer("unknown"))
            .unauthorized(),
        get("a bad token comes before a job that does not exist",
            "projects/acme%2Fpublic/jobs/999999/artifacts").by(By::Job("unknown")).unauthorized(),
        post("no token comes before a project that does not exist when keeping",
             "projects/acme%2Fnone/jobs/1/artifacts/keep").unauthorized(),
        delete("no token comes before a project that is not seen when deleting",
               "projects/acme%2Fprivate/artifacts").unauthorized(),
        delete("a project that is not seen comes before the right to delete of it",
               "projects/acme%2Fprivate/artifacts").of("stranger").no_project(),
        delete("a project that is not seen comes before a job that does not exist",
               "projects/acme%2Fprivate/jobs/999999/artifacts").of("stranger").no_project(),
        post("a project that is not seen comes before the right to keep of it",
             "projects/acme%2Fprivate/jobs/{private}/artifacts/keep").of("stranger").no_project(),
        get("a forbidden project comes before a job that does not exist",
            "projects/acme%2Fquiet/jobs/999999/artifacts").forbidden(),
        get("a forbidden project comes before an unknown ref",
            "projects/acme%2Fquiet/jobs/artifacts/none/download?job=build").forbidden(),
        delete("the right to delete comes before a job that does not exist",
               "projects/acme%2Fpublic/jobs/999999/artifacts").of("developer").forbidden(),
        post("the right to keep comes before a job that does not exist",
             "projects/acme%2Fpublic/jobs/999999/artifacts/keep").of("reporter").forbidden(),
        get("scope comes before a job that does not exist",
            "projects/acme%2Fpublic/jobs/999999/artifacts").of("ingest").insufficient_scope(),
        get("forbidden artifacts come before their expiry",
            "projects/acme%2Fpublic/jobs/{expired}/artifacts").forbidden(),
        get("forbidden artifacts come before there being none",
            "projects/acme%2Fpublic/jobs/{bare}/artifacts").of("owner").forbidden(),
        get("forbidden artifacts come before a file that is not there",
            "projects/acme%2Fpublic/jobs/{team}/artifacts/none.txt").of("reporter").forbidden(),
        get("forbidden artifacts come before an entry that is refused",
            "projects/acme%2Fpublic/jobs/{team}/artifacts/twice.txt").forbidden(),
        get("an archive that has expired comes before a file that is not there",
            "projects/acme%2Fpublic/jobs/{gone}/artifacts/none.txt").no_archive(),
        get("an archive that has expired comes before an entry that is refused",
            "projects/acme%2Fpublic/jobs/{gone}/artifacts/twice.txt").no_archive(),
        put("a wrong method comes before a bad token",
            "projects/acme%2Fpublic/jobs/{public}/artifacts").of("unknown").is(405)
            .has("allow", "GET, HEAD, DELETE, OPTIONS"),
        get("an unknown route comes before a bad token", "projects/acme%2Fpublic/nothing")
            .of("unknown").error(404, "404 Not Found"),
        get("an entry that is refused comes before a range past its end",
            "projects/acme%2Fpublic/jobs/{public}/artifacts/twice.txt")
            .field("range", "bytes=100-").is(422),
        get("an entry that is refused comes before a precondition",
            "projects/acme%2Fpublic/jobs/{public}/artifacts/twice.txt")
            .field("if-match", "\"x\"").is(422),
    ]
}

//! The methods of each path: HEAD wherever there is GET (which every row with a GET looks at), 405
//! with Allow, OPTIONS.

use http::Method;

use super::row::{Row, delete, get, head, post, put, send};

const READ: &str = "GET, HEAD, OPTIONS";
const ARCHIVE: &str = "projects/acme%2Fpublic/jobs/{public}/artifacts";
const FILE: &str = "projects/acme%2Fpublic/jobs/{public}/artifacts/who.txt";
const KEEP: &str = "projects/acme%2Fpublic/jobs/{public}/artifacts/keep";
const BY_REF: &str = "projects/acme%2Fpublic/jobs/artifacts/main/download?job=build";
const RAW: &str = "projects/acme%2Fpublic/jobs/artifacts/main/raw/who.txt?job=build";
const PROJECT: &str = "projects/acme%2Fpublic/artifacts";
const RUNNER: &str = "jobs/{public}/artifacts";

#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    let options = |name, target: &str| send(Method::OPTIONS, name, target).is(204);
    vec![
        head("HEAD of an archive", ARCHIVE).begins("etag", "\"").begins("content-length", ""),
        head("HEAD of a file", FILE).has("content-length", "6"),
        head("HEAD of an archive by ref", BY_REF).begins("etag", "\""),
        head("HEAD of a file by ref", RAW).has("content-length", "6"),
        head("HEAD of a file that is not there", ARCHIVE.to_owned() + "/none").is(404),
        head("HEAD of a project that is not seen",
             "projects/acme%2Fprivate/jobs/{private}/artifacts").is(404),
        head("HEAD with a bad token", FILE).of("unknown").is(401),
        post("an archive is not posted to the project's job", ARCHIVE).is(405)
            .has("allow", "GET, HEAD, DELETE, OPTIONS"),
        put("a file is not put", FILE).is(405).has("allow", READ).then_says(FILE, "public"),
        delete("a file is not deleted by itself", FILE).is(405).has("allow", READ)
            .then_says(FILE, "public"),
        post("a file is not posted", FILE).is(405).has("allow", READ),
        delete("keeping is posted, not deleted", KEEP).of("owner").is(405)
            .has("allow", "GET, HEAD, POST, OPTIONS"),
        delete("artifacts are not deleted by ref", BY_REF).of("owner").is(405)
            .has("allow", READ).then_says(FILE, "public"),
        post("a file by ref is only read", RAW).is(405).has("allow", READ),
        get("the artifacts of a project are not read together", PROJECT).is(405)
            .has("allow", "DELETE, OPTIONS"),
        delete("a runner deletes nothing", RUNNER).is(405)
            .has("allow", "GET, HEAD, POST, OPTIONS"),
        put("a runner puts nothing", RUNNER).is(405).has("allow", "GET, HEAD, POST, OPTIONS"),
        get("a webhook is not read", "/hooks/gitlab").is(405).has("allow", "POST, OPTIONS"),
        get("an announced project is not read", "/ingest/v1/projects/acme%2Fpublic").is(405)
            .has("allow", "PUT, OPTIONS"),
        get("announced pipelines are not read", "/ingest/v1/projects/acme%2Fpublic/pipelines")
            .is(405).has("allow", "POST, OPTIONS"),
        post("a pipeline of a number is put", "/ingest/v1/projects/acme%2Fpublic/pipelines/1")
            .is(405).has("allow", "PUT, OPTIONS"),
        post("a job of a number is put", "/ingest/v1/projects/acme%2Fpublic/jobs/1")
            .is(405).has("allow", "PUT, OPTIONS"),
        post("who a token is, is only read", "user").is(405).has("allow", READ),
        send(Method::PATCH, "PATCH is no method of any path", FILE).is(405).has("allow", READ),

        options("OPTIONS of an archive", ARCHIVE).has("allow", "GET, HEAD, DELETE, OPTIONS"),
        options("OPTIONS of a file", FILE).has("allow", READ),
        options("OPTIONS of keeping", KEEP).has("allow", "GET, HEAD, POST, OPTIONS"),
        options("OPTIONS by ref, without its job",
                "projects/acme%2Fpublic/jobs/artifacts/main/download").has("allow", READ),
        options("OPTIONS of a project's artifacts", PROJECT).has("allow", "DELETE, OPTIONS"),
        options("OPTIONS of a runner", RUNNER).has("allow", "GET, HEAD, POST, OPTIONS"),
        options("OPTIONS needs no token",
                "projects/acme%2Fprivate/jobs/{private}/artifacts").of("unknown")
            .has("allow", "GET, HEAD, DELETE, OPTIONS"),
        options("OPTIONS of a webhook", "/hooks/gitlab").has("allow", "POST, OPTIONS"),

        get("a route that is unknown", "projects/acme%2Fpublic/wiki").error(404, "404 Not Found"),
        get("another version of the API", "/api/v3/projects/acme%2Fpublic/jobs/1/artifacts")
            .error(404, "404 Not Found"),
        get("a project path is one segment", "projects/acme/public/jobs/{public}/artifacts")
            .error(404, "404 Not Found"),
        get("words of a route are not encoded",
            "projects/acme%2Fpublic/jobs/{public}/%61rtifacts").error(404, "404 Not Found"),
        get("the server is healthy", "/-/health").is(200),
        get("the server is ready", "/-/ready").is(200),
    ]
}

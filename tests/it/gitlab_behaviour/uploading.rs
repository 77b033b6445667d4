//! Jobs hand in archives and reports, and download those of others (endpoints U and R).

use serde_json::{Value, json};

use super::row::{By, Row, delete, get, head, post};
use super::world::{AT_ONCE, FORM_TYPE, Handing, World, archive};

pub(super) async fn prepare_uploads(world: &mut World) {
    let running = |name: &str| json!({"name": name, "status": "running"});
    for key in ["first", "second", "third", "query", "broken", "brief", "reports", "doomed"] {
        world.job(key, "acme/private", "private main", running(key), Handing::Nothing).await;
    }
    for (key, handing) in [("over", Handing::Nothing), ("over full", Handing::Archive)] {
        let over = json!({ "name": key });
        world.job(key, "acme/private", "private main", over, handing).await;
    }
}

fn hand_in(job: &str) -> String {
    format!("jobs/{{{job}}}/artifacts")
}

fn of(job: &str) -> String {
    format!("projects/acme%2Fprivate/jobs/{{{job}}}/artifacts")
}

fn who(job: &str) -> String {
    of(job) + "/who.txt"
}

pub(super) fn upload_rows() -> Vec<Row> {
    let mut rows = taken_rows();
    rows.extend(refused_rows());
    rows.extend(report_rows());
    rows.extend(again_rows());
    rows
}

#[rustfmt::skip]
fn taken_rows() -> Vec<Row> {
    vec![
        post("a running job hands in its archive", hand_in("first"))
            .by(By::Job("job first")).upload("first").is(201)
            .then_says(who("first"), "first"),
        post("the same archive again is handed in", hand_in("first"))
            .by(By::Job("job first")).upload("first").is(201)
            .then_says(who("first"), "first"),
        post("another archive for the same job is refused", hand_in("first"))
            .by(By::Job("job first")).upload("other").bad()
            .then_says(who("first"), "first"),
        get("the archive is what was handed in", of("first")).of("reporter").gives("first"),
        post("a job hands in with job_token", hand_in("query"))
            .by(By::JobParameter("job query")).upload("query").is(201)
            .then_says(who("query"), "query"),
        post("an archive may say what it is", hand_in("second") +
             "?artifact_format=zip&artifact_type=archive&expire_in=1+week+2+hours")
            .by(By::Job("job second")).upload("second").is(201)
            .then_says(who("second"), "second"),
        post("an archive may be handed in for a moment", hand_in("brief"))
            .by(By::Job("job brief"))
            .form(&[("expire_in", AT_ONCE)], Some(("artifacts.zip", &archive("brief"))))
            .is(201).then(of("brief"), 404),
        post("a job whose archive has expired takes no other", hand_in("brief"))
            .by(By::Job("job brief")).upload("other").bad().then(of("brief"), 404),
        post("a job whose archive has expired takes the same again", hand_in("brief"))
            .by(By::Job("job brief")).upload("brief").is(201).then_says(who("brief"), "brief"),
        post("an ingest token hands in for a job that is over", hand_in("over"))
            .of("ingest").upload("over").is(201).then_says(who("over"), "over"),
        post("an ingest token hands in the same again", hand_in("over"))
            .of("ingest").upload("over").is(201),
        post("an ingest token does not replace an archive", hand_in("over full"))
            .of("ingest").upload("other").bad().then_says(who("over full"), "over full"),
        post("an ingest token of one project hands in for its jobs", hand_in("third"))
            .of("ingest of a project")
            .form(&[("expire_in", "never")], Some(("artifacts.zip", &archive("third"))))
            .is(201).then_says(who("third"), "third"),
    ]
}

#[rustfmt::skip]
fn refused_rows() -> Vec<Row> {
    let whole = archive("broken");
    let job = By::Job("job broken");
    vec![
        post("an unknown JOB-TOKEN hands in nothing", hand_in("broken"))
            .by(By::Job("unknown")).upload("broken").forbidden().then(of("broken"), 404),
        post("nobody hands in", hand_in("broken")).upload("broken").forbidden()
            .then(of("broken"), 404),
        post("the token of another job hands in nothing", hand_in("broken"))
            .by(By::Job("job first")).upload("broken").forbidden().then(of("broken"), 404),
        post("a job that is over hands in nothing", hand_in("private"))
            .by(By::Job("job private")).upload("private").forbidden(),
        post("an access token hands in nothing", hand_in("broken"))
            .of("owner").upload("broken").is(403).then(of("broken"), 404),
        post("an ingest token of a developer hands in nothing", hand_in("broken"))
            .of("ingest developer").upload("broken").forbidden().then(of("broken"), 404),
        post("an ingest token of another group hands in nothing", hand_in("broken"))
            .of("ingest of acmecorp").upload("broken").is(404).then(of("broken"), 404),
        post("an unknown access token hands in nothing", hand_in("broken"))
            .of("unknown").upload("broken").unauthorized(),
        post("a revoked access token hands in nothing", hand_in("broken"))
            .of("revoked").upload("broken").unauthorized(),
        post("an ingest token hands in nothing for a job that does not exist",
             "jobs/999999/artifacts").of("ingest").upload("broken").is(404),
        post("what is no archive is refused with the reason", hand_in("broken")).by(job)
            .form(&[], Some(("artifacts.zip", b"just text"))).bad()
            .member_begins("/reason", "").then(of("broken"), 404),
        post("an empty file is refused", hand_in("broken")).by(job)
            .form(&[], Some(("artifacts.zip", b""))).bad().then(of("broken"), 404),
        post("half an archive is refused", hand_in("broken")).by(job)
            .form(&[], Some(("artifacts.zip", &whole[..whole.len() / 2]))).bad()
            .then(of("broken"), 404),
        post("a form without a file is refused", hand_in("broken")).by(job)
            .form(&[("expire_in", "1 day")], None).is(400).then(of("broken"), 404),
        post("a body that is no form is refused", hand_in("broken")).by(job)
            .json(&json!({})).is(400),
        post("a form that breaks off is refused", hand_in("broken")).by(job)
            .field("content-type", FORM_TYPE).body("--------------------------01234").is(400),
        post("a coded body is refused", hand_in("broken")).by(job).upload("broken")
            .field("content-encoding", "gzip").is(415).then(of("broken"), 404),
        post("an expiry that is no time is refused", hand_in("broken")).by(job)
            .form(&[("expire_in", "soon")], Some(("artifacts.zip", &whole)))
            .is(400).member_begins("/error", "expire_in").then(of("broken"), 404),
        post("an expiry in the query that is no time is refused",
             hand_in("broken") + "?expire_in=soon").by(job).upload("broken")
            .is(400).member_begins("/error", "expire_in").then(of("broken"), 404),
        post("an unknown type is refused", hand_in("broken") + "?artifact_type=picture")
            .by(job).upload("broken").is(400).member_begins("/error", "artifact_type"),
        post("an unknown format is refused", hand_in("broken") + "?artifact_format=tar")
            .by(job).upload("broken").is(400).member_begins("/error", "artifact_format"),
        post("a job that was refused may hand in after all", hand_in("broken")).by(job)
            .upload("broken").is(201).then_says(who("broken"), "broken"),
    ]
}

#[rustfmt::skip]
fn report_rows() -> Vec<Row> {
    let job = By::Job("job reports");
    let xml = b"<testsuite/>";
    let stored = archive("as a report");
    vec![
        post("a report is handed in", hand_in("reports")).by(job)
            .form(&[("artifact_type", "junit"), ("artifact_format", "gzip")],
                  Some(("junit.xml.gz", xml)))
            .is(201).then(of("reports"), 404),
        get("a report is no file of the job", of("reports") + "/junit.xml.gz").of("owner")
            .no_archive(),
        get("a report is no archive by ref",
            "projects/acme%2Fprivate/jobs/artifacts/main/download?job=reports").of("owner")
            .no_archive(),
        get("a report is nothing that another job depends on", hand_in("reports")).by(job)
            .no_archive(),
        post("the same report again is handed in", hand_in("reports")).by(job)
            .form(&[("artifact_type", "junit"), ("artifact_format", "gzip")],
                  Some(("junit.xml.gz", xml))).is(201),
        post("another report of the same type is refused", hand_in("reports")).by(job)
            .form(&[("artifact_type", "junit"), ("artifact_format", "gzip")],
                  Some(("junit.xml.gz", b"other"))).is(400),
        post("a report that is a zip is no archive either",
             hand_in("reports") + "?artifact_type=metadata&artifact_format=zip").by(job)
            .form(&[], Some(("metadata.zip", &stored))).is(201)
            .then(of("reports"), 404).then(who("reports"), 404),
        post("an archive that is not a zip is a report",
             hand_in("reports") + "?artifact_type=archive&artifact_format=gzip").by(job)
            .form(&[], Some(("artifacts.gz", b"\x1f\x8b"))).is(201).then(of("reports"), 404),
        post("an archive is handed in beside reports", hand_in("reports")).by(job)
            .upload("reports").is(201).then_says(who("reports"), "reports"),
    ]
}

#[rustfmt::skip]
fn again_rows() -> Vec<Row> {
    let job = By::Job("job doomed");
    vec![
        post("a job hands in what will be deleted", hand_in("doomed")).by(job)
            .upload("doomed").is(201).then_says(who("doomed"), "doomed"),
        delete("a maintainer deletes what a running job handed in", of("doomed"))
            .of("maintainer").is(204).then(of("doomed"), 404),
        post("a job whose archive was deleted takes no other", hand_in("doomed")).by(job)
            .upload("other").bad().then(of("doomed"), 404),
        post("a job whose archive was deleted takes no other from an ingest token either",
             hand_in("doomed")).of("ingest").upload("other").bad().then(of("doomed"), 404),
        post("a job whose archive was deleted takes the same bytes again", hand_in("doomed"))
            .by(job).upload("doomed").is(201).then_says(who("doomed"), "doomed"),
    ]
}

pub(super) async fn prepare_runners(world: &mut World) {
    for project in ["private", "friend", "public"] {
        let path = format!("acme/{project}");
        let running = json!({"name": "runs", "status": "running"});
        let pipeline = format!("{project} main");
        world.job(&format!("at {project}"), &path, &pipeline, running, Handing::Nothing).await;
    }
    for (key, job, handing) in [
        ("bare", json!({}), Handing::Nothing),
        ("expired", json!({}), Handing::Expiring(AT_ONCE)),
        ("failed", json!({"status": "failed"}), Handing::Archive),
    ] {
        let Value::Object(mut job) = job else { panic!("not an object") };
        job.insert("name".to_owned(), json!(key));
        world.job(key, "acme/private", "private main", Value::Object(job), handing).await;
    }
}

#[rustfmt::skip]
pub(super) fn runner_rows() -> Vec<Row> {
    let own = By::Job("job at private");
    vec![
        get("a job downloads an archive of its project", hand_in("private")).by(own)
            .gives("private"),
        get("a job downloads with job_token", hand_in("private"))
            .by(By::JobParameter("job at private")).gives("private"),
        head("a runner asks how long an archive is", hand_in("private")).by(own)
            .has("content-length", archive("private").len().to_string()),
        get("a runner takes an archive in ranges", hand_in("private")).by(own)
            .field("range", "bytes=0-3").is(206).bytes("PK\x03\x04"),
        get("a runner that could be redirected is not",
            hand_in("private") + "?direct_download=true")
            .by(own).gives("private"),
        get("whether it could be redirected is true or false",
            hand_in("private") + "?direct_download=maybe").by(own)
            .error(400, "direct_download is invalid"),
        get("a job downloads from a failed job of its project", hand_in("failed")).by(own)
            .gives("failed"),
        get("a job downloads from a project that lets it in", hand_in("closed"))
            .by(By::Job("job at friend")).gives("closed"),
        get("a job downloads from a public project", hand_in("public")).by(own).gives("public"),
        get("a job is forbidden the archive of a project that does not let it in",
            hand_in("closed")).by(own).forbidden(),
        get("a job is forbidden the archive of a private project from outside",
            hand_in("private")).by(By::Job("job at public")).forbidden(),
        get("nobody downloads as a runner", hand_in("private")).unauthorized(),
        get("nobody downloads as a runner from a public project either", hand_in("public"))
            .unauthorized(),
        get("an unknown JOB-TOKEN downloads nothing", hand_in("private"))
            .by(By::Job("unknown")).unauthorized(),
        get("a job that is over downloads nothing", hand_in("private"))
            .by(By::Job("job private")).unauthorized(),
        get("an access token is no runner", hand_in("private")).of("owner").forbidden(),
        get("an unknown access token is no runner", hand_in("private")).of("unknown")
            .unauthorized(),
        get("a job without artifacts has none for a runner", hand_in("bare")).by(own)
            .no_archive(),
        get("what has expired is not there for a runner", hand_in("expired")).by(own)
            .no_archive(),
        get("a job that does not exist has nothing for a runner", "jobs/999999/artifacts")
            .by(own).no_job(),
        get("a job id that is no number has nothing for a runner", "jobs/x/artifacts").by(own)
            .error(400, "job_id is invalid"),
    ]
}

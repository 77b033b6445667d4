//! One file and the whole archive by job id (endpoints A and C).

use serde_json::json;

use super::row::{Row, get, head};
use super::world::{AT_ONCE, Handing, World, archive_tag, file_tag, long_path};
use crate::harness::sha256;

pub(super) async fn prepare(world: &mut World) {
    let public = "acme/public";
    for access in ["developer", "maintainer", "none"] {
        let job = json!({"name": access, "artifacts_access": access});
        world.job(access, public, "public main", job, Handing::Archive).await;
    }
    let job = json!({"name": "developer", "artifacts_access": "developer"});
    world.job("private developer", "acme/private", "private main", job, Handing::Archive).await;
    let locked = json!({"name": "locked", "locked": true});
    world.job("locked", public, "public main", locked, Handing::Expiring(AT_ONCE)).await;
    let expired = json!({"name": "expired"});
    world.job("expired", public, "public main", expired, Handing::Expiring(AT_ONCE)).await;
    let later = json!({"name": "later"});
    world.job("later", public, "public main", later, Handing::Expiring("3 weeks and 2 days")).await;
    world.job("bare", public, "public main", json!({"name": "bare"}), Handing::Nothing).await;
    let failed = json!({"name": "failed", "status": "failed"});
    world.job("failed", public, "public main", failed, Handing::Archive).await;
    let retried = json!({"name": "retried", "retried": true});
    world.job("retried", public, "public main", retried, Handing::Archive).await;
    let pipeline = json!({"ref": "broken", "status": "failed"});
    world.pipeline("broken", public, pipeline).await;
    world.job("of a failed pipeline", public, "broken", json!({}), Handing::Archive).await;
    let running = json!({"name": "running", "status": "running"});
    world.job("running", public, "public main", running, Handing::Archive).await;
}

const FILE: &str = "projects/acme%2Fpublic/jobs/{public}/artifacts";

fn file(path: &str) -> String {
    format!("{FILE}/{path}")
}

fn of(project: &str, job: &str) -> String {
    format!("projects/acme%2F{project}/jobs/{{{job}}}/artifacts")
}

fn who(project: &str, job: &str) -> String {
    of(project, job) + "/who.txt"
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = access_rows();
    rows.extend(state_rows());
    rows.extend(path_rows());
    rows.extend(header_rows());
    rows
}

#[rustfmt::skip]
fn access_rows() -> Vec<Row> {
    vec![
        get("anonymous reads a file of a public project", who("public", "public"))
            .gives_who("public"),
        get("anonymous reads the archive of a public project", FILE).gives("public"),
        get("a project is known by its number too",
            "projects/{project public}/jobs/{public}/artifacts/who.txt").gives_who("public"),
        get("a file where pipelines are private is forbidden to anonymous", who("quiet", "quiet"))
            .forbidden(),
        get("an archive where pipelines are private is forbidden to anonymous",
            of("quiet", "quiet")).forbidden(),
        get("a file where pipelines are private is forbidden to a guest", who("quiet", "quiet"))
            .of("guest").forbidden(),
        get("a file where pipelines are private is forbidden to a stranger", who("quiet", "quiet"))
            .of("stranger").forbidden(),
        get("a file where pipelines are private is read by a reporter", who("quiet", "quiet"))
            .of("reporter").gives_who("quiet"),
        get("a file of a private project is not found by anonymous", who("private", "private"))
            .no_project(),
        get("an archive of a private project is not found by anonymous", of("private", "private"))
            .no_project(),
        get("a file of a private project is not found by a stranger", who("private", "private"))
            .of("stranger").no_project(),
        get("a guest of a private project reads where pipelines are public to members",
            who("private", "private")).of("guest").gives_who("private"),
        get("a guest of a private project is forbidden where they are not",
            who("closed", "closed")).of("guest").forbidden(),
        get("a reporter reads a file of a private project", who("closed", "closed"))
            .of("reporter").gives_who("closed"),
        get("a reporter reads an archive of a private project", of("closed", "closed"))
            .of("reporter").gives("closed"),
        get("a file of an internal project is not found by anonymous",
            who("internal", "internal")).no_project(),
        get("any valid token reads an internal project", who("internal", "internal"))
            .of("stranger").gives_who("internal"),
        get("a stranger is forbidden where an internal project's pipelines are private",
            who("internal-quiet", "internal-quiet")).of("stranger").forbidden(),
        get("a reporter reads where an internal project's pipelines are private",
            who("internal-quiet", "internal-quiet")).of("reporter").gives_who("internal-quiet"),
        get("a project that does not exist is not found", "projects/acme%2Fnone/jobs/1/artifacts/a")
            .no_project(),
        get("a project whose number does not exist is not found",
            "projects/999999/jobs/1/artifacts/a").no_project(),
        get("a token for acme does not reach acmecorp/x",
            "projects/acmecorp%2Fx/jobs/{x}/artifacts/who.txt").of("owner").no_project(),
        get("a token for acmecorp reads acmecorp/x",
            "projects/acmecorp%2Fx/jobs/{x}/artifacts/who.txt").of("stranger").gives_who("x"),
        get("a token for acm does not reach acme/private", who("private", "private"))
            .of("half a name").no_project(),
        get("a token for a group reads the projects of a group below it",
            "projects/acme%2Fgroup%2Fnested/jobs/{nested}/artifacts/who.txt").of("reporter")
            .gives_who("nested"),
        get("a token for one project reads it", who("private", "private"))
            .of("project reporter").gives_who("private"),
        get("a token for one project does not reach the next", who("friend", "friend"))
            .of("project reporter").no_project(),

        get("a file of artifacts for developers is forbidden to anonymous",
            who("public", "developer")).forbidden(),
        get("an archive of artifacts for developers is forbidden to anonymous",
            of("public", "developer")).forbidden(),
        get("a file of artifacts for developers is forbidden to a reporter",
            who("public", "developer")).of("reporter").forbidden(),
        get("a file of artifacts for developers is read by a developer", who("public", "developer"))
            .of("developer").gives_who("developer"),
        get("artifacts for developers are forbidden to a reporter of a private project",
            who("private", "private developer")).of("reporter").forbidden(),
        get("artifacts for developers of a private project are not found by anonymous",
            who("private", "private developer")).no_project(),
        get("a file of artifacts for maintainers is forbidden to a developer",
            who("public", "maintainer")).of("developer").forbidden(),
        get("a file of artifacts for maintainers is read by a maintainer",
            who("public", "maintainer")).of("maintainer").gives_who("maintainer"),
        get("a file of artifacts for nobody is forbidden to the owner", who("public", "none"))
            .of("owner").forbidden(),
        get("an archive of artifacts for nobody is forbidden to the owner", of("public", "none"))
            .of("owner").forbidden(),
    ]
}

#[rustfmt::skip]
fn state_rows() -> Vec<Row> {
    vec![
        get("a file that has expired is not found", who("public", "expired")).no_archive(),
        get("an archive that has expired is not found", of("public", "expired")).no_archive(),
        get("an archive that has expired is not found by the owner", of("public", "expired"))
            .of("owner").no_archive(),
        get("a file that has expired and is locked is served", who("public", "locked"))
            .gives_who("locked"),
        get("an archive that has expired and is locked is served", of("public", "locked"))
            .gives("locked"),
        get("an archive that will expire is served until then", of("public", "later"))
            .gives("later"),
        get("a file of a job without artifacts is not found", who("public", "bare")).no_archive(),
        get("an archive of a job without artifacts is not found", of("public", "bare"))
            .no_archive(),
        get("a job that does not exist is not found",
            "projects/acme%2Fpublic/jobs/999999/artifacts/who.txt").no_job(),
        get("an archive of a job that does not exist is not found",
            "projects/acme%2Fpublic/jobs/999999/artifacts").no_job(),
        get("a job of another project is not found", who("public", "internal"))
            .of("owner").no_job(),
        get("an archive of a job of another project is not found", of("public", "internal"))
            .of("owner").no_job(),
        get("artifacts of a failed job are served by its id", who("public", "failed"))
            .gives_who("failed"),
        get("artifacts of a retried job are served by its id", who("public", "retried"))
            .gives_who("retried"),
        get("artifacts of a failed pipeline are served by the job's id",
            who("public", "of a failed pipeline")).gives_who("of a failed pipeline"),
        get("artifacts of a job that still runs are served by its id", of("public", "running"))
            .gives("running"),
    ]
}

#[rustfmt::skip]
fn path_rows() -> Vec<Row> {
    vec![
        get("a file that is not in the archive is not found", file("none.txt")).no_file(),
        get("a name in another case is another name", file("WHO.txt")).no_file(),
        get("a directory is not a file", file("site")).no_file(),
        get("a directory with its slash is not a file", file("site/")).no_file(),
        get("nothing after the slash is the archive", file("")).gives("public"),
        get("slashes in a path may be encoded", file("site%2Findex.html"))
            .says("<h1>hello</h1>"),
        get("slashes in a path collapse", file("site///index.html")).says("<h1>hello</h1>"),
        get("one trailing slash is dropped", file("who.txt/")).says("public"),
        get("a space in a path", file("odd/sp%20ace")).says("space"),
        get("a plus in a path stays a plus", file("odd/a+b")).says("plus"),
        get("a plus in a path may be encoded", file("odd/a%2Bb")).says("plus"),
        get("a hash in a path", file("odd/a%23b")).says("hash"),
        get("a percent sign in a path", file("odd/100%25")).says("percent"),
        get("an umlaut in a path", file("odd/pr%C3%BCfung")).says("umlaut"),
        get("a path is decoded once", file("odd/100%2525")).no_file(),
        get("a file named tree is had with raw=true", file("tree?raw=true"))
            .says("a file named tree"),
        get("an entry that is there twice is refused", file("twice.txt"))
            .is(422).member_begins("/message", "422 Unprocessable entry - ")
            .member_begins("/reason", ""),
        get("an encrypted entry is refused", file("locked.txt"))
            .is(422).member_begins("/message", "422 Unprocessable entry - "),
        get("a path that climbs is refused", file("site/%2e%2e/who.txt")).bad(),
        get("a path that climbs by an encoded slash is refused", file("..%2Fwho.txt")).bad(),
        get("a path that climbs by a backslash is refused", file("..%5Cwho.txt")).bad(),
        get("a path with a dot for a segment is refused", file("site/%2E/index.html")).bad(),
        get("an absolute path is refused", file("%2Fwho.txt")).bad(),
        get("a path with a drive is refused", file("C:%5Cwho.txt")).bad(),
        get("a path with NUL is refused", file("who.txt%00")).bad(),
        get("a path with a line feed is refused", file("who%0A.txt")).bad(),
        get("malformed percent-encoding is refused", file("who%zz.txt")).bad(),
        get("a path that is not UTF-8 is refused", file("who%ff.txt")).bad(),
        get("a path of 4,097 bytes is refused", file(long_path())).bad(),
        get("a path of 4,096 bytes is not found", file(&long_path()[1..])).no_file(),
        get("a job id that is no number is no job",
            "projects/acme%2Fpublic/jobs/new/artifacts/who.txt").error(400, "job_id is invalid"),
    ]
}

#[rustfmt::skip]
fn header_rows() -> Vec<Row> {
    vec![
        get("a file goes out as an attachment that no browser runs", file("site/index.html"))
            .has("content-type", "text/html; charset=utf-8")
            .has("content-disposition",
                 "attachment; filename=\"index.html\"; filename*=UTF-8''index.html")
            .has("x-content-type-options", "nosniff")
            .has("content-security-policy", "default-src 'none'; sandbox")
            .has("x-frame-options", "DENY")
            .has("cross-origin-resource-policy", "same-origin")
            .has("referrer-policy", "no-referrer"),
        get("a name that is not ASCII is given in UTF-8", file("odd/pr%C3%BCfung"))
            .begins("content-disposition", "attachment; filename=\"")
            .has("etag", file_tag("public", "odd/pr\u{fc}fung")),
        get("JSON is JSON by job id", file("site/data.json"))
            .has("content-type", "application/json"),
        get("a picture is a picture by job id", file("site/photo.png"))
            .has("content-type", "image/png"),
        get("text of an unknown extension is text", file("LICENSE"))
            .has("content-type", "text/plain; charset=utf-8"),
        get("what is not text of an unknown extension is bytes", file("blob.unknown"))
            .has("content-type", "application/octet-stream"),
        get("a verified file by id may be kept by anybody for long", who("public", "public"))
            .begins("cache-control", "public, max-age=").begins("last-modified", ""),
        get("what anonymous may not read is kept by the caller alone", who("private", "private"))
            .of("reporter").begins("cache-control", "private"),
        get("artifacts for developers are kept by the caller alone", who("public", "developer"))
            .of("developer").begins("cache-control", "private"),
        get("a range of a file", who("public", "public")).field("range", "bytes=1-2")
            .is(206).bytes("ub").has("content-range", "bytes 1-2/6"),
        get("the end of a file", who("public", "public")).field("range", "bytes=-2")
            .is(206).bytes("ic").has("content-range", "bytes 4-5/6"),
        get("a range past the end", who("public", "public")).field("range", "bytes=6-")
            .is(416).has("content-range", "bytes */6"),
        get("a range of an archive", FILE).field("range", "bytes=0-3").is(206).bytes("PK\x03\x04"),
        get("a malformed range is ignored", who("public", "public")).field("range", "bytes=2-1")
            .gives_who("public"),
        head("a range is ignored on HEAD", who("public", "public")).field("range", "bytes=1-2")
            .is(200).has("content-length", "6"),
        get("a file that the client has", who("public", "public"))
            .field("if-none-match", file_tag("public", "who.txt")).is(304).bytes("")
            .has("etag", file_tag("public", "who.txt")),
        get("an archive that the client has", FILE)
            .field("if-none-match", archive_tag("public")).is(304).bytes(""),
        get("not modified still authenticates", who("private", "private"))
            .field("if-none-match", file_tag("private", "who.txt")).no_project(),
        get("not modified still looks whether the file is there", file("none.txt"))
            .field("if-none-match", "*").no_file(),
        get("a file that changed for the client", who("public", "public"))
            .field("if-match", "\"other\"").is(412),
        get("nothing acceptable", who("public", "public"))
            .field("accept-encoding", "identity;q=0, *;q=0").is(406),
        get("a coded file has a tag of its own", who("public", "public"))
            .field("accept-encoding", "gzip").has("vary", "Accept-Encoding"),
        get("an archive is never coded", FILE).field("accept-encoding", "gzip, zstd")
            .gives("public"),
        get("two ranges of a file", who("public", "public")).field("range", "bytes=0-0,5-5")
            .is(206).begins("content-type", "multipart/byteranges"),
        get("if-range with the wrong tag is the whole file", who("public", "public"))
            .field("range", "bytes=1-2").field("if-range", format!("\"{}\"", sha256(b"")))
            .gives_who("public"),
    ]
}

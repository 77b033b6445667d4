//! One file and the whole archive by ref and job name (endpoints B and D, api.md section 4).

use serde_json::{Value, json};

use super::row::{Row, get};
use super::world::{AT_ONCE, Handing, World, archive_tag, file_tag};
use crate::client::encoded_segment;

const REFS: [&str; 8] = [
    "feature/x",
    "feature/x/y",
    "sp ace",
    "v1.0+build",
    "is#1",
    "100%",
    "\u{fc}mlaut/\u{f6}",
    "main/raw/odd",
];

pub(super) async fn prepare(world: &mut World) {
    let project = "acme/public";
    let success = |ref_name: &str| json!({"ref": ref_name, "status": "success"});
    let child = |parent: u64, ref_name: &str| {
        json!({"ref": ref_name, "status": "success", "parent_pipeline_id": parent,
               "source": "parent_pipeline"})
    };
    let named = |name: &str| json!({ "name": name });

    for (key, status) in
        [("old", "success"), ("new", "success"), ("failed", "failed"), ("running", "running")]
    {
        let pipeline = format!("{key} of develop");
        world.pipeline(&pipeline, project, json!({"ref": "develop", "status": status})).await;
        world.job(key, project, &pipeline, json!({}), Handing::Archive).await;
    }
    for ref_name in REFS {
        let pipeline = format!("pipeline {ref_name}");
        world.pipeline(&pipeline, project, success(ref_name)).await;
        world
            .job(&format!("ref {ref_name}"), project, &pipeline, json!({}), Handing::Archive)
            .await;
    }
    for (key, tag) in [("the branch", false), ("the tag", true)] {
        let pipeline = json!({"ref": "v2", "status": "success", "tag": tag});
        world.pipeline(&format!("{key} v2"), project, pipeline).await;
        world.job(key, project, &format!("{key} v2"), json!({}), Handing::Archive).await;
    }

    // A parent, two children, a grandchild; and a child without a parent of that ref.
    world.pipeline("parent", project, success("family")).await;
    let parent = world.id("parent");
    world.pipeline("older child", project, child(parent, "family")).await;
    world.pipeline("younger child", project, child(parent, "family")).await;
    let older = world.id("older child");
    world.pipeline("grandchild", project, child(older, "family")).await;
    for (key, pipeline, name) in [
        ("everywhere, parent", "parent", "everywhere"),
        ("everywhere, older child", "older child", "everywhere"),
        ("children, younger", "younger child", "in both children"),
        ("children, older", "older child", "in both children"),
        ("below, grandchild", "grandchild", "below"),
        ("below, younger child", "younger child", "below"),
        ("deep", "grandchild", "deep"),
    ] {
        world.job(key, project, pipeline, named(name), Handing::Archive).await;
    }
    world.job("bare parent", project, "parent", named("rest"), Handing::Nothing).await;
    world.job("rest of the child", project, "older child", named("rest"), Handing::Archive).await;
    world.pipeline("orphan", project, child(parent, "only-a-child")).await;
    world.job("orphan job", project, "orphan", json!({}), Handing::Archive).await;

    world.pipeline("states", project, success("states")).await;
    let retried = json!({"name": "flaky", "retried": true});
    for (key, job, handing) in [
        ("flaky first", retried, Handing::Archive),
        ("flaky again", named("flaky"), Handing::Archive),
        ("given up", json!({"name": "given up", "retried": true}), Handing::Archive),
        (
            "lint",
            json!({"name": "lint", "status": "failed", "allow_failure": true}),
            Handing::Archive,
        ),
        ("bare", named("bare"), Handing::Nothing),
        ("locked", json!({"name": "locked", "locked": true}), Handing::Expiring(AT_ONCE)),
        ("expired", named("expired"), Handing::Expiring(AT_ONCE)),
        ("odd name", named("build: [linux, x86] 1/2"), Handing::Archive),
        ("team", json!({"name": "team", "artifacts_access": "developer"}), Handing::Archive),
    ] {
        world.job(key, project, "states", job, handing).await;
    }

    // 101 successful pipelines, the two oldest with a job.
    for key in ["outside", "inside"] {
        let pipeline = format!("{key} the window");
        world.pipeline(&pipeline, project, success("window")).await;
        world.job(key, project, &pipeline, named(key), Handing::Archive).await;
    }
    for nth in 2..101 {
        world.pipeline(&format!("window {nth}"), project, success("window")).await;
    }

    // The newest successful pipeline has lost, or never had, what an older one has.
    world.pipeline("older", project, success("search")).await;
    for name in ["build", "gone"] {
        world.job(&format!("older {name}"), project, "older", named(name), Handing::Archive).await;
    }
    world.pipeline("newer", project, success("search")).await;
    world.job("newer gone", project, "newer", named("gone"), Handing::Expiring(AT_ONCE)).await;
}

fn download(ref_name: &str, job: &str) -> String {
    let ref_name = encoded_segment(ref_name.as_bytes());
    let job = encoded_segment(job.as_bytes());
    format!("projects/acme%2Fpublic/jobs/artifacts/{ref_name}/download?job={job}")
}

fn raw(ref_name: &str, path: &str, job: &str) -> String {
    let ref_name = encoded_segment(ref_name.as_bytes());
    let job = encoded_segment(job.as_bytes());
    format!("projects/acme%2Fpublic/jobs/artifacts/{ref_name}/raw/{path}?job={job}")
}

fn who(ref_name: &str, job: &str) -> String {
    raw(ref_name, "who.txt", job)
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = ref_rows();
    rows.extend(pipeline_rows());
    rows.extend(raw_rows());
    rows.extend(parameter_rows());
    rows
}

#[rustfmt::skip]
fn ref_rows() -> Vec<Row> {
    let plain = |ref_name: &str| {
        format!("projects/acme%2Fpublic/jobs/artifacts/{ref_name}/download?job=build")
    };
    vec![
        get("the archive of a ref", download("main", "build")).gives("public"),
        get("a file of a ref", who("main", "build")).gives_who("public"),
        get("an archive of an unknown ref is not found", download("none", "build")).no_job(),
        get("a file of an unknown ref is not found", who("none", "build")).no_job(),
        get("an archive of an unknown job is not found", download("main", "none")).no_job(),
        get("a file of an unknown job is not found", who("main", "none")).no_job(),
        get("an unknown file of a ref is not found", raw("main", "none.txt", "build")).no_file(),
        get("a branch with a slash, encoded", download("feature/x", "build"))
            .gives("ref feature/x"),
        get("a branch with a slash, as it is", plain("feature/x")).gives("ref feature/x"),
        get("a branch with two slashes, as they are", plain("feature/x/y"))
            .gives("ref feature/x/y"),
        get("a branch with two slashes, one of them encoded", plain("feature%2Fx/y"))
            .gives("ref feature/x/y"),
        get("a file of a branch with a slash, as it is",
            "projects/acme%2Fpublic/jobs/artifacts/feature/x/raw/who.txt?job=build")
            .gives_who("ref feature/x"),
        get("the beginning of a branch is no branch", plain("feature")).no_job(),
        get("a branch with a space", download("sp ace", "build")).gives("ref sp ace"),
        get("a branch with a plus", download("v1.0+build", "build")).gives("ref v1.0+build"),
        get("a branch with a plus, as it is", plain("v1.0+build")).gives("ref v1.0+build"),
        get("a branch with a hash", who("is#1", "build")).gives_who("ref is#1"),
        get("a branch with a percent sign", who("100%", "build")).gives_who("ref 100%"),
        get("a branch with umlauts", download("\u{fc}mlaut/\u{f6}", "build"))
            .gives("ref \u{fc}mlaut/\u{f6}"),
        get("a ref counts byte for byte", download("Main", "build")).no_job(),
        get("a ref is decoded once", plain("feature%252Fx")).no_job(),
        get("a trailing slash is dropped",
            "projects/acme%2Fpublic/jobs/artifacts/main/download/?job=build").gives("public"),
        get("a ref of an internal project is not found by anonymous",
            "projects/acme%2Finternal/jobs/artifacts/main/download?job=build").no_project(),
        get("a stranger reads a ref of an internal project",
            "projects/acme%2Finternal/jobs/artifacts/main/download?job=build")
            .of("stranger").gives("internal"),
        get("HEAD is no ref", download("HEAD", "build")).no_job(),
        get("a commit is no ref", download("9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1", "build"))
            .no_job(),
        get("refs/heads/main is not main", download("refs/heads/main", "build")).no_job(),
        get("of a branch and a tag of one name the newer pipeline counts", who("v2", "build"))
            .gives_who("the tag"),
        get("a ref of a private project is not found by anonymous",
            "projects/acme%2Fprivate/jobs/artifacts/main/download?job=build").no_project(),
        get("a ref where pipelines are private is forbidden to anonymous",
            "projects/acme%2Fquiet/jobs/artifacts/main/raw/who.txt?job=build").forbidden(),
        get("a reporter reads a ref of a private project",
            "projects/acme%2Fclosed/jobs/artifacts/main/download?job=build")
            .of("reporter").gives("closed"),
        get("artifacts for developers are forbidden by ref too", who("states", "team"))
            .forbidden(),
    ]
}

#[rustfmt::skip]
fn pipeline_rows() -> Vec<Row> {
    let searched = |job: &str, value: &str| {
        who("search", job) + "&search_recent_successful_pipelines=" + value
    };
    vec![
        get("the highest successful pipeline counts, not a later one that failed or runs",
            who("develop", "build")).gives_who("new"),
        get("a job of a child pipeline is found by the parent's ref", download("family", "deep"))
            .gives("deep"),
        get("a file of a job of a child pipeline", who("family", "deep")).gives_who("deep"),
        get("the parent comes before its children", who("family", "everywhere"))
            .gives_who("everywhere, parent"),
        get("the older child comes before the younger", who("family", "in both children"))
            .gives_who("children, older"),
        get("children come before grandchildren", who("family", "below"))
            .gives_who("below, younger child"),
        get("a job without an archive gives way to the child's", who("family", "rest"))
            .gives_who("rest of the child"),
        get("a child pipeline does not count by itself", download("only-a-child", "build"))
            .no_job(),
        get("a retried job gives way to the one that came after", who("states", "flaky"))
            .gives_who("flaky again"),
        get("a retried job alone is not found", who("states", "given up")).no_job(),
        get("a failed job of a successful pipeline is served", who("states", "lint"))
            .gives_who("lint"),
        get("a job without artifacts has none by ref", download("states", "bare")).no_archive(),
        get("what has expired is not found by ref", download("states", "expired")).no_archive(),
        get("what has expired and is locked is served by ref", who("states", "locked"))
            .gives_who("locked"),
        get("a job name counts byte for byte", who("states", "Flaky")).no_job(),
        get("a job name may have what needs encoding", who("states", "build: [linux, x86] 1/2"))
            .gives_who("odd name"),
        get("the newest successful pipeline counts though it lacks the job", who("search", "build"))
            .no_job(),
        get("the newest successful pipeline counts though its archive has expired",
            who("search", "gone")).no_archive(),
        get("an older pipeline is searched where it is asked for", searched("build", "true"))
            .gives_who("older build"),
        get("yes is true", searched("build", "yes")).gives_who("older build"),
        get("an older pipeline is not searched where it is not asked for",
            searched("build", "false")).no_job(),
        get("searching does not find what is nowhere", searched("none", "true")).no_job(),
        get("a search is asked for with true or false", searched("build", "maybe"))
            .error(400, "search_recent_successful_pipelines is invalid"),
        get("the search reaches the hundredth newest successful pipeline",
            who("window", "inside") + "&search_recent_successful_pipelines=true")
            .gives_who("inside"),
        get("the search ends at the hundredth newest successful pipeline",
            who("window", "outside") + "&search_recent_successful_pipelines=true").no_job(),
        get("the archive of an older pipeline",
            download("search", "build") + "&search_recent_successful_pipelines=1")
            .gives("older build"),
    ]
}

#[rustfmt::skip]
fn raw_rows() -> Vec<Row> {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let raw = |path: &str| raw("main", path, "build");
    vec![
        get("HTML is plain text by ref", raw("site/index.html"))
            .has("content-type", PLAIN).says("<h1>hello</h1>")
            .has("content-disposition",
                 "attachment; filename=\"index.html\"; filename*=UTF-8''index.html"),
        get("JSON is plain text by ref", raw("site/data.json")).has("content-type", PLAIN),
        get("JavaScript is plain text by ref", raw("site/lib.js")).has("content-type", PLAIN),
        get("XML is plain text by ref", raw("site/feed.xml")).has("content-type", PLAIN),
        get("a drawing in XML is plain text by ref", raw("site/logo.svg"))
            .has("content-type", PLAIN),
        get("text of an unknown extension is plain text by ref", raw("LICENSE"))
            .has("content-type", PLAIN),
        get("a picture is a picture by ref", raw("site/photo.png"))
            .has("content-type", "image/png"),
        get("what is not text of an unknown extension is bytes by ref", raw("blob.unknown"))
            .has("content-type", "application/octet-stream"),
        get("what a ref means is asked again each time", raw("who.txt"))
            .has("cache-control", "public, no-cache").has("etag", file_tag("public", "who.txt")),
        get("an archive by ref is asked again each time", download("main", "build"))
            .has("cache-control", "public, no-cache").has("etag", archive_tag("public")),
        get("a file by ref that the client has", raw("who.txt"))
            .field("if-none-match", file_tag("public", "who.txt")).is(304).bytes(""),
        get("a range of a file by ref", raw("who.txt")).field("range", "bytes=0-0")
            .is(206).bytes("p"),
        get("a range of an archive by ref", download("main", "build"))
            .field("range", "bytes=0-1").is(206).bytes("PK"),
        get("a path by ref may have slashes encoded", raw("odd%2Fraw%2Fx")).says("x under raw"),
        get("a file named download is a file by ref", raw("download"))
            .says("a file named download"),
        get("a ref with raw in it is the longest that exists", raw("odd/raw/who.txt"))
            .gives_who("ref main/raw/odd"),
        get("an entry that is there twice is refused by ref", raw("twice.txt"))
            .is(422).member_begins("/message", "422 Unprocessable entry - "),
        get("a path that climbs is refused by ref", raw("%2e%2e/who.txt")).bad(),
        get("nothing after raw is refused", raw("")).bad(),
        get("a directory is no file by ref", raw("site")).no_file(),
    ]
}

#[rustfmt::skip]
fn parameter_rows() -> Vec<Row> {
    let base = "projects/acme%2Fpublic/jobs/artifacts";
    let download = |query: &str| format!("{base}/main/download?{query}");
    let missing = Value::from("job is missing");
    vec![
        get("an archive by ref needs a job", download(""))
            .is(400).member("/error", missing.clone()),
        get("a file by ref needs a job", format!("{base}/main/raw/who.txt"))
            .is(400).member("/error", missing),
        get("a job that is named twice is refused", download("job=build&job=lint"))
            .is(400).member_begins("/error", "job"),
        get("a job that is named twice alike is refused", download("job=build&job=build"))
            .is(400).member_begins("/error", "job"),
        get("a plus in a query is a space",
            format!("{base}/states/raw/who.txt?job=build:+[linux,+x86]+1/2"))
            .gives_who("odd name"),
        get("an unknown parameter means nothing", download("job=build&x=1&x=2")).gives("public"),
        get("a query of nothing but its mark has no job", format!("{base}/main/download?"))
            .error(400, "job is missing"),
    ]
}

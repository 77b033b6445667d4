//! The crate `gitlab`: every query it has for job artifacts.

use entryway_clients::{Outcome, check, plan, same};
use gitlab::api::projects::artifacts::DeleteProjectArtifacts;
use gitlab::api::projects::jobs::artifacts::{
    DeleteJobArtifacts, DownloadJobArtifactFile, DownloadJobArtifacts, DownloadRefJobArtifactFile,
    DownloadRefJobArtifacts, KeepJobArtifacts,
};
use gitlab::api::{ApiError, Endpoint, Query, ignore, raw};
use gitlab::{Gitlab, GitlabBuilder, GitlabError, RestError};
use serde_json::{Value, json};

/// Fails unless the query was answered with this status and message.
fn refused<T>(answer: Result<T, ApiError<RestError>>, status: u16, message: &str) -> Outcome {
    match answer {
        Ok(_) => Err("it was answered".into()),
        Err(ApiError::GitlabWithStatus { status: got, msg })
            if got.as_u16() == status && msg == message =>
        {
            Ok(())
        }
        Err(other) => Err(other.into()),
    }
}

fn fetched(api: &Gitlab, endpoint: impl Endpoint, expected: &Value) -> Outcome {
    same(&raw(endpoint).query(api)?, expected)
}

struct World {
    plan: Value,
    host: String,
    project: String,
}

impl World {
    fn client(&self, role: &str) -> Result<Gitlab, GitlabError> {
        Gitlab::builder(&self.host, self.token(role)).insecure().build()
    }

    fn token(&self, role: &str) -> &str {
        self.plan["tokens"][role].as_str().expect("a token")
    }

    fn job(&self, key: &str) -> &Value {
        &self.plan["jobs"][key]
    }

    fn id(&self, key: &str) -> u64 {
        self.job(key)["id"].as_u64().expect("a job has an id")
    }

    fn archive(&self, key: &str) -> DownloadJobArtifacts<'_> {
        let mut endpoint = DownloadJobArtifacts::builder();
        endpoint.project(&self.project).job(self.id(key)).build().expect("all fields are set")
    }

    fn file<'a>(&'a self, path: &'a str) -> DownloadJobArtifactFile<'a> {
        let mut endpoint = DownloadJobArtifactFile::builder();
        endpoint.project(&self.project).job(self.id("build")).path(path);
        endpoint.build().expect("all fields are set")
    }

    fn archive_of_ref<'a>(&'a self, name: &'a str, job: &'a str) -> DownloadRefJobArtifacts<'a> {
        let mut endpoint = DownloadRefJobArtifacts::builder();
        endpoint.project(&self.project).ref_name(name).job(job);
        endpoint.build().expect("all fields are set")
    }

    fn file_of_ref<'a>(
        &'a self,
        name: &'a str,
        job: &'a str,
        path: &'a str,
    ) -> DownloadRefJobArtifactFile<'a> {
        let mut endpoint = DownloadRefJobArtifactFile::builder();
        endpoint.project(&self.project).ref_name(name).job(job).path(path);
        endpoint.build().expect("all fields are set")
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plan = plan();
    let url = plan["url"].as_str().expect("a url");
    let host = url.strip_prefix("http://").expect("an http url").to_owned();
    let project = plan["projects"]["private"]["path"].as_str().expect("a path").to_owned();
    let world = World { plan, host, project };
    let reporter = world.client("reporter")?;
    let developer = world.client("developer")?;
    let maintainer = world.client("maintainer")?;

    reads(&world, &reporter);
    credentials(&world, &reporter);
    changes(&world, &reporter, &developer, &maintainer);
    Ok(())
}

fn reads(world: &World, reporter: &Gitlab) {
    check("the archive by job", || fetched(reporter, world.archive("build"), world.job("build")));
    check("the archive by job of a project by number", || {
        let number = world.plan["projects"]["private"]["id"].as_u64().ok_or("no number")?;
        let endpoint =
            DownloadJobArtifacts::builder().project(number).job(world.id("build")).build()?;
        fetched(reporter, endpoint, world.job("build"))
    });
    for row in world.plan["refs"].as_array().into_iter().flatten() {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let (name, job, key, marker) = (text("ref"), text("job"), text("key"), text("marker"));
        check(&format!("the archive of {name}, {job}"), || {
            fetched(reporter, world.archive_of_ref(&name, &job), world.job(&key))
        });
        check(&format!("a file of {name}, {job}"), || {
            let got = raw(world.file_of_ref(&name, &job, "ref.txt")).query(reporter)?;
            let same = got == marker.as_bytes();
            if same { Ok(()) } else { Err(String::from_utf8_lossy(&got).into()) }
        });
    }
    for (name, expected) in world.plan["files"].as_object().into_iter().flatten() {
        check(&format!("by job, {name}"), || fetched(reporter, world.file(name), expected));
        check(&format!("by ref, {name}"), || {
            fetched(reporter, world.file_of_ref("main", "build", name), expected)
        });
    }
    check("no such file is 404", || {
        refused(raw(world.file("no/such.txt")).query(reporter), 404, "404 File Not Found")
    });
    check("no such ref is 404", || {
        refused(raw(world.archive_of_ref("no/such", "build")).query(reporter), 404, "404 Not found")
    });
    check("a job without an archive is 404", || {
        refused(raw(world.archive("bare")).query(reporter), 404, "404 Not Found")
    });
}

fn credentials(world: &World, reporter: &Gitlab) {
    check("an unknown token ends the first query", || match world.client("unknown") {
        Ok(_) => Err("it was taken".into()),
        Err(GitlabError::Api { source }) => refused::<()>(Err(source), 401, "401 Unauthorized"),
        Err(other) => Err(other.into()),
    });
    check("a Bearer token", || {
        let mut builder = Gitlab::builder(&world.host, world.token("reporter"));
        let api = builder.insecure().oauth2_token().build()?;
        fetched(&api, world.archive("build"), world.job("build"))
    });
    check("job_token in the query", || {
        let api = GitlabBuilder::new_unauthenticated(&world.host).insecure().build()?;
        let token = world.job("running")["token"].as_str().ok_or("no job token")?;
        let mut endpoint = DownloadJobArtifacts::builder();
        let endpoint = endpoint.project(&world.project).job(world.id("build")).job_token(token);
        fetched(&api, endpoint.build()?, world.job("build"))
    });
    check("nobody does not see a private project", || {
        let api = GitlabBuilder::new_unauthenticated(&world.host).insecure().build()?;
        refused(raw(world.archive("build")).query(&api), 404, "404 Project Not Found")
    });
    check("a guest is 403", || {
        let guest = world.client("guest")?;
        refused(raw(world.archive("build")).query(&guest), 403, "403 Forbidden")
    });
    check("an outsider does not see a private project", || {
        let outsider = world.client("outsider")?;
        refused(raw(world.archive("build")).query(&outsider), 404, "404 Project Not Found")
    });
    check("a reporter may not keep", || {
        let mut endpoint = KeepJobArtifacts::builder();
        let endpoint = endpoint.project(&world.project).job(world.id("keep")).build()?;
        refused(ignore(endpoint).query(reporter), 403, "403 Forbidden")
    });
}

fn changes(world: &World, reporter: &Gitlab, developer: &Gitlab, maintainer: &Gitlab) {
    check("keep", || {
        let mut endpoint = KeepJobArtifacts::builder();
        let endpoint = endpoint.project(&world.project).job(world.id("keep")).build()?;
        let job: Value = endpoint.query(developer)?;
        let got = json!([job["id"], job["name"], job["artifacts_expire_at"]]);
        let same = got == json!([world.id("keep"), "keep me", null]);
        if same { Ok(()) } else { Err(got.to_string().into()) }
    });
    check("a developer may not delete", || {
        let mut endpoint = DeleteJobArtifacts::builder();
        let endpoint = endpoint.project(&world.project).job(world.id("delete 1")).build()?;
        refused(ignore(endpoint).query(developer), 403, "403 Forbidden")
    });
    check("delete", || {
        let mut endpoint = DeleteJobArtifacts::builder();
        let endpoint = endpoint.project(&world.project).job(world.id("delete 1")).build()?;
        ignore(endpoint).query(maintainer)?;
        refused(raw(world.archive("delete 1")).query(reporter), 404, "404 Not Found")
    });
    check("delete a project's artifacts", || {
        let doomed = world.plan["projects"]["doomed"]["path"].as_str().ok_or("no path")?;
        ignore(DeleteProjectArtifacts::builder().project(doomed).build()?).query(maintainer)?;
        let job =
            |key: &str| DownloadJobArtifacts::builder().project(doomed).job(world.id(key)).build();
        refused(raw(job("doomed older")?).query(reporter), 404, "404 Not Found")?;
        fetched(reporter, job("doomed latest")?, world.job("doomed latest"))
    });
}

//! The crate `gitlab-runner`: one job from its start to its end. It is handed out by the driver's
//! relay; its dependency comes from the server, and its archive and its report go there.

use std::borrow::Cow;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entryway_clients::{Outcome, plan, report, same};
use futures::AsyncRead;
use gitlab_runner::job::Job;
use gitlab_runner::{GitlabLayer, JobHandler, JobResult, Phase, RunnerBuilder, UploadableFile};
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;
use url::Url;

/// What the checks inside the job came to.
type Outcomes = Arc<Mutex<Vec<(String, Result<(), String>)>>>;

struct Run {
    job: Job,
    plan: Arc<Value>,
    outcomes: Outcomes,
}

struct File(&'static str, &'static [u8], usize);

#[async_trait::async_trait]
impl UploadableFile for File {
    type Data<'a> = Box<dyn AsyncRead + Send + Unpin>;

    fn get_path(&self) -> Cow<'_, str> {
        self.0.into()
    }

    async fn get_data(&self) -> Result<Self::Data<'_>, ()> {
        Ok(Box::new(futures::io::Cursor::new(self.1.repeat(self.2))))
    }
}

impl Run {
    fn note(&self, what: &str, outcome: Outcome) {
        let outcome = outcome.map_err(|error| error.to_string());
        self.outcomes.lock().expect("no panic elsewhere").push((what.to_owned(), outcome));
    }

    /// Every file of the dependency's archive, as the runner unpacks it.
    async fn dependency(&self) -> Outcome {
        let dependency = self.job.dependencies().next().ok_or("the job has no dependency")?;
        // The crate hands its file on without waiting for the last write: now and then it finds the
        // file without its end.
        let mut downloaded = dependency.download().await;
        for _ in 0..3 {
            if downloaded.is_ok() {
                break;
            }
            downloaded = dependency.download().await;
        }
        let mut archive = downloaded?.ok_or("the dependency has no archive")?;
        let files = self.plan["files"].as_object().ok_or("the plan has no files")?;
        for (name, expected) in files {
            let mut content = Vec::new();
            let mut file = archive.file(name).ok_or_else(|| format!("no {name} in the archive"))?;
            file.read_to_end(&mut content)?;
            same(&content, expected)?;
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl JobHandler<File> for Run {
    async fn step(&mut self, _script: &[String], _phase: Phase) -> JobResult {
        let outcome = self.dependency().await;
        let result = if outcome.is_ok() { Ok(()) } else { Err(()) };
        self.note("the dependency's archive", outcome);
        result
    }

    async fn get_uploadable_files(&mut self) -> Result<Box<dyn Iterator<Item = File> + Send>, ()> {
        Ok(Box::new(
            [
                File("out/hello.txt", b"hello\n", 1000),
                File("out/a b+c.txt", b"a name with a space and a plus\n", 1),
                File("empty.txt", b"", 1),
                File("report.xml", b"<testsuite/>\n", 1),
            ]
            .into_iter(),
        ))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plan = Arc::new(plan());
    let url = Url::parse(plan["url"].as_str().ok_or("no url")?)?;
    let folder = tempfile::tempdir()?;
    let (layer, jobs) = GitlabLayer::new();
    let subscriber = tracing_subscriber::registry().with(layer);
    let outcomes = Outcomes::default();

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let shared = (Arc::clone(&plan), Arc::clone(&outcomes));
    tracing::subscriber::set_global_default(subscriber)?;
    let taken = runtime.block_on(async {
        let mut runner = RunnerBuilder::new(url, "runner-token", folder.path(), jobs).build().await;
        let work = async {
            let taken = runner
                .request_job(move |job| async move {
                    Ok(Run { job, plan: shared.0, outcomes: shared.1 })
                })
                .await?;
            runner.drain().await;
            Ok::<_, Box<dyn std::error::Error>>(taken)
        };
        tokio::time::timeout(Duration::from_secs(120), work).await?
    });
    report(
        "a job is taken and done",
        taken.and_then(|taken| if taken { Ok(()) } else { Err("there was no job".into()) }),
    );
    for (what, outcome) in outcomes.lock().expect("the runner has ended").drain(..) {
        report(&what, outcome.map_err(Into::into));
    }
    Ok(())
}

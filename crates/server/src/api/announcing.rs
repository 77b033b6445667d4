//! Other systems announce projects, pipelines and jobs: the ingest routes and GitLab's webhooks.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::IF_NONE_MATCH;
use http::request::Parts;
use http::{HeaderName, StatusCode};
use http_body::Body;

use super::visit::{Credential, allow, credential};
use super::{Answer, App, answer};
use crate::announcement::{Hook, JobAnswer, PipelineAnswer, ProjectAnswer, ingest};
use crate::catalog::{
    Announced, HookReport, JobId, PipelineId, Project, ProjectPath, Token, UtcMillis, is_chosen_id,
};
use crate::credential::{Scope, TokenDigest, TokenSecret, ingest_access};
use crate::reply::{Conflict, Failure};
use crate::route::{ProjectKey, Query};
use crate::upload::{RequestBody, expect_no_coding};

/// Bytes of an announcement.
const ANNOUNCEMENT_LEN: u64 = 1 << 20;
/// Bytes of a webhook: GitLab tells of every job of a pipeline in one.
const HOOK_LEN: u64 = 16 << 20;
/// The time in which either must have come.
const BODY_TIME: Duration = Duration::from_secs(60);

static X_GITLAB_TOKEN: HeaderName = HeaderName::from_static("x-gitlab-token");

impl App {
    pub(super) async fn put_project(
        &self,
        head: &Parts,
        body: &mut RequestBody,
        query: &Query,
        path: &ProjectPath,
    ) -> Result<Answer, Failure> {
        let token = self.ingest_token(head, query).await?;
        let existing = self.project(&ProjectKey::Path(path.as_str().into())).await?;
        allow(ingest_access(&token, path.as_str(), existing.as_deref()))?;
        let only_new = only_new(head);
        let body = collect(head, body, ANNOUNCEMENT_LEN).await?;
        let change = ingest::project(&body)?;
        let (path, now) = (path.clone(), UtcMillis::now());
        let announced =
            self.ask(move |catalog| async move {
                catalog.put_project(&path, &change, only_new, now).await
            })
            .await?;
        answer::json(StatusCode::OK, &ProjectAnswer::new(&done(announced)?))
    }

    pub(super) async fn put_pipeline(
        &self,
        head: &Parts,
        body: &mut RequestBody,
        query: &Query,
        project: &ProjectKey,
        id: Option<i64>,
    ) -> Result<Answer, Failure> {
        let project = self.admit_ingest(head, query, project).await?.id;
        let only_new = only_new(head);
        let body = collect(head, body, ANNOUNCEMENT_LEN).await?;
        let change = ingest::pipeline(&body)?;
        let (pipeline, now) = (id.map(PipelineId), UtcMillis::now());
        expect_chosen("pipeline_id", id)?;
        let announced = self
            .ask(move |catalog| async move {
                catalog.put_pipeline(project, pipeline, &change, only_new, now).await
            })
            .await?;
        answer::json(made(id), &PipelineAnswer::new(&done(announced)?))
    }

    pub(super) async fn put_job(
        &self,
        head: &Parts,
        body: &mut RequestBody,
        query: &Query,
        project: &ProjectKey,
        id: Option<i64>,
    ) -> Result<Answer, Failure> {
        let project = self.admit_ingest(head, query, project).await?.id;
        let body = collect(head, body, ANNOUNCEMENT_LEN).await?;
        let change = ingest::job(&body)?;
        let secret = TokenSecret::generate().map_err(|error| {
            tracing::error!(%error, "cannot make a job token");
            Failure::InternalServerError { reason: "no_randomness" }
        })?;
        let (job, digest, now) = (id.map(JobId), secret.digest(), UtcMillis::now());
        expect_chosen("job_id", id)?;
        let announced = self
            .ask(move |catalog| async move {
                catalog.put_job(project, job, &change, &digest, now).await
            })
            .await?;
        let job = done(announced)?;
        let token = job.is_running.then_some(&secret);
        answer::json(made(id), &JobAnswer::new(job.id, token))
    }

    pub(super) async fn hook(
        &self,
        head: &Parts,
        body: &mut RequestBody,
    ) -> Result<Answer, Failure> {
        let mut presented = head.headers.get_all(&X_GITLAB_TOKEN).iter();
        let (Some(text), None) = (presented.next(), presented.next()) else {
            return Err(Failure::Unauthorized);
        };
        let digest = TokenDigest::of(text.as_bytes());
        let token = self.token(digest, UtcMillis::now()).await?.ok_or(Failure::Unauthorized)?;
        // Which project it is about is known only from the body.
        if !token.scopes.contains(Scope::Ingest) {
            return Err(Failure::InsufficientScope);
        }
        let body = collect(head, body, HOOK_LEN).await?;
        // One at a time: it takes several times its length while it is read.
        let turn = self.hook_turn.acquire().await.map_err(|_| Failure::STOPPING)?;
        let parsing = tokio::task::spawn_blocking(move || Hook::parse(&body));
        let hook = parsing.await.map_err(|_| Failure::STOPPING)?;
        drop(turn);
        let report = match hook? {
            Hook::Other => return answer::message(StatusCode::OK, "200 OK"),
            Hook::Pipeline(hook) => HookReport {
                project: hook.project.path,
                project_id: hook.project.id,
                visibility: hook.project.visibility,
                pipeline_id: hook.id,
                pipeline: hook.change,
                is_about_pipeline: true,
                jobs: hook.jobs,
            },
            Hook::Job(hook) => HookReport {
                project: hook.project.path,
                project_id: hook.project.id,
                visibility: hook.project.visibility,
                pipeline_id: hook.pipeline_id,
                pipeline: hook.pipeline,
                is_about_pipeline: false,
                jobs: vec![(hook.id, hook.change)],
            },
        };
        let path = report.project.as_str();
        let existing = self.project(&ProjectKey::Path(path.into())).await?;
        allow(ingest_access(&token, path, existing.as_deref()))?;
        let now = UtcMillis::now();
        let announced =
            self.ask(move |catalog| async move { catalog.record_hook(&report, now).await }).await?;
        done(announced)?;
        answer::message(StatusCode::OK, "200 OK")
    }

    /// The token that lets somebody announce.
    async fn ingest_token(&self, head: &Parts, query: &Query) -> Result<Arc<Token>, Failure> {
        let Credential { digest, is_job } =
            credential(head, query)?.ok_or(Failure::Unauthorized)?;
        if is_job {
            // Valid or not is told; a job announces nothing.
            self.running_job(digest).await?.ok_or(Failure::Unauthorized)?;
            return Err(Failure::Forbidden);
        }
        self.token(digest, UtcMillis::now()).await?.ok_or(Failure::Unauthorized)
    }

    async fn admit_ingest(
        &self,
        head: &Parts,
        query: &Query,
        project: &ProjectKey,
    ) -> Result<Arc<Project>, Failure> {
        let token = self.ingest_token(head, query).await?;
        let project = self.project(project).await?.ok_or(Failure::ProjectNotFound)?;
        allow(ingest_access(&token, &project.path, Some(&project)))?;
        Ok(project)
    }
}

/// Whether something is to be made and, where it is there already, left alone (RFC 9110 section
/// 13.1.2).
fn only_new(head: &Parts) -> bool {
    head.headers.get(&IF_NONE_MATCH).is_some_and(|tag| tag == "*")
}

/// A number in the path, named as the path has it.
fn expect_chosen(name: &'static str, id: Option<i64>) -> Result<(), Failure> {
    if id.is_none_or(is_chosen_id) { Ok(()) } else { Err(Failure::ParameterInvalid { name }) }
}

/// The status for something that was given a number, or had one.
fn made(id: Option<i64>) -> StatusCode {
    if id.is_some() { StatusCode::OK } else { StatusCode::CREATED }
}

fn done<T>(announced: Announced<T>) -> Result<T, Failure> {
    match announced {
        Announced::Done(value) => Ok(value),
        Announced::Missing(name) => Err(Failure::ParameterMissing { name }),
        Announced::OtherProject => Err(Failure::Conflict(Conflict::IdOfAnotherProject)),
        Announced::NoPipeline => Err(Failure::ParameterInvalid { name: "pipeline_id" }),
        Announced::OwnParent => Err(Failure::ParameterInvalid { name: "parent_pipeline_id" }),
        Announced::Exists => Err(Failure::PreconditionFailed),
    }
}

/// Reads a small body whole.
async fn collect(head: &Parts, body: &mut RequestBody, limit: u64) -> Result<Bytes, Failure> {
    expect_no_coding(&head.headers)?;
    let too_large = Failure::UploadTooLarge { limit };
    if body.size_hint().lower() > limit {
        return Err(too_large);
    }
    let reading = async {
        let mut bytes = BytesMut::new();
        loop {
            let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx));
            match frame.await {
                None => return Ok(bytes.freeze()),
                Some(Err(_)) => return Err(Failure::ParameterInvalid { name: "body" }),
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    if bytes.len() as u64 + data.len() as u64 > limit {
                        return Err(too_large);
                    }
                    bytes.extend_from_slice(&data);
                }
            }
        }
    };
    tokio::time::timeout(BODY_TIME, reading).await.map_err(|_| Failure::RequestTimeout)?
}

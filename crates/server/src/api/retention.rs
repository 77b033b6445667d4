//! Artifacts are kept, deleted, or let go (endpoints F, G and H).

use std::sync::Arc;

use http::StatusCode;
use http::request::Parts;

use super::job_entity::JobEntity;
use super::{Answer, App, answer};
use crate::catalog::{Catalog, CatalogError, JobId};
use crate::credential::Role;
use crate::reply::{Conflict, Failure};
use crate::route::{ProjectKey, Query};

impl App {
    /// Clears the expiry of a job's artifacts.
    pub(super) async fn keep(
        &self,
        head: &Parts,
        query: &Query,
        project: &ProjectKey,
        job_id: i64,
    ) -> Result<Answer, Failure> {
        let visit = self.admit_change(head, query, project, Role::Developer).await?;
        self.job(&visit, job_id).await?;
        let (project, job, now) = (visit.project.id, JobId(job_id), visit.now);
        let kept = self
            .ask(move |catalog| async move { catalog.keep_artifacts(project, job, now).await })
            .await?;
        if !kept {
            return Err(Failure::ArchiveNotFound);
        }
        let details = self
            .ask(move |catalog| async move { catalog.job_details(project, job, now).await })
            .await?
            .ok_or(Failure::JobNotFound)?;
        answer::json(StatusCode::OK, &JobEntity::new(&details, now))
    }

    /// Deletes a job's artifacts: its archive and its reports.
    pub(super) async fn delete_job_artifacts(
        &self,
        head: &Parts,
        query: &Query,
        project: &ProjectKey,
        job_id: i64,
    ) -> Result<Answer, Failure> {
        let visit = self.admit_change(head, query, project, Role::Maintainer).await?;
        self.job(&visit, job_id).await?;
        let (project, job) = (visit.project.id, JobId(job_id));
        if self.uploads.are_in_progress(job) {
            return Err(Failure::Conflict(Conflict::UploadInProgress));
        }
        let deleted = self
            .ask_to_delete(
                move |catalog| async move { catalog.delete_artifacts(project, job).await },
            )
            .await?;
        tracing::info!(project = project.0, job = job.0, files = deleted, "deleted artifacts");
        Ok(answer::no_content())
    }

    /// Lets the artifacts of a project expire.
    pub(super) async fn delete_project_artifacts(
        &self,
        head: &Parts,
        query: &Query,
        project: &ProjectKey,
    ) -> Result<Answer, Failure> {
        let visit = self.admit_change(head, query, project, Role::Maintainer).await?;
        let (project, now) = (visit.project.id, visit.now);
        let expired = self
            .ask_to_delete(
                move |catalog| async move { catalog.expire_artifacts(project, now).await },
            )
            .await?;
        tracing::info!(project = project.0, archives = expired, "let artifacts expire");
        answer::message(StatusCode::ACCEPTED, "202 Accepted")
    }

    /// As [`App::ask`]; where the disk is full, once more with the room that is kept back for this.
    async fn ask_to_delete<T, F>(&self, question: impl Fn(Arc<Catalog>) -> F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, CatalogError>> + Send + 'static,
    {
        match self.ask(&question).await {
            Err(full @ Failure::InsufficientStorage { .. }) => {
                if let Err(error) = self.archives.store().give_up_reserve() {
                    tracing::error!(label = error.label(), %error, "cannot make room for a deletion");
                    return Err(full);
                }
                self.ask(&question).await
            }
            outcome => outcome,
        }
    }
}

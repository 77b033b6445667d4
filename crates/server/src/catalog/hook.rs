//! What webhooks tell. They come late, twice, and before what they belong to: a state counts only
//! where it is newer than what is known.

use super::announce::{
    Announced, JOB, OPERATION, add_project, find_project, owns_pipeline, write_job, write_pipeline,
};
use super::cache::Invalidate;
use super::change::{JobChange, PipelineChange, ProjectChange};
use super::push::PIPELINE_OF_ID;
use super::rows;
use super::sqlite::{Sqlite, Transaction};
use super::{
    CatalogError, JobId, JobStatus, Phase, PipelineId, PipelineStatus, ProjectId, ProjectPath,
    UtcMillis, Visibility,
};

/// All jobs of a name but the newest were retried.
const RETIRE_OLDER: &str = "UPDATE jobs SET retried = $3
    WHERE pipeline_id = $1 AND name = $2 AND retried = $4
      AND id < (SELECT MAX(id) FROM jobs WHERE pipeline_id = $1 AND name = $2)";

/// What a webhook tells.
#[derive(Clone, Debug, PartialEq)]
pub struct HookReport {
    /// The project's path.
    pub project: ProjectPath,
    /// The project's number over there, for a project that is new here.
    pub project_id: Option<ProjectId>,
    /// Who sees it, for a project that is new here; private where it is not said.
    pub visibility: Option<Visibility>,
    /// The pipeline.
    pub pipeline_id: PipelineId,
    /// What is said of it; with a job alone, only what is needed to make it.
    pub pipeline: PipelineChange,
    /// Whether the state of the pipeline is what is reported, and not just mentioned.
    pub is_about_pipeline: bool,
    /// Its jobs.
    pub jobs: Vec<(JobId, JobChange)>,
}

pub(super) async fn record(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    hook: &HookReport,
    now: UtcMillis,
) -> Result<Announced<()>, CatalogError> {
    let mut transaction = sqlite.begin(OPERATION).await?;
    let project = match find_project(&mut transaction, &hook.project).await? {
        Some(project) => project.id,
        None => {
            let visibility = hook.visibility.unwrap_or(Visibility::Private);
            let change = ProjectChange::default();
            let id = hook.project_id;
            add_project(&mut transaction, id, &hook.project, visibility, &change, now).await?
        }
    };
    let pipeline = newer_pipeline(&mut transaction, hook).await?;
    if let Some(change) = pipeline {
        let id = Some(hook.pipeline_id);
        match write_pipeline(&mut transaction, project, id, &change, now).await? {
            Announced::Done(_) => {}
            other => return Ok(other.map(drop)),
        }
    } else if !owns_pipeline(&mut transaction, project, hook.pipeline_id).await? {
        return Ok(Announced::OtherProject);
    }
    for (id, change) in &hook.jobs {
        if !is_newer_job(&mut transaction, project, *id, change).await? {
            continue;
        }
        let change = JobChange { pipeline_id: Some(hook.pipeline_id), ..change.clone() };
        match write_job(&mut transaction, project, Some(*id), &change, now).await? {
            Announced::Done(_) => {}
            other => return Ok(other.map(drop)),
        }
        if let Some(name) = &change.name {
            let query = sqlx::query(RETIRE_OLDER);
            let query = query.bind(hook.pipeline_id.0).bind(&**name).bind(true).bind(false);
            transaction.write(query).await?;
        }
    }
    transaction.commit().await?;
    drop(invalidate);
    Ok(Announced::Done(()))
}

/// What of a hook's pipeline is to be written; `None` where all of it is older than what is known.
async fn newer_pipeline(
    transaction: &mut Transaction<'_>,
    hook: &HookReport,
) -> Result<Option<PipelineChange>, CatalogError> {
    let row =
        transaction.find_optional(sqlx::query(PIPELINE_OF_ID).bind(hook.pipeline_id.0)).await?;
    let Some(row) = row else { return Ok(Some(hook.pipeline.clone())) };
    if !hook.is_about_pipeline {
        return Ok(None);
    }
    let known = State {
        phase: rows::word::<PipelineStatus>(&row, "status")?.phase(),
        finished_at: rows::get::<Option<i64>>(&row, "finished_at")?.map(UtcMillis),
    };
    // A pipeline goes on after it was over when one of its jobs is retried.
    let begun = hook.jobs.iter().filter_map(|(_, job)| job.details.started_at.flatten()).max();
    let is_newer = hook.pipeline.status.is_none_or(|status| {
        known.is_older_than(status.phase(), hook.pipeline.details.finished_at.flatten(), begun)
    });
    Ok(is_newer.then(|| hook.pipeline.clone()))
}

/// Whether a hook's job is to be written; a job that is over does not begin again. One of another
/// project is, and refused there.
async fn is_newer_job(
    transaction: &mut Transaction<'_>,
    project: ProjectId,
    id: JobId,
    change: &JobChange,
) -> Result<bool, CatalogError> {
    let row = transaction.find_optional(sqlx::query(JOB).bind(id.0)).await?;
    let Some(row) = row else { return Ok(true) };
    if project != ProjectId(rows::get(&row, "project_id")?) {
        return Ok(true);
    }
    let known = State {
        phase: rows::word::<JobStatus>(&row, "status")?.phase(),
        finished_at: rows::get::<Option<i64>>(&row, "finished_at")?.map(UtcMillis),
    };
    Ok(change.status.is_none_or(|status| {
        known.is_older_than(status.phase(), change.details.finished_at.flatten(), None)
    }))
}

/// How far something is known to have come.
#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    finished_at: Option<UtcMillis>,
}

impl State {
    /// Whether a report of this phase was made later. `begun` is when the latest job began that the
    /// report tells of.
    fn is_older_than(
        self,
        phase: Phase,
        finished_at: Option<UtcMillis>,
        begun: Option<UtcMillis>,
    ) -> bool {
        match phase.cmp(&self.phase) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal if phase == Phase::Over => finished_at >= self.finished_at,
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Less => {
                self.finished_at.zip(begun).is_some_and(|(finished, begun)| begun > finished)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_where_it_is_newer() {
        use Phase::{Over, Running, Waiting};
        let at = |millis: i64| (millis > 0).then_some(UtcMillis(millis));
        #[rustfmt::skip]
        let table = [
            // name, known phase and end, reported phase, end, latest begin of a job; newer
            ("it goes on", Waiting, 0, Running, 0, 0, true),
            ("it ends", Running, 0, Over, 5, 0, true),
            ("it ends unseen", Waiting, 0, Over, 5, 0, true),
            ("the same again", Over, 5, Over, 5, 0, true),
            ("an earlier end", Over, 5, Over, 4, 0, false),
            ("a later end", Over, 5, Over, 6, 0, true),
            ("an end without a time", Over, 5, Over, 0, 0, false),
            ("late: it ran", Over, 5, Running, 0, 4, false),
            ("late: it ran, no job", Over, 5, Running, 0, 0, false),
            ("retried: a job began since", Over, 5, Running, 0, 6, true),
            ("late: it waited", Running, 0, Waiting, 0, 0, false),
            ("running still", Running, 0, Running, 0, 0, true),
        ];
        for (name, phase, finished, reported, end, begun, expected) in table {
            let known = State { phase, finished_at: at(finished) };
            assert_eq!(known.is_older_than(reported, at(end), at(begun)), expected, "{name}");
        }
    }
}

//! The questions that requests ask, and their SQL. None scans: each is a walk down an index, and
//! `latest` the end of one range of `pipelines_by_ref`, however many pipelines there are.

use sqlx::sqlite::SqliteRow;

use super::rows::{self, job_columns, project_columns};
use super::sqlite::Sqlite;
use super::{
    CatalogError, Job, JobId, JobStatus, Latest, Project, ProjectId, ProjectRef, RunningJob, Token,
    UtcMillis,
};
use crate::credential::TokenDigest;

/// How many successful pipelines a search over recent ones looks at (api.md section 4).
const RECENT_PIPELINES: i64 = 100;

/// How deep children of children count. GitLab makes two levels; a root has no parent, so there is
/// no circle below one, and this bounds only how far a walk goes.
pub(super) const FAMILY_DEPTH: i64 = 16;

/// Candidate refs in one statement; longer lists take several.
const REFS_PER_STATEMENT: usize = 16;

const PROJECT_BY_ID: &str = concat!("SELECT ", project_columns!(), " FROM projects WHERE id = $1");

pub(super) const PROJECT_BY_PATH: &str =
    concat!("SELECT ", project_columns!(), " FROM projects WHERE path = $1");

const JOB: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs AS j
      LEFT JOIN archives AS a ON a.job_id = j.id
      LEFT JOIN blobs AS b ON b.sha256 = a.sha256
      WHERE j.id = $2 AND j.project_id = $1"
);

/// The newest pipelines of the window ($4 of them) with their descendants, in them the jobs of that
/// name; of these one that can be served before one that expired before one that has no archive,
/// then the one of the newest pipeline of the window, parent before child, older child first.
///
/// `CROSS JOIN` and `+` leave the planner no choice: it knows nothing of how few rows `family` has,
/// and else walks over all jobs, and over all pipelines of the project for each child.
const LATEST: &str = concat!(
    "WITH RECURSIVE
      recent (id) AS (
          SELECT id FROM pipelines
          WHERE project_id = $1 AND ref = $2
            AND status = 'success' AND parent_pipeline_id IS NULL
          ORDER BY id DESC LIMIT $4),
      family (root, id, depth) AS (
          SELECT recent.id, recent.id, 0 FROM recent
          UNION ALL
          SELECT family.root, child.id, family.depth + 1
          FROM family CROSS JOIN pipelines AS child
          WHERE child.parent_pipeline_id = family.id AND +child.project_id = $1
            AND family.depth < $7)
      SELECT ",
    job_columns!(),
    " FROM family CROSS JOIN jobs AS j
      LEFT JOIN archives AS a ON a.job_id = j.id
      LEFT JOIN blobs AS b ON b.sha256 = a.sha256
      WHERE j.pipeline_id = family.id AND j.name = $3 AND j.retried = $6
      ORDER BY CASE WHEN a.job_id IS NULL THEN 2
                    WHEN a.expires_at <= $5 AND NOT j.locked THEN 1
                    ELSE 0 END,
               family.root DESC, family.depth, family.id, j.id DESC
      LIMIT 1"
);

const REFS_WITH_PIPELINE: &str = "WITH asked (ref) AS (
        VALUES ($2), ($3), ($4), ($5), ($6), ($7), ($8), ($9),
               ($10), ($11), ($12), ($13), ($14), ($15), ($16), ($17))
    SELECT asked.ref FROM asked
    WHERE EXISTS (SELECT 1 FROM pipelines
                  WHERE pipelines.project_id = $1 AND pipelines.ref = asked.ref)";

const RUNNING_JOB: &str = "SELECT j.id, j.project_id, p.path
    FROM job_tokens AS t
    JOIN jobs AS j ON j.id = t.job_id
    JOIN projects AS p ON p.id = j.project_id
    WHERE t.digest = $1 AND j.status = $2";

const TOKEN: &str = "SELECT id, name, prefix, role, scopes, created_at, expires_at,
    revoked_at FROM tokens WHERE digest = $1";

pub(super) async fn project(
    sqlite: &Sqlite,
    project: ProjectRef<'_>,
) -> Result<Option<Project>, CatalogError> {
    let query = match project {
        ProjectRef::Id(id) => sqlx::query(PROJECT_BY_ID).bind(id.0),
        ProjectRef::Path(path) => sqlx::query(PROJECT_BY_PATH).bind(path),
    };
    let row = sqlite.find_optional("find a project", query).await?;
    row.as_ref().map(rows::project).transpose()
}

pub(super) async fn job(
    sqlite: &Sqlite,
    project: ProjectId,
    job: JobId,
) -> Result<Option<Job>, CatalogError> {
    let query = sqlx::query(JOB).bind(project.0).bind(job.0);
    let row = sqlite.find_optional("find a job", query).await?;
    row.as_ref().map(rows::job).transpose()
}

pub(super) async fn latest(
    sqlite: &Sqlite,
    project: ProjectId,
    ref_name: &str,
    job: &str,
    search_recent: bool,
    now: UtcMillis,
) -> Result<Latest, CatalogError> {
    let query = sqlx::query(LATEST)
        .bind(project.0)
        .bind(ref_name)
        .bind(job)
        .bind(if search_recent { RECENT_PIPELINES } else { 1 })
        .bind(now.0)
        .bind(false)
        .bind(FAMILY_DEPTH);
    let row: Option<SqliteRow> = sqlite.find_optional("find the latest job", query).await?;
    match row.as_ref().map(rows::job).transpose()? {
        None => Ok(Latest::NoJob),
        Some(Job { archive: None, .. }) => Ok(Latest::NoArchive),
        Some(job) => Ok(Latest::Found(job.into())),
    }
}

/// The index of the longest candidate that some pipeline of the project is of.
pub(super) async fn ref_with_pipeline(
    sqlite: &Sqlite,
    project: ProjectId,
    candidates: &[&str],
) -> Result<Option<usize>, CatalogError> {
    let mut longest_first: Vec<usize> = (0..candidates.len()).collect();
    longest_first.sort_by_key(|&index| std::cmp::Reverse(candidates[index].len()));
    for some in longest_first.chunks(REFS_PER_STATEMENT) {
        let mut query = sqlx::query(REFS_WITH_PIPELINE).bind(project.0);
        for place in 0..REFS_PER_STATEMENT {
            query = query.bind(candidates[some[place.min(some.len() - 1)]]);
        }
        let found = sqlite.find_all("find a ref", query).await?;
        let found: Vec<&str> =
            found.iter().map(|row| rows::get(row, "ref")).collect::<Result<_, _>>()?;
        if let Some(index) = some.iter().find(|&&index| found.contains(&candidates[index])) {
            return Ok(Some(*index));
        }
    }
    Ok(None)
}

pub(super) async fn token(
    sqlite: &Sqlite,
    digest: &TokenDigest,
) -> Result<Option<Token>, CatalogError> {
    let query = sqlx::query(TOKEN).bind(&digest.0[..]);
    let row = sqlite.find_optional("find a token", query).await?;
    row.as_ref().map(rows::token).transpose()
}

/// The running job with this token.
pub(super) async fn running_job(
    sqlite: &Sqlite,
    digest: &TokenDigest,
) -> Result<Option<RunningJob>, CatalogError> {
    let query = sqlx::query(RUNNING_JOB).bind(&digest.0[..]).bind(JobStatus::Running.as_str());
    let Some(row) = sqlite.find_optional("find a running job", query).await? else {
        return Ok(None);
    };
    Ok(Some(RunningJob {
        id: JobId(rows::get(&row, "id")?),
        project_id: ProjectId(rows::get(&row, "project_id")?),
        project_path: rows::text(&row, "path")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{AssertSqlSafe, Row};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// What the query planner does, one line a step.
    async fn plan(sqlite: &Sqlite, question: &str) -> Vec<String> {
        // Leaked, since sqlx takes static text only; a few short strings in two tests.
        let explain = Box::leak(format!("EXPLAIN QUERY PLAN {question}").into_boxed_str());
        let rows = sqlite.find_all("explain", sqlx::query(&*explain)).await.unwrap();
        rows.iter().map(|row| row.get("detail")).collect()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn no_question_scans_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(folder.path()).await.unwrap();
        for question in
            [PROJECT_BY_ID, PROJECT_BY_PATH, JOB, LATEST, REFS_WITH_PIPELINE, RUNNING_JOB, TOKEN]
        {
            let plan = plan(&sqlite, question).await;
            assert!(!plan.is_empty(), "{question}");
            for step in plan {
                // The window of at most 100 pipelines, and the list of refs that are asked for.
                let bounded = ["SCAN recent", "SCAN family", "SCAN asked", "SCAN 16 CONSTANT ROWS"];
                assert!(
                    !step.starts_with("SCAN ") || bounded.contains(&step.as_str()),
                    "{step} in {question}"
                );
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_latest_pipeline_is_read_off_the_end_of_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(folder.path()).await.unwrap();
        let plan = plan(&sqlite, LATEST).await;
        let of_pipelines: Vec<&String> =
            plan.iter().filter(|step| step.contains(" pipelines ")).collect();
        assert_eq!(
            of_pipelines,
            ["SEARCH pipelines USING COVERING INDEX pipelines_by_ref \
              (project_id=? AND ref=? AND status=? AND parent_pipeline_id=?)"],
            "{plan:#?}"
        );
        let of_children = "SEARCH child USING INDEX pipelines_by_parent (parent_pipeline_id=?)";
        assert!(plan.iter().any(|step| step == of_children), "{plan:#?}");
        let of_jobs =
            "SEARCH j USING INDEX jobs_by_pipeline (pipeline_id=? AND name=? AND retried=?)";
        assert!(plan.iter().any(|step| step == of_jobs), "{plan:#?}");
        // One sort, of the window's jobs; none of the pipelines.
        let sorts = plan.iter().filter(|step| step.contains("TEMP B-TREE")).count();
        assert_eq!(sorts, 1, "{plan:#?}");
    }
    /// How many instructions SQLite's machine runs to answer, in a catalog of so many pipelines.
    ///
    /// One in ten is of `main` and has ten children, of which the last has the job; all but the
    /// newest of `release` failed; the others have a ref each.
    async fn instructions(pipelines: i64, questions: &[(&str, &str, i64, bool)]) -> Vec<u64> {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(folder.path()).await.unwrap();
        let rows = format!(
            "INSERT INTO projects VALUES (1, 'group/app', 'public', 1, 0, '[]');
             INSERT INTO blobs VALUES (zeroblob(32), 1, 1, 0, 0);
             WITH RECURSIVE numbers (n) AS
                 (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {pipelines} - 1)
             INSERT INTO pipelines
                 (id, project_id, ref, status, parent_pipeline_id, created_at)
                 SELECT 20 * n + 1, 1,
                     CASE n % 10 WHEN 0 THEN 'main' WHEN 1 THEN 'release' ELSE 'ref/' || n END,
                     CASE WHEN n % 10 = 1 AND n > 1 THEN 'failed' ELSE 'success' END, NULL, 0
                 FROM numbers
                 UNION ALL SELECT 20 * n + 1 + c.value, 1, 'main', 'success', 20 * n + 1, 0
                 FROM numbers, json_each('[1,2,3,4,5,6,7,8,9,10]') AS c WHERE n % 10 = 0;
             INSERT INTO jobs (id, project_id, pipeline_id, name, status, created_at)
                 SELECT id, 1, id, CASE WHEN id % 20 IN (1, 11) THEN 'build' ELSE 'lint' END,
                     'success', 0 FROM pipelines WHERE ref <> 'main' OR id % 20 <> 1;
             INSERT INTO archives SELECT id, zeroblob(32), 'a.zip', 0, NULL FROM jobs;"
        );
        let mut connection = sqlite.connect_watcher().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
        let count = Arc::new(AtomicU64::new(0));
        let mut counts = Vec::new();
        for &(ref_name, job, window, is_there) in questions {
            let counter = Arc::clone(&count);
            connection.lock_handle().await.unwrap().set_progress_handler(1, move || {
                counter.fetch_add(1, Ordering::Relaxed);
                true
            });
            let query = sqlx::query(LATEST).bind(1_i64).bind(ref_name).bind(job).bind(window);
            let query = query.bind(0_i64).bind(false).bind(FAMILY_DEPTH);
            count.store(0, Ordering::Relaxed);
            let row = query.fetch_optional(&mut connection).await.unwrap();
            counts.push(count.load(Ordering::Relaxed));
            assert_eq!(row.is_some(), is_there, "{ref_name} {job} {window}");
        }
        counts
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_latest_job_takes_the_same_work_however_many_pipelines_there_are() {
        let questions = [
            ("main", "build", 1, true),
            ("main", "absent", 1, false),
            ("release", "build", 1, true),
            ("ref/2", "build", 1, true),
            ("absent", "build", 1, false),
        ];
        let few = instructions(30, &questions).await;
        assert!(few.iter().all(|&count| (20..5000).contains(&count)), "{few:?}");
        assert_eq!(instructions(20_000, &questions).await, few);
        let search = [("main", "build", RECENT_PIPELINES, true), ("main", "x", 100, false)];
        let few = instructions(1000, &search).await;
        assert_eq!(instructions(20_000, &search).await, few);
    }
}

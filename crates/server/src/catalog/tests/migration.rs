//! A catalog of an earlier schema is brought up to date with everything kept.

use std::path::Path;

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};

use super::scene::{archive, done, later, sha, token};
use super::*;

const FIRST: &str = include_str!("../schema/sqlite/0001_first.sql");

/// What the first version of the program wrote: rows in every table.
const ROWS: &str = "
    CREATE TABLE schema_versions (version INTEGER PRIMARY KEY NOT NULL);
    INSERT INTO schema_versions VALUES (1);
    UPDATE counters SET last_id = CASE name
        WHEN 'project' THEN 2 WHEN 'pipeline' THEN 12 WHEN 'job' THEN 101 ELSE 1 END;
    INSERT INTO projects VALUES (1, 'group/app', 'private', 1, 5), (2, 'group/b', 'public', 0, 6);
    INSERT INTO pipelines (id, project_id, ref, sha, tag, status, source, parent_pipeline_id,
        created_at, coverage) VALUES
        (10, 1, 'main', 'abc', 0, 'success', 'push', NULL, 7, 12.5),
        (11, 1, 'main', NULL, 1, 'failed', 'web', 10, 8, NULL),
        (12, 2, 'dev', NULL, 0, 'running', 'push', NULL, 9, NULL);
    INSERT INTO jobs (id, project_id, pipeline_id, name, status, retried, locked, created_at,
        user_json) VALUES
        (100, 1, 10, 'build', 'success', 0, 0, 10, '{\"id\":1}'),
        (101, 2, 12, 'lint', 'running', 1, 1, 11, NULL);
    INSERT INTO blobs VALUES (zeroblob(32), 1000, 3, 12, 0), (randomblob(32), 5, 1, 13, 1);
    INSERT INTO archives SELECT 100, zeroblob(32), 'dist.zip', 14, NULL;
    INSERT INTO archives SELECT 101, sha256, 'lost.zip', 15, 99 FROM blobs WHERE lost;
    INSERT INTO tokens VALUES (1, randomblob(32), 'ci', 'group', 'reporter', 'read_api', 16,
        NULL, NULL);
";

const TABLES: [&str; 7] =
    ["counters", "projects", "pipelines", "jobs", "blobs", "archives", "tokens"];

async fn write_first_schema(folder: &Path) {
    let file = folder.join(super::super::sqlite::FILE_NAME);
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    for script in [FIRST, ROWS] {
        sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// The rows of the tables and columns that the first schema has.
async fn first_schemas_rows(folder: &Path) -> Vec<Value> {
    // The columns are those of an empty catalog of that schema.
    let empty = tempfile::tempdir().unwrap();
    write_first_schema(empty.path()).await;
    let connect = async |folder: &Path| {
        let file = folder.join(super::super::sqlite::FILE_NAME);
        SqliteConnectOptions::new().filename(file).connect().await.unwrap()
    };
    let (mut first, mut asked) = (connect(empty.path()).await, connect(folder).await);
    let mut all = Vec::new();
    for table in TABLES {
        let question = format!(
            "SELECT group_concat('quote(' || name || ')') FROM pragma_table_info('{table}')"
        );
        let columns: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(question)).fetch_one(&mut first).await.unwrap();
        let question = format!("SELECT json_group_array(json_array({columns})) FROM {table}");
        let rows: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(question)).fetch_one(&mut asked).await.unwrap();
        all.push(serde_json::from_str(&rows).unwrap());
    }
    all
}

#[tokio::test(flavor = "current_thread")]
async fn a_catalog_of_the_first_schema_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    write_first_schema(folder.path()).await;
    let before = first_schemas_rows(folder.path()).await;
    assert_eq!(before[3].as_array().unwrap().len(), 2, "two jobs");

    let catalog = Catalog::open(folder.path()).await.unwrap();
    assert_eq!(first_schemas_rows(folder.path()).await, before);
    let versions = "SELECT SUM(version) AS number FROM schema_versions";
    assert_eq!(catalog.number(versions).await, 1 + 2);

    // All of it is of use, and takes what the second schema adds.
    let project = catalog.project(ProjectRef::Path("group/app")).await.unwrap().unwrap();
    assert_eq!(project.job_token_allowlist, [].into());
    assert_eq!(catalog.latest_id(project.id, "main", "build").await, Some(JobId(100)));
    let details = catalog.job_details(project.id, JobId(100), NOW).await.unwrap().unwrap();
    assert_eq!(details.runner, None);
    assert_eq!(details.details.user, Some(Json("{\"id\":1}".into())));
    assert_eq!(details.pipeline.details.coverage, Some(12.5));
    let change = JobChange { status: Some(JobStatus::Running), ..JobChange::default() };
    let put = catalog.put_job(ProjectId(2), Some(JobId(101)), &change, &token(1), NOW).await;
    assert!(done(put.unwrap()).is_running);
    assert!(catalog.running_job(&token(1)).await.unwrap().is_some());
    assert_eq!(catalog.sweep_expired(later(0)).await.unwrap(), 0, "locked");
    assert_eq!(catalog.delete_artifacts(project.id, JobId(100)).await.unwrap(), 1);
    assert_eq!(catalog.unreferenced(1).await.unwrap(), [sha(0)]);
    catalog.takes(&Handover { must_run: false, ..archive(JobId(100), 0) }).await;
    let pushed = catalog.push(&to(&path("group/app"), "main", "build")).await.unwrap();
    assert_eq!((pushed.pipeline_id, pushed.job_id), (PipelineId(13), JobId(102)));

    let now = catalog.everything().await;
    catalog.close().await;
    let again = Catalog::open(folder.path()).await.unwrap();
    assert!(again.everything().await == now, "opened again, nothing changes");
}

#[test]
fn an_update_by_two_at_once_happens_once() {
    // So many, since two seldom meet where SQLite does not wait.
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let before = current_thread().block_on(async {
            write_first_schema(folder.path()).await;
            first_schemas_rows(folder.path()).await
        });
        let start = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    current_thread().block_on(async {
                        start.wait();
                        let catalog = Catalog::open(folder.path()).await.unwrap();
                        let versions = "SELECT COUNT(*) AS number FROM schema_versions";
                        assert_eq!(catalog.number(versions).await, 2);
                        assert_eq!(catalog.storage().await.unwrap().len(), 2);
                    });
                });
            }
        });
        let after = current_thread().block_on(first_schemas_rows(folder.path()));
        assert_eq!(after, before);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_update_that_fails_leaves_the_first_schema() {
    let folder = tempfile::tempdir().unwrap();
    write_first_schema(folder.path()).await;
    let file = folder.path().join(super::super::sqlite::FILE_NAME);
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    // In the way of the last table of the script: all that went before it has to go back.
    let in_the_way = "CREATE TABLE unreferenced (x INTEGER)";
    sqlx::raw_sql(in_the_way).execute(&mut connection).await.unwrap();
    let error = Catalog::open(folder.path()).await.unwrap_err();
    assert_eq!(error.label(), "catalog_database");
    let tables = "SELECT COUNT(*) FROM sqlite_schema
        WHERE name IN ('job_tokens', 'reports', 'past_archives')";
    let row = sqlx::query(tables).fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 0);
    sqlx::raw_sql("DROP TABLE unreferenced").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    assert!(Catalog::open(folder.path()).await.is_ok());
}

//! GitLab's own behaviour, one row for each line of it: the Job Artifacts API as its documentation
//! and its tests have it, and what other systems hand in.
//!
//! A row is a request, its answer, and how things stand afterwards. Every GET of a row is made as
//! HEAD too, which has to answer with the same status and header; no answer and no line of the log
//! may hold a token.
//! A table runs in its order over a world of its own, made through the public API alone.

mod row;
mod world;

mod announcing;
mod changing;
mod credentials;
mod latest;
mod methods;
mod order;
mod reading;
mod uploading;

use std::collections::HashSet;

use self::row::{Row, failures, finish};
use self::world::World;

const TABLES: [fn() -> Vec<Row>; 10] = [
    reading::rows,
    latest::rows,
    credentials::rows,
    order::rows,
    methods::rows,
    changing::job_rows,
    changing::project_rows,
    uploading::upload_rows,
    uploading::runner_rows,
    announcing::rows,
];

#[test]
fn every_row_has_a_name_of_its_own() {
    let rows: Vec<Row> = TABLES.iter().flat_map(|table| table()).collect();
    assert!(rows.len() >= 100, "{}", rows.len());
    let mut names = HashSet::new();
    for row in &rows {
        assert!(names.insert(row.name), "twice: {}", row.name);
    }
}

/// Runs a table over a world of its own.
async fn check(rows: Vec<Row>, prepare: impl AsyncFnOnce(&mut World)) {
    let mut world = World::start().await;
    prepare(&mut world).await;
    finish(&failures(&mut world, &rows).await);
    let log = world.log();
    assert!(log.contains("/api/v4/"), "every request is logged: {log}");
    assert_eq!(world.leaked(&log), None, "a token is in the log");
}

#[tokio::test]
async fn files_and_archives_are_read_by_job_id() {
    check(reading::rows(), reading::prepare).await;
}

#[tokio::test]
async fn files_and_archives_are_read_by_ref() {
    check(latest::rows(), latest::prepare).await;
}

#[tokio::test]
async fn credentials_open_what_they_are_for() {
    check(credentials::rows(), credentials::prepare).await;
}

#[tokio::test]
async fn checks_are_made_in_the_order_of_the_contract() {
    check(order::rows(), order::prepare).await;
}

#[tokio::test]
async fn every_path_has_its_methods() {
    check(methods::rows(), async |_: &mut World| {}).await;
}

#[tokio::test]
async fn artifacts_of_a_job_are_kept_and_deleted() {
    check(changing::job_rows(), changing::prepare_jobs).await;
}

#[tokio::test]
async fn artifacts_of_a_project_are_let_go() {
    check(changing::project_rows(), changing::prepare_project).await;
}

#[tokio::test]
async fn jobs_hand_in_archives_and_reports() {
    check(uploading::upload_rows(), uploading::prepare_uploads).await;
}

#[tokio::test]
async fn jobs_download_what_they_depend_on() {
    check(uploading::runner_rows(), uploading::prepare_runners).await;
}

#[tokio::test]
async fn other_systems_announce_projects_pipelines_and_jobs() {
    check(announcing::rows(), announcing::prepare).await;
}

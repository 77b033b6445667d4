//! What webhooks report: late, twice, in any order.

use serde_json::Value;

use super::scene::{assert_unchanged, done, later, of_ref, running, token, until_kept};
use super::*;

fn at(millis: i64) -> Option<Option<UtcMillis>> {
    Some(Some(UtcMillis(millis)))
}

/// What a hook says of a job. Times as far as it has come.
fn job_change(name: &str, status: JobStatus, began: i64) -> JobChange {
    let started_at = (status.phase() > Phase::Waiting).then_some(UtcMillis(began));
    let finished_at = (status.phase() == Phase::Over).then_some(UtcMillis(began + 5));
    JobChange {
        name: Some(name.into()),
        stage: Some("deploy".into()),
        status: Some(status),
        allow_failure: Some(true),
        details: DetailsChange {
            created_at: at(1),
            started_at: Some(started_at),
            finished_at: Some(finished_at),
            failure_reason: Some((status == JobStatus::Failed).then(|| "script_failure".into())),
            ..DetailsChange::default()
        },
        ..JobChange::default()
    }
}

fn pipeline_change(status: PipelineStatus, finished: Option<i64>) -> PipelineChange {
    PipelineChange {
        ref_name: Some("main".into()),
        sha: Some(Some("abc".into())),
        tag: Some(false),
        status: Some(status),
        source: Some("web".into()),
        parent_pipeline_id: None,
        details: DetailsChange {
            created_at: at(1),
            finished_at: Some(finished.map(UtcMillis)),
            ..DetailsChange::default()
        },
    }
}

fn about_pipeline(id: i64, change: PipelineChange, jobs: Vec<(i64, JobChange)>) -> HookReport {
    HookReport {
        project: path("group/app"),
        project_id: None,
        visibility: None,
        pipeline_id: PipelineId(id),
        pipeline: change,
        is_about_pipeline: true,
        jobs: jobs.into_iter().map(|(id, change)| (JobId(id), change)).collect(),
    }
}

/// Mentions the pipeline as far as it is needed to make it.
fn about_job(pipeline: i64, id: i64, change: JobChange) -> HookReport {
    let mentioned = PipelineChange { status: Some(PipelineStatus::Running), ..of_ref("main") };
    HookReport {
        is_about_pipeline: false,
        ..about_pipeline(pipeline, mentioned, vec![(id, change)])
    }
}

/// All orders of so many things.
fn orders(len: usize) -> Vec<Vec<usize>> {
    if len == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for order in orders(len - 1) {
        for place in 0..len {
            let mut longer = order.clone();
            longer.insert(place, len - 1);
            all.push(longer);
        }
    }
    all
}

/// A pipeline and its jobs, without what differs between pipelines.
async fn state(catalog: &Catalog, pipeline: i64) -> Value {
    catalog
        .json(&format!(
            "SELECT json_object('ref', ref, 'sha', sha, 'tag', tag, 'status', status,
                 'source', source, 'parent', parent_pipeline_id, 'created_at', created_at,
                 'started_at', started_at, 'finished_at', finished_at, 'project', project_id,
                 'jobs', (SELECT json_group_array(json_object('job', j.id - p.id, 'name', j.name,
                     'stage', j.stage, 'status', j.status, 'retried', j.retried,
                     'allow_failure', j.allow_failure, 'created_at', j.created_at,
                     'started_at', j.started_at, 'finished_at', j.finished_at,
                     'failure_reason', j.failure_reason) ORDER BY j.id)
                     FROM jobs AS j WHERE j.pipeline_id = p.id)) AS json
             FROM pipelines AS p WHERE p.id = {pipeline}"
        ))
        .await
}

/// Reports events in every order, each time with one of them repeated at the end, each order to a
/// pipeline of its own; the end has to be that of the first order, in which they happened.
async fn every_order_ends_alike(
    catalog: &Catalog,
    events: impl Fn(i64) -> Vec<HookReport>,
) -> Value {
    let mut expected = None;
    let first = 1000 + catalog.number("SELECT COALESCE(MAX(id), 0) AS number FROM pipelines").await;
    let len = events(first).len();
    let mut all = orders(len);
    all.sort();
    for (number, order) in (0_i64..).zip(all) {
        let pipeline = first + 10 * number;
        let events = events(pipeline);
        let repeated = order[number as usize % order.len()];
        for (arrival, &event) in (0..).zip(order.iter().chain([&repeated])) {
            done(catalog.record_hook(&events[event], later(arrival)).await.unwrap());
        }
        let state = state(catalog, pipeline).await;
        let expected = expected.get_or_insert_with(|| state.clone());
        assert_eq!(state, *expected, "in order {order:?}, then {repeated} again");
    }
    expected.unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn a_pipelines_events_end_in_one_state_in_every_order() {
    let (_folder, catalog) = open().await;
    let end = every_order_ends_alike(&catalog, |id| {
        let job = id + 1;
        vec![
            about_pipeline(
                id,
                pipeline_change(PipelineStatus::Created, None),
                vec![(job, job_change("build", JobStatus::Created, 10))],
            ),
            about_job(id, job, job_change("build", JobStatus::Created, 10)),
            about_pipeline(
                id,
                pipeline_change(PipelineStatus::Running, None),
                vec![(job, job_change("build", JobStatus::Running, 10))],
            ),
            about_job(id, job, job_change("build", JobStatus::Running, 10)),
            about_job(id, job, job_change("build", JobStatus::Success, 10)),
            about_pipeline(
                id,
                pipeline_change(PipelineStatus::Success, Some(15)),
                vec![(job, job_change("build", JobStatus::Success, 10))],
            ),
        ]
    })
    .await;
    assert_eq!(end["status"], "success");
    assert_eq!(end["finished_at"], 15);
    assert_eq!(end["source"], "web");
    assert_eq!(end["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(end["jobs"][0]["status"], "success");
    assert_eq!(end["jobs"][0]["started_at"], 10);
    assert_eq!(end["jobs"][0]["finished_at"], 15);
    assert_eq!(end["jobs"][0]["retried"], 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_retried_in_a_pipeline_that_was_over_ends_alike_in_every_order() {
    let (_folder, catalog) = open().await;
    let end = every_order_ends_alike(&catalog, |id| {
        let first = |status| (id + 1, job_change("build", status, 10));
        let second = |status| (id + 2, job_change("build", status, 100));
        vec![
            about_pipeline(
                id,
                pipeline_change(PipelineStatus::Failed, Some(15)),
                vec![first(JobStatus::Failed)],
            ),
            about_job(id, id + 2, second(JobStatus::Created).1),
            about_pipeline(
                id,
                pipeline_change(PipelineStatus::Running, None),
                vec![first(JobStatus::Failed), second(JobStatus::Running)],
            ),
            about_job(id, id + 2, second(JobStatus::Success).1),
            about_pipeline(
                id,
                pipeline_change(PipelineStatus::Success, Some(105)),
                vec![second(JobStatus::Success)],
            ),
        ]
    })
    .await;
    assert_eq!(end["status"], "success");
    assert_eq!(end["finished_at"], 105);
    assert_eq!(end["jobs"][0]["retried"], 1);
    assert_eq!(end["jobs"][0]["status"], "failed");
    assert_eq!(end["jobs"][0]["failure_reason"], "script_failure");
    assert_eq!(end["jobs"][1]["retried"], 0);
    assert_eq!(end["jobs"][1]["status"], "success");
}

#[tokio::test(flavor = "current_thread")]
async fn a_retry_reopens_its_pipeline_and_only_the_newest_of_a_name_counts() {
    let (_folder, catalog) = open().await;
    let record = async |hook: HookReport| done(catalog.record_hook(&hook, NOW).await.unwrap());
    let over = |finished| pipeline_change(PipelineStatus::Success, Some(finished));
    record(about_pipeline(
        10,
        over(15),
        vec![
            (1, job_change("build", JobStatus::Success, 10)),
            (2, job_change("lint", JobStatus::Success, 10)),
        ],
    ))
    .await;
    record(about_job(10, 3, job_change("build", JobStatus::Running, 100))).await;
    let now = state(&catalog, 10).await;
    assert_eq!(now["status"], "success", "a job alone says nothing of its pipeline");
    let retried = |state: &Value| -> Vec<bool> {
        state["jobs"].as_array().unwrap().iter().map(|job| job["retried"] == 1).collect()
    };
    assert_eq!(retried(&now), [true, false, false]);
    let again = pipeline_change(PipelineStatus::Running, None);
    let jobs = vec![(3, job_change("build", JobStatus::Running, 100))];
    record(about_pipeline(10, again, jobs)).await;
    let now = state(&catalog, 10).await;
    assert_eq!((&now["status"], &now["finished_at"]), (&"running".into(), &Value::Null));
    // One that comes late does not end it a second time in the past, and revives nobody.
    record(about_job(10, 1, job_change("build", JobStatus::Success, 10))).await;
    record(about_pipeline(10, over(105), vec![])).await;
    let now = state(&catalog, 10).await;
    assert_eq!((&now["status"], &now["finished_at"]), (&"success".into(), &105.into()));
    assert_eq!(retried(&now), [true, false, false]);
    record(about_pipeline(10, over(15), vec![])).await;
    assert_eq!(state(&catalog, 10).await["finished_at"], 105);
    // The same name in another pipeline is another job.
    record(about_job(11, 4, job_change("build", JobStatus::Running, 100))).await;
    assert_eq!(retried(&state(&catalog, 10).await), [true, false, false]);
    assert_eq!(retried(&state(&catalog, 11).await), [false]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_that_comes_before_its_pipeline_makes_project_and_pipeline() {
    let (_folder, catalog) = open().await;
    let hook = about_job(10, 1, job_change("build", JobStatus::Running, 10));
    done(catalog.record_hook(&hook, NOW).await.unwrap());
    let project = catalog.project(ProjectRef::Path("group/app")).await.unwrap().unwrap();
    assert_eq!((project.id, project.visibility), (ProjectId(1), Visibility::Private));
    assert!(project.public_pipelines && project.job_token_allowlist.is_empty());
    let made = state(&catalog, 10).await;
    assert_eq!((&made["ref"], &made["status"]), (&"main".into(), &"running".into()));
    assert_eq!(made["jobs"][0]["status"], "running");
    assert_eq!(catalog.has_pipeline(project.id, &of_ref("main")).await, PipelineId(11));
    assert_eq!(catalog.has_job(project.id, PipelineId(11), "x").await, JobId(2));

    let no_ref = PipelineChange { ref_name: None, ..of_ref("main") };
    let no_name = JobChange { name: None, ..job_change("build", JobStatus::Running, 10) };
    let before = catalog.everything().await;
    for (name, hook, missing) in [
        ("no ref", about_pipeline(90, no_ref, vec![]), "ref"),
        ("no name", about_job(91, 90, no_name), "name"),
    ] {
        let hook = HookReport { project: path("group/new"), ..hook };
        let outcome = catalog.record_hook(&hook, NOW).await.unwrap();
        assert_eq!(outcome, Announced::Missing(missing), "{name}");
        assert_unchanged(&before, &catalog.everything().await, name);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_project_has_the_number_of_the_other_side_where_it_is_free() {
    let (_folder, catalog) = open().await;
    let first = catalog.has_project("group/first").await;
    assert_eq!(first, ProjectId(1));
    let table = [
        ("free", "group/a", Some(70), 70),
        ("taken by another project", "group/b", Some(70), 71),
        ("taken by the first", "group/c", Some(1), 72),
        ("not said", "group/d", None, 73),
        ("free and lower", "group/e", Some(60), 60),
        ("after a lower one", "group/f", None, 74),
        ("0", "group/g", Some(0), 75),
        ("negative", "group/h", Some(-5), 76),
        ("past the largest", "group/i", Some((1 << 52) + 1), 77),
        ("known here by another number", "group/a", Some(78), 70),
    ];
    for (pipeline, (name, text, asked, expected)) in (1..).zip(table) {
        let hook = HookReport {
            project: path(text),
            project_id: asked.map(ProjectId),
            visibility: Some(Visibility::Internal),
            ..about_pipeline(pipeline, pipeline_change(PipelineStatus::Running, None), vec![])
        };
        done(catalog.record_hook(&hook, NOW).await.unwrap());
        let project = catalog.project(ProjectRef::Path(text)).await.unwrap().unwrap();
        assert_eq!(project.id, ProjectId(expected), "{name}");
        assert_eq!(project.visibility, Visibility::Internal, "{name}");
    }
    // What was set here is not changed by what a hook says of an existing project.
    let hook = HookReport {
        project: path("group/first"),
        visibility: Some(Visibility::Private),
        ..about_pipeline(99, pipeline_change(PipelineStatus::Running, None), vec![])
    };
    done(catalog.record_hook(&hook, NOW).await.unwrap());
    let project = catalog.project(ProjectRef::Id(first)).await.unwrap().unwrap();
    assert_eq!(project.visibility, Visibility::Public);
}

#[tokio::test(flavor = "current_thread")]
async fn ids_of_another_project_are_refused_and_nothing_is_written() {
    let (_folder, catalog) = open().await;
    let other = catalog.has_project("group/other").await;
    let over = PipelineChange {
        details: DetailsChange { finished_at: at(50), ..DetailsChange::default() },
        ..of_ref("main")
    };
    let put = catalog.put_pipeline(other, Some(PipelineId(10)), &over, false, NOW).await.unwrap();
    assert_eq!(done(put).id, PipelineId(10));
    let job = JobChange {
        pipeline_id: Some(PipelineId(10)),
        ..job_change("build", JobStatus::Success, 40)
    };
    done(catalog.put_job(other, Some(JobId(1)), &job, &token(1), NOW).await.unwrap());
    let newer = || pipeline_change(PipelineStatus::Success, Some(60));
    let older = || pipeline_change(PipelineStatus::Running, None);
    let jobs = |id, status| {
        vec![(8, job_change("lint", JobStatus::Running, 1)), (id, job_change("build", status, 45))]
    };
    let table = [
        ("a pipeline, newer", about_pipeline(10, newer(), vec![])),
        ("a pipeline, older", about_pipeline(10, older(), vec![])),
        ("a pipeline that a job is of", about_job(10, 8, job_change("a", JobStatus::Running, 1))),
        ("a job, newer", about_pipeline(11, newer(), jobs(1, JobStatus::Success))),
        ("a job, older", about_pipeline(11, newer(), jobs(1, JobStatus::Created))),
        ("a job alone, older", about_job(11, 1, job_change("build", JobStatus::Running, 1))),
    ];
    let before = catalog.everything().await;
    for (name, hook) in table {
        for project in ["group/new", "group/app"] {
            let hook = HookReport {
                project: path(project),
                project_id: Some(ProjectId(40)),
                ..hook.clone()
            };
            let outcome = catalog.record_hook(&hook, NOW).await.unwrap();
            assert_eq!(outcome, Announced::OtherProject, "{name}");
            assert_unchanged(&before, &catalog.everything().await, name);
        }
    }
    for (name, hook) in [
        ("pipeline 0", about_pipeline(0, newer(), vec![])),
        ("job 0", about_pipeline(12, newer(), jobs(0, JobStatus::Running))),
    ] {
        let error = catalog.record_hook(&hook, NOW).await.unwrap_err();
        assert!(matches!(error, CatalogError::IdOutOfRange { id: 0 }), "{name}: {error}");
        assert_unchanged(&before, &catalog.everything().await, name);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_hook_that_ends_a_job_ends_its_tokens_and_what_was_kept() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let old = catalog.has_archive(project, "main", 1, None).await;
    let pipeline = PipelineChange { status: Some(PipelineStatus::Running), ..of_ref("main") };
    let pipeline = catalog.has_pipeline(project, &pipeline).await;
    let change = running(pipeline, "build");
    let job = done(catalog.put_job(project, None, &change, &token(1), NOW).await.unwrap()).id;
    watched(&catalog, async || {
        until_kept(async || {
            assert!(catalog.running_job(&token(1)).await.unwrap().is_some());
            assert_eq!(catalog.latest_id(project, "main", "build").await, Some(old));
            catalog.cached_running_job(&token(1)).is_some()
                && catalog.cached_latest(project, "main", "build", false, NOW).is_some()
        })
        .await;
        let jobs = vec![(job.0, job_change("build", JobStatus::Success, 10))];
        let over = pipeline_change(PipelineStatus::Success, Some(15));
        let hook = about_pipeline(pipeline.0, over, jobs);
        done(catalog.record_hook(&hook, NOW).await.unwrap());
        assert_eq!(catalog.cached_running_job(&token(1)), None, "at once");
        assert_eq!(catalog.running_job(&token(1)).await.unwrap(), None);
        assert_eq!(catalog.latest_id(project, "main", "build").await, None, "the new one counts");
    })
    .await;
}

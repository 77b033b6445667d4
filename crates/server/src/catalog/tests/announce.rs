//! What ingest routes announce: every field, ids, tokens of running jobs.

use serde_json::{Value, json};

use super::scene::{assert_unchanged, done, later, of_ref, running, token, until_kept};
use super::*;

async fn pipeline_row(catalog: &Catalog, id: PipelineId) -> Value {
    catalog
        .json(&format!(
            "SELECT json_object('ref', ref, 'sha', sha, 'tag', tag, 'status', status,
                 'source', source, 'parent', parent_pipeline_id, 'created_at', created_at,
                 'started_at', started_at, 'finished_at', finished_at, 'coverage', coverage,
                 'failure_reason', failure_reason, 'commit', commit_json, 'user', user_json,
                 'project', project_id) AS json
             FROM pipelines WHERE id = {id}"
        ))
        .await
}

async fn job_row(catalog: &Catalog, id: JobId) -> Value {
    catalog
        .json(&format!(
            "SELECT json_object('pipeline', pipeline_id, 'name', name, 'stage', stage,
                 'status', status, 'retried', retried, 'allow_failure', allow_failure,
                 'artifacts_access', artifacts_access, 'locked', locked, 'runner', runner_json,
                 'created_at', created_at, 'started_at', started_at, 'finished_at', finished_at,
                 'coverage', coverage, 'failure_reason', failure_reason, 'commit', commit_json,
                 'user', user_json, 'project', project_id) AS json
             FROM jobs WHERE id = {id}"
        ))
        .await
}

fn object(text: &str) -> Option<Option<Json>> {
    Some(Some(Json(text.into())))
}

/// Every field given, none with its first value.
fn all_details() -> DetailsChange {
    DetailsChange {
        created_at: Some(Some(UtcMillis(1))),
        started_at: Some(Some(UtcMillis(2))),
        finished_at: Some(Some(UtcMillis(3))),
        coverage: Some(Some(99.5)),
        failure_reason: Some(Some("script_failure".into())),
        commit: object(r#"{"id":"c0"}"#),
        user: object(r#"{"id":8}"#),
    }
}

/// A change of one field of the details, and the column that it changes to what.
fn details_changes() -> Vec<(&'static str, DetailsChange, Value)> {
    let none = DetailsChange::default;
    let at = |millis| Some(Some(UtcMillis(millis)));
    vec![
        ("created_at", DetailsChange { created_at: at(11), ..none() }, json!(11)),
        ("created_at", DetailsChange { created_at: Some(None), ..none() }, json!(1)),
        ("started_at", DetailsChange { started_at: at(12), ..none() }, json!(12)),
        ("started_at", DetailsChange { started_at: Some(None), ..none() }, json!(null)),
        ("finished_at", DetailsChange { finished_at: at(13), ..none() }, json!(13)),
        ("finished_at", DetailsChange { finished_at: Some(None), ..none() }, json!(null)),
        ("coverage", DetailsChange { coverage: Some(Some(0.0)), ..none() }, json!(0.0)),
        ("coverage", DetailsChange { coverage: Some(None), ..none() }, json!(null)),
        (
            "failure_reason",
            DetailsChange { failure_reason: Some(Some("".into())), ..none() },
            json!(""),
        ),
        ("failure_reason", DetailsChange { failure_reason: Some(None), ..none() }, json!(null)),
        (
            "commit",
            DetailsChange { commit: object(r#"{"a":"'"}"#), ..none() },
            json!(r#"{"a":"'"}"#),
        ),
        ("commit", DetailsChange { commit: Some(None), ..none() }, json!(null)),
        ("user", DetailsChange { user: object("{}"), ..none() }, json!("{}")),
        ("user", DetailsChange { user: Some(None), ..none() }, json!(null)),
    ]
}

#[tokio::test(flavor = "current_thread")]
async fn a_project_that_is_new_has_the_first_value_of_each_field() {
    let (_folder, catalog) = open().await;
    let change = ProjectChange::default();
    let put = async |text: &str, only_new| {
        catalog.put_project(&path(text), &change, only_new, NOW).await.unwrap()
    };
    let expected = Project {
        id: ProjectId(1),
        path: "group/app".into(),
        visibility: Visibility::Public,
        public_pipelines: true,
        job_token_allowlist: [].into(),
    };
    assert_eq!(done(put("group/app", false).await), expected);
    assert_eq!(done(put("group/app", false).await), expected, "again");
    let before = catalog.everything().await;
    assert_eq!(put("group/app", true).await, Announced::Exists);
    assert_unchanged(&before, &catalog.everything().await, "a project that exists");
    assert_eq!(done(put("group/new", true).await).id, ProjectId(2));
}

#[tokio::test(flavor = "current_thread")]
async fn a_project_keeps_what_is_left_out_and_a_change_is_seen_at_once() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let none = ProjectChange::default;
    let full = ProjectChange {
        visibility: Some(Visibility::Internal),
        public_pipelines: Some(false),
        job_token_allowlist: Some(vec![path("a/b"), path("c/d.e-f_g")]),
    };
    let project = done(catalog.put_project(&app, &full, false, NOW).await.unwrap());
    let expected = Project {
        id: project.id,
        path: "group/app".into(),
        visibility: Visibility::Internal,
        public_pipelines: false,
        job_token_allowlist: ["a/b".into(), "c/d.e-f_g".into()].into(),
    };
    assert_eq!(project, expected);
    assert!(project.allows_jobs_of("a/b") && !project.allows_jobs_of("a"));
    type Applied = fn(&mut Project);
    let table: [(&str, ProjectChange, Applied); 5] = [
        ("nothing", none(), |_| {}),
        (
            "visibility",
            ProjectChange { visibility: Some(Visibility::Private), ..none() },
            |project| project.visibility = Visibility::Private,
        ),
        ("pipelines", ProjectChange { public_pipelines: Some(true), ..none() }, |project| {
            project.public_pipelines = true;
        }),
        (
            "the list",
            ProjectChange { job_token_allowlist: Some(vec![path("x/y")]), ..none() },
            |project| project.job_token_allowlist = ["x/y".into()].into(),
        ),
        (
            "an empty list",
            ProjectChange { job_token_allowlist: Some(vec![]), ..none() },
            |project| project.job_token_allowlist = [].into(),
        ),
    ];
    watched(&catalog, async || {
        for (name, change, apply) in table {
            until_kept(async || {
                let kept = catalog.project(ProjectRef::Id(project.id)).await.unwrap().unwrap();
                assert_eq!(*kept, expected, "{name}");
                catalog.cached_project(ProjectRef::Path("group/app")).is_some()
            })
            .await;
            let mut changed = expected.clone();
            apply(&mut changed);
            let answer = done(catalog.put_project(&app, &change, false, NOW).await.unwrap());
            assert_eq!(answer, changed, "{name}");
            let kept = catalog.project(ProjectRef::Path("group/app")).await.unwrap().unwrap();
            assert_eq!(*kept, changed, "{name}");
            done(catalog.put_project(&app, &full, false, NOW).await.unwrap());
        }
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_pipeline_that_is_new_has_the_first_value_of_each_field() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let id = catalog.has_pipeline(project, &of_ref("main")).await;
    assert_eq!(id, PipelineId(1));
    let expected = json!({
        "ref": "main", "sha": null, "tag": 0, "status": "success", "source": "push",
        "parent": null, "created_at": NOW.0, "started_at": null, "finished_at": null,
        "coverage": null, "failure_reason": null, "commit": null, "user": null, "project": 1,
    });
    assert_eq!(pipeline_row(&catalog, id).await, expected);
    let nulls = PipelineChange {
        sha: Some(None),
        parent_pipeline_id: Some(None),
        details: DetailsChange {
            created_at: Some(None),
            started_at: Some(None),
            finished_at: Some(None),
            coverage: Some(None),
            failure_reason: Some(None),
            commit: Some(None),
            user: Some(None),
        },
        ..of_ref("main")
    };
    let id = catalog.has_pipeline(project, &nulls).await;
    assert_eq!(pipeline_row(&catalog, id).await, expected, "null is the first value too");
}

#[tokio::test(flavor = "current_thread")]
async fn a_pipeline_changes_in_the_fields_that_are_given_and_in_no_other() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let none = PipelineChange::default;
    let full = PipelineChange {
        ref_name: Some("main".into()),
        sha: Some(Some("abc".into())),
        tag: Some(true),
        status: Some(PipelineStatus::Failed),
        source: Some("web".into()),
        parent_pipeline_id: Some(Some(PipelineId(77))),
        details: all_details(),
    };
    let id = PipelineId(10);
    let put = async |change: &PipelineChange| {
        done(catalog.put_pipeline(project, Some(id), change, false, later(1)).await.unwrap()).id
    };
    assert_eq!(put(&full).await, id);
    let expected = json!({
        "ref": "main", "sha": "abc", "tag": 1, "status": "failed", "source": "web",
        "parent": 77, "created_at": 1, "started_at": 2, "finished_at": 3,
        "coverage": 99.5, "failure_reason": "script_failure", "commit": r#"{"id":"c0"}"#,
        "user": r#"{"id":8}"#, "project": 1,
    });
    let mut table = vec![
        ("ref", none(), json!("main")),
        ("ref", PipelineChange { ref_name: Some("d'ev".into()), ..none() }, json!("d'ev")),
        ("sha", PipelineChange { sha: Some(Some("def".into())), ..none() }, json!("def")),
        ("sha", PipelineChange { sha: Some(None), ..none() }, json!(null)),
        ("tag", PipelineChange { tag: Some(false), ..none() }, json!(0)),
        ("source", PipelineChange { source: Some("push".into()), ..none() }, json!("push")),
        (
            "parent",
            PipelineChange { parent_pipeline_id: Some(Some(PipelineId(78))), ..none() },
            json!(78),
        ),
        ("parent", PipelineChange { parent_pipeline_id: Some(None), ..none() }, json!(null)),
    ];
    for word in PipelineStatus::WORDS {
        let status = Some(word.parse().unwrap());
        table.push(("status", PipelineChange { status, ..none() }, json!(word)));
    }
    for (field, details, value) in details_changes() {
        table.push((field, PipelineChange { details, ..none() }, value));
    }
    for (field, change, value) in table {
        assert_eq!(pipeline_row(&catalog, id).await, expected, "before {field}");
        put(&change).await;
        let mut changed = expected.clone();
        changed[field] = value;
        assert_eq!(pipeline_row(&catalog, id).await, changed, "{change:?}");
        put(&full).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_that_is_new_has_the_first_value_of_each_field() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
    let id = catalog.has_job(project, pipeline, "build").await;
    let expected = json!({
        "pipeline": 1, "name": "build", "stage": "test", "status": "running", "retried": 0,
        "allow_failure": 0, "artifacts_access": "all", "locked": 0, "runner": null,
        "created_at": NOW.0, "started_at": null, "finished_at": null, "coverage": null,
        "failure_reason": null, "commit": null, "user": null, "project": 1,
    });
    assert_eq!(job_row(&catalog, id).await, expected);
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_changes_in_the_fields_that_are_given_and_in_no_other() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let first = catalog.has_pipeline(project, &of_ref("main")).await;
    let second = catalog.has_pipeline(project, &of_ref("main")).await;
    let none = JobChange::default;
    let full = JobChange {
        pipeline_id: Some(first),
        name: Some("build".into()),
        stage: Some("deploy".into()),
        status: Some(JobStatus::Failed),
        retried: Some(true),
        allow_failure: Some(true),
        artifacts_access: Some(ArtifactsAccess::Maintainer),
        locked: Some(true),
        runner: object(r#"{"id":5}"#),
        details: all_details(),
    };
    let id = JobId(100);
    let put = async |change: &JobChange| {
        let job = catalog.put_job(project, Some(id), change, &token(0), later(1)).await.unwrap();
        catalog.write("DELETE FROM job_tokens").await;
        assert_eq!(done(job).id, id);
    };
    put(&full).await;
    let expected = json!({
        "pipeline": 1, "name": "build", "stage": "deploy", "status": "failed", "retried": 1,
        "allow_failure": 1, "artifacts_access": "maintainer", "locked": 1,
        "runner": r#"{"id":5}"#, "created_at": 1, "started_at": 2, "finished_at": 3,
        "coverage": 99.5, "failure_reason": "script_failure", "commit": r#"{"id":"c0"}"#,
        "user": r#"{"id":8}"#, "project": 1,
    });
    let mut table = vec![
        ("name", none(), json!("build")),
        ("pipeline", JobChange { pipeline_id: Some(second), ..none() }, json!(2)),
        ("name", JobChange { name: Some("lint".into()), ..none() }, json!("lint")),
        ("stage", JobChange { stage: Some("test".into()), ..none() }, json!("test")),
        ("retried", JobChange { retried: Some(false), ..none() }, json!(0)),
        ("allow_failure", JobChange { allow_failure: Some(false), ..none() }, json!(0)),
        ("locked", JobChange { locked: Some(false), ..none() }, json!(0)),
        ("runner", JobChange { runner: object("{}"), ..none() }, json!("{}")),
        ("runner", JobChange { runner: Some(None), ..none() }, json!(null)),
    ];
    for word in JobStatus::WORDS {
        let status = Some(word.parse().unwrap());
        table.push(("status", JobChange { status, ..none() }, json!(word)));
    }
    for word in ArtifactsAccess::WORDS {
        let artifacts_access = Some(word.parse().unwrap());
        table.push(("artifacts_access", JobChange { artifacts_access, ..none() }, json!(word)));
    }
    for (field, details, value) in details_changes() {
        table.push((field, JobChange { details, ..none() }, value));
    }
    for (field, change, value) in table {
        assert_eq!(job_row(&catalog, id).await, expected, "before {field}");
        put(&change).await;
        let mut changed = expected.clone();
        changed[field] = value;
        assert_eq!(job_row(&catalog, id).await, changed, "{change:?}");
        put(&full).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_id_that_was_given_is_not_given_out_again() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let pipeline = async |id: Option<i64>| {
        let id = id.map(PipelineId);
        done(catalog.put_pipeline(project, id, &of_ref("main"), false, NOW).await.unwrap()).id.0
    };
    let table = [(None, 1), (Some(50), 50), (None, 51), (Some(40), 40), (None, 52), (Some(53), 53)];
    for (asked, expected) in table {
        assert_eq!(pipeline(asked).await, expected, "pipeline {asked:?}");
    }
    assert_eq!(pipeline(None).await, 54);
    let change = running(PipelineId(1), "build");
    let job = async |id: Option<i64>, number| {
        let id = id.map(JobId);
        done(catalog.put_job(project, id, &change, &token(number), NOW).await.unwrap()).id.0
    };
    for (number, (asked, expected)) in (0..).zip(table) {
        assert_eq!(job(asked, number).await, expected, "job {asked:?}");
    }
    assert_eq!(job(None, 7).await, 54);
    // Whoever takes the largest one that can be chosen leaves as many again for the others.
    assert_eq!(pipeline(Some(1 << 52)).await, 1 << 52);
    assert_eq!(pipeline(None).await, (1 << 52) + 1);
    catalog.write("UPDATE counters SET last_id = 9007199254740990 WHERE name = 'pipeline'").await;
    assert_eq!(pipeline(None).await, MAX_ID);
    let before = catalog.everything().await;
    let error = catalog.put_pipeline(project, None, &of_ref("main"), false, NOW).await.unwrap_err();
    assert!(matches!(error, CatalogError::IdsExhausted), "{error}");
    assert_unchanged(&before, &catalog.everything().await, "no id left");
    assert_eq!(pipeline(Some(1 << 52)).await, 1 << 52, "changed, not made");
}

#[tokio::test(flavor = "current_thread")]
async fn a_pipeline_that_is_refused_leaves_no_trace() {
    let (_folder, catalog) = open().await;
    let app = catalog.has_project("group/app").await;
    let other = catalog.has_project("group/other").await;
    let of_other = catalog.has_pipeline(other, &of_ref("main")).await;
    let mine = catalog.has_pipeline(app, &of_ref("main")).await;
    let parent =
        |id| PipelineChange { parent_pipeline_id: Some(Some(PipelineId(id))), ..of_ref("main") };
    let no_ref = PipelineChange { ref_name: None, ..of_ref("main") };
    let no_status = PipelineChange { status: None, ..of_ref("main") };
    let (long, longest) = ("r".repeat(4097), "r".repeat(4096));
    #[rustfmt::skip]
    let table = [
        ("no ref", None, no_ref.clone(), "missing ref"),
        ("no ref, with an id", Some(9), no_ref, "missing ref"),
        ("no status", None, no_status, "missing status"),
        ("nothing", None, PipelineChange::default(), "missing ref"),
        ("one of another project", Some(of_other.0), of_ref("main"), "other project"),
        ("nothing of one of another project", Some(of_other.0), PipelineChange::default(),
            "other project"),
        ("its own parent", Some(mine.0), parent(mine.0), "own parent"),
        ("its own parent, new", Some(9), parent(9), "own parent"),
        ("its own parent by the id that it is given", None, parent(3), "own parent"),
        ("id 0", Some(0), of_ref("main"), "id 0"),
        ("a negative id", Some(-1), of_ref("main"), "id -1"),
        ("an id past the largest", Some((1 << 52) + 1), of_ref("main"), "id 4503599627370497"),
        ("parent 0", None, parent(0), "id 0"),
        ("a parent past the largest id", None, parent((1 << 52) + 1), "id 4503599627370497"),
        ("an empty ref", Some(mine.0), of_ref(""), "bad ref name"),
        ("a long ref", None, of_ref(&long), "bad ref name"),
        ("a ref with a line feed", None, of_ref("a\nb"), "bad ref name"),
        ("a ref with NUL", None, of_ref("a\0b"), "bad ref name"),
        ("a ref with a C1 control character", None, of_ref("a\u{85}b"), "bad ref name"),
    ];
    let before = catalog.everything().await;
    for (name, id, change, expected) in table {
        let id = id.map(PipelineId);
        let outcome = refusal(catalog.put_pipeline(app, id, &change, false, NOW).await);
        assert_eq!(outcome, expected, "{name}");
        assert_unchanged(&before, &catalog.everything().await, name);
    }
    for (name, change) in [
        ("the longest ref", of_ref(&longest)),
        ("a ref with quotes", of_ref("a'\"b")),
        ("a parent that nobody knows", parent(900)),
        ("a parent of another project", parent(of_other.0)),
    ] {
        let outcome = catalog.put_pipeline(app, None, &change, false, NOW).await.unwrap();
        assert!(matches!(outcome, Announced::Done(_)), "{name}");
    }
}

/// What a call refused, in short.
fn refusal<T>(outcome: Result<Announced<T>, CatalogError>) -> String {
    match outcome {
        Ok(Announced::Done(_)) => "done".to_owned(),
        Ok(Announced::Missing(field)) => format!("missing {field}"),
        Ok(Announced::OtherProject) => "other project".to_owned(),
        Ok(Announced::NoPipeline) => "no pipeline".to_owned(),
        Ok(Announced::OwnParent) => "own parent".to_owned(),
        Ok(Announced::Exists) => "exists".to_owned(),
        Err(CatalogError::IdOutOfRange { id }) => format!("id {id}"),
        Err(CatalogError::BadName { what, .. }) => format!("bad {what}"),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_that_is_refused_leaves_no_trace() {
    let (_folder, catalog) = open().await;
    let app = catalog.has_project("group/app").await;
    let other = catalog.has_project("group/other").await;
    let pipeline_of_other = catalog.has_pipeline(other, &of_ref("main")).await;
    let job_of_other = catalog.has_job(other, pipeline_of_other, "build").await.0;
    let pipeline = catalog.has_pipeline(app, &of_ref("main")).await;
    let mine = catalog.has_job(app, pipeline, "build").await.0;
    let base = || running(pipeline, "lint");
    let named = |name: &str| running(pipeline, name);
    let (long, longest) = ("j".repeat(256), "j".repeat(255));
    #[rustfmt::skip]
    let table = [
        ("no pipeline", None, JobChange { pipeline_id: None, ..base() }, "missing pipeline_id"),
        ("no name", None, JobChange { name: None, ..base() }, "missing name"),
        ("no status", Some(70), JobChange { status: None, ..base() }, "missing status"),
        ("nothing", Some(70), JobChange::default(), "missing pipeline_id"),
        ("one of another project", Some(job_of_other), base(), "other project"),
        ("nothing of one of another project", Some(job_of_other), JobChange::default(),
            "other project"),
        ("a pipeline that is not there", None, running(PipelineId(99), "lint"), "no pipeline"),
        ("a pipeline of another project", None, running(pipeline_of_other, "lint"), "no pipeline"),
        ("moved to a pipeline that is not there", Some(mine), running(PipelineId(99), "lint"),
            "no pipeline"),
        ("moved to a pipeline of another project", Some(mine), running(pipeline_of_other, "lint"),
            "no pipeline"),
        ("id 0", Some(0), base(), "id 0"),
        ("a negative id", Some(i64::MIN), base(), "id -9223372036854775808"),
        ("an id past the largest", Some((1 << 52) + 1), base(), "id 4503599627370497"),
        ("pipeline 0", None, running(PipelineId(0), "lint"), "id 0"),
        ("an empty name", Some(mine), named(""), "bad job name"),
        ("a long name", None, named(&long), "bad job name"),
        ("a name with a tab", None, named("a\tb"), "bad job name"),
    ];
    let before = catalog.everything().await;
    for (name, id, change, expected) in table {
        let id = id.map(JobId);
        let outcome = refusal(catalog.put_job(app, id, &change, &token(1), NOW).await);
        assert_eq!(outcome, expected, "{name}");
        assert_unchanged(&before, &catalog.everything().await, name);
    }
    let longest = named(&longest);
    done(catalog.put_job(app, None, &longest, &token(1), NOW).await.unwrap());
}

/// Which of a job's tokens are valid, asked as a request asks.
async fn valid(catalog: &Catalog, numbers: std::ops::Range<u8>) -> Vec<u8> {
    let mut valid = Vec::new();
    for number in numbers {
        let kept = catalog.cached_running_job(&token(number));
        let found = catalog.running_job(&token(number)).await.unwrap();
        assert!(kept.is_none() || kept == found, "memory agrees");
        valid.extend(found.is_some().then_some(number));
    }
    valid
}

#[tokio::test(flavor = "current_thread")]
async fn a_token_is_valid_while_its_job_runs() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
    let status = |status| JobChange { status: Some(status), ..JobChange::default() };
    let id = JobId(7);
    let put = async |change: &JobChange, number| {
        let job = catalog.put_job(project, Some(id), change, &token(number), NOW).await.unwrap();
        done(job).is_running
    };
    watched(&catalog, async || {
        assert_eq!(catalog.running_job(&token(0)).await.unwrap(), None, "unknown");
        assert!(put(&running(pipeline, "build"), 0).await);
        let expected = RunningJob { id, project_id: project, project_path: "group/app".into() };
        let job = catalog.running_job(&token(0)).await.unwrap().unwrap();
        assert_eq!(*job, expected);
        until_kept(async || {
            let before = catalog.statements();
            assert_eq!(catalog.running_job(&token(0)).await.unwrap().as_ref(), Some(&job));
            catalog.statements() == before
        })
        .await;

        // Each announcement gives one, and they stand beside each other.
        assert!(put(&JobChange::default(), 1).await, "the status is left out");
        assert!(put(&status(JobStatus::Running), 2).await);
        assert_eq!(valid(&catalog, 0..4).await, [0, 1, 2]);

        let mut next = 3;
        for word in JobStatus::WORDS.iter().filter(|&&word| word != "running") {
            // Kept in memory a moment ago, and over now.
            until_kept(async || {
                assert_ne!(valid(&catalog, 0..next).await, [0; 0], "{word}");
                (0..next).any(|number| catalog.cached_running_job(&token(number)).is_some())
            })
            .await;
            assert!(!put(&status(word.parse().unwrap()), next).await, "{word}");
            for number in 0..=next {
                assert_eq!(catalog.cached_running_job(&token(number)), None, "{word}, at once");
            }
            assert_eq!(valid(&catalog, 0..next + 1).await, [0; 0], "{word}");
            // It runs again: the old ones stay what they are.
            assert!(put(&status(JobStatus::Running), next + 1).await, "{word}");
            assert_eq!(valid(&catalog, 0..next + 2).await, [next + 1], "{word}");
            next += 2;
        }
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn the_seventeenth_token_of_a_job_drops_the_oldest() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
    let other = done(
        catalog.put_job(project, None, &running(pipeline, "lint"), &token(200), NOW).await.unwrap(),
    );
    let put = async |number: u8, now| {
        let change = running(pipeline, "build");
        done(catalog.put_job(project, Some(JobId(7)), &change, &token(number), now).await.unwrap());
    };
    watched(&catalog, async || {
        for number in 0..16 {
            put(number, later(number.into())).await;
        }
        assert_eq!(valid(&catalog, 0..17).await, (0..16).collect::<Vec<_>>());
        for number in 16..20 {
            put(number, later(number.into())).await;
            let expected: Vec<u8> = (number - 15..=number).collect();
            assert_eq!(valid(&catalog, 0..30).await, expected);
        }
        let of_other = catalog.running_job(&token(200)).await.unwrap();
        assert_eq!(of_other.map(|job| job.id), Some(other.id), "of another job");
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn the_token_that_was_just_given_is_valid_whatever_the_clock_says() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
    let change = running(pipeline, "build");
    // Within one millisecond, and with a clock that goes backwards.
    for (name, job, step) in [("at once", 7, 0), ("backwards", 8, -1)] {
        for number in 0..40_u8 {
            let digest = TokenDigest::of(&[job, number]);
            let now = later(step * i64::from(number));
            let id = Some(JobId(job.into()));
            done(catalog.put_job(project, id, &change, &digest, now).await.unwrap());
            let found = catalog.running_job(&digest).await.unwrap();
            assert!(found.is_some(), "{name}: token {number}");
        }
        let count = "SELECT COUNT(*) AS number FROM job_tokens";
        assert_eq!(catalog.number(count).await, 16 * (i64::from(job) - 6), "{name}");
    }
}

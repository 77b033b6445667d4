mod announce;
mod handover;
mod hooks;
mod latest;
mod lists;
mod migration;
mod retention;
mod scene;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::rows;
use super::*;
use crate::credential::{Role, Scope, Scopes, TokenSecret};

const NOW: UtcMillis = UtcMillis(1_700_000_000_000);

async fn open() -> (TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(folder.path()).await.unwrap();
    (folder, catalog)
}

fn path(text: &str) -> ProjectPath {
    text.parse().unwrap()
}

/// A push of the archive with digest 1; fields are replaced as a test needs.
fn to<'a>(project: &'a ProjectPath, ref_name: &'a str, job: &'a str) -> Push<'a> {
    Push {
        project,
        visibility: None,
        ref_name,
        job,
        pipeline: None,
        status: None,
        sha256: Sha256Digest([1; 32]),
        len: 1000,
        entries: 3,
        filename: "dist.zip",
        expires_at: None,
        now: NOW,
    }
}

impl Catalog {
    fn sqlite(&self) -> &Sqlite {
        let Database::Sqlite(sqlite) = &self.database;
        sqlite
    }

    /// Writes behind the back of the API, as a later part of the program will.
    async fn write(&self, sql: &'static str) {
        let mut transaction = self.sqlite().begin("test").await.unwrap();
        transaction.script(sql).await.unwrap();
        transaction.commit().await.unwrap();
        self.cache.end_generation();
    }

    async fn number(&self, sql: &'static str) -> i64 {
        let row = self.sqlite().find_optional("test", sqlx::query(sql)).await.unwrap().unwrap();
        rows::get(&row, "number").unwrap()
    }

    /// How many rows there are, and the ids given out.
    async fn contents(&self) -> Vec<i64> {
        let mut numbers = Vec::new();
        for sql in [
            "SELECT COUNT(*) AS number FROM projects",
            "SELECT COUNT(*) AS number FROM pipelines",
            "SELECT COUNT(*) AS number FROM jobs",
            "SELECT COUNT(*) AS number FROM jobs WHERE retried = 1",
            "SELECT COUNT(*) AS number FROM archives",
            "SELECT COUNT(*) AS number FROM blobs",
            "SELECT SUM(last_id) AS number FROM counters",
        ] {
            numbers.push(self.number(sql).await);
        }
        numbers
    }

    async fn latest_id(&self, project: ProjectId, ref_name: &str, job: &str) -> Option<JobId> {
        match self.latest(project, ref_name, job, false, NOW).await.unwrap() {
            Latest::Found(job) => Some(job.id),
            Latest::NoJob | Latest::NoArchive => None,
        }
    }
}

/// Polls until the condition holds.
async fn within(limit: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < limit, "not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn within_a_second(holds: impl AsyncFnMut() -> bool) {
    within(Duration::from_secs(1), holds).await;
}

/// Runs a test beside the watch, once the watch has looked for the first time.
async fn watched(catalog: &Catalog, test: impl AsyncFnOnce()) {
    let before = catalog.cache.generation();
    tokio::select! {
        () = catalog.watch() => {}
        () = async {
            let looked = async || catalog.cache.generation() != before;
            within(Duration::from_secs(20), looked).await;
            test().await;
        } => {}
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_push_is_found_by_job_and_by_ref() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let pushed = catalog
        .push(&Push { expires_at: Some(UtcMillis(NOW.0 + 5)), ..to(&app, "main", "build") })
        .await
        .unwrap();
    assert_eq!(
        pushed,
        Pushed { project_id: ProjectId(1), pipeline_id: PipelineId(1), job_id: JobId(1) }
    );

    let by_path = catalog.project(ProjectRef::Path("group/app")).await.unwrap().unwrap();
    assert_eq!(
        *by_path,
        Project {
            id: ProjectId(1),
            path: "group/app".into(),
            visibility: Visibility::Private,
            public_pipelines: true,
            job_token_allowlist: [].into(),
        }
    );
    assert_eq!(catalog.project(ProjectRef::Id(ProjectId(1))).await.unwrap(), Some(by_path));
    let job = catalog.job(pushed.project_id, pushed.job_id, NOW).await.unwrap().unwrap();
    assert_eq!(
        *job,
        Job {
            id: JobId(1),
            project_id: ProjectId(1),
            pipeline_id: PipelineId(1),
            name: "build".into(),
            stage: "test".into(),
            status: JobStatus::Success,
            retried: false,
            locked: false,
            artifacts_access: ArtifactsAccess::All,
            created_at: NOW,
            archive: Some(Archive {
                sha256: Sha256Digest([1; 32]),
                len: 1000,
                entries: 3,
                filename: "dist.zip".into(),
                stored_at: NOW,
                expires_at: Some(UtcMillis(NOW.0 + 5)),
                lost: false,
            }),
        }
    );
    let latest = catalog.latest(pushed.project_id, "main", "build", false, NOW).await.unwrap();
    assert_eq!(latest, Latest::Found(job));
}

#[tokio::test(flavor = "current_thread")]
async fn what_nobody_has_is_not_found() {
    let (_folder, catalog) = open().await;
    let (app, other) = (path("group/app"), path("group/other"));
    let pushed = catalog.push(&to(&app, "main", "build")).await.unwrap();
    let of_other = catalog.push(&to(&other, "main", "build")).await.unwrap();
    for absent in ["group/ap", "group/app/", "GROUP/app", "", "1", "%"] {
        assert_eq!(catalog.project(ProjectRef::Path(absent)).await.unwrap(), None, "{absent}");
    }
    for absent in [0, 3, -1, i64::MAX] {
        let project = ProjectRef::Id(ProjectId(absent));
        assert_eq!(catalog.project(project).await.unwrap(), None, "{absent}");
    }
    let job = catalog.job(pushed.project_id, of_other.job_id, NOW).await.unwrap();
    assert_eq!(job, None, "a job of another project");
}

#[tokio::test(flavor = "current_thread")]
async fn ids_are_global_and_grow() {
    let (_folder, catalog) = open().await;
    let (app, other) = (path("group/app"), path("group/other"));
    let ids = async |push: &Push<'_>| {
        let pushed = catalog.push(push).await.unwrap();
        (pushed.project_id.0, pushed.pipeline_id.0, pushed.job_id.0)
    };
    assert_eq!(ids(&to(&app, "main", "build")).await, (1, 1, 1));
    assert_eq!(ids(&to(&other, "main", "build")).await, (2, 2, 2));
    assert_eq!(ids(&to(&app, "main", "build")).await, (1, 3, 3));
    let given = Push { pipeline: Some(PipelineId(50)), ..to(&app, "main", "build") };
    assert_eq!(ids(&given).await, (1, 50, 4));
    assert_eq!(ids(&to(&app, "main", "build")).await, (1, 51, 5));
    let lower = Push { pipeline: Some(PipelineId(40)), ..to(&app, "main", "build") };
    assert_eq!(ids(&lower).await, (1, 40, 6));
    assert_eq!(ids(&to(&app, "main", "build")).await, (1, 52, 7));
}

#[tokio::test(flavor = "current_thread")]
async fn a_push_that_fails_stores_nothing() {
    use CatalogError::{
        BadName, IdOutOfRange, IdsExhausted, PipelineConflict, RefConflict, VisibilityConflict,
    };
    let (_folder, catalog) = open().await;
    let (app, other, new) = (path("group/app"), path("group/other"), path("group/new"));
    catalog.push(&to(&app, "main", "build")).await.unwrap();
    catalog.push(&to(&other, "main", "build")).await.unwrap();
    let before = catalog.contents().await;
    let content = Sha256Digest([9; 32]);
    let base = |project| Push { sha256: content, ..to(project, "main", "build") };
    let (long_ref, long_job) = ("r".repeat(4097), "j".repeat(256));
    type Expected = fn(&CatalogError) -> bool;
    let table: [(&str, Push<'_>, Expected); 12] = [
        (
            "another visibility",
            Push { visibility: Some(Visibility::Public), ..base(&app) },
            |error| {
                matches!(
                    error,
                    VisibilityConflict { existing: Visibility::Private, asked: Visibility::Public }
                )
            },
        ),
        (
            "a pipeline of another project",
            Push { pipeline: Some(PipelineId(2)), ..base(&app) },
            |error| matches!(error, PipelineConflict { pipeline: PipelineId(2) }),
        ),
        (
            "a pipeline of another project, by a project that is new",
            Push { pipeline: Some(PipelineId(1)), ..base(&new) },
            |error| matches!(error, PipelineConflict { .. }),
        ),
        (
            "a pipeline of another ref",
            Push { pipeline: Some(PipelineId(1)), ref_name: "dev", ..base(&app) },
            |error| matches!(error, RefConflict { pipeline: PipelineId(1) }),
        ),
        ("pipeline 0", Push { pipeline: Some(PipelineId(0)), ..base(&app) }, |error| {
            matches!(error, IdOutOfRange { id: 0 })
        }),
        ("a negative pipeline", Push { pipeline: Some(PipelineId(-1)), ..base(&app) }, |error| {
            matches!(error, IdOutOfRange { id: -1 })
        }),
        (
            "a pipeline past the largest id",
            Push { pipeline: Some(PipelineId(MAX_ID + 1)), ..base(&app) },
            |error| matches!(error, IdOutOfRange { .. }),
        ),
        ("no ref", Push { ref_name: "", ..base(&app) }, |error| {
            matches!(error, BadName { what: "ref name", .. })
        }),
        ("a long ref", Push { ref_name: &long_ref, ..base(&app) }, |error| {
            matches!(error, BadName { what: "ref name", max_len: 4096 })
        }),
        ("no job", Push { job: "", ..base(&app) }, |error| {
            matches!(error, BadName { what: "job name", .. })
        }),
        ("a long job", Push { job: &long_job, ..base(&app) }, |error| {
            matches!(error, BadName { what: "job name", max_len: 255 })
        }),
        ("a job with a control character", Push { job: "a\nb", ..base(&new) }, |error| {
            matches!(error, BadName { what: "job name", .. })
        }),
    ];
    for (name, push, expected) in table {
        let checked = catalog.check_push(&push.target()).await.unwrap_err();
        assert!(expected(&checked) && checked.is_conflict(), "{name}: {checked}");
        let error = catalog.push(&push).await.unwrap_err();
        assert!(expected(&error), "{name}: {error}");
        assert_eq!(catalog.contents().await, before, "{name}");
    }
    // Fails at the last step but one, with the project already written.
    catalog.write("UPDATE counters SET last_id = 9007199254740991 WHERE name = 'job'").await;
    let before = catalog.contents().await;
    let error = catalog.push(&base(&new)).await.unwrap_err();
    assert!(matches!(error, IdsExhausted), "{error}");
    assert_eq!(catalog.contents().await, before);
}

#[tokio::test(flavor = "current_thread")]
async fn the_largest_id_is_the_last() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let last = Push { pipeline: Some(PipelineId(MAX_ID)), ..to(&app, "main", "build") };
    assert_eq!(catalog.push(&last).await.unwrap().pipeline_id, PipelineId(MAX_ID));
    let error = catalog.push(&to(&app, "main", "build")).await.unwrap_err();
    assert!(matches!(error, CatalogError::IdsExhausted), "{error}");
    assert!(catalog.push(&last).await.is_ok(), "the pipeline itself can be used on");
}

#[tokio::test(flavor = "current_thread")]
async fn a_push_abandoned_at_any_moment_is_whole_or_absent() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    for micros in (0..2000).step_by(40) {
        let push = to(&app, "main", "build");
        let _ = tokio::time::timeout(Duration::from_micros(micros), catalog.push(&push)).await;
        // In one statement, since a commit that was under way may land between two.
        let halves = "SELECT (SELECT COUNT(*) FROM jobs) * 2 - (SELECT COUNT(*) FROM archives)
                           - (SELECT COUNT(*) FROM pipelines) AS number";
        assert_eq!(catalog.number(halves).await, 0, "after {micros} us");
    }
    catalog.push(&to(&app, "main", "build")).await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn visibility_counts_when_the_project_is_new() {
    let (_folder, catalog) = open().await;
    let table = [
        ("group/default", None, Visibility::Private),
        ("group/private", Some(Visibility::Private), Visibility::Private),
        ("group/internal", Some(Visibility::Internal), Visibility::Internal),
        ("group/public", Some(Visibility::Public), Visibility::Public),
    ];
    for (name, visibility, expected) in table {
        let project = path(name);
        for again in [visibility, Some(expected), None] {
            let push = Push { visibility: again, ..to(&project, "main", "build") };
            catalog.push(&push).await.unwrap();
            let found = catalog.project(ProjectRef::Path(name)).await.unwrap().unwrap();
            assert_eq!(found.visibility, expected, "{name}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_handed_in_again_to_its_pipeline_retires_the_earlier_one() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let first = catalog.push(&to(&app, "main", "build")).await.unwrap();
    let other_job = Push { pipeline: Some(first.pipeline_id), ..to(&app, "main", "lint") };
    let lint = catalog.push(&other_job).await.unwrap();
    let again = Push {
        pipeline: Some(first.pipeline_id),
        sha256: Sha256Digest([2; 32]),
        ..to(&app, "main", "build")
    };
    let second = catalog.push(&again).await.unwrap();
    assert_eq!(second.pipeline_id, first.pipeline_id);
    let retried = async |id| catalog.job(first.project_id, id, NOW).await.unwrap().unwrap().retried;
    assert!(retried(first.job_id).await);
    assert!(!retried(second.job_id).await && !retried(lint.job_id).await);
    let latest = catalog.latest_id(first.project_id, "main", "build").await;
    assert_eq!(latest, Some(second.job_id));
    // The retried job's archive stays reachable by its number.
    let job = catalog.job(first.project_id, first.job_id, NOW).await.unwrap().unwrap();
    assert!(matches!(job.archive_at(NOW), ArchiveState::Stored(archive)
        if archive.sha256 == Sha256Digest([1; 32])));
}

#[tokio::test(flavor = "current_thread")]
async fn identical_content_is_one_blob_and_no_longer_lost() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let first = catalog.push(&to(&app, "main", "build")).await.unwrap();
    let sha256 = Sha256Digest([1; 32]);
    catalog.mark_blobs(&[sha256], &[]).await.unwrap();
    let job = catalog.job(first.project_id, first.job_id, NOW).await.unwrap().unwrap();
    assert!(matches!(job.archive_at(NOW), ArchiveState::Lost(_)));

    let second = catalog.push(&to(&app, "dev", "build")).await.unwrap();
    assert_ne!(second.job_id, first.job_id);
    assert_eq!(catalog.blobs().await.unwrap(), [Blob { sha256, len: 1000, lost: false }]);
    let job = catalog.job(first.project_id, first.job_id, NOW).await.unwrap().unwrap();
    assert!(matches!(job.archive_at(NOW), ArchiveState::Stored(_)));
}

#[tokio::test(flavor = "current_thread")]
async fn refs_and_job_names_match_byte_for_byte() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let names = [
        "main",
        "Main",
        "main ",
        "refs/heads/main",
        "main%",
        "ma_n",
        "feature/a",
        "feature%2Fa",
        // The same letter, composed and decomposed.
        "\u{e9}",
        "e\u{301}",
    ];
    let mut pushed = Vec::new();
    for name in names {
        pushed.push(catalog.push(&to(&app, name, name)).await.unwrap());
    }
    for (name, pushed) in names.into_iter().zip(pushed) {
        for other in names {
            let by_ref = catalog.latest_id(pushed.project_id, other, name).await;
            assert_eq!(by_ref, (other == name).then_some(pushed.job_id), "{name:?} {other:?}");
        }
    }
    for absent in ["HEAD", "", "mai", "main/"] {
        assert_eq!(catalog.latest_id(ProjectId(1), absent, "main").await, None, "{absent}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_latest_is_the_highest_successful_pipeline_that_is_no_child() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let push = async |pipeline, status| {
        let push = Push {
            pipeline: Some(PipelineId(pipeline)),
            status: Some(status),
            ..to(&app, "main", "build")
        };
        catalog.push(&push).await.unwrap().job_id
    };
    let ten = push(10, PipelineStatus::Success).await;
    // Handed in later, made earlier.
    push(5, PipelineStatus::Success).await;
    for (id, status) in (11..).zip([
        PipelineStatus::Running,
        PipelineStatus::Failed,
        PipelineStatus::Canceled,
        PipelineStatus::Skipped,
        PipelineStatus::Manual,
    ]) {
        push(id, status).await;
    }
    push(20, PipelineStatus::Success).await;
    catalog.write("UPDATE pipelines SET parent_pipeline_id = 10 WHERE id = 20").await;
    assert_eq!(catalog.latest_id(ProjectId(1), "main", "build").await, Some(ten));

    // A job of another name in a later pipeline hides the job; a search finds it again.
    let later = Push { pipeline: Some(PipelineId(30)), ..to(&app, "main", "lint") };
    catalog.push(&later).await.unwrap();
    let latest = catalog.latest(ProjectId(1), "main", "build", false, NOW).await.unwrap();
    assert_eq!(latest, Latest::NoJob);
    let found = catalog.latest(ProjectId(1), "main", "build", true, NOW).await.unwrap();
    assert!(matches!(found, Latest::Found(job) if job.id == ten));

    // The job itself need not be successful.
    catalog.write("UPDATE jobs SET status = 'failed' WHERE pipeline_id = 10").await;
    let found = catalog.latest(ProjectId(1), "main", "build", true, NOW).await.unwrap();
    assert!(matches!(found, Latest::Found(job) if job.id == ten));
}

#[tokio::test(flavor = "current_thread")]
async fn a_status_given_for_an_existing_pipeline_replaces_its_own() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let failed = Push { status: Some(PipelineStatus::Failed), ..to(&app, "main", "build") };
    let first = catalog.push(&failed).await.unwrap();
    let job = catalog.job(first.project_id, first.job_id, NOW).await.unwrap().unwrap();
    assert_eq!(job.status, JobStatus::Failed);
    let more = Push { pipeline: Some(first.pipeline_id), ..to(&app, "main", "lint") };
    catalog.push(&more).await.unwrap();
    assert_eq!(catalog.latest_id(first.project_id, "main", "lint").await, None, "unchanged");
    let good = Push { status: Some(PipelineStatus::Success), ..more };
    let last = catalog.push(&good).await.unwrap();
    let latest = catalog.latest_id(first.project_id, "main", "lint").await;
    assert_eq!(latest, Some(last.job_id));
    assert_eq!(
        catalog.latest_id(first.project_id, "main", "build").await,
        Some(first.job_id),
        "its other jobs count as well now"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_search_looks_at_the_last_hundred_successful_pipelines() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let wanted = catalog.push(&to(&app, "main", "rare")).await.unwrap();
    for _ in 0..99 {
        catalog.push(&to(&app, "main", "build")).await.unwrap();
    }
    // Neither failed pipelines nor those of other refs count.
    let failed = Push { status: Some(PipelineStatus::Failed), ..to(&app, "main", "build") };
    catalog.push(&failed).await.unwrap();
    catalog.push(&to(&app, "dev", "build")).await.unwrap();
    let search =
        async || catalog.latest(wanted.project_id, "main", "rare", true, NOW).await.unwrap();
    assert!(matches!(search().await, Latest::Found(job) if job.id == wanted.job_id));
    catalog.push(&to(&app, "main", "build")).await.unwrap();
    assert_eq!(search().await, Latest::NoJob, "it is the 101st now");
}

#[tokio::test(flavor = "current_thread")]
async fn an_expired_archive_answers_only_where_no_other_can() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let old = catalog.push(&to(&app, "main", "build")).await.unwrap();
    let expiry = UtcMillis(NOW.0 + 1000);
    let new = Push { expires_at: Some(expiry), ..to(&app, "main", "build") };
    let new = catalog.push(&new).await.unwrap();
    let found = async |search, now| match catalog
        .latest(old.project_id, "main", "build", search, now)
        .await
        .unwrap()
    {
        Latest::Found(job) => (job.id, matches!(job.archive_at(now), ArchiveState::Stored(_))),
        Latest::NoJob | Latest::NoArchive => panic!("nothing found"),
    };
    let before = UtcMillis(expiry.0 - 1);
    watched(&catalog, async || {
        for _cold_then_warm in 0..2 {
            assert_eq!(found(false, before).await, (new.job_id, true));
            assert_eq!(found(true, before).await, (new.job_id, true));
        }
        for _cold_then_warm in 0..2 {
            assert_eq!(found(false, expiry).await, (new.job_id, false), "no fallback");
            assert_eq!(found(true, expiry).await, (old.job_id, true), "an older one");
        }
    })
    .await;
    catalog.write("UPDATE jobs SET locked = 1").await;
    assert_eq!(found(true, expiry).await, (new.job_id, true), "locked archives are kept");
    catalog.write("UPDATE jobs SET locked = 0; DELETE FROM archives WHERE job_id = 1").await;
    assert_eq!(found(true, expiry).await, (new.job_id, false), "only expired ones");
    catalog.write("DELETE FROM archives").await;
    for search in [false, true] {
        let latest = catalog.latest(old.project_id, "main", "build", search, NOW).await.unwrap();
        assert_eq!(latest, Latest::NoArchive);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_ambiguous_url_means_the_longest_ref_with_a_pipeline() {
    let (_folder, catalog) = open().await;
    let (app, other) = (path("group/app"), path("group/other"));
    catalog.push(&to(&app, "main", "build")).await.unwrap();
    let failed = Push { status: Some(PipelineStatus::Failed), ..to(&app, "main/raw/x", "build") };
    catalog.push(&failed).await.unwrap();
    catalog.push(&to(&other, "main/raw/x/raw/y", "build")).await.unwrap();
    let many: Vec<String> = (0..40).map(|i| format!("main{}", "/raw/x".repeat(i))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let reversed: Vec<&str> = many.iter().rev().copied().collect();
    let table: [(&str, &[&str], Option<usize>); 7] = [
        ("none asked", &[], None),
        ("one that is there", &["main"], Some(0)),
        ("one that is not", &["mai"], None),
        ("two, of whatever state", &["main", "main/raw/x"], Some(1)),
        ("three, one of another project", &["main/raw/x/raw/y", "main/raw/x", "main"], Some(1)),
        ("more than one statement takes", &many, Some(1)),
        ("the same the other way round", &reversed, Some(38)),
    ];
    watched(&catalog, async || {
        for (name, candidates, expected) in table {
            for _cold_then_warm in 0..2 {
                let found = catalog.ref_with_pipeline(ProjectId(1), candidates).await.unwrap();
                assert_eq!(found, expected, "{name}");
            }
            let cached = catalog.cached_ref_with_pipeline(ProjectId(1), candidates);
            assert_eq!(cached, expected, "{name}");
        }
    })
    .await;
}

fn new_token<'a>(digest: &'a TokenDigest, prefix: &'a ProjectPrefix) -> NewToken<'a> {
    NewToken {
        digest,
        name: "ci",
        prefix,
        role: Role::Reporter,
        scopes: Scopes::from_iter([Scope::ReadApi, Scope::Ingest]),
        expires_at: None,
        now: NOW,
    }
}

#[tokio::test(flavor = "current_thread")]
async fn tokens_are_valid_until_they_expire_or_are_revoked() {
    let (_folder, catalog) = open().await;
    let prefix: ProjectPrefix = "group".parse().unwrap();
    let digest = TokenSecret::generate().unwrap().digest();
    let expiry = UtcMillis(NOW.0 + 1000);
    let new = NewToken { expires_at: Some(expiry), ..new_token(&digest, &prefix) };
    let id = catalog.create_token(&new).await.unwrap();
    // Names need not be unique.
    let forever = TokenSecret::generate().unwrap().digest();
    let forever_id = catalog.create_token(&new_token(&forever, &prefix)).await.unwrap();
    let unknown = TokenSecret::generate().unwrap().digest();
    let before = UtcMillis(expiry.0 - 1);

    watched(&catalog, async || {
        for _cold_then_warm in 0..2 {
            let token = catalog.authenticate(&digest, before).await.unwrap().unwrap();
            assert_eq!(
                *token,
                Token {
                    id,
                    name: "ci".into(),
                    prefix: prefix.clone(),
                    role: Role::Reporter,
                    scopes: Scopes::from_iter([Scope::ReadApi, Scope::Ingest]),
                    created_at: NOW,
                    expires_at: Some(expiry),
                    revoked_at: None,
                }
            );
            assert!(catalog.cached_token(&digest, before).is_some());
            assert_eq!(catalog.cached_token(&digest, expiry), None);
            assert_eq!(catalog.authenticate(&digest, expiry).await.unwrap(), None);
            assert_eq!(catalog.authenticate(&unknown, before).await.unwrap(), None);
            assert!(catalog.authenticate(&forever, expiry).await.unwrap().is_some());
        }
        assert!(catalog.revoke_token(forever_id, NOW).await.unwrap());
        assert_eq!(catalog.cached_token(&forever, NOW), None, "at once");
        assert_eq!(catalog.authenticate(&forever, NOW).await.unwrap(), None);
        assert!(!catalog.revoke_token(forever_id, NOW).await.unwrap(), "already");
        assert!(!catalog.revoke_token(TokenId(99), NOW).await.unwrap(), "no such token");
    })
    .await;
}

/// All that a request asks, from memory only.
fn ask_memory(catalog: &Catalog, digest: &TokenDigest) -> Option<(Arc<Job>, Arc<Job>)> {
    catalog.cached_token(digest, NOW)?;
    let project = catalog.cached_project(ProjectRef::Path("group/app"))?;
    catalog.cached_project(ProjectRef::Id(project.id))?;
    let latest = catalog.cached_latest(project.id, "main", "build", false, NOW)?;
    Some((catalog.cached_job(project.id, latest.id, NOW)?, latest))
}

/// The same, of the database where memory does not do; fills the memory.
async fn ask(catalog: &Catalog, digest: &TokenDigest) -> Option<(Arc<Job>, Arc<Job>)> {
    catalog.authenticate(digest, NOW).await.unwrap()?;
    let project = catalog.project(ProjectRef::Path("group/app")).await.unwrap()?;
    let latest = match catalog.latest(project.id, "main", "build", false, NOW).await.unwrap() {
        Latest::Found(job) => job,
        Latest::NoJob | Latest::NoArchive => return None,
    };
    Some((catalog.job(project.id, latest.id, NOW).await.unwrap()?, latest))
}

#[tokio::test(flavor = "current_thread")]
async fn a_warm_request_runs_no_sql() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    let prefix: ProjectPrefix = "group".parse().unwrap();
    let digest = TokenSecret::generate().unwrap().digest();
    catalog.create_token(&new_token(&digest, &prefix)).await.unwrap();
    let pushed = catalog.push(&to(&app, "main", "build")).await.unwrap();

    assert_eq!(ask(&catalog, &digest).await.unwrap().0.id, pushed.job_id);
    assert!(ask_memory(&catalog, &digest).is_none(), "nothing from memory without a watch");
    watched(&catalog, async || {
        let cold = catalog.statements();
        let asked = ask(&catalog, &digest).await.unwrap();
        assert_eq!(catalog.statements(), cold + 4, "one statement a question");
        tokio::time::sleep(3 * WATCH_INTERVAL).await;
        assert_eq!(ask(&catalog, &digest).await.unwrap(), asked);
        assert_eq!(ask_memory(&catalog, &digest), Some(asked));
        assert_eq!(catalog.statements(), cold + 4);

        // Its own write is seen at once.
        let again = catalog.push(&to(&app, "main", "build")).await.unwrap();
        assert!(ask_memory(&catalog, &digest).is_none());
        assert_eq!(ask(&catalog, &digest).await.unwrap().0.id, again.job_id);
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn another_process_is_seen_at_once_on_a_miss_and_within_a_second_where_kept() {
    let (folder, server) = open().await;
    let pusher = Catalog::open(folder.path()).await.unwrap();
    let app = path("group/app");
    let prefix: ProjectPrefix = "group".parse().unwrap();
    let digest = TokenSecret::generate().unwrap().digest();
    watched(&server, async || {
        assert_eq!(ask(&server, &digest).await, None);
        let token = pusher.create_token(&new_token(&digest, &prefix)).await.unwrap();
        assert!(server.authenticate(&digest, NOW).await.unwrap().is_some());
        let first = pusher.push(&to(&app, "main", "build")).await.unwrap();
        assert_eq!(ask(&server, &digest).await.unwrap().0.id, first.job_id);

        let second = pusher.push(&to(&app, "main", "build")).await.unwrap();
        within_a_second(async || ask(&server, &digest).await.unwrap().0.id == second.job_id).await;
        // What is warm again after the change is kept again.
        within_a_second(async || {
            let _ = ask(&server, &digest).await;
            ask_memory(&server, &digest).is_some()
        })
        .await;

        pusher.mark_blobs(&[Sha256Digest([1; 32])], &[]).await.unwrap();
        within_a_second(async || {
            let job = ask(&server, &digest).await.unwrap().0;
            matches!(job.archive_at(NOW), ArchiveState::Lost(_))
        })
        .await;
        pusher.revoke_token(token, NOW).await.unwrap();
        within_a_second(async || ask(&server, &digest).await.is_none()).await;
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_watch_that_stops_ends_what_is_kept_within_a_second() {
    let (folder, server) = open().await;
    let pusher = Catalog::open(folder.path()).await.unwrap();
    let app = path("group/app");
    pusher.push(&to(&app, "main", "build")).await.unwrap();
    let project = ProjectId(1);
    watched(&server, async || {
        server.latest(project, "main", "build", false, NOW).await.unwrap();
        assert!(server.cached_latest(project, "main", "build", false, NOW).is_some());
    })
    .await;
    let second = pusher.push(&to(&app, "main", "build")).await.unwrap();
    within_a_second(async || {
        server.latest_id(project, "main", "build").await == Some(second.job_id)
    })
    .await;
}

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn processes_that_push_at_once_get_ids_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    // Opened at once as well: the first one makes the file and its schema.
    let mut pushed: Vec<Pushed> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let folder = folder.path();
                scope.spawn(move || {
                    current_thread().block_on(async {
                        let catalog = Catalog::open(folder).await.unwrap();
                        let project = path(if thread % 2 == 0 { "group/a" } else { "group/b" });
                        let mut pushed = Vec::new();
                        for i in 0..10 {
                            let sha256 = Sha256Digest([i; 32]);
                            let push = Push { sha256, ..to(&project, "main", "build") };
                            pushed.push(catalog.push(&push).await.unwrap());
                        }
                        pushed
                    })
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    pushed.sort_by_key(|pushed| pushed.job_id);
    let ids = |of: fn(&Pushed) -> i64| pushed.iter().map(of).collect::<Vec<_>>();
    assert_eq!(ids(|pushed| pushed.job_id.0), (1..=40).collect::<Vec<_>>());
    assert_eq!(ids(|pushed| pushed.pipeline_id.0), (1..=40).collect::<Vec<_>>());
    assert!(pushed.iter().all(|pushed| [1, 2].contains(&pushed.project_id.0)));
    current_thread().block_on(async {
        let catalog = Catalog::open(folder.path()).await.unwrap();
        assert_eq!(catalog.contents().await[..6], [2, 40, 40, 0, 40, 10]);
    });
}

#[tokio::test(flavor = "current_thread")]
async fn a_catalog_opened_again_has_what_was_stored() {
    let (folder, catalog) = open().await;
    let app = path("group/app");
    let pushed = catalog.push(&to(&app, "main", "build")).await.unwrap();
    let before = catalog.contents().await;
    catalog.close().await;
    assert!(catalog.project(ProjectRef::Path("group/app")).await.is_err(), "closed");
    let catalog = Catalog::open(folder.path()).await.unwrap();
    assert_eq!(catalog.contents().await, before);
    let latest = catalog.latest_id(pushed.project_id, "main", "build").await;
    assert_eq!(latest, Some(pushed.job_id));
}

#[tokio::test(flavor = "current_thread")]
async fn a_schema_of_a_later_version_is_refused_and_left_alone() {
    let (folder, catalog) = open().await;
    catalog.write("INSERT INTO schema_versions (version) VALUES (99)").await;
    catalog.close().await;
    for _again in 0..2 {
        let error = Catalog::open(folder.path()).await.unwrap_err();
        assert!(matches!(error, CatalogError::NewerSchema { found: 99, known: 2 }), "{error}");
        assert!(error.to_string().contains("written by a later version"));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_value_that_is_not_known_is_an_error_that_names_the_column() {
    let (_folder, catalog) = open().await;
    let app = path("group/app");
    catalog.push(&to(&app, "main", "build")).await.unwrap();
    catalog.write("UPDATE projects SET visibility = 'secret'").await;
    let error = catalog.project(ProjectRef::Path("group/app")).await.unwrap_err();
    assert!(matches!(error, CatalogError::Corrupt { column: "visibility" }), "{error}");
    assert_eq!(error.label(), "catalog_corrupt");
}

#[tokio::test(flavor = "current_thread")]
async fn commits_are_durable_and_the_file_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, catalog) = open().await;
    let mut transaction = catalog.sqlite().begin("test").await.unwrap();
    let mut pragma = async |name: &'static str| -> String {
        let row = transaction.find_optional(sqlx::query(name)).await.unwrap().unwrap();
        use sqlx::Row;
        row.try_get::<String, _>(0).unwrap_or_else(|_| row.get::<i64, _>(0).to_string())
    };
    assert_eq!(pragma("PRAGMA journal_mode").await, "wal");
    assert_eq!(pragma("PRAGMA synchronous").await, "2", "FULL");
    assert_eq!(pragma("PRAGMA foreign_keys").await, "1");
    assert_eq!(pragma("PRAGMA busy_timeout").await, "5000");
    drop(transaction);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & !0o640, 0, "{:?} has {mode:o}", file.file_name());
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Catalog::open(&folder.path().join("absent")).await.unwrap_err();
    assert!(error.to_string().contains("absent/catalog.sqlite"), "{error}");
    assert_eq!(error.label(), "catalog_io");
}

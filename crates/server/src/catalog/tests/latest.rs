//! Which job answers for a ref and a job name (api.md section 4), against a naive oracle.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::scene::{archive, later, of_ref, running, token, until_kept};
use super::*;

const WINDOW: usize = 100;
const DEPTH: usize = 16;

#[derive(Clone, Debug)]
struct Pipeline {
    id: i64,
    project: i64,
    ref_name: &'static str,
    tag: bool,
    status: PipelineStatus,
    parent: Option<i64>,
}

#[derive(Clone, Debug)]
struct Row {
    id: i64,
    pipeline: i64,
    name: &'static str,
    retried: bool,
    status: JobStatus,
    locked: bool,
    archive: Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Nothing,
    Forever,
    Expired,
}

#[derive(Clone, Debug, Default)]
struct Rows {
    pipelines: Vec<Pipeline>,
    jobs: Vec<Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Job(i64),
    NoArchive,
    NoJob,
}

use Answer::{NoArchive, NoJob};
use Kept::{Expired, Forever, Nothing};

/// A successful pipeline of main in project 1.
fn root(id: i64) -> Pipeline {
    Pipeline {
        id,
        project: 1,
        ref_name: "main",
        tag: false,
        status: PipelineStatus::Success,
        parent: None,
    }
}

fn child(id: i64, parent: i64) -> Pipeline {
    Pipeline { parent: Some(parent), ..root(id) }
}

/// A job `build`.
fn build(id: i64, pipeline: i64, archive: Kept) -> Row {
    Row {
        id,
        pipeline,
        name: "build",
        retried: false,
        status: JobStatus::Success,
        locked: false,
        archive,
    }
}

impl Rows {
    /// Makes this what the catalog has, of two projects.
    async fn write(&self, catalog: &Catalog) {
        let mut transaction = catalog.sqlite().begin("test").await.unwrap();
        transaction
            .script(
                "DELETE FROM archives; DELETE FROM jobs; DELETE FROM pipelines;
                 INSERT OR IGNORE INTO projects VALUES
                     (1, 'group/app', 'public', 1, 0, '[]'), (2, 'group/b', 'public', 1, 0, '[]');
                 INSERT OR IGNORE INTO blobs VALUES (zeroblob(32), 1, 1, 0, 0);",
            )
            .await
            .unwrap();
        for row in &self.pipelines {
            let query = sqlx::query(
                "INSERT INTO pipelines (id, project_id, ref, tag, status, parent_pipeline_id,
                     created_at) VALUES ($1, $2, $3, $4, $5, $6, 0)",
            );
            let query = query.bind(row.id).bind(row.project).bind(row.ref_name).bind(row.tag);
            transaction.write(query.bind(row.status.as_str()).bind(row.parent)).await.unwrap();
        }
        for row in &self.jobs {
            let query = sqlx::query(
                "INSERT INTO jobs (id, project_id, pipeline_id, name, retried, status, locked,
                     created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
            );
            let project = self.pipeline(row.pipeline).project;
            let query = query.bind(row.id).bind(project).bind(row.pipeline).bind(row.name);
            let query = query.bind(row.retried).bind(row.status.as_str()).bind(row.locked);
            transaction.write(query).await.unwrap();
            let expiry = match row.archive {
                Nothing => continue,
                Forever => None,
                // At the very time that is asked for.
                Expired => Some(NOW.0),
            };
            let query =
                sqlx::query("INSERT INTO archives VALUES ($1, zeroblob(32), 'a.zip', 0, $2)");
            transaction.write(query.bind(row.id).bind(expiry)).await.unwrap();
        }
        transaction.commit().await.unwrap();
        catalog.cache.end_generation();
    }

    fn pipeline(&self, id: i64) -> &Pipeline {
        self.pipelines.iter().find(|row| row.id == id).unwrap()
    }

    /// The pipeline and its descendants: parents before children, older ones first.
    fn family(&self, root: i64) -> Vec<i64> {
        let project = self.pipeline(root).project;
        let (mut family, mut level) = (vec![root], vec![root]);
        for _ in 0..DEPTH {
            let is_child = |row: &&Pipeline| {
                row.project == project && row.parent.is_some_and(|parent| level.contains(&parent))
            };
            let mut next: Vec<i64> =
                self.pipelines.iter().filter(is_child).map(|row| row.id).collect();
            next.sort_unstable();
            family.extend(&next);
            level = next;
        }
        family
    }

    /// What api.md says, read off the rows without any thought of speed.
    fn oracle(&self, project: i64, ref_name: &str, name: &str, search_recent: bool) -> Answer {
        let mut roots: Vec<i64> = self
            .pipelines
            .iter()
            .filter(|row| row.project == project && row.ref_name == ref_name)
            .filter(|row| row.status == PipelineStatus::Success && row.parent.is_none())
            .map(|row| row.id)
            .collect();
        roots.sort_unstable_by_key(|&id| std::cmp::Reverse(id));
        roots.truncate(if search_recent { WINDOW } else { 1 });
        let mut candidates: Vec<&Row> = Vec::new();
        for id in roots.into_iter().flat_map(|root| self.family(root)) {
            let mut jobs: Vec<&Row> = self
                .jobs
                .iter()
                .filter(|job| job.pipeline == id && job.name == name && !job.retried)
                .collect();
            jobs.sort_unstable_by_key(|job| std::cmp::Reverse(job.id));
            candidates.extend(jobs);
        }
        let is_live = |job: &&&Row| job.archive == Forever || job.archive == Expired && job.locked;
        let has_any = |job: &&&Row| job.archive != Nothing;
        match candidates.iter().find(is_live).or_else(|| candidates.iter().find(has_any)) {
            Some(job) => Answer::Job(job.id),
            None if candidates.is_empty() => NoJob,
            None => NoArchive,
        }
    }
}

async fn ask(catalog: &Catalog, project: i64, ref_name: &str, name: &str, search: bool) -> Answer {
    match catalog.latest(ProjectId(project), ref_name, name, search, NOW).await.unwrap() {
        Latest::Found(job) => Answer::Job(job.id.0),
        Latest::NoArchive => NoArchive,
        Latest::NoJob => NoJob,
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_job_is_the_first_of_the_family_that_has_an_archive() {
    use Answer::Job;
    let retried = |job: Row| Row { retried: true, ..job };
    let elsewhere = |row: Pipeline| Pipeline { project: 2, ..row };
    let failed = |row: Pipeline| Pipeline { status: PipelineStatus::Failed, ..row };
    let tag = |row: Pipeline| Pipeline { tag: true, ..row };
    let locked = |job: Row| Row { locked: true, ..job };
    let lint = |job: Row| Row { name: "lint", ..job };
    // Name, pipelines, jobs; the answer, and that of a search over recent ones.
    type Case = (&'static str, Vec<Pipeline>, Vec<Row>, Answer, Answer);
    #[rustfmt::skip]
    let table: Vec<Case> = vec![
        ("nothing", vec![], vec![], NoJob, NoJob),
        ("a pipeline without jobs", vec![root(10)], vec![], NoJob, NoJob),
        ("the pipeline itself",
            vec![root(10)], vec![build(1, 10, Forever)], Job(1), Job(1)),
        ("parent before child",
            vec![root(10), child(11, 10)], vec![build(1, 11, Forever), build(2, 10, Forever)],
            Job(2), Job(2)),
        ("parent before child that has the lower id",
            vec![child(9, 10), root(10)], vec![build(1, 9, Forever), build(2, 10, Forever)],
            Job(2), Job(2)),
        ("the child alone",
            vec![root(10), child(11, 10)], vec![build(1, 11, Forever)], Job(1), Job(1)),
        ("the child alone, the parent has another job",
            vec![root(10), child(11, 10)], vec![lint(build(1, 10, Forever)), build(2, 11, Forever)],
            Job(2), Job(2)),
        ("older child first",
            vec![root(10), child(11, 10), child(12, 10)],
            vec![build(2, 11, Forever), build(1, 12, Forever)], Job(2), Job(2)),
        ("older child first, announced later",
            vec![child(12, 10), child(11, 10), root(10)],
            vec![build(1, 12, Forever), build(2, 11, Forever)], Job(2), Job(2)),
        ("the younger child where the older one has no such job",
            vec![root(10), child(11, 10), child(12, 10)], vec![build(1, 12, Forever)],
            Job(1), Job(1)),
        ("the grandchild",
            vec![root(10), child(11, 10), child(12, 11)], vec![build(1, 12, Forever)],
            Job(1), Job(1)),
        ("child before grandchild",
            vec![root(10), child(11, 10), child(12, 11)],
            vec![build(1, 12, Forever), build(2, 11, Forever)], Job(2), Job(2)),
        ("a child of another ref",
            vec![root(10), Pipeline { ref_name: "dev", ..child(11, 10) }],
            vec![build(1, 11, Forever)], Job(1), Job(1)),
        ("a child that failed",
            vec![root(10), failed(child(11, 10))], vec![build(1, 11, Forever)], Job(1), Job(1)),
        ("a child of another project",
            vec![root(10), elsewhere(child(11, 10))], vec![build(1, 11, Forever)], NoJob, NoJob),
        ("a grandchild beyond another project",
            vec![root(10), elsewhere(child(11, 10)), child(12, 11)], vec![build(1, 12, Forever)],
            NoJob, NoJob),
        ("a child of an older pipeline",
            vec![root(10), root(11), child(12, 10)], vec![build(1, 12, Forever)], NoJob, Job(1)),
        ("a child of a pipeline that failed",
            vec![root(10), failed(root(20)), child(21, 20)],
            vec![build(1, 10, Forever), build(2, 21, Forever)], Job(1), Job(1)),
        ("a child is no root, though successful and of the ref",
            vec![root(10), child(20, 10)], vec![build(1, 10, Forever), build(2, 20, Forever)],
            Job(1), Job(1)),
        ("nor is one whose parent nobody knows",
            vec![root(10), child(20, 19)], vec![build(1, 10, Forever), build(2, 20, Forever)],
            Job(1), Job(1)),
        ("nor is one whose parent is of another project",
            vec![root(10), elsewhere(root(19)), child(20, 19)],
            vec![build(1, 10, Forever), build(2, 20, Forever)], Job(1), Job(1)),
        ("parents in a circle",
            vec![child(10, 11), child(11, 10)], vec![build(1, 10, Forever)], NoJob, NoJob),
        ("no archive in the parent, one in the child",
            vec![root(10), child(11, 10)], vec![build(1, 10, Nothing), build(2, 11, Forever)],
            Job(2), Job(2)),
        ("no archive at all",
            vec![root(10), child(11, 10)], vec![build(1, 10, Nothing), build(2, 11, Nothing)],
            NoArchive, NoArchive),
        ("no archive, and an older pipeline with one",
            vec![root(10), root(11)], vec![build(1, 10, Forever), build(2, 11, Nothing)],
            NoArchive, Job(1)),
        ("retried in the parent",
            vec![root(10), child(11, 10)],
            vec![retried(build(1, 10, Forever)), build(2, 11, Forever)], Job(2), Job(2)),
        ("retried, and the new one has no archive",
            vec![root(10)], vec![retried(build(1, 10, Forever)), build(2, 10, Nothing)],
            NoArchive, NoArchive),
        ("retried everywhere",
            vec![root(10), child(11, 10)],
            vec![retried(build(1, 10, Forever)), retried(build(2, 11, Forever))], NoJob, NoJob),
        ("two of a name, none retried: the newer",
            vec![root(10)], vec![build(1, 10, Forever), build(2, 10, Forever)], Job(2), Job(2)),
        ("two of a name, only the older has an archive",
            vec![root(10)], vec![build(1, 10, Forever), build(2, 10, Nothing)], Job(1), Job(1)),
        ("a branch after a tag of the same name",
            vec![tag(root(10)), root(11)], vec![build(1, 10, Forever), build(2, 11, Forever)],
            Job(2), Job(2)),
        ("a tag after a branch of the same name",
            vec![root(10), tag(root(11))], vec![build(1, 10, Forever), build(2, 11, Forever)],
            Job(2), Job(2)),
        ("expired, and nothing else",
            vec![root(10)], vec![build(1, 10, Expired)], Job(1), Job(1)),
        ("expired in the parent, live in the child",
            vec![root(10), child(11, 10)], vec![build(1, 10, Expired), build(2, 11, Forever)],
            Job(2), Job(2)),
        ("expired and locked in the parent, live in the child",
            vec![root(10), child(11, 10)],
            vec![locked(build(1, 10, Expired)), build(2, 11, Forever)], Job(1), Job(1)),
        ("expired before none",
            vec![root(10), child(11, 10)], vec![build(1, 10, Nothing), build(2, 11, Expired)],
            Job(2), Job(2)),
        ("expired in the newest, live in an older one",
            vec![root(10), root(11)], vec![build(1, 10, Forever), build(2, 11, Expired)],
            Job(2), Job(1)),
        ("expired everywhere: the newest",
            vec![root(10), root(11)], vec![build(1, 10, Expired), build(2, 11, Expired)],
            Job(2), Job(2)),
        ("a newer child before an older root",
            vec![root(10), root(11), child(12, 11)],
            vec![build(1, 10, Forever), build(2, 12, Forever)], Job(2), Job(2)),
        ("a higher child of an older root does not outrank a newer root",
            vec![root(10), root(11), child(12, 10)],
            vec![build(1, 12, Forever), build(2, 11, Forever)], Job(2), Job(2)),
    ];
    let (_folder, catalog) = open().await;
    for (name, pipelines, jobs, plain, search) in table {
        let rows = Rows { pipelines, jobs };
        rows.write(&catalog).await;
        for (search_recent, expected) in [(false, plain), (true, search)] {
            let found = ask(&catalog, 1, "main", "build", search_recent).await;
            assert_eq!(found, expected, "{name}, search {search_recent}");
            assert_eq!(rows.oracle(1, "main", "build", search_recent), expected, "oracle, {name}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn only_a_successful_pipeline_answers_and_a_job_of_every_state_does() {
    let (_folder, catalog) = open().await;
    for word in PipelineStatus::WORDS {
        let status: PipelineStatus = word.parse().unwrap();
        let pipelines = vec![root(10), Pipeline { status, ..root(11) }];
        let rows = Rows { pipelines, jobs: vec![build(1, 10, Forever), build(2, 11, Forever)] };
        rows.write(&catalog).await;
        let expected = if status == PipelineStatus::Success { 2 } else { 1 };
        for search in [false, true] {
            let found = ask(&catalog, 1, "main", "build", search).await;
            assert_eq!(found, Answer::Job(expected), "{word}");
        }
    }
    for word in JobStatus::WORDS {
        let job = Row { status: word.parse().unwrap(), ..build(1, 10, Forever) };
        Rows { pipelines: vec![root(10)], jobs: vec![job] }.write(&catalog).await;
        let found = ask(&catalog, 1, "main", "build", false).await;
        assert_eq!(found, Answer::Job(1), "{word}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn sixteen_generations_count() {
    let (_folder, catalog) = open().await;
    let mut pipelines = vec![root(10)];
    pipelines.extend((11..=27).map(|id| child(id, id - 1)));
    for (pipeline, expected) in [(26, Answer::Job(1)), (27, NoJob)] {
        let rows = Rows { pipelines: pipelines.clone(), jobs: vec![build(1, pipeline, Forever)] };
        rows.write(&catalog).await;
        assert_eq!(ask(&catalog, 1, "main", "build", false).await, expected, "{pipeline}");
        assert_eq!(rows.oracle(1, "main", "build", false), expected, "oracle, {pipeline}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn children_take_no_place_among_the_hundred_recent_ones() {
    let (_folder, catalog) = open().await;
    // Ids from 10 on: each root has a child right behind it, and a failed pipeline behind that.
    let mut pipelines = Vec::new();
    for id in (10..).step_by(3).take(100) {
        let failed = Pipeline { status: PipelineStatus::Failed, ..root(id + 2) };
        pipelines.extend([root(id), child(id + 1, id), failed]);
    }
    let mut rows = Rows { pipelines, jobs: vec![build(1, 11, Forever)] };
    rows.write(&catalog).await;
    assert_eq!(ask(&catalog, 1, "main", "build", true).await, Answer::Job(1), "the 100th");
    assert_eq!(ask(&catalog, 1, "main", "build", false).await, NoJob);
    assert_eq!(rows.oracle(1, "main", "build", true), Answer::Job(1));
    rows.pipelines.push(root(1000));
    rows.write(&catalog).await;
    assert_eq!(ask(&catalog, 1, "main", "build", true).await, NoJob, "the 101st");
    assert_eq!(rows.oracle(1, "main", "build", true), NoJob);
}

#[tokio::test(flavor = "current_thread")]
async fn a_child_that_is_announced_is_found_at_once_where_its_parent_was_kept() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    watched(&catalog, async || {
        let first = catalog.has_archive(project, "main", 1, None).await;
        until_kept(async || {
            assert_eq!(catalog.latest_id(project, "main", "build").await, Some(first));
            catalog.cached_latest(project, "main", "build", false, NOW).is_some()
        })
        .await;
        let parent = catalog.has_pipeline(project, &of_ref("main")).await;
        assert_eq!(catalog.latest_id(project, "main", "build").await, None);
        let child = PipelineChange { parent_pipeline_id: Some(Some(parent)), ..of_ref("main") };
        let child = catalog.has_pipeline(project, &child).await;
        let job = catalog.has_job(project, child, "build").await;
        catalog.takes(&archive(job, 2)).await;
        for _cold_then_warm in 0..2 {
            assert_eq!(catalog.latest_id(project, "main", "build").await, Some(job));
        }
        // The parent's own job comes first as soon as there is one.
        let change = running(parent, "build");
        let own = catalog.put_job(project, None, &change, &token(9), later(1)).await.unwrap();
        let own = super::scene::done(own).id;
        assert_eq!(catalog.latest_id(project, "main", "build").await, Some(job), "no archive yet");
        catalog.takes(&archive(own, 3)).await;
        assert_eq!(catalog.latest_id(project, "main", "build").await, Some(own));
    })
    .await;
}

/// Up to 9 pipelines of two projects and two refs, any of them a child of any other, and up to 12
/// jobs in them.
fn small_catalogs() -> impl Strategy<Value = Rows> {
    let status = prop_oneof![
        6 => Just(PipelineStatus::Success),
        1 => Just(PipelineStatus::Failed),
        1 => Just(PipelineStatus::Running),
    ];
    let ref_name = prop_oneof![4 => Just("main"), 1 => Just("dev")];
    let parent = prop_oneof![2 => Just(None), 3 => (1_i64..=9).prop_map(Some)];
    let project = prop_oneof![5 => Just(1_i64), 1 => Just(2_i64)];
    let pipeline = (project, ref_name, any::<bool>(), status, parent);
    let archive = prop_oneof![1 => Just(Nothing), 2 => Just(Forever), 2 => Just(Expired)];
    let name = prop_oneof![3 => Just("build"), 1 => Just("lint")];
    let is_rare = || prop_oneof![4 => Just(false), 1 => Just(true)];
    let job = (any::<prop::sample::Index>(), name, is_rare(), is_rare(), archive);
    let pipelines = prop::collection::vec(pipeline, 1..=9);
    (pipelines, prop::collection::vec(job, 0..=12)).prop_map(|(pipelines, jobs)| {
        let pipelines: Vec<Pipeline> = (1..)
            .zip(pipelines)
            .map(|(id, (project, ref_name, tag, status, parent))| {
                let parent = parent.filter(|&parent| parent != id);
                Pipeline { id, project, ref_name, tag, status, parent }
            })
            .collect();
        let jobs = (1..).zip(jobs).map(|(id, (pipeline, name, retried, locked, archive))| {
            let pipeline = pipeline.get(&pipelines).id;
            Row { id, pipeline, name, retried, locked, status: JobStatus::Success, archive }
        });
        let jobs = jobs.collect();
        Rows { pipelines, jobs }
    })
}

#[test]
fn every_small_catalog_answers_as_the_oracle_does() {
    let runtime = current_thread();
    let (_folder, catalog) = runtime.block_on(open());
    let found = std::cell::Cell::new(0);
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    runner
        .run(&small_catalogs(), |rows| {
            runtime.block_on(async {
                rows.write(&catalog).await;
                for (project, ref_name, name) in [
                    (1, "main", "build"),
                    (1, "main", "lint"),
                    (1, "dev", "build"),
                    (2, "main", "build"),
                ] {
                    for search in [false, true] {
                        let expected = rows.oracle(project, ref_name, name, search);
                        let answer = ask(&catalog, project, ref_name, name, search).await;
                        prop_assert_eq!(answer, expected, "{} {} {}", ref_name, name, search);
                        found.set(found.get() + i32::from(expected != NoJob));
                    }
                }
                Ok(())
            })
        })
        .unwrap();
    assert!(found.get() > 300, "catalogs have something to find, {} answers did", found.get());
}

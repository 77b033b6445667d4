//! What the catalog's answer to "latest" costs as the number of pipelines grows.
//!
//! `cargo bench -p entryway-benches --bench latest [-- PIPELINES...]`; 10, 1,000 and 1,000,000
//! pipelines unless others are given, 10 with `--test`. Of every shape it makes one catalog of each
//! size, checks what they answer, and then asks them in turn, so that what else the machine does
//! hits all sizes alike. Printed are medians, their ratio to the first size of the shape, and how
//! often a question read from the file: SQLite keeps 2 MB of pages, so in a large catalog some are
//! read again.
//!
//! No watch runs, so nothing is answered from memory: every question is its SQL statement.

use std::path::Path;
use std::time::{Duration, Instant};

use entryway_benches::is_test_run;
use entryway_server::catalog::{Catalog, JobId, Latest, ProjectId, UtcMillis};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

/// Rounds, in each of which every size is asked [`QUESTIONS`] times.
const ROUNDS: usize = 40;
const QUESTIONS: i64 = 50;

/// Pipelines of a family in the shape with children; sizes are multiples of it.
const FAMILY: i64 = 5;

type Failure = Box<dyn std::error::Error>;

/// How pipelines are related, as SQL over their number `n`; `$N` stands for how many there are.
struct Shape {
    name: &'static str,
    ref_name: &'static str,
    status: &'static str,
    parent: &'static str,
    has_job: &'static str,
    questions: &'static [Question],
}

/// A question that is asked again and again, and the job that has to answer.
struct Question {
    name: &'static str,
    job: &'static str,
    search_recent: bool,
    /// The least size whose questions are alike: a search over recent pipelines needs as many.
    from: i64,
    /// Of the n-th time, in a catalog of so many pipelines.
    ask: fn(i64, i64) -> (String, Option<i64>),
}

const SHAPES: [Shape; 4] = [
    Shape {
        name: "one ref",
        ref_name: "'main'",
        status: "'success'",
        parent: "NULL",
        has_job: "1",
        questions: &[
            Question {
                name: "one ref",
                job: "build",
                search_recent: false,
                from: 1,
                ask: |_, pipelines| ("main".to_owned(), Some(pipelines)),
            },
            Question {
                name: "one ref, search over recent ones",
                job: "build",
                search_recent: true,
                from: 100,
                ask: |_, pipelines| ("main".to_owned(), Some(pipelines)),
            },
            Question {
                name: "one ref, search in vain",
                job: "absent",
                search_recent: true,
                from: 100,
                ask: |_, _| ("main".to_owned(), None),
            },
        ],
    },
    Shape {
        name: "all but the first failed",
        ref_name: "'main'",
        status: "CASE n WHEN 1 THEN 'success' ELSE 'failed' END",
        parent: "NULL",
        has_job: "1",
        questions: &[Question {
            name: "one ref, all but the first failed",
            job: "build",
            search_recent: false,
            from: 1,
            ask: |_, _| ("main".to_owned(), Some(1)),
        }],
    },
    Shape {
        name: "many refs",
        ref_name: "'feature/' || (n % ($N / 5))",
        status: "'success'",
        parent: "NULL",
        has_job: "1",
        questions: &[Question {
            name: "a fifth as many refs, all asked for",
            job: "build",
            search_recent: false,
            from: 1,
            // A prime step, so that one question's pages are not the next one's.
            ask: |time, pipelines| {
                let refs = pipelines / 5;
                let number = time * 7919 % refs;
                let newest = if number == 0 { pipelines } else { pipelines - refs + number };
                (format!("feature/{number}"), Some(newest))
            },
        }],
    },
    Shape {
        name: "children",
        ref_name: "'main'",
        status: "'success'",
        parent: "CASE n % 5 WHEN 1 THEN NULL ELSE n - (n - 1) % 5 END",
        has_job: "n % 5 = 0",
        questions: &[
            Question {
                name: "four children, the last has the job",
                job: "build",
                search_recent: false,
                from: 1,
                ask: |_, pipelines| ("main".to_owned(), Some(pipelines)),
            },
            Question {
                name: "four children each, search over recent ones",
                job: "build",
                search_recent: true,
                from: 100 * FAMILY,
                ask: |_, pipelines| ("main".to_owned(), Some(pipelines)),
            },
        ],
    },
];

struct Filled {
    pipelines: i64,
    catalog: Catalog,
    _folder: TempDir,
}

fn main() -> Result<(), Failure> {
    let asked = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let mut sizes = asked.map(|size| size.parse()).collect::<Result<Vec<i64>, _>>()?;
    if sizes.is_empty() {
        sizes = if is_test_run() { vec![10] } else { vec![10, 1_000, 1_000_000] };
    }
    if sizes.iter().any(|&size| size < 2 * FAMILY || size % FAMILY != 0) {
        return Err(format!("numbers of pipelines are multiples of {FAMILY}, 10 or more").into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("| question | pipelines | us, median | ratio | reads of the file |");
        println!("|---|---|---|---|---|");
        for shape in &SHAPES {
            let mut filled = Vec::new();
            for &pipelines in &sizes {
                filled.push(fill(shape, pipelines).await?);
            }
            for question in shape.questions {
                compare(question, &filled).await?;
            }
        }
        Ok(())
    })
}

/// A catalog of this shape: every row in one transaction.
async fn fill(shape: &Shape, pipelines: i64) -> Result<Filled, Failure> {
    let started = Instant::now();
    let folder = tempfile::tempdir()?;
    Catalog::open(folder.path()).await?.close().await;
    write(folder.path(), shape, pipelines).await?;
    let catalog = Catalog::open(folder.path()).await?;
    eprintln!("{}: {pipelines} pipelines in {:.1?}", shape.name, started.elapsed());
    Ok(Filled { pipelines, catalog, _folder: folder })
}

async fn write(folder: &Path, shape: &Shape, pipelines: i64) -> Result<(), Failure> {
    let Shape { ref_name, status, parent, has_job, .. } = shape;
    let script = format!(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -262144;
         BEGIN;
         INSERT INTO projects VALUES (1, 'group/app', 'public', 1, 0, '[]');
         INSERT INTO blobs VALUES (zeroblob(32), 1000, 1, 0, 0);
         WITH RECURSIVE numbers (n) AS
             (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $N)
         INSERT INTO pipelines (id, project_id, ref, status, parent_pipeline_id, created_at)
             SELECT n, 1, {ref_name}, {status}, {parent}, 0 FROM numbers;
         INSERT INTO jobs (id, project_id, pipeline_id, name, status, created_at)
             SELECT n, 1, n, 'build', 'success', 0
             FROM (SELECT id AS n FROM pipelines) WHERE {has_job};
         INSERT INTO archives SELECT id, zeroblob(32), 'dist.zip', 0, NULL FROM jobs;
         COMMIT;
         PRAGMA wal_checkpoint(TRUNCATE);"
    );
    let script = script.replace("$N", &pipelines.to_string());
    let options = SqliteConnectOptions::new().filename(folder.join("catalog.sqlite"));
    let mut connection = options.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

async fn compare(question: &Question, filled: &[Filled]) -> Result<(), Failure> {
    let alike: Vec<&Filled> =
        filled.iter().filter(|filled| filled.pipelines >= question.from).collect();
    for filled in &alike {
        for time in 0..QUESTIONS {
            check(question, filled, time).await?;
        }
    }
    let mut times = vec![Vec::with_capacity(ROUNDS * QUESTIONS as usize); alike.len()];
    let mut reads = vec![0; alike.len()];
    let before = reads_so_far();
    let own_reads = reads_so_far() - before;
    for round in 0..ROUNDS as i64 {
        for (index, filled) in alike.iter().enumerate() {
            let before = reads_so_far();
            for time in round * QUESTIONS..(round + 1) * QUESTIONS {
                times[index].push(check(question, filled, time).await?);
            }
            reads[index] += (reads_so_far() - before).saturating_sub(own_reads);
        }
    }
    let mut first = None;
    for ((filled, times), reads) in alike.iter().zip(&mut times).zip(reads) {
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs_f64() * 1e6;
        let first = *first.get_or_insert(median);
        println!(
            "| {} | {} | {median:.0} | {:.2} | {:.2} |",
            question.name,
            filled.pipelines,
            median / first,
            reads as f64 / times.len() as f64
        );
    }
    Ok(())
}

/// Asks once, and compares the answer with what it has to be.
async fn check(question: &Question, filled: &Filled, time: i64) -> Result<Duration, Failure> {
    let (ref_name, expected) = (question.ask)(time, filled.pipelines);
    let Question { job, search_recent, .. } = *question;
    let started = Instant::now();
    let latest =
        filled.catalog.latest(ProjectId(1), &ref_name, job, search_recent, UtcMillis(1)).await?;
    let took = started.elapsed();
    let found = match &latest {
        Latest::Found(job) => Some(job.id),
        Latest::NoJob | Latest::NoArchive => None,
    };
    if found != expected.map(JobId) {
        return Err(format!("{ref_name} answers {latest:?}, not {expected:?}").into());
    }
    Ok(took)
}

/// Read calls of this process so far, as the system counts them; 0 where it does not.
fn reads_so_far() -> u64 {
    let counters = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = counters.lines().find_map(|line| line.strip_prefix("syscr: "));
    line.and_then(|number| number.parse().ok()).unwrap_or(0)
}

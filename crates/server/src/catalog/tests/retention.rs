//! How long artifacts live, and what becomes of content that nobody names.

use super::scene::{archive, assert_unchanged, later, of_ref, report, sha, until_kept};
use super::*;

async fn expiry(catalog: &Catalog, project: ProjectId, job: JobId) -> Option<UtcMillis> {
    let job = catalog.job(project, job, NOW).await.unwrap().unwrap();
    job.archive.as_ref().expect("it has an archive").expires_at
}

async fn lock(catalog: &Catalog, project: ProjectId, job: JobId, locked: bool) {
    let change = JobChange { locked: Some(locked), ..JobChange::default() };
    catalog.sets_job(project, job, &change).await;
}

async fn reports(catalog: &Catalog, project: ProjectId, job: JobId, now: UtcMillis) -> usize {
    catalog.job_details(project, job, now).await.unwrap().unwrap().reports.len()
}

#[tokio::test(flavor = "current_thread")]
async fn keeping_clears_the_expiry_of_what_can_still_be_served() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let other = catalog.has_project("group/other").await;
    let table = [
        ("no expiry", None, false, true),
        ("to expire", Some(later(1)), false, true),
        ("expired", Some(NOW), false, false),
        ("expired and locked", Some(NOW), true, true),
    ];
    for (byte, (name, expires_at, locked, expected)) in (1..).zip(table) {
        let job = catalog.has_archive(project, "main", byte, expires_at).await;
        catalog.takes(&Handover { expires_at, ..report(job, 100, "junit") }).await;
        lock(&catalog, project, job, locked).await;
        let before = catalog.everything().await;
        assert!(!catalog.keep_artifacts(other, job, NOW).await.unwrap(), "{name}, other project");
        assert_unchanged(&before, &catalog.everything().await, name);
        assert_eq!(catalog.keep_artifacts(project, job, NOW).await.unwrap(), expected, "{name}");
        if !expected {
            assert_unchanged(&before, &catalog.everything().await, name);
            continue;
        }
        lock(&catalog, project, job, false).await;
        assert_eq!(expiry(&catalog, project, job).await, None, "{name}");
        assert_eq!(reports(&catalog, project, job, later(1_000_000)).await, 1, "{name}");
    }
    let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
    let without = catalog.has_job(project, pipeline, "without").await;
    catalog.takes(&report(without, 100, "junit")).await;
    for (name, job) in [("only a report", without), ("no such job", JobId(999))] {
        assert!(!catalog.keep_artifacts(project, job, NOW).await.unwrap(), "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn keeping_leaves_a_report_that_has_expired_expired() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let job = catalog.has_archive(project, "main", 1, Some(later(50))).await;
    catalog.takes(&Handover { expires_at: Some(NOW), ..report(job, 2, "junit") }).await;
    catalog.takes(&Handover { expires_at: Some(later(1)), ..report(job, 3, "dotenv") }).await;
    assert!(catalog.keep_artifacts(project, job, NOW).await.unwrap());
    assert_eq!(reports(&catalog, project, job, later(100)).await, 1);
    assert_eq!(catalog.sweep_expired(later(100)).await.unwrap(), 1, "the one that had expired");
    assert_eq!(expiry(&catalog, project, job).await, None);
}

#[tokio::test(flavor = "current_thread")]
async fn deleting_takes_archive_and_reports_off_one_job() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let other = catalog.has_project("group/other").await;
    let job = catalog.has_archive(project, "main", 1, None).await;
    catalog.takes(&report(job, 2, "junit")).await;
    catalog.takes(&report(job, 3, "dotenv")).await;
    let stays = catalog.has_archive(project, "main", 1, None).await;
    catalog.takes(&report(stays, 2, "junit")).await;
    let before = catalog.everything().await;
    assert_eq!(catalog.delete_artifacts(other, job).await.unwrap(), 0, "of another project");
    assert_eq!(catalog.delete_artifacts(project, JobId(99)).await.unwrap(), 0, "no such job");
    assert_unchanged(&before, &catalog.everything().await, "deleting nothing");

    lock(&catalog, project, job, true).await;
    assert_eq!(catalog.delete_artifacts(project, job).await.unwrap(), 3, "locked or not");
    let found = catalog.job(project, job, NOW).await.unwrap().unwrap();
    assert_eq!(found.archive, None);
    assert_eq!(reports(&catalog, project, job, NOW).await, 0);
    assert_eq!(expiry(&catalog, project, stays).await, None);
    assert_eq!(reports(&catalog, project, stays, NOW).await, 1);
    assert_eq!(catalog.delete_artifacts(project, job).await.unwrap(), 0, "again");
    assert_eq!(catalog.unreferenced(10).await.unwrap(), [sha(1), sha(2), sha(3)]);
    // Nothing is promised of deleted reports; of the archive, that no other takes its place.
    assert_eq!(catalog.hand_over(&archive(job, 4)).await.unwrap(), HandoverOutcome::Other);
    catalog.takes(&archive(job, 1)).await;
    assert_eq!(catalog.delete_artifacts(project, job).await.unwrap(), 1);
    assert_eq!(catalog.hand_over(&archive(job, 4)).await.unwrap(), HandoverOutcome::Other);
}

#[tokio::test(flavor = "current_thread")]
async fn a_project_expires_but_for_the_latest_of_each_ref_and_what_is_locked() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let other = catalog.has_project("group/other").await;
    let pipeline = async |project, ref_name: &str, status, parent: Option<PipelineId>| {
        let change = PipelineChange {
            status: Some(status),
            parent_pipeline_id: Some(parent),
            ..of_ref(ref_name)
        };
        catalog.has_pipeline(project, &change).await
    };
    let good = PipelineStatus::Success;
    let old = pipeline(project, "main", good, None).await;
    let old_child = pipeline(project, "main", good, Some(old)).await;
    let new = pipeline(project, "main", good, None).await;
    let child = pipeline(project, "main", PipelineStatus::Failed, Some(new)).await;
    let grandchild = pipeline(project, "dev", good, Some(child)).await;
    let elsewhere = pipeline(other, "main", good, Some(new)).await;
    let failed = pipeline(project, "main", PipelineStatus::Failed, None).await;
    let runs = pipeline(project, "main", PipelineStatus::Running, None).await;
    let dev = pipeline(project, "dev", good, None).await;
    let only_failed = pipeline(project, "topic", PipelineStatus::Failed, None).await;
    let orphan = pipeline(project, "orphan", good, Some(PipelineId(900))).await;
    // Name, pipeline, expiry before, locked; whether it is expired after.
    #[rustfmt::skip]
    let table = [
        ("an older pipeline", old, None, false, true),
        ("an older pipeline, kept", old, None, false, true),
        ("an older pipeline, to expire later", old, Some(later(50)), false, true),
        ("an older pipeline, expired already", old, Some(later(-50)), false, true),
        ("an older pipeline, locked", old, Some(later(50)), true, false),
        ("the child of an older pipeline", old_child, None, false, true),
        ("the latest", new, None, false, false),
        ("the latest, to expire later", new, Some(later(50)), false, false),
        ("its child, though it failed", child, None, false, false),
        ("its grandchild, of another ref", grandchild, None, false, false),
        ("a failed one", failed, None, false, true),
        ("one that runs", runs, None, false, true),
        ("the latest of another ref", dev, None, false, false),
        ("of a ref that was never good", only_failed, None, false, true),
        ("a child is never the latest of its ref", orphan, None, false, true),
    ];
    let mut jobs = Vec::new();
    for (byte, (name, pipeline, expires_at, locked, expected)) in (1..).zip(table) {
        let job = catalog.has_job(project, pipeline, name).await;
        catalog.takes(&Handover { expires_at, ..archive(job, byte) }).await;
        catalog.takes(&Handover { expires_at, ..report(job, 200, "junit") }).await;
        if name.ends_with(", kept") {
            assert!(catalog.keep_artifacts(project, job, NOW).await.unwrap());
        }
        lock(&catalog, project, job, locked).await;
        jobs.push((name, job, expires_at, expected));
    }
    let of_other = catalog.has_job(other, elsewhere, "build").await;
    catalog.takes(&archive(of_other, 1)).await;
    watched(&catalog, async || {
        let (_, kept, _, _) = jobs[0];
        until_kept(async || {
            assert_eq!(expiry(&catalog, project, kept).await, None);
            catalog.cached_job(project, kept, NOW).is_some()
        })
        .await;
        // All that expire, but for the one that had expired.
        assert_eq!(catalog.expire_artifacts(project, NOW).await.unwrap(), 8);
        assert_eq!(catalog.cached_job(project, kept, NOW), None, "at once");
        for &(name, job, before, expired) in &jobs {
            let after = expiry(&catalog, project, job).await;
            let expected = match before {
                Some(before) if before < NOW => Some(before),
                _ if expired => Some(NOW),
                before => before,
            };
            assert_eq!(after, expected, "{name}");
            let of_reports = reports(&catalog, project, job, NOW).await;
            assert_eq!(of_reports, usize::from(!expired), "{name}");
        }
        assert_eq!(expiry(&catalog, other, of_other).await, None, "another project");
        assert_eq!(catalog.expire_artifacts(project, later(9)).await.unwrap(), 0, "again");
        assert_eq!(catalog.expire_artifacts(ProjectId(99), NOW).await.unwrap(), 0, "no project");
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_sweep_takes_256_archives_and_as_many_reports_at_a_time() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
    assert_eq!(pipeline, PipelineId(1));
    // 300 jobs with an archive and a report each; the first ten are locked, the last ten live.
    catalog
        .write(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)
             INSERT INTO jobs (id, project_id, pipeline_id, name, status, locked, created_at)
                 SELECT n, 1, 1, 'j' || n, 'success', n <= 10, 0 FROM n;
             INSERT INTO blobs VALUES (zeroblob(32), 10, 1, 0, 0);
             INSERT INTO archives SELECT id, zeroblob(32), 'a.zip', 0,
                 CASE WHEN id <= 290 THEN 1700000000000 ELSE 1700000000001 END FROM jobs;
             INSERT INTO reports SELECT job_id, 'junit', 'raw', 'r.xml', sha256, 0, expires_at
                 FROM archives;",
        )
        .await;
    assert_eq!(catalog.sweep_expired(later(-1)).await.unwrap(), 0, "a millisecond before");
    for (name, expected) in [("first", 512), ("second", 2 * (280 - 256)), ("third", 0)] {
        assert_eq!(catalog.sweep_expired(NOW).await.unwrap(), expected, "{name}");
    }
    let left = "SELECT COUNT(*) * 1000 + (SELECT COUNT(*) FROM reports) AS number FROM archives";
    assert_eq!(catalog.number(left).await, 20_020);
    let left = "SELECT COUNT(*) AS number FROM archives WHERE job_id BETWEEN 11 AND 290";
    assert_eq!(catalog.number(left).await, 0);
    let past = "SELECT COUNT(*) AS number FROM past_archives WHERE job_id BETWEEN 11 AND 290";
    assert_eq!(catalog.number(past).await, 280);
    assert_eq!(catalog.number("SELECT COUNT(*) AS number FROM past_archives").await, 280);
    assert_eq!(catalog.unreferenced(10).await.unwrap(), [sha(0)]);
    assert!(!catalog.release(&sha(0)).await.unwrap(), "the others name it still");
    assert_eq!(catalog.unreferenced(10).await.unwrap(), []);
    // What was locked goes when it is not locked any more.
    lock(&catalog, project, JobId(3), false).await;
    assert_eq!(catalog.sweep_expired(NOW).await.unwrap(), 2);
    assert_eq!(catalog.unreferenced(10).await.unwrap(), [sha(0)]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_sweep_finds_reports_without_archives() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let job = catalog.has_archive(project, "main", 1, None).await;
    catalog.takes(&Handover { expires_at: Some(NOW), ..report(job, 2, "junit") }).await;
    catalog.takes(&Handover { expires_at: Some(later(1)), ..report(job, 3, "dotenv") }).await;
    assert_eq!(catalog.sweep_expired(NOW).await.unwrap(), 1);
    assert_eq!(catalog.unreferenced(10).await.unwrap(), [sha(2)]);
    let details = catalog.job_details(project, job, NOW).await.unwrap().unwrap();
    assert_eq!(details.reports.len(), 1);
    assert_eq!(&*details.reports[0].file_type, "dotenv");
}

#[tokio::test(flavor = "current_thread")]
async fn content_is_released_when_the_last_that_names_it_is_gone() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let mut jobs = Vec::new();
    for byte in [1, 1, 2, 3] {
        jobs.push(catalog.has_archive(project, "main", byte, None).await);
    }
    assert_eq!(catalog.unreferenced(10).await.unwrap(), []);
    assert!(!catalog.release(&sha(1)).await.unwrap(), "named by two");
    assert!(catalog.release(&sha(77)).await.unwrap(), "nobody names what is unknown");
    let delete = async |index: usize| {
        assert_eq!(catalog.delete_artifacts(project, jobs[index]).await.unwrap(), 1);
    };
    delete(0).await;
    assert_eq!(catalog.unreferenced(10).await.unwrap(), [sha(1)]);
    assert!(!catalog.release(&sha(1)).await.unwrap(), "named by one");
    assert_eq!(catalog.unreferenced(10).await.unwrap(), [], "and not asked again");
    let job = catalog.job(project, jobs[1], NOW).await.unwrap().unwrap();
    assert!(matches!(job.archive_at(NOW), ArchiveState::Stored(_)));

    delete(1).await;
    delete(2).await;
    delete(3).await;
    assert_eq!(catalog.unreferenced(2).await.unwrap().len(), 2, "so many at most");
    assert_eq!(catalog.unreferenced(10).await.unwrap(), [sha(1), sha(2), sha(3)]);
    // Handed in again before its file went: it stays.
    catalog.takes(&archive(jobs[2], 2)).await;
    for (byte, released) in [(1, true), (2, false), (3, true)] {
        assert_eq!(catalog.release(&sha(byte)).await.unwrap(), released, "{byte}");
        let blob = catalog.blob(&sha(byte)).await.unwrap();
        assert_eq!(blob.is_none(), released, "{byte}");
    }
    // Until their files are gone.
    assert_eq!(catalog.unreferenced(10).await.unwrap(), [sha(1), sha(3)]);
    assert!(catalog.release(&sha(1)).await.unwrap(), "a second time, after a failure");
    catalog.settle(&[sha(1), sha(3)]).await.unwrap();
    assert_eq!(catalog.unreferenced(10).await.unwrap(), []);
    // Released content can come again.
    catalog.takes(&archive(jobs[0], 1)).await;
    assert_eq!(expiry(&catalog, project, jobs[0]).await, None);
}

#[tokio::test(flavor = "current_thread")]
async fn what_was_kept_in_memory_ends_with_every_change_and_lasts_without_one() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let job = catalog.has_archive(project, "main", 1, Some(later(5))).await;
    let old = catalog.has_archive(project, "dev", 2, Some(NOW)).await;
    watched(&catalog, async || {
        let is_warm = || {
            catalog.cached_latest(project, "main", "build", false, NOW).is_some()
                && catalog.cached_job(project, job, NOW).is_some()
        };
        let ask = async || {
            assert_eq!(catalog.latest_id(project, "main", "build").await, Some(job));
            assert!(catalog.job(project, job, NOW).await.unwrap().is_some());
            is_warm()
        };
        let warm = async || until_kept(ask).await;
        warm().await;
        assert!(catalog.keep_artifacts(project, job, NOW).await.unwrap());
        assert!(!is_warm(), "kept");
        warm().await;
        assert_eq!(expiry(&catalog, project, job).await, None, "what is kept is new");
        assert_eq!(catalog.sweep_expired(NOW).await.unwrap(), 1);
        assert!(!is_warm(), "swept");
        // Long enough for the watch to have seen the commit before.
        tokio::time::sleep(3 * WATCH_INTERVAL).await;
        warm().await;
        assert_eq!(catalog.sweep_expired(NOW).await.unwrap(), 0);
        assert!(is_warm(), "a sweep that finds nothing costs nobody anything");
        assert_eq!(catalog.hand_over(&archive(old, 2)).await.unwrap(), HandoverOutcome::Taken);
        assert!(!is_warm(), "handed in");
        warm().await;
        assert_eq!(catalog.expire_artifacts(project, NOW).await.unwrap(), 0);
        assert!(!is_warm(), "expired");
        warm().await;
        assert_eq!(catalog.delete_artifacts(project, job).await.unwrap(), 1);
        assert!(!is_warm(), "deleted");
        assert_eq!(catalog.latest_id(project, "main", "build").await, None);
        assert!(catalog.unreferenced(10).await.unwrap().contains(&sha(1)));
        assert!(catalog.release(&sha(1)).await.unwrap());
        assert_eq!(catalog.latest_id(project, "main", "build").await, None);
    })
    .await;
}

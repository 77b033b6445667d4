//! What jobs hand in: archives and reports, the same bytes again, other bytes, in every state.

use super::scene::{
    archive, assert_unchanged, done, later, of_ref, report, running, sha, token, until_kept,
};
use super::*;
use HandoverOutcome::{AlreadyThere, JobOver, NoJob, Other, Taken};

/// What a job has had when something is handed in at NOW.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Had {
    Nothing,
    Live,
    ToExpire,
    Expired,
    ExpiredLocked,
    Swept,
    Deleted,
}

async fn job_that_had(
    catalog: &Catalog,
    project: ProjectId,
    had: Had,
    file: Handover<'_>,
) -> JobId {
    let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
    let job = catalog.has_job(project, pipeline, "build").await;
    let expires_at = match had {
        Had::Nothing => return job,
        Had::Live | Had::Deleted => None,
        Had::ToExpire => Some(later(1)),
        Had::Expired | Had::ExpiredLocked | Had::Swept => Some(NOW),
    };
    catalog.takes(&Handover { job, expires_at, now: later(-10), ..file }).await;
    match had {
        Had::Nothing | Had::Live | Had::ToExpire | Had::Expired => {}
        Had::ExpiredLocked => {
            let change = JobChange { locked: Some(true), ..JobChange::default() };
            catalog.sets_job(project, job, &change).await;
        }
        Had::Swept => assert_ne!(catalog.sweep_expired(NOW).await.unwrap(), 0),
        Had::Deleted => assert_eq!(catalog.delete_artifacts(project, job).await.unwrap(), 1),
    }
    job
}

#[tokio::test(flavor = "current_thread")]
async fn an_archive_is_taken_once_and_after_that_only_the_same_bytes() {
    #[rustfmt::skip]
    let table = [
        // What the job had, the same bytes again, other bytes
        (Had::Nothing, Taken, Taken),
        (Had::Live, AlreadyThere, Other),
        (Had::ToExpire, AlreadyThere, Other),
        (Had::Expired, Taken, Other),
        (Had::ExpiredLocked, AlreadyThere, Other),
        (Had::Swept, Taken, Other),
        (Had::Deleted, Taken, Other),
    ];
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    for (had, same, other) in table {
        for (byte, expected) in [(1, same), (2, other)] {
            let job = job_that_had(&catalog, project, had, archive(JobId(0), 1)).await;
            let before = catalog.everything().await;
            let again = Handover {
                filename: "again.zip",
                expires_at: Some(later(1000)),
                ..archive(job, byte)
            };
            let outcome = catalog.hand_over(&again).await.unwrap();
            assert_eq!(outcome, expected, "{had:?}, bytes {byte}");
            if outcome != Taken {
                let name = format!("{had:?}, bytes {byte}");
                assert_unchanged(&before, &catalog.everything().await, &name);
                continue;
            }
            let expected = Archive {
                sha256: sha(byte),
                len: 1000 + u64::from(byte),
                entries: 3,
                filename: "again.zip".into(),
                stored_at: NOW,
                expires_at: Some(later(1000)),
                lost: false,
            };
            let found = catalog.job(project, job, NOW).await.unwrap().unwrap();
            assert_eq!(found.archive, Some(expected), "{had:?}, bytes {byte}");
            // It is the job's now, for good.
            assert_eq!(catalog.hand_over(&again).await.unwrap(), AlreadyThere, "{had:?}");
            let third = catalog.hand_over(&archive(job, 3)).await.unwrap();
            assert_eq!(third, Other, "{had:?}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_report_is_taken_beside_others_and_a_deleted_one_may_be_replaced() {
    #[rustfmt::skip]
    let table = [
        (Had::Nothing, Taken, Taken),
        (Had::Live, AlreadyThere, Other),
        (Had::ToExpire, AlreadyThere, Other),
        (Had::Expired, Taken, Other),
        (Had::ExpiredLocked, AlreadyThere, Other),
        (Had::Swept, Taken, Taken),
        (Had::Deleted, Taken, Taken),
    ];
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    for (had, same, other) in table {
        for (byte, expected) in [(1, same), (2, other)] {
            let job = job_that_had(&catalog, project, had, report(JobId(0), 1, "junit")).await;
            let before = catalog.everything().await;
            let again = Handover {
                file: HandedFile::Report { file_type: "junit", file_format: "raw" },
                filename: "again.xml",
                expires_at: Some(later(1000)),
                ..report(job, byte, "junit")
            };
            let outcome = catalog.hand_over(&again).await.unwrap();
            assert_eq!(outcome, expected, "{had:?}, bytes {byte}");
            if outcome != Taken {
                let name = format!("{had:?}, bytes {byte}");
                assert_unchanged(&before, &catalog.everything().await, &name);
                continue;
            }
            let expected = Report {
                file_type: "junit".into(),
                file_format: "raw".into(),
                filename: "again.xml".into(),
                len: 1000 + u64::from(byte),
            };
            let details = catalog.job_details(project, job, NOW).await.unwrap().unwrap();
            assert_eq!(details.reports, [expected], "{had:?}, bytes {byte}");
            assert_eq!(details.job.archive, None, "{had:?}");
            let later = catalog.job_details(project, job, later(1000)).await.unwrap().unwrap();
            assert_eq!(later.reports.is_empty(), !details.job.locked, "the new expiry, {had:?}");
        }
    }
    let types = |details: JobDetails| -> Vec<String> {
        details.reports.iter().map(|report| report.file_type.to_string()).collect()
    };
    let job = job_that_had(&catalog, project, Had::Live, archive(JobId(0), 1)).await;
    catalog.takes(&report(job, 2, "junit")).await;
    catalog.takes(&report(job, 3, "dotenv")).await;
    catalog.takes(&report(job, 3, "codequality")).await;
    assert_eq!(catalog.hand_over(&report(job, 9, "dotenv")).await.unwrap(), Other);
    let details = catalog.job_details(project, job, NOW).await.unwrap().unwrap();
    assert_eq!(details.job.archive.as_ref().map(|archive| archive.sha256), Some(sha(1)));
    assert_eq!(types(details), ["codequality", "dotenv", "junit"]);
}

#[tokio::test(flavor = "current_thread")]
async fn only_a_running_job_hands_in_by_itself_and_anyone_else_for_every_job() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
    for (byte, word) in (1..).zip(JobStatus::WORDS) {
        let status: JobStatus = word.parse().unwrap();
        let change = JobChange { status: Some(status), ..running(pipeline, word) };
        let put = catalog.put_job(project, None, &change, &token(byte), NOW).await.unwrap();
        let job = done(put).id;
        let uploading = catalog.uploading_job(job).await.unwrap();
        assert_eq!(uploading, Some(UploadingJob { project_id: project, status }), "{word}");
        let expected = if status == JobStatus::Running { Taken } else { JobOver };
        for file in [archive(job, byte), report(job, byte, "junit")] {
            let before = catalog.everything().await;
            assert_eq!(catalog.hand_over(&file).await.unwrap(), expected, "{word}");
            if expected == JobOver {
                assert_unchanged(&before, &catalog.everything().await, word);
                let for_it = Handover { must_run: false, ..file };
                assert_eq!(catalog.hand_over(&for_it).await.unwrap(), Taken, "{word}, for it");
                // Not even the bytes that are there already.
                assert_eq!(catalog.hand_over(&file).await.unwrap(), JobOver, "{word}, again");
            }
        }
    }
    let before = catalog.everything().await;
    for absent in [0, -1, 999, i64::MAX] {
        assert_eq!(catalog.uploading_job(JobId(absent)).await.unwrap(), None, "{absent}");
        for must_run in [false, true] {
            for file in [archive(JobId(absent), 1), report(JobId(absent), 1, "junit")] {
                let file = Handover { must_run, ..file };
                assert_eq!(catalog.hand_over(&file).await.unwrap(), NoJob, "{absent}");
            }
        }
    }
    assert_unchanged(&before, &catalog.everything().await, "no job");
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_that_ends_while_it_uploads_keeps_nothing() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
    let job = catalog.has_job(project, pipeline, "build").await;
    assert_eq!(catalog.uploading_job(job).await.unwrap().unwrap().status, JobStatus::Running);
    let over = JobChange { status: Some(JobStatus::Canceled), ..JobChange::default() };
    catalog.sets_job(project, job, &over).await;
    assert_eq!(catalog.hand_over(&archive(job, 1)).await.unwrap(), JobOver);
    assert_eq!(catalog.blob(&sha(1)).await.unwrap(), None);
    assert_eq!(catalog.job(project, job, NOW).await.unwrap().unwrap().archive, None);
}

#[tokio::test(flavor = "current_thread")]
async fn content_that_is_a_report_and_an_archive_is_stored_once() {
    for report_first in [true, false] {
        let (_folder, catalog) = open().await;
        let project = catalog.has_project("group/app").await;
        let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
        let first = catalog.has_job(project, pipeline, "first").await;
        let second = catalog.has_job(project, pipeline, "second").await;
        let mut files = [report(first, 1, "junit"), archive(second, 1)];
        if !report_first {
            files.reverse();
        }
        for file in files {
            catalog.takes(&file).await;
        }
        let blob = Blob { sha256: sha(1), len: 1001, lost: false };
        assert_eq!(catalog.blobs().await.unwrap(), [blob]);
        // A report was not looked into; what an archive was counted to have stands.
        let found = catalog.job(project, second, NOW).await.unwrap().unwrap();
        assert_eq!(found.archive.as_ref().unwrap().entries, 3, "report first: {report_first}");

        // Each lives on without the other.
        assert_eq!(catalog.delete_artifacts(project, second).await.unwrap(), 1);
        assert!(!catalog.release(&sha(1)).await.unwrap(), "the report names it");
        assert_eq!(catalog.blob(&sha(1)).await.unwrap(), Some(blob));
        assert_eq!(catalog.delete_artifacts(project, first).await.unwrap(), 1);
        assert!(catalog.release(&sha(1)).await.unwrap());
        assert_eq!(catalog.blob(&sha(1)).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn lost_content_is_found_again_when_it_is_handed_in_by_anyone() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let job = catalog.has_archive(project, "main", 1, None).await;
    let pipeline = catalog.has_pipeline(project, &of_ref("dev")).await;
    let other = catalog.has_job(project, pipeline, "other").await;
    let is_lost = async || {
        let found = catalog.job(project, job, NOW).await.unwrap().unwrap();
        matches!(found.archive_at(NOW), ArchiveState::Lost(_))
    };
    watched(&catalog, async || {
        for (name, file, expected) in [
            ("the same job", archive(job, 1), AlreadyThere),
            ("another job", archive(other, 1), Taken),
            ("as a report", report(other, 1, "junit"), Taken),
            ("as a report again", report(other, 1, "junit"), AlreadyThere),
        ] {
            catalog.mark_blobs(&[sha(1)], &[]).await.unwrap();
            assert!(is_lost().await, "{name}");
            assert_eq!(catalog.blob(&sha(1)).await.unwrap().map(|blob| blob.lost), Some(true));
            assert_eq!(catalog.hand_over(&file).await.unwrap(), expected, "{name}");
            assert!(!is_lost().await, "{name}");
            assert_eq!(catalog.blob(&sha(1)).await.unwrap().map(|blob| blob.lost), Some(false));
        }
        catalog.mark_blobs(&[sha(1)], &[]).await.unwrap();
        assert_eq!(catalog.hand_over(&archive(job, 2)).await.unwrap(), Other);
        assert!(is_lost().await, "other bytes put nothing right");
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn an_archive_that_is_handed_in_is_served_at_once() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    watched(&catalog, async || {
        let old = catalog.has_archive(project, "main", 1, None).await;
        let pipeline = catalog.has_pipeline(project, &of_ref("dev")).await;
        let new = catalog.has_job(project, pipeline, "build").await;
        let old_answers = async || {
            assert_eq!(catalog.latest_id(project, "main", "build").await, Some(old));
            assert!(catalog.job(project, old, NOW).await.unwrap().is_some());
            catalog.cached_latest(project, "main", "build", false, NOW).is_some()
                && catalog.cached_job(project, old, NOW).is_some()
        };
        until_kept(old_answers).await;
        catalog.takes(&Handover { expires_at: Some(later(5)), ..archive(new, 2) }).await;
        assert_eq!(catalog.cached_latest(project, "main", "build", false, NOW), None, "at once");
        assert_eq!(catalog.cached_job(project, old, NOW), None, "at once");
        until_kept(async || {
            assert_eq!(catalog.latest_id(project, "dev", "build").await, Some(new));
            catalog.cached_latest(project, "dev", "build", false, later(4)).is_some()
        })
        .await;
        assert_eq!(catalog.cached_latest(project, "dev", "build", false, later(5)), None);
    })
    .await;
}

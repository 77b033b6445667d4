//! Storage, tokens, and a job with all that is known of it.

use super::scene::{archive, done, later, of_ref, report, running, sha, token};
use super::*;

#[tokio::test(flavor = "current_thread")]
async fn storage_is_added_up_for_each_project() {
    let (_folder, catalog) = open().await;
    assert_eq!(catalog.storage().await.unwrap(), []);
    // Made in another order than that of their paths.
    let z = catalog.has_project("group/z").await;
    let a = catalog.has_project("group/a").await;
    let empty = catalog.has_project("group/m").await;
    let change = ProjectChange {
        visibility: Some(Visibility::Private),
        public_pipelines: Some(false),
        job_token_allowlist: None,
    };
    done(catalog.put_project(&path("group/m"), &change, false, NOW).await.unwrap());
    let first = catalog.has_archive(z, "main", 1, None).await;
    catalog.has_archive(z, "main", 1, None).await;
    let expired = catalog.has_archive(z, "main", 2, Some(NOW)).await;
    catalog.takes(&report(first, 3, "junit")).await;
    catalog.takes(&report(expired, 4, "junit")).await;
    catalog.takes(&report(expired, 5, "dotenv")).await;
    let pipeline = catalog.has_pipeline(a, &of_ref("main")).await;
    let only_report = catalog.has_job(a, pipeline, "report").await;
    catalog.takes(&report(only_report, 1, "junit")).await;
    let of = |id, text: &str, archives, archives_len, reports, reports_len| ProjectStorage {
        id,
        path: text.into(),
        visibility: Visibility::Public,
        public_pipelines: true,
        archives,
        archives_len,
        reports,
        reports_len,
    };
    let expected = [
        of(a, "group/a", 0, 0, 1, 1001),
        ProjectStorage {
            visibility: Visibility::Private,
            public_pipelines: false,
            ..of(empty, "group/m", 0, 0, 0, 0)
        },
        // Two jobs have the same content, and one an archive that is not swept yet.
        of(z, "group/z", 3, 1001 + 1001 + 1002, 3, 1003 + 1004 + 1005),
    ];
    assert_eq!(catalog.storage().await.unwrap(), expected);
    assert_eq!(catalog.sweep_expired(NOW).await.unwrap(), 1);
    catalog.delete_artifacts(z, first).await.unwrap();
    let storage = catalog.storage().await.unwrap();
    assert_eq!(storage[2], of(z, "group/z", 1, 1001, 2, 2009));
}

#[tokio::test(flavor = "current_thread")]
async fn tokens_are_listed_with_revoked_and_expired_ones_in_the_order_of_their_making() {
    let (_folder, catalog) = open().await;
    assert_eq!(catalog.tokens().await.unwrap(), []);
    let (group, app): (ProjectPrefix, ProjectPrefix) =
        ("group".parse().unwrap(), "group/app".parse().unwrap());
    let digests: Vec<TokenDigest> = (0..3).map(token).collect();
    for (i, digest) in digests.iter().enumerate() {
        let new = NewToken {
            name: ["z", "a", "a"][i],
            prefix: if i == 1 { &app } else { &group },
            role: [Role::Owner, Role::Guest, Role::Maintainer][i],
            scopes: [
                Scopes::from_iter([Scope::Api]),
                Scopes::from_iter([]),
                Scopes::from_iter([Scope::Ingest]),
            ][i],
            expires_at: [None, Some(later(-5)), None][i],
            now: later(-10),
            ..new_token(digest, &group)
        };
        assert_eq!(catalog.create_token(&new).await.unwrap(), TokenId(i as i64 + 1));
    }
    assert!(catalog.revoke_token(TokenId(3), later(-1)).await.unwrap());
    let of = |id, name: &str, prefix: &ProjectPrefix, role, scopes| Token {
        id: TokenId(id),
        name: name.into(),
        prefix: prefix.clone(),
        role,
        scopes,
        expires_at: None,
        created_at: later(-10),
        revoked_at: None,
    };
    let expected = [
        of(1, "z", &group, Role::Owner, Scopes::from_iter([Scope::Api])),
        Token { expires_at: Some(later(-5)), ..of(2, "a", &app, Role::Guest, Scopes::default()) },
        Token {
            revoked_at: Some(later(-1)),
            ..of(3, "a", &group, Role::Maintainer, Scopes::from_iter([Scope::Ingest]))
        },
    ];
    assert_eq!(catalog.tokens().await.unwrap(), expected);
}

/// Every field given; `number` tells a pipeline's from a job's.
fn details(number: i64) -> DetailsChange {
    DetailsChange {
        created_at: Some(Some(UtcMillis(number))),
        started_at: Some(Some(UtcMillis(number + 1))),
        finished_at: Some(Some(UtcMillis(number + 2))),
        coverage: Some(Some(number as f64 / 8.0)),
        failure_reason: Some(Some(format!("reason {number}").into())),
        commit: Some(Some(Json(format!("{{\"commit\":{number}}}").into()))),
        user: Some(Some(Json(format!("{{\"user\":{number}}}").into()))),
    }
}

fn expected_details(number: i64) -> Details {
    Details {
        created_at: UtcMillis(number),
        started_at: Some(UtcMillis(number + 1)),
        finished_at: Some(UtcMillis(number + 2)),
        coverage: Some(number as f64 / 8.0),
        failure_reason: Some(format!("reason {number}").into()),
        commit: Some(Json(format!("{{\"commit\":{number}}}").into())),
        user: Some(Json(format!("{{\"user\":{number}}}").into())),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_jobs_details_have_each_field_of_job_pipeline_and_files() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let other = catalog.has_project("group/other").await;
    let change = PipelineChange {
        sha: Some(Some("abc".into())),
        tag: Some(true),
        details: details(100),
        ..of_ref("v1")
    };
    let pipeline = catalog.has_pipeline(project, &change).await;
    let change = JobChange {
        stage: Some("deploy".into()),
        allow_failure: Some(true),
        artifacts_access: Some(ArtifactsAccess::Developer),
        runner: Some(Some(Json("{\"runner\":1}".into()))),
        details: details(200),
        ..running(pipeline, "build")
    };
    let id = done(catalog.put_job(project, None, &change, &token(1), NOW).await.unwrap()).id;
    catalog.takes(&Handover { expires_at: Some(later(5)), ..archive(id, 1) }).await;
    catalog.takes(&report(id, 2, "junit")).await;
    let expiring = Handover { expires_at: Some(later(5)), ..report(id, 3, "dotenv") };
    catalog.takes(&expiring).await;
    let of_report = |file_type: &str, len| Report {
        file_type: file_type.into(),
        file_format: "gzip".into(),
        filename: "report.xml.gz".into(),
        len,
    };
    let expected = JobDetails {
        job: Job {
            id,
            project_id: project,
            pipeline_id: pipeline,
            name: "build".into(),
            stage: "deploy".into(),
            status: JobStatus::Running,
            retried: false,
            locked: false,
            artifacts_access: ArtifactsAccess::Developer,
            created_at: UtcMillis(200),
            archive: Some(Archive {
                sha256: sha(1),
                len: 1001,
                entries: 3,
                filename: "dist.zip".into(),
                stored_at: NOW,
                expires_at: Some(later(5)),
                lost: false,
            }),
        },
        allow_failure: true,
        details: expected_details(200),
        runner: Some(Json("{\"runner\":1}".into())),
        pipeline: PipelineDetails {
            id: pipeline,
            ref_name: "v1".into(),
            sha: Some("abc".into()),
            tag: true,
            status: PipelineStatus::Success,
            details: expected_details(100),
        },
        reports: vec![of_report("dotenv", 1003), of_report("junit", 1002)],
    };
    let found = async |now| catalog.job_details(project, id, now).await.unwrap();
    assert_eq!(found(NOW).await.as_ref(), Some(&expected));
    assert_eq!(found(later(4)).await.as_ref(), Some(&expected));
    let mut without = expected.clone();
    without.reports.remove(0);
    assert_eq!(found(later(5)).await, Some(without), "one has expired");
    catalog.write("UPDATE jobs SET locked = 1").await;
    let mut locked = expected.clone();
    locked.job.locked = true;
    assert_eq!(found(later(5)).await, Some(locked), "none expires while it is locked");
    assert_eq!(catalog.job_details(other, id, NOW).await.unwrap(), None, "another project");
    assert_eq!(catalog.job_details(project, JobId(99), NOW).await.unwrap(), None, "no such job");
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_of_which_nothing_is_known_has_no_details() {
    let (_folder, catalog) = open().await;
    let project = catalog.has_project("group/app").await;
    let pipeline = catalog.has_pipeline(project, &of_ref("main")).await;
    let id = catalog.has_job(project, pipeline, "build").await;
    let nothing = Details {
        created_at: NOW,
        started_at: None,
        finished_at: None,
        coverage: None,
        failure_reason: None,
        commit: None,
        user: None,
    };
    let found = catalog.job_details(project, id, NOW).await.unwrap().unwrap();
    assert_eq!(found.details, nothing);
    assert_eq!(found.pipeline.details, nothing);
    assert_eq!((found.runner, found.pipeline.sha, found.pipeline.tag), (None, None, false));
    assert!(!found.allow_failure && found.reports.is_empty() && found.job.archive.is_none());
}

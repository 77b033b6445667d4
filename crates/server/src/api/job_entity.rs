//! The Job entity: a job as the API tells of it (api.md section 1).

use serde::Serialize;
use serde_json::value::RawValue;

use crate::catalog::{
    Archive, ArchiveState, Details, JobDetails, Json, PipelineDetails, Report, UtcMillis,
};
use crate::timestamp;

/// A job as the API tells of it: its members, null where something is not known.
#[derive(Debug, Serialize)]
pub struct JobEntity<'a> {
    id: i64,
    name: &'a str,
    stage: &'a str,
    status: &'static str,
    #[serde(rename = "ref")]
    ref_name: &'a str,
    tag: bool,
    coverage: Option<f64>,
    allow_failure: bool,
    created_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    /// Seconds.
    duration: Option<f64>,
    user: Option<&'a RawValue>,
    commit: Option<&'a RawValue>,
    pipeline: PipelineEntity<'a>,
    failure_reason: Option<&'a str>,
    web_url: Option<&'a str>,
    artifacts_file: Option<ArtifactsFile<'a>>,
    artifacts: Vec<Artifact<'a>>,
    runner: Option<&'a RawValue>,
    artifacts_expire_at: Option<String>,
    download_url: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct PipelineEntity<'a> {
    id: i64,
    #[serde(rename = "ref")]
    ref_name: &'a str,
    sha: Option<&'a str>,
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct ArtifactsFile<'a> {
    filename: &'a str,
    size: u64,
}

#[derive(Debug, Serialize)]
struct Artifact<'a> {
    file_type: &'a str,
    size: u64,
    filename: &'a str,
    file_format: &'a str,
}

impl<'a> JobEntity<'a> {
    /// The job as it stands at a time. An archive that cannot be downloaded any more is not named;
    /// when it expired is.
    ///
    /// The addresses of pages are null: there are none of jobs.
    pub fn new(details: &'a JobDetails, now: UtcMillis) -> Self {
        let JobDetails { job, allow_failure, details, runner, pipeline, reports } = details;
        let archive = match job.archive_at(now) {
            ArchiveState::Stored(archive) => Some(archive),
            ArchiveState::Absent | ArchiveState::Expired | ArchiveState::Lost(_) => None,
        };
        let expires_at = job.archive.as_ref().and_then(|archive| archive.expires_at);
        let PipelineDetails { ref_name, tag, details: of_pipeline, .. } = pipeline;
        let user = details.user.as_ref().or(of_pipeline.user.as_ref());
        let commit = details.commit.as_ref().or(of_pipeline.commit.as_ref());
        Self {
            id: job.id.0,
            name: &job.name,
            stage: &job.stage,
            status: job.status.as_str(),
            ref_name,
            tag: *tag,
            coverage: details.coverage,
            allow_failure: *allow_failure,
            created_at: timestamp::text(details.created_at),
            started_at: details.started_at.map(timestamp::text),
            finished_at: details.finished_at.map(timestamp::text),
            duration: duration(details),
            user: user.and_then(raw),
            commit: commit.and_then(raw),
            pipeline: PipelineEntity {
                id: pipeline.id.0,
                ref_name,
                sha: pipeline.sha.as_deref(),
                status: pipeline.status.as_str(),
            },
            failure_reason: details.failure_reason.as_deref(),
            web_url: None,
            artifacts_file: archive
                .map(|archive| ArtifactsFile { filename: &archive.filename, size: archive.len }),
            artifacts: archive
                .map(Artifact::archive)
                .into_iter()
                .chain(reports.iter().map(Artifact::report))
                .collect(),
            runner: runner.as_ref().and_then(raw),
            artifacts_expire_at: expires_at.map(timestamp::text),
            download_url: None,
        }
    }
}

impl<'a> Artifact<'a> {
    fn archive(archive: &'a Archive) -> Self {
        Self {
            file_type: "archive",
            size: archive.len,
            filename: &archive.filename,
            file_format: "zip",
        }
    }

    fn report(report: &'a Report) -> Self {
        let Report { file_type, file_format, filename, len } = report;
        Self { file_type, size: *len, filename, file_format }
    }
}

/// `None` too where it ended before it began, which two clocks can say.
fn duration(details: &Details) -> Option<f64> {
    let millis = details.finished_at?.0.checked_sub(details.started_at?.0)?;
    // Exact up to 2^53 ms, some 285,000 years.
    (millis >= 0).then(|| millis as f64 / 1000.0)
}

/// Given out as it was taken in: it was written by [`json_bytes`](crate::reply::json_bytes) then.
/// What is no JSON, which nothing here writes, becomes null.
fn raw(json: &Json) -> Option<&RawValue> {
    serde_json::from_str(&json.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{
        ArtifactsAccess, Job, JobId, JobStatus, PipelineId, PipelineStatus, ProjectId,
    };
    use crate::reply::json_bytes;
    use crate::store::Sha256Digest;

    fn nothing_known(created_at: i64) -> Details {
        Details {
            created_at: UtcMillis(created_at),
            started_at: None,
            finished_at: None,
            coverage: None,
            failure_reason: None,
            commit: None,
            user: None,
        }
    }

    fn bare() -> JobDetails {
        JobDetails {
            job: Job {
                id: JobId(100),
                project_id: ProjectId(7),
                pipeline_id: PipelineId(10),
                name: "build".into(),
                stage: "test".into(),
                status: JobStatus::Running,
                retried: false,
                locked: false,
                artifacts_access: ArtifactsAccess::All,
                created_at: UtcMillis(1000),
                archive: None,
            },
            allow_failure: false,
            details: nothing_known(1000),
            runner: None,
            pipeline: PipelineDetails {
                id: PipelineId(10),
                ref_name: "main".into(),
                sha: None,
                tag: false,
                status: PipelineStatus::Running,
                details: nothing_known(0),
            },
            reports: Vec::new(),
        }
    }

    fn archive() -> Archive {
        Archive {
            sha256: Sha256Digest([0; 32]),
            len: 4096,
            entries: 3,
            filename: "dist\u{202e}.zip".into(),
            stored_at: UtcMillis(2000),
            expires_at: Some(UtcMillis(9_000_000)),
            lost: false,
        }
    }

    fn json(details: &JobDetails, now: i64) -> String {
        let bytes = json_bytes(&JobEntity::new(details, UtcMillis(now))).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_is_not_known_is_null() {
        assert_eq!(
            json(&bare(), 0),
            concat!(
                r#"{"id":100,"name":"build","stage":"test","status":"running","ref":"main","#,
                r#""tag":false,"coverage":null,"allow_failure":false,"#,
                r#""created_at":"1970-01-01T00:00:01.000Z","started_at":null,"finished_at":null,"#,
                r#""duration":null,"user":null,"commit":null,"#,
                r#""pipeline":{"id":10,"ref":"main","sha":null,"status":"running"},"#,
                r#""failure_reason":null,"web_url":null,"artifacts_file":null,"artifacts":[],"#,
                r#""runner":null,"artifacts_expire_at":null,"download_url":null}"#
            )
        );
    }

    #[test]
    fn everything_that_is_known_is_told() {
        let mut details = bare();
        details.allow_failure = true;
        details.job.status = JobStatus::Failed;
        details.job.archive = Some(archive());
        details.details = Details {
            started_at: Some(UtcMillis(2000)),
            finished_at: Some(UtcMillis(19_250)),
            coverage: Some(87.5),
            failure_reason: Some("script_failure".into()),
            user: Some(Json(r#"{"id":3,"name":"a\u202eb"}"#.into())),
            ..nothing_known(1000)
        };
        details.runner = Some(Json(r#"{"id":6}"#.into()));
        details.pipeline.tag = true;
        details.pipeline.sha = Some("c0ffee".into());
        details.pipeline.status = PipelineStatus::Failed;
        details.pipeline.details.user = Some(Json(r#"{"id":4}"#.into()));
        details.pipeline.details.commit = Some(Json(r#"{"id":"c0ffee"}"#.into()));
        details.reports = vec![Report {
            file_type: "junit".into(),
            file_format: "gzip".into(),
            filename: "junit.xml.gz".into(),
            len: 77,
        }];
        assert_eq!(
            json(&details, 8_999_999),
            concat!(
                r#"{"id":100,"name":"build","stage":"test","status":"failed","ref":"main","#,
                r#""tag":true,"coverage":87.5,"allow_failure":true,"#,
                r#""created_at":"1970-01-01T00:00:01.000Z","#,
                r#""started_at":"1970-01-01T00:00:02.000Z","#,
                r#""finished_at":"1970-01-01T00:00:19.250Z","duration":17.25,"#,
                r#""user":{"id":3,"name":"a\u202eb"},"commit":{"id":"c0ffee"},"#,
                r#""pipeline":{"id":10,"ref":"main","sha":"c0ffee","status":"failed"},"#,
                r#""failure_reason":"script_failure","web_url":null,"#,
                r#""artifacts_file":{"filename":"dist\u202e.zip","size":4096},"#,
                r#""artifacts":[{"file_type":"archive","size":4096,"filename":"dist\u202e.zip","#,
                r#""file_format":"zip"},{"file_type":"junit","size":77,"#,
                r#""filename":"junit.xml.gz","file_format":"gzip"}],"runner":{"id":6},"#,
                r#""artifacts_expire_at":"1970-01-01T02:30:00.000Z","download_url":null}"#
            )
        );
    }

    #[test]
    fn an_archive_that_cannot_be_downloaded_is_not_named() {
        let with = |change: fn(&mut JobDetails)| {
            let mut details = bare();
            details.job.archive = Some(archive());
            change(&mut details);
            let entity: serde_json::Value =
                serde_json::from_str(&json(&details, 9_000_000)).unwrap();
            let named = !entity["artifacts_file"].is_null();
            assert_eq!(entity["artifacts"].as_array().unwrap().len(), usize::from(named));
            (named, !entity["artifacts_expire_at"].is_null())
        };
        let no_expiry = |details: &mut JobDetails| {
            details.job.archive.as_mut().unwrap().expires_at = None;
        };
        assert_eq!(with(|_| {}), (false, true), "expired");
        assert_eq!(with(|details| details.job.locked = true), (true, true), "locked");
        assert_eq!(with(no_expiry), (true, false), "kept");
        assert_eq!(
            with(|details| {
                let archive = details.job.archive.as_mut().unwrap();
                (archive.expires_at, archive.lost) = (None, true);
            }),
            (false, false),
            "lost"
        );
    }

    #[test]
    fn a_job_that_ended_before_it_began_has_no_duration() {
        let table = [
            (Some(1000), Some(1000), Some(0.0)),
            (Some(1000), Some(999), None),
            (None, Some(1), None),
            (Some(1), None, None),
        ];
        for (started_at, finished_at, expected) in table {
            let details = Details {
                started_at: started_at.map(UtcMillis),
                finished_at: finished_at.map(UtcMillis),
                ..nothing_known(0)
            };
            assert_eq!(duration(&details), expected, "{started_at:?} {finished_at:?}");
        }
    }
}

//! The bodies of the ingest routes (api.md section 6), for every CI that has no webhook of its own.
//!
//! A field that is left out is `None` in the change; one that may be null is `Some(None)` where it
//! is. What a new row needs, the catalog knows: it alone can tell whether the row is new.

use super::commit::Commit;
use super::object::{Object, Value};
use super::{BadAnnouncement, MAX_TEXT_LEN};
use crate::catalog::{
    DetailsChange, JobChange, JobStatus, Json, MAX_REF_LEN, PipelineChange, PipelineId,
    PipelineStatus, ProjectChange, ProjectPath,
};

/// The states that a pipeline can be announced in.
pub const PIPELINE_STATUSES: [PipelineStatus; 6] = [
    PipelineStatus::Running,
    PipelineStatus::Success,
    PipelineStatus::Failed,
    PipelineStatus::Canceled,
    PipelineStatus::Skipped,
    PipelineStatus::Manual,
];

/// The states that a job can be announced in.
pub const JOB_STATUSES: [JobStatus; 4] =
    [JobStatus::Running, JobStatus::Success, JobStatus::Failed, JobStatus::Canceled];

/// Most projects that one project's list may name; GitLab allows 200.
const MAX_ALLOWLIST_LEN: usize = 1000;

/// Reads what is said of a project: `{"visibility":"private","public_pipelines":false,
/// "job_token_allowlist":["group/other"]}`.
///
/// # Errors
/// [`BadAnnouncement`], but never `Missing`.
pub fn project(body: &[u8]) -> Result<ProjectChange, BadAnnouncement> {
    let mut object = Object::parse(body)?;
    let change = ProjectChange {
        visibility: object.field("visibility", Value::word)?,
        public_pipelines: object.field("public_pipelines", Value::boolean)?,
        job_token_allowlist: object.field("job_token_allowlist", project_paths)?,
    };
    object.end()?;
    Ok(change)
}

/// Reads what is said of a pipeline; its id stands in the target. A `sha` is 1 to 255 visible ASCII
/// characters: what names a commit is up to the version control.
///
/// # Errors
/// [`BadAnnouncement`], but never `Missing`.
pub fn pipeline(body: &[u8]) -> Result<PipelineChange, BadAnnouncement> {
    let mut object = Object::parse(body)?;
    let change = PipelineChange {
        ref_name: object.field("ref", |value| value.name(MAX_REF_LEN))?,
        sha: object.nullable("sha", sha)?,
        tag: object.field("tag", Value::boolean)?,
        status: object.field("status", |value| status(value, &PIPELINE_STATUSES))?,
        source: object.field("source", |value| value.name(MAX_TEXT_LEN))?,
        parent_pipeline_id: object
            .nullable("parent_pipeline_id", |value| value.id().map(PipelineId))?,
        details: details(&mut object)?,
    };
    object.end()?;
    Ok(change)
}

/// Reads what is said of a job; its id stands in the target. The runner is a webhook's to tell.
///
/// # Errors
/// [`BadAnnouncement`], but never `Missing`.
pub fn job(body: &[u8]) -> Result<JobChange, BadAnnouncement> {
    let mut object = Object::parse(body)?;
    let change = JobChange {
        pipeline_id: object.field("pipeline_id", |value| value.id().map(PipelineId))?,
        name: object.field("name", |value| value.name(MAX_TEXT_LEN))?,
        stage: object.field("stage", |value| value.name(MAX_TEXT_LEN))?,
        status: object.field("status", |value| status(value, &JOB_STATUSES))?,
        retried: object.field("retried", Value::boolean)?,
        allow_failure: object.field("allow_failure", Value::boolean)?,
        artifacts_access: object.field("artifacts_access", Value::word)?,
        locked: object.field("locked", Value::boolean)?,
        runner: None,
        details: details(&mut object)?,
    };
    object.end()?;
    Ok(change)
}

fn details(object: &mut Object) -> Result<DetailsChange, BadAnnouncement> {
    Ok(DetailsChange {
        created_at: object.nullable("created_at", Value::time)?,
        started_at: object.nullable("started_at", Value::time)?,
        finished_at: object.nullable("finished_at", Value::time)?,
        coverage: object.nullable("coverage", Value::percent)?,
        failure_reason: object.nullable("failure_reason", |value| value.name(MAX_TEXT_LEN))?,
        commit: object.nullable("commit", |value| Commit::read(value)?.json())?,
        user: object.nullable("user", any_object)?,
    })
}

fn status<T: std::str::FromStr + PartialEq>(value: Value, allowed: &[T]) -> Option<T> {
    value.word().filter(|status| allowed.contains(status))
}

fn sha(value: Value) -> Option<Box<str>> {
    value.name(MAX_TEXT_LEN).filter(|sha| sha.bytes().all(|byte| byte.is_ascii_graphic()))
}

fn any_object(value: Value) -> Option<Json> {
    value.object().filter(Object::is_shallow)?.json()
}

fn project_paths(value: Value) -> Option<Vec<ProjectPath>> {
    let paths = value.list().filter(|paths| paths.len() <= MAX_ALLOWLIST_LEN)?;
    paths.into_iter().map(Value::word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ArtifactsAccess, UtcMillis, Visibility};

    fn invalid(name: &'static str) -> BadAnnouncement {
        BadAnnouncement::Invalid { name }
    }

    #[test]
    fn a_body_without_fields_says_nothing() {
        assert_eq!(project(b"{}"), Ok(ProjectChange::default()));
        assert_eq!(pipeline(b"{}"), Ok(PipelineChange::default()));
        assert_eq!(job(b"{}"), Ok(JobChange::default()));
    }

    #[test]
    fn every_field_of_the_contract_is_read() {
        let body = br#"{"visibility":"internal","public_pipelines":false,
            "job_token_allowlist":["lib/core","lib/net"]}"#;
        let expected = ProjectChange {
            visibility: Some(Visibility::Internal),
            public_pipelines: Some(false),
            job_token_allowlist: Some(
                ["lib/core", "lib/net"].iter().map(|path| path.parse().unwrap()).collect(),
            ),
        };
        assert_eq!(project(body), Ok(expected));

        let body = br#"{"ref":"main","sha":"c0ffee","tag":true,"status":"manual","source":"web",
            "parent_pipeline_id":9,"created_at":"1970-01-01T00:00:01Z",
            "started_at":"1970-01-01T00:00:02Z","finished_at":"1970-01-01T00:00:03.25Z",
            "coverage":87.5,"failure_reason":"script_failure","commit":{"id":"c0ffee"},
            "user": {"id": 3, "groups": ["a"]}}"#;
        let commit = concat!(
            r#"{"id":"c0ffee","short_id":"c0ffee","title":null,"message":null,"#,
            r#""author_name":null,"author_email":null,"created_at":null}"#
        );
        let details = DetailsChange {
            created_at: Some(Some(UtcMillis(1000))),
            started_at: Some(Some(UtcMillis(2000))),
            finished_at: Some(Some(UtcMillis(3250))),
            coverage: Some(Some(87.5)),
            failure_reason: Some(Some("script_failure".into())),
            commit: Some(Some(Json(commit.into()))),
            user: Some(Some(Json(r#"{"id":3,"groups":["a"]}"#.into()))),
        };
        let expected = PipelineChange {
            ref_name: Some("main".into()),
            sha: Some(Some("c0ffee".into())),
            tag: Some(true),
            status: Some(PipelineStatus::Manual),
            source: Some("web".into()),
            parent_pipeline_id: Some(Some(PipelineId(9))),
            details,
        };
        assert_eq!(pipeline(body), Ok(expected));

        let body = br#"{"pipeline_id":10,"name":"build 1/2","stage":"test","status":"canceled",
            "retried":true,"allow_failure":true,"artifacts_access":"maintainer","locked":true,
            "coverage":100}"#;
        let expected = JobChange {
            pipeline_id: Some(PipelineId(10)),
            name: Some("build 1/2".into()),
            stage: Some("test".into()),
            status: Some(JobStatus::Canceled),
            retried: Some(true),
            allow_failure: Some(true),
            artifacts_access: Some(ArtifactsAccess::Maintainer),
            locked: Some(true),
            runner: None,
            details: DetailsChange { coverage: Some(Some(100.0)), ..DetailsChange::default() },
        };
        assert_eq!(job(body), Ok(expected));
    }

    #[test]
    fn null_empties_what_may_be_empty() {
        let nulls = r#""created_at":null,"started_at":null,"finished_at":null,"coverage":null,
            "failure_reason":null,"commit":null,"user":null"#;
        let details = DetailsChange {
            created_at: Some(None),
            started_at: Some(None),
            finished_at: Some(None),
            coverage: Some(None),
            failure_reason: Some(None),
            commit: Some(None),
            user: Some(None),
        };
        let body = format!(r#"{{"sha":null,"parent_pipeline_id":null,{nulls}}}"#);
        let expected = PipelineChange {
            sha: Some(None),
            parent_pipeline_id: Some(None),
            details: details.clone(),
            ..PipelineChange::default()
        };
        assert_eq!(pipeline(body.as_bytes()), Ok(expected));
        let expected = JobChange { details, ..JobChange::default() };
        assert_eq!(job(format!("{{{nulls}}}").as_bytes()), Ok(expected));

        let never = ["ref", "tag", "status", "source"];
        for name in never {
            assert_eq!(pipeline(format!(r#"{{"{name}":null}}"#).as_bytes()), Err(invalid(name)));
        }
        let never = [
            "pipeline_id",
            "name",
            "stage",
            "status",
            "retried",
            "allow_failure",
            "artifacts_access",
            "locked",
        ];
        for name in never {
            assert_eq!(job(format!(r#"{{"{name}":null}}"#).as_bytes()), Err(invalid(name)));
        }
        for name in ["visibility", "public_pipelines", "job_token_allowlist"] {
            assert_eq!(project(format!(r#"{{"{name}":null}}"#).as_bytes()), Err(invalid(name)));
        }
    }

    #[test]
    fn what_is_not_of_the_contract_is_refused() {
        let text = |len: usize| format!("\"{}\"", "x".repeat(len));
        let nested =
            |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        let table: Vec<(&str, &'static str, String, bool)> = vec![
            ("a ref at the limit", "ref", text(4096), true),
            ("a ref past the limit", "ref", text(4097), false),
            ("an empty ref", "ref", text(0), false),
            ("a ref with a line feed", "ref", r#""a\nb""#.into(), false),
            ("a sha of another system", "sha", r#""r1234:/trunk""#.into(), true),
            ("a sha with a space", "sha", r#""a b""#.into(), false),
            ("a sha that is not ASCII", "sha", "\"\u{e9}\"".into(), false),
            ("a sha past the limit", "sha", text(256), false),
            ("a state of the enum alone", "status", r#""pending""#.into(), false),
            ("a state of the enum alone", "status", r#""created""#.into(), false),
            ("another case", "status", r#""Success""#.into(), false),
            ("a tag as text", "tag", r#""true""#.into(), false),
            ("a tag as number", "tag", "1".into(), false),
            ("a source past the limit", "source", text(256), false),
            ("a parent that is none", "parent_pipeline_id", "0".into(), false),
            ("seconds since 1970", "created_at", "1700000000".into(), false),
            ("a time without offset", "started_at", r#""2026-01-01T00:00:00""#.into(), false),
            ("all covered", "coverage", "100".into(), true),
            ("nothing covered", "coverage", "0".into(), true),
            ("more than all", "coverage", "100.1".into(), false),
            ("less than nothing", "coverage", "-0.1".into(), false),
            ("coverage as text", "coverage", r#""50""#.into(), false),
            ("a reason at the limit", "failure_reason", text(255), true),
            ("a reason past the limit", "failure_reason", text(256), false),
            ("a commit as text", "commit", text(40), false),
            ("a user as number", "user", "3".into(), false),
            ("a user at the limit", "user", format!(r#"{{"a":{}}}"#, text(16_376)), true),
            ("a user past the limit", "user", format!(r#"{{"a":{}}}"#, text(16_377)), false),
            ("a user as deep as may be", "user", nested(8), true),
            ("a user too deep", "user", nested(9), false),
        ];
        for (name, field, value, good) in table {
            let outcome = pipeline(format!(r#"{{"{field}":{value}}}"#).as_bytes()).map(drop);
            assert_eq!(outcome, if good { Ok(()) } else { Err(invalid(field)) }, "{name}");
        }

        let table: [(&str, &'static str, &str); 7] = [
            ("a pipeline's state", "status", r#""skipped""#),
            ("a state of the enum alone", "status", r#""pending""#),
            ("an id as text", "pipeline_id", r#""10""#),
            ("an empty name", "name", r#""""#),
            ("a name that clears the screen", "name", r#""\u001b[2J""#),
            ("an access that is none", "artifacts_access", r#""nobody""#),
            ("an empty stage", "stage", r#""""#),
        ];
        for (name, field, value) in table {
            let outcome = job(format!(r#"{{"{field}":{value}}}"#).as_bytes());
            assert_eq!(outcome, Err(invalid(field)), "{name}");
        }

        let paths = |count: usize| format!("[{}]", vec![r#""a/b""#; count].join(","));
        for (value, good) in [
            (paths(1000), true),
            (paths(1001), false),
            (r#"["group"]"#.into(), false),
            (r#"["a/../b"]"#.into(), false),
            (r#""a/b""#.into(), false),
        ] {
            let body = format!(r#"{{"job_token_allowlist":{value}}}"#);
            assert_eq!(project(body.as_bytes()).is_ok(), good, "{body}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused_and_the_known_ones_are_named() {
        let unknown = |outcome: Result<(), BadAnnouncement>| match outcome {
            Err(BadAnnouncement::Unknown { known }) => known.join(" "),
            other => panic!("{other:?}"),
        };
        let details = "created_at started_at finished_at coverage failure_reason commit user";
        assert_eq!(
            unknown(pipeline(br#"{"ref":"main","stats":"success"}"#).map(drop)),
            format!("ref sha tag status source parent_pipeline_id {details}")
        );
        assert_eq!(
            unknown(job(br#"{"runner":{}}"#).map(drop)),
            format!(
                "pipeline_id name stage status retried allow_failure artifacts_access locked \
                 {details}"
            )
        );
        assert_eq!(
            unknown(project(br#"{"Visibility":"public"}"#).map(drop)),
            "visibility public_pipelines job_token_allowlist"
        );
    }
}

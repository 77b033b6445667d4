use super::*;

/// A pipeline event with every field that GitLab documents, in its form.
const PIPELINE: &str = r#"{
  "object_kind": "pipeline",
  "object_attributes": {
    "id": 5120, "iid": 12, "name": "Nightly", "ref": "release/2.x", "tag": false,
    "sha": "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1",
    "before_sha": "0000000000000000000000000000000000000000",
    "source": "schedule", "status": "failed", "detailed_status": "failed",
    "stages": ["compile", "check"],
    "created_at": "2026-03-01 07:00:00 UTC", "finished_at": "2026-03-01 07:05:30 UTC",
    "duration": 300, "queued_duration": 4, "protected_ref": true,
    "variables": [{"key": "CHANNEL", "value": "edge"}],
    "url": "https://git.example.net/tools/deep/anvil/-/pipelines/5120"
  },
  "merge_request": null,
  "user": {
    "id": 77, "name": "Mara Lind", "username": "mara",
    "avatar_url": "https://git.example.net/a/77.png", "email": "mara@example.net"
  },
  "project": {
    "id": 340, "name": "Anvil", "description": null,
    "web_url": "https://git.example.net/tools/deep/anvil", "avatar_url": null,
    "git_ssh_url": "git@git.example.net:tools/deep/anvil.git",
    "git_http_url": "https://git.example.net/tools/deep/anvil.git",
    "namespace": "Deep", "visibility_level": 10,
    "path_with_namespace": "tools/deep/anvil", "default_branch": "main", "ci_config_path": ""
  },
  "commit": {
    "id": "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1",
    "message": "Harden the face\n\nTwice.\n", "title": "Harden the face",
    "timestamp": "2026-03-01T08:59:21+02:00",
    "url": "https://git.example.net/tools/deep/anvil/-/commit/9d1f3c1b",
    "author": {"name": "Mara Lind", "email": "mara@example.net"}
  },
  "builds": [
    {
      "id": 91002, "stage": "check", "name": "lint 1/2", "status": "failed",
      "created_at": "2026-03-01 07:00:00 UTC", "started_at": "2026-03-01 07:01:00 UTC",
      "finished_at": "2026-03-01 07:05:00 UTC", "duration": 240.0, "queued_duration": 1.5,
      "failure_reason": "script_failure", "when": "on_success", "manual": false,
      "allow_failure": true,
      "user": {"id": 77, "name": "Mara Lind", "username": "mara", "email": "[REDACTED]"},
      "runner": {
        "id": 6, "description": "forge", "runner_type": "group_type", "active": true,
        "is_shared": false, "tags": ["arm"]
      },
      "artifacts_file": {"filename": "artifacts.zip", "size": 4096},
      "environment": {"name": "qa", "action": "start", "deployment_tier": "testing"}
    },
    {
      "id": 91003, "stage": "check", "name": "publish", "status": "scheduled",
      "created_at": "2026-03-01 07:00:00 UTC", "started_at": null, "finished_at": null,
      "duration": null, "queued_duration": null, "failure_reason": null, "when": "delayed",
      "manual": false, "allow_failure": false, "user": null, "runner": null,
      "artifacts_file": {"filename": null, "size": null}, "environment": null
    }
  ],
  "source_pipeline": {
    "project": {
      "id": 340, "web_url": "https://git.example.net/tools/deep/anvil",
      "path_with_namespace": "tools/deep/anvil"
    },
    "pipeline_id": 5119, "job_id": 91000
  }
}"#;

/// A job event with every field that GitLab documents, in its form.
const JOB: &str = r#"{
  "object_kind": "build", "ref": "v2.1.0", "tag": true,
  "before_sha": "0000000000000000000000000000000000000000",
  "sha": "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1", "retries_count": 1,
  "build_id": 91010, "build_name": "package", "build_stage": "ship", "build_status": "running",
  "build_created_at": "2026-03-02T10:00:00.125Z", "build_started_at": "2026-03-02 11:00:01 +0100",
  "build_finished_at": null,
  "build_created_at_iso": "2026-03-02T10:00:00Z", "build_started_at_iso": "2026-03-02T10:00:01Z",
  "build_finished_at_iso": null,
  "build_duration": 2.5, "build_queued_duration": 0.75, "build_allow_failure": false,
  "build_failure_reason": "unknown_failure", "pipeline_id": 5121,
  "runner": {"id": 6, "description": "forge", "runner_type": "instance_type", "active": true,
             "is_shared": true, "tags": []},
  "project_id": 340, "project_name": "Tools / Deep / Anvil",
  "user": {"id": 78, "name": "Ove", "username": "ove", "avatar_url": null, "email": ""},
  "commit": {
    "id": 5121, "name": null, "sha": "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1",
    "message": "Harden the face\n\nTwice.\n", "author_name": "Mara Lind",
    "author_email": "mara@example.net", "author_url": "https://git.example.net/mara",
    "status": "running", "duration": null, "started_at": "2026-03-02 10:00:01 UTC",
    "finished_at": null, "started_at_iso": "2026-03-02T10:00:01Z", "finished_at_iso": null
  },
  "repository": {
    "name": "Anvil", "url": "git@git.example.net:tools/deep/anvil.git", "description": null,
    "homepage": "https://git.example.net/tools/deep/anvil",
    "git_http_url": "https://git.example.net/tools/deep/anvil.git",
    "git_ssh_url": "git@git.example.net:tools/deep/anvil.git", "visibility_level": 0
  },
  "project": {
    "id": 340, "name": "Anvil", "web_url": "https://git.example.net/tools/deep/anvil",
    "visibility_level": 0, "path_with_namespace": "tools/deep/anvil"
  },
  "environment": null
}"#;

const SHA: &str = "9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1";

fn json(text: &str) -> Option<Option<Json>> {
    Some(Some(Json(text.into())))
}

fn at(time: &str) -> Option<Option<UtcMillis>> {
    Some(Some(timestamp::parse(time).unwrap()))
}

fn pipeline_of(body: &str) -> PipelineHook {
    match Hook::parse(body.as_bytes()) {
        Ok(Hook::Pipeline(hook)) => hook,
        other => panic!("{other:?}"),
    }
}

fn job_of(body: &str) -> JobHook {
    match Hook::parse(body.as_bytes()) {
        Ok(Hook::Job(hook)) => hook,
        other => panic!("{other:?}"),
    }
}

/// A payload with something else in one place.
fn with(payload: &str, this: &str, that: &str) -> String {
    assert!(payload.contains(this), "{this}");
    payload.replacen(this, that, 1)
}

#[test]
fn a_pipeline_event_tells_of_a_pipeline_and_its_jobs() {
    let lint = JobChange {
        pipeline_id: Some(PipelineId(5120)),
        name: Some("lint 1/2".into()),
        stage: Some("check".into()),
        status: Some(JobStatus::Failed),
        allow_failure: Some(true),
        runner: json(concat!(
            r#"{"id":6,"description":"forge","runner_type":"group_type","active":true,"#,
            r#""is_shared":false,"tags":["arm"]}"#
        )),
        details: DetailsChange {
            created_at: at("2026-03-01T07:00:00Z"),
            started_at: at("2026-03-01T07:01:00Z"),
            finished_at: at("2026-03-01T07:05:00Z"),
            failure_reason: Some(Some("script_failure".into())),
            user: json(r#"{"id":77,"name":"Mara Lind","username":"mara"}"#),
            ..DetailsChange::default()
        },
        ..JobChange::default()
    };
    let publish = JobChange {
        pipeline_id: Some(PipelineId(5120)),
        name: Some("publish".into()),
        stage: Some("check".into()),
        status: Some(JobStatus::Created),
        allow_failure: Some(false),
        details: DetailsChange {
            created_at: at("2026-03-01T07:00:00Z"),
            ..DetailsChange::default()
        },
        ..JobChange::default()
    };
    let expected = PipelineHook {
        project: HookProject {
            id: Some(ProjectId(340)),
            path: "tools/deep/anvil".parse().unwrap(),
            visibility: Some(Visibility::Internal),
        },
        id: PipelineId(5120),
        change: PipelineChange {
            ref_name: Some("release/2.x".into()),
            sha: Some(Some(SHA.into())),
            tag: Some(false),
            status: Some(PipelineStatus::Failed),
            source: Some("schedule".into()),
            parent_pipeline_id: Some(Some(PipelineId(5119))),
            details: DetailsChange {
                created_at: at("2026-03-01T07:00:00Z"),
                finished_at: at("2026-03-01T07:05:30Z"),
                commit: json(concat!(
                    r#"{"id":"9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1","short_id":"9d1f3c1b","#,
                    r#""title":"Harden the face","message":"Harden the face\n\nTwice.\n","#,
                    r#""author_name":"Mara Lind","author_email":"mara@example.net","#,
                    r#""created_at":"2026-03-01T06:59:21.000Z"}"#
                )),
                user: json(concat!(
                    r#"{"id":77,"name":"Mara Lind","username":"mara","#,
                    r#""avatar_url":"https://git.example.net/a/77.png"}"#
                )),
                ..DetailsChange::default()
            },
        },
        jobs: vec![(JobId(91002), lint), (JobId(91003), publish)],
    };
    assert_eq!(pipeline_of(PIPELINE), expected);
}

#[test]
fn a_job_event_tells_of_a_job_and_of_its_pipeline() {
    let expected = JobHook {
        project: HookProject {
            id: Some(ProjectId(340)),
            path: "tools/deep/anvil".parse().unwrap(),
            visibility: Some(Visibility::Private),
        },
        pipeline_id: PipelineId(5121),
        pipeline: PipelineChange {
            ref_name: Some("v2.1.0".into()),
            sha: Some(Some(SHA.into())),
            tag: Some(true),
            status: Some(PipelineStatus::Running),
            ..PipelineChange::default()
        },
        id: JobId(91010),
        change: JobChange {
            pipeline_id: Some(PipelineId(5121)),
            name: Some("package".into()),
            stage: Some("ship".into()),
            status: Some(JobStatus::Running),
            allow_failure: Some(false),
            runner: json(concat!(
                r#"{"id":6,"description":"forge","runner_type":"instance_type","active":true,"#,
                r#""is_shared":true,"tags":[]}"#
            )),
            details: DetailsChange {
                created_at: at("2026-03-02T10:00:00.125Z"),
                started_at: at("2026-03-02T10:00:01Z"),
                commit: json(concat!(
                    r#"{"id":"9d1f3c1b7a6e4f0d8c2b5a4938271605f4e3d2c1","short_id":"9d1f3c1b","#,
                    r#""title":"Harden the face","message":"Harden the face\n\nTwice.\n","#,
                    r#""author_name":"Mara Lind","author_email":"mara@example.net","#,
                    r#""created_at":null}"#
                )),
                user: json(r#"{"id":78,"name":"Ove","username":"ove","avatar_url":null}"#),
                ..DetailsChange::default()
            },
            ..JobChange::default()
        },
    };
    assert_eq!(job_of(JOB), expected);
}

#[test]
fn a_pipeline_whose_state_is_not_told_runs() {
    for state in ["null", r#""of tomorrow""#] {
        let this = r#""status": "running", "duration": null"#;
        let body = with(JOB, this, &format!(r#""status": {state}, "duration": null"#));
        assert_eq!(job_of(&body).pipeline.status, Some(PipelineStatus::Running), "{state}");
    }
    let body = with(JOB, r#""status": "running", "dur"#, r#""status": "success", "dur"#);
    assert_eq!(job_of(&body).pipeline.status, Some(PipelineStatus::Success));
}

#[test]
fn events_about_anything_else_are_taken_and_not_used() {
    let table = [
        ("a push", r#"{"object_kind":"push","ref":7,"project":null}"#),
        ("a kind of tomorrow", r#"{"object_kind":"teleport"}"#),
        ("a member", r#"{"event_name":"user_add_to_group","group_id":100}"#),
    ];
    for (name, body) in table {
        assert_eq!(Hook::parse(body.as_bytes()), Ok(Hook::Other), "{name}");
    }
    let table = [
        ("no kind", "{}", BadAnnouncement::Missing { name: "event_name" }),
        (
            "a kind that is no text",
            r#"{"object_kind":1}"#,
            BadAnnouncement::Invalid { name: "object_kind" },
        ),
        ("no object", "[]", BadAnnouncement::Body),
    ];
    for (name, body, expected) in table {
        assert_eq!(Hook::parse(body.as_bytes()), Err(expected), "{name}");
    }
}

#[test]
fn every_state_of_gitlab_has_one_of_ours() {
    let table = [
        ("created", Some("created")),
        ("waiting_for_resource", Some("pending")),
        ("preparing", Some("pending")),
        ("waiting_for_callback", Some("pending")),
        ("pending", Some("pending")),
        ("running", Some("running")),
        ("success", Some("success")),
        ("failed", Some("failed")),
        ("canceling", Some("running")),
        ("canceled", Some("canceled")),
        ("skipped", Some("skipped")),
        ("manual", Some("manual")),
        ("scheduled", Some("created")),
        ("succeeded", None),
        ("", None),
    ];
    for (gitlab, ours) in table {
        let body =
            with(JOB, r#""build_status": "running""#, &format!(r#""build_status": "{gitlab}""#));
        let outcome = Hook::parse(body.as_bytes());
        match (ours, outcome) {
            (Some(ours), Ok(Hook::Job(hook))) => {
                assert_eq!(hook.change.status.unwrap().as_str(), ours, "{gitlab}");
            }
            (None, Err(bad)) => {
                assert_eq!(bad, BadAnnouncement::Invalid { name: "build_status" }, "{gitlab}");
            }
            (_, other) => panic!("{gitlab}: {other:?}"),
        }
        let text = format!(r#""status": "{gitlab}", "detailed"#);
        let body = with(PIPELINE, r#""status": "failed", "detailed"#, &text);
        let status = Hook::parse(body.as_bytes()).ok().and_then(|hook| match hook {
            Hook::Pipeline(hook) => hook.change.status,
            _ => None,
        });
        assert_eq!(status.map(PipelineStatus::as_str), ours, "{gitlab}");
    }
}

#[test]
fn only_a_pipeline_of_the_same_project_is_a_parent() {
    let upstream = |id: &str, path: &str| {
        let source = format!(r#""source_pipeline": {{ "project": {{ {id} "web_url": "", {path}"#);
        let end = PIPELINE.rfind(r#""pipeline_id": 5119"#).unwrap();
        let start = PIPELINE.rfind(r#""source_pipeline""#).unwrap();
        let body = format!("{}{source} }}, {}", &PIPELINE[..start], &PIPELINE[end..]);
        pipeline_of(&body).change.parent_pipeline_id
    };
    let same = r#""path_with_namespace": "tools/deep/anvil""#;
    let other = r#""path_with_namespace": "tools/deep/hammer""#;
    let parent = Some(Some(PipelineId(5119)));
    assert_eq!(upstream(r#""id": 340,"#, same), parent);
    assert_eq!(upstream("", same), parent);
    assert_eq!(upstream(r#""id": 341,"#, other), None);
    assert_eq!(upstream("", other), None);
    // A project that was renamed between two events is the same one.
    assert_eq!(upstream(r#""id": 340,"#, other), parent);
}

#[test]
fn pipelines_of_merge_requests_are_not_their_branchs() {
    let body = with(PIPELINE, r#""schedule""#, r#""merge_request_event""#);
    let body = with(
        &body,
        r#""merge_request": null"#,
        r#""merge_request": {"id": 900, "iid": 14, "source_branch": "release/2.x"}"#,
    );
    let ref_name = pipeline_of(&body).change.ref_name;
    assert_eq!(ref_name.as_deref(), Some("refs/merge-requests/14/head"));
    for kind in ["head", "merge", "train"] {
        let body = with(JOB, "v2.1.0", &format!("refs/merge-requests/14/{kind}"));
        assert_eq!(job_of(&body).pipeline.ref_name, ref_name, "{kind}");
    }
    // What is no number is some other ref, and is kept as it came, whatever its length.
    let longest = format!("refs/merge-requests/{}", "9".repeat(4_096 - 20));
    for other in ["refs/merge-requests/", "refs/merge-requests/a/head", &longest] {
        let ref_name = job_of(&with(JOB, "v2.1.0", other)).pipeline.ref_name;
        assert_eq!(ref_name.as_deref(), Some(other));
    }
    // A branch with an open merge request has pipelines of its own.
    let body = with(PIPELINE, r#""merge_request": null"#, r#""merge_request": {"iid": 14}"#);
    assert_eq!(pipeline_of(&body).change.ref_name.as_deref(), Some("release/2.x"));
}

#[test]
fn the_path_of_a_project_follows_from_its_addresses_where_it_is_not_told() {
    let event = |page: &str, ssh: &str| {
        let repository = format!(r#"{{"homepage": {page}, "git_ssh_url": {ssh}}}"#);
        let body = format!(
            r#"{{"object_kind": "build", "ref": "main", "build_id": 1, "build_name": "b",
                "build_status": "success", "pipeline_id": 2, "project_id": 3,
                "project_name": "Tools / Anvil", "repository": {repository}}}"#
        );
        match Hook::parse(body.as_bytes()) {
            Ok(Hook::Job(hook)) => Ok(hook.project.path.as_str().to_owned()),
            other => Err(other.unwrap_err()),
        }
    };
    let missing = Err(BadAnnouncement::Missing { name: "project" });
    let table = [
        ("a page", r#""https://h/tools/anvil""#, "null", Ok("tools/anvil")),
        ("a port", r#""http://h:8080/tools/deep/anvil""#, "null", Ok("tools/deep/anvil")),
        ("a slash at its end", r#""https://h/tools/anvil/""#, "null", Ok("tools/anvil")),
        (
            "a folder before it",
            r#""https://h/gitlab/tools/anvil""#,
            r#""git@h:tools/anvil.git""#,
            Ok("tools/anvil"),
        ),
        (
            "a folder before it, SSH on a port",
            r#""https://h/gitlab/tools/anvil""#,
            r#""ssh://git@h:2222/tools/anvil.git""#,
            Ok("tools/anvil"),
        ),
        (
            "SSH that goes elsewhere",
            r#""https://h/tools/anvil""#,
            r#""git@h:mirror/vil.git""#,
            Ok("tools/anvil"),
        ),
        (
            "half a segment",
            r#""https://h/tools/anvil""#,
            r#""git@h:ols/anvil.git""#,
            Ok("tools/anvil"),
        ),
        ("no group", r#""https://h/anvil""#, "null", missing.clone()),
        ("dots", r#""https://h/tools/../anvil""#, "null", missing.clone()),
        ("no scheme", r#""h/tools/anvil""#, "null", missing.clone()),
        ("nothing", "null", r#""git@h:tools/anvil.git""#, missing),
    ];
    for (name, page, ssh, expected) in table {
        assert_eq!(event(page, ssh), expected.map(str::to_owned), "{name}");
    }
}

#[test]
fn what_an_event_cannot_do_without_is_named() {
    let missing = |name| BadAnnouncement::Missing { name };
    let invalid = |name| BadAnnouncement::Invalid { name };
    let table = [
        (PIPELINE, r#""id": 5120"#, r#""no": 1"#, missing("object_attributes.id")),
        (PIPELINE, r#""id": 5120"#, r#""id": "5120""#, invalid("object_attributes.id")),
        (PIPELINE, r#""ref": "release/2.x""#, r#""ref": null"#, missing("object_attributes.ref")),
        (PIPELINE, r#""id": 91003"#, r#""id": -1"#, invalid("builds.id")),
        (PIPELINE, r#""name": "publish""#, r#""name": """#, invalid("builds.name")),
        (
            PIPELINE,
            r#""visibility_level": 10"#,
            r#""visibility_level": 15"#,
            invalid("project.visibility_level"),
        ),
        (PIPELINE, "07:05:30 UTC", "07:05:30 CET", invalid("object_attributes.finished_at")),
        (JOB, r#""build_id": 91010"#, r#""no": 1"#, missing("build_id")),
        (JOB, r#""pipeline_id": 5121"#, r#""pipeline_id": null"#, missing("pipeline_id")),
        (JOB, r#""build_name": "package""#, r#""no": 1"#, missing("build_name")),
        (
            JOB,
            "tools/deep/anvil\"\n  },\n  \"environment\"",
            "anvil\"\n  },\n  \"environment\"",
            invalid("project.path_with_namespace"),
        ),
    ];
    for (payload, this, that, expected) in table {
        let body = with(payload, this, that);
        assert_eq!(Hook::parse(body.as_bytes()), Err(expected), "{this}");
    }
}

#[test]
fn what_is_too_large_to_be_kept_is_left_out_and_the_event_is_used() {
    let long = "x".repeat(17_000);
    let hook = pipeline_of(&with(PIPELINE, r"Harden the face\n\nTwice.\n", &long));
    assert_eq!(hook.change.details.commit, None);
    assert_eq!(hook.change.status, Some(PipelineStatus::Failed));
    let hook = job_of(&with(JOB, r#""username": "ove""#, &format!(r#""username": "{long}""#)));
    assert_eq!(hook.change.details.user, None);
    let deep = format!(r#""tags": {}1{}"#, "[".repeat(9), "]".repeat(9));
    let hook = job_of(&with(JOB, r#""tags": []"#, &deep));
    assert_eq!(hook.change.runner, None);
}

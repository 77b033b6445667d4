//! The forms of bodies, sent and answered.

use serde_json::{Value, json};

use super::components::{object, schema};
use crate::catalog::MAX_ID;

pub(super) fn id() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": MAX_ID })
}

fn name() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 255 })
}

fn nullable_id() -> Value {
    json!({ "type": ["integer", "null"], "minimum": 1, "maximum": MAX_ID })
}

fn nullable_text() -> Value {
    json!({ "type": ["string", "null"] })
}

fn nullable_time() -> Value {
    json!({ "type": ["string", "null"], "format": "date-time" })
}

fn nullable_object() -> Value {
    json!({ "type": ["object", "null"] })
}

pub(super) fn project_path() -> Value {
    json!({
        "type": "string",
        "maxLength": 255,
        "pattern": "^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$",
        "examples": ["group/app"],
    })
}

fn visibility() -> Value {
    json!({ "enum": ["public", "internal", "private"] })
}

/// An object in which every one of the members stands, and no other unless `is_open`.
fn record(members: Vec<(&str, Value)>, is_open: bool) -> Value {
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let mut record = json!({ "type": "object", "required": names });
    record["properties"] = object(members);
    if !is_open {
        record["additionalProperties"] = json!(false);
    }
    record
}

/// An object in which any of the members may stand, and no other.
fn choice(members: Vec<(&str, Value)>) -> Value {
    let properties = object(members);
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

pub(super) fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    object([
        ("Message", record(vec![("message", text())], false)),
        ("Reasoned", record(vec![("message", text()), ("reason", text())], false)),
        ("Refused", refused()),
        ("Error", record(vec![("error", text())], false)),
        (
            "InsufficientScope",
            record(
                vec![
                    ("error", json!({ "const": "insufficient_scope" })),
                    ("error_description", text()),
                    ("scope", text()),
                ],
                false,
            ),
        ),
        ("TreeItem", tree_item()),
        ("Job", job()),
        ("User", user()),
        ("Upload", upload()),
        ("Project", project()),
        ("Pipeline", pipeline()),
        ("IngestedJob", ingested_job()),
        ("Commit", commit()),
        ("Hook", hook()),
        ("ProjectAnswer", project_answer()),
        ("PipelineAnswer", record(vec![("id", id()), ("ref", json!({ "type": "string" }))], true)),
        ("JobAnswer", job_answer()),
    ])
}

/// An archive or an entry that breaks a reading rule.
fn refused() -> Value {
    let told = |description: &str| json!({ "type": "string", "description": description });
    record(
        vec![
            ("message", told("What is wrong, and where.")),
            ("reason", told("The rule, as a stable word.")),
            ("advice", told("What to do about it.")),
        ],
        false,
    )
}

fn tree_item() -> Value {
    record(
        vec![
            ("name", json!({ "type": "string" })),
            ("path", json!({ "type": "string" })),
            ("type", json!({ "enum": ["directory", "file"] })),
            ("size", json!({ "type": ["integer", "null"], "minimum": 0 })),
            ("mode", json!({ "type": ["string", "null"], "pattern": "^[0-7]{6}$" })),
        ],
        true,
    )
}

/// The Job entity.
fn job() -> Value {
    let text = || json!({ "type": "string" });
    let boolean = || json!({ "type": "boolean" });
    let length = || json!({ "type": "integer", "minimum": 0 });
    let number = || json!({ "type": ["number", "null"] });
    let pipeline = record(
        vec![("id", id()), ("ref", text()), ("sha", nullable_text()), ("status", text())],
        true,
    );
    let artifact = record(
        vec![
            ("file_type", text()),
            ("size", length()),
            ("filename", text()),
            ("file_format", nullable_text()),
        ],
        true,
    );
    let mut artifacts_file = record(vec![("filename", text()), ("size", length())], true);
    artifacts_file["type"] = json!(["object", "null"]);
    record(
        vec![
            ("id", id()),
            ("name", text()),
            ("stage", text()),
            ("status", text()),
            ("ref", text()),
            ("tag", boolean()),
            ("coverage", number()),
            ("allow_failure", boolean()),
            ("created_at", nullable_time()),
            ("started_at", nullable_time()),
            ("finished_at", nullable_time()),
            ("duration", number()),
            ("user", nullable_object()),
            ("commit", nullable_object()),
            ("pipeline", pipeline),
            ("failure_reason", nullable_text()),
            ("web_url", nullable_text()),
            ("artifacts_file", artifacts_file),
            ("artifacts", json!({ "type": "array", "items": artifact })),
            ("runner", nullable_object()),
            ("artifacts_expire_at", nullable_time()),
            ("download_url", nullable_text()),
        ],
        true,
    )
}

fn user() -> Value {
    record(
        vec![
            ("id", json!({ "type": "integer" })),
            ("username", json!({ "type": "string" })),
            ("name", json!({ "type": "string" })),
            ("state", json!({ "type": "string" })),
        ],
        true,
    )
}

fn upload() -> Value {
    let text = || json!({ "type": "string" });
    let file = json!({ "type": "string", "format": "binary" });
    json!({
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": file,
            "expire_in": text(),
            "artifact_type": text(),
            "artifact_format": { "enum": ["zip", "gzip", "raw"] },
        },
        "description": "The fields beside the file may stand in the query instead.",
    })
}

fn project() -> Value {
    choice(vec![
        ("visibility", visibility()),
        ("public_pipelines", json!({ "type": "boolean" })),
        (
            "job_token_allowlist",
            json!({ "type": "array", "maxItems": 1_000, "items": project_path() }),
        ),
    ])
}

/// What pipelines and jobs have in common.
fn details() -> Vec<(&'static str, Value)> {
    vec![
        ("created_at", nullable_time()),
        ("started_at", nullable_time()),
        ("finished_at", nullable_time()),
        ("coverage", json!({ "type": ["number", "null"], "minimum": 0, "maximum": 100 })),
        ("failure_reason", json!({ "type": ["string", "null"], "minLength": 1, "maxLength": 255 })),
        ("commit", json!({ "anyOf": [schema("Commit"), { "type": "null" }] })),
        ("user", nullable_object()),
    ]
}

fn pipeline() -> Value {
    let statuses = ["running", "success", "failed", "canceled", "skipped", "manual"];
    let mut members = vec![
        ("ref", json!({ "type": "string", "minLength": 1, "maxLength": 4_096 })),
        ("sha", json!({ "type": ["string", "null"], "pattern": "^[!-~]{1,255}$" })),
        ("tag", json!({ "type": "boolean" })),
        ("status", json!({ "enum": statuses })),
        ("source", name()),
        ("parent_pipeline_id", nullable_id()),
    ];
    members.extend(details());
    let mut pipeline = choice(members);
    pipeline["description"] = json!("A new pipeline needs ref and status.");
    pipeline
}

fn ingested_job() -> Value {
    let boolean = || json!({ "type": "boolean" });
    let mut members = vec![
        ("pipeline_id", id()),
        ("name", name()),
        ("stage", name()),
        ("status", json!({ "enum": ["running", "success", "failed", "canceled"] })),
        ("retried", boolean()),
        ("allow_failure", boolean()),
        ("artifacts_access", json!({ "enum": ["all", "developer", "maintainer", "none"] })),
        ("locked", boolean()),
    ];
    members.extend(details());
    let mut job = choice(members);
    job["description"] = json!("A new job needs pipeline_id, name and status.");
    job
}

fn commit() -> Value {
    choice(vec![
        ("id", nullable_text()),
        ("short_id", nullable_text()),
        ("title", nullable_text()),
        ("message", nullable_text()),
        ("author_name", nullable_text()),
        ("author_email", nullable_text()),
        ("created_at", nullable_time()),
    ])
}

fn hook() -> Value {
    json!({
        "type": "object",
        "anyOf": [{ "required": ["object_kind"] }, { "required": ["event_name"] }],
        "properties": {
            "object_kind": { "type": "string", "examples": ["pipeline", "build"] },
            "event_name": { "type": "string" },
        },
        "description": "As GitLab documents it for pipeline and job events.",
    })
}

fn project_answer() -> Value {
    record(vec![("id", id()), ("path", project_path()), ("visibility", visibility())], true)
}

fn job_answer() -> Value {
    let mut token = nullable_text();
    token["description"] = json!("The token of the job while it runs, else null.");
    record(vec![("id", id()), ("token", token)], true)
}

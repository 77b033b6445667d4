//! What the operations refer to by name: parameters, answers, fields, credentials.

use serde_json::{Map, Value, json};

use super::schemas::{id, project_path, schemas};
use crate::route::{DEFAULT_PER_PAGE, MAX_ENTRY_PATH_LEN, MAX_PER_PAGE, MAX_SELECTED};

pub(super) fn components() -> Value {
    json!({
        "schemas": schemas(),
        "parameters": parameters(),
        "responses": responses(),
        "headers": headers(),
        "securitySchemes": security_schemes(),
    })
}

pub(super) fn object(members: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

pub(super) fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn in_path(name: &str, schema: &Value, description: &str) -> (String, Value) {
    let parameter = json!({
        "name": name, "in": "path", "required": true, "schema": schema, "description": description,
    });
    (name.to_owned(), parameter)
}

fn in_query(name: &str, schema: &Value, description: &str) -> (String, Value) {
    let parameter = json!({
        "name": name, "in": "query", "schema": schema, "description": description,
    });
    (name.to_owned(), parameter)
}

fn in_field(name: &str, description: &str) -> (String, Value) {
    let parameter = json!({
        "name": name, "in": "header", "schema": { "type": "string" }, "description": description,
    });
    (name.to_owned(), parameter)
}

fn parameters() -> Value {
    let number = json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX });
    let project = json!({ "anyOf": [id(), project_path()] });
    let text = json!({ "type": "string" });
    let boolean = json!({ "type": "boolean", "default": false });
    let path = json!({ "type": "string", "minLength": 1, "maxLength": MAX_ENTRY_PATH_LEN });
    let mut file = path.clone();
    file["not"] = json!({ "const": "tree" });
    let mut folder = path.clone();
    folder["minLength"] = json!(0);
    let page = json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX, "default": 1 });
    let per_page = json!({
        "type": "integer", "minimum": 1, "maximum": MAX_PER_PAGE, "default": DEFAULT_PER_PAGE,
    });
    let selection = json!({ "type": "array", "maxItems": MAX_SELECTED, "items": path });
    let (_, mut selection) =
        in_query("path[]", &selection, "Only these files, folders or globs, as a fresh archive.");
    // path[]=a&path[]=b
    selection["style"] = json!("form");
    selection["explode"] = json!(true);
    let (_, mut job) = in_query("job", &json!({ "type": "string", "minLength": 1 }), "Its name.");
    job["required"] = json!(true);
    object([
        in_path("id", &project, "The project: its number, or its path with `%2F` for slashes."),
        in_path("project_path", &project_path(), "The project's path with `%2F` for slashes."),
        in_path("job_id", &number, "The job."),
        in_path("pipeline_id", &number, "The pipeline."),
        in_path(
            "ref_name",
            &json!({ "type": "string", "minLength": 1 }),
            "The branch or tag; its slashes may be raw.",
        ),
        in_path(
            "artifact_path",
            &file,
            "The path of the file in the archive; its slashes may be raw. Not empty, not absolute, \
             without control characters and without segments `.` and `..`.",
        ),
        ("job".to_owned(), job),
        in_query(
            "search_recent_successful_pipelines",
            &boolean,
            "If the newest successful pipeline has no such job, one of the last 100 will do.",
        ),
        ("selection".to_owned(), selection),
        in_query("path", &folder, "The folder; empty or left out is the root."),
        in_query("recursive", &boolean, "With what lies in folders of the folder."),
        in_query("page", &page, "The page."),
        in_query("per_page", &per_page, "Items on a page; more than the most count as the most."),
        in_query("direct_download", &boolean, "A redirect would be followed."),
        in_query("expire_in", &text, "For how long it is kept: `1 week 2 days`, `never`."),
        in_query("artifact_type", &text, "`archive`, or the type of a report."),
        in_query(
            "artifact_format",
            &json!({ "enum": ["zip", "gzip", "raw"] }),
            "How the file is packed.",
        ),
        in_field("Range", "Bytes of the representation (RFC 9110 section 14.2)."),
        in_field("If-Range", "RFC 9110 section 13.1.5."),
        in_field("If-Match", "RFC 9110 section 13.1.1."),
        in_field("If-None-Match", "RFC 9110 section 13.1.2."),
        in_field("If-Modified-Since", "RFC 9110 section 13.1.3."),
        in_field("If-Unmodified-Since", "RFC 9110 section 13.1.4."),
        in_field("Accept-Encoding", "`gzip`, `zstd` and `identity` for a file."),
    ])
}

fn headers() -> Value {
    let field = |schema: Value, description: &str| json!({ "required": true, "schema": schema, "description": description });
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "integer", "minimum": 0 });
    let page = || json!({ "type": "string", "pattern": "^[0-9]*$" });
    let mut content_range = field(text(), "The part; on 206 only where it is one.");
    content_range["required"] = json!(false);
    let mut retry_after = field(number(), "Seconds.");
    retry_after["required"] = json!(false);
    let mut link = field(text(), "Pages: first, last, next, prev.");
    link["required"] = json!(false);
    object([
        ("ETag", field(text(), "The entity tag.")),
        ("Last-Modified", field(text(), "When the archive was stored.")),
        ("Accept-Ranges", field(json!({ "const": "bytes" }), "Ranges are served.")),
        ("Cache-Control", field(text(), "Who may keep it, and for how long.")),
        ("Content-Disposition", field(text(), "An attachment, with its name.")),
        ("Content-Range", content_range),
        ("Allow", field(text(), "The methods of the path.")),
        ("WWW-Authenticate", field(text(), "The scheme that would help.")),
        ("Retry-After", retry_after),
        ("X-Page", field(number(), "This page.")),
        ("X-Per-Page", field(number(), "Items on a page.")),
        ("X-Next-Page", field(page(), "The next page, or empty.")),
        ("X-Prev-Page", field(page(), "The page before, or empty.")),
        ("X-Total", field(number(), "Items.")),
        ("X-Total-Pages", field(number(), "Pages.")),
        ("Link", link),
    ])
}

fn answer(description: &str, fields: &[&str], content: Option<(&str, Value)>) -> Value {
    let mut answer = json!({ "description": description });
    if !fields.is_empty() {
        let reference = |name: &&str| {
            ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))
        };
        answer["headers"] = Value::Object(fields.iter().map(reference).collect::<Map<_, _>>());
    }
    if let Some((media_type, content)) = content {
        answer["content"] = json!({ media_type: content });
    }
    answer
}

fn json_answer(description: &str, name: &str) -> Value {
    answer(description, &[], Some(("application/json", json!({ "schema": schema(name) }))))
}

fn responses() -> Value {
    let mut responses = successes();
    responses.extend(failures());
    object(responses)
}

/// Content without a schema is any bytes.
fn successes() -> Vec<(String, Value)> {
    const VALIDATORS: &[&str] = &["ETag", "Last-Modified", "Cache-Control"];
    let whole = [VALIDATORS, &["Accept-Ranges", "Content-Disposition"]].concat();
    let part = [&whole[..], &["Content-Range"]].concat();
    let any = json!({});
    let zip = Some(("application/octet-stream", any.clone()));
    let mut archive_part = answer("A part of it, or several.", &part, zip.clone());
    archive_part["content"]["multipart/byteranges"] = any.clone();
    let file = Some(("*/*", any.clone()));
    let pages =
        ["X-Page", "X-Per-Page", "X-Next-Page", "X-Prev-Page", "X-Total", "X-Total-Pages", "Link"];
    let tree = json!({ "schema": { "type": "array", "items": schema("TreeItem") } });
    let tree = Some(("application/json", tree));
    let line = Some(("text/plain", json!({ "schema": { "type": "string" } })));
    let document = Some(("application/json", json!({ "schema": { "type": "object" } })));
    let named = [
        ("Archive", answer("The archive.", &whole, zip)),
        ("ArchivePart", archive_part),
        ("File", answer("The file, with the type of its extension.", &whole, file.clone())),
        ("FilePart", answer("A part of the file, or several.", &part, file)),
        ("NotModified", answer("It is as the client knows it.", &["ETag", "Cache-Control"], None)),
        ("Tree", answer("Folders, then files, each sorted by bytes.", &pages, tree)),
        ("Job", json_answer("The job.", "Job")),
        ("User", json_answer("The owner of the token.", "User")),
        ("Deleted", answer("They are gone.", &[], None)),
        ("Accepted", json_answer("They go soon.", "Message")),
        ("Created", json_answer("It is stored.", "Message")),
        ("Message", json_answer("It was taken in.", "Message")),
        ("ProjectAnswer", json_answer("The project.", "ProjectAnswer")),
        ("PipelineAnswer", json_answer("The pipeline.", "PipelineAnswer")),
        ("JobAnswer", json_answer("The job.", "JobAnswer")),
        ("Line", answer("Yes.", &[], line.clone())),
        ("Metrics", answer("In the text format.", &[], line)),
        ("OpenApi", answer("OpenAPI 3.1.", &[], document)),
        ("Options", answer("The methods.", &["Allow"], None)),
        ("Head", answer("The status and the fields of GET, without a body.", &[], None)),
    ];
    named.into_iter().map(|(name, answer)| (name.to_owned(), answer)).collect()
}

/// One answer for a status, `Failure400` and so on, with the schemas that its body may have.
fn failures() -> impl Iterator<Item = (String, Value)> {
    const ROWS: &[(u16, &str, &[&str], &[&str])] = &[
        (400, "The request cannot be understood.", &["Error", "Message", "Refused"], &[]),
        (
            401,
            "No valid credential where one is needed, or an invalid one.",
            &["Message"],
            &["WWW-Authenticate"],
        ),
        (403, "The caller lacks the right.", &["Message", "InsufficientScope"], &[]),
        (404, "Not there, or not for the caller to see.", &["Message", "Error"], &[]),
        (405, "Not with this method.", &["Error"], &["Allow"]),
        (406, "No coding that the client accepts.", &["Message"], &[]),
        (408, "The request came too slowly.", &["Message"], &[]),
        (409, "Another request or project has what this one needs.", &["Message"], &[]),
        (410, "The archive is known, and lost.", &["Message"], &[]),
        (412, "A precondition is false.", &["Message"], &[]),
        (413, "The body is too large.", &["Message"], &[]),
        (414, "The target is too long.", &["Message"], &[]),
        (415, "The body has a content coding or type that is not taken.", &["Message"], &[]),
        (416, "No range lies in the representation.", &["Message"], &["Content-Range"]),
        (422, "The entry cannot be served safely or at all.", &["Refused"], &[]),
        (429, "A configured limit.", &["Message"], &["Retry-After"]),
        // Without a body where no request has been made of it yet.
        (431, "The head is too large.", &[], &[]),
        (500, "A defect, or an archive that has changed.", &["Reasoned"], &[]),
        (502, "What lies behind the server failed.", &["Reasoned"], &[]),
        (
            503,
            "Overloaded, or stopping; `decoder_memory`: too many entries are decoded at a time that \
             take much memory.",
            &["Reasoned"],
            &["Retry-After"],
        ),
        (504, "What lies behind the server is slow.", &["Reasoned"], &["Retry-After"]),
        (507, "The disk is full.", &["Reasoned"], &["Retry-After"]),
    ];
    ROWS.iter().map(|(status, description, names, fields)| {
        let schemas: Vec<Value> = names.iter().map(|name| schema(name)).collect();
        let content = ("application/json", json!({ "schema": { "oneOf": schemas } }));
        let content = (!names.is_empty()).then_some(content);
        (format!("Failure{status}"), answer(description, fields, content))
    })
}

fn security_schemes() -> Value {
    let key = |place: &str, name: &str, description: &str| json!({ "type": "apiKey", "in": place, "name": name, "description": description });
    object([
        ("privateToken", key("header", "PRIVATE-TOKEN", "An access token.")),
        ("privateTokenParameter", key("query", "private_token", "An access token.")),
        (
            "bearer",
            json!({
                "type": "http", "scheme": "bearer", "description": "An access token.",
            }),
        ),
        ("jobToken", key("header", "JOB-TOKEN", "The token of a running job.")),
        ("jobTokenParameter", key("query", "job_token", "The token of a running job.")),
        ("gitlabToken", key("header", "X-Gitlab-Token", "An access token for what is announced.")),
    ])
}

//! The description of the API in OpenAPI 3.1, for `/-/openapi.json`.
//!
//! ```text
//! operations (a table: path, method, what it takes and answers) --+
//! components (schemas, parameters, answers, credentials) ---------+-> document
//! ```
//!
//! It is built from a table and not kept as a file, so that HEAD and OPTIONS and the answers that
//! any request can get are written once. Tests hold it against the routes and the table of failures.
//!
//! What OpenAPI cannot say stands in descriptions: a path parameter with raw slashes, the target
//! `*`, and that an ambiguous target is settled by what exists.

mod components;
mod operations;
mod schemas;

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use self::operations::{Operation, operations};
use crate::reply::json_bytes;

/// Statuses that any request may get, whatever it asks for.
const ALWAYS: [u16; 7] = [400, 405, 414, 429, 431, 500, 503];

/// The document as JSON, `application/json`. It is made at the first call.
///
/// ```
/// let document: serde_json::Value =
///     serde_json::from_slice(&entryway_server::openapi::document()).unwrap();
/// assert_eq!(document["openapi"], "3.1.0");
/// ```
#[must_use]
pub fn document() -> Bytes {
    // A `Value` has string keys, and writing to a `Vec` cannot fail.
    static DOCUMENT: LazyLock<Bytes> =
        LazyLock::new(|| Bytes::from(json_bytes(&value()).unwrap_or_default()));
    DOCUMENT.clone()
}

fn value() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Entryway",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Single files out of CI artifact archives.",
            "description": INTRODUCTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "artifacts", "description": "The Job Artifacts API." },
            { "name": "runner", "description": "What a running job uses." },
            { "name": "ingest", "description": "How jobs get in." },
            { "name": "server", "description": "The server itself." },
        ],
        "paths": paths(operations()),
        "components": components::components(),
    })
}

const INTRODUCTION: &str = "\
Compatible with the GitLab Job Artifacts API, and a superset of it.\n\n\
In a path, a ref or an artifact path may have its slashes raw or as `%2F`; a target that can be \
read in more than one way is settled by which refs exist. Raw slashes that follow each other count \
as one, and one at the end as none. The `:id` of a project is one segment, with `%2F`.\n\n\
Every GET answers HEAD, and every path OPTIONS; `OPTIONS *` names the methods of the server. \
Booleans are `true`, `t`, `yes`, `y`, `on`, `1` and their opposites, in any case. Unknown parameters \
are ignored. A request is checked in this order: 400, 401, 404 (project), 403, 404, 422.";

fn paths(operations: Vec<Operation>) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let Operation { path, method, id, ref parameters, .. } = operation;
        let item = paths.entry(path).or_insert_with(|| {
            let in_path: Vec<Value> =
                parameters.iter().filter(|name| is_in_path(path, name)).map(reference).collect();
            json!({ "parameters": in_path, "options": options(id) })
        });
        if method == "get" {
            item["head"] = head(&operation);
        }
        item[method] = described(&operation);
    }
    // No path, no parameters.
    for item in paths.values_mut().filter_map(Value::as_object_mut) {
        if item["parameters"].as_array().is_some_and(Vec::is_empty) {
            item.remove("parameters");
        }
    }
    Value::Object(paths)
}

fn is_in_path(path: &str, name: &str) -> bool {
    path.contains(&format!("{{{name}}}"))
}

fn reference(name: &&'static str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

fn described(operation: &Operation) -> Value {
    let mut value = common(operation, operation.id);
    if let Some(body) = &operation.body {
        value["requestBody"] = body.clone();
    }
    let mut responses = Map::new();
    for (status, name) in operation.successes {
        let answer = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.insert(status.to_string(), answer);
    }
    for status in operation.failures() {
        let answer = json!({ "$ref": format!("#/components/responses/Failure{status}") });
        responses.insert(status.to_string(), answer);
    }
    value["responses"] = Value::Object(responses);
    value
}

/// As GET: the same statuses without bodies, but Range counts for nothing (RFC 9110 section 14.2).
fn head(operation: &Operation) -> Value {
    let mut value = common(operation, &format!("{}_head", operation.id));
    let statuses = operation.successes.iter().map(|(status, _)| *status);
    let statuses = statuses.chain(operation.failures());
    value["responses"] = without_body(statuses.filter(|status| !matches!(status, 206 | 416)));
    value
}

fn without_body(statuses: impl Iterator<Item = u16>) -> Value {
    let head = json!({ "$ref": "#/components/responses/Head" });
    Value::Object(statuses.map(|status| (status.to_string(), head.clone())).collect())
}

/// What GET and HEAD have in common.
fn common(operation: &Operation, id: &str) -> Value {
    let Operation { path, tag, summary, parameters, security, .. } = operation;
    let parameters: Vec<Value> =
        parameters.iter().filter(|name| !is_in_path(path, name)).map(reference).collect();
    let security: Vec<Value> = security
        .iter()
        .map(|scheme| if scheme.is_empty() { json!({}) } else { json!({ *scheme: [] }) })
        .collect();
    let mut value = json!({
        "operationId": id,
        "tags": [tag],
        "summary": summary,
        "security": security,
    });
    if !parameters.is_empty() {
        value["parameters"] = Value::Array(parameters);
    }
    value
}

fn options(id: &str) -> Value {
    // A slash in a parameter that is not escaped makes another path of it, which may be none.
    let failures = ALWAYS.into_iter().filter(|status| *status != 405).chain([404]);
    let mut responses: Map<String, Value> = failures
        .map(|status| {
            let answer = json!({ "$ref": format!("#/components/responses/Failure{status}") });
            (status.to_string(), answer)
        })
        .collect();
    responses.insert("204".to_owned(), json!({ "$ref": "#/components/responses/Options" }));
    json!({
        "operationId": format!("{id}_options"),
        "tags": ["server"],
        "summary": "The methods of this path.",
        "security": [],
        "responses": responses,
    })
}

#[cfg(test)]
mod tests;

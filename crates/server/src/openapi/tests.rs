//! The document against the routes and the table of failures. Its form was checked against the
//! schema of OpenAPI 3.1 with openapi-spec-validator, from outside of these tests.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::Value;

use super::operations::operations;
use super::{document, value};
use crate::reply::tests::samples;
use crate::route::{Route, Target};

const METHODS: [&str; 7] = ["get", "head", "post", "put", "delete", "patch", "options"];

/// A target of a path template, and the query that its route cannot do without.
fn target(template: &str) -> (String, Option<&'static str>) {
    let path = template
        .replace("{id}", "1")
        .replace("{project_path}", "group%2Fapp")
        .replace("{job_id}", "7")
        .replace("{pipeline_id}", "8")
        .replace("{ref_name}", "main")
        .replace("{artifact_path}", "a.txt");
    assert!(!path.contains('{'), "{template}");
    (path, template.contains("{ref_name}").then_some("job=build"))
}

/// The documented methods of every path template, with their operations.
fn documented() -> Vec<(String, BTreeMap<String, Value>)> {
    let document = value();
    let paths = document["paths"].as_object().unwrap();
    let methods = |item: &Value| {
        let item = item.as_object().unwrap();
        let known = |key: &&String| METHODS.contains(&key.as_str());
        item.keys().filter(known).map(|key| (key.clone(), item[key].clone())).collect()
    };
    paths.iter().map(|(template, item)| (template.clone(), methods(item))).collect()
}

/// The label of the route that an operation stands for.
fn label(id: &str) -> &str {
    id.strip_suffix("_new").unwrap_or(id)
}

/// Every label of a route; a new route does not compile until it stands here.
fn every_label() -> BTreeSet<&'static str> {
    let label = |route: &Route| match route {
        Route::Health
        | Route::Ready
        | Route::Metrics
        | Route::OpenApi
        | Route::Options { .. }
        | Route::User
        | Route::JobArchive { .. }
        | Route::LatestArchive(_)
        | Route::JobFile { .. }
        | Route::LatestFile(_)
        | Route::JobTree { .. }
        | Route::LatestTree { .. }
        | Route::Keep { .. }
        | Route::DeleteJobArtifacts { .. }
        | Route::DeleteProjectArtifacts { .. }
        | Route::Upload { .. }
        | Route::RunnerDownload { .. }
        | Route::Hook
        | Route::IngestProject { .. }
        | Route::IngestPipeline { .. }
        | Route::IngestJob { .. } => route.label(),
    };
    assert_eq!(label(&Route::Hook), "hook");
    BTreeSet::from([
        "health",
        "ready",
        "metrics",
        "openapi",
        "options",
        "user",
        "job_archive",
        "latest_archive",
        "job_file",
        "latest_file",
        "job_tree",
        "latest_tree",
        "keep",
        "delete_job_artifacts",
        "delete_project_artifacts",
        "upload",
        "runner_download",
        "hook",
        "ingest_project",
        "ingest_pipeline",
        "ingest_job",
    ])
}

#[test]
fn every_documented_method_leads_to_its_route() {
    let mut seen = BTreeSet::new();
    for (template, methods) in documented() {
        let (path, query) = target(&template);
        for (method, operation) in methods {
            let id = operation["operationId"].as_str().unwrap();
            let method: Method = method.to_uppercase().parse().unwrap();
            let route = Target::parse(&method, &path, query).expect(id).route;
            let want = match method {
                Method::HEAD => id.strip_suffix("_head").unwrap(),
                Method::OPTIONS => "options",
                _ => label(id),
            };
            assert_eq!(route.label(), want, "{method} {template}");
            seen.insert(route.label());
        }
    }
    assert_eq!(seen, every_label());
}

#[test]
fn every_served_method_of_a_path_is_documented() {
    for (template, methods) in documented() {
        let (path, _) = target(&template);
        let Route::Options { allow } = Target::parse(&Method::OPTIONS, &path, None).unwrap().route
        else {
            panic!("{template}");
        };
        let served: BTreeSet<String> = allow.split(", ").map(str::to_lowercase).collect();
        // A file named keep is one of the files: GET and HEAD are documented there.
        let is_keep = |method: &str| {
            template.ends_with("/artifacts/keep") && matches!(method, "get" | "head")
        };
        let want: BTreeSet<String> = served.into_iter().filter(|m| !is_keep(m)).collect();
        assert_eq!(methods.into_keys().collect::<BTreeSet<_>>(), want, "{template}");
    }
}

/// Whether an endpoint may answer a failure's status.
fn may_answer(status: u16, label: &str) -> bool {
    let is_open = matches!(label, "health" | "ready" | "metrics" | "openapi");
    let is_project = !is_open && label != "user";
    let is_archive = matches!(
        label,
        "job_archive" | "latest_archive" | "job_file" | "latest_file" | "runner_download"
    );
    let is_tree = matches!(label, "job_tree" | "latest_tree");
    let is_ingest = label.starts_with("ingest_") || label == "hook";
    let is_delete = label.starts_with("delete_");
    let has_body = is_ingest || label == "upload";
    match status {
        400 | 405 | 414 | 429 | 431 | 500 | 503 => true,
        401 | 403 => !is_open,
        404 => is_project,
        406 | 416 => is_archive,
        412 => is_archive || matches!(label, "ingest_project" | "ingest_pipeline"),
        408 | 413 | 415 => has_body,
        409 => has_body || is_delete,
        410 => is_archive || is_tree,
        // A runner downloads the whole archive: no entry of it is looked at.
        422 => is_tree || (is_archive && label != "runner_download"),
        502 | 504 => is_archive || is_tree || label == "upload",
        507 => has_body || is_delete || label == "keep",
        other => panic!("{other}: which endpoints answer it?"),
    }
}

#[test]
fn every_failure_that_an_endpoint_may_answer_is_documented() {
    let statuses: BTreeSet<u16> =
        samples().iter().map(|(failure, ..)| failure.status().as_u16()).collect();
    for operation in operations() {
        let documented: BTreeSet<u16> = operation.failures().collect();
        let want: BTreeSet<u16> =
            statuses.iter().copied().filter(|s| may_answer(*s, label(operation.id))).collect();
        assert_eq!(documented, want, "{}", operation.id);
        assert_eq!(operation.failures().count(), documented.len(), "{}", operation.id);
    }
}

#[test]
fn the_body_and_fields_of_every_failure_are_documented() {
    let document = value();
    let resolve = |value: &Value| match value["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).expect(reference).clone(),
        None => value.clone(),
    };
    for (failure, ..) in samples() {
        let response = failure.into_response(false);
        let status = response.status().as_u16();
        let answer = &document["components"]["responses"][format!("Failure{status}")];
        // hyper answers some of these, before there is a request, and without a body.
        if status == 431 {
            assert!(answer.get("content").is_none(), "{answer}");
            continue;
        }
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        let members: BTreeSet<&str> =
            body.as_object().unwrap().keys().map(String::as_str).collect();
        let schemas = &answer["content"]["application/json"]["schema"]["oneOf"];
        let fits = |schema: &Value| {
            let schema = resolve(schema);
            let required = schema["required"].as_array().unwrap().clone();
            required.iter().map(|name| name.as_str().unwrap()).collect::<BTreeSet<_>>() == members
        };
        let fitting = schemas.as_array().expect("a documented status").iter().filter(|s| fits(s));
        assert_eq!(fitting.count(), 1, "{status}: {body}");
        for name in ["allow", "retry-after", "www-authenticate", "content-range"] {
            let is_documented = answer["headers"].as_object().is_some_and(|headers| {
                headers.keys().any(|documented| documented.eq_ignore_ascii_case(name))
            });
            assert!(is_documented || !response.headers().contains_key(name), "{status}: {name}");
        }
    }
}

#[test]
fn references_lead_somewhere_and_components_are_used() {
    fn collect(value: &Value, references: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = value["$ref"].as_str() {
                    references.insert(reference.to_owned());
                }
                members.values().for_each(|member| collect(member, references));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_slice(&document()).unwrap();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in &references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    for (kind, components) in document["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            let is_used = match kind.as_str() {
                "securitySchemes" => {
                    operations().iter().any(|operation| operation.security.contains(&&**name))
                }
                _ => references.contains(&reference),
            };
            assert!(is_used, "{reference}");
        }
    }
}

#[test]
fn the_parameters_of_a_path_are_those_of_its_template() {
    let document = value();
    let mut ids = BTreeSet::new();
    for (template, methods) in documented() {
        let named: BTreeSet<&str> = template.split(['{', '}']).skip(1).step_by(2).collect();
        let listed = document["paths"][&template]["parameters"].as_array();
        let listed: BTreeSet<&str> = listed
            .into_iter()
            .flatten()
            .map(|parameter| parameter["$ref"].as_str().unwrap().rsplit('/').next().unwrap())
            .collect();
        assert_eq!(listed, named, "{template}");
        for operation in methods.values() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(ids.insert(id.clone()), "{id} twice");
            assert_ne!(operation["summary"], "", "{id}");
            let security = operation["security"].as_array().unwrap();
            for name in security.iter().flat_map(|scheme| scheme.as_object().unwrap().keys()) {
                assert!(document["components"]["securitySchemes"].get(name).is_some(), "{name}");
            }
        }
    }
}

use serde::Serialize;

use crate::catalog::{JobId, PipelineId, Project};
use crate::credential::TokenSecret;

/// What is answered to the announcement of a project.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ProjectAnswer<'a> {
    id: i64,
    path: &'a str,
    visibility: &'static str,
}

/// What is answered to the announcement of a pipeline.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PipelineAnswer {
    id: i64,
}

/// What is answered to the announcement of a job. Holds the text of a token: for the answer alone.
#[derive(Clone, Copy, Serialize)]
pub struct JobAnswer<'a> {
    id: i64,
    token: Option<&'a str>,
}

impl<'a> ProjectAnswer<'a> {
    /// The answer for a project as it is now.
    pub fn new(project: &'a Project) -> Self {
        let Project { id, path, visibility, .. } = project;
        Self { id: id.0, path, visibility: visibility.as_str() }
    }
}

impl PipelineAnswer {
    /// The answer for a pipeline.
    pub fn new(id: PipelineId) -> Self {
        Self { id: id.0 }
    }
}

impl<'a> JobAnswer<'a> {
    /// The answer for a job, with its token while it runs.
    pub fn new(id: JobId, token: Option<&'a TokenSecret>) -> Self {
        Self { id: id.0, token: token.map(TokenSecret::expose) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ProjectId, Visibility};
    use crate::reply::json_bytes;

    #[test]
    fn answers_have_the_members_of_the_contract() {
        let project = Project {
            id: ProjectId(7),
            path: "group/app".into(),
            visibility: Visibility::Internal,
            public_pipelines: true,
            job_token_allowlist: [].into(),
        };
        let text = |json: serde_json::Result<Vec<u8>>| String::from_utf8(json.unwrap()).unwrap();
        assert_eq!(
            text(json_bytes(&ProjectAnswer::new(&project))),
            r#"{"id":7,"path":"group/app","visibility":"internal"}"#
        );
        assert_eq!(text(json_bytes(&PipelineAnswer::new(PipelineId(10)))), r#"{"id":10}"#);
        let over = JobAnswer::new(JobId(100), None);
        assert_eq!(text(json_bytes(&over)), r#"{"id":100,"token":null}"#);
        let secret = TokenSecret::generate().unwrap();
        let running = JobAnswer::new(JobId(100), Some(&secret));
        let expected = format!(r#"{{"id":100,"token":"{}"}}"#, secret.expose());
        assert_eq!(text(json_bytes(&running)), expected);
    }
}

use serde::Serialize;

use crate::catalog::{AnnouncedPipeline, JobId, Project};
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
pub struct PipelineAnswer<'a> {
    id: i64,
    #[serde(rename = "ref")]
    ref_name: &'a str,
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

impl<'a> PipelineAnswer<'a> {
    /// The answer for a pipeline as it is now.
    pub fn new(pipeline: &'a AnnouncedPipeline) -> Self {
        Self { id: pipeline.id.0, ref_name: &pipeline.ref_name }
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
    use crate::catalog::{PipelineId, ProjectId, Visibility};
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
        let pipeline = AnnouncedPipeline { id: PipelineId(10), ref_name: "main".into() };
        assert_eq!(text(json_bytes(&PipelineAnswer::new(&pipeline))), r#"{"id":10,"ref":"main"}"#);
        let over = JobAnswer::new(JobId(100), None);
        assert_eq!(text(json_bytes(&over)), r#"{"id":100,"token":null}"#);
        let secret = TokenSecret::generate().unwrap();
        let running = JobAnswer::new(JobId(100), Some(&secret));
        let expected = format!(r#"{{"id":100,"token":"{}"}}"#, secret.expose());
        assert_eq!(text(json_bytes(&running)), expected);
    }
}

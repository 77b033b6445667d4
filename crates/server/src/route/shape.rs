//! Which endpoint a path is, and which methods it has: the table of the contract.

use http::Method;

use super::latest::{JobByName, LatestArchive, LatestFile, LatestTree, parse_ref_name};
use super::project::{ProjectKey, parse_id, parse_project_path};
use super::query::Query;
use super::{EntryPath, Listing, Route, Selection, Target};
use crate::reply::Failure;

/// The methods of the whole server, for `OPTIONS *`.
pub(super) const EVERY_METHOD: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

/// A path that the contract knows, not yet decoded. No segment is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape<'t> {
    Health,
    Ready,
    Metrics,
    OpenApi,
    User,
    /// A and G.
    JobArchive {
        id: &'t str,
        job_id: &'t str,
    },
    /// C, E under `tree`, C and F under `keep`. `path` is not empty.
    JobPath {
        id: &'t str,
        job_id: &'t str,
        path: &'t [&'t str],
    },
    /// B. `ref_name` is not empty.
    LatestArchive {
        id: &'t str,
        ref_name: &'t [&'t str],
    },
    /// E2. `ref_name` is not empty.
    LatestTree {
        id: &'t str,
        ref_name: &'t [&'t str],
    },
    /// D, and B and E2 with a ref that has a segment `raw`; `first_raw >= 1`.
    LatestFile {
        id: &'t str,
        segments: &'t [&'t str],
        first_raw: usize,
    },
    /// H.
    ProjectArtifacts {
        id: &'t str,
    },
    /// U and R.
    RunnerArtifacts {
        job_id: &'t str,
    },
    Hook,
    IngestProject {
        id: &'t str,
    },
    /// With a number, a pipeline; without, the place where one gets a number.
    IngestPipeline {
        id: &'t str,
        pipeline_id: Option<&'t str>,
    },
    /// As a pipeline.
    IngestJob {
        id: &'t str,
        job_id: Option<&'t str>,
    },
}

/// Finds the endpoint of a path cut at its raw slashes, without the empty segments.
pub(super) fn find_shape<'t>(segments: &'t [&'t str]) -> Option<Shape<'t>> {
    match segments {
        ["-", "health"] => Some(Shape::Health),
        ["-", "ready"] => Some(Shape::Ready),
        ["-", "metrics"] => Some(Shape::Metrics),
        ["-", "openapi.json"] => Some(Shape::OpenApi),
        ["hooks", "gitlab"] => Some(Shape::Hook),
        ["ingest", "v1", "projects", id, rest @ ..] => match rest {
            [] => Some(Shape::IngestProject { id }),
            ["pipelines"] => Some(Shape::IngestPipeline { id, pipeline_id: None }),
            ["pipelines", number] => Some(Shape::IngestPipeline { id, pipeline_id: Some(number) }),
            ["jobs"] => Some(Shape::IngestJob { id, job_id: None }),
            ["jobs", number] => Some(Shape::IngestJob { id, job_id: Some(number) }),
            _ => None,
        },
        ["api", "v4", rest @ ..] => match rest {
            ["user"] => Some(Shape::User),
            ["jobs", job_id, "artifacts"] => Some(Shape::RunnerArtifacts { job_id }),
            ["projects", id, "artifacts"] => Some(Shape::ProjectArtifacts { id }),
            ["projects", id, "jobs", "artifacts", latest @ ..] => find_latest_shape(id, latest),
            ["projects", id, "jobs", job_id, "artifacts"] => Some(Shape::JobArchive { id, job_id }),
            ["projects", id, "jobs", job_id, "artifacts", path @ ..] => {
                Some(Shape::JobPath { id, job_id, path })
            }
            _ => None,
        },
        _ => None,
    }
}

/// The shapes behind `jobs/artifacts/`. A `raw` in the first place is part of the ref.
fn find_latest_shape<'t>(id: &'t str, segments: &'t [&'t str]) -> Option<Shape<'t>> {
    let raw = segments.iter().skip(1).position(|segment| *segment == "raw");
    if let Some(first_raw) = raw.map(|at| at + 1) {
        return Some(Shape::LatestFile { id, segments, first_raw });
    }
    match segments {
        [ref_name @ .., "download"] if !ref_name.is_empty() => {
            Some(Shape::LatestArchive { id, ref_name })
        }
        [ref_name @ .., "tree"] if !ref_name.is_empty() => Some(Shape::LatestTree { id, ref_name }),
        _ => None,
    }
}

/// The methods of a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Methods {
    pub(super) served: &'static [Method],
    /// The value of Allow for `served`.
    pub(super) allow: &'static str,
}

impl Shape<'_> {
    /// The whole of the contract's table of methods.
    pub(super) fn methods(&self) -> Methods {
        use Method as M;
        let methods = |served, allow| Methods { served, allow };
        match self {
            Self::Health
            | Self::Ready
            | Self::Metrics
            | Self::OpenApi
            | Self::User
            | Self::LatestArchive { .. }
            | Self::LatestTree { .. }
            | Self::LatestFile { .. } => {
                methods(&[M::GET, M::HEAD, M::OPTIONS], "GET, HEAD, OPTIONS")
            }
            Self::JobArchive { .. } => {
                methods(&[M::GET, M::HEAD, M::DELETE, M::OPTIONS], "GET, HEAD, DELETE, OPTIONS")
            }
            Self::JobPath { path: ["keep"], .. } | Self::RunnerArtifacts { .. } => {
                methods(&[M::GET, M::HEAD, M::POST, M::OPTIONS], "GET, HEAD, POST, OPTIONS")
            }
            Self::JobPath { .. } => methods(&[M::GET, M::HEAD, M::OPTIONS], "GET, HEAD, OPTIONS"),
            Self::ProjectArtifacts { .. } => methods(&[M::DELETE, M::OPTIONS], "DELETE, OPTIONS"),
            Self::Hook
            | Self::IngestPipeline { pipeline_id: None, .. }
            | Self::IngestJob { job_id: None, .. } => {
                methods(&[M::POST, M::OPTIONS], "POST, OPTIONS")
            }
            Self::IngestProject { .. }
            | Self::IngestPipeline { pipeline_id: Some(_), .. }
            | Self::IngestJob { job_id: Some(_), .. } => {
                methods(&[M::PUT, M::OPTIONS], "PUT, OPTIONS")
            }
        }
    }

    pub(super) fn into_target(
        self,
        method: &Method,
        query: Option<&str>,
    ) -> Result<Target, Failure> {
        let Methods { served, allow } = self.methods();
        if !served.contains(method) {
            return Err(Failure::MethodNotAllowed { allow });
        }
        if method == Method::OPTIONS {
            return Ok(Target { route: Route::Options { allow }, query: Query::default() });
        }
        let query = match self {
            Self::Health | Self::Ready | Self::Metrics | Self::OpenApi => Query::default(),
            _ => Query::parse(query)?,
        };
        let route = self.into_route(method, &query)?;
        Ok(Target { route, query })
    }

    /// The endpoint for a method that is served and is not OPTIONS.
    fn into_route(self, method: &Method, query: &Query) -> Result<Route, Failure> {
        match self {
            Self::Health => Ok(Route::Health),
            Self::Ready => Ok(Route::Ready),
            Self::Metrics => Ok(Route::Metrics),
            Self::OpenApi => Ok(Route::OpenApi),
            Self::User => Ok(Route::User),
            Self::JobArchive { id, job_id } => {
                let project = ProjectKey::parse(id)?;
                let job_id = parse_id(job_id, "job_id")?;
                if method == Method::DELETE {
                    return Ok(Route::DeleteJobArtifacts { project, job_id });
                }
                let selection = Selection::from_query(query)?;
                Ok(Route::JobArchive { project, job_id, selection })
            }
            Self::JobPath { id, job_id, path } => {
                let project = ProjectKey::parse(id)?;
                let job_id = parse_id(job_id, "job_id")?;
                if method == Method::POST {
                    return Ok(Route::Keep { project, job_id });
                }
                if path == ["tree"] && !query.wants_raw()? {
                    let listing = Listing::from_query(query)?;
                    return Ok(Route::JobTree { project, job_id, listing });
                }
                let path = EntryPath::from_segments(path).map_err(Failure::ArtifactPath)?;
                Ok(Route::JobFile { project, job_id, path })
            }
            Self::LatestArchive { id, ref_name } => {
                let project = ProjectKey::parse(id)?;
                let ref_name = parse_ref_name(ref_name)?;
                let job = JobByName::from_query(query)?;
                let selection = Selection::from_query(query)?;
                Ok(Route::LatestArchive(LatestArchive { project, ref_name, job, selection }))
            }
            Self::LatestTree { id, ref_name } => {
                let project = ProjectKey::parse(id)?;
                let ref_name = parse_ref_name(ref_name)?;
                let job = JobByName::from_query(query)?;
                let listing = Listing::from_query(query)?;
                let latest = LatestTree { project, ref_name, job };
                Ok(Route::LatestTree { latest, listing })
            }
            Self::LatestFile { id, segments, first_raw } => {
                let project = ProjectKey::parse(id)?;
                LatestFile::parse(project, segments, first_raw, query).map(Route::LatestFile)
            }
            Self::ProjectArtifacts { id } => {
                Ok(Route::DeleteProjectArtifacts { project: ProjectKey::parse(id)? })
            }
            Self::RunnerArtifacts { job_id } => {
                let job_id = parse_id(job_id, "job_id")?;
                if method == Method::POST {
                    return Ok(Route::Upload { job_id, parameters: query.upload_parameters() });
                }
                let direct_download = query.wants_direct_download()?;
                Ok(Route::RunnerDownload { job_id, direct_download })
            }
            Self::Hook => Ok(Route::Hook),
            Self::IngestProject { id } => {
                Ok(Route::IngestProject { path: parse_project_path(id)? })
            }
            Self::IngestPipeline { id, pipeline_id } => {
                let project = ProjectKey::parse(id)?;
                let id = pipeline_id.map(|id| parse_id(id, "pipeline_id")).transpose()?;
                Ok(Route::IngestPipeline { project, id })
            }
            Self::IngestJob { id, job_id } => {
                let project = ProjectKey::parse(id)?;
                let id = job_id.map(|id| parse_id(id, "job_id")).transpose()?;
                Ok(Route::IngestJob { project, id })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allow_names_exactly_the_served_methods() {
        let (id, job_id) = ("1", "7");
        let shapes = [
            Shape::Health,
            Shape::Ready,
            Shape::Metrics,
            Shape::OpenApi,
            Shape::User,
            Shape::JobArchive { id, job_id },
            Shape::JobPath { id, job_id, path: &["keep"] },
            Shape::JobPath { id, job_id, path: &["tree"] },
            Shape::JobPath { id, job_id, path: &["keep", "x"] },
            Shape::LatestArchive { id, ref_name: &["main"] },
            Shape::LatestTree { id, ref_name: &["main"] },
            Shape::LatestFile { id, segments: &["main", "raw", "x"], first_raw: 1 },
            Shape::ProjectArtifacts { id },
            Shape::RunnerArtifacts { job_id },
            Shape::Hook,
            Shape::IngestProject { id },
            Shape::IngestPipeline { id, pipeline_id: None },
            Shape::IngestPipeline { id, pipeline_id: Some("1") },
            Shape::IngestJob { id, job_id: None },
            Shape::IngestJob { id, job_id: Some("1") },
        ];
        for shape in shapes {
            let Methods { served, allow } = shape.methods();
            let names: Vec<&str> = served.iter().map(Method::as_str).collect();
            assert_eq!(names.join(", "), allow, "{shape:?}");
            let every: Vec<&str> = EVERY_METHOD.split(", ").collect();
            assert!(names.iter().all(|name| every.contains(name)), "{shape:?}");
            assert_eq!(served.contains(&Method::GET), served.contains(&Method::HEAD), "{shape:?}");
        }
    }
}

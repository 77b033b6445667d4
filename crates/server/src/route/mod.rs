//! From a request target to a typed [`Route`], before anything is looked up.
//!
//! Pure functions of the method, the UNDECODED path and the query: nothing here knows a catalog, a
//! socket or a clock. The path is cut at its raw slashes first and each part decoded once, so that
//! an encoded slash never changes which endpoint is meant. The words of a path (`projects`, `jobs`,
//! `artifacts`, `raw`, ...) count only as they are written, not encoded.
//!
//! ```text
//! method, path, query
//!     path  -> segments -> shape        no shape: 404
//!     shape x method                    405; OPTIONS is answered by the shape alone
//!     query -> Query                    400
//!     shape x method x Query -> Route   400: ids, ref, job, artifact path
//! headers, Query -> PresentedToken      401
//! ```
//!
//! Not here: which of two readings of a target is meant (see [`LatestFile::choose`]), authority and
//! scheme of an absolute-form target (RFC 9112 section 3.2.2), and who may do what.

mod entry_path;
mod latest;
mod listing;
mod percent;
mod presented;
mod project;
mod query;
mod shape;

use http::Method;

pub use self::entry_path::{EntryPath, MAX_ENTRY_PATH_LEN, PathRule};
pub use self::latest::{
    Choice, JobByName, LatestArchive, LatestFile, LatestTree, MAX_SPLITS, Split,
};
pub use self::listing::{DEFAULT_PER_PAGE, Listing, MAX_PER_PAGE, MAX_SELECTED, Selection};
pub use self::presented::{PresentedToken, TokenKind, TokenText, UnreadableToken, find_presented};
pub use self::project::ProjectKey;
pub use self::query::{Query, UploadParameters, redacted, without_page_and_tokens};

use self::shape::{EVERY_METHOD, find_shape};
use crate::catalog::ProjectPath;
use crate::reply::Failure;

/// The longest request target, in bytes: path, `?` and query as they were sent.
///
/// An artifact path of [`MAX_ENTRY_PATH_LEN`] bytes takes up to 12,288 of them.
pub const MAX_TARGET_LEN: usize = 16 * 1024;

/// A request target that means something: an endpoint with its parameters.
#[derive(Clone, Debug)]
pub struct Target {
    /// The endpoint.
    pub route: Route,
    /// The parameters, among them those that present a credential; empty for `/-/...` and OPTIONS.
    pub query: Query,
}

/// An endpoint that is served, with what its path and query say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/-/health`: the process is alive.
    Health,
    /// `/-/ready`: requests can be answered.
    Ready,
    /// `/-/metrics`: counters for Prometheus.
    Metrics,
    /// `/-/openapi.json`: the description of the API.
    OpenApi,
    /// OPTIONS: the methods of a path, or with the target `*` those of the server.
    Options {
        /// The value of Allow.
        allow: &'static str,
    },
    /// `/api/v4/user`: who a token is.
    User,
    /// A: the archive of a job.
    JobArchive {
        /// The project.
        project: ProjectKey,
        /// The job, `0..=i64::MAX`.
        job_id: i64,
        /// What of it.
        selection: Selection,
    },
    /// B: the archive of the latest job of a name on a ref.
    LatestArchive(LatestArchive),
    /// C: one file out of the archive of a job.
    JobFile {
        /// The project.
        project: ProjectKey,
        /// The job, `0..=i64::MAX`.
        job_id: i64,
        /// The file.
        path: EntryPath,
    },
    /// D: one file out of the archive of the latest job of a name on a ref.
    LatestFile(LatestFile),
    /// E: what lies in a folder of the archive of a job.
    JobTree {
        /// The project.
        project: ProjectKey,
        /// The job, `0..=i64::MAX`.
        job_id: i64,
        /// The folder, and how much of it.
        listing: Listing,
    },
    /// E2: what lies in a folder of the archive of the latest job of a name on a ref.
    LatestTree {
        /// The job.
        latest: LatestTree,
        /// The folder, and how much of it.
        listing: Listing,
    },
    /// F: the artifacts of a job do not expire any more.
    Keep {
        /// The project.
        project: ProjectKey,
        /// The job, `0..=i64::MAX`.
        job_id: i64,
    },
    /// G: the artifacts of a job go.
    DeleteJobArtifacts {
        /// The project.
        project: ProjectKey,
        /// The job, `0..=i64::MAX`.
        job_id: i64,
    },
    /// H: the artifacts of a project go, but those that are still needed.
    DeleteProjectArtifacts {
        /// The project.
        project: ProjectKey,
    },
    /// U: a running job hands in an archive or a report.
    Upload {
        /// The job, `0..=i64::MAX`.
        job_id: i64,
        /// What the query says of it.
        parameters: UploadParameters,
    },
    /// R: a runner downloads the archive of a job that the one it runs depends on.
    RunnerDownload {
        /// The job, `0..=i64::MAX`.
        job_id: i64,
        /// It would follow a redirect to where the archive lies.
        direct_download: bool,
    },
    /// `/hooks/gitlab`: GitLab says that a pipeline or a job has changed.
    Hook,
    /// `/ingest/v1/projects/:id`: a project is announced.
    IngestProject {
        /// Its path.
        path: ProjectPath,
    },
    /// `/ingest/v1/projects/:id/pipelines`: a pipeline is announced.
    IngestPipeline {
        /// The project.
        project: ProjectKey,
        /// Its number, `0..=i64::MAX`; `None` asks for one.
        id: Option<i64>,
    },
    /// `/ingest/v1/projects/:id/jobs`: a job is announced.
    IngestJob {
        /// The project.
        project: ProjectKey,
        /// Its number, `0..=i64::MAX`; `None` asks for one.
        id: Option<i64>,
    },
}

impl Route {
    /// A stable name for metrics and logs.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
            Self::OpenApi => "openapi",
            Self::Options { .. } => "options",
            Self::User => "user",
            Self::JobArchive { .. } => "job_archive",
            Self::LatestArchive(_) => "latest_archive",
            Self::JobFile { .. } => "job_file",
            Self::LatestFile(_) => "latest_file",
            Self::JobTree { .. } => "job_tree",
            Self::LatestTree { .. } => "latest_tree",
            Self::Keep { .. } => "keep",
            Self::DeleteJobArtifacts { .. } => "delete_job_artifacts",
            Self::DeleteProjectArtifacts { .. } => "delete_project_artifacts",
            Self::Upload { .. } => "upload",
            Self::RunnerDownload { .. } => "runner_download",
            Self::Hook => "hook",
            Self::IngestProject { .. } => "ingest_project",
            Self::IngestPipeline { .. } => "ingest_pipeline",
            Self::IngestJob { .. } => "ingest_job",
        }
    }
}

impl Target {
    /// Reads a request target: `path` and `query` (what follows the `?`) as they were sent.
    ///
    /// HEAD has the routes of GET.
    ///
    /// # Errors
    /// In this order: [`Failure::TargetTooLong`], [`Failure::UnknownRoute`],
    /// [`Failure::MethodNotAllowed`], then the 400s: the query as a whole, the segments from left
    /// to right, the parameters, the artifact path.
    ///
    /// ```
    /// use entryway_server::route::{Route, Target};
    ///
    /// let path = "/api/v4/projects/group%2Fapp/jobs/artifacts/main/raw/dist/out%20file.txt";
    /// let target = Target::parse(&http::Method::GET, path, Some("job=build"))?;
    /// let Route::LatestFile(file) = &target.route else { unreachable!() };
    /// let split = file.unambiguous().unwrap();
    /// assert_eq!((&*split.ref_name, split.path.as_str()), ("main", "dist/out file.txt"));
    /// # Ok::<(), entryway_server::reply::Failure>(())
    /// ```
    pub fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, Failure> {
        if path.len() + query.map_or(0, |query| 1 + query.len()) > MAX_TARGET_LEN {
            return Err(Failure::TargetTooLong);
        }
        // The asterisk form: the server as a whole (RFC 9110 section 9.3.7).
        if path == "*" && method == Method::OPTIONS {
            let route = Route::Options { allow: EVERY_METHOD };
            return Ok(Self { route, query: Query::default() });
        }
        if !path.starts_with('/') {
            return Err(Failure::UnknownRoute);
        }
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let shape = find_shape(&segments).ok_or(Failure::UnknownRoute)?;
        shape.into_target(method, query)
    }
}

#[cfg(test)]
mod tests;

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
//!     shape x method                    planned only: 404, neither served nor planned: 405
//!     query -> Query                    400
//!     shape x Query -> Route            400: ids, ref, job, artifact path
//! headers, Query -> PresentedToken      401
//! ```
//!
//! Not here: which of two readings of a target is meant (see [`LatestFile::choose`]), authority and
//! scheme of an absolute-form target (RFC 9112 section 3.2.2), and who may do what.

mod entry_path;
mod latest;
mod percent;
mod presented;
mod project;
mod query;

use http::Method;

pub use self::entry_path::{EntryPath, MAX_ENTRY_PATH_LEN, PathRule};
pub use self::latest::{Choice, JobByName, LatestArchive, LatestFile, MAX_SPLITS, Split};
pub use self::presented::{PresentedToken, TokenKind, TokenText, UnreadableToken, find_presented};
pub use self::project::ProjectKey;
pub use self::query::{Query, redacted};

use self::latest::parse_ref_name;
use self::project::parse_job_id;
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
    /// The parameters, among them those that present a credential; empty for `/-/...`.
    pub query: Query,
}

/// An endpoint that is served, with what its path and query say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/-/health`: the process is alive.
    Health,
    /// `/-/ready`: requests can be answered.
    Ready,
    /// A: the archive of a job.
    JobArchive {
        /// The project.
        project: ProjectKey,
        /// The job, `0..=i64::MAX`.
        job_id: i64,
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
}

impl Route {
    /// A stable name for metrics and logs.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Ready => "ready",
            Self::JobArchive { .. } => "job_archive",
            Self::LatestArchive(_) => "latest_archive",
            Self::JobFile { .. } => "job_file",
            Self::LatestFile(_) => "latest_file",
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
        if !path.starts_with('/') {
            return Err(Failure::UnknownRoute);
        }
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let shape = find_shape(&segments).ok_or(Failure::UnknownRoute)?;
        shape.methods().check(method)?;
        shape.into_target(query)
    }
}

/// A path that the contract knows, not yet decoded. No segment is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape<'t> {
    Health,
    Ready,
    /// `/-/metrics`, `/-/openapi.json`.
    Telemetry,
    /// A and G.
    JobArchive {
        id: &'t str,
        job_id: &'t str,
    },
    /// C, F under `keep`, E under `tree`. `path` is not empty.
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
    /// D, and B and E2 with a ref that has a segment `raw`; `first_raw >= 1`.
    LatestFile {
        id: &'t str,
        segments: &'t [&'t str],
        first_raw: usize,
    },
    /// E2.
    LatestTree,
    /// H.
    ProjectArtifacts,
    /// U and R.
    RunnerArtifacts,
    /// `/hooks/gitlab`.
    Hook,
    /// `/ingest/v1/projects/:id`, and `pipelines/:id` or `jobs/:id` below it.
    Ingest,
    /// `pipelines` or `jobs` below an ingest project.
    IngestCollection,
}

fn find_shape<'t>(segments: &'t [&'t str]) -> Option<Shape<'t>> {
    match segments {
        ["-", "health"] => Some(Shape::Health),
        ["-", "ready"] => Some(Shape::Ready),
        ["-", "metrics" | "openapi.json"] => Some(Shape::Telemetry),
        ["hooks", "gitlab"] => Some(Shape::Hook),
        ["ingest", "v1", "projects", _, rest @ ..] => match rest {
            [] | ["pipelines" | "jobs", _] => Some(Shape::Ingest),
            ["pipelines" | "jobs"] => Some(Shape::IngestCollection),
            _ => None,
        },
        ["api", "v4", rest @ ..] => match rest {
            ["jobs", _, "artifacts"] => Some(Shape::RunnerArtifacts),
            ["projects", _, "artifacts"] => Some(Shape::ProjectArtifacts),
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
        [ref_name @ .., "tree"] if !ref_name.is_empty() => Some(Shape::LatestTree),
        _ => None,
    }
}

/// The methods of a path: those served, and those that the contract has and nobody serves yet.
struct Methods {
    served: &'static [Method],
    /// The value of Allow for `served`.
    allow: &'static str,
    planned: &'static [Method],
}

impl Methods {
    /// Wrong method and unknown route are told apart: a planned one is a route that is not there.
    fn check(&self, method: &Method) -> Result<(), Failure> {
        if self.served.contains(method) {
            Ok(())
        } else if self.served.is_empty() || self.planned.contains(method) {
            Err(Failure::UnknownRoute)
        } else {
            Err(Failure::MethodNotAllowed { allow: self.allow })
        }
    }
}

impl Shape<'_> {
    /// The whole of the contract's table of methods; an endpoint that comes to be served moves from
    /// `planned` to `served` here.
    fn methods(&self) -> Methods {
        const READ: &[Method] = &[Method::GET, Method::HEAD];
        let reads = |planned| Methods { served: READ, allow: "GET, HEAD", planned };
        let unserved = |planned| Methods { served: &[], allow: "", planned };
        match self {
            Self::Health | Self::Ready => reads(&[]),
            Self::LatestArchive { .. } | Self::LatestFile { .. } => reads(&[]),
            Self::JobArchive { .. } => reads(&[Method::DELETE]),
            Self::JobPath { path: ["keep"], .. } => reads(&[Method::POST]),
            Self::JobPath { .. } => reads(&[]),
            Self::Telemetry | Self::LatestTree => unserved(READ),
            Self::ProjectArtifacts => unserved(&[Method::DELETE]),
            Self::RunnerArtifacts => unserved(&[Method::GET, Method::HEAD, Method::POST]),
            Self::Hook | Self::IngestCollection => unserved(&[Method::POST]),
            Self::Ingest => unserved(&[Method::PUT]),
        }
    }

    fn into_target(self, query: Option<&str>) -> Result<Target, Failure> {
        let query = match self {
            Self::Health | Self::Ready => Query::default(),
            _ => Query::parse(query)?,
        };
        let route = self.into_route(&query)?;
        Ok(Target { route, query })
    }

    fn into_route(self, query: &Query) -> Result<Route, Failure> {
        match self {
            Self::Health => Ok(Route::Health),
            Self::Ready => Ok(Route::Ready),
            Self::JobArchive { id, job_id } => {
                let project = ProjectKey::parse(id)?;
                Ok(Route::JobArchive { project, job_id: parse_job_id(job_id)? })
            }
            Self::JobPath { id, job_id, path } => {
                let project = ProjectKey::parse(id)?;
                let job_id = parse_job_id(job_id)?;
                // E, which is not served, unless the entry of that name is asked for.
                if path == ["tree"] && !query.wants_raw()? {
                    return Err(Failure::UnknownRoute);
                }
                let path = EntryPath::from_segments(path).map_err(Failure::ArtifactPath)?;
                Ok(Route::JobFile { project, job_id, path })
            }
            Self::LatestArchive { id, ref_name } => {
                let project = ProjectKey::parse(id)?;
                let ref_name = parse_ref_name(ref_name)?;
                let job = JobByName::from_query(query)?;
                Ok(Route::LatestArchive(LatestArchive { project, ref_name, job }))
            }
            Self::LatestFile { id, segments, first_raw } => {
                let project = ProjectKey::parse(id)?;
                LatestFile::parse(project, segments, first_raw, query).map(Route::LatestFile)
            }
            Self::Telemetry
            | Self::LatestTree
            | Self::ProjectArtifacts
            | Self::RunnerArtifacts
            | Self::Hook
            | Self::Ingest
            | Self::IngestCollection => Err(Failure::UnknownRoute),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROJECT: &str = "/api/v4/projects/1";

    fn get(path: &str, query: Option<&str>) -> Result<Route, Failure> {
        Target::parse(&Method::GET, path, query).map(|target| target.route)
    }

    /// A route in one line: the endpoint, the project, then what is its own.
    fn show(route: &Route) -> String {
        let label = route.label();
        match route {
            Route::Health | Route::Ready => label.to_owned(),
            Route::JobArchive { project, job_id } => format!("{label} {} {job_id}", key(project)),
            Route::JobFile { project, job_id, path } => {
                format!("{label} {} {job_id} {path}", key(project))
            }
            Route::LatestArchive(LatestArchive { project, ref_name, job }) => {
                format!("{label} {} {ref_name} {}", key(project), show_job(job))
            }
            Route::LatestFile(file) => {
                let (project, job) = (key(&file.project), show_job(&file.job));
                match file.choose(|_| true) {
                    Some(Choice::File(Split { ref_name, path })) => {
                        format!("{label} {project} {ref_name} {path} {job}")
                    }
                    other => panic!("the first reading is a file: {other:?}"),
                }
            }
        }
    }

    fn key(project: &ProjectKey) -> String {
        match project {
            ProjectKey::Id(id) => id.to_string(),
            ProjectKey::Path(path) => path.to_string(),
            ProjectKey::NoSuch => "-".to_owned(),
        }
    }

    fn show_job(job: &JobByName) -> String {
        let JobByName { name, search_recent_successful_pipelines } = job;
        if *search_recent_successful_pipelines { format!("{name}*") } else { name.to_string() }
    }

    #[test]
    fn targets_of_real_clients_find_their_routes() {
        let rows = [
            ("health", "/-/health", "", "health"),
            ("ready, with a query that is nobody's business", "/-/ready", "job=%&job=%", "ready"),
            ("A", "/api/v4/projects/1/jobs/7/artifacts", "", "job_archive 1 7"),
            ("A by path", "/api/v4/projects/g%2Fp/jobs/7/artifacts", "", "job_archive g/p 7"),
            ("A with a slash", "/api/v4/projects/1/jobs/7/artifacts/", "", "job_archive 1 7"),
            ("A with slashes", "//api/v4//projects/1/jobs/7/artifacts///", "", "job_archive 1 7"),
            (
                "A of an impossible project",
                "/api/v4/projects/p/jobs/7/artifacts",
                "",
                "job_archive - 7",
            ),
            ("A needs no job", "/api/v4/projects/1/jobs/7/artifacts", "job=", "job_archive 1 7"),
            (
                "A without a boolean of D",
                "/api/v4/projects/1/jobs/7/artifacts",
                "search_recent_successful_pipelines=x&raw=x",
                "job_archive 1 7",
            ),
            (
                "B",
                "/api/v4/projects/1/jobs/artifacts/main/download",
                "job=build",
                "latest_archive 1 main build",
            ),
            (
                "B, slash of the ref raw",
                "/api/v4/projects/1/jobs/artifacts/feature/x%20y/download",
                "job=build",
                "latest_archive 1 feature/x y build",
            ),
            (
                "B, slash of the ref encoded",
                "/api/v4/projects/1/jobs/artifacts/feature%2Fx%20y/download",
                "job=build%20job",
                "latest_archive 1 feature/x y build job",
            ),
            (
                "B of a ref named download",
                "/api/v4/projects/1/jobs/artifacts/download/download",
                "job=build",
                "latest_archive 1 download build",
            ),
            (
                "B of a ref named raw",
                "/api/v4/projects/1/jobs/artifacts/raw/download",
                "job=build",
                "latest_archive 1 raw build",
            ),
            (
                "B of a ref that ends in tree",
                "/api/v4/projects/1/jobs/artifacts/a/tree/download",
                "job=build",
                "latest_archive 1 a/tree build",
            ),
            (
                "B of a ref named artifacts",
                "/api/v4/projects/1/jobs/artifacts/artifacts/download",
                "job=build",
                "latest_archive 1 artifacts build",
            ),
            (
                "B, any successful pipeline",
                "/api/v4/projects/1/jobs/artifacts/main/download",
                "search_recent_successful_pipelines=YES&job=build",
                "latest_archive 1 main build*",
            ),
            (
                "C",
                "/api/v4/projects/1/jobs/7/artifacts/dist/out%20file.txt",
                "",
                "job_file 1 7 dist/out file.txt",
            ),
            (
                "C, encoded slash",
                "/api/v4/projects/1/jobs/7/artifacts/dist%2Fout.txt",
                "",
                "job_file 1 7 dist/out.txt",
            ),
            (
                "C, empty query",
                "/api/v4/projects/1/jobs/7/artifacts/a.txt",
                "",
                "job_file 1 7 a.txt",
            ),
            (
                "C, slashes",
                "/api/v4/projects/1/jobs/7/artifacts//dist///a/",
                "",
                "job_file 1 7 dist/a",
            ),
            (
                "C, a folder",
                "/api/v4/projects/1/jobs/7/artifacts/dist%2F",
                "",
                "job_file 1 7 dist/",
            ),
            (
                "C, keep is a name for GET",
                "/api/v4/projects/1/jobs/7/artifacts/keep",
                "",
                "job_file 1 7 keep",
            ),
            (
                "C, the entry tree",
                "/api/v4/projects/1/jobs/7/artifacts/tree",
                "raw=true",
                "job_file 1 7 tree",
            ),
            (
                "C below tree",
                "/api/v4/projects/1/jobs/7/artifacts/tree/x",
                "raw=?",
                "job_file 1 7 tree/x",
            ),
            (
                "C, words are words only unencoded",
                "/api/v4/projects/1/jobs/7/artifacts/%74ree",
                "",
                "job_file 1 7 tree",
            ),
            (
                "D",
                "/api/v4/projects/1/jobs/artifacts/main/raw/dist/out.txt",
                "job=build+job",
                "latest_file 1 main dist/out.txt build job",
            ),
            (
                "D, one escaped segment",
                "/api/v4/projects/1/jobs/artifacts/main/raw/dist%2Fout.txt",
                "job=build%20job",
                "latest_file 1 main dist/out.txt build job",
            ),
            (
                "D, plus in the path",
                "/api/v4/projects/1/jobs/artifacts/a+b/raw/c+d",
                "job=x",
                "latest_file 1 a+b c+d x",
            ),
            (
                "D, double encoding stays",
                "/api/v4/projects/1/jobs/artifacts/main/raw/%252e%252e/x",
                "job=x",
                "latest_file 1 main %2e%2e/x x",
            ),
            (
                "D of a ref named artifacts",
                "/api/v4/projects/1/jobs/artifacts/artifacts/raw/a",
                "job=x",
                "latest_file 1 artifacts a x",
            ),
            (
                "D, a file named tree",
                "/api/v4/projects/1/jobs/artifacts/main/raw/tree",
                "job=x",
                "latest_file 1 main tree x",
            ),
            (
                "D, a file named download",
                "/api/v4/projects/1/jobs/artifacts/main/raw/download",
                "job=x&unknown=1",
                "latest_file 1 main download x",
            ),
            (
                "D, slashes round raw",
                "/api/v4/projects/1/jobs/artifacts/main//raw//a//",
                "job=x",
                "latest_file 1 main a x",
            ),
        ];
        for (name, path, query, want) in rows {
            for method in [Method::GET, Method::HEAD] {
                let target = Target::parse(&method, path, Some(query)).expect(name);
                assert_eq!(show(&target.route), want, "{name}, {method}");
            }
        }
    }

    #[test]
    fn what_the_contract_does_not_know_is_an_unknown_route() {
        let rows = [
            ("nothing", ""),
            ("asterisk form", "*"),
            ("no slash at the start", "-/health"),
            ("root", "/"),
            ("no base", "/projects/1/jobs/7/artifacts"),
            ("base alone", "/api/v4"),
            ("another version", "/api/v3/projects/1/jobs/7/artifacts"),
            ("another case", "/API/v4/projects/1/jobs/7/artifacts"),
            ("encoded word", "/api/v4/%70rojects/1/jobs/7/artifacts"),
            ("slash of the project raw", "/api/v4/projects/g/p/jobs/7/artifacts"),
            ("a job without artifacts", "/api/v4/projects/1/jobs/7"),
            ("a word that begins alike", "/api/v4/projects/1/jobs/7/artifactsx"),
            ("jobs/artifacts alone", "/api/v4/projects/1/jobs/artifacts"),
            ("a ref alone", "/api/v4/projects/1/jobs/artifacts/main"),
            ("download without a ref", "/api/v4/projects/1/jobs/artifacts/download"),
            ("tree without a ref", "/api/v4/projects/1/jobs/artifacts/tree"),
            ("raw without a ref", "/api/v4/projects/1/jobs/artifacts/raw/x"),
            ("encoded download", "/api/v4/projects/1/jobs/artifacts/main/%64ownload"),
            ("raw behind an encoded slash", "/api/v4/projects/1/jobs/artifacts/main%2Fraw%2Fx"),
            ("a dot segment before the base", "/../api/v4/projects/1/jobs/7/artifacts"),
            ("below health", "/-/health/x"),
            ("metrics", "/-/metrics"),
            ("description", "/-/openapi.json"),
            ("E", "/api/v4/projects/1/jobs/7/artifacts/tree"),
            ("E2", "/api/v4/projects/1/jobs/artifacts/main/tree"),
            ("H", "/api/v4/projects/1/artifacts"),
            ("U and R", "/api/v4/jobs/7/artifacts"),
            ("hook", "/hooks/gitlab"),
            ("ingest, project", "/ingest/v1/projects/g%2Fp"),
            ("ingest, pipelines", "/ingest/v1/projects/g%2Fp/pipelines"),
            ("ingest, job", "/ingest/v1/projects/g%2Fp/jobs/7"),
            ("ingest, something else", "/ingest/v1/projects/g%2Fp/jobs/7/x"),
        ];
        for (name, path) in rows {
            assert_eq!(get(path, Some("job=build")), Err(Failure::UnknownRoute), "{name}");
        }
    }

    #[test]
    fn a_wrong_method_is_told_from_a_route_not_yet_served() {
        let not_allowed = Failure::MethodNotAllowed { allow: "GET, HEAD" };
        let job = format!("{PROJECT}/jobs/7/artifacts");
        let latest = format!("{PROJECT}/jobs/artifacts/main");
        let rows = [
            ("health", Method::POST, "/-/health".to_owned(), not_allowed.clone()),
            ("A by POST", Method::POST, job.clone(), not_allowed.clone()),
            ("A by OPTIONS", Method::OPTIONS, job.clone(), not_allowed.clone()),
            ("G", Method::DELETE, job.clone(), Failure::UnknownRoute),
            ("F", Method::POST, format!("{job}/keep"), Failure::UnknownRoute),
            ("keep by PUT", Method::PUT, format!("{job}/keep"), not_allowed.clone()),
            ("C by DELETE", Method::DELETE, format!("{job}/a.txt"), not_allowed.clone()),
            ("C by TRACE", Method::TRACE, format!("{job}/a.txt"), not_allowed.clone()),
            ("tree by PUT", Method::PUT, format!("{job}/tree"), not_allowed.clone()),
            ("B by POST", Method::POST, format!("{latest}/download"), not_allowed.clone()),
            ("D by PATCH", Method::PATCH, format!("{latest}/raw/a"), not_allowed.clone()),
            (
                "D by a method of no standard",
                "BREW".parse().unwrap(),
                format!("{latest}/raw/a"),
                not_allowed.clone(),
            ),
            (
                "the method comes before what is wrong with the path",
                Method::PUT,
                format!("{latest}/raw/../x"),
                not_allowed,
            ),
            ("E2 by PUT", Method::PUT, format!("{latest}/tree"), Failure::UnknownRoute),
            ("U", Method::POST, "/api/v4/jobs/7/artifacts".to_owned(), Failure::UnknownRoute),
            ("U by PUT", Method::PUT, "/api/v4/jobs/7/artifacts".to_owned(), Failure::UnknownRoute),
            ("H", Method::DELETE, format!("{PROJECT}/artifacts"), Failure::UnknownRoute),
            ("ingest", Method::PUT, "/ingest/v1/projects/1".to_owned(), Failure::UnknownRoute),
        ];
        for (name, method, path, want) in rows {
            let got = Target::parse(&method, &path, None).map(|target| target.route);
            assert_eq!(got, Err(want), "{name}");
        }
    }

    #[test]
    fn allow_names_exactly_the_served_methods() {
        let no_segments: &[&str] = &[];
        let shapes = [
            Shape::Health,
            Shape::Ready,
            Shape::Telemetry,
            Shape::JobArchive { id: "1", job_id: "7" },
            Shape::JobPath { id: "1", job_id: "7", path: &["keep"] },
            Shape::JobPath { id: "1", job_id: "7", path: &["a"] },
            Shape::LatestArchive { id: "1", ref_name: &["main"] },
            Shape::LatestFile { id: "1", segments: no_segments, first_raw: 1 },
            Shape::LatestTree,
            Shape::ProjectArtifacts,
            Shape::RunnerArtifacts,
            Shape::Hook,
            Shape::Ingest,
            Shape::IngestCollection,
        ];
        for shape in shapes {
            let Methods { served, allow, planned } = shape.methods();
            let names: Vec<&str> = served.iter().map(Method::as_str).collect();
            assert_eq!(names.join(", "), allow, "{shape:?}");
            assert!(!planned.iter().any(|method| served.contains(method)), "{shape:?}");
        }
    }

    #[test]
    fn a_bad_target_is_refused_before_anything_is_looked_up() {
        let invalid = |name| Failure::ParameterInvalid { name };
        let missing = Failure::ParameterMissing { name: "job" };
        let path_rule = Failure::ArtifactPath;
        let (job, latest) = ("jobs/7/artifacts", "jobs/artifacts/main");
        let rows = [
            ("A, job id", "jobs/abc/artifacts".to_owned(), None, invalid("job_id")),
            (
                "A, job id too large",
                format!("jobs/{}/artifacts", u64::MAX),
                None,
                invalid("job_id"),
            ),
            (
                "C, job id before the path",
                "jobs/-1/artifacts/..".to_owned(),
                None,
                invalid("job_id"),
            ),
            (
                "A, repeated",
                job.to_owned(),
                Some("job_token=a&job_token=a"),
                Failure::ParameterRepeated { name: "job_token" },
            ),
            ("C, query not UTF-8", format!("{job}/a"), Some("x=%ff"), invalid("query")),
            ("C, dots", format!("{job}/a/%2e%2e/b"), None, path_rule(PathRule::DotSegment)),
            (
                "C, out of its archive",
                format!("{job}/../../8/artifacts"),
                None,
                path_rule(PathRule::DotSegment),
            ),
            ("C, absolute", format!("{job}/%2Fetc"), None, path_rule(PathRule::Absolute)),
            (
                "C, an encoded slash alone",
                format!("{job}/%2F"),
                None,
                path_rule(PathRule::Absolute),
            ),
            ("C, tree with a bad boolean", format!("{job}/tree"), Some("raw=2"), invalid("raw")),
            ("B, no job", format!("{latest}/download"), None, missing.clone()),
            ("B, empty job", format!("{latest}/download"), Some("job="), missing.clone()),
            (
                "B, boolean",
                format!("{latest}/download"),
                Some("job=x&search_recent_successful_pipelines=maybe"),
                invalid("search_recent_successful_pipelines"),
            ),
            (
                "B, ref",
                "jobs/artifacts/%ff/download".to_owned(),
                Some("job=x"),
                invalid("ref_name"),
            ),
            (
                "B, ref of dots",
                "jobs/artifacts/../download".to_owned(),
                Some("job=x"),
                invalid("ref_name"),
            ),
            ("D, no job", format!("{latest}/raw/a"), Some("path=a"), missing.clone()),
            ("D, the job before the path", format!("{latest}/raw/.."), None, missing),
            (
                "D, repeated job",
                format!("{latest}/raw/a"),
                Some("job=x&job=x"),
                Failure::ParameterRepeated { name: "job" },
            ),
            (
                "D, nothing behind raw",
                format!("{latest}/raw"),
                Some("job=x"),
                path_rule(PathRule::Empty),
            ),
            (
                "D, a slash behind raw",
                format!("{latest}/raw/"),
                Some("job=x"),
                path_rule(PathRule::Empty),
            ),
            (
                "D, slashes behind raw",
                format!("{latest}/raw///"),
                Some("job=x"),
                path_rule(PathRule::Empty),
            ),
            (
                "D, dots",
                format!("{latest}/raw/../secret"),
                Some("job=x"),
                path_rule(PathRule::DotSegment),
            ),
            (
                "D, dots behind the first raw and before the second",
                format!("{latest}/raw/../raw/x"),
                Some("job=x"),
                path_rule(PathRule::DotSegment),
            ),
            (
                "B, dots behind a raw of the ref",
                format!("{latest}/raw/../download"),
                Some("job=x"),
                path_rule(PathRule::DotSegment),
            ),
            (
                "D, absolute",
                format!("{latest}/raw/%2Fetc/passwd"),
                Some("job=x"),
                path_rule(PathRule::Absolute),
            ),
            (
                "D, NUL",
                format!("{latest}/raw/a%00b"),
                Some("job=x"),
                path_rule(PathRule::ControlCharacter { character: '\0' }),
            ),
            (
                "D, malformed",
                format!("{latest}/raw/a%2"),
                Some("job=x"),
                path_rule(PathRule::MalformedPercentEncoding),
            ),
            (
                "D, not UTF-8",
                format!("{latest}/raw/%c0%ae%c0%ae/x"),
                Some("job=x"),
                path_rule(PathRule::NotUtf8),
            ),
            (
                "D, too long",
                format!("{latest}/raw/{}", "a".repeat(4_097)),
                Some("job=x"),
                path_rule(PathRule::TooLong { decoded_len: 4_097 }),
            ),
            (
                "D, too long behind the first raw",
                format!("{latest}/raw/{}/raw/x", "a".repeat(4_096)),
                Some("job=x"),
                path_rule(PathRule::TooLong { decoded_len: 4_102 }),
            ),
        ];
        for (name, rest, query, want) in rows {
            assert_eq!(get(&format!("{PROJECT}/{rest}"), query), Err(want), "{name}");
        }
        let path = "/api/v4/projects/%zz/jobs/7/artifacts";
        assert_eq!(get(path, None), Err(invalid("id")), "id of the project");
    }

    #[test]
    fn a_target_is_bounded_and_the_longest_path_fits() {
        let path = format!("{PROJECT}/jobs/7/artifacts/{}", "%61".repeat(MAX_ENTRY_PATH_LEN));
        for (len, fits) in
            [(MAX_TARGET_LEN - 1, true), (MAX_TARGET_LEN, true), (MAX_TARGET_LEN + 1, false)]
        {
            let query = "x".repeat(len - path.len() - 1);
            let got = get(&path, Some(&query));
            assert_eq!(got.is_ok(), fits, "{len}");
            assert!(fits || got == Err(Failure::TargetTooLong), "{len}");
        }
        let unknown = "/".repeat(MAX_TARGET_LEN + 1);
        assert_eq!(get(&unknown, None), Err(Failure::TargetTooLong));
    }

    #[test]
    fn the_query_goes_along_for_the_credential() {
        let path = format!("{PROJECT}/jobs/7/artifacts");
        let target = Target::parse(&Method::GET, &path, Some("private_token=t&path[]=a")).unwrap();
        let presented = find_presented(&http::HeaderMap::new(), &target.query).unwrap().unwrap();
        assert_eq!((presented.kind, presented.text.reveal()), (TokenKind::Access, "t"));
        assert_eq!(target.query.paths, ["a".into()]);
    }

    proptest! {
        #[test]
        fn never_panics(path in any::<String>(), query in proptest::option::of(any::<String>())) {
            let _ = Target::parse(&Method::GET, &path, query.as_deref());
            let _ = Target::parse(&Method::GET, &format!("/{path}"), query.as_deref());
        }

        #[test]
        fn every_reading_of_a_target_is_sound(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "/", "//", "raw", "/raw/", "main", "download", "tree", "..", ".", "%2e", "%2F",
                    "%2f", "%5c", "a", "C:", "%00", "%", "%ff", "jobs", "artifacts",
                ]),
                0..14,
            ),
        ) {
            let path = format!("{PROJECT}/jobs/artifacts/{}", pieces.concat());
            if let Ok(Route::LatestFile(file)) = get(&path, Some("job=x")) {
                prop_assert!(file.ref_names().all(|name| !name.is_empty()));
                let refs: Vec<String> = file.ref_names().map(str::to_owned).collect();
                for wanted in refs {
                    match file.choose(|name| name == wanted) {
                        Some(Choice::File(split)) => {
                            prop_assert_eq!(&*split.ref_name, &wanted);
                            let unified = split.path.as_str().replace('\\', "/");
                            prop_assert!(!unified.starts_with('/'));
                            let framed = format!("/{unified}/");
                            prop_assert!(!framed.contains("/../") && !framed.contains("/./"));
                        }
                        Some(Choice::Archive { ref_name }) => prop_assert_eq!(ref_name, &wanted),
                        None => prop_assert!(false, "{} is a reading", wanted),
                    }
                }
            }
        }
    }
}

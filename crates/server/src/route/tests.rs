//! Targets of every endpoint, as clients send them and as nobody should.

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
        Route::Health
        | Route::Ready
        | Route::Metrics
        | Route::OpenApi
        | Route::User
        | Route::Hook => label.to_owned(),
        Route::Options { allow } => format!("{label} {allow}"),
        Route::JobArchive { project, job_id, selection } => {
            format!("{label} {} {job_id}{}", key(project), show_selection(selection))
        }
        Route::JobFile { project, job_id, path } => {
            format!("{label} {} {job_id} {path}", key(project))
        }
        Route::LatestArchive(LatestArchive { project, ref_name, job, selection }) => {
            let selection = show_selection(selection);
            format!("{label} {} {ref_name} {}{selection}", key(project), show_job(job))
        }
        Route::JobTree { project, job_id, listing } => {
            format!("{label} {} {job_id} {}", key(project), show_listing(listing))
        }
        Route::LatestTree { latest: LatestTree { project, ref_name, job }, listing } => {
            let listing = show_listing(listing);
            format!("{label} {} {ref_name} {} {listing}", key(project), show_job(job))
        }
        Route::Keep { project, job_id } | Route::DeleteJobArtifacts { project, job_id } => {
            format!("{label} {} {job_id}", key(project))
        }
        Route::DeleteProjectArtifacts { project } => format!("{label} {}", key(project)),
        Route::Upload { job_id, parameters } => {
            let UploadParameters { expire_in, artifact_type, artifact_format } = parameters;
            let said = [expire_in, artifact_type, artifact_format];
            let said = said.map(|value| value.as_deref().unwrap_or("-"));
            format!("{label} {job_id} {}", said.join(", "))
        }
        Route::RunnerDownload { job_id, direct_download } => {
            format!("{label} {job_id}{}", if *direct_download { " direct" } else { "" })
        }
        Route::IngestProject { path } => format!("{label} {path}"),
        Route::IngestPipeline { project, id } | Route::IngestJob { project, id } => {
            format!("{label} {} {}", key(project), id.map_or("new".to_owned(), |id| id.to_string()))
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

fn show_selection(Selection(paths): &Selection) -> String {
    paths.iter().map(|path| format!(" [{path}]")).collect()
}

fn show_listing(Listing { path, recursive, page, per_page }: &Listing) -> String {
    let path = path.as_ref().map_or("/", EntryPath::as_str);
    format!("{path}{} {page}x{per_page}", if *recursive { "**" } else { "" })
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
            "A without the parameters of others",
            "/api/v4/projects/1/jobs/7/artifacts",
            "search_recent_successful_pipelines=x&raw=x&page=x&per_page=0&path=..&recursive=x",
            "job_archive 1 7",
        ),
        (
            "A with a lone question mark",
            "/api/v4/projects/1/jobs/7/artifacts",
            "",
            "job_archive 1 7",
        ),
        (
            "A, a selection",
            "/api/v4/projects/1/jobs/7/artifacts",
            "path[]=dist/&path[]=*.txt",
            "job_archive 1 7 [dist/] [*.txt]",
        ),
        (
            "B, a selection",
            "/api/v4/projects/1/jobs/artifacts/main/download",
            "path%5B%5D=a&job=build",
            "latest_archive 1 main build [a]",
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
        ("C, empty query", "/api/v4/projects/1/jobs/7/artifacts/a.txt", "", "job_file 1 7 a.txt"),
        ("C, slashes", "/api/v4/projects/1/jobs/7/artifacts//dist///a/", "", "job_file 1 7 dist/a"),
        ("C, a folder", "/api/v4/projects/1/jobs/7/artifacts/dist%2F", "", "job_file 1 7 dist/"),
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
        (
            "D without the parameters of others",
            "/api/v4/projects/1/jobs/artifacts/main/raw/a",
            "job=x&page=x&path=..&path[]=..&recursive=x&raw=x&direct_download=x",
            "latest_file 1 main a x",
        ),
        ("E", "/api/v4/projects/1/jobs/7/artifacts/tree", "", "job_tree 1 7 / 1x20"),
        (
            "E with a slash",
            "/api/v4/projects/g%2Fp/jobs/7/artifacts//tree/",
            "raw=false",
            "job_tree g/p 7 / 1x20",
        ),
        (
            "E, a folder",
            "/api/v4/projects/1/jobs/7/artifacts/tree",
            "path=a%2Fb+c/&recursive=true&page=2&per_page=1000&path[]=..&job=",
            "job_tree 1 7 a/b c** 2x100",
        ),
        (
            "E2",
            "/api/v4/projects/1/jobs/artifacts/main/tree",
            "job=build",
            "latest_tree 1 main build / 1x20",
        ),
        (
            "E2, slash of the ref raw",
            "/api/v4/projects/1/jobs/artifacts/feature/x/tree",
            "job=build&path=a&search_recent_successful_pipelines=1&raw=x",
            "latest_tree 1 feature/x build* a 1x20",
        ),
        (
            "E2 of a ref named tree",
            "/api/v4/projects/1/jobs/artifacts/tree/tree",
            "job=build",
            "latest_tree 1 tree build / 1x20",
        ),
        (
            "E2 of a ref named raw",
            "/api/v4/projects/1/jobs/artifacts/raw/tree",
            "job=build",
            "latest_tree 1 raw build / 1x20",
        ),
        (
            "E2 of a ref with an encoded raw",
            "/api/v4/projects/1/jobs/artifacts/a%2Fraw%2Fb/tree",
            "job=build",
            "latest_tree 1 a/raw/b build / 1x20",
        ),
        ("R", "/api/v4/jobs/7/artifacts", "", "runner_download 7"),
        (
            "R, direct",
            "/api/v4/jobs/7/artifacts",
            "direct_download=true&path[]=..",
            "runner_download 7 direct",
        ),
        ("user", "/api/v4/user", "", "user"),
        ("metrics", "/-/metrics", "x=%", "metrics"),
        ("description", "/-/openapi.json", "x=%", "openapi"),
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
        ("below metrics", "/-/metrics/x"),
        ("below user", "/api/v4/user/x"),
        ("below H", "/api/v4/projects/1/artifacts/x"),
        ("below U and R", "/api/v4/jobs/7/artifacts/x"),
        ("a runner's other requests", "/api/v4/jobs/request"),
        ("hooks alone", "/hooks"),
        ("hook of another", "/hooks/other"),
        ("ingest alone", "/ingest/v1/projects"),
        ("ingest, another version", "/ingest/v2/projects/g%2Fp"),
        ("ingest, something else", "/ingest/v1/projects/g%2Fp/jobs/7/x"),
        ("ingest, another word", "/ingest/v1/projects/g%2Fp/tokens"),
        ("ingest, slash of the project raw", "/ingest/v1/projects/g/p"),
    ];
    for (name, path) in rows {
        assert_eq!(get(path, Some("job=build")), Err(Failure::UnknownRoute), "{name}");
        if path != "*" {
            for method in [Method::OPTIONS, Method::POST, Method::PUT, Method::DELETE] {
                let got = Target::parse(&method, path, None).map(|target| target.route);
                assert_eq!(got, Err(Failure::UnknownRoute), "{name}, {method}");
            }
        }
    }
}

#[test]
fn every_method_of_a_path_has_its_route() {
    let rows = [
        ("F", Method::POST, "/api/v4/projects/1/jobs/7/artifacts/keep", "job=&page=x", "keep 1 7"),
        (
            "F with a slash",
            Method::POST,
            "/api/v4/projects/g%2Fp/jobs/7/artifacts/keep/",
            "",
            "keep g/p 7",
        ),
        (
            "G",
            Method::DELETE,
            "/api/v4/projects/1/jobs/7/artifacts",
            "path[]=..",
            "delete_job_artifacts 1 7",
        ),
        ("H", Method::DELETE, "/api/v4/projects/1/artifacts", "", "delete_project_artifacts 1"),
        (
            "H by path",
            Method::DELETE,
            "/api/v4/projects/g%2Fp/artifacts/",
            "",
            "delete_project_artifacts g/p",
        ),
        ("U", Method::POST, "/api/v4/jobs/7/artifacts", "", "upload 7 -, -, -"),
        (
            "U of a runner",
            Method::POST,
            "/api/v4/jobs/42/artifacts",
            "artifact_format=zip&artifact_type=archive&expire_in=1+week&direct_download=x",
            "upload 42 1 week, archive, zip",
        ),
        ("hook", Method::POST, "/hooks/gitlab", "", "hook"),
        ("project", Method::PUT, "/ingest/v1/projects/g%2Fp", "", "ingest_project g/p"),
        (
            "pipeline",
            Method::PUT,
            "/ingest/v1/projects/g%2Fp/pipelines/10",
            "",
            "ingest_pipeline g/p 10",
        ),
        (
            "pipeline without a number",
            Method::POST,
            "/ingest/v1/projects/g%2Fp/pipelines/",
            "",
            "ingest_pipeline g/p new",
        ),
        (
            "pipeline of a project by number",
            Method::POST,
            "/ingest/v1/projects/1/pipelines",
            "",
            "ingest_pipeline 1 new",
        ),
        ("job", Method::PUT, "/ingest/v1/projects/g%2Fp/jobs/100", "", "ingest_job g/p 100"),
        (
            "job without a number",
            Method::POST,
            "/ingest/v1/projects/g%2Fp/jobs",
            "",
            "ingest_job g/p new",
        ),
        (
            "job of an impossible project",
            Method::PUT,
            "/ingest/v1/projects/p/jobs/0",
            "",
            "ingest_job - 0",
        ),
    ];
    for (name, method, path, query, want) in rows {
        let target = Target::parse(&method, path, Some(query)).expect(name);
        assert_eq!(show(&target.route), want, "{name}");
    }
}

/// Every path of the contract once or more, with the methods that it has.
fn paths() -> Vec<(&'static str, String, &'static str)> {
    let reads = "GET, HEAD, OPTIONS";
    let job = format!("{PROJECT}/jobs/7/artifacts");
    let latest = format!("{PROJECT}/jobs/artifacts/main");
    let ingest = "/ingest/v1/projects/g%2Fp";
    vec![
        ("health", "/-/health".to_owned(), reads),
        ("ready", "/-/ready".to_owned(), reads),
        ("metrics", "/-/metrics".to_owned(), reads),
        ("description", "/-/openapi.json".to_owned(), reads),
        ("user", "/api/v4/user".to_owned(), reads),
        ("A and G", job.clone(), "GET, HEAD, DELETE, OPTIONS"),
        ("C", format!("{job}/a.txt"), reads),
        ("C with a bad path", format!("{job}/../x"), reads),
        ("C of a bad job", format!("{PROJECT}/jobs/x/artifacts/a"), reads),
        ("E", format!("{job}/tree"), reads),
        ("C below tree", format!("{job}/tree/x"), reads),
        ("C and F", format!("{job}/keep"), "GET, HEAD, POST, OPTIONS"),
        ("C below keep", format!("{job}/keep/x"), reads),
        ("C of a folder's keep", format!("{job}/a/keep"), reads),
        ("C of an encoded keep", format!("{job}/%6beep"), reads),
        ("B", format!("{latest}/download"), reads),
        ("D", format!("{latest}/raw/a"), reads),
        ("D with a bad path", format!("{latest}/raw/../x"), reads),
        ("D without a path", format!("{latest}/raw"), reads),
        ("D or E2", format!("{latest}/raw/tree"), reads),
        ("D of a keep", format!("{latest}/raw/keep"), reads),
        ("E2", format!("{latest}/tree"), reads),
        ("H", format!("{PROJECT}/artifacts"), "DELETE, OPTIONS"),
        ("U and R", "/api/v4/jobs/7/artifacts".to_owned(), "GET, HEAD, POST, OPTIONS"),
        ("hook", "/hooks/gitlab".to_owned(), "POST, OPTIONS"),
        ("ingest, project", ingest.to_owned(), "PUT, OPTIONS"),
        ("ingest, pipelines", format!("{ingest}/pipelines"), "POST, OPTIONS"),
        ("ingest, pipeline", format!("{ingest}/pipelines/1"), "PUT, OPTIONS"),
        ("ingest, jobs", format!("{ingest}/jobs"), "POST, OPTIONS"),
        ("ingest, job", format!("{ingest}/jobs/1"), "PUT, OPTIONS"),
    ]
}

#[test]
fn a_wrong_method_comes_before_what_is_wrong_with_the_target() {
    let names =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "BREW"];
    for (name, path, allow) in paths() {
        for method in names {
            let is_served = allow.split(", ").any(|allowed| allowed == method);
            let method: Method = method.parse().unwrap();
            let got = Target::parse(&method, &path, Some("job=%")).map(|target| target.route);
            if is_served {
                let got = got.err();
                assert!(
                    !matches!(got, Some(Failure::MethodNotAllowed { .. } | Failure::UnknownRoute)),
                    "{name}, {method}: {got:?}"
                );
            } else {
                assert_eq!(got, Err(Failure::MethodNotAllowed { allow }), "{name}, {method}");
            }
        }
    }
}

#[test]
fn options_names_the_methods_of_every_path() {
    for (name, path, allow) in paths() {
        let target = Target::parse(&Method::OPTIONS, &path, Some("job=%&job=%")).expect(name);
        assert_eq!(target.route, Route::Options { allow }, "{name}");
        assert!(!target.query.has_token(), "{name}");
    }
    let target = Target::parse(&Method::OPTIONS, "*", None).unwrap();
    let allow = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
    assert_eq!(target.route, Route::Options { allow }, "of the server");
    let long = "/".repeat(MAX_TARGET_LEN + 1);
    let got = Target::parse(&Method::OPTIONS, &long, None).map(|target| target.route);
    assert_eq!(got, Err(Failure::TargetTooLong));
}

#[test]
fn a_bad_target_is_refused_before_anything_is_looked_up() {
    let invalid = |name| Failure::ParameterInvalid { name };
    let missing = Failure::ParameterMissing { name: "job" };
    let path_rule = Failure::ArtifactPath;
    let (job, latest) = ("jobs/7/artifacts", "jobs/artifacts/main");
    let rows = [
        ("A, job id", "jobs/abc/artifacts".to_owned(), None, invalid("job_id")),
        ("A, job id too large", format!("jobs/{}/artifacts", u64::MAX), None, invalid("job_id")),
        ("C, job id before the path", "jobs/-1/artifacts/..".to_owned(), None, invalid("job_id")),
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
        ("C, an encoded slash alone", format!("{job}/%2F"), None, path_rule(PathRule::Absolute)),
        ("C, tree with a bad boolean", format!("{job}/tree"), Some("raw=2"), invalid("raw")),
        ("B, no job", format!("{latest}/download"), None, missing.clone()),
        ("B, empty job", format!("{latest}/download"), Some("job="), missing.clone()),
        (
            "B, boolean",
            format!("{latest}/download"),
            Some("job=x&search_recent_successful_pipelines=maybe"),
            invalid("search_recent_successful_pipelines"),
        ),
        ("B, ref", "jobs/artifacts/%ff/download".to_owned(), Some("job=x"), invalid("ref_name")),
        (
            "B, ref of dots",
            "jobs/artifacts/../download".to_owned(),
            Some("job=x"),
            invalid("ref_name"),
        ),
        ("A, path[]", job.to_owned(), Some("path[]="), path_rule(PathRule::Empty)),
        (
            "A, path[] of dots",
            job.to_owned(),
            Some("path[]=a/../b"),
            path_rule(PathRule::DotSegment),
        ),
        (
            "A, job id before path[]",
            "jobs/x/artifacts".to_owned(),
            Some("path[]="),
            invalid("job_id"),
        ),
        ("B, job before path[]", format!("{latest}/download"), Some("path[]="), missing.clone()),
        (
            "B, path[]",
            format!("{latest}/download"),
            Some("path[]=/etc&job=x"),
            path_rule(PathRule::Absolute),
        ),
        ("E, page", format!("{job}/tree"), Some("page=0&path=.."), invalid("page")),
        ("E, per_page", format!("{job}/tree"), Some("per_page=0"), invalid("per_page")),
        ("E, recursive", format!("{job}/tree"), Some("recursive=2"), invalid("recursive")),
        ("E, path", format!("{job}/tree"), Some("path=.."), path_rule(PathRule::DotSegment)),
        ("E, raw before the page", format!("{job}/tree"), Some("raw=2&page=0"), invalid("raw")),
        (
            "E, repeated page",
            format!("{job}/tree"),
            Some("page=1&page=1"),
            Failure::ParameterRepeated { name: "page" },
        ),
        ("E2, no job", format!("{latest}/tree"), Some("page=0"), missing.clone()),
        ("E2, page", format!("{latest}/tree"), Some("job=x&page=0"), invalid("page")),
        ("E2, ref", "jobs/artifacts/./tree".to_owned(), Some("job=x"), invalid("ref_name")),
        ("E2 or D, page", format!("{latest}/raw/x/tree"), Some("job=x&page=0"), invalid("page")),
        (
            "E2, dots behind a raw of the ref",
            format!("{latest}/raw/../tree"),
            Some("job=x"),
            path_rule(PathRule::DotSegment),
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
fn a_bad_change_is_refused_before_anything_is_looked_up() {
    let invalid = |name| Failure::ParameterInvalid { name };
    let (id, job_id, pipeline_id) = (invalid("id"), invalid("job_id"), invalid("pipeline_id"));
    let repeated = Failure::ParameterRepeated { name: "private_token" };
    let rows = [
        ("F, job", Method::POST, "/api/v4/projects/1/jobs/x/artifacts/keep", job_id.clone()),
        ("F, project first", Method::POST, "/api/v4/projects/%/jobs/x/artifacts/keep", id.clone()),
        (
            "F, repeated",
            Method::POST,
            "/api/v4/projects/1/jobs/7/artifacts/keep?private_token=a&private_token=a",
            repeated,
        ),
        ("G, job", Method::DELETE, "/api/v4/projects/1/jobs/-7/artifacts", job_id.clone()),
        ("H, project", Method::DELETE, "/api/v4/projects/%ff/artifacts", id.clone()),
        ("U, job", Method::POST, "/api/v4/jobs/x/artifacts", job_id.clone()),
        (
            "U, parameter",
            Method::POST,
            "/api/v4/jobs/7/artifacts?expire_in=%ff",
            invalid("expire_in"),
        ),
        ("R, job", Method::GET, "/api/v4/jobs/x/artifacts?direct_download=x", job_id.clone()),
        (
            "R, boolean",
            Method::GET,
            "/api/v4/jobs/7/artifacts?direct_download=x",
            invalid("direct_download"),
        ),
        ("user, query", Method::GET, "/api/v4/user?x=%", invalid("query")),
        ("hook, query", Method::POST, "/hooks/gitlab?x=%", invalid("query")),
        ("project by number", Method::PUT, "/ingest/v1/projects/7", id.clone()),
        ("project without a group", Method::PUT, "/ingest/v1/projects/app", id.clone()),
        ("project, malformed", Method::PUT, "/ingest/v1/projects/%zz", id.clone()),
        ("pipelines, project", Method::POST, "/ingest/v1/projects/%zz/pipelines", id.clone()),
        ("pipeline", Method::PUT, "/ingest/v1/projects/g%2Fp/pipelines/x", pipeline_id),
        ("job", Method::PUT, "/ingest/v1/projects/g%2Fp/jobs/x", job_id),
        ("job, project first", Method::PUT, "/ingest/v1/projects/%zz/jobs/x", id),
    ];
    for (name, method, target, want) in rows {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let got = Target::parse(&method, path, Some(query)).map(|target| target.route);
        assert_eq!(got, Err(want), "{name}");
    }
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
    let target = Target::parse(&Method::GET, &path, Some("private_token=t")).unwrap();
    let presented = find_presented(&http::HeaderMap::new(), &target.query).unwrap().unwrap();
    assert_eq!((presented.kind, presented.text.reveal()), (TokenKind::Access, "t"));
}

proptest! {
    #[test]
    fn never_panics(path in any::<String>(), query in proptest::option::of(any::<String>())) {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let _ = Target::parse(&method, &path, query.as_deref());
            let _ = Target::parse(&method, &format!("/{path}"), query.as_deref());
        }
    }

    #[test]
    fn a_path_answers_every_method_alike(
        segments in prop::collection::vec(
            prop::sample::select(vec![
                "-", "health", "api", "v4", "user", "projects", "jobs", "artifacts", "keep",
                "tree", "raw", "download", "ingest", "v1", "pipelines", "hooks", "gitlab", "1",
                "g%2Fp", "", "..", "%",
            ]),
            0..9,
        ),
        is_api in any::<bool>(),
    ) {
        let prefix = if is_api { "/api/v4/projects/1/jobs/" } else { "/" };
        let path = format!("{prefix}{}", segments.join("/"));
        let parse = |method: &Method| Target::parse(method, &path, None).map(|t| t.route);
        let options = parse(&Method::OPTIONS);
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
            match (&options, parse(&method)) {
                (Ok(Route::Options { allow }), Err(Failure::MethodNotAllowed { allow: other })) => {
                    prop_assert_eq!(*allow, other);
                    prop_assert!(!allow.split(", ").any(|name| name == method.as_str()));
                }
                (Ok(Route::Options { allow }), got) => {
                    prop_assert_ne!(got, Err(Failure::UnknownRoute));
                    prop_assert!(allow.split(", ").any(|name| name == method.as_str()));
                }
                (options, got) => {
                    prop_assert_eq!(options, &Err(Failure::UnknownRoute));
                    prop_assert_eq!(got, Err(Failure::UnknownRoute));
                }
            }
        }
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
                    Some(Choice::Archive { ref_name, .. } | Choice::Tree { ref_name, .. }) => {
                        prop_assert_eq!(ref_name, &wanted);
                    }
                    None => prop_assert!(false, "{} is a reading", wanted),
                }
            }
        }
    }
}

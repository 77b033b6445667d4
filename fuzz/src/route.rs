//! Arbitrary bytes as the head of a request: its line and fields read as hyper reads them, then the
//! target to a route.
//!
//! 1. Nothing panics, and a refusal is one of the API's failures.
//! 2. A target is decoded once: the artifact path is what one plain decoding of its part gives.
//! 3. No path that is let through has a `.` or `..` segment, a control character, or is absolute.
//! 4. The same route comes of its own canonical targets, in which nothing or every byte is encoded.
//! 5. A parameter that may hold a token is never shown, and never in the address of another page.
//! 6. An authority that is let through is well-formed, and the only one.

use entryway_server::api::authority;
use entryway_server::reply::Failure;
use entryway_server::route::{
    Choice, EntryPath, JobByName, LatestFile, Listing, MAX_ENTRY_PATH_LEN, MAX_PER_PAGE,
    MAX_SELECTED, MAX_SPLITS, MAX_TARGET_LEN, ProjectKey, Route, Selection, Split, Target,
    find_presented, redacted, without_page_and_tokens,
};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

/// Fields of a head, at most; hyper is told so too.
const FIELDS_MAX: usize = 64;

/// Checks one input.
///
/// # Panics
/// Where a promise is broken: a finding.
pub fn check(input: &[u8]) {
    if let Some(head) = parse_head(input) {
        let (path, query) = (head.uri.path(), head.uri.query());
        check_target(&head.method, path, query, &head.headers);
        check_authority(&head);
    }
    // And a target that no HTTP parser lets through.
    let line = input.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let target = line.split_once(' ').map_or(&*line, |(_, target)| target);
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    check_target(&Method::GET, path, query, &HeaderMap::new());
    check_path(path);
}

/// The head of a request as hyper makes it out of what httparse has read.
fn parse_head(input: &[u8]) -> Option<Parts> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    if !parsed.parse(input).ok()?.is_complete() {
        return None;
    }
    let method = Method::from_bytes(parsed.method?.as_bytes()).ok()?;
    let uri = Uri::try_from(parsed.path?.as_bytes()).ok()?;
    let version = if parsed.version? == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut request = Request::builder().method(method).uri(uri).version(version);
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        request = request.header(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// One plain percent-decoding (RFC 3986 2.1), of what is known to be well-formed.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        let mut digit = || {
            let digit = rest.next().and_then(|&digit| char::from(digit).to_digit(16));
            digit.expect("let through with a malformed escape") as u8
        };
        bytes.push(if byte == b'%' { digit() << 4 | digit() } else { byte });
    }
    String::from_utf8(bytes).expect("let through without being UTF-8")
}

fn check_target(method: &Method, path: &str, query: Option<&str>, headers: &HeaderMap) {
    if let Some(query) = query {
        check_redaction(query);
    }
    let target = match Target::parse(method, path, query) {
        Ok(target) => target,
        Err(failure) => {
            assert!(matches!(failure.status().as_u16(), 400 | 404 | 405 | 414), "{failure:?}");
            return;
        }
    };
    assert!(path.len() + query.map_or(0, |query| 1 + query.len()) <= MAX_TARGET_LEN);
    if let Ok(Some(presented)) = find_presented(headers, &target.query) {
        let text = presented.text.reveal();
        assert!(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(format!("{:?}", presented.text), "[redacted]");
    }
    check_route(&target.route);
    check_decoding(&target.route, path);
    for encode in [as_it_is, every_byte] {
        let Some((method, again)) = canonical(&target.route, encode) else { continue };
        if again.len() > MAX_TARGET_LEN {
            continue;
        }
        let (path, query) = again.split_once('?').unwrap_or((&again, ""));
        let again = Target::parse(&method, path, Some(query));
        let again = again.unwrap_or_else(|failure| panic!("{path}?{query}: {failure:?}"));
        assert_eq!(again.route, target.route, "{path}?{query}");
    }
}

/// What a route promises of its parts.
fn check_route(route: &Route) {
    match route {
        Route::JobFile { path, job_id, .. } => {
            assert!(*job_id >= 0);
            check_entry_path(path);
        }
        Route::JobTree { listing, .. } => check_listing(listing),
        Route::LatestTree { latest, listing } => {
            check_ref(&latest.ref_name);
            check_listing(listing);
        }
        Route::JobArchive { selection, .. } => check_selection(selection),
        Route::LatestArchive(latest) => {
            check_ref(&latest.ref_name);
            check_selection(&latest.selection);
            assert!(!latest.job.name.is_empty() && !latest.job.name.contains('\0'));
        }
        Route::LatestFile(latest) => check_readings(latest),
        _ => {}
    }
    if let Some(ProjectKey::Path(path)) = project(route) {
        assert!(path.split('/').count() > 1);
        assert!(path.split('/').all(|segment| !matches!(segment, "" | "." | "..")));
        assert!(!path.contains(['%', '\\', '\0', ' ']));
    }
}

fn check_entry_path(path: &EntryPath) {
    assert!(!path.as_str().is_empty() && path.as_str().len() <= MAX_ENTRY_PATH_LEN);
    check_text(path.as_str());
}

/// Neither climbing nor absolute nor with a control character, whoever reads it.
fn check_text(path: &str) {
    assert!(!path.chars().any(|c| c < ' ' || ('\u{7f}'..='\u{9f}').contains(&c)), "{path:?}");
    assert!(!path.split(['/', '\\']).any(|part| part == "." || part == ".."), "{path:?}");
    assert!(!path.starts_with(['/', '\\']), "{path:?}");
    let drive = path.as_bytes().get(..3);
    let is_drive = drive.is_some_and(|drive| {
        drive[0].is_ascii_alphabetic() && drive[1] == b':' && matches!(drive[2], b'/' | b'\\')
    });
    assert!(!is_drive, "{path:?}");
}

fn check_ref(ref_name: &str) {
    assert!(!ref_name.is_empty() && !ref_name.chars().any(char::is_control), "{ref_name:?}");
    assert!(!ref_name.split('/').any(|part| part == "." || part == ".."), "{ref_name:?}");
}

fn check_listing(listing: &Listing) {
    assert!(listing.page >= 1 && (1..=MAX_PER_PAGE).contains(&listing.per_page));
    if let Some(path) = &listing.path {
        check_entry_path(path);
        assert!(!path.as_str().ends_with('/'));
    }
}

fn check_selection(selection: &Selection) {
    assert!(selection.0.len() <= MAX_SELECTED);
    for path in &selection.0 {
        check_text(path);
    }
}

/// Every reading of a target is the same text, cut at another place.
fn check_readings(latest: &LatestFile) {
    let refs: Vec<&str> = latest.ref_names().collect();
    assert!((1..=MAX_SPLITS + 1).contains(&refs.len()));
    assert!(latest.choose(|_| false).is_none());
    let mut asked = Vec::new();
    let _ = latest.choose(|name| {
        asked.push(name.to_owned());
        false
    });
    assert_eq!(asked, refs);
    let mut wholes = Vec::new();
    for name in &refs {
        check_ref(name);
        match latest.choose(|asked| asked == *name) {
            Some(Choice::File(Split { ref_name, path })) => {
                check_entry_path(path);
                wholes.push(format!("{ref_name}/raw/{path}"));
            }
            Some(Choice::Archive { ref_name, selection }) => {
                check_selection(selection);
                wholes.push(format!("{ref_name}/download"));
            }
            Some(Choice::Tree { ref_name, listing }) => {
                check_listing(listing);
                wholes.push(format!("{ref_name}/tree"));
            }
            None => panic!("{name} was asked for"),
        }
    }
    assert!(wholes.windows(2).all(|pair| pair[0] == pair[1]), "{wholes:?}");
    let only = latest.unambiguous().map(|split| &*split.ref_name);
    assert_eq!(only, if refs.len() == 1 { refs.first().copied() } else { None });
}

/// The path is its part of the target, decoded once.
fn check_decoding(route: &Route, path: &str) {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match route {
        Route::JobFile { path, .. } => assert_eq!(path.as_str(), decoded(&segments[7..].join("/"))),
        Route::LatestFile(latest) => {
            let text = decoded(&segments[6..].join("/"));
            if let Some(Split { ref_name, path }) = latest.unambiguous() {
                assert_eq!(text, format!("{ref_name}/raw/{path}"));
            }
        }
        Route::LatestArchive(latest) => {
            assert_eq!(format!("{}/download", latest.ref_name), decoded(&segments[6..].join("/")));
        }
        _ => {}
    }
    if let Some(ProjectKey::Path(path)) = project(route) {
        assert_eq!(**path, decoded(segments[3]));
    }
}

fn project(route: &Route) -> Option<&ProjectKey> {
    match route {
        Route::JobArchive { project, .. }
        | Route::JobFile { project, .. }
        | Route::JobTree { project, .. }
        | Route::Keep { project, .. }
        | Route::DeleteJobArtifacts { project, .. }
        | Route::DeleteProjectArtifacts { project }
        | Route::IngestPipeline { project, .. }
        | Route::IngestJob { project, .. } => Some(project),
        Route::LatestArchive(latest) => Some(&latest.project),
        Route::LatestFile(latest) => Some(&latest.project),
        Route::LatestTree { latest, .. } => Some(&latest.project),
        Route::Health
        | Route::Ready
        | Route::Metrics
        | Route::OpenApi
        | Route::Options { .. }
        | Route::User
        | Route::Upload { .. }
        | Route::RunnerDownload { .. }
        | Route::Hook
        | Route::IngestProject { .. } => None,
    }
}

/// How a text is put into a target.
type Encode = fn(&str) -> String;

/// Escapes what has to be, and the slash, which would separate.
fn as_it_is(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    escaped(text, is_plain)
}

/// Escapes every byte.
fn every_byte(text: &str) -> String {
    escaped(text, |_| false)
}

fn escaped(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let escape = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// A method and a target that mean this route and no other; `None` where there is none, or several
/// readings.
fn canonical(route: &Route, encode: Encode) -> Option<(Method, String)> {
    let id = match project(route) {
        Some(ProjectKey::Id(id)) => encode(&id.to_string()),
        Some(ProjectKey::Path(path)) => encode(path),
        Some(ProjectKey::NoSuch) => return None,
        None => String::new(),
    };
    let jobs = format!("/api/v4/projects/{id}/jobs");
    let by_name = |job: &JobByName| {
        let recent = job.search_recent_successful_pipelines;
        format!("job={}&search_recent_successful_pipelines={recent}", encode(&job.name))
    };
    let selected = |selection: &Selection| -> String {
        selection.0.iter().map(|path| format!("&path[]={}", encode(path))).collect()
    };
    let listed = |listing: &Listing| {
        let Listing { path, recursive, page, per_page } = listing;
        let path = path.as_ref().map_or(String::new(), |path| encode(path.as_str()));
        format!("&path={path}&recursive={recursive}&page={page}&per_page={per_page}")
    };
    let target = match route {
        Route::JobFile { job_id, path, .. } => {
            // The words of a path count only as they are written.
            let is_word = matches!(path.as_str(), "tree" | "keep");
            let path = if is_word { every_byte(path.as_str()) } else { encode(path.as_str()) };
            format!("{jobs}/{job_id}/artifacts/{path}")
        }
        Route::LatestFile(latest) => {
            let Split { ref_name, path } = latest.unambiguous()?;
            // A ref or a path that is a word is none where it is encoded.
            let path = every_byte(path.as_str());
            format!("{jobs}/artifacts/{}/raw/{path}?{}", encode(ref_name), by_name(&latest.job))
        }
        Route::JobArchive { job_id, selection, .. } => {
            format!("{jobs}/{job_id}/artifacts?{}", selected(selection))
        }
        Route::LatestArchive(latest) => format!(
            "{jobs}/artifacts/{}/download?{}{}",
            encode(&latest.ref_name),
            by_name(&latest.job),
            selected(&latest.selection)
        ),
        Route::JobTree { job_id, listing, .. } => {
            format!("{jobs}/{job_id}/artifacts/tree?{}", listed(listing))
        }
        Route::LatestTree { latest, listing } => format!(
            "{jobs}/artifacts/{}/tree?{}{}",
            encode(&latest.ref_name),
            by_name(&latest.job),
            listed(listing)
        ),
        _ => return None,
    };
    Some((Method::GET, target))
}

/// The text behind `/raw/` alone.
fn check_path(text: &str) {
    if let Ok(path) = EntryPath::parse(text) {
        check_entry_path(&path);
        assert_eq!(EntryPath::parse(&as_it_is(path.as_str())).as_ref(), Ok(&path));
        assert_eq!(EntryPath::parse(&every_byte(path.as_str())).as_ref(), Ok(&path));
    }
}

/// Whether a parameter's name, as the server reads it, may be that of a token.
fn names_token(name: &str) -> bool {
    let spaced = name.replace('+', " ");
    let mut bytes = Vec::new();
    let mut rest = spaced.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits: Vec<u8> = rest.by_ref().take(2).copied().collect();
        let value = std::str::from_utf8(&digits)
            .ok()
            .filter(|digits| digits.len() == 2 && digits.bytes().all(|d| d.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        // What cannot be decoded could be anything.
        let Some(value) = value else { return true };
        bytes.push(value);
    }
    std::str::from_utf8(&bytes).map_or(true, |name| name.to_ascii_lowercase().contains("token"))
}

fn check_redaction(query: &str) {
    let shown = redacted(query);
    for pair in shown.split('&') {
        let mut parts = pair.split(';');
        if let Some((name, value)) = parts.next().and_then(|part| part.split_once('=')) {
            assert!(value == "[redacted]" || !names_token(name), "{pair:?} is shown");
        }
    }
    assert_eq!(redacted(&shown), shown, "what is shown hides more when it is hidden again");
    let address = without_page_and_tokens(query);
    if let Ok(Target { query, .. }) = Target::parse(&Method::GET, "/api/v4/user", Some(&address)) {
        assert!(!query.has_token(), "{address:?} has a token");
    }
}

fn check_authority(head: &Parts) {
    let hosts: Vec<&HeaderValue> = head.headers.get_all(HOST).iter().collect();
    match authority::check(head) {
        Ok(()) => {
            assert!(hosts.len() <= 1, "{hosts:?}");
            let is_bare = |host: &HeaderValue| {
                !host.as_bytes().iter().any(|byte| b" /?#@\\\t".contains(byte))
            };
            assert!(hosts.iter().all(|host| is_bare(host)), "{hosts:?}");
            if let (Some(target), Some(host)) = (head.uri.authority(), hosts.first()) {
                let host = String::from_utf8_lossy(host.as_bytes()).to_ascii_lowercase();
                assert!(host.starts_with(&target.host().to_ascii_lowercase()), "{host} {target}");
            }
            assert!(!hosts.is_empty() || head.version != Version::HTTP_11, "no authority");
        }
        Err(failure) => {
            assert_eq!(failure, Failure::AuthorityInvalid);
            assert!(!authority::is_plain(head), "one that is plain is let through");
        }
    }
}

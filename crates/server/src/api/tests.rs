//! Whole requests without a socket, over a real folder: what they cost, and when what is remembered
//! of them stops to count.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use entryway::{Limits, Profile};
use entryway_testkit::builder::{Archive as Zip, Entry};
use http::request::Parts;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::{App, Memo, UploadTerms};
use crate::archives::{Archives, CacheBounds};
use crate::catalog::{
    Catalog, NewToken, ProjectPrefix, PushTarget, TokenId, UtcMillis, Visibility,
};
use crate::credential::{Role, Scope, TokenSecret};
use crate::ingest::{IngestError, Ingested, Intake};
use crate::store::Store;
use crate::upload::RequestBody;

const FILE: &str = "/api/v4/projects/group%2Fapp/jobs/artifacts/main/raw/a.txt?job=build";

/// A folder that is served, with the memo of one core.
pub(crate) struct Folder {
    pub(crate) app: Arc<App>,
    store: Store,
    memo: Arc<Memo>,
    folder: TempDir,
}

struct Reply {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Folder {
    pub(crate) async fn new() -> Self {
        Self::with_log(false).await
    }

    async fn with_log(access_log: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let catalog = Arc::new(Catalog::open(folder.path()).await.unwrap());
        let watched = Arc::clone(&catalog);
        tokio::spawn(async move { watched.watch().await });
        while catalog.trusted_generation().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let control = Handle::current();
        let archives = Archives::new(
            store.clone(),
            Limits::default(),
            CacheBounds::default(),
            control.clone(),
        );
        let app =
            Arc::new(App::new(catalog, archives, control, access_log, UploadTerms::default()));
        Self { app, store, memo: Arc::default(), folder }
    }

    /// Stores an archive with `a.txt` of this content, deflated, and a large `b.bin`.
    async fn push(&self, content: &str, visibility: Visibility) -> Ingested {
        let large = entryway_testkit::fixtures::noise(300_000, 7);
        let zip = Zip::new()
            .entry(Entry::deflated("a.txt", content.as_bytes()))
            .entry(Entry::stored("b.bin", &large));
        self.push_archive(&zip, visibility).await
    }

    pub(crate) async fn push_archive(&self, zip: &Zip, visibility: Visibility) -> Ingested {
        self.try_push(zip, visibility).await.unwrap()
    }

    async fn try_push(&self, zip: &Zip, visibility: Visibility) -> Result<Ingested, IngestError> {
        let path = self.folder.path().join("pushed.zip");
        std::fs::write(&path, zip.build()).unwrap();
        let (app, store) = (Arc::clone(&self.app), self.store.clone());
        let control = Handle::current();
        let ingest = move || {
            let intake = Intake {
                store: &store,
                catalog: app.catalog(),
                runtime: &control,
                policy: Limits::default().into(),
                profile: Profile::Serve,
            };
            let target = PushTarget {
                project: &"group/app".parse().unwrap(),
                visibility: Some(visibility),
                ref_name: "main",
                job: "build",
                pipeline: None,
            };
            intake.ingest(&path, &target, None, None, &mut |_| {})
        };
        tokio::task::spawn_blocking(ingest).await.unwrap()
    }

    async fn fetch(&self, target: &str, fields: &[(&str, &str)]) -> Reply {
        let answer =
            self.app.answer(head(target, fields), RequestBody::none(), &self.memo).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: head.status, headers: head.headers, body }
    }

    /// The answer, if the memo alone has it.
    fn remembered(&self, target: &str, fields: &[(&str, &str)]) -> Option<StatusCode> {
        let answer = self.memo.answer(self.app.catalog(), &head(target, fields));
        answer.map(|answer| answer.status())
    }

    async fn token(&self, expires_at: Option<UtcMillis>) -> (TokenSecret, TokenId) {
        let secret = TokenSecret::generate().unwrap();
        let prefix: ProjectPrefix = "group".parse().unwrap();
        let token = NewToken {
            digest: &secret.digest(),
            name: "t",
            prefix: &prefix,
            role: Role::Reporter,
            scopes: [Scope::ReadApi].into_iter().collect(),
            expires_at,
            now: UtcMillis::now(),
        };
        let id = self.app.catalog().create_token(&token).await.unwrap();
        (secret, id)
    }

    /// Asks until an answer shows what is expected of it: something in the background is under way.
    async fn fetch_until(
        &self,
        target: &str,
        fields: &[(&str, &str)],
        expected: impl Fn(&Reply) -> bool,
    ) {
        for _ in 0..2_000 {
            if expected(&self.fetch(target, fields).await) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{target} never came to be as expected");
    }
}

/// Where the data of `a.txt` starts: behind a local header of 30 bytes and a name of 5.
const A_TXT_DATA: usize = 35;

/// Writes over a file of the store.
fn damage(path: &Path, damage: impl FnOnce(&mut [u8])) {
    use std::os::unix::fs::PermissionsExt;

    let mut bytes = std::fs::read(path).unwrap();
    damage(&mut bytes);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn head(target: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::get(target).header(header::HOST, "localhost:8080");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_request_opens_no_file_and_runs_no_sql() {
    let folder = Folder::new().await;
    folder.push("hello", Visibility::Public).await;
    let (secret, _) = folder.token(None).await;
    let token = [("private-token", secret.expose())];
    let targets: [(&str, &[(&str, &str)]); 5] = [
        (FILE, &[]),
        (FILE, &token),
        (FILE, &[("accept-encoding", "gzip")]),
        ("/api/v4/projects/1/jobs/1/artifacts/a.txt", &[]),
        ("/api/v4/projects/1/jobs/artifacts/main/raw/b.bin?job=build", &[("range", "bytes=5-9")]),
    ];
    for (target, fields) in targets {
        // The watch sees this process's own writes once more; then everything stays warm.
        let mut is_warm = false;
        for _ in 0..200 {
            folder.fetch(target, fields).await;
            let before = (folder.app.catalog().statements(), folder.app.archives().opened());
            let reply = folder.fetch(target, fields).await;
            assert!(reply.status.is_success(), "{target}");
            if before == (folder.app.catalog().statements(), folder.app.archives().opened())
                && folder.remembered(target, fields) == Some(reply.status)
            {
                is_warm = true;
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(is_warm, "{target} {fields:?} does not get warm");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_answers_as_what_is_looked_up() {
    let folder = Folder::new().await;
    folder.push(&"line of text\n".repeat(50), Visibility::Public).await;
    let etag = folder.fetch(FILE, &[]).await.headers["etag"].to_str().unwrap().to_owned();
    let fields: [&[(&str, &str)]; 8] = [
        &[],
        &[("accept-encoding", "gzip, br")],
        &[("accept-encoding", "identity;q=0")],
        &[("range", "bytes=3-8")],
        &[("range", "bytes=0-1,5-6")],
        &[("range", "bytes=9999-")],
        &[("if-none-match", &etag)],
        &[("if-match", "\"other\"")],
    ];
    for fields in fields {
        let fresh = Memo::default();
        let looked_up = folder
            .app
            .answer(head(FILE, fields), RequestBody::none(), &Arc::new(fresh))
            .await
            .unwrap();
        let (looked_up, body) = looked_up.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        folder.fetch(FILE, &[]).await;
        let reply = folder.fetch(FILE, fields).await;
        assert_eq!(reply.status, looked_up.status, "{fields:?}");
        assert_eq!(reply.headers, looked_up.headers, "{fields:?}");
        assert_eq!(reply.body, body, "{fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_is_seen_by_the_next_request_whatever_was_remembered() {
    let folder = Folder::new().await;
    for round in 0..5 {
        let content = format!("round {round}");
        folder.push(&content, Visibility::Public).await;
        for _ in 0..3 {
            assert_eq!(folder.fetch(FILE, &[]).await.body, content);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_is_remembered_no_longer() {
    let folder = Folder::new().await;
    folder.push("secret", Visibility::Private).await;
    let (revoked, id) = folder.token(None).await;
    let in_a_moment = UtcMillis::now().after(Duration::from_millis(400));
    let (expiring, _) = folder.token(Some(in_a_moment)).await;
    for secret in [&revoked, &expiring] {
        let reply = folder.fetch(FILE, &[("private-token", secret.expose())]).await;
        assert_eq!(reply.status, StatusCode::OK);
    }
    assert_eq!(folder.fetch(FILE, &[]).await.status, StatusCode::NOT_FOUND, "nobody's memo");

    folder.app.catalog().revoke_token(id, UtcMillis::now()).await.unwrap();
    let reply = folder.fetch(FILE, &[("private-token", revoked.expose())]).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    let fields = [("private-token", expiring.expose())];
    folder.fetch_until(FILE, &fields, |reply| reply.status == StatusCode::UNAUTHORIZED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_in_the_query_is_looked_at_each_time() {
    let folder = Folder::new().await;
    folder.push("secret", Visibility::Private).await;
    let (secret, _) = folder.token(None).await;
    let target = format!("{FILE}&private_token={}", secret.expose());
    for _ in 0..3 {
        assert_eq!(folder.fetch(&target, &[]).await.status, StatusCode::OK);
        assert_eq!(folder.remembered(&target, &[]), None);
    }
    let wrong = format!("{FILE}&private_token=wrong");
    assert_eq!(folder.fetch(&wrong, &[]).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_sidecar_only_means_unverified_until_it_is_made_again() {
    let folder = Folder::new().await;
    let ingested = folder.push("hello", Visibility::Public).await;
    let sidecar = folder.store.sidecar_path(&ingested.published.sha256);
    std::fs::remove_file(&sidecar).unwrap();

    let target = "/api/v4/projects/1/jobs/1/artifacts/a.txt";
    let both = [("accept-encoding", "gzip"), ("range", "bytes=1-2")];
    let first = folder.fetch(target, &both).await;
    assert_eq!((first.status, &first.body[..]), (StatusCode::OK, &b"hello"[..]));
    assert_eq!(first.headers["cache-control"], "public, no-cache");
    assert!(!first.headers.contains_key("content-encoding"));

    folder
        .fetch_until(target, &both, |reply| {
            reply.status == StatusCode::PARTIAL_CONTENT && reply.body == "el"
        })
        .await;
    assert!(sidecar.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_was_written_to_is_never_sent_as_what_it_was() {
    let folder = Folder::new().await;
    let ingested = folder.push("hello hello hello", Visibility::Public).await;
    damage(&ingested.published.path, |bytes| bytes[A_TXT_DATA] ^= 0x40);

    for fields in [&[][..], &[("accept-encoding", "gzip")], &[("range", "bytes=0-3")]] {
        let reply = folder.fetch(FILE, fields).await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{fields:?}");
    }
    let other = FILE.replace("a.txt", "b.bin");
    assert_eq!(folder.fetch(&other, &[]).await.body.len(), 300_000, "the rest arrives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_archive_is_gone() {
    let folder = Folder::new().await;
    let ingested = folder.push("hello", Visibility::Public).await;
    std::fs::remove_file(&ingested.published.path).unwrap();
    assert_eq!(folder.fetch(FILE, &[]).await.status, StatusCode::GONE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_64_fields_are_too_many_warm_or_not() {
    let folder = Folder::new().await;
    folder.push("hello", Visibility::Public).await;
    // One more is Host.
    let many: Vec<(&str, &str)> = vec![("x-field", "1"); 64];
    for _ in 0..3 {
        let reply = folder.fetch(FILE, &many).await;
        assert_eq!(reply.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_eq!(folder.fetch(FILE, &many[1..]).await.status, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_of_an_earlier_opening_is_not_remembered() {
    let folder = Folder::new().await;
    let ingested = folder.push("hello", Visibility::Public).await;
    while folder.remembered(FILE, &[]).is_none() {
        folder.fetch(FILE, &[]).await;
    }
    let open = folder.app.archives().open(&ingested.published.sha256).await.unwrap();
    open.retire();
    assert_eq!(folder.remembered(FILE, &[]), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_sidecar_only_means_unverified_until_it_is_made_again() {
    let folder = Folder::new().await;
    let ingested = folder.push("hello", Visibility::Public).await;
    let sidecar = folder.store.sidecar_path(&ingested.published.sha256);
    // The first page is good, and with it the opening.
    damage(&sidecar, |bytes| bytes.iter_mut().skip(4_096).for_each(|byte| *byte ^= 1));

    let target = "/api/v4/projects/1/jobs/1/artifacts/a.txt";
    let first = folder.fetch(target, &[]).await;
    assert_eq!((first.status, &first.body[..]), (StatusCode::OK, &b"hello"[..]));
    assert_eq!(first.headers["cache-control"], "public, no-cache");
    let part = [("range", "bytes=1-2")];
    folder.fetch_until(target, &part, |reply| reply.status == StatusCode::PARTIAL_CONTENT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_while_it_is_open_is_opened_anew() {
    let folder = Folder::new().await;
    let ingested = folder.push("hello", Visibility::Public).await;
    let large = FILE.replace("a.txt", "b.bin");
    let part = [("range", "bytes=0-99")];
    assert_eq!(folder.fetch(&large, &part).await.status, StatusCode::PARTIAL_CONTENT);
    // Another name for the file, as a backup by links makes it, changes no byte, but the ctime.
    let link = |name: &str| {
        std::fs::hard_link(&ingested.published.path, folder.folder.path().join(name)).unwrap();
    };

    link("once");
    let small = folder.fetch(FILE, &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        (small.status, small.headers.contains_key("content-encoding")),
        (StatusCode::OK, true)
    );

    assert_eq!(folder.fetch(&large, &part).await.body.len(), 100);
    link("twice");
    let answer =
        folder.app.answer(head(&large, &part), RequestBody::none(), &folder.memo).await.unwrap();
    assert!(answer.into_body().collect().await.is_err(), "broken off: who knows what changed");
    assert_eq!(folder.fetch(&large, &part).await.body.len(), 100, "looked at anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_archive_is_not_made_good_by_handing_it_in_again() {
    let folder = Folder::new().await;
    let zip = Zip::new().entry(Entry::deflated("a.txt", "hello hello hello"));
    let ingested = folder.push_archive(&zip, Visibility::Public).await;
    folder.push_archive(&zip, Visibility::Public).await;
    damage(&ingested.published.path, |bytes| bytes[A_TXT_DATA] ^= 0x40);
    let again = folder.try_push(&zip, Visibility::Public).await;
    assert!(matches!(again, Err(IngestError::Damaged { .. })), "{again:?}");
    for fields in [&[][..], &[("accept-encoding", "gzip")], &[("range", "bytes=0-3")]] {
        let reply = folder.fetch(FILE, fields).await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{fields:?}");
    }
}

/// What is logged.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_line_of_the_access_log_is_one_line_without_a_token() {
    let folder = Folder::with_log(true).await;
    folder.push("hello", Visibility::Public).await;
    let (secret, _) = folder.token(None).await;
    let token = secret.expose();
    let bearer = format!("Bearer {token}");
    let foreign = "glpat-canary";
    let target = |rest: &str| FILE.replace("?job=build", rest);
    let requests: [(String, &[(&str, &str)]); 15] = [
        (FILE.to_owned(), &[]),
        (FILE.to_owned(), &[("private-token", token)]),
        (FILE.to_owned(), &[("private-token", foreign)]),
        (FILE.to_owned(), &[("authorization", &bearer)]),
        (FILE.to_owned(), &[("job-token", foreign)]),
        (FILE.to_owned(), &[("cookie", foreign), ("x-other", token), ("referer", token)]),
        (format!("{FILE}&private_token={foreign}"), &[]),
        (format!("{FILE}&private_token={token}"), &[]),
        (format!("{FILE}&job_token={foreign}"), &[]),
        (format!("{FILE}&private%5Ftoken[]={foreign}"), &[]),
        (format!("{FILE};private_token={foreign}"), &[]),
        (format!("{FILE}&{token}"), &[]),
        (format!("{FILE}&{token}=x"), &[]),
        (target(&format!("&private_token={token}")), &[]),
        (target("\u{85}\u{2028}\u{202e}\"?job=\u{2028}\u{85}\u{a0}"), &[]),
    ];
    for is_json in [false, true] {
        let logged = Logged::default();
        let writer = logged.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone());
        let _guard = if is_json {
            tracing::subscriber::set_default(log.json().finish())
        } else {
            tracing::subscriber::set_default(log.with_ansi(false).finish())
        };
        for (target, fields) in &requests {
            folder.fetch(target, fields).await;
        }
        let logged = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> =
            logged.lines().filter(|line| line.contains("entryway::access")).collect();
        assert_eq!(lines.len(), requests.len(), "{logged}");
        assert!(!logged.contains(&token[4..]) && !logged.contains("canary"), "{logged}");
        for line in lines {
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
            assert!(line.contains("status") && line.contains("a.txt"), "{line:?}");
        }
    }
}

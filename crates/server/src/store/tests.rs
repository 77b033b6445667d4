use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Barrier;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::temp::{self, Linked, Temp};
use super::*;
use crate::catalog::{Catalog, Push, Pushed, UtcMillis};

fn open() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("data")).unwrap();
    (folder, store)
}

fn receive(store: &Store, bytes: &[u8]) -> Staged {
    store.receive(&mut &bytes[..], Some(bytes.len() as u64), &mut |_| {}).unwrap()
}

fn publish(store: &Store, bytes: &[u8]) -> Published {
    receive(store, bytes).publish().unwrap()
}

fn digest(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest(Sha256::digest(bytes).into())
}

/// Every file below the data folder, as a path relative to it; locks apart.
fn files(store: &Store) -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(store.root(), &mut found);
    found
        .iter()
        .map(|path| path.strip_prefix(store.root()).unwrap().display().to_string())
        .filter(|path| !path.ends_with(".lock") && !path.starts_with("catalog.sqlite"))
        .collect()
}

fn name(sha256: &Sha256Digest) -> String {
    let text = sha256.to_string();
    format!("blobs/{}/{text}.zip", &text[..2])
}

#[test]
fn a_published_archive_is_read_only_and_named_by_its_digest() {
    let (_folder, store) = open();
    let bytes = b"an archive".repeat(50_000);
    let mut reported = Vec::new();
    let staged = store
        .receive(&mut &bytes[..], Some(bytes.len() as u64), &mut |len| reported.push(len))
        .unwrap();
    assert_eq!(files(&store), BTreeSet::new(), "not visible before it is published");
    assert_eq!(staged.len(), bytes.len() as u64);
    assert_eq!(*staged.sha256(), digest(&bytes));
    assert_eq!(staged.file().metadata().unwrap().len(), staged.len());
    assert!(reported.is_sorted() && reported.last() == Some(&staged.len()), "{reported:?}");

    let published = staged.publish().unwrap();
    assert!(!published.already_there);
    assert_eq!(published.path, store.blob_path(&digest(&bytes)));
    assert_eq!(files(&store), BTreeSet::from([name(&digest(&bytes))]));
    assert_eq!(fs::metadata(&published.path).unwrap().mode() & 0o7777, 0o440);
    let mut read = Vec::new();
    store.open_blob(&published.sha256).unwrap().unwrap().read_to_end(&mut read).unwrap();
    assert!(read == bytes);
}

#[test]
fn the_same_content_is_stored_once() {
    let (_folder, store) = open();
    let first = publish(&store, b"same");
    let inode = fs::metadata(&first.path).unwrap().ino();
    let second = publish(&store, b"same");
    assert!(second.already_there);
    assert_eq!((second.sha256, second.len, &second.path), (first.sha256, 4, &first.path));
    assert_eq!(fs::metadata(&second.path).unwrap().ino(), inode);
    assert_eq!(files(&store).len(), 1);
}

#[test]
fn of_many_publishers_of_one_content_one_is_the_first() {
    let (_folder, store) = open();
    let barrier = Barrier::new(8);
    let first = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let staged = receive(&store, b"contended");
                    barrier.wait();
                    staged.publish().unwrap().already_there
                })
            })
            .collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results.filter(|already_there| !already_there).count()
    });
    assert_eq!(first, 1);
    assert_eq!(files(&store).len(), 1);
}

#[test]
fn an_archive_of_no_bytes_can_be_stored() {
    let (_folder, store) = open();
    let staged = receive(&store, b"");
    assert!(staged.is_empty());
    assert_eq!(staged.publish().unwrap().len, 0);
}

#[test]
fn a_source_that_changes_its_length_leaves_nothing() {
    let (_folder, store) = open();
    let table = [
        ("shorter", 4, 3, StoreError::Length { declared_size: 4, received_len: 3 }),
        ("longer", 4, 5, StoreError::Length { declared_size: 4, received_len: 5 }),
        ("empty", 1, 0, StoreError::Length { declared_size: 1, received_len: 0 }),
        ("not empty", 0, 1, StoreError::Length { declared_size: 0, received_len: 1 }),
    ];
    for (name, declared_size, len, expected) in table {
        let bytes = vec![7; len];
        let result = store.receive(&mut &bytes[..], Some(declared_size), &mut |_| {});
        assert_eq!(result.err(), Some(expected), "{name}");
    }
    assert_eq!(files(&store), BTreeSet::new());
    let mut incoming = store.incoming(Some(4)).unwrap();
    incoming.write(b"abcd").unwrap();
    let error = incoming.write(b"e").unwrap_err();
    assert_eq!(
        error,
        StoreError::Length { declared_size: 4, received_len: 5 },
        "at once, not when the source ends"
    );
    let undeclared = store.receive(&mut &b"any"[..], None, &mut |_| {}).unwrap();
    assert_eq!(undeclared.len(), 3);
}

#[test]
fn a_source_that_fails_is_to_blame_itself() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let (_folder, store) = open();
    let error = store.receive(&mut b"ab".chain(Fails), Some(9), &mut |_| {}).err().unwrap();
    let kind = io::ErrorKind::ConnectionReset;
    assert_eq!(error, StoreError::Source { kind, received_len: 2 });
    assert_eq!(error.label(), "source_failed");
    assert_eq!(files(&store), BTreeSet::new());
}

#[test]
fn what_is_dropped_before_its_publication_leaves_nothing() {
    let (_folder, store) = open();
    let mut incoming = store.incoming(None).unwrap();
    incoming.write(b"half").unwrap();
    assert_eq!(incoming.received_len(), 4);
    drop(incoming);
    drop(receive(&store, b"refused by whoever verified it"));
    assert_eq!(files(&store), BTreeSet::new());
}

#[test]
fn a_size_that_does_not_fit_is_no_space_before_the_first_byte() {
    let (_folder, store) = open();
    // Larger than any file: refused for its size, so that nothing is allocated in trying.
    let error = store.incoming(Some(1 << 62)).err().unwrap();
    assert!(error.is_no_space(), "{error}");
    assert_eq!(error.label(), "store_no_space");
    assert_eq!(files(&store), BTreeSet::new());
}

#[test]
fn a_file_of_another_length_under_the_digests_name_is_reported_and_kept() {
    let (_folder, store) = open();
    let path = store.blob_path(&digest(b"content"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"cut").unwrap();
    let error = receive(&store, b"content").publish().unwrap_err();
    assert_eq!(error, StoreError::Damaged { path: path.clone(), expected_len: 7, found_len: 3 });
    assert_eq!(fs::read(path).unwrap(), b"cut");
}

#[test]
fn missing_files_are_none_and_not_errors() {
    let (_folder, store) = open();
    assert!(store.open_blob(&digest(b"x")).unwrap().is_none());
    assert!(store.open_sidecar(&digest(b"x")).unwrap().is_none());
}

#[test]
fn folders_are_closed_to_others() {
    let (folder, store) = open();
    drop(publish(&store, b"x"));
    let data = folder.path().join("data");
    let blob_dir = store.blob_dir(&digest(b"x"));
    for path in [data, store.blobs_dir(), store.temp_dir(), store.quarantine_dir(), blob_dir] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & !0o750, 0, "{} has {mode:o}", path.display());
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Store::open(&file.join("data")).unwrap_err();
    assert!(
        matches!(&error, StoreError::Io { operation: Operation::MakeFolder, path, .. }
            if path.starts_with(&file)),
        "{error}"
    );
}

#[test]
fn one_server_a_folder_and_the_error_names_the_holder() {
    let (_folder, store) = open();
    let held = store.lock_for_serving().unwrap();
    let error = store.lock_for_serving().unwrap_err();
    let path = store.root().join("serve.lock");
    assert_eq!(error, StoreError::Locked { path, holder: Some(std::process::id()) });
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())));
    drop(publish(&store, b"a push does not take the lock"));
    drop(held);
    drop(store.lock_for_serving().unwrap());
}

#[test]
fn a_sidecar_is_replaced_as_a_whole() {
    let (_folder, store) = open();
    let published = publish(&store, b"archive");
    store.publish_sidecar(&published.sha256, b"first").unwrap();
    let mut old = store.open_sidecar(&published.sha256).unwrap().unwrap();
    store.publish_sidecar(&published.sha256, b"the second").unwrap();
    let mut text = String::new();
    old.read_to_string(&mut text).unwrap();
    assert_eq!(text, "first", "who had the old one open reads it on");
    let path = store.sidecar_path(&published.sha256);
    assert_eq!(fs::read(&path).unwrap(), b"the second");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o440);
    assert_eq!(files(&store).len(), 2, "{:?}", files(&store));
}

#[test]
fn named_temporary_files_serve_where_there_are_no_nameless_ones() {
    let (_folder, store) = open();
    let target = store.root().join("target");
    let temp = Temp::create_named(&store.temp_dir()).unwrap();
    assert_eq!(files(&store).len(), 1);
    assert_eq!(temp.link_to(&target), Ok(Linked::New));
    assert_eq!(files(&store), BTreeSet::from(["target".to_owned()]));
    let temp = Temp::create_named(&store.temp_dir()).unwrap();
    assert_eq!(temp.link_to(&target), Ok(Linked::Exists));
    assert_eq!(files(&store), BTreeSet::from(["target".to_owned()]));
    drop(Temp::create_named(&store.temp_dir()).unwrap());
    assert_eq!(files(&store), BTreeSet::from(["target".to_owned()]));
}

#[test]
fn only_temporary_files_of_dead_owners_are_removed() {
    let (_folder, store) = open();
    let alive = Temp::create_named(&store.temp_dir()).unwrap();
    let abandoned = store.temp_dir().join("0123456789abcdef.part");
    fs::write(&abandoned, b"of a process that was killed").unwrap();
    let foreign = store.temp_dir().join("notes.txt");
    fs::write(&foreign, b"not ours").unwrap();
    // Locked by another open file, as by another process.
    let locked = store.temp_dir().join("fedcba9876543210.part");
    let lock = File::create(&locked).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();

    assert_eq!(temp::remove_abandoned(&store.temp_dir()), Ok(1));
    assert!(!abandoned.exists() && foreign.exists() && locked.exists());
    assert_eq!(files(&store).len(), 3);
    drop(alive);
    drop(lock);
    assert_eq!(temp::remove_abandoned(&store.temp_dir()), Ok(1));
    assert_eq!(files(&store), BTreeSet::from(["tmp/notes.txt".to_owned()]));
}

/// A store with its catalog and the server's lock, as at the start of a server.
struct Server {
    _folder: TempDir,
    store: Store,
    catalog: Catalog,
    lock: ServeLock,
}

impl Server {
    async fn start() -> Self {
        let (folder, store) = open();
        let catalog = Catalog::open(store.root()).await.unwrap();
        let lock = store.lock_for_serving().unwrap();
        Self { _folder: folder, store, catalog, lock }
    }

    async fn recover(&self, now: SystemTime) -> Recovered {
        recover(&self.store, &self.lock, &self.catalog, now).await.unwrap()
    }

    async fn commit(&self, published: &Published) -> Pushed {
        let push = Push {
            project: &"a/b".parse().unwrap(),
            visibility: None,
            ref_name: "main",
            job: "build",
            pipeline: None,
            status: None,
            sha256: published.sha256,
            len: published.len,
            entries: 1,
            filename: "a.zip",
            expires_at: None,
            now: UtcMillis::now(),
        };
        self.catalog.push(&push).await.unwrap()
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_crash_before_the_commit_leaves_an_orphan_that_goes_after_a_day() {
    let server = Server::start().await;
    server.commit(&publish(&server.store, b"kept")).await;
    let kept = digest(b"kept");
    let orphan = publish(&server.store, b"orphan").sha256;
    server.store.publish_sidecar(&orphan, b"derived").unwrap();

    let start = SystemTime::now();
    // Its day begins when it is found, however old it is.
    let old = start - 10 * QUARANTINE_TIME;
    File::open(server.store.blob_path(&orphan)).unwrap().set_modified(old).unwrap();
    let first = server.recover(start).await;
    assert_eq!(first, Recovered { quarantined: vec![orphan], ..Default::default() });
    assert!(server.store.open_blob(&orphan).unwrap().is_none(), "unreachable at once");
    assert_eq!(
        files(&server.store),
        BTreeSet::from([name(&kept), format!("quarantine/{orphan}.zip")])
    );

    let before = server.recover(start + QUARANTINE_TIME - Duration::from_secs(1)).await;
    assert_eq!(before, Recovered::default());
    let after = server.recover(start + QUARANTINE_TIME).await;
    assert_eq!(after, Recovered { deleted: vec![orphan], ..Default::default() });
    assert_eq!(files(&server.store), BTreeSet::from([name(&kept)]));
}

#[tokio::test(flavor = "current_thread")]
async fn a_publication_that_is_not_yet_committed_is_no_orphan() {
    let server = Server::start().await;
    let published = publish(&server.store, b"on its way");
    let during = server.recover(SystemTime::now()).await;
    assert_eq!(during, Recovered { blobs_skipped: true, ..Default::default() });
    server.commit(&published).await;
    drop(published);
    assert_eq!(server.recover(SystemTime::now()).await, Recovered::default());
}

#[tokio::test(flavor = "current_thread")]
async fn a_row_without_its_blob_is_lost_until_the_blob_is_there_again() {
    let server = Server::start().await;
    let published = publish(&server.store, b"content");
    server.commit(&published).await;
    let (path, sha256) = (published.path.clone(), published.sha256);
    drop(published);
    let lost = async || server.catalog.blobs().await.unwrap()[0].lost;

    fs::remove_file(&path).unwrap();
    let recovered = server.recover(SystemTime::now()).await;
    assert_eq!(recovered, Recovered { lost: vec![sha256], ..Default::default() });
    assert!(lost().await);
    assert_eq!(server.recover(SystemTime::now()).await, Recovered::default(), "told once");

    fs::write(&path, b"cut").unwrap();
    assert_eq!(server.recover(SystemTime::now()).await, Recovered::default(), "wrong length");
    fs::write(&path, b"content").unwrap();
    let recovered = server.recover(SystemTime::now()).await;
    assert_eq!(recovered, Recovered { found: vec![sha256], ..Default::default() });
    assert!(!lost().await);

    fs::remove_file(&path).unwrap();
    server.recover(SystemTime::now()).await;
    assert!(lost().await);
    server.commit(&publish(&server.store, b"content")).await;
    assert!(!lost().await, "handed in again");
}

#[tokio::test(flavor = "current_thread")]
async fn a_blob_in_quarantine_comes_back_when_a_row_names_it() {
    let server = Server::start().await;
    let published = publish(&server.store, b"content");
    let sha256 = published.sha256;
    drop(published);
    let start = SystemTime::now();
    assert_eq!(server.recover(start).await.quarantined, [sha256]);

    // A catalog put back from a copy names it, long after.
    let again = publish(&server.store, b"content");
    server.commit(&again).await;
    fs::remove_file(&again.path).unwrap();
    drop(again);
    let recovered = server.recover(start + 2 * QUARANTINE_TIME).await;
    assert_eq!(recovered, Recovered { restored: vec![sha256], ..Default::default() });
    assert_eq!(files(&server.store), BTreeSet::from([name(&sha256)]));
}

#[tokio::test(flavor = "current_thread")]
async fn recovery_touches_no_file_that_is_not_the_stores() {
    let server = Server::start().await;
    let sha256 = digest(b"x");
    let foreign = [
        server.store.blobs_dir().join("README"),
        server.store.blobs_dir().join("00").join("notes.zip"),
        // A digest in the folder of another one.
        server.store.blobs_dir().join("00").join(format!("{sha256}.zip")),
        server.store.quarantine_dir().join("old.zip"),
    ];
    fs::create_dir(server.store.blobs_dir().join("00")).unwrap();
    for path in &foreign {
        fs::write(path, b"x").unwrap();
    }
    let recovered = server.recover(SystemTime::now() + 10 * QUARANTINE_TIME).await;
    assert_eq!(recovered, Recovered::default());
    assert!(foreign.iter().all(|path| path.exists()));
}

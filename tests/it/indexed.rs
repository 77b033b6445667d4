//! Archives of other writers, each with an index of what is truly in it (`NAME.json`), and the
//! download of all their entries over several kept-alive connections.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http::StatusCode;
use serde_json::Value;

use crate::client::{Client, by_ref};
use crate::harness::sha256;

/// How many connections fetch at once: more than one, and few enough for two cores.
const CONNECTIONS: usize = 4;

/// An archive and what its source says of each entry.
pub(crate) struct Indexed {
    pub(crate) path: PathBuf,
    pub(crate) writer: String,
    /// Name -> SHA-256 and length of the source.
    pub(crate) entries: BTreeMap<String, (String, u64)>,
    /// Names that the archive holds in a form that is not served.
    pub(crate) unsupported: Vec<String>,
}

impl Indexed {
    /// The archive at `path`, with the index beside it.
    pub(crate) fn open(path: PathBuf) -> Self {
        let mut index = path.clone().into_os_string();
        index.push(".json");
        let index = std::fs::read(index).expect("the index of an archive");
        let index: Value = serde_json::from_slice(&index).expect("an index is JSON");
        let entries = index["entries"].as_object().expect("an index has entries");
        let entries = entries.iter().map(|(name, fact)| {
            let digest = fact[0].as_str().expect("a digest").to_owned();
            (name.clone(), (digest, fact[1].as_u64().expect("a length")))
        });
        let unsupported = index["unsupported"].as_array().expect("an index has unsupported");
        let unsupported = unsupported.iter().map(|name| name.as_str().expect("a name").to_owned());
        Self {
            writer: index["writer"].as_str().expect("an index names its writer").to_owned(),
            entries: entries.collect(),
            unsupported: unsupported.collect(),
            path,
        }
    }

    /// Every archive of a folder, in the order of their names.
    pub(crate) fn all_in(folder: &Path) -> Vec<Self> {
        let listing = std::fs::read_dir(folder).expect("the folder of archives");
        let mut paths: Vec<PathBuf> = listing
            .map(|item| item.expect("a folder's item").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .map(|path| path.with_extension(""))
            .collect();
        paths.sort();
        paths.into_iter().map(Self::open).collect()
    }

    /// The archive's file name, which serves as a ref name too.
    pub(crate) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).expect("a plain file name")
    }

    /// The entries that shall be served.
    pub(crate) fn served(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.entries
            .iter()
            .filter(|(name, _)| !self.unsupported.contains(*name))
            .map(|(name, (digest, length))| (name.as_str(), digest.as_str(), *length))
    }

    /// Fetches every entry through endpoint D and compares it with its source; gives what differs.
    ///
    /// The archive must have been pushed to project group/app, its name the ref, job `build`.
    pub(crate) async fn differences_over_http(&self, address: SocketAddr) -> Vec<String> {
        let files: Vec<(String, String, String)> = self
            .served()
            .map(|(name, digest, _)| {
                (by_ref(self.name(), name.as_bytes()), name.to_owned(), digest.to_owned())
            })
            .collect();
        let share = files.len().div_ceil(CONNECTIONS).max(1);
        let tasks: Vec<_> = files
            .chunks(share)
            .map(|share| tokio::spawn(differences_of(address, share.to_vec())))
            .collect();
        let mut differences = Vec::new();
        for task in tasks {
            differences.extend(task.await.expect("a task of this test"));
        }
        differences
    }
}

async fn differences_of(address: SocketAddr, files: Vec<(String, String, String)>) -> Vec<String> {
    let mut client = Client::http1(address);
    let mut differences = Vec::new();
    for (target, name, digest) in files {
        let answer = client.get(&target).await;
        match &answer.body {
            Ok(body) if answer.status == StatusCode::OK && sha256(body) == digest => {}
            Ok(body) if answer.status == StatusCode::OK => {
                differences.push(format!("{name}: {} other bytes", body.len()));
            }
            body => differences.push(format!("{name}: {} {body:?}", answer.status)),
        }
    }
    differences
}

/// Fails with the first few of many differences.
#[track_caller]
pub(crate) fn assert_none(archive: &str, differences: &[String]) {
    let few = &differences[..differences.len().min(10)];
    assert!(differences.is_empty(), "{archive}: {} entries differ: {few:#?}", differences.len());
}

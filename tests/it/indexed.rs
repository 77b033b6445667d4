//! Archives of other writers, each with an index of what is truly in it (`NAME.json`), and the
//! download of all their entries over several kept-alive connections: whole, in part and coded.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use entryway::{Archive, CompressionMethod, FileSource};
use http::StatusCode;
use serde_json::Value;
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use crate::client::{Answer, Client, by_ref};
use crate::harness::sha256;
use crate::written_methods::WIDE_WINDOWS;

/// How many connections fetch at once: more than one, and few enough for two cores.
const CONNECTIONS: usize = 4;

/// In archives of more entries only some are asked for in part and coded.
const ASKED_EVERY_WAY: usize = 1_000;

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

    /// The content coding that the compressed data of each entry is, for a client that takes any.
    fn codings(&self) -> BTreeMap<&str, Option<&'static str>> {
        let source = FileSource::open(&self.path).expect("the archive is there");
        let archive = Archive::open(source).expect("an archive that is accepted");
        let coding = |name: &str| {
            let entry = archive.find(name.as_bytes()).ok()??.entry;
            match entry.method {
                _ if entry.declared_compressed_size == 0 => None,
                CompressionMethod::DEFLATED => Some("gzip"),
                CompressionMethod::ZSTD if self.name() != WIDE_WINDOWS => Some("zstd"),
                _ => None,
            }
        };
        self.served().map(|(name, ..)| (name, coding(name))).collect()
    }

    /// Fetches every entry through endpoint D and compares it with its source; gives what differs.
    /// So whole, by a range of its middle, and in the coding that the server prefers.
    ///
    /// The archive must have been pushed to project group/app, its name the ref, job `build`.
    pub(crate) async fn differences_over_http(&self, address: SocketAddr) -> Vec<String> {
        let step = self.entries.len().div_ceil(ASKED_EVERY_WAY).max(1);
        let codings = self.codings();
        let files: Vec<File> = self
            .served()
            .enumerate()
            .map(|(position, (name, digest, _))| File {
                target: by_ref(self.name(), name.as_bytes()),
                name: name.to_owned(),
                digest: digest.to_owned(),
                coding: codings[name],
                is_asked_every_way: position % step == 0,
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

#[derive(Clone)]
struct File {
    target: String,
    name: String,
    /// SHA-256 of its source.
    digest: String,
    /// What it is sent as to a client that takes every coding.
    coding: Option<&'static str>,
    is_asked_every_way: bool,
}

async fn differences_of(address: SocketAddr, files: Vec<File>) -> Vec<String> {
    let mut client = Client::http1(address);
    let mut differences = Vec::new();
    for file in files {
        let name = &file.name;
        let answer = client.get(&file.target).await;
        let content = match &answer.body {
            Ok(body) if answer.status == StatusCode::OK && sha256(body) == file.digest => body,
            Ok(body) if answer.status == StatusCode::OK => {
                differences.push(format!("{name}: {} other bytes", body.len()));
                continue;
            }
            body => {
                differences.push(format!("{name}: {} {body:?}", answer.status));
                continue;
            }
        };
        if !file.is_asked_every_way {
            continue;
        }
        // At least three bytes, so that neither end is in the range.
        let middle = content.len() / 3..content.len() * 2 / 3;
        if !middle.is_empty() {
            let range = format!("bytes={}-{}", middle.start, middle.end - 1);
            let part = client.get_with(&file.target, &[("range", &range)]).await;
            let is_it = part.body.as_ref().is_ok_and(|body| body[..] == content[middle]);
            if part.status != StatusCode::PARTIAL_CONTENT || !is_it {
                differences.push(format!("{name}: {range}: {}", part.status));
            }
        }
        let coded = client.get_with(&file.target, &[("accept-encoding", "zstd, gzip")]).await;
        let coding = coded.header("content-encoding");
        let is_it = coding == file.coding && decoded(&coded).as_ref() == Ok(content);
        if coded.status != StatusCode::OK || !is_it {
            differences.push(format!("{name}: coded as {coding:?}: {}", coded.status));
        }
    }
    differences
}

/// What an answer holds once its content coding is undone.
fn decoded(answer: &Answer) -> Result<Bytes, String> {
    let body = answer.body.as_ref().map_err(ToString::to_string)?;
    match answer.header("content-encoding") {
        None => Ok(body.clone()),
        Some("gzip") => {
            let mut content = Vec::new();
            let read = flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut content);
            read.map(|_| content.into()).map_err(|error| error.to_string())
        }
        Some("zstd") => unzstd(body),
        Some(other) => Err(format!("unknown coding {other}")),
    }
}

/// Undoes the coding zstd with a window of 8 MiB, which is all that a client has (RFC 9659).
fn unzstd(body: &[u8]) -> Result<Bytes, String> {
    let explain = |code| zstd_safe::get_error_name(code).to_owned();
    let mut decoder = DCtx::create();
    decoder.set_parameter(DParameter::WindowLogMax(23)).map_err(explain)?;
    let mut content = Vec::new();
    let mut chunk = vec![0; DCtx::out_size()];
    let mut input = InBuffer::around(body);
    let mut rest = 0;
    while input.pos() < body.len() {
        let mut output = OutBuffer::around(&mut chunk[..]);
        rest = decoder.decompress_stream(&mut output, &mut input).map_err(explain)?;
        content.extend_from_slice(output.as_slice());
    }
    while rest > 0 {
        let mut output = OutBuffer::around(&mut chunk[..]);
        rest = decoder.decompress_stream(&mut output, &mut input).map_err(explain)?;
        if output.as_slice().is_empty() {
            return Err("a frame without its end".to_owned());
        }
        content.extend_from_slice(output.as_slice());
    }
    Ok(content.into())
}

/// Fails with the first few of many differences.
#[track_caller]
pub(crate) fn assert_none(archive: &str, differences: &[String]) {
    let few = &differences[..differences.len().min(10)];
    assert!(differences.is_empty(), "{archive}: {} entries differ: {few:#?}", differences.len());
}

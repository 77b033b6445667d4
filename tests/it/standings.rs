//! Archives on a server, and their entries asked for in every way: before the archives are
//! verified, and afterwards.

use std::net::SocketAddr;
use std::path::PathBuf;

use http::{Method, StatusCode};

use crate::client::{Answer, Client, PROTOCOLS, Protocol, RawAnswer, encoded_segment};
use crate::handing_in::{running_job, token, upload};
use crate::harness::{Push, Pushed, Scratch, Server, sha256};

/// A server whose archives were uploaded, and stay unverified until they are to be verified.
pub(crate) struct Site {
    /// `None` while it is between the one standing and the other.
    server: Option<Server>,
    archives: Vec<Handed>,
    ingest: String,
    scratch: Scratch,
    is_verified: bool,
}

struct Handed {
    file: PathBuf,
    /// A folder that has the place of its sidecar, so that there can be none.
    no_sidecar: PathBuf,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With more arguments for its first server.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let scratch = Scratch::new();
        let server = Some(Server::start_with(&scratch.data(), arguments));
        let ingest = token(&scratch.data(), "group", "maintainer", "ingest");
        Self { server, archives: Vec::new(), ingest, scratch, is_verified: false }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("there is one but between the standings")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server().address
    }

    pub(crate) fn client(&self, protocol: Protocol) -> Client {
        Client::new(self.address(), protocol)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.scratch.data()
    }

    /// Hands an archive in; gives its job's number, and the answer.
    pub(crate) fn attempt(&self, archive: &[u8]) -> (u64, RawAnswer) {
        let job = running_job(self.address(), &self.ingest, "group/app", "public", "main");
        let credential = format!("JOB-TOKEN: {}", job.token);
        (job.id, upload(self.address(), job.id, &credential, &[], archive))
    }

    /// Hands an archive in, which is taken, and gives its job's number.
    pub(crate) fn hand_in(&mut self, archive: &[u8]) -> u64 {
        let sha256 = sha256(archive);
        let folder = self.data().join("blobs").join(&sha256[..2]);
        let no_sidecar = folder.join(format!("{sha256}.sidecar"));
        std::fs::create_dir_all(&no_sidecar).expect("a folder in the store");
        let (job, answer) = self.attempt(archive);
        assert_eq!(answer.status, 201, "{answer:?}");
        let file = self.scratch.file(&format!("{job}.zip"), archive);
        self.archives.push(Handed { file, no_sidecar });
        job
    }

    /// Has every archive verified, by a push, and gives what each push said, in their order.
    pub(crate) fn verify(&mut self) -> Vec<Pushed> {
        self.server = None;
        let data = self.data();
        let pushed = self.archives.iter().map(|handed| {
            std::fs::remove_dir(&handed.no_sidecar).expect("nothing came into its place");
            Push::public().store_in(&data, &handed.file)
        });
        let pushed = pushed.collect();
        self.server = Some(Server::start(&data));
        self.is_verified = true;
        pushed
    }

    pub(crate) fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// Fails unless an answer with an entry's bytes is one of an archive of the site's standing.
    #[track_caller]
    pub(crate) fn assert_standing(&self, what: &str, answer: &Answer) {
        let is_verified = answer.expect_header("cache-control").contains("immutable");
        assert_eq!(is_verified, self.is_verified, "{what}: {:?}", answer.headers);
    }
}

/// The target of a file by job id, none of whose slashes is one of the target's own.
pub(crate) fn by_job_literally(job_id: u64, name: &[u8]) -> String {
    let name = encoded_segment(name);
    format!("/api/v4/projects/group%2Fapp/jobs/{job_id}/artifacts/{name}")
}

type Fields = &'static [(&'static str, &'static str)];

/// The requests that could carry an entry's bytes.
pub(crate) const REQUESTS: [(&str, Method, Fields); 7] = [
    ("GET", Method::GET, &[]),
    ("HEAD", Method::HEAD, &[]),
    ("coded", Method::GET, &[("accept-encoding", "gzip, zstd")]),
    ("coded alone", Method::GET, &[("accept-encoding", "gzip, zstd, identity;q=0")]),
    ("first bytes", Method::GET, &[("range", "bytes=0-9")]),
    ("last bytes", Method::GET, &[("range", "bytes=-10")]),
    ("two parts", Method::GET, &[("range", "bytes=0-9,100-109")]),
];

/// What a client has after a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// An answer that says that there is nothing, and the label of the reason where it has one.
    Refused(StatusCode, Option<String>),
    /// A body that ended before its end; the head is lost too where HTTP/2 gave the stream up
    /// before the client had looked at it.
    Cut(Option<StatusCode>),
    /// All that the head promised.
    Whole(StatusCode),
}

impl Came {
    fn of(answer: &Answer) -> Self {
        match &answer.body {
            Err(_) => Self::Cut(Some(answer.status)),
            Ok(_) if answer.status.is_success() => Self::Whole(answer.status),
            Ok(body) => {
                let said = serde_json::from_slice::<serde_json::Value>(body).ok();
                let reason = said.and_then(|said| said["reason"].as_str().map(str::to_owned));
                Self::Refused(answer.status, reason)
            }
        }
    }

    /// Whether the client is told that there is no such thing for it.
    pub(crate) fn is_client_error(&self) -> bool {
        matches!(self, Self::Refused(status, _) if status.is_client_error())
    }
}

/// One request for an entry, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) protocol: Protocol,
    pub(crate) request: &'static str,
    pub(crate) came: Came,
}

/// Asks for an entry in every way.
pub(crate) async fn ask_in_every_way(site: &Site, target: &str) -> Vec<Cell> {
    let mut cells = Vec::new();
    for protocol in PROTOCOLS {
        let mut client = site.client(protocol);
        for (request, method, fields) in REQUESTS {
            let answer = client.try_send(&method, target, fields).await;
            let came = answer.map_or(Came::Cut(None), |answer| Came::of(&answer));
            if matches!(came, Came::Cut(_)) {
                // It may not be known yet that the connection is no more.
                client = site.client(protocol);
            }
            cells.push(Cell { protocol, request, came });
        }
    }
    cells
}

/// Rules that are broken by what stands in the file beside the directory. HEAD of an entry that
/// nobody has verified reads none of that.
const SEEN_IN_THE_FILE: [&str; 14] = [
    "local_signature",
    "local_name",
    "local_method",
    "local_flags",
    "local_size",
    "local_crc",
    "descriptor",
    "data",
    "data_truncated",
    "data_trailing",
    "data_long",
    "data_short",
    "crc",
    "over_limit",
];

/// Whether HEAD of an unverified entry can know that this rule refuses it. Where an entry ends, and
/// so whether it overlaps the next, can depend on its local header.
fn is_seen_in_the_directory(rule: &str) -> bool {
    !SEEN_IN_THE_FILE.contains(&rule) && rule != "overlap"
}

/// What is wrong with a cell of an entry that is refused by this rule, if something is.
pub(crate) fn defect(cell: &Cell, rule: &str, is_verified: bool) -> Option<&'static str> {
    let is_head = cell.request == "HEAD";
    match &cell.came {
        Came::Refused(StatusCode::UNPROCESSABLE_ENTITY, reason) => {
            let is_right = reason.as_deref() == Some(rule) || is_head && reason.is_none();
            (!is_right).then_some("refused by another rule")
        }
        Came::Refused(StatusCode::NOT_ACCEPTABLE, _)
            if !is_verified && cell.request == "coded alone" =>
        {
            None
        }
        Came::Refused(..) => Some("another status"),
        Came::Cut(_) if is_verified => Some("begun, though it is known to be bad"),
        Came::Cut(_) => None,
        Came::Whole(_) if is_head && !is_verified && !is_seen_in_the_directory(rule) => None,
        Came::Whole(_) => Some("COMPLETE"),
    }
}

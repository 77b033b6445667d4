//! HTTP as a client sees it: kept-alive HTTP/1.1 and HTTP/2 by hyper, and bytes as they stand.
//!
//! An answer keeps whether its body arrived whole. That is what most tests here are about, so
//! nothing in this file turns a body that ended short into an empty or a shorter one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::harness::HANG;

/// A response whose head arrived.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The whole body, or how it ended short.
    pub(crate) body: Result<Bytes, hyper::Error>,
}

impl Answer {
    /// A header as text; `None` where it is absent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header is visible ASCII"))
    }

    /// A header that must be there.
    #[track_caller]
    pub(crate) fn expect_header(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    /// The body, which must have arrived whole.
    #[track_caller]
    pub(crate) fn bytes(&self) -> &Bytes {
        self.body.as_ref().unwrap_or_else(|error| panic!("{}: body: {error}", self.status))
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let bytes = self.bytes();
        serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error} in {bytes:?}"))
    }

    /// Fails unless this is the error `status` with exactly this JSON body.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, body: &Value) {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.body);
        assert_eq!(&self.json(), body);
        assert!(
            self.expect_header("content-type").starts_with("application/json"),
            "{:?}",
            self.headers
        );
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    /// With prior knowledge: no upgrade, no TLS.
    Http2,
}

pub(crate) const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

type Body = Full<Bytes>;

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// The runtime of all connections: they go on, and answer a server that says it will stop, while a
/// test's own thread waits for that server's end.
pub(crate) fn connections() -> &'static Runtime {
    static CONNECTIONS: OnceLock<Runtime> = OnceLock::new();
    CONNECTIONS.get_or_init(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_all().build().expect("a runtime")
    })
}

async fn open(address: SocketAddr, protocol: Protocol) -> Sender {
    let stream = TcpStream::connect(address).await.expect("the server accepts");
    stream.set_nodelay(true).expect("a TCP option");
    let stream = TokioIo::new(stream);
    match protocol {
        Protocol::Http1 => {
            let (sender, connection) = http1::handshake(stream).await.expect("a handshake");
            tokio::spawn(connection);
            Sender::Http1(sender)
        }
        Protocol::Http2 => {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), stream).await.expect("a handshake");
            tokio::spawn(connection);
            Sender::Http2(sender)
        }
    }
}

/// One connection to a server, kept alive, and opened again once the server closed it.
pub(crate) struct Client {
    address: SocketAddr,
    protocol: Protocol,
    sender: Option<Sender>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self { address, protocol, sender: None }
    }

    pub(crate) fn http1(address: SocketAddr) -> Self {
        Self::new(address, Protocol::Http1)
    }

    async fn open(&self) -> Sender {
        let opened = connections().spawn(open(self.address, self.protocol));
        opened.await.expect("the task of opening a connection")
    }

    /// Sends a request and reads its answer; an error where not even a head came back.
    pub(crate) async fn try_send(
        &mut self,
        method: &Method,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, hyper::Error> {
        self.try_send_body(method, target, headers, Bytes::new()).await
    }

    /// As [`Client::try_send`], with a body.
    pub(crate) async fn try_send_body(
        &mut self,
        method: &Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, hyper::Error> {
        let usable = match &mut self.sender {
            None => false,
            Some(Sender::Http1(sender)) => sender.ready().await.is_ok(),
            Some(Sender::Http2(sender)) => sender.ready().await.is_ok(),
        };
        if !usable {
            self.sender = Some(self.open().await);
        }
        let mut request = match self.protocol {
            Protocol::Http1 => {
                Request::builder().uri(target).header("host", self.address.to_string())
            }
            Protocol::Http2 => Request::builder().uri(format!("http://{}{target}", self.address)),
        };
        request = request.method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request =
            request.body(Body::new(body)).expect("a test writes requests that hyper can send");
        let exchange = async {
            let response = match self.sender.as_mut().expect("opened above") {
                Sender::Http1(sender) => sender.send_request(request).await?,
                Sender::Http2(sender) => sender.send_request(request).await?,
            };
            let (head, body) = response.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes);
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        match tokio::time::timeout(HANG, exchange).await {
            Ok(answer) => answer,
            Err(_) => panic!("{method} {target}: no end of the answer"),
        }
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn send(
        &mut self,
        method: &Method,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let answer = self.try_send(method, target, headers).await;
        answer.unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    /// As [`Client::send`], with a body.
    pub(crate) async fn send_body(
        &mut self,
        method: &Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let answer = self.try_send_body(method, target, headers, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    pub(crate) async fn get(&mut self, target: &str) -> Answer {
        self.send(&Method::GET, target, &[]).await
    }

    pub(crate) async fn get_with(&mut self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(&Method::GET, target, headers).await
    }
}

/// An answer to bytes that no client library would send.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    /// 0 where the server closed the connection without an answer.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Sends these bytes on a connection of their own and reads until the server closes it.
///
/// The request should ask for that with `Connection: close`.
pub(crate) fn raw(address: SocketAddr, request: &[u8]) -> RawAnswer {
    let mut stream = BlockingStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(HANG)).expect("a socket option");
    // A server that has seen enough may close before it has read everything.
    let _ = stream.write_all(request);
    let mut received = Vec::new();
    if let Err(error) = stream.read_to_end(&mut received) {
        let reset = error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(reset, "{error} after {:?}", String::from_utf8_lossy(&received));
    }
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        assert!(received.is_empty(), "half a head: {:?}", String::from_utf8_lossy(&received));
        return RawAnswer { status: 0, head: String::new(), body: Vec::new() };
    };
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("not a status line: {head:?}"));
    RawAnswer { status, head, body: received[end + 4..].to_vec() }
}

/// A GET of exactly these bytes as its target.
pub(crate) fn raw_get(address: SocketAddr, target: &[u8]) -> RawAnswer {
    raw_request(address, "GET", target, "")
}

/// A request of exactly these bytes as its target; `fields` are whole lines with their ends.
pub(crate) fn raw_request(
    address: SocketAddr,
    method: &str,
    target: &[u8],
    fields: &str,
) -> RawAnswer {
    let mut request = format!("{method} ").into_bytes();
    request.extend_from_slice(target);
    request.extend_from_slice(
        format!(" HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n").as_bytes(),
    );
    raw(address, &request)
}

/// An answer whose body is read as it comes, so that it may be longer than memory.
pub(crate) struct Download {
    pub(crate) status: u16,
    pub(crate) content_length: Option<u64>,
    body: BufReader<BlockingStream>,
}

/// Sends a GET on a connection of its own and reads the answer's head; `fields` are whole lines.
pub(crate) fn download(address: SocketAddr, target: &str, fields: &str) -> Download {
    let mut stream = BlockingStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(HANG)).expect("a socket option");
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut body = BufReader::with_capacity(256 * 1024, stream);
    let mut line = String::new();
    let mut next_line = || {
        line.clear();
        body.read_line(&mut line).expect("a line of the head");
        line.trim_end().to_ascii_lowercase()
    };
    let first = next_line();
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("not a status line: {first:?}"));
    let mut content_length = None;
    loop {
        let field = next_line();
        if field.is_empty() {
            return Download { status, content_length, body };
        }
        if let Some(length) = field.strip_prefix("content-length:") {
            content_length = Some(length.trim().parse().expect("a number"));
        }
    }
}

impl Download {
    /// SHA-256 of the body, which must be as long as its head says.
    #[track_caller]
    pub(crate) fn sha256(mut self) -> String {
        let mut digest = Sha256::new();
        let mut length = 0;
        loop {
            let bytes = self.body.fill_buf().expect("the body goes on or ends");
            if bytes.is_empty() {
                break;
            }
            digest.update(bytes);
            let taken = bytes.len();
            length += taken as u64;
            self.body.consume(taken);
        }
        assert_eq!(Some(length), self.content_length, "the body ended elsewhere");
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The body, which must be as long as its head says.
    #[track_caller]
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.body.read_to_end(&mut bytes).expect("the body ends");
        assert_eq!(Some(bytes.len() as u64), self.content_length, "the body ended elsewhere");
        bytes
    }
}

/// Percent-encodes a path, slashes kept.
pub(crate) fn encoded(path: &[u8]) -> String {
    percent(path, |byte| byte == b'/' || is_unreserved(byte))
}

/// Percent-encodes a path as one segment.
pub(crate) fn encoded_segment(path: &[u8]) -> String {
    percent(path, is_unreserved)
}

fn percent(path: &[u8], plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::new();
    for &byte in path {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The target of endpoint D in project group/app: one file by ref, of the job `build`.
pub(crate) fn by_ref(ref_name: &str, entry: &[u8]) -> String {
    let ref_name = encoded_segment(ref_name.as_bytes());
    let entry = encoded(entry);
    format!("/api/v4/projects/group%2Fapp/jobs/artifacts/{ref_name}/raw/{entry}?job=build")
}

/// The target of endpoint C in project group/app: one file by job id.
pub(crate) fn by_job(job_id: u64, entry: &[u8]) -> String {
    format!("/api/v4/projects/group%2Fapp/jobs/{job_id}/artifacts/{}", encoded(entry))
}

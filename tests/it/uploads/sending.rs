//! An upload piece by piece, with its test deciding when which piece goes, over HTTP/1.1 with and
//! without a length and over HTTP/2; and answers read without a library that hides anything.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::client::connections;
use crate::harness::HANG;

/// How the server learns where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// HTTP/1.1 with Content-Length.
    Length,
    /// HTTP/1.1, chunked: a length that nobody knows.
    Chunked,
    /// HTTP/2, without a length.
    Http2,
}

pub(super) const FRAMINGS: [Framing; 3] = [Framing::Length, Framing::Chunked, Framing::Http2];

const BOUNDARY: &str = "----------------boundary-of-a-test";

/// The body of an upload.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// All of it, where it is not sent from elsewhere.
    pub(super) bytes: Vec<u8>,
    pub(super) len: u64,
}

impl Form {
    pub(super) fn of(archive: &[u8]) -> Self {
        Self::with(&[], archive)
    }

    /// With fields before the file.
    pub(super) fn with(fields: &[(&str, &str)], archive: &[u8]) -> Self {
        let mut bytes = Self::head(fields);
        bytes.extend_from_slice(archive);
        bytes.extend_from_slice(&Self::tail());
        let len = bytes.len() as u64;
        Self { bytes, len }
    }

    /// What comes before the file's bytes.
    pub(super) fn head(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut head = String::new();
        for (name, value) in fields {
            head.push_str(&format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        head.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; \
             filename=\"artifacts.zip\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        ));
        head.into_bytes()
    }

    /// What comes after them.
    pub(super) fn tail() -> Vec<u8> {
        format!("\r\n--{BOUNDARY}--\r\n").into_bytes()
    }

    pub(super) fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }
}

/// A whole answer; status 0 where the server closed the connection without one.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Reply {
    const NONE: Self = Self { status: 0, head: String::new(), body: Vec::new() };

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim())
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Fails unless it is this error.
    #[track_caller]
    pub(super) fn refuses(&self, what: &str, status: u16) {
        assert_eq!(self.status, status, "{what}: {self:?}");
        let message = self.json()["message"].as_str().map(str::to_owned);
        assert!(message.is_some_and(|text| text.starts_with(&status.to_string())), "{what}");
    }

    #[track_caller]
    pub(super) fn is_created(&self, what: &str) {
        assert_eq!(self.status, 201, "{what}: {self:?}");
    }
}

/// Reads from HTTP/1.1 what is asked of it, and no byte more is lost.
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    pub(super) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_read_timeout(Some(HANG)).expect("a socket option");
        stream.set_write_timeout(Some(HANG)).expect("a socket option");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, received: Vec::new() }
    }

    /// Says whether there was more.
    fn read_more(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(read) => {
                self.received.extend_from_slice(&buffer[..read]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("no answer within {HANG:?}")
            }
            Err(_) => false,
        }
    }

    /// The next head, a `100 Continue` too; `None` where the connection ends before it.
    pub(super) fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.received.split_off(end + 4);
                let head = std::mem::replace(&mut self.received, rest);
                return Some(String::from_utf8(head).expect("a head is ASCII"));
            }
            if !self.read_more() {
                return None;
            }
        }
    }

    /// So many bytes of a body, or fewer where it ends.
    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        while self.received.len() < len && self.read_more() {}
        let rest = self.received.split_off(len.min(self.received.len()));
        std::mem::replace(&mut self.received, rest)
    }

    /// The final answer to a request that is no HEAD.
    #[track_caller]
    pub(super) fn reply(&mut self) -> Reply {
        loop {
            let Some(head) = self.head() else { return Reply::NONE };
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
            let status: u16 = status.unwrap_or_else(|| panic!("no status: {head}"));
            let mut reply = Reply { status, head, body: Vec::new() };
            if status < 200 {
                continue;
            }
            let len = reply.header("content-length").map_or(0, |len| len.parse().expect("length"));
            reply.body = self.bytes(len);
            assert_eq!(reply.body.len(), len, "an answer that ends short: {}", reply.head);
            return reply;
        }
    }
}

/// One request with a body of known length, on a connection of its own.
#[track_caller]
pub(super) fn exchange(
    address: SocketAddr,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut wire = Wire::open(address);
    let mut request = head(address, method, target, fields);
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("Connection: close\r\n\r\n");
    wire.stream.write_all(&[request.as_bytes(), body].concat()).expect("the server reads");
    if method == "HEAD" {
        let head = wire.head().unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        return Reply { status, head, body: Vec::new() };
    }
    wire.reply()
}

/// A request line with fields, but not the end of the head.
pub(super) fn head(
    address: SocketAddr,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

/// How an upload ends that does not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The connection is closed.
    Close,
    /// Nothing more is sent, but an answer is waited for.
    HalfClose,
    /// HTTP/2: this stream alone is reset.
    Reset,
}

/// An upload in progress.
pub(super) enum Sending {
    Wire { wire: Wire, is_chunked: bool },
    Stream(Stream),
}

/// An upload over HTTP/2.
pub(super) struct Stream {
    /// `None` when the body is at its end.
    pieces: Option<mpsc::Sender<Result<Bytes, Broken>>>,
    answer: JoinHandle<Option<Reply>>,
    socket: TcpStream,
}

impl Sending {
    /// Sends the head.
    pub(super) fn begin(
        address: SocketAddr,
        framing: Framing,
        target: &str,
        fields: &[(&str, &str)],
        form: &Form,
    ) -> Self {
        let content_type = Form::content_type();
        let fields = [fields, &[("Content-Type", content_type.as_str())]].concat();
        if framing == Framing::Http2 {
            return Self::Stream(Stream::begin(address, target, &fields));
        }
        let mut wire = Wire::open(address);
        let mut head = head(address, "POST", target, &fields);
        let is_chunked = framing == Framing::Chunked;
        if is_chunked {
            head.push_str("Transfer-Encoding: chunked\r\n\r\n");
        } else {
            head.push_str(&format!("Content-Length: {}\r\n\r\n", form.len));
        }
        wire.stream.write_all(head.as_bytes()).expect("the server reads a head");
        Self::Wire { wire, is_chunked }
    }

    /// Sends a piece; says whether the other side still takes it.
    pub(super) fn send(&mut self, piece: &[u8]) -> bool {
        if piece.is_empty() {
            return true;
        }
        match self {
            Self::Wire { wire, is_chunked: false } => wire.stream.write_all(piece).is_ok(),
            Self::Wire { wire, is_chunked: true } => {
                let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
                wire.stream.write_all(&chunk).is_ok()
            }
            Self::Stream(stream) => {
                let piece = Bytes::copy_from_slice(piece);
                stream.pieces.as_ref().is_some_and(|to| to.blocking_send(Ok(piece)).is_ok())
            }
        }
    }

    /// Ends the body.
    pub(super) fn end(&mut self) {
        match self {
            Self::Wire { is_chunked: false, .. } => {}
            Self::Wire { wire, is_chunked: true } => drop(wire.stream.write_all(b"0\r\n\r\n")),
            Self::Stream(stream) => stream.pieces = None,
        }
    }

    /// Reads the answer, which may come before the body's end.
    #[track_caller]
    pub(super) fn reply(self) -> Reply {
        match self {
            Self::Wire { mut wire, .. } => wire.reply(),
            Self::Stream(Stream { pieces, answer, .. }) => {
                let answer =
                    connections().block_on(async { tokio::time::timeout(HANG, answer).await });
                drop(pieces);
                answer.expect("an answer in time").expect("a task").unwrap_or(Reply::NONE)
            }
        }
    }

    /// Ends the body and reads the answer.
    #[track_caller]
    pub(super) fn finish(mut self) -> Reply {
        self.end();
        self.reply()
    }

    /// Breaks off, and gives the answer where one can still come.
    #[track_caller]
    pub(super) fn cut(self, how: Cut) -> Option<Reply> {
        match (self, how) {
            (Self::Wire { mut wire, .. }, Cut::HalfClose) => {
                wire.stream.shutdown(Shutdown::Write).expect("a connected socket");
                Some(wire.reply())
            }
            (Self::Wire { .. }, Cut::Close | Cut::Reset) => None,
            (Self::Stream(stream), Cut::Reset) => {
                let pieces = stream.pieces.expect("a body that goes on");
                drop(pieces.blocking_send(Err(Broken)));
                drop(connections().block_on(stream.answer));
                None
            }
            (Self::Stream(stream), Cut::Close | Cut::HalfClose) => {
                // Before the body is dropped, whose end would else be sent as that of the message.
                // The server may be gone already.
                drop(stream.socket.shutdown(Shutdown::Both));
                drop(connections().block_on(stream.answer));
                drop(stream.pieces);
                None
            }
        }
    }
}

impl Stream {
    fn begin(address: SocketAddr, target: &str, fields: &[(&str, &str)]) -> Self {
        let mut request = Request::post(format!("http://{address}{target}"));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (pieces, from) = mpsc::channel(1);
        let request = request.body(Pieces(from)).expect("a request that hyper can send");
        let socket = TcpStream::connect(address).expect("the server accepts");
        socket.set_nodelay(true).expect("a socket option");
        socket.set_nonblocking(true).expect("a socket option");
        let stream = socket.try_clone().expect("a second descriptor");
        connections().block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).expect("a socket of this runtime");
            let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
            let (mut sender, connection) = shaken.expect("a handshake");
            tokio::spawn(connection);
            let answer = tokio::spawn(async move {
                let (head, body) = sender.send_request(request).await.ok()?.into_parts();
                let body = body.collect().await.ok()?.to_bytes().to_vec();
                let fields = head.headers.iter();
                let fields = fields.map(|(name, value)| format!("{name}: {value:?}\r\n"));
                let status = head.status.as_u16();
                Some(Reply { status, head: fields.collect(), body })
            });
            Self { pieces: Some(pieces), answer, socket }
        })
    }
}

/// A body that its sender breaks off.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("broken off by the test")]
pub(super) struct Broken;

struct Pieces(mpsc::Receiver<Result<Bytes, Broken>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

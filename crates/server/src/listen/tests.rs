//! Real sockets against the real accept loop, with short times. No test depends on how long
//! anything takes, only on what comes first.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use entryway_testkit::builder::{Archive as Zip, Entry};
use entryway_testkit::fixtures::noise;
use socket2::{Domain, Socket, Type};
use tokio::sync::watch;

use super::{Bounds, Listeners};
use crate::api::tests::Folder;
use crate::catalog::Visibility;

const SMALL: &str = "/api/v4/projects/1/jobs/1/artifacts/a.txt";
const LARGE: &str = "/api/v4/projects/1/jobs/1/artifacts/large.bin";
/// More than the kernel takes on both sides for a client that does not read.
const LARGE_LEN: usize = 12 << 20;

/// Longer than a test waits.
const NEVER: Duration = Duration::from_secs(3_600);
/// Longer than anything takes that does happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long is waited for what is not to happen.
const MOMENT: Duration = Duration::from_millis(300);

const SHORT: Duration = Duration::from_millis(200);

/// Bounds that no test comes to by itself.
fn patient() -> Bounds {
    Bounds { head_timeout: NEVER, write_timeout: NEVER, stop_timeout: NEVER, ..Bounds::default() }
}

/// A server over an archive of one small and one large entry.
struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<io::Result<()>>>,
    large: Vec<u8>,
    _folder: Folder,
}

impl Server {
    async fn start(bounds: Bounds) -> Self {
        let folder = Folder::new().await;
        let large = noise(LARGE_LEN, 3);
        let zip = Zip::new()
            .entry(Entry::stored("a.txt", "hello"))
            .entry(Entry::stored("large.bin", &large));
        folder.push_archive(&zip, Visibility::Public).await;
        let listeners = Listeners::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listeners.address();
        let (stop, stopped) = watch::channel(false);
        let app = folder.app.clone();
        let thread = std::thread::spawn(move || listeners.serve(&app, bounds, &stopped));
        Self { address, stop, thread: Some(thread), large, _folder: folder }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream }
    }

    /// Waits until the server has ended by itself.
    fn join(&mut self) {
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

struct Client {
    stream: TcpStream,
}

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn ask(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    }

    /// Reads the head of an answer and gives its first line.
    fn head(&mut self) -> String {
        self.whole_head().lines().next().unwrap().to_owned()
    }

    fn whole_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads the head of an answer and gives its status and Content-Length.
    fn status_and_len(&mut self) -> (String, usize) {
        let head = self.whole_head();
        let status = head.lines().next().unwrap().strip_prefix("HTTP/1.1 ").unwrap().to_owned();
        let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        (status, len.unwrap().parse().unwrap())
    }

    fn body(&mut self, len: usize) -> Vec<u8> {
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body).unwrap();
        body
    }

    /// Asks for the small entry and reads it.
    fn is_served(&mut self) {
        self.ask(SMALL);
        assert_eq!(self.head(), "HTTP/1.1 200 OK");
        assert_eq!(self.body(5), b"hello");
    }

    /// What is sent until the server closes the connection.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
        }
        rest
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_keeps_its_head_to_itself_is_closed_without_an_answer() {
    let server = Server::start(Bounds { head_timeout: SHORT, ..patient() }).await;
    let table: [(&str, &[u8]); 4] = [
        ("nothing", b""),
        ("a letter", b"G"),
        ("part of the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM"),
        ("part of a head", b"GET /-/health HTTP/1.1\r\nHost: localhost\r\nX: "),
    ];
    for (name, sent) in table {
        let mut client = server.connect();
        client.send(sent);
        assert_eq!(client.rest(), b"", "{name}");
    }
    let mut client = server.connect();
    client.is_served();
    assert_eq!(client.rest(), b"", "nothing after a request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_is_cut() {
    let bounds = Bounds { connections: 1, write_timeout: SHORT, ..patient() };
    let server = Server::start(bounds).await;
    let mut stalled = server.connect();
    stalled.ask(LARGE);
    assert_eq!(stalled.head(), "HTTP/1.1 200 OK");
    // There is room for one: whoever comes next is served when the stalled one is gone.
    server.connect().is_served();
    let received = stalled.rest();
    assert!(received.len() < LARGE_LEN, "cut, not finished");
    assert!(server.large.starts_with(&received));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_slowly_gets_all() {
    let server = Server::start(Bounds { write_timeout: 2 * SHORT, ..patient() }).await;
    // What a client's own kernel takes ahead for it is not what is looked at here.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(32 * 1024).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let mut client = Client { stream: socket.into() };
    client.ask(LARGE);
    assert_eq!(client.head(), "HTTP/1.1 200 OK");
    // Over several write timeouts it takes far less than a kernel would buffer, and far more than
    // the least rate; then the rest.
    let mut received = Vec::new();
    for _ in 0..150 {
        received.extend(client.body(8 * 1024));
        std::thread::sleep(Duration::from_millis(10));
    }
    let left = LARGE_LEN - received.len();
    received.extend(client.body(left));
    assert!(received == server.large);
    client.is_served();
}

/// An HTTP/2 frame (RFC 9113 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u32).to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field without compression (RFC 7541 6.2.2); name and value are shorter than 127 bytes.
fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

/// The preface, a window of nothing for each stream, and a request.
fn windowless_request(path: &str) -> Vec<u8> {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const INITIAL_WINDOW_SIZE: [u8; 6] = [0, 4, 0, 0, 0, 0];
    const END_STREAM_AND_HEADERS: u8 = 5;
    let head = [
        field(":method", "GET"),
        field(":scheme", "http"),
        field(":authority", "localhost"),
        field(":path", path),
    ];
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let settings = frame(SETTINGS, 0, 0, &INITIAL_WINDOW_SIZE);
    [preface, settings, frame(HEADERS, END_STREAM_AND_HEADERS, 1, &head.concat())].concat()
}

/// The kinds of the frames and how many bytes of data are in them.
fn frames(mut bytes: &[u8]) -> (Vec<u8>, usize) {
    let (mut kinds, mut data_len) = (Vec::new(), 0);
    while let [a, b, c, kind, rest @ ..] = bytes {
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        kinds.push(*kind);
        data_len += if *kind == 0 { len } else { 0 };
        bytes = rest.get(5 + len..).unwrap_or_default();
    }
    (kinds, data_len)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http_2_connection_on_which_nothing_moves_is_told_to_end_and_cut() {
    const GOAWAY: u8 = 7;
    let bounds = Bounds { head_timeout: SHORT, write_timeout: SHORT, ..patient() };
    let server = Server::start(bounds).await;
    let request = windowless_request(LARGE);
    let table = [("no request", &request[..24 + 9 + 6]), ("no window", &request[..])];
    for (name, sent) in table {
        let mut client = server.connect();
        client.send(sent);
        let (kinds, data_len) = frames(&client.rest());
        assert!(kinds.contains(&GOAWAY), "{name}: {kinds:?}");
        assert_eq!(data_len, 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_download_ends_after_the_wish_to_stop() {
    let mut server = Server::start(patient()).await;
    let mut idle = server.connect();
    idle.is_served();
    let mut client = server.connect();
    client.ask(LARGE);
    assert_eq!(client.head(), "HTTP/1.1 200 OK");

    server.stop.send_replace(true);
    assert_eq!(idle.rest(), b"", "an idle connection ends at once");
    while TcpStream::connect(server.address).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(client.body(LARGE_LEN) == server.large);
    assert_eq!(client.rest(), b"");
    server.join();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_goes_on_for_too_long_does_not_keep_the_server_from_stopping() {
    let mut server = Server::start(Bounds { stop_timeout: SHORT, ..patient() }).await;
    let mut client = server.connect();
    client.ask(LARGE);
    assert_eq!(client.head(), "HTTP/1.1 200 OK");
    server.stop.send_replace(true);
    server.join();
    assert!(client.rest().len() < LARGE_LEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_past_the_bound_waits_for_someone_to_go() {
    let server = Server::start(Bounds { connections: 2, ..patient() }).await;
    let mut running = [server.connect(), server.connect()];
    running.iter_mut().for_each(Client::is_served);
    let mut waiting: Vec<Client> = (0..6).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.ask(SMALL);
        client.stream.set_read_timeout(Some(MOMENT / 6)).unwrap();
        assert!(client.stream.read(&mut [0]).is_err(), "nobody answers yet");
        client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    drop(running);
    // One after the other, in whatever order they come to it: each goes when it has been served.
    let threads: Vec<JoinHandle<()>> = waiting
        .into_iter()
        .map(|mut client| {
            std::thread::spawn(move || {
                assert_eq!(client.head(), "HTTP/1.1 200 OK");
                assert_eq!(client.body(5), b"hello");
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_port_that_somebody_listens_on_is_not_shared() {
    let loopback: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let in_use = |address| Listeners::bind(address).unwrap_err().kind();

    let ours = Listeners::bind(loopback).unwrap();
    assert_ne!(ours.address().port(), 0);
    assert_eq!(in_use(ours.address()), io::ErrorKind::AddrInUse);
    let everywhere = (Ipv4Addr::UNSPECIFIED, ours.address().port()).into();
    assert_eq!(in_use(everywhere), io::ErrorKind::AddrInUse);
    let address = ours.address();
    drop(ours);
    assert_eq!(Listeners::bind(address).unwrap().address(), address);

    let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    other.set_reuse_address(true).unwrap();
    other.set_reuse_port(true).unwrap();
    other.bind(&loopback.into()).unwrap();
    other.listen(1).unwrap();
    let address = other.local_addr().unwrap().as_socket().unwrap();
    assert_eq!(in_use(address), io::ErrorKind::AddrInUse);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_nobody_wants_does_not_end_the_connection() {
    let server = Server::start(patient()).await;
    let mut client = server.connect();
    let table = [
        ("DELETE", "/api/v4/projects/1/jobs/1/artifacts/a.txt"),
        ("POST", "/api/v4/nothing"),
        ("GET", SMALL),
    ];
    for (method, path) in table {
        // As clients that send JSON with everything do, and the body in a packet of its own.
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n"
        );
        client.send(head.as_bytes());
        std::thread::sleep(MOMENT / 6);
        client.send(b"{}");
        let (status, len) = client.status_and_len();
        assert_eq!(status == "200 OK", method == "GET", "{method}: {status}");
        client.body(len);
    }
    client.is_served();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_still_sending_gets_its_answer() {
    let server = Server::start(patient()).await;
    let mut client = server.connect();
    // More than the kernels of both sides take: somebody must read it.
    let body = noise(LARGE_LEN, 5);
    let head = "POST /api/v4/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: ";
    client.send(format!("{head}{LARGE_LEN}\r\n\r\n").as_bytes());
    client.send(&body);
    let (status, len) = client.status_and_len();
    assert_eq!(status, "404 Not Found");
    client.body(len);
    client.is_served();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_holds_its_body_back_is_not_asked_for_it() {
    let server = Server::start(patient()).await;
    let mut client = server.connect();
    let head = "POST /api/v4/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n";
    client.send(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes());
    let (status, len) = client.status_and_len();
    assert_eq!(status, "404 Not Found", "and no 100 before it");
    client.body(len);
    // What would come next, the body or another request, cannot be told.
    assert_eq!(client.rest(), b"");
}

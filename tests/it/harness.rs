//! The built program as a child process: one run, or a server for as long as its guard lives.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

pub(crate) use entryway_tests_shared::machine::{HANG, has_command, skip};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The program under test: `ENTRYWAY_BIN`, or the one of this test's own profile.
pub(crate) fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("ENTRYWAY_BIN") {
        return PathBuf::from(named);
    }
    let this_test = std::env::current_exe().expect("a running test has a path");
    // target/PROFILE/deps/it-HASH
    let profile = this_test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps");
    let program = profile.join("entryway");
    assert!(
        program.exists(),
        "{} is not built: run tests/run, or `cargo build --bin entryway` in the same profile",
        program.display()
    );
    program
}

/// A command of the program, without what the caller's environment would change about it.
pub(crate) fn command() -> Command {
    scrubbed(Command::new(program()))
}

/// Takes from a command what the caller's environment would change about the program.
pub(crate) fn scrubbed(mut command: Command) -> Command {
    for name in ["ENTRYWAY_TOKEN", "RUST_LOG", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// Runs a command to its end; a panic of the program fails the test, whatever it expected.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{command:?} panicked: {stderr}");
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }

    /// Fails unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stderr: {}stdout: {}", self.stderr, self.text());
        self
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

/// Runs the program with these arguments.
pub(crate) fn run<I, S>(arguments: I) -> Ran
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    Ran::of(command().args(arguments))
}

/// What `entryway push` is told; [`Push::public`] has the defaults of most tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Push<'a> {
    pub(crate) project: &'a str,
    pub(crate) ref_name: &'a str,
    pub(crate) job: &'a str,
    pub(crate) pipeline: Option<u64>,
    pub(crate) status: Option<&'a str>,
    pub(crate) visibility: Option<&'a str>,
    /// More arguments, as they are.
    pub(crate) arguments: &'a [&'a str],
}

impl Push<'_> {
    /// Project `group/app`, ref `main`, job `build`, public.
    pub(crate) fn public() -> Self {
        Self {
            project: "group/app",
            ref_name: "main",
            job: "build",
            pipeline: None,
            status: None,
            visibility: Some("public"),
            arguments: &[],
        }
    }

    /// The command, for a test that expects it to fail.
    pub(crate) fn attempt_in(&self, data: &Path, archive: &Path) -> Ran {
        let mut command = command();
        command.arg("push").arg(archive).arg("--data").arg(data).arg("--json");
        command.args(["--project", self.project, "--ref", self.ref_name, "--job", self.job]);
        command.args(self.arguments);
        if let Some(pipeline) = self.pipeline {
            command.args(["--pipeline", &pipeline.to_string()]);
        }
        if let Some(status) = self.status {
            command.args(["--status", status]);
        }
        if let Some(visibility) = self.visibility {
            command.args(["--visibility", visibility]);
        }
        Ran::of(&mut command)
    }

    /// Pushes, and reads what `--json` prints.
    #[track_caller]
    pub(crate) fn store_in(&self, data: &Path, archive: &Path) -> Pushed {
        let json = self.attempt_in(data, archive).exits(0).json();
        let number = |field: &str| {
            json[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {json}"))
        };
        Pushed {
            project_id: number("project_id"),
            pipeline_id: number("pipeline_id"),
            job_id: number("job_id"),
            sha256: json["sha256"].as_str().expect("push prints a sha256").to_owned(),
            size: number("size"),
            entries: number("entries"),
            refused: json["refused"].as_array().expect("push prints refused").clone(),
        }
    }
}

/// The object that `entryway push --json` prints.
#[derive(Clone, Debug)]
pub(crate) struct Pushed {
    pub(crate) project_id: u64,
    pub(crate) pipeline_id: u64,
    pub(crate) job_id: u64,
    pub(crate) sha256: String,
    pub(crate) size: u64,
    pub(crate) entries: u64,
    pub(crate) refused: Vec<Value>,
}

/// A program that goes on until it is stopped, and what it prints.
pub(crate) struct Running {
    child: Child,
    /// Shared by the threads of a test that share the server.
    lines: Mutex<Receiver<String>>,
    log: PathBuf,
    _log_folder: tempfile::TempDir,
}

impl Running {
    /// Starts a command; its standard error goes to a file, so that a full pipe never stops it.
    pub(crate) fn start(command: &mut Command) -> Self {
        let log_folder = tempfile::tempdir().expect("a temporary folder");
        let log = log_folder.path().join("log");
        let stderr = File::create(&log).expect("a log file");
        let mut child =
            command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("standard output is piped");
        let (sender, lines) = mpsc::channel();
        // Reads to the end even when nobody listens: a full pipe would stop the program.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines: Mutex::new(lines), log, _log_folder: log_folder }
    }

    /// The next line of standard output; `None` when `wait` passed without one, or at its end.
    pub(crate) fn line(&self, wait: Duration) -> Option<String> {
        self.lines.lock().expect("no panic while it is held").recv_timeout(wait).ok()
    }

    /// Waits for a line that begins with `prefix`, and gives what follows it.
    #[track_caller]
    pub(crate) fn line_after(&self, prefix: &str) -> String {
        loop {
            let Some(line) = self.line(HANG) else {
                panic!("no line {prefix:?} before the end; log: {}", self.log());
            };
            if let Some(rest) = line.strip_prefix(prefix) {
                return rest.to_owned();
            }
        }
    }

    /// What the program wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| log.read_to_end(&mut text));
        read.expect("the log can be read");
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Process id, as /proc names it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its peak resident memory so far, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.expect("a running process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
        size.and_then(|size| size.trim().parse().ok()).expect("a number of KiB")
    }

    /// Asks the program to stop, as an operator does.
    pub(crate) fn terminate(&self) {
        let own = rustix::process::Pid::from_child(&self.child);
        // The child may be gone already; it has not been waited for, so the id is still its own.
        let _ = rustix::process::kill_process(own, rustix::process::Signal::TERM);
    }

    /// Ends the program as a crash does: it may do nothing about it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Whether the program has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            if started.elapsed() > HANG {
                let _ = self.child.kill();
                panic!("the program did not stop; log: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = matches!(self.child.try_wait(), Ok(Some(_)));
        if !ended && std::thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        } else if !ended {
            self.terminate();
            self.wait();
        }
        if !std::thread::panicking() {
            let log = self.log();
            assert!(!log.contains("panicked"), "the program panicked: {log}");
        }
    }
}

/// `entryway serve` on a free port, for as long as this value lives.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) process: Running,
}

impl Server {
    /// Serves a data folder.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// Serves a data folder with more arguments.
    pub(crate) fn start_with(data: &Path, arguments: &[&str]) -> Self {
        let mut command = command();
        command.arg("serve").arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
        let process = Running::start(command.args(arguments));
        let address = process.line_after("listening on http://");
        let address = address.trim().parse().expect("the program prints the address it bound");
        Self { address, process }
    }

    /// The URL of a target of this server.
    pub(crate) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }
}

/// A data folder, with archives beside it, that goes when the test ends.
pub(crate) struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// The data folder of the program under test.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A path beside the data folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the data folder.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file in a temporary folder");
        path
    }
}

/// SHA-256 in the form of entity tags and indexes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

//! What a warm request costs the kernel: no file is opened, no archive is read, no SQL is run.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{Client, by_job, by_ref};
use crate::harness::{HANG, Push, Scratch, Server, has_command, skip};
use crate::sample::{SMALL_DEFLATED, SMALL_STORED, Sample};

/// Enough that what the server does by itself meanwhile is little beside it.
const REQUESTS: usize = 2_000;

/// A strace of a running server, with the paths behind its descriptors.
struct Trace {
    strace: Child,
    log: std::path::PathBuf,
}

impl Trace {
    /// Attaches to a process; `None` where that is not allowed here.
    fn attach(process: u32, log: &Path) -> Option<Self> {
        let calls = "open,openat,openat2,read,readv,pread64,preadv,preadv2,fcntl,mmap,recvfrom";
        let mut strace = Command::new("strace")
            .args(["-f", "-y", "-e"])
            .arg(format!("trace={calls}"))
            .args(["-p", &process.to_string(), "-o"])
            .arg(log)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        // Attached once every thread of the server has a tracer.
        let started = Instant::now();
        loop {
            if strace.try_wait().ok()?.is_some() || started.elapsed() > HANG {
                return None;
            }
            let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
            let traced = threads.map_while(Result::ok).all(|thread| {
                let status = std::fs::read_to_string(thread.path().join("status"));
                status.is_ok_and(|status| !status.contains("TracerPid:\t0"))
            });
            if traced {
                return Some(Self { strace, log: log.to_owned() });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Detaches and gives the lines.
    fn lines(mut self) -> Vec<String> {
        let own = rustix::process::Pid::from_child(&self.strace);
        let _ = rustix::process::kill_process(own, rustix::process::Signal::INT);
        self.strace.wait().expect("strace ends");
        let log = std::fs::read(&self.log).expect("strace wrote its log");
        String::from_utf8_lossy(&log).lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_warm_request_opens_no_file_and_runs_no_sql() {
    let test = "a_warm_request_opens_no_file_and_runs_no_sql";
    if !has_command("strace") {
        return skip(test, "strace is not here");
    }
    let scratch = Scratch::new();
    let sample = Sample::new();
    let archive = scratch.file("sample.zip", &sample.built.bytes);
    let job = Push::public().store_in(&scratch.data(), &archive).job_id;
    let server = Server::start(&scratch.data());
    let mut client = Client::http1(server.address);
    let targets: Vec<String> = [SMALL_STORED, SMALL_DEFLATED]
        .into_iter()
        .flat_map(|name| [by_ref("main", name.as_bytes()), by_job(job, name.as_bytes())])
        .collect();
    for target in targets.iter().chain(&targets) {
        assert_eq!(client.get(target).await.status, 200);
    }

    let Some(trace) = Trace::attach(server.process.id(), &scratch.path("trace")) else {
        return skip(test, "strace may not attach to a process here");
    };
    for target in targets.iter().cycle().take(REQUESTS) {
        assert_eq!(client.get(target).await.status, 200);
    }
    let lines = trace.lines();
    // strace saw the server at all: at the least it read the requests from its socket.
    assert!(lines.len() >= REQUESTS, "{} calls", lines.len());
    let data = scratch.data();
    let data = data.to_str().expect("a plain path");
    let opened: Vec<&String> = lines.iter().filter(|line| line.contains("open")).collect();
    assert!(opened.is_empty(), "{opened:#?}");
    let (of_catalog, of_store): (Vec<&String>, Vec<&String>) = lines
        .iter()
        .filter(|line| line.contains(data))
        .partition(|line| line.contains("catalog.sqlite"));
    assert!(of_store.is_empty(), "{:#?}", &of_store[..of_store.len().min(20)]);
    // The catalog is looked at now and then, whatever is asked.
    assert!(of_catalog.len() < REQUESTS / 2, "{} calls on the catalog", of_catalog.len());
}

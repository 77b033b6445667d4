//! What was acknowledged survives kill -9, and what was not is there whole or not at all.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use super::sending::{Cut, FRAMINGS, Form, Framing};
use super::{Job, Site, archive, blobs, names, wait_until};
use crate::harness::{Server, sha256};

impl Site {
    /// Kills the server and starts another on its folder.
    fn kill_and_start(&mut self) {
        self.server.process.kill();
        self.server = Server::start(&self.data);
    }

    /// Fails unless the store has the archives of these jobs alone, and what belongs to none of
    /// them where nobody can ask for it.
    #[track_caller]
    fn assert_recovered(&self, what: &str, served: &[&[u8]]) {
        let expected: BTreeSet<String> = served.iter().map(|bytes| sha256(bytes)).collect();
        assert_eq!(blobs(&self.data), expected, "{what}: blobs");
        // What was asked for is being verified, and its verdicts are written.
        wait_until(&format!("{what}: tmp"), || {
            self.open_temporaries().is_empty() && names(&self.data.join("tmp")).is_empty()
        });
    }
}

#[test]
fn a_server_killed_while_it_receives_leaves_nothing() {
    let mut site = Site::start(&[]);
    let bytes = archive("never whole", 1_200_000);
    let form = Form::of(&bytes);
    let kept = archive("acknowledged", 300_000);
    let keeper = site.job();
    site.upload(Framing::Length, &keeper, &kept).is_created("acknowledged");
    for framing in FRAMINGS {
        for sent in [1, form.bytes.len() / 2, form.bytes.len() - 1] {
            let what = format!("{framing:?}: killed after {sent} bytes");
            let job = site.job();
            let mut sending = site.begin(framing, &job, &form);
            sending.send(&form.bytes[..sent]);
            wait_until(&what, || !site.open_temporaries().is_empty());
            site.kill_and_start();
            drop(sending.cut(Cut::Close));
            site.assert_has_none(&what, &job);
            site.assert_serves(&what, &keeper, &kept);
            site.assert_recovered(&what, &[&kept]);
        }
        let job = site.job();
        site.upload(framing, &job, &bytes).is_created("after all");
        site.assert_serves("after all", &job, &bytes);
        assert_eq!(site.delete(&job).status, 204);
        site.kill_and_start();
        wait_until("swept at the start", || blobs(&site.data).len() == 1);
    }
}

#[test]
fn a_server_killed_at_the_end_of_uploads_has_what_it_acknowledged() {
    const JOBS: usize = 6;
    let mut site = Site::start(&[]);
    let (mut acknowledged, mut others) = (Vec::new(), 0);
    let mut served: Vec<(Job, Vec<u8>)> = Vec::new();
    for round in 0..12 {
        let jobs: Vec<(Job, Vec<u8>)> = (0..JOBS)
            .map(|n| (site.job(), archive(&format!("{round} {n}"), 100_000 + 50_000 * n)))
            .collect();
        // From right after the last bytes to well after the last answer.
        let pause = Duration::from_millis([0, 1, 2, 4, 7, 12, 20, 30, 45, 70, 110, 400][round]);
        let outcomes: Vec<bool> = thread::scope(|threads| {
            let mut sending = Vec::new();
            for (number, (job, bytes)) in jobs.iter().enumerate() {
                let form = Form::of(bytes);
                let mut upload = site.begin(FRAMINGS[number % FRAMINGS.len()], job, &form);
                upload.send(&form.bytes);
                upload.end();
                sending.push(upload);
            }
            // Each answer is read as it comes, so that whoever has one had it before the kill.
            let answers: Vec<_> = sending
                .into_iter()
                .map(|upload| threads.spawn(move || upload.reply().status))
                .collect();
            thread::sleep(pause);
            site.server.process.kill();
            let statuses = answers.into_iter().map(|answer| answer.join().expect("a thread"));
            let statuses: Vec<u16> = statuses.collect();
            assert!(statuses.iter().all(|status| [0, 201].contains(status)), "{statuses:?}");
            statuses.iter().map(|&status| status == 201).collect()
        });
        site.server = Server::start(&site.data);
        for ((job, bytes), is_acknowledged) in jobs.into_iter().zip(outcomes) {
            let what = format!("round {round}, job {}, told: {is_acknowledged}", job.id);
            let is_there = site.get(&super::archive_of(&job)).status == 200;
            assert!(is_there || !is_acknowledged, "{what}: an acknowledged archive is lost");
            if is_there {
                site.assert_serves(&what, &job, &bytes);
                served.push((job, bytes));
            } else {
                site.assert_has_none(&what, &job);
                // The client, not knowing, does it again.
                site.upload(Framing::Length, &job, &bytes).is_created(&what);
                site.assert_serves(&what, &job, &bytes);
                served.push((job, bytes));
            }
            if is_acknowledged {
                acknowledged.push(round);
            } else {
                others += 1;
            }
        }
    }
    let all: Vec<&[u8]> = served.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    site.kill_and_start();
    site.assert_recovered("at last", &all);
    for (job, bytes) in &served {
        site.assert_serves("at last", job, bytes);
    }
    assert!(!acknowledged.is_empty() && others > 0, "only one outcome: {acknowledged:?} {others}");
}

#[test]
fn a_server_killed_right_after_an_answer_has_the_archive() {
    let mut site = Site::start(&[]);
    for round in 0..6 {
        let framing = FRAMINGS[round % FRAMINGS.len()];
        let what = format!("{framing:?} {round}");
        let job = site.job();
        let bytes = archive(&what, 700_000);
        let reply = site.upload(framing, &job, &bytes);
        site.kill_and_start();
        reply.is_created(&what);
        site.assert_serves(&what, &job, &bytes);
        // Verified or not when it was killed, in the end it is.
        wait_until(&what, || super::large::is_verified(&site, &job, "NAME"));
        site.assert_serves(&what, &job, &bytes);
    }
}

/// The system calls of one upload at which the server is killed: after them nothing of it may be
/// seen, or all. The first number is which such call of the server's life it is.
#[test]
fn a_server_killed_between_the_steps_of_an_upload_has_all_of_it_or_nothing() {
    const TEST: &str = "a_server_killed_between_the_steps_of_an_upload_has_all_of_it_or_nothing";
    if !crate::harness::has_command("strace") {
        return crate::harness::skip(TEST, "strace is not here");
    }
    let mut site = Site::start(&[]);
    let mut kinds = [0, 0];
    let calls = ["fallocate", "fchmod", "fsync", "linkat", "fdatasync", "pwrite64"];
    for (call, number) in calls.into_iter().flat_map(|call| [(call, 1), (call, 2), (call, 3)]) {
        let what = format!("killed at {call} {number}");
        let job = site.job();
        let bytes = archive(&what, 90_000);
        let pid = site.server.process.id().to_string();
        let mut strace = std::process::Command::new("strace");
        let inject = format!("inject={call}:signal=KILL:when={number}");
        strace.args(["-f", "-q", "-e", &inject, "-e", &format!("trace={call}"), "-p", &pid]);
        let mut strace = strace
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("strace starts");
        let status = format!("/proc/{pid}/status");
        let is_traced = || {
            let status = std::fs::read_to_string(&status).unwrap_or_default();
            !status.contains("TracerPid:\t0\n")
        };
        let mut attempts = 0;
        while !is_traced() && attempts < 500 {
            thread::sleep(Duration::from_millis(10));
            attempts += 1;
        }
        if !is_traced() {
            let _ = strace.kill();
            let _ = strace.wait();
            return crate::harness::skip(TEST, "strace may not attach");
        }
        let form = Form::of(&bytes);
        let mut sending = site.begin(Framing::Length, &job, &form);
        sending.send(&form.bytes);
        let status = sending.finish().status;
        assert!([0, 201].contains(&status), "{what}: {status}");
        site.kill_and_start();
        strace.wait().expect("strace ends with the server");
        let is_there = site.get(&super::archive_of(&job)).status == 200;
        assert!(is_there || status == 0, "{what}: an acknowledged archive is lost");
        kinds[usize::from(is_there)] += 1;
        if is_there {
            site.assert_serves(&what, &job, &bytes);
            site.assert_recovered(&what, &[&bytes]);
        } else {
            site.assert_has_none(&what, &job);
            site.assert_recovered(&what, &[]);
        }
        site.upload(Framing::Length, &job, &bytes).is_created(&what);
        site.assert_serves(&what, &job, &bytes);
        assert_eq!(site.delete(&job).status, 204);
        site.kill_and_start();
        wait_until("swept at the start", || blobs(&site.data).is_empty());
    }
    assert!(kinds[0] > 0 && kinds[1] > 0, "killed only before or only after: {kinds:?}");
    let orphans = names(&site.data.join("quarantine"));
    assert!(!orphans.is_empty(), "never killed between the file's name and its row");
}

//! Answers before the body has come: what the head tells is said before a byte is asked for, what
//! the body tells as soon as it does, and a client that goes on sending still reads it.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use super::sending::{FRAMINGS, Form, Framing, Sending, Wire, head};
use super::{Job, Site, archive, upload_to};

const LIMIT: usize = 1 << 20;

fn site() -> Site {
    Site::start(&["--max-archive-size", "1MiB"])
}

/// A head with `Expect: 100-continue`, whole.
fn expecting(site: &Site, job: &Job, credential: (&str, &str), fields: &str) -> String {
    let content_type = Form::content_type();
    let fixed = [credential, ("Expect", "100-continue"), ("Content-Type", &content_type)];
    head(site.server.address, "POST", &upload_to(job), &fixed) + fields + "\r\n"
}

#[test]
fn the_body_is_not_asked_for_when_the_head_is_refused() {
    let site = site();
    let (job, over) = (site.job(), site.job());
    site.end(&over);
    let own = ("JOB-TOKEN", job.token.as_str());
    let small = "Content-Length: 1000\r\n";
    let too_long = format!("Content-Length: {}\r\n", LIMIT + 100_000);
    let coded = format!("{small}Content-Encoding: gzip\r\n");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let bad = ("PRIVATE-TOKEN", "nonsense");
    let table = [
        ("another job's token", own, &over, small, 403),
        ("the job is over", ("JOB-TOKEN", over.token.as_str()), &over, small, 403),
        ("an unknown job token", ("JOB-TOKEN", "nonsense"), &job, small, 403),
        ("no token", ("X-None", "1"), &job, small, 403),
        ("no token, chunked", ("X-None", "1"), &job, chunked, 403),
        ("an unknown token", bad, &job, small, 401),
        ("an unknown token, too long", bad, &job, &too_long, 401),
        ("too long", own, &job, &too_long, 413),
        ("a content coding", own, &job, &coded, 415),
    ];
    for (name, credential, job, fields, status) in table {
        let mut wire = Wire::open(site.server.address);
        let request = expecting(&site, job, credential, fields);
        wire.stream.write_all(request.as_bytes()).expect("the server reads a head");
        let first = wire.head().unwrap_or_else(|| panic!("{name}: no answer"));
        assert!(first.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {first}");
    }
    site.assert_holds("refused by their heads", &[]);
    site.assert_has_none("refused by its head", &job);
}

#[test]
fn the_body_is_asked_for_when_all_is_well_and_not_before() {
    let site = site();
    for framing in [Framing::Length, Framing::Chunked] {
        let job = site.job();
        let what = format!("{framing:?}");
        let bytes = archive(&what, 100_000);
        let form = Form::of(&bytes);
        let fields = match framing {
            Framing::Length => format!("Content-Length: {}\r\n", form.len),
            _ => "Transfer-Encoding: chunked\r\n".to_owned(),
        };
        let mut wire = Wire::open(site.server.address);
        let request = expecting(&site, &job, ("JOB-TOKEN", &job.token), &fields);
        let (begun, rest) = request.as_bytes().split_at(request.len() - 2);
        wire.stream.write_all(begun).expect("the server reads");
        let short = Some(Duration::from_millis(300));
        wire.stream.set_read_timeout(short).expect("a socket option");
        let early = wire.stream.read(&mut [0; 1]).map_err(|error| error.kind());
        let nothing = [Err(ErrorKind::WouldBlock), Err(ErrorKind::TimedOut)];
        assert!(nothing.contains(&early), "{what}: an answer to half a head");
        wire.stream.set_read_timeout(Some(crate::harness::HANG)).expect("a socket option");
        wire.stream.write_all(rest).expect("the server reads");
        let asked = wire.head().unwrap_or_default();
        assert!(asked.starts_with("HTTP/1.1 100 "), "{what}: {asked}");
        let mut sending = Sending::Wire { wire, is_chunked: framing == Framing::Chunked };
        assert!(sending.send(&form.bytes), "{what}");
        sending.finish().is_created(&what);
        site.assert_serves(&what, &job, &bytes);
    }
}

#[test]
fn an_upload_over_the_limit_is_refused_before_it_has_been_read() {
    let site = site();
    let bytes = archive("too large", 3 * LIMIT);
    let form = Form::of(&bytes);
    for framing in FRAMINGS {
        let what = format!("{framing:?}");
        let job = site.job();
        let mut sending = site.begin(framing, &job, &form);
        // A little over the limit, and then nothing: no end either.
        if framing != Framing::Length {
            sending.send(&form.bytes[..LIMIT + 100_000]);
        }
        sending.reply().refuses(&what, 413);
        site.assert_has_none(&what, &job);
        site.assert_holds(&what, &[]);
    }
}

#[test]
fn the_limit_is_on_the_file_to_the_byte() {
    let site = site();
    let small = archive("as long as the limit", 0);
    let exact = archive("as long as the limit", LIMIT - small.len());
    let longer = archive("as long as the limit", LIMIT - small.len() + 1);
    assert_eq!((exact.len(), longer.len()), (LIMIT, LIMIT + 1));
    for framing in FRAMINGS {
        let what = format!("{framing:?}");
        let job = site.job();
        site.upload(framing, &job, &longer).refuses(&what, 413);
        site.upload(framing, &job, &exact).is_created(&what);
        site.assert_serves(&what, &job, &exact);
    }
    site.assert_holds("the limit", &[&exact]);
}

#[test]
fn a_client_that_goes_on_sending_reads_the_early_answer() {
    let site = site();
    // More than sockets keep: the server has to read it for the client to come to its end.
    let bytes = vec![b'x'; 30 << 20];
    let form = Form::of(&bytes);
    let job = site.job();
    let strange = Job { id: job.id, token: "nonsense".to_owned() };
    for framing in FRAMINGS {
        for (what, job, status) in [("too large", &job, 413), ("not allowed", &strange, 403)] {
            let what = format!("{what}, {framing:?}");
            let mut sending = site.begin(framing, job, &form);
            let mut is_taken = true;
            for piece in form.bytes.chunks(256 * 1024) {
                is_taken = sending.send(piece);
                if !is_taken {
                    break;
                }
            }
            // An HTTP/2 client may be told to stop.
            assert!(is_taken || framing == Framing::Http2, "{what}: cut while it was sending");
            sending.finish().refuses(&what, status);
        }
    }
    site.assert_holds("early answers", &[]);
}

#[test]
fn a_connection_serves_on_after_an_early_answer() {
    let site = site();
    let job = site.job();
    let refused = Form::of(&vec![b'x'; 2 * LIMIT]);
    let bytes = archive("after an early answer", 50_000);
    let form = Form::of(&bytes);
    let content_type = Form::content_type();
    let fields = [("JOB-TOKEN", job.token.as_str()), ("Content-Type", &content_type)];
    let mut wire = Wire::open(site.server.address);
    for (form, status) in [(&refused, 413), (&refused, 413), (&form, 201), (&form, 201)] {
        let head = head(site.server.address, "POST", &upload_to(&job), &fields);
        let head = format!("{head}Content-Length: {}\r\n\r\n", form.len);
        wire.stream.write_all(head.as_bytes()).expect("the server reads");
        wire.stream.write_all(&form.bytes).expect("the server reads");
        let reply = wire.reply();
        assert_eq!(reply.status, status, "{reply:?}");
    }
    site.assert_serves("the same connection", &job, &bytes);
}

#[test]
fn an_upload_of_which_nothing_comes_any_more_is_too_slow() {
    let site = Site::start(&["--upload-timeout", "2"]);
    let bytes = archive("slow", 400_000);
    let form = Form::of(&bytes);
    for framing in FRAMINGS {
        for sent in [0, 10, form.bytes.len() / 2, form.bytes.len() - 1] {
            let what = format!("{framing:?}: nothing after {sent}");
            let job = site.job();
            let mut sending = site.begin(framing, &job, &form);
            sending.send(&form.bytes[..sent]);
            sending.reply().refuses(&what, 408);
            site.assert_has_none(&what, &job);
            site.assert_holds(&what, &[]);
        }
    }
    // Slow, but not too slow: longer than the time in all, never between two pieces.
    let job = site.job();
    let mut sending = site.begin(Framing::Chunked, &job, &form);
    for piece in form.bytes.chunks(form.bytes.len().div_ceil(8)) {
        assert!(sending.send(piece), "the server reads on");
        std::thread::sleep(Duration::from_millis(500));
    }
    sending.finish().is_created("slow");
    site.assert_serves("slow", &job, &bytes);
}

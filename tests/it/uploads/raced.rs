//! Several uploads at once: of one job, where one alone can win, and of many.

use std::thread;

use super::sending::{FRAMINGS, Form, Framing, Reply};
use super::{Job, Site, archive};

const ROUNDS: usize = 12;
const PIECE_LEN: usize = 16 * 1024;

/// Uploads two forms to one job, a piece of each in turn; the last pieces go one after the other.
fn interleaved(site: &Site, framings: [Framing; 2], job: &Job, forms: [&Form; 2]) -> [Reply; 2] {
    let mut sending = [0, 1].map(|n| site.begin(framings[n], job, forms[n]));
    let mut pieces = forms.map(|form| form.bytes.chunks(PIECE_LEN));
    loop {
        let next = [pieces[0].next(), pieces[1].next()];
        if next == [None, None] {
            break;
        }
        for (sending, piece) in sending.iter_mut().zip(next) {
            assert!(sending.send(piece.unwrap_or_default()), "the server reads on");
        }
    }
    for sending in &mut sending {
        sending.end();
    }
    sending.map(super::sending::Sending::reply)
}

#[test]
fn the_same_bytes_twice_at_once_are_taken_twice_and_stored_once() {
    let site = Site::start(&[]);
    let mut stored = Vec::new();
    for round in 0..ROUNDS {
        for framings in [[Framing::Length, Framing::Chunked], [Framing::Http2; 2]] {
            let what = format!("{framings:?} {round}");
            let job = site.job();
            let bytes = archive(&what, 150_000);
            let form = Form::of(&bytes);
            for reply in interleaved(&site, framings, &job, [&form, &form]) {
                reply.is_created(&what);
            }
            site.assert_serves(&what, &job, &bytes);
            stored.push(bytes);
        }
    }
    let stored: Vec<&[u8]> = stored.iter().map(Vec::as_slice).collect();
    site.assert_holds("two of each", &stored);
}

#[test]
fn of_different_bytes_at_once_one_is_taken_and_is_what_is_served() {
    let site = Site::start(&[]);
    let (mut stored, mut wins) = (Vec::new(), [0, 0]);
    for round in 0..ROUNDS {
        for framings in [[Framing::Length; 2], [Framing::Chunked, Framing::Http2]] {
            let what = format!("{framings:?} {round}");
            let job = site.job();
            let bytes = ["a", "b"].map(|name| archive(&format!("{what} {name}"), 150_000));
            let forms = [Form::of(&bytes[0]), Form::of(&bytes[1])];
            // Who is asked to begin first is no reason to win.
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            let replies = interleaved(&site, framings, &job, order.map(|n| &forms[n]));
            let winner = match [replies[0].status, replies[1].status] {
                [201, 400] => 0,
                [400, 201] => 1,
                other => panic!("{what}: {other:?} {replies:?}"),
            };
            replies[1 - winner].refuses(&what, 400);
            wins[order[winner]] += 1;
            site.assert_serves(&what, &job, &bytes[order[winner]]);
            // What lost loses again, what won is still taken.
            let loser = &bytes[order[1 - winner]];
            site.upload(framings[0], &job, loser).refuses(&what, 400);
            site.upload(framings[0], &job, &bytes[order[winner]]).is_created(&what);
            stored.push(bytes[order[winner]].clone());
        }
    }
    let stored: Vec<&[u8]> = stored.iter().map(Vec::as_slice).collect();
    // A loser that could not be removed at once, since others were being published, has no row.
    site.assert_holds("one of two", &stored);
    assert!(wins[0] > 0 && wins[1] > 0, "both orders were tried: {wins:?}");
}

#[test]
fn two_jobs_hand_in_the_same_bytes_and_one_of_them_is_over() {
    let site = Site::start(&[]);
    for round in 0..ROUNDS {
        let what = format!("round {round}");
        let bytes = archive(&what, 60_000);
        let form = Form::of(&bytes);
        let [lasting, ending] = [site.job(), site.job()];
        let mut of_lasting = site.begin(Framing::Chunked, &lasting, &form);
        let mut of_ending = site.begin(Framing::Chunked, &ending, &form);
        assert!(of_lasting.send(&form.bytes) && of_ending.send(&form.bytes), "{what}");
        site.end(&ending);
        of_ending.end();
        of_lasting.end();
        of_ending.reply().refuses(&what, 403);
        of_lasting.reply().is_created(&what);
        // The one that is taken back must not take the other's file with it.
        site.assert_serves(&what, &lasting, &bytes);
        site.assert_has_none(&what, &ending);
    }
}

#[test]
fn many_jobs_upload_while_others_download() {
    const JOBS: usize = 64;
    let site = Site::start(&[]);
    let first = site.job();
    let served = archive("what is downloaded meanwhile", 2_000_000);
    site.upload(Framing::Length, &first, &served).is_created("the first");
    let jobs: Vec<(Job, Vec<u8>)> = (0..JOBS)
        .map(|number| (site.job(), archive(&format!("job {number}"), 400_000 + number)))
        .collect();
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..10 {
                    site.assert_serves("meanwhile", &first, &served);
                }
            });
        }
        for (number, (job, bytes)) in jobs.iter().enumerate() {
            let site = &site;
            threads.spawn(move || {
                let framing = FRAMINGS[number % FRAMINGS.len()];
                let what = format!("{number} {framing:?}");
                let form = Form::of(bytes);
                let mut sending = site.begin(framing, job, &form);
                for piece in form.bytes.chunks(PIECE_LEN) {
                    assert!(sending.send(piece), "{what}: the server reads on");
                    thread::yield_now();
                }
                sending.finish().is_created(&what);
                site.assert_serves(&what, job, bytes);
            });
        }
    });
    let mut stored: Vec<&[u8]> = jobs.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    for (job, bytes) in &jobs {
        site.assert_serves("afterwards", job, bytes);
    }
    stored.push(&served);
    site.assert_holds("many", &stored);
    super::large::assert_peak_memory("many uploads", &site);
}

//! An upload that does not come to its end leaves nothing, wherever it was cut.

use super::sending::{Cut, Form, Framing};
use super::{Site, archive};

/// Long enough that several batches are written before most of the cuts.
const LEN: usize = 1_500_000;

#[test]
fn an_upload_cut_at_any_tenth_leaves_nothing_and_can_be_done_again() {
    let site = Site::start(&[]);
    let ways = [
        (Framing::Length, Cut::Close),
        (Framing::Length, Cut::HalfClose),
        (Framing::Chunked, Cut::Close),
        (Framing::Chunked, Cut::HalfClose),
        (Framing::Http2, Cut::Reset),
        (Framing::Http2, Cut::Close),
    ];
    let bytes = archive("what is cut", LEN);
    let form = Form::of(&bytes);
    for (framing, how) in ways {
        let job = site.job();
        // The last one is cut when all but the end of the message has been sent.
        let last = form.bytes.len() - usize::from(framing == Framing::Length);
        let tenths = (0..10).map(|tenth| form.bytes.len() * tenth / 10).chain([last]);
        for at in tenths {
            let what = format!("{framing:?} {how:?} at {at} of {}", form.bytes.len());
            let mut sending = site.begin(framing, &job, &form);
            for piece in form.bytes[..at].chunks(64 * 1024) {
                assert!(sending.send(piece), "{what}: the server reads on");
            }
            if let Some(reply) = sending.cut(how)
                && reply.status != 0
            {
                reply.refuses(&what, 400);
            }
            site.assert_has_none(&what, &job);
            site.assert_holds(&what, &[]);
        }
        let what = format!("{framing:?} {how:?} at last");
        site.upload(framing, &job, &bytes).is_created(&what);
        site.assert_serves(&what, &job, &bytes);
        site.assert_holds(&what, &[&bytes]);
        assert_eq!(site.delete(&job).status, 204, "{what}");
        sweep(&site);
        site.assert_holds(&format!("{what}, deleted"), &[]);
    }
}

#[test]
fn a_form_without_its_last_boundary_is_cut_though_the_message_is_whole() {
    let site = Site::start(&[]);
    let bytes = archive("without an end", 100_000);
    let whole = Form::of(&bytes);
    for framing in super::sending::FRAMINGS {
        let job = site.job();
        for missing in [1, Form::tail().len() - 1, Form::tail().len(), Form::tail().len() + 5] {
            let what = format!("{framing:?} without the last {missing}");
            let end = whole.bytes.len() - missing.max(3);
            let form = Form { bytes: whole.bytes[..end].to_vec(), len: end as u64 };
            let mut sending = site.begin(framing, &job, &form);
            sending.send(&form.bytes);
            sending.finish().refuses(&what, 400);
            site.assert_has_none(&what, &job);
            site.assert_holds(&what, &[]);
        }
    }
}

/// Removes what nobody may ask for any more, as an operator does by hand.
fn sweep(site: &Site) {
    let mut sweep = crate::harness::command();
    crate::harness::Ran::of(sweep.arg("sweep").arg("--data").arg(&site.data)).exits(0);
}

//! The body of a request, and what becomes of it when nobody wants the rest.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::{Body, Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Why a body cannot be read on.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// How much of an unwanted body is read, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct DrainBounds {
    /// From one piece to the next.
    pub idle: Duration,
    /// In all.
    pub total: Duration,
    /// Bytes.
    pub len: u64,
}

impl Default for DrainBounds {
    fn default() -> Self {
        Self { idle: Duration::from_secs(5), total: Duration::from_secs(30), len: 64 << 20 }
    }
}

/// The body of a request. Without one it is nothing, and costs nothing.
///
/// Whoever answers early calls [`RequestBody::drain`]: a client that is still sending would find
/// its connection reset instead of an answer, and one that has sent all could not use it again.
#[derive(Default)]
pub struct RequestBody(Option<Box<Coming>>);

type AnyBody = Box<dyn Body<Data = Bytes, Error = BodyError> + Send + Unpin>;

struct Coming {
    body: AnyBody,
    /// The client waits for `100 Continue` before it sends (RFC 9110 section 10.1.1). It is sent
    /// when the body is first asked for.
    is_held_back: bool,
}

impl RequestBody {
    /// The body of a request without one.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// The body that came with these fields.
    pub fn new<B>(headers: &HeaderMap, body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        if body.is_end_stream() {
            return Self::none();
        }
        let is_held_back = headers
            .get_all(EXPECT)
            .iter()
            .any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"100-continue"));
        Self(Some(Box::new(Coming { body: Box::new(Boxed(body)), is_held_back })))
    }

    /// Reads the rest and throws it away, in the background and within the usual bounds; after
    /// those the client is cut. A body that the client holds back is left: nothing will come.
    ///
    /// For a thread of a runtime; elsewhere the body is dropped.
    pub fn drain(self) {
        if let (Some(rest), Ok(runtime)) = (self.into_rest(), Handle::try_current()) {
            drop(runtime.spawn(discard(rest, DrainBounds::default())));
        }
    }

    /// What is still to come, if anything is.
    fn into_rest(self) -> Option<AnyBody> {
        let Coming { body, is_held_back } = *self.0?;
        (!is_held_back && !body.is_end_stream()).then_some(body)
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestBody").field(&self.size_hint()).finish()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(coming) = &mut self.0 else { return Poll::Ready(None) };
        coming.is_held_back = false;
        Pin::new(&mut coming.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|coming| coming.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |coming| coming.body.size_hint())
    }
}

/// A body whose errors are boxed.
struct Boxed<B>(B);

impl<B> Body for Boxed<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Reads to the end, within bounds.
async fn discard<B>(mut body: B, bounds: DrainBounds)
where
    B: Body<Data = Bytes> + Unpin,
{
    let all = async {
        let mut len: u64 = 0;
        loop {
            let next = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
            let Ok(Some(Ok(frame))) = timeout(bounds.idle, next).await else { return };
            len = len.saturating_add(frame.data_ref().map_or(0, |data| data.len() as u64));
            if len > bounds.len {
                return;
            }
        }
    };
    // Whatever it came to: what is left is dropped.
    let _ = timeout(bounds.total, all).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::super::tests::{Pieces, Step};
    use super::*;

    const BOUNDS: DrainBounds =
        DrainBounds { idle: Duration::from_secs(5), total: Duration::from_secs(30), len: 100 };

    #[tokio::test(start_paused = true)]
    async fn what_nobody_wants_is_read_to_its_end_or_within_bounds() {
        use Step::{Data, Fails, Never, Wait};
        let wait = |seconds| Wait(Duration::from_secs(seconds));
        let drip = || vec![Data("x".into()), wait(4)];
        let table = [
            ("nothing", vec![], 0, 0),
            ("all of it", vec![Data("ab".into()), wait(4), Data("c".into())], 4, 3),
            ("as much as the bound", vec![Data(vec![0; 100].into())], 0, 100),
            ("more than the bound", vec![Data(vec![0; 101].into()), Data("x".into())], 0, 101),
            ("a client that stops", vec![Data("ab".into()), Never], 5, 2),
            (
                "a client that drips",
                std::iter::repeat_with(drip).take(20).flatten().collect(),
                30,
                8,
            ),
            ("a client that goes away", vec![Data("ab".into()), Fails, Data("c".into())], 0, 2),
        ];
        for (name, steps, seconds, expected_len) in table {
            let body = Pieces::new(steps);
            let given = body.given();
            let begun = Instant::now();
            discard(body, BOUNDS).await;
            assert_eq!(begun.elapsed().as_secs(), seconds, "{name}");
            assert_eq!(given.len(), expected_len, "{name}");
        }
    }

    #[tokio::test]
    async fn a_body_that_the_client_holds_back_is_not_asked_for() {
        let held_back = HeaderMap::from_iter([(EXPECT, "100-Continue".parse().unwrap())]);
        let body = || Pieces::new(vec![Step::Data("a".into()), Step::Data("b".into())]);
        assert!(RequestBody::new(&held_back, body()).into_rest().is_none());
        assert!(RequestBody::new(&HeaderMap::new(), body()).into_rest().is_some());
        assert!(RequestBody::none().into_rest().is_none());

        // Once it was asked for, the client sends it.
        let mut asked = RequestBody::new(&held_back, body());
        poll_fn(|cx| Pin::new(&mut asked).poll_frame(cx)).await.unwrap().unwrap();
        assert!(asked.into_rest().is_some());
    }

    #[tokio::test]
    async fn draining_goes_on_in_the_background() {
        let body = Pieces::new(vec![Step::Data("a".into()), Step::Data("b".into())]);
        let given = body.given();
        RequestBody::new(&HeaderMap::new(), body).drain();
        while !given.is_dropped() {
            tokio::task::yield_now().await;
        }
        assert_eq!(given.len(), 2);
    }
}

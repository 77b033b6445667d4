//! From a body of multipart/form-data to a staged file and the fields beside it.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body::Body;
use multer::{Field, Multipart};

use super::drain::BodyError;
use super::form::{self, FieldValue, Form, MAX_FIELDS};
use super::pace::Pace;
use super::writer::Writer;
use super::{FormRule, UploadBounds, UploadError};
use crate::store::{Staged, Store};

/// Bytes of a body beside its file, at most: 16 fields of 4 KiB would be as long, and none is.
const FRAME_LEN: u64 = 64 * 1024;

/// Bytes that may come before a boundary or the head of a part is complete, and after the form.
/// Whoever waits for one looks at all of them again with each new one.
const GAP_LEN: usize = 16 * 1024;

/// Characters of a boundary, at most (RFC 2046 section 5.1.1).
const MAX_BOUNDARY_LEN: usize = 70;

/// What came with an upload.
pub struct Received {
    /// The file, not visible yet.
    pub staged: Staged,
    /// Its name, for people: the last segment of what was sent.
    pub filename: String,
    /// The fields beside it.
    pub form: Form,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("sha256", self.staged.sha256())
            .field("len", &self.staged.len())
            .field("filename", &self.filename)
            .field("form", &self.form)
            .finish()
    }
}

/// Receives the body of an upload into the store.
///
/// The file and the fields may come in any order. What the head alone tells is refused before the
/// body is asked for, and so is an upload for which there is no room: a client that waits for `100
/// Continue` has sent nothing then. Where this fails, or is dropped, nothing is kept; the caller
/// may lend the body, to drain it.
///
/// # Errors
/// [`UploadError`], but never [`UploadError::Archive`] or [`UploadError::NoValidValue`].
pub async fn receive<B>(
    headers: &HeaderMap,
    body: B,
    store: &Store,
    bounds: &UploadBounds,
) -> Result<Received, UploadError>
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<BodyError>,
{
    expect_no_coding(headers)?;
    let boundary = boundary(headers)?;
    let content_len = body.size_hint().exact();
    if let (Some(len), Some(limit)) = (content_len, bounds.max_len)
        && len > limit.saturating_add(FRAME_LEN)
    {
        return Err(UploadError::TooLarge { limit });
    }
    let mut writer = Writer::open(store, content_len).await?;

    let mut source = Source { body, pace: Pace::new(bounds), has_ended: false };
    let gap = AtomicUsize::new(0);
    let mut parts = Multipart::new(source.frames(&gap), boundary);
    let mut form = Form::default();
    let mut filename = None;
    let mut fields = 0;
    while let Some(mut part) = next_part(&mut parts, &gap).await? {
        if part.name() == Some("file") {
            if filename.is_some() {
                return Err(FormRule::SecondFile.into());
            }
            filename = Some(form::filename(part.file_name()));
            let mut file_len: u64 = 0;
            while let Some(chunk) = next_chunk(&mut part, &gap).await? {
                file_len = file_len.saturating_add(chunk.len() as u64);
                if let Some(limit) = bounds.max_len.filter(|&limit| file_len > limit) {
                    return Err(UploadError::TooLarge { limit });
                }
                writer.write(&chunk).await?;
            }
        } else {
            fields += 1;
            if fields > MAX_FIELDS {
                return Err(FormRule::TooManyFields.into());
            }
            let mut value = FieldValue::default();
            while let Some(chunk) = next_chunk(&mut part, &gap).await? {
                value.extend(&chunk)?;
            }
            form.set(part.name().unwrap_or_default(), value.as_bytes())?;
        }
    }
    drop(parts);
    // The form is whole; whether the message is, its end tells (RFC 9112 section 8).
    source.expect_end(&gap).await?;
    let filename = filename.ok_or(UploadError::FileMissing)?;
    let staged = writer.finish().await?;
    Ok(Received { staged, filename, form })
}

/// Refuses a body with a content coding; `identity` is none (RFC 9110 section 8.4.1).
///
/// # Errors
/// [`UploadError::ContentCoding`].
pub fn expect_no_coding(headers: &HeaderMap) -> Result<(), UploadError> {
    let is_identity = |coding: &[u8]| {
        let coding = coding.trim_ascii();
        coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
    };
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    if values.all(|value| value.as_bytes().split(|&byte| byte == b',').all(is_identity)) {
        Ok(())
    } else {
        Err(UploadError::ContentCoding)
    }
}

fn boundary(headers: &HeaderMap) -> Result<String, FormRule> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(FormRule::NotMultipart);
    };
    let value = value.to_str().map_err(|_| FormRule::NotMultipart)?;
    match multer::parse_boundary(value) {
        Ok(boundary) if (1..=MAX_BOUNDARY_LEN).contains(&boundary.len()) => Ok(boundary),
        Ok(_) | Err(multer::Error::NoBoundary) => Err(FormRule::Boundary),
        Err(_) => Err(FormRule::NotMultipart),
    }
}

/// Where the bytes come from.
struct Source<B> {
    body: B,
    pace: Pace,
    has_ended: bool,
}

/// Why the bytes stop before the body's end.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("too slow")]
    TooSlow,
    #[error("cut")]
    Cut,
    #[error("too much in a gap")]
    Gap,
}

impl From<&Stop> for UploadError {
    fn from(stop: &Stop) -> Self {
        match stop {
            Stop::TooSlow => Self::TooSlow,
            Stop::Cut => FormRule::Cut.into(),
            Stop::Gap => FormRule::FrameTooLong.into(),
        }
    }
}

impl<B> Source<B>
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<BodyError>,
{
    /// The frames of the body, one for each time that there is need of one.
    ///
    /// multer takes frames until there are none for the moment, before it looks at the first: all
    /// that a fast client sends would pile up. So after each frame there is none for the moment.
    ///
    /// `gap` counts the bytes given since something was made of them: a boundary or the head of a
    /// part that does not come must not pile up either.
    fn frames<'s>(
        &'s mut self,
        gap: &'s AtomicUsize,
    ) -> impl futures_util::Stream<Item = Result<Bytes, Stop>> + Send + 's {
        let mut has_given = false;
        poll_fn(move |cx| {
            if std::mem::take(&mut has_given) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let frame = ready!(self.poll_frame(cx, gap));
            has_given = matches!(frame, Some(Ok(_)));
            Poll::Ready(frame)
        })
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        gap: &AtomicUsize,
    ) -> Poll<Option<Result<Bytes, Stop>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if gap.load(Ordering::Relaxed) > GAP_LEN {
            return Poll::Ready(Some(Err(Stop::Gap)));
        }
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.pace.received(data.len() as u64);
                        gap.fetch_add(data.len(), Ordering::Relaxed);
                        return Poll::Ready(Some(Ok(data)));
                    }
                    Ok(_) | Err(_) => {}
                },
                Poll::Ready(Some(Err(error))) => {
                    let error: BodyError = error.into();
                    tracing::debug!(%error, "an upload broke off");
                    return Poll::Ready(Some(Err(Stop::Cut)));
                }
                Poll::Ready(None) => {
                    self.has_ended = true;
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    return self.pace.poll_too_slow(cx).map(|()| Some(Err(Stop::TooSlow)));
                }
            }
        }
    }

    /// Passes over what stands behind the form, which means nothing, to the body's end.
    async fn expect_end(&mut self, gap: &AtomicUsize) -> Result<(), UploadError> {
        gap.store(0, Ordering::Relaxed);
        while let Some(frame) = std::future::poll_fn(|cx| self.poll_frame(cx, gap)).await {
            frame.map_err(|stop| UploadError::from(&stop))?;
        }
        Ok(())
    }
}

async fn next_part<'s>(
    parts: &mut Multipart<'s>,
    gap: &AtomicUsize,
) -> Result<Option<Field<'s>>, UploadError> {
    let part = parts.next_field().await;
    gap.store(0, Ordering::Relaxed);
    part.map_err(|error| malformed(&error))
}

async fn next_chunk(part: &mut Field<'_>, gap: &AtomicUsize) -> Result<Option<Bytes>, UploadError> {
    let chunk = part.chunk().await;
    gap.store(0, Ordering::Relaxed);
    chunk.map_err(|error| malformed(&error))
}

fn malformed(error: &multer::Error) -> UploadError {
    match error {
        multer::Error::StreamReadFailed(cause) => {
            let cause: &(dyn StdError + 'static) = &**cause;
            // The source has no other errors.
            cause.downcast_ref::<Stop>().map_or(FormRule::Cut.into(), UploadError::from)
        }
        multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders
        | multer::Error::IncompleteStream => FormRule::Truncated.into(),
        _ => FormRule::PartHead.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Pieces, Step};
    use super::*;

    #[tokio::test]
    async fn no_more_than_a_frame_is_taken_ahead() {
        const LEN: u64 = 10_000;
        let head = b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
        let mut steps = vec![Step::Data(head.to_vec().into())];
        steps.extend((0..100).map(|_| Step::Data(vec![b'x'; LEN as usize].into())));
        let body = Pieces::new(steps);
        let given = body.given();
        let pace = Pace::new(&UploadBounds::default());
        let mut source = Source { body, pace, has_ended: false };
        let gap = AtomicUsize::new(0);
        let mut parts = Multipart::new(source.frames(&gap), "b");
        let mut part = next_part(&mut parts, &gap).await.unwrap().unwrap();
        let mut received_len = head.len() as u64;
        for _ in 0..99 {
            assert!(given.len() <= received_len + LEN, "{} given", given.len());
            received_len += next_chunk(&mut part, &gap).await.unwrap().unwrap().len() as u64;
        }
    }
}

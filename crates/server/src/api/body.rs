//! The body of an answer, watched: one that breaks off is logged with what it was about.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use entryway::{Error, FileSource};
use entryway_http::EntryBody;
use http_body::{Body, Frame, SizeHint};

use crate::archives::{DecoderShare, OpenArchive};

/// A body of bytes in hand, of an entry, or of an archive.
pub struct AnswerBody {
    /// Dropped first: what is held of the decoders' memory is given back after it.
    inner: EntryBody<FileSource>,
    subject: Option<Box<Subject>>,
}

/// What a body is about.
struct Subject {
    archive: Arc<OpenArchive>,
    /// The raw name of the entry, or `None` for the archive.
    entry: Option<Bytes>,
    /// For the decoder of the body, which goes before it.
    _share: Option<DecoderShare>,
}

impl AnswerBody {
    /// A body of no bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::from_bytes(Bytes::new())
    }

    /// A body of bytes in hand.
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self { inner: EntryBody::full(bytes), subject: None }
    }

    pub(super) fn of_entry(
        inner: EntryBody<FileSource>,
        archive: &Arc<OpenArchive>,
        raw_name: &Bytes,
        share: Option<DecoderShare>,
    ) -> Self {
        Self::of(inner, archive, Some(raw_name), share)
    }

    pub(super) fn of_archive(inner: EntryBody<FileSource>, archive: &Arc<OpenArchive>) -> Self {
        Self::of(inner, archive, None, None)
    }

    fn of(
        inner: EntryBody<FileSource>,
        archive: &Arc<OpenArchive>,
        entry: Option<&Bytes>,
        share: Option<DecoderShare>,
    ) -> Self {
        let subject = inner.reads().then(|| {
            let (archive, entry) = (Arc::clone(archive), entry.cloned());
            Box::new(Subject { archive, entry, _share: share })
        });
        Self { inner, subject }
    }
}

impl std::fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        if let (Some(Err(error)), Some(subject)) = (&frame, &this.subject) {
            // Debug escapes what a hostile name may hold.
            let entry = subject.entry.as_ref().map(|name| String::from_utf8_lossy(name));
            tracing::error!(
                sha256 = %subject.archive.sha256(), ?entry, label = error.label(), %error,
                "broke off a download"
            );
            subject.archive.failed(error);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

//! The body of an answer: bytes of an archive, decoded or as they lie there, pulled by the
//! connection.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use entryway::{
    CompressionMethod, Error, Extent, ExtractStep, Extraction, FETCH_LEN, Fetched, Source,
    SubsetSegment, SubsetSegments,
};
use http_body::{Body, Frame, SizeHint};

/// A read that has to wait.
type Reading = Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>;

/// Chunks of unwanted content that one poll decodes on the way to a range: of DEFLATE about a third
/// of a millisecond's work. A chunk of any other method is as much by itself, or more.
const SKIPPED_AT_ONCE: usize = 4;

/// Fetches for which one poll goes on without content: 1 MiB.
const FETCHED_AT_ONCE: u32 = 16;

/// What a body is made of, in order.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Bytes in hand: a frame around what follows.
    Literal(Bytes),
    /// Bytes of the archive as they lie there, of an entry known to be good.
    Raw(Extent),
    /// The next bytes of content, this many, out of the body's extraction.
    Content(u64),
    /// Bytes of a subset of the archive: pieces of the first two kinds, made one at a time, since a
    /// subset may have a million entries.
    Subset(SubsetSegments),
}

/// An `http_body` over an entry of an archive.
///
/// Its length is known from the start and it never gives fewer bytes without an error: where the
/// data does not keep what the directory promised, or the file was changed under it, the last bytes
/// stay out and the connection is broken off (HTTP/1.1: closed short of Content-Length; HTTP/2:
/// stream reset). One chunk of at most 64 KiB is made for each poll; a poll never waits for a disk,
/// and yields on the long way to a range.
pub struct EntryBody<S> {
    /// Bytes in hand, which come first.
    bytes: Bytes,
    /// Bytes still to be given; what Content-Length says of a body that has not been polled.
    remaining: u64,
    /// What is read; apart, since a body is moved several times and most are bytes in hand.
    feed: Option<Box<Feed<S>>>,
}

/// The reading behind a body.
struct Feed<S> {
    source: S,
    pieces: VecDeque<Piece>,
    extraction: Option<Extraction>,
    fetched: Fetched,
    reading: Option<(Extent, Reading)>,
    /// Whether the bytes rest on an earlier verification, so that the file must be unchanged.
    rests_on_verdict: bool,
    /// Whether the decoder has given anything, wanted or not: its stream's own head was good.
    has_decoded: bool,
    /// Chunks of unwanted content that one poll decodes.
    skipped_at_once: usize,
}

impl<S> EntryBody<S> {
    /// A body of no bytes.
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// A body of bytes in hand.
    pub fn full(bytes: Bytes) -> Self {
        Self { remaining: bytes.len() as u64, bytes, feed: None }
    }

    /// Whether something is still read for it, so that it can break off.
    pub fn reads(&self) -> bool {
        self.feed.is_some()
    }

    /// Bytes that are still to come.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }
}

impl<S: Source> EntryBody<S> {
    /// A body of pieces; those of content come out of `extraction`.
    pub(crate) fn new(
        source: S,
        pieces: Vec<Piece>,
        extraction: Option<Extraction>,
        rests_on_verdict: bool,
    ) -> Self {
        let remaining = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(bytes) => bytes.len() as u64,
                Piece::Raw(extent) => extent.end - extent.start,
                Piece::Content(len) => *len,
                Piece::Subset(segments) => segments.remaining(),
            })
            .sum();
        let feed = Feed {
            source,
            pieces: pieces.into(),
            extraction,
            fetched: Fetched::default(),
            reading: None,
            rests_on_verdict,
            has_decoded: false,
            skipped_at_once: SKIPPED_AT_ONCE,
        };
        Self { bytes: Bytes::new(), remaining, feed: Some(Box::new(feed)) }
    }

    /// The same, with turns as short as the content's method asks for.
    pub(crate) fn decoding(mut self, method: CompressionMethod) -> Self {
        if let Some(feed) = &mut self.feed {
            let is_fast =
                [CompressionMethod::STORED, CompressionMethod::DEFLATED].contains(&method);
            feed.skipped_at_once = if is_fast { SKIPPED_AT_ONCE } else { 1 };
        }
        self
    }

    /// Collects the whole body: for those that are small enough to be checked before the head goes
    /// out.
    ///
    /// # Errors
    /// What the body would break off with.
    pub async fn into_bytes(mut self) -> Result<Bytes, Error> {
        let mut chunks = Vec::new();
        while let Some(chunk) = std::future::poll_fn(|cx| self.poll_chunk(cx)).await {
            chunks.push(chunk?);
        }
        Ok(joined(chunks))
    }

    /// Goes as far as the first content that the decoder gives, and keeps what is wanted of it as
    /// the body's first chunk: a local header, a stream's head or a first block that breaks a rule
    /// is known before the head goes out. Reads nothing that the body would not read; a body that
    /// decodes nothing is as it was.
    ///
    /// # Errors
    /// What the body would break off with.
    pub async fn begun(mut self) -> Result<Self, Error> {
        let is_begun = |body: &Self| {
            body.feed.as_ref().is_none_or(|feed| feed.extraction.is_none() || feed.has_decoded)
        };
        let mut first = Vec::new();
        while !is_begun(&self) {
            let polled = std::future::poll_fn(|cx| match self.poll_chunk(cx) {
                // On the way to a range: the rest of the way is the connection's to wait for.
                Poll::Pending if is_begun(&self) => Poll::Ready(None),
                polled => polled,
            });
            match polled.await {
                Some(chunk) => first.push(chunk?),
                None => break,
            }
        }
        if !first.is_empty() {
            self.bytes = joined(first);
            self.remaining += self.bytes.len() as u64;
        }
        Ok(self)
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let chunk = if self.bytes.is_empty() {
            match &mut self.feed {
                Some(feed) => ready!(feed.poll_piece(cx)),
                None => None,
            }
        } else {
            Some(Ok(std::mem::take(&mut self.bytes)))
        };
        let outcome = match chunk {
            Some(Ok(chunk)) => self.release(chunk),
            Some(Err(error)) => Err(error),
            // A body that ends short would look complete to a client that was told no length.
            None if self.remaining > 0 => Err(Error::Changed),
            None => return Poll::Ready(None),
        };
        if outcome.is_err() {
            // After an error there is nothing more, and nothing to hold on to.
            *self = Self::empty();
        }
        Poll::Ready(Some(outcome))
    }

    /// Lets a chunk go; the last one only if the file is still the one that was verified.
    fn release(&mut self, chunk: Bytes) -> Result<Bytes, Error> {
        let len = chunk.len() as u64;
        self.remaining = self.remaining.checked_sub(len).ok_or(Error::Changed)?;
        if self.remaining == 0
            && let Some(feed) = &self.feed
            && feed.rests_on_verdict
        {
            let source = &feed.source;
            let is_unchanged =
                source.is_unchanged().map_err(|error| read_error(0..source.len(), &error))?;
            if !is_unchanged {
                return Err(Error::Changed);
            }
        }
        Ok(chunk)
    }
}

impl<S: Source> Feed<S> {
    /// The next chunk of the pieces, unchecked as to the file.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let (mut skipped, mut fetches) = (0, 0);
        loop {
            if let Some((extent, reading)) = &mut self.reading {
                let outcome = ready!(reading.as_mut().poll(cx));
                let extent = extent.clone();
                self.reading = None;
                match outcome {
                    Err(error) => return Poll::Ready(Some(Err(read_error(extent, &error)))),
                    Ok(bytes) => {
                        if (bytes.len() as u64) < extent.end - extent.start {
                            let read_len = bytes.len() as u64;
                            return Poll::Ready(Some(Err(Error::ShortRead { extent, read_len })));
                        }
                        self.fetched = Fetched { offset: extent.start, bytes };
                    }
                }
            }
            let needed = match self.pieces.front_mut() {
                None => return Poll::Ready(None),
                Some(Piece::Literal(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    self.pieces.pop_front();
                    if bytes.is_empty() {
                        continue;
                    }
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Some(Piece::Subset(segments)) => {
                    match segments.next() {
                        None => {
                            self.pieces.pop_front();
                        }
                        Some(SubsetSegment::Literal(bytes)) => {
                            self.pieces.push_front(Piece::Literal(bytes));
                        }
                        Some(SubsetSegment::Source(extent)) => {
                            self.pieces.push_front(Piece::Raw(extent));
                        }
                    }
                    continue;
                }
                Some(Piece::Raw(extent)) if extent.is_empty() => {
                    self.pieces.pop_front();
                    continue;
                }
                Some(Piece::Raw(extent)) => {
                    let wanted =
                        extent.start..extent.end.min(extent.start.saturating_add(FETCH_LEN));
                    if self.fetched.covers(&wanted) {
                        let from = (wanted.start - self.fetched.offset) as usize;
                        let len = (wanted.end - wanted.start) as usize;
                        extent.start = wanted.end;
                        return Poll::Ready(Some(Ok(self.fetched.bytes.slice(from..from + len))));
                    }
                    wanted
                }
                Some(Piece::Content(left)) => {
                    let Some(extraction) = &mut self.extraction else {
                        return Poll::Ready(Some(Err(Error::Changed)));
                    };
                    match extraction.step(&self.fetched) {
                        Err(error) => return Poll::Ready(Some(Err(error))),
                        Ok(ExtractStep::Need(extent)) => extent,
                        Ok(ExtractStep::Skipped) => {
                            self.has_decoded = true;
                            skipped += 1;
                            if skipped == self.skipped_at_once {
                                // Others on this thread have their turn.
                                cx.waker().wake_by_ref();
                                return Poll::Pending;
                            }
                            continue;
                        }
                        Ok(ExtractStep::Done) if *left == 0 => {
                            self.pieces.pop_front();
                            continue;
                        }
                        Ok(ExtractStep::Done) => {
                            return Poll::Ready(Some(Err(Error::Changed)));
                        }
                        Ok(ExtractStep::Chunk(chunk)) => {
                            self.has_decoded = true;
                            let len = chunk.len() as u64;
                            let Some(rest) = left.checked_sub(len) else {
                                return Poll::Ready(Some(Err(Error::Changed)));
                            };
                            *left = rest;
                            // The frame of a part follows its last byte; what remains of the
                            // extraction is the next part's.
                            if rest == 0 && self.pieces.len() > 1 {
                                self.pieces.pop_front();
                            }
                            return Poll::Ready(Some(Ok(chunk)));
                        }
                    }
                }
            };
            // Compressed data can go on for long without any content.
            if fetches == FETCHED_AT_ONCE {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            fetches += 1;
            if let Err(error) = self.fetch(needed) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Takes the bytes of an extent if they are at hand, else starts to wait for them.
    fn fetch(&mut self, extent: Extent) -> Result<(), Error> {
        // Released first: one fetch is held at a time.
        self.fetched = Fetched::default();
        let mut buffer = vec![0; (extent.end - extent.start) as usize];
        let mut filled = 0;
        while filled < buffer.len() {
            match self.source.try_read(extent.start + filled as u64, &mut buffer[filled..]) {
                Ok(Some(0)) => {
                    return Err(Error::ShortRead { extent, read_len: filled as u64 });
                }
                Ok(Some(read_len)) => filled += read_len,
                Ok(None) => {
                    let reading = Box::pin(self.source.read(extent.clone()));
                    self.reading = Some((extent, reading));
                    return Ok(());
                }
                Err(error) => return Err(read_error(extent, &error)),
            }
        }
        self.fetched = Fetched { offset: extent.start, bytes: buffer.into() };
        Ok(())
    }
}

/// Chunks as one; not copied where there is only one.
fn joined(mut chunks: Vec<Bytes>) -> Bytes {
    match chunks.pop() {
        None => Bytes::new(),
        Some(only) if chunks.is_empty() => only,
        Some(last) => {
            chunks.push(last);
            chunks.concat().into()
        }
    }
}

fn read_error(extent: Extent, error: &io::Error) -> Error {
    Error::Read { extent, kind: error.kind(), os: error.raw_os_error() }
}

impl<S: Source + Unpin> Body for EntryBody<S> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let chunk = ready!(self.get_mut().poll_chunk(cx));
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

impl<S> std::fmt::Debug for EntryBody<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntryBody").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

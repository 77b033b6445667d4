//! The suite that every source passes: each sentence of the traits' contracts, one function each.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use bytes::Bytes;

use super::super::{ReadAt, Source};
use crate::archive::Archive;
use crate::window::Extent;

/// The sentences, as a failure names them.
const LEN: &str = "`len` is the length as it was opened";
const SOME: &str = "a read from below `len` on gives at least one byte";
const END: &str = "a read at or past `len` gives 0";
const BYTES: &str = "a read gives the bytes from its offset on, as many as it says";
const PARALLEL: &str = "reads from several threads do not disturb each other";
const SHARE: &str = "`share` agrees with `read_at`, or gives `None`";
const ARCHIVE: &str = "an archive is read through it as from memory";
const EXTENT: &str = "`read` gives all bytes of an extent, fewer only past the end";
const DROPPED: &str = "a future may be dropped at any time";
const UNCHANGED: &str = "`is_unchanged` is true of a source that nothing has happened to";

/// Threads that read at once.
const THREADS: usize = 4;

/// Holds a source to the contract of [`ReadAt`]; `make` opens one over the given bytes.
///
/// # Panics
/// Where the source breaks the contract, with the sentence that it breaks.
#[track_caller]
pub fn conforms_read_at<S: ReadAt>(make: impl Fn(Bytes) -> S) {
    for content in contents() {
        let source = make(content.clone());
        let read = |offset: u64, buffer: &mut [u8]| source.read_at(offset, buffer).map(Some);
        assert_eq!(source.len(), content.len() as u64, "{LEN}");
        assert_eq!(source.is_empty(), content.is_empty(), "{LEN}");
        reads_conform(&content, &read);
        for extent in extents(content.len() as u64) {
            let Some(shared) = source.share(&extent) else { continue };
            let expected = slice(&content, &extent);
            let is_within = extent.end <= content.len() as u64;
            assert!(is_within && shared == expected, "{SHARE}: {extent:?}");
        }
        assert_eq!(source.len(), content.len() as u64, "{LEN}, after reads too");
    }
    let zip = archive();
    assert_eq!(everything(make(zip.clone())), everything(zip), "{ARCHIVE}");
}

/// Holds a source to the contract of [`Source`]; `make` opens one over the given bytes.
///
/// Its futures are polled on the calling thread alone, so that a source which needs a runtime has
/// one where the caller has entered it.
///
/// # Panics
/// Where the source breaks the contract, with the sentence that it breaks.
#[track_caller]
pub fn conforms_source<S: Source>(make: impl Fn(Bytes) -> S) {
    for content in contents() {
        let source = make(content.clone());
        let len = content.len() as u64;
        assert_eq!(source.len(), len, "{LEN}");
        assert_eq!(source.is_empty(), content.is_empty(), "{LEN}");
        assert_eq!(source.is_unchanged().ok(), Some(true), "{UNCHANGED}");
        reads_conform(&content, &|offset, buffer| source.try_read(offset, buffer));

        let fetch = |extent: Extent| {
            let bytes = wait_for(source.read(extent.clone()))
                .unwrap_or_else(|error| panic!("{EXTENT}: {extent:?}: {error}"));
            assert!(bytes == slice(&content, &extent), "{EXTENT}: {extent:?}");
        };
        extents(len).for_each(&fetch);

        // Never polled, polled once, and polled to the end beside others that are given up.
        drop(source.read(0..len));
        for extent in extents(len) {
            let mut given_up = pin!(source.read(extent.clone()));
            let _ = given_up.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let beside = wait_for(source.read(extent.clone())).ok();
            assert_eq!(beside.as_deref(), Some(slice(&content, &extent)), "{DROPPED}: {extent:?}");
        }
        extents(len).for_each(&fetch);

        let at_once: Vec<_> = extents(len).map(|extent| source.read(extent)).collect();
        for (extent, bytes) in extents(len).zip(wait_for_all(at_once)) {
            let expected = slice(&content, &extent);
            assert_eq!(bytes.ok().as_deref(), Some(expected), "{EXTENT}, at once: {extent:?}");
        }
        assert_eq!(source.is_unchanged().ok(), Some(true), "{UNCHANGED}, after reads too");
        assert_eq!(source.len(), len, "{LEN}, after reads too");
    }
}

/// What is read: nothing, a byte, whole pages and an odd length, none of it the same at two places
/// that somebody could take for each other.
fn contents() -> impl Iterator<Item = Bytes> {
    [0usize, 1, 4_096, 100_003]
        .into_iter()
        .map(|len| (0..len as u32).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect())
}

/// Extents of a source: empty ones, its edges, past its end, all of it; not in order.
fn extents(len: u64) -> impl Iterator<Item = Extent> + Clone {
    let (half, last) = (len / 2, len.saturating_sub(1));
    [
        (half, half + 10),
        (0, len),
        (0, 0),
        (last, len),
        (len, len),
        (0, 1),
        (half, half),
        (1, last),
        (last, len + 1),
        (len, len + 10),
        (len + 1, len + 10),
        (len / 3, len / 3 + 4_097),
    ]
    .into_iter()
    .filter(|(start, end)| start <= end)
    .map(|(start, end)| start..end)
}

/// The bytes of an extent, as far as there are any.
fn slice<'a>(content: &'a Bytes, extent: &Extent) -> &'a [u8] {
    let within = |offset: u64| offset.min(content.len() as u64) as usize;
    &content[within(extent.start)..within(extent.end)]
}

/// Some bytes from an offset on; `None` where that would mean to wait.
type Read<'a> = dyn Fn(u64, &mut [u8]) -> io::Result<Option<usize>> + Sync + 'a;

fn reads_conform(content: &Bytes, read: &Read<'_>) {
    let len = content.len() as u64;
    for extent in extents(len) {
        read_conforms(content, read, extent.start, (extent.end - extent.start) as usize, BYTES);
        read_conforms(content, read, extent.start, 0, BYTES);
    }
    for offset in [len, len + 1, len + 1_000_000] {
        let outcome = read(offset, &mut [0; 10]).expect(END);
        assert!(outcome.is_none_or(|read_len| read_len == 0), "{END}: {outcome:?} at {offset}");
    }
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        let readers = [(); THREADS].map(|()| {
            scope.spawn(|| {
                together.wait();
                for round in 0..200 {
                    let offset = round as u64 * 31 * 7_919 % (len + 1);
                    read_conforms(content, read, offset, 1 + round * 37 % 5_000, PARALLEL);
                }
            })
        });
        for reader in readers {
            if let Err(panic) = reader.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Reads once, and compares with what is there.
fn read_conforms(content: &Bytes, read: &Read<'_>, offset: u64, room: usize, sentence: &str) {
    const UNTOUCHED: u8 = 0xa5;
    let mut buffer = vec![UNTOUCHED; room];
    let rest = slice(content, &(offset..u64::MAX));
    let read_len = match read(offset, &mut buffer) {
        Ok(Some(read_len)) => read_len,
        Ok(None) => return,
        Err(error) => panic!("{sentence}: {room} bytes at {offset}: {error}"),
    };
    assert!(read_len > 0 || room == 0 || rest.is_empty(), "{SOME}: none of {room} at {offset}");
    assert!(
        read_len <= room && rest.get(..read_len) == Some(&buffer[..read_len]),
        "{sentence}: {read_len} of {room} bytes at {offset}",
    );
}

/// An archive of two stored entries, the second longer than one fetch.
fn archive() -> Bytes {
    let large: Vec<u8> = (0..200_000u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
    let (mut files, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in [(&b"small"[..], &b"a few bytes"[..]), (b"large", &large)] {
        // Version 1.0, no flags, stored, 1 January 1980; then CRC-32, sizes and lengths.
        let mut common = vec![10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
        common.extend_from_slice(&(content.len() as u32).to_le_bytes().repeat(2));
        common.extend_from_slice(&(name.len() as u32).to_le_bytes());
        let offset = (files.len() as u32).to_le_bytes();
        files.extend([&b"PK\x03\x04"[..], &common, name, content].concat());
        directory.extend([&b"PK\x01\x02\x0a\0"[..], &common, &[0; 10], &offset, name].concat());
    }
    let (size, offset) = (directory.len() as u32, files.len() as u32);
    let end = &b"PK\x05\x06\0\0\0\0\x02\0\x02\0"[..];
    let numbers = [size.to_le_bytes(), offset.to_le_bytes()].concat();
    [&files, &directory, end, &numbers, &[0, 0]].concat().into()
}

/// Names and contents of an archive's entries.
fn everything<S: ReadAt>(source: S) -> Vec<(Vec<u8>, Vec<u8>)> {
    let archive = Archive::open(source).expect(ARCHIVE);
    let entries = archive.directory().entries().map(|entry| {
        let found = archive.describe(&entry);
        let mut content = Vec::new();
        let mut reader = archive.read(&found).expect(ARCHIVE);
        io::Read::read_to_end(&mut reader, &mut content).expect(ARCHIVE);
        (found.raw_name.to_vec(), content)
    });
    entries.collect()
}

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Polls all of the futures in turn, the last one first, until each is done.
fn wait_for_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<Pin<Box<_>>> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
    wait_for(std::future::poll_fn(|context| {
        for (future, output) in waiting.iter_mut().zip(&mut outputs).rev() {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    }));
    outputs.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::future::{poll_fn, ready};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread::ThreadId;

    use super::*;

    /// A source that does one thing wrong.
    #[derive(Clone)]
    struct Wrong {
        bytes: Bytes,
        how: How,
        reads: Arc<AtomicU64>,
        busy: Arc<AtomicBool>,
        thread: Arc<OnceLock<ThreadId>>,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum How {
        Not,
        LenIsOneMore,
        LenShrinks,
        GivesNothing,
        GivesZerosAtTheEnd,
        SaysMore,
        IsOneOff,
        Fails,
        KnowsOneThread,
        SharesOneOff,
        SharesShort,
        SharesPastTheEnd,
        ReadsOneLess,
        ReadsPastTheEnd,
        StaysBusy,
        SaysChanged,
        SaysChangedLater,
    }

    impl Wrong {
        fn len(&self) -> u64 {
            let len = self.bytes.len() as u64;
            match self.how {
                How::LenIsOneMore => len + 1,
                How::LenShrinks if self.reads.load(Ordering::Relaxed) > 100 => 0,
                _ => len,
            }
        }

        fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let is_within = offset < self.bytes.len() as u64;
            match self.how {
                How::GivesNothing if is_within && offset > 2_000 => Ok(0),
                How::GivesZerosAtTheEnd if !is_within => Ok(buffer.len()),
                How::SaysMore if is_within => self.bytes.read_at(offset, buffer).map(|len| len + 1),
                How::IsOneOff => self.bytes.read_at(offset + 1, buffer),
                How::Fails if is_within && offset > 2_000 => Err(io::ErrorKind::Other.into()),
                How::KnowsOneThread => {
                    let first = *self.thread.get_or_init(|| thread::current().id());
                    let is_other = first != thread::current().id();
                    self.bytes.read_at(offset.saturating_sub(u64::from(is_other)), buffer)
                }
                _ => self.bytes.read_at(offset, buffer),
            }
        }
    }

    impl ReadAt for Wrong {
        fn len(&self) -> u64 {
            self.len()
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.read(offset, buffer)
        }

        fn share(&self, extent: &Extent) -> Option<Bytes> {
            let (start, end) = (extent.start, extent.end);
            match self.how {
                How::SharesOneOff => self.bytes.share(&(start + 1..end + 1)),
                How::SharesShort => self.bytes.share(&(start..end - u64::from(end > start))),
                How::SharesPastTheEnd => self.bytes.share(&(start..end.min(self.len()))),
                _ => self.bytes.share(extent),
            }
        }
    }

    impl Source for Wrong {
        fn len(&self) -> u64 {
            self.len()
        }

        fn try_read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
            self.read(offset, buffer).map(Some)
        }

        fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
            let len = self.bytes.len() as u64;
            let (start, end) = (extent.start.min(len), extent.end.min(len));
            let bytes = match self.how {
                How::ReadsOneLess => self.bytes.share(&(start..end - u64::from(end > start))),
                How::ReadsPastTheEnd => Some(vec![0; (extent.end - extent.start) as usize].into()),
                _ => self.bytes.share(&(start..end)),
            };
            let gate = (self.how == How::StaysBusy).then(|| Arc::clone(&self.busy));
            let mut polled = false;
            poll_fn(move |context| {
                if polled || gate.is_none() {
                    if let Some(gate) = &gate {
                        gate.store(false, Ordering::SeqCst);
                    }
                    return Poll::Ready(bytes.clone().ok_or_else(|| io::ErrorKind::Other.into()));
                }
                // What a reading that is given up leaves locked, the next one finds so.
                let was_busy = gate.as_ref().is_some_and(|gate| gate.swap(true, Ordering::SeqCst));
                if was_busy {
                    return Poll::Ready(Err(io::ErrorKind::ResourceBusy.into()));
                }
                polled = true;
                context.waker().wake_by_ref();
                Poll::Pending
            })
        }

        fn is_unchanged(&self) -> io::Result<bool> {
            let reads = self.reads.load(Ordering::Relaxed);
            Ok(self.how != How::SaysChanged && (self.how != How::SaysChangedLater || reads == 0))
        }
    }

    /// What the suite says of a source, `None` where it passes.
    fn failure(suite: impl FnOnce()) -> Option<String> {
        let text = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("?").to_owned(),
        };
        catch_unwind(AssertUnwindSafe(suite)).err().map(text)
    }

    #[test]
    fn a_wrong_source_fails_with_the_sentence_that_it_breaks() {
        // What the suite for ReadAt says, and the one for Source.
        let table = [
            (How::Not, None, None),
            (How::LenIsOneMore, Some(LEN), Some(LEN)),
            (How::LenShrinks, Some(LEN), Some(LEN)),
            (How::GivesNothing, Some(SOME), Some(SOME)),
            (How::GivesZerosAtTheEnd, Some(BYTES), Some(BYTES)),
            (How::SaysMore, Some(BYTES), Some(BYTES)),
            (How::IsOneOff, Some(SOME), Some(SOME)),
            (How::Fails, Some(BYTES), Some(BYTES)),
            (How::KnowsOneThread, Some(PARALLEL), Some(PARALLEL)),
            (How::SharesOneOff, Some(SHARE), None),
            (How::SharesShort, Some(SHARE), None),
            (How::SharesPastTheEnd, Some(SHARE), None),
            (How::ReadsOneLess, None, Some(EXTENT)),
            (How::ReadsPastTheEnd, None, Some(EXTENT)),
            (How::StaysBusy, None, Some(DROPPED)),
            (How::SaysChanged, None, Some(UNCHANGED)),
            (How::SaysChangedLater, None, Some(UNCHANGED)),
        ];
        for (how, read_at, source) in table {
            let make = |bytes| Wrong {
                bytes,
                how,
                reads: Arc::default(),
                busy: Arc::default(),
                thread: Arc::default(),
            };
            let failures = [failure(|| conforms_read_at(make)), failure(|| conforms_source(make))];
            for (failure, expected) in failures.into_iter().zip([read_at, source]) {
                match (&failure, expected) {
                    (None, None) => {}
                    (Some(text), Some(sentence)) if text.contains(sentence) => {}
                    _ => panic!("{how:?}: {failure:?} instead of {expected:?}"),
                }
            }
        }
    }

    #[test]
    fn sources_that_wrap_others_conform() {
        use crate::source::testing::{Changing, Counting, Flaky, Sluggish};
        conforms_read_at(|bytes| bytes);
        conforms_source(|bytes| bytes);
        conforms_read_at(Counting::new);
        conforms_source(Counting::new);
        for step in [1, 7, 5_000] {
            conforms_read_at(|inner| Sluggish { inner, step });
            conforms_source(|inner| Sluggish { inner, step });
        }
        conforms_read_at(|inner| Flaky::new(inner, u64::MAX, io::ErrorKind::TimedOut));
        conforms_source(|inner| Flaky::new(inner, u64::MAX, io::ErrorKind::TimedOut));
        conforms_read_at(|inner| Changing::new(inner, u64::MAX, Bytes::new()));
        conforms_source(|inner| Changing::new(inner, u64::MAX, Bytes::new()));
    }

    #[test]
    fn a_waiting_future_is_polled_again_when_it_is_woken() {
        let mut left = 3;
        let counted = poll_fn(|context| {
            left -= 1;
            if left == 0 {
                return Poll::Ready("done");
            }
            let waker = context.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        });
        assert_eq!(wait_for(counted), "done");
        assert_eq!(wait_for_all(vec![ready(1), ready(2)]), [1, 2]);
    }
}

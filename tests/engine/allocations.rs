//! Counts what each thread of this binary has on the heap.
#![expect(unsafe_code, reason = "an allocator is an unsafe trait; it passes every call on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, and how many bytes the calling thread has of it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Bytes allocated less bytes freed by this thread; below zero where it frees what others made.
    static HELD: Cell<i64> = const { Cell::new(0) };
    /// The most that `HELD` has been.
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: i64) {
    // A thread that ends has no counters any more, and nobody asks it.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        PEAK.try_with(|peak| peak.set(peak.get().max(held.get())))
    });
}

// SAFETY: every call goes to the system's allocator as it is; counting allocates nothing, since the
// counters are constants without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promise about the layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller's promise that this allocator made the block is the system's own.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Old and new exist side by side where the block cannot grow in place.
        count(new_size as i64);
        // SAFETY: as in `alloc` and `dealloc`.
        let moved = unsafe { System.realloc(block, layout, new_size) };
        count(-(layout.size() as i64));
        moved
    }
}

/// Does some work on this thread and says by how many bytes its heap grew at the most.
pub(super) fn peak_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = HELD.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    let result = work();
    let peak = PEAK.with(Cell::get) - before;
    (result, u64::try_from(peak).unwrap_or(0))
}

#[test]
fn the_peak_is_what_is_held_at_once() {
    let work = |at_once: bool| {
        let first = vec![1u8; 100_000];
        if !at_once {
            drop(first);
            return vec![1u8; 50_000];
        }
        let mut second = vec![1u8; 50_000];
        second.extend_from_slice(&first[..10]);
        second
    };
    assert_eq!(peak_of(|| work(false)).1, 100_000);
    assert!(peak_of(|| work(true)).1 >= 150_000);
    assert_eq!(peak_of(|| ()).1, 0);
}

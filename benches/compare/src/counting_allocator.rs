//! The system's allocator, counting what is held while it is asked to.
//!
//! It is switched on only where heap is measured, so that no one pays for it while time is.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static IS_ON: AtomicBool = AtomicBool::new(false);
static HELD: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

/// Heap that something takes, in bytes as they were asked for.
#[derive(Clone, Copy, Debug)]
pub struct Heap {
    /// Held when it was done.
    pub held: i64,
    /// The most that was held on the way.
    pub peak: i64,
}

/// Runs `f` and counts the heap that it takes.
pub fn count<T>(f: impl FnOnce() -> T) -> (T, Heap) {
    HELD.store(0, Relaxed);
    PEAK.store(0, Relaxed);
    IS_ON.store(true, Relaxed);
    let result = f();
    IS_ON.store(false, Relaxed);
    (result, Heap { held: HELD.load(Relaxed), peak: PEAK.load(Relaxed) })
}

struct Counting;

fn add(size: i64) {
    if IS_ON.load(Relaxed) {
        let held = HELD.fetch_add(size, Relaxed) + size;
        PEAK.fetch_max(held, Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator with the arguments it came with, and its result
// is given back; the counters do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as i64);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        add(-(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(new_size as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, new_size) }
    }
}

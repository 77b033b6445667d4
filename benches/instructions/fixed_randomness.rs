//! Randomness that is none, for this program alone.
//!
//! The hash of names is keyed at random, by the keys of the standard library's maps. Which names
//! share a slot of an index depends on that key, and with it how many instructions a look-up takes.
//! A function of this name in the program comes before that of the C library, so that the key is
//! the same in every run, and the engine needs no way to be told one.
#![allow(unsafe_code)]

/// Fills the buffer with one byte, and says that it is full.
// SAFETY: no other item of the program or of its crates exports this name, and the signature is
// that of getrandom(2): a pointer, a length, flags; the result is the number of bytes written.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, len: usize, _flags: u32) -> isize {
    // SAFETY: whoever calls getrandom hands it `len` bytes at `buffer` that it may write to.
    unsafe { buffer.write_bytes(0x5a, len) };
    len as isize
}

//! What the benchmarks measure on: content and archives that are the same on every machine.
//!
//! Archives are made once and kept in `target/benches`. What a benchmark times it has checked
//! before, against the content that is made here.

pub mod archives;
pub mod content;
pub mod map;

/// Whether each benchmark runs only once, to see that it still works: `cargo bench -- --test`, or a
/// run by anything but `cargo bench`. Archives are small then.
#[must_use]
pub fn is_test_run() -> bool {
    let mut is_bench = false;
    let mut is_test = false;
    for argument in std::env::args() {
        is_bench |= argument == "--bench";
        is_test |= argument == "--test";
    }
    is_test || !is_bench
}

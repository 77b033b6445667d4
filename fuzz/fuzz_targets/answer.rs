//! Feeds arbitrary bytes to [`entryway_fuzz::answer::check`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| entryway_fuzz::answer::check(input));

//! Feeds arbitrary bytes to [`entryway_fuzz::decode::check`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| entryway_fuzz::decode::check(input));

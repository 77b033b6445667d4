//! Feeds archives, changed as archives, to [`entryway_fuzz::differential::check`].
#![no_main]

use entryway_fuzz::zip_mutator::mutate;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|input: &[u8]| entryway_fuzz::differential::check(input));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed, fuzzer_mutate)
});

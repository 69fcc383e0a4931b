//! The block reader under a coverage-guided fuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = helios::block::fuzz::fuzz_block(bytes);
});

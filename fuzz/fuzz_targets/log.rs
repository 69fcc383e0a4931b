//! The log reader under a coverage-guided fuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    helios::engine::log::fuzz_log(bytes);
});

//! Request bodies under a coverage-guided fuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    helios::ingest::fuzz::fuzz_ndjson(bytes);
});

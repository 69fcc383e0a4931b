//! The query language under a coverage-guided fuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    helios::query::language::parser::fuzz_query(bytes);
});

//! The fuzz targets as plain tests: a committed corpus, bent by a seeded mutator, so that every run on every
//! machine throws the same bytes. `fuzz/` wraps the same targets for a coverage-guided fuzzer.
//!
//! What a fuzzer finds goes into `tests/corpus/<target>/` and stays there. `HELIOS_FUZZ_RUNS` sets how many
//! mutations a target gets.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;

#[test]
fn the_block_reader_takes_any_bytes() {
    throw("block", |bytes| drop(helios::block::fuzz::fuzz_block(bytes)));
}

#[test]
fn the_log_reader_takes_any_bytes() {
    throw("log", helios::engine::log::fuzz_log);
}

#[test]
fn ingest_takes_any_bytes_and_loses_none() {
    throw("ndjson", helios::ingest::fuzz::fuzz_ndjson);
}

#[test]
fn the_query_parser_takes_any_bytes() {
    throw("query", helios::query::language::parser::fuzz_query);
}

#[test]
fn a_target_that_fails_is_noticed_and_its_bytes_are_kept() {
    let failing =
        panic::catch_unwind(|| mutate("query", 2_000, |bytes| assert!(!bytes.contains(&0xff), "found")).unwrap_err());
    let (run, bytes) = failing.expect("a target's panic is caught");
    assert!(run < 2_000 && bytes.contains(&0xff));
}

/// Throws the corpus itself and its mutations at a target; on a failure, says where the bytes are.
fn throw(name: &str, target: impl Fn(&[u8])) {
    let runs =
        std::env::var("HELIOS_FUZZ_RUNS").map_or(RUNS, |runs| runs.parse().expect("HELIOS_FUZZ_RUNS is a number"));
    if let Err((run, bytes)) = mutate(name, runs, target) {
        let kept = std::env::temp_dir().join(format!("helios-fuzz-{name}-{run}"));
        fs::write(&kept, &bytes).expect("the folder for temporary files can be written");
        panic!("run {run} of {name} failed on {}: mend it, and add the file to the corpus", kept.display());
    }
}

fn mutate(name: &str, runs: u64, target: impl Fn(&[u8])) -> Result<(), (u64, Vec<u8>)> {
    let corpus = corpus(name);
    let fails = |bytes: &[u8]| panic::catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err();
    for (run, bytes) in corpus.iter().enumerate() {
        if fails(bytes) {
            return Err((run as u64, bytes.clone()));
        }
    }
    let mut dice = Dice(0x5eed ^ name.len() as u64);
    for run in corpus.len() as u64..runs {
        let mut bytes = corpus[dice.below(corpus.len())].clone();
        for _ in 0..1 + dice.below(4) {
            bend(&mut bytes, &mut dice, &corpus);
        }
        bytes.truncate(INPUT_BYTES_MAX);
        if fails(&bytes) {
            return Err((run, bytes));
        }
    }
    Ok(())
}

/// One change of the kinds that break readers: bits, lengths, cuts, repeats, and pieces of something else.
fn bend(bytes: &mut Vec<u8>, dice: &mut Dice, corpus: &[Vec<u8>]) {
    let at = dice.below(bytes.len() + 1);
    let len = dice.below(1 + (bytes.len() - at).min(64));
    match dice.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        1 if at < bytes.len() => bytes[at] = HOSTILE_BYTES[dice.below(HOSTILE_BYTES.len())],
        2 => drop(bytes.drain(at..at + len)),
        3 => bytes.truncate(at),
        4 => {
            let piece = bytes[at..at + len].to_vec();
            bytes.splice(at..at, piece.repeat(1 + dice.below(4)));
        }
        5 if at + 8 <= bytes.len() => {
            let number = HOSTILE_NUMBERS[dice.below(HOSTILE_NUMBERS.len())].to_le_bytes();
            let width = [1, 2, 4, 8][dice.below(4)];
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        6 => {
            let other = &corpus[dice.below(corpus.len())];
            let from = dice.below(other.len() + 1);
            let to = (from + dice.below(128)).min(other.len());
            bytes.splice(at..at + len, other[from..to].iter().copied());
        }
        _ => bytes.insert(at, HOSTILE_BYTES[dice.below(HOSTILE_BYTES.len())]),
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("the corpus can be listed").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths.iter().map(|path| fs::read(path).expect("the corpus can be read")).collect()
}

/// A SplitMix64 sequence.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * bound as u128) >> 64) as usize
    }
}

/// Mutations of a target, unless `HELIOS_FUZZ_RUNS` says otherwise.
const RUNS: u64 = 400;
/// Inputs grow by repeats; beyond this they only cost time.
const INPUT_BYTES_MAX: usize = 1 << 16;
const HOSTILE_BYTES: &[u8] = b"\x00\x01\x7f\x80\xff\"\\{}[]:,\r\n\t ()|*?/=<>-eE.u0\xc3\xed\xf0";
const HOSTILE_NUMBERS: &[u64] =
    &[0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, i64::MAX as u64, u64::MAX];

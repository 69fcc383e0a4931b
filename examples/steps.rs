//! One step of the way from lines to a block and back, done some times: what `bench/instructions.sh` counts.
//!
//! `steps BYTES SEED STEP TIMES`, where STEP is parse, build, encode, decode, raw, or size, which prints how many
//! bytes the lines have. With `-` for BYTES the lines come from standard input.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A measuring tool, not the server.

#[path = "../benches/steps/mod.rs"]
mod steps;

use std::hint::black_box;
use std::io::Read;

use helios::cli::demo;

use steps::{built, decoded, encoded, one_group, parsed, raw};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [bytes, seed, step, times] = args.as_slice() else { panic!("steps BYTES SEED STEP TIMES") };
    let mut lines = Vec::new();
    if bytes == "-" {
        std::io::stdin().read_to_end(&mut lines).unwrap();
    } else {
        lines = demo::sample(bytes.parse().unwrap(), seed.parse().unwrap());
    }
    if step == "size" {
        println!("{}", lines.len());
        return;
    }
    let group = one_group(&lines);
    let block = encoded(&group);
    let groups = decoded(&block);
    for _ in 0..times.parse().unwrap() {
        match step.as_str() {
            "parse" => drop(black_box(parsed(&lines))),
            "build" => drop(black_box(built(&lines))),
            "encode" => drop(black_box(encoded(&group))),
            "decode" => drop(black_box(decoded(&block))),
            "raw" => drop(black_box(raw(&groups))),
            _ => panic!("there is no step {step}"),
        }
    }
}

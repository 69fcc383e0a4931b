//! Whole servers in a fleet: a handful of seeds of each kind, by the program that users run.

use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_sim")).args(arguments).output().unwrap();
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

#[test]
fn whatever_happens_what_was_acknowledged_is_found_exactly_once() {
    for (scenario, seeds) in [("calm", "1..2"), ("storm", "1..4"), ("power", "1..4"), ("store", "1..2")] {
        let (code, said) = sim(&["--scenario", scenario, "--seeds", seeds]);
        println!("{scenario}: {said}");
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn a_seed_sends_the_same_bytes_in_processes_with_other_environments() {
    let (code, said) = sim(&["--scenario", "storm", "--meta", "--seeds", "1..3"]);
    assert_eq!((code, said.matches(" equal").count()), (Some(0), 2), "{said}");
}

#[test]
fn a_log_that_is_not_synced_is_noticed_and_shrinks_to_a_few_faults() {
    let mutant = ["--scenario", "power", "--mutant", "LogSync", "--horizon-ms", "20000"];
    let (code, said) = sim(&[&mutant[..], &["--seeds", "1..4"]].concat());
    assert_eq!(code, Some(1), "{said}");
    let seed = said.split("seed ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let (code, said) = sim(&[&mutant[..], &["--seed", seed, "--shrink"]].concat());
    assert_eq!(code, Some(1), "{said}");
    let left = said.lines().find(|line| line.contains(" faults, after ")).unwrap();
    let words: Vec<&str> = left.split(' ').collect();
    let (seconds, faults): (f64, u64) = (words[0].parse().unwrap(), words[3].parse().unwrap());
    assert!(seconds < 20.0 && faults <= 5, "{said}");
    // The command that it ends with fails as well.
    let command = said.lines().last().unwrap();
    let arguments: Vec<&str> = command.split(" -- ").nth(1).unwrap().split(' ').filter(|word| *word != "''").collect();
    let only = arguments.iter().position(|word| *word == "--only").unwrap();
    let mut arguments = arguments;
    if arguments.get(only + 1).is_none_or(|next| next.starts_with("--")) {
        arguments.insert(only + 1, "");
    }
    assert_eq!(sim(&arguments).0, Some(1), "{command}");
}

#[test]
fn exit_codes_tell_a_failed_run_from_a_command_that_makes_no_sense() {
    assert_eq!(sim(&["--scenario", "calm", "--seed", "1", "--horizon-ms", "2000"]).0, Some(0));
    for wrong in [&["--scenario", "nobody", "--seed", "1"][..], &[], &["--seeds", "3..1"], &["--frobnicate"]] {
        assert_eq!(sim(wrong).0, Some(2), "{wrong:?}");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the file was written by another process")]
fn a_batch_writes_what_became_of_each_seed_for_other_tools() {
    let path = std::env::temp_dir().join(format!("helios-sim-{}.xml", std::process::id()));
    let file = path.to_str().unwrap();
    let arguments = ["--scenario", "calm", "--seeds", "1..4", "--horizon-ms", "2000", "--junit", file];
    assert_eq!(sim(&arguments).0, Some(0));
    let xml = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(xml.contains("tests=\"3\" failures=\"0\"") && xml.contains("name=\"seed 3\""), "{xml}");
}

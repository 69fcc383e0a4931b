//! The same seed in two processes that differ in all that must not matter.

use sim::run::Report;

use crate::args::Args;
use crate::child::run_seed;

/// Compares two runs of each seed: every byte in the network, every call to a disk, every traced event but the
/// smallest of libraries.
pub(crate) fn compare(args: &Args, seeds: &[u64]) -> Result<bool, String> {
    let mut equal = true;
    for &seed in seeds {
        args.plan(seed)?;
        let (here, elsewhere) = std::thread::scope(|both| {
            let elsewhere = both.spawn(|| {
                run_seed(args, seed, |command| {
                    command.arg("--events").current_dir(std::env::temp_dir()).env_clear();
                    for (name, value) in OTHER_ENVIRONMENT {
                        command.env(name, value);
                    }
                })
            });
            let here = run_seed(args, seed, |command| {
                command.arg("--events");
            });
            (here, elsewhere.join().expect("it returns its failures"))
        });
        let same = fingerprint(&here) == fingerprint(&elsewhere);
        let verdict = if same { "equal" } else { "DIFFERENT" };
        println!("seed {seed}: {:016x} {:016x} {verdict}", here.digest, elsewhere.digest);
        for failure in [&here.failure, &elsewhere.failure].into_iter().flatten() {
            println!("  failed: {failure}");
        }
        equal &= same && here.failure.is_none();
    }
    Ok(equal)
}

/// Everything in a report but how long it took.
fn fingerprint(report: &Report) -> String {
    format!("{:?}", Report { cpu: std::time::Duration::ZERO, ..report.clone() })
}

const OTHER_ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", "/nowhere"),
    ("HOSTNAME", "another-machine"),
    ("LANG", "tr_TR.UTF-8"),
    ("RUST_LOG", "trace"),
    ("TOKIO_WORKER_THREADS", "7"),
    ("TZ", "Asia/Kathmandu"),
    ("USER", "somebody"),
];

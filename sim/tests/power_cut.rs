//! scratch
use sim::powercut::*;
#[test]
fn power_cut() {
    let runs = std::env::var("HELIOS_SIM_RUNS").ok().and_then(|v| v.parse().ok()).unwrap_or(500);
    let first = std::env::var("HELIOS_SIM_SEED").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    let trouble = match std::env::var("T").as_deref() {
        Ok("io") => Trouble::Fault(sim::DiskFault::Io),
        Ok("full") => Trouble::Fault(sim::DiskFault::NoSpace),
        _ => Trouble::PowerCut,
    };
    if let Ok(call) = std::env::var("HELIOS_SIM_CUT") {
        let mut r = trouble.run_at(first, call.parse().ok(), drawn_settings(first));
        r.trace = true;
        let out = run::<EngineSubject>(&r);
        match out {
            Ok(o) => println!("ok {o:?}"),
            Err(f) => {
                for t in f.trace {
                    println!("{t}");
                }
                println!("fault {:?} cut {:?}: {}", r.fault, r.cut, f.what);
            }
        }
        return;
    }
    let tally = campaign::<EngineSubject>(&Campaign {
        first_seed: first,
        runs_min: runs,
        trouble,
        threads: 2,
        settings: drawn_settings,
    });
    println!("{tally:?}");
    assert!(tally.failures.is_empty());
}

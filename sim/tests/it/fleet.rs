//! What a simulated machine and its network do, before anything of the product runs on them.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use helios::host::{Cost, Host};
use sim::fleet::{Fleet, Life, Setup, now};
use sim::leaks::on_a_sealed_thread;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TICK: Duration = Duration::from_millis(10);
const PORT: u16 = 80;

fn fleet(seed: u64) -> Fleet {
    Fleet::new(Setup { seed, tick: TICK, latency_max: Duration::from_millis(5) })
}

fn run_for(fleet: &mut Fleet, time: Duration) {
    let end = fleet.elapsed() + time;
    while fleet.elapsed() < end {
        fleet.step().unwrap();
    }
}

/// Notes what happens, for the test to look at.
type Notes = Arc<Mutex<Vec<String>>>;

fn note(notes: &Notes, what: impl ToString) {
    notes.lock().unwrap().push(what.to_string());
}

fn noted(notes: &Notes) -> Vec<String> {
    std::mem::take(&mut notes.lock().unwrap())
}

/// Takes one connection after the other and reads each to its end, which may never come.
async fn listen(host: Host, notes: Notes) {
    let listener = host.net.listen(([0, 0, 0, 0], PORT).into()).await.unwrap();
    while let Ok((mut stream, _)) = listener.accept().await {
        let (mut bytes, notes) = (Vec::new(), notes.clone());
        let read = async move {
            let ended = stream.read_to_end(&mut bytes).await.is_ok();
            note(&notes, format!("{} {ended}", String::from_utf8_lossy(&bytes)));
        };
        drop(host.tasks.spawn("read", Box::pin(read)));
    }
}

/// Says hello to `to` and stays.
async fn say_hello(host: Host, to: &str) {
    let address = host.net.resolve(to, PORT).await.unwrap()[0];
    let mut stream = host.net.connect(address).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    std::future::pending::<()>().await;
}

#[test]
fn a_crash_says_goodbye_to_its_peers_and_a_power_cut_does_not() {
    on_a_sealed_thread(1, || {
        for power_cut in [false, true] {
            let mut fleet = fleet(1);
            let notes = Notes::default();
            let heard = notes.clone();
            fleet.add("ear", move |_, life| listen(life.host, heard.clone()));
            fleet.add("mouth", |_, life| async move { say_hello(life.host, "ear").await });
            run_for(&mut fleet, Duration::from_secs(1));
            assert_eq!(noted(&notes), [""; 0]);
            if power_cut {
                fleet.power_cut("mouth", 1);
            } else {
                fleet.crash("mouth");
            }
            run_for(&mut fleet, Duration::from_secs(60));
            assert_eq!(noted(&notes).len(), usize::from(!power_cut), "power cut: {power_cut}");
        }
    });
}

#[test]
fn a_name_that_nobody_has_is_not_found() {
    on_a_sealed_thread(1, || {
        let mut fleet = fleet(1);
        let notes = Notes::default();
        let told = notes.clone();
        fleet.add_client("client", |life| async move {
            let found = life.host.net.resolve("nobody", PORT).await;
            note(&told, format!("{:?}", found.map_err(|error| error.kind())));
        });
        run_for(&mut fleet, TICK * 3);
        assert_eq!(noted(&notes), ["Err(NotFound)"]);
    });
}

/// Writes two files, one of them synced, and waits for its end. The next life says which it finds.
async fn write_or_look(life: Life, notes: Notes) {
    let (disk, root) = (&life.host.disk, Path::new("/"));
    if life.number > 1 {
        let names: Vec<String> = disk.list(root).await.unwrap().into_iter().map(|entry| entry.name).collect();
        return note(&notes, names.join(" "));
    }
    for name in ["/synced", "/written"] {
        let file = disk.create_new(Path::new(name)).await.unwrap();
        file.append("x".into()).await.unwrap();
        if name == "/synced" {
            file.sync().await.unwrap();
            disk.sync_dir(root).await.unwrap();
        }
    }
    std::future::pending::<()>().await;
}

#[test]
fn a_killed_machine_keeps_what_it_wrote_and_one_without_power_what_it_synced() {
    let after = |seed, power_cut: bool| {
        on_a_sealed_thread(seed, || {
            let mut fleet = fleet(seed);
            let notes = Notes::default();
            let told = notes.clone();
            fleet.add("machine", move |_, life| write_or_look(life, told.clone()));
            run_for(&mut fleet, Duration::from_secs(1));
            if power_cut {
                fleet.power_cut("machine", seed);
            } else {
                fleet.crash("machine");
            }
            fleet.start("machine");
            run_for(&mut fleet, Duration::from_secs(1));
            noted(&notes).pop().unwrap()
        })
    };
    let mut lost = 0;
    for seed in 1..12 {
        assert_eq!(after(seed, false), "synced written");
        let found = after(seed, true);
        assert!(found.contains("synced"), "seed {seed}: {found}");
        lost += usize::from(found == "synced");
    }
    assert!(lost > 0, "nothing was ever lost");
}

#[test]
fn a_machine_that_stands_still_runs_nothing_and_finds_its_timers_run_out() {
    on_a_sealed_thread(1, || {
        let mut fleet = fleet(1);
        let notes = Notes::default();
        let told = notes.clone();
        let machine = fleet.add("machine", move |_, life| {
            let notes = told.clone();
            async move {
                loop {
                    life.host.clock.sleep(Duration::from_secs(1)).await;
                    note(&notes, now().as_secs());
                }
            }
        });
        run_for(&mut fleet, Duration::from_millis(2_500));
        machine.stall_until(Duration::from_secs(10));
        run_for(&mut fleet, Duration::from_secs(9));
        assert_eq!(noted(&notes), ["1", "2", "10", "11"]);
    });
}

#[test]
fn a_calendar_that_jumps_moves_no_timer_and_clocks_drift_apart() {
    on_a_sealed_thread(5, || {
        let mut fleet = fleet(5);
        let clocks: Vec<_> = (0..3)
            .map(|number| {
                let clock = Arc::new(Mutex::new(None));
                let told = clock.clone();
                let name = format!("machine{number}");
                let machine = fleet.add(&name, move |_, life| {
                    *told.lock().unwrap() = Some(life.host.clock);
                    std::future::pending()
                });
                (machine, clock)
            })
            .collect();
        run_for(&mut fleet, TICK);
        let (machine, clock) = &clocks[0];
        let clock = clock.lock().unwrap().clone().unwrap();
        let (wall, monotonic) = (clock.wall().0, clock.monotonic());
        machine.jump_wall(-3_600_000_000_000);
        assert_eq!((clock.wall().0 - wall, clock.monotonic()), (-3_600_000_000_000, monotonic));
        run_for(&mut fleet, Duration::from_secs(1_000));
        let times: std::collections::BTreeSet<_> =
            clocks.iter().map(|(_, clock)| clock.lock().unwrap().as_ref().unwrap().monotonic()).collect();
        assert_eq!(times.len(), 3, "{times:?}");
    });
}

#[test]
fn a_worker_goes_on_although_nobody_looks_at_its_job() {
    on_a_sealed_thread(1, || {
        let mut fleet = fleet(1);
        fleet.add_client("client", |life| async move {
            let cpu = &life.host.cpu;
            let job = || cpu.run(Cost::bytes(10_000_000), || ());
            // As many as there are workers are looked at once, and then no more.
            let mut waiting: Vec<_> = (0..cpu.workers()).map(|_| Box::pin(job())).collect();
            for job in &mut waiting {
                assert!(futures_util::poll!(job).is_pending());
            }
            job().await;
        });
        let end = Duration::from_secs(5);
        while !fleet.step().unwrap() {
            assert!(fleet.elapsed() < end, "the workers wait for whoever gave them their jobs");
        }
    });
}

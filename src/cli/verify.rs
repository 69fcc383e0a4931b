//! `helios verify`

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::VerifyArgs;
use super::{EXIT_IN_PART, Failure, output};
use crate::engine::{VerifyProgress, VerifyReport, verify};
use crate::host::Host;

pub(super) async fn run(host: Host, args: VerifyArgs) -> Result<(), Failure> {
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} partitions {msg}").expect("the template is right");
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(TICK_MS));
    let mut show = |progress: VerifyProgress| {
        bar.set_length(progress.partitions);
        bar.set_position(progress.partitions_done);
        bar.set_message(format!("{} MiB read", progress.bytes >> 20));
    };
    let report = verify(&host, args.data_dir.clone(), &mut show).await;
    bar.finish_and_clear();
    let report = report.map_err(|error| Failure::new(error.to_string()))?;
    output::write(describe(&report).as_bytes())?;
    match report.problems.len() {
        0 => Ok(()),
        count => Err(Failure::with_code(
            EXIT_IN_PART,
            format!("{count} problems: keep {} as it is and restore from a copy", args.data_dir.display()),
        )),
    }
}

fn describe(report: &VerifyReport) -> String {
    // Exhaustive: a finding that is not shown would be a promise not kept.
    let VerifyReport {
        partitions,
        retired,
        generations,
        vouched_from,
        blocks,
        block_bytes,
        rows,
        segments,
        records,
        unnamed,
        problems,
    } = report;
    let mut page = format!(
        "{partitions} partitions ({retired} retired), {generations} generations of manifests\n\
         {blocks} blocks, {block_bytes} bytes, {rows} events\n\
         {segments} log segments, {records} records\n"
    );
    for (partition, generation) in vouched_from {
        page.push_str(&format!(
            "{partition}: vouched for from generation {generation}; older ones were lawfully removed\n"
        ));
    }
    for path in unnamed {
        page.push_str(&format!("{path}: named by no manifest; the next start removes it\n"));
    }
    for problem in problems {
        page.push_str(&format!("PROBLEM {}: {}\n", output::visible(&problem.path), output::visible(&problem.what)));
    }
    if problems.is_empty() {
        page.push_str("sound: every byte that the manifests name is there and unchanged\n");
    }
    page
}

const TICK_MS: u64 = 200;

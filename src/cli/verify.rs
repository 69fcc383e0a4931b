//! `helios verify`

use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::VerifyArgs;
use super::{EXIT_IN_PART, Failure, output};
use crate::cluster::{Found, StoreReport, verify_store};
use crate::engine::{Problem, VerifyProgress, VerifyReport, verify};
use crate::host::Host;

pub(super) async fn run(host: Host, args: VerifyArgs) -> Result<(), Failure> {
    match &args.shared_store {
        Some(address) => shared_store(&host, address).await,
        None => data_directory(host, args.data_dir).await,
    }
}

/// Calls `work` with what shows how far it is.
async fn with_progress<T>(work: impl AsyncFnOnce(&mut (dyn FnMut(VerifyProgress) + Send)) -> T) -> T {
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} partitions {msg}").expect("the template is right");
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(TICK_MS));
    let mut show = |progress: VerifyProgress| {
        bar.set_length(progress.partitions);
        bar.set_position(progress.partitions_done);
        bar.set_message(format!("{} MiB read", progress.bytes >> 20));
    };
    let done = work(&mut show).await;
    bar.finish_and_clear();
    done
}

async fn data_directory(host: Host, data_dir: PathBuf) -> Result<(), Failure> {
    let report = with_progress(async |show| verify(&host, data_dir.clone(), show).await).await;
    let report = report.map_err(|error| Failure::new(error.to_string()))?;
    output::write(describe(&report).as_bytes())?;
    judge(report.problems.len(), &format!("keep {} as it is and restore from a copy", data_dir.display()))
}

async fn shared_store(host: &Host, address: &str) -> Result<(), Failure> {
    // Untested: the test of a store writes to it.
    let store = super::store::open(host, address, false).await?;
    let report = with_progress(async |show| verify_store(&store, show).await).await;
    let report = report.map_err(|error| Failure::new(error.to_string()))?;
    output::write(describe_store(&report).as_bytes())?;
    let advice = "keep it as it is; restore objects from a copy, or see what `helios store adopt` would do";
    judge(report.found.problems.len(), advice)
}

fn judge(problems: usize, advice: &str) -> Result<(), Failure> {
    match problems {
        0 => Ok(()),
        count => Err(Failure::with_code(EXIT_IN_PART, format!("{count} problems: {advice}"))),
    }
}

fn describe_store(report: &StoreReport) -> String {
    // Exhaustive, as below.
    let StoreReport { incarnation, feeds, feed_entries, found, foreign } = report;
    let Found {
        partitions,
        retired,
        generations,
        below_floor,
        vouched_from,
        blocks,
        block_bytes,
        rows,
        pages,
        stray_pages,
        condemned,
        strays,
        problems,
    } = found;
    let strays = strays + condemned;
    let mut page = format!(
        "history {}\n\
         {partitions} partitions ({retired} retired), {generations} generations of manifests, \
         {below_floor} to be removed\n\
         {blocks} blocks, {block_bytes} bytes, {rows} events\n\
         {pages} pages, and {stray_pages} to be removed or on their way in\n\
         {strays} blocks to be removed (merged, retired, left behind) or on their way in, {condemned} of them condemned\n\
         {feeds} feeds, {feed_entries} entries\n",
        incarnation.as_deref().map_or("none: no node has ever used this store".into(), output::visible),
    );
    for (partition, generation) in vouched_from {
        page.push_str(&format!(
            "{}: vouched for from generation {generation}; older ones were lawfully removed\n",
            output::visible(partition)
        ));
    }
    for path in foreign {
        page.push_str(&format!("{}: not an object of helios\n", output::visible(path)));
    }
    finish(page, problems)
}

fn finish(mut page: String, problems: &[Problem]) -> String {
    for problem in problems {
        page.push_str(&format!("PROBLEM {}: {}\n", output::visible(&problem.path), output::visible(&problem.what)));
    }
    if problems.is_empty() {
        page.push_str("sound: every byte that the manifests name is there and unchanged\n");
    }
    page
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
    finish(page, problems)
}

const TICK_MS: u64 = 200;

//! `helios store`, and opening a shared store for a command.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::args::StoreCommand;
use super::{EXIT_IN_PART, Failure, output};
use crate::chain::{Store, conformance};
use crate::cluster::{Begin, History, PartitionHistory, StoreAddress, begin_history, open_store, open_untested};
use crate::crypto::Register;
use crate::host::Host;

pub(super) async fn run(host: Host, command: StoreCommand) -> Result<(), Failure> {
    match command {
        StoreCommand::Adopt { shared_store, yes, accept_loss, replaces } => {
            let how = match (yes, accept_loss) {
                (false, _) => Begin::Look,
                (true, false) => Begin::Write,
                (true, true) => Begin::AcceptLoss,
            };
            adopt(host, shared_store, how, replaces.as_deref()).await
        }
        StoreCommand::Test { shared_store, and } => test(host, shared_store, and).await,
    }
}

/// The conformance suite, through every way to the store.
async fn test(host: Host, shared_store: String, and: Vec<String>) -> Result<(), Failure> {
    let mut ways = Vec::new();
    for address in std::iter::once(&shared_store).chain(&and) {
        let store = open(&host, address, false).await?;
        // Asked by itself, so that a store that cannot be reached is told from one that breaks a rule.
        store.list("", "").await.map_err(|error| Failure::new(format!("{address}: {error}")))?;
        ways.push(store);
    }
    let folder = format!("conformance/{:016x}", host.entropy.fork("conformance").next_u64());
    let outcome = conformance::run_through(&ways, &folder).await;
    let met = outcome.map_err(|failure| {
        Failure::with_code(EXIT_IN_PART, format!("not met: {failure}. Let no nodes share this store before it is"))
    })?;
    let told: String = met.iter().map(|check| format!("met: {check}\n")).collect();
    output::write(told.as_bytes())?;
    Ok(())
}

async fn adopt(host: Host, shared_store: String, how: Begin, replaces: Option<&str>) -> Result<(), Failure> {
    let yes = how != Begin::Look;
    let store = open(&host, &shared_store, yes).await?;
    let history = begin_history(&host, &store, how, replaces).await;
    let history = history.map_err(|error| Failure::new(format!("no new history was begun: {error}")))?;
    if history.before.is_none() && history.partitions.is_empty() && replaces.is_none() {
        return Err(Failure::new(format!("no node has ever used {shared_store}: is this the right place?")));
    }
    output::write(describe(&history).as_bytes())?;
    match (history.refused.len(), yes) {
        (0, true) => Ok(()),
        (0, false) => Err(Failure::new("nothing was changed: run it again with --yes to begin this history")),
        (count, _) => Err(Failure::with_code(EXIT_IN_PART, format!("{count} problems: no new history was begun"))),
    }
}

/// Opens a shared store; `to_write` tests it first, which writes to it.
pub(super) async fn open(host: &Host, address: &str, to_write: bool) -> Result<Arc<dyn Store>, Failure> {
    let address = StoreAddress::parse(address).map_err(|why| Failure::new(format!("--shared-store: {why}")))?;
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let life = format!("{:016x}", host.entropy.fork("store").next_u64());
    let store = match to_write {
        true => open_store(host, &address, &variables, &life).await,
        false => open_untested(host, &address, &variables, &life, &Register::default()).await,
    };
    store.map_err(|error| Failure::new(error.to_string()))
}

fn describe(history: &History) -> String {
    let mut page = String::new();
    for partition in &history.partitions {
        page.push_str(&describe_partition(partition));
    }
    for problem in &history.refused {
        page.push_str(&format!("PROBLEM {}: {}\n", output::visible(&problem.path), output::visible(&problem.what)));
    }
    let none = "none".to_owned();
    let before = history.before.as_ref().unwrap_or(&none);
    match &history.begun {
        Some(id) => page.push_str(&format!("history {id} begins; the one before was {}\n", output::visible(before))),
        None => page.push_str(&format!("the history is {}\n", output::visible(before))),
    }
    page
}

fn describe_partition(partition: &PartitionHistory) -> String {
    let PartitionHistory { partition: key, head, generation, blocks, blocks_left, rows, faults, missing, announced } =
        partition;
    let name = output::visible(&format!("{}/{key}", key.env));
    let mut page = format!("{name}: generation {generation} of {head} holds, {blocks} blocks, {rows} events\n");
    for fault in faults {
        page.push_str(&format!("  {}\n", output::visible(fault)));
    }
    if *blocks_left > 0 {
        page.push_str(&format!(
            "  no generation is complete: {blocks_left} blocks from the first missing one on are left out\n"
        ));
    }
    if let Some(newest) = announced {
        page.push_str(&format!("  a node announced generation {newest}, which is not there\n"));
    }
    for events in missing {
        let (from, to) = (events.from, events.to);
        page.push_str(&format!(
            "  events {}-{from} to {to} are not in it: nodes that have them bring them back\n",
            events.origin
        ));
    }
    page
}

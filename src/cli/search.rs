//! `helios search`

use super::args::{Format, SearchArgs};
use super::output::{self, Answer, ShownHit};
use super::remote::{self, Parameters};
use super::{Failure, export, offline};
use crate::host::Host;

pub(super) async fn run(host: Host, args: SearchArgs) -> Result<(), Failure> {
    let format = output::format(args.format);
    let answer = match &args.data_dir {
        Some(data_dir) => {
            let answer = offline::search(host, data_dir, &args).await?;
            if format == Format::Csv {
                return Ok(output::write(&offline::csv(answer)?)?);
            }
            serde_json::to_vec(&answer).map_err(|error| Failure::new(error.to_string()))?
        }
        None if format == Format::Csv => return export::csv(host, &args).await,
        None => ask_server(host, &args).await?,
    };
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|error| Failure::new(format!("the answer cannot be read: {error}")))?;
    print(&answer, format)
}

async fn ask_server(host: Host, args: &SearchArgs) -> Result<Vec<u8>, Failure> {
    let mut client = remote::client(host, &args.server)?;
    let params = Parameters::new(&args.query, &args.server).range(&args.range).with("limit", args.limit.to_string());
    let params = if args.explain { params.with("explain", "true".to_owned()) } else { params };
    let response = client.get("/api/search", &params.pairs()).await?;
    Ok(client.whole(response).await?.to_vec())
}

fn print(answer: &Answer, format: Format) -> Result<(), Failure> {
    let text = match (&answer.table, format) {
        (Some(table), Format::Table) => table.aligned(),
        (Some(table), _) => table.ndjson(),
        (None, Format::Table) => answer.hits.iter().map(|hit| shown(hit.get())).collect(),
        (None, _) => answer.hits.iter().map(|hit| format!("{}\n", hit.get())).collect(),
    };
    output::write(text.as_bytes())?;
    answer.warnings.iter().for_each(|warning| output::say(&format!("helios: {warning}")));
    if answer.partial {
        output::say("helios: the answer is not complete");
    }
    if let Some(explain) = &answer.stats.explain {
        let width = explain.keys().map(String::len).max().unwrap_or(0);
        explain.iter().for_each(|(name, value)| output::say(&format!("{name:width$}  {value:>12}")));
    }
    if format == Format::Table {
        output::say(&summary(answer));
    }
    Ok(())
}

/// A hit as one line of a terminal.
pub(super) fn shown(hit: &str) -> String {
    match serde_json::from_str::<ShownHit>(hit) {
        Ok(hit) => format!("{}\n", hit.line()),
        Err(_) => format!("{}\n", output::visible(hit)),
    }
}

fn summary(answer: &Answer) -> String {
    let took = answer.took_ms;
    let (shown, what) = match &answer.table {
        Some(table) => (table.rows.len(), "rows"),
        None => (answer.hits.len(), "events"),
    };
    match answer.total {
        Some(total) if answer.table.is_none() && total > shown as u64 => {
            format!("-- {shown} of {total} {what}, {took} ms (more: --limit, or helios export)")
        }
        _ => format!("-- {shown} {what}, {took} ms"),
    }
}

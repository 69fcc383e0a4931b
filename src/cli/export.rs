//! `helios export`

use std::fs::{File, OpenOptions};
use std::io::Write;

use super::args::{ExportArgs, Format, SearchArgs};
use super::remote::{self, Parameters};
use super::{Failure, output};
use crate::host::Host;

pub(super) async fn run(host: Host, args: ExportArgs) -> Result<(), Failure> {
    let mut file = args.output.as_ref().map(|path| create(path)).transpose()?;
    let format = if args.format == Format::Csv { "csv" } else { "ndjson" };
    let params = Parameters::new(&args.query, &args.server)
        .range(&args.range)
        .with("format", format.to_owned())
        .with("fields", args.fields.clone());
    let mut client = remote::client(host, &args.server)?;
    let mut body = client.get("/api/export", &params.pairs()).await?.into_body();
    let cut = |error| Failure::with_code(super::EXIT_NO_SERVER, format!("the export is NOT complete: {error}"));
    while let Some(piece) = client.next(&mut body).await.map_err(|error| cut(crate::api::error::chain(&error)))? {
        match &mut file {
            Some(file) => file.write_all(&piece)?,
            None => output::write(&piece)?,
        }
    }
    if let Some(file) = file {
        file.sync_all()?;
    }
    Ok(())
}

/// `helios search --format csv` against a server: the first `limit` lines of an export.
pub(super) async fn csv(host: Host, args: &SearchArgs) -> Result<(), Failure> {
    let mut query = args.query.join(" ");
    if !query.contains('|') {
        query = format!("{query} | head {}", args.limit);
    }
    let args = ExportArgs {
        query: vec![query],
        server: args.server.clone(),
        range: args.range.clone(),
        format: Format::Csv,
        fields: None,
        output: None,
    };
    run(host, args).await
}

#[allow(clippy::disallowed_methods, reason = "a command writes the file that its user names")]
fn create(path: &std::path::Path) -> Result<File, Failure> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    created.map_err(|error| Failure::new(format!("cannot make {}: {error}", path.display())))
}

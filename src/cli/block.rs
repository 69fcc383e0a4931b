//! `helios block inspect`

use std::path::Path;

use serde_json::json;

use super::args::{BlockCommand, Format};
use super::{EXIT_IN_PART, Failure, output};
use crate::block::inspect::{ColumnSize, Inspection, inspect};

pub(super) fn run(command: &BlockCommand) -> Result<(), Failure> {
    let BlockCommand::Inspect { file, format } = command;
    let bytes = read(file)?;
    let inspection = inspect(&bytes)
        .map_err(|error| Failure::with_code(EXIT_IN_PART, format!("{} is damaged: {error}", file.display())))?;
    let page = match output::format(*format) {
        Format::Table => table(&inspection),
        Format::Ndjson | Format::Csv => ndjson(&inspection),
    };
    Ok(output::write(page.as_bytes())?)
}

fn table(block: &Inspection) -> String {
    let share = |bytes: u64| format!("{:.2} %", 100.0 * bytes as f64 / block.file_bytes.max(1) as f64);
    let mut page = format!(
        "{} events in {} row groups, {} shapes\n{} bytes as sent, {} stored: {:.2} times smaller\n\
         what it costs to have each line back byte for byte: {} bytes, {}\n\n",
        block.rows,
        block.groups,
        block.shapes,
        block.raw_bytes,
        block.file_bytes,
        block.ratio(),
        block.lines_bytes(),
        share(block.lines_bytes()),
    );
    let parts = [
        ("times", block.times_bytes),
        ("ids", block.ids_bytes),
        ("shapes", block.shapes_bytes),
        ("verbatim", block.verbatim_bytes),
        ("footer", block.footer_bytes),
    ];
    let heads = ["column", "bytes", "share", "ratio", "values", "presence", "dictionary", "data", "filters", "kept as"];
    let mut rows: Vec<Vec<String>> = block.columns.iter().map(|column| row(column, &share)).collect();
    rows.extend(parts.map(|(name, bytes)| {
        let mut row = vec![format!("({name})"), bytes.to_string(), share(bytes)];
        row.resize(heads.len(), String::new());
        row
    }));
    let numeric: Vec<bool> = (0..heads.len()).map(|column| (1..9).contains(&column)).collect();
    page.push_str(&output::aligned(&heads.map(str::to_owned), &rows, &numeric));
    page
}

fn row(column: &ColumnSize, share: &impl Fn(u64) -> String) -> Vec<String> {
    let kept_as: Vec<&str> = column.encodings.keys().map(String::as_str).collect();
    vec![
        output::visible(&column.name),
        column.bytes().to_string(),
        share(column.bytes()),
        format!("{:.2}", column.text_bytes as f64 / column.bytes().max(1) as f64),
        column.values.to_string(),
        column.presence_bytes.to_string(),
        column.dictionary_bytes.to_string(),
        column.values_bytes.to_string(),
        column.filter_bytes.to_string(),
        kept_as.join(", "),
    ]
}

/// The whole first, then a line for each column.
fn ndjson(block: &Inspection) -> String {
    let whole = json!({
        "file_bytes": block.file_bytes,
        "raw_bytes": block.raw_bytes,
        "rows": block.rows,
        "groups": block.groups,
        "shapes": block.shapes,
        "times_bytes": block.times_bytes,
        "ids_bytes": block.ids_bytes,
        "shapes_bytes": block.shapes_bytes,
        "verbatim_bytes": block.verbatim_bytes,
        "footer_bytes": block.footer_bytes,
        "lines_bytes": block.lines_bytes(),
    });
    let columns = block.columns.iter().map(|column| {
        json!({
            "column": column.name,
            "encodings": column.encodings,
            "values": column.values,
            "text_bytes": column.text_bytes,
            "presence_bytes": column.presence_bytes,
            "dictionary_bytes": column.dictionary_bytes,
            "values_bytes": column.values_bytes,
            "filter_bytes": column.filter_bytes,
        })
    });
    std::iter::once(whole).chain(columns).map(|line| format!("{line}\n")).collect()
}

#[allow(clippy::disallowed_methods, reason = "a command reads the file that its user names")]
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}

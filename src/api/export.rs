//! `GET /api/export`: all matches, streamed, without a cap.
//!
//! **Promise.** An export that ends properly is whole. If anything is missing, the connection is cut
//! before the last chunk, so that no client takes a part for the whole; the log says why.

use std::error::Error;
use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use tokio::sync::mpsc;

use super::ApiError;
use super::call::Call;
use super::csv::CsvWriter;
use super::error::chain;
use super::reads::refuse;
use super::sse::Driven;
use crate::query::answer::Cell;
use crate::query::{self, ExportPart, ExportRequest, QueryError, Table};

pub(super) async fn export(call: Call) -> Result<Response<Body>, ApiError> {
    let (zone, rules) = call.zone()?;
    let request = ExportRequest {
        query: call.query(),
        scope: call.scope(&rules)?,
        sort: call.params.text("sort").map(str::to_owned),
        zone,
        now: call.now,
    };
    let mut writer = writer(&call);
    let (context, cancel) = call.query_context();
    let snapshot = call.app.snapshot(&context.access);
    let (sender, receiver) = mpsc::channel(PARTS_WAITING_MAX);
    let work = async move {
        // CANCEL: the guard lives in the work, the work in the answer: hanging up ends the query.
        let _cancel = cancel;
        query::export(&context, &snapshot, &request, sender).await
    };
    let mut parts = Driven::new(work, receiver);
    // A query that cannot be read is an ordinary 400: so wait for what comes first.
    let first = match parts.next().await {
        Some(Err(error)) => return Err(refuse(error)),
        first => first,
    };
    let (content_type, file) = writer.content_type();
    let request_id = call.request_id;
    let body = stream::iter(first).chain(parts).map(move |part| render(part, &mut writer, &request_id));
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(file));
    Ok(response)
}

fn render(
    part: Result<ExportPart, QueryError>,
    writer: &mut Writer,
    request_id: &str,
) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let cut = |reason: String| {
        tracing::error!(request_id, reason, "an export was cut");
        Box::<dyn Error + Send + Sync>::from(reason)
    };
    match part {
        Ok(ExportPart::Done { partial: true, warnings }) => Err(cut(warnings.join("; "))),
        Ok(part) => writer.write(&part).map(Bytes::from).map_err(|error| cut(error.to_string())),
        Err(error) => Err(cut(chain(&error))),
    }
}

enum Writer {
    Ndjson,
    Csv(CsvWriter),
}

fn writer(call: &Call) -> Writer {
    match call.params.choice("format") {
        "csv" => Writer::Csv(CsvWriter::new(call.params.list("fields"))),
        _ => Writer::Ndjson,
    }
}

impl Writer {
    /// The media type, and what a browser does with it.
    fn content_type(&self) -> (&'static str, &'static str) {
        match self {
            Self::Ndjson => ("application/x-ndjson", "attachment; filename=\"helios-export.ndjson\""),
            Self::Csv(_) => ("text/csv; charset=utf-8", "attachment; filename=\"helios-export.csv\""),
        }
    }

    fn write(&mut self, part: &ExportPart) -> io::Result<Vec<u8>> {
        match (self, part) {
            (Self::Csv(csv), part) => csv.write(part),
            (Self::Ndjson, ExportPart::Hits(hits)) => lines(hits),
            (Self::Ndjson, ExportPart::Table(table)) => lines(table.rows.iter().map(|row| Row(table, row))),
            (Self::Ndjson, ExportPart::Done { .. }) => Ok(Vec::new()),
        }
    }
}

fn lines(items: impl IntoIterator<Item = impl Serialize>) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    for item in items {
        serde_json::to_writer(&mut out, &item)?;
        out.push(b'\n');
    }
    Ok(out)
}

/// A row of a table as an object.
struct Row<'a>(&'a Table, &'a [crate::query::value::Value]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.1.len()))?;
        for (name, value) in self.0.columns.iter().zip(self.1) {
            map.serialize_entry(name, &Cell(value))?;
        }
        map.end()
    }
}

/// Parts that wait for a slow reader before the query does.
const PARTS_WAITING_MAX: usize = 4;

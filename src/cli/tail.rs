//! `helios tail`

use axum::body::Bytes;
use serde_json::Value;

use super::args::{Format, TailArgs};
use super::remote::{self, Parameters};
use super::search::shown;
use super::{Failure, output};
use crate::host::Host;

pub(super) async fn run(host: Host, args: TailArgs) -> Result<(), Failure> {
    let format = output::format(args.format);
    let params = Parameters::new(&args.query, &args.server).with("index", args.index.clone());
    let mut client = remote::client(host, &args.server)?;
    let mut body = client.get("/api/tail", &params.pairs()).await?.into_body();
    let mut events = EventReader::default();
    while let Some(piece) = client.next(&mut body).await? {
        for event in events.read(&piece) {
            print(&event, format)?;
        }
    }
    Err(Failure::with_code(super::EXIT_NO_SERVER, "the server has ended the connection"))
}

fn print(event: &Event, format: Format) -> Result<(), Failure> {
    match event.name.as_str() {
        "hit" if format == Format::Table => output::write(shown(&event.data).as_bytes())?,
        "hit" => output::write(format!("{}\n", event.data).as_bytes())?,
        "dropped" => {
            let count = serde_json::from_str::<Value>(&event.data).ok().and_then(|data| data["count"].as_u64());
            let what = count.map_or_else(|| "some events".to_owned(), |count| format!("{count} events"));
            output::say(&format!("helios: {what} were left out: this reader cannot keep up"));
        }
        _ => {}
    }
    Ok(())
}

/// One server-sent event.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// Puts server-sent events together from pieces.
#[derive(Default)]
pub(super) struct EventReader {
    rest: Vec<u8>,
}

impl EventReader {
    /// The events that `piece` completes. Comments are skipped.
    pub(super) fn read(&mut self, piece: &Bytes) -> Vec<Event> {
        self.rest.extend_from_slice(piece);
        let mut events = Vec::new();
        let mut begin = 0;
        while let Some(length) = memchr::memmem::find(&self.rest[begin..], b"\n\n") {
            events.extend(parse(&String::from_utf8_lossy(&self.rest[begin..begin + length])));
            begin += length + 2;
        }
        self.rest.drain(..begin);
        events
    }
}

fn parse(block: &str) -> Option<Event> {
    let value = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    Some(Event { name: value("event: ")?, data: value("data: ")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_whole_however_the_pieces_fall() {
        let text = b": alive\n\nevent: hit\ndata: {\"a\":1}\n\nevent: dropped\ndata: {\"count\":2}\n\n";
        for cut in 0..text.len() {
            let mut reader = EventReader::default();
            let mut events = reader.read(&Bytes::copy_from_slice(&text[..cut]));
            events.extend(reader.read(&Bytes::copy_from_slice(&text[cut..])));
            let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
            assert_eq!(names, ["hit", "dropped"], "cut at {cut}");
            assert_eq!(events[0].data, "{\"a\":1}");
        }
    }
}

//! Everything that is traced in a run, written for people or only digested: with the virtual time and the machine.

use std::fmt::{Debug, Write as _};
use std::io::Write;
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::digest::Digest;
use crate::fleet;

/// Where traced events go.
pub struct Trace {
    writer: Option<Mutex<Box<dyn Write + Send>>>,
    digest: Digest,
}

impl Trace {
    /// Writes a line an event.
    pub fn to(writer: Box<dyn Write + Send>) -> Self {
        Self { writer: Some(Mutex::new(writer)), digest: Digest::default() }
    }

    /// Adds each event to `digest` and writes none.
    pub fn digested(digest: Digest) -> Self {
        Self { writer: None, digest }
    }
}

/// The name of the machine that a span of turmoil is about.
struct MachineName(String);

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }
}

struct NameOnly(Option<String>);

impl Visit for NameOnly {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            self.0 = Some(value.to_owned());
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Trace {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut name = NameOnly(None);
        attributes.record(&mut name);
        if let (Some(name), Some(span)) = (name.0, context.span(id)) {
            span.extensions_mut().insert(MachineName(name));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let (meta, at) = (event.metadata(), fleet::now().as_secs_f64());
        let mut text = format!("{at:10.3} ");
        let machine = context.event_scope(event).and_then(|scope| {
            scope.from_root().find_map(|span| span.extensions().get::<MachineName>().map(|name| name.0.clone()))
        });
        let _ = write!(text, "{:8} {:5} {}:", machine.as_deref().unwrap_or("-"), meta.level(), meta.target());
        event.record(&mut Text(&mut text));
        self.digest.note_bytes(1, text.as_bytes());
        if let Some(writer) = &self.writer {
            text.push('\n');
            // A trace that cannot be written ends nothing.
            let _ = writer.lock().expect("writing does not panic").write_all(text.as_bytes());
        }
    }
}

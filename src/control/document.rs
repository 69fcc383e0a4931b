//! One generation of a document: an envelope that the control plane reads, and a content that its owner reads.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::GENERATIONS_KEPT;
use super::sealing::{BodyError, Sealing};
use crate::chain::Link;
use crate::host::UnixNanos;

/// The format of documents that this version writes, and the newest that it reads.
pub const CONTROL_FORMAT: u32 = 1;

/// A document as it was read or written.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// Its number, from 1.
    pub generation: u64,
    /// What it says.
    pub content: Map<String, Value>,
    envelope: Envelope,
}

impl Document {
    /// The number of the commit that made it, if this life did.
    pub(super) fn number_of(&self, life: &str) -> Option<u64> {
        let (writer, number) = self.envelope.commit.rsplit_once('-')?;
        if writer == life { number.parse().ok() } else { None }
    }
}

/// What the control plane writes around the content.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Envelope {
    format: u32,
    generation: u64,
    /// Makes the body unlike any other.
    commit: String,
    /// Generations below this one may be gone.
    floor: u64,
    /// Wall time of the change, nanoseconds since 1970. For people.
    written: i64,
    #[serde(default)]
    content: Map<String, Value>,
    /// Fields of a later version, kept as they are.
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

/// What every format has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Document {
    /// What the content says, as a type. Fields that the type does not know are ignored.
    ///
    /// # Errors
    /// If the content is not what the type is read from.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_value(Value::Object(self.content.clone()))
    }

    /// Wall time of the change. For people.
    pub fn written(&self) -> UnixNanos {
        UnixNanos(self.envelope.written)
    }

    /// Generations below this one may be gone.
    pub(super) fn floor(&self) -> u64 {
        self.envelope.floor
    }

    /// The generation after `before`.
    pub(super) fn after(
        name: &str,
        before: Option<&Self>,
        content: Map<String, Value>,
        commit: String,
        written: UnixNanos,
    ) -> Self {
        let generation = before.map_or(0, |before| before.generation) + 1;
        let floor = before.map_or(1, Self::floor).max(generation.saturating_sub(GENERATIONS_KEPT));
        let unknown = before.map(|before| before.envelope.unknown.clone()).unwrap_or_default();
        let (format, written) = (CONTROL_FORMAT, written.0);
        let envelope = Envelope { format, generation, commit, floor, written, content: Map::new(), unknown };
        Self { name: name.to_owned(), generation, content, envelope }
    }

    /// The bytes that are sealed.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let envelope = Envelope { content: self.content.clone(), ..self.envelope.clone() };
        serde_json::to_vec(&envelope).expect("a document is plain data")
    }

    /// Reads a generation as it lies in the chain of `name`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(sealing: &Sealing, name: &str, link: &Link) -> Result<Self, BodyError> {
        let plain = sealing.open(name, link.generation, &link.body)?;
        let damaged = |error: serde_json::Error| BodyError::Damaged(error.to_string());
        // Of a newer format nothing else need be as it is today.
        let Format { format } = serde_json::from_slice(&plain).map_err(damaged)?;
        if format > CONTROL_FORMAT {
            return Err(BodyError::Newer { format });
        }
        let mut envelope: Envelope = serde_json::from_slice(&plain).map_err(damaged)?;
        if envelope.generation != link.generation || envelope.floor > link.generation {
            return Err(BodyError::Damaged(format!("it says it is generation {}", envelope.generation)));
        }
        let content = std::mem::take(&mut envelope.content);
        Ok(Self { name: name.to_owned(), generation: link.generation, content, envelope })
    }
}

//! The identity of an event.

use std::fmt;
use std::str::FromStr;

/// One life of one process: drawn at random at each start. Restored or copied data directories can
/// so never number two events alike.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Origin(pub u64);

/// Position of an event among all that its origin ever logged, from 1. Strictly grows; never reused.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Sequence(pub u64);

/// The stable public id of an event, written `<16 hex digits>-<sequence>`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventId {
    /// The life that logged it.
    pub origin: Origin,
    /// Its number in that life.
    pub sequence: Sequence,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Origin {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let plain = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !plain {
            return Err(());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| ())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.origin, self.sequence.0)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (origin, sequence) = text.split_once('-').ok_or(())?;
        let canonical = !sequence.starts_with(['0', '+']) && !sequence.is_empty();
        let sequence = sequence.parse().map_err(|_| ())?;
        if !canonical {
            return Err(());
        }
        Ok(Self { origin: origin.parse()?, sequence: Sequence(sequence) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_written_and_in_no_other_spelling() {
        let id = EventId { origin: Origin(0x2a), sequence: Sequence(17) };
        assert_eq!(id.to_string(), "000000000000002a-17");
        assert_eq!("000000000000002a-17".parse(), Ok(id));
        for wrong in [
            "",
            "-",
            "2a-17",
            "000000000000002A-17",
            "000000000000002a-017",
            "000000000000002a-+1",
            "000000000000002a-",
        ] {
            assert_eq!(wrong.parse::<EventId>(), Err(()), "{wrong:?}");
        }
    }
}

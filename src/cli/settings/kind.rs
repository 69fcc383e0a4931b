//! Which values a setting takes, and how their text is read.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// Which values a setting takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A path of a file or folder.
    Path,
    /// Any text.
    Text,
    /// Any text, never shown.
    Secret,
    /// Texts separated by commas.
    List,
    /// An IP address, or `localhost`.
    Address,
    /// `on` or `off`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number.
    Whole {
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
        /// What is counted; may be empty.
        unit: &'static str,
    },
    /// A whole number, or a word that stands for "none".
    WholeOr {
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
        /// What is counted.
        unit: &'static str,
        /// The word.
        word: &'static str,
    },
}

impl Kind {
    pub(super) const fn whole(least: u64, most: u64, unit: &'static str) -> Self {
        Self::Whole { least, most, unit }
    }

    /// What a user may write, as it stands in error messages and documentation.
    pub fn describe(&self) -> String {
        match self {
            Self::Path => "a path".to_owned(),
            Self::Text | Self::Secret => "text".to_owned(),
            Self::List => "words separated by commas".to_owned(),
            Self::Address => "an IP address or `localhost`".to_owned(),
            Self::Switch => "`on` or `off`".to_owned(),
            Self::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
            Self::Whole { least, most, unit } => {
                format!("a whole number from {least} to {most} {unit}").trim().to_owned()
            }
            Self::WholeOr { least, most, unit, word } => {
                format!("a whole number from {least} to {most} {unit}, or `{word}`")
            }
        }
    }

    fn whole_number(&self, text: &str) -> Result<u64, String> {
        let (Self::Whole { least, most, .. } | Self::WholeOr { least, most, .. }) = self else {
            unreachable!("the table gives a number a range")
        };
        match text.parse::<u64>() {
            Ok(number) if (*least..=*most).contains(&number) && text.bytes().all(|b| b.is_ascii_digit()) => Ok(number),
            _ => Err(format!("must be {}", self.describe())),
        }
    }
}

/// A type that a setting's text is read into.
pub(super) trait Readable: Sized {
    /// Reads `text`, or says what would be right.
    fn read(text: Option<&str>, kind: &Kind) -> Result<Self, String>;
}

impl Readable for u64 {
    fn read(text: Option<&str>, kind: &Kind) -> Result<Self, String> {
        kind.whole_number(needed(text)?)
    }
}

impl Readable for u16 {
    fn read(text: Option<&str>, kind: &Kind) -> Result<Self, String> {
        let number = kind.whole_number(needed(text)?)?;
        Self::try_from(number).map_err(|_| format!("must be {}", kind.describe()))
    }
}

impl Readable for bool {
    fn read(text: Option<&str>, kind: &Kind) -> Result<Self, String> {
        match needed(text)?.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => Ok(true),
            "off" | "false" | "no" | "0" => Ok(false),
            _ => Err(format!("must be {}", kind.describe())),
        }
    }
}

impl Readable for String {
    fn read(text: Option<&str>, kind: &Kind) -> Result<Self, String> {
        let text = needed(text)?;
        match kind {
            Kind::Choice(words) if !words.contains(&text) => Err(format!("must be {}", kind.describe())),
            _ if text.is_empty() => Err("must not be empty".to_owned()),
            _ => Ok(text.to_owned()),
        }
    }
}

impl Readable for PathBuf {
    fn read(text: Option<&str>, kind: &Kind) -> Result<Self, String> {
        String::read(text, kind).map(Self::from)
    }
}

impl Readable for IpAddr {
    fn read(text: Option<&str>, kind: &Kind) -> Result<Self, String> {
        let text = needed(text)?;
        if text.eq_ignore_ascii_case("localhost") {
            return Ok(Self::V4(Ipv4Addr::LOCALHOST));
        }
        text.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| format!("must be {}", kind.describe()))
    }
}

impl Readable for Vec<String> {
    fn read(text: Option<&str>, _: &Kind) -> Result<Self, String> {
        let words = text.unwrap_or_default().split(',').map(str::trim);
        Ok(words.filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }
}

impl<T: Readable> Readable for Option<T> {
    fn read(text: Option<&str>, kind: &Kind) -> Result<Self, String> {
        match (text, kind) {
            (None, _) => Ok(None),
            (Some(text), Kind::WholeOr { word, .. }) if text == *word => Ok(None),
            (Some(text), _) => T::read(Some(text), kind).map(Some),
        }
    }
}

fn needed(text: Option<&str>) -> Result<&str, String> {
    text.ok_or_else(|| "needs a value".to_owned())
}

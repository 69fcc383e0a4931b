//! `fields [-] <name or pattern>, …`: which fields stay.

use crate::query::language::{FieldName, Pattern};

/// `fields [-] <name or pattern>, …`: which fields stay.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    /// Whether the named ones go, instead of all others.
    pub remove: bool,
    /// The names, at least one.
    pub names: Vec<FieldSelector>,
}

/// Which fields are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldSelector {
    /// This one.
    Name(FieldName),
    /// Those whose whole name fits.
    Pattern(Pattern),
}

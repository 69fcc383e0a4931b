//! `dedup [<count>] <field>, …`: the first rows of each combination of values.

use crate::query::language::FieldName;

/// `dedup [<count>] <field>, …`: the first rows of each combination of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Dedup {
    /// How many rows of each combination stay.
    pub count: u64,
    /// Which fields make the combination. At least one.
    pub fields: Vec<FieldName>,
}

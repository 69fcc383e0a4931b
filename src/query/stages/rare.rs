//! `rare [<count>] <field>`: the least frequent values.

use crate::query::language::FieldName;

/// `rare [<count>] <field>`: the least frequent values.
#[derive(Clone, Debug, PartialEq)]
pub struct Rare {
    /// How many values.
    pub count: u32,
    /// Of which field.
    pub field: FieldName,
}

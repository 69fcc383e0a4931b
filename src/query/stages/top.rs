//! `top [<count>] <field>`: the most frequent values.

use crate::query::language::FieldName;

/// `top [<count>] <field>`: the most frequent values.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// How many values.
    pub count: u32,
    /// Of which field.
    pub field: FieldName,
}

//! `sort [-]<field>, …`: another order, stable.

use crate::query::language::FieldName;

/// `sort [-]<field>, …`: another order, stable.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// The keys, first the one that counts most. At least one.
    pub keys: Vec<SortKey>,
}

/// One key of an order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SortKey {
    /// By which field.
    pub field: FieldName,
    /// Whether the largest comes first. Null comes last either way.
    pub descending: bool,
}

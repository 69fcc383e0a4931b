//! `rename <field> as <name>, …`: other names.

use crate::query::language::FieldName;

/// `rename <field> as <name>, …`: other names.
#[derive(Clone, Debug, PartialEq)]
pub struct Rename {
    /// Old and new name, in order. At least one.
    pub pairs: Vec<(FieldName, FieldName)>,
}

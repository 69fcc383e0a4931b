//! `eval <field> = <expression>, …`: computed fields.

use crate::query::language::{FieldName, ScalarExpr};

/// `eval <field> = <expression>, …`: computed fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Eval {
    /// What becomes of which field, in order; a later one sees the earlier ones. At least one.
    pub assignments: Vec<(FieldName, ScalarExpr)>,
}

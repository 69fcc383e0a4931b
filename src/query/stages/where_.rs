//! `where <expression>`: the rows for which it is true.

use crate::query::language::ScalarExpr;

/// `where <expression>`: the rows for which it is true.
#[derive(Clone, Debug, PartialEq)]
pub struct Where {
    /// What must be true.
    pub condition: ScalarExpr,
}

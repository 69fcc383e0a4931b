//! `fillnull [value=<text>] [<field>, …]`: a value where there is none.

use crate::query::language::FieldName;

/// `fillnull [value=<text>] [<field>, …]`: a value where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Fillnull {
    /// What is filled in.
    pub value: String,
    /// Where. Empty: in every column of a table; events need names.
    pub fields: Vec<FieldName>,
}

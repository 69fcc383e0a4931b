//! `head [<count>]`: the first rows.

/// `head [<count>]`: the first rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// How many.
    pub count: u64,
}

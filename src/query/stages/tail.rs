//! `tail [<count>]`: the last rows, in their order.

/// `tail [<count>]`: the last rows, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// How many.
    pub count: u64,
}

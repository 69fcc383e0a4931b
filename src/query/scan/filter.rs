//! The expression of a query, ready to be asked of row groups.

use std::sync::Arc;

use super::text::TextTest;
use super::value_test::ValueTest;
use crate::event::PartitionKey;
use crate::query::language::{Expr, FieldName, Member, Predicate, regex};

/// An expression, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    root: Node,
    leaves: Arc<Vec<Leaf>>,
}

/// A boolean expression over the leaves of a filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// Every row, or none.
    Const(bool),
    /// All of these.
    And(Vec<Node>),
    /// One of these.
    Or(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// The leaf of this number.
    Leaf(u32),
}

/// One test.
#[derive(Clone, Debug)]
pub(crate) enum Leaf {
    /// In any field's text or in raw.
    Any(TextTest),
    /// A value of a body path fits.
    Path(FieldName, ValueTest),
    /// The hit's own member fits.
    Member(Member, ValueTest),
}

impl Filter {
    /// Compiles an expression.
    ///
    /// # Errors
    /// In one sentence: a pattern is too long.
    pub(crate) fn new(expr: &Expr) -> Result<Self, String> {
        let mut leaves = Vec::new();
        let root = node_of(expr, &mut leaves)?;
        Ok(Self { root, leaves: Arc::new(leaves) })
    }

    /// What is left to ask of the rows of one partition: tests of `env` and `index` are answered.
    pub(crate) fn in_partition(&self, key: &PartitionKey) -> Self {
        let root = self.reduce(&self.root, key);
        Self { root, leaves: Arc::clone(&self.leaves) }
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    pub(crate) fn leaf(&self, number: u32) -> &Leaf {
        &self.leaves[number as usize]
    }

    pub(crate) fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// Whether every row fits.
    pub(crate) fn is_always(&self) -> bool {
        self.root == Node::Const(true)
    }

    /// Whether no row can fit.
    pub(crate) fn is_never(&self) -> bool {
        self.root == Node::Const(false)
    }

    fn reduce(&self, node: &Node, key: &PartitionKey) -> Node {
        match node {
            Node::Const(value) => Node::Const(*value),
            Node::Leaf(number) => match self.leaf(*number) {
                Leaf::Member(Member::Env, test) => Node::Const(test.fits(&key.env)),
                Leaf::Member(Member::Index, test) => Node::Const(test.fits(&key.index)),
                _ => Node::Leaf(*number),
            },
            Node::Not(inner) => match self.reduce(inner, key) {
                Node::Const(value) => Node::Const(!value),
                inner => Node::Not(Box::new(inner)),
            },
            Node::And(members) => self.reduce_many(members, key, true),
            Node::Or(members) => self.reduce_many(members, key, false),
        }
    }

    /// `neutral`: the constant that changes nothing. The other one decides.
    fn reduce_many(&self, members: &[Node], key: &PartitionKey, neutral: bool) -> Node {
        let mut left = Vec::new();
        for member in members {
            match self.reduce(member, key) {
                Node::Const(value) if value == neutral => {}
                Node::Const(value) => return Node::Const(value),
                member => left.push(member),
            }
        }
        match left.len() {
            0 => Node::Const(neutral),
            1 => left.remove(0),
            _ if neutral => Node::And(left),
            _ => Node::Or(left),
        }
    }
}

fn node_of(expr: &Expr, leaves: &mut Vec<Leaf>) -> Result<Node, String> {
    Ok(match expr {
        Expr::All => Node::Const(true),
        Expr::Not(inner) => match node_of(inner, leaves)? {
            Node::Const(value) => Node::Const(!value),
            inner => Node::Not(Box::new(inner)),
        },
        Expr::And(members) => Node::And(nodes_of(members, leaves)?),
        Expr::Or(members) => Node::Or(nodes_of(members, leaves)?),
        Expr::Test(predicate) => {
            leaves.push(leaf_of(predicate)?);
            Node::Leaf(leaves.len() as u32 - 1)
        }
    })
}

fn nodes_of(members: &[Expr], leaves: &mut Vec<Leaf>) -> Result<Vec<Node>, String> {
    members.iter().map(|member| node_of(member, leaves)).collect()
}

fn leaf_of(predicate: &Predicate) -> Result<Leaf, String> {
    Ok(match predicate {
        Predicate::Term(part) => Leaf::Any(TextTest::contains(part)?),
        Predicate::Words(words) => Leaf::Any(TextTest::words(words)?),
        Predicate::WordPattern(pattern) => Leaf::Any(TextTest::word_pattern(pattern)?),
        Predicate::Regex(source) => Leaf::Any(TextTest::regex(source, regex::compile(source)?)?),
        Predicate::Field { field, test } => {
            let test = ValueTest::new(test)?;
            match field.member() {
                Some(member) => Leaf::Member(member, test),
                None => Leaf::Path(field.clone(), test),
            }
        }
    })
}

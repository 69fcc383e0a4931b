//! What it costs to ask, so that what is cheap and decides much is asked first.
//!
//! Goes by what is known of a group without reading it, so that a group is asked in the same order each
//! time: answers that are remembered hold for the rows that were left when they were found.

use super::filter::{Filter, Leaf, Node};
use super::text::TextTest;
use super::value_test::ValueTest;
use super::view::{ColumnSize, View};
use crate::block::Form;
use crate::query::language::Member;

/// The members of a node, those first that decide most for their cost.
pub(super) fn cheapest_first<'n>(members: &'n [Node], filter: &Filter, view: &View) -> Vec<&'n Node> {
    let mut members: Vec<(u64, &Node)> = members.iter().map(|node| (of_node(node, filter, view), node)).collect();
    members.sort_by_key(|(cost, _)| *cost);
    members.into_iter().map(|(_, node)| node).collect()
}

fn of_node(node: &Node, filter: &Filter, view: &View) -> u64 {
    match node {
        Node::Const(_) => 0,
        Node::Leaf(number) => of_leaf(filter.leaf(*number), view),
        // What is left by a negation is mostly nearly all.
        Node::Not(inner) => of_node(inner, filter, view).saturating_mul(NEGATED),
        Node::And(members) => members.iter().map(|member| of_node(member, filter, view)).min().unwrap_or(0),
        Node::Or(members) => members.iter().map(|member| of_node(member, filter, view)).fold(0, u64::saturating_add),
    }
}

fn of_leaf(leaf: &Leaf, view: &View) -> u64 {
    let rows = u64::from(view.rows());
    match leaf {
        Leaf::Path(field, test) => {
            let size = view.paths().get(field.folded()).and_then(|path| view.size_of(path));
            size.map_or(0, |size| of_values(&size, test))
        }
        Leaf::Member(Member::Timestamp, _) => rows,
        Leaf::Member(member @ (Member::Message | Member::Source), test) => {
            let shapes = view.shapes().shapes.iter();
            let mut paths: Vec<_> = shapes
                .filter_map(|shape| if *member == Member::Message { shape.message } else { shape.source })
                .collect();
            paths.sort_unstable();
            paths.dedup();
            let sizes = paths.into_iter().filter_map(|path| view.size_of(path));
            rows / 2 + sizes.map(|size| of_values(&size, test)).sum::<u64>()
        }
        Leaf::Member(Member::Id, _) => rows * ID_COST,
        Leaf::Member(..) => rows * LINE_COST,
        Leaf::Any(test) => {
            let sizes = view.present().into_iter().filter_map(|path| view.size_of(path));
            let texts: u64 = sizes.map(|size| of_text(&size, test)).sum();
            // Without a part that they must have, many lines are put together.
            if test.required().is_empty() { texts + rows * LINE_COST } else { texts }
        }
    }
}

/// Nanoseconds, about, times how little is decided.
fn of_values(size: &ColumnSize, test: &ValueTest) -> u64 {
    let entries = u64::from(size.entries);
    let by_code = if size.entries < size.values { u64::from(size.values) / 2 } else { 0 };
    let bytes = size.text_bytes;
    match test {
        ValueTest::Present => u64::from(size.values) * PRESENT,
        ValueTest::Text(test) => of_text(size, test),
        ValueTest::Equals(_) => by_code + if is_text(size.form) { entries + bytes / 16 } else { entries },
        ValueTest::Range(..) | ValueTest::Cidr(_) => {
            2 * (by_code + if is_text(size.form) { entries * TEXT_COST } else { entries })
        }
    }
}

fn of_text(size: &ColumnSize, test: &TextTest) -> u64 {
    let entries = u64::from(size.entries);
    let by_code = if size.entries < size.values { u64::from(size.values) / 2 } else { 0 };
    let bytes = size.text_bytes;
    let all_texts = entries * TEXT_COST + bytes;
    by_code
        + match size.form {
            _ if !super::value_test::form_may_hold(size.form, test.required()) => 0,
            Form::Texts | Form::Templated if test.required().is_empty() => all_texts,
            Form::Texts => bytes / 4,
            Form::Templated => bytes / 16,
            Form::Hex => bytes / 8,
            _ => entries * TEXT_COST,
        }
}

fn is_text(form: Form) -> bool {
    matches!(form, Form::Texts | Form::Templated)
}

/// Nanoseconds to make a text of a value and to look at it.
const TEXT_COST: u64 = 25;
/// Nanoseconds to compare an id as text.
const ID_COST: u64 = 60;
/// Nanoseconds to put a line together and to look at it.
const LINE_COST: u64 = 500;
/// How much dearer a test seems that leaves nearly all.
const NEGATED: u64 = 4;
const PRESENT: u64 = 4;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::{Column, RowGroup, Texts, Values};
    use crate::event::PathTable;
    use crate::query::language::parse;

    fn view() -> View {
        let (mut paths, mut long) = (PathTable::new(), Texts::default());
        (0..1000).for_each(|i| long.push(format!("a rather long text, number {i}").as_bytes()));
        let mut few = Texts::default();
        ["error", "info"].iter().for_each(|text| few.push(text.as_bytes()));
        let column = |codes, values| Some(Arc::new(Column { rows: None, codes, values }));
        ["text", "level", "status"].iter().for_each(|name| _ = paths.intern(name));
        let columns = vec![
            column(None, Values::Texts(long)),
            column(Some((0..1000).map(|i| i % 2).collect()), Values::Texts(few)),
            column(None, Values::Integers((0..1000).collect())),
        ];
        View::Memory(Arc::new(RowGroup { rows: 1000, paths: Arc::new(paths), columns, ..RowGroup::empty() }))
    }

    #[test]
    fn what_is_cheap_and_decides_much_is_asked_first() {
        let view = view();
        let filter =
            Filter::new(&parse("text:*ex?t* number level:error NOT status:7 none:1 status:200").unwrap().filter);
        let filter = filter.unwrap();
        let Node::And(members) = filter.root() else { panic!("the terms of a query are joined") };
        let order: Vec<usize> = cheapest_first(members, &filter, &view)
            .iter()
            .map(|node| members.iter().position(|own| std::ptr::eq(own, *node)).unwrap())
            .collect();
        // A field that no row has; a dictionary; numbers; all but few of these; long texts; all texts.
        assert_eq!(order, [4, 2, 5, 3, 0, 1]);
    }
}

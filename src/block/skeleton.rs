//! Shapes and field paths as the footer has them.
//!
//! The bytes of a JSON shape around its values tell where in the object each value stands, and so most
//! paths: only those that no shape tells are written down.

use super::BlockError;
use super::error::damaged;
use super::shape::{Shape, ShapePart, ShapeTable};
use super::wire::{Input, put_bytes, put_varint};
use crate::event::{LineKind, PathId, PathTable, Spelling};

/// Adds shapes, and the paths that they do not tell.
pub(super) fn put(out: &mut Vec<u8>, paths: &PathTable, table: &ShapeTable) {
    let mut told = Told::default();
    put_varint(out, table.shapes.len() as u64);
    for shape in &table.shapes {
        let start = out.len();
        let skeleton = put_skeleton(out, shape, table) && told.tells(&out[start + 1..], shape, paths);
        // The byte before was left for the head.
        out.truncate(if skeleton { out.len() } else { start });
        if skeleton {
            out[start] = IS_SKELETON;
        } else {
            put_parts(out, shape, table);
        }
        put_optional(out, shape.message);
        put_optional(out, shape.source);
    }
    put_paths(out, paths, &told.names);
}

/// Reads shapes and paths.
pub(super) fn read(input: &mut Input<'_>) -> Result<(PathTable, ShapeTable), BlockError> {
    let count = input.count()?;
    let mut table = ShapeTable::default();
    let mut told = Told::default();
    let mut is_told = Vec::new();
    for _ in 0..count {
        let head = input.byte()?;
        let (kind, verbatim, parts) = match head {
            IS_SKELETON => (LineKind::Json, false, read_skeleton(input, &mut told, &mut table.literals)?),
            _ => read_parts(input, head, &mut table.literals)?,
        };
        is_told.push(head == IS_SKELETON);
        let (message, source) = (read_optional(input)?, read_optional(input)?);
        table.shapes.push(Shape { kind, verbatim, parts, message, source });
    }
    let paths = read_paths(input, &told.names)?;
    for (shape, is_told) in table.shapes.iter_mut().zip(is_told) {
        for part in &mut shape.parts {
            let ShapePart::Slot(path, _) = part else { continue };
            if is_told {
                *path = paths.get(told.names.name(*path)).expect("each path that is told is in the table");
            }
        }
        let mut all = shape.slots().map(|(path, _)| path).chain(shape.message).chain(shape.source);
        if all.any(|path| path.0 as usize >= paths.len()) {
            return damaged("a field path is unknown");
        }
    }
    Ok((paths, table))
}

/// Adds a byte for the head and the shape's bytes, a mark for each slot; `false` if that does not give all
/// parts back.
fn put_skeleton(out: &mut Vec<u8>, shape: &Shape, table: &ShapeTable) -> bool {
    if shape.kind != LineKind::Json || shape.verbatim {
        return false;
    }
    out.push(0);
    let mut after_literal = false;
    for part in &shape.parts {
        match part {
            ShapePart::Literal(range) => {
                let literal = table.literal(range);
                if after_literal || literal.is_empty() || literal.iter().any(|&byte| byte >= MARKS) {
                    return false;
                }
                out.extend_from_slice(literal);
            }
            ShapePart::Slot(_, spelling) => out.push(MARKS + *spelling as u8),
        }
        after_literal = matches!(part, ShapePart::Literal(_));
    }
    out.push(END);
    true
}

fn read_skeleton(input: &mut Input<'_>, told: &mut Told, literals: &mut Vec<u8>) -> Result<Vec<ShapePart>, BlockError> {
    let Some(len) = memchr::memchr(END, input.0) else { return damaged("a shape does not end") };
    let skeleton = input.bytes(len)?;
    input.byte()?;
    let mut parts = Vec::new();
    let mut walk = Walk::default();
    let mut rest = skeleton;
    while !rest.is_empty() {
        let (literal, mark) = next_piece(rest);
        if !literal.is_empty() {
            let start = literals.len() as u32;
            literals.extend_from_slice(literal);
            parts.push(ShapePart::Literal(start..literals.len() as u32));
        }
        if !walk.literal(literal) {
            return damaged("a shape is no object");
        }
        let Some((&mark, after)) = mark else { break };
        let Some(spelling) = Spelling::from_code(mark - MARKS) else {
            return damaged("a value has an unknown spelling");
        };
        let Some(path) = walk.slot(spelling).and_then(|name| told.intern(name)) else {
            return damaged("a shape is no object");
        };
        parts.push(ShapePart::Slot(path, spelling));
        rest = after;
    }
    Ok(parts)
}

/// The literal that comes next in a skeleton, and the mark behind it with what follows, if there is one.
fn next_piece(skeleton: &[u8]) -> (&[u8], Option<(&u8, &[u8])>) {
    let end = skeleton.iter().position(|&byte| byte >= MARKS).unwrap_or(skeleton.len());
    let (literal, after) = skeleton.split_at(end);
    (literal, after.split_first())
}

/// The paths that shapes tell, by first sight.
#[derive(Default)]
struct Told {
    names: PathTable,
    /// Length of the names of all slots.
    bytes: usize,
}

impl Told {
    fn intern(&mut self, name: &str) -> Option<PathId> {
        self.bytes += name.len();
        (self.bytes <= TOLD_BYTES_MAX).then(|| self.names.intern(name))
    }

    /// Whether a skeleton, with its end, tells the paths of all slots.
    fn tells(&mut self, skeleton: &[u8], shape: &Shape, paths: &PathTable) -> bool {
        let mut walk = Walk::default();
        let mut slots = shape.slots();
        let mut names = Vec::new();
        let mut bytes = self.bytes;
        let (_, skeleton) = skeleton.split_last().expect("it has an end");
        let mut rest = skeleton;
        loop {
            let (literal, mark) = next_piece(rest);
            if !walk.literal(literal) {
                return false;
            }
            let Some((_, after)) = mark else { break };
            let (path, spelling) = slots.next().expect("each mark is of a slot");
            match walk.slot(spelling) {
                Some(name) if paths.get(name) == Some(path) => {
                    bytes += name.len();
                    names.push(name.to_owned());
                }
                _ => return false,
            }
            rest = after;
        }
        let fits = bytes <= TOLD_BYTES_MAX;
        if fits {
            names.iter().for_each(|name| _ = self.intern(name));
        }
        fits
    }
}

/// Where in an object the bytes of a shape have led.
#[derive(Default)]
struct Walk {
    path: String,
    /// Of each open object, how long the path before its keys is; of each open array nothing.
    open: Vec<Option<usize>>,
    /// Whether a string that begins here is a key.
    at_key: bool,
    /// Whether a string has been opened for a slot to fill.
    opened: bool,
}

impl Walk {
    /// Goes on over literal bytes; `false` if it is not understood.
    fn literal(&mut self, bytes: &[u8]) -> bool {
        let mut at = 0;
        if self.opened && !bytes.is_empty() {
            if bytes[0] != b'"' {
                return false;
            }
            self.opened = false;
            at = 1;
        }
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'{' => self.open(Some(self.path.len())),
                b'[' => self.open(None),
                b'}' | b']' => {
                    if let Some(Some(len)) = self.open.pop() {
                        self.path.truncate(len);
                    }
                    self.at_key = false;
                }
                b',' => self.at_key = matches!(self.open.last(), Some(Some(_))),
                b'"' if at == bytes.len() => {
                    self.opened = true;
                    return !self.at_key;
                }
                b'"' => match string_len(&bytes[at..]) {
                    Some(len) if self.at_key => {
                        if !self.key(&bytes[at..at + len]) {
                            return false;
                        }
                        at += len + 1;
                    }
                    Some(len) => at += len + 1,
                    None => return false,
                },
                _ => {}
            }
        }
        true
    }

    /// The path of a slot that stands here.
    fn slot(&self, spelling: Spelling) -> Option<&str> {
        let fits = self.opened == (spelling != Spelling::Bare) && !self.at_key;
        fits.then_some(&self.path)
    }

    fn open(&mut self, len: Option<usize>) {
        self.open.push(len);
        self.at_key = len.is_some();
    }

    /// A key of the innermost object; `false` if it is escaped.
    fn key(&mut self, key: &[u8]) -> bool {
        let (Some(Some(len)), Ok(key)) = (self.open.last(), std::str::from_utf8(key)) else { return false };
        self.path.truncate(*len);
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
        self.at_key = false;
        !key.contains('\\') && self.path.len() <= PATH_BYTES_MAX
    }
}

/// Length of a string up to its quotation mark.
fn string_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

fn put_parts(out: &mut Vec<u8>, shape: &Shape, table: &ShapeTable) {
    out.push(shape.kind as u8 | (u8::from(shape.verbatim) * IS_VERBATIM));
    put_varint(out, shape.parts.len() as u64);
    for part in &shape.parts {
        match part {
            ShapePart::Literal(range) => {
                out.push(LITERAL);
                put_bytes(out, table.literal(range));
            }
            ShapePart::Slot(path, spelling) => {
                out.push(SLOT + *spelling as u8);
                put_varint(out, u64::from(path.0));
            }
        }
    }
}

fn read_parts(
    input: &mut Input<'_>,
    head: u8,
    literals: &mut Vec<u8>,
) -> Result<(LineKind, bool, Vec<ShapePart>), BlockError> {
    let verbatim = head & IS_VERBATIM != 0;
    let kind = match head & !IS_VERBATIM {
        0 => LineKind::Json,
        1 => LineKind::Text,
        _ => return damaged("a shape is of an unknown kind"),
    };
    let count = input.count()?;
    if verbatim && count > 0 {
        return damaged("a verbatim shape has parts");
    }
    let parts = (0..count).map(|_| read_part(input, literals)).collect::<Result<_, _>>()?;
    Ok((kind, verbatim, parts))
}

fn read_part(input: &mut Input<'_>, literals: &mut Vec<u8>) -> Result<ShapePart, BlockError> {
    let tag = input.byte()?;
    if tag == LITERAL {
        let start = literals.len() as u32;
        literals.extend_from_slice(input.sized()?);
        return Ok(ShapePart::Literal(start..literals.len() as u32));
    }
    let Some(spelling) = Spelling::from_code(tag - SLOT) else { return damaged("a value has an unknown spelling") };
    Ok(ShapePart::Slot(PathId(input.at_most(u64::from(u32::MAX))? as u32), spelling))
}

/// Adds the paths but those that come next of what is told.
fn put_paths(out: &mut Vec<u8>, paths: &PathTable, told: &PathTable) {
    let mut own = Vec::new();
    let mut written = PathTable::new();
    let mut next = told.iter().map(|(_, name)| name).peekable();
    let (mut count, mut after) = (0, 0);
    for (id, name) in paths.iter() {
        while next.next_if(|name| written.get(name).is_some()).is_some() {}
        if next.next_if_eq(&name).is_none() {
            put_varint(&mut own, u64::from(id.0) - after);
            put_bytes(&mut own, name.as_bytes());
            written.intern(name);
            (count, after) = (count + 1, u64::from(id.0) + 1);
        }
    }
    put_varint(out, paths.len() as u64);
    put_varint(out, count);
    out.extend_from_slice(&own);
}

fn read_paths(input: &mut Input<'_>, told: &PathTable) -> Result<PathTable, BlockError> {
    let count = input.at_most(u64::from(u32::MAX))?;
    let own = input.count()?;
    let mut written = PathTable::new();
    let mut places = Vec::new();
    let mut after = 0u64;
    for place in 0..own {
        let id = input.varint()?.saturating_add(after);
        if written.intern(input.text()?).0 as usize != place || id >= count {
            return damaged("a field path comes twice");
        }
        places.push(id);
        after = id + 1;
    }
    let mut paths = PathTable::new();
    let mut names = written.iter().map(|(_, name)| name).zip(places).peekable();
    let mut told = told.iter().map(|(_, name)| name).filter(|name| written.get(name).is_none());
    for id in 0..count {
        let name = match names.next_if(|&(_, place)| place == id) {
            Some((name, _)) => name,
            None => match told.next() {
                Some(name) => name,
                None => return damaged("a field path is missing"),
            },
        };
        paths.intern(name);
    }
    if told.next().is_some() { damaged("a field path is left over") } else { Ok(paths) }
}

fn put_optional(out: &mut Vec<u8>, path: Option<PathId>) {
    put_varint(out, path.map_or(0, |path| u64::from(path.0) + 1));
}

fn read_optional(input: &mut Input<'_>) -> Result<Option<PathId>, BlockError> {
    let path = input.at_most(u64::from(u32::MAX))? as u32;
    Ok(path.checked_sub(1).map(PathId))
}

/// Heads of shapes: the kind with or without a flag, or a skeleton.
const IS_VERBATIM: u8 = 2;
const IS_SKELETON: u8 = 4;
/// Marks a slot in a skeleton, with the code of its spelling. No UTF-8 has bytes from here on.
const MARKS: u8 = 0xf8;
/// Ends a skeleton.
const END: u8 = 0xff;
const LITERAL: u8 = 0;
const SLOT: u8 = 1;
/// Length of a path in bytes. Bounds what a hostile footer can make the reader do.
const PATH_BYTES_MAX: usize = 4096;
/// Length of the paths of all slots in bytes, for the same reason.
const TOLD_BYTES_MAX: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::super::testing::{Rng, group_of, random_lines};
    use super::super::{GroupBuilder, RowGroup, RowMeta};
    use super::*;
    use crate::event::{Line, LineParser, Origin, Sequence};

    fn parsed(lines: &[&str]) -> RowGroup {
        let (mut parser, mut builder, mut line) = (LineParser::new(), GroupBuilder::new(), Line::default());
        for raw in lines {
            parser.parse(LineKind::Json, raw.as_bytes(), 0, &mut line).unwrap();
            let (origin, sequence) = (Origin(1), Sequence(1));
            builder.push(&line, RowMeta { time: 0, origin, sequence, time_is_arrival: false, source: None });
        }
        builder.finish(parser.into_paths())
    }

    fn put_and_read(paths: &PathTable, table: &ShapeTable) -> (usize, PathTable, ShapeTable) {
        let mut out = Vec::new();
        put(&mut out, paths, table);
        let mut input = Input(&out);
        let (own_paths, own_table) = read(&mut input).unwrap();
        input.end().unwrap();
        (out.len(), own_paths, own_table)
    }

    fn check(lines: &[&str]) -> usize {
        let group = parsed(lines);
        let (len, paths, table) = put_and_read(&group.paths, &group.shapes);
        assert_eq!(paths, *group.paths);
        assert_eq!(table, *group.shapes);
        len
    }

    #[test]
    fn shapes_tell_paths_in_objects_arrays_and_strings() {
        let names: usize = check(&[
            r#"{"a":{"b":1,"c":["x","y",{"d":2}],"e":null,"":{}},"f" : "g","h":[[1],[2]],"i":"j"}"#,
            r#"{"a":{"long_name_of_a_field":"x"},"b":{"long_name_of_a_field":"y"}}"#,
        ]);
        let skeletons: usize = r#"{"a":{"b":,"c":["","",{"d":}],"e":null,"":{}},"f" : "","h":[[],[]],"i":""}"#.len()
            + r#"{"a":{"long_name_of_a_field":""},"b":{"long_name_of_a_field":""}}"#.len();
        assert!(names < skeletons + 40, "{names}: names are written beside the shapes");
    }

    #[test]
    fn paths_that_no_shape_tells_are_written_down() {
        check(&[
            r#"{"a\u0062c":1,"q\"x":{"y":2}}"#,
            r#"{"A":1,"b":2}"#,
            r#"{"a":1,"B":{"c":[]}}"#,
            r#"{"a":"\u0041","n":3}"#,
            r#"{"a":1,"a":2,"z":{"a.b":1},"z.a":{"b":4}}"#,
        ]);
    }

    #[test]
    fn any_shapes_and_paths_come_back() {
        for seed in 0..60 {
            let group = group_of(&random_lines(&mut Rng(seed), 40), 1, 1);
            let (_, paths, table) = put_and_read(&group.paths, &group.shapes);
            assert_eq!(paths, *group.paths);
            assert_eq!(table, *group.shapes);
            // Ids in another order, and one that no shape has.
            let mut turned = PathTable::new();
            turned.intern("of no shape");
            let names: Vec<&str> = group.paths.iter().map(|(_, name)| name).collect();
            names.iter().rev().for_each(|name| _ = turned.intern(name));
            let mut table = (*group.shapes).clone();
            let turn = |path: PathId| turned.get(group.paths.name(path)).unwrap();
            for shape in &mut table.shapes {
                shape.message = shape.message.map(turn);
                shape.source = shape.source.map(turn);
                for part in &mut shape.parts {
                    if let ShapePart::Slot(path, _) = part {
                        *path = turn(*path);
                    }
                }
            }
            let (_, paths, own) = put_and_read(&turned, &table);
            assert_eq!((paths, own), (turned, table));
        }
    }

    #[test]
    fn bytes_that_lie_give_an_error_and_no_panic() {
        let mut rng = Rng(71);
        for _ in 0..3000 {
            let group = group_of(&random_lines(&mut rng, 3), 1, 1);
            let mut out = Vec::new();
            put(&mut out, &group.paths, &group.shapes);
            for _ in 0..1 + rng.below(3) {
                let at = rng.below(out.len() as u64) as usize;
                out[at] = if rng.below(2) == 0 { MARKS + rng.below(8) as u8 } else { rng.next() as u8 };
            }
            if let Ok((paths, table)) = read(&mut Input(&out)) {
                let all = table.shapes.iter().flat_map(|shape| shape.slots());
                assert!(all.into_iter().all(|(path, _)| (path.0 as usize) < paths.len()));
            }
        }
    }
}

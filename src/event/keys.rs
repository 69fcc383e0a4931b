//! Keys of JSON objects to field paths, fast when lines look like the lines before.
//!
//! Keys form a tree: a node is a key, as sent, inside the object of its parent. Each node remembers
//! which node came after it last time; in a stream of like lines the guess is right and a key costs
//! one comparison of bytes, without looking for its end, decoding or hashing.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::spelling::unescape;
use super::{PathId, PathTable};

/// Longest dotted path. Values under longer ones are kept in the line only, and counted.
pub const PATH_BYTES_MAX: usize = 1024;
/// Most paths of one table. Bounds the memory of a request that makes names up.
pub const PATHS_MAX: usize = 1 << 18;
/// Most bytes of all names of one table. Long keys around many short ones would make dotted paths many
/// times longer than the request.
pub const PATH_TABLE_BYTES_MAX: usize = 32 << 20;
/// Most keys, counted once in each object that they are in, that are remembered.
const NODES_MAX: usize = 2 * PATHS_MAX;

/// A key in the object of its parent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Key(u32);

impl Key {
    /// The line's own object.
    pub(crate) const ROOT: Self = Self(0);
    /// A key beyond a bound: nothing below it has a path.
    pub(crate) const BEYOND: Self = Self(u32::MAX);
}

/// The keys seen so far and the paths they lead to.
pub(crate) struct Keys {
    paths: PathTable,
    name_bytes: usize,
    nodes: Vec<Node>,
    /// The keys of all nodes, each with its closing quote.
    bytes: Vec<u8>,
    index: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
    /// The node asked for last: its `next` is the guess.
    last: u32,
}

struct Node {
    parent: u32,
    /// Where its key lies in [`Keys::bytes`], with the closing quote.
    start: u32,
    end: u32,
    /// The node that followed when this one was seen last.
    next: u32,
    path: NodePath,
}

#[derive(Clone, Copy)]
enum NodePath {
    Unknown,
    Known(PathId),
    Beyond,
}

impl Default for Keys {
    fn default() -> Self {
        Self::new(PathTable::new())
    }
}

impl Keys {
    /// Goes on with a table that may hold paths already.
    pub(crate) fn new(paths: PathTable) -> Self {
        let root = Node { parent: u32::MAX, start: 0, end: 0, next: 0, path: NodePath::Beyond };
        let name_bytes = paths.iter().map(|(_, name)| name.len()).sum();
        let (bytes, index, hasher) = (Vec::new(), HashTable::new(), foldhash::fast::FixedState::default());
        Self { paths, name_bytes, nodes: vec![root], bytes, index, hasher, last: 0 }
    }

    pub(crate) fn paths(&self) -> &PathTable {
        &self.paths
    }

    pub(crate) fn into_paths(self) -> PathTable {
        self.paths
    }

    /// A new line begins.
    pub(crate) fn rewind(&mut self) {
        self.last = 0;
    }

    /// The key that `rest` begins with, behind its opening quote, if it is the one that came next in
    /// the lines before; and how many bytes it takes with its closing quote.
    pub(crate) fn guess(&mut self, parent: Key, rest: &[u8]) -> Option<(Key, usize)> {
        let guess = self.nodes[self.last as usize].next;
        let node = &self.nodes[guess as usize];
        let key = &self.bytes[node.start as usize..node.end as usize];
        if guess == Key::ROOT.0 || node.parent != parent.0 || !rest.starts_with(key) {
            return None;
        }
        self.last = guess;
        Some((Key(guess), key.len()))
    }

    /// The key `quoted` (with its closing quote) of the object `parent`.
    pub(crate) fn find(&mut self, parent: Key, quoted: &[u8]) -> Key {
        if parent == Key::BEYOND || quoted.len() > PATH_BYTES_MAX {
            return Key::BEYOND;
        }
        let hash = self.hasher.hash_one((parent.0, quoted));
        let (nodes, bytes) = (&self.nodes, &self.bytes);
        let key_of = |node: &Node| &bytes[node.start as usize..node.end as usize];
        let same = |&id: &u32| {
            let node = &nodes[id as usize];
            node.parent == parent.0 && key_of(node) == quoted
        };
        let id = match self.index.find(hash, same) {
            Some(&id) => id,
            None if self.nodes.len() == NODES_MAX => return Key::BEYOND,
            None => self.add(parent, quoted, hash),
        };
        self.nodes[self.last as usize].next = id;
        self.last = id;
        Key(id)
    }

    fn add(&mut self, parent: Key, quoted: &[u8], hash: u64) -> u32 {
        let id = self.nodes.len() as u32;
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(quoted);
        let end = u32::try_from(self.bytes.len()).expect("NODES_MAX keys of PATH_BYTES_MAX are below 4 GiB");
        self.nodes.push(Node { parent: parent.0, start, end, next: 0, path: NodePath::Unknown });
        let (nodes, bytes, hasher) = (&self.nodes, &self.bytes, &self.hasher);
        self.index.insert_unique(hash, id, |&id| {
            let node = &nodes[id as usize];
            hasher.hash_one((node.parent, &bytes[node.start as usize..node.end as usize]))
        });
        id
    }

    /// The dotted path of a key; `None` beyond a bound.
    pub(crate) fn path(&mut self, key: Key) -> Option<PathId> {
        if key == Key::BEYOND {
            return None;
        }
        match self.nodes[key.0 as usize].path {
            NodePath::Known(path) => Some(path),
            NodePath::Beyond => None,
            NodePath::Unknown => {
                let path = self.name(key).and_then(|name| self.intern(&name));
                self.nodes[key.0 as usize].path = path.map_or(NodePath::Beyond, NodePath::Known);
                path
            }
        }
    }

    /// The path of a name that is no key of the line: `message` of a text line.
    pub(crate) fn intern(&mut self, name: &str) -> Option<PathId> {
        if let Some(path) = self.paths.get(name) {
            return Some(path);
        }
        if self.paths.len() == PATHS_MAX || self.name_bytes + name.len() > PATH_TABLE_BYTES_MAX {
            return None;
        }
        self.name_bytes += name.len();
        Some(self.paths.intern(name))
    }

    /// The decoded keys from the line's object down to `key`, with dots between.
    fn name(&self, key: Key) -> Option<String> {
        let mut parts = Vec::new();
        let mut at = key;
        while at != Key::ROOT {
            let node = &self.nodes[at.0 as usize];
            let unquoted = &self.bytes[node.start as usize..node.end as usize - 1];
            parts.push(unescape(unquoted).text);
            at = Key(node.parent);
        }
        parts.reverse();
        let name = parts.join(".");
        (name.len() <= PATH_BYTES_MAX).then_some(name)
    }
}

const _: () = assert!(NODES_MAX * PATH_BYTES_MAX < u32::MAX as usize, "key positions are 32 bits");

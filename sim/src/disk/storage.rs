//! What the machine keeps: files and folders as a process sees them, and which part of that is durable.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Component, Path};

use helios::host::DirEntry;

/// Room that each name takes of the capacity, so that names alone can fill a disk too.
const NAME_BYTES: u64 = 64;

/// A file system with its page cache.
///
/// A file's bytes become durable by its sync, a name by the sync of its folder: syncing a file makes
/// no name durable, and a durable name in a folder whose own name is not durable is lost with it.
#[derive(Clone, Debug)]
pub struct Storage {
    pub(super) nodes: Vec<Node>,
    /// Changes of names that no sync of their folder has covered yet, by folder, oldest first.
    pub(super) unsynced_names: BTreeMap<NodeId, Vec<NameChange>>,
    /// Changes of names so far.
    name_changes: u64,
    /// Who holds which lock file.
    pub(super) locks: BTreeMap<NodeId, u64>,
    capacity_bytes: u64,
    pub(super) used_bytes: u64,
    locks_given: u64,
}

pub(super) type NodeId = usize;
pub(super) const ROOT: NodeId = 0;

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(FileNode),
    Dir(DirNode),
}

#[derive(Clone, Debug, Default)]
pub(super) struct FileNode {
    /// As a process reads it.
    pub(super) bytes: Vec<u8>,
    /// The length that the last successful sync made durable.
    pub(super) synced_len: usize,
    /// What no sync has covered, ascending. Everything else is durable.
    pub(super) unsynced: Vec<Unsynced>,
    names: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Unsynced {
    pub(super) range: Range<usize>,
    /// A failed sync let go of it: it counts as clean, no later sync writes it, no crash keeps it.
    pub(super) lost: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct DirNode {
    /// As a process lists it.
    pub(super) names: BTreeMap<Box<str>, NodeId>,
    /// What a power cut leaves for sure.
    pub(super) durable: BTreeMap<Box<str>, NodeId>,
}

#[derive(Clone, Debug)]
pub(super) struct NameChange {
    /// Older ones have smaller numbers.
    pub(super) number: u64,
    pub(super) dir: NodeId,
    pub(super) name: Box<str>,
    pub(super) node: NodeId,
    pub(super) change: Change,
    /// A failed sync of the folder let go of it: no later sync by this process makes it durable.
    pub(super) lost: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    /// The name was given: created, or linked.
    Put,
    /// The name was given and another one taken, both or none.
    Moved { from_dir: NodeId, from_name: Box<str> },
    /// The name was taken.
    Removed,
}

impl Default for Storage {
    fn default() -> Self {
        Self::new()
    }
}

impl Storage {
    /// An empty file system of unlimited size: a root folder.
    pub fn new() -> Self {
        Self {
            nodes: vec![Node::Dir(DirNode::default())],
            unsynced_names: BTreeMap::new(),
            name_changes: 0,
            locks: BTreeMap::new(),
            capacity_bytes: u64::MAX,
            used_bytes: 0,
            locks_given: 0,
        }
    }

    /// Limits the file system to so many bytes, names included.
    pub fn set_capacity(&mut self, bytes: u64) {
        self.capacity_bytes = bytes;
    }

    /// Bytes in use, names included.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// The content of a file as a process would read it.
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        let node = self.find(Path::new(path)).ok()?;
        self.file(node).ok().map(|file| &*file.bytes)
    }

    /// The paths of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        self.collect_files(ROOT, "", &mut files);
        files
    }

    /// Rot: flips one bit of a file, unnoticed and durably.
    ///
    /// # Panics
    /// If there is no such file or byte.
    pub fn flip_bit(&mut self, path: &str, byte: usize, bit: u32) {
        let node = self.find(Path::new(path)).expect("a file to rot");
        let file = self.file_mut(node).expect("a file to rot");
        file.bytes[byte] ^= 1 << (bit % 8);
    }

    /// Adds durable bytes to a file behind everybody's back: what another power cut may have left.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn append_to(&mut self, path: &str, bytes: &[u8]) {
        let node = self.find(Path::new(path)).expect("a file to append to");
        self.append(node, bytes).expect("room to append");
        self.sync(node).expect("a file to append to");
    }

    fn collect_files(&self, dir: NodeId, prefix: &str, files: &mut Vec<String>) {
        let Node::Dir(node) = &self.nodes[dir] else { return };
        for (name, &child) in &node.names {
            let path = format!("{prefix}/{name}");
            match &self.nodes[child] {
                Node::File(_) => files.push(path),
                Node::Dir(_) => self.collect_files(child, &path, files),
            }
        }
    }
}

/// What a process asks for. Without counting, delay or faults: the device does that.
impl Storage {
    pub(super) fn create_new(&mut self, path: &Path) -> io::Result<NodeId> {
        self.need_room(NAME_BYTES)?;
        let (dir, name) = self.find_parent(path)?;
        if self.dir(dir)?.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = self.nodes.len();
        self.nodes.push(Node::File(FileNode::default()));
        self.put_name(dir, name, node, Change::Put);
        Ok(node)
    }

    pub(super) fn open(&self, path: &Path) -> io::Result<NodeId> {
        let node = self.find(path)?;
        self.file(node).map(|_| node)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from_name) = self.find_parent(from)?;
        let (to_dir, to_name) = self.find_parent(to)?;
        let node = *self.dir(from_dir)?.names.get(from_name).ok_or(io::ErrorKind::NotFound)?;
        match self.dir(to_dir)?.names.get(to_name).copied() {
            // Two names of one file: POSIX says that nothing happens.
            Some(target) if target == node => return Ok(()),
            Some(target) => self.may_replace(node, target)?,
            None => {}
        }
        self.take_name(from_dir, from_name);
        if self.dir(to_dir)?.names.contains_key(to_name) {
            self.take_name(to_dir, to_name);
        }
        self.put_name(to_dir, to_name, node, Change::Moved { from_dir, from_name: from_name.into() });
        Ok(())
    }

    pub(super) fn link(&mut self, existing: &Path, new: &Path) -> io::Result<()> {
        self.need_room(NAME_BYTES)?;
        let node = self.open(existing)?;
        let (dir, name) = self.find_parent(new)?;
        if self.dir(dir)?.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.put_name(dir, name, node, Change::Put);
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let node = self.open(path)?;
        self.remove_name(path, node)
    }

    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let node = self.find(path)?;
        if !self.dir(node)?.names.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.remove_name(path, node)
    }

    pub(super) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        match self.find(path) {
            Ok(node) if self.dir(node).is_ok() => return Ok(()),
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => {}
        }
        self.need_room(NAME_BYTES)?;
        let (dir, name) = self.find_parent(path)?;
        self.dir(dir)?;
        let node = self.nodes.len();
        self.nodes.push(Node::Dir(DirNode::default()));
        self.put_name(dir, name, node, Change::Put);
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let dir = self.dir(self.find(path)?)?;
        let entry = |name: &str, node: NodeId| {
            let (is_dir, len) = match &self.nodes[node] {
                Node::File(file) => (false, file.bytes.len() as u64),
                Node::Dir(_) => (true, 0),
            };
            DirEntry { name: name.to_owned(), is_dir, len }
        };
        Ok(dir.names.iter().map(|(name, &node)| entry(name, node)).collect())
    }

    /// Makes the changes of a folder's names durable, but for those that an earlier failure let go.
    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.find(path)?;
        self.dir(dir)?;
        let mut lost: Vec<NameChange> = Vec::new();
        for change in self.unsynced_names.remove(&dir).unwrap_or_default() {
            if change.lost {
                lost.push(change);
            } else {
                // Older changes of the same name that were let go can't come back over this one.
                lost.retain(|older| older.name != change.name);
                self.make_durable(change);
            }
        }
        if !lost.is_empty() {
            self.unsynced_names.insert(dir, lost);
        }
        Ok(())
    }

    /// The sync of a folder failed: what it should have made durable counts as written and is not.
    pub(super) fn fail_sync_dir(&mut self, path: &Path) {
        let Ok(dir) = self.find(path) else { return };
        for change in self.unsynced_names.get_mut(&dir).into_iter().flatten() {
            change.lost = true;
        }
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.used_bytes)
    }

    /// `None` if somebody holds it.
    pub(super) fn lock(&mut self, path: &Path) -> io::Result<Option<(NodeId, u64)>> {
        let node = match self.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create_new(path)?,
            other => other?,
        };
        if self.locks.contains_key(&node) {
            return Ok(None);
        }
        self.locks_given += 1;
        self.locks.insert(node, self.locks_given);
        Ok(Some((node, self.locks_given)))
    }

    pub(super) fn unlock(&mut self, node: NodeId, holder: u64) {
        if self.locks.get(&node) == Some(&holder) {
            self.locks.remove(&node);
        }
    }

    /// Appends what there is room for; an error if that is not all.
    pub(super) fn append(&mut self, node: NodeId, bytes: &[u8]) -> io::Result<u64> {
        let room = usize::try_from(self.free_bytes()).unwrap_or(usize::MAX);
        let fits = &bytes[..bytes.len().min(room)];
        let file = self.file_mut(node)?;
        let (start, named) = (file.bytes.len(), file.names > 0);
        file.bytes.extend_from_slice(fits);
        if !fits.is_empty() {
            file.unsynced.push(Unsynced { range: start..file.bytes.len(), lost: false });
        }
        // A file without a name gave its room back when it lost the last one.
        self.used_bytes += if named { fits.len() as u64 } else { 0 };
        if fits.len() < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(start as u64)
    }

    pub(super) fn sync(&mut self, node: NodeId) -> io::Result<()> {
        let file = self.file_mut(node)?;
        file.unsynced.retain(|unsynced| unsynced.lost);
        file.synced_len = file.bytes.len();
        Ok(())
    }

    /// The sync of a file failed. What was dirty counts as clean; `reached` says of each piece whether it
    /// reached the disk all the same.
    pub(super) fn fail_sync(&mut self, node: NodeId, mut reached: impl FnMut() -> bool) {
        let Ok(file) = self.file_mut(node) else { return };
        file.unsynced.retain_mut(|unsynced| {
            if !unsynced.lost {
                unsynced.lost = !reached();
            }
            unsynced.lost
        });
    }

    pub(super) fn file(&self, node: NodeId) -> io::Result<&FileNode> {
        match &self.nodes[node] {
            Node::File(file) => Ok(file),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn file_mut(&mut self, node: NodeId) -> io::Result<&mut FileNode> {
        match &mut self.nodes[node] {
            Node::File(file) => Ok(file),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }
}

impl Storage {
    /// Enters a change into what a power cut leaves for sure.
    pub(super) fn make_durable(&mut self, NameChange { dir, name, node, change, .. }: NameChange) {
        match change {
            Change::Put => {
                self.durable(dir).insert(name, node);
            }
            Change::Moved { from_dir, from_name } => {
                if self.durable(from_dir).get(&from_name) == Some(&node) {
                    self.durable(from_dir).remove(&from_name);
                }
                self.durable(dir).insert(name, node);
            }
            Change::Removed => {
                if self.durable(dir).get(&name) == Some(&node) {
                    self.durable(dir).remove(&name);
                }
            }
        }
    }

    fn durable(&mut self, dir: NodeId) -> &mut BTreeMap<Box<str>, NodeId> {
        match &mut self.nodes[dir] {
            Node::Dir(dir) => &mut dir.durable,
            Node::File(_) => unreachable!("names are in folders"),
        }
    }

    fn need_room(&self, bytes: u64) -> io::Result<()> {
        if self.free_bytes() < bytes { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn may_replace(&self, node: NodeId, target: NodeId) -> io::Result<()> {
        match (&self.nodes[node], &self.nodes[target]) {
            (Node::File(_), Node::File(_)) => Ok(()),
            (Node::Dir(_), Node::Dir(dir)) if dir.names.is_empty() => Ok(()),
            (Node::Dir(_), Node::Dir(_)) => Err(io::ErrorKind::DirectoryNotEmpty.into()),
            (Node::File(_), Node::Dir(_)) => Err(io::ErrorKind::IsADirectory.into()),
            (Node::Dir(_), Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn put_name(&mut self, dir: NodeId, name: &str, node: NodeId, change: Change) {
        if let Node::Dir(dir) = &mut self.nodes[dir] {
            dir.names.insert(name.into(), node);
        }
        if let Node::File(file) = &mut self.nodes[node] {
            file.names += 1;
            if file.names == 1 {
                self.used_bytes += file.bytes.len() as u64;
            }
        }
        self.used_bytes += NAME_BYTES;
        self.note_change(dir, name.into(), node, change);
    }

    fn note_change(&mut self, dir: NodeId, name: Box<str>, node: NodeId, change: Change) {
        self.name_changes += 1;
        let change = NameChange { number: self.name_changes, dir, name, node, change, lost: false };
        self.unsynced_names.entry(dir).or_default().push(change);
    }

    /// Takes a name from what processes see and gives its room back.
    fn take_name(&mut self, dir: NodeId, name: &str) {
        let Node::Dir(folder) = &mut self.nodes[dir] else { return };
        let Some(node) = folder.names.remove(name) else { return };
        self.used_bytes -= NAME_BYTES;
        if let Node::File(file) = &mut self.nodes[node] {
            file.names -= 1;
            if file.names == 0 {
                self.used_bytes -= file.bytes.len() as u64;
            }
        }
    }

    fn remove_name(&mut self, path: &Path, node: NodeId) -> io::Result<()> {
        let (dir, name) = self.find_parent(path)?;
        let name: Box<str> = name.into();
        self.take_name(dir, &name);
        self.note_change(dir, name, node, Change::Removed);
        Ok(())
    }

    fn find(&self, path: &Path) -> io::Result<NodeId> {
        let mut node = ROOT;
        for part in path.components() {
            match part {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => {
                    let name = name.to_str().ok_or(io::ErrorKind::InvalidInput)?;
                    node = *self.dir(node)?.names.get(name).ok_or(io::ErrorKind::NotFound)?;
                }
                Component::ParentDir | Component::Prefix(_) => return Err(io::ErrorKind::InvalidInput.into()),
            }
        }
        Ok(node)
    }

    fn find_parent<'p>(&self, path: &'p Path) -> io::Result<(NodeId, &'p str)> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let dir = self.find(parent)?;
        self.dir(dir)?;
        Ok((dir, name))
    }

    pub(super) fn dir(&self, node: NodeId) -> io::Result<&DirNode> {
        match &self.nodes[node] {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Counts names and room anew, after a crash has changed what there is.
    pub(super) fn recount(&mut self) {
        let mut names = vec![0; self.nodes.len()];
        self.used_bytes = 0;
        let mut waiting = vec![ROOT];
        while let Some(dir) = waiting.pop() {
            let Node::Dir(folder) = &self.nodes[dir] else { continue };
            for &child in folder.names.values() {
                names[child] += 1;
                self.used_bytes += NAME_BYTES;
                match &self.nodes[child] {
                    Node::Dir(_) => waiting.push(child),
                    Node::File(file) if names[child] == 1 => self.used_bytes += file.bytes.len() as u64,
                    Node::File(_) => {}
                }
            }
        }
        for (node, names) in self.nodes.iter_mut().zip(names) {
            if let Node::File(file) = node {
                file.names = names;
                if names == 0 {
                    *file = FileNode::default();
                }
            }
        }
    }
}

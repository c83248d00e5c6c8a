//! What is in an archive, as a tree.

use std::collections::BTreeMap;

use crate::sha256;
use crate::wire::{valid_name, Entry, Fault, Id, Result, Time, CHANGED, DIR, NOT_EXIST, REGULAR, UNSUPPORTED};

/// Where the data of a file is.
#[derive(Clone, Copy, Default)]
pub struct Data {
    pub offset: u64,
    pub sum: Option<u32>, // of all its bytes, in the format that has one
}

/// What one name or, with hard links, several names stand for.
pub struct Object {
    pub entry: Entry,
    pub data: Data,
    fault: Option<Fault>, // why it cannot be read
    implied: bool,
}

#[derive(Default)]
struct Node {
    object: usize,
    kids: BTreeMap<Vec<u8>, usize>,
}

pub struct Tree {
    objects: Vec<Object>,
    nodes: Vec<Node>, // the root first
    bad: usize,       // entries that have no place
}

/// How many of them are shown one by one.
const MAX_BAD: usize = 100;

impl Tree {
    pub fn new(uid: u32, gid: u32) -> Tree {
        Tree { objects: vec![implied(uid, gid)], nodes: vec![Node::default()], bad: 0 }
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Puts an entry in its place and returns the number of its object. One that has
    /// no place becomes an entry of the root that cannot be read.
    pub fn add(&mut self, name: &[u8], entry: Entry, data: Data) -> usize {
        let object = self.hold(entry, data);
        self.link(name, object);
        object
    }

    /// Keeps an object. One that cannot be served is a file, which nobody can read: it
    /// stops nothing but itself. An entry of an unknown type could be a directory, and
    /// the host would remove nothing while there is one.
    fn hold(&mut self, mut entry: Entry, data: Data) -> usize {
        let fault = entry.fault.take();
        self.objects.push(Object { entry, data, fault, implied: false });
        self.objects.len() - 1
    }

    /// Puts a further name of an object in its place.
    pub fn link(&mut self, name: &[u8], object: usize) {
        if let Err(why) = self.place(name, object) {
            self.refuse(name, why)
        }
    }

    pub fn object(&mut self, i: usize) -> &mut Object {
        &mut self.objects[i]
    }

    fn place(&mut self, name: &[u8], object: usize) -> std::result::Result<(), &'static str> {
        let is_dir = self.objects[object].entry.kind == DIR;
        let parts = clean(name)?;
        let (last, above) = match parts.split_last() {
            Some(it) => it,
            None if is_dir => {
                self.nodes[0].object = object;
                return Ok(());
            }
            None => return Err("is no directory, and is where the root is"),
        };
        let mut at = 0;
        for part in above {
            at = match self.nodes[at].kids.get(*part) {
                Some(kid) => *kid,
                None => {
                    let (uid, gid) = (self.objects[0].entry.uid, self.objects[0].entry.gid);
                    self.objects.push(implied(uid, gid));
                    self.hang(at, part, self.objects.len() - 1)
                }
            };
            if self.objects[self.nodes[at].object].entry.kind != DIR {
                return Err("lies below something that is no directory");
            }
        }
        match self.nodes[at].kids.get(*last) {
            Some(&there) if !is_dir && !self.nodes[there].kids.is_empty() => return Err("is no directory, and a directory as well"),
            Some(&there) => self.nodes[there].object = object,
            None => {
                self.hang(at, last, object);
            }
        }
        Ok(())
    }

    fn hang(&mut self, at: usize, name: &[u8], object: usize) -> usize {
        self.nodes.push(Node { object, kids: BTreeMap::new() });
        let kid = self.nodes.len() - 1;
        self.nodes[at].kids.insert(name.to_vec(), kid);
        kid
    }

    fn refuse(&mut self, name: &[u8], why: &str) {
        self.bad += 1;
        if self.bad > MAX_BAD {
            return;
        }
        let text = format!("entry {:?} {}", String::from_utf8_lossy(&name[..name.len().min(200)]), why);
        self.show(&escape(name), text)
    }

    fn show(&mut self, name: &[u8], text: String) {
        let mut free = name.to_vec();
        let mut n = 2;
        while self.nodes[0].kids.contains_key(&free) {
            free = [name, format!("~{}", n).as_bytes()].concat();
            n += 1;
        }
        let object = self.hold(unreadable(&text), Data::default());
        self.hang(0, &free, object);
    }

    /// Sets what follows from the tree as a whole: numbers of names, identities, the
    /// time of the change, and the times of directories that are only implied.
    pub fn finish(&mut self, root: Id, changed: Time) {
        if self.bad > MAX_BAD {
            self.show(b"more", format!("{} more entries have no place in the tree", self.bad - MAX_BAD))
        }
        for o in &mut self.objects {
            o.entry.links = 0;
        }
        // Deep trees would need a deep stack.
        let mut todo = vec![(0, b".".to_vec())];
        let mut order = Vec::new();
        while let Some((at, path)) = todo.pop() {
            order.push(at);
            for (name, kid) in &self.nodes[at].kids {
                todo.push((*kid, join(&path, name)));
            }
            let e = &mut self.objects[self.nodes[at].object].entry;
            e.links += 1;
            e.ctime = changed;
            if e.links == 1 {
                e.id = identify(&path, e);
            }
            if e.kind == DIR {
                e.links = 2;
            }
        }
        self.objects[self.nodes[0].object].entry.id = root;
        for at in order.into_iter().rev() {
            let o = self.nodes[at].object;
            if !self.objects[o].implied {
                continue;
            }
            let times = self.nodes[at].kids.values().map(|k| self.objects[self.nodes[*k].object].entry.mtime);
            self.objects[o].entry.mtime = times.max().unwrap_or_default();
        }
    }

    /// Looks a path up.
    pub fn find(&self, path: &[u8]) -> Result<usize> {
        let mut at = 0;
        if path == b"." {
            return Ok(at);
        }
        for part in path.split(|c| *c == b'/') {
            if self.entry(at).kind != DIR {
                return Err(Fault::new(CHANGED, "look up", "something on the way is no directory").at(path));
            }
            at = *self.nodes[at].kids.get(part).ok_or_else(|| Fault::new(NOT_EXIST, "look up", "").at(path))?;
        }
        Ok(at)
    }

    /// Looks a directory up.
    pub fn dir(&self, path: &[u8]) -> Result<usize> {
        let at = self.find(path)?;
        if self.entry(at).kind != DIR {
            return Err(Fault::new(CHANGED, "list", "it is no directory").at(path));
        }
        Ok(at)
    }

    /// Looks a regular file up.
    pub fn file(&self, path: &[u8]) -> Result<(&Entry, Data)> {
        let o = &self.objects[self.nodes[self.find(path)?].object];
        match (&o.fault, o.entry.kind) {
            (Some(f), _) => Err(f.clone().at(path)),
            (None, REGULAR) => Ok((&o.entry, o.data)),
            _ => Err(Fault::new(CHANGED, "read", "it is not a regular file").at(path)),
        }
    }

    pub fn entry(&self, at: usize) -> &Entry {
        &self.objects[self.nodes[at].object].entry
    }

    /// The names in a directory behind one, and what they stand for.
    pub fn after<'a>(&'a self, at: usize, name: Option<&[u8]>) -> impl Iterator<Item = (&'a [u8], usize)> + 'a {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = match name {
            Some(n) => Excluded(n.to_vec()),
            None => Unbounded,
        };
        self.nodes[at].kids.range((from, Unbounded)).map(|(n, k)| (&n[..], *k))
    }
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir == b"." {
        return name.to_vec();
    }
    [dir, b"/", name].concat()
}

/// A directory that no entry described.
fn implied(uid: u32, gid: u32) -> Object {
    Object { entry: Entry { kind: DIR, perm: 0o755, uid, gid, ..Entry::default() }, data: Data::default(), fault: None, implied: true }
}

pub fn unreadable(text: &str) -> Entry {
    Entry { kind: REGULAR, perm: 0o600, fault: Some(Fault::new(UNSUPPORTED, "serve", text)), ..Entry::default() }
}

/// The names on the way to an entry. One that leads out of the tree is refused.
fn clean(name: &[u8]) -> std::result::Result<Vec<&[u8]>, &'static str> {
    if name.is_empty() {
        return Err("has no name");
    }
    if name[0] == b'/' {
        return Err("is absolute");
    }
    let mut out = Vec::new();
    for part in name.split(|c| *c == b'/') {
        match part {
            b"" | b"." => continue,
            b".." => return Err("leads out of the tree"),
            _ if !valid_name(part) => return Err("has a component that is no name"),
            _ => out.push(part),
        }
    }
    if out.iter().map(|p| p.len() + 1).sum::<usize>() > 32 << 10 {
        return Err("is too long");
    }
    Ok(out)
}

/// Makes a name for the root of one that has no place.
fn escape(name: &[u8]) -> Vec<u8> {
    let dots = name.iter().all(|c| *c == b'.');
    let mut out = Vec::new();
    for c in name.iter().take(200) {
        match *c {
            b'/' | b'%' | 0 => out.extend_from_slice(format!("%{:02X}", c).as_bytes()),
            b'.' if dots => out.extend_from_slice(b"%2E"),
            c => out.push(c),
        }
        if out.len() > 200 {
            break;
        }
    }
    if out.is_empty() || out.starts_with(b".gsyncd-host.") {
        out.insert(0, b'%');
    }
    out
}

/// A directory is the same whatever is put into it; another version of a file is
/// another file.
fn identify(path: &[u8], e: &Entry) -> Id {
    let mut text = vec![e.kind];
    text.extend_from_slice(path);
    if e.kind != DIR {
        text.push(0);
        text.extend_from_slice(&e.size.to_le_bytes());
        text.extend_from_slice(&e.mtime.sec.to_le_bytes());
    }
    id_of(&text)
}

pub fn id_of(text: &[u8]) -> Id {
    let sum = sha256::sum(text);
    Id { ino: u64::from_le_bytes(sum[..8].try_into().unwrap()), gen: u64::from_le_bytes(sum[8..16].try_into().unwrap()) }
}

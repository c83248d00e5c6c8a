//! The cpio format of initramfs images: "newc", with and without checksums. An image
//! may be several archives, one behind the other.

use std::collections::BTreeMap;

use crate::host::{Handle, Place};
use crate::tree::{unreadable, Data, Tree};
use crate::wire::{Entry, Fault, Id, Result, Time, BLOCK, CHANGED, CHAR, DIR, FATAL, FIFO, REGULAR, SOCKET, SYMLINK, TRANSIENT, UNSUPPORTED};

/// An archive as it was at one time.
pub struct Archive {
    pub file: Handle,
    pub entry: Entry,
    pub settled: bool, // a change that came later would show in the entry
    pub tree: Tree,
}

const HEADER: u64 = 110;
const END: &[u8] = b"TRAILER!!!";
const MAX_TARGET: u32 = 4095;

/// The error of an archive that cannot be served as it is. It may be one that is
/// still being written.
fn broken(at: u64, what: &str) -> Fault {
    Fault::new(TRANSIENT, "read the archive", format!("at byte {} it {}; is it still being written?", at, what))
}

/// Reports whether two looks at a file show the same version.
pub fn same(a: &Entry, b: &Entry) -> bool {
    a.kind == b.kind && a.id == b.id && a.size == b.size && a.mtime == b.mtime && a.ctime == b.ctime
}

/// Looks at the beginning of a file; an error says why it is no archive.
pub fn probe(file: &Handle, size: i64) -> Result<()> {
    let head = file.read_at(0, 8)?;
    if size < HEADER as i64 || magic(&head).is_none() {
        let what = match packer(&head) {
            Some(name) => format!("it is compressed ({}): unpack it first", name),
            None => "it is no cpio archive of the newc format, which \"cpio -o -H newc\" makes".into(),
        };
        return Err(Fault::new(UNSUPPORTED, "read the archive", what));
    }
    Ok(())
}

/// Reports whether a header begins here, and with checksums.
fn magic(b: &[u8]) -> Option<bool> {
    match b.get(..6) {
        Some(b"070701") => Some(false),
        Some(b"070702") => Some(true),
        _ => None,
    }
}

fn packer(b: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 6] =
        [(b"\x1f\x8b", "gzip"), (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\x02\x21\x4c\x18", "lz4"), (b"\x5d\0\0", "lzma")];
    known.iter().find(|(m, _)| b.starts_with(m)).map(|(_, name)| *name)
}

/// Reads the headers of an archive. root is the identity of the tree.
pub fn load(place: &Place, around: &Handle, root: Id, max: u64) -> Result<Archive> {
    let (_, sure) = around.beacon()?;
    let (file, entry) = place.open()?;
    let mut tree = Tree::new(entry.uid, entry.gid);
    Reader { file: &file, size: entry.size as u64, from: 0, buf: Vec::new() }.members(&mut tree, max)?;
    if !same(&place.stat()?, &entry) {
        return Err(Fault::new(CHANGED, "read the archive", "it was changed while it was read"));
    }
    tree.finish(root, entry.ctime);
    Ok(Archive { settled: entry.ctime < sure, file, entry, tree })
}

/// Reads with few calls what lies close together.
struct Reader<'a> {
    file: &'a Handle,
    size: u64,
    from: u64,
    buf: Vec<u8>,
}

struct Header {
    name: Vec<u8>,
    fields: [u32; 13],
    summed: bool,
    data: u64,
    end: u64, // of the data
}

impl Header {
    fn ino(&self) -> u32 {
        self.fields[0]
    }
    fn mode(&self) -> u32 {
        self.fields[1]
    }
    fn links(&self) -> u32 {
        self.fields[4]
    }
    fn size(&self) -> u32 {
        self.fields[6]
    }
}

impl Reader<'_> {
    fn get(&mut self, at: u64, n: usize) -> Result<&[u8]> {
        if at < self.from || at + n as u64 > self.from + self.buf.len() as u64 {
            if at + n as u64 > self.size {
                return Err(broken(at, "ends in the middle of an entry"));
            }
            self.buf = self.file.read_at(at, n.max(64 << 10))?;
            self.from = at;
            if self.buf.len() < n {
                return Err(broken(at, "ends before its length"));
            }
        }
        let i = (at - self.from) as usize;
        Ok(&self.buf[i..i + n])
    }

    fn members(&mut self, tree: &mut Tree, max: u64) -> Result<()> {
        let mut at = 0;
        loop {
            at = self.segment(at, tree, max)?;
            while at < self.size && self.get(at, 1)?[0] == 0 {
                at += 1;
            }
            if at == self.size {
                return Ok(());
            }
            let head = self.get(at, (self.size - at).min(8) as usize)?;
            if let Some(name) = packer(head) {
                let text = format!("behind {} entries, at byte {}, it goes on compressed ({}): unpack that part first", tree.len() - 1, at, name);
                return Err(Fault::new(UNSUPPORTED, "read the archive", text));
            }
        }
    }

    /// Reads one archive up to its end, and returns where that is.
    fn segment(&mut self, mut at: u64, tree: &mut Tree, max: u64) -> Result<u64> {
        let mut several = BTreeMap::new();
        loop {
            let h = self.header(at)?;
            at = aligned(h.end);
            if h.name == END {
                return Ok(at);
            }
            let entry = self.entry(&h)?;
            let data = Data { offset: h.data, sum: if h.summed { Some(h.fields[12]) } else { None } };
            let key = (h.fields[7], h.fields[8], h.ino());
            match several.get(&key) {
                Some(&object) if entry.kind == REGULAR && h.links() > 1 => {
                    // All names but one come without data.
                    if entry.size > 0 {
                        let o = tree.object(object);
                        o.entry = entry;
                        o.data = data;
                    }
                    tree.link(&h.name, object);
                }
                _ => {
                    let file = entry.kind == REGULAR && h.links() > 1;
                    let object = tree.add(&h.name, entry, data);
                    if file {
                        several.insert(key, object);
                    }
                }
            }
            if tree.len() as u64 > max {
                return Err(Fault::new(FATAL, "read the archive", format!("it holds more than max_entries allows, which is {}", max)));
            }
        }
    }

    fn header(&mut self, at: u64) -> Result<Header> {
        let b = self.get(at, HEADER as usize)?;
        let summed = magic(b).ok_or_else(|| broken(at, "has no header of an entry"))?;
        let mut fields = [0; 13];
        for (i, f) in fields.iter_mut().enumerate() {
            let text = std::str::from_utf8(&b[6 + 8 * i..14 + 8 * i]).ok().filter(|t| t.bytes().all(|c| c.is_ascii_hexdigit()));
            *f = text.and_then(|t| u32::from_str_radix(t, 16).ok()).ok_or_else(|| broken(at, "has a damaged header"))?;
        }
        let n = fields[11];
        if n == 0 || n > 64 << 10 {
            return Err(broken(at, "has a damaged header"));
        }
        let mut name = self.get(at + HEADER, n as usize)?.to_vec();
        if name.pop() != Some(0) {
            return Err(broken(at, "has a name without an end"));
        }
        let data = aligned(at + HEADER + n as u64);
        let end = data + fields[6] as u64;
        if end > self.size {
            return Err(broken(at, "ends in the middle of an entry"));
        }
        Ok(Header { name, fields, summed, data, end })
    }

    fn entry(&mut self, h: &Header) -> Result<Entry> {
        let mode = h.mode();
        let mut e = Entry {
            perm: (mode & 0o7777) as u16,
            uid: h.fields[2],
            gid: h.fields[3],
            mtime: Time { sec: h.fields[5] as i64, nsec: 0 },
            ..Entry::default()
        };
        e.kind = match mode >> 12 {
            0o10 => REGULAR,
            0o04 => DIR,
            0o12 => SYMLINK,
            0o01 => FIFO,
            0o14 => SOCKET,
            0o02 => CHAR,
            0o06 => BLOCK,
            _ => return Ok(unreadable(&format!("its mode {:o} is of no known type", mode))),
        };
        match e.kind {
            REGULAR => e.size = h.size() as i64,
            CHAR | BLOCK => {
                e.major = h.fields[9];
                e.minor = h.fields[10];
            }
            SYMLINK if h.size() == 0 || h.size() > MAX_TARGET => return Ok(unreadable("it is a symlink to no path")),
            SYMLINK => {
                e.target = self.get(h.data, h.size() as usize)?.to_vec();
                if e.target.contains(&0) {
                    return Ok(unreadable("it is a symlink to no path"));
                }
            }
            _ => {}
        }
        Ok(e)
    }
}

fn aligned(at: u64) -> u64 {
    (at + 3) & !3
}

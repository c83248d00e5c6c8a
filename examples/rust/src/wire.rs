//! The encodings of docs/plugin-abi.md, as far as a read-only source needs them.

/// Kinds of errors.
pub const FATAL: u8 = 0;
pub const NOT_EXIST: u8 = 1;
pub const PERMISSION: u8 = 2;
pub const UNSUPPORTED: u8 = 3;
pub const TRANSIENT: u8 = 5;
pub const GONE: u8 = 6;
pub const CHANGED: u8 = 7;
pub const INPUT: u8 = 9;

/// An error as it crosses the border.
#[derive(Clone, Debug)]
pub struct Fault {
    pub kind: u8,
    pub errno: u32,
    pub op: Vec<u8>,
    pub path: Vec<u8>,
    pub message: Vec<u8>,
}

impl Fault {
    pub fn new(kind: u8, op: &str, message: impl Into<Vec<u8>>) -> Fault {
        Fault { kind, errno: 0, op: op.into(), path: Vec::new(), message: message.into() }
    }

    pub fn at(mut self, path: &[u8]) -> Fault {
        self.path = path.to_vec();
        self
    }

    /// The text without what was being done.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.message).into_owned();
        match (text.is_empty(), self.kind) {
            (false, _) => text,
            (true, NOT_EXIST) => "it does not exist".into(),
            (true, PERMISSION) => "it may not be read".into(),
            _ => String::from_utf8_lossy(&self.op).into_owned(),
        }
    }
}

pub type Result<T> = std::result::Result<T, Fault>;

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    pub sec: i64,
    pub nsec: u32,
}

/// Tells an object from every other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Id {
    pub ino: u64,
    pub gen: u64,
}

/// Types of entries.
pub const REGULAR: u8 = 1;
pub const DIR: u8 = 2;
pub const SYMLINK: u8 = 3;
pub const FIFO: u8 = 4;
pub const SOCKET: u8 = 5;
pub const CHAR: u8 = 6;
pub const BLOCK: u8 = 7;

/// An entry of a directory, but for its name.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub kind: u8,
    pub perm: u16,
    pub uid: u32,
    pub gid: u32,
    pub links: u32,
    pub size: i64,
    pub mtime: Time,
    pub ctime: Time,
    pub id: Id,
    pub major: u32,
    pub minor: u32,
    pub target: Vec<u8>,
    pub fault: Option<Fault>, // of one that cannot be described; kind is 0 then
}

pub fn put_u16(b: &mut Vec<u8>, v: u16) {
    b.extend_from_slice(&v.to_le_bytes())
}

pub fn put_u32(b: &mut Vec<u8>, v: u32) {
    b.extend_from_slice(&v.to_le_bytes())
}

pub fn put_u64(b: &mut Vec<u8>, v: u64) {
    b.extend_from_slice(&v.to_le_bytes())
}

/// Text, cut if it is too long for its length.
pub fn put_str(b: &mut Vec<u8>, s: &[u8]) {
    let s = &s[..s.len().min(u16::MAX as usize)];
    put_u16(b, s.len() as u16);
    b.extend_from_slice(s)
}

fn put_text(b: &mut Vec<u8>, s: &[u8]) {
    put_str(b, &s[..s.len().min(4096)])
}

fn put_time(b: &mut Vec<u8>, t: Time) {
    put_u64(b, t.sec as u64);
    put_u32(b, t.nsec)
}

pub fn put_fault(b: &mut Vec<u8>, f: &Fault) {
    b.push(f.kind);
    put_u32(b, f.errno);
    put_text(b, &f.op);
    put_str(b, &f.path);
    put_text(b, &f.message)
}

/// An entry without a row around it.
fn put_entry(b: &mut Vec<u8>, name: &[u8], e: &Entry) {
    if let Some(fault) = &e.fault {
        b.extend_from_slice(&[0, 0x10, name.len() as u8]);
        b.extend_from_slice(name);
        return put_fault(b, fault);
    }
    let device = e.major != 0 || e.minor != 0;
    let flags = if device { 1 } else { 0 } | if e.target.is_empty() { 0 } else { 2 };
    b.extend_from_slice(&[e.kind, flags, name.len() as u8]);
    b.extend_from_slice(name);
    put_u16(b, e.perm);
    put_u32(b, e.uid);
    put_u32(b, e.gid);
    put_u32(b, e.links);
    put_u64(b, e.size as u64);
    put_time(b, e.mtime);
    put_time(b, e.ctime);
    put_u64(b, e.id.ino);
    put_u64(b, e.id.gen);
    if device {
        put_u32(b, e.major);
        put_u32(b, e.minor);
    }
    if !e.target.is_empty() {
        put_str(b, &e.target);
    }
}

/// A row, whose body is written by f.
fn put_row(b: &mut Vec<u8>, kind: u8, f: impl FnOnce(&mut Vec<u8>)) {
    b.push(kind);
    let at = b.len();
    put_u32(b, 0);
    f(b);
    let size = (b.len() - at - 4) as u32;
    b[at..at + 4].copy_from_slice(&size.to_le_bytes());
}

pub fn put_begin_dir(b: &mut Vec<u8>, index: usize, e: &Entry) {
    put_row(b, 1, |b| {
        put_u32(b, index as u32);
        put_entry(b, b".", e)
    })
}

pub fn put_entry_row(b: &mut Vec<u8>, name: &[u8], e: &Entry) {
    put_row(b, 2, |b| put_entry(b, name, e))
}

pub fn put_end_dir(b: &mut Vec<u8>, index: usize, fault: Option<&Fault>) {
    put_row(b, 3, |b| {
        put_u32(b, index as u32);
        b.push(fault.is_some() as u8);
        if let Some(f) = fault {
            put_fault(b, f)
        }
    })
}

pub fn put_read_begin(b: &mut Vec<u8>, index: usize, name: &[u8], e: &Entry) {
    b.push(1);
    put_u32(b, index as u32);
    put_entry_row(b, name, e)
}

pub fn put_read_data(b: &mut Vec<u8>, offset: u64, data: &[u8]) {
    b.push(2);
    put_u64(b, offset);
    put_u32(b, data.len() as u32);
    b.extend_from_slice(data)
}

pub fn put_read_end(b: &mut Vec<u8>, index: usize, end: std::result::Result<(&[u8], &Entry), &Fault>) {
    b.push(3);
    put_u32(b, index as u32);
    match end {
        Ok((name, e)) => {
            b.push(1);
            put_entry_row(b, name, e)
        }
        Err(f) => {
            b.push(2);
            put_fault(b, f)
        }
    }
}

/// Takes a message apart. What is not there is an error.
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        if n > self.0.len() {
            return Err(Fault::new(INPUT, "decode", "a message is cut short"));
        }
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        Ok(head)
    }

    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.take(2)?.try_into().unwrap()))
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().unwrap()))
    }

    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().unwrap()))
    }

    pub fn str(&mut self) -> Result<&'a [u8]> {
        let n = self.u16()? as usize;
        self.take(n)
    }

    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.u32()? as usize;
        self.take(n)
    }

    pub fn time(&mut self) -> Result<Time> {
        Ok(Time { sec: self.u64()? as i64, nsec: self.u32()? })
    }

    pub fn fault(&mut self) -> Result<Fault> {
        let (kind, errno) = (self.u8()?, self.u32()?);
        let (op, path, message) = (self.str()?.to_vec(), self.str()?.to_vec(), self.str()?.to_vec());
        Ok(Fault { kind, errno, op, path, message })
    }

    /// An entry row, as far as it is about a file: what follows the fixed part is
    /// skipped.
    pub fn entry_row(&mut self) -> Result<Entry> {
        let kind = self.u8()?;
        let mut c = Cursor(self.bytes()?);
        if kind != 2 {
            return Err(Fault::new(INPUT, "decode", "no entry where one should be"));
        }
        let (kind, flags, n) = (c.u8()?, c.u8()?, c.u8()?);
        c.take(n as usize)?;
        if flags == 0x10 {
            return Err(c.fault()?);
        }
        Ok(Entry {
            kind,
            perm: c.u16()?,
            uid: c.u32()?,
            gid: c.u32()?,
            links: c.u32()?,
            size: c.u64()? as i64,
            mtime: c.time()?,
            ctime: c.time()?,
            id: Id { ino: c.u64()?, gen: c.u64()? },
            ..Entry::default()
        })
    }

    /// The fields that are wanted, and paths, which are checked.
    pub fn paths(&mut self) -> Result<(u8, Vec<Vec<u8>>)> {
        let (fields, n) = (self.u8()?, self.u16()?);
        let mut out = Vec::new();
        for _ in 0..n {
            let p = self.str()?;
            if !valid_path(p) {
                return Err(Fault::new(INPUT, "decode", "a path that is none"));
            }
            out.push(p.to_vec());
        }
        Ok((fields, out))
    }
}

pub const FIELD_TARGET: u8 = 1;

pub fn valid_name(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && name.len() <= 255 && !name.contains(&0) && !name.contains(&b'/')
}

pub fn valid_path(path: &[u8]) -> bool {
    path == b"." || path.len() <= 32 << 10 && path.split(|c| *c == b'/').all(valid_name)
}

/// The last component of a path.
pub fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|c| *c == b'/').next().unwrap_or(path)
}

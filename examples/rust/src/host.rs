//! The runner: what was granted, reached by calls.

use crate::wire::{put_str, put_u32, put_u64, Cursor, Entry, Fault, Result, Time, FATAL, INPUT, PERMISSION};

#[link(wasm_import_module = "gsyncd_host_v1")]
extern "C" {
    fn call(method: u32, request: *const u8, size: u32, answer: *mut u8, room: u32) -> u32;
    fn fetch(answer: *mut u8);
}

const CLOSE: u32 = 16;
const IDENTITY: u32 = 18;
const BEACON: u32 = 19;
const DIRS: u32 = 65;
const DIR_STAT: u32 = 67;
const DIR_OPEN: u32 = 68;
const DIR_SOURCE: u32 = 69;
const READ_AT: u32 = 71;

/// The most bytes of one read.
pub const CHUNK: usize = 1 << 20;

fn ask(method: u32, request: &[u8]) -> Result<Vec<u8>> {
    let mut answer = vec![0; 4096];
    let n = unsafe { call(method, request.as_ptr(), request.len() as u32, answer.as_mut_ptr(), answer.len() as u32) } as usize;
    if n > answer.len() {
        answer.resize(n, 0);
        unsafe { fetch(answer.as_mut_ptr()) }
    }
    answer.truncate(n);
    let mut c = Cursor(&answer);
    match c.u8()? {
        0 => Ok(answer.split_off(1)),
        1 => Err(c.fault()?),
        _ => Err(Fault::new(FATAL, "call the runner", "its answer is malformed")),
    }
}

/// Something that is open at the runner. It is closed when nobody has it any more.
pub struct Handle(u32);

impl Handle {
    fn request(&self) -> Vec<u8> {
        self.0.to_le_bytes().to_vec()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = ask(CLOSE, &self.request()); // it is given up anyway
    }
}

/// A place in a granted directory.
#[derive(Clone)]
pub struct Place {
    dir: u32,
    pub path: Vec<u8>,
}

/// Finds the granted directory that holds an absolute path; of several the deepest.
pub fn find(abs: &[u8]) -> Result<Place> {
    if abs.first() != Some(&b'/') {
        return Err(Fault::new(INPUT, "find grant", format!("the path {:?} is not absolute", String::from_utf8_lossy(abs))));
    }
    let names = parts(abs);
    let answer = ask(DIRS, &[])?;
    let mut c = Cursor(&answer);
    let mut best: Option<(usize, u32)> = None;
    let mut n = 0;
    while !c.0.is_empty() {
        c.u8()?;
        let dir = parts(c.str()?);
        if names.starts_with(&dir) && best.map_or(true, |(deep, _)| dir.len() > deep) {
            best = Some((dir.len(), n));
        }
        n += 1;
    }
    let (deep, dir) = best.ok_or_else(|| {
        Fault::new(PERMISSION, "find grant", format!("no granted directory holds {:?}; allow one in the plugin's block", String::from_utf8_lossy(abs)))
    })?;
    let path = if names.len() == deep { b".".to_vec() } else { names[deep..].join(&b'/') };
    if !crate::wire::valid_path(&path) {
        return Err(Fault::new(INPUT, "find grant", "the path has a component that is no name"));
    }
    Ok(Place { dir, path })
}

fn parts(path: &[u8]) -> Vec<&[u8]> {
    path.split(|c| *c == b'/').filter(|p| !p.is_empty() && *p != b".").collect()
}

impl Place {
    fn request(&self, path: &[u8]) -> Vec<u8> {
        let mut b = self.dir.to_le_bytes().to_vec();
        put_str(&mut b, path);
        b
    }

    pub fn stat(&self) -> Result<Entry> {
        Cursor(&ask(DIR_STAT, &self.request(&self.path))?).entry_row()
    }

    /// Opens the regular file at the place.
    pub fn open(&self) -> Result<(Handle, Entry)> {
        let answer = ask(DIR_OPEN, &self.request(&self.path))?;
        let mut c = Cursor(&answer);
        Ok((Handle(c.u32()?), c.entry_row()?))
    }

    /// Opens the directory that holds the place as a tree.
    pub fn around(&self) -> Result<Handle> {
        let dir = match self.path.iter().rposition(|c| *c == b'/') {
            Some(i) => &self.path[..i],
            None => b".",
        };
        let mut b = self.request(dir);
        b.extend_from_slice(&[0, 1]); // stay on the filesystem, one job
        put_str(&mut b, b"");
        Ok(Handle(Cursor(&ask(DIR_SOURCE, &b)?).u32()?))
    }
}

impl Handle {
    pub fn read_at(&self, offset: u64, n: usize) -> Result<Vec<u8>> {
        let mut b = self.request();
        put_u64(&mut b, offset);
        put_u32(&mut b, n.min(CHUNK) as u32);
        ask(READ_AT, &b)
    }

    /// The identity of a tree, as it is encoded.
    pub fn identity(&self) -> Result<Vec<u8>> {
        ask(IDENTITY, &self.request())
    }

    /// The clock of a tree's filesystem, as it is encoded, and the time before which
    /// no change can lie that is still to come.
    pub fn beacon(&self) -> Result<(Vec<u8>, Time)> {
        let answer = ask(BEACON, &self.request())?;
        let mut c = Cursor(&answer);
        let (now, window) = (c.time()?, c.u64()? as i64);
        let mut sec = now.sec - window / 1_000_000_000;
        let mut nsec = now.nsec as i64 - window % 1_000_000_000;
        if nsec < 0 {
            nsec += 1_000_000_000;
            sec -= 1;
        }
        Ok((answer, Time { sec, nsec: nsec as u32 }))
    }
}

//! Answers the runner's calls.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::archive::{self, Archive};
use crate::host::{self, Handle, Place};
use crate::tree::id_of;
use crate::wire::*;

const MANIFEST: &[u8] = br#"{"abi":1,"name":"cpio","version":"1.0.0","schemes":["cpio"],"roles":["primary"],"schema":[{"name":"max_entries","type":"count","default":1000000,"doc":"The most entries an archive may have; one with more is not served."}]}"#;

/// Owners, devices, hard links, and fifos and sockets.
const FEATURES: u32 = 1 | 1 << 1 | 1 << 5 | 1 << 7;

/// How much goes into one piece of a stream.
const PIECE: usize = 256 << 10;
/// How many rows, a directory's begin and end among them; the runner takes 1000.
const ROWS: usize = 900;

pub struct Driver {
    last: u32,
    sources: BTreeMap<u32, Source>,
    streams: BTreeMap<u32, (u32, Stream)>, // with the source that they are on
}

struct Source {
    place: Place,
    around: Handle, // the directory that holds the archive
    max: u64,
    now: Option<Rc<Archive>>,
}

impl Driver {
    pub fn new() -> Driver {
        Driver { last: 0, sources: BTreeMap::new(), streams: BTreeMap::new() }
    }

    /// Answers one call, appending to out.
    pub fn answer(&mut self, method: u32, request: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut c = Cursor(request);
        match method {
            1 => out.extend_from_slice(MANIFEST),
            2 => check(&mut c, out)?,
            3 => self.open(&mut c, out)?,
            16 => {
                let id = c.u32()?;
                self.sources.remove(&id);
                self.streams.remove(&id);
                self.streams.retain(|_, (on, _)| *on != id);
            }
            17 => {
                let id = c.u32()?;
                let (on, stream) = self.streams.remove(&id).ok_or_else(|| gone("next"))?;
                self.pull(id, on, stream, out)?
            }
            18 => {
                let s = self.source(&mut c)?.1;
                s.current(true)?;
                let (filesystem, id) = s.identity()?;
                put_str(out, &filesystem);
                put_u64(out, id.ino);
                put_u64(out, id.gen)
            }
            19 => out.extend_from_slice(&self.source(&mut c)?.1.around.beacon()?.0),
            20 | 21 | 22 => {
                let (on, s) = self.source(&mut c)?;
                let archive = s.current(false)?;
                let place = s.place.clone();
                let (fields, paths) = c.paths()?;
                let work = Work { archive, place, fields, paths, next: 0 };
                let stream = match method {
                    20 => Stream::Scan(work, None),
                    21 => Stream::Stat(work),
                    _ => Stream::Read(work, None),
                };
                let id = self.fresh();
                self.pull(id, on, stream, out)?
            }
            _ => return Err(Fault::new(UNSUPPORTED, "call", "the driver has no such method")),
        }
        Ok(())
    }

    fn fresh(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1).max(1);
        self.last
    }

    fn source(&mut self, c: &mut Cursor) -> Result<(u32, &mut Source)> {
        let id = c.u32()?;
        Ok((id, self.sources.get_mut(&id).ok_or_else(|| gone("call"))?))
    }

    fn open(&mut self, c: &mut Cursor, out: &mut Vec<u8>) -> Result<()> {
        let req = request(c)?;
        if req.role != 1 {
            return Err(Fault::new(UNSUPPORTED, "open target", "an archive can be the primary only"));
        }
        let place = host::find(&req.rest)?;
        if place.path == b"." {
            return Err(Fault::new(INPUT, "open", "it is a directory, not an archive"));
        }
        let around = place.around()?;
        let mut s = Source { place, around, max: req.max, now: None };
        s.current(true)?;
        let id = self.fresh();
        self.sources.insert(id, s);
        put_u32(out, id);
        put_u32(out, FEATURES);
        out.extend_from_slice(&[0; 16]);
        Ok(())
    }

    /// Appends the next piece of a stream, and keeps the stream if there is more.
    fn pull(&mut self, id: u32, on: u32, mut stream: Stream, out: &mut Vec<u8>) -> Result<()> {
        let at = out.len();
        put_u32(out, 0);
        if stream.piece(out)? {
            out[at..at + 4].copy_from_slice(&id.to_le_bytes());
            self.streams.insert(id, (on, stream));
        }
        Ok(())
    }
}

fn gone(op: &str) -> Fault {
    Fault::new(GONE, op, "no such thing is open")
}

struct OpenRequest {
    role: u8,
    rest: Vec<u8>,
    max: u64,
}

fn request(c: &mut Cursor) -> Result<OpenRequest> {
    let mut req = OpenRequest { role: c.u8()?, rest: Vec::new(), max: 1_000_000 };
    c.str()?; // the scheme: there is one
    req.rest = c.str()?.to_vec();
    c.str()?;
    c.take(16)?;
    for _ in 0..c.u16()? {
        match (c.str()?, c.u8()?) {
            (b"max_entries", 3) => req.max = c.u64()?,
            _ => return Err(Fault::new(INPUT, "configure", "a setting that this driver does not have")),
        }
    }
    Ok(req)
}

/// Appends what is wrong with a request, as far as the first bytes tell.
fn check(c: &mut Cursor, out: &mut Vec<u8>) -> Result<()> {
    let req = request(c)?;
    let mut wrong: Vec<(&str, String, &str)> = Vec::new();
    if req.max < 1 {
        wrong.push(("max_entries", "no archive could be served".into(), "Write a number of entries, or leave it out."));
    }
    let name = String::from_utf8_lossy(&req.rest).into_owned();
    match host::find(&req.rest) {
        Err(f) if f.kind == PERMISSION => wrong.push(("", format!("the archive cannot be reached: {}", f.text()), "Grant the directory that holds it in the plugin's block.")),
        Err(f) => wrong.push(("", format!("the archive cannot be reached: {}", f.text()), "Write cpio:// and the absolute path of an archive: cpio:///boot/initrd.cpio.")),
        Ok(place) => match place.open() {
            Err(f) if f.kind == NOT_EXIST => wrong.push(("", format!("the archive {:?} does not exist", name), "Correct the path, or create the archive.")),
            Err(f) if f.kind == CHANGED => wrong.push(("", format!("{:?} is not a regular file", name), "Name a cpio archive, not a directory or a link to one.")),
            Err(f) => wrong.push(("", format!("the archive {:?} cannot be read: {}", name, f.text()), "Run as a user who may read it.")),
            Ok((file, e)) => {
                if let Err(f) = archive::probe(&file, e.size) {
                    wrong.push(("", format!("the archive {:?} cannot be served: {}", name, f.text()), "Name an archive that \"cpio -o -H newc\" made."))
                }
            }
        },
    }
    put_u16(out, wrong.len() as u16);
    for (attribute, summary, detail) in wrong {
        out.push(0);
        for text in [attribute, &summary, detail, ""] {
            put_str(out, text.as_bytes())
        }
    }
    Ok(())
}

impl Source {
    /// The filesystem's name, and the identity of the archive of that name in its
    /// directory, whichever version of it is there.
    fn identity(&self) -> Result<(Vec<u8>, Id)> {
        let answer = self.around.identity()?;
        let mut c = Cursor(&answer);
        let filesystem = c.str()?.to_vec();
        Ok((filesystem, id_of(&[c.take(16)?, base(&self.place.path)].concat())))
    }

    /// The archive as it is now. Where asked, one is looked through again that could
    /// have changed since without showing it.
    fn current(&mut self, sure: bool) -> Result<Rc<Archive>> {
        let e = self.place.stat()?;
        if let Some(now) = &self.now {
            if archive::same(&e, &now.entry) && (now.settled || !sure) {
                return Ok(now.clone());
            }
        }
        let root = self.identity()?.1;
        let now = Rc::new(archive::load(&self.place, &self.around, root, self.max)?);
        self.now = Some(now.clone());
        Ok(now)
    }
}

/// What a stream is about.
struct Work {
    archive: Rc<Archive>,
    place: Place,
    fields: u8,
    paths: Vec<Vec<u8>>,
    next: usize,
}

enum Stream {
    /// With the directory that is open, and the last name told of it.
    Scan(Work, Option<(usize, Option<Vec<u8>>)>),
    Stat(Work),
    /// With how far the file that is open has been read, and the sum of its bytes.
    Read(Work, Option<(u64, u32)>),
}

impl Stream {
    /// Appends a piece and reports whether there is more.
    fn piece(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        match self {
            Stream::Scan(work, open) => Ok(work.scan(open, out)),
            Stream::Stat(work) => Ok(work.stat(out)),
            Stream::Read(work, open) => Ok(work.read(open, out)),
        }
    }
}

impl Work {
    /// The entry as it is wanted.
    fn shown(&self, e: &Entry) -> Entry {
        let mut e = e.clone();
        if self.fields & FIELD_TARGET == 0 {
            e.target.clear();
        }
        e
    }

    fn scan(&mut self, open: &mut Option<(usize, Option<Vec<u8>>)>, out: &mut Vec<u8>) -> bool {
        let mut rows = 0;
        while self.next < self.paths.len() {
            let path = &self.paths[self.next];
            let tree = &self.archive.tree;
            if open.is_none() {
                match tree.dir(path) {
                    Err(f) => {
                        put_end_dir(out, self.next, Some(&f));
                        self.next += 1;
                    }
                    Ok(at) => {
                        put_begin_dir(out, self.next, tree.entry(at));
                        *open = Some((at, None));
                    }
                }
                rows += 1;
            }
            if let Some((at, last)) = open {
                let from = last.take();
                for (name, kid) in tree.after(*at, from.as_deref()) {
                    put_entry_row(out, name, &self.shown(tree.entry(kid)));
                    rows += 1;
                    if rows >= ROWS || out.len() >= PIECE {
                        *last = Some(name.to_vec());
                        return true;
                    }
                }
                put_end_dir(out, self.next, None);
                rows += 1;
                self.next += 1;
                *open = None;
            }
            if rows >= ROWS || out.len() >= PIECE {
                break;
            }
        }
        self.next < self.paths.len()
    }

    fn stat(&mut self, out: &mut Vec<u8>) -> bool {
        for _ in 0..ROWS {
            if self.next == self.paths.len() || out.len() >= PIECE {
                break;
            }
            let path = &self.paths[self.next];
            let e = match self.archive.tree.find(path) {
                Ok(at) => self.shown(self.archive.tree.entry(at)),
                Err(f) => Entry { fault: Some(f), ..Entry::default() },
            };
            put_entry_row(out, base(path), &e);
            self.next += 1;
        }
        self.next < self.paths.len()
    }

    fn read(&mut self, open: &mut Option<(u64, u32)>, out: &mut Vec<u8>) -> bool {
        while self.next < self.paths.len() && out.len() < PIECE {
            let path = &self.paths[self.next];
            match self.file(path, open, out) {
                Ok(false) => continue,
                Ok(true) => {}
                Err(f) => put_read_end(out, self.next, Err(&f)),
            }
            *open = None;
            self.next += 1;
        }
        self.next < self.paths.len()
    }

    /// Goes on with a file, and reports whether it is complete.
    fn file(&self, path: &[u8], open: &mut Option<(u64, u32)>, out: &mut Vec<u8>) -> Result<bool> {
        let (e, data) = self.archive.tree.file(path)?;
        let (at, sum) = match open {
            Some(o) => *o,
            None => {
                put_read_begin(out, self.next, base(path), e);
                (0, 0)
            }
        };
        let want = (e.size as u64 - at).min(PIECE as u64) as usize;
        if want > 0 {
            let part = self.archive.file.read_at(data.offset + at, want)?;
            if part.len() != want {
                return Err(Fault::new(CHANGED, "read", "the archive was cut short").at(path));
            }
            put_read_data(out, at, &part);
            let sum = part.iter().fold(sum, |s, b| s.wrapping_add(*b as u32));
            *open = Some((at + want as u64, sum));
            return Ok(false);
        }
        // What is wrong with the data may be that the archive was overwritten.
        if !archive::same(&self.place.stat()?, &self.archive.entry) {
            return Err(Fault::new(CHANGED, "read", "the archive was changed while it was read").at(path));
        }
        if data.sum.map_or(false, |want| want != sum) {
            return Err(Fault::new(FATAL, "read", "its data does not have the checksum that the archive says").at(path));
        }
        put_read_end(out, self.next, Ok((base(path), e)));
        Ok(true)
    }
}

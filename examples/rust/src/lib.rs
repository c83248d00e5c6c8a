//! A driver that is written from docs/plugin-abi.md alone: cpio:// is the tree in a
//! cpio archive, such as an initramfs image, as a primary.
//!
//! This file is the border: what the module exports. Behind it, `driver` answers
//! calls, `archive` reads cpio, `tree` holds what was found, `wire` knows the
//! encodings and `host` the runner.

mod archive;
mod driver;
mod host;
mod sha256;
mod tree;
mod wire;

/// What lives between two calls. The module has one thread, and exports have no
/// receiver, so there is no other place for it.
struct Module {
    driver: driver::Driver,
    request: Vec<u8>,
    answer: Vec<u8>,
}

static mut MODULE: Option<Module> = None;

fn module() -> &'static mut Module {
    // One thread, and the runner makes one call at a time.
    unsafe {
        if MODULE.is_none() {
            MODULE = Some(Module { driver: driver::Driver::new(), request: Vec::new(), answer: Vec::new() });
        }
        MODULE.as_mut().unwrap()
    }
}

#[no_mangle]
pub extern "C" fn gsyncd_abi_version() -> u32 {
    1
}

/// Gives a place for a request of that size.
#[no_mangle]
pub extern "C" fn gsyncd_alloc(size: u32) -> *mut u8 {
    let m = module();
    m.request.clear();
    m.request.resize(size as usize, 0);
    m.request.as_mut_ptr()
}

/// Answers the request that was written to the place of gsyncd_alloc.
#[no_mangle]
pub extern "C" fn gsyncd_call(method: u32, request: *const u8, size: u32) -> u64 {
    let m = module();
    let asked = if size == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(request, size as usize) } };
    m.answer.clear();
    m.answer.push(0);
    if let Err(fault) = m.driver.answer(method, asked, &mut m.answer) {
        m.answer.clear();
        m.answer.push(1);
        wire::put_fault(&mut m.answer, &fault);
    }
    (m.answer.as_ptr() as u64) << 32 | m.answer.len() as u64
}

//! What becomes of freed memory in the process of a user of the library.
//!
//! It is a test of its own, because it looks at the allocator of a whole process.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::{io, time::Duration};

use wirehook::Server;

/// Larger than any other block of this process, so that only the server can have changed what becomes of it.
const LEN: usize = 8 * 1024 * 1024;

/// Whether a large block still has pages of its own, which return to the system as soon as it is freed.
///
/// glibc keeps two words about such a block at the start of its first page. A block in the heap is after
/// others.
fn has_pages_of_its_own() -> bool {
    const PAGE: usize = 4096;
    let block = Vec::<u8>::with_capacity(LEN);
    let is_first = block.as_ptr().addr() % PAGE == 2 * size_of::<usize>();
    // This one must not teach the allocator to keep the next: glibc learns when a block is freed.
    std::mem::forget(block);
    is_first
}

/// Runs a server until it shuts itself down.
fn run(server: Server) -> io::Result<()> {
    let server = server.state::<()>();
    let handle = server.handle();
    server.after(Duration::ZERO, move |_| handle.shutdown()).run()
}

#[test]
fn the_allocator_is_changed_only_where_it_is_asked_for() -> io::Result<()> {
    assert!(has_pages_of_its_own());
    run(Server::bind("127.0.0.1:0")?)?;
    assert!(has_pages_of_its_own(), "a server changes nothing by itself");
    run(Server::bind("127.0.0.1:0")?.tune_heap())?;
    assert!(!has_pages_of_its_own(), "a block of this length comes out of what is kept");
    Ok(())
}

//! The way into a running loop from other threads.
//!
//! This file knows how to leave a wish and wake the loop. It refuses to know how the loop fulfils it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use log::error;
use mio::Waker;

/// Reaches a server that runs on another thread; clones reach the same one.
///
/// ```no_run
/// let server = wirehook::Server::bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// std::thread::spawn(move || {
///     // … when it is time:
///     handle.shutdown();
/// });
/// server.run() // returns after the last connection has closed
/// # ; Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    waker: Waker,
    shutdown: AtomicBool,
}

impl Handle {
    pub(super) fn new(waker: Waker) -> Self {
        Self { shared: Arc::new(Shared { waker, shutdown: AtomicBool::new(false) }) }
    }

    /// Stops accepting, closes every connection with 1001 (§7.4.1), and lets
    /// [`Server::run`](crate::Server::run) return when all have answered, or after
    /// [`close_timeout`](crate::Config::close_timeout). Calling it again changes nothing.
    pub fn shutdown(&self) {
        self.shared.shutdown.store(true, Ordering::Release);
        if let Err(error) = self.shared.waker.wake() {
            error!("the loop could not be woken: {error}");
        }
    }

    /// Whether shutdown was asked for.
    pub(super) fn is_shutdown(&self) -> bool {
        self.shared.shutdown.load(Ordering::Acquire)
    }
}

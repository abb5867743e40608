//! Ctrl-C and SIGTERM: the first ends the server in order, the second ends it at once.
//!
//! This file knows signals, where there are any. It refuses to know what the end looks like: the library knows that.
//! On systems that are not Unix, Ctrl-C ends the process as the system does it.
//!
//! No thread waits for them: the handler of a signal writes into a pipe that the server's loop listens at. A second
//! thread would make every system call of the loop dearer, for then two share the table of descriptors.

use std::io;

use wirehook::{Handler, Server};

/// Has the server end at the first signal, and the process at the second.
#[cfg(unix)]
pub(super) fn shut_down_on_signal<H: Handler>(server: Server<H>) -> io::Result<Server<H>> {
    use std::{
        os::unix::net::UnixStream,
        sync::{Arc, atomic::AtomicBool},
    };

    use signal_hook::{
        consts::{SIGINT, SIGTERM},
        flag,
        low_level::pipe,
    };

    /// What a shell reports for a process that a signal has ended is 128 and the signal's number.
    const ENDED_BY_SIGNAL: i32 = 128;

    let (ours, signals) = UnixStream::pair()?;
    let one_has_come = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // What is registered first is asked first: the first signal finds the flag down, and raises it.
        flag::register_conditional_shutdown(signal, ENDED_BY_SIGNAL + signal, Arc::clone(&one_has_come))?;
        flag::register(signal, Arc::clone(&one_has_come))?;
        pipe::register(signal, signals.try_clone()?)?;
    }
    server.stopped_by(ours)
}

#[cfg(not(unix))]
pub(super) fn shut_down_on_signal<H: Handler>(server: Server<H>) -> io::Result<Server<H>> {
    Ok(server)
}

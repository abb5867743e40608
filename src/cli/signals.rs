//! Ctrl-C and SIGTERM: the first ends the server in order, the second ends it at once.
//!
//! This file knows signals, where there are any. It refuses to know what the end looks like: the library's
//! handle knows that. On systems that are not Unix, Ctrl-C ends the process as the system does it.

use std::io;

use wirehook::Handle;

/// Watches for signals on a thread of its own.
#[cfg(unix)]
pub(super) fn shut_down_on_signal(handle: Handle) -> io::Result<()> {
    use std::{process, thread};

    use signal_hook::{
        consts::{SIGINT, SIGTERM},
        iterator::Signals,
    };

    /// What a shell reports for a process that a signal has ended is 128 and the signal's number.
    const ENDED_BY_SIGNAL: i32 = 128;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            handle.shutdown();
        }
        if let Some(signal) = signals.next() {
            process::exit(ENDED_BY_SIGNAL + signal);
        }
    })?;
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn shut_down_on_signal(_: Handle) -> io::Result<()> {
    Ok(())
}

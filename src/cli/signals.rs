//! Ctrl-C, SIGTERM and SIGHUP: the first ends the server in order, the second ends it at once.
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
        consts::{SIGHUP, SIGINT, SIGTERM},
        flag,
        low_level::pipe,
    };

    /// What a shell reports for a process that a signal has ended is 128 and the signal's number.
    const ENDED_BY_SIGNAL: i32 = 128;

    let (ours, signals) = UnixStream::pair()?;
    let one_has_come = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // `nohup` has a program outlive its terminal so.
        if is_ignored(signal) {
            continue;
        }
        // What is registered first is asked first: the first signal finds the flag down, and raises it.
        flag::register_conditional_shutdown(signal, ENDED_BY_SIGNAL + signal, Arc::clone(&one_has_come))?;
        flag::register(signal, Arc::clone(&one_has_come))?;
        pipe::register(signal, signals.try_clone()?)?;
    }
    server.stopped_by(ours)
}

/// Whether whoever has started this process has it ignore a signal, as far as the system tells: Linux does.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_signals(&status).is_some_and(|ignored| ignored >> (signal - 1) & 1 == 1)
}

/// The set of signals that a `/proc/…/status` says are ignored; the lowest bit is signal 1.
#[cfg(unix)]
fn ignored_signals(status: &str) -> Option<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

#[cfg(not(unix))]
pub(super) fn shut_down_on_signal<H: Handler>(server: Server<H>) -> io::Result<Server<H>> {
    Ok(server)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_off_the_status() {
        let status = "Name:\twirehook\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert_eq!(ignored_signals(status), Some(0x1001));
        assert_eq!(ignored_signals("SigBlk:\t1\n"), None);
    }
}

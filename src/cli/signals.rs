//! Ctrl-C, SIGTERM and SIGHUP: the first signal shuts the server down in order, the second ends it at once.
//! With TLS, SIGHUP is left to `tls.rs`.
//!
//! This file knows signals, on systems that have them; the library shuts down. On systems other than Unix,
//! Ctrl-C ends the process as usual.
//!
//! No thread waits for signals: the signal handler writes into a pipe that the server's loop polls. A second
//! thread would make every system call of the loop slower, because the two would share the descriptor table.

use std::io;

use wirehook::{Handler, Server};

/// Shuts the server down at the first signal, and ends the process at the second.
#[cfg(unix)]
pub(super) fn shut_down_on_signal<H: Handler>(
    server: Server<H>,
    spares_sighup: bool,
) -> io::Result<Server<H>> {
    use std::{
        os::unix::net::UnixStream,
        sync::{Arc, atomic::AtomicBool},
    };

    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        flag,
        low_level::pipe,
    };

    /// Shells report 128 plus the signal's number for a process ended by a signal.
    const ENDED_BY_SIGNAL: i32 = 128;

    let (ours, signals) = UnixStream::pair()?;
    let one_has_come = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // `nohup` uses this to let a program outlive its terminal.
        if is_ignored(signal) || signal == SIGHUP && spares_sighup {
            continue;
        }
        // Actions run in the order of registration: the first signal finds the flag unset, and sets it.
        flag::register_conditional_shutdown(signal, ENDED_BY_SIGNAL + signal, Arc::clone(&one_has_come))?;
        flag::register(signal, Arc::clone(&one_has_come))?;
        pipe::register(signal, signals.try_clone()?)?;
    }
    server.stopped_by(ours)
}

/// Returns whether the parent process made this one ignore a signal, where the system tells (Linux does).
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_signals(&status).is_some_and(|ignored| ignored >> (signal - 1) & 1 == 1)
}

/// Returns the set of ignored signals in a `/proc/…/status`; the lowest bit is signal 1.
#[cfg(unix)]
fn ignored_signals(status: &str) -> Option<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

#[cfg(not(unix))]
pub(super) fn shut_down_on_signal<H: Handler>(server: Server<H>, _: bool) -> io::Result<Server<H>> {
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

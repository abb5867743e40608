//! A process as the system sees it: memory, descriptors, processor time.
//!
//! This file reads Linux's `/proc`. It knows no limits.

use std::{fs, io, time::Duration};

/// Returns the resident memory in KiB, counted page by page: `status` can be off by hundreds of KiB.
pub(crate) fn resident(pid: u32) -> io::Result<u64> {
    field(pid, "smaps_rollup", "Rss:")
}

/// Returns the peak of resident memory.
pub(crate) fn most_resident(pid: u32) -> io::Result<u64> {
    field(pid, "status", "VmHWM:")
}

/// Returns the number of open descriptors.
pub(crate) fn descriptors(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Returns the processor time of all threads. A running thread is counted up to its last tick.
pub(crate) fn cpu(pid: u32) -> io::Result<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        sum +=
            text.split(' ').next().and_then(|it| it.parse::<u64>().ok()).ok_or_else(|| unreadable(&text))?;
    }
    Ok(Duration::from_nanos(sum))
}

fn field(pid: u32, file: &str, name: &str) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|it| it.trim().strip_suffix(" kB")?.parse().ok()).ok_or_else(|| unreadable(name))
}

fn unreadable(what: &str) -> io::Error {
    io::Error::other(format!("/proc says nothing of use: {what:?}"))
}

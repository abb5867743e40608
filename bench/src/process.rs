//! What the kernel tells about a process, and what a process may ask of it: CPU time, memory, a core,
//! descriptors.
//!
//! Linux only, by way of `/proc`. It knows nothing of sockets or contestants.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit};
use rustix::thread::CpuSet;

/// Returns the CPU time that all threads of a process have used, in user code and in the kernel on its
/// behalf.
///
/// `schedstat` counts nanoseconds; it needs a kernel built with it, so the tick counter is read where it is
/// missing. The kernel brings the counter of a running thread up to date only now and then: read it while the
/// process sleeps.
pub(crate) fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut total = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        total += match fs::read_to_string(task.join("schedstat")) {
            Ok(text) => Duration::from_nanos(field(&text, 0)?),
            Err(_) => ticks(&fs::read_to_string(task.join("stat"))?)?,
        };
    }
    Ok(total)
}

/// User and system time from a `stat` line, whose second field is a name in brackets that may contain spaces.
fn ticks(stat: &str) -> io::Result<Duration> {
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = field(after_name, 11)? + field(after_name, 12)?;
    Ok(Duration::from_secs(ticks) / rustix::param::clock_ticks_per_second() as u32)
}

fn field(text: &str, index: usize) -> io::Result<u64> {
    let value = text.split_whitespace().nth(index).and_then(|value| value.parse().ok());
    value.ok_or_else(|| io::Error::other(format!("unexpected line in /proc: {text:?}")))
}

/// Returns the bytes of physical memory of a process.
///
/// `smaps_rollup` walks the page tables; the cheaper counters elsewhere in `/proc` are late by some pages per
/// core.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find(|line| line.starts_with("Rss:"));
    Ok(field(line.unwrap_or_default(), 1)? * 1024)
}

/// Keeps the calling thread, and what it starts from now on, on one core.
pub(crate) fn pin_to(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(rustix::thread::sched_setaffinity(None, &cores)?)
}

pub(crate) fn core_count() -> usize {
    rustix::thread::sched_getaffinity(None).map_or(1, |cores| cores.count() as usize)
}

/// Makes the kernel kill this process when its parent ends, for any reason. It survives an `exec`.
pub(crate) fn die_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?)
}

/// Raises the limit on open files as far as it goes without privileges; a connection is one. Returns the
/// limit.
pub(crate) fn raise_file_limit() -> io::Result<u64> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// The processor and the kernel, for the record.
pub(crate) fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(" : unknown processor");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{}, {} cores, Linux {}", model.trim_start_matches([' ', '\t', ':']), core_count(), kernel.trim())
}

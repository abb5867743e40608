//! One turn: a fresh process of one contestant under the load of one row, and what that cost.
//!
//! Checks, warm-up and timed part run on the same connections. CPU time is read while the server sleeps, so
//! it belongs to the messages between the two readings and to nothing else.

use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::client::{self, Driven, Message};
use crate::contestants::{Contestant, Running};
use crate::rows::{Flow, Load, Row};
use crate::stats::Latency;
use crate::{Result, process};

/// What one turn measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) row: &'static str,
    pub(crate) contestant: String,
    pub(crate) round: usize,
    /// The figure, in the row's unit.
    pub(crate) cost: f64,
    /// Messages, deliveries, handshakes or connections that the figure is a mean of.
    pub(crate) count: u64,
    pub(crate) timing: Option<Timing>,
}

/// What is known beside the figure where time plays a part.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Timing {
    pub(crate) per_second: f64,
    pub(crate) latency_us: Option<Latency>,
    /// The server's share of one core. Well below 1 it was waiting for the client.
    pub(crate) server_busy: f64,
    /// The share of the time in which there was something to do for the client, which never sleeps.
    pub(crate) client_busy: f64,
}

/// Which core the contestants run on, and how long a timed part is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    pub(crate) server_core: Option<usize>,
    pub(crate) timed: Duration,
}

/// Long enough to fill caches and to grow what grows.
const WARM_UP: Duration = Duration::from_millis(100);
/// … and again as long as there were fewer answers: with large messages a server's memory still grows.
const WARM_UP_ANSWERS: u64 = 64;
/// Enough for a server to sleep after its last message, or to notice that its peers have left.
const SETTLE: Duration = Duration::from_millis(20);
/// Messages that each connection has checked before and after the timed part.
const CHECKS: u64 = 2;

pub(crate) fn measure(
    contestant: &Contestant,
    row: &Row,
    round: usize,
    conditions: Conditions,
) -> Result<Sample> {
    let launched = Instant::now();
    let server = contestant.start(&row.load, conditions.server_core)?;
    let started_in = launched.elapsed();
    let look = contestant.echoes_bytes();
    let (cost, count, timing) = match row.load {
        Load::Messages { connections, message, flow } => {
            let mut streams = client::connect_many(server.address, connections, &message, look)?;
            let answer = client::answer_len(&mut streams, &message, look)?;
            check(&mut streams, &message, flow, look)?;
            let measured =
                timed(&server, conditions, |time| drive(&mut streams, &message, answer, flow, time))?;
            check(&mut streams, &message, flow, look)?;
            measured
        }
        Load::Handshakes { concurrent } => {
            timed(&server, conditions, |time| client::handshakes(server.address, concurrent, time))?
        }
        Load::Idle { connections, message } => idle(&server, connections, &message, look)?,
        Load::StartUp => (started_in.as_secs_f64() * 1e6, 1, None),
    };
    Ok(Sample { row: row.name, contestant: contestant.name.clone(), round, cost, count, timing })
}

type Measured = (f64, u64, Option<Timing>);

fn drive(
    streams: &mut Vec<TcpStream>,
    message: &Message,
    answer: usize,
    flow: Flow,
    time: Duration,
) -> Result<Driven> {
    match flow {
        Flow::Echo { in_flight } => client::echo(streams, message, answer, in_flight, time),
        Flow::Paced { per_second } => client::paced(streams, message, answer, per_second, time),
        Flow::FanOut { in_flight } => client::fan_out(streams, message, answer, in_flight, time),
    }
}

/// Compares the bytes of answers, on the connections of the timed part, which only counts them.
fn check(streams: &mut [TcpStream], message: &Message, flow: Flow, look: bool) -> Result<()> {
    match flow {
        // Every connection gets what the first one publishes.
        Flow::FanOut { .. } => {
            (0..CHECKS).try_for_each(|seed| client::exchange(streams, message, seed, look))
        }
        // Every connection gets its own messages, each of them another.
        Flow::Echo { .. } | Flow::Paced { .. } => {
            (0..).step_by(CHECKS as usize).zip(streams.chunks_mut(1)).try_for_each(|(first, stream)| {
                (first..first + CHECKS).try_for_each(|seed| client::exchange(stream, message, seed, look))
            })
        }
    }
}

/// Runs a load to warm the server up, and again between two readings of its CPU time.
fn timed(
    server: &Running,
    conditions: Conditions,
    mut load: impl FnMut(Duration) -> Result<Driven>,
) -> Result<Measured> {
    let mut answers = 0;
    while answers < WARM_UP_ANSWERS {
        answers += load(WARM_UP)?.count;
    }
    let cpu_time = || {
        sleep(SETTLE);
        process::cpu_time(server.pid())
    };
    let before = cpu_time()?;
    let driven = load(conditions.timed)?;
    let server_cpu = (cpu_time()? - before).as_secs_f64();
    let elapsed = driven.elapsed.as_secs_f64();
    let timing = Timing {
        per_second: driven.count as f64 / elapsed,
        latency_us: driven.latencies.latency(),
        server_busy: server_cpu / elapsed,
        client_busy: 1.0 - driven.idle.as_secs_f64() / elapsed,
    };
    Ok((server_cpu * 1e6 / driven.count as f64, driven.count, Some(timing)))
}

/// Returns the memory of a silent connection, once each has opened and sent one message.
fn idle(server: &Running, connections: usize, message: &Message, look: bool) -> Result<Measured> {
    // What the first connection allocates is shared by all.
    let mut first = client::connect_many(server.address, 1, message, look)?;
    client::exchange(&mut first, message, 0, look)?;
    sleep(SETTLE);
    let before = process::resident_bytes(server.pid())?;
    let mut streams = Vec::with_capacity(connections);
    for index in 0..connections {
        let mut stream = client::connect_many(server.address, 1, message, look)?;
        client::exchange(&mut stream, message, index as u64, look)?;
        streams.append(&mut stream);
    }
    sleep(SETTLE);
    let grown = process::resident_bytes(server.pid())?.saturating_sub(before);
    Ok((grown as f64 / connections as f64, connections as u64, None))
}

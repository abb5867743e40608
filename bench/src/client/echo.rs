//! Echo, as a closed loop or at a set pace.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mio::Events;

use super::connection::{Connections, Pattern};
use super::{Driven, Message, wait_awake};
use crate::Result;
use crate::stats::Histogram;

const EVENTS_PER_TURN: usize = 1024;

/// Keeps `in_flight` messages in flight on every connection for about the given time: an answer sends the
/// next.
///
/// The connections must have nothing in flight, and have nothing in flight afterwards.
pub(crate) fn echo(
    streams: &mut Vec<TcpStream>,
    message: &Message,
    answer: usize,
    in_flight: usize,
    duration: Duration,
) -> Result<Driven> {
    let mut echoes = Echoes::new(std::mem::take(streams), message, answer, in_flight)?;
    for index in 0..echoes.connections.all.len() {
        echoes.send(index, in_flight)?;
    }
    while echoes.outstanding > 0 {
        let then = if echoes.start.elapsed() < duration { Then::SendAnother } else { Then::Nothing };
        echoes.wait()?;
        echoes.collect(then)?;
    }
    echoes.end(streams)
}

/// Sends `per_second` messages a second for the given time, one connection after the other.
///
/// It spins on its core between messages: no timer is fine enough.
pub(crate) fn paced(
    streams: &mut Vec<TcpStream>,
    message: &Message,
    answer: usize,
    per_second: u32,
    duration: Duration,
) -> Result<Driven> {
    let mut echoes = Echoes::new(std::mem::take(streams), message, answer, 1)?;
    let mut turn = (0..echoes.connections.all.len()).cycle();
    let interval = Duration::from_secs(1) / per_second;
    let mut due = Duration::ZERO;
    while due < duration {
        if echoes.start.elapsed() >= due {
            echoes.send(turn.next().unwrap_or_default(), 1)?;
            due += interval;
        }
        echoes.look()?;
        echoes.collect(Then::Nothing)?;
    }
    while echoes.outstanding > 0 {
        echoes.wait()?;
        echoes.collect(Then::Nothing)?;
    }
    echoes.end(streams)
}

/// What follows an answer.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Then {
    SendAnother,
    Nothing,
}

/// Messages on their way, and the connections they travel on.
struct Echoes {
    connections: Connections,
    events: Events,
    pattern: Pattern,
    /// The length of an answer on the wire.
    answer: usize,
    /// When each message in flight left, per connection, the oldest first.
    departures: Vec<VecDeque<u64>>,
    latencies: Histogram,
    start: Instant,
    idle: Duration,
    outstanding: usize,
    count: u64,
}

impl Echoes {
    fn new(streams: Vec<TcpStream>, message: &Message, answer: usize, in_flight: usize) -> Result<Self> {
        Ok(Self {
            departures: vec![VecDeque::with_capacity(in_flight); streams.len()],
            connections: Connections::new(streams)?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            pattern: Pattern::new(&message.encode(0), in_flight),
            answer,
            latencies: Histogram::new(),
            start: Instant::now(),
            idle: Duration::ZERO,
            outstanding: 0,
            count: 0,
        })
    }

    fn send(&mut self, index: usize, messages: usize) -> Result<()> {
        self.connections.all[index].send(messages, &self.pattern)?;
        let now = self.start.elapsed().as_nanos() as u64;
        self.departures[index].extend(std::iter::repeat_n(now, messages));
        self.outstanding += messages;
        Ok(())
    }

    /// Waits for answers.
    fn wait(&mut self) -> Result<()> {
        self.idle += wait_awake(&mut self.connections.poll, &mut self.events)?;
        if self.events.is_empty() {
            return Err(format!("{} messages were never answered", self.outstanding).into());
        }
        Ok(())
    }

    /// Handles answers that are there, without waiting.
    fn look(&mut self) -> Result<()> {
        Ok(self.connections.poll.poll(&mut self.events, Some(Duration::ZERO))?)
    }

    /// Reads what is there.
    fn collect(&mut self, then: Then) -> Result<()> {
        for event in &self.events {
            let index = event.token().0;
            let connection = &mut self.connections.all[index];
            if event.is_writable() {
                connection.flush(&self.pattern)?;
            }
            if !event.is_readable() {
                continue;
            }
            let answers = connection.receive(&mut self.connections.buffer, self.answer)?;
            if answers == 0 {
                continue;
            }
            if answers > self.departures[index].len() {
                return Err("there were more answers than messages".into());
            }
            let now = self.start.elapsed().as_nanos() as u64;
            for departure in self.departures[index].drain(..answers) {
                self.latencies.record(now - departure, 1);
            }
            self.count += answers as u64;
            if then == Then::SendAnother {
                connection.send(answers, &self.pattern)?;
                self.departures[index].extend(std::iter::repeat_n(now, answers));
            } else {
                self.outstanding -= answers;
            }
        }
        Ok(())
    }

    fn end(self, streams: &mut Vec<TcpStream>) -> Result<Driven> {
        let elapsed = self.start.elapsed();
        *streams = self.connections.into_streams()?;
        Ok(Driven { count: self.count, elapsed, idle: self.idle, latencies: self.latencies })
    }
}

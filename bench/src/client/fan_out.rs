//! Fan-out: the first connection publishes, all of them receive, and the next message leaves when all have
//! one.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use mio::Events;

use super::connection::{Connections, Pattern};
use super::{Driven, Message, wait_awake};
use crate::Result;
use crate::stats::Histogram;

/// Runs the loop for about the given time. What it counts are deliveries; what it times is a message until
/// its last one.
pub(crate) fn fan_out(
    streams: &mut Vec<TcpStream>,
    message: &Message,
    answer: usize,
    in_flight: usize,
    duration: Duration,
) -> Result<Driven> {
    let pattern = Pattern::new(&message.encode(0), in_flight);
    let mut connections = Connections::new(std::mem::take(streams))?;
    let receivers = connections.all.len();
    let mut events = Events::with_capacity(receivers.max(1));
    let mut latencies = Histogram::new();
    let mut window = Window::new(receivers, in_flight);

    let start = Instant::now();
    connections.all[0].send(in_flight, &pattern)?;
    let mut departures = vec![start; in_flight];
    let mut sent = in_flight;
    let mut idle = Duration::ZERO;
    while window.complete < sent {
        idle += wait_awake(&mut connections.poll, &mut events)?;
        if events.is_empty() {
            return Err(
                format!("{} of {sent} messages did not reach everyone", sent - window.complete).into()
            );
        }
        let before = window.complete;
        for event in &events {
            let connection = &mut connections.all[event.token().0];
            if event.is_writable() {
                connection.flush(&pattern)?;
            }
            if event.is_readable() {
                let answers = connection.receive(&mut connections.buffer, answer)?;
                window.delivered(event.token().0, answers);
            }
        }
        let now = Instant::now();
        for index in before..window.complete {
            latencies.record((now - departures[index % in_flight]).as_nanos() as u64, 1);
            departures[index % in_flight] = now;
        }
        if now - start < duration {
            connections.all[0].send(window.complete - before, &pattern)?;
            sent += window.complete - before;
        }
    }
    let elapsed = start.elapsed();
    *streams = connections.into_streams()?;
    Ok(Driven { count: (sent * receivers) as u64, elapsed, idle, latencies })
}

/// The deliveries of the messages in flight.
struct Window {
    /// How many messages each connection has received.
    received: Vec<usize>,
    /// How many connections still wait for each message in flight, by the message's number modulo their
    /// count.
    waiting: Vec<usize>,
    /// How many messages have reached all connections.
    complete: usize,
}

impl Window {
    fn new(receivers: usize, in_flight: usize) -> Self {
        Self { received: vec![0; receivers], waiting: vec![receivers; in_flight], complete: 0 }
    }

    fn delivered(&mut self, receiver: usize, messages: usize) {
        let (receivers, in_flight) = (self.received.len(), self.waiting.len());
        for _ in 0..messages {
            let slot = self.received[receiver] % in_flight;
            self.received[receiver] += 1;
            self.waiting[slot] -= 1;
            // All receive in the same order, so messages complete in that order too.
            if self.waiting[slot] == 0 {
                self.waiting[slot] = receivers;
                self.complete += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_complete_when_the_last_receiver_has_it() {
        let mut window = Window::new(2, 2);
        window.delivered(0, 2);
        assert_eq!(window.complete, 0);
        window.delivered(1, 1);
        assert_eq!(window.complete, 1);
        window.delivered(0, 1);
        window.delivered(1, 2);
        assert_eq!(window.complete, 3);
    }
}

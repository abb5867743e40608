//! One connection as the rest of the server sees it: its socket, what it may still be sent, how it ends.
//!
//! This file knows the life of a connection after accept. It refuses to know what it receives: that is the
//! conversation's business.
//!
//! ```text
//! Connecting ──▶ Open ──▶ Closing ──▶ Finishing ──▶ Lingering ──▶ gone
//!     │           │                      ▲
//!     └───────────┴── refused, failed ───┘        Dead: gone at the end of the turn, from any stage
//! ```

use std::net::SocketAddr;

use super::{backlog::Backlog, deadlines::LoopTime, meter::Meter};
use crate::{
    cause::Cause,
    config::Config,
    protocol::{CloseCode, Sender},
    transport::Stream,
};

/// Where a connection stands, seen from the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The request head is awaited.
    Connecting,
    /// Messages go both ways.
    Open,
    /// Our Close is on its way; the peer's is awaited (§7.1.3).
    Closing,
    /// Nothing new is sent; what waits still goes out.
    Finishing,
    /// All is sent and TCP is closed from our side (§7.1.1). Input is thrown away until the peer closes too:
    /// closing with unread input would reset the connection, and the peer could lose our last words.
    Lingering,
    /// Removed at the end of the turn.
    Dead,
}

impl Stage {
    /// Whether the connection is open or may become so: the ones that count against `max_connections`.
    pub(crate) const fn is_live(self) -> bool {
        matches!(self, Self::Connecting | Self::Open | Self::Closing)
    }
}

/// How a connection ended, kept until its hook has been told.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) code: CloseCode,
    pub(crate) reason: String,
    pub(crate) cause: Cause,
    pub(crate) clean: bool,
}

impl Ending {
    /// §7.1.5: without a Close from the peer the code is 1006.
    pub(crate) const fn abnormal(cause: Cause) -> Self {
        Self { code: CloseCode::ABNORMAL, reason: String::new(), cause, clean: false }
    }
}

/// One connection's sending side. Every open connection has one, so every byte here counts.
#[derive(Debug)]
pub(crate) struct Outbound<S> {
    pub(crate) stream: Stream,
    pub(crate) address: SocketAddr,
    pub(crate) sender: Sender,
    pub(crate) stage: Stage,
    /// The socket has refused bytes and has not taken all of them since.
    pub(crate) blocked: bool,
    /// The loop is told when the socket has room; asked for at the first refusal, and kept.
    pub(crate) write_interest: bool,
    /// Bytes were queued in this turn and are flushed at its end.
    pub(crate) dirty: bool,
    /// It is not read from, because it doesn't take what it causes. Only the loop lifts this, once it has gone on
    /// with the input that was put aside: input must not overtake input.
    pub(crate) paused: bool,
    /// A ping was sent, and nothing has come since.
    pub(crate) pinged: bool,
    /// The peer has closed its side of TCP.
    pub(crate) read_closed: bool,
    /// It is counted among the connections of its address.
    pub(crate) admitted: bool,
    /// It asks for figures, and is no client.
    pub(crate) is_metrics: bool,
    /// Bytes that are held of its input.
    pub(crate) input_held: usize,
    /// What waits to be written; nearly always nothing.
    pub(crate) outbox: Option<Box<Outbox>>,
    pub(crate) subprotocol: Option<Box<str>>,
    /// While open: the last sign of life, or the ping that asked for one. Otherwise: when the stage began, or when
    /// the peer last took some of what waits.
    pub(crate) since: LoopTime,
    /// The earliest time at which the timer looks at this connection.
    pub(crate) scheduled: LoopTime,
    /// What the user keeps for the connection.
    pub(crate) state: S,
}

/// What waits to be written to a peer.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) backlog: Backlog,
    /// The payload of the latest ping, to be answered once the peer has taken something, and the pong before
    /// this one (§5.5.3).
    pub(crate) pong: Option<Vec<u8>>,
    /// How many bytes go out before the last pong that was queued has left.
    pub(crate) until_pong: usize,
    /// When the peer is given up although it still takes what waits; set once its closing has begun.
    pub(crate) give_up_at: Option<LoopTime>,
}

impl Outbox {
    fn held(&self) -> usize {
        self.backlog.held() + self.pong.as_ref().map_or(0, Vec::len)
    }
}

/// Empty places to wait in, to be used again: a broadcast needs one for each receiver, turn after turn.
#[derive(Debug)]
pub(crate) struct OutboxPool {
    #[expect(clippy::vec_box, reason = "the boxes themselves are used again")]
    empty: Vec<Box<Outbox>>,
    meter: Meter,
}

impl OutboxPool {
    /// How many empty places are kept.
    const KEPT: usize = 1024;

    pub(crate) const fn new(meter: Meter) -> Self {
        Self { empty: Vec::new(), meter }
    }

    pub(crate) fn take(&mut self) -> Box<Outbox> {
        self.empty.pop().unwrap_or_else(|| {
            Box::new(Outbox {
                backlog: Backlog::new(&self.meter),
                pong: None,
                until_pong: 0,
                give_up_at: None,
            })
        })
    }

    /// Takes a place back from which everything has gone out.
    pub(crate) fn give_back(&mut self, mut outbox: Box<Outbox>) {
        if self.empty.len() < Self::KEPT && outbox.backlog.is_small() {
            (outbox.pong, outbox.until_pong, outbox.give_up_at) = (None, 0, None);
            self.empty.push(outbox);
        }
    }
}

impl<S: Default> Outbound<S> {
    pub(crate) fn new(stream: Stream, address: SocketAddr, now: LoopTime) -> Self {
        Self {
            stream,
            address,
            sender: Sender::default(),
            stage: Stage::Connecting,
            blocked: false,
            paused: false,
            write_interest: false,
            dirty: false,
            pinged: false,
            read_closed: false,
            admitted: false,
            is_metrics: false,
            input_held: 0,
            outbox: None,
            subprotocol: None,
            since: now,
            scheduled: LoopTime::NEVER,
            state: S::default(),
        }
    }
}

impl<S> Outbound<S> {
    /// Bytes that wait to be written.
    #[inline]
    pub(crate) fn buffered(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.backlog.len())
    }

    /// Bytes that are held for it, input and output.
    pub(crate) fn held(&self) -> usize {
        self.input_held + self.outbox.as_ref().map_or(0, |outbox| outbox.held())
    }

    /// When the timer has to look at this connection, if ever.
    pub(crate) fn due(&self, config: &Config) -> Option<LoopTime> {
        Some(match self.stage {
            Stage::Connecting => self.since + config.handshake_timeout,
            Stage::Open if self.pinged => self.since + config.pong_timeout,
            Stage::Open => self.since + config.ping_interval?,
            Stage::Closing | Stage::Finishing | Stage::Lingering => {
                let due = self.since + config.close_timeout;
                self.outbox.as_ref().and_then(|it| it.give_up_at).map_or(due, |at| at.min(due))
            }
            Stage::Dead => return None,
        })
    }
}

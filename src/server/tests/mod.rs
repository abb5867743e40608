//! Tests of the loop under faults that real sockets do not have on demand: short writes at every point,
//! errors of every call, a clock that stands still or jumps. They run in the worlds of `server/simulator/`.
//!
//! Each file has one subject:
//!
//! - `io.rs`: writes, reads and registrations that fail or are partial.
//! - `accepting.rs`: accepts that fail, storms of clients, caps.
//! - `time.rs`: every deadline, one millisecond before and at it.
//! - `pausing.rs`: connections that the application does not read from for a while.
//! - `pressure.rs`: slow peers, and the bytes held for them.
//! - `turns.rs`: the most work of one turn.
//! - `memory.rs`: how much memory peers can make the server hold.
//! - `hooks.rs`: hooks and tasks that panic, timers, handles, shutdown.
//! - `stages.rs`: every way to send, to a connection in every stage.
//! - `day.rs`: one day of clients, with every figure by hand.
//! - `endings.rs`: all endings of a connection, and the arguments of its `on_close`.
//! - `again.rs`: events that happen again.
//! - `several.rs`: effects of one connection on others, and several items of which the first fails.
//! - `observing.rs`: the calls of an observer.
//! - `outbound.rs`: connections that the loop opens itself.
//! - `later.rs`: requests that the application answers later.
//! - `logs.rs`: the lines of the log.
//! - `random.rs`: everything together, by fixed seeds.
//! - `wire.rs`: the RFC's rules, from a client's bytes to the end of TCP.

mod accepting;
mod again;
#[cfg(feature = "deflate")]
mod compression;
mod day;
mod endings;
mod hooks;
mod io;
mod later;
mod logs;
mod memory;
mod observing;
mod outbound;
mod pausing;
mod pressure;
mod random;
mod several;
mod stages;
mod time;
mod turns;
mod wire;

use std::{
    cell::{Cell, RefCell},
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::panic_any,
    rc::Rc,
    time::Duration,
};

use super::{
    Handle,
    event_loop::{LISTENER, METRICS, WAKER},
    simulator::{
        self, ADDRESS, ANSWER, Client, PanicsWhenDropped, REQUEST, TrafficObserver, World, frame, header,
        is_close, readable, server_frame, server_text,
    },
};
use crate::{
    Cause, CloseCode, Config, ConnId, Message, Observer, PeerAddr, WebSocket,
    hub::{LoopTime, ObserverSlot},
    transport::{Ready, Script},
};

//! Tests of the loop under faults that sockets don't have on demand: short writes at every point, errors at
//! every call, a clock that stands, jumps and creeps. They run in the worlds of `server/simulator/`.
//!
//! Each file has one subject:
//!
//! - `io.rs`: writes, reads and registrations that fail or do half of what they should.
//! - `accepting.rs`: accepts that fail, storms of clients, caps.
//! - `time.rs`: every deadline, one millisecond before and at it.
//! - `pausing.rs`: connections that the application does not read from for a while.
//! - `pressure.rs`: slow peers, and what is held for them.
//! - `turns.rs`: what one turn does at most.
//! - `memory.rs`: how much memory peers can make the server hold.
//! - `hooks.rs`: hooks and tasks that panic, timers, handles, draining.
//! - `stages.rs`: every way to send, to a connection in every stage.
//! - `endings.rs`: every way a connection ends, and the arguments of its `on_close`.
//! - `again.rs`: what happens for the second time.
//! - `several.rs`: what one connection causes for others, and several of which the first one is bad.
//! - `observing.rs`: what an observer is shown.
//! - `logs.rs`: what a log says.
//! - `random.rs`: everything at once, by fixed seeds.
//! - `wire.rs`: what the RFC asks for, from a client's bytes to the end of TCP.

mod accepting;
mod again;
mod endings;
mod hooks;
mod io;
mod logs;
mod memory;
mod observing;
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
        ADDRESS, ANSWER, Client, PanicsWhenDropped, REQUEST, TrafficObserver, World, frame, header, is_close,
        readable, server_frame, server_text,
    },
};
use crate::{
    Cause, CloseCode, Config, ConnId, Message, Observer, PeerAddr, WebSocket,
    hub::{LoopTime, ObserverSlot},
    transport::{Listener, Poll, Ready, Script, Stream, Token},
};

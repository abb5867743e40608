//! The sending side of all connections: which there are, what is sent to them, and what waits.
//!
//! This module knows sockets, backlogs and deadlines, and asks `protocol/` what a frame looks like. It
//! refuses to know what was received and which hook handles it: the hooks and the loop call it.
//!
//! Calls go down only. From the top:
//!
//! - `broadcasting.rs`: messages to many, and in fragments. `keepalive.rs`: pings and pongs. `budget.rs`:
//!   what all connections may hold together, and which ones go.
//! - `sending.rs`: a message to one connection; the fast path. `opening.rs`: the answer to a request.
//! - `closing.rs`: how a connection ends; it acts on what became of bytes.
//! - `writing.rs`: the cork, the backlog, the socket; says what became of bytes.
//! - `connecting.rs`: a connection that the program opens itself, until it is open.
//! - `stages.rs`: what depends on a connection's stage: counts, deadlines, endings.
//! - `compression.rs`: when a message is compressed (`compression/off.rs` without the feature `deflate`).
//! - `table.rs`: [`Hub`], the table of all connections, and what the loop collects.
//! - The parts: `outbound.rs` (one connection), `stage.rs`, `client_side.rs`, `control.rs`, `masked.rs`,
//!   `cork.rs`, `backlog.rs`, `meter.rs`, `registry.rs`, `deadlines.rs`, `timers.rs`, `quota.rs`,
//!   `admission.rs`, `leaving.rs`, `serializing.rs`, `observer.rs`.

mod admission;
mod backlog;
mod broadcasting;
mod budget;
mod client_side;
mod closing;
#[cfg_attr(not(feature = "deflate"), path = "compression/off.rs")]
mod compression;
mod connecting;
mod control;
mod cork;
mod deadlines;
mod keepalive;
mod leaving;
mod masked;
mod meter;
mod observer;
mod opening;
mod outbound;
mod quota;
mod registry;
mod sending;
mod serializing;
mod stage;
mod stages;
mod table;
mod timers;
mod writing;

pub(crate) use backlog::SHARE_LEN;
pub use broadcasting::BroadcastStatus;
pub(crate) use client_side::{ClientSender, Step};
pub(crate) use deadlines::LoopTime;
#[cfg(feature = "deflate")]
pub(crate) use meter::Meter;
pub(crate) use meter::SharedMessage;
pub use observer::Observer;
pub(crate) use observer::ObserverSlot;
pub(crate) use outbound::{End, Outbound, Stage};
pub use registry::ConnId;
pub use sending::SendStatus;
pub(crate) use table::{Hub, ROOM, Task};
pub use timers::TimerId;
pub(crate) use timers::Timers;

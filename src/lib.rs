//! A WebSocket server to run, to read and to attack: RFC 6455 by hand, on one thread, with hooks.
//!
//! ```no_run
//! use wirehook::Server;
//!
//! Server::bind("127.0.0.1:9501")?
//!     .on_open(|ws, _request| {
//!         println!("connection open: {}", ws.id());
//!         ws.send("welcome to the websocket server!");
//!     })
//!     .on_message(|ws, message| {
//!         if let Some(text) = message.as_text() {
//!             ws.send(&format!("hello, {text} !"));
//!         }
//!     })
//!     .on_close(|ws, _close| println!("connection close: {}", ws.id()))
//!     .run()
//! # ; Ok::<(), std::io::Error>(())
//! ```
//!
//! # How bytes pass through
//!
//! ```text
//! kernel ─read─▶ buffer ─&mut [u8]─▶ Receiver ─Event<'_>─▶ hook ─▶ WebSocket::send ─▶ cork ─write─▶ kernel
//!        server/                     protocol/             yours      peers/, protocol/
//! ```
//!
//! - [`protocol`] is RFC 6455 and nothing else: bytes in, events and bytes out. It can be used, and fuzzed,
//!   without the rest.
//! - [`explain`] says what bytes mean, frame by frame, in words and as JSON.
//! - [`Server`] is the loop: one thread, one poll, all sockets non-blocking.
//! - [`Handler`] has the hooks as a trait; the methods of [`Server`] take them as closures.
//! - [`WebSocket`] is what a hook holds: its own connection, and the way to all others.
//!
//! One server is one thread. Whoever wants more cores runs more servers.
//!
//! # In scope, out of scope
//!
//! In scope: everything that RFC 6455 demands of a server, held to the letter; limits on all that a peer can
//! cost; the hooks. Out of scope so far: TLS (put a proxy in front), compression (offers are ignored, as §9.1
//! allows), the client's role, other things than WebSocket on the same port.
//!
//! # Features
//!
//! - `cli` (default): what the binary needs. A library user does without: `default-features = false`.
//! - `simdutf8` (default): a faster check of long texts that are not ASCII.

#![forbid(unsafe_code)]

mod cause;
mod config;
mod connections;
pub mod explain;
mod handler;
mod observer;
mod peers;
pub mod protocol;
mod server;
mod stats;
mod trace;
mod websocket;

pub use cause::Cause;
pub use config::{Backpressure, Config};
pub use connections::Connections;
pub use handler::{Closed, Handler, Hooks, Upgrade};
pub use observer::Observer;
pub use peers::{BroadcastStatus, ConnId, SendStatus, TimerId};
pub use protocol::{CloseCode, Limits, Message};
pub use server::{Handle, HandleError, Server};
pub use stats::Stats;
pub use websocket::WebSocket;

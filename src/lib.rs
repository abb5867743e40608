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
//!             ws.send(format!("hello, {text} !"));
//!         }
//!     })
//!     .on_close(|ws, _close| println!("connection close: {}", ws.id()))
//!     .run()
//! # ; Ok::<(), std::io::Error>(())
//! ```
//!
//! Any client talks to it. Here the server runs on this thread and a client of another crate on a second one:
//!
//! ```
//! # use std::thread;
//! # use wirehook::Server;
//! let server = Server::bind("127.0.0.1:0")?.on_message(|ws, message| {
//!     ws.send(format!("hello, {} !", message.as_text().unwrap_or("you")));
//! });
//! let (url, handle) = (format!("ws://{}", server.local_addr()?), server.handle());
//!
//! let client = thread::spawn(move || {
//!     let (mut socket, _response) = tungstenite::connect(url)?;
//!     socket.send("Ann".into())?;
//!     let answer = socket.read()?;
//!     handle.shutdown();
//!     answer.into_text()
//! });
//! server.run()?;
//! assert_eq!(client.join().unwrap().unwrap().as_str(), "hello, Ann !");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Depend on it
//!
//! ```toml
//! [dependencies]
//! wirehook = { version = "0.1", default-features = false, features = ["simdutf8"] }
//! ```
//!
//! | feature | by default | adds |
//! |---|---|---|
//! | `simdutf8` | yes | a faster check of long texts that are not ASCII |
//! | `client` | yes | random bytes of the operating system, for connections that the program opens |
//! | `deflate` | yes | compressed messages (permessage-deflate, RFC 7692); off until [`Config::compression`] is set |
//! | `cli` | yes | what only the binary needs; a library user leaves it out |
//! | `tls` | no | TLS for clients (`Server::tls`), with rustls |
//! | `full` | no | the default ones, and `tls` |
//! | `testing` | no | the module `testing`: tests of a handler without sockets; for dev-dependencies |
//!
//! `examples/` has programs to copy: stop on Ctrl-C, authentication, a ticker on another thread, a page and
//! its WebSocket, the codec under tokio, tests of a handler.
//!
//! # How bytes pass through
//!
//! ```text
//! kernel ─read─▶ buffer ─&mut [u8]─▶ Receiver ─Event<'_>─▶ hook ─▶ WebSocket::send ─▶ cork ─write─▶ kernel
//!        transport/                  protocol/             yours      hub/, protocol/        transport/
//! ```
//!
//! - [`protocol`] is RFC 6455 and nothing else: it takes bytes and returns events and bytes. It can be used,
//!   and fuzzed, without the rest.
//! - [`explain`] says what bytes mean, frame by frame, in words and as JSON.
//! - [`Server`] is the loop: one thread, one poll, all sockets non-blocking.
//! - [`Handler`] has the hooks as a trait; the methods of [`Server`] take them as closures.
//! - [`WebSocket`] is what a hook holds: its own connection, and the way to all others.
//!
//! One server is one thread. To use more cores, run more servers.
//!
//! # From front to back
//!
//! 1. [`Server`]: the life of a connection, with a client that writes its bytes by hand; and an example of
//!    each hook.
//! 2. [`Handler`]: a picture of which hook is called when. [`Upgrade`] is the answer to a request; [`Closed`]
//!    says how a connection ended, and its [`Cause`] why.
//! 3. [`WebSocket`] and [`Connections`]: what a hook or a timer can do; [`SendStatus`]: what became of a
//!    message.
//! 4. [`Handle`]: the same from other threads.
//! 5. [`Config`], [`Stats`] and [`Observer`]: limits, figures, and the bytes of every connection.
//! 6. [`protocol`]: the codec; it begins with an order of its own.
//!
//! In the examples `talk(server, bytes)` runs the server and is its client: it requests `/ann`, sends
//! `bytes`, sends a Close after the first answer, and returns what came after the 101. Most masks are zero
//! there, so that payloads can be read. It is a few dozen lines over a `TcpStream`, in `docs/talk.rs`.
//!
//! # The source, in thirty minutes
//!
//! `protocol/frame.rs`, `protocol/receiver.rs`, `protocol/handshake/check.rs`, `server/inbound.rs`, `turn` in
//! `server/event_loop.rs`, `finish_closed` in `settling.rs` below it, `hub/sending.rs`, `hub/writing.rs`: the
//! way of a byte from the wire to the hook and back. `docs/reading.md` says what to notice in each, and
//! `docs/exercises.md` what to change first.
//!
//! # Proof
//!
//! `docs/rfc6455.md` has each sentence of the RFC with the function that obeys it and the test that proves
//! it. `docs/security.md` says what each attack costs, `docs/testing.md` what each kind of test can and can't
//! find, `docs/performance.md` what a message costs.
//!
//! # In scope, out of scope
//!
//! In scope: everything that RFC 6455 demands of a server, to the letter; limits on what a peer can cost; the
//! hooks; one page for a plain GET or HEAD ([`Handler::on_http`]); with the feature `tls`, TLS for clients.
//! Out of scope so far: TLS for connections that the program opens, more of HTTP on the same port.

#![forbid(unsafe_code)]

// The binary's modules know this crate by its name. Fuzz targets reach them here.
#[cfg(all(fuzzing, feature = "cli"))]
extern crate self as wirehook;

mod cause;
#[cfg(all(fuzzing, feature = "cli"))]
#[allow(dead_code)]
mod cli;
mod config;
mod connect;
mod connections;
mod entropy;
pub mod explain;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod handler;
mod hooks;
mod hub;
mod outgoing;
mod panics;
pub mod protocol;
mod router;
mod server;
mod stats;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod trace;
mod transport;
mod upgrade;
mod websocket;

pub use cause::Cause;
#[cfg(feature = "deflate")]
pub use config::Compression;
pub use config::{Backpressure, Config};
pub use connect::{ConnectError, ConnectionRole, Target};
pub use connections::Connections;
pub use handler::{Closed, Handler};
pub use hooks::{HookSet, Hooks, NoHooks};
pub use hub::{BroadcastStatus, ConnId, Observer, SendStatus, TimerId};
pub use outgoing::Outgoing;
pub use protocol::{CloseCode, Limits, Message};
pub use router::{Route, Router};
pub use server::{Handle, HandleError, Server};
pub use stats::Stats;
pub use transport::PeerAddr;
#[cfg(feature = "tls")]
pub use transport::TlsConfig;
pub use upgrade::{PendingUpgrade, Upgrade};
pub use websocket::WebSocket;

/// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

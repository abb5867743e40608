//! The loop over real sockets on the loopback: an independent client where things go their ordinary way, and
//! one that says any bytes where they don't.
//!
//! Nothing here sleeps: tests wait for frames, for the end of a connection, or for what a hook reports.

#[path = "../common/mod.rs"]
mod common;
mod harness;

mod closing;
mod crowd;
mod echo;
mod endings;
mod figures;
mod flow;
mod opening;
mod outbound;
mod routes;
mod sending;
// It hands over the pipe that ends a server, which only Unix has.
#[cfg(unix)]
mod setup;
mod threads;
mod time;
#[cfg(feature = "tls")]
mod tls;

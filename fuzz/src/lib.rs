//! What must hold for any bytes: the bodies of the fuzz targets, and the seeds that they start from.
//!
//! This crate knows independent ways to the same result: a client's encoder, naive twins, a model of §5 and
//! §7, another implementation. It refuses to know where the bytes come from: libFuzzer makes them for
//! `fuzz_targets/`, and the main crate's `tests/corpus.rs` includes this file to replay what was kept.
//!
//! A body takes bytes and panics when its invariant, which is at the top of its file, is broken.

#![forbid(unsafe_code)]

pub mod chunks;
mod client;
pub mod client_handshake;
pub mod client_session;
mod cut;
pub mod differential;
pub mod explain;
#[cfg(feature = "deflate")]
pub mod extensions;
pub mod frame_header;
pub mod handshake;
#[cfg(feature = "deflate")]
pub mod inflate;
pub mod mask;
mod plan;
pub mod receiver;
pub mod round_trip;
pub mod seeds;
pub mod session;
pub mod utf8;

use wirehook::protocol::Limits;

/// A target's name, which is also that of its folder in `corpus/` and `crashes/`, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets but those that need the inside of wirehook: the body of `server` is in
/// `src/server/simulator/fuzz.rs`, those of `arguments`, `capture` and `replay_peer` are in `src/cli/`.
pub const TARGETS: [Target; 12] = [
    ("frame_header", frame_header::body),
    ("receiver", receiver::body),
    ("chunks", chunks::body),
    ("handshake", handshake::body),
    ("client_handshake", client_handshake::body),
    ("client_session", client_session::body),
    ("round_trip", round_trip::body),
    ("mask", mask::body),
    ("utf8", utf8::body),
    ("session", session::body),
    ("differential", differential::body),
    ("explain", explain::body),
];

/// The targets of the feature `deflate`.
#[cfg(feature = "deflate")]
pub const DEFLATE_TARGETS: [Target; 2] = [("inflate", inflate::body), ("extensions", extensions::body)];

/// The message limits that raw frames are tried with, in bytes: one that a few fragments reach, and one that
/// takes a 64-bit length (§5.2).
const MESSAGE_LIMITS: [usize; 2] = [1000, 65_536];

fn messages_up_to(max_message_size: usize) -> Limits {
    let mut limits = Limits::default();
    limits.max_message_size = max_message_size;
    limits
}

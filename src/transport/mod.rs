//! The sockets: how bytes are read and written, and how clients are accepted.
//!
//! This module knows the operating system's sockets. It refuses to know frames, connections and the loop: it
//! imports nothing of the crate.
//!
//! - `stream.rs`: a connected stream of bytes.
//! - `tls.rs`: the kind of stream whose bytes travel through TLS.
//! - `tls_config.rs`: the certificates and keys of TLS.
//! - `listener.rs`: a listening socket, from which clients are accepted.
//! - `address.rs`: the addresses of listeners and of peers.
//! - `poll.rs`: how the loop learns what is ready. `mio` is named in this folder only.
//! - `stop_pipe.rs`: a pipe whose other end asks the server to stop.
//! - `read_buffer.rs`: the buffer that all streams are read into.
//! - `script.rs`: the stream of the simulator, which follows a script.

mod address;
mod listener;
mod poll;
mod read_buffer;
#[cfg(any(test, fuzzing, feature = "testing"))]
// The fuzz target and users' tests need less of it than the loop's own tests.
#[cfg_attr(not(test), allow(dead_code))]
mod script;
mod stop_pipe;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_config;

pub use address::PeerAddr;
pub(crate) use address::bind;
pub(crate) use listener::{Listener, TcpListener};
pub(crate) use poll::{Events, Poll, PollRegistry, Ready, Token, Waker};
pub(crate) use read_buffer::ReadBuffer;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub(crate) use script::Script;
pub(crate) use stop_pipe::StopPipe;
pub(crate) use stream::{Read, Stream};
#[cfg(feature = "tls")]
pub(crate) use tls::TlsAcceptor;
#[cfg(feature = "tls")]
pub use tls_config::TlsConfig;
#[cfg(feature = "tls")]
pub(crate) use tls_config::TlsSlot;

//! The contestants that are compiled in: each a single-threaded server that prints its address and runs until
//! killed.
//!
//! Each does one of two things with a message: return it to its sender, or send it to all connections, the
//! sender's included. They know nothing of the measurement but the lengths of the messages: the bare one
//! counts with them, and tokio-tungstenite gets a buffer that fits.

mod bare;
mod fastwebsockets;
mod tungstenite;
mod wirehook;
mod ws_rs;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use crate::Result;

/// What a server does with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Service {
    Echo,
    /// An echo that compresses, and holds no window between two messages.
    Compressed,
    FanOut,
}

impl Service {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Compressed => "compressed",
            Self::FanOut => "fan-out",
        }
    }
}

/// `NAME SERVICE BYTES_IN BYTES_OUT`: the last two are the wire lengths of a message on its way in and out.
pub(crate) fn main(arguments: impl Iterator<Item = String>) -> Result<()> {
    let arguments: Vec<String> = arguments.collect();
    let [name, service, bytes_in, bytes_out] = arguments.as_slice() else {
        return Err("usage: bench serve NAME echo|compressed|fan-out BYTES_IN BYTES_OUT".into());
    };
    let service = match service.as_str() {
        "echo" => Service::Echo,
        "compressed" => Service::Compressed,
        "fan-out" => Service::FanOut,
        other => return Err(format!("no such service: {other}").into()),
    };
    match name.as_str() {
        "bare-mio" => bare::run(service, bytes_in.parse()?, bytes_out.parse()?),
        "tokio-tungstenite" => tungstenite::run(service, bytes_in.parse()?),
        "fastwebsockets" => fastwebsockets::run(service),
        "wirehook" => wirehook::run(service),
        "ws" => ws_rs::run(service),
        other => Err(format!("no contestant called {other} is compiled in").into()),
    }
}

/// Returns a non-blocking listener on a free port of the loopback interface.
///
/// On Linux an accepted socket inherits `TCP_NODELAY` from its listener, which saves every server that starts
/// from this one a system call per connection.
fn listener() -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let as_stream = TcpStream::from(OwnedFd::from(listener));
    as_stream.set_nodelay(true)?;
    Ok(TcpListener::from(OwnedFd::from(as_stream)))
}

/// Prints the address for the process that started this one.
fn announce(address: SocketAddr) -> Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ws://{address}")?;
    Ok(stdout.flush()?)
}

/// One thread, which polls for I/O and runs the tasks.
fn current_thread_runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_io().build()?)
}

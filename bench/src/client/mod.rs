//! The load: non-blocking sockets, and frames encoded beforehand.
//!
//! Nearly all of it are closed loops: the next message leaves when an answer is complete, so the server sets
//! the pace. To be cheap, the timed part only counts the bytes of answers whose length is known; what the
//! bytes *are* is checked before and after it, on the same connections, with [`exchange`]. An answer of the
//! wrong length shows there too: everything after it is shifted.
//!
//! A timed part never sleeps: a client that does is woken by the server's send, and on the server's time. A
//! peer on another machine never costs a server that, and here it would depend on which of the two happens to
//! be the faster one.
//!
//! The load treats all contestants alike and knows none of them.

mod connection;
mod echo;
mod fan_out;
// By hand, without the codec that is measured.
#[path = "../../../src/server/simulator/frames.rs"]
mod frames;
mod handshake;
mod message;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mio::{Events, Poll};

pub(crate) use echo::{echo, paced};
pub(crate) use fan_out::fan_out;
pub(crate) use handshake::handshakes;
pub(crate) use message::{Content, Message};

use crate::Result;
use crate::stats::Histogram;

/// The request for a connection without windows of its own, which compresses (RFC 7692 §7.1).
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
     client_no_context_takeover\r\n\r\n";

/// The opening request, with the key of the example in RFC 6455 §1.3, so that the answer is known.
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What a server has to answer at least; the bare contestant answers just this.
pub(crate) const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
     Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A server that is silent for this long has lost a message; a longer wait would only hide it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a timed part counted.
pub(crate) struct Driven {
    /// Echoes, deliveries or handshakes.
    pub(crate) count: u64,
    pub(crate) elapsed: Duration,
    /// How long there was nothing to do for the client.
    pub(crate) idle: Duration,
    pub(crate) latencies: Histogram,
}

/// Polls until there are events, or the time limit has passed; returns how long there were none.
fn wait_awake(poll: &mut Poll, events: &mut Events) -> Result<Duration> {
    poll.poll(events, Some(Duration::ZERO))?;
    if !events.is_empty() {
        return Ok(Duration::ZERO);
    }
    let since = Instant::now();
    while events.is_empty() && since.elapsed() < PATIENCE {
        // Where the server has no core of its own, it has to get this one.
        std::thread::yield_now();
        poll.poll(events, Some(Duration::ZERO))?;
    }
    Ok(since.elapsed())
}

/// Opens a connection and upgrades it. `compresses` offers compression, which the server has to accept if
/// `look`.
pub(crate) fn connect(address: SocketAddr, compresses: bool, look: bool) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    match REQUEST.strip_suffix("\r\n") {
        Some(fields) if compresses => stream.write_all(format!("{fields}{OFFER}").as_bytes())?,
        _ => stream.write_all(REQUEST.as_bytes())?,
    }
    let mut answer = Vec::with_capacity(512);
    let mut buffer = [0; 512];
    while !is_complete(&answer) {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err("closed during the handshake".into());
        }
        answer.extend_from_slice(&buffer[..length]);
    }
    check_upgrade(&answer)?;
    let agrees = answer.windows(18).any(|it| it == b"permessage-deflate");
    if look && agrees != compresses {
        return Err(format!("compression was offered: {compresses}, accepted: {agrees}").into());
    }
    Ok(stream)
}

pub(crate) fn connect_many(
    address: SocketAddr,
    count: usize,
    message: &Message,
    look: bool,
) -> Result<Vec<TcpStream>> {
    (0..count).map(|_| connect(address, message.is_compressed(), look)).collect()
}

fn is_complete(answer: &[u8]) -> bool {
    answer.windows(4).any(|window| window == b"\r\n\r\n")
}

fn check_upgrade(answer: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(answer);
    if text.starts_with("HTTP/1.1 101 ") && text.contains(ACCEPT) && text.ends_with("\r\n\r\n") {
        return Ok(());
    }
    Err(format!("the handshake was answered with {text:?}").into())
}

/// Sends one message on the first connection and reads one answer from each of them, which must be its echo,
/// byte for byte.
///
/// `look` is false for a server that sends any bytes of the right number.
pub(crate) fn exchange(streams: &mut [TcpStream], message: &Message, seed: u64, look: bool) -> Result<()> {
    let Some(first) = streams.first_mut() else { return Ok(()) };
    // The length of a compressed message depends on its content, and the bare server knows one length.
    let seed = if message.is_compressed() && !look { 0 } else { seed };
    first.write_all(&message.encode(seed))?;
    if message.is_compressed() && look {
        return streams.iter_mut().try_for_each(|stream| read_echo(stream, message, seed).map(drop));
    }
    let expected = message.answer(seed);
    let mut answer = vec![0; expected.len()];
    for stream in streams {
        stream.read_exact(&mut answer)?;
        if look && answer != expected {
            return Err(difference(&answer, &expected).into());
        }
    }
    Ok(())
}

/// Returns how many bytes the answer to the message of the timed part has on the wire.
///
/// A server chooses the bytes of a compressed answer, and chooses the same ones each time, because no
/// window is taken over.
pub(crate) fn answer_len(streams: &mut [TcpStream], message: &Message, look: bool) -> Result<usize> {
    match streams.first_mut() {
        Some(stream) if message.is_compressed() && look => {
            stream.write_all(&message.encode(0))?;
            read_echo(stream, message, 0)
        }
        _ => Ok(message.answer(0).len()),
    }
}

/// Reads one frame, which must be the echo. Returns its length on the wire.
fn read_echo(stream: &mut TcpStream, message: &Message, seed: u64) -> Result<usize> {
    let mut header = [0; 4];
    stream.read_exact(&mut header[..2])?;
    let (header_len, len) = match header[1] {
        126 => {
            stream.read_exact(&mut header[2..])?;
            (4, usize::from(u16::from_be_bytes([header[2], header[3]])))
        }
        len @ 0..126 => (2, usize::from(len)),
        _ => return Err("a compressed answer is longer than any row's".into()),
    };
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload)?;
    if message.is_echo(seed, header[0], &payload) {
        return Ok(header_len + len);
    }
    Err(format!("not the echo: {header:02x?} and {len} bytes").into())
}

fn difference(answer: &[u8], expected: &[u8]) -> String {
    let at = answer.iter().zip(expected).position(|(a, b)| a != b).unwrap_or_default();
    let around = |bytes: &[u8]| format!("{:02x?}", &bytes[at..bytes.len().min(at + 8)]);
    format!("not the echo: {} instead of {} at byte {at}", around(answer), around(expected))
}

//! A client that sends exactly the given bytes, for the tests of the server and of the binary.
//!
//! This file knows sockets with a time limit, frames and response heads. It refuses to know the rules that a
//! client has to keep: tests break them with it. Every wait ends within [`PATIENCE`], so that a server that
//! doesn't answer makes a test fail and never hang.

// Several test crates share this file, and none needs all of it.
#![allow(dead_code)]

#[path = "../../src/server/simulator/frames.rs"]
mod frames;
#[cfg(all(unix, feature = "cli"))]
pub(crate) mod process;

use std::{
    fmt,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How much earlier than its time something may seem to come: the server counts in milliseconds.
pub(crate) const GRAIN: Duration = Duration::from_millis(5);

/// §5.2: the first bytes of whole messages and control frames.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

/// The masking key of all frames here; any will do, but a zero in it would hide a mask that is not applied.
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// The example of §1.3.
pub(crate) const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A request that passes, for another target and with more headers, each with its line end.
pub(crate) fn request(target: &str, headers: &str) -> String {
    REQUEST.replacen("GET / ", &format!("GET {target} "), 1).replacen(
        "\r\n\r\n",
        &format!("\r\n{headers}\r\n"),
        1,
    )
}

/// Returns a client's frame that begins with the byte `first`.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frames::client_frame(first, KEY, payload)
}

/// The payload of a Close frame (§5.5.1).
pub(crate) fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// A frame as it came from the server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn text(text: &str) -> Self {
        Self { first: TEXT, payload: text.into() }
    }

    pub(crate) fn close(code: u16, reason: &str) -> Self {
        Self { first: CLOSE, payload: close_body(code, reason) }
    }
}

impl fmt::Debug for Frame {
    /// Short, whatever the payload: it is shown where two frames differ.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.payload.get(..60).unwrap_or(&self.payload).escape_ascii();
        write!(f, "{:#04x}, {} bytes: \"{shown}\"", self.first, self.payload.len())
    }
}

/// A response that is no upgrade, read to its end.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Status line and header lines.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Refusal {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// The value of a header in a response head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().filter_map(|line| line.split_once(": ")).find(|(it, _)| *it == name).map(|(_, value)| value)
}

/// One side of a TCP connection to a server.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects, and says nothing yet.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Connects and opens a WebSocket connection.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.write(REQUEST.as_bytes());
        client.expect_open();
        client
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// A second hold on the same socket, to write from another thread.
    pub(crate) fn writer(&self) -> TcpStream {
        self.socket().try_clone().unwrap()
    }

    // --- Saying ------------------------------------------------------------------------------------------

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the server takes what it is sent");
    }

    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        self.write(&frame(first, payload));
    }

    pub(crate) fn send_text(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes());
    }

    pub(crate) fn send_close(&mut self, code: u16, reason: &str) {
        self.send(CLOSE, &close_body(code, reason));
    }

    /// Closes the client's side of TCP and continues to read.
    pub(crate) fn half_close(&self) {
        self.socket().shutdown(Shutdown::Write).unwrap();
    }

    /// Waits until input is unread here, so that closing the socket resets the connection.
    pub(crate) fn leave_unread(&mut self) {
        assert!(self.stream.buffer().is_empty(), "nothing else is on its way");
        self.send(PING, b"");
        let arrived = uninterrupted(|| self.socket().peek(&mut [0])).expect("a pong comes");
        assert_eq!(arrived, 1, "the server is still there");
    }

    // --- Hearing -----------------------------------------------------------------------------------------

    /// Reads the head of a response, its empty line not included.
    pub(crate) fn head(&mut self) -> io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        head.truncate(head.len() - 2);
        Ok(head)
    }

    /// Reads a response of 101, and returns its head.
    pub(crate) fn expect_open(&mut self) -> String {
        let head = self.head().expect("a response comes");
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        // §1.3: what the key of the request leads to.
        assert_eq!(header(&head, "Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        head
    }

    /// Reads a response to the very end of the connection, which must be an orderly one.
    pub(crate) fn refusal(&mut self) -> Refusal {
        let head = self.head().expect("a response comes");
        let status = head[9..12].parse().expect("a status code");
        let mut body = String::new();
        self.stream.read_to_string(&mut body).expect("the end comes, and it is no reset");
        assert_eq!(header(&head, "Content-Length"), Some(&*body.len().to_string()), "{head}");
        Refusal { status, head, body }
    }

    /// The next frame; `None` at an orderly end.
    pub(crate) fn try_frame(&mut self) -> io::Result<Option<Frame>> {
        if self.is_at_end()? {
            return Ok(None);
        }
        let [first, len] = self.bytes()?;
        let len = match len {
            0..=125 => len.into(),
            126 => u16::from_be_bytes(self.bytes()?).into(),
            127 => u64::from_be_bytes(self.bytes()?),
            // §5.1: "A server MUST NOT mask any frames that it sends to the client."
            128.. => panic!("the server has masked a frame"),
        };
        let mut payload = vec![0; len as usize];
        self.stream.read_exact(&mut payload)?;
        Ok(Some(Frame { first, payload }))
    }

    fn is_at_end(&mut self) -> io::Result<bool> {
        uninterrupted(|| self.stream.fill_buf().map(<[u8]>::is_empty))
    }

    pub(crate) fn frame(&mut self) -> Frame {
        self.try_frame().expect("a frame comes").expect("a frame comes before the end")
    }

    pub(crate) fn expect_text(&mut self, text: &str) {
        assert_eq!(self.frame(), Frame::text(text));
    }

    pub(crate) fn expect_close(&mut self, code: u16, reason: &str) {
        assert_eq!(self.frame(), Frame::close(code, reason));
    }

    /// The server has closed its side, in order and with nothing more before it.
    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.try_frame().expect("the end is no reset"), None);
    }

    /// Whether anything comes within `time`, be it the end.
    pub(crate) fn has_input_within(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let ready = uninterrupted(|| {
            // A time limit of zero would be none.
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.socket().set_read_timeout(Some(left))?;
            self.stream.fill_buf().map(|_| ())
        });
        self.socket().set_read_timeout(Some(PATIENCE)).unwrap();
        match ready {
            Err(error) if is_timeout(&error) => false,
            result => {
                result.expect("the end is no reset");
                true
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Waits again when a signal ends a wait: where a time limit is set, this is what comes of a process that was
/// stopped and goes on.
pub(crate) fn uninterrupted<T>(mut wait: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match wait() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether a socket's time limit has passed; systems name it differently.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

//! A stream whose bytes travel through TLS (RFC 8446, RFC 5246).
//!
//! `rustls` does TLS; this file moves its bytes. Ciphertext lands in the shared read buffer, where rustls
//! decrypts it. The plaintext is laid before it, so that one slice goes to the receiver. A stream between two
//! records holds no buffer. What waits to be sent stays plaintext: at most one record of ciphertext that the
//! socket refused is held.

use std::{
    cell::RefCell,
    fmt,
    io::{self, ErrorKind, IoSlice, Read as _, Write as _},
    mem,
    net::Shutdown,
    rc::Rc,
    sync::Arc,
};

use mio::net::TcpStream;
use rustls::{
    Error, ServerConfig,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, EncryptError},
};

use super::{Read, ReadBuffer, TlsSlot, stream::retry};

/// RFC 8446 §5.1: the most plaintext in one record.
const MAX_PLAINTEXT: usize = 1 << 14;
/// Room for one encrypted record, and for what TLS itself sends before it.
const RECORD_ROOM: usize = MAX_PLAINTEXT + 2048;
/// The most bytes that are held of messages of the handshake. The longest one that rustls takes has 64 KiB.
const MAX_HELD: usize = 128 * 1024;

/// The first bytes of an answer to a client that speaks HTTP without TLS.
const PLAIN_HTTP_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 46\r\n\r\n\
    This port speaks TLS: use https: or wss: URIs.";

/// Makes streams of accepted sockets.
#[derive(Debug)]
pub(crate) struct TlsAcceptor {
    slot: Arc<TlsSlot>,
    scratch: Rc<RefCell<Scratch>>,
}

impl TlsAcceptor {
    /// Returns an acceptor that reads the configuration of each new stream from `slot`.
    pub(crate) fn new(slot: Arc<TlsSlot>) -> Self {
        Self { slot, scratch: Scratch::new() }
    }

    /// Returns the server's end over a socket, before the handshake.
    pub(super) fn accept(&self, socket: TcpStream) -> io::Result<TlsStream> {
        TlsStream::accept(socket, self.slot.get(), Rc::clone(&self.scratch))
    }
}

/// The buffers that all streams of one acceptor encrypt in.
#[derive(Debug)]
struct Scratch {
    /// The plaintext of one record whose parts lie in different places.
    plaintext: Vec<u8>,
    /// One record, and what TLS itself sends before it.
    ciphertext: Box<[u8]>,
}

impl Scratch {
    fn new() -> Rc<RefCell<Self>> {
        let ciphertext = vec![0; RECORD_ROOM].into_boxed_slice();
        Rc::new(RefCell::new(Self { plaintext: Vec::with_capacity(MAX_PLAINTEXT), ciphertext }))
    }
}

/// The server's end of a TLS connection.
pub(crate) struct TlsStream {
    socket: TcpStream,
    tls: UnbufferedServerConnection,
    scratch: Rc<RefCell<Scratch>>,
    /// Ciphertext that was read and does not end a record, or a message of the handshake.
    held: Vec<u8>,
    /// Ciphertext that the socket has refused.
    refused: Vec<u8>,
    /// How the input has ended, once it has.
    end: Option<InputEnd>,
    has_sent_close_notify: bool,
}

impl fmt::Debug for TlsStream {
    /// Writes the socket, and no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("socket", &self.socket)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// How the input of a stream has ended.
#[derive(Clone, Debug)]
enum InputEnd {
    /// With close_notify (RFC 8446 §6.1).
    CloseNotify,
    /// The peer has broken a rule of TLS, or has sent an alert.
    Error(Error),
    /// The client speaks HTTP without TLS.
    PlainHttp,
}

impl TlsStream {
    fn accept(
        socket: TcpStream,
        config: Arc<ServerConfig>,
        scratch: Rc<RefCell<Scratch>>,
    ) -> io::Result<Self> {
        let tls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self {
            socket,
            tls,
            scratch,
            held: Vec::new(),
            refused: Vec::new(),
            end: None,
            has_sent_close_notify: false,
        })
    }

    /// Returns the socket.
    pub(super) const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Returns the socket, to register it.
    pub(super) const fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Returns whether the handshake is not complete.
    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// Returns the client's certificate in DER, if it was asked for one and has sent it.
    pub(super) fn peer_certificate(&self) -> Option<&[u8]> {
        self.tls.peer_certificates()?.first().map(AsRef::as_ref)
    }

    /// Returns how many bytes of ciphertext are held, in both directions.
    pub(super) fn held(&self) -> usize {
        self.held.capacity() + self.refused.capacity()
    }

    // --- Input -----------------------------------------------------------------------------------------

    /// Reads once; as [`Stream::read`](super::Stream::read).
    pub(super) fn read<'b>(&mut self, buffer: &'b mut ReadBuffer) -> io::Result<Read<'b>> {
        if let Some(end) = &self.end {
            return end.tell();
        }
        let (block, start, read_at) = buffer.lay(&self.held);
        let room = &mut block[read_at..];
        let len = retry(|| self.socket.read(room))?;
        if len == 0 {
            return self.end_without_close_notify();
        }
        let is_full = len == room.len();
        if self.is_plain_http(block[start]) {
            self.answer_plain_http();
            return InputEnd::PlainHttp.tell();
        }
        let plaintext = self.decrypt(block, start, read_at + len);
        if plaintext.is_empty() {
            return match &self.end {
                Some(end) => end.tell(),
                None => Ok(Read::Nothing),
            };
        }
        // The end of the input is told by the next read, for which no event comes.
        Ok(Read::Plain { bytes: &mut block[plaintext], is_full: is_full || self.end.is_some() })
    }

    /// Decrypts the records of `block[start..end]`, and keeps the begin of an incomplete one. Returns where
    /// their plaintext lies.
    fn decrypt(&mut self, block: &mut [u8], mut start: usize, end: usize) -> std::ops::Range<usize> {
        let first = start - MAX_PLAINTEXT;
        let mut last = first;
        while self.end.is_none() {
            // The plaintext of a record is at most as long as the record, and there is room for one more.
            let (done, input) = block.split_at_mut(start);
            let status = self.tls.process_tls_records(&mut input[..end - start]);
            start += status.discard;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        start += record.discard;
                        done[last..][..record.payload.len()].copy_from_slice(record.payload);
                        last += record.payload.len();
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(&mut self.refused, |out| data.encode(out).map_err(|error| encode_room(&error)));
                }
                // It is sent after the read.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => break,
                Ok(ConnectionState::PeerClosed) => self.end = Some(InputEnd::CloseNotify),
                Ok(_) => break,
                Err(error) => self.fail(error, &mut block[start..end]),
            }
        }
        self.keep(&mut block[start..end]);
        first..last
    }

    /// Keeps ciphertext for the next read. Between two records that is none, and the memory is freed.
    fn keep(&mut self, rest: &mut [u8]) {
        if rest.is_empty() || self.end.is_some() {
            self.held = Vec::new();
        } else if rest.len() > MAX_HELD {
            self.held = Vec::new();
            self.fail(Error::General("a message of the handshake is in too many records".to_owned()), rest);
        } else {
            self.held.clear();
            self.held.extend_from_slice(rest);
        }
    }

    /// Ends the input for a broken rule, and sends the alert that says so as far as the socket takes it.
    /// `rest` is the input that is left: rustls refers to it.
    fn fail(&mut self, error: Error, rest: &mut [u8]) {
        self.end = Some(InputEnd::Error(error));
        // While something is to be sent, rustls does not look at the input again, which it can't bear.
        while self.tls.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) = self.tls.process_tls_records(rest).state
        {
            encode(&mut self.refused, |out| data.encode(out).map_err(|error| encode_room(&error)));
        }
        let _ = self.flush();
    }

    /// Ends the input of a peer that has closed TCP. RFC 8446 §6.1: without close_notify it may be cut off.
    fn end_without_close_notify<'b>(&self) -> io::Result<Read<'b>> {
        if self.is_handshaking() {
            return Ok(Read::End);
        }
        Err(io::Error::new(ErrorKind::ConnectionAborted, "TLS has ended without close_notify"))
    }

    /// Returns whether the first byte of all is the begin of an HTTP method, and not of a TLS record.
    fn is_plain_http(&self, first: u8) -> bool {
        first.is_ascii_uppercase() && self.is_handshaking()
    }

    fn answer_plain_http(&mut self) {
        self.end = Some(InputEnd::PlainHttp);
        // The socket is new and empty: it takes this, or has failed.
        let _ = self.socket.write(PLAIN_HTTP_ANSWER);
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    // --- Output ----------------------------------------------------------------------------------------

    /// Encrypts and writes bytes record by record, until the socket refuses some. Returns how many bytes were
    /// encrypted: what was refused of the last record waits for [`flush`](Self::flush).
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begin_write()?;
        let scratch = Rc::clone(&self.scratch);
        self.write_records(bytes, &mut scratch.borrow_mut().ciphertext)
    }

    /// The same for bytes in several places. Short ones share a record.
    pub(super) fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.begin_write()?;
        let scratch = Rc::clone(&self.scratch);
        let Scratch { plaintext, ciphertext } = &mut *scratch.borrow_mut();
        plaintext.clear();
        let mut written = 0;
        for part in parts {
            let (joining, rest) = part.split_at(part.len().min(MAX_PLAINTEXT - plaintext.len()));
            plaintext.extend_from_slice(joining);
            if plaintext.len() == MAX_PLAINTEXT {
                written += self.write_records(plaintext, ciphertext)?;
                plaintext.clear();
                if self.wants_write() {
                    return Ok(written);
                }
                // Whole records are encrypted where they are.
                let whole = rest.len() / MAX_PLAINTEXT * MAX_PLAINTEXT;
                written += self.write_records(&rest[..whole], ciphertext)?;
                if self.wants_write() {
                    return Ok(written);
                }
                plaintext.extend_from_slice(&rest[whole..]);
            }
        }
        Ok(written + self.write_records(plaintext, ciphertext)?)
    }

    /// Writes what was refused. Before the handshake is complete nothing else can be written, nor after an
    /// alert.
    fn begin_write(&mut self) -> io::Result<()> {
        if let Some(InputEnd::Error(error)) = &self.end {
            return Err(invalid(error.clone()));
        }
        self.flush()?;
        if self.is_handshaking() { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }

    fn write_records(&mut self, bytes: &[u8], ciphertext: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        for plaintext in bytes.chunks(MAX_PLAINTEXT) {
            let len = self.encrypt(plaintext, ciphertext)?;
            written += plaintext.len();
            if !self.write_ciphertext(&ciphertext[..len])? {
                break;
            }
        }
        Ok(written)
    }

    /// Encrypts one record. Returns how many bytes it has.
    fn encrypt(&mut self, plaintext: &[u8], ciphertext: &mut [u8]) -> io::Result<usize> {
        // The held input holds no whole message, so nothing is received here. rustls may refer to it: given
        // other bytes, it would panic.
        match self.tls.process_tls_records(&mut self.held).state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                traffic.encrypt(plaintext, ciphertext).map_err(io::Error::other)
            }
            Ok(_) => Err(io::Error::new(ErrorKind::BrokenPipe, "TLS sends no more")),
            Err(error) => Err(invalid(error)),
        }
    }

    /// Writes ciphertext, and keeps what the socket refuses. Returns whether the socket has taken all of it.
    fn write_ciphertext(&mut self, ciphertext: &[u8]) -> io::Result<bool> {
        let written = match retry(|| self.socket.write(ciphertext)) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.refused.extend_from_slice(&ciphertext[written..]);
        Ok(written == ciphertext.len())
    }

    /// Returns whether ciphertext waits for the socket.
    #[inline]
    pub(super) const fn wants_write(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Writes the ciphertext that waits; as [`Stream::flush`](super::Stream::flush).
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut written = 0;
        let result = loop {
            match self.refused.get(written..) {
                None | Some([]) => break Ok(()),
                Some(rest) => match retry(|| self.socket.write(rest)) {
                    Ok(0) => break Err(ErrorKind::WriteZero.into()),
                    Ok(len) => written += len,
                    Err(error) => break Err(error),
                },
            }
        };
        if written == self.refused.len() {
            self.refused = Vec::new();
        } else {
            self.refused.drain(..written);
        }
        result
    }

    /// Sends close_notify, and closes the sending direction of TCP.
    pub(super) fn shutdown_write(&mut self) {
        self.send_close_notify();
        // It fails only if the peer has closed the connection.
        drop(self.socket.shutdown(Shutdown::Write));
    }

    /// RFC 8446 §6.1: each party "MUST send a "close_notify" alert before closing its write side".
    fn send_close_notify(&mut self) {
        let is_broken = matches!(self.end, Some(InputEnd::Error(_) | InputEnd::PlainHttp));
        if self.is_handshaking() || is_broken || mem::replace(&mut self.has_sent_close_notify, true) {
            return;
        }
        let state = self.tls.process_tls_records(&mut self.held).state;
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = state {
            encode(&mut self.refused, |out| {
                traffic.queue_close_notify(out).map_err(|error| encrypt_room(&error))
            });
        }
        // All other bytes have left, so the socket has room.
        let _ = self.flush();
    }
}

impl Drop for TlsStream {
    /// Answers the peer's close_notify, if the stream was not shut down in order.
    fn drop(&mut self) {
        if matches!(self.end, Some(InputEnd::CloseNotify)) && !self.wants_write() {
            self.send_close_notify();
        }
    }
}

impl InputEnd {
    fn tell<'b>(&self) -> io::Result<Read<'b>> {
        match self {
            Self::CloseNotify => Ok(Read::End),
            Self::Error(error) => Err(invalid(error.clone())),
            Self::PlainHttp => {
                Err(io::Error::new(ErrorKind::InvalidData, "a request without TLS at a port with TLS"))
            }
        }
    }
}

fn invalid(error: Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// Appends what `write` writes into a slice: it says how much room it needs.
fn encode(out: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> Result<usize, usize>) {
    let before = out.len();
    let mut len = write(&mut []);
    if let Err(room) = len {
        out.resize(before + room, 0);
        len = write(&mut out[before..]);
    }
    out.truncate(before + len.unwrap_or(0));
}

/// Returns the room that a message needs, or 0 if it can't be encoded.
const fn encode_room(error: &EncodeError) -> usize {
    match error {
        EncodeError::InsufficientSize(error) => error.required_size,
        EncodeError::AlreadyEncoded => 0,
    }
}

/// Returns the room that a record needs, or 0 if it can't be encrypted.
const fn encrypt_room(error: &EncryptError) -> usize {
    match error {
        EncryptError::InsufficientSize(error) => error.required_size,
        EncryptError::EncryptExhausted => 0,
    }
}

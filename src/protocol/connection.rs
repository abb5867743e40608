//! §7.1 The two halves of a connection side by side, and the RFC's state, which is derived from them.
//!
//! This file knows how the states of both halves read together. It refuses to store that: a state that is
//! kept twice can contradict itself. The halves are two public fields so that a message borrowed from `recv`
//! can be answered through `send`.

use super::{
    config::Limits,
    receiver::Receiver,
    role::{Client, MaskKeys, SendingRole, Server},
    sender::Sender,
};

/// An open connection, seen by a server unless its role says otherwise: what it receives and what it sends.
///
/// **Drain `recv` until it returns `None`, answer each event through `send`, and write what that appends.**
///
/// ```
/// use wirehook::protocol::{Connection, ConnectionState, Event, Limits};
///
/// /// Echoes what arrives; returns what goes back.
/// fn echo(connection: &mut Connection, mut input: &mut [u8]) -> Vec<u8> {
///     let mut out = Vec::new();
///     loop {
///         match connection.recv.next_event(&mut input) {
///             Ok(Some(event)) => {
///                 connection.send.answer(&event, &mut out);
///                 if let Event::Message(message) = event {
///                     let _ = connection.send.message(message, &mut out);
///                 }
///             }
///             Ok(None) => return out,
///             Err(error) => connection.send.fail(error, &mut out),
///         }
///     }
/// }
///
/// let mut connection = Connection::new(&Limits::default());
/// let mut hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// assert_eq!(echo(&mut connection, &mut hello), b"\x81\x05Hello");
///
/// let mut close = [0x88, 0x80, 0, 0, 0, 0];
/// assert_eq!(echo(&mut connection, &mut close), [0x88, 0x00]);
/// assert_eq!(connection.state(), ConnectionState::Closed { clean: true });
/// ```
#[derive(Debug)]
pub struct Connection<R = Server> {
    /// What the peer sends.
    pub recv: Receiver<R>,
    /// What the peer is sent.
    pub send: Sender<R>,
}

/// The state of an open connection (§7.1), which [`Connection::state`] derives from its halves:
///
/// ```text
///            one Close seen             both Closes seen
/// Open ─────────────────▶ Closing ─────────────────▶ Closed, clean
///   │                        │
///   └───── a broken rule ────┴─────────────────────▶ Closed, not clean
/// ```
///
/// ```
/// use wirehook::protocol::{CloseCode, Connection, ConnectionState, Limits};
///
/// let mut connection = Connection::new(&Limits::default());
/// assert_eq!(connection.state(), ConnectionState::Open);
/// connection.send.close(CloseCode::GOING_AWAY, "", &mut Vec::new())?;
/// assert_eq!(connection.state(), ConnectionState::Closing);
///
/// let mut unmasked = *b"\x81\x05Hello";
/// let error = connection.recv.next_event(&mut &mut unmasked[..]).unwrap_err();
/// assert_eq!(error.section(), "§5.1");
/// assert_eq!(connection.state(), ConnectionState::Closed { clean: false });
/// # Ok::<(), wirehook::protocol::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Everything is allowed both ways.
    Open,
    /// §7.1.3: _The WebSocket Closing Handshake is Started_: one of both has sent its Close.
    Closing,
    /// §7.1.4: nothing more is sent or listened to, and the server closes the TCP connection.
    Closed {
        /// Whether both have sent their Close, or the connection was failed (§7.1.7).
        clean: bool,
    },
}

impl Connection {
    /// Creates a server's connection whose opening handshake has just succeeded. Example: [`Connection`].
    pub fn new(limits: &Limits) -> Self {
        Self { recv: Receiver::new(limits), send: Sender::default() }
    }
}

impl<K: MaskKeys> Connection<Client<K>> {
    /// Creates a client's connection whose opening handshake has just succeeded.
    ///
    /// ```
    /// use wirehook::protocol::{Connection, Event, Limits, Message, ProtocolError};
    ///
    /// let mut connection = Connection::client(&Limits::default(), || [0x37, 0xfa, 0x21, 0x3d]);
    /// let mut out = Vec::new();
    /// let mut ping = *b"\x89\x05Hello";
    /// if let Some(event) = connection.recv.next_event(&mut &mut ping[..])? {
    ///     connection.send.answer(&event, &mut out);
    /// }
    /// assert_eq!(out, [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]); // §5.7
    /// # Ok::<(), ProtocolError>(())
    /// ```
    pub fn client(limits: &Limits, keys: K) -> Self {
        Self { recv: Receiver::of_role(limits), send: Sender::client(keys) }
    }
}

impl<R: SendingRole> Connection<R> {
    /// Returns the state, as both halves give it.
    pub fn state(&self) -> ConnectionState {
        match (self.recv.is_close_received(), self.recv.is_discarding(), self.send.is_close_sent()) {
            (_, true, _) => ConnectionState::Closed { clean: false },
            (true, false, true) => ConnectionState::Closed { clean: true },
            (false, false, false) => ConnectionState::Open,
            (true, false, false) | (false, false, true) => ConnectionState::Closing,
        }
    }
}

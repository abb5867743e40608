//! §5.1 The two sides of a connection, and the few rules in which they differ.
//!
//! This file knows which side masks, and which close codes a side may send. The codec takes the side as a
//! type, so that the code of a server contains no question about it.

use super::{close_code::CloseCode, error::ProtocolError};

/// A side of a connection: [`Server`] or [`Client`]. No other type implements it.
///
/// ```
/// use wirehook::protocol::{Client, Role, Server};
///
/// // §5.1: what comes from a client is masked, what comes from a server is not.
/// assert!(Server::PEER_MASKS);
/// assert!(!<Client>::PEER_MASKS);
/// ```
pub trait Role: sealed::Sealed {
    /// Whether the frames of the other side must be masked; if not, they must not be (§5.1).
    const PEER_MASKS: bool;

    /// The error for a frame that breaks that rule.
    const MASK_BROKEN: ProtocolError;

    /// Returns whether this side may give the code as its own reason to close (§7.4.1).
    fn may_close_with(code: CloseCode) -> bool;
}

/// A side that sends: [`Server`], or a [`Client`] that has keys. No other type implements it.
///
/// ```
/// use wirehook::protocol::{SendingRole, Server};
///
/// assert_eq!(Server.next_key(), None);
/// ```
pub trait SendingRole: Role {
    /// Returns the masking key of the next frame; `None` for a server, which must not mask (§5.1).
    fn next_key(&mut self) -> Option<[u8; 4]>;
}

/// The server's side; the default of every type of the codec.
///
/// ```
/// use wirehook::protocol::{Connection, Limits, Server};
///
/// let connection: Connection<Server> = Connection::new(&Limits::default());
/// # let _: Connection = connection;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Server;

/// The client's side. To send it needs a source of [masking keys](MaskKeys), to receive it needs none.
///
/// ```
/// use wirehook::protocol::{Client, Message, Sender};
///
/// // §5.3: a program draws each key from a strong source. Here it is the one of §5.7.
/// let mut sender = Sender::client(|| [0x37, 0xfa, 0x21, 0x3d]);
/// let mut out = Vec::new();
/// sender.message(Message::Text("Hello"), &mut out)?;
/// assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// # Ok::<(), wirehook::protocol::SendError>(())
/// ```
#[derive(Debug)]
pub struct Client<K = ()> {
    keys: K,
}

impl<K: MaskKeys> Client<K> {
    pub(super) const fn new(keys: K) -> Self {
        Self { keys }
    }
}

/// A source of masking keys (§5.3). A closure that returns keys is one.
///
/// §5.3: a key must be fresh for each frame, unpredictable, and "derived from a strong source of entropy":
/// else a page could choose what a proxy between client and server sees (§10.3). The codec has no such source
/// of its own.
///
/// ```
/// use wirehook::protocol::MaskKeys;
///
/// let mut drawn = [[1, 2, 3, 4], [5, 6, 7, 8]].into_iter();
/// let mut keys = move || drawn.next().unwrap();
/// assert_eq!(keys.next_key(), [1, 2, 3, 4]);
/// assert_eq!(keys.next_key(), [5, 6, 7, 8]);
/// ```
pub trait MaskKeys {
    /// Returns the key of the next frame.
    fn next_key(&mut self) -> [u8; 4];
}

impl<F: FnMut() -> [u8; 4]> MaskKeys for F {
    fn next_key(&mut self) -> [u8; 4] {
        self()
    }
}

impl Role for Server {
    // §5.1: "The server MUST close the connection upon receiving a frame that is not masked."
    const PEER_MASKS: bool = true;
    const MASK_BROKEN: ProtocolError = ProtocolError::UnmaskedFrame;

    fn may_close_with(code: CloseCode) -> bool {
        code.may_be_sent_by_server()
    }
}

impl<K> Role for Client<K> {
    // §5.1: "A client MUST close a connection if it detects a masked frame."
    const PEER_MASKS: bool = false;
    const MASK_BROKEN: ProtocolError = ProtocolError::MaskedFrame;

    fn may_close_with(code: CloseCode) -> bool {
        code.may_be_sent()
    }
}

impl SendingRole for Server {
    // §5.1: "A server MUST NOT mask any frames that it sends to the client."
    #[inline(always)]
    fn next_key(&mut self) -> Option<[u8; 4]> {
        None
    }
}

impl<K: MaskKeys> SendingRole for Client<K> {
    // §5.1: "a client MUST mask all frames that it sends to the server". §5.3: "When preparing a
    // masked frame, the client MUST pick a fresh masking key".
    fn next_key(&mut self) -> Option<[u8; 4]> {
        Some(self.keys.next_key())
    }
}

/// Keeps other crates from adding a role.
mod sealed {
    /// Example: [`Role`](super::Role).
    pub trait Sealed {}
    impl Sealed for super::Server {}
    impl<K> Sealed for super::Client<K> {}
}

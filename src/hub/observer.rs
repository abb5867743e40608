//! The observer of the bytes of all connections: it records, explains or shows them.
//!
//! This file knows what an observer receives. It refuses to know what the bytes mean: an observer that wants
//! frames runs its own decoder. Without an observer it costs one comparison per read and per write.

use std::fmt;

use log::error;

use super::registry::ConnId;
use crate::{panics, transport::PeerAddr};

/// Receives the bytes of every connection, as they cross the wire.
///
/// It is told on the loop's own thread, in the order in which things happen, and the loop waits meanwhile.
/// Received bytes are still masked; sent ones are those that the socket has taken, so that a frame that waits
/// for a slow peer is seen when it leaves. How the bytes are cut means nothing. An observer that panics is
/// not told anything more, and the server goes on without it.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use std::{cell::RefCell, rc::Rc};
/// use wirehook::{ConnId, Observer, PeerAddr, Server};
///
/// struct Recorder(Rc<RefCell<Vec<u8>>>);
///
/// impl Observer for Recorder {
///     fn connected(&mut self, id: ConnId, peer: PeerAddr) {
///         println!("{id} is {peer}");
///     }
///     fn received(&mut self, _: ConnId, bytes: &[u8]) {
///         self.0.borrow_mut().extend(bytes);
///     }
///     fn sent(&mut self, _: ConnId, _: &[u8]) {}
///     fn disconnected(&mut self, id: ConnId) {
///         println!("{id} has gone");
///     }
/// }
///
/// let record = Rc::new(RefCell::new(Vec::new()));
/// let server = Server::bind("127.0.0.1:0")?.state::<()>().observe(Recorder(Rc::clone(&record)));
/// talk(server, b"\x89\x80\x01\x02\x03\x04")?; // a ping
/// assert!(record.borrow().starts_with(b"GET /ann HTTP/1.1\r\n"));
/// assert!(record.borrow().ends_with(b"\r\n\r\n\x89\x80\x01\x02\x03\x04\x88\x80\0\0\0\0"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Observer {
    /// A TCP connection was accepted. Its first bytes are a request.
    fn connected(&mut self, id: ConnId, peer: PeerAddr);

    /// This program has made a TCP connection to a server. Its first written bytes are the request, and
    /// frames that it sends are masked. By default it is told as [`connected`](Self::connected).
    fn connected_to(&mut self, id: ConnId, server: PeerAddr) {
        self.connected(id, server);
    }

    /// These bytes were read, and are handled next.
    fn received(&mut self, id: ConnId, bytes: &[u8]);

    /// These bytes were written.
    fn sent(&mut self, id: ConnId, bytes: &[u8]);

    /// The socket is closed: the last call for this connection.
    fn disconnected(&mut self, id: ConnId);
}

/// The observer, if there is one.
#[derive(Default)]
pub(crate) struct ObserverSlot(Option<Box<dyn Observer>>);

impl ObserverSlot {
    pub(crate) fn by(observer: impl Observer + 'static) -> Self {
        Self(Some(Box::new(observer)))
    }

    /// Returns whether there is an observer; ask before you prepare something for it.
    #[inline]
    pub(crate) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Calls the observer, if there is one.
    #[inline]
    pub(crate) fn tell(&mut self, what: impl FnOnce(&mut dyn Observer)) {
        if self.is_on() {
            self.tell_observer(what);
        }
    }

    /// The same where there is an observer.
    #[cold]
    fn tell_observer(&mut self, what: impl FnOnce(&mut dyn Observer)) {
        let Some(observer) = &mut self.0 else { return };
        if panics::catch(|| what(observer.as_mut())).is_none() {
            error!("the observer has panicked and is not told anything more");
            panics::discard(self.0.take());
        }
    }

    /// Passes the first `len` bytes of `parts`, which were written, to the observer.
    #[cold]
    pub(crate) fn tell_sent<'a>(
        &mut self,
        id: ConnId,
        parts: impl IntoIterator<Item = &'a [u8]>,
        mut len: usize,
    ) {
        self.tell(|observer| {
            for part in parts {
                let written = &part[..len.min(part.len())];
                len -= written.len();
                if !written.is_empty() {
                    observer.sent(id, written);
                }
            }
        });
    }
}

impl fmt::Debug for ObserverSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.0.is_some()).finish()
    }
}

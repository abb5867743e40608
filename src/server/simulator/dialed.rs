//! The servers that the loop connects to: each connect makes a stream whose other end the test has.
//!
//! This file acts as the network does. A stream takes no byte before the test says that TCP is connected.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
};

use crate::transport::{Script, Stream};

/// The sockets that the loop has begun to connect.
#[derive(Clone, Default)]
pub(crate) struct Dialed(Rc<RefCell<Network>>);

#[derive(Default)]
struct Network {
    sockets: Vec<(SocketAddr, Script)>,
    /// How the next connects fail at once; `None` for one that does not.
    failures: VecDeque<Option<io::ErrorKind>>,
}

impl Dialed {
    pub(crate) fn dial(&self, address: SocketAddr) -> io::Result<Stream> {
        let mut network = self.0.borrow_mut();
        if let Some(Some(kind)) = network.failures.pop_front() {
            return Err(kind.into());
        }
        let script = Script::default();
        script.set_full(true);
        network.sockets.push((address, script.clone()));
        Ok(Stream::Script(script.servers_end()))
    }

    /// Has the next connect fail at once.
    pub(crate) fn will_fail(&self, kind: io::ErrorKind) {
        self.0.borrow_mut().failures.push_back(Some(kind));
    }

    /// Returns the socket that was connected last, and where to.
    pub(crate) fn last(&self) -> Option<(SocketAddr, Script)> {
        self.0.borrow().sockets.last().cloned()
    }

    pub(crate) fn scripts(&self) -> Vec<Script> {
        self.0.borrow().sockets.iter().map(|(_, script)| script.clone()).collect()
    }
}

/// Looks up a name: each has one address (RFC 5737), except those below `.invalid`.
pub(super) fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if name.ends_with(".invalid") {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(vec![(Ipv4Addr::new(192, 0, 2, 80), port).into()])
}

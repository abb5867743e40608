//! The listener of a simulation: waiting clients, accepts that fail, a shortage of file descriptors.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{Error, ErrorKind, Result},
    net::{IpAddr, SocketAddr},
    ops::Deref,
    rc::Rc,
};

use crate::transport::{Listener, PeerAddr, Script, Stream};

/// The error of an accept when no file descriptor is free.
const EMFILE: i32 = 24;

/// Clients that wait to be accepted. The test and the loop each have one end of the queue.
#[derive(Clone, Default)]
pub(crate) struct ClientQueue(Rc<PendingClients>);

#[derive(Default)]
pub(crate) struct PendingClients {
    clients: RefCell<VecDeque<std::result::Result<(Script, IpAddr), ErrorKind>>>,
    /// The error of every accept, while it is set.
    pub(crate) failure: Cell<Option<ErrorKind>>,
    /// How often the loop has called accept.
    pub(crate) calls: Cell<usize>,
    /// All clients that were accepted.
    pub(crate) accepted: RefCell<Vec<Script>>,
    pub(crate) descriptors: Rc<Descriptors>,
}

/// The file descriptors for clients and for the reserve.
#[derive(Default)]
pub(crate) struct Descriptors {
    /// How many there are; `None` is no limit.
    pub(crate) most: Cell<Option<usize>>,
    clients: RefCell<Vec<Script>>,
    spares: Cell<usize>,
}

/// A reserved file descriptor.
pub(crate) struct SpareDescriptor(Rc<Descriptors>);

impl Drop for SpareDescriptor {
    fn drop(&mut self) {
        self.0.spares.set(self.0.spares.get() - 1);
    }
}

impl Descriptors {
    pub(crate) fn in_use(&self) -> usize {
        let mut clients = self.clients.borrow_mut();
        clients.retain(|it| !it.is_dropped());
        clients.len() + self.spares.get()
    }

    fn is_one_free(&self) -> bool {
        self.most.get().is_none_or(|most| self.in_use() < most)
    }
}

impl Deref for ClientQueue {
    type Target = PendingClients;

    fn deref(&self) -> &PendingClients {
        &self.0
    }
}

impl ClientQueue {
    /// Returns an empty queue whose clients use the same file descriptors.
    pub(crate) fn with_same_descriptors(&self) -> Self {
        let descriptors = Rc::clone(&self.descriptors);
        Self(Rc::new(PendingClients { descriptors, ..PendingClients::default() }))
    }

    pub(crate) fn push(&self, client: &Script, address: IpAddr) {
        self.clients.borrow_mut().push_back(Ok((client.servers_end(), address)));
    }

    pub(crate) fn push_failure(&self, error: ErrorKind) {
        self.clients.borrow_mut().push_back(Err(error));
    }

    pub(crate) fn len(&self) -> usize {
        self.clients.borrow().len()
    }
}

impl Listener for ClientQueue {
    type Spare = SpareDescriptor;

    fn spare(&self) -> Option<SpareDescriptor> {
        let descriptors = &self.descriptors;
        descriptors.is_one_free().then(|| {
            descriptors.spares.set(descriptors.spares.get() + 1);
            SpareDescriptor(Rc::clone(descriptors))
        })
    }

    fn accept(&self) -> Result<(Stream, PeerAddr)> {
        self.calls.set(self.calls.get() + 1);
        if let Some(error) = self.failure.get() {
            return Err(error.into());
        }
        // As on Linux, whether or not a client waits.
        if !self.descriptors.is_one_free() {
            return Err(Error::from_raw_os_error(EMFILE));
        }
        let next = self.clients.borrow_mut().pop_front().unwrap_or(Err(ErrorKind::WouldBlock));
        let (script, address) = next?;
        self.accepted.borrow_mut().push(script.clone());
        self.descriptors.clients.borrow_mut().push(script.clone());
        Ok((Stream::Script(script), SocketAddr::new(address, 5).into()))
    }
}

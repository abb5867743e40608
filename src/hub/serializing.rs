//! §4.1 One opening handshake at a time with each address: the connections that wait for their turn.
//!
//! This file knows addresses and ids. It refuses to know sockets, and why an opening handshake ends.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

use super::registry::ConnId;

/// The connections that are opening, or wait to, by their address. The first of each is opening.
#[derive(Debug, Default)]
pub(super) struct Serializing(HashMap<IpAddr, VecDeque<ConnId>>);

impl Serializing {
    /// Adds a connection. Returns whether it may connect now; otherwise [`leave`](Self::leave) returns it
    /// when its turn has come.
    pub(super) fn enter(&mut self, id: ConnId, address: IpAddr) -> bool {
        let queue = self.0.entry(address).or_default();
        if !queue.contains(&id) {
            queue.push_back(id);
        }
        queue.front() == Some(&id)
    }

    /// Removes a connection. Returns the one whose turn it is then.
    pub(super) fn leave(&mut self, id: ConnId, address: IpAddr) -> Option<ConnId> {
        let queue = self.0.get_mut(&address)?;
        let was_first = queue.front() == Some(&id);
        if was_first {
            queue.pop_front();
        } else {
            queue.retain(|it| *it != id);
        }
        let next = queue.front().copied();
        if next.is_none() {
            self.0.remove(&address);
        }
        next.filter(|_| was_first)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn one_connection_per_address_opens_and_the_others_queue() {
        let [a, b] = [1, 2].map(|last| IpAddr::from(Ipv4Addr::new(192, 0, 2, last)));
        let id = |serial| ConnId::new(serial, 0);
        let mut opening = Serializing::default();
        assert_eq!([1, 2, 3, 4].map(|it| opening.enter(id(it), a)), [true, false, false, false]);
        assert!(opening.enter(id(5), b));
        assert!(opening.enter(id(1), a), "it is still its turn");
        assert_eq!(opening.leave(id(3), a), None);
        assert_eq!(opening.leave(id(1), a), Some(id(2)));
        assert_eq!(opening.leave(id(2), a), Some(id(4)));
        assert_eq!(opening.leave(id(4), a), None);
        assert_eq!(opening.leave(id(5), b), None);
        assert!(opening.0.is_empty());
    }
}

//! The sockets that only wait for their end, by the address that they belong to.
//!
//! This file knows which of them to evict first, so that one address can't use up the room for all. It
//! refuses to know when there is no room, and how a socket ends.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, VecDeque},
};

use super::{admission::Prefix, outbound::Stage, registry::ConnId};
use crate::transport::PeerAddr;

/// The sockets in the last two stages.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    finishing: ByAddress,
    lingering: ByAddress,
}

/// The sockets in one stage, in the order in which they came to it.
#[derive(Debug, Default)]
struct ByAddress {
    addresses: HashMap<Prefix, Queue>,
    /// Every address once. The last one has most sockets; of two with as many, it has had some for longer.
    ranking: BTreeSet<(usize, Reverse<u64>, Prefix)>,
    len: usize,
    /// How many addresses have come so far.
    arrivals: u64,
}

#[derive(Debug)]
struct Queue {
    len: usize,
    /// Which address it was to come, counted from the first.
    arrival: u64,
    /// The oldest first. Sockets that have left stay in it until they are the most.
    ids: VecDeque<ConnId>,
}

impl Leaving {
    /// Returns how many sockets there are.
    pub(super) const fn len(&self) -> usize {
        self.finishing.len + self.lingering.len
    }

    /// Returns how many sockets an address has.
    pub(super) fn len_of(&self, address: PeerAddr) -> usize {
        let len_in = |sockets: &ByAddress| sockets.addresses.get(&Prefix::of(address)).map_or(0, |it| it.len);
        len_in(&self.finishing) + len_in(&self.lingering)
    }

    /// Notes that the stage of a socket has changed. `is_in` says whether a socket is in a stage now.
    pub(super) fn change(
        &mut self,
        id: ConnId,
        address: PeerAddr,
        (before, stage): (Stage, Stage),
        is_in: impl Fn(ConnId, Stage) -> bool,
    ) {
        if let Some(sockets) = self.in_stage(before) {
            sockets.leave(Prefix::of(address), |id| is_in(id, before));
        }
        if let Some(sockets) = self.in_stage(stage) {
            sockets.enter(Prefix::of(address), id);
        }
    }

    /// Returns the socket to evict first: the oldest of the address that has most; a lingering one before a
    /// finishing one. It stays counted until its stage changes.
    pub(super) fn next_to_evict(&mut self, is_in: impl Fn(ConnId, Stage) -> bool) -> Option<ConnId> {
        self.lingering
            .oldest_of_most(|id| is_in(id, Stage::Lingering))
            .or_else(|| self.finishing.oldest_of_most(|id| is_in(id, Stage::Finishing)))
    }

    const fn in_stage(&mut self, stage: Stage) -> Option<&mut ByAddress> {
        match stage {
            Stage::Finishing => Some(&mut self.finishing),
            Stage::Lingering => Some(&mut self.lingering),
            Stage::Connecting | Stage::Open | Stage::Closing | Stage::Dead => None,
        }
    }
}

impl ByAddress {
    fn enter(&mut self, prefix: Prefix, id: ConnId) {
        self.arrivals += 1;
        let first = Queue { len: 0, arrival: self.arrivals, ids: VecDeque::new() };
        let queue = self.addresses.entry(prefix).or_insert(first);
        self.ranking.remove(&queue.rank(prefix));
        queue.len += 1;
        queue.ids.push_back(id);
        self.ranking.insert(queue.rank(prefix));
        self.len += 1;
    }

    fn leave(&mut self, prefix: Prefix, is_here: impl Fn(ConnId) -> bool) {
        let Some(queue) = self.addresses.get_mut(&prefix) else { return };
        self.ranking.remove(&queue.rank(prefix));
        self.len -= 1;
        queue.len -= 1;
        if queue.len > 0 {
            queue.tidy(is_here);
            self.ranking.insert(queue.rank(prefix));
            return;
        }
        self.addresses.remove(&prefix);
        if self.addresses.capacity() > 64 + 8 * self.addresses.len() {
            self.addresses.shrink_to(2 * self.addresses.len());
        }
    }

    fn oldest_of_most(&mut self, is_here: impl Fn(ConnId) -> bool) -> Option<ConnId> {
        let (_, _, prefix) = self.ranking.last()?;
        let queue = self.addresses.get_mut(prefix)?;
        while let Some(id) = queue.ids.pop_front() {
            if is_here(id) {
                return Some(id);
            }
        }
        None
    }
}

impl Queue {
    const fn rank(&self, prefix: Prefix) -> (usize, Reverse<u64>, Prefix) {
        (self.len, Reverse(self.arrival), prefix)
    }

    /// Forgets the sockets that have left, once they are the most.
    fn tidy(&mut self, is_here: impl Fn(ConnId) -> bool) {
        if self.ids.len() > 2 * self.len + 16 {
            self.ids.retain(|id| is_here(*id));
            self.ids.shrink_to(2 * self.len);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        collections::BTreeMap,
        net::{IpAddr, Ipv4Addr, SocketAddr},
    };

    use super::*;

    /// Sockets with their addresses and stages.
    #[derive(Default)]
    struct Sockets {
        leaving: Leaving,
        stages: RefCell<BTreeMap<u32, (PeerAddr, Stage)>>,
    }

    impl Sockets {
        fn set(&mut self, number: u32, address: &str, stage: Stage) {
            let ip = address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            let address = SocketAddr::new(ip, 1).into();
            let before = self.stages.borrow_mut().insert(number, (address, stage));
            let before = before.map_or(Stage::Connecting, |(_, stage)| stage);
            let stages = &self.stages;
            let is_in = |id: ConnId, stage| stages.borrow().get(&id.serial()).is_some_and(|it| it.1 == stage);
            self.leaving.change(id(number), address, (before, stage), is_in);
        }

        fn evict(&mut self) -> Option<u32> {
            let stages = &self.stages;
            let is_in = |id: ConnId, stage| stages.borrow().get(&id.serial()).is_some_and(|it| it.1 == stage);
            let number = self.leaving.next_to_evict(is_in)?.serial();
            let address = self.stages.borrow()[&number].0.ip()?.to_string();
            self.set(number, &address, Stage::Dead);
            Some(number)
        }

        fn evict_all(&mut self) -> Vec<u32> {
            std::iter::from_fn(|| self.evict()).collect()
        }
    }

    fn id(serial: u32) -> ConnId {
        ConnId::new(serial, 0)
    }

    #[test]
    fn the_oldest_of_the_address_that_has_most_is_evicted_first() {
        let mut sockets = Sockets::default();
        for (number, address) in [(1, "192.0.2.1"), (2, "192.0.2.2"), (3, "192.0.2.2"), (4, "192.0.2.2")] {
            sockets.set(number, address, Stage::Lingering);
        }
        sockets.set(5, "::ffff:192.0.2.1", Stage::Lingering);
        // 192.0.2.2 has most; then both have two, and 192.0.2.1 has had some for longer.
        assert_eq!(sockets.evict_all(), [2, 1, 3, 5, 4]);
        assert_eq!(sockets.leaving.len(), 0);
    }

    #[test]
    fn a_64_bit_prefix_is_one_address() {
        let mut sockets = Sockets::default();
        sockets.set(1, "2001:db8:1:3::1", Stage::Lingering);
        sockets.set(2, "2001:db8:1:2::1", Stage::Lingering);
        sockets.set(3, "2001:db8:1:2:ffff::9", Stage::Lingering);
        assert_eq!(sockets.evict(), Some(2));
    }

    #[test]
    fn the_sockets_of_an_address_are_counted_over_both_stages() {
        let mut sockets = Sockets::default();
        for (number, stage) in
            [(1, Stage::Finishing), (2, Stage::Finishing), (3, Stage::Lingering), (4, Stage::Open)]
        {
            sockets.set(number, "192.0.2.1", stage);
        }
        sockets.set(5, "192.0.2.2", Stage::Lingering);
        let len_of = |address: [u8; 4]| sockets.leaving.len_of(SocketAddr::from((address, 7)).into());
        assert_eq!([len_of([192, 0, 2, 1]), len_of([192, 0, 2, 2]), len_of([192, 0, 2, 3])], [3, 1, 0]);
        assert_eq!(sockets.leaving.len(), 4);
    }

    #[test]
    fn a_socket_that_has_sent_all_is_evicted_first() {
        let mut sockets = Sockets::default();
        for number in 1..=4 {
            sockets.set(number, "192.0.2.1", Stage::Finishing);
        }
        sockets.set(5, "192.0.2.2", Stage::Finishing);
        sockets.set(5, "192.0.2.2", Stage::Lingering);
        sockets.set(2, "192.0.2.1", Stage::Lingering);
        assert_eq!(sockets.leaving.len(), 5);
        assert_eq!(sockets.evict_all(), [5, 2, 1, 3, 4]);
    }

    #[test]
    fn sockets_that_have_left_are_forgotten() {
        let mut sockets = Sockets::default();
        sockets.set(0, "192.0.2.1", Stage::Lingering);
        for number in 1..10_000 {
            sockets.set(number, "192.0.2.1", Stage::Lingering);
            sockets.set(number, "192.0.2.1", Stage::Dead);
            sockets.set(number, &format!("10.0.{}.{}", number / 256, number % 256), Stage::Lingering);
        }
        let (ids, addresses) = {
            let lingering = &sockets.leaving.lingering;
            (lingering.addresses.values().map(|it| it.ids.len()).max(), lingering.addresses.len())
        };
        assert!(ids <= Some(19) && addresses == 10_000, "{ids:?}");
        sockets.evict_all();
        let lingering = &sockets.leaving.lingering;
        assert!(lingering.addresses.capacity() <= 128 && lingering.ranking.is_empty());
    }

    #[test]
    fn a_queue_is_tidied_when_most_of_it_has_left() {
        let mut sockets = Sockets::default();
        for number in 0..30 {
            sockets.set(number, "192.0.2.1", Stage::Lingering);
        }
        let queue = |sockets: &Sockets| {
            let mut queues = sockets.leaving.lingering.addresses.values();
            queues.next().map_or((0, 0, 0), |queue| (queue.len, queue.ids.len(), queue.ids.capacity()))
        };
        // 30 are at most 2 * 7 + 16, and more than 2 * 6 + 16.
        for number in 0..23 {
            sockets.set(number, "192.0.2.1", Stage::Dead);
            assert_eq!(queue(&sockets).1, 30, "{number}");
        }
        sockets.set(23, "192.0.2.1", Stage::Dead);
        let (len, ids, capacity) = queue(&sockets);
        assert!((len, ids) == (6, 6) && (12..30).contains(&capacity), "{len} {ids} {capacity}");
    }
}

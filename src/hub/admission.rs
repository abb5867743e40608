//! How many connections one address may have, and how fast it may open them.
//!
//! This file knows addresses and their counts. It refuses to know sockets and answers. A client with IPv6
//! owns a whole /64, so that is what counts as one address there. A connection counts until its socket is
//! gone.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use super::deadlines::LoopTime;
use crate::{config::Config, protocol::HandshakeError, transport::PeerAddr};

/// Unused addresses are removed when there are more than this many addresses.
const REMEMBERED: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Admission {
    addresses: HashMap<Prefix, AddressUse>,
    /// How many may be remembered before the next clearing.
    clear_at: usize,
}

/// What counts as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Prefix {
    V4(Ipv4Addr),
    V6([u16; 4]),
    /// All peers of a Unix socket.
    Local,
}

#[derive(Clone, Copy, Debug, Default)]
struct AddressUse {
    connections: usize,
    /// Token bucket as one timestamp (GCRA): when the next handshake would be due at the steady rate, in
    /// microseconds. It allows a burst of one second.
    next_allowed_at: u64,
}

impl Admission {
    /// Counts a new connection, or returns the limit that it exceeds.
    pub(crate) fn enter(
        &mut self,
        address: PeerAddr,
        config: &Config,
        now: LoopTime,
    ) -> Result<(), HandshakeError> {
        // The peers of a Unix socket have no addresses to tell them apart.
        if !is_on(config) || address.ip().is_none() {
            return Ok(());
        }
        self.clear(now);
        let address_use = self.addresses.entry(Prefix::of(address)).or_default();
        if config.max_connections_per_address.is_some_and(|max| address_use.connections >= max) {
            return Err(HandshakeError::TooManyFromAddress);
        }
        if let Some(rate) = config.max_handshakes_per_address {
            address_use.pay(rate, now)?;
        }
        address_use.connections += 1;
        Ok(())
    }

    /// Uncounts a connection whose socket is closed.
    pub(crate) fn leave(&mut self, address: PeerAddr, config: &Config) {
        if is_on(config)
            && let Some(address_use) = self.addresses.get_mut(&Prefix::of(address))
        {
            address_use.connections = address_use.connections.saturating_sub(1);
        }
    }

    /// Removes the addresses that have no connection and no recent handshake, before there are too many.
    fn clear(&mut self, now: LoopTime) {
        if self.addresses.len() > self.clear_at.max(REMEMBERED) {
            self.addresses.retain(|_, it| it.connections > 0 || it.next_allowed_at > micros(now));
            self.clear_at = self.addresses.len() * 2;
        }
    }
}

impl AddressUse {
    /// Takes one handshake's share of a second, if a whole second is not taken yet.
    fn pay(&mut self, per_second: u32, now: LoopTime) -> Result<(), HandshakeError> {
        let second = Duration::from_secs(1).as_micros() as u64;
        let share = second / u64::from(per_second.max(1));
        let next_allowed_at = self.next_allowed_at.max(micros(now)) + share;
        if per_second == 0 || next_allowed_at > micros(now) + second {
            return Err(HandshakeError::TooFastFromAddress);
        }
        self.next_allowed_at = next_allowed_at;
        Ok(())
    }
}

impl Prefix {
    pub(super) fn of(address: PeerAddr) -> Self {
        match address.ip().map(|ip| ip.to_canonical()) {
            None => Self::Local,
            Some(IpAddr::V4(address)) => Self::V4(address),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

const fn is_on(config: &Config) -> bool {
    config.max_connections_per_address.is_some() || config.max_handshakes_per_address.is_some()
}

const fn micros(now: LoopTime) -> u64 {
    now.0.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn ip(ip: IpAddr) -> PeerAddr {
        SocketAddr::new(ip, 1).into()
    }

    fn address(text: &str) -> PeerAddr {
        ip(text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    #[test]
    fn a_full_address_gets_a_slot_when_a_connection_leaves() {
        let config = Config { max_connections_per_address: Some(2), ..Config::default() };
        let mut admission = Admission::default();
        let enter = |admission: &mut Admission, from| admission.enter(address(from), &config, LoopTime(0));
        assert_eq!(enter(&mut admission, "192.0.2.1"), Ok(()));
        assert_eq!(enter(&mut admission, "::ffff:192.0.2.1"), Ok(()), "the same address, mapped");
        assert_eq!(enter(&mut admission, "192.0.2.1"), Err(HandshakeError::TooManyFromAddress));
        assert_eq!(enter(&mut admission, "192.0.2.2"), Ok(()));
        admission.leave(address("192.0.2.1"), &config);
        assert_eq!(enter(&mut admission, "192.0.2.1"), Ok(()));
    }

    #[test]
    fn a_64_bit_prefix_is_one_address() {
        let config = Config { max_connections_per_address: Some(1), ..Config::default() };
        let mut admission = Admission::default();
        assert_eq!(admission.enter(address("2001:db8:1:2::1"), &config, LoopTime(0)), Ok(()));
        assert!(admission.enter(address("2001:db8:1:2:ffff::9"), &config, LoopTime(0)).is_err());
        assert_eq!(admission.enter(address("2001:db8:1:3::1"), &config, LoopTime(0)), Ok(()));
    }

    #[test]
    fn peers_of_a_unix_socket_share_no_limit() {
        let config = Config {
            max_connections_per_address: Some(1),
            max_handshakes_per_address: Some(1),
            ..Config::default()
        };
        let mut admission = Admission::default();
        for _ in 0..3 {
            assert_eq!(admission.enter(PeerAddr::unix(), &config, LoopTime(0)), Ok(()));
        }
        admission.leave(PeerAddr::unix(), &config);
    }

    #[test]
    fn handshakes_come_at_a_rate_with_one_second_in_advance() {
        let config = Config { max_handshakes_per_address: Some(10), ..Config::default() };
        let mut admission = Admission::default();
        let mut enter_at = |now| admission.enter(address("192.0.2.1"), &config, LoopTime(now));
        for _ in 0..10 {
            assert_eq!(enter_at(5000), Ok(()));
        }
        assert_eq!(enter_at(5000), Err(HandshakeError::TooFastFromAddress));
        assert_eq!(enter_at(5099), Err(HandshakeError::TooFastFromAddress));
        assert_eq!(enter_at(5100), Ok(()));
        assert_eq!(enter_at(5100), Err(HandshakeError::TooFastFromAddress));
    }

    #[test]
    fn addresses_that_have_left_are_forgotten() {
        let config = Config { max_handshakes_per_address: Some(1000), ..Config::default() };
        let mut admission = Admission::default();
        for number in 0..100_000u32 {
            let address = ip(IpAddr::V4(Ipv4Addr::from_bits(number)));
            assert_eq!(admission.enter(address, &config, LoopTime(number.into())), Ok(()));
            admission.leave(address, &config);
        }
        assert!(admission.addresses.len() <= 2 * REMEMBERED + 1, "{}", admission.addresses.len());
    }
    /// Lets a client of the address with this number come, and leave again unless it stays. Returns how many
    /// addresses are remembered then.
    fn come(admission: &mut Admission, config: &Config, number: usize, now: u64, stays: bool) -> usize {
        let address = ip(IpAddr::V4(Ipv4Addr::from_bits(number as u32)));
        assert_eq!(admission.enter(address, config, LoopTime(now)), Ok(()));
        if !stays {
            admission.leave(address, config);
        }
        admission.addresses.len()
    }

    #[test]
    fn addresses_are_cleared_at_twice_the_number_that_was_kept() {
        let config = Config { max_connections_per_address: Some(1), ..Config::default() };
        let mut admission = Admission::default();
        for number in 0..=REMEMBERED {
            assert_eq!(come(&mut admission, &config, number, 0, false), number + 1);
        }
        assert_eq!(come(&mut admission, &config, 0, 0, false), 1, "all others had left");

        let mut admission = Admission::default();
        let kept = REMEMBERED + 1;
        for number in 0..kept {
            come(&mut admission, &config, number, 0, true);
        }
        for number in kept..=2 * kept {
            assert_eq!(
                come(&mut admission, &config, number, 0, false),
                number + 1,
                "those that stay are kept"
            );
        }
        assert_eq!(come(&mut admission, &config, 2 * kept + 1, 0, false), kept + 1);
    }

    #[test]
    fn an_address_is_remembered_while_it_owes_time() {
        let config = Config { max_handshakes_per_address: Some(1000), ..Config::default() };
        let mut admission = Admission::default();
        for number in 0..=REMEMBERED {
            come(&mut admission, &config, number, 5, false);
        }
        admission.clear(LoopTime(5));
        assert_eq!(admission.addresses.len(), REMEMBERED + 1, "each owes a millisecond");
        admission.clear_at = 0;
        admission.clear(LoopTime(6));
        assert_eq!(admission.addresses.len(), 0);
    }

    #[test]
    fn without_a_limit_no_address_is_remembered() {
        let config = Config {
            max_connections_per_address: None,
            max_handshakes_per_address: None,
            ..Config::default()
        };
        assert_eq!(come(&mut Admission::default(), &config, 1, 0, true), 0);
    }
}

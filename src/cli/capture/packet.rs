//! One packet of a TCP connection: the headers of TCP, of IP, and of the link layer in a capture.
//!
//! This file knows the position of each field, in both directions: from segments to packets and back. It
//! keeps no state: `conversation.rs` handles order, repetition and loss.
//!
//! A packet may contain any bytes. Checksums are written but not checked: a machine often captures its own
//! packets before its network card fills them in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// RFC 9293 §3.1: the flags in the 14th byte of a TCP header.
pub(super) const FIN: u8 = 0b0000_0001;
pub(super) const SYN: u8 = 0b0000_0010;
pub(super) const RST: u8 = 0b0000_0100;
pub(super) const PSH: u8 = 0b0000_1000;
pub(super) const ACK: u8 = 0b0001_0000;

/// The most payload of a written packet. An IP packet has room for 65,535 bytes with its headers.
pub(super) const MAX_PAYLOAD: usize = 65_000;

/// The protocol number of TCP in IP.
const TCP: u8 = 6;
const IPV4_HEADER_LEN: usize = 20;
const IPV6_HEADER_LEN: usize = 40;
const TCP_HEADER_LEN: usize = 20;
/// The time to live: how many routers a packet may pass.
const HOPS: u8 = 64;
/// RFC 791 §3.1: the flag against fragmentation.
const DONT_FRAGMENT: u16 = 0x4000;
/// RFC 791 §3.1: the bits that only a fragment has: more fragments, or an offset other than 0.
const IS_FRAGMENT: u16 = 0x3FFF;
/// The same two for IPv6 (RFC 8200 §4.5).
const IS_FRAGMENT_IPV6: u16 = 0xFFF9;
const WINDOW: u16 = 0xFFFF;
/// RFC 7323 §2.2: one byte of padding, then a window scale of 14, the largest. What one side says before the
/// other answers then never seems to overrun the window.
const SYN_OPTIONS: [u8; 4] = [1, 3, 3, 14];

/// The layer below IP in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Nothing: each packet begins with its IP header.
    Ip,
    Ethernet,
    /// Four bytes that name the address family, as in BSD's loopback.
    Loopback,
    /// The device `any` of Linux, in both versions.
    Cooked,
    Cooked2,
}

impl Link {
    /// The number of written files: LINKTYPE_RAW.
    pub(super) const IP_NUMBER: u16 = 101;

    /// Returns the link layer with this number in the list of tcpdump.org, if it is known here.
    pub(super) const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            // Some systems use 12 and 14 for it.
            12 | 14 | 101 | 228 | 229 => Self::Ip,
            113 => Self::Cooked,
            276 => Self::Cooked2,
            _ => return None,
        })
    }

    /// Returns the IP packet in a packet of this link layer, if there is one.
    fn ip_of(self, packet: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Ip => Some(packet),
            Self::Ethernet => after_type(packet.get(12..)?),
            // The IP header's version suffices; the numbers of the families differ between systems.
            Self::Loopback => packet.get(4..),
            Self::Cooked => after_type(packet.get(14..)?),
            Self::Cooked2 => is_ip(*packet.first_chunk()?).then(|| packet.get(20..)).flatten(),
        }
    }
}

/// Returns the bytes after an Ethernet frame's type and VLAN tags, if they are IP.
fn after_type(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (kind, rest) = bytes.split_first_chunk()?;
        match *kind {
            // IEEE 802.1Q: two bytes of tag, and another type.
            [0x81, 0x00] | [0x88, 0xA8] => bytes = rest.get(2..)?,
            kind => return is_ip(kind).then_some(rest),
        }
    }
}

/// Returns whether this Ethernet type is IPv4 or IPv6.
const fn is_ip(kind: [u8; 2]) -> bool {
    matches!(kind, [0x08, 0x00] | [0x86, 0xDD])
}

/// Why a packet contains no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// Another protocol.
    NotTcp,
    /// A fragment of an IP packet. TCP avoids fragments on today's paths.
    Fragment,
    /// A header is cut or malformed.
    Malformed,
}

/// One TCP segment, with its two ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    pub(super) flags: u8,
    pub(super) payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Decodes the segment in a captured packet.
    pub(super) fn decode(link: Link, packet: &'a [u8]) -> Result<Self, LeftOut> {
        let packet = link.ip_of(packet).ok_or(LeftOut::NotTcp)?;
        let (from, to, tcp) = match packet.first().map(|first| first >> 4) {
            Some(4) => decode_ipv4(packet)?,
            Some(6) => decode_ipv6(packet)?,
            _ => return Err(LeftOut::Malformed),
        };
        let header: &[u8; TCP_HEADER_LEN] = tcp.first_chunk().ok_or(LeftOut::Malformed)?;
        let [f0, f1, t0, t1, s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, ..] = *header;
        // RFC 9293 §3.1: the header's length in 32-bit words, which is at least five.
        let header_len = usize::from(offset >> 4) * 4;
        if header_len < TCP_HEADER_LEN {
            return Err(LeftOut::Malformed);
        }
        Ok(Self {
            from: SocketAddr::new(from, u16::from_be_bytes([f0, f1])),
            to: SocketAddr::new(to, u16::from_be_bytes([t0, t1])),
            sequence: u32::from_be_bytes([s0, s1, s2, s3]),
            acknowledgement: u32::from_be_bytes([a0, a1, a2, a3]),
            flags,
            payload: tcp.get(header_len..).ok_or(LeftOut::Malformed)?,
        })
    }

    /// Appends the IP packet of this segment, whose payload has at most [`MAX_PAYLOAD`] bytes.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let tcp = self.tcp();
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => encode_ipv4(from, to, tcp.len(), out),
            (from, to) => encode_ipv6(as_ipv6(from), as_ipv6(to), tcp.len(), out),
        }
        out.extend_from_slice(&tcp);
    }

    /// Returns the TCP header with its checksum, and the payload.
    fn tcp(&self) -> Vec<u8> {
        let options: &[u8] = if self.flags & SYN != 0 { &SYN_OPTIONS } else { &[] };
        let header_len = TCP_HEADER_LEN + options.len();
        let mut tcp = Vec::with_capacity(header_len + self.payload.len());
        tcp.extend_from_slice(&self.from.port().to_be_bytes());
        tcp.extend_from_slice(&self.to.port().to_be_bytes());
        tcp.extend_from_slice(&self.sequence.to_be_bytes());
        tcp.extend_from_slice(&self.acknowledgement.to_be_bytes());
        tcp.extend_from_slice(&[(header_len as u8 / 4) << 4, self.flags]);
        tcp.extend_from_slice(&WINDOW.to_be_bytes());
        // The checksum, still 0, and no urgent data.
        tcp.extend_from_slice(&[0; 4]);
        tcp.extend_from_slice(options);
        tcp.extend_from_slice(self.payload);
        let checksum = checksum(&[&self.pseudo_header(tcp.len()), &tcp]);
        tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
        tcp
    }

    /// RFC 9293 §3.1: returns the bytes that the checksum covers beside the segment. The fields of IPv4 and
    /// IPv6 differ only in their order, which does not change a sum.
    fn pseudo_header(&self, tcp_len: usize) -> Vec<u8> {
        let mut header = Vec::with_capacity(IPV6_HEADER_LEN);
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                header.extend_from_slice(&from.octets());
                header.extend_from_slice(&to.octets());
            }
            (from, to) => {
                header.extend_from_slice(&as_ipv6(from).octets());
                header.extend_from_slice(&as_ipv6(to).octets());
            }
        }
        header.extend_from_slice(&[0, TCP]);
        header.extend_from_slice(&(tcp_len as u16).to_be_bytes());
        header
    }
}

/// Returns both ends of an IPv4 packet, and its payload.
fn decode_ipv4(packet: &[u8]) -> Result<(IpAddr, IpAddr, &[u8]), LeftOut> {
    let header: &[u8; IPV4_HEADER_LEN] = packet.first_chunk().ok_or(LeftOut::Malformed)?;
    let [first, _, l0, l1, _, _, f0, f1, _, protocol, _, _, a, b, c, d, e, f, g, h] = *header;
    if protocol != TCP {
        return Err(LeftOut::NotTcp);
    }
    if u16::from_be_bytes([f0, f1]) & IS_FRAGMENT != 0 {
        return Err(LeftOut::Fragment);
    }
    let header_len = usize::from(first & 0x0F) * 4;
    if header_len < IPV4_HEADER_LEN {
        return Err(LeftOut::Malformed);
    }
    let end = end_of(u16::from_be_bytes([l0, l1]), 0, packet);
    let payload = packet.get(header_len..end).ok_or(LeftOut::Malformed)?;
    Ok((Ipv4Addr::new(a, b, c, d).into(), Ipv4Addr::new(e, f, g, h).into(), payload))
}

/// Returns both ends of an IPv6 packet, and its payload after the extension headers.
fn decode_ipv6(packet: &[u8]) -> Result<(IpAddr, IpAddr, &[u8]), LeftOut> {
    let (header, _) = packet.split_first_chunk::<IPV6_HEADER_LEN>().ok_or(LeftOut::Malformed)?;
    let address = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 16] = *header.get(at..)?.first_chunk()?;
        Some(Ipv6Addr::from(octets).into())
    };
    let (from, to) = address(8).zip(address(24)).ok_or(LeftOut::Malformed)?;
    let end = end_of(u16::from_be_bytes([header[4], header[5]]), IPV6_HEADER_LEN, packet);
    let mut kind = header[6];
    let mut rest = packet.get(IPV6_HEADER_LEN..end).ok_or(LeftOut::Malformed)?;
    // Each round consumes eight bytes or more.
    while kind != TCP {
        let [next, len, f0, f1] = *rest.first_chunk().ok_or(LeftOut::Malformed)?;
        let len = match kind {
            // RFC 8200 §4: options and routes; the length counts units of eight bytes after the first.
            0 | 43 | 60 => (usize::from(len) + 1) * 8,
            44 if u16::from_be_bytes([f0, f1]) & IS_FRAGMENT_IPV6 != 0 => return Err(LeftOut::Fragment),
            44 => 8,
            _ => return Err(LeftOut::NotTcp),
        };
        rest = rest.get(len..).ok_or(LeftOut::Malformed)?;
        kind = next;
    }
    Ok((from, to, rest))
}

/// Returns where a packet ends whose length field is `len`, not counting `before`. An Ethernet frame can be
/// padded, and a capture can be cut. The field is 0 if the network card was to split the packet.
fn end_of(len: u16, before: usize, packet: &[u8]) -> usize {
    match len {
        0 => packet.len(),
        len => (before + usize::from(len)).min(packet.len()),
    }
}

/// RFC 791 §3.1: appends an IPv4 header.
fn encode_ipv4(from: Ipv4Addr, to: Ipv4Addr, payload_len: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0x45, 0]);
    out.extend_from_slice(&((IPV4_HEADER_LEN + payload_len) as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&DONT_FRAGMENT.to_be_bytes());
    out.extend_from_slice(&[HOPS, TCP, 0, 0]);
    out.extend_from_slice(&from.octets());
    out.extend_from_slice(&to.octets());
    let checksum = checksum(&[&out[start..]]);
    out[start + 10..start + 12].copy_from_slice(&checksum.to_be_bytes());
}

/// RFC 8200 §3: appends an IPv6 header.
fn encode_ipv6(from: Ipv6Addr, to: Ipv6Addr, payload_len: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x60, 0, 0, 0]);
    out.extend_from_slice(&(payload_len as u16).to_be_bytes());
    out.extend_from_slice(&[TCP, HOPS]);
    out.extend_from_slice(&from.octets());
    out.extend_from_slice(&to.octets());
}

/// Converts to IPv6, since both ends of a packet need one family.
const fn as_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// RFC 1071: returns the ones' complement of the ones' complement sum of 16-bit words. Every part but the
/// last must have an even length.
pub(super) fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2)).map(|pair| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    });
    let mut sum: u64 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

//! Captures from literal bytes, and properties of any bytes.
//!
//! The packets and files here are written byte by byte, without the code under test.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    packet::{ACK, FIN, Link, MAX_PAYLOAD, PSH, RST, SYN, checksum},
    *,
};

mod conversations;
mod files;
mod packets;
mod properties;

/// From 192.0.2.1, port 50000, to 192.0.2.2, port 9501: "Hello".
#[rustfmt::skip]
const IPV4: [u8; 45] = [
    // Version 4 and five words of header; default service; 45 bytes; no identification; no fragmentation.
    0x45, 0, 0, 45, 0, 0, 0x40, 0,
    // 64 hops, TCP, the checksum, both addresses.
    64, 6, 0xb6, 0xc7, 192, 0, 2, 1, 192, 0, 2, 2,
    // Both ports, the sequence number, the acknowledgement,
    0xc3, 0x50, 0x25, 0x1d, 1, 2, 3, 4, 10, 11, 12, 13,
    // five words of header, PSH and ACK, the window, the checksum, nothing urgent.
    0x50, 0x18, 0xff, 0xff, 0x05, 0x66, 0, 0,
    b'H', b'e', b'l', b'l', b'o',
];

/// The same from 2001:db8::1 to 2001:db8::2.
#[rustfmt::skip]
const IPV6: [u8; 65] = [
    // Version 6, no class, no flow; 25 bytes after the header; TCP; 64 hops.
    0x60, 0, 0, 0, 0, 25, 6, 64,
    0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
    0xc3, 0x50, 0x25, 0x1d, 1, 2, 3, 4, 10, 11, 12, 13,
    0x50, 0x18, 0xff, 0xff, 0x2d, 0xf5, 0, 0,
    b'H', b'e', b'l', b'l', b'o',
];

/// A SYN from 127.0.0.1, port 50000, to port 9501 there, with a window scale of 14.
#[rustfmt::skip]
const SYN_PACKET: [u8; 44] = [
    0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0x3c, 0xca, 127, 0, 0, 1, 127, 0, 0, 1,
    0xc3, 0x50, 0x25, 0x1d, 0, 0, 0, 0, 0, 0, 0, 0, 0x60, 0x02, 0xff, 0xff, 0xb5, 0x5d, 0, 0,
    1, 3, 3, 14,
];

const fn v4(last: u8, port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port)
}

const fn v6(last: u16, port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)), port)
}

const CLIENT: SocketAddr = v4(1, 50_000);
const SERVER: SocketAddr = v4(2, 9501);

const fn hello(from: SocketAddr, to: SocketAddr) -> Segment<'static> {
    let (sequence, acknowledgement) = (0x0102_0304, 0x0a0b_0c0d);
    Segment { from, to, sequence, acknowledgement, flags: PSH | ACK, payload: b"Hello" }
}

fn encoded(segment: &Segment<'_>) -> Vec<u8> {
    let mut packet = Vec::new();
    segment.encode(&mut packet);
    packet
}

/// Returns a pcap file with one packet, 1.5 s after the beginning of 1970.
fn pcap(magic: [u8; 4], is_big: bool, fraction: u32) -> Vec<u8> {
    let word = |number: u32| if is_big { number.to_be_bytes() } else { number.to_le_bytes() };
    let len = IPV4.len() as u32;
    // Version 2.4 in two halves of a word, no time zone, the longest packet, the link layer; then the
    // packet's.
    let version = if is_big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    let words = [word(0), word(0), word(65_535), word(101), word(1), word(fraction), word(len), word(len)];
    [&magic[..], &version, words.as_flattened(), &IPV4].concat()
}
/// Returns a file with these pieces, one per millisecond.
fn recorded(pieces: &[(Side, &[u8])]) -> Vec<u8> {
    recorded_between(CLIENT, SERVER, pieces)
}

fn recorded_between(client: SocketAddr, server: SocketAddr, pieces: &[(Side, &[u8])]) -> Vec<u8> {
    let (mut file, mut at) = (Vec::new(), Duration::from_secs(1_000_000_000));
    if let Ok(mut writer) = Writer::begin(client, server, at, &mut file) {
        for (from, bytes) in pieces {
            at += Duration::from_millis(1);
            assert!(writer.write(at, *from, bytes, &mut file).is_ok());
        }
        assert!(writer.end(at, &mut file).is_ok());
    }
    file
}

/// Returns the bytes of the first connection; consecutive pieces of one side are joined.
fn bytes_by_side(capture: &Capture<'_>) -> Vec<(Side, Vec<u8>)> {
    joined(capture.connections.iter().take(1).flat_map(|it| &it.pieces).map(|it| (it.from, it.bytes)))
}

fn joined<'a>(pieces: impl IntoIterator<Item = (Side, &'a [u8])>) -> Vec<(Side, Vec<u8>)> {
    let mut joined: Vec<(Side, Vec<u8>)> = Vec::new();
    for (from, bytes) in pieces {
        match joined.last_mut() {
            Some((last, last_bytes)) if *last == from => last_bytes.extend_from_slice(bytes),
            _ if bytes.is_empty() => {}
            _ => joined.push((from, bytes.to_vec())),
        }
    }
    joined
}

/// A segment: its sender, sequence number, flags and payload.
type SentSegment = (Side, u32, u8, &'static [u8]);

fn taken(segments: &[SentSegment]) -> Vec<Recording<'static>> {
    taken_with(segments, None)
}

fn taken_with(segments: &[SentSegment], first: Option<Side>) -> Vec<Recording<'static>> {
    let mut conversations = Conversations::default();
    for (at, &(from, sequence, flags, payload)) in segments.iter().enumerate() {
        let (from, to) = if from == Side::Client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let segment = Segment { from, to, sequence, acknowledgement: 0, flags, payload };
        conversations.take(Duration::from_secs(at as u64), &segment);
    }
    conversations.into_recordings(first)
}
const C: Side = Side::Client;
const S: Side = Side::Server;

//! Captures from literal bytes, and what holds for any bytes.
//!
//! The packets and files here were put together byte by byte, not by the code under test.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::{collection::vec, prelude::*, sample, test_runner};

use super::{
    packet::{ACK, FIN, Link, MAX_PAYLOAD, PSH, RST, SYN, checksum},
    *,
};

/// From 192.0.2.1, port 50000, to 192.0.2.2, port 9501: "Hello".
#[rustfmt::skip]
const IPV4: [u8; 45] = [
    // Version 4 and five words of header; no service asked for; 45 bytes; no name; not to be fragmented;
    0x45, 0, 0, 45, 0, 0, 0x40, 0,
    // 64 routers, TCP, the checksum, both addresses.
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
    // Version 6, no class, no flow; 25 bytes behind the header; TCP; 64 routers.
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

// --- Packets ---------------------------------------------------------------------------------------------

#[test]
fn a_packet_is_made_field_by_field() {
    assert_eq!(encoded(&hello(CLIENT, SERVER)), IPV4);
    assert_eq!(encoded(&hello(v6(1, 50_000), v6(2, 9501))), IPV6);
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let (from, to) = (local(50_000), local(9501));
    let syn = Segment { from, to, sequence: 0, acknowledgement: 0, flags: SYN, payload: b"" };
    assert_eq!(encoded(&syn), SYN_PACKET);
}

#[test]
fn a_packet_is_taken_apart_field_by_field() {
    assert_eq!(Segment::decode(Link::Ip, &IPV4), Ok(hello(CLIENT, SERVER)));
    assert_eq!(Segment::decode(Link::Ip, &IPV6), Ok(hello(v6(1, 50_000), v6(2, 9501))));
}

#[test]
fn a_checksum_is_that_of_rfc_1071() {
    // RFC 1071 §3: the sum of its example is ddf2.
    assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
    // What has its checksum inside sums up to nothing.
    assert_eq!(checksum(&[&IPV4[..20]]), 0);
    assert_eq!(checksum(&[&[1], &[]]), !0x0100);
    assert_eq!(checksum(&[]), 0xffff);
}

#[test]
fn ip_is_found_behind_every_link_layer() {
    let ethernet = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    let cooked = [0, 0, 0x03, 0x04, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0];
    let cooked2 =
        |kind: [u8; 2]| [&kind[..], &[0, 0, 0, 0, 0, 1, 0x03, 0x04, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let cases: [(u32, Vec<u8>, Vec<u8>); 8] = [
        (1, [&ethernet[..], &[8, 0]].concat(), [&ethernet[..], &[0x86, 0xdd]].concat()),
        // One tag of a virtual network, and two.
        (
            1,
            [&ethernet[..], &[0x81, 0, 0, 7, 8, 0]].concat(),
            [&ethernet[..], &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 7, 0x86, 0xdd]].concat(),
        ),
        (101, vec![], vec![]),
        (228, vec![], vec![]),
        (113, [&cooked[..], &[8, 0]].concat(), [&cooked[..], &[0x86, 0xdd]].concat()),
        (276, cooked2([8, 0]), cooked2([0x86, 0xdd])),
        // BSD's loopback on a little-endian and on a big-endian machine.
        (0, vec![2, 0, 0, 0], vec![30, 0, 0, 0]),
        (108, vec![0, 0, 0, 2], vec![0, 0, 0, 24]),
    ];
    for (number, before_ipv4, before_ipv6) in cases {
        let decode = |packet: &[u8]| {
            let link = Link::from_number(number).ok_or(LeftOut::NotTcp)?;
            Segment::decode(link, packet).map(|it| (it.from, it.payload.to_vec()))
        };
        let packet = [&before_ipv4[..], &IPV4].concat();
        assert_eq!(decode(&packet), Ok((CLIENT, b"Hello".to_vec())), "{number}");
        // An Ethernet frame is padded.
        let padded = [&packet[..], &[0; 7]].concat();
        assert_eq!(decode(&padded), Ok((CLIENT, b"Hello".to_vec())), "{number}");
        let packet = [&before_ipv6[..], &IPV6].concat();
        assert_eq!(decode(&packet), Ok((v6(1, 50_000), b"Hello".to_vec())), "{number}");
    }
    assert_eq!(Link::from_number(127), None);
}

#[test]
fn a_header_that_is_cut_or_makes_no_sense_is_left_out() {
    for packet in [&IPV4[..], &IPV6] {
        let headers = packet.len() - 5;
        for len in 0..headers {
            let result = Segment::decode(Link::Ip, &packet[..len]);
            assert_eq!(result, Err(LeftOut::Malformed), "the first {len} bytes");
        }
        // A payload that is cut is what is left of it.
        assert_eq!(Segment::decode(Link::Ip, &packet[..headers + 2]).map(|it| it.payload), Ok(&b"He"[..]));
    }
    let with = |at: usize, byte: u8| {
        let mut packet = IPV4;
        packet[at] = byte;
        Segment::decode(Link::Ip, &packet).map(|_| ())
    };
    // Versions there are none of, headers shorter than they can be, or longer than the packet.
    assert_eq!([with(0, 0x55), with(0, 0x44), with(0, 0x4f)], [Err(LeftOut::Malformed); 3]);
    assert_eq!([with(32, 0x40), with(32, 0xf0)], [Err(LeftOut::Malformed); 2]);
    // UDP, the first fragment, a later one.
    assert_eq!(with(9, 17), Err(LeftOut::NotTcp));
    assert_eq!([with(6, 0x20), with(7, 1)], [Err(LeftOut::Fragment); 2]);
    // An ARP packet.
    let ethernet = [&[2; 12][..], &[8, 6], &IPV4].concat();
    assert_eq!(Segment::decode(Link::Ethernet, &ethernet), Err(LeftOut::NotTcp));
}

#[test]
fn extension_headers_of_ipv6_are_skipped() {
    let behind = |first: u8, headers: &[u8]| {
        let mut packet = IPV6.to_vec();
        packet[6] = first;
        packet[5] += headers.len() as u8;
        packet.splice(40..40, headers.iter().copied());
        packet
    };
    // Options of eight bytes, then a route of sixteen, then a "fragment" that is the whole.
    let options = [43, 0, 0, 0, 0, 0, 0, 0];
    let route = [44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut fragment = [6, 0, 0, 0, 0, 0, 0, 0];
    let packet = behind(0, &[&options[..], &route, &fragment].concat());
    assert_eq!(Segment::decode(Link::Ip, &packet).map(|it| it.payload), Ok(&b"Hello"[..]));
    fragment[3] = 1;
    assert_eq!(Segment::decode(Link::Ip, &behind(44, &fragment)), Err(LeftOut::Fragment));
    // No next header, and one that is longer than the packet.
    assert_eq!(Segment::decode(Link::Ip, &behind(59, &[])), Err(LeftOut::NotTcp));
    assert_eq!(Segment::decode(Link::Ip, &behind(0, &[6, 255, 0, 0])), Err(LeftOut::Malformed));
}

// --- Files -----------------------------------------------------------------------------------------------

/// A pcap file with one packet, 1.5 s after the beginning of 1970.
fn pcap(magic: [u8; 4], is_big: bool, fraction: u32) -> Vec<u8> {
    let word = |number: u32| if is_big { number.to_be_bytes() } else { number.to_le_bytes() };
    let len = IPV4.len() as u32;
    // Version 2.4 in two halves of a word, no time zone, the longest packet, the link layer; then the packet's.
    let version = if is_big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    let words = [word(0), word(0), word(65_535), word(101), word(1), word(fraction), word(len), word(len)];
    [&magic[..], &version, words.as_flattened(), &IPV4].concat()
}

/// A big-endian pcapng file with one packet. No code here writes such.
fn big_endian_pcapng(resolution: u8, count: u64) -> Vec<u8> {
    let section = [0x0A0D_0D0A_u32, 28, 0x1A2B_3C4D, 0x0001_0000, 0xFFFF_FFFF, 0xFFFF_FFFF, 28];
    // Link type 101; the resolution of times; an offset of minus two seconds; no further options.
    let resolution = u32::from(resolution) << 24;
    let interface =
        [1, 44, 101 << 16, 0, 9 << 16 | 1, resolution, 14 << 16 | 8, u32::MAX, u32::MAX - 1, 0, 44];
    // A block that nobody knows, then the packet and its padding.
    let unknown = [0x0BAD, 16, 0xFFFF_FFFF, 16];
    let packet = [6, 80, 0, (count >> 32) as u32, count as u32, 45, 45];
    let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
    let head = [bytes(&section), bytes(&interface), bytes(&unknown), bytes(&packet)].concat();
    [&head[..], &IPV4, &[0; 3], &80_u32.to_be_bytes()].concat()
}

/// When the packet in a file was captured, if it is the one that all those files have.
fn time_of_hello(file: &[u8]) -> Result<Duration, String> {
    let capture = read(file)?;
    match &capture.connections[..] {
        [Recording { began, pieces, .. }] if pieces[0].bytes == b"Hello" && capture.notes.is_empty() => {
            Ok(*began)
        }
        _ => Err(format!("{capture:?}")),
    }
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_both_units() {
    let time = Ok(Duration::from_millis(1500));
    assert_eq!(time_of_hello(&pcap([0xa1, 0xb2, 0xc3, 0xd4], true, 500_000)), time);
    assert_eq!(time_of_hello(&pcap([0xd4, 0xc3, 0xb2, 0xa1], false, 500_000)), time);
    assert_eq!(time_of_hello(&pcap([0xa1, 0xb2, 0x3c, 0x4d], true, 500_000_000)), time);
    assert_eq!(time_of_hello(&pcap([0x4d, 0x3c, 0xb2, 0xa1], false, 500_000_000)), time);
}

#[test]
fn pcapng_is_read_in_the_byte_order_and_the_units_that_it_names() {
    // 3.5 s, less the two of the offset; in nano- and milliseconds, and in quarters.
    for (resolution, count) in [(9, 3_500_000_000), (3, 3500), (0x82, 14)] {
        let time = time_of_hello(&big_endian_pcapng(resolution, count));
        assert_eq!(time, Ok(Duration::from_millis(1500)), "{resolution:#x}");
    }
    // Units that no number can count: the time is lost, the packet is not.
    assert_eq!(time_of_hello(&big_endian_pcapng(0x7F, 1)), Ok(Duration::ZERO));
}

/// A packet with its time and its link layer.
type Captured = (Duration, Link, Vec<u8>);

/// The packets of a file, and the notes.
fn packets_of(file: &[u8]) -> (Vec<Captured>, Vec<String>) {
    let mut packets = Vec::new();
    let notes = file::for_each_packet(file, |it| packets.push((it.at, it.link, it.bytes.to_vec())));
    (packets, notes.unwrap_or_else(|problem| vec![problem]))
}

#[test]
fn each_section_has_its_own_byte_order_and_interfaces() {
    // Little-endian, Ethernet, in microseconds by default.
    let section =
        b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0";
    let interface = b"\x01\0\0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0";
    let packet = |interface: u8| {
        let mut block =
            b"\x06\0\0\0\x24\0\0\0\0\0\0\0\0\0\0\0\x40\x42\x0f\0\x04\0\0\0\x04\0\0\0abcd\x24\0\0\0".to_vec();
        block[8] = interface;
        block
    };
    let ethernet = [&section[..], interface, &packet(0)].concat();
    let of_ethernet = (Duration::from_secs(1), Link::Ethernet, b"abcd".to_vec());
    let others = [big_endian_pcapng(9, 3_500_000_000), big_endian_pcapng(3, 3500)];
    let of_others = (Duration::from_millis(1500), Link::Ip, IPV4.to_vec());
    let (packets, notes) = packets_of(&[&others[0][..], &ethernet, &others[1], &ethernet].concat());
    assert_eq!(packets, [&of_others, &of_ethernet, &of_others, &of_ethernet].map(Captured::clone));
    assert_eq!(notes, [""; 0]);
    // An interface that only an earlier section has is none, and neither is the first without a description.
    let without = [&section[..], &packet(0)].concat();
    for last in [without, [&section[..], interface, &packet(1)].concat()] {
        let two = [&section[..], interface, interface, &packet(1)].concat();
        let (packets, notes) = packets_of(&[&two[..], &last].concat());
        assert_eq!((packets, notes.len()), (vec![of_ethernet.clone()], 1), "{notes:?}");
    }
}

#[test]
fn a_file_that_is_written_begins_as_pcapng_does() {
    let (mut file, at) = (Vec::new(), Duration::new(1, 2));
    assert!(Writer::begin(CLIENT, SERVER, at, &mut file).is_ok());
    let (section, rest) = file.split_at(52);
    assert_eq!(
        section[..24],
        *b"\x0a\x0d\x0d\x0a\x34\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"
    );
    assert_eq!(section[24..], *b"\x04\0\x0e\0wirehook 0.1.0\0\0\0\0\0\0\x34\0\0\0");
    let (interface, rest) = rest.split_at(32);
    assert_eq!(interface, *b"\x01\0\0\0\x20\0\0\0\x65\0\0\0\0\0\0\0\x09\0\x01\0\x09\0\0\0\0\0\0\0\x20\0\0\0");
    // 1,000,000,002 ns; 44 bytes of 44.
    let packet = *b"\x06\0\0\0\x4c\0\0\0\0\0\0\0\0\0\0\0\x02\xca\x9a\x3b\x2c\0\0\0\x2c\0\0\0\x45";
    assert_eq!(rest[..packet.len()], packet);
    assert!(is_capture(&file));
}

#[test]
fn what_is_no_capture_is_told() {
    for bytes in [&b""[..], b"\x0a\x0d\x0d", b"\x81\x05Hello", b"GET / HTTP/1.1\r\n\r\n", b"\xa1\xb2\xcd\x34"]
    {
        assert_eq!(read(bytes), Err("this is neither pcapng nor pcap".to_owned()), "{bytes:?}");
        assert!(!is_capture(bytes));
    }
}

#[test]
fn a_file_that_breaks_off_is_read_as_far_as_it_goes() {
    let whole = recorded(&[(Side::Client, b"before")]);
    let pcap = pcap([0xd4, 0xc3, 0xb2, 0xa1], false, 0);
    // How many places there are between two blocks, or behind pcap's header: there nothing is missing.
    for (file, between) in [(&whole[..], 8), (&big_endian_pcapng(6, 1), 3), (&pcap, 1)] {
        let notes = |len: usize| read(&file[..len]).map(|capture| capture.notes.len());
        let whole = (4..file.len()).filter(|&len| notes(len) == Ok(0)).count();
        let broken = (4..file.len()).filter(|&len| notes(len) == Ok(1)).count();
        assert_eq!((whole, broken), (between, file.len() - 4 - between));
    }
    let cut = read(&whole[..whole.len() - 1]).unwrap_or_default();
    assert_eq!(said(&cut), [(Side::Client, b"before".to_vec())]);
}

#[test]
fn packets_of_an_unknown_link_layer_are_told_by_its_number() {
    let mut file = pcap([0xd4, 0xc3, 0xb2, 0xa1], false, 0);
    file[20] = 127;
    let notes = read(&file).map(|it| it.notes);
    assert_eq!(notes, Ok(vec!["packets of link type 127 are left out: it is not known here".to_owned()]));
}

// --- Conversations ---------------------------------------------------------------------------------------

/// A file with these pieces, each a millisecond after the one before.
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

/// Who said what on the first connection, what one side says in a row as one.
fn said(capture: &Capture<'_>) -> Vec<(Side, Vec<u8>)> {
    joined(capture.connections.iter().take(1).flat_map(|it| &it.pieces).map(|it| (it.from, it.bytes)))
}

fn joined<'a>(pieces: impl IntoIterator<Item = (Side, &'a [u8])>) -> Vec<(Side, Vec<u8>)> {
    let mut joined: Vec<(Side, Vec<u8>)> = Vec::new();
    for (from, bytes) in pieces {
        match joined.last_mut() {
            Some((last, said)) if *last == from => said.extend_from_slice(bytes),
            _ if bytes.is_empty() => {}
            _ => joined.push((from, bytes.to_vec())),
        }
    }
    joined
}

/// A segment: who sends it, its sequence number, its flags and its payload.
type Sent = (Side, u32, u8, &'static [u8]);

fn taken(segments: &[Sent]) -> Vec<Recording<'static>> {
    taken_with(segments, None)
}

fn taken_with(segments: &[Sent], first: Option<Side>) -> Vec<Recording<'static>> {
    let mut conversations = Conversations::default();
    for (at, &(from, sequence, flags, payload)) in segments.iter().enumerate() {
        let (from, to) = if from == Side::Client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let segment = Segment { from, to, sequence, acknowledgement: 0, flags, payload };
        conversations.take(Duration::from_secs(at as u64), &segment);
    }
    conversations.into_recordings(first)
}

/// What each side says in all, and the notes, on the only connection.
fn heard(segments: &[Sent]) -> (Vec<u8>, Vec<u8>, Vec<String>) {
    let mut recordings = taken(segments);
    assert_eq!(recordings.len(), 1);
    let Recording { pieces, notes, .. } = recordings.remove(0);
    let of =
        |side: Side| pieces.iter().filter(|it| it.from == side).flat_map(|it| it.bytes).copied().collect();
    (of(Side::Client), of(Side::Server), notes)
}

const C: Side = Side::Client;
const S: Side = Side::Server;

#[test]
fn what_comes_again_early_or_late_is_put_in_order() {
    let cases: [&[Sent]; 7] = [
        &[(C, 100, SYN, b""), (C, 101, ACK, b"abc"), (C, 104, ACK, b"def"), (C, 107, ACK, b"g")],
        // Again, whole and in part.
        &[(C, 100, SYN, b""), (C, 101, ACK, b"abc"), (C, 101, ACK, b"abc"), (C, 102, ACK, b"bcdefg")],
        // In the wrong order, with overlaps.
        &[(C, 100, SYN, b""), (C, 107, ACK, b"g"), (C, 103, ACK, b"cdef"), (C, 101, ACK, b"abcd")],
        // The same place twice, the shorter one last.
        &[(C, 100, SYN, b""), (C, 103, ACK, b"cdefg"), (C, 103, ACK, b"cd"), (C, 101, ACK, b"ab")],
        // The SYN comes again, and carries data; a probe repeats a byte.
        &[(C, 100, SYN, b"ab"), (C, 100, SYN, b"ab"), (C, 102, ACK, b"?"), (C, 103, ACK, b"cdefg")],
        // Sequence numbers begin again after 2^32.
        &[(C, u32::MAX - 3, SYN, b""), (C, u32::MAX - 2, ACK, b"abc"), (C, 0, ACK, b"defg")],
        &[(C, u32::MAX, SYN, b""), (C, 3, ACK, b"defg"), (C, 0, ACK, b"abc"), (C, u32::MAX - 9, ACK, b"?")],
    ];
    for segments in cases {
        let (said, _, notes) = heard(segments);
        assert_eq!(said, b"abcdefg", "{segments:?}");
        assert_eq!(notes, [""; 0]);
    }
}

#[test]
fn what_is_missing_is_told_and_ends_its_direction() {
    let segments: &[Sent] = &[
        (C, 100, SYN, b""),
        (S, 300, SYN | ACK, b""),
        (C, 101, ACK, b"abc"),
        (C, 108, ACK, b"hi"),
        (S, 301, ACK, b"answer"),
    ];
    let (client, server, notes) = heard(segments);
    assert_eq!((&client[..], &server[..]), (&b"abc"[..], &b"answer"[..]));
    let note =
        "4 bytes of the client are missing after its first 3; 2 captured bytes behind them are left out";
    assert_eq!(notes, [note]);
}

#[test]
fn bytes_that_come_twice_with_other_content_are_counted() {
    let note = |count: usize| {
        format!(
            "{count} bytes of the client came twice with other content: one copy is shown, and the other side may \
             have seen the other"
        )
    };
    let cases: [(&[Sent], &[u8], usize); 8] = [
        // After they were delivered: whole, over several pieces, with new bytes, before the first byte.
        (&[(C, 100, SYN, b""), (C, 101, ACK, b"abc"), (C, 101, ACK, b"aXX")], b"abc", 2),
        (&[(C, 0, SYN, b""), (C, 1, ACK, b"ab"), (C, 3, ACK, b"cd"), (C, 2, ACK, b"bXXe")], b"abcde", 2),
        (&[(C, 0, SYN, b""), (C, 1, ACK, b"abcd"), (C, 2, ACK, b"Xc")], b"abcd", 1),
        (&[(C, 10, ACK, b"ab"), (C, 8, ACK, b"??aX")], b"ab", 1),
        // While they wait for what is missing: at the same place, and with another beginning.
        (&[(C, 0, SYN, b""), (C, 3, ACK, b"cd"), (C, 3, ACK, b"Xde"), (C, 1, ACK, b"ab")], b"abcde", 1),
        (&[(C, 0, SYN, b""), (C, 3, ACK, b"cde"), (C, 4, ACK, b"dX"), (C, 1, ACK, b"ab")], b"abcde", 1),
        // The missing bytes come with some that wait, and over 2^32.
        (&[(C, 0, SYN, b""), (C, 3, ACK, b"cd"), (C, 1, ACK, b"abX")], b"abXd", 1),
        (&[(C, u32::MAX - 1, SYN, b""), (C, u32::MAX, ACK, b"abc"), (C, 0, ACK, b"Xc")], b"abc", 1),
    ];
    for (segments, said, count) in cases {
        let (client, _, mut notes) = heard(segments);
        notes.retain(|note| !note.contains("SYN"));
        assert_eq!((&client[..], notes), (said, vec![note(count)]), "{segments:?}");
    }
    // RFC 9293 §3.8.4: a keep-alive's byte means nothing. Neither does what lies behind a gap.
    let quiet: &[Sent] = &[(C, 0, SYN, b""), (C, 1, ACK, b"ab"), (C, 2, ACK, b"\0")];
    assert_eq!(heard(quiet), (b"ab".to_vec(), vec![], vec![]));
}

#[test]
fn the_client_is_who_sends_the_syn_or_says_get() {
    let of = |segments| taken(segments).first().map(|it| (it.client, it.notes.len()));
    // The answer to a SYN tells it too.
    assert_eq!(of(&[(S, 0, SYN | ACK, b""), (S, 1, ACK, b"x")]), Some((CLIENT, 0)));
    assert_eq!(of(&[(S, 0, ACK, b"x"), (C, 0, ACK, b"GET / HTTP/1.1")]), Some((CLIENT, 2)));
    assert_eq!(of(&[(S, 0, ACK, b"GET / HTTP/1.1"), (C, 0, ACK, b"x")]), Some((SERVER, 2)));
    // Nobody does: said in words, besides the missing SYN.
    assert_eq!(of(&[(S, 0, ACK, b"x"), (C, 0, ACK, b"y")]), Some((SERVER, 3)));
    assert_eq!(of(&[(C, 0, SYN, b"")]), None);
}

#[test]
fn the_client_of_a_session_under_way_is_told_by_its_bytes() {
    const MASKED: &[u8] = b"\x81\x81\0\0\0\0a";

    let of = |segments: &[Sent]| {
        let told = taken(segments);
        told.first().map(|it| (it.client, it.has_beginning, it.notes.len()))
    };
    // §5.1: the MASK bits of both, or of the only one that speaks; whoever is first.
    assert_eq!(of(&[(S, 0, ACK, b"\x81\x01a"), (C, 0, ACK, MASKED)]), Some((CLIENT, false, 2)));
    assert_eq!(of(&[(C, 0, ACK, MASKED), (S, 0, ACK, b"\x81\x01a")]), Some((CLIENT, false, 2)));
    assert_eq!(of(&[(S, 0, ACK, b"\x81\x01a")]), Some((CLIENT, false, 1)));
    assert_eq!(of(&[(C, 0, ACK, MASKED)]), Some((CLIENT, false, 1)));
    // The response is captured, the request is not; in several pieces.
    assert_eq!(
        of(&[(S, 0, ACK, b"HTT"), (S, 3, ACK, b"P/1.1 101"), (C, 0, ACK, b"x")]),
        Some((CLIENT, false, 2))
    );
    assert_eq!(of(&[(S, 0, ACK, b"x"), (C, 0, ACK, b"G"), (C, 1, ACK, b"ET /")]), Some((CLIENT, false, 2)));
    // Both seem to be servers: who spoke first is taken for the client, and that is told.
    assert_eq!(of(&[(S, 0, ACK, b"\x81\x01a"), (C, 0, ACK, b"\x81\x01b")]), Some((SERVER, false, 3)));
    // A SYN says more than any byte.
    let violated: &[Sent] = &[(C, 0, SYN, b""), (C, 1, ACK, b"\x81\x01a"), (S, 0, ACK, MASKED)];
    assert_eq!(of(violated), Some((CLIENT, true, 1)));
}

#[test]
fn who_spoke_first_can_be_said_where_no_syn_tells() {
    let of = |segments, first| {
        let recordings = taken_with(segments, Some(first));
        recordings.first().map(|it| (it.client, it.pieces[0].from, it.notes.len()))
    };
    // The first packet is no word.
    let segments: &[Sent] = &[(C, 0, ACK, b""), (S, 0, ACK, b"\x81\x01a"), (C, 0, ACK, b"x")];
    assert_eq!(of(segments, Side::Client), Some((SERVER, Side::Client, 2)));
    assert_eq!(of(segments, Side::Server), Some((CLIENT, Side::Server, 2)));
    let segments: &[Sent] = &[(C, 0, ACK, b"x"), (S, 0, ACK, b"y")];
    assert_eq!(of(segments, Side::Client), Some((CLIENT, Side::Client, 2)));
    assert_eq!(of(segments, Side::Server), Some((SERVER, Side::Server, 2)));
    let segments: &[Sent] = &[(C, 0, SYN, b""), (C, 1, ACK, b"x")];
    assert_eq!(of(segments, Side::Server), Some((CLIENT, Side::Client, 0)));
}

#[test]
fn a_port_that_is_used_again_begins_another_connection() {
    let ends: [&[Sent]; 2] = [&[(C, 2, FIN | ACK, b""), (S, 1, FIN | ACK, b"")], &[(S, 1, RST, b"")]];
    for end in ends {
        let first: &[Sent] = &[(C, 0, SYN, b""), (S, 0, SYN | ACK, b""), (C, 1, ACK, b"a")];
        let second: &[Sent] = &[(C, 0, SYN, b""), (S, 0, SYN | ACK, b""), (C, 1, ACK, b"b")];
        let recordings = taken(&[first, end, second].concat());
        let said: Vec<_> = recordings.iter().map(|it| it.pieces[0].bytes).collect();
        assert_eq!(said, [b"a", b"b"]);
    }
    // Without an end: the SYN has another number.
    assert_eq!(taken(&[(C, 0, SYN, b""), (C, 1, ACK, b"a"), (C, 9, SYN, b""), (C, 10, ACK, b"b")]).len(), 2);
}

#[test]
fn times_count_from_the_first_packet() {
    let recordings = taken(&[(C, 0, SYN, b""), (C, 4, ACK, b"d"), (C, 1, ACK, b"abc")]);
    let times: Vec<_> = recordings[0].pieces.iter().map(|it| it.at.as_secs()).collect();
    // A piece has the time of the packet that completed it.
    assert_eq!(times, [2, 2]);
}

// --- Any bytes -------------------------------------------------------------------------------------------

fn config(cases: u32) -> test_runner::Config {
    test_runner::Config { cases, failure_persistence: None, ..test_runner::Config::default() }
}

/// What a fuzzer would call: any bytes give a capture that holds no more than they do, or one sentence.
fn check_any(bytes: &[u8]) {
    let Ok(capture) = read(bytes) else { return };
    let pieces = capture.connections.iter().flat_map(|it| &it.pieces);
    let held: usize = pieces.map(|it| it.bytes.len()).sum();
    assert!(held <= bytes.len());
    assert!(capture.notes.len() <= 4 && capture.connections.iter().all(|it| it.notes.len() <= 7));
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Server)]
}

fn pieces() -> impl Strategy<Value = Vec<(Side, Vec<u8>)>> {
    let len =
        prop_oneof![30 => 0..200_usize, 1 => MAX_PAYLOAD - 1..MAX_PAYLOAD + 2, 1 => Just(3 * MAX_PAYLOAD)];
    let bytes = (len, any::<u8>()).prop_map(|(len, seed)| {
        (0..len).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect::<Vec<_>>()
    });
    vec((side(), bytes), 0..12)
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn any_bytes_are_a_capture_or_none(
        magic in sample::select(vec![
            &[][..], &[0x0a, 0x0d, 0x0d, 0x0a], &[0xa1, 0xb2, 0xc3, 0xd4], &[0x4d, 0x3c, 0xb2, 0xa1],
        ]),
        bytes in vec(any::<u8>(), 0..300),
    ) {
        check_any(&[magic, &bytes].concat());
    }

    #[test]
    fn any_packet_is_a_segment_or_left_out(
        number in sample::select(vec![0, 1, 101, 113, 276]),
        first in any::<u8>(),
        bytes in vec(any::<u8>(), 0..120),
    ) {
        let packet = [&[first][..], &bytes].concat();
        if let Some(Ok(segment)) = Link::from_number(number).map(|link| Segment::decode(link, &packet)) {
            prop_assert!(segment.payload.len() <= packet.len());
        }
    }

    #[test]
    fn a_capture_that_was_tampered_with_is_read_or_refused(
        pieces in pieces(),
        changes in vec((any::<sample::Index>(), any::<u8>()), 1..8),
        cut in any::<sample::Index>(),
        is_pcap in any::<bool>(),
    ) {
        let said: Vec<_> = pieces.iter().map(|(from, bytes)| (*from, &bytes[..bytes.len().min(100)])).collect();
        let mut file = if is_pcap { pcap([0xd4, 0xc3, 0xb2, 0xa1], false, 1) } else { recorded(&said) };
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        check_any(&file);
        check_any(&file[..cut.index(file.len())]);
    }

    #[test]
    fn what_is_written_is_read_again(pieces in pieces(), is_v6 in any::<bool>()) {
        let (client, server) = if is_v6 { (v6(1, 1), v6(2, 65_535)) } else { (CLIENT, SERVER) };
        let said_before: Vec<_> = pieces.iter().map(|(from, bytes)| (*from, &bytes[..])).collect();
        let file = recorded_between(client, server, &said_before);
        let capture = read(&file);
        let expected = joined(said_before.iter().copied());
        prop_assert_eq!(capture.as_ref().map(said), Ok(expected));
        for recording in capture.iter().flat_map(|it| &it.connections) {
            prop_assert_eq!((recording.client, recording.server), (client, server));
            prop_assert_eq!(recording.began, Duration::from_secs(1_000_000_000));
            prop_assert!(recording.notes.is_empty());
            // A piece has a whole number of milliseconds, as `recorded` gives them.
            prop_assert!(recording.pieces.iter().all(|it| it.at.subsec_nanos() % 1_000_000 == 0));
        }
    }

    #[test]
    fn any_order_of_segments_gives_all_that_is_there_up_to_the_first_gap(
        order in vec((0_usize..60, 1_usize..20), 0..60),
        start in any::<u32>(),
    ) {
        let said: &'static [u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefgh";
        let mut segments = vec![(C, start, SYN, &b""[..])];
        let mut is_there = vec![false; said.len()];
        for (at, len) in order {
            let sequence = start.wrapping_add(1).wrapping_add(at as u32);
            segments.push((C, sequence, ACK, &said[at..at + len]));
            is_there[at..at + len].fill(true);
        }
        let whole = is_there.iter().take_while(|&&it| it).count();
        let recordings = taken(&segments);
        let heard: Vec<u8> =
            recordings.iter().flat_map(|it| &it.pieces).flat_map(|it| it.bytes).copied().collect();
        prop_assert_eq!(heard, &said[..whole]);
        let has_gap = is_there[whole..].contains(&true);
        prop_assert!(recordings.iter().all(|it| it.notes.len() == usize::from(has_gap)));
    }
}

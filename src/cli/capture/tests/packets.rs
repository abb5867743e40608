//! Single packets: the headers, in both directions.

use super::*;

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
    // The sum over bytes that contain their checksum is 0.
    assert_eq!(checksum(&[&IPV4[..20]]), 0);
    assert_eq!(checksum(&[&[1], &[]]), !0x0100);
    assert_eq!(checksum(&[]), 0xffff);
}

#[test]
fn ip_is_found_after_every_link_layer() {
    let ethernet = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    let cooked = [0, 0, 0x03, 0x04, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0];
    let cooked2 =
        |kind: [u8; 2]| [&kind[..], &[0, 0, 0, 0, 0, 1, 0x03, 0x04, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let cases: [(u32, Vec<u8>, Vec<u8>); 8] = [
        (1, [&ethernet[..], &[8, 0]].concat(), [&ethernet[..], &[0x86, 0xdd]].concat()),
        // One VLAN tag, and two.
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
        // Ethernet frames can be padded.
        let padded = [&packet[..], &[0; 7]].concat();
        assert_eq!(decode(&padded), Ok((CLIENT, b"Hello".to_vec())), "{number}");
        let packet = [&before_ipv6[..], &IPV6].concat();
        assert_eq!(decode(&packet), Ok((v6(1, 50_000), b"Hello".to_vec())), "{number}");
    }
    assert_eq!(Link::from_number(127), None);
}

#[test]
fn a_cut_or_malformed_header_is_left_out() {
    for packet in [&IPV4[..], &IPV6] {
        let headers = packet.len() - 5;
        for len in 0..headers {
            let result = Segment::decode(Link::Ip, &packet[..len]);
            assert_eq!(result, Err(LeftOut::Malformed), "the first {len} bytes");
        }
        // A cut payload is shorter.
        assert_eq!(Segment::decode(Link::Ip, &packet[..headers + 2]).map(|it| it.payload), Ok(&b"He"[..]));
    }
    let with = |at: usize, byte: u8| {
        let mut packet = IPV4;
        packet[at] = byte;
        Segment::decode(Link::Ip, &packet).map(|_| ())
    };
    // Unknown versions, and headers shorter than allowed or longer than the packet.
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
    let with_headers = |first: u8, headers: &[u8]| {
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
    let packet = with_headers(0, &[&options[..], &route, &fragment].concat());
    assert_eq!(Segment::decode(Link::Ip, &packet).map(|it| it.payload), Ok(&b"Hello"[..]));
    fragment[3] = 1;
    assert_eq!(Segment::decode(Link::Ip, &with_headers(44, &fragment)), Err(LeftOut::Fragment));
    // No next header, and one that is longer than the packet.
    assert_eq!(Segment::decode(Link::Ip, &with_headers(59, &[])), Err(LeftOut::NotTcp));
    assert_eq!(Segment::decode(Link::Ip, &with_headers(0, &[6, 255, 0, 0])), Err(LeftOut::Malformed));
}

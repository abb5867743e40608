//! Files: both formats, in both byte orders, whole and cut.

use super::*;

/// Returns a big-endian pcapng file with one packet. No code here writes such a file.
fn big_endian_pcapng(resolution: u8, count: u64) -> Vec<u8> {
    let section = [0x0A0D_0D0A_u32, 28, 0x1A2B_3C4D, 0x0001_0000, 0xFFFF_FFFF, 0xFFFF_FFFF, 28];
    // Link type 101; the resolution of times; an offset of minus two seconds; no further options.
    let resolution = u32::from(resolution) << 24;
    let interface =
        [1, 44, 101 << 16, 0, 9 << 16 | 1, resolution, 14 << 16 | 8, u32::MAX, u32::MAX - 1, 0, 44];
    // An unknown block, then the packet and its padding.
    let unknown = [0x0BAD, 16, 0xFFFF_FFFF, 16];
    let packet = [6, 80, 0, (count >> 32) as u32, count as u32, 45, 45];
    let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
    let head = [bytes(&section), bytes(&interface), bytes(&unknown), bytes(&packet)].concat();
    [&head[..], &IPV4, &[0; 3], &80_u32.to_be_bytes()].concat()
}

/// Returns the time of the packet in a file, if it is the expected one.
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
fn pcapng_is_read_in_its_byte_order_and_units() {
    // 3.5 s minus the offset of two; in nano- and milliseconds, and in quarters.
    for (resolution, count) in [(9, 3_500_000_000), (3, 3500), (0x82, 14)] {
        let time = time_of_hello(&big_endian_pcapng(resolution, count));
        assert_eq!(time, Ok(Duration::from_millis(1500)), "{resolution:#x}");
    }
    // Units beyond every number: the time is lost, the packet is not.
    assert_eq!(time_of_hello(&big_endian_pcapng(0x7F, 1)), Ok(Duration::ZERO));
}

/// A packet with its time and its link layer.
type Captured = (Duration, Link, Vec<u8>);

/// Returns the packets of a file, and the notes.
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
    // An interface of an earlier section does not exist, and neither does the first without a description.
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
fn a_file_that_is_no_capture_is_refused() {
    for bytes in [&b""[..], b"\x0a\x0d\x0d", b"\x81\x05Hello", b"GET / HTTP/1.1\r\n\r\n", b"\xa1\xb2\xcd\x34"]
    {
        assert_eq!(read(bytes), Err("this is neither pcapng nor pcap".to_owned()), "{bytes:?}");
        assert!(!is_capture(bytes));
    }
}

#[test]
fn an_incomplete_file_is_read_to_its_end() {
    let whole = recorded(&[(Side::Client, b"before")]);
    let pcap = pcap([0xd4, 0xc3, 0xb2, 0xa1], false, 0);
    // The number of borders between two blocks, or after pcap's header: at a border nothing is missing.
    for (file, between) in [(&whole[..], 8), (&big_endian_pcapng(6, 1), 3), (&pcap, 1)] {
        let notes = |len: usize| read(&file[..len]).map(|capture| capture.notes.len());
        let whole = (4..file.len()).filter(|&len| notes(len) == Ok(0)).count();
        let broken = (4..file.len()).filter(|&len| notes(len) == Ok(1)).count();
        assert_eq!((whole, broken), (between, file.len() - 4 - between));
    }
    let cut = read(&whole[..whole.len() - 1]).unwrap_or_default();
    assert_eq!(bytes_by_side(&cut), [(Side::Client, b"before".to_vec())]);
}

#[test]
fn unknown_link_layers_are_listed_by_number() {
    let mut file = pcap([0xd4, 0xc3, 0xb2, 0xa1], false, 0);
    file[20] = 127;
    let notes = read(&file).map(|it| it.notes);
    assert_eq!(notes, Ok(vec!["packets of link type 127 are left out: it is not known here".to_owned()]));
}

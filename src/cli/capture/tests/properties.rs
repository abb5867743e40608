//! Properties of any bytes, and of any order of segments.

use proptest::{collection::vec, prelude::*, sample, test_runner};

use super::*;

fn config(cases: u32) -> test_runner::Config {
    test_runner::Config { cases, failure_persistence: None, ..test_runner::Config::default() }
}

/// Checks the property that a fuzzer checks too: any bytes give a capture that holds no more bytes, or an
/// error.
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
        let short_pieces: Vec<_> = pieces.iter().map(|(from, bytes)| (*from, &bytes[..bytes.len().min(100)])).collect();
        let mut file = if is_pcap { pcap([0xd4, 0xc3, 0xb2, 0xa1], false, 1) } else { recorded(&short_pieces) };
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        check_any(&file);
        check_any(&file[..cut.index(file.len())]);
    }

    #[test]
    fn a_written_capture_is_read_again(pieces in pieces(), is_v6 in any::<bool>()) {
        let (client, server) = if is_v6 { (v6(1, 1), v6(2, 65_535)) } else { (CLIENT, SERVER) };
        let said_before: Vec<_> = pieces.iter().map(|(from, bytes)| (*from, &bytes[..])).collect();
        let file = recorded_between(client, server, &said_before);
        let capture = read(&file);
        let expected = joined(said_before.iter().copied());
        prop_assert_eq!(capture.as_ref().map(bytes_by_side), Ok(expected));
        for recording in capture.iter().flat_map(|it| &it.connections) {
            prop_assert_eq!((recording.client, recording.server), (client, server));
            prop_assert_eq!(recording.began, Duration::from_secs(1_000_000_000));
            prop_assert!(recording.notes.is_empty());
            // `recorded` uses whole milliseconds.
            prop_assert!(recording.pieces.iter().all(|it| it.at.subsec_nanos() % 1_000_000 == 0));
        }
    }

    #[test]
    fn any_order_of_segments_gives_all_bytes_up_to_the_first_gap(
        order in vec((0_usize..60, 1_usize..20), 0..60),
        start in any::<u32>(),
    ) {
        let stream: &'static [u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefgh";
        let mut segments = vec![(C, start, SYN, &b""[..])];
        let mut is_there = vec![false; stream.len()];
        for (at, len) in order {
            let sequence = start.wrapping_add(1).wrapping_add(at as u32);
            segments.push((C, sequence, ACK, &stream[at..at + len]));
            is_there[at..at + len].fill(true);
        }
        let whole = is_there.iter().take_while(|&&it| it).count();
        let recordings = taken(&segments);
        let delivered: Vec<u8> =
            recordings.iter().flat_map(|it| &it.pieces).flat_map(|it| it.bytes).copied().collect();
        prop_assert_eq!(delivered, &stream[..whole]);
        let has_gap = is_there[whole..].contains(&true);
        prop_assert!(recordings.iter().all(|it| it.notes.len() == usize::from(has_gap)));
    }
}

//! Conversations: the order of segments, gaps, and which end is the client.

use super::*;

/// Returns all bytes of each side, and the notes, of the only connection.
fn bytes_and_notes(segments: &[SentSegment]) -> (Vec<u8>, Vec<u8>, Vec<String>) {
    let mut recordings = taken(segments);
    assert_eq!(recordings.len(), 1);
    let Recording { pieces, notes, .. } = recordings.remove(0);
    let of =
        |side: Side| pieces.iter().filter(|it| it.from == side).flat_map(|it| it.bytes).copied().collect();
    (of(Side::Client), of(Side::Server), notes)
}

#[test]
fn repeated_early_and_late_segments_are_put_in_order() {
    let cases: [&[SentSegment]; 7] = [
        &[(C, 100, SYN, b""), (C, 101, ACK, b"abc"), (C, 104, ACK, b"def"), (C, 107, ACK, b"g")],
        // Repeated, whole and in part.
        &[(C, 100, SYN, b""), (C, 101, ACK, b"abc"), (C, 101, ACK, b"abc"), (C, 102, ACK, b"bcdefg")],
        // In the wrong order, with overlaps.
        &[(C, 100, SYN, b""), (C, 107, ACK, b"g"), (C, 103, ACK, b"cdef"), (C, 101, ACK, b"abcd")],
        // The same position twice, the shorter piece last.
        &[(C, 100, SYN, b""), (C, 103, ACK, b"cdefg"), (C, 103, ACK, b"cd"), (C, 101, ACK, b"ab")],
        // The SYN is repeated and carries data; a probe repeats a byte.
        &[(C, 100, SYN, b"ab"), (C, 100, SYN, b"ab"), (C, 102, ACK, b"?"), (C, 103, ACK, b"cdefg")],
        // Sequence numbers wrap after 2^32.
        &[(C, u32::MAX - 3, SYN, b""), (C, u32::MAX - 2, ACK, b"abc"), (C, 0, ACK, b"defg")],
        &[(C, u32::MAX, SYN, b""), (C, 3, ACK, b"defg"), (C, 0, ACK, b"abc"), (C, u32::MAX - 9, ACK, b"?")],
    ];
    for segments in cases {
        let (bytes, _, notes) = bytes_and_notes(segments);
        assert_eq!(bytes, b"abcdefg", "{segments:?}");
        assert_eq!(notes, [""; 0]);
    }
}

#[test]
fn missing_bytes_are_noted_and_end_their_direction() {
    let segments: &[SentSegment] = &[
        (C, 100, SYN, b""),
        (S, 300, SYN | ACK, b""),
        (C, 101, ACK, b"abc"),
        (C, 108, ACK, b"hi"),
        (S, 301, ACK, b"answer"),
    ];
    let (client, server, notes) = bytes_and_notes(segments);
    assert_eq!((&client[..], &server[..]), (&b"abc"[..], &b"answer"[..]));
    let note =
        "4 bytes of the client are missing after its first 3; 2 captured bytes after them are left out";
    assert_eq!(notes, [note]);
}

#[test]
fn repeated_bytes_with_other_content_are_counted() {
    let note = |count: usize| {
        format!(
            "{count} bytes of the client came twice with other content: one copy is shown, and the other side may \
             have seen the other"
        )
    };
    let cases: [(&[SentSegment], &[u8], usize); 8] = [
        // After delivery: whole, over several pieces, with new bytes, before the first byte.
        (&[(C, 100, SYN, b""), (C, 101, ACK, b"abc"), (C, 101, ACK, b"aXX")], b"abc", 2),
        (&[(C, 0, SYN, b""), (C, 1, ACK, b"ab"), (C, 3, ACK, b"cd"), (C, 2, ACK, b"bXXe")], b"abcde", 2),
        (&[(C, 0, SYN, b""), (C, 1, ACK, b"abcd"), (C, 2, ACK, b"Xc")], b"abcd", 1),
        (&[(C, 10, ACK, b"ab"), (C, 8, ACK, b"??aX")], b"ab", 1),
        // While they wait for missing bytes: at the same position, and with another beginning.
        (&[(C, 0, SYN, b""), (C, 3, ACK, b"cd"), (C, 3, ACK, b"Xde"), (C, 1, ACK, b"ab")], b"abcde", 1),
        (&[(C, 0, SYN, b""), (C, 3, ACK, b"cde"), (C, 4, ACK, b"dX"), (C, 1, ACK, b"ab")], b"abcde", 1),
        // The missing bytes arrive with some that wait, and beyond 2^32.
        (&[(C, 0, SYN, b""), (C, 3, ACK, b"cd"), (C, 1, ACK, b"abX")], b"abXd", 1),
        (&[(C, u32::MAX - 1, SYN, b""), (C, u32::MAX, ACK, b"abc"), (C, 0, ACK, b"Xc")], b"abc", 1),
    ];
    for (segments, bytes, count) in cases {
        let (client, _, mut notes) = bytes_and_notes(segments);
        notes.retain(|note| !note.contains("SYN"));
        assert_eq!((&client[..], notes), (bytes, vec![note(count)]), "{segments:?}");
    }
    // RFC 9293 §3.8.4: a keep-alive's byte has no meaning. Bytes after a gap are left out.
    let quiet: &[SentSegment] = &[(C, 0, SYN, b""), (C, 1, ACK, b"ab"), (C, 2, ACK, b"\0")];
    assert_eq!(bytes_and_notes(quiet), (b"ab".to_vec(), vec![], vec![]));
}

#[test]
fn the_client_sends_the_syn_or_the_get() {
    let of = |segments| taken(segments).first().map(|it| (it.client, it.notes.len()));
    // The answer to a SYN shows it too.
    assert_eq!(of(&[(S, 0, SYN | ACK, b""), (S, 1, ACK, b"x")]), Some((CLIENT, 0)));
    assert_eq!(of(&[(S, 0, ACK, b"x"), (C, 0, ACK, b"GET / HTTP/1.1")]), Some((CLIENT, 2)));
    assert_eq!(of(&[(S, 0, ACK, b"GET / HTTP/1.1"), (C, 0, ACK, b"x")]), Some((SERVER, 2)));
    // Nothing shows it: a note says so, beside the one about the missing SYN.
    assert_eq!(of(&[(S, 0, ACK, b"x"), (C, 0, ACK, b"y")]), Some((SERVER, 3)));
    assert_eq!(of(&[(C, 0, SYN, b"")]), None);
}

#[test]
fn without_a_syn_the_bytes_show_the_client() {
    const MASKED: &[u8] = b"\x81\x81\0\0\0\0a";

    let of = |segments: &[SentSegment]| {
        let recordings = taken(segments);
        recordings.first().map(|it| (it.client, it.has_beginning, it.notes.len()))
    };
    // §5.1: the MASK bits of both sides, or of the only one that speaks; in any order.
    assert_eq!(of(&[(S, 0, ACK, b"\x81\x01a"), (C, 0, ACK, MASKED)]), Some((CLIENT, false, 2)));
    assert_eq!(of(&[(C, 0, ACK, MASKED), (S, 0, ACK, b"\x81\x01a")]), Some((CLIENT, false, 2)));
    assert_eq!(of(&[(S, 0, ACK, b"\x81\x01a")]), Some((CLIENT, false, 1)));
    assert_eq!(of(&[(C, 0, ACK, MASKED)]), Some((CLIENT, false, 1)));
    // The response is captured in several pieces, the request is not.
    assert_eq!(
        of(&[(S, 0, ACK, b"HTT"), (S, 3, ACK, b"P/1.1 101"), (C, 0, ACK, b"x")]),
        Some((CLIENT, false, 2))
    );
    assert_eq!(of(&[(S, 0, ACK, b"x"), (C, 0, ACK, b"G"), (C, 1, ACK, b"ET /")]), Some((CLIENT, false, 2)));
    // Both seem to be servers: the first to speak counts as the client, and a note says so.
    assert_eq!(of(&[(S, 0, ACK, b"\x81\x01a"), (C, 0, ACK, b"\x81\x01b")]), Some((SERVER, false, 3)));
    // A SYN outweighs all bytes.
    let violated: &[SentSegment] = &[(C, 0, SYN, b""), (C, 1, ACK, b"\x81\x01a"), (S, 0, ACK, MASKED)];
    assert_eq!(of(violated), Some((CLIENT, true, 1)));
}

#[test]
fn without_a_syn_the_first_speaker_can_be_given() {
    let of = |segments, first| {
        let recordings = taken_with(segments, Some(first));
        recordings.first().map(|it| (it.client, it.pieces[0].from, it.notes.len()))
    };
    // An empty packet does not count as speaking.
    let segments: &[SentSegment] = &[(C, 0, ACK, b""), (S, 0, ACK, b"\x81\x01a"), (C, 0, ACK, b"x")];
    assert_eq!(of(segments, Side::Client), Some((SERVER, Side::Client, 2)));
    assert_eq!(of(segments, Side::Server), Some((CLIENT, Side::Server, 2)));
    let segments: &[SentSegment] = &[(C, 0, ACK, b"x"), (S, 0, ACK, b"y")];
    assert_eq!(of(segments, Side::Client), Some((CLIENT, Side::Client, 2)));
    assert_eq!(of(segments, Side::Server), Some((SERVER, Side::Server, 2)));
    let segments: &[SentSegment] = &[(C, 0, SYN, b""), (C, 1, ACK, b"x")];
    assert_eq!(of(segments, Side::Server), Some((CLIENT, Side::Client, 0)));
}

#[test]
fn a_port_that_is_used_again_begins_another_connection() {
    let ends: [&[SentSegment]; 2] = [&[(C, 2, FIN | ACK, b""), (S, 1, FIN | ACK, b"")], &[(S, 1, RST, b"")]];
    for end in ends {
        let first: &[SentSegment] = &[(C, 0, SYN, b""), (S, 0, SYN | ACK, b""), (C, 1, ACK, b"a")];
        let second: &[SentSegment] = &[(C, 0, SYN, b""), (S, 0, SYN | ACK, b""), (C, 1, ACK, b"b")];
        let recordings = taken(&[first, end, second].concat());
        let bytes: Vec<_> = recordings.iter().map(|it| it.pieces[0].bytes).collect();
        assert_eq!(bytes, [b"a", b"b"]);
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

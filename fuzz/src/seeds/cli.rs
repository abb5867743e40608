//! The seeds for what strangers' files and shells bring to the command line: captures, arguments, replays;
//! and what both sides of a connection look like to `explain`.
//!
//! This file writes packets and blocks byte by byte, without the code under test.

use super::{CLOSE, PING, TEXT, TEXT_BEGINS, said};

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Whether the client says these bytes, or the server.
type Turn<'a> = (bool, &'a [u8]);

// --- explain -----------------------------------------------------------------------------------------------

/// One byte says whether there are heads (0) or not (1), one how many cuts; then come the turns.
pub(super) fn explanations() -> Vec<(&'static str, Vec<u8>)> {
    let hello = said(TEXT, b"Hello");
    let fragments = [said(TEXT_BEGINS, b"Hel"), said(PING, b"?"), said(0x80, b"lo")].concat();
    let close = said(CLOSE, b"\x03\xe8bye");
    let both = [(true, REQUEST), (false, RESPONSE)];
    let refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n";
    vec![
        ("session", plan(0, &[both[0], both[1], (true, &hello), (false, b"\x81\x05Hello"), (true, &close)])),
        ("fragments_and_ping", plan(1, &[(true, &fragments), (false, b"\x8a\x01?\x01\x01a\x80\x01b")])),
        ("both_close", plan(1, &[(true, &close), (false, b"\x88\x02\x03\xe8"), (true, &hello)])),
        ("early_frame", plan(0, &[(true, REQUEST), (true, &hello), (false, RESPONSE)])),
        ("refused", plan(0, &[(true, b"GET / HTTP/1.1\r\n\r\n"), (false, refusal)])),
        ("refused_within_a_frame", plan(0, &[(true, REQUEST), (true, b"\x81\x85\0"), (false, refusal)])),
        ("refused_within_a_head", plan(0, &[(true, b"GET / HT"), (false, refusal)])),
        ("compressed", plan(1, &[(true, &said(0xC1, b"\xf2H\xcd")), (false, b"\xc1\x03\xf2H\xcd")])),
        ("masked_by_server", plan(1, &[(false, &hello)])),
        ("unmasked_by_client", plan(1, &[(true, b"\x81\x05Hello")])),
        ("turned_text", plan(1, &[(true, &said(TEXT, "a\u{202E}b\u{1b}[31m".as_bytes()))])),
        ("cut_header", plan(1, &[(true, b"\x82\xfe\x01"), (false, b"\x82\x7f\0\0")])),
        ("long_payload", plan(1, &[(false, &[&[0x82, 126, 1, 44][..], &[7; 300]].concat())])),
    ]
}

fn plan(without_heads: u8, turns: &[Turn<'_>]) -> Vec<u8> {
    let mut plan = vec![without_heads, 1, 7];
    for (is_client, bytes) in turns {
        let side = if *is_client { 0 } else { 0x80 };
        match u8::try_from(bytes.len()) {
            Ok(len) if len < 127 => plan.push(side | len),
            _ => {
                plan.push(side | 127);
                plan.extend((bytes.len() as u16).to_be_bytes());
            }
        }
        plan.extend_from_slice(bytes);
    }
    plan
}

// --- arguments ---------------------------------------------------------------------------------------------

/// Arguments, one per line.
pub(super) const ARGUMENTS: &[(&str, &str)] = &[
    ("echo", "echo\n--listen\n127.0.0.1:0\n-vv"),
    ("study_public", "study\n--public"),
    ("public_echo", "echo\n--public"),
    (
        "limits",
        "--max-message-size=16M\n--max-header-size\n16K\n--max-headers\n100\n--max-buffered-bytes\n1G",
    ),
    ("times", "--handshake-timeout=500ms\n--ping-interval\nnone\n--pong-timeout=2m\n--close-timeout=1h"),
    ("caps", "--max-connections\n5\n--max-connections-per-address=2\n--max-handshakes-per-address\nnone"),
    ("who", "--origin\nhttps://a.example\n--subprotocol\nchat\n--subprotocol=superchat"),
    ("kept", "--max-backpressure\n64K\n--backpressure\nclose\n--nodelay=off\n--shutdown-spread=2s"),
    ("told", "--explain=json\n--record\nDIR\n--metrics\n127.0.0.1:0\n-qq"),
    ("explain_json", "--explain\njson"),
    ("no_size", "--max-message-size\nmuch"),
    ("no_time", "--close-timeout=0"),
    ("no_value", "--listen"),
    ("unknown_option", "--lsten\n127.0.0.1:0"),
    ("unknown_mode", "ecko"),
    ("help", "echo\n--help"),
    ("version", "-V"),
    ("decode", "decode\n--json\n--client\n81\n05"),
    ("decode_file", "decode\n--file\nsession.pcapng\n--max-message-size=1K\n--handshake"),
    ("decode_base64", "decode\n--base64\ngQU="),
    ("accept", "accept\ndGhlIHNhbXBsZSBub25jZQ=="),
    ("accept_nothing", "accept"),
    ("replay", "replay\nfile\n--to\nws://127.0.0.1:9501/chat?x=1\n--paced\n--max-pause\n1m\n--timeout=2s"),
    ("replay_extract", "replay\n-\n--extract\n-\n--connection=2"),
    ("replay_nowhere", "replay\nfile"),
    ("replay_http", "replay\nfile\n--to\nhttp://a"),
    ("steers_a_terminal", "--a\u{1b}[31m\n\u{202E}"),
];

// --- capture -----------------------------------------------------------------------------------------------

pub(super) fn captures() -> Vec<(&'static str, Vec<u8>)> {
    let hello = said(TEXT, b"Hello");
    let session: [Turn<'_>; 4] =
        [(true, REQUEST), (false, RESPONSE), (true, &hello), (false, b"\x81\x05Hello")];
    let packets = packets(&session);
    let mut shuffled = packets.clone();
    shuffled[2..].reverse();
    let doubled: Vec<_> = packets.iter().flat_map(|it| [it.clone(), it.clone()]).collect();
    let mut gap = packets.clone();
    gap.remove(4);
    let middle = packets[4..].to_vec();
    let file = pcap(&packets);
    vec![
        ("pcap", file.clone()),
        ("pcap_that_breaks_off", file[..file.len() - 3].to_vec()),
        ("pcapng", pcapng(&packets)),
        ("pcapng_of_two_sections", [pcapng(&packets[..3]), pcapng(&packets[3..])].concat()),
        ("out_of_order", pcap(&shuffled)),
        ("repeated", pcap(&doubled)),
        ("with_a_gap", pcap(&gap)),
        ("from_the_middle", pcap(&middle)),
        ("no_capture", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ]
}

/// TCP packets from 192.0.2.1:50000 to 192.0.2.2:9501 and back, with both SYNs. Checksums are 0:
/// they are never checked.
fn packets(turns: &[Turn<'_>]) -> Vec<Vec<u8>> {
    let mut packets = vec![packet(true, 0, 0x02, b""), packet(false, 0, 0x12, b"")];
    let mut next = [1_u32; 2];
    for (is_client, bytes) in turns {
        let next = &mut next[usize::from(*is_client)];
        packets.push(packet(*is_client, *next, 0x18, bytes));
        *next += bytes.len() as u32;
    }
    packets
}

fn packet(from_client: bool, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let (client, server) =
        (([192, 0, 2, 1], 50_000_u16.to_be_bytes()), ([192, 0, 2, 2], 9501_u16.to_be_bytes()));
    let (from, to) = if from_client { (client, server) } else { (server, client) };
    let len = (40 + payload.len() as u16).to_be_bytes();
    let ip = [&[0x45, 0][..], &len, &[0, 0, 0x40, 0, 64, 6, 0, 0], &from.0, &to.0].concat();
    let numbers = [&sequence.to_be_bytes()[..], &[0; 4]].concat();
    let tcp = [&from.1[..], &to.1, &numbers, &[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]].concat();
    [&ip[..], &tcp, payload].concat()
}

/// A pcap in microseconds and little-endian, of packets that begin with IP; one per second.
fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x65\0\0\0".to_vec();
    for (at, packet) in (1_u32..).zip(packets) {
        let len = (packet.len() as u32).to_le_bytes();
        file.extend([&at.to_le_bytes()[..], &[0; 4], &len, &len, packet].concat());
    }
    file
}

/// A section of pcapng with one interface.
fn pcapng(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = block(0x0A0D_0D0A, b"\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
    // Its times are in units of 10^-9 s.
    file.extend(block(1, b"\x65\0\0\0\0\0\0\0\x09\0\x01\0\x09\0\0\0\0\0\0\0"));
    for (at, packet) in (1_u32..).zip(packets) {
        let len = (packet.len() as u32).to_le_bytes();
        file.extend(block(6, &[&[0; 8][..], &at.to_le_bytes(), &len, &len, packet].concat()));
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = [body, &vec![0; body.len().next_multiple_of(4) - body.len()]].concat();
    let len = (padded.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &len, &padded, &len].concat()
}

// --- replay_peer -------------------------------------------------------------------------------------------

/// Flags, then the recording in pairs, 255, then what the server does in pairs, as `src/cli/replay/fuzz.rs`
/// has them.
pub(super) const PLAYS: &[(&str, &[u8])] = &[
    ("the_same", &[0b0000_0100, 0, 5, 1, 5, 3, 2, 2, 4, 5, 0, 255, 0]),
    ("the_same_in_pieces", &[0b0000_0100, 1, 5, 2, 4, 255, 0, 0, 1, 0, 1, 0, 60, 0, 1]),
    ("the_same_paced", &[0b1000_0100, 0, 1, 6, 13, 0, 1, 6, 60, 0, 1, 7, 0, 0, 1, 255, 0]),
    ("a_refusal", &[0b0000_0110, 4, 110, 4, 111, 255, 0]),
    ("the_last_byte_differs", &[0b0000_0000, 1, 5, 255, 0, 0, 62, 3, 0]),
    ("a_byte_too_few", &[0b0000_0000, 1, 5, 255, 0, 0, 62]),
    ("a_byte_too_many", &[0b0000_0000, 1, 5, 255, 0, 0, 63, 4, 0x81]),
    ("pings_between", &[0b0000_0000, 1, 5, 255, 0, 0, 56, 2, 3, 2, 0, 0, 7]),
    ("a_ping_that_is_cut", &[0b0110_0000, 1, 5, 255, 0, 0, 56]),
    ("a_flood_of_pings", &[0b0101_0000, 1, 5, 255, 0, 0, 56]),
    ("a_head_that_drips", &[0b0100_1000, 1, 5, 255, 0, 0, 10]),
    ("a_flood", &[0b0111_0000, 1, 5, 255, 0, 0, 56]),
    ("silence", &[0b0011_0000, 1, 5, 255, 0]),
    ("too_late", &[0b0000_0000, 1, 5, 255, 0, 0, 56, 7, 99, 7, 2, 0, 7]),
    ("reads_nothing", &[0b0000_0000, 0, 200, 255, 0, 6, 1, 0, 63]),
];

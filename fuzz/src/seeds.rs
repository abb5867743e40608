//! The seeds with names: where a fuzzer starts, and what a reader can learn from.
//!
//! This file is a table: the examples of §1.3 and §5.7, a stream for each rule of §5 kept and one for each
//! broken, both sides of every boundary. `cargo run --example seeds` writes it to `corpus/`; a test holds the
//! two together. Seeds without an extension in the same folders were found by the fuzzers and are no part of
//! this table.

mod answers;
mod cli;
mod deflate;

use super::client::{Form, KEY, frame, header};

/// A target's name, the seed's name, and its bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// All of them.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, bytes: &[u8]| seeds.push((target, name.to_owned(), bytes.to_vec()));
    for (name, bytes) in frames() {
        add("receiver", name, &bytes);
        add("differential", name, &bytes);
        // In pieces of one and three bytes.
        add("chunks", name, &[&[2, 1, 3], &bytes[..]].concat());
        add("frame_header", name, &bytes[..bytes.len().min(20)]);
    }
    for (name, header) in headers() {
        add("frame_header", name, &header);
        add("receiver", name, &header);
    }
    for (name, head) in heads() {
        // In pieces of ten bytes and of one.
        add("handshake", name, &[&[2, 10, 1], &head[..]].concat());
    }
    for (name, payloads) in deflate::PAYLOADS {
        // In pieces of three bytes, with context takeover.
        add("inflate", name, &[&[1, 3, 0][..], payloads].concat());
    }
    for (name, header) in deflate::HEADERS {
        // A server that wants nothing of its own.
        add("extensions", name, &[&[0, 15, 15][..], header.as_bytes()].concat());
    }
    for (name, frames) in answers::frames() {
        // In pieces of one and three bytes.
        add("client_session", name, &[&[2, 1, 3], &frames[..]].concat());
    }
    for (name, answer) in answers::answers() {
        // In pieces of ten bytes and of one.
        add("client_handshake", name, &[&[2, 10, 1], &answer[..]].concat());
    }
    for (name, text) in TEXTS {
        // Cut after the second byte.
        add("utf8", name, &[&[2], *text].concat());
    }
    for len in [0, 1, 3, 4, 5, 31, 32, 33, 64, 100] {
        // Cut after the third byte.
        add("mask", &format!("{len}_bytes"), &[&KEY[..], &[3], &vec![b'x'; len]].concat());
    }
    for (name, plan) in MESSAGES {
        add("round_trip", name, plan);
    }
    for (name, plan) in SESSIONS {
        add("session", name, plan);
    }
    for (name, script) in SCRIPTS {
        add("server", name, script);
    }
    for (name, plan) in cli::explanations() {
        add("explain", name, &plan);
    }
    for (name, arguments) in cli::ARGUMENTS {
        add("arguments", name, arguments.as_bytes());
    }
    for (name, file) in cli::captures() {
        add("capture", name, &file);
    }
    for (name, plan) in cli::PLAYS {
        add("replay_peer", name, plan);
    }
    seeds
}

// --- §5: frames --------------------------------------------------------------------------------------------

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
/// The first fragment of a text, more of it, and the last.
const TEXT_BEGINS: u8 = 0x01;
const BINARY_BEGINS: u8 = 0x02;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;

/// A frame as most clients send it.
fn said(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, KEY, payload)
}

/// Streams of frames from a client.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let close = |code: u16, reason: &[u8]| said(CLOSE, &[&code.to_be_bytes(), reason].concat());
    let hello = || said(TEXT, b"Hello");
    vec![
        // §5.7, as a client would send them: there some are unmasked, for they come from a server.
        ("single_hello", vec![0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]),
        ("unmasked_hello", b"\x81\x05Hello".to_vec()),
        ("fragmented_hello", [said(TEXT_BEGINS, b"Hel"), said(ENDS, b"lo")].concat()),
        ("ping_hello", said(PING, b"Hello")),
        ("pong_hello", said(PONG, b"Hello")),
        ("binary_256", said(BINARY, &[7; 256])),
        // §5.1
        ("mask_of_zeros", frame(TEXT, [0; 4], b"Hello")),
        ("unmasked_second_frame", [hello(), b"\x81\x05Hello".to_vec()].concat()),
        // §5.2
        ("empty_text", said(TEXT, b"")),
        ("empty_binary", said(BINARY, b"")),
        ("rsv1", said(TEXT | 0x40, b"Hello")),
        ("rsv2", said(TEXT | 0x20, b"Hello")),
        ("rsv3", said(TEXT | 0x10, b"Hello")),
        ("reserved_data_opcode_3", said(0x83, b"")),
        ("reserved_data_opcode_7", said(0x87, b"")),
        ("reserved_control_opcode_11", said(0x8B, b"")),
        ("reserved_control_opcode_15", said(0x8F, b"")),
        ("length_125", said(BINARY, &[1; 125])),
        ("length_126", said(BINARY, &[2; 126])),
        ("length_125_in_16_bits", long(BINARY, Form::In16Bits, 125)),
        ("length_126_in_64_bits", long(BINARY, Form::In64Bits, 126)),
        ("cut_in_the_header", vec![0x82, 0xFE, 0x01]),
        ("cut_in_the_key", vec![0x81, 0x85, 0x37, 0xFA]),
        ("cut_in_the_payload", hello()[..9].to_vec()),
        // §5.4
        ("three_fragments", [said(BINARY_BEGINS, b"a"), said(GOES_ON, b"b"), said(ENDS, b"c")].concat()),
        ("empty_fragments", [said(TEXT_BEGINS, b""), said(GOES_ON, b""), said(ENDS, b"")].concat()),
        ("nothing_to_continue", said(GOES_ON, b"Hello")),
        ("nothing_to_end", said(ENDS, b"Hello")),
        ("continued_after_its_end", [said(TEXT_BEGINS, b"a"), said(ENDS, b"b"), said(ENDS, b"c")].concat()),
        ("new_message_too_early", [said(TEXT_BEGINS, b"Hel"), hello()].concat()),
        ("new_fragments_too_early", [said(TEXT_BEGINS, b"Hel"), said(BINARY_BEGINS, b"lo")].concat()),
        ("ping_between_fragments", [said(TEXT_BEGINS, b"Hel"), said(PING, b"?"), said(ENDS, b"lo")].concat()),
        ("close_between_fragments", [said(TEXT_BEGINS, b"Hel"), close(1000, b"")].concat()),
        // §5.5
        ("ping_of_125", said(PING, &[9; 125])),
        ("ping_of_126", said(PING, &[9; 126])),
        ("ping_of_94_in_16_bits", [header(PING, Some(KEY), Form::In16Bits, 94), vec![5; 94]].concat()),
        ("fragmented_ping", [said(0x09, b"Hel"), said(ENDS, b"lo")].concat()),
        ("pong_unasked", said(PONG, b"")),
        ("pings", [said(PING, b"1"), said(PING, b"2"), said(PONG, b"3")].concat()),
        // §5.5.1
        ("close_without_body", said(CLOSE, b"")),
        ("close_of_one_byte", said(CLOSE, b"\x03")),
        ("close_1000", close(1000, b"bye")),
        ("close_with_reason_of_123", close(1001, &[b'x'; 123])),
        ("close_of_126", close(1001, &[b'x'; 124])),
        ("close_reason_not_utf8", close(1000, b"\xFF")),
        ("close_reason_cut_in_a_character", close(1000, b"gr\xC3")),
        ("frames_after_close", [close(1000, b""), hello(), vec![0xFF; 20]].concat()),
        // §7.4
        ("close_999", close(999, b"")),
        ("close_1004", close(1004, b"")),
        ("close_1005", close(1005, b"")),
        ("close_1006", close(1006, b"")),
        ("close_1007", close(1007, b"")),
        ("close_1014", close(1014, b"")),
        ("close_1015", close(1015, b"")),
        ("close_2999", close(2999, b"")),
        ("close_3000", close(3000, b"")),
        ("close_4999", close(4999, b"")),
        ("close_5000", close(5000, b"")),
        // §8.1
        ("text_of_two_bytes_a_character", said(TEXT, "grüße".as_bytes())),
        ("character_over_two_fragments", [said(TEXT_BEGINS, b"\xF0\x9F"), said(ENDS, b"\x98\x80")].concat()),
        ("character_around_a_ping", {
            [said(TEXT_BEGINS, b"\xE2\x82"), said(PING, b""), said(ENDS, b"\xAC")].concat()
        }),
        ("text_not_utf8", said(TEXT, b"ab\xFFcd")),
        ("second_fragment_not_utf8", [said(TEXT_BEGINS, b"\xF0\x9F"), said(ENDS, b"\x28\x80")].concat()),
        ("text_ends_in_a_character", said(TEXT, b"\xE2\x82")),
        ("binary_not_utf8", said(BINARY, b"\xFF\xC0\x80")),
        // §10.4: the smaller limit of these targets.
        ("limit", said(BINARY, &[3; 1000])),
        ("limit_plus_1", long(BINARY, Form::Shortest, 1001)),
        ("limit_in_two_fragments", [said(BINARY_BEGINS, &[3; 999]), said(ENDS, b"x")].concat()),
        ("limit_plus_1_in_two_fragments", [said(BINARY_BEGINS, &[3; 999]), said(ENDS, b"xx")].concat()),
    ]
}

/// A header and the first bytes of what it announces.
fn long(first: u8, form: Form, len: u64) -> Vec<u8> {
    [header(first, Some(KEY), form, len), vec![5; 10]].concat()
}

/// Headers alone, on both sides of each boundary of §5.2 and of the larger limit.
fn headers() -> Vec<(&'static str, Vec<u8>)> {
    let of = |form, len| header(BINARY, Some(KEY), form, len);
    vec![
        ("header_0", of(Form::Shortest, 0)),
        ("header_65535", of(Form::Shortest, 65_535)),
        ("header_65536", of(Form::Shortest, 65_536)),
        ("header_65537", of(Form::Shortest, 65_537)),
        ("header_65535_in_64_bits", of(Form::In64Bits, 65_535)),
        ("header_of_63_bits", of(Form::In64Bits, (1 << 63) - 1)),
        ("header_of_64_bits", of(Form::In64Bits, 1 << 63)),
        ("header_without_key", header(BINARY, None, Form::Shortest, 65_536)),
    ]
}

// --- §4: heads ---------------------------------------------------------------------------------------------

/// §1.3, with the lines that the case is about before the empty one.
fn request(more: &str) -> Vec<u8> {
    format!(
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
    .into_bytes()
}

/// The same with another text in the place of one.
fn instead(of: &str, text: &str) -> Vec<u8> {
    String::from_utf8_lossy(&request("")).replacen(of, text, 1).into_bytes()
}

/// Request heads.
fn heads() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "example_of_1_3",
            request("Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n"),
        ),
        ("frames_behind_it", [request(""), said(TEXT, b"Hello")].concat()),
        ("empty_lines_before_it", [b"\r\n\r\n".to_vec(), request("")].concat()),
        ("cut_off", request("")[..60].to_vec()),
        // §4.2.1, in the order of its items.
        ("method_post", instead("GET", "POST")),
        ("method_head", instead("GET", "HEAD")),
        ("http_1_0", instead("HTTP/1.1", "HTTP/1.0")),
        ("http_2_0", instead("HTTP/1.1", "HTTP/2.0")),
        ("target_absolute", instead("/chat", "ws://server.example.com/chat?room=1")),
        ("target_with_fragment", instead("/chat", "/chat#1")),
        ("target_asterisk", instead("/chat", "*")),
        ("target_absolute_host_malformed", instead("/chat", "http://a%zz/")),
        ("target_absolute_ipv6", instead("/chat", "WS://[::ffff:192.0.2.1]:80")),
        ("target_not_ascii", instead("/chat", "/\u{fc}")),
        ("target_with_quotes", instead("/chat", "/?\"<>\"")),
        ("target_of_a_browser", instead("/chat", "/a|b^[c]%zz?d={e|f}[]^`\\&%")),
        ("target_with_backslash", instead("/chat", "/a\\b")),
        ("no_host", instead("Host: server.example.com\r\n", "")),
        ("two_hosts", request("Host: b\r\n")),
        ("host_ipv6", instead("server.example.com", "[2001:db8::1]:8080")),
        ("host_with_space", instead("server.example.com", "server example")),
        ("host_percent", instead("server.example.com", "%")),
        ("host_percent_zz", instead("server.example.com", "a%zz")),
        ("host_percent_encoded", instead("server.example.com", "%C3%bC.example")),
        ("host_punycode", instead("server.example.com", "xn--mnchen-3ya.example:443")),
        ("host_literal_of_a_dot", instead("server.example.com", "[.]")),
        ("host_literal_v", instead("server.example.com", "[v]")),
        ("host_literal_v1", instead("server.example.com", "[v1.a:b]")),
        ("host_ipv6_of_9_groups", instead("server.example.com", "[1:2:3:4:5:6:7:8:9]")),
        ("host_ipv6_with_ipv4", instead("server.example.com", "[1:2:3:4:5:6:192.0.2.255]")),
        ("no_upgrade", instead("Upgrade: websocket\r\n", "")),
        ("upgrade_list", instead("Upgrade: websocket", "UPGRADE: h2c, WebSocket")),
        ("connection_keep_alive", instead("Connection: Upgrade", "Connection: keep-alive")),
        ("connection_no_token", instead("Connection: Upgrade", "Connection: @@@, Upgrade")),
        ("upgrade_no_token", instead("Upgrade: websocket", "Upgrade: @@@, websocket")),
        ("upgrade_with_version", instead("Upgrade: websocket", "Upgrade: HTTP/2.0, websocket")),
        ("connection_list", instead("Connection: Upgrade", "Connection: keep-alive, Upgrade")),
        ("no_key", instead("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")),
        ("key_of_15_bytes", instead("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j")),
        ("key_with_trailing_bits", instead("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR==")),
        ("two_keys", request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")),
        ("no_version", instead("Sec-WebSocket-Version: 13\r\n", "")),
        ("version_8", instead("Version: 13", "Version: 8")),
        ("two_versions", request("Sec-WebSocket-Version: 13\r\n")),
        ("two_origins", request("Origin: http://a\r\nOrigin: http://b\r\n")),
        ("origin_not_ascii", request("Origin: https://\u{fc}ber.example\r\n")),
        ("origin_on_the_list", request("Origin: https://example.com\r\n")),
        ("subprotocols_twice", request("Sec-WebSocket-Protocol: chat, chat\r\n")),
        ("subprotocol_no_token", request("Sec-WebSocket-Protocol: ch@t\r\n")),
        (
            "extension",
            request("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"10\"\r\n"),
        ),
        ("extension_malformed", request("Sec-WebSocket-Extensions: ; =\r\n")),
        ("body_announced", request("Content-Length: 5\r\n")),
        ("body_of_no_bytes", request("Content-Length: 0\r\n")),
        ("body_in_chunks", request("Transfer-Encoding: chunked\r\n")),
        // RFC 9112
        ("bare_line_feed", b"GET / HTTP/1.1\nHost: a\n\n".to_vec()),
        ("bare_carriage_return", b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n".to_vec()),
        ("control_byte", b"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n".to_vec()),
        ("folded_line", request("X: a\r\n b\r\n")),
        ("space_before_the_colon", request("X : a\r\n")),
        ("no_http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03".to_vec()),
        // RFC 6585 §5: the limits of this target, 12 header lines and 1,000 bytes.
        ("headers_12", request(&"A: b\r\n".repeat(7))),
        ("headers_13", request(&"A: b\r\n".repeat(8))),
        ("size_1000", request(&format!("A: {}\r\n", "x".repeat(1000 - 5 - request("").len())))),
        ("size_1001", request(&format!("A: {}\r\n", "x".repeat(1001 - 5 - request("").len())))),
    ]
}

// --- §8.1: text --------------------------------------------------------------------------------------------

/// The first and the last character of every length, and their neighbours that are none.
const TEXTS: &[(&str, &[u8])] = &[
    ("ascii", b"Hello, world; and again, so that it is longer than any register: Hello, world."),
    ("two_bytes_first", b"\xC2\x80"),
    ("two_bytes_last", b"\xDF\xBF"),
    ("two_bytes_too_short", b"\xC1\xBF"),
    ("three_bytes_first", b"\xE0\xA0\x80"),
    ("three_bytes_last", b"\xEF\xBF\xBF"),
    ("three_bytes_too_short", b"\xE0\x9F\xBF"),
    ("before_surrogates", b"\xED\x9F\xBF"),
    ("surrogate", b"\xED\xA0\x80"),
    ("after_surrogates", b"\xEE\x80\x80"),
    ("four_bytes_first", b"\xF0\x90\x80\x80"),
    ("four_bytes_last", b"\xF4\x8F\xBF\xBF"),
    ("four_bytes_too_short", b"\xF0\x8F\xBF\xBF"),
    ("four_bytes_too_large", b"\xF4\x90\x80\x80"),
    ("first_byte_f5", b"\xF5\x80\x80\x80"),
    ("continuation_alone", b"a\x80"),
    ("cut_after_one_of_four", b"a\xF0"),
    ("cut_after_three_of_four", b"a\xF0\x9F\x98"),
    ("cut_and_then_ascii", b"a\xE2\x82b"),
    ("many_lengths", "aé€😀aé€😀aé€😀aé€😀aé€😀".as_bytes()),
];

// --- Plans -------------------------------------------------------------------------------------------------

/// `round_trip`: how the bytes are cut; then of each message its kind, its length or bytes, and for each
/// fragment a length, a key and perhaps a ping.
const MESSAGES: &[(&str, &[u8])] = &[
    ("hello", b"\x00\x71\x05Hello\x37\xFA\x21\x3D"),
    ("fragmented_hello", b"\x02\x01\x03\x73\x05Hello\x00\x03\x37\xFA\x21\x3D\x01\x02\x03\x04"),
    (
        "fragmented_hello_around_a_ping",
        b"\x00\x7B\x05Hello\x00\x03\x37\xFA\x21\x3D\x04ping\x01\x02\x03\x04\x05\x06\x07\x08",
    ),
    ("empty", b"\x00\x00\x00\x37\xFA\x21\x3D"),
    ("binary_125", b"\x00\x10\x05\x37\xFA\x21\x3D"),
    ("binary_126", b"\x00\x20\x05\x37\xFA\x21\x3D"),
    ("binary_65535", b"\x00\x30\x05\x37\xFA\x21\x3D"),
    ("text_65536", b"\x00\x41\x05\x37\xFA\x21\x3D"),
    ("binary_limit_minus_1", b"\x00\x50\x05\x37\xFA\x21\x3D"),
    ("binary_limit_in_pieces", b"\x01\xFF\x60\x05\x37\xFA\x21\x3D"),
    (
        "binary_limit_in_fragments",
        b"\x00\x64\x05\x80\x00\x37\xFA\x21\x3D\x7F\xFF\x01\x02\x03\x04\x05\x06\x07\x08",
    ),
    (
        "three_messages",
        b"\x01\x07\x71\x02hi\x01\x02\x03\x04\x70\x03\xFF\x00\xFF\x05\x06\x07\x08\x71\x02\xC3\xBC",
    ),
];

/// `session`: how each frame is cut; then a frame's first byte, how it is otherwise unusual, and its payload
/// with its length before it. A byte from F0 on is an act of the server: a ping, a text, a Close with and
/// without code.
const SESSIONS: &[(&str, &[u8])] = &[
    ("hello", b"\x00\x81\x00\x05Hello"),
    ("fragments_and_ping", b"\x01\x02\x01\x00\x03Hel\x89\x00\x01?\x80\x00\x02lo"),
    ("clients_close", b"\x00\x88\x00\x05\x03\xE8bye\x81\x00\x01x"),
    ("clients_close_without_body", b"\x00\x88\x00\x00"),
    ("servers_close_answered", b"\x00\xF2\x03\xE8\x81\x00\x01x\x89\x00\x01p\x88\x00\x02\x03\xE8"),
    ("servers_close_without_body", b"\x00\xF3\x88\x00\x00"),
    ("servers_close_of_1005", b"\x00\xF2\x03\xED"),
    ("servers_close_of_1006", b"\x00\xF2\x03\xEE\xF2\x03\xE8"),
    ("servers_text_and_ping", b"\x00\xF1\x02hi\xF0\x01p\x8A\x00\x01p"),
    ("servers_text_after_its_close", b"\x00\xF3\xF1\x02hi\xF0\x01p"),
    ("servers_ping_of_126", &long_ping()),
    ("reserved_bits", b"\x00\xC1\x00\x01x"),
    ("reserved_opcode", b"\x00\x83\x00\x01x"),
    ("unmasked", b"\x00\x81\x10\x01x"),
    ("length_in_16_bits", b"\x00\x82\x02\x05Hello"),
    ("length_in_64_bits", b"\x00\x82\x03\x05Hello"),
    ("length_of_64_bits", b"\x00\x82\x08\x00"),
    ("fragmented_ping", b"\x00\x09\x00\x00"),
    ("ping_of_126", b"\x00\x89\x80\x00\x7Ep"),
    ("nothing_to_continue", b"\x00\x80\x00\x01x"),
    ("new_message_too_early", b"\x00\x01\x00\x01a\x81\x00\x01b"),
    ("continued_after_its_end", b"\x00\x01\x00\x01a\x80\x00\x01b\x80\x00\x01c"),
    ("limit", b"\x00\x82\x80\x03\xE8x"),
    ("limit_plus_1", b"\x00\x82\x80\x03\xE9x"),
    ("limit_in_two_fragments", b"\x00\x02\x80\x03\xE7x\x80\x00\x01x"),
    ("limit_plus_1_in_two_fragments", b"\x00\x02\x80\x03\xE7x\x80\x00\x02xx"),
    ("limit_plus_1_announced", b"\x00\x82\x04\x00\x03\xE9"),
    ("not_utf8", b"\x00\x81\x00\x02a\xFF"),
    ("character_over_two_fragments", b"\x00\x01\x00\x02\xF0\x9F\x80\x00\x02\x98\x80"),
    ("second_fragment_not_utf8", b"\x00\x01\x00\x02\xF0\x9F\x80\x00\x02\x28\x80"),
    ("impossible_before_it_is_whole", b"\x00\x81\x04\x02a\xFF\x00\x10"),
    ("close_of_one_byte", b"\x00\x88\x00\x01\x03"),
    ("close_1005", b"\x00\x88\x00\x02\x03\xED"),
    ("close_1016", b"\x00\x88\x00\x02\x03\xF8"),
    ("close_2999", b"\x00\x88\x00\x02\x0B\xB7"),
    ("close_3000", b"\x00\x88\x00\x02\x0B\xB8"),
    ("close_5000", b"\x00\x88\x00\x02\x13\x88"),
    ("close_reason_not_utf8", b"\x00\x88\x00\x03\x03\xE8\xFF"),
    ("close_code_bad_before_it_is_whole", b"\x00\x88\x04\x02\x03\xED\x00\x10"),
];

/// A ping of the server's that §5.5 forbids.
const fn long_ping() -> [u8; 129] {
    let mut plan = [b'p'; 129];
    (plan[0], plan[1], plan[2]) = (0x00, 0xF0, 126);
    plan
}

/// `server`: pairs of what happens and how much, as `src/server/simulator/fuzz.rs` lists them.
const SCRIPTS: &[(&str, &[u8])] = &[
    ("echo", &[0, 5, 8, 255]),
    ("echo_byte_by_byte", &[0, 3, 6, 1, 6, 1, 6, 1, 6, 1, 6, 1, 6, 1, 6, 1, 6, 1, 6, 1]),
    ("header_over_two_reads", &[0, 200, 6, 3, 8, 255]),
    ("fragments_around_a_ping", &[2, 50, 6, 30, 6, 30, 8, 255]),
    ("short_writes", &[0, 100, 11, 0, 8, 255, 9, 1, 9, 2, 9, 70, 9, 255]),
    ("slow_reader_is_not_read_from", &[11, 0, 1, 15, 1, 15, 0, 10, 8, 255, 8, 255, 9, 100, 9, 255, 11, 1]),
    ("pings_while_slow", &[11, 0, 0, 200, 8, 255, 3, 0, 3, 0, 3, 0, 8, 255, 9, 50, 11, 1]),
    ("pong_comes_after_later_echoes", &[11, 0, 0, 37, 1, 0, 0, 0, 0, 5, 8, 13, 12, 1, 12, 2, 2, 52]),
    ("interrupted_calls", &[0, 9, 12, 0, 12, 1, 12, 2, 8, 255, 12, 3, 0, 9, 8, 255]),
    ("pinged_and_alive", &[13, 200, 0, 1, 8, 255, 13, 200, 0, 1, 8, 255]),
    ("pinged_and_given_up", &[13, 250, 13, 250, 13, 250]),
    ("stalls_until_close_timeout", &[11, 0, 0, 100, 5, 0, 8, 255, 13, 60, 13, 60]),
    ("clients_close", &[0, 5, 5, 0, 8, 255, 15, 0]),
    ("frames_after_close", &[5, 0, 0, 5, 8, 255]),
    ("broken_rule", &[0, 5, 4, 0x83, 0, 5, 8, 255]),
    ("half_close_with_a_backlog", &[11, 0, 0, 200, 8, 255, 15, 0, 9, 100, 11, 1]),
    ("reset_in_a_message", &[0, 200, 6, 50, 15, 1]),
    ("read_fails", &[0, 200, 6, 50, 14, 0]),
    ("write_fails", &[0, 200, 14, 1, 8, 255]),
];

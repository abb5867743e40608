//! What a server sends: answers to a client's handshake (§4.1), and frames (§5).

/// The answer of §1.3, with the lines that the case is about before the empty one.
fn answer(more: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{more}\r\n"
    )
    .into_bytes()
}

/// The same with another text in the place of one.
fn instead(of: &str, text: &str) -> Vec<u8> {
    String::from_utf8_lossy(&answer("")).replacen(of, text, 1).into_bytes()
}

/// A refusal: what follows the version.
fn refusal(rest: &str) -> Vec<u8> {
    format!("HTTP/1.1 {rest}").into_bytes()
}

/// Heads with what follows them.
pub(super) fn answers() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("example_of_1_3", answer("Sec-WebSocket-Protocol: chat\r\n")),
        ("frames_after_it", [answer(""), b"\x81\x05Hello".to_vec()].concat()),
        ("cut_off", answer("")[..60].to_vec()),
        ("interim_before_it", [refusal("103 \r\nLink: a\r\n\r\n"), answer("")].concat()),
        ("http_1_0", instead("HTTP/1.1", "HTTP/1.0")),
        ("no_upgrade", instead("Upgrade: websocket\r\n", "")),
        ("upgrade_list", instead("websocket", "websocket, h2c")),
        ("connection_close", instead("Connection: Upgrade", "Connection: close")),
        ("no_accept", instead("Sec-WebSocket-Accept", "X")),
        ("wrong_accept", instead("s3p", "S3p")),
        ("two_accepts", answer("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")),
        ("subprotocol_not_offered", answer("Sec-WebSocket-Protocol: other\r\n")),
        ("extension_not_offered", answer("Sec-WebSocket-Extensions: permessage-deflate\r\n")),
        ("extensions_malformed", answer("Sec-WebSocket-Extensions: =\r\n")),
        ("redirect", refusal("302 Found\r\nLocation: ws://a/\r\nContent-Length: 2\r\n\r\nhi")),
        ("body_until_the_end", refusal("404 Not Found\r\n\r\nno such page")),
        ("body_in_chunks", refusal("500 \r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n")),
        ("chunk_broken", refusal("500 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd")),
        ("no_body", refusal("304 \r\nContent-Length: 9\r\n\r\n")),
    ]
}

/// Frames of a server.
pub(super) fn frames() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        // §5.7, the examples without a mask.
        ("single_hello", b"\x81\x05Hello".to_vec()),
        ("fragmented_hello", b"\x01\x03Hel\x80\x02lo".to_vec()),
        ("ping_hello", b"\x89\x05Hello".to_vec()),
        ("binary_256", [b"\x82\x7e\x01\x00".to_vec(), vec![7; 256]].concat()),
        // §5.1
        ("masked_hello", b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec()),
        ("masked_second_frame", b"\x81\x02hi\x89\x80\0\0\0\0".to_vec()),
        ("rsv1", b"\xc1\x05Hello".to_vec()),
        ("reserved_opcode", b"\x83\x00".to_vec()),
        ("nothing_to_continue", b"\x80\x00".to_vec()),
        ("new_message_too_early", b"\x01\x01a\x81\x01b".to_vec()),
        ("ping_between_fragments", b"\x01\x01a\x89\x01?\x80\x01b".to_vec()),
        ("length_in_16_bits", b"\x82\x7e\x00\x05Hello".to_vec()),
        ("over_the_limit", b"\x82\x7f\0\0\0\0\0\x10\0\0".to_vec()),
        ("text_not_utf8", b"\x81\x02\xc3\x28".to_vec()),
        ("close_1000", b"\x88\x05\x03\xe8bye\x81\x01x".to_vec()),
        ("close_1006", b"\x88\x02\x03\xee".to_vec()),
        ("close_in_a_message", b"\x01\x01a\x88\x00".to_vec()),
    ]
}

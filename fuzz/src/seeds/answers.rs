//! Answers to a client's handshake (§4.1): one that opens the connection, one for each rule broken, refusals.

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

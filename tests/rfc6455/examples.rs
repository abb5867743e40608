//! §5.7 and §1.3: the RFC's own bytes. Those that it shows unmasked are what a server sends, never what it
//! takes.

use wirehook::protocol::{
    Limits, Message, ProtocolError, Request, RequestReader, Response, Sender, accept_digest, accept_key,
    decode_key,
};

use crate::{Case, check, failed, pong, sent_close, text};

#[test]
fn masked_hello_of_the_rfc_arrives() {
    // §5.7: "A single-frame masked text message".
    check(&[Case {
        name: "masked Hello",
        input: &[
            0x81, // FIN, text
            0x85, // masked, 5 bytes
            0x37, 0xfa, 0x21, 0x3d, // key
            0x7f, 0x9f, 0x4d, 0x51, 0x58, // "Hello"
        ],
        expect: &[text("Hello")],
        sent: &[],
    }]);
}

#[test]
fn masked_pong_of_the_rfc_arrives() {
    // §5.7: "Unmasked Ping request and masked Ping response".
    check(&[Case {
        name: "masked pong",
        input: &[
            0x8a, // FIN, pong
            0x85, // masked, 5 bytes
            0x37, 0xfa, 0x21, 0x3d, // key
            0x7f, 0x9f, 0x4d, 0x51, 0x58, // "Hello"
        ],
        expect: &[pong(b"Hello")],
        sent: &[],
    }]);
}

#[test]
fn unmasked_hello_of_the_rfc_is_what_a_server_sends() {
    // §5.7: "A single-frame unmasked text message".
    let mut out = Vec::new();
    Sender::default().message(Message::Text("Hello"), &mut out).unwrap();
    assert_eq!(out, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
}

#[test]
fn unmasked_ping_of_the_rfc_is_what_a_server_sends() {
    // §5.7: "Unmasked Ping request".
    let mut out = Vec::new();
    Sender::default().ping(b"Hello", &mut out).unwrap();
    assert_eq!(out, [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
}

#[test]
fn long_messages_of_the_rfc_are_what_a_server_sends() {
    // §5.7: "256 bytes binary message in a single unmasked frame", and 64 KiB.
    let payload = vec![0xa5; 65_536];
    for (len, header) in
        [(256, &[0x82, 0x7e, 0x01, 0x00][..]), (65_536, &[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0])]
    {
        let mut out = Vec::new();
        Sender::default().message(Message::Binary(&payload[..len]), &mut out).unwrap();
        assert_eq!(out, [header, &payload[..len]].concat());

        let (mut only_header, framing) = (Vec::new(), Sender::default().framing().unwrap());
        framing.message_header(Message::Binary(&payload[..len]), &mut only_header);
        assert_eq!(only_header, header);
    }
}

#[test]
fn unmasked_frames_of_the_rfc_fail_a_servers_connection() {
    // §5.7 shows them, §5.1 forbids them to clients.
    let refused = sent_close(1002, "§5.1: a client must mask its frames");
    for (name, input) in [
        ("Hello", &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f][..]),
        ("Hel in a first fragment", &[0x01, 0x03, 0x48, 0x65, 0x6c]),
        ("a ping", &[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]),
        ("256 bytes", &[&[0x82, 0x7e, 0x01, 0x00][..], &[0; 256]].concat()),
        ("64 KiB", &[&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0; 65_536]].concat()),
    ] {
        check(&[Case { name, input, expect: &[failed(ProtocolError::UnmaskedFrame)], sent: &refused }]);
    }
}

#[test]
fn accept_key_of_the_rfc_is_computed() {
    // §1.3: the key, the GUID, the SHA-1 and its base64; the same in §4.2.2.
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    assert_eq!(decode_key(key.as_bytes()).as_ref(), Some(b"the sample nonce"));
    let digest = [
        0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f, 0x16, 0x90, 0xf6, 0x46, 0x06, 0xcf, 0x38, 0x59, 0x45, 0xb2,
        0xbe, 0xc4, 0xea,
    ];
    assert_eq!(accept_digest(key), digest);
    assert_eq!(accept_key(key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn handshake_of_the_rfc_opens_the_connection() {
    // §1.3: both sides of the opening handshake, in full.
    let mut head = *b"GET /chat HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://example.com\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Version: 13\r\n\
        \r\n";
    let mut reader = RequestReader::default();
    let mut input = &mut head[..];
    let request: Request<'_> = reader.next_request(&mut input, &Limits::default()).unwrap().unwrap();
    assert_eq!(request.check(&[], &["http://example.com".into()]), Ok(()));
    assert_eq!(request.path(), "/chat");
    assert_eq!(request.host(), Some("server.example.com"));
    assert_eq!(request.origin(), Some("http://example.com"));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);

    let mut out = Vec::new();
    Response::switching_protocols(&request, Some("chat")).encode(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: chat\r\n\
         \r\n"
    );
}

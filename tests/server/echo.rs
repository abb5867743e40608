//! Messages and control frames in their ordinary course, from an independent client.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use tungstenite::{
    Error, Message, WebSocket,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};
use wirehook::{Cause, protocol::ProtocolError};

use crate::{
    common::{PATIENCE, uninterrupted},
    harness::{End, Running, echo, serve},
};

const MIB: usize = 1024 * 1024;

/// A socket that is not bothered by signals; the independent client would take them for failures.
struct Steady(TcpStream);

impl Read for Steady {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| self.0.read(bytes))
    }
}

impl Write for Steady {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn connect(server: &Running) -> WebSocket<Steady> {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let (client, _) = tungstenite::client(format!("ws://{}/", server.address), Steady(stream)).unwrap();
    client
}

#[test]
fn messages_of_every_length_come_back_as_they_went() {
    // §5.2, §5.6
    let server = echo();
    let mut client = connect(&server);
    for len in [0, 1, 125, 126, 127, 65_535, 65_536, MIB] {
        let bytes: Vec<u8> = (0..=255).cycle().take(len).collect();
        for message in [Message::text("x".repeat(len)), Message::binary(bytes)] {
            client.send(message.clone()).unwrap();
            assert!(client.read().unwrap() == message, "{len} bytes come back, text as text");
        }
    }
}

#[test]
fn text_of_any_script_comes_back() {
    // §8.1
    let server = echo();
    let mut client = connect(&server);
    for text in ["grüße", "日本語", "🦀\u{10FFFF}\u{0}", "κόσμε"] {
        client.send(Message::text(text)).unwrap();
        assert_eq!(client.read().unwrap(), Message::text(text));
    }
}

#[test]
fn a_message_over_the_limit_fails_the_connection_with_1009() {
    // §10.4
    let server = echo();
    let mut client = connect(&server);
    client.send(Message::binary(vec![0; MIB + 1])).unwrap();
    let Message::Close(Some(close)) = client.read().unwrap() else { panic!("a Close comes") };
    assert_eq!(close.code, CloseCode::Size);
    assert!(close.reason.starts_with("§10.4: "), "{}", close.reason);
    let (_, end) = server.closed();
    assert_eq!((end.code, end.cause), (1009, Cause::Protocol(ProtocolError::MessageTooBig)));
}

#[test]
fn fragments_with_a_ping_between_them_come_back_as_one_message() {
    // §5.4
    let server = echo();
    let mut client = connect(&server);
    let fragment = |text: &'static str, opcode, is_last| {
        Message::Frame(Frame::message(text.as_bytes(), OpCode::Data(opcode), is_last))
    };
    client.send(fragment("frag", Data::Text, false)).unwrap();
    client.send(Message::Ping("between".into())).unwrap();
    client.send(fragment("", Data::Continue, false)).unwrap();
    client.send(fragment("ments", Data::Continue, true)).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong("between".into()));
    assert_eq!(client.read().unwrap(), Message::text("fragments"));
}

#[test]
fn a_ping_is_answered_with_its_payload_and_reaches_its_hook() {
    // §5.5.2, §5.5.3
    let server = serve(|server, log| {
        let on_pong = log.clone();
        server
            .on_ping(move |_, payload| log.note(format!("ping {}", payload.escape_ascii())))
            .on_pong(move |_, payload| on_pong.note(format!("pong {}", payload.escape_ascii())))
    });
    let mut client = connect(&server);
    for payload in [vec![], b"hello".to_vec(), vec![0xFF; 125]] {
        client.send(Message::Ping(payload.clone().into())).unwrap();
        assert_eq!(client.read().unwrap(), Message::Pong(payload.clone().into()));
        assert_eq!(server.note(), format!("ping {}", payload.escape_ascii()));
    }
    client.send(Message::Frame(Frame::pong("unasked"))).unwrap();
    assert_eq!(server.note(), "pong unasked");
}

#[test]
fn a_hooks_ping_is_answered_and_its_pong_reaches_a_hook() {
    // §5.5.2
    let server = serve(|server, log| {
        server
            .on_message(|ws, message| {
                assert!(ws.ping(&[0; 126]).is_err(), "§5.5: no control frame over 125 bytes");
                ws.ping(message.as_bytes()).unwrap();
            })
            .on_pong(move |_, payload| log.note(payload.escape_ascii()))
    });
    let mut client = connect(&server);
    client.send(Message::text("are you there?")).unwrap();
    assert_eq!(client.read().unwrap(), Message::Ping("are you there?".into()));
    client.flush().unwrap();
    assert_eq!(server.note(), "are you there?");
}

#[test]
fn the_closing_handshake_echoes_the_code() {
    // §5.5.1, §7.1.2
    let server = echo();
    let mut client = connect(&server);
    client.close(Some(CloseFrame { code: CloseCode::Library(3456), reason: "that's all".into() })).unwrap();
    let Message::Close(Some(answer)) = client.read().unwrap() else { panic!("a Close comes") };
    assert_eq!(u16::from(answer.code), 3456);
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
    server.expect_closed(&End::clean(3456, "that's all", Cause::Peer));
}

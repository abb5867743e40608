//! Connections that the program opens itself: to a server of this crate, and to peers that write any bytes.

use std::{
    cell::RefCell,
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    rc::Rc,
    thread,
    time::Duration,
};

use wirehook::{
    Cause, ConnectError, ConnectionRole, Hooks, SendStatus, Server,
    protocol::{ClientRequest, ResponseError, Uri, accept_key},
};

use crate::{
    common::PATIENCE,
    harness::{self, End, serve},
};

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

/// Runs a client until its connection has ended, and returns what its hooks were called with. A message ends
/// the connection.
fn run(uri: &Uri, build: impl FnOnce(Server<Hooks<()>>) -> Server<Hooks<()>>) -> Vec<String> {
    let calls = Rc::new(RefCell::new(Vec::new()));
    let note = || {
        let calls = Rc::clone(&calls);
        move |call: String| calls.borrow_mut().push(call)
    };
    let (opened, failed, message, closed) = (note(), note(), note(), note());
    let server = Server::unbound().unwrap().connect(uri, ClientRequest::new(uri)).state::<()>();
    let server = server
        .on_open(move |ws, request| {
            assert_eq!(ws.role(), ConnectionRole::Client);
            opened(format!("open {}", request.target()));
            ws.send("Hello");
        })
        .on_connect_error(move |_, error| failed(format!("{error:?}")))
        .on_message(move |ws, it| {
            message(it.as_text().unwrap_or("binary").to_owned());
            ws.close(1000, "bye");
        })
        .on_close(move |_, close| closed(close.to_string()));
    build(server)
        .configure(|config| config.handshake_timeout = config.handshake_timeout.min(PATIENCE))
        .run()
        .unwrap();
    calls.take()
}

/// A peer that accepts one client, reads its request, and does something with the connection.
fn peer(act: impl FnOnce(TcpStream, String) + Send + 'static) -> (Uri, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        act(stream, String::from_utf8(head).unwrap());
    });
    (uri(&format!("ws://{address}/chat?x=1")), thread)
}

/// The 101 that accepts a request.
fn answer(request: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key)
    )
}

#[test]
fn a_client_and_a_server_of_this_crate_talk_and_close_clean() {
    let server = harness::echo();
    let calls = run(&uri(&format!("ws://{}/ann", server.address)), |client| client);
    assert_eq!(calls, ["open /ann", "Hello", "1000 normal closure, by the server, clean"]);
    server.opened();
    server.expect_closed(&End::clean(1000, "bye", Cause::Peer));
}

#[test]
fn bytes_that_come_with_the_101_are_not_lost() {
    let (uri, peer) = peer(|mut stream, request| {
        // A text, and the Close that ends all.
        stream.write_all(&[answer(&request).as_bytes(), b"\x81\x02hi\x88\x02\x03\xe8"].concat()).unwrap();
        let mut rest = Vec::new();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        // §7.1.1: the client leaves it to the server to close TCP.
        assert_eq!(stream.read_to_end(&mut rest).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!((rest[0], rest[1]), (0x81, 0x85), "a masked text");
    });
    let calls = run(&uri, |client| client);
    assert_eq!(calls[..2], ["open /chat?x=1", "hi"]);
    assert!(calls[2].starts_with("1000 "), "{calls:?}");
    peer.join().unwrap();
}

#[test]
fn a_refusal_reaches_the_hook_with_status_headers_and_body() {
    let (uri, peer) = peer(|mut stream, _| {
        let answer = "HTTP/1.1 302 Found\r\nLocation: ws://b/\r\nContent-Length: 4\r\n\r\ngone";
        stream.write_all(answer.as_bytes()).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let refusals = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&refusals);
    run(&uri, |client| {
        client.on_connect_error(move |_, error| {
            let ConnectError::Refused(refusal) = error else { panic!("{error}") };
            kept.borrow_mut().push(refusal.clone());
        })
    });
    let refusal = refusals.borrow()[0].clone();
    assert_eq!((refusal.status, refusal.location(), &refusal.body[..]), (302, Some("ws://b/"), &b"gone"[..]));
    peer.join().unwrap();
}

#[test]
fn the_end_of_tcp_ends_the_body_of_a_refusal() {
    let (uri, peer) = peer(|mut stream, _| {
        stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\nno such page").unwrap();
    });
    let calls = run(&uri, |client| client);
    assert!(calls[0].starts_with("Refused(") && calls.len() == 1, "{calls:?}");
    peer.join().unwrap();
}

#[test]
fn an_answer_that_breaks_a_rule_or_is_cut_off_opens_nothing() {
    for (bytes, error) in [
        (
            &b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"[..],
            ResponseError::AcceptMissing,
        ),
        (b"HTTP/1.1 101 X\r\nUpgr", ResponseError::EndedEarly),
        (b"\x81\x02hi", ResponseError::NotHttp),
    ] {
        let (uri, peer) = peer(move |mut stream, _| stream.write_all(bytes).unwrap());
        assert_eq!(run(&uri, |client| client), [format!("Answer({error:?})")]);
        peer.join().unwrap();
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up_in_time() {
    let (uri, peer) = peer(|mut stream, _| drop(stream.read(&mut [0])));
    let calls =
        run(&uri, |client| client.configure(|config| config.handshake_timeout = Duration::from_millis(20)));
    assert_eq!(calls, ["Timeout"]);
    peer.join().unwrap();
}

/// An address at which connects are refused.
fn closed_port() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn every_address_is_tried_and_the_last_error_is_told() {
    let server = harness::echo();
    let uri = uri("ws://example.com/");
    let request = ClientRequest::new(&uri);
    let opened = Rc::new(RefCell::new(Vec::new()));
    let peers = Rc::clone(&opened);
    let client = Server::unbound()
        .unwrap()
        .connect(vec![closed_port(), closed_port(), server.address], request.clone());
    client
        .on_open(move |ws, request| {
            peers.borrow_mut().push((ws.peer_addr().socket_addr(), request.host().map(str::to_owned)));
            ws.close(1000, "");
        })
        .run()
        .unwrap();
    assert_eq!(*opened.borrow(), [(Some(server.address), Some("example.com".to_owned()))]);

    let errors = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&errors);
    let client = Server::unbound()
        .unwrap()
        .connect(vec![closed_port(), closed_port()], request.clone())
        .connect(vec![], request);
    client.on_connect_error(move |_, error| kept.borrow_mut().push(error.to_string())).run().unwrap();
    let mut errors = errors.take();
    errors.sort();
    assert_eq!(errors, ["no TCP connection: address not available", "no TCP connection: connection refused"]);
}

#[test]
fn a_name_is_looked_up_and_one_without_an_address_is_told() {
    let server = harness::echo();
    let calls = run(&uri(&format!("ws://localhost:{}/", server.address.port())), |client| client);
    assert_eq!(calls[1], "Hello", "{calls:?}");
    // RFC 6761 §6.4: "invalid." has no address.
    let calls = run(&uri("ws://wirehook.invalid/"), |client| client);
    assert!(calls[0].starts_with("Resolve(") && calls.len() == 1, "{calls:?}");
}

#[test]
fn a_server_opens_connections_beside_those_of_its_clients() {
    let upstream = harness::echo();
    let target = uri(&format!("ws://{}/", upstream.address));
    // It passes what its client says to another server, and the answer back.
    let relay = serve(move |server, log| {
        let (mut client, opened) = (None, log.clone());
        server
            .on_message(move |ws, message| {
                if ws.role() == ConnectionRole::Server {
                    client = Some(ws.id());
                    let id = ws.connect(&target, ClientRequest::new(&target)).unwrap();
                    assert_eq!(ws.all().role(id), ConnectionRole::Client);
                    assert_eq!(ws.push(id, "too early"), SendStatus::Gone);
                } else if let Some(client) = client {
                    assert_eq!(ws.broadcast("to clients").sent, 1);
                    ws.push(client, message);
                    let stats = ws.all().stats();
                    log.note(format!("{} {} {}", stats.connections, stats.outbound, stats.outbound_opened));
                }
            })
            .on_open(move |ws, _| {
                opened.open(ws);
                if ws.role() == ConnectionRole::Client {
                    ws.send("from the relay");
                }
            })
    });
    let mut client = crate::common::Client::open(relay.address);
    client.send_text("go");
    client.expect_text("to clients");
    client.expect_text("from the relay");
    assert_eq!(relay.note(), "2 1 1");
    client.send(crate::common::CLOSE, b"");
}

#[test]
fn a_server_that_breaks_a_rule_is_failed() {
    let (uri, peer) = peer(|mut stream, request| {
        // §5.1: a server's frames have no mask.
        stream.write_all(&[answer(&request).as_bytes(), b"\x81\x82\0\0\0\0hi"].concat()).unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap();
        assert_eq!(heard[..2], [0x81, 0x85], "the text of on_open");
        assert_eq!(heard[11], 0x88, "then a Close, and the end of TCP");
    });
    let calls = run(&uri, |client| client);
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[1].starts_with("1002 protocol error"), "{calls:?}");
    assert!(calls[1].ends_with("broken rule §5.1, not clean"), "{calls:?}");
    peer.join().unwrap();
}

#[test]
fn no_frame_leaves_when_no_key_can_be_drawn() {
    let (uri, peer) = peer(|mut stream, request| {
        stream.write_all(answer(&request).as_bytes()).unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        assert_eq!(heard, b"");
    });
    let mut blocks = 0;
    let calls = run(&uri, |client| {
        client
            .entropy(move |bytes| {
                // The nonce is drawn from the first block, and no key is left after it.
                blocks += 1;
                bytes.fill(7);
                if blocks > 1 { Err(ErrorKind::Other.into()) } else { Ok(()) }
            })
            .on_open(|ws, _| {
                while ws.ping(b"").is_ok() {
                    if ws.all().stats().buffered_bytes > 1 << 20 {
                        panic!("the source never fails");
                    }
                }
                assert_eq!(ws.send("Hello"), SendStatus::Gone);
            })
    });
    assert_eq!(calls, ["1006 abnormal closure, server overloaded, not clean"]);
    peer.join().unwrap();
}

#[test]
fn connections_to_one_address_open_one_after_the_other() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = uri(&format!("ws://{}/", listener.local_addr().unwrap()));
    let server = thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut head = [0; 1024];
        // All connects of one turn of the client's loop are made before a request is written.
        let len = first.read(&mut head).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "the second one waits");
        listener.set_nonblocking(false).unwrap();
        let request = std::str::from_utf8(&head[..len]).unwrap();
        first.write_all(&[answer(request).as_bytes(), b"\x88\x00"].concat()).unwrap();
        // §4.1: "or for that connection to have failed".
        drop(listener.accept().unwrap());
        drop(listener.accept().unwrap());
        let _ = first.read(&mut head);
    });
    let ends = Rc::new(RefCell::new(Vec::new()));
    let (closed, failed) = (Rc::clone(&ends), Rc::clone(&ends));
    let request = ClientRequest::new(&uri);
    Server::unbound()
        .unwrap()
        .connect(&uri, request.clone())
        .connect(&uri, request.clone())
        .connect(&uri, request)
        .on_close(move |ws, _| closed.borrow_mut().push(ws.id().to_string()))
        .on_connect_error(move |ws, _| failed.borrow_mut().push(ws.id().to_string()))
        .run()
        .unwrap();
    assert_eq!(*ends.borrow(), ["1", "2", "3"]);
    server.join().unwrap();
}

#[cfg(feature = "deflate")]
#[test]
fn messages_are_compressed_if_both_sides_want_it() {
    let compress =
        |config: &mut wirehook::Config| config.compression = Some(wirehook::Compression::default());
    for (server_compresses, client_compresses) in [(true, true), (true, false), (false, true)] {
        let server = serve(move |server, _| {
            let server = server.configure(|config| {
                if server_compresses {
                    compress(config)
                }
            });
            server.on_message(|ws, message| {
                ws.send(message);
            })
        });
        let uri = uri(&format!("ws://{}/", server.address));
        let text = "{\"price\": 1234}, ".repeat(100);
        let (sent, both) = (text.clone(), server_compresses && client_compresses);
        let mut left = 3;
        Server::unbound()
            .unwrap()
            .connect(&uri, ClientRequest::new(&uri))
            .configure(|config| {
                if client_compresses {
                    compress(config)
                }
            })
            .on_open(move |ws, _| {
                ws.send(&sent);
            })
            .on_message(move |ws, message| {
                assert_eq!(message.as_text(), Some(text.as_str()));
                left -= 1;
                if left > 0 {
                    ws.send(message);
                    return;
                }
                let stats = ws.all().stats();
                assert_eq!((stats.compressed_messages, stats.sent_messages), (if both { 3 } else { 0 }, 3));
                assert_eq!(stats.received_bytes < 3 * 500, both, "{}", stats.received_bytes);
                ws.close(1000, "");
            })
            .run()
            .unwrap();
        server.opened();
        server.expect_closed(&End::clean(1000, "", Cause::Peer));
    }
}

#[test]
fn long_messages_are_masked_and_arrive_in_order() {
    let server = harness::echo();
    let uri = uri(&format!("ws://{}/", server.address));
    let lens = [1, 130_000, 200_000, 2, 900_000, 3];
    let text = |len: usize| "x".repeat(len - 1) + "y";
    let received = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&received);
    Server::unbound()
        .unwrap()
        .connect(&uri, ClientRequest::new(&uri))
        .on_open(move |ws, _| lens.iter().for_each(|len| assert_ne!(ws.send(text(*len)), SendStatus::Gone)))
        .on_message(move |ws, message| {
            assert_eq!(message.as_text(), Some(text(message.len()).as_str()));
            seen.borrow_mut().push(message.len());
            if message.len() == 3 {
                ws.close(1010, "");
            }
        })
        .run()
        .unwrap();
    assert_eq!(*received.borrow(), lens);
    server.opened();
    server.expect_closed(&End::clean(1010, "", Cause::Peer));
}

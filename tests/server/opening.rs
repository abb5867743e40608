//! §4.2 The opening handshake on a socket: how requests may arrive, what hooks decide, how refusals are read.

use std::time::{Duration, Instant};

use wirehook::{Cause, Upgrade, protocol::Response};

use crate::{
    common::{BINARY, Client, Frame, GRAIN, REQUEST, TEXT, frame, header, request},
    harness::{End, echo, serve, serve_with_state},
};

// --- How a request arrives -------------------------------------------------------------------------------

#[test]
fn a_request_that_drips_in_byte_by_byte_is_served() {
    // §4.2.1
    let server = echo();
    let mut client = Client::connect(server.address);
    let mut bytes = REQUEST.as_bytes().to_vec();
    bytes.extend(frame(TEXT, b"and frames drip in too"));
    for byte in &bytes {
        client.write(&[*byte]);
    }
    client.expect_open();
    client.expect_text("and frames drip in too");
}

#[test]
fn frames_in_the_same_segment_as_the_request_are_served() {
    // §4.2.2
    let server = echo();
    let mut client = Client::connect(server.address);
    client.write(&[REQUEST.as_bytes(), &frame(TEXT, b"one"), &frame(BINARY, b"two")].concat());
    client.expect_open();
    client.expect_text("one");
    assert_eq!(client.frame(), Frame { first: BINARY, payload: b"two".to_vec() });
}

#[test]
fn two_clients_that_take_turns_do_not_mix() {
    let server = echo();
    let (mut a, mut b) = (Client::connect(server.address), Client::connect(server.address));
    let (request, rest) = REQUEST.split_at(50);
    a.write(request.as_bytes());
    b.write(REQUEST.as_bytes());
    b.expect_open();
    let (from_a, from_b) = (frame(TEXT, "of ä".as_bytes()), frame(TEXT, "of b".as_bytes()));
    b.write(&from_b[..3]);
    a.write(rest.as_bytes());
    a.expect_open();
    a.write(&from_a[..9]);
    b.write(&from_b[3..]);
    b.expect_text("of b");
    a.write(&from_a[9..]);
    a.expect_text("of ä");
}

#[test]
fn a_target_in_absolute_form_is_taken_apart() {
    // RFC 9112 §3.2.2
    let server = serve(|server, log| {
        server.on_upgrade(move |request, _| {
            log.note(format!("{:?} {} {:?}", request.host(), request.path(), request.query_string()));
            Upgrade::accept()
        })
    });
    let mut client = Client::connect(server.address);
    client.write(request("http://example.com:80/chat/room?n=1&m=2", "").as_bytes());
    client.expect_open();
    assert_eq!(server.note(), r#"Some("example.com:80") /chat/room Some("n=1&m=2")"#);
}

// --- What is agreed on -----------------------------------------------------------------------------------

#[test]
fn the_subprotocol_is_chosen_in_the_servers_order() {
    // §4.2.2
    let server = serve(|server, log| {
        server
            .configure(|config| config.subprotocols = vec!["v2".to_owned(), "v1".to_owned()])
            .on_upgrade(|request, _| match request.path() {
                "/own" => Upgrade::accept().subprotocol("v3"),
                _ => Upgrade::accept(),
            })
            .on_message(move |ws, _| log.note(format!("{:?}", ws.subprotocol())))
    });
    let cases = [
        ("/", "Sec-WebSocket-Protocol: v1, v2\r\n", Some("v2")),
        ("/", "Sec-WebSocket-Protocol: v0\r\nSec-WebSocket-Protocol: v1\r\n", Some("v1")),
        ("/", "Sec-WebSocket-Protocol: V2\r\n", None),
        ("/", "", None),
        ("/own", "Sec-WebSocket-Protocol: v2, v3\r\n", Some("v3")),
        // §4.2.2: no subprotocol goes out that was not offered, whichever hook chose it.
        ("/own", "Sec-WebSocket-Protocol: v2\r\n", None),
        // One that only begins or ends like it, or is written in another case, is another one.
        ("/own", "Sec-WebSocket-Protocol: v3.1, v, V3, av3\r\n", None),
        ("/", "Sec-WebSocket-Protocol: v2.1, v, V1, av1\r\n", None),
    ];
    for (target, offer, chosen) in cases {
        let mut client = Client::connect(server.address);
        client.write(request(target, offer).as_bytes());
        assert_eq!(header(&client.expect_open(), "Sec-WebSocket-Protocol"), chosen, "{target} {offer}");
        client.send_text("which one is it?");
        assert_eq!(server.note(), format!("{chosen:?}"), "{target} {offer}");
    }
}

#[test]
fn offered_extensions_are_ignored() {
    // §9.1
    let server = echo();
    let mut client = Client::connect(server.address);
    client.write(request("/", "Sec-WebSocket-Extensions: permessage-deflate; x=\"1\"\r\n").as_bytes());
    assert_eq!(header(&client.expect_open(), "Sec-WebSocket-Extensions"), None);
}

// --- What on_upgrade decides -----------------------------------------------------------------------------

#[test]
fn on_upgrade_rejects_with_a_status_and_headers_of_its_own() {
    // §4.2.2
    let server = serve(|server, _| {
        server.on_upgrade(|request, _| match request.header("authorization") {
            Some("Basic eDp5") => Upgrade::accept(),
            _ => Upgrade::reject(401, "who are you?").header("WWW-Authenticate", "Basic"),
        })
    });
    let mut client = Client::connect(server.address);
    client.write(REQUEST.as_bytes());
    let refusal = client.refusal();
    assert_eq!((refusal.status, &*refusal.body), (401, "who are you?\n"));
    assert_eq!(refusal.header("WWW-Authenticate"), Some("Basic"));

    let mut client = Client::connect(server.address);
    client.write(request("/", "AUTHORIZATION: Basic eDp5\r\n").as_bytes());
    client.expect_open();
    assert_eq!(server.opened().to_string(), "2", "the refused connection has not opened");
}

#[test]
fn a_hook_redirects_and_answers_404() {
    // §4.2.2: "The server MAY redirect the client using a 3xx status code", "such as 404 Not Found".
    let server = serve(|server, log| {
        server
            .on_upgrade(|request, _| match request.path() {
                "/old" => Upgrade::reject(302, "moved").header("Location", "ws://localhost/new"),
                "/new" => Upgrade::accept(),
                _ => Upgrade::reject(404, "there is nothing here"),
            })
            .on_message(move |_, _| log.note("a message"))
    });
    for (target, status, location) in
        [("/old", 302, Some("ws://localhost/new")), ("/nothing", 404, None), ("/old/", 404, None)]
    {
        let mut client = Client::connect(server.address);
        client.write(&[request(target, "").as_bytes(), &frame(TEXT, b"a frame after it")].concat());
        let refusal = client.refusal();
        assert_eq!((refusal.status, refusal.header("Location")), (status, location), "{target}");
    }
    let mut client = Client::connect(server.address);
    client.write(request("/new", "").as_bytes());
    client.expect_open();
    assert_eq!(server.opened().to_string(), "4", "those that were refused have not opened");
    assert!(server.notes_so_far().is_empty(), "nor did a hook see anything of them");
}

#[test]
fn on_upgrade_adds_a_header() {
    let server = serve(|server, _| server.on_upgrade(|_, _| Upgrade::accept().header("X-Served-By", "me")));
    let mut client = Client::connect(server.address);
    client.write(REQUEST.as_bytes());
    assert_eq!(header(&client.expect_open(), "X-Served-By"), Some("me"));
}

#[test]
fn a_header_that_cannot_be_sent_is_answered_with_500() {
    let server = serve(|server, _| {
        server.on_upgrade(|request, _| match request.path() {
            "/split" => Upgrade::accept().header("X-Name", "a\r\nX-Evil: b"),
            "/own" => Upgrade::accept().header("sec-websocket-accept", "mine"),
            "/first" => Upgrade::accept().header("X-Name", "a\nb").header("X-Good", "c"),
            "/last" => Upgrade::accept().header("X-Good", "c").header("UPGRADE", "d"),
            _ => Upgrade::reject(403, "").header("no token", "x"),
        })
    });
    for target in ["/split", "/own", "/first", "/last", "/reject"] {
        let mut client = Client::connect(server.address);
        client.write(request(target, "").as_bytes());
        let refusal = client.refusal();
        assert_eq!(refusal.status, 500, "{target}");
        assert_eq!(refusal.header("X-Evil"), None);
    }
}

#[test]
fn on_upgrade_gives_each_connection_its_state() {
    let server = serve_with_state::<(String, u32)>(|server, _| {
        server
            .on_upgrade(|request, peer| {
                Upgrade::accept_with((format!("{} {peer}", request.path()), request.target().len() as u32))
            })
            .on_message(|ws, _| {
                ws.state_mut().1 += 1;
                let (name, count) = ws.state().clone();
                ws.send(format!("{name} {count} {}", ws.peer_addr()));
            })
    });
    let mut clients = ["/a", "/bb"].map(|target| {
        let mut client = Client::connect(server.address);
        client.write(request(target, "").as_bytes());
        client.expect_open();
        (client, target)
    });
    for round in 1..=2 {
        for (client, target) in &mut clients {
            let address = client.socket().local_addr().unwrap();
            client.send_text("who am I?");
            client.expect_text(&format!("{target} {address} {} {address}", target.len() + round));
        }
    }
}

// --- Refusals --------------------------------------------------------------------------------------------

/// Requests that are refused, and the status of the answer.
fn refused_requests() -> Vec<(String, u16)> {
    let without = |line: &str| {
        assert!(REQUEST.contains(line), "{line}");
        REQUEST.replace(line, "")
    };
    vec![
        (without("Upgrade: websocket\r\n"), 426),
        (REQUEST.replace("GET", "POST"), 405),
        (REQUEST.replace("GET", "HEAD"), 405),
        (REQUEST.replace("HTTP/1.1", "HTTP/1.0"), 505),
        (request("/ü", ""), 400),
        (request("http://a%zz/", ""), 400),
        (REQUEST.replace("Host: localhost", "Host: %"), 400),
        (REQUEST.replace("Host: localhost", "Host: [v]"), 400),
        (REQUEST.replace("Connection: Upgrade", "Connection: @@@, Upgrade"), 400),
        ("\x16\x03\x01\x02\0\x01\0\x01".to_owned(), 400),
        (without("Connection: Upgrade\r\n"), 400),
        (without("Host: localhost\r\n"), 400),
        (request("/", "Host: another\r\n"), 400),
        (without("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400),
        (request("/", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400),
        (REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400),
        (without("Sec-WebSocket-Version: 13\r\n"), 426),
        (REQUEST.replace("Version: 13", "Version: 8"), 426),
        (request("/", "Content-Length: 5\r\n"), 400),
        (request("/", "Transfer-Encoding: chunked\r\n"), 400),
        (request("/", "Folded: a\r\n b\r\n"), 400),
        (request("/", "Space : a\r\n"), 400),
        (request("/", "Nul: \0\r\n"), 400),
        ("this is no request at all\r\n\r\n".to_owned(), 400),
        (request("/", &format!("Long: {}\r\n", "x".repeat(16 * 1024))), 431),
        (request("/", &"Many: x\r\n".repeat(101)), 431),
        (request("/", "Origin: https://evil.example\r\n"), 403),
    ]
}

#[test]
fn every_refusal_can_be_read_to_its_end() {
    // §4.2.1, §4.2.2
    let server = serve(|server, _| {
        server.configure(|config| config.origins = vec!["https://good.example".to_owned()])
    });
    // More than the buffers of both ends can hold: it must be read, or a reset would discard the answer.
    let tail = vec![b'x'; 16 * 1024 * 1024];
    for (request, status) in refused_requests() {
        for tail in [&[][..], &tail] {
            let mut client = Client::connect(server.address);
            client.write(request.as_bytes());
            client.write(tail);
            // RFC 9110 §9.3.2: an answer to HEAD has the length of a body that it leaves out.
            if request.starts_with("HEAD") {
                let head = client.head().unwrap();
                assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{head}");
                assert_eq!(header(&head, "Allow"), Some("GET"));
                client.expect_end();
                continue;
            }
            let refusal = client.refusal();
            assert_eq!(refusal.status, status, "{request}\n{}", refusal.body);
            assert!(refusal.header("Connection").is_some_and(|it| it.starts_with("close")), "{refusal:?}");
            assert!(refusal.body.contains('§') && refusal.body.ends_with(".\n"), "{}", refusal.body);
            assert_eq!(refusal.body.lines().count(), 1, "{}", refusal.body);
            match status {
                405 => assert_eq!(refusal.header("Allow"), Some("GET")),
                426 => {
                    assert_eq!(refusal.header("Upgrade"), Some("websocket"));
                    // §4.4: the answer to a request for a version that is not supported.
                    let asks = request.contains("Upgrade: websocket");
                    assert_eq!(refusal.header("Sec-WebSocket-Version"), asks.then_some("13"), "{request}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_head_at_the_limits_passes() {
    // RFC 9112 §3: "to support, at a minimum, request-line lengths of 8000 octets"
    let server = echo();
    let target = format!("/{}", "x".repeat(8000));
    let many_headers = "X-Many: x\r\n".repeat(95);
    let padding = 16 * 1024 - request("/", "Pad: \r\n").len();
    let long_header = format!("Pad: {}\r\n", "x".repeat(padding));
    for request in [request(&target, ""), request("/", &many_headers), request("/", &long_header)] {
        let mut client = Client::connect(server.address);
        client.write(request.as_bytes());
        client.expect_open();
    }
}

#[test]
fn pages_of_other_origins_are_answered_with_403() {
    // §10.2
    let server = serve(|server, _| {
        server.configure(|config| {
            config.origins = vec!["https://one.example".to_owned(), "http://two.example:81".to_owned()];
        })
    });
    for origin in ["https://ONE.example", "http://two.example:81"] {
        let mut client = Client::connect(server.address);
        client.write(request("/", &format!("Origin: {origin}\r\n")).as_bytes());
        client.expect_open();
    }
    for origin in ["http://one.example", "https://one.example.evil", "null", "http://two.example"] {
        let mut client = Client::connect(server.address);
        client.write(request("/", &format!("Origin: {origin}\r\n")).as_bytes());
        assert_eq!(client.refusal().status, 403, "{origin}");
    }
    // A request without an Origin comes from no page.
    Client::open(server.address);
}

#[test]
fn requests_for_other_hosts_are_answered_with_421() {
    // §4.2.1, item 2
    let server = serve(|server, _| {
        server
            .configure(|config| config.hosts = vec!["one.example".to_owned(), "two.example:81".to_owned()])
            .on_http(|_, _| Some(Response::page(200, "text/plain", "a page")))
    });
    let request_for = |host: &str| REQUEST.replace("Host: localhost", &format!("Host: {host}"));
    for host in ["ONE.example", "one.example:8080", "two.example:81"] {
        let mut client = Client::connect(server.address);
        client.write(request_for(host).as_bytes());
        client.expect_open();
    }
    for host in ["localhost", "one.example.evil", "two.example", "two.example:82"] {
        // A page is no way around the list, nor is HEAD.
        for request in [request_for(host), format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")] {
            let mut client = Client::connect(server.address);
            client.write(request.as_bytes());
            assert_eq!(client.refusal().status, 421, "{request}");
        }
    }
    let mut client = Client::connect(server.address);
    client.write(b"HEAD / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert!(client.head().unwrap().starts_with("HTTP/1.1 405 "));
    client.expect_end();
}

#[test]
fn an_origin_that_is_no_text_reaches_no_hook() {
    // RFC 6454 §7.1. A hook that checks origins lets requests without one pass.
    let server = serve(|server, _| {
        server.on_upgrade(|request, _| match request.origin() {
            None | Some("https://good.example") => Upgrade::accept(),
            Some(_) => Upgrade::reject(403, "another origin"),
        })
    });
    for (origin, status) in [(&b"https://evil.example"[..], 403), (b"https://evil.example/\xff", 400)] {
        let mut client = Client::connect(server.address);
        let request = request("/", "Origin: \r\n");
        let (start, end) = request.as_bytes().split_at(request.len() - 4);
        client.write(&[start, origin, end].concat());
        assert_eq!(client.refusal().status, status);
    }
    Client::open(server.address);
}

#[test]
fn a_page_is_answered_to_head_without_its_body() {
    // RFC 9110 §9.3.2
    let server = serve(|server, log| {
        server.on_http(move |request, _| {
            log.note(request.method());
            (request.path() == "/").then(|| Response::page(200, "text/plain", "a page"))
        })
    });
    for (head, asked, status, len) in [
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", true, "200", Some("6")),
        // Without a page it is refused as before; a WebSocket is opened with GET only, and rules hold for
        // HEAD too.
        ("HEAD /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n", true, "405", None),
        ("HEAD / HTTP/1.1\r\nHost: %\r\n\r\n", false, "405", None),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", false, "405", None),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nUpgrade: a b\r\n\r\n", false, "405", None),
    ] {
        let mut client = Client::connect(server.address);
        client.write(head.as_bytes());
        let answer = client.head().unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}{answer}");
        if let Some(len) = len {
            assert_eq!(header(&answer, "Content-Length"), Some(len));
        }
        client.expect_end();
        assert_eq!(server.notes_so_far(), if asked { vec!["HEAD"] } else { vec![] }, "{head}");
    }
}

#[test]
fn a_head_that_is_not_complete_in_time_is_answered_with_408() {
    // RFC 9110 §15.5.9
    let timeout = Duration::from_millis(300);
    let server = serve(move |server, _| server.configure(|config| config.handshake_timeout = timeout));
    let began = Instant::now();
    let mut silent = Client::connect(server.address);
    let mut dripping = Client::connect(server.address);
    // Bytes that drip in don't extend the time: with them the head would take 8 s.
    let mut bytes = REQUEST.bytes();
    while !dripping.has_input_within(Duration::from_millis(50)) {
        dripping.write(&[bytes.next().expect("an answer comes before the request is complete")]);
    }
    assert!(began.elapsed() + GRAIN >= timeout, "the time is not cut short");
    for client in [&mut silent, &mut dripping] {
        assert_eq!(client.refusal().status, 408);
    }
    // An open connection has no such limit.
    let mut open = Client::open(server.address);
    assert!(!open.has_input_within(timeout * 2));
}

/// The next one is accepted as soon as another has left.
#[test]
fn one_connection_too_many_is_answered_with_503() {
    // RFC 9110 §15.6.4
    let server = serve(|server, _| server.configure(|config| config.max_connections = Some(2)));
    let mut first = Client::open(server.address);
    // One that has not sent its request counts as well; the next one shows that it was accepted before.
    let waiting = Client::connect(server.address);
    for _ in 0..3 {
        let mut refused = Client::connect(server.address);
        refused.write(REQUEST.as_bytes());
        let refusal = refused.refusal();
        assert_eq!(refusal.status, 503);
        assert!(refusal.header("Retry-After").is_some_and(|it| it.parse::<u32>().is_ok()));
    }
    first.send_close(1000, "");
    first.expect_close(1000, "");
    server.expect_closed(&End::clean(1000, "", Cause::Peer));
    Client::open(server.address);
    drop(waiting);
}

#[test]
fn a_page_is_served_only_to_a_request_for_no_websocket() {
    let server = serve(|server, _| {
        server.on_http(|request, _| match request.path() {
            "/" => Some(Response::page(200, "text/plain", "a page")),
            "/odd" => Some(Response::page(101, "text/plain", "no answer to a plain request")),
            "/split" => Some(Response::page(200, "text/plain\r\nX-Evil: b", "a page")),
            "/panic" => panic!("a hook that panics"),
            _ => None,
        })
    });
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    for (request, status) in [
        (get("/"), 200),
        (get("/odd"), 500),
        (get("/split"), 500),
        (get("/panic"), 500),
        // RFC 9110 §15.5.22
        (get("/elsewhere"), 426),
        // Only what is well-formed and a GET is asked about.
        (get("/").replace("GET", "POST"), 405),
        (get("/").replace("Host: a", "Host: a\r\nHost: b"), 400),
        // §4.4: this asks for a WebSocket, in a version that is not supported.
        (REQUEST.replace("Version: 13", "Version: 8"), 426),
    ] {
        let mut client = Client::connect(server.address);
        client.write(request.as_bytes());
        let answer = client.refusal();
        assert_eq!(answer.header("X-Evil"), None);
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.body == "a page", status == 200, "{request}");
    }
    Client::open(server.address);
}

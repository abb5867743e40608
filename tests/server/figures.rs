//! The server's figures: what is counted, where it is shown, and the caps per address.

use std::{net::SocketAddr, thread};

use wirehook::Cause;

use crate::{
    common::{Client, Refusal, header},
    harness::{Running, serve},
};

/// A server that echoes, and the address where its figures are shown.
fn with_metrics() -> (Running, SocketAddr) {
    let server = serve(|server, log| {
        let server = server.metrics_on("127.0.0.1:0").unwrap();
        log.note(server.metrics_addr().unwrap());
        server.on_message(|ws, message| {
            ws.send(message);
        })
    });
    let address = server.note().parse().unwrap();
    (server, address)
}

fn get(address: SocketAddr, path: &str) -> Refusal {
    let mut client = Client::connect(address);
    client.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    client.refusal()
}

/// The value of a figure on the page.
fn figure(page: &str, name: &str) -> f64 {
    let line = page.lines().find(|line| line.split(' ').next() == Some(name));
    let value = line.and_then(|line| line.split(' ').nth(1)).unwrap_or_else(|| panic!("no {name} in {page}"));
    value.parse().unwrap()
}

#[test]
fn what_happens_is_counted_and_shown_to_prometheus() {
    let (server, address) = with_metrics();
    let mut client = Client::open(server.address);
    for text in ["one", "two"] {
        client.send_text(text);
        client.expect_text(text);
    }
    let mut refused = Client::connect(server.address);
    refused.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(refused.refusal().status, 426);
    let mut leaver = Client::open(server.address);
    leaver.send_close(1000, "");
    leaver.expect_close(1000, "");
    leaver.expect_end();
    server.closed();

    let response = get(address, "/metrics");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for (name, value) in [
        ("wirehook_connections", 1.0),
        ("wirehook_accepted_total", 3.0),
        ("wirehook_opened_total", 2.0),
        ("wirehook_closed_total", 1.0),
        ("wirehook_received_messages_total", 2.0),
        ("wirehook_sent_messages_total", 2.0),
        ("wirehook_buffered_bytes", 0.0),
        ("wirehook_handshakes_total{status=\"101\"}", 2.0),
        ("wirehook_handshakes_total{status=\"426\"}", 1.0),
        ("wirehook_closes_total{code=\"1000\"}", 1.0),
        ("wirehook_closes_by_cause_total{cause=\"peer\"}", 1.0),
    ] {
        assert_eq!(figure(&response.body, name), value, "{name}");
    }
    assert!(figure(&response.body, "wirehook_received_bytes_total") > 0.0);
    assert!(figure(&response.body, "wirehook_turns_total") > 0.0);
    let stats = server.handle.stats();
    assert_eq!((stats.opened, stats.closes_by(Cause::Peer)), (2, 1));
}

#[test]
fn health_is_shown_and_readiness_ends_with_the_drain() {
    let (server, address) = with_metrics();
    assert_eq!((get(address, "/healthz").status, get(address, "/readyz").status), (200, 200));
    assert_eq!(get(address, "/").status, 404);
    let mut poster = Client::connect(address);
    poster.write(b"POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(poster.refusal().status, 405);

    let mut client = Client::open(server.address);
    server.handle.shutdown();
    client.expect_close(1001, "server is shutting down");
    assert_eq!((get(address, "/healthz").status, get(address, "/readyz").status), (200, 503));
    client.send_close(1001, "");
    client.expect_end();
}

#[test]
fn a_head_request_to_the_figures_gets_the_head_only() {
    // RFC 9110 §9.3.2: as `wget --spider` and `curl -I` ask.
    let (server, address) = with_metrics();
    let head_of = |request: String| {
        let mut client = Client::connect(address);
        client.write(request.as_bytes());
        let head = client.head().unwrap();
        client.expect_end();
        head
    };
    for path in ["/metrics", "/healthz", "/readyz", "/elsewhere"] {
        let get = get(address, path);
        let head = head_of(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(head.starts_with(&format!("HTTP/1.1 {} ", get.status)), "{head}");
        assert_eq!(header(&head, "Content-Type"), get.header("Content-Type"));
        let len: usize = header(&head, "Content-Length").unwrap().parse().unwrap();
        // The figures themselves have gone on meanwhile.
        assert!(len == get.body.len() || path == "/metrics" && len > 1000, "{path}: {len}");
    }
    let refused = head_of("HEAD /healthz HTTP/1.1\r\n\r\n".to_owned());
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
    drop(server);
}

#[test]
fn idle_sockets_keep_no_probe_out() {
    let (_server, address) = with_metrics();
    let idle: Vec<Client> = (0..40).map(|_| Client::connect(address)).collect();
    for _ in 0..70 {
        assert_eq!(get(address, "/healthz").status, 200);
    }
    drop(idle);
}

#[test]
fn figures_are_no_client_and_no_websocket() {
    let (server, address) = with_metrics();
    let mut client = Client::connect(address);
    client.write(crate::common::REQUEST.as_bytes());
    assert_eq!(client.refusal().status, 404);
    let stats = server.handle.stats();
    assert_eq!((stats.connections, stats.accepted, stats.opened), (0, 0, 0));
}

#[test]
fn the_connections_of_an_address_have_a_limit() {
    // RFC 6585 §4
    let server = serve(|server, _| server.configure(|config| config.max_connections_per_address = Some(2)));
    let mut first = Client::open(server.address);
    let _second = Client::open(server.address);
    let refusal = Client::connect(server.address).refusal();
    assert_eq!((refusal.status, refusal.header("Retry-After")), (429, Some("5")));
    first.send_close(1000, "");
    first.expect_close(1000, "");
    first.expect_end();
    server.closed();
    // It counts until its socket is gone, which the client has to close as well.
    assert_eq!(Client::connect(server.address).refusal().status, 429);
    first.half_close();
    while server.handle.stats().sockets > 1 {
        thread::yield_now();
    }
    Client::open(server.address);
}

#[test]
fn an_address_opens_connections_at_a_rate() {
    // RFC 6585 §4
    let server = serve(|server, _| server.configure(|config| config.max_handshakes_per_address = Some(3)));
    let _clients = [(); 3].map(|()| Client::open(server.address));
    let refusal = Client::connect(server.address).refusal();
    assert_eq!((refusal.status, refusal.header("Retry-After")), (429, Some("1")));
}

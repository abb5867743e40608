//! Routes: which handler a path has, and the limits of its connections.

use std::{net::SocketAddr, sync::mpsc, thread};

use wirehook::{
    Handler, Hooks, Message, PeerAddr, PendingUpgrade, Route, Router, Upgrade, WebSocket, protocol::Request,
};

use crate::{
    common::{Client, request},
    harness::{Log, Running, start},
};

/// Reports each call of a hook with the name of its route.
struct Reports(&'static str, Log);

impl Handler for Reports {
    type State = String;

    fn on_upgrade(&mut self, request: &Request<'_>, _: PeerAddr) -> Upgrade<String> {
        let Self(name, log) = self;
        log.note(format!("{name} {:?}", request.param("room")));
        match request.param("room") {
            Some("closed") => Upgrade::reject(403, "not here"),
            room => Upgrade::accept_with(format!("{name} {}", room.unwrap_or("-"))),
        }
    }

    fn on_open(&mut self, ws: &mut WebSocket<'_, String>, request: &Request<'_>) {
        self.1.open(ws);
        ws.send(format!("{} {:?}", ws.state(), request.param("room")));
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_, String>, message: Message<'_>) {
        ws.send(format!("{}: {}", self.0, message.as_text().unwrap()));
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_, String>, close: &wirehook::Closed<'_>) {
        self.1.note(format!("{} closes", self.0));
        self.1.close(ws, close);
    }
}

/// Opens a connection at a path.
fn open_at(address: SocketAddr, path: &str) -> Client {
    let mut client = Client::connect(address);
    client.write(request(path, "").as_bytes());
    client.expect_open();
    client
}

/// Returns the status line of the answer to a request that opens nothing.
fn answer_to(address: SocketAddr, request: &str) -> String {
    let mut client = Client::connect(address);
    client.write(request.as_bytes());
    client.head().unwrap()
}

fn routed() -> Running<String> {
    start(|server, log| {
        server
            .route("/chat/lobby", Reports("lobby", log.clone()))
            .route(
                "/chat/:room",
                Route::new(Reports("chat", log.clone())).limits(|it| it.max_message_size = 4),
            )
            .route("/", Reports("root", log))
    })
}

#[test]
fn a_connection_has_the_hooks_of_the_first_route_that_fits() {
    let server = routed();
    let cases = [
        ("/chat/lobby", "lobby None", "lobby - None", "lobby"),
        ("/chat/caf%C3%A9?x=1", "chat Some(\"café\")", "chat café Some(\"café\")", "chat"),
        ("/", "root None", "root - None", "root"),
    ];
    // All are open at once, so no route can be that of the connection before.
    let mut clients = cases.map(|(path, upgraded, opened, name)| {
        let mut client = open_at(server.address, path);
        assert_eq!(server.note(), upgraded);
        client.expect_text(opened);
        (client, name)
    });
    for (client, name) in &mut clients {
        client.send_text("hi");
        client.expect_text(&format!("{name}: hi"));
    }
    for (mut client, name) in clients {
        client.send_close(1000, "");
        client.expect_close(1000, "");
        assert_eq!(server.note(), format!("{name} closes"));
    }
}

#[test]
fn a_place_used_again_has_the_route_of_its_new_connection() {
    let server = routed();
    for (path, name) in [("/", "root"), ("/chat/a", "chat"), ("/chat/lobby", "lobby"), ("/", "root")] {
        let mut client = open_at(server.address, path);
        client.frame();
        client.send_text("hi");
        client.expect_text(&format!("{name}: hi"));
        client.send_close(1000, "");
        client.expect_close(1000, "");
        client.expect_end();
        server.closed();
    }
}

#[test]
fn a_route_has_limits_of_its_own() {
    let server = routed();
    let mut limited = open_at(server.address, "/chat/a");
    limited.frame();
    limited.send_text("four");
    limited.expect_text("chat: four");
    limited.send_text("fives");
    assert_eq!(limited.frame().payload[..2], 1009u16.to_be_bytes());
    let mut other = open_at(server.address, "/");
    other.frame();
    other.send_text("more than four");
    other.expect_text("root: more than four");
}

#[test]
fn a_path_without_a_route_is_answered_with_404() {
    let server = routed();
    for path in ["/chat", "/chat/", "/chat/a/b", "/Chat/a", "/elsewhere"] {
        let answer = answer_to(server.address, &request(path, ""));
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        let page = answer_to(server.address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(page.starts_with("HTTP/1.1 404 "), "{path}: {page}");
    }
    let refused = answer_to(server.address, &request("/chat/closed", ""));
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    let no_page = answer_to(server.address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(no_page.starts_with("HTTP/1.1 426 "), "a route without on_http: {no_page}");
}

#[test]
fn a_router_without_routes_has_nothing() {
    let server = start(|server, _| server.handler(Router::<()>::new()));
    let answer = answer_to(server.address, &request("/", ""));
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[test]
fn another_thread_answers_a_request_of_a_route() {
    let (to_look_up, look_ups) = mpsc::channel::<(String, PendingUpgrade<String>)>();
    let server = start(move |server, log| {
        let hooks = Hooks::<String>::new()
            .on_upgrade(move |request, _| {
                let (upgrade, pending) = Upgrade::pending();
                let name = request.param("name").unwrap_or_default().to_owned();
                to_look_up.send((name, pending)).unwrap();
                upgrade
            })
            .on_open({
                let log = log.clone();
                move |ws, request| {
                    log.open(ws);
                    ws.send(format!("{} at {:?}", ws.state(), request.param("name")));
                }
            })
            .on_message(|ws, message| {
                ws.send(message);
            })
            .on_close(move |ws, close| log.close(ws, close));
        server.route("/:name", Route::new(hooks).limits(|limits| limits.max_message_size = 4))
    });
    let handle = server.handle.clone();
    let answers = thread::spawn(move || {
        for (name, pending) in look_ups {
            let answer = match name.as_str() {
                "ann" => Upgrade::accept_with("Ann".to_owned()),
                _ => Upgrade::reject(403, "unknown"),
            };
            if handle.finish(pending, answer).is_err() {
                return;
            }
        }
    });
    let mut client = Client::connect(server.address);
    client.write(request("/ann", "").as_bytes());
    client.send_text("soon");
    client.expect_open();
    client.expect_text("Ann at Some(\"ann\")");
    client.expect_text("soon");
    client.send_text("fives");
    assert_eq!(client.frame().payload[..2], 1009u16.to_be_bytes(), "the limits of its route");
    let refused = answer_to(server.address, &request("/ben", ""));
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    drop(client);
    server.stop();
    answers.join().unwrap();
}

//! What a hook sends, to its own connection and to others: which of them get it, in which order, and what is
//! reported.

use wirehook::{
    BroadcastStatus, Closed, ConnId, Handler, Message, PeerAddr, SendStatus, Upgrade, WebSocket,
    protocol::{Request, SendError},
};

use crate::{
    common::{Client, Frame, PING, TEXT, frame, request},
    harness::{Log, serve, serve_with_state, start},
};

#[test]
fn a_broadcast_reaches_all_and_counts_them() {
    let server = serve_with_state::<u32>(|server, log| {
        server.on_message(move |ws, message| {
            let own = ws.id();
            let status = match message.as_text().unwrap() {
                "all" => ws.broadcast("to all"),
                "others" => ws.broadcast_if("to the others", |_, id, _| id != own),
                "even" => ws.broadcast_if(b"to even states", |_, _, state| state % 2 == 0),
                "none" => ws.broadcast_if("to none", |_, _, _| false),
                number => {
                    *ws.state_mut() = number.parse().unwrap();
                    ws.send(message);
                    return;
                }
            };
            assert_eq!((status.queued, status.dropped), (0, 0));
            log.note(status.sent);
        })
    });
    let mut clients: Vec<Client> = (1..=5)
        .map(|number| {
            let mut client = Client::open(server.address);
            client.send_text(&number.to_string());
            client.expect_text(&number.to_string());
            client
        })
        .collect();
    let mut ask = |text: &str| {
        clients[0].send_text(text);
        server.note()
    };
    assert_eq!([ask("all"), ask("others"), ask("even"), ask("none")], ["5", "4", "2", "0"]);
    for (client, number) in clients.iter_mut().zip(1..) {
        client.expect_text("to all");
        if number != 1 {
            client.expect_text("to the others");
        }
        if number % 2 == 0 {
            assert_eq!(client.frame(), Frame { first: 0x82, payload: b"to even states".to_vec() });
        }
        // Nothing more: the answer to this comes next.
        client.send_text("7");
        client.expect_text("7");
    }
}

#[test]
fn a_hook_pushes_to_any_connection_by_its_id() {
    let server = serve(|server, _| {
        server.on_message(|ws, message| {
            let (to, text) = message.as_text().unwrap().split_once(' ').unwrap();
            let to = ws.all().ids().find(|id| id.to_string() == to);
            let status = to.map(|id| ws.push(id, text));
            ws.send(format!("{status:?}"));
        })
    });
    let mut clients: Vec<(Client, ConnId)> =
        (0..3).map(|_| (Client::open(server.address), server.opened())).collect();
    let ids: Vec<ConnId> = clients.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.iter().map(ConnId::to_string).collect::<Vec<_>>(), ["1", "2", "3"]);
    for from in 0..3 {
        let to = (from + 1) % 3;
        clients[from].0.send_text(&format!("{} hello from {}", ids[to], ids[from]));
        clients[from].0.expect_text("Some(Sent)");
        clients[to].0.expect_text(&format!("hello from {}", ids[from]));
    }
}

#[test]
fn what_a_hook_sends_arrives_in_the_order_in_which_it_was_sent() {
    // §6.1
    const LENS: [usize; 7] = [3, 4_000, 5_000, 100_000, 127_990, 200_000, 3_000_000];
    let server = serve(|server, _| {
        server.on_message(|ws, _| {
            let id = ws.id();
            for len in LENS {
                for round in 0..3u8 {
                    let bytes = vec![round; len];
                    match round {
                        0 => assert_ne!(ws.send(&bytes), SendStatus::Dropped),
                        1 => assert_eq!(ws.broadcast(&bytes).dropped, 0),
                        _ => assert_ne!(ws.push(id, &bytes), SendStatus::Dropped),
                    }
                }
                ws.ping(&len.to_be_bytes()).unwrap();
            }
        })
    });
    let mut client = Client::open(server.address);
    client.write(&[frame(TEXT, b"go"), frame(TEXT, b"and again")].concat());
    for _ in 0..2 {
        for len in LENS {
            for round in 0..3u8 {
                assert_eq!(client.frame(), Frame { first: 0x82, payload: vec![round; len] });
            }
            assert_eq!(client.frame(), Frame { first: PING, payload: len.to_be_bytes().to_vec() });
        }
    }
}

/// A room of people with names, as a type with all hooks.
struct Room {
    log: Log,
    said: u32,
}

impl Handler for Room {
    type State = String;

    fn on_upgrade(&mut self, request: &Request<'_>, _: PeerAddr) -> Upgrade<String> {
        match request.path() {
            "/" => Upgrade::reject(404, "connect to /NAME"),
            path => Upgrade::accept_with(path[1..].to_owned()),
        }
    }

    fn on_open(&mut self, ws: &mut WebSocket<'_, String>, request: &Request<'_>) {
        self.log.open(ws);
        assert_eq!(request.path()[1..], **ws.state());
        let (id, line) = (ws.id(), format!("{} comes", ws.state()));
        ws.broadcast_if(&line, |_, other, _| other != id);
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_, String>, message: Message<'_>) {
        self.said += 1;
        let line = format!("{} {}: {}", self.said, ws.state(), message.as_text().unwrap());
        let status = ws.broadcast(&line);
        assert_eq!(status, BroadcastStatus { sent: ws.all().ids().count(), ..status });
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_, String>, close: &Closed<'_>) {
        self.log.close(ws, close);
        let line = format!("{} goes: {}", ws.state(), close.code);
        ws.broadcast(&line);
    }
}

#[test]
fn a_type_serves_as_handler_with_all_its_hooks() {
    let server = start(|server, log| server.handler(Room { log, said: 0 }));
    let join = |name: &str| {
        let mut client = Client::connect(server.address);
        client.write(request(name, "").as_bytes());
        client
    };
    assert_eq!(join("/").refusal().status, 404);
    let mut ann = join("/ann");
    ann.expect_open();
    let mut bob = join("/bob");
    bob.expect_open();
    ann.expect_text("bob comes");
    bob.send_text("hi");
    ann.send_text("hello");
    for client in [&mut ann, &mut bob] {
        let lines = [client.frame(), client.frame()];
        let either = ["1 bob: hi", "2 ann: hello"].map(Frame::text);
        let or = ["1 ann: hello", "2 bob: hi"].map(Frame::text);
        assert!(lines == either || lines == or, "{lines:?}");
    }
    bob.send_close(1000, "");
    ann.expect_text("bob goes: 1000 normal closure");
}

#[test]
fn a_message_in_fragments_and_a_ping_reach_one_that_is_named() {
    // §5.4, §5.5.2
    let server = serve(|server, _| {
        server.on_message(|ws, message| {
            let id = ws.id();
            assert_eq!(ws.all().send_fragments(id, message, 2), SendStatus::Sent);
            let pinged = [ws.all().ping(id, b"there?"), ws.all().ping(id, &[0; 126])];
            assert_eq!(pinged, [Ok(()), Err(SendError::ControlTooLong)]);
        })
    });
    let mut client = Client::open(server.address);
    client.write(&frame(TEXT, b"Hello"));
    for (first, payload) in [(0x01, &b"He"[..]), (0x00, b"ll"), (0x80, b"o"), (0x89, b"there?")] {
        assert_eq!(client.frame(), Frame { first, payload: payload.to_vec() });
    }
}

//! What hooks can and can't do while a connection closes, their own or another.

use std::{cell::RefCell, rc::Rc, time::Duration};

use wirehook::{Cause, CloseCode, ConnId, SendStatus};

use crate::{
    common::{Client, TEXT, frame},
    harness::{End, serve, serve_with_state},
};

#[test]
fn no_message_of_the_batch_reaches_a_hook_after_its_close() {
    // §7.1.2
    let server = serve(|server, log| {
        let (on_ping, on_pong) = (log.clone(), log.clone());
        server
            .on_message(move |ws, message| {
                log.note(message.as_text().unwrap());
                ws.close(CloseCode::NORMAL, "enough");
            })
            .on_ping(move |_, _| on_ping.note("ping"))
            .on_pong(move |_, _| on_pong.note("pong"))
    });
    let mut client = Client::open(server.address);
    let batch = [frame(TEXT, b"one"), frame(TEXT, b"two"), frame(0x89, b""), frame(0x8A, b"")].concat();
    client.write(&batch);
    client.expect_close(1000, "enough");
    // Nor does one of a later batch, and its ping is not answered (§5.5.1: nothing is sent after Close).
    client.write(&batch);
    client.send_close(1000, "");
    client.expect_end();
    server.expect_closed(&End::clean(1000, "", Cause::Local));
    assert_eq!(server.notes_so_far(), ["one"]);
}

#[test]
fn what_is_sent_after_a_close_is_gone() {
    // §5.5.1
    let server = serve(|server, log| {
        let on_close = log.clone();
        server
            .on_message(move |ws, message| {
                ws.send("before");
                ws.close(CloseCode::NORMAL, "");
                let id = ws.id();
                let sent = [ws.send(message), ws.push(id, "after"), ws.push(id, "after")];
                log.note(format!("{sent:?} {:?} {}", ws.broadcast("after"), ws.ping(b"").is_err()));
                // The first Close counts.
                ws.close(CloseCode::GOING_AWAY, "again");
            })
            .on_close(move |ws, close| {
                on_close.close(ws, close);
                on_close.note(format!("{:?}", ws.send("too late")));
            })
    });
    let mut client = Client::open(server.address);
    client.send_text("go");
    client.expect_text("before");
    client.expect_close(1000, "");
    client.send_close(1000, "");
    client.expect_end();
    assert_eq!(server.note(), "[Gone, Gone, Gone] BroadcastStatus { sent: 0, queued: 0, dropped: 0 } true");
    assert_eq!(server.note(), "Gone");
}

#[test]
fn an_id_of_an_ended_connection_never_finds_another_client() {
    let server = serve_with_state::<u32>(|server, log| {
        let known = Rc::new(RefCell::new(Vec::<ConnId>::new()));
        let on_open = (log, Rc::clone(&known));
        server
            .on_open(move |ws, _| {
                on_open.0.open(ws);
                on_open.1.borrow_mut().push(ws.id());
            })
            .on_message(move |ws, message| {
                let stale = known.borrow()[0];
                if ws.id() != stale {
                    assert_eq!(ws.push(stale, "not for you"), SendStatus::Gone);
                    assert_eq!(ws.push(stale, "not for you"), SendStatus::Gone);
                    assert_eq!(ws.all().state(stale), None);
                    assert_eq!(ws.all().buffered_amount(stale), 0);
                    ws.all().close(stale, CloseCode::NORMAL, "not for you");
                    ws.all().terminate(stale);
                    let own = ws.id();
                    assert_eq!(ws.all().ids().collect::<Vec<_>>(), [own]);
                }
                ws.send(message);
            })
    });
    // A client that closes its side leaves the table in the turn of its on_close: the next one has its place.
    for text in ["first", "second", "third"] {
        let mut client = Client::open(server.address);
        client.send_text(text);
        client.expect_text(text);
        client.half_close();
        client.expect_end();
        server.closed();
    }
}

#[test]
fn a_hook_can_close_and_terminate_others() {
    // §7.1.2
    let server = serve(|server, _| {
        server.on_message(|ws, message| {
            let own = ws.id();
            let others: Vec<ConnId> = ws.all().ids().filter(|id| *id != own).collect();
            for id in others {
                match message.as_text() {
                    Some("close") => ws.all().close(id, CloseCode(4001), "you too"),
                    _ => ws.all().terminate(id),
                }
            }
            ws.send(message);
        })
    });
    let mut boss = Client::open(server.address);
    let mut others = [Client::open(server.address), Client::open(server.address)];
    boss.send_text("close");
    boss.expect_text("close");
    for other in &mut others {
        other.expect_close(4001, "you too");
        other.send_close(4001, "");
        other.expect_end();
        server.expect_closed(&End::clean(4001, "", Cause::Local));
    }
    let mut other = Client::open(server.address);
    boss.send_text("terminate");
    boss.expect_text("terminate");
    other.expect_end();
    server.expect_closed(&End::unclean(1006, "", Cause::Local));
}

#[test]
fn a_hook_can_broadcast_in_on_close() {
    let server = serve_with_state::<String>(|server, log| {
        server.on_message(|ws, message| *ws.state_mut() = message.as_text().unwrap().to_owned()).on_close(
            move |ws, close| {
                log.close(ws, close);
                let line = format!("{} has left", ws.state());
                let status = ws.broadcast(&line);
                log.note(status.sent);
            },
        )
    });
    let mut clients: Vec<Client> = (0..3).map(|_| Client::open(server.address)).collect();
    let mut leaving = Client::open(server.address);
    leaving.send_text("ann");
    leaving.send_close(1000, "");
    assert_eq!(server.note(), "3", "all but the one that has left");
    for client in &mut clients {
        client.expect_text("ann has left");
    }
    drop(clients);
    for _ in 0..4 {
        server.closed();
    }
}

#[test]
fn one_end_can_lead_to_the_next() {
    // Each on_close ends the next connection, all in one turn.
    let server = serve(|server, log| {
        server.on_message(|ws, _| ws.terminate()).on_close(move |ws, close| {
            log.close(ws, close);
            let next = ws.all().ids().next();
            if let Some(next) = next {
                ws.all().terminate(next);
            }
            ws.terminate();
        })
    });
    let mut clients: Vec<Client> = (0..30).map(|_| Client::open(server.address)).collect();
    clients[0].send_text("go");
    for _ in 0..30 {
        server.expect_closed(&End::unclean(1006, "", Cause::Local));
    }
    for client in &mut clients {
        client.expect_end();
    }
}

#[test]
fn on_open_may_close_at_once() {
    // §7.1.2
    let server = serve(|server, log| {
        let on_message = log.clone();
        server
            .on_open(move |ws, request| {
                log.open(ws);
                match request.path() {
                    "/terminate" => ws.terminate(),
                    _ => ws.close(CloseCode::TRY_AGAIN_LATER, "not today"),
                }
            })
            .on_message(move |_, _| on_message.note("a message"))
    });
    let mut client = Client::connect(server.address);
    client.write(&[crate::common::REQUEST.as_bytes(), &frame(TEXT, b"hello?")].concat());
    client.expect_open();
    client.expect_close(1013, "not today");
    client.send_close(1013, "");
    client.expect_end();
    server.expect_closed(&End::clean(1013, "", Cause::Local));

    let mut client = Client::connect(server.address);
    client.write(crate::common::request("/terminate", "").as_bytes());
    server.expect_closed(&End::unclean(1006, "", Cause::Local));
    assert!(client.has_input_within(Duration::from_secs(5)), "it ends");
    assert!(server.notes_so_far().is_empty());
}

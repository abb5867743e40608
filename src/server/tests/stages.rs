//! Every way to send, to a connection in every stage: only an open connection gets bytes.

use super::{
    io::{Life, STAGES},
    *,
};
use crate::protocol::SendError;

/// A way to send: its name, its results for an open connection and for any other, and the bytes for an open
/// one.
type Way = (&'static str, fn(&mut World, &Client, ConnId) -> String, [&'static str; 2], &'static [u8]);

const WAYS: &[Way] = &[
    (
        "push",
        |world, speaker, id| by_hook(world, speaker, move |ws| format!("{:?}", ws.push(id, "x"))),
        ["Sent", "Gone"],
        b"\x81\x01x",
    ),
    (
        "push",
        |world, speaker, id| by_hook(world, speaker, move |ws| format!("{:?}", ws.push(id, b"x"))),
        ["Sent", "Gone"],
        b"\x82\x01x",
    ),
    (
        "send by all()",
        |world, speaker, id| by_hook(world, speaker, move |ws| format!("{:?}", ws.all().send(id, "x"))),
        ["Sent", "Gone"],
        b"\x81\x01x",
    ),
    (
        "fragments",
        |world, speaker, id| {
            by_hook(world, speaker, move |ws| format!("{:?}", ws.all().send_fragments(id, "xy", 1)))
        },
        ["Sent", "Gone"],
        b"\x01\x01x\x80\x01y",
    ),
    (
        "a ping",
        |world, speaker, id| by_hook(world, speaker, move |ws| format!("{:?}", ws.all().ping(id, b"?"))),
        ["Ok(())", "Err(CloseSent)"],
        b"\x89\x01?",
    ),
    (
        "a broadcast",
        |world, speaker, _| by_hook(world, speaker, |ws| format!("{:?}", ws.broadcast("x"))),
        [
            "BroadcastStatus { sent: 2, queued: 0, dropped: 0 }",
            "BroadcastStatus { sent: 1, queued: 0, dropped: 0 }",
        ],
        b"\x81\x01x",
    ),
    (
        "a long broadcast",
        |world, speaker, id| {
            by_hook(world, speaker, move |ws| {
                let mut is_asked = false;
                ws.broadcast_if(b"", |(), it, ()| {
                    is_asked |= it == id;
                    it == id
                });
                is_asked.to_string()
            })
        },
        ["true", "false"],
        b"\x82\x00",
    ),
    (
        "a handle's send",
        |world, _, id| command_result(world, |handle| handle.send(id, "x").is_ok()),
        ["true"; 2],
        b"\x81\x01x",
    ),
    (
        "a handle's broadcast",
        |world, _, _| command_result(world, |handle| handle.broadcast("x").is_ok()),
        ["true"; 2],
        b"\x81\x01x",
    ),
    (
        "a handle's close",
        |world, _, id| command_result(world, |handle| handle.close(id, CloseCode::NORMAL, "").is_ok()),
        ["true"; 2],
        b"\x88\x02\x03\xe8",
    ),
    (
        "all().close",
        |world, speaker, id| {
            by_hook(world, speaker, move |ws| {
                ws.all().close(id, CloseCode(4000), "");
                String::new()
            })
        },
        [""; 2],
        b"\x88\x02\x0f\xa0",
    ),
    (
        "a timer",
        |world, speaker, id| {
            let said = Rc::new(RefCell::new(String::new()));
            let it = Rc::clone(&said);
            by_hook(world, speaker, move |ws| {
                let it = Rc::clone(&it);
                ws.all()
                    .after(Duration::ZERO, move |all| *it.borrow_mut() = format!("{:?}", all.send(id, "x")));
                String::new()
            });
            world.advance(1);
            said.take()
        },
        ["Sent", "Gone"],
        b"\x81\x01x",
    ),
];

/// Runs `action` in a hook of the speaker, and returns its result.
fn by_hook(
    world: &mut World,
    speaker: &Client,
    action: impl Fn(&mut WebSocket<'_>) -> String + 'static,
) -> String {
    let said = Rc::new(RefCell::new(String::new()));
    let it = Rc::clone(&said);
    world.on_message(move |ws, _| *it.borrow_mut() = action(ws));
    world.send(speaker, &frame(0x81, b"go"));
    world.recorder.on_message.take();
    said.take()
}

fn command_result(world: &mut World, action: impl Fn(&Handle) -> bool) -> String {
    let is_taken = action(&world.handle);
    world.wake();
    is_taken.to_string()
}

/// Returns the stages of a connection.
fn stages() -> impl Iterator<Item = Life> {
    const MORE: [Life; 2] = [
        (
            "refused",
            |world| {
                let client = world.connect();
                client.script.set_full(true);
                world.send(&client, b"GET / HTTP/1.0\r\n\r\n");
                client
            },
            false,
        ),
        (
            "gone",
            |world| {
                let client = world.open();
                world.reset(&client);
                client
            },
            false,
        ),
    ];
    let known = STAGES
        .iter()
        .map(|(name, prepare, _)| (*name, *prepare, matches!(*name, "open" | "in the middle of a message")));
    known.chain(MORE)
}

#[test]
fn every_way_to_send_reaches_open_connections_only() {
    for (way, send, said, sent) in WAYS {
        for (stage, prepare, is_open) in stages() {
            let mut world = World::new(|config| config.ping_interval = None);
            let speaker = world.open();
            let client = prepare(&mut world);
            world.recorder.on_message.take();
            let id = world.last_id();
            client.script.take_written();
            let is_full = matches!(stage, "finishing" | "refused");
            let answer = send(&mut world, &speaker, id);
            assert_eq!(answer, said[usize::from(!is_open)], "{way}, {stage}");
            let expected = if is_open { *sent } else { b"" };
            assert_eq!(client.script.take_written(), expected, "{way}, {stage}");
            // No bytes wait for a later turn.
            match stage {
                "connecting" => world.send(&client, REQUEST),
                "in the middle of the head" => world.send(&client, &REQUEST[40..]),
                _ => {}
            }
            let later = if client.script.is_dropped() { Vec::new() } else { world.read_all(&client) };
            match stage {
                "connecting" | "in the middle of the head" => assert_eq!(later, ANSWER, "{way}, {stage}"),
                "refused" => assert!(later.starts_with(b"HTTP/1.1 5") && !later.ends_with(sent), "{way}"),
                "finishing" => assert_eq!(later, b"\x88\x02\x03\xe8", "{way}, {stage}"),
                _ => assert_eq!(later, b"", "{way}, {stage}"),
            }
            assert!(is_full || client.script.is_dropped() || !client.script.has_refused(), "{way}, {stage}");
            world.finish();
        }
    }
}

#[test]
fn messages_to_a_full_socket_wait_and_arrive_in_order() {
    let mut world = World::new(|config| config.ping_interval = None);
    let speaker = world.open();
    let client = world.open();
    let id = world.last_id();
    client.script.set_full(true);
    world.send(&client, &frame(0x81, b"first"));
    let mut expected = server_text(b"first");
    for (way, send, _, sent) in WAYS.iter().filter(|(way, ..)| !way.contains("close")) {
        let answer = send(&mut world, &speaker, id);
        assert!(!answer.contains("Sent") && !answer.contains("Dropped"), "{way}: {answer}");
        expected.extend(*sent);
    }
    assert_eq!(client.script.take_written(), b"");
    assert_eq!(world.read_all(&client), expected);
    world.finish();
}

#[test]
fn nothing_leaves_for_a_connection_a_hook_has_just_ended() {
    for is_close in [true, false] {
        let mut world = World::new(|_| {});
        let speaker = world.open();
        let client = world.open();
        let id = world.last_id();
        let said = by_hook(&mut world, &speaker, move |ws| {
            if is_close {
                ws.all().close(id, CloseCode::NORMAL, "")
            } else {
                ws.all().terminate(id)
            }
            assert_eq!(ws.all().ping(id, b"?"), Err(SendError::CloseSent));
            assert!(ws.all().ids().all(|it| it != id), "it is not open any more");
            let sent = [ws.push(id, "x"), ws.push(id, "x"), ws.all().send_fragments(id, "x", 1)];
            format!("{sent:?} {}", ws.broadcast("x").sent)
        });
        assert_eq!(said, "[Gone, Gone, Gone] 1");
        let expected: &[u8] = if is_close { b"\x88\x02\x03\xe8" } else { b"" };
        assert_eq!(client.script.take_written(), expected);
        world.finish();
    }
}

#[test]
fn only_open_connections_are_among_the_ids() {
    for (stage, prepare, is_open) in stages() {
        let mut world = World::new(|_| {});
        let speaker = world.open();
        prepare(&mut world);
        let id = world.last_id();
        let said = by_hook(&mut world, &speaker, move |ws| ws.all().ids().any(|it| it == id).to_string());
        assert_eq!(said, is_open.to_string(), "{stage}");
        world.finish();
    }
}

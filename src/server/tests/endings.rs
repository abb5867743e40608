//! Every way to end, and what `on_close` is told of it: code, reason, cause, and whether it was clean.

use super::*;
use crate::{Backpressure, protocol::ProtocolError};

/// A way to end for the client that has opened first.
struct Way {
    name: &'static str,
    config: fn(&mut Config),
    act: fn(&mut World, &Client),
    code: u16,
    reason: &'static str,
    cause: Cause,
    clean: bool,
}

const fn way(
    name: &'static str,
    act: fn(&mut World, &Client),
    code: u16,
    reason: &'static str,
    cause: Cause,
    clean: bool,
) -> Way {
    Way { name, config: |_| {}, act, code, reason, cause, clean }
}

impl Way {
    const fn with(mut self, config: fn(&mut Config)) -> Self {
        self.config = config;
        self
    }
}

/// The hook begins the closing handshake.
fn close(world: &mut World, client: &Client) {
    world.on_message(|ws, _| ws.close(CloseCode::NORMAL, "ours"));
    world.sends(client, &frame(0x81, b"close"));
    world.recorder.0.action.take();
}

fn fill(world: &mut World, client: &Client) {
    client.script.set_full(true);
    world.sends(client, &frame(0x81, b"waits"));
}

/// Another client's hook does something to the first connection.
fn by_another(world: &mut World, deed: impl Fn(&mut WebSocket<'_>, ConnId) + 'static) {
    let id = world.last_id();
    let other = world.open();
    world.on_message(move |ws, _| deed(ws, id));
    world.sends(&other, &frame(0x81, b"go"));
    world.recorder.0.action.take();
}

/// A panic of one of the hooks.
fn panic_in(world: &World, hook: &'static str) {
    world.recorder.0.panics_in.set(Some(hook));
}

/// Another client makes the server hold more than it may, less than this one does.
fn overload(world: &mut World) {
    let other = world.open();
    world.sends(&other, &frame(0x02, &[1; 60]));
}

const NORMAL: u16 = 1000;
const EOF: Cause = Cause::Transport(ErrorKind::UnexpectedEof);
const RESET: Cause = Cause::Transport(ErrorKind::ConnectionReset);
const FAILED: &str = "the application has failed";
const OVERLOADED: &str = "the server is overloaded";

const WAYS: &[Way] = &[
    way(
        "the peer closes",
        |world, client| world.sends(client, &frame(0x88, b"\x03\xe8bye")),
        NORMAL,
        "bye",
        Cause::Peer,
        true,
    ),
    way(
        "the peer closes without a code",
        |world, client| world.sends(client, &frame(0x88, b"")),
        1005,
        "",
        Cause::Peer,
        true,
    ),
    way(
        "the peer closes, and TCP at once",
        |world, client| {
            client.script.will_read(&frame(0x88, b"\x03\xe8"));
            world.half_closes(client);
        },
        NORMAL,
        "",
        Cause::Peer,
        true,
    ),
    way(
        "the peer closes and resets",
        |world, client| {
            world.sends(client, &frame(0x88, b"\x03\xe8"));
            world.resets(client);
        },
        NORMAL,
        "",
        Cause::Peer,
        true,
    ),
    way(
        "the peer closes and never takes our answer",
        |world, client| {
            fill(world, client);
            world.sends(client, &frame(0x88, b"\x03\xe8"));
            world.pass(5000);
        },
        NORMAL,
        "",
        Cause::Peer,
        false,
    ),
    way(
        "ours is answered",
        |world, client| {
            close(world, client);
            world.sends(client, &frame(0x88, b"\x0f\x9fagreed"));
        },
        3999,
        "agreed",
        Cause::Local,
        true,
    ),
    way(
        "ours is answered by the end of TCP",
        |world, client| {
            close(world, client);
            world.half_closes(client);
        },
        1006,
        "",
        Cause::Local,
        false,
    ),
    way(
        "ours is answered by a reset",
        |world, client| {
            close(world, client);
            world.resets(client);
        },
        1006,
        "",
        Cause::Local,
        false,
    ),
    way(
        "ours is never answered",
        |world, client| {
            close(world, client);
            world.pass(5000);
        },
        1006,
        "",
        Cause::Local,
        false,
    ),
    way(
        "ours can't be written",
        |world, client| {
            fill(world, client);
            by_another(world, |ws, id| ws.all().close(id, CloseCode::NORMAL, ""));
            client.script.write_will_fail(ErrorKind::BrokenPipe);
            world.writable(client);
        },
        1006,
        "",
        Cause::Local,
        false,
    ),
    way(
        "ours is answered by a broken rule",
        |world, client| {
            close(world, client);
            world.sends(client, &frame(0x83, b""));
        },
        1002,
        "§5.2: opcode 0x3 is reserved",
        Cause::Protocol(ProtocolError::ReservedOpCode(3)),
        false,
    ),
    way(
        "another's hook closes",
        |world, client| {
            by_another(world, |ws, id| ws.all().close(id, CloseCode(4001), "you"));
            world.sends(client, &frame(0x88, b"\x0f\xa1"));
        },
        4001,
        "",
        Cause::Local,
        true,
    ),
    way(
        "a handle closes",
        |world, client| {
            world.handle.close(world.last_id(), CloseCode::NORMAL, "").unwrap();
            world.wake();
            world.sends(client, &frame(0x88, b"\x03\xe8"));
        },
        NORMAL,
        "",
        Cause::Local,
        true,
    ),
    way(
        "its hook terminates",
        |world, client| {
            world.on_message(|ws, _| ws.terminate());
            world.sends(client, &frame(0x81, b"x"));
        },
        1006,
        "",
        Cause::Local,
        false,
    ),
    way(
        "another's hook terminates",
        |world, _| by_another(world, |ws, id| ws.all().terminate(id)),
        1006,
        "",
        Cause::Local,
        false,
    ),
    way(
        "a handle terminates",
        |world, _| {
            world.handle.terminate(world.last_id()).unwrap();
            world.wake();
        },
        1006,
        "",
        Cause::Local,
        false,
    ),
    way(
        "a timer terminates",
        |world, _| {
            by_another(world, |ws, id| {
                ws.all().after(Duration::from_millis(5), move |all| all.terminate(id));
            });
            world.pass(5);
        },
        1006,
        "",
        Cause::Local,
        false,
    ),
    way("the end of TCP", |world, client| world.half_closes(client), 1006, "", EOF, false),
    way(
        "the end of TCP while bytes wait",
        |world, client| {
            fill(world, client);
            world.half_closes(client);
            world.pass(5000);
        },
        1006,
        "",
        EOF,
        false,
    ),
    way("a reset", |world, client| world.resets(client), 1006, "", RESET, false),
    way(
        "a write that fails",
        |world, client| {
            client.script.write_will_fail(ErrorKind::BrokenPipe);
            world.sends(client, &frame(0x81, b"x"));
        },
        1006,
        "",
        Cause::Transport(ErrorKind::BrokenPipe),
        false,
    ),
    way(
        "a write to it by another that fails",
        |world, client| {
            client.script.write_will_fail(ErrorKind::BrokenPipe);
            by_another(world, |ws, id| {
                ws.push(id, "x");
            });
        },
        1006,
        "",
        Cause::Transport(ErrorKind::BrokenPipe),
        false,
    ),
    way(
        "a broken rule",
        |world, client| world.sends(client, b"\x81\x00"),
        1002,
        "§5.1: a client must mask its frames",
        Cause::Protocol(ProtocolError::UnmaskedFrame),
        false,
    ),
    way(
        "a text that is none",
        |world, client| world.sends(client, &frame(0x81, b"\xff")),
        1007,
        "§8.1: text is not UTF-8",
        Cause::Protocol(ProtocolError::TextNotUtf8),
        false,
    ),
    way(
        "a message that is too long",
        |world, client| world.sends(client, &frame(0x82, &[0; 5])),
        1009,
        "§10.4: message over the size limit",
        Cause::Protocol(ProtocolError::MessageTooBig),
        false,
    )
    .with(|config| config.limits.max_message_size = 4),
    way(
        "no answer to a ping",
        |world, _| {
            world.pass(20_000);
            world.pass(20_000);
        },
        1011,
        "no answer to a ping",
        Cause::Timeout,
        false,
    ),
    way(
        "too slow for others",
        |world, client| {
            fill(world, client);
            by_another(world, |ws, id| while ws.push(id, "more") != crate::SendStatus::Dropped {});
        },
        1008,
        "too slow to receive",
        Cause::Backpressure,
        false,
    )
    .with(|config| (config.max_backpressure, config.backpressure) = (100, Backpressure::Close)),
    way(
        "too much is held",
        |world, client| {
            world.sends(client, &frame(0x02, &[1; 90]));
            overload(world);
        },
        1013,
        OVERLOADED,
        Cause::Overload,
        false,
    )
    .with(|config| config.max_buffered_bytes = 100),
    way(
        "too much is held for one that doesn't read",
        |world, client| {
            client.script.set_full(true);
            world.sends(client, &frame(0x82, &[1; 90]));
            overload(world);
        },
        1013,
        "",
        Cause::Overload,
        false,
    )
    .with(|config| config.max_buffered_bytes = 100),
    way(
        "too much is held, and ours was sent",
        |world, client| {
            world.sends(client, &frame(0x02, &[1; 90]));
            by_another(world, |ws, id| ws.all().close(id, CloseCode::NORMAL, ""));
            overload(world);
        },
        1013,
        OVERLOADED,
        Cause::Overload,
        false,
    )
    .with(|config| config.max_buffered_bytes = 100),
    way(
        "a panic of on_message",
        |world, client| {
            panic_in(world, "on_message");
            world.sends(client, &frame(0x81, b"x"));
        },
        1011,
        FAILED,
        Cause::Panic,
        false,
    ),
    way(
        "a panic after ours",
        |world, client| {
            world.on_message(|ws, _| {
                ws.close(CloseCode::NORMAL, "");
                panic!("after its close");
            });
            world.sends(client, &frame(0x81, b"x"));
        },
        1011,
        FAILED,
        Cause::Panic,
        false,
    ),
    way(
        "a panic of on_ping",
        |world, client| {
            panic_in(world, "on_ping");
            world.sends(client, &frame(0x89, b"x"));
        },
        1011,
        FAILED,
        Cause::Panic,
        false,
    ),
    way(
        "a panic of on_drain",
        |world, client| {
            fill(world, client);
            panic_in(world, "on_drain");
            world.takes_all(client);
        },
        1011,
        FAILED,
        Cause::Panic,
        false,
    ),
    way(
        "a panic of on_close",
        |world, client| {
            panic_in(world, "on_close");
            world.resets(client);
        },
        1006,
        "",
        RESET,
        false,
    ),
    way(
        "a shutdown",
        |world, client| {
            world.handle.shutdown();
            world.wake();
            world.sends(client, &frame(0x88, b"\x03\xe9"));
        },
        1001,
        "",
        Cause::Local,
        true,
    ),
    way(
        "a shutdown that is answered by the end of TCP",
        |world, client| {
            world.handle.shutdown();
            world.wake();
            world.half_closes(client);
        },
        1006,
        "",
        Cause::Local,
        false,
    ),
    way(
        "a shutdown that is not answered",
        |world, _| {
            world.handle.shutdown();
            world.wake();
            world.pass(5000);
        },
        1006,
        "",
        Cause::Local,
        false,
    ),
    way(
        "a shutdown's deadline, before it was told",
        |world, _| {
            world.open();
            world.handle.shutdown_within(Duration::from_millis(7));
            world.wake();
            world.pass(7);
        },
        1006,
        "",
        Cause::Local,
        false,
    )
    .with(|config| config.shutdown_spread = Duration::from_secs(9)),
];

#[test]
fn on_close_is_told_once_how_the_connection_has_ended() {
    for way in WAYS {
        let mut world = World::new(way.config);
        let client = world.open();
        let id = world.last_id();
        (way.act)(&mut world, &client);
        let closed = world.recorder.0.closed.borrow().clone();
        let own: Vec<usize> = (0..closed.len()).filter(|at| closed[*at].0 == id).collect();
        assert_eq!(own.len(), 1, "{}: told once", way.name);
        let (_, code, cause, clean) = closed[own[0]];
        assert_eq!((code.0, cause, clean), (way.code, way.cause, way.clean), "{}", way.name);
        assert_eq!(world.recorder.0.reasons.borrow()[own[0]], way.reason, "{}", way.name);
        world.finish();
    }
}

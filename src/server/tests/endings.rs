//! All endings of a connection, and the arguments of its `on_close`: code, reason, cause, and whether it was
//! clean.

use super::*;
use crate::{Backpressure, protocol::ProtocolError};

/// One ending of the first client's connection.
struct EndingCase {
    name: &'static str,
    config: fn(&mut Config),
    act: fn(&mut World, &Client),
    code: u16,
    reason: &'static str,
    cause: Cause,
    clean: bool,
}

/// Returns an ending that is not clean and has no reason.
const fn ending(name: &'static str, act: fn(&mut World, &Client), code: u16, cause: Cause) -> EndingCase {
    EndingCase { name, config: |_| {}, act, code, reason: "", cause, clean: false }
}

impl EndingCase {
    const fn reason(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }

    const fn clean(mut self) -> Self {
        self.clean = true;
        self
    }

    const fn with(mut self, config: fn(&mut Config)) -> Self {
        self.config = config;
        self
    }
}

/// Begins the closing handshake in a hook.
fn close(world: &mut World, client: &Client) {
    world.on_message(|ws, _| ws.close(CloseCode::NORMAL, "ours"));
    world.send(client, &frame(0x81, b"close"));
    world.recorder.on_message.take();
}

fn fill(world: &mut World, client: &Client) {
    client.script.set_full(true);
    world.send(client, &frame(0x81, b"waits"));
}

/// Runs `action` for the first connection in another client's hook.
fn by_another(world: &mut World, action: impl Fn(&mut WebSocket<'_>, ConnId) + 'static) {
    let id = world.last_id();
    let other = world.open();
    world.on_message(move |ws, _| action(ws, id));
    world.send(&other, &frame(0x81, b"go"));
    world.recorder.on_message.take();
}

/// Makes one of the hooks panic.
fn panic_in(world: &World, hook: &'static str) {
    world.recorder.panics_in.set(Some(hook));
}

/// Sends bytes of another client until the server holds more than it may. This client holds more than that
/// one.
fn overload(world: &mut World) {
    let other = world.open();
    world.send(&other, &frame(0x02, &[1; 60]));
}

const NORMAL: u16 = 1000;
const EOF: Cause = Cause::Transport(ErrorKind::UnexpectedEof);
const RESET: Cause = Cause::Transport(ErrorKind::ConnectionReset);
const FAILED: &str = "the application has failed";
const OVERLOADED: &str = "the server is overloaded";

const ENDINGS: &[EndingCase] = &[
    ending(
        "the peer closes",
        |world, client| world.send(client, &frame(0x88, b"\x03\xe8bye")),
        NORMAL,
        Cause::Peer,
    )
    .reason("bye")
    .clean(),
    ending(
        "the peer closes without a code",
        |world, client| world.send(client, &frame(0x88, b"")),
        1005,
        Cause::Peer,
    )
    .clean(),
    ending(
        "the peer closes, and TCP at once",
        |world, client| {
            client.script.will_read(&frame(0x88, b"\x03\xe8"));
            world.half_close(client);
        },
        NORMAL,
        Cause::Peer,
    )
    .clean(),
    ending(
        "the peer closes and resets",
        |world, client| {
            world.send(client, &frame(0x88, b"\x03\xe8"));
            world.reset(client);
        },
        NORMAL,
        Cause::Peer,
    )
    .clean(),
    ending(
        "the peer closes and never takes our answer",
        |world, client| {
            fill(world, client);
            world.send(client, &frame(0x88, b"\x03\xe8"));
            world.advance(5000);
        },
        NORMAL,
        Cause::Peer,
    ),
    ending(
        "ours is answered",
        |world, client| {
            close(world, client);
            world.send(client, &frame(0x88, b"\x0f\x9fagreed"));
        },
        3999,
        Cause::Local,
    )
    .reason("agreed")
    .clean(),
    ending(
        "ours is answered by the end of TCP",
        |world, client| {
            close(world, client);
            world.half_close(client);
        },
        1006,
        Cause::Local,
    ),
    ending(
        "ours is answered by a reset",
        |world, client| {
            close(world, client);
            world.reset(client);
        },
        1006,
        Cause::Local,
    ),
    ending(
        "ours is never answered",
        |world, client| {
            close(world, client);
            world.advance(5000);
        },
        1006,
        Cause::Local,
    ),
    ending(
        "ours can't be written",
        |world, client| {
            fill(world, client);
            by_another(world, |ws, id| ws.all().close(id, CloseCode::NORMAL, ""));
            client.script.write_will_fail(ErrorKind::BrokenPipe);
            world.writable(client);
        },
        1006,
        Cause::Local,
    ),
    ending(
        "ours is answered by a broken rule",
        |world, client| {
            close(world, client);
            world.send(client, &frame(0x83, b""));
        },
        1002,
        Cause::Protocol(ProtocolError::ReservedOpCode(3)),
    )
    .reason("§5.2: opcode 0x3 is reserved"),
    ending(
        "another's hook closes",
        |world, client| {
            by_another(world, |ws, id| ws.all().close(id, CloseCode(4001), "you"));
            world.send(client, &frame(0x88, b"\x0f\xa1"));
        },
        4001,
        Cause::Local,
    )
    .clean(),
    ending(
        "a handle closes",
        |world, client| {
            world.handle.close(world.last_id(), CloseCode::NORMAL, "").unwrap();
            world.wake();
            world.send(client, &frame(0x88, b"\x03\xe8"));
        },
        NORMAL,
        Cause::Local,
    )
    .clean(),
    ending(
        "its hook terminates",
        |world, client| {
            world.on_message(|ws, _| ws.terminate());
            world.send(client, &frame(0x81, b"x"));
        },
        1006,
        Cause::Local,
    ),
    ending(
        "another's hook terminates",
        |world, _| by_another(world, |ws, id| ws.all().terminate(id)),
        1006,
        Cause::Local,
    ),
    ending(
        "a handle terminates",
        |world, _| {
            world.handle.terminate(world.last_id()).unwrap();
            world.wake();
        },
        1006,
        Cause::Local,
    ),
    ending(
        "a timer terminates",
        |world, _| {
            by_another(world, |ws, id| {
                ws.all().after(Duration::from_millis(5), move |all| all.terminate(id));
            });
            world.advance(5);
        },
        1006,
        Cause::Local,
    ),
    ending("the end of TCP", |world, client| world.half_close(client), 1006, EOF),
    ending(
        "the end of TCP while bytes wait",
        |world, client| {
            fill(world, client);
            world.half_close(client);
            world.advance(5000);
        },
        1006,
        EOF,
    ),
    ending("a reset", |world, client| world.reset(client), 1006, RESET),
    ending(
        "a write that fails",
        |world, client| {
            client.script.write_will_fail(ErrorKind::BrokenPipe);
            world.send(client, &frame(0x81, b"x"));
        },
        1006,
        Cause::Transport(ErrorKind::BrokenPipe),
    ),
    ending(
        "a write to it by another that fails",
        |world, client| {
            client.script.write_will_fail(ErrorKind::BrokenPipe);
            by_another(world, |ws, id| {
                ws.push(id, "x");
            });
        },
        1006,
        Cause::Transport(ErrorKind::BrokenPipe),
    ),
    ending(
        "a broken rule",
        |world, client| world.send(client, b"\x81\x00"),
        1002,
        Cause::Protocol(ProtocolError::UnmaskedFrame),
    )
    .reason("§5.1: a client must mask its frames"),
    ending(
        "a text that is none",
        |world, client| world.send(client, &frame(0x81, b"\xff")),
        1007,
        Cause::Protocol(ProtocolError::TextNotUtf8),
    )
    .reason("§8.1: text is not UTF-8"),
    ending(
        "a message that is too long",
        |world, client| world.send(client, &frame(0x82, &[0; 5])),
        1009,
        Cause::Protocol(ProtocolError::MessageTooBig),
    )
    .reason("§10.4: message over the size limit")
    .with(|config| config.limits.max_message_size = 4),
    ending(
        "no answer to a ping",
        |world, _| {
            world.advance(20_000);
            world.advance(20_000);
        },
        1011,
        Cause::Timeout,
    )
    .reason("no answer to a ping"),
    ending(
        "too slow for others",
        |world, client| {
            fill(world, client);
            by_another(world, |ws, id| while ws.push(id, "more") != crate::SendStatus::Dropped {});
        },
        1008,
        Cause::Backpressure,
    )
    .reason("too slow to receive")
    .with(|config| (config.max_backpressure, config.backpressure) = (100, Backpressure::Close)),
    ending(
        "too much is held",
        |world, client| {
            world.send(client, &frame(0x02, &[1; 90]));
            overload(world);
        },
        1013,
        Cause::Overload,
    )
    .reason(OVERLOADED)
    .with(|config| config.max_buffered_bytes = 100),
    ending(
        "too much is held for one that doesn't read",
        |world, client| {
            client.script.set_full(true);
            world.send(client, &frame(0x82, &[1; 90]));
            overload(world);
        },
        1013,
        Cause::Overload,
    )
    .with(|config| config.max_buffered_bytes = 100),
    ending(
        "too much is held, and ours was sent",
        |world, client| {
            world.send(client, &frame(0x02, &[1; 90]));
            by_another(world, |ws, id| ws.all().close(id, CloseCode::NORMAL, ""));
            overload(world);
        },
        1013,
        Cause::Overload,
    )
    .reason(OVERLOADED)
    .with(|config| config.max_buffered_bytes = 100),
    ending(
        "a panic of on_message",
        |world, client| {
            panic_in(world, "on_message");
            world.send(client, &frame(0x81, b"x"));
        },
        1011,
        Cause::Panic,
    )
    .reason(FAILED),
    ending(
        "a panic after ours",
        |world, client| {
            world.on_message(|ws, _| {
                ws.close(CloseCode::NORMAL, "");
                panic!("after its close");
            });
            world.send(client, &frame(0x81, b"x"));
        },
        1011,
        Cause::Panic,
    )
    .reason(FAILED),
    ending(
        "a panic of on_ping",
        |world, client| {
            panic_in(world, "on_ping");
            world.send(client, &frame(0x89, b"x"));
        },
        1011,
        Cause::Panic,
    )
    .reason(FAILED),
    ending(
        "a panic of on_drain",
        |world, client| {
            fill(world, client);
            panic_in(world, "on_drain");
            world.read_all(client);
        },
        1011,
        Cause::Panic,
    )
    .reason(FAILED),
    ending(
        "a panic of on_close",
        |world, client| {
            panic_in(world, "on_close");
            world.reset(client);
        },
        1006,
        RESET,
    ),
    ending(
        "a shutdown",
        |world, client| {
            world.handle.shutdown();
            world.wake();
            world.send(client, &frame(0x88, b"\x03\xe9"));
        },
        1001,
        Cause::Local,
    )
    .clean(),
    ending(
        "a shutdown that is answered by the end of TCP",
        |world, client| {
            world.handle.shutdown();
            world.wake();
            world.half_close(client);
        },
        1006,
        Cause::Local,
    ),
    ending(
        "a shutdown that is not answered",
        |world, _| {
            world.handle.shutdown();
            world.wake();
            world.advance(5000);
        },
        1006,
        Cause::Local,
    ),
    ending(
        "a shutdown's deadline, before its Close",
        |world, _| {
            world.open();
            world.handle.shutdown_within(Duration::from_millis(7));
            world.wake();
            world.advance(7);
        },
        1006,
        Cause::Local,
    )
    .with(|config| config.shutdown_spread = Duration::from_secs(9)),
];

#[test]
fn on_close_is_called_once_with_the_ending() {
    for ending in ENDINGS {
        let mut world = World::new(ending.config);
        let client = world.open();
        let id = world.last_id();
        (ending.act)(&mut world, &client);
        let closed = world.recorder.closed.borrow().clone();
        let own: Vec<usize> = (0..closed.len()).filter(|at| closed[*at].0 == id).collect();
        assert_eq!(own.len(), 1, "{}: called once", ending.name);
        let (_, code, cause, clean) = closed[own[0]];
        assert_eq!((code.0, cause, clean), (ending.code, ending.cause, ending.clean), "{}", ending.name);
        assert_eq!(world.recorder.reasons.borrow()[own[0]], ending.reason, "{}", ending.name);
        world.finish();
    }
}

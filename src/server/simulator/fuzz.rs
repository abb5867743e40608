//! Invariant: whatever a client's socket does, the client gets each echo once, whole and in order. `on_close`
//! is called once, and then no memory is held. Every input is a script of reads, short writes, stalls, errors
//! and steps of the clock.

use std::{collections::VecDeque, io::ErrorKind};

use super::{Client, World, frame, server_frame};
use crate::Cause;

/// The most steps of a script, so that an execution is short.
const MAX_STEPS: usize = 200;

/// One step of a script: bytes of the client, or an event of its socket.
#[derive(Clone, Copy, Debug)]
enum ScriptStep {
    /// The client has a message of this length to send,
    Message(usize),
    /// … one in two fragments, with a ping between,
    Fragments(usize),
    /// … a ping,
    Ping,
    /// … a Close,
    Close,
    /// … or a frame that begins with this byte, allowed or not.
    Frame(u8),
    /// This many of its bytes arrive.
    Arrive(usize),
    /// Its socket has room for this many bytes.
    Room(usize),
    /// Its socket has no room, or has room again.
    Full(bool),
    /// A call is interrupted, or would block.
    Disturb(u8),
    /// This many milliseconds pass.
    Advance(u64),
    /// It closes its side.
    HalfClose,
    Reset,
    /// The next read, or the next write, fails.
    Fail(u8),
}

/// Returns the step that two bytes encode: its kind, and an amount.
fn step(what: u8, much: u8) -> ScriptStep {
    match what % 16 {
        0 => ScriptStep::Message(much.into()),
        1 => ScriptStep::Message(usize::from(much) * 64),
        2 => ScriptStep::Fragments(much.into()),
        3 => ScriptStep::Ping,
        4 => ScriptStep::Frame(much),
        5 => ScriptStep::Close,
        6 | 7 => ScriptStep::Arrive(much.into()),
        8 => ScriptStep::Arrive(usize::from(much) * 64),
        9 | 10 => ScriptStep::Room(much.into()),
        11 => ScriptStep::Full(much.is_multiple_of(2)),
        12 => ScriptStep::Disturb(much),
        13 => ScriptStep::Advance(u64::from(much) * 100),
        14 => ScriptStep::Fail(much),
        _ if much.is_multiple_of(2) => ScriptStep::HalfClose,
        _ => ScriptStep::Reset,
    }
}

/// The client, the bytes that it has to send, and the answers that it is owed.
struct Scenario {
    world: World,
    client: Client,
    /// The bytes that it has not sent yet.
    to_send: Vec<u8>,
    /// The echoes that it has not received yet.
    echoes: VecDeque<Vec<u8>>,
    /// The pongs that it may still receive. A slow peer's pong waits, and §5.5.3 lets it replace those before
    /// it.
    pongs: VecDeque<Vec<u8>>,
    /// An incomplete frame.
    partial: Vec<u8>,
    /// Makes every payload different from those before it.
    count: u8,
    /// Whether the connection may end, or has ended, before all bytes are sent.
    may_end: bool,
    /// Whether the server's Close has arrived.
    is_over: bool,
}

/// Runs a script: pairs of bytes, each a [`ScriptStep`].
pub(crate) fn body(script: &[u8]) {
    let mut world = World::new(|config| config.max_backpressure = 1000);
    let client = world.open();
    let mut scenario = Scenario {
        world,
        client,
        to_send: Vec::new(),
        echoes: VecDeque::new(),
        pongs: VecDeque::new(),
        partial: Vec::new(),
        count: 0,
        may_end: false,
        is_over: false,
    };
    for pair in script.chunks_exact(2).take(MAX_STEPS) {
        if scenario.client.script.is_dropped() {
            break;
        }
        scenario.run(step(pair[0], pair[1]));
        scenario.check_output();
        scenario.world.check();
    }
    scenario.finish();
}

impl Scenario {
    fn run(&mut self, step: ScriptStep) {
        let (script, client) = (self.client.script.clone(), self.client.clone());
        match step {
            ScriptStep::Message(len) => self.send(len, |payload| frame(0x82, payload)),
            ScriptStep::Fragments(len) => {
                let ping = self.ping();
                self.send(len, |payload| {
                    let (first, second) = payload.split_at(payload.len() / 2);
                    [frame(0x02, first), ping, frame(0x80, second)].concat()
                });
            }
            ScriptStep::Ping => {
                let ping = self.ping();
                self.to_send.extend(ping);
            }
            ScriptStep::Close => {
                self.may_end = true;
                self.to_send.extend(frame(0x88, &[3, 232]));
            }
            ScriptStep::Frame(first) => {
                self.may_end = true;
                self.to_send.extend(frame(first, b"?"));
            }
            ScriptStep::Arrive(len) => {
                let arrived: Vec<u8> = self.to_send.drain(..len.min(self.to_send.len())).collect();
                if !arrived.is_empty() {
                    script.will_read(&arrived);
                }
                self.world.readable(&client);
            }
            ScriptStep::Room(len) => {
                // A write of 0 bytes would be no room.
                script.will_take(len.max(1));
                self.world.writable(&client);
            }
            ScriptStep::Full(is_full) => {
                script.set_full(is_full);
                self.world.readable_and_writable(&client);
            }
            ScriptStep::Disturb(how) => {
                match how % 4 {
                    0 => script.read_will_fail(ErrorKind::Interrupted),
                    1 => script.read_will_fail(ErrorKind::WouldBlock),
                    2 => script.write_will_fail(ErrorKind::Interrupted),
                    _ => script.write_will_fail(ErrorKind::WouldBlock),
                }
                self.world.readable_and_writable(&client);
            }
            ScriptStep::Advance(millis) => self.world.advance(millis),
            ScriptStep::HalfClose => {
                self.may_end = true;
                self.world.half_close(&client);
            }
            ScriptStep::Reset => {
                self.may_end = true;
                self.world.reset(&client);
            }
            ScriptStep::Fail(how) => {
                self.may_end = true;
                let error = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe][usize::from(how / 2 % 2)];
                if how % 2 == 0 {
                    script.read_will_fail(error)
                } else {
                    script.write_will_fail(error)
                }
                self.world.readable_and_writable(&client);
            }
        }
    }

    /// Adds a message that differs from all others, and its echo to what the client is owed.
    fn send(&mut self, len: usize, frames: impl FnOnce(&[u8]) -> Vec<u8>) {
        self.count = self.count.wrapping_add(1);
        let payload: Vec<u8> = (0..len).map(|i| self.count.wrapping_add(i as u8)).collect();
        self.to_send.extend(frames(&payload));
        // Messages after a Close or a broken rule are not owed an echo.
        if !self.may_end {
            self.echoes.push_back(server_frame(0x82, &payload));
        }
    }

    fn ping(&mut self) -> Vec<u8> {
        self.count = self.count.wrapping_add(1);
        let payload = [self.count; 2];
        if !self.may_end {
            self.pongs.push_back(server_frame(0x8A, &payload));
        }
        frame(0x89, &payload)
    }

    /// Checks the bytes of the server: they must be those that the client is owed.
    fn check_output(&mut self) {
        self.partial.extend(self.client.script.take_written());
        while let Some(len) = frame_len(&self.partial) {
            let bytes: Vec<u8> = self.partial.drain(..len).collect();
            assert!(!self.is_over, "§5.5.1: nothing comes after a Close");
            match bytes[0] {
                // The server's own ping, and its Close, its own or in answer.
                0x89 => assert_eq!(bytes, [0x89, 0]),
                0x88 => self.is_over = true,
                0x8A => {
                    let is_owed = self.pongs.iter().position(|it| *it == bytes);
                    assert!(is_owed.is_some() || self.may_end, "no ping had the payload of {bytes:?}");
                    self.pongs.drain(..is_owed.map_or(0, |at| at + 1));
                }
                _ => match self.echoes.pop_front() {
                    Some(owed) => assert_eq!(bytes, owed, "an echo is lost, doubled or not whole"),
                    None => assert!(self.may_end, "no message had the payload of {bytes:?}"),
                },
            }
        }
    }

    /// Sends the rest without faults. Then the client is owed nothing, unless its connection was cut.
    fn finish(mut self) {
        self.client.script.set_full(false);
        for _ in 0..1000 {
            let has_all = self.to_send.is_empty() && self.echoes.is_empty() && self.partial.is_empty();
            if has_all || self.is_over || self.is_cut() {
                break;
            }
            self.run(ScriptStep::Arrive(3000));
            self.world.readable_and_writable(&self.client);
            self.check_output();
        }
        if !self.is_cut() {
            assert!(self.echoes.is_empty(), "an echo never comes");
            assert!(self.partial.is_empty(), "a frame is not whole");
        }
        self.world.finish();
    }

    /// Returns whether the socket or a deadline has ended the connection, so that bytes may be lost.
    fn is_cut(&self) -> bool {
        let has_failed =
            |(_, cause, _): &(_, Cause, _)| matches!(cause, Cause::Timeout | Cause::Transport(_));
        self.world.endings().iter().any(has_failed) || self.client.script.is_dropped() && !self.is_over
    }
}

/// Returns the length of the frame that `bytes` begin with, if all of it is there.
fn frame_len(bytes: &[u8]) -> Option<usize> {
    let (start, len) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        len @ 0..126 => (2, len.into()),
        _ => panic!("no frame here is that long, and none is masked"),
    };
    (bytes.len() >= start + len).then_some(start + len)
}

#[cfg(test)]
#[test]
fn seeds_and_past_findings_pass() {
    let fuzz = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    // A published package comes without them.
    if !fuzz.exists() {
        return;
    }
    let mut count = 0;
    for folder in ["corpus", "crashes"] {
        for entry in std::fs::read_dir(fuzz.join(folder).join("server")).into_iter().flatten() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            body(&std::fs::read(path).unwrap());
            count += 1;
        }
    }
    assert!(count > 0, "there are seeds");
}

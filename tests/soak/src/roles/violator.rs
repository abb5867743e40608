//! Clients that each break a rule, and the close code or status that answers it.
//!
//! This file knows the violations. Its codes come from RFC 6455, not from the server's source.

use crate::{
    line::End,
    random::Random,
    role::{Me, Role},
    wire::{self, BINARY, CLOSE, CONTINUATION, FIN, PING, Received, TEXT, put_frame, put_header},
};

pub(crate) const ANSWERED: &str = "violations answered with their code";
pub(crate) const REFUSED: &str = "bad requests answered with their status";

/// A violation, and the close code that answers it.
struct Violation {
    name: &'static str,
    code: u16,
    commit: fn(&mut Vec<u8>, &mut Random),
}

const fn violation(name: &'static str, code: u16, commit: fn(&mut Vec<u8>, &mut Random)) -> Violation {
    Violation { name, code, commit }
}

const VIOLATIONS: [Violation; 22] = [
    violation("§5.1 no mask", 1002, |out, _| out.extend(b"\x81\x02hi")),
    violation("§5.2 RSV1", 1002, |out, random| put_frame(out, random, FIN | 0x40 | TEXT, b"x")),
    violation("§5.2 RSV3 on a control frame", 1002, |out, random| {
        put_frame(out, random, FIN | 0x10 | PING, b"")
    }),
    violation("§5.2 opcode 3", 1002, |out, random| put_frame(out, random, FIN | 0x3, b"x")),
    violation("§5.2 opcode B", 1002, |out, random| put_frame(out, random, FIN | 0xB, b"")),
    violation("§5.2 5 as 16 bits", 1002, |out, _| out.extend(b"\x82\xFE\x00\x05")),
    violation("§5.2 500 as 64 bits", 1002, |out, _| out.extend(b"\x82\xFF\0\0\0\0\0\0\x01\xF4")),
    violation("§5.2 64th bit", 1002, |out, _| put_header(out, FIN | BINARY, 1 << 63)),
    violation("§5.4 nothing to continue", 1002, |out, random| {
        put_frame(out, random, FIN | CONTINUATION, b"x")
    }),
    violation("§5.4 not finished", 1002, |out, random| {
        put_frame(out, random, TEXT, b"a");
        put_frame(out, random, FIN | TEXT, b"b");
    }),
    violation("§5.5 ping in fragments", 1002, |out, random| put_frame(out, random, PING, b"x")),
    violation("§5.5 ping of 126", 1002, |out, random| put_frame(out, random, FIN | PING, &[0; 126])),
    violation("§5.5.1 close of one byte", 1002, |out, random| put_frame(out, random, FIN | CLOSE, b"x")),
    violation("§5.5.1 reason not UTF-8", 1007, |out, random| {
        put_frame(out, random, FIN | CLOSE, b"\x03\xE8\xFF")
    }),
    violation("§7.4 code 999", 1002, |out, random| {
        put_frame(out, random, FIN | CLOSE, &999u16.to_be_bytes())
    }),
    violation("§7.4 code 1005", 1002, |out, random| {
        put_frame(out, random, FIN | CLOSE, &1005u16.to_be_bytes())
    }),
    violation("§7.4 code 1006", 1002, |out, random| {
        put_frame(out, random, FIN | CLOSE, &1006u16.to_be_bytes())
    }),
    violation("§8.1 not UTF-8", 1007, |out, random| put_frame(out, random, FIN | TEXT, b"\xC0\xAF")),
    violation("§8.1 half a character", 1007, |out, random| {
        put_frame(out, random, TEXT, b"\xE2\x82");
        put_frame(out, random, FIN | CONTINUATION, b"");
    }),
    violation("§10.4 2 MiB", 1009, |out, _| put_header(out, FIN | BINARY, 2 << 20)),
    violation("§10.4 2^62", 1009, |out, _| put_header(out, BINARY, 1 << 62)),
    violation("§10.4 the sum", 1009, |out, random| {
        put_frame(out, random, BINARY, &[0; 100_000]);
        put_header(out, CONTINUATION, (1 << 20) - 99_999);
    }),
];

#[derive(Debug, Default)]
pub(crate) struct Violator {
    violation: Option<usize>,
    is_answered: bool,
}

impl Violator {
    fn name(&self) -> &'static str {
        self.violation.map_or("nothing yet", |index| VIOLATIONS[index].name)
    }
}

impl Role for Violator {
    fn opened(&mut self, me: &mut Me<'_>) {
        let pause = me.world.random.millis(0, 2000).min(me.world.timing.ping);
        me.act_in(pause);
        me.plan.deadline = None;
    }

    fn act(&mut self, me: &mut Me<'_>) {
        let index = me.world.random.below(VIOLATIONS.len());
        self.violation = Some(index);
        (VIOLATIONS[index].commit)(me.line.out(), &mut me.world.random);
        me.deadline_in(me.world.timing.slack);
    }

    fn received(&mut self, me: &mut Me<'_>, received: Received) {
        match (received, self.violation) {
            (Received::Ping(payload), None) => me.send_frame(FIN | wire::PONG, &payload),
            (Received::Close(code), Some(index)) if code == Some(VIOLATIONS[index].code) => {
                self.is_answered = true
            }
            (Received::Close(code), _) => {
                me.fail(ANSWERED, &format!("{}: closed with {code:?}", self.name()))
            }
            _ => {}
        }
    }

    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        if self.is_answered && end == End::Eof {
            return me.succeed(ANSWERED);
        }
        let order = if self.is_answered { "after" } else { "without" };
        me.fail(ANSWERED, &format!("{}: ended with {end:?} {order} Close", self.name()));
    }

    fn overdue(&mut self, me: &mut Me<'_>) {
        let what = if self.is_answered { "end of TCP" } else { "Close" };
        me.fail(ANSWERED, &format!("{}: no {what} in time", self.name()));
    }

    fn promise(&self) -> &'static str {
        ANSWERED
    }
}

/// A request that must be refused, and the status of the answer.
struct Bad {
    name: &'static str,
    status: u16,
    request: fn() -> Vec<u8>,
}

const fn bad(name: &'static str, status: u16, request: fn() -> Vec<u8>) -> Bad {
    Bad { name, status, request }
}

const BAD: [Bad; 18] = [
    bad("POST", 405, || changed("GET /", "POST /")),
    bad("HTTP/1.0", 505, || changed("HTTP/1.1", "HTTP/1.0")),
    bad("no Host", 400, || changed("Host: localhost\r\n", "")),
    bad("two Hosts", 400, || changed("Host: localhost", "Host: localhost\r\nHost: localhost")),
    bad("a Host of one percent sign", 400, || changed("Host: localhost", "Host: %")),
    bad("a quotation mark in the target", 400, || changed("/soak", "/soak\"")),
    bad("no Upgrade", 426, || changed("Upgrade: websocket\r\n", "")),
    bad("no Connection", 400, || changed("Connection: Upgrade\r\n", "")),
    bad("no key", 400, || changed("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")),
    bad("a short key", 400, || changed("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==")),
    bad("no version", 426, || changed("Sec-WebSocket-Version: 13\r\n", "")),
    bad("version 8", 426, || changed("Version: 13", "Version: 8")),
    bad("a body", 400, || changed("Host:", "Content-Length: 5\r\nHost:")),
    bad("bare line feeds", 400, || changed("\r\n", "\n")),
    bad("a TLS hello", 400, || b"\x16\x03\x01\x00\xA5\x01\x00\x00\xA1\x03\x03\r\n\r\n".to_vec()),
    bad("a fragment in the target", 400, || changed("/soak", "/soak#here")),
    bad("a head over 16 KiB", 431, || changed("Host:", &format!("X: {}\r\nHost:", "x".repeat(17_000)))),
    bad("150 header lines", 431, || changed("Host:", &format!("{}Host:", "X: x\r\n".repeat(150)))),
];

fn changed(from: &str, to: &str) -> Vec<u8> {
    wire::REQUEST.replace(from, to).into_bytes()
}

/// A client whose request breaks a rule.
#[derive(Debug, Default)]
pub(crate) struct BadRequest {
    choice: usize,
    is_refused: bool,
}

impl BadRequest {
    fn name(&self) -> &'static str {
        BAD[self.choice].name
    }
}

impl Role for BadRequest {
    fn connected(&mut self, me: &mut Me<'_>) {
        self.choice = me.world.random.below(BAD.len());
        let request = (BAD[self.choice].request)();
        me.line.out().extend(request);
        me.deadline_in(me.world.timing.slack);
    }

    fn opened(&mut self, me: &mut Me<'_>) {
        me.fail(REFUSED, &format!("{}: let in", self.name()));
    }

    fn refused(&mut self, me: &mut Me<'_>, status: u16) {
        self.is_refused = status == BAD[self.choice].status;
        if !self.is_refused {
            me.fail(REFUSED, &format!("{}: {status}", self.name()));
        }
    }

    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        if self.is_refused && end == End::Eof {
            return me.succeed(REFUSED);
        }
        me.fail(REFUSED, &format!("{}: ended with {end:?}", self.name()));
    }

    fn overdue(&mut self, me: &mut Me<'_>) {
        me.fail(REFUSED, &format!("{}: no end in time", self.name()));
    }

    fn promise(&self) -> &'static str {
        REFUSED
    }
}

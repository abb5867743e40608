//! RFC 8259: a step as one line of JSON.
//!
//! This file knows the names of the fields, and how a string is escaped.

use std::fmt::Write;

use crate::protocol::{CloseCode, GUID};

use super::{
    AcceptKey, BodyStep, BrokenRule, Check, Frame, FrameStep, Leftover, RequestStep, ResponseStep, Side,
    State, Step, frame::WholeMessage,
};

impl Step {
    /// Returns the step as a JSON object on one line, without a line end.
    ///
    /// Each step has `kind` and `from`; the kind determines the other fields. A field that does not apply is
    /// `null`. Bytes are lower-case hex without spaces; of a payload at most the first
    /// [`SHOWN`](super::SHOWN) bytes.
    ///
    /// | `kind` | further fields |
    /// |---|---|
    /// | `request` | `offset`, `target`, `lines`, `checks` (`section`, `says`, `ok`), `accept` (`key`, `nonce`, `guid`, `sha1`, `accept`), `refused` (`status`, `says`), `state` |
    /// | `response` | `offset`, `status`, `lines`, `checks`, `state` |
    /// | `body` | `offset`, `length`, `payload`, `cut`, `text`, `state` |
    /// | `frame` | `offset`, `header`, `fin`, `rsv`, `opcode`, `name`, `mask`, `length7`, `extended`, `length`, `key`, `masked`, `payload`, `cut`, `text`, `compressed`, `message` (`opcode`, `length`, `payload`, `text`, `compressed_length`), `close` (`code`, `name`, `reason`), `event`, `rule`, `says`, `row`, `answer`, `state` |
    /// | `error` | of the fields of a frame those from `offset` to `compressed`, as far as they have arrived; `bytes`, `section`, `says`, `why`, `row`, `code`, `answer`, `state` |
    /// | `end` | `unread`, `says` |
    ///
    /// ```
    /// use wirehook::{Limits, explain::{Explainer, Side}};
    ///
    /// let mut explainer = Explainer::of_frames(&Limits::default());
    /// let steps = explainer.explain(Side::Server, b"\x81\x05Hello");
    /// let json = steps[0].json();
    /// assert!(json.starts_with(r#"{"kind":"frame","from":"server","offset":0,"header":"8105","fin":true,"#));
    /// assert!(json.contains(r#""payload":"48656c6c6f","cut":false,"text":"Hello""#));
    /// ```
    pub fn json(&self) -> String {
        match self {
            Self::Request(request) => request_object(request),
            Self::Response(response) => response_object(response),
            Self::Body(body) => body_object(body),
            Self::Frame(frame) => frame_object(frame),
            Self::Broken(broken) => broken_object(broken),
            Self::End(leftover) => leftover_object(leftover),
        }
        .end()
    }
}

fn request_object(step: &RequestStep) -> Object {
    let refused = step
        .refused
        .map(|error| Object::new().number("status", error.status()).text("says", &error.to_string()).end());
    Object::step("request", Side::Client)
        .number("offset", 0u8)
        .text("target", &step.target)
        .list("lines", step.lines.iter().map(|line| quoted(line)))
        .list("checks", step.checks.iter().map(check))
        .optional("accept", step.accept.as_ref().map(accept))
        .optional("refused", refused)
        .text("state", step.state.name())
}

fn response_object(step: &ResponseStep) -> Object {
    Object::step("response", Side::Server)
        .number("offset", 0u8)
        .optional("status", step.status)
        .list("lines", step.lines.iter().map(|line| quoted(line)))
        .list("checks", step.checks.iter().map(check))
        .text("state", step.state.name())
}

fn body_object(step: &BodyStep) -> Object {
    Object::step("body", step.from)
        .number("offset", step.offset)
        .number("length", step.length)
        .text("payload", &hex(&step.start))
        .bool("cut", step.length > step.start.len() as u64)
        .optional("text", step.text().map(quoted))
        .text("state", State::Closed.name())
}

fn frame_object(step: &FrameStep) -> Object {
    let close = step.close.as_ref().map(|(code, reason)| close(*code, reason));
    Object::step("frame", step.from)
        .frame(&step.frame)
        .optional("message", step.message.as_ref().map(message))
        .optional("close", close)
        .text("event", step.event.name())
        .text("rule", step.rule)
        .text("says", &step.says)
        .optional("row", step.row.map(quoted))
        .optional("answer", answer(&step.answer))
        .text("state", step.state.name())
}

fn broken_object(step: &BrokenRule) -> Object {
    let bytes = [&step.frame.header[..], &step.frame.masked].concat();
    Object::step("error", step.from)
        .frame(&step.frame)
        .text("bytes", &hex(&bytes))
        .text("section", step.section)
        .text("says", &step.says)
        .text("why", step.why)
        .optional("row", step.row.map(quoted))
        .number("code", step.code.0)
        .optional("answer", answer(&step.answer))
        .text("state", step.state.name())
}

fn leftover_object(step: &Leftover) -> Object {
    Object::step("end", step.from).number("unread", step.unread).text("says", &step.says)
}

fn check(check: &Check) -> String {
    Object::new().text("section", &check.section).text("says", &check.says).bool("ok", check.ok).end()
}

fn accept(accept: &AcceptKey) -> String {
    Object::new()
        .text("key", &accept.key)
        .optional("nonce", accept.nonce.map(|nonce| quoted(&hex(&nonce))))
        .text("guid", GUID)
        .text("sha1", &hex(&accept.digest))
        .text("accept", &accept.accept)
        .end()
}

fn close(code: CloseCode, reason: &str) -> String {
    Object::new()
        .number("code", code.0)
        .optional("name", code.name().map(quoted))
        .text("reason", reason)
        .end()
}

fn message(message: &WholeMessage) -> String {
    Object::new()
        .number("opcode", message.opcode as u8)
        .number("length", message.length)
        .text("payload", &hex(&message.start))
        .optional("text", message.text().map(quoted))
        .optional("compressed_length", message.compressed_length.map(|it| it.to_string()))
        .end()
}

fn answer(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| quoted(&hex(bytes)))
}

/// An object under construction.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn step(kind: &str, from: Side) -> Self {
        Self::new().text("kind", kind).text("from", from.name())
    }

    /// Adds the fields of a frame, as far as it has arrived.
    fn frame(self, frame: &Frame) -> Self {
        let extended = frame.extended();
        self.number("offset", frame.offset)
            .text("header", &hex(&frame.header))
            .bool("fin", frame.fin())
            .number("rsv", frame.rsv())
            .number("opcode", frame.opcode())
            .text("name", frame.name())
            .optional("mask", frame.mask())
            .optional("length7", frame.length7())
            .optional("extended", (!extended.is_empty()).then(|| quoted(&hex(extended))))
            .optional("length", frame.length())
            .optional("key", frame.key().map(|key| quoted(&hex(&key))))
            .text("masked", &hex(&frame.masked))
            .text("payload", &hex(&frame.payload))
            .bool("cut", frame.is_cut())
            .optional("text", frame.text().map(quoted))
            .bool("compressed", frame.is_compressed)
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.field(name, &quoted(value))
    }

    fn number(self, name: &str, value: impl Into<u64>) -> Self {
        self.field(name, &value.into().to_string())
    }

    fn bool(self, name: &str, value: bool) -> Self {
        self.field(name, &value.to_string())
    }

    /// Adds a value that is JSON already, or null.
    fn optional(self, name: &str, json: Option<impl ToString>) -> Self {
        match json {
            Some(json) => self.field(name, &json.to_string()),
            None => self.field(name, "null"),
        }
    }

    fn list(self, name: &str, items: impl Iterator<Item = String>) -> Self {
        let items: Vec<String> = items.collect();
        self.field(name, &format!("[{}]", items.join(",")))
    }

    fn field(mut self, name: &str, json: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(name));
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// Returns two digits per byte.
fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// RFC 8259 §7: returns a quoted string with escaped quotes, backslashes and control characters.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            // More than the RFC requires: all characters that a terminal would interpret are escaped.
            it if it != '\'' && it.escape_debug().len() > 1 => {
                for unit in it.encode_utf16(&mut [0; 2]) {
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
            it => quoted.push(it),
        }
    }
    quoted.push('"');
    quoted
}

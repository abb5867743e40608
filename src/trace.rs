//! What a log at `trace` shows of each frame, received and sent: its kind, its length, the start of its
//! payload.
//!
//! This file knows how a payload is shown so that it can't control a terminal. It does not know when.
//! It costs one comparison when it is off.

use std::fmt::{self, Display};

use log::{Level, log_enabled, trace};

use crate::protocol::{CloseFrame, Event, Message, OpCode, Prepared};

/// How many bytes of a payload are shown.
const SHOWN: usize = 64;

/// Text that a peer or a hook chose, as a log shows it: in quotes, escaped, and cut if it is long.
pub(crate) struct Cut<'a>(pub(crate) &'a str);

/// How many characters of a [`Cut`] text are shown.
const SHOWN_OF_TEXT: usize = 200;

impl Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN_OF_TEXT) {
            None => write!(f, "{:?}", self.0),
            Some((at, _)) => write!(f, "{:?} … and {} bytes more", &self.0[..at], self.0.len() - at),
        }
    }
}

#[inline]
pub(crate) fn is_on() -> bool {
    log_enabled!(Level::Trace)
}

/// Shows what was received.
#[cold]
pub(crate) fn received(id: impl Display, event: &Event<'_>) {
    show_event(id, '<', event);
}

/// Shows what is sent as one frame, before it is encoded.
#[cold]
pub(crate) fn sent(id: impl Display, event: &Event<'_>) {
    show_event(id, '>', event);
}

/// Shows a message that is sent in fragments of `fragment_len` bytes.
#[cold]
pub(crate) fn sent_fragments(id: impl Display, message: Message<'_>, fragment_len: usize) {
    trace!("connection {id} > in fragments of {fragment_len} bytes:");
    sent(id, &Event::Message(message));
}

/// Shows a message that is encoded once for many.
#[cold]
pub(crate) fn sent_prepared(id: impl Display, prepared: &Prepared) {
    show(id, '>', name_of(prepared.opcode() == OpCode::Text), prepared.payload());
}

fn show_event(id: impl Display, direction: char, event: &Event<'_>) {
    match event {
        Event::Message(message) => {
            show(id, direction, name_of(message.as_text().is_some()), message.as_bytes());
        }
        Event::Ping(payload) => show(id, direction, "ping", payload),
        Event::Pong(payload) => show(id, direction, "pong", payload),
        Event::Close(frame) => show_close(id, direction, *frame),
    }
}

const fn name_of(is_text: bool) -> &'static str {
    if is_text { "text" } else { "binary" }
}

fn show(id: impl Display, direction: char, name: &str, payload: &[u8]) {
    let shown = payload.get(..SHOWN).unwrap_or(payload).escape_ascii();
    let more = if payload.len() > SHOWN { " …" } else { "" };
    trace!("connection {id} {direction} {name}, {} bytes: \"{shown}\"{more}", payload.len());
}

fn show_close(id: impl Display, direction: char, frame: Option<CloseFrame<'_>>) {
    match frame {
        Some(frame) => {
            trace!("connection {id} {direction} close: {} {:?}", frame.code, frame.fitting_reason());
        }
        None => trace!("connection {id} {direction} close, without a body"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_escaped() {
        assert_eq!(Cut("/a\u{202e}\"\n").to_string(), r#""/a\u{202e}\"\n""#);
        let long = "ü".repeat(SHOWN_OF_TEXT);
        assert_eq!(Cut(&long).to_string(), format!("\"{long}\""));
        assert_eq!(Cut(&format!("{long}üx")).to_string(), format!("\"{long}\" … and 3 bytes more"));
    }
}

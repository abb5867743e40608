//! What a log at `trace` shows of each frame, received and sent: its kind, its length, the start of its payload.
//!
//! This file knows how a payload is shown so that nobody can steer a terminal with it. It refuses to know when.
//! It costs one comparison when it is off.

use std::fmt::{self, Display};

use log::{Level, log_enabled, trace};

use crate::protocol::{CloseFrame, Event, FrameHeader, Message, OpCode};

/// How many bytes of a payload are shown.
const SHOWN: usize = 64;

/// Text that a peer or a hook chose, as it stands in a log: in quotes, escaped, and of a long one the beginning.
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

#[cold]
pub(crate) fn received(id: impl Display, event: &Event<'_>) {
    match event {
        Event::Message(Message::Text(text)) => show(id, '<', "text", text.as_bytes()),
        Event::Message(Message::Binary(bytes)) => show(id, '<', "binary", bytes),
        Event::Ping(payload) => show(id, '<', "ping", payload),
        Event::Pong(payload) => show(id, '<', "pong", payload),
        Event::Close(frame) => show_close(id, '<', *frame),
    }
}

/// Shows a message of ours that goes out as one frame.
#[cold]
pub(crate) fn message(id: impl Display, message: Message<'_>) {
    let name = if message.as_text().is_some() { "text" } else { "binary" };
    show(id, '>', name, message.as_bytes());
}

/// Shows the frame that `encode` appends to `out`, if it appends one.
#[inline]
pub(crate) fn sending<T>(id: impl Display, out: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let before = out.len();
    let result = encode(out);
    if is_on() {
        sent(id, &out[before..]);
    }
    result
}

/// Shows frames of ours.
#[cold]
pub(crate) fn sent(id: impl Display, mut frames: &[u8]) {
    while let Ok(Some((header, header_len))) = FrameHeader::decode(frames) {
        let end = header_len + header.payload_len as usize;
        let (frame, rest) = frames.split_at(end.min(frames.len()));
        sent_frame(&id, &header, &frame[header_len..]);
        frames = rest;
    }
}

fn sent_frame(id: impl Display, header: &FrameHeader, payload: &[u8]) {
    match header.opcode {
        OpCode::Text => show(id, '>', "text", payload),
        OpCode::Binary => show(id, '>', "binary", payload),
        OpCode::Continuation => show(id, '>', "continuation", payload),
        OpCode::Ping => show(id, '>', "ping", payload),
        OpCode::Pong => show(id, '>', "pong", payload),
        OpCode::Close => show_close(id, '>', CloseFrame::decode(payload).ok().flatten()),
    }
}

fn show(id: impl Display, direction: char, name: &str, payload: &[u8]) {
    let shown = payload.get(..SHOWN).unwrap_or(payload).escape_ascii();
    let more = if payload.len() > SHOWN { " …" } else { "" };
    trace!("connection {id} {direction} {name}, {} bytes: \"{shown}\"{more}", payload.len());
}

fn show_close(id: impl Display, direction: char, frame: Option<CloseFrame<'_>>) {
    match frame {
        Some(CloseFrame { code, reason }) => trace!("connection {id} {direction} close: {code} {reason:?}"),
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

//! A recording as a script: the client's bytes, and how much of the answer precedes each piece.
//!
//! This file finds the ends of the response head and of each frame in an answer. It does not know their
//! meaning.

use std::time::Duration;

use wirehook::{explain::Side, protocol::FrameHeader};

use super::super::capture::Recording;

pub(super) const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const GET: &[u8] = b"GET ";

/// A recording in the form in which a client plays it.
#[derive(Debug)]
pub(super) struct ClientScript {
    pub(super) cues: Vec<Cue>,
    /// All bytes of the server.
    pub(super) answer: Vec<u8>,
    /// The parts of the answer, in their order.
    pub(super) parts: Vec<Part>,
}

/// Bytes that the client sends.
#[derive(Debug)]
pub(super) struct Cue {
    /// Since the connection began.
    pub(super) at: Duration,
    pub(super) bytes: Vec<u8>,
    /// How many bytes of the answer precede it.
    pub(super) after: usize,
}

/// A part of an answer that is compared as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: PartKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartKind {
    Head,
    Frame,
    /// A ping, which servers send by the clock (§5.5.2).
    Ping,
    /// Bytes without frames: the body of a refusal, or bytes in which no frame can be found.
    Rest,
}

impl ClientScript {
    /// Makes the script of a recording; `path` replaces the request's path.
    pub(super) fn new(recording: Recording<'_>, path: Option<&str>) -> Result<Self, String> {
        let (mut cues, mut answer) = (Vec::new(), Vec::new());
        for piece in recording.pieces {
            match piece.from {
                Side::Client => {
                    cues.push(Cue { at: piece.at, bytes: piece.bytes.to_vec(), after: answer.len() })
                }
                Side::Server => answer.extend_from_slice(piece.bytes),
            }
        }
        if let Some(path) = path {
            replace_path(cues.first_mut().map(|cue| &mut cue.bytes), path)?;
        }
        let parts = parts_of(&answer);
        Ok(Self { cues, answer, parts })
    }

    /// Returns whether frames follow the head of the answer.
    pub(super) fn has_frames(&self) -> bool {
        is_upgrade(&self.answer)
    }

    /// Returns how many bytes at the end of the answer are no whole part.
    pub(super) fn unfinished(&self) -> usize {
        self.answer.len() - self.parts.last().map_or(0, |part| part.end)
    }
}

/// Splits an answer into parts; incomplete bytes at its end belong to none.
fn parts_of(answer: &[u8]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut start = 0;
    let mut has_frames = false;
    while start < answer.len() {
        let rest = &answer[start..];
        let (kind, len) = match start {
            0 => {
                let Some(len) = head_len(rest) else { break };
                has_frames = is_upgrade(&rest[..len]);
                (PartKind::Head, len)
            }
            _ if !has_frames => (PartKind::Rest, rest.len()),
            _ => match FrameHeader::decode(rest) {
                Ok(None) => break,
                Ok(Some((header, len))) => {
                    let kind = if begins_ping(rest) { PartKind::Ping } else { PartKind::Frame };
                    let Some(len) = frame_len(&header, len).filter(|&len| len <= rest.len()) else { break };
                    (kind, len)
                }
                Err(_) => (PartKind::Rest, rest.len()),
            },
        };
        parts.push(Part { kind, start, end: start + len });
        start += len;
    }
    parts
}

/// Returns the length of a frame with its header; `None` if it exceeds `usize`.
pub(super) fn frame_len(header: &FrameHeader, header_len: usize) -> Option<usize> {
    usize::try_from(header.payload_len).ok()?.checked_add(header_len)
}

/// Returns whether these bytes are a valid ping of a server, or the beginning of one: whole, without reserved
/// bits, short and not masked (§5.1, §5.2, §5.5).
pub(super) const fn begins_ping(bytes: &[u8]) -> bool {
    matches!(bytes, [0x89] | [0x89, 0..=125, ..])
}

/// Returns the length of the head at the beginning of `bytes`, with its empty line.
pub(super) fn head_len(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(END_OF_HEAD.len()).position(|it| it == END_OF_HEAD)?;
    Some(end + END_OF_HEAD.len())
}

/// §4.1: returns whether a response has status 101, so that frames follow.
fn is_upgrade(head: &[u8]) -> bool {
    head.starts_with(b"HTTP/1.1 101 ")
}

/// Replaces the path in the client's request.
fn replace_path(first: Option<&mut Vec<u8>>, path: &str) -> Result<(), String> {
    let replaced = first.and_then(|bytes| {
        let target = bytes.strip_prefix(GET)?;
        let end = target.iter().position(|&it| it == b' ' || it == b'\r')?;
        bytes.splice(GET.len()..GET.len() + end, path.bytes());
        Some(())
    });
    replaced
        .ok_or_else(|| "the recording doesn't begin with a request whose path could be replaced".to_owned())
}

/// Returns the client's bytes after its request, or all of them if there is no request.
pub(super) fn client_frames(recording: Recording<'_>) -> Vec<u8> {
    let pieces = recording.pieces.into_iter().filter(|piece| piece.from == Side::Client);
    let mut bytes: Vec<u8> = pieces.flat_map(|piece| piece.bytes).copied().collect();
    let request_len = if bytes.starts_with(GET) { head_len(&bytes).unwrap_or(bytes.len()) } else { 0 };
    bytes.split_off(request_len)
}

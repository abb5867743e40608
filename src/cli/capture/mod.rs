//! Recordings as files that Wireshark and related programs write and read.
//!
//! ```text
//! file ─▶ packets ─▶ TCP segments ─▶ conversations ─▶ pieces
//!        file.rs     packet.rs       conversation.rs
//!
//! pieces ─▶ TCP segments ─▶ packets ─▶ file
//!           write.rs        packet.rs  write.rs
//! ```
//!
//! This file defines a recording: the bytes of both sides, with their times. It does not know what they mean.
//!
//! A file may come from any source, so no length or number in it is trusted. Any bytes give recordings or an
//! error of one sentence, in memory that grows with the bytes of the file. No byte is copied: a recording
//! borrows from its file. Unreadable parts are noted and left out, never guessed.

mod beginning;
mod conversation;
mod file;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod packet;
#[cfg(test)]
mod tests;
mod write;

use std::{net::SocketAddr, time::Duration};

use wirehook::explain::Side;

use conversation::Conversations;
use packet::{LeftOut, Segment};

pub(super) use beginning::Beginning;
pub(super) use file::is_capture;
pub(super) use write::Writer;

/// The content of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Capture<'a> {
    /// The TCP connections that carried bytes, in the order in which they began.
    pub(super) connections: Vec<Recording<'a>>,
    /// Notes about left-out parts that belong to no connection.
    pub(super) notes: Vec<String>,
}

/// The bytes of one TCP connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recording<'a> {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// The time of the first packet, since the beginning of 1970.
    pub(super) began: Duration,
    /// Whether a SYN was captured, so that the recording is complete from the start.
    pub(super) has_beginning: bool,
    /// In the order of the packets that completed them.
    pub(super) pieces: Vec<Piece<'a>>,
    /// Notes about missing and uncertain bytes.
    pub(super) notes: Vec<String>,
}

impl Recording<'_> {
    /// Classifies the first bytes of one side.
    pub(super) fn beginning(&self, side: Side) -> Beginning {
        Beginning::of(&first_bytes(&self.pieces, side))
    }
}

/// Consecutive bytes of one side. How a conversation is cut into pieces has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Since the connection began.
    pub(super) at: Duration,
    pub(super) from: Side,
    pub(super) bytes: &'a [u8],
}

/// Returns the first bytes of one side, enough to classify them.
fn first_bytes(pieces: &[Piece<'_>], side: Side) -> Vec<u8> {
    let bytes = pieces.iter().filter(|piece| piece.from == side).flat_map(|piece| piece.bytes);
    bytes.take(beginning::ENOUGH).copied().collect()
}

/// Reads a capture, in pcapng or in the older pcap.
///
/// # Errors
///
/// The file is neither. An incomplete file is read up to its end.
pub(super) fn read(bytes: &[u8]) -> Result<Capture<'_>, String> {
    read_with(bytes, None)
}

/// Reads a capture. `first` is the side that spoke first, on connections without a SYN.
///
/// # Errors
///
/// Those of [`read`].
pub(super) fn read_with(bytes: &[u8], first: Option<Side>) -> Result<Capture<'_>, String> {
    let mut conversations = Conversations::default();
    let (mut fragments, mut malformed) = (0_usize, 0_usize);
    let mut notes =
        file::for_each_packet(bytes, |packet| match Segment::decode(packet.link, packet.bytes) {
            Ok(segment) => conversations.take(packet.at, &segment),
            Err(LeftOut::Fragment) => fragments += 1,
            Err(LeftOut::Malformed) => malformed += 1,
            Err(LeftOut::NotTcp) => {}
        })?;
    if fragments > 0 {
        notes.push(format!("{fragments} packets are left out: they are fragments of IP packets"));
    }
    if malformed > 0 {
        notes.push(format!("{malformed} packets are left out: their headers are cut or make no sense"));
    }
    Ok(Capture { connections: conversations.into_recordings(first), notes })
}

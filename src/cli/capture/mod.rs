//! Recordings as files that Wireshark and its relatives write and read.
//!
//! ```text
//! file ─▶ packets ─▶ TCP segments ─▶ conversations ─▶ pieces
//!        file.rs     packet.rs       inbound.rs
//!
//! pieces ─▶ TCP segments ─▶ packets ─▶ file
//!           write.rs        packet.rs  write.rs
//! ```
//!
//! This file knows what a recording is: who said which bytes when. It refuses to know what they mean.
//!
//! A file that is read may come from anybody. So nothing here trusts a length or a number in it: whatever the
//! bytes, the answer is recordings or one sentence, in memory that grows with the bytes that are there. No byte is
//! copied: a recording borrows from its file. What can't be read is told in words and left out; it is never guessed.

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

/// All that a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Capture<'a> {
    /// The TCP connections on which something was said, in the order in which they began.
    pub(super) connections: Vec<Recording<'a>>,
    /// What was left out of the file, in words, where it belongs to no connection.
    pub(super) notes: Vec<String>,
}

/// What was said on one TCP connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recording<'a> {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// The time of the first packet, since the beginning of 1970.
    pub(super) began: Duration,
    /// Whether a SYN was captured: the recording has the beginning of the connection.
    pub(super) has_beginning: bool,
    /// In the order of the packets that completed them.
    pub(super) pieces: Vec<Piece<'a>>,
    /// What is missing or uncertain, in words.
    pub(super) notes: Vec<String>,
}

impl Recording<'_> {
    /// Returns what the first bytes of one side are.
    pub(super) fn beginning(&self, side: Side) -> Beginning {
        Beginning::of(&first_bytes(&self.pieces, side))
    }
}

/// Bytes that one side said at once. How a conversation is cut into pieces means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Since the connection began.
    pub(super) at: Duration,
    pub(super) from: Side,
    pub(super) bytes: &'a [u8],
}

/// Returns the first bytes of one side, enough to see what they are.
fn first_bytes(pieces: &[Piece<'_>], side: Side) -> Vec<u8> {
    let said = pieces.iter().filter(|piece| piece.from == side).flat_map(|piece| piece.bytes);
    said.take(beginning::ENOUGH).copied().collect()
}

/// Reads a capture: pcapng, or pcap as it was before.
///
/// # Errors
///
/// The file is neither. One that breaks off is read as far as it goes.
pub(super) fn read(bytes: &[u8]) -> Result<Capture<'_>, String> {
    read_with(bytes, None)
}

/// The same. `first` is the side that spoke first, on connections without a SYN.
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

//! Classifies the first bytes of one side.
//!
//! This file knows how a request, a response and a frame begin. It judges none of them.

use wirehook::{
    explain::Side,
    protocol::{FrameHeader, OpCode},
};

/// How many bytes of a side are examined.
pub(super) const ENOUGH: usize = 4096;

/// How many frames are examined: bytes from the middle of a frame seldom resemble several frames.
const FRAMES: usize = 8;

/// The beginning of a side's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Beginning {
    /// `GET …`, or another request line.
    Request,
    /// `HTTP/1.…`
    Response,
    /// Frames whose MASK bits are all equal.
    Frames { masked: bool },
    /// Other bytes, or none.
    Unknown,
}

impl Beginning {
    pub(in super::super) fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"HTTP/1.") {
            Self::Response
        } else if bytes.starts_with(b"GET ") || is_request_line(bytes) {
            Self::Request
        } else {
            mask_bits(bytes).map_or(Self::Unknown, |masked| Self::Frames { masked })
        }
    }

    /// Returns whether a head comes before the frames.
    pub(in super::super) fn is_head(self) -> bool {
        matches!(self, Self::Request | Self::Response)
    }

    /// Returns the side that sends such bytes. §5.1: clients mask all their frames, servers none.
    pub(in super::super) fn side(self) -> Option<Side> {
        match self {
            Self::Request | Self::Frames { masked: true } => Some(Side::Client),
            Self::Response | Self::Frames { masked: false } => Some(Side::Server),
            Self::Unknown => None,
        }
    }
}

/// RFC 9112 §3: returns whether this is a method, a target and the version, with one space between.
fn is_request_line(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|&it| it == b'\r' || it == b'\n').unwrap_or(bytes.len());
    let words: Vec<&[u8]> = bytes[..end].split(|&it| it == b' ').collect();
    let [method, _, version] = words[..] else { return false };
    !method.is_empty() && method.iter().all(u8::is_ascii_uppercase) && version.starts_with(b"HTTP/1.")
}

/// Returns the MASK bit of the first frames, if it is the same in all and all could be frames.
fn mask_bits(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes;
    let mut masked = None;
    for _ in 0..FRAMES {
        let Some((header, len)) = FrameHeader::decode(rest).ok()? else { break };
        let has_mask = header.masking_key.is_some();
        if !is_plausible(&header) || masked.is_some_and(|it| it != has_mask) {
            return None;
        }
        masked = Some(has_mask);
        let end = usize::try_from(header.payload_len).ok().and_then(|it| it.checked_add(len));
        let Some(after) = end.and_then(|end| rest.get(end..)) else { break };
        rest = after;
    }
    // A cut header can contain the bit.
    masked.or_else(|| bytes.get(1).map(|second| second & 0x80 != 0))
}

/// Returns whether a header can be real. RSV1 is set where messages are compressed (RFC 7692); the other two
/// bits belong to no known extension.
fn is_plausible(header: &FrameHeader) -> bool {
    header.rsv & 0b011 == 0 && !(header.rsv != 0 && header.opcode == OpCode::Close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_show_the_side() {
        let frames = |masked| Beginning::Frames { masked };
        for (bytes, beginning, side) in [
            (&b"GET "[..], Beginning::Request, Some(Side::Client)),
            (b"POST /x HTTP/1.1\r\n", Beginning::Request, Some(Side::Client)),
            (b"HTTP/1.1 101 Switching Protocols\r\n", Beginning::Response, Some(Side::Server)),
            (b"\x81\x85\0\0\0\0Hello", frames(true), Some(Side::Client)),
            (b"\x81\x05Hello", frames(false), Some(Side::Server)),
            (b"\x89\0\x81\x05He", frames(false), Some(Side::Server)),
            (b"\xc1\x05Hello", frames(false), Some(Side::Server)),
            (b"\x81\xfe\x01", frames(true), Some(Side::Client)),
            (b"\x81", Beginning::Unknown, None),
            (b"", Beginning::Unknown, None),
            // Mixed MASK bits: not from one side.
            (b"\x81\x01a\x81\x81\0\0\0\0a", Beginning::Unknown, None),
            // No frames: a reserved opcode, or bits of no known extension.
            (b"\x83\x05Hello", Beginning::Unknown, None),
            (b"hello world", Beginning::Unknown, None),
            (b"GETTING /x HTTP/2\r\n", Beginning::Unknown, None),
        ] {
            let found = Beginning::of(bytes);
            assert_eq!((found, found.side()), (beginning, side), "{:?}", bytes.escape_ascii().to_string());
        }
    }
}

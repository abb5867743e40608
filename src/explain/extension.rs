//! §9, RFC 7692: the meaning of the reserved bits with an extension in use.
//!
//! This file knows the one bit of permessage-deflate, and where it may be set. It does not decompress.

use crate::protocol::{FrameHeader, OpCode, ProtocolError};

use super::rules::{Rule, Shown};

/// The registered name of the extension that compresses messages (RFC 7692 §7).
pub(super) const DEFLATE: &str = "permessage-deflate";

const RSV1: u8 = 0b100;

/// The extension that is in use on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Extension {
    #[default]
    None,
    /// permessage-deflate (RFC 7692).
    Deflate,
    /// permessage-deflate, if any: the negotiation was not seen.
    Unseen,
    /// An extension that is not known here; any reserved bit may belong to it.
    Other,
}

impl Extension {
    /// Returns the extension that a response names.
    pub(super) fn of(names: &[String]) -> Self {
        match names {
            [] => Self::None,
            [name] if name == DEFLATE => Self::Deflate,
            _ => Self::Other,
        }
    }

    /// Returns whether these reserved bits belong to the extension.
    pub(super) fn allows(self, rsv: u8, opcode: u8) -> bool {
        match self {
            Self::None => rsv == 0,
            Self::Deflate | Self::Unseen => rsv == 0 || self.compresses(rsv, opcode),
            Self::Other => true,
        }
    }

    /// RFC 7692 §6: returns whether this first frame marks its message as compressed.
    pub(super) fn compresses(self, rsv: u8, opcode: u8) -> bool {
        matches!(self, Self::Deflate | Self::Unseen) && rsv == RSV1 && is_data(opcode)
    }

    /// Returns a frame's first byte for a receiver without extensions: without the allowed bits, and with the
    /// binary opcode if the payload is compressed.
    pub(super) fn without_bits(self, first: u8) -> u8 {
        let (rsv, opcode) = (first >> 4 & 0b111, first & 0b1111);
        if rsv == 0 && self != Self::Other || !self.allows(rsv, opcode) {
            return first;
        }
        let opcode = if is_data(opcode) { OpCode::Binary as u8 } else { opcode };
        first & 0b1000_0000 | opcode
    }

    /// Returns the rule that these reserved bits break.
    pub(super) fn broken_by(self, rsv: u8) -> Rule {
        match self {
            Self::Deflate | Self::Unseen if rsv == RSV1 => Rule::compressed_later(),
            _ => ProtocolError::ReservedBits.into(),
        }
    }

    /// Adds to a frame's explanation that its bits belong to an extension.
    pub(super) fn explain_bits(self, shown: Shown, header: &FrameHeader, is_compressed: bool) -> Shown {
        let Shown { says, .. } = &shown;
        match self {
            Self::Deflate if is_compressed => Shown::of_deflate(format!("{says}, compressed by {DEFLATE}")),
            Self::Unseen if is_compressed => Shown::of_deflate(format!(
                "{says}, compressed if {DEFLATE} was negotiated, which is not seen here"
            )),
            Self::Other if header.rsv != 0 => Shown {
                section: "§9",
                says: format!("{says}, with bits of an extension that is not known here"),
                row: shown.row,
            },
            _ => shown,
        }
    }
}

fn is_data(opcode: u8) -> bool {
    opcode == OpCode::Text as u8 || opcode == OpCode::Binary as u8
}

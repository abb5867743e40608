//! §5.2 The base framing protocol: one frame header, bit by bit.
//!
//! This file knows the bits of a header, in both directions and for both roles. It does not know earlier
//! frames or the role of the sender. So the receiver judges whether a mask is required, whether a reserved
//! bit was negotiated, and whether a continuation has a message to continue.

use super::error::ProtocolError;

/// First byte: this is the last fragment of its message.
const FIN: u8 = 0b1000_0000;
/// First byte: the bits reserved for extensions, RSV1 to RSV3.
const RSV: u8 = 0b0111_0000;
/// First byte: the opcode.
const OPCODE: u8 = 0b0000_1111;
/// Opcodes from 0x8 on have this bit and are control frames (§5.5).
const CONTROL: u8 = 0b0000_1000;
/// Second byte: a masking key follows the length.
const MASK: u8 = 0b1000_0000;
/// Second byte: the length itself, or one of the two marks below.
const LENGTH: u8 = 0b0111_1111;
/// The next two bytes contain the length.
const LENGTH_IN_16_BITS: u8 = 126;
/// The next eight bytes contain the length.
const LENGTH_IN_64_BITS: u8 = 127;

/// The first byte of a text in one frame.
const WHOLE_TEXT: u8 = FIN | OpCode::Text as u8;
/// The first byte of a binary message in one frame.
const WHOLE_BINARY: u8 = FIN | OpCode::Binary as u8;
/// The length of a masked frame's header where the payload has up to 125 bytes.
pub(super) const SHORT_HEADER_LEN: usize = 6;

/// The longest payload of a control frame, in bytes (§5.5).
///
/// ```
/// use wirehook::protocol::{FrameHeader, MAX_CONTROL_PAYLOAD};
///
/// // A ping of 125 bytes, and one of 126, refused at its second byte.
/// assert!(FrameHeader::decode(&[0x89, 0x80 | MAX_CONTROL_PAYLOAD as u8]).is_ok());
/// assert!(FrameHeader::decode(&[0x89, 0xfe]).is_err());
/// ```
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// The kind of a frame (§5.2). Reserved opcodes have no variant: a header with one is refused.
///
/// ```
/// use wirehook::protocol::OpCode;
///
/// assert_eq!(OpCode::Ping as u8, 0x9);
/// assert!(OpCode::Ping.is_control() && !OpCode::Text.is_control());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OpCode {
    /// 0x0: more of the message that an earlier frame began.
    Continuation = 0x0,
    /// 0x1: a text message, or its first fragment.
    Text = 0x1,
    /// 0x2: a binary message, or its first fragment.
    Binary = 0x2,
    /// 0x8: the closing handshake (§5.5.1).
    Close = 0x8,
    /// 0x9: a ping (§5.5.2).
    Ping = 0x9,
    /// 0xA: a pong (§5.5.3).
    Pong = 0xA,
}

impl OpCode {
    /// Returns the opcode with this number, if it is one that the RFC defines.
    const fn from_bits(bits: u8) -> Result<Self, ProtocolError> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            // §5.2: "If an unknown opcode is received, the receiving endpoint MUST
            // _Fail the WebSocket Connection_."
            reserved => return Err(ProtocolError::ReservedOpCode(reserved)),
        })
    }

    /// Returns whether frames of this kind are control frames (§5.5): short, whole, and allowed between
    /// fragments.
    #[inline]
    pub const fn is_control(self) -> bool {
        self as u8 & CONTROL != 0
    }
}

/// One decoded frame header. Its form on the wire (§5.2):
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-------+-+-------------+-------------------------------+
/// |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
/// |I|S|S|S|  (4)  |A|     (7)     |        (16 or 64 bits)        |
/// |N|V|V|V|       |S|             |   (if payload len is 126/127) |
/// | |1|2|3|       |K|             |                               |
/// +-+-+-+-+-------+-+-------------+ - - - - - - - - - - - - - - - +
/// ```
///
/// ```
/// use wirehook::protocol::{FrameHeader, OpCode};
///
/// // §5.7: the start of a single-frame masked text message.
/// let (header, len) = FrameHeader::decode(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d])?.unwrap();
/// assert_eq!(len, 6);
/// assert_eq!(header.opcode, OpCode::Text);
/// assert_eq!(header.masking_key, Some([0x37, 0xfa, 0x21, 0x3d]));
/// assert_eq!(header.payload_len, 5);
///
/// let mut bytes = Vec::new();
/// header.encode(&mut bytes);
/// assert_eq!(bytes, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]);
/// # Ok::<(), wirehook::protocol::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this frame ends its message.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 as the bits 0b100, 0b010 and 0b001.
    pub rsv: u8,
    /// The kind of the frame.
    pub opcode: OpCode,
    /// The key that the payload is masked with (§5.3); clients must have one, servers must not.
    pub masking_key: Option<[u8; 4]>,
    /// Bytes of payload that follow the header; at most 2^63 - 1.
    pub payload_len: u64,
}

impl FrameHeader {
    /// The length of the longest header, in bytes: two, eight of length, four of masking key.
    pub const MAX_LEN: usize = 14;

    /// Returns the header of an unfragmented frame as a server sends it: final, unmasked, no reserved bits.
    ///
    /// ```
    /// use wirehook::protocol::{FrameHeader, OpCode};
    ///
    /// let header = FrameHeader::server(OpCode::Binary, 256);
    /// let mut bytes = Vec::new();
    /// header.encode(&mut bytes);
    /// assert_eq!(bytes, [0x82, 0x7e, 0x01, 0x00]); // §5.7
    /// assert_eq!(header.encoded_len(), 4);
    /// ```
    pub const fn server(opcode: OpCode, payload_len: u64) -> Self {
        Self { fin: true, rsv: 0, opcode, masking_key: None, payload_len }
    }

    /// Decodes the header at the beginning of `bytes`, and returns it with its length.
    ///
    /// `None` means that more bytes are needed. An error is returned at the first byte that shows it, so the
    /// result does not depend on how the bytes were cut.
    ///
    /// # Errors
    ///
    /// The header is invalid for both roles: a reserved opcode, a control frame that is fragmented or over
    /// 125 bytes, a length that is not in its shortest form or over 63 bits.
    ///
    /// ```
    /// use wirehook::protocol::{FrameHeader, ProtocolError};
    ///
    /// // A length of 5 in 16 bits: nothing is wrong before its second byte is there.
    /// let bytes = [0x81, 0xfe, 0x00, 0x05];
    /// assert_eq!(FrameHeader::decode(&bytes[..3]), Ok(None));
    /// assert_eq!(FrameHeader::decode(&bytes), Err(ProtocolError::NonMinimalLength));
    /// ```
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let fin = first & FIN != 0;
        let opcode = OpCode::from_bits(first & OPCODE)?;
        // §5.5: "All control frames … MUST NOT be fragmented."
        if opcode.is_control() && !fin {
            return Err(ProtocolError::FragmentedControl);
        }

        let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
        let short_len = second & LENGTH;
        // §5.5: "All control frames MUST have a payload length of 125 bytes or less".
        if opcode.is_control() && short_len as usize > MAX_CONTROL_PAYLOAD {
            return Err(ProtocolError::ControlTooLong);
        }

        let Some((payload_len, rest)) = decode_length(short_len, rest)? else { return Ok(None) };
        let (masking_key, rest) = if second & MASK != 0 {
            let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (Some(*key), rest)
        } else {
            (None, rest)
        };

        let rsv = (first & RSV) >> 4;
        Ok(Some((Self { fin, rsv, opcode, masking_key, payload_len }, bytes.len() - rest.len())))
    }

    /// Appends the header's bytes to `out`, the length in its shortest form.
    // In a server's sending path only opcode and length vary, and the compiler removes the rest.
    #[inline(always)]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let fin = if self.fin { FIN } else { 0 };
        let mask = if self.masking_key.is_some() { MASK } else { 0 };
        let first = fin | (self.rsv << 4 & RSV) | self.opcode as u8;
        // §5.2: "in all cases, the minimal number of bytes MUST be used to encode the length".
        match self.payload_len {
            len @ 0..=125 => out.extend_from_slice(&[first, mask | len as u8]),
            len @ 126..=0xFFFF => {
                out.extend_from_slice(&[first, mask | LENGTH_IN_16_BITS]);
                out.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                out.extend_from_slice(&[first, mask | LENGTH_IN_64_BITS]);
                out.extend_from_slice(&len.to_be_bytes());
            }
        }
        if let Some(key) = self.masking_key {
            out.extend_from_slice(&key);
        }
    }

    /// Returns how many bytes [`encode`](Self::encode) appends.
    pub const fn encoded_len(&self) -> usize {
        let length = match self.payload_len {
            0..=125 => 0,
            126..=0xFFFF => 2,
            _ => 8,
        };
        2 + length + if self.masking_key.is_some() { 4 } else { 0 }
    }
}

/// Returns whether `bytes` begin with a frame that is no fragment (§5.4): a whole message, or a control
/// frame.
#[inline]
pub(super) fn is_unfragmented(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & FIN != 0 && first & OPCODE != OpCode::Continuation as u8)
}

/// Returns the opcode, the key and the payload's length of the first frame in `bytes`, if it has the form of
/// nearly all small messages: whole, text or binary, no reserved bit, masked, up to 125 bytes. Its header
/// takes [`SHORT_HEADER_LEN`] bytes.
///
/// It refuses nothing: [`FrameHeader::decode`] judges all other frames.
#[inline]
pub(super) fn short_message(bytes: &[u8]) -> Option<(OpCode, [u8; 4], usize)> {
    let [first, second, key @ ..] = bytes.first_chunk::<SHORT_HEADER_LEN>()?;
    let opcode = match *first {
        WHOLE_TEXT => OpCode::Text,
        WHOLE_BINARY => OpCode::Binary,
        _ => return None,
    };
    let len = second & LENGTH;
    (second & MASK != 0 && len < LENGTH_IN_16_BITS).then_some((opcode, *key, len as usize))
}

/// Returns the payload length in `short_len` and the bytes after it, and the rest of those bytes.
#[inline]
fn decode_length(short_len: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    match short_len {
        LENGTH_IN_16_BITS => {
            let Some((bytes, rest)) = rest.split_first_chunk() else { return Ok(None) };
            let len = u16::from_be_bytes(*bytes);
            // §5.2: "the minimal number of bytes MUST be used to encode the length".
            if len < LENGTH_IN_16_BITS as u16 {
                return Err(ProtocolError::NonMinimalLength);
            }
            Ok(Some((len.into(), rest)))
        }
        LENGTH_IN_64_BITS => {
            let Some((bytes, rest)) = rest.split_first_chunk() else { return Ok(None) };
            let len = u64::from_be_bytes(*bytes);
            // §5.2: "a 64-bit unsigned integer (the most significant bit MUST be 0)".
            if len > i64::MAX as u64 {
                return Err(ProtocolError::LengthOver63Bits);
            }
            if len <= u16::MAX as u64 {
                return Err(ProtocolError::NonMinimalLength);
            }
            Ok(Some((len, rest)))
        }
        len => Ok(Some((len.into(), rest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_message_agrees_with_decode_for_all_first_two_bytes() {
        for (first, second) in (0..=255).flat_map(|first| (0..=255).map(move |second| (first, second))) {
            let bytes = [first, second, 1, 2, 3, 4, 5];
            let decoded = match FrameHeader::decode(&bytes) {
                Ok(Some((header, SHORT_HEADER_LEN)))
                    if header.fin
                        && header.rsv == 0
                        && matches!(header.opcode, OpCode::Text | OpCode::Binary)
                        && header.payload_len <= 125 =>
                {
                    header.masking_key.map(|key| (header.opcode, key, header.payload_len as usize))
                }
                _ => None,
            };
            assert_eq!(short_message(&bytes), decoded, "{first:#04x} {second:#04x}");
            assert_eq!(short_message(&bytes[..5]), None, "its key is cut off");
        }
    }
}

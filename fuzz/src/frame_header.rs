//! Invariant: any bytes are a header, the beginning of one, or an error. What is accepted encodes to the same
//! bytes, keeps §5.2 and §5.5, and no fewer bytes would have been enough; more bytes change no verdict.

use wirehook::protocol::{FrameHeader, ProtocolError};

/// Any bytes, taken for the start of a frame.
pub fn body(input: &[u8]) {
    let verdict = FrameHeader::decode(input);
    assert_eq!(verdict.map(|it| it.is_some()), judge(input), "{verdict:?}");
    match verdict {
        Ok(Some((header, len))) => {
            let mut encoded = Vec::with_capacity(FrameHeader::MAX_LEN);
            header.encode(&mut encoded);
            assert_eq!(encoded, input[..len]);
            assert_eq!(header.encoded_len(), len);
            assert_eq!(FrameHeader::decode(&input[..len]), verdict);
            assert_eq!(FrameHeader::decode(&input[..len - 1]), Ok(None));
        }
        Ok(None) => assert!(input.len() < FrameHeader::MAX_LEN),
        Err(_) => {
            let header = &input[..input.len().min(FrameHeader::MAX_LEN)];
            let shown_at = (0..=header.len()).find(|&len| FrameHeader::decode(&header[..len]) != Ok(None));
            let first_verdict = shown_at.map(|len| FrameHeader::decode(&header[..len]));
            assert_eq!(first_verdict, Some(verdict), "the first verdict stays");
        }
    }
}

/// The naive twin: one rule after the other, byte by byte, with numbers instead of bits. Whether the header
/// is complete, or the rule that it breaks.
fn judge(bytes: &[u8]) -> Result<bool, ProtocolError> {
    let Some(&first) = bytes.first() else { return Ok(false) };
    let opcode = first % 16;
    // §5.2: "%x3-7 are reserved for further non-control frames", "%xB-F … control frames".
    if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
        return Err(ProtocolError::ReservedOpCode(opcode));
    }
    // §5.5: "MUST have a payload length of 125 bytes or less and MUST NOT be fragmented."
    if opcode >= 8 && first < 128 {
        return Err(ProtocolError::FragmentedControl);
    }
    let Some(&second) = bytes.get(1) else { return Ok(false) };
    let field = second % 128;
    if opcode >= 8 && field > 125 {
        return Err(ProtocolError::ControlTooLong);
    }
    let extended_len = match field {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(extended) = bytes.get(2..2 + extended_len) else { return Ok(false) };
    let len = extended.iter().fold(0, |len, &octet| len * 256 + u64::from(octet));
    // §5.2: "the most significant bit MUST be 0".
    if extended.first().is_some_and(|&octet| field == 127 && octet >= 128) {
        return Err(ProtocolError::LengthOver63Bits);
    }
    // §5.2: "the minimal number of bytes MUST be used to encode the length".
    if field == 126 && len < 126 || field == 127 && len < 65_536 {
        return Err(ProtocolError::NonMinimalLength);
    }
    let key_len = if second >= 128 { 4 } else { 0 };
    Ok(bytes.len() >= 2 + extended_len + key_len)
}

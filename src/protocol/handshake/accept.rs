//! §1.3 and §4.2.2 The key of a request, and the value that accepts it.
//!
//! This file knows base64 and SHA-1, as far as the handshake needs them.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha1::{Digest, Sha1};

/// §1.3: the string that every server appends to the key.
pub const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// §4.1: the length of a key before it is written in base64.
const KEY_LEN: usize = 16;
/// §4.1: the length of a key in base64.
const ENCODED_KEY_LEN: usize = 24;

/// Base64 with padding (RFC 4648 §4). Bits after the last byte are ignored: RFC 4648 §3.5 allows that, and
/// the key "when base64-decoded, is 16 bytes in length" in either case.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Returns the value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (§4.2.2): base64 of the SHA-1 of key
/// and GUID.
///
/// ```
/// // The example of §1.3.
/// let accept = wirehook::protocol::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &str) -> String {
    BASE64.encode(accept_digest(key))
}

/// Returns the SHA-1 of a `Sec-WebSocket-Key` followed by [`GUID`] (§4.2.2), the step before [`accept_key`].
///
/// ```
/// // §1.3: "0xb3 0x7a 0x4f 0x2c …"
/// let digest = wirehook::protocol::accept_digest("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(digest[..4], [0xb3, 0x7a, 0x4f, 0x2c]);
/// ```
pub fn accept_digest(key: &str) -> [u8; 20] {
    Sha1::new().chain_update(key).chain_update(GUID).finalize().into()
}

/// Returns the `Sec-WebSocket-Key` of a client (§4.1): its nonce of 16 random bytes in base64.
///
/// ```
/// // The example of §1.3.
/// assert_eq!(wirehook::protocol::encode_key(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
/// ```
pub fn encode_key(nonce: [u8; KEY_LEN]) -> String {
    BASE64.encode(nonce)
}

/// Decodes a `Sec-WebSocket-Key`, if it is the base64 of 16 bytes (§4.1).
///
/// ```
/// use wirehook::protocol::decode_key;
///
/// // The example of §1.3.
/// assert_eq!(decode_key(b"dGhlIHNhbXBsZSBub25jZQ==").as_ref(), Some(b"the sample nonce"));
/// assert_eq!(decode_key(b"c2hvcnQ="), None);
/// ```
pub fn decode_key(value: &[u8]) -> Option<[u8; KEY_LEN]> {
    let mut decoded = [0; ENCODED_KEY_LEN];
    if value.len() != ENCODED_KEY_LEN || BASE64.decode_slice(value, &mut decoded) != Ok(KEY_LEN) {
        return None;
    }
    decoded.first_chunk().copied()
}

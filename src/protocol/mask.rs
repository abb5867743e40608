//! §5.3 Client-to-server masking: the payload XOR a key of four bytes, over and over.
//!
//! This file knows the one transformation, which is its own inverse. It does not know where a key comes from
//! and which frames need one. A payload that arrives in pieces is unmasked piece by piece: the key is
//! rotated, so that it starts at the next byte.

/// Masks or unmasks `payload` in place: "transformed-octet-i = original-octet-i XOR
/// masking-key-octet-(i MOD 4)" (§5.3).
///
/// ```
/// use wirehook::protocol::apply_mask;
///
/// let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// apply_mask(&mut payload, [0x37, 0xfa, 0x21, 0x3d]);
/// assert_eq!(&payload, b"Hello");
/// ```
#[inline]
pub fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    // All lengths are multiples of the key's length, so the key is not rotated here. The compiler fills
    // vector registers with the first. Of each other length there is one chunk at most, so a short payload is
    // written in few pieces. Fewer writes make the next read of it faster.
    let rest = mask_chunks::<32>(payload, key);
    let rest = mask_chunks::<16>(rest, key);
    let rest = mask_chunks::<8>(rest, key);
    let rest = mask_chunks::<4>(rest, key);
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Masks as many chunks of `LEN` bytes as there are, and returns the rest.
#[inline]
fn mask_chunks<const LEN: usize>(payload: &mut [u8], key: [u8; 4]) -> &mut [u8] {
    let (chunks, rest) = payload.as_chunks_mut::<LEN>();
    for chunk in chunks {
        let (words, _) = chunk.as_chunks_mut();
        for word in words {
            *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
        }
    }
    rest
}

/// A piece of a payload that is still masked, and the key, which starts at its first byte.
pub(super) struct MaskedPiece<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) key: [u8; 4],
}

impl<'a> MaskedPiece<'a> {
    /// Unmasks the piece in place.
    pub(super) fn unmask(self) -> &'a [u8] {
        apply_mask(self.bytes, self.key);
        self.bytes
    }

    /// Appends the unmasked piece to `out`. Unmasking in place and copying after it would touch each byte
    /// twice.
    pub(super) fn append_to(self, out: &mut Vec<u8>) {
        out.reserve(self.bytes.len());
        let (blocks, rest) = self.bytes.as_chunks::<64>();
        for block in blocks {
            let mut block = *block;
            apply_mask(&mut block, self.key);
            out.extend_from_slice(&block);
        }
        let begin = out.len();
        out.extend_from_slice(rest);
        apply_mask(&mut out[begin..], self.key);
    }
}

/// Returns the key for the next piece, after `len` bytes of the payload were unmasked with `key`.
///
/// ```
/// use wirehook::protocol::{apply_mask, turn_key};
///
/// let key = [1, 2, 3, 4];
/// let mut whole = *b"in two pieces";
/// apply_mask(&mut whole, key);
///
/// let (first, second) = whole.split_at_mut(6);
/// apply_mask(first, key);
/// apply_mask(second, turn_key(key, 6));
/// assert_eq!(&whole, b"in two pieces");
/// ```
pub fn turn_key(mut key: [u8; 4], len: usize) -> [u8; 4] {
    key.rotate_left(len % 4);
    key
}

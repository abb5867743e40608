//! Copies many bytes at a speed that does not depend on their addresses.
//!
//! From some KiB on, the C library's `memcpy` may be a single instruction, `rep movsb`. AMD's Zen 3 and 4
//! execute it at a twentieth of its speed for some positions of source and destination within their pages.
//! Fewer bytes are copied with vector registers, at the same speed for all addresses. So a long copy is done
//! in pieces.

/// The bytes of one piece: fewer than any C library copies with that instruction.
const PIECE: usize = 2048;

/// Appends `bytes` to `out`.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= PIECE { out.extend_from_slice(bytes) } else { append_many(out, bytes) }
}

#[cold]
fn append_many(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len());
    for piece in bytes.chunks(PIECE) {
        out.extend_from_slice(piece);
    }
}

/// Appends `text` to `out`.
pub(super) fn append_text(out: &mut String, mut text: &str) {
    out.reserve(text.len());
    while !text.is_empty() {
        let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE));
        out.push_str(piece);
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_copy_in_pieces_is_whole() {
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 1] {
            let bytes: Vec<u8> = (0..len).map(|it| it as u8).collect();
            let mut out = b"before".to_vec();
            append(&mut out, &bytes);
            assert_eq!(out, [b"before", &bytes[..]].concat(), "{len} bytes");
        }
    }

    #[test]
    fn text_is_cut_between_characters_only() {
        for shift in 0..4 {
            let text = format!("{}{}", "x".repeat(shift), "💬".repeat(PIECE));
            let mut out = String::from("before");
            append_text(&mut out, &text);
            assert_eq!(out, format!("before{text}"));
        }
    }
}

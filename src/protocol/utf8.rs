//! §8.1 Validates text as UTF-8 while it arrives.
//!
//! This file builds a text from pieces that are cut anywhere, even inside a character. It refuses the text at
//! the first byte that no continuation could make valid. It does not know frames and limits. Each byte is
//! validated once: complete characters are appended as a checked `str`, and at most three bytes of an
//! incomplete character wait beside it.

use std::{collections::TryReserveError, str};

use super::copy::append_text;

/// The bytes can't be, or become, UTF-8.
///
/// ```
/// use wirehook::protocol::{InvalidUtf8, TextBuffer};
///
/// // 0xC0 would be a second way to write an ASCII character; UTF-8 has only one.
/// assert_eq!(TextBuffer::default().push(b"\xc0"), Err(InvalidUtf8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

/// A text that is still arriving.
///
/// ```
/// use wirehook::protocol::TextBuffer;
///
/// let mut text = TextBuffer::default();
/// text.push(b"gr\xc3").unwrap(); // cut inside a character
/// assert!(!text.is_complete() && !text.is_empty());
/// assert_eq!((text.as_str(), text.len()), ("gr", 3));
/// text.push(b"\xbc\xc3\x9fe").unwrap();
/// assert!(text.is_complete());
/// assert_eq!(text.as_str(), "grüße");
/// assert!(text.capacity() >= text.len());
/// assert!(text.push(b"\xff").is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct TextBuffer {
    text: String,
    /// The bytes of an incomplete character.
    open: [u8; 4],
    open_len: u8,
}

impl TextBuffer {
    /// Appends a piece.
    ///
    /// # Errors
    ///
    /// The piece contains a byte that no valid text has there. Earlier pieces stay.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), InvalidUtf8> {
        let piece = self.complete_open_character(piece)?;
        let (complete, open) = piece.split_at(piece.len() - open_suffix(piece));
        append_text(&mut self.text, validate(complete)?);
        if !open.is_empty() {
            check_prefix(open)?;
            self.open[..open.len()].copy_from_slice(open);
            self.open_len = open.len() as u8;
        }
        Ok(())
    }

    /// Returns whether the text ends between two characters, as a whole message must.
    pub fn is_complete(&self) -> bool {
        self.open_len == 0
    }

    /// Returns the complete characters so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the complete characters, without a copy.
    ///
    /// ```
    /// # use wirehook::protocol::TextBuffer;
    /// let mut text = TextBuffer::default();
    /// text.push("grüße".as_bytes()).unwrap();
    /// assert_eq!(text.into_string(), "grüße");
    /// ```
    pub fn into_string(self) -> String {
        self.text
    }

    /// Returns the bytes of a character that is not complete yet.
    #[cfg(feature = "deflate")]
    pub(super) fn open(&self) -> &[u8] {
        &self.open[..self.open_len as usize]
    }

    /// Returns the number of bytes, with those of an incomplete character.
    pub fn len(&self) -> usize {
        self.text.len() + self.open_len as usize
    }

    /// Returns the number of allocated bytes.
    pub fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Allocates memory for `capacity` bytes in total.
    pub(super) fn grow_to(&mut self, capacity: usize) -> Result<(), TryReserveError> {
        self.text.try_reserve_exact(capacity - self.text.len())
    }

    /// Returns whether no byte was pushed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds bytes to the incomplete character, three at most; returns the rest of `piece`.
    fn complete_open_character<'a>(&mut self, mut piece: &'a [u8]) -> Result<&'a [u8], InvalidUtf8> {
        while !self.is_complete() {
            let Some((&byte, rest)) = piece.split_first() else { break };
            piece = rest;
            self.open[self.open_len as usize] = byte;
            self.open_len += 1;
            let character = &self.open[..self.open_len as usize];
            if let Ok(character) = str::from_utf8(character) {
                self.text.push_str(character);
                self.open_len = 0;
            } else {
                check_prefix(character)?;
            }
        }
        Ok(piece)
    }
}

/// Returns `bytes` as text.
///
/// With the feature `simdutf8`, that crate checks many bytes at once, which is faster for long texts beyond
/// ASCII.
///
/// # Errors
///
/// The bytes are not UTF-8.
#[inline]
pub(super) fn validate(bytes: &[u8]) -> Result<&str, InvalidUtf8> {
    #[cfg(feature = "simdutf8")]
    return simdutf8::basic::from_utf8(bytes).map_err(|_| InvalidUtf8);
    #[cfg(not(feature = "simdutf8"))]
    str::from_utf8(bytes).map_err(|_| InvalidUtf8)
}

/// Checks that more bytes could still make `bytes` valid: only its last character may be incomplete.
///
/// # Errors
///
/// There is an impossible byte.
///
/// ```
/// use wirehook::protocol::check_prefix;
///
/// assert!(check_prefix(b"\xe2\x82").is_ok()); // 0xAC would make it the sign for euro
/// assert!(check_prefix(b"\xe2\x28").is_err()); // no byte would make it anything
/// ```
pub fn check_prefix(bytes: &[u8]) -> Result<(), InvalidUtf8> {
    match str::from_utf8(bytes) {
        Err(error) if error.error_len().is_some() => Err(InvalidUtf8),
        _ => Ok(()),
    }
}

/// Returns how many bytes at the end of `piece` begin a character that `piece` does not finish: 0 to 3.
fn open_suffix(piece: &[u8]) -> usize {
    for (distance, &byte) in (1..=3).zip(piece.iter().rev()) {
        let character_len = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            0x00..=0x7F => 1,
        };
        return if character_len > distance { distance } else { 0 };
    }
    0
}

//! How bytes are written down: hex in its many spellings, and base64.
//!
//! This file knows spellings. It refuses to know what the bytes mean.

/// Reads hex: `81 05`, `8105`, `0x81, 0x05`, `81:05`, `\x81\x05`, over as many lines as it likes.
pub(super) fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let is_separator = |it: char| it.is_whitespace() || ",;:\\".contains(it);
    let mut bytes = Vec::new();
    for word in text.split(is_separator) {
        let digits = ["0x", "0X", "x"].iter().find_map(|prefix| word.strip_prefix(prefix)).unwrap_or(word);
        if digits.len() % 2 != 0 || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Err(format!("'{}' is no hex with two digits for each byte", word.escape_debug()));
        }
        bytes.extend(digits.as_bytes().chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])));
    }
    Ok(bytes)
}

/// The value of a hex digit, which it is.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Reads base64 (RFC 4648 §4), also with the letters that are safe in URLs (§5), with or without padding, over as
/// many lines as it likes.
pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut bits: u32 = 0;
    let mut bit_count = 0;
    for character in text.chars().filter(|it| !it.is_whitespace() && *it != '=') {
        let sextet = sextet(character).ok_or_else(|| format!("{character:?} is no letter of base64"))?;
        bits = bits << 6 | sextet;
        bit_count += 6;
        if bit_count >= 8 {
            bit_count -= 8;
            bytes.push((bits >> bit_count) as u8);
        }
    }
    // A lone letter at the end is less than a byte.
    if bit_count == 6 { Err("base64 that ends inside a byte".to_owned()) } else { Ok(bytes) }
}

fn sextet(character: char) -> Option<u32> {
    Some(match character {
        'A'..='Z' => character as u32 - 'A' as u32,
        'a'..='z' => character as u32 - 'a' as u32 + 26,
        '0'..='9' => character as u32 - '0' as u32 + 52,
        '+' | '-' => 62,
        '/' | '_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_in_many_spellings() {
        for text in ["81 05 fF", "8105FF", "0x81, 0x05, 0Xff", "81:05:ff", "\\x81\\x05\\xff", "8105\n  ff\n"]
        {
            assert_eq!(from_hex(text), Ok(vec![0x81, 0x05, 0xff]), "{text}");
        }
        assert_eq!(from_hex(" "), Ok(vec![]));
        for text in ["8", "81 5", "8g", "hello", "ß1", "0x"] {
            assert_eq!(from_hex(text).is_err(), text != "0x", "{text}");
        }
    }

    #[test]
    fn base64_is_read_with_both_alphabets() {
        // RFC 4648 §10
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg", b"foob"),
            ("Zm9v\nYmE=\n", b"fooba"),
            ("+/-_", b"\xfb\xff\xbf"),
        ] {
            assert_eq!(from_base64(text).as_deref(), Ok(bytes), "{text}");
        }
        assert!(from_base64("Zm9vY").is_err() && from_base64("Zm!v").is_err());
    }
}

//! The spellings of bytes: hex, hex dumps and base64.
//!
//! This file knows spellings. It does not know what the bytes mean.

/// Reads hex, on one or several lines: `81 05`, `8105`, `0x81, 0x05`, `81:05`, `\x81\x05`.
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

/// Reads the output of `xxd`, `hexdump -C`, `od -A x -t x1` and Wireshark: per line an offset, bytes in hex,
/// and optionally the bytes as text. Returns `None` if the text is no such dump or lines are missing.
pub(super) fn from_dump(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    // One blank after the offset can belong to the next byte. Then only a closing offset decides.
    let (mut is_sure, mut is_closed) = (false, false);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (offset, rest) = line.split_at(line.find([':', ' ']).unwrap_or(line.len()));
        if is_closed || offset.len() < 4 || usize::from_str_radix(offset, 16) != Ok(bytes.len()) {
            return None;
        }
        is_closed = rest.is_empty();
        is_sure |= rest.starts_with(':') || rest.starts_with("  ");
        bytes.extend(from_hex(hex_column(rest)).ok()?);
    }
    (is_sure || is_closed && !bytes.is_empty()).then_some(bytes)
}

/// Returns the hex bytes of a dump's line, without its offset and its text column.
fn hex_column(rest: &str) -> &str {
    let (rest, gap) = match rest.strip_prefix(':') {
        // xxd has groups with one blank between.
        Some(rest) => (rest, "  "),
        None => (rest.split('|').next().unwrap_or_default(), "   "),
    };
    let rest = rest.trim();
    rest.split(gap).next().unwrap_or_default()
}

/// Returns the value of a hex digit.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Reads base64 (RFC 4648 §4) or its URL-safe alphabet (§5), with or without padding, on one or several
/// lines.
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
    // One letter alone at the end is less than a byte.
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
    fn dumps_are_read_without_their_text_column() {
        let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58abcdefg";
        for dump in [
            "00000000: 8185 37fa 213d 7f9f 4d51 5861 6263 6465  ..7.!=..MQXabcde\n00000010: 6667                                     fg\n",
            "00000000  81 85 37 fa 21 3d 7f 9f  4d 51 58 61 62 63 64 65  |..7.!=..MQXabcde|\n\
             00000010  66 67                                             |fg|\n00000012\n",
            "000000 81 85 37 fa 21 3d 7f 9f 4d 51 58 61 62 63 64 65\n000010 66 67\n000012\n",
            "0000   81 85 37 fa 21 3d 7f 9f 4d 51 58 61 62 63 64 65   ..7.!=..MQXabcde\r\n0010   66 67   fg\r\n",
        ] {
            assert_eq!(from_dump(dump).as_deref(), Some(&hello[..]), "{dump}");
        }
        // Text columns that could be hex.
        assert_eq!(from_dump("00000000: 6162 6364  abcd\n").as_deref(), Some(&b"abcd"[..]));
        // A missing line, no offsets, and no text.
        let missing = "00000000: 8185\n00000010: 6667\n";
        for text in
            [missing, "00000000  00 00\n*\n00000020\n", "8185 37fa\n213d\n", "0000 8105\n", "0000\n", ""]
        {
            assert_eq!(from_dump(text), None, "{text}");
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

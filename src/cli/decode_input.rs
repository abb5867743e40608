//! The input of `decode`: where the bytes come from, and how they are spelled.
//!
//! This file knows files, arguments and standard input, and the errors for an input without bytes. It does
//! not know what the bytes mean.

use std::{
    ffi::OsString,
    fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use super::{bytes, capture::Beginning};

/// Names standard input in place of a file.
const STANDARD: &str = "-";

/// The first bytes of compressed files, the name of the compression, and the command that decompresses it.
const COMPRESSED: [(&[u8], &str, &str); 6] = [
    (b"\x1f\x8b", "gzip", "gunzip -c"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstdcat"),
    (b"\xfd7zXZ\0", "xz", "xzcat"),
    (b"BZh", "bzip2", "bzcat"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4cat"),
    (b"PK\x03\x04", "zip", "unzip -p"),
];

/// The options about the input.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) words: Vec<OsString>,
    pub(super) file: Option<PathBuf>,
    pub(super) is_base64: bool,
    /// Whether an option names the side that sent the bytes, so that a text counts as bytes too.
    pub(super) is_sure: bool,
}

impl Input {
    /// Returns the bytes; none if standard input is a terminal and nothing else is given.
    ///
    /// # Errors
    ///
    /// The bytes can't be read or can't be explained; the error is one sentence.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, String> {
        let bytes = match (&self.file, &self.words[..]) {
            (Some(_), [_, ..]) => return Err("give either --file or bytes, not both".to_owned()),
            (Some(path), []) => self.bytes_of_file(path)?,
            (None, []) if io::stdin().is_terminal() => return Ok(Vec::new()),
            (None, []) => self.bytes_of_file(Path::new(STANDARD))?,
            (None, [word]) if word == STANDARD || Path::new(word).exists() => {
                self.bytes_of_file(Path::new(word))?
            }
            (None, words) => self.bytes_of_words(words)?,
        };
        match COMPRESSED.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
            Some((_, by, with)) => Err(format!(
                "this is compressed by {by}: unpack it first, as in '{with} FILE | wirehook decode -'"
            )),
            None => Ok(bytes),
        }
    }

    fn bytes_of_file(&self, path: &Path) -> Result<Vec<u8>, String> {
        let content = if path == Path::new(STANDARD) {
            let mut content = Vec::new();
            io::stdin().read_to_end(&mut content).map(|_| content)
        } else {
            fs::read(path)
        };
        let name = if path == Path::new(STANDARD) { "standard input".into() } else { path.to_string_lossy() };
        self.bytes_of_content(content.map_err(|error| format!("cannot read {name}: {error}"))?)
    }

    fn bytes_of_words(&self, words: &[OsString]) -> Result<Vec<u8>, String> {
        let text: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let text = text.join(" ");
        let bytes = if self.is_base64 { bytes::from_base64(&text) } else { bytes::from_hex(&text) };
        bytes.map_err(|problem| match words.iter().find(|word| Path::new(word).exists()) {
            Some(file) => format!(
                "decode takes one file or bytes in hex, and {} is one of several words",
                Path::new(file).display()
            ),
            None if looks_like_base64(&text) && !self.is_base64 => {
                format!("{problem}; it may be base64: try --base64")
            }
            None if words.len() == 1 => format!("there is no file of that name, and {problem}"),
            None => problem,
        })
    }

    /// Reads text in one of the spellings; other content is the bytes themselves. No frame begins with a
    /// letter or digit: it would have reserved bits.
    fn bytes_of_content(&self, content: Vec<u8>) -> Result<Vec<u8>, String> {
        let content = if self.is_sure { content } else { without_mark(content)? };
        match str::from_utf8(&content) {
            Ok(text) if self.is_base64 => bytes::from_base64(text),
            Err(_) if self.is_base64 => Err("this is no base64".to_owned()),
            Ok(text) => match bytes::from_dump(text).or_else(|| bytes::from_hex(text).ok()) {
                Some(bytes) => Ok(bytes),
                None if self.is_sure || Beginning::of(&content).is_head() || !is_prose(text) => Ok(content),
                None if looks_like_base64(text) => Err("this may be base64: try --base64".to_owned()),
                None => Err("this is text: neither hex, nor a dump of bytes, nor a request or a response; say --client \
                             or --server if these are the bytes themselves"
                    .to_owned()),
            },
            Err(_) => Ok(content),
        }
    }
}

/// Removes a byte order mark, and decodes the encoding that it names.
fn without_mark(mut content: Vec<u8>) -> Result<Vec<u8>, String> {
    let units = |of: fn([u8; 2]) -> u16| -> Vec<u16> {
        content[2..].chunks_exact(2).map(|it| of([it[0], it[1]])).collect()
    };
    let text = match content[..] {
        [0xEF, 0xBB, 0xBF, ..] => return Ok(content.split_off(3)),
        [0xFF, 0xFE, ..] => String::from_utf16(&units(u16::from_le_bytes)),
        [0xFE, 0xFF, ..] => String::from_utf16(&units(u16::from_be_bytes)),
        _ => return Ok(content),
    };
    text.map(String::into_bytes).map_err(|_| "this begins as UTF-16 does, and is none".to_owned())
}

/// Returns whether this text is prose: only printable characters, blanks and line ends.
fn is_prose(text: &str) -> bool {
    let is_blank = |it: char| matches!(it, ' ' | '\t' | '\r' | '\n');
    text.starts_with(|it: char| !it.is_control()) && text.chars().all(|it| is_blank(it) || !it.is_control())
}

fn looks_like_base64(text: &str) -> bool {
    let text = text.trim_end();
    let letters = text.bytes().filter(|it| !it.is_ascii_whitespace()).count();
    letters >= 8 && letters.is_multiple_of(4) && !text.contains(' ') && bytes::from_base64(text).is_ok()
}

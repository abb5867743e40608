//! Text under construction: labels, bytes in hex, prose, and optional colours.
//!
//! This file knows the look of a line, not its content. It escapes all text of a peer, so that no peer
//! controls a terminal.

use std::fmt::Write;

/// The column of values, after their labels.
const LABEL: usize = 12;
/// Bytes per line.
const PER_LINE: usize = 16;
/// Lines of bytes; the rest is only counted.
const MAX_LINES: usize = 4;
/// Characters of a text; the rest is left out.
const MAX_TEXT: usize = 160;
/// The column at which lines of prose end.
const WIDTH: usize = 80;

/// The kind of a piece of text, which determines its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Title,
    Label,
    Bytes,
    Text,
    Good,
    Bad,
}

impl Ink {
    /// ECMA-48, 8.3.117: returns the parameters of "select graphic rendition".
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Title => "1",
            Self::Label => "2",
            Self::Bytes => "36",
            Self::Text => "33",
            Self::Good => "32",
            Self::Bad => "1;31",
        }
    }
}

/// A text under construction.
#[derive(Debug)]
pub(super) struct TextPage {
    text: String,
    has_colours: bool,
}

impl TextPage {
    pub(super) fn new(has_colours: bool) -> Self {
        Self { text: String::new(), has_colours }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// Writes `text` in a colour. Trailing blanks get no colour, so that `end_line` can remove them.
    pub(super) fn put(&mut self, ink: Ink, text: &str) {
        let (inked, blanks) = text.split_at(text.trim_end_matches(' ').len());
        if self.has_colours && ink != Ink::Plain && !inked.is_empty() {
            let _ = write!(self.text, "\x1b[{}m{inked}\x1b[0m", ink.code());
        } else {
            self.text.push_str(inked);
        }
        self.text.push_str(blanks);
    }

    /// Ends the line, without trailing blanks.
    pub(super) fn end_line(&mut self) {
        let len = self.text.trim_end_matches(' ').len();
        self.text.truncate(len);
        self.text.push('\n');
    }

    pub(super) fn title(&mut self, ink: Ink, title: &str) {
        self.put(ink, title);
        self.end_line();
    }

    /// Adds `  label       value`.
    pub(super) fn row(&mut self, label: &str, ink: Ink, value: &str) {
        self.label(label);
        self.put(ink, value);
        self.end_line();
    }

    /// Adds a peer's text, in quotes.
    pub(super) fn text_row(&mut self, label: &str, text: &[u8]) {
        self.row(label, Ink::Text, &quoted(text));
    }

    /// Adds bytes in hex, sixteen per line; `total` is the number of all bytes.
    pub(super) fn bytes_rows(&mut self, label: &str, bytes: &[u8], total: u64) {
        let shown = &bytes[..bytes.len().min(PER_LINE * MAX_LINES)];
        let mut label = label;
        for line in shown.chunks(PER_LINE) {
            self.row(label, Ink::Bytes, &spaced_hex(line));
            label = "";
        }
        match total.saturating_sub(shown.len() as u64) {
            0 => {}
            1 => self.row("", Ink::Label, "… and one byte more"),
            more => self.row("", Ink::Label, &format!("… and {more} bytes more")),
        }
    }

    /// Adds prose after a label, on as many lines as needed.
    pub(super) fn prose(&mut self, label: &str, prose: &str) {
        let mut line = String::new();
        let mut label = label;
        for word in prose.split(' ') {
            if !line.is_empty() && 2 + LABEL + line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.row(label, Ink::Plain, &line);
                label = "";
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.row(label, Ink::Plain, &line);
    }

    fn label(&mut self, label: &str) {
        self.text.push_str("  ");
        self.put(Ink::Label, label);
        self.text.extend(std::iter::repeat_n(' ', LABEL.saturating_sub(label.chars().count())));
    }
}

/// Returns bytes as `81 85 37`.
pub(super) fn spaced_hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(3 * bytes.len());
    for byte in bytes {
        let gap = if digits.is_empty() { "" } else { " " };
        let _ = write!(digits, "{gap}{byte:02x}");
    }
    digits
}

/// Returns text in quotes, cut, with all characters escaped that a terminal would interpret.
pub(super) fn quoted(text: &[u8]) -> String {
    let mut quoted = "\"".to_owned();
    let mut shown = 0;
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            if shown == MAX_TEXT {
                return quoted + "\"…";
            }
            escape(character, &mut quoted);
            shown += 1;
        }
        for byte in chunk.invalid() {
            let _ = write!(quoted, "\\x{byte:02x}");
            shown += 1;
        }
    }
    quoted + "\""
}

/// Returns a line of a head, cut and escaped.
pub(super) fn line(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars().take(MAX_TEXT) {
        match character {
            '"' => line.push('"'),
            it => escape(it, &mut line),
        }
    }
    if text.chars().nth(MAX_TEXT).is_some() {
        line.push('…');
    }
    line
}

fn escape(character: char, out: &mut String) {
    match character {
        '\'' => out.push('\''),
        it => out.extend(it.escape_debug()),
    }
}

//! A page of text in the making: labels, bytes in hex, words, and colours if there are any.
//!
//! This file knows the look of a line. It refuses to know what stands in it. Whatever comes from a peer is escaped
//! here, so that nobody can steer a terminal by what they send.

use std::fmt::Write;

/// Where values begin, behind their labels.
const LABEL: usize = 12;
/// Bytes in one line.
const PER_LINE: usize = 16;
/// Lines of bytes before the rest is only counted.
const MAX_LINES: usize = 4;
/// Characters of a text before the rest is left out.
const MAX_TEXT: usize = 160;
/// Where lines of prose end.
const WIDTH: usize = 80;

/// What a piece of text is, which decides its colour.
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
    /// ECMA-48, 8.3.117: the parameters of "select graphic rendition".
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

/// Text under way.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    has_colours: bool,
}

impl Page {
    pub(super) fn new(has_colours: bool) -> Self {
        Self { text: String::new(), has_colours }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// Writes `text` in a colour. Blanks at its end have none, so that the end of a line finds them.
    pub(super) fn put(&mut self, ink: Ink, text: &str) {
        let (inked, blanks) = text.split_at(text.trim_end_matches(' ').len());
        if self.has_colours && ink != Ink::Plain && !inked.is_empty() {
            let _ = write!(self.text, "\x1b[{}m{inked}\x1b[0m", ink.code());
        } else {
            self.text.push_str(inked);
        }
        self.text.push_str(blanks);
    }

    /// Ends the line, without blanks at its end.
    pub(super) fn end_line(&mut self) {
        let len = self.text.trim_end_matches(' ').len();
        self.text.truncate(len);
        self.text.push('\n');
    }

    pub(super) fn title(&mut self, ink: Ink, title: &str) {
        self.put(ink, title);
        self.end_line();
    }

    /// `  label       value`
    pub(super) fn row(&mut self, label: &str, ink: Ink, value: &str) {
        self.label(label);
        self.put(ink, value);
        self.end_line();
    }

    /// A text of a peer's, in quotes.
    pub(super) fn text_row(&mut self, label: &str, text: &[u8]) {
        self.row(label, Ink::Text, &quoted(text));
    }

    /// Bytes in hex, sixteen a line; `total` says how many there are in all.
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

    /// Prose behind a label, over as many lines as it takes.
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

/// `81 85 37`
pub(super) fn spaced_hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(3 * bytes.len());
    for byte in bytes {
        let gap = if digits.is_empty() { "" } else { " " };
        let _ = write!(digits, "{gap}{byte:02x}");
    }
    digits
}

/// Text in quotes, cut, with everything escaped that a terminal would not just show.
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

/// A line of a head, cut and escaped.
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

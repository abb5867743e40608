//! The difference between an answer and the recorded one, as text.
//!
//! This file knows which headers depend on the moment, and prints bytes in hex and explained. It does not
//! know how they were received. No byte of a server reaches the terminal unescaped.

use std::fmt;

use wirehook::{
    Limits,
    explain::{Explainer, Side},
};

/// How many of the differing bytes are shown.
pub(super) const SHOWN: usize = 64;

/// Headers that depend on the moment of the response.
const OF_THE_MOMENT: [&str; 4] = ["age", "date", "expires", "last-modified"];

/// The first difference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    what: String,
    /// Lines that begin with `-` for the recording and with `+` for the answer.
    details: Vec<String>,
}

impl Difference {
    /// Compares two response heads; `None` if they are equal.
    pub(super) fn of_heads(recorded: &[u8], received: &[u8]) -> Option<Self> {
        let (recorded, received) = (Head::of(recorded), Head::of(received));
        if recorded == received {
            return None;
        }
        let mut details = Vec::new();
        if recorded.status != received.status {
            details.extend([format!("- {}", recorded.status), format!("+ {}", received.status)]);
        }
        details
            .extend(recorded.fields.iter().filter(|it| !received.fields.contains(it)).map(|it| it.line('-')));
        details
            .extend(received.fields.iter().filter(|it| !recorded.fields.contains(it)).map(|it| it.line('+')));
        // The same lines, but one is repeated, or two of one name have another order.
        if details.is_empty() {
            details.extend(recorded.fields.iter().map(|it| it.line('-')));
            details.extend(received.fields.iter().map(|it| it.line('+')));
        }
        Some(Self { what: "the response differs".to_owned(), details })
    }

    /// Returns a difference that shows the recorded bytes, if any, beside the answer's.
    pub(super) fn of_bytes(what: &str, recorded: &[u8], received: &[u8]) -> Self {
        let details = [shown('-', "recorded", recorded), shown('+', "came", received)];
        Self { what: what.to_owned(), details: details.concat() }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "differs: {}", self.what)?;
        self.details.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A response head in the form in which it is compared.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: String,
    /// Sorted by name; fields of one name keep their order (RFC 9110 §5.3).
    fields: Vec<Field>,
}

#[derive(Debug, PartialEq, Eq)]
struct Field {
    /// In lower case.
    name: String,
    value: String,
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        let text = bytes.trim_ascii_end().escape_ascii().to_string();
        let mut lines = text.split("\\r\\n");
        let status = lines.next().unwrap_or_default().to_owned();
        let mut fields: Vec<_> = lines.map(Field::of).collect();
        fields.retain(|it| !OF_THE_MOMENT.contains(&it.name.as_str()));
        fields.sort_by(|one, other| one.name.cmp(&other.name));
        Self { status, fields }
    }
}

impl Field {
    fn of(line: &str) -> Self {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        Self { name: name.to_ascii_lowercase(), value: value.trim().to_owned() }
    }

    fn line(&self, mark: char) -> String {
        format!("{mark} {}: {}", self.name, self.value)
    }
}

/// Returns bytes of a server in hex, and their explanation.
fn shown(mark: char, whose: &str, bytes: &[u8]) -> Vec<String> {
    let hex: Vec<_> = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let hex = if bytes.is_empty() { "nothing".to_owned() } else { hex.join(" ") };
    let more = if bytes.len() > SHOWN { format!(" … ({} bytes)", bytes.len()) } else { String::new() };
    let mut lines = vec![format!("{mark} {whose}: {hex}{more}")];
    if bytes.starts_with(b"HTTP/") {
        // A response can arrive where none was recorded.
        lines.push(format!("    {}", bytes[..bytes.len().min(SHOWN)].escape_ascii()));
        return lines;
    }
    let mut explainer = Explainer::of_frames(&Limits::default());
    // Only the first frame: the frames after it differ for the same reason, and there can be millions of
    // them.
    let step = explainer.next_step(Side::Server, &mut &*bytes);
    for step in step.map_or_else(|| explainer.end(), |step| vec![step]) {
        lines.extend(step.to_string().lines().map(|line| format!("    {line}").trim_end().to_owned()));
    }
    lines
}

//! How an answer differs from the recorded one, for people.
//!
//! This file knows which headers are of the moment, and how bytes are shown: in hex, and explained. It refuses to
//! know how they were come by. Nothing that a server says reaches the terminal as it is.

use std::fmt;

use wirehook::{
    Limits,
    explain::{Explainer, Side},
};

/// How many bytes are shown of what differs.
pub(super) const SHOWN: usize = 64;

/// Headers that tell of the moment at which a response was made.
const OF_THE_MOMENT: [&str; 4] = ["age", "date", "expires", "last-modified"];

/// The first difference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    what: String,
    /// Lines that begin with `-` for what was recorded and with `+` for what came.
    details: Vec<String>,
}

impl Difference {
    /// Compares two response heads.
    pub(super) fn of_heads(recorded: &[u8], came: &[u8]) -> Option<Self> {
        let (recorded, came) = (Head::of(recorded), Head::of(came));
        if recorded == came {
            return None;
        }
        let mut details = Vec::new();
        if recorded.status != came.status {
            details.extend([format!("- {}", recorded.status), format!("+ {}", came.status)]);
        }
        details.extend(recorded.fields.iter().filter(|it| !came.fields.contains(it)).map(|it| it.line('-')));
        details.extend(came.fields.iter().filter(|it| !recorded.fields.contains(it)).map(|it| it.line('+')));
        // The same lines, but one twice, or two of one name in another order.
        if details.is_empty() {
            details.extend(recorded.fields.iter().map(|it| it.line('-')));
            details.extend(came.fields.iter().map(|it| it.line('+')));
        }
        Some(Self { what: "the response differs".to_owned(), details })
    }

    /// Shows what was recorded, which may be nothing, beside what came.
    pub(super) fn of_bytes(what: &str, recorded: &[u8], came: &[u8]) -> Self {
        let details = [shown('-', "recorded", recorded), shown('+', "came", came)];
        Self { what: what.to_owned(), details: details.concat() }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "differs: {}", self.what)?;
        self.details.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A response head as it is compared.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: String,
    /// In the order of their names; those of one name as they came (RFC 9110 §5.3).
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

/// Some bytes of a server in hex, and what they mean.
fn shown(mark: char, whose: &str, bytes: &[u8]) -> Vec<String> {
    let hex: Vec<_> = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let hex = if bytes.is_empty() { "nothing".to_owned() } else { hex.join(" ") };
    let more = if bytes.len() > SHOWN { format!(" … ({} bytes)", bytes.len()) } else { String::new() };
    let mut lines = vec![format!("{mark} {whose}: {hex}{more}")];
    if bytes.starts_with(b"HTTP/") {
        // Where no response was recorded, one may come.
        lines.push(format!("    {}", bytes[..bytes.len().min(SHOWN)].escape_ascii()));
        return lines;
    }
    let mut explainer = Explainer::of_frames(&Limits::default());
    // After a frame that differs there may be others, which differ for its sake. There may be millions of them.
    let step = explainer.next_step(Side::Server, &mut &*bytes);
    for step in step.map_or_else(|| explainer.end(), |step| vec![step]) {
        lines.extend(step.to_string().lines().map(|line| format!("    {line}").trim_end().to_owned()));
    }
    lines
}

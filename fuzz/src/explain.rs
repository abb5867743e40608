//! Invariant: however the bytes of both sides are cut, the explanation is the same; each byte belongs to one
//! step or is reported as left over; what is held has a limit, and what is printed has no character that
//! steers a terminal.

use wirehook::{
    Limits,
    explain::{Explainer, Side, Step},
};

use super::{cut, plan::Plan};

/// The limits of the server that is looked at, in bytes.
const LIMIT: usize = 1000;

/// Two heads, of which a request is kept twice, and a message.
const MAX_MEMORY: usize = 3 * LIMIT + LIMIT;

/// The longest text of one step, beside what its bytes need.
const MAX_TEXT: usize = 32 * 1024;

/// Whether the connection begins with its heads; how the bytes are cut; then turns: a byte with the side in
/// its top bit and a length (127 means that two bytes of length follow), and the bytes that it sends.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let has_heads = plan.byte() % 2 == 0;
    let lengths = cut::read(&mut plan);
    let turns = read_turns(&mut plan);
    let exact = explain(&turns, has_heads, &[1]);
    assert_eq!(explain(&turns, has_heads, &[]), exact, "whole, and byte by byte");
    assert_eq!(explain(&turns, has_heads, &lengths), exact, "cut into {lengths:?}, and byte by byte");
    exact.iter().for_each(check);
    for side in [Side::Client, Side::Server] {
        let sent: usize = turns.iter().filter(|turn| turn.0 == side).map(|turn| turn.1.len()).sum();
        let told: u64 = exact.iter().map(|step| length_of(step, side)).sum();
        assert_eq!(told, sent as u64, "bytes of the {}: {exact:#?}", side.name());
    }
}

fn read_turns<'a>(plan: &mut Plan<'a>) -> Vec<(Side, &'a [u8])> {
    let mut turns = Vec::new();
    while !plan.is_over() {
        let first = plan.byte();
        let side = if first & 0x80 == 0 { Side::Client } else { Side::Server };
        let len = match first & 0x7F {
            127 => plan.number().into(),
            len => len.into(),
        };
        turns.push((side, plan.bytes(len)));
    }
    turns
}

/// All steps, to the end of both directions.
fn explain(turns: &[(Side, &[u8])], has_heads: bool, lengths: &[usize]) -> Vec<Step> {
    let mut limits = Limits::default();
    limits.max_message_size = LIMIT;
    limits.max_header_size = LIMIT;
    let mut explainer = if has_heads { Explainer::new(&limits) } else { Explainer::of_frames(&limits) };
    let mut steps = Vec::new();
    for (side, bytes) in turns {
        let mut start = 0;
        for end in cut::ends(bytes.len(), lengths) {
            steps.extend(explainer.explain(*side, &bytes[start..end]));
            assert!(explainer.memory() <= MAX_MEMORY, "{} bytes are held", explainer.memory());
            start = end;
        }
    }
    steps.extend(explainer.end());
    steps
}

/// How many bytes of `side` a step is about.
fn length_of(step: &Step, side: Side) -> u64 {
    let (from, len) = match step {
        Step::Request(request) => (Side::Client, request.length),
        Step::Response(response) => (Side::Server, response.length),
        Step::Body(body) => (body.from, body.length),
        Step::Frame(step) => (step.from, step.frame.len()),
        Step::Broken(broken) => (broken.from, broken.frame.len()),
        Step::End(leftover) => (leftover.from, leftover.unread),
    };
    if from == side { len } else { 0 }
}

/// What a step looks like.
fn check(step: &Step) {
    let (text, coloured, json) = (step.to_string(), step.in_colour(), step.json());
    let bytes = length_of(step, Side::Client) + length_of(step, Side::Server);
    for text in [&text, &json] {
        assert!(text.len() as u64 <= MAX_TEXT as u64 + 16 * bytes, "{} bytes of text", text.len());
    }
    assert!(text.chars().all(|it| it == '\n' || is_harmless(it)), "{text:?}");
    assert!(json.chars().all(is_harmless), "{json:?}");
    assert!(json.starts_with('{') && json.ends_with('}') && quotes_match(&json), "{json}");
    assert_eq!(without_colour(&coloured), text);
}

/// Neither a control character nor one that turns the direction of the line.
fn is_harmless(it: char) -> bool {
    !it.is_control()
        && !matches!(it, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether every string of a JSON text ends, and every bracket outside of them is closed in its order.
fn quotes_match(json: &str) -> bool {
    let (mut open, mut in_string, mut is_escaped) = (Vec::new(), false, false);
    for it in json.bytes() {
        match it {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => open.push(it),
            b'}' if open.pop() != Some(b'{') => return false,
            b']' if open.pop() != Some(b'[') => return false,
            _ => {}
        }
    }
    !in_string && open.is_empty()
}

/// A text without the sequences ESC `[` … `m`.
fn without_colour(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest))
}

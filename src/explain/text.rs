//! §5.2 A step as text for people: the header's diagram with its bits, and the consequences.
//!
//! This file knows the content and its order. It does not know how a line looks.

use std::{fmt, ops::RangeInclusive};

use crate::protocol::{CloseCode, CloseFrame, GUID, OpCode};

use super::{
    AcceptKey, BodyStep, BrokenRule, Check, Frame, FrameStep, Leftover, RequestStep, ResponseStep, State,
    Step,
    page::{self, Ink, TextPage, quoted, spaced_hex},
};

/// The first two bytes of §5.2's diagram.
const NAMES: [&str; 4] = [
    "|F|R|R|R| opcode|M| Payload len |",
    "|I|S|S|S|  (4)  |A|     (7)     |",
    "|N|V|V|V|       |S|             |",
    "| |1|2|3|       |K|             |",
];
/// The line above and below.
const BORDER: &str = "+-+-+-+-+-------+-+-------------+";

/// The longest payload that is shown together with its repeated key.
const MASK_SHOWN: usize = 16;

impl Step {
    /// Returns the text of [`to_string`](ToString::to_string) in colours (ECMA-48), for a terminal.
    ///
    /// ```
    /// use wirehook::{Limits, explain::{Explainer, Side}};
    ///
    /// let mut explainer = Explainer::of_frames(&Limits::default());
    /// let steps = explainer.explain(Side::Server, b"\x81\x05Hello");
    /// assert!(steps[0].in_colour().contains("\x1b[36m48 65 6c 6c 6f\x1b[0m"));
    /// assert!(steps[0].to_string().contains("  payload     48 65 6c 6c 6f\n  text        \"Hello\"\n"));
    /// ```
    pub fn in_colour(&self) -> String {
        self.page(true)
    }

    fn page(&self, has_colours: bool) -> String {
        let mut page = TextPage::new(has_colours);
        match self {
            Self::Request(request) => show_request(request, &mut page),
            Self::Response(response) => show_response(response, &mut page),
            Self::Body(body) => show_body(body, &mut page),
            Self::Frame(frame) => show_frame(frame, &mut page),
            Self::Broken(broken) => show_broken(broken, &mut page),
            Self::End(leftover) => show_leftover(leftover, &mut page),
        }
        page.finish()
    }
}

/// Writes several lines, each with its line end, without colours.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.page(false))
    }
}

impl AcceptKey {
    /// Returns the computation in colours, for a terminal; `to_string` has none.
    pub fn in_colour(&self) -> String {
        let mut page = TextPage::new(true);
        show_accept(self, &mut page);
        page.finish()
    }
}

impl fmt::Display for AcceptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = TextPage::new(false);
        show_accept(self, &mut page);
        f.write_str(&page.finish())
    }
}

// --- The handshake -----------------------------------------------------------------------------------------

fn show_request(step: &RequestStep, page: &mut TextPage) {
    page.title(Ink::Title, &format!("client, byte 0: request of {} bytes", step.length));
    show_lines(&step.lines, page);
    show_checks(&step.checks, page);
    if let Some(accept) = &step.accept {
        show_accept(accept, page);
    }
    for (at, line) in step.refusal().iter().enumerate() {
        page.row(if at == 0 { "answer" } else { "" }, Ink::Text, line);
    }
    show_state(step.state, page);
}

fn show_response(step: &ResponseStep, page: &mut TextPage) {
    page.title(Ink::Title, &format!("server, byte 0: response of {} bytes", step.length));
    show_lines(&step.lines, page);
    show_checks(&step.checks, page);
    show_state(step.state, page);
}

fn show_body(step: &BodyStep, page: &mut TextPage) {
    let from = step.from.name();
    page.title(Ink::Title, &format!("{from}, byte {}: body, {}", step.offset, bytes(step.length)));
    page.bytes_rows("body", &step.start, step.length);
    if let Some(text) = step.text().filter(|text| !text.is_empty()) {
        page.text_row("text", text.as_bytes());
    }
}

fn show_lines(lines: &[String], page: &mut TextPage) {
    for line in lines {
        page.put(Ink::Text, &format!("  | {}", page::line(line)));
        page.end_line();
    }
}

fn show_checks(checks: &[Check], page: &mut TextPage) {
    for check in checks {
        let (ink, tick) = if check.ok { (Ink::Good, "✓") } else { (Ink::Bad, "✗") };
        page.put(ink, &format!("  {tick} "));
        page.put(Ink::Label, &format!("{:<7} ", check.section));
        page.put(if check.ok { Ink::Plain } else { Ink::Bad }, &check.says);
        page.end_line();
    }
}

fn show_accept(accept: &AcceptKey, page: &mut TextPage) {
    page.row("key", Ink::Text, &page::line(&accept.key));
    match accept.nonce {
        Some(nonce) => page.row("= 16 bytes", Ink::Bytes, &spaced_hex(&nonce)),
        None => page.row("", Ink::Bad, "✗ §4.2.1: this is not the base64 of 16 bytes"),
    }
    page.row("GUID", Ink::Text, GUID);
    page.row("key + GUID", Ink::Text, &format!("{}{GUID}", page::line(&accept.key)));
    page.row("SHA-1", Ink::Bytes, &spaced_hex(&accept.digest));
    page.row("base64", Ink::Good, &accept.accept);
}

// --- Frames ------------------------------------------------------------------------------------------------

fn show_frame(step: &FrameStep, page: &mut TextPage) {
    let frame = &step.frame;
    let (from, offset, name) = (step.from.name(), frame.offset, frame.name());
    let compressed = if frame.is_compressed { " compressed" } else { "" };
    let title = format!("{from}, byte {offset}: {name}, {}{compressed}", bytes(frame.arrived));
    page.title(Ink::Title, &title);
    show_header(frame, page);
    show_payload(frame, page);
    if let Some((code, reason)) = &step.close {
        show_close(*code, reason, page);
    }
    if let Some(message) = &step.message {
        let kind = match message.text() {
            Some(_) => quoted(&message.start),
            None if message.is_compressed && message.compressed_length.is_none() => "compressed".to_owned(),
            None => "binary".to_owned(),
        };
        let inflated = message.compressed_length.map_or_else(String::new, |from| {
            let ratio = message.length as f64 / from.max(1) as f64;
            format!(", inflated from {from} ({ratio:.1} : 1)")
        });
        page.row("message", Ink::Text, &format!("{kind}, {} bytes{inflated}", message.length));
    }
    page.row(step.rule, Ink::Good, &step.says);
    show_answer(&step.answer, page);
    show_state(step.state, page);
}

fn show_broken(step: &BrokenRule, page: &mut TextPage) {
    let frame = &step.frame;
    let title =
        format!("{}, byte {}: {} breaks {}", step.from.name(), frame.offset, noun(frame), step.section);
    page.title(Ink::Bad, &title);
    show_header(frame, page);
    show_payload(frame, page);
    page.row(step.section, Ink::Bad, &format!("✗ {}", step.says));
    page.prose("", step.why);
    show_answer(&step.answer, page);
    show_state(step.state, page);
}

fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

/// Returns the name of the frame in a sentence.
fn noun(frame: &Frame) -> &'static str {
    match frame.name() {
        "reserved" => "a reserved opcode",
        "close" => "a close frame",
        "ping" => "a ping",
        "pong" => "a pong",
        "text" => "a text frame",
        "binary" => "a binary frame",
        _ => "a continuation",
    }
}

/// Adds the diagram of §5.2 with its bits, and their meaning beside it.
fn show_header(frame: &Frame, page: &mut TextPage) {
    let [first, second] = [frame.header.first(), frame.header.get(1)];
    let hex = |byte: Option<&u8>| byte.map_or_else(|| "??".to_owned(), |byte| format!("{byte:02x}"));
    page.put(Ink::Bytes, &format!("         {}              {}", hex(first), hex(second)));
    page.end_line();
    show_line(BORDER, Ink::Label, page);
    let facts = [fin_fact(frame), rsv_fact(frame), opcode_fact(frame), mask_fact(frame)];
    for (names, fact) in NAMES.iter().zip(facts) {
        page.put(Ink::Label, &format!("  {names}"));
        show_fact(&fact, page);
    }
    let bits = [
        bits(first, 7..=7),
        bits(first, 6..=6),
        bits(first, 5..=5),
        bits(first, 4..=4),
        bits(first, 0..=3),
        bits(second, 7..=7),
        bits(second, 0..=6),
    ];
    page.put(Ink::Bytes, &format!("  |{}|", bits.join("|")));
    show_fact(&length_fact(frame), page);
    show_line(BORDER, Ink::Label, page);
    let extended = frame.extended();
    if let Some(length) = frame.length().filter(|_| !extended.is_empty()) {
        page.row("length", Ink::Bytes, &format!("{} = {length}", spaced_hex(extended)));
    }
    if let Some(key) = frame.key() {
        page.row("key", Ink::Bytes, &spaced_hex(&key));
    }
}

/// Returns some bits of a byte, the highest first, with blanks between; `?` for bits that have not arrived.
fn bits(byte: Option<&u8>, which: RangeInclusive<u32>) -> String {
    let digit = |at| byte.map_or("?", |byte| if byte >> at & 1 == 1 { "1" } else { "0" });
    which.rev().map(digit).collect::<Vec<_>>().join(" ")
}

/// A field's name, its value, and the value's meaning.
struct Fact {
    name: &'static str,
    value: String,
    means: String,
}

impl Fact {
    fn new(name: &'static str, value: impl ToString, means: impl ToString) -> Self {
        Self { name, value: value.to_string(), means: means.to_string() }
    }
}

fn fin_fact(frame: &Frame) -> Fact {
    let is_control = frame.opcode() & 0b1000 != 0;
    match (frame.fin(), is_control) {
        (true, false) => Fact::new("FIN", 1, "the last frame of its message"),
        (false, false) => Fact::new("FIN", 0, "more fragments follow"),
        (true, true) => Fact::new("FIN", 1, "whole"),
        (false, true) => Fact::new("FIN", 0, "in fragments"),
    }
}

fn rsv_fact(frame: &Frame) -> Fact {
    let means = match (frame.rsv(), frame.is_compressed) {
        (0, true) => "as the first frame: compressed",
        (0, false) => "no extension",
        (_, true) => "compressed (RFC 7692)",
        (_, false) => "bits of an extension",
    };
    Fact::new("RSV1-3", format!("{:03b}", frame.rsv()), means)
}

fn opcode_fact(frame: &Frame) -> Fact {
    Fact::new("opcode", format!("0x{:X}", frame.opcode()), frame.name())
}

fn mask_fact(frame: &Frame) -> Fact {
    match frame.mask() {
        Some(true) => Fact::new("MASK", 1, "a masking key follows"),
        Some(false) => Fact::new("MASK", 0, "no masking key"),
        None => Fact::new("MASK", "?", "unknown"),
    }
}

fn length_fact(frame: &Frame) -> Fact {
    match frame.length7() {
        Some(126) => Fact::new("length", 126, "the next 2 bytes have it"),
        Some(127) => Fact::new("length", 127, "the next 8 bytes have it"),
        Some(1) => Fact::new("length", 1, "byte of payload"),
        Some(length) => Fact::new("length", length, "bytes of payload"),
        None => Fact::new("length", "?", "unknown"),
    }
}

fn show_fact(fact: &Fact, page: &mut TextPage) {
    page.put(Ink::Label, &format!("  {:<7}", fact.name));
    page.put(Ink::Title, &format!(" {:<4}", fact.value));
    page.put(Ink::Plain, &format!(" {}", fact.means));
    page.end_line();
}

fn show_line(line: &str, ink: Ink, page: &mut TextPage) {
    page.put(ink, &format!("  {line}"));
    page.end_line();
}

/// Adds the payload as it was on the wire, the repeated key under a short one, and the unmasked payload.
fn show_payload(frame: &Frame, page: &mut TextPage) {
    if frame.arrived == 0 {
        return;
    }
    if let Some(key) = frame.key() {
        page.bytes_rows("masked", &frame.masked, frame.arrived);
        if frame.masked.len() <= MASK_SHOWN {
            let repeated: Vec<u8> = key.into_iter().cycle().take(frame.masked.len()).collect();
            page.bytes_rows("xor key", &repeated, frame.arrived);
        }
    }
    page.bytes_rows("payload", &frame.payload, frame.arrived);
    if frame.is_text || frame.text().is_some_and(|text| !text.chars().any(char::is_control)) {
        page.text_row("text", &frame.payload);
    }
}

fn show_close(code: CloseCode, reason: &str, page: &mut TextPage) {
    let reason = if reason.is_empty() { "no reason".to_owned() } else { quoted(reason.as_bytes()) };
    page.row("code", Ink::Text, &format!("{code}, {reason}"));
}

/// Adds the frame that the server owes, and its meaning.
fn show_answer(answer: &[u8], page: &mut TextPage) {
    page.bytes_rows("answer", answer, answer.len() as u64);
    let Some((&first, body)) = answer.split_first() else { return };
    if first & 0xF == OpCode::Pong as u8 {
        page.row("", Ink::Plain, "a pong with the payload of the ping");
        return;
    }
    match CloseFrame::decode(body.get(1..).unwrap_or_default()) {
        Ok(Some(CloseFrame { code, reason: "" })) => {
            page.row("", Ink::Plain, &format!("a Close with {code}"))
        }
        Ok(Some(CloseFrame { code, reason })) => {
            page.row("", Ink::Plain, &format!("a Close with {code}"));
            page.text_row("", reason.as_bytes());
        }
        Ok(None) | Err(_) => page.row("", Ink::Plain, "a Close without a body"),
    }
}

// --- The end -----------------------------------------------------------------------------------------------

fn show_leftover(step: &Leftover, page: &mut TextPage) {
    let from = step.from.name();
    if let Some(frame) = &step.frame {
        let title = format!("{from}, byte {}: {} of a frame", frame.offset, bytes(step.unread));
        page.title(Ink::Title, &title);
        show_header(frame, page);
        show_payload(frame, page);
    } else if step.unread > 0 {
        page.title(Ink::Title, &format!("{from}: {} more", bytes(step.unread)));
    } else {
        page.title(Ink::Title, &format!("{from}: the end"));
    }
    page.prose("end", &step.says);
}

fn show_state(state: State, page: &mut TextPage) {
    page.row("state", Ink::Title, state.name());
}

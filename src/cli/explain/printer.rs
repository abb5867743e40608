//! The thread of `--explain`: turns bytes into steps, and steps into lines.
//!
//! This file knows the connection of each step, and how much memory explaining may take. It may block: the
//! loop does not wait for it.

use std::{
    collections::HashMap,
    fmt::Display,
    hash::Hash,
    io::{self, Write},
    time::Duration,
};

use wirehook::{
    Limits,
    explain::{Explainer, Side, Step},
};

use super::{
    super::{
        lossy::{Batch, Consumer},
        output,
    },
    Form, Observation, ObservationKind, notice, object,
};

/// Lines are written in blocks of this size.
const PAGE_LEN: usize = 16 * 1024;
/// Bytes of incomplete messages that all explainers together may hold.
const MAX_HELD: usize = 32 << 20;

/// Explains and prints. `Id` identifies a connection.
pub(super) struct Printer<W, Id> {
    out: W,
    form: Form,
    in_colour: bool,
    limits: Limits,
    connections: HashMap<Id, Explained>,
    /// The bytes that all explainers hold.
    held: usize,
    /// Lines that are not written yet.
    page: String,
    /// The reader of standard output has gone.
    is_closed: bool,
}

/// A connection whose explanations stay within the memory budget.
struct Explained {
    explainer: Option<Explainer>,
    held: usize,
}

impl<W: Write, Id: Copy + Eq + Hash + Display> Printer<W, Id> {
    pub(super) fn new(out: W, form: Form, in_colour: bool, limits: &Limits) -> Self {
        Self {
            out,
            form,
            in_colour,
            limits: *limits,
            connections: HashMap::new(),
            held: 0,
            page: String::new(),
            is_closed: false,
        }
    }

    fn observe(&mut self, event: Observation<Id>) {
        let Observation { id, at, kind } = event;
        match kind {
            ObservationKind::Connected(peer) => {
                let explained = Explained { explainer: Some(Explainer::new(&self.limits)), held: 0 };
                self.connections.insert(id, explained);
                let json = format!("{{\"kind\":\"connected\",\"peer\":\"{peer}\"}}");
                self.note(id, at, &format!("{peer} has connected"), &json);
            }
            ObservationKind::Bytes { from, skipped, bytes } => self.bytes(id, at, from, skipped, &bytes),
            ObservationKind::Disconnected => self.disconnected(id, at),
        }
    }

    fn bytes(&mut self, id: Id, at: Duration, from: Side, skipped: u64, bytes: &[u8]) {
        if skipped > 0 {
            self.skip(id, at, from, skipped);
        }
        let mut rest = bytes;
        while let Some(step) = self.explainer(id).and_then(|it| it.next_step(from, &mut rest)) {
            self.step(id, at, &step);
        }
        self.weigh(id);
        self.keep_within_budget(at);
    }

    fn skip(&mut self, id: Id, at: Duration, from: Side, skipped: u64) {
        let Some(explainer) = self.explainer(id) else { return };
        explainer.skip(from, skipped);
        let from = from.name();
        let json = format!("{{\"kind\":\"skipped\",\"from\":\"{from}\",\"bytes\":{skipped}}}");
        self.note(id, at, &format!("{skipped} bytes of the {from} are left out"), &json);
    }

    fn disconnected(&mut self, id: Id, at: Duration) {
        let Some(explained) = self.connections.remove(&id) else { return };
        self.held -= explained.held;
        for step in explained.explainer.iter().flat_map(Explainer::end) {
            self.step(id, at, &step);
        }
        self.note(id, at, "the TCP connection is closed", "{\"kind\":\"disconnected\"}");
    }

    fn explainer(&mut self, id: Id) -> Option<&mut Explainer> {
        self.connections.get_mut(&id)?.explainer.as_mut()
    }

    /// Updates the count of bytes that a connection's explainer holds.
    fn weigh(&mut self, id: Id) {
        let Some(explained) = self.connections.get_mut(&id) else { return };
        let held = explained.explainer.as_ref().map_or(0, Explainer::memory);
        self.held = self.held - explained.held + held;
        explained.held = held;
    }

    /// Ends the largest explanations until all together are within the budget.
    fn keep_within_budget(&mut self, at: Duration) {
        while self.held > MAX_HELD {
            let Some((&id, heaviest)) = self.connections.iter_mut().max_by_key(|(_, it)| it.held) else {
                return;
            };
            heaviest.explainer = None;
            self.weigh(id);
            let says = "no further explanations: its message takes too much memory";
            self.note(id, at, says, "{\"kind\":\"dropped\"}");
        }
    }

    fn step(&mut self, id: Id, at: Duration, step: &Step) {
        let line = match self.form {
            Form::Text if self.in_colour => format!("{} {}\n", when(id, at), step.in_colour()),
            Form::Text => format!("{} {step}\n", when(id, at)),
            Form::Json => object(at.as_secs_f64(), &id, &step.json()),
        };
        self.print(&line);
    }

    /// Prints a note, which is no step.
    fn note(&mut self, id: Id, at: Duration, text: &str, json: &str) {
        let line = match self.form {
            Form::Text => format!("{} {text}\n\n", when(id, at)),
            Form::Json => object(at.as_secs_f64(), &id, json),
        };
        self.print(&line);
    }

    fn print(&mut self, line: &str) {
        self.page.push_str(line);
        if self.page.len() >= PAGE_LEN {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let written = output::write(&mut self.out, self.page.as_bytes());
        self.page.clear();
        self.is_closed = written.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    }
}

fn when(id: impl Display, at: Duration) -> String {
    format!("{:.3} #{id}", at.as_secs_f64())
}

impl<W, Id> Consumer<Observation<Id>> for Printer<W, Id>
where
    W: Write + Send + 'static,
    Id: Copy + Eq + Hash + Display + Send + 'static,
{
    fn consume(&mut self, batch: Batch<Observation<Id>>) {
        for event in batch.entries {
            // Without a reader the server continues, and the explanations stop.
            if self.is_closed {
                return self.connections.clear();
            }
            self.observe(event);
        }
        if batch.left_out > 0 {
            self.print(&notice(Some(self.form))(batch.left_out));
        }
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fn event(id: u32, kind: ObservationKind) -> Observation<u32> {
        Observation { id, at: Duration::from_millis(1500), kind }
    }

    fn connected(id: u32) -> Observation<u32> {
        event(id, ObservationKind::Connected(std::net::SocketAddr::from(([127, 0, 0, 1], 9)).into()))
    }

    fn bytes(id: u32, skipped: u64, bytes: &[u8]) -> Observation<u32> {
        event(id, ObservationKind::Bytes { from: Side::Client, skipped, bytes: bytes.into() })
    }

    fn printer(form: Form) -> Printer<Vec<u8>, u32> {
        let mut limits = Limits::default();
        limits.max_message_size = 64 << 20;
        Printer::new(Vec::new(), form, false, &limits)
    }

    /// Returns the output for these observations, after which `left_out` more were left out.
    fn printed(printer: &mut Printer<Vec<u8>, u32>, entries: Vec<Observation<u32>>, left_out: u64) -> String {
        printer.consume(Batch { entries, left_out });
        String::from_utf8_lossy(&std::mem::take(&mut printer.out)).into_owned()
    }

    #[test]
    fn explaining_continues_after_a_gap_and_reports_its_length() {
        let ping = b"\x89\x80\0\0\0\0";
        let mut text = printer(Form::Text);
        let events = vec![connected(7), bytes(7, 0, HEAD), bytes(7, 0, b"\x81\xfe"), bytes(7, 1000, ping)];
        let text = printed(&mut text, events, 3);
        let offset = HEAD.len() + 2 + 1000;
        assert!(text.contains("1.500 #7 1000 bytes of the client are left out\n\n"), "{text}");
        assert!(text.contains(&format!("1.500 #7 client, byte {offset}: ping")), "{text}");
        assert!(text.ends_with("… 3 are left out here: they were not read in time\n"), "{text}");

        let mut json = printer(Form::Json);
        let events =
            vec![connected(7), bytes(7, 0, HEAD), bytes(7, 5, ping), event(7, ObservationKind::Disconnected)];
        let json = printed(&mut json, events, 1);
        assert!(json.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{json}");
        assert!(json.contains(r#""connection":7,"kind":"skipped","from":"client","bytes":5}"#), "{json}");
        assert!(json.ends_with("{\"kind\":\"missing\",\"count\":1}\n"), "{json}");
    }

    #[test]
    fn explaining_a_message_stops_at_the_memory_budget() {
        let mut printer = printer(Form::Text);
        let whole = b"\x81\x82\0\0\0\0Hi";
        for id in [1, 2] {
            printed(&mut printer, vec![connected(id), bytes(id, 0, HEAD)], 0);
        }
        // An endless fragment that exceeds the budget of all explainers.
        let mut text = printed(&mut printer, vec![bytes(1, 0, b"\x02\xff\0\0\0\0\x03\0\0\0\0\0\0\0")], 0);
        for _ in 0..MAX_HELD >> 20 {
            text += &printed(&mut printer, vec![bytes(1, 0, &[0; 1 << 20]), bytes(2, 0, whole)], 0);
            assert!(printer.held <= MAX_HELD);
        }
        assert_eq!(text.matches("#1 no further explanations").count(), 1, "{text}");
        assert_eq!(text.matches("\"Hi\"").count(), MAX_HELD >> 20, "the other goes on");
        let text = printed(
            &mut printer,
            vec![event(1, ObservationKind::Disconnected), event(2, ObservationKind::Disconnected)],
            0,
        );
        assert_eq!((text.matches("is closed").count(), printer.held), (2, 0));
    }
}

//! `--explain`: explains the bytes on the wire on standard output, as they pass.
//!
//! This file is the loop's part: it copies bytes into a queue. Where the queue is full, `follow.rs` finds the
//! next place from which bytes can be explained again. All other work happens on the queue's thread
//! (`printer.rs`). The library makes the steps.

mod follow;
mod printer;

use std::{
    collections::HashMap,
    env,
    fmt::Display,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use wirehook::{ConnId, Limits, Observer, PeerAddr, explain::Side};

use super::{
    lossy::Lossy,
    output::{Notice, ServerStdout, escape_controls},
};

use printer::Printer;

pub(super) use follow::Follower;

/// Bytes that may wait in the queue.
const CAPACITY: usize = 4 << 20;

/// How steps are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As text, in colours if standard output is a terminal.
    Text,
    /// As one JSON object per line.
    Json,
}

/// Returns whether standard output is a terminal and `NO_COLOR` is unset or empty (<https://no-color.org>).
pub(super) fn wants_colour() -> bool {
    io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Returns a line with an object whose first fields are the time and the connection.
pub(super) fn object(seconds: f64, connection: &dyn Display, json: &str) -> String {
    format!("{{\"time\":{seconds:.6},\"connection\":{connection},{}\n", json.trim_start_matches('{'))
}

/// Returns the first line of standard output: the server's address. With `--explain=json` every line is JSON.
pub(super) fn first_line(form: Option<Form>, mode: &str, url: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match form {
        Some(Form::Json) => format!(
            "{{\"time\":0.000000,\"kind\":\"listening\",\"version\":\"{version}\",\"mode\":\"{mode}\",\"url\":\"{url}\"}}\n"
        ),
        Some(Form::Text) | None => format!("wirehook {version} {mode} on {url}\n"),
    }
}

/// Returns a line of text that a peer may have chosen, with its control characters escaped.
pub(super) fn text_line(form: Option<Form>, text: &str) -> String {
    let text = escape_controls(text);
    match form {
        Some(Form::Json) => {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{{\"kind\":\"said\",\"text\":\"{text}\"}}\n")
        }
        Some(Form::Text) | None => format!("{text}\n"),
    }
}

/// Returns the function that makes the line for left-out lines.
pub(super) fn notice(form: Option<Form>) -> Notice {
    match form {
        Some(Form::Json) => |count| format!("{{\"kind\":\"missing\",\"count\":{count}}}\n"),
        Some(Form::Text) | None => {
            |count| format!("… {count} are left out here: they were not read in time\n")
        }
    }
}

/// Observes all connections, and hands their bytes to the thread that explains them.
pub(super) struct Explain {
    started: Instant,
    connections: HashMap<ConnId, Followers>,
    queue: Lossy<Observation<ConnId>>,
}

/// Waits for the thread at the end of the server.
pub(super) struct Printing(Lossy<Observation<ConnId>>);

/// One call of the observer, queued for the thread.
struct Observation<Id> {
    id: Id,
    /// Since the start of the server.
    at: Duration,
    kind: ObservationKind,
}

enum ObservationKind {
    Connected(PeerAddr),
    Bytes {
        from: Side,
        /// Bytes of this side left out before these.
        skipped: u64,
        bytes: Box<[u8]>,
    },
    Disconnected,
}

/// The positions of both sides of a connection.
struct Followers {
    client: Follower,
    server: Follower,
}

impl Explain {
    /// Starts to explain the connections of a server with these limits.
    pub(super) fn start(out: ServerStdout, form: Form, limits: &Limits) -> (Self, Printing) {
        let in_colour = form == Form::Text && wants_colour();
        let printer = Printer::new(out, form, in_colour, limits);
        let queue = Lossy::new("explain", CAPACITY, printer);
        let explain = Self { started: Instant::now(), connections: HashMap::new(), queue: queue.clone() };
        (explain, Printing(queue))
    }

    fn queue_observation(&self, id: ConnId, size: usize, kind: impl FnOnce() -> ObservationKind) -> bool {
        self.queue.push(size, || Observation { id, at: self.started.elapsed(), kind: kind() })
    }

    fn queue_bytes(&mut self, id: ConnId, from: Side, bytes: &[u8]) {
        // A connection whose first bytes were left out is not explained.
        let Some(connection) = self.connections.get_mut(&id) else { return self.queue.leave_out() };
        let follower = match from {
            Side::Client => &mut connection.client,
            Side::Server => &mut connection.server,
        };
        let Some((skipped, from_here)) = follower.next_to_explain(bytes) else {
            return self.queue.leave_out();
        };
        let started = self.started;
        let kind = || ObservationKind::Bytes { from, skipped, bytes: from_here.into() };
        if !self.queue.push(from_here.len(), || Observation { id, at: started.elapsed(), kind: kind() }) {
            follower.skip(skipped + from_here.len() as u64);
        }
    }
}

impl Observer for Explain {
    fn connected(&mut self, id: ConnId, peer: PeerAddr) {
        if self.queue_observation(id, 0, || ObservationKind::Connected(peer)) {
            let connection = Followers { client: Follower::new(), server: Follower::new() };
            self.connections.insert(id, connection);
        }
    }

    fn received(&mut self, id: ConnId, bytes: &[u8]) {
        self.queue_bytes(id, Side::Client, bytes);
    }

    fn sent(&mut self, id: ConnId, bytes: &[u8]) {
        self.queue_bytes(id, Side::Server, bytes);
    }

    fn disconnected(&mut self, id: ConnId) {
        if self.connections.remove(&id).is_some() {
            self.queue_observation(id, 0, || ObservationKind::Disconnected);
        }
    }
}

impl Printing {
    /// Waits until everything is printed, but not for a reader that does not read.
    pub(super) fn finish(self) {
        self.0.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_json_every_line_is_json() {
        assert_eq!(
            text_line(Some(Form::Json), "say \"\\\u{202e}\"\n"),
            "{\"kind\":\"said\",\"text\":\"say \\\"\\\\\\\\\\\\u{202e}\\\"\\\\n\"}\n"
        );
        assert!(first_line(Some(Form::Json), "echo", "ws://a").ends_with(
            r#""url":"ws://a"}
"#
        ));
        assert_eq!(notice(Some(Form::Json))(3), "{\"kind\":\"missing\",\"count\":3}\n");
    }
}

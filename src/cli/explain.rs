//! `--explain`: what goes over the wire, explained on standard output while it happens.
//!
//! This file knows what the loop does for it: copy the bytes into a queue, and where there is no room, follow them
//! to a place from which they can be explained again (`follow.rs`). Everything else happens on the queue's thread
//! (`printer.rs`). What the steps say is the library's business.

mod follow;
mod printer;

use std::{
    collections::HashMap,
    env,
    fmt::Display,
    io::{self, IsTerminal},
    net::SocketAddr,
    time::{Duration, Instant},
};

use wirehook::{ConnId, Limits, Observer, explain::Side};

use super::{
    lossy::Lossy,
    output::{Notice, escape_controls},
};

use printer::Printer;

pub(super) use follow::Follower;

/// Bytes that may wait to be explained.
const CAPACITY: usize = 4 << 20;

/// How steps are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As text, in colours where somebody looks at them.
    Text,
    /// As one JSON object a line.
    Json,
}

/// Whether standard output is a terminal, and nobody has asked for no colours (<https://no-color.org>).
pub(super) fn wants_colour() -> bool {
    io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// An object with time and connection before its other fields, in a line of its own.
pub(super) fn object(seconds: f64, connection: &dyn Display, json: &str) -> String {
    format!("{{\"time\":{seconds:.6},\"connection\":{connection},{}\n", json.trim_start_matches('{'))
}

/// The first line of standard output: where the server listens. With `--explain=json` every line is JSON.
pub(super) fn beginning(form: Option<Form>, mode: &str, url: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match form {
        Some(Form::Json) => format!(
            "{{\"time\":0.000000,\"kind\":\"listening\",\"version\":\"{version}\",\"mode\":\"{mode}\",\"url\":\"{url}\"}}\n"
        ),
        Some(Form::Text) | None => format!("wirehook {version} {mode} on {url}\n"),
    }
}

/// A line of a mode's own, of text that a peer may have chosen.
pub(super) fn said(form: Option<Form>, text: &str) -> String {
    let text = escape_controls(text);
    match form {
        Some(Form::Json) => {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{{\"kind\":\"said\",\"text\":\"{text}\"}}\n")
        }
        Some(Form::Text) | None => format!("{text}\n"),
    }
}

/// What stands in the place of lines that were left out.
pub(super) fn notice(form: Option<Form>) -> Notice {
    match form {
        Some(Form::Json) => |count| format!("{{\"kind\":\"missing\",\"count\":{count}}}\n"),
        Some(Form::Text) | None => {
            |count| format!("… {count} are left out here: they were not read in time\n")
        }
    }
}

/// Hands what happens on all connections to the thread that explains it.
pub(super) struct Explain {
    started: Instant,
    connections: HashMap<ConnId, Connection>,
    queue: Lossy<Event<ConnId>>,
}

/// Waits for the thread at the end.
pub(super) struct Printing(Lossy<Event<ConnId>>);

/// Something that happened, for the thread.
struct Event<Id> {
    id: Id,
    /// Since the start of the server.
    at: Duration,
    what: What,
}

enum What {
    Connected(SocketAddr),
    Bytes {
        from: Side,
        /// Bytes of this side that are left out before these.
        skipped: u64,
        bytes: Box<[u8]>,
    },
    Disconnected,
}

/// Where both sides of a connection are.
struct Connection {
    client: Follower,
    server: Follower,
}

impl Explain {
    /// Explains what a server with these limits sees.
    pub(super) fn start(form: Form, limits: &Limits) -> (Self, Printing) {
        let in_colour = form == Form::Text && wants_colour();
        let printer = Printer::new(io::stdout(), form, in_colour, limits);
        let queue = Lossy::new("explain", CAPACITY, printer);
        let explain = Self { started: Instant::now(), connections: HashMap::new(), queue: queue.clone() };
        (explain, Printing(queue))
    }

    fn tell(&self, id: ConnId, size: usize, what: impl FnOnce() -> What) -> bool {
        self.queue.tell(size, || Event { id, at: self.started.elapsed(), what: what() })
    }

    fn tell_bytes(&mut self, id: ConnId, from: Side, bytes: &[u8]) {
        // A connection whose beginning was left out is not explained.
        let Some(connection) = self.connections.get_mut(&id) else { return self.queue.leave_out() };
        let follower = match from {
            Side::Client => &mut connection.client,
            Side::Server => &mut connection.server,
        };
        let Some((skipped, from_here)) = follower.next_to_explain(bytes) else {
            return self.queue.leave_out();
        };
        let started = self.started;
        let what = || What::Bytes { from, skipped, bytes: from_here.into() };
        if !self.queue.tell(from_here.len(), || Event { id, at: started.elapsed(), what: what() }) {
            follower.skip(skipped + from_here.len() as u64);
        }
    }
}

impl Observer for Explain {
    fn connected(&mut self, id: ConnId, peer: SocketAddr) {
        if self.tell(id, 0, || What::Connected(peer)) {
            let connection = Connection { client: Follower::new(), server: Follower::new() };
            self.connections.insert(id, connection);
        }
    }

    fn received(&mut self, id: ConnId, bytes: &[u8]) {
        self.tell_bytes(id, Side::Client, bytes);
    }

    fn sent(&mut self, id: ConnId, bytes: &[u8]) {
        self.tell_bytes(id, Side::Server, bytes);
    }

    fn disconnected(&mut self, id: ConnId) {
        if self.connections.remove(&id).is_some() {
            self.tell(id, 0, || What::Disconnected);
        }
    }
}

impl Printing {
    /// Waits until everything is printed, but not for somebody who doesn't read.
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
            said(Some(Form::Json), "say \"\\\u{202e}\"\n"),
            "{\"kind\":\"said\",\"text\":\"say \\\"\\\\\\\\\\\\u{202e}\\\"\\\\n\"}\n"
        );
        assert!(beginning(Some(Form::Json), "echo", "ws://a").ends_with(
            r#""url":"ws://a"}
"#
        ));
        assert_eq!(notice(Some(Form::Json))(3), "{\"kind\":\"missing\",\"count\":3}\n");
    }
}

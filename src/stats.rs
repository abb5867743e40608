//! The figures that a server counts, and their text for Prometheus.
//!
//! This file knows the figures and their text. It does not know when an event is counted.

use std::{fmt::Write as _, time::Duration};

use crate::cause::Cause;

/// Statuses with a count of their own; all others share one.
const STATUSES: [u16; 13] = [101, 400, 401, 403, 404, 405, 408, 421, 426, 429, 431, 500, 503];
/// Close codes with a count of their own. The ranges for private use share one: a peer could otherwise create
/// thousands of figures.
const CODES: [u16; 15] =
    [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000];

/// Figures of a server since it began; see [`Handle::stats`](crate::Handle::stats) and
/// [`Connections::stats`](crate::Connections::stats).
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::{Cause, Server};
///
/// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, message| {
///     ws.send(message);
/// });
/// let handle = server.handle();
/// talk(server, b"\x81\x82\0\0\0\0hi")?;
/// let stats = handle.stats();
/// assert_eq!((stats.opened, stats.received_messages, stats.sent_messages), (1, 1, 1));
/// assert_eq!((stats.handshakes(101), stats.closes(1005), stats.closes_by(Cause::Peer)), (1, 1, 1));
/// assert!(stats.prometheus().contains("\nwirehook_opened_total 1\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that are open now, or in their opening handshake.
    pub connections: u64,
    /// Sockets now: those of connections, those that only wait for their end, and those of the metrics.
    pub sockets: u64,
    /// Clients that were accepted from the listening socket.
    pub accepted: u64,
    /// Connections whose opening handshake succeeded.
    pub opened: u64,
    /// Connections that were open and have ended, each with an `on_close`.
    pub closed: u64,
    /// Connections to servers that are open now, or opening; they are among `connections` too.
    pub outbound: u64,
    /// Connections to servers whose opening handshake succeeded; they are among `opened` too.
    pub outbound_opened: u64,
    /// Connections to servers that did not open, each with an `on_connect_error`.
    pub outbound_failed: u64,
    /// Bytes read from sockets.
    pub received_bytes: u64,
    /// Bytes written to sockets.
    pub sent_bytes: u64,
    /// Complete messages received.
    pub received_messages: u64,
    /// Messages sent, each receiver of a broadcast counted.
    pub sent_messages: u64,
    /// Messages dropped because their receiver was too slow.
    pub dropped_messages: u64,
    /// Messages sent compressed, each receiver of a broadcast counted.
    pub compressed_messages: u64,
    /// Connections whose handshake has agreed on compression.
    pub compressed_connections: u64,
    /// Bytes held now by the compressors of connections.
    pub compressor_bytes: u64,
    /// Bytes held now of messages that later compressed ones may refer to.
    pub window_bytes: u64,
    /// Bytes held now for incomplete messages and for slow peers, of all connections.
    pub buffered_bytes: u64,
    /// Connections that were closed because the server held too much; see
    /// [`Config::max_buffered_bytes`](crate::Config::max_buffered_bytes).
    pub shed: u64,
    /// Clients dropped without an answer because the operating system refused to poll their socket.
    pub dropped_clients: u64,
    /// Sockets that only waited for their end, and were closed earlier to make room for others.
    pub evicted: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// The duration of all turns together. Divided by the running time, it is the load on one core.
    pub busy: Duration,
    /// The duration of the longest turn, in which all other connections waited.
    pub longest_turn: Duration,
    statuses: [u64; STATUSES.len() + 1],
    codes: [u64; CODES.len() + 1],
    causes: [u64; Cause::NAMES.len()],
}

impl Stats {
    /// Returns the handshakes answered with this status. Statuses without a count of their own return the
    /// shared one.
    pub fn handshakes(&self, status: u16) -> u64 {
        self.statuses[index(&STATUSES, status)]
    }

    /// Returns the ended connections with this close code. Codes without a count of their own return the
    /// shared one.
    pub fn closes(&self, code: u16) -> u64 {
        self.codes[index(&CODES, code)]
    }

    /// Returns the ended connections with a cause of this kind, whatever it carries.
    pub fn closes_by(&self, cause: Cause) -> u64 {
        self.causes[cause.index()]
    }

    pub(crate) fn count_handshake(&mut self, status: u16) {
        self.statuses[index(&STATUSES, status)] += 1;
        if status == 101 {
            self.opened += 1;
        }
    }

    pub(crate) fn count_close(&mut self, code: u16, cause: Cause) {
        self.closed += 1;
        self.codes[index(&CODES, code)] += 1;
        self.causes[cause.index()] += 1;
    }

    pub(crate) fn count_turn(&mut self, took: Duration) {
        self.turns += 1;
        self.busy += took;
        self.longest_turn = self.longest_turn.max(took);
    }

    /// Returns all figures in the text format of Prometheus (version 0.0.4).
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        for (name, kind, help, value) in self.plain_figures() {
            describe(&mut text, name, kind, help);
            let _ = writeln!(text, "wirehook_{name} {value}");
        }
        labelled(
            &mut text,
            ("handshakes_total", "Handshakes by the status of their answer.", "status"),
            STATUSES.map(|it| it.to_string()).into_iter().chain(["other".to_owned()]).zip(self.statuses),
        );
        labelled(
            &mut text,
            ("closes_total", "Ended connections by close code.", "code"),
            CODES.map(|it| it.to_string()).into_iter().chain(["other".to_owned()]).zip(self.codes),
        );
        labelled(
            &mut text,
            ("closes_by_cause_total", "Ended connections by what began their end.", "cause"),
            Cause::NAMES.map(str::to_owned).into_iter().zip(self.causes),
        );
        text
    }

    /// Returns name, type, help and value of every figure without a label.
    fn plain_figures(&self) -> [(&'static str, &'static str, &'static str, f64); 24] {
        let figure = |name, kind, help, value: u64| (name, kind, help, value as f64);
        [
            figure("connections", "gauge", "Connections that are open or opening.", self.connections),
            figure("sockets", "gauge", "Sockets, the closing ones included.", self.sockets),
            figure("accepted_total", "counter", "Clients accepted.", self.accepted),
            figure("opened_total", "counter", "Connections opened.", self.opened),
            figure("closed_total", "counter", "Opened connections that ended.", self.closed),
            figure(
                "outbound_connections",
                "gauge",
                "Connections to servers, open or opening.",
                self.outbound,
            ),
            figure(
                "outbound_opened_total",
                "counter",
                "Connections to servers opened.",
                self.outbound_opened,
            ),
            figure(
                "outbound_failed_total",
                "counter",
                "Connections to servers that did not open.",
                self.outbound_failed,
            ),
            figure("received_bytes_total", "counter", "Bytes read from sockets.", self.received_bytes),
            figure("sent_bytes_total", "counter", "Bytes taken by sockets.", self.sent_bytes),
            figure("received_messages_total", "counter", "Messages received.", self.received_messages),
            figure("sent_messages_total", "counter", "Messages sent.", self.sent_messages),
            figure(
                "dropped_messages_total",
                "counter",
                "Messages dropped for slow peers.",
                self.dropped_messages,
            ),
            figure(
                "compressed_messages_total",
                "counter",
                "Messages sent compressed.",
                self.compressed_messages,
            ),
            figure(
                "compressed_connections_total",
                "counter",
                "Connections opened with compression.",
                self.compressed_connections,
            ),
            figure("compressor_bytes", "gauge", "Bytes held by compressors.", self.compressor_bytes),
            figure("window_bytes", "gauge", "Bytes held by windows of what was received.", self.window_bytes),
            figure("buffered_bytes", "gauge", "Bytes held for messages and slow peers.", self.buffered_bytes),
            figure("shed_total", "counter", "Connections closed for memory.", self.shed),
            figure("dropped_clients_total", "counter", "Clients dropped unanswered.", self.dropped_clients),
            figure("evicted_total", "counter", "Leaving sockets closed early, to make room.", self.evicted),
            figure("turns_total", "counter", "Turns of the loop.", self.turns),
            ("busy_seconds_total", "counter", "Time spent in turns.", self.busy.as_secs_f64()),
            ("longest_turn_seconds", "gauge", "The longest turn so far.", self.longest_turn.as_secs_f64()),
        ]
    }
}

fn describe(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(text, "# HELP wirehook_{name} {help}\n# TYPE wirehook_{name} {kind}\n");
}

fn labelled(
    text: &mut String,
    (name, help, label): (&str, &str, &str),
    figures: impl Iterator<Item = (String, u64)>,
) {
    describe(text, name, "counter", help);
    for (key, value) in figures {
        let _ = writeln!(text, "wirehook_{name}{{{label}=\"{key}\"}} {value}");
    }
}

/// Returns the index of a key in a table of counters, or the last index, where all others are counted.
fn index(keys: &[u16], key: u16) -> usize {
    keys.iter().position(|it| *it == key).unwrap_or(keys.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_read_where_it_was_counted() {
        let mut stats = Stats::default();
        for status in [101, 101, 400, 418] {
            stats.count_handshake(status);
        }
        stats.count_close(1000, Cause::Peer);
        stats.count_close(1000, Cause::Peer);
        stats.count_close(4321, Cause::Transport(std::io::ErrorKind::BrokenPipe));
        assert_eq!((stats.opened, stats.handshakes(101), stats.handshakes(400)), (2, 2, 1));
        assert_eq!((stats.handshakes(418), stats.handshakes(499)), (1, 1), "both have the shared count");
        assert_eq!((stats.closed, stats.closes(1000), stats.closes(4321), stats.closes(4999)), (3, 2, 1, 1));
        assert_eq!(stats.closes_by(Cause::Peer), 2);
        assert_eq!(stats.closes_by(Cause::Transport(std::io::ErrorKind::Other)), 1);
    }

    #[test]
    fn each_cause_code_and_status_has_its_own_line() {
        use std::io::ErrorKind;

        use crate::protocol::ProtocolError;

        for (cause, label) in [
            (Cause::Peer, "peer"),
            (Cause::Local, "local"),
            (Cause::Protocol(ProtocolError::UnmaskedFrame), "protocol"),
            (Cause::Timeout, "timeout"),
            (Cause::Backpressure, "backpressure"),
            (Cause::Overload, "overload"),
            (Cause::Panic, "panic"),
            (Cause::Transport(ErrorKind::BrokenPipe), "transport"),
        ] {
            let mut stats = Stats::default();
            stats.count_close(1000, cause);
            assert_eq!(stats.closes_by(cause), 1);
            assert_eq!(counted(&stats, "closes_by_cause_total"), [format!("{{cause=\"{label}\"}} 1")]);
        }
        for code in CODES.into_iter().chain([1004, 1015, 2999, 3001, 4000]) {
            let mut stats = Stats::default();
            stats.count_close(code, Cause::Peer);
            let label = if CODES.contains(&code) { code.to_string() } else { "other".to_owned() };
            assert_eq!(counted(&stats, "closes_total"), [format!("{{code=\"{label}\"}} 1")]);
        }
        for status in STATUSES.into_iter().chain([100, 102, 200, 418, 505]) {
            let mut stats = Stats::default();
            stats.count_handshake(status);
            let label = if STATUSES.contains(&status) { status.to_string() } else { "other".to_owned() };
            assert_eq!(counted(&stats, "handshakes_total"), [format!("{{status=\"{label}\"}} 1")]);
            assert_eq!(stats.opened, u64::from(status == 101));
        }
    }

    /// Returns the lines of a figure that are not 0, without its name.
    fn counted(stats: &Stats, name: &str) -> Vec<String> {
        let text = stats.prometheus();
        let start = format!("wirehook_{name}{{");
        let lines = text.lines().filter(|line| line.starts_with(&start) && !line.ends_with(" 0"));
        lines.map(|line| line[start.len() - 1..].to_owned()).collect()
    }

    #[test]
    fn each_figure_has_its_own_name() {
        let stats = Stats {
            connections: 1,
            sockets: 2,
            accepted: 3,
            opened: 4,
            closed: 5,
            received_bytes: 6,
            sent_bytes: 7,
            received_messages: 8,
            sent_messages: 9,
            dropped_messages: 10,
            buffered_bytes: 11,
            shed: 12,
            dropped_clients: 13,
            turns: 14,
            busy: Duration::from_secs(15),
            longest_turn: Duration::from_secs(16),
            compressed_messages: 17,
            compressed_connections: 18,
            compressor_bytes: 19,
            window_bytes: 20,
            ..Stats::default()
        };
        let names = [
            "connections",
            "sockets",
            "accepted_total",
            "opened_total",
            "closed_total",
            "received_bytes_total",
            "sent_bytes_total",
            "received_messages_total",
            "sent_messages_total",
            "dropped_messages_total",
            "buffered_bytes",
            "shed_total",
            "dropped_clients_total",
            "turns_total",
            "busy_seconds_total",
            "longest_turn_seconds",
            "compressed_messages_total",
            "compressed_connections_total",
            "compressor_bytes",
            "window_bytes",
        ];
        let text = stats.prometheus();
        for (name, value) in names.iter().zip(1..) {
            assert!(
                text.contains(&format!("\nwirehook_{name} {value}\n")),
                "{name} is not {value} in {text}"
            );
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            assert!(text.contains(&format!("\n# TYPE wirehook_{name} {kind}\n")), "{name}");
        }
    }

    #[test]
    fn turns_add_up_and_the_longest_stays_the_longest() {
        let mut stats = Stats::default();
        for millis in [20, 500, 30, 40] {
            stats.count_turn(Duration::from_millis(millis));
        }
        assert_eq!((stats.turns, stats.busy), (4, Duration::from_millis(590)));
        assert_eq!(stats.longest_turn, Duration::from_millis(500));
    }

    #[test]
    fn every_metric_has_a_type_and_every_line_a_number() {
        let mut stats = Stats::default();
        stats.count_handshake(101);
        stats.count_turn(Duration::from_millis(1500));
        let text = stats.prometheus();
        assert!(text.contains("\nwirehook_handshakes_total{status=\"101\"} 1\n"), "{text}");
        assert!(text.contains("\nwirehook_busy_seconds_total 1.5\n"), "{text}");
        let mut typed = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                typed = rest.split(' ').next().unwrap_or_default();
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').unwrap_or_default();
                assert_eq!(name.split('{').next(), Some(typed), "{line}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
    }
}

//! What is measured: a table of data. A new row is a line here.

use crate::client::{Content, Message};
use crate::serve::Service;

pub(crate) struct Row {
    /// What `--rows` takes.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) load: Load,
    /// Measured when no `--rows` is given. The others belong to a curve that is asked for by its group's
    /// name.
    pub(crate) group: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// Messages over connections that stay open.
    Messages { connections: usize, message: Message, flow: Flow },
    /// Connect, upgrade, close; this many at a time.
    Handshakes { concurrent: usize },
    /// Connections that each send one message and then stay silent.
    Idle { connections: usize, message: Message },
    /// From the start of the process until it can be connected to.
    StartUp,
}

/// When messages are sent, and which connections get them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flow {
    /// Each connection gets its own messages back, and keeps this many in flight.
    Echo { in_flight: usize },
    /// This many echoed messages a second, each on another connection, whether or not answers keep up.
    Paced { per_second: u32 },
    /// The first connection publishes, and every one receives, itself included.
    FanOut { in_flight: usize },
}

/// What the figure of a row counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unit {
    CpuPerMessage,
    CpuPerDelivery,
    CpuPerHandshake,
    BytesPerConnection,
    TimeToListen,
}

impl Load {
    pub(crate) const fn unit(&self) -> Unit {
        match self {
            Self::Messages { flow: Flow::FanOut { .. }, .. } => Unit::CpuPerDelivery,
            Self::Messages { .. } => Unit::CpuPerMessage,
            Self::Handshakes { .. } => Unit::CpuPerHandshake,
            Self::Idle { .. } => Unit::BytesPerConnection,
            Self::StartUp => Unit::TimeToListen,
        }
    }

    pub(crate) const fn service(&self) -> Service {
        match self {
            Self::Messages { flow: Flow::FanOut { .. }, .. } => Service::FanOut,
            Self::Messages { message, .. } if message.is_compressed() => Service::Compressed,
            Self::Messages { .. } | Self::Handshakes { .. } | Self::Idle { .. } | Self::StartUp => {
                Service::Echo
            }
        }
    }

    /// The message whose lengths the bare contestant has to know; where none is sent, any will do.
    pub(crate) const fn message(&self) -> Message {
        match self {
            Self::Messages { message, .. } | Self::Idle { message, .. } => *message,
            Self::Handshakes { .. } | Self::StartUp => Message::binary(1),
        }
    }
}

impl Unit {
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::CpuPerMessage => "server CPU per message",
            Self::CpuPerDelivery => "server CPU per delivery",
            Self::CpuPerHandshake => "server CPU per handshake",
            Self::BytesPerConnection => "resident memory per connection",
            Self::TimeToListen => "time from launch to listening",
        }
    }

    /// The unit that costs are stored in, for the head of a column.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::CpuPerMessage | Self::CpuPerDelivery | Self::CpuPerHandshake | Self::TimeToListen => "µs",
            Self::BytesPerConnection => "bytes",
        }
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

const fn row(name: &'static str, title: &'static str, load: Load) -> Row {
    Row { name, title, load, group: None }
}

const fn echo(connections: usize, message: Message, in_flight: usize) -> Load {
    Load::Messages { connections, message, flow: Flow::Echo { in_flight } }
}

const fn fan_out(connections: usize, message: Message, in_flight: usize) -> Load {
    Load::Messages { connections, message, flow: Flow::FanOut { in_flight } }
}

/// A point of the curve over message sizes: as many connections as keep the server busy, one message in
/// flight each.
const fn size(name: &'static str, title: &'static str, bytes: usize) -> Row {
    Row { name, title, load: echo(8, Message::binary(bytes), 1), group: Some("sizes") }
}

/// A point of the curve over connections. The rate leaves every contestant some idle time, so that none
/// batches more than its sockets make it; only the number of sockets grows.
const fn connections(name: &'static str, title: &'static str, connections: usize) -> Row {
    let flow = Flow::Paced { per_second: 30_000 };
    let load = Load::Messages { connections, message: Message::binary(20), flow };
    Row { name, title, load, group: Some("connections") }
}

/// JSON that client and server compress without context takeover.
const fn json(name: &'static str, title: &'static str, bytes: usize) -> Row {
    Row { name, title, load: echo(64, Message::json(bytes), 1), group: Some("compressed") }
}

const NON_ASCII: Message = Message { content: Content::Text, ..Message::binary(16 * KIB) };
const IN_PIECES: Message = Message { piece: Some(KIB), ..Message::binary(64 * KIB) };
const IDLE: Load = Load::Idle { connections: 10_000, message: Message::binary(20) };
const HANDSHAKES: Load = Load::Handshakes { concurrent: 32 };

pub(crate) const ROWS: &[Row] = &[
    row("echo-20", "64 connections × 20 B × 1 in flight", echo(64, Message::binary(20), 1)),
    row("echo-20x16", "64 connections × 20 B × 16 in flight", echo(64, Message::binary(20), 16)),
    row("echo-512", "200 connections × 512 B × 1 in flight", echo(200, Message::binary(512), 1)),
    row("echo-16k", "8 connections × 16 KiB × 4 in flight", echo(8, Message::binary(16 * KIB), 4)),
    row("echo-1m", "2 connections × 1 MiB × 2 in flight", echo(2, Message::binary(MIB), 2)),
    row("text-16k", "8 connections × 16 KiB of non-ASCII text × 1 in flight", echo(8, NON_ASCII, 1)),
    row("fragmented-64k", "8 connections × 64 KiB in pieces of 1 KiB × 1 in flight", echo(8, IN_PIECES, 1)),
    row("idle", "10,000 idle connections that each spoke once", IDLE),
    row("handshake", "connect, upgrade, close; 32 at a time", HANDSHAKES),
    row("fan-out", "500 receivers × 64 B × 1 in flight", fan_out(500, Message::binary(64), 1)),
    row("fan-out-x8", "500 receivers × 64 B × 8 in flight", fan_out(500, Message::binary(64), 8)),
    row("start-up", "a process from launch to its first connection", Load::StartUp),
    json("json-128", "64 connections × 128 B of JSON, compressed × 1 in flight", 128),
    json("json-512", "64 connections × 512 B of JSON, compressed × 1 in flight", 512),
    json("json-4k", "64 connections × 4 KiB of JSON, compressed × 1 in flight", 4 * KIB),
    json("json-16k", "64 connections × 16 KiB of JSON, compressed × 1 in flight", 16 * KIB),
    size("size-1", "8 connections × 1 B", 1),
    size("size-16", "8 connections × 16 B", 16),
    size("size-128", "8 connections × 128 B", 128),
    size("size-1k", "8 connections × 1 KiB", KIB),
    size("size-8k", "8 connections × 8 KiB", 8 * KIB),
    size("size-64k", "8 connections × 64 KiB", 64 * KIB),
    size("size-512k", "8 connections × 512 KiB", 512 * KIB),
    size("size-4m", "8 connections × 4 MiB", 4 * MIB),
    size("size-16m", "8 connections × 16 MiB", 16 * MIB),
    connections("connections-1", "1 connection, 30,000 messages/s of 20 B", 1),
    connections("connections-8", "8 connections, 30,000 messages/s of 20 B", 8),
    connections("connections-64", "64 connections, 30,000 messages/s of 20 B", 64),
    connections("connections-512", "512 connections, 30,000 messages/s of 20 B", 512),
    connections("connections-4k", "4,000 connections, 30,000 messages/s of 20 B", 4_000),
    connections("connections-15k", "15,000 connections, 30,000 messages/s of 20 B", 15_000),
];

/// The rows that a comma-separated list of names and groups asks for, or `all`; without one, the rows that
/// are in no group.
pub(crate) fn select(names: Option<&str>) -> Result<Vec<&'static Row>, String> {
    let Some(names) = names else {
        return Ok(ROWS.iter().filter(|row| row.group.is_none()).collect());
    };
    let mut selected = Vec::new();
    for name in names.split(',').map(str::trim) {
        let before = selected.len();
        selected
            .extend(ROWS.iter().filter(|row| name == "all" || row.name == name || row.group == Some(name)));
        if selected.len() == before {
            return Err(format!("no row called {name:?}; --list shows them"));
        }
    }
    Ok(selected)
}

//! The options of a server, and what they set in its configuration.
//!
//! This file contains every option once in the help and once in `set`. It acts on none of them.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;

use std::{collections::HashSet, ffi::OsString, path::PathBuf, str::FromStr, time::Duration};

use lexopt::{
    Arg::{Long, Short, Value},
    Parser, ValueExt,
};
use wirehook::{Backpressure, Compression, Config, protocol::MAX_WINDOW_BITS};

use super::{
    accept, decode,
    explain::Form,
    names, replay,
    tls::TlsOptions,
    units::{self, Limit, Positive, Seconds, Size, of_option},
};

pub(super) const HELP: &str = "\
A strict, readable and fast WebSocket server: RFC 6455 on one thread.

Usage: wirehook [MODE] [OPTIONS]
       wirehook COMMAND ... (each has a --help of its own)

Modes:
  echo    send every message back as it came (the default)
  greet   welcome each client and answer \"hello, X !\"
  study   a page that shows RFC 6455 as it happens: open its address in a browser

Commands:
  decode  explain frames and handshakes given as hex, base64, a file or standard input
  accept  work out the Sec-WebSocket-Accept for a key
  replay  play the client's side of a recording against a server, and compare the answers

Where:
  --listen ADDR:PORT        where to listen; port 0 takes a free one  [127.0.0.1:9501]
  --public                  let study listen where other machines can reach it

TLS (wss; if this program is built with the feature tls):
  --tls-cert FILE           certificate and chain in PEM; repeatable, each with its key  [none]
  --tls-key FILE            the key of the certificate at the same place in the order
  --tls-client-ca FILE      serve only clients with a certificate of this CA; repeatable  [none]

Who may connect:
  --host HOST[:PORT]        serve only requests for this host, 421 to others; repeatable  [any]
  --origin ORIGIN           let only pages of this origin connect; repeatable  [any]
  --subprotocol NAME        speak this subprotocol; repeatable, preferred first  [none]
  --max-connections N       open connections at once; more are answered with 503  [none]
  --max-connections-per-address N
                            the same for one IPv4 address or IPv6 /64; then 429  [none]
  --max-handshakes-per-address N
                            new ones per second from one address; then 429  [none]

What a client may send (sizes like 64K, 16M):
  --max-message-size SIZE   largest message; over it the connection fails with 1009  [1M]
  --max-header-size SIZE    largest request head; over it the answer is 431  [16K]
  --max-headers N           most header lines; over it the answer is 431  [100]

How long things may take (times like 500ms, 10s, 2m):
  --handshake-timeout TIME  the whole request head; then 408  [10s]
  --ping-interval TIME      silence before a ping; 'none' never pings  [20s]
  --pong-timeout TIME       silence after a ping before the peer is given up  [20s]
  --close-timeout TIME      wait for a peer's Close, also when shutting down  [5s]
  --max-close-time TIME     wait for a closing peer that still takes what waits  [30s]
  --shutdown-spread TIME       time over which the Closes of a shutdown are spread  [none]

What is kept for clients:
  --max-buffered-bytes SIZE bytes held for all of them; over it the heaviest get 1013  [256M]
  --max-backpressure SIZE   bytes that may wait for one slow client  [1M]
  --backpressure drop|close what happens to a client too slow for others' messages  [drop]
  --nodelay on|off          send small frames at once (TCP_NODELAY)  [on]

Compression (permessage-deflate, RFC 7692):
  --compress                compress messages for clients that offer it; off without it.
                            Beside secrets it leaks: see docs/security.md
  --compress-level N        from 1 (fast) to 9 (small)  [5]
  --compress-threshold SIZE shortest message that is compressed  [64]
  --compress-context both|server|client|none
                            whose messages may refer to earlier ones, which costs memory  [both]
  --compress-window BITS    how far back: 2 to the power of 9 to 15 bytes; a client
                            that does not offer to limit its own keeps 15  [15]
  --max-compressor-bytes SIZE
                            for what the server sends; the longest unused goes  [32M]
  --max-window-bytes SIZE   of what clients sent; then new ones start each message anew  [64M]

What is told:
  --explain[=json]          explain every handshake and frame on standard output
  --record DIR              write each connection's bytes to a pcapng file in DIR  [nowhere];
                            it holds all that clients send: DIR is made for its owner only
  --max-recorded-bytes SIZE bytes in all its files; 'none' for as many as there are  [1G]
  --metrics ADDR:PORT       show /metrics, /healthz and /readyz there  [nowhere]
  -v, -q                    more (-vv: every frame) or less; RUST_LOG works too
  -h, --help                this
  -V, --version             the version

Ctrl-C, SIGTERM or SIGHUP closes every connection with 1001 and exits with 0; once more exits at once.
With TLS, SIGHUP reads its files again instead: if one is wrong, the old ones stay in force.
";

/// Bounds the disk space of a server that runs unattended with `--record`.
const MAX_RECORDED_BYTES: usize = 1 << 30;

/// The options that may be given several times.
const REPEATABLE: [&str; 6] = ["host", "origin", "subprotocol", "tls-cert", "tls-key", "tls-client-ca"];

/// §4.2.1: the shortest valid request. A limit below its length would refuse every client.
const SHORTEST_REQUEST: &str = "GET / HTTP/1.1\r\nHost:a\r\nUpgrade:websocket\r\nConnection:upgrade\r\n\
    Sec-WebSocket-Key:AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version:13\r\n\r\n";

/// What the arguments ask for.
#[derive(Debug)]
pub(super) enum CliCommand {
    Help,
    Version,
    DecodeHelp,
    Decode(Box<decode::DecodeOptions>),
    AcceptHelp,
    Accept(String),
    ReplayHelp,
    Replay(Box<replay::ReplayOptions>),
    Serve(Box<ServeOptions>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Echo,
    Greet,
    Study,
}

#[derive(Debug)]
pub(super) struct ServeOptions {
    pub(super) mode: Mode,
    pub(super) listen: String,
    /// Whether `study` may listen on more than loopback addresses.
    pub(super) is_public: bool,
    pub(super) metrics: Option<String>,
    pub(super) tls: TlsOptions,
    pub(super) explain: Option<Form>,
    pub(super) record: Option<PathBuf>,
    /// Bytes in all recordings of this run; `None` is unlimited.
    pub(super) max_recorded_bytes: Option<usize>,
    pub(super) config: Config,
    /// The number of `-v` minus the number of `-q`; `None` leaves the level to `RUST_LOG`.
    pub(super) verbosity: Option<i8>,
}

pub(super) fn parse(mut parser: Parser) -> Result<CliCommand, lexopt::Error> {
    let mut mode = None;
    let mut given = HashSet::new();
    let mut options = ServeOptions {
        mode: Mode::Echo,
        listen: "127.0.0.1:9501".to_owned(),
        is_public: false,
        metrics: None,
        tls: TlsOptions::default(),
        explain: None,
        record: None,
        max_recorded_bytes: Some(MAX_RECORDED_BYTES),
        config: Config::default(),
        verbosity: None,
    };
    while let Some(arg) = parser.next()? {
        if let Long(name) = arg {
            // Otherwise the last one would win silently.
            if !REPEATABLE.contains(&name) && !given.insert(name.to_owned()) {
                return Err(format!("--{name} is given twice, and can be given once").into());
            }
        }
        match arg {
            Short('h') | Long("help") => return Ok(CliCommand::Help),
            Short('V') | Long("version") => return Ok(CliCommand::Version),
            Short('v') => options.verbosity = Some(options.verbosity.unwrap_or(0).saturating_add(1)),
            Short('q') => options.verbosity = Some(options.verbosity.unwrap_or(0).saturating_sub(1)),
            Value(value) if mode.is_none() && value == "decode" => return parse_decode(&mut parser),
            Value(value) if mode.is_none() && value == "accept" => return parse_accept(&mut parser),
            Value(value) if mode.is_none() && value == "replay" => return parse_replay(&mut parser),
            Value(value) if mode.is_none() && value == "help" => return parse_help(&mut parser),
            Value(value) if mode.is_none() => mode = Some(value.parse_with(parse_mode)?),
            Long("listen") => options.listen = of_option("listen", parser.value()?.string())?,
            Long("public") => options.is_public = true,
            Long("compress") => drop(options.config.compression.get_or_insert_default()),
            Long("metrics") => options.metrics = Some(of_option("metrics", parser.value()?.string())?),
            Long("tls-cert") => options.tls.certificates.push(parser.value()?.into()),
            Long("tls-key") => options.tls.keys.push(parser.value()?.into()),
            Long("tls-client-ca") => options.tls.client_roots.push(parser.value()?.into()),
            Long("record") => options.record = Some(parse_directory(parser.value()?)?),
            Long("max-recorded-bytes") => {
                let limit = of_option("max-recorded-bytes", parser.value()?.parse::<Limit<Size>>());
                options.max_recorded_bytes = limit?.0.map(|it| it.0);
            }
            Long("explain") => options.explain = Some(parse_form(&mut parser)?),
            Long(name) => {
                let name = name.to_owned();
                of_option(&name, set(&mut options.config, &name, &mut parser))?;
            }
            _ => return Err(arg.unexpected()),
        }
    }
    options.mode = mode.unwrap_or(Mode::Echo);
    if options.is_public && options.mode != Mode::Study {
        return Err("--public is for study; the other modes listen on any address".into());
    }
    options.tls.check()?;
    if options.tls.is_on() && options.mode == Mode::Study {
        return Err("--tls-cert is for echo and greet; study has no TLS".into());
    }
    if !given.contains("compress")
        && let Some(name) = given.iter().find(|name| is_of_compression(name))
    {
        return Err(format!("--{name} needs --compress").into());
    }
    Ok(CliCommand::Serve(Box::new(options)))
}

fn parse_decode(parser: &mut Parser) -> Result<CliCommand, lexopt::Error> {
    let options = decode::parse(parser)?;
    Ok(options.map_or(CliCommand::DecodeHelp, |options| CliCommand::Decode(Box::new(options))))
}

fn parse_accept(parser: &mut Parser) -> Result<CliCommand, lexopt::Error> {
    Ok(accept::parse(parser)?.map_or(CliCommand::AcceptHelp, CliCommand::Accept))
}

fn parse_replay(parser: &mut Parser) -> Result<CliCommand, lexopt::Error> {
    let options = replay::parse(parser)?;
    Ok(options.map_or(CliCommand::ReplayHelp, |options| CliCommand::Replay(Box::new(options))))
}

/// Reads the argument of `help`: nothing, or the name of a mode or a command.
fn parse_help(parser: &mut Parser) -> Result<CliCommand, lexopt::Error> {
    let Some(arg) = parser.next()? else { return Ok(CliCommand::Help) };
    match &arg {
        Value(name) if name == "decode" => Ok(CliCommand::DecodeHelp),
        Value(name) if name == "accept" => Ok(CliCommand::AcceptHelp),
        Value(name) if name == "replay" => Ok(CliCommand::ReplayHelp),
        Value(name) => name.parse_with(parse_mode).map(|_| CliCommand::Help),
        _ => Err(arg.unexpected()),
    }
}

/// Returns an error as one line without control characters: an argument can come from any source.
pub(super) fn error_line(error: &lexopt::Error) -> String {
    escape_line(&error.to_string())
}

fn escape_line(text: &str) -> String {
    let is_harmful = |it: char| it.is_control() || it.escape_debug().len() > 2;
    text.chars().map(|it| if is_harmful(it) { it.escape_debug().to_string() } else { it.into() }).collect()
}

/// Reads the value of `--explain`, which is optional.
fn parse_form(parser: &mut Parser) -> Result<Form, lexopt::Error> {
    let Some(value) = parser.optional_value() else {
        let next = parser.try_raw_args().and_then(|args| args.peek().map(ToOwned::to_owned));
        let form = next.filter(|it| it == "json" || it == "text");
        // Otherwise the form would be taken for a mode.
        return form.map_or(Ok(Form::Text), |form| {
            let form = form.display();
            Err(format!("--explain needs '=' before its form: --explain={form}").into())
        });
    };
    let form = value.parse_with(|form| match form {
        "text" => Ok(Form::Text),
        "json" => Ok(Form::Json),
        _ => Err("expected text or json"),
    });
    of_option("explain", form)
}

/// Sets the field of the configuration that an option names.
fn set(config: &mut Config, name: &str, parser: &mut Parser) -> Result<(), lexopt::Error> {
    match name {
        "host" => config.hosts.push(parser.value()?.parse_with(names::host)?),
        "origin" => config.origins.push(parser.value()?.parse_with(names::origin)?),
        "subprotocol" => config.subprotocols.push(parser.value()?.parse_with(units::token)?),
        "max-connections" => config.max_connections = parse_count(parser)?,
        "max-connections-per-address" => config.max_connections_per_address = parse_count(parser)?,
        "max-handshakes-per-address" => config.max_handshakes_per_address = parse_count(parser)?,
        "max-buffered-bytes" => {
            config.max_buffered_bytes = parser.value()?.parse_with(parse_buffered_bytes)?;
        }
        "shutdown-spread" => {
            let spread = parser.value()?.parse::<Limit<Seconds>>()?.0;
            config.shutdown_spread = spread.map_or(Duration::ZERO, |it| it.0);
        }
        "max-message-size" => config.limits.max_message_size = parser.value()?.parse::<Size>()?.0,
        "max-header-size" => config.limits.max_header_size = parser.value()?.parse_with(parse_header_size)?,
        "max-headers" => config.limits.max_headers = parser.value()?.parse_with(parse_headers)?,
        "handshake-timeout" => config.handshake_timeout = parser.value()?.parse::<Seconds>()?.0,
        "ping-interval" => {
            config.ping_interval = parser.value()?.parse::<Limit<Seconds>>()?.0.map(|it| it.0);
        }
        "pong-timeout" => config.pong_timeout = parser.value()?.parse::<Seconds>()?.0,
        "close-timeout" => config.close_timeout = parser.value()?.parse::<Seconds>()?.0,
        "max-close-time" => config.max_close_time = parser.value()?.parse::<Seconds>()?.0,
        "max-backpressure" => config.max_backpressure = parser.value()?.parse::<Size>()?.0,
        "backpressure" => config.backpressure = parser.value()?.parse_with(parse_backpressure)?,
        name if is_of_compression(name) => {
            return set_compression(config.compression.get_or_insert_default(), name, parser);
        }
        "nodelay" => config.nodelay = parser.value()?.parse_with(parse_switch)?,
        _ => return Err(Long(name).unexpected()),
    }
    Ok(())
}

/// Sets the field of the compression that an option names.
fn set_compression(
    compression: &mut Compression,
    name: &str,
    parser: &mut Parser,
) -> Result<(), lexopt::Error> {
    let negotiation = &mut compression.negotiation;
    match name {
        "compress-level" => compression.level = parser.value()?.parse_with(|it| parse_between(it, 1, 9))?,
        "compress-threshold" => compression.threshold = parser.value()?.parse::<Size>()?.0,
        "compress-window" => {
            let bits = parser.value()?.parse_with(|it| parse_between(it, 9, MAX_WINDOW_BITS))?;
            (negotiation.server_max_window_bits, negotiation.client_max_window_bits) = (bits, bits);
        }
        "compress-context" => {
            let (server, client) = parser.value()?.parse_with(parse_context)?;
            negotiation.server_no_context_takeover = !server;
            negotiation.client_no_context_takeover = !client;
        }
        "max-compressor-bytes" => compression.max_compressor_bytes = parser.value()?.parse::<Size>()?.0,
        "max-window-bytes" => compression.max_window_bytes = parser.value()?.parse::<Size>()?.0,
        _ => return Err(Long(name).unexpected()),
    }
    Ok(())
}

/// Returns whether an option is of use with --compress only.
fn is_of_compression(name: &str) -> bool {
    name.starts_with("compress-") || matches!(name, "max-compressor-bytes" | "max-window-bytes")
}

/// Reads whose context is taken over: the server's, the client's.
fn parse_context(name: &str) -> Result<(bool, bool), &'static str> {
    match name {
        "both" => Ok((true, true)),
        "server" => Ok((true, false)),
        "client" => Ok((false, true)),
        "none" => Ok((false, false)),
        _ => Err("expected both, server, client or none"),
    }
}

fn parse_between(text: &str, least: u8, most: u8) -> Result<u8, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("expected a number from {least} to {most}"))
}

/// Rejects an empty path: it would name the current directory of the server.
fn parse_directory(path: OsString) -> Result<PathBuf, lexopt::Error> {
    if path.is_empty() { Err("--record: expected a directory".into()) } else { Ok(path.into()) }
}

/// Reads a limit on a number of clients.
fn parse_count<T: FromStr + PartialOrd + Default>(parser: &mut Parser) -> Result<Option<T>, lexopt::Error> {
    Ok(parser.value()?.parse::<Limit<Positive<T>>>()?.0.map(|it| it.0))
}

fn parse_header_size(text: &str) -> Result<usize, String> {
    let Size(size) = text.parse()?;
    let least = SHORTEST_REQUEST.len();
    if size >= least { Ok(size) } else { Err(format!("the shortest request has {least} bytes")) }
}

fn parse_headers(text: &str) -> Result<usize, String> {
    let count = text.parse().map_err(|_| "expected a number of header lines")?;
    let least = SHORTEST_REQUEST.trim_end().lines().count() - 1;
    if count >= least { Ok(count) } else { Err(format!("every request has at least {least} header lines")) }
}

fn parse_buffered_bytes(text: &str) -> Result<usize, &'static str> {
    let Size(size) = text.parse()?;
    if size > 0 {
        Ok(size)
    } else {
        Err("the size must be above 0: a server without memory can't serve any client")
    }
}

fn parse_mode(name: &str) -> Result<Mode, &'static str> {
    match name {
        "echo" => Ok(Mode::Echo),
        "greet" => Ok(Mode::Greet),
        "study" => Ok(Mode::Study),
        _ => Err("the modes are echo, greet and study, the commands decode, accept and replay"),
    }
}

fn parse_backpressure(name: &str) -> Result<Backpressure, &'static str> {
    match name {
        "drop" => Ok(Backpressure::Drop),
        "close" => Ok(Backpressure::Close),
        _ => Err("expected drop or close"),
    }
}

fn parse_switch(name: &str) -> Result<bool, &'static str> {
    match name {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected on or off"),
    }
}

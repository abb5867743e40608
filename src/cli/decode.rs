//! The command `decode`: explains bytes, as text or as JSON.
//!
//! This file decides which side sent the bytes. The library explains them, and `decode_input.rs` reads them.

use std::{io, process::ExitCode};

use lexopt::{
    Arg::{Long, Short, Value},
    Parser, ValueExt,
};
use wirehook::{
    Limits,
    explain::{Explainer, Side, Step},
};

use super::{
    EXIT_FAILURE, EXIT_USAGE,
    capture::{self, Beginning},
    decode_capture,
    decode_input::Input,
    explain::{self, Form},
    report_error,
    stdout::Stdout,
    units::{Size, of_option},
};

pub(super) const HELP: &str = "\
Explains frames and handshakes: each byte, each bit, the rule that is kept or broken, what goes back.

Usage: wirehook decode [OPTIONS] [HEX... | FILE | -]

The bytes are given as hex (81 05, 8105, 0x81 0x05, 81:05), or they are read from a file or, for '-', from
standard input, which have them as they are, as hex, or as xxd and hexdump -C print them. Of a capture
(pcapng, pcap) every connection is explained, both sides.

  --base64                  they are written in base64
  --file PATH               read this file
  --handshake               they begin with a request or a response; found out by itself where they
                            begin with 'GET ' or 'HTTP/1.'
  --client, --server        who has sent them, or in a capture without a SYN has sent the first
                            [by the MASK bit of the first frame]
  --max-message-size SIZE   the limit of the server that they are sent to  [1M]
  --json                    print one JSON object a line
  -h, --help                this

Exits with 0 if no rule is broken, with 1 if one is, with 2 if there is nothing to explain or the output is lost.
";

/// What the arguments ask for.
#[derive(Debug, Default)]
pub(super) struct DecodeOptions {
    input: Input,
    is_handshake: bool,
    side: Option<Side>,
    is_json: bool,
    limits: Limits,
}

/// Reads the arguments; `None` asks for the help.
pub(super) fn parse(parser: &mut Parser) -> Result<Option<DecodeOptions>, lexopt::Error> {
    let mut options = DecodeOptions::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(None),
            Long("base64") => options.input.is_base64 = true,
            Long("file") => set_once(&mut options.input.file, parser.value()?.into(), "--file")?,
            Long("handshake") => options.is_handshake = true,
            Long("client") => set_once(&mut options.side, Side::Client, "--client or --server")?,
            Long("server") => set_once(&mut options.side, Side::Server, "--client or --server")?,
            Long("json") => options.is_json = true,
            Long("max-message-size") => {
                let size = of_option("max-message-size", parser.value()?.parse::<Size>());
                options.limits.max_message_size = size?.0;
            }
            Value(word) => options.input.words.push(word),
            _ => return Err(arg.unexpected()),
        }
    }
    options.input.is_sure = options.is_handshake || options.side.is_some();
    Ok(Some(options))
}

/// Sets a value that may be given once. The same value again is accepted.
fn set_once<T: PartialEq>(place: &mut Option<T>, value: T, name: &str) -> Result<(), String> {
    if place.as_ref().is_some_and(|it| *it != value) {
        return Err(format!("{name} can be given only once"));
    }
    *place = Some(value);
    Ok(())
}

pub(super) fn run(options: &DecodeOptions) -> ExitCode {
    match options.input.bytes() {
        Ok(bytes) if bytes.is_empty() => report_error(&"nothing to decode (try decode --help)", EXIT_USAGE),
        Ok(bytes) if capture::is_capture(&bytes) => options.show_capture(&bytes),
        Ok(bytes) => show(options, &bytes),
        Err(error) => report_error(&error, EXIT_USAGE),
    }
}

impl DecodeOptions {
    fn show_capture(&self, bytes: &[u8]) -> ExitCode {
        if self.is_handshake {
            return report_error(
                &"--handshake is not for captures: they show where a handshake is",
                EXIT_USAGE,
            );
        }
        let form = if self.is_json { Form::Json } else { Form::Text };
        decode_capture::run(bytes, form, &self.limits, self.side)
    }
}

/// The side that sent the bytes, and whether they begin with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    side: Side,
    is_handshake: bool,
    /// No option names the side: the MASK bit decides.
    is_guessed: bool,
}

impl Reading {
    fn of(options: &DecodeOptions, bytes: &[u8]) -> Self {
        let beginning = Beginning::of(bytes);
        if options.is_handshake || beginning.is_head() {
            let is_response = beginning == Beginning::Response;
            let side = if is_response { Side::Server } else { Side::Client };
            return Self { side: options.side.unwrap_or(side), is_handshake: true, is_guessed: false };
        }
        // §5.1: clients mask all their frames, servers none.
        let is_masked = bytes.get(1).is_none_or(|second| second & 0x80 != 0);
        let side = if is_masked { Side::Client } else { Side::Server };
        Self { side: options.side.unwrap_or(side), is_handshake: false, is_guessed: options.side.is_none() }
    }
}

fn show(options: &DecodeOptions, bytes: &[u8]) -> ExitCode {
    let mut out = Stdout::new();
    let shown = show_in(&mut out, options, bytes);
    out.finish(shown.map(|breaks_a_rule| if breaks_a_rule { EXIT_FAILURE } else { 0 }))
}

/// Explains the bytes; returns whether a rule is broken. One step is kept at a time: it takes far more memory
/// than its bytes.
fn show_in(out: &mut Stdout, options: &DecodeOptions, mut bytes: &[u8]) -> io::Result<bool> {
    let reading = Reading::of(options, bytes);
    let mut explainer = if reading.is_handshake {
        // A request alone does not show what the server accepted.
        Explainer::new(&options.limits).without_negotiation()
    } else {
        Explainer::of_frames(&options.limits)
    };
    if reading.is_guessed && reading.side == Side::Server && !options.is_json {
        out.put(
            "The first frame is not masked, so these are taken for a server's; --client says otherwise.\n\n",
        )?;
    }
    let in_colour = explain::wants_colour();
    let (mut breaks_a_rule, mut gap) = (false, "");
    let mut show = |step: Step| {
        breaks_a_rule |= step.breaks_a_rule();
        let text = match (options.is_json, in_colour) {
            (true, _) => step.json() + "\n",
            (false, true) => format!("{gap}{}", step.in_colour()),
            (false, false) => format!("{gap}{step}"),
        };
        gap = "\n";
        out.put(&text)
    };
    while let Some(step) = explainer.next_step(reading.side, &mut bytes) {
        show(step)?;
    }
    explainer.end().into_iter().try_for_each(show)?;
    Ok(breaks_a_rule)
}

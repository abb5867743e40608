//! The command `decode` for a capture: explains its connections one after the other.
//!
//! This file prints what surrounds the steps: the connection, its two ends, the times, the gaps. The library
//! makes the steps, and `capture/` reads the file.

use std::{io, process::ExitCode};

use wirehook::{
    Limits,
    explain::{Explainer, Side, Step},
};

use super::{
    EXIT_FAILURE, EXIT_USAGE,
    capture::{self, Recording},
    explain::{Form, object, wants_colour},
    report_error,
    stdout::Stdout,
};

/// Explains all connections of a capture. `first` is the side that spoke first, for connections without a
/// SYN.
pub(super) fn run(bytes: &[u8], form: Form, limits: &Limits, first: Option<Side>) -> ExitCode {
    let capture = match capture::read_with(bytes, first) {
        Ok(capture) => capture,
        Err(problem) => return report_error(&problem, EXIT_USAGE),
    };
    // Notes about the file are no part of the explanation: they go to standard error.
    for note in &capture.notes {
        report_error(note, EXIT_USAGE);
    }
    if capture.connections.is_empty() {
        return report_error(&"no TCP connection in this capture has any bytes", EXIT_USAGE);
    }
    if first.is_some() && capture.connections.iter().all(|it| it.has_beginning) {
        report_error(
            &"--client and --server change nothing here: each connection begins with a SYN",
            EXIT_USAGE,
        );
    }
    let mut page = CapturePrinter { number: 0, form, in_colour: wants_colour(), out: Stdout::new() };
    let mut breaks_a_rule = false;
    let shown = capture.connections.iter().try_for_each(|recording| {
        page.number += 1;
        breaks_a_rule |= page.show(recording, limits)?;
        Ok(())
    });
    page.out.finish(shown.map(|()| if breaks_a_rule { EXIT_FAILURE } else { 0 }))
}

/// Prints connections.
struct CapturePrinter {
    /// The number of the current connection; the first one is 1.
    number: usize,
    form: Form,
    in_colour: bool,
    out: Stdout,
}

impl CapturePrinter {
    /// Prints one connection; returns whether a rule is broken. One step is kept at a time: it takes far more
    /// memory than its bytes.
    fn show(&mut self, recording: &Recording<'_>, limits: &Limits) -> io::Result<bool> {
        self.show_head(recording)?;
        let mut explainer = explainer_for(recording, limits);
        let mut breaks_a_rule = false;
        for piece in &recording.pieces {
            let (seconds, mut bytes) = (piece.at.as_secs_f64(), piece.bytes);
            while let Some(step) = explainer.next_step(piece.from, &mut bytes) {
                breaks_a_rule |= step.breaks_a_rule();
                self.show_step(seconds, &step)?;
            }
        }
        let end = recording.pieces.last().map_or(0.0, |piece| piece.at.as_secs_f64());
        for step in explainer.end() {
            self.show_step(end, &step)?;
        }
        Ok(breaks_a_rule)
    }

    fn show_head(&mut self, recording: &Recording<'_>) -> io::Result<()> {
        let Recording { client, server, began, has_beginning, notes, .. } = recording;
        let (number, began) = (self.number, began.as_secs_f64());
        let (kind, says) = match has_beginning {
            true => ("connected", "has connected to"),
            false => ("ongoing", "was connected before the capture began to"),
        };
        match self.form {
            Form::Text => self.out.put(&format!("#{number} {client} {says} {server}\n\n"))?,
            Form::Json => self.show_object(
                0.0,
                &format!("{{\"kind\":\"{kind}\",\"peer\":\"{client}\",\"server\":\"{server}\",\"began\":{began:.6}}}"),
            )?,
        }
        for note in notes {
            match self.form {
                Form::Text => self.out.put(&format!("#{number} {note}\n\n"))?,
                Form::Json => self.show_object(0.0, &format!("{{\"kind\":\"note\",\"says\":\"{note}\"}}"))?,
            }
        }
        Ok(())
    }

    fn show_step(&mut self, seconds: f64, step: &Step) -> io::Result<()> {
        let number = self.number;
        match self.form {
            Form::Text if self.in_colour => {
                self.out.put(&format!("{seconds:.3} #{number} {}\n", step.in_colour()))
            }
            Form::Text => self.out.put(&format!("{seconds:.3} #{number} {step}\n")),
            Form::Json => self.show_object(seconds, &step.json()),
        }
    }

    fn show_object(&mut self, seconds: f64, json: &str) -> io::Result<()> {
        self.out.put(&object(seconds, &self.number, json))
    }
}

/// Returns an explainer that begins where the recording does. A capture can begin between two frames, and
/// then does not show which extension is in use.
fn explainer_for(recording: &Recording<'_>, limits: &Limits) -> Explainer {
    let has_head = |side| recording.beginning(side).is_head();
    if has_head(Side::Client) || has_head(Side::Server) {
        Explainer::new(limits)
    } else {
        Explainer::of_frames(limits).without_negotiation()
    }
}

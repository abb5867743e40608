//! The command `decode` for a capture: every connection in it, one after the other.
//!
//! This file knows what stands around the steps: which connection, who was who, when, what is missing. The steps
//! are the library's, how a capture is read is known to `capture/`.

use std::process::ExitCode;

use wirehook::{
    Limits,
    explain::{Explainer, Side, Step},
};

use super::{
    EXIT_FAILURE, EXIT_USAGE,
    capture::{self, Recording},
    complain,
    explain::{Form, object, wants_colour},
    print,
};

/// Explains all that a capture holds.
pub(super) fn run(bytes: &[u8], form: Form, limits: &Limits) -> ExitCode {
    let capture = match capture::read(bytes) {
        Ok(capture) => capture,
        Err(problem) => return complain(&problem, EXIT_USAGE),
    };
    // What goes wrong with the file is no part of what is explained.
    for note in &capture.notes {
        complain(note, EXIT_USAGE);
    }
    if capture.connections.is_empty() {
        return complain(&"nobody says anything on a TCP connection in this capture", EXIT_USAGE);
    }
    let in_colour = wants_colour();
    let mut breaks_a_rule = false;
    for (number, recording) in (1..).zip(&capture.connections) {
        breaks_a_rule |= Page { number, form, in_colour }.show(recording, limits);
    }
    if breaks_a_rule { ExitCode::from(EXIT_FAILURE) } else { ExitCode::SUCCESS }
}

/// Where one connection is shown.
#[derive(Clone, Copy)]
struct Page {
    /// The first one is 1.
    number: usize,
    form: Form,
    in_colour: bool,
}

impl Page {
    /// Returns whether a rule is broken.
    fn show(self, recording: &Recording, limits: &Limits) -> bool {
        self.show_head(recording);
        let mut explainer = explainer_for(recording, limits);
        let mut breaks_a_rule = false;
        for piece in &recording.pieces {
            let seconds = piece.at.as_secs_f64();
            for step in explainer.explain(piece.from, &piece.bytes) {
                breaks_a_rule |= step.breaks_a_rule();
                self.show_step(seconds, &step);
            }
        }
        let end = recording.pieces.last().map_or(0.0, |piece| piece.at.as_secs_f64());
        for step in explainer.end() {
            self.show_step(end, &step);
        }
        breaks_a_rule
    }

    fn show_head(self, recording: &Recording) {
        let Recording { client, server, began, notes, .. } = recording;
        let (number, began) = (self.number, began.as_secs_f64());
        match self.form {
            Form::Text => print(&format!("#{number} {client} has connected to {server}\n\n")),
            Form::Json => self.show_object(
                0.0,
                &format!("{{\"kind\":\"connected\",\"peer\":\"{client}\",\"server\":\"{server}\",\"began\":{began:.6}}}"),
            ),
        };
        for note in notes {
            match self.form {
                Form::Text => print(&format!("#{number} {note}\n\n")),
                Form::Json => self.show_object(0.0, &format!("{{\"kind\":\"note\",\"says\":\"{note}\"}}")),
            };
        }
    }

    fn show_step(self, seconds: f64, step: &Step) {
        match self.form {
            Form::Text if self.in_colour => {
                print(&format!("{seconds:.3} #{} {}\n", self.number, step.in_colour()))
            }
            Form::Text => print(&format!("{seconds:.3} #{} {step}\n", self.number)),
            Form::Json => self.show_object(seconds, &step.json()),
        };
    }

    fn show_object(self, seconds: f64, json: &str) -> ExitCode {
        print(&object(seconds, &self.number, json))
    }
}

/// One that begins where the recording does: a capture may begin between two frames.
fn explainer_for(recording: &Recording, limits: &Limits) -> Explainer {
    let begins = |side: Side, with: &[u8]| {
        recording
            .pieces
            .iter()
            .find(|piece| piece.from == side)
            .is_some_and(|piece| piece.bytes.starts_with(with))
    };
    if begins(Side::Client, b"GET ") || begins(Side::Server, b"HTTP/1.") {
        Explainer::new(limits)
    } else {
        Explainer::of_frames(limits)
    }
}

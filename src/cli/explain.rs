//! `--explain`: what goes over the wire, explained on standard output while it happens.
//!
//! This file knows which connection a step belongs to, when it was, and how to print without ever holding up the
//! server: a thread of its own writes, and where nobody reads, steps are left out and counted. What the steps say
//! is the library's business.

use std::{
    collections::HashMap,
    env,
    fmt::Display,
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    sync::mpsc::{self, Receiver, SyncSender},
    thread,
    time::{Duration, Instant},
};

use wirehook::{
    ConnId, Limits, Observer,
    explain::{Explainer, Side, Step},
};

/// Steps that may wait to be printed; those beyond are left out.
const MAX_WAITING: usize = 1024;
/// How long the end of the server waits for the last ones to be printed.
const LAST_WORDS: Duration = Duration::from_secs(1);

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

/// Explains all connections of a server.
pub(super) struct Explain {
    form: Form,
    in_colour: bool,
    limits: Limits,
    started: Instant,
    connections: HashMap<ConnId, Explainer>,
    printer: Printer,
}

/// The thread that prints, to be waited for at the end.
pub(super) struct Printing(Receiver<()>);

impl Explain {
    /// Begins to print.
    pub(super) fn start(form: Form, limits: &Limits) -> io::Result<(Self, Printing)> {
        let (waiting, queue) = mpsc::sync_channel(MAX_WAITING);
        let (done, printing) = mpsc::channel();
        thread::Builder::new().name("explain".to_owned()).spawn(move || {
            // That nobody reads is no reason to stop.
            let _ = print_all(&queue);
            let _ = done.send(());
        })?;
        let explain = Self {
            form,
            in_colour: wants_colour(),
            limits: *limits,
            started: Instant::now(),
            connections: HashMap::new(),
            printer: Printer { waiting, missing: 0 },
        };
        Ok((explain, Printing(printing)))
    }

    fn explain(&mut self, id: ConnId, side: Side, bytes: &[u8]) {
        let Some(explainer) = self.connections.get_mut(&id) else { return };
        for step in explainer.explain(side, bytes) {
            self.step(id, &step);
        }
    }

    fn step(&mut self, id: ConnId, step: &Step) {
        let line = match self.form {
            Form::Text if self.in_colour => format!("{} {}\n", self.when(id), step.in_colour()),
            Form::Text => format!("{} {step}\n", self.when(id)),
            Form::Json => self.object(id, &step.json()),
        };
        self.print(line);
    }

    /// Something that is no step.
    fn note(&mut self, id: ConnId, text: &str, json: &str) {
        let line = match self.form {
            Form::Text => format!("{} {text}\n\n", self.when(id)),
            Form::Json => self.object(id, json),
        };
        self.print(line);
    }

    fn when(&self, id: ConnId) -> String {
        format!("{:.3} #{id}", self.started.elapsed().as_secs_f64())
    }

    fn object(&self, id: ConnId, json: &str) -> String {
        object(self.started.elapsed().as_secs_f64(), &id, json)
    }

    fn print(&mut self, line: String) {
        let form = self.form;
        self.printer.print(line, |missing| match form {
            Form::Text => format!("… {missing} steps are missing: nobody has read them in time\n\n"),
            Form::Json => format!("{{\"kind\":\"missing\",\"steps\":{missing}}}\n"),
        });
    }
}

impl Observer for Explain {
    fn connected(&mut self, id: ConnId, peer: SocketAddr) {
        self.connections.insert(id, Explainer::new(&self.limits));
        let json = format!("{{\"kind\":\"connected\",\"peer\":\"{peer}\"}}");
        self.note(id, &format!("{peer} has connected"), &json);
    }

    fn received(&mut self, id: ConnId, bytes: &[u8]) {
        self.explain(id, Side::Client, bytes);
    }

    fn sent(&mut self, id: ConnId, bytes: &[u8]) {
        self.explain(id, Side::Server, bytes);
    }

    fn disconnected(&mut self, id: ConnId) {
        let Some(explainer) = self.connections.remove(&id) else { return };
        for step in explainer.end() {
            self.step(id, &step);
        }
        self.note(id, "the TCP connection is closed", "{\"kind\":\"disconnected\"}");
    }
}

impl Printing {
    /// Waits until everything is printed, but not for somebody who doesn't read.
    pub(super) fn finish(self) {
        let _ = self.0.recv_timeout(LAST_WORDS);
    }
}

/// The near end of the queue.
struct Printer {
    waiting: SyncSender<String>,
    missing: u64,
}

impl Printer {
    /// Has a line printed, or leaves it out; what was left out is told as soon as there is room again.
    fn print(&mut self, line: String, tell_missing: impl FnOnce(u64) -> String) {
        if self.missing > 0 && self.waiting.try_send(tell_missing(self.missing)).is_ok() {
            self.missing = 0;
        }
        if self.missing > 0 || self.waiting.try_send(line).is_err() {
            self.missing += 1;
        }
    }
}

/// Prints what comes until nothing more can come, and flushes whenever nothing waits.
fn print_all(queue: &Receiver<String>) -> io::Result<()> {
    while let Ok(line) = queue.recv() {
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes())?;
        for line in queue.try_iter().take(MAX_WAITING) {
            out.write_all(line.as_bytes())?;
        }
        out.flush()?;
    }
    Ok(())
}

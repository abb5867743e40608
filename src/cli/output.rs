//! Lines on standard output and standard error that never make the loop wait.
//!
//! This file writes lines, and a notice in place of left-out lines. `lossy.rs` is the queue.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use super::lossy::{Batch, Consumer, Lossy};

/// Bytes of lines that may wait.
const CAPACITY: usize = 256 * 1024;
/// The pause between writes to a full pipe that another program has made non-blocking.
const RETRY: Duration = Duration::from_millis(10);

/// An output for whole lines. Clones write to the same place, in the order of their calls.
#[derive(Clone)]
pub(super) struct Output(Lossy<Box<[u8]>>);

/// Returns a line that reports how many lines were left out.
pub(super) type Notice = fn(u64) -> String;

impl Output {
    pub(super) fn stdout(out: ServerStdout, notice: Notice) -> Self {
        Self::to("stdout", out, notice)
    }

    pub(super) fn stderr(notice: Notice) -> Self {
        Self::to("stderr", io::stderr(), notice)
    }

    fn to(name: &'static str, out: impl Write + Send + 'static, notice: Notice) -> Self {
        Self(Lossy::new(name, CAPACITY, Lines { out, notice, left_out: 0 }))
    }

    /// Queues whole lines with their line ends, or counts them as one left-out line.
    pub(super) fn queue_lines(&self, lines: &str) {
        self.queue_bytes(lines.as_bytes());
    }

    /// Writes the first lines to standard output at once: no client is served yet.
    ///
    /// The queue would start a thread for them, and a process that has had one pays more for every system
    /// call.
    pub(super) fn write_first(&self, lines: &str) {
        if write(&mut io::stdout(), lines.as_bytes()).is_err() {
            self.queue_lines(lines);
        }
    }

    /// Waits until everything is written, but not for a reader that does not read.
    pub(super) fn finish(&self) {
        self.0.finish();
    }

    fn queue_bytes(&self, lines: &[u8]) {
        self.0.push(lines.len(), || lines.into());
    }
}

/// The standard output of a server. The server continues after a failed write; the first error is kept for
/// its end.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerStdout(Arc<Mutex<Option<io::Error>>>);

impl ServerStdout {
    /// Returns the error of the first line that was lost, if any was.
    pub(super) fn take_error(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps the first error that loses bytes. After the two other kinds the caller tries again.
    fn keep<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        outcome.inspect_err(|error| {
            if !matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) {
                let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| {
                    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
                });
            }
        })
    }
}

impl Write for ServerStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.keep(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.keep(io::stdout().flush())
    }
}

/// The logger writes each line with one call.
impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queue_bytes(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines, on a thread that may block.
struct Lines<W> {
    out: W,
    notice: Notice,
    /// Lines left out since the last one written.
    left_out: u64,
}

impl<W: Write + Send + 'static> Consumer<Box<[u8]>> for Lines<W> {
    fn consume(&mut self, batch: Batch<Box<[u8]>>) {
        for lines in batch.entries {
            self.report_left_out();
            if write(&mut self.out, &lines).is_err() {
                self.left_out += 1;
            }
        }
        self.left_out += batch.left_out;
        self.report_left_out();
    }
}

impl<W: Write> Lines<W> {
    fn report_left_out(&mut self) {
        let notice = self.notice;
        if self.left_out > 0 && write(&mut self.out, notice(self.left_out).as_bytes()).is_ok() {
            self.left_out = 0;
        }
    }
}

/// Writes all of `bytes`, however long it takes.
///
/// # Errors
///
/// The reader has closed the pipe, or the disk is full.
pub(super) fn write(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

/// Escapes all characters that a terminal would interpret: control characters, characters that change the
/// writing direction, and the backslash, so that no two texts look the same.
pub(super) fn escape_controls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for part in text.split_inclusive(['"', '\'']) {
        let (part, quote) = match part.strip_suffix(['"', '\'']) {
            Some(before) => part.split_at(before.len()),
            None => (part, ""),
        };
        shown.extend(part.escape_debug());
        shown.push_str(quote);
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Arc, Mutex},
    };

    use super::*;

    /// Accepts as many bytes per write as a script says, and then all.
    #[derive(Clone, Default)]
    struct Scripted {
        taken: Arc<Mutex<Vec<u8>>>,
        script: Arc<Mutex<VecDeque<io::Result<usize>>>>,
    }

    impl Scripted {
        fn of(script: impl IntoIterator<Item = io::Result<usize>>) -> Self {
            let this = Self::default();
            this.script.lock().unwrap_or_else(|it| it.into_inner()).extend(script);
            this
        }

        fn text(&self) -> String {
            String::from_utf8_lossy(&self.taken.lock().unwrap_or_else(|it| it.into_inner())).into_owned()
        }
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let next = self.script.lock().unwrap_or_else(|it| it.into_inner()).pop_front();
            let len = next.unwrap_or(Ok(bytes.len()))?.min(bytes.len());
            self.taken.lock().unwrap_or_else(|it| it.into_inner()).extend(&bytes[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn notice(count: u64) -> String {
        format!("[{count} left out]\n")
    }

    #[test]
    fn a_line_is_whole_however_little_each_write_takes() {
        let would_block = || Err(io::ErrorKind::WouldBlock.into());
        let sink = Scripted::of([Ok(2), would_block(), Err(io::ErrorKind::Interrupted.into()), Ok(1)]);
        let output = Output::to("test", sink.clone(), notice);
        output.queue_lines("a line\n");
        output.finish();
        assert_eq!(sink.text(), "a line\n");
    }

    #[test]
    fn lost_lines_are_reported_once_a_line_can_be_written() {
        let full = || Err(io::ErrorKind::StorageFull.into());
        // Both lines, each with the notice after it.
        let sink = Scripted::of([full(), full(), full(), full()]);
        let mut lines = Lines { out: sink.clone(), notice, left_out: 0 };
        lines.consume(Batch { entries: vec![b"1\n"[..].into()], left_out: 0 });
        lines.consume(Batch { entries: vec![b"2\n"[..].into()], left_out: 0 });
        lines.consume(Batch { entries: vec![b"3\n"[..].into()], left_out: 4 });
        assert_eq!(sink.text(), "[2 left out]\n3\n[4 left out]\n");
    }

    #[test]
    fn lines_beyond_the_capacity_are_counted_in_their_place() {
        let sink = Scripted::default();
        let output = Output::to("test", sink.clone(), notice);
        output.queue_lines(&"x".repeat(CAPACITY));
        output.finish();
        output.queue_lines("the next\n");
        output.finish();
        assert_eq!(sink.text(), "[1 left out]\nthe next\n");
    }

    #[test]
    fn a_terminal_gets_no_control_character_of_a_client() {
        assert_eq!(escape_controls("grüße, \"X\", it's e\u{301}"), "grüße, \"X\", it's e\u{301}");
        assert_eq!(escape_controls("a\x1b[2Jb\n\u{9b}c\\n"), "a\\u{1b}[2Jb\\n\\u{9b}c\\\\n");
        // Characters that reorder the text around them, and invisible ones.
        for control in
            "\u{61c}\u{200b}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{feff}".chars()
        {
            assert_eq!(escape_controls(&control.to_string()), format!("\\u{{{:x}}}", u32::from(control)));
        }
    }
}

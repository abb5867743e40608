//! Lines on standard output and standard error that never make the loop wait.
//!
//! This file knows how a line is written, and what is said instead of lines that were left out. The queue is
//! `lossy.rs`.

use std::{
    io::{self, Write},
    thread,
    time::Duration,
};

use super::lossy::{Batch, Consumer, Lossy};

/// Bytes of lines that may wait for a reader.
const CAPACITY: usize = 256 * 1024;
/// How long to wait for room in a pipe that another program has made non-blocking.
const RETRY: Duration = Duration::from_millis(10);

/// Where lines go, one after the other. Clones go to the same place, in the order in which they are told.
#[derive(Clone)]
pub(super) struct Output(Lossy<Box<[u8]>>);

/// Says how many lines are left out, in a line.
pub(super) type Notice = fn(u64) -> String;

impl Output {
    pub(super) fn stdout(notice: Notice) -> Self {
        Self::to("stdout", io::stdout(), notice)
    }

    pub(super) fn stderr(notice: Notice) -> Self {
        Self::to("stderr", io::stderr(), notice)
    }

    fn to(name: &'static str, out: impl Write + Send + 'static, notice: Notice) -> Self {
        Self(Lossy::new(name, CAPACITY, Lines { out, notice, left_out: 0 }))
    }

    /// Has whole lines written, with their ends, or counts them as one that is left out.
    pub(super) fn tell(&self, lines: &str) {
        self.tell_bytes(lines.as_bytes());
    }

    /// Waits until everything is written, but not for a reader that doesn't read.
    pub(super) fn finish(&self) {
        self.0.finish();
    }

    fn tell_bytes(&self, lines: &[u8]) {
        self.0.tell(lines.len(), || lines.into());
    }
}

/// The logger writes each of its lines with one call.
impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.tell_bytes(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines, on a thread that may wait.
struct Lines<W> {
    out: W,
    notice: Notice,
    /// Lines that were not written since the last that was.
    left_out: u64,
}

impl<W: Write + Send + 'static> Consumer<Box<[u8]>> for Lines<W> {
    fn consume(&mut self, batch: Batch<Box<[u8]>>) {
        for lines in batch.entries {
            self.tell_left_out();
            if write(&mut self.out, &lines).is_err() {
                self.left_out += 1;
            }
        }
        self.left_out += batch.left_out;
        self.tell_left_out();
    }
}

impl<W: Write> Lines<W> {
    fn tell_left_out(&mut self) {
        let notice = self.notice;
        if self.left_out > 0 && write(&mut self.out, notice(self.left_out).as_bytes()).is_ok() {
            self.left_out = 0;
        }
    }
}

/// Writes all of `bytes`, for as long as it takes.
///
/// # Errors
///
/// Nothing reads them any more, or the disk is full.
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

/// A text with everything escaped that a terminal would not just show: control characters, those that turn the
/// direction of writing round, and the backslash, so that no two texts look the same.
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

    /// Takes bytes as a script says, and then as they come.
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
    fn a_line_is_whole_whatever_its_reader_takes_at_once() {
        let would_block = || Err(io::ErrorKind::WouldBlock.into());
        let sink = Scripted::of([Ok(2), would_block(), Err(io::ErrorKind::Interrupted.into()), Ok(1)]);
        let output = Output::to("test", sink.clone(), notice);
        output.tell("a line\n");
        output.finish();
        assert_eq!(sink.text(), "a line\n");
    }

    #[test]
    fn lines_that_can_not_be_written_are_told_when_one_can() {
        let full = || Err(io::ErrorKind::StorageFull.into());
        // Both lines, and the notice after each.
        let sink = Scripted::of([full(), full(), full(), full()]);
        let mut lines = Lines { out: sink.clone(), notice, left_out: 0 };
        lines.consume(Batch { entries: vec![b"1\n"[..].into()], left_out: 0 });
        lines.consume(Batch { entries: vec![b"2\n"[..].into()], left_out: 0 });
        lines.consume(Batch { entries: vec![b"3\n"[..].into()], left_out: 4 });
        assert_eq!(sink.text(), "[2 left out]\n3\n[4 left out]\n");
    }

    #[test]
    fn more_than_the_capacity_is_left_out_and_counted_in_its_place() {
        let sink = Scripted::default();
        let output = Output::to("test", sink.clone(), notice);
        output.tell(&"x".repeat(CAPACITY));
        output.finish();
        output.tell("the next\n");
        output.finish();
        assert_eq!(sink.text(), "[1 left out]\nthe next\n");
    }

    #[test]
    fn a_terminal_gets_no_control_character_of_a_client() {
        assert_eq!(escape_controls("grüße, \"X\", it's e\u{301}"), "grüße, \"X\", it's e\u{301}");
        assert_eq!(escape_controls("a\x1b[2Jb\n\u{9b}c\\n"), "a\\u{1b}[2Jb\\n\\u{9b}c\\\\n");
        // Those that reorder what stands around them, and those that can't be seen.
        for control in
            "\u{61c}\u{200b}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{feff}".chars()
        {
            assert_eq!(escape_controls(&control.to_string()), format!("\\u{{{:x}}}", u32::from(control)));
        }
    }
}

//! Plays a script: sends the client's bytes when they are due, and compares the answer with the recorded one.
//!
//! This file knows when to send, when to receive, and when to stop. It does not know how a difference is
//! shown.
//!
//! It receives no more than the recording has, and for a differing frame the bytes that are shown: a server
//! can't fill memory. Each part of the answer has one deadline, which no bytes extend, and each pause of the
//! client has a maximum. So every play ends, whatever the recording and the server.

use std::{fmt, time::Duration};

use wirehook::protocol::FrameHeader;

use super::{
    difference::{Difference, SHOWN},
    line::{Awaited, Line, Transport},
    script::{ClientScript, END_OF_HEAD, Part, PartKind, begins_ping, frame_len, head_len},
};

/// The longest response head that is accepted.
const MAX_HEAD: usize = 64 * 1024;

/// How many pings are skipped between two reads of the clock. One receive can contain millions of them.
const PINGS_PER_CLOCK_READ: usize = 1024;

/// When the client sends its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As soon as the answer recorded before them has arrived; the client's own pauses are left out.
    AsSoonAsAnswered,
    /// Not before that, and not earlier than recorded. A longer pause than `longest` is shortened: the
    /// recording may come from any source.
    AsRecorded { longest: Duration },
}

/// The result of a play without differences.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) frames: usize,
    pub(super) bytes: usize,
    /// Pings of the server, in the recording and in the play.
    pub(super) pings: [usize; 2],
    /// Bytes at the end of the recording that are no whole frame.
    pub(super) unfinished: usize,
    /// The server has not closed the connection.
    pub(super) is_open: bool,
    /// How many pauses were shortened.
    pub(super) shortened: usize,
}

/// Plays a script to the end or to the first difference.
pub(super) fn play<T: Transport>(
    script: &ClientScript,
    line: Line<T>,
    pace: Pace,
) -> Result<Summary, Box<Difference>> {
    let summary = Summary { unfinished: script.unfinished(), ..Summary::default() };
    let mut player = Player { script, line, next: 0, schedule: Schedule::default(), summary };
    for cue in &script.cues {
        player.compare_parts(cue.after)?;
        if let Pace::AsRecorded { longest } = pace {
            player.pause(cue.at, longest);
        }
        player.line.send(&cue.bytes);
    }
    player.compare_parts(script.answer.len())?;
    player.compare_end()
}

/// The time at which the next cue is due.
#[derive(Debug, Default)]
struct Schedule {
    /// The latest time in the recording so far. Times in a file can go backwards.
    recorded: Duration,
    /// The same time on the play's clock, without the shortened parts.
    due: Duration,
}

struct Player<'a, T> {
    script: &'a ClientScript,
    line: Line<T>,
    /// The index of the next part.
    next: usize,
    schedule: Schedule,
    summary: Summary,
}

impl<T: Transport> Player<'_, T> {
    /// Waits as long as the client did before it sent at time `at`, `longest` at most.
    fn pause(&mut self, at: Duration, longest: Duration) {
        let pause = at.saturating_sub(self.schedule.recorded);
        self.summary.shortened += usize::from(pause > longest);
        self.schedule.recorded = self.schedule.recorded.max(at);
        self.schedule.due = self.schedule.due.saturating_add(pause.min(longest));
        self.line.sleep_until(self.schedule.due);
    }

    /// Receives all parts that were recorded within the first `len` bytes of the answer.
    fn compare_parts(&mut self, len: usize) -> Result<(), Box<Difference>> {
        while let Some(part) = self.script.parts.get(self.next).copied().filter(|part| part.end <= len) {
            self.line.begin_part();
            match part.kind {
                PartKind::Head => self.compare_head(part)?,
                PartKind::Frame => self.compare_frame(part)?,
                PartKind::Ping => self.summary.pings[0] += 1,
                PartKind::Rest => self.compare_rest(part)?,
            }
            self.summary.bytes += part.end - part.start;
            self.next += 1;
        }
        Ok(())
    }

    /// Ends the sending direction, and checks whether the server sends more than recorded.
    fn compare_end(mut self) -> Result<Summary, Box<Difference>> {
        self.line.finish_sending();
        self.line.begin_part();
        let outcome = self.skip_pings();
        // An incomplete recording does not tell what followed. The server's end can cut a ping.
        let says_more = !self.line.received().is_empty() && !begins_ping(self.line.received());
        if says_more && self.summary.unfinished == 0 {
            self.complete_shown_bytes();
            return Err(self.differs("the server says more than was recorded", &[]));
        }
        if self.line.unsent() > 0 {
            let (unsent, seconds) = (self.line.unsent(), self.line.timeout().as_secs_f64());
            let what = format!("the server doesn't read: {unsent} bytes were not sent within {seconds} s");
            return Err(self.differs(&what, &[]));
        }
        self.summary.is_open = outcome != Awaited::End;
        Ok(self.summary)
    }

    // --- One part ------------------------------------------------------------------------------------------

    fn compare_head(&mut self, part: Part) -> Result<(), Box<Difference>> {
        let mut searched = 0;
        let len = loop {
            let outcome = self.line.wait_for(searched + 1);
            let received = &self.line.received()[..self.line.received().len().min(MAX_HEAD)];
            // The end can begin in the bytes searched before. No byte is searched more than a few times.
            let from = searched.saturating_sub(END_OF_HEAD.len() - 1);
            if let Some(len) = head_len(&received[from..]) {
                break from + len;
            }
            searched = received.len();
            if outcome != Awaited::Enough || searched == MAX_HEAD {
                return Err(self.missing(&self.name_of(part), outcome, part));
            }
        };
        let recorded = &self.script.answer[part.start..part.end];
        if let Some(difference) = Difference::of_heads(recorded, &self.line.received()[..len]) {
            return Err(Box::new(difference));
        }
        self.line.take(len);
        Ok(())
    }

    fn compare_frame(&mut self, part: Part) -> Result<(), Box<Difference>> {
        match self.skip_pings() {
            Awaited::Enough => self.compare_exactly(part)?,
            outcome => return Err(self.missing(&self.name_of(part), outcome, part)),
        }
        self.summary.frames += 1;
        Ok(())
    }

    /// Receives bytes that are no frame. Pings can precede them, except in the body of a refusal.
    fn compare_rest(&mut self, part: Part) -> Result<(), Box<Difference>> {
        if self.script.has_frames() {
            self.skip_pings();
        }
        self.compare_exactly(part)
    }

    /// Receives a part that must be equal byte for byte. Stops at the first difference: a frame with another
    /// length is not awaited.
    fn compare_exactly(&mut self, part: Part) -> Result<(), Box<Difference>> {
        let script = self.script;
        let recorded = &script.answer[part.start..part.end];
        let what = self.name_of(part);
        // First the shortest header and the longest: they tell whether the rest is worth waiting for.
        for len in [2, FrameHeader::MAX_LEN, recorded.len()].map(|len| len.min(recorded.len())) {
            let outcome = self.line.wait_for(len);
            let received = self.line.received();
            let same = recorded.iter().zip(received).take_while(|(one, other)| one == other).count();
            if same < received.len().min(len) {
                self.complete_shown_bytes();
                let at = part.start + same;
                let what = format!("{what} differs at its byte {same}, which is byte {at} of the answer");
                return Err(self.differs(&what, recorded));
            }
            if outcome != Awaited::Enough {
                return Err(self.missing(&what, outcome, part));
            }
        }
        self.line.take(recorded.len());
        Ok(())
    }

    /// Drops pings before the expected bytes. Returns the outcome of the last wait.
    fn skip_pings(&mut self) -> Awaited {
        for skipped in 1_usize.. {
            if skipped.is_multiple_of(PINGS_PER_CLOCK_READ) && self.line.is_overdue() {
                break;
            }
            let outcome = self.line.wait_for(1);
            if outcome != Awaited::Enough || !begins_ping(self.line.received()) {
                return outcome;
            }
            let outcome = self.line.wait_for(2);
            // §5.5: the second byte is the length.
            let &[_, len, ..] = self.line.received() else { return outcome };
            if !begins_ping(self.line.received()) {
                return outcome;
            }
            // Nothing of an incomplete ping is taken, and nothing follows it.
            match self.line.wait_for(2 + usize::from(len)) {
                Awaited::Enough => self.line.take(2 + usize::from(len)),
                cut => return cut,
            }
            self.summary.pings[1] += 1;
        }
        Awaited::Silence
    }

    // --- What differs --------------------------------------------------------------------------------------

    fn name_of(&self, part: Part) -> String {
        match part.kind {
            PartKind::Head => "the response".to_owned(),
            PartKind::Rest => "what follows the response's head".to_owned(),
            PartKind::Frame | PartKind::Ping => format!("frame {}", self.summary.frames + 1),
        }
    }

    /// Waits for the rest of a differing frame, as far as it is shown.
    fn complete_shown_bytes(&mut self) {
        if let Ok(Some((header, header_len))) = FrameHeader::decode(self.line.received()) {
            let len = frame_len(&header, header_len).unwrap_or(SHOWN);
            self.line.wait_for(len.min(SHOWN));
        }
    }

    fn missing(&self, what: &str, outcome: Awaited, part: Part) -> Box<Difference> {
        let seconds = self.line.timeout().as_secs_f64();
        let what = match outcome {
            Awaited::End => format!("the server has closed the connection before {what} was complete"),
            Awaited::Silence => format!("{what} doesn't come within {seconds} s"),
            Awaited::Enough => format!("{what} has no end within {MAX_HEAD} bytes"),
        };
        self.differs(&what, &self.script.answer[part.start..part.end])
    }

    fn differs(&self, what: &str, recorded: &[u8]) -> Box<Difference> {
        Box::new(Difference::of_bytes(what, recorded, self.line.received()))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, bytes, pings: [recorded, received], unfinished, is_open, shortened } = self;
        let plural = if *frames == 1 { "" } else { "s" };
        write!(f, "{frames} frame{plural}, {bytes} bytes with the response's head")?;
        if recorded + received > 0 {
            write!(f, "; pings not compared: {recorded} recorded, {received} came")?;
        }
        if *unfinished > 0 {
            write!(f, "; the recording breaks off in a frame, whose {unfinished} bytes are not compared")?;
        }
        if *is_open {
            write!(f, "; the server has not closed the connection")?;
        }
        if *shortened > 0 {
            write!(f, "; {shortened} longer pauses were shortened to --max-pause")?;
        }
        Ok(())
    }
}

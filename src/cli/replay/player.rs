//! The play itself: the client's words, each when its time has come, and the answers held against the recorded ones.
//!
//! This file knows when to speak, when to listen, and when to stop. It refuses to know how a difference is shown.
//!
//! No more is taken from the server than the recording has, but for one frame that differs and of which some bytes
//! are shown: a server can't fill memory by saying more. Each part of the answer has one deadline, which nothing
//! that the server sends extends; and each pause of a client has a longest length. So a play has an end, whoever
//! wrote the recording and whatever the server does.

use std::{fmt, time::Duration};

use wirehook::protocol::FrameHeader;

use super::{
    difference::{Difference, SHOWN},
    line::{Heard, Line, Transport},
    script::{END_OF_HEAD, Kind, Part, Script, begins_ping, frame_len, head_len},
};

/// The longest response head that is waited for.
const MAX_HEAD: usize = 64 * 1024;

/// How many pings are skipped between two looks at the clock. What has come may hold millions of them.
const PINGS_PER_LOOK: usize = 1024;

/// When the client says what it has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// When all has come that it had heard before; its own pauses are left out.
    AsSoonAsAnswered,
    /// Not before that, and not earlier than it did. A pause longer than `longest` is shortened: the times stand in
    /// a file that anybody may have written.
    AsRecorded { longest: Duration },
}

/// What a play came to in which all was the same.
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
    /// Pauses that were longer than they may be.
    pub(super) shortened: usize,
}

/// Plays a script to the end or to the first difference.
pub(super) fn play<T: Transport>(
    script: &Script,
    line: Line<T>,
    pace: Pace,
) -> Result<Summary, Box<Difference>> {
    let summary = Summary { unfinished: script.unfinished(), ..Summary::default() };
    let mut player = Player { script, line, next: 0, schedule: Schedule::default(), summary };
    for cue in &script.cues {
        player.listen(cue.after)?;
        if let Pace::AsRecorded { longest } = pace {
            player.pause(cue.at, longest);
        }
        player.line.say(&cue.bytes);
    }
    player.listen(script.answer.len())?;
    player.listen_to_the_end()
}

/// When the next cue is due.
#[derive(Debug, Default)]
struct Schedule {
    /// The latest time in the recording so far. Times in a file can go back.
    recorded: Duration,
    /// The same on the clock of the play, without what was shortened.
    due: Duration,
}

struct Player<'a, T> {
    script: &'a Script,
    line: Line<T>,
    /// Which part comes next.
    next: usize,
    schedule: Schedule,
    summary: Summary,
}

impl<T: Transport> Player<'_, T> {
    /// Waits as long as the client did before what it said `at` that time, `longest` at most.
    fn pause(&mut self, at: Duration, longest: Duration) {
        let pause = at.saturating_sub(self.schedule.recorded);
        self.summary.shortened += usize::from(pause > longest);
        self.schedule.recorded = self.schedule.recorded.max(at);
        self.schedule.due = self.schedule.due.saturating_add(pause.min(longest));
        self.line.sleep_until(self.schedule.due);
    }

    /// Hears all parts that were recorded within the first `len` bytes of the answer.
    fn listen(&mut self, len: usize) -> Result<(), Box<Difference>> {
        while let Some(part) = self.script.parts.get(self.next).copied().filter(|part| part.end <= len) {
            self.line.begin_part();
            match part.kind {
                Kind::Head => self.hear_head(part)?,
                Kind::Frame => self.hear_frame(part)?,
                Kind::Ping => self.summary.pings[0] += 1,
                Kind::Rest => self.hear_rest(part)?,
            }
            self.summary.bytes += part.end - part.start;
            self.next += 1;
        }
        Ok(())
    }

    /// Says that nothing more comes, and hears whether the server has more to say.
    fn listen_to_the_end(mut self) -> Result<Summary, Box<Difference>> {
        self.line.fall_silent();
        self.line.begin_part();
        let heard = self.skip_pings();
        // What a recording that breaks off would have had there is not known. A ping may be cut by its server's end.
        let says_more = !self.line.heard().is_empty() && !begins_ping(self.line.heard());
        if says_more && self.summary.unfinished == 0 {
            self.complete_what_is_shown();
            return Err(self.differs("the server says more than was recorded", &[]));
        }
        if self.line.unsent() > 0 {
            let (unsent, seconds) = (self.line.unsent(), self.line.timeout().as_secs_f64());
            let what = format!("the server doesn't read: {unsent} bytes were not sent within {seconds} s");
            return Err(self.differs(&what, &[]));
        }
        self.summary.is_open = heard != Heard::End;
        Ok(self.summary)
    }

    // --- One part --------------------------------------------------------------------------------------------

    fn hear_head(&mut self, part: Part) -> Result<(), Box<Difference>> {
        let mut searched = 0;
        let len = loop {
            let heard = self.line.wait_for(searched + 1);
            let came = &self.line.heard()[..self.line.heard().len().min(MAX_HEAD)];
            // The end may begin in what was searched before. No byte is searched more than a few times.
            let from = searched.saturating_sub(END_OF_HEAD.len() - 1);
            if let Some(len) = head_len(&came[from..]) {
                break from + len;
            }
            searched = came.len();
            if heard != Heard::Enough || searched == MAX_HEAD {
                return Err(self.missing(&self.name_of(part), heard, part));
            }
        };
        let recorded = &self.script.answer[part.start..part.end];
        if let Some(difference) = Difference::of_heads(recorded, &self.line.heard()[..len]) {
            return Err(Box::new(difference));
        }
        self.line.take(len);
        Ok(())
    }

    fn hear_frame(&mut self, part: Part) -> Result<(), Box<Difference>> {
        match self.skip_pings() {
            Heard::Enough => self.hear_exactly(part)?,
            heard => return Err(self.missing(&self.name_of(part), heard, part)),
        }
        self.summary.frames += 1;
        Ok(())
    }

    /// Hears what is no frame. Before it, but not in the body of a refusal, there may be pings.
    fn hear_rest(&mut self, part: Part) -> Result<(), Box<Difference>> {
        if self.script.has_frames() {
            self.skip_pings();
        }
        self.hear_exactly(part)
    }

    /// Hears a part that has to be the same byte for byte, and stops at the first that isn't: what was announced with
    /// another length is not waited for.
    fn hear_exactly(&mut self, part: Part) -> Result<(), Box<Difference>> {
        let script = self.script;
        let recorded = &script.answer[part.start..part.end];
        let what = self.name_of(part);
        // First the shortest header and the longest: they say whether the rest is worth waiting for.
        for len in [2, FrameHeader::MAX_LEN, recorded.len()].map(|len| len.min(recorded.len())) {
            let heard = self.line.wait_for(len);
            let came = self.line.heard();
            let same = recorded.iter().zip(came).take_while(|(one, other)| one == other).count();
            if same < came.len().min(len) {
                self.complete_what_is_shown();
                let at = part.start + same;
                let what = format!("{what} differs at its byte {same}, which is byte {at} of the answer");
                return Err(self.differs(&what, recorded));
            }
            if heard != Heard::Enough {
                return Err(self.missing(&what, heard, part));
            }
        }
        self.line.take(recorded.len());
        Ok(())
    }

    /// Drops pings that come before what is waited for. Returns whether anything else has come.
    fn skip_pings(&mut self) -> Heard {
        for skipped in 1_usize.. {
            if skipped.is_multiple_of(PINGS_PER_LOOK) && self.line.is_overdue() {
                break;
            }
            let heard = self.line.wait_for(1);
            if heard != Heard::Enough || !begins_ping(self.line.heard()) {
                return heard;
            }
            let heard = self.line.wait_for(2);
            // §5.5: its length stands in the second byte.
            let &[_, len, ..] = self.line.heard() else { return heard };
            if !begins_ping(self.line.heard()) {
                return heard;
            }
            // Of a ping that doesn't end nothing is taken, and nothing follows it.
            match self.line.wait_for(2 + usize::from(len)) {
                Heard::Enough => self.line.take(2 + usize::from(len)),
                cut => return cut,
            }
            self.summary.pings[1] += 1;
        }
        Heard::Silence
    }

    // --- What differs ----------------------------------------------------------------------------------------

    fn name_of(&self, part: Part) -> String {
        match part.kind {
            Kind::Head => "the response".to_owned(),
            Kind::Rest => "what follows the response's head".to_owned(),
            Kind::Frame | Kind::Ping => format!("frame {}", self.summary.frames + 1),
        }
    }

    /// Waits for the rest of a frame that differs, as far as it is shown.
    fn complete_what_is_shown(&mut self) {
        if let Ok(Some((header, header_len))) = FrameHeader::decode(self.line.heard()) {
            let len = frame_len(&header, header_len).unwrap_or(SHOWN);
            self.line.wait_for(len.min(SHOWN));
        }
    }

    fn missing(&self, what: &str, heard: Heard, part: Part) -> Box<Difference> {
        let seconds = self.line.timeout().as_secs_f64();
        let what = match heard {
            Heard::End => format!("the server has closed the connection before {what} was complete"),
            Heard::Silence => format!("{what} doesn't come within {seconds} s"),
            Heard::Enough => format!("{what} has no end within {MAX_HEAD} bytes"),
        };
        self.differs(&what, &self.script.answer[part.start..part.end])
    }

    fn differs(&self, what: &str, recorded: &[u8]) -> Box<Difference> {
        Box::new(Difference::of_bytes(what, recorded, self.line.heard()))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, bytes, pings: [recorded, came], unfinished, is_open, shortened } = self;
        let plural = if *frames == 1 { "" } else { "s" };
        write!(f, "{frames} frame{plural}, {bytes} bytes with the response's head")?;
        if recorded + came > 0 {
            write!(f, "; pings not compared: {recorded} recorded, {came} came")?;
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

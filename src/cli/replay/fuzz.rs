//! Invariant: a play ends by its deadlines, whatever the recording and the server. It holds no more memory
//! than that needs. It reports "same" for exactly the servers that send the same.

use std::net::Ipv4Addr;

use wirehook::explain::Side;

use super::{
    super::capture::Piece,
    scripted::{Forever, ScriptedServer, ServerStep},
    *,
};

const LIMIT: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Bounds of a plan, so that an execution is short.
const MAX_RECORDED: usize = 20;
const MAX_STEPS: usize = 40;

/// The bytes held beside the answer: an endless head, and one receive.
const MAX_HELD_BESIDE: usize = 64 * 1024 + 16 * 1024 + 1024;

const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
const REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\n";

/// A recorded session, and what is certain about it.
struct Recorded {
    /// The bytes of both sides, with their times.
    pieces: Vec<(Duration, Side, Vec<u8>)>,
    /// The answer consists of a head and whole frames.
    is_clean: bool,
}

/// Runs the body of the target. Input: one byte of flags, then pairs of bytes, a kind and an amount. The
/// pairs up to a kind of 255 make the recording, the others the server.
pub(in super::super) fn body(plan: &[u8]) {
    let (&flags, plan) = plan.split_first().unwrap_or((&0, &[]));
    let mut pairs = plan.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    let recorded = record(flags, &mut pairs);
    let answer = recorded.answer();
    let server =
        if flags & 0b100 == 0 { serve(&answer, flags, &mut pairs) } else { faithful(&answer, &mut pairs) };
    play_and_check(&recorded, flags, server);
}

// --- The recording -----------------------------------------------------------------------------------------

fn record(flags: u8, pairs: &mut impl Iterator<Item = (u8, u8)>) -> Recorded {
    let head = [RESPONSE, RESPONSE, REFUSAL, b""][usize::from(flags % 4)];
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    let mut pieces =
        vec![(Duration::ZERO, Side::Client, request), (Duration::ZERO, Side::Server, head.to_vec())];
    let (mut at, mut is_clean) = (Duration::ZERO, head == RESPONSE);
    for (what, much) in pairs.take_while(|(what, _)| *what != 255).take(MAX_RECORDED) {
        let len = usize::from(much);
        let (side, bytes) = match what % 8 {
            0 => (Side::Client, vec![b'c'; len]),
            1 => (Side::Server, frame(0x81, len)),
            2 => (Side::Server, frame(0x82, len * 64)),
            3 => (Side::Server, frame(0x89, len % 126)),
            4 => {
                is_clean = false;
                (Side::Server, vec![much])
            }
            5 => (Side::Server, frame(0x88, 2)),
            6 => {
                at = at.saturating_add(Duration::from_millis(1 << (much % 64)));
                continue;
            }
            _ => {
                at /= 2;
                continue;
            }
        };
        pieces.push((at, side, bytes));
    }
    Recorded { pieces, is_clean }
}

/// Returns a server's frame with a payload of `len` bytes.
fn frame(first: u8, len: usize) -> Vec<u8> {
    let header =
        if len < 126 { vec![first, len as u8] } else { vec![first, 126, (len >> 8) as u8, len as u8] };
    [&header[..], &vec![b's'; len]].concat()
}

impl Recorded {
    fn answer(&self) -> Vec<u8> {
        let bytes = self.pieces.iter().filter(|(_, side, _)| *side == Side::Server);
        bytes.flat_map(|(_, _, bytes)| bytes.iter().copied()).collect()
    }

    fn as_recording(&self) -> Recording<'_> {
        let pieces = self.pieces.iter().filter(|(_, _, bytes)| !bytes.is_empty());
        let pieces = pieces.map(|(at, from, bytes)| Piece { at: *at, from: *from, bytes });
        Recording {
            client: (Ipv4Addr::LOCALHOST, 1).into(),
            server: (Ipv4Addr::LOCALHOST, 2).into(),
            began: Duration::ZERO,
            has_beginning: true,
            pieces: pieces.collect(),
            notes: vec![],
        }
    }
}

// --- The server --------------------------------------------------------------------------------------------

/// Returns a server that sends the recorded answer, cut anywhere, and closes.
fn faithful(answer: &[u8], pairs: &mut impl Iterator<Item = (u8, u8)>) -> ScriptedServer {
    let mut rest = answer;
    let mut server = ScriptedServer::new([b""], Forever::End);
    for (_, much) in pairs.take(MAX_STEPS) {
        server.steps.push_back(ServerStep::Say(split(&mut rest, much.into())));
    }
    server.steps.push_back(ServerStep::Say(rest.to_vec()));
    server
}

/// Returns a server that sends anything.
fn serve(answer: &[u8], flags: u8, pairs: &mut impl Iterator<Item = (u8, u8)>) -> ScriptedServer {
    let mut rest = answer;
    let mut server = ScriptedServer::new([b""], forever(flags));
    for (what, much) in pairs.take(MAX_STEPS) {
        let len = usize::from(much);
        let bytes = match what % 8 {
            0 => split(&mut rest, len),
            1 => split(&mut rest, len * 64),
            2 => frame(0x89, len % 126),
            3 => split(&mut rest, 1).iter().map(|it| it ^ 1 << (much % 8)).collect(),
            4 => vec![much],
            5 => split(&mut rest, 1).repeat(len),
            6 => {
                server.reads = len * 8;
                continue;
            }
            _ => {
                server.steps.push_back(ServerStep::Wait(Duration::from_millis(len as u64 * 10)));
                continue;
            }
        };
        server.steps.push_back(ServerStep::Say(bytes));
    }
    server
}

fn forever(flags: u8) -> Forever {
    let pause = Duration::from_millis(if flags & 0b1000 == 0 { 10 } else { 300 });
    match flags >> 4 & 0b111 {
        0..=2 => Forever::End,
        3 => Forever::Nothing,
        4 => Forever::Repeat(b"x".to_vec(), pause),
        5 => Forever::Repeat(b"\x89\x00".repeat(100), pause),
        6 => Forever::Repeat(b"\x89".to_vec(), pause),
        _ => Forever::Repeat(vec![0; 10_000], pause),
    }
}

/// Removes up to `len` bytes from the front of `rest`, and returns them.
fn split(rest: &mut &[u8], len: usize) -> Vec<u8> {
    let (taken, left) = rest.split_at(len.min(rest.len()));
    *rest = left;
    taken.to_vec()
}

// --- The play ----------------------------------------------------------------------------------------------

fn play_and_check(recorded: &Recorded, flags: u8, server: ScriptedServer) {
    let (figures, answer) = (server.figures.clone(), recorded.answer());
    let Ok(script) = ClientScript::new(recorded.as_recording(), None) else {
        unreachable!("no path is replaced")
    };
    let is_paced = flags & 0b1000_0000 != 0;
    let pace = if is_paced { Pace::AsRecorded { longest: LONGEST_PAUSE } } else { Pace::AsSoonAsAnswered };
    let verdict = player::play(&script, Line::new(server, LIMIT), pace);
    let figures = figures.borrow();

    let (parts, cues) = (script.parts.len() as u32 + 1, script.cues.len() as u32);
    let pauses = if is_paced { LONGEST_PAUSE * cues } else { Duration::ZERO };
    assert!(figures.now <= LIMIT * (parts + cues) + pauses, "it ends after {:?}", figures.now);
    assert!(figures.max_held <= answer.len() + MAX_HELD_BESIDE, "{} bytes are held", figures.max_held);
    match &verdict {
        Ok(summary) => check_same(recorded, &answer, &figures.received, &summary.to_string()),
        Err(difference) => check_text(&difference.to_string()),
    }
    assert!(flags & 0b100 == 0 || verdict.is_ok(), "the same answer differs: {verdict:?}");
}

fn check_same(recorded: &Recorded, answer: &[u8], received: &[u8], told: &str) {
    check_text(told);
    if recorded.is_clean {
        assert_eq!(head_and_frames(received), head_and_frames(answer), "what differs is told as the same");
    }
}

fn check_text(text: &str) {
    assert!(text.chars().all(|it| it == '\n' || !it.is_control()), "{text:?}");
    assert!(text.len() <= 64 * 1024, "{} bytes are told", text.len());
}

/// Splits an answer after its head, without the code under test. The head is its status line and its fields:
/// a name has no case, and spaces around a value are no part of it (RFC 9110 §5.1, §5.5).
fn head_and_frames(answer: &[u8]) -> (String, Vec<(String, String)>, Vec<u8>) {
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let (head, frames) = answer.split_at(end);
    let text: String = head.trim_ascii_end().iter().map(|&byte| char::from(byte)).collect();
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default().to_owned();
    let field = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        (name.to_ascii_lowercase(), value.trim_matches(' ').to_owned())
    };
    let mut fields: Vec<_> = lines.map(field).collect();
    fields.retain(|(name, _)| !["age", "date", "expires", "last-modified"].contains(&&name[..]));
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    (status, fields, without_pings(frames))
}

/// Returns frames without the pings among them. A ping cut at the end is removed too.
fn without_pings(frames: &[u8]) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::new(), frames);
    while let [first, second, ..] = *rest {
        let len = match second {
            126 if rest.len() >= 4 => 4 + usize::from(u16::from_be_bytes([rest[2], rest[3]])),
            len => 2 + usize::from(len),
        };
        let (frame, after) = rest.split_at(len.min(rest.len()));
        if first != 0x89 || second > 125 {
            kept.extend_from_slice(frame);
        }
        rest = after;
    }
    if rest != [0x89] {
        kept.extend_from_slice(rest);
    }
    kept
}

//! Invariant: the same client's bytes through wirehook and through tungstenite are the same messages, and
//! come to the same verdict, but for what [`DIFFERENCES`] names and justifies.

use std::io::{self, ErrorKind, Read, Write};

use tungstenite::{
    Error, WebSocket,
    protocol::{Role, WebSocketConfig},
};
use wirehook::protocol::{CloseFrame, Event, Message, ProtocolError, Receiver};

use super::messages_up_to;

/// The largest message of both, in bytes.
const LIMIT: usize = 1000;

/// What was received, in the same words for both.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// More bytes could come.
    Waiting,
    /// The peer has said Close.
    Closed,
    /// A broken rule; the code that answers it (§7.4.1).
    Failed(u16),
}

/// What came of the bytes.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    heard: Vec<Heard>,
    verdict: Verdict,
}

/// A way in which the two are known to differ.
struct Difference {
    /// What wirehook refuses, if it does, and what each of both makes of the bytes.
    is_it: fn(Option<ProtocolError>, &Outcome, &Outcome) -> bool,
    /// Why wirehook is right, or both are.
    #[expect(dead_code, reason = "for people to read")]
    why: &'static str,
}

/// Every known difference. What is not here is a finding.
const DIFFERENCES: [Difference; 6] = [
    Difference {
        is_it: |refused, _, theirs| refused.is_some() && theirs.verdict == Verdict::Waiting,
        why: "wirehook judges a header at the byte that breaks a rule, and text at its first impossible byte; \
              tungstenite waits for the whole frame. The RFC sets no time.",
    },
    Difference {
        is_it: |refused, _, _| {
            matches!(refused, Some(ProtocolError::NonMinimalLength | ProtocolError::ControlTooLong))
        },
        why: "§5.2: \"the minimal number of bytes MUST be used to encode the length\"; tungstenite takes any, so \
              that for it a control frame can be short although its length is written as a long one.",
    },
    Difference {
        is_it: |refused, _, theirs| {
            refused == Some(ProtocolError::LengthOver63Bits) && theirs.verdict == Verdict::Failed(1009)
        },
        why: "§5.2: \"the most significant bit MUST be 0\"; for tungstenite such a length is just too long.",
    },
    Difference {
        is_it: |_, ours, theirs| {
            ours.verdict == Verdict::Failed(1002) && theirs.verdict == Verdict::Failed(1009)
        },
        why: "A frame that is too long and breaks another rule as well: tungstenite asks for the size first.",
    },
    Difference {
        is_it: |refused, _, theirs| {
            matches!(refused, Some(ProtocolError::ForbiddenCloseCode(_)))
                && matches!(theirs.verdict, Verdict::Closed | Verdict::Failed(1007))
        },
        why: "§7.4: such a code \"MUST NOT be set\"; tungstenite hands out a Close of 1002 in its place, or \
              refuses the reason first.",
    },
    Difference {
        is_it: |_, ours, theirs| {
            let is_1014 = matches!(ours.heard.last(), Some(Heard::Close(Some((1014, _)))));
            is_1014 && matches!(theirs.heard.last(), Some(Heard::Close(Some((1002, _)))))
        },
        why: "The registry of §11.7 has 1014 (bad gateway); tungstenite does not know it.",
    },
];

/// Any bytes, taken for a client's frames.
pub fn body(input: &[u8]) {
    let (ours, refused) = through_wirehook(input);
    let theirs = through_tungstenite(input);
    if ours == theirs {
        return;
    }
    let is_known = DIFFERENCES.iter().any(|it| (it.is_it)(refused, &ours, &theirs));
    assert!(is_known, "{refused:?}, {ours:?} and {theirs:?}");
    // Up to there both receive the same.
    let before_close = ours.heard.iter().take_while(|it| !matches!(it, Heard::Close(_))).count();
    assert!(theirs.heard.starts_with(&ours.heard[..before_close]), "{ours:?} and {theirs:?}");
}

fn through_wirehook(input: &[u8]) -> (Outcome, Option<ProtocolError>) {
    let mut receiver = Receiver::new(&messages_up_to(LIMIT));
    let mut bytes = input.to_vec();
    let mut input = &mut bytes[..];
    let mut heard = Vec::new();
    loop {
        heard.push(match receiver.next_event(&mut input) {
            Ok(None) => {
                let is_closed = matches!(heard.last(), Some(Heard::Close(_)));
                let verdict = if is_closed { Verdict::Closed } else { Verdict::Waiting };
                return (Outcome { heard, verdict }, None);
            }
            Err(error) => {
                return (Outcome { heard, verdict: Verdict::Failed(error.close_code().0) }, Some(error));
            }
            Ok(Some(Event::Message(Message::Text(text)))) => Heard::Text(text.into()),
            Ok(Some(Event::Message(Message::Binary(bytes)))) => Heard::Binary(bytes.into()),
            Ok(Some(Event::Ping(payload))) => Heard::Ping(payload.into()),
            Ok(Some(Event::Pong(payload))) => Heard::Pong(payload.into()),
            Ok(Some(Event::Close(frame))) => {
                Heard::Close(frame.map(|CloseFrame { code, reason }| (code.0, reason.to_owned())))
            }
        });
    }
}

fn through_tungstenite(input: &[u8]) -> Outcome {
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT));
    let mut socket = WebSocket::from_raw_socket(Line(input), Role::Server, Some(config));
    let mut heard = Vec::new();
    let verdict = loop {
        heard.push(match socket.read() {
            Ok(tungstenite::Message::Text(text)) => Heard::Text(text.as_bytes().to_vec()),
            Ok(tungstenite::Message::Binary(bytes)) => Heard::Binary(bytes.to_vec()),
            Ok(tungstenite::Message::Ping(payload)) => Heard::Ping(payload.to_vec()),
            Ok(tungstenite::Message::Pong(payload)) => Heard::Pong(payload.to_vec()),
            Ok(tungstenite::Message::Close(frame)) => {
                Heard::Close(frame.map(|it| (it.code.into(), it.reason.as_str().to_owned())))
            }
            Ok(tungstenite::Message::Frame(_)) => panic!("reading makes no bare frames"),
            Err(error) => break verdict(&error),
        });
    };
    Outcome { heard, verdict }
}

fn verdict(error: &Error) -> Verdict {
    match error {
        Error::Io(error) if error.kind() == ErrorKind::WouldBlock => Verdict::Waiting,
        Error::ConnectionClosed => Verdict::Closed,
        Error::Protocol(_) => Verdict::Failed(1002),
        Error::Utf8(_) => Verdict::Failed(1007),
        Error::Capacity(_) => Verdict::Failed(1009),
        error => panic!("tungstenite ends with {error}"),
    }
}

/// A client that has said these bytes, says no more for now, and takes everything.
struct Line<'a>(&'a [u8]);

impl Read for Line<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.0.read(buffer)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

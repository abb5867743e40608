//! The cause of a connection's end, and everything that depends on the cause alone: close code, reason, name
//! and words.
//!
//! A new cause is a variant in this file, and a call of `fail` where it happens. Logs and metrics use this
//! file.

use std::{borrow::Cow, fmt, io::ErrorKind};

use crate::protocol::{CloseCode, ProtocolError};

/// Why a connection ended; [`on_close`](crate::Handler::on_close) receives it.
///
/// [`Display`](fmt::Display) writes it in a few words, for a log.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::{Cause, Server};
///
/// let server = Server::bind("127.0.0.1:0")?.on_close(|ws, close| match close.cause {
///     Cause::Peer | Cause::Local => {}
///     Cause::Protocol(error) => println!("{} has broken {}", ws.id(), error.section()),
///     cause => println!("{} is lost: {cause:?}", ws.id()),
/// });
/// // A frame without a mask, and the Close that answers it: 0x03ea is 1002.
/// let refused = talk(server, b"\x81\x05Hello")?;
/// assert_eq!(refused, b"\x88\x26\x03\xea\xc2\xa75.1: a client must mask its frames");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The peer sent its Close first.
    Peer,
    /// A hook or the server's shutdown closed the connection.
    Local,
    /// The peer broke a rule; the error names it and its section.
    Protocol(ProtocolError),
    /// The peer sent nothing within `pong_timeout` after a ping.
    Timeout,
    /// The peer was too slow for what other connections sent to it, and
    /// [`Backpressure::Close`](crate::Backpressure) is set.
    Backpressure,
    /// The server held more than [`max_buffered_bytes`](crate::Config::max_buffered_bytes), and this
    /// connection was among those that held most of it; or an allocation for it was refused.
    Overload,
    /// One of its hooks panicked.
    Panic,
    /// The TCP connection ended without a Close: the peer left, or the network did.
    Transport(ErrorKind),
}

impl Cause {
    /// The name of each kind of cause in the metrics, in the order of [`index`](Self::index).
    pub(crate) const NAMES: [&'static str; 8] =
        ["peer", "local", "protocol", "timeout", "backpressure", "overload", "panic", "transport"];

    /// Returns the place of this kind of cause in [`NAMES`](Self::NAMES).
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Peer => 0,
            Self::Local => 1,
            Self::Protocol(_) => 2,
            Self::Timeout => 3,
            Self::Backpressure => 4,
            Self::Overload => 5,
            Self::Panic => 6,
            Self::Transport(_) => 7,
        }
    }

    /// Returns the code and the reason of the Close that fails a connection for this cause (§7.1.7).
    ///
    /// The three causes that never fail a connection have the code 1006 (§7.1.5), which is never sent.
    pub(crate) fn answer(self) -> (CloseCode, Cow<'static, str>) {
        let (code, reason) = match self {
            Self::Protocol(error) => return (error.close_code(), error.to_string().into()),
            Self::Timeout => (CloseCode::INTERNAL_ERROR, "no answer to a ping"),
            Self::Backpressure => (CloseCode::POLICY_VIOLATION, "too slow to receive"),
            Self::Overload => (CloseCode::TRY_AGAIN_LATER, "the server is overloaded"),
            Self::Panic => (CloseCode::INTERNAL_ERROR, "the application has failed"),
            Self::Peer | Self::Local | Self::Transport(_) => (CloseCode::ABNORMAL, ""),
        };
        (code, reason.into())
    }
}

impl From<ProtocolError> for Cause {
    /// Converts the error. A lack of memory is the only protocol error that the peer did not cause.
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::NoMemory => Self::Overload,
            _ => Self::Protocol(error),
        }
    }
}

impl fmt::Display for Cause {
    /// Writes a few words for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer => f.write_str("by the peer"),
            Self::Local => f.write_str("by the server"),
            Self::Protocol(error) => write!(f, "broken rule {}", error.section()),
            Self::Timeout => f.write_str("no sign of life"),
            Self::Backpressure => f.write_str("slow consumer"),
            Self::Overload => f.write_str("server overloaded"),
            Self::Panic => f.write_str("a hook has panicked"),
            Self::Transport(kind) => write!(f, "transport: {kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_name_its_close_and_its_words() {
        let rule = ProtocolError::UnmaskedFrame;
        for (cause, name, code, reason, words) in [
            (Cause::Peer, "peer", 1006, "", "by the peer"),
            (Cause::Local, "local", 1006, "", "by the server"),
            (
                Cause::Protocol(rule),
                "protocol",
                1002,
                "§5.1: a client must mask its frames",
                "broken rule §5.1",
            ),
            (Cause::Timeout, "timeout", 1011, "no answer to a ping", "no sign of life"),
            (Cause::Backpressure, "backpressure", 1008, "too slow to receive", "slow consumer"),
            (Cause::Overload, "overload", 1013, "the server is overloaded", "server overloaded"),
            (Cause::Panic, "panic", 1011, "the application has failed", "a hook has panicked"),
            (Cause::Transport(ErrorKind::BrokenPipe), "transport", 1006, "", "transport: broken pipe"),
        ] {
            assert_eq!(Cause::NAMES[cause.index()], name);
            assert_eq!(cause.answer(), (CloseCode(code), reason.into()), "{name}");
            assert_eq!(cause.to_string(), words);
        }
    }

    #[test]
    fn a_lack_of_memory_is_no_broken_rule() {
        assert_eq!(Cause::from(ProtocolError::NoMemory), Cause::Overload);
        assert_eq!(Cause::from(ProtocolError::TextNotUtf8), Cause::Protocol(ProtocolError::TextNotUtf8));
    }
}

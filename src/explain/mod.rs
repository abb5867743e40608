//! Explains RFC 6455 on real bytes: the content of each frame and head, the rule applied, and the answer
//! owed.
//!
//! ```text
//! client bytes ─▶ Explainer ─▶ Step::Request, Frame, Broken ─┬─▶ text, as a diagram of §5.2   (Display)
//! server bytes ─▶     │        Step::Response, Frame, Broken ─┴─▶ one line of JSON             (Step::json)
//!                     │
//!     protocol/: Request::check, Receiver, FrameHeader, CloseFrame, Sender give every verdict
//! ```
//!
//! The explainer receives the bytes of one connection in both directions, cut anywhere, and returns the steps
//! that they complete. It does not judge a client itself: a request is checked by
//! [`Request`](crate::protocol::Request), and frames by a [`Receiver`](crate::protocol::Receiver). So the
//! explanation is what a server does. Of a *server* it checks less: its headers, its fragments and the body
//! of its Close. It does not check a server's text for UTF-8, because that is the client's task.
//!
//! Like [`protocol`](crate::protocol) it knows no sockets, clocks or logs. Its memory is bounded: a head
//! within [`Limits`](crate::Limits), the first [`SHOWN`] bytes of a payload, and the memory of the receiver.
//!
//! # Reading order
//!
//! 1. `frame.rs`: takes a frame apart; `frame_reader.rs`: finds frames in bytes that are cut anywhere.
//! 2. `rules.rs`: the rule that each frame shows, and an explanation of each broken rule.
//! 3. `handshake.rs`: both heads with all their rules, and the accept key step by step (§4.2); `body.rs`: the
//!    bytes after a head that opens no connection.
//! 4. `extension.rs`: the bit of permessage-deflate (RFC 7692). Compressed messages are framed, not
//!    decompressed.
//! 5. `text.rs`, `page.rs` and `json.rs`: the form of a step for people and for programs.

mod agreement;
mod body;
mod explainer;
mod extension;
mod frame;
mod frame_reader;
mod handshake;
#[cfg(feature = "deflate")]
mod inflating;
mod json;
mod page;
mod rules;
mod text;

pub use body::BodyStep;
pub use explainer::Explainer;
pub use frame::{BrokenRule, Frame, FrameEvent, FrameStep, SHOWN, WholeMessage};
pub use handshake::{AcceptKey, Check, RequestStep, ResponseStep};

/// The sender of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Requested the connection; masks its frames (§5.1).
    Client,
    /// Accepted or refused the connection; never masks.
    Server,
}

impl Side {
    /// Returns `client` or `server`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// Returns the other side.
    ///
    /// ```
    /// use wirehook::explain::Side;
    ///
    /// assert_eq!((Side::Client.peer(), Side::Client.name()), (Side::Server, "client"));
    /// ```
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The state of a connection (§4.1, §7.1), as an observer sees it.
///
/// ```
/// use wirehook::{Limits, explain::{Explainer, Side, State}};
///
/// let mut explainer = Explainer::of_frames(&Limits::default());
/// assert_eq!(explainer.state(), State::Open);
/// explainer.explain(Side::Server, &[0x88, 0x00]);
/// assert_eq!(explainer.state().name(), "closing");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The opening handshake is not complete.
    Connecting,
    /// Both sides may send frames.
    Open,
    /// §7.1.3: one side has sent its Close.
    Closing,
    /// §7.1.4: both sides have sent a Close, or the connection was failed (§7.1.7) or refused (§4.2.2).
    Closed,
}

impl State {
    /// Returns `connecting`, `open`, `closing` or `closed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// A step that the bytes so far complete.
///
/// `to_string` returns it as text for people, [`json`](Self::json) as one line for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A request head.
    Request(RequestStep),
    /// A response head.
    Response(ResponseStep),
    /// The body after a head that opens no connection, if the head announces its length.
    Body(BodyStep),
    /// A frame that breaks no rule.
    Frame(FrameStep),
    /// Bytes that break a rule.
    Broken(BrokenRule),
    /// Bytes that belong to no step when no more bytes come.
    End(Leftover),
}

impl Step {
    /// Returns whether the step breaks a rule of the RFC.
    ///
    /// ```
    /// use wirehook::{Limits, explain::{Explainer, Side}};
    ///
    /// let mut explainer = Explainer::of_frames(&Limits::default());
    /// let steps = explainer.explain(Side::Client, &[0x81, 0x05]);
    /// assert!(steps[0].breaks_a_rule());
    /// ```
    pub fn breaks_a_rule(&self) -> bool {
        match self {
            Self::Request(request) => request.refused.is_some(),
            Self::Response(response) => response.checks.iter().any(|check| !check.ok),
            Self::Broken(_) => true,
            // Missing bytes break no rule.
            Self::Body(_) | Self::Frame(_) | Self::End(_) => false,
        }
    }
}

/// Bytes of one direction that completed no step.
///
/// ```
/// use wirehook::{Limits, explain::{Explainer, Side, Step}};
///
/// let mut explainer = Explainer::new(&Limits::default());
/// explainer.explain(Side::Client, b"GET / HT");
/// let ends = explainer.end();
/// let Some(Step::End(left)) = ends.first() else { panic!("something is left") };
/// assert_eq!((left.from, left.unread), (Side::Client, 8));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The side that sent them.
    pub from: Side,
    /// Their number.
    pub unread: u64,
    /// The incomplete frame that they begin, if they do.
    pub frame: Option<Frame>,
    /// The problem, in one short sentence.
    pub says: String,
}

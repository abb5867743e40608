//! The explainer: turns the bytes of both directions into steps, and follows the state of the connection.
//!
//! This file knows the order of heads, bodies and frames. It judges none of them.

use std::mem;

#[cfg(feature = "deflate")]
use crate::protocol::DeflateParams;
use crate::protocol::Limits;

use super::{
    BrokenRule, FrameEvent, FrameStep, Leftover, RequestStep, ResponseStep, Side, State, Step,
    body::BodyReader,
    extension::{DEFLATE, Extension},
    frame_reader::FrameReader,
    handshake::{RequestHead, ResponseHead},
    rules,
};

/// Takes the bytes of one connection and returns what they mean, step by step.
///
/// **How the bytes of a direction are cut makes no difference to the steps.** Pass them in the order in which
/// they crossed the wire.
///
/// ```
/// use wirehook::{Limits, explain::{Explainer, Side, Step}};
///
/// let mut explainer = Explainer::of_frames(&Limits::default());
/// // §5.7: a single-frame masked text message, cut inside its key.
/// assert!(explainer.explain(Side::Client, &[0x81, 0x85, 0x37, 0xfa]).is_empty());
/// let steps = explainer.explain(Side::Client, &[0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// let [Step::Frame(step)] = &steps[..] else { panic!("one frame") };
/// assert_eq!((step.rule, step.says.as_str()), ("§5.6", "a whole text message in one frame"));
/// assert_eq!(step.frame.payload, b"Hello");
/// ```
#[derive(Debug)]
pub struct Explainer {
    limits: Limits,
    client: DirectionStage,
    server: DirectionStage,
    /// The request, which the response is checked against.
    request: Option<RequestStep>,
    extension: Extension,
    /// How messages are compressed, if a response has said so.
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateParams>,
    state_events: StateEvents,
}

/// The events that determine the connection's state.
#[derive(Debug, Default)]
struct StateEvents {
    is_open: bool,
    client_has_closed: bool,
    server_has_closed: bool,
    /// Refused (§4.2.2) or failed (§7.1.7).
    is_over: bool,
}

/// The role of the next byte of a direction.
#[derive(Debug)]
enum DirectionStage {
    Request(RequestHead),
    Response(ResponseHead),
    Body(BodyReader),
    Frames(Box<FrameReader>),
    /// Ignored bytes: their number, and the section that says so.
    Over {
        ignored: u64,
        section: &'static str,
    },
}

impl Explainer {
    /// Starts with the opening handshake.
    ///
    /// ```
    /// use wirehook::{Limits, explain::{Explainer, Side, Step}};
    ///
    /// let mut explainer = Explainer::new(&Limits::default());
    /// let steps = explainer.explain(Side::Client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// let [Step::Request(request)] = &steps[..] else { panic!("a request") };
    /// assert_eq!(request.refusal()[0], "HTTP/1.1 426 Upgrade Required");
    /// ```
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            client: DirectionStage::Request(RequestHead::default()),
            server: DirectionStage::Response(ResponseHead::default()),
            request: None,
            extension: Extension::None,
            #[cfg(feature = "deflate")]
            deflate: None,
            state_events: StateEvents::default(),
        }
    }

    /// Starts with the first frame of both sides, as after an opening handshake.
    pub fn of_frames(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            client: DirectionStage::frames(Side::Client, limits, 0, Extension::None),
            server: DirectionStage::frames(Side::Server, limits, 0, Extension::None),
            request: None,
            extension: Extension::None,
            #[cfg(feature = "deflate")]
            deflate: None,
            state_events: StateEvents { is_open: true, ..StateEvents::default() },
        }
    }

    /// Treats RSV1 as the bit of permessage-deflate (RFC 7692) until a response names the extension in use.
    /// This is for bytes of one direction, and for a connection whose beginning is unknown.
    ///
    /// ```
    /// use wirehook::{Limits, explain::{Explainer, Side}};
    ///
    /// // RFC 7692 §7.2.3.1: "Hello".
    /// let hello = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    /// let of_frames = || Explainer::of_frames(&Limits::default());
    /// assert!(of_frames().explain(Side::Server, hello)[0].breaks_a_rule());
    /// assert!(!of_frames().without_negotiation().explain(Side::Server, hello)[0].breaks_a_rule());
    /// ```
    #[must_use]
    pub fn without_negotiation(mut self) -> Self {
        self.use_extension(Extension::Unseen);
        self
    }

    /// Returns the steps that `bytes` from `side` complete.
    ///
    /// A step takes far more memory than a small frame. [`next_step`](Self::next_step) returns them one by
    /// one.
    pub fn explain(&mut self, side: Side, mut bytes: &[u8]) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(step) = self.next_step(side, &mut bytes) {
            steps.push(step);
        }
        steps
    }

    /// Returns the next step that `bytes` complete, and removes its bytes from their front. Returns `None` if
    /// all bytes are consumed and more are needed.
    ///
    /// ```
    /// use wirehook::{Limits, explain::{Explainer, Side}};
    ///
    /// let mut explainer = Explainer::of_frames(&Limits::default());
    /// let mut bytes = &b"\x89\x00\x8a\x00\x81"[..];
    /// assert!(explainer.next_step(Side::Server, &mut bytes).is_some());
    /// assert_eq!(bytes, b"\x8a\x00\x81");
    /// assert!(explainer.next_step(Side::Server, &mut bytes).is_some());
    /// assert!(explainer.next_step(Side::Server, &mut bytes).is_none() && bytes.is_empty());
    /// ```
    pub fn next_step(&mut self, side: Side, bytes: &mut &[u8]) -> Option<Step> {
        let step = self.take_step(side, bytes)?;
        Some(self.settle(step))
    }

    /// Continues after a gap: `skipped` bytes of `side` are not explained, and the next one begins a frame,
    /// outside of a message.
    ///
    /// ```
    /// use wirehook::{Limits, explain::{Explainer, Side, Step}};
    ///
    /// let mut explainer = Explainer::of_frames(&Limits::default());
    /// explainer.explain(Side::Client, &[0x81, 0xfe]); // a long text, of which nothing more is seen
    /// explainer.skip(Side::Client, 1000);
    /// let steps = explainer.explain(Side::Client, &[0x89, 0x80, 0, 0, 0, 0]);
    /// let [Step::Frame(ping)] = &steps[..] else { panic!("a ping") };
    /// assert_eq!(ping.frame.offset, 1002);
    /// ```
    pub fn skip(&mut self, side: Side, skipped: u64) {
        let (limits, extension) = (self.limits, self.extension);
        let stage = self.stage_of(side);
        let offset = match stage {
            DirectionStage::Request(head) => head.len(),
            DirectionStage::Response(head) => head.len(),
            DirectionStage::Body(body) => body.offset(),
            DirectionStage::Frames(frames) => frames.offset(),
            // No later byte is explained.
            DirectionStage::Over { ignored, .. } => {
                *ignored += skipped;
                return;
            }
        };
        *stage = DirectionStage::frames(side, &limits, offset + skipped, extension);
        self.inflate_after_gap(side);
    }

    /// Goes on inflating the messages of a side, if none of them refers to what is missing.
    #[cfg(feature = "deflate")]
    fn inflate_after_gap(&mut self, side: Side) {
        let Some(params) = self.deflate else { return };
        let begins_anew = match side {
            Side::Client => params.client_no_context_takeover,
            Side::Server => params.server_no_context_takeover,
        };
        if begins_anew && let DirectionStage::Frames(frames) = self.stage_of(side) {
            frames.use_deflate(&params);
        }
    }

    #[cfg(not(feature = "deflate"))]
    const fn inflate_after_gap(&self, _: Side) {}

    /// Inflates the messages of both sides from here on.
    #[cfg(feature = "deflate")]
    fn use_deflate(&mut self, params: Option<DeflateParams>) {
        self.deflate = params;
        for stage in [&mut self.client, &mut self.server] {
            if let (DirectionStage::Frames(frames), Some(params)) = (stage, &params) {
                frames.use_deflate(params);
            }
        }
    }

    /// Returns the bytes of memory held for an incomplete head or message.
    ///
    /// ```
    /// use wirehook::{Limits, explain::{Explainer, Side}};
    ///
    /// let mut explainer = Explainer::of_frames(&Limits::default());
    /// explainer.explain(Side::Client, b"\x02\x82\0\0\0\0He");
    /// assert!(explainer.memory() >= 2);
    /// explainer.explain(Side::Client, b"\x80\x80\0\0\0\0");
    /// assert_eq!(explainer.memory(), 0);
    /// ```
    pub fn memory(&self) -> usize {
        self.client.memory() + self.server.memory()
    }

    /// Returns the unfinished bytes of both directions at the end of the connection; empty if there are none.
    ///
    /// ```
    /// use wirehook::{Limits, explain::{Explainer, Side, Step}};
    ///
    /// let mut explainer = Explainer::of_frames(&Limits::default());
    /// explainer.explain(Side::Client, &[0x81, 0x85]);
    /// let [Step::End(leftover)] = &explainer.end()[..] else { panic!("half a header") };
    /// assert_eq!((leftover.from, leftover.unread), (Side::Client, 2));
    /// ```
    pub fn end(&self) -> Vec<Step> {
        let ends = [(Side::Client, &self.client), (Side::Server, &self.server)];
        ends.into_iter().filter_map(|(side, stage)| stage.leftover(side)).map(Step::End).collect()
    }

    /// Returns the state of the connection. Example: [`State`].
    pub fn state(&self) -> State {
        self.state_events.state()
    }

    /// Consumes bytes from the front of `bytes` up to the next step, if they reach it.
    fn take_step(&mut self, side: Side, bytes: &mut &[u8]) -> Option<Step> {
        let stage = match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        match stage {
            DirectionStage::Request(head) => head.next(bytes, &self.limits).map(Step::Request),
            DirectionStage::Response(head) => {
                head.next(bytes, &self.limits, self.request.as_ref()).map(Step::Response)
            }
            DirectionStage::Body(body) => body.next(bytes).map(Step::Body),
            DirectionStage::Frames(frames) => frames.next(bytes),
            DirectionStage::Over { ignored, .. } => {
                *ignored += mem::take(bytes).len() as u64;
                None
            }
        }
    }

    /// Updates the connection's state after a step, and stores it in the step.
    fn settle(&mut self, mut step: Step) -> Step {
        match &mut step {
            Step::Request(request) => self.settle_request(request),
            Step::Response(response) => self.settle_response(response),
            Step::Body(body) => *self.stage_of(body.from) = DirectionStage::over("§4.2.2"),
            Step::Frame(frame) => self.settle_frame(frame),
            Step::Broken(broken) => self.settle_broken(broken),
            Step::End(_) => {}
        }
        step
    }

    fn settle_request(&mut self, request: &mut RequestStep) {
        let offers_compression = request.extensions.iter().any(|it| it == DEFLATE);
        let extension = if offers_compression { self.extension } else { Extension::None };
        self.client = match request.refused {
            None => DirectionStage::frames(Side::Client, &self.limits, request.length, extension),
            Some(_) => DirectionStage::body_or_over(BodyReader::of_request(request)),
        };
        request.state = self.state();
        self.request = Some(request.clone());
    }

    fn settle_response(&mut self, response: &mut ResponseStep) {
        let request = self.request.take();
        if response.status == Some(101) {
            self.state_events.is_open = true;
            let extension = Extension::of(&response.extensions);
            self.server = DirectionStage::frames(Side::Server, &self.limits, response.length, extension);
            self.expect_frames_of_client(request.as_ref());
            self.use_extension(extension);
            #[cfg(feature = "deflate")]
            self.use_deflate(response.deflate);
        } else {
            self.state_events.is_over = true;
            self.server = DirectionStage::body_or_over(BodyReader::of_response(response, request.as_ref()));
            if !matches!(self.client, DirectionStage::Body(_)) {
                // The client's incomplete bytes belong to no step any more.
                self.client = DirectionStage::Over { ignored: self.client.unread(), section: "§4.2.2" };
            }
        }
        response.state = self.state();
    }

    /// Expects a client's frames after a 101, even if its request was not seen or would be refused here.
    fn expect_frames_of_client(&mut self, request: Option<&RequestStep>) {
        let offset = match &self.client {
            DirectionStage::Request(head) if head.len() == 0 => 0,
            DirectionStage::Over { ignored: 0, .. } => request.map_or(0, |it| it.length),
            _ => return,
        };
        self.client = DirectionStage::frames(Side::Client, &self.limits, offset, self.extension);
    }

    fn use_extension(&mut self, extension: Extension) {
        self.extension = extension;
        for stage in [&mut self.client, &mut self.server] {
            if let DirectionStage::Frames(frames) = stage {
                frames.use_extension(extension);
            }
        }
    }

    fn stage_of(&mut self, side: Side) -> &mut DirectionStage {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn settle_frame(&mut self, step: &mut FrameStep) {
        // A frame shows that there was a response, even if it was not seen.
        self.state_events.is_open = true;
        if self.state_events.server_has_closed {
            step.answer.clear();
        }
        if step.event == FrameEvent::Close {
            if self.state_events.is_over {
                step.says = rules::CLOSE_OF_FAILURE.to_owned();
            } else if self.state_events.has_closed(step.from.peer()) {
                step.says = rules::CLOSE_IN_RETURN.to_owned();
            }
            self.state_events.note_close(step.from);
            // §5.5.1: after a client's Close a server ignores all bytes.
            if step.from == Side::Client {
                self.client = DirectionStage::over("§5.5.1");
            }
        }
        step.state = self.state();
    }

    fn settle_broken(&mut self, step: &mut BrokenRule) {
        if self.state_events.server_has_closed {
            step.answer.clear();
        }
        self.state_events.is_over = true;
        // §7.1.7: the other side "MUST NOT continue to attempt to process data".
        match step.from {
            Side::Client => self.client = DirectionStage::over("§7.1.7"),
            Side::Server => self.server = DirectionStage::over("§7.1.7"),
        }
        step.state = self.state();
    }
}

impl StateEvents {
    fn state(&self) -> State {
        match (self.client_has_closed, self.server_has_closed) {
            _ if self.is_over => State::Closed,
            (true, true) => State::Closed,
            (true, false) | (false, true) => State::Closing,
            (false, false) if self.is_open => State::Open,
            (false, false) => State::Connecting,
        }
    }

    fn has_closed(&self, side: Side) -> bool {
        match side {
            Side::Client => self.client_has_closed,
            Side::Server => self.server_has_closed,
        }
    }

    fn note_close(&mut self, side: Side) {
        match side {
            Side::Client => self.client_has_closed = true,
            Side::Server => self.server_has_closed = true,
        }
    }
}

impl DirectionStage {
    fn frames(side: Side, limits: &Limits, offset: u64, extension: Extension) -> Self {
        let mut frames = FrameReader::new(side, limits, offset);
        frames.use_extension(extension);
        Self::Frames(Box::new(frames))
    }

    /// Returns the stage after a head that opens no connection.
    fn body_or_over(body: Option<BodyReader>) -> Self {
        body.map_or_else(|| Self::over("§4.2.2"), Self::Body)
    }

    /// Returns how many received bytes belong to no step so far.
    fn unread(&self) -> u64 {
        self.leftover(Side::Client).map_or(0, |leftover| leftover.unread)
    }

    fn over(section: &'static str) -> Self {
        Self::Over { ignored: 0, section }
    }

    fn memory(&self) -> usize {
        match self {
            // A request is stored twice: its reader keeps it too.
            Self::Request(head) => 2 * head.len() as usize,
            Self::Response(head) => head.len() as usize,
            Self::Body(body) => body.memory(),
            Self::Frames(frames) => frames.memory(),
            Self::Over { .. } => 0,
        }
    }

    fn leftover(&self, from: Side) -> Option<Leftover> {
        match self {
            Self::Request(head) => head.leftover(),
            Self::Response(head) => head.leftover(),
            Self::Body(body) => body.leftover(),
            Self::Frames(frames) => frames.leftover(),
            Self::Over { ignored: 0, .. } => None,
            Self::Over { ignored, section } => Some(Leftover {
                from,
                unread: *ignored,
                frame: None,
                says: format!("they come after the last byte that counts ({section}), and are discarded"),
            }),
        }
    }
}

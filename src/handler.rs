//! What a user writes: the hooks, as a trait or as closures, and what passes through them.
//!
//! `server/` calls the hooks; this file says when each is called, and with what.

use std::fmt;

use crate::{
    cause::Cause,
    connect::ConnectError,
    protocol::{CloseCode, Message, Request, Response},
    transport::PeerAddr,
    upgrade::Upgrade,
    websocket::WebSocket,
};

/// The hooks of a server. All have a default, and all run on the loop's one thread: while a hook runs, every
/// connection waits.
///
/// ```text
///                 ┌─ reject ─▶ a refusal, gone
/// request ─▶ on_upgrade
///                 ├─ pending ─▶ held, until Handle::finish accepts or rejects
///                 └─ accept ─▶ 101 ─▶ on_open ─▶ on_message, on_ping, on_pong, on_drain ─▶ on_close
///                                                as things happen, in any order
/// request for no WebSocket ─▶ on_http
///                                ├─ None ───▶ 426, gone
///                                └─ a page ─▶ the page, gone
/// ```
///
/// `on_close` is called exactly once for each connection that was opened. Bytes are borrowed and valid during
/// the call. Each hook has an example at the method of [`Server`](crate::Server) that takes it as a closure;
/// [`talk`](crate#from-front-to-back) is the client there.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::{Handler, Message, PeerAddr, Server, Upgrade, WebSocket, protocol::Request};
///
/// struct Chat;
///
/// impl Handler for Chat {
///     type State = String; // each connection's name
///
///     fn on_upgrade(&mut self, request: &Request<'_>, _: PeerAddr) -> Upgrade<String> {
///         match request.path() {
///             "/" => Upgrade::reject(404, "connect to /NAME"),
///             path => Upgrade::accept_with(path[1..].to_owned()),
///         }
///     }
///
///     fn on_message(&mut self, ws: &mut WebSocket<'_, String>, message: Message<'_>) {
///         if let Some(text) = message.as_text() {
///             ws.broadcast(format!("{}: {text}", ws.state()));
///         }
///     }
/// }
///
/// let server = Server::bind("127.0.0.1:0")?.handler(Chat);
/// // A client that connects to /ann and says "hi".
/// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x07ann: hi\x88\x00");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// A hook that panics costs its own connection: it is closed with 1011, and its `on_close` follows with
/// [`Cause::Panic`]. The server goes on, and so does the handler, with its fields as the panic left them:
/// what a hook changes half-way must be fit to be seen by the next one. In `on_upgrade` and `on_http` a panic
/// is answered with 500; in `on_close` it is logged and nothing else. A state whose `Default` panics costs
/// the client that it was for. A panic in the `Drop` of a state, of a task or of what a hook has panicked
/// with is caught too. All this needs the default `panic = "unwind"`.
pub trait Handler {
    /// The state of each connection, which every hook can reach. Use `()` for none.
    type State: Default + 'static;

    /// A request has passed every rule of the opening handshake (§4.2.1) and of the configuration: is it
    /// wanted? By default it is.
    fn on_upgrade(&mut self, request: &Request<'_>, peer: PeerAddr) -> Upgrade<Self::State> {
        let _ = (request, peer);
        Upgrade::accept()
    }

    /// A GET or a HEAD that is well-formed but asks for no WebSocket: is there a page for it? By default
    /// there is none, and the answer is 426 to GET and 405 to HEAD. The connection closes after the page. The
    /// answer to HEAD is sent without the page's body; [`Request::method`] tells them apart.
    fn on_http(&mut self, request: &Request<'_>, peer: PeerAddr) -> Option<Response> {
        let _ = (request, peer);
        None
    }

    /// The connection is open (§4.1: _The WebSocket Connection is Established_). If this program has opened
    /// it, the request is the one that it has sent.
    fn on_open(&mut self, ws: &mut WebSocket<'_, Self::State>, request: &Request<'_>) {
        let _ = (ws, request);
    }

    /// A connection that this program wanted to open will not open; see
    /// [`Connections::connect`](crate::Connections::connect). It is the last call for the connection, and
    /// neither `on_open` nor `on_close` is called for it. Its state is still there.
    fn on_connect_error(&mut self, ws: &mut WebSocket<'_, Self::State>, error: &ConnectError) {
        let _ = (ws, error);
    }

    /// A message has arrived (§6.2), whole and, if it is text, valid.
    fn on_message(&mut self, ws: &mut WebSocket<'_, Self::State>, message: Message<'_>) {
        let _ = (ws, message);
    }

    /// A ping has arrived and was answered (§5.5.2).
    fn on_ping(&mut self, ws: &mut WebSocket<'_, Self::State>, payload: &[u8]) {
        let _ = (ws, payload);
    }

    /// A pong has arrived (§5.5.3), asked for or not.
    fn on_pong(&mut self, ws: &mut WebSocket<'_, Self::State>, payload: &[u8]) {
        let _ = (ws, payload);
    }

    /// All that a slow peer had waiting has been written: the moment to go on with a long transfer that
    /// stopped at [`SendStatus::Queued`](crate::SendStatus).
    fn on_drain(&mut self, ws: &mut WebSocket<'_, Self::State>) {
        let _ = ws;
    }

    /// The connection has ended. Its state is still there; nothing can be sent to it any more.
    ///
    /// After the peer's Close it comes when our answer has left, for only then the end is known to be clean:
    /// with a slow peer up to [`max_close_time`](crate::Config::max_close_time) later.
    fn on_close(&mut self, ws: &mut WebSocket<'_, Self::State>, close: &Closed<'_>) {
        let _ = (ws, close);
    }
}

/// How a connection ended.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use std::{cell::RefCell, rc::Rc};
/// use wirehook::Server;
///
/// let log = Rc::new(RefCell::new(Vec::new()));
/// let line = Rc::clone(&log);
/// let server = Server::bind("127.0.0.1:0")?
///     .on_close(move |ws, close| line.borrow_mut().push(format!("{} {close}", ws.id())));
/// talk(server, b"\x89\x80\0\0\0\0")?; // a client that pings, and closes without a code
/// assert_eq!(*log.borrow(), ["1 1005 no status received, by the peer, clean"]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed<'a> {
    /// _The WebSocket Connection Close Code_ (§7.1.5): the peer's; 1005 if its Close had none; 1006 if no
    /// Close came. Where the server failed the connection (§7.1.7) it is the code of the server's own Close,
    /// and not 1006, which would not say why.
    pub code: CloseCode,
    /// _The WebSocket Connection Close Reason_ (§7.1.6), from where the code is from; often empty. A peer
    /// chooses it freely: escape it before you show it.
    pub reason: &'a str,
    /// What began the end.
    pub cause: Cause,
    /// Whether both sides have sent their Close (§7.1.4: closed _cleanly_): the peer's has come, and ours has
    /// left, with all that was sent before it.
    pub clean: bool,
}

impl<'a> Closed<'a> {
    pub(crate) const fn new(code: CloseCode, reason: &'a str, cause: Cause, clean: bool) -> Self {
        Self { code, reason, cause, clean }
    }
}

impl fmt::Display for Closed<'_> {
    /// One line for a log; the reason is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.reason.is_empty() {
            write!(f, " {:?}", self.reason)?;
        }
        write!(f, ", {}, {}", self.cause, if self.clean { "clean" } else { "not clean" })
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::protocol::ProtocolError;

    #[test]
    fn a_line_of_a_log_names_each_cause_and_whether_it_was_clean() {
        for (cause, clean, line) in [
            (Cause::Peer, true, "1000 normal closure, by the peer, clean"),
            (Cause::Local, true, "1000 normal closure, by the server, clean"),
            (Cause::Local, false, "1000 normal closure, by the server, not clean"),
            (
                Cause::Protocol(ProtocolError::UnmaskedFrame),
                false,
                "1000 normal closure, broken rule §5.1, not clean",
            ),
            (Cause::Timeout, false, "1000 normal closure, no sign of life, not clean"),
            (Cause::Backpressure, false, "1000 normal closure, slow consumer, not clean"),
            (Cause::Overload, false, "1000 normal closure, server overloaded, not clean"),
            (Cause::Panic, false, "1000 normal closure, a hook has panicked, not clean"),
            (
                Cause::Transport(ErrorKind::BrokenPipe),
                false,
                "1000 normal closure, transport: broken pipe, not clean",
            ),
        ] {
            assert_eq!(Closed::new(CloseCode::NORMAL, "", cause, clean).to_string(), line);
        }
    }

    #[test]
    fn a_peers_reason_forges_no_line_and_steers_no_terminal() {
        let reason = "bye\r\n0.1 INFO  all is well\x1b[2J \u{202e}\"\\ \u{9b}\0grüße";
        let line = Closed::new(CloseCode::NORMAL, reason, Cause::Peer, true).to_string();
        let shown = r#""bye\r\n0.1 INFO  all is well\u{1b}[2J \u{202e}\"\\ \u{9b}\0grüße""#;
        assert_eq!(line, format!("1000 normal closure {shown}, by the peer, clean"));
        assert!(!line.contains(char::is_control));
    }
}

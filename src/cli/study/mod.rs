//! The mode `study`: a page that shows the frames of its own sessions as the server's codec sees them.
//!
//! This file knows the paths, and how sessions answer. `traces.rs` decides which page sees which session,
//! `observer.rs` turns bytes into steps, `commands.rs` parses the pages' commands, and `page.rs` makes the
//! page.
//!
//! A page opens a *trace* and receives a token. Sessions opened with that token are shown on that page only:
//!
//! ```text
//! GET /                  the page
//! GET /rfc6455           the rows that the page's rules link to
//! GET /trace             a WebSocket: first the token, then one JSON object for each frame; commands come back
//! GET /session/TOKEN     a WebSocket: what is studied
//! ```

mod commands;
mod observer;
mod page;
mod rows;
mod traces;
mod window;

use std::{cell::RefCell, net::IpAddr, rc::Rc};

use wirehook::{
    CloseCode, Closed, Config, Connections, Handle, Handler, Message, Observer, PeerAddr, Server, Upgrade,
    WebSocket,
    protocol::{Request, Response},
};

use commands::{PageCommand, SessionCommand};
use observer::SessionObserver;
use traces::{Membership, Traces};

/// The subprotocols without `--subprotocol`: two, so that the page offers a choice.
const SUBPROTOCOLS: [&str; 2] = ["echo.v2", "echo.v1"];

/// The most fragments of one answer. The page shows each, so a large message gets larger fragments.
const MAX_FRAGMENTS: usize = 1000;

/// The purpose of a connection.
#[derive(Default)]
pub(super) enum Role {
    /// Not known yet.
    #[default]
    Nothing,
    /// Sends a page the steps of its sessions. The token is empty until the connection is open.
    Trace {
        token: String,
    },
    EchoSession(EchoSession),
}

/// How a session answers its messages.
pub(super) struct EchoSession {
    echoes: bool,
    /// Bytes in each fragment of an answer; `None` answers in one frame.
    fragment_len: Option<usize>,
}

/// The hooks.
pub(super) struct Study {
    traces: Rc<RefCell<Traces>>,
    config: Config,
    is_public: bool,
}

/// The error for a listener that other machines can reach, without `--public`.
pub(super) const NOT_PUBLIC: &str =
    "study is for its own machine and listens on loopback addresses only; --public lets others reach it";

/// Returns whether a bound server may serve `study`.
pub(super) fn may_listen(server: &Server, is_public: bool) -> bool {
    is_public || server.local_addr().is_ok_and(|address| address.ip().is_loopback())
}

/// Adds the configuration that a page needs.
pub(super) fn complete(config: &mut Config) {
    if config.subprotocols.is_empty() {
        config.subprotocols = SUBPROTOCOLS.map(str::to_owned).to_vec();
    }
}

/// Returns the hooks and the observer of a server with this configuration.
pub(super) fn set_up(config: Config, handle: Handle<Role>, is_public: bool) -> (Study, impl Observer) {
    let traces = Rc::new(RefCell::new(Traces::new(handle, config.max_backpressure)));
    let observer = SessionObserver::new(Rc::clone(&traces), config.limits);
    (Study { traces, config, is_public }, observer)
}

/// The traces are never borrowed during a send to a connection: the observer is called within the send, and
/// borrows them too.
impl Handler for Study {
    type State = Role;

    fn on_http(&mut self, request: &Request<'_>, _: PeerAddr) -> Option<Response> {
        if let Err(why) = self.check_host(request) {
            return Some(Response::rejection(403, why));
        }
        match request.path() {
            "/" => Some(page::page(&self.traces.borrow_mut().token())),
            "/rfc6455" => Some(page::rules(&self.traces.borrow_mut().token())),
            "/trace" => None,
            path if path.starts_with("/session/") => None,
            _ => Some(Response::rejection(404, "there is nothing here but the page at /")),
        }
    }

    fn on_upgrade(&mut self, request: &Request<'_>, peer: PeerAddr) -> Upgrade<Role> {
        if let Err(why) = self.check_host(request).and_then(|()| check_origin(request)) {
            return Upgrade::reject(403, why);
        }
        let traces = self.traces.borrow();
        if request.path() == "/trace" {
            return if traces.are_full() {
                Upgrade::reject(503, "there are too many pages already")
            } else {
                Upgrade::accept_with(Role::Trace { token: String::new() })
            };
        }
        let Some(token) = token_of(request.target()) else {
            return Upgrade::reject(404, "connect to /trace, or to /session/TOKEN");
        };
        match traces.membership_of(token, peer) {
            Membership::Taken => {
                Upgrade::accept_with(Role::EchoSession(EchoSession { echoes: true, fragment_len: None }))
            }
            Membership::None => Upgrade::reject(503, "this page has too many sessions already"),
            Membership::NoTrace => Upgrade::reject(404, "there is no page with this token"),
        }
    }

    fn on_open(&mut self, ws: &mut WebSocket<'_, Role>, _: &Request<'_>) {
        let id = ws.id();
        if let Role::Trace { token } = ws.state_mut() {
            token.clone_from(&self.traces.borrow_mut().open(id));
            let first_message = page::first_message(token, &self.config);
            ws.send(&first_message);
        }
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_, Role>, message: Message<'_>) {
        match ws.state() {
            Role::Nothing => {}
            Role::EchoSession(session) => {
                if let Some(fragment_len) = session.answer_fragment_len() {
                    answer(ws, message, fragment_len);
                }
            }
            Role::Trace { token } => {
                let token = token.clone();
                if let Err(why) = self.run_command(&token, message, &mut ws.all()) {
                    ws.send(format!(r#"{{"kind":"refused","says":"{why}"}}"#));
                }
            }
        }
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_, Role>, _: &Closed<'_>) {
        if let Role::Trace { token } = ws.state() {
            // No page can see or control these sessions any more.
            let orphans = self.traces.borrow_mut().close(token);
            for id in orphans {
                ws.all().close(id, CloseCode::GOING_AWAY, "the page that showed this has gone");
            }
        }
    }
}

impl Study {
    /// Refuses names of other hosts, on a server for this machine only. A foreign page could make its own
    /// name resolve to this address, and so pass for a page of this server (DNS rebinding).
    fn check_host(&self, request: &Request<'_>) -> Result<(), &'static str> {
        if self.is_public || request.host().is_some_and(is_loopback) {
            Ok(())
        } else {
            Err("this server is for its own machine: use localhost or 127.0.0.1")
        }
    }

    fn run_command(
        &self,
        token: &str,
        message: Message<'_>,
        all: &mut Connections<'_, Role>,
    ) -> Result<(), &'static str> {
        let line = message.as_text().ok_or("a command is text")?;
        match commands::parse(line)? {
            PageCommand::Seen(number) => {
                self.traces.borrow_mut().seen(token, number);
                Ok(())
            }
            PageCommand::Session { session, command } => {
                let id = self.traces.borrow().session(token, session);
                let id = id.ok_or("there is no such session")?;
                let Some(Role::EchoSession(state)) = all.state_mut(id) else {
                    return Err("this session is not open");
                };
                match command {
                    SessionCommand::Echo(echoes) => state.echoes = echoes,
                    SessionCommand::Fragment(len) => state.fragment_len = len,
                    SessionCommand::Ping(payload) => {
                        return all.ping(id, payload.as_bytes()).map_err(|_| "this session is closing");
                    }
                    SessionCommand::Close(code, reason) => all.close(id, code, &reason),
                    SessionCommand::Vanish => all.terminate(id),
                }
                Ok(())
            }
        }
    }
}

impl EchoSession {
    /// Returns the longest fragment of its answers; 0 means no answers.
    fn answer_fragment_len(&self) -> Option<usize> {
        self.echoes.then_some(self.fragment_len.unwrap_or(0))
    }
}

fn answer(ws: &mut WebSocket<'_, Role>, message: Message<'_>, fragment_len: usize) {
    if fragment_len == 0 {
        ws.send(message);
    } else {
        let id = ws.id();
        let least = message.len().div_ceil(MAX_FRAGMENTS);
        ws.all().send_fragments(id, message, fragment_len.max(least));
    }
}

/// Returns the token in the target of a session's request. The observer calls this too, so that the opened
/// and the shown session can't differ.
fn token_of(target: &str) -> Option<&str> {
    target.strip_prefix("/session/")
}

/// §10.2: refuses pages of other origins. A program without an Origin may open a session with a token.
fn check_origin(request: &Request<'_>) -> Result<(), &'static str> {
    let host = request.host().unwrap_or_default();
    let is_own = |origin: &[u8]| {
        let name = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        name.is_some_and(|name| name.eq_ignore_ascii_case(host.as_bytes()))
    };
    let mut origins = request.headers().filter(|(name, _)| name.eq_ignore_ascii_case("Origin"));
    if origins.all(|(_, origin)| is_own(origin)) {
        Ok(())
    } else {
        Err("only this server's own page may connect")
    }
}

/// Returns whether a Host is a name of this machine that no other party can assign.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => host,
    };
    let literal = name.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || literal.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in
            ["localhost", "LocalHost:9501", "127.0.0.1", "127.0.0.1:80", "127.9.9.9", "[::1]", "[::1]:9501"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "localhost.example",
            "10.0.0.1",
            "127.0.0.1.example",
            "[::2]",
            "[fe80::1]:1",
            "127.1",
            "0x7f.0.0.1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn the_token_is_everything_after_the_path() {
        assert_eq!(token_of("/session/abc"), Some("abc"));
        assert_eq!(token_of("/session/abc?def"), Some("abc?def"));
        for target in ["/", "/session", "/Session/abc", "http://localhost/session/abc"] {
            assert_eq!(token_of(target), None, "{target}");
        }
    }
}

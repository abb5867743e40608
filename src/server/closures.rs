//! The hooks of a server as closures.

use super::Server;
use crate::{
    connect::ConnectError,
    handler::Closed,
    hooks::{HookSet, Hooks},
    protocol::{Message, Request, Response},
    transport::PeerAddr,
    upgrade::Upgrade,
    websocket::WebSocket,
};

/// The hooks as closures. They fit together with [`state`](Server::state), not with
/// [`handler`](Server::handler).
impl<S: Default + 'static, H: HookSet<Handler = Hooks<S>>> Server<H> {
    /// Sets the hook that accepts or refuses a request; see
    /// [`Handler::on_upgrade`](crate::Handler::on_upgrade).
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{Server, Upgrade};
    /// let server = Server::bind("127.0.0.1:0")?.on_upgrade(|request, _| match request.path() {
    ///     "/chat" => Upgrade::accept(),
    ///     _ => Upgrade::reject(404, "connect to /chat"),
    /// });
    /// assert_eq!(talk(server, b"")?, b"connect to /chat\n"); // the body; the client asked for /ann
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_upgrade(
        self,
        hook: impl FnMut(&Request<'_>, PeerAddr) -> Upgrade<S> + 'static,
    ) -> Server<Hooks<S>> {
        self.with(|hooks| hooks.on_upgrade(hook))
    }

    /// Sets the hook for HTTP requests that ask for no WebSocket; see
    /// [`Handler::on_http`](crate::Handler::on_http).
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{Server, protocol::Response};
    /// let server = Server::bind("127.0.0.1:0")?.on_http(|request, _| match request.path() {
    ///     "/" => Some(Response::page(200, "text/html; charset=utf-8", "<p>hello")),
    ///     _ => None,
    /// });
    /// assert!(talk(server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?.ends_with(b"\r\n\r\n<p>hello"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_http(
        self,
        hook: impl FnMut(&Request<'_>, PeerAddr) -> Option<Response> + 'static,
    ) -> Server<Hooks<S>> {
        self.with(|hooks| hooks.on_http(hook))
    }

    /// Sets the hook for new connections; see [`Handler::on_open`](crate::Handler::on_open).
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, request| {
    ///     ws.send(format!("welcome to {}", request.path()));
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x81\x0fwelcome to /ann\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_open(
        self,
        hook: impl FnMut(&mut WebSocket<'_, S>, &Request<'_>) + 'static,
    ) -> Server<Hooks<S>> {
        self.with(|hooks| hooks.on_open(hook))
    }

    /// Sets the hook for connections to servers that do not open; see
    /// [`Handler::on_connect_error`](crate::Handler::on_connect_error).
    ///
    /// ```
    /// use std::{io::ErrorKind, net::TcpListener};
    /// use wirehook::{ConnectError, Server, protocol::{ClientRequest, Uri}};
    ///
    /// let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?; // free again at once
    /// let uri = Uri::parse(&format!("ws://{address}/")).unwrap();
    /// let client = Server::unbound()?.connect(&uri, ClientRequest::new(&uri));
    /// client
    ///     .on_connect_error(|_, error| {
    ///         assert!(matches!(error, ConnectError::Tcp(ErrorKind::ConnectionRefused)));
    ///     })
    ///     .run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_connect_error(
        self,
        hook: impl FnMut(&mut WebSocket<'_, S>, &ConnectError) + 'static,
    ) -> Server<Hooks<S>> {
        self.with(|hooks| hooks.on_connect_error(hook))
    }

    /// Sets the hook for messages; see [`Handler::on_message`](crate::Handler::on_message).
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{Message, Server};
    /// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, message| {
    ///     match message {
    ///         Message::Text(text) => ws.send(&text.to_uppercase()),
    ///         Message::Binary(bytes) => ws.send(bytes),
    ///     };
    /// });
    /// // "He", "y": fragments are one message (§5.4).
    /// let heard = talk(server, b"\x01\x82\0\0\0\0He\x80\x81\0\0\0\0y")?;
    /// assert_eq!(heard, b"\x81\x03HEY\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_message(
        self,
        hook: impl FnMut(&mut WebSocket<'_, S>, Message<'_>) + 'static,
    ) -> Server<Hooks<S>> {
        self.with(|hooks| hooks.on_message(hook))
    }

    /// Sets the hook for pings; see [`Handler::on_ping`](crate::Handler::on_ping).
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_ping(|ws, _payload| {
    ///     ws.send("pinged"); // after the pong
    /// });
    /// assert_eq!(talk(server, b"\x89\x81\0\0\0\0?")?, b"\x8a\x01?\x81\x06pinged\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_ping(self, hook: impl FnMut(&mut WebSocket<'_, S>, &[u8]) + 'static) -> Server<Hooks<S>> {
        self.with(|hooks| hooks.on_ping(hook))
    }

    /// Sets the hook for pongs; see [`Handler::on_pong`](crate::Handler::on_pong).
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_pong(|ws, payload| {
    ///     ws.send(payload);
    /// });
    /// assert_eq!(talk(server, b"\x8a\x81\0\0\0\0?")?, b"\x82\x01?\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_pong(self, hook: impl FnMut(&mut WebSocket<'_, S>, &[u8]) + 'static) -> Server<Hooks<S>> {
        self.with(|hooks| hooks.on_pong(hook))
    }

    /// Sets the hook for slow peers that have caught up; see [`Handler::on_drain`](crate::Handler::on_drain).
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{SendStatus, Server, WebSocket};
    /// /// Sends 1 MiB in pieces, as fast as the peer takes them; what is sent so far is the connection's state.
    /// fn go_on(ws: &mut WebSocket<'_, usize>) {
    ///     while *ws.state() < 64 {
    ///         *ws.state_mut() += 1;
    ///         if matches!(ws.send(&[0; 16 * 1024]), SendStatus::Queued(_)) {
    ///             return; // on_drain goes on
    ///         }
    ///     }
    /// }
    ///
    /// let server = Server::bind("127.0.0.1:0")?.state().on_message(|ws, _| go_on(ws)).on_drain(go_on);
    /// assert!(talk(server, b"\x81\x82\0\0\0\0go")?.ends_with(b"\x88\x00"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_drain(self, hook: impl FnMut(&mut WebSocket<'_, S>) + 'static) -> Server<Hooks<S>> {
        self.with(|hooks| hooks.on_drain(hook))
    }

    /// Sets the hook for connections that have ended; see [`Handler::on_close`](crate::Handler::on_close).
    /// Examples: [`Closed`], [`Cause`](crate::Cause).
    #[must_use]
    pub fn on_close(
        self,
        hook: impl FnMut(&mut WebSocket<'_, S>, &Closed<'_>) + 'static,
    ) -> Server<Hooks<S>> {
        self.with(|hooks| hooks.on_close(hook))
    }

    fn with(self, set: impl FnOnce(Hooks<S>) -> Hooks<S>) -> Server<Hooks<S>> {
        let mut parts = self.into_ready().into_parts();
        parts.hooks = set(parts.hooks);
        Server::of(parts)
    }
}

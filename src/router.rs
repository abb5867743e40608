//! Several handlers on one server, chosen by the path of the request.
//!
//! A router is a [`Handler`] itself. It keeps which route each connection has come by; a server without
//! routes has none of this.

use std::borrow::Cow;

use crate::{
    connect::{ConnectError, ConnectionRole},
    handler::{Closed, Handler},
    hub::ConnId,
    protocol::{Limits, Message, Request, Response},
    transport::PeerAddr,
    upgrade::Upgrade,
    websocket::WebSocket,
};

/// The number of a route for connections that this program has opened.
const OUTBOUND: u32 = u32::MAX;

/// The answer to a request for a path that no route has.
const NOT_FOUND: &str = "There is nothing at this path.";

/// Routes: a [`Handler`] that passes each connection to the handler of its path.
/// [`Server::route`](crate::Server::route) makes one. A path that no route has is answered with 404.
///
/// All routes have one type of state, because a server keeps the states of its connections side by side.
/// States of several kinds are an enum.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::{Hooks, Router, Server};
///
/// let routes = Router::<()>::new()
///     .route("/", Hooks::new().on_open(|ws, _| ws.close(1000, "say who you are")))
///     .route("/:name", Hooks::new().on_open(|ws, request| {
///         ws.send(format!("hello, {}", request.param("name").unwrap_or_default()));
///     }));
/// let server = Server::bind("127.0.0.1:0")?.handler(routes); // the client asks for /ann
/// assert_eq!(talk(server, b"")?, b"\x81\x0ahello, ann\x88\x00");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Router<S = ()> {
    routes: Vec<(Pattern, Route<S>)>,
    /// The handler of connections that this program opens itself.
    outbound: Option<Box<dyn Handler<State = S>>>,
    /// By the place of each connection in the table: the route that it has come by.
    by_place: Vec<u32>,
}

/// The handler of a route, and the limits of its connections.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::{Hooks, Route, Server};
///
/// let echo = Hooks::<()>::new().on_message(|ws, message| {
///     ws.send(message);
/// });
/// let small = Route::new(echo).limits(|limits| limits.max_message_size = 4);
/// let server = Server::bind("127.0.0.1:0")?.route("/:name", small);
/// let heard = talk(server, b"\x81\x84\0\0\0\0four\x81\x85\0\0\0\0fives")?;
/// assert!(heard.starts_with(b"\x81\x04four\x88"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Route<S = ()> {
    handler: Box<dyn Handler<State = S>>,
    limits: Option<Limits>,
}

impl<S: Default + 'static> Route<S> {
    /// Returns a route with the server's limits.
    pub fn new(handler: impl Handler<State = S> + 'static) -> Self {
        Self { handler: Box::new(handler), limits: None }
    }

    /// Gives the route limits of its own. They begin as the defaults, not as the server's. Those of the
    /// request's head are the server's anyway: it is read before its route is known. Example: [`Route`].
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(self.limits.get_or_insert_default());
        self
    }
}

impl<H: Handler + 'static> From<H> for Route<H::State> {
    fn from(handler: H) -> Self {
        Self::new(handler)
    }
}

impl<S> Default for Router<S> {
    fn default() -> Self {
        Self { routes: Vec::new(), outbound: None, by_place: Vec::new() }
    }
}

impl<S: Default + 'static> Router<S> {
    /// Returns a router without routes, which answers every request with 404. Example: [`Router`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route: a pattern, and a [`Handler`] or a [`Route`]. Of several that fit a path the first one is
    /// taken.
    ///
    /// A pattern is the segments of a path, such as `/chat/:room`. A segment that begins with `:` fits every
    /// segment that is not empty; [`Request::param`] gives it in `on_upgrade`, `on_http` and `on_open`.
    /// Segments are compared after percent-decoding, and letter case matters. Example: [`Router`].
    #[must_use]
    pub fn route(mut self, pattern: &str, route: impl Into<Route<S>>) -> Self {
        self.routes.push((Pattern::parse(pattern), route.into()));
        self
    }

    /// Sets the handler of the connections that this program opens itself; without one they have no hooks.
    ///
    /// ```
    /// use wirehook::{Hooks, Router, Server, protocol::{ClientRequest, Uri}};
    ///
    /// let source = Server::bind("127.0.0.1:0")?;
    /// let uri = Uri::parse(&format!("ws://{}/feed", source.local_addr()?)).unwrap();
    /// let relay = std::thread::spawn(move || {
    ///     let news = Hooks::new().on_message(|ws, message| {
    ///         assert_eq!(ws.broadcast(message).sent, 0); // to clients, of which there are none yet
    ///         ws.close(1000, "");
    ///     });
    ///     let routes = Router::<()>::new().route("/feed", Hooks::new()).outbound(news);
    ///     Server::unbound()?.handler(routes).connect(&uri, ClientRequest::new(&uri)).run()
    /// });
    /// let source = source.on_open(|ws, _| {
    ///     ws.send("news");
    /// });
    /// let handle = source.handle();
    /// source.on_close(move |_, _| handle.shutdown()).run()?;
    /// relay.join().unwrap()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn outbound(mut self, handler: impl Handler<State = S> + 'static) -> Self {
        self.outbound = Some(Box::new(handler));
        self
    }

    /// Finds the route of a request. The request it returns has the route's parameters.
    fn find<'a>(&self, request: &Request<'a>) -> Option<(usize, Request<'a>)> {
        let segments: Vec<Cow<'a, str>> = request.segments().collect();
        let mut routes = self.routes.iter().enumerate();
        routes.find_map(|(at, (pattern, _))| Some((at, request.with_params(pattern.params(&segments)?))))
    }

    /// Returns the handler of an open connection.
    fn handler_of(&mut self, id: ConnId) -> Option<&mut (dyn Handler<State = S> + 'static)> {
        let at = *self.by_place.get(id.index() as usize)?;
        if at == OUTBOUND {
            return self.outbound.as_deref_mut();
        }
        self.routes.get_mut(at as usize).map(|(_, route)| &mut *route.handler)
    }

    /// Notes the route of a connection that opens.
    fn note(&mut self, id: ConnId, at: usize) {
        let place = id.index() as usize;
        if self.by_place.len() <= place {
            self.by_place.resize(place + 1, 0);
        }
        self.by_place[place] = at as u32;
    }
}

impl<S: Default + 'static> Handler for Router<S> {
    type State = S;

    fn on_upgrade(&mut self, request: &Request<'_>, peer: PeerAddr) -> Upgrade<S> {
        let Some((at, request)) = self.find(request) else { return Upgrade::reject(404, NOT_FOUND) };
        let (_, route) = &mut self.routes[at];
        let upgrade = route.handler.on_upgrade(&request, peer);
        upgrade.or_limits(route.limits)
    }

    fn on_http(&mut self, request: &Request<'_>, peer: PeerAddr) -> Option<Response> {
        let Some((at, request)) = self.find(request) else {
            return Some(Response::rejection(404, NOT_FOUND));
        };
        self.routes[at].1.handler.on_http(&request, peer)
    }

    fn on_open(&mut self, ws: &mut WebSocket<'_, S>, request: &Request<'_>) {
        if ws.role() == ConnectionRole::Client {
            self.note(ws.id(), OUTBOUND as usize);
            if let Some(handler) = &mut self.outbound {
                handler.on_open(ws, request);
            }
        } else if let Some((at, request)) = self.find(request) {
            self.note(ws.id(), at);
            self.routes[at].1.handler.on_open(ws, &request);
        }
    }

    fn on_connect_error(&mut self, ws: &mut WebSocket<'_, S>, error: &ConnectError) {
        if let Some(handler) = &mut self.outbound {
            handler.on_connect_error(ws, error);
        }
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_, S>, message: Message<'_>) {
        if let Some(handler) = self.handler_of(ws.id()) {
            handler.on_message(ws, message);
        }
    }

    fn on_ping(&mut self, ws: &mut WebSocket<'_, S>, payload: &[u8]) {
        if let Some(handler) = self.handler_of(ws.id()) {
            handler.on_ping(ws, payload);
        }
    }

    fn on_pong(&mut self, ws: &mut WebSocket<'_, S>, payload: &[u8]) {
        if let Some(handler) = self.handler_of(ws.id()) {
            handler.on_pong(ws, payload);
        }
    }

    fn on_drain(&mut self, ws: &mut WebSocket<'_, S>) {
        if let Some(handler) = self.handler_of(ws.id()) {
            handler.on_drain(ws);
        }
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_, S>, close: &Closed<'_>) {
        if let Some(handler) = self.handler_of(ws.id()) {
            handler.on_close(ws, close);
        }
    }
}

/// The path of a route, as segments.
#[derive(Debug)]
struct Pattern(Vec<Segment>);

#[derive(Debug)]
enum Segment {
    Literal(Box<str>),
    Param(Box<str>),
}

impl Pattern {
    fn parse(pattern: &str) -> Self {
        let segments = pattern.strip_prefix('/').unwrap_or(pattern).split('/');
        Self(
            segments
                .map(|it| {
                    it.strip_prefix(':')
                        .map_or_else(|| Segment::Literal(it.into()), |name| Segment::Param(name.into()))
                })
                .collect(),
        )
    }

    /// Returns the parameters of a path that fits.
    fn params<'a>(&self, path: &[Cow<'a, str>]) -> Option<Vec<(Box<str>, Cow<'a, str>)>> {
        if path.len() != self.0.len() {
            return None;
        }
        let mut params = Vec::new();
        for (segment, value) in self.0.iter().zip(path) {
            match segment {
                Segment::Literal(literal) if **literal == **value => {}
                Segment::Param(name) if !value.is_empty() => params.push((name.clone(), value.clone())),
                Segment::Literal(_) | Segment::Param(_) => return None,
            }
        }
        Some(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parameters of a path, as text; `None` if the pattern does not fit.
    fn fits(pattern: &str, path: &[&str]) -> Option<String> {
        let path: Vec<_> = path.iter().map(|it| Cow::from(*it)).collect();
        let params = Pattern::parse(pattern).params(&path)?;
        Some(params.iter().map(|(name, value)| format!("{name}={value};")).collect())
    }

    #[test]
    fn a_pattern_fits_segment_by_segment() {
        for (pattern, path, expected) in [
            ("/", &[""][..], Some("")),
            ("", &[""], Some("")),
            ("/", &["a"], None),
            ("/chat", &["chat"], Some("")),
            ("chat", &["chat"], Some("")),
            ("/chat", &["Chat"], None),
            ("/chat", &["chat", ""], None),
            ("/chat/", &["chat", ""], Some("")),
            ("/chat/:room", &["chat", "a/b"], Some("room=a/b;")),
            ("/chat/:room", &["chat", ""], None),
            ("/chat/:room", &["chat"], None),
            ("/chat/:room", &["chat", "a", "b"], None),
            ("/:a/x/:b", &["1", "x", "2"], Some("a=1;b=2;")),
            ("/:a/x/:b", &["1", "y", "2"], None),
        ] {
            assert_eq!(fits(pattern, path).as_deref(), expected, "{pattern} {path:?}");
        }
    }
}

//! The hooks of a world: they echo or run the action of a test, and record each call.

use std::{
    cell::{Cell, RefCell},
    ops::Deref,
    panic::panic_any,
    rc::Rc,
};

use crate::{
    Cause, CloseCode, Closed, ConnId, ConnectError, Handler, Message, PeerAddr, Stats, Upgrade, WebSocket,
    protocol::Request,
};

type Action = Box<dyn FnMut(&mut WebSocket<'_>, Message<'_>)>;
type HookAction = Box<dyn FnMut(&mut WebSocket<'_>)>;

/// Echoes, or runs the action of a test, and records each call of a hook.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Rc<Record>);

/// The calls that a [`Recorder`] has recorded, and the actions of its hooks.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) opened: RefCell<Vec<ConnId>>,
    pub(crate) closed: RefCell<Vec<(ConnId, CloseCode, Cause, bool)>>,
    /// The reasons of the endings in `closed`, in the same order.
    pub(crate) reasons: RefCell<Vec<String>>,
    /// Why connections to servers did not open.
    pub(crate) unopened: RefCell<Vec<(ConnId, String)>>,
    pub(crate) messages: RefCell<Vec<Vec<u8>>>,
    pub(crate) drained: Cell<usize>,
    pub(crate) pings: Cell<usize>,
    pub(crate) stats: Cell<Stats>,
    /// `on_upgrade` declines compression.
    pub(crate) declines_compression: Cell<bool>,
    /// What `on_open` sends.
    pub(crate) greeting: RefCell<Vec<u8>>,
    /// What `on_message` does instead of an echo.
    pub(crate) on_message: RefCell<Option<Action>>,
    /// What `on_drain` does.
    pub(crate) on_drain: RefCell<Option<HookAction>>,
    /// What `on_close` does.
    pub(crate) on_close: RefCell<Option<HookAction>>,
    /// The hook that panics when it is called next.
    pub(crate) panics_in: Cell<Option<&'static str>>,
}

impl Deref for Recorder {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.0
    }
}

/// The payload of a hook's panic, which panics once more when it is dropped.
pub(crate) struct PanicsWhenDropped(pub(crate) &'static str);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("the payload of the panic in {} panics", self.0);
    }
}

impl Recorder {
    fn enter(&self, hook: &'static str) {
        if self.panics_in.get() == Some(hook) {
            self.panics_in.set(None);
            panic_any(PanicsWhenDropped(hook));
        }
    }
}

impl Handler for Recorder {
    type State = ();

    fn on_upgrade(&mut self, _: &Request<'_>, _: PeerAddr) -> Upgrade {
        self.enter("on_upgrade");
        if self.declines_compression.get() { Upgrade::accept().uncompressed() } else { Upgrade::accept() }
    }

    fn on_open(&mut self, ws: &mut WebSocket<'_>, _: &Request<'_>) {
        self.opened.borrow_mut().push(ws.id());
        let greeting = self.greeting.borrow();
        if !greeting.is_empty() {
            ws.send(&*greeting);
        }
        self.enter("on_open");
    }

    fn on_connect_error(&mut self, ws: &mut WebSocket<'_>, error: &ConnectError) {
        self.unopened.borrow_mut().push((ws.id(), error.to_string()));
        self.enter("on_connect_error");
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_>, message: Message<'_>) {
        self.messages.borrow_mut().push(message.as_bytes().to_vec());
        self.enter("on_message");
        match &mut *self.on_message.borrow_mut() {
            Some(action) => action(ws, message),
            None => drop(ws.send(message)),
        }
    }

    fn on_ping(&mut self, _: &mut WebSocket<'_>, _: &[u8]) {
        self.pings.set(self.pings.get() + 1);
        self.enter("on_ping");
    }

    /// Records the figures. A test requests them with an unsolicited pong, which the server does not answer.
    fn on_pong(&mut self, ws: &mut WebSocket<'_>, _: &[u8]) {
        self.stats.set(ws.all().stats());
        self.enter("on_pong");
    }

    fn on_drain(&mut self, ws: &mut WebSocket<'_>) {
        self.drained.set(self.drained.get() + 1);
        if let Some(action) = &mut *self.on_drain.borrow_mut() {
            action(ws);
        }
        self.enter("on_drain");
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_>, close: &Closed<'_>) {
        self.closed.borrow_mut().push((ws.id(), close.code, close.cause, close.clean));
        self.reasons.borrow_mut().push(close.reason.to_owned());
        if let Some(action) = &mut *self.on_close.borrow_mut() {
            action(ws);
        }
        self.enter("on_close");
    }
}

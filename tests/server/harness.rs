//! A server on a thread of its own, and what its hooks report.
//!
//! This file knows how a server is started and stopped, and holds every test to two rules: `run` returns
//! `Ok`, and each connection that opened is closed exactly once.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use wirehook::{Cause, Closed, ConnId, Handle, Handler, Hooks, Server, WebSocket};

use crate::common::PATIENCE;

/// The arguments of `on_close`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) cause: Cause,
    pub(crate) clean: bool,
}

impl End {
    pub(crate) fn clean(code: u16, reason: &str, cause: Cause) -> Self {
        Self { code, reason: reason.to_owned(), cause, clean: true }
    }

    pub(crate) fn unclean(code: u16, reason: &str, cause: Cause) -> Self {
        Self { code, reason: reason.to_owned(), cause, clean: false }
    }
}

/// Where hooks report to.
#[derive(Clone)]
pub(crate) struct Log {
    opens: Sender<ConnId>,
    closes: Sender<(ConnId, End)>,
    notes: Sender<String>,
}

impl Log {
    /// What `on_open` reports where a test has one of its own.
    pub(crate) fn open<S>(&self, ws: &WebSocket<'_, S>) {
        let _ = self.opens.send(ws.id());
    }

    /// What `on_close` reports where a test has one of its own.
    pub(crate) fn close<S>(&self, ws: &WebSocket<'_, S>, close: &Closed<'_>) {
        // The connection is still there for its last hook: these two would panic if it were not.
        ws.state();
        ws.peer_addr();
        let reason = close.reason.to_owned();
        let end = End { code: close.code.0, reason, cause: close.cause, clean: close.clean };
        let _ = self.closes.send((ws.id(), end));
    }

    /// Anything else that a test waits for.
    pub(crate) fn note(&self, note: impl ToString) {
        let _ = self.notes.send(note.to_string());
    }
}

/// The connection that is not the hook's own, where there are two.
pub(crate) fn other<S>(ws: &mut WebSocket<'_, S>) -> ConnId {
    let own = ws.id();
    ws.all().ids().find(|id| *id != own).expect("there is another connection")
}

/// A server that runs until this is dropped.
pub(crate) struct Running<S = ()> {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle<S>,
    outcome: Receiver<io::Result<()>>,
    opens: Receiver<ConnId>,
    closes: Receiver<(ConnId, End)>,
    notes: Receiver<String>,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    opened: Vec<ConnId>,
    closed: Vec<ConnId>,
}

/// Starts a server that echoes and reports.
pub(crate) fn echo() -> Running {
    serve(|server, _| {
        server.on_message(|ws, message| {
            ws.send(message);
        })
    })
}

/// Starts a server whose opened and closed connections are reported; `build` adds what the test is about.
pub(crate) fn serve(
    build: impl FnOnce(Server<Hooks<()>>, Log) -> Server<Hooks<()>> + Send + 'static,
) -> Running {
    serve_with_state(build)
}

/// The same with a state for each connection.
pub(crate) fn serve_with_state<S: Default + 'static>(
    build: impl FnOnce(Server<Hooks<S>>, Log) -> Server<Hooks<S>> + Send + 'static,
) -> Running<S> {
    start(|server, log| {
        let (on_open, on_close) = (log.clone(), log.clone());
        let server = server
            .state::<S>()
            .on_open(move |ws, _| on_open.open(ws))
            .on_close(move |ws, close| on_close.close(ws, close));
        build(server, log)
    })
}

/// Starts a server with any handler. It is built on its own thread, so that hooks need not be `Send`.
pub(crate) fn start<H: Handler>(
    build: impl FnOnce(Server, Log) -> Server<H> + Send + 'static,
) -> Running<H::State> {
    let (opens_in, opens) = mpsc::channel();
    let (closes_in, closes) = mpsc::channel();
    let (notes_in, notes) = mpsc::channel();
    let (ready_in, ready) = mpsc::channel();
    let (outcome_in, outcome) = mpsc::channel();
    thread::spawn(move || {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let server = build(server, Log { opens: opens_in, closes: closes_in, notes: notes_in });
        ready_in.send((server.local_addr().unwrap(), server.handle())).unwrap();
        let _ = outcome_in.send(server.run());
    });
    let (address, handle) = ready.recv_timeout(PATIENCE).expect("the server starts");
    Running { address, handle, outcome, opens, closes, notes, seen: RefCell::default() }
}

impl<S> Running<S> {
    /// The next connection that has opened.
    pub(crate) fn opened(&self) -> ConnId {
        let id = self.opens.recv_timeout(PATIENCE).expect("a connection opens");
        self.seen.borrow_mut().opened.push(id);
        id
    }

    /// The next connection that has ended.
    pub(crate) fn closed(&self) -> (ConnId, End) {
        let (id, end) = self.closes.recv_timeout(PATIENCE).expect("a connection is closed");
        self.seen.borrow_mut().closed.push(id);
        (id, end)
    }

    /// The next connection that has ended must have ended so.
    pub(crate) fn expect_closed(&self, end: &End) {
        assert_eq!(self.closed().1, *end);
    }

    /// What a hook has noted next.
    pub(crate) fn note(&self) -> String {
        self.notes.recv_timeout(PATIENCE).expect("a hook notes something")
    }

    /// What hooks have noted so far and no test has taken.
    pub(crate) fn notes_so_far(&self) -> Vec<String> {
        self.notes.try_iter().collect()
    }

    /// Shuts down and waits for the end, if that was not done before.
    pub(crate) fn stop(self) {
        drop(self);
    }

    fn check_end(&self) {
        self.handle.shutdown();
        let outcome = self.outcome.recv_timeout(PATIENCE).expect("the server ends, and not by a panic");
        outcome.expect("run returns Ok");
        let mut seen = self.seen.borrow_mut();
        seen.opened.extend(self.opens.try_iter());
        for (id, end) in self.closes.try_iter() {
            assert_ne!(end.cause, Cause::Panic, "no hook panics unless the test wants it");
            seen.closed.push(id);
        }
        seen.opened.sort();
        seen.closed.sort();
        assert_eq!(seen.opened, seen.closed, "each connection that opened has one on_close");
    }
}

impl<S> Drop for Running<S> {
    fn drop(&mut self) {
        // A test that has failed says why; a second failure would hide it.
        if !thread::panicking() {
            self.check_end();
        }
    }
}

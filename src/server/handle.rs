//! The way into a running loop from other threads.
//!
//! This file has the queue of commands and wakes the loop; `event_loop/commands.rs` runs them.

#[cfg(feature = "tls")]
use std::io;
use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use log::error;

#[cfg(feature = "tls")]
use crate::transport::{TlsConfig, TlsSlot};
use crate::{
    connections::Connections,
    hub::ConnId,
    outgoing::Outgoing,
    panics,
    protocol::{CloseCode, Prepared},
    stats::Stats,
    transport::Waker,
    upgrade::{PendingUpgrade, Upgrade},
};

/// How many commands may wait for the loop.
const MAX_COMMANDS: usize = 65_536;
/// How many bytes of messages may wait for the loop.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Reaches a running server from any thread, also from its own hooks; clones reach the same one.
///
/// Every call leaves a command and returns at once; the loop runs them in the order in which they came, so
/// the messages of one thread stay in order. At most 65,536 commands and 64 MiB of messages wait: beyond that
/// a call is refused with [`HandleError::Full`], and it is up to the caller to wait, to drop or to complain.
/// Nothing ever blocks, so nothing can deadlock.
///
/// ```
/// use std::thread;
/// use wirehook::{HandleError, Server};
///
/// let server = Server::bind("127.0.0.1:0")?.state::<()>();
/// let handle = server.handle();
/// let other = thread::spawn(move || {
///     let told = handle.broadcast("the server goes down");
///     handle.shutdown();
///     (told, handle)
/// });
/// server.run()?; // returns after the last connection has closed
///
/// let (told, handle) = other.join().unwrap();
/// assert_eq!(told, Ok(()));
/// assert_eq!(handle.broadcast("too late"), Err(HandleError::Stopped));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Handle<S = ()> {
    shared: Arc<Shared<S>>,
}

impl<S> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S> fmt::Debug for Handle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// Why a command was refused. Example: [`Handle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandleError {
    /// Too much waits for the loop already; later there may be room.
    Full,
    /// The server has stopped.
    Stopped,
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "too much waits for the server's loop already",
            Self::Stopped => "the server has stopped",
        })
    }
}

impl std::error::Error for HandleError {}

struct Shared<S> {
    waker: Arc<Waker>,
    queue: Mutex<Queue<S>>,
    stats: Mutex<Stats>,
    /// Where new connections get their configuration of TLS, if the server speaks it.
    #[cfg(feature = "tls")]
    tls: Mutex<Option<Arc<TlsSlot>>>,
}

struct Queue<S> {
    commands: VecDeque<Command<S>>,
    /// Bytes of the messages in `commands`.
    bytes: usize,
    /// How many commands have come, and how many of them the loop has taken.
    come: u64,
    taken: u64,
    /// Connections whose held requests have an answer. There are no more than connections.
    answered: VecDeque<ConnId>,
    /// The command to end, and how many commands came before it.
    shutdown: Option<(ShutdownRequest, u64)>,
    stopped: bool,
}

/// A command of another thread. Messages are encoded on that thread, which spares the loop the work.
pub(super) enum Command<S> {
    Send { id: ConnId, message: Prepared },
    Broadcast { message: Prepared },
    Close { id: ConnId, code: CloseCode, reason: String },
    Terminate { id: ConnId },
    BroadcastIf { message: Prepared, filter: Filter<S> },
    Call(Call<S>),
}

/// Picks receivers by id and state.
type Filter<S> = Box<dyn FnMut(ConnId, &S) -> bool + Send>;
/// A closure of another thread that runs on the loop.
type Call<S> = Box<dyn FnOnce(&mut Connections<'_, S>) + Send>;

/// That the server is to end, and how soon; `None` leaves that to the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShutdownRequest {
    pub(super) within: Option<Duration>,
}

impl<S> Queue<S> {
    const fn new() -> Self {
        Self {
            commands: VecDeque::new(),
            bytes: 0,
            come: 0,
            taken: 0,
            answered: VecDeque::new(),
            shutdown: None,
            stopped: false,
        }
    }
}

impl<S> Handle<S> {
    pub(super) fn new(waker: Waker) -> Self {
        Self::woken_by(Arc::new(waker))
    }

    fn woken_by(waker: Arc<Waker>) -> Self {
        Self {
            shared: Arc::new(Shared {
                waker,
                queue: Mutex::new(Queue::new()),
                stats: Mutex::default(),
                #[cfg(feature = "tls")]
                tls: Mutex::default(),
            }),
        }
    }

    /// Returns a handle to the same loop for connections with another type of state. Its queue is empty.
    pub(super) fn for_state<T>(self) -> Handle<T> {
        let handle = Handle::woken_by(Arc::clone(&self.shared.waker));
        #[cfg(feature = "tls")]
        handle.set_tls_slot(self.tls_slot());
        handle
    }

    #[cfg(feature = "tls")]
    pub(super) fn set_tls_slot(&self, slot: Option<Arc<TlsSlot>>) {
        *lock(&self.shared.tls) = slot;
    }

    #[cfg(feature = "tls")]
    pub(super) fn tls_slot(&self) -> Option<Arc<TlsSlot>> {
        lock(&self.shared.tls).clone()
    }

    /// Gives connections that come from now on another configuration of TLS. Open ones keep theirs.
    ///
    /// The files are read on this thread. Tickets of earlier sessions are no longer accepted.
    ///
    /// ```no_run
    /// # use wirehook::{Server, TlsConfig};
    /// let tls = TlsConfig::new().certificate_files("cert.pem", "key.pem");
    /// let server = Server::bind("0.0.0.0:443")?.tls(&tls)?.state::<()>();
    /// let handle = server.handle();
    /// std::thread::spawn(move || {
    ///     // Each time that the files are new:
    ///     if let Err(error) = handle.reload_tls(&tls) {
    ///         eprintln!("the old certificate stays in force: {error}");
    ///     }
    /// });
    /// server.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A file is wrong, and the error names it; or the server does not speak TLS. The old configuration stays
    /// in force.
    #[cfg(feature = "tls")]
    pub fn reload_tls(&self, config: &TlsConfig) -> io::Result<()> {
        let slot = self.tls_slot().ok_or_else(|| io::Error::other("the server does not speak TLS"))?;
        slot.replace(config)
    }

    /// Sends a message to a connection. What becomes of it there is not told: it may be dropped for a peer
    /// that is too slow, and a connection may have gone.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.state::<()>();
    /// let handle = server.handle();
    /// let server = server.on_open(move |ws, _| {
    ///     let (id, handle) = (ws.id(), handle.clone());
    ///     std::thread::spawn(move || handle.send(id, "from another thread"));
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x81\x13from another thread\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The command was refused; nothing is sent.
    pub fn send<'m>(&self, id: ConnId, message: impl Into<Outgoing<'m>>) -> Result<(), HandleError> {
        self.command(Command::Send { id, message: message.into().prepare() })
    }

    /// Sends a message to every connection that is open when the loop comes to it. Example: [`Handle`].
    ///
    /// # Errors
    ///
    /// The command was refused; nothing is sent.
    pub fn broadcast<'m>(&self, message: impl Into<Outgoing<'m>>) -> Result<(), HandleError> {
        self.command(Command::Broadcast { message: message.into().prepare() })
    }

    /// Sends a message to every open connection that `filter` picks by its id and state, on the loop.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// // The state of a connection is the symbol that it follows.
    /// let server = Server::bind("127.0.0.1:0")?.state::<String>();
    /// let handle = server.handle();
    /// let server = server.on_open(move |ws, request| {
    ///     *ws.state_mut() = request.path()[1..].to_owned();
    ///     let handle = handle.clone();
    ///     std::thread::spawn(move || handle.broadcast_if("42", |_, symbol| symbol == "ann"));
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x81\x0242\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The command was refused; nothing is sent.
    pub fn broadcast_if<'m>(
        &self,
        message: impl Into<Outgoing<'m>>,
        filter: impl FnMut(ConnId, &S) -> bool + Send + 'static,
    ) -> Result<(), HandleError> {
        let message = message.into().prepare();
        self.command(Command::BroadcastIf { message, filter: Box::new(filter) })
    }

    /// Runs a closure on the loop, between two hooks, with all connections at hand.
    ///
    /// It is the way to do several things at once, and to look at states. While it runs every connection
    /// waits. A closure that panics is logged, and the server goes on. What it captures is not counted among
    /// the 64 MiB.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use std::{sync::mpsc, thread};
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.state::<u32>();
    /// let handle = server.handle();
    /// let server = server.on_message(move |ws, _| {
    ///     *ws.state_mut() += 1;
    ///     let (handle, (answer, sum)) = (handle.clone(), mpsc::channel());
    ///     thread::spawn(move || {
    ///         let _ = handle.call(move |all| {
    ///             let _ = answer.send(all.ids().filter_map(|id| all.state(id)).sum::<u32>());
    ///         });
    ///         handle.broadcast(format!("{} messages", sum.recv().unwrap_or(0)))
    ///     });
    /// });
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x0a1 messages\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The command was refused; the closure is dropped.
    pub fn call(
        &self,
        closure: impl FnOnce(&mut Connections<'_, S>) + Send + 'static,
    ) -> Result<(), HandleError> {
        self.command(Command::Call(Box::new(closure)))
    }

    /// Answers a request that is held: opens the connection or refuses it. Example: [`Upgrade::pending`].
    ///
    /// It is never refused for what waits already, for there are no more of them than connections. If the
    /// request has ended meanwhile, because its client has gone or its time is up, nothing happens.
    ///
    /// # Errors
    ///
    /// The server has stopped.
    pub fn finish(&self, pending: PendingUpgrade<S>, upgrade: Upgrade<S>) -> Result<(), HandleError> {
        if lock(&self.shared.queue).stopped {
            return Err(HandleError::Stopped);
        }
        if let Some(id) = pending.answer(upgrade) {
            lock(&self.shared.queue).answered.push_back(id);
            self.wake();
        }
        Ok(())
    }

    /// Begins the closing handshake of a connection; see [`WebSocket::close`](crate::WebSocket::close).
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.state::<()>();
    /// let handle = server.handle();
    /// // The loop runs the command in its next turn: until then messages still reach their hook.
    /// let server = server.on_open(move |ws, _| {
    ///     assert_eq!(handle.close(ws.id(), 1000, "bye"), Ok(()));
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x88\x05\x03\xe8bye");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The command was refused.
    pub fn close(&self, id: ConnId, code: impl Into<CloseCode>, reason: &str) -> Result<(), HandleError> {
        self.command(Command::Close { id, code: code.into(), reason: reason.to_owned() })
    }

    /// Drops a connection without a closing handshake; used like [`close`](Self::close). Example:
    /// [`WebSocket::terminate`](crate::WebSocket::terminate).
    ///
    /// # Errors
    ///
    /// The command was refused.
    pub fn terminate(&self, id: ConnId) -> Result<(), HandleError> {
        self.command(Command::Terminate { id })
    }

    /// Drains the server: stops accepting, closes every connection with 1001 (§7.4.1), spread over
    /// [`shutdown_spread`](crate::Config::shutdown_spread), and lets [`Server::run`](crate::Server::run)
    /// return when all have answered, or [`close_timeout`](crate::Config::close_timeout) after the last was
    /// told.
    ///
    /// What waits in the queue before it is still done. It is never refused, and calling it again changes
    /// nothing. Example: [`Server`](crate::Server).
    pub fn shutdown(&self) {
        self.ask_for(ShutdownRequest { within: None });
    }

    /// [`shutdown`](Self::shutdown) with a time after which every connection without an answer is dropped.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let server = wirehook::Server::bind("127.0.0.1:0")?.state::<()>();
    /// server.handle().shutdown_within(Duration::from_secs(1)); // also before it runs
    /// server.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown_within(&self, deadline: Duration) {
        self.ask_for(ShutdownRequest { within: Some(deadline) });
    }

    /// Returns the server's figures as of the end of the loop's last turn. Example: [`Stats`].
    pub fn stats(&self) -> Stats {
        *lock(&self.shared.stats)
    }

    fn ask_for(&self, shutdown: ShutdownRequest) {
        let mut queue = lock(&self.shared.queue);
        let come = queue.come;
        queue.shutdown.get_or_insert((shutdown, come));
        drop(queue);
        self.wake();
    }

    fn command(&self, command: Command<S>) -> Result<(), HandleError> {
        let len = command.len();
        let mut queue = lock(&self.shared.queue);
        if queue.stopped {
            return Err(HandleError::Stopped);
        }
        if queue.commands.len() >= MAX_COMMANDS || queue.bytes.saturating_add(len) > MAX_BYTES {
            return Err(HandleError::Full);
        }
        let was_empty = queue.commands.is_empty();
        queue.commands.push_back(command);
        queue.bytes += len;
        queue.come += 1;
        drop(queue);
        // The call that finds the queue empty wakes the loop, which takes all commands at once.
        if was_empty {
            self.wake();
        }
        Ok(())
    }

    fn wake(&self) {
        if let Err(error) = self.shared.waker.wake() {
            error!("the loop could not be woken: {error}");
        }
    }

    // --- The loop's side -------------------------------------------------------------------------------

    /// Returns what ends a wait of the loop.
    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.shared.waker)
    }

    /// Takes up to `count` of the commands, the earliest first.
    pub(super) fn take(&self, count: usize) -> VecDeque<Command<S>> {
        let mut queue = lock(&self.shared.queue);
        let count = count.min(queue.commands.len());
        let commands: VecDeque<_> = queue.commands.drain(..count).collect();
        queue.bytes -= commands.iter().map(Command::len).sum::<usize>();
        queue.taken += commands.len() as u64;
        commands
    }

    /// Puts commands back to the front that the loop has taken and has no time for now.
    pub(super) fn put_back(&self, commands: VecDeque<Command<S>>) {
        let mut queue = lock(&self.shared.queue);
        queue.bytes += commands.iter().map(Command::len).sum::<usize>();
        queue.taken -= commands.len() as u64;
        for command in commands.into_iter().rev() {
            queue.commands.push_front(command);
        }
    }

    /// Takes a connection whose held request has an answer.
    pub(super) fn take_answered(&self) -> Option<ConnId> {
        lock(&self.shared.queue).answered.pop_front()
    }

    /// Returns the command to end, once all commands before it were taken.
    pub(super) fn take_shutdown(&self) -> Option<ShutdownRequest> {
        let queue = lock(&self.shared.queue);
        queue.shutdown.filter(|(_, after)| queue.taken >= *after).map(|(shutdown, _)| shutdown)
    }

    /// Refuses all commands from now on.
    pub(super) fn stop(&self) {
        let stopped = Queue { stopped: true, ..Queue::new() };
        let left = mem::replace(&mut *lock(&self.shared.queue), stopped);
        // What a closure captures is dropped here, which is code of the user: not while the queue is locked.
        left.commands.into_iter().for_each(panics::discard);
    }

    /// Returns whether another handle exists. Handles are made of handles, so otherwise none can appear.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }

    pub(super) fn publish(&self, stats: Stats) {
        *lock(&self.shared.stats) = stats;
    }
}

impl<S> Command<S> {
    /// Bytes that it makes the queue hold.
    fn len(&self) -> usize {
        match self {
            Self::Send { message, .. } | Self::Broadcast { message } | Self::BroadcastIf { message, .. } => {
                message.memory()
            }
            Self::Close { reason, .. } => reason.len(),
            Self::Terminate { .. } | Self::Call(_) => 0,
        }
    }
}

/// A thread that panicked while it held the lock has left nothing half-done: each hold is a few assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{server::event_loop::WAKER, transport::Poll};

    /// Sends when it is dropped, as a user's type may.
    struct SendsWhenDropped(Handle);

    impl Drop for SendsWhenDropped {
        fn drop(&mut self) {
            assert_eq!(self.0.broadcast("?"), Err(HandleError::Stopped));
        }
    }

    #[test]
    fn a_closure_that_never_runs_is_dropped_with_the_queue_unlocked() {
        let waker = Poll::new().and_then(|poll| Waker::new(&poll, WAKER));
        let handle = Handle::<()>::new(waker.unwrap_or_else(|error| unreachable!("{error}")));
        let sends = SendsWhenDropped(handle.clone());
        assert_eq!(handle.call(move |_| drop(sends)), Ok(()));
        handle.stop();
        assert!(!handle.is_shared(), "the closure is dropped");
    }

    #[test]
    fn a_handle_goes_to_other_threads_whatever_the_state_is() {
        const fn goes_to_other_threads<T: Send + Sync + 'static>() {}
        goes_to_other_threads::<Handle<std::rc::Rc<()>>>();
    }
}

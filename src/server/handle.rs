//! The way into a running loop from other threads.
//!
//! This file knows a queue of commands and how to wake the loop. It refuses to know how the loop runs them.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use log::error;

use crate::{
    hub::ConnId,
    outgoing::Outgoing,
    protocol::{CloseCode, Prepared},
    stats::Stats,
    transport::Waker,
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
/// let server = Server::bind("127.0.0.1:0")?;
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
/// assert_eq!(handle.broadcast("is anybody there?"), Err(HandleError::Stopped));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
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

#[derive(Debug)]
struct Shared {
    waker: Waker,
    queue: Mutex<Queue>,
    stats: Mutex<Stats>,
}

#[derive(Debug, Default)]
struct Queue {
    commands: VecDeque<Command>,
    /// Bytes of the messages in `commands`.
    bytes: usize,
    /// How many commands have come, and how many of them the loop has taken.
    come: u64,
    taken: u64,
    /// The command to end, and how many commands came before it.
    shutdown: Option<(ShutdownRequest, u64)>,
    stopped: bool,
}

/// What another thread wants. Messages are encoded where they come from, which spares the loop the work.
#[derive(Debug)]
pub(super) enum Command {
    Send { id: ConnId, message: Prepared },
    Broadcast { message: Prepared },
    Close { id: ConnId, code: CloseCode, reason: String },
    Terminate { id: ConnId },
}

/// That the server is to end, and how soon; `None` leaves that to the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShutdownRequest {
    pub(super) within: Option<Duration>,
}

impl Handle {
    pub(super) fn new(waker: Waker) -> Self {
        Self { shared: Arc::new(Shared { waker, queue: Mutex::default(), stats: Mutex::default() }) }
    }

    /// Sends a message to a connection. What becomes of it there is not told: it may be dropped for a peer
    /// that is too slow, and a connection may have gone.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?;
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
        self.command(Command::Send { id, message: Prepared::new(message.into().as_message()) })
    }

    /// Sends a message to every connection that is open when the loop comes to it. Example: [`Handle`].
    ///
    /// # Errors
    ///
    /// The command was refused; nothing is sent.
    pub fn broadcast<'m>(&self, message: impl Into<Outgoing<'m>>) -> Result<(), HandleError> {
        self.command(Command::Broadcast { message: Prepared::new(message.into().as_message()) })
    }

    /// Begins the closing handshake of a connection; see [`WebSocket::close`](crate::WebSocket::close).
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?;
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

    /// [`shutdown`](Self::shutdown) with a time after which whoever has not answered is dropped.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let server = wirehook::Server::bind("127.0.0.1:0")?;
    /// server.handle().shutdown_within(Duration::from_secs(1)); // also before it runs
    /// server.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown_within(&self, deadline: Duration) {
        self.ask_for(ShutdownRequest { within: Some(deadline) });
    }

    /// The server's figures as of the end of the loop's last turn. Example: [`Stats`].
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

    fn command(&self, command: Command) -> Result<(), HandleError> {
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
        // Whoever found the queue empty wakes the loop; it takes all that has come by then.
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

    /// Takes up to `count` of the commands, the earliest first.
    pub(super) fn take(&self, count: usize) -> VecDeque<Command> {
        let mut queue = lock(&self.shared.queue);
        let count = count.min(queue.commands.len());
        let commands: VecDeque<_> = queue.commands.drain(..count).collect();
        queue.bytes -= commands.iter().map(Command::len).sum::<usize>();
        queue.taken += commands.len() as u64;
        commands
    }

    /// Puts commands back to the front that the loop has taken and has no time for now.
    pub(super) fn put_back(&self, commands: VecDeque<Command>) {
        let mut queue = lock(&self.shared.queue);
        queue.bytes += commands.iter().map(Command::len).sum::<usize>();
        queue.taken -= commands.len() as u64;
        for command in commands.into_iter().rev() {
            queue.commands.push_front(command);
        }
    }

    /// The command to end, once all that came before it was taken.
    pub(super) fn take_shutdown(&self) -> Option<ShutdownRequest> {
        let queue = lock(&self.shared.queue);
        queue.shutdown.filter(|(_, after)| queue.taken >= *after).map(|(shutdown, _)| shutdown)
    }

    /// Refuses all commands from now on.
    pub(super) fn stop(&self) {
        let mut queue = lock(&self.shared.queue);
        *queue = Queue { stopped: true, ..Queue::default() };
    }

    /// Whether anybody else has a handle: who has none can't get one any more.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }

    pub(super) fn publish(&self, stats: Stats) {
        *lock(&self.shared.stats) = stats;
    }
}

impl Command {
    /// Bytes that it makes the queue hold.
    fn len(&self) -> usize {
        match self {
            Self::Send { message, .. } | Self::Broadcast { message } => message.memory(),
            Self::Close { reason, .. } => reason.len(),
            Self::Terminate { .. } => 0,
        }
    }
}

/// A thread that panicked while it held the lock has left nothing half-done: each hold is a few assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

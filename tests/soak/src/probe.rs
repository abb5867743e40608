//! A fresh client, again and again: how long it waits for its handshake and for each of its echoes.
//!
//! This file knows one client that waits on its socket, and the times that it measures. It runs on a thread of its
//! own, so that the load's work doesn't count as the server's.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::net::{self, AddressFamily, SocketType};

use crate::{
    random::Random,
    wire::{self, BINARY, CLOSE, FIN, Heard, Incoming, PONG, put_frame},
};

/// How long the client waits for anything.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two fresh clients, and how many echoes each asks for.
const PAUSE: Duration = Duration::from_millis(100);
const ECHOES: usize = 3;

/// A client that waits.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    incoming: Incoming,
    random: Random,
}

impl Client {
    /// Connects and opens.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        Self::open_within(address, PATIENCE)
    }

    /// The same, if the connection is there within this time.
    pub(crate) fn open_within(address: SocketAddr, time: Duration) -> io::Result<Self> {
        Self::open_with(address, time, wire::REQUEST)
    }

    /// Connects and opens with this request target.
    pub(crate) fn open_at(address: SocketAddr, target: &str) -> io::Result<Self> {
        let request = wire::REQUEST.replacen("GET /soak ", &format!("GET {target} "), 1);
        Self::open_with(address, PATIENCE, &request)
    }

    /// Connects from this address and opens.
    pub(crate) fn open_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<Self> {
        Self::open_on(connect_from(source, address)?, wire::REQUEST)
    }

    fn open_with(address: SocketAddr, time: Duration, request: &str) -> io::Result<Self> {
        Self::open_on(TcpStream::connect_timeout(&address, time)?, request)
    }

    fn open_on(stream: TcpStream, request: &str) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut client = Self { stream, incoming: Incoming::default(), random: Random::new(1) };
        client.stream.write_all(request.as_bytes())?;
        client.expect(&Heard::Response(101))?;
        Ok(client)
    }

    pub(crate) fn say(&mut self, first: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::new();
        put_frame(&mut frame, &mut self.random, first, payload);
        self.stream.write_all(&frame)
    }

    /// What comes next; pings are answered on the way.
    pub(crate) fn hear(&mut self) -> io::Result<Heard> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.incoming.next().map_err(io::Error::other)? {
                Some(Heard::Ping(payload)) => {
                    self.say(FIN | PONG, &payload)?;
                    continue;
                }
                Some(heard) => return Ok(heard),
                None => {}
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.incoming.push(&buffer[..len]),
                // With a time limit, a wait does not outlast that the process is stopped and goes on.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for just this.
    pub(crate) fn expect(&mut self, expected: &Heard) -> io::Result<()> {
        let heard = self.hear()?;
        if heard == *expected { Ok(()) } else { Err(io::Error::other(format!("{heard:?}"))) }
    }

    /// Says something and waits for it; returns how long.
    pub(crate) fn round_trip(&mut self, payload: &[u8]) -> io::Result<Duration> {
        let began = Instant::now();
        self.say(FIN | BINARY, payload)?;
        self.expect(&Heard::Message(BINARY, payload.to_vec()))?;
        Ok(began.elapsed())
    }

    pub(crate) fn goodbye(mut self) -> io::Result<()> {
        self.say(FIN | CLOSE, &1000u16.to_be_bytes())?;
        self.expect(&Heard::Close(Some(1000)))
    }
}

/// A connection from an address of the loopback's other than 127.0.0.1.
pub(crate) fn connect_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    net::bind(&socket, &SocketAddr::from((source, 0)))?;
    net::connect(&socket, &address)?;
    Ok(socket.into())
}

/// Fresh clients, one after the other, until it is stopped.
#[derive(Debug)]
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Latencies>,
}

#[derive(Debug, Default)]
pub(crate) struct Latencies {
    /// From connect to 101.
    pub(crate) handshakes: Vec<Duration>,
    pub(crate) echoes: Vec<Duration>,
    pub(crate) failures: Vec<String>,
}

impl Probe {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut latencies = Latencies::default();
                while !stop.load(Ordering::Relaxed) {
                    if let Err(error) = latencies.visit(address) {
                        latencies.failures.push(error.to_string());
                    }
                    thread::sleep(PAUSE);
                }
                latencies
            }
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Latencies {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Latencies {
            failures: vec!["the client has panicked".to_owned()],
            ..Latencies::default()
        })
    }
}

impl Latencies {
    fn visit(&mut self, address: SocketAddr) -> io::Result<()> {
        let began = Instant::now();
        let mut client = Client::open(address)?;
        self.handshakes.push(began.elapsed());
        for _ in 0..ECHOES {
            let time = client.round_trip(b"a fresh client's message, about as long as many are")?;
            self.echoes.push(time);
        }
        client.goodbye()
    }
}

/// The time that this share of all is not above.
pub(crate) fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let index = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1);
    times.get(index).copied().unwrap_or(Duration::MAX)
}

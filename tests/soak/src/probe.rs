//! A fresh client, again and again: measures its handshake and each of its echoes.
//!
//! This file knows one blocking client, and the times that it measures. It runs on a thread of its own, so
//! that the load's work does not count as the server's.

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
    wire::{self, BINARY, CLOSE, FIN, Incoming, PONG, Received, put_frame},
};

/// The time limit of every wait.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two fresh clients, and the number of echoes of each.
const PAUSE: Duration = Duration::from_millis(100);
const ECHOES: usize = 3;

/// A blocking client.
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

    /// Connects within a time, and opens.
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
        client.expect(&Received::Response(101))?;
        Ok(client)
    }

    pub(crate) fn send_frame(&mut self, first: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::new();
        put_frame(&mut frame, &mut self.random, first, payload);
        self.stream.write_all(&frame)
    }

    /// Returns the next message or frame; answers pings on the way.
    pub(crate) fn receive(&mut self) -> io::Result<Received> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.incoming.next().map_err(io::Error::other)? {
                Some(Received::Ping(payload)) => {
                    self.send_frame(FIN | PONG, &payload)?;
                    continue;
                }
                Some(received) => return Ok(received),
                None => {}
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.incoming.push(&buffer[..len]),
                // With a time limit, a wait is interrupted when the process is stopped and continued.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for exactly this.
    pub(crate) fn expect(&mut self, expected: &Received) -> io::Result<()> {
        let received = self.receive()?;
        if received == *expected { Ok(()) } else { Err(io::Error::other(format!("{received:?}"))) }
    }

    /// Sends a message and waits for its echo; returns how long that took.
    pub(crate) fn round_trip(&mut self, payload: &[u8]) -> io::Result<Duration> {
        let began = Instant::now();
        self.send_frame(FIN | BINARY, payload)?;
        self.expect(&Received::Message(BINARY, payload.to_vec()))?;
        Ok(began.elapsed())
    }

    pub(crate) fn goodbye(mut self) -> io::Result<()> {
        self.send_frame(FIN | CLOSE, &1000u16.to_be_bytes())?;
        self.expect(&Received::Close(Some(1000)))
    }
}

/// Connects from a loopback address other than 127.0.0.1.
pub(crate) fn connect_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    net::bind(&socket, &SocketAddr::from((source, 0)))?;
    net::connect(&socket, &address)?;
    Ok(socket.into())
}

/// Runs fresh clients one after the other, until it is stopped.
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

/// Returns the time that this share of all does not exceed.
pub(crate) fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let index = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1);
    times.get(index).copied().unwrap_or(Duration::MAX)
}

//! The transport over real sockets of this machine. Everything above it is tested over scripted streams.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{self, Ipv4Addr, Shutdown},
    time::Duration,
};

use super::*;

const TOKEN: Token = Token(7);
/// How long a test waits for an event, which comes at once unless the code is wrong.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

fn listener() -> io::Result<TcpListener> {
    bind((Ipv4Addr::LOCALHOST, 0))
}

/// Returns the next client, after the poll has said that it waits.
fn accept(listener: &mut TcpListener) -> io::Result<Stream> {
    let mut poll = Poll::new()?;
    listener.register(&poll, TOKEN)?;
    wait(&mut poll)?;
    listener.accept().map(|(stream, _)| stream)
}

/// Returns both ends of a connection: the server's, and that of a client.
fn pair() -> io::Result<(Stream, net::TcpStream)> {
    let mut listener = listener()?;
    let client = net::TcpStream::connect(listener.local_addr()?)?;
    client.set_read_timeout(PATIENCE)?;
    Ok((accept(&mut listener)?, client))
}

/// Waits for one event at least.
fn wait(poll: &mut Poll) -> io::Result<Vec<Ready>> {
    let mut events = Events::with_capacity(8);
    poll.wait(&mut events, PATIENCE)?;
    Ok(events.iter().collect())
}

fn tcp(stream: &Stream) -> &mio::net::TcpStream {
    match stream {
        Stream::Tcp(socket) => socket,
        #[cfg(feature = "tls")]
        Stream::Tls(_) => panic!("no listener speaks TLS by itself"),
        Stream::Unconnected | Stream::Script(_) => panic!("a listener of TCP accepts sockets of TCP"),
    }
}

#[test]
fn a_waiting_client_is_an_event_and_is_accepted() -> io::Result<()> {
    let (mut poll, mut listener) = (Poll::new()?, listener()?);
    listener.register(&poll, TOKEN)?;
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let client = net::TcpStream::connect(listener.local_addr()?)?;
    let ready = wait(&mut poll)?;
    assert_eq!(ready.iter().map(|it| (it.token, it.readable)).collect::<Vec<_>>(), [(TOKEN, true)]);
    assert_eq!(listener.accept()?.1, client.local_addr()?.into());
    Ok(())
}

#[test]
fn clients_inherit_nodelay_where_the_listener_says_so() -> io::Result<()> {
    for nodelay in [true, false] {
        let mut listener = listener()?;
        let is_inherited = listener.set_nodelay(nodelay);
        assert_eq!(is_inherited, cfg!(target_os = "linux"));
        let _client = net::TcpStream::connect(listener.local_addr()?)?;
        let stream = accept(&mut listener)?;
        if is_inherited {
            assert_eq!(tcp(&stream).nodelay()?, nodelay);
        }
        // The other way, by a call of its own.
        stream.set_nodelay(!nodelay);
        assert_eq!(tcp(&stream).nodelay()?, !nodelay);
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_spare_descriptor_is_open_until_it_is_dropped() -> io::Result<()> {
    use std::os::fd::AsRawFd as _;

    let (listener, other) = (listener()?, listener()?);
    let spare = listener.spare().expect("this process has descriptors left");
    assert_ne!(spare.as_raw_fd(), other.spare().expect("one more is left").as_raw_fd());
    Ok(())
}

#[test]
fn bytes_make_a_stream_readable_and_the_end_hangs_up() -> io::Result<()> {
    let (mut stream, mut client) = pair()?;
    let mut poll = Poll::new()?;
    stream.register(&poll.registry()?, TOKEN)?;
    client.write_all(b"Hello")?;
    let ready = wait(&mut poll)?;
    assert!(
        ready.iter().all(|it| it.token == TOKEN && it.readable && !it.writable && !it.hang_up),
        "{ready:?}"
    );

    client.shutdown(Shutdown::Write)?;
    let ready = wait(&mut poll)?;
    assert!(ready.iter().all(|it| it.token == TOKEN && it.hang_up), "{ready:?}");

    let mut buffer = ReadBuffer::new();
    assert!(matches!(stream.read(&mut buffer)?, Read::Plain { bytes, is_full: false } if bytes == b"Hello"));
    assert!(matches!(stream.read(&mut buffer)?, Read::End));
    Ok(())
}

#[test]
fn room_is_an_event_only_after_it_was_asked_for() -> io::Result<()> {
    let (mut stream, mut client) = pair()?;
    let mut poll = Poll::new()?;
    let registry = poll.registry()?;
    stream.register(&registry, TOKEN)?;
    client.write_all(b"?")?;
    let ready = wait(&mut poll)?;
    assert!(
        ready.iter().all(|it| !it.writable),
        "the socket has room, but nothing asked for the event: {ready:?}"
    );
    stream.register_writes(&registry, TOKEN)?;
    let ready = wait(&mut poll)?;
    assert!(ready.iter().any(|it| it.token == TOKEN && it.writable), "{ready:?}");
    Ok(())
}

#[test]
fn written_bytes_arrive_before_the_end() -> io::Result<()> {
    let (mut stream, mut client) = pair()?;
    assert_eq!(stream.write(b"one ")?, 4);
    assert_eq!(stream.write_vectored(&[io::IoSlice::new(b"two "), io::IoSlice::new(b"three")])?, 9);
    assert!(!stream.wants_write());
    stream.flush()?;
    stream.shutdown_write();
    let mut received = String::new();
    client.read_to_string(&mut received)?;
    assert_eq!(received, "one two three");
    Ok(())
}

#[test]
fn a_waker_ends_a_wait() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let waker = Waker::new(&poll, TOKEN)?;
    waker.wake()?;
    assert_eq!(wait(&mut poll)?.iter().map(|it| it.token).collect::<Vec<_>>(), [TOKEN]);
    Ok(())
}

#[test]
fn a_wait_without_events_ends_after_its_timeout() -> io::Result<()> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let (start, timeout) = (std::time::Instant::now(), Duration::from_millis(20));
    poll.wait(&mut events, Some(timeout))?;
    assert!(start.elapsed() >= timeout);
    assert_eq!(events.iter().count(), 0);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_stop_pipe_asks_once_it_is_written_to_or_closed() -> io::Result<()> {
    use std::os::unix::net::UnixStream;

    for is_written_to in [true, false] {
        let (mut other_end, pipe) = UnixStream::pair()?;
        let mut poll = Poll::new()?;
        let stop_pipe = StopPipe::new(pipe, &poll, TOKEN)?;
        assert!(!stop_pipe.is_asked_for());
        if is_written_to {
            other_end.write_all(b"!")?;
        } else {
            drop(other_end);
        }
        assert_eq!(wait(&mut poll)?.iter().map(|it| it.token).collect::<Vec<_>>(), [TOKEN]);
        assert!(stop_pipe.is_asked_for());
    }
    Ok(())
}

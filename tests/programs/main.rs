//! Programs that a user writes: a chat, a price feed, a service with tokens and an orderly end, each with a
//! client of another crate; and a handler with its unit tests. They are written from the documentation alone
//! and name nothing but the public API.
//!
//! This is a crate of its own, which `cargo test` builds. Its rule: no program shares a table of connections
//! behind a lock, asks by a timer what it can be told, clones a value for the borrow checker, or writes the
//! bytes of a frame.

mod chat;
mod feed;
mod handler;
mod rpc;
mod shutdown;

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tungstenite::{Message, WebSocket, client::IntoClientRequest as _, http::Uri};
use wirehook::{Handle, Handler, Server};

/// How long a client waits for a message before its test fails.
const PATIENCE: Duration = Duration::from_secs(30);

type Client = WebSocket<TcpStream>;

/// A server on a thread of its own, as the documentation of `Server` shows it.
struct Running<S> {
    address: SocketAddr,
    handle: Handle<S>,
    thread: JoinHandle<io::Result<()>>,
}

/// Builds a server inside of its thread, and runs it there.
fn run<H: Handler>(
    build: impl FnOnce(Server) -> io::Result<Server<H>> + Send + 'static,
) -> Running<H::State> {
    let (out, built) = mpsc::channel();
    let thread = thread::spawn(move || {
        let server = build(Server::bind("127.0.0.1:0")?)?;
        let _ = out.send((server.local_addr()?, server.handle()));
        server.run()
    });
    let (address, handle) = built.recv().expect("the server is built");
    Running { address, handle, thread }
}

impl<S> Running<S> {
    /// Ends the server, and waits for its end.
    fn stop(self) {
        self.handle.shutdown();
        self.thread.join().expect("no hook ends the thread").expect("the server runs to its end");
    }
}

/// Opens a connection, or returns the status of the refusal.
fn connect(address: SocketAddr, target: &str, authorization: Option<&str>) -> Result<Client, u16> {
    let uri: Uri = format!("ws://{address}{target}").parse().expect("the test's own target");
    let mut request = uri.into_client_request().expect("the test's own request");
    if let Some(value) = authorization {
        request.headers_mut().insert("Authorization", value.parse().expect("the test's own token"));
    }
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket has timeouts");
    match tungstenite::client(request, stream) {
        Ok((client, _)) => Ok(client),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
            Err(response.status().as_u16())
        }
        Err(error) => panic!("no answer comes: {error}"),
    }
}

fn open(address: SocketAddr, target: &str) -> Client {
    connect(address, target, None).expect("the server accepts")
}

#[track_caller]
fn expect_text(client: &mut Client, text: &str) {
    assert_eq!(client.read().expect("a message comes"), Message::text(text));
}

/// Reads until the Close, and returns its code and reason.
fn read_close(client: &mut Client) -> (u16, String) {
    loop {
        match client.read().expect("a Close comes before the end") {
            Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
            Message::Close(None) => return (1005, String::new()),
            _ => {}
        }
    }
}

/// Closes the connection, and waits until the server has answered and ended it.
fn close(mut client: Client) {
    client.close(None).expect("the connection is open");
    while client.read().is_ok() {}
}

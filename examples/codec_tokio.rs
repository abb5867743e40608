//! The codec alone, under tokio: an echo server that uses `wirehook::protocol` and none of the rest.
//!
//! `cargo run --example codec_tokio`. The codec takes bytes and gives events and bytes, so any source of
//! bytes will do. What the server would add is missing here on purpose: deadlines, pings and a limit of
//! connections.

use std::{env, io};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use wirehook::protocol::{Connection, ConnectionState, Event, Limits, RequestReader, Response};

/// Serves one client from its request to its end.
async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let limits = Limits::default();
    let (mut reader, mut connection) = (RequestReader::default(), None);
    let (mut buffer, mut out) = (vec![0; 16 * 1024], Vec::new());
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        let mut input = &mut buffer[..len];
        if connection.is_none() && upgrade(&mut reader, &mut input, &limits, &mut out) {
            connection = Some(Connection::new(&limits));
        }
        // What follows the request in the same read are frames.
        if let Some(connection) = &mut connection {
            echo(connection, input, &mut out);
        }
        stream.write_all(&out).await?;
        let is_refused = connection.is_none() && !out.is_empty();
        if is_refused || connection.as_ref().is_some_and(is_closed) {
            return stream.shutdown().await;
        }
        out.clear();
    }
}

/// Answers the request once it is complete; returns whether that opened the connection (§4.2.2).
fn upgrade(reader: &mut RequestReader, input: &mut &mut [u8], limits: &Limits, out: &mut Vec<u8>) -> bool {
    let response = match reader.next_request(input, limits) {
        Ok(None) => return false,
        Ok(Some(request)) => match request.check(&[], &[]) {
            Ok(()) => Response::switching_protocols(&request, None),
            Err(error) => Response::refusal(error),
        },
        Err(error) => Response::refusal(error),
    };
    response.encode(out);
    response.status() == 101
}

/// Sends each message back, and answers pings, Closes and broken rules.
fn echo(connection: &mut Connection, mut input: &mut [u8], out: &mut Vec<u8>) {
    loop {
        match connection.recv.next_event(&mut input) {
            Ok(Some(event)) => {
                connection.send.answer(&event, out);
                if let Event::Message(message) = event {
                    // It fails only after a Close was sent, when nothing more may follow (§5.5.1).
                    let _ = connection.send.message(message, out);
                }
            }
            Ok(None) => return,
            Err(error) => connection.send.fail(error, out),
        }
    }
}

fn is_closed(connection: &Connection) -> bool {
    matches!(connection.state(), ConnectionState::Closed { .. })
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        // One client's broken connection is no reason to end.
        tokio::spawn(async { serve(stream).await.map_err(|error| eprintln!("{error}")) });
    }
}

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9501".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        println!("ws://{}", listener.local_addr()?);
        accept(listener).await
    })
}

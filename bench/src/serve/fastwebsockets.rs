//! fastwebsockets on tokio's single-threaded runtime, as its own examples drive it.
//!
//! Its best setting is to get the bare TCP stream instead of one wrapped by an HTTP library. It then leaves
//! the handshake to its user, so here is a small one; it costs less than the one it offers together with
//! hyper.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket, WebSocketError};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Service;
use crate::Result;

const MAX_REQUEST: usize = 8 * 1024;

pub(super) fn run(service: Service) -> Result<()> {
    if service != Service::Echo {
        return Err("fastwebsockets is measured as an echo server only".into());
    }
    super::current_thread_runtime()?.block_on(async {
        let listener = TcpListener::from_std(super::listener()?)?;
        super::announce(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(tokio::task::unconstrained(async {
                // A peer that leaves ends its task with an error, which is ignored.
                let _ = echo(stream).await;
            }));
        }
    })
}

async fn echo(mut stream: TcpStream) -> std::result::Result<(), WebSocketError> {
    upgrade(&mut stream).await?;
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

async fn upgrade(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(1024);
    while !request.ends_with(b"\r\n\r\n") {
        if request.len() > MAX_REQUEST || stream.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
    let key = key_of(&request).ok_or(std::io::ErrorKind::InvalidData)?;
    let digest =
        Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        STANDARD.encode(digest)
    );
    stream.write_all(response.as_bytes()).await
}

fn key_of(request: &[u8]) -> Option<&[u8]> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(request).ok()?;
    let key = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case("sec-websocket-key"));
    Some(key?.value)
}

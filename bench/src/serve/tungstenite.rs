//! tokio-tungstenite on tokio's single-threaded runtime: the most used WebSocket crate.
//!
//! Its best settings: a read buffer that fits the messages, because it is filled with zeros before each read,
//! which for its default of 128 KiB costs more than a small message; and a way of driving it: answers are
//! *fed* to its write buffer and flushed when there is nothing left to read, so that a batch of messages is
//! answered by one system call.

use std::future::poll_fn;
use std::task::{Poll, ready};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

use super::Service;
use crate::Result;

type Socket = WebSocketStream<TcpStream>;

/// How many messages a slow receiver of a fan-out may be late. The load waits for every receiver, so a few
/// suffice.
const FAN_OUT_QUEUE: usize = 1024;

pub(super) fn run(service: Service, bytes_in: usize) -> Result<()> {
    let config = WebSocketConfig::default()
        .max_message_size(None)
        .max_frame_size(None)
        .read_buffer_size(fitting_buffer(bytes_in));
    super::current_thread_runtime()?.block_on(async move {
        let listener = TcpListener::from_std(super::listener()?)?;
        super::announce(listener.local_addr()?)?;
        let (everyone, _) = broadcast::channel(FAN_OUT_QUEUE);
        loop {
            let (stream, _) = listener.accept().await?;
            // A peer that leaves ends its task with an error, which is ignored.
            match service {
                Service::Echo | Service::Compressed => drop(tokio::spawn(echo(stream, config))),
                Service::FanOut => drop(tokio::spawn(fan_out(stream, config, everyone.clone()))),
            }
        }
    })
}

/// Returns room for a few messages, at most its default.
fn fitting_buffer(bytes_in: usize) -> usize {
    (4 * bytes_in).clamp(1024, 128 * 1024)
}

async fn echo(stream: TcpStream, config: WebSocketConfig) -> std::result::Result<(), Error> {
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    while let Some(message) = next_or_flush(&mut socket).await {
        socket.feed(message?).await?;
    }
    Ok(())
}

/// Returns the next message; while there is none, flushes what was fed.
async fn next_or_flush(socket: &mut Socket) -> Option<std::result::Result<Message, Error>> {
    poll_fn(|context| {
        if let Poll::Ready(message) = socket.poll_next_unpin(context) {
            return Poll::Ready(message);
        }
        match ready!(socket.poll_flush_unpin(context)) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    })
    .await
}

/// Each connection waits for its peer and for the messages of all others; the payload is shared, not copied.
async fn fan_out(
    stream: TcpStream,
    config: WebSocketConfig,
    everyone: broadcast::Sender<Message>,
) -> std::result::Result<(), Error> {
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    let mut published = everyone.subscribe();
    loop {
        let event = {
            let mut publication = std::pin::pin!(published.recv());
            poll_fn(|context| match socket.poll_next_unpin(context) {
                Poll::Ready(message) => Poll::Ready(Event::FromPeer(message)),
                Poll::Pending => publication.as_mut().poll(context).map(Event::Published),
            })
            .await
        };
        match event {
            Event::FromPeer(Some(message)) => {
                let message = message?;
                if message.is_text() || message.is_binary() {
                    // It fails only without a receiver, and this connection is one.
                    let _ = everyone.send(message);
                }
            }
            Event::Published(Ok(message)) => {
                socket.feed(message).await?;
                // Messages that are already there leave with it.
                while let Ok(message) = published.try_recv() {
                    socket.feed(message).await?;
                }
                socket.flush().await?;
            }
            Event::FromPeer(None) | Event::Published(Err(_)) => return Ok(()),
        }
    }
}

enum Event {
    FromPeer(Option<std::result::Result<Message, Error>>),
    Published(std::result::Result<Message, broadcast::error::RecvError>),
}

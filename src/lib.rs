//! wirehook
mod config;
mod handler;
mod peers;
pub mod protocol;
mod server;
mod websocket;

pub use config::{Backpressure, Config};
pub use handler::{Closed, Handler, Hooks, Upgrade};
pub use peers::{BroadcastStatus, Cause, ConnId, SendStatus};
pub use protocol::{CloseCode, CloseFrame, Limits, Message};
pub use server::{Handle, Server};
pub use websocket::WebSocket;

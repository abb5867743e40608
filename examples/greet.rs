//! The canonical program: welcomes each client and answers "hello, X !".
//!
//! `cargo run --example greet`, then connect a WebSocket client to ws://127.0.0.1:9501.

use std::env;

use wirehook::Server;

fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9501".to_owned());
    let server = Server::bind(address)?;
    println!("ws://{}", server.local_addr()?);
    server
        .on_open(|ws, _request| {
            println!("connection open: {}", ws.id());
            ws.send("welcome to the websocket server!");
        })
        .on_message(|ws, message| {
            if let Some(text) = message.as_text() {
                println!("received message: {}", text.escape_debug());
                ws.send(format!("hello, {text} !"));
            }
        })
        .on_close(|ws, _close| println!("connection close: {}", ws.id()))
        .run()
}

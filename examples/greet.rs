//! The canonical program: welcomes each client and answers "hello, X !".
//!
//! `cargo run --example greet`, then connect a WebSocket client to ws://127.0.0.1:9501.

use wirehook::Server;

fn main() -> std::io::Result<()> {
    Server::bind("127.0.0.1:9501")?
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

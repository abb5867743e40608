//! A client: sends each line of its standard input, and prints each message of the server.
//!
//! `cargo run --example greet` in one terminal, `cargo run --example client` in another.

use std::{env, io, thread};

use wirehook::{
    ConnId, Handle, Server,
    protocol::{ClientRequest, Uri},
};

fn main() -> io::Result<()> {
    let url = env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9501/".to_owned());
    let uri = Uri::parse(&url).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    // Headers and subprotocols would be added here, such as `request.header("Cookie", "a=b")`.
    let request = ClientRequest::new(&uri);
    let client = Server::unbound()?.connect(&uri, request).state::<()>();
    // While this handle exists the loop may get work from it; so the end has to be asked for.
    let (handle, at_close, at_error) = (client.handle(), client.handle(), client.handle());
    client
        .on_open(move |ws, _request| {
            println!("open: {}", ws.peer_addr());
            let (id, handle) = (ws.id(), handle.clone());
            thread::spawn(move || send_lines(id, &handle));
        })
        .on_message(|_, message| match message.as_text() {
            Some(text) => println!("{}", text.escape_debug()),
            None => println!("{} bytes", message.len()),
        })
        .on_close(move |_, close| {
            println!("closed: {close}");
            at_close.shutdown();
        })
        .on_connect_error(move |_, error| {
            eprintln!("not connected: {error}");
            at_error.shutdown();
        })
        .run()
}

/// Reads lines on a thread of its own, because that blocks. The connection closes after the last one.
fn send_lines(id: ConnId, handle: &Handle) {
    for line in io::stdin().lines().map_while(Result::ok) {
        if handle.send(id, line).is_err() {
            return;
        }
    }
    let _ = handle.close(id, 1000, "no more lines");
}

//! A page and its WebSocket, on one port: the page shows how many have it open.
//!
//! `cargo run --example page`, then open http://127.0.0.1:9501 in two browser windows.

use std::env;

use wirehook::{Server, protocol::Response};

/// It connects to where it came from, so it needs no configuration.
const PAGE: &str = r#"<!doctype html>
<title>wirehook</title>
<p>Open windows: <output>?</output>
<script>
  const socket = new WebSocket(`ws://${location.host}/count`);
  socket.onmessage = (event) => document.querySelector("output").value = event.data;
</script>
"#;

fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9501".to_owned());
    let server = Server::bind(address)?
        .on_http(|request, _| match request.path() {
            "/" => Some(Response::page(200, "text/html; charset=utf-8", PAGE)),
            _ => None, // 404 or 426, as if there were no page
        })
        .on_open(|ws, _| {
            let count = ws.all().ids().count();
            ws.broadcast(count.to_string());
        })
        .on_close(|ws, _| {
            let count = ws.all().ids().count();
            ws.broadcast(count.to_string());
        });
    let address = server.local_addr()?;
    println!("http://{address} has a page that opens ws://{address}");
    server.run()
}

//! An orderly end: what was asked before is answered, every client is told, and nothing is left.

use std::{net::TcpStream, sync::mpsc, time::Duration};

use wirehook::{Hooks, Server};

use crate::{expect_text, open, read_close, run};

/// A server that echoes, and reports the end of each connection.
fn echo(server: Server, ends: mpsc::Sender<String>) -> Server<Hooks> {
    server
        .configure(|config| config.shutdown_spread = Duration::from_millis(20))
        .on_message(|ws, message| {
            ws.send(message);
        })
        .on_close(move |_, close| {
            let _ = ends.send(close.to_string());
        })
}

#[test]
fn a_shutdown_tells_every_client_and_loses_no_answer() {
    let (ends_in, ends) = mpsc::channel();
    let server = run(|server| Ok(echo(server, ends_in)));
    let mut clients = [(); 5].map(|()| open(server.address, "/"));
    for client in &mut clients {
        client.send("before the end".into()).unwrap();
        expect_text(client, "before the end");
    }
    server.handle.broadcast("the server goes down").unwrap();
    server.handle.shutdown();
    for mut client in clients {
        expect_text(&mut client, "the server goes down");
        assert_eq!(read_close(&mut client), (1001, "server is shutting down".to_owned()));
        // The client's library answers the Close. A client that keeps its socket has the server wait for
        // close_timeout.
        while client.read().is_ok() {}
    }
    server.thread.join().unwrap().unwrap();
    assert!(TcpStream::connect(server.address).is_err(), "the port is closed");
    let ends: Vec<String> = ends.iter().collect();
    assert_eq!(ends, [r#"1001 going away "server is shutting down", by the server, clean"#; 5]);
}

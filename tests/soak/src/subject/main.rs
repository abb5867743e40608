//! Servers for scenarios that need the library: `subject NAME` prints its address and runs.
//!
//! This file knows what each server does. It does not know the scenarios.

use std::{env, io, thread, time::Duration};

use wirehook::{CloseCode, HandleError, Server, TimerId};

fn main() -> io::Result<()> {
    match env::args().nth(1).as_deref() {
        Some("broadcaster") => broadcaster(),
        Some("idle-timer") => idle_timer(),
        _ => Err(io::Error::other("usage: subject broadcaster|idle-timer")),
    }
}

/// Echoes. On a special message, a thread broadcasts 900 bytes 20,000 times, and then answers.
fn broadcaster() -> io::Result<()> {
    const BROADCASTS: usize = 20_000;
    let server = Server::bind("127.0.0.1:0")?
        .tune_heap()
        .configure(|config| config.max_buffered_bytes = 64 * 1024 * 1024)
        .state::<()>();
    let handle = server.handle();
    println!("ws://{}/", server.local_addr()?);
    let server = server.on_message(move |ws, message| {
        if message.as_bytes() != b"begin" {
            ws.send(message);
            return;
        }
        let (handle, id) = (handle.clone(), ws.id());
        thread::spawn(move || {
            for _ in 0..BROADCASTS {
                while handle.broadcast(&[b'b'; 900]) == Err(HandleError::Full) {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            handle.send(id, "done")
        });
    });
    server.run()
}

/// Closes connections that are silent for a minute, with a usual idle timer; echoes binary messages.
fn idle_timer() -> io::Result<()> {
    const SILENCE: Duration = Duration::from_secs(60);
    let server = Server::bind("127.0.0.1:0")?;
    println!("ws://{}/", server.local_addr()?);
    let server = server.state::<Option<TimerId>>().on_message(|ws, message| {
        let id = ws.id();
        if let Some(timer) = ws.state_mut().take() {
            ws.all().cancel(timer);
        }
        let timer = ws.all().after(SILENCE, move |all| all.close(id, CloseCode::NORMAL, "idle"));
        *ws.state_mut() = Some(timer);
        if message.as_text().is_none() {
            ws.send(message);
        }
    });
    server.run()
}

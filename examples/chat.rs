//! A chat with rooms: what one client sends, all clients in the same room receive.
//!
//! `cargo run --example chat`, then connect clients to ws://127.0.0.1:9501/ROOM?name=NAME, such as
//! ws://127.0.0.1:9501/kitchen?name=ann. It shows the trait, a refusal before the upgrade, typed state per
//! connection, and a broadcast to some.

use std::env;

use wirehook::{Closed, Handler, Message, PeerAddr, Server, Upgrade, WebSocket, protocol::Request};

struct Chat;

/// The name and the room of a connection.
#[derive(Default)]
struct Member {
    name: String,
    room: String,
}

impl Handler for Chat {
    type State = Member;

    fn on_upgrade(&mut self, request: &Request<'_>, _: PeerAddr) -> Upgrade<Member> {
        let room = request.segments().next().unwrap_or_default().into_owned();
        let name = request.query("name").unwrap_or_default().into_owned();
        if room.is_empty() || name.is_empty() {
            return Upgrade::reject(404, "Connect to /ROOM?name=NAME.");
        }
        Upgrade::accept_with(Member { name, room })
    }

    fn on_open(&mut self, ws: &mut WebSocket<'_, Member>, _: &Request<'_>) {
        tell_room(ws, "has come in");
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_, Member>, message: Message<'_>) {
        if let Some(text) = message.as_text() {
            tell_room(ws, &format!("says: {text}"));
        }
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_, Member>, _: &Closed<'_>) {
        tell_room(ws, "has left");
    }
}

/// Sends a line about a member to all members of its room.
fn tell_room(ws: &mut WebSocket<'_, Member>, what: &str) {
    let line = format!("{} {what}", ws.state().name);
    ws.broadcast_if(&line, |own, _, member| member.room == own.room);
}

fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9501".to_owned());
    let server = Server::bind(address)?.handler(Chat);
    println!("/ROOM?name=NAME at ws://{}", server.local_addr()?);
    server.run()
}

//! A chat: rooms by path, names by query, and whatever is said goes to the same room.

use wirehook::{Closed, Handler, Message, PeerAddr, Server, Upgrade, WebSocket, protocol::Request};

use crate::{close, connect, expect_text, open, read_close, run};

struct Chat;

#[derive(Default)]
struct Guest {
    name: String,
    room: String,
}

impl Handler for Chat {
    type State = Guest;

    fn on_upgrade(&mut self, request: &Request<'_>, _: PeerAddr) -> Upgrade<Guest> {
        match (request.param("room"), request.query("name")) {
            (Some(room), Some(name)) => {
                Upgrade::accept_with(Guest { name: name.into_owned(), room: room.to_owned() })
            }
            _ => Upgrade::reject(400, "say your name: /chat/ROOM?name=NAME"),
        }
    }

    fn on_open(&mut self, ws: &mut WebSocket<'_, Guest>, _: &Request<'_>) {
        tell_others(ws, "comes in");
        ws.send(format!("welcome to {}", ws.state().room));
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_, Guest>, message: Message<'_>) {
        match message.as_text() {
            Some("/bye") => ws.close(1000, "see you"),
            Some(text) => tell_others(ws, text),
            None => ws.close(1003, "text only"),
        }
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_, Guest>, _: &Closed<'_>) {
        tell_others(ws, "leaves");
    }
}

/// Says something about a guest to all others in its room.
fn tell_others(ws: &mut WebSocket<'_, Guest>, what: &str) {
    let me = ws.id();
    ws.broadcast_if(format!("{}: {what}", ws.state().name), |own, id, guest| {
        id != me && guest.room == own.room
    });
}

#[test]
fn a_chat_has_rooms_and_names() {
    let server = run(|server: Server| Ok(server.route("/chat/:room", Chat)));
    let mut ann = open(server.address, "/chat/kitchen?name=Ann");
    expect_text(&mut ann, "welcome to kitchen");
    let mut eve = open(server.address, "/chat/garden?name=Eve");
    expect_text(&mut eve, "welcome to garden");
    let mut ben = open(server.address, "/chat/kitchen?name=Ben+%26+Co");
    expect_text(&mut ben, "welcome to kitchen");
    expect_text(&mut ann, "Ben & Co: comes in");
    ben.send("hi, Ann".into()).unwrap();
    expect_text(&mut ann, "Ben & Co: hi, Ann");
    ann.send("/bye".into()).unwrap();
    assert_eq!(read_close(&mut ann), (1000, "see you".to_owned()));
    while ann.read().is_ok() {}
    expect_text(&mut ben, "Ann: leaves");
    // Nothing of it was heard in the garden.
    let fay = open(server.address, "/chat/garden?name=Fay");
    expect_text(&mut eve, "Fay: comes in");
    assert_eq!(connect(server.address, "/chat/kitchen", None).err(), Some(400));
    assert_eq!(connect(server.address, "/kitchen?name=Ann", None).err(), Some(404));
    [ben, eve, fay].into_iter().for_each(close);
    drop(ann);
    server.stop();
}

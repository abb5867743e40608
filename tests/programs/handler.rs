//! Unit tests of a handler: a counter game, tested without a socket, a thread or a sleep.

use std::time::Duration;

use wirehook::{
    HookSet, Server,
    testing::{self, Received, World},
};

/// How long a player may think.
const PATIENCE: Duration = Duration::from_secs(30);

/// A game in which each player counts up from 1. A wrong number ends it, and so does a player who thinks too
/// long.
fn counting(server: Server) -> Server<impl HookSet> {
    server
        .state::<u32>()
        .on_open(|ws, _| {
            let id = ws.id();
            ws.send("count!");
            ws.all().after(PATIENCE, move |all| all.close(id, 4000, "too slow"));
        })
        .on_message(|ws, message| {
            let expected = ws.state() + 1;
            match message.as_text().and_then(|text| text.parse::<u32>().ok()) {
                Some(number) if number == expected => {
                    *ws.state_mut() = number;
                    ws.send(format!("{} is right", ws.state()));
                }
                _ => ws.close(4001, "wrong"),
            }
        })
}

fn world() -> World {
    World::new(counting(testing::server()))
}

#[test]
fn each_player_counts_alone() {
    let world = world();
    let (ann, ben) = (world.connect("/"), world.connect("/"));
    ann.send("1");
    ann.send("2");
    ben.send("1");
    assert_eq!(ann.received(), ["count!", "1 is right", "2 is right"]);
    assert_eq!(ben.received(), ["count!", "1 is right"]);
}

#[test]
fn a_wrong_number_ends_the_game() {
    for wrong in ["2", "0", "one", ""] {
        let ann = world().connect("/");
        assert_eq!(ann.received(), ["count!"]);
        ann.send(wrong);
        assert_eq!(ann.received(), [Received::close(4001, "wrong")], "{wrong:?}");
    }
}

#[test]
fn a_player_has_30_seconds() {
    let mut world = world();
    let ann = world.connect("/");
    world.advance(PATIENCE - Duration::from_millis(1));
    ann.send("1");
    assert_eq!(ann.received(), ["count!", "1 is right"]);
    world.advance(Duration::from_millis(1));
    assert_eq!(ann.received(), [Received::close(4000, "too slow")]);
    assert!(!ann.is_connected());
}

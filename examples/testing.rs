//! A quiz, and tests of its hooks that need no sockets: how to test a handler of your own.
//!
//! `cargo run --example testing`, then connect a client to ws://127.0.0.1:9501/?name=ann. The tests at the
//! end run with `cargo test --example testing`. They need the feature `testing` of this crate, in the
//! dev-dependencies.

use std::{env, time::Duration};

use wirehook::{HookSet, Server, Upgrade};

const TIME_TO_ANSWER: Duration = Duration::from_secs(30);

/// Sets up the quiz. `main` gives it a server that listens, and the tests one that does not.
fn quiz(server: Server) -> Server<impl HookSet> {
    server
        .state::<String>()
        .on_upgrade(|request, _| match request.query("name") {
            Some(name) if !name.is_empty() => Upgrade::accept_with(name.into_owned()),
            _ => Upgrade::reject(400, "connect to /?name=YOURS"),
        })
        .on_open(|ws, _| {
            ws.send("What is six times nine?");
            let id = ws.id();
            ws.all().after(TIME_TO_ANSWER, move |all| all.close(id, 4000, "too slow"));
        })
        .on_message(|ws, message| match message.as_text() {
            Some("54") => {
                ws.broadcast(format!("{} has won", ws.state()));
            }
            Some(_) => {
                ws.send("no");
            }
            None => ws.close(1003, "answer in text"),
        })
}

fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9501".to_owned());
    let server = quiz(Server::bind(address)?);
    println!("/?name=NAME at ws://{}", server.local_addr()?);
    server.run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wirehook::testing::{self, Received, World};

    fn world() -> World {
        World::new(quiz(testing::server()))
    }

    #[test]
    fn the_first_right_answer_wins() {
        let world = world();
        let (ann, bob) = (world.connect("/?name=ann"), world.connect("/?name=bob"));
        bob.send("42");
        ann.send("54");
        assert_eq!(ann.received(), ["What is six times nine?", "ann has won"]);
        assert_eq!(bob.received(), ["What is six times nine?", "no", "ann has won"]);
    }

    #[test]
    fn a_player_without_a_name_is_refused() {
        let refusal = world().client("/").start().refusal().expect("it is refused");
        assert_eq!((refusal.status, &refusal.body[..]), (400, &b"connect to /?name=YOURS\n"[..]));
    }

    #[test]
    fn binary_messages_end_the_game() {
        let ann = world().connect("/?name=ann");
        ann.send_binary([1, 2, 3]);
        assert_eq!(ann.received().last(), Some(&Received::close(1003, "answer in text")));
    }

    #[test]
    fn time_runs_out_after_thirty_seconds() {
        let mut world = world();
        let ann = world.connect("/?name=ann");
        world.advance(TIME_TO_ANSWER - Duration::from_millis(1));
        assert!(ann.is_open());
        world.advance(Duration::from_millis(1)); // no time passes for the test
        assert_eq!(ann.received().last(), Some(&Received::close(4000, "too slow")));
    }
}

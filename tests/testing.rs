//! `wirehook::testing` as a user has it: what its examples leave out.

use std::{
    cell::RefCell,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use wirehook::{
    Cause, CloseCode, HookSet, Server, Upgrade,
    testing::{Received, World, server},
};

/// The causes that `on_close` was called with.
type Causes = Rc<RefCell<Vec<Cause>>>;

/// Echoes, and notes each end.
fn echo(server: Server) -> (Server<impl HookSet>, Causes) {
    let causes = Causes::default();
    let noted = Rc::clone(&causes);
    let server = server
        .on_message(|ws, message| {
            ws.send(message);
        })
        .on_close(move |_, close| noted.borrow_mut().push(close.cause));
    (server, causes)
}

/// A test of a handler is to take less than 10 ms; the bound here has room for a machine that is busy.
#[test]
fn a_day_of_two_clients_takes_milliseconds() {
    let began = Instant::now();
    let (server, causes) = echo(server());
    let mut world = World::new(server);
    let (ann, bob) = (world.connect("/"), world.connect("/"));
    for hour in 0..24 {
        world.advance(Duration::from_secs(3600));
        ann.send(format!("hour {hour}"));
        assert_eq!(ann.received(), [format!("hour {hour}")]);
    }
    assert!(bob.is_open() && bob.pings().len() > 1000 && causes.borrow().is_empty());
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn each_way_to_leave_is_what_the_server_is_told() {
    let (server, causes) = echo(server().configure(|config| config.close_timeout = Duration::from_secs(5)));
    let mut world = World::new(server);
    world.connect("/").close(1000, "bye");
    assert_eq!(causes.take(), [Cause::Peer]);
    world.connect("/").end();
    world.connect("/").reset();
    assert!(matches!(causes.take()[..], [Cause::Transport(_), Cause::Transport(_)]));
    world.connect("/").stop_answering();
    world.advance(Duration::from_secs(60));
    assert_eq!(causes.take(), [Cause::Timeout]);
}

#[test]
fn a_shutdown_closes_each_client_and_is_over_without_waiting() {
    let server = server().state::<()>();
    let handle = server.handle();
    let mut world = World::new(server);
    let (ann, silent) = (world.connect("/"), world.connect("/"));
    silent.stop_answering();
    handle.shutdown();
    assert!(matches!(&ann.received()[..], [Received::Close(CloseCode::GOING_AWAY, _)]));
    assert!(!ann.is_connected() && !world.is_over());
    world.advance(Duration::from_secs(60));
    assert!(world.is_over());
    // No server is left, and so nothing is answered.
    assert!(!world.client("/").start().is_open());
}

#[test]
fn a_handle_of_another_thread_reaches_the_clients() {
    let server = server().state::<()>();
    let handle = server.handle();
    let world = World::new(server);
    let ann = world.connect("/");
    thread::spawn(move || handle.broadcast("from a thread")).join().unwrap().unwrap();
    assert_eq!(ann.received(), ["from a thread"]);
}

#[test]
fn a_slow_client_gets_what_waits_once_it_reads() {
    let (server, _) = echo(server());
    let world = World::new(server);
    let ann = world.connect("/");
    ann.stop_reading();
    ann.send("first");
    ann.send("second");
    assert!(ann.received().is_empty());
    ann.read_again();
    assert_eq!(ann.received(), ["first", "second"]);
}

#[test]
#[should_panic(expected = "the server refuses the connection: 403")]
fn a_refused_connection_panics_with_the_answer() {
    World::new(server().on_upgrade(|_, _| Upgrade::reject(403, "no"))).connect("/");
}

#[test]
#[should_panic(expected = "the client can't send that")]
fn nothing_is_sent_after_the_clients_close() {
    let ann = World::new(server()).connect("/");
    ann.close(1000, "");
    ann.send("late");
}

//! Requests that the application answers after `on_upgrade` has returned.

use super::*;
use crate::{
    HandleError, Hooks, PendingUpgrade, Upgrade,
    hub::Timers,
    server::simulator::{Simulation, server_text},
};

/// What waits for its answer, in the order of the requests.
type Pendings = Rc<RefCell<Vec<PendingUpgrade<String>>>>;

/// A server that holds every request, sends its state when a connection opens, and echoes.
fn holding(change: impl FnOnce(&mut Config)) -> (Simulation<Hooks<String>>, Pendings) {
    let mut config = Config::default();
    change(&mut config);
    let pendings = Pendings::default();
    let held = Rc::clone(&pendings);
    let hooks = Hooks::<String>::new()
        .on_upgrade(move |_, _| {
            let (upgrade, pending) = Upgrade::pending();
            held.borrow_mut().push(pending);
            upgrade
        })
        .on_open(|ws, request| {
            ws.send(format!("{} {}", ws.state(), request.path()));
        })
        .on_message(|ws, message| {
            ws.send(message);
        });
    (Simulation::new(config, hooks, Timers::default()), pendings)
}

fn accepted(state: &str) -> Upgrade<String> {
    Upgrade::accept_with(state.to_owned())
}

/// Answers the oldest request that is held.
fn finish(world: &mut Simulation<Hooks<String>>, pendings: &Pendings, upgrade: Upgrade<String>) {
    let pending = pendings.borrow_mut().remove(0);
    assert_eq!(world.handle.finish(pending, upgrade), Ok(()));
    world.wake();
}

fn opened(text: &[u8]) -> Vec<u8> {
    [ANSWER, &server_text(text)].concat()
}

#[test]
fn a_held_request_is_accepted_later_and_its_frames_wait() {
    let whole = [REQUEST, &frame(0x81, b"early")].concat();
    for cut in [whole.len(), REQUEST.len(), REQUEST.len() + 3, 1] {
        let (mut world, pendings) = holding(|_| {});
        let client = world.connect();
        whole.chunks(cut).for_each(|piece| world.send(&client, piece));
        world.send(&client, &frame(0x81, b"later"));
        world.advance(9_000);
        assert!(client.script.take_written().is_empty(), "nothing is answered yet");
        finish(&mut world, &pendings, accepted("ann"));
        let expected = [opened(b"ann /"), server_text(b"early"), server_text(b"later")].concat();
        assert_eq!(client.script.take_written(), expected, "in pieces of {cut} bytes");
        world.send(&client, &frame(0x81, b"now"));
        assert_eq!(client.script.take_written(), server_text(b"now"));
    }
}

#[test]
fn a_held_request_is_refused_later() {
    let (mut world, pendings) = holding(|_| {});
    let client = world.connect();
    world.send(&client, &[REQUEST, &frame(0x81, b"early")].concat());
    finish(&mut world, &pendings, Upgrade::reject(401, "who are you?").header("X-Why", "no token"));
    let answer = String::from_utf8(client.script.take_written()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("X-Why: no token\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nwho are you?\n"), "{answer}");
    world.half_close(&client);
    assert!(client.script.is_dropped());
}

#[test]
fn an_answer_that_comes_before_the_hook_returns_is_found() {
    let handles: Rc<RefCell<Option<Handle<String>>>> = Rc::default();
    let handle = Rc::clone(&handles);
    let hooks = Hooks::<String>::new()
        .on_upgrade(move |_, _| {
            let (upgrade, pending) = Upgrade::pending();
            let handle = handle.borrow().clone().unwrap();
            assert_eq!(handle.finish(pending, accepted("at once")), Ok(()));
            upgrade
        })
        .on_open(|ws, _| {
            ws.send(ws.state().clone());
        });
    let mut world = Simulation::new(Config::default(), hooks, Timers::default());
    *handles.borrow_mut() = Some(world.handle.clone());
    let client = world.connect();
    world.send(&client, REQUEST);
    assert_eq!(client.script.take_written(), opened(b"at once"));
}

#[test]
fn a_request_without_an_answer_ends_at_handshake_timeout() {
    for is_dropped in [true, false] {
        let (mut world, pendings) = holding(|config| config.handshake_timeout = Duration::from_millis(100));
        let client = world.connect();
        world.advance(40);
        world.send(&client, REQUEST);
        if is_dropped {
            pendings.borrow_mut().clear();
        }
        world.advance(59);
        assert!(client.script.take_written().is_empty());
        world.advance(1);
        assert!(client.script.take_written().starts_with(b"HTTP/1.1 503 "));
        if !is_dropped {
            // Too late: nothing more is sent.
            finish(&mut world, &pendings, accepted("late"));
            assert!(client.script.take_written().is_empty());
        }
        world.half_close(&client);
        assert!(client.script.is_dropped());
    }
}

#[test]
fn a_client_that_has_gone_takes_no_answer_of_another() {
    let (mut world, pendings) = holding(|_| {});
    let first = world.connect();
    world.send(&first, REQUEST);
    let gone = pendings.borrow_mut().remove(0);
    world.advance(10_000);
    world.reset(&first);
    assert!(first.script.is_dropped());
    // It has the same place in the table.
    let second = world.connect();
    world.send(&second, REQUEST);
    assert_eq!(world.handle.finish(gone, accepted("first")), Ok(()));
    world.wake();
    assert!(second.script.take_written().is_empty());
    finish(&mut world, &pendings, accepted("second"));
    assert_eq!(second.script.take_written(), opened(b"second /"));
}

#[test]
fn held_connections_count_in_the_limits() {
    let (mut world, pendings) = holding(|config| config.max_connections = Some(1));
    let first = world.connect();
    world.send(&first, &[REQUEST, &frame(0x81, b"early")].concat());
    assert_eq!(world.event_loop.held(), REQUEST.len() + 11, "the head and a frame");
    let second = world.connect();
    assert!(second.script.take_written().starts_with(b"HTTP/1.1 503 "));
    // While it is held nothing is read, so nothing more can be held.
    first.script.will_read(&[0; 1000]);
    world.readable(&first);
    assert_eq!(world.event_loop.held(), REQUEST.len() + 11);
    drop(pendings);
}

#[test]
fn a_shutdown_refuses_held_requests() {
    let (mut world, pendings) = holding(|_| {});
    let client = world.connect();
    world.send(&client, REQUEST);
    world.handle.shutdown();
    world.wake();
    assert!(client.script.take_written().starts_with(b"HTTP/1.1 503 "));
    world.half_close(&client);
    assert!(client.script.is_dropped() && world.event_loop.is_over());
    let (handle, pending) = (world.handle.clone(), pendings.borrow_mut().remove(0));
    drop(world);
    assert_eq!(handle.finish(pending, accepted("late")), Err(HandleError::Stopped));
}

#[test]
fn an_answer_that_holds_again_is_an_error() {
    let (mut world, pendings) = holding(|_| {});
    let client = world.connect();
    world.send(&client, REQUEST);
    let (again, _pending) = Upgrade::pending();
    finish(&mut world, &pendings, again);
    assert!(client.script.take_written().starts_with(b"HTTP/1.1 500 "));
}

#[test]
fn a_state_that_panics_when_dropped_with_its_answer_is_survived() {
    #[derive(Default)]
    struct Fragile(#[expect(dead_code, reason = "only its drop matters")] Option<PanicsWhenDropped>);
    let pendings: Rc<RefCell<Vec<PendingUpgrade<Fragile>>>> = Rc::default();
    let held = Rc::clone(&pendings);
    let hooks = Hooks::<Fragile>::new().on_upgrade(move |_, _| {
        let (upgrade, pending) = Upgrade::pending();
        held.borrow_mut().push(pending);
        upgrade
    });
    let mut world = Simulation::new(Config::default(), hooks, Timers::default());
    let client = world.connect();
    world.send(&client, REQUEST);
    let pending = pendings.borrow_mut().remove(0);
    // Answered and out of time in the same turn: the answer is never taken.
    world.handle.finish(pending, Upgrade::accept_with(Fragile(Some(PanicsWhenDropped("a state"))))).unwrap();
    world.advance(10_000);
    assert!(client.script.take_written().starts_with(b"HTTP/1.1 503 "));
    world.half_close(&client);
    assert!(client.script.is_dropped());
}

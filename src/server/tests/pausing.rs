//! Connections that the application does not read from for a while.

use super::*;
use crate::protocol::Message::Text;

const PING: [u8; 2] = [0x89, 0];

/// Returns a world whose hook sends each message on, and pauses its connection at "stop".
fn pausing(change: impl FnOnce(&mut Config)) -> World {
    let world = World::new(change);
    world.on_message(|ws, message| {
        if message == Text("stop") {
            ws.pause();
        }
        ws.send(message);
    });
    world
}

/// Resumes every connection, by a call of another thread.
fn resume_all(world: &mut World) {
    let resumed = world.handle.call(|all| {
        let ids: Vec<ConnId> = all.ids().collect();
        ids.into_iter().for_each(|id| all.resume(id));
    });
    assert_eq!(resumed, Ok(()));
    world.wake();
}

#[test]
fn the_rest_of_a_batch_and_all_later_input_wait() {
    let mut world = pausing(|_| {});
    let client = world.open();
    let batch = [frame(0x81, b"stop"), frame(0x81, b"2"), frame(0x81, b"3")].concat();
    world.send(&client, &batch);
    assert_eq!(client.script.take_written(), server_text(b"stop"));
    world.send(&client, &frame(0x81, b"4"));
    assert!(client.script.take_written().is_empty());
    assert_eq!((world.message_count(), world.held()), (1, 14), "two frames of 7 bytes wait");
    resume_all(&mut world);
    let rest = [b"2", b"3", b"4"].map(|it| server_text(it)).concat();
    assert_eq!(client.script.take_written(), rest);
    world.finish();
}

#[test]
fn what_is_sent_before_and_after_a_pause_leaves_in_order() {
    let mut world = World::new(|_| {});
    let client = world.open();
    world.on_message(|ws, _| {
        ws.send("before");
        ws.pause();
        ws.send("after");
    });
    world.send(&client, &frame(0x81, b"?"));
    let expected = [server_text(b"before"), server_text(b"after")].concat();
    assert_eq!(client.script.take_written(), expected);
    resume_all(&mut world);
    world.finish();
}

#[test]
fn a_hook_that_pauses_and_resumes_gets_its_next_message() {
    let mut world = World::new(|_| {});
    let client = world.open();
    world.on_message(|ws, message| {
        ws.pause();
        ws.send(message);
        ws.resume();
    });
    world.send(&client, &[frame(0x81, b"1"), frame(0x81, b"2")].concat());
    assert_eq!(client.script.take_written(), [server_text(b"1"), server_text(b"2")].concat());
    world.finish();
}

#[test]
fn a_paused_connection_is_pinged_and_misses_no_pong() {
    let mut world = pausing(|config| {
        config.ping_interval = Some(Duration::from_secs(10));
        config.pong_timeout = Duration::from_secs(3);
    });
    let client = world.open();
    world.send(&client, &frame(0x81, b"stop"));
    client.script.take_written();
    for _ in 0..3 {
        world.advance(10_000);
        assert_eq!(client.script.take_written(), PING);
        // The answer can't be received.
        world.send(&client, &frame(0x8A, b""));
        world.advance(3_000);
        assert!(client.script.take_written().is_empty() && world.endings().is_empty());
    }
    // From here on a silent peer has its usual time again.
    world.advance(10_000);
    assert_eq!(client.script.take_written(), PING);
    world.advance(2_999);
    resume_all(&mut world);
    world.advance(10_000);
    assert_eq!(client.script.take_written(), PING);
    world.advance(3_000);
    assert_eq!(world.endings(), [(CloseCode::INTERNAL_ERROR, Cause::Timeout, false)]);
    world.finish();
}

#[test]
fn a_closed_paused_connection_receives_the_peers_close() {
    let mut world = pausing(|_| {});
    let client = world.open();
    world.send(&client, &frame(0x81, b"stop"));
    client.script.take_written();
    let id = world.last_id();
    assert_eq!(world.handle.close(id, 1000, "bye"), Ok(()));
    world.wake();
    assert!(is_close(&client.script.take_written(), 1000));
    world.send(&client, &frame(0x88, &[3, 232]));
    assert_eq!(world.endings(), [(CloseCode::NORMAL, Cause::Local, true)]);
    world.finish();
}

#[test]
fn an_end_during_a_pause_is_noticed_when_it_is_over() {
    let mut world = pausing(|_| {});
    let client = world.open();
    world.send(&client, &frame(0x81, b"stop"));
    world.half_close(&client);
    assert_eq!(world.endings(), []);
    resume_all(&mut world);
    assert_eq!(world.endings().len(), 1);
    world.finish();
}

#[test]
fn a_pause_outlasts_that_of_a_slow_peer_and_the_other_way_round() {
    for resumes_first in [true, false] {
        let mut world = pausing(|config| config.max_backpressure = 100);
        let client = world.open();
        client.script.set_full(true);
        // The peer takes nothing, so its answer of 92 bytes pauses it too.
        world.send(&client, &frame(0x81, &[b'x'; 90]));
        world.send(&client, &[frame(0x81, b"stop"), frame(0x81, b"after")].concat());
        let id = world.last_id();
        let stopped = world.message_count();
        assert_eq!(stopped, 1);
        world.handle.call(move |all| all.pause(id)).unwrap();
        world.wake();
        if resumes_first {
            resume_all(&mut world);
            assert_eq!(world.message_count(), stopped, "the peer still takes nothing");
            world.read_all(&client);
        } else {
            world.read_all(&client);
            assert_eq!(world.message_count(), stopped, "the application still pauses it");
            resume_all(&mut world);
        }
        // "stop" has paused it once more.
        assert_eq!(world.message_count(), 2);
        resume_all(&mut world);
        assert_eq!(world.message_count(), 3);
        world.finish();
    }
}

//! §5.5.2 The pings that show whether a silent client is still there.

use std::time::{Duration, Instant};

use crate::{
    common::{Client, Frame, GRAIN, PING},
    harness::serve,
};

#[test]
fn a_silent_client_is_pinged_once_and_any_traffic_postpones_it() {
    // §5.5.2
    let interval = Duration::from_millis(300);
    let server = serve(move |server, _| {
        server
            .configure(|config| {
                config.ping_interval = Some(interval);
                config.pong_timeout = Duration::from_secs(60);
            })
            .on_message(|ws, message| {
                ws.send(message);
            })
    });
    let mut client = Client::open(server.address);
    let (ping, echo) = (Frame { first: PING, payload: vec![] }, Frame::text("I'm here"));
    let began = Instant::now();
    // When the latest message was sent that is known to have arrived.
    let mut spoke = began;
    let mut speak = |client: &mut Client| {
        let speaks = Instant::now();
        client.send_text("I'm here");
        // However late this thread runs: a ping comes only after that much silence.
        loop {
            let frame = client.frame();
            if frame == echo {
                spoke = speaks;
                break;
            }
            assert!(
                frame == ping && spoke.elapsed() + GRAIN >= interval,
                "{frame:?} after {:?}",
                spoke.elapsed()
            );
        }
        speaks
    };
    while began.elapsed() < interval * 3 {
        let spoke = speak(&mut client);
        if client.has_input_within(interval / 4) {
            assert_eq!(client.frame(), ping);
            assert!(spoke.elapsed() + GRAIN >= interval, "a ping after {:?}", spoke.elapsed());
        }
    }
    let spoke = speak(&mut client);
    assert_eq!(client.frame(), ping);
    assert!(spoke.elapsed() + GRAIN >= interval, "a ping after {:?}", spoke.elapsed());
    // There is no second one before the first is answered or given up.
    assert!(!client.has_input_within(interval + interval / 2));
}

#[test]
fn without_a_ping_interval_no_client_is_pinged() {
    let server = serve(|server, _| {
        server.configure(|config| {
            config.ping_interval = None;
            config.pong_timeout = Duration::from_millis(1);
        })
    });
    let mut client = Client::open(server.address);
    assert!(!client.has_input_within(Duration::from_millis(300)));
}

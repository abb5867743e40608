//! Invariant: any bytes become events, and at most one error, after which there is nothing; no step panics or
//! holds more than the limit, and every event keeps the rules that it is under.

use wirehook::protocol::{CloseFrame, Event, MAX_CLOSE_REASON, MAX_CONTROL_PAYLOAD, Message, Receiver};

use super::{MESSAGE_LIMITS, messages_up_to};

/// Any bytes, taken for a client's frames, in two halves.
pub fn body(input: &[u8]) {
    for limit in MESSAGE_LIMITS {
        let mut bytes = input.to_vec();
        let (first, second) = bytes.split_at_mut(input.len() / 2);
        let mut receiver = Receiver::new(&messages_up_to(limit));
        let has_ended = receive(&mut receiver, first, limit, false);
        receive(&mut receiver, second, limit, has_ended);
    }
}

/// Takes all that is in `input`. Returns whether the peer has nothing more to say.
fn receive(receiver: &mut Receiver, mut input: &mut [u8], limit: usize, mut has_ended: bool) -> bool {
    loop {
        // Whether this step ends the connection, and whether with an error.
        let end = match receiver.next_event(&mut input) {
            Ok(None) => break,
            Ok(Some(event)) => {
                check(event, limit);
                matches!(event, Event::Close(_)).then_some(false)
            }
            Err(_) => Some(true),
        };
        assert!(!has_ended, "§5.5.1, §7.1.7: nothing comes after the end");
        if let Some(is_error) = end {
            assert_eq!((receiver.is_discarding(), receiver.is_close_received()), (is_error, !is_error));
            has_ended = true;
        }
        check_held(receiver, limit);
    }
    assert!(input.is_empty(), "all input is taken");
    assert_eq!(has_ended, receiver.is_discarding() || receiver.is_close_received());
    check_held(receiver, limit);
    assert!(!has_ended || receiver.memory() == 0);
    has_ended
}

/// §10.4: what is held is within the limit, and what is reserved grows with what has arrived.
fn check_held(receiver: &Receiver, limit: usize) {
    assert!(receiver.buffered() <= limit);
    assert!(receiver.memory() <= limit.min(4 * receiver.buffered()));
}

fn check(event: Event<'_>, limit: usize) {
    match event {
        Event::Message(Message::Text(text)) => assert!(text.len() <= limit && is_utf8(text)),
        Event::Message(Message::Binary(bytes)) => assert!(bytes.len() <= limit),
        Event::Ping(payload) | Event::Pong(payload) => assert!(payload.len() <= MAX_CONTROL_PAYLOAD),
        Event::Close(Some(CloseFrame { code, reason })) => {
            assert!(code.may_be_sent() && reason.len() <= MAX_CLOSE_REASON && is_utf8(reason));
        }
        Event::Close(None) => {}
    }
}

/// §8.1: a `str` always is, unless code got around the type.
fn is_utf8(text: &str) -> bool {
    str::from_utf8(text.as_bytes()).is_ok()
}

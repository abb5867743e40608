//! Invariant: a client's receiver makes of any bytes what a server's receiver makes of the same frames with a
//! mask, however they are cut; and what a client sends in answer, a server's receiver understands.

use wirehook::protocol::{
    Client, Connection, Event, FrameHeader, Limits, MaskKeys, Message, ProtocolError, Receiver, Role,
};

use super::{MESSAGE_LIMITS, cut, messages_up_to, plan::Plan};

/// An event or an error as text; of a message its kind and its bytes.
type Seen = Vec<String>;

/// How the rest is cut, then any bytes, taken for a server's frames.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let lengths = cut::read(&mut plan);
    let bytes = plan.0;
    for limit in MESSAGE_LIMITS {
        let limits = messages_up_to(limit);
        let whole = session(bytes, &[bytes.len()], &limits);
        assert_eq!(session(bytes, &cut::ends(bytes.len(), &lengths), &limits), whole);
        let masked = masked(bytes);
        let mut twin = Receiver::new(&limits);
        assert_eq!(whole, receive(&mut twin, &mut masked.clone(), |_| ()));
    }
}

/// What a client makes of the pieces of `bytes`. Whatever it answers is checked by a server.
fn session(bytes: &[u8], ends: &[usize], limits: &Limits) -> Seen {
    let mut key = 0;
    let keys = move || {
        key += 1;
        [key, 7, 0, 255 - key]
    };
    let mut client = Connection::client(limits, keys);
    let (mut seen, mut sent) = (Seen::new(), Vec::new());
    let (mut bytes, mut start) = (bytes.to_vec(), 0);
    for &end in ends {
        let Connection { recv, send } = &mut client;
        seen.extend(receive(recv, &mut bytes[start..end], |event| match event {
            Ok(event) => {
                send.answer(event, &mut sent);
                if let Event::Message(message) = event {
                    let _ = send.message(*message, &mut sent);
                }
            }
            Err(error) => send.fail(*error, &mut sent),
        }));
        start = end;
    }
    check_sent(&client, &mut sent, limits);
    seen
}

/// A server accepts all that a client has sent.
fn check_sent<K: MaskKeys>(client: &Connection<Client<K>>, sent: &mut [u8], limits: &Limits) {
    let mut server = Receiver::new(limits);
    receive(&mut server, sent, |event| assert!(event.is_ok(), "{event:?}"));
    assert_eq!(server.is_close_received(), client.send.is_close_sent());
}

fn receive<R: Role>(
    receiver: &mut Receiver<R>,
    mut input: &mut [u8],
    mut tell: impl FnMut(&Result<Event<'_>, ProtocolError>),
) -> Seen {
    let mut seen = Seen::new();
    loop {
        let event = match receiver.next_event(&mut input) {
            Ok(None) => return seen,
            Ok(Some(event)) => Ok(event),
            Err(error) => Err(error),
        };
        tell(&event);
        seen.push(match event {
            Ok(Event::Message(Message::Binary(bytes))) => format!("binary {bytes:?}"),
            // §5.1 is the one rule that the roles do not share.
            Err(ProtocolError::MaskedFrame | ProtocolError::UnmaskedFrame) => "§5.1".to_owned(),
            other => format!("{other:?}"),
        });
    }
}

/// The same frames with their mask bits turned over; a mask that is added has a key of zeros.
fn masked(bytes: &[u8]) -> Vec<u8> {
    let (mut masked, mut rest) = (Vec::new(), bytes);
    while let [first, second, after @ ..] = rest {
        let header = FrameHeader::decode(rest);
        // A header that is cut off shows its mask only with its key.
        if header == Ok(None) && *second >= 0x80 {
            return masked;
        }
        masked.extend([*first, *second ^ 0x80]);
        let Ok(Some((header, len))) = header else {
            masked.extend_from_slice(after);
            return masked;
        };
        // A frame with a mask is wrong for a client, as one without is for a server. Nothing after it counts.
        if header.masking_key.is_some() {
            return [masked, rest[2..len].to_vec()].concat();
        }
        let payload = rest.len().min(len.saturating_add(header.payload_len as usize));
        masked.extend_from_slice(&rest[2..len]);
        masked.extend([0; 4]);
        masked.extend_from_slice(&rest[len..payload]);
        rest = &rest[payload..];
    }
    masked.extend_from_slice(rest);
    masked
}

//! Invariant: the same bytes, cut anywhere, lead to the same events, the same replies, and the same error,
//! each of them at the same byte.

use wirehook::protocol::Connection;

use super::{MESSAGE_LIMITS, cut, messages_up_to, plan::Plan};

/// What came of some bytes, in their order.
#[derive(Debug, Default)]
struct Record {
    /// Each event or error as text, and how many bytes had been delivered by then.
    seen: Vec<(String, usize)>,
    sent: Vec<u8>,
}

/// How the rest is cut, then any bytes, taken for a client's frames.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let lengths = cut::read(&mut plan);
    let bytes = plan.0;
    for limit in MESSAGE_LIMITS {
        // Byte by byte everything is seen at the byte that completes it or breaks a rule.
        let exact = serve(bytes, &(1..=bytes.len()).collect::<Vec<_>>(), limit);
        for ends in [cut::ends(bytes.len(), &lengths), vec![bytes.len()]] {
            let Record { seen, sent } = serve(bytes, &ends, limit);
            assert_eq!(sent, exact.sent, "cut at {ends:?}");
            let due = |at: usize| ends.iter().copied().find(|&end| end >= at).unwrap_or(bytes.len());
            let expected: Vec<_> = exact.seen.iter().map(|(what, at)| (what.clone(), due(*at))).collect();
            assert_eq!(seen, expected, "cut at {ends:?}");
        }
    }
}

/// Serves the pieces of `bytes` as a server does.
fn serve(bytes: &[u8], ends: &[usize], limit: usize) -> Record {
    let mut connection = Connection::new(&messages_up_to(limit));
    let mut record = Record::default();
    let (mut bytes, mut start) = (bytes.to_vec(), 0);
    for &end in ends {
        let mut input = &mut bytes[start..end];
        loop {
            match connection.recv.next_event(&mut input) {
                Ok(Some(event)) => {
                    connection.send.answer(&event, &mut record.sent);
                    record.seen.push((format!("{event:?}"), end));
                }
                Ok(None) => break,
                Err(error) => {
                    connection.send.fail(error, &mut record.sent);
                    record.seen.push((format!("{error:?}"), end));
                }
            }
        }
        start = end;
    }
    record
}

//! Invariant: any bytes are an answer, the beginning of one, or an error, the same however they are cut. An
//! answer that is accepted has all that §4.1 asks for, and nothing after it is taken; of a refusal a bounded
//! body is kept.

use wirehook::protocol::{Answer, ClientHandshake, ClientRequest, Limits, Refusal, ResponseError, Uri};

use super::{cut, plan::Plan};

/// Small, so that a fuzzer reaches them.
const MAX_HEADER_SIZE: usize = 1000;
const MAX_HEADERS: usize = 12;

/// What came of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Accepted; the number of bytes taken.
    Accepted(usize),
    Refused(Refusal),
    Failed(ResponseError),
}

/// How the rest is cut, then any bytes, taken for a server's answer.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let lengths = cut::read(&mut plan);
    let bytes = plan.0;
    let exact = read(bytes, &(1..=bytes.len()).collect::<Vec<_>>());
    for ends in [cut::ends(bytes.len(), &lengths), vec![bytes.len()]] {
        assert_eq!(read(bytes, &ends), exact, "cut at {ends:?}");
    }
}

/// Reads the pieces up to the first verdict, or to the end of the input.
fn read(bytes: &[u8], ends: &[usize]) -> Verdict {
    let mut limits = Limits::default();
    (limits.max_header_size, limits.max_headers) = (MAX_HEADER_SIZE, MAX_HEADERS);
    let mut handshake = start();
    let (mut pieces, mut start) = (bytes.to_vec(), 0);
    for &end in ends {
        let mut input = &mut pieces[start..end];
        match handshake.next_answer(&mut input, &limits) {
            Ok(None) => assert!(input.is_empty(), "all input is taken"),
            Ok(Some(Answer::Accepted(accepted))) => {
                let taken = end - input.len();
                check_accepted(&bytes[..taken], accepted.subprotocol);
                return Verdict::Accepted(taken);
            }
            Ok(Some(Answer::Refused(refusal))) => return Verdict::Refused(checked(refusal)),
            Ok(Some(other)) => panic!("{other:?}"),
            Err(error) => return Verdict::Failed(error),
        }
        assert!(handshake.buffered() <= end.min(MAX_HEADER_SIZE + Refusal::MAX_BODY));
        start = end;
    }
    handshake.end_of_input().map_or_else(Verdict::Failed, |refusal| Verdict::Refused(checked(refusal)))
}

fn start() -> ClientHandshake {
    let mut request = ClientRequest::new(&Uri::parse("ws://server.example.com/chat").expect("a URI"));
    request.subprotocol("chat").expect("a token");
    request.start(*b"the sample nonce", &mut Vec::new())
}

/// A 101 ends with an empty line and has the lines that §4.2.2 demands.
fn check_accepted(head: &[u8], subprotocol: Option<&str>) {
    let text = String::from_utf8_lossy(head);
    assert!(text.contains("HTTP/1.1 101"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
    assert!(text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{text}");
    assert!(text.to_lowercase().contains("websocket"), "{text}");
    assert!(matches!(subprotocol, None | Some("chat")));
    assert!(head.len() <= MAX_HEADER_SIZE);
}

fn checked(refusal: Refusal) -> Refusal {
    assert_ne!(refusal.status, 101);
    assert!(refusal.body.len() <= Refusal::MAX_BODY && refusal.headers.len() <= MAX_HEADERS);
    refusal
}

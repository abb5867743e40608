//! Invariant: text is accepted if and only if it is UTF-8, and refused at its first impossible byte, however
//! it is cut and whichever way it takes. The judges are the standard library and a table of RFC 3629.

use wirehook::protocol::{Event, InvalidUtf8, Message, ProtocolError, Receiver, TextBuffer, check_prefix};

use super::{client, messages_up_to, plan::Plan};

/// RFC 3629 §4: how many octets follow a first one, and what the second may be. Others are 80 to BF.
const SEQUENCES: [(u8, u8, usize, u8, u8); 9] = [
    (0x00, 0x7F, 0, 0x00, 0x00),
    (0xC2, 0xDF, 1, 0x80, 0xBF),
    (0xE0, 0xE0, 2, 0xA0, 0xBF),
    (0xE1, 0xEC, 2, 0x80, 0xBF),
    (0xED, 0xED, 2, 0x80, 0x9F),
    (0xEE, 0xEF, 2, 0x80, 0xBF),
    (0xF0, 0xF0, 3, 0x90, 0xBF),
    (0xF1, 0xF3, 3, 0x80, 0xBF),
    (0xF4, 0xF4, 3, 0x80, 0x8F),
];

/// Where the text is cut, and the text.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let cut = usize::from(plan.byte());
    let text = plan.0;
    let (good_len, is_complete) = judge(text);
    let is_possible = good_len == text.len();
    assert_eq!(str::from_utf8(text).is_ok(), is_possible && is_complete, "the two judges agree");
    assert_eq!(check_prefix(text).is_ok(), is_possible);

    // Byte by byte the first impossible one is found exactly.
    let mut buffer = TextBuffer::default();
    let refused_at = text.iter().position(|&byte| buffer.push(&[byte]).is_err());
    assert_eq!(refused_at, (!is_possible).then_some(good_len));
    if is_possible {
        assert_eq!((buffer.len(), buffer.is_complete()), (text.len(), is_complete));
        assert!(text.starts_with(buffer.as_str().as_bytes()) && text.len() - buffer.as_str().len() < 4);
    }
    in_two_pieces(text, cut.min(text.len()), good_len, is_complete);
    in_one_frame(text);
}

/// A piece is refused if it holds the impossible byte, and no piece before it.
fn in_two_pieces(text: &[u8], cut: usize, good_len: usize, is_complete: bool) {
    let (first, second) = text.split_at(cut);
    let mut buffer = TextBuffer::default();
    if good_len < first.len() {
        assert_eq!(buffer.push(first), Err(InvalidUtf8));
        return;
    }
    assert_eq!(buffer.push(first), Ok(()));
    assert_eq!(buffer.push(second).is_ok(), good_len == text.len(), "cut at {cut}");
    if good_len == text.len() {
        assert_eq!((buffer.len(), buffer.is_complete()), (text.len(), is_complete));
        assert!(!is_complete || buffer.as_str().as_bytes() == text);
    }
}

/// A text that is whole in the input takes another way.
fn in_one_frame(text: &[u8]) {
    let mut bytes = client::frame(0x81, client::KEY, text);
    let mut input = &mut bytes[..];
    let expected = str::from_utf8(text)
        .map(|text| Some(Event::Message(Message::Text(text))))
        .map_err(|_| ProtocolError::TextNotUtf8);
    let mut receiver = Receiver::new(&messages_up_to(text.len()));
    assert_eq!(receiver.next_event(&mut input), expected);
}

/// The naive twin: how many bytes are possible, and whether they end with a whole character.
fn judge(text: &[u8]) -> (usize, bool) {
    let mut at = 0;
    while let Some(&first) = text.get(at) {
        let Some(sequence) = SEQUENCES.iter().find(|it| (it.0..=it.1).contains(&first)) else {
            return (at, false);
        };
        let &(_, _, following, low, high) = sequence;
        at += 1;
        for position in 0..following {
            let range = if position == 0 { low..=high } else { 0x80..=0xBF };
            match text.get(at) {
                None => return (at, false),
                Some(octet) if range.contains(octet) => at += 1,
                Some(_) => return (at, false),
            }
        }
    }
    (at, true)
}

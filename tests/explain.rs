//! What `wirehook::explain` says of literal bytes, compared with the codec's verdict.
//!
//! Each case is delivered whole, byte by byte, and cut in two in many places, and every way must end in the
//! same steps. The words for people are compared literally only where they are the point.

#[path = "../src/server/simulator/frames.rs"]
mod frames;

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, sample, test_runner::Config};
use wirehook::{
    CloseCode, Limits,
    explain::{AcceptKey, BrokenRule, Explainer, FrameEvent, FrameStep, SHOWN, Side, State, Step},
    protocol::{Connection, ProtocolError, accept_key},
};

/// The example of §1.3.
const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// §1.3: the answer to it.
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

/// The masking key of the examples of §5.7.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Returns a client's frame that begins with the byte `first`.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frames::client_frame(first, KEY, payload)
}

/// Returns the header of such a frame.
fn header(first: u8, len: usize) -> Vec<u8> {
    frames::header(first, Some(KEY), len as u64)
}

/// All steps of `input`, the end included, which must be the same however it is cut.
#[track_caller]
fn steps_from(start: fn(&Limits) -> Explainer, side: Side, input: &[u8]) -> Vec<Step> {
    let deliver = |pieces: &[&[u8]]| {
        let mut explainer = start(&Limits::default());
        let mut steps: Vec<Step> = pieces.iter().flat_map(|piece| explainer.explain(side, piece)).collect();
        steps.extend(explainer.end());
        (steps, explainer.state())
    };
    let whole = deliver(&[input]);
    assert_eq!(deliver(&input.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
    // Everywhere in what is short, and at a stride of odd length in what is long.
    let stride = (input.len() / 64).max(1) | 1;
    for cut in (0..input.len()).step_by(stride) {
        assert_eq!(deliver(&[&input[..cut], &input[cut..]]), whole, "cut at {cut}");
    }
    for step in &whole.0 {
        check_forms(step);
    }
    whole.0
}

#[track_caller]
fn frames(side: Side, input: &[u8]) -> Vec<Step> {
    steps_from(Explainer::of_frames, side, input)
}

/// The only step of these frames, which breaks no rule.
#[track_caller]
fn frame(side: Side, input: &[u8]) -> FrameStep {
    match &frames(side, input)[..] {
        [Step::Frame(step)] => step.clone(),
        other => panic!("one whole frame, not {other:#?}"),
    }
}

/// The rule that the last of these frames breaks; only bytes that are not looked at may follow.
#[track_caller]
fn broken(side: Side, input: &[u8]) -> BrokenRule {
    let steps = frames(side, input);
    let rules: Vec<_> = steps.iter().filter(|it| it.breaks_a_rule()).collect();
    match rules[..] {
        [Step::Broken(rule)] => rule.clone(),
        _ => panic!("one broken rule in {steps:#?}"),
    }
}

// --- Both forms of every step ----------------------------------------------------------------------------

/// Text and JSON of a step, as every terminal and every program can take them.
#[track_caller]
fn check_forms(step: &Step) {
    let json = step.json();
    let rest = json_value(json.as_bytes()).unwrap_or_else(|at| panic!("no JSON after {at} bytes: {json}"));
    assert_eq!(rest, b"", "{json}");
    assert!(json.chars().all(|it| !it.is_control() && it != '\u{202e}'), "{json}");

    let text = step.to_string();
    assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text}");
    assert!(text.chars().all(|it| it == '\n' || !it.is_control() && it != '\u{202e}'), "{text}");
    assert!(text.lines().all(|line| line.trim_end() == line), "no blanks at the ends of lines: {text}");

    // Colours change nothing but the colour.
    let mut plain = String::new();
    let coloured = step.in_colour();
    let mut rest = &*coloured;
    while let Some((before, code)) = rest.split_once("\x1b[") {
        plain += before;
        rest = code.split_once('m').expect("a colour ends").1;
    }
    plain += rest;
    let trimmed: Vec<_> = plain.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, text.lines().collect::<Vec<_>>());
}

/// Reads one JSON value (RFC 8259), strictly, and returns what follows it; the error is how much was left.
fn json_value(bytes: &[u8]) -> Result<&[u8], usize> {
    match bytes {
        [b'{', b'}', rest @ ..] | [b'[', b']', rest @ ..] => Ok(rest),
        [b'{', rest @ ..] => json_items(rest, b'}', |item| {
            let item = json_string(item)?;
            json_value(item.strip_prefix(b":").ok_or(item.len())?)
        }),
        [b'[', rest @ ..] => json_items(rest, b']', json_value),
        [b'"', ..] => json_string(bytes),
        [b'0'..=b'9', ..] => {
            let len = bytes.iter().take_while(|it| it.is_ascii_digit()).count();
            if bytes[0] == b'0' && len > 1 { Err(bytes.len()) } else { Ok(&bytes[len..]) }
        }
        _ => [&b"true"[..], b"false", b"null"]
            .iter()
            .find_map(|word| bytes.strip_prefix(*word))
            .ok_or(bytes.len()),
    }
}

fn json_items(
    mut bytes: &[u8],
    end: u8,
    item: impl Fn(&[u8]) -> Result<&[u8], usize>,
) -> Result<&[u8], usize> {
    loop {
        bytes = item(bytes)?;
        match bytes.split_first() {
            Some((b',', rest)) => bytes = rest,
            Some((it, rest)) if *it == end => return Ok(rest),
            _ => return Err(bytes.len()),
        }
    }
}

fn json_string(bytes: &[u8]) -> Result<&[u8], usize> {
    let mut bytes = bytes.strip_prefix(b"\"").ok_or(bytes.len())?;
    loop {
        match bytes {
            [b'"', rest @ ..] => return Ok(rest),
            [b'\\', b'"' | b'\\', rest @ ..] => bytes = rest,
            [b'\\', b'u', a, b, c, d, rest @ ..] if [a, b, c, d].iter().all(|it| it.is_ascii_hexdigit()) => {
                bytes = rest;
            }
            [0x20..=0x5b | 0x5d..=0xff, rest @ ..] => bytes = rest,
            _ => return Err(bytes.len()),
        }
    }
}

#[test]
fn the_checker_of_json_is_strict() {
    for good in [r#"{"a":[1,0,"x\u00e9\"",{}],"b":null}"#, "[]", "true", "\"\""] {
        assert_eq!(json_value(good.as_bytes()), Ok(&b""[..]), "{good}");
    }
    for bad in ["", "{", "{\"a\"}", "{\"a\":}", "[1,]", "01", "\"\n\"", "\"\\x\"", "nul", "{a:1}", "\"a"] {
        assert!(json_value(bad.as_bytes()).is_err(), "{bad}");
    }
}

// --- §5.7 ------------------------------------------------------------------------------------------------

#[test]
fn all_examples_of_the_rfc_are_explained() {
    // §5.7
    let unmasked = frame(Side::Server, &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    assert_eq!((unmasked.event, unmasked.frame.text()), (FrameEvent::Message, Some("Hello")));
    assert_eq!((unmasked.frame.mask(), unmasked.frame.key()), (Some(false), None));

    let hello = frame(Side::Client, &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    assert_eq!((hello.event, hello.frame.text()), (FrameEvent::Message, Some("Hello")));
    assert_eq!((hello.frame.key(), &*hello.frame.masked), (Some(KEY), &b"\x7f\x9f\x4d\x51\x58"[..]));
    assert_eq!((hello.rule, hello.row, hello.state), ("§5.6", Some("s5.6-1"), State::Open));

    let fragments = frames(Side::Server, b"\x01\x03Hel\x80\x02lo");
    let [Step::Frame(first), Step::Frame(last)] = &fragments[..] else { panic!("{fragments:#?}") };
    assert_eq!((first.event, last.event), (FrameEvent::Fragment, FrameEvent::Message));
    assert_eq!((first.frame.fin(), last.frame.fin(), last.frame.opcode()), (false, true, 0));
    assert_eq!((first.frame.offset, last.frame.offset), (0, 5));
    assert_eq!((first.says.as_str(), last.rule), ("the first fragment of a text message", "§5.4"));

    let ping = frame(Side::Client, &masked(0x89, b"Hello"));
    assert_eq!((ping.event, &*ping.answer), (FrameEvent::Ping, &b"\x8a\x05Hello"[..]));
    // The pong of §5.7 is the client's.
    let pong = frame(Side::Client, &[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    assert_eq!((pong.event, pong.frame.text(), &*pong.answer), (FrameEvent::Pong, Some("Hello"), &[][..]));

    let short = frame(Side::Server, &[&[0x82, 0x7e, 0x01, 0x00][..], &[7; 256]].concat());
    assert_eq!((short.frame.length7(), short.frame.length()), (Some(126), Some(256)));
    assert_eq!((short.frame.extended(), short.frame.is_cut()), (&[1, 0][..], false));

    let long = frame(Side::Server, &[&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0][..], &[7; 65536]].concat());
    assert_eq!((long.frame.length7(), long.frame.length()), (Some(127), Some(65536)));
    assert_eq!((long.frame.payload.len(), long.frame.is_cut(), long.frame.arrived), (SHOWN, true, 65536));
}

#[test]
fn the_json_of_the_example_is_what_is_documented() {
    // §5.7
    let hello = frames(Side::Client, &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    assert_eq!(
        hello[0].json(),
        concat!(
            r#"{"kind":"frame","from":"client","offset":0,"header":"818537fa213d","fin":true,"rsv":0,"#,
            r#""opcode":1,"name":"text","mask":true,"length7":5,"extended":null,"length":5,"#,
            r#""key":"37fa213d","masked":"7f9f4d5158","payload":"48656c6c6f","cut":false,"text":"Hello","compressed":false,"#,
            r#""message":null,"close":null,"event":"message","rule":"§5.6","#,
            r#""says":"a whole text message in one frame","row":"s5.6-1","answer":null,"state":"open"}"#
        )
    );
    let refused = frames(Side::Client, &[0x81, 0x05]);
    let json = refused[0].json();
    for field in [
        r#"{"kind":"error","from":"client","offset":0,"#,
        r#""bytes":"8105","section":"§5.1","says":"a client must mask its frames""#,
        r#""code":1002,"answer":"882603eac2a7352e313a20"#,
        r#""state":"closed"}"#,
    ] {
        assert!(json.contains(field), "{field} in {json}");
    }
}

#[test]
fn a_text_looks_like_this() {
    // §5.2
    let steps = frames(Side::Client, &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    let wanted = "\
client, byte 0: text, 5 bytes
         81              85
  +-+-+-+-+-------+-+-------------+
  |F|R|R|R| opcode|M| Payload len |  FIN     1    the last frame of its message
  |I|S|S|S|  (4)  |A|     (7)     |  RSV1-3  000  no extension
  |N|V|V|V|       |S|             |  opcode  0x1  text
  | |1|2|3|       |K|             |  MASK    1    a masking key follows
  |1|0|0|0|0 0 0 1|1|0 0 0 0 1 0 1|  length  5    bytes of payload
  +-+-+-+-+-------+-+-------------+
  key         37 fa 21 3d
  masked      7f 9f 4d 51 58
  xor key     37 fa 21 3d 37
  payload     48 65 6c 6c 6f
  text        \"Hello\"
  §5.6        a whole text message in one frame
  state       open
";
    assert_eq!(steps[0].to_string(), wanted);
}

// --- Fragments, text, closing ----------------------------------------------------------------------------

#[test]
fn a_message_in_fragments_with_a_ping_between_is_put_together() {
    // §5.4, §8.1: the cut is inside the two bytes of "ü".
    let input =
        [masked(0x01, b"gr\xc3"), masked(0x89, b"?"), masked(0x00, b"\xbc\xc3"), masked(0x80, b"\x9fe")]
            .concat();
    let steps = frames(Side::Client, &input);
    let [Step::Frame(first), Step::Frame(ping), Step::Frame(second), Step::Frame(last)] = &steps[..] else {
        panic!("{steps:#?}")
    };
    assert_eq!((first.frame.text(), first.frame.is_text), (None, true));
    assert!(steps[0].to_string().contains(r#"text        "gr\xc3""#));
    assert_eq!((ping.event, ping.row), (FrameEvent::Ping, Some("s5.4-1")));
    assert_eq!(
        (second.event, second.says.as_str()),
        (FrameEvent::Fragment, "one more fragment of the text message")
    );
    let message = last.message.as_ref().expect("the message is complete");
    assert_eq!((message.text(), message.length), (Some("grüße"), 7));
}

#[test]
fn a_closing_handshake_from_either_side_ends_in_closed() {
    // §7.1.3, §7.1.4
    let close = masked(0x88, b"\x03\xe8bye");
    for first in [Side::Client, Side::Server] {
        let mut explainer = Explainer::of_frames(&Limits::default());
        let mut say = |side| match side {
            Side::Client => explainer.explain(side, &close),
            Side::Server => explainer.explain(side, b"\x88\x02\x03\xe8"),
        };
        let (asked, answered) = (say(first), say(first.peer()));
        let [Step::Frame(asked)] = &asked[..] else { panic!("{asked:#?}") };
        let [Step::Frame(answered)] = &answered[..] else { panic!("{answered:#?}") };
        assert_eq!((asked.state, answered.state), (State::Closing, State::Closed), "{first:?} begins");
        assert_eq!(answered.says, "the Close in return: the closing handshake is done");
        assert_eq!(answered.answer, [], "nothing is owed for an answer");
        // A side that has sent its Close still receives, and sends nothing more.
        let [Step::Broken(broken)] = &explainer.explain(Side::Server, b"\x81\x00")[..] else { panic!() };
        assert_eq!((broken.section, broken.frame.header.len()), ("§5.5.1", 1));
    }
}

#[test]
fn a_close_is_shown_with_code_reason_and_its_answer() {
    // §5.5.1
    let close = frame(Side::Client, &masked(0x88, b"\x03\xe8bye"));
    assert_eq!(close.close, Some((CloseCode::NORMAL, "bye".to_owned())));
    assert_eq!((&*close.answer, close.state), (&[0x88, 0x02, 0x03, 0xe8][..], State::Closing));
    let empty = frame(Side::Client, &masked(0x88, b""));
    assert_eq!((empty.close, &*empty.answer), (None, &[0x88, 0x00][..]));
    // 4000 has no name.
    let private = frames(Side::Client, &masked(0x88, b"\x0f\xa0"));
    assert!(private[0].json().contains(r#""close":{"code":4000,"name":null,"reason":""}"#));
}

#[test]
fn after_the_servers_close_nothing_goes_back() {
    // §5.5.1
    let mut explainer = Explainer::of_frames(&Limits::default());
    explainer.explain(Side::Server, b"\x88\x00");
    let steps = explainer.explain(Side::Client, &[masked(0x89, b"?"), vec![0x81, 0x05]].concat());
    let [Step::Frame(ping), Step::Broken(broken)] = &steps[..] else { panic!("{steps:#?}") };
    assert_eq!((&*ping.answer, ping.state), (&[][..], State::Closing));
    assert_eq!((&*broken.answer, broken.state), (&[][..], State::Closed));
}

// --- Broken rules ----------------------------------------------------------------------------------------

/// For each rule: frames of which the last breaks it, and how many bytes that takes.
fn sins() -> Vec<(ProtocolError, Vec<u8>, usize)> {
    let with = |error, input: Vec<u8>| {
        let len = input.len();
        (error, input, len)
    };
    let close = |code: u16| masked(0x88, &code.to_be_bytes());
    let mut sins = vec![
        with(ProtocolError::UnmaskedFrame, vec![0x81, 0x05]),
        with(ProtocolError::ReservedBits, header(0xC1, 1)),
        with(ProtocolError::ReservedOpCode(3), vec![0x83]),
        with(ProtocolError::ReservedOpCode(0xF), vec![0x8F]),
        with(ProtocolError::NonMinimalLength, vec![0x82, 0xFE, 0, 125]),
        with(ProtocolError::NonMinimalLength, vec![0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]),
        with(ProtocolError::LengthOver63Bits, vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        with(ProtocolError::NothingToContinue, header(0x80, 1)),
        with(ProtocolError::MessageNotFinished, [masked(0x01, b"a"), header(0x81, 1)].concat()),
        with(ProtocolError::FragmentedControl, vec![0x09]),
        with(ProtocolError::ControlTooLong, vec![0x89, 0xFE]),
        with(ProtocolError::CloseBodyOfOneByte, masked(0x88, &[3])),
        with(ProtocolError::CloseReasonNotUtf8, masked(0x88, b"\x03\xe8\xff")),
        with(ProtocolError::TextNotUtf8, masked(0x81, b"\xff")),
        // Cut inside a character, which only the end of the message shows.
        with(ProtocolError::TextNotUtf8, masked(0x81, b"\xc3")),
        with(ProtocolError::MessageTooBig, header(0x82, 1024 * 1024 + 1)),
    ];
    sins.extend(
        [0, 999, 1004, 1005, 1006, 1015, 1016, 5000]
            .map(|code| with(ProtocolError::ForbiddenCloseCode(code), close(code))),
    );
    // The rest of the frame makes no difference.
    let early = masked(0x81, b"\xffand more");
    sins.push((ProtocolError::TextNotUtf8, early, 7));
    sins
}

/// What a server's connection makes of the same bytes: the error, and the Close that it sends.
fn codec(input: &[u8]) -> (Option<ProtocolError>, Vec<u8>) {
    let mut connection = Connection::new(&Limits::default());
    let (mut bytes, mut sent) = (input.to_vec(), Vec::new());
    let mut input = &mut bytes[..];
    loop {
        match connection.recv.next_event(&mut input) {
            Ok(Some(event)) => connection.send.answer(&event, &mut sent),
            Ok(None) => return (None, sent),
            Err(error) => {
                connection.send.fail(error, &mut sent);
                return (Some(error), sent);
            }
        }
    }
}

#[test]
fn every_broken_rule_is_explained_as_the_codec_answers_it() {
    // §7.1.7
    for (error, input, len) in sins() {
        let rule = broken(Side::Client, &input);
        let (found, sent) = codec(&input);
        assert_eq!(found, Some(error), "the case is what it says");
        assert_eq!(rule.answer, sent, "{error}");
        assert_eq!((rule.section, rule.code), (error.section(), error.close_code()), "{error}");
        assert_eq!(format!("{}: {}", rule.section, rule.says), error.to_string());
        assert_eq!(rule.frame.offset + rule.frame.len(), len as u64, "{error}: up to the byte that shows it");
        assert_eq!(rule.state, State::Closed);
        assert!(rule.why.len() > 40 && rule.row.is_some(), "{error}");
        assert!(
            frames(Side::Client, &input[..len - 1]).iter().all(|it| !it.breaks_a_rule()),
            "{error}: not earlier"
        );
    }
}

#[test]
fn every_rule_of_the_codec_is_among_the_cases() {
    // Names of variants, so that a new one fails here.
    let source = include_str!("../src/protocol/error.rs");
    let (_, list) = source.split_once("pub enum ProtocolError {").unwrap();
    let (list, _) = list.split_once("\n}").unwrap();
    let variants: BTreeSet<&str> = list
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .map(|line| line.split(['(', ',']).next().unwrap())
        // One is a server's, two are of RFC 7692, and one is no rule: memory was short.
        .filter(|name| {
            !name.is_empty()
                && !["MaskedFrame", "MisplacedCompression", "NotDeflate", "NoMemory"].contains(name)
        })
        .collect();
    let sins = sins();
    let names: Vec<String> = sins.iter().map(|(error, ..)| format!("{error:?}")).collect();
    let tried: BTreeSet<&str> = names.iter().map(|name| name.split('(').next().unwrap()).collect();
    assert_eq!(tried, variants);
}

/// All rows that steps can name, as `docs/rfc6455.md` knows them.
#[test]
fn every_row_that_is_named_is_in_the_table() {
    let table = include_str!("../docs/rfc6455.md");
    let all_kinds = [
        masked(0x81, b"a"),
        masked(0x82, b"a"),
        masked(0x01, b"a"),
        masked(0x00, b"a"),
        masked(0x89, b"a"),
        masked(0x80, b"a"),
        masked(0x02, b"a"),
        masked(0x80, b"a"),
        masked(0x89, b"a"),
        masked(0x8A, b"a"),
        masked(0x88, b""),
    ];
    let mut steps = frames(Side::Client, &all_kinds.concat());
    assert_eq!(steps.len(), all_kinds.len());
    steps.extend(sins().iter().flat_map(|(_, input, _)| frames(Side::Client, input)));
    steps.extend(frames(Side::Server, &masked(0x81, b"a")));
    steps.extend(frames(Side::Server, &[0x88, 0, 0x81]));
    for step in steps {
        let row = match step {
            Step::Frame(step) => step.row,
            Step::Broken(rule) => rule.row,
            _ => continue,
        };
        let row = row.expect("each rule has a row");
        assert!(table.contains(&format!("<a id=\"{row}\"></a>")), "{row}");
    }
}

#[test]
fn each_broken_rule_has_its_own_row_and_reason() {
    let cases: [(Vec<u8>, &str, &str); 19] = [
        (vec![0x81, 0x05], "s5.1-2", "The MASK bit is 0"),
        (header(0xC1, 1), "s5.2-3", "RSV1 to RSV3 belong to extensions"),
        (header(0xA1, 1), "s5.2-3", "RSV1 to RSV3 belong to extensions"),
        (header(0x91, 1), "s5.2-3", "RSV1 to RSV3 belong to extensions"),
        (vec![0x83], "s5.2-4", "The opcodes 0x3 to 0x7"),
        (vec![0x8B], "s5.2-4", "The opcodes 0x3 to 0x7"),
        (vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], "s5.2-5", "The top bit of a 64-bit length"),
        (vec![0x82, 0xFE, 0, 125], "s5.2-6", "A length up to 125 stands in the 7 bits"),
        (header(0x80, 1), "s5.4-4", "A continuation goes on with a message"),
        ([masked(0x01, b"a"), header(0x81, 1)].concat(), "s5.4-4", "The message under way"),
        (vec![0x09], "s5.5-1", "A control frame may come between the fragments"),
        (vec![0x89, 0xFE], "s5.5-1", "Control frames are handled at once"),
        (masked(0x88, &[3]), "s5.5.1-2", "A Close has no body, or"),
        (masked(0x88, b"\x03\xe8\xff"), "s8.1-1", "After its code a Close may have a reason"),
        (masked(0x88, b"\x03\xed"), "s7.4.1-3", "Some codes only describe"),
        (masked(0x88, b"\x03\xee"), "s7.4.1-4", "Some codes only describe"),
        (masked(0x88, b"\x03\xf7"), "s7.4.1-6", "Some codes only describe"),
        (masked(0x88, b"\x03\xe7"), "s7.4.2", "Some codes only describe"),
        (masked(0x81, b"\xff"), "s8.1-1", "Text is UTF-8"),
    ];
    for (input, row, why) in cases {
        let rule = broken(Side::Client, &input);
        assert_eq!(rule.row, Some(row), "{}: {}", rule.section, rule.says);
        assert!(rule.why.starts_with(why), "{row}: {}", rule.why);
        // The row is in the section that is named, but for codes and texts that §7.1.7 and §8.1 share.
        let section = row[1..].split('-').next().unwrap();
        assert!(rule.section == format!("§{section}") || row.starts_with("s7.4") || row == "s8.1-1", "{row}");
    }
    let too_big = broken(Side::Client, &header(0x82, 1024 * 1024 + 1));
    assert_eq!((too_big.row, &too_big.why[..16]), (Some("s10.4-2"), "The header alone"));
    let masked = broken(Side::Server, &masked(0x81, b"a"));
    assert_eq!((masked.row, &masked.why[..9]), (Some("s5.1-4"), "A mask pr"));
    let late = broken(Side::Server, &[0x88, 0, 0x81]);
    assert_eq!((late.row, &late.why[..8]), (Some("s5.5.1-5"), "With its"));
}

#[test]
fn each_kind_of_frame_has_its_own_row_and_sentence() {
    let input = [
        masked(0x81, b"a"),
        masked(0x82, b"a"),
        masked(0x01, b"a"),
        masked(0x00, b"a"),
        masked(0x89, b"a"),
        masked(0x8A, b"a"),
        masked(0x80, b"a"),
        masked(0x02, b"a"),
        masked(0x00, b"a"),
        masked(0x80, b"a"),
        masked(0x89, b"a"),
        masked(0x8A, b"a"),
        masked(0x88, b""),
    ];
    let wanted = [
        ("§5.6", "s5.6-1", "a whole text message in one frame"),
        ("§5.6", "s5.2-1", "a whole binary message in one frame"),
        ("§5.4", "s5.4-7", "the first fragment of a text message"),
        ("§5.4", "s5.4-3", "one more fragment of the text message"),
        ("§5.5.2", "s5.4-1", "a ping between two fragments, which is owed a pong all the same"),
        ("§5.5.3", "s5.5.3-2", "a pong: the answer to a ping, or sent unasked"),
        ("§5.4", "s5.4-3", "the last fragment of the text message"),
        ("§5.4", "s5.4-7", "the first fragment of a binary message"),
        ("§5.4", "s5.4-3", "one more fragment of the binary message"),
        ("§5.4", "s5.4-3", "the last fragment of the binary message"),
        ("§5.5.2", "s5.5.2-2", "a ping, which is owed a pong with its payload"),
        ("§5.5.3", "s5.5.3-2", "a pong: the answer to a ping, or sent unasked"),
        ("§5.5.1", "s5.5.1-6", "a Close, which is owed a Close in return"),
    ];
    let steps = frames(Side::Client, &input.concat());
    let kinds = steps.iter().map(|step| match step {
        Step::Frame(it) => (it.rule, it.row.unwrap_or_default(), &*it.says),
        other => panic!("{other:#?}"),
    });
    assert_eq!(kinds.collect::<Vec<_>>(), wanted);
}

#[test]
fn bytes_after_a_broken_rule_are_counted_and_not_read() {
    // §7.1.7
    let steps = frames(Side::Client, &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    let [Step::Broken(rule), Step::End(end)] = &steps[..] else { panic!("{steps:#?}") };
    assert_eq!((rule.section, rule.frame.header.as_slice()), ("§5.1", &[0x81, 0x05][..]));
    assert_eq!((end.from, end.unread), (Side::Client, 5));
    assert!(end.says.contains("§7.1.7"));
}

#[test]
fn a_server_is_held_to_what_an_onlooker_can_judge() {
    // §5.1
    let masked = broken(Side::Server, &masked(0x81, b"Hello"));
    assert_eq!((masked.section, masked.says.as_str()), ("§5.1", "a server must not mask its frames"));
    assert_eq!(masked.answer, [], "a client answers as it likes");
    for (error, input) in [
        (ProtocolError::ReservedBits, &[0xC1, 0][..]),
        (ProtocolError::ReservedOpCode(3), &[0x83]),
        (ProtocolError::NothingToContinue, &[0x80, 0]),
        (ProtocolError::MessageNotFinished, &[0x01, 0, 0x82, 0]),
        (ProtocolError::FragmentedControl, &[0x09]),
        (ProtocolError::ControlTooLong, &[0x89, 126]),
        (ProtocolError::NonMinimalLength, &[0x82, 126, 0, 1]),
        (ProtocolError::CloseBodyOfOneByte, &[0x88, 1, 3]),
        (ProtocolError::ForbiddenCloseCode(1005), &[0x88, 2, 0x03, 0xED]),
    ] {
        let rule = broken(Side::Server, input);
        assert_eq!(format!("{}: {}", rule.section, rule.says), error.to_string());
    }
    // §10.4: what a server may send is for its client to decide.
    let mut explainer = Explainer::of_frames(&Limits::default());
    assert_eq!(explainer.explain(Side::Server, &[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]), []);
}

// --- Bytes that are missing ------------------------------------------------------------------------------

#[test]
fn an_unfinished_end_is_reported_and_breaks_no_rule() {
    let hello = masked(0x81, b"Hello");
    for len in 1..hello.len() {
        let steps = frames(Side::Client, &hello[..len]);
        let [Step::End(end)] = &steps[..] else { panic!("{steps:#?}") };
        assert_eq!((end.unread, end.frame.as_ref().map(|it| it.len())), (len as u64, Some(len as u64)));
        assert!(!steps[0].breaks_a_rule());
    }
    // §5.4: a whole frame, of a message that is not.
    let steps = frames(Side::Client, &masked(0x01, b"Hel"));
    let [Step::Frame(_), Step::End(end)] = &steps[..] else { panic!("{steps:#?}") };
    assert_eq!(end.unread, 0);
    assert!(end.says.contains("last fragment"));
    assert_eq!(frames(Side::Client, b""), []);
    let steps = steps_from(Explainer::new, Side::Client, &REQUEST[..100]);
    let [Step::End(end)] = &steps[..] else { panic!("{steps:#?}") };
    assert_eq!(end.unread, 100);
}

#[test]
fn a_declared_length_makes_nothing_larger() {
    // §10.4
    let limits = Limits::default();
    let mut explainer = Explainer::of_frames(&limits);
    let mut steps = explainer.explain(Side::Client, &header(0x82, limits.max_message_size));
    assert_eq!(steps, []);
    for _ in 0..limits.max_message_size / 65536 {
        steps.extend(explainer.explain(Side::Client, &[0; 65536]));
    }
    let [Step::Frame(step)] = &steps[..] else { panic!("{} steps", steps.len()) };
    assert_eq!((step.frame.masked.len(), step.frame.payload.len()), (SHOWN, SHOWN));
    assert_eq!(step.frame.arrived, limits.max_message_size as u64);
    assert!(step.message.is_none());
    assert!(steps[0].to_string().contains("… and 1048512 bytes more"));
}

// --- Hub that try to steer the terminal ----------------------------------------------------------------

#[test]
fn nothing_that_a_peer_sends_can_steer_a_terminal() {
    // `check_forms` looks for control characters in text and JSON of each.
    let nasty = "\x1b[2J\r\n\u{9b}31m\u{202e}\u{0}\u{7f}\"\\";
    let text = frames(Side::Client, &masked(0x81, nasty.as_bytes()));
    assert!(text[0].to_string().contains(r#""\u{1b}[2J\r\n\u{9b}31m\u{202e}\0\u{7f}\"\\""#), "{}", text[0]);
    frames(Side::Client, &masked(0x89, nasty.as_bytes()));
    frames(Side::Client, &masked(0x88, &[b"\x03\xe8", nasty.as_bytes()].concat()));
    frames(Side::Client, &masked(0x82, nasty.as_bytes()));
    let head = "GET /\u{202e}\u{9b}2J HTTP/1.1\r\nHost: a\r\nX: \u{9b}2J\r\n\r\n";
    steps_from(Explainer::new, Side::Client, head.as_bytes());
    steps_from(Explainer::new, Side::Client, b"GET / HTTP/1.1\r\nX: \x1b[2J\r\n\r\n");
    steps_from(Explainer::new, Side::Server, format!("HTTP/1.1 101 {nasty}\r\n\r\n").as_bytes());
    assert!(!AcceptKey::of(nasty).to_string().contains('\x1b'));
}

// --- §4 --------------------------------------------------------------------------------------------------

/// The accept key is computed step by step.
#[test]
fn the_opening_handshake_is_checked_item_by_item() {
    // §1.3
    let steps = steps_from(Explainer::new, Side::Client, REQUEST);
    let [Step::Request(request)] = &steps[..] else { panic!("{steps:#?}") };
    assert!(request.checks.len() == 10 && request.checks.iter().all(|check| check.ok));
    assert_eq!((request.target.as_str(), request.lines.len()), ("/chat", 8));
    assert_eq!((request.refused, request.state), (None, State::Connecting));
    let accept = request.accept.as_ref().expect("there is a key");
    assert_eq!(accept.nonce.as_ref(), Some(b"the sample nonce"));
    let sha1 = [
        0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f, 0x16, 0x90, 0xf6, 0x46, 0x06, 0xcf, 0x38, 0x59, 0x45, 0xb2,
        0xbe, 0xc4, 0xea,
    ];
    assert_eq!(accept.digest, sha1, "as §1.3 has it");
    assert_eq!(accept.accept, accept_key("dGhlIHNhbXBsZSBub25jZQ=="));

    let mut explainer = Explainer::new(&Limits::default());
    explainer.explain(Side::Client, REQUEST);
    let steps = explainer.explain(Side::Server, &[RESPONSE, b"\x81\x00"].concat());
    let [Step::Response(response), Step::Frame(first)] = &steps[..] else { panic!("{steps:#?}") };
    assert_eq!((response.status, response.state), (Some(101), State::Open));
    assert!(response.checks.len() == 6 && response.checks.iter().all(|check| check.ok));
    assert_eq!(first.frame.offset, RESPONSE.len() as u64);
    let steps = explainer.explain(Side::Client, &masked(0x81, b"a"));
    let [Step::Frame(first)] = &steps[..] else { panic!("{steps:#?}") };
    assert_eq!(first.frame.offset, REQUEST.len() as u64);
}

#[test]
fn each_rule_of_a_request_is_crossed_for_itself() {
    // §4.2.1
    let head = String::from_utf8(REQUEST.to_vec()).unwrap();
    let cases = [
        ("GET /chat", "POST /chat", 405, 0),
        ("Host: server.example.com\r\n", "", 400, 1),
        ("Host:", "Content-Length: 5\r\nHost:", 400, 2),
        ("Upgrade: websocket", "Upgrade: h2c", 426, 3),
        ("Connection: Upgrade", "Connection: close", 400, 4),
        ("Version: 13", "Version: 12", 426, 5),
        ("Key: dGhl", "Key: ", 400, 6),
        ("chat, superchat", "chat, chat", 400, 7),
        ("Origin:", "Sec-WebSocket-Extensions: ;\r\nOrigin:", 400, 8),
        ("Origin:", "Origin: http://a\r\nOrigin:", 400, 9),
    ];
    for (kept, broken, status, crossed) in cases {
        let head = head.replacen(kept, broken, 1);
        let steps = steps_from(Explainer::new, Side::Client, head.as_bytes());
        let [Step::Request(request)] = &steps[..] else { panic!("{steps:#?}") };
        let crosses: Vec<_> = (0..).zip(&request.checks).filter(|(_, it)| !it.ok).map(|(at, _)| at).collect();
        assert_eq!(crosses, [crossed], "{broken:?}");
        assert_eq!(request.refused.map(|error| error.status()), Some(status), "{broken:?}");
        assert!(request.refusal()[0].starts_with(&format!("HTTP/1.1 {status} ")));
        assert_eq!(request.accept, None);
        assert!(steps[0].breaks_a_rule());
    }
}

#[test]
fn a_head_that_is_no_http_is_refused_at_its_byte() {
    // RFC 9112 §2
    let steps = steps_from(Explainer::new, Side::Client, b"GET / HTTP/1.1\nHost: a\r\n\r\n");
    let [Step::Request(request), Step::End(end)] = &steps[..] else { panic!("{steps:#?}") };
    assert_eq!((request.length, request.lines.as_slice()), (15, &["GET / HTTP/1.1".to_owned()][..]));
    assert_eq!((request.checks.len(), request.checks[0].section.as_str()), (1, "RFC 9112 §2"));
    assert_eq!(end.unread, 11);
}

#[test]
fn a_response_is_held_against_its_request() {
    // §4.1, §4.2.2
    let response = String::from_utf8(RESPONSE.to_vec()).unwrap();
    let cases = [
        ("Upgrade: websocket", "Upgrade: h2c", 1),
        ("Connection: Upgrade", "Connection: close", 2),
        ("s3pPLMBi", "s3pPLMBj", 3),
        ("Protocol: chat", "Protocol: other", 4),
        ("Upgrade: websocket", "Sec-WebSocket-Extensions: x\r\nUpgrade: websocket", 5),
    ];
    for (kept, broken, crossed) in cases {
        let mut explainer = Explainer::new(&Limits::default());
        explainer.explain(Side::Client, REQUEST);
        let steps = explainer.explain(Side::Server, response.replacen(kept, broken, 1).as_bytes());
        let [Step::Response(response)] = &steps[..] else { panic!("{steps:#?}") };
        let crosses: Vec<_> =
            (0..).zip(&response.checks).filter(|(_, it)| !it.ok).map(|(at, _)| at).collect();
        assert_eq!(crosses, [crossed], "{broken:?}");
        check_forms(&steps[0]);
    }
}

#[test]
fn a_refusal_tells_of_what_a_client_had_begun() {
    // §4.2.2: half a request, and half a frame that was sent too early.
    let early = [REQUEST, &[0x81, 0x85, 0x37]].concat();
    for (said, unread) in [(&b"GET / HT"[..], 8), (&early, 3)] {
        let mut explainer = Explainer::new(&Limits::default());
        explainer.explain(Side::Client, said);
        explainer.explain(Side::Server, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let ends = explainer.end();
        let [Step::End(leftover)] = &ends[..] else { panic!("{ends:?}") };
        assert_eq!((leftover.from, leftover.unread), (Side::Client, unread));
    }
}

#[test]
fn a_refusal_ends_the_connection() {
    // §4.2.2
    let mut explainer = Explainer::new(&Limits::default());
    explainer.explain(Side::Client, REQUEST);
    let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n";
    let steps = explainer.explain(Side::Server, refusal);
    let [Step::Response(response), Step::Body(body)] = &steps[..] else { panic!("{steps:#?}") };
    assert_eq!((body.offset, body.text()), (response.length, Some("no\n")));
    assert_eq!((response.status, response.state, response.checks.len()), (Some(403), State::Closed, 0));
    assert!(!steps[0].breaks_a_rule(), "to refuse is a server's right");
    assert_eq!(explainer.explain(Side::Client, &masked(0x81, b"a")), []);
    let ends = explainer.end();
    let [Step::End(end)] = &ends[..] else { panic!("{ends:#?}") };
    assert!(end.from == Side::Client && end.unread > 0 && end.says.contains("discarded"));
}

/// The steps of both directions after a head: first the request if there is one, then the response.
fn exchange(request: &[u8], response: &[u8]) -> Vec<Step> {
    let whole = |pieces: usize| {
        let mut explainer = Explainer::new(&Limits::default());
        let mut steps = Vec::new();
        for (side, bytes) in [(Side::Client, request), (Side::Server, response)] {
            for piece in bytes.chunks(pieces) {
                steps.extend(explainer.explain(side, piece));
            }
        }
        steps.extend(explainer.end());
        steps
    };
    let steps = whole(usize::MAX);
    assert_eq!(whole(1), steps, "byte by byte");
    steps.iter().for_each(check_forms);
    steps
}

#[test]
fn a_body_is_explained_as_the_body() {
    // RFC 9112 §6.3
    let body = |head: &str, body: &[u8]| {
        let response = [format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body].concat();
        exchange(b"", &response)
    };
    let steps = body("404 Not Found\r\ncontent-length: 5", b"a\x1bb\xffc");
    let [Step::Response(head), Step::Body(found)] = &steps[..] else { panic!("{steps:#?}") };
    assert_eq!((found.from, found.offset, found.length), (Side::Server, head.length, 5));
    assert_eq!((&found.start[..], found.text()), (&b"a\x1bb\xffc"[..], None));
    let steps = body("404 Not Found\r\nContent-Length: 5", b"Hello");
    let wanted = "server, byte 45: body, 5 bytes\n  body        48 65 6c 6c 6f\n  text        \"Hello\"\n";
    assert_eq!(steps[1].to_string(), wanted);
    let wanted = r#"{"kind":"body","from":"server","offset":45,"length":5,"payload":"48656c6c6f","cut":false,"text":"Hello","state":"closed"}"#;
    assert_eq!(steps[1].json(), wanted);
    // A long one is cut, between two characters.
    let steps = body("404 Not Found\r\nContent-Length: 600", "€".repeat(200).as_bytes());
    let Step::Body(found) = &steps[1] else { panic!("{steps:#?}") };
    assert_eq!((found.length, found.start.len(), found.text()), (600, SHOWN, Some(&*"€".repeat(85))));
    // What is said of the rest, and of bodies without a length.
    for (head, bytes, says) in [
        ("403 F\r\nContent-Length: 5", &b"Hell"[..], "the body has 5 bytes, and the rest has not arrived"),
        ("403 F\r\nTransfer-Encoding: chunked", b"1\r\na\r\n", "they are a body in chunks"),
        ("200 OK", b"<html>", "they are a body that ends with the connection"),
        ("304 Not Modified\r\nContent-Length: 5", b"Hello", "discarded"),
        ("403 F\r\nContent-Length: 5", b"Hello!", "discarded"),
        ("403 F\r\nContent-Length: 0", b"Hello", "discarded"),
    ] {
        let steps = body(head, bytes);
        let Some(Step::End(end)) = steps.last() else { panic!("{steps:#?}") };
        assert!(end.says.contains(says), "{head}: {}", end.says);
        assert!(end.unread > 0 && end.unread <= bytes.len() as u64);
    }
    assert_eq!(body("200 OK", b"").len(), 1, "an empty body is none");
}

#[test]
fn a_body_of_a_request_is_no_frame_and_no_rest() {
    let refusal = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 2\r\n\r\nno";
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=1";
    let steps = exchange(request, refusal);
    let [Step::Request(_), Step::Body(sent), Step::Response(_), Step::Body(got)] = &steps[..] else {
        panic!("{steps:#?}")
    };
    assert_eq!((sent.from, sent.text(), got.text()), (Side::Client, Some("a=1"), Some("no")));
    // RFC 9112 §6.3: nothing follows the answer to HEAD, whatever it announces.
    let head = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let steps = exchange(head, b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n");
    let [Step::Request(_), Step::Response(_)] = &steps[..] else { panic!("{steps:#?}") };
}

// --- RFC 7692 --------------------------------------------------------------------------------------------

/// A request that offers these extensions, and a response that accepts others; both must be as §4 has it.
fn negotiated(offered: &str, accepted: &str) -> Explainer {
    let with = |head: &[u8], extensions: &str| {
        let head = String::from_utf8(head.to_vec()).unwrap();
        head.replacen("\r\n", &format!("\r\nSec-WebSocket-Extensions: {extensions}\r\n"), 1)
    };
    let mut explainer = Explainer::new(&Limits::default());
    let request = explainer.explain(Side::Client, with(REQUEST, offered).as_bytes());
    let response = explainer.explain(Side::Server, with(RESPONSE, accepted).as_bytes());
    let [step @ Step::Response(response)] = &response[..] else { panic!("{request:#?} {response:#?}") };
    assert!(!request[0].breaks_a_rule() && !step.breaks_a_rule(), "{response:#?}");
    explainer
}

const OFFER: &str = "permessage-deflate; client_max_window_bits, x-foo; a=\"b\"";

#[test]
fn compressed_messages_are_named_and_framed_to_the_end() {
    // RFC 7692 §7.2.3.1: "Hello" in one frame; and in two, here with a ping between.
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let frames = |frame: fn(u8, &[u8]) -> Vec<u8>| {
        [
            frame(0xC1, hello),
            frame(0x41, &hello[..3]),
            frame(0x89, b"?"),
            frame(0x80, &hello[3..]),
            frame(0x81, b"plain"),
            frame(0xC2, b"\x00"),
            frame(0x88, b"\x03\xe8"),
        ]
        .concat()
    };
    fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
        [&[first, payload.len() as u8][..], payload].concat()
    }
    let mut explainer = negotiated(OFFER, "permessage-deflate; client_max_window_bits=15");
    for (side, input) in [(Side::Client, frames(masked)), (Side::Server, frames(unmasked))] {
        let steps = explainer.explain(side, &input);
        assert!(steps.iter().all(|step| !step.breaks_a_rule()), "{steps:#?}");
        steps.iter().for_each(check_forms);
        let kinds: Vec<_> = steps
            .iter()
            .map(|step| match step {
                Step::Frame(it) => (it.frame.is_compressed, it.rule, it.frame.text()),
                other => panic!("{other:#?}"),
            })
            .collect();
        let compressed = (true, "RFC 7692 §6", None);
        let wanted = [
            compressed,
            compressed,
            (false, "§5.5.2", Some("?")),
            compressed,
            (false, "§5.6", Some("plain")),
            compressed,
            (false, "§5.5.1", None),
        ];
        assert_eq!(kinds, wanted, "{side:?}");
        let text = steps[0].to_string();
        for part in [
            "text, 7 bytes compressed\n",
            "RSV1-3  100  compressed (RFC 7692)\n",
            "  RFC 7692 §6 a whole text message in one frame, compressed by permessage-deflate\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(steps[0].json().contains(r#""text":null,"compressed":true"#));
        let Step::Frame(last) = &steps[3] else { panic!() };
        assert_eq!(last.says, "the last fragment of the text message, compressed by permessage-deflate");
        for step in [&steps[0], &steps[3]] {
            let Step::Frame(it) = step else { panic!() };
            let message = it.message.as_ref().expect("it is complete");
            assert_eq!(
                (message.length, message.compressed_length, message.text()),
                (5, Some(7), Some("Hello"))
            );
            assert!(
                step.to_string().contains("message     \"Hello\", 5 bytes, inflated from 7 (0.7 : 1)"),
                "{step}"
            );
            assert!(step.json().contains(r#""text":"Hello","compressed_length":7}"#), "{}", step.json());
        }
    }
    assert_eq!((explainer.state(), explainer.end()), (State::Closed, vec![]));
}

#[test]
fn a_compressed_session_is_still_held_to_the_rules() {
    let cases: [(Vec<u8>, &str); 7] = [
        // RFC 7692 §6: not on continuations and control frames.
        ([masked(0x41, b"a"), header(0xC0, 1)].concat(), "RFC 7692 §6"),
        (header(0xC9, 1), "RFC 7692 §6"),
        // §5.2: the other two bits have no meaning.
        (header(0xA1, 1), "§5.2"),
        (header(0xF1, 1), "§5.2"),
        // What is not compressed is text, what is has a mask, a beginning and an end.
        (masked(0x81, b"\xff"), "§8.1"),
        (vec![0xC1, 0x05], "§5.1"),
        ([masked(0x41, b"a"), header(0xC1, 1)].concat(), "§5.4"),
    ];
    for (input, section) in cases {
        let mut explainer = negotiated(OFFER, "permessage-deflate");
        let steps = explainer.explain(Side::Client, &input);
        let Some(step @ Step::Broken(broken)) = steps.last() else { panic!("{steps:#?}") };
        assert_eq!(broken.section, section, "{input:x?}");
        assert!(!broken.why.contains("None was negotiated") && !broken.answer.is_empty());
        check_forms(step);
    }
    for (input, section) in [
        (&b"\x41\x01a\xc0\x01b"[..], "RFC 7692 §6"),
        (b"\xc9\x00", "RFC 7692 §6"),
        (b"\xa1\x00", "§5.2"),
        (b"\xc1\x01\x00\x80\x00", "§5.4"),
        (b"\xc1\x01\xff", "RFC 7692 §7.2.2"),
    ] {
        let steps = negotiated(OFFER, "permessage-deflate").explain(Side::Server, input);
        let Some(Step::Broken(broken)) = steps.last() else { panic!("{steps:#?}") };
        assert_eq!(broken.section, section, "{input:x?}");
    }
}

#[test]
fn bits_of_an_unknown_extension_are_its_own() {
    for accepted in ["x-foo; a=\"b\"", "permessage-deflate, x-foo"] {
        for (side, input) in [(Side::Client, masked(0xF1, b"\xff")), (Side::Server, b"\xf1\x01\xff".to_vec())]
        {
            let steps = negotiated(OFFER, accepted).explain(side, &input);
            let [Step::Frame(step)] = &steps[..] else { panic!("{steps:#?}") };
            assert_eq!((step.rule, step.frame.is_compressed), ("§9", false));
            assert!(step.says.ends_with("with bits of an extension that is not known here"), "{}", step.says);
        }
    }
}

#[test]
fn without_the_negotiation_rsv1_breaks_no_rule() {
    for (side, input) in [(Side::Client, masked(0xC1, b"\xf2")), (Side::Server, b"\xc1\x01\xf2".to_vec())] {
        let steps = Explainer::of_frames(&Limits::default()).without_negotiation().explain(side, &input);
        let [Step::Frame(step)] = &steps[..] else { panic!("{steps:#?}") };
        assert!(step.frame.is_compressed && step.says.ends_with("which is not seen here"), "{}", step.says);
    }
    // A request alone: the offer decides. A response: it alone.
    let request = String::from_utf8(REQUEST.to_vec()).unwrap();
    let offer = request.replacen("\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", 1);
    for (head, response, breaks) in
        [(&offer, &b""[..], false), (&request, b"", true), (&offer, RESPONSE, true)]
    {
        let mut explainer = Explainer::new(&Limits::default()).without_negotiation();
        explainer.explain(Side::Client, head.as_bytes());
        explainer.explain(Side::Server, response);
        let steps = explainer.explain(Side::Client, &masked(0xC1, b"\xf2"));
        assert_eq!(steps[0].breaks_a_rule(), breaks, "{head}");
    }
}

#[test]
fn after_a_101_the_client_sends_frames_whatever_its_request_was() {
    // §4.2.2: another server may accept what this one refuses; and a capture may miss the request.
    let request = String::from_utf8(REQUEST.to_vec()).unwrap().replacen("Version: 13", "Version: 8", 1);
    for request in [request.as_bytes(), b""] {
        let mut explainer = Explainer::new(&Limits::default());
        explainer.explain(Side::Client, request);
        explainer.explain(Side::Server, RESPONSE);
        let steps = explainer.explain(Side::Client, &masked(0x81, b"a"));
        let [Step::Frame(step)] = &steps[..] else { panic!("{steps:#?}") };
        assert_eq!((step.frame.text(), step.frame.offset), (Some("a"), request.len() as u64));
    }
}

// --- Any bytes -------------------------------------------------------------------------------------------

/// Frames of a client that keeps most of the rules, and now and then bytes that are none.
fn mostly_frames() -> impl Strategy<Value = Vec<u8>> {
    let first = sample::select(vec![0x01, 0x02, 0x80, 0x00, 0x81, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0x83, 0x09]);
    let payload = prop_oneof![
        vec(any::<u8>(), 0..10),
        "[aü€😀]{0,200}".prop_map(String::into_bytes),
        vec(any::<u8>(), 250..600),
        Just(vec![0x03, 0xe8, b'b']),
    ];
    let frame = (first, payload).prop_map(|(first, payload)| masked(first, &payload));
    let piece = prop_oneof![12 => frame, 1 => vec(any::<u8>(), 0..6)];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(Config { cases: 150, failure_persistence: None, ..Config::default() })]

    /// For any bytes of a client: the same steps however they are cut, every byte accounted for, the verdict
    /// of the codec, and the answers that are shown are those that a server sends.
    #[test]
    fn any_bytes_are_explained_as_the_codec_takes_them(input in mostly_frames(), cut in any::<sample::Index>()) {
        let cut = cut.index(input.len() + 1);
        let [whole, pieces] = [&[&input[..]][..], &[&input[..cut], &input[cut..]]].map(|pieces| {
            let mut explainer = Explainer::of_frames(&Limits::default());
            let mut steps: Vec<_> =
                pieces.iter().flat_map(|piece| explainer.explain(Side::Client, piece)).collect();
            steps.extend(explainer.end());
            steps
        });
        whole.iter().for_each(check_forms);
        prop_assert_eq!(&pieces, &whole);

        let (mut answers, mut error, mut len) = (Vec::<u8>::new(), None, 0);
        for step in &whole {
            match step {
                Step::Frame(step) => {
                    answers.extend(&step.answer);
                    len += step.frame.len();
                }
                Step::Broken(rule) => {
                    answers.extend(&rule.answer);
                    len += rule.frame.len();
                    error = Some(format!("{}: {}", rule.section, rule.says));
                }
                Step::End(end) => len += end.unread,
                other => panic!("{other:?}"),
            }
        }
        let (codecs_error, sent) = codec(&input);
        prop_assert_eq!(error, codecs_error.map(|error| error.to_string()));
        prop_assert_eq!(answers, sent);
        prop_assert_eq!(len, input.len() as u64);
    }
}

proptest! {
    #![proptest_config(Config { cases: 40, failure_persistence: None, ..Config::default() })]

    /// For any bytes of a server, and any bytes at all where a head is awaited: steps, and no panic.
    #[test]
    fn any_bytes_are_explained(input in vec(any::<u8>(), 0..60), tail in "[ -~]{0,20}(\r\n){0,2}") {
        frames(Side::Server, &input);
        steps_from(Explainer::new, Side::Server, &[tail.as_bytes(), &input].concat());
        steps_from(Explainer::new, Side::Client, &[b"GET / HTTP/1.1\r\n", tail.as_bytes(), &input].concat());
    }
}

/// The frames of a server's texts, compressed with or without context takeover.
fn compressed_texts(texts: &[&str], takes_over: bool) -> Vec<Vec<u8>> {
    let mut compressor = zlib_rs::Deflate::new(6, false, 15);
    let frame = |text: &&str| {
        if !takes_over {
            compressor.reset();
        }
        let (before, mut out) = (compressor.total_out(), vec![0; text.len() + 100]);
        compressor.compress(text.as_bytes(), &mut out, zlib_rs::DeflateFlush::SyncFlush).unwrap();
        out.truncate((compressor.total_out() - before) as usize - 4);
        [&[0xC1, out.len() as u8][..], &out].concat()
    };
    texts.iter().map(frame).collect()
}

/// The text of a step's message, if it is known.
fn text_of(step: &Step) -> Option<&str> {
    match step {
        Step::Frame(it) => it.message.as_ref()?.text(),
        other => panic!("{other:#?}"),
    }
}

#[test]
fn each_direction_is_inflated_with_its_own_window() {
    let texts = ["what repeats is short", "what repeats is short", "and what repeats is short"];
    for takes_over in [true, false] {
        let answer = if takes_over { "" } else { "; server_no_context_takeover" };
        let mut explainer = negotiated(OFFER, &format!("permessage-deflate{answer}"));
        let frames = compressed_texts(&texts, takes_over);
        // Cut anywhere.
        let steps: Vec<Step> =
            frames.concat().chunks(3).flat_map(|piece| explainer.explain(Side::Server, piece)).collect();
        let seen: Vec<_> = steps.iter().map(text_of).collect();
        assert_eq!(seen, texts.map(Some), "{takes_over}");
        assert_eq!(frames[1].len() < frames[0].len() / 2, takes_over);
    }
}

#[test]
fn after_a_gap_only_messages_that_begin_anew_are_inflated() {
    let texts = ["what repeats is short", "what repeats is short", "what repeats is short"];
    for takes_over in [true, false] {
        let answer = if takes_over { "" } else { "; server_no_context_takeover" };
        let mut explainer = negotiated(OFFER, &format!("permessage-deflate{answer}"));
        let frames = compressed_texts(&texts, takes_over);
        let [first] = &explainer.explain(Side::Server, &frames[0])[..] else { panic!("one frame") };
        assert_eq!(text_of(first), Some(texts[0]));
        explainer.skip(Side::Server, frames[1].len() as u64);
        let [last] = &explainer.explain(Side::Server, &frames[2])[..] else { panic!("one frame") };
        assert_eq!(text_of(last), (!takes_over).then_some(texts[2]));
        assert!(!last.breaks_a_rule());
    }
}

#[test]
fn each_agreed_parameter_is_explained() {
    let answer = "permessage-deflate; server_no_context_takeover; client_max_window_bits=\"10\"";
    let mut explainer = Explainer::new(&Limits::default());
    let response = format!("HTTP/1.1 101 X\r\nSec-WebSocket-Extensions: {answer}\r\n\r\n");
    let steps = explainer.explain(Side::Server, response.as_bytes());
    let [Step::Response(response)] = &steps[..] else { panic!("{steps:#?}") };
    let says: Vec<_> = response.checks.iter().filter(|it| it.section.starts_with("RFC 7692 §7")).collect();
    assert_eq!(
        says.iter().map(|it| (it.section.as_str(), it.says.as_str())).collect::<Vec<_>>(),
        [
            (
                "RFC 7692 §7.1.1.1",
                "server_no_context_takeover: each message of the server begins with an empty window"
            ),
            (
                "RFC 7692 §7.1.2.2",
                "client_max_window_bits=\"10\": the client refers back 2 to this power of bytes at most"
            ),
        ]
    );
}

#[test]
fn a_bomb_in_a_capture_is_held_to_the_limit() {
    let mut limits = Limits::default();
    limits.max_message_size = 1000;
    let mut compressor = zlib_rs::Deflate::new(9, false, 15);
    let mut out = vec![0; 500];
    compressor.compress(&[b'0'; 5000], &mut out, zlib_rs::DeflateFlush::SyncFlush).unwrap();
    out.truncate(compressor.total_out() as usize - 4);
    assert!(out.len() < 100);
    let mut explainer = Explainer::new(&limits);
    let response = b"HTTP/1.1 101 X\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    explainer.explain(Side::Server, response);
    // Of a client it breaks the server's limit; a server's own limit is not known.
    let of_client = explainer.explain(Side::Client, &masked(0xC1, &out));
    let [Step::Broken(broken)] = &of_client[..] else { panic!("{of_client:#?}") };
    assert_eq!(broken.code.0, 1009);
    let frame = [&[0xC1, out.len() as u8][..], &out].concat();
    let of_server = explainer.explain(Side::Server, &frame);
    let [step @ Step::Frame(_)] = &of_server[..] else { panic!("{of_server:#?}") };
    assert_eq!(text_of(step), None);
}

#[test]
fn a_message_over_the_limit_ends_inflating_only_with_context() {
    let mut limits = Limits::default();
    limits.max_message_size = 100;
    let long = "0".repeat(500);
    for takes_over in [true, false] {
        let answer = if takes_over { "" } else { "; server_no_context_takeover" };
        let mut explainer = Explainer::new(&limits);
        let response =
            format!("HTTP/1.1 101 X\r\nSec-WebSocket-Extensions: permessage-deflate{answer}\r\n\r\n");
        explainer.explain(Side::Server, response.as_bytes());
        let frames = compressed_texts(&[&long, "Hello"], takes_over).concat();
        let steps = explainer.explain(Side::Server, &frames);
        let seen: Vec<_> = steps.iter().map(text_of).collect();
        assert_eq!(seen, [None, (!takes_over).then_some("Hello")]);
    }
}

#[test]
fn parameters_that_a_client_must_fail_at_are_marked() {
    for (answer, ok) in [
        ("server_max_window_bits=16", false),
        ("server_no_context_takeover; server_no_context_takeover", false),
        ("server_max_window_bits=8", true),
        ("client_max_window_bits=8", true),
    ] {
        let mut explainer = Explainer::new(&Limits::default());
        let response =
            format!("HTTP/1.1 101 X\r\nSec-WebSocket-Extensions: permessage-deflate; {answer}\r\n\r\n");
        let steps = explainer.explain(Side::Server, response.as_bytes());
        let [Step::Response(response)] = &steps[..] else { panic!("{steps:#?}") };
        let is_param = |it: &&wirehook::explain::Check| it.section.starts_with("RFC 7692 §7");
        let params: Vec<_> = response.checks.iter().filter(is_param).collect();
        assert!(!params.is_empty() && params.iter().all(|it| it.ok == ok), "{answer}: {params:?}");
    }
}

//! Whole plays against a scripted server: every difference is found, and every play ends.

use std::iter;

use super::{
    super::{
        player::Summary,
        scripted::{Forever, ScriptedServer, ServerStep},
    },
    *,
};

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(5);
const PING: &[u8] = b"\x89\x02hi";

/// Returns a head and frames: with one byte, empty, with both shorter lengths at their borders, and a Close.
fn answer() -> Vec<u8> {
    let frame = |len: u8| [&[0x82, len][..], &vec![7; len.into()]].concat();
    let long = [&[0x82, 126, 0, 126][..], &[8; 126]].concat();
    [RESPONSE, &frame(1), b"\x81\x00", &frame(125), &long, b"\x88\x02\x03\xe8"].concat()
}

/// Plays a request whose recorded answer is `recorded`.
fn play(recorded: &[u8], server: ScriptedServer) -> Result<Summary, String> {
    let recording = recording(&[(Side::Client, REQUEST), (Side::Server, recorded)]);
    play_recording(recording, server, Pace::AsSoonAsAnswered)
}

fn play_recording(recording: Recording<'_>, server: ScriptedServer, pace: Pace) -> Result<Summary, String> {
    let script = ClientScript::new(recording, None)?;
    player::play(&script, Line::new(server, LIMIT), pace).map_err(|difference| difference.to_string())
}

/// Returns two servers: one sends the answer at once, the other byte by byte.
fn cuts(answer: &[u8]) -> [ScriptedServer; 2] {
    [ScriptedServer::new([answer], Forever::End), ScriptedServer::new(answer.chunks(1), Forever::End)]
}

#[test]
fn the_same_answer_is_the_same_however_it_is_cut() {
    for server in cuts(&answer()) {
        let summary = Summary { frames: 5, bytes: answer().len(), ..Summary::default() };
        assert_eq!(play(&answer(), server), Ok(summary));
    }
}

#[test]
fn a_change_of_any_bit_is_found_at_its_byte() {
    for at in RESPONSE.len()..answer().len() {
        for bit in 0..8 {
            let mut changed = answer();
            changed[at] ^= 1 << bit;
            let [whole, cut] = cuts(&changed);
            // One bit is enough to show that cuts make no difference.
            for server in iter::once(whole).chain((bit == 6).then_some(cut)) {
                let result = play(&answer(), server);
                let result = result.map_or_else(|it| it, |same| format!("{same}"));
                assert!(result.starts_with("differs: "), "byte {at}, bit {bit}: {result}");
                // A flipped reserved bit or payload bit does not change the frame's borders.
                let place = format!(", which is byte {at} of the answer\n");
                assert!(bit != 6 || result.contains(&place), "byte {at}: {result}");
            }
        }
    }
}

#[test]
fn a_change_of_any_byte_of_the_head_is_found() {
    // The line ends of the head belong to its form; the test of its lines covers them.
    for at in 0..RESPONSE.len() - 4 {
        let mut changed = answer();
        changed[at] ^= 0x01;
        assert!(play(&answer(), ScriptedServer::new([changed], Forever::End)).is_err(), "byte {at}");
    }
}

#[test]
fn an_answer_that_is_shorter_or_longer_differs() {
    let whole = answer();
    for len in 0..whole.len() {
        for server in cuts(&whole[..len]) {
            let result = play(&whole, server);
            assert!(result.is_err_and(|it| it.contains("closed the connection before")), "{len} bytes");
        }
    }
    for more in [&b"\x81"[..], b"\x81\x00", b"\x00"] {
        let result = play(&whole, ScriptedServer::new([&whole[..], more], Forever::End));
        assert!(result.is_err_and(|it| it.starts_with("differs: the server says more")), "{more:02x?}");
    }
}

#[test]
fn frames_in_another_order_or_number_differ() {
    let (one, two) = (&b"\x81\x01a"[..], &b"\x81\x01b"[..]);
    let recorded = [RESPONSE, one, two].concat();
    for frames in [[two, one].concat(), [one, one, two].concat(), two.to_vec(), [one, two, two].concat()] {
        assert!(
            play(&recorded, ScriptedServer::new([RESPONSE, &frames], Forever::End)).is_err(),
            "{frames:02x?}"
        );
    }
}

#[test]
fn pings_between_frames_are_skipped_and_counted() {
    let recorded = [RESPONSE, b"\x81\x01a", PING, b"\x81\x01b"].concat();
    let received = [RESPONSE, PING, b"\x89\x00\x81\x01a\x81\x01b", PING, b"\x89\x05cut"].concat();
    for server in cuts(&received) {
        let summary = play(&recorded, server);
        assert_eq!(summary.map(|it| (it.frames, it.pings)), Ok((2, [1, 3])));
    }
    // §5.5: this is no ping, so it is more than was recorded.
    let result = play(&recorded, ScriptedServer::new([&recorded[..], b"\x89\x7e\x00"], Forever::End));
    assert!(result.is_err());
}

#[test]
fn pings_before_bytes_that_are_no_frame_are_skipped() {
    // A reserved opcode: no frame is found after it.
    let recorded = [RESPONSE, PING, b"\x83\x00"].concat();
    for received in [[RESPONSE, PING, b"\x83\x00"].concat(), [RESPONSE, b"\x83\x00"].concat()] {
        assert!(play(&recorded, ScriptedServer::new([received], Forever::End)).is_ok());
    }
    // The body of a refusal contains no frames, whatever its bytes.
    let refused = |body: &[u8]| [b"HTTP/1.1 400 Bad Request\r\n\r\n", body].concat();
    let result = play(&refused(b"\x89\x00ab"), ScriptedServer::new([refused(b"ab")], Forever::End));
    assert!(result.is_err());
}

/// Returns how long a play takes, and its result.
fn time_of(recorded: &[u8], server: ScriptedServer) -> (Duration, String) {
    let figures = server.figures.clone();
    let result = play(recorded, server).map_or_else(|it| it, |same| format!("same: {same}"));
    let figures = figures.borrow();
    assert!(figures.max_held <= recorded.len() + 64 * 1024, "{} bytes held", figures.max_held);
    (figures.now, result.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn no_byte_of_a_server_moves_a_deadline() {
    let recorded = [RESPONSE, b"\x82\x7d", &[7; 125]].concat();
    let (head, frame) = recorded.split_at(RESPONSE.len());
    let every = |pause| move |bytes: &[u8]| Forever::Repeat(bytes.to_vec(), pause);
    let (drip, flood) = (every(SECOND), every(SECOND / 1000));
    let missing = |what: &str| format!("differs: {what} doesn't come within 5 s");
    let cases = [
        ("silence", ScriptedServer::new([b""], Forever::Nothing), missing("the response")),
        ("a head that drips", ScriptedServer::new([b"HTTP"], drip(b"x")), missing("the response")),
        ("a head that floods", ScriptedServer::new([b"HTTP"], flood(b"x")), missing("the response")),
        ("pings", ScriptedServer::new([head], drip(PING)), missing("frame 1")),
        ("a flood of pings", ScriptedServer::new([head], flood(&PING.repeat(100))), missing("frame 1")),
        ("a ping that drips", ScriptedServer::new([head, b"\x89\x7d"], drip(b"x")), missing("frame 1")),
        (
            "a header that drips",
            ScriptedServer::new([head, &frame[..1]], Forever::Nothing),
            missing("frame 1"),
        ),
        ("a frame that drips", ScriptedServer::new([head, &frame[..3]], drip(&[7])), missing("frame 1")),
    ];
    for (name, server, result) in cases {
        assert_eq!(time_of(&recorded, server), (LIMIT, result), "{name}");
    }
    // The differing bytes are shown as far as they arrive in time.
    let (took, result) = time_of(&recorded, ScriptedServer::new([head, b"\x82\x7e\x10\x00"], drip(b"x")));
    assert_eq!(
        (took, &result[..]),
        (LIMIT, "differs: frame 1 differs at its byte 1, which is byte 57 of the answer")
    );
    // The end is a part like the others.
    let pings = ScriptedServer::new([&recorded], flood(&PING.repeat(100)));
    let (took, result) = time_of(&recorded, pings);
    assert_eq!(took, LIMIT);
    assert!(
        result.starts_with("same: 1 frame, ") && result.ends_with("has not closed the connection"),
        "{result}"
    );
}

#[test]
fn an_endless_head_is_refused_at_64_kib() {
    let head = |len: usize| [b"HTTP/1.1 101 \r\nA: ", &vec![b'x'; len - 22][..], b"\r\n\r\n"].concat();
    for pieces in [1, 1000, 64 * 1024] {
        let server = |len: usize| ScriptedServer::new(head(len).chunks(pieces), Forever::End);
        let (longest, too_long) = (64 * 1024, 64 * 1024 + 1);
        assert!(play(&head(longest), server(longest)).is_ok());
        let result = play(&head(longest), server(too_long));
        assert!(
            result.is_err_and(|it| it.contains("has no end within 65536 bytes")),
            "in pieces of {pieces}"
        );
    }
}

#[test]
fn each_part_has_a_time_of_its_own() {
    let recorded = [RESPONSE, b"\x81\x01a\x81\x01b"].concat();
    let say = |bytes: &[u8]| ServerStep::Say(bytes.to_vec());
    let server = |pause: Duration| {
        let mut server = ScriptedServer::new([RESPONSE], Forever::End);
        server.steps.extend([
            ServerStep::Wait(pause),
            say(b"\x81"),
            say(b"\x01a"),
            ServerStep::Wait(pause),
            say(b"\x81\x01b"),
        ]);
        server
    };
    assert!(play(&recorded, server(LIMIT)).is_ok());
    let (took, result) = time_of(&recorded, server(LIMIT + SECOND / 1000));
    assert_eq!((took, &result[..]), (LIMIT, "differs: frame 1 doesn't come within 5 s"));
}

#[test]
fn bytes_in_time_count_after_a_pause_of_this_process() {
    // The clock has passed the deadline when the answer is examined.
    let server = ScriptedServer::new([answer()], Forever::Nothing);
    let figures = server.figures.clone();
    let mut line = Line::new(server, LIMIT);
    line.begin_part();
    figures.borrow_mut().now += LIMIT * 2;
    assert_eq!(line.wait_for(answer().len()), line::Awaited::Enough);
    assert_eq!(line.wait_for(answer().len() + 1), line::Awaited::Silence);
}

#[test]
fn many_pings_at_once_do_not_hide_the_deadline() {
    let played = |pings: usize| {
        let recorded = [RESPONSE, b"\x81\x01a"].concat();
        let mut server =
            ScriptedServer::new([RESPONSE, &[&PING.repeat(pings)[..], b"\x81\x01a"].concat()], Forever::End);
        server.per_clock_read = SECOND;
        play(&recorded, server)
    };
    assert!(played(100).is_ok());
    assert!(played(100_000).is_err_and(|it| it.starts_with("differs: frame 1 doesn't come within 5 s\n")));
}

#[test]
fn a_server_that_does_not_read_differs() {
    let mut server = ScriptedServer::new([answer()], Forever::End);
    server.reads = 10;
    let figures = server.figures.clone();
    let result = play(&answer(), server);
    let unsent = REQUEST.len() - 10;
    let expected = format!("differs: the server doesn't read: {unsent} bytes were not sent within 5 s\n");
    assert!(result.as_ref().is_err_and(|it| it.starts_with(&expected)), "{result:?}");
    assert_eq!((figures.borrow().now, figures.borrow().sent.len()), (LIMIT, 10));
}

/// Returns how long a paced play takes for these times, and how many pauses are shortened.
fn paced(times: &[Duration], longest: Duration) -> (Duration, Result<usize, String>) {
    let words: Vec<_> = times.iter().map(|_| (Side::Client, &b"x"[..])).collect();
    let mut recording = recording(&words);
    for (piece, at) in recording.pieces.iter_mut().zip(times) {
        piece.at = *at;
    }
    let server = ScriptedServer::new([b""], Forever::End);
    let figures = server.figures.clone();
    let summary = play_recording(recording, server, Pace::AsRecorded { longest });
    let took = figures.borrow().now;
    (took, summary.map(|it| it.shortened))
}

#[test]
fn a_pause_is_as_long_as_recorded_but_not_longer_than_the_limit() {
    let minute = SECOND * 60;
    assert_eq!(paced(&[SECOND, SECOND * 4], minute), (SECOND * 4, Ok(0)));
    assert_eq!(paced(&[minute, minute * 2 + SECOND], minute), (minute * 2, Ok(1)));
    // 2^31 s is the maximum of a pcap; a pcapng allows more.
    assert_eq!(paced(&[SECOND, SECOND * (1 << 31), SECOND * (1 << 31)], minute), (minute + SECOND, Ok(1)));
    assert_eq!(paced(&[Duration::MAX, Duration::MAX], Duration::MAX), (Duration::MAX, Ok(0)));
    // Times that go backwards are no pause, and neither is the time until they catch up.
    assert_eq!(paced(&[SECOND * 9, SECOND, SECOND * 10], minute), (SECOND * 10, Ok(0)));
}

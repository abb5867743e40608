//! The log: it contains no unescaped text of a peer, and reports each period of failing accepts once.

use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

use super::*;

/// Collects the lines of the threads that request them; other tests run at the same time.
struct Collector;

thread_local! {
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        LINES.with_borrow(Option::is_some)
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.push(format!("{} {}", record.level(), record.args()));
            }
        });
    }

    fn flush(&self) {}
}

/// Returns the lines that `action` logs, at every level.
fn lines_of(action: impl FnOnce()) -> Vec<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Collector).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
    LINES.set(Some(Vec::new()));
    action();
    LINES.take().unwrap()
}

#[test]
fn no_text_of_a_peer_forges_a_line_or_steers_a_terminal() {
    let evil = "\r\n0.1 INFO  forged\x1b[2J\u{202e}\u{9b}\0\"\\";
    let lines = lines_of(|| {
        let mut world = World::new(|_| {});
        let client = world.connect();
        let request = String::from_utf8(REQUEST.to_vec()).unwrap().replace("GET /", "GET /?\\");
        world.send(&client, request.as_bytes());
        for first in [0x81, 0x82, 0x89, 0x8A] {
            world.send(&client, &frame(first, evil.as_bytes()));
        }
        // The server's own Close contains no text of the peer; a hook's may.
        let reason = [&[3, 232], evil.as_bytes()].concat();
        world.send(&client, &frame(0x88, &reason));
        let other = world.open();
        world.on_message(move |ws, message| ws.close(CloseCode::NORMAL, message.as_text().unwrap()));
        world.send(&other, &frame(0x81, evil.as_bytes()));
        world.send(&other, &frame(0x88, &reason));
        let malformed = world.connect();
        world.send(&malformed, b"GET /\x1b[2J HTTP/1.1\r\nHost: \x07\r\n\r\n");
        world.finish();
    });
    for line in &lines {
        let is_harmless = |it: char| !it.is_control() && it != '\u{202e}';
        assert!(line.chars().all(is_harmless), "{line:?}");
    }
    let shown = |what: &str| lines.iter().any(|line| line.contains(what));
    let escaped = r#""\r\n0.1 INFO  forged\u{1b}[2J\u{202e}\u{9b}\0\"\\""#;
    assert!(shown(&format!("closed: 1000 normal closure {escaped}, by the peer, clean")), "{lines:#?}");
    assert!(shown(&format!("< close: 1000 normal closure {escaped}")), "{lines:#?}");
    assert!(shown(&format!("> close: 1000 normal closure {escaped}")), "{lines:#?}");
    assert!(shown(r#"open: "/?\\""#), "{lines:#?}");
    for name in ["< text", "< binary", "< ping", "< pong", "> text", "> binary", "> pong"] {
        assert!(
            shown(&format!("{name}, {} bytes: \"\\r\\n0.1 INFO  forged\\x1b[2J", evil.len())),
            "{name}: {lines:#?}"
        );
    }
}

#[test]
fn each_spell_of_failing_accepts_logs_its_start_and_its_end() {
    let lines = lines_of(|| {
        let mut world = World::new(|_| {});
        for _ in 0..2 {
            world.queue.failure.set(Some(ErrorKind::Other));
            world.turn(&[readable(LISTENER)]);
            (0..5).for_each(|_| world.advance(100));
            world.queue.failure.set(None);
            (0..5).for_each(|_| world.advance(100));
            world.open();
        }
    });
    let logged: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| line.contains("accepting")).collect();
    let (begin, end) = ("WARN accepting no clients for now: other error", "INFO accepting clients again");
    assert_eq!(logged, [begin, end, begin, end]);
}

#[test]
fn each_end_is_logged_once_with_its_cause() {
    let lines = lines_of(|| {
        let mut world = World::new(|_| {});
        let [closing, reset, terminated] = [(); 3].map(|()| world.open());
        world.send(&closing, &frame(0x88, &[3, 232]));
        world.reset(&reset);
        world.on_message(|ws, _| ws.terminate());
        world.send(&terminated, &frame(0x81, b"x"));
        world.half_close(&closing);
        world.finish();
    });
    let logged: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("INFO connection ")).collect();
    let ends: Vec<&&str> = logged.iter().filter(|line| line.contains(" closed: ")).collect();
    assert_eq!(
        ends,
        [
            &"1 closed: 1000 normal closure, by the peer, clean",
            &"2 closed: 1006 abnormal closure, transport: connection reset, not clean",
            &"3 closed: 1006 abnormal closure, by the server, not clean",
        ]
    );
}

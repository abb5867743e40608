//! The mode `study` as a process: its page, which page sees what, and what a page can ask for.
//!
//! What the page makes of it is tested in a browser, by `tests/browser/run`.

#![cfg(all(unix, feature = "cli"))]

mod common;

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
};

use common::{BINARY, Client, Frame, PING, REQUEST, TEXT, header, request};

/// The origin of the page of a server that is asked for as the tests' requests do it.
const OWN: &str = "Origin: http://localhost\r\n";

/// A running `wirehook study`, which ends with the test.
struct Study {
    child: Child,
    address: SocketAddr,
}

impl Study {
    fn start(args: &[&str]) -> Self {
        let mut child = command(&["--listen", "127.0.0.1:0"]).args(args).spawn().expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, url) = line.trim_end().split_once(" study on http://").expect("the line tells the address");
        Self { child, address: url.trim_end_matches('/').parse().unwrap() }
    }

    /// Says a request on a connection of its own.
    fn ask(&self, request: &str) -> Client {
        let mut client = Client::connect(self.address);
        client.write(request.as_bytes());
        client
    }

    fn get(&self, path: &str) -> common::Refusal {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address)).refusal()
    }

    fn open_trace(&self) -> Trace {
        let mut client = self.ask(&request("/trace", OWN));
        client.expect_open();
        let mut trace = Trace { client, token: String::new() };
        let welcome = trace.receive();
        trace.token = member(&welcome, "token").to_owned();
        assert!(welcome.starts_with(r#"{"kind":"trace","#) && trace.token.len() == 32, "{welcome}");
        trace
    }

    fn open_session(&self, token: &str) -> Client {
        let mut client = self.ask(&request(&format!("/session/{token}"), OWN));
        client.expect_open();
        client
    }

    fn status_of(&self, request: &str) -> u16 {
        self.ask(request).refusal().status
    }
}

impl Drop for Study {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wirehook"));
    command.arg("study").args(args).env("RUST_LOG", "off");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    command(args).stderr(Stdio::piped()).output().unwrap()
}

/// The page's side of a trace.
struct Trace {
    client: Client,
    token: String,
}

impl Trace {
    /// Returns the next message to the page.
    fn receive(&mut self) -> String {
        let frame = self.client.frame();
        assert_eq!(frame.first, TEXT);
        String::from_utf8(frame.payload).unwrap()
    }

    /// Returns the messages to the page up to the first step that contains this text.
    fn hear_until(&mut self, text: &str) -> Vec<String> {
        let mut received = vec![self.receive()];
        while !received[received.len() - 1].contains(text) {
            received.push(self.receive());
        }
        received
    }

    fn command(&mut self, line: &str) {
        self.client.send_text(line);
    }
}

/// The value of a member of a JSON object that is a string or a number.
#[track_caller]
fn member<'a>(json: &'a str, name: &str) -> &'a str {
    let (_, rest) = json.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{name} in {json}"));
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next().unwrap(),
        None => rest.split([',', '}']).next().unwrap(),
    }
}

// --- The page --------------------------------------------------------------------------------------------

#[test]
fn the_page_loads_and_runs_nothing_from_elsewhere() {
    let study = Study::start(&[]);
    let mut nonces = Vec::new();
    for path in ["/", "/rfc6455"] {
        let page = study.get(path);
        assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
        assert_eq!(page.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(page.header("Referrer-Policy"), Some("no-referrer"));
        assert_eq!(page.header("Cache-Control"), Some("no-store"));
        let policy = page.header("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        for elsewhere in ["src=", "@import", "url(", "<link rel=\"stylesheet\"", "{{"] {
            assert!(!page.body.contains(elsewhere), "{path} has {elsewhere}");
        }
        let nonce = page.body.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        assert!(policy.contains(&format!("script-src 'nonce-{nonce}'")), "{policy}");
        assert!(nonce.len() == 32 && !nonces.contains(&nonce));
        nonces.push(nonce);
    }
}

#[test]
fn the_rows_that_rules_link_to_are_there() {
    let study = Study::start(&[]);
    let rules = study.get("/rfc6455").body;
    for anchor in ["id=\"s5.6-1\"", "id=\"s5.1-", "id=\"section-5.2\""] {
        assert!(rules.contains(anchor), "{anchor}");
    }
}

#[test]
fn other_paths_have_nothing() {
    let study = Study::start(&[]);
    for path in ["/index.html", "/session", "/favicon.ico", "//"] {
        assert_eq!(study.get(path).status, 404, "{path}");
    }
    for path in ["/trace", "/session/x"] {
        assert_eq!(study.get(path).status, 426, "{path} is for a WebSocket");
    }
    for path in ["/", "/traces", "/session"] {
        assert_eq!(study.status_of(&request(path, OWN)), 404, "there is no WebSocket at {path}");
    }
}

// --- Which page sees what --------------------------------------------------------------------------------

#[test]
fn every_frame_of_a_session_is_shown_in_both_directions() {
    let study = Study::start(&[]);
    let mut trace = study.open_trace();
    let mut session = study.open_session(&trace.token);
    let request = trace.receive();
    assert!(request.starts_with(r#"{"n":1,"time":"#) && member(&request, "kind") == "request", "{request}");
    assert_eq!((member(&request, "connection"), member(&request, "state")), ("1", "connecting"));
    // §1.3
    assert!(request.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{request}");
    let response = trace.receive();
    assert_eq!((member(&response, "kind"), member(&response, "state")), ("response", "open"));
    session.send_text("Hello");
    session.expect_text("Hello");
    let frame = trace.receive();
    // §5.7: "A single-frame masked text message".
    assert_eq!(
        (member(&frame, "header"), member(&frame, "masked")),
        ("818537fa213d", "7f9f4d5158"),
        "{frame}"
    );
    assert_eq!((member(&frame, "from"), member(&frame, "payload")), ("client", "48656c6c6f"), "{frame}");
    let echo = trace.receive();
    assert_eq!((member(&echo, "from"), member(&echo, "header")), ("server", "8105"), "{echo}");
    session.send_close(1000, "done");
    session.expect_close(1000, "");
    session.expect_end();
    drop(session);
    let kinds: Vec<String> =
        trace.hear_until("\"gone\"").iter().map(|it| member(it, "kind").to_owned()).collect();
    assert_eq!(kinds, ["frame", "frame", "gone"]);
}

#[test]
fn a_page_sees_nothing_of_other_pages_sessions() {
    let study = Study::start(&[]);
    let (mut ours, mut theirs) = (study.open_trace(), study.open_trace());
    assert_ne!(ours.token, theirs.token);
    let mut session = study.open_session(&ours.token);
    session.send_text("not for others");
    session.expect_text("not for others");
    session.send_close(1000, "");
    session.expect_close(1000, "");
    drop(session);
    ours.hear_until("\"gone\"");
    // Steps of other sessions would come before their own, whose numbers begin at the first.
    let mut session = study.open_session(&theirs.token);
    session.send_text("ours");
    session.expect_text("ours");
    for (n, json) in (1..).zip(theirs.hear_until("\"text\":\"ours\"")) {
        assert_eq!((member(&json, "n"), member(&json, "connection")), (&*n.to_string(), "1"), "{json}");
        assert!(!json.contains("not for others") && !json.contains(&ours.token), "{json}");
    }
    // And the other way round: commands reach only one's own sessions.
    for line in ["ping 1", "close 1 1000", "vanish 1", "echo 1 off"] {
        ours.command(line);
        assert_eq!(member(&ours.receive(), "kind"), "refused", "{line}");
    }
    session.send_text("still here");
    session.expect_text("still here");
}

#[test]
fn a_token_ends_with_its_page() {
    let study = Study::start(&[]);
    let mut trace = study.open_trace();
    let mut session = study.open_session(&trace.token);
    trace.hear_until("\"response\"");
    trace.client.send_close(1001, "");
    trace.client.expect_close(1001, "");
    session.expect_close(1001, "the page that showed this has gone");
    assert_eq!(study.status_of(&request(&format!("/session/{}", trace.token), OWN)), 404);
    let guess = "0".repeat(32);
    for token in ["", "x", &guess] {
        assert_eq!(study.status_of(&request(&format!("/session/{token}"), OWN)), 404, "{token}");
    }
}

#[test]
fn a_request_with_the_token_that_is_refused_is_shown_too() {
    let study = Study::start(&[]);
    let mut trace = study.open_trace();
    let old = request(&format!("/session/{}", trace.token), "").replace("Version: 13", "Version: 8");
    assert_eq!(study.status_of(&old), 426);
    let shown = trace.receive();
    assert_eq!(member(&shown, "kind"), "request");
    assert!(shown.contains(r#""refused":{"status":426"#), "{shown}");
    assert_eq!(member(&trace.receive(), "status"), "426");
}

#[test]
fn pages_of_other_origins_are_refused() {
    // §10.2
    let study = Study::start(&[]);
    let token = study.open_trace().token;
    let others = [
        "http://evil.example",
        "null",
        "http://localhost:1",
        "ftp://localhost",
        "localhost",
        "http://localhost.evil.example",
    ];
    for path in ["/trace".to_owned(), format!("/session/{token}")] {
        for origin in others {
            let request = request(&path, &format!("Origin: {origin}\r\n"));
            assert_eq!(study.status_of(&request), 403, "{origin} at {path}");
        }
    }
    // A program has no origin, and is no page.
    let trace = study.open_trace();
    study.ask(&request(&format!("/session/{}", trace.token), "")).expect_open();
}

#[test]
fn names_that_only_lead_here_are_refused() {
    let study = Study::start(&[]);
    for path in ["/trace", "/session/x"] {
        let request = request(path, "Origin: http://evil.example\r\n").replace("localhost", "evil.example");
        assert_eq!(study.status_of(&request), 403, "{path}");
    }
    assert_eq!(study.status_of("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403);
    let open = Study::start(&["--public"]);
    let mut client =
        open.ask(&request("/trace", "Origin: https://s.example\r\n").replace("localhost", "s.example"));
    client.expect_open();
}

// --- Commands --------------------------------------------------------------------------------------------

/// A page and its session, after the handshake was shown.
fn open(study: &Study) -> (Trace, Client) {
    let mut trace = study.open_trace();
    let session = study.open_session(&trace.token);
    trace.hear_until("\"response\"");
    (trace, session)
}

#[test]
fn a_page_can_have_its_session_pinged() {
    // §5.5.2
    let study = Study::start(&[]);
    let (mut trace, mut session) = open(&study);
    trace.command("ping 1 are you there?");
    assert_eq!(session.frame(), Frame { first: PING, payload: b"are you there?".to_vec() });
    assert_eq!((member(&trace.receive(), "name"), "ping"), ("ping", "ping"));
}

#[test]
fn a_page_can_have_answers_fragmented_and_left_out() {
    // §5.4
    let study = Study::start(&[]);
    let (mut trace, mut session) = open(&study);
    trace.command("fragment 1 2");
    // Commands and messages use two connections: the next line of the trace comes after the command.
    trace.command("dance");
    trace.hear_until("\"refused\"");
    session.send_text("Hello");
    let fragments = [(0x01, "He"), (0x00, "ll"), (0x80, "o")];
    for (first, payload) in fragments {
        assert_eq!(session.frame(), Frame { first, payload: payload.into() });
    }
    trace.command("fragment 1 0");
    trace.command("echo 1 off");
    trace.command("dance");
    trace.hear_until("\"refused\"");
    session.send_text("no answer");
    trace.hear_until("no answer");
    trace.command("echo 1 on");
    trace.command("dance");
    trace.hear_until("\"refused\"");
    session.send(BINARY, b"answer");
    assert_eq!(session.frame(), Frame { first: BINARY, payload: b"answer".to_vec() });
}

#[test]
fn an_answer_has_a_thousand_fragments_at_most() {
    let study = Study::start(&[]);
    let (mut trace, mut session) = open(&study);
    trace.command("fragment 1 1");
    trace.command("dance");
    trace.hear_until("\"refused\"");
    session.send(BINARY, &[7; 100_000]);
    let mut lens = Vec::new();
    loop {
        let frame = session.frame();
        lens.push(frame.payload.len());
        if frame.first & 0x80 != 0 {
            break;
        }
    }
    assert_eq!((lens.len(), lens.iter().sum::<usize>()), (1000, 100_000));
}

#[test]
fn a_page_can_have_its_session_fail_and_close_and_vanish() {
    // §7.1.7, §7.1.2
    let study = Study::start(&[]);
    for (line, code, reason) in [
        ("fail 1 1002", 1002, "§5.2: reserved bit set and no extension negotiated"),
        ("fail 1 1007", 1007, "§8.1: text is not UTF-8"),
        ("fail 1 1009", 1009, "§10.4: message over the size limit"),
        ("close 1 4000 as you wish", 4000, "as you wish"),
    ] {
        let (mut trace, mut session) = open(&study);
        trace.command(line);
        session.expect_close(code, reason);
        session.send_close(code, "");
        session.expect_end();
        drop(session);
        trace.hear_until("\"gone\"");
    }
    let (mut trace, mut session) = open(&study);
    trace.command("vanish 1");
    assert!(!matches!(session.try_frame(), Ok(Some(_))), "nothing is said");
    assert!(trace.hear_until("\"gone\"").len() == 1, "no frame comes before the end");
}

#[test]
fn impossible_commands_are_refused_and_cost_nothing() {
    let study = Study::start(&[]);
    let (mut trace, mut session) = open(&study);
    for line in ["", "dance 1", "ping 2", "ping one", "close 1 1006", "fail 1 1000", "fragment 1 x"] {
        trace.command(line);
        assert_eq!(member(&trace.receive(), "kind"), "refused", "{line}");
    }
    trace.client.send(BINARY, b"ping 1");
    assert_eq!(member(&trace.receive(), "says"), "a command is text");
    session.send_text("still here");
    session.expect_text("still here");
}

// --- Bounds ----------------------------------------------------------------------------------------------

#[test]
fn the_sessions_of_a_page_and_the_pages_have_a_limit() {
    let study = Study::start(&[]);
    let trace = study.open_trace();
    let mut sessions: Vec<Client> = (0..16).map(|_| study.open_session(&trace.token)).collect();
    let one_more = request(&format!("/session/{}", trace.token), OWN);
    assert_eq!(study.status_of(&one_more), 503);
    let mut first = sessions.remove(0);
    first.send_close(1000, "");
    first.expect_close(1000, "");
    first.expect_end();
    drop(first);
    let traces: Vec<Trace> = (0..63).map(|_| study.open_trace()).collect();
    assert_eq!(study.status_of(&request("/trace", OWN)), 503);
    drop(traces);
    // Its place is free once the server has noticed that it has gone, which is before it noticed all of
    // those.
    study.ask(&one_more).expect_open();
}

#[test]
fn a_page_that_does_not_keep_up_is_told_how_much_it_has_missed() {
    let study = Study::start(&["--max-backpressure", "16K"]);
    let (mut trace, mut session) = open(&study);
    for _ in 0..200 {
        session.send_text("Hello");
        session.expect_text("Hello");
    }
    // The request, the response, and some of the 400 frames; then nothing, because nothing was acknowledged.
    let mut shown = 0;
    while trace.client.has_input_within(std::time::Duration::from_millis(300)) {
        assert_eq!(member(&trace.receive(), "kind"), "frame");
        shown += 1;
    }
    assert!((5..100).contains(&shown), "{shown}");
    trace.command(&format!("seen {}", 2 + shown));
    let missed = trace.receive();
    assert_eq!((member(&missed, "kind"), member(&missed, "count")), ("missed", &*(400 - shown).to_string()));
    session.send_text("from now on");
    session.expect_text("from now on");
    assert!(trace.receive().contains("from now on"));
}

// --- Where it listens ------------------------------------------------------------------------------------

#[test]
fn it_listens_on_loopback_unless_it_is_told_to_be_public() {
    let output = run(&["--listen", "0.0.0.0:0"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.starts_with("wirehook: ") && text.lines().count() == 1 && text.contains("--public"),
        "{text}"
    );
    assert!(output.stdout.is_empty());
    let mut child = command(&["--listen", "0.0.0.0:0", "--public"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let _ = (child.kill(), child.wait());
    assert!(line.contains(" study on http://0.0.0.0:"), "{line}");
}

#[test]
fn the_other_modes_know_no_public() {
    let output = Command::new(env!("CARGO_BIN_EXE_wirehook")).args(["echo", "--public"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("--public is for study"), "{text}");
}

#[test]
fn subprotocols_are_two_or_those_that_are_named() {
    // §1.9
    for (args, offer, chosen) in [
        (&[][..], "echo.v1, echo.v2", Some("echo.v2")),
        (&["--subprotocol", "mine"], "echo.v1, mine", Some("mine")),
        (&["--subprotocol", "mine"], "echo.v1", None),
    ] {
        let study = Study::start(args);
        let trace = study.open_trace();
        let headers = format!("{OWN}Sec-WebSocket-Protocol: {offer}\r\n");
        let mut session = study.ask(&request(&format!("/session/{}", trace.token), &headers));
        assert_eq!(header(&session.expect_open(), "Sec-WebSocket-Protocol"), chosen, "{offer}");
    }
}

#[test]
fn a_plain_client_without_a_token_gets_no_session() {
    assert_eq!(Study::start(&[]).status_of(REQUEST), 404);
}

//! The binary as a process: its arguments, what it prints, its signals and its exit status.

#![cfg(all(unix, feature = "cli"))]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use common::{BINARY, Client, Frame, GRAIN, PATIENCE, PING, REQUEST, header, request};

const BINARY_PATH: &str = env!("CARGO_BIN_EXE_wirehook");

/// A running binary, which ends with the test.
struct Process {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Process {
    /// Starts the binary on a free port.
    fn start(args: &[&str]) -> (Self, SocketAddr) {
        Self::start_at("127.0.0.1:0", args)
    }

    fn start_at(listen: &str, args: &[&str]) -> (Self, SocketAddr) {
        Self::spawn(command(&["--listen", listen]).args(args))
    }

    /// Starts a command that becomes the binary, and waits until it says where it listens.
    fn spawn(command: &mut Command) -> (Self, SocketAddr) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        let process = Self { child, stdout, stderr };
        let line = process.line();
        let (_, address) = line.split_once(" on ws://").expect("the line tells the address");
        let address = address.parse().expect("the address is one that can be connected to");
        (process, address)
    }

    /// The next line on standard output.
    fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("a line is printed")
    }

    /// Waits for a line on standard error that holds this.
    fn expect_logged(&self, text: &str) -> String {
        let mut others = Vec::new();
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => others.push(line),
                Err(_) => panic!("{text:?} is not logged, but {others:#?}"),
            }
        }
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until the process ends, and returns its status and the rest of standard error.
    fn wait(mut self) -> (ExitStatus, Vec<String>) {
        // Both end when the process does.
        let rest = drain(&self.stderr);
        assert_eq!(drain(&self.stdout), [""; 0], "nothing more is printed");
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY_PATH);
    command.args(args).env_remove("RUST_LOG").env_remove("RUST_LOG_STYLE");
    command
}

/// The lines of a stream as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// All lines up to the end of a stream.
fn drain(lines: &Receiver<String>) -> Vec<String> {
    let mut rest = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => rest.push(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => return rest,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the process goes on"),
        }
    }
}

/// Runs the binary to its end, which must come by itself.
fn run(args: &[&str]) -> Output {
    let mut child = command(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let stdout = lines(child.stdout.take().unwrap());
    let stderr = lines(child.stderr.take().unwrap());
    let mut process = Process { child, stdout, stderr };
    let text = |lines: &Receiver<String>| {
        drain(lines).into_iter().map(|line| line + "\n").collect::<String>().into_bytes()
    };
    let (stdout, stderr) = (text(&process.stdout), text(&process.stderr));
    Output { status: process.child.wait().unwrap(), stdout, stderr }
}

// --- Arguments -------------------------------------------------------------------------------------------

#[test]
fn help_and_version_are_printed() {
    for args in [["--help"], ["-h"]] {
        let output = run(&args);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(text.contains("Usage: wirehook [MODE] [OPTIONS]"), "{text}");
        let options = [
            "--listen",
            "--origin",
            "--subprotocol",
            "--max-connections",
            "--max-message-size",
            "--max-header-size",
            "--max-headers",
            "--handshake-timeout",
            "--ping-interval",
            "--pong-timeout",
            "--close-timeout",
            "--max-backpressure",
            "--backpressure",
            "--nodelay",
            "-v",
            "-q",
            "--help",
            "--version",
        ];
        for option in options {
            assert!(text.contains(option), "{option} is explained");
        }
    }
    for args in [["--version"], ["-V"]] {
        let output = run(&args);
        assert!(output.status.success() && output.stderr.is_empty());
        assert_eq!(output.stdout, concat!("wirehook ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
    }
}

#[test]
fn arguments_that_make_no_sense_are_told_in_one_line() {
    let cases: [(&[&str], &str); 17] = [
        (&["--unknown"], "--unknown"),
        (&["-x"], "-x"),
        (&["dance"], "echo and greet"),
        (&["echo", "greet"], "greet"),
        (&["--listen"], "--listen"),
        (&["--max-message-size", "12Q"], "12Q"),
        (&["--max-message-size", "-1"], "size"),
        (&["--max-header-size", "99999999999G"], "more"),
        (&["--max-headers", "many"], "many"),
        (&["--max-connections", "few"], "few"),
        (&["--handshake-timeout", "0"], "longer than 0"),
        (&["--ping-interval", "soon"], "soon"),
        (&["--pong-timeout", "none"], "none"),
        (&["--close-timeout", "10x"], "10x"),
        (&["--backpressure", "wait"], "drop or close"),
        (&["--nodelay", "perhaps"], "on or off"),
        (&["--subprotocol", "two words"], "two words"),
    ];
    for (args, told) in cases {
        let output = run(args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.starts_with("wirehook: ") && text.lines().count() == 1, "{args:?}: {text}");
        assert!(text.contains(told), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for listen in [&*address, "127.0.0.1", "nowhere.invalid:1"] {
        let output = run(&["--listen", listen]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.starts_with("wirehook: ") && text.lines().count() == 1, "{text}");
        assert!(text.contains(listen), "{text}");
        assert!(output.stdout.is_empty());
    }
}

// --- Modes -----------------------------------------------------------------------------------------------

#[test]
fn echo_is_the_mode_without_a_name() {
    for args in [&[][..], &["echo"]] {
        let (_process, address) = Process::start(args);
        let mut client = Client::open(address);
        client.send_text("grüße");
        client.expect_text("grüße");
        client.send(BINARY, &[0, 0xFF]);
        assert_eq!(client.frame(), Frame { first: BINARY, payload: vec![0, 0xFF] });
    }
}

#[test]
fn exactly_one_line_tells_where_the_server_listens() {
    let (process, address) = Process::start(&[]);
    assert!(address.ip().is_loopback() && address.port() != 0);
    Client::open(address);
    process.signal("TERM");
    // `wait` holds that nothing more is printed.
    assert!(process.wait().0.success());
}

#[test]
fn it_listens_on_ipv6_too() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let (_process, address) = Process::start_at("[::1]:0", &[]);
    assert!(address.is_ipv6() && address.port() != 0);
    let mut client = Client::connect(address);
    client.write(REQUEST.replace("localhost", &address.to_string()).as_bytes());
    client.expect_open();
}

#[test]
fn greet_is_the_canonical_program() {
    let (process, address) = Process::start(&["greet"]);
    let mut client = Client::open(address);
    client.expect_text("welcome to the websocket server!");
    assert_eq!(process.line(), "connection open: 1");
    client.send_text("X");
    client.expect_text("hello, X !");
    assert_eq!(process.line(), "received message: X");
    client.send_text("no \x1b[31m\ncolours");
    client.expect_text("hello, no \x1b[31m\ncolours !");
    assert_eq!(process.line(), "received message: no \\u{1b}[31m\\ncolours");
    client.send_close(1000, "");
    client.expect_close(1000, "");
    assert_eq!(process.line(), "connection close: 1");
    Client::open(address).expect_text("welcome to the websocket server!");
    assert_eq!(process.line(), "connection open: 2");
    assert_eq!(process.line(), "connection close: 2");
}

// --- Limits and lists ------------------------------------------------------------------------------------

/// The status of the answer to a request that is refused.
fn status_of(address: SocketAddr, request: &str) -> u16 {
    let mut client = Client::connect(address);
    client.write(request.as_bytes());
    client.refusal().status
}

#[test]
fn max_message_size_is_inclusive() {
    // §10.4
    let (_process, address) = Process::start(&["--max-message-size", "1K"]);
    let mut client = Client::open(address);
    client.send(BINARY, &[1; 1024]);
    assert_eq!(client.frame(), Frame { first: BINARY, payload: vec![1; 1024] });
    client.send(BINARY, &[1; 1025]);
    assert_eq!(client.frame().payload[..2], 1009u16.to_be_bytes());
}

#[test]
fn limits_of_the_request_head_have_their_options() {
    // RFC 6585 §5
    let size = REQUEST.len().to_string();
    let (_process, address) = Process::start(&["--max-header-size", &size]);
    Client::open(address);
    assert_eq!(status_of(address, &request("/?", "")), 431);
    // The request has five header lines.
    let (_process, address) = Process::start(&["--max-headers", "5"]);
    Client::open(address);
    assert_eq!(status_of(address, &request("/", "One: more\r\n")), 431);
}

#[test]
fn handshake_timeout_has_its_option() {
    // RFC 9110 §15.5.9
    let began = Instant::now();
    let (_process, address) = Process::start(&["--handshake-timeout", "100ms"]);
    assert_eq!(status_of(address, "GET / HTTP/1.1\r\n"), 408);
    assert!(began.elapsed() + GRAIN >= Duration::from_millis(100));
    // The default is 10 s.
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[test]
fn ping_interval_and_pong_timeout_have_their_options() {
    // §5.5.2
    let (_process, address) = Process::start(&["--ping-interval", "50ms", "--pong-timeout", "50ms"]);
    let mut client = Client::open(address);
    assert_eq!(client.frame(), Frame { first: PING, payload: vec![] });
    assert_eq!(client.frame().payload[..2], 1011u16.to_be_bytes());
    let (_process, address) = Process::start(&["--ping-interval", "none"]);
    assert!(!Client::open(address).hears_within(Duration::from_millis(100)));
}

#[test]
fn max_connections_has_its_option() {
    // RFC 9110 §15.6.4
    let (_process, address) = Process::start(&["--max-connections", "1"]);
    let _first = Client::open(address);
    let mut second = Client::connect(address);
    let refusal = second.refusal();
    assert_eq!(refusal.status, 503);
    assert!(refusal.header("Retry-After").is_some());
}

#[test]
fn origins_and_subprotocols_can_be_repeated() {
    // §10.2, §4.2.2
    let args = ["--origin", "https://a.example", "--origin", "https://b.example"];
    let (_process, address) =
        Process::start(&[&args[..], &["--subprotocol", "v2", "--subprotocol", "v1"]].concat());
    for (origin, offer, chosen) in [("a", "v1, v2", "v2"), ("b", "v0, v1", "v1")] {
        let mut client = Client::connect(address);
        let headers = format!("Origin: https://{origin}.example\r\nSec-WebSocket-Protocol: {offer}\r\n");
        client.write(request("/", &headers).as_bytes());
        assert_eq!(header(&client.expect_open(), "Sec-WebSocket-Protocol"), Some(chosen));
    }
    assert_eq!(status_of(address, &request("/", "Origin: https://c.example\r\n")), 403);
}

#[test]
fn the_other_options_are_taken() {
    let args = ["--max-backpressure", "64K", "--backpressure", "close", "--nodelay", "off"];
    let (_process, address) = Process::start(&args);
    let mut client = Client::open(address);
    client.send_text("served");
    client.expect_text("served");
}

// --- What is told ----------------------------------------------------------------------------------------

/// What is logged while a client connects, says a word and leaves.
fn logged(args: &[&str], rust_log: Option<&str>) -> Vec<String> {
    let mut command = command(&["--listen", "127.0.0.1:0"]);
    command.args(args).envs(rust_log.map(|value| ("RUST_LOG", value)));
    let (process, address) = Process::spawn(&mut command);
    let mut client = Client::open(address);
    client.send_text("a word");
    client.expect_text("a word");
    client.send_close(1000, "");
    client.expect_close(1000, "");
    client.expect_end();
    drop(client);
    process.signal("TERM");
    let (status, lines) = process.wait();
    assert!(status.success());
    lines
}

#[test]
fn how_much_is_told_can_be_chosen() {
    let has = |lines: &[String], text: &str| lines.iter().any(|line| line.contains(text));
    let usual = logged(&[], None);
    assert!(has(&usual, "INFO  connection 1") && has(&usual, "open") && has(&usual, "1000 normal closure"));
    assert!(!has(&usual, "DEBUG") && !has(&usual, "TRACE"), "{usual:#?}");
    assert_eq!(logged(&["-q"], None), [""; 0], "nothing has gone wrong");
    let more = logged(&["-v"], None);
    assert!(has(&more, "DEBUG") && has(&more, "INFO") && !has(&more, "TRACE"), "{more:#?}");
    for (args, rust_log) in [(&["-vv"][..], None), (&[], Some("trace")), (&[], Some("wirehook=trace"))] {
        let all = logged(args, rust_log);
        assert!(has(&all, "TRACE") && has(&all, "\"a word\""), "frames are shown: {all:#?}");
    }
    // An option is nearer than the environment.
    assert_eq!(logged(&["-q"], Some("trace")), [""; 0]);
    assert_eq!(logged(&[], Some("off")), [""; 0]);
}

#[test]
fn a_broken_rule_is_logged_with_its_section() {
    // §7.1.7: "the server MUST _Close the WebSocket Connection_, and SHOULD log the problem."
    let (process, address) = Process::start(&[]);
    let mut client = Client::open(address);
    client.write(b"\x81\x05Hello");
    client.expect_close(1002, "§5.1: a client must mask its frames");
    client.expect_end();
    let line = process.expect_logged("1002 protocol error");
    assert!(line.contains("INFO  connection 1 closed") && line.contains("broken rule §5.1"), "{line}");

    // A handshake that is refused is a problem too.
    assert_eq!(status_of(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 426);
    let line = process.expect_logged("refused: 426");
    assert!(line.contains("§4.2.1"), "{line}");
}

// --- Signals ---------------------------------------------------------------------------------------------

#[test]
fn sigterm_and_sigint_close_every_connection_and_exit_with_0() {
    // §7.4.1
    for signal in ["TERM", "INT"] {
        let (process, address) = Process::start(&[]);
        let mut clients: Vec<Client> = (0..5).map(|_| Client::open(address)).collect();
        process.signal(signal);
        for client in &mut clients {
            client.expect_close(1001, "server is shutting down");
            client.send_close(1001, "");
            client.expect_end();
        }
        drop(clients);
        assert_eq!(process.wait().0.code(), Some(0), "{signal}");
    }
}

#[test]
fn a_client_that_never_answers_delays_the_exit_by_close_timeout() {
    // §7.1.1
    let (process, address) = Process::start(&["--close-timeout", "200ms"]);
    let mut deaf = Client::open(address);
    let began = Instant::now();
    process.signal("TERM");
    deaf.expect_close(1001, "server is shutting down");
    assert_eq!(process.wait().0.code(), Some(0));
    assert!(began.elapsed() + GRAIN >= Duration::from_millis(200));
    // The default is 5 s.
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let (process, address) = Process::start(&["--close-timeout", "1h"]);
    let mut deaf = Client::open(address);
    process.signal("TERM");
    deaf.expect_close(1001, "server is shutting down");
    process.signal("TERM");
    assert_eq!(process.wait().0.code(), Some(128 + 15));
}

// --- Adversity -------------------------------------------------------------------------------------------

/// How much processor time a process has had, in seconds, where the system says so.
fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may hold anything: user and system time are the 12th and 13th, in 1/100 s.
    let ticks: Vec<f64> =
        stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
    Some(ticks.iter().sum::<f64>() / 100.0)
}

#[test]
fn a_full_descriptor_table_is_survived() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 24; exec \"$0\" --listen 127.0.0.1:0", BINARY_PATH]).env_remove("RUST_LOG");
    let (process, address) = Process::spawn(&mut shell);
    // More clients than descriptors: the system lets them all connect, and the server can't take all of them.
    let mut clients: Vec<Client> = (0..40).map(|_| Client::connect(address)).collect();
    for client in &mut clients {
        client.write(REQUEST.as_bytes());
    }
    process.expect_logged("accepting no clients for now");
    // They are accepted in the order in which they came.
    let mut served = 0;
    while clients[served].hears_within(Duration::from_millis(700)) {
        clients[served].expect_open();
        served += 1;
    }
    assert!((6..24).contains(&served), "{served} clients with 24 descriptors");
    let mut waiting = clients.split_off(served);
    let before = cpu_seconds(process.child.id());
    for _ in 0..10 {
        for client in &mut clients {
            client.send_text("still served");
            client.expect_text("still served");
        }
        assert!(!waiting[0].hears_within(Duration::from_millis(50)));
    }
    if let (Some(before), Some(after)) = (before, cpu_seconds(process.child.id())) {
        assert!(after - before < 0.3, "{} s of processor time, with next to nothing to do", after - before);
    }
    // As many as leave, so many are let in.
    clients.drain(..5);
    for client in &mut waiting[..5] {
        client.expect_open();
        client.send_text("at last");
        client.expect_text("at last");
    }
    assert!(!waiting[5].hears_within(Duration::from_millis(200)));
    process.signal("TERM");
    for client in clients.iter_mut().chain(&mut waiting[..5]) {
        client.expect_close(1001, "server is shutting down");
    }
    drop((clients, waiting));
    assert_eq!(process.wait().0.code(), Some(0));
}

//! Recording, decoding a recording, and playing it again, with the binary as a process.
//!
//! This file knows sessions and what has to come of them. How a capture looks, byte by byte, is tested beside
//! the code in `src/cli/capture/`, and by Wireshark's own dissector in `capture/run`.

#![cfg(all(unix, feature = "cli"))]

mod common;

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, Instant},
};

use common::{
    BINARY, Client, Frame, GRAIN, PING, PONG, REQUEST, TEXT, frame,
    process::{BINARY_PATH, Process, command, run},
};

/// A directory that goes with its test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("capture-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// The files in it, in the order in which their connections began.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.map(|path| path.to_str().unwrap().to_owned()).collect();
        files.sort();
        files
    }

    /// The only file in it.
    fn file(&self) -> String {
        let mut files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts a server that records.
fn recorder(mode: &str, directory: &Directory) -> (Process, SocketAddr) {
    Process::start(&[mode, "--record", directory.path()])
}

/// Goes without a word, and waits until the server has seen it: a server that is stopped before would say
/// Close.
fn leave(mut client: Client) {
    client.half_close();
    while let Some(frame) = client.try_frame().unwrap() {
        assert_eq!(frame.first, PING);
    }
}

fn stop(process: Process) {
    process.signal("TERM");
    assert!(process.wait().0.success());
}

/// The same for `greet`, which prints each connection that opens or ends.
fn stop_greeting(process: Process) {
    assert_eq!(["connection open: 1", "connection close: 1"], [(); 2].map(|()| process.line()));
    stop(process);
}

/// A text, a binary message in two fragments with a ping between, and an orderly end.
fn converse(address: SocketAddr) {
    let mut client = Client::open(address);
    client.send_text("Hello");
    client.expect_text("Hello");
    client.send(0x02, &[7; 200]);
    client.send(PING, b"between");
    assert_eq!(client.frame(), Frame { first: PONG, payload: b"between".to_vec() });
    client.send(0x80, &[8; 70_000]);
    assert_eq!(client.frame(), Frame { first: BINARY, payload: [&[7; 200][..], &[8; 70_000]].concat() });
    client.send_close(1000, "bye");
    client.expect_close(1000, "");
    client.expect_end();
}

/// A recording of that against an echo.
fn recorded(directory: &Directory) -> String {
    let (process, address) = recorder("echo", directory);
    converse(address);
    stop(process);
    directory.file()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// How long after the first packet of a recording its client has said the last thing, as the file has it.
fn time_of_last_word(file: &str) -> Duration {
    let bytes = fs::read(file).unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    // An enhanced packet block: kind, length, interface, nanoseconds in two halves, two lengths, the packet.
    // In that 20 bytes of IPv4, then TCP, which begins with the sender's port and has 20 bytes too without
    // options.
    let (mut at, mut packets) = (0, Vec::new());
    while at < bytes.len() {
        if number(at) == 6 {
            let time = Duration::from_nanos(u64::from(number(at + 12)) << 32 | u64::from(number(at + 16)));
            packets.push((time, &bytes[at + 48..at + 50], number(at + 20) > 40));
        }
        at += number(at + 4) as usize;
    }
    let (began, client, _) = packets[0];
    let mut said = packets.iter().filter(|(_, sender, has_payload)| *sender == client && *has_payload);
    said.next_back().unwrap().0 - began
}

/// The lines of `decode --json`, each cut down to side, kind, length and the beginning of the payload.
fn decoded(file: &str) -> Vec<String> {
    let output = run(&["decode", "--json", file]);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let field = |line: &str, name: &str| -> Option<String> {
        let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
        let end = rest.find([',', '}'])?;
        Some(rest[..end].trim_matches('"').chars().take(14).collect())
    };
    let fields = ["from", "kind", "name", "length", "payload"];
    let lines = text(&output.stdout);
    let lines =
        lines.lines().map(|line| fields.into_iter().filter_map(|it| field(line, it)).collect::<Vec<_>>());
    lines.map(|fields| fields.join(" ")).collect()
}

fn replay(file: &str, address: SocketAddr, more: &[&str]) -> (Option<i32>, String, String) {
    let target = format!("ws://{address}");
    let Output { status, stdout, stderr } = run(&[&["replay", file, "--to", &target][..], more].concat());
    (status.code(), text(&stdout), text(&stderr))
}

// --- Recording -------------------------------------------------------------------------------------------

#[test]
fn a_recording_has_all_that_both_sides_have_said() {
    let directory = Directory::new("all");
    let expected = [
        "connected",
        "client request",
        "server response",
        "client frame text 5 48656c6c6f",
        "server frame text 5 48656c6c6f",
        "client frame binary 200 07070707070707",
        "client frame ping 7 6265747765656e",
        "server frame pong 7 6265747765656e",
        "client frame continuation 70000 08080808080808",
        "server frame binary 70200 07070707070707",
        "client frame close 5 03e8627965",
        "server frame close 2 03e8",
    ];
    assert_eq!(decoded(&recorded(&directory)), expected);
}

/// A connection that sends nothing has no file.
#[test]
fn every_connection_that_sends_anything_has_a_file_of_its_own() {
    let directory = Directory::new("each");
    let (process, address) = recorder("echo", &directory);
    // More than there are files open at once, each speaking in turn.
    let mut clients: Vec<_> = (0..70).map(|_| Client::open(address)).collect();
    let mut silent = Client::connect(address);
    for round in ["one", "two"] {
        for client in &mut clients {
            client.send_text(round);
            client.expect_text(round);
        }
    }
    // The server has seen the silent client end before SIGTERM, at which it would send a Close.
    silent.half_close();
    silent.expect_end();
    drop(clients);
    stop(process);
    let files = directory.files();
    assert_eq!(files.len(), 70);
    for file in files {
        let lines = decoded(&file);
        let said: Vec<_> = lines.iter().filter(|line| line.contains("frame text")).collect();
        let [one, two] = ["3 6f6e65", "3 74776f"]
            .map(|it| [format!("client frame text {it}"), format!("server frame text {it}")]);
        assert_eq!(said, one.iter().chain(&two).collect::<Vec<_>>());
    }
}

#[test]
fn what_was_said_is_there_whatever_ends_the_server() {
    for signal in ["TERM", "KILL"] {
        let directory = Directory::new(signal);
        let (process, address) = recorder("echo", &directory);
        let mut client = Client::open(address);
        client.send_text("Hello");
        client.expect_text("Hello");
        // A recorder gets bytes after the socket has accepted them, and the client may have them before: up
        // to a turn.
        client.send(PING, b"");
        assert_eq!(client.frame(), Frame { first: PONG, payload: vec![] });
        process.signal(signal);
        if signal == "TERM" {
            client.expect_close(1001, "server is shutting down");
        }
        drop(client);
        process.wait();
        let lines = decoded(&directory.file());
        assert_eq!(lines[3..5], ["client frame text 5 48656c6c6f", "server frame text 5 48656c6c6f"]);
        let has_close = lines.iter().any(|line| line.starts_with("server frame close 25 03e9"));
        assert_eq!(has_close, signal == "TERM", "{lines:#?}");
    }
}

#[test]
fn recordings_are_their_owners_only() {
    let directory = Directory::new("private");
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = recorded(&directory);
    assert_eq!((mode(directory.path()), mode(&file)), (0o700, 0o600));
    let frames = format!("{}/frames", directory.path());
    assert!(run(&["replay", &file, "--extract", &frames]).status.success());
    assert_eq!(mode(&frames), 0o600);
}

#[test]
fn a_directory_that_cant_be_made_is_reported_in_one_line() {
    let directory = Directory::new("file");
    fs::write(directory.path(), "a file").unwrap();
    let output = run(&["--listen", "127.0.0.1:0", "--record", directory.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("wirehook: cannot record into "), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr).lines().count(), 1);
    fs::remove_file(directory.path()).unwrap();
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_server() {
    let directory = Directory::new("full");
    // No file may have more than 32 blocks, of half a KiB or a whole one.
    let script = "trap '' XFSZ; ulimit -f 32; exec \"$0\" --listen 127.0.0.1:0 --record \"$1\"";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, BINARY_PATH, directory.path()]).env_remove("RUST_LOG");
    let (process, address) = Process::spawn(&mut shell);
    let mut client = Client::open(address);
    client.send_text("before");
    client.expect_text("before");
    client.send(BINARY, &[1; 40_000]);
    assert_eq!(client.frame().payload.len(), 40_000);
    process.expect_logged("connection 1 is not recorded any further");
    client.send_text("after");
    client.expect_text("after");
    // Another connection is recorded, as long as it finds room.
    let mut other = Client::open(address);
    other.send_text("other");
    other.expect_text("other");
    process.signal("TERM");
    drop((client, other));
    assert!(process.wait().0.success());
    let [first, second] = &directory.files()[..] else { panic!("two files") };
    let lines = text(&run(&["decode", "--json", first]).stdout);
    assert!(lines.contains("\"text\":\"before\"") && !lines.contains("\"text\":\"after\""), "{lines}");
    assert!(text(&run(&["decode", "--json", second]).stdout).contains("\"text\":\"other\""));
}

/// Lets 70 clients send, so that the recording of the first is closed, replaces it by `replace`, and lets the
/// first client send again. Returns what the log says of its recording then.
fn swapped(directory: &Directory, replace: impl FnOnce(&str)) -> String {
    let (process, address) = recorder("echo", directory);
    let mut clients: Vec<_> = (0..70).map(|_| Client::open(address)).collect();
    for client in &mut clients {
        client.send_text("one");
        client.expect_text("one");
    }
    let first = directory.files().remove(0);
    fs::remove_file(&first).unwrap();
    replace(&first);
    for client in &mut clients {
        client.send_text("two");
        client.expect_text("two");
    }
    let line = process.expect_logged("connection 1 is not recorded any further");
    drop(clients);
    stop(process);
    line
}

#[test]
fn what_is_put_in_the_place_of_a_recording_is_left_alone() {
    let directory = Directory::new("swapped");
    let victim = Directory::new("victim");
    let line = swapped(&directory, |first| {
        fs::write(victim.path(), "of another").unwrap();
        std::os::unix::fs::symlink(victim.path(), first).unwrap();
    });
    assert!(line.contains("another file is in the place"), "{line}");
    assert_eq!(fs::read_to_string(victim.path()).unwrap(), "of another");
    fs::remove_file(victim.path()).unwrap();

    // Opening a pipe waits until another process reads it.
    let directory = Directory::new("pipe");
    let line = swapped(&directory, |first| {
        assert!(std::process::Command::new("mkfifo").arg(first).status().unwrap().success());
    });
    assert!(line.contains("another file is in the place"), "{line}");
}

#[test]
fn an_unsafe_directory_and_an_empty_name_are_refused() {
    let directory = Directory::new("open");
    fs::create_dir(directory.path()).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    for (path, status, printed) in
        [(directory.path(), 1, "chmod go-w"), ("", 2, "--record: expected a directory")]
    {
        let output = run(&["--listen", "127.0.0.1:0", "--record", path]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{error}");
        assert!(error.contains(printed) && error.lines().count() == 1, "{error}");
    }
    assert_eq!(directory.files(), [""; 0]);
}

#[test]
fn every_client_is_recorded_while_descriptors_are_short() {
    let directory = Directory::new("short");
    let script = "ulimit -n 24; exec \"$0\" --listen 127.0.0.1:0 --record \"$1\"";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, BINARY_PATH, directory.path()]).env_remove("RUST_LOG");
    let (process, address) = Process::spawn(&mut shell);
    // They connect before any sends, so that they take all descriptors that recordings don't keep.
    let mut clients: Vec<_> = (0..40).map(|_| Client::connect(address)).collect();
    process.expect_logged("accepting no clients for now");
    clients.iter_mut().for_each(|client| client.write(REQUEST.as_bytes()));
    let mut served = 0;
    while clients[served].has_input_within(Duration::from_millis(700)) {
        clients[served].expect_open();
        served += 1;
    }
    assert!((6..24).contains(&served), "{served} clients with 24 descriptors");
    for word in ["one", "two"] {
        for client in &mut clients[..served] {
            client.send_text(word);
            client.expect_text(word);
        }
    }
    process.signal("TERM");
    drop(clients);
    let (_, lines) = process.wait();
    assert!(!lines.iter().any(|line| line.contains("not recorded")), "{lines:#?}");
    for file in &directory.files()[..served] {
        let lines = decoded(file);
        for word in ["6f6e65", "74776f"] {
            assert_eq!(lines.iter().filter(|line| line.ends_with(word)).count(), 2, "{file}: {lines:#?}");
        }
    }
}

#[test]
fn recordings_have_a_limit_and_the_log_says_what_is_missing() {
    let directory = Directory::new("limit");
    let (process, address) = Process::start(&["--record", directory.path(), "--max-recorded-bytes", "10K"]);
    let mut first = Client::open(address);
    first.send_text("before");
    first.expect_text("before");
    first.send(BINARY, &[1; 9000]);
    assert_eq!(first.frame().payload.len(), 9000);
    let line = process.expect_logged("connection 1 is not recorded any further");
    assert!(line.contains("10240 bytes, the limit of --max-recorded-bytes"), "{line}");
    // Nothing else is, although it would fit.
    let mut second = Client::open(address);
    second.send_text("after");
    second.expect_text("after");
    process.expect_logged("connection 2 is not recorded: ");
    process.signal("TERM");
    drop((first, second));
    assert!(process.wait().0.success());
    let file = directory.file();
    assert!(fs::metadata(&file).unwrap().len() <= 10 << 10);
    let lines = text(&run(&["decode", "--json", &file]).stdout);
    assert!(lines.contains("\"text\":\"before\"") && !lines.contains("\"text\":\"after\""), "{lines}");
}

// --- Replaying -------------------------------------------------------------------------------------------

#[test]
fn a_recording_plays_the_same_against_a_fresh_server() {
    let directory = Directory::new("same");
    let file = recorded(&directory);
    let (_process, address) = Process::start(&[]);
    let (status, printed, errors) = replay(&file, address, &[]);
    assert_eq!((status, &*errors), (Some(0), ""), "{printed}");
    // After a head of 129 bytes: 7 and 9, 10 + 70,200 and 4.
    assert_eq!(printed, "same: 4 frames, 70359 bytes with the response's head\n");
}

#[test]
fn a_recording_of_a_server_that_refuses_plays_the_same() {
    let directory = Directory::new("refused");
    let (process, address) = recorder("echo", &directory);
    // §5.1, and a request that is refused.
    let mut client = Client::open(address);
    client.write(&[0x81, 0x05, b'H', b'e', b'l', b'l', b'o']);
    assert_eq!(client.frame().payload[..2], 1002_u16.to_be_bytes());
    drop(client);
    let mut client = Client::connect(address);
    client.write(REQUEST.replace("Version: 13", "Version: 12").as_bytes());
    assert_eq!(client.refusal().status, 426);
    drop(client);
    stop(process);
    let (_process, address) = Process::start(&[]);
    for file in directory.files() {
        let (status, printed, _) = replay(&file, address, &[]);
        assert_eq!(status, Some(0), "{printed}");
    }
}

#[test]
fn an_answer_that_differs_is_shown_beside_the_recorded_one() {
    let directory = Directory::new("differs");
    let file = recorded(&directory);
    let (_process, address) = Process::start(&["greet"]);
    let (status, printed, _) = replay(&file, address, &[]);
    assert_eq!(status, Some(1));
    assert!(
        printed.starts_with("differs: frame 1 differs at its byte 1, which is byte 130 of the answer\n"),
        "{printed}"
    );
    assert!(
        printed.contains("- recorded: 81 05 48 65 6c 6c 6f\n") && printed.contains("+ came: 81 20 77 65"),
        "{printed}"
    );
    // Both are explained.
    assert!(
        printed.contains("\"Hello\"") && printed.contains("\"welcome to the websocket server!\""),
        "{printed}"
    );
    // The other way round too little comes; and another response may come.
    let directory = Directory::new("differs-greet");
    let (process, address) = recorder("greet", &directory);
    Client::open(address).expect_text("welcome to the websocket server!");
    stop_greeting(process);
    let (_process, address) = Process::start(&[]);
    let (status, printed, _) = replay(&directory.file(), address, &["--timeout", "100ms"]);
    assert_eq!(status, Some(1));
    assert!(printed.starts_with("differs: frame 1 doesn't come within 0.1 s\n"), "{printed}");
    assert!(printed.ends_with("+ came: nothing\n"), "{printed}");
    let (_process, address) = Process::start(&["--origin", "https://a.example"]);
    let mut file = fs::read(directory.file()).unwrap();
    let at = file.windows(4).position(|it| it == b"Host").unwrap();
    file[at..at + 15].copy_from_slice(b"Origin: http://");
    fs::write(directory.file(), file).unwrap();
    let (status, printed, _) = replay(&directory.file(), address, &[]);
    assert_eq!(status, Some(1));
    assert!(
        printed.contains("- HTTP/1.1 101 Switching Protocols\n+ HTTP/1.1 400 Bad Request\n"),
        "{printed}"
    );
}

#[test]
fn a_server_that_sends_more_or_nothing_differs() {
    let directory = Directory::new("more");
    let (process, address) = recorder("echo", &directory);
    leave(Client::open(address));
    stop(process);
    let file = directory.file();
    let (_process, greeting) = Process::start(&["greet"]);
    let (status, printed, _) = replay(&file, greeting, &[]);
    assert_eq!(status, Some(1));
    assert!(
        printed.starts_with("differs: the server says more than was recorded\n- recorded: nothing\n"),
        "{printed}"
    );
    // It listens, and that is all.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (status, printed, _) = replay(&file, silent.local_addr().unwrap(), &["--timeout", "100ms"]);
    assert_eq!(status, Some(1));
    assert!(printed.starts_with("differs: the response doesn't come within 0.1 s\n"), "{printed}");
}

/// A server that answers one client's request with `head`, and then writes `bytes` for as long as it can.
fn babbler(head: Vec<u8>, bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let written = stream.write_all(&head);
        // It reads nothing. The client ends it by going.
        while written.is_ok() && stream.write_all(&bytes).is_ok() {}
    });
    address
}

#[test]
fn no_server_keeps_a_replay_longer_than_its_deadlines() {
    let directory = Directory::new("kept");
    let (process, address) = recorder("echo", &directory);
    let mut client = Client::open(address);
    // More than the buffers of a socket take when the client doesn't read.
    client.send(BINARY, &vec![7; 900_000]);
    assert_eq!(client.frame().payload.len(), 900_000);
    client.send_close(1000, "");
    client.expect_close(1000, "");
    drop(client);
    stop(process);
    let file = directory.file();
    let response = text(&fs::read(&file).unwrap().iter().copied().filter(u8::is_ascii).collect::<Vec<_>>());
    let at = response.find("HTTP/1.1 101").unwrap();
    let response = &response[at..at + response[at..].find("\r\n\r\n").unwrap() + 4];
    // The head ends by its length, and has time for it; the response before the pings may take most of
    // theirs.
    let cases = [
        ("a head", vec![], b"A: 1\r\n".to_vec(), "1m", "the response has no end within 65536 bytes\n"),
        ("pings", response.into(), vec![PING, 0], "2s", "frame 1 doesn't come within 2 s\n"),
    ];
    for (name, head, bytes, timeout, expected) in cases {
        let address = babbler(head, bytes.repeat(1000));
        let (status, printed, _) = replay(&file, address, &["--timeout", timeout]);
        assert_eq!(status, Some(1), "{name}");
        assert!(printed.starts_with(&format!("differs: {expected}")), "{name}: {printed}");
    }
}

#[test]
fn a_recording_comes_from_standard_input_too() {
    let directory = Directory::new("stdin");
    let file = recorded(&directory);
    let (_process, address) = Process::start(&[]);
    let piped = |args: &str| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("\"$0\" replay - {args} < \"$1\""), BINARY_PATH, &file]).output().unwrap()
    };
    let output = piped(&format!("--to ws://{address}"));
    assert!(output.status.success() && text(&output.stdout).starts_with("same: 4 frames"), "{output:?}");
    // What is taken out goes to standard output alone.
    let frames = piped("--extract -");
    let out = format!("{}/frames", directory.path());
    assert!(run(&["replay", &file, "--extract", &out]).status.success());
    assert!(frames.status.success() && frames.stderr.is_empty());
    assert!(frames.stdout == fs::read(&out).unwrap() && frames.stdout.starts_with(&[0x81, 0x85]));
    assert!(!Path::new("-").exists(), "no file has that name");
    let empty = run(&["replay", "-", "--extract", "-"]);
    assert_eq!(empty.status.code(), Some(2));
    assert_eq!(text(&empty.stderr), "wirehook: standard input: this is neither pcapng nor pcap\n");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "\"$0\" replay \"$1\" --extract - > /dev/full", BINARY_PATH, &file]);
    if Path::new("/dev/full").exists() {
        let output = shell.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("cannot write to standard output: "), "{output:?}");
    }
}

#[test]
fn pings_of_the_server_are_not_compared() {
    // §5.5.2
    let directory = Directory::new("pings");
    let (process, address) =
        Process::start(&["--record", directory.path(), "--ping-interval", "50ms", "--pong-timeout", "10s"]);
    let mut client = Client::open(address);
    assert_eq!(client.frame(), Frame { first: PING, payload: vec![] });
    client.send(PONG, b"");
    client.send_text("Hello");
    // On a slow machine there may be more of them.
    while client.frame() != Frame::text("Hello") {}
    leave(client);
    stop(process);
    let (_process, address) = Process::start(&[]);
    let (status, printed, _) = replay(&directory.file(), address, &[]);
    assert_eq!(status, Some(0), "{printed}");
    assert!(printed.contains("pings not compared: ") && printed.contains(" recorded, 0 came"), "{printed}");
}

#[test]
fn pauses_are_kept_when_asked_for() {
    const PAUSE: Duration = Duration::from_millis(300);

    let directory = Directory::new("paced");
    let (process, address) = recorder("echo", &directory);
    let mut client = Client::open(address);
    assert!(!client.has_input_within(PAUSE));
    client.send_text("Hello");
    client.expect_text("Hello");
    leave(client);
    stop(process);
    let (_process, address) = Process::start(&[]);
    let recorded = time_of_last_word(&directory.file());
    assert!(recorded + GRAIN >= PAUSE, "recorded after {recorded:?}");
    let began = Instant::now();
    assert_eq!(replay(&directory.file(), address, &["--paced"]).0, Some(0));
    let elapsed = began.elapsed();
    assert!(elapsed >= recorded, "replayed in {elapsed:?}, recorded after {recorded:?}");
}

#[test]
fn a_path_can_take_the_place_of_the_recorded_one() {
    let directory = Directory::new("path");
    let file = recorded(&directory);
    let other = Directory::new("path-again");
    let (process, address) = recorder("echo", &other);
    let output = run(&["replay", &file, "--to", &format!("ws://{address}/other?x=1")]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    stop(process);
    assert!(text(&run(&["decode", &other.file()]).stdout).contains("| GET /other?x=1 HTTP/1.1\n"));
}

/// A file that exists already is not written over.
#[test]
fn a_clients_frames_can_be_taken_out_of_a_recording() {
    let directory = Directory::new("extract");
    let (process, address) = recorder("echo", &directory);
    let mut client = Client::open(address);
    client.send_text("Hello");
    client.expect_text("Hello");
    leave(client);
    stop(process);
    let (file, out) = (directory.file(), format!("{}/frames", directory.path()));
    assert!(run(&["replay", &file, "--extract", &out]).status.success());
    assert_eq!(fs::read(&out).unwrap(), frame(TEXT, b"Hello"));
    let output = run(&["replay", &file, "--extract", &out]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot write"), "{}", text(&output.stderr));
}

#[test]
fn without_a_verdict_the_status_is_2() {
    let directory = Directory::new("verdict");
    let file = recorded(&directory);
    let both = format!("{}/both", directory.path());
    // Two connections in one file: two sections, one after the other, are a file.
    let bytes = fs::read(&file).unwrap();
    fs::write(&both, [&bytes[..], &bytes].concat()).unwrap();
    // No server listens on a port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let target = format!("ws://{free}");
    let cases: [(&[&str], &str); 6] = [
        (&[&file], "--to or --extract"),
        (&["--to", &target], "FILE"),
        (&[&file, "--to", "http://a"], "ws://HOST:PORT"),
        (&["/nonexistent", "--to", &target], "/nonexistent: "),
        (&[&both, "--to", &target], "it has 2 connections: choose one with --connection N"),
        (&[&both, "--to", &target, "--connection", "2"], "cannot connect to 127.0.0.1:"),
    ];
    for (args, printed) in cases {
        let output = run(&[&["replay"], args].concat());
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
        assert!(errors.contains(printed) && errors.lines().count() == 1, "{args:?}: {errors}");
        assert!(output.stdout.is_empty());
    }
    let help = run(&["replay", "--help"]);
    assert!(help.status.success() && text(&help.stdout).contains("--paced"));
}

// --- Decoding --------------------------------------------------------------------------------------------

#[test]
fn decode_explains_a_capture_connection_by_connection() {
    let directory = Directory::new("decode");
    let file = recorded(&directory);
    let output = run(&["decode", &file]);
    let printed = text(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{printed}");
    assert!(printed.starts_with("#1 127.0.0.1:") && printed.contains("state       closed"), "{printed}");
    // From standard input too.
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "exec \"$0\" decode - < \"$1\"", BINARY_PATH, &file]);
    assert_eq!(text(&shell.output().unwrap().stdout), printed);
    // A SYN shows which side is the client, whatever the arguments say.
    for side in ["--client", "--server"] {
        let output = run(&["decode", side, &file]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), printed.clone()));
        assert!(text(&output.stderr).contains("change nothing here"), "{}", text(&output.stderr));
    }
    assert_eq!(run(&["decode", "--handshake", &file]).status.code(), Some(2));
    // A file that breaks off: what there is, and a word on what there isn't.
    let bytes = fs::read(&file).unwrap();
    let cut = format!("{}/cut", directory.path());
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let output = run(&["decode", &cut]);
    assert!(text(&output.stderr).contains("breaks off"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("client, byte 0: request"));
    let empty = format!("{}/empty", directory.path());
    fs::write(&empty, &bytes[..84]).unwrap();
    assert_eq!(command(&["decode", &empty]).output().unwrap().status.code(), Some(2));
}

/// A pcap file of these packets, each a millisecond after the one before.
fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    // Microseconds, little-endian, version 2.4; packets begin with IP.
    let mut file = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x65\0\0\0".to_vec();
    for (at, packet) in (0..).zip(packets) {
        let len = packet.len() as u32;
        file.extend([1, at * 1000, len, len].iter().flat_map(|it: &u32| it.to_le_bytes()));
        file.extend(packet);
    }
    file
}

/// A packet from 10.0.0.1, port 1000, to 10.0.0.2, port 80, or back.
fn packet(is_client: bool, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let (client, server) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let (from, to) = if is_client { (client, server) } else { (server, client) };
    let ports: [u8; 4] = if is_client { [3, 0xe8, 0, 80] } else { [0, 80, 3, 0xe8] };
    // A length of 0 is left to the network card, which is to cut the packet into smaller ones.
    let len = u16::try_from(40 + payload.len()).unwrap_or(0).to_be_bytes();
    let ip = [0x45, 0, len[0], len[1], 0, 0, 0x40, 0, 64, 6, 0, 0];
    let tcp = [0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
    [&ip[..], &from, &to, &ports, &sequence.to_be_bytes(), &[0; 4], &tcp, payload].concat()
}

const ACK: u8 = 0x10;
const SYN: u8 = 0x02;

/// Runs `decode` on a capture of these packets.
fn decode_packets(name: &str, args: &[&str], packets: &[Vec<u8>]) -> (String, Option<i32>) {
    let directory = Directory::new(name);
    fs::create_dir_all(directory.path()).unwrap();
    let file = format!("{}/capture.pcap", directory.path());
    fs::write(&file, pcap(packets)).unwrap();
    let output = run(&[&["decode"], args, &[&file]].concat());
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    (text(&output.stdout), output.status.code())
}

#[test]
fn a_capture_from_mid_session_is_not_turned_round() {
    // §5.1: the first packet is the server's.
    let packets = [packet(false, 500, ACK, b"\x81\x02Hi"), packet(true, 900, ACK, b"\x81\x82\0\0\0\0Hi")];
    let (printed, status) = decode_packets("mid-session", &[], &packets);
    assert_eq!(status, Some(0), "{printed}");
    assert!(
        printed.starts_with("#1 10.0.0.1:1000 was connected before the capture began to 10.0.0.2:80\n"),
        "{printed}"
    );
    assert!(
        printed.contains("server, byte 0: text, 2 bytes")
            && printed.contains("client, byte 0: text, 2 bytes")
    );
    let (printed, _) = decode_packets("mid-session-json", &["--json"], &packets);
    assert!(
        printed.contains(r#""kind":"ongoing","peer":"10.0.0.1:1000","server":"10.0.0.2:80""#),
        "{printed}"
    );
    // Nothing shows it: both seem to be servers. Then the side that sent first is the client, or the given
    // one.
    let packets = [packet(false, 500, ACK, b"\x81\x02Hi"), packet(true, 900, ACK, b"\x81\x02Ho")];
    let begins_with = |args: &[&str], address: &str| {
        let (printed, status) = decode_packets("mid-session-unclear", args, &packets);
        assert_eq!(status, Some(1), "one of both has to mask");
        assert!(printed.starts_with(&format!("#1 {address} was connected before")), "{args:?}: {printed}");
        printed.contains("neither a SYN nor the first bytes tell")
    };
    assert!(begins_with(&[], "10.0.0.2:80"));
    assert!(!begins_with(&["--client"], "10.0.0.2:80"));
    assert!(!begins_with(&["--server"], "10.0.0.1:1000"));
}

#[test]
fn copies_that_differ_are_reported() {
    let packets = [
        packet(true, 0, SYN, b""),
        packet(false, 0, SYN | ACK, b""),
        packet(false, 1, ACK, b"\x81\x02Hi"),
        packet(false, 1, ACK, b"\x81\x02No"),
    ];
    for (args, note) in [
        (&[][..], "#1 2 bytes of the server came twice with other content: one copy is shown"),
        (&["--json"], r#""kind":"note","says":"2 bytes of the server came twice with other content: "#),
    ] {
        let (printed, status) = decode_packets("copies", args, &packets);
        assert_eq!(status, Some(0));
        assert!(printed.contains(note) && printed.contains("Hi") && !printed.contains("No"), "{printed}");
    }
}

/// The packets of a session that these heads open, and in which both sides say more.
fn session(heads: [&str; 2], more: [&[u8]; 2]) -> Vec<Vec<u8>> {
    let [request, response] = heads;
    let [behind_request, behind_response] = heads.map(|it| 1 + it.len() as u32);
    vec![
        packet(true, 0, SYN, b""),
        packet(false, 0, SYN | ACK, b""),
        packet(true, 1, ACK, request.as_bytes()),
        packet(false, 1, ACK, response.as_bytes()),
        packet(true, behind_request, ACK, more[0]),
        packet(false, behind_response, ACK, more[1]),
    ]
}

#[test]
fn a_compressed_session_breaks_no_rule() {
    // RFC 7692 §7.2.3.1: "Hello", which both sides say twice.
    let offer = "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let request = REQUEST.replacen("\r\n", offer, 1);
    let response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let more = [frame(0xC1, hello).repeat(2), [&[0xC1, 7][..], hello].concat().repeat(2)];
    let packets = session([&request, response], [&more[0], &more[1]]);
    let (printed, status) = decode_packets("compressed", &[], &packets);
    assert_eq!(status, Some(0), "{printed}");
    assert_eq!(printed.matches("text, 7 bytes compressed\n").count(), 4, "{printed}");
    assert!(
        printed.contains("RFC 7692 permessage-deflate was offered and is in use") && !printed.contains('✗'),
        "{printed}"
    );
    // Under way when the capture begins.
    let (printed, status) = decode_packets("compressed-later", &[], &packets[4..]);
    assert_eq!((status, printed.matches("which is not seen here").count()), (Some(0), 4), "{printed}");
}

#[test]
fn a_refusal_with_a_body_is_explained_to_its_end() {
    let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\n";
    let (printed, status) = decode_packets("body", &[], &session([REQUEST, refusal], [b"", b"sorry\n"]));
    assert_eq!(status, Some(0));
    assert!(
        printed.contains("server, byte 45: body, 6 bytes\n") && !printed.contains("discarded"),
        "{printed}"
    );
    assert!(printed.contains("text        \"sorry\\n\""), "{printed}");
}

#[test]
fn each_option_counts_for_each_kind_of_input() {
    let directory = Directory::new("kinds");
    fs::create_dir_all(directory.path()).unwrap();
    let hello = frame(TEXT, b"Hello");
    let capture = pcap(&[packet(true, 1, ACK, &hello)]);
    let hex = |bytes: &[u8]| bytes.iter().map(|it| format!("{it:02x}")).collect::<String>();
    let file = |name: &str, content: &[u8]| {
        let path = format!("{}/{name}", directory.path());
        fs::write(&path, content).unwrap();
        path
    };
    let (raw, pcap) = (file("raw", &hello), file("pcap", &capture));
    let (raw_in_hex, pcap_in_hex) =
        (file("raw.txt", hex(&hello).as_bytes()), file("pcap.txt", hex(&capture).as_bytes()));
    let (words, pcap_words) = (hex(&hello), hex(&capture));
    // How each kind is given, and whether it is a capture.
    let kinds: [(&str, &str, bool); 9] = [
        ("\"$1\"", &words, false),
        ("\"$1\"", &raw, false),
        ("--file \"$1\"", &raw_in_hex, false),
        ("- < \"$1\"", &raw, false),
        ("< \"$1\"", &raw_in_hex, false),
        ("\"$1\"", &pcap, true),
        ("--file \"$1\"", &pcap_in_hex, true),
        ("- < \"$1\"", &pcap, true),
        ("\"$1\"", &pcap_words, true),
    ];
    for (input, given, is_capture) in kinds {
        let decode = |options: &str| {
            let line = format!("\"$0\" decode {options} {input}");
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", &line, BINARY_PATH, given]).env_remove("RUST_LOG");
            let output = shell.output().unwrap();
            (text(&output.stdout), output.status.code())
        };
        let (printed, status) = decode("");
        assert!(status == Some(0) && printed.contains("client, byte 0: text, 5 bytes"), "{input}: {printed}");
        let (printed, status) = decode("--max-message-size 4");
        assert!(status == Some(1) && printed.contains("a text frame breaks §10.4"), "{input}: {printed}");
        let (printed, status) = decode("--json");
        assert!(status == Some(0) && printed.lines().all(|it| it.starts_with('{')), "{input}: {printed}");
        let (printed, status) = decode("--json --max-message-size 4");
        assert!(status == Some(1) && printed.contains(r#""section":"§10.4""#), "{input}: {printed}");
        let (printed, status) = decode("--client");
        assert!(status == Some(0) && printed.contains("client, byte 0: text, 5 bytes"), "{input}: {printed}");
        let (printed, status) = decode("--server");
        assert!(
            status == Some(1) && printed.contains("a server must not mask its frames"),
            "{input}: {printed}"
        );
        assert_eq!(decode("--handshake").1, Some(if is_capture { 2 } else { 1 }), "{input}");
        // Hex is base64 of something else; bytes are none.
        let is_hex = [&words, &raw_in_hex, &pcap_in_hex, &pcap_words].contains(&&given.to_owned());
        assert_eq!(decode("--base64").1 == Some(2), !is_hex, "{input}");
    }
}

#[test]
fn a_capture_is_explained_in_little_memory() {
    // 400,000 pings in one segment: over a hundred MiB, if all their explanations are held at once.
    let segment = packet(false, 1, ACK, &[0x89, 0].repeat(400_000));
    let packets = [packet(true, 0, SYN, b""), packet(false, 0, SYN | ACK, b""), segment];
    let directory = Directory::new("memory");
    fs::create_dir_all(directory.path()).unwrap();
    let file = format!("{}/capture.pcap", directory.path());
    fs::write(&file, pcap(&packets)).unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -v 40000; \"$0\" decode \"$1\" | head -n 3", BINARY_PATH, &file]);
    let output = shell.output().unwrap();
    assert!(text(&output.stdout).starts_with("#1 10.0.0.1:1000 has connected"), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}

//! The binary as a process: its arguments, what it prints, its signals and its exit status.

#![cfg(all(unix, feature = "cli"))]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    process::{Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use common::{
    BINARY, Client, Frame, GRAIN, PATIENCE, PING, REQUEST, frame, header,
    process::{BINARY_PATH, Process, address_of, command, run},
    request,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

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
            "--host",
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
            "--max-close-time",
            "--max-backpressure",
            "--backpressure",
            "--nodelay",
            "--explain",
            "decode",
            "accept",
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
fn arguments_that_make_no_sense_get_one_line() {
    let cases: [(&[&str], &str); 45] = [
        (&["--unknown"], "--unknown"),
        (&["-x"], "-x"),
        (&["dance"], "echo, greet and study"),
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
        (&["--max-close-time", "none"], "none"),
        (&["--backpressure", "wait"], "drop or close"),
        (&["--nodelay", "perhaps"], "on or off"),
        (&["--subprotocol", "two words"], "two words"),
        (&["--origin", "https://example.com/"], "without a slash"),
        (&["--origin", "foo"], "like https://example.com"),
        (&["--origin", ""], "like https://example.com"),
        (&["--origin", "https://a.example,https://b.example"], "several times"),
        (&["--origin", "https://a.example:443"], "default port"),
        (&["--host", "http://example.com"], "no scheme"),
        (&["--host", "*.example.com"], "wildcards"),
        (&["--max-connections", "0"], "from 1"),
        (&["--max-connections-per-address", "0"], "from 1"),
        (&["--max-handshakes-per-address", "0"], "from 1"),
        (&["--max-header-size", "10"], "the shortest request has 135 bytes"),
        (&["--max-headers", "4"], "at least 5 header lines"),
        (&["--max-buffered-bytes", "0"], "without memory"),
        (&["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"], "--listen is given twice"),
        (&["--metrics", "127.0.0.1:0", "--metrics", "127.0.0.1:0"], "--metrics is given twice"),
        (&["--max-headers=9", "--max-headers=8"], "--max-headers is given twice"),
        (&["--explain=xml"], "text or json"),
        (&["--explain", "json"], "--explain=json"),
        (&["echo", "--explain", "text"], "--explain=text"),
        (&["accept"], "KEY"),
        (&["accept", "a", "b"], "b"),
        (&["decode"], "nothing to decode"),
        (&["decode", "8g"], "8g"),
        (&["decode", "81", "5"], "'5'"),
        (&["decode", "--base64", "g!"], "'!'"),
        (&["decode", "--file", "nowhere.bin"], "nowhere.bin"),
        (&["decode", "--loud"], "--loud"),
    ];
    for (args, printed) in cases {
        let output = run(args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.starts_with("wirehook: ") && text.lines().count() == 1, "{args:?}: {text}");
        assert!(text.contains(printed), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

/// The long options of a help that take a value.
fn options_with_values(command: &[&str]) -> Vec<String> {
    let help = String::from_utf8(run(&[command, &["--help"]].concat()).stdout).unwrap();
    let options = help.lines().filter_map(|line| line.strip_prefix("  --")?.split_once(' '));
    let with_values = options.filter(|(_, rest)| rest.starts_with(|it: char| it.is_ascii_alphabetic()));
    with_values.map(|(name, _)| format!("--{name}")).collect()
}

#[test]
fn what_is_wrong_with_a_value_names_its_option() {
    // Any text may be one of their values.
    let free = [
        "--listen",
        "--tls-cert",
        "--tls-key",
        "--tls-client-ca",
        "--origin",
        "--metrics",
        "--record",
        "--host",
        "--file",
        "--extract",
    ];
    let mut count = 0;
    for command in [&[][..], &["decode"], &["replay"]] {
        for option in options_with_values(command) {
            if free.contains(&&*option) {
                continue;
            }
            let output = run(&[command, &[&*option, "no\u{1b}such value"]].concat());
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{command:?} {option}: {text}");
            assert!(
                text.starts_with(&format!("wirehook: {option} ")) && text.contains("such value"),
                "{text}"
            );
            assert!(!text.contains('\x1b') && text.lines().count() == 1, "{text}");
            count += 1;
        }
    }
    assert!(count > 18, "{count} options");
}

#[test]
fn files_of_tls_that_do_not_fit_are_refused() {
    let refused: &[(&[&str], &str)] = &[
        (&["--tls-cert", "a.pem"], "--tls-cert is given 1 times and --tls-key 0 times"),
        (&["--tls-key", "a.key"], "--tls-cert is given 0 times and --tls-key 1 times"),
        (&["--tls-client-ca", "ca.pem"], "--tls-client-ca ca.pem needs --tls-cert"),
        #[cfg(not(feature = "tls"))]
        (&["--tls-cert", "a.pem", "--tls-key", "a.key"], "built without TLS"),
        #[cfg(feature = "tls")]
        (&["--listen", "127.0.0.1:0", "--tls-cert", "no.pem", "--tls-key", "a.key"], "no.pem: "),
        #[cfg(feature = "tls")]
        (&["study", "--tls-cert", "a.pem", "--tls-key", "a.key"], "study has no TLS"),
    ];
    for (args, words) in refused {
        let output = run(args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.starts_with("wirehook: ") && text.contains(words), "{text}");
    }
}

#[test]
fn help_is_a_word_too() {
    let cases: [(&[&str], &[&str]); 5] = [
        (&["help"], &["--help"]),
        (&["help", "echo"], &["--help"]),
        (&["help", "decode"], &["decode", "--help"]),
        (&["help", "accept"], &["accept", "--help"]),
        (&["help", "replay"], &["replay", "--help"]),
    ];
    for (asked, usual) in cases {
        let (output, expected) = (run(asked), run(usual));
        assert!(output.status.success() && output.stderr.is_empty(), "{asked:?}");
        assert_eq!(output.stdout, expected.stdout, "{asked:?}");
    }
    assert_eq!(run(&["help", "dance"]).status.code(), Some(2));
}

#[test]
fn a_port_that_is_taken_is_reported_in_one_line() {
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
    client.send_text("no \x1b[31m\n\u{202e}colours");
    client.expect_text("hello, no \x1b[31m\n\u{202e}colours !");
    assert_eq!(process.line(), "received message: no \\u{1b}[31m\\n\\u{202e}colours");
    client.send_close(1000, "");
    client.expect_close(1000, "");
    assert_eq!(process.line(), "connection close: 1");
    Client::open(address).expect_text("welcome to the websocket server!");
    assert_eq!(process.line(), "connection open: 2");
    assert_eq!(process.line(), "connection close: 2");
}

// --- Commands --------------------------------------------------------------------------------------------

/// Runs the binary to its end with this on standard input; returns standard output and the exit status.
fn pipe(args: &[&str], input: &[u8]) -> (String, Option<i32>) {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().unwrap().write_all(input).expect("the input is taken");
    let output = child.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// What `decode` prints without anything on standard input.
fn decode(args: &[&str]) -> (String, Option<i32>) {
    pipe(&[&["decode"], args].concat(), b"")
}

/// It also shows the bytes that answer the frame.
#[test]
fn decode_says_why_a_frame_without_a_mask_is_refused() {
    // §5.1
    let (text, status) = decode(&["81", "05", "48", "65", "6c", "6c", "6f", "--client"]);
    assert_eq!(status, Some(1));
    for part in [
        "client, byte 0: a text frame breaks §5.1\n",
        "✗ a client must mask its frames\n",
        "The MASK bit is 0",
        "  answer      88 26 03 ea c2 a7 35 2e 31 3a 20",
        "a Close with 1002 protocol error",
        "  state       closed\n",
        "client: 5 bytes more\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // A server would send the same bytes.
    let (text, status) = decode(&["8105", "48656c6c6f"]);
    assert_eq!(status, Some(0));
    assert!(
        text.starts_with("The first frame is not masked") && text.contains("server, byte 0: text"),
        "{text}"
    );
}

#[test]
fn decode_reads_hex_base64_files_and_standard_input() {
    // §5.7
    let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let wanted = decode(&["81 85 37 fa 21 3d 7f 9f 4d 51 58"]);
    assert!(wanted.0.contains("text        \"Hello\"") && wanted.1 == Some(0), "{}", wanted.0);
    for args in [
        &["818537fa213d7f9f4d5158"][..],
        &["0x81", "0x85", "0x37", "0xfa21", "3d7f9f4d5158"],
        &["81:85:37:fa:21:3d:7f:9f:4d:51:58", "--client"],
        &["--base64", "gYU3+iE9f59NUVg="],
    ] {
        assert_eq!(decode(args), wanted, "{args:?}");
    }
    for (args, input) in [
        (&["decode"][..], &hello[..]),
        (&["decode", "-"], b"8185 37fa\n213d 7f9f 4d51 58\n"),
        (&["decode", "-", "--base64"], b"gYU3+iE9\nf59NUVg=\n"),
    ] {
        assert_eq!(pipe(args, input), wanted, "{args:?}");
    }
    let path = std::env::temp_dir().join(format!("wirehook-decode-{}.bin", std::process::id()));
    fs::write(&path, hello).unwrap();
    let name = path.to_str().unwrap();
    let of_files = [decode(&[name]), decode(&["--file", name])];
    fs::remove_file(&path).unwrap();
    assert_eq!(of_files, [wanted.clone(), wanted]);
}

#[test]
fn decode_knows_a_handshake_by_its_first_bytes() {
    // §4.2
    let frame = frame(0x81, b"Hello");
    let (text, status) = pipe(&["decode"], &[REQUEST.as_bytes(), &frame].concat());
    assert_eq!(status, Some(0));
    assert!(
        text.contains("base64      s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") && text.contains("\"Hello\""),
        "{text}"
    );
    let (text, status) = pipe(&["decode"], b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(status, Some(1));
    assert!(text.contains("✗ §4.2.2  Connection has the token Upgrade"), "{text}");
    let (text, status) = pipe(&["decode", "--handshake"], b"POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status, Some(1));
    assert!(text.contains("answer      HTTP/1.1 405 Method Not Allowed"), "{text}");
}

#[test]
fn decode_prints_one_object_a_line_and_knows_the_limit() {
    // §10.4
    let (text, status) = decode(&["--json", "--max-message-size", "4", "818537fa213d7f9f4d5158"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), status), (2, Some(1)));
    assert!(
        lines[0].starts_with(r#"{"kind":"error","#) && lines[0].contains(r#""section":"§10.4""#),
        "{text}"
    );
    assert_eq!(lines[1].split(',').next(), Some(r#"{"kind":"end""#));
}

#[test]
fn decode_reads_each_spelling_of_a_file_or_names_it() {
    // §5.7
    let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let wanted = decode(&["81 85 37 fa 21 3d 7f 9f 4d 51 58"]);
    let utf16 = |text: &str| -> Vec<u8> {
        [&[0xFF, 0xFE][..], &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat()
    };
    let read: [&[u8]; 8] = [
        hello,
        b"818537fa213d7f9f4d5158\n",
        b"\xef\xbb\xbf818537fa 213d7f9f 4d5158\r\n",
        b"\xef\xbb\xbf\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        b"00000000: 8185 37fa 213d 7f9f 4d51 58              ..7.!=..MQX\n",
        b"00000000  81 85 37 fa 21 3d 7f 9f  4d 51 58                 |..7.!=..MQX|\n0000000b\n",
        &utf16("818537fa213d7f9f4d5158\r\n"),
        &utf16("00000000: 8185 37fa 213d 7f9f 4d51 58              ..7.!=..MQX\r\n"),
    ];
    for content in read {
        assert_eq!(pipe(&["decode"], content), wanted, "{}", content.escape_ascii());
        let file = File::new("spelled", content);
        assert_eq!([&[&*file.0][..], &["--file", &file.0]].map(decode), [wanted.clone(), wanted.clone()]);
    }
    let refused: [(&[u8], &str); 9] = [
        (b"gYU3+iE9f59NUVg=\n", "try --base64"),
        (b"hello world\n", "this is text"),
        (b"\xef\xbb\xbfhello", "this is text"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "compressed by gzip: unpack it first, as in 'gunzip -c FILE"),
        (b"\x28\xb5\x2f\xfd\0", "compressed by zstd"),
        (b"PK\x03\x04\0", "compressed by zip"),
        (b"1f8b0800", "compressed by gzip"),
        (b"\xff\xfe\0\xd8\0\xd8", "UTF-16"),
        (b"", "nothing to decode"),
    ];
    for (content, printed) in refused {
        let file = File::new("refused", content);
        let output = run(&["decode", &file.0]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(printed) && text.lines().count() == 1, "{}: {text}", content.escape_ascii());
        assert!(output.stdout.is_empty());
    }
    // An argument that names the side is believed; so is a request.
    let (text, status) = pipe(&["decode", "--client"], b"hello world\n");
    assert!(text.contains("a text frame breaks") || text.contains("breaks §5"), "{text}");
    assert_eq!(status, Some(1));
    let (text, _) = pipe(&["decode"], b"\xef\xbb\xbfPOST / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(text.contains("answer      HTTP/1.1 405 Method Not Allowed"), "{text}");
}

#[test]
fn decode_names_what_is_wrong_with_its_arguments() {
    let file = File::new("a", b"8900");
    let directory = env!("CARGO_TARGET_TMPDIR");
    let cases: [(&[&str], &str); 9] = [
        (&["nosuch.pcap"], "there is no file of that name"),
        (&["--base64", "nosuch.pcap"], "there is no file of that name"),
        (&[directory], "directory"),
        (&["--file", directory], "directory"),
        (&[&file.0, &file.0], "decode takes one file"),
        (&[&file.0, "8900"], "decode takes one file"),
        (&["--file", &file.0, "8900"], "either --file or bytes"),
        (&["--file", "a", "--file", "b"], "--file can be given only once"),
        (&["--client", "--server", "8900"], "--client or --server can be given only once"),
    ];
    for (args, printed) in cases {
        let output = run(&[&["decode"], args].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(printed) && text.lines().count() == 1, "{args:?}: {text}");
    }
    let output = run(&["decode", "gYU3+iE9f59NUVg="]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("it may be base64: try --base64"));
    // A pipe has a name, too.
    let output = shell("\"$0\" decode /dev/stdin < \"$1\"", &file.0);
    assert!(String::from_utf8(output.stdout).unwrap().contains("server, byte 0: ping"));
}

/// Runs a command line of the shell to its end, with the binary as `$0` and a file as `$1`.
fn shell(line: &str, file: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", line, BINARY_PATH, file]).env_remove("RUST_LOG").stdin(Stdio::null());
    shell.output().expect("there is a shell")
}

/// A file that goes with its test.
struct File(String);

impl File {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = format!("{}/cli-{}-{name}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn decode_holds_one_explanation_at_a_time() {
    // 262,144 pings, each of which takes some hundred bytes as an explanation.
    let file = File::new("pings", &[0x89, 0].repeat(256 * 1024));
    let output = shell("ulimit -v 40000; \"$0\" decode \"$1\" | head -n 3", &file.0);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("server, byte 0: ping, 0 bytes"), "{text}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_command_ends_when_its_reader_has_gone() {
    let file = File::new("gone", &[0x89, 0].repeat(256 * 1024));
    for json in ["", "--json"] {
        let line = format!("{{ \"$0\" decode {json} \"$1\"; echo $? >&2; }} | head -n 1");
        let output = shell(&line, &file.0);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "2\n", "a reader that has gone knows it");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_whose_output_is_lost_fails() {
    let file = File::new("full", &[0x89, 0].repeat(64 * 1024));
    for args in [
        "--help",
        "--version",
        "decode --help",
        "decode 8900",
        "decode --json 8900",
        "decode --client 8900",
        "decode \"$1\"",
        "accept --help",
        "accept dGhlIHNhbXBsZSBub25jZQ==",
        "accept short",
        "replay --help",
    ] {
        let output = shell(&format!("\"$0\" {args} > /dev/full"), &file.0);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args}: {text}");
        assert!(text.starts_with("wirehook: cannot write to standard output: "), "{args}: {text}");
        assert_eq!(text.lines().count(), 1, "{args}: {text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_whose_output_is_lost_serves_and_fails_at_its_end() {
    for (args, printed) in [
        ("echo > /dev/full", true),
        ("greet > /dev/full", true),
        ("study > /dev/full", true),
        ("echo --explain > /dev/full", true),
        ("echo > /dev/null", false),
    ] {
        // The log says when it runs, as the line on standard output is lost.
        let script = format!("exec \"$0\" --listen 127.0.0.1:0 --metrics 127.0.0.1:0 {args}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, BINARY_PATH]).env_remove("RUST_LOG").stderr(Stdio::piped());
        let mut child = shell.spawn().expect("there is a shell");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("figures on http://")), "{args}");
        let kill = format!("kill -TERM {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let last: Vec<String> = lines.filter(|line| line.starts_with("wirehook: ")).collect();
        let status = child.wait().unwrap().code();
        assert_eq!(
            (status, last.len()),
            (Some(if printed { 2 } else { 0 }), usize::from(printed)),
            "{args}: {last:?}"
        );
        assert!(
            last.iter().all(|it| it.starts_with("wirehook: cannot write to standard output: ")),
            "{last:?}"
        );
    }
}

#[test]
fn accept_works_out_the_key_step_by_step() {
    // §1.3
    let (text, status) = pipe(&["accept", "dGhlIHNhbXBsZSBub25jZQ=="], b"");
    let wanted = "  key         dGhlIHNhbXBsZSBub25jZQ==
  = 16 bytes  74 68 65 20 73 61 6d 70 6c 65 20 6e 6f 6e 63 65
  GUID        258EAFA5-E914-47DA-95CA-C5AB0DC85B11
  key + GUID  dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11
  SHA-1       b3 7a 4f 2c c0 62 4f 16 90 f6 46 06 cf 38 59 45 b2 be c4 ea
  base64      s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
";
    assert_eq!((text.as_str(), status), (wanted, Some(0)));
    // §4.2.1
    let (text, status) = pipe(&["accept", "c2hvcnQ="], b"");
    assert_eq!(status, Some(1));
    assert!(text.contains("✗ §4.2.1: this is not the base64 of 16 bytes"), "{text}");
}

#[test]
fn each_command_has_a_help_of_its_own() {
    for command in ["decode", "accept"] {
        let (text, status) = pipe(&[command, "--help"], b"");
        assert!(text.contains(&format!("Usage: wirehook {command}")) && status == Some(0), "{text}");
    }
}

#[test]
fn explain_shows_both_directions_live() {
    for mode in ["echo", "greet"] {
        let (process, address) = Process::start(&[mode, "--explain"]);
        let mut client = Client::open(address);
        client.send_text("no \x1b[31m colours");
        client.send_close(1000, "");
        while client.try_frame().expect("the end is no reset").is_some() {}
        drop(client);
        let mut lines = vec![process.line()];
        while !lines[lines.len() - 1].ends_with("#1 the TCP connection is closed") {
            lines.push(process.line());
        }
        let text = lines.join("\n");
        for part in [
            &*format!("#1 client, byte 0: request of {} bytes\n", REQUEST.len()),
            "  base64      s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n",
            "#1 server, byte 0: response of 129 bytes\n",
            "  text        \"no \\u{1b}[31m colours\"\n",
            &*format!("#1 client, byte {}: close, 2 bytes\n", REQUEST.len() + 6 + 16),
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert!(!text.contains('\x1b'), "no colours in a pipe, and none of the client's");
    }
}

#[test]
fn explain_as_json_has_time_and_connection() {
    let (process, address) = Process::start(&["--explain=json"]);
    let mut client = Client::open(address);
    client.send_text("a word");
    client.expect_text("a word");
    // The line before, with the server's address, is JSON too: `Process` has read it.
    let lines: Vec<String> = (0..5).map(|_| process.line()).collect();
    for (line, (kind, from)) in lines.iter().zip([
        ("connected", ""),
        ("request", "client"),
        ("response", "server"),
        ("frame", "client"),
        ("frame", "server"),
    ]) {
        let (time, rest) = line.strip_prefix(r#"{"time":"#).unwrap().split_once(',').unwrap();
        assert!(time.parse::<f64>().is_ok_and(|it| it < 60.0), "{line}");
        assert!(rest.starts_with(&format!(r#""connection":1,"kind":"{kind}""#)), "{line}");
        assert!(from.is_empty() || rest.contains(&format!(r#""from":"{from}""#)), "{line}");
    }
    assert!(lines[4].contains(r#""payload":"6120776f7264","cut":false,"text":"a word""#), "{}", lines[4]);
}

#[test]
fn with_json_all_of_standard_output_is_json() {
    for mode in ["echo", "greet"] {
        let mut child = command(&[mode, "--listen", "127.0.0.1:0", "--explain=json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        let process = Process::unread(child);
        let mut client = Client::open(address_of(&first));
        client.send_text("\"a \u{202e}word\"\n");
        client.frame();
        drop(client);
        process.signal("TERM");
        assert_eq!(process.wait().0.code(), Some(0));
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        let lines: Vec<&str> = first.lines().chain(rest.lines()).collect();
        assert!(lines[0].contains(&format!(r#""kind":"listening","version":"{VERSION}","mode":"{mode}""#)));
        for line in &lines {
            assert!(line.starts_with('{') && line.ends_with('}') && !line.contains('\u{202e}'), "{line}");
        }
        let said = lines.iter().filter(|line| line.contains(r#"{"kind":"said","text":""#)).count();
        assert_eq!(said, if mode == "greet" { 3 } else { 0 }, "{lines:#?}");
    }
}

/// Each output of a server, with the arguments that make it long: whether it is standard error.
const OUTPUTS: [(&[&str], bool); 3] = [(&["-vv"], true), (&["greet"], false), (&["--explain"], false)];

/// A server with one of its outputs a pipe that nothing reads, which is returned.
fn unread(args: &[&str], is_stderr: bool) -> (Process, SocketAddr, Box<dyn Read + Send>) {
    let mut child = command(&["--listen", "127.0.0.1:0"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(if is_stderr { Stdio::piped() } else { Stdio::null() })
        .spawn()
        .expect("the binary starts");
    let mut stdout = BufReader::with_capacity(1, child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let stderr = child.stderr.take();
    let unread = stderr.map_or_else::<Box<dyn Read + Send>, _, _>(|| Box::new(stdout), |it| Box::new(it));
    (Process::unread(child), address_of(&line), unread)
}

/// Sends `count` messages of this length, and reads the answer to each.
fn chat(client: &mut Client, count: usize, len: usize) {
    let word = "w".repeat(len);
    for _ in 0..count {
        client.send_text(&word);
        while client.frame().payload.len() < len {}
    }
}

#[test]
fn unread_output_holds_up_neither_clients_nor_the_end() {
    for (args, is_stderr) in OUTPUTS {
        let (process, address, mut unread) = unread(args, is_stderr);
        let mut client = Client::open(address);
        chat(&mut client, 3000, 200);
        // The log has new clients at every level.
        for _ in 0..100 {
            Client::open(address);
        }
        let began = Instant::now();
        process.signal("TERM");
        client.expect_close(1001, "server is shutting down");
        drop(client);
        assert_eq!(process.wait().0.code(), Some(0));
        // The last words of three queues take a second each.
        assert!(began.elapsed() < Duration::from_secs(8), "{args:?}");
        let mut printed = Vec::new();
        unread.read_to_end(&mut printed).unwrap();
        let printed = String::from_utf8_lossy(&printed);
        assert!(printed.contains("wwww") && printed.len() <= 1 << 20, "{args:?}: {} bytes", printed.len());
    }
}

#[test]
fn what_was_left_out_is_told_to_a_reader_that_comes_late() {
    for (args, is_stderr) in OUTPUTS {
        let (process, address, unread) = unread(args, is_stderr);
        let mut client = Client::open(address);
        // More than the largest of the queues holds.
        chat(&mut client, 200, 48 << 10);
        chat(&mut client, 4000, 4);
        let printed = read_in_the_background(unread);
        let mut text = String::new();
        let mut read_until = |wanted: &str| {
            while !text.contains(wanted) {
                let more = printed.recv_timeout(PATIENCE);
                text += &more.unwrap_or_else(|_| panic!("{args:?}: {wanted} in {} bytes", text.len()));
            }
        };
        read_until("left out here: they were not read in time");
        client.send_text("and on it goes");
        read_until("and on it goes");
        process.signal("KILL");
    }
}

/// What comes from a stream, piece by piece.
fn read_in_the_background(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut piece = [0; 64 << 10];
        while let Ok(len @ 1..) = stream.read(&mut piece) {
            let _ = sender.send(String::from_utf8_lossy(&piece[..len]).into_owned());
        }
    });
    receiver
}

#[test]
fn a_closed_standard_output_does_not_end_the_server() {
    let mut child = command(&["--listen", "127.0.0.1:0", "--explain"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = address_of(&line);
    drop(stdout);
    let _process = Process::unread(child);
    let mut client = Client::open(address);
    for _ in 0..10 {
        client.send_text("still served");
        client.expect_text("still served");
    }
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
    assert!(!Client::open(address).has_input_within(Duration::from_millis(100)));
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
fn hosts_can_be_repeated_and_a_refusal_names_what_came() {
    // §4.2.1, item 2; §10.2
    let hosts = ["--host", "localhost", "--host", "example.com:8080"];
    let (process, address) = Process::start(&[&hosts[..], &["--origin", "https://a.example"]].concat());
    Client::open(address);
    let for_host = |host: &str| REQUEST.replace("Host: localhost", &format!("Host: {host}"));
    let mut client = Client::connect(address);
    client.write(for_host("Example.com:8080").as_bytes());
    client.expect_open();
    assert_eq!(status_of(address, &for_host("evil.example")), 421);
    assert!(process.expect_logged("host").contains("\"evil.example\""));
    assert_eq!(status_of(address, &request("/", "Origin: https://a.example/\r\n")), 403);
    assert!(process.expect_logged("Origin").contains("\"https://a.example/\""));
}

#[test]
fn a_tls_client_is_named_in_the_log() {
    // RFC 8446 §5.1
    let (process, address) = Process::start(&[]);
    assert_eq!(status_of(address, "\x16\x03\x01\x02\0\x01\0\x01"), 400);
    assert!(process.expect_logged("refused").contains("this looks like TLS"));
}

#[test]
fn limits_as_low_as_a_request_allows_are_taken() {
    // §4.2.1: the shortest request there is.
    let (_process, address) = Process::start(&["--max-header-size", "135", "--max-headers", "5"]);
    let mut client = Client::connect(address);
    let request = "GET / HTTP/1.1\r\nHost:a\r\nUpgrade:websocket\r\nConnection:upgrade\r\n\
        Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version:13\r\n\r\n";
    client.write(request.as_bytes());
    client.expect_open();
}

#[test]
fn the_other_options_are_taken() {
    let args = ["--max-backpressure", "64K", "--backpressure", "close", "--nodelay", "off"];
    let (_process, address) = Process::start(&args);
    let mut client = Client::open(address);
    client.send_text("served");
    client.expect_text("served");
}

// --- Output ----------------------------------------------------------------------------------------

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
fn a_long_target_takes_a_short_line_of_the_log() {
    let (process, address) = Process::start(&[]);
    let target = format!("/?{}", "\\".repeat(8000));
    for (headers, logged) in [("", "open"), ("Sec-WebSocket-Version: 7\r\n", "refused")] {
        let mut client = Client::connect(address);
        client.write(request(&target, headers).as_bytes());
        let line = process.expect_logged(logged);
        assert!(line.len() < 600, "{} bytes: {line}", line.len());
    }
}

#[test]
fn what_is_wrong_with_rust_log_is_told_once() {
    let lines = logged(&[], Some("wirehook=loud,info"));
    let wrong: Vec<_> =
        lines.iter().filter(|line| line.contains("RUST_LOG") || line.contains("loud")).collect();
    assert_eq!(wrong.len(), 1, "{lines:#?}");
    assert!(
        wrong[0].starts_with("wirehook: RUST_LOG: \"wirehook=loud\"") && wrong[0].contains("MODULE=LEVEL")
    );
    assert!(lines.iter().any(|line| line.contains("INFO  connection 1")), "the rest counts: {lines:#?}");
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
fn each_ending_signal_closes_every_connection_and_exits_with_0() {
    // §7.4.1
    for signal in ["TERM", "INT", "HUP"] {
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

#[cfg(target_os = "linux")]
#[test]
fn a_server_under_nohup_outlives_its_terminal() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" --listen 127.0.0.1:0", BINARY_PATH]).env_remove("RUST_LOG");
    let (process, address) = Process::spawn(&mut shell);
    process.signal("HUP");
    let mut client = Client::open(address);
    client.send_text("still served");
    client.expect_text("still served");
    process.signal("TERM");
    client.expect_close(1001, "server is shutting down");
    drop(client);
    assert_eq!(process.wait().0.code(), Some(0));
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
    // After the name, which may contain anything: user and system time are the 12th and 13th, in 1/100 s.
    let ticks: Vec<f64> =
        stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
    Some(ticks.iter().sum::<f64>() / 100.0)
}

/// How much memory a process has, in KiB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

// What becomes of freed memory depends on the allocator.
/// It returns when the clients that sent them have gone.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn most_of_the_memory_of_large_messages_returns_to_the_system() {
    const LEN: u64 = 8 << 20;
    const MIB: u64 = 1024;

    let (process, address) = Process::start(&["--max-message-size", "8M"]);
    let before = resident(process.id());
    let until = |is_it: &dyn Fn(u64) -> bool| {
        let began = Instant::now();
        while !is_it(resident(process.id())) {
            assert!(began.elapsed() < PATIENCE, "{} KiB, {before} before", resident(process.id()));
            thread::sleep(Duration::from_millis(10));
        }
    };
    let payload = vec![0; LEN as usize];
    let mut clients = [(); 4].map(|()| Client::open(address));
    let message = frame(BINARY, &payload);
    let (last, rest) = message.split_last().unwrap();
    for client in &mut clients {
        client.write(rest);
    }
    until(&|now| now > before + 24 * MIB);
    for client in &mut clients {
        client.write(&[*last]);
        assert!(client.frame() == Frame { first: BINARY, payload: payload.clone() });
    }
    until(&|now| now < before + 16 * MIB);
    // No client has left.
    for client in &mut clients {
        client.send_text("Hello");
        client.expect_text("Hello");
    }
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
    while clients[served].has_input_within(Duration::from_millis(700)) {
        clients[served].expect_open();
        served += 1;
    }
    assert!((6..24).contains(&served), "{served} clients with 24 descriptors");
    let mut waiting = clients.split_off(served);
    let before = cpu_seconds(process.id());
    for _ in 0..10 {
        for client in &mut clients {
            client.send_text("still served");
            client.expect_text("still served");
        }
        assert!(!waiting[0].has_input_within(Duration::from_millis(50)));
    }
    if let (Some(before), Some(after)) = (before, cpu_seconds(process.id())) {
        assert!(after - before < 0.3, "{} s of processor time, with next to nothing to do", after - before);
    }
    // One is accepted for each that leaves.
    clients.drain(..5);
    for client in &mut waiting[..5] {
        client.expect_open();
        client.send_text("at last");
        client.expect_text("at last");
    }
    assert!(!waiting[5].has_input_within(Duration::from_millis(200)));
    process.signal("TERM");
    for client in clients.iter_mut().chain(&mut waiting[..5]) {
        client.expect_close(1001, "server is shutting down");
    }
    drop((clients, waiting));
    assert_eq!(process.wait().0.code(), Some(0));
}

#[test]
fn probes_are_answered_though_the_descriptor_table_is_full() {
    let script = "ulimit -n 24; exec \"$0\" --listen 127.0.0.1:0 --metrics 127.0.0.1:0";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, BINARY_PATH]).env_remove("RUST_LOG");
    let (process, address) = Process::spawn(&mut shell);
    let line = process.expect_logged("figures on http://");
    let metrics = line.split("http://").nth(1).and_then(|it| it.split('/').next()).unwrap();
    let metrics: SocketAddr = metrics.parse().unwrap();
    let mut clients: Vec<Client> = (0..40).map(|_| Client::connect(address)).collect();
    clients[0].write(REQUEST.as_bytes());
    process.expect_logged("accepting no clients for now");
    let _idle: Vec<Client> = (0..3).map(|_| Client::connect(metrics)).collect();
    for _ in 0..10 {
        let mut probe = Client::connect(metrics);
        probe.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(probe.refusal().body, "ok\n");
    }
    clients[0].expect_open();
}

#[cfg(target_os = "linux")]
#[test]
fn a_refused_allocation_costs_connections_and_not_the_server() {
    // 12 clients send 24 MiB each of messages that are within the limit, to a process that may have half of
    // that.
    const MIB: usize = 1024 * 1024;
    let script =
        "ulimit -v 200000; exec \"$0\" --listen 127.0.0.1:0 --max-message-size 32M --ping-interval none -q";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, BINARY_PATH]).env_remove("RUST_LOG");
    let (process, address) = Process::spawn(&mut shell);
    let begun = [&b"\x82\xff\0\0\0\0\x02\0\0\0\0\0\0\0"[..], &vec![7; 24 * MIB]].concat();
    let mut clients: Vec<Client> = (0..12).map(|_| Client::open(address)).collect();
    let mut refused = 0;
    for client in &mut clients {
        // One that is shed while it sends gets no Close if its socket was full.
        let _ = client.writer().write_all(&begun);
    }
    for client in &mut clients {
        client.socket().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        match client.try_frame() {
            Ok(Some(frame)) => {
                assert!(frame.payload.starts_with(&1013u16.to_be_bytes()), "{frame:?}");
                refused += 1;
            }
            Ok(None) => refused += 1,
            Err(error) => refused += usize::from(error.kind() != std::io::ErrorKind::WouldBlock),
        }
    }
    assert!((1..12).contains(&refused), "{refused} of 12 were ended");
    let mut fresh = Client::open(address);
    fresh.send_text("still here?");
    fresh.expect_text("still here?");
    drop(clients);
    process.signal("TERM");
    assert_eq!(process.wait().0.code(), Some(0));
}

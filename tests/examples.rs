//! Each program in `examples/` is started and talked to by an independent client, and does what its head
//! says.
//!
//! This file knows what a user of an example would see. Nothing sleeps here: each wait is for a message, a
//! line or an end, and has a time limit.

#![cfg(all(unix, feature = "cli"))]

mod common;

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use tungstenite::{
    Error, Message, WebSocket,
    client::IntoClientRequest as _,
    handshake::HandshakeError,
    http::{Response, Uri},
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use common::{PATIENCE, process::Process};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

type Client = WebSocket<TcpStream>;

/// Builds all examples once, and returns the folder with their programs. `cargo test` has built them already,
/// and `cargo test --test examples` has not.
fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let build = ["build", "--examples", "--message-format=json", "--quiet"];
        let output = Command::new(cargo).args(build).current_dir(ROOT).output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = String::from_utf8(output.stdout).unwrap();
        let (_, rest) = messages.split_once(r#""executable":""#).expect("an example is built");
        let program = Path::new(rest.split_once('"').unwrap().0);
        program.parent().unwrap().to_owned()
    })
}

/// Starts an example on a free port, and waits until it listens.
fn start(name: &str) -> (Process, SocketAddr) {
    Process::spawn(Command::new(built().join(name)).arg("127.0.0.1:0"))
}

/// Requests a connection with these headers; the response if it is no 101.
fn request(
    address: SocketAddr,
    target: &str,
    headers: &[(&'static str, &str)],
) -> Result<Client, Box<Response<Option<Vec<u8>>>>> {
    let mut request =
        format!("ws://{address}{target}").parse::<Uri>().unwrap().into_client_request().unwrap();
    for &(name, value) in headers {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).expect("the example listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    match tungstenite::client(request, stream) {
        Ok((client, _)) => Ok(client),
        Err(HandshakeError::Failure(Error::Http(response))) => Err(response),
        Err(error) => panic!("no answer comes: {error}"),
    }
}

/// Opens a connection.
fn open(address: SocketAddr, target: &str) -> Client {
    request(address, target, &[]).expect("the example lets it in")
}

/// The status of a refusal.
fn refusal(address: SocketAddr, target: &str, headers: &[(&'static str, &str)]) -> u16 {
    request(address, target, headers).expect_err("the example refuses it").status().as_u16()
}

#[track_caller]
fn expect_text(client: &mut Client, text: &str) {
    assert_eq!(client.read().expect("a message comes"), Message::text(text));
}

/// Closes the connection, and waits until the server has answered and ended it.
fn close(mut client: Client) {
    client.close(None).unwrap();
    while client.read().is_ok() {}
}

#[test]
fn greet_welcomes_a_client_and_greets_what_it_says() {
    let (process, address) = start("greet");
    let mut client = open(address, "/");
    expect_text(&mut client, "welcome to the websocket server!");
    assert_eq!(process.line(), "connection open: 1");
    client.send(Message::text("Ann")).unwrap();
    expect_text(&mut client, "hello, Ann !");
    assert_eq!(process.line(), "received message: Ann");
    close(client);
    assert_eq!(process.line(), "connection close: 1");
}

#[test]
fn client_sends_its_lines_and_prints_the_answers() {
    let (server, address) = start("greet");
    let mut client = Command::new(built().join("client"))
        .arg(format!("ws://{address}/"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, output) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    assert_eq!(lines.next().unwrap(), format!("open: {address}"));
    assert_eq!(lines.next().unwrap(), "welcome to the websocket server!");
    input.write_all(b"Ann\n").unwrap();
    assert_eq!(lines.next().unwrap(), "hello, Ann !");
    drop(input);
    assert_eq!(lines.next().unwrap(), "closed: 1000 normal closure, by the server, clean");
    assert!(client.wait().unwrap().success());
    drop(server);
}

#[test]
fn chat_keeps_what_is_said_in_its_room() {
    let (_process, address) = start("chat");
    let mut ann = open(address, "/kitchen?name=ann");
    expect_text(&mut ann, "ann has come in");
    let mut bob = open(address, "/garden?name=bob");
    expect_text(&mut bob, "bob has come in");
    let mut eve = open(address, "/kitchen?name=eve");
    for client in [&mut ann, &mut eve] {
        expect_text(client, "eve has come in");
    }
    eve.send(Message::text("tea?")).unwrap();
    expect_text(&mut ann, "eve says: tea?");
    close(eve);
    expect_text(&mut ann, "eve has left");
    // Nothing of the kitchen came before it.
    bob.send(Message::text("hm")).unwrap();
    expect_text(&mut bob, "bob says: hm");
    assert_eq!(refusal(address, "/kitchen", &[]), 404);
}

#[test]
fn ctrl_c_closes_all_connections_and_ends() {
    for signal in ["INT", "TERM"] {
        let (process, address) = start("ctrl_c");
        let mut client = open(address, "/");
        client.send(Message::text("echo")).unwrap();
        expect_text(&mut client, "echo");
        process.signal(signal);
        let Message::Close(Some(CloseFrame { code: CloseCode::Away, .. })) = client.read().unwrap() else {
            panic!("no Close with 1001 comes");
        };
        while client.read().is_ok() {}
        drop(client);
        assert_eq!(process.line(), "all connections are closed");
        assert!(process.wait().0.success());
    }
}

#[test]
fn auth_lets_known_users_in_by_cookie_or_token() {
    let (_process, address) = start("auth");
    let own_page = format!("http://{address}");
    let cookie = ("Cookie", "theme=dark; session=c0ffee");
    for (headers, greeting) in [
        (&[cookie, ("Origin", &own_page)][..], "hello, Ann"),
        (&[("Authorization", "Bearer letmein")], "hello, the robot"),
    ] {
        expect_text(&mut request(address, "/", headers).unwrap(), greeting);
    }
    for headers in [
        &[][..],
        &[("Cookie", "session=tea")],
        &[("Cookie", "xsession=c0ffee")],
        &[("Authorization", "Bearer c0ffee")],
        &[("Authorization", "letmein")],
    ] {
        assert_eq!(refusal(address, "/", headers), 401, "{headers:?}");
    }
    // §10.2: a page of another origin, with the cookie that the browser adds.
    assert_eq!(refusal(address, "/", &[cookie, ("Origin", "http://evil.example")]), 403);
}

#[test]
fn ticker_pushes_prices_from_its_thread_to_each_client() {
    let (_process, address) = start("ticker");
    let price_of = |client: &mut Client| {
        let text = client.read().expect("a price comes").into_text().unwrap();
        let number = text.strip_prefix("{\"price\":").and_then(|it| it.strip_suffix("}"));
        number.and_then(|it| it.parse::<u32>().ok()).unwrap_or_else(|| panic!("{text} has no price"))
    };
    let mut first = open(address, "/");
    let price = price_of(&mut first);
    let mut second = open(address, "/");
    let later = price_of(&mut second);
    assert!(later > price);
    // The first client misses nothing, though it didn't read meanwhile.
    for expected in price + 1..=later {
        assert_eq!(price_of(&mut first), expected);
    }
}

#[test]
fn page_is_served_and_its_socket_counts_the_windows() {
    let (_process, address) = start("page");
    let mut client = common::Client::connect(address);
    client.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let page = client.refusal();
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body.contains("new WebSocket(`ws://${location.host}/count`)"));
    let mut first = open(address, "/count");
    expect_text(&mut first, "1");
    let mut second = open(address, "/count");
    for client in [&mut first, &mut second] {
        expect_text(client, "2");
    }
    close(second);
    expect_text(&mut first, "1");
}

#[test]
fn codec_tokio_echoes_answers_pings_and_closes() {
    let (_process, address) = start("codec_tokio");
    let mut client = open(address, "/");
    let long = Message::binary(vec![0xA5; 100_000]);
    for message in [Message::text("Hällo"), long] {
        client.send(message.clone()).unwrap();
        assert_eq!(client.read().unwrap(), message);
    }
    client.send(Message::Ping("!".into())).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong("!".into()));
    client.close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() })).unwrap();
    assert!(matches!(client.read(), Ok(Message::Close(Some(CloseFrame { code: CloseCode::Normal, .. })))));
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
}

/// Its tests without sockets are in the example itself.
#[test]
fn testing_asks_and_knows_the_winner() {
    let (_process, address) = start("testing");
    let mut client = open(address, "/?name=ann");
    assert_eq!(client.read().unwrap(), Message::text("What is six times nine?"));
    client.send(Message::text("54")).unwrap();
    assert_eq!(client.read().unwrap(), Message::text("ann has won"));
}

#[test]
fn codec_tokio_fails_what_breaks_the_rules() {
    let (_process, address) = start("codec_tokio");
    // §5.1: no frame of a client goes without a mask. It comes in one read with the request.
    let mut client = common::Client::connect(address);
    client.write(&[common::REQUEST.as_bytes(), b"\x81\x05Hello"].concat());
    client.expect_open();
    client.expect_close(1002, "§5.1: a client must mask its frames");
    client.expect_end();
    let mut client = common::Client::connect(address);
    client.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.refusal().status, 426);
}

#[test]
fn each_example_has_a_test() {
    let read = |name: &str| fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
    let (tests, readme) = (read("tests/examples.rs"), read("README.md"));
    let mut count = 0;
    for entry in fs::read_dir(Path::new(ROOT).join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let starts = [format!("start(\"{name}\")"), format!("join(\"{name}\")")];
        assert!(starts.iter().any(|it| tests.contains(it)), "no test starts the example {name}");
        assert!(readme.contains(&format!("](examples/{name}.rs)")), "the README links no example {name}");
        count += 1;
    }
    assert!(count > 1, "there are examples");
}

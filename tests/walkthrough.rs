//! `docs/walkthrough.md` and the README say what the program says: the conversation is had again, the
//! commands are run again, and each listing is compared.
//!
//! With `WIREHOOK_REWRITE=1` in the environment the listings are written anew instead. A listing is known by
//! its first line: `client, byte …` and `server, byte …` are the steps of the conversation below, in order,
//! as `--explain` prints them; `$ …` is a command for a shell. In the table of broken rules the first cell is
//! given, and the others follow from it.

#![cfg(all(unix, feature = "cli"))]

mod common;

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use common::Client;
use wirehook::{
    Limits,
    explain::{Explainer, Side, Step},
};

const BINARY_PATH: &str = env!("CARGO_BIN_EXE_wirehook");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/walkthrough.md");
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// What a browser would ask with.
const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: localhost:9501\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/// A client's frames, and after each how many the server answers before the client continues.
const CONVERSATION: [(&[u8], usize); 5] = [
    // §5.7: "Hello"
    (&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], 1),
    // "gr" and half of "ü"
    (&[0x01, 0x83, 0xa1, 0x0c, 0x5e, 0x77, 0xc6, 0x7e, 0x9d], 0),
    // A ping: "there?"
    (&[0x89, 0x86, 0x4d, 0x93, 0x08, 0xe2, 0x39, 0xfb, 0x6d, 0x90, 0x28, 0xac], 1),
    // The other half, "ß" and "e"
    (&[0x80, 0x84, 0x90, 0x2b, 0xc4, 0x66, 0x2c, 0xe8, 0x5b, 0x03], 1),
    // 1000, "bye"
    (&[0x88, 0x85, 0x1f, 0xd4, 0x72, 0xb9, 0x1c, 0x3c, 0x10, 0xc0, 0x7a], 1),
];

/// Has the conversation with a server that explains it; returns the steps.
fn live_steps() -> Vec<String> {
    let mut server = Command::new(BINARY_PATH)
        .args(["echo", "--listen", "127.0.0.1:0", "--explain", "-q"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.next().unwrap().split_once(" on ws://").unwrap().1.parse().unwrap();

    let mut client = Client::connect(address);
    client.write(REQUEST.as_bytes());
    client.head().expect("a response comes");
    for (bytes, answers) in CONVERSATION {
        client.write(bytes);
        for _ in 0..answers {
            client.frame();
        }
    }
    client.expect_end();
    drop(client);

    let mut steps = Vec::new();
    let mut step = String::new();
    for line in lines.by_ref() {
        let line = line.split_once(" #1 ").map_or(line.as_str(), |(_, line)| line);
        match line {
            "the TCP connection is closed" => break,
            "" => steps.push(std::mem::take(&mut step)),
            line => step.extend([line, "\n"]),
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();
    // The first is that a client has connected.
    steps.split_off(1)
}

/// What a shell prints for a command line.
fn output_of(command: &str) -> String {
    let binaries = Path::new(BINARY_PATH).parent().unwrap();
    let path = env::join_paths(
        [binaries.to_owned()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap())),
    );
    let output = Command::new("sh")
        .args(["-c", command])
        .env("PATH", path.unwrap())
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell");
    assert!(output.stderr.is_empty(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The row of the table of broken rules for a client's bytes.
fn row_of(hex: &str) -> String {
    let bytes: Vec<u8> = hex.split(' ').map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect();
    let mut explainer = Explainer::of_frames(&Limits::default());
    let mut steps = explainer.explain(Side::Client, &bytes);
    assert_eq!(explainer.end(), [], "{hex}: the last byte is the one that shows it");
    let Some(Step::Broken(broken)) = steps.pop() else { panic!("{hex} breaks a rule") };
    let section = broken.section;
    let number = section.trim_start_matches('§');
    let answer: Vec<String> = broken.answer[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "| `{hex}` | {} | [{section}](https://www.rfc-editor.org/rfc/rfc6455#section-{number}) | `{} …`: Close {} |\n",
        broken.says,
        answer.join(" "),
        broken.code,
    )
}

/// The page with all its listings as the program prints them now, the conversation's steps among them.
fn rewritten(page: &str, steps: Vec<String>) -> String {
    let mut steps = steps.into_iter();
    let mut new = String::new();
    let mut lines = page.split_inclusive('\n');
    while let Some(line) = lines.next() {
        if let Some((hex, _)) = line.strip_prefix("| `").and_then(|rest| rest.split_once('`')) {
            let is_bytes = hex.split(' ').all(|it| it.len() == 2 && u8::from_str_radix(it, 16).is_ok());
            if is_bytes && (line.trim_end().ends_with("` |") || line.contains("Close")) {
                new += &row_of(hex);
                continue;
            }
        }
        new += line;
        if !line.starts_with("```") {
            continue;
        }
        let listing: Vec<&str> = lines.by_ref().take_while(|it| !it.starts_with("```")).collect();
        let first = listing[0];
        if let Some(command) = first.strip_prefix("$ ") {
            new.extend([first, &output_of(command.trim_end())]);
        } else if first.starts_with("client, byte") || first.starts_with("server, byte") {
            let step = steps.next().unwrap_or_else(|| panic!("no step is left for {first:?}"));
            assert_eq!(step[..12], first[..12], "the steps come in this order");
            new += &step;
        } else {
            new.extend(listing);
        }
        new += "```\n";
    }
    assert_eq!(steps.next(), None, "every step of the conversation is shown");
    new
}

/// Compares a page with what it should be, or makes it so.
#[track_caller]
fn check(path: &str, steps: Vec<String>) {
    let page = fs::read_to_string(path).unwrap();
    let new = rewritten(&page, steps);
    if env::var_os("WIREHOOK_REWRITE").is_some() {
        fs::write(path, new).unwrap();
        return;
    }
    for ((number, is), wanted) in (1..).zip(page.lines()).zip(new.lines()) {
        assert_eq!(is, wanted, "line {number} of {path}; WIREHOOK_REWRITE=1 writes it anew");
    }
    assert_eq!(page.len(), new.len());
}

#[test]
fn every_listing_is_what_the_program_prints() {
    check(PAGE, live_steps());
}

#[test]
fn the_example_of_the_readme_is_what_the_program_prints() {
    check(README, Vec::new());
}

#[test]
fn every_function_that_is_named_is_where_its_link_leads() {
    let page = fs::read_to_string(PAGE).unwrap();
    let docs = Path::new(PAGE).parent().unwrap();
    let mut links = 0;
    for (at, _) in page.match_indices("](../") {
        let target = page[at + 2..].split(')').next().unwrap();
        let path = docs.join(target);
        assert!(path.exists(), "{target}");
        let name = page[..at].rsplit('[').next().unwrap().trim_matches('`');
        if path.extension().is_some_and(|it| it == "rs") && !name.contains(['.', '/']) {
            let source = fs::read_to_string(&path).unwrap();
            let item = name.rsplit("::").next().unwrap();
            let is_there =
                ["fn ", "struct ", "enum "].iter().any(|kind| source.contains(&format!("{kind}{item}")));
            assert!(is_there, "{name} in {target}");
        }
        links += 1;
    }
    assert!(links > 20);
}

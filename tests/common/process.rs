//! The binary as a process: what it prints, its signals, its end.
//!
//! This file starts it, and waits for it within [`PATIENCE`]. It does not know what the process does.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use super::PATIENCE;

/// The binary under test.
pub(crate) const BINARY_PATH: &str = env!("CARGO_BIN_EXE_wirehook");

/// A running binary, which ends with the test.
pub(crate) struct Process {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Process {
    /// Starts the binary on a free port.
    pub(crate) fn start(args: &[&str]) -> (Self, SocketAddr) {
        Self::start_at("127.0.0.1:0", args)
    }

    pub(crate) fn start_at(listen: &str, args: &[&str]) -> (Self, SocketAddr) {
        Self::spawn(command(&["--listen", listen]).args(args))
    }

    /// Starts a command that becomes the binary, and waits until it says where it listens.
    pub(crate) fn spawn(command: &mut Command) -> (Self, SocketAddr) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        let process = Self { child, stdout, stderr };
        let address = address_of(&process.line());
        (process, address)
    }

    /// A process that was started already; its output is read elsewhere.
    pub(crate) fn unread(child: Child) -> Self {
        Self { child, stdout: mpsc::channel().1, stderr: mpsc::channel().1 }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line on standard output.
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("a line is printed")
    }

    /// Waits for a line on standard error that holds this.
    pub(crate) fn expect_logged(&self, text: &str) -> String {
        let mut others = Vec::new();
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => others.push(line),
                Err(_) => panic!("{text:?} is not logged, but {others:#?}"),
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until the process ends, and returns its status and the rest of standard error.
    pub(crate) fn wait(mut self) -> (ExitStatus, Vec<String>) {
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

/// The address in the line that says where the server listens, be it text or JSON.
pub(crate) fn address_of(line: &str) -> SocketAddr {
    let (_, address) =
        line.split_once("ws://").or_else(|| line.split_once("wss://")).expect("the line tells the address");
    let address = address.trim_end().trim_end_matches("\"}");
    address.parse().expect("the address is one that can be connected to")
}

/// The binary with some arguments, and nothing of the caller's settings for logs.
pub(crate) fn command(args: &[&str]) -> Command {
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
pub(crate) fn run(args: &[&str]) -> Output {
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

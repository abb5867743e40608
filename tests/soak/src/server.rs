//! The server under test: a process that is started, asked for its metrics, and ended.
//!
//! This file knows the binary's command line and its output. It does not know what the clients do.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// How long the server may take to print its address, and to answer a request for metrics.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The address of the binary's metrics; subjects have none.
    figures: Option<SocketAddr>,
}

impl Server {
    /// Starts the server with these options, and with a descriptor limit if one is given.
    pub(crate) fn start(
        binary: &Path,
        log: &Path,
        options: &[String],
        descriptors: Option<u32>,
    ) -> io::Result<Self> {
        let mut command = match descriptors {
            None => Command::new(binary),
            Some(limit) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]).arg(binary);
                shell
            }
        };
        let mut child = command
            .args(["echo", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
            .args(options)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()?;
        let addresses = Self::addresses(&mut child, log);
        match addresses {
            Ok((address, figures)) => Ok(Self { child, address, figures: Some(figures) }),
            Err(error) => Err(give_up(child, error)),
        }
    }

    /// Starts a server that prints its address on its first line, and no metrics address.
    pub(crate) fn start_subject(program: &Path, log: &Path, arguments: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()?;
        match Self::address(&mut child) {
            Ok(address) => Ok(Self { child, address, figures: None }),
            Err(error) => Err(give_up(child, error)),
        }
    }

    /// Starts `wirehook echo` with standard output and standard error in pipes, of which only the first line
    /// is read. The standard output that remains can be [taken](Self::take_output).
    pub(crate) fn start_unread(binary: &Path, options: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(binary)
            .args(["echo", "--listen", "127.0.0.1:0"])
            .args(options)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        match Self::address_byte_by_byte(&mut child) {
            Ok(address) => Ok(Self { child, address, figures: None }),
            Err(error) => Err(give_up(child, error)),
        }
    }

    /// Returns the address on its first line; the bytes after the line stay in the pipe.
    fn address_byte_by_byte(child: &mut Child) -> io::Result<SocketAddr> {
        let out = child.stdout.as_mut().ok_or_else(|| io::Error::other("no output"))?;
        let mut line = String::new();
        BufReader::with_capacity(1, out).read_line(&mut line)?;
        after(&line, "ws://").ok_or_else(|| io::Error::other(format!("it says {line:?}")))
    }

    /// Returns the standard output of a server that was started unread.
    pub(crate) fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Returns both addresses: from standard output, and from the log.
    fn addresses(child: &mut Child, log: &Path) -> io::Result<(SocketAddr, SocketAddr)> {
        let address = Self::address(child)?;
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(figures) = after(&fs::read_to_string(log)?, "figures on http://") {
                return Ok((address, figures));
            }
            if Instant::now() > end {
                return Err(io::Error::other("it doesn't say where its figures are"));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns the address on its first line.
    fn address(child: &mut Child) -> io::Result<SocketAddr> {
        let out = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        after(&line, "ws://").ok_or_else(|| io::Error::other(format!("it says {line:?}")))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn figures_address(&self) -> io::Result<SocketAddr> {
        self.figures.ok_or_else(|| io::Error::other("it has no figures"))
    }

    /// Returns all metrics by name, with labels.
    pub(crate) fn figures(&self) -> io::Result<BTreeMap<String, f64>> {
        let mut stream = TcpStream::connect(self.figures_address()?)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let figures = text.lines().filter(|line| line.starts_with("wirehook_"));
        Ok(figures
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(' ')?;
                Some((name.strip_prefix("wirehook_")?.to_owned(), value.parse().ok()?))
            })
            .collect())
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Stops the whole process until [`go_on`](Self::go_on).
    pub(crate) fn pause(&self) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::STOP)?)
    }

    pub(crate) fn go_on(&self) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::CONT)?)
    }

    /// Returns the exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Has no effect if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends a server that has not printed its address.
fn give_up(mut child: Child, error: io::Error) -> io::Error {
    let _ = child.kill();
    let _ = child.wait();
    error
}

/// Returns the address after a word.
fn after(text: &str, word: &str) -> Option<SocketAddr> {
    let (_, rest) = text.split_once(word)?;
    let (address, _) = rest.split_once(|it: char| it.is_whitespace() || it == '/')?;
    address.parse().ok()
}

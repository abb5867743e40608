//! The client that Autobahn's fuzzing server drives: it echoes each message, case after case.
//!
//! `tests/autobahn/run client` starts both. The argument is the URL of the fuzzing server. One loop runs all
//! cases, one connection after the other: the first asks how many there are, the last has the report written.

use std::{cell::Cell, env, io, rc::Rc};

use wirehook::{
    Compression, Connections, Server, Target,
    protocol::{ClientRequest, Uri},
};

/// The name in the report.
const AGENT: &str = "wirehook";
/// Cases 9 send messages of up to 16 MiB.
const MAX_MESSAGE_SIZE: usize = 32 * 1024 * 1024;

/// What a connection is for.
#[derive(Clone, Copy, Default)]
enum Purpose {
    #[default]
    CaseCount,
    Case(u32),
    Report,
}

/// The cases, and what comes after each connection.
struct Plan {
    url: String,
    count: Cell<u32>,
}

impl Plan {
    /// Returns the path of a connection's request.
    fn path(&self, purpose: Purpose) -> String {
        match purpose {
            Purpose::CaseCount => "/getCaseCount".to_owned(),
            Purpose::Case(number) => format!("/runCase?case={number}&agent={AGENT}"),
            Purpose::Report => format!("/updateReports?agent={AGENT}"),
        }
    }

    fn uri(&self, purpose: Purpose) -> io::Result<Uri> {
        let uri = format!("{}{}", self.url, self.path(purpose));
        Uri::parse(&uri).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// Opens the connection after one with this purpose. After the last one the loop has nothing left to do.
    fn go_on(&self, all: &mut Connections<'_, Purpose>, after: Purpose) {
        let next = match after {
            Purpose::CaseCount => Purpose::Case(1),
            Purpose::Case(number) if number < self.count.get() => Purpose::Case(number + 1),
            Purpose::Case(_) => Purpose::Report,
            Purpose::Report => return,
        };
        let uri = self.uri(next).expect("the URL was parsed before");
        let id = all.connect(Target::from(&uri), ClientRequest::new(&uri)).expect("one more connection");
        if let Some(purpose) = all.state_mut(id) {
            *purpose = next;
        }
    }
}

fn main() -> io::Result<()> {
    let url = env::args().nth(1).expect("an argument: the URL of the fuzzing server");
    let plan = Rc::new(Plan { url, count: Cell::new(0) });
    let uri = plan.uri(Purpose::CaseCount)?;
    let counting = Rc::clone(&plan);
    Server::unbound()?
        .connect(&uri, ClientRequest::new(&uri))
        .configure(|config| {
            config.limits.max_message_size = MAX_MESSAGE_SIZE;
            config.compression = Some(Compression::default());
        })
        .state::<Purpose>()
        .on_message(move |ws, message| match ws.state() {
            Purpose::CaseCount => {
                let count = message.as_text().and_then(|it| it.parse().ok());
                counting.count.set(count.expect("the first message is the number of cases"));
            }
            _ => {
                ws.send(message);
            }
        })
        .on_close(move |ws, _| {
            let purpose = *ws.state();
            plan.go_on(&mut ws.all(), purpose);
        })
        .on_connect_error(|_, error| {
            eprintln!("no connection: {error}");
            std::process::exit(1);
        })
        .run()
}

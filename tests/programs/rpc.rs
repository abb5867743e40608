//! A service for programs with tokens: a token is looked up on one thread, calls are worked on by another,
//! and neither makes the loop wait.

use std::{io, sync::mpsc, thread};

use wirehook::{
    ConnId, Handle, Handler, Message, PeerAddr, PendingUpgrade, Server, Upgrade, WebSocket, protocol::Request,
};

use crate::{close, connect, expect_text, run};

/// A connection's user.
#[derive(Default)]
struct User {
    name: String,
    calls: u32,
}

/// A token to be looked up, and the request that waits for it.
struct LookUp {
    token: String,
    pending: PendingUpgrade<User>,
}

/// A call to be worked on.
struct Call {
    caller: ConnId,
    line: String,
}

struct Service {
    look_ups: mpsc::Sender<LookUp>,
    calls: mpsc::Sender<Call>,
}

impl Handler for Service {
    type State = User;

    fn on_upgrade(&mut self, request: &Request<'_>, _: PeerAddr) -> Upgrade<User> {
        let Some(token) = request.header("Authorization").and_then(|it| it.strip_prefix("Bearer ")) else {
            return Upgrade::reject(401, "a token, please").header("WWW-Authenticate", "Bearer");
        };
        let (upgrade, pending) = Upgrade::pending();
        let _ = self.look_ups.send(LookUp { token: token.to_owned(), pending });
        upgrade
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_, User>, message: Message<'_>) {
        match message.as_text() {
            Some("whoami") => {
                ws.send(format!("{}, {} calls", ws.state().name, ws.state().calls));
            }
            Some(line) => {
                ws.state_mut().calls += 1;
                let _ = self.calls.send(Call { caller: ws.id(), line: line.to_owned() });
            }
            None => ws.close(1003, "text only"),
        }
    }
}

/// Answers look-ups, as a thread with a connection to a database does.
fn answer_look_ups(look_ups: mpsc::Receiver<LookUp>, handle: Handle<User>) {
    for LookUp { token, pending } in look_ups {
        let upgrade = match token.as_str() {
            "letmein" => Upgrade::accept_with(User { name: "Ann".to_owned(), calls: 0 }),
            _ => Upgrade::reject(403, "unknown token"),
        };
        if handle.finish(pending, upgrade).is_err() {
            return;
        }
    }
}

/// Works on calls, and sends each answer to its caller.
fn work(calls: mpsc::Receiver<Call>, handle: Handle<User>) {
    for Call { caller, line } in calls {
        let sum = line
            .strip_prefix("sum ")
            .map(|numbers| numbers.split(' ').filter_map(|number| number.parse::<i64>().ok()).sum::<i64>());
        let answer = sum.map_or_else(|| format!("no such call: {line}"), |sum| sum.to_string());
        if handle.send(caller, answer).is_err() {
            return;
        }
    }
}

fn service(server: Server) -> io::Result<Server<Service>> {
    Ok(server.handler_with(|handle| {
        let (look_ups, to_answer) = mpsc::channel();
        let (calls, to_work_on) = mpsc::channel();
        let (for_look_ups, for_calls) = (handle.clone(), handle.clone());
        thread::spawn(move || answer_look_ups(to_answer, for_look_ups));
        thread::spawn(move || work(to_work_on, for_calls));
        Service { look_ups, calls }
    }))
}

#[test]
fn a_service_answers_calls_of_known_tokens() {
    let server = run(service);
    let mut ann = connect(server.address, "/", Some("Bearer letmein")).unwrap();
    for (call, answer) in [
        ("whoami", "Ann, 0 calls"),
        ("sum 1 2 39", "42"),
        ("sort 3 1 2", "no such call: sort 3 1 2"),
        ("whoami", "Ann, 2 calls"),
    ] {
        ann.send(call.into()).unwrap();
        expect_text(&mut ann, answer);
    }
    assert_eq!(connect(server.address, "/", Some("Bearer guess")).err(), Some(403));
    assert_eq!(connect(server.address, "/", None).err(), Some(401));
    close(ann);
    server.stop();
}

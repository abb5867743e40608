//! The order in which a server is set up: what is set before the handler is kept, and what is set twice.

use std::{
    cell::Cell,
    net::SocketAddr,
    os::unix::net::UnixStream,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use wirehook::{ConnId, HandleError, Handler, Hooks, Message, Observer, Server, WebSocket};

use crate::{
    common::{Client, PATIENCE},
    harness::{Log, start},
};

/// Echoes.
struct Echo;

impl Handler for Echo {
    type State = ();

    fn on_message(&mut self, ws: &mut WebSocket<'_>, message: Message<'_>) {
        ws.send(message);
    }
}

/// Notes each client that connects.
struct Doorman(Log, &'static str);

impl Observer for Doorman {
    fn connected(&mut self, _: ConnId, _: SocketAddr) {
        self.0.note(self.1);
    }

    fn received(&mut self, _: ConnId, _: &[u8]) {}
    fn sent(&mut self, _: ConnId, _: &[u8]) {}
    fn disconnected(&mut self, _: ConnId) {}
}

/// Everything that is not the handler.
fn set_up<H: Handler>(server: Server<H>, pipe: UnixStream, log: &Log) -> Server<H> {
    let server = server
        .configure(|config| config.limits.max_message_size = 4)
        .observe(Doorman(log.clone(), "a client"))
        .metrics_on("127.0.0.1:0")
        .unwrap()
        .stopped_by(pipe)
        .unwrap();
    log.note(server.metrics_addr().unwrap());
    server
}

#[test]
fn what_is_set_before_or_after_the_handler_is_kept() {
    for order in ["before", "after", "before the state"] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = start(move |server, log| match order {
            "before" => set_up(server, ours, &log).handler(Echo),
            "after" => set_up(server.handler(Echo), ours, &log),
            _ => set_up(server, ours, &log).state::<()>().handler(Echo),
        });
        let metrics: SocketAddr = server.note().parse().unwrap();
        let mut client = Client::open(server.address);
        assert_eq!(server.note(), "a client", "{order}");
        client.send_text("four");
        client.expect_text("four");
        client.send_text("fives");
        client.expect_close(1009, "§10.4: message over the size limit");
        let mut scraper = Client::connect(metrics);
        scraper.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(scraper.refusal().status, 200, "{order}");
        drop((theirs, client, scraper));
        // The pipe ends it: nothing else asks for that before the harness does.
        let began = Instant::now();
        while server.handle.broadcast("x") != Err(HandleError::Stopped) {
            assert!(began.elapsed() < PATIENCE, "{order}: the pipe does not end it");
            thread::yield_now();
        }
    }
}

#[test]
fn a_second_configuration_keeps_what_the_first_has_set() {
    let server = start(|server, _| {
        server
            .configure(|config| config.limits.max_message_size = 4)
            .handler(Echo)
            .configure(|config| config.ping_interval = None)
            .configure(|config| config.subprotocols = vec!["chat".to_owned()])
    });
    let mut client = Client::open(server.address);
    client.send_text("fives");
    client.expect_close(1009, "§10.4: message over the size limit");
}

#[test]
fn of_two_observers_metrics_listeners_or_hooks_the_later_counts() {
    let server = start(|server, log| {
        let server = server
            .observe(Doorman(log.clone(), "the first"))
            .observe(Doorman(log.clone(), "the second"))
            .metrics_on("127.0.0.1:0")
            .unwrap();
        let first = server.metrics_addr().unwrap();
        let server = server.metrics_on("127.0.0.1:0").unwrap();
        let second = server.metrics_addr().unwrap();
        assert_ne!(first, second);
        log.note(first);
        log.note(second);
        server
            .on_message(|ws, _| {
                ws.send("the first");
            })
            .on_message(|ws, _| {
                ws.send("the second");
            })
            .on_ping(|ws, _| {
                ws.send("the first ping");
            })
            .on_ping(|ws, _| {
                ws.send("the second ping");
            })
    });
    let [first, second] = [(); 2].map(|()| server.note().parse::<SocketAddr>().unwrap());
    assert!(std::net::TcpStream::connect(first).is_err(), "no server listens there any more");
    let mut scraper = Client::connect(second);
    scraper.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(scraper.refusal().status, 200);
    let mut client = Client::open(server.address);
    assert_eq!(server.note(), "the second");
    assert!(server.notes_so_far().is_empty());
    client.send_text("?");
    client.expect_text("the second");
    client.send(crate::common::PING, b"");
    client.frame();
    client.expect_text("the second ping");
}

/// Those that are set later run.
#[test]
fn hooks_and_timers_set_before_the_state_is_chosen_are_dropped() {
    let server = start(|server, log| {
        let early = log.clone();
        let server = server
            .on_message(|ws, _| {
                ws.send("of another state");
            })
            .after(Duration::ZERO, move |_| early.note("early"));
        let count = Rc::new(Cell::new(0));
        let server: Server<Hooks<u32>> = server.state::<u32>();
        server.after(Duration::ZERO, move |_| log.note("late")).on_message(move |ws, _| {
            count.set(count.get() + 1);
            *ws.state_mut() += 1;
            let line = format!("{} of {}", ws.state(), count.get());
            ws.send(&line);
        })
    });
    assert_eq!(server.note(), "late");
    let mut client = Client::open(server.address);
    client.send_text("?");
    client.expect_text("1 of 1");
    assert!(server.notes_so_far().is_empty(), "the early timer is dropped");
}

#[test]
fn of_several_addresses_the_first_that_is_free_is_listened_on() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let addresses = [held.local_addr().unwrap(), free];
    let server = Server::bind(&addresses[..]).unwrap();
    assert_eq!(server.local_addr().unwrap(), free);
    assert!(Server::bind(&addresses[..]).is_err(), "both are taken");
    assert!(server.metrics_on(&addresses[..]).is_err());
}

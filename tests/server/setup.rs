//! The order in which a server is set up: what is set before the handler is kept, and what is set twice.

use std::{
    cell::Cell,
    net::SocketAddr,
    os::unix::net::UnixStream,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use wirehook::{
    ConnId, HandleError, Handler, HookSet, Hooks, Message, Observer, PeerAddr, Server, WebSocket,
};

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
    fn connected(&mut self, _: ConnId, _: PeerAddr) {
        self.0.note(self.1);
    }

    fn received(&mut self, _: ConnId, _: &[u8]) {}
    fn sent(&mut self, _: ConnId, _: &[u8]) {}
    fn disconnected(&mut self, _: ConnId) {}
}

/// Everything that is not the handler.
fn set_up<H: HookSet>(server: Server<H>, pipe: UnixStream, log: &Log) -> Server<H> {
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
    for order in ["before", "after"] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = start(move |server, log| match order {
            "before" => set_up(server, ours, &log).handler(Echo),
            _ => set_up(server.handler(Echo), ours, &log),
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

/// The documentation of `HookSet` shows that no state can be chosen after a hook.
#[test]
fn hooks_and_timers_run_in_whatever_order_they_are_set() {
    let server = start(|server, log| {
        let count = Rc::new(Cell::new(0));
        let server: Server<Hooks<u32>> = server.state::<u32>();
        server.after(Duration::ZERO, move |_| log.note("timer")).on_message(move |ws, _| {
            count.set(count.get() + 1);
            *ws.state_mut() += 1;
            let line = format!("{} of {}", ws.state(), count.get());
            ws.send(&line);
        })
    });
    assert_eq!(server.note(), "timer");
    let mut client = Client::open(server.address);
    client.send_text("?");
    client.expect_text("1 of 1");
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

#[test]
fn a_listener_of_ones_own_is_served() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // This client waits in the queue before the server is built.
    let queued = std::net::TcpStream::connect(address).unwrap();
    let (built, handle) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        let server = Server::from_listener(listener).unwrap().handler(Echo);
        assert_eq!(server.local_addr().unwrap(), address);
        built.send(server.handle()).unwrap();
        server.run()
    });
    let handle = handle.recv().unwrap();
    let mut client = Client::open(address);
    // A loop that blocked in an accept would not answer.
    client.send_text("hi");
    client.expect_text("hi");
    drop((client, queued));
    handle.shutdown();
    thread.join().unwrap().unwrap();
}

//! Other threads that drive the loop through its handle, timers on the loop, and hooks that panic.

use std::{thread, time::Duration};

use wirehook::{Cause, CloseCode, HandleError, Upgrade};

use crate::{
    common::Client,
    harness::{End, echo, serve, serve_with_state},
};

#[test]
fn messages_of_eight_threads_arrive_once_and_in_order() {
    const THREADS: usize = 8;
    const MESSAGES: usize = 2_000;
    let server = echo();
    let mut client = Client::open(server.address);
    let id = server.opened();
    let senders: Vec<_> = (0..THREADS)
        .map(|thread| {
            let handle = server.handle.clone();
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    let text = format!("{thread} {number}");
                    // What is refused because too much waits already was not sent: it is tried again.
                    while handle.send(id, &text) == Err(HandleError::Full) {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut next = [0; THREADS];
    for _ in 0..THREADS * MESSAGES {
        let text = String::from_utf8(client.frame().payload).unwrap();
        let (thread, number) = text.split_once(' ').unwrap();
        let next = &mut next[thread.parse::<usize>().unwrap()];
        assert_eq!(number.parse(), Ok(*next), "thread {thread}");
        *next += 1;
    }
    assert_eq!(next, [MESSAGES; THREADS]);
    for sender in senders {
        sender.join().unwrap();
    }
    // Nothing more has come: the answer to this is next.
    client.send_text("end");
    client.expect_text("end");
}

#[test]
fn a_handle_broadcasts_closes_and_terminates() {
    let server = echo();
    let mut clients = [(); 3].map(|()| (Client::open(server.address), server.opened()));
    server.handle.broadcast("to all").unwrap();
    for (client, _) in &mut clients {
        client.expect_text("to all");
    }
    let [(first, first_id), (second, second_id), (third, _)] = &mut clients;
    server.handle.close(*first_id, CloseCode::NORMAL, "enough").unwrap();
    first.expect_close(1000, "enough");
    first.send_close(1000, "");
    server.expect_closed(&End::clean(1000, "", Cause::Local));
    server.handle.terminate(*second_id).unwrap();
    server.expect_closed(&End::unclean(1006, "", Cause::Local));
    assert!(second.try_frame().is_ok_and(|frame| frame.is_none()), "the end, without a Close");
    // Ended connections are found no more, nor are others in their places.
    server.handle.send(*second_id, "?").unwrap();
    server.handle.broadcast("to the last").unwrap();
    third.expect_text("to the last");
}

#[test]
fn a_hook_may_use_its_own_servers_handle() {
    let server = serve(|server, _| {
        let handle = server.handle();
        server.on_message(move |ws, _| {
            for number in 0..1000 {
                handle.send(ws.id(), number.to_string()).unwrap();
            }
            ws.send("first");
        })
    });
    let mut client = Client::open(server.address);
    client.send_text("go");
    client.expect_text("first");
    for number in 0..1000 {
        client.expect_text(&number.to_string());
    }
}

#[test]
fn a_handle_of_a_server_that_has_stopped_says_so() {
    let server = echo();
    let handle = server.handle.clone();
    server.stop();
    assert_eq!(handle.broadcast("?"), Err(HandleError::Stopped));
    assert_eq!(handle.stats().opened, 0);
    handle.shutdown();
}

#[test]
fn a_shutdown_is_spread_over_time_and_ends_at_its_deadline() {
    // §7.4.1
    let server =
        serve(|server, _| server.configure(|config| config.shutdown_spread = Duration::from_millis(300)));
    let mut clients: Vec<Client> = (0..10).map(|_| Client::open(server.address)).collect();
    server.handle.shutdown_within(Duration::from_millis(600));
    for client in &mut clients {
        client.expect_close(1001, "server is shutting down");
    }
    // Half of them answer, half never do.
    for client in clients.iter_mut().take(5) {
        client.send_close(1001, "");
        client.expect_end();
    }
    let ends: Vec<End> = (0..10).map(|_| server.closed().1).collect();
    assert_eq!(ends.iter().filter(|end| end.clean).count(), 5);
    assert!(ends.iter().all(|end| end.cause == Cause::Local), "{ends:?}");
}

#[cfg(unix)]
#[test]
fn a_pipe_that_is_written_to_or_closed_ends_the_server_in_order() {
    use std::{io::Write, os::unix::net::UnixStream};

    for is_written_to in [true, false] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let server = serve(|server, _| {
            let server = server.stopped_by(ours).unwrap();
            server.on_message(|ws, message| {
                ws.send(message);
            })
        });
        let mut client = Client::open(server.address);
        client.send_text("still there?");
        // While it says nothing, nothing happens.
        client.expect_text("still there?");
        if is_written_to {
            theirs.write_all(b"!").unwrap();
        } else {
            drop(theirs);
        }
        client.expect_close(1001, "server is shutting down");
        client.send_close(1001, "");
        client.expect_end();
        assert!(server.closed().1.clean);
    }
}

#[cfg(unix)]
#[test]
fn a_later_pipe_takes_the_place_of_an_earlier() {
    use std::{io::Write, os::unix::net::UnixStream};

    let [(first, mut earlier), (second, later)] = [(); 2].map(|()| UnixStream::pair().unwrap());
    let server = serve(|server, _| {
        let server = server.stopped_by(first).unwrap().stopped_by(second).unwrap();
        server.on_message(|ws, message| {
            ws.send(message);
        })
    });
    let mut client = Client::open(server.address);
    assert!(earlier.write_all(b"!").is_err(), "its other end is closed");
    drop(earlier);
    client.send_text("still there?");
    client.expect_text("still there?");
    drop(later);
    client.expect_close(1001, "server is shutting down");
    client.send_close(1001, "");
    client.expect_end();
    assert!(server.closed().1.clean);
}

#[test]
fn timers_run_on_the_loop_and_reach_every_client() {
    let server = serve(|server, log| {
        let mut runs = 0;
        server
            .every(Duration::from_millis(5), move |all| {
                runs += 1;
                if runs == 3 {
                    assert!(all.stop_timer());
                    log.note(format!("stopped after {runs}"));
                }
            })
            .on_message(|ws, _| {
                let id = ws.id();
                ws.all().after(Duration::from_millis(5), move |all| {
                    all.send(id, "later");
                });
                let cancelled = ws.all().after(Duration::from_millis(1), |all| {
                    all.broadcast("never");
                });
                assert!(ws.all().cancel(cancelled));
                ws.send("now");
            })
    });
    let mut client = Client::open(server.address);
    assert_eq!(server.note(), "stopped after 3");
    client.send_text("go");
    client.expect_text("now");
    client.expect_text("later");
    assert_eq!(server.notes_so_far(), [""; 0], "a timer that was stopped runs no more");
}

#[test]
fn a_panicking_hook_costs_its_own_connection_only() {
    let server = serve_with_state::<String>(|server, _| {
        server
            .on_upgrade(|request, _| match request.path() {
                "/panic" => panic!("a test wants this"),
                path => Upgrade::accept_with(path.to_owned()),
            })
            .on_message(|ws, message| match message.as_text() {
                Some("panic") => panic!("a test wants this"),
                _ => drop(ws.send(message)),
            })
    });
    let mut bystander = Client::open(server.address);
    let mut unlucky = Client::open(server.address);
    unlucky.send_text("panic");
    unlucky.expect_close(1011, "the application has failed");
    unlucky.expect_end();
    server.expect_closed(&End::unclean(1011, "the application has failed", Cause::Panic));
    let mut refused = Client::connect(server.address);
    refused.write(crate::common::request("/panic", "").as_bytes());
    assert_eq!(refused.refusal().status, 500);
    bystander.send_text("still here");
    bystander.expect_text("still here");
}

#[test]
fn closures_of_other_threads_run_in_order_and_see_every_state() {
    let server = serve_with_state::<u32>(|server, log| {
        server.on_message(move |ws, message| {
            *ws.state_mut() = message.as_text().unwrap().parse().unwrap();
            log.note("set");
        })
    });
    let mut clients = [(); 3].map(|()| (Client::open(server.address), server.opened()));
    for ((client, _), number) in clients.iter_mut().zip([1, 2, 3]) {
        client.send_text(&number.to_string());
        server.note();
    }
    let (seen, sum) = std::sync::mpsc::channel();
    server.handle.broadcast("before").unwrap();
    let last = clients[2].1;
    server
        .handle
        .call(move |all| {
            *all.state_mut(last).unwrap() += 10;
            all.broadcast("within");
            seen.send(all.ids().filter_map(|id| all.state(id)).sum::<u32>()).unwrap();
        })
        .unwrap();
    server.handle.broadcast_if("to the odd", |_, number| number % 2 == 1).unwrap();
    assert_eq!(sum.recv(), Ok(16));
    for ((client, _), is_odd) in clients.iter_mut().zip([true, false, true]) {
        client.expect_text("before");
        client.expect_text("within");
        if is_odd {
            client.expect_text("to the odd");
        }
        client.send_close(1000, "");
        client.expect_close(1000, "");
    }
}

#[test]
fn a_closure_that_panics_does_not_end_the_server() {
    let server = echo();
    let mut client = Client::open(server.address);
    server.handle.call(|_| panic!("of a closure")).unwrap();
    server.handle.broadcast_if("never sent", |_, ()| panic!("of a filter")).unwrap();
    client.send_text("still there?");
    client.expect_text("still there?");
}

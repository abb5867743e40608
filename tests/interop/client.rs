//! A client that sends texts and bytes to another project's server, and compares each echo.
//!
//! `interop_client URL [plain] [no-context] [BITS]`, started by `tests/interop/run`. Exit status 0 if each
//! echo is equal, the end is clean, and messages were compressed unless it is told not to offer that.

use std::{cell::Cell, env, io, process::exit, rc::Rc};

use wirehook::{
    Compression, Message, Server, WebSocket,
    protocol::{ClientRequest, OwnedMessage, Uri},
};

/// Texts and bytes, short and long, that repeat and that do not.
fn messages() -> Vec<OwnedMessage> {
    let json: String = (0..200).map(|id| format!(r#"{{"id": {id}, "name": "user{id}"}}, "#)).collect();
    // A xorshift generator: bytes that do not shrink.
    let mut state = 0x2545_F491_u32;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    });
    let texts = ["", "short", &json[..200], &json[..200], &json, &json, &"ümläut ✓ ".repeat(500)];
    let texts = texts.map(|text| OwnedMessage::Text(text.to_owned()));
    let noise: Vec<u8> = noise.take(70_000).collect();
    let bytes = [vec![], noise[..10].to_vec(), noise, vec![0; 200_000]].map(OwnedMessage::Binary);
    texts.into_iter().chain(bytes).collect()
}

/// Sends the next message, or closes after the last one. The state is how many were sent.
fn go_on(ws: &mut WebSocket<'_, usize>, messages: &[OwnedMessage]) {
    match messages.get(*ws.state()) {
        Some(message) => {
            *ws.state_mut() += 1;
            ws.send(message.as_message());
        }
        None => ws.close(1000, "all are equal"),
    }
}

fn main() -> io::Result<()> {
    let mut words = env::args().skip(1);
    let uri = words.next().and_then(|url| Uri::parse(&url).ok()).expect("the first argument is a URL");
    let mut compression = Some(Compression::default());
    for word in words {
        match (&mut compression, word.as_str()) {
            (_, "plain") => compression = None,
            (Some(wanted), "no-context") => {
                wanted.negotiation.client_no_context_takeover = true;
                wanted.negotiation.server_no_context_takeover = true;
            }
            (Some(wanted), bits) => {
                let bits = bits.parse().expect("a number of bits");
                wanted.negotiation.client_max_window_bits = bits;
                wanted.negotiation.server_max_window_bits = bits;
            }
            (None, _) => {}
        }
    }
    let (messages, is_equal) = (Rc::new(messages()), Rc::new(Cell::new(false)));
    let (at_open, at_close, wants_compression) =
        (Rc::clone(&messages), Rc::clone(&is_equal), compression.is_some());
    Server::unbound()?
        .connect(&uri, ClientRequest::new(&uri))
        .configure(|config| config.compression = compression)
        .state::<usize>()
        .on_open(move |ws, _| go_on(ws, &at_open))
        .on_message(move |ws, echo: Message<'_>| {
            let sent = messages[*ws.state() - 1].as_message();
            assert!(echo == sent, "message {} comes back changed", ws.state());
            go_on(ws, &messages);
        })
        .on_close(move |ws, close| {
            let compressed = ws.all().stats().compressed_messages;
            println!("{close}; {compressed} messages were compressed");
            at_close.set(close.clean && close.code.0 == 1000 && (compressed > 0) == wants_compression);
        })
        .on_connect_error(|_, error| println!("no connection: {error}"))
        .run()?;
    exit(i32::from(!is_equal.get()));
}

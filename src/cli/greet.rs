//! The mode `greet`: the canonical program, which welcomes each client and answers "hello, X !".
//!
//! What clients send is shown on the terminal with its control characters escaped, so that nobody can steer it.

use std::borrow::Cow;

use wirehook::{Closed, Handler, Message, WebSocket, protocol::Request};

use super::print;

pub(super) struct Greet;

impl Handler for Greet {
    type State = ();

    fn on_open(&mut self, ws: &mut WebSocket<'_>, _: &Request<'_>) {
        print(&format!("connection open: {}\n", ws.id()));
        ws.send("welcome to the websocket server!");
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_>, message: Message<'_>) {
        let text = match message {
            Message::Text(text) => Cow::Borrowed(text),
            Message::Binary(bytes) => String::from_utf8_lossy(bytes),
        };
        print(&format!("received message: {}\n", escape_controls(&text)));
        ws.send(&format!("hello, {text} !"));
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_>, _: &Closed<'_>) {
        print(&format!("connection close: {}\n", ws.id()));
    }
}

fn escape_controls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_character_of_a_client() {
        assert_eq!(escape_controls("grüße, \"X\""), "grüße, \"X\"");
        assert_eq!(escape_controls("a\x1b[2Jb\n\u{9b}c"), "a\\u{1b}[2Jb\\n\\u{9b}c");
    }
}

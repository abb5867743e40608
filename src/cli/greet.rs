//! The mode `greet`: the canonical program, which welcomes each client and answers "hello, X !".
//!
//! It prints clients' messages with control characters escaped, so that no client controls the terminal.

use std::borrow::Cow;

use wirehook::{Closed, Handler, Message, WebSocket, protocol::Request};

use super::{
    explain::{self, Form},
    output::Output,
};

/// The number of characters printed of a message.
const SHOWN: usize = 1000;

pub(super) struct Greet {
    out: Output,
    form: Option<Form>,
}

impl Greet {
    /// Prints on `out`, in the form of the explanations that share it, if there are any.
    pub(super) const fn new(out: Output, form: Option<Form>) -> Self {
        Self { out, form }
    }

    fn print(&self, text: &str) {
        self.out.queue_lines(&explain::text_line(self.form, text));
    }
}

impl Handler for Greet {
    type State = ();

    fn on_open(&mut self, ws: &mut WebSocket<'_>, _: &Request<'_>) {
        self.print(&format!("connection open: {}", ws.id()));
        ws.send("welcome to the websocket server!");
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_>, message: Message<'_>) {
        let text = match message {
            Message::Text(text) => Cow::Borrowed(text),
            Message::Binary(bytes) => String::from_utf8_lossy(bytes),
        };
        self.print(&format!("received message: {}", cut(&text)));
        ws.send(format!("hello, {text} !"));
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_>, _: &Closed<'_>) {
        self.print(&format!("connection close: {}", ws.id()));
    }
}

/// Returns the beginning of a text, and how many bytes follow.
fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        None => Cow::Borrowed(text),
        Some((at, _)) => {
            let (shown, more) = text.split_at(at);
            Cow::Owned(format!("{shown} … and {} bytes more", more.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = "ü".repeat(SHOWN);
        assert_eq!(cut(&long), long);
        assert_eq!(cut(&format!("{long}üx")), format!("{long} … and 3 bytes more"));
    }
}

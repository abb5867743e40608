//! The mode `echo`: sends every message back, text as text and binary as binary.

use wirehook::{Handler, Message, WebSocket};

pub(super) struct Echo;

impl Handler for Echo {
    type State = ();

    fn on_message(&mut self, ws: &mut WebSocket<'_>, message: Message<'_>) {
        ws.send(message);
    }
}

//! How a hook is called: so that its panic costs one connection and not the server.
//!
//! This file knows what is left of a connection whose hook has panicked: a Close with 1011, and the `on_close`
//! that every connection gets. It refuses to know what the hook did. Whatever the handler itself holds stays as
//! the panic left it; [`Handler`](crate::Handler) says what that means for whoever writes one.

use log::error;

use crate::{
    panics,
    peers::{ConnId, Peers},
    websocket::WebSocket,
};

/// Calls a hook of connection `id`; `None` if it panicked, and then the connection has failed.
#[inline]
pub(super) fn call<S, T>(
    id: ConnId,
    peers: &mut Peers<S>,
    hook: impl FnOnce(&mut WebSocket<'_, S>) -> T,
) -> Option<T> {
    // `peers` is left whole: no call of a hook into it can stop half-way. The handler is the user's matter.
    let result = panics::catch(|| hook(&mut WebSocket::new(id, peers)));
    if result.is_none() {
        panicked(id, peers);
    }
    result
}

#[cold]
fn panicked<S>(id: ConnId, peers: &mut Peers<S>) {
    error!("connection {id}: a hook has panicked");
    peers.fail_panicked(id);
}

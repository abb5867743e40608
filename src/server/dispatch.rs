//! How a hook is called: so that its panic costs one connection and not the server.
//!
//! This file knows what is left of a connection whose hook has panicked: a Close with 1011, and the
//! `on_close` that every connection gets. It refuses to know what the hook did. Whatever the handler itself
//! holds stays as the panic left it; [`Handler`](crate::Handler) says what that means for whoever writes one.

use log::error;

use crate::{
    hub::{ConnId, Hub},
    panics,
    websocket::WebSocket,
};

/// Calls a hook of connection `id`; `None` if it panicked, and then the connection has failed.
#[inline]
pub(super) fn catch_panic<S, T>(
    id: ConnId,
    hub: &mut Hub<S>,
    hook: impl FnOnce(&mut WebSocket<'_, S>) -> T,
) -> Option<T> {
    // `peers` is left whole: no call of a hook into it can stop half-way. The handler is the user's matter.
    let result = panics::catch(|| hook(&mut WebSocket::new(id, hub)));
    if result.is_none() {
        panicked(id, hub);
    }
    result
}

#[cold]
fn panicked<S>(id: ConnId, hub: &mut Hub<S>) {
    error!("connection {id}: a hook has panicked");
    hub.fail_panicked(id);
}

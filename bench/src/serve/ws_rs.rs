//! The crate `ws` (ws-rs), a callback server over an early mio: the nearest relative.
//!
//! Its best settings: room for the connections, no Nagle, and whole messages in one frame each. Larger
//! buffers gain nothing.

use ws::{Builder, Message, Sender, Settings};

use super::Service;
use crate::Result;

const MAX_CONNECTIONS: usize = 20_000;

pub(super) fn run(service: Service) -> Result<()> {
    let settings = Settings {
        max_connections: MAX_CONNECTIONS,
        tcp_nodelay: true,
        fragment_size: usize::MAX,
        panic_on_internal: false,
        ..Settings::default()
    };
    #[expect(clippy::result_large_err, reason = "the error is the crate's own")]
    let factory = move |out: Sender| {
        move |message: Message| match service {
            Service::Echo | Service::Compressed => out.send(message),
            Service::FanOut => out.broadcast(message),
        }
    };
    let server = Builder::new().with_settings(settings).build(factory)?.bind("127.0.0.1:0")?;
    super::announce(server.local_addr()?)?;
    server.run()?;
    Ok(())
}

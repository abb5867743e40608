//! This project's library, where its binary has no mode for the service. Echo is measured with the binary
//! itself. The heap is tuned as the binary does it.

use wirehook::Server;

use super::Service;
use crate::Result;

pub(super) fn run(service: Service) -> Result<()> {
    let server = Server::bind("127.0.0.1:0")?.tune_heap().on_message(move |ws, message| match service {
        Service::Echo | Service::Compressed => drop(ws.send(message)),
        Service::FanOut => drop(ws.broadcast(message)),
    });
    super::announce(server.local_addr()?)?;
    Ok(server.run()?)
}

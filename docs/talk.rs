// The client in the examples of the documentation, which have it by `let talk = include!(…)`: a file of one
// expression.
//
// `talk(server, bytes)` runs a server on this thread and is its client on another: it sends the request of §1.3
// and `bytes`, waits for an answer, says Close and returns what came, the head of the response left out. Then it
// shuts the server down. If `bytes` are a request of their own, that goes out alone, and its whole answer is
// returned.
{
    use std::{
        io::{self, ErrorKind, Read, Write},
        net::{SocketAddr, TcpStream},
        thread,
        time::Duration,
    };

    use wirehook::{Handler, Server};

    const REQUEST: &[u8] = b"GET /ann HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    /// A Close without a body, masked with a key of zeros.
    const CLOSE: &[u8] = b"\x88\x80\0\0\0\0";
    /// How long an answer may take, so that an example that is wrong fails instead of waiting for ever.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn talk<H: Handler>(server: Server<H>, bytes: &'static [u8]) -> io::Result<Vec<u8>> {
        let (address, handle) = (server.local_addr()?, server.handle());
        let client = thread::spawn(move || {
            let heard = converse(address, bytes);
            handle.shutdown();
            heard
        });
        server.run()?;
        client.join().unwrap_or_else(|_| Err(io::Error::other("the client has panicked")))
    }

    fn converse(address: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        if bytes.starts_with(b"GET ") {
            socket.write_all(bytes)?;
            return read_to_end(&mut socket, Vec::new());
        }
        socket.write_all(&[REQUEST, bytes].concat())?;
        let mut heard = Vec::new();
        let mut piece = [0; 4096];
        while behind_head(&heard).is_empty() {
            match socket.read(&mut piece) {
                Ok(0) => return Ok(behind_head(&heard).to_vec()),
                // What a server does that drops the connection.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(Vec::new()),
                result => heard.extend(&piece[..result?]),
            }
        }
        socket.write_all(CLOSE)?;
        Ok(behind_head(&read_to_end(&mut socket, heard)?).to_vec())
    }

    fn read_to_end(socket: &mut TcpStream, mut heard: Vec<u8>) -> io::Result<Vec<u8>> {
        socket.read_to_end(&mut heard)?;
        Ok(heard)
    }

    fn behind_head(heard: &[u8]) -> &[u8] {
        let end = heard.windows(4).position(|it| it == b"\r\n\r\n");
        end.map_or(&[], |end| &heard[end + 4..])
    }

    talk
}

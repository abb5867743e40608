//! TLS between a client and the server. The client is `rustls` where it keeps the rules, and bytes by hand
//! where it breaks them; `openssl` and `curl` are tried too.

#[cfg(all(unix, feature = "cli"))]
mod binary;
mod certificates;
mod programs;

use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, HandshakeKind, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use wirehook::{Cause, Server, TlsConfig};

use self::certificates::{certificates, copy};
use crate::{
    common::{BINARY, CLOSE, GRAIN, PATIENCE, REQUEST, TEXT, frame},
    harness::{End, Log, Running, start},
};

/// A client's end of TLS over a socket.
type Client = StreamOwned<ClientConnection, TcpStream>;

/// The configuration that most tests use.
fn config() -> TlsConfig {
    let (chain, key) = certificates().pair("localhost");
    TlsConfig::new().certificate_files(chain, key)
}

/// Starts a server that echoes over TLS and reports.
fn echo(config: TlsConfig) -> Running {
    echo_with(config, |server| server)
}

fn echo_with(config: TlsConfig, change: impl FnOnce(Server) -> Server + Send + 'static) -> Running {
    start(move |server, log: Log| {
        let (opened, noted, closed) = (log.clone(), log.clone(), log.clone());
        change(server)
            .tls(&config)
            .expect("the certificates are right")
            .state::<()>()
            .on_open(move |ws, _| {
                opened.open(ws);
                noted.note(ws.client_certificate().map_or(0, <[u8]>::len));
            })
            .on_message(move |ws, message| {
                log.note(message.len());
                ws.send(message);
            })
            .on_close(move |ws, close| closed.close(ws, close))
    })
}

/// Returns a client's configuration that trusts the tests' CA.
fn client_config(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots())
        .with_no_client_auth()
}

fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&certificates().read("ca.pem")).unwrap()).unwrap();
    roots
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("the server listens");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Connects with a configuration. No byte is exchanged yet.
fn client(address: SocketAddr, config: &Arc<ClientConfig>, name: &'static str) -> Client {
    let tls = ClientConnection::new(Arc::clone(config), ServerName::try_from(name).unwrap()).unwrap();
    StreamOwned::new(tls, connect(address))
}

/// Connects and opens a WebSocket.
fn open(server: &Running) -> Client {
    open_with(server, client_config(&[&TLS13, &TLS12]))
}

fn open_with(server: &Running, config: ClientConfig) -> Client {
    let mut client = client(server.address, &Arc::new(config), "localhost");
    upgrade(&mut client).expect("the handshakes succeed");
    server.opened();
    client
}

/// Sends a request and reads the head of the answer.
fn upgrade(client: &mut Client) -> io::Result<()> {
    client.write_all(REQUEST.as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    Ok(())
}

/// Sends a frame and expects its echo.
fn echoes(client: &mut Client, payload: &[u8]) {
    client.write_all(&frame(BINARY, payload)).unwrap();
    expect(client, payload);
}

fn expect(client: &mut impl Read, payload: &[u8]) {
    let header = match payload.len() {
        len @ 0..126 => vec![BINARY, len as u8],
        len @ 126..0x1_0000 => [&[BINARY, 126], &(len as u16).to_be_bytes()[..]].concat(),
        len => [&[BINARY, 127], &(len as u64).to_be_bytes()[..]].concat(),
    };
    let mut answer = vec![0; header.len() + payload.len()];
    client.read_exact(&mut answer).unwrap();
    assert!(answer == [&header, payload].concat(), "the echo of {} bytes", payload.len());
}

/// Does the closing handshake, and expects close_notify before the end of TCP.
fn close(mut client: Client) {
    client.write_all(&frame(CLOSE, &[3, 232])).unwrap();
    let mut rest = Vec::new();
    // Without close_notify this is an error.
    client.read_to_end(&mut rest).expect("TLS ends with close_notify");
    assert_eq!(rest, [CLOSE, 2, 3, 232]);
}

/// Writes bytes and reads until the socket ends. A reset after the bytes is an end too.
fn talk(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = connect(address);
    let _ = socket.write_all(bytes);
    read_to_end(&mut socket)
}

fn read_to_end(socket: &mut impl Read) -> Vec<u8> {
    let mut answer = Vec::new();
    match socket.read_to_end(&mut answer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the server does not end it"),
        _ => answer,
    }
}

/// The first flight of a client.
fn hello(versions: &[&'static SupportedProtocolVersion]) -> Vec<u8> {
    let config = Arc::new(client_config(versions));
    let mut tls = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut bytes = Vec::new();
    tls.write_tls(&mut bytes).unwrap();
    bytes
}

/// A socket that writes one byte at a time.
struct ByteByByte(TcpStream);

impl Read for ByteByByte {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.read(room)
    }
}

impl Write for ByteByByte {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..1.min(bytes.len())])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// --- Messages --------------------------------------------------------------------------------------------

#[test]
fn messages_of_all_lengths_pass_through_tls_1_2_and_1_3() {
    let server = echo(config());
    for version in [&TLS12, &TLS13] {
        let mut client = open_with(&server, client_config(&[version]));
        assert_eq!(client.conn.protocol_version(), Some(version.version));
        for len in [0, 1, 20, 125, 126, 16_384, 16_385, 65_536, 300_000, 1_000_000] {
            let payload: Vec<u8> = (0..len).map(|at: usize| (at * 7 + at / 251) as u8).collect();
            echoes(&mut client, &payload);
        }
        close(client);
        server.expect_closed(&End::clean(1000, "", Cause::Peer));
    }
}

#[test]
fn messages_in_many_records_arrive_in_one_piece() {
    let server = echo(config());
    let mut client = open(&server);
    for number in 0..50_u8 {
        client.conn.writer().write_all(&frame(BINARY, &[number; 100])).unwrap();
        let half = frame(BINARY, &[number; 30_000]);
        client.conn.writer().write_all(&half[..15_000]).unwrap();
        client.flush().unwrap();
        client.write_all(&half[15_000..]).unwrap();
        expect(&mut client, &[number; 100]);
        expect(&mut client, &[number; 30_000]);
    }
    close(client);
}

#[test]
fn a_client_may_send_byte_by_byte() {
    let server = echo(config());
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(client_config(&[version]));
        let tls = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
        let socket = connect(server.address);
        socket.set_nodelay(true).unwrap();
        let mut client = StreamOwned::new(tls, ByteByByte(socket));
        client.write_all(REQUEST.as_bytes()).unwrap();
        client.write_all(&frame(BINARY, b"slow")).unwrap();
        let mut answer = vec![0; 129 + 6];
        client.read_exact(&mut answer).unwrap();
        assert!(answer.ends_with(b"\r\n\r\n\x82\x04slow"), "{}", String::from_utf8_lossy(&answer));
        client.conn.send_close_notify();
        client.flush().unwrap();
        assert_eq!(read_to_end(&mut client), b"");
        server.opened();
        server.closed();
    }
}

#[test]
fn a_client_that_does_not_read_gets_every_byte_later() {
    let server =
        echo_with(config(), |server| server.configure(|config| config.max_backpressure = 64 * 1024 * 1024));
    let mut client = open(&server);
    let payload = vec![7; 900_000];
    // More than the sockets between hold: the server has to keep some, and to stop reading.
    let writer = client.sock.try_clone().unwrap();
    writer.set_write_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..8 {
        client.conn.set_buffer_limit(None);
        client.conn.writer().write_all(&frame(BINARY, &payload)).unwrap();
    }
    client.flush().unwrap();
    for _ in 0..8 {
        expect(&mut client, &payload);
    }
    close(client);
}

#[test]
fn keys_can_be_updated_at_any_time() {
    let server = echo(config());
    let mut client = open_with(&server, client_config(&[&TLS13]));
    for number in 0..5 {
        client.conn.refresh_traffic_keys().unwrap();
        echoes(&mut client, &[number; 1000]);
    }
    close(client);
}

// --- The handshake ---------------------------------------------------------------------------------------

#[test]
fn alpn_speaks_http_1_1_and_nothing_else() {
    let server = echo(config());
    let mut offers = client_config(&[&TLS13]);
    offers.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = open_with(&server, offers.clone());
    assert_eq!(client.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    close(client);
    offers.alpn_protocols = vec![b"h2".to_vec()];
    let mut client = client_of(&server, offers);
    let error = upgrade(&mut client).unwrap_err();
    assert_eq!(rustls_error(&error), &Error::AlertReceived(AlertDescription::NoApplicationProtocol));
}

fn client_of(server: &Running, config: ClientConfig) -> Client {
    client(server.address, &Arc::new(config), "localhost")
}

fn rustls_error(error: &io::Error) -> &Error {
    error.get_ref().and_then(|it| it.downcast_ref()).unwrap_or_else(|| panic!("not of TLS: {error}"))
}

#[test]
fn sessions_are_resumed() {
    let server = echo(config());
    for version in [&TLS12, &TLS13] {
        let config = client_config(&[version]);
        let first = open_with(&server, config.clone());
        assert_eq!(first.conn.handshake_kind(), Some(HandshakeKind::Full));
        close(first);
        let second = open_with(&server, config);
        assert_eq!(second.conn.handshake_kind(), Some(HandshakeKind::Resumed));
        close(second);
    }
}

#[test]
fn the_certificate_is_the_one_for_the_name() {
    let (chain, key) = certificates().pair("example");
    let server = echo(config().certificate_files(chain, key));
    for (name, file) in [("localhost", "localhost.pem"), ("example.org", "example.pem")] {
        let mut client = client(server.address, &Arc::new(client_config(&[&TLS13])), name);
        upgrade(&mut client).unwrap();
        let sent = client.conn.peer_certificates().unwrap()[0].clone();
        assert_eq!(sent, CertificateDer::from_pem_slice(&certificates().read(file)).unwrap());
    }
    let mut other = client(server.address, &Arc::new(client_config(&[&TLS13])), "example.com");
    let error = upgrade(&mut other).unwrap_err();
    assert!(matches!(rustls_error(&error), Error::InvalidCertificate(_)), "{error}");
    // Both have no Close.
    for _ in 0..2 {
        server.opened();
    }
}

#[test]
fn a_client_without_the_certificate_asked_for_is_refused() {
    let server = echo(config().client_ca_file(certificates().path("ca.pem")));
    for version in [&TLS12, &TLS13] {
        let mut client = client_of(&server, client_config(&[version]));
        // No request is sent: it could meet a closed socket, and the alert would be lost.
        let error = client.read(&mut [0; 64]).unwrap_err();
        assert_eq!(rustls_error(&error), &Error::AlertReceived(AlertDescription::CertificateRequired));
    }
}

#[test]
fn a_verified_certificate_of_a_client_reaches_the_hooks() {
    let server = echo(config().client_ca_pem(certificates().read("ca.pem")));
    let certificate = CertificateDer::from_pem_slice(&certificates().read("client.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&certificates().read("client.key")).unwrap();
    let with_certificate =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots())
            .with_client_auth_cert(vec![certificate.clone()], key)
            .unwrap();
    let client = open_with(&server, with_certificate);
    assert_eq!(server.note(), certificate.len().to_string());
    close(client);
}

#[test]
fn tls_1_1_and_older_are_refused_with_an_alert() {
    let server = echo(config());
    // RFC 8446 §4.1.2: without the extension `supported_versions` the version is the field before the random.
    for minor in [0, 1, 2] {
        // The extension offers ecdsa_secp256r1_sha256.
        let body =
            [&[3, minor][..], &[7; 32], &[0, 0, 2, 0xC0, 0x2F, 1, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3]].concat();
        let message = [&[1, 0, 0, body.len() as u8][..], &body].concat();
        let record = [&[0x16, 3, 1, 0, message.len() as u8][..], &message].concat();
        // An alert, fatal, protocol_version.
        let answer = talk(server.address, &record);
        assert_eq!((answer[0], &answer[3..]), (0x15, &[0, 2, 2, 70][..]), "3.{minor}");
    }
}

#[test]
fn a_handshake_that_stalls_at_any_byte_ends_in_time() {
    let server = echo_with(config(), |server| {
        server.configure(|config| config.handshake_timeout = Duration::from_millis(300))
    });
    let hello = hello(&[&TLS13, &TLS12]);
    let started = Instant::now();
    let mut sockets: Vec<TcpStream> = (0..=hello.len())
        .map(|len| {
            let mut socket = connect(server.address);
            socket.write_all(&hello[..len]).unwrap();
            socket
        })
        .collect();
    // Meanwhile others are served.
    let mut client = open(&server);
    echoes(&mut client, b"meanwhile");
    for (len, socket) in sockets.iter_mut().enumerate() {
        let answer = read_to_end(socket);
        assert_eq!(answer.is_empty(), len < hello.len(), "{len} of {} bytes", hello.len());
    }
    assert!(started.elapsed() + GRAIN >= Duration::from_millis(300));
    assert!(started.elapsed() < PATIENCE / 2);
    echoes(&mut client, b"after");
    close(client);
}

// --- What breaks the rules -------------------------------------------------------------------------------

#[test]
fn a_request_without_tls_is_answered_as_what_it_is() {
    let server = echo(config());
    for bytes in [REQUEST.as_bytes(), b"G"] {
        let answer = String::from_utf8(talk(server.address, bytes)).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        assert!(body.contains("TLS"), "{body}");
    }
}

#[test]
fn bytes_that_are_no_tls_end_their_connection_and_nothing_else() {
    let server = echo(config());
    let mut other = open(&server);
    let hello = hello(&[&TLS13, &TLS12]);
    let alert = [0x15, 3, 3, 0, 2, 2, 40];
    for bytes in [
        // A record of a type that there is not, one that is too long, and an alert in the middle.
        &[0xFF; 64][..],
        &[0x16, 3, 1, 0xFF, 0xFF, 1, 0, 0, 0],
        &[&hello, &alert[..]].concat(),
        // Two hellos, and application data before the handshake is complete.
        &[&hello[..], &hello].concat(),
        &[&hello, &[0x17, 3, 3, 0, 20][..], &[0; 20]].concat(),
    ] {
        talk(server.address, bytes);
        echoes(&mut other, b"unharmed");
    }
    close(other);
}

#[test]
fn a_changed_record_is_answered_with_an_alert() {
    let server = echo(config());
    for version in [&TLS12, &TLS13] {
        let mut client = open_with(&server, client_config(&[version]));
        client.conn.writer().write_all(&frame(TEXT, b"to be changed")).unwrap();
        let mut record = Vec::new();
        client.conn.write_tls(&mut record).unwrap();
        let last = record.len() - 1;
        record[last] ^= 1;
        client.sock.write_all(&record).unwrap();
        let error = client.read(&mut [0; 64]).unwrap_err();
        assert_eq!(rustls_error(&error), &Error::AlertReceived(AlertDescription::BadRecordMac));
        server.expect_closed(&End::unclean(1006, "", Cause::Transport(ErrorKind::InvalidData)));
    }
}

#[test]
fn what_came_before_a_changed_record_is_received() {
    let server = echo(config());
    let mut client = open(&server);
    client.conn.writer().write_all(&frame(BINARY, b"good")).unwrap();
    let mut records = Vec::new();
    client.conn.write_tls(&mut records).unwrap();
    records.extend([0x17, 3, 3, 0, 20]);
    records.extend([0; 20]);
    client.sock.write_all(&records).unwrap();
    let error = client.read(&mut [0; 64]).unwrap_err();
    assert_eq!(rustls_error(&error), &Error::AlertReceived(AlertDescription::BadRecordMac));
    assert_eq!([server.note(), server.note()], ["0", "4"], "no certificate, and the message");
    server.expect_closed(&End::unclean(1006, "", Cause::Transport(ErrorKind::InvalidData)));
}

#[test]
fn any_changes_of_a_session_end_it_and_nothing_else() {
    let server = echo(config());
    let mut other = open(&server);
    let hello = hello(&[&TLS13, &TLS12]);
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |most: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % most as u64) as usize
    };
    for _ in 0..500 {
        let mut bytes = hello.clone();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = next(256) as u8,
                1 => bytes.truncate(at + 1),
                2 => bytes.extend_from_within(at..),
                // The message continues in another record.
                _ => drop(bytes.splice(at..at, [0x16, 3, 1, 0, next(64) as u8])),
            }
        }
        let mut socket = connect(server.address);
        let _ = socket.write_all(&bytes);
        let _ = socket.shutdown(Shutdown::Write);
        read_to_end(&mut socket);
    }
    echoes(&mut other, b"unharmed");
    close(other);
}

#[test]
fn a_message_leaves_while_half_a_record_is_held() {
    let server = echo(config());
    let mut client = open_with(&server, client_config(&[&TLS13]));
    // A key update, whose first half is held while the server sends.
    client.conn.refresh_traffic_keys().unwrap();
    let mut record = Vec::new();
    client.conn.write_tls(&mut record).unwrap();
    client.sock.write_all(&record[..record.len() / 2]).unwrap();
    server.handle.broadcast("meanwhile").unwrap();
    let mut answer = [0; 11];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"\x81\x09meanwhile");
    client.sock.write_all(&record[record.len() / 2..]).unwrap();
    echoes(&mut client, b"with new keys");
    close(client);
}

// --- The end ---------------------------------------------------------------------------------------------

#[test]
fn an_end_with_and_without_close_notify_is_told_apart() {
    let server = echo(config());
    let mut client = open(&server);
    client.conn.send_close_notify();
    client.flush().unwrap();
    // It is answered.
    assert_eq!(client.read(&mut [0; 64]).unwrap(), 0);
    server.expect_closed(&End::unclean(1006, "", Cause::Transport(ErrorKind::UnexpectedEof)));
    let client = open(&server);
    client.sock.shutdown(Shutdown::Write).unwrap();
    server.expect_closed(&End::unclean(1006, "", Cause::Transport(ErrorKind::ConnectionAborted)));
}

#[test]
fn a_client_over_the_limit_sees_the_answer_through_tls() {
    let server = echo_with(config(), |server| server.configure(|config| config.max_connections = Some(1)));
    let first = open(&server);
    let mut second = client_of(&server, client_config(&[&TLS13]));
    let mut answer = Vec::new();
    second.write_all(REQUEST.as_bytes()).unwrap();
    second.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&answer));
    close(first);
}

// --- Certificates ----------------------------------------------------------------------------------------

#[test]
fn a_new_certificate_is_for_new_clients_and_a_bad_one_for_none() {
    let (chain, key) = (certificates().path("reloaded.pem"), certificates().path("reloaded.key"));
    copy(&certificates().pair("localhost"), &chain, &key);
    let config = TlsConfig::new().certificate_files(&chain, &key);
    let server = echo(config.clone());
    let mut old = open(&server);
    // A certificate without its key leaves the old one in force.
    fs::copy(certificates().path("example.pem"), &chain).unwrap();
    let error = server.handle.reload_tls(&config).unwrap_err().to_string();
    assert!(error.contains("reloaded.key") && error.contains("not the key"), "{error}");
    close(open(&server));
    copy(&certificates().pair("example"), &chain, &key);
    server.handle.reload_tls(&config).unwrap();
    let mut new = client_of(&server, client_config(&[&TLS13]));
    let error = upgrade(&mut new).unwrap_err();
    assert!(matches!(rustls_error(&error), Error::InvalidCertificate(_)), "{error}");
    echoes(&mut old, b"still here");
    close(old);
}

#[test]
fn a_wrong_file_is_named() {
    let (chain, key) = certificates().pair("localhost");
    let (other_chain, other_key) = certificates().pair("example");
    let missing = certificates().path("missing.pem");
    let build = |config: &TlsConfig| {
        let server = Server::bind("127.0.0.1:0").unwrap();
        server.tls(config).err().expect("it is refused").to_string()
    };
    for (config, words) in [
        (TlsConfig::new().certificate_files(&missing, &key), "missing.pem"),
        (TlsConfig::new().certificate_files(&key, &key), "localhost.key: no certificate"),
        (TlsConfig::new().certificate_files(&chain, &chain), "localhost.pem: no private key"),
        (TlsConfig::new().certificate_files(&chain, &other_key), "example.key: this is not the key"),
        (TlsConfig::new().certificate_files(&other_chain, &key), "localhost.key: this is not the key"),
        (config().client_ca_file(&missing), "missing.pem"),
        (TlsConfig::new(), "a certificate"),
    ] {
        let error = build(&config);
        assert!(error.contains(words), "{error}");
    }
}

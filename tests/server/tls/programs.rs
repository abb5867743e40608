//! Programs that speak TLS of their own.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

use super::{certificates, config, echo};
use crate::common::{CLOSE, REQUEST, TEXT, frame};

/// Runs a program, gives it this input, and returns what it has written.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> (Vec<u8>, String) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is installed: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    // A program that refuses the server may have ended before it reads.
    let _ = stdin.write_all(input);
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (out, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs `openssl s_client` with more arguments.
fn s_client(address: &str, more: &[&str], input: &[u8]) -> (Vec<u8>, String) {
    let ca = certificates().path("ca.pem");
    let arguments =
        ["s_client", "-connect", address, "-CAfile", ca.to_str().unwrap(), "-verify_return_error"];
    run("openssl", &[&arguments, more].concat(), input)
}

#[test]
fn openssl_opens_and_closes_a_connection() {
    let server = echo(config());
    let address = server.address.to_string();
    let session = [REQUEST.as_bytes(), &frame(TEXT, b"Hello"), &frame(CLOSE, &[3, 232])].concat();
    for version in ["-tls1_2", "-tls1_3"] {
        let (out, error) = s_client(&address, &["-quiet", version], &session);
        assert!(out.ends_with(b"\r\n\r\n\x81\x05Hello\x88\x02\x03\xe8"), "{version}: {error}");
        server.opened();
        server.closed();
    }
}

#[test]
fn openssl_finds_no_old_version_and_no_weak_suite() {
    let server = echo(config());
    let address = server.address.to_string();
    for arguments in [
        &["-tls1"][..],
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        // Neither a key that is not forgotten, nor a block cipher in a mode without authentication.
        &["-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "ECDHE+AES+SHA:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "eNULL:aNULL:3DES:RC4:@SECLEVEL=0"],
    ] {
        let (out, _) = s_client(&address, arguments, b"");
        let out = String::from_utf8_lossy(&out);
        assert!(!out.contains("Cipher is") || out.contains("Cipher is (NONE)"), "{arguments:?}: {out}");
    }
    let (out, error) = s_client(&address, &["-tls1_2"], b"Q\n");
    let out = String::from_utf8_lossy(&out);
    assert!(out.contains("Cipher is ECDHE-"), "{out}{error}");
}

#[test]
fn openssl_can_not_renegotiate() {
    let server = echo(config());
    let address = server.address.to_string();
    let (out, error) = s_client(&address, &["-tls1_2", "-legacy_renegotiation"], b"R\n");
    let told = format!("{}{error}", String::from_utf8_lossy(&out));
    assert!(told.contains("RENEGOTIATING") && told.contains("no renegotiation"), "{told}");
    // Another client is served.
    super::close(super::open(&server));
}

#[test]
fn curl_upgrades_through_tls() {
    let server = echo(config());
    let ca = certificates().path("ca.pem");
    let url = format!("https://localhost:{}/", server.address.port());
    let headers = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    let mut arguments = vec!["-s", "-i", "--http1.1", "--max-time", "1", "--cacert", ca.to_str().unwrap()];
    arguments.extend(["-4", "-S", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]);
    arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
    arguments.push(&url);
    let (out, error) = run("curl", &arguments, b"");
    let out = String::from_utf8_lossy(&out);
    assert!(out.starts_with("HTTP/1.1 101 "), "{out}{error}");
    assert!(out.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{out}");
    server.opened();
    server.closed();
}

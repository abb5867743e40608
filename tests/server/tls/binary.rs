//! The binary with TLS: its options, and SIGHUP.

use std::fs;

use super::{certificates, client, client_config, copy, echoes, upgrade};
use crate::common::process::Process;

#[test]
fn sighup_reads_the_files_again_and_ends_nothing() {
    let (chain, key) = (certificates().path("binary.pem"), certificates().path("binary.key"));
    copy(&certificates().pair("localhost"), &chain, &key);
    let arguments = ["--tls-cert", chain.to_str().unwrap(), "--tls-key", key.to_str().unwrap(), "-v"];
    let (process, address) = Process::start(&arguments);
    let config = std::sync::Arc::new(client_config(&[&rustls::version::TLS13]));
    let open = |name| {
        let mut client = client(address, &config, name);
        upgrade(&mut client).map(|()| client)
    };
    let mut old = open("localhost").unwrap();
    // A bad file changes nothing.
    fs::write(&key, "no key").unwrap();
    process.signal("HUP");
    process.expect_logged("the old certificates stay in force");
    assert!(open("localhost").is_ok() && open("example.org").is_err());
    copy(&certificates().pair("example"), &chain, &key);
    process.signal("HUP");
    process.expect_logged("new clients get the certificates");
    assert!(open("localhost").is_err() && open("example.org").is_ok());
    echoes(&mut old, b"still open");
    process.signal("TERM");
    assert!(process.wait().0.success());
}

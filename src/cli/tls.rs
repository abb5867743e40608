//! TLS for the server of the command line: its files, and their reload at SIGHUP.
//!
//! This file knows which files belong together. A binary without the feature `tls` says so when they are
//! given.

use std::path::PathBuf;

/// The files that the options name, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsOptions {
    pub(super) certificates: Vec<PathBuf>,
    pub(super) keys: Vec<PathBuf>,
    pub(super) client_roots: Vec<PathBuf>,
}

impl TlsOptions {
    /// Returns whether TLS is asked for.
    pub(super) const fn is_on(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// Checks that each certificate has a key.
    pub(super) fn check(&self) -> Result<(), String> {
        let (certificates, keys) = (self.certificates.len(), self.keys.len());
        if certificates != keys {
            return Err(format!("--tls-cert is given {certificates} times and --tls-key {keys} times"));
        }
        match self.client_roots.first() {
            Some(roots) if !self.is_on() => {
                Err(format!("--tls-client-ca {} needs --tls-cert and --tls-key", roots.display()))
            }
            _ if self.is_on() && cfg!(not(feature = "tls")) => {
                Err("--tls-cert: this program is built without TLS (the feature tls)".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Returns the scheme of the server's address.
    pub(super) const fn scheme(&self) -> &'static str {
        if self.is_on() { "wss" } else { "ws" }
    }
}

#[cfg(feature = "tls")]
pub(super) use with_tls::{reload_on_signal, secure};

#[cfg(feature = "tls")]
mod with_tls {
    use std::io;

    use wirehook::{Handler, Server, TlsConfig};

    use super::TlsOptions;

    impl TlsOptions {
        fn config(&self) -> TlsConfig {
            let pairs = self.certificates.iter().zip(&self.keys);
            let config = pairs.fold(TlsConfig::new(), |it, (chain, key)| it.certificate_files(chain, key));
            self.client_roots.iter().fold(config, TlsConfig::client_ca_file)
        }
    }

    /// Has a server speak TLS, if that is asked for. The error names the file that is wrong.
    pub(in crate::cli) fn secure(server: Server, options: &TlsOptions) -> io::Result<Server> {
        if options.is_on() { server.tls(&options.config()) } else { Ok(server) }
    }

    /// Reads the files again within a second after SIGHUP. If one is wrong, the old ones stay in force.
    #[cfg(unix)]
    pub(in crate::cli) fn reload_on_signal<H: Handler>(
        server: Server<H>,
        options: &TlsOptions,
    ) -> io::Result<Server<H>> {
        use std::{
            sync::{
                Arc,
                atomic::{AtomicBool, Ordering},
            },
            time::Duration,
        };

        use log::{error, info};
        use signal_hook::{consts::SIGHUP, flag};

        if !options.is_on() {
            return Ok(server);
        }
        let has_come = Arc::new(AtomicBool::new(false));
        flag::register(SIGHUP, Arc::clone(&has_come))?;
        let (config, handle) = (options.config(), server.handle());
        Ok(server.every(Duration::from_secs(1), move |_| {
            if !has_come.swap(false, Ordering::Relaxed) {
                return;
            }
            match handle.reload_tls(&config) {
                Ok(()) => info!("new clients get the certificates that the files have now"),
                Err(error) => error!("the old certificates stay in force: {error}"),
            }
        }))
    }

    /// Returns the server as it is: there is no SIGHUP.
    #[cfg(not(unix))]
    pub(in crate::cli) fn reload_on_signal<H: Handler>(
        server: Server<H>,
        _: &TlsOptions,
    ) -> io::Result<Server<H>> {
        Ok(server)
    }
}

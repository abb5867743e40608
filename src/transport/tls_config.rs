//! What a server needs to speak TLS: certificates, keys, and the roots that clients' certificates end at.
//!
//! This file reads PEM and chooses the certificate for a name; `rustls` verifies. It refuses to know
//! connections.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    Error, RootCertStore, ServerConfig, SupportedProtocolVersion,
    client::verify_server_name,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

/// The certificates and keys with which a server speaks TLS 1.2 and 1.3.
///
/// Both files of a pair are in PEM. Of several certificates the first that is valid for the name that a
/// client asks for (SNI) is sent, or the first of all. Sessions are resumed by tickets, which need no memory.
/// There is no early data, no renegotiation, and the only protocol of ALPN is `http/1.1`.
///
/// ```no_run
/// use wirehook::{Server, TlsConfig};
///
/// let tls = TlsConfig::new()
///     .certificate_files("example.com.pem", "example.com.key")
///     .certificate_files("example.org.pem", "example.org.key");
/// let server = Server::bind("0.0.0.0:443")?.tls(&tls)?.on_message(|ws, message| {
///     ws.send(message);
/// });
/// server.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TlsConfig {
    pairs: Vec<(Pem, Pem)>,
    client_roots: Vec<Pem>,
    without_tls12: bool,
    ready: Option<Arc<ServerConfig>>,
}

/// Bytes in PEM, or a file that has them. A file is read each time that a configuration is made of it.
#[derive(Clone)]
enum Pem {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl TlsConfig {
    /// Returns a configuration without certificates; at least one is needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a certificate with the chain that follows it, and its key, each as a file in PEM.
    ///
    /// The files are read by [`Server::tls`](crate::Server::tls), and again by each
    /// [`Handle::reload_tls`](crate::Handle::reload_tls).
    #[must_use]
    pub fn certificate_files(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.pairs.push((Pem::File(chain.into()), Pem::File(key.into())));
        self
    }

    /// Adds a certificate with the chain that follows it, and its key, each as bytes in PEM. Example:
    /// [`client_ca_pem`](Self::client_ca_pem).
    #[must_use]
    pub fn certificate_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.pairs.push((Pem::Bytes(chain.into()), Pem::Bytes(key.into())));
        self
    }

    /// Serves only clients with a certificate that one of these roots has signed; a file in PEM.
    ///
    /// Example: [`WebSocket::client_certificate`](crate::WebSocket::client_certificate).
    #[must_use]
    pub fn client_ca_file(mut self, roots: impl Into<PathBuf>) -> Self {
        self.client_roots.push(Pem::File(roots.into()));
        self
    }

    /// Serves only clients with a certificate that one of these roots has signed; bytes in PEM.
    ///
    /// A program that gets its secrets from elsewhere needs no files:
    ///
    /// ```
    /// # use wirehook::{Server, TlsConfig};
    /// # let secret = |_name: &str| Vec::new();
    /// let tls = TlsConfig::new()
    ///     .certificate_pem(secret("certificate"), secret("key"))
    ///     .client_ca_pem(secret("roots"))
    ///     .without_tls12();
    /// # let result = Server::bind("127.0.0.1:0")?.tls(&tls);
    /// # assert_eq!(result.err().map(|it| it.to_string()).as_deref(), Some("PEM: no certificate in it"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn client_ca_pem(mut self, roots: impl Into<Vec<u8>>) -> Self {
        self.client_roots.push(Pem::Bytes(roots.into()));
        self
    }

    /// Refuses TLS 1.2: only TLS 1.3 is spoken. Example: [`client_ca_pem`](Self::client_ca_pem).
    #[must_use]
    pub const fn without_tls12(mut self) -> Self {
        self.without_tls12 = true;
        self
    }

    /// Reads and checks everything. Returns what rustls needs.
    pub(crate) fn build(&self) -> io::Result<Arc<ServerConfig>> {
        if let Some(ready) = &self.ready {
            return Ok(Arc::clone(ready));
        }
        let provider = Arc::new(ring::default_provider());
        let certificates = Certificates::read(&self.pairs, &provider)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions())
            .map_err(invalid)?;
        let builder = if self.client_roots.is_empty() {
            builder.with_no_client_auth()
        } else {
            let roots = Arc::new(read_roots(&self.client_roots)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            builder.with_client_cert_verifier(verifier.map_err(invalid)?)
        };
        let mut config = builder.with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.ticketer = ring::Ticketer::new().map_err(invalid)?;
        Ok(Arc::new(config))
    }

    const fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
        const NEWEST: &[&SupportedProtocolVersion] = &[&TLS13];
        if self.without_tls12 { NEWEST } else { BOTH }
    }
}

impl From<Arc<ServerConfig>> for TlsConfig {
    /// Takes a configuration of rustls as it is, with its own rules for everything.
    fn from(ready: Arc<ServerConfig>) -> Self {
        Self { ready: Some(ready), ..Self::default() }
    }
}

impl Pem {
    /// Returns the bytes.
    fn read(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::File(path) => fs::read(path).map_err(|error| self.error(&error)),
            Self::Bytes(bytes) => Ok(bytes.clone()),
        }
    }

    /// Returns the certificates: at least one.
    fn read_certificates(&self) -> io::Result<Vec<CertificateDer<'static>>> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.read()?).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => Err(self.error(&"no certificate in it")),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(self.error(&error)),
        }
    }

    fn read_key(&self) -> io::Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => self.error(&"no private key in it"),
            error => self.error(&error),
        })
    }

    /// Returns an error that names the file.
    fn error(&self, error: &dyn std::fmt::Display) -> io::Error {
        let name = match self {
            Self::File(path) => path.as_path(),
            Self::Bytes(_) => Path::new("PEM"),
        };
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", name.display()))
    }
}

impl std::fmt::Debug for Pem {
    /// Writes the name of a file, and no bytes: they can be a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Bytes(_) => f.write_str("PEM"),
        }
    }
}

fn read_roots(files: &[Pem]) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for file in files {
        for certificate in file.read_certificates()? {
            roots.add(certificate).map_err(|error| file.error(&error))?;
        }
    }
    Ok(roots)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The certificates of a server, in the order in which they were given.
#[derive(Debug)]
struct Certificates(Vec<Arc<CertifiedKey>>);

impl Certificates {
    fn read(pairs: &[(Pem, Pem)], provider: &CryptoProvider) -> io::Result<Self> {
        if pairs.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "TLS needs a certificate"));
        }
        pairs
            .iter()
            .map(|(chain, key)| read_pair(chain, key, provider).map(Arc::new))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Reads a certificate and its key. The error names the file that is wrong.
fn read_pair(chain: &Pem, key: &Pem, provider: &CryptoProvider) -> io::Result<CertifiedKey> {
    let certificates = chain.read_certificates()?;
    let pair = CertifiedKey::from_der(certificates, key.read_key()?, provider);
    pair.map_err(|error| match error {
        Error::InconsistentKeys(_) => key.error(&"this is not the key of the certificate"),
        Error::InvalidCertificate(error) => chain.error(&error),
        error => key.error(&error),
    })
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let [only] = self.0.as_slice() {
            return Some(Arc::clone(only));
        }
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let named = name.and_then(|name| self.0.iter().find(|pair| is_for(pair, &name)));
        named.or_else(|| self.0.first()).cloned()
    }
}

/// Returns whether a certificate is valid for a name.
fn is_for(pair: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = pair.end_entity_cert().and_then(ParsedCertificate::try_from);
    parsed.is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

/// The configuration that new connections get. Another thread can put a newer one in its place.
#[derive(Debug)]
pub(crate) struct TlsSlot(Mutex<Arc<ServerConfig>>);

impl TlsSlot {
    pub(crate) fn new(config: &TlsConfig) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self(Mutex::new(config.build()?))))
    }

    /// Puts a new configuration in the place of the old one.
    ///
    /// # Errors
    ///
    /// A file is wrong; the old configuration stays.
    pub(crate) fn replace(&self, config: &TlsConfig) -> io::Result<()> {
        let config = config.build()?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) fn get(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

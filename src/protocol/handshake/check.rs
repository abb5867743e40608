//! §4.2.1 The rules of a request, one function per rule, in the order in which they are checked.
//!
//! This file compares a request with the rules. It does not know how a head is read, and which of the allowed
//! requests the application accepts.

use super::{
    Request,
    accept::decode_key,
    grammar::{is_authority, is_path, is_protocol, is_query, is_token, split_port},
    request::{Only, split_target},
};
use crate::protocol::error::HandshakeError;

impl Request<'_> {
    /// Checks the request against §4.2.1, the served hosts and the allowed origins (§10.2). An empty list
    /// allows all.
    ///
    /// It only calls the other `check_` methods in their order; each is one rule. A request without an
    /// `Origin` passes: it comes from no page, and a program could name any origin.
    ///
    /// # Errors
    ///
    /// The first rule that the request breaks.
    ///
    /// ```
    /// # use wirehook::protocol::{HandshakeError, Limits, RequestReader};
    /// let mut head = *b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    /// let mut reader = RequestReader::default();
    /// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
    /// assert_eq!(request.check(&[], &[]), Err(HandshakeError::VersionMissing)); // the first that is broken
    ///
    /// // Each rule by itself, in the order in which they are checked:
    /// assert_eq!(request.check_http(), Ok(())); // that is, these three:
    /// assert_eq!(request.check_request_line(), Ok(()));
    /// assert_eq!(request.check_host(), Ok(()));
    /// assert_eq!(request.check_no_body(), Ok(()));
    ///
    /// assert_eq!(request.check_served_host(&[]), Ok(()));
    /// assert_eq!(request.check_upgrade(), Ok(()));
    /// assert_eq!(request.check_connection(), Ok(()));
    /// assert_eq!(request.check_version(), Err(HandshakeError::VersionMissing));
    /// assert_eq!(request.check_key(), Err(HandshakeError::KeyMissing));
    /// assert_eq!(request.check_subprotocols(), Ok(()));
    /// assert_eq!(request.check_extensions(), Ok(()));
    /// assert_eq!(request.check_origin(&[]), Ok(()));
    /// # Ok::<(), HandshakeError>(())
    /// ```
    pub fn check(&self, hosts: &[String], origins: &[String]) -> Result<(), HandshakeError> {
        self.check_http()?;
        self.check_served_host(hosts)?;
        self.check_upgrade()?;
        self.check_connection()?;
        self.check_version()?;
        self.check_key()?;
        self.check_lists()?;
        self.check_origin(origins)
    }

    /// Checks the rules for every GET, WebSocket or not: items 1 and 2 of §4.2.1, and those of RFC 9112.
    ///
    /// # Errors
    ///
    /// The first rule that the request breaks.
    pub fn check_http(&self) -> Result<(), HandshakeError> {
        self.check_request_line()?;
        self.check_host()?;
        self.check_no_body()
    }

    /// Checks the rules of [`check_http`](Self::check_http), but allows HEAD as well, for a page.
    ///
    /// RFC 9110 §9.3.2: the answer to HEAD is the answer to GET [without its
    /// body](super::Response::without_body).
    ///
    /// ```
    /// # use wirehook::protocol::{HandshakeError, Limits, RequestReader};
    /// let mut head = *b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    /// let mut reader = RequestReader::default();
    /// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
    /// assert_eq!(request.check_page(), Ok(()));
    /// assert_eq!(request.check_http(), Err(HandshakeError::MethodIsHead));
    /// # Ok::<(), HandshakeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first rule that the request breaks.
    pub fn check_page(&self) -> Result<(), HandshakeError> {
        match self.check_request_line() {
            Err(HandshakeError::MethodIsHead) => {
                self.check_http_version().and_then(|()| self.check_target())?
            }
            verdict => verdict?,
        }
        self.check_host()?;
        self.check_no_body()
    }

    /// §4.2.1, item 1: checks the method, the version and the target.
    ///
    /// # Errors
    ///
    /// The method or the version is another one, or the target is malformed.
    pub fn check_request_line(&self) -> Result<(), HandshakeError> {
        // RFC 9110 §9.3.2: the answer to HEAD never has a body, so this is checked first.
        if self.method() == "HEAD" {
            return Err(HandshakeError::MethodIsHead);
        }
        self.check_http_version()?;
        if self.method() != "GET" {
            return Err(HandshakeError::MethodNotGet);
        }
        self.check_target()
    }

    fn check_http_version(&self) -> Result<(), HandshakeError> {
        // §4.2.1: "An HTTP/1.1 or higher GET request".
        if self.minor_version() == 0 { Err(HandshakeError::HttpVersion) } else { Ok(()) }
    }

    fn check_target(&self) -> Result<(), HandshakeError> {
        let path = self.path();
        // §3: "Fragment identifiers are meaningless … and MUST NOT be used on these URIs."
        if !path.starts_with('/') || self.target().contains('#') {
            return Err(HandshakeError::TargetInvalid);
        }
        // RFC 9110 §4.2.1: a target with an empty host "MUST reject it as invalid".
        if split_target(self.target()).0.is_some_and(|authority| !is_authority(authority.as_bytes())) {
            return Err(HandshakeError::AuthorityInvalid);
        }
        if !is_path(path) || !self.query_string().is_none_or(is_query) {
            return Err(HandshakeError::TargetNotEncoded);
        }
        Ok(())
    }

    /// §4.2.1, item 2: checks that there is one valid Host.
    ///
    /// # Errors
    ///
    /// There is no Host, more than one, or an invalid one.
    pub fn check_host(&self) -> Result<(), HandshakeError> {
        // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
        // request message that lacks a Host header field" or has two or an invalid one.
        match self.only("Host") {
            Only::None => Err(HandshakeError::HostMissing),
            Only::One(host) if is_authority(host) => Ok(()),
            Only::One(_) => Err(HandshakeError::HostInvalid),
            Only::Several => Err(HandshakeError::HostRepeated),
        }
    }

    /// §4.2.1, item 2: checks that the requested [`host`](Self::host) is one of these. An empty list allows
    /// all.
    ///
    /// Letter case does not matter. A host without a port is served at every port. Clients leave out the
    /// default port of their scheme, so a request without a port also asks for 80 and 443.
    ///
    /// ```
    /// # use wirehook::protocol::{HandshakeError, Limits, RequestReader};
    /// let mut head = *b"GET / HTTP/1.1\r\nHost: Example.com:8080\r\n\r\n";
    /// let mut reader = RequestReader::default();
    /// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
    /// assert_eq!(request.check_served_host(&["example.com".to_owned()]), Ok(()));
    /// assert_eq!(request.check_served_host(&["example.com:8080".to_owned()]), Ok(()));
    /// let other = request.check_served_host(&["example.com:80".to_owned()]);
    /// assert_eq!(other, Err(HandshakeError::HostNotServed));
    /// # Ok::<(), HandshakeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The request asks for another host.
    pub fn check_served_host(&self, hosts: &[String]) -> Result<(), HandshakeError> {
        // §4.2.1: "A |Host| header field containing the server's authority."
        let asked = split_port(self.host().unwrap_or_default());
        if hosts.is_empty() || hosts.iter().any(|served| is_served_by(asked, split_port(served))) {
            Ok(())
        } else {
            Err(HandshakeError::HostNotServed)
        }
    }

    /// RFC 9110 §9.3.1: checks that no body is announced. The body of a GET has no meaning, and frames follow
    /// the head.
    ///
    /// # Errors
    ///
    /// A body is announced.
    pub fn check_no_body(&self) -> Result<(), HandshakeError> {
        // RFC 9112 §6: a body is announced by Content-Length or Transfer-Encoding; its bytes
        // would be taken for frames.
        if self.values("Transfer-Encoding").next().is_some()
            || self.values("Content-Length").any(|len| len != b"0")
        {
            return Err(HandshakeError::BodyAnnounced);
        }
        Ok(())
    }

    /// §4.2.1, item 3: checks `Upgrade`.
    ///
    /// # Errors
    ///
    /// No `Upgrade` has the token, or one of them is no list of protocols.
    pub fn check_upgrade(&self) -> Result<(), HandshakeError> {
        if !self.list("Upgrade").all(is_protocol) {
            return Err(HandshakeError::UpgradeMalformed);
        }
        // §4.2.1: "An |Upgrade| header field containing the value "websocket", treated as an ASCII
        // case-insensitive value."
        if !self.lists_token("Upgrade", "websocket") {
            return Err(HandshakeError::NotAnUpgrade);
        }
        Ok(())
    }

    /// §4.2.1, item 4: checks `Connection`.
    ///
    /// # Errors
    ///
    /// No `Connection` has the token, or one of them is no list of tokens.
    pub fn check_connection(&self) -> Result<(), HandshakeError> {
        if !self.list("Connection").all(is_token) {
            return Err(HandshakeError::ConnectionMalformed);
        }
        // §4.2.1: "A |Connection| header field that includes the token "Upgrade"".
        if !self.lists_token("Connection", "upgrade") {
            return Err(HandshakeError::ConnectionWithoutUpgrade);
        }
        Ok(())
    }

    /// §4.2.1, item 6: checks the version, before the key, since another version may have other keys.
    ///
    /// # Errors
    ///
    /// The version is missing, repeated, or not 13.
    pub fn check_version(&self) -> Result<(), HandshakeError> {
        // §4.2.1: "A |Sec-WebSocket-Version| header field, with a value of 13."
        match self.only("Sec-WebSocket-Version") {
            Only::One(b"13") => Ok(()),
            Only::One(_) => Err(HandshakeError::VersionNotSupported),
            Only::None => Err(HandshakeError::VersionMissing),
            Only::Several => Err(HandshakeError::VersionRepeated),
        }
    }

    /// §4.2.1, item 5: checks the key.
    ///
    /// # Errors
    ///
    /// The key is missing, repeated, or not the base64 of 16 bytes.
    pub fn check_key(&self) -> Result<(), HandshakeError> {
        // §4.2.1: "a base64-encoded value that, when decoded, is 16 bytes in length".
        match self.only("Sec-WebSocket-Key") {
            Only::One(key) if decode_key(key).is_some() => Ok(()),
            Only::One(_) => Err(HandshakeError::KeyInvalid),
            Only::None => Err(HandshakeError::KeyMissing),
            Only::Several => Err(HandshakeError::KeyRepeated),
        }
    }

    /// §4.2.1, items 8 and 9: checks the offers. A server may ignore an offer, yet "any violations of the
    /// ABNF grammar specified for the components of the handshake" are refused.
    fn check_lists(&self) -> Result<(), HandshakeError> {
        self.check_subprotocols()?;
        self.check_extensions()
    }

    /// §4.2.1, item 8: checks the offered subprotocols.
    ///
    /// # Errors
    ///
    /// The offer is no list of different tokens.
    pub fn check_subprotocols(&self) -> Result<(), HandshakeError> {
        // §4.1: the subprotocols "MUST all be unique strings". After sorting, equal ones are neighbours, so
        // the work does not grow with the square of their number.
        let mut offers = self.offers().subprotocols.clone();
        offers.sort_unstable();
        let are_different = offers.windows(2).all(|pair| pair[0] != pair[1]);
        let is_missing = offers.is_empty() && self.values("Sec-WebSocket-Protocol").next().is_some();
        if is_missing || !are_different || !offers.into_iter().all(is_token) {
            return Err(HandshakeError::SubprotocolsMalformed);
        }
        Ok(())
    }

    /// §4.2.1, item 9: checks the offered extensions.
    ///
    /// # Errors
    ///
    /// The offer breaks the grammar of §9.1.
    pub fn check_extensions(&self) -> Result<(), HandshakeError> {
        match self.offers().extensions {
            Some(_) => Ok(()),
            None => Err(HandshakeError::ExtensionsMalformed),
        }
    }

    /// §4.2.1, item 7: checks the origin, also against a list unless it is empty (§10.2).
    ///
    /// # Errors
    ///
    /// There are two origins, the origin has an invalid byte, or the list does not contain it.
    pub fn check_origin(&self, allowed: &[String]) -> Result<(), HandshakeError> {
        match self.only("Origin") {
            Only::Several => Err(HandshakeError::OriginRepeated),
            // A hook could not tell a value that is no text from a missing Origin.
            Only::One(origin) if !origin.iter().all(|it| matches!(it, b' '..=b'~')) => {
                Err(HandshakeError::OriginInvalid)
            }
            // §10.2: servers that serve only certain sites "SHOULD verify the |Origin| field is an
            // origin they expect".
            Only::One(origin) if !allowed.is_empty() => {
                let is_allowed = allowed.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(origin));
                if is_allowed { Ok(()) } else { Err(HandshakeError::OriginNotAllowed) }
            }
            Only::None | Only::One(_) => Ok(()),
        }
    }
}

/// Returns whether a server of this host and port may answer a request for that host and port.
fn is_served_by((host, port): (&str, Option<&str>), (served, served_port): (&str, Option<&str>)) -> bool {
    // RFC 3986 §6.2.3: an empty port and the scheme's default port are no port.
    let is_port = |served: &str| match port {
        None | Some("") => matches!(served, "" | "80" | "443"),
        Some(port) => served.is_empty() || port == served,
    };
    host.eq_ignore_ascii_case(served) && served_port.is_none_or(is_port)
}

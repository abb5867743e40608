//! §4.1 The rules of an answer, one function per rule, in the order of the RFC's list.
//!
//! This file compares a 101 with the rules and with what was offered.

use std::str;

use super::{Accepted, error::ResponseError, head::ResponseHead, request::Offered};
#[cfg(feature = "deflate")]
use crate::protocol::DeflateParams;
use crate::protocol::handshake::{ExtensionOffer, offers::parse_extensions, request::Only};

impl Offered {
    /// Checks a 101 against §4.1, item by item.
    pub(super) fn check<'a>(&self, head: ResponseHead<'a>) -> Result<Accepted<'a>, ResponseError> {
        // §4.2.2: the answer is "A Status-Line with a 101 response code", of HTTP/1.1; HTTP/1.0 has no 101.
        if head.minor_version() == 0 {
            return Err(ResponseError::HttpVersion);
        }
        check_upgrade(&head)?;
        check_connection(&head)?;
        self.check_accept(&head)?;
        let extensions = parse_extensions(head.values("Sec-WebSocket-Extensions"));
        let extensions = &extensions.ok_or(ResponseError::ExtensionsMalformed)?[..];
        #[cfg(feature = "deflate")]
        let (deflate, extensions) = self.take_deflate(extensions)?;
        check_extensions(extensions)?;
        let subprotocol = self.check_subprotocol(&head)?;
        #[cfg(feature = "deflate")]
        return Ok(Accepted { head, subprotocol, deflate });
        #[cfg(not(feature = "deflate"))]
        Ok(Accepted { head, subprotocol })
    }

    /// §4.1, item 4.
    fn check_accept(&self, head: &ResponseHead<'_>) -> Result<(), ResponseError> {
        // §4.1: "the base64-encoded SHA-1 of the concatenation of the |Sec-WebSocket-Key| … with
        // the string … but ignoring any leading and trailing whitespace".
        match head.only("Sec-WebSocket-Accept") {
            Only::One(value) if value == self.accept.as_bytes() => Ok(()),
            Only::One(_) => Err(ResponseError::AcceptWrong),
            Only::None => Err(ResponseError::AcceptMissing),
            Only::Several => Err(ResponseError::AcceptRepeated),
        }
    }

    /// RFC 7692 §5.1: splits off permessage-deflate, if it was offered and is the first.
    #[cfg(feature = "deflate")]
    fn take_deflate<'e, 'h>(
        &self,
        extensions: &'e [ExtensionOffer<'h>],
    ) -> Result<(Option<DeflateParams>, &'e [ExtensionOffer<'h>]), ResponseError> {
        match (self.deflate, extensions) {
            // RFC 7692 §7.1: a client fails at a response that does not fit its offer.
            (Some(offer), [first, rest @ ..]) if first.name == "permessage-deflate" => {
                let params = offer.judge(first).map_err(|_| ResponseError::DeflateInvalid)?;
                Ok((Some(params), rest))
            }
            _ => Ok((None, extensions)),
        }
    }

    /// §4.1, item 6.
    fn check_subprotocol<'a>(&self, head: &ResponseHead<'a>) -> Result<Option<&'a str>, ResponseError> {
        // §4.1: a subprotocol "that was not present in the client's handshake … the client MUST
        // _Fail the WebSocket Connection_."
        match head.only("Sec-WebSocket-Protocol") {
            Only::None => Ok(None),
            Only::One(value) => match str::from_utf8(value) {
                Ok(name) if self.subprotocols.iter().any(|offered| offered == name) => Ok(Some(name)),
                _ => Err(ResponseError::SubprotocolNotOffered),
            },
            Only::Several => Err(ResponseError::SubprotocolRepeated),
        }
    }
}

/// §4.1, item 2.
fn check_upgrade(head: &ResponseHead<'_>) -> Result<(), ResponseError> {
    // §4.1: fails if the header "contains a value that is not an ASCII case-insensitive match for
    // the value "websocket"".
    match head.only("Upgrade") {
        Only::One(value) if value.eq_ignore_ascii_case(b"websocket") => Ok(()),
        _ => Err(ResponseError::NotUpgraded),
    }
}

/// §4.1, item 3.
fn check_connection(head: &ResponseHead<'_>) -> Result<(), ResponseError> {
    // §4.1: fails if the header "doesn't contain a token that is an ASCII case-insensitive match
    // for the value "Upgrade"".
    if head.lists_token("Connection", "upgrade") {
        Ok(())
    } else {
        Err(ResponseError::ConnectionWithoutUpgrade)
    }
}

/// §4.1, item 5: what is left of the extensions was not offered.
const fn check_extensions(extensions: &[ExtensionOffer<'_>]) -> Result<(), ResponseError> {
    // §4.1: "the use of an extension that was not present in the client's handshake … the client
    // MUST _Fail the WebSocket Connection_."
    if extensions.is_empty() { Ok(()) } else { Err(ResponseError::ExtensionNotOffered) }
}

//! §9.1 and §11.3.4 The lists that a client offers: subprotocols, and extensions with their parameters.
//!
//! This file parses each list once; the request keeps the result. It does not know which offer is accepted.

use std::{borrow::Cow, str};

use super::grammar::{elements, is_token};

/// The offers of one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Offers<'a> {
    /// In the client's order of preference, as they were sent.
    pub(super) subprotocols: Vec<&'a [u8]>,
    /// In the client's order of preference; `None` if a list breaks the grammar.
    pub(super) extensions: Option<Vec<ExtensionOffer<'a>>>,
}

impl<'a> Offers<'a> {
    /// Parses the values of both headers.
    pub(super) fn parse(
        subprotocols: impl Iterator<Item = &'a [u8]>,
        extensions: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        Self {
            subprotocols: subprotocols.flat_map(elements).collect(),
            extensions: parse_extensions(extensions),
        }
    }
}

/// An extension that a client offers (§9.1), with its parameters.
/// [`Request::extensions`](super::Request::extensions) lists them.
///
/// ```
/// use wirehook::protocol::{Limits, RequestReader};
///
/// let mut head = *b"GET / HTTP/1.1\r\nHost: a\r\n\
///     Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"10\"; client_no_context_takeover\r\n\r\n";
/// let mut reader = RequestReader::default();
/// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
/// let [offer] = request.extensions() else { panic!("one extension is offered") };
/// assert_eq!(offer.name, "permessage-deflate");
/// assert_eq!(offer.params[0], ("server_max_window_bits", Some("10".into())));
/// assert_eq!(offer.params[1], ("client_no_context_takeover", None));
/// # Ok::<(), wirehook::protocol::HandshakeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionOffer<'a> {
    /// The name, such as `permessage-deflate`.
    pub name: &'a str,
    /// The parameters in their order, each with its value if it has one. A quoted value is without its
    /// quotes.
    pub params: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// Parses the values of all headers. Each of them is an `extension-list` (§9.1) of one name or more.
pub(super) fn parse_extensions<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Option<Vec<ExtensionOffer<'a>>> {
    let mut offers = Vec::new();
    for value in values {
        let before = offers.len();
        // An unquoted parameter must be a token, so the quotes contain no comma and no semicolon.
        for element in elements(value) {
            offers.push(parse_extension(element)?);
        }
        if offers.len() == before {
            return None;
        }
    }
    Some(offers)
}

/// §9.1: parses `extension-token *( ";" extension-param )`.
fn parse_extension(element: &[u8]) -> Option<ExtensionOffer<'_>> {
    let mut parts = element.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let name = parse_token(parts.next()?)?;
    Some(ExtensionOffer { name, params: parts.map(parse_param).collect::<Option<_>>()? })
}

/// §9.1: parses `token [ "=" (token | quoted-string) ]`.
fn parse_param(param: &[u8]) -> Option<(&str, Option<Cow<'_, str>>)> {
    let Some(equals) = param.iter().position(|&byte| byte == b'=') else {
        return Some((parse_token(param)?, None));
    };
    let (name, value) = (param[..equals].trim_ascii(), param[equals + 1..].trim_ascii());
    let value = match value.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")) {
        Some(quoted) => Cow::Owned(unescape(quoted).filter(|value| is_token(value.as_bytes()))?),
        None => Cow::Borrowed(parse_token(value)?),
    };
    Some((parse_token(name)?, Some(value)))
}

fn parse_token(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok().filter(|token| is_token(token.as_bytes()))
}

/// RFC 9110 §5.6.4: removes each backslash, which represents the character after it. Returns `None` if there
/// is none after it.
fn unescape(quoted: &[u8]) -> Option<String> {
    let mut bytes = quoted.iter().copied();
    let mut unescaped = Vec::with_capacity(quoted.len());
    while let Some(byte) = bytes.next() {
        unescaped.push(if byte == b'\\' { bytes.next()? } else { byte });
    }
    String::from_utf8(unescaped).ok()
}

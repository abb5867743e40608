//! The parts of a request that an application asks for by name: path segments, the query's pairs, cookies.
//!
//! A head is borrowed; what has to be decoded is copied. Nothing here fails: what is not encoded well stays
//! as it was sent, and bytes that are no UTF-8 become U+FFFD. An application that needs the bytes has
//! [`Request::target`](super::Request::target).

use std::{borrow::Cow, str};

use super::Request;

impl<'a> Request<'a> {
    /// Returns the segments of the path, percent-decoded (RFC 3986 §2.1). A `%2F` doesn't end a
    /// segment. A path that ends with `/` ends with an empty segment.
    ///
    /// ```
    /// # use wirehook::protocol::{Limits, RequestReader};
    /// # let mut reader = RequestReader::default();
    /// let mut head = *b"GET /chat/caf%C3%A9%2Fbar?nick=ann HTTP/1.1\r\nHost: a\r\n\r\n";
    /// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
    /// assert!(request.segments().eq(["chat", "café/bar"]));
    /// # Ok::<(), wirehook::protocol::HandshakeError>(())
    /// ```
    pub fn segments(&self) -> impl Iterator<Item = Cow<'a, str>> {
        let path = self.path();
        path.strip_prefix('/').unwrap_or(path).split('/').map(|segment| decoded(segment, false))
    }

    /// Returns the value of the first pair of the query with this name. A name without `=` has the empty
    /// value.
    ///
    /// Names and values are decoded as a browser encodes a form: `+` is a space, `%` and two hexadecimal
    /// digits are a byte.
    ///
    /// ```
    /// # use wirehook::protocol::{Limits, RequestReader};
    /// # let mut reader = RequestReader::default();
    /// let mut head = *b"GET /chat?nick=Ann+%26+Ben&tag=a&tag=b&quiet HTTP/1.1\r\nHost: a\r\n\r\n";
    /// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
    /// assert_eq!(request.query("nick").as_deref(), Some("Ann & Ben"));
    /// assert_eq!(request.query("quiet").as_deref(), Some(""));
    /// assert_eq!(request.query("age"), None);
    /// assert!(request.query_all("tag").eq(["a", "b"])); // repeated
    /// assert_eq!(request.query_pairs().count(), 4);
    /// # Ok::<(), wirehook::protocol::HandshakeError>(())
    /// ```
    pub fn query(&self, name: &str) -> Option<Cow<'a, str>> {
        self.query_all(name).next()
    }

    /// Returns the values of all pairs of the query with this name, in their order. Example:
    /// [`query`](Self::query).
    pub fn query_all(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.query_pairs().filter(move |(it, _)| it == name).map(|(_, value)| value)
    }

    /// Returns all pairs of the query, decoded, in their order. Example: [`query`](Self::query).
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let pairs = self.query_string().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name, true), decoded(value, true))
        })
    }

    /// Returns the value of a cookie (RFC 6265 §4.2.1), as it was sent. Of several with this name it is the
    /// first.
    ///
    /// A browser sends its cookies with the request of *any* page. Check the origin too:
    /// [`Config::origins`](crate::Config::origins).
    ///
    /// ```
    /// # use wirehook::protocol::{Limits, RequestReader};
    /// # let mut reader = RequestReader::default();
    /// let mut head = *b"GET / HTTP/1.1\r\nHost: a\r\nCookie: theme=dark; session=c0ffee\r\n\r\n";
    /// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
    /// assert_eq!(request.cookie("session"), Some("c0ffee"));
    /// assert_eq!(request.cookie("Session"), None); // letter case matters
    /// # Ok::<(), wirehook::protocol::HandshakeError>(())
    /// ```
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        let lines = self.values("Cookie").filter_map(|line| str::from_utf8(line).ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        pairs.find(|(it, _)| it.trim_matches(BLANKS) == name).map(|(_, value)| value.trim_matches(BLANKS))
    }
}

/// RFC 9110 §5.6.3: what may stand around a value.
const BLANKS: [char; 2] = [' ', '\t'];

/// Returns the text without its percent-encoding (RFC 3986 §2.1); in a form `+` is a space.
fn decoded(text: &str, is_form: bool) -> Cow<'_, str> {
    if !text.contains(|it| it == '%' || is_form && it == '+') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first == b'%'
            && let Some((byte, after)) = encoded_byte(after)
        {
            bytes.push(byte);
            rest = after;
        } else {
            bytes.push(if is_form && first == b'+' { b' ' } else { first });
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Returns the byte that two hexadecimal digits stand for, and what follows them.
fn encoded_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, after @ ..] = text else { return None };
    Some((digit(*high)? << 4 | digit(*low)?, after))
}

/// Returns the value of a hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|it| it as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_and_plus_are_decoded_and_the_rest_stays() {
        for (sent, in_path, in_form) in [
            ("", "", ""),
            ("a+b", "a+b", "a b"),
            ("%41%2b%2B", "A++", "A++"),
            ("gr%C3%BC%c3%9fe", "grüße", "grüße"),
            ("%", "%", "%"),
            ("%4", "%4", "%4"),
            ("%4g%zz%%41", "%4g%zz%A", "%4g%zz%A"),
            ("%FFx%00", "\u{fffd}x\0", "\u{fffd}x\0"),
            ("%+1", "%+1", "% 1"),
        ] {
            assert_eq!((&*decoded(sent, false), &*decoded(sent, true)), (in_path, in_form), "{sent}");
        }
    }

    #[test]
    fn text_without_encoding_is_borrowed() {
        assert!(matches!(decoded("a+b", false), Cow::Borrowed("a+b")));
        assert!(matches!(decoded("plain", true), Cow::Borrowed("plain")));
    }
}

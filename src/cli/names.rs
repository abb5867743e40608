//! The spelling of hosts and origins on the command line, which is that of clients and browsers.
//!
//! This file refuses values that no request can contain, with the reason. It does not compare hosts or
//! origins: the protocol does.

use std::net::Ipv6Addr;

/// Checks a Host to serve (§4.2.1, item 2): `example.com`, `example.com:8080`, `[::1]`.
pub(super) fn host(text: &str) -> Result<String, &'static str> {
    if text.contains('/') {
        return Err("a host has no scheme and no path: expected one like example.com or example.com:8080");
    }
    check_authority(text)?;
    Ok(text.to_owned())
}

/// Checks an origin as browsers serialize it (RFC 6454 §6.2): `https://example.com`, `http://localhost:8080`,
/// `null`.
pub(super) fn origin(text: &str) -> Result<String, &'static str> {
    if text == "null" {
        return Ok(text.to_owned());
    }
    if text.contains([',', ' ']) {
        return Err("expected one origin; for several give the option several times");
    }
    let (scheme, authority) = text.split_once("://").ok_or("expected an origin like https://example.com")?;
    if authority.contains(['/', '?', '#']) {
        return Err("an origin ends with its host or port, without a path and without a slash");
    }
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => "80",
        "https" => "443",
        "ws" | "wss" => return Err("an origin is that of a page: http or https, not ws or wss"),
        _ if is_scheme(&scheme) => "",
        _ => return Err("expected an origin like https://example.com"),
    };
    // Pages from files, for example, have no host.
    if default_port.is_empty() && authority.is_empty() {
        return Ok(text.to_owned());
    }
    if check_authority(authority)? == Some(default_port) {
        return Err("browsers leave the default port of a scheme out of an origin");
    }
    Ok(text.to_owned())
}

/// RFC 3986 §3.1: checks `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )`.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_alphabetic())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it))
}

/// Returns the port of a host, if the text is a host with an optional port.
fn check_authority(text: &str) -> Result<Option<&str>, &'static str> {
    let port = match text.strip_prefix('[') {
        Some(literal) => {
            let (address, rest) = literal.split_once(']').ok_or("expected ] after an IPv6 address")?;
            check_ipv6(address)?;
            (!rest.is_empty()).then(|| rest.strip_prefix(':').unwrap_or_default())
        }
        None => {
            let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
            check_name(name)?;
            port
        }
    };
    let is_port = |it: &str| it.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == it);
    if port.is_none_or(is_port) { Ok(port) } else { Err("a port is a number from 1 to 65535") }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.contains('*') {
        return Err("there are no wildcards: give the option once for each host");
    }
    if !name.is_ascii() {
        return Err("clients send names outside ASCII in punycode, as xn--mnchen-3ya.example: write that");
    }
    let is_in_name = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
    if name.is_empty() || !name.bytes().all(is_in_name) {
        return Err("expected the name or the address of a host, such as example.com");
    }
    Ok(())
}

/// Checks an IPv6 address. Clients shorten it (RFC 5952), so another spelling would never match. Addresses
/// that end in an IPv4 address have two spellings.
fn check_ipv6(text: &str) -> Result<(), &'static str> {
    let address: Ipv6Addr = text.parse().map_err(|_| "expected an IPv6 address in the brackets")?;
    let shortest = address.to_string();
    if shortest.contains('.') || shortest.eq_ignore_ascii_case(text) {
        Ok(())
    } else {
        Err("clients write an IPv6 address in its shortest form, as [::1]: write that")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_as_browsers_write_them() {
        for text in [
            "https://example.com",
            "HTTPS://Example.com:8443",
            "http://localhost:8080",
            "http://127.0.0.1",
            "http://[::1]:8080",
            "https://xn--mnchen-3ya.example",
            "https://example.com:80",
            "null",
            "file://",
            "chrome-extension://abcdefghijklmnop",
        ] {
            assert_eq!(origin(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn origins_that_can_never_match_are_refused() {
        for (text, reason) in [
            ("", "like https"),
            ("foo", "like https"),
            ("*", "like https"),
            ("example.com", "like https"),
            ("://a", "like https"),
            ("1a://b", "like https"),
            ("https://example.com/", "slash"),
            ("https://example.com/chat", "path"),
            ("https://example.com?", "path"),
            ("https://a.example,https://b.example", "several times"),
            ("https://a.example https://b.example", "several times"),
            ("wss://example.com", "not ws"),
            ("WS://example.com", "not ws"),
            ("https://", "a host"),
            ("https://user@example.com", "a host"),
            ("https://%41", "a host"),
            ("https://*.example.com", "wildcards"),
            ("https://münchen.example", "punycode"),
            ("https://example.com:443", "default port"),
            ("http://example.com:80", "default port"),
            ("https://example.com:", "port"),
            ("https://example.com:0", "port"),
            ("https://example.com:65536", "port"),
            ("https://example.com:08443", "port"),
            ("https://[::1", "]"),
            ("https://[::1]x", "port"),
            ("https://[::g]", "IPv6"),
            ("https://[0:0:0:0:0:0:0:1]", "shortest"),
        ] {
            let refused = origin(text).expect_err(text);
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    #[test]
    fn hosts_have_an_optional_port_and_nothing_else() {
        for text in ["example.com", "EXAMPLE.com:443", "a_b", "127.0.0.1:80", "[::1]", "[2001:DB8::1]:9501"] {
            assert_eq!(host(text).as_deref(), Ok(text));
        }
        for (text, reason) in [
            ("", "a host"),
            ("a b", "a host"),
            ("a,b", "a host"),
            ("https://example.com", "no scheme"),
            ("example.com/", "no path"),
            ("*", "wildcards"),
            ("ü", "punycode"),
            ("a:b", "port"),
            ("a:", "port"),
            ("::1", "a host"),
            ("[::1]:", "port"),
        ] {
            let refused = host(text).expect_err(text);
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}

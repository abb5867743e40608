//! The grammar of a request's parts: RFC 3986 for hosts and targets, RFC 9110 §5.6 for lists.
//!
//! This file knows which bytes a part may have. It does not know which header has which part, and how an
//! invalid part is answered.

use std::str;

// --- Hosts (RFC 3986 §3.2) ---------------------------------------------------------------------------------

/// RFC 3986 §3.2: checks `uri-host [ ":" port ]`, here with a host that is not empty.
pub(super) fn is_authority(value: &[u8]) -> bool {
    let Ok(authority) = str::from_utf8(value) else { return false };
    let (host, port) = split_port(authority);
    is_host(host) && port.unwrap_or_default().bytes().all(|it| it.is_ascii_digit())
}

/// Splits an authority before the colon of its port. The colons of an IPv6 address are in brackets.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    let literal_len = match authority.strip_prefix('[') {
        Some(literal) => literal.find(']').map_or(authority.len(), |end| 1 + end + 1),
        None => 0,
    };
    match authority[literal_len..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(literal_len + colon);
            (host, Some(&port[1..]))
        }
        None => (authority, None),
    }
}

/// RFC 3986 §3.2.2: checks `IP-literal / IPv4address / reg-name`. Every IPv4 address is a `reg-name` as well.
pub(super) fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(literal) => literal.strip_suffix(']').is_some_and(|it| is_ipv6_address(it) || is_ipv_future(it)),
        None => is_reg_name(host.as_bytes()),
    }
}

/// RFC 3986 §3.2.2: checks `*( unreserved / pct-encoded / sub-delims )`, here never empty.
fn is_reg_name(name: &[u8]) -> bool {
    !name.is_empty() && is_encoded(name, &IN_NAME)
}

/// Returns whether all bytes are of `allowed`, but for percent signs that encode a byte.
fn is_encoded(text: &[u8], allowed: &[bool; 256]) -> bool {
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            // RFC 3986 §2.1: `"%" HEXDIG HEXDIG`.
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            _ if allowed[usize::from(byte)] => after,
            _ => return false,
        };
    }
    true
}

/// RFC 3986 §3.2.2: checks eight groups of 16 bits, or fewer with one `::` for those that are zero.
fn is_ipv6_address(text: &str) -> bool {
    match text.split_once("::") {
        None => count_groups(text, true) == Some(8),
        Some((before, after)) => {
            let groups = count_groups(before, false).zip(count_groups(after, true));
            groups.is_some_and(|(before, after)| before + after < 8)
        }
    }
}

/// Returns the number of groups in a part of an IPv6 address, if they are well-formed. An IPv4 address at the
/// end of the whole address stands for two of them.
fn count_groups(part: &str, is_end: bool) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    let mut count = 0;
    let mut groups = part.split(':').peekable();
    while let Some(group) = groups.next() {
        count += match groups.peek() {
            _ if is_group(group) => 1,
            None if is_end && is_ipv4_address(group) => 2,
            _ => return None,
        };
    }
    Some(count)
}

/// RFC 3986 §3.2.2: checks `h16 = 1*4HEXDIG`.
fn is_group(text: &str) -> bool {
    matches!(text.len(), 1..=4) && text.bytes().all(|it| it.is_ascii_hexdigit())
}

/// RFC 3986 §3.2.2: checks four numbers up to 255, without leading zeros.
fn is_ipv4_address(text: &str) -> bool {
    let is_octet = |it: &str| it.parse::<u8>().is_ok_and(|octet| octet.to_string() == it);
    text.split('.').count() == 4 && text.split('.').all(is_octet)
}

/// RFC 3986 §3.2.2: checks `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
fn is_ipv_future(text: &str) -> bool {
    let Some((version, address)) = text.strip_prefix(['v', 'V']).and_then(|it| it.split_once('.')) else {
        return false;
    };
    let is_number = !version.is_empty() && version.bytes().all(|it| it.is_ascii_hexdigit());
    let is_in_address = |it: u8| it == b':' || IN_NAME[usize::from(it)];
    is_number && !address.is_empty() && address.bytes().all(is_in_address)
}

// --- Targets (RFC 9112 §3.2.1) -----------------------------------------------------------------------------

/// Returns whether a path has only bytes that RFC 3986 §3.3 allows there, or that clients leave there.
pub(super) fn is_path(path: &str) -> bool {
    path.bytes().all(|it| IN_PATH[usize::from(it)])
}

/// Returns whether a query has only bytes that RFC 3986 §3.4 allows there, or that browsers leave there.
pub(super) fn is_query(query: &str) -> bool {
    query.bytes().all(|it| IN_QUERY[usize::from(it)])
}

/// RFC 3986 §3.3: checks `path-abempty`, as a client must write it.
pub(super) fn is_encoded_path(path: &str) -> bool {
    is_encoded(path.as_bytes(), &letters_digits_and(&[UNRESERVED, SUB_DELIMS, b":@/"]))
}

/// RFC 3986 §3.4: checks `*( pchar / "/" / "?" )`, as a client must write it.
pub(super) fn is_encoded_query(query: &str) -> bool {
    is_encoded(query.as_bytes(), &letters_digits_and(&[UNRESERVED, SUB_DELIMS, b":@/?"]))
}

/// RFC 3986 §3.2.2: `unreserved / sub-delims`.
const IN_NAME: [bool; 256] = letters_digits_and(&[UNRESERVED, SUB_DELIMS]);

/// RFC 3986 §3.3: `pchar` and `/`.
//
// Deviation from §4.2.1: the URL standard of the browsers does not encode `[ ] ^ |` and a percent sign
// without two digits. In a query it also leaves a backslash, a backtick and braces. Programs leave braces and
// backticks in a path.
const IN_PATH: [bool; 256] = letters_digits_and(&[UNRESERVED, SUB_DELIMS, b":@/", b"%[]^`{|}"]);

/// RFC 3986 §3.4: `*( pchar / "/" / "?" )`. A backslash stands only here: browsers take one in a path for a
/// slash.
const IN_QUERY: [bool; 256] = letters_digits_and(&[UNRESERVED, SUB_DELIMS, b":@/?", b"%[]^`{|}", b"\\"]);

/// RFC 3986 §2.3: the bytes that are never encoded, beside letters and digits.
const UNRESERVED: &[u8] = b"-._~";
/// RFC 3986 §2.2.
const SUB_DELIMS: &[u8] = b"!$&'()*+,;=";

/// Returns a table that says of each byte whether it is a letter, a digit or one of `others`.
const fn letters_digits_and(others: &[&[u8]]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        let mut position = 0;
        while position < others[at].len() {
            table[others[at][position] as usize] = true;
            position += 1;
        }
        at += 1;
    }
    table
}

// --- Lists (RFC 9110 §5.6) ---------------------------------------------------------------------------------

/// Returns the elements of one list (RFC 9110 §5.6.1), but for the empty ones.
pub(super) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// RFC 9110 §5.6.2: checks `token`.
pub(super) fn is_token(value: &[u8]) -> bool {
    const IN_TOKEN: [bool; 256] = letters_digits_and(&[b"!#$%&'*+-.^_`|~"]);
    !value.is_empty() && value.iter().all(|&it| IN_TOKEN[usize::from(it)])
}

/// RFC 9110 §5.5: checks a field value. A line end in it would begin another header.
pub(super) fn is_field_value(value: &str) -> bool {
    !value.bytes().any(|it| it.is_ascii_control() && it != b'\t')
}

/// RFC 9110 §7.8: checks `protocol-name [ "/" protocol-version ]`.
pub(super) fn is_protocol(value: &[u8]) -> bool {
    match value.iter().position(|&byte| byte == b'/') {
        Some(slash) => is_token(&value[..slash]) && is_token(&value[slash + 1..]),
        None => is_token(value),
    }
}

//! §4 The opening handshake: what is answered with 101, and what with a refusal that names the rule.

use std::str;

use wirehook::protocol::{HandshakeError, InvalidHeader, Limits, Request, RequestReader, Response};

use crate::{cuts, single_bytes};

/// The least that §4.2.1 asks for. The other requests are this one with a change.
const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\
    \r\n";

/// What [`REQUEST`] is answered with.
const ACCEPTANCE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    \r\n";

/// [`REQUEST`] with one part of it, which must be there, replaced.
#[track_caller]
fn with(part: &str, replacement: &str) -> String {
    assert_eq!(REQUEST.matches(part).count(), 1, "{part:?}");
    REQUEST.replace(part, replacement)
}

/// [`REQUEST`] with more header lines at its end.
fn and(lines: &str) -> String {
    with("Version: 13\r\n", &format!("Version: 13\r\n{lines}\r\n"))
}

/// [`REQUEST`] without the header line that starts so.
fn without(name: &str) -> String {
    let lines: Vec<_> = REQUEST.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect();
    assert_eq!(lines.len(), 6, "{name}");
    lines.concat()
}

/// Reads `head` in the given pieces; says what `judge` thinks of it, and how many bytes were left.
fn read<T>(
    pieces: &[&[u8]],
    limits: &Limits,
    judge: impl FnOnce(&Request<'_>) -> Result<T, HandshakeError>,
) -> (Result<T, HandshakeError>, usize) {
    let mut reader = RequestReader::default();
    let mut left: usize = pieces.iter().map(|piece| piece.len()).sum();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut input = &mut bytes[..];
        left -= piece.len();
        match reader.next_request(&mut input, limits) {
            Ok(None) => assert_eq!(*input, [], "None means that all input was taken"),
            Ok(Some(request)) => return (judge(&request), left + input.len()),
            Err(error) => return (Err(error), 0),
        }
    }
    panic!("the head has no end: {:?}", String::from_utf8_lossy(&pieces.concat()));
}

/// The verdict of a server with these hosts on a head.
fn verdict_for(head: &str, hosts: &[&str]) -> Result<(), HandshakeError> {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.into()).collect();
    read(&[head.as_bytes()], &Limits::default(), |request| request.check(&hosts, &[])).0
}

/// The verdict on a head, and the bytes of the answer, delivered whole, byte by byte, and cut in two
/// everywhere; with and without frames after it, which must be left in the input.
#[track_caller]
fn answer(head: impl AsRef<[u8]>, origins: &[&str]) -> (Result<(), HandshakeError>, String) {
    let head = head.as_ref();
    let origins: Vec<String> = origins.iter().map(|&origin| origin.into()).collect();
    let judge = |request: &Request<'_>| {
        request.check(&[], &origins)?;
        Ok(Response::switching_protocols(request, None))
    };
    let mut answers = Vec::new();
    for tail in [&b""[..], b"\x81\x82\0\0\0\0hi", b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"] {
        let bytes = [head, tail].concat();
        let mut ways = vec![vec![&bytes[..]], single_bytes(&bytes)];
        ways.extend(cuts(bytes.len()).map(|cut| vec![&bytes[..cut], &bytes[cut..]]));
        for pieces in ways {
            let (verdict, left) = read(&pieces, &Limits::default(), judge);
            let (verdict, response) = match verdict {
                Ok(response) => {
                    assert_eq!(left, tail.len(), "what follows the head stays in the input");
                    (Ok(()), response)
                }
                Err(error) => (Err(error), Response::refusal(error)),
            };
            let mut out = Vec::new();
            response.encode(&mut out);
            answers.push((verdict, String::from_utf8(out).unwrap()));
        }
    }
    assert!(answers.iter().all(|it| *it == answers[0]), "the cuts make a difference: {answers:?}");
    answers.swap_remove(0)
}

#[track_caller]
fn check_accepted(head: impl AsRef<[u8]>) {
    let (verdict, response) = answer(&head, &[]);
    assert_eq!(verdict, Ok(()), "{:?}", String::from_utf8_lossy(head.as_ref()));
    assert!(response.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{response}");
}

#[track_caller]
fn check_refused(head: impl AsRef<[u8]>, error: HandshakeError) {
    let (verdict, response) = answer(&head, &[]);
    assert_eq!(verdict, Err(error), "{:?}", String::from_utf8_lossy(head.as_ref()));
    check_refusal(error, &response);
}

/// Parses a response as strictly as a client could, and compares it with what every refusal must have.
#[track_caller]
fn check_refusal(error: HandshakeError, response: &str) -> Vec<(String, String)> {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap();
    let phrase = status_line.strip_prefix(&format!("HTTP/1.1 {} ", error.status())).unwrap();
    assert!(phrase.starts_with(|it: char| it.is_ascii_uppercase()), "{status_line}");

    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        assert!(
            !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-'),
            "{line}"
        );
        assert!(!value.is_empty() && !value.bytes().any(|it| it.is_ascii_control()), "{line}");
        assert_eq!(value.trim(), value);
        assert!(!headers.iter().any(|(other, _)| other == name), "{name} stands there twice");
        headers.push((name.to_string(), value.to_string()));
    }
    let header = |wanted: &str| {
        headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    assert!(header("Connection").split(", ").any(|it| it == "close"), "{response}");
    assert_eq!(header("Content-Type"), "text/plain; charset=utf-8");
    if error == HandshakeError::MethodIsHead {
        // RFC 9110 §9.3.2: the length that GET would have, and no body.
        assert_eq!(body, "");
        assert_ne!(header("Content-Length"), "0");
    } else {
        assert_eq!(header("Content-Length"), body.len().to_string());
        let sentence = body.strip_suffix(".\n").unwrap();
        assert!(!sentence.contains(['\n', '\r']), "{body}");
        let (rule, text) = sentence.split_once(": ").unwrap();
        let section =
            rule.strip_prefix("RFC ").map_or(rule, |it| it.trim_start_matches(char::is_numeric).trim());
        assert!(section.strip_prefix('§').is_some_and(|it| it.starts_with(char::is_numeric)), "{body}");
        assert!(text.len() > 10, "{body}");
    }
    headers
}

#[test]
fn least_request_is_accepted() {
    // §4.2.1, §4.2.2
    assert_eq!(answer(REQUEST, &[]), (Ok(()), ACCEPTANCE.into()));
}

#[test]
fn header_names_may_be_in_any_case() {
    // §4.2.1, RFC 9110 §5.1
    let name_len = |line: &str| line.split_once(": ").map_or(0, |(name, _)| name.len());
    for change in [str::to_ascii_lowercase, str::to_ascii_uppercase] {
        let head: String = REQUEST
            .split_inclusive("\r\n")
            .map(|line| {
                let (name, rest) = line.split_at(name_len(line));
                change(name) + rest
            })
            .collect();
        assert_ne!(head, REQUEST);
        check_accepted(head);
    }
}

#[test]
fn headers_may_be_in_any_order() {
    // §4.2.1: "the order of the header fields is not important".
    let (request_line, headers) = REQUEST.split_once("\r\n").unwrap();
    let mut lines: Vec<_> = headers.trim_end().split("\r\n").collect();
    for _ in 0..lines.len() {
        lines.rotate_left(1);
        check_accepted(format!("{request_line}\r\n{}\r\n\r\n", lines.join("\r\n")));
    }
}

#[test]
fn unknown_headers_are_ignored() {
    // §4.2.1: "Unknown header fields are ignored".
    check_accepted(and("Cookie: a=b; c=d\r\nX-Empty:\r\nX-Bytes: \u{fc}\r\nUpgrade-Insecure-Requests: 1"));
}

#[test]
fn spaces_around_values_are_ignored() {
    // §4.1, RFC 9112 §5: "OWS".
    check_accepted(with("Version: 13", "Version:13"));
    check_accepted(with("Version: 13", "Version: \t 13 \t "));
    check_accepted(with("dGhlIHNhbXBsZSBub25jZQ==", "  dGhlIHNhbXBsZSBub25jZQ==  "));
}

#[test]
fn upgrade_and_connection_are_lists_of_tokens() {
    // §4.2.1, RFC 9110 §5.6.1
    for connection in [
        "Connection: upgrade",
        "Connection: UPGRADE",
        "Connection: keep-alive, Upgrade",
        "Connection: Upgrade,keep-alive",
        "Connection: ,keep-alive , Upgrade,,",
        "Connection: keep-alive\r\nConnection: Upgrade",
        "Connection: Upgrade\r\nConnection: close",
    ] {
        check_accepted(with("Connection: Upgrade", connection));
    }
    for upgrade in [
        "Upgrade: WebSocket",
        "Upgrade: WEBSOCKET",
        "Upgrade: h2c, websocket",
        "Upgrade: HTTP/2.0, IRC/6.9 , websocket",
        "Upgrade: websocket , h2c",
        "Upgrade: h2c\r\nUpgrade: websocket",
    ] {
        check_accepted(with("Upgrade: websocket", upgrade));
    }
}

#[test]
fn token_that_only_looks_like_upgrade_does_not_count() {
    // §4.2.1
    for connection in ["keep-alive", "Upgraded", "X-Upgrade", "Up, grade", "", " , ,"] {
        check_refused(
            with("Connection: Upgrade", &format!("Connection: {connection}")),
            HandshakeError::ConnectionWithoutUpgrade,
        );
    }
    for upgrade in ["websockets", "h2c", "websocket/13", "web, socket", "", ","] {
        check_refused(
            with("Upgrade: websocket", &format!("Upgrade: {upgrade}")),
            HandshakeError::NotAnUpgrade,
        );
    }
}

#[test]
fn malformed_element_of_connection_or_upgrade_is_refused() {
    // §4.2.1: "any violations of the ABNF grammar"; RFC 9110 §7.6.1 and §7.8
    for connection in [
        "@@@, Upgrade",
        "Upgrade, @@@",
        "keep-alive Upgrade",
        "\"Upgrade\"",
        "Upgrade;q=1",
        "Upgrade, a/b",
        "Upgrade, \u{fc}",
        "Upgrade\r\nConnection: a b",
    ] {
        let head = with("Connection: Upgrade", &format!("Connection: {connection}"));
        check_refused(head, HandshakeError::ConnectionMalformed);
    }
    for upgrade in [
        "@@@, websocket",
        "websocket, (h2c)",
        "web socket",
        "websocket;q=1",
        "websocket, h2c/",
        "websocket, /1",
        "websocket, a/b/c",
        "websocket, \u{fc}",
        "websocket\r\nUpgrade: a b",
    ] {
        let head = with("Upgrade: websocket", &format!("Upgrade: {upgrade}"));
        check_refused(head, HandshakeError::UpgradeMalformed);
    }
}

#[test]
fn plain_get_is_answered_with_426() {
    // §4.2.1; RFC 9110 §15.5.22: 426 must have an Upgrade header.
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_string(),
        "GET /favicon.ico HTTP/1.1\r\nHost: a:8080\r\nConnection: keep-alive\r\n\r\n".to_string(),
        without("Upgrade"),
    ] {
        check_refused(&head, HandshakeError::NotAnUpgrade);
        let (_, response) = answer(&head, &[]);
        assert!(response.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{response}");
        assert!(response.contains("\r\nUpgrade: websocket\r\n"), "{response}");
        // RFC 9110 §7.8: an Upgrade header goes with the option of the same name.
        assert!(response.contains("\r\nConnection: close, Upgrade\r\n"), "{response}");
    }
}

#[test]
fn other_methods_are_refused_with_what_is_allowed() {
    // §4.1
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "get", "GETS", "HEAD"] {
        let error =
            if method == "HEAD" { HandshakeError::MethodIsHead } else { HandshakeError::MethodNotGet };
        let head = with("GET ", &format!("{method} "));
        check_refused(&head, error);
        let (_, response) = answer(&head, &[]);
        assert!(response.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{response}");
        assert!(response.contains("\r\nAllow: GET\r\n"), "{response}");
    }
}

#[test]
fn other_versions_of_http_are_refused() {
    // §4.1
    for version in ["HTTP/1.2", "HTTP/2.0", "HTTP/0.9"] {
        check_refused(with("HTTP/1.1", version), HandshakeError::HttpVersion);
    }
    // RFC 9113 §3.4: what a client of HTTP/2 begins with.
    check_refused("PRI * HTTP/2.0\r\n\r\n", HandshakeError::HttpVersion);
    let head = with("HTTP/1.1", "HTTP/1.0");
    check_refused(&head, HandshakeError::HttpVersion);
    assert!(answer(&head, &[]).1.starts_with("HTTP/1.1 505 HTTP Version Not Supported\r\n"));
}

#[test]
fn target_may_be_a_path_or_an_absolute_uri() {
    // §4.2.1, §3; RFC 9112 §3.2
    struct Target {
        target: &'static str,
        path: &'static str,
        query: Option<&'static str>,
        host: &'static str,
    }
    let host = "server.example.com";
    for Target { target, path, query, host } in [
        Target { target: "/", path: "/", query: None, host },
        Target { target: "/a/b;c=d/%20", path: "/a/b;c=d/%20", query: None, host },
        Target { target: "/?", path: "/", query: Some(""), host },
        Target { target: "/chat?room=1&x=%3F", path: "/chat", query: Some("room=1&x=%3F"), host },
        Target { target: "/chat?a?b/c", path: "/chat", query: Some("a?b/c"), host },
        Target { target: "//double", path: "//double", query: None, host },
        Target {
            target: "/to?uri=http://example.org/",
            path: "/to",
            query: Some("uri=http://example.org/"),
            host,
        },
        Target { target: "http://a.org/chat?b", path: "/chat", query: Some("b"), host: "a.org" },
        Target { target: "HTTPS://a.org:8443/", path: "/", query: None, host: "a.org:8443" },
        Target { target: "ws://a.org/x", path: "/x", query: None, host: "a.org" },
        Target { target: "wss://[::1]:9/x", path: "/x", query: None, host: "[::1]:9" },
        Target { target: "http://a.org", path: "/", query: None, host: "a.org" },
        Target { target: "http://a.org?x=/y", path: "/", query: Some("x=/y"), host: "a.org" },
    ] {
        let head = with("/chat", target);
        check_accepted(&head);
        let judge = |request: &Request<'_>| {
            assert_eq!(request.target(), target);
            assert_eq!((request.path(), request.query_string()), (path, query), "{target}");
            assert_eq!(request.host(), Some(host), "{target}");
            Ok(())
        };
        assert_eq!(read(&[head.as_bytes()], &Limits::default(), judge), (Ok(()), 0));
    }
}

#[test]
fn other_targets_are_refused() {
    // §4.1; §3: "Fragment identifiers … MUST NOT be used on these URIs."
    for target in
        ["*", "chat", "?room", "ftp://a.org/", "example.com:80", "/chat#top", "http://a.org/#", "/#?x"]
    {
        check_refused(with("/chat", target), HandshakeError::TargetInvalid);
    }
}

#[test]
fn target_has_only_bytes_that_a_uri_may_have() {
    // §4.2.1; RFC 3986 §3.3, §3.4
    for byte in (b'!'..0x7f).map(char::from).filter(|&it| it != '#') {
        let (in_path, in_query) = (format!("/a{byte}b"), format!("/a?b{byte}c"));
        match byte {
            '"' | '<' | '>' => {
                check_refused(with("/chat", &in_path), HandshakeError::TargetNotEncoded);
                check_refused(with("/chat", &in_query), HandshakeError::TargetNotEncoded);
            }
            // Browsers take a backslash in a path for a slash, so it is never theirs.
            '\\' => check_refused(with("/chat", &in_path), HandshakeError::TargetNotEncoded),
            _ => check_accepted(with("/chat", &in_path)),
        }
    }
    for target in ["/\u{fc}", "/?\u{fc}", "/\u{1f600}", "http://a.org/<", "ws://a.org?\"", "/a?b?\u{fc}"] {
        check_refused(with("/chat", target), HandshakeError::TargetNotEncoded);
    }
}

#[test]
fn target_may_have_what_browsers_do_not_encode() {
    // Deviation from §4.2.1: WHATWG URL leaves these in a query, some of them in a path too.
    for target in [
        "/?a[]=1&b={c|d}^`\\",
        "/?%",
        "/?100%",
        "/?%zz&%C3%bc&%c3%BC",
        "/a|b^[c]%zz",
        "/%",
        "/?q='()*!$&+,;=:@/?~",
        "ws://a.org/?{|}",
    ] {
        check_accepted(with("/chat", target));
    }
}

#[test]
fn authority_of_a_target_is_a_host_with_an_optional_port() {
    // RFC 9110 §4.2.1, RFC 3986 §3.2
    for authority in [
        "",
        "a%zz",
        "%",
        "[.]",
        "[v]",
        "[::1",
        "[::g]",
        "user@a.org",
        "a.org:port",
        "a.org:80:80",
        "\u{fc}.org",
    ] {
        for rest in ["", "/x", "?x"] {
            let target = format!("http://{authority}{rest}");
            check_refused(with("/chat", &target), HandshakeError::AuthorityInvalid);
        }
    }
    for authority in ["a.org", "A.ORG:", "xn--mnchen-3ya.org:8443", "[2001:db8::1]:80", "%c3%BC.org"] {
        check_accepted(with("/chat", &format!("WS://{authority}/x")));
    }
}

#[test]
fn host_is_needed_exactly_once() {
    // §4.2.1; RFC 9112 §3.2
    check_refused(without("Host"), HandshakeError::HostMissing);
    let lines = "Host: server.example.com\r\nHost: server.example.com";
    check_refused(with("Host: server.example.com", lines), HandshakeError::HostRepeated);
    check_refused(and("HOST: other.example.com"), HandshakeError::HostRepeated);
    check_refused(and("Host: %"), HandshakeError::HostRepeated);
}

#[test]
fn host_is_a_name_or_an_address_with_an_optional_port() {
    // RFC 9112 §3.2, RFC 3986 §3.2.2: `*( unreserved / pct-encoded / sub-delims )`
    for host in [
        "", "a b", "a/b", "a:b", "a:80:80", "a:-1", "user@a", ":80", "\u{fc}", "%", "a%", "a%2", "a%zz",
        "a%2g", "%%41", "a|b", "a[b", "a]", "a\"", "a?b", "a#b", "http://a", "::1", "a, b", "{a}",
    ] {
        check_refused(with("server.example.com", host), HandshakeError::HostInvalid);
    }
    for host in [
        "a",
        "A.B-C.org",
        "127.0.0.1",
        "127.0.0.1:9501",
        "a.b-c.org:",
        "a.org.",
        "x_y~z",
        "%C3%BC",
        "%c3%bC.org:1",
        "a,b",
        "!$&'()*+;=",
        "xn--mnchen-3ya.example:443",
        "999.999.999.999",
    ] {
        check_accepted(with("server.example.com", host));
    }
}

#[test]
fn host_in_brackets_is_an_ipv6_address_or_a_later_one() {
    // RFC 3986 §3.2.2
    for address in [
        "::",
        "::1",
        "1::",
        "2001:db8::1",
        "2001:DB8::1",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1:2:3::5:6:7:8",
        "::ffff:192.0.2.1",
        "1:2:3:4:5:6:192.0.2.255",
        "::192.0.2.1",
        "fe80::0001",
        "v1.x",
        "vF0.a:b!~",
        "V1.-",
    ] {
        check_accepted(with("server.example.com", &format!("[{address}]")));
        check_accepted(with("server.example.com", &format!("[{address}]:9501")));
    }
    for address in [
        "",
        ".",
        ":",
        ":::",
        "1",
        "1.2.3.4",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "1::2:3:4:5:6:7:8",
        "1::2::3",
        "12345::",
        "g::",
        "::1:",
        ":1::",
        "1:::2",
        "::1.2.3",
        "::1.2.3.4.5",
        "::256.1.1.1",
        "::01.1.1.1",
        "::+1.1.1.1",
        "192.0.2.1::",
        "::192.0.2.1:1",
        "fe80::1%25eth0",
        "v",
        "v1",
        "v1.",
        "v.x",
        "vg.x",
        "v1.[",
        "v1.%41",
        "1v.x",
    ] {
        check_refused(with("server.example.com", &format!("[{address}]")), HandshakeError::HostInvalid);
    }
    for host in ["[::1", "[::1]x", "[::1]80", "x[::1]", "[::1]:x", "[::1]::1", "[[::1]]", "::1]"] {
        check_refused(with("server.example.com", host), HandshakeError::HostInvalid);
    }
}

#[test]
fn request_for_another_host_is_refused_where_hosts_are_listed() {
    // §4.2.1: "A |Host| header field containing the server's authority."
    let served = ["example.com", "example.org:8443", "[::1]:443", "127.0.0.1:80", "example.net:"];
    for host in [
        "example.com",
        "EXAMPLE.com",
        "example.com:",
        "example.com:1",
        "example.org:8443",
        "[::1]",
        "[::1]:443",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:",
        "example.net",
        "example.net:8080",
    ] {
        assert_eq!(verdict_for(&with("server.example.com", host), &served), Ok(()), "{host}");
        let head = with("/chat", &format!("ws://{host}/chat"));
        assert_eq!(verdict_for(&head, &served), Ok(()), "RFC 9112 §3.2.2: the target's authority counts");
    }
    for host in [
        "server.example.com",
        "example.co",
        "example.comm",
        "example.com.",
        "com",
        "example.com.evil.org",
        "example.org",
        "example.org:8444",
        "example.org:84430",
        "example.org:08443",
        "[::2]:443",
        "[::1]:80",
        "[::1]:8443",
        "127.0.0.1:443",
        "localhost",
    ] {
        let refused = Err(HandshakeError::HostNotServed);
        assert_eq!(verdict_for(&with("server.example.com", host), &served), refused, "{host}");
        let head = with("/chat", &format!("http://{host}/")).replace("Host: server.", "Host: ");
        assert_eq!(verdict_for(&head, &served), refused, "the Host of an absolute target does not count");
    }
    // It comes after what is wrong with any HTTP request, and before the rest.
    let plain = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert_eq!(verdict_for(plain, &served), Err(HandshakeError::HostNotServed));
    assert_eq!(verdict_for(&plain.replace("GET", "POST"), &served), Err(HandshakeError::MethodNotGet));
    assert_eq!(verdict_for(REQUEST, &[]), Ok(()), "without a list any host may be asked for");
}

#[test]
fn key_must_be_16_bytes_in_base64() {
    // §4.2.1
    for key in [
        "",
        "x",
        "dGhlIHNhbXBsZSBub25jZQ",       // no padding
        "dGhlIHNhbXBsZSBub25jZQ=",      // too little of it
        "dGhlIHNhbXBsZSBub25jZQ===",    // too much
        "dGhlIHNhbXBsZSBub25j",         // 15 bytes
        "dGhlIHNhbXBsZSBub25jZWU=",     // 17 bytes
        "dGhlIHNhbXBsZSBub25jZSBhbmQ=", // 20 bytes
        "dGhlIHNhbXBsZSBub25jZSBzb21l", // 21 bytes
        "dGhlIHNhbXBsZSBub25j ZQ==",    // a space
        "dGhlIHNhbXBsZSBub25jZ-==",     // the other alphabet
        "dGhlIHNhbXBsZSBub25j*Q==",     // no alphabet
        "dGhlIHNhbXBs=SBub25jZQ==",     // padding inside
        "========================",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        check_refused(with("dGhlIHNhbXBsZSBub25jZQ==", key), HandshakeError::KeyInvalid);
    }
    check_refused(without("Sec-WebSocket-Key"), HandshakeError::KeyMissing);
    check_refused(and("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="), HandshakeError::KeyRepeated);
    for key in ["AAAAAAAAAAAAAAAAAAAAAA==", "/+/+/+/+/+/+/+/+/+/+/w==", "AQIDBAUGBwgJCgsMDQ4PEC=="] {
        check_accepted(with("dGhlIHNhbXBsZSBub25jZQ==", key));
    }
}

#[test]
fn accept_key_is_made_of_the_key_as_it_was_written() {
    // §4.2.2: not of the 16 bytes that it encodes. Both values were computed by another program.
    for (key, accept) in [
        ("AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
    ] {
        let (verdict, response) = answer(with("dGhlIHNhbXBsZSBub25jZQ==", key), &[]);
        assert_eq!(verdict, Ok(()));
        assert!(response.contains(&format!("\r\nSec-WebSocket-Accept: {accept}\r\n")), "{response}");
    }
}

#[test]
fn version_must_be_13() {
    // §4.2.1, §4.4
    for version in ["0", "8", "7", "12", "14", "25", "131", "13.0", "013", "", "13, 8", "thirteen"] {
        let head = with("Version: 13", &format!("Version: {version}"));
        check_refused(&head, HandshakeError::VersionNotSupported);
        let (_, response) = answer(&head, &[]);
        assert!(response.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{response}");
        assert!(response.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{response}");
    }
    // A request without a version gets it as well; so does one with two, with 400 for §11.3.5.
    let missing = without("Sec-WebSocket-Version");
    check_refused(&missing, HandshakeError::VersionMissing);
    assert!(answer(&missing, &[]).1.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
    for head in [missing, and("Sec-WebSocket-Version: 13"), and("Sec-WebSocket-Version: 8")] {
        let (_, response) = answer(&head, &[]);
        assert!(response.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{response}");
    }
    check_refused(and("Sec-WebSocket-Version: 13"), HandshakeError::VersionRepeated);
    check_refused(and("Sec-WebSocket-Version: 8"), HandshakeError::VersionRepeated);
}

#[test]
fn other_version_is_named_before_the_rest_is_judged() {
    // §4.4: what it demands of a key is unknown here.
    let head = with("Version: 13", "Version: 25").replace("Sec-WebSocket-Key", "Sec-WebSocket-Key25");
    check_refused(head, HandshakeError::VersionNotSupported);
}

#[test]
fn announced_body_is_refused() {
    // §4.1; its bytes would be taken for frames.
    for lines in [
        "Content-Length: 1",
        "Content-Length: 00001",
        "content-length: 18446744073709551616",
        "Content-Length: -1",
        "Content-Length: 0, 5",
        "Content-Length:",
        "Content-Length: 0\r\nContent-Length: 5",
        "Transfer-Encoding: chunked",
        "transfer-encoding: identity",
        "Transfer-Encoding:",
    ] {
        check_refused(and(lines), HandshakeError::BodyAnnounced);
    }
    check_accepted(and("Content-Length: 0"));
}

#[test]
fn head_that_is_not_http_is_refused() {
    // §4.2.1, RFC 9112 §2.2, §5.1, §5.2
    for (part, replacement) in [
        ("GET /chat HTTP/1.1", "GET /chat"),            // HTTP/0.9
        ("GET /chat HTTP/1.1", "/chat HTTP/1.1"),       // no method
        ("GET /chat HTTP/1.1", "GET  /chat HTTP/1.1"),  // two spaces
        ("GET /chat HTTP/1.1", "GET /ch at HTTP/1.1"),  // a space in the target
        ("GET /chat HTTP/1.1", "GET /chat HTTP/1.1 "),  // a space at the end
        ("GET /chat HTTP/1.1", " GET /chat HTTP/1.1"),  // a space at the start
        ("GET /chat HTTP/1.1", "GET\t/chat\tHTTP/1.1"), // tabs
        ("GET /chat HTTP/1.1", "G@T /chat HTTP/1.1"),   // no token
        ("HTTP/1.1", "http/1.1"),                       // RFC 9112 §2.3: case-sensitive
        ("HTTP/1.1", "HTTP/11"),
        ("HTTP/1.1", "HTTP/1.1.1"),
        ("HTTP/1.1", "WS/1.1"),
        ("Upgrade: websocket", "Upgrade : websocket"), // a space before the colon
        ("Upgrade: websocket", "Upgrade\t: websocket"),
        ("Upgrade: websocket", " Upgrade: websocket"), // obs-fold of the line before
        ("Upgrade: websocket", "Upgrade:\r\n websocket"), // obs-fold
        ("Upgrade: websocket", "Upgrade:\r\n\twebsocket"),
        ("Upgrade: websocket", "Upgrade websocket"),   // no colon
        ("Upgrade: websocket", ": websocket"),         // no name
        ("Upgrade: websocket", "Up(grade: websocket"), // no token
        ("Upgrade: websocket", "Upgr\u{e4}de: websocket"),
        ("Upgrade: websocket", "Upgrade: web\0socket"), // NUL
        ("Upgrade: websocket", "Upg\0rade: websocket"),
        ("Upgrade: websocket", "Upgrade: web\x01socket"), // control bytes
        ("Upgrade: websocket", "Upgrade: web\x0bsocket"),
        ("Upgrade: websocket", "Upgrade: web\x1fsocket"),
        ("Upgrade: websocket", "Upgrade: web\x7fsocket"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket\n"), // a bare line feed
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r"), // a bare carriage return
        ("Upgrade: websocket\r\n", "Upgrade: websocket\r\r\n"),
        ("Version: 13\r\n\r\n", "Version: 13\r\n\n"),
        ("Version: 13\r\n\r\n", "Version: 13\n\n"),
        ("/chat", "/ch\0at"),
        ("/chat", "/ch\x7fat"),
    ] {
        check_refused(with(part, replacement), HandshakeError::NotHttp);
    }
    // A frame where the request should be.
    check_refused(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\r\n\r\n", HandshakeError::NotHttp);
}

#[test]
fn hello_of_a_tls_client_is_recognised() {
    // RFC 8446 §5.1: the record of a ClientHello begins with 22.
    check_refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", HandshakeError::LooksLikeTls);
    check_refused(b"\x16", HandshakeError::LooksLikeTls);
    // The byte is no more than a bad one elsewhere, and its neighbours are no hello.
    for head in [&b"\r\n\x16\x03\x01"[..], b"G\x16\x03\x01", b"\x15\x03\x01", b"\x17\x03\x01"] {
        check_refused(head, HandshakeError::NotHttp);
    }
}

#[test]
fn byte_that_no_head_may_contain_is_refused_at_its_place() {
    // §4.2.1: the end of the head is not awaited.
    let verdict_on = |start: &str, byte: u8| {
        let mut reader = RequestReader::default();
        let mut start = start.as_bytes().to_vec();
        assert!(reader.next_request(&mut &mut start[..], &Limits::default()).unwrap().is_none());
        reader.next_request(&mut &mut [byte][..], &Limits::default()).map(|request| request.is_some())
    };
    for byte in (0..=0x1f).chain([0x7f]).filter(|byte| !b"\t\r".contains(byte)) {
        for start in ["", "GET /", "GET / HTTP/1.1\r\nHost: a"] {
            let is_tls = byte == 0x16 && start.is_empty();
            let error = if is_tls { HandshakeError::LooksLikeTls } else { HandshakeError::NotHttp };
            assert_eq!(verdict_on(start, byte), Err(error), "{byte:#04x} after {start:?}");
        }
    }
    // A carriage return belongs to a line feed.
    for byte in (0..=0xff).filter(|&byte| byte != b'\n') {
        assert_eq!(verdict_on("GET / HTTP/1.1\r", byte), Err(HandshakeError::NotHttp), "{byte:#04x}");
    }
    assert_eq!(verdict_on("GET / HTTP/1.1\r", b'\n'), Ok(false));
    assert_eq!(verdict_on("GET / HTTP/1.1\r\n\r", b'\n'), Ok(true));
}

#[test]
fn empty_line_before_the_request_is_ignored() {
    // RFC 9112 §2.2
    check_accepted(format!("\r\n{REQUEST}"));
    check_accepted(format!("\r\n\r\n{REQUEST}"));
}

#[test]
fn subprotocols_must_be_different_tokens() {
    // §4.1, §11.3.4
    for value in [
        "a b",
        "a, a",
        "chat;q=1",
        "a, \"b\"",
        "\u{fc}",
        "a/b, c",
        "a\r\nSec-WebSocket-Protocol: b, a",
        "",
        ", ,",
        "b, a, c, a",
    ] {
        let head = and(&format!("Sec-WebSocket-Protocol: {value}"));
        check_refused(head, HandshakeError::SubprotocolsMalformed);
    }
    for (value, offers) in [
        ("chat", &["chat"][..]),
        ("chat, superchat", &["chat", "superchat"]),
        ("chat,superchat", &["chat", "superchat"]),
        (", chat ,, superchat ,", &["chat", "superchat"]),
        ("a, A", &["a", "A"]),
        ("c\r\nsec-websocket-protocol: a, b", &["c", "a", "b"]),
        ("v1.json!#$%&'*+-.^_`|~", &["v1.json!#$%&'*+-.^_`|~"]),
    ] {
        let head = and(&format!("Sec-WebSocket-Protocol: {value}"));
        check_accepted(&head);
        let judge = |request: &Request<'_>| {
            assert_eq!(request.subprotocols().collect::<Vec<_>>(), offers);
            Ok(())
        };
        assert_eq!(read(&[head.as_bytes()], &Limits::default(), judge), (Ok(()), 0));
    }
}

#[test]
fn subprotocol_is_chosen_in_the_servers_order() {
    // §4.2.2
    let offered = and("Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Protocol: v2");
    let none = REQUEST.to_string();
    for (head, preferred, chosen) in [
        (&offered, &["superchat", "chat"][..], Some("superchat")),
        (&offered, &["chat", "superchat"], Some("chat")),
        (&offered, &["other", "v2"], Some("v2")),
        (&offered, &["other"], None),
        (&offered, &["Chat"], None), // §4.2.2: "one of the values", compared as it is
        (&offered, &[], None),
        (&none, &["chat"], None),
    ] {
        let preferred: Vec<String> = preferred.iter().map(|&it| it.into()).collect();
        let judge = |request: &Request<'_>| {
            let choice = request.choose_subprotocol(&preferred);
            assert_eq!(choice, chosen);
            let mut out = Vec::new();
            Response::switching_protocols(request, choice).encode(&mut out);
            Ok(String::from_utf8(out).unwrap())
        };
        let (response, _) = read(&[head.as_bytes()], &Limits::default(), judge);
        let echoed = response.unwrap();
        match chosen {
            Some(name) => assert!(echoed.contains(&format!("\r\nSec-WebSocket-Protocol: {name}\r\n"))),
            None => assert_eq!(echoed, ACCEPTANCE),
        }
    }
}

#[test]
fn subprotocol_that_was_not_offered_is_not_sent() {
    // §4.2.2: not even if the application asks for it.
    for (head, subprotocol) in [
        (REQUEST.to_string(), "chat"),
        (and("Sec-WebSocket-Protocol: superchat"), "chat"),
        (and("Sec-WebSocket-Protocol: chat"), "chat\r\nX: y"),
        (and("Sec-WebSocket-Protocol: chat"), ""),
    ] {
        let judge = |request: &Request<'_>| {
            let mut out = Vec::new();
            Response::switching_protocols(request, Some(subprotocol)).encode(&mut out);
            Ok(String::from_utf8(out).unwrap())
        };
        assert_eq!(read(&[head.as_bytes()], &Limits::default(), judge).0.unwrap(), ACCEPTANCE);
    }
}

#[test]
fn subprotocol_is_named_once_however_often_it_is_offered() {
    // §11.3.4: in a request it "MAY appear multiple times", in a response it "MUST NOT".
    let head = and("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat, v2");
    let judge = |request: &Request<'_>| {
        let mut out = Vec::new();
        Response::switching_protocols(request, Some("superchat")).encode(&mut out);
        Ok(String::from_utf8(out).unwrap())
    };
    let named = ACCEPTANCE.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: superchat\r\n\r\n");
    assert_eq!(read(&[head.as_bytes()], &Limits::default(), judge), (Ok(named), 0));
}

#[test]
fn offered_extensions_are_ignored() {
    // §9.1: well-formed, and none is accepted.
    for extensions in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=15; server_no_context_takeover, x-webkit-deflate-frame",
        "mux; max-channels=4; flow-control, deflate-stream",
        "foo; bar=\"baz\"",
        "foo;bar = baz , other",
        "foo\r\nSec-WebSocket-Extensions: bar; baz=2",
    ] {
        let head = and(&format!("Sec-WebSocket-Extensions: {extensions}"));
        assert_eq!(answer(head, &[]), (Ok(()), ACCEPTANCE.into()));
    }
}

#[test]
fn offered_extensions_are_listed_with_their_parameters() {
    // §9.1: the order is the client's preference, over all headers; a quoted value counts without its quotes.
    let mut head = *b"GET / HTTP/1.1\r\nSec-WebSocket-Extensions: foo ; bar=\"b\\az\";q,mux\r\n\
        sec-websocket-extensions: baz; n = 2\r\n\r\n";
    let mut reader = RequestReader::default();
    let request = reader.next_request(&mut &mut head[..], &Limits::default()).unwrap().unwrap();
    let offers: Vec<_> = request.extensions().iter().map(|it| (it.name, &it.params[..])).collect();
    let of_foo = [("bar", Some("baz".into())), ("q", None)];
    assert_eq!(offers, [("foo", &of_foo[..]), ("mux", &[]), ("baz", &[("n", Some("2".into()))])]);

    let mut head = *b"GET / HTTP/1.1\r\nSec-WebSocket-Extensions: foo\r\nSec-WebSocket-Extensions: ,\r\n\r\n";
    let mut reader = RequestReader::default();
    let request = reader.next_request(&mut &mut head[..], &Limits::default()).unwrap().unwrap();
    assert_eq!(request.extensions(), [], "a malformed list offers nothing");
}

#[test]
fn malformed_extensions_are_refused() {
    // §9.1: "the recipient of such malformed data MUST immediately _Fail the WebSocket Connection_".
    for extensions in [
        "",
        " , ",
        "foo; bar=\"b\\ z\"",
        "foo; bar=\"baz\\\"",
        "foo bar",
        ";bar",
        "foo; ",
        "foo;;bar",
        "foo; =1",
        "foo; bar=",
        "foo; bar=\"\"",
        "foo; bar=\"a b\"",
        "foo; bar=\"a,b\"",
        "foo; bar=\"baz",
        "foo; b@r",
        "\"foo\"",
        "ok, f\u{fc}",
        "ok\r\nSec-WebSocket-Extensions: not ok",
    ] {
        check_refused(
            and(&format!("Sec-WebSocket-Extensions: {extensions}")),
            HandshakeError::ExtensionsMalformed,
        );
    }
}

#[test]
fn quoted_parameter_is_judged_without_its_escapes() {
    // §9.1: "the value after quoted-string unescaping MUST conform to the "token" ABNF".
    check_accepted(and("Sec-WebSocket-Extensions: foo; bar=\"b\\az\""));
}

#[test]
fn head_request_gets_no_body_whatever_else_is_wrong() {
    // RFC 9110 §9.3.2
    let head = with("GET", "HEAD").replace("HTTP/1.1", "HTTP/1.0");
    let (verdict, response) = answer(head, &[]);
    assert_eq!(verdict, Err(HandshakeError::MethodIsHead));
    assert!(response.ends_with("\r\n\r\n"), "{response}");
}

#[test]
fn origin_is_held_against_the_list() {
    // §10.2
    let allowed = ["https://example.com", "https://example.org:8443"];
    for (lines, verdict) in [
        ("Origin: https://example.com", Ok(())),
        ("origin: HTTPS://EXAMPLE.COM", Ok(())),
        ("Origin: https://example.org:8443", Ok(())),
        ("X-No-Origin: a program", Ok(())),
        ("Origin: http://example.com", Err(HandshakeError::OriginNotAllowed)),
        ("Origin: https://example.com.evil.org", Err(HandshakeError::OriginNotAllowed)),
        ("Origin: https://evil.example.com", Err(HandshakeError::OriginNotAllowed)),
        ("Origin: https://example.org", Err(HandshakeError::OriginNotAllowed)),
        ("Origin: https://example.com/", Err(HandshakeError::OriginNotAllowed)),
        ("Origin: null", Err(HandshakeError::OriginNotAllowed)),
        ("Origin:", Err(HandshakeError::OriginNotAllowed)),
        ("Origin: https://example.com\r\nOrigin: https://evil.org", Err(HandshakeError::OriginRepeated)),
        ("Origin: https://example.com\r\nOrigin: https://example.com", Err(HandshakeError::OriginRepeated)),
    ] {
        let (found, response) = answer(and(lines), &allowed);
        assert_eq!(found, verdict, "{lines}");
        if let Err(error) = verdict {
            check_refusal(error, &response);
        }
    }
}

#[test]
fn without_a_list_any_origin_may_connect() {
    // §10.2
    check_accepted(and("Origin: https://anything.example"));
    check_accepted(and("Origin: null"));
    check_refused(and("Origin: a\r\nOrigin: a"), HandshakeError::OriginRepeated);
}

#[test]
fn origin_that_is_no_text_is_refused() {
    // RFC 6454 §7.1. To a hook it would look like a program's request, which has no Origin.
    for value in [&b"\xff"[..], b"https://\xfcber.example", "https://über.example".as_bytes(), b"a\tb"] {
        let mut head = and("Origin: VALUE").into_bytes();
        let at = head.windows(5).position(|it| it == b"VALUE").unwrap();
        head.splice(at..at + 5, value.iter().copied());
        check_refused(&head, HandshakeError::OriginInvalid);
        let (verdict, _) = answer(&head, &["https://example.com"]);
        assert_eq!(verdict, Err(HandshakeError::OriginInvalid));
    }
}

#[test]
fn head_over_a_limit_is_refused_with_431() {
    // §10.4, RFC 6585 §5
    check_refused(and(&format!("X: {}", "y".repeat(16 * 1024))), HandshakeError::HeadTooBig);
    let lines: Vec<_> = (0..96).map(|number| format!("X-{number}: y")).collect();
    check_refused(and(&lines.join("\r\n")), HandshakeError::TooManyHeaders);
    check_accepted(and(&lines[1..].join("\r\n")));
}

#[test]
fn every_refusal_is_a_response_with_the_status_of_its_rule() {
    // §4.2.2; some are found by the server, which has the clock and the sockets.
    use HandshakeError as E;
    for (errors, status, phrase, extra) in [
        (
            &[
                E::NotHttp,
                E::LooksLikeTls,
                E::TargetInvalid,
                E::AuthorityInvalid,
                E::TargetNotEncoded,
                E::HostMissing,
                E::HostRepeated,
                E::HostInvalid,
                E::BodyAnnounced,
                E::UpgradeMalformed,
                E::ConnectionMalformed,
                E::ConnectionWithoutUpgrade,
                E::VersionRepeated,
                E::KeyMissing,
                E::KeyRepeated,
                E::KeyInvalid,
                E::SubprotocolsMalformed,
                E::ExtensionsMalformed,
                E::OriginRepeated,
                E::OriginInvalid,
            ][..],
            400,
            "Bad Request",
            None,
        ),
        (&[E::OriginNotAllowed], 403, "Forbidden", None),
        (&[E::MethodNotGet, E::MethodIsHead], 405, "Method Not Allowed", Some(("Allow", "GET"))),
        (&[E::NotAnUpgrade], 426, "Upgrade Required", Some(("Upgrade", "websocket"))),
        (&[E::HostNotServed], 421, "Misdirected Request", None),
        (
            &[E::VersionMissing, E::VersionNotSupported],
            426,
            "Upgrade Required",
            Some(("Sec-WebSocket-Version", "13")),
        ),
        (&[E::TooManyFromAddress], 429, "Too Many Requests", Some(("Retry-After", "5"))),
        (&[E::TooFastFromAddress], 429, "Too Many Requests", Some(("Retry-After", "1"))),
        (&[E::HeadTooBig, E::TooManyHeaders], 431, "Request Header Fields Too Large", None),
        (&[E::HttpVersion], 505, "HTTP Version Not Supported", None),
        (&[E::Timeout], 408, "Request Timeout", None),
        (&[E::TooManyConnections], 503, "Service Unavailable", Some(("Retry-After", "5"))),
    ] {
        for &error in errors {
            assert_eq!(error.status(), status, "{error}");
            let response = Response::refusal(error);
            assert_eq!(response.status(), status);
            let mut out = Vec::new();
            response.encode(&mut out);
            let text = String::from_utf8(out).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status} {phrase}\r\n")), "{text}");
            assert!(error == E::MethodIsHead || text.ends_with(&format!("\r\n\r\n{error}\n")), "{text}");
            let headers = check_refusal(error, &text);
            // RFC 9110 §15.5.22 and §7.8.
            let names_upgrade = headers.contains(&("Upgrade".into(), "websocket".into()))
                && headers.contains(&("Connection".into(), "close, Upgrade".into()));
            assert_eq!(names_upgrade, status == 426, "{text}");
            if let Some((name, value)) = extra {
                assert!(headers.contains(&(name.into(), value.into())), "{text}");
            }
        }
    }
}

#[test]
fn rejection_by_the_application_is_a_response_too() {
    // §4.2.2: "any status code of 3xx, 4xx or 5xx".
    let mut response = Response::rejection(401, "who are you?");
    response.header("WWW-Authenticate", "Basic").unwrap();
    let mut out = Vec::new();
    response.encode(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 401 Unauthorized\r\n\
         Connection: close\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: 13\r\n\
         WWW-Authenticate: Basic\r\n\
         \r\n\
         who are you?\n"
    );
    for (status, sent) in
        [(300, 300), (599, 599), (0, 500), (101, 500), (200, 500), (299, 500), (304, 500), (600, 500)]
    {
        assert_eq!(Response::rejection(status, "").status(), sent);
    }
    // The length is in bytes.
    let mut out = Vec::new();
    Response::rejection(404, "für Sie").encode(&mut out);
    assert!(String::from_utf8(out).unwrap().contains("\r\nContent-Length: 9\r\n"));
}

#[test]
fn application_may_redirect_the_client() {
    // §4.2.2: "The server MAY redirect the client using a 3xx status code".
    for (status, phrase) in [(301, "Moved Permanently"), (302, "Found"), (307, "Temporary Redirect")] {
        let mut response = Response::rejection(status, "moved");
        response.header("Location", "wss://chat.example.com/").unwrap();
        let mut out = Vec::new();
        response.encode(&mut out);
        let wanted = format!(
            "HTTP/1.1 {status} {phrase}\r\n\
             Connection: close\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: 6\r\n\
             Location: wss://chat.example.com/\r\n\
             \r\n\
             moved\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}

#[test]
fn status_goes_out_with_its_reason_phrase() {
    // RFC 9110 §15; RFC 9112 §4: the space is there even if the phrase is empty.
    for (status, line) in [
        (200, "HTTP/1.1 200 OK"),
        (204, "HTTP/1.1 204 No Content"),
        (205, "HTTP/1.1 205 Reset Content"),
        (301, "HTTP/1.1 301 Moved Permanently"),
        (302, "HTTP/1.1 302 Found"),
        (303, "HTTP/1.1 303 See Other"),
        (304, "HTTP/1.1 304 Not Modified"),
        (307, "HTTP/1.1 307 Temporary Redirect"),
        (308, "HTTP/1.1 308 Permanent Redirect"),
        (400, "HTTP/1.1 400 Bad Request"),
        (401, "HTTP/1.1 401 Unauthorized"),
        (403, "HTTP/1.1 403 Forbidden"),
        (404, "HTTP/1.1 404 Not Found"),
        (405, "HTTP/1.1 405 Method Not Allowed"),
        (408, "HTTP/1.1 408 Request Timeout"),
        (409, "HTTP/1.1 409 Conflict"),
        (410, "HTTP/1.1 410 Gone"),
        (418, "HTTP/1.1 418 "),
        (421, "HTTP/1.1 421 Misdirected Request"),
        (426, "HTTP/1.1 426 Upgrade Required"),
        (429, "HTTP/1.1 429 Too Many Requests"),
        (431, "HTTP/1.1 431 Request Header Fields Too Large"),
        (500, "HTTP/1.1 500 Internal Server Error"),
        (501, "HTTP/1.1 501 Not Implemented"),
        (502, "HTTP/1.1 502 Bad Gateway"),
        (503, "HTTP/1.1 503 Service Unavailable"),
        (504, "HTTP/1.1 504 Gateway Timeout"),
        (505, "HTTP/1.1 505 HTTP Version Not Supported"),
    ] {
        let mut out = Vec::new();
        Response::page(status, "text/plain", "").encode(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.split_once("\r\n").unwrap().0, line);
    }
}

#[test]
fn page_is_a_response_to_a_request_for_no_websocket() {
    // §1.3: "so that a single port can be used by both HTTP clients … and WebSocket clients".
    let mut out = Vec::new();
    Response::page(200, "text/html", "<p>ü").encode(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 200 OK\r\n\
         Connection: close\r\n\
         Content-Type: text/html\r\n\
         Content-Length: 5\r\n\
         \r\n\
         <p>ü"
    );
    for (status, sent) in [(200, 200), (599, 599), (0, 500), (101, 500), (199, 500), (600, 500)] {
        assert_eq!(Response::page(status, "text/plain", "").status(), sent);
    }
}

/// The bytes of a response, as text.
fn encoded(response: &Response) -> String {
    let mut out = Vec::new();
    response.encode(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn content_type_that_would_split_the_response_becomes_500() {
    // RFC 9110 §5.5
    for content_type in
        ["text/html\r\nSet-Cookie: a=b", "a\nb", "a\rb", "\r\n\r\n<p>", "a\0", "a\x7f", "a\x1b[0m"]
    {
        let response = Response::page(200, content_type, "<p>hello");
        assert_eq!(response.status(), 500, "{content_type:?}");
        let text = encoded(&response);
        assert!(text.starts_with("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n"), "{text}");
        assert!(text.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{text}");
        assert!(!text.contains("Set-Cookie") && !text.contains("<p>"), "{text}");
    }
    for content_type in ["text/html; charset=utf-8", "text/plain;\tcharset=\"ü\"", ""] {
        let text = encoded(&Response::page(200, content_type, ""));
        assert!(text.contains(&format!("\r\nContent-Type: {content_type}\r\n")), "{text}");
    }
}

#[test]
fn status_without_content_goes_out_without_a_body() {
    // RFC 9110 §15.3.5, §15.3.6, §15.4.5: what followed the head would be no part of the response.
    for (status, wanted) in [
        (204, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
        (205, "HTTP/1.1 205 Reset Content\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        (304, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"),
    ] {
        assert_eq!(encoded(&Response::page(status, "text/plain", "a body")), wanted);
    }
}

#[test]
fn answer_to_head_is_that_to_get_without_the_body() {
    // RFC 9110 §9.3.2
    let page = Response::page(404, "text/plain", "nothing here");
    let text = encoded(&page);
    assert_eq!(encoded(&page.without_body()), text.strip_suffix("nothing here").unwrap());
}

#[test]
fn page_may_be_asked_for_with_get_and_head() {
    // §4.2.1 requires a GET for a handshake; RFC 9110 §9.3.2 is about pages.
    use HandshakeError as E;
    let verdict = |head: &str| read(&[head.as_bytes()], &Limits::default(), |request| request.check_page()).0;
    for method in ["GET", "HEAD"] {
        let head = with("GET", method);
        assert_eq!(verdict(&head), Ok(()));
        for (part, replacement, error) in [
            ("HTTP/1.1", "HTTP/1.0", E::HttpVersion),
            ("/chat", "*", E::TargetInvalid),
            ("/chat", "/<", E::TargetNotEncoded),
            ("server.example.com", "%", E::HostInvalid),
            ("Version: 13", "Version: 13\r\nContent-Length: 1", E::BodyAnnounced),
        ] {
            assert_eq!(verdict(&head.replace(part, replacement)), Err(error), "{method} {replacement}");
        }
    }
    for method in ["POST", "head", "HEADS", "OPTIONS"] {
        assert_eq!(verdict(&with("GET", method)), Err(E::MethodNotGet), "{method}");
    }
}

#[test]
fn header_that_would_split_the_response_is_refused() {
    // RFC 9110 §5.5
    let mut response = Response::rejection(404, "no");
    let mut before = Vec::new();
    response.encode(&mut before);
    for (name, value) in [
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\0b"),
        ("X", "a\x7fb"),
        ("X: y\r\nZ", "a"),
        ("X\r\n", "a"),
        ("X:", "a"),
        ("X Y", "a"),
        ("", "a"),
        ("\u{fc}", "a"),
    ] {
        assert_eq!(response.header(name, value), Err(InvalidHeader), "{name:?}: {value:?}");
    }
    for name in [
        "Connection",
        "content-length",
        "Content-Type",
        "TRANSFER-ENCODING",
        "Upgrade",
        "Sec-WebSocket-Accept",
        "sec-websocket-extensions",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Version",
    ] {
        assert_eq!(response.header(name, "a"), Err(InvalidHeader), "{name} is written by the handshake");
    }
    let mut after = Vec::new();
    response.encode(&mut after);
    assert_eq!(after, before, "nothing was added");
}

#[test]
fn header_of_the_application_goes_out_with_the_acceptance() {
    // §4.2.2: "Optionally, other header fields".
    let judge = |request: &Request<'_>| {
        let mut response = Response::switching_protocols(request, None);
        response.header("Set-Cookie", "a=b; Path=/").unwrap();
        response.header("X-Tab", "a\tb").unwrap();
        response.header("X-Empty", "").unwrap();
        assert_eq!(response.status(), 101);
        let mut out = Vec::new();
        response.encode(&mut out);
        Ok(String::from_utf8(out).unwrap())
    };
    let (response, _) = read(&[REQUEST.as_bytes()], &Limits::default(), judge);
    let headers = "\r\nSet-Cookie: a=b; Path=/\r\nX-Tab: a\tb\r\nX-Empty: \r\n\r\n";
    assert_eq!(response.unwrap(), ACCEPTANCE.replace("\r\n\r\n", headers));
}

#[test]
fn application_sees_the_whole_request() {
    // §4.2.2: it decides on what it sees.
    let head = and("Origin: http://a.org\r\nCookie: x=y\r\ncookie: z\r\nX-Bytes: \u{fc}");
    let judge = |request: &Request<'_>| {
        assert_eq!(request.header("COOKIE"), Some("x=y"), "the first of that name");
        assert_eq!(request.header("X-Bytes"), Some("\u{fc}"));
        assert_eq!(request.header("X-Missing"), None);
        assert_eq!(request.origin(), Some("http://a.org"));
        assert_eq!(request.method(), "GET");
        let names: Vec<_> = request.headers().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "Host",
                "Upgrade",
                "Connection",
                "Sec-WebSocket-Key",
                "Sec-WebSocket-Version",
                "Origin",
                "Cookie",
                "cookie",
                "X-Bytes"
            ]
        );
        Ok(())
    };
    assert_eq!(read(&[head.as_bytes()], &Limits::default(), judge), (Ok(()), 0));
}

#[test]
fn values_of_a_query_are_decoded_and_found_by_name() {
    let head = with("/chat", "/chat?nick=Ann+%26+Ben&tag=a&&tag=b&quiet");
    let judge = |request: &Request<'_>| {
        assert_eq!(request.query("nick").as_deref(), Some("Ann & Ben"));
        assert_eq!(request.query("tag").as_deref(), Some("a"), "the first of that name");
        assert!(request.query_all("tag").eq(["a", "b"]));
        assert_eq!(request.query("quiet").as_deref(), Some(""));
        assert_eq!(request.query("nic"), None);
        Ok(())
    };
    assert_eq!(read(&[head.as_bytes()], &Limits::default(), judge), (Ok(()), 0));
}

#[test]
fn head_is_held_only_while_it_is_incomplete() {
    // §10.4
    let mut whole = REQUEST.as_bytes().to_vec();
    let mut reader = RequestReader::default();
    assert!(reader.next_request(&mut &mut whole[..], &Limits::default()).unwrap().is_some());
    assert_eq!(reader.buffered(), 0, "a head that lies whole in the input is borrowed from there");

    let mut reader = RequestReader::default();
    let mut start = *b"GET / HT";
    assert!(reader.next_request(&mut &mut start[..], &Limits::default()).unwrap().is_none());
    assert_eq!(reader.buffered(), 8);
}

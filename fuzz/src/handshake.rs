//! Invariant: any bytes are a request head, the beginning of one, or an error, the same at the same byte
//! however they are cut. A head keeps its limits, each of its bytes is looked at once, and what is accepted
//! has all that §4.2.1 asks for. Every answer is one well-formed head and its body.

use std::net::Ipv6Addr;

use wirehook::protocol::{HandshakeError, Limits, Request, RequestReader, Response, accept_key};

use super::{cut, plan::Plan};

/// Small, so that a fuzzer reaches them; over the first a head is too big, over the second it has too many
/// lines.
const MAX_HEADER_SIZE: usize = 1000;
const MAX_HEADERS: usize = 12;

/// What came of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    /// The request in words and its answer, or what is wrong.
    answer: Result<String, HandshakeError>,
    /// How many bytes were taken for the head, or had arrived when the error was found.
    at: usize,
}

/// How the rest is cut, then any bytes, taken for a client's request.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let lengths = cut::read(&mut plan);
    let bytes = plan.0;
    let exact = read(bytes, &(1..=bytes.len()).collect::<Vec<_>>());
    for ends in [cut::ends(bytes.len(), &lengths), vec![bytes.len()]] {
        let mut expected = exact.clone();
        // An error is found with the piece that it is in.
        if let Some(Verdict { answer: Err(_), at }) = &mut expected {
            *at = ends.iter().copied().find(|end| end >= at).unwrap_or(bytes.len());
        }
        assert_eq!(read(bytes, &ends), expected, "cut at {ends:?}");
    }
}

/// Reads the pieces up to the first verdict, as a server does.
fn read(bytes: &[u8], ends: &[usize]) -> Option<Verdict> {
    let mut limits = Limits::default();
    (limits.max_header_size, limits.max_headers) = (MAX_HEADER_SIZE, MAX_HEADERS);
    let mut reader = RequestReader::default();
    let (mut pieces, mut start) = (bytes.to_vec(), 0);
    for &end in ends {
        let mut input = &mut pieces[start..end];
        let answer = match reader.next_request(&mut input, &limits) {
            Ok(None) => None,
            Ok(Some(request)) => Some(Ok(answer(&request))),
            Err(error) => {
                check_limits(error, &bytes[..end]);
                check_refusal(error);
                Some(Err(error))
            }
        };
        // Work is counted, not timed: no byte is looked at twice.
        #[cfg(fuzzing)]
        assert!(reader.bytes_read() <= end);
        match answer {
            None => assert!(input.is_empty() && reader.buffered() == end && end <= MAX_HEADER_SIZE),
            Some(Ok(answer)) => {
                let len = end - input.len();
                assert_eq!(Some(len), naive_len(bytes), "the head ends at its empty line");
                assert!(len <= MAX_HEADER_SIZE);
                return Some(Verdict { answer: Ok(answer), at: len });
            }
            Some(Err(error)) => return Some(Verdict { answer: Err(error), at: end }),
        }
        start = end;
    }
    None
}

/// The naive twin: a head ends with the first empty line that is not in front of it.
fn naive_len(bytes: &[u8]) -> Option<usize> {
    let start = bytes.chunks(2).take_while(|it| *it == b"\r\n").count() * 2;
    let end = bytes[start..].windows(4).position(|it| it == b"\r\n\r\n")?;
    Some(start + end + 4)
}

/// A limit is not reached before what has arrived is over it.
fn check_limits(error: HandshakeError, arrived: &[u8]) {
    match error {
        HandshakeError::HeadTooBig => {
            assert!(arrived.len() > MAX_HEADER_SIZE && naive_len(&arrived[..MAX_HEADER_SIZE]).is_none());
        }
        HandshakeError::TooManyHeaders => {
            let lines = arrived.split(|&byte| byte == b'\n').filter(|line| line.len() > 1).count();
            assert!(lines > MAX_HEADERS + 1, "the request line is no header");
        }
        _ => {}
    }
}

/// All that can be asked of a request, and what it is answered with.
fn answer(request: &Request<'_>) -> String {
    assert!(request.headers().count() <= MAX_HEADERS);
    let mut words =
        format!("{request:?} {:?} {:?} {:?}", request.path(), request.query_string(), request.host());
    let verdict = request.check(&[], &[]);
    match verdict {
        Ok(()) => {
            check_accepted(request);
            words += &check_switching(request);
        }
        Err(error) => check_refusal(error),
    }
    // §10.2: a list of origins can only turn a request away.
    let listed = request.check(&[], &["https://example.com".to_owned()]);
    assert!(verdict.is_ok() || listed == verdict);
    // So can a list of hosts; one with the host that is asked for can't.
    let served = request.check(&["example.com".to_owned()], &[]);
    assert!(verdict.is_ok() || served == verdict || served == Err(HandshakeError::HostNotServed));
    let asked = request.host().map(str::to_owned);
    assert_eq!(request.check(asked.as_slice(), &[]), verdict);
    check_page(request);
    words + &format!("{verdict:?} {listed:?} {served:?}")
}

/// A page may be asked for by HEAD; in all else its rules are those of a GET.
fn check_page(request: &Request<'_>) {
    let verdict = request.check_page();
    if request.method() == "HEAD" {
        assert_eq!(request.check_http(), Err(HandshakeError::MethodIsHead));
    } else {
        assert_eq!(request.check_http(), verdict);
    }
}

/// §4.2.1, asked for in a naive way.
fn check_accepted(request: &Request<'_>) {
    let all = |name: &str| {
        let of_name = request.headers().filter(|(it, _)| it.to_ascii_lowercase() == name);
        of_name.map(|(_, value)| String::from_utf8_lossy(value).to_ascii_lowercase()).collect::<Vec<_>>()
    };
    assert_eq!(all("host").len(), 1);
    assert!(is_plain_authority(&all("host")[0]));
    assert!(lists_tokens(&all("upgrade"), '/').contains(&"websocket".to_owned()));
    assert!(lists_tokens(&all("connection"), ',').contains(&"upgrade".to_owned()));
    assert_eq!(all("sec-websocket-version"), ["13"]);
    let [key] = &all("sec-websocket-key")[..] else { panic!("one key") };
    assert!(key.len() == 24 && key.ends_with("==") && !key[..22].contains('='));
    assert!(all("transfer-encoding").is_empty() && all("content-length").iter().all(|it| it == "0"));
    assert!(all("origin").len() <= 1);
    assert!(
        request.origin().is_none_or(|it| it.is_ascii())
            && request.origin().is_some() != all("origin").is_empty()
    );
    assert!(request.target().is_ascii() && !request.target().contains(['#', ' ', '"', '<', '>']));
    assert!(request.path().starts_with('/') && !request.path().contains('\\'));
    assert!(is_plain_authority(request.host().expect("there is a Host")));
}

/// The elements of a list, each of which must be a token, or several with this between them.
fn lists_tokens(values: &[String], between: char) -> Vec<String> {
    let list = values.join(",");
    let elements =
        list.split(',').map(|it| it.trim_matches([' ', '\t']).to_owned()).filter(|it| !it.is_empty());
    let elements: Vec<String> = elements.collect();
    let is_separator = |it: char| !it.is_ascii_graphic() || "\"(),/:;<=>?@[\\]{}".contains(it);
    assert!(
        elements
            .iter()
            .flat_map(|it| it.split(between))
            .all(|it| !it.is_empty() && !it.contains(is_separator))
    );
    elements
}

/// RFC 3986 §3.2, as the standard library and a walk over characters see it.
fn is_plain_authority(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => {
            let Some((address, port)) = literal.split_once(']') else { return false };
            let is_later = address.starts_with(['v', 'V']) && address.contains('.');
            if address.parse::<Ipv6Addr>().is_err() && !is_later {
                return false;
            }
            ("x", port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let mut escapes = host.split('%');
    let is_plain =
        |it: &str| it.chars().all(|it| it.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(it));
    let is_escape =
        |it: &str| it.is_char_boundary(2) && u8::from_str_radix(&it[..2], 16).is_ok() && is_plain(it);
    !host.is_empty()
        && escapes.next().is_some_and(is_plain)
        && escapes.all(is_escape)
        && (port.is_empty()
            || port.strip_prefix(':').is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit())))
}

/// The answer of 101, with the first subprotocol that is offered and with one that is not.
fn check_switching(request: &Request<'_>) -> String {
    let offered = request.subprotocols().next();
    let lines = |subprotocol| {
        let mut bytes = Vec::new();
        Response::switching_protocols(request, subprotocol).encode(&mut bytes);
        let text = String::from_utf8(bytes).expect("a head of 101 is ASCII");
        let head = text.strip_suffix("\r\n\r\n").expect("an empty line ends it").to_owned();
        let lines = head.split("\r\n").map(str::to_owned).collect::<Vec<_>>();
        assert!(lines.iter().all(|it| !it.is_empty() && !it.contains(['\r', '\n'])), "{lines:?}");
        lines
    };
    let accept = accept_key(request.header("Sec-WebSocket-Key").expect("it was checked"));
    let plain = lines(Some("never offered, for it is no token"));
    assert_eq!(plain[0], "HTTP/1.1 101 Switching Protocols");
    assert!(plain.len() == 4 && plain[3] == format!("Sec-WebSocket-Accept: {accept}"));
    if let Some(offered) = offered {
        let chosen = lines(Some(offered));
        assert_eq!(chosen[..4], plain);
        assert_eq!(chosen[4..], [format!("Sec-WebSocket-Protocol: {offered}")]);
    }
    accept
}

fn check_refusal(error: HandshakeError) {
    let mut bytes = Vec::new();
    Response::refusal(error).encode(&mut bytes);
    let text = String::from_utf8(bytes).expect("a refusal is text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line ends the head");
    assert!(head.starts_with(&format!("HTTP/1.1 {} ", error.status())));
    // RFC 9110 §9.3.2: the answer to HEAD has no body, and the length that the one to GET would have.
    let len = format!(
        "\r\nContent-Length: {}",
        if body.is_empty() { error.to_string().len() + 1 } else { body.len() }
    );
    assert!(head.contains(&len) && (!body.is_empty() || error == HandshakeError::MethodIsHead));
}

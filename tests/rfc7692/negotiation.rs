//! RFC 7692 §5.1 and §7.1 What is agreed on: a server's answer to offers, a client's judgement of answers.

use wirehook::protocol::{
    Answer, ClientRequest, DeflateConfig, DeflateOffer, DeflateParams, InvalidDeflate, Limits, RequestReader,
    Response, ResponseError, Uri,
};

use crate::PARAMS;

/// What a server answers to these offers, which are the value of a header.
fn answer(config: &DeflateConfig, offers: &str) -> Option<String> {
    with_offers(offers, |request| {
        request.check(&[], &[]).expect("an offer never refuses the handshake");
        config.accept(request.extensions()).map(|it| it.header())
    })
}

fn with_offers<T>(offers: &str, then: impl FnOnce(&wirehook::protocol::Request<'_>) -> T) -> T {
    let mut head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Extensions: {offers}\r\n\r\n"
    )
    .into_bytes();
    let mut reader = RequestReader::default();
    let mut input = &mut head[..];
    let request = reader.next_request(&mut input, &Limits::default()).unwrap().unwrap();
    then(&request)
}

/// What a client makes of an answer.
fn judge(offer: &DeflateOffer, answer: &str) -> Result<DeflateParams, InvalidDeflate> {
    with_offers(answer, |request| offer.judge(&request.extensions()[0]))
}

#[test]
fn each_parameter_of_an_offer_is_answered() {
    for (offer, wanted) in [
        ("", ""),
        ("; server_no_context_takeover", "; server_no_context_takeover"),
        ("; client_no_context_takeover", "; client_no_context_takeover"),
        ("; server_max_window_bits=10", "; server_max_window_bits=10"),
        ("; server_max_window_bits=15", "; server_max_window_bits=15"),
        ("; server_max_window_bits=\"9\"", "; server_max_window_bits=9"),
        ("; client_max_window_bits", ""),
        ("; client_max_window_bits=15", ""),
        ("; client_max_window_bits=8", "; client_max_window_bits=8"),
        ("; client_max_window_bits=\"1\\2\"", "; client_max_window_bits=12"),
        (
            "; client_max_window_bits=9; server_max_window_bits=9; client_no_context_takeover; \
             server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; \
             client_max_window_bits=9",
        ),
    ] {
        let wanted = format!("permessage-deflate{wanted}");
        let answer = answer(&DeflateConfig::default(), &format!("permessage-deflate{offer}"));
        assert_eq!(answer, Some(wanted), "{offer}");
    }
}

#[test]
fn an_offer_that_can_not_be_honoured_is_declined() {
    for offer in [
        "permessage-deflate; unknown",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; server_max_window_bits=x",
        "permessage-deflate; client_max_window_bits=0",
        "permessage-deflate; client_max_window_bits=100",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        // A compressor can't be limited to 256 bytes here.
        "permessage-deflate; server_max_window_bits=8",
        "Permessage-Deflate",
        "permessage-bzip2",
        "x-webkit-deflate-frame",
    ] {
        assert_eq!(answer(&DeflateConfig::default(), offer), None, "{offer}");
    }
}

#[test]
fn the_first_offer_that_can_be_honoured_is_accepted() {
    let offers = "x, permessage-deflate; server_max_window_bits=8, permessage-deflate; a=b, \
                  permessage-deflate; server_max_window_bits=9, permessage-deflate";
    let accepted = answer(&DeflateConfig::default(), offers);
    assert_eq!(accepted.as_deref(), Some("permessage-deflate; server_max_window_bits=9"));
}

#[test]
fn a_server_adds_what_it_wants() {
    let config = DeflateConfig {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: 12,
        client_max_window_bits: 10,
    };
    for (offer, wanted) in [
        // Without the client's parameter its window can't be limited.
        ("", "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"),
        (
            "; client_max_window_bits; server_max_window_bits=14",
            "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; \
             client_max_window_bits=10",
        ),
        (
            "; client_max_window_bits=9; server_max_window_bits=11",
            "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; \
             client_max_window_bits=9",
        ),
    ] {
        let answer = answer(&config, &format!("permessage-deflate{offer}"));
        assert_eq!(answer, Some(format!("permessage-deflate; {wanted}")), "{offer}");
    }
}

#[test]
fn a_client_judges_the_answer() {
    let plain = DeflateOffer::default();
    let limited = DeflateOffer {
        server_no_context_takeover: true,
        server_max_window_bits: Some(10),
        client_max_window_bits: Some(Some(12)),
        ..plain
    };
    let any = DeflateOffer { client_max_window_bits: Some(None), ..plain };
    for (offer, params, wanted) in [
        (plain, "", Ok(PARAMS)),
        (plain, "; server_max_window_bits=9", Ok(DeflateParams { server_max_window_bits: 9, ..PARAMS })),
        (
            plain,
            "; server_no_context_takeover; client_no_context_takeover",
            Ok(DeflateParams {
                server_no_context_takeover: true,
                client_no_context_takeover: true,
                ..PARAMS
            }),
        ),
        (plain, "; client_max_window_bits=10", Err(InvalidDeflate::NotOffered)),
        (any, "; client_max_window_bits=10", Ok(DeflateParams { client_max_window_bits: 10, ..PARAMS })),
        (any, "; client_max_window_bits", Err(InvalidDeflate::Value)),
        (any, "; client_max_window_bits=8", Err(InvalidDeflate::Unsupported)),
        (limited, "", Err(InvalidDeflate::NotOffered)),
        (limited, "; server_no_context_takeover", Err(InvalidDeflate::NotOffered)),
        (limited, "; server_max_window_bits=10", Err(InvalidDeflate::NotOffered)),
        (limited, "; server_no_context_takeover; server_max_window_bits=11", Err(InvalidDeflate::NotOffered)),
        (
            limited,
            "; server_no_context_takeover; server_max_window_bits=8",
            Ok(DeflateParams {
                server_no_context_takeover: true,
                server_max_window_bits: 8,
                client_max_window_bits: 12,
                ..PARAMS
            }),
        ),
        (plain, "; x", Err(InvalidDeflate::Unknown)),
        (plain, "; server_no_context_takeover; server_no_context_takeover", Err(InvalidDeflate::Repeated)),
        (plain, "; server_max_window_bits=16", Err(InvalidDeflate::Value)),
    ] {
        assert_eq!(judge(&offer, &format!("permessage-deflate{params}")), wanted, "{offer}: {params}");
    }
    assert_eq!(judge(&plain, "x"), Err(InvalidDeflate::Name));
}

#[test]
fn every_answer_of_a_server_suits_a_client() {
    let bits = [None, Some(9), Some(12), Some(15)];
    let configs = (0..4_u8).flat_map(|flags| {
        [9, 12, 15].map(|bits| DeflateConfig {
            server_no_context_takeover: flags & 1 != 0,
            client_no_context_takeover: flags & 2 != 0,
            server_max_window_bits: bits,
            client_max_window_bits: 24 - bits,
        })
    });
    for config in configs {
        for (server_bits, client_bits) in bits.iter().flat_map(|&a| bits.map(|b| (a, b))) {
            for flags in 0..8_u8 {
                let offer = DeflateOffer {
                    server_no_context_takeover: flags & 1 != 0,
                    client_no_context_takeover: flags & 2 != 0,
                    server_max_window_bits: server_bits,
                    client_max_window_bits: (flags & 4 != 0).then_some(client_bits),
                };
                let negotiated =
                    with_offers(&offer.to_string(), |it| config.accept(it.extensions())).unwrap();
                let judged = judge(&offer, &negotiated.header()).unwrap();
                assert_eq!(judged, negotiated.params(), "{offer} with {config:?}");
            }
        }
    }
}

#[test]
fn a_client_fails_at_an_answer_that_does_not_fit() {
    let answer = |extensions: &str| {
        let mut request = ClientRequest::new(&Uri::parse("ws://a/").unwrap());
        request.deflate(DeflateOffer::default());
        let mut handshake = request.start(*b"the sample nonce", &mut Vec::new());
        let mut bytes = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{extensions}\r\n"
        )
        .into_bytes();
        match handshake.next_answer(&mut &mut bytes[..], &Limits::default()) {
            Ok(Some(Answer::Accepted(accepted))) => Ok(accepted.deflate),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    };
    let line = |value: &str| format!("Sec-WebSocket-Extensions: {value}\r\n");
    assert_eq!(answer(""), Ok(None));
    assert_eq!(answer(&line("permessage-deflate")), Ok(Some(PARAMS)));
    let error = ResponseError::DeflateInvalid;
    assert_eq!(answer(&line("permessage-deflate; client_max_window_bits=9")), Err(error));
    assert_eq!(answer(&line("permessage-deflate; x")), Err(error));
    assert_eq!(error.section(), "RFC 7692 §7.1");
    for value in ["x", "permessage-deflate, x", "permessage-deflate, permessage-deflate"] {
        assert_eq!(answer(&line(value)), Err(ResponseError::ExtensionNotOffered), "{value}");
    }
}

#[test]
fn a_response_names_what_is_agreed_on() {
    let text = with_offers("permessage-deflate; server_no_context_takeover", |request| {
        let mut response = Response::switching_protocols(request, None);
        response.use_deflate(&DeflateConfig::default().accept(request.extensions()).unwrap());
        let mut out = Vec::new();
        response.encode(&mut out);
        String::from_utf8(out).unwrap()
    });
    let line = "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n";
    assert!(text.ends_with(line), "{text}");
}

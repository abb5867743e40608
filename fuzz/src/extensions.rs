//! Invariant: an offer that keeps the grammar of §9.1 never refuses the handshake. The answer fits one of the
//! offers, and a client that made that offer accepts the answer and agrees on the same.

use wirehook::protocol::{DeflateConfig, DeflateOffer, HandshakeError, Limits, Request, RequestReader};

use super::plan::Plan;

/// What the server wants, then any bytes, taken for the value of the header.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let flags = plan.byte();
    let config = DeflateConfig {
        server_no_context_takeover: flags & 1 != 0,
        client_no_context_takeover: flags & 2 != 0,
        server_max_window_bits: plan.byte().clamp(9, 15),
        client_max_window_bits: plan.byte().clamp(9, 15),
    };
    with_header(plan.0, |request| {
        match request.check_extensions() {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, HandshakeError::ExtensionsMalformed);
                assert!(request.extensions().is_empty());
            }
        }
        let valid: Vec<DeflateOffer> =
            request.extensions().iter().filter_map(|it| DeflateOffer::parse(it).ok()).collect();
        match config.accept(request.extensions()) {
            None => assert!(valid.iter().all(|it| it.server_max_window_bits == Some(8)), "{valid:?}"),
            Some(negotiated) => {
                let offer = valid.iter().find(|it| it.server_max_window_bits != Some(8)).expect("an offer");
                with_header(negotiated.header().as_bytes(), |response| {
                    let [answer] = response.extensions() else { panic!("one answer") };
                    match offer.judge(answer) {
                        Ok(params) => assert_eq!(params, negotiated.params()),
                        // A client that offers 8 can't compress so itself here.
                        Err(error) => assert_eq!(offer.client_max_window_bits, Some(Some(8)), "{error}"),
                    }
                });
            }
        }
    });
}

fn with_header(value: &[u8], then: impl FnOnce(&Request<'_>)) {
    let mut head = [b"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: ", value, b"\r\n\r\n"].concat();
    let mut reader = RequestReader::default();
    if let Ok(Some(request)) = reader.next_request(&mut &mut head[..], &Limits::default()) {
        then(&request);
    }
}

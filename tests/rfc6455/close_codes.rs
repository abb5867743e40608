//! §7.4 Status codes: which a Close frame may contain, the peer's or ours.

use wirehook::protocol::{CloseCode, Limits, ProtocolError, SendError, Sender};

use crate::{Case, Early, check, check_early, close, failed, frame, sent_close};

/// §7.4.1, the IANA registry of §11.7, and the first and last of the ranges of §7.4.2.
const ALLOWED: [u16; 17] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4321, 4999];

/// Never used, reserved, only for descriptions, or beyond the ranges, each next to what is allowed.
const FORBIDDEN: [u16; 15] =
    [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 10_000, 65_535];

#[test]
fn allowed_code_is_received_and_echoed() {
    // §7.4
    for code in ALLOWED {
        check(&[Case {
            name: &code.to_string(),
            input: &frame(0x88, &code.to_be_bytes()),
            expect: &[close(code, "")],
            sent: &sent_close(code, ""),
        }]);
    }
}

#[test]
fn forbidden_code_fails_the_connection() {
    // §7.4
    for code in FORBIDDEN {
        let payload = [&code.to_be_bytes()[..], b"because"].concat();
        let expect = &[failed(ProtocolError::ForbiddenCloseCode(code))];
        let refused = sent_close(1002, &format!("§7.4: close code {code} must not be sent"));
        let name = &code.to_string();
        check(&[
            Case { name, input: &frame(0x88, &payload[..2]), expect, sent: &refused },
            Case { name, input: &frame(0x88, &payload), expect, sent: &refused },
        ]);
    }
}

#[test]
fn forbidden_code_is_noticed_at_its_second_byte() {
    // §7.4
    for code in FORBIDDEN {
        check_early(
            &Limits::default(),
            &[Early {
                name: &code.to_string(),
                input: &frame(0x88, &[&code.to_be_bytes()[..], &[b'x'; 100]].concat()),
                // A header of two bytes, a key of four, a code of two.
                noticed_after: 8,
                error: ProtocolError::ForbiddenCloseCode(code),
            }],
        );
    }
}

#[test]
fn every_code_is_allowed_or_forbidden_as_the_rfc_says() {
    // §7.4.1, §7.4.2
    for code in 0..=u16::MAX {
        let is_allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseCode(code).may_be_sent(), is_allowed, "{code}");
        assert_eq!(CloseCode(code).may_be_sent_by_server(), is_allowed && code != 1010, "{code}");
    }
    assert!(ALLOWED.iter().all(|&code| CloseCode(code).may_be_sent()));
    assert!(!FORBIDDEN.iter().any(|&code| CloseCode(code).may_be_sent()));
}

#[test]
fn allowed_code_can_be_sent() {
    // §7.4
    for code in ALLOWED.into_iter().filter(|code| *code != 1010) {
        let mut out = Vec::new();
        Sender::default().close(CloseCode(code), "why", &mut out).unwrap();
        assert_eq!(out, sent_close(code, "why"));
    }
}

#[test]
fn forbidden_code_can_not_be_sent() {
    // §7.4
    // §7.4.1: 1010 "is not used by the server".
    for code in FORBIDDEN.into_iter().chain([1010]) {
        // 1005 has a meaning to the sender: a Close without a body.
        if code == 1005 {
            continue;
        }
        let mut sender = Sender::default();
        let mut out = Vec::new();
        let refused = sender.close(CloseCode(code), "", &mut out);
        assert_eq!(refused, Err(SendError::ForbiddenCloseCode), "{code}");
        assert_eq!(out, [], "{code}");
        assert!(!sender.is_close_sent(), "the connection can still be closed with another code");
    }
}

#[test]
fn code_1005_stands_for_a_close_without_a_body() {
    // §7.4.1: it "MUST NOT be set as a status code in a Close control frame by an endpoint".
    let mut sender = Sender::default();
    let mut out = Vec::new();
    sender.close(CloseCode::NO_STATUS_RECEIVED, "not sent either", &mut out).unwrap();
    assert_eq!(out, b"\x88\x00");
    assert!(sender.is_close_sent());
}

#[test]
fn codes_have_the_names_of_the_rfc() {
    // §7.4.1
    for (code, number, shown) in [
        (CloseCode::NORMAL, 1000, "1000 normal closure"),
        (CloseCode::GOING_AWAY, 1001, "1001 going away"),
        (CloseCode::PROTOCOL_ERROR, 1002, "1002 protocol error"),
        (CloseCode::UNSUPPORTED_DATA, 1003, "1003 unsupported data"),
        (CloseCode::NO_STATUS_RECEIVED, 1005, "1005 no status received"),
        (CloseCode::ABNORMAL, 1006, "1006 abnormal closure"),
        (CloseCode::INVALID_PAYLOAD, 1007, "1007 invalid payload data"),
        (CloseCode::POLICY_VIOLATION, 1008, "1008 policy violation"),
        (CloseCode::MESSAGE_TOO_BIG, 1009, "1009 message too big"),
        (CloseCode::MANDATORY_EXTENSION, 1010, "1010 mandatory extension"),
        (CloseCode::INTERNAL_ERROR, 1011, "1011 internal error"),
        (CloseCode::SERVICE_RESTART, 1012, "1012 service restart"),
        (CloseCode::TRY_AGAIN_LATER, 1013, "1013 try again later"),
        (CloseCode::BAD_GATEWAY, 1014, "1014 bad gateway"),
        (CloseCode::TLS_HANDSHAKE, 1015, "1015 TLS handshake failed"),
        (CloseCode(4321), 4321, "4321"),
    ] {
        assert_eq!(code, CloseCode(number));
        assert_eq!(code.to_string(), shown);
    }
}

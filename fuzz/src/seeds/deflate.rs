//! Compressed payloads and offers of permessage-deflate (RFC 7692).

/// Payloads, each with its length before it.
pub(super) const PAYLOADS: [(&str, &[u8]); 9] = [
    // RFC 7692 §7.2.3
    ("one_block", b"\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
    ("from_the_window", b"\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x05\xf2\x00\x11\x00\x00"),
    ("stored_block", b"\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
    ("bfinal", b"\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
    ("two_blocks", b"\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
    ("empty_message", b"\x01\x00"),
    ("cut_off", b"\x03\xf2\x48\xcd"),
    ("reserved_block", b"\x02\xff\xff"),
    // 2,000 zeros.
    ("over_the_limit", b"\x12\x62\x60\x18\x05\xa3\x60\x14\x8c\x82\x51\x30\x0a\x46\xc1\x50\x07\x00\x00"),
];

/// Values of `Sec-WebSocket-Extensions`.
pub(super) const HEADERS: [(&str, &str); 8] = [
    ("chrome", "permessage-deflate; client_max_window_bits"),
    ("plain", "permessage-deflate"),
    (
        "all_parameters",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
        server_max_window_bits=10; client_max_window_bits=\"12\"",
    ),
    ("two_offers", "permessage-deflate; server_max_window_bits=8, permessage-deflate"),
    ("doubled", "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9"),
    ("unknown", "permessage-deflate; x=1, x-webkit-deflate-frame"),
    ("out_of_range", "permessage-deflate; server_max_window_bits=16"),
    ("leading_zero", "permessage-deflate; client_max_window_bits=08"),
];

//! Invariant: an offer never refuses the handshake, and the answer to it is one that its client accepts.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::extensions::body(input));

//! Invariant: a client's receiver makes of any bytes what a server's receiver makes of the same frames with a
//! mask, and a server understands what a client answers.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::client_session::body(input));

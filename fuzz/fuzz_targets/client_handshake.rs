//! Invariant: any bytes are an answer to a client's handshake, the beginning of one, or an error, the same
//! however they are cut; what is accepted has all that §4.1 asks for.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::client_handshake::body(input));

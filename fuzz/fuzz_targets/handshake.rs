//! Invariant: any bytes are a request head, the beginning of one, or an error, the same at the same byte
//! however they are cut. A head keeps its limits, each of its bytes is looked at once, and what is accepted
//! has all that §4.2.1 asks for. Every answer is one well-formed head and its body.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::handshake::body(input));

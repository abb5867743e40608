//! Invariant: compressed messages come out the same however they are cut, as zlib inflates them in one
//! piece, within the limit.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::inflate::body(input));

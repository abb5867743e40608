//! Invariant: the same bytes, cut anywhere, lead to the same events, the same replies, and the same error,
//! each of them at the same byte.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::chunks::body(input));

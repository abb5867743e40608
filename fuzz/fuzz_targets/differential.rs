//! Invariant: the same client's bytes through wirehook and through tungstenite are the same messages, and
//! come to the same verdict, but for what [`DIFFERENCES`] names and justifies.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::differential::body(input));

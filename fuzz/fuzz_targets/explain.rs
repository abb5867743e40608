//! Invariant: however the bytes of both sides are cut, the explanation is the same, has each byte once, is
//! held in bounds, and steers no terminal.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::explain::body(input));

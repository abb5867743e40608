//! Invariant: any bytes become events, and at most one error, after which there is nothing; no step panics or
//! holds more than the limit, and every event keeps the rules that it is under.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::receiver::body(input));

//! Invariant: any messages, in any fragments, with any keys and pings between, written by an independent
//! client and delivered in any pieces, come out equal and in order; so do they on the way back.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::round_trip::body(input));

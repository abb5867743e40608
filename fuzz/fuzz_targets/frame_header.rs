//! Invariant: any bytes are a header, the beginning of one, or an error. What is accepted encodes to the same
//! bytes, keeps §5.2 and §5.5, and no fewer bytes would have been enough; more bytes change no verdict.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::frame_header::body(input));

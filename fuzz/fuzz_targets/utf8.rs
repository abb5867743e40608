//! Invariant: text is accepted if and only if it is UTF-8, and refused at its first impossible byte, however
//! it is cut and whichever way it takes. The judges are the standard library and a table of RFC 3629.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::utf8::body(input));

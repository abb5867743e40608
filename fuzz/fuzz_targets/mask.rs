//! Invariant: a payload is masked as §5.3 says, octet by octet, wherever it is in memory and however it is
//! cut; masking twice gives it back.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::mask::body(input));

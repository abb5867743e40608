//! Invariant: whatever a client does, rightly or wrongly, and whatever the server's application does
//! meanwhile, events, replies, close code and state are as the model of §5 and §7 predicts.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wirehook_fuzz::session::body(input));

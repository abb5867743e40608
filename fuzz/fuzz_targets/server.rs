//! Invariant: whatever a client's socket does and whenever, the client gets each echo once, whole and in
//! order; its `on_close` comes once, and then nothing is held. Through the real loop and the real peer code,
//! over a scripted stream and a set clock; the body is `src/server/simulator/fuzz.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| {
    #[cfg(fuzzing)]
    wirehook::fuzzing::server(script);
    // Without cargo-fuzz, as when only the lints look at this, the entrance is closed.
    #[cfg(not(fuzzing))]
    let _ = script;
});

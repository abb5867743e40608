//! Invariant: a replay ends by its deadlines whatever the server does, and says "same" only where the answers
//! are. Through the real player, over a scripted server and a set clock; the body is
//! `src/cli/replay/fuzz.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|plan: &[u8]| {
    #[cfg(fuzzing)]
    wirehook::fuzzing::replay_peer(plan);
    // Without cargo-fuzz, as when only the lints look at this, the entrance is closed.
    #[cfg(not(fuzzing))]
    let _ = plan;
});

//! Invariant: any file becomes recordings or one sentence; no byte is made up or comes twice, and what is
//! written is read again. The body is `src/cli/capture/fuzz.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    #[cfg(fuzzing)]
    wirehook::fuzzing::capture(file);
    // Without cargo-fuzz, as when only the lints look at this, the entrance is closed.
    #[cfg(not(fuzzing))]
    let _ = file;
});

//! Invariant: any arguments are understood, or refused in one line that names what is at fault. The body is
//! `src/cli/args/fuzz.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|lines: &[u8]| {
    #[cfg(fuzzing)]
    wirehook::fuzzing::arguments(lines);
    // Without cargo-fuzz, as when only the lints look at this, the entrance is closed.
    #[cfg(not(fuzzing))]
    let _ = lines;
});

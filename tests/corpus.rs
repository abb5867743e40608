//! What the fuzzers start from, and all that they ever found, through the same bodies, on any compiler.
//!
//! This file knows folders. It does not know the invariants: `fuzz/src/` does, one file per target, and is
//! included here as it is. The targets that need the inside of wirehook are replayed beside their bodies:
//! `server` in `src/server/simulator/fuzz.rs`, `arguments`, `capture` and `replay_peer` in `src/cli/fuzz.rs`.

use std::{
    fs,
    path::{Path, PathBuf},
};

// Public, so that it is linted as it is in its own crate.
#[path = "../fuzz/src/lib.rs"]
pub mod fuzz;

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target)
}

#[test]
fn no_seed_and_no_past_finding_breaks_an_invariant() {
    let targets = fuzz::TARGETS.into_iter();
    #[cfg(feature = "deflate")]
    let targets = targets.chain(fuzz::DEFLATE_TARGETS);
    for (target, body) in targets {
        let mut count = 0;
        for kind in ["corpus", "crashes"] {
            for entry in fs::read_dir(folder(kind, target)).into_iter().flatten() {
                let path = entry.unwrap().path();
                // Shown only if this fails, and then the last one is it.
                println!("{}", path.display());
                body(&fs::read(path).unwrap());
                count += 1;
            }
        }
        assert!(count > 0, "{target} has seeds");
    }
}

#[test]
fn committed_seeds_are_those_of_the_table() {
    let table = fuzz::seeds::seeds();
    for (target, name, bytes) in &table {
        let path = folder("corpus", target).join(format!("{name}.bin"));
        let committed = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(committed == *bytes, "{} is not what the table makes; see fuzz/README.md", path.display());
    }
    for target in fs::read_dir(folder("corpus", "")).unwrap() {
        let target = target.unwrap();
        for seed in fs::read_dir(target.path()).unwrap() {
            let path = seed.unwrap().path();
            let is_in_table = |(of, name, _): &fuzz::seeds::Seed| {
                target.file_name() == **of && path.file_stem().is_some_and(|it| it == name.as_str())
            };
            let is_named = path.extension().is_some_and(|it| it == "bin");
            assert!(!is_named || table.iter().any(is_in_table), "{} is not in the table", path.display());
        }
    }
}

//! The bodies of the fuzz targets that need private parts of the command line; each stands beside its code.
//!
//! This file lists them, and replays their seeds and findings.

/// Runs the body of the target `arguments`.
pub(crate) fn arguments(input: &[u8]) {
    super::args::fuzz::body(input);
}

/// Runs the body of the target `capture`.
pub(crate) fn capture(input: &[u8]) {
    super::capture::fuzz::body(input);
}

/// Runs the body of the target `replay_peer`.
pub(crate) fn replay_peer(input: &[u8]) {
    super::replay::fuzz::body(input);
}

#[cfg(test)]
#[test]
fn seeds_and_past_findings_pass() {
    let fuzz = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    // A published package does not contain the corpus.
    if !fuzz.exists() {
        return;
    }
    type TargetBody = fn(&[u8]);
    let targets =
        [("capture", capture as TargetBody), ("replay_peer", replay_peer), ("arguments", arguments)];
    for (target, body) in targets {
        let mut count = 0;
        for folder in ["corpus", "crashes"] {
            for entry in std::fs::read_dir(fuzz.join(folder).join(target)).into_iter().flatten() {
                let path = entry.map(|it| it.path()).unwrap_or_default();
                println!("{}", path.display());
                body(&std::fs::read(path).unwrap_or_default());
                count += 1;
            }
        }
        assert!(count > 0, "{target} has seeds");
    }
}

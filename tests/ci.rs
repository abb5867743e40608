//! The script that must pass before a change lands: a check that can't be made is no pass.
//!
//! This file knows the exit status of a skip, 77, and how `.ci/run` treats it. It refuses to know what is
//! checked.

#![cfg(unix)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs a script in the root folder, with `CI` set to this.
fn bash(script: &str, ci: &str) -> Output {
    Command::new("bash").args(["-c", script]).current_dir(ROOT).env("CI", ci).output().expect("bash runs")
}

/// The scripts that check something.
fn scripts() -> Vec<String> {
    let found = bash("ls .ci/* fuzz/run tests/*/run", "");
    assert!(found.status.success());
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A script that has the function `check` of `.ci/run`, and uses it.
fn with_check(commands: &str) -> String {
    let taken = "source <(sed -n '/^skipped=/,/^}/p' .ci/run)";
    format!("set -euo pipefail; {taken}; {commands}; echo \"at the end: ${{skipped[*]}}\"")
}

#[test]
fn a_skipped_check_is_named_and_in_ci_a_failure() {
    let skips = with_check("skip() { return 77; }; check true; check skip");
    let by_hand = bash(&skips, "");
    assert_eq!(String::from_utf8_lossy(&by_hand.stdout), "at the end: skip\n");
    assert!(by_hand.status.success());
    let in_ci = bash(&skips, "true");
    assert_eq!(String::from_utf8_lossy(&in_ci.stdout), "skip failed with 77\n");
    assert_eq!(in_ci.status.code(), Some(1));
}

#[test]
fn a_check_that_fails_is_a_failure_everywhere() {
    for ci in ["", "true"] {
        let fails = bash(&with_check("check false"), ci);
        assert_eq!(fails.status.code(), Some(1), "{ci}");
    }
}

#[test]
fn each_script_that_skips_does_so_by_its_exit_status() {
    let run = fs::read_to_string(Path::new(ROOT).join(".ci/run")).unwrap();
    let mut can_skip = 0;
    for name in scripts().iter().filter(|it| *it != ".ci/run") {
        let script = fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
        let mut lines = script.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
        let Some(_) = lines.find(|line| line.contains("skipped:")) else { continue };
        assert!(script.contains("77"), "{name} says that it skips, and exits with something else");
        let is_checked = |line: &str| line.split_once("check ").is_some_and(|(_, it)| it == name);
        assert!(run.lines().any(is_checked), "{name} can skip, and .ci/run has no line `check {name}`");
        can_skip += 1;
    }
    assert_eq!(can_skip, 6, "the scripts that can skip are found");
}

//! What a server costs before its first message: the size of the binary, a build from nothing, and the crates
//! it brings.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde::Serialize;

use crate::Result;

#[derive(Serialize)]
pub(crate) struct Fact {
    name: String,
    value: f64,
    unit: &'static str,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<42} {:>10.1} {}", self.name, self.value, self.unit)
    }
}

pub(crate) fn gather(project: &Path, wirehook: &Path) -> Result<Vec<Fact>> {
    let size = std::fs::metadata(wirehook)?.len() as f64 / 1024.0;
    let (server, bench) = (project.join("Cargo.toml"), project.join("bench/Cargo.toml"));
    let mut facts = vec![
        Fact { name: "wirehook: binary".to_owned(), value: size, unit: "KiB" },
        Fact { name: "wirehook: release build from nothing".to_owned(), value: build(&server)?, unit: "s" },
        crates("wirehook: crates, binary", &server, &[])?,
        crates("wirehook: crates, library", &server, &["--no-default-features"])?,
    ];
    for contestant in ["fastwebsockets", "ws", "tokio-tungstenite"] {
        // The crates of tokio count for the contestants that run on it.
        facts.push(crates(&format!("{contestant}: crates, library"), &bench, &["--package", contestant])?);
    }
    Ok(facts)
}

/// How many other crates a package is compiled with.
fn crates(name: &str, manifest: &Path, options: &[&str]) -> Result<Fact> {
    let tree = ["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}", "--manifest-path"];
    let output = Command::new("cargo").args(tree).arg(manifest).args(options).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    // A repeated entry is marked with an asterisk.
    let all: HashSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Ok(Fact { name: name.to_owned(), value: all.len() as f64 - 1.0, unit: "crates" })
}

/// The seconds of a release build into an empty directory, with the sources fetched before.
fn build(manifest: &Path) -> Result<f64> {
    let directory = std::env::temp_dir().join(format!("wirehook-bench-build-{}", std::process::id()));
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--quiet", "--manifest-path"]).arg(manifest);
    let start = Instant::now();
    let status = cargo.arg("--target-dir").arg(&directory).status()?;
    let elapsed = start.elapsed();
    std::fs::remove_dir_all(&directory)?;
    if status.success() { Ok(elapsed.as_secs_f64()) } else { Err("the server did not build".into()) }
}

//! Reads what `cargo bench` prints about the codec alone, for the same file as the rest. It measures nothing
//! itself.

use std::fmt;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Result;

/// One line: what is done, with how many bytes, and how much of it in a second.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Codec {
    pub(crate) name: String,
    pub(crate) bytes: Option<u64>,
    pub(crate) rate: String,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.map_or_else(String::new, |bytes| format!("{bytes} B"));
        write!(f, "{:<24} {bytes:>10} {:>20}", self.name, self.rate)
    }
}

pub(crate) fn measure(project: &Path) -> Result<Vec<Codec>> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["bench", "--quiet", "--bench", "codec", "--manifest-path"])
        .arg(project.join("bench/Cargo.toml"));
    let output = cargo.args(["--", "--color", "never"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(read(&String::from_utf8(output.stdout)?))
}

/// Reads divan's tree: groups, in them what is measured, in them perhaps its sizes. A line with times, which
/// has a name, is followed by one with rates, which has none; the fourth column from the right has the
/// medians.
fn read(tree: &str) -> Vec<Codec> {
    let mut figures = Vec::new();
    let (mut parent, mut leaf) = ("", "");
    for line in tree.lines().skip(1) {
        let mut columns = line.rsplitn(6, '│').map(str::trim);
        let (median, Some(first)) = (columns.nth(3).unwrap_or_default(), columns.nth(1)) else { continue };
        let is_named = first.contains("├─") || first.contains("╰─");
        let first = first.trim_start_matches(['│', '├', '╰', '─', ' ']);
        let name = first.split(' ').next().unwrap_or_default();
        match (is_named, median.is_empty()) {
            (true, true) => parent = name,
            (true, false) => leaf = name,
            (false, false) => {
                let bytes = leaf.parse().ok();
                let name = if bytes.is_some() { parent } else { leaf };
                let rate = median.replace("Mitem/s", "million/s").replace("Kitem/s", "thousand/s");
                figures.push(Codec { name: name.replace('_', " "), bytes, rate });
            }
            (false, true) => {}
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_becomes_lines() {
        let tree = "\
codec                        fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ bytes                                   │               │               │               │         │
│  ╰─ mask                                 │               │               │               │         │
│     ├─ 125                 3.997 ns      │ 4.057 ns      │ 4.036 ns      │ 4.028 ns      │ 20      │ 10240
│     │                      31.27 GB/s    │ 30.81 GB/s    │ 30.97 GB/s    │ 31.03 GB/s    │         │
╰─ handshake                               │               │               │               │         │
   ╰─ parse_and_check        610.7 ns      │ 6.729 µs      │ 630.2 ns      │ 993.1 ns      │ 20      │ 20
                             1.637 Mitem/s │ 148.5 Kitem/s │ 1.586 Mitem/s │ 1.006 Mitem/s │         │
";
        let figure =
            |name: &str, bytes, rate: &str| Codec { name: name.to_owned(), bytes, rate: rate.to_owned() };
        let expected =
            [figure("mask", Some(125), "30.97 GB/s"), figure("parse and check", None, "1.586 million/s")];
        assert_eq!(read(tree), expected);
    }
}

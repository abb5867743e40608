//! The files, functions and tests that the other documents name in code marks: each must exist.
//!
//! A test is named as `module::test` (of `src/server/tests/module.rs`) or as `path.rs::test`, a function of
//! the source as `Type::function`, a file or a folder by its path or by the end of it.

use std::{fs, path::Path};

use super::{Files, Named, declares, has_test, named_in, rust_files};

/// The documents that are checked, and what each may name although it does not exist: what a reader may add,
/// and what a build makes.
const CHECKED: [(&str, &[&str]); 13] = [
    ("CONTRIBUTING.md", &["fuzz/src/NAME.rs"]),
    ("README.md", &[]),
    ("docs/architecture.md", &["protocol/extension.rs", "deflate.rs"]),
    ("docs/decisions.md", &[]),
    (
        "docs/exercises.md",
        &[
            "Cause::Shutdown",
            "Limits::max_fragments",
            "ProtocolError::TextIncomplete",
            "ProtocolError::TooManyFragments",
            "Server::on_violation",
            "Stats::received_pings",
            "examples/say.rs",
        ],
    ),
    ("docs/performance.md", &[]),
    ("docs/performance/figures.md", &[]),
    ("docs/performance/notebook.md", &[]),
    ("docs/reading.md", &[]),
    ("docs/recording.md", &["DIR/FILE.pcapng"]),
    ("docs/security.md", &["src/server/tests/module.rs", "module::test"]),
    ("docs/testing.md", &["target/"]),
    ("docs/walkthrough.md", &[]),
];

/// Owners that are not of this crate, or that are the crate: the compiler checks examples that use them.
const FOREIGN: [&str; 4] = ["Timer", "io", "str", "wirehook"];

/// The endings by which a name in code marks is a file.
const ENDINGS: [&str; 7] = [".rs", ".md", ".txt", ".json", ".toml", ".py", ".svg"];

#[test]
fn what_the_documents_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (files, paths) = (rust_files(), all_paths(root));
    let mut wrong = Vec::new();
    for (document, allowed) in CHECKED {
        let text = fs::read_to_string(root.join(document)).unwrap();
        wrong.extend(
            missing(&text, &files, &paths)
                .into_iter()
                .filter(|it| !allowed.contains(&it.as_str()))
                .map(|it| format!("{document}: `{it}` does not exist; name what there is now")),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_target_of_tests_is_in_the_map_of_testing_md() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = fs::read_to_string(root.join("docs/testing.md")).unwrap();
    let paths = all_paths(root);
    let is_part = ["/tests/common/", "/tests/rfc_table/"];
    let targets = paths.iter().filter_map(|path| {
        let name = path.strip_prefix("/tests/")?;
        let is_file = name.ends_with(".rs") && !name.contains('/');
        let is_folder =
            name.find('/').is_some_and(|at| at + 1 == name.len()) && !is_part.contains(&path.as_str());
        (is_file || is_folder).then_some(name)
    });
    // A workspace of its own is not in the package, so it is named and not linked.
    let is_named = |name: &str| {
        let link = format!("](../tests/{})", name.trim_end_matches('/'));
        map.contains(&link) || map.contains(&format!("`tests/{name}`"))
    };
    let missing: Vec<&str> = targets.filter(|name| !is_named(name)).collect();
    assert!(missing.is_empty(), "docs/testing.md has no row for {missing:?}");
}

/// The numbers from ten on, in words.
const NUMBERS: [&str; 15] = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "twenty-one",
    "twenty-two",
    "twenty-three",
    "twenty-four",
];

#[test]
fn the_documents_count_the_fuzz_targets_rightly() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let count = fs::read_dir(root.join("fuzz/fuzz_targets")).unwrap().count();
    let number = NUMBERS[count - 10];
    for document in ["README.md", "docs/testing.md", "fuzz/README.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap().to_lowercase();
        let says = [format!("{number} targets"), format!("{number} fuzz targets")];
        assert!(
            says.iter().any(|it| text.contains(it)),
            "{document} does not say that there are {number} targets"
        );
        let others = NUMBERS.iter().filter(|it| **it != number);
        let wrong = others.filter(|it| {
            text.contains(&format!("{it} targets")) || text.contains(&format!("{it} fuzz targets"))
        });
        assert_eq!(wrong.count(), 0, "{document} has another number of targets than {number}");
    }
}

/// Where limits are declared.
const LIMITS: [&str; 2] = ["src/config.rs", "src/protocol/config.rs"];

#[test]
fn every_limit_is_in_the_readme_and_in_security_md() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let (readme, security) = (read("README.md"), read("docs/security.md"));
    let sources = LIMITS.map(read);
    let names: Vec<&str> = sources.iter().flat_map(|it| limits_in(it)).collect();
    assert!(names.len() > 12, "only these limits are found: {names:?}");
    for name in names {
        let option = format!("`--{}`", name.replace('_', "-"));
        assert!(readme.contains(&option), "the README's table of limits has no row for {option}");
        assert!(
            security.contains(&format!("`{name}`")),
            "docs/security.md does not say what `{name}` bounds"
        );
    }
}

/// The names of the fields that bound something.
fn limits_in(source: &str) -> Vec<&str> {
    let fields = source.lines().filter_map(|line| Some(line.strip_prefix("    pub ")?.split_once(':')?.0));
    let is_limit =
        |it: &&str| it.starts_with("max_") || it.ends_with("_timeout") || it.ends_with("_interval");
    fields.filter(is_limit).collect()
}

/// Words whose sentence has no thing of the program for its subject.
const VAGUE_WORDS: [&str; 8] =
    ["whoever", "somebody", "nobody", "anybody", "everybody", "held against", "is heard", "so many bytes"];

#[test]
fn documents_name_the_things_that_act() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (document, _) in CHECKED {
        let text = fs::read_to_string(root.join(document)).unwrap();
        assert_eq!(vague_lines(&text), [0; 0], "lines of {document} have one of {VAGUE_WORDS:?}");
    }
}

/// The numbers of the lines of prose that have one of [`VAGUE_WORDS`].
fn vague_lines(text: &str) -> Vec<usize> {
    let is_vague = |line: &str| {
        let line = line.to_lowercase();
        VAGUE_WORDS.iter().any(|word| line.contains(word))
    };
    prose(text).filter(|(_, line)| is_vague(line)).map(|(number, _)| number).collect()
}

/// The numbered lines of a document outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_block = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        !is_fence && !is_block && !line.starts_with("    ")
    })
}

/// All files and folders below `root` that a build did not make, folders with a slash at their end.
fn all_paths(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("target") || path.ends_with(".git") {
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            if path.is_dir() {
                paths.push(format!("/{name}/"));
                folders.push(path);
            } else {
                paths.push(format!("/{name}"));
            }
        }
    }
    paths
}

/// The names in code marks that mean something of this project and don't exist.
fn missing(text: &str, files: &Files, paths: &[String]) -> Vec<String> {
    code_marks(text)
        .into_iter()
        .filter(|name| exists(name, files, paths) == Some(false))
        .map(str::to_owned)
        .collect()
}

/// The functions that a document says to be in a file that has no such function: those of links, and those of
/// tables that have a number, functions and files in their first three cells.
fn misplaced(text: &str, files: &Files) -> Vec<String> {
    let mut wrong = Vec::new();
    for Named { name, path } in text.lines().flat_map(named_in) {
        let is_file = path.ends_with(".rs") && !name.contains('.') && !name.ends_with('/');
        let is_there = |source: &String| declares(source, name) || has_test(source, name);
        if is_file && !files.get(path).is_some_and(is_there) {
            wrong.push(format!("`{name}` is not in {path}"));
        }
    }
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.len() < 5 || cells[1].parse::<u32>().is_err() {
            continue;
        }
        let sources: Vec<&String> =
            code_marks(cells[3]).iter().filter_map(|it| files.get(&format!("src/{it}"))).collect();
        for name in code_marks(cells[2]) {
            let function = name.rsplit("::").next().unwrap_or(name);
            let starts = [format!("fn {function}("), format!("fn {function}<")];
            if !sources.iter().any(|source| starts.iter().any(|it| source.contains(it))) {
                wrong.push(format!("`{name}` is in none of {}", cells[3]));
            }
        }
    }
    wrong
}

/// The texts between single backticks, outside of blocks of code.
fn code_marks(text: &str) -> Vec<&str> {
    prose(text).flat_map(|(_, line)| line.split('`').skip(1).step_by(2)).collect()
}

/// Whether something of this name exists; `None` if it is no name of a file, a function or a test.
fn exists(name: &str, files: &Files, paths: &[String]) -> Option<bool> {
    let is_name =
        |it: &str| !it.is_empty() && it.chars().all(|it| it.is_alphanumeric() || "_-./".contains(it));
    if let Some((owner, item)) = name.rsplit_once("::") {
        if !is_name(owner) || !is_name(item) || FOREIGN.contains(&owner) {
            return None;
        }
        let is_there: fn(&str, &str, &str) -> bool = if owner.ends_with(".rs") {
            |source, _, item| has_test(source, item)
        } else if owner.starts_with(char::is_uppercase) {
            |source, owner, item| declares(source, &format!("{owner}::{item}"))
        } else {
            let is_test = |path: &str, source: &str| {
                path == format!("src/server/tests/{owner}.rs") && has_test(source, item)
            };
            let is_function = |path: &str, source: &str| {
                path.starts_with("src/") && path.ends_with(&format!("/{owner}.rs")) && declares(source, item)
            };
            return Some(files.iter().any(|(path, it)| is_test(path, it) || is_function(path, it)));
        };
        let is_its_file = |path: &str| !owner.ends_with(".rs") || path == owner;
        return Some(files.iter().any(|(path, source)| is_its_file(path) && is_there(source, owner, item)));
    }
    let is_path = ENDINGS.iter().any(|it| name.ends_with(it)) || name.len() > 1 && name.ends_with('/');
    let is_path = is_path && is_name(name) && !name.starts_with('/');
    is_path.then(|| paths.iter().any(|it| it.ends_with(&format!("/{name}"))))
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    let files: Files = [
        ("src/a.rs", "pub struct Loop;\n\nimpl Loop {\n    fn turn() {}\n}\n"),
        ("src/server/tests/time.rs", "#[test]\nfn it_waits() {}\n"),
        ("tests/cli.rs", "#[test]\nfn it_speaks() {}\n"),
    ]
    .map(|(path, source)| (path.to_owned(), source.to_owned()))
    .into();
    let paths = ["/src/a.rs", "/src/", "/docs/b.md"].map(str::to_owned);
    let good = "`Loop::turn` of `a.rs` and `src/a.rs`, `src/`, `time::it_waits`, `tests/cli.rs::it_speaks`\n\
        ```sh\n`x.rs`\n```\n`str::len`, `--option`, `/metrics`, `GET /index.md HTTP/1.1`, `b.md`\n";
    assert_eq!(missing(good, &files, &paths), [""; 0]);
    for bad in [
        "Loop::run",
        "Loops::turn",
        "b.rs",
        "ocs/b.md",
        "lib/",
        "time::it_runs",
        "tests/cli.rs::it_waits",
        "tests/cl.rs::it_speaks",
        "times::it_waits",
    ] {
        assert_eq!(missing(&format!("one\n| `{bad}` |\n"), &files, &paths), [bad]);
    }
}

#[test]
fn a_function_in_another_file_is_found() {
    let files: Files = [("src/a.rs".to_owned(), "pub fn turn() {}\nfn read<T>() {}\n".to_owned())].into();
    let good = "[`turn`](../src/a.rs), [`a.rs`](../src/a.rs)\n| 1 | `turn`, `Loop::read` | `a.rs` | |\n";
    assert_eq!(misplaced(good, &files), [""; 0]);
    for bad in [
        "[`run`](../src/a.rs)",
        "[`turn`](../src/b.rs)",
        "| 1 | `run` | `a.rs` | |",
        "| 1 | `turn` | `b.rs` | |",
    ] {
        assert_eq!(misplaced(bad, &files).len(), 1, "{bad}");
    }
}

#[test]
fn limits_are_found() {
    let source = "    /// max_a: no.\n    pub max_b: usize,\n    pub c: u8,\n    pub d_timeout: Duration,\n";
    assert_eq!(limits_in(source), ["max_b", "d_timeout"]);
}

#[test]
fn vague_words_in_prose_are_found() {
    let text = "Whoever asks.\n```text\nnobody\n```\n    nobody\nA word.\nIt is held against it.\n";
    assert_eq!(vague_lines(text), [1, 7]);
}

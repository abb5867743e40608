//! `docs/rfc7692.md` compared with the source and the tests: what a row names must exist.

use std::{fs, path::Path};

use super::{declares, has_test, named_in, rust_files};

/// The rules of the digest that the table follows.
const RULES: usize = 25;

#[test]
fn every_rule_of_rfc_7692_names_what_exists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rfc7692.md");
    let document = fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| §"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), RULES);
    let files = rust_files();
    for row in rows {
        let [section, binds, rule, answer, functions, tests] = row[..] else { panic!("six cells: {row:?}") };
        let is_there = |path: &str, has: &dyn Fn(&str) -> bool| files.get(path).is_some_and(|it| has(it));
        assert!(["server", "client", "both", "sender", "receiver"].contains(&binds), "{section}: {binds}");
        assert!(!rule.is_empty() && !answer.is_empty(), "{section}");
        let (functions, tests) = (named_in(functions), named_in(tests));
        assert!(!functions.is_empty() && !tests.is_empty(), "{section}: {rule}");
        for it in functions {
            assert!(is_there(it.path, &|source| declares(source, it.name)), "{section}: {}", it.name);
        }
        for it in tests {
            assert!(is_there(it.path, &|source| has_test(source, it.name)), "{section}: {}", it.name);
        }
    }
}

//! `breaks.txt` checked against the table and the source: each break fits, and each row says how it is
//! proved.
//!
//! This file knows the form of that list. It refuses to know whether a test fails at a break:
//! `tests/breaks/run` tries that.

use std::collections::BTreeMap;

use super::{DOCUMENT, Files, Row, declared_name, indentation};

pub(crate) const LIST: &str = "tests/breaks/breaks.txt";

/// What proves a row, the strongest first.
const PROOFS: [&str; 3] = ["break", "test", "reading"];

/// One entry of the list.
#[derive(Default)]
pub(crate) struct Entry<'a> {
    rows: Vec<&'a str>,
    path: &'a str,
    /// The lines that are replaced, without their indentation.
    old: Vec<&'a str>,
    new: Vec<&'a str>,
    /// Files and tests.
    tests: Vec<(&'a str, &'a str)>,
    /// What an entry without a break is proved by.
    proof: Option<&'a str>,
}

impl Entry<'_> {
    fn proof(&self) -> &str {
        self.proof.unwrap_or("break")
    }
}

pub(crate) fn read(list: &str) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for line in list.lines() {
        if let Some(rows) = line.strip_prefix("==") {
            entries.push(Entry { rows: rows.split_whitespace().collect(), ..Entry::default() });
        }
        let Some(entry) = entries.last_mut() else { continue };
        match (line.split_at_checked(1), line.split_once(' ')) {
            (Some(("-", old)), _) => entry.old.push(old.trim()),
            (Some(("+", new)), _) => entry.new.push(new.trim()),
            (_, Some(("in", path))) => entry.path = path,
            (_, Some(("by", test))) => entry.tests.extend(test.split_once(' ')),
            (_, Some((proof, _))) => entry.proof = proof.strip_suffix(':').or(entry.proof),
            _ => {}
        }
    }
    entries
}

/// Everything that is wrong with the list, or with what the rows say of it.
pub(crate) fn complaints(document: &str, rows: &[Row<'_>], list: &str, files: &Files) -> Vec<String> {
    let entries = read(list);
    let mut complaints = Vec::new();
    for entry in &entries {
        complaints.extend(judge_entry(entry, rows, files));
    }
    let mut counts = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_of_a_sentence()) {
        let proofs: Vec<&str> =
            entries.iter().filter(|entry| entry.rows.contains(&row.id)).map(Entry::proof).collect();
        complaints.extend(judge_row(row, &proofs));
        *counts.entry(row.proof()).or_insert(0) += 1;
    }
    let head = head(&counts);
    if !document.contains(&head) {
        complaints
            .push(format!("{DOCUMENT}: the head counts otherwise than the rows; it should say: {head}"));
    }
    complaints
}

/// What the table's head has to say.
fn head(counts: &BTreeMap<&str, usize>) -> String {
    let [by_break, by_test, by_reading] = PROOFS.map(|it| counts.get(it).copied().unwrap_or_default());
    let all = by_break + by_test + by_reading;
    format!(
        "{all} rows bind a server: {by_break} are proved by a break, {by_test} by a test, {by_reading} by reading."
    )
}

fn judge_row(row: &Row<'_>, proofs: &[&str]) -> Option<String> {
    let id = row.id;
    let binds = matches!(row.binds(), "server" | "both");
    let strongest = PROOFS.into_iter().find(|it| proofs.contains(it));
    let says = match (binds, strongest) {
        (true, None) => {
            return Some(format!("{LIST}: {id} binds a server and is not there; write a break for it"));
        }
        (false, Some(_)) => return Some(format!("{LIST}: {id} binds no server; take it out")),
        (_, proof) => proof.unwrap_or("—"),
    };
    (row.proof() != says).then(|| format!("{DOCUMENT}: {id} is proved by {:?}; say {says:?}", row.proof()))
}

fn judge_entry(entry: &Entry<'_>, rows: &[Row<'_>], files: &Files) -> Vec<String> {
    let name = entry.rows.join(" ");
    let mut complaints = Vec::new();
    let mut complain = |what: String| complaints.push(format!("{LIST}: {name} {what}"));
    for id in entry.rows.iter().filter(|id| rows.iter().all(|row| row.id != **id)) {
        complain(format!("names {id}, which is no row of {DOCUMENT}"));
    }
    if entry.proof.is_some() {
        return complaints;
    }
    let source = files.get(entry.path).map(String::as_str).unwrap_or_default();
    let places = places(source, &entry.old);
    let [place] = places[..] else {
        complain(format!(
            "does not fit: {} has {} of {:?}; it needs one",
            entry.path,
            places.len(),
            entry.old
        ));
        return complaints;
    };
    if entry.old == entry.new {
        complain("changes nothing".to_owned());
    }
    if entry.tests.is_empty() {
        complain("names no test that fails".to_owned());
    }
    let item = item_around(source, place);
    for row in rows.iter().filter(|row| entry.rows.contains(&row.id)) {
        if !row.functions().iter().any(|it| it.path == entry.path && last_part(it.name) == item) {
            complain(format!(
                "breaks `{item}` of {}, which {} does not name; name it there",
                entry.path, row.id
            ));
        }
        for (path, test) in &entry.tests {
            if !row.tests().iter().any(|it| it.path == *path && it.name == *test) {
                complain(format!(
                    "is noticed by `{test}` of {path}, which {} does not name; name it there",
                    row.id
                ));
            }
        }
    }
    complaints
}

/// The numbers of the lines where these lines begin.
fn places(source: &str, wanted: &[&str]) -> Vec<usize> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    lines.windows(wanted.len().max(1)).enumerate().filter(|(_, it)| *it == wanted).map(|(at, _)| at).collect()
}

/// The name of the function or constant that a line belongs to.
fn item_around(source: &str, place: usize) -> &str {
    let before = source.lines().take(place + 1).collect::<Vec<_>>().into_iter().rev();
    before
        .filter(|line| indentation(line) <= 4)
        .find(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_const = |at: usize| {
                words.get(at) == Some(&"const") && words.get(at + 1).is_some_and(|it| it.ends_with(':'))
            };
            words.iter().take(3).any(|it| matches!(*it, "fn" | "enum" | "struct"))
                || is_const(0)
                || is_const(1)
        })
        .map(declared_name)
        .unwrap_or_default()
}

fn last_part(item: &str) -> &str {
    item.rsplit("::").next().unwrap_or_default()
}

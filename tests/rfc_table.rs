//! `docs/rfc6455.md` checked against the RFC's sentences, the source and the tests: what the table names must
//! exist.
//!
//! This file knows how the table, the list of sentences and a Rust file that rustfmt has laid out are read.
//! It refuses to know the RFC: `rfc6455-sentences.txt` lists its sentences. Whether a row is true is for its
//! reader to judge, and for `breaks/run`, which breaks the rule of a row and wants its test to fail.

#[path = "breaks/check.rs"]
mod breaks;
#[path = "rfc_table/documents.rs"]
mod documents;
#[path = "rfc_table/rfc7692.rs"]
mod rfc7692;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const DOCUMENT: &str = "docs/rfc6455.md";
const LIST: &str = "tests/rfc6455-sentences.txt";

/// How many sentences with a keyword the RFC has.
const SENTENCES: usize = 197;

/// The key words of §2; the longer ones first, so that the first that fits is meant.
const KEYWORDS: [&str; 11] = [
    "MUST NOT",
    "MUST",
    "SHALL NOT",
    "SHALL",
    "SHOULD NOT",
    "SHOULD",
    "NOT RECOMMENDED",
    "RECOMMENDED",
    "REQUIRED",
    "MAY",
    "OPTIONAL",
];

/// Rust files with their texts, by paths as `src/main.rs`.
type Files = BTreeMap<String, String>;

/// One sentence of the list.
struct Sentence<'a> {
    id: &'a str,
    section: &'a str,
    keywords: Vec<&'a str>,
    hash: &'a str,
}

/// One row of the document: of the tables, or of the last one, which has sections without sentences.
struct Row<'a> {
    id: &'a str,
    /// The section of the heading above it.
    heading: &'a str,
    cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// The cell at this place; a row that is too short has empty ones.
    fn cell(&self, at: usize) -> &'a str {
        self.cells.get(at).copied().unwrap_or_default()
    }

    /// The section that its id names.
    fn section(&self) -> &'a str {
        let id = self.id.strip_prefix('s').unwrap_or(self.id);
        id.split('-').next().unwrap_or_default()
    }

    fn is_of_a_sentence(&self) -> bool {
        self.id.contains('-')
    }

    fn sentence(&self) -> &'a str {
        self.cell(1)
    }

    fn binds(&self) -> &'a str {
        self.cell(2)
    }

    fn answer(&self) -> &'a str {
        self.cell(3)
    }

    fn functions(&self) -> Vec<Named<'a>> {
        named_in(self.cell(4))
    }

    fn tests(&self) -> Vec<Named<'a>> {
        named_in(self.cell(5))
    }

    /// What proves it: a break, a test or reading; a dash if it binds no server.
    fn proof(&self) -> &'a str {
        self.cell(6)
    }
}

/// An item and the file that has it: ``[`Item`](../path)``.
struct Named<'a> {
    name: &'a str,
    path: &'a str,
}

// --- Reading ---------------------------------------------------------------------------------------------

fn read_list(list: &str) -> Vec<Sentence<'_>> {
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.split("  ");
            let mut field = || fields.next().unwrap_or_default();
            Sentence { id: field(), section: field(), keywords: field().split(',').collect(), hash: field() }
        })
        .collect()
}

fn read_rows(document: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut heading = "";
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.strip_prefix('§').and_then(|it| it.split(' ').next()).unwrap_or_default();
        } else if let Some(row) = line.strip_prefix("| <a id=\"") {
            let id = row.split('"').next().unwrap_or_default();
            let cells = line.trim_matches('|').split('|').map(str::trim).collect();
            rows.push(Row { id, heading, cells });
        }
    }
    rows
}

/// The items of a cell, which are links with code for their text.
fn named_in(cell: &str) -> Vec<Named<'_>> {
    cell.split("[`")
        .skip(1)
        .filter_map(|link| {
            let (name, rest) = link.split_once("`](../")?;
            let (path, _) = rest.split_once(')')?;
            Some(Named { name, path })
        })
        .collect()
}

/// The keywords of a sentence in their order.
fn keywords_of(sentence: &str) -> Vec<&'static str> {
    let mut keywords = Vec::new();
    let mut rest = sentence;
    while let Some(at) = rest.find(|it: char| it.is_ascii_uppercase()) {
        rest = &rest[at..];
        let is_whole =
            |word: &&&str| rest[word.len()..].chars().next().is_none_or(|it| !it.is_alphanumeric());
        let found = KEYWORDS.iter().filter(|word| rest.starts_with(**word)).find(is_whole);
        keywords.extend(found);
        let word = rest.find(|it: char| !it.is_alphanumeric()).unwrap_or(rest.len());
        rest = &rest[found.map_or(word, |it| it.len())..];
    }
    keywords
}

/// The sections of RFC 6455 that a text cites as `§5.4`; with `RFC 9112` before it a section is that one's.
fn sections_in(text: &str) -> BTreeSet<&str> {
    text.match_indices('§')
        .filter(|(at, _)| {
            let mut words = text[..*at].split_whitespace().rev();
            let number = words.next().unwrap_or_default();
            let is_of_an_rfc = number.bytes().all(|it| it.is_ascii_digit())
                && words.next().is_some_and(|it| it.ends_with("RFC"));
            !is_of_an_rfc || number == "6455"
        })
        .map(|(at, sign)| {
            let rest = &text[at + sign.len()..];
            let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
            rest[..end].trim_end_matches('.')
        })
        .filter(|section| !section.is_empty())
        .collect()
}

/// Whether a file declares `item`, which is `name` or `Owner::name`: a function, a constant, a type, a field
/// or a variant. rustfmt has seen to it that items start their line and what belongs to them has four spaces.
fn declares(source: &str, item: &str) -> bool {
    let Some((owner, member)) = item.split_once("::") else {
        return source.lines().any(|line| !line.starts_with(' ') && declared_name(line) == item);
    };
    let mut is_inside = false;
    for line in source.lines().filter(|line| !line.is_empty()) {
        if !line.starts_with(' ') {
            is_inside = belongs_to(line, owner);
        } else if is_inside && indentation(line) == 4 && declared_name(line) == member {
            return true;
        }
    }
    false
}

/// Whether a block that starts with this line is that of the type or trait `owner`.
fn belongs_to(line: &str, owner: &str) -> bool {
    if !line.starts_with("impl") {
        return declared_name(line) == owner;
    }
    let subject = line.rsplit_once(" for ").map_or(line, |(_, subject)| subject);
    let subject = format!(" {subject}");
    subject.contains(&format!(" {owner} ")) || subject.contains(&format!(" {owner}<"))
}

/// The name that a line declares: after its visibility and `fn` or the like, or as its first word.
fn declared_name(line: &str) -> &str {
    let mut rest = line.trim_start();
    if let Some(restricted) = rest.strip_prefix("pub(") {
        rest = restricted.split_once(") ").map_or("", |(_, rest)| rest);
    }
    for word in ["pub ", "const ", "fn ", "static ", "struct ", "enum ", "trait ", "type "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let end = rest.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(rest.len());
    &rest[..end]
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a file has a test of this name that runs.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let start = format!("fn {name}(");
    (0..lines.len()).filter(|&at| lines[at].starts_with(&start)).any(|at| {
        let attributes = || lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        attributes().any(|it| *it == "#[test]") && !attributes().any(|it| it.starts_with("#[ignore"))
    })
}

// --- Judging ---------------------------------------------------------------------------------------------

/// Everything that is wrong, each with what to do about it.
fn complaints(document: &str, list: &str, files: &Files) -> Vec<String> {
    let rows = read_rows(document);
    let sentences = read_list(list);
    let mut complaints = Vec::new();
    complaints.extend(judge_list(&sentences));
    complaints.extend(judge_ids(&rows));
    complaints.extend(judge_sections(document, &sentences));
    complaints.extend(judge_sentences(&rows, &sentences));
    for row in rows.iter().filter(|row| row.is_of_a_sentence()) {
        complaints.extend(judge_form(row));
        complaints.extend(judge_names(row, files));
    }
    complaints.extend(judge_citations(document, &rows, files));
    complaints.extend(judge_links(document));
    complaints
}

/// The sentences of each section are counted from 1 on, and each has its hash.
fn judge_list(sentences: &[Sentence<'_>]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut count = BTreeMap::new();
    for Sentence { id, section, keywords, hash } in sentences {
        let number = count.entry(section).and_modify(|it| *it += 1).or_insert(1);
        let is_hash = hash.len() == 16 && hash.bytes().all(|it| it.is_ascii_hexdigit());
        if *id != format!("s{section}-{number}")
            || keywords.iter().any(|it| !KEYWORDS.contains(it))
            || !is_hash
        {
            complaints
                .push(format!("{LIST}: {id} is not what the script writes; make the list anew with it"));
        }
    }
    complaints
}

fn judge_ids(rows: &[Row<'_>]) -> Vec<String> {
    let mut known = BTreeSet::new();
    let doubled = rows.iter().map(|row| row.id).filter(|id| !known.insert(*id));
    doubled.map(|id| format!("{DOCUMENT}: {id} stands there twice; remove one")).collect()
}

/// Every section can be linked to.
fn judge_sections(document: &str, sentences: &[Sentence<'_>]) -> Vec<String> {
    let sections: BTreeSet<&str> = sentences.iter().map(|it| it.section).collect();
    sections
        .into_iter()
        .map(|section| format!("<a id=\"s{section}\"></a>\n\n## §{section} "))
        .filter(|heading| document.matches(heading).count() != 1)
        .map(|heading| {
            format!("{DOCUMENT}: a heading is missing or stands there twice: {heading:?}; write it once")
        })
        .collect()
}

/// Every sentence has its row, with its keywords, under its section and in the order of the RFC.
fn judge_sentences(rows: &[Row<'_>], sentences: &[Sentence<'_>]) -> Vec<String> {
    let mut complaints = Vec::new();
    for sentence in sentences {
        let Sentence { id, section, keywords, .. } = sentence;
        let Some(row) = rows.iter().find(|row| row.id == *id) else {
            complaints.push(format!("{DOCUMENT}: {id} has no row; {} in §{section}", keywords.join(", ")));
            continue;
        };
        if row.heading != *section {
            complaints.push(format!("{DOCUMENT}: {id} stands under §{}; move it to §{section}", row.heading));
        }
        let found = keywords_of(row.sentence());
        if found != *keywords {
            complaints.push(format!(
                "{DOCUMENT}: the sentence of {id} has the keywords {}, its row has {}; say it with the RFC's",
                keywords.join(", "),
                found.join(", ")
            ));
        }
    }
    let of_sentences = || rows.iter().filter(|row| row.is_of_a_sentence());
    for row in of_sentences().filter(|row| !sentences.iter().any(|it| it.id == row.id)) {
        complaints.push(format!("{DOCUMENT}: {} is no sentence of {LIST}; remove the row", row.id));
    }
    if complaints.is_empty() && !of_sentences().map(|row| row.id).eq(sentences.iter().map(|it| it.id)) {
        complaints.push(format!("{DOCUMENT}: the rows are in another order than in {LIST}; sort them"));
    }
    complaints
}

/// What a row must say depends on which side the sentence binds.
fn judge_form(row: &Row<'_>) -> Vec<String> {
    let id = row.id;
    let mut complaints = Vec::new();
    let mut complain = |what: &str| complaints.push(format!("{DOCUMENT}: {id} {what}"));
    if row.cells.len() != 7 || row.cells.iter().any(|cell| cell.is_empty()) {
        complain("has not seven cells; an empty one is written as —, and none may contain a |");
    }
    let (functions, tests) = (row.functions().len(), row.tests().len());
    match row.binds() {
        "server" | "both" => {
            if functions == 0 {
                complain("binds a server and names no function; name the one that does it");
            }
            if tests == 0 {
                complain("binds a server and names no test; write one and name it");
            }
        }
        "client" | "others" => {
            if !row.answer().starts_with("does not bind a server") {
                complain("binds no server and must say so: \"does not bind a server: …\"");
            }
            if (functions == 0) != (tests == 0) {
                complain("names a function without a test or a test without a function; name both");
            }
        }
        other => complain(&format!("binds {other:?}; say server, client, both or others")),
    }
    complaints
}

/// Every function and every test that a row names is there.
fn judge_names(row: &Row<'_>, files: &Files) -> Vec<String> {
    let id = row.id;
    let mut complaints = Vec::new();
    let mut look = |named: &Named<'_>, is_there: fn(&str, &str) -> bool, what: &str| {
        let Named { name, path } = named;
        match files.get(*path) {
            None => complaints.push(format!("{DOCUMENT}: {id} links {path}, which is not there; link the file of `{name}`")),
            Some(source) if !is_there(source, name) => complaints.push(format!(
                "{DOCUMENT}: {id} names `{name}`, and {path} has no such {what}; name the one that there is now"
            )),
            Some(_) => {}
        }
    };
    for function in row.functions() {
        look(&function, declares, "item");
    }
    for test in row.tests() {
        look(&test, has_test, "test");
    }
    complaints
}

/// Every section that the source cites has a row, and every deviation that it confesses is listed on top.
fn judge_citations(document: &str, rows: &[Row<'_>], files: &Files) -> Vec<String> {
    let have: BTreeSet<&str> = rows.iter().map(Row::section).collect();
    let listed = document.split("## Deviations").nth(1).and_then(|it| it.split("\n## ").next());
    let deviations = sections_in(listed.unwrap_or_default());
    let mut complaints = Vec::new();
    for (path, source) in files.iter().filter(|(path, _)| path.starts_with("src/")) {
        for section in sections_in(source).difference(&have) {
            complaints.push(format!(
                "{path}: §{section} has no row in {DOCUMENT}; correct it, or add it to the table of sections without \
                 a keyword"
            ));
        }
        let confessed = source.match_indices("Deviation from ").map(|(at, it)| &source[at + it.len()..]);
        for section in confessed.flat_map(|text| sections_in(text.split(':').next().unwrap_or_default())) {
            if !deviations.contains(section) {
                complaints.push(format!(
                    "{path}: the deviation from §{section} is not among the deviations of {DOCUMENT}; list it there"
                ));
            }
        }
    }
    complaints
}

/// Every link to a place in the document finds it.
fn judge_links(document: &str) -> Vec<String> {
    let targets = document.split("](#").skip(1).filter_map(|it| it.split(')').next());
    targets
        .filter(|target| !document.contains(&format!("<a id=\"{target}\"></a>")))
        .map(|target| format!("{DOCUMENT}: nothing has the id {target}; correct the link"))
        .collect()
}

// --- The document itself ---------------------------------------------------------------------------------

/// All Rust files below `src/` and `tests/`.
fn rust_files() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Files::new();
    let mut directories = vec![root.join("src"), root.join("tests")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}

#[test]
fn every_sentence_of_the_rfc_has_a_row_a_function_and_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join(DOCUMENT)).unwrap();
    let list = fs::read_to_string(root.join(LIST)).unwrap();
    assert_eq!(read_list(&list).len(), SENTENCES, "make {LIST} anew with the script beside it");
    let complaints = complaints(&document, &list, &rust_files());
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_row_that_binds_a_server_says_what_proves_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join(DOCUMENT)).unwrap();
    let list = fs::read_to_string(root.join(breaks::LIST)).unwrap();
    let complaints = breaks::complaints(&document, &read_rows(&document), &list, &rust_files());
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

// --- What is looked for is found -------------------------------------------------------------------------

const SOUND_DOCUMENT: &str = r#"# A table

## Deviations

1. <a id="d1"></a>**Pings of the dead** (§5.5.2), see [s5.1-1](#s5.1-1).

2 rows bind a server: 1 are proved by a break, 0 by a test, 1 by reading.

<a id="s5.1"></a>

## §5.1 Overview

| § | the RFC says | binds | wirehook | function | test | proof |
|---|---|---|---|---|---|---|
| <a id="s5.1-1"></a>[§5.1-1](#s5.1-1) | a client MUST mask | client | does not bind a server: no | — | — | — |
| <a id="s5.1-2"></a>[§5.1-2](#s5.1-2) | it MUST close, and SHOULD NOT wait | server | 1002 | [`Receiver::judge`](../src/receiver.rs)<br>[`LIMIT`](../src/receiver.rs) | [`it_closes`](../tests/masking.rs) | break |

<a id="s5.5.2"></a>

## §5.5.2 Ping

| § | the RFC says | binds | wirehook | function | test | proof |
|---|---|---|---|---|---|---|
| <a id="s5.5.2-1"></a>[§5.5.2-1](#s5.5.2-1) | a Ping MAY come | both | [taken](#d1) | [`Event::Ping`](../src/receiver.rs) | [`it_answers`](../tests/masking.rs) | reading |

## Sections without a keyword that the source cites

| § | what stands there |
|---|---|
| <a id="s7.1.4"></a>[§7.1.4](#s7.1.4) | words |
"#;

const SOUND_LIST: &str = "# id, section, keywords, hash\n\
    s5.1-1  5.1  MUST  0000000000000001\n\
    s5.1-2  5.1  MUST,SHOULD NOT  0000000000000002\n\
    s5.5.2-1  5.5.2  MAY  0000000000000003\n";

const SOUND_SOURCE: &str = "//! §5.1 Not that (RFC 9112 §2.2), but that of RFC 6455 §7.1.4.\n\
    const LIMIT: usize = 1;\n\
    \n\
    pub enum Event {\n    Ping(u8),\n}\n\
    \n\
    impl<'a> Receiver<'a> {\n    fn judge(&self) {\n        // Deviation from §5.5.2: none.\n    }\n}\n";

const SOUND_BREAKS: &str = "# a list\n\n== s5.1-2\nin src/receiver.rs\n- // Deviation from §5.5.2: none.\n- }\n\
    + }\nby tests/masking.rs it_closes\n\n== s5.5.2-1\nreading: it only allows something\n";

const SOUND_TESTS: &str = "#[test]\nfn it_closes() {}\n\n#[test]\n#[cfg(unix)]\nfn it_answers() {}\n";

fn sound_files() -> Files {
    [("src/receiver.rs", SOUND_SOURCE), ("tests/masking.rs", SOUND_TESTS)]
        .map(|(path, source)| (path.to_string(), source.to_string()))
        .into()
}

/// What is complained about after `part` became `replacement` in the document.
#[track_caller]
fn after_change(part: &str, replacement: &str) -> String {
    assert_eq!(SOUND_DOCUMENT.matches(part).count(), 1, "{part}");
    complaints(&SOUND_DOCUMENT.replace(part, replacement), SOUND_LIST, &sound_files()).join("\n")
}

/// The same for one of the files.
#[track_caller]
fn after_change_in(path: &str, part: &str, replacement: &str) -> String {
    let mut files = sound_files();
    let source = files.get_mut(path).unwrap();
    assert_eq!(source.matches(part).count(), 1, "{part}");
    *source = source.replace(part, replacement);
    complaints(SOUND_DOCUMENT, SOUND_LIST, &files).join("\n")
}

#[test]
fn nothing_is_said_against_a_sound_table() {
    assert_eq!(complaints(SOUND_DOCUMENT, SOUND_LIST, &sound_files()), [""; 0]);
}

#[test]
fn a_function_that_is_missing_is_found() {
    for (part, replacement) in
        [("fn judge", "fn judged"), ("<'a> Receiver<'a>", " Sender"), ("fn judge", "    fn judge")]
    {
        let found = after_change_in("src/receiver.rs", part, replacement);
        assert!(
            found.contains("s5.1-2 names `Receiver::judge`, and src/receiver.rs has no such item"),
            "{found}"
        );
    }
    let found = after_change_in("src/receiver.rs", "const LIMIT", "// const LIMIT");
    assert!(found.contains("s5.1-2 names `LIMIT`"), "{found}");
    let found = after_change_in("src/receiver.rs", "Ping(u8)", "Pong(u8)");
    assert!(found.contains("s5.5.2-1 names `Event::Ping`"), "{found}");
    let found = after_change("[`Event::Ping`](../src/receiver.rs)", "[`Event::Ping`](../src/event.rs)");
    assert!(found.contains("s5.5.2-1 links src/event.rs, which is not there"), "{found}");
    let found = after_change("[`Event::Ping`](../src/receiver.rs)", "—");
    assert!(found.contains("s5.5.2-1 binds a server and names no function"), "{found}");
}

#[test]
fn a_test_that_is_missing_is_found() {
    for (part, replacement) in [
        ("fn it_closes()", "fn it_closed()"),
        ("#[test]\nfn it_closes", "fn it_closes"),
        ("#[test]\nfn it_closes", "#[test]\n#[ignore]\nfn it_closes"),
    ] {
        let found = after_change_in("tests/masking.rs", part, replacement);
        assert!(found.contains("s5.1-2 names `it_closes`, and tests/masking.rs has no such test"), "{found}");
    }
    let found = after_change("[`it_answers`](../tests/masking.rs)", "—");
    assert!(found.contains("s5.5.2-1 binds a server and names no test"), "{found}");
    let found = after_change("no | — |", "no | [`LIMIT`](../src/receiver.rs) |");
    assert!(found.contains("s5.1-1 names a function without a test"), "{found}");
}

#[test]
fn a_row_that_is_missing_or_wrong_is_found() {
    let row = SOUND_DOCUMENT.lines().find(|it| it.contains("a client MUST mask")).unwrap();
    let found = after_change(&format!("{row}\n"), "");
    assert!(found.contains("s5.1-1 has no row; MUST in §5.1"), "{found}");
    let found = after_change("<a id=\"s5.1\"></a>", "");
    assert!(found.contains("a heading is missing"), "{found}");
    let found = after_change(row, &format!("{row}\n{row}"));
    assert!(found.contains("5.1-1 stands there twice"), "{found}");
    let moved = SOUND_DOCUMENT
        .replace(&format!("{row}\n"), "")
        .replace("|\n\n## Sections", &format!("|\n{row}\n\n## Sections"));
    let found = complaints(&moved, SOUND_LIST, &sound_files()).join("\n");
    assert!(found.contains("s5.1-1 stands under §5.5.2; move it to §5.1"), "{found}");
    let other = SOUND_DOCUMENT.lines().find(|it| it.contains("it MUST close")).unwrap();
    let found = after_change(&format!("{row}\n{other}"), &format!("{other}\n{row}"));
    assert!(found.contains("the rows are in another order"), "{found}");
    let found = after_change("<a id=\"s5.1-2\">", "<a id=\"s5.1-3\">");
    assert!(found.contains("s5.1-2 has no row") && found.contains("s5.1-3 is no sentence"), "{found}");
    let found = after_change("SHOULD NOT wait", "SHOULD wait");
    assert!(found.contains("s5.1-2 has the keywords MUST, SHOULD NOT, its row has MUST, SHOULD;"), "{found}");
    let found = after_change("| both |", "| everybody |");
    assert!(found.contains("s5.5.2-1 binds \"everybody\""), "{found}");
    let found = after_change("does not bind a server: no", "no");
    assert!(found.contains("s5.1-1 binds no server and must say so"), "{found}");
    let found = after_change("| 1002 |", "| 1002 | or 1003 |");
    assert!(found.contains("s5.1-2 has not seven cells"), "{found}");
}

#[test]
fn a_list_that_was_changed_by_hand_is_found() {
    for (part, replacement) in [
        ("s5.1-1  5.1  MUST  0000000000000001\n", ""),
        ("0000000000000002", "2"),
        ("s5.5.2-1", "s5.5.2-2"),
        ("  MAY  ", "  CAN  "),
        ("s5.1-2", "s5.1-1"),
    ] {
        let found =
            complaints(SOUND_DOCUMENT, &SOUND_LIST.replace(part, replacement), &sound_files()).join("\n");
        assert!(found.contains("is not what the script writes"), "{part}: {found}");
    }
}

#[test]
fn a_citation_without_a_row_is_found() {
    for (part, replacement, section) in
        [("§7.1.4", "§7.1.5", "7.1.5"), ("§5.1 Not", "§5.9, not", "5.9"), ("(RFC 9112 §2.2)", "§2.2.", "2.2")]
    {
        let found = after_change_in("src/receiver.rs", part, replacement);
        assert!(found.contains(&format!("src/receiver.rs: §{section} has no row")), "{found}");
    }
    let row = "| <a id=\"s7.1.4\"></a>[§7.1.4](#s7.1.4) | words |\n";
    assert!(after_change(row, "").contains("src/receiver.rs: §7.1.4 has no row"));
    let found = after_change("(§5.5.2), see", "(§5.5), see");
    assert!(found.contains("the deviation from §5.5.2 is not among the deviations"), "{found}");
    let found = after_change("[taken](#d1)", "[taken](#d2)");
    assert!(found.contains("nothing has the id d2"), "{found}");
}

#[test]
fn a_break_that_does_not_fit_is_found() {
    let judge = |document: &str, list: &str| {
        breaks::complaints(document, &read_rows(document), list, &sound_files()).join("\n")
    };
    assert_eq!(judge(SOUND_DOCUMENT, SOUND_BREAKS), "");
    for (part, replacement, complaint) in [
        ("== s5.1-2", "== s5.1-1", "s5.1-1 binds no server; take it out"),
        ("== s5.1-2", "== s5.1-1", "s5.1-2 binds a server and is not there"),
        ("== s5.1-2", "== s5.1-2 s5.1-9", "names s5.1-9, which is no row"),
        ("none.", "two.", "does not fit: src/receiver.rs has 0 of"),
        ("- // Deviation from §5.5.2: none.\n- }", "- }", "does not fit: src/receiver.rs has 3 of"),
        ("+ }", "+ // Deviation from §5.5.2: none.\n+ }", "changes nothing"),
        ("by tests/masking.rs it_closes\n", "", "names no test that fails"),
        (
            "it_closes",
            "it_answers",
            "is noticed by `it_answers` of tests/masking.rs, which s5.1-2 does not name",
        ),
        ("- // Deviation from §5.5.2: none.\n- }", "- const LIMIT: usize = 1;", ""),
        ("- // Deviation from §5.5.2: none.\n- }", "- Ping(u8),", "breaks `Event` of src/receiver.rs"),
        ("reading: it", "test: it", "s5.5.2-1 is proved by \"reading\"; say \"test\""),
    ] {
        assert_eq!(SOUND_BREAKS.matches(part).count(), 1, "{part}");
        let found = judge(SOUND_DOCUMENT, &SOUND_BREAKS.replace(part, replacement));
        assert!(found.contains(complaint) && found.is_empty() == complaint.is_empty(), "{part}: {found}");
    }
    let found = judge(&SOUND_DOCUMENT.replace("| break |", "| test |"), SOUND_BREAKS);
    assert!(found.contains("s5.1-2 is proved by \"test\"; say \"break\""), "{found}");
    let found = judge(&SOUND_DOCUMENT.replace("1 by reading", "2 by reading"), SOUND_BREAKS);
    assert!(found.contains("the head counts otherwise than the rows; it should say: 2 rows bind"), "{found}");
}

#[test]
fn keywords_are_words_of_their_own() {
    for (sentence, keywords) in [
        ("a client MUST NOT mask, and MUST stay", &["MUST NOT", "MUST"][..]),
        ("it SHOULD; it MAY.", &["SHOULD", "MAY"]),
        ("MUSTARD in a DISMAY is NOT RECOMMENDED", &["NOT RECOMMENDED"]),
        (
            "RECOMMENDED, REQUIRED and OPTIONAL; SHALL NOT, SHALL",
            &["RECOMMENDED", "REQUIRED", "OPTIONAL", "SHALL NOT", "SHALL"],
        ),
        ("it must not, may and should", &[]),
        ("Ünlike TLS it MAY", &["MAY"]),
    ] {
        assert_eq!(keywords_of(sentence), keywords, "{sentence}");
    }
}

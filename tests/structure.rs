//! The rules of the house that no compiler checks: which files may name what, and what no file may contain.
//!
//! This file knows how to look at Rust without its comments and strings, so that a comment may
//! name what the code may not. It refuses to know why: `docs/architecture.md` has the reasons.

use std::{fs, path::Path};

/// `source` with a space for every character of a comment or of a literal, so that only code is left, each
/// line where it was.
fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let len = literal_or_comment_len(rest, code.chars().next_back());
        if len == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..len].chars().map(|it| if it == '\n' { '\n' } else { ' ' }));
            rest = &rest[len..];
        }
    }
    code
}

/// How long the comment or literal is that `source` starts with; 0 if it starts with code.
fn literal_or_comment_len(source: &str, before: Option<char>) -> usize {
    let until = |end: &str| source.find(end).map_or(source.len(), |at| at + end.len());
    if source.starts_with("//") {
        return source.find('\n').unwrap_or(source.len());
    }
    if source.starts_with("/*") {
        return until("*/");
    }
    if let Some(rest) = source.strip_prefix('"') {
        return 1 + quoted_len(rest, '"');
    }
    if let Some(rest) = source.strip_prefix('\'') {
        let mut chars = rest.chars();
        return match (chars.next(), chars.next()) {
            (Some('\\'), _) => 1 + quoted_len(rest, '\''),
            (Some(literal), Some('\'')) => literal.len_utf8() + 2,
            // A lifetime.
            _ => 0,
        };
    }
    let is_in_word = before.is_some_and(|it| is_word(it) && it != 'b');
    if source.starts_with('r') && !is_in_word {
        let hashes = source[1..].bytes().take_while(|&it| it == b'#').count();
        if source[1 + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = 1 + hashes + 1;
            return source[start..].find(&end).map_or(source.len(), |at| start + at + end.len());
        }
    }
    0
}

/// The length up to and with the quote that ends `source`; a backslash hides the character after it.
fn quoted_len(source: &str, quote: char) -> usize {
    let mut chars = source.char_indices();
    while let Some((at, it)) = chars.next() {
        if it == '\\' {
            chars.next();
        } else if it == quote {
            return at + it.len_utf8();
        }
    }
    source.len()
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

/// The numbers of the lines whose code has one of `names`, as a word of its own where it starts or ends with
/// one.
fn lines_with(source: &str, names: &[&str]) -> Vec<usize> {
    (1..)
        .zip(code_of(source).lines())
        .filter(|(_, line)| names.iter().any(|it| has_words(line, it)))
        .map(|(at, _)| at)
        .collect()
}

/// Whether `line` has `words`, as words of their own where they start or end with one.
fn has_words(line: &str, words: &str) -> bool {
    line.match_indices(words).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_word);
        let after = line[at + words.len()..].chars().next().is_some_and(is_word);
        !(before && words.starts_with(is_word) || after && words.ends_with(is_word))
    })
}

/// All Rust files below `directory` with their texts, by paths as `src/main.rs`.
fn sources(directory: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut directories = vec![root.join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("target") {
                // What a build makes is not ours.
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "there is something to look at");
    found.sort();
    found
}

/// Fails with every place below `src/` outside of `allowed` whose code has one of `names`.
#[track_caller]
fn check_only_in(allowed: &[&str], names: &[&str]) {
    let places: Vec<String> = sources("src")
        .iter()
        .filter(|(path, _)| !allowed.iter().any(|it| path.starts_with(it)))
        .flat_map(|(path, source)| {
            lines_with(source, names).into_iter().map(move |line| format!("{path}:{line}"))
        })
        .collect();
    assert!(places.is_empty(), "one of {names:?} outside of {allowed:?}:\n{}", places.join("\n"));
}

/// The modules and macros that do I/O, read the time or log; `use std::{io, mem}` has to be found too, hence
/// the bare words.
const OUTSIDE_WORLD: [&str; 12] =
    ["io", "net", "time", "fs", "thread", "process", "env", "mio", "log", "println!", "eprintln!", "dbg!"];

#[test]
fn protocol_knows_no_sockets_clocks_or_logs() {
    let places: Vec<String> = sources("src/protocol")
        .iter()
        .flat_map(|(path, source)| {
            lines_with(source, &OUTSIDE_WORLD).into_iter().map(move |line| format!("{path}:{line}"))
        })
        .collect();
    assert!(places.is_empty(), "src/protocol is bytes in, events and bytes out:\n{}", places.join("\n"));
}

#[test]
fn explain_knows_the_protocol_and_nothing_else() {
    let places: Vec<String> = sources("src/explain")
        .iter()
        .flat_map(|(path, source)| {
            let lines = lines_with(source, &OUTSIDE_WORLD).into_iter().chain(lines_beyond_protocol(source));
            lines.map(move |line| format!("{path}:{line}"))
        })
        .collect();
    assert!(places.is_empty(), "src/explain is bytes in, words out:\n{}", places.join("\n"));
}

/// The numbers of the lines that name a part of the crate other than `protocol`.
fn lines_beyond_protocol(source: &str) -> Vec<usize> {
    let is_beyond = |line: &str| line.split("crate::").skip(1).any(|name| !name.starts_with("protocol::"));
    (1..).zip(code_of(source).lines()).filter(|(_, line)| is_beyond(line)).map(|(at, _)| at).collect()
}

#[test]
fn mio_is_named_only_by_the_transport() {
    check_only_in(&["src/transport/"], &["mio"]);
}

/// The parts of the crate that a folder may name besides itself: only what is below it.
const IMPORTS: [(&str, &[&str]); 3] = [
    ("transport", &["panics"]),
    ("hub", &["cause", "config", "connect", "entropy", "panics", "protocol", "stats", "trace", "transport"]),
    (
        "server",
        &[
            "cause",
            "config",
            "connect",
            "connections",
            "entropy",
            "handler",
            "hooks",
            "hub",
            "outgoing",
            "panics",
            "protocol",
            "router",
            "stats",
            "trace",
            "transport",
            "upgrade",
            "websocket",
        ],
    ),
];

#[test]
fn folders_import_only_what_is_below_them() {
    for (folder, below) in IMPORTS {
        let wrong: Vec<String> = sources(&format!("src/{folder}"))
            .iter()
            // The tests of the loop use the public API too.
            .filter(|(path, _)| !INNER_TESTS.iter().any(|it| path.starts_with(it)))
            .flat_map(|(path, source)| parts_named(source).into_iter().map(move |part| (path, part)))
            .filter(|(_, part)| part != folder && !below.contains(&part.as_str()))
            .map(|(path, part)| format!("{path}: {part}"))
            .collect();
        assert!(wrong.is_empty(), "src/{folder} imports only {below:?}:\n{}", wrong.join("\n"));
    }
}

/// The parts of the crate that a file names: `a` and `c` of `use crate::{a::b, c}`.
fn parts_named(source: &str) -> Vec<String> {
    let first_word = |it: &str| it.split(|it| !is_word(it)).next().unwrap_or_default().to_owned();
    let code = code_of(source);
    let mut parts = Vec::new();
    for (at, name) in code.match_indices("crate::") {
        let rest = &code[at + name.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            parts.push(first_word(rest));
            continue;
        };
        let (mut depth, mut is_start) = (0, true);
        for (at, it) in list.char_indices() {
            match it {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => is_start = true,
                _ if is_start && is_word(it) => {
                    parts.push(first_word(&list[at..]));
                    is_start = false;
                }
                _ => {}
            }
        }
    }
    parts
}

/// The files with methods of the hub, from the bottom. A method may call those of its own file and of the
/// files before it.
const HUB_LAYERS: [&str; 11] = [
    "table",
    "compression",
    "stages",
    "connecting",
    "writing",
    "closing",
    "opening",
    "sending",
    "broadcasting",
    "keepalive",
    "budget",
];

#[test]
fn calls_in_the_hub_go_down_only() {
    let methods = HUB_LAYERS.map(|layer| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/hub/{layer}.rs"));
        let code = code_of(&fs::read_to_string(path).unwrap());
        let (_, methods) = code.split_once("impl<S> Hub<S> {").unwrap();
        methods.to_owned()
    });
    let layer_of = |name: &str| methods.iter().position(|it| has_words(it, &format!("fn {name}")));
    for (layer, code) in methods.iter().enumerate() {
        for (at, _) in code.match_indices("self.") {
            let called: String = code[at + 5..].chars().take_while(|it| is_word(*it)).collect();
            let is_call = code[at + 5 + called.len()..].starts_with('(');
            if let Some(other) = layer_of(&called).filter(|other| is_call && *other > layer) {
                panic!(
                    "{}.rs calls {called} of {}.rs, which is above it",
                    HUB_LAYERS[layer], HUB_LAYERS[other]
                );
            }
        }
    }
}

#[test]
fn every_layer_of_the_hub_is_listed() {
    let with_methods =
        sources("src/hub").into_iter().filter(|(_, source)| source.contains("impl<S> Hub<S> {"));
    // A layer that is not compiled in has a file of the same methods in its place.
    let found: Vec<String> =
        with_methods.map(|(path, _)| path).filter(|it| !it.ends_with("/off.rs")).collect();
    let mut listed = HUB_LAYERS.map(|layer| format!("src/hub/{layer}.rs"));
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn imports_of_every_form_are_found() {
    let source = "use crate::{\n    a::{self, b},\n    c,\n    d::e,\n};\nuse crate::f::g;\n\
        // use crate::h;\npub(crate) fn i(it: crate::j::K) {}\n";
    assert_eq!(parts_named(source), ["a", "c", "d", "f", "j"]);
}

#[test]
fn http_and_hashes_are_named_only_by_the_handshake() {
    check_only_in(&["src/protocol/handshake/"], &["httparse", "sha1", "base64"]);
}

#[test]
fn outgoing_frames_have_one_encoder() {
    // A header comes from here or from `decode`; so nothing else can encode a frame of ours.
    check_only_in(
        &["src/protocol/frame.rs", "src/protocol/framing.rs"],
        &["FrameHeader::server", "FrameHeader {"],
    );
}

#[test]
fn nothing_is_unsafe() {
    check_only_in(&[], &["unsafe"]);
}

/// These need the inside of the crate and can't be in `tests/`.
const INNER_TESTS: [&str; 4] =
    ["src/server/simulator/", "src/server/tests/", "src/testing/", "src/transport/tests.rs"];

#[test]
fn nothing_panics_by_design() {
    check_only_in(&INNER_TESTS, &[".unwrap()", ".expect(", "panic!", "todo!", "unimplemented!", "dbg!"]);
}

#[test]
fn every_file_says_what_it_knows() {
    for (path, source) in sources("src") {
        assert!(says_what_it_knows(&source), "{path} must start with //!");
    }
}

fn says_what_it_knows(source: &str) -> bool {
    source.starts_with("//! ")
}

/// What the documentation of the library does not show.
const NOT_THE_BOOK: [&str; 3] = ["src/main.rs", "src/cli/", "src/fuzzing.rs"];

#[test]
fn every_public_item_has_an_example() {
    let missing: Vec<String> = sources("src")
        .iter()
        .filter(|(path, _)| !NOT_THE_BOOK.iter().any(|it| path.starts_with(it)))
        .flat_map(|(path, source)| {
            items_without_example(source).into_iter().map(move |name| format!("{path}: {name}"))
        })
        .collect();
    assert!(
        missing.is_empty(),
        "no example has or uses them, and they don't say \"Example: [`…`]\":\n{}",
        missing.join("\n")
    );
}

/// The public types, traits and functions of a file that have no example, that no other example in it uses,
/// and whose documentation doesn't say where there is one. The methods of a trait are left out: its
/// implementors are its examples; and so is what only a fuzzer's build has.
fn items_without_example(source: &str) -> Vec<&str> {
    let examples = examples_of(source);
    let (mut documentation, mut attributes) = (String::new(), String::new());
    let mut missing = Vec::new();
    for line in source.lines().map(str::trim_start) {
        // Attributes and comments between an item and its documentation belong to it.
        if line.starts_with("#[") || line.starts_with("//") {
            let kept = if line.starts_with("///") { &mut documentation } else { &mut attributes };
            kept.extend([line, "\n"]);
            continue;
        }
        if let Some(name) = public_name(line)
            && !attributes.contains("fuzzing")
            && examples_of(&documentation).is_empty()
            && lines_with(&examples, &[name]).is_empty()
            && !documentation.contains("Example")
        {
            missing.push(name);
        }
        documentation.clear();
        attributes.clear();
    }
    missing
}

/// The code of all examples in the documentation of a file; what is marked as something else than Rust is
/// none.
fn examples_of(source: &str) -> String {
    let mut examples = String::new();
    let mut block = None;
    for line in source.lines().map(str::trim_start) {
        let Some(text) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else { continue };
        match (text.trim().strip_prefix("```"), block) {
            (Some(language), None) => block = Some(language),
            (Some(_), Some(_)) => block = None,
            (None, Some("" | "no_run")) => examples.extend([text, "\n"]),
            (None, _) => {}
        }
    }
    examples
}

/// The name of the item that a line begins, if it is a public type, trait or function.
fn public_name(line: &str) -> Option<&str> {
    let kinds = ["pub fn ", "pub const fn ", "pub struct ", "pub enum ", "pub trait "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    rest.split(|it| !is_word(it)).next()
}

/// A test name is a sentence that fits on a line of a report; what does not fit is a comment above the test.
const LONGEST_NAME: usize = 60;

#[test]
fn test_names_have_at_most_60_letters() {
    for folder in ["bench", "examples", "fuzz", "src", "tests"] {
        for (path, source) in sources(folder) {
            assert_eq!(long_test_names(&source), [] as [&str; 0], "{path}: shorten them");
        }
    }
}

/// The names of the tests that are over [`LONGEST_NAME`].
fn long_test_names(source: &str) -> Vec<&str> {
    let mut is_test = false;
    let mut long = Vec::new();
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[") || line.starts_with("//") {
            is_test |= line == "#[test]";
            continue;
        }
        let name = line.strip_prefix("fn ").and_then(|rest| rest.split(|it| !is_word(it)).next());
        long.extend(name.filter(|it| is_test && it.len() > LONGEST_NAME));
        is_test = false;
    }
    long
}

/// Words whose sentence has no thing of the program for its subject, a number that is not named, or a picture
/// in place of the field's word.
const VAGUE_WORDS: [&str; 17] = [
    "whoever",
    "somebody",
    "nobody",
    "anybody",
    "everybody",
    "someone",
    "anyone",
    "those who",
    "held against",
    "is heard",
    "hears",
    "put aside",
    "stands in",
    "thrown away",
    "throws away",
    "so many bytes",
    "so many times",
];

#[test]
fn comments_name_the_things_that_act() {
    for folder in ["bench", "examples", "fuzz", "src", "tests"] {
        for (path, source) in sources(folder) {
            assert_eq!(vague_lines(&source), [0; 0], "{path} has {VAGUE_WORDS:?} in these lines");
        }
    }
}

/// The numbers of the lines that have one of [`VAGUE_WORDS`] in a comment.
fn vague_lines(source: &str) -> Vec<usize> {
    let is_vague = |line: &str| {
        let comment = line.split_once("//").map(|(_, comment)| comment.to_lowercase());
        comment.is_some_and(|comment| VAGUE_WORDS.iter().any(|words| has_words(&comment, words)))
    };
    (1..).zip(source.lines()).filter(|(_, line)| is_vague(line)).map(|(at, _)| at).collect()
}

/// The width of a line; rustfmt sees to code only.
const WIDEST_LINE: usize = 110;

#[test]
fn comments_have_at_most_110_columns() {
    for folder in ["bench", "examples", "fuzz", "src", "tests"] {
        for (path, source) in sources(folder) {
            assert_eq!(wide_comments(&source), [0; 0], "{path}: wrap them at {WIDEST_LINE} columns");
        }
    }
}

/// The numbers of the lines that are a comment of more than [`WIDEST_LINE`] columns. Examples and tables are
/// left out: they can't always be wrapped.
fn wide_comments(source: &str) -> Vec<usize> {
    let mut is_example = false;
    let mut wide = Vec::new();
    for (number, line) in (1..).zip(source.lines()) {
        let Some(comment) = line.trim_start().strip_prefix("//") else { continue };
        let comment = comment.trim_start_matches(['/', '!', ' ']);
        is_example ^= comment.starts_with("```");
        if line.chars().count() > WIDEST_LINE && !is_example && !comment.starts_with('|') {
            wide.push(number);
        }
    }
    wide
}

#[test]
fn wide_comments_are_found_outside_of_examples() {
    let long = "x".repeat(WIDEST_LINE);
    let source = format!(
        "/// {long}\n/// ```\n/// {long}\n/// ```\n// {long}\n/// | {long} |\nlet a = 1; // {long}\n"
    );
    assert_eq!(wide_comments(&source), [1, 5]);
}

#[test]
fn comments_and_literals_are_no_code() {
    for (source, code) in [
        ("a // b", "a     "),
        ("/// b.unwrap()\nc", "              \nc"),
        ("a /* b\nc */ d", "a     \n     d"),
        ("f(\"io\", x)", "f(    , x)"),
        ("\"http://a\" b", "           b"),
        (r#""\"io" io"#, "       io"),
        (r##"r#"a "io" b"# io"##, "              io"),
        ("br\"io\" io", "b      io"),
        ("b\"io\" io", "b     io"),
        ("'\"' io '\"'", "    io    "),
        (r"'\'' io", "     io"),
        (r"'\\' io '\n'", "     io     "),
        ("fn f<'a>(a: &'a str) -> &'static str", "fn f<'a>(a: &'a str) -> &'static str"),
        ("'§' io", "    io"),
        ("for r in 0..1", "for r in 0..1"),
        ("\"never ends", "           "),
    ] {
        assert_eq!(code_of(source).trim_end(), code.trim_end(), "{source}");
    }
}

#[test]
fn forbidden_code_is_found() {
    for bad in [
        "use std::io;",
        "use std::io::Read;",
        "use std::{io, mem};",
        "use std::{mem, net::TcpStream};",
        "let now = std::time::Instant::now();",
        "log::info!(\"hello\");",
        "mio::Poll::new()",
        "println!(\"hello\")",
        "f(\"//\"); use std::io;",
        "'a' => log::trace!(),",
    ] {
        assert_eq!(lines_with(&format!("//! Fine.\n\n{bad}\n"), &OUTSIDE_WORLD), [3], "{bad}");
    }
    for good in [
        "// use std::io;",
        "/// std::time says",
        "let io_count = audio + network + timeout;",
        "let logarithm = prologue;",
        "\"std::io\"",
        "f(b\"mio\", 'm', r\"log\")",
    ] {
        assert_eq!(lines_with(good, &OUTSIDE_WORLD), [] as [usize; 0], "{good}");
    }
    let beyond = "use crate::{hub, protocol};\nuse crate::protocol::Limits;\nuse crate::hub::ConnId;\n";
    assert_eq!(lines_beyond_protocol(beyond), [1, 3]);
    let panics = [".unwrap()", ".expect(", "panic!"];
    assert_eq!(lines_with("a.unwrap();\nb.expect(\"b\");\npanic!();\n", &panics), [1, 2, 3]);
    assert_eq!(lines_with("a.unwrap_or(b).expect_err(c);\n/// a.unwrap()\n", &panics), [] as [usize; 0]);
    assert_eq!(lines_with("fn f() {\n    unsafe { g() }\n}", &["unsafe"]), [2]);
    assert_eq!(lines_with("#![forbid(unsafe_code)]", &["unsafe"]), [] as [usize; 0]);
    assert!(
        says_what_it_knows("//! This file knows.\n") && !says_what_it_knows("use std::fmt;\n//! Late.\n")
    );
}

#[test]
fn items_without_an_example_are_found() {
    let source = "/// ```\n/// used(Used);\n/// ```\npub fn used(it: Used) {}\n\npub struct Used;\n\n\
        /// ```text\n/// missing\n/// ```\n#[inline]\npub const fn missing() {}\n\n\
        /// Example: [`used`].\n#[must_use]\npub fn elsewhere() {}\n\n\
        impl Used {\n    /// See used.\n    pub fn method() {}\n}\n\npub(crate) fn inside() {}\n\n\
        #[cfg(fuzzing)]\npub fn for_fuzzers() {}\n\n\
        /// ```\n/// let it = 1;\n/// ```\npub enum WithOne {}\n";
    assert_eq!(items_without_example(source), ["missing", "method"]);
}

#[test]
fn long_names_and_vague_words_are_found() {
    let long = "a".repeat(LONGEST_NAME + 1);
    let source = format!(
        "#[test]\nfn short() {{}}\n\nfn {long}x() {{}}\n\n    #[test]\n    #[cfg(unix)]\n    // Why.\n    \
         fn {long}() {{}}\n\n#[test]\nfn {}() {{}}\n",
        &long[1..]
    );
    assert_eq!(long_test_names(&source), [&long]);

    // Slashes here would make these lines comments.
    let source =
        "%/ Whoever asks.\nlet nobody = 1;\nf(); % held against it\n% Somebody's, and so many bytes\n\
        % nobodys, so many\n"
            .replace('%', "//");
    assert_eq!(vague_lines(&source), [1, 3, 4]);

    let fits = format!("    // {}", "§".repeat(WIDEST_LINE - 7));
    assert_eq!(wide_comments(&format!("{fits}\n{fits}.\nf({fits}.)\n")), [2]);
}

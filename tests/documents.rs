//! The documents that a reader meets first: each link leads to a file that is there and that the published
//! package contains, and the README says what the manifest says.
//!
//! This file knows Markdown's links, the headings that they name, and parts of Cargo's manifest. It refuses
//! to know the web: an absolute link is taken as it is.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A relative link: its document, the path from the root that it leads to, and the part of the page it names.
#[derive(Debug, PartialEq)]
struct Link {
    path: PathBuf,
    fragment: Option<String>,
}

fn read(path: &Path) -> String {
    fs::read_to_string(Path::new(ROOT).join(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents at the root and in `docs/`.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs"] {
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let path = Path::new(folder).join(entry.unwrap().file_name());
            if path.extension().is_some_and(|it| it == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The relative links of a document, those of pictures and of HTML too. Code holds none.
fn links_of(document: &Path, text: &str) -> Vec<Link> {
    let text = without_code(text);
    let targets = ["](", "href=\"", "src=\""].iter().flat_map(|start| {
        text.match_indices(start).map(|(at, _)| {
            let rest = &text[at + start.len()..];
            &rest[..rest.find([')', '"', ' ', '\n']).unwrap_or(rest.len())]
        })
    });
    let is_relative = |it: &&str| !it.contains("://") && !it.starts_with("mailto:");
    targets.filter(is_relative).map(|target| link(document, target)).collect()
}

/// What a link leads to.
fn link(document: &Path, target: &str) -> Link {
    let (path, fragment) = target.split_once('#').map_or((target, None), |(path, it)| (path, Some(it)));
    let path = if path.is_empty() { document.to_owned() } else { resolve(document, path) };
    Link { path, fragment: fragment.map(str::to_owned) }
}

/// The path from the root of what is beside a document; one that leaves the root stays as it is.
fn resolve(document: &Path, path: &str) -> PathBuf {
    let mut resolved = document.parent().unwrap_or_else(|| Path::new("")).to_owned();
    for component in Path::new(path).components() {
        if component != Component::ParentDir || !resolved.pop() {
            resolved.push(component);
        }
    }
    resolved
}

/// The text without fenced blocks and `spans` of code.
fn without_code(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    // A name in a link is a span, and its target is none: ``[`name`](path)``.
    lines.flat_map(|line| line.split('`').step_by(2).chain(["\n"])).collect()
}

/// The names that a link can give to parts of a page: headings as GitHub spells them, and anchors of HTML.
fn parts_of(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let is_kept = |it: &char| it.is_alphanumeric() || "-_ ".contains(*it);
        title.chars().filter(is_kept).map(|it| if it == ' ' { '-' } else { it }).collect()
    });
    let anchors = text.match_indices("id=\"").map(|(at, start)| {
        let rest = &text[at + start.len()..];
        rest[..rest.find('"').unwrap_or(rest.len())].to_owned()
    });
    headings.chain(anchors).collect()
}

/// The patterns of Cargo's `include`, without the slash that means the root.
fn included() -> Vec<String> {
    let manifest = read(Path::new("Cargo.toml"));
    let list = manifest
        .lines()
        .find_map(|line| line.strip_prefix("include = ["))
        .expect("a list of what is included");
    list.split('"').skip(1).step_by(2).map(|it| it.trim_start_matches('/').to_owned()).collect()
}

/// Whether the package contains it: it is included, and no folder above it is a package of its own.
fn is_packaged(path: &Path, included: &[String]) -> bool {
    let name = path.to_str().unwrap().replace('\\', "/");
    let matches = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => path.starts_with(pattern),
    };
    let is_own_package =
        |folder: &Path| folder != Path::new("") && Path::new(ROOT).join(folder).join("Cargo.toml").exists();
    included.iter().any(matches) && !path.ancestors().any(is_own_package)
}

/// Why a link is wrong, if it is.
fn trouble(link: &Link, included: &[String]) -> Option<&'static str> {
    let whole = Path::new(ROOT).join(&link.path);
    if !whole.exists() {
        return Some("leads nowhere");
    }
    if !is_packaged(&link.path, included) {
        return Some("leads out of the package: write the path as code");
    }
    let fragment = link.fragment.as_ref().filter(|_| link.path.extension().is_some_and(|it| it == "md"))?;
    (!parts_of(&read(&link.path)).contains(fragment)).then_some("names a part that the page has not")
}

#[test]
fn each_link_leads_to_a_file_in_the_package() {
    let (documents, included) = (documents(), included());
    assert!(documents.len() > 8 && documents.contains(&"README.md".into()), "{documents:?}");
    let mut count = 0;
    let mut wrong = Vec::new();
    for document in &documents {
        assert!(is_packaged(document, &included), "{} is not in the package", document.display());
        for link in links_of(document, &read(document)) {
            count += 1;
            wrong.extend(
                trouble(&link, &included).map(|why| format!("{}: {link:?} {why}", document.display())),
            );
        }
    }
    assert!(count > 100, "only {count} links are found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn links_of_every_form_are_found() {
    let text = "[`a`](../src/a.rs#L1) and ![b](b.png \"title\")\n```text\n[no](no.md)\n```\n`[no](no.md)` \
        <a href=\"#c\">c</a> [web](https://example.com/d)";
    let found = |path: &str, fragment: Option<&str>| Link {
        path: path.into(),
        fragment: fragment.map(str::to_owned),
    };
    assert_eq!(
        links_of(Path::new("docs/x.md"), text),
        [found("src/a.rs", Some("L1")), found("docs/b.png", None), found("docs/x.md", Some("c"))]
    );
    assert_eq!(resolve(Path::new("x.md"), "../y.md"), Path::new("../y.md"));
}

#[test]
fn wrong_links_are_found() {
    let included = ["README.md".to_owned(), "docs".to_owned(), "tests".to_owned()];
    for (target, why) in [
        ("README.md", None),
        ("docs/testing.md#mutation", None),
        ("docs/testing.md#no-such-part", Some("names a part that the page has not")),
        ("docs/none.md", Some("leads nowhere")),
        ("Cargo.toml", Some("leads out of the package: write the path as code")),
        ("tests/soak/README.md", Some("leads out of the package: write the path as code")),
    ] {
        assert_eq!(trouble(&link(Path::new("README.md"), target), &included), why, "{target}");
    }
}

/// The names in a table of the manifest.
fn names_in<'a>(manifest: &'a str, table: &str) -> Vec<&'a str> {
    let (_, rest) = manifest.split_once(&format!("\n[{table}]\n")).expect("the manifest has the table");
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once(" = ")?.0)).collect()
}

#[test]
fn readme_names_the_version_the_rust_and_each_feature() {
    let (readme, manifest) = (read(Path::new("README.md")), read(Path::new("Cargo.toml")));
    let value = |name: &str| {
        let value = manifest.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        value.expect("the manifest has it").trim_matches('"')
    };
    let (release, _) = value("version").rsplit_once('.').unwrap();
    assert!(
        readme.contains(&format!("wirehook = {{ version = \"{release}\"")),
        "the line to depend on {release}"
    );
    assert!(readme.contains(&format!("(https://rustup.rs) {} or newer", value("rust-version"))));
    let features = names_in(&manifest, "features");
    assert!(features.contains(&"cli"), "{features:?}");
    for feature in features.iter().filter(|it| **it != "default") {
        assert!(
            readme.contains(&format!("\n| `{feature}` |")),
            "the README has no row for the feature {feature}"
        );
    }
}

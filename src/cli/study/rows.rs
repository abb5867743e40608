//! Renders `docs/rfc6455.md` as HTML, so that a rule can link to its row without a network.
//!
//! This file knows the Markdown of that file: headings, paragraphs, lists, tables, and inside of them code,
//! emphasis, links and anchors. It does not know what the rows say. The columns with functions and tests are
//! left out: they link to files, which a page does not have. The text before the first heading, which
//! explains all columns, is left out too; `page/rules.html` explains the remaining columns.

use std::{
    fmt::{self, Write},
    sync::LazyLock,
};

/// The table of all sentences of the RFC.
pub(super) const SOURCE: &str = include_str!("../../../docs/rfc6455.md");

/// The columns that are shown: the row's name, the RFC's sentence, the party that it binds, and the
/// implementation.
const COLUMNS: usize = 4;

/// [`SOURCE`] as HTML, rendered once.
pub(super) static HTML: LazyLock<String> = LazyLock::new(|| html(SOURCE));

/// Renders the text from its first heading on.
fn html(markdown: &str) -> String {
    let mut page = RulesHtml::default();
    for line in markdown.lines().skip_while(|line| !line.starts_with(HEADING)) {
        page.add(line);
    }
    page.end_block();
    page.html
}

/// The beginning of a heading; the title has one sign less.
const HEADING: &str = "## ";

#[derive(Default)]
struct RulesHtml {
    html: String,
    block: Block,
}

/// The block that the lines so far belong to.
#[derive(Default)]
enum Block {
    #[default]
    None,
    Paragraph(String),
    /// A list with its last item. An item can continue in the next lines.
    List {
        tag: &'static str,
        item: String,
    },
    Table,
}

impl RulesHtml {
    fn add(&mut self, line: &str) {
        if let Some(heading) = line.strip_prefix(HEADING) {
            self.end_block();
            self.heading(heading);
        } else if let Some(row) = line.strip_prefix("| ") {
            self.row(row);
        } else if line.is_empty() || line.starts_with("# ") {
            self.end_block();
        } else if !line.starts_with('|') {
            self.text(line);
        }
    }

    /// Adds a heading; `§5.6 Data Frames` gets the anchor `section-5.6`.
    fn heading(&mut self, heading: &str) {
        let section = heading.strip_prefix('§').and_then(|it| it.split(' ').next());
        let anchor = section.map_or_else(String::new, |it| format!(" id=\"section-{}\"", escape(it)));
        self.html.push_str(&format!("<h2{anchor}>{}</h2>\n", inline(heading)));
    }

    fn row(&mut self, row: &str) {
        if !matches!(self.block, Block::Table) {
            self.end_block();
            self.block = Block::Table;
            self.html.push_str("<table><thead><tr>");
            self.cells(row, "th");
            self.html.push_str("</tr></thead><tbody>\n");
            return;
        }
        let (id, row) = split_anchor(row);
        let id = id.map_or_else(String::new, |it| format!(" id=\"{}\"", escape(it)));
        self.html.push_str(&format!("<tr{id}>"));
        self.cells(row, "td");
        self.html.push_str("</tr>\n");
    }

    fn cells(&mut self, row: &str, tag: &str) {
        let row = row.trim_end().strip_suffix('|').unwrap_or(row);
        for cell in row.split(" | ").take(COLUMNS) {
            self.html.push_str(&format!("<{tag}>{}</{tag}>", inline(cell.trim())));
        }
    }

    fn text(&mut self, line: &str) {
        if let Some((tag, text)) = list_item(line) {
            return self.item(tag, text);
        }
        match &mut self.block {
            Block::Paragraph(text) | Block::List { item: text, .. } => {
                text.push(' ');
                text.push_str(line.trim());
            }
            Block::None | Block::Table => {
                self.end_block();
                self.block = Block::Paragraph(line.to_owned());
            }
        }
    }

    fn item(&mut self, tag: &'static str, text: &str) {
        match &mut self.block {
            Block::List { tag: same, item } if *same == tag => {
                let before = std::mem::replace(item, text.to_owned());
                self.put_item(&before);
            }
            _ => {
                self.end_block();
                self.put(format_args!("<{tag}>\n"));
                self.block = Block::List { tag, item: text.to_owned() };
            }
        }
    }

    fn end_block(&mut self) {
        match std::mem::take(&mut self.block) {
            Block::None => {}
            Block::Table => self.html.push_str("</tbody></table>\n"),
            Block::Paragraph(text) => self.put(format_args!("<p>{}</p>\n", inline(&text))),
            Block::List { tag, item } => {
                self.put_item(&item);
                self.put(format_args!("</{tag}>\n"));
            }
        }
    }

    fn put_item(&mut self, text: &str) {
        self.put(format_args!("<li>{}</li>\n", inline(text)));
    }

    fn put(&mut self, html: fmt::Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = self.html.write_fmt(html);
    }
}

/// Returns the kind of list whose item begins in this line, and the item's text.
fn list_item(line: &str) -> Option<(&'static str, &str)> {
    if let Some(text) = line.strip_prefix("- ") {
        return Some(("ul", text));
    }
    let (number, text) = line.split_once(". ")?;
    (!number.is_empty() && number.bytes().all(|it| it.is_ascii_digit())).then_some(("ol", text))
}

/// Returns the anchor at the beginning of a row, and the rest.
fn split_anchor(row: &str) -> (Option<&str>, &str) {
    let split = row.strip_prefix("<a id=\"").and_then(|it| it.split_once("\"></a>"));
    split.map_or((None, row), |(id, rest)| (Some(id), rest))
}

/// Renders code, emphasis, links and anchors of one line; escapes all other characters.
fn inline(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_in_word = false;
    while let Some(first) = rest.chars().next() {
        // A mark inside a name like max_message_size is a plain character.
        let is_mark = !(is_in_word && first == '_');
        is_in_word = first.is_alphanumeric();
        rest = match marked(rest).filter(|_| is_mark) {
            Some((piece, after)) => {
                html.push_str(&piece);
                after
            }
            None => {
                html.push_str(&escape(&rest[..first.len_utf8()]));
                &rest[first.len_utf8()..]
            }
        };
    }
    html
}

/// Returns the markup at the beginning of the text as HTML, and the text after it.
fn marked(text: &str) -> Option<(String, &str)> {
    if let (Some(id), rest) = split_anchor(text) {
        return Some((format!("<a id=\"{}\"></a>", escape(id)), rest));
    }
    if let Some(text) = text.strip_prefix('`') {
        let (code, rest) = text.split_once('`')?;
        return Some((format!("<code>{}</code>", escape(code)), rest));
    }
    if let Some(text) = text.strip_prefix("**") {
        let (strong, rest) = text.split_once("**")?;
        return Some((format!("<strong>{}</strong>", inline(strong)), rest));
    }
    if let Some((emphasis, rest)) = emphasis(text, '*').or_else(|| emphasis(text, '_')) {
        return Some((format!("<em>{}</em>", inline(emphasis)), rest));
    }
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (target, rest) = rest.split_once(')')?;
    let label = inline(label);
    let html =
        if target.starts_with('#') { format!("<a href=\"{}\">{label}</a>", escape(target)) } else { label };
    Some((html, rest))
}

/// Returns the text between two of these marks, and the text after them.
fn emphasis(text: &str, mark: char) -> Option<(&str, &str)> {
    let text = text.strip_prefix(mark).filter(|it| !it.starts_with([' ', mark]))?;
    text.split_once(mark).filter(|(_, rest)| !rest.starts_with(|it: char| it.is_alphanumeric()))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_names_without_columns_of_file_links() {
        let markdown = "# Title\n\nHow to read *all* columns.\n\n## What\n\nAn *intro* with\nlinks: [a](b.rs), [c](#d1).\n\n\
            1. <a id=\"d1\"></a>**No** `<tls>`,\n   never.\n2. Two.\n\n- one\n- 10. May\n\
            \n## §5.1 Overview\n\n| § | says | binds | we | function | test |\n|---|---|---|---|---|---|\n\
            | <a id=\"s5.1-1\"></a>[§5.1-1](#s5.1-1) | a & b | both | `x` | [`f`](f.rs) | [`t`](t.rs) |\n\
            \n| § | what |\n|---|---|\n| §7.1.3 | _Started_: now |\n";
        let expected = "<h2>What</h2>\n\
            <p>An <em>intro</em> with links: a, <a href=\"#d1\">c</a>.</p>\n\
            <ol>\n<li><a id=\"d1\"></a><strong>No</strong> <code>&lt;tls&gt;</code>, never.</li>\n<li>Two.</li>\n</ol>\n\
            <ul>\n<li>one</li>\n<li>10. May</li>\n</ul>\n\
            <h2 id=\"section-5.1\">§5.1 Overview</h2>\n\
            <table><thead><tr><th>§</th><th>says</th><th>binds</th><th>we</th></tr></thead><tbody>\n\
            <tr id=\"s5.1-1\"><td><a href=\"#s5.1-1\">§5.1-1</a></td><td>a &amp; b</td><td>both</td>\
            <td><code>x</code></td></tr>\n</tbody></table>\n\
            <table><thead><tr><th>§</th><th>what</th></tr></thead><tbody>\n\
            <tr><td>§7.1.3</td><td><em>Started</em>: now</td></tr>\n</tbody></table>\n";
        assert_eq!(html(markdown), expected);
    }

    #[test]
    fn marks_that_are_not_closed_are_text() {
        assert_eq!(inline("2 * 3 [4] `5 **6"), "2 * 3 [4] `5 **6");
        assert_eq!(inline("max_message_size, _a and b_c"), "max_message_size, _a and b_c");
        assert_eq!(inline("<b> & \"c\""), "&lt;b&gt; &amp; &quot;c&quot;");
    }

    #[test]
    fn the_page_has_every_row_of_the_table() {
        let rows = SOURCE.lines().filter(|it| it.starts_with("| <a id=")).count();
        let page = html(SOURCE);
        assert!(rows > 100, "{rows} rows");
        assert_eq!(page.matches("<tr id=").count(), rows);
        assert_eq!(page.matches("<table>").count(), page.matches("</table>").count());
    }

    #[test]
    fn the_page_has_no_markdown_and_no_left_out_column() {
        let mut text = String::new();
        // The text outside of code, in which no marks may remain.
        for (at, piece) in HTML.split("<code>").enumerate() {
            let piece =
                if at == 0 { piece } else { piece.split_once("</code>").map_or("", |(_, rest)| rest) };
            text.extend(piece.split('<').map(|it| it.split_once('>').map_or(it, |(_, rest)| rest)));
        }
        for mark in ["**", "`", "](", "|", " _", "\n- ", "\n1. "] {
            let at = text.find(mark).map(|at| &text[text.floor_char_boundary(at.saturating_sub(50))..]);
            assert_eq!(at.map(|it| it.chars().take(100).collect::<String>()), None, "{mark} is left");
        }
        assert!(!HTML.contains("<th>function") && !text.contains("name an item and link its file"));
    }
}

//! Which tables there are, and how they come into a page: between two comments that name them, in place of
//! what was there.

use std::fmt::Write as _;

use super::data::{OURS, Row, Run};
use super::plots::is_echo;
use crate::Result;
use crate::contestants::LIMIT;
use crate::report::significant;
use crate::stats::Spread;

/// The page with each table that it asks for: `<!-- bench:NAME -->`, the table, `<!-- /bench -->`.
pub(super) fn fill_in(page: &str, run: &Run) -> Result<String> {
    const BEGIN: &str = "<!-- bench:";
    const CLOSE: &str = " -->\n";
    const END: &str = "<!-- /bench -->";

    let mut filled = String::new();
    let mut rest = page;
    while let Some((before, marked)) = rest.split_once(BEGIN) {
        let (name, old) = marked.split_once(CLOSE).ok_or("a marker in the page is not closed")?;
        let (_, after) =
            old.split_once(END).ok_or_else(|| format!("the table {name} in the page has no end"))?;
        let table = table(name, run).ok_or_else(|| format!("the page asks for an unknown table: {name}"))?;
        filled.extend([before, BEGIN, name, CLOSE, "\n", &table, "\n", END]);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn table(name: &str, run: &Run) -> Option<String> {
    Some(match name {
        "run" => the_run(run),
        "targets" => targets(run),
        "ratios" => by_contestant(run, run.group(None).into_iter().filter(|row| is_echo(row)), ratio),
        "costs" => {
            by_contestant(run, run.group(None).into_iter().filter(|row| !is_echo(row)), cost_and_ratio)
        }
        "sizes" => by_contestant(run, run.group(Some("sizes")).into_iter(), cost_and_ratio),
        "connections" => by_contestant(run, run.group(Some("connections")).into_iter(), cost_and_ratio),
        "latency" => latency(run),
        "codec" => codec(run),
        "facts" => facts(run),
        _ => return None,
    })
}

fn the_run(run: &Run) -> String {
    let Run { machine, rounds, seconds_per_turn, .. } = run;
    format!("{machine}; {rounds} rounds, {seconds_per_turn} s a turn.\n")
}

/// What is aimed at, beside what was measured.
fn targets(run: &Run) -> String {
    /// What bare mio took for a message of `echo-20` where the targets in µs come from.
    const BARE: f64 = 5.2;
    const RATIOS: [(&str, f64); 6] = [
        ("echo-20", 1.03),
        ("echo-20x16", 1.06),
        ("echo-512", 1.03),
        ("echo-16k", 1.45),
        ("echo-1m", 1.08),
        ("handshake", 1.03),
    ];
    const DELIVERIES: [(&str, f64); 2] = [("fan-out-x8", 0.5), ("fan-out", 4.0)];
    const IDLE: f64 = 200.0;
    const GROWTH: f64 = 1.3;

    let mut text = head(["row", "at most", "measured", "met"]);
    let mut add = |row: &str, target: String, measured: Option<(String, bool)>| {
        let (measured, met) = measured.unwrap_or_else(|| ("not measured".to_owned(), false));
        let met = if met { "yes" } else { "**no**" };
        line(&mut text, [row.to_owned(), target, measured, met.to_owned()]);
    };
    let ours = |name: &str| run.row(name).and_then(|row| row.of(OURS));
    for (name, most) in RATIOS {
        let measured = ours(name).and_then(|line| line.ratio);
        // With as many digits as the target has.
        let is_met = |it: &Spread| (it.median * 100.0).round() / 100.0 <= most;
        add(name, format!("{most:.2} ×"), measured.map(|it| (times(&it), is_met(&it))));
    }
    // Another machine is faster or slower; its own bare echo says by how much.
    let speed = run.row("echo-20").and_then(|row| row.of(LIMIT)).map(|line| BARE / line.cost.median);
    for (name, most) in DELIVERIES {
        let measured = ours(name).zip(speed).map(|(line, speed)| line.cost.median * speed);
        let shown = measured.map(|it| (format!("{} µs", significant(it)), it <= most));
        add(name, format!("{most:.1} µs where bare `echo-20` costs {BARE} µs"), shown);
    }
    let idle = ours("idle").map(|line| line.cost.median);
    add("idle", format!("{IDLE:.0} bytes"), idle.map(|it| (format!("{it:.0} bytes"), it <= IDLE)));
    let growth = ours("connections-15k").zip(ours("connections-64"));
    let growth = growth.map(|(most, some)| most.cost.median / some.cost.median);
    let shown = growth.map(|it| (format!("{it:.2} ×"), it <= GROWTH));
    add("15,000 connections beside 64", format!("{GROWTH:.2} ×"), shown);
    text
}

/// A line for each row, a column for each contestant, the best of them in bold; the limit is not one of them.
fn by_contestant<'a>(
    run: &Run,
    rows: impl Iterator<Item = &'a Row>,
    cell: impl Fn(&Row, &str) -> Option<String>,
) -> String {
    let names = run.contestants();
    let others = || names.iter().filter(|name| **name != LIMIT);
    let mut text =
        head(["row".to_owned(), LIMIT.to_owned()].into_iter().chain(others().map(|it| (*it).to_owned())));
    for row in rows {
        let best = row.summary.iter().find(|line| line.contestant != LIMIT);
        let limit = row.of(LIMIT).map(|line| format!("{} {}", significant(line.cost.median), row.unit));
        let cells = others().map(|name| match cell(row, name) {
            Some(text) if best.is_some_and(|best| best.contestant == **name) => format!("**{text}**"),
            Some(text) => text,
            None => "–".to_owned(),
        });
        line(&mut text, [row.title.clone(), limit.unwrap_or_default()].into_iter().chain(cells));
    }
    text
}

/// A ratio: the median, and the lowest and the highest.
fn ratio(row: &Row, contestant: &str) -> Option<String> {
    row.of(contestant)?.ratio.map(|ratio| times(&ratio))
}

/// A figure, and its ratio to the limit where there is one.
fn cost_and_ratio(row: &Row, contestant: &str) -> Option<String> {
    let line = row.of(contestant)?;
    let ratio = line.ratio.map_or_else(String::new, |ratio| format!(" ({:.2} ×)", ratio.median));
    Some(format!("{}{ratio}", significant(line.cost.median)))
}

/// What a client sees, of us and of the limit.
fn latency(run: &Run) -> String {
    let mut text =
        head(["row", "wirehook, per second", "p50 µs", "p99 µs", "bare-mio, per second", "p50 µs", "p99 µs"]);
    for row in run.group(None) {
        let cells = |name| {
            let line = row.of(name)?;
            Some([format!("{:.0}", line.per_second?), significant(line.p50_us?), significant(line.p99_us?)])
        };
        let Some((ours, limit)) = cells(OURS).zip(cells(LIMIT)) else { continue };
        line(&mut text, std::iter::once(row.title.clone()).chain(ours).chain(limit));
    }
    text
}

fn codec(run: &Run) -> String {
    let mut text = head(["what", "bytes", "median"]);
    for figure in &run.codec {
        let bytes = figure.bytes.map_or_else(String::new, |bytes| bytes.to_string());
        line(&mut text, [figure.name.clone(), bytes, figure.rate.clone()]);
    }
    text
}

fn facts(run: &Run) -> String {
    let mut text = head(["what", "figure"]);
    for fact in &run.facts {
        let digits = if fact.unit == "s" { 1 } else { 0 };
        line(&mut text, [fact.name.clone(), format!("{:.digits$} {}", fact.value, fact.unit)]);
    }
    text
}

fn times(ratio: &Spread) -> String {
    format!("{:.2} × ({:.2} – {:.2})", ratio.median, ratio.min, ratio.max)
}

/// The head of a table whose columns but the first are figures.
fn head(titles: impl IntoIterator<Item = impl Into<String>>) -> String {
    let titles: Vec<String> = titles.into_iter().map(Into::into).collect();
    let mut text = String::new();
    let alignment = std::iter::once("---").chain(titles.iter().skip(1).map(|_| "---:")).map(str::to_owned);
    let alignment: Vec<String> = alignment.collect();
    line(&mut text, titles);
    line(&mut text, alignment);
    text
}

fn line(text: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_old_one() {
        let run = Run {
            machine: "m".to_owned(),
            rounds: 9,
            seconds_per_turn: 0.5,
            facts: vec![],
            codec: vec![],
            rows: vec![],
        };
        let page = "above <!-- bench:run -->\nold\n<!-- /bench --> below";
        let filled = fill_in(page, &run).unwrap();
        assert_eq!(filled, "above <!-- bench:run -->\n\nm; 9 rounds, 0.5 s a turn.\n\n<!-- /bench --> below");
        assert_eq!(fill_in(&filled, &run).unwrap(), filled);
        assert!(fill_in("<!-- bench:x -->\n<!-- /bench -->", &run).is_err());
    }
}

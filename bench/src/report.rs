//! Tables for people and a JSON file for programs. It computes medians and ratios, and measures nothing.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::Result;
use crate::codec::Codec;
use crate::contestants::LIMIT;
use crate::facts::Fact;
use crate::rounds::Outcome;
use crate::stats::Spread;
use crate::turns::{Sample, Timing};

/// A run as it is stored.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) rounds: usize,
    pub(crate) seconds_per_turn: f64,
    pub(crate) pinned: bool,
    pub(crate) facts: Vec<Fact>,
    pub(crate) codec: Vec<Codec>,
    /// The medians and ratios that the tables show.
    #[serde(skip)]
    pub(crate) rows: Vec<RowReport>,
    /// What they were computed from.
    #[serde(skip)]
    pub(crate) samples: Vec<Sample>,
}

impl Report {
    /// One object: the run's circumstances, then `rows` and `samples` with an entry a line, to be read by eye
    /// and by `diff`.
    pub(crate) fn json(&self) -> Result<String> {
        let mut text = serde_json::to_string(self)?;
        // Open again what was just closed.
        text.pop();
        text.push_str(",\n\"rows\": ");
        text.push_str(&line_per_entry(&self.rows)?);
        text.push_str(",\n\"samples\": ");
        text.push_str(&line_per_entry(&self.samples)?);
        text.push_str("}\n");
        Ok(text)
    }
}

fn line_per_entry(entries: &[impl Serialize]) -> Result<String> {
    let line = |entry| Ok(rounded(serde_json::to_value(entry)?).to_string());
    let lines = entries.iter().map(line).collect::<serde_json::Result<Vec<_>>>()?;
    Ok(format!("[\n{}\n]", lines.join(",\n")))
}

/// The same with four significant digits, which is more than any of these figures has.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let digits = number.as_f64().and_then(|number| format!("{number:.3e}").parse::<f64>().ok());
            digits.map_or(Value::Null, Value::from)
        }
        Value::Array(values) => values.into_iter().map(rounded).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, rounded(value))).collect(),
        other => other,
    }
}

#[derive(Serialize)]
pub(crate) struct RowReport {
    name: &'static str,
    title: &'static str,
    group: Option<&'static str>,
    figure: &'static str,
    unit: &'static str,
    summary: Vec<Line>,
    failures: Vec<(String, String)>,
}

/// One contestant in one row.
#[derive(Serialize)]
struct Line {
    contestant: String,
    cost: Spread,
    /// The cost divided by the bare contestant's in the same round: median and ends of these quotients.
    ratio: Option<Spread>,
    per_second: Option<f64>,
    p50_us: Option<f64>,
    p90_us: Option<f64>,
    p99_us: Option<f64>,
    server_busy: Option<f64>,
    client_busy: Option<f64>,
}

impl RowReport {
    pub(crate) fn new(outcome: &Outcome) -> Self {
        let unit = outcome.row.load.unit();
        Self {
            name: outcome.row.name,
            title: outcome.row.title,
            group: outcome.row.group,
            figure: unit.title(),
            unit: unit.symbol(),
            summary: summarize(&outcome.samples),
            failures: outcome.failures.clone(),
        }
    }

    /// The row as a table, the cheapest contestant first.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("{}: {}\n{} in {}\n\n", self.name, self.title, self.figure, self.unit);
        let head = ["contestant", "median", "min – max", "× bare", "min – max", "per second"];
        let latency = ["p50 µs", "p90 µs", "p99 µs", "server", "client"];
        line(&mut text, head.into_iter().chain(latency).map(str::to_owned));
        for entry in &self.summary {
            line(&mut text, entry.cells());
        }
        for (contestant, reason) in &self.failures {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{contestant} dropped out: {reason}");
        }
        text
    }
}

impl Line {
    fn cells(&self) -> impl Iterator<Item = String> {
        let plain = |value: Option<f64>| value.map_or_else(String::new, significant);
        let percent =
            |value: Option<f64>| value.map_or_else(String::new, |share| format!("{:.0} %", share * 100.0));
        let ends = |spread: &Spread| format!("{} – {}", significant(spread.min), significant(spread.max));
        let ratio_ends = |spread: Spread| format!("{:.2} – {:.2}", spread.min, spread.max);
        [
            self.contestant.clone(),
            significant(self.cost.median),
            ends(&self.cost),
            self.ratio.map_or_else(String::new, |ratio| format!("{:.3}", ratio.median)),
            self.ratio.map_or_else(String::new, ratio_ends),
            self.per_second.map_or_else(String::new, |rate| format!("{rate:.0}")),
            plain(self.p50_us),
            plain(self.p90_us),
            plain(self.p99_us),
            percent(self.server_busy),
            percent(self.client_busy),
        ]
        .into_iter()
    }
}

const WIDTHS: [usize; 11] = [18, 9, 17, 7, 15, 11, 8, 8, 8, 7, 7];

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (index, (cell, width)) in cells.zip(WIDTHS).enumerate() {
        // Writing to a string cannot fail.
        let _ = if index == 0 { write!(text, "{cell:<width$}") } else { write!(text, " {cell:>width$}") };
    }
    text.push('\n');
}

/// Three digits, which is more than the noise allows.
pub(crate) fn significant(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn summarize(samples: &[Sample]) -> Vec<Line> {
    let mut names: Vec<&str> = samples.iter().map(|sample| sample.contestant.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut lines: Vec<Line> = names.into_iter().filter_map(|name| summarize_one(name, samples)).collect();
    lines.sort_by(|a, b| a.cost.median.total_cmp(&b.cost.median));
    lines
}

fn summarize_one(name: &str, samples: &[Sample]) -> Option<Line> {
    let own = || samples.iter().filter(|sample| sample.contestant == name);
    let bare = |round| samples.iter().find(|sample| sample.contestant == LIMIT && sample.round == round);
    // Without a timing the figure is memory, of which a server that keeps nothing holds next to none.
    let ratios = own()
        .filter(|sample| sample.timing.is_some())
        .filter_map(|sample| Some(sample.cost / bare(sample.round)?.cost));
    let median = |pick: &dyn Fn(&Timing) -> Option<f64>| {
        Spread::of(own().filter_map(|sample| pick(sample.timing.as_ref()?))).map(|spread| spread.median)
    };
    Some(Line {
        contestant: name.to_owned(),
        cost: Spread::of(own().map(|sample| sample.cost))?,
        ratio: Spread::of(ratios),
        per_second: median(&|timing| Some(timing.per_second)),
        p50_us: median(&|timing| Some(timing.latency_us?.p50)),
        p90_us: median(&|timing| Some(timing.latency_us?.p90)),
        p99_us: median(&|timing| Some(timing.latency_us?.p99)),
        server_busy: median(&|timing| Some(timing.server_busy)),
        client_busy: median(&|timing| Some(timing.client_busy)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(contestant: &str, round: usize, cost: f64) -> Sample {
        let timing = Timing { per_second: 1.0, latency_us: None, server_busy: 1.0, client_busy: 1.0 };
        Sample { row: "x", contestant: contestant.to_owned(), round, cost, count: 1, timing: Some(timing) }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine was three times slower in the second round; the ratio does not notice.
        let samples =
            [sample(LIMIT, 0, 1.0), sample("x", 0, 2.0), sample("x", 1, 6.0), sample(LIMIT, 1, 3.0)];
        let lines = summarize(&samples);
        assert_eq!(lines[0].contestant, LIMIT);
        let ratio = lines[1].ratio.unwrap();
        assert_eq!((ratio.min, ratio.median, ratio.max), (2.0, 2.0, 2.0));
    }
}

//! Which plots there are, and what each shows.

use super::data::{OURS, Row, Run};
use super::svg::{Anchor, LogScale, Picture, WIDTH};
use crate::client::Message;
use crate::contestants::LIMIT;
use crate::rows::{Flow, Load};

const LEGEND: f64 = 52.0;

/// All plots that the run has data for, by the names of their files.
pub(super) fn all(run: &Run) -> Vec<(&'static str, String)> {
    [
        ("ratio.svg", ratio(run)),
        ("memory.svg", memory(run)),
        ("sizes.svg", sizes(run)),
        ("connections.svg", connections(run)),
    ]
    .into_iter()
    .filter_map(|(name, plot)| Some((name, plot?)))
    .collect()
}

/// What each contestant's messages cost, divided by the bare socket's: a line of marks for each row.
fn ratio(run: &Run) -> Option<String> {
    const TOP: f64 = 92.0;
    const STEP: f64 = 44.0;
    const LEFT: f64 = 300.0;

    let rows: Vec<&Row> = run.group(None).into_iter().filter(|row| is_echo(row)).collect();
    let names = run.contestants();
    let ratios = || rows.iter().flat_map(|row| &row.summary).filter_map(|line| line.ratio);
    let largest = ratios().map(|ratio| ratio.max).reduce(f64::max)?;
    let smallest = ratios().map(|ratio| ratio.min).fold(0.9, f64::min);
    let scale = LogScale::new((smallest, largest.max(2.0)), (LEFT, WIDTH - 36.0));
    let bottom = TOP + STEP * rows.len() as f64;

    let told: Vec<String> =
        rows.iter().map(|row| tell(row, |line| line.ratio.map(|ratio| ratio.median))).collect();
    let description = format!("Less is better, 1 is the bare socket. {}", told.join(" "));
    let title = "Server CPU per message, as a multiple of a bare TCP echo’s";
    let mut picture = Picture::new(title, &description, bottom + 44.0);
    picture.legend(&names, LEGEND);
    for value in [1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0] {
        if value <= largest {
            let class = if value == 1.0 { "base" } else { "grid" };
            picture.line((scale.at(value), TOP - 18.0), (scale.at(value), bottom - 6.0), class);
            picture.text((scale.at(value), bottom + 12.0), Anchor::Middle, "note", &format!("{value} ×"));
        }
    }
    for (row, y) in rows.iter().zip((0..).map(|index| TOP + STEP * f64::from(index) + 8.0)) {
        picture.text((LEFT - 24.0, y + 4.0), Anchor::End, "", &row.title.replace(" connections", ""));
        // Ours last, so that it lies above the others.
        for (series, name) in names.iter().enumerate().rev().filter(|(_, name)| **name != LIMIT) {
            let Some(ratio) = row.of(name).and_then(|line| line.ratio) else { continue };
            let spread = format!("spread c{}", series.min(5));
            picture.line((scale.at(ratio.min), y), (scale.at(ratio.max), y), &spread);
            picture.mark((scale.at(ratio.median), y), series);
            if *name == OURS {
                let label = format!("{:.2}", ratio.median);
                picture.text((scale.at(ratio.median), y - 11.0), Anchor::Middle, "ours", &label);
            }
        }
    }
    let note = "connections × size × in flight; medians and ends over all rounds; logarithmic";
    picture.text((WIDTH - 36.0, bottom + 32.0), Anchor::End, "note", note);
    Some(picture.finish())
}

/// What an idle connection holds: a bar for each contestant.
fn memory(run: &Run) -> Option<String> {
    const TOP: f64 = 48.0;
    const STEP: f64 = 30.0;
    const LEFT: f64 = 150.0;

    let row = run.row("idle")?;
    let most = row.summary.iter().map(|line| line.cost.median).reduce(f64::max)?;
    let description = format!("Less is better. {}", tell(row, |line| Some(line.cost.median)));
    let height = TOP + STEP * row.summary.len() as f64 + 12.0;
    let mut picture = Picture::new("Resident memory per idle connection, in bytes", &description, height);
    let names = run.contestants();
    for (line, y) in row.summary.iter().zip((0..).map(|index| TOP + STEP * f64::from(index))) {
        let series = names.iter().position(|name| *name == line.contestant).unwrap_or_default();
        let class = if line.contestant == OURS { "ours" } else { "" };
        let width = (line.cost.median / most * (WIDTH - LEFT - 90.0)).max(1.5);
        picture.text((LEFT - 10.0, y + 14.0), Anchor::End, class, &line.contestant);
        picture.bar((LEFT, y), (width, 19.0), &format!("c{}", series.min(5)));
        let label = format!("{:.0}", line.cost.median);
        picture.text((LEFT + width + 8.0, y + 14.0), Anchor::Start, class, &label);
    }
    Some(picture.finish())
}

fn sizes(run: &Run) -> Option<String> {
    let size = |load: &Load| match load {
        Load::Messages { message: Message { size, .. }, .. } => Some(*size as f64),
        _ => None,
    };
    curve(run, "sizes", "Server CPU per message by its size, in µs", size, bytes)
}

fn connections(run: &Run) -> Option<String> {
    let count = |load: &Load| match load {
        Load::Messages { connections, .. } => Some(*connections as f64),
        _ => None,
    };
    let title = "Server CPU per message by the number of connections, at 30,000 messages/s, in µs";
    curve(run, "connections", title, count, |count| format!("{count:.0}"))
}

/// The costs in the rows of a group over what grows from row to row, both logarithmic.
fn curve(
    run: &Run,
    group: &str,
    title: &str,
    x_of: impl Fn(&Load) -> Option<f64>,
    label: impl Fn(f64) -> String,
) -> Option<String> {
    const TOP: f64 = 78.0;
    const BOTTOM: f64 = 360.0;

    let rows = run.group(Some(group));
    let points: Vec<(f64, &Row)> = rows.iter().filter_map(|row| Some((x_of(row.load()?)?, *row))).collect();
    let (first, last) = (points.first()?.0, points.last()?.0);
    let costs = || points.iter().flat_map(|(_, row)| &row.summary).map(|line| line.cost.median);
    let most = costs().reduce(f64::max)?;
    // A scale that is too fine would make hills of noise.
    let least = costs().fold(most / 8.0, f64::min);
    let x = LogScale::new((first, last), (80.0, WIDTH - 40.0));
    let y = LogScale::new((least / 1.15, most * 1.15), (BOTTOM, TOP));

    let told: Vec<String> = points.iter().map(|(_, row)| tell(row, |line| Some(line.cost.median))).collect();
    let mut picture = Picture::new(title, &format!("Less is better. {}", told.join(" ")), BOTTOM + 40.0);
    let names = run.contestants();
    picture.legend(&names, LEGEND);
    for value in steps(least, most) {
        picture.line((70.0, y.at(value)), (WIDTH - 30.0, y.at(value)), "grid");
        picture.text((62.0, y.at(value) + 4.0), Anchor::End, "note", &value.to_string());
    }
    for (value, _) in &points {
        picture.text((x.at(*value), BOTTOM + 22.0), Anchor::Middle, "note", &label(*value));
    }
    for (series, name) in names.iter().enumerate().rev() {
        let line: Vec<(f64, f64)> = points
            .iter()
            .filter_map(|(value, row)| Some((x.at(*value), y.at(row.of(name)?.cost.median))))
            .collect();
        picture.curve(&line, series.min(5));
        line.iter().for_each(|point| picture.mark(*point, series));
    }
    Some(picture.finish())
}

/// Round values between two, for a logarithmic axis: a few to the decade if it spans little, else powers of
/// ten.
fn steps(least: f64, most: f64) -> Vec<f64> {
    let digits: &[f64] = if most / least < 50.0 { &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0] } else { &[1.0] };
    (-3..7)
        .flat_map(|power: i32| digits.iter().map(move |digit| digit * 10_f64.powi(power)))
        .filter(|value| (least / 1.15..=most * 1.15).contains(value))
        .collect()
}

/// A row in words.
fn tell(row: &Row, value: impl Fn(&super::data::Line) -> Option<f64>) -> String {
    let figures: Vec<String> = row
        .summary
        .iter()
        .filter_map(|line| Some(format!("{} {}", line.contestant, crate::report::significant(value(line)?))))
        .collect();
    format!("{}: {}.", row.title, figures.join(", "))
}

pub(super) fn is_echo(row: &Row) -> bool {
    matches!(row.load(), Some(Load::Messages { flow: Flow::Echo { .. }, .. }))
}

fn bytes(len: f64) -> String {
    match len as u64 {
        len if len >= 1 << 20 => format!("{} MiB", len >> 20),
        len if len >= 1 << 10 => format!("{} KiB", len >> 10),
        len => format!("{len} B"),
    }
}

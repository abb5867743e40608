//! A run's file, read back. It knows what `report` wrote, as far as plots and tables need it.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::Result;
use crate::codec::Codec;
use crate::contestants::LIMIT;
use crate::rows::{self, Load, ROWS};
use crate::stats::Spread;

#[derive(Deserialize)]
pub(super) struct Run {
    pub(super) machine: String,
    pub(super) rounds: usize,
    pub(super) seconds_per_turn: f64,
    pub(super) facts: Vec<Fact>,
    pub(super) codec: Vec<Codec>,
    pub(super) rows: Vec<Row>,
}

#[derive(Deserialize)]
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: String,
}

#[derive(Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) group: Option<String>,
    pub(super) unit: String,
    /// The cheapest first.
    pub(super) summary: Vec<Line>,
}

#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) contestant: String,
    pub(super) cost: Spread,
    pub(super) ratio: Option<Spread>,
    pub(super) per_second: Option<f64>,
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
}

/// The contestant that is highlighted.
pub(super) const OURS: &str = "wirehook";

impl Run {
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()).into())
    }

    pub(super) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// Returns the rows of a curve, or with `None` the rows that are in no group.
    pub(super) fn group(&self, group: Option<&str>) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.group.as_deref() == group).collect()
    }

    /// Returns all contestants: ours, the limit, and the others by their names.
    pub(super) fn contestants(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.rows.iter().flat_map(|row| &row.summary).map(|line| line.contestant.as_str()).collect();
        names.sort_unstable_by_key(|name| (*name != OURS, *name != LIMIT, *name));
        names.dedup();
        names
    }
}

impl Row {
    pub(super) fn of(&self, contestant: &str) -> Option<&Line> {
        self.summary.iter().find(|line| line.contestant == contestant)
    }

    /// What was loaded, if this program still has the row.
    pub(super) fn load(&self) -> Option<&'static Load> {
        ROWS.iter().find(|row: &&rows::Row| row.name == self.name).map(|row| &row.load)
    }
}

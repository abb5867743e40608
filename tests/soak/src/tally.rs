//! Counts for every promise how often it was kept, and how it was broken.
//!
//! This file counts. The roles judge the promises.

use std::collections::BTreeMap;

/// How many breaches of one promise are described.
const MAX_DESCRIBED: u64 = 5;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    promises: BTreeMap<&'static str, Count>,
    /// Descriptions of the first breaches of each promise.
    pub(crate) complaints: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) kept: u64,
    pub(crate) broken: u64,
}

impl Tally {
    /// Adds a promise that is shown even if it is never tested.
    pub(crate) fn expect(&mut self, promise: &'static str) {
        self.promises.entry(promise).or_default();
    }

    pub(crate) fn kept(&mut self, promise: &'static str) {
        self.promises.entry(promise).or_default().kept += 1;
    }

    pub(crate) fn broken(&mut self, promise: &'static str, how: &str) {
        let count = self.promises.entry(promise).or_default();
        count.broken += 1;
        if count.broken <= MAX_DESCRIBED {
            self.complaints.push(format!("{promise}: {how}"));
        }
    }

    pub(crate) fn judge(&mut self, promise: &'static str, is_kept: bool, how: impl FnOnce() -> String) {
        if is_kept { self.kept(promise) } else { self.broken(promise, &how()) }
    }

    pub(crate) fn get(&self, promise: &'static str) -> Count {
        self.promises.get(promise).copied().unwrap_or_default()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, Count)> {
        self.promises.iter().map(|(promise, count)| (*promise, *count))
    }
}

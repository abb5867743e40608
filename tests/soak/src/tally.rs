//! What clients have seen: for every promise how often it was kept, and how it was broken.
//!
//! This file knows how to count. It refuses to know what a promise demands: the roles judge that.

use std::collections::BTreeMap;

/// Up to so many breaches of one promise are told in words.
const TOLD: u64 = 5;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    promises: BTreeMap<&'static str, Count>,
    /// The first breaches of each promise, in words.
    pub(crate) complaints: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) kept: u64,
    pub(crate) broken: u64,
}

impl Tally {
    /// A promise that is to be shown even if nothing ever happens to it.
    pub(crate) fn expect(&mut self, promise: &'static str) {
        self.promises.entry(promise).or_default();
    }

    pub(crate) fn kept(&mut self, promise: &'static str) {
        self.promises.entry(promise).or_default().kept += 1;
    }

    pub(crate) fn broken(&mut self, promise: &'static str, how: &str) {
        let count = self.promises.entry(promise).or_default();
        count.broken += 1;
        if count.broken <= TOLD {
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

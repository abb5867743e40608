//! The connections that ask for metrics. They are no clients: they are not counted, and no observer sees
//! their bytes.
//!
//! This file knows which connections they are. It refuses to know what they ask and what they receive.

use std::collections::VecDeque;

use super::registry::ConnId;

/// A table of few entries: the server bounds how many such connections there are.
#[derive(Debug, Default)]
pub(super) struct MetricsConnections(VecDeque<ConnId>);

impl MetricsConnections {
    pub(super) fn insert(&mut self, id: ConnId) {
        self.0.push_back(id);
    }

    /// Removes a connection; returns whether it was in the table.
    pub(super) fn remove(&mut self, id: ConnId) -> bool {
        let at = self.0.iter().position(|it| *it == id);
        at.and_then(|at| self.0.remove(at)).is_some()
    }

    // Rare, and often asked beside code that is not.
    #[inline(never)]
    pub(super) fn contains(&self, id: ConnId) -> bool {
        self.0.contains(&id)
    }

    /// Returns the connections, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = ConnId> {
        self.0.iter().copied()
    }
}

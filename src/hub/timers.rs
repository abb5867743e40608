//! The user's timers: tasks that run once, or at an interval.
//!
//! This file knows when each task is due. It refuses to know what the task does.

use std::time::Duration;

use super::{
    deadlines::{Deadlines, LoopTime},
    registry::{ConnId, Registry},
};

/// The shortest time between two runs: the clock of the loop counts milliseconds.
const SHORTEST: Duration = Duration::from_millis(1);

/// Names one timer, so that it can be cancelled; never given to another one. Example:
/// [`Connections::cancel`](crate::Connections::cancel).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId(ConnId);

/// Timers with a task of type `T` each.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    table: Registry<Timer<T>>,
    deadlines: Deadlines,
}

#[derive(Debug)]
struct Timer<T> {
    /// Out while it runs.
    task: Option<T>,
    /// `None` for a timer that runs once.
    period: Option<Duration>,
    due: LoopTime,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { table: Registry::new(), deadlines: Deadlines::default() }
    }
}

impl<T> Timers<T> {
    /// Returns how many timers are set.
    pub(crate) const fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn after(&mut self, delay: Duration, task: T, now: LoopTime) -> TimerId {
        // Never in the turn that asks for it: a task that asks for itself must not keep the loop from
        // turning.
        self.insert(Timer { task: Some(task), period: None, due: now + delay.max(SHORTEST) })
    }

    pub(crate) fn every(&mut self, period: Duration, task: T, now: LoopTime) -> TimerId {
        let period = period.max(SHORTEST);
        self.insert(Timer { task: Some(task), period: Some(period), due: now + period })
    }

    /// Removes a timer, and its task with all that it holds; whether there was one.
    pub(crate) fn cancel(&mut self, id: TimerId) -> bool {
        let is_removed = self.table.remove(id.0).is_some();
        let table = &self.table;
        // A timer that is set anew for every message must not leave an entry for each.
        self.deadlines.compact(table.len(), |_, id| table.get(id).is_some_and(|it| it.task.is_some()));
        is_removed
    }

    /// When the next timer is due; [`LoopTime::NEVER`] if there is none.
    pub(crate) fn next_due(&self) -> LoopTime {
        self.deadlines.next()
    }

    /// Takes the task of a timer that is due, to be run and then [put back](Self::put_back).
    pub(crate) fn take_due(&mut self, now: LoopTime) -> Option<(TimerId, T)> {
        loop {
            let (_, id) = self.deadlines.pop_due(now)?;
            if let Some(task) = self.table.get_mut(id).and_then(|timer| timer.task.take()) {
                return Some((TimerId(id), task));
            }
        }
    }

    /// After a task has run: a repeating one is due again, unless it was cancelled meanwhile. Runs that the
    /// loop was too busy for are skipped.
    pub(crate) fn put_back(&mut self, TimerId(id): TimerId, task: T, now: LoopTime) {
        let Some(timer) = self.table.get_mut(id) else { return };
        let Some(period) = timer.period else {
            self.table.remove(id);
            return;
        };
        timer.task = Some(task);
        timer.due = (timer.due + period).max(now + SHORTEST);
        self.deadlines.insert(timer.due, id);
    }

    fn insert(&mut self, timer: Timer<T>) -> TimerId {
        let due = timer.due;
        let id = self.table.insert(timer);
        self.deadlines.insert(due, id);
        TimerId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_at(timers: &mut Timers<char>, now: u64) -> String {
        let mut ran = String::new();
        while let Some((id, task)) = timers.take_due(LoopTime(now)) {
            ran.push(task);
            timers.put_back(id, task, LoopTime(now));
        }
        ran
    }

    #[test]
    fn a_timer_runs_when_it_is_due_once_or_every_so_often() {
        let mut timers = Timers::default();
        timers.after(Duration::from_millis(25), 'a', LoopTime(0));
        timers.every(Duration::from_millis(10), 'e', LoopTime(0));
        assert_eq!(run_at(&mut timers, 9), "");
        assert_eq!(run_at(&mut timers, 10), "e");
        assert_eq!(run_at(&mut timers, 20), "e");
        assert_eq!(run_at(&mut timers, 30), "ae");
        assert_eq!(timers.next_due(), LoopTime(40));
        assert_eq!(run_at(&mut timers, 95), "e", "what the loop was too busy for is skipped");
        assert_eq!(timers.next_due(), LoopTime(96));
        assert_eq!(timers.table.len(), 1);
    }

    #[test]
    fn a_cancelled_timer_never_runs_again() {
        let mut timers = Timers::default();
        let first = timers.every(Duration::ZERO, 'x', LoopTime(0));
        assert!(timers.cancel(first));
        assert!(!timers.cancel(first));
        let second = timers.every(Duration::ZERO, 'y', LoopTime(0));
        assert_ne!(first, second);
        let (id, task) = timers.take_due(LoopTime(1)).unwrap_or((first, '?'));
        assert!(timers.cancel(id), "from inside its own task");
        timers.put_back(id, task, LoopTime(1));
        assert_eq!(run_at(&mut timers, 100), "");
        assert_eq!(timers.table.len(), 0);
    }

    #[test]
    fn an_idle_timer_set_anew_a_million_times_leaves_no_trace() {
        let mut timers = Timers::default();
        let others: Vec<_> =
            (0..100).map(|_| timers.after(Duration::from_secs(9), 'o', LoopTime(0))).collect();
        let mut idle = timers.after(Duration::from_secs(60), 'i', LoopTime(0));
        for now in 0..1_000_000 {
            assert!(timers.cancel(idle));
            idle = timers.after(Duration::from_secs(60), 'i', LoopTime(now / 1000));
            assert!(timers.deadlines.len() <= 2 * timers.table.len() + 257, "{}", timers.deadlines.len());
        }
        assert_eq!(timers.table.len(), 101);
        // The living are all there, and run when they are due.
        assert!(others[1..].iter().all(|it| timers.cancel(*it)));
        assert_eq!(run_at(&mut timers, 9_000), "o");
        assert_eq!(run_at(&mut timers, 60_998), "");
        assert_eq!(run_at(&mut timers, 60_999), "i");
        assert_eq!((timers.deadlines.len(), timers.table.len()), (0, 0));
    }

    #[test]
    fn what_a_cancelled_task_holds_is_dropped_at_once() {
        let held = std::rc::Rc::new(());
        let mut timers = Timers::default();
        let id = timers.after(Duration::from_secs(60), std::rc::Rc::clone(&held), LoopTime(0));
        assert_eq!(std::rc::Rc::strong_count(&held), 2);
        assert!(timers.cancel(id));
        assert_eq!(std::rc::Rc::strong_count(&held), 1);
    }
}

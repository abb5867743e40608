//! A bounded queue with a thread of its own for all output of the server: nothing here makes the loop wait.
//!
//! This file knows how much may wait and when the thread runs. It does not know what an entry means.
//!
//! The thread starts with the first entry and ends after an idle period. A second thread makes every system
//! call of the loop slower, because the two threads then share the descriptor table. A server without output
//! has no such thread.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How long the thread waits for another entry before it ends.
const IDLE: Duration = Duration::from_millis(500);
/// How long the end of the server waits until all entries are consumed.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);
/// Counted per entry beside its own size, so that the number of empty entries is bounded too.
const ENTRY_SIZE: usize = 64;

/// The producer's end of the queue. Clones share it.
pub(super) struct Lossy<T>(Arc<LossyShared<T>>);

/// The waiting entries, and how many were left out after them.
#[derive(Debug)]
pub(super) struct Batch<T> {
    pub(super) entries: Vec<T>,
    pub(super) left_out: u64,
}

/// Consumes the entries, on the queue's thread. It may block.
pub(super) trait Consumer<T>: Send + 'static {
    fn consume(&mut self, batch: Batch<T>);
}

struct LossyShared<T> {
    name: &'static str,
    capacity: usize,
    queue: Mutex<LossyState<T>>,
    changed: Condvar,
    consumer: Mutex<Box<dyn Consumer<T>>>,
}

#[derive(Debug)]
struct LossyState<T> {
    entries: Vec<T>,
    /// The bytes of the entries.
    size: usize,
    left_out: u64,
    has_thread: bool,
    /// Whether the thread has taken a batch and not consumed it yet.
    is_busy: bool,
}

impl<T: Send + 'static> Lossy<T> {
    /// Returns a queue for entries of `capacity` bytes, beside as many in the batch under way.
    pub(super) fn new(name: &'static str, capacity: usize, consumer: impl Consumer<T>) -> Self {
        let queue =
            LossyState { entries: Vec::new(), size: 0, left_out: 0, has_thread: false, is_busy: false };
        Self(Arc::new(LossyShared {
            name,
            capacity,
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            consumer: Mutex::new(Box::new(consumer)),
        }))
    }

    /// Queues an entry of `size` bytes. If there is no room, counts it as left out and returns `false`
    /// without calling `entry`.
    pub(super) fn push(&self, size: usize, entry: impl FnOnce() -> T) -> bool {
        let size = size + ENTRY_SIZE;
        let mut queue = self.0.queue();
        // After a gap all entries are left out until the thread has reported the gap at its place.
        if queue.left_out > 0 || queue.size + size > self.0.capacity {
            queue.left_out += 1;
            return false;
        }
        queue.size += size;
        queue.entries.push(entry());
        self.wake(&mut queue);
        true
    }

    /// Counts an entry as left out without offering it.
    pub(super) fn leave_out(&self) {
        let mut queue = self.0.queue();
        queue.left_out += 1;
        self.wake(&mut queue);
    }

    /// Waits until everything is consumed, but not for a reader that does not read.
    pub(super) fn finish(&self) {
        let deadline = Instant::now() + FINISH_TIMEOUT;
        let mut queue = self.0.queue();
        while queue.is_busy || !queue.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.wake(&mut queue);
            queue = self.0.wait(queue, left);
        }
    }

    fn wake(&self, queue: &mut LossyState<T>) {
        if queue.has_thread {
            self.0.changed.notify_all();
            return;
        }
        let shared = Arc::clone(&self.0);
        // If no thread can be started, the entries wait, and the next entry tries again.
        let spawned = thread::Builder::new().name(self.0.name.to_owned()).spawn(move || shared.run());
        queue.has_thread = spawned.is_ok();
    }
}

impl<T> Clone for Lossy<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: 'static> LossyShared<T> {
    /// Runs the thread: consumes batches until none arrives for a while.
    fn run(&self) {
        while let Some(batch) = self.next_batch() {
            // A panic loses this batch and nothing else.
            let _ = catch_unwind(AssertUnwindSafe(|| self.consumer().consume(batch)));
            self.queue().is_busy = false;
            self.changed.notify_all();
        }
    }

    /// Returns the waiting entries; `None` ends the thread.
    fn next_batch(&self) -> Option<Batch<T>> {
        let mut queue = self.queue();
        let deadline = Instant::now() + IDLE;
        while queue.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                queue.has_thread = false;
                return None;
            }
            queue = self.wait(queue, left);
        }
        queue.is_busy = true;
        queue.size = 0;
        Some(Batch { entries: mem::take(&mut queue.entries), left_out: mem::take(&mut queue.left_out) })
    }

    fn consumer(&self) -> MutexGuard<'_, Box<dyn Consumer<T>>> {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, LossyState<T>> {
        // No code panics while it holds the lock; after a panic the queue would still be valid.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        queue: MutexGuard<'a, LossyState<T>>,
        time: Duration,
    ) -> MutexGuard<'a, LossyState<T>> {
        self.changed.wait_timeout(queue, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl<T> LossyState<T> {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.left_out == 0
    }
}

#[cfg(test)]
mod tests {
    use std::{
        error::Error,
        sync::mpsc::{self, Receiver, Sender},
    };

    use super::*;

    /// Hands each batch to the test, and waits for the test's signal.
    struct BlockedConsumer {
        batches: Sender<Batch<u32>>,
        go_on: Receiver<()>,
    }

    impl Consumer<u32> for BlockedConsumer {
        fn consume(&mut self, batch: Batch<u32>) {
            // After the end of the test this must not block.
            let _ = self.batches.send(batch);
            let _ = self.go_on.recv();
        }
    }

    fn blocked_queue(capacity: usize) -> (Lossy<u32>, Receiver<Batch<u32>>, Sender<()>) {
        let (batches, taken) = mpsc::channel();
        let (going, go_on) = mpsc::channel();
        (Lossy::new("test", capacity, BlockedConsumer { batches, go_on }), taken, going)
    }

    #[test]
    fn entries_beyond_the_capacity_are_counted_in_their_place() -> Result<(), Box<dyn Error>> {
        let (queue, taken, going) = blocked_queue(3 * (ENTRY_SIZE + 10));
        assert!(queue.push(10, || 0));
        assert_eq!(taken.recv()?.entries, [0], "and the thread is held up from here on");
        let accepted: Vec<u32> = (1..=9).filter(|&it| queue.push(10, || it)).collect();
        assert_eq!(accepted, [1, 2, 3]);
        going.send(())?;
        let batch = taken.recv()?;
        assert_eq!((batch.entries, batch.left_out), (vec![1, 2, 3], 6));
        // There is room again, even before the batch is consumed.
        assert!(queue.push(10, || 10));
        going.send(())?;
        let batch = taken.recv()?;
        assert_eq!((batch.entries, batch.left_out), (vec![10], 0));
        Ok(())
    }

    #[test]
    fn after_a_gap_small_entries_are_left_out_too() -> Result<(), Box<dyn Error>> {
        let (queue, taken, going) = blocked_queue(2 * ENTRY_SIZE + 100);
        assert!(queue.push(0, || 0));
        taken.recv()?;
        assert!(!queue.push(200, || 1) && !queue.push(0, || 2));
        going.send(())?;
        let batch = taken.recv()?;
        assert_eq!((batch.entries, batch.left_out), (vec![], 2));
        Ok(())
    }

    #[test]
    fn finish_waits_for_a_consumer_up_to_its_timeout() -> Result<(), Box<dyn Error>> {
        let (queue, taken, going) = blocked_queue(1 << 20);
        queue.push(0, || 1);
        taken.recv()?;
        let began = Instant::now();
        queue.finish();
        assert!(began.elapsed() >= FINISH_TIMEOUT);
        going.send(())?;
        queue.push(0, || 2);
        going.send(())?;
        queue.finish();
        assert_eq!(taken.recv()?.entries, [2], "what was queued before is consumed");
        Ok(())
    }

    #[test]
    fn an_idle_thread_ends() -> Result<(), Box<dyn Error>> {
        let (queue, taken, going) = blocked_queue(1 << 20);
        for entry in 1..=2 {
            queue.push(0, || entry);
            assert_eq!(taken.recv()?.entries, [entry]);
            going.send(())?;
            let began = Instant::now();
            while queue.0.queue().has_thread {
                assert!(began.elapsed() < 20 * IDLE);
                thread::sleep(IDLE / 50);
            }
        }
        Ok(())
    }

    #[test]
    fn a_consumer_that_panics_loses_one_batch() {
        struct Picky(Sender<u32>);
        impl Consumer<u32> for Picky {
            fn consume(&mut self, batch: Batch<u32>) {
                for entry in batch.entries {
                    assert_ne!(entry, 1);
                    let _ = self.0.send(entry);
                }
            }
        }
        let (sender, consumed) = mpsc::channel();
        let queue = Lossy::new("test", 1 << 20, Picky(sender));
        for entry in 0..3 {
            queue.push(0, || entry);
            queue.finish();
        }
        assert_eq!(consumed.try_iter().collect::<Vec<_>>(), [0, 2]);
    }
}

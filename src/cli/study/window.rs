//! The window of unacknowledged messages of a page.
//!
//! This file knows numbers and lengths. It does not know what the messages say. The page acknowledges what it
//! has shown, so this bounds what waits in the socket's backlog and what waits inside the browser.

use std::collections::VecDeque;

/// The messages that a page has not acknowledged, up to a number of bytes.
pub(super) struct Window {
    room: usize,
    /// The number of the last message; the first is 1.
    last: u64,
    /// The lengths of the unacknowledged messages.
    unseen: VecDeque<usize>,
    bytes: usize,
    /// How many messages were not sent for lack of room, since the last report.
    missed: u64,
}

impl Window {
    pub(super) fn new(room: usize) -> Self {
        Self { room, last: 0, unseen: VecDeque::new(), bytes: 0, missed: 0 }
    }

    /// Returns whether another message may be sent. One always may if none is unacknowledged, however small
    /// the room is.
    pub(super) fn has_room(&self) -> bool {
        self.unseen.is_empty() || self.bytes < self.room
    }

    pub(super) fn next_number(&self) -> u64 {
        self.last + 1
    }

    pub(super) fn add(&mut self, len: usize) {
        self.last += 1;
        self.bytes += len;
        self.unseen.push_back(len);
    }

    pub(super) fn miss(&mut self, count: u64) {
        self.missed += count;
    }

    /// Returns how many messages were missed, if there is room to report it.
    pub(super) fn take_missed(&mut self) -> Option<u64> {
        if self.missed == 0 || !self.has_room() {
            return None;
        }
        Some(std::mem::take(&mut self.missed))
    }

    /// Acknowledges everything up to this number. A number beyond the last message counts as the last.
    pub(super) fn seen(&mut self, number: u64) {
        let still_unseen = self.last.saturating_sub(number);
        while self.unseen.len() as u64 > still_unseen {
            self.bytes -= self.unseen.pop_front().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_page_gets_no_more_than_fits() {
        let mut window = Window::new(100);
        let mut sent = 0;
        while window.has_room() {
            window.add(30);
            sent += 1;
        }
        assert_eq!(sent, 4, "the last one may reach over");
        window.miss(1);
        window.miss(1);
        assert_eq!(window.take_missed(), None, "there is no room to say it");
        window.seen(1);
        assert_eq!((window.take_missed(), window.take_missed()), (Some(2), None));
        window.seen(4);
        assert_eq!((window.bytes, window.next_number()), (0, 5));
    }

    #[test]
    fn a_false_acknowledgement_does_no_harm() {
        let mut window = Window::new(10);
        for number in [0, u64::MAX] {
            window.seen(number);
        }
        window.add(20);
        window.add(20);
        window.seen(0);
        assert!(!window.has_room());
        window.seen(u64::MAX);
        window.seen(1);
        assert!(window.has_room() && window.bytes == 0);
    }

    #[test]
    fn there_is_always_room_for_one() {
        let mut window = Window::new(0);
        assert!(window.has_room());
        window.add(1);
        assert!(!window.has_room());
        window.seen(1);
        assert!(window.has_room());
    }
}

//! The time of day, and its form in a file name.
//!
//! This file knows the calendar. It does not know time zones: all times are UTC.

use std::time::{Duration, Instant, SystemTime};

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// The time of day, unaffected by later changes of the system clock.
#[derive(Debug)]
pub(super) struct Clock {
    /// Since the beginning of 1970.
    began: Duration,
    started: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { began, started: Instant::now() }
    }

    pub(super) fn now(&self) -> Duration {
        self.began + self.started.elapsed()
    }
}

/// Returns a UTC time in a form that every system allows in file names: `2026-02-28T235959.123456Z`. The
/// order of the names is the order of the times.
pub(super) fn file_time(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (year, month, day) = date(seconds / SECONDS_PER_DAY);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let micros = since_1970.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}{minute:02}{second:02}.{micros:06}Z")
}

/// Returns year, month and day, from the number of days since the beginning of 1970.
fn date(mut days: u64) -> (u64, usize, u64) {
    const fn is_leap(year: u64) -> bool {
        year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
    }
    const fn days_of_month(year: u64, month: usize) -> u64 {
        match month {
            2 => 28 + is_leap(year) as u64,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
    let (mut year, mut month) = (1970, 1);
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_in_utc() {
        // The output of `date -u -d @…`.
        for (seconds, text) in [
            (0, "1970-01-01T000000.000000Z"),
            (951_782_399, "2000-02-28T235959.000000Z"),
            (951_782_400, "2000-02-29T000000.000000Z"),
            (951_868_800, "2000-03-01T000000.000000Z"),
            (1_767_225_599, "2025-12-31T235959.000000Z"),
            (4_107_542_400, "2100-03-01T000000.000000Z"),
        ] {
            assert_eq!(file_time(Duration::from_secs(seconds)), text);
        }
        assert_eq!(file_time(Duration::from_micros(1_000_042)), "1970-01-01T000001.000042Z");
    }
}

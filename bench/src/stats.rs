//! Medians, spreads and percentiles. It knows numbers only.

use serde::{Deserialize, Serialize};

/// The middle and the ends of a handful of measurements.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Self { median, min, max })
    }
}

/// Three points of a latency distribution, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
}

/// Counts nanoseconds in buckets whose width grows with the value, so that each is at most 3 % wide.
///
/// Recording is one increment, cheap enough for every answer of a loaded server.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

/// Each power of two is cut into 2⁵ buckets.
const PRECISION: u32 = 5;

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; (64 - PRECISION as usize + 1) << PRECISION], total: 0 }
    }

    pub(crate) fn record(&mut self, nanoseconds: u64, times: u64) {
        self.counts[bucket(nanoseconds)] += times;
        self.total += times;
    }

    pub(crate) fn latency(&self) -> Option<Latency> {
        let micros = |share| Some(self.percentile(share)? as f64 / 1e3);
        Some(Latency { p50: micros(0.50)?, p90: micros(0.90)?, p99: micros(0.99)? })
    }

    fn percentile(&self, share: f64) -> Option<u64> {
        let rank = (self.total as f64 * share) as u64;
        let mut seen = 0;
        let index = self.counts.iter().position(|count| {
            seen += count;
            seen > rank
        })?;
        Some(lowest_in(index))
    }
}

/// Small values have a bucket each; a larger one is named by its power of two and the five bits below the
/// first.
fn bucket(value: u64) -> usize {
    let power = value.checked_ilog2().unwrap_or(0);
    if power <= PRECISION {
        return value as usize;
    }
    let shift = power - PRECISION;
    ((shift as usize) << PRECISION) + (value >> shift) as usize
}

fn lowest_in(bucket: usize) -> u64 {
    let shift = (bucket >> PRECISION).saturating_sub(1);
    if shift == 0 {
        return bucket as u64;
    }
    ((bucket - (shift << PRECISION)) as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_its_lowest_value_and_is_at_most_3_percent_wide() {
        for value in (0..4000).chain([1 << 20, (1 << 20) + 12345, 987_654_321, u64::MAX]) {
            let lowest = lowest_in(bucket(value));
            assert_eq!(bucket(lowest), bucket(value), "of {value}");
            assert!(lowest <= value && value - lowest <= value / 32, "{lowest} for {value}");
        }
    }

    #[test]
    fn percentiles_of_a_hundred_values() {
        let mut histogram = Histogram::new();
        (0..100).for_each(|value| histogram.record(value * 1000, 1));
        let latency = histogram.latency().unwrap();
        assert!((latency.p50 - 50.0).abs() < 2.0, "{latency:?}");
        assert!((latency.p99 - 99.0).abs() < 4.0, "{latency:?}");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.5, 4.0));
        assert!(Spread::of([]).is_none());
    }
}

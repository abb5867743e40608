//! All turns of a run, in an order that is fair: within a round the contestants take turns, and each round
//! starts with another one, so that other work of the machine affects all of them alike. Ratios are taken
//! within a round.

use crate::contestants::Contestant;
use crate::rows::{Load, Row};
use crate::turns::{self, Conditions, Sample};

/// Memory hardly varies, and 10,000 connections take long: fewer rounds suffice.
const IDLE_ROUNDS: usize = 3;

/// All that was measured of one row.
pub(crate) struct Outcome {
    pub(crate) row: &'static Row,
    pub(crate) samples: Vec<Sample>,
    /// Contestants that dropped out, and why.
    pub(crate) failures: Vec<(String, String)>,
}

pub(crate) fn run_row(
    row: &'static Row,
    contestants: &[Contestant],
    rounds: usize,
    conditions: Conditions,
    progress: impl Fn(usize, usize),
) -> Outcome {
    let service = row.load.service();
    let mut field: Vec<&Contestant> = contestants.iter().filter(|c| c.offers(service)).collect();
    let mut outcome = Outcome { row, samples: Vec::new(), failures: Vec::new() };
    let rounds = if matches!(row.load, Load::Idle { .. }) { rounds.min(IDLE_ROUNDS) } else { rounds };
    for round in 0..rounds {
        progress(round + 1, rounds);
        let mut failed = Vec::new();
        for contestant in &field {
            match turns::measure(contestant, row, round, conditions) {
                Ok(sample) => outcome.samples.push(sample),
                Err(error) => failed.push((contestant.name.clone(), error.to_string())),
            }
        }
        // A contestant that failed would fail again; the others continue without it.
        field.retain(|contestant| failed.iter().all(|(name, _)| *name != contestant.name));
        outcome.failures.append(&mut failed);
        if !field.is_empty() {
            field.rotate_left(1);
        }
    }
    outcome
}

//! The stages of a connection, and which may follow which.
//!
//! This file knows the table. It does not know what follows from a change: `stages.rs` does.

/// The stage of a connection, seen from the socket.
///
/// ```text
/// Connecting ──▶ Open ──▶ Closing ──▶ Finishing ──▶ Lingering ──▶ Dead
/// Connecting ──▶ Finishing                           the request is refused
/// Open ──▶ Finishing                                 the connection fails, or the peer closes first
/// Closing ──▶ Lingering                              nothing waits to be written
/// Connecting | Open | Closing | Finishing ──▶ Dead   the socket fails, or the connection is dropped
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The server awaits the request head, or a client the answer.
    Connecting,
    /// Messages go both ways.
    Open,
    /// Our Close is on its way; the peer's is awaited (§7.1.3).
    Closing,
    /// Nothing new is sent; what waits still goes out.
    Finishing,
    /// Everything is sent, and TCP is closed from our side (§7.1.1). Input is discarded until the peer
    /// closes too: closing with unread input would reset the connection, and the peer could lose our last
    /// bytes.
    Lingering,
    /// Removed at the end of the turn.
    Dead,
}

/// Each stage, and the stages that may follow it.
const TRANSITIONS: [(Stage, &[Stage]); 6] = [
    (Stage::Connecting, &[Stage::Open, Stage::Finishing, Stage::Dead]),
    (Stage::Open, &[Stage::Closing, Stage::Finishing, Stage::Dead]),
    (Stage::Closing, &[Stage::Finishing, Stage::Lingering, Stage::Dead]),
    (Stage::Finishing, &[Stage::Lingering, Stage::Dead]),
    (Stage::Lingering, &[Stage::Dead]),
    (Stage::Dead, &[]),
];

impl Stage {
    /// Returns whether a connection in this stage may go to `next`.
    pub(crate) fn may_become(self, next: Self) -> bool {
        TRANSITIONS.iter().any(|(stage, followers)| *stage == self && followers.contains(&next))
    }

    /// Returns whether the connection counts against `max_connections`: it is open, may become so, or awaits
    /// a Close.
    pub(crate) const fn is_live(self) -> bool {
        matches!(self, Self::Connecting | Self::Open | Self::Closing)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The transitions in the picture of [`Stage`], as text: on each line of arrows, from every stage before
    /// an arrow to the one after it.
    fn pictured() -> BTreeSet<(String, String)> {
        let source = include_str!("stage.rs");
        let picture = source.split("/// ```text\n").nth(1).and_then(|it| it.split("/// ```\n").next());
        let lines = picture.unwrap_or_default().lines().map(|line| line.trim_start_matches("/// "));
        let mut pairs = BTreeSet::new();
        for line in lines {
            let stops: Vec<&str> = line.split("──▶").collect();
            for pair in stops.windows(2) {
                let to = pair[1].split_whitespace().next().unwrap_or_default();
                pairs.extend(pair[0].split('|').map(|from| (from.trim().to_owned(), to.to_owned())));
            }
        }
        pairs
    }

    #[test]
    fn the_picture_of_the_stages_is_the_table() {
        let stages = TRANSITIONS.map(|(stage, _)| stage);
        let pairs = stages.iter().flat_map(|from| stages.iter().map(move |to| (*from, *to)));
        let allowed = pairs.filter(|(from, to)| from.may_become(*to));
        let table: BTreeSet<_> = allowed.map(|(from, to)| (format!("{from:?}"), format!("{to:?}"))).collect();
        assert_eq!(table, pictured());
    }

    #[test]
    fn no_stage_has_two_rows_and_every_way_ends() {
        let rows: BTreeSet<String> = TRANSITIONS.iter().map(|(stage, _)| format!("{stage:?}")).collect();
        assert_eq!(rows.len(), TRANSITIONS.len());
        for (stage, followers) in TRANSITIONS {
            assert_eq!(stage.may_become(Stage::Dead), stage != Stage::Dead);
            assert!(!followers.contains(&stage), "{stage:?} follows itself");
        }
    }
}

//! Invariant: a payload is masked as §5.3 says, octet by octet, wherever it is in memory and however it is
//! cut; masking twice gives it back.

use wirehook::protocol::{apply_mask, turn_key};

use super::{client::masked, plan::Plan};

/// A key, where the payload is cut, and the payload.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let (key, cut): ([u8; 4], _) = (plan.array(), usize::from(plan.byte()));
    let payload = plan.0;
    let expected = masked(payload, key);

    let mut whole = payload.to_vec();
    apply_mask(&mut whole, key);
    assert_eq!(whole, expected);
    apply_mask(&mut whole, key);
    assert_eq!(whole, payload);

    // After `cut` other bytes, so that a piece begins anywhere in memory too.
    let (first, second) = whole.split_at_mut(cut.min(payload.len()));
    apply_mask(first, key);
    apply_mask(second, turn_key(key, first.len()));
    assert_eq!(whole, expected, "cut at {cut}");
}

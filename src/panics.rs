//! Calls code of the user, or of a library that a peer's bytes reach, so that a panic in it does not end the
//! loop.
//!
//! This file knows that `Drop` is such code too: of a panic's payload, of a connection's state, of a task. It
//! does not know the consequences of a panic.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use log::error;

/// Returns what `call` returns; `None` if it panics.
#[inline]
pub(crate) fn catch<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            drop_payload(payload);
            None
        }
    }
}

/// Drops a value of the user.
pub(crate) fn discard<T>(value: T) {
    if catch(|| drop(value)).is_none() {
        error!("a value of the application has panicked while it was dropped");
    }
}

/// Drops the payload of a panic.
#[cold]
fn drop_payload(payload: Box<dyn Any + Send>) {
    // A payload may carry the next one in its `Drop`, and so on without end: the second one is leaked.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// Panics with another `Bomb` when it is dropped.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Self);
        }
    }

    #[test]
    fn a_payload_that_panics_in_its_own_drop_is_caught() {
        assert_eq!(catch(|| 7), Some(7));
        assert!(catch(|| panic_any(Bomb)).is_none());
    }

    #[test]
    fn a_value_that_panics_in_its_drop_is_discarded() {
        discard(Bomb);
    }
}

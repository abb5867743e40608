//! A request that is held until the application answers it.
//!
//! Of its connection nothing is read meanwhile. The head is kept as bytes and parsed again: hooks get a
//! request that borrows from it.

use std::{any::Any, collections::TryReserveError, sync::Arc};

use crate::{
    panics,
    protocol::{Limits, Request, RequestReader, append},
    upgrade::{Slot, Upgrade},
};

/// A complete request without an answer yet.
#[derive(Debug)]
pub(super) struct Held {
    head: Vec<u8>,
    /// The limits of the request's route, if it has its own.
    limits: Option<Limits>,
    /// An `Arc<Slot<S>>`, where `S` is the state: a connection's receiving side does not know that type.
    slot: Option<Box<dyn Any>>,
}

impl Held {
    pub(super) fn new<S: 'static>(
        request: &Request<'_>,
        slot: Arc<Slot<S>>,
        limits: Option<Limits>,
    ) -> Result<Box<Self>, TryReserveError> {
        let mut head = Vec::new();
        head.try_reserve_exact(request.head().len())?;
        append(&mut head, request.head());
        Ok(Box::new(Self { head, limits, slot: Some(Box::new(slot)) }))
    }

    /// Returns how many bytes are held.
    pub(super) const fn len(&self) -> usize {
        self.head.len()
    }

    /// Takes the answer, if there is one.
    pub(super) fn take_answer<S: 'static>(&self) -> Option<Upgrade<S>> {
        let slot = self.slot.as_ref()?.downcast_ref::<Arc<Slot<S>>>()?;
        slot.take().map(|upgrade| upgrade.or_limits(self.limits))
    }

    /// Calls `answer` with the request.
    pub(super) fn with_request<T>(
        &mut self,
        limits: &Limits,
        answer: impl FnOnce(&Request<'_>) -> T,
    ) -> Option<T> {
        let mut reader = RequestReader::default();
        let request = reader.next_request(&mut &mut self.head[..], limits).ok()??;
        Some(answer(&request))
    }
}

impl Drop for Held {
    /// Drops an answer that nothing has taken: it may hold a value of the application, whose `Drop` may
    /// panic.
    fn drop(&mut self) {
        panics::discard(self.slot.take());
    }
}

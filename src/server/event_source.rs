//! Where the events of a connection come from.

use crate::{
    hub::Hub,
    protocol::{Event, ProtocolError, Receiver, Role},
};

/// Where the events of a connection come from: its receiver, and what that needs.
pub(super) trait EventSource {
    type Role: Role;

    /// Takes the next event from the input.
    ///
    /// # Errors
    ///
    /// The peer has broken a rule.
    fn next_event<'s, 'a: 's, S>(
        &'s mut self,
        input: &mut &'a mut [u8],
        hub: &mut Hub<S>,
    ) -> Result<Option<Event<'s>>, ProtocolError>;

    fn receiver(&mut self) -> &mut Receiver<Self::Role>;
}

impl<R: Role> EventSource for Receiver<R> {
    type Role = R;

    #[inline(always)]
    fn next_event<'s, 'a: 's, S>(
        &'s mut self,
        input: &mut &'a mut [u8],
        _: &mut Hub<S>,
    ) -> Result<Option<Event<'s>>, ProtocolError> {
        self.next_event(input)
    }

    #[inline(always)]
    fn receiver(&mut self) -> &mut Self {
        self
    }
}

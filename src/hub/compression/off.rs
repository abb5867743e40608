//! What the hub does where compression is not compiled in: every message goes as it is.

use std::rc::Rc;

use super::{
    client_side::ClientSender, masked::Masked, meter::SharedPrepared, outbound::Outbound, registry::ConnId,
    table::Hub,
};
use crate::{
    config::Config,
    protocol::{Message, Prepared},
};

/// There is none.
pub(crate) enum Compression {}

pub(super) type Twins = [(); 0];

impl Compression {
    pub(super) const fn of(_: &Config) -> Option<Box<Self>> {
        None
    }

    pub(super) const fn memory(&self) -> (usize, usize) {
        match *self {}
    }
}

impl<S> Hub<S> {
    pub(super) const fn compress(&self, _: ConnId, _: Message<'_>) -> Option<Vec<u8>> {
        None
    }

    pub(super) const fn compress_fragments(&self, _: ConnId, _: Message<'_>, _: usize) -> Option<Vec<u8>> {
        None
    }

    pub(super) const fn compress_prepared(&self, _: ConnId, _: &Prepared) -> Option<Vec<u8>> {
        None
    }

    pub(super) const fn compress_shared(
        &self,
        _: ConnId,
        _: &Prepared,
        _: &mut Twins,
    ) -> Option<Rc<SharedPrepared>> {
        None
    }

    pub(super) fn return_frame(&self, _: ConnId, _: Vec<u8>, _: bool) {}

    pub(super) const fn note_compressed(&self, _: bool, _: usize) {}

    pub(super) const fn forget_compressor(&self, _: ConnId) {}

    pub(crate) const fn release_unused_compressors(&self) {}

    pub(crate) const fn release_compressors(&self) {}
}

/// Appends a message to a server. Returns whether it was compressed.
pub(super) fn encode_masked(
    _: Option<&mut Compression>,
    _: ConnId,
    message: Masked<'_>,
    sender: &mut ClientSender,
    out: &mut Vec<u8>,
) -> bool {
    // The only error is that Close was sent, which the caller has excluded.
    let _ = message.encode(sender, out);
    false
}

impl<S> Outbound<S> {
    #[inline]
    pub(super) const fn compresses(&self) -> bool {
        false
    }
}

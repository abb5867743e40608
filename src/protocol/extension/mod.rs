//! RFC 7692 Compression of messages: permessage-deflate.
//!
//! One file per kind of knowledge: `offer.rs` (what the four parameters say), `negotiation.rs` (which of
//! them are agreed on), `inflate.rs` (from compressed bytes to a message), `deflate.rs` (from a message to
//! compressed bytes).

mod deflate;
mod inflate;
mod negotiation;
mod offer;

pub(super) use deflate::Compressing;
pub use deflate::{Compressor, Deflater};
pub use inflate::Inflater;
pub(super) use inflate::Window;
pub use negotiation::{DeflateConfig, DeflateParams, NegotiatedDeflate};
pub use offer::{DeflateOffer, InvalidDeflate, MAX_WINDOW_BITS};

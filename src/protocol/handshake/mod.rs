//! §4.2 The opening handshake of a server: bytes of a request in, a verdict and a response out.
//!
//! One file per kind of knowledge: `head.rs` (from bytes to a head), `request.rs` (what it says), `offers.rs` (the
//! lists in it), `grammar.rs` (which bytes a part may have), `check.rs` (the rules), `accept.rs` (the key), `response.rs`
//! (the answer). None of them knows sockets or time.

mod accept;
mod check;
mod grammar;
mod head;
mod offers;
mod request;
mod response;

pub use accept::{GUID, accept_digest, accept_key, decode_key};
pub use head::RequestReader;
pub use offers::ExtensionOffer;
pub use request::Request;
pub use response::{InvalidHeader, Response};

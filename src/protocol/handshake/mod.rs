//! §4 The opening handshake: of a server, with bytes of a request in, a verdict and a response out; and of a
//! client.
//!
//! One file per kind of knowledge: `head.rs` (from bytes to a head), `request.rs` (what it says), `fields.rs`
//! (what an application asks for by name), `offers.rs` (the lists in it), `grammar.rs` (which bytes a part
//! may have), `check.rs` (the rules), `accept.rs` (the key), `response.rs` (the answer). `client.rs` and its
//! folder have the same for a client. None of them knows sockets or time.

mod accept;
mod check;
mod client;
mod fields;
mod grammar;
mod head;
mod offers;
mod request;
mod response;

pub use accept::{GUID, accept_digest, accept_key, decode_key, encode_key};
pub use client::{
    Accepted, Answer, ClientHandshake, ClientRequest, Refusal, ResponseError, ResponseHead, Uri, UriError,
};
pub use head::RequestReader;
pub use offers::ExtensionOffer;
pub use request::Request;
pub use response::{InvalidHeader, Response};

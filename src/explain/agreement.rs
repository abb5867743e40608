//! RFC 7692 §7.1 What a response agrees on, parameter by parameter.
//!
//! This file knows the meaning of each parameter. The codec judges whether they are valid.

#[cfg(feature = "deflate")]
use crate::protocol::{DeflateOffer, DeflateParams, ExtensionOffer, InvalidDeflate};

use super::{
    extension::DEFLATE,
    handshake::{Check, Headers},
};

/// The parameters of permessage-deflate in a response: their sections, and what they mean.
const DEFLATE_PARAMS: [(&str, &str, &str); 4] = [
    (
        "server_no_context_takeover",
        "RFC 7692 §7.1.1.1",
        "each message of the server begins with an empty window",
    ),
    (
        "client_no_context_takeover",
        "RFC 7692 §7.1.1.2",
        "each message of the client begins with an empty window",
    ),
    (
        "server_max_window_bits",
        "RFC 7692 §7.1.2.1",
        "the server refers back 2 to this power of bytes at most",
    ),
    (
        "client_max_window_bits",
        "RFC 7692 §7.1.2.2",
        "the client refers back 2 to this power of bytes at most",
    ),
];

impl Headers<'_> {
    /// RFC 7692 §7.1: returns what each parameter of an accepted permessage-deflate means.
    pub(super) fn deflate_params(&self) -> impl Iterator<Item = Check> {
        let is_valid = self.is_valid_deflate();
        let value =
            if self.extensions() == [DEFLATE] { self.value("Sec-WebSocket-Extensions") } else { None };
        value.unwrap_or_default().split(';').skip(1).filter_map(move |param| {
            let name = param.split('=').next().unwrap_or_default().trim();
            let (_, section, means) = DEFLATE_PARAMS.iter().find(|(it, ..)| *it == name)?;
            Some(self.check(section, &format!("{}: {means}", param.trim()), is_valid))
        })
    }

    /// RFC 7692 §7.1: returns what a response agrees on, if that is permessage-deflate alone, and valid.
    #[cfg(feature = "deflate")]
    pub(super) fn deflate(&self) -> Option<DeflateParams> {
        self.judged_deflate()?.ok()
    }

    /// Returns whether the parameters are such that a client need not fail at them (RFC 7692 §7.1).
    #[cfg(feature = "deflate")]
    fn is_valid_deflate(&self) -> bool {
        // What this side does not support, another may.
        self.judged_deflate().is_none_or(|it| !it.is_err_and(|error| error != InvalidDeflate::Unsupported))
    }

    #[cfg(not(feature = "deflate"))]
    const fn is_valid_deflate(&self) -> bool {
        true
    }

    #[cfg(feature = "deflate")]
    fn judged_deflate(&self) -> Option<Result<DeflateParams, InvalidDeflate>> {
        let value = self.value("Sec-WebSocket-Extensions")?;
        if value.contains(',') || self.extensions() != [DEFLATE] {
            return None;
        }
        let params = value.split(';').skip(1).map(|param| match param.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"').into())),
            None => (param.trim(), None),
        });
        // An offer that allows every answer; whether it suits the request is another check.
        let offer = DeflateOffer { client_max_window_bits: Some(None), ..DeflateOffer::default() };
        Some(offer.judge(&ExtensionOffer { name: DEFLATE, params: params.collect() }))
    }
}

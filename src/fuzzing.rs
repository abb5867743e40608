//! The entrance for fuzz targets that need more than the public API. Only cargo-fuzz sets the `cfg` for it.
//!
//! This file knows which bodies there are. It refuses to know what they check: each stands beside its code.

/// The body of the target `server`.
pub fn server(script: &[u8]) {
    crate::server::tests::fuzz::body(script);
}

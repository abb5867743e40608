//! The functions for fuzz targets that need more than the public API. Only cargo-fuzz sets the `cfg` for it.
//!
//! This file lists the bodies of the targets. Each is beside the code that it checks.

/// The body of the target `server`.
pub fn server(script: &[u8]) {
    crate::server::simulator::fuzz::body(script);
}

/// The body of the target `arguments`.
#[cfg(feature = "cli")]
pub fn arguments(lines: &[u8]) {
    crate::cli::fuzz::arguments(lines);
}

/// The body of the target `capture`.
#[cfg(feature = "cli")]
pub fn capture(file: &[u8]) {
    crate::cli::fuzz::capture(file);
}

/// The body of the target `replay_peer`.
#[cfg(feature = "cli")]
pub fn replay_peer(plan: &[u8]) {
    crate::cli::fuzz::replay_peer(plan);
}

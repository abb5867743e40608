//! The roles: one file per kind of client, and the promises that it checks.
//!
//! This file lists the roles. `soak.rs` decides the number of each.

mod echo;
mod flood;
mod slow_head;
mod storm;
mod unresponsive;
mod vanisher;
mod violator;
mod visitor;

pub(crate) use echo::{ECHOED, Echo, GOODBYE, PINGED, PONGED, Style};
pub(crate) use flood::{CUT_OFF, Fate, Flood};
pub(crate) use slow_head::{SLOW_HEAD, SlowHead};
pub(crate) use storm::{STORM, Storm};
pub(crate) use unresponsive::{IGNORED, Unresponsive};
pub(crate) use vanisher::{HALF_CLOSED, Vanisher};
pub(crate) use violator::{ANSWERED, BadRequest, REFUSED, Violator};
pub(crate) use visitor::{GOES_AWAY, Visitor};

//! Who comes: one file per kind of client, and the promises that each of them holds the server to.
//!
//! This file knows only that there are roles. How many of each come is decided by the run.

mod deaf;
mod echo;
mod flood;
mod guest;
mod loris;
mod sinner;
mod storm;
mod vanisher;

pub(crate) use deaf::{Deaf, IGNORED};
pub(crate) use echo::{ECHOED, Echo, GOODBYE, PINGED, PONGED, Style};
pub(crate) use flood::{CUT_OFF, Fate, Flood};
pub(crate) use guest::{GOES_AWAY, Guest};
pub(crate) use loris::{SLOW_HEAD, SlowHead};
pub(crate) use sinner::{BadRequest, CONVICTED, REFUSED, Sinner};
pub(crate) use storm::{STORM, Storm};
pub(crate) use vanisher::{HALF_CLOSED, Vanisher};

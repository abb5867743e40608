//! Attacks that once succeeded, each against its own server.
//!
//! This folder knows the attacks and the tolerated damage. One file per attack.

mod bombs;
mod ending_sockets;
mod fan_out;
mod held;
mod stopped_process;
mod timers;
mod unread_output;

use crate::scenario::Group;

pub(crate) const ATTACKS: Group = Group {
    title: "attacks",
    scenarios: &[
        ("bombs", bombs::bombs),
        ("rooms", fan_out::silent_room),
        ("broadcasts", fan_out::broadcasting_thread),
        ("held", held::nearly_taken),
        ("stopped", stopped_process::stopped_process),
        ("timers", timers::idle_timer),
        ("ending", ending_sockets::ending_sockets),
        ("unread", unread_output::unread_log),
        ("explained", unread_output::explained_flood),
    ],
};

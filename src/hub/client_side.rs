//! What a connection has if this program is its client.
//!
//! This file knows how far it has come until it opens, and its sender, which masks. It refuses to know
//! sockets.

use std::net::IpAddr;

use crate::{
    cause::Cause,
    connect::Target,
    entropy::Keys,
    protocol::{Client, ClientRequest, Sender},
};

/// The sender of a client: it masks each frame with a fresh key (§5.3).
pub(crate) type ClientSender = Sender<Client<Keys>>;

/// The client's part of a connection.
#[derive(Debug)]
pub(crate) struct ClientSide {
    /// Says what may be sent: `None` before the connection opens, and once nothing new may be sent to it.
    pub(super) sender: Option<ClientSender>,
    /// What the loop does next to open the connection.
    step: Option<Step>,
    /// The address that it connects to, or waits for (§4.1).
    pub(super) address: Option<IpAddr>,
    /// The observer knows of the connection.
    pub(super) is_observed: bool,
}

/// What is to be done for a connection that is not open yet.
#[derive(Debug)]
pub(crate) enum Step {
    Begin(Target, ClientRequest),
    /// No other connection to its address is opening any more.
    Turn,
    /// Its socket has failed, or it was dropped.
    Trouble(Cause),
}

impl ClientSide {
    pub(super) const fn new(target: Target, request: ClientRequest) -> Self {
        Self { sender: None, step: Some(Step::Begin(target, request)), address: None, is_observed: false }
    }

    /// Returns whether something is to be done at once.
    pub(super) const fn has_step(&self) -> bool {
        self.step.is_some()
    }

    pub(super) const fn take_step(&mut self) -> Option<Step> {
        self.step.take()
    }

    /// Notes that the connection is in trouble. The first reason counts.
    pub(super) fn note_trouble(&mut self, cause: Cause) {
        if !matches!(self.step, Some(Step::Trouble(_))) {
            self.step = Some(Step::Trouble(cause));
        }
    }

    /// Notes that it may connect now.
    pub(super) fn note_turn(&mut self) {
        self.step.get_or_insert(Step::Turn);
    }

    /// Returns whether frames may be sent.
    pub(super) fn may_send(&self) -> bool {
        self.sender.as_ref().is_some_and(|sender| !sender.is_close_sent())
    }
}

//! §7.4 Status codes.
//!
//! This file knows the meaning of each code and which codes may be sent. `close.rs` writes a code into a
//! frame.

use std::fmt;

/// A status code of §7.4.
///
/// It may be any number, even one that *describes* a close and is never sent (1005, 1006, 1015).
///
/// ```
/// use wirehook::protocol::CloseCode;
///
/// assert_eq!(CloseCode::NORMAL.to_string(), "1000 normal closure");
/// assert!(CloseCode(4321).may_be_sent());
/// assert!(!CloseCode::ABNORMAL.may_be_sent());
/// assert_eq!((CloseCode(1001).name(), CloseCode(4321).name()), (Some("going away"), None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint goes away: a server goes down, a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the endpoint can't accept this type of data.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: describes a Close frame without a code; never sent.
    pub const NO_STATUS_RECEIVED: Self = Self(1005);
    /// 1006: describes an end without a Close frame; never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data not consistent with its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message that violates the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: a client misses an extension in the server's answer.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: overloaded; try again later (IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: describes a failed TLS handshake; never sent.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Returns whether a Close frame may contain the code, ours or the peer's (§7.4.1, §7.4.2).
    pub const fn may_be_sent(self) -> bool {
        match self.0 {
            // §7.4.2: "Status codes in the range 0-999 are not used."
            0..=999 => false,
            // §7.4.1: 1004 is reserved; 1005, 1006 and 1015 "MUST NOT be set as a status code in
            // a Close control frame by an endpoint".
            1004..=1006 | 1015 => false,
            // §7.4.1 defines 1000 to 1011, the IANA registry of §11.7 has added 1012 to 1014.
            1000..=1014 => true,
            // §7.4.2: 1000-2999 are reserved for the protocol's own future.
            1016..=2999 => false,
            // §7.4.2: 3000-3999 are for libraries and frameworks, 4000-4999 for private use.
            3000..=4999 => true,
            // §7.4.2 ends at 4999.
            5000.. => false,
        }
    }

    /// Returns whether a server may give the code as its own reason: every code that
    /// [may be sent](Self::may_be_sent) but 1010.
    ///
    /// §7.4.1: 1010 "is not used by the server, because it can fail the WebSocket handshake instead". The
    /// answer to a client's 1010 repeats that code all the same (§5.5.1), as the client's reason.
    ///
    /// ```
    /// use wirehook::protocol::CloseCode;
    ///
    /// assert!(CloseCode::GOING_AWAY.may_be_sent_by_server());
    /// assert!(CloseCode::MANDATORY_EXTENSION.may_be_sent()); // by a client
    /// assert!(!CloseCode::MANDATORY_EXTENSION.may_be_sent_by_server());
    /// ```
    pub const fn may_be_sent_by_server(self) -> bool {
        self.may_be_sent() && self.0 != Self::MANDATORY_EXTENSION.0
    }

    /// Returns the name of the code in §7.4.1, if it has one.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NORMAL => "normal closure",
            Self::GOING_AWAY => "going away",
            Self::PROTOCOL_ERROR => "protocol error",
            Self::UNSUPPORTED_DATA => "unsupported data",
            Self::NO_STATUS_RECEIVED => "no status received",
            Self::ABNORMAL => "abnormal closure",
            Self::INVALID_PAYLOAD => "invalid payload data",
            Self::POLICY_VIOLATION => "policy violation",
            Self::MESSAGE_TOO_BIG => "message too big",
            Self::MANDATORY_EXTENSION => "mandatory extension",
            Self::INTERNAL_ERROR => "internal error",
            Self::SERVICE_RESTART => "service restart",
            Self::TRY_AGAIN_LATER => "try again later",
            Self::BAD_GATEWAY => "bad gateway",
            Self::TLS_HANDSHAKE => "TLS handshake failed",
            _ => return None,
        })
    }
}

impl From<u16> for CloseCode {
    /// Converts any number. The sender checks whether it [may be sent](Self::may_be_sent).
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        self.name().map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

//! The commands that a page may send, each in one line of text.
//!
//! This file parses commands. It does not run them.
//!
//! ```text
//! seen NUMBER                  every message up to this number is on the page
//! ping SESSION [PAYLOAD]       send a ping (§5.5.2)
//! echo SESSION on|off          answer messages with themselves, or not at all
//! fragment SESSION LENGTH      answer in fragments (§5.4) of LENGTH bytes; 0 is one frame again
//! fail SESSION 1002|1007|1009  close as if a rule had been broken (§7.1.7), with the rule's reason
//! close SESSION CODE [REASON]  begin the closing handshake (§7.1.2); 1005 sends a Close without a body
//! vanish SESSION               drop TCP without a Close (§7.1.7; the other end sees 1006)
//! ```

use std::borrow::Cow;

use wirehook::{
    CloseCode,
    protocol::{MAX_CLOSE_REASON, ProtocolError},
};

/// §5.5: the longest payload of a ping.
const MAX_PING: usize = 125;
/// The longest fragment: the largest 16-bit length.
const MAX_FRAGMENT_LEN: usize = 65_535;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum PageCommand<'a> {
    Seen(u64),
    Session { session: u32, command: SessionCommand<'a> },
}

/// A command for one session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SessionCommand<'a> {
    Ping(&'a str),
    Echo(bool),
    /// Bytes in each fragment; `None` for no fragments.
    Fragment(Option<usize>),
    Close(CloseCode, Cow<'a, str>),
    Vanish,
}

/// The rules that a page can have the server fail a session for, by close code.
const BREACHES: [ProtocolError; 3] =
    [ProtocolError::ReservedBits, ProtocolError::TextNotUtf8, ProtocolError::MessageTooBig];

/// Parses a command. Errors need no escaping in JSON.
pub(super) fn parse(line: &str) -> Result<PageCommand<'_>, &'static str> {
    let (verb, rest) = split(line);
    if verb == "seen" {
        return rest.parse().map(PageCommand::Seen).map_err(|_| "seen what? a number, please");
    }
    let (session, rest) = split(rest);
    let command = match verb {
        "ping" => ping(rest),
        "echo" => echo(rest),
        "fragment" => fragment(rest),
        "fail" => fail(rest),
        "close" => close(rest),
        "vanish" if rest.is_empty() => Ok(SessionCommand::Vanish),
        "vanish" => Err("to vanish takes nothing more"),
        _ => Err("there is no such command"),
    }?;
    let session = session.parse().map_err(|_| "a command names its session by number")?;
    Ok(PageCommand::Session { session, command })
}

fn ping(payload: &str) -> Result<SessionCommand<'_>, &'static str> {
    if payload.len() > MAX_PING {
        Err("a ping carries 125 bytes at most")
    } else {
        Ok(SessionCommand::Ping(payload))
    }
}

fn echo(switch: &str) -> Result<SessionCommand<'_>, &'static str> {
    match switch {
        "on" => Ok(SessionCommand::Echo(true)),
        "off" => Ok(SessionCommand::Echo(false)),
        _ => Err("echo is on or off"),
    }
}

fn fragment(len: &str) -> Result<SessionCommand<'_>, &'static str> {
    match len.parse() {
        Ok(0) => Ok(SessionCommand::Fragment(None)),
        Ok(len @ 1..=MAX_FRAGMENT_LEN) => Ok(SessionCommand::Fragment(Some(len))),
        _ => Err("a fragment has 1 to 65535 bytes; 0 is for whole answers"),
    }
}

fn fail(code: &str) -> Result<SessionCommand<'_>, &'static str> {
    let breach = BREACHES.into_iter().find(|it| it.close_code().0.to_string() == code);
    let breach = breach.ok_or("to fail is to close with 1002, 1007 or 1009")?;
    Ok(SessionCommand::Close(breach.close_code(), breach.to_string().into()))
}

fn close(rest: &str) -> Result<SessionCommand<'_>, &'static str> {
    let (code, reason) = split(rest);
    let code = CloseCode(code.parse().map_err(|_| "a close code is a number")?);
    if !code.may_be_sent_by_server() && code != CloseCode::NO_STATUS_RECEIVED {
        return Err("this code must not stand in a server's Close frame (§7.4)");
    }
    if reason.len() > MAX_CLOSE_REASON {
        return Err("a reason has 123 bytes at most");
    }
    Ok(SessionCommand::Close(code, reason.into()))
}

/// Splits after the first word, at one space.
fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: SessionCommand<'_>) {
        assert_eq!(parse(line), Ok(PageCommand::Session { session: 7, command: expected }), "{line}");
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(parse("seen 18446744073709551615"), Ok(PageCommand::Seen(u64::MAX)));
        check("ping 7", SessionCommand::Ping(""));
        check("ping 7 are you  there?", SessionCommand::Ping("are you  there?"));
        check("echo 7 off", SessionCommand::Echo(false));
        check("echo 7 on", SessionCommand::Echo(true));
        check("fragment 7 0", SessionCommand::Fragment(None));
        check("fragment 7 65535", SessionCommand::Fragment(Some(65_535)));
        check("fail 7 1007", SessionCommand::Close(CloseCode(1007), "§8.1: text is not UTF-8".into()));
        check("close 7 1000", SessionCommand::Close(CloseCode::NORMAL, "".into()));
        check("close 7 4999 so long", SessionCommand::Close(CloseCode(4999), "so long".into()));
        check("close 7 1005", SessionCommand::Close(CloseCode::NO_STATUS_RECEIVED, "".into()));
        check("vanish 7", SessionCommand::Vanish);
    }

    #[test]
    fn other_commands_are_refused_in_words_that_fit_into_json() {
        let long = "x".repeat(126);
        for line in [
            "",
            "dance 7",
            "seen",
            "seen -1",
            "seen 18446744073709551616",
            "ping",
            "ping x",
            "ping -7",
            "ping  7",
            &format!("ping 7 {long}"),
            "echo 7",
            "echo 7 perhaps",
            "fragment 7 65536",
            "fragment 7 many",
            "fail 7 1000",
            "fail 7",
            "close 7",
            "close 7 1006",
            "close 7 999",
            "close 7 5000",
            "close 7 70000",
            &format!("close 7 1000 {long}"),
            "vanish 7 now",
            "vanish",
        ] {
            let why = parse(line).expect_err(line);
            assert!(!why.is_empty() && !why.contains(['"', '\\']) && !why.contains(char::is_control));
        }
    }

    #[test]
    fn to_fail_has_the_reason_of_a_real_breach() {
        for breach in BREACHES {
            let line = format!("fail 7 {}", breach.close_code().0);
            check(&line, SessionCommand::Close(breach.close_code(), breach.to_string().into()));
        }
    }
}

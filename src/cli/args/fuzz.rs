//! Invariant: any arguments are accepted or refused, without a panic. The refusal is one line without control
//! characters; it names the faulty or the missing argument.

use std::ffi::OsString;

use lexopt::Parser;

use super::{Command, harmless, parse, told};

/// Arguments that can be missing, as the errors spell them.
const MISSING: [&str; 4] = ["--to", "--extract", "FILE", "KEY"];

/// The body: each line of the input is one argument.
pub(in super::super) fn body(input: &[u8]) {
    let arguments: Vec<OsString> = input.split(|&it| it == b'\n').map(argument).collect();
    match parse(Parser::from_args(&arguments)) {
        Ok(command) => check_command(&command),
        Err(error) => check_error(&told(&error), &arguments),
    }
}

fn argument(bytes: &[u8]) -> OsString {
    #[cfg(unix)]
    return <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).to_owned();
    #[cfg(not(unix))]
    return String::from_utf8_lossy(bytes).into_owned().into();
}

/// Checks that accepted arguments give a sensible configuration.
fn check_command(command: &Command) {
    let Command::Serve(options) = command else { return };
    let config = &options.config;
    for time in [config.handshake_timeout, config.pong_timeout, config.close_timeout] {
        assert!(!time.is_zero(), "a time of 0 ends every connection at once");
    }
    assert!(config.ping_interval.is_none_or(|it| !it.is_zero()));
}

fn check_error(told: &str, arguments: &[OsString]) {
    assert!(!told.chars().any(|it| it.is_control() || it == '\u{202E}'), "{told:?}");
    let names = arguments.iter().flat_map(names_of);
    let mut names = names.chain(MISSING.map(str::to_owned));
    assert!(names.any(|name| told.contains(&name)), "{told:?} names none of {arguments:?}");
}

/// Returns the names that an error can use for an argument: an option's name, or the word itself.
fn names_of(argument: &OsString) -> Vec<String> {
    let text = argument.to_string_lossy();
    let mut names = vec![format!("{argument:?}")];
    if let Some(long) = text.strip_prefix("--") {
        let name = long.split('=').next().unwrap_or_default();
        names.extend([harmless(&format!("--{name}")), format!("--{}", name.escape_debug())]);
        return names;
    }
    names.extend(match text.strip_prefix('-') {
        Some(letters) if !letters.is_empty() => letters
            .chars()
            .flat_map(|it| [harmless(&format!("-{it}")), format!("-{}", it.escape_debug())])
            .collect(),
        _ => vec![text.escape_debug().to_string(), harmless(&text)],
    });
    names
}

//! Invariant: any arguments are accepted or refused, without a panic. The refusal is one line without control
//! characters; it names the faulty or the missing argument.

use std::ffi::OsString;

use lexopt::Parser;

use super::{CliCommand, error_line, escape_line, parse};

/// Arguments that can be missing, as the errors spell them.
const MISSING: [&str; 4] = ["--to", "--extract", "FILE", "KEY"];

/// Runs the body of the target: each line of the input is one argument.
pub(in super::super) fn body(input: &[u8]) {
    let arguments: Vec<OsString> = input.split(|&it| it == b'\n').map(argument).collect();
    match parse(Parser::from_args(&arguments)) {
        Ok(command) => check_command(&command),
        Err(error) => check_error(&error_line(&error), &arguments),
    }
}

fn argument(bytes: &[u8]) -> OsString {
    #[cfg(unix)]
    return <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).to_owned();
    #[cfg(not(unix))]
    return String::from_utf8_lossy(bytes).into_owned().into();
}

/// Checks that accepted arguments give a sensible configuration.
fn check_command(command: &CliCommand) {
    let CliCommand::Serve(options) = command else { return };
    let config = &options.config;
    for time in [config.handshake_timeout, config.pong_timeout, config.close_timeout] {
        assert!(!time.is_zero(), "a time of 0 ends every connection at once");
    }
    assert!(config.ping_interval.is_none_or(|it| !it.is_zero()));
}

fn check_error(line: &str, arguments: &[OsString]) {
    assert!(!line.chars().any(|it| it.is_control() || it == '\u{202E}'), "{line:?}");
    let names = arguments.iter().flat_map(names_of);
    let mut names = names.chain(MISSING.map(str::to_owned));
    assert!(names.any(|name| line.contains(&name)), "{line:?} names none of {arguments:?}");
}

/// Returns the names that an error can use for an argument: an option's name, or the word itself.
fn names_of(argument: &OsString) -> Vec<String> {
    let text = argument.to_string_lossy();
    let mut names = vec![format!("{argument:?}")];
    if let Some(long) = text.strip_prefix("--") {
        let name = long.split('=').next().unwrap_or_default();
        names.extend([escape_line(&format!("--{name}")), format!("--{}", name.escape_debug())]);
        return names;
    }
    names.extend(match text.strip_prefix('-') {
        Some(letters) if !letters.is_empty() => letters
            .chars()
            .flat_map(|it| [escape_line(&format!("-{it}")), format!("-{}", it.escape_debug())])
            .collect(),
        _ => vec![text.escape_debug().to_string(), escape_line(&text)],
    });
    names
}

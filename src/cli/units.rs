//! The spelling of sizes, times and limits on the command line, and of errors about them.
//!
//! This file knows spellings. It does not know which option uses which.

use std::{str::FromStr, time::Duration};

/// Adds the name of the option to an error about its value.
pub(super) fn of_option<T>(name: &str, parsed: Result<T, lexopt::Error>) -> Result<T, lexopt::Error> {
    parsed.map_err(|error| match error {
        lexopt::Error::ParsingFailed { value, error } => {
            format!("--{name} '{}': {error}", value.escape_debug()).into()
        }
        lexopt::Error::NonUnicodeValue(value) => format!("--{name} {value:?}: that is not UTF-8").into(),
        error => error,
    })
}

/// A number of bytes: `1000`, `64K`, `16M`, `1G`; the letters stand for powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) usize);

/// A time: `500ms`, `10s`, `2m`, or seconds without a unit. Never 0: it would end everything at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) Duration);

/// A value, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit<T>(pub(super) Option<T>);

/// A number from 1 upwards. With 0 no client could connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Positive<T>(pub(super) T);

impl<T: FromStr + PartialOrd + Default> FromStr for Positive<T> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number| *number > T::default());
        number.map(Self).ok_or("expected a number from 1, or none for no limit")
    }
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a size like 4096, 64K or 16M";
        let (number, unit) = split_unit(text);
        let shift = match unit.to_ascii_uppercase().as_str() {
            "" | "B" => 0,
            "K" | "KB" | "KIB" => 10,
            "M" | "MB" | "MIB" => 20,
            "G" | "GB" | "GIB" => 30,
            _ => return Err(EXPECTED),
        };
        let number: usize = number.parse().map_err(|_| EXPECTED)?;
        number.checked_mul(1 << shift).map(Self).ok_or("that is more than there can be")
    }
}

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a time like 500ms, 10s or 2m";
        let (number, unit) = split_unit(text);
        let unit_millis: u64 = match unit {
            "ms" => 1,
            "" | "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => return Err(EXPECTED),
        };
        let number: u64 = number.parse().map_err(|_| EXPECTED)?;
        match number.checked_mul(unit_millis) {
            None => Err("that time is too long"),
            Some(0) => Err("a time must be longer than 0"),
            Some(millis) => Ok(Self(Duration::from_millis(millis))),
        }
    }
}

impl<T: FromStr> FromStr for Limit<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(|value| Self(Some(value))) }
    }
}

/// Checks the name of a subprotocol, which is a token (§4.2.2).
pub(super) fn token(text: &str) -> Result<String, &'static str> {
    let is_token_char = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
    if !text.is_empty() && text.bytes().all(is_token_char) {
        Ok(text.to_owned())
    } else {
        Err("a subprotocol's name has letters, digits and !#$%&'*+-.^_`|~ only")
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_bytes_or_powers_of_1024() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("64K", 65_536), ("16m", 16 << 20), ("1GiB", 1 << 30)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "K", "-1", "1.5K", "64X", "64 K", "99999999999999999999", "99999999999G"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_written_with_their_unit_and_never_zero() {
        for (text, millis) in
            [("500ms", 500), ("10s", 10_000), ("10", 10_000), ("2m", 120_000), ("1h", 3_600_000)]
        {
            assert_eq!(text.parse(), Ok(Seconds(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "s", "0", "0ms", "-1s", "1.5s", "1d", "99999999999999999h"] {
            assert!(text.parse::<Seconds>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_positive_number_begins_with_one() {
        assert_eq!("1".parse(), Ok(Positive(1_u32)));
        assert_eq!("none".parse(), Ok(Limit::<Positive<usize>>(None)));
        for text in ["0", "-1", "00", "", "many", "4294967296"] {
            assert!(text.parse::<Positive<u32>>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_can_be_none() {
        assert_eq!("none".parse(), Ok(Limit::<usize>(None)));
        assert_eq!("7".parse(), Ok(Limit::<usize>(Some(7))));
        assert!("nothing".parse::<Limit<usize>>().is_err());
    }
}

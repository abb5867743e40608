//! Runs the body of a target on files, or on what comes in: without a fuzzer, or under one that feeds a
//! program.
//!
//! ```sh
//! cargo run --example replay -- receiver corpus/receiver/*.bin
//! ```

use std::{
    env, fs,
    io::{self, Error, Read},
    panic, process,
};

fn main() -> io::Result<()> {
    // A fuzzer that feeds a program looks for signals, and not at exit codes.
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        tell(panic);
        process::abort();
    }));
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some((_, body)) = wirehook_fuzz::TARGETS.into_iter().find(|(it, _)| *it == name) else {
        let names = wirehook_fuzz::TARGETS.map(|(name, _)| name).join(" ");
        return Err(Error::other(format!("usage: replay TARGET [FILE]…, with one of the targets {names}")));
    };
    let mut is_fed = true;
    for path in arguments {
        is_fed = false;
        println!("{path}");
        body(&fs::read(path)?);
    }
    if is_fed {
        let mut input = Vec::new();
        io::stdin().read_to_end(&mut input)?;
        body(&input);
    }
    Ok(())
}

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
    let mut targets = wirehook_fuzz::TARGETS.to_vec();
    #[cfg(feature = "deflate")]
    targets.extend(wirehook_fuzz::DEFLATE_TARGETS);
    let Some((_, body)) = targets.iter().find(|(it, _)| *it == name) else {
        let names = targets.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
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

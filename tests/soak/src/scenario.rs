//! What scenarios have in common: the server they start, and the table they fill.
//!
//! This file knows how scenarios are chosen and run. It refuses to know what happens in one.

use std::{env, io, path::Path};

use crate::{probe::Client, server::Server, table::Table};

pub(crate) type Scenario = fn(&Stage<'_>, &mut Table) -> io::Result<()>;

/// Scenarios that run one after the other and share a table.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    /// The scenarios, by the names that they can be asked for.
    pub(crate) scenarios: &'static [(&'static str, Scenario)],
}

impl Group {
    /// Whether this name asks for the group or for one of its scenarios.
    pub(crate) fn has(&self, name: &str) -> bool {
        name == self.title || self.scenarios.iter().any(|(known, _)| *known == name)
    }

    /// Runs the scenario of this name, or all if it is the group's; whether every check passed.
    pub(crate) fn run(&self, stage: &Stage<'_>, name: &str) -> io::Result<bool> {
        let mut table = Table::default();
        for (known, scenario) in self.scenarios {
            if name == self.title || name == *known {
                println!("{}: {known}", self.title);
                scenario(stage, &mut table)?;
            }
        }
        table.print(self.title);
        let (passed, failed) = table.verdict();
        println!("\n{}: {passed} checks passed, {failed} failed", self.title);
        Ok(failed == 0)
    }
}

/// Where servers come from.
pub(crate) struct Stage<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) log: &'a Path,
    /// How many descriptors one process may have.
    pub(crate) descriptors: u64,
}

impl Stage<'_> {
    /// Starts `wirehook echo` with these options, and with a lower descriptor limit if one is given.
    pub(crate) fn server(&self, options: &[&str], descriptors: Option<u32>) -> io::Result<Server> {
        let options: Vec<_> = options.iter().map(|&it| it.to_owned()).collect();
        let server = Server::start(self.binary, self.log, &options, descriptors)?;
        // What is made once, at the first client, is part of the start.
        let mut client = Client::open(server.address)?;
        client.round_trip(&[0; 1000])?;
        client.goodbye()?;
        Ok(server)
    }

    /// Starts a server that is built on the library: a program that lies beside this one.
    pub(crate) fn subject(&self, program: &str, arguments: &[&str]) -> io::Result<Server> {
        let program = env::current_exe()?.with_file_name(program);
        Server::start_subject(&program, self.log, arguments)
    }
}

pub(crate) fn kib(kib: u64) -> String {
    if kib < 1024 { format!("{kib} KiB") } else { format!("{:.1} MiB", kib as f64 / 1024.0) }
}

/// Fails the table if the server has ended.
pub(crate) fn has_lived(table: &mut Table, server: &mut Server) -> io::Result<()> {
    if let Some(status) = server.ended()? {
        table.check("  server alive", status.to_string(), "alive", false);
    }
    Ok(())
}

//! The common parts of scenarios: the servers that they start, and the table that they fill.
//!
//! This file selects and runs scenarios. It does not know what happens in one.

use std::{env, io, path::Path};

use crate::{probe::Client, server::Server, table::Table};

pub(crate) type Scenario = fn(&Servers<'_>, &mut Table) -> io::Result<()>;

/// Scenarios that run one after the other and share a table.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    /// The scenarios, by name.
    pub(crate) scenarios: &'static [(&'static str, Scenario)],
}

impl Group {
    /// Whether this name selects the group or one of its scenarios.
    pub(crate) fn has(&self, name: &str) -> bool {
        name == self.title || self.scenarios.iter().any(|(known, _)| *known == name)
    }

    /// Runs the scenario of this name, or all for the group's name; returns whether every check passed.
    pub(crate) fn run(&self, servers: &Servers<'_>, name: &str) -> io::Result<bool> {
        let mut table = Table::default();
        for (known, scenario) in self.scenarios {
            if name == self.title || name == *known {
                println!("{}: {known}", self.title);
                scenario(servers, &mut table)?;
            }
        }
        table.print(self.title);
        let (passed, failed) = table.verdict();
        println!("\n{}: {passed} checks passed, {failed} failed", self.title);
        Ok(failed == 0)
    }
}

/// Starts servers for scenarios.
pub(crate) struct Servers<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) log: &'a Path,
    /// The descriptor limit of one process.
    pub(crate) descriptors: u64,
}

impl Servers<'_> {
    /// Starts `wirehook echo` with these options, and with a lower descriptor limit if one is given.
    pub(crate) fn server(&self, options: &[&str], descriptors: Option<u32>) -> io::Result<Server> {
        let options: Vec<_> = options.iter().map(|&it| it.to_owned()).collect();
        let server = Server::start(self.binary, self.log, &options, descriptors)?;
        // The first client causes allocations that belong to the start.
        let mut client = Client::open(server.address)?;
        client.round_trip(&[0; 1000])?;
        client.goodbye()?;
        Ok(server)
    }

    /// Starts a server built on the library: a program beside this one.
    pub(crate) fn subject(&self, program: &str, arguments: &[&str]) -> io::Result<Server> {
        let program = env::current_exe()?.with_file_name(program);
        Server::start_subject(&program, self.log, arguments)
    }
}

pub(crate) fn kib(kib: u64) -> String {
    if kib < 1024 { format!("{kib} KiB") } else { format!("{:.1} MiB", kib as f64 / 1024.0) }
}

/// Adds a failed check if the server has ended.
pub(crate) fn has_lived(table: &mut Table, server: &mut Server) -> io::Result<()> {
    if let Some(status) = server.ended()? {
        table.check("  server alive", status.to_string(), "alive", false);
    }
    Ok(())
}

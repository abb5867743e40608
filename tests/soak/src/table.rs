//! The table at the end: a name, a value, its limit, and the verdict.
//!
//! This file knows columns. It does not know what is measured.

use crate::tally::Tally;

#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    value: String,
    limit: String,
    /// `None` for rows without a limit.
    ok: Option<bool>,
}

impl Table {
    pub(crate) fn check(&mut self, name: &str, value: impl Into<String>, limit: impl Into<String>, ok: bool) {
        self.rows.push(Row { name: name.into(), value: value.into(), limit: limit.into(), ok: Some(ok) });
    }

    pub(crate) fn tell(&mut self, name: &str, value: impl Into<String>) {
        self.rows.push(Row { name: name.into(), value: value.into(), limit: String::new(), ok: None });
    }

    /// Adds a row per promise: it must have been kept at least once, and always.
    pub(crate) fn add_tally(&mut self, tally: &Tally) {
        for (promise, count) in tally.all() {
            let all = count.kept + count.broken;
            let ok = count.broken == 0 && count.kept > 0;
            self.check(promise, format!("{} of {all}", count.kept), "all", ok);
        }
    }

    /// Returns how many checks have passed and failed.
    pub(crate) fn verdict(&self) -> (usize, usize) {
        let count = |wanted| self.rows.iter().filter(|row| row.ok == Some(wanted)).count();
        (count(true), count(false))
    }

    pub(crate) fn print(&self, title: &str) {
        let width = |column: fn(&Row) -> &String, heading: &str| {
            self.rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0).max(heading.len())
        };
        let name = width(|row| &row.name, title);
        let value = width(|row| &row.value, "value");
        let limit = width(|row| &row.limit, "limit");
        println!("\n{title:name$}  {:>value$}  {:limit$}  ok", "value", "limit");
        println!("{:-<name$}  {:-<value$}  {:-<limit$}  --", "", "", "");
        for row in &self.rows {
            let ok = match row.ok {
                Some(true) => "ok",
                Some(false) => "NO",
                None => "",
            };
            let line = format!("{:name$}  {:>value$}  {:limit$}  {ok}", row.name, row.value, row.limit);
            println!("{}", line.trim_end());
        }
    }
}

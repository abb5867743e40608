//! From a run's file to what is read: plots as SVG, and the tables of a Markdown page. It measures nothing.
//!
//! - [`data`]: the file, read back.
//! - [`plots`]: which plots there are, and what each shows. [`svg`]: how a plot is drawn.
//! - [`tables`]: which tables there are, and how they come into the page.

mod data;
mod plots;
mod svg;
mod tables;

use std::fs;
use std::path::Path;

use crate::Result;

/// Draws the plots into `directory`, and puts the tables into the page beside it, which has its name and ends in `.md`.
pub(crate) fn publish(file: &Path, directory: &Path) -> Result<()> {
    let run = data::Run::read(file)?;
    fs::create_dir_all(directory)?;
    for (name, plot) in plots::all(&run) {
        fs::write(directory.join(name), plot)?;
    }
    let page = directory.with_extension("md");
    match fs::read_to_string(&page) {
        Ok(text) => Ok(fs::write(&page, tables::fill_in(&text, &run)?)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("no page {} to put tables into", page.display());
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

//! From a run's file to what is read: plots as SVG, and the tables of Markdown pages. It measures nothing.
//!
//! - [`data`]: the file, read back.
//! - [`plots`]: which plots there are, and what each shows. [`svg`]: how a plot is drawn.
//! - [`tables`]: which tables there are, and how they come into a page.

mod data;
mod plots;
mod svg;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// Draws the plots into `directory`, and puts the tables into the pages: those in it, and the one beside it
/// that has its name and ends in `.md`.
pub(crate) fn publish(file: &Path, directory: &Path) -> Result<()> {
    let run = data::Run::read(file)?;
    fs::create_dir_all(directory)?;
    for (name, plot) in plots::all(&run) {
        fs::write(directory.join(name), plot)?;
    }
    for page in pages(directory)? {
        let text = fs::read_to_string(&page)?;
        fs::write(&page, tables::fill_in(&text, &run)?)?;
    }
    Ok(())
}

fn pages(directory: &Path) -> Result<Vec<PathBuf>> {
    let beside = directory.with_extension("md");
    let mut pages = if beside.exists() { vec![beside] } else { vec![] };
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "md") {
            pages.push(path);
        }
    }
    if pages.is_empty() {
        eprintln!("no page {} to put tables into", directory.with_extension("md").display());
    }
    Ok(pages)
}

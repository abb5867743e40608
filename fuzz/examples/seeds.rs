//! Writes the table of seeds to `corpus/`, one file each. Others that are there stay.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, name, bytes) in wirehook_fuzz::seeds::seeds() {
        fs::create_dir_all(corpus.join(target))?;
        fs::write(corpus.join(target).join(format!("{name}.bin")), bytes)?;
    }
    Ok(())
}
